"""Added to PyPI's lupa 2.8 (design, section 5): close() and with."""

import gc
import weakref

import pytest

import lupa
from lupa import LuaError, LuaRuntime

CLOSED = (LuaError, RuntimeError, ReferenceError)


@pytest.fixture
def objects(lua):
    """One object of each kind, each in use."""
    table = lua.table(1, 2)
    coroutine = lua.eval("function() coroutine.yield(1) coroutine.yield(2) end").coroutine()
    iterator = iter(table)
    assert next(coroutine) == next(iterator) == 1
    return {
        "table": table,
        "function": lua.eval("print"),
        "coroutine": coroutine,
        "iterator": iterator,
    }


@pytest.mark.parametrize(
    "use",
    [
        "lua.eval('1')",
        "lua.execute('')",
        "lua.compile('')",
        "lua.globals()",
        "lua.table()",
        "lua.table_from([1])",
        "lua.require('string')",
        "lua.gccollect()",
        "table[1]",
        "table.x",
        "setattr(table, 'x', 1)",
        "len(table)",
        "list(table)",
        "next(iterator)",
        "function()",
        "function.coroutine()",
        "next(coroutine)",
        "coroutine.send(None)",
        "lua_type(table)",
        "LuaRuntime().eval('...', table)",
    ],
)
def test_nothing_works_after_close(lua, objects, use):
    names = dict(objects, lua=lua, LuaRuntime=LuaRuntime, lua_type=lupa.lua_type)
    assert lua.close() is None
    with pytest.raises(CLOSED):
        eval(use, names)


def test_closed_objects_can_be_printed_and_dropped(lua, objects):
    lua.close()
    assert [isinstance(repr(obj), str) for obj in [lua, *objects.values()]] == [True] * 5
    objects.clear()
    gc.collect()


def test_close_twice(lua):
    lua.close()
    lua.close()
    with pytest.raises(CLOSED):
        lua.eval("1")


def test_with_closes_at_the_end():
    with LuaRuntime() as lua:
        assert lua.eval("1 + 1") == 2
    with pytest.raises(CLOSED):
        lua.eval("1")


def test_with_closes_after_an_error_too():
    with pytest.raises(ZeroDivisionError):
        with LuaRuntime() as lua:
            lua.eval("(...)()", lambda: 1 / 0)
    with pytest.raises(CLOSED):
        lua.eval("1")


class Thing:
    pass


def test_close_lets_objects_go(lua):
    thing = Thing()
    ref = weakref.ref(thing)
    lua.globals().thing = thing
    table = lua.table(thing)
    del thing
    lua.close()
    gc.collect()
    assert ref() is None
    del table


def test_close_runs_finalizers(lua, tmp_path):
    path = tmp_path / "written by the finalizer"
    lua.execute(
        """
        local path = ...
        kept = newproxy(true)
        getmetatable(kept).__gc = function() io.open(path, 'w'):close() end
        """,
        str(path),
    )
    lua.close()
    assert path.exists()


def test_close_inside_a_callback(output_of):
    assert output_of("""
        from lupa import LuaRuntime

        lua = LuaRuntime()
        try:
            lua.execute("(...)() x = 1", lua.close)
        except Exception as error:
            print("refused")
        else:
            print("allowed")
    """) in (["refused"], ["allowed"])


def test_close_while_another_thread_uses_it(output_of):
    assert output_of("""
        import threading
        from lupa import LuaRuntime

        lua, started, stop = LuaRuntime(), threading.Event(), threading.Event()

        def spin():
            try:
                lua.execute("local started, stopped = ... started() while not stopped() do end",
                            started.set, stop.is_set)
            except Exception as error:
                pass

        thread = threading.Thread(target=spin)
        thread.start()
        started.wait()
        threading.Timer(0.05, stop.set).start()
        try:
            lua.close()
        except Exception:
            pass
        thread.join()
        print("end")
    """) == ["end"]


@pytest.mark.parametrize(
    "code, expected",
    [
        ("(...)()", "Boom original"),
        ("pcall(...) error('text', 0)", "LuaError text"),
        (
            "pcall(...) error(setmetatable({}, {__tostring = function() return 'a table' end}))",
            "LuaError a table",
        ),
    ],
)
def test_errors_survive_a_close_by_another_thread(output_of, code, expected):
    """Breaks if the runtime is given back before its error is a Python exception."""
    program = """
        import sys, threading, time
        from lupa import LuaRuntime

        class Boom(Exception):
            pass

        def fail():
            closing.start()
            time.sleep(0.2)
            raise Boom("original")

        for calls in (0, 5000):
            lua = LuaRuntime()
            # A thread that takes the lock again and again is left it.
            for _ in range(calls):
                lua.eval("1")
            closing = threading.Thread(target=lua.close)
            try:
                lua.eval("function(...) %s end" % sys.argv[1])(fail)
            except Exception as error:
                print(type(error).__name__, str(error).splitlines()[0])
            closing.join()
    """
    assert output_of(program, code) == [expected] * 2
