"""Calls from Lua: methods of Python objects, and keyword arguments with python.args."""

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

    @classmethod
    def of_class(cls, *args):
        return cls, args

    @staticmethod
    def static(*args):
        return args


# methods


def test_method_calls_do_not_pass_self_twice(lua):
    account = Account()
    assert lua.eval("(...):deposit(1, 2)", account) == ((1, 2), {})
    assert lua.eval("(...):deposit()", account) == ((), {})
    assert account.balance == 3


def test_function_call_syntax_works_on_bound_methods_too(lua):
    account = Account()
    assert lua.eval("(...).deposit(1, 2)", account) == ((1, 2), {})
    assert lua.eval("(function(a) return a.deposit(a, 1) end)(...)", account) == ((1,), {})
    assert account.balance == 4


def test_self_is_dropped_only_if_it_is_the_first_argument(lua):
    def deposit_other(self, other, *rest):
        return self, other, rest

    Account.deposit_other = deposit_other
    first, second = Account(), Account()
    try:
        assert lua.eval("(function(a, b) return a:deposit_other(b) end)(...)", first, second) == (
            first,
            second,
            (),
        )
        assert lua.eval(
            "(function(a, b) return a.deposit_other(b, a) end)(...)", first, second
        ) == (first, second, (first,))
        assert lua.eval("(function(a) return a:deposit_other(a, a) end)(...)", first) == (
            first,
            first,
            (first,),
        )
    finally:
        del Account.deposit_other


def test_static_and_class_methods(lua):
    account = Account()
    assert lua.eval("(...).static(1)", account) == (1,)
    assert lua.eval("(...):static(1)", account) == (account, 1)
    assert lua.eval("(...).of_class(1)", account) == (Account, (1,))
    assert lua.eval("(...):of_class(1)", Account) == (Account, (1,))
    assert lua.eval("(...):of_class(1)", account) == (Account, (account, 1))


def test_functions_of_a_class_get_self_by_hand(lua):
    account = Account()
    assert lua.eval("(function(c, a) return c.deposit(a, 5) end)(...)", Account, account) == (
        (5,),
        {},
    )
    assert account.balance == 5


def test_builtin_methods_through_attrgetter(lua):
    items = [1]
    lua.eval("python.as_attrgetter(...).append(2)", items)
    assert items == [1, 2]


# python.args


def test_python_args_gives_keywords(lua):
    assert lua.eval("(...)(python.args{1, 2, a = 3, b = 'x'})", show) == (
        (1, 2),
        {"a": 3, "b": "x"},
    )
    assert lua.eval("(...)(python.args{})", show) == ((), {})
    assert lua.eval("(...)(python.args{a = python.none})", show) == ((), {"a": None})


def test_python_args_among_plain_arguments(lua):
    code = "(...)(0, python.args{1, 2, a = 3}, 9, python.args{10, b = 1})"
    assert lua.eval(code, show) == ((0, 1, 2, 9, 10), {"a": 3, "b": 1})


def test_python_args_with_methods(lua):
    account = Account()
    assert lua.eval("(...):deposit(python.args{1, fee = 2})", account) == ((1,), {"fee": 2})


def test_python_args_may_be_kept(lua):
    arguments = lua.eval("python.args{1, a = 2}")
    assert type(arguments).__name__ == "_PyArguments"
    assert lua.eval("(function(f, args) return f(args) end)(...)", show, arguments) == (
        (1,),
        {"a": 2},
    )


def test_python_args_with_the_same_name_twice(lua):
    with pytest.raises(TypeError, match="multiple values for keyword argument 'a'"):
        lua.eval("(...)(python.args{a = 1}, python.args{a = 2})", show)


@pytest.mark.parametrize(
    "table, error, message",
    [
        ("{[0] = 1}", IndexError, "table index out of range"),
        ("{1, nil, 3, [7] = 1}", IndexError, "table index out of range"),
        ("{[1.5] = 1}", TypeError, "table key is neither an integer nor a string"),
        ("{[true] = 1}", TypeError, "table key is neither an integer nor a string"),
        ("{[{}] = 1}", TypeError, "table key is neither an integer nor a string"),
    ],
)
def test_tables_that_are_no_arguments(lua, table, error, message):
    with pytest.raises(error, match=message):
        lua.eval(f"python.args{table}")


@pytest.mark.parametrize("call, got", [("python.args(1)", "number"), ("python.args()", "no value")])
def test_python_args_wants_a_table(lua, call, got):
    with pytest.raises(LuaError, match=rf"bad argument #1 to .* \(table expected, got {got}\)"):
        lua.execute(f"local x = {call}")


def test_python_args_without_encoding(bytes_lua):
    assert bytes_lua.eval("(...)(python.args{1, a = 'x'})", show) == ((1,), {"a": b"x"})


def test_python_args_twice_with_the_same_name(lua):
    with pytest.raises(
        TypeError, match=r"^function\(\) got multiple values for keyword argument 'a'$"
    ):
        lua.eval("(...)(python.args{a = 1}, python.args{a = 2})", show)
