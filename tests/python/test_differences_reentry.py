"""Deliberate differences (design, section 5): every hook may use the runtime that called it."""

import pytest

from lupa import LuaRuntime


def test_enumerate_over_a_generator_that_calls_lua(lua):
    def items():
        for item in "abc":
            yield lua.eval("string.upper(...)", item)

    lines = lua.execute(
        "local t = {} for i, x in python.enumerate(...) do t[#t + 1] = i .. x end return t", items()
    )
    assert list(lines.values()) == ["0A", "1B", "2C"]


@pytest.mark.parametrize("function", ["iter", "iterex"])
def test_iter_over_a_generator_that_calls_lua(lua, function):
    items = (lua.eval("... * 2", item) for item in range(4))
    assert (
        lua.execute(f"local s = 0 for x in python.{function}(...) do s = s + x end return s", items)
        == 12
    )


def test_every_hook_may_call_lua(lua):
    class Thing:
        def __str__(self):
            return lua.eval("string.rep('x', 3)")

        @property
        def value(self):
            return lua.eval("...", 5)

        @value.setter
        def value(self, new):
            lua.globals().seen = new

        def __iter__(self):
            return iter(lua.table(1, 2))

    thing = Thing()
    assert lua.eval("tostring(...)", thing) == "xxx"
    assert lua.eval("(...).value", thing) == 5
    lua.execute("(...).value = 7", thing)
    assert lua.eval("seen") == 7
    assert (
        lua.execute("local s = 0 for x in python.iter(...) do s = s + x end return s", thing) == 3
    )


def test_the_filter_may_call_lua():
    lua = LuaRuntime(
        attribute_filter=lambda obj, name, is_setting: lua.eval("string.lower(...)", name)
    )
    assert lua.eval("(...).REAL", (5).__class__) is int.real


def test_the_overflow_handler_may_call_lua():
    lua = LuaRuntime(overflow_handler=lambda value: lua.eval("...", str(value)))
    assert lua.eval("select('#', ...), ...", 1, 10**20, 3) == (3, 1, str(10**20), 3)
