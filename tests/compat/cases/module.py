"""The package, its modules and classes."""

import lupa

# %% names of the module
sorted(set(luajit21.__all__) - {"unpacks_lua_table", "unpacks_lua_table_method"})

# %% the names in all are there
all(hasattr(luajit21, name) for name in luajit21.__all__)

# %% the module's name
luajit21.__name__
lupa.__name__

# %% version constants
luajit21.LUA_VERSION

# %% integer bounds
luajit21.LUA_MAXINTEGER
luajit21.LUA_MININTEGER

# %% the lupa module has the classes
[
    name
    for name in [
        "LuaRuntime",
        "LuaError",
        "LuaSyntaxError",
        "LuaMemoryError",
        "as_attrgetter",
        "as_itemgetter",
        "lua_type",
        "unpacks_lua_table",
        "unpacks_lua_table_method",
        "LUA_VERSION",
        "LUA_MAXINTEGER",
        "LUA_MININTEGER",
        "FastRLock",
        "allow_lua_module_loading",
    ]
    if not hasattr(lupa, name)
]

# %% the version of the package
lupa.__version__.split(".")[0]
type(lupa.__version__)

# %% LuaRuntime as a class
luajit21.LuaRuntime
luajit21.LuaRuntime.__name__, luajit21.LuaRuntime.__module__, luajit21.LuaRuntime.__qualname__

# %% exception classes
[luajit21.LuaError, luajit21.LuaSyntaxError, luajit21.LuaMemoryError]
[c.__mro__ for c in [luajit21.LuaError, luajit21.LuaSyntaxError, luajit21.LuaMemoryError]]

# %% exceptions can be made
luajit21.LuaError("x"), luajit21.LuaSyntaxError("x", 1), luajit21.LuaMemoryError()
str(luajit21.LuaError("x")), luajit21.LuaError("x", 2).args

# %% exceptions pickle
import pickle

pickle.loads(pickle.dumps(luajit21.LuaError("text")))
pickle.loads(pickle.dumps(luajit21.LuaMemoryError("text")))

# %% classes of wrapped objects
type(lua.eval("{}"))
type(lua.eval("print"))
type(lua.eval("function() end"))
type(lua.eval("coroutine.create(function() end)"))
type(lua.eval("(function() end)").coroutine())
type(lua.eval("io.stdout"))
type(iter(lua.eval("{}")))

# %% bases of classes of wrapped objects
[c.__name__ for c in type(lua.eval("{}")).__mro__]
[c.__name__ for c in type(lua.eval("print")).__mro__]
[c.__name__ for c in type(lua.eval("coroutine.create(function() end)")).__mro__]
[c.__name__ for c in type(lua.eval("(function() end)").coroutine()).__mro__]
[c.__name__ for c in type(lua.eval("io.stdout")).__mro__]
[c.__name__ for c in type(iter(lua.eval("{}"))).__mro__]

# %% wrapped classes cannot be instantiated
type(lua.eval("{}"))()

# %% function class cannot be instantiated
type(lua.eval("print"))()

# %% object class cannot be instantiated
type(lua.eval("io.stdout"))()

# %% protocol wrapper
type(luajit21.as_attrgetter(1))
type(luajit21.as_itemgetter({}))
type(luajit21.as_attrgetter(1))()

# %% final classes
type("Sub", (type(lua.eval("{}")),), {})


# %% the runtime can be subclassed
class Mine(LuaRuntime):
    extra = 1


Mine().eval("1 + 1"), Mine().extra


# %% a subclass with its own init
class Mine(LuaRuntime):
    def __init__(self, *args, **kwargs):
        super().__init__()
        self.mine = args


Mine("UTF-8").mine
Mine("UTF-8", None, register_eval=False).eval("python.eval")

# %% attributes of a runtime
lua.something = 1

# %% repr of a runtime
lua
str(lua)

# %% lua_version
lua.lua_version

# %% lua_version is read only
lua.lua_version = (5, 4)

# %% lua_implementation
lua.lua_implementation[:10]

# %% the Lua globals about the version
lua.eval("_VERSION")
lua.eval("jit.version_num > 20100")

# %% lua_type
[lua_type(lua.eval(code)) for code in ["{}", "print", "function() end", "io.stdout"]]
lua_type(lua.eval("function() end").coroutine())
lua_type(lua.eval("coroutine.create(function() end)"))

# %% lua_type of Python's objects
[lua_type(obj) for obj in [None, 1, "x", b"x", {}, [], int, len, lua]]

# %% lua_type of cdata
lua_type(lua.eval("require('ffi').new('int[2]')"))

# %% lua_type of newproxy
lua_type(lua.eval("newproxy(true)"))

# %% lua_type without arguments
try:
    lua_type()
except TypeError:
    print("TypeError")

# %% public methods of a runtime
[name for name in dir(LuaRuntime) if not name.startswith("_")]

# %% public methods of a table
[name for name in dir(lua.table()) if not name.startswith("_")]

# %% public methods of a coroutine
[name for name in dir(lua.eval("function() end").coroutine()) if not name.startswith("_")]

# %% public methods of a function
[name for name in dir(lua.eval("print")) if not name.startswith("_")]

# %% classes have docstrings
[bool(cls.__doc__) for cls in [LuaRuntime, LuaError, LuaSyntaxError, LuaMemoryError]]
[
    bool(getattr(LuaRuntime, name).__doc__)
    for name in ["eval", "execute", "compile", "require", "globals", "table", "table_from"]
]

# %% lua51 is a module
from lupa import lua51

lua51.LuaRuntime().lua_version

# %% lua51 is LuaJIT
from lupa import lua51

lua51.LuaRuntime().eval("jit ~= nil")

# %% lua54 is another Lua
from lupa import lua54

# %% lua53 is another Lua
import lupa.lua53

# %% luajit20 is another Lua
import lupa.luajit20

# %% a module that never was
import lupa.lua99

# %% the default is LuaJIT
lupa.LuaRuntime is luajit21.LuaRuntime

# %% allow_lua_module_loading
with lupa.allow_lua_module_loading() as value:
    print("inside", value)

# %% FastRLock belongs to the module
luajit21.FastRLock

# %% what the tool made of __getattr__
hasattr(lua.table(), "__getattr__")

# %% what the tool made of methods
type(lua.eval).__name__, type(lua.table().keys).__name__

# %% signatures
import inspect

inspect.signature(LuaRuntime.eval)
inspect.signature(LuaRuntime.table_from)
