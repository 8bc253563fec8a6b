"""Time one operation in this process, in batches."""

from __future__ import annotations

import gc
import textwrap
from itertools import repeat
from time import perf_counter, thread_time
from types import ModuleType
from typing import Any, Callable

from operations import Operation

# The statement stands in the loop's body, as with `timeit`: a call of a function would cost as
# much as some operations do.  Unlike there, the preparation is made once for all batches.
TEMPLATE = """
def _prepare(lupa):
    lua = lupa.LuaRuntime()
{setup}
    def _run(_times):
        _start = _clock()
        for _ in _repeat(None, _times):
{statement}
        return _clock() - _start
    return _run
"""


def prepared(operation: Operation, lupa: ModuleType) -> Callable[[int], float]:
    """What does the operation so many times and returns the seconds that it took."""
    source = TEMPLATE.format(
        setup=textwrap.indent(operation.setup, " " * 4),
        statement=textwrap.indent(operation.statement, " " * 12),
    )
    names: dict[str, Any] = {
        "_repeat": repeat,
        # The thread's own time: what other programs take meanwhile is not in it.
        "_clock": perf_counter if operation.threads else thread_time,
    }
    exec(compile(source, f"<{operation.key}>", "exec"), names)
    run: Callable[[int], float] = names["_prepare"](lupa)
    return run


class Batches:
    """An operation, prepared and warm, and the number of times that make a batch.

    A batch is long enough for the garbage collectors' work, which stays on, to be in each of them.
    """

    def __init__(self, operation: Operation, lupa: ModuleType, seconds: float) -> None:
        self._per = operation.per
        self._run = prepared(operation, lupa)
        gc.collect()
        self._times, taken = 1, self._run(1)
        while taken < seconds:
            # Aim a little beyond, and distrust a first estimate: the code warms up.
            estimate = int(self._times * seconds / taken * 1.1) if taken > 0 else self._times * 10
            self._times = max(self._times + 1, min(self._times * 10, estimate))
            taken = self._run(self._times)

    def time(self) -> float:
        """Seconds for one operation, by one batch."""
        return self._run(self._times) / self._times / self._per
