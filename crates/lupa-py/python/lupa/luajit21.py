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

# As in `lupa`, these wait until they are asked for.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from lupa import FastRLock, unpacks_lua_table, unpacks_lua_table_method
else:

    def __getattr__(name):
        """Give what waits from `lupa`, and keep it."""
        if name not in __all__:
            raise AttributeError(f"module 'lupa.luajit21' has no attribute '{name}'")
        import lupa  # noqa: PLC0415

        value = globals()[name] = getattr(lupa, name)
        return value

    def __dir__():
        """Name what waits, too."""
        return sorted({*globals(), *__all__})


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
