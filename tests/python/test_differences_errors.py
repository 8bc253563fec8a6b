"""Deliberate differences (design, section 5): errors keep their values, exceptions their identity."""

import gc
import re
import threading
import weakref

import pytest

import lupa
from lupa import LuaError, LuaMemoryError, LuaRuntime


def raiser(error):
    def fail(*args):
        raise error

    return fail


def error_of(function, *args):
    with pytest.raises(LuaError) as info:
        function(*args)
    return info.value


# LuaError.value and .traceback


def test_the_value_of_a_string_error(lua):
    error = error_of(lua.execute, "error('text')")
    assert error.value == '[string "<python>"]:1: text'
    assert str(error).startswith(error.value + "\nstack traceback:")


def test_the_traceback(lua):
    error = error_of(lua.execute, "local function f() error('text') end\nf()")
    assert "in function 'f'" in error.traceback and "in main chunk" in error.traceback
    assert "text" not in error.traceback.replace("function 'error'", "")


def test_a_table_as_error(lua):
    error = error_of(lua.execute, "error({code = 5})")
    assert type(error) is LuaError
    assert error.value.code == 5
    assert "table" in str(error)
    assert "in main chunk" in error.traceback


def test_the_value_is_the_very_table(lua):
    table = lua.table()
    assert error_of(lua.execute, "error(...)", table).value == table


@pytest.mark.parametrize(
    "code, value, word",
    [
        ("error()", None, "nil"),
        ("error(nil)", None, "nil"),
        ("error(true)", True, "true|boolean"),
        ("error(false)", False, "false|boolean"),
        ("error(1.5, 0)", 1.5, "1.5"),
        ("error(7, 0)", 7, "7"),
    ],
)
def test_other_values_as_errors(lua, code, value, word):
    error = error_of(lua.execute, code)
    assert error.value == value and type(error.value) is type(value)
    first_line = str(error).partition("\n")[0]
    assert re.search(word, first_line)


def test_tostring_metamethods_make_the_message(lua):
    error = error_of(
        lua.execute,
        "error(setmetatable({code = 5}, {__tostring = function(e) return 'E' .. e.code end}))",
    )
    assert str(error).startswith("E5") and error.value.code == 5


def test_a_failing_tostring_metamethod_does_no_harm(lua):
    error = error_of(
        lua.execute, "error(setmetatable({code = 5}, {__tostring = function() error('again') end}))"
    )
    assert error.value.code == 5 and str(error)
    assert lua.eval("1") == 1


def test_a_python_object_as_error(lua):
    thing = object()
    assert error_of(lua.execute, "error(...)", thing).value is thing


def test_functions_and_coroutines_as_errors(lua):
    assert error_of(lua.execute, "error(print)").value == lua.eval("print")
    error = error_of(lua.execute, "error(coroutine.create(function() end))")
    assert error.value is not None and "thread" in str(error)


def test_errors_in_coroutines_have_values_too(lua):
    coroutine = lua.eval("function() coroutine.yield(1) error({code = 5}) end").coroutine()
    assert next(coroutine) == 1
    assert error_of(next, coroutine).value.code == 5


def test_the_error_of_a_metamethod_has_a_value(lua):
    table = lua.eval("setmetatable({}, {__index = function() error({code = 5}) end})")
    assert error_of(lambda: table.x).value.code == 5


def test_errors_made_by_python_have_the_attributes():
    error = LuaError("own")
    assert error.traceback is None
    assert str(error) == "own"
    assert hasattr(error, "value")


def test_an_error_with_a_value_goes_through_lua_again(lua):
    def callback():
        lua.execute("error({code = 5})")

    error = error_of(lua.execute, "(...)()", callback)
    assert error.value.code == 5


# Python exceptions as error values


def test_error_with_an_exception_raises_it(lua):
    error = ValueError("v")
    with pytest.raises(ValueError) as info:
        lua.execute("error(...)", error)
    assert info.value is error


@pytest.mark.parametrize("level", ["", ", 0", ", 2"])
def test_a_caught_exception_is_raised_again(lua, level):
    error = KeyError("k")
    with pytest.raises(KeyError) as info:
        lua.execute(f"local ok, e = pcall(...) error(e{level})", raiser(error))
    assert info.value is error


def test_the_right_one_of_two_caught_exceptions(lua):
    first, second = KeyError("first"), ValueError("second")
    code = (
        "local f, g, n = ...; local _, a = pcall(f) local _, b = pcall(g) error(n == 1 and a or b)"
    )
    for number, expected in [(1, first), (2, second)]:
        with pytest.raises((KeyError, ValueError)) as info:
            lua.execute(code, raiser(first), raiser(second), number)
        assert info.value is expected


def test_an_old_exception_is_not_raised_instead_of_a_lua_error(lua):
    lua.execute("_, kept = pcall(...)", raiser(KeyError("old")))
    error = error_of(lua.execute, "error('new')")
    assert error.value.endswith("new")
    with pytest.raises(KeyError, match="old"):
        lua.execute("error(kept)")


def test_exceptions_in_coroutines_resumed_by_python(lua):
    error = KeyError("k")
    coroutine = lua.eval("function(f) coroutine.yield(1) f() end").coroutine(raiser(error))
    assert next(coroutine) == 1
    with pytest.raises(KeyError) as info:
        next(coroutine)
    assert info.value is error
    assert bool(coroutine) is False


def test_exceptions_through_coroutines_in_coroutines(lua):
    error = KeyError("k")
    coroutine = lua.eval("function(f) coroutine.wrap(function() f() end)() end").coroutine(
        raiser(error)
    )
    with pytest.raises(KeyError) as info:
        next(coroutine)
    assert info.value is error


def test_exceptions_replaced_by_a_message_handler(lua):
    error = error_of(
        lua.execute,
        "local ok, e = xpcall(..., function(e) return {e} end) error(e)",
        raiser(KeyError("k")),
    )
    assert isinstance(error.value[1], KeyError)


def test_exceptions_are_let_go(lua):
    class Thing:
        pass

    def fail():
        thing = Thing()
        refs.append(weakref.ref(thing))
        raise ValueError(thing)

    refs = []
    assert lua.eval("pcall(...)", fail)[0] is False
    for _ in range(3):
        lua.gccollect()
        gc.collect()
    assert refs[0]() is None


def test_many_exceptions_keep_functions_apart(lua):
    """The identity cache must not mistake one Python object for another after garbage collections."""
    function = lua.eval("function(f, x) return f(x) end")
    for number in range(3000):
        if number % 3 == 0:
            with pytest.raises(KeyError) as info:
                function(raiser(KeyError(number)), number)
            assert info.value.args == (number,)
        else:
            assert function(lambda x, n=number: (x, n), number) == (number, number)


def test_errors_reach_their_own_thread(lua):
    fail = lua.eval("function(f, x) f(x) end")
    failures = []

    def work(index):
        try:
            for number in range(100):
                with pytest.raises(KeyError) as info:
                    fail(raiser(KeyError(index, number)), number)
                assert info.value.args == (index, number)
                assert str(error_of(lua.execute, "error(..., 0)", f"thread {index}")).startswith(
                    f"thread {index}\n"
                )
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


# what pcall must not swallow


@pytest.mark.parametrize(
    "error",
    [KeyboardInterrupt("stop"), SystemExit(3), GeneratorExit("gone")],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize(
    "code",
    [
        "pcall(f)",
        "xpcall(f, function(e) return e end)",
        "pcall(pcall, f)",
        "pcall(function() pcall(f) end)",
        "coroutine.resume(coroutine.create(function() f() end))",
        "pcall(coroutine.wrap(function() f() end))",
        "pcall(string.gsub, 'abc', '.', python.as_function(f))",
    ],
)
def test_exits_pass_through_pcall(lua, error, code):
    with pytest.raises(type(error)) as info:
        lua.execute(f"local f = ...; {code}; after = true", raiser(error))
    assert info.value is error
    assert lua.eval("after") is None
    assert lua.eval("pcall(error, 'x')") == (False, "x")


def test_own_subclasses_of_base_exception_pass_too(lua):
    class Stop(KeyboardInterrupt):
        pass

    with pytest.raises(Stop):
        lua.execute("pcall(...)", raiser(Stop()))


def test_ordinary_exceptions_are_still_caught(lua):
    for error in [Exception("e"), StopIteration(), MemoryError(), LuaError("l"), KeyError("k")]:
        assert lua.eval("pcall(...)", raiser(error))[1] is error


@pytest.mark.parametrize("arguments, code", [("0", 0), ("3", 3), ("true", 0), ("false", 1)])
def test_os_exit_raises_system_exit(output_of, arguments, code):
    assert output_of(f"""
        from lupa import LuaRuntime

        lua = LuaRuntime()
        for call in ["os.exit({arguments})", "pcall(os.exit, {arguments})"]:
            try:
                lua.execute(call)
            except SystemExit as error:
                print(int(error.code or 0))
        print(lua.eval("1 + 1"))
    """) == [str(code), str(code), "2"]


def test_os_exit_without_arguments(output_of):
    assert output_of("""
        from lupa import LuaRuntime

        try:
            LuaRuntime().execute("os.exit()")
        except SystemExit as error:
            print(error.code in (None, 0))
    """) == ["True"]


def test_os_exit_ends_the_process_with_clean_up(run_isolated):
    result = run_isolated("""
        import atexit
        from lupa import LuaRuntime

        atexit.register(print, "cleaned up")
        LuaRuntime().execute("os.exit(3)")
    """)
    assert (result.returncode, result.lines) == (3, ["cleaned up"])


# texts


def test_messages_that_cannot_be_decoded(lua):
    error = error_of(lua.execute, "error('\\255x', 0)")
    assert str(error).startswith("\ufffdx\nstack traceback:")
    error = error_of(LuaRuntime(encoding="ascii").execute, "error('\\228', 0)")
    assert str(error).startswith("\ufffd")


def test_messages_of_coroutines_that_cannot_be_decoded(lua):
    coroutine = lua.eval("function() error('\\255x', 0) end").coroutine()
    assert str(error_of(next, coroutine)).startswith("\ufffdx")


def test_syntax_errors_that_cannot_be_decoded(lua):
    with pytest.raises(lupa.LuaSyntaxError, match="\ufffd"):
        lua.execute(b"x y\xff")
    with pytest.raises(lupa.LuaSyntaxError, match="\ufffd"):
        lua.compile(b"x y\xff")


@pytest.mark.parametrize(
    "code",
    [
        "error('not enough memory')",
        "error('not enough memory', 0)",
        "error('x: not enough memory for y')",
    ],
)
def test_only_real_memory_errors_are_memory_errors(lua, code):
    error = error_of(lua.execute, code)
    assert type(error) is LuaError and not isinstance(error, MemoryError)
    with pytest.raises(LuaMemoryError):
        LuaRuntime(max_memory=1_000_000).execute("return ('x'):rep(1e8)")


def test_a_chunk_named_like_a_memory_error(lua):
    with pytest.raises(lupa.LuaSyntaxError) as info:
        lua.execute("x x", name="=not enough memory")
    assert not isinstance(info.value, MemoryError)
