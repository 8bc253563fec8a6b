"""Threads: the GIL is free while Lua runs, any thread may use any runtime, wrappers may die anywhere."""

import os
import sys
import threading

import pytest

from lupa import LuaRuntime

THREADS = 8


def in_threads(function, count=THREADS):
    """Run function(0), function(1), … in threads of their own, started together; re-raise errors."""
    results, errors = [None] * count, []
    barrier = threading.Barrier(count)

    def run(index):
        try:
            barrier.wait()
            results[index] = function(index)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


# the GIL


# Where there is one Python thread, Lua code starts with the GIL.


def test_a_thread_that_a_callback_starts_gets_the_gil(output_of):
    """Breaks (hangs) if Lua code keeps the GIL after a callback although there is another thread now."""
    code = """
        import os, threading, time
        from lupa import LuaRuntime

        ends = os.pipe()
        lua = LuaRuntime()
        read = lua.eval("function(start, fd) start() return io.open('/dev/fd/' .. fd):read() end")

        def write():
            time.sleep(0.3)
            os.write(ends[1], b"line\\n")

        def start():
            threading.Thread(target=write).start()

        print(read(start, ends[0]))
    """
    assert output_of(code) == ["line"]


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="declares Linux' functions")
def test_a_thread_that_python_does_not_know_of_gets_the_gil(output_of):
    """Breaks if Lua code that runs long keeps the GIL."""
    code = """
        import ctypes, time
        from lupa import LuaRuntime

        lua = LuaRuntime()
        called = []
        function = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(lambda _: called.append(time.monotonic()))
        address = ctypes.cast(function, ctypes.c_void_p).value
        run = lua.execute('''
            local ffi = require "ffi"
            ffi.cdef "int pthread_create(unsigned long *, void *, void *(*)(void *), void *);"
            return function(address)
                local thread = ffi.new "unsigned long[1]"
                assert(ffi.C.pthread_create(thread, nil, ffi.cast("void *(*)(void *)", address), nil) == 0)
                local start = os.clock()
                while os.clock() - start < 2 do end
            end
        ''')
        lua.execute("local start = os.clock() while os.clock() - start < 0.4 do end")  # other threads have run by now
        run(address)
        print(bool(called) and time.monotonic() - called[0] > 0.5)
    """
    assert output_of(code) == ["True"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize(
    "call",
    [
        "lua.eval('io.open(..., [[r]]):read()', path)",
        "lua.execute('return io.open(..., [[r]]):read()', path)",
        "lua.eval('function(path) return io.open(path, [[r]]):read() end')(path)",
        "next(lua.eval('function(path) coroutine.yield(io.open(path, [[r]]):read()) end').coroutine(path))",
        "lua.eval('setmetatable({}, {__index = function(t, path) return io.open(path, [[r]]):read() end})')[path]",
    ],
    ids=["eval", "execute", "call", "resume", "index"],
)
def test_the_gil_is_free_while_lua_runs(output_of, tmp_path, call):
    """Lua waits for a line that another Python thread writes."""
    path = str(tmp_path / "fifo")
    os.mkfifo(path)
    code = f"""
        import sys, threading
        from lupa import LuaRuntime

        path = sys.argv[1]
        lua = LuaRuntime()

        def write():
            with open(path, "w") as fifo:
                fifo.write("from the other thread\\n")

        thread = threading.Thread(target=write)
        thread.start()
        print({call})
        thread.join()
    """
    assert output_of(code, path) == ["from the other thread"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_waiting_runtime_does_not_stop_others(output_of, tmp_path):
    path = str(tmp_path / "fifo")
    os.mkfifo(path)
    code = """
        import sys, threading
        from lupa import LuaRuntime

        path = sys.argv[1]
        waiting, busy, seen = LuaRuntime(), LuaRuntime(), []
        read = waiting.eval("function(path) return io.open(path, 'r'):read() end")
        thread = threading.Thread(target=lambda: seen.append(read(path)))
        thread.start()
        print(sum(busy.eval("...", number) for number in range(1000)))
        print(len(busy.table_from(range(100))))
        with open(path, "w") as fifo:
            fifo.write("done\\n")
        thread.join()
        print(seen)
    """
    assert output_of(code, path) == [str(sum(range(1000))), "100", "['done']"]


def test_callbacks_run_in_the_calling_thread(lua):
    names = in_threads(
        lambda index: lua.eval("(...)()", threading.get_ident) == threading.get_ident()
    )
    assert names == [True] * THREADS


# one runtime, many threads


def test_one_runtime_from_many_threads(lua):
    lua.execute("counter = 0")
    add = lua.eval("function(n) for i = 1, n do counter = counter + 1 end return counter end")
    in_threads(lambda index: [add(100) for _ in range(100)])
    assert lua.eval("counter") == THREADS * 100 * 100


def test_errors_of_one_runtime_in_many_threads(output_of):
    """Breaks (hangs) if the value of an error is made a Python object while this thread has the GIL and waits for the runtime."""
    code = """
        import sys, threading
        from lupa import LuaError, LuaRuntime

        sys.setswitchinterval(1e-5)
        lua = LuaRuntime()
        fails, item = lua.eval("function(i) error({i}) end"), lua.eval("setmetatable({}, {__index = function(_, i) error({i}) end})")
        call = lua.eval("function(f) for i = 1, 20 do f() end end")

        def fail(operation):
            for i in range(1, 3000):
                try:
                    operation(i)
                except LuaError as error:
                    assert error.value[1] == i

        def call_back():
            for _ in range(1500):
                call(lambda: None)

        threads = [threading.Thread(target=fail, args=[operation]) for operation in (fails, item.__getitem__)]
        threads += [threading.Thread(target=call_back) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print("done")
    """
    assert output_of(code) == ["done"]


def test_calls_of_threads_do_not_mix(lua):
    echo = lua.eval("function(...) return ... end")

    def work(index):
        return all(
            echo(index, str(number), None) == (index, str(number), None) for number in range(500)
        )

    assert in_threads(work) == [True] * THREADS


def test_tables_of_one_runtime_in_many_threads(lua):
    table = lua.table()

    def work(index):
        for number in range(300):
            table[f"{index}-{number}"] = number
        return sum(table[f"{index}-{number}"] for number in range(300))

    assert in_threads(work) == [sum(range(300))] * THREADS
    assert len(list(table)) == THREADS * 300


def test_callbacks_in_many_threads(lua):
    call = lua.eval(
        "function(f, n) local sum = 0 for i = 1, n do sum = sum + f(i) end return sum end"
    )
    results = in_threads(lambda index: call(lambda value: value * index, 100))
    assert results == [5050 * index for index in range(THREADS)]


def test_callbacks_may_call_lua_in_many_threads(lua):
    call = lua.eval("function(f, x) return f(x) + 1 end")

    def work(index):
        return [
            call(lambda value: call(lambda inner: inner * 2, value), number)
            for number in range(100)
        ]

    assert in_threads(work) == [[number * 2 + 2 for number in range(100)]] * THREADS


def test_threads_that_take_a_runtime_many_times_in_a_row(lua):
    """Breaks if two threads have a runtime at once: its lock is left to the one that took it last, and goes from hand to hand."""
    lua.execute("counter = 0 function add() local n = counter counter = n + 1 end")
    add = lua.globals().add
    busy = lua.eval("function() local n = counter for i = 1, 3000 do end counter = n + 1 end")
    back = lua.eval("function(f) f() counter = counter + 1 end")

    def work(index):
        steps = 0
        for turn in range(40):
            streak = (1, 2, 4, 50, 2500)[(index + turn) % 5]
            for _ in range(streak):
                add()
            busy()
            back(add)
            steps += streak + 3
        return steps

    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        assert sum(in_threads(work)) == lua.globals().counter
    finally:
        sys.setswitchinterval(switch)


# many runtimes


def test_a_runtime_for_each_thread():
    def work(index):
        lua = LuaRuntime()
        lua.globals().index = index
        return lua.execute("local sum = 0 for i = 1, 10000 do sum = sum + index end return sum")

    assert in_threads(work) == [index * 10_000 for index in range(THREADS)]


def test_runtimes_may_be_used_where_they_were_not_made():
    runtimes = [LuaRuntime() for _ in range(THREADS)]
    functions = [lua.eval("function(x) return x * 2 end") for lua in runtimes]
    assert in_threads(lambda index: functions[index](index)) == [
        index * 2 for index in range(THREADS)
    ]


def test_runtimes_that_call_each_other():
    first, second = LuaRuntime(), LuaRuntime()
    double = second.eval("function(x) return x * 2 end")
    call = first.eval("function(f, x) return f(x) end")
    assert call(lambda x: double(x), 21) == 42


# wrappers that die in other threads


def test_wrappers_may_die_in_other_threads(lua):
    tables = [[lua.table(number) for number in range(200)] for _ in range(THREADS)]

    def work(index):
        mine = tables[index]
        while mine:
            mine.pop()
            lua.eval("1")
        return len(mine)

    assert in_threads(work) == [0] * THREADS
    lua.gccollect()
    assert lua.eval("1") == 1


def test_wrappers_may_die_while_lua_is_busy(lua):
    stop = threading.Event()
    spin = lua.eval(
        "function(stopped) local n = 0 while not stopped() do n = n + 1 end return n end"
    )
    thread = threading.Thread(target=spin, args=(stop.is_set,))
    tables = [lua.table(number) for number in range(1000)]
    functions = [lua.eval("function() end") for _ in range(100)]
    thread.start()
    tables.clear()
    functions.clear()
    stop.set()
    thread.join()
    lua.gccollect()
    assert lua.eval("1") == 1


def test_runtimes_may_die_in_other_threads():
    runtimes = [LuaRuntime() for _ in range(THREADS)]
    for lua in runtimes:
        lua.globals().thing = [lua.table()]

    def work(index):
        runtimes[index] = None
        return True

    assert in_threads(work) == [True] * THREADS


def test_objects_may_be_freed_by_lua_in_any_thread(lua):
    class Thing:
        pass

    def work(index):
        for _ in range(50):
            lua.eval("type(...)", Thing())
            lua.gccollect()
        return True

    assert in_threads(work) == [True] * THREADS


# the end of the interpreter


@pytest.mark.parametrize(
    "setup",
    [
        "lua = LuaRuntime()",
        "lua = LuaRuntime(); lua.globals().f = print",
        "table = LuaRuntime().table(1)",
        "iterator = iter(LuaRuntime().table(1)); next(iterator)",
        "lua = LuaRuntime(); co = lua.eval('function() coroutine.yield(1) end').coroutine(); next(co)",
        "lua = LuaRuntime(); lua.globals().lua = lua",
        "lua = LuaRuntime(); sys.lua = lua; sys.table = lua.table(lua, [lua.table()])",
        "lua = LuaRuntime(); lua.execute('p = newproxy(true); getmetatable(p).__gc = function() end')",
    ],
    ids=lambda setup: setup[:40],
)
def test_the_interpreter_can_end_at_any_time(output_of, setup):
    assert output_of(f"import sys\nfrom lupa import LuaRuntime\n{setup}\nprint('end')") == ["end"]


def test_the_interpreter_can_end_while_threads_wait(output_of):
    code = """
        import threading
        from lupa import LuaRuntime

        lua = LuaRuntime()
        started = threading.Event()
        lua.globals().started = started.set
        code = "started() while true do for i = 1, 1e6 do end end"
        threading.Thread(target=lua.execute, args=(code,), daemon=True).start()
        started.wait()
        print("end")
    """
    assert output_of(code) == ["end"]
