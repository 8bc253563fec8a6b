"""The deliberate differences from lupa 2.8, a case for each line of their table; details are elsewhere.

Lines about crashes are cases of the other topics: `metamethods`, `hostile`, `memory`, `forks`.
"""

import threading
import time
import weakref

from faults.common import LuaError, LuaRuntime, check_usable, collect, error_of, lupa, raiser
from faults.registry import case


@case(
    "__newindex that errors, NaN keys, a table that changes while it is iterated over, debug = nil"
)
def tables():
    lua = LuaRuntime()
    table = lua.eval("setmetatable({}, {__newindex = function() error('no', 0) end})")
    assert type(error_of(setattr, table, "x", 1)) is LuaError
    assert type(error_of(lua.table().__setitem__, float("nan"), 1)) is LuaError
    for view in ("keys", "values", "items"):
        table = lua.table_from({f"key{n}": n for n in range(100)})
        iterator = getattr(table, view)()
        next(iterator)
        for n in range(100):
            table[f"key{n}"] = None
        for n in range(10_000):
            table[f"new{n}"] = n
        lua.gccollect()
        try:
            list(iterator)
        except LuaError:
            pass
    lua.execute("debug = nil")
    assert type(error_of(lua.execute, "error('x')")) is LuaError
    check_usable(lua)


@case("objects made in coroutines, coroutine to Python to Lua, threads with coroutines")
def coroutines():
    lua = LuaRuntime()
    make = lua.eval(
        "function(f) coroutine.yield({name = 'x'}) coroutine.yield(f()) coroutine.yield(function() return 5 end) end"
    )
    results = []

    def work():
        for _ in range(50):
            table, made, function = make.coroutine(lambda: lua.eval("{1, 2}"))
            lua.gccollect()
            for _ in range(50):
                lua.table()
            results.append((table.name, len(made), function()))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(results) == {("x", 2, 5)} and len(results) == 200
    check_usable(lua)


@case("max_memory works with LuaJIT's own allocator, and is exact", new=True)
def max_memory():
    lua = LuaRuntime(max_memory=1_000_000)
    count = lua.eval("function() return collectgarbage('count') * 1024 end")
    count()
    assert lua.get_memory_used(total=True) == count() == lua.get_memory_used(total=True)
    assert isinstance(error_of(lua.eval, "('x'):rep(1000001)"), lupa.LuaMemoryError)
    assert len(lua.eval("('x'):rep(400000)")) == 400_000


@case("os.exit raises SystemExit, through pcall", new=True)
def os_exit():
    lua = LuaRuntime()
    for code, status in [
        ("os.exit(3)", 3),
        ("pcall(os.exit, 4)", 4),
        ("coroutine.wrap(os.exit)(5)", 5),
    ]:
        error = error_of(lua.execute, code)
        assert type(error) is SystemExit and error.code == status
    check_usable(lua)


@case("error(value): LuaError with the value, a useful message and the traceback", new=True)
def error_value():
    lua = LuaRuntime()
    error = error_of(lua.execute, "error({code = 404})")
    assert type(error) is LuaError and error.value.code == 404
    assert str(error) and "stack traceback" in error.traceback
    assert (
        error_of(
            lua.execute, "error(setmetatable({}, {__tostring = function() return 'told' end}))"
        )
        .args[0]
        .startswith("told")
    )


@case("error(exception), raised again, the second of two, in a coroutine: that very object")
def error_exception():
    lua = LuaRuntime()
    one, two = KeyError(1), KeyError(2)
    lua.globals().one, lua.globals().two = raiser(one), raiser(two)
    assert error_of(lua.execute, "local _, e = pcall(one) error(e)") is one
    assert error_of(lua.execute, "local _, e = pcall(one) local _, f = pcall(two) error(e)") is one
    assert error_of(lua.execute, "local _, e = pcall(one) local _, f = pcall(two) error(f)") is two
    assert error_of(lua.execute, "error(...)", one) is one
    assert error_of(next, lua.eval("function() one() end").coroutine()) is one


@case("a message that is not valid in the encoding is a LuaError still")
def undecodable():
    for lua in [LuaRuntime(), LuaRuntime(encoding="ascii")]:
        for use in [
            lambda: lua.execute("error('\\255', 0)"),
            lambda: next(lua.eval("function() error('\\255') end").coroutine()),
        ]:
            assert type(error_of(use)) is LuaError


@case("integers beyond 2**53 are passed if exact, or refused")
def integers():
    lua = LuaRuntime()
    assert lua.eval("...", 2**53) == 2**53 and lua.eval("...", 2**60) == 2**60
    for number in [2**53 + 1, -(2**53) - 1, 2**63 - 1, 2**100]:
        assert isinstance(error_of(lua.eval, "...", number), OverflowError)
        assert LuaRuntime(overflow_handler=str).eval("...", number) == str(number)
    assert lupa.LUA_MAXINTEGER == 2**53


@case("mode='t' refuses bytecode with LuaSyntaxError")
def text_mode():
    lua = LuaRuntime(encoding=None)
    bytecode = lua.eval("string.dump(function() return 42 end)")
    assert type(error_of(lua.execute, bytecode, mode="t")) is lupa.LuaSyntaxError
    assert lua.execute(bytecode) == 42


@case("wrappers of one Lua object are equal, hash alike, and can be referred to weakly")
def identity():
    lua = LuaRuntime()
    for code in ["{}", "print", "function() end", "newproxy()"]:
        lua.execute(f"kept = {code}")
        one, two = lua.eval("kept"), lua.eval("kept")
        assert (
            one == two
            and hash(one) == hash(two)
            and len({one, two}) == 1
            and weakref.ref(one)() is one
        )
        assert one != lua.table() and one != 5


@case("shared and cyclic data become shared and cyclic tables", new=True)
def shared_data():
    lua = LuaRuntime()
    shared = [1]
    data = {"a": shared, "b": shared}
    data["self"] = data
    table = lua.table_from(data, recursive=True)
    assert table.a == table.b and table.self == table and table.self.self.b[1] == 1


@case("metatables of wrapped objects are locked")
def locked():
    lua = LuaRuntime()
    for thing in ([1], object(), print):
        assert not lua.eval("type(getmetatable(...)) == 'table'", thing)
        assert not lua.eval("pcall(setmetatable, ..., {})", thing)[0]
    assert lua.eval("(...)[0]", [5]) == 5


@case("python.enumerate over a generator that calls Lua counts rightly")
def enumerate_generator():
    lua = LuaRuntime()
    items = (lua.eval("string.upper(...)", item) for item in "abc")
    joined = lua.execute(
        "local s = '' for i, x in python.enumerate(...) do s = s .. i .. x end return s", items
    )
    assert joined == "0A1B2C"


@case("many large temporaries do not pile up, even when Lua's own heap is large")
def temporaries():
    lua = LuaRuntime()
    lua.execute("heap = {} for i = 1, 300000 do heap[i] = {i} end collectgarbage()")
    alive = peak = 0

    class Temporary(bytearray):
        def __init__(self):
            super().__init__(10_000)
            nonlocal alive, peak
            alive += 1
            peak = max(peak, alive)

        def __del__(self):
            nonlocal alive
            alive -= 1

    take = lua.eval("function(x) local t = {x} end")
    for _ in range(100_000):
        take(Temporary())
    collect(lua)
    assert alive == 0
    assert peak < 20_000, f"{peak} of 100000 alive at once"
    return f"{peak} of 100000 alive at once"


@case("close(), with: nothing of the runtime works after, and everything is freed", new=True)
def close():
    with LuaRuntime() as lua:
        table = lua.table(1)
    assert isinstance(error_of(lambda: table[1]), LuaError) and isinstance(
        error_of(lua.eval, "1"), LuaError
    )


@case("the new exceptions are what they should be", new=True)
def classes():
    lua = LuaRuntime()
    start = time.monotonic()
    error = error_of(lua.execute, "while true do end", timeout=0.1)
    assert (
        isinstance(error, TimeoutError)
        and isinstance(error, LuaError)
        and time.monotonic() - start < 5
    )
    assert issubclass(lupa.LuaInterruptedError, LuaError) and issubclass(
        lupa.LuaMemoryError, MemoryError
    )
    assert lua.eval("9223372036854775807LL") == 2**63 - 1
