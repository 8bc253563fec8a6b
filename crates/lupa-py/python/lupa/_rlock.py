"""A re-entrant lock with the interface of the one that other versions of this package have."""

# What `threading` calls RLock: that module is slow to import (see `python -X importtime`).
from _thread import RLock


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
