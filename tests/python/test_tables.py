"""Lua tables seen from Python: items and attributes, reading, writing and deleting."""

import pytest

from lupa import LuaError


@pytest.fixture
def table(lua):
    return lua.eval("{10, 20, 30, name = 'n', [-3] = 'minus', [1.5] = 'half', [true] = 'yes'}")


def has_protocol(obj):
    return hasattr(obj, "keys") and hasattr(obj, "__getitem__")


# reading


def test_items(table):
    assert (table[1], table[3], table["name"], table[-3], table[1.5], table[True]) == (
        10,
        30,
        "n",
        "minus",
        "half",
        "yes",
    )


def test_missing_keys_are_none(table):
    for key in [0, 4, 10**6, "no such key", "1", False, 2.5, None, (), "\0"]:
        assert table[key] is None


def test_negative_indices_are_plain_keys(lua):
    table = lua.eval("{1, 2, 3}")
    assert table[-1] is None
    table[-1] = "x"
    assert table[-1] == "x" and table[3] == 3


def test_integral_floats_are_integer_keys(lua, table):
    assert table[1.0] == 10
    table[2.0] = "two"
    assert table[2] == "two"


def test_attributes_are_items(table):
    assert table.name == "n"
    assert table.missing is None
    assert getattr(table, "name") == "n"
    assert getattr(table, "no identifier") is None


def test_every_plain_attribute_exists(table):
    assert hasattr(table, "anything") is True
    assert hasattr(table, "__anything__") is False
    assert has_protocol(table)
    with pytest.raises(AttributeError):
        table.__anything__
    table["__é__"] = 1
    assert hasattr(table, "__é__") is False


def test_private_names_are_items(lua):
    table = lua.eval("{_private = 1, __half = 2, __both__ = 3}")
    assert (table._private, table["__both__"]) == (1, 3)
    assert getattr(table, "__half") == 2


def test_method_names_are_methods_as_attributes_and_keys_as_items(lua):
    table = lua.eval("{keys = 1, values = 2, items = 3}")
    assert callable(table.keys) and callable(table.values) and callable(table.items)
    assert (table["keys"], table["values"], table["items"]) == (1, 2, 3)


def test_nested_tables(lua):
    table = lua.eval("{a = {b = {c = 'deep'}}}")
    assert table.a.b.c == "deep"
    assert table["a"]["b"]["c"] == "deep"
    table.a.b.c = "changed"
    assert lua.eval("(...).a.b.c", table) == "changed"


def test_index_metamethods_are_used(lua):
    table = lua.eval(
        "setmetatable({own = 1}, {__index = function(t, key) return 'for ' .. tostring(key) end})"
    )
    assert (table.own, table.other, table["x"], table[5]) == (1, "for other", "for x", "for 5")
    parent = lua.eval("setmetatable({}, {__index = {inherited = 'yes'}})")
    assert parent.inherited == "yes" and list(parent) == []


def test_index_metamethods_may_return_several_values(lua):
    table = lua.eval("setmetatable({}, {__index = function() return 1, 2 end})")
    assert table.x == 1


def test_errors_of_index_metamethods(lua):
    table = lua.eval("setmetatable({}, {__index = function(t, key) error('no ' .. key) end})")
    with pytest.raises(LuaError, match='^\\[string "<python>"\\]:1: no x'):
        table.x
    with pytest.raises(LuaError, match='^\\[string "<python>"\\]:1: no y'):
        table["y"]


def test_python_errors_in_index_metamethods(lua):
    def fail(table, key):
        raise KeyError(key)

    table = lua.eval("setmetatable({}, {__index = python.as_function(...)})", fail)
    with pytest.raises(KeyError, match="some key"):
        table["some key"]


# writing and deleting


def test_setting_items_and_attributes(lua, table):
    table["new"] = 1
    table.other = 2
    table[4] = 40
    assert lua.eval("(...).new, (...).other, (...)[4]", table) == (1, 2, 40)


def test_setting_none_deletes(lua, table):
    table.name = None
    table[1] = None
    assert set(table.values()) == {20, 30, "half", "yes", "minus"}
    assert lua.eval("(...).name == nil", table) is True


def test_deleting(table):
    del table["name"]
    del table[1]
    del table.missing
    del table["missing too"]
    assert table.name is None and table[1] is None
    table.attribute = 1
    del table.attribute
    assert table.attribute is None


def test_dunder_attributes_are_not_the_table_s(lua, table):
    with pytest.raises((TypeError, AttributeError)):
        table.__own__ = 1
    with pytest.raises((TypeError, AttributeError)):
        del table.__own__
    assert lua.eval("(...).__own__", table) is None


def test_attribute_names_may_be_method_names_when_set(table):
    table.keys = 7
    assert table["keys"] == 7
    assert callable(table.keys)


def test_values_of_all_kinds_come_back(lua):
    table, value = lua.table(), object()
    function = lua.eval("print")
    for item in [1, 1.5, "x", True, False, value, [1], len]:
        table.x = item
        assert table.x == item and type(table.x) is type(item)
    table.f = function
    assert lua.eval("(...).f == print", table) is True
    table.t = table
    assert lua.eval("rawequal((...).t, ...)", table) is True


def test_keys_of_all_kinds(lua):
    table, key = lua.table(), object()
    keys = [1, 1.5, "x", True, key, len, (1, 2)]
    for number, item in enumerate(keys):
        table[item] = number
    for number, item in enumerate(keys):
        assert table[item] == number
    assert sorted(table.values()) == list(range(len(keys)))


def test_lua_objects_as_keys(lua):
    table, key, function = lua.table(), lua.table(), lua.eval("print")
    table[key] = 1
    table[function] = 2
    assert table[key] == 1 and table[function] == 2
    assert table[lua.table()] is None
    assert lua.eval("(...)[print]", table) == 2


def test_none_as_a_key_is_python_none(lua):
    table = lua.table()
    table[None] = "none"
    assert table[None] == "none"
    assert list(table) == [None]
    assert lua.eval("(...)[python.none]", table) == "none"
    del table[None]
    assert list(table) == []


def test_newindex_metamethods_are_used(lua):
    table = lua.eval(
        "setmetatable({}, {__newindex = function(t, k, v) rawset(t, k, v .. '!') end})"
    )
    table.x = "a"
    table["y"] = "b"
    assert dict(table) == {"x": "a!", "y": "b!"}


# text


@pytest.mark.parametrize(
    "code, start",
    [
        ("{}", "<Lua table at 0x"),
        ("print", "<Lua function at 0x"),
        ("io.stdout", "<Lua userdata at 0x"),
        ("coroutine.create(function() end)", "<Lua function at 0x"),
    ],
)
def test_repr_and_str(lua, code, start):
    obj = lua.eval(code)
    assert repr(obj).startswith(start) and repr(obj).endswith(">")
    assert str(obj) == repr(obj) if code != "io.stdout" else str(obj).startswith("file (0x")


def test_repr_of_cdata(lua):
    assert repr(lua.eval("require('ffi').new('int[3]')")) == "<Lua cdata>"


def test_repr_shows_the_address_lua_shows(lua):
    table = lua.table()
    address = int(lua.eval("tostring(...)", table).split()[1], 16)
    assert repr(table) == f"<Lua table at {address:#x}>"


def test_repr_without_encoding(bytes_lua):
    assert repr(bytes_lua.table()).startswith("<Lua table at 0x")


def test_str_uses_tostring_metamethods(lua):
    table = lua.eval(
        "setmetatable({name = 'N'}, {__tostring = function(self) return 'I am ' .. self.name end})"
    )
    assert str(table) == "I am N"
    assert f"{table}" == "I am N"
    assert repr(table).startswith("<Lua table at 0x")


def test_str_of_tostring_metamethods_that_give_other_things(lua):
    def with_tostring(body):
        return lua.eval("setmetatable({}, {__tostring = function(self) " + body + " end})")

    assert str(with_tostring("return 5")) == "5"
    assert str(with_tostring("return '\\255'")) == "\u00ff"
    with pytest.raises(TypeError, match="__tostring returned non-string object"):
        str(with_tostring("return {}"))
    with pytest.raises(LuaError, match="hi"):
        str(with_tostring("error('hi')"))
    assert lua.eval("1") == 1
