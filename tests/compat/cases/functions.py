"""Lua functions in Python, Python functions in Lua."""

# %% calling
add = lua.eval("function(a, b) return a + b end")
add(1, 2), add(1.5, 2), add("1", 2)

# %% missing and extra arguments
f = lua.eval("function(a, b) return a, b end")
f(), f(1), f(1, 2), f(1, 2, 3)

# %% counting arguments
count = lua.eval("function(...) return select('#', ...) end")
count(), count(None), count(1, None, None)

# %% keyword arguments
try:
    lua.eval("function() end")(a=1)
except TypeError:
    print("TypeError")

# %% the text for keyword arguments
lua.eval("function() end")(a=1)

# %% results
lua.eval("function() end")()
lua.eval("function() return nil end")()
lua.eval("function() return 1, nil end")()

# %% standard functions
lua.eval("string.rep")("ab", 2), lua.eval("math.max")(1, 5, 3), lua.eval("type")(None)

# %% repr and str
repr(lua.eval("print"))[:16], str(lua.eval("function() end"))[:16]

# %% attributes of functions
lua.eval("print").name
lua.eval("print")["name"]

# %% setting attributes of functions
lua.eval("print").name = 5

# %% setting items of functions
lua.eval("print")["name"] = 5

# %% dunder attributes of functions
lua.eval("print").__name__

# %% len of functions
len(lua.eval("print"))

# %% bool of functions
bool(lua.eval("print"))

# %% equality of functions
f = lua.eval("print")
f == f, f == 1, f == lua.eval("function() end")

# %% equality of two wrappers of a function
lua.eval("print") == lua.eval("print")

# %% hash of functions
f = lua.eval("print")
{f: 1}[f]

# %% callable
callable(lua.eval("print")), callable(lua.eval("{}")), callable(lua.eval("io.stdout"))

# %% closures
counter = lua.eval("(function() local n = 0 return function() n = n + 1 return n end end)()")
counter(), counter(), counter()

# %% functions with upvalues shared
get, put = lua.eval(
    "(function() local x = 1 return function() return x end, function(y) x = y end end)()"
)
put(5), get()

# %% recursion in Lua
lua.execute("function fac(n) if n < 2 then return 1 end return n * fac(n - 1) end return fac(10)")

# %% recursion without end
# Whether Lua adds place and traceback depends on where its stack happens to end.
try:
    lua.execute("local function f() return 1 + f() end f()")
except LuaError as error:
    print(type(error).__name__, "stack overflow" in str(error))

# %% tail calls
lua.execute("local function f(n) if n == 0 then return 'end' end return f(n - 1) end return f(1e5)")

# %% Python functions in Lua
lua.eval("(...)(1, 2)", lambda a, b: a * 10 + b)
lua.eval("(...)()", lambda: None)
lua.eval("select('#', (...)())", lambda: None)

# %% Python functions with too few arguments
lua.eval("(...)(1)", lambda a, b: a)

# %% Python functions with too many arguments
lua.eval("(...)(1, 2, 3)", lambda a: a)

# %% Python functions with defaults
lua.eval("(...)(1)", lambda a, b=5: (a, b))

# %% star arguments
lua.eval("(...)(1, nil, 'x')", lambda *args: args)
lua.eval("(...)(nil)", lambda *args: args)
lua.eval("(...)()", lambda *args: args)


# %% classes are called
class Thing:
    def __init__(self, x):
        self.x = x


lua.eval("(...)(5).x", Thing)


# %% objects with __call__
class Thing:
    def __call__(self, *args):
        return args


lua.eval("(...)(1, 2)", Thing())

# %% objects without __call__
lua.eval("(...)(1, 2)", object())

# %% bound methods
lua.eval("(...)(5)", [1].append)
data = [1]
lua.execute("(...)(5)", data.append)
data

# %% builtin functions
lua.eval("(...)('abc')", len), lua.eval("(...)(-5)", abs), lua.eval("(...)({})", lua_type)

# %% functools.partial
import functools

lua.eval("(...)(3)", functools.partial(pow, 2))

# %% Lua functions as arguments of Python functions
sorted([3, 1, 2], key=lua.eval("function(x) return -x end"))
list(map(lua.eval("function(x) return x * 2 end"), [1, 2]))
list(filter(lua.eval("function(x) return x > 1 end"), [1, 2]))

# %% Lua functions given back to Lua
lua.eval("(...)(function(x) return x + 1 end)", lambda f: f(41))

# %% Python functions through pcall
lua.eval("pcall(..., 1)", lambda x: x + 1)

# %% Python functions in string.gsub
lua.eval("string.gsub('abc', '.', python.as_function(...))", lambda c: c.upper() + "-")

# %% Python objects in string.gsub
lua.eval("string.gsub('abc', '.', ...)", lambda c: c)

# %% Python functions in table.sort
table = lua.table(3, 1, 2)
lua.execute("local t, f = ... table.sort(t, python.as_function(f))", table, lambda a, b: a < b)
list(table.values())

# %% as_function is a function
lua.eval("type(python.as_function(...))", len)
lua.eval("type(...)", len)

# %% as_function calls
lua.eval("python.as_function(...)('abc')", len)
lua.eval("python.as_function(...)(1, nil)", lambda *args: args)

# %% as_function of something else
lua.eval("python.as_function(5)")

# %% as_function without arguments
lua.eval("python.as_function()")

# %% as_function with two arguments
lua.eval("python.as_function(...)", len, len)

# %% as_function of as_function
lua.eval("python.as_function(python.as_function(...))('abc')", len)

# %% as_function raising
lua.eval("python.as_function(...)(1)", len)

# %% as_function in other helpers
lua.eval("python.as_attrgetter(python.as_function(...)).__name__", len)
lua.eval("tostring(python.as_function(...)):sub(1, 9)", len)

# %% as_function in a coroutine
co = lua.eval("function(f) coroutine.yield(f(1)) coroutine.yield(f(2)) end").coroutine(
    lua.eval("python.as_function(...)", lambda x: x * 10)
)
list(co)


# %% functions that change the globals
def change():
    lua.globals().x = 5


lua.eval("(...)()", change), lua.eval("x")

# %% results that cannot be converted
lua.eval("(...)()", lambda: 2**70)
lua.eval("(...)()", lambda: "\ud800")

# %% results that are Lua objects
lua.eval("#(...)()", lambda: lua.table(1, 2, 3))

# %% many arguments from Lua
lua.eval("(...)(unpack({}, 1, 100))", lambda *args: len(args))

# %% very many arguments from Lua
lua.eval("(...)(unpack({}, 1, 5000))", lambda *args: len(args))

# %% functions from string.dump
type(LuaRuntime(encoding=None).eval("string.dump(function() end)")).__name__

# %% weak references to functions
import weakref

weakref.ref(lua.eval("print"))() is None

# %% setting a new attribute on an object without dict
setattr(lua.eval("io.stdout"), "x", 1)

# %% item of a Lua string method
lua.eval("('x'):rep(3)"), lua.globals().string.upper("abc")

# %% varargs in the middle
lua.eval("(function(a, ...) return ..., a end)(1, 2, 3)")

# %% functions compare in Lua
lua.eval("(...) == print", lua.eval("print"))

# %% setfenv
lua.eval("setfenv(function() return x end, {x = 7})()")

# %% debug functions on Python functions
lua.eval("debug.getinfo(python.as_function(...)).what", len)
lua.eval("pcall(debug.getinfo, ...)", len)[0]
