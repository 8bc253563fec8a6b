"""Tools of the cases."""

import gc
import threading
import weakref

# lupa 2.8 has several Lua implementations: this is the one to compare with.
from lupa import luajit21 as lupa

LuaError = lupa.LuaError
LuaRuntime = lupa.LuaRuntime


class Thing:
    """An object that can be watched."""


def watched():
    """A new object and a weak reference to it."""
    thing = Thing()
    return thing, weakref.ref(thing)


def collect(*runtimes):
    """Collect both languages' garbage until what one frees is seen by the other."""
    for _ in range(4):
        for lua in runtimes:
            lua.gccollect()
        gc.collect()


def error_of(function, *args, **kwargs):
    """The exception that a call ends in, whatever it is."""
    try:
        result = function(*args, **kwargs)
    except BaseException as error:
        return error
    raise AssertionError(f"no error, but {result!r}")


def first_line(error):
    return str(error).partition("\n")[0]


def raiser(error):
    """A function that raises this exception, whatever it is called with."""

    def fail(*args):
        raise error

    return fail


def check_usable(lua):
    """The runtime does everything still."""
    assert lua.eval("1 + 1") == 2
    assert lua.eval("(...)()", lambda: "callback") == "callback"
    table = lua.table_from([1, 2, 3])
    table.x = "y"
    assert (table[2], table.x, len(table)) == (2, "y", 3)
    assert sorted(map(str, table.keys())) == ["1", "2", "3", "x"]
    error = error_of(lua.eval, "nil + 1")
    assert type(error) is LuaError, repr(error)
    assert "attempt to perform arithmetic on a nil value" in str(error)


def in_thread(function):
    """Run a function in a thread of its own and return, or raise, what it does."""
    outcome = []

    def run():
        try:
            outcome.append((function(), None))
        except BaseException as error:
            outcome.append((None, error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    result, error = outcome.pop()
    if error is not None:
        raise error
    return result
