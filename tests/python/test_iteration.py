"""python.iter, python.iterex and python.enumerate in Lua's for loops."""

import pytest

from lupa import LuaError


def collect(lua, loop, *args):
    """Run `for a, b, c in LOOP do` and return the visible values as text."""
    lines = lua.execute(
        "local lines, L = {}, ...\n"
        f"for a, b, c in {loop} do lines[#lines + 1] = "
        "tostring(a) .. ' ' .. tostring(b) .. ' ' .. tostring(c) end\n"
        "return lines",
        *args,
    )
    return list(lines.values())


def test_iter_over_a_list(lua):
    assert collect(lua, "python.iter(L)", [1, "b", 2.5]) == [
        "1 nil nil",
        "b nil nil",
        "2.5 nil nil",
    ]


@pytest.mark.parametrize(
    "iterable",
    [
        (1, 2),
        {1: 0, 2: 0},
        range(1, 3),
        iter([1, 2]),
        (x for x in (1, 2)),
        {1: 0, 2: 0}.keys(),
        bytearray(b"\1\2"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_iter_over_all_kinds(lua, iterable):
    assert collect(lua, "python.iter(L)", iterable) == ["1 nil nil", "2 nil nil"]


def test_iter_over_nothing(lua):
    assert collect(lua, "python.iter(L)", []) == []


def test_iter_over_an_object_with_getitem_only(lua):
    class Old:
        def __getitem__(self, index):
            if index < 2:
                return index
            raise IndexError

    assert collect(lua, "python.iter(L)", Old()) == ["0 nil nil", "1 nil nil"]


def test_iter_gives_none_as_python_none(lua):
    assert collect(lua, "python.iter(L)", [None, 1, None]) == [
        "None nil nil",
        "1 nil nil",
        "None nil nil",
    ]
    assert lua.execute("for x in python.iter(...) do return x == python.none end", [None]) is True


def test_iter_leaves_tuples_whole(lua):
    assert collect(lua, "python.iter(L)", [(1, 2)]) == ["(1, 2) nil nil"]


def test_iter_unpacks_tuples_when_asked(unpacking_lua):
    assert collect(unpacking_lua, "python.iter(L)", [(1, 2), (3, 4, 5), 6, [7]]) == [
        "1 2 nil",
        "3 4 5",
        "6 nil nil",
        "[7] nil nil",
    ]


def test_iterex_unpacks_tuples(lua):
    assert collect(lua, "python.iterex(L)", [(1, 2), (3, 4, 5), 6, [7]]) == [
        "1 2 nil",
        "3 4 5",
        "6 nil nil",
        "[7] nil nil",
    ]


def test_iterex_over_dict_items(lua):
    assert collect(lua, "python.iterex(L)", {"a": 1, "b": None}.items()) == ["a 1 nil", "b nil nil"]


def test_iterex_gives_none_as_python_none_only_in_first_place(lua):
    assert collect(lua, "python.iterex(L)", [(None, 2), (3, None, 5), None, (None, None)]) == [
        "None 2 nil",
        "3 nil 5",
        "None nil nil",
        "None nil nil",
    ]


def test_iterex_ends_at_an_empty_tuple(lua):
    assert collect(lua, "python.iterex(L)", [1, (), 2]) == ["1 nil nil"]


def test_enumerate_counts_from_zero(lua):
    assert collect(lua, "python.enumerate(L)", ["a", "b"]) == ["0 a nil", "1 b nil"]


@pytest.mark.parametrize("start, first", [("5", 5), ("-2", -2), ("0", 0), ("2.0", 2), ("'3'", 3)])
def test_enumerate_with_a_start(lua, start, first):
    assert collect(lua, f"python.enumerate(L, {start})", ["a", "b"]) == [
        f"{first} a nil",
        f"{first + 1} b nil",
    ]


def test_enumerate_gives_none_as_nil(lua):
    assert collect(lua, "python.enumerate(L)", [None, 1, None]) == [
        "0 nil nil",
        "1 1 nil",
        "2 nil nil",
    ]


def test_enumerate_and_tuples(lua, unpacking_lua):
    assert collect(lua, "python.enumerate(L)", [(1, 2)]) == ["0 (1, 2) nil"]
    assert collect(unpacking_lua, "python.enumerate(L)", [(1, 2), (None, 3)]) == [
        "0 1 2",
        "1 nil 3",
    ]


@pytest.mark.parametrize("function", ["iter", "iterex", "enumerate"])
def test_what_is_not_iterable(lua, function):
    with pytest.raises(TypeError, match="'builtin_function_or_method' object is not iterable"):
        lua.execute(f"for x in python.{function}(...) do end", len)


@pytest.mark.parametrize(
    "call, number, message",
    [
        ("iter()", 1, "not a python object"),
        ("iter(1)", 1, "not a python object"),
        ("iter({})", 1, "not a python object"),
        ("iterex('x')", 1, "not a python object"),
        ("enumerate()", 1, "not a python object"),
        ("enumerate(print)", 1, "not a python object"),
        ("iter(..., 1)", 2, "invalid arguments"),
        ("iterex(..., 1)", 2, "invalid arguments"),
        ("enumerate(..., 1, 2)", 3, "invalid arguments"),
    ],
)
def test_wrong_arguments(lua, call, number, message):
    code = f"local x = python.{call.replace('...', '(...)')}"
    with pytest.raises(LuaError) as info:
        lua.execute(code, [1])
    name = call.split("(")[0]
    assert str(info.value).startswith(
        f"[string \"<python>\"]:1: bad argument #{number} to '{name}' ({message})\nstack traceback:\n"
    )


@pytest.mark.parametrize("start, kind", [("'x'", "string"), ("{}", "table"), ("nil", "nil")])
def test_the_start_of_enumerate_must_be_a_number(lua, start, kind):
    with pytest.raises(LuaError, match=f"^Could not convert {kind} to string\nstack traceback:"):
        lua.execute(f"local x = python.enumerate((...), {start})", [1])


def test_breaking_out_leaves_the_rest(lua):
    iterator = iter([1, 2, 3, 4])
    assert (
        lua.execute("for x in python.iter(...) do if x == 2 then return x end end", iterator) == 2
    )
    assert list(iterator) == [3, 4]


def test_errors_of_the_iterator_come_through(lua):
    def numbers():
        yield 1
        raise ZeroDivisionError("while iterating")

    for function in ["iter", "iterex", "enumerate"]:
        with pytest.raises(ZeroDivisionError, match="while iterating"):
            lua.execute(f"for x in python.{function}(...) do end", numbers())
    assert lua.eval("1") == 1


def test_errors_of_iter_itself_come_through(lua):
    class Broken:
        def __iter__(self):
            raise ZeroDivisionError("in iter")

    with pytest.raises(ZeroDivisionError, match="in iter"):
        lua.execute("for x in python.iter(...) do end", Broken())


def test_errors_of_the_loop_body_come_through(lua):
    with pytest.raises(LuaError, match="in the body"):
        lua.execute("for x in python.iter(...) do error('in the body') end", [1])


def test_loops_may_be_nested(lua):
    assert (
        lua.execute(
            "local s = '' for row in python.iter(...) do for x in python.iter(row) do s = s .. x end s = s .. ';' end"
            " return s",
            [[1, 2], [], [3]],
        )
        == "12;;3;"
    )


def test_the_triple_behind_the_loop(lua):
    function, state, control = lua.eval("python.iter(...)", [1, 2])
    assert type(function).__name__ == "_LuaFunction"
    assert control is None
    assert function(state, control) == 1
    assert next(state) == 2
    assert function(state, control) is None


def test_the_triple_behind_enumerate(lua):
    lua.execute("f, state, control = python.enumerate(..., 5)", ["a", "b"])
    assert lua.eval("control") == 4
    assert lua.eval("f(state, control)") == (5, "a")
    assert lua.eval("f(state, 99)") == (100, "b")
    assert lua.eval("f(state, 100)") is None


def test_iteration_without_encoding(bytes_lua):
    assert (
        bytes_lua.execute(
            "local s = '' for x in python.iter(...) do s = s .. x end return s", [b"a", b"b"]
        )
        == b"ab"
    )


def test_iteration_over_lua_s_own_iterators(lua):
    assert collect(lua, "ipairs(L)", lua.table("a", "b")) == ["1 a nil", "2 b nil"]


def test_a_python_function_as_a_for_function(lua):
    values = iter(["a", "b", None])
    code = "local s = '' for x in (...) do s = s .. x end return s"
    assert lua.execute(code, lambda state, control: next(values)) == "ab"


def test_large_iterables(lua):
    assert lua.execute(
        "local s = 0 for x in python.iter(...) do s = s + x end return s", range(50_000)
    ) == (sum(range(50_000)))
    assert (
        lua.execute(
            "local s = 0 for i, x in python.enumerate(...) do s = s + i - x end return s",
            range(50_000),
        )
        == 0
    )


def test_the_iterator_function_wants_an_iterator(lua):
    with pytest.raises(TypeError, match="^list object is not an iterator$"):
        lua.execute("local f = python.iter(...) f(...)", [1])


def test_loops_share_a_function(lua):
    """LuaJIT compiles a loop for the function that it calls, and once more for each other one."""
    assert lua.execute(
        "local a, b = ... return rawequal(python.iter(a), python.iter(b))"
        " and rawequal(python.iter(a), python.enumerate(b))",
        [1],
        {2},
    )
    count = lua.eval(
        "function(o) local n = 0 for x in python.iter(o) do n = n + 1 end return n end"
    )
    lua.execute(
        "traces = 0 jit.attach(function(what) if what == 'stop' then traces = traces + 1 end end, 'trace')"
    )
    for _ in range(200):
        assert count(range(100)) == 100
    assert lua.eval("traces") < 20
