"""Lua tables as Python collections: iteration, len, `in`, truth, types."""

import collections.abc
import decimal
import enum
import fractions
import json
import math

import pytest

import lupa


@pytest.fixture
def table(lua):
    return lua.eval("{10, 20, 30, name = 'n', [-3] = 'minus', [1.5] = 'half', [true] = 'yes'}")


def has_protocol(obj):
    return hasattr(obj, "keys") and hasattr(obj, "__getitem__")


# iterating


def test_iterating_gives_keys(lua):
    assert list(lua.eval("{10, 20, 30}")) == [1, 2, 3]
    assert sorted(lua.eval("{a = 1, b = 2}")) == ["a", "b"]
    assert list(lua.table()) == []


def test_keys_values_items(lua):
    table = lua.eval("{10, 20, a = 'x'}")
    assert list(table.keys()) == [1, 2, "a"]
    assert list(table.values()) == [10, 20, "x"]
    assert list(table.items()) == [(1, 10), (2, 20), ("a", "x")]


def test_constructors_of_python_collections(lua):
    table = lua.eval("{a = 1, b = 2}")
    assert dict(table) == {"a": 1, "b": 2}
    assert dict(table.items()) == {"a": 1, "b": 2}
    assert set(table) == {"a", "b"}
    assert sorted(table.values()) == [1, 2]
    assert {**table} == {"a": 1, "b": 2}
    assert sorted([*table]) == ["a", "b"]
    assert json.dumps(dict(lua.eval("{a = 1}"))) == '{"a": 1}'


def test_iterators_are_iterators(table):
    iterator = table.items()
    assert iter(iterator) is iterator
    assert type(next(iterator)) is tuple
    assert repr(iter(table)) == f"LuaIter({table!r})"


def test_iterators_end_for_good(lua):
    iterator = iter(lua.eval("{1}"))
    assert next(iterator) == 1
    for _ in range(3):
        with pytest.raises(StopIteration):
            next(iterator)


def test_iterators_are_independent(lua):
    table = lua.eval("{10, 20, 30}")
    first, second = iter(table), table.values()
    assert [next(first), next(second), next(first), next(second)] == [1, 10, 2, 20]
    assert list(first) == [3] and list(second) == [30]


def test_iterating_while_holding_other_wrappers(lua):
    table = lua.eval("{}")
    for number in range(1, 101):
        table[number] = lua.table(number)
    held = [table[number] for number in range(1, 101)]
    others = [lua.eval("...", table) for _ in range(10)]
    assert [value[1] for value in table.values()] == list(range(1, 101))
    assert [inner[1] for _, inner in others[5].items()] == [item[1] for item in held]


def test_changing_and_clearing_existing_fields_while_iterating(lua):
    table = lua.table(*range(1, 51))
    for key, value in table.items():
        table[key] = None if value % 2 else value * 10
    assert sorted(table.values()) == [number * 10 for number in range(2, 51, 2)]


def test_an_iterator_keeps_its_table(lua):
    iterator = lua.eval("{1, 2, 3}").values()
    lua.gccollect()
    assert list(iterator) == [1, 2, 3]


def test_iterators_cannot_be_made_by_hand(table):
    with pytest.raises(TypeError):
        type(table.keys())()


def test_iteration_ignores_index_metamethods(lua):
    assert list(lua.eval("setmetatable({1}, {__index = {a = 1}})")) == [1]


# len, in, truth, comparison with types


@pytest.mark.parametrize(
    "code, length",
    [
        ("{}", 0),
        ("{1, 2, 3}", 3),
        ("{a = 1}", 0),
        ("{1, 2, a = 1}", 2),
        ("{[20] = 1, [3] = 1}", 0),
    ],
)
def test_len_is_lua_s_length(lua, code, length):
    assert len(lua.eval(code)) == length


def test_len_of_other_objects(lua):
    assert len(lua.eval("print")) == 0
    assert len(lua.eval("coroutine.create(function() end)")) == 0


def test_lengths_that_are_none_in_python(lua):
    new = lua.eval(
        "function(n) local p = newproxy(true) getmetatable(p).__len = function() return n end return p end"
    )
    for length in (2.0**63, 1e300):
        with pytest.raises(OverflowError):
            len(new(length))
        with pytest.raises(OverflowError):
            new(length).__len__()
    assert len(new(2**53)) == 2**53


@pytest.mark.parametrize(
    "name, use, expected",
    [
        ("__getitem__", "table[1]", "11"),
        ("__len__", "len(table)", "2"),
        ("__getattribute__", "table.a", "5"),
        ("__setitem__", "table.__class__.__setitem__(table, 1, 12)", "None"),
        ("__setattr__", "setattr(table, 'a', 6)", "None"),
        ("__iter__", "list(table)", "[1, 2, 'a']"),
        ("__next__", "next(iter(table))", "1"),
    ],
)
def test_methods_of_classes_can_be_replaced(output_of, name, use, expected):
    """As mocks do it. Breaks (recurses until the process dies) if a method comes back to itself by CPython's slot."""
    code = """
        import sys
        from unittest.mock import patch
        from lupa import LuaRuntime

        table = LuaRuntime().table(11, 12, a=5)
        name, use = sys.argv[1:]
        cls = type(iter(table)) if name == "__next__" else type(table)
        with patch.object(cls, name, lambda *_: 7 if name != "__iter__" else iter("7")):
            print(eval(use))
        print(eval(use))
        print(eval(use))
    """
    assert output_of(code, name, use)[1:] == [expected] * 2


def test_tables_are_always_true(lua):
    assert bool(lua.table()) is True
    assert bool(lua.table(1)) is True


def test_in_looks_at_the_keys(table):
    assert 1 in table and "name" in table and 1.5 in table and True in table and -3 in table
    assert 10 not in table and "n" not in table and 4 not in table and None not in table


def test_in_compares_as_python_does(lua):
    table = lua.eval("{'a'}")
    assert 1 in table and 1.0 in table and True in table
    assert "1" not in table and 2 not in table
    assert True not in lua.eval("{x = 1}")
    assert 1 in lua.eval("{[true] = 'yes'}")
    table[None] = 1
    assert None in table


def test_in_uses_the_equality_of_the_object(lua):
    class Always:
        __hash__ = None

        def __eq__(self, other):
            return other == "b"

    assert Always() in lua.eval("{a = 1, b = 2}")
    assert Always() not in lua.eval("{a = 1}")


def test_in_finds_python_keys(lua):
    key, table = (1, 2), lua.table()
    table[key] = 1
    assert key in table and (1, 2) in table and (1, 3) not in table


KEYS = [
    *["a", "ä", "\udc80", "", "1", b"a", b"\xe4", b""],
    *[0, 1, -1, 2**53, 2**53 + 1, 2**54, 2**64, 10**400],
    *[0.0, -0.0, 1.0, 1.5, math.inf, -math.inf, math.nan, float(2**54)],
    *[
        True,
        False,
        None,
        fractions.Fraction(3, 2),
        decimal.Decimal(1),
        enum.IntEnum("E", "one").one,
    ],
    *[(1, 2), print, [1], type("Text", (str,), {})("a")],
]


class EqualToA:
    __hash__ = None

    def __eq__(self, other):
        return other == "a"


@pytest.mark.parametrize("encoding", ["UTF-8", "latin-1", None])
@pytest.mark.parametrize(
    "more", ["", "t[fraction] = 1", "t[require('ffi').new('int64_t', 7)] = 1", "t[equal_to_a] = 1"]
)
def test_in_is_what_a_scan_over_the_keys_says(encoding, more):
    lua = lupa.LuaRuntime(encoding=encoding)
    lua.globals().equal_to_a = EqualToA()
    lua.globals().fraction = fractions.Fraction(3, 2)
    own = lua.table()
    other = lupa.LuaRuntime().table()
    probes = [*KEYS, 7, lua.table(), own, other, lua.globals().print, EqualToA()]
    for entries in ["", "t.a = 1", "t['\\195\\164'] = 1 t[''] = 1", "t[1] = 1", "t[0] = 1 t[true] = 1", "t[false] = 1",
                    "t[2^53] = 1 t[2^54] = 1", "t[1/0] = 1 t[1.5] = 1", "t[own] = 1 t[print] = 1"]:  # fmt: skip
        table = lua.execute(f"local own = ... local t = {{}} {entries} {more} return t", own)
        for probe in probes:
            assert (probe in table) == any(key == probe for key in table), (probe, list(table))


def test_in_is_a_look_up(lua):
    """Breaks if keys are converted one by one: the one that cannot be decoded is an error then."""
    table = lua.eval(r"{['\255'] = 1, a = 2}")
    assert "a" in table and "b" not in table and 5 not in table
    lua.globals().object = decimal.Decimal(1)
    with pytest.raises(UnicodeDecodeError):
        assert "b" in table
    lua.globals().object = None
    lua.gccollect()
    assert "b" not in table


def test_in_asks_no_metamethods(lua):
    assert "a" not in lua.execute("return setmetatable({}, {__index = function() error('x') end})")


def test_abstract_base_classes(table):
    assert isinstance(table, collections.abc.Iterable)
    assert isinstance(table, collections.abc.Sized)
    assert isinstance(table, collections.abc.Callable)
    assert not isinstance(table, (collections.abc.Mapping, collections.abc.Sequence))


def test_every_table_has_one_type(lua):
    assert isinstance(lua.globals(), type(lua.table()))
    assert isinstance(lua.eval("{}"), type(lua.table_from([])))
    assert not isinstance(lua.eval("print"), type(lua.table()))


def test_keyword_arguments_from_a_table(lua):
    def show(**kwargs):
        return kwargs

    assert show(**lua.eval("{a = 1, b = 'x'}")) == {"a": 1, "b": "x"}
