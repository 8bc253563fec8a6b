"""Greenlets switch inside callbacks: each with a runtime of its own works, one runtime for several is an error."""

import abc
import codecs
import collections
import collections.abc
import datetime
import decimal
import enum
import functools
import random
import signal
import threading
import types

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


class Row(collections.abc.Sequence):
    """A sequence that pauses before each of its two items."""

    def __init__(self, pause):
        self.pause = pause

    def __len__(self):
        return 2

    def __getitem__(self, index):
        if index == 2:
            raise IndexError
        self.pause()
        return index


def nested(lua, source):
    return lua.table_from(source, recursive=True)


def proxy(pause):
    class Proxy:
        def __getattr__(self, name):
            pause()
            raise AttributeError(name)

    return Proxy()


def with_property(pause):
    def get(self):
        pause()
        return [5].__getitem__

    return type("WithProperty", (), {"__getitem__": property(get)})()


def of_a_metaclass(pause):
    class Meta(type):
        def __getattr__(cls, name):
            pause()
            raise AttributeError(name)

    return Meta("Class", (), {})


def class_with_descriptor(pause):
    class Descriptor:
        def __get__(self, instance, owner):
            pause()
            return len

    return type("Class", (), {"__getitem__": Descriptor()})


def lazy_module(pause):
    def get(name):
        pause()
        raise AttributeError(name)

    module = types.ModuleType("lazy")
    module.__getattr__ = get
    return module


def method_of_a_proxy(pause):
    class Callable:
        def __call__(self, other):
            return other

        def __getattr__(self, name):
            pause()
            raise AttributeError(name)

    return types.MethodType(Callable(), 1)


HOOKED = [
    proxy,
    with_property,
    of_a_metaclass,
    class_with_descriptor,
    lazy_module,
    method_of_a_proxy,
]


@pytest.mark.parametrize("hooked", HOOKED)
def test_objects_whose_look_up_switches_in_the_middle_of_arguments(lua, greenlets, hooked):
    # Breaks (arguments of the other call, stale slots) if the look-up for `__getitem__` is not counted as a callback.
    same = lua.eval("function(...) return select('#', ...), ... end")
    total = lua.eval(SUM)
    one = hooked(greenlets.pause)
    first = greenlets.start(same, "a", one, "b")
    assert not first.dead
    second = greenlets.start(same, "x", "y", hooked(greenlets.pause), "z")
    assert second.dead and "another greenlet" in str(second.result)
    third = greenlets.start(total, greenlets.pause, 3)
    assert third.dead and "another greenlet" in str(third.result)
    assert total(lua.eval("function(i) return i end"), 3) == 6
    greenlets.finish(first)
    assert first.result == (3, "a", one, "b")
    # And the other way round.
    waiting = greenlets.start(total, greenlets.pause, 3)
    with pytest.raises(LuaError, match="another greenlet"):
        same("a", hooked(greenlets.pause))
    table = lua.table()
    with pytest.raises(LuaError, match="another greenlet"):
        table.field = hooked(greenlets.pause)
    greenlets.finish(waiting)
    assert waiting.result == 6 and list(table) == []


class Plain:
    pass


class Slotted:
    __slots__ = ("a",)


class Colour(enum.Enum):
    RED = 1


Point = collections.namedtuple("Point", "x y")


@pytest.mark.parametrize(
    "value",
    [
        Plain(),
        Plain,
        Slotted(),
        Colour.RED,
        Colour,
        Point(1, 2),
        Point,
        object(),
        int,
        abc.ABC,
        functools,
        len,
        [].append,
        Plain().__eq__,
        test_runtimes_of_their_own_in_any_order,
        Greenlets().pause,
        decimal.Decimal(1),
        datetime.date(2026, 1, 1),
        {1, 2},
        {"a": 1},
        range(3),
        functools.partial(len, []),
        LuaRuntime(),
        ValueError("x"),
        lambda: 1,
        (n for n in ()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_runs_no_python_code_is_not_refused(lua, greenlets, value):
    total, same = lua.eval(SUM), lua.eval("function(...) return ... end")
    waiting = greenlets.start(total, greenlets.pause, 3)
    assert same(1, value, 2)[1] is value
    assert len(lua.table_from([1, [value]], recursive=True)) == 2
    greenlets.finish(waiting)
    assert waiting.result == 6


@pytest.mark.parametrize("function", ["encode", "decode"])
def test_codecs_that_switch(greenlets, function):
    # Breaks if the code of a codec is not counted as a callback.
    pauses = []

    def pause(kind):
        if kind == function and pauses:
            pauses.pop()()

    def encode(text, errors="strict"):
        pause("encode")
        return text.encode(), len(text)

    def decode(data, errors="strict"):
        pause("decode")
        return bytes(data).decode(), len(data)

    def search(name):
        return (
            codecs.CodecInfo(encode, decode, name=name) if name == f"pausing_{function}" else None
        )

    codecs.register(search)
    lua = LuaRuntime(encoding=f"pausing_{function}", source_encoding="UTF-8")
    same, total = lua.eval("function(...) return ... end"), lua.eval(SUM)
    pauses.append(greenlets.pause)
    first = greenlets.start(same, "a", "b", "c")
    assert not first.dead and not pauses
    second = greenlets.start(total, greenlets.pause, 3)
    assert second.dead and "another greenlet" in str(second.result)
    greenlets.finish(first)
    assert first.result == ("a", "b", "c")
    waiting = greenlets.start(total, greenlets.pause, 3)
    with pytest.raises(LuaError, match="another greenlet"):
        same("a")
    greenlets.finish(waiting)
    assert waiting.result == 6


@pytest.mark.parametrize("encoding", ["latin-1", "cp1251", "utf-16", "gbk"])
def test_python_s_own_codecs_are_not_refused(greenlets, encoding):
    lua = LuaRuntime(encoding=encoding, source_encoding="UTF-8")
    total, same = lua.eval(SUM), lua.eval("function(...) return ... end")
    waiting = greenlets.start(total, greenlets.pause, 3)
    assert same("a", "b") == ("a", "b")
    greenlets.finish(waiting)
    assert waiting.result == 6


def test_what_iterates_is_asked_before_there_is_a_table(lua, greenlets):
    def items(start):
        for item in range(start, start + 4):
            greenlets.pause()
            yield item

    class Pairs(collections.abc.Mapping):
        def __len__(self):
            return 2

        def __iter__(self):
            return iter(("a", "b"))

        def __getitem__(self, key):
            greenlets.pause()
            return key * 2

    total = lua.eval(SUM)
    running = [
        greenlets.start(total, greenlets.pause, 3),
        greenlets.start(lua.table_from, items(0)),
        greenlets.start(lua.table_from, Pairs(), items(4)),
        greenlets.start(lua.table_from, Row(greenlets.pause)),
    ]
    assert not any(one.dead for one in running)
    greenlets.finish(*running)
    assert running[0].result == 6
    assert list(running[1].result.values()) == [0, 1, 2, 3]
    assert dict(running[2].result.items()) == {1: 4, 2: 5, 3: 6, 4: 7, "a": "aa", "b": "bb"}
    assert list(running[3].result.values()) == [0, 1]
    # Its deadline is that of its own greenlet again.
    late = greenlets.start(lua.eval, "1 + 1")
    assert late.result == 2


def test_a_nested_conversion_may_not_begin_where_another_greenlet_waits(lua, greenlets):
    # Breaks (a table in the middle of the other one's results) if what iterates is not counted as a callback.
    total = lua.eval(SUM)
    first = greenlets.start(total, greenlets.pause, 3)
    second = greenlets.start(nested, lua, [Row(greenlets.pause)])
    assert second.dead and "another greenlet" in str(second.result)
    # What runs no Python code ends before anybody can switch.
    assert list(lua.table_from([1, (2,), {"k": 3}, Point(1, 2)], recursive=True)[3].keys()) == ["k"]
    for plain in ((0, 1), range(2), {0: 0, 1: 1}.keys(), collections.deque((0, 1)), iter([0, 1])):
        assert list(lua.table_from(plain).values()) == [0, 1]
    greenlets.finish(first)
    assert first.result == 6


def test_a_callback_may_not_begin_where_another_greenlet_converts(lua, greenlets):
    # Breaks (writes into another frame of the stack) if a conversion can be left inside a callback.
    def table(lua, pauses):
        return nested(lua, [Row(lambda: [greenlets.pause() for _ in range(pauses)])])

    total = lua.eval(SUM)
    for pauses in (1, 3):
        first = greenlets.start(table, lua, pauses)
        second = greenlets.start(total, greenlets.pause, 3)
        assert second.dead and "another greenlet" in str(second.result)
        third = greenlets.start(table, lua, 1)
        assert third.dead and "another greenlet" in str(third.result)
        assert lua.eval("1 + 1") == 2
        greenlets.finish(first)
        assert list(first.result[1].values()) == [0, 1]
    # A runtime of its own is another matter.
    other = LuaRuntime()
    running = [
        greenlets.start(table, lua, 2),
        greenlets.start(table, other, 1),
        greenlets.start(other.eval(SUM), greenlets.pause, 3),
    ]
    greenlets.finish(*running)
    assert [list(one.result[1].values()) for one in running[:2]] == [[0, 1], [0, 1]]
    assert "another greenlet" in str(running[2].result)


def test_a_class_that_is_asked_for_may_not_switch_where_another_greenlet_waits(lua, greenlets):
    class Lazy:
        @property
        def __class__(self):
            greenlets.pause()
            return int

    first = greenlets.start(nested, lua, [1, Lazy(), 3])
    second = greenlets.start(lua.eval(SUM), greenlets.pause, 3)
    assert second.dead and "another greenlet" in str(second.result)
    greenlets.finish(first)
    assert len(first.result) == 3


IN_THE_MIDDLE = [
    # In a message handler, of an error in the middle of a function.
    "function(pause) xpcall(function() local x = nil + 1 end, function() pause() end) return 'done' end",
    """function(pause)
        xpcall(function() local x = nil .. 'x' end, function() pause() end)
        return 'done'
    end""",
    # In a hook.
    """function(pause)
        debug.sethook(function() debug.sethook() pause() end, "", 1)
        local x = 1
        return "done"
    end""",
]
CALLED = [
    "function(pause) pause() return 'done' end",
    "function(pause) pcall(pause) return 'done' end",
    "function(pause) local f = coroutine.wrap(function() pause() return 'done' end) return f() end",
    "function(pause) local n = tostring(setmetatable({}, { __tostring = function() pause() return 'done' end })) return n end",
    "function(pause) table.sort({ 1, 2 }, function() pause() return true end) return 'done' end",
    "function(pause) return (('x'):gsub('x', function() pause() return 'done' end)) end",
    "function(pause) return setmetatable({}, { __index = function() pause() return 'done' end }).x end",
    "function(pause) return setmetatable({}, { __add = function() pause() return 'done' end }) + 1 end",
    "function(pause) xpcall(function() error('x') end, function() pause() end) return 'done' end",
    # Finalizers have a stack of their own.
    """function(pause)
        local collected = newproxy(true)
        getmetatable(collected).__gc = function() pause() end
        collected = nil
        local t
        for i = 1, 1e6 do t = { i } end
        return "done"
    end""",
]


@pytest.mark.parametrize("code", IN_THE_MIDDLE)
def test_nobody_enters_where_another_greenlet_waits_in_the_middle_of_a_function(greenlets, code):
    # Breaks (a crash) if somebody does: the traceback reads the native stack of the other greenlet.
    lua = LuaRuntime()
    fails = lua.eval("function() error('x', 9) end")
    first = greenlets.start(lua.eval(code), greenlets.pause)
    assert not first.dead
    for _ in range(3):
        with pytest.raises(LuaError, match="another greenlet"):
            fails()
        assert LuaRuntime().eval("1 + 1") == 2
    greenlets.finish(first)
    assert first.result == "done"
    with pytest.raises(LuaError, match="^x"):
        fails()


@pytest.mark.parametrize("code", CALLED)
def test_code_without_callbacks_runs_where_another_greenlet_waits_in_a_function_that_was_called(
    greenlets, code
):
    lua = LuaRuntime()
    first = greenlets.start(lua.eval(code), greenlets.pause)
    assert not first.dead
    for level in range(12):
        with pytest.raises(LuaError, match="x"):
            lua.execute("local level = ... error('x', level)", level)
        assert "traceback" in lua.eval("debug.traceback()")
    greenlets.finish(first)
    assert first.result == "done"


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs timers")
def test_a_signal_handler_that_switches(lua, greenlets):
    # Breaks (the other's frames are overwritten) if handlers that run in Lua code are not counted as callbacks.
    former = signal.signal(signal.SIGALRM, lambda *_: greenlets.pause())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        code = "(function() local x = os.clock() + 0.3 repeat until os.clock() > x return 'done' end)()"
        first = greenlets.start(lua.eval, code)
        assert not first.dead
        # In the middle of a function nobody may enter: LuaJIT's position in it is on the native stack of the first.
        with pytest.raises(LuaError, match="another greenlet"):
            lua.eval("1 + 1")
        assert LuaRuntime().eval("1 + 1") == 2
        greenlets.finish(first)
        assert first.result == "done" and lua.eval("1 + 1") == 2
    finally:
        signal.signal(signal.SIGALRM, former)


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
    # Nested, too, where it goes on in the middle of a table.
    row = Row(lambda: total(greenlets.pause, 2))
    running = greenlets.start(nested, lua, [row])
    greenlets.finish(running)
    assert list(running.result[1].values()) == [0, 1]


def test_a_deadline_of_another_greenlet_is_not_left_behind(greenlets):
    # Breaks (the fixture's code times out) if a greenlet begins with the deadline of one that waits in the middle of a conversion.
    class Lazy:
        def __getattr__(self, name):
            greenlets.pause()
            raise AttributeError(name)

    def run(limit):
        LuaRuntime().execute("return 1", Lazy(), timeout=limit)

    first, second = greenlets.start(run, 0.1), greenlets.start(run, 60)
    greenlets.finish(first)
    greenlets.finish(second)


class Key(str):
    """A key that is looked at whenever `__getitem__` is looked for."""

    def __new__(cls, ask):
        self = super().__new__(cls, "other")
        self.ask = ask
        return self

    def __hash__(self):
        return hash("__getitem__")

    def __eq__(self, other):
        self.ask()
        return False


def with_odd_key(ask):
    thing = types.SimpleNamespace()
    thing.__dict__[Key(ask)] = 1
    return thing


def of_odd_class(ask):
    return type("Odd", (), {Key(ask): 1})()


def odd_module(ask):
    module = types.ModuleType("odd")
    module.__dict__[Key(ask)] = 1
    return module


class Garbage:
    """Asks when it is destroyed, which may be in the middle of anything."""

    def __init__(self, ask):
        self.ask = ask

    def __del__(self):
        self.ask()


@pytest.mark.parametrize("make", [with_odd_key, of_odd_class, odd_module])
def test_nobody_enters_where_a_greenlet_was_left_in_an_operation(lua, greenlets, make):
    # Breaks (the process, by what is overwritten on the stack) if a runtime is entered where Python code was run that nobody knew of.
    switches = [True]

    def ask():
        if switches and greenlet.getcurrent() is not greenlets.test:
            switches.pop()
            greenlets.pause()

    thing, table = make(ask), lua.table()
    first = greenlets.start(lua.eval("function(...) return ... end"), thing)
    assert not first.dead
    for use in (
        lambda: lua.eval("1 + 1"),
        lambda: lua.table_from([1, 2]),
        lambda: lua.globals().print,
        lambda: lua.eval("function(callback) return callback() end")(first.switch),
    ):
        with pytest.raises(LuaError, match="another greenlet"):
            use()
    assert repr(table) == "<Lua object of a runtime that cannot be used here>"
    assert LuaRuntime().eval("1 + 1") == 2
    greenlets.finish(first)
    assert first.result is thing and lua.eval("1 + 1") == 2 and repr(table).startswith("<Lua table")


def test_nobody_enters_where_a_greenlet_was_left_by_a_test_of_a_class(lua, greenlets):
    # It is asked for as long as there is the class, which may be longer than this test takes.
    switches = [True]

    class Odd(collections.abc.Mapping):
        @classmethod
        def __subclasshook__(cls, other):
            if switches and greenlet.getcurrent() is not greenlets.test:
                switches.pop()
                greenlets.pause()
            return NotImplemented

    class Unknown:
        pass

    first = greenlets.start(nested, lua, [Unknown()])
    assert not first.dead
    with pytest.raises(LuaError, match="another greenlet"):
        lua.eval("1 + 1")
    greenlets.finish(first)
    assert isinstance(first.result[1], Unknown)


def test_destructors_of_what_lua_has_dropped_may_switch(lua, greenlets):
    # Breaks (nobody gets in) if what Lua code has dropped is destroyed after the callback that follows.
    lua.execute("_G.thing = ...", Garbage(greenlets.pause))
    code = "function(f, ...) thing = nil collectgarbage() collectgarbage() f() return select('#', ...), ... end"
    first = greenlets.start(lua.eval(code), lambda: None, 1, 2)
    assert not first.dead
    assert lua.eval("1 + 1") == 2
    greenlets.finish(first)
    assert first.result == (2, 1, 2)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs timers")
def test_a_signal_handler_waits_where_another_greenlet_waits(lua, greenlets):
    # Breaks (the process) if it runs, and switches: the first one goes on where the test's Lua code is on the stack.
    first = greenlets.start(lua.eval(SUM), greenlets.pause, 3)
    order = []

    def handle(*_):
        order.append("handler")
        first.switch()

    former = signal.signal(signal.SIGALRM, handle)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        lua.execute("local x = os.clock() + 0.4 repeat until os.clock() > x")
        order.append("after")
        while "handler" not in order:
            pass
        greenlets.finish(first)
        assert first.result == 6
    finally:
        signal.signal(signal.SIGALRM, former)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs timers")
def test_ctrl_c_ends_lua_code_where_another_greenlet_waits(lua, greenlets):
    first = greenlets.start(lua.eval(SUM), greenlets.pause, 3)
    timer = threading.Timer(0.2, signal.raise_signal, [signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        lua.execute("while true do end", timeout=10)
    timer.join()
    greenlets.finish(first)
    assert first.result == 6


@pytest.mark.parametrize(
    "code", [SUM, "function(switch) xpcall(error, function() switch() end) end"]
)
def test_a_thread_that_ends_with_a_greenlet_in_lua_code(lua, code):
    # Breaks (the process, or its state is used by two) if the next thread is taken for the one that has ended.
    kept = []

    def leave():
        here = greenlet.getcurrent()
        one = greenlet.greenlet(lambda: lua.eval(code)(lambda *_: here.switch(), 3))
        kept.append(one)
        one.switch()

    thread = threading.Thread(target=leave)
    thread.start()
    thread.join()
    errors = []

    def use():
        try:
            lua.execute("error('x', 9)")
        except LuaError as error:
            errors.append(str(error))

    threads = [threading.Thread(target=use) for _ in range(3)]
    for thread in threads:
        thread.start()
        thread.join()
    assert all("has ended" in error for error in errors) and len(errors) == 3
    with pytest.raises(LuaError, match="has ended"):
        lua.eval("1")
