"""A lock, and decorators for functions that Lua calls by ``f{1, 2, key=3}``.

Other versions have them in their extension.  They share a file, since each takes time to import.
"""

# What `threading` calls RLock: that module is slow to import (see `python -X importtime`).
from _thread import RLock

from lupa._lupa import _LuaTable, _source_encoding

# `typing` is slow to import (see `python -X importtime`), and so are `__future__`, for annotations
# without quotes, and `functools` below.  Type checkers take this for true.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, TypeVar

    _R = TypeVar("_R")


def unpacks_lua_table(func: "Callable[..., _R]") -> "Callable[..., _R]":
    """Let Lua code call ``func`` with named arguments.

    A decorated function that is called with one Lua table and nothing else gets the table's
    sequence as positional arguments and its string keys as keyword arguments.  So Lua code can
    write ``func(1, 2)``, ``func{1, 2}``, ``func{1, b=2}`` or ``func{a=1, b=2}``.  Other calls pass
    through unchanged.

    Do not use it for functions whose only argument may be a Lua table meant as such.  A ``nil`` in
    a table is a key that is not there, so use ``python.none`` to pass None.
    """
    from functools import wraps  # noqa: PLC0415

    @wraps(func)
    def wrapper(*args: "Any") -> "_R":
        positional, named = _split_arguments(args)
        return func(*positional, **named)

    return wrapper


def unpacks_lua_table_method(meth: "Callable[..., _R]") -> "Callable[..., _R]":
    """Do for methods what :func:`unpacks_lua_table` does for functions: ``self`` stays in front."""
    from functools import wraps  # noqa: PLC0415

    @wraps(meth)
    def wrapper(self: "Any", *args: "Any") -> "_R":
        positional, named = _split_arguments(args)
        return meth(self, *positional, **named)

    return wrapper


def _split_arguments(args: "tuple[Any, ...]") -> "tuple[tuple[Any, ...], dict[str, Any]]":
    """Return the positional and the named arguments that a call with ``args`` stands for."""
    if len(args) != 1 or not isinstance(args[0], _LuaTable):
        return args, {}

    table = args[0]
    length = len(table)
    # Keys come in any order, and what Lua counts as a sequence may have holes: they become None.
    positional: list[Any] = [None] * length
    named: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(key, str):
            named[key] = value
        elif isinstance(key, bytes):
            # A runtime with encoding=None hands out bytes; Python's argument names are text.
            named[key.decode(_source_encoding(table))] = value
        elif isinstance(key, int) and not isinstance(key, bool):
            if not 1 <= key <= length:
                raise IndexError("table index out of range")
            positional[key - 1] = value
        else:
            raise TypeError("table key is neither an integer nor a string")
    return tuple(positional), named


# Their names as programs know them.
unpacks_lua_table.__module__ = unpacks_lua_table_method.__module__ = "lupa.luajit21"


class FastRLock:
    """A re-entrant lock: the thread that holds it can take it again.

    It is free again when it was released as often as it was acquired.  It is a context manager.
    """

    __slots__ = ("__weakref__", "_lock")

    def __init__(self) -> None:
        self._lock = RLock()

    def acquire(self, blocking: bool = True) -> bool:
        """Take the lock; without ``blocking``, return False rather than wait for it."""
        return self._lock.acquire(bool(blocking))

    def release(self) -> None:
        """Give the lock back once.  RuntimeError if this thread does not hold it."""
        self._lock.release()

    def __enter__(self) -> bool:
        return self._lock.acquire()

    def __exit__(self, t: object, v: object, tb: object) -> None:
        self._lock.release()

    def _is_owned(self) -> bool:
        return self._lock._is_owned()  # type: ignore[attr-defined, no-any-return]


# Its name as programs know it.
FastRLock.__module__ = "lupa.luajit21"
