"""Restricting Lua's access to Python objects: attribute_filter, attribute_handlers, register_*."""

import pytest

import lupa
from lupa import LuaError, LuaRuntime


class Thing:
    def __init__(self):
        self.open = "open"
        self._private = "private"

    def method(self):
        return "result"


class Recorder:
    """A filter that remembers what it was asked and lets everything through."""

    def __init__(self):
        self.calls = []

    def __call__(self, obj, name, is_setting):
        self.calls.append((obj, name, is_setting))
        return name


def refuse_private(obj, name, is_setting):
    if isinstance(name, str) and not name.startswith("_"):
        return name
    raise AttributeError("access denied")


# attribute_filter


def test_the_filter_sees_every_access():
    recorder, thing = Recorder(), Thing()
    lua = LuaRuntime(attribute_filter=recorder)
    lua.execute("local t = ...; t.open = 1; local x = t.open; t:method(); t['open'] = nil", thing)
    assert recorder.calls == [
        (thing, "open", True),
        (thing, "open", False),
        (thing, "method", False),
        (thing, "open", True),
    ]
    assert recorder.calls[0][2] is True and recorder.calls[1][2] is False
    assert thing.open is None


def test_the_filter_can_refuse():
    lua, thing = LuaRuntime(attribute_filter=refuse_private), Thing()
    assert lua.eval("(...).open", thing) == "open"
    with pytest.raises(AttributeError, match="^access denied$"):
        lua.eval("(...)._private", thing)
    with pytest.raises(AttributeError, match="^access denied$"):
        lua.execute("(...)._private = 1", thing)
    with pytest.raises(AttributeError, match="^access denied$"):
        lua.eval("(...).__class__", lua)
    assert thing._private == "private"


def test_refusal_can_be_caught_in_lua():
    lua = LuaRuntime(attribute_filter=refuse_private)
    ok, error = lua.eval("pcall(function(t) return t._private end, ...)", Thing())
    assert ok is False and isinstance(error, AttributeError)


def test_any_exception_of_the_filter_comes_through():
    def broken(obj, name, is_setting):
        raise ZeroDivisionError("in the filter")

    with pytest.raises(ZeroDivisionError, match="in the filter"):
        LuaRuntime(attribute_filter=broken).eval("(...).x", Thing())


def test_the_filter_can_change_the_name():
    def add_prefix(obj, name, is_setting):
        return "lua_" + name

    class Renamed:
        lua_x = "found"

    lua = LuaRuntime(attribute_filter=add_prefix)
    assert lua.eval("(...).x", Renamed) == "found"
    lua.execute("(...).y = 2", Renamed)
    assert Renamed.lua_y == 2


def test_the_filter_may_return_bytes():
    lua = LuaRuntime(attribute_filter=lambda obj, name, is_setting: name.encode())
    assert lua.eval("(...).open", Thing()) == "open"


@pytest.mark.parametrize("result", [None, 1, ("open",)])
def test_other_results_are_no_names(result):
    lua = LuaRuntime(attribute_filter=lambda obj, name, is_setting: result)
    with pytest.raises(TypeError, match="attribute name must be string"):
        lua.eval("(...).open", Thing())


def test_names_need_not_be_strings():
    recorder = Recorder()
    lua = LuaRuntime(attribute_filter=recorder)
    for key in ["1", "true", "1.5"]:
        with pytest.raises(TypeError):
            lua.eval(f"(...)[{key}]", Thing())
    assert [name for _, name, _ in recorder.calls] == [1, True, 1.5]


def test_the_filter_is_not_asked_for_items():
    recorder, items = Recorder(), {"x": 1}
    lua = LuaRuntime(attribute_filter=recorder)
    lua.execute("local d = ...; d.x = d.x + 1; d._y = 2", items)
    assert items == {"x": 2, "_y": 2}
    assert lua.eval("python.as_itemgetter(...).x", items) == 2
    assert recorder.calls == []


def test_the_filter_is_asked_for_attrgetters():
    recorder, items = Recorder(), {"x": 1}
    lua = LuaRuntime(attribute_filter=recorder)
    assert lua.eval("python.as_attrgetter(...).get('x')", items) == 1
    assert lua.eval("(...).get('x')", lupa.as_attrgetter(items)) == 1
    assert [call[1] for call in recorder.calls] == ["get", "get"]
    assert recorder.calls[0][0] is items


def test_the_filter_is_asked_for_builtins():
    lua = LuaRuntime(attribute_filter=refuse_private)
    assert lua.eval("python.builtins.len('abc')") == 3
    with pytest.raises(AttributeError, match="access denied"):
        lua.eval("python.builtins.__import__")


def test_the_filter_is_not_asked_for_lua_objects():
    recorder = Recorder()
    lua = LuaRuntime(attribute_filter=recorder)
    lua.execute("local t = {x = 1}; t.y = t.x; s = string.upper('x')")
    table = lua.table(a=1)
    table.b = table.a
    assert recorder.calls == []


def test_without_encoding_the_filter_gets_bytes():
    recorder = Recorder()
    lua = LuaRuntime(encoding=None, attribute_filter=recorder)
    assert lua.eval("(...).open", Thing()) == "open"
    assert recorder.calls[0][1] == b"open"


def test_the_filter_is_not_an_attribute(lua):
    assert not hasattr(LuaRuntime(attribute_filter=Recorder()), "attribute_filter")


# attribute_handlers


def test_handlers_do_the_access():
    store, thing = {}, Thing()

    def get(obj, name):
        return store[name], obj

    lua = LuaRuntime(
        attribute_handlers=(get, lambda obj, name, value: store.update({name: (obj, value)}))
    )
    lua.execute("(...).x = 5", thing)
    assert store == {"x": (thing, 5)}
    assert lua.eval("(...).x", thing) == ((thing, 5), thing)
    assert not hasattr(thing, "x")


def test_handlers_are_asked_for_items_too():
    items = {"x": 1}
    lua = LuaRuntime(
        attribute_handlers=(lambda obj, name: f"got {name}", lambda obj, name, value: None)
    )
    assert lua.eval("(...).x", items) == "got x"
    assert lua.eval("python.as_itemgetter(...)[1]", items) == "got 1"
    lua.execute("(...).x = 2", items)
    assert items == {"x": 1}


def test_a_getter_alone():
    thing, items = Thing(), {"x": 1}
    lua = LuaRuntime(attribute_handlers=(lambda obj, name: "got", None))
    lua.execute("local t, d = ...; t.x = 1; d.y = 2", thing, items)
    assert thing.x == 1 and items == {"x": 1, "y": 2}
    assert lua.eval("(...).x", thing) == "got"


def test_a_setter_alone():
    seen = []
    lua = LuaRuntime(attribute_handlers=(None, lambda obj, name, value: seen.append((name, value))))
    assert lua.eval("(...).open", Thing()) == "open"
    assert lua.eval("(...).x", {"x": 1}) == 1
    lua.execute("(...).x = nil", Thing())
    assert seen == [("x", None)]


def test_handlers_may_refuse():
    def refuse(obj, name, value=None):
        raise AttributeError(f"no {name}")

    lua = LuaRuntime(attribute_handlers=(refuse, refuse))
    with pytest.raises(AttributeError, match="no x"):
        lua.eval("(...).x", Thing())
    with pytest.raises(AttributeError, match="no y"):
        lua.execute("(...).y = 1", Thing())


def test_results_of_handlers_are_converted():
    def get(obj, name):
        return {"t": (1, 2), "n": None, "l": [1], "s": "text"}[name]

    lua = LuaRuntime(attribute_handlers=(get, None), unpack_returned_tuples=True)
    assert lua.eval("type((...).t), type((...).n), type((...).l), type((...).s)", Thing()) == (
        "userdata",
        "nil",
        "userdata",
        "string",
    )


def test_without_encoding_handlers_get_bytes():
    lua = LuaRuntime(encoding=None, attribute_handlers=(lambda obj, name: (type(name), name), None))
    assert lua.eval("(...).x", Thing()) == (bytes, b"x")


def test_without_encoding_handlers_leave_tables_alone():
    lua = LuaRuntime(encoding=None, attribute_handlers=(getattr, setattr))
    lua.execute("t = {ok = true}")
    assert lua.globals().t.ok is True


# register_eval, register_builtins


def test_register_eval_false_leaves_the_rest():
    lua = LuaRuntime(register_eval=False)
    assert lua.eval("python.eval == nil") is True
    assert lua.eval("python.builtins.len('abc')") == 3
    with pytest.raises(LuaError, match="attempt to call field 'eval' \\(a nil value\\)"):
        lua.eval("python.eval('1')")


def test_register_builtins_false_leaves_the_rest():
    lua = LuaRuntime(register_builtins=False)
    assert lua.eval("python.builtins == nil") is True
    assert lua.eval("python.eval('1 + 1')") == 2


def test_nothing_of_python_but_helpers():
    lua = LuaRuntime(register_eval=False, register_builtins=False)
    assert sorted(lua.globals().python) == [
        "args",
        "as_attrgetter",
        "as_function",
        "as_itemgetter",
        "enumerate",
        "iter",
        "iterex",
        "none",
        "set_overflow_handler",
    ]
