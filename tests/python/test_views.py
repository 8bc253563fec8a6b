"""Choosing the protocol: as_attrgetter, as_itemgetter and as_function, from both sides."""

import pytest

import lupa
from lupa import LuaError


class Point:
    kind = "point"

    def __init__(self, x=0, y=0):
        self.x, self.y = x, y

    def __str__(self):
        return f"({self.x}, {self.y})"


class Both:
    """Has items and attributes of the same names."""

    name = "attribute"

    def __init__(self):
        self.items = {}

    def __getitem__(self, key):
        return self.items.get(key, f"item {key}")

    def __setitem__(self, key, value):
        self.items[key] = value


# as_attrgetter and as_itemgetter


@pytest.mark.parametrize("name", ["as_attrgetter", "as_itemgetter"])
def test_views_come_back_as_the_object(lua, name):
    obj = {"x": 1}
    assert lua.eval("...", getattr(lupa, name)(obj)) is obj
    assert lua.eval(f"python.{name}(...)", obj) is obj
    assert lua.eval("type(...)", getattr(lupa, name)(obj)) == "userdata"


def test_attrgetter_from_python(lua):
    assert lua.eval("(...).get('x')", lupa.as_attrgetter({"x": 1})) == 1
    assert lua.eval("(...).name", lupa.as_attrgetter(Both())) == "attribute"


def test_attrgetter_from_lua(lua):
    items = [1]
    lua.execute("python.as_attrgetter(...).append(2)", items)
    assert items == [1, 2]
    assert lua.eval("python.as_attrgetter(...).get('x')", {"x": 1}) == 1


def test_itemgetter_from_both_sides(lua):
    assert lua.eval("(...).name", lupa.as_itemgetter(Both())) == "item name"
    assert lua.eval("python.as_itemgetter(...).x", {"x": 1}) == 1
    with pytest.raises(TypeError, match="'Point' object is not subscriptable"):
        lua.eval("python.as_itemgetter(...).x", Point())
    with pytest.raises(TypeError, match="'Point' object is not subscriptable"):
        lua.eval("(...).x", lupa.as_itemgetter(Point()))


def test_views_of_views(lua):
    both = lupa.as_attrgetter(Both())
    assert lua.eval("python.as_itemgetter(...).name", both) == "item name"
    assert lua.eval("python.as_attrgetter(python.as_itemgetter(...)).name", both) == "attribute"


def test_setting_through_views(lua):
    both = Both()
    lua.execute("python.as_attrgetter(...).name = 'new attribute'", both)
    lua.execute("python.as_itemgetter(...).name = 'new item'", both)
    assert both.name == "new attribute" and both["name"] == "new item"
    with pytest.raises(TypeError, match="does not support item assignment"):
        lua.execute("python.as_itemgetter(...).x = 1", Point())


def test_views_are_called_as_the_object(lua):
    assert lua.eval("(...)('abc')", lupa.as_attrgetter(len)) == 3
    assert lua.eval("python.as_itemgetter(...)('abc')", len) == 3


def test_views_of_plain_values_make_them_objects(lua):
    assert lua.eval("type(...)", lupa.as_attrgetter(5)) == "userdata"
    assert lua.eval("(...).upper()", lupa.as_attrgetter("abc")) == "ABC"
    assert lua.eval("(...)[1]", lupa.as_itemgetter("abc")) == "b"
    assert lua.eval("...", lupa.as_attrgetter(None)) is None


def test_views_work_in_every_place_values_enter(lua):
    mapping = {"get": "item"}
    view = lupa.as_attrgetter(mapping)
    lua.globals().view = view
    assert lua.eval("view.get('get')") == "item"
    assert lua.eval("(...)().get('get')", lambda: view) == "item"
    assert lua.eval("(...)[1].get('get')", lua.table(view)) == "item"


@pytest.mark.parametrize(
    "call, number, message",
    [
        ("as_attrgetter(1)", 1, "not a python object"),
        ("as_attrgetter()", 1, "not a python object"),
        ("as_itemgetter({})", 1, "not a python object"),
        ("as_attrgetter(print)", 1, "not a python object"),
        ("as_attrgetter(io.stdout)", 1, "not a python object"),
        ("as_attrgetter(python.none, 1)", 2, "invalid arguments"),
        ("as_function(print)", 1, "not a python object"),
        ("as_function(python.none, 1)", 2, "invalid arguments"),
    ],
)
def test_wrong_arguments(lua, call, number, message):
    name = call.split("(")[0]
    with pytest.raises(LuaError) as info:
        lua.execute(f"local x = python.{call}")
    assert str(info.value).startswith(
        f"[string \"<python>\"]:1: bad argument #{number} to '{name}' ({message})\nstack traceback:\n"
    )


def test_views_cannot_be_made_from_the_class():
    with pytest.raises(TypeError, match="Type cannot be instantiated from Python"):
        type(lupa.as_attrgetter(1))()


# as_function


def test_as_function_makes_a_lua_function(lua):
    assert lua.eval("type(python.as_function(...))", len) == "function"
    assert lua.eval("python.as_function(...)('abc')", len) == 3


def test_as_function_where_lua_wants_a_function(lua):
    upper = str.upper
    assert lua.eval("('abc'):gsub('%w', python.as_function(...))", upper) == ("ABC", 3)
    with pytest.raises(LuaError, match="string/function/table expected"):
        lua.eval("('abc'):gsub('%w', ...)", upper)
    assert lua.eval("coroutine.wrap(python.as_function(...))('abc')", upper) == "ABC"
    assert lua.eval("pcall(python.as_function(...), 'abc')", upper) == (True, "ABC")


def test_as_function_comes_back_as_the_object(lua):
    assert lua.eval("python.as_function(...)", len) is len
    assert lua.eval("python.as_function(python.as_function(...))", len) is len


def test_as_function_is_accepted_as_a_python_object(lua):
    assert lua.eval("python.as_attrgetter(python.as_function(...)).__name__", len) == "len"
    assert (
        lua.execute(
            "local n = 0 for x in python.iter(python.as_function(...)) do n = n + x end return n",
            [1, 2, 3],
        )
        == 6
    )


def test_as_function_of_what_is_not_callable(lua):
    with pytest.raises(TypeError, match="'list' object is not callable"):
        lua.eval("python.as_function(...)()", [1])


def test_as_function_passes_everything(lua):
    def show(*args, **kwargs):
        return args, kwargs

    assert lua.eval("python.as_function(...)(1, nil, python.args{a = 2})", show) == (
        (1, None),
        {"a": 2},
    )
