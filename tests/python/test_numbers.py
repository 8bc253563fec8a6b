"""Numbers and booleans between the languages, and integers that do not fit."""

import decimal
import enum
import fractions
import math

import pytest

import lupa
from lupa import LuaRuntime


@pytest.fixture
def echo(lua):
    return lua.eval("function(...) return ... end")


# out of Lua


@pytest.mark.parametrize(
    "code, expected",
    [
        ("0", 0),
        ("1", 1),
        ("-1", -1),
        ("1.0", 1),
        ("1e15", 10**15),
        ("0x10", 16),
        ("10 / 2", 5),
        ("-0.0", 0),
        ("2^31", 2**31),
        ("-2^31", -(2**31)),
        ("2^32 + 1", 2**32 + 1),
        ("2^53", 2**53),
        ("-2^53", -(2**53)),
    ],
)
def test_integral_numbers_become_int(lua, code, expected):
    value = lua.eval(code)
    assert value == expected and type(value) is int


@pytest.mark.parametrize(
    "code, expected",
    [
        ("1.5", 1.5),
        ("-0.25", -0.25),
        ("1/3", 1 / 3),
        ("math.pi", math.pi),
        ("5e-324", 5e-324),
        ("1e300", 1e300),
        ("-1e300", -1e300),
        ("1/0", math.inf),
        ("-1/0", -math.inf),
        ("2^64", 2.0**64),
    ],
)
def test_other_numbers_become_float(lua, code, expected):
    value = lua.eval(code)
    assert value == expected and type(value) is float


def test_nan_becomes_nan(lua):
    value = lua.eval("0/0")
    assert type(value) is float and math.isnan(value)


@pytest.mark.parametrize(
    "code, expected", [("true", True), ("false", False), ("1 == 1", True), ("nil", None)]
)
def test_booleans_and_nil(lua, code, expected):
    assert lua.eval(code) is expected


def test_numbers_that_look_like_strings_stay_strings(lua):
    assert lua.eval("'1'") == "1"
    assert lua.eval("tostring(10)") == "10"


# into Lua


@pytest.mark.parametrize(
    "value",
    # CPython keeps those below 2**30 in one digit, which are read without asking it.
    [n * s for n in (1, 255, 2**30 - 1, 2**30, 2**31 - 1, 2**31, 2**40, 2**53) for s in (1, -1)]
    + [0, 2**32, 2**53 - 1],
)
def test_ints_survive_a_round_trip(echo, value):
    result = echo(value)
    assert result == value and type(result) is int


@pytest.mark.parametrize("value", [0.5, -1.5, 1e300, 5e-324, math.inf, -math.inf, 2.0**70])
def test_floats_survive_a_round_trip(echo, value):
    result = echo(value)
    assert result == value and type(result) is float


@pytest.mark.parametrize("value, expected", [(1.0, 1), (-3.0, -3), (-0.0, 0), (1e15, 10**15)])
def test_integral_floats_come_back_as_int(echo, value, expected):
    result = echo(value)
    assert result == expected and type(result) is int


def test_nan_survives_a_round_trip(lua, echo):
    assert math.isnan(echo(math.nan))
    assert lua.eval("function(x) return x ~= x end")(math.nan) is True


def test_the_sign_of_zero_arrives(lua):
    assert lua.eval("1 / ...", -0.0) == -math.inf


@pytest.mark.parametrize("value", [True, False, None])
def test_constants_survive_a_round_trip(echo, value):
    assert echo(value) is value


@pytest.mark.parametrize(
    "value, kind",
    [
        (1, "number"),
        (1.5, "number"),
        (True, "boolean"),
        (None, "nil"),
        ("x", "string"),
        (b"x", "string"),
        (bytearray(b"x"), "userdata"),
        (1j, "userdata"),
        (decimal.Decimal(1), "userdata"),
        (fractions.Fraction(1, 2), "userdata"),
        ((1, 2), "userdata"),
        ([1], "userdata"),
        ({}, "userdata"),
        (len, "userdata"),
        (int, "userdata"),
        (object(), "userdata"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else value,
)
def test_lua_types_of_python_values(lua, value, kind):
    assert lua.eval("type(...)", value) == kind


def test_subclasses_of_numbers_are_numbers(lua, echo):
    class Int(int):
        pass

    class Float(float):
        pass

    class Color(enum.IntEnum):
        RED = 5

    assert [echo(Int(3)), echo(Float(1.5)), echo(Color.RED)] == [3, 1.5, 5]
    assert type(echo(Int(3))) is int and type(echo(Color.RED)) is int
    assert lua.eval("type(...)", Color.RED) == "number"


def test_arithmetic_on_python_numbers(lua):
    assert lua.eval("function(a, b) return a + b, a * b, a / b, a ^ b end")(6, 4) == (
        10,
        24,
        1.5,
        1296,
    )


def test_numbers_are_keys(lua):
    table = lua.eval("{10, 20, 30, [0] = 1, [-1] = 2, [1.5] = 3, [2^31] = 4, [2^53] = 5}")
    values = {1: 10, 2.0: 20, 3: 30, 0: 1, -1: 2, 1.5: 3, 2**31: 4, 2**53: 5}
    assert {key: table[key] for key in values} == values
    assert table[-0.0] == 1
    missing = [4, -2, 2.5, float("inf"), float("nan"), 2**31 + 1, -(2**31) - 1]
    assert [table[key] for key in missing] == [None] * len(missing)


def test_bool_is_no_number(lua):
    assert lua.eval("function(x) return x == 1 end")(True) is False
    assert lua.eval("function(x) return x and 'yes' or 'no' end")(False) == "no"


# ints that do not fit


def test_bounds_have_both_signs():
    assert lupa.LUA_MININTEGER < 0 < lupa.LUA_MAXINTEGER


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 2**64, 10**30, -(10**30)])
def test_ints_beyond_64_bits_overflow(lua, echo, value):
    with pytest.raises(OverflowError):
        echo(value)
    with pytest.raises(OverflowError):
        lua.globals().x = value
    with pytest.raises(OverflowError):
        lua.table(value)
    with pytest.raises(OverflowError):
        lua.eval("(...)()", lambda: value)
    assert echo(1) == 1


def test_the_overflow_handler_gets_the_int():
    seen = []

    def handler(value):
        seen.append(value)
        return float(value)

    lua = LuaRuntime(overflow_handler=handler)
    assert lua.eval("...", 10**30) == 1e30
    assert lua.eval("...", 7) == 7
    assert seen == [10**30]


def test_the_overflow_handler_may_return_anything():
    lua = LuaRuntime(overflow_handler=str)
    assert lua.eval("...", 10**20) == "1" + "0" * 20
    lua.set_overflow_handler(lambda value: None)
    assert lua.eval("select('#', ...), ...", 10**20) == (1, None)
    wrapped = object()
    lua.set_overflow_handler(lambda value: wrapped)
    assert lua.eval("...", 10**20) is wrapped


def test_the_overflow_handler_can_be_changed(lua):
    lua.set_overflow_handler(float)
    assert lua.eval("...", 10**30) == 1e30
    lua.set_overflow_handler(None)
    with pytest.raises(OverflowError):
        lua.eval("...", 10**30)


def test_the_overflow_handler_must_be_callable(lua):
    with pytest.raises(ValueError, match="overflow_handler must be callable"):
        lua.set_overflow_handler(3)


def test_the_overflow_handler_works_wherever_values_enter():
    lua = LuaRuntime(overflow_handler=float)
    lua.globals().x = 10**30
    assert lua.eval("x") == 1e30
    assert lua.table(10**30)[1] == 1e30
    assert lua.table_from({"a": 10**30}).a == 1e30
    assert lua.eval("(...)()", lambda: 10**30) == 1e30
    assert lua.eval("(...)[1]", [0, 10**30]) == 1e30


def test_lua_can_set_the_overflow_handler(lua):
    lua.execute("python.set_overflow_handler(function(value) return tostring(value) end)")
    assert lua.eval("...", 10**20) == "1" + "0" * 20
    lua.execute("python.set_overflow_handler(...)", float)
    assert lua.eval("...", 10**20) == 1e20
    lua.execute("python.set_overflow_handler(nil)")
    with pytest.raises(OverflowError):
        lua.eval("...", 10**20)


@pytest.mark.parametrize("argument", ["1", "'x'", "{}", ""])
def test_lua_s_overflow_handler_must_be_callable(lua, argument):
    with pytest.raises(lupa.LuaError, match="bad argument #1 to .*not a python object"):
        lua.execute(f"local x = python.set_overflow_handler({argument})")


def test_a_failing_overflow_handler_leaves_the_overflow_error():
    def handler(value):
        raise OverflowError("does not fit")

    lua = LuaRuntime(overflow_handler=handler)
    with pytest.raises(OverflowError):
        lua.eval("...", 10**30)
    assert lua.eval("1") == 1


@pytest.mark.parametrize("error", [ValueError("mine"), KeyboardInterrupt("mine"), SystemExit(3)])
def test_what_an_overflow_handler_raises_is_not_lost(error):
    def handler(value):
        raise error

    lua = LuaRuntime(overflow_handler=handler)
    with pytest.raises((OverflowError, type(error))) as info:
        lua.eval("...", 10**30)
    if isinstance(error, Exception):
        assert type(info.value) is OverflowError and info.value.__cause__ is error
    else:
        assert info.value is error
