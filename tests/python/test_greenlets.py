"""Greenlets switch inside callbacks: each with a runtime of its own works, one runtime for several is an error."""

import random
import threading

import greenlet
import pytest

import lupa
from lupa import LuaError, LuaRuntime

SUM = "function(switch, n) local sum = 0 for i = 1, n do sum = sum + switch(i) end return sum end"


class Greenlets:
    """Functions that run in greenlets; each switches back to the test by `pause`."""

    def __init__(self):
        self.test = greenlet.getcurrent()

    def pause(self, value=None):
        self.test.switch()
        return value

    def start(self, function, *args):
        def run():
            try:
                one.result = function(*args)
            except Exception as error:
                one.result = error

        one = greenlet.greenlet(run)
        one.switch()
        return one

    def finish(self, *greenlets):
        for one in greenlets:
            while not one.dead:
                one.switch()


@pytest.fixture
def greenlets():
    return Greenlets()


@pytest.fixture(autouse=True)
def usable():
    """Whatever a test has done, no time limit is left behind, and other Lua code can be stopped."""
    yield
    lua = LuaRuntime()
    assert (
        lua.eval(
            "(function() local x = os.clock() + 0.15 repeat until os.clock() > x return 1 end)()"
        )
        == 1
    )
    with pytest.raises(lupa.LuaTimeoutError):
        lua.execute("while true do end", timeout=0.05)


@pytest.mark.parametrize("seed", range(5))
def test_runtimes_of_their_own_in_any_order(greenlets, seed):
    choices = random.Random(seed)
    runtimes = [LuaRuntime() for _ in range(10)]
    counts = [choices.randrange(1, 9) for _ in runtimes]
    running = [
        greenlets.start(lua.eval(SUM), greenlets.pause, count)
        for lua, count in zip(runtimes, counts)
    ]
    live = list(running)
    while live:
        one = choices.choice(live)
        one.switch()
        live = [one for one in live if not one.dead]
    assert [one.result for one in running] == [n * (n + 1) // 2 for n in counts]
    assert [lua.eval("1 + 1") for lua in runtimes] == [2] * 10


def test_nested_calls_in_greenlets(greenlets):
    def function(lua):
        inner = lua.eval(SUM)
        return lua.eval(SUM)(lambda i: greenlets.pause(inner(greenlets.pause, i)), 4)

    running = [greenlets.start(function, LuaRuntime()) for _ in range(5)]
    for _ in range(7):
        for one in running:
            one.switch()
    greenlets.finish(*reversed(running))
    assert [one.result for one in running] == [1 + 3 + 6 + 10] * 5


def test_coroutines_in_greenlets(greenlets):
    def function(lua):
        code = "function(pause) for i = 1, 3 do coroutine.yield(pause(i)) end end"
        return list(lua.eval(code).coroutine(greenlets.pause))

    running = [greenlets.start(function, LuaRuntime()) for _ in range(3)]
    greenlets.finish(*running)
    assert [one.result for one in running] == [[1, 2, 3]] * 3


def test_a_shared_runtime_refuses_a_second_greenlet_s_callbacks(lua, greenlets):
    total = lua.eval(SUM)
    first = greenlets.start(total, greenlets.pause, 3)
    second = greenlets.start(total, greenlets.pause, 3)
    assert second.dead and isinstance(second.result, LuaError)
    assert "another greenlet" in str(second.result)
    # What calls no Python code ends before anybody can switch.
    assert lua.eval("1 + 1") == 2 and total(lua.eval("function(i) return i end"), 3) == 6
    greenlets.finish(first)
    assert first.result == 6
    third = greenlets.start(total, greenlets.pause, 3)
    greenlets.finish(third)
    assert third.result == 6


def test_the_same_greenlet_may_nest(lua, greenlets):
    total = lua.eval(SUM)
    running = greenlets.start(total, lambda i: total(greenlets.pause, i), 3)
    greenlets.finish(running)
    assert running.result == 1 + 3 + 6


def test_time_limits_are_each_greenlet_s_own(greenlets):
    endless = "function(pause) pause() while true do end end"
    first = greenlets.start(LuaRuntime(timeout=0.2).eval(endless), greenlets.pause)
    code = "function(pause) pause() local x = os.clock() + 0.4 repeat until os.clock() > x return 'done' end"
    second = greenlets.start(LuaRuntime().eval(code), greenlets.pause)
    greenlets.finish(second)
    assert second.result == "done"
    # The time of the first has passed meanwhile.
    greenlets.finish(first)
    assert isinstance(first.result, lupa.LuaTimeoutError)


def test_interrupts_hit_the_greenlet_that_runs(greenlets):
    endless = "function(pause) pause() while true do end end"
    lua, other = LuaRuntime(), LuaRuntime()
    first = greenlets.start(lua.eval(endless), greenlets.pause)
    second = greenlets.start(other.eval(SUM), greenlets.pause, 5)
    timer = threading.Timer(0.2, lua.interrupt)
    timer.start()
    greenlets.finish(first)
    timer.join()
    assert isinstance(first.result, lupa.LuaInterruptedError)
    greenlets.finish(second)
    assert second.result == 15


def test_a_greenlet_that_is_killed_in_a_callback(greenlets):
    lua, other = LuaRuntime(), LuaRuntime()
    first = greenlets.start(lua.eval("function(f) while true do pcall(f) end end"), greenlets.pause)
    second = greenlets.start(other.eval(SUM), greenlets.pause, 5)
    first.throw()
    assert first.dead and lua.eval("1 + 1") == 2
    del first, lua
    greenlets.finish(second)
    assert second.result == 15


def test_greenlets_of_several_threads():
    results = []

    def work():
        greenlets = Greenlets()
        running = [greenlets.start(LuaRuntime().eval(SUM), greenlets.pause, 20) for _ in range(5)]
        while not all(one.dead for one in running):
            for one in running:
                if not one.dead:
                    one.switch()
        results.extend(one.result for one in running)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [210] * 20


def test_greenlet_that_is_imported_late(output_of):
    assert output_of("""
        from lupa import LuaRuntime

        runtimes = [LuaRuntime(), LuaRuntime()]
        runtimes[0].eval("(...)()", lambda: None)

        import greenlet

        test = greenlet.getcurrent()
        code = "function(switch) local sum = 0 for i = 1, 5 do sum = sum + switch(i) end return sum end"

        def pause(i):
            test.switch()
            return i

        results = []
        running = [greenlet.greenlet(lambda lua=lua: results.append(lua.eval(code)(pause))) for lua in runtimes]
        while not all(one.dead for one in running):
            for one in running:
                one.switch()
        print(results)
    """) == ["[15, 15]"]


def test_a_conversion_may_not_begin_where_another_greenlet_waits(lua, greenlets):
    # Breaks (a table in the middle of the other one's results) if what iterates is not counted as a callback.
    def items():
        yield 1
        greenlets.pause()
        yield 2

    total = lua.eval(SUM)
    first = greenlets.start(total, greenlets.pause, 3)
    second = greenlets.start(lua.table_from, items())
    assert second.dead and "another greenlet" in str(second.result)
    # What runs no Python code ends before anybody can switch.
    assert list(lua.table_from([1, (2,), {"k": 3}], recursive=True)[3].keys()) == ["k"]
    assert list(lua.table_from((1, 2)).values()) == [1, 2]
    greenlets.finish(first)
    assert first.result == 6
    assert list(lua.table_from(range(2)).values()) == [0, 1]


def test_a_callback_may_not_begin_where_another_greenlet_converts(lua, greenlets):
    # Breaks (writes into another frame of the stack) if a conversion can be left inside a callback.
    def items(pauses):
        for item in range(4):
            for _ in range(pauses):
                greenlets.pause()
            yield item

    total = lua.eval(SUM)
    for source, expected in ((items(1), 4), (items(3), 4)):
        first = greenlets.start(lua.table_from, source)
        second = greenlets.start(total, greenlets.pause, 3)
        assert second.dead and "another greenlet" in str(second.result)
        third = greenlets.start(lua.table_from, items(1))
        assert third.dead and "another greenlet" in str(third.result)
        assert lua.eval("1 + 1") == 2
        greenlets.finish(first)
        assert len(first.result) == expected
    # A runtime of its own is another matter.
    other = LuaRuntime()
    running = [
        greenlets.start(lua.table_from, items(2)),
        greenlets.start(other.table_from, items(1)),
        greenlets.start(other.eval("1 and " + SUM), greenlets.pause, 3),
    ]
    greenlets.finish(*running)
    assert [len(one.result) for one in running[:2]] == [4, 4]
    assert "another greenlet" in str(running[2].result)


def test_an_overflow_handler_may_not_switch_where_another_greenlet_waits(lua, greenlets):
    lua.set_overflow_handler(greenlets.pause)
    total, same = lua.eval(SUM), lua.eval("function(...) return ... end")
    first = greenlets.start(total, greenlets.pause, 3)
    second = greenlets.start(same, 1, 10**400)
    assert second.dead and "another greenlet" in str(second.result)
    greenlets.finish(first)
    third = greenlets.start(same, 1, 10**400)
    assert not third.dead
    greenlets.finish(third)
    assert third.result == (1, 10**400)
    assert first.result == 6


def test_a_conversion_may_call_lua_code_that_calls_back(lua, greenlets):
    total = lua.eval(SUM)

    def items():
        for n in range(3):
            yield total(greenlets.pause, n)

    running = greenlets.start(lua.table_from, items())
    greenlets.finish(running)
    assert list(running.result.values()) == [0, 1, 3]
