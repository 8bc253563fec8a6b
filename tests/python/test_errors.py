"""Errors raised by Lua: their exact texts and tracebacks."""

import pytest

from lupa import LuaError, LuaSyntaxError


def error_of(function, *args):
    with pytest.raises(LuaError) as info:
        function(*args)
    return info.value


def text_of(function, *args):
    return str(error_of(function, *args))


def test_error_with_a_message(lua):
    error = error_of(lua.execute, "error('message')")
    assert type(error) is LuaError
    assert str(error) == (
        '[string "<python>"]:1: message\n'
        "stack traceback:\n"
        '\t[string "<python>"]:1: in main chunk\n'
        "\t[C]: in function 'error'"
    )
    assert error.args == (str(error),)


def test_the_traceback_ends_at_the_error(lua):
    code = """local function a() error("in a") end
local function b() a() end
function c() b() end
c()"""
    assert text_of(lua.execute, code) == (
        '[string "<python>"]:1: in a\n'
        "stack traceback:\n"
        '\t[string "<python>"]:4: in main chunk\n'
        "\t[string \"<python>\"]:3: in function 'c'\n"
        "\t[string \"<python>\"]:2: in function 'b'\n"
        "\t[string \"<python>\"]:1: in function 'a'\n"
        "\t[C]: in function 'error'"
    )


def test_the_traceback_of_a_called_function(lua):
    function = lua.execute("local function f() local x; x.y = 1 end\nreturn f")
    assert text_of(function) == (
        "[string \"<python>\"]:1: attempt to index local 'x' (a nil value)\n"
        "stack traceback:\n"
        '\t[string "<python>"]:1: in function <[string "<python>"]:1>'
    )


def test_error_without_a_position(lua):
    assert text_of(lua.execute, "error('message', 0)").startswith(
        "message\nstack traceback:\n\t[string "
    )


def test_error_of_a_caller(lua):
    code = "local function f() error('blame the caller', 2) end\nf()"
    assert text_of(lua.execute, code).startswith('[string "<python>"]:2: blame the caller\nstack')


def test_error_with_several_lines(lua):
    assert text_of(lua.execute, "error('a\\nb\\n\\tc')").startswith(
        '[string "<python>"]:1: a\nb\n\tc\nstack traceback:\n'
    )


def test_error_with_a_number(lua):
    assert text_of(lua.execute, "error(42)").startswith(
        '[string "<python>"]:1: 42\nstack traceback:\n'
    )


def test_tracebacks_of_named_chunks_stay_in_lua_s_order(lua):
    with pytest.raises(LuaError) as info:
        lua.execute("error('x')", name="=chunk")
    assert str(info.value) == (
        "chunk:1: x\nstack traceback:\n\t[C]: in function 'error'\n\tchunk:1: in main chunk"
    )


def test_messages_that_contain_a_traceback(lua):
    assert text_of(lua.execute, "error('a\\nstack traceback:\\n\\tfoo\\nend')") == (
        '[string "<python>"]:1: a\nstack traceback:\n\tfoo\nend\nstack traceback:\n'
        '\t[string "<python>"]:1: in main chunk\n'
        "\t[C]: in function 'error'"
    )


@pytest.mark.parametrize(
    "code, message",
    [
        ("nosuch.field", "attempt to index global 'nosuch' (a nil value)"),
        ("nosuch()", "attempt to call global 'nosuch' (a nil value)"),
        ("string.nosuch()", "attempt to call field 'nosuch' (a nil value)"),
        ("('x'):nosuch()", "attempt to call method 'nosuch' (a nil value)"),
        ("1 + nil", "attempt to perform arithmetic on a nil value"),
        ("{} .. 'x'", "attempt to concatenate a table value"),
        ("1 < 'x'", "attempt to compare number with string"),
        ("{} < {}", "attempt to compare two table values"),
        ("#nil", "attempt to get length of a nil value"),
        ("-{}", "attempt to perform arithmetic on a table value"),
    ],
)
def test_texts_of_the_vm(lua, code, message):
    assert text_of(lua.execute, f"local x = {code}") == (
        f'[string "<python>"]:1: {message}\nstack traceback:\n\t[string "<python>"]:1: in main chunk'
    )


@pytest.mark.parametrize(
    "code, message",
    [
        ("string.rep()", "bad argument #1 to 'rep' (string expected, got no value)"),
        ("setmetatable(1, 2)", "bad argument #1 to 'setmetatable' (table expected, got number)"),
        ("assert(false)", "assertion failed!"),
        ("assert(nil, 'own text')", "own text"),
        ("('x'):rep(1, 2, 3):bad()", "attempt to call method 'bad' (a nil value)"),
        ("table.concat({{}})", "invalid value (table) at index 1 in table for 'concat'"),
        ("tonumber('1', 99)", "bad argument #2 to 'tonumber' (base out of range)"),
    ],
)
def test_texts_of_the_libraries(lua, code, message):
    text = text_of(lua.execute, f"local x = {code}")
    assert text.startswith(f'[string "<python>"]:1: {message}\nstack traceback:\n\t')


def test_stack_overflow(lua):
    text = text_of(lua.execute, "local function f() return 1 + f() end return f()")
    assert text.startswith('[string "<python>"]:1: stack overflow\nstack traceback:\n')
    assert "\n\t...\n" in text
    assert lua.eval("1") == 1


def test_endless_recursion_of_both_languages(lua):
    def again():
        return lua.eval("(...)()", again)

    with pytest.raises((RecursionError, LuaError)):
        again()
    assert lua.eval("1") == 1


def test_errors_have_no_context_of_their_own(lua):
    error = error_of(lua.execute, "error('x')")
    assert error.__cause__ is None and error.__context__ is None


def test_syntax_errors_have_no_traceback(lua):
    with pytest.raises(LuaSyntaxError) as info:
        lua.execute("x x")
    assert "traceback" not in str(info.value)


def test_texts_without_encoding(bytes_lua):
    assert text_of(bytes_lua.execute, "error('x')").startswith(
        '[string "<python>"]:1: x\nstack traceback:'
    )
    assert text_of(bytes_lua.execute, "x x").startswith(
        'error loading code: [string "<python>"]:1: '
    )


def test_errors_in_lua_called_by_python_called_by_lua(lua):
    def callback():
        lua.execute("error('deep')")

    text = text_of(lua.execute, "local f = ...; f()", callback)
    assert text.startswith('[string "<python>"]:1: deep\nstack traceback:\n')
    assert text.endswith("\n\t[C]: in function 'error'")


def test_numbers_are_text_with_a_traceback(lua):
    assert text_of(lua.execute, "error(5, 0)") == (
        "5\nstack traceback:\n\t[string \"<python>\"]:1: in main chunk\n\t[C]: in function 'error'"
    )


def test_shortened_tracebacks_stay_in_lua_s_order(lua):
    lua.execute("function f(n) if n == 0 then error('deep') end f(n - 1) return 1 end")
    lines = text_of(lua.globals().f, 30).splitlines()
    assert lines[2] == "\t[C]: in function 'error'"
    assert lines[13] == "\t..."


def test_errors_of_code_that_a_message_handler_runs_are_kept(lua):
    def handle(*_):
        with pytest.raises(LuaError) as info:
            lua.execute("error('inner', 0)")
        return info.value.args[0].split("\n")[0]

    code = "function(f, handle) local ok, e = xpcall(f, function() return handle() end) return ok, e end"
    call = lua.eval(code)
    assert call(lua.eval("function() error('x') end"), handle) == (False, "inner")
    assert call(lua.eval("function() local x = nil + 1 end"), handle) == (False, "inner")
