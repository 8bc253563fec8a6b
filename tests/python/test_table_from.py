"""Making tables from Python: table() and table_from()."""

import collections

import pytest

from lupa import LuaError, LuaRuntime


class OwnMapping(collections.abc.Mapping):
    def __init__(self, **items):
        self._items = items

    def __getitem__(self, key):
        return self._items[key]

    def __iter__(self):
        return iter(self._items)

    def __len__(self):
        return len(self._items)


def plain(value):
    """Copy a table and the tables in it into dicts."""
    return (
        {key: plain(item) for key, item in value.items()}
        if type(value).__name__ == "_LuaTable"
        else value
    )


def test_table_of_nothing(lua):
    assert dict(lua.table()) == {}
    assert dict(lua.table_from()) == {}
    assert dict(lua.table_from([])) == dict(lua.table_from({})) == {}


def test_table_of_positional_and_keyword_arguments(lua):
    assert dict(lua.table(1, "b", a=3)) == {1: 1, 2: "b", "a": 3}
    assert len(lua.table(1, 2, 3)) == 3


def test_none_makes_a_hole(lua):
    assert dict(lua.table(1, None, 3, a=None)) == {1: 1, 3: 3}
    assert dict(lua.table_from([None, 2])) == {2: 2}
    assert dict(lua.table_from({"a": None, "b": 1})) == {"b": 1}


def test_none_as_a_key(lua):
    assert dict(lua.table_from({None: 1})) == {None: 1}


def test_each_table_is_a_new_one(lua):
    assert lua.eval("function(a, b) return rawequal(a, b) end")(lua.table(), lua.table()) is False


@pytest.mark.parametrize(
    "source, expected",
    [
        ([1, 2], {1: 1, 2: 2}),
        ((1, 2), {1: 1, 2: 2}),
        ({"a": 1, 2: "b"}, {"a": 1, 2: "b"}),
        ("ab", {1: "a", 2: "b"}),
        (b"ab", {1: 97, 2: 98}),
        (range(3), {1: 0, 2: 1, 3: 2}),
        ({5}, {1: 5}),
        (collections.OrderedDict(a=1), {"a": 1}),
        (collections.defaultdict(int, a=1), {"a": 1}),
        (collections.ChainMap({"a": 1}, {"b": 2}), {"a": 1, "b": 2}),
        (OwnMapping(a=1), {"a": 1}),
        (collections.deque([1, 2]), {1: 1, 2: 2}),
        ({"a": 1}.keys(), {1: "a"}),
        ({"a": 1}.items(), {1: ("a", 1)}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_sources(lua, source, expected):
    assert dict(lua.table_from(source)) == expected


def test_generators_are_sources(lua):
    assert list(lua.table_from(x * x for x in range(4)).values()) == [0, 1, 4, 9]


def test_tables_are_sources(lua):
    source = lua.eval("{10, 20, a = 'x', [-1] = true}")
    copy = lua.table_from(source)
    assert dict(copy) == dict(source)
    copy.a = "changed"
    assert source.a == "x"


def test_several_sources_are_merged(lua):
    merged = lua.table_from([1, 2], (3,), {"a": 1, "b": 2}, "x", {"a": "new"})
    assert dict(merged) == {1: 1, 2: 2, 3: 3, 4: "x", "a": "new", "b": 2}


def test_mappings_do_not_move_the_index(lua):
    assert dict(lua.table_from({1: "one", 2: "two"}, ["first"])) == {1: "first", 2: "two"}
    assert dict(lua.table_from(lua.table(1, 2, 3), [9])) == {1: 9, 2: 2, 3: 3}


@pytest.mark.parametrize("source", [None, 1, object(), len, 1.5])
def test_what_is_no_source(lua, source):
    with pytest.raises(TypeError, match="object is not iterable"):
        lua.table_from(source)
    assert lua.eval("1") == 1


def test_unknown_keywords_are_refused(lua):
    with pytest.raises(TypeError):
        lua.table_from([], deep=True)


@pytest.mark.parametrize(
    "change", [lambda d: d.update(new=1), lambda d: d.clear()], ids=["grows", "shrinks"]
)
def test_a_dict_that_changes_meanwhile(change):
    """As in a loop in Python, where no entry gets lost in silence. Breaks if the size is not looked at."""
    source = {f"key {i}": i for i in range(100)}
    source["key 50"] = 10**30
    lua = LuaRuntime(overflow_handler=lambda _: change(source))
    with pytest.raises(RuntimeError, match="dictionary changed size during iteration"):
        lua.table_from(source)
    assert lua.table_from({"a": 1}).a == 1


def test_a_dict_s_values_may_change_meanwhile():
    source = {"first": 10**30, "second": 2}
    lua = LuaRuntime(overflow_handler=lambda _: source.update(second=3))
    assert dict(lua.table_from(source).items()) == {"second": 3}


def test_errors_of_the_source_come_through(lua):
    def numbers():
        yield 1
        raise KeyError("in the source")

    class Broken(OwnMapping):
        def __getitem__(self, key):
            raise KeyError("in the mapping")

    with pytest.raises(KeyError, match="in the source"):
        lua.table_from(numbers())
    with pytest.raises(KeyError, match="in the mapping"):
        lua.table_from(Broken(a=1))
    with pytest.raises(OverflowError):
        lua.table_from([10**30])
    assert lua.eval("1") == 1


def test_nested_values_stay_python_objects(lua):
    inner_list, inner_dict = [1, 2], {"b": 3}
    table = lua.table_from({"l": inner_list, "d": inner_dict})
    assert table.l is inner_list and table.d is inner_dict
    assert lua.table([1])[1] == [1]


def test_lua_values_stay_themselves(lua):
    inner = lua.table(1)
    table = lua.table_from([inner, lua.eval("print")])
    assert lua.eval("function(t, inner) return rawequal(t[1], inner), t[2] == print end")(
        table, inner
    ) == (True, True)


def test_tables_of_other_runtimes_as_values(lua):
    with pytest.raises(LuaError, match="cannot mix objects from different Lua runtimes"):
        lua.table_from([LuaRuntime().table()])


def test_table_from_inside_callbacks(lua):
    def make(*args):
        return lua.table_from([1, 2], {"a": lua.table_from((3, 4))}, args)

    result = lua.eval("(function(f) local t = f('x', 'y') return t end)(...)", make)
    assert plain(result) == {1: 1, 2: 2, 3: "x", 4: "y", "a": {1: 3, 2: 4}}


def test_large_tables(lua):
    assert len(lua.table_from(range(100_000))) == 100_000
    table = lua.table_from({f"key{number}": number for number in range(10_000)})
    assert sum(table.values()) == sum(range(10_000))


# recursive


def test_recursive_lists_and_dicts(lua):
    table = lua.table_from({"l": [1, [2, 3]], "d": {"x": {"y": 1}}}, recursive=True)
    assert plain(table) == {"l": {1: 1, 2: {1: 2, 2: 3}}, "d": {"x": {"y": 1}}}


def test_recursive_over_several_sources(lua):
    table = lua.table_from([[1]], {"a": [2]}, recursive=True)
    assert plain(table) == {1: {1: 1}, "a": {1: 2}}


@pytest.mark.parametrize(
    "inner, expected",
    [
        ((1, 2), {1: 1, 2: 2}),
        (range(2), {1: 0, 2: 1}),
        (collections.OrderedDict(a=1), {"a": 1}),
        (OwnMapping(a=1), {"a": 1}),
        (collections.UserList([1]), {1: 1}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_recursive_converts_sequences_and_mappings(lua, inner, expected):
    assert plain(lua.table_from([inner], recursive=True)[1]) == expected


def test_recursive_leaves_other_values(lua):
    some_set, some_object, some_array = {1}, object(), bytearray(b"x")
    table = lua.table_from(
        ["text", b"bytes", some_set, some_object, 1.5, None, True], recursive=True
    )
    assert (table[1], table[2], table[5], table[7]) == ("text", "bytes", 1.5, True)
    assert table[3] is some_set and table[4] is some_object
    assert plain(lua.table_from([some_array], recursive=True)[1]) == {1: ord("x")}


def test_errors_of_classes_that_are_asked_for_are_raised(lua):
    class Odd:
        @property
        def __class__(self):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        lua.table_from(Odd())
    with pytest.raises(ZeroDivisionError):
        lua.table_from([Odd()], recursive=True)
    assert len(lua.table_from([Odd()])) == 1


def test_recursive_keys(lua):
    assert plain(lua.table_from({1: [2]}, recursive=True)) == {1: {1: 2}}


def test_without_recursive_nothing_is_converted(lua):
    inner = [1]
    assert lua.table_from([inner], recursive=False)[1] is inner


def test_recursive_keeps_lua_tables(lua):
    inner = lua.table(1)
    table = lua.table_from({"t": inner, "l": [inner]}, recursive=True)
    assert lua.eval("function(t, inner) return rawequal(t.t, inner), rawequal(t.l[1], inner) end")(
        table, inner
    ) == (True, True)


def test_a_list_that_contains_itself(lua):
    items = [1]
    items.append(items)
    table = lua.table_from(items, recursive=True)
    assert lua.eval("function(t) return t[1], rawequal(t, t[2]) end")(table) == (1, True)


def test_a_dict_that_contains_itself(lua):
    mapping = {"a": 1}
    mapping["self"] = mapping
    table = lua.table_from(mapping, recursive=True)
    assert lua.eval("function(t) return t.a, rawequal(t, t.self) end")(table) == (1, True)
