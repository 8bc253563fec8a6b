"""Running source text: eval, execute, compile; their arguments, chunk names, modes, syntax errors."""

import pytest

from lupa import LuaError, LuaRuntime, LuaSyntaxError


@pytest.fixture
def bytecode(bytes_lua):
    return bytes_lua.eval("string.dump(function(...) return 42, ... end)")


def message_of(function, *args, **kwargs):
    with pytest.raises(LuaError) as info:
        function(*args, **kwargs)
    return str(info.value)


def test_eval_returns_the_value_of_an_expression(lua):
    assert lua.eval("1 + 1") == 2
    assert lua.eval("'a' .. 'b'") == "ab"


def test_eval_is_a_return_statement(lua):
    assert lua.eval("") is None
    assert lua.eval("1, 2, 3") == (1, 2, 3)
    with pytest.raises(LuaSyntaxError):
        lua.eval("x = 1")
    with pytest.raises(LuaSyntaxError):
        lua.eval("return 1")


def test_execute_runs_statements(lua):
    assert lua.execute("x = 1") is None
    assert lua.execute("x = x + 1 return x") == 2
    assert lua.execute("") is None
    assert lua.execute("return 1, nil, 'c'") == (1, None, "c")


def test_locals_end_with_their_chunk(lua):
    lua.execute("local hidden = 1; shown = 2")
    assert lua.eval("hidden, shown") == (None, 2)


@pytest.mark.parametrize("method", ["eval", "execute"])
def test_positional_arguments_become_varargs(lua, method):
    run = getattr(lua, method)
    code = {"eval": "select('#', ...), ...", "execute": "return select('#', ...), ..."}[method]
    assert run(code) == 0
    assert run(code, 1, None, "c") == (3, 1, None, "c")
    assert run(code, None) == (1, None)


@pytest.mark.parametrize("method", ["eval", "execute"])
def test_code_may_be_given_by_keyword(lua, method):
    assert getattr(lua, method)(lua_code="1" if method == "eval" else "return 1") == 1


@pytest.mark.parametrize("method", ["eval", "execute", "compile"])
@pytest.mark.parametrize("arguments", [{"nonsense": 1}, {"encoding": "utf-8"}], ids=str)
def test_unknown_keywords_are_refused(lua, method, arguments):
    with pytest.raises(TypeError):
        getattr(lua, method)("", **arguments)


@pytest.mark.parametrize("make", [bytes, bytearray], ids=["bytes", "bytearray"])
def test_code_may_be_bytes(lua, make):
    assert lua.eval(make(b"1 + 1")) == 2
    assert lua.execute(make(b"return 'a'")) == "a"
    assert lua.compile(make(b"return 3"))() == 3


@pytest.mark.parametrize("code", [None, 1, 1.5, [], memoryview(b"1")], ids=str)
@pytest.mark.parametrize("method", ["eval", "execute", "compile"])
def test_code_must_be_text(lua, method, code):
    with pytest.raises(TypeError, match=f"^Expected string, got {type(code)}$"):
        getattr(lua, method)(code)


def test_a_string_subclass_is_code_too(lua):
    class Text(str):
        pass

    assert lua.eval(Text("1 + 1")) == 2


def test_compile_returns_a_function(lua):
    function = lua.compile("local a, b = ... return (a or 0) + (b or 0)")
    assert type(function).__name__ == "_LuaFunction"
    assert function() == 0
    assert function(1, 2) == 3


def test_compile_runs_nothing(lua):
    function = lua.compile("x = 1")
    assert lua.eval("x") is None
    function()
    assert lua.eval("x") == 1


def test_compile_takes_name_and_mode_by_position(lua):
    assert lua.compile("return 1", "name", "t")() == 1
    assert message_of(lua.compile("error('x')", "=name")).startswith("name:1: x")


def test_compiled_functions_share_globals(lua):
    lua.compile("shared = ...")(7)
    assert lua.compile("return shared")() == 7


@pytest.mark.parametrize("method", ["eval", "execute"])
def test_text_of_syntax_errors(lua, method):
    with pytest.raises(LuaSyntaxError) as info:
        getattr(lua, method)("x x" if method == "execute" else "1 +")
    expected = {
        "execute": "error loading code: [string \"<python>\"]:1: '=' expected near 'x'",
        "eval": "error loading code: [string \"<python>\"]:1: unexpected symbol near '<eof>'",
    }
    assert str(info.value) == expected[method]
    assert info.value.args == (expected[method],)


def test_text_of_syntax_errors_of_compile(lua):
    with pytest.raises(LuaSyntaxError) as info:
        lua.compile("x x")
    assert str(info.value) == "[string \"<python>\"]:1: '=' expected near 'x'"


@pytest.mark.parametrize(
    "code, message",
    [
        ("x = = 1", "unexpected symbol near '='"),
        ("return 'abc", "unfinished string near '<eof>'"),
        ("for i = 1 do end", "',' expected near 'do'"),
        ("if true then", "'end' expected near '<eof>'"),
        ("goto nowhere", "undefined label 'nowhere'"),
        ("break", "no loop to break"),
        ("return --[[ never closed", "unfinished long comment near '<eof>'"),
    ],
)
def test_texts_of_the_parser(lua, code, message):
    with pytest.raises(LuaSyntaxError) as info:
        lua.execute(code)
    assert str(info.value) == f'error loading code: [string "<python>"]:1: {message}'


def test_line_numbers_in_messages(lua):
    with pytest.raises(LuaSyntaxError, match=r'^error loading code: \[string "<python>"\]:3: '):
        lua.execute("x = 1\ny = 2\nz z")
    with pytest.raises(LuaError, match=r'^\[string "<python>"\]:2: attempt to perform arithmetic'):
        lua.eval("1 +\n nil")


def test_the_runtime_survives_syntax_errors(lua):
    for _ in range(300):
        with pytest.raises(LuaSyntaxError):
            lua.execute("x x")
    assert lua.eval("1") == 1


@pytest.mark.parametrize(
    "name, prefix",
    [
        ("chunk", '[string "chunk"]:1: '),
        ("=chunk", "chunk:1: "),
        ("@dir/file.lua", "dir/file.lua:1: "),
        ("two\nlines", '[string "two..."]:1: '),
        ("", '[string ""]:1: '),
        (b"=bytes", "bytes:1: "),
        ("=\u00e4\u20ac", "\u00e4\u20ac:1: "),
        (
            "local a_long_name = 1; local another_long_name = 3; return 5",
            '[string "local a_long_name = 1; local another_long_nam..."]:1: ',
        ),
    ],
)
def test_chunk_names(lua, name, prefix):
    code = "error('here')"
    assert message_of(lua.execute, code, name=name).startswith(prefix + "here")
    assert message_of(lua.compile(code, name=name)).startswith(prefix + "here")
    assert message_of(lua.eval, "(function() error('here') end)()", name=name).startswith(
        prefix + "here"
    )
    assert message_of(lua.execute, "x x", name=name).startswith("error loading code: " + prefix)
    assert message_of(lua.compile, "x x", name=name).startswith(prefix)


@pytest.mark.parametrize("method", ["eval", "execute", "compile"])
def test_name_and_mode_must_be_strings(lua, method):
    with pytest.raises(TypeError, match="Expected string, got <class 'int'>"):
        getattr(lua, method)("", name=3)
    with pytest.raises(ValueError, match="expected string, got <class 'int'>"):
        getattr(lua, method)("", mode=3)


@pytest.mark.parametrize("mode", [None, "bt", "t", b"t"])
def test_source_in_modes_that_allow_it(lua, mode):
    assert lua.eval("1", mode=mode) == 1
    assert lua.execute("return 2", mode=mode) == 2
    assert lua.compile("return 3", mode=mode)() == 3


@pytest.mark.parametrize("mode", [None, "bt", "b"])
def test_bytecode_in_modes_that_allow_it(lua, bytecode, mode):
    assert lua.execute(bytecode, 1, mode=mode) == (42, 1)
    assert lua.compile(bytecode, mode=mode)(1) == (42, 1)


def test_bytecode_is_no_expression(lua, bytecode):
    with pytest.raises(LuaSyntaxError, match="unexpected symbol near"):
        lua.eval(bytecode)


def test_damaged_bytecode_is_a_syntax_error(lua, bytecode):
    with pytest.raises(LuaSyntaxError) as info:
        lua.execute(bytecode[:10])
    assert str(info.value) == "error loading code: <python>: cannot load malformed bytecode"


def test_first_line_may_be_a_shebang(lua):
    assert lua.execute("#!/usr/bin/env lua\nreturn 1") == 1


def test_a_byte_order_mark_is_skipped(lua):
    assert lua.execute("\ufeffreturn 1") == 1


def test_source_may_contain_nul(lua):
    assert lua.eval("'a\0b'") == "a\0b"
    assert lua.eval("#'a\0b'") == 3


def test_long_source(lua):
    code = "x = 0\n" + "x = x + 1\n" * 20000 + "return x"
    assert lua.execute(code) == 20000


def test_deeply_nested_source_is_an_error(lua):
    with pytest.raises(LuaSyntaxError, match="too many syntax levels|limit"):
        lua.eval("(" * 10000 + "1" + ")" * 10000)
    assert lua.eval("1") == 1


def test_source_encoding_encodes_the_source():
    lua = LuaRuntime(encoding="utf-8", source_encoding="latin1")
    assert lua.eval(b"'\xc3\xa4'") == "\u00e4"
    assert lua.eval("#'\u00e4'") == 1
    assert lua.eval("#...", "\u00e4") == 2
