"""The `python` table, and what wrapped objects are in Lua."""

# %% python.none
lua.eval("python.none")
lua.eval("type(python.none), tostring(python.none)")
lua.eval("python.none == nil")
lua.eval("python.none == python.none")
lua.eval("not python.none")

# %% python.none called and indexed
lua.eval("python.none()")
lua.eval("python.none.x")

# %% python.none as argument
lua.eval("(...)(python.none, nil)", lambda *args: args)

# %% python.eval
lua.eval("python.eval('1 + 1')")
lua.eval("python.eval('[1, 2]')[0]")
lua.eval("python.eval('nothing')")
lua.eval("python.eval('1 +')")

# %% python.eval with names
lua.eval("python.eval('x + 1', ...)", {"x": 1})

# %% python.eval is eval
lua.eval("python.eval") is eval

# %% python.builtins
lua.eval("python.builtins.len('abc')")
lua.eval("python.builtins.str(5)"), lua.eval("python.builtins.int('7')")
lua.eval("python.builtins.nothing")

# %% python.builtins is the module
import builtins

lua.eval("python.builtins") is builtins

# %% python.builtins.list
lua.eval("python.builtins.list(python.builtins.range(3))")

# %% python.builtins.isinstance
lua.eval("python.builtins.isinstance(5, python.builtins.int)")

# %% python is a table
lua.eval("type(python)")
lua.execute("python.mine = 5")
lua.eval("python.mine")

# %% types of wrapped objects
lua.eval("type(...)", []), lua.eval("type(...)", len), lua.eval("type(...)", int)

# %% tostring
lua.eval("tostring(...)", [1, "x"]), lua.eval("tostring(...)", {"a": None})
lua.eval("tostring(...)", int), lua.eval("tostring(...)", KeyError("k"))


# %% tostring of an object with __str__
class Thing:
    def __str__(self):
        return "own \xe4"


lua.eval("tostring(...)", Thing())


# %% tostring that cannot be encoded
class Thing:
    def __str__(self):
        return "\ud800"


lua.eval("tostring(...)", Thing())

# %% string.format of objects
lua.eval("string.format('%s', ...)", [1])

# %% concatenation of objects
lua.eval("... .. 'x'", [1])

# %% length of objects
lua.eval("#...", [1, 2, 3])
lua.eval("#...", {})

# %% length of objects without one
lua.eval("#...", 5j)

# %% arithmetic with objects
lua.eval("... + 1", 5j)
lua.eval("2 * ...", [1])

# %% more arithmetic with objects
import fractions

lua.eval("... - 1, ... / 2, ... % 1, ... ^ 2, -...", fractions.Fraction(1, 2))

# %% comparison of objects
lua.eval("... < ...", (1, 2))
lua.eval("(...) < select(2, ...), (...) <= select(2, ...)", (1,), (2,))

# %% equality of objects
lua.eval("(...) == select(2, ...)", (1, 2), (1, 2))
lua.eval("(...) == select(2, ...)", [1], [2])

# %% equality of an object with something else
lua.eval("(...) == 5", [5]), lua.eval("(...) == nil", [5]), lua.eval("(...) ~= 'x'", ["x"])

# %% rawequal of objects
thing = []
lua.eval("rawequal(...)", thing, thing), lua.eval("rawequal(...)", [], [])

# %% getmetatable of an object
lua.eval("type(getmetatable(...))", [])

# %% the metatable of an object is shared
lua.eval("getmetatable((...)) == getmetatable(select(2, ...))", [], {})

# %% the metatable of an object can be written
lua.execute("getmetatable(...).__index = function() return 'changed' end", [])
lua.eval("(...).x", {"x": 1})

# %% setmetatable of an object
lua.execute("setmetatable(..., {})", [])

# %% rawget of an object
lua.eval("rawget(..., 'x')", {})

# %% objects are true
lua.eval("not ...", []), lua.eval("not ...", 0j)

# %% objects as keys in Lua
thing = []
lua.eval("(function(k) local t = {} t[k] = 5 return t[k] end)(...)", thing)

# %% objects in Lua tables keep identity
thing = object()
table = lua.table(thing, thing)
table[1] is table[2] is thing, lua.eval("(...)[1] == (...)[2]", table)

# %% calling objects
lua.eval("(...)()", [])

# %% next on an object
lua.eval("next(...)", {})

# %% unpack of an object
lua.eval("unpack(...)", [1, 2])

# %% ipairs of an object
lua.eval("ipairs(...)", [1])

# %% table functions on an object
lua.eval("table.concat(...)", ["a", "b"])
lua.eval("table.insert(..., 1)", [])

# %% tonumber of an object
lua.eval("tonumber(...)", [])
lua.eval("tonumber(...)", "0x10"), lua.eval("tonumber(...)", b"5")

# %% Python numbers in Lua's arithmetic
lua.eval("... + 1", 5), lua.eval("... / 2", 5), lua.eval("... % 3", -5), lua.eval("2 ^ ...", 0.5)
lua.eval("... + 1", True)

# %% Python strings in Lua's arithmetic
lua.eval("... + 1", "5"), lua.eval("... .. 1", "5")

# %% a garbage metamethod called by hand
data = [1]
lua.eval("type(getmetatable(...).__gc)", data)

# %% a finalizer called by hand
data = [1]
lua.globals().data = data
lua.eval("pcall(function() getmetatable(data).__gc(data) end)")
lua.eval("data[0]")

# %% Lua objects inside Python containers
data = [lua.table(1), lua.eval("print")]
lua.eval("(...)[0][1]", data)
lua.eval("type((...)[1])", data)

# %% python in another environment
lua.eval("(function() local python = nil return python end)()")
lua.execute("python = nil")
lua.eval("(...)[0]", [5])
