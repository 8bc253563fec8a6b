"""unpacks_lua_table and unpacks_lua_table_method: keyword arguments from a Lua table."""

import functools

import pytest

import lupa


@lupa.unpacks_lua_table
def plain(a, b=None, c="default"):
    """Docstring of plain."""
    return a, b, c


@lupa.unpacks_lua_table
def everything(*args, **kwargs):
    return args, kwargs


class Worker:
    @lupa.unpacks_lua_table_method
    def work(self, *args, **kwargs):
        return self, args, kwargs

    @lupa.unpacks_lua_table
    def without_self(*args, **kwargs):
        return args, kwargs


@pytest.mark.parametrize(
    "call, expected",
    [
        ("f(1)", (1, None, "default")),
        ("f(1, 2)", (1, 2, "default")),
        ("f(1, nil, 3)", (1, None, 3)),
        ("f{1}", (1, None, "default")),
        ("f{1, 2, 3}", (1, 2, 3)),
        ("f{a = 1}", (1, None, "default")),
        ("f{1, c = 3}", (1, None, 3)),
        ("f{c = 3, b = 2, a = 1}", (1, 2, 3)),
        ("f{1, b = python.none, c = python.none}", (1, None, None)),
        ("f{1, b = nil}", (1, None, "default")),
    ],
)
def test_ways_to_call(lua, call, expected):
    lua.globals().f = plain
    assert lua.eval(call) == expected


def test_from_python_nothing_changes():
    assert plain(1, 2) == (1, 2, "default")
    assert everything([1]) == (([1],), {})
    assert everything() == ((), {})


def test_from_python_with_a_table(lua):
    assert everything(lua.eval("{1, a = 2}")) == ((1,), {"a": 2})


def test_keywords_from_python_are_refused():
    with pytest.raises(TypeError):
        plain(a=1)


def test_only_a_single_table_is_unpacked(lua):
    lua.globals().f = everything
    (first, second), keywords = lua.eval("f({a = 1}, 2)")
    assert first.a == 1 and second == 2 and keywords == {}
    (first, second), keywords = lua.eval("f({1}, {2})")
    assert (first[1], second[1], keywords) == (1, 2, {})


def test_an_empty_table_is_no_argument(lua):
    lua.globals().f = everything
    assert lua.eval("f{}") == ((), {})
    assert lua.eval("f()") == ((), {})


def test_other_lua_objects_are_arguments(lua):
    lua.globals().f = everything
    args, kwargs = lua.eval("f(print)")
    assert lua.eval("... == print", args[0]) is True and kwargs == {}


@pytest.mark.parametrize(
    "table, error, message",
    [
        ("{[0] = 1}", IndexError, "table index out of range"),
        ("{1, nil, 3, [9] = 1}", IndexError, "table index out of range"),
        ("{[1.5] = 1}", TypeError, "table key is neither an integer nor a string"),
        ("{[true] = 1}", TypeError, "table key is neither an integer nor a string"),
        ("{1, a = 2}", TypeError, "multiple values for argument 'a'"),
        ("{nosuch = 1}", TypeError, "unexpected keyword argument 'nosuch'"),
        ("{b = 1}", TypeError, "missing 1 required positional argument: 'a'"),
    ],
)
def test_tables_that_do_not_fit(lua, table, error, message):
    lua.globals().f = plain
    with pytest.raises(error, match=message):
        lua.eval(f"f{table}")


def test_the_decorator_keeps_names():
    assert plain.__name__ == "plain"
    assert plain.__doc__ == "Docstring of plain."
    assert plain.__wrapped__(1) == (1, None, "default")
    assert Worker.work.__name__ == "work"


def test_methods(lua):
    worker = Worker()
    lua.globals().w = worker
    assert lua.eval("w:work(1, 2)") == (worker, (1, 2), {})
    assert lua.eval("w:work{1, a = 2}") == (worker, (1,), {"a": 2})
    assert lua.eval("w.work{1, a = 2}") == (worker, (1,), {"a": 2})
    assert lua.eval("w:work{}") == (worker, (), {})
    assert lua.eval("w:work()") == (worker, (), {})
    assert worker.work(lua.eval("{1, a = 2}")) == (worker, (1,), {"a": 2})


def test_methods_with_the_plain_decorator_see_self(lua):
    worker = Worker()
    (first, table), keywords = lua.eval("(...):without_self{a = 1}", worker)
    assert first is worker and table.a == 1 and keywords == {}


def test_partials(lua):
    def function(*args, **kwargs):
        return args, kwargs

    partial = functools.partial(function, "fixed", b=1)
    lua.globals().f = lupa.unpacks_lua_table(partial)
    assert lua.eval("f{1, a = 2}") == (("fixed", 1), {"b": 1, "a": 2})
    assert lua.eval("f(1)") == (("fixed", 1), {"b": 1})


def test_lambdas_and_builtins(lua):
    lua.globals().f = lupa.unpacks_lua_table(lambda a, b: a - b)
    assert lua.eval("f{b = 1, a = 5}") == 4
    lua.globals().g = lupa.unpacks_lua_table(dict)
    assert lua.eval("g{x = 1}") == {"x": 1}


def test_without_encoding_names_are_decoded(bytes_lua):
    bytes_lua.globals().f = everything
    assert bytes_lua.eval("f{'x', name = 'y'}") == ((b"x",), {"name": b"y"})


def test_inside_a_callback(lua):
    def callback():
        return lua.eval("f{1, a = 2}")

    lua.globals().f = everything
    assert lua.eval("(...)()", callback) == ((1,), {"a": 2})
