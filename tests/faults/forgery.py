"""Userdata that pretend to be Python objects, and Python objects that are made to be others."""

from faults.common import LuaRuntime, check_usable, collect, error_of, watched
from faults.registry import case

# `thing` is a wrapped Python object. What the code returns is none.
FORGERIES = {
    "newproxy": "return debug.setmetatable(newproxy(), debug.getmetatable(thing))",
    "newproxy of its own": "local p = newproxy(true) local to, from = getmetatable(p), debug.getmetatable(thing) "
    "for k, v in pairs(from) do to[k] = v end return p",
    "an io file": "return debug.setmetatable(io.tmpfile(), debug.getmetatable(thing))",
    "a table": "return debug.setmetatable({}, debug.getmetatable(thing))",
    "a function": "return debug.setmetatable(function() end, debug.getmetatable(thing))",
    "a string": "debug.setmetatable('', debug.getmetatable(thing)) return 'text'",
    "a number": "debug.setmetatable(0, debug.getmetatable(thing)) return 5",
    "nil": "debug.setmetatable(nil, debug.getmetatable(thing)) return nil",
    "a coroutine": "return debug.setmetatable(coroutine.create(print), debug.getmetatable(thing))",
    "an iterator's state": "local f, s = python.iter(list) return debug.setmetatable(newproxy(), debug.getmetatable(s))",
    "a function's upvalue": "local f = python.as_function(callable) for i = 1, 5 do "
    "pcall(debug.setupvalue, f, i, newproxy()) end return f",
    "iterator called with nonsense": "local f = python.iter(list) return function(...) return f(newproxy()) end",
    "an environment": "return debug.setfenv(newproxy(), getfenv())",
    "bytes of a real one": "local ffi = require('ffi') local s = ffi.new('char[64]') ffi.fill(s, 64, 1) "
    "return debug.setmetatable(newproxy(), debug.getmetatable(thing))",
}
USES = [
    "forged()", "forged(1, nil, {})", "return forged.x", "return forged[0]", "forged.x = 1", "forged[0] = 1",
    "return tostring(forged)", "return #forged", "return forged + 1", "return 1 .. forged", "return -forged",
    "return forged == thing", "return forged < thing", "return forged <= forged", "return python.iter(forged)",
    "for x in python.iterex(forged) do end", "for x in python.enumerate(forged) do end",
    "return python.as_attrgetter(forged)", "return python.as_itemgetter(forged).x",
    "return python.as_function(forged)()", "return python.eval(forged)", "return python.args(forged)",
    "return python.builtins.len(forged)", "return python.builtins.repr(forged)", "return thing[forged]",
    "error(forged)", "pcall(error, forged)", "local t = {} t[forged] = forged return t[forged]",
    "coroutine.wrap(function() return forged.x end)()", "return forged:method()", "table.sort({forged, forged, forged})",
    "return ('x'):rep(forged)", "return ('%s'):format(forged)", "return setmetatable({}, {__index = forged}).x",
    "for f in forged do end", "return debug.getmetatable(forged).__gc(forged)",
]  # fmt: skip


def tried(function, *args):
    # A frame of its own: python.eval makes Python keep a copy of its caller's local variables.
    try:
        function(*args)
    except Exception:
        pass


@case("a forged object is an error or its own value, wherever it is used", each=FORGERIES,
      stderr=r"(ERROR in finalizer: [^\n]*\n?)*")  # fmt: skip
def forged(code):
    lua = LuaRuntime()
    g = lua.globals()
    thing, ref = watched()
    g.thing, g.list, g.callable = thing, [1, 2], len
    g.forged = lua.execute(code)
    for use in USES:
        tried(lua.execute, use)
    for reach in [
        lambda: g.forged,
        lambda: repr(g.forged),
        lambda: lua.table_from([g.forged]),
        lambda: g.forged(),
    ]:
        tried(reach)
    if "'text'" not in code and "return 5" not in code and "return nil" not in code:
        assert g.forged is not thing
    lua.execute(
        "forged = nil debug.setmetatable('', {__index = string}) debug.setmetatable(0, nil) debug.setmetatable(nil, nil)"
    )
    lua.gccollect()
    assert g.thing is thing
    g.thing = None
    del thing
    collect(lua)
    assert ref() is None
    check_usable(lua)


@case("__gc called by hand, early and twice: the object is let go once, and not used after")
def finalizers_by_hand():
    lua = LuaRuntime()
    things = [watched() for _ in range(20)]
    refs = [ref for _, ref in things]
    g = lua.globals()
    for thing, _ in things:
        g.thing = thing
        lua.execute("""
            local gc = debug.getmetatable(thing).__gc
            kept = kept or {}
            kept[#kept + 1] = thing
            if gc then
                for _ = 1, 3 do pcall(gc, thing) pcall(gc) pcall(gc, {}) pcall(gc, newproxy()) pcall(gc, 5) end
            end
            pcall(function() return thing.x end)
            pcall(tostring, thing)
        """)
    assert all(ref() is not None for ref in refs)
    things.clear()
    g.thing = g.kept = thing = None
    collect(lua)
    assert [ref() for ref in refs] == [None] * 20
    check_usable(lua)


@case("__gc of an object called from inside its own method")
def finalizer_inside():
    lua = LuaRuntime()

    class Suicidal:
        text = "alive"

        def __str__(self):
            lua.execute(
                "local gc = debug.getmetatable(thing).__gc if gc then pcall(gc, thing) end thing = nil"
            )
            lua.gccollect()
            return self.text

        def __getitem__(self, key):
            return str(self)

        __call__ = __str__

    for use in ["tostring(thing)", "thing.x", "thing()", "thing[1]"]:
        lua.globals().thing = Suicidal()
        assert lua.eval(use) == "alive"
    lua.gccollect()
    check_usable(lua)


@case("objects resurrected by a finalizer are whole, or an error")
def resurrected():
    lua = LuaRuntime()
    lua.execute("""
        local thing = ...
        local p = newproxy(true)
        getmetatable(p).__gc = function() saved = thing end
    """, [1, 2, 3])  # fmt: skip
    collect(lua)
    try:
        assert lua.eval("saved[0]") == 1
    except lua_errors():
        pass
    error_or = lua.eval("function() return pcall(function() return saved[1] end) end")
    error_or()
    lua.execute("saved = nil")
    collect(lua)
    check_usable(lua)


def lua_errors():
    from faults.common import LuaError

    return (LuaError, TypeError)


@case("an exception object forged as an error value is no exception")
def forged_exception():
    lua = LuaRuntime()
    error = KeyError("real")
    lua.globals().real = error
    forged = error_of(
        lua.execute, "error(debug.setmetatable(newproxy(), debug.getmetatable(real)))"
    )
    assert forged is not error
    assert error_of(lua.execute, "error(real)") is error
    check_usable(lua)
