"""The end of the interpreter: whatever is left standing, the process ends cleanly and says nothing."""

import atexit
import builtins
import gc
import os
import sys
import threading
import time

from faults.common import LuaError, LuaRuntime, lupa, watched
from faults.foreign import kinds
from faults.registry import case


def leave(*objects):
    """Keep objects for as long as the interpreter lives, and beyond."""
    builtins.left_behind = [*getattr(builtins, "left_behind", []), *objects]


@case("runtimes and wrappers in module globals")
def module_globals():
    lua = LuaRuntime()
    global left
    globals()["left"] = [lua, kinds(lua), iter(lua.table(1)), lua.nogc()]
    leave(lua, *kinds(lua).values(), *kinds(LuaRuntime()).values())
    lua.globals().thing = watched()
    lua.globals().module = sys.modules[__name__]


@case("wrappers without their runtimes, and runtimes in cycles with what they hold")
def cycles():
    for _ in range(20):
        thing, _ = watched()
        thing.lua = LuaRuntime()
        thing.lua.globals().thing = thing
        thing.table = thing.lua.table(thing)
        leave(thing.table, thing)
    gc.disable()


@case("Lua is used, closed and dropped in atexit functions")
def in_atexit():
    lua = LuaRuntime()
    table = lua.table(1)

    def at_end():
        assert lua.eval("(...)()", lambda: 5) == 5 and table[1] == 1
        assert list(LuaRuntime().eval("function() coroutine.yield(1) end").coroutine()) == [1]
        if hasattr(lua, "close"):
            lua.close()

    atexit.register(at_end)
    atexit.register(lambda: leave(LuaRuntime().table()))


@case(
    "finalizers of both languages that run at the end", stderr=r"(ERROR in finalizer: [^\n]*\n?)*"
)
def finalizers():
    class UsesLua:
        def __init__(self, lua):
            self.lua = lua

        def __del__(self):
            try:
                self.lua.eval("1 + 1")
            except (LuaError, TypeError, ReferenceError):
                pass

    for _ in range(5):
        lua = LuaRuntime()
        lua.globals().thing = UsesLua(lua)
        lua.execute(
            "local f = ... kept = newproxy(true) getmetatable(kept).__gc = function() f() end",
            UsesLua,
        )
        lua.execute(
            "kept2 = newproxy(true) getmetatable(kept2).__gc = function() local t = {} t.x = 1 end"
        )
        leave(lua, UsesLua(lua))


@case("a generator, a coroutine and an iterator in the middle")
def suspended():
    lua = LuaRuntime()
    coroutine = lua.eval("function(f) while true do coroutine.yield(f()) end end").coroutine(
        lambda: lua.table(1)
    )
    iterator = lua.table(1, 2, 3).items()

    def generator():
        yield from coroutine

    suspended = generator()
    next(suspended), next(iterator)
    leave(suspended, iterator, coroutine)


DAEMONS = {
    "compiled loop": "while true do end",
    "calls of Python": "local f = ... while true do f() end",
    "pcall around calls of Python": "local f = ... while true do pcall(f) end",
    "garbage": "while true do local t = {{}, function() end} end",
    "wrapped objects made": "local f = ... while true do local x = f() x = nil collectgarbage('step') end",
    "coroutines": "local f = ... while true do coroutine.wrap(function() coroutine.yield(f()) end)() end",
    "Python sleeps": "local f, sleep = ... while true do sleep(0.001) end",
    "Python sleeps for long": "local f, sleep = ... sleep(1000)",
}


@case("daemon threads that run Lua: the process ends, at once", each=DAEMONS, limit=20)
def daemon(code):
    lua = LuaRuntime()
    shared = LuaRuntime()
    for number in range(4):
        own = lua if number == 0 else LuaRuntime()
        threading.Thread(target=own.execute, args=(code, object, time.sleep), daemon=True).start()

    def use_shared():
        while True:
            shared.eval("(...)()", lambda: shared.table(object()))

    for _ in range(2):
        threading.Thread(target=use_shared, daemon=True).start()
    time.sleep(0.1)
    leave(lua, shared)


@case("sys.exit, os.exit and an uncaught exception out of a callback: the exit code is theirs")
def exit_codes():
    def child(action):
        pid = os.fork()
        if pid == 0:
            sys.stderr = open(os.devnull, "w")
            lua = LuaRuntime()
            leave(lua, lua.table())
            try:
                action(lua)
            except SystemExit as exit:
                os._exit(exit.code)
            except BaseException:
                os._exit(77)
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def fail():
        raise KeyError("x")

    assert child(lambda lua: lua.eval("(...)()", lambda: sys.exit(5))) == 5
    assert child(lambda lua: lua.eval("(...)()", fail)) == 77
    assert child(lambda lua: lua.execute("local t = {} t.x = 1")) == 0
    if hasattr(lupa, "LuaTimeoutError"):
        assert child(lambda lua: lua.execute("os.exit(6)")) == 6


@case("the modules are taken apart while objects are alive", stderr=r"(Exception ignored .*)?")
def modules_torn_down():
    lua = LuaRuntime()
    leave(lua, *kinds(lua).values())
    lua.globals().print = print
    for name in list(sys.modules):
        if name.startswith("lupa"):
            module = sys.modules.pop(name)
            for attribute in list(vars(module)):
                if not attribute.startswith("__"):
                    setattr(module, attribute, None)
    assert lua.eval("1 + 1") == 2
    try:
        lua.eval("nil + 1")
    except Exception:
        pass
    leave(lua.table(1))
