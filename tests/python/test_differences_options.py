"""Added to PyPI's lupa 2.8 (design, section 5): libs and encoding_errors."""

import pytest

from lupa import LuaError, LuaRuntime


def exists(lua, name):
    return lua.eval(f"{name} ~= nil")


@pytest.mark.parametrize("option", ["libs", "timeout", "encoding_errors", "sandbox"])
def test_new_options_are_keyword_only(option):
    value = {"libs": [], "timeout": 10, "encoding_errors": "strict", "sandbox": True}[option]
    assert LuaRuntime(**{option: value}).eval("1") == 1
    with pytest.raises(TypeError):
        LuaRuntime("utf-8", None, None, None, True, False, True, None, None, None, value)


# libs


def test_all_libraries_are_open_by_default():
    for lua in [LuaRuntime(), LuaRuntime(libs=None)]:
        for name in [
            "string",
            "table",
            "math",
            "io",
            "os",
            "debug",
            "package",
            "coroutine",
            "bit",
            "jit",
        ]:
            assert exists(lua, name), name


@pytest.mark.parametrize("kind", [list, tuple, set, frozenset])
def test_libs_names_what_is_opened(kind):
    lua = LuaRuntime(libs=kind(["string", "math"]))
    assert lua.eval("string.upper('a')") == "A" and lua.eval("math.floor(1.5)") == 1
    for name in ["io", "os", "debug", "package", "table", "bit", "require"]:
        assert not exists(lua, name), name
    assert exists(lua, "python")


def test_no_libraries_at_all():
    lua = LuaRuntime(libs=[])
    assert lua.eval("1 + 1") == 2
    assert lua.eval("(...)('x')", lambda x: x) == "x"
    assert not exists(lua, "string") and not exists(lua, "io")
    with pytest.raises(LuaError, match="require is not defined"):
        lua.require("string")
    with pytest.raises(LuaError, match="attempt to perform arithmetic"):
        lua.execute("local x = nil + 1")


@pytest.mark.parametrize(
    "libs, error",
    [(["no such library"], ValueError), ([1], (TypeError, ValueError)), (1, TypeError)],
)
def test_libs_that_do_not_exist(libs, error):
    with pytest.raises(error):
        LuaRuntime(libs=libs)


def test_without_the_string_library_there_are_no_string_methods():
    with pytest.raises(LuaError):
        LuaRuntime(libs=["math"]).eval("('x'):upper()")


# encoding_errors


@pytest.mark.parametrize(
    "errors, text",
    [
        ("replace", "a\ufffdb"),
        ("ignore", "ab"),
        ("backslashreplace", "a\\xffb"),
        ("surrogateescape", "a\udcffb"),
    ],
)
def test_decoding_with_an_error_handler(errors, text):
    lua = LuaRuntime(encoding_errors=errors)
    assert lua.eval("'a\\255b'") == text
    assert lua.eval("{'a\\255b'}")[1] == text
    assert lua.eval("(...)('a\\255b')", lambda x: x == text) is True
    assert lua.eval("'plain'") == "plain"


def test_encoding_with_an_error_handler():
    lua = LuaRuntime(encoding="ascii", encoding_errors="replace")
    assert lua.eval("...", "\u20ac") == "?"
    lua = LuaRuntime(encoding="ascii", encoding_errors="xmlcharrefreplace")
    assert lua.eval("... == '&#8364;'", "\u20ac") is True


def test_surrogateescape_keeps_every_byte():
    lua = LuaRuntime(encoding_errors="surrogateescape")
    everything = bytes(range(256))
    text = lua.eval("...", everything)
    assert text == everything.decode("utf-8", "surrogateescape")
    lua.globals().text = text
    assert lua.eval("#text") == 256
    assert lua.eval("text == ...", everything) is True


def test_strict_is_the_default():
    for lua in [LuaRuntime(), LuaRuntime(encoding_errors="strict")]:
        with pytest.raises(UnicodeDecodeError):
            lua.eval("'\\255'")


def test_error_handlers_of_other_types_are_refused():
    with pytest.raises((TypeError, ValueError)):
        LuaRuntime(encoding_errors=3)
