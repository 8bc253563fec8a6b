"""Calls in both directions: arguments, results, recursion."""

import functools

import pytest

from lupa import LuaError


def show(*args, **kwargs):
    return args, kwargs


class Account:
    def __init__(self, balance=0):
        self.balance = balance

    def deposit(self, *amounts, **options):
        self.balance += sum(amounts)
        return amounts, options

    @staticmethod
    def static(*args):
        return args

    def __call__(self, *args):
        return "called", args


# Python calls Lua


def test_no_result_is_none(lua):
    assert lua.eval("function() end")() is None
    assert lua.eval("function() return nil end")() is None


def test_one_result_is_itself(lua):
    assert lua.eval("function() return 1 end")() == 1
    assert lua.eval("function() return 'x' end")() == "x"


def test_several_results_are_a_tuple(lua):
    assert lua.eval("function() return 1, nil end")() == (1, None)
    assert lua.eval("function() return nil, nil, nil end")() == (None, None, None)


def test_arguments_arrive_in_order(lua):
    function = lua.eval("function(a, b, c) return c, b, a end")
    assert function(1, "two", 3.5) == (3.5, "two", 1)
    assert function(1) == (None, None, 1)
    assert function(1, 2, 3, 4, 5) == (3, 2, 1)


def test_none_counts_as_an_argument(lua):
    count = lua.eval("function(...) return select('#', ...) end")
    assert [count(), count(None), count(None, None), count(1, None, None)] == [0, 1, 2, 3]


def test_lua_functions_take_no_keywords(lua):
    with pytest.raises(TypeError, match="unexpected keyword argument|takes no keyword arguments"):
        lua.eval("print")(a=1)


def test_tuples_are_not_spread_over_arguments(lua):
    assert lua.eval("function(...) return select('#', ...) end")((1, 2, 3)) == 1
    assert lua.eval("function(x) return x end")((1, 2)) == (1, 2)


@pytest.mark.parametrize("count", [1, 5, 50, 250, 5000])
def test_many_arguments_and_results(lua, count):
    values = tuple(range(count)) if count > 1 else 0
    arguments = values if count > 1 else (0,)
    assert lua.eval("function(...) return ... end")(*arguments) == values


def test_more_arguments_than_lua_s_stack_holds(lua):
    with pytest.raises(MemoryError):
        lua.eval("function(...) return select('#', ...) end")(*range(100_000))
    assert lua.eval("1") == 1


def test_a_function_is_a_value(lua):
    make_adder = lua.eval("function(n) return function(x) return x + n end end")
    add_one, add_two = make_adder(1), make_adder(2)
    assert (add_one(10), add_two(10)) == (11, 12)
    assert lua.eval("function(f, x) return f(x) end")(add_one, 1) == 2


def test_c_functions_are_callable(lua):
    assert lua.eval("string.upper")("abc") == "ABC"
    assert lua.eval("math.max")(1, 5, 3) == 5
    assert lua.eval("print").__call__ is not None


def test_tables_with_a_call_metamethod(lua):
    table = lua.eval("setmetatable({}, {__call = function(self, ...) return self, ... end})")
    result = table(1, 2)
    assert result[1:] == (1, 2)
    assert lua.eval("rawequal(...)", table, result[0]) is True


@pytest.mark.parametrize("code, kind", [("{}", "table"), ("io.stdout", "userdata")])
def test_calling_what_lua_cannot_call(lua, code, kind):
    with pytest.raises(LuaError, match=f"^attempt to call a {kind} value"):
        lua.eval(code)()


def test_lua_methods_through_tables(lua):
    counter = lua.eval("{n = 0, add = function(self, k) self.n = self.n + k return self.n end}")
    assert counter.add(counter, 2) == 2
    assert counter["add"](counter, 3) == 5
    assert counter.n == 5


# Lua calls Python


def test_arguments_of_python_functions(lua):
    assert lua.eval("(...)()", show) == ((), {})
    assert lua.eval("(...)(1, 'two', 2.5, true)", show) == ((1, "two", 2.5, True), {})


def test_nil_arguments_are_none(lua):
    assert lua.eval("(...)(nil)", show) == ((None,), {})
    assert lua.eval("(...)(nil, 1, nil)", show) == ((None, 1, None), {})
    assert lua.eval("(...)(python.none)", show) == ((None,), {})


def test_many_arguments_to_python(lua):
    assert lua.eval("(...)(unpack(select(2, ...)))", show, lua.table(*range(250))) == (
        tuple(range(250)),
        {},
    )


def test_result_of_a_python_function(lua):
    assert lua.eval("select('#', (...)())", lambda: None) == 1
    assert lua.eval("(...)() == nil", lambda: None) is True
    assert lua.eval("(...)() + 1", lambda: 1) == 2


def test_tuples_are_results_of_their_own(lua):
    assert lua.eval("select('#', (...)())", lambda: (1, 2)) == 1
    assert lua.eval("(...)()[1]", lambda: (1, 2)) == 2
    assert lua.eval("(...)()", lambda: (1, 2)) == (1, 2)


def test_returned_tuples_can_be_unpacked(unpacking_lua):
    lua = unpacking_lua
    assert lua.eval("select('#', (...)())", lambda: (1, 2)) == 2
    assert lua.eval("select('#', (...)())", lambda: ()) == 0
    assert lua.eval("select('#', (...)())", lambda: (None, None)) == 2
    assert lua.execute("local a, b, c = (...)() return c, b, a", lambda: (1, 2, 3)) == (3, 2, 1)
    assert lua.eval("(...)()", lambda: (1, (2, 3), None)) == (1, (2, 3), None)


def test_unpacking_is_for_results_of_calls_only(unpacking_lua):
    lua = unpacking_lua
    assert lua.eval("type((...)[1])", [0, (1, 2)]) == "userdata"
    assert lua.eval("select('#', ...)", (1, 2)) == 1
    assert lua.eval("select('#', (...)())", lambda: [1, 2]) == 1
    account = Account((1, 2))
    assert lua.eval("type((...).balance)", account) == "userdata"


def test_many_unpacked_results(unpacking_lua):
    assert unpacking_lua.eval("select('#', (...)())", lambda: tuple(range(1000))) == 1000


def test_subclasses_of_tuple_are_unpacked(unpacking_lua):
    class Pair(tuple):
        pass

    assert unpacking_lua.eval("select('#', (...)())", lambda: Pair((1, 2))) == 2


@pytest.mark.parametrize(
    "function, result",
    [
        (len, 3),
        ("-".join, "a-b-c"),
        (functools.partial(int, base=16), 2748),
        (str.upper, "ABC"),
        (Account, Account),
        (Account(), ("called", ("abc",))),
        (Account().static, ("abc",)),
        (lambda x: x + x, "abcabc"),
    ],
    ids=lambda obj: type(obj).__name__,
)
def test_every_callable_can_be_called(lua, function, result):
    returned = lua.eval("(...)('abc')", function)
    assert returned == result or type(returned) is result


def test_calling_a_class_makes_an_instance(lua):
    account = lua.eval("(...)(5)", Account)
    assert type(account) is Account and account.balance == 5


def test_calling_an_instance(lua):
    assert lua.eval("(...)(1, 2)", Account()) == ("called", (1, 2))


def test_calling_what_python_cannot_call(lua):
    with pytest.raises(TypeError, match="'list' object is not callable"):
        lua.eval("(...)()", [1])


def test_wrong_number_of_arguments(lua):
    def one(x):
        return x

    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        lua.eval("(...)()", one)
    with pytest.raises(TypeError, match="takes 1 positional argument but 2 were given"):
        lua.eval("(...)(1, 2)", one)


# back and forth


def test_recursion_through_both_languages(lua):
    def count(n):
        return 0 if n == 0 else 1 + bounce(count, n - 1)

    bounce = lua.eval("function(f, n) return f(n) end")
    assert count(50) == 50


def test_callbacks_may_change_what_lua_sees(lua):
    table = lua.table(1)

    def change():
        table[1] = "changed"
        lua.execute("flag = true")

    assert lua.eval("(function(f, t) f() return t[1], flag end)(...)", change, table) == (
        "changed",
        True,
    )


def test_nested_calls_keep_their_arguments(lua):
    def inner(a, b):
        return lua.eval("... ", a + 1, b + 1)

    assert lua.eval("(function(f) local x, y = 1, f(2, 3) return x, y, 4 end)(...)", inner) == (
        1,
        (3, 4),
        4,
    )


def test_lua_callbacks_for_python_functions(lua):
    assert list(map(lua.eval("function(x) return x * 2 end"), [1, 2, 3])) == [2, 4, 6]
    assert sorted([3, 1, 2], key=lua.eval("function(x) return -x end")) == [3, 2, 1]
    assert functools.reduce(lua.eval("function(a, b) return a + b end"), range(10)) == 45


def test_python_callbacks_for_lua_functions(lua):
    words = lua.table("b", "c", "a")
    lua.execute("local t, f = ...; table.sort(t, python.as_function(f))", words, lambda a, b: a > b)
    assert list(words.values()) == ["c", "b", "a"]
