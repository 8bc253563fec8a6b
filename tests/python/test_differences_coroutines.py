"""Added to PyPI's lupa 2.8 (design, section 5): throw() and close() on coroutines."""

import gc
import weakref

import pytest

from lupa import LuaError

CATCHING = """
    function(log)
        for i = 1, 5 do
            local ok, e = pcall(coroutine.yield, i)
            log(ok, e)
        end
        return 'end'
    end
"""


@pytest.fixture
def count(lua):
    return lua.eval("function(n) for i = 1, n do coroutine.yield(i) end end")


def test_throw_raises_the_exception(count):
    coroutine, error = count.coroutine(3), KeyError("k")
    assert next(coroutine) == 1
    with pytest.raises(KeyError) as info:
        coroutine.throw(error)
    assert info.value is error
    assert bool(coroutine) is False
    with pytest.raises((StopIteration, LuaError)):
        next(coroutine)


def test_throw_takes_a_class_too(count):
    coroutine = count.coroutine(3)
    next(coroutine)
    with pytest.raises(KeyError):
        coroutine.throw(KeyError)


@pytest.mark.parametrize(
    "value, args",
    [(None, ()), ("k", ("k",)), (("a", "b"), ("a", "b")), (KeyError("made"), ("made",))],
    ids=repr,
)
def test_throw_takes_what_generators_take(count, value, args):
    coroutine = count.coroutine(3)
    next(coroutine)
    try:
        raise ValueError
    except ValueError as error:
        traceback = error.__traceback__
    with pytest.raises(KeyError) as info:
        coroutine.throw(KeyError, value, traceback)
    assert info.value.args == args
    frames = []
    tb = info.value.__traceback__
    while tb:
        frames.append(tb.tb_lineno)
        tb = tb.tb_next
    assert traceback.tb_lineno in frames


def test_lua_can_catch_what_is_thrown(lua):
    seen, error = [], KeyError("k")
    coroutine = lua.eval(CATCHING).coroutine(lambda *args: seen.append(args))
    assert next(coroutine) == 1
    assert coroutine.throw(error) == 2
    assert coroutine.send("sent") == 3
    assert coroutine.throw(LuaError("text")) == 4
    assert seen[0][0] is False and seen[0][1] is error
    assert seen[1] == (True, "sent")
    assert seen[2][0] is False and isinstance(seen[2][1], LuaError)
    assert bool(coroutine) is True


def test_throw_returns_what_is_yielded_or_returned_next(lua):
    function = lua.eval("function() pcall(coroutine.yield, 1) return 'end', 2 end")
    coroutine = function.coroutine()
    next(coroutine)
    assert coroutine.throw(ValueError()) == ("end", 2)
    coroutine = lua.eval("function() pcall(coroutine.yield, 1) end").coroutine()
    next(coroutine)
    with pytest.raises(StopIteration):
        coroutine.throw(ValueError())


def test_the_error_is_raised_at_the_yield(lua):
    coroutine = lua.eval("""
        function()
            local ok, where = xpcall(function() coroutine.yield(1) end, function() return debug.traceback('here') end)
            coroutine.yield(where)
        end
    """).coroutine()
    next(coroutine)
    assert "yield" in coroutine.throw(ValueError()) and bool(coroutine)


def test_throw_into_a_coroutine_in_the_middle_of_calls(lua):
    coroutine = lua.eval("""
        function(f)
            local function inner() coroutine.yield(1) f('not reached') end
            local ok, e = pcall(inner)
            coroutine.yield(tostring(e))
        end
    """).coroutine(pytest.fail)
    next(coroutine)
    assert coroutine.throw(ValueError("thrown")) == "thrown"


def test_throw_into_an_unstarted_coroutine(count):
    coroutine, error = count.coroutine(3), KeyError("k")
    with pytest.raises(KeyError) as info:
        coroutine.throw(error)
    assert info.value is error
    assert list(coroutine) == [] and bool(coroutine) is False


def test_throw_into_a_finished_coroutine(count):
    coroutine, error = count.coroutine(0), KeyError("k")
    assert list(coroutine) == []
    with pytest.raises(KeyError) as info:
        coroutine.throw(error)
    assert info.value is error


def test_throw_wants_an_exception(count):
    coroutine = count.coroutine(3)
    next(coroutine)
    for value in [1, "text", None, int]:
        with pytest.raises(
            TypeError, match="must be classes or instances deriving from BaseException"
        ):
            coroutine.throw(value)
    with pytest.raises(TypeError, match="instance exception may not have a separate value"):
        coroutine.throw(KeyError("k"), "separate")
    assert next(coroutine) == 2


def test_exits_that_are_thrown_pass_through_pcall(lua):
    coroutine = lua.eval(CATCHING).coroutine(pytest.fail)
    next(coroutine)
    with pytest.raises(KeyboardInterrupt):
        coroutine.throw(KeyboardInterrupt())
    assert bool(coroutine) is False


def test_throw_into_a_coroutine_lua_started(lua):
    coroutine = lua.execute(
        "co = coroutine.create(function() coroutine.yield(1) end) coroutine.resume(co) return co"
    )
    with pytest.raises(KeyError):
        coroutine.throw(KeyError("k"))
    assert lua.eval("coroutine.status(co)") == "dead"


def test_coroutines_in_yield_from(lua):
    seen = []
    function = lua.eval(CATCHING)

    def generator():
        yield from function.coroutine(lambda *args: seen.append(args))

    iterator, error = generator(), KeyError("k")
    assert next(iterator) == 1
    assert iterator.throw(error) == 2
    assert seen == [(False, error)]
    # As Python's generators have it when they yield again.
    with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
        iterator.close()
    with pytest.raises(StopIteration):
        next(iterator)


def test_close_ends_a_coroutine(count):
    coroutine = count.coroutine(3)
    assert next(coroutine) == 1
    assert coroutine.close() is None
    assert bool(coroutine) is False
    with pytest.raises(StopIteration):
        next(coroutine)
    assert list(coroutine) == []


def test_lua_can_clean_up_when_it_is_closed(lua):
    log = []
    coroutine = lua.eval("""
        function(log)
            local ok, e = pcall(coroutine.yield, 1)
            log(ok, e)
            if rethrow then error(e, 0) end
            return 'cleaned up'
        end
    """)
    for rethrow in [False, True]:
        lua.globals().rethrow = rethrow
        running = coroutine.coroutine(lambda *args: log.append(args))
        next(running)
        assert running.close() is None
        assert bool(running) is False
    assert [(ok, type(e)) for ok, e in log] == [(False, GeneratorExit)] * 2


def test_an_error_in_the_clean_up_is_not_lost(lua):
    running = lua.eval("function() pcall(coroutine.yield, 1) error('in clean-up') end").coroutine()
    next(running)
    with pytest.raises(LuaError, match="in clean-up"):
        running.close()
    assert bool(running) is False

    def fail():
        raise StopIteration("of its own")

    running = lua.eval("function(f) pcall(coroutine.yield, 1) f() end").coroutine(fail)
    next(running)
    with pytest.raises(StopIteration, match="of its own"):
        running.close()


def test_close_ends_a_coroutine_that_yields_again(lua):
    seen = []
    coroutine = lua.eval(CATCHING).coroutine(lambda *args: seen.append(args))
    next(coroutine)
    with pytest.raises(RuntimeError, match="coroutine ignored GeneratorExit"):
        coroutine.close()
    assert bool(coroutine) is False and len(seen) == 1
    assert list(coroutine) == []


def test_a_running_coroutine_cannot_be_closed(lua):
    lua.globals().close = lambda: coroutine.close()
    coroutine = lua.eval("function() return pcall(close) end").coroutine()
    ok, error = next(coroutine)
    assert ok is False and "running coroutine" in str(error)


@pytest.mark.parametrize("items", [0, 3])
def test_close_of_unstarted_and_finished_coroutines(count, items):
    coroutine = count.coroutine(items)
    coroutine.close()
    assert list(coroutine) == [] and bool(coroutine) is False
    finished = count.coroutine(items)
    list(finished)
    finished.close()
    finished.close()
    assert list(finished) == []


def test_close_lets_objects_go(lua):
    class Thing:
        pass

    thing = Thing()
    ref = weakref.ref(thing)
    coroutine = lua.eval("function(thing) coroutine.yield(1) return thing end").coroutine(thing)
    next(coroutine)
    del thing
    coroutine.close()
    for _ in range(3):
        lua.gccollect()
        gc.collect()
    assert ref() is None
    assert bool(coroutine) is False


def test_a_closed_coroutine_in_lua(lua):
    coroutine = lua.execute(
        "co = coroutine.create(function() coroutine.yield(1) end) coroutine.resume(co) return co"
    )
    coroutine.close()
    assert lua.eval("coroutine.status(co)") == "dead"
    assert lua.eval("coroutine.resume(co)")[0] is False
