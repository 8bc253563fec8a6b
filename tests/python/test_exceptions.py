"""Python exceptions on their way through Lua."""

import traceback

import pytest

from lupa import LuaError, LuaMemoryError, LuaRuntime, LuaSyntaxError


def error_of(function, *args):
    with pytest.raises(LuaError) as info:
        function(*args)
    return info.value


def text_of(function, *args):
    return str(error_of(function, *args))


def test_the_same_exception_arrives(lua):
    error = KeyError("k")

    def fail():
        raise error

    with pytest.raises(KeyError) as info:
        lua.eval("(...)()", fail)
    assert info.value is error
    with pytest.raises(KeyError) as info:
        lua.eval("function(f) f() end")(fail)
    assert info.value is error


def test_its_traceback_tells_where_it_was_raised(lua):
    def innermost():
        raise KeyError("k")

    with pytest.raises(KeyError) as info:
        lua.execute("(...)()", innermost)
    names = [frame.name for frame in traceback.extract_tb(info.value.__traceback__)]
    assert names[0] == "test_its_traceback_tells_where_it_was_raised"
    assert names[-1] == "innermost"


def test_exceptions_through_several_layers(lua):
    error = KeyError("deep")

    def descend(depth):
        if depth == 0:
            raise error
        lua.eval("function(f, depth) f(depth) end")(descend, depth - 1)

    with pytest.raises(KeyError) as info:
        descend(10)
    assert info.value is error


def test_exceptions_caught_by_python_in_the_middle(lua):
    def fail():
        raise KeyError("inner")

    def catch():
        try:
            lua.eval("(...)()", fail)
        except KeyError as error:
            return f"caught {error}"

    assert lua.eval("(...)() .. '!'", catch) == "caught 'inner'!"


def test_every_kind_of_access_can_raise(lua):
    class Hostile:
        def __getattr__(self, name):
            if name == "__getitem__":
                raise AttributeError
            raise LookupError("get")

        def __setattr__(self, name, value):
            raise LookupError("set")

        def __str__(self):
            raise LookupError("str")

        def __call__(self):
            raise LookupError("call")

        def __iter__(self):
            raise LookupError("iter")

    for code in [
        "(...).get",
        "python.builtins.setattr(..., 'a', 1)",
        "tostring(...)",
        "(...)()",
        "python.iter(...)",
    ]:
        with pytest.raises(LookupError):
            lua.eval(code, Hostile())
    with pytest.raises(LookupError, match="set"):
        lua.execute("(...).x = 1", Hostile())
    assert lua.eval("1") == 1


def test_pcall_gives_the_exception_as_a_value(lua):
    error = KeyError("k")

    def fail(*args):
        raise error

    ok, value = lua.eval("pcall(...)", fail)
    assert ok is False and value is error
    assert lua.execute("local ok, e = pcall(...) return tostring(e), e.args[0], type(e)", fail) == (
        "'k'",
        "k",
        "userdata",
    )


def test_xpcall_gives_the_exception_to_the_handler(lua):
    def fail():
        raise ValueError("v")

    assert lua.eval("xpcall(..., function(e) return 'handled ' .. tostring(e) end)", fail) == (
        False,
        "handled v",
    )


def test_after_a_caught_exception_all_is_normal(lua):
    def fail():
        raise KeyError("k")

    assert lua.execute("pcall(...) return 1", fail) == 1
    assert text_of(lua.execute, "pcall(...) error('other')", fail).startswith(
        '[string "<python>"]:1: other'
    )
    assert lua.eval("1") == 1


def test_a_caught_exception_can_be_raised_again(lua):
    error = KeyError("k")

    def fail():
        raise error

    for level in ["", ", 0", ", 2"]:
        with pytest.raises(KeyError) as info:
            lua.execute(f"local ok, e = pcall(...) error(e{level})", fail)
        assert info.value is error


def test_lua_code_can_choose_by_class(lua):
    def fail():
        raise KeyError("k")

    code = """
        local f, wanted = ...
        local ok, e = pcall(f)
        return python.builtins.isinstance(e, wanted)
    """
    assert lua.execute(code, fail, KeyError) is True
    assert lua.execute(code, fail, ValueError) is False


def test_exceptions_through_lua_s_own_callbacks(lua):
    def fail(*args):
        raise KeyError("k")

    for code in [
        "table.sort({3, 1, 2}, python.as_function(...))",
        "('abc'):gsub('.', python.as_function(...))",
        "setmetatable({}, {__index = python.as_function(...)}).x",
        "tostring(setmetatable({}, {__tostring = python.as_function(...)}))",
        "setmetatable({}, {__add = python.as_function(...)}) + 1",
    ]:
        with pytest.raises(KeyError):
            lua.execute(f"local x = {code}", fail)
    assert lua.eval("1") == 1


def test_exceptions_in_wrapped_coroutines_of_lua(lua):
    error = KeyError("k")

    def fail():
        raise error

    ok, value = lua.eval("coroutine.resume(coroutine.create(function(f) f() end), ...)", fail)
    assert ok is False and value is error
    with pytest.raises(KeyError) as info:
        lua.execute("local f = ...; coroutine.wrap(function() f() end)()", fail)
    assert info.value is error


class OwnLuaError(LuaError):
    def __init__(self, text, code):
        super().__init__(text)
        self.code = code


def test_subclasses_of_lua_error_stay_themselves(lua):
    error = OwnLuaError("own", 7)

    def fail():
        raise error

    with pytest.raises(OwnLuaError) as info:
        lua.eval("(...)()", fail)
    assert info.value is error and info.value.code == 7
    ok, value = lua.eval("pcall(...)", fail)
    assert ok is False and value is error


def test_lua_errors_of_callbacks_are_values_for_pcall(lua):
    seen = []

    def fail():
        try:
            lua.execute("error('inner')")
        except LuaError as error:
            seen.append(error)
            raise

    ok, value = lua.eval("pcall(...)", fail)
    assert ok is False and value is seen[0]
    assert str(value).startswith('[string "<python>"]:1: inner')


@pytest.mark.parametrize(
    "error",
    [
        StopIteration(1),
        SystemExit(3),
        KeyboardInterrupt(),
        GeneratorExit(),
        MemoryError("python"),
        RecursionError(),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "made up"),
        OSError(2, "No such file"),
        LuaMemoryError("own"),
        LuaSyntaxError("own"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_all_kinds_of_exceptions_travel(lua, error):
    def fail():
        raise error

    with pytest.raises(type(error)) as info:
        lua.execute("(...)()", fail)
    assert info.value is error
    assert lua.eval("1") == 1


def test_lua_errors_caught_in_lua_are_plain_values(lua):
    assert lua.eval("pcall(error, 'message')") == (False, "message")
    assert lua.eval("pcall(error, {code = 5})")[1].code == 5
    assert lua.eval("pcall(error)") == (False, None)
    assert lua.eval("pcall(error, 42, 0)") == (False, 42)


def test_many_errors_leave_nothing_behind(lua):
    for _ in range(1000):
        with pytest.raises(LuaError):
            lua.execute("error('x')")
        with pytest.raises(LuaSyntaxError):
            lua.execute("x x")
    assert lua.eval("1") == 1


def test_errors_of_one_runtime_inside_another(lua):
    other = LuaRuntime()

    def call_other():
        other.execute("error('from the other')")

    with pytest.raises(LuaError, match="from the other"):
        lua.execute("(...)()", call_other)
    assert lua.eval("1") == 1 and other.eval("2") == 2
