"""Deliberate differences (design, section 5): integers, identity of wrappers, table_from."""

import collections.abc
import weakref

import pytest

import lupa
from lupa import LuaRuntime

# integers


@pytest.mark.parametrize("value", [2**53 + 1, -(2**53) - 1, 2**60 + 1, 2**63 - 1])
def test_ints_that_a_double_cannot_hold_overflow(lua, value):
    with pytest.raises(OverflowError):
        lua.eval("...", value)
    assert LuaRuntime(overflow_handler=str).eval("...", value) == str(value)


@pytest.mark.parametrize(
    "value", [2**53, -(2**53), 2**53 + 2, 2**60, 3 * 2**60, -(2**62), -(2**63)]
)
def test_large_ints_that_a_double_holds_exactly_pass(lua, value):
    result = lua.eval("...", value)
    assert result == value and type(result) is int


def test_bounds_of_exact_integers():
    assert (lupa.LUA_MININTEGER, lupa.LUA_MAXINTEGER) == (-(2**53), 2**53)


@pytest.mark.parametrize(
    "code, expected",
    [
        ("1LL", 1),
        ("-1LL", -1),
        ("1ULL", 1),
        ("9223372036854775807LL", 2**63 - 1),
        ("-9223372036854775807LL - 1", -(2**63)),
        ("18446744073709551615ULL", 2**64 - 1),
        ("2LL ^ 62", 2**62),
    ],
)
def test_64_bit_ffi_integers_become_int(lua, code, expected):
    lua.execute("ffi = require('ffi')")
    value = lua.eval(code)
    assert value == expected and type(value) is int
    assert lua.eval(f"{{x = {code}}}").x == expected
    assert lua.eval(f"(...)({code})", lambda x: x + 1 == expected + 1) is True


def test_other_cdata_stays_an_object(lua):
    assert lupa.lua_type(lua.eval("require('ffi').new('int64_t[1]', 5)")) == "cdata"
    assert lua.eval("require('ffi').new('int64_t[1]', 5)[0]") == 5


# identity of wrappers


@pytest.mark.parametrize("code", ["_G", "print", "io.stdout", "string.format", "require('ffi').C"])
def test_wrappers_of_one_object_are_equal(lua, code):
    first, second = lua.eval(code), lua.eval(code)
    assert first == second and not first != second
    assert hash(first) == hash(second)
    assert len({first, second}) == 1
    assert {first: "found"}[second] == "found"


def test_wrappers_of_different_objects_are_unequal(lua):
    assert lua.table() != lua.table()
    assert lua.eval("print") != lua.eval("type")
    assert lua.table() != {} and lua.table() != 1 and lua.table() is not None
    assert lua.globals() != LuaRuntime().globals()


def test_equality_ignores_metamethods(lua):
    make = lua.eval(
        "function() return setmetatable({}, {__eq = function() error('asked') end}) end"
    )
    first, second = make(), make()
    assert first != second and first == lua.eval("...", first)


def test_coroutines_are_equal_by_identity(lua):
    coroutine = lua.eval("function() coroutine.yield(1) coroutine.yield(2) end").coroutine()
    next(coroutine)
    assert lua.eval("...", coroutine) == coroutine
    assert hash(lua.eval("...", coroutine)) == hash(coroutine)


def test_weak_references(lua):
    table, function = lua.table(), lua.eval("print")
    coroutine = lua.eval("function() end").coroutine()
    refs = [weakref.ref(obj) for obj in [table, function, coroutine, lua]]
    assert [ref() for ref in refs] == [table, function, coroutine, lua]
    del table, function, coroutine
    assert [ref() for ref in refs] == [None, None, None, lua]


# table_from


def test_shared_data_becomes_one_table(lua):
    shared = [1, 2]
    table = lua.table_from({"a": shared, "b": shared, "c": [shared]}, recursive=True)
    assert table.a == table.b == table.c[1]
    assert list(table.b.values()) == [1, 2]


def test_equal_data_that_is_not_shared_becomes_two_tables(lua):
    table = lua.table_from([[1], [1]], recursive=True)
    assert table[1] != table[2]


def test_inner_cycles(lua):
    inner = {"name": "inner"}
    inner["list"] = [inner]
    table = lua.table_from({"x": inner}, recursive=True)
    assert table.x.list[1] == table.x
    assert table.x.list[1].list[1].name == "inner"


def test_the_same_source_twice(lua):
    source = [1, [2]]
    table = lua.table_from(source, source, recursive=True)
    assert (len(table), table[1], table[3]) == (4, 1, 1)
    assert table[2] == table[4]


def test_temporary_items_of_a_mapping_are_not_confused(lua):
    class Mapping(collections.abc.Mapping):
        def __getitem__(self, key):
            return [key]

        def __iter__(self):
            return iter(range(100))

        def __len__(self):
            return 100

    table = lua.table_from(Mapping(), recursive=True)
    assert [table[number][1] for number in range(100)] == list(range(100))


def test_data_that_is_too_deep(output_of):
    assert output_of("""
        from lupa import LuaRuntime

        lua = LuaRuntime()
        for kind in [lambda inner: [inner], lambda inner: {"x": inner}]:
            nested = kind(1)
            for _ in range(100_000):
                nested = kind(nested)
            try:
                lua.table_from(nested, recursive=True)
            except RecursionError:
                print("too deep")
        print(lua.eval("1 + 1"))
    """) == ["too deep", "too deep", "2"]


def test_a_source_may_use_the_runtime(lua):
    def numbers():
        for number in range(3):
            yield lua.eval("...", number)
            lua.gccollect()

    assert list(lua.table_from(numbers()).values()) == [0, 1, 2]
