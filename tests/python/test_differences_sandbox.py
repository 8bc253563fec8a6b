"""Added to PyPI's lupa 2.8 (design, section 5): sandbox."""

import pytest

import lupa
from lupa import LuaError, LuaRuntime


def exists(lua, name):
    return lua.eval(f"{name} ~= nil")


class Thing:
    open = "open"
    _private = "private"

    def method(self):
        return "result"


@pytest.fixture
def sandbox():
    return LuaRuntime(sandbox=True)


@pytest.mark.parametrize(
    "name",
    [
        "io",
        "debug",
        "package",
        "require",
        "ffi",
        "dofile",
        "loadfile",
        "os.execute",
        "os.exit",
        "os.getenv",
        "os.remove",
        "os.rename",
        "os.tmpname",
        "os.setlocale",
        "python.eval",
        "python.builtins",
    ],
)
def test_what_a_sandbox_does_not_have(sandbox, name):
    table, _, key = name.rpartition(".")
    assert sandbox.eval(f"({table or '_G'} or {{}}).{key}") is None


@pytest.mark.parametrize(
    "code, result",
    [
        ("string.upper('a')", "A"),
        ("table.concat({1, 2})", "12"),
        ("math.floor(1.5)", 1),
        ("type(os.clock())", "number"),
        ("type(os.time())", "number"),
        ("type(os.date())", "string"),
        ("os.difftime(5, 3)", 2),
        ("select('#', pcall(error))", 2),
        ("bit.band(6, 3)", 2),
        ("coroutine.wrap(function() return 1 end)()", 1),
        ("('x'):rep(3)", "xxx"),
        ("loadstring('return 1')()", 1),
        ("python.none == nil", False),
        ("next({})", None),
    ],
)
def test_what_a_sandbox_has(sandbox, code, result):
    assert sandbox.eval(code) == result


def test_a_sandbox_runs_callbacks_and_sees_public_attributes(sandbox):
    assert sandbox.eval("(...)(2)", lambda x: x * 2) == 4
    assert sandbox.eval("(...).open, (...):method()", Thing()) == ("open", "result")
    assert sandbox.eval("(...)[1], (...)[0]", ["a", "b"]) == ("b", "a")
    mapping = {"x": 1}
    sandbox.execute("(...).y = (...).x + 1", mapping)
    assert mapping == {"x": 1, "y": 2}


@pytest.mark.parametrize("name", ["_private", "__class__", "__dict__", "__init__"])
def test_a_sandbox_refuses_underscores(sandbox, name):
    thing, mapping = Thing(), {name: "item"}
    for code in [f"(...).{name}", f"python.as_attrgetter(...).{name}"]:
        with pytest.raises((AttributeError, LuaError)):
            sandbox.eval(code, thing)
    with pytest.raises((AttributeError, LuaError)):
        sandbox.execute(f"(...).{name} = 1", thing)
    with pytest.raises((AttributeError, KeyError, LuaError)):
        sandbox.eval(f"(...).{name}", mapping)
    with pytest.raises((AttributeError, KeyError, LuaError)):
        sandbox.execute(f"(...).{name} = 1", mapping)
    assert mapping == {name: "item"} and thing._private == "private"


def test_a_sandbox_refuses_bytecode(sandbox, bytes_lua):
    bytecode = bytes_lua.eval("string.dump(function() return 42 end)")
    with pytest.raises(lupa.LuaSyntaxError):
        sandbox.execute(bytecode)
    with pytest.raises(lupa.LuaSyntaxError):
        sandbox.compile(bytecode, mode="b")
    for name in ["load", "loadstring"]:
        assert (
            sandbox.eval(f"({name} or function() end)(...)", bytecode) is None
            or sandbox.eval(f"{name}(...)", bytecode)[0] is None
        )
    with pytest.raises(LuaError):
        sandbox.execute("string.dump(function() end)")


def test_the_globals_of_a_sandbox_are_hardened(sandbox):
    sandbox.execute("pcall(function() string.upper = nil end)")
    sandbox.execute("pcall(function() getmetatable('').__index = nil end)")
    sandbox.execute("pcall(function() getmetatable('').__index.rep = nil end)")
    assert sandbox.eval("('a'):upper() .. string.rep('b', 2)") == "Abb"
    sandbox.execute("own = 1")
    assert sandbox.eval("own") == 1


def test_explicit_options_override_the_sandbox():
    assert LuaRuntime(sandbox=True, register_eval=True).eval("python.eval('1 + 1')") == 2
    assert LuaRuntime(sandbox=True, register_builtins=True).eval("python.builtins ~= nil") is True
    assert LuaRuntime(sandbox=True, libs=["io", "string"]).eval("io ~= nil") is True
    lua = LuaRuntime(sandbox=True, attribute_filter=lambda obj, name, is_setting: name)
    assert lua.eval("(...)._private", Thing()) == "private"


def test_without_a_sandbox_all_is_open(lua):
    assert lua.eval("(...)._private", Thing()) == "private"
    assert exists(lua, "io.open") and exists(lua, "python.eval")
