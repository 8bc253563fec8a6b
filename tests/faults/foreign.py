"""Objects of one runtime given to another: refused at every entry point, and neither is harmed."""

from faults.common import LuaError, LuaRuntime, check_usable, collect, error_of, lupa
from faults.registry import case


def kinds(lua):
    """An object of each kind that a runtime makes."""
    started = lua.eval("function() while true do coroutine.yield(1) end end").coroutine()
    next(started)
    return {
        "table": lua.table(1, 2),
        "function": lua.eval("function() end"),
        "C function": lua.eval("print"),
        "coroutine": started,
        "coroutine function": lua.eval("coroutine.create(next)"),
        "userdata": lua.eval("newproxy()"),
        "file": lua.eval("io.stdout"),
        "cdata": lua.eval("require('ffi').new('int[2]')"),
        "globals": lua.globals(),
    }


KINDS = list(kinds(LuaRuntime()))


def entry_points(lua, foreign):
    """Every way for an object to get from Python into a runtime."""
    table = lua.table(1, 2)
    function = lua.eval("function(...) return ... end")
    coroutine = lua.eval("function(...) while true do coroutine.yield(...) end end")
    started = coroutine.coroutine()
    next(started)
    return {
        "argument of a call": lambda: function(foreign),
        "second argument": lambda: function(1, foreign),
        "argument of eval": lambda: lua.eval("...", foreign),
        "argument of execute": lambda: lua.execute("return ...", foreign),
        "value of an item": lambda: table.__setitem__("x", foreign),
        "key of an item": lambda: table.__setitem__(foreign, 1),
        "value of an attribute": lambda: setattr(table, "x", foreign),
        "key that is read": lambda: table[foreign],
        "key that is deleted": lambda: table.__delitem__(foreign),
        "item of table()": lambda: lua.table(foreign),
        "keyword of table()": lambda: lua.table(x=foreign),
        "item of table_from()": lambda: lua.table_from([1, foreign]),
        "key of table_from()": lambda: lua.table_from({foreign: 1}),
        "value of table_from()": lambda: lua.table_from({"x": foreign}),
        "argument of a coroutine": lambda: next(coroutine.coroutine(foreign)),
        "sent to a coroutine": lambda: started.send(foreign),
        "result of a callback": lambda: lua.eval("(...)()", lambda: foreign),
        "item of a Python object": lambda: lua.eval("(...)[0]", [foreign]),
        "attribute of a Python object": lambda: lua.eval("(...).x", type("T", (), {"x": foreign})),
        "iterated over": lambda: lua.execute("for x in python.iter(...) do end", [foreign]),
    }


def refuse(kind, when):
    lua, other = LuaRuntime(), LuaRuntime()
    foreign = kinds(other)[kind]
    for name, use in entry_points(lua, foreign).items():
        if when == "closed":
            other.close()
        assert type(error_of(use)) is LuaError, name
    if when == "open":
        assert hash(foreign) and lupa.lua_type(foreign)
        check_usable(other)
    collect(lua)
    check_usable(lua)


@case("an object of another runtime is refused", rows={kind: kind for kind in KINDS})
def foreign(kind):
    refuse(kind, "open")


@case("an object of a closed runtime is refused", new=True, rows={kind: kind for kind in KINDS})
def closed(kind):
    refuse(kind, "closed")


@case("objects of two runtimes are unequal, and may be in one dict")
def equality():
    lua, other = LuaRuntime(), LuaRuntime()
    mine, theirs = kinds(lua), kinds(other)
    for kind, value in mine.items():
        assert value != theirs[kind] and not (value == theirs[kind])
    assert len({*mine.values(), *theirs.values()}) == 2 * len(mine)


@case("an error of another runtime arrives as it is, and its value stays usable", new=True)
def error_values():
    lua, other = LuaRuntime(), LuaRuntime()
    error = error_of(lua.eval, "(...)()", lambda: other.execute("error({code = 7})"))
    assert type(error) is LuaError and error.value.code == 7
    assert type(error_of(lua.eval, "...", error.value)) is LuaError
    assert lua.eval("pcall(...)", lambda: other.execute("error('x', 0)"))[0] is False


@case("Lua calls Lua of another runtime by Python, to and fro")
def to_and_fro():
    one, two = LuaRuntime(), LuaRuntime()
    step = {
        lua: lua.eval("function(f, n) if n == 0 then error('bottom', 0) end return f(n - 1) end")
        for lua in (one, two)
    }

    def ping(n):
        return step[one](pong, n)

    def pong(n):
        return step[two](ping, n)

    error = error_of(ping, 40)
    assert type(error) is LuaError and str(error).startswith("bottom"), error
    check_usable(one)
    check_usable(two)
