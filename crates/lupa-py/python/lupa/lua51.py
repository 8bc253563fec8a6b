"""Lua 5.1, which is the language LuaJIT speaks: the same objects as in ``lupa``."""

from lupa.luajit21 import *  # noqa: F403
from lupa.luajit21 import (
    __all__ as __all__,
    _LuaCoroutineFunction as _LuaCoroutineFunction,
    _LuaFunction as _LuaFunction,
    _LuaIter as _LuaIter,
    _LuaObject as _LuaObject,
    _LuaTable as _LuaTable,
    _LuaThread as _LuaThread,
)
