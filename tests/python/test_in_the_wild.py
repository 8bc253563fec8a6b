"""What programs that use lupa rely on, as they write it.

Gathered from packages on PyPI: how they recognise tables, read errors, build sandboxes.  What such
programs need of single features stands with these features' tests.
"""

import collections
import functools
import itertools
import json
import math
import re

import pytest

import lupa
from lupa import LuaError, LuaRuntime

DATA = {
    "name": "demo",
    "size": {"w": 640, "h": 480.5},
    "tags": ["a", "b", ["c"]],
    "on": True,
    "none": {},
}
SOURCE = (
    "{name = 'demo', size = {w = 640, h = 480.5}, tags = {'a', 'b', {'c'}}, on = true, none = {}}"
)


@pytest.mark.parametrize(
    "is_table",
    [
        lambda value: lupa.lua_type(value) == "table",
        lambda value: type(value).__name__ == "_LuaTable",
        lambda value: isinstance(value, type(LuaRuntime().table())),
        lambda value: hasattr(value, "keys") and hasattr(value, "__getitem__"),
        lambda value: hasattr(value, "__iter__") and not isinstance(value, (str, bytes)),
        lambda value: "lua" in str(value.__class__).lower(),
        lambda value: hasattr(value, "items") and not isinstance(value, dict),
        lambda value: str(value).startswith("<Lua table"),
    ],
)
def test_tables_are_recognised_and_converted(lua, is_table):
    def to_python(value):
        if not is_table(value):
            return value
        keys = list(value.keys())
        if (
            keys
            and all(isinstance(key, int) for key in keys)
            and sorted(keys) == list(range(1, len(keys) + 1))
        ):
            return [to_python(value[key]) for key in sorted(keys)]
        return {str(key): to_python(value[key]) for key in keys}

    result = to_python(lua.eval(SOURCE))
    assert result == DATA
    assert json.loads(json.dumps(result)) == DATA


@pytest.mark.parametrize("encoding", ["utf-8", None])
def test_lists_are_read_until_the_first_none(encoding):
    table = LuaRuntime(encoding=encoding).eval("{1, 'x', {2}, nil, 5}")
    values = list(
        itertools.takewhile(
            lambda value: value is not None, map(table.__getitem__, itertools.count(1))
        )
    )
    assert values[0] == 1 and values[1] in ("x", b"x") and values[2][1] == 2 and len(values) == 3
    assert [table[index] for index in range(1, 3)] == values[:2]


def test_text_and_bytes_in_tables(lua, bytes_lua):
    table, raw = lua.eval("{a = 1}"), bytes_lua.eval("{a = 1}")
    assert "a" in table and b"a" not in table  # `in` compares what Python gets
    assert b"a" in raw and "a" not in raw
    assert (table["a"], table[b"a"]) == (1, 1)  # a look-up asks Lua
    assert (raw["a"], raw[b"a"]) == (None, 1)


def test_keys_without_equality_or_hash(lua):
    class Unhashable(list):
        pass

    key, table = Unhashable([1]), lua.table()
    table[key] = "found"
    assert key in table and [1] in table and table[key] == "found" and table[[1]] is None
    assert math.nan not in lua.table(math.nan) and table[math.nan] is None


@pytest.mark.parametrize("encoding", ["utf-8", None])
def test_line_and_message_are_read_from_the_text(encoding):
    lua = LuaRuntime(encoding=encoding)
    with pytest.raises(LuaError) as info:
        lua.execute("\n\nlocal function f() error('bad thing') end\nf()")
    text = str(info.value).split("\nstack traceback:", 1)[0]
    assert re.match(r'\[string "<python>"\]:(\d+): (.*)', text).groups() == ("3", "bad thing")
    assert re.sub(r".*?:\d+: ", "", text) == "bad thing"
    assert info.value.args[0] == str(info.value)

    with pytest.raises(LuaError) as info:
        lua.execute("x = \n\n)")
    text = str(info.value)
    assert re.match(r'error loading code: \[string "<python>"\]:(\d+): ', text).group(1) == "3"

    with pytest.raises(
        LuaError, match=r"^script\.lua:2: attempt to index global 'x' \(a nil value\)"
    ):
        lua.execute("\nx.y = 1", name="@script.lua")


class CommandError(Exception):
    """An exception of a program's own, with data."""

    def __init__(self, value, line):
        super().__init__(value)
        self.value, self.line = value, line


def test_a_callback_s_exception_is_told_from_lua_s(bytes_lua):
    """As a server does that runs its clients' scripts."""

    def call(*args):
        raise CommandError(args[0].decode(), line=len(args)) from None

    def run(script):
        try:
            return bytes_lua.execute(script, functools.partial(call, b"GET"))
        except CommandError as error:
            return error.value, error.line
        except LuaError as error:
            return type(error).__name__

    assert run("local call = ...; return call(1, 2)") == ("GET", 3)
    assert run("local call = ...; return (function() call() end)()") == ("GET", 1)
    assert run("error('x')") == "LuaError"
    assert run("(...") == "LuaSyntaxError"
    caught, problem = run("local call = ...; local ok, e = pcall(call); return ok, e")
    assert caught is False and type(problem) is CommandError and problem.line == 1
    assert run("local call = ...; local ok, e = pcall(call); error(e)") == ("GET", 1)


def test_new_globals_are_found_as_a_difference_of_sets(bytes_lua):
    expected = set(bytes_lua.globals().keys())
    bytes_lua.execute("local hidden = 1; leaked = 2")
    assert set(bytes_lua.globals().keys()) - expected == {b"leaked"}
    bytes_lua.globals()[b"leaked"] = None
    assert set(bytes_lua.globals().keys()) == expected


def test_sentinels_keep_their_identity(bytes_lua):
    null = object()
    bytes_lua.execute("null = ...; list = {null, {inner = null}}", null)
    assert bytes_lua.eval("list[1]") is null
    assert bytes_lua.eval("list[2].inner") is null
    assert bytes_lua.eval("list[1] == null and list[1] ~= nil") is True


def test_limits_are_given_to_the_constructor():
    lua = LuaRuntime(
        unpack_returned_tuples=True,
        register_eval=False,
        register_builtins=False,
        max_memory=8 * 1024 * 1024,
    )
    assert lua.get_max_memory() == 8 * 1024 * 1024
    assert len(lua.eval("('x'):rep(2 * 1024 * 1024)")) == 2 * 1024 * 1024
    with pytest.raises(LuaError, match="not enough memory"):
        lua.execute("local t = {} for i = 1, 1e7 do t[i] = {i} end")
    assert lua.eval("(...)(1)", lambda x: (x, 2)) == (1, 2)


def test_sandboxes_are_built_by_taking_globals_away(lua):
    names = ["io", "os", "load", "loadstring", "dofile", "loadfile", "package", "require", "debug"]
    for name in names:
        if name in lua.globals():
            lua.globals()[name] = None
    assert [name for name in names if lua.globals()[name] is not None] == []
    with pytest.raises(LuaError, match="attempt to index global 'io'"):
        lua.execute("io.open('x')")
    with pytest.raises(LuaError, match="near 'x'"):
        lua.execute("x x")
    assert lua.eval("#{1, 2}") == 2


def test_sandboxes_are_built_by_environments(lua):
    run = lua.eval("""
        function(source, env)
            local chunk, problem = loadstring(source, '=policy')
            if not chunk then error(problem, 0) end
            return setfenv(chunk, env)()
        end
    """)
    out = []
    environment = lua.table(tostring=lua.globals().tostring, log=out.append)
    assert run("log(tostring(print)); x = 5; return x + 1", environment) == 6
    assert out == ["nil"] and environment.x == 5 and lua.globals().x is None
    with pytest.raises(LuaError, match="^policy:1: attempt to call global 'print'"):
        run("print(1)", environment)


def test_modules_come_from_python_through_a_loader(lua):
    sources = {"greeting": "return {hello = function(name) return 'hello ' .. name end}"}
    lua.execute(
        """
        local find = ...
        table.insert(package.loaders, 2, function(name)
            local source = find(name)
            if source then return assert(loadstring(source, '@' .. name)) end
            return '\\n\\tno Python module ' .. name
        end)
        """,
        sources.get,
    )
    assert lua.require("greeting").hello("world") == "hello world"
    with pytest.raises(LuaError, match="no Python module missing"):
        lua.require("missing")


def test_assignments_to_globals_are_watched(lua):
    seen = []
    lua.execute(
        """
        local callback = ...
        setmetatable(_G, {__newindex = function(t, k, v) callback(k, v); rawset(t, k, v) end})
        """,
        lambda name, value: seen.append((name, lupa.lua_type(value))),
    )
    lua.execute("worker = {model = 'x'}; worker = 1")
    lua.globals().answer = 42
    assert seen == [("worker", "table"), ("answer", None)]
    assert lua.globals().worker == 1 and lua.eval("answer") == 42


def test_a_program_s_print_takes_the_place_of_lua_s(lua):
    lines = []
    lua.globals()["print"] = lambda *args: lines.append("\t".join(map(str, args)))
    lua.execute("print('a', 1, 2.5, nil, true, 10 / 2)")
    assert lines == ["a\t1\t2.5\tNone\tTrue\t5"]


def test_named_arguments_reach_functions_that_take_anything(lua):
    @lupa.unpacks_lua_table
    def agent(*args, **kwargs):
        return collections.OrderedDict(args=args, **kwargs)

    lua.globals().agent = agent
    result = lua.execute("return agent{'first', model = 'm', tools = {'a', 'b'}}")
    assert result["args"] == ("first",) and result["model"] == "m"
    assert list(result["tools"].values()) == ["a", "b"]


def test_hooks_set_by_lua_code_count_instructions(lua):
    limited = lua.eval("""
        function(f, limit)
            local count = 0
            debug.sethook(function()
                count = count + 1000
                if count > limit then error('instruction limit exceeded') end
            end, '', 1000)
            local ok, problem = pcall(f)
            debug.sethook()
            return ok, problem
        end
    """)
    ok, problem = limited(lua.eval("function() while true do end end"), 100_000)
    assert ok is False and "instruction limit exceeded" in problem
    assert limited(lua.eval("function() return 1 end"), 100_000) == (True, 1)


def test_compatibility_with_lua_5_2_is_off(lua):
    missing = "table.unpack table.pack rawlen".split()
    assert [lua.eval(name) for name in missing] == [None] * 3
    proxy = "setmetatable({1, 2}, {__len = function() return 9 end, __pairs = function() error('x') end})"
    assert lua.eval("#" + proxy) == 2
    assert (
        lua.eval(
            f"(function() local n = 0 for _ in pairs({proxy}) do n = n + 1 end return n end)()"
        )
        == 2
    )
    assert lua.eval("coroutine.running()") is None
    assert lua.eval("type(unpack), type(setfenv), type(loadstring), type(math.pow), _VERSION") == (
        ("function",) * 4 + ("Lua 5.1",)
    )
