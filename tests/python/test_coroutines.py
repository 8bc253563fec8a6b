"""Lua coroutines as Python generators, made on either side."""

import pytest

from lupa import LuaError

COUNT = "function(n) for i = 1, n do coroutine.yield(i) end end"
ECHO = """
    function(...)
        local values = {n = select('#', ...), ...}
        while true do
            values = (function(...) return {n = select('#', ...), ...} end)(
                coroutine.yield(unpack(values, 1, values.n)))
        end
    end
"""


@pytest.fixture
def count(lua):
    return lua.eval(COUNT)


@pytest.fixture
def echo(lua):
    return lua.eval(ECHO)


def test_coroutines_are_iterators(count):
    coroutine = count.coroutine(3)
    assert iter(coroutine) is coroutine
    assert [next(coroutine), next(coroutine), next(coroutine)] == [1, 2, 3]
    with pytest.raises(StopIteration):
        next(coroutine)


def test_coroutines_work_where_iterables_do(count):
    assert list(count.coroutine(3)) == [1, 2, 3]
    assert sum(count.coroutine(4)) == 10
    assert list(zip(count.coroutine(3), count.coroutine(2))) == [(1, 1), (2, 2)]
    assert [x + x for x in count.coroutine(2)] == [2, 4]
    assert dict(enumerate(count.coroutine(2))) == {0: 1, 1: 2}


def test_each_call_makes_a_new_coroutine(count):
    first, second = count.coroutine(2), count.coroutine(2)
    assert first is not second
    assert [next(first), next(first), next(second)] == [1, 2, 1]


def test_yielded_values(lua):
    coroutine = lua.eval(
        "function() coroutine.yield() coroutine.yield(nil) coroutine.yield(nil, 1) end"
    ).coroutine()
    assert list(coroutine) == [None, None, (None, 1)]
    pairs = lua.eval("function() for i = 1, 2 do coroutine.yield(i, i * i) end end").coroutine()
    assert list(pairs) == [(1, 1), (2, 4)]


def test_returned_values_are_the_last_item(lua):
    assert list(lua.eval("function() coroutine.yield(1) return 'end' end").coroutine()) == [
        1,
        "end",
    ]
    assert list(lua.eval("function() return 1, 2 end").coroutine()) == [(1, 2)]
    assert list(lua.eval("function() return nil end").coroutine()) == [None]
    assert list(lua.eval("function() end").coroutine()) == []


def test_arguments_are_kept_for_the_start(echo):
    assert next(echo.coroutine(1, "two")) == (1, "two")
    assert next(echo.coroutine(None)) is None
    assert next(echo.coroutine()) is None
    assert next(echo.coroutine(*range(100))) == tuple(range(100))


def test_nothing_runs_before_the_start(lua):
    coroutine = lua.eval("function() started = true end").coroutine()
    assert lua.eval("started") is None
    list(coroutine)
    assert lua.eval("started") is True


# send


def test_send(echo):
    coroutine = echo.coroutine("start")
    assert coroutine.send(None) == "start"
    assert coroutine.send(1) == 1
    assert coroutine.send("text") == "text"
    assert coroutine.send([1]) == [1]
    assert coroutine.send(False) is False
    assert next(coroutine) is None


def test_sending_none_sends_nothing(lua):
    coroutine = lua.eval(
        "function() while true do coroutine.yield(select('#', coroutine.yield())) end end"
    ).coroutine()
    next(coroutine)
    assert coroutine.send(None) == 0
    next(coroutine)
    assert next(coroutine) == 0
    next(coroutine)
    assert coroutine.send((None,)) == 1


def test_sending_a_tuple_sends_its_items(echo):
    coroutine = echo.coroutine()
    next(coroutine)
    assert coroutine.send((1, None, 3)) == (1, None, 3)
    assert coroutine.send((1,)) == 1
    assert coroutine.send(((1, 2),)) == (1, 2)
    assert coroutine.send(()) is None


def test_the_first_send_must_be_none(count):
    coroutine = count.coroutine(2)
    with pytest.raises(TypeError, match="can't send non-None value to a just-started generator"):
        coroutine.send(1)
    assert coroutine.send(None) == 1
    assert coroutine.send(5) == 2


def test_send_ends_with_stop_iteration(count):
    coroutine = count.coroutine(1)
    assert coroutine.send(None) == 1
    for value in [None, 1, (1, 2)]:
        with pytest.raises(StopIteration):
            coroutine.send(value)


# truth


def test_truth_tells_whether_it_can_go_on(count):
    coroutine = count.coroutine(1)
    assert bool(coroutine) is True
    assert next(coroutine) == 1
    assert bool(coroutine) is True
    assert list(coroutine) == []
    assert bool(coroutine) is False


def test_truth_after_a_return_value(lua):
    coroutine = lua.eval("function() return 1 end").coroutine()
    assert next(coroutine) == 1
    assert bool(coroutine) is False
    assert list(coroutine) == []


def test_truth_after_an_error(lua):
    coroutine = lua.eval("function() error('x') end").coroutine()
    with pytest.raises(LuaError):
        next(coroutine)
    assert bool(coroutine) is False


def test_truth_while_running(lua):
    seen = []
    function = lua.eval("function(f) f((coroutine.running())) end")
    list(function.coroutine(lambda coroutine: seen.append(bool(coroutine))))
    assert seen == [True]


# errors


def test_errors_in_a_coroutine(lua):
    coroutine = lua.eval("function() coroutine.yield(1) error('oops') end").coroutine()
    assert next(coroutine) == 1
    with pytest.raises(LuaError, match=r'^\[string "<python>"\]:1: oops'):
        next(coroutine)


def test_a_failed_coroutine_cannot_go_on(lua):
    coroutine = lua.eval("function() error('oops') end").coroutine()
    with pytest.raises(LuaError, match="oops"):
        next(coroutine)
    for _ in range(2):
        with pytest.raises(LuaError, match="^cannot resume non-suspended coroutine"):
            next(coroutine)


def test_only_lua_functions_can_be_coroutines(lua):
    with pytest.raises(TypeError, match="Lua object is not a function"):
        lua.eval("print").coroutine()
    with pytest.raises(TypeError, match="Lua object is not a function"):
        lua.eval("string.gmatch('a', 'a')").coroutine()
    with pytest.raises(TypeError, match="Lua object is not a function"):
        lua.eval("coroutine.create(print)")()


def test_yield_outside_a_coroutine(lua):
    with pytest.raises(LuaError, match="attempt to yield across C-call boundary"):
        lua.eval("coroutine.yield(1)")
    assert lua.eval("1") == 1


def test_coroutines_are_neither_callable_nor_indexable(count):
    coroutine = count.coroutine(1)
    with pytest.raises(LuaError, match="attempt to call a thread value"):
        coroutine()
    with pytest.raises(AttributeError, match="item/attribute access not supported on functions"):
        coroutine.x
    with pytest.raises(TypeError, match="item/attribute access not supported on functions"):
        coroutine["x"]
    assert list(coroutine) == [1]


def test_repr(count):
    assert repr(count.coroutine(1)).startswith("<Lua thread at 0x")
    assert str(count.coroutine(1)).startswith("<Lua thread at 0x")


# made in Lua


def test_an_unstarted_coroutine_is_a_function_that_makes_coroutines(lua):
    function = lua.eval(f"coroutine.create({COUNT})")
    assert list(function(2)) == [1, 2]
    assert list(function(3)) == [1, 2, 3]
    assert list(function.coroutine(1)) == [1]
    with pytest.raises(TypeError):
        next(function)


def test_a_started_coroutine_goes_on(lua):
    coroutine = lua.execute(
        f"local co = coroutine.create({COUNT}) assert(coroutine.resume(co, 3)) return co"
    )
    assert bool(coroutine) is True
    assert list(coroutine) == [2, 3]


def test_a_finished_coroutine_is_empty(lua):
    coroutine = lua.execute(
        "local co = coroutine.create(function() end) coroutine.resume(co) return co"
    )
    assert bool(coroutine) is False
    assert list(coroutine) == []


def test_a_coroutine_that_failed_in_lua(lua):
    coroutine = lua.execute(
        "local co = coroutine.create(error) coroutine.resume(co, 'x') return co"
    )
    assert bool(coroutine) is False
    with pytest.raises(LuaError, match="cannot resume non-suspended coroutine"):
        next(coroutine)


def test_coroutine_wrap(lua):
    function = lua.eval(f"coroutine.wrap({COUNT})")
    assert [function(2), function(), function()] == [1, 2, None]
    with pytest.raises(LuaError, match="cannot resume dead coroutine"):
        function()


def test_python_may_continue_what_lua_started_and_back(lua, count):
    coroutine = count.coroutine(4)
    lua.globals().co = coroutine
    assert next(coroutine) == 1
    assert lua.eval("coroutine.resume(co)") == (True, 2)
    assert next(coroutine) == 3
    assert lua.eval("coroutine.resume(co)") == (True, 4)
    assert lua.eval("coroutine.status(co)") == "suspended"
    assert list(coroutine) == []
    assert lua.eval("coroutine.status(co)") == "dead"


def test_an_unstarted_coroutine_of_python_passed_to_lua(lua, count):
    assert lua.eval("type(...), coroutine.status(...)", count.coroutine(1)) == (
        "thread",
        "suspended",
    )
    assert lua.eval("function(co) return coroutine.resume(co, 3) end")(count.coroutine(1)) == (
        True,
        1,
    )


# Python functions in coroutines


def test_callbacks_from_a_coroutine(lua):
    function = lua.eval("function(f) for i = 1, 3 do coroutine.yield(f(i)) end end")
    assert list(function.coroutine(lambda x: x * x)) == [1, 4, 9]


def test_callbacks_see_their_arguments_in_order(lua):
    seen = []
    function = lua.eval("function(f) f(1, 'a') local x = coroutine.yield() f(x) end")
    coroutine = function.coroutine(lambda *args: seen.append(args))
    next(coroutine)
    with pytest.raises(StopIteration):
        coroutine.send("sent")
    assert seen == [(1, "a"), ("sent",)]


def test_a_coroutine_that_iterates_over_python(lua):
    function = lua.eval(
        "function(items) for item in python.iter(items) do coroutine.yield(item) end end"
    )
    assert list(function.coroutine(["a", "b"])) == ["a", "b"]


def test_python_generators_over_coroutines(count):
    def doubled(source):
        for value in source:
            yield value * 2

    assert list(doubled(count.coroutine(3))) == [2, 4, 6]


def test_many_coroutines(count):
    coroutines = [count.coroutine(3) for _ in range(500)]
    for expected in [1, 2, 3]:
        assert {next(coroutine) for coroutine in coroutines} == {expected}
    assert [list(coroutine) for coroutine in coroutines] == [[]] * 500


def test_coroutines_that_are_dropped_half_way(lua, count):
    for _ in range(300):
        next(count.coroutine(3))
    lua.gccollect()
    assert lua.eval("1") == 1


def test_yield_from(count):
    def generator():
        yield "first"
        yield from count.coroutine(2)

    assert list(generator()) == ["first", 1, 2]
