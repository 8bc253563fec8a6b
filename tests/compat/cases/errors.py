"""Lua errors: classes, texts, tracebacks."""


def fails(code, *args):
    try:
        return lua.execute(code, *args)
    except Exception as error:
        return type(error).__name__, str(error)


# %% error
fails("error('x')")

# %% error of level 0
fails("error('x', 0)")

# %% error of level 2
fails("local function f() error('x', 2) end\nf()")

# %% error in a function
fails("local function inner() error('x') end\nlocal function outer() inner() end\nouter()")

# %% error in a global function
lua.execute("function globally() error('x') end")
fails("globally()")

# %% error in a method
fails("local t = {} function t:method() error('x') end\nt:method()")

# %% error in a called function
f = lua.eval("function() error('x') end")
f()

# %% error in a called function with a name
lua.execute("function named()\n  error('x')\nend", name="=file")
lua.globals().named()

# %% error of a standard function
lua.eval("string.rep")()

# %% wrong arguments
fails("string.rep({})")
fails("('x'):rep({})")
fails("math.floor('x')")
fails("setmetatable(1, 2)")

# %% index of nil
fails("local x; return x.y")
fails("return nothing.y")
fails("local t = {} return t.a.b")

# %% call of nil
fails("nothing()")
fails("local t = {} t.x()")
fails("local t = {} t:x()")

# %% arithmetic
fails("return 1 + {}")
fails("return {} .. 'x'")
fails("return #5")
fails("return -{}")
fails("return 1 < 'x'")
fails("return {} < {}")

# %% for loops
fails("for i = 'a', 2 do end")

# %% error with a number
fails("error(5, 0)")
fails("error(5)")

# %% error with a table
fails("error({})")

# %% error with nil
fails("error()")
fails("error(nil)")

# %% error with a boolean
fails("error(true)")

# %% error with a function
fails("error(print)")

# %% error with a table with tostring
fails("error(setmetatable({}, {__tostring = function() return 'custom' end}))")

# %% error with an empty string
fails("error('')")
fails("error('', 0)")

# %% error with several lines
fails("error('one\\ntwo', 0)")

# %% error with a traceback in the message
fails("error('stack traceback:\\n\\t[C]: fake', 0)")

# %% error with zeros
fails("error('a\\0b', 0)")

# %% error with text that is not ASCII
fails("error('\xe4\u20ac', 0)")

# %% assert
fails("assert(false)")
fails("assert(nil, 'message')")
fails("assert(1 == 1, 'unused')")
fails("return assert(1, 2, 3)")

# %% assert with a table
fails("assert(false, {})")

# %% assert without arguments
fails("assert()")

# %% pcall
lua.eval("pcall(error, 'x')")
lua.eval("pcall(error, 'x', 0)")
lua.eval("pcall(function() error('x') end)")
lua.eval("pcall(error)")
lua.eval("pcall(function() return 1, 2 end)")

# %% pcall with a table
ok, value = lua.eval("pcall(error, {code = 5})")
ok, value.code

# %% xpcall
lua.eval("xpcall(function() error('x', 0) end, function(m) return 'handled ' .. m end)")
lua.eval("xpcall(function(...) return ... end, print, 1, 2)")

# %% xpcall with a failing handler
lua.eval("xpcall(function() error('x', 0) end, function(m) error('y') end)")[0]

# %% xpcall with debug.traceback
lua.eval("xpcall(function() error('x', 0) end, debug.traceback)")[1].splitlines()[0]

# %% error in a metamethod
fails("local t = setmetatable({}, {__index = function(t, k) error('no ' .. k, 0) end}) return t.x")
fails("local t = setmetatable({}, {__add = function() error('no', 0) end}) return t + 1")

# %% error in __index from Python
table = lua.eval("setmetatable({}, {__index = function(t, k) error('no ' .. k, 0) end})")
table.x
table["x"]

# %% error in __len from Python
len(lua.eval("setmetatable({}, {__len = function() error('no', 0) end})"))

# %% error in __call from Python
lua.eval("setmetatable({}, {__call = function() error('no', 0) end})")()

# %% error in __tostring from Python
str(lua.eval("setmetatable({}, {__tostring = function() error('no', 0) end})"))

# %% __tostring without a string
str(lua.eval("setmetatable({}, {__tostring = function() return {} end})"))
str(lua.eval("setmetatable({}, {__tostring = function() return 5 end})"))

# %% args of the exception
try:
    lua.execute("error('x', 0)")
except LuaError as error:
    print(error.args)

# %% repr of the exception
try:
    lua.execute("error('x', 0)")
except LuaError as error:
    print(repr(error))

# %% attributes of the exception
try:
    lua.execute("error('x', 0)")
except LuaError as error:
    print(
        [
            name
            for name in dir(error)
            if not name.startswith("_") and name not in ("args", "with_traceback", "add_note")
        ]
    )

# %% cause and context
try:
    lua.execute("error('x', 0)")
except LuaError as error:
    print(error.__cause__, error.__context__)

# %% context inside an except
try:
    try:
        1 / 0
    except ZeroDivisionError:
        lua.execute("error('x', 0)")
except LuaError as error:
    print(type(error.__context__))

# %% Python's traceback
import traceback

try:
    lua.eval("(...)()", lambda: lua.execute("error('x', 0)"))
except LuaError as error:
    print(
        [
            frame.name
            for frame in traceback.extract_tb(error.__traceback__)
            if frame.filename == "<case>"
        ]
    )

# %% Python's traceback through Lua
import traceback


def outer():
    lua.eval("(...)()", inner)


def inner():
    raise KeyError("x")


try:
    outer()
except KeyError as error:
    print(
        [
            frame.name
            for frame in traceback.extract_tb(error.__traceback__)
            if frame.filename == "<case>"
        ]
    )

# %% Lua's traceback through Python
try:
    lua.eval("(function() (...)() end)(...)", lambda: lua.eval("(function() error('x') end)()"))
except LuaError as error:
    print(error)

# %% Lua's traceback through Python with a function
lua.execute("function inner() error('x') end function outer(f) f() end")
try:
    lua.globals().outer(lambda: lua.globals().inner())
except LuaError as error:
    print(error)

# %% a traceback of many levels
try:
    lua.execute("local function f(n) if n == 0 then error('deep') end f(n - 1) return 1 end f(50)")
except LuaError as error:
    print(error)

# %% a traceback with tail calls
try:
    lua.execute("local function f(n) if n == 0 then error('deep') end return f(n - 1) end f(5)")
except LuaError as error:
    print(error)

# %% debug.traceback is replaced
lua.execute("debug.traceback = function(m) return 'replaced ' .. tostring(m) end")
fails("error('x', 0)")

# %% debug.traceback is gone
lua.execute("debug.traceback = nil")
fails("error('x', 0)")

# %% debug is gone
lua.execute("debug = nil")
fails("error('x', 0)")
lua.eval("1")

# %% debug is something else
lua.execute("debug = {traceback = 5}")
fails("error('x', 0)")

# %% a message like a memory error
fails("error('not enough memory')")
fails("error('not enough memory', 0)")
fails("error('so: not enough memory for this')")

# %% a syntax error like a memory error
lua.execute("x x", name="=not enough memory")

# %% a compile error like a memory error
lua.compile("x x", name="=not enough memory")

# %% error in error handling
lua.eval(
    "xpcall(function() local function f() return 1 + f() end f() end, function(m) return m end)"
)[0]

# %% an error leaves the runtime in order
for _ in range(1000):
    try:
        lua.execute("error('x')")
    except LuaError:
        pass
lua.eval("1, 2")

# %% errors in coroutines made in Lua
fails("local co = coroutine.wrap(function() error('in co') end) co()")
lua.eval("coroutine.resume(coroutine.create(function() error('in co', 0) end))")

# %% syntax errors are Lua errors
try:
    lua.execute("x x")
except LuaError as error:
    print(type(error).__name__, error.args)

# %% loadstring's errors
lua.eval("loadstring('x x')")
lua.eval("loadstring('x x', '=name')")

# %% errors with a file's name
lua.execute("\n\n\nerror('x')", name="@folder/script.lua")

# %% a caught error's text
fails("local ok, e = pcall(function() error('first') end) error(e, 0)")

# %% cannot change a protected metatable
fails("setmetatable(setmetatable({}, {__metatable = 1}), {})")

# %% invalid keys
fails("local t = {} t[nil] = 1")
fails("local t = {} t[0/0] = 1")
fails("next({}, 'nothing')")
