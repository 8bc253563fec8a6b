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
from lupa._api import *  # noqa: F403
from lupa._lupa import (
    _LuaCoroutineFunction as _LuaCoroutineFunction,
    _LuaFunction as _LuaFunction,
    _LuaIter as _LuaIter,
    _LuaObject as _LuaObject,
    _LuaTable as _LuaTable,
    _LuaThread as _LuaThread,
)

# The package's metadata repeats it, and a test compares the two.
__version__ = "2.9.0"

# What is slow to import (see `python -X importtime`) waits until it is asked for.  Type checkers
# take this for true.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from lupa import lua51 as lua51, luajit21 as luajit21, version as version
else:
    _MODULES = ("lua51", "luajit21", "version")

    def __getattr__(name):
        """Give the modules that are there as attributes without another import."""
        if name in _MODULES:
            from importlib import import_module  # noqa: PLC0415

            return import_module(f"lupa.{name}")
        raise AttributeError(f"module 'lupa' has no attribute '{name}'")

    def __dir__():
        """Name these modules, too, before they are asked for."""
        return sorted({*globals(), *_MODULES})


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
