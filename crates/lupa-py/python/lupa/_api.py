"""Everything public, gathered once; ``lupa``, ``lupa.luajit21`` and ``lupa.lua51`` show it."""

from lupa._lupa import (
    LUA_MAXINTEGER,
    LUA_MININTEGER,
    LUA_VERSION,
    LuaError,
    LuaInterruptedError,
    LuaMemoryError,
    LuaRuntime,
    LuaSyntaxError,
    LuaTimeoutError,
    _LuaCoroutineFunction,
    _LuaFunction,
    _LuaIter,
    _LuaObject,
    _LuaTable,
    _LuaThread,
    as_attrgetter,
    as_itemgetter,
    lua_type,
    to_python,
)
from lupa._rlock import FastRLock
from lupa._unpack import unpacks_lua_table, unpacks_lua_table_method

# The classes of wrapped Lua objects have had names with an underscore for years, and programs
# compare `type(x).__name__` with them.  The names without one are for new code.
LuaObject = _LuaObject
LuaTable = _LuaTable
LuaFunction = _LuaFunction
LuaCoroutineFunction = _LuaCoroutineFunction
LuaThread = _LuaThread
LuaIter = _LuaIter

__all__ = [
    "LUA_MAXINTEGER",
    "LUA_MININTEGER",
    "LUA_VERSION",
    "FastRLock",
    "LuaCoroutineFunction",
    "LuaError",
    "LuaFunction",
    "LuaInterruptedError",
    "LuaIter",
    "LuaMemoryError",
    "LuaObject",
    "LuaRuntime",
    "LuaSyntaxError",
    "LuaTable",
    "LuaThread",
    "LuaTimeoutError",
    "as_attrgetter",
    "as_itemgetter",
    "lua_type",
    "to_python",
    "unpacks_lua_table",
    "unpacks_lua_table_method",
]
