"""LuaJIT for Python: run Lua code in Python and Python code in Lua.

>>> from lupa import LuaRuntime
>>> lua = LuaRuntime()
>>> lua.eval("1 + 1")
2
>>> apply = lua.eval("function(f, x) return f(x) end")
>>> apply(abs, -3)
3

``lupa.luajit21`` and ``lupa.lua51`` are other names for the same implementation.  On the command
line, ``python -m lupa`` is a Lua interpreter.
"""

from lupa import _global_symbols  # noqa: F401  (before anything that loads the extension)
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

# The classes of wrapped Lua objects have had names with an underscore for years, and programs
# compare `type(x).__name__` with them.  The names without one are for new code.
LuaObject = _LuaObject
LuaTable = _LuaTable
LuaFunction = _LuaFunction
LuaCoroutineFunction = _LuaCoroutineFunction
LuaThread = _LuaThread
LuaIter = _LuaIter

# The package's metadata repeats it, and a test compares the two.
__version__ = "2.9.0"

# What few programs need waits until it is asked for: each file takes time to import (see
# `python -X importtime`).  Type checkers take this for true.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from lupa import lua51 as lua51, luajit21 as luajit21, version as version
    from lupa._helpers import FastRLock, unpacks_lua_table, unpacks_lua_table_method
else:
    _MODULES = ("lua51", "luajit21", "version")
    _HELPERS = ("FastRLock", "unpacks_lua_table", "unpacks_lua_table_method")

    def __getattr__(name):
        """Give what waits without another import by the program, and keep it."""
        if name not in _MODULES and name not in _HELPERS:
            raise AttributeError(f"module 'lupa' has no attribute '{name}'")
        from importlib import import_module  # noqa: PLC0415

        module = import_module("lupa._helpers" if name in _HELPERS else f"lupa.{name}")
        value = getattr(module, name) if name in _HELPERS else module
        globals()[name] = value
        return value

    def __dir__():
        """Name what waits, too."""
        return sorted({*globals(), *_MODULES, *_HELPERS})


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
    "__version__",
    "allow_lua_module_loading",
    "as_attrgetter",
    "as_itemgetter",
    "lua_type",
    "to_python",
    "unpacks_lua_table",
    "unpacks_lua_table_method",
]


class _NothingToDo:
    """A context manager without an effect; contextlib's would have to be imported."""

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, *_: object) -> None:
        """Do nothing."""


def allow_lua_module_loading() -> _NothingToDo:
    """Surround an import of ``lupa.luajit21`` or ``lupa.lua51``, as other versions ask for.

    Binary Lua modules need the Lua C API among the symbols of the process.  Importing ``lupa`` has
    seen to that, so this has nothing left to do.
    """
    return _NothingToDo()
