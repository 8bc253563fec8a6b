"""What is measured otherwise than by repeating a statement; each runs in a fresh process."""

from __future__ import annotations

import gc
import sys
import threading
from itertools import repeat
from pathlib import Path
from statistics import median
from time import perf_counter, thread_time
from types import ModuleType
from typing import Any, Callable

# Title, function, its options, and how the report shows the number.
EXPERIMENTS: list[tuple[str, str, dict[str, Any], str]] = [
    ("memory of a runtime", "memory_of_a_runtime", {}, "bytes"),
    ("memory of a Lua table that Python holds", "memory_of_a_wrapper", {}, "bytes"),
    ("memory of a Python object that Lua holds", "memory_of_a_wrapped_object", {}, "bytes"),
    ("Mandelbrot demo, 1 thread", "mandelbrot", {"threads": 1}, "seconds"),
    ("Mandelbrot demo, 2 threads", "mandelbrot", {"threads": 2}, "seconds"),
    (
        "8 threads, 10,000 calls each, 8 runtimes",
        "calls_from_threads",
        {"runtimes": 8},
        "seconds",
    ),
    (
        "8 threads, 10,000 calls each, 1 runtime",
        "calls_from_threads",
        {"runtimes": 1},
        "seconds",
    ),
]

SIZES = [10**power for power in (3, 4, 5, 6)]


# --- memory -----------------------------------------------------------------------------------


def own_bytes() -> int:
    """What the process has in memory that is its own, which files are not.

    The kernel walks its pages for that; the counts in statm may be off by a quarter of a megabyte.
    """
    with open("/proc/self/smaps_rollup") as rollup:
        sizes = dict(line.split(":", 1) for line in list(rollup)[1:])
    return int(sizes["Anonymous"].removesuffix("kB\n")) * 1024


def bytes_each(count: int, make: Callable[[int], Any]) -> float:
    """Bytes that each of so many things takes; what `make` returns keeps them alive."""
    warm = make(count // 100)
    gc.collect()
    before = own_bytes()
    kept = make(count)
    gc.collect()
    each = (own_bytes() - before) / count
    del kept, warm
    return each


def memory_of_a_runtime(lupa: ModuleType) -> float:
    return bytes_each(1000, lambda count: [lupa.LuaRuntime() for _ in range(count)])


def memory_of_a_wrapper(lupa: ModuleType) -> float:
    """A Lua table in Python, the table included."""
    new = lupa.LuaRuntime().eval("function() return {} end")
    return bytes_each(100_000, lambda count: [new() for _ in range(count)])


def memory_of_a_wrapped_object(lupa: ModuleType) -> float:
    """A Python object in Lua, the object not included, its place in a Lua table included."""
    lua = lupa.LuaRuntime()
    keep = lua.eval("function(t, i, o) t[i] = o end")
    objects = [object() for _ in range(100_000)]

    def make(count: int) -> Any:
        table = lua.table()
        for index in range(count):
            keep(table, index + 1, objects[index])
        return table

    return bytes_each(100_000, make)


# --- growth -----------------------------------------------------------------------------------


def growth(lupa: ModuleType, what: str, size: int) -> float:
    """Seconds an item of so many."""
    return GROWTH[what](lupa, size) / size


def timed(function: Callable[[], Any]) -> float:
    """Seconds that it takes to make what the function returns, not to drop it."""
    gc.collect()
    start = thread_time()
    kept = function()
    seconds = thread_time() - start
    del kept
    return seconds


def convert_a_list(lupa: ModuleType, size: int) -> float:
    lua, numbers = lupa.LuaRuntime(), list(range(size))
    return timed(lambda: lua.table_from(numbers))


def convert_a_dict(lupa: ModuleType, size: int) -> float:
    lua, names = lupa.LuaRuntime(), {f"name {i}": i for i in range(size)}
    return timed(lambda: lua.table_from(names))


def iterate(lupa: ModuleType, size: int) -> float:
    items = lupa.LuaRuntime().table_from(range(size)).items

    def run() -> None:
        for _ in items():
            pass

    return timed(run)


def live_handles(lupa: ModuleType, size: int) -> float:
    new = lupa.LuaRuntime().eval("function() return {} end")
    return timed(lambda: [new() for _ in repeat(None, size)])


def wrapped_objects(lupa: ModuleType, size: int) -> float:
    lua, objects = lupa.LuaRuntime(), [object() for _ in range(size)]
    return timed(lambda: lua.table_from(objects))


GROWTH: dict[str, Callable[[ModuleType, int], float]] = {
    "table_from(list)": convert_a_list,
    "table_from(dict)": convert_a_dict,
    "items()": iterate,
    "live handles": live_handles,
    "wrapped objects": wrapped_objects,
}

# --- threads ----------------------------------------------------------------------------------


def seconds_together(works: list[Callable[[], Any]]) -> float:
    """Seconds that threads take which begin at the same time, to the end of the last."""
    starts: list[float] = []
    barrier = threading.Barrier(len(works), action=lambda: starts.append(perf_counter()))

    def begin(work: Callable[[], Any]) -> None:
        barrier.wait()
        work()

    threads = [threading.Thread(target=begin, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return perf_counter() - starts[0]


def mandelbrot(lupa: ModuleType, threads: int) -> float:
    """Seconds of the picture of examples/mandelbrot.py, by so many threads."""
    sys.path.append(str(Path(__file__).parents[2] / "examples"))
    import mandelbrot  # noqa: PLC0415  (the others need no Pillow)

    mandelbrot.LuaRuntime = lupa.LuaRuntime
    return min(mandelbrot.render(threads)[1] for _ in range(3))


def calls_from_threads(lupa: ModuleType, runtimes: int) -> float:
    """Seconds of 10,000 short calls from each of eight threads, on eight runtimes or on one.

    The middle of some turns: how often threads wait for each other is up to the system.
    """
    luas = [lupa.LuaRuntime() for _ in range(runtimes)]
    functions = [lua.eval("function(a) return a end") for lua in luas]

    def work(function: Any) -> Callable[[], None]:
        def run() -> None:
            for _ in repeat(None, 10_000):
                function(1)

        return run

    works = [work(functions[i % runtimes]) for i in range(8)]
    return median(seconds_together(works) for _ in range(7))
