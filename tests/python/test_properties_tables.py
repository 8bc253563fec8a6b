"""Properties of tables: what goes in comes out, and a table behaves as a dict with Lua's keys."""

import math

import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from lupa import LuaError, LuaRuntime, lua_type

texts = st.text("abcxyz_01 \u00e4\u20ac\U0001f600", max_size=6)
ints = st.integers(-(2**53), 2**53)
halves = st.integers(-10, 10).map(lambda number: number / 2)
scalars = st.one_of(st.booleans(), ints, texts, st.floats(allow_nan=False))


class Thing:
    """An object that is itself alone, as Lua sees objects."""


@pytest.fixture(scope="module")
def lua():
    return LuaRuntime()


def lua_key(key):
    """The key under which Lua has what Python calls `key`; no two are equal unless Lua's are."""
    if isinstance(key, bool):
        return (bool, key)
    if isinstance(key, (int, float)):
        return (float, float(key))
    if isinstance(key, bytes):
        return (str, key.decode())
    if isinstance(key, str):
        return (str, key)
    return (object, None if key is None else id(key))


def key_from_lua(key):
    """What Python gets for a key that it has set."""
    if isinstance(key, bytes):
        return key.decode()
    if isinstance(key, float) and key.is_integer() and -(2.0**63) <= key < 2.0**63:
        return int(key)
    return key


def same_scalar(result, value):
    """Whether `result` is what a number, a string or a truth value becomes on its way."""
    expected = key_from_lua(value)
    return type(result) is type(expected) and result == expected


# making tables from Python's data

nested = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.one_of(texts, ints), inner, max_size=4),
    ),
    max_leaves=20,
)


def items_of(data):
    """The keys and values of a table made from a list, a tuple or a dict."""
    return dict(data) if isinstance(data, dict) else dict(enumerate(data, 1))


def matches(result, data):
    if not isinstance(data, (list, tuple, dict)):
        return same_scalar(result, data)
    items = items_of(data)
    return (
        lua_type(result) == "table"
        and set(result.keys()) == set(items)
        and all(matches(result[key], value) for key, value in items.items())
    )


@given(st.one_of(st.lists(nested, max_size=5), st.dictionaries(texts, nested, max_size=5)))
def test_table_from_recursive(lua, data):
    assert matches(lua.table_from(data, recursive=True), data)


@given(st.one_of(st.lists(nested, max_size=5), st.dictionaries(texts, nested, max_size=5)))
def test_table_from_keeps_what_is_inside(lua, data):
    table = lua.table_from(data)
    items = items_of(data)
    assert set(table) == set(items)
    for key, value in items.items():
        if isinstance(value, (list, tuple, dict)):
            assert table[key] is value
        else:
            assert matches(table[key], value)


@given(
    st.lists(st.one_of(st.lists(scalars, max_size=4), st.dictionaries(texts, scalars)), max_size=4)
)
def test_table_from_several_sources(lua, sources):
    expected, position = {}, 1
    for source in sources:
        if isinstance(source, dict):
            expected.update(source)
        else:
            for value in source:
                expected[position] = value
                position += 1
    table = lua.table_from(*sources)
    assert set(table) == set(expected)
    assert all(matches(table[key], value) for key, value in expected.items())


@given(st.lists(scalars, max_size=10), st.dictionaries(texts, scalars, max_size=5))
def test_table_of_arguments(lua, values, named):
    table = lua.table(*values, **named)
    assert len(table) == len(values)
    assert all(map(matches, list(table.values())[: len(values)], values))
    assert all(matches(table[name], value) for name, value in named.items())


@given(st.dictionaries(st.one_of(texts, ints), scalars, max_size=10))
def test_every_way_to_read_a_table_agrees(lua, data):
    table = lua.table_from(data)
    keys = list(table)
    assert list(table.keys()) == keys
    assert list(table.items()) == list(zip(keys, table.values()))
    assert dict(table) == dict(table.items()) == {key: table[key] for key in keys}
    names = [key for key in keys if isinstance(key, str) and key not in ("keys", "values", "items")]
    assert all(getattr(table, name) == table[name] for name in names if not name.startswith("__"))
    count = lua.eval("function(t) local n = 0 for _ in pairs(t) do n = n + 1 end return n end")
    assert count(table) == len(keys) == len(data)


@given(st.lists(st.one_of(scalars, st.none()), max_size=12))
def test_lua_side_copies(lua, values):
    """Lua code that reads Python's table and writes another one loses nothing."""
    copy = lua.eval("function(t) local c = {} for k, v in pairs(t) do c[k] = v end return c end")
    source = lua.table(*values)
    assert dict(copy(source)) == dict(source)
    assert set(source) == {place for place, value in enumerate(values, 1) if value is not None}


# a table beside a dict


class TableBesideDict(RuleBasedStateMachine):
    """The same changes to a Lua table and to a dict, from Python and from Lua code."""

    objects = Bundle("objects")
    keys = st.one_of(st.booleans(), st.integers(-3, 8), halves, texts, texts.map(str.encode))
    keys = st.one_of(keys, objects, st.none())
    values = st.one_of(scalars, objects)

    def __init__(self):
        super().__init__()
        self.lua = LuaRuntime()
        self.table = self.lua.table()
        self.from_lua = self.lua.eval(
            "function(t, k, v) if k == nil then k = python.none end t[k] = v end"
        )
        self.model = {}  # of lua_key(key): (key, value)

    @initialize(target=objects)
    def first_object(self):
        return Thing()

    @rule(target=objects, choice=st.sampled_from([Thing, list, dict, lambda: (1, 2), lambda: len]))
    def another_object(self, choice):
        return choice()

    def remember(self, key, value):
        if value is None:
            self.model.pop(lua_key(key), None)
        else:
            # Lua keeps the key that was there first; for Python, both are equal.
            self.model[lua_key(key)] = (key_from_lua(key), value)

    @rule(key=keys, value=values)
    def set_item(self, key, value):
        self.table[key] = value
        self.remember(key, value)

    @rule(key=keys, value=values)
    def set_in_lua(self, key, value):
        self.from_lua(self.table, key, value)
        self.remember(key, value)

    @rule(name=texts.filter(lambda name: not name.startswith("__")), value=values)
    def set_attribute(self, name, value):
        setattr(self.table, name, value)
        self.remember(name, value)

    @rule(key=keys)
    def delete(self, key):
        del self.table[key]
        self.remember(key, None)

    @rule(key=keys)
    def set_to_none(self, key):
        self.table[key] = None
        self.remember(key, None)

    @rule(value=scalars)
    def append(self, value):
        place = len(self.table) + 1
        # Not `in`, to which a key `true` is 1.
        assert self.table[place] is None
        self.table[place] = value
        self.remember(place, value)

    @rule()
    def clear_while_iterating(self):
        for key in self.table:
            del self.table[key]
        self.model.clear()

    @rule()
    def collect(self):
        self.lua.gccollect()

    @rule(key=keys)
    def get(self, key):
        _, value = self.model.get(lua_key(key), (None, None))
        if isinstance(value, (bool, int, float, str, bytes, type(None))):
            assert self.table[key] == key_from_lua(value)
        else:
            assert self.table[key] is value

    @rule(key=keys)
    def contains(self, key):
        """`in` compares with Python's equality, as a list of the keys would."""
        assert (key in self.table) == (key in [there for there, _ in self.model.values()])

    @invariant()
    def same_items(self):
        found = {lua_key(key): value for key, value in self.table.items()}
        assert found.keys() == self.model.keys()
        for key, (_, value) in self.model.items():
            assert found[key] is value or same_scalar(found[key], value)

    @invariant()
    def length_is_a_border(self):
        length = len(self.table)
        assert length == 0 or (float, float(length)) in self.model
        assert (float, float(length + 1)) not in self.model

    def teardown(self):
        self.lua.close()


TestTableBesideDict = TableBesideDict.TestCase
TestTableBesideDict.settings = settings(max_examples=30, stateful_step_count=40)


def test_nan_is_no_key(lua):
    table = lua.table(1, x=2)
    assert table[math.nan] is None and math.nan not in table
    with pytest.raises(LuaError, match="NaN"):
        table[math.nan] = 1
    assert dict(table) == {1: 1, "x": 2}
