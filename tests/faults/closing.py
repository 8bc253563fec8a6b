"""What happens to a runtime that is closed, or dropped, in the middle of things."""

import gc
import os
import signal
import sys
import threading
import time

from faults.common import (
    LuaError,
    LuaRuntime,
    check_usable,
    error_of,
    lupa,
    raiser,
    watched,
)
from faults.foreign import kinds
from faults.registry import case

USES = {
    "eval": lambda o: o["lua"].eval("1"),
    "execute": lambda o: o["lua"].execute(""),
    "compile": lambda o: o["lua"].compile(""),
    "globals": lambda o: o["lua"].globals(),
    "table": lambda o: o["lua"].table(1),
    "table_from": lambda o: o["lua"].table_from([1]),
    "require": lambda o: o["lua"].require("string"),
    "gccollect": lambda o: o["lua"].gccollect(),
    "get": lambda o: o["table"][1],
    "attribute": lambda o: o["table"].x,
    "set": lambda o: o["table"].__setitem__(1, 2),
    "set attribute": lambda o: setattr(o["table"], "x", 1),
    "delete": lambda o: o["table"].__delitem__(1),
    "len": lambda o: len(o["table"]),
    "keys": lambda o: list(o["table"].keys()),
    "values": lambda o: list(o["table"].values()),
    "items": lambda o: list(o["table"].items()),
    "in": lambda o: 1 in o["table"],
    "str": lambda o: str(o["userdata"]) and 1 / 0,
    "call": lambda o: o["function"](),
    "call print": lambda o: o["C function"]("x"),
    "coroutine": lambda o: o["function"].coroutine(),
    "resume": lambda o: next(o["coroutine"]),
    "send": lambda o: o["coroutine"].send(1),
    "bool": lambda o: bool(o["coroutine"]) and 1 / 0,
    "hash": lambda o: hash(o["table"]) and 1 / 0,
    "compare": lambda o: (o["table"] == o["globals"]) and 1 / 0,
    "type": lambda o: lupa.lua_type(o["table"]),
    "continue iterating": lambda o: next(o["iterator"]),
}


@case("everything is an error after close(), but printing and dropping", new=True)
def every_use():
    lua = LuaRuntime()
    objects = dict(kinds(lua), lua=lua, iterator=iter(lua.table(1, 2)))
    next(objects["iterator"])
    lua.close()
    lua.close()
    for name, use in USES.items():
        if name in ("str", "bool", "hash", "compare"):
            try:
                use(objects)
            except (LuaError, ZeroDivisionError):
                pass
        else:
            assert isinstance(error_of(use, objects), LuaError), name
    assert all(isinstance(repr(value), str) for value in objects.values())
    objects.clear()
    gc.collect()


def check_closed(error):
    assert "closed" in str(error), error


@case("close() inside a callback is an error or the end, no crash", new=True)
def inside_a_callback():
    for code in [
        "(...)() return {}",
        "local f = ... coroutine.wrap(function() f() end)() return {}",
        "local f = ... return setmetatable({}, {__index = function() f() end}).x",
        "local f = ... table.sort({3, 2, 1}, function() f() end)",
        "local f = ... pcall(f) pcall(f) return f",
    ]:
        lua = LuaRuntime()
        table = lua.table(1)
        try:
            lua.execute(code, lua.close)
        except LuaError:
            pass
        try:
            assert table[1] == 1
            check_usable(lua)
        except LuaError as error:
            check_closed(error)


@case("close() inside iteration, table_from, a coroutine and a message handler", new=True)
def inside_other_things():
    def closing(lua):
        yield 1
        lua.close()
        yield 2

    for use in [
        lambda lua: lua.table_from(closing(lua)),
        lambda lua: lua.eval("(...)", type("T", (), {"__iter__": lambda self: closing(lua)})()),
        lambda lua: lua.execute("for x in python.iter(...) do end", closing(lua)),
        lambda lua: list(
            lua.eval("function(f) for i = 1, 3 do coroutine.yield(f()) end end").coroutine(
                lua.close
            )
        ),
        lambda lua: lua.execute(
            "xpcall(error, python.as_function(...))", lambda error: lua.close()
        ),
        lambda lua: [lua.close() for _ in lua.table(1, 2, 3)],
        lambda lua: lua.eval(
            "tostring(...)", type("T", (), {"__str__": lambda self: str(lua.close())})()
        ),
    ]:
        lua = LuaRuntime()
        try:
            use(lua)
        except LuaError:
            pass
        del lua
        gc.collect()


@case(
    "close() from a __gc and a __del__ is survived",
    new=True,
    stderr=r"(ERROR in finalizer: [^\n]*\n?)*",
)
def inside_finalizers():
    lua = LuaRuntime()
    lua.execute(
        "local f = ... kept = newproxy(true) getmetatable(kept).__gc = function() f() end",
        lua.close,
    )
    lua.close()

    class Closes:
        def __del__(self):
            lua.close()

    lua = LuaRuntime()
    lua.globals().thing = Closes()
    lua.execute("thing = nil")
    try:
        lua.gccollect()
        lua.gccollect()
    except LuaError:
        pass
    gc.collect()


@case("close() while another thread runs Lua ends neither in a crash nor in a hang", new=True)
def while_another_thread_runs():
    for code in ["while not stop() do end", "for i = 1, 1e4 do local t = {} end"]:
        for _ in range(20):
            lua, stop = LuaRuntime(), threading.Event()
            started = threading.Event()

            def work(lua=lua, stop=stop, started=started, code=code):
                try:
                    lua.execute(
                        "local started, stop = ... started() " + code, started.set, stop.is_set
                    )
                except LuaError:
                    pass

            thread = threading.Thread(target=work)
            thread.start()
            started.wait()
            threading.Timer(0.01, stop.set).start()
            try:
                lua.close()
            except LuaError:
                pass
            thread.join()


@case("eight threads use a runtime while one closes it", new=True)
def under_eight_threads():
    for _ in range(10):
        lua = LuaRuntime()
        table = lua.table(1, 2, 3)
        function = lua.eval("function(f) return f() end")
        unexpected = []

        def work(lua=lua, table=table, function=function, unexpected=unexpected):
            try:
                while True:
                    lua.table(len(table), function(lambda: 1), *table.values())
            except LuaError:
                pass
            except BaseException as error:
                unexpected.append(error)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        time.sleep(0.02)
        while True:
            try:
                lua.close()
                break
            except LuaError:
                time.sleep(0.001)
        for thread in threads:
            thread.join()
        assert not unexpected, unexpected


@case("a runtime that is dropped inside its own callback goes when that returns")
def dropped_in_a_callback():
    runtimes = [LuaRuntime()]
    thing, ref = watched()
    runtimes[0].globals().thing = thing
    del thing

    def drop():
        runtimes.clear()
        gc.collect()
        return 5

    assert runtimes[0].eval("(...)() + 1", drop) == 6
    gc.collect()
    assert ref() is None


@case("close() lets every Python object go, also those in coroutines and closures", new=True)
def lets_go():
    lua = LuaRuntime()
    things = [watched() for _ in range(4)]
    refs = [ref for _, ref in things]
    lua.globals().thing = things[0][0]
    closure = lua.eval("function(x) return function() return x end end")(things[1][0])
    coroutine = lua.eval("function(x) coroutine.yield() return x end").coroutine(things[2][0])
    next(coroutine)
    lua.eval("function(x) getmetatable(newproxy(true)).__gc = function() return x end end")(
        things[3][0]
    )
    things.clear()
    lua.close()
    gc.collect()
    assert [ref() for ref in refs] == [None] * 4
    del closure, coroutine


@case("with closes after an error, which arrives", new=True)
def with_statement():
    error = KeyError("mine")

    def use():
        with LuaRuntime() as lua:
            kept.append(lua)
            lua.eval("(...)()", raiser(error))

    kept = []
    assert error_of(use) is error
    assert isinstance(error_of(kept[0].eval, "1"), LuaError)


ENDED = r"(ERROR in finalizer: [^\n]*\n?)+"

ENDLESS_FINALIZERS = """
    objects = {}
    for i = 1, 1000 do
        objects[i] = newproxy(true)
        getmetatable(objects[i]).__gc = function() while true do pcall(error) end end
    end
"""


def endless(**options):
    lua = LuaRuntime(**options)
    lua.execute(ENDLESS_FINALIZERS)
    return lua


@case("a timeout ends the finalizers that close() runs", new=True, stderr=ENDED)
def finalizers_and_timeout():
    lua = endless(timeout=0.2)
    assert type(error_of(lua.close)) is lupa.LuaTimeoutError
    check_closed(error_of(lua.eval, "1"))
    lua.close()


@case("interrupt() ends the finalizers that close() runs", new=True, stderr=ENDED)
def finalizers_and_interrupt():
    lua = endless()
    threading.Timer(0.2, lua.interrupt).start()
    assert type(error_of(lua.close)) is lupa.LuaInterruptedError
    check_closed(error_of(lua.eval, "1"))


@case("a SIGINT ends the finalizers that close() runs", new=True, stderr=ENDED)
def finalizers_and_ctrl_c():
    lua = endless()
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    assert type(error_of(lua.close)) is KeyboardInterrupt
    check_closed(error_of(lua.eval, "1"))


@case("what ends the finalizers of a dropped runtime is printed", new=True, stderr=ENDED)
def finalizers_of_dropped_runtimes():
    printed = []
    sys.unraisablehook = lambda report: printed.append((report.exc_type, report.object))
    lua = endless(timeout=0.2)
    del lua
    lua = endless(timeout=0.2)
    lua.globals().cycle = lua.globals()
    lua.globals().runtime = lua
    del lua
    gc.collect()
    lua = endless()
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        del lua
    except KeyboardInterrupt:
        # Python has seen it before lupa did.
        printed.append((KeyboardInterrupt, LuaRuntime))
    timer.join()
    assert printed == [
        (lupa.LuaTimeoutError, LuaRuntime),
        (lupa.LuaTimeoutError, LuaRuntime),
        (KeyboardInterrupt, LuaRuntime),
    ], printed


@case("max_memory holds for the finalizers that close() runs", new=True, stderr=ENDED)
def finalizers_and_memory():
    lua = LuaRuntime(max_memory=8 << 20, timeout=30)
    lua.execute("""
        object = newproxy(true)
        getmetatable(object).__gc = function()
            local all = {}
            for i = 1, math.huge do all[i] = tostring(i) end
        end
    """)
    lua.close()
