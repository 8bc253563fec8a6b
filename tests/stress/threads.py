"""Eight threads do everything at once, in runtimes of their own and in shared ones; results are checked."""

import gc
import queue
import random
import threading
import time
from collections import Counter

from lupa import LuaError, LuaInterruptedError, LuaRuntime, LuaTimeoutError, lua_type

THREADS = 8
SETUP = """
    function add(a, b) return a + b end
    function echo(...) return ... end
    function call(f, ...) return f(...) end
    function guarded(f, ...) local ok, e = pcall(f, ...) return ok, e end
    function count(n) for i = 1, n do coroutine.yield(i) end end
    function relay(f, n) for i = 1, n do coroutine.yield(f(i)) end end
    function sum(t) local s = 0 for i = 1, #t do s = s + t[i] end return s end
    function raise(e) error(e, 0) end
    function spin() while true do end end
    function garbage(n) local t for i = 1, n do t = {t and i, {}} end end
    function finalized(f) getmetatable(newproxy(true)).__gc = function() pcall(f) end end
    store = {}
"""


class Mine(Exception):
    pass


class Worker:
    """One thread: does actions on runtimes, drops what it gets in other threads."""

    def __init__(self, index, shared, graves, until, seed):
        self.index = index
        self.random = random.Random(f"{seed} {index}")
        self.shared = shared
        self.graves = graves
        self.until = until
        self.done = Counter()
        self.failures = []
        self.renew()

    def renew(self):
        self.own = LuaRuntime()
        self.own.execute(SETUP)

    def run(self):
        while time.monotonic() < self.until and not self.failures:
            shared = self.random.random() < 0.6
            lua = self.random.choice(self.shared) if shared else self.own
            action = self.random.choice(ACTIONS)
            try:
                action(self, lua)
                self.done[action.__name__] += 1
            except LuaInterruptedError:
                # Shared runtimes are interrupted at any moment.
                self.done["interrupted"] += 1
                if not shared:
                    self.failures.append(f"{action.__name__}: interrupted for no reason")
            except BaseException as error:
                self.failures.append(f"{action.__name__}: {error!r}")

    @staticmethod
    def check(truth):
        assert truth

    def bury(self, *values):
        """Let another thread drop these."""
        self.graves.put(values)


def plain_calls(w, lua):
    g = lua.globals()
    for n in range(20):
        assert g.add(n, w.index) == n + w.index
    assert g.echo(w.index, "text", None, w.index >= 0) == (w.index, "text", None, True)


def tables(w, lua):
    numbers = [w.random.randrange(1000) for _ in range(50)]
    table = lua.table_from({"n": numbers, "w": w.index}, recursive=True)
    assert lua.globals().sum(table.n) == sum(numbers) and table.w == w.index
    assert list(table.n.values()) == numbers and len(table.n) == 50
    assert sorted(map(str, table)) == ["n", "w"]
    w.bury(table, iter(table.n), table.n)


def objects(w, lua):
    thing = [w.index]
    echo = lua.globals().echo
    assert echo(thing) is thing
    lua.globals().store[w.index] = thing
    assert lua.globals().store[w.index] is thing
    lua.globals().store[w.index] = None
    w.bury(echo, thing)


def callbacks(w, lua):
    call = lua.globals().call
    assert call(lambda a, b: a * b, 6, w.index) == 6 * w.index
    assert call(lambda: call(lambda: call(lambda: w.index))) == w.index
    made = call(lambda: lua.table(w.index, lua.table(5)))
    assert made[1] == w.index and made[2][1] == 5
    w.bury(made)


def coroutines(w, lua):
    assert list(lua.globals().count.coroutine(10)) == list(range(1, 11))
    relay = lua.globals().relay.coroutine(lambda n: (n, lua.table(n))[n % 2], 6)
    values = list(relay)
    assert [v if i % 2 else v[1] for i, v in enumerate(values)] == [1, 2, 3, 4, 5, 6], values
    left = lua.globals().count.coroutine(10)
    assert next(left) == 1
    w.bury(left, values)


def exceptions(w, lua):
    error = Mine(w.index)

    def fail(*args):
        raise error

    for function in (lua.globals().call, lambda f: next(lua.globals().relay.coroutine(f, 1))):
        try:
            function(fail)
        except Mine as caught:
            w.check(caught is error)
        else:
            raise AssertionError("no exception")
    ok, caught = lua.globals().guarded(fail)
    assert (ok, caught) == (False, error)
    try:
        lua.globals()["raise"](lua.table(w.index))
    except LuaInterruptedError:
        raise
    except LuaError as caught:
        w.check(caught.value[1] == w.index)
        w.bury(caught)


def timeouts(w, lua):
    if w.random.random() < 0.98:
        return
    try:
        lua.execute("spin()", timeout=w.random.choice([0.02, 0.5]))
    except (LuaTimeoutError, LuaInterruptedError):
        assert lua_type(lua.globals()) == "table"
    else:
        raise AssertionError("not stopped")


def garbage(w, lua):
    lua.globals().garbage(w.random.choice([300, 300, 300, 30_000]))
    if w.random.random() < 0.1:
        lua.gccollect()
    if w.random.random() < 0.1:
        gc.collect()


class Finalized:
    def __init__(self, lua):
        self.kept = lua.table()
        self.lua = lua

    def __del__(self):
        self.kept = None


def finalizers(w, lua):
    lua.globals().finalized(lambda: lua.table(1)[1])
    lua.globals().echo(Finalized(lua))
    kept = [lua.table(n) for n in range(5)]
    lua.globals().call(kept.clear)


def compiling(w, lua):
    n = w.random.randrange(10**6)
    assert lua.eval(f"{n} + ...", w.index) == n + w.index
    function = lua.compile(f"local x = ... return function() return x + {n} end")(w.index)
    assert function() == n + w.index
    try:
        lua.compile("for")
    except LuaError:
        pass
    w.bury(function)


def strings(w, lua):
    text = f"ä{w.index}" * w.random.randrange(1, 2000)
    assert lua.globals().echo(text) == text
    assert lua.eval("#(...)", text) == len(text.encode())


def runtimes(w, lua):
    if w.random.random() < 0.2:
        old = w.own
        w.renew()
        if w.random.random() < 0.5:
            old.close()
        w.bury(old)


ACTIONS = [plain_calls, tables, objects, callbacks, coroutines, exceptions, timeouts, garbage, finalizers, compiling,
           strings, runtimes]  # fmt: skip


def disturb(shared, graves, until, counts):
    """Drops what the workers bury, and interrupts shared runtimes."""
    chance = random.Random(0)
    while time.monotonic() < until:
        try:
            graves.get(timeout=0.005)
            counts["dropped elsewhere"] += 1
        except queue.Empty:
            pass
        if chance.random() < 0.02:
            chance.choice(shared).interrupt()
            counts["interrupts sent"] += 1


def stress(seconds, seed):
    """Run for some seconds; what was done, and what went wrong."""
    shared = [LuaRuntime() for _ in range(3)]
    for lua in shared:
        lua.execute(SETUP)
    graves, counts = queue.Queue(), Counter()
    until = time.monotonic() + seconds
    workers = [Worker(index, shared, graves, until, seed) for index in range(THREADS)]
    threads = [threading.Thread(target=worker.run) for worker in workers]
    threads += [
        threading.Thread(target=disturb, args=(shared, graves, until, counts)) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    failures = [failure for worker in workers for failure in worker.failures]
    for worker in workers:
        counts.update(worker.done)
    for lua in shared:
        assert lua.eval("echo(...)", "usable") == "usable"
    return counts, failures
