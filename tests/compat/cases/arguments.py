"""Named arguments: python.args and the decorators."""


def show(*args, **kwargs):
    return args, sorted(kwargs.items())


unpacked = unpacks_lua_table(show)


class Thing:
    @unpacks_lua_table_method
    def show(self, *args, **kwargs):
        return args, sorted(kwargs.items())


# %% args by position
lua.eval("(...)(python.args{1, 2, 'x'})", show)

# %% args by name
lua.eval("(...)(python.args{a = 1, b = 'x'})", show)

# %% args by both
lua.eval("(...)(python.args{1, 2, a = 3})", show)

# %% args empty
lua.eval("(...)(python.args{})", show)

# %% args after others
lua.eval("(...)(0, python.args{1, a = 2})", show)

# %% args before others
lua.eval("(...)(python.args{1, a = 2}, 3)", show)

# %% args twice
lua.eval("(...)(python.args{1, a = 2}, python.args{3, b = 4})", show)

# %% args twice with the same name
lua.eval("(...)(python.args{a = 2}, python.args{a = 4})", show)

# %% args with holes
lua.eval("(...)(python.args{1, nil, 3})", show)

# %% args with python.none
lua.eval("(...)(python.args{python.none, a = python.none})", show)

# %% args with a wrong key
lua.eval("(...)(python.args{[1.5] = 1})", show)

# %% args with a boolean key
lua.eval("(...)(python.args{[true] = 1})", show)

# %% args with a key out of range
lua.eval("(...)(python.args{[10] = 1})", show)

# %% args with key 0
lua.eval("(...)(python.args{[0] = 1})", show)

# %% args with a table as key
lua.eval("(...)(python.args{[{}] = 1})", show)

# %% args of something else
lua.eval("python.args(5)")
lua.eval("python.args()")
lua.eval("python.args(...)", [])

# %% args with two tables
lua.eval("(...)(python.args({1}, {2}))", show)

# %% args are an object
lua.eval("type(python.args{})")
type(lua.eval("python.args{1}")).__name__

# %% args passed on
lua.eval("(...)(select(2, ...))", show, lua.eval("python.args{1, a = 2}"))

# %% args for a Lua function
lua.eval("type((function(x) return x end)(python.args{1}))")

# %% args for a class
lua.eval("(...)(python.args{real = 1, imag = 2})", complex)

# %% args for a builtin
lua.eval("(...)(python.args{{3, 1, 2}})", lambda t: sorted(t.values()))
lua.eval("(...)(python.args{'a', 'b', sep = '-'})", print)

# %% args that do not fit
lua.eval("(...)(python.args{c = 1})", lambda a: a)

# %% args through as_function
lua.eval("python.as_function(...)(python.args{1, a = 2})", show)


# %% args in a method call
class Method:
    def show(self, *args, **kwargs):
        return args, kwargs


lua.eval("(...):show(python.args{1, a = 2})", Method())

# %% args without an encoding
LuaRuntime(encoding=None).eval("(...)(python.args{1, a = 'x'})", show)

# %% args in latin-1
LuaRuntime(encoding="latin-1").eval("(...)(python.args{['\xe4'] = 1})", show)

# %% args with an invalid name
lua.eval("(...)(python.args{['\\255'] = 1})", show)

# %% args with a name that is no identifier
lua.eval("(...)(python.args{['a b'] = 1, [''] = 2})", show)

# %% args with metamethods
lua.eval(
    "(...)(python.args(setmetatable({1}, {__index = function() return 5 end, __len = function() return 3 end})))",
    show,
)

# %% unpacks by position
lua.eval("(...)(1, 2)", unpacked)
lua.eval("(...){1, 2}", unpacked)

# %% unpacks by name
lua.eval("(...){a = 1, b = 2}", unpacked)

# %% unpacks by both
lua.eval("(...){1, a = 2}", unpacked)

# %% unpacks nothing
lua.eval("(...)()", unpacked)
lua.eval("(...){}", unpacked)
lua.eval("(...)(nil)", unpacked)

# %% unpacks a table and more
lua.eval("(function(t, n) return type(t), n end)((...)({1}, 2)[0][0], 2)", unpacked)

# %% unpacks holes
lua.eval("(...){1, nil, 3}", unpacked)

# %% unpacks a hole at the end
lua.eval("(...){1, nil}", unpacked)

# %% unpacks python.none
lua.eval("(...){python.none, a = python.none}", unpacked)

# %% unpacks wrong keys
lua.eval("(...){[1.5] = 1}", unpacked)
lua.eval("(...){[true] = 1}", unpacked)
lua.eval("(...){[5] = 1}", unpacked)
lua.eval("(...){[-1] = 1}", unpacked)

# %% unpacks called from Python
unpacked(1, 2)
unpacked(lua.table(1, a=2))
unpacked()
unpacked({"a": 1})

# %% unpacks takes no names from Python
try:
    unpacked(a=1)
except TypeError:
    print("TypeError")

# %% unpacks keeps the name
unpacked.__name__, unpacked.__wrapped__ is show
unpacks_lua_table(show).__module__

# %% unpacks a method
lua.eval("(...):show{1, a = 2}", Thing())
lua.eval("(...).show{1, a = 2}", Thing())
lua.eval("(...):show(1, 2)", Thing())
Thing().show(lua.table(5, x=6))

# %% unpacks a method with nothing
lua.eval("(...):show()", Thing())
lua.eval("(...):show{}", Thing())

# %% unpacks a method called with a dot
lua.eval("(...).show(..., 1)", Thing())


# %% a required argument is missing
@unpacks_lua_table
def needs(a, b):
    return a, b


lua.eval("(...){a = 1}", needs)


# %% an argument given twice
@unpacks_lua_table
def needs(a, b=0):
    return a, b


lua.eval("(...){1, a = 2}", needs)


# %% defaults
@unpacks_lua_table
def needs(a, b=5, *, c=6):
    return a, b, c


(
    lua.eval("(...){1}", needs),
    lua.eval("(...){1, c = 2}", needs),
    lua.eval("(...){a = 1, b = 2}", needs),
)

# %% unpacks without an encoding
LuaRuntime(encoding=None).eval("(...){a = 'x'}", unpacked)

# %% unpacks a table from another runtime
unpacked(LuaRuntime().table(1, a=2))

# %% unpacks something not callable
type(unpacks_lua_table(5)).__name__
