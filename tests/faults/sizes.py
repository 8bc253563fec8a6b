"""Very many of anything: arguments, results, keys, elements, characters, wrappers."""

from faults.common import LuaError, LuaRuntime, check_usable, collect, error_of, lupa
from faults.registry import case

MANY = 10**6


@case("a million arguments: passed, or LuaError", limit=120)
def arguments():
    lua = LuaRuntime()
    count = lua.eval("function(...) return select('#', ...) end")
    assert count(*range(5000)) == 5000
    numbers = range(MANY)
    for use in [
        lambda: count(*numbers),
        lambda: lua.eval("select('#', ...)", *numbers),
        lambda: lua.execute("return select('#', ...)", *numbers),
        lambda: next(
            lua.eval("function(...) coroutine.yield(select('#', ...)) end").coroutine(*numbers)
        ),
    ]:
        try:
            assert use() == MANY
        except (LuaError, MemoryError):
            pass
    assert len(lua.table(*numbers)) == MANY
    check_usable(lua)


@case("a million arguments sent to a coroutine, and yielded by it: passed, or LuaError")
def sent():
    lua = LuaRuntime()
    coroutine = lua.eval(
        "function() local n = 0 while true do n = select('#', coroutine.yield(n)) end end"
    ).coroutine()
    next(coroutine)
    assert coroutine.send(tuple(range(2000))) == 2000
    error_or = []
    try:
        assert coroutine.send(tuple(range(MANY))) == MANY
    except (LuaError, MemoryError) as error:
        error_or.append(error)
    yielding = lua.eval("function(t, n) coroutine.yield(unpack(t, 1, n)) end")
    table = lua.table_from(range(MANY))
    assert len(next(yielding.coroutine(table, 5000))) == 5000
    assert isinstance(error_of(next, yielding.coroutine(table, MANY)), LuaError)
    check_usable(lua)


@case("a million results: passed, or LuaError")
def results():
    lua = LuaRuntime()
    table = lua.table_from(range(MANY))
    unpack = lua.eval("function(t, n) return unpack(t, 1, n) end")
    assert len(unpack(table, 7000)) == 7000
    assert isinstance(error_of(unpack, table, MANY), LuaError)
    unpacking = LuaRuntime(unpack_returned_tuples=True)
    count = unpacking.eval("function(f) return select('#', f()) end")
    assert count(lambda: tuple(range(5000))) == 5000
    try:
        assert count(lambda: tuple(range(MANY))) == MANY
    except (LuaError, MemoryError):
        pass
    check_usable(lua)
    check_usable(unpacking)


@case("callbacks with very many arguments, by Lua and by **kwargs")
def callbacks():
    lua = LuaRuntime()
    call = lua.eval("function(f, t, n) return f(unpack(t, 1, n)) end")
    table = lua.table_from(range(MANY))
    assert call(lambda *args: len(args), table, 7000) == 7000
    assert isinstance(error_of(call, lambda *args: len(args), table, MANY), LuaError)
    keyed = lua.table_from({f"key{n}": n for n in range(100_000)})
    assert (
        lua.eval("function(f, t) return f(python.args(t)) end")(lambda **kw: len(kw), keyed)
        == 100_000
    )
    many = lua.eval("function(f, t) return f(python.args(t)) end")
    assert many(lambda *args: len(args), table) == MANY
    check_usable(lua)


@case("tables with a million keys of each kind: made, read, iterated, emptied", limit=120)
def keys():
    lua = LuaRuntime()
    for source in [
        range(MANY),
        {f"k{n}": n for n in range(MANY)},
        {n + 0.5: n for n in range(MANY)},
    ]:
        table = lua.table_from(source)
        assert sum(1 for _ in table) == MANY
        assert sum(table.values()) == sum(range(MANY))
    for key, _ in table.items():
        del table[key]
    assert list(table) == []
    objects = [object() for _ in range(100_000)]
    table = lua.table_from(objects)
    assert all(a is b for a, b in zip(table.values(), objects))
    table = lua.table_from({o: o for o in objects})
    assert all(a is b for a, b in table.items())
    check_usable(lua)


@case("strings of 100 MB each way, with limits and without", limit=120)
def strings():
    lua = LuaRuntime()
    text = "x" * 100_000_000
    assert lua.eval("#(...)", text) == len(text)
    assert lua.eval("('x'):rep(...)", 10_000_000) == text[:10_000_000]
    table = lua.table()
    table[text] = text
    assert table[text] is not None
    del table[text], table, text
    assert isinstance(error_of(lua.eval, "('x'):rep(2^31 - 1)"), LuaError)
    collect(lua)
    check_usable(lua)


@case("source text of 50 MB, and with too many constants, locals, upvalues: run, or LuaSyntaxError")
def source():
    lua = LuaRuntime()
    assert lua.execute("return 1 " + " " * 50_000_000) == 1
    assert lua.eval("#'" + "x" * 20_000_000 + "'") == 20_000_000
    assert len(lua.execute("return {" + "1," * 1_000_000 + "}")) == 1_000_000
    for code in [
        "return {" + ",".join(f"'{n}'" for n in range(100_000)) + "}",
        "local x0 " + " ".join(f"local x{n}" for n in range(300)),
        "return " + " + ".join(["1"] * 100_000),
        "return " + " .. ".join(["'x'"] * 100_000),
        "return " + "not " * 100_000 + "1",
        "f(" + "1," * 1000 + "1)",
        "while true do " * 1000,
        "goto x " + "do " * 100_000,
    ]:
        try:
            lua.execute(code)
        except LuaError:
            pass
    check_usable(lua)


@case("a hundred thousand wrappers of each kind at once")
def wrappers():
    lua = LuaRuntime()
    make = lua.eval(
        "function(n) return {n}, function() return n end, coroutine.create(function() return n end), newproxy() end"
    )
    kept = [make(n) for n in range(100_000)]
    assert all(
        table[1] == n and function() == n
        for n, (table, function, _, _) in enumerate(kept[::97])
        for n in [n * 97]
    )
    for step in range(2, 6):
        del kept[::step]
        collect(lua)
        kept.extend(make(n) for n in range(1000))
    kept.clear()
    collect(lua)
    check_usable(lua)


@case("two hundred runtimes at once, and two thousand one after the other", limit=120)
def runtimes():
    many = [LuaRuntime() for _ in range(200)]
    tables = [lua.table(n) for n, lua in enumerate(many)]
    many.clear()
    assert [table[1] for table in tables] == list(range(200))
    tables.clear()
    for number in range(2000):
        assert LuaRuntime().eval("...", number) == number


@case("numbers at every edge are passed exactly, or refused")
def numbers():
    lua = LuaRuntime()
    echo = lua.eval("function(x) return x end")
    for exponent in range(1100):
        for offset in (-1, 0, 1):
            for sign in (1, -1):
                number = sign * (2**exponent + offset)
                try:
                    assert echo(number) == number, number
                except OverflowError:
                    assert abs(number) > 2**53, number
    for number in [5e-324, 1.7976931348623157e308, float("inf"), -float("inf"), -0.0, 1e15 + 0.5]:
        assert str(echo(number)) in (str(number), str(int(number)) if number == 0 else str(number))
    assert echo(float("nan")) != echo(float("nan"))
    check_usable(lua)


@case("int64 and uint64 of the FFI library arrive as the integers that they are", new=True)
def ffi_integers():
    lua = LuaRuntime()
    for code, value in [
        ("9223372036854775807LL", 2**63 - 1),
        ("-9223372036854775807LL - 1", -(2**63)),
        ("18446744073709551615ULL", 2**64 - 1),
        ("0ULL", 0),
    ]:
        assert lua.eval(code) == value
    assert hasattr(lupa, "LuaTimeoutError")
