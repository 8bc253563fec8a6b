"""`lupa.to_python`: Lua tables as Python collections."""

import pytest

import lupa
from lupa import to_python


@pytest.mark.parametrize(
    "code, expected",
    [
        ("{1, 2, 3}", [1, 2, 3]),
        ("{'a', 'b', n = 2}", {1: "a", 2: "b", "n": 2}),
        ("{x = 1.5, y = true}", {"x": 1.5, "y": True}),
        ("{}", {}),
        ("{{}, {{}}}", [{}, [{}]]),
        ("{[1] = 'a', [3] = 'c'}", {1: "a", 3: "c"}),
        ("{[0] = 0, 1, 2}", {0: 0, 1: 1, 2: 2}),
        ("{[1.5] = 'x'}", {1.5: "x"}),
        ("{[true] = 'x'}", {True: "x"}),
        ("{[2] = 'b', [1] = 'a'}", ["a", "b"]),
        ("{[3] = 3, [2] = 2, [1] = 1, [4] = 4, [6] = 6, [5] = 5}", [1, 2, 3, 4, 5, 6]),
        (
            "{list = {{id = 1}, {id = 2}}, name = 'n'}",
            {"list": [{"id": 1}, {"id": 2}], "name": "n"},
        ),
        ("{a = python.none}", {"a": None}),
    ],
)
def test_tables_become_lists_and_dicts(lua, code, expected):
    result = to_python(lua.eval(code))
    assert result == expected and type(result) is type(expected)


def test_a_table_with_holes_is_a_dict(lua):
    holes = lua.execute("local t = {} for i = 1, 100 do t[i] = i end t[50] = nil return t")
    assert to_python(holes) == {i: i for i in range(1, 101) if i != 50}
    hidden = lua.execute("local t = {1, 2, 3, nil, 5, 6} return t")
    assert to_python(hidden) == {1: 1, 2: 2, 3: 3, 5: 5, 6: 6}


def test_other_objects_stay_what_they_are(lua):
    thing, function = object(), lua.eval("function() end")
    assert to_python(thing) is thing
    assert to_python(function) is function
    assert to_python(None) is None
    held = ["a", {"b": lua.table(1)}]
    table = lua.table(function, held, print, "text")
    converted = to_python(table)
    assert converted[0] == function and converted[1] is held and converted[2] is print
    assert lupa.lua_type(held[1]["b"]) == "table"


def test_several_results_are_converted_one_by_one(lua):
    results = lua.execute("return {1}, 2, {x = {3}}")
    assert to_python(results) == ([1], 2, {"x": [3]})


def test_shared_tables_stay_shared(lua):
    result = to_python(lua.execute("local s = {1} local e = {} return {s, s, {s}, e, e}"))
    assert result == [[1], [1], [[1]], {}, {}]
    assert result[0] is result[1] is result[2][0]
    assert result[3] is result[4]


def test_empty_tables_are_for_the_caller_to_choose(lua):
    code = "{a = {}, b = {1, {}}}"
    assert to_python(lua.eval(code), empty=list) == {"a": [], "b": [1, []]}
    assert to_python(lua.eval(code), empty=lambda: None) == {"a": None, "b": [1, None]}
    assert to_python(lua.table(), empty=tuple) == ()
    with pytest.raises(ZeroDivisionError):
        to_python(lua.table(), empty=lambda: 1 / 0)
    with pytest.raises(TypeError, match="not callable"):
        to_python(lua.table(), empty=3)


def test_cycles(lua):
    table = lua.execute("local t = {name = 't'} t.self = t t.list = {t} return t")
    with pytest.raises(ValueError, match="contains itself"):
        to_python(table)
    kept = to_python(table, cycles="keep")
    assert kept["self"] is kept and kept["list"][0] is kept and kept["name"] == "t"
    assert to_python(lua.execute("local t = {} t[1] = t return t"), cycles="keep")[0][0][0]
    with pytest.raises(ValueError, match="'error' or 'keep', not 'ignore'"):
        to_python(table, cycles="ignore")


def test_depth(lua):
    deep = "local t = {} for i = 2, ... do t = {t} end return t"
    assert to_python(lua.execute(deep, 1000))
    with pytest.raises(RecursionError, match=r"more than 1000 deep \(max_depth\)"):
        to_python(lua.execute(deep, 1001))
    with pytest.raises(RecursionError, match="more than 1 deep"):
        to_python(lua.eval("{{}}"), max_depth=1)
    assert to_python(lua.eval("{1}"), max_depth=1) == [1]
    # The native stack is not used up by any depth.
    result, depth = to_python(lua.execute(deep, 200_000), max_depth=10**9), 0
    while result:
        result, depth = result[0], depth + 1
    assert depth == 199_999


def test_metamethods_are_not_asked(lua):
    table = lua.execute("""
        return setmetatable({1, 2}, {
            __index = error, __len = error, __pairs = error, __ipairs = error, __call = error,
        })
    """)
    assert to_python(table) == [1, 2]


def test_keys_are_converted_as_by_iteration(lua):
    key = lua.table()
    assert to_python(lua.execute("return {[...] = 1}", key)) == {key: 1}
    lua.globals().unhashable = [1]
    with pytest.raises(TypeError, match="unhashable"):
        to_python(lua.eval("{[python.as_attrgetter(unhashable)] = 1}"))


def test_bytes_and_codecs():
    lua = lupa.LuaRuntime(encoding=None)
    assert to_python(lua.eval(b"{a = 'b'}")) == {b"a": b"b"}
    lua = lupa.LuaRuntime(encoding="latin-1")
    assert to_python(lua.eval(r"{'\228'}")) == ["ä"]


def test_what_table_from_takes_comes_back(lua):
    value = {"a": [1, 2, {"b": "c"}], "d": {"e": [True, 1.5, "x"]}, "f": [[["deep"]]]}
    assert to_python(lua.table_from(value, recursive=True)) == value


def test_a_table_that_python_changes_meanwhile(lua):
    table = lua.eval("{a = {}, b = {}, c = {}}")

    def change():
        for name in ["a", "b", "c", "d"]:
            table[name] = None
        lua.gccollect()
        return "empty"

    assert set(to_python(table, empty=change).values()) == {"empty"}


def test_closed_and_foreign_tables(lua):
    other = lupa.LuaRuntime()
    table = other.table(1)
    other.close()
    with pytest.raises(lupa.LuaError, match="closed"):
        to_python(table)
