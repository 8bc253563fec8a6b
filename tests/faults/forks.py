"""fork: the child's runtimes work, or say what is wrong, and end; the parent's go on."""

import multiprocessing
import os
import sys
import threading
import time
import warnings

from faults.common import LuaError, LuaRuntime, check_usable, collect, watched
from faults.foreign import kinds
from faults.registry import case

# From 3.12 on, Python warns of fork() in a process with threads; here it is the point.
warnings.simplefilter("ignore", DeprecationWarning)


def in_child(action):
    """Run something in a child; returns its exit status, as `os.waitpid` does."""
    return os.waitpid(begin_child(action), 0)[1]


def begin_child(action):
    """As `in_child`, without waiting for it; returns the child's number."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        try:
            action()
        except BaseException as error:
            print(f"in the child: {error!r}", file=sys.stderr, flush=True)
            os._exit(70)
        os._exit(0)
    return pid


def runs_endlessly(lua, stop):
    """A thread that runs Lua until it is told not to."""
    started = threading.Event()
    thread = threading.Thread(
        target=lua.execute,
        args=(
            "local started, stop = ... started() while not stop() do end",
            started.set,
            stop.is_set,
        ),
    )
    thread.start()
    started.wait()
    return thread


@case("no Lua runs: the child uses, drops and closes everything it has inherited")
def idle():
    lua = LuaRuntime()
    objects = kinds(lua)
    lua.globals().thing = watched()

    def child():
        check_usable(lua)
        assert objects["table"][1] == 1 and next(objects["coroutine"]) == 1
        threads = [threading.Thread(target=check_usable, args=(lua,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        check_usable(LuaRuntime())
        objects.clear()
        collect(lua)
        if hasattr(lua, "close"):
            lua.close()

    for _ in range(5):
        assert in_child(child) == 0
    check_usable(lua)


@case("another thread runs Lua: using that runtime in the child is an error, not a hang", new=True)
def busy():
    lua, stop = LuaRuntime(), threading.Event()
    objects = kinds(lua)
    iterator = iter(lua.table(1))
    thread = runs_endlessly(lua, stop)

    def child():
        uses = [
            lambda: lua.eval("1"),
            lambda: lua.execute(""),
            lambda: lua.globals(),
            lambda: lua.table(),
            lambda: objects["table"][1],
            lambda: objects["table"].__setitem__(1, 1),
            lambda: objects["function"](),
            lambda: next(objects["coroutine"]),
            lambda: next(iterator),
            lambda: len(objects["table"]),
            lambda: lua.gccollect(),
        ]
        for number, use in enumerate(uses):
            try:
                use()
            except LuaError:
                continue
            os._exit(number + 1)
        check_usable(LuaRuntime())

    status = in_child(child)
    stop.set()
    thread.join()
    assert status == 0
    check_usable(lua)


@case("another thread runs Lua: the child drops and closes that runtime, and exits", new=True)
def busy_and_dropped():
    lua, stop = LuaRuntime(), threading.Event()
    objects = kinds(lua)
    thread = runs_endlessly(lua, stop)

    def drop():
        objects.clear()
        check_usable(LuaRuntime())

    def close():
        try:
            lua.close()
        except LuaError:
            pass
        repr(lua), [repr(value) for value in objects.values()]

    statuses = [in_child(drop), in_child(close)]
    # A regular end of the interpreter, with all that is there.
    pid = os.fork()
    if pid == 0:
        # Not to say "ok" as well.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        stop.set()
        return
    statuses.append(os.waitpid(pid, 0)[1])
    stop.set()
    thread.join()
    assert statuses == [0, 0, 0]
    check_usable(lua)
    return


@case("fork inside a callback: the child goes on in Lua and returns through it")
def inside_a_callback():
    lua = LuaRuntime()
    me = os.getpid()

    def fork():
        sys.stdout.flush()
        return os.fork()

    for code in ["return (...)()", "local f = ... return coroutine.wrap(function() return f() end)()",
                 "local f = ... local ok, pid = pcall(f) return pid"]:  # fmt: skip
        pid = lua.execute(code, fork)
        if os.getpid() != me:
            try:
                check_usable(lua)
                check_usable(LuaRuntime())
            except BaseException as error:
                print(f"in the child: {error!r}", file=sys.stderr, flush=True)
                os._exit(70)
            os._exit(0)
        assert os.waitpid(int(pid), 0)[1] == 0
    check_usable(lua)


@case("timeouts and interrupts work in the child, which has a watchdog of its own", new=True)
def timeouts():
    lua = LuaRuntime()

    def stopped(lua):
        start = time.monotonic()
        try:
            lua.execute("while true do end", timeout=0.1)
        except TimeoutError:
            return time.monotonic() - start
        raise AssertionError

    def child():
        stopped(lua)
        threading.Timer(0.1, lua.interrupt).start()
        try:
            lua.execute("while true do end")
        except LuaError:
            pass
        assert in_child(lambda: stopped(lua) and stopped(LuaRuntime())) == 0

    stopped(lua)
    assert in_child(child) == 0
    stopped(lua)
    check_usable(lua)


def work(number):
    """In a process of a pool."""
    return LuaRuntime().eval(
        "function(n) local sum = 0 for i = 1, n do sum = sum + i end return sum end"
    )(number)


@case(
    "multiprocessing, by fork and by spawn, with runtimes in the parent",
    each={m: m for m in ("fork", "spawn")},
)
def pools(method):
    lua = LuaRuntime()
    table = lua.table(1)
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.map(work, [10, 100, 1000]) == [55, 5050, 500500]
    assert table[1] == 1
    check_usable(lua)


def use_if_possible(lua):
    """In a child: use a runtime that another thread may have had, and a new one."""
    try:
        lua.eval("1")
    except LuaError:
        pass
    check_usable(LuaRuntime())


@case("forks from eight threads that use a runtime", new=True)
def from_threads():
    lua = LuaRuntime()
    statuses = []

    def run():
        for _ in range(5):
            lua.eval("function(n) local t = {} for i = 1, n do t[i] = {} end end")(1000)
            statuses.append(in_child(lambda: use_if_possible(lua)))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) == {0}, statuses
    check_usable(lua)


@case("forks while Lua's collector lets go of objects in another thread", new=True)
def while_collected():
    lua, stop = LuaRuntime(unpack_returned_tuples=True), threading.Event()

    def objects():
        return tuple(object() for _ in range(200))

    def run():
        # As soon as the callback has returned, the other thread has the GIL.
        while not stop.is_set():
            lua.execute("local objects = ... objects() collectgarbage()", objects)

    thread = threading.Thread(target=run)
    thread.start()
    statuses = set()
    for _ in range(10):
        children = [begin_child(lambda: use_if_possible(lua)) for _ in range(30)]
        statuses.update(os.waitpid(pid, 0)[1] for pid in children)
    stop.set()
    thread.join()
    assert statuses == {0}, statuses
    check_usable(lua)
