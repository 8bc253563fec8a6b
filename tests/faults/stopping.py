"""Timeouts, interrupt() and Ctrl-C stop whatever Lua code does, soon, and the runtime works on."""

import os
import signal
import threading
import time

from faults.common import LuaError, LuaRuntime, check_usable, error_of, lupa
from faults.registry import case

# How long a stop may take before it counts as broken: far above what it takes, since machines are busy.
SLACK = 5.0

ENDED = r"(ERROR in finalizer: the host has stopped it\n?)*"

ENDLESS = {
    "compiled loop": "while true do end",
    "interpreted loop": "jit.off() while true do end",
    "nested loops": "while true do for i = 1, 100 do for j = 1, 100 do local x = i * j end end end",
    "calls": "local function f(x) return x end while true do f(1) end",
    "garbage": "while true do local t = {{}, function() end} end",
    "strings": "while true do local s = ('x'):rep(100) .. tostring({}) end",
    "pcall": "while true do pcall(function() while true do end end) end",
    "pcall of pcall": "local function f() pcall(f) end while true do pcall(f) end",
    "pcall of errors": "while true do pcall(error, 'x') end",
    "xpcall": "while true do xpcall(function() while true do end end, function(e) return e end) end",
    "handler that loops": "xpcall(function() while true do end end, function(e) while true do end end)",
    "handler that calls itself": "local function h() xpcall(error, h) while true do end end xpcall(function() while true do end end, h)",
    "coroutine": "coroutine.wrap(function() while true do end end)()",
    "coroutines that resume": "local function f() while true do coroutine.yield() end end local g = coroutine.wrap(f) while true do g() end",
    "coroutines that swallow": "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
    "metamethods": "local t = setmetatable({}, {__index = function(t, k) return k end}) while true do local x = t[1] end",
    "sort": "table.sort({3, 2, 1, 5, 4}, function(a, b) while true do end end)",
    "gsub": "('abc'):gsub('.', function() while true do end end)",
    "load": "load(function() while true do end end)",
    "hooks": "debug.sethook(function() end, 'c') while true do end",
    "hooks taken away": "while true do debug.sethook() end",
    "callbacks": "local len = python.builtins.len while true do len('abc') end",
    "Lua in callbacks": "nested(function() while true do end end)",
    "pcall around Lua in callbacks": "while true do pcall(nested, function() while true do end end) end",
    "Python catches what stops Lua in callbacks": "while true do caught(function() while true do end end) end",
    "coroutines of callbacks": "while true do pcall(resumed, function() while true do end end) end",
    "Python errors caught": "while true do pcall(fails) end",
    "FFI": "local ffi = require('ffi') while true do local x = ffi.new('int[4]') x[0] = 1 end",
    "iteration over Python": "for x in python.iter(forever()) do end",
    "sort by Python": "while true do table.sort({3, 2, 1}, function(a, b) return less(a, b) end) end",
    "finalizers": "while true do getmetatable(newproxy(true)).__gc = function() end collectgarbage() end",
    "finalizer that loops": "getmetatable(newproxy(true)).__gc = function() while true do pcall(error) end end collectgarbage()",
    "thousand finalizers that loop": "collectgarbage('stop') for i = 1, 1000 do getmetatable(newproxy(true)).__gc = function() while true do end end end collectgarbage()",
}  # fmt: skip


def forever():
    while True:
        yield 1


def catching(function):
    try:
        function()
    except LuaError:
        pass


def runtime(**options):
    lua = LuaRuntime(**options)
    g = lua.globals()
    g.nested = lua.eval("python.as_function")(lambda f: f())
    g.resumed = lua.eval("python.as_function")(lambda f: list(f.coroutine()))
    g.caught = catching
    g.fails = lambda: {}["x"]
    g.less = lambda a, b: a < b
    g.forever = forever
    return lua


class Watch:
    """Measures how long after the moment it was meant to come a stop has come."""

    def __init__(self, delay):
        self.due = time.monotonic() + delay

    def note(self):
        late = time.monotonic() - self.due
        assert late < SLACK, f"{late:.2f} s late"
        return f"{max(late, 0):.2f} s"


@case("a timeout of the call stops it", new=True, each=ENDLESS, stderr=ENDED)
def timeout(code):
    lua = runtime()
    watch = Watch(0.1)
    assert isinstance(error_of(lua.execute, code, timeout=0.1), lupa.LuaTimeoutError)
    note = watch.note()
    check_usable(lua)
    return note


@case("interrupt() from another thread stops it", new=True, rows=ENDLESS, stderr=ENDED)
def interrupt(code):
    lua = runtime()
    started = threading.Event()
    lua.globals().started = started.set
    outcome, watch = [], Watch(0)

    def work():
        outcome.append(error_of(lua.execute, "started(); " + code))
        outcome.append(watch.note())

    thread = threading.Thread(target=work)
    thread.start()
    started.wait()
    time.sleep(0.05)
    watch = Watch(0)
    lua.interrupt()
    thread.join()
    assert type(outcome[0]) is lupa.LuaInterruptedError, repr(outcome[0])
    check_usable(lua)
    return outcome[1]


@case("a SIGINT stops it with KeyboardInterrupt", new=True, rows=ENDLESS, stderr=ENDED)
def ctrl_c(code):
    lua = runtime()

    def press():
        nonlocal watch
        time.sleep(0.1)
        watch = Watch(0)
        os.kill(os.getpid(), signal.SIGINT)

    watch = Watch(0)
    thread = threading.Thread(target=press)
    lua.globals().start = thread.start
    error = error_of(lua.execute, "start(); " + code)
    assert type(error) is KeyboardInterrupt, repr(error)
    note = watch.note()
    thread.join()
    check_usable(lua)
    return note


@case("a runtime's timeout holds for every entry point", new=True)
def of_the_runtime():
    lua = runtime(timeout=0.1)
    spin = lua.eval("function() while true do end end")
    table = lua.eval(
        "function(f) return setmetatable({}, {__index = f, __newindex = f, __call = f, __tostring = f}) end"
    )(spin)
    proxy = lua.eval("function(f) local p = newproxy(true) getmetatable(p).__len = f return p end")(
        spin
    )
    lua.execute("package.preload.endless = ...", spin)
    latest = []
    for use in [
        spin,
        lambda: lua.execute("while true do end"),
        lambda: lua.eval("(function() while true do end end)()"),
        lambda: table.x,
        lambda: setattr(table, "x", 1),
        lambda: table(),
        lambda: str(table),
        lambda: lua.eval("#(...)", proxy),
        lambda: next(spin.coroutine()),
        lambda: lua.require("endless"),
        lambda: lua.table_from(lua.eval("...", (spin() for _ in "x"))),
        lambda: lua.compile("while true do end")(),
    ]:
        watch = Watch(0.1)
        assert isinstance(error_of(use), lupa.LuaTimeoutError)
        latest.append(watch.note())
    check_usable(lua)
    return max(latest)


@case("what ends in time is not stopped, and a stop hits its own call only", new=True)
def not_stopped():
    lua = runtime(timeout=1.0)
    lua.globals().now = time.monotonic
    busy = lua.eval(
        "function(s) local stop = now() + s while now() < stop do for i = 1, 1e4 do end end return s end"
    )
    for _ in range(12):
        assert busy(0.1) == 0.1
    assert lua.execute("return ...", 5, timeout=30) == 5
    lua.interrupt()
    assert busy(0.15) == 0.15
    other, done = runtime(), []
    thread = threading.Thread(target=lambda: done.append(busy(0.4)))
    thread.start()
    other.interrupt()
    assert isinstance(
        error_of(other.execute, "while true do end", timeout=0.1), lupa.LuaTimeoutError
    )
    thread.join()
    assert done == [0.4]
    check_usable(lua)


@case("an inner timeout is the inner call's, an outer one everybody's", new=True)
def nested():
    lua = runtime()
    errors = []

    def inner(limit):
        try:
            lua.execute("while true do end", timeout=limit)
        except lupa.LuaTimeoutError as error:
            errors.append(error)
        return "caught"

    assert lua.execute("return (...)(0.1)", inner, timeout=30) == "caught"
    assert len(errors) == 1
    watch = Watch(0.2)
    error = error_of(lua.execute, "while true do pcall(..., 30) end", inner, timeout=0.2)
    assert isinstance(error, lupa.LuaTimeoutError)
    note = watch.note()
    check_usable(lua)
    return note


@case("eight threads are stopped at once, by timeouts and interrupts", new=True, stderr=ENDED)
def threads():
    lateness, wrong = [], []

    def work(index):
        lua = runtime()
        for code in list(ENDLESS.values())[index::8]:
            watch = Watch(0.2)
            if index % 2:
                timer = threading.Timer(0.2, lua.interrupt)
                timer.start()
                error = error_of(lua.execute, code)
                timer.join()
            else:
                error = error_of(lua.execute, code, timeout=0.2)
            if not isinstance(error, (lupa.LuaInterruptedError, lupa.LuaTimeoutError)):
                wrong.append(error)
            lateness.append(watch.note())
        check_usable(lua)

    workers = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong and len(lateness) == len(ENDLESS), wrong
    return max(lateness)


@case("a hundred interrupts, at any moment: each ends a call or hits none", new=True)
def many_interrupts():
    lua = runtime()
    stop = threading.Event()

    def interrupts():
        while not stop.is_set():
            lua.interrupt()
            time.sleep(0.003)

    count = lua.eval("function() local n = 0 for i = 1, 1e6 do n = n + i % 7 end return n end")
    expected = count()
    thread = threading.Thread(target=interrupts)
    thread.start()
    ended, results = 0, set()
    for _ in range(100):
        try:
            results.add(count())
        except lupa.LuaInterruptedError:
            ended += 1
    stop.set()
    thread.join()
    assert results <= {expected}
    check_usable(lua)
    return f"{ended} ended"


@case("a handler of one's own for SIGINT may raise, or let it go on", new=True)
def own_handler():
    lua = runtime()
    seen = []

    def handler(number, frame):
        seen.append(number)
        if len(seen) == 2:
            raise ZeroDivisionError

    def press():
        for _ in range(2):
            time.sleep(0.3)
            os.kill(os.getpid(), signal.SIGINT)

    signal.signal(signal.SIGINT, handler)
    thread = threading.Thread(target=press)
    thread.start()
    assert (
        type(error_of(lua.execute, "while true do pcall(function() while true do end end) end"))
        is ZeroDivisionError
    )
    thread.join()
    assert len(seen) == 2
    check_usable(lua)


@case("a C function that cannot be stopped is followed by the stop", new=True)
def c_functions():
    lua = runtime()
    watch = Watch(0.1)
    error = error_of(lua.execute, "while true do ('a'):rep(10000):find('a*b') end", timeout=0.1)
    assert isinstance(error, lupa.LuaTimeoutError)
    note = watch.note()
    check_usable(lua)
    return note
