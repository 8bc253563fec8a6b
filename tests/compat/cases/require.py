"""require, and Lua's modules."""

# %% libraries
lua.eval("(...) == string", lua.require("string"))
lua.require("string").rep("x", 3)

# %% bytes as name
lua.require(b"math").floor(2.5)

# %% a name of a wrong type
lua.require(5)

# %% None as name
lua.require(None)

# %% ffi
lua_type(lua.require("ffi"))

# %% a module that is not there
try:
    lua.require("no_such_module")
except LuaError as error:
    print(str(error).splitlines()[:3])

# %% a preloaded module
lua.execute("package.preload.mine = function(...) return {name = ..., n = select('#', ...)} end")
lua.require("mine").name, lua.require("mine").n

# %% a module without a value
lua.execute("package.preload.mine = function() end")
lua.require("mine")

# %% a module is loaded once
lua.execute("count = 0; package.preload.mine = function() count = count + 1 return count end")
lua.require("mine"), lua.require("mine")

# %% a module whose code raises
lua.execute("package.preload.mine = function() error('not today') end")
lua.require("mine")

# %% require is gone
lua.execute("require = nil")
lua.require("string")

# %% require is something else
lua.execute("require = function(name) return name .. '!' end")
lua.require("string")

# %% require is no function
lua.execute("require = 5")
lua.require("string")

# %% a Lua file
import os
import tempfile

with tempfile.TemporaryDirectory() as folder:
    with open(os.path.join(folder, "mine.lua"), "w") as file:
        file.write("local name = ... return {name = name, twice = function(x) return 2 * x end}")
    lua.globals().package.path = os.path.join(folder, "?.lua")
    mine = lua.require("mine")
mine.name, mine.twice(21)

# %% a Lua file with a syntax error
import os
import tempfile

with tempfile.TemporaryDirectory() as folder:
    with open(os.path.join(folder, "mine.lua"), "w") as file:
        file.write("x x")
    lua.globals().package.path = os.path.join(folder, "?.lua")
    try:
        lua.require("mine")
    except LuaError as error:
        print(
            type(error).__name__,
            str(error).splitlines()[0].partition("'")[0],
            str(error).splitlines()[1].endswith("mine.lua:1: '=' expected near 'x'"),
        )

# %% package.loaded has python
lua.eval("package.loaded.python == python")
lua.eval("require('python') == python")

# %% module makes a global
lua.execute("module('mine', package.seeall) x = 5")
lua.eval("mine.x")
