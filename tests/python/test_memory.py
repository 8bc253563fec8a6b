"""The garbage collector and the memory limit."""

import gc
import weakref

import pytest

import lupa
from lupa import LuaMemoryError, LuaRuntime


class Thing:
    pass


def collect(*runtimes):
    """Collect both languages' garbage until what one frees is seen by the other."""
    for _ in range(3):
        for lua in runtimes:
            lua.gccollect()
        gc.collect()


def watched():
    thing = Thing()
    return thing, weakref.ref(thing)


# the collector


def test_gccollect_runs_lua_s_collector(lua):
    lua.execute("p = newproxy(true); getmetatable(p).__gc = function() collected = true end")
    lua.execute("p = nil")
    lua.gccollect()
    assert lua.eval("collected") is True
    assert lua.gccollect() is None


def test_nogc_stops_the_collector(lua):
    make_garbage = "for i = 1, 200000 do local t = {{}} end"
    lua.gccollect()
    before = lua.eval("collectgarbage('count')")
    with lua.nogc() as value:
        assert value is None
        lua.execute("jit.off() " + make_garbage)
        assert lua.eval("collectgarbage('count')") > before + 10_000
    lua.execute(make_garbage)
    assert lua.eval("collectgarbage('count')") < before + 10_000


def test_nogc_ends_with_an_error_too(lua):
    with pytest.raises(ZeroDivisionError):
        with lua.nogc():
            raise ZeroDivisionError
    before = lua.eval("collectgarbage('count')")
    lua.execute("jit.off() for i = 1, 200000 do local t = {{}} end")
    assert lua.eval("collectgarbage('count')") < before + 10_000


# max_memory


def test_without_max_memory_nothing_is_counted(lua):
    assert lua.get_max_memory() is None and lua.get_max_memory(total=True) is None
    assert lua.get_memory_used() is None and lua.get_memory_used(total=True) is None


def test_without_max_memory_it_cannot_be_set(lua):
    with pytest.raises(RuntimeError, match="max_memory must be set on LuaRuntime creation"):
        lua.set_max_memory(10_000_000)


def test_max_memory_can_be_read_and_changed():
    lua = LuaRuntime(max_memory=1_000_000)
    base = lua.get_max_memory(total=True) - 1_000_000
    assert lua.get_max_memory() == 1_000_000 and base > 10_000
    lua.set_max_memory(2_000_000)
    assert (lua.get_max_memory(), lua.get_max_memory(total=True)) == (2_000_000, 2_000_000 + base)
    lua.set_max_memory(3_000_000, total=True)
    assert (lua.get_max_memory(), lua.get_max_memory(total=True)) == (3_000_000 - base, 3_000_000)


@pytest.mark.parametrize("value, error", [(-1, OverflowError), ("x", TypeError), (None, TypeError)])
def test_values_that_are_no_limit(value, error):
    with pytest.raises(error):
        LuaRuntime(max_memory=1_000_000).set_max_memory(value)


def test_memory_used_grows_and_shrinks():
    lua = LuaRuntime(max_memory=0)
    before = lua.get_memory_used(total=True)
    assert before > 10_000
    lua.execute("data = ('x'):rep(1000000)")
    used, total = lua.get_memory_used(), lua.get_memory_used(total=True)
    assert total >= before + 1_000_000 and 1_000_000 <= used < total
    lua.execute("data = nil")
    lua.gccollect()
    lua.gccollect()
    assert lua.get_memory_used(total=True) < before + 500_000


@pytest.mark.parametrize(
    "code",
    [
        "local t = {} for i = 1, 1e7 do t[i] = i end",
        "return ('x'):rep(1e7)",
        "local s = 'x' while true do s = s .. s end",
        "local t = {} while true do t = {t} end",
    ],
)
def test_the_limit_is_kept(code):
    lua = LuaRuntime(max_memory=1_000_000)
    with pytest.raises(LuaMemoryError):
        lua.execute(code)
    lua.gccollect()
    assert lua.eval("1 + 1") == 2
    assert lua.get_memory_used(total=True) < lua.get_max_memory(total=True)


def test_lua_can_catch_the_memory_error():
    lua = LuaRuntime(max_memory=1_000_000)
    assert lua.eval("pcall(string.rep, 'x', 1e7)") == (False, "not enough memory")


def test_a_higher_limit_lets_more_through():
    lua = LuaRuntime(max_memory=500_000)
    code = "return #('x'):rep(1000000)"
    with pytest.raises(LuaMemoryError):
        lua.execute(code)
    lua.set_max_memory(10_000_000)
    assert lua.execute(code) == 1_000_000


def test_a_limit_of_zero_is_none():
    lua = LuaRuntime(max_memory=0)
    assert lua.execute("return #('x'):rep(10000000)") == 10_000_000
    lua.set_max_memory(1_000)
    with pytest.raises(LuaMemoryError):
        lua.execute("return ('x'):rep(10000000)")
    lua.set_max_memory(0)
    assert lua.execute("return #('x'):rep(10000000)") == 10_000_000


def test_memory_errors_are_of_both_kinds():
    lua = LuaRuntime(max_memory=500_000)
    for kind in [MemoryError, lupa.LuaError]:
        with pytest.raises(kind):
            lua.execute("return ('x'):rep(1e7)")


def test_a_negative_number_is_no_limit():
    lua = LuaRuntime(max_memory=-1)
    assert lua.get_max_memory(total=True) == 0
    assert lua.eval("#('x'):rep(1e7)") == 10_000_000
