"""Added to PyPI's lupa 2.8 (design, sections 4 and 5): timeouts, interrupt() and Ctrl-C.

Each case runs in a process of its own, which a time limit ends if nothing stops the Lua code.
"""

import os

import pytest

if os.name == "nt":
    pytest.skip("needs signals", allow_module_level=True)

PRELUDE = """
import os, signal, sys, threading
import lupa
from lupa import LuaError, LuaInterruptedError, LuaRuntime, LuaTimeoutError

lua = LuaRuntime()

def class_of(function, *args, **kwargs):
    try:
        return repr(function(*args, **kwargs))
    except BaseException as error:
        return type(error).__name__

def usable(lua):
    return lua.eval("1 + 1") == 2 and lua.eval("pcall(error, 'x')") == (False, "x")
"""

# Ways of running for ever.
ENDLESS = {
    "compiled loop": "while true do end",
    "interpreted loop": "jit.off() while true do end",
    "counting": "local n = 0 while true do n = n + 1 end",
    "table accesses": "local t = {} for i = 1, math.huge do t[i % 100] = i end",
    "calls": "local function f(x) return x end while true do f(1) end",
    "string methods": "while true do ('x'):rep(10):upper() end",
    "pcall in a loop": "while true do pcall(function() while true do end end) end",
    "nested pcall": "local function f() pcall(f) end while true do pcall(f) end",
    "pcall that is compiled": "while true do pcall(error, 'x') end",
    "xpcall": "while true do xpcall(function() while true do end end, function(e) return e end) end",
    "handler that loops": "xpcall(function() while true do end end, function(e) while true do end end)",
    "in a coroutine": "coroutine.wrap(function() while true do end end)()",
    "resumes": "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
    "many coroutines": "while true do coroutine.wrap(function() coroutine.yield() end)() end",
    "metamethods": "local t = setmetatable({}, {__index = function(t, k) return t[k + 1] and 1 or 1 end, }) "
    "while true do pcall(function() return t[1] end) end",
    "in a sort": "table.sort({3, 2, 1, 5, 4}, function(a, b) while true do end end)",
    "in a gsub": "('abc'):gsub('.', function() while true do end end)",
    "recursion": "local function f(n) if n == 0 then return 0 end return f(n - 1) end while true do f(100) end",
    "a hook of its own": "debug.sethook(function() end, 'c') while true do end",
    "a hook set again and again": "while true do debug.sethook() end",
    "goto": "::again:: goto again",
    "python callbacks": "local len = python.builtins.len while true do len('abc') end",
    # Not int('x'): CPython drops a KeyboardInterrupt that comes while it makes the message (a repr).
    "caught python errors": "local f = python.builtins.len while true do pcall(f, 1) end",
}


@pytest.fixture
def run(output_of):
    def run(code, *args):
        import textwrap

        return output_of(PRELUDE + textwrap.dedent(code), *args)

    return run


# timeouts


@pytest.mark.parametrize("code", ENDLESS.values(), ids=ENDLESS.keys())
def test_a_timeout_ends_everything(run, code):
    assert run(
        """
        print(class_of(lua.execute, sys.argv[1], timeout=0.2))
        print(usable(lua))
    """,
        code,
    ) == ["LuaTimeoutError", "True"]


def test_the_timeout_error(run):
    assert run("""
        try:
            lua.execute("local function spin() while true do end end\\nspin()", timeout=0.2)
        except LuaTimeoutError as error:
            print(isinstance(error, LuaError), isinstance(error, TimeoutError), error.value)
            print(error)
            print(error.traceback)
        lua = LuaRuntime(timeout=0.2)
        spin = lua.eval("function()\\n while true do end end", name="=rule")
        try:
            next(spin.coroutine())
        except LuaTimeoutError as error:
            print(error)
            print(error.traceback)
    """) == [
        "True True None",
        "the time limit of the Lua code has passed",
        "stack traceback:",
        '\t[string "<python>"]:2: in main chunk',
        "\t[string \"<python>\"]:1: in function 'spin'",
        "stack traceback:",
        "\t[string \"<python>\"]:1: in function 'spin'",
        '\t[string "<python>"]:2: in main chunk',
        "the time limit of the Lua code has passed",
        "stack traceback:",
        "\trule:2: in function <rule:1>",
    ]


def test_a_timeout_for_all_calls_of_a_runtime(run):
    lines = run("""
        lua = LuaRuntime(timeout=0.2)
        function = lua.eval("function() while true do end end")
        print(class_of(lua.execute, "while true do end"), class_of(lua.eval, "(function() while true do end end)()"))
        print(class_of(function))
        print(class_of(lua.compile("while true do end")))
        print(class_of(next, function.coroutine()))
        table = lua.eval("setmetatable({}, {__index = function() while true do end end, __newindex = ..., "
                         "__tostring = ...})", function)
        print(class_of(lambda: table.x), class_of(setattr, table, "x", 1), class_of(str, table))
        print(usable(lua))
    """)
    assert lines == [
        "LuaTimeoutError LuaTimeoutError",
        *["LuaTimeoutError"] * 3,
        " ".join(["LuaTimeoutError"] * 3),
        "True",
    ]


def test_each_call_has_its_own_time(run):
    assert run("""
        import time
        lua = LuaRuntime(timeout=0.5)
        for _ in range(8):
            lua.execute("local stop = os.clock() + 0.1 while os.clock() < stop do end")
        print(usable(lua))
    """) == ["True"]


def test_a_call_s_own_timeout_overrides_the_runtime_s(run):
    assert run("""
        busy = "local stop = os.clock() + 0.5 while os.clock() < stop do end return 'done'"
        lua = LuaRuntime(timeout=0.1)
        print(class_of(lua.execute, busy), class_of(lua.execute, busy, timeout=30))
    """) == ["LuaTimeoutError 'done'"]


def test_code_that_ends_in_time(run):
    assert run("""
        print(lua.eval("1 + 1", timeout=30), lua.execute("return ...", 5, timeout=30), lua.eval("1", timeout=None))
        print(class_of(lua.eval, "error('own')", timeout=30))
    """) == ["2 5 1", "LuaError"]


def test_the_timeout_of_an_outer_call_holds_for_inner_ones(run):
    assert run("""
        def inner():
            lua.execute("while true do end")

        print(class_of(lua.execute, "(...)()", inner, timeout=0.2))
        print(class_of(lua.execute, "pcall(...) while true do end", inner, timeout=0.2))
        print(usable(lua))
    """) == ["LuaTimeoutError", "LuaTimeoutError", "True"]


def test_an_inner_timeout_can_be_caught(run):
    assert run("""
        def inner():
            return class_of(lua.execute, "while true do end", timeout=0.2)

        print(lua.execute("return (...)() .. '!'", inner, timeout=60))
    """) == ["LuaTimeoutError!"]


def test_timeouts_in_other_threads(run):
    assert run("""
        results = []
        def work():
            own = LuaRuntime()
            results.append(class_of(own.execute, "while true do end", timeout=0.2))
            results.append(usable(own))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(sorted(map(str, results)))
    """) == [str(["LuaTimeoutError"] * 4 + ["True"] * 4)]


def test_a_hook_of_lua_s_own_is_put_back(run):
    assert run("""
        lua.execute("calls = 0 function hook() calls = calls + 1 end debug.sethook(hook, 'c')")
        print(class_of(lua.execute, "while true do end", timeout=0.2))
        print(lua.eval("debug.gethook() == hook"))
    """) == ["LuaTimeoutError", "True"]


@pytest.mark.parametrize("timeout", ["'x'", "-1", "float('nan')"])
def test_timeouts_that_make_no_sense(run, timeout):
    lines = run(f"""
        print(class_of(lua.eval, "1", timeout={timeout}))
        print(class_of(LuaRuntime, timeout={timeout}))
    """)
    assert set(lines) <= {"TypeError", "ValueError"}


# interrupt()


@pytest.mark.parametrize(
    "name", ["compiled loop", "pcall in a loop", "resumes", "handler that loops", "in a gsub"]
)
def test_interrupt_from_another_thread(run, name):
    assert run(
        """
        started = threading.Event()
        lua.globals().started = started.set
        results = []

        def work():
            results.append(class_of(lua.execute, "started(); " + sys.argv[1]))

        thread = threading.Thread(target=work)
        thread.start()
        started.wait()
        print(lua.interrupt())
        thread.join()
        print(results, usable(lua))
    """,
        ENDLESS[name],
    ) == ["None", "['LuaInterruptedError'] True"]


def test_interrupt_of_the_main_thread(run):
    assert run("""
        lua.globals().start = threading.Timer(0.2, lua.interrupt).start
        print(class_of(lua.execute, "start() while true do end"), usable(lua))
        print(issubclass(LuaInterruptedError, LuaError))
    """) == ["LuaInterruptedError True", "True"]


def test_interrupt_again_and_again(run):
    assert run("""
        started, results = threading.Semaphore(0), []
        lua.globals().started = started.release

        def work():
            for _ in range(20):
                results.append(class_of(lua.execute, "started() while true do end"))

        thread = threading.Thread(target=work)
        thread.start()
        for _ in range(20):
            started.acquire()
            lua.interrupt()
        thread.join()
        print(set(results), len(results), usable(lua))
    """) == ["{'LuaInterruptedError'} 20 True"]


def test_interrupt_without_a_call_does_nothing(run):
    assert run("""
        lua.interrupt()
        print(usable(lua), lua.execute("local n = 0 for i = 1, 1e6 do n = n + i end return n"))
    """) == [f"True {sum(range(1, 10**6 + 1))}"]


def test_interrupt_touches_no_other_runtime(run):
    assert run("""
        other, started, stop, results = LuaRuntime(), threading.Event(), threading.Event(), []

        def work():
            results.append(class_of(other.execute, "local started, stopped = ... started() "
                                    "while not stopped() do end return 'done'", started.set, stop.is_set))

        thread = threading.Thread(target=work)
        thread.start()
        started.wait()
        lua.interrupt()
        stop.set()
        thread.join()
        print(results)
    """) == ["[\"'done'\"]"]


# Ctrl-C


@pytest.mark.parametrize(
    "name",
    [
        "compiled loop",
        "interpreted loop",
        "pcall in a loop",
        "in a coroutine",
        "resumes",
        "handler that loops",
        "python callbacks",
        "caught python errors",
    ],
)
def test_ctrl_c_stops_lua(run, name):
    assert run(
        """
        def press():
            threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()

        lua.globals().press = press
        print(class_of(lua.execute, "press(); " + sys.argv[1]))
        print(usable(lua))
    """,
        ENDLESS[name],
    ) == ["KeyboardInterrupt", "True"]


def test_ctrl_c_with_a_handler_of_one_s_own(run):
    assert run("""
        seen = []

        def handler(number, frame):
            seen.append(number)
            if len(seen) == 2:
                raise ZeroDivisionError

        def press():
            for delay in (0.2, 0.6):
                threading.Timer(delay, os.kill, (os.getpid(), signal.SIGUSR1)).start()

        signal.signal(signal.SIGUSR1, handler)
        lua.globals().press = press
        print(class_of(lua.execute, "press() while true do end"))
        print(len(seen), usable(lua))
    """) == ["ZeroDivisionError", "2 True"]


def test_ctrl_c_is_not_lost_for_python(run):
    assert run("""
        import time

        def press_and_wait():
            os.kill(os.getpid(), signal.SIGINT)
            for _ in range(600):
                time.sleep(0.1)

        print(class_of(lua.execute, "pcall(...)", press_and_wait))
        print(usable(lua))
    """) == ["KeyboardInterrupt", "True"]


@pytest.mark.parametrize(
    "how", ["lua.close()", "lua.gccollect()", "lua.execute('collectgarbage() collectgarbage()')"]
)
def test_the_exception_of_ctrl_c_may_be_collected_without_the_gil(run, how):
    """Breaks (aborts) if Lua's collector drops a Python object there."""
    assert run(f"""
        import threading

        # With another thread Lua code runs without the GIL.
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        for _ in range(3):
            threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGINT]).start()
            print(class_of(lua.execute, "while true do end"))
        {how}
        print("went on")
    """) == ["KeyboardInterrupt"] * 3 + ["went on"]
