"""Lifetimes: an object lives exactly as long as one of the two languages holds it."""

import gc
import weakref

import pytest

from lupa import LuaRuntime


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


# Python objects held by Lua


def test_lua_keeps_an_object_alive(lua):
    thing, ref = watched()
    lua.globals().thing = thing
    del thing
    collect(lua)
    assert ref() is not None
    assert lua.eval("thing") is ref()


def test_lua_lets_an_object_go(lua):
    thing, ref = watched()
    lua.globals().thing = thing
    del thing
    lua.globals().thing = None
    collect(lua)
    assert ref() is None


def test_an_argument_lives_as_long_as_the_call(lua):
    thing, ref = watched()
    lua.eval("nil", thing)
    assert ref() is thing
    del thing
    collect(lua)
    assert ref() is None


def test_results_of_callbacks_are_let_go(lua):
    refs = []

    def make():
        thing, ref = watched()
        refs.append(ref)
        return thing

    lua.execute("local make = ...; for i = 1, 10 do make() end", make)
    collect(lua)
    assert [ref() for ref in refs] == [None] * 10


def test_objects_held_by_closures_and_coroutines(lua):
    thing, ref = watched()
    function = lua.eval("function(thing) return function() return thing end end")(thing)
    coroutine = lua.eval("function(thing) coroutine.yield() return thing end").coroutine(thing)
    next(coroutine)
    del thing
    collect(lua)
    assert ref() is not None
    del function
    collect(lua)
    assert ref() is not None
    del coroutine
    collect(lua)
    assert ref() is None


def test_objects_as_table_keys_and_values(lua):
    thing, ref = watched()
    table = lua.table()
    table[thing] = True
    table.value = thing
    del thing
    table.value = None
    collect(lua)
    assert ref() is not None
    del table[ref()]
    collect(lua)
    assert ref() is None


@pytest.mark.parametrize(
    "view",
    ["python.as_attrgetter(thing)", "python.as_itemgetter(thing)", "python.as_function(thing)"],
)
def test_views_keep_the_object_alive(lua, view):
    thing, ref = watched()
    lua.execute(f"local thing = ...; kept = {view}", thing)
    del thing
    collect(lua)
    assert ref() is not None
    lua.execute("kept = nil")
    collect(lua)
    assert ref() is None


def test_iterators_keep_the_iterable_alive(lua):
    thing, ref = watched()
    lua.execute("f, s, c = python.iter(...)", [thing])
    del thing
    collect(lua)
    assert ref() is not None
    lua.execute("f, s, c = nil, nil, nil")
    collect(lua)
    assert ref() is None


def test_an_object_passed_many_times_is_let_go_once(lua):
    thing, ref = watched()
    for _ in range(10):
        lua.globals().thing = thing
        lua.eval("...", thing)
        lua.globals().thing = None
        lua.gccollect()
    assert lua.eval("...", thing) is thing
    del thing
    collect(lua)
    assert ref() is None


def test_weak_tables_forget_dead_objects(lua):
    lua.execute("weak = setmetatable({}, {__mode = 'v'})")
    thing, ref = watched()
    lua.eval("function(thing) weak[1] = thing end")(thing)
    del thing
    collect(lua)
    assert lua.eval("weak[1]") is None and ref() is None


def test_the_end_of_a_runtime_lets_everything_go():
    lua = LuaRuntime()
    thing, ref = watched()
    lua.globals().thing = thing
    del thing, lua
    gc.collect()
    assert ref() is None


def test_a_wrapper_keeps_its_runtime_alive():
    thing, ref = watched()
    table = LuaRuntime().table(thing)
    del thing
    gc.collect()
    assert ref() is not None and table[1] is ref()
    del table
    gc.collect()
    assert ref() is None


@pytest.mark.parametrize(
    "make",
    [
        lambda lua: lua.table(1),
        lambda lua: lua.eval("print"),
        lambda lua: lua.eval("function() end"),
        lambda lua: lua.eval("function() end").coroutine(),
        lambda lua: iter(lua.table(1)),
        lambda lua: lua.globals(),
        lambda lua: lua.eval("io.stdout"),
    ],
    ids=["table", "c function", "function", "coroutine", "iterator", "globals", "userdata"],
)
def test_every_wrapper_keeps_its_runtime_alive(make):
    thing, ref = watched()
    lua = LuaRuntime()
    lua.globals().thing = thing
    wrapper = make(lua)
    del thing, lua
    gc.collect()
    assert ref() is not None
    repr(wrapper)
    del wrapper
    gc.collect()
    assert ref() is None


def test_a_cycle_through_a_runtime_is_collected():
    thing, ref = watched()
    thing.lua = LuaRuntime()
    thing.lua.globals().thing = thing
    del thing
    gc.collect()
    assert ref() is None


def test_a_cycle_through_a_function_is_collected():
    thing, ref = watched()
    thing.function = LuaRuntime().eval("function(thing) kept = thing end")
    thing.function(thing)
    del thing
    gc.collect()
    assert ref() is None


def test_exceptions_are_let_go(lua):
    thing, ref = watched()

    def fail():
        raise ValueError(ref())

    with pytest.raises(ValueError):
        lua.eval("(...)()", fail)
    del thing
    collect(lua)
    assert ref() is None


# Lua objects held by Python


def test_python_keeps_a_table_alive(lua):
    lua.execute("weak = setmetatable({}, {__mode = 'v'})")
    table = lua.execute("local t = {} weak[1] = t return t")
    collect(lua)
    assert lua.eval("weak[1] ~= nil") is True
    del table
    collect(lua)
    assert lua.eval("weak[1] == nil") is True


def test_each_wrapper_keeps_its_table_alive(lua):
    lua.execute("weak = setmetatable({}, {__mode = 'v'})")
    first = lua.execute("local t = {} weak[1] = t return t")
    second = lua.eval("weak[1]")
    del first
    collect(lua)
    assert lua.eval("weak[1] ~= nil") is True
    second.x = 1
    del second
    collect(lua)
    assert lua.eval("weak[1] == nil") is True


def test_many_wrappers(lua):
    tables = [lua.table(number) for number in range(20_000)]
    assert all(table[1] == number for number, table in enumerate(tables))
    del tables
    collect(lua)
    before = lua.eval("collectgarbage('count')")
    for _ in range(20_000):
        lua.table()
    collect(lua)
    assert lua.eval("collectgarbage('count')") < before + 1000
