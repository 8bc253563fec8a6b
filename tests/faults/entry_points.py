"""What Python code does wrong where Lua, or the binding, calls it; and what Python asks that cannot be."""

import sys

from faults.common import (
    LuaError,
    LuaRuntime,
    check_usable,
    collect,
    error_of,
    first_line,
    in_thread,
    lupa,
)
from faults.registry import case


class Failing:
    """An object with every hook, each of which raises the same exception."""

    def __init__(self, error):
        self.__dict__["error"] = error

    def _fail(self, *args):
        raise self.__dict__["error"]

    __getitem__ = __setitem__ = __call__ = __len__ = __iter__ = __str__ = __repr__ = _fail
    __eq__ = __lt__ = __le__ = __gt__ = __ge__ = __neg__ = _fail
    __add__ = __radd__ = __sub__ = __mul__ = __truediv__ = __mod__ = __pow__ = _fail
    __hash__ = object.__hash__


class FailingAttributes:
    """An object without items, so that Lua reaches attributes."""

    def __init__(self, error):
        self.__dict__["error"] = error

    def __getattribute__(self, name):
        if name.startswith("__"):
            return object.__getattribute__(self, name)
        raise self.__dict__["error"]

    def __setattr__(self, name, value):
        raise self.__dict__["error"]


HOOKS = {
    "item": "return o.x",
    "item set": "o.x = 1",
    "call": "return o(1, nil, 'x')",
    "call by pcall": "local ok, e = pcall(o) error(e)",
    "len": "return python.builtins.len(o)",
    "tostring": "return tostring(o)",
    "iter": "for x in python.iter(o) do end",
    "iterex": "for x in python.iterex(o) do end",
    "enumerate": "for i, x in python.enumerate(o) do end",
    "as_function": "python.as_function(o)()",
    "in a coroutine": "coroutine.wrap(function() return o[1] end)()",
    "in a sort": "table.sort({1, 2, 3}, function(a, b) return o(a, b) end)",
    "in a gsub": "('abc'):gsub('.', python.as_function(o))",
    "in a metamethod": "return setmetatable({}, {__index = o}).x",
    "in a set metamethod": "setmetatable({}, {__newindex = o}).x = 1",
}
OPERATORS = [
    "o == p",
    "o < p",
    "o <= p",
    "o + 1",
    "1 + o",
    "o - 1",
    "o * 2",
    "o / 2",
    "o % 2",
    "o ^ 2",
    "-o",
    "#o",
]
ERRORS = [KeyError("mine"), ValueError("mine"), StopIteration("mine"), MemoryError("mine")]


def check_hook(code, make, errors=ERRORS):
    lua = LuaRuntime()
    run = lua.eval(f"function(o, p) {code} end")
    guarded = lua.eval("function(run, o, p) return pcall(run, o, p) end")
    for error in errors:
        objects = make(error), make(error)
        assert error_of(run, *objects) is error
        assert error_of(in_thread, lambda: run(*objects)) is error
        assert error_of(next, run.coroutine(*objects)) is error
        assert guarded(run, *objects) == (False, error)
    check_usable(lua)


@case("a Python hook raises: the exception arrives", rows=HOOKS)
def python_hook(code):
    # An iterator's StopIteration is its end.
    iterates = "iter" in code or "enumerate" in code
    check_hook(
        code, Failing, [e for e in ERRORS if not (iterates and isinstance(e, StopIteration))]
    )


@case(
    "Python attribute access raises: the exception arrives",
    each={"get": "return o.x", "set": "o.x = 1"},
)
def python_attribute(code):
    check_hook(code, FailingAttributes)


@case("a Python operator raises: the exception arrives", new=True, rows={o: o for o in OPERATORS})
def python_operator(expression):
    check_hook(f"return {expression}", Failing)


@case("an exception of a filter or handler arrives; of an overflow handler, as the cause")
def python_settings():
    error = ValueError("mine")

    def fail(*args):
        raise error

    for options in [{"attribute_filter": fail}, {"attribute_handlers": (fail, fail)}]:
        lua = LuaRuntime(**options)
        for code in [
            "return o.real",
            "o.real = 1",
            "return coroutine.wrap(function() return o.x end)()",
        ]:
            assert error_of(lua.eval(f"function(o) {code} end"), object) is error
    lua = LuaRuntime(overflow_handler=fail)
    table = lua.table()
    for use in [
        lambda: lua.eval("...", 10**30),
        lambda: table.__setitem__("x", 10**30),
        lambda: table.__setitem__(10**30, 1),
        lambda: lua.table_from([10**30]),
        lambda: lua.eval("(...)()", lambda: 10**30),
    ]:
        arrived = error_of(use)
        assert isinstance(arrived, OverflowError) and arrived.__cause__ is error
    assert len(table) == 0
    check_usable(lua)


@case("a module that cannot be found, compiled or run: require says so")
def require():
    lua = LuaRuntime()
    error = KeyError("mine")

    def fail(*args):
        raise error

    lua.execute(
        """
        local fail = ...
        package.preload.fails = function() error('in the module', 0) end
        package.preload.raises = function() fail() end
        package.preload.loops = function() return require('loops') end
    """,
        fail,
    )
    assert "module 'nowhere' not found" in str(error_of(lua.require, "nowhere"))
    assert first_line(error_of(lua.require, "fails")).endswith("in the module")
    assert error_of(lua.require, "raises") is error
    assert type(error_of(lua.require, "loops")) is LuaError
    assert type(error_of(lua.require, 5)) is TypeError
    for damage in ["package.loaders = nil", "package = nil", "require = nil"]:
        lua.execute(damage)
        error_of(lua.require, "nowhere")
        assert lua.eval("1") == 1
    check_usable(lua)


class Liar:
    """A collection that says what is not so."""

    def __init__(self, length):
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        if index >= 10:
            raise IndexError
        return index


@case("a collection that raises, lies about its length, or changes: table_from ends in that")
def table_from():
    lua = LuaRuntime()
    error = KeyError("mine")

    def failing():
        yield 1
        raise error

    class Mapping(dict):
        def items(self):
            raise error

        __getitem__ = items

        def keys(self):
            return failing()

        __iter__ = keys

    assert error_of(lua.table_from, failing()) is error
    assert error_of(lua.table_from, [1], failing()) is error
    assert error_of(lua.table_from, Failing(error)) is error
    assert isinstance(error_of(lua.table_from, 5), TypeError)
    error_of(lambda: [lua.table_from(Mapping(x=1)), 1 / 0])
    for length in [0, 3, 10**6]:
        assert list(lua.table_from(Liar(length)).values()) == list(range(10))

    growing = {n: n for n in range(100)}

    class Grows:
        def __init__(self):
            growing[len(growing)] = self

    growing[0] = Grows()
    assert len(lua.table_from(growing)) >= 99
    numbers = []
    numbers.extend([1, 2, (numbers.append(3), 4)[1]])
    assert len(lua.table_from(numbers)) == len(numbers)
    check_usable(lua)


@case("keys that no table can have are refused")
def impossible_keys():
    lua = LuaRuntime()
    table = lua.table(1)
    nan = float("nan")
    assert type(error_of(table.__setitem__, nan, 1)) is LuaError
    assert type(error_of(lua.table_from, {nan: 1})) is LuaError
    assert type(error_of(lua.eval("function(t, k) t[k] = 1 end"), table, nan)) is LuaError
    assert table[nan] is None and nan not in table
    table[None] = "none"
    assert table[None] == "none"
    check_usable(lua)


@case("text that has no form in the encoding is refused, each way")
def encodings():
    lua = LuaRuntime()
    table = lua.table()
    lone = "\ud800"
    for use in [
        lambda: lua.eval("...", lone),
        lambda: lua.eval(f"'{lone}'"),
        lambda: lua.execute(lone),
        lambda: lua.compile(lone),
        lambda: table.__setitem__(lone, 1),
        lambda: table.__setitem__("x", lone),
        lambda: setattr(table, lone, 1),
        lambda: table[lone],
        lambda: getattr(table, lone),
        lambda: lua.table_from([lone]),
        lambda: lua.table(**{lone: 1}),
        lambda: lua.eval("(...)()", lambda: lone),
        lambda: lua.require(lone),
    ]:
        assert isinstance(error_of(use), UnicodeEncodeError), error_of(use)
    for use in [
        lambda: lua.eval("'\\255'"),
        lambda: lua.eval("(...)('\\255')", print),
        lambda: list(lua.eval("{['\\255'] = 1}")),
        lambda: next(lua.eval("function() coroutine.yield('\\255') end").coroutine()),
    ]:
        assert isinstance(error_of(use), UnicodeDecodeError)
    ascii = LuaRuntime(encoding="ascii")
    assert isinstance(error_of(ascii.eval, "...", "ä"), UnicodeEncodeError)
    for odd in ["no-such-codec", "utf-8\0x"]:
        error = error_of(lambda: LuaRuntime(encoding=odd).eval("'x'"))
        assert isinstance(error, (LookupError, ValueError)), error
    check_usable(lua)


@case("an interrupt-like exception inside every hook passes through pcall", new=True, rows=HOOKS)
def exit_in_hook(code):
    lua = LuaRuntime()
    for error in [KeyboardInterrupt("stop"), SystemExit(4), GeneratorExit("gone")]:
        run = lua.eval(
            f"function(o) local function f() {code} end pcall(f) pcall(pcall, f) after = true end"
        )
        assert error_of(run, Failing(error)) is error
        assert lua.eval("after") is None
    check_usable(lua)


@case("objects whose class changes, or whose hooks return nonsense, are errors at worst")
def strange_objects():
    lua = LuaRuntime()

    class Nonsense:
        def __str__(self):
            return 5  # noqa: PLE0307

        def __len__(self):
            return -1  # noqa: PLE0303

        def __iter__(self):
            return 7

        def __call__(self):
            return NotImplemented

        def __getattr__(self, name):
            return self

        def __hash__(self):
            return "x"  # noqa: PLE0309

    run = {code: lua.eval(f"function(o) {code} end") for code in HOOKS.values()}
    for make in [Nonsense, Liar.__new__.__class__, type, lambda: sys.modules, lambda: LuaRuntime]:
        for function in run.values():
            try:
                function(make() if make is Nonsense else make)
            except Exception:
                pass
    nonsense = Nonsense()
    for expression in ["tostring(...)", "#(...) + 1"]:
        assert isinstance(
            error_of(lua.eval, expression, nonsense), (TypeError, ValueError, LuaError)
        )
    check_usable(lua)


@case("every argument of every method may be nonsense")
def nonsense_arguments():
    lua = LuaRuntime()
    table, function = lua.table(1), lua.eval("function() coroutine.yield() end")
    coroutine = function.coroutine()
    values = [
        None,
        -1,
        10**30,
        1.5,
        float("nan"),
        b"\xff\0",
        "\0",
        "x" * 1000,
        [],
        {},
        (),
        object(),
        object,
        lua,
        table,
    ]
    targets = [
        *[getattr(lua, name) for name in ["eval", "execute", "compile", "require", "table_from", "table"]],
        *[getattr(lua, name) for name in ["set_max_memory", "set_overflow_handler", "get_memory_used"]],
        table.__getitem__, table.__delitem__, table.__contains__, table.__eq__, function.coroutine,
        coroutine.send, lupa.lua_type, lupa.as_attrgetter, lupa.as_itemgetter, LuaRuntime,
    ]  # fmt: skip
    calls = 0
    for target in targets:
        for value in values:
            for args, kwargs in [
                ((value,), {}),
                ((value, value), {}),
                ((), {"mode": value}),
                ((), {"nothing": value}),
            ]:
                calls += 1
                try:
                    target(*args, **kwargs)
                except Exception:
                    pass
    lua.set_overflow_handler(None)
    collect(lua)
    check_usable(lua)
    return f"{calls} calls"
