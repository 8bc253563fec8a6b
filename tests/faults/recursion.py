"""Recursion without end, in either language and through both, ends in an error."""

import sys
import threading

from faults.common import LuaError, LuaRuntime, check_usable, collect, error_of, lupa
from faults.registry import case

STACK_ERRORS = (LuaError, RecursionError)
LIMITS = {"tiny": 60, "usual": 1000, "large": 10**6}
STACKS = {
    "256 KiB": 256 * 1024,
    "1 MiB": 1024 * 1024,
    "8 MiB": 8 * 1024 * 1024,
    "64 MiB": 64 * 1024 * 1024,
}


def bounce(lua):
    """A function that calls itself through both languages without end."""
    step = lua.eval("function(f) return 1 + f() end")

    def again():
        return step(again)

    return again


def endless(lua):
    """Ways to recurse without end, as functions of Python."""
    again = bounce(lua)
    table = lua.eval("setmetatable({}, {})")
    lua.execute(
        "local t, f = ... getmetatable(t).__index = function(t, k) return f(t, k) end",
        table,
        lambda t, k: t[k],
    )
    lua.globals().again = again
    chain = lua.eval(
        "(function() local t = setmetatable({}, {}) getmetatable(t).__index = t return t end)()"
    )

    class Thing:
        def __getattr__(self, name):
            return lua.eval("(...).x", self)

        def __str__(self):
            return lua.eval("tostring(...)", self)

        def __call__(self):
            return lua.eval("(...)()", self)

        def __eq__(self, other):
            return lua.eval("function(a, b) return a == b end")(Thing(), Thing())

        __hash__ = object.__hash__

    def generate():
        yield lua.execute("for x in python.iter(...) do end", generate())

    return {
        "calls": again,
        "calls in Lua": lambda: lua.execute("local function f() return 1 + f() end f()"),
        "metamethods of both": lambda: table.x,
        "an __index chain of itself": lambda: chain.x,
        "an __index chain of itself, in Lua": lambda: lua.eval("(...).x", chain),
        "attributes": lambda: Thing().x,
        "attributes, from Lua": lambda: lua.eval("(...).x", Thing()),
        "tostring": lambda: lua.eval("tostring(...)", Thing()),
        "objects that call themselves": lambda: lua.eval("(...)()", Thing()),
        "==": lambda: lua.eval("function(a, b) return a == b end")(Thing(), Thing()),
        "generators": lambda: list(generate()),
        "coroutines": lambda: lua.execute(
            "local function f() return coroutine.wrap(f)() end return coroutine.wrap(f)()"
        ),
        "coroutines of both": lambda: next(lua.eval("function() again() end").coroutine()),
        "pcall": lambda: lua.execute("local function f() return 1 + select('#', pcall(f)) end error(tostring(f()))"),
        "sort": lambda: lua.execute("local function f() table.sort({1, 2, 3}, f) end f()"),
        "gsub": lambda: lua.execute("local function f() return ('x'):gsub('.', f) end f()"),
        "gsub of both": lambda: lua.execute("local f = ... ('x'):gsub('.', function() f() end)", again),
        "load": lambda: lua.execute("local function f() return assert(load(f))() end f()"),
        "require": lambda: lua.execute("package.loaders[1] = function() require({} and tostring({})) end require('x')"),
        "tostring of tables": lambda: lua.execute("tostring(setmetatable({}, {__tostring = function(t) return 'x' .. tostring(t) end}))"),
        "concatenation": lambda: lua.execute("local t = setmetatable({}, {}) getmetatable(t).__concat = function(a, b) return b .. a end return t .. 1"),
        "call chain": lambda: lua.execute("local t = setmetatable({}, {}) getmetatable(t).__call = t t()"),
        "patterns": lambda: lua.execute("return ('a'):rep(300000):find(('a?'):rep(300000) .. 'b')"),
        "nested source text": lambda: lua.execute("return " + "(" * 100_000 + "1" + ")" * 100_000),
        "nested table constructors": lambda: lua.execute("return " + "{" * 100_000 + "}" * 100_000),
    }  # fmt: skip


WAYS = list(endless(LuaRuntime()))


def end_in_an_error(ways, lua):
    for name in ways:
        error = error_of(endless(lua)[name])
        assert isinstance(error, STACK_ERRORS), f"{name}: {error!r}"
    check_usable(lua)


@case(
    "ends in an error", each={way: way for way in WAYS}, stderr=r"(ERROR in finalizer: [^\n]*\n?)*"
)
def recursion(way):
    lua = LuaRuntime()
    end_in_an_error([way] * 3, lua)


def in_small_thread(size, function):
    outcome = []

    def run():
        try:
            function()
        except BaseException as error:
            outcome.append(error)

    old = threading.stack_size(size)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    threading.stack_size(old)
    if outcome:
        raise outcome[0]


# What Python itself cannot do in such a thread, it need not do for us.
IN_THREADS = [
    way
    for way in WAYS
    if way not in ("calls in Lua", "nested source text", "nested table constructors")
]


@case(
    "ends in an error with this stack, in a thread",
    each=STACKS,
    new=True,
    stderr=r"(ERROR in finalizer: [^\n]*\n?)*",
)
def small_stacks(size):
    lua = LuaRuntime()
    in_small_thread(size, lambda: end_in_an_error(IN_THREADS, lua))
    check_usable(lua)


@case(
    "ends in an error with this recursion limit of Python",
    each=LIMITS,
    new=True,
    stderr=r"(ERROR in finalizer: [^\n]*\n?)*",
)
def limits(limit):
    lua = LuaRuntime()
    ways = endless(lua)
    before = sys.getrecursionlimit()
    for name, way in ways.items():
        sys.setrecursionlimit(limit)
        try:
            way()
            error = None
        except BaseException as e:
            error = e
        finally:
            sys.setrecursionlimit(before)
        assert isinstance(error, STACK_ERRORS), f"{name}: {error!r}"
    check_usable(lua)


@case("recursion that ends is possible to a good depth")
def depth():
    lua = LuaRuntime()
    step = lua.eval("function(f, n) return f(n) + 1 end")

    def down(n):
        return 0 if n == 0 else step(down, n - 1)

    assert down(60) == 60
    sys.setrecursionlimit(5000)
    assert down(150) == 150
    assert (
        lua.eval(
            "(function() local function f(n) return n == 0 and 0 or 1 + f(n - 1) end return f(10000) end)()"
        )
        == 10000
    )
    lua.execute("""
        chain = {x = 'end'}
        for i = 1, 90 do chain = setmetatable({}, {__index = chain}) end
    """)
    assert lua.globals().chain.x == "end"
    check_usable(lua)


@case("nested data, 100,000 deep: converted, or RecursionError", new=True)
def nested_data():
    lua = LuaRuntime()
    data = []
    for _ in range(100_000):
        data = [data]
    assert isinstance(error_of(lua.table_from, data, recursive=True), RecursionError)
    data = {}
    for _ in range(100_000):
        data = {"x": data}
    assert isinstance(error_of(lua.table_from, data, recursive=True), RecursionError)
    shallow = []
    for _ in range(500):
        shallow = [shallow]
    table = lua.table_from(shallow, recursive=True)
    for _ in range(500):
        table = table[1]
    assert len(table) == 0
    check_usable(lua)


@case("tables nested a million deep are walked, dropped and collected")
def nested_tables():
    lua = LuaRuntime()
    table = lua.execute("local t = {} for i = 1, 1000000 do t = {t, i} end return t")
    walked, depth = table, 0
    while True:
        walked = walked[1]
        if walked is None:
            break
        depth += 1
    assert depth == 10**6
    del table
    collect(lua)
    check_usable(lua)


@case("wrappers in wrappers, 100,000 deep: dropped without deep recursion")
def nested_wrappers():
    lua = LuaRuntime()
    thing = None
    for _ in range(100_000):
        thing = lua.table(thing)
    del thing
    collect(lua)
    pair = None
    for number in range(20_000):
        pair = [lua.eval("function(x) return function() return x end end")(pair)]
    del pair
    collect(lua)
    check_usable(lua)


@case("ten threads recurse without end at once", new=True)
def threads():
    lua = LuaRuntime()
    assert hasattr(lupa, "LuaTimeoutError")
    errors = []

    def work(lua):
        for way in ("calls", "metamethods of both", "gsub of both", "coroutines of both"):
            errors.append(error_of(endless(lua)[way]))

    workers = [
        threading.Thread(target=work, args=(LuaRuntime() if n % 2 else lua,)) for n in range(10)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(errors) == 40 and all(isinstance(error, STACK_ERRORS) for error in errors)
    check_usable(lua)
