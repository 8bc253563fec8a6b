"""Deliberate differences (design, section 5): Python's operators in Lua, locked metatables."""

import fractions

import pytest

from lupa import LuaError

# operators on Python objects in Lua


class Number:
    """Records which Python operator was used."""

    def __init__(self, text):
        self.text = text

    def __eq__(self, other):
        return isinstance(other, Number) and self.text == other.text

    def __hash__(self):
        return hash(self.text)

    def __lt__(self, other):
        return self.text < other.text

    def __le__(self, other):
        return self.text <= other.text

    def __len__(self):
        return len(self.text)

    def __neg__(self):
        return f"-{self.text}"


def binary(symbol):
    def plain(self, other):
        return f"{self.text} {symbol} {getattr(other, 'text', other)}"

    def reflected(self, other):
        return f"{other} {symbol} {self.text} reflected"

    return plain, reflected


OPERATORS = {"+": "add", "-": "sub", "*": "mul", "/": "truediv", "%": "mod", "^": "pow"}
for _symbol, _name in OPERATORS.items():
    _plain, _reflected = binary(_symbol)
    setattr(Number, f"__{_name}__", _plain)
    setattr(Number, f"__r{_name}__", _reflected)


@pytest.mark.parametrize("operator", OPERATORS)
def test_arithmetic(lua, operator):
    assert (
        lua.eval(f"(function(a, b) return a {operator} b end)(...)", Number("a"), Number("b"))
        == f"a {operator} b"
    )
    assert lua.eval(f"(...) {operator} 5", Number("a")) == f"a {operator} 5"
    assert lua.eval(f"5 {operator} (...)", Number("a")) == f"5 {operator} a reflected"


def test_unary_operators(lua):
    assert lua.eval("-(...)", Number("a")) == "-a"
    assert lua.eval("#(...)", Number("abc")) == 3
    assert lua.eval("#(...)", [1, 2]) == 2


def test_comparisons(lua):
    compare = lua.eval("function(a, b) return a == b, a ~= b, a < b, a <= b, a > b, a >= b end")
    assert compare(Number("a"), Number("a")) == (True, False, False, True, False, True)
    assert compare(Number("a"), Number("b")) == (False, True, True, True, False, False)
    assert compare([1, 2], [1, 2])[:2] == (True, False)
    assert lua.eval("function(a, b) return rawequal(a, b) end")([1], [1]) is False


def test_concatenation_is_python_s(lua):
    assert lua.eval("(function(a, b) return a .. b end)(...)", [1], [2]) == [1, 2]


@pytest.mark.parametrize("code", ["(...) + 1", "1 - (...)", "-(...)", "#(...)", "(...) < (...)"])
def test_operators_that_python_does_not_have(lua, code):
    with pytest.raises(TypeError):
        lua.eval(f"(function(...) return {code} end)(...)", object())
    assert lua.eval("1") == 1


def test_errors_of_operators_arrive(lua):
    with pytest.raises(ZeroDivisionError):
        lua.eval("(...) / 0", fractions.Fraction(1, 2))


def test_operators_do_not_change_table_keys(lua):
    first, second = Number("a"), Number("a")
    table = lua.table()
    table[first] = "first"
    assert table[second] is None


# metatables of Python objects


def test_metatables_of_python_objects_are_locked(lua):
    assert lua.eval("type(getmetatable(...))", object()) != "table"
    with pytest.raises(LuaError):
        lua.execute("getmetatable(...).__index = function() return 'stolen' end", object())
    assert lua.eval("(...).real", type("Thing", (), {"real": 1})) == 1
