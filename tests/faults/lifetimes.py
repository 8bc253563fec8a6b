"""Objects live exactly as long as one of the two languages holds them, and are the objects that they are."""

import functools
import gc
import sys
import weakref

from faults.common import LuaRuntime, Thing, check_usable, collect, error_of, in_thread, watched
from faults.registry import case

# Ways for Lua to hold an object, and to let it go: code that gets it, and code that gives it up.
HOLDS = {
    "a global": ("held = ...", "held = nil"),
    "a table's value": ("held = {...}", "held = nil"),
    "a table's key": ("held = {[...] = 1}", "held = nil"),
    "an upvalue": ("local x = ... held = function() return x end", "held = nil"),
    "a coroutine": ("local x = ... held = coroutine.create(function() coroutine.yield() return x end) "
                    "coroutine.resume(held)", "held = nil"),
    "a metatable": ("held = setmetatable({}, {__index = ...})", "held = nil"),
    "an environment": ("local e = {x = ...} held = setfenv(function() end, e)", "held = nil"),
    "the registry": ("debug.getregistry()[5] = ...", "debug.getregistry()[5] = nil"),
    "a weak table's key, held by its value": ("held = setmetatable({}, {__mode = 'k'}) held[...] = {...}", "held = nil"),
    "as_attrgetter": ("held = python.as_attrgetter(...)", "held = nil"),
    "as_itemgetter": ("held = python.as_itemgetter(...)", "held = nil"),
    "as_function": ("held = python.as_function(...)", "held = nil"),
    "an error that was caught": ("local x = ... local _, e = pcall(error, x) held = e", "held = nil"),
    "a bound method": ("held = (...).method", "held = nil"),
    "a debug hook": ("local x = ... debug.sethook(function() return x end, 'r')", "debug.sethook()"),
    "a userdata's environment": ("held = debug.setfenv(newproxy(), {...})", "held = nil"),
    "python.args": ("held = python.args{...}", "held = nil"),
    "an iterator": ("held = {python.iter(python.builtins.list((...).items))}", "held = nil"),
}  # fmt: skip


class Held(Thing):
    def __call__(self):
        return None

    def method(self):
        return None

    @property
    def items(self):
        return [self]


@case("an object that Lua holds lives, and dies when it is let go", rows=HOLDS)
def held_by_lua(hold, let_go):
    lua = LuaRuntime()
    thing = Held()
    ref = weakref.ref(thing)
    lua.execute(hold, thing)
    del thing
    collect(lua)
    assert ref() is not None, "died too early"
    in_thread(lambda: lua.execute(let_go))
    collect(lua)
    assert ref() is None, "still alive"
    check_usable(lua)


@case("reference counts are what they were, after every kind of use")
def reference_counts():
    lua = LuaRuntime()
    thing = Held()
    uses = [
        lambda: lua.eval("...", thing),
        lambda: lua.eval("(...)()", thing),
        lambda: lua.eval("(...).method", thing)(),
        lambda: lua.execute("local x = ... for i = 1, 100 do local y = {x, [x] = x} end", thing),
        lambda: lua.execute("local x = ... pcall(function() return x.nothing end)", thing),
        lambda: lua.execute("local x = ... pcall(error, x)", thing),
        lambda: error_of(lua.execute, "error(...)", thing),
        lambda: lua.table(thing)[1],
        lambda: lua.table_from({"x": thing, thing: 1}),
        lambda: list(
            lua.eval("function(x) for i = 1, 10 do coroutine.yield(x) end end").coroutine(thing)
        ),
        lambda: lua.execute("for x in python.iter(...) do local y = x end", [thing] * 10),
        lambda: lua.eval("tostring(...)", thing),
        lambda: lua.eval("(...)()", lambda: thing),
    ]
    watched = [thing, lua, Held]
    # Once to fill caches, among them those of Python's own adaptive interpreter.
    for use in uses:
        for _ in range(100):
            use()
    collect(lua)
    before = [sys.getrefcount(value) for value in watched]
    for use in uses:
        for _ in range(50):
            use()
    collect(lua)
    after = [sys.getrefcount(value) for value in watched]
    assert after == before, (before, after)


@case("every entry point that fails lets go of what it was given")
def failing_entry_points():
    lua = LuaRuntime()
    table = lua.eval("setmetatable({}, {__index = error, __newindex = error, __call = error})")
    function = lua.eval("function(...) error({...}) end")
    other = LuaRuntime().table()
    uses = [
        lambda t: function(t),
        lambda t: table[t],
        lambda t: table.__setitem__(t, t),
        lambda t: table(t),
        lambda t: lua.eval("nil + ...", t),
        lambda t: lua.eval("...", t, other),
        lambda t: lua.table(t, other),
        lambda t: lua.table_from([t, {t: other}], {t: other}),
        lambda t: next(function.coroutine(t)),
        lambda t: lua.eval("...", t, 10**30),
        lambda t: lua.eval("...", t, "\ud800"),
        lambda t: lua.compile("for")(t),
    ]
    refs = []
    for use in uses:
        thing, ref = watched()
        refs.append(ref)
        error_of(use, thing)
        del thing
    collect(lua)
    alive = [number for number, ref in enumerate(refs) if ref() is not None]
    assert not alive, alive


@case(
    "the function that is called is the function that was passed, in an event loop with collections"
)
def event_loop():
    lua = LuaRuntime()
    lua.execute("""
        local handlers, count = {}, 0
        function on(f, id) count = count + 1 handlers[count] = {f, id} end
        function fire()
            local list = handlers
            handlers, count = {}, 0
            for _, h in ipairs(list) do
                local got = h[1](h[2])
                if got ~= h[2] then error('called ' .. tostring(got) .. ' for ' .. tostring(h[2])) end
            end
            return #list
        end
    """)
    on, fire = lua.globals().on, lua.globals().fire

    class Button:
        def __init__(self, id):
            self.id = id

        def clicked(self, id):
            return self.id

    def closure(id):
        return lambda given: id

    total = 0
    for round in range(200):
        for index in range(30):
            id = round * 100 + index
            kind = index % 4
            if kind == 0:
                on(Button(id).clicked, id)
            elif kind == 1:
                on(closure(id), id)
            elif kind == 2:
                on(functools.partial(lambda a, b: a, id), id)
            else:
                on(Button(id).clicked, id)
                lua.eval("type(...)", Button(id).clicked)
        if round % 7 == 0:
            lua.gccollect()
        if round % 5 == 0:
            gc.collect()
        total += fire()
    assert total == 200 * 30
    collect(lua)


@case("objects at the addresses of dead ones are not mistaken for them")
def addresses():
    lua = LuaRuntime()
    echo = lua.eval("function(x) return x end")
    for number in range(20_000):
        thing = Held()
        thing.number = number
        assert echo(thing) is thing
        del thing
        if number % 1000 == 0:
            lua.gccollect()
    store = lua.eval("function(x) last = x return last end")
    for number in range(20_000):
        assert store([number])[0] == number


@case("a runtime lives as long as anything of it, and no longer")
def runtimes():
    from faults.foreign import kinds

    for kind in kinds(LuaRuntime()):
        lua = LuaRuntime()
        thing, ref = watched()
        lua.globals().thing = thing
        wrapper = kinds(lua)[kind]
        del thing, lua
        gc.collect()
        assert ref() is not None, kind
        del wrapper
        gc.collect()
        assert ref() is None, kind


@case("cycles through both languages are collected, when Python can see them")
def cycles():
    refs = []
    for make in [
        lambda lua, t: setattr(t, "lua", lua) or lua.globals().__setitem__("t", t),
        lambda lua, t: setattr(t, "table", lua.table(t)),
        lambda lua, t: setattr(
            t, "f", lua.eval("function(t) return function() return t end end")(t)
        ),
        lambda lua, t: setattr(t, "co", lua.eval("function(t) coroutine.yield() end").coroutine(t)),
        lambda lua, t: setattr(t, "it", iter(lua.table(t))),
        lambda lua, t: setattr(t, "n", lua.nogc()) or lua.globals().__setitem__("t", t),
    ]:
        lua = LuaRuntime()
        thing, ref = watched()
        make(lua, thing)
        refs.append(ref)
        del thing, lua
    gc.collect()
    assert [ref() for ref in refs] == [None] * len(refs)


@case("wrappers dropped in other threads, in callbacks and in finalizers free their Lua objects")
def dropped_elsewhere():
    lua = LuaRuntime()
    lua.execute("weak = setmetatable({}, {__mode = 'k'}) function make() local t = {} weak[t] = true return t end "
                "function count() local n = 0 for _ in pairs(weak) do n = n + 1 end return n end")  # fmt: skip
    make, count, call = (
        lua.globals().make,
        lua.globals().count,
        lua.eval("function(f) return f() end"),
    )

    class Drops:
        def __init__(self):
            self.kept = make()

        def __del__(self):
            self.kept = None

    kept = [make() for _ in range(100)]
    in_thread(kept.clear)
    kept = [make() for _ in range(100)]
    call(kept.clear)
    call(lambda: in_thread(kept.clear))
    for _ in range(100):
        lua.eval("type(...)", Drops())
    collect(lua)
    assert count() == 0, count()
    check_usable(lua)


@case("an object that Python's collector clears while Lua holds it is not used after")
def cleared():
    lua = LuaRuntime()
    for _ in range(200):
        thing, ref = watched()
        thing.own = LuaRuntime()
        thing.own.globals().thing = thing
        thing.own.globals().lua = lua
        thing.callback = thing.own.eval("function(x) return function() return x end end")(thing)
        lua.globals().foreign = thing.own
        del thing
        gc.collect()
        lua.globals().foreign = None
    collect(lua)
    gc.collect()
    assert ref() is None
    check_usable(lua)
