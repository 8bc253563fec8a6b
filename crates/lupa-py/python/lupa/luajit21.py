"""LuaJIT 2.1, under the name by which programs choose it: the same objects as in ``lupa``."""

from lupa import (
    LUA_MAXINTEGER,
    LUA_MININTEGER,
    LUA_VERSION,
    LuaCoroutineFunction,
    LuaError,
    LuaFunction,
    LuaInterruptedError,
    LuaIter,
    LuaMemoryError,
    LuaObject,
    LuaRuntime,
    LuaSyntaxError,
    LuaTable,
    LuaThread,
    LuaTimeoutError,
    _LuaCoroutineFunction as _LuaCoroutineFunction,
    _LuaFunction as _LuaFunction,
    _LuaIter as _LuaIter,
    _LuaObject as _LuaObject,
    _LuaTable as _LuaTable,
    _LuaThread as _LuaThread,
    as_attrgetter,
    as_itemgetter,
    lua_type,
    to_python,
)

# They wait in `lupa` until they are asked for, and not here: CPython takes three times as long to
# look up attributes of a module that has a function `__getattr__`.
from lupa._helpers import FastRLock, unpacks_lua_table, unpacks_lua_table_method

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
