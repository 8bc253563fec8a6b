"""Deliberate differences (design, section 5): what ends PyPI's process ends in an exception here: coroutines, fork."""

import os

import pytest

# coroutines


def test_objects_made_in_a_coroutine_outlive_it(outcome_of):
    lines = outcome_of("""
        make = lua.eval('''function()
            coroutine.yield({name = 'table'})
            coroutine.yield(function() return 'function' end)
            coroutine.yield(coroutine.wrap(function() coroutine.yield('wrapped') end))
        end''')
        for _ in range(50):
            coroutine = make.coroutine()
            table, function, wrapped = coroutine
            iterator = table.items()
            del coroutine
            lua.gccollect()
            for _ in range(100):
                lua.table()
            lua.gccollect()
            assert table.name == "table" and function() == "function" and wrapped() == "wrapped"
            assert list(iterator) == [("name", "table")] and len(table) == 0
            table.name = 5
            del table, function
        print("done")
    """)
    assert lines == ["done"]


def test_arguments_of_callbacks_in_a_coroutine_outlive_it(outcome_of):
    lines = outcome_of("""
        kept = []
        list(lua.eval("function(f) for i = 1, 100 do f({i}, function() return i end) end end").coroutine(
            lambda *args: kept.append(args)))
        lua.gccollect()
        print(sum(table[1] + function() for table, function in kept))
    """)
    assert lines == [str(2 * sum(range(1, 101)))]


def test_from_a_coroutine_to_python_to_lua(outcome_of):
    lines = outcome_of("""
        def callback(n):
            table = lua.table(n, n + 1)
            lua.gccollect()
            return lua.eval("function(t) return t[1] + t[2] end")(table)

        function = lua.eval("function(f) for i = 1, 3 do coroutine.yield(f(i), f(i)) end end")
        print(list(function.coroutine(callback)))

        def nested(depth):
            if depth == 0:
                return lua.globals()
            return next(lua.eval("function(f, d) coroutine.yield(f(d)) end").coroutine(nested, depth - 1))

        print(nested(20) == lua.globals())
    """)
    assert lines == ["[(3, 3), (5, 5), (7, 7)]", "True"]


def test_a_callback_resumes_the_coroutine_it_runs_in(outcome_of):
    lines = outcome_of("""
        coroutine = lua.eval("function(f) f() end").coroutine(lambda: next(coroutine))
        print(error_of(next, coroutine))
        other = lua.eval("function() coroutine.yield(1) end").coroutine()
        print(list(lua.eval("function(f) coroutine.yield(f()) end").coroutine(lambda: next(other))))
    """)
    assert lines[0] != "no error" and lines[1] == "[1]"


def test_coroutines_in_threads(outcome_of):
    lines = outcome_of("""
        count = lua.eval("function(f, n) for i = 1, n do coroutine.yield(f(i)) end end")
        sums, errors = [], []

        def work():
            try:
                for _ in range(30):
                    sums.append(sum(count.coroutine(lambda x: lua.table(x)[1], 20)))
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(errors, set(sums), len(sums))
    """)
    assert lines == ["[] {210} 240"]


def test_a_coroutine_of_one_thread_continued_in_another(outcome_of):
    lines = outcome_of("""
        coroutine = lua.eval("function() for i = 1, 100 do coroutine.yield({i}) end end").coroutine()
        results = []
        for _ in range(10):
            thread = threading.Thread(target=lambda: results.extend(next(coroutine)[1] for _ in range(10)))
            thread.start()
            thread.join()
        print(results == list(range(1, 101)))
    """)
    assert lines == ["True"]


def test_yield_across_python(outcome_of):
    lines = outcome_of("""
        coroutine = lua.eval("function(f) return f() end").coroutine(lambda: lua.eval("coroutine.yield")(1))
        print(error_of(next, coroutine))
    """)
    assert "yield" in lines[0]


# fork


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_fork_while_another_thread_runs_lua(outcome_of):
    lines = outcome_of("""
        import os, warnings
        warnings.simplefilter("ignore")

        started, stop = threading.Event(), threading.Event()
        lua.globals().started = started.set
        code = "started() local stopped = ... while not stopped() do for i = 1, 1e6 do end end"
        thread = threading.Thread(target=lua.execute, args=(code, stop.is_set))
        thread.start()
        started.wait()
        child = os.fork()
        if child == 0:
            try:
                lua.eval("1")
                status = 1
            except (LuaError, RuntimeError):
                status = 42
            os._exit(status)
        status = os.waitpid(child, 0)[1]
        stop.set()
        thread.join()
        print(os.WEXITSTATUS(status))
    """)
    assert lines == ["42"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_fork_while_no_lua_runs(outcome_of):
    lines = outcome_of("""
        import os

        lua.execute("x = 41")
        child = os.fork()
        if child == 0:
            os._exit(lua.eval("x + 1"))
        print(os.WEXITSTATUS(os.waitpid(child, 0)[1]))
    """)
    assert lines == ["42"]
