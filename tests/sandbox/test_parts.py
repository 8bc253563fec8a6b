"""The parts of a sandbox one by one, and what overrides them."""

import dataclasses

import pytest

from lupa import LuaError, LuaRuntime

LIBRARIES = ["package", "table", "io", "os", "string", "math", "debug", "bit", "jit"]


@pytest.mark.parametrize("name", LIBRARIES)
def test_only_the_libraries_that_were_named(name):
    lua = LuaRuntime(libs=[name])
    for other in LIBRARIES:
        assert lua.eval(f"{other} ~= nil") is (other == name)
    assert lua.eval("ffi") is None
    assert (lua.eval("require ~= nil")) is (name == "package")
    lua = LuaRuntime(libs=[other for other in LIBRARIES if other != name])
    assert lua.eval(f"{name}") is None
    if name != "package":
        with pytest.raises(LuaError, match="not found"):
            lua.require(name)


def test_packages_alone_bring_no_other_library(attempt):
    lua = LuaRuntime(libs=["package"], register_builtins=False)
    for code in [
        "return package.loaded.io or package.loaded.os or package.loaded['debug']",
        "return package.preload.ffi",
        "return require('ffi')",
        "return require('jit.util')",
        "return require('jit.opt')",
    ]:
        assert not attempt(lua, code)


def test_without_eval_and_builtins(attempt):
    lua = LuaRuntime(register_eval=False, register_builtins=False)
    for code in [
        "return python.eval",
        "return python.builtins",
        "return rawget(python, 'builtins')",
        "return package.loaded.python.builtins",
        "return require('python').eval",
        "for name in pairs(python) do if name == 'eval' or name == 'builtins' then return name end end",
    ]:
        assert not attempt(lua, code)


@dataclasses.dataclass
class Door:
    colour: str = "red"
    key: str = "secret"

    def open(self, by=None):
        return f"opened by {by}"


def allowed_only(obj, name, is_setting):
    if isinstance(obj, Door) and name in ("colour", "open") and not is_setting:
        return name
    raise AttributeError(f"{name} is not for scripts")


FILTERED = {
    "name": "return (...).key",
    "text": "return (...)['ke' .. 'y']",
    "as_attrgetter": "return python.as_attrgetter(...).key",
    "as_function": "return python.as_attrgetter(python.as_function(...)).key",
    "item": "return python.as_itemgetter(...).key",
    "class": "return (...).__class__",
    "method": "return (...).open.__self__",
    "globals": "return (...).open.__func__.__globals__",
    "setting": "(...).colour = 'blue' return true",
    "setting another": "(...).new = 'blue' return true",
    "by an __index": "return setmetatable({}, { __index = ... }).key",
    "by a __newindex": "setmetatable({}, { __newindex = ... }).colour = 'blue' return true",
    "python.none": "return python.none.__class__",
    "an exception": "return select(2, pcall(python.iter, python.none)).args",
    "its class": "return select(2, pcall(python.iter, python.none)).__class__",
    "an iterator": "return select(2, python.iter(python.args{})).__class__",
    "arguments": "return python.args{}.__class__",
}


@pytest.mark.parametrize("name", FILTERED)
@pytest.mark.parametrize("sandboxed", [False, True])
def test_a_filter_sees_every_route(attempt, name, sandboxed):
    lua = LuaRuntime(
        sandbox=sandboxed,
        attribute_filter=allowed_only,
        register_eval=False,
        register_builtins=False,
    )
    door = Door()
    assert not attempt(lua, FILTERED[name], door)
    assert door == Door()
    assert lua.eval("(...).colour, (...).open(python.args{by = 'me'})", door) == (
        "red",
        "opened by me",
    )


def test_a_filter_replaces_the_rules_about_attributes_and_no_others(attempt):
    lua = LuaRuntime(sandbox=True, attribute_filter=lambda obj, name, is_setting: name)
    assert lua.eval("(...).__class__", Door()) is Door
    assert not attempt(lua, "return (...)._x", {"_x": 1})
    assert not attempt(lua, "(...)._x = 1 return true", {"_x": 1})
    assert not attempt(lua, "return '%(_x)s' % ...", {"_x": 1})
    assert not attempt(lua, "return io or debug or python.builtins")
    assert not attempt(lua, "string.upper = nil return true")


OVERRIDES = {
    "os": "os.execute ~= nil and os.exit ~= nil",
    "io": "io.open ~= nil",
    "debug": "debug.getinfo ~= nil",
    "package": "require ~= nil and package.loaded.string == string",
    "jit": "jit.status() == true",
    "ffi": "ffi.new('int') == 0",
}


@pytest.mark.parametrize("name", OVERRIDES)
def test_a_library_switched_on_again(attempt, name):
    lua = LuaRuntime(sandbox=True, libs=["string", "table", name])
    assert lua.eval(OVERRIDES[name]) is True
    # The rest stays as it was.
    for code in [
        "return load(string.dump(function() end))",
        "return getfenv()",
        "return python.builtins",
        "return newproxy()",
        "string.upper = nil return true",
        "rawset(string, 'upper', 1) return true",
        "return (...)._x",
    ]:
        assert not attempt(lua, code, {"_x": 1})
    others = set(OVERRIDES) - {name}
    assert not any(lua.eval(f"{other} ~= nil") for other in others)


def test_packages_in_a_sandbox_lead_to_the_same_views(attempt):
    lua = LuaRuntime(sandbox=True, libs=["package", "string", "table"])
    for code in [
        "package.loaded.string.upper = nil return true",
        "require('string').upper = nil return true",
        "rawset(package.loaded.table, 'insert', nil) return true",
        "package.loaded.python.iter = nil return true",
        "package.loaders = {} return true",
    ]:
        assert not attempt(lua, code)
    lua.execute("package.preload.mine = function() return { x = 1 } end")
    assert lua.eval("require('mine').x + require('mine').x") == 2


def test_exit_in_a_sandbox_that_has_os():
    lua = LuaRuntime(sandbox=True, libs=["os"])
    with pytest.raises(SystemExit) as caught:
        lua.execute("pcall(os.exit, 3)")
    assert caught.value.code == 3
    assert lua.eval("1 + 1") == 2


def test_builtins_switched_on_again():
    lua = LuaRuntime(sandbox=True, register_eval=True, register_builtins=True)
    assert lua.eval("python.eval('6 * 7')") == 42
    assert lua.eval("python.builtins.len('abc')") == 3
    with pytest.raises(AttributeError):
        lua.eval("python.builtins.__import__")
