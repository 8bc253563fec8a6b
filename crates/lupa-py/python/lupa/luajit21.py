"""LuaJIT 2.1, under the name by which programs choose it: the same objects as in ``lupa``."""

from lupa._api import *  # noqa: F403
from lupa._api import __all__ as __all__
from lupa._lupa import (
    _LuaCoroutineFunction as _LuaCoroutineFunction,
    _LuaFunction as _LuaFunction,
    _LuaIter as _LuaIter,
    _LuaObject as _LuaObject,
    _LuaTable as _LuaTable,
    _LuaThread as _LuaThread,
)
