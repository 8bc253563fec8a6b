"""Code that takes time, memory or stack without end: it is stopped, and the runtime goes on.

Not here, because nothing stops them before their end: single calls of library functions that take
long, such as a pattern match. The guide says so.
"""

import itertools
import time

import pytest

import lupa
from lupa import LuaError, LuaMemoryError, LuaRuntime, LuaTimeoutError

TIMEOUT = 0.3


@pytest.fixture
def lua():
    """A sandbox with tight limits."""
    lua = LuaRuntime(sandbox=True, timeout=TIMEOUT, max_memory=20_000_000)
    yield lua
    assert lua.eval("('x'):rep(3) .. select('#', 1, 2)") == "xxx2"
    lua.gccollect()
    assert lua.get_memory_used() < 10_000_000


FOREVER = "while true do end"
TIME = {
    "loop": FOREVER,
    "for": "for i = 1, math.huge do end",
    "goto": "::again:: goto again",
    "tail calls": "local function f() return f() end f()",
    "pcall": f"while true do pcall(function() {FOREVER} end) end",
    "pcall of nothing": "while true do pcall(error) end",
    "nested pcall": f"pcall(pcall, pcall, function() {FOREVER} end) {FOREVER}",
    "xpcall": f"while true do xpcall(error, function() {FOREVER} end) end",
    "handler": f"xpcall(error, function() {FOREVER} end)",
    "handler of the stop": f"xpcall(function() {FOREVER} end, function() {FOREVER} end) {FOREVER}",
    "coroutine": f"coroutine.wrap(function() {FOREVER} end)()",
    "coroutines": f"while true do coroutine.resume(coroutine.create(function() {FOREVER} end)) end",
    "yields": "local f = coroutine.wrap(function() while true do coroutine.yield() end end) while true do f() end",
    "index": f"return setmetatable({{}}, {{ __index = function() {FOREVER} end }}).x",
    "call": f"setmetatable({{}}, {{ __call = function() {FOREVER} end }})()",
    "concatenation": f"return setmetatable({{}}, {{ __concat = function() {FOREVER} end }}) .. ''",
    "comparison": f"table.sort({{3, 2, 1}}, function() {FOREVER} end)",
    "replacement": f"return ('x'):gsub('x', function() {FOREVER} end)",
    "tostring": f"tostring(setmetatable({{}}, {{ __tostring = function() {FOREVER} end }}))",
    "print": f"print(setmetatable({{}}, {{ __tostring = function() {FOREVER} end }}))",
    "reader": f"load(function() {FOREVER} end)",
    "memory errors": "while true do pcall(string.rep, 'x', 1e9) end",
    "stack overflows": "local function f() return 1 + f() end while true do pcall(f) end",
    "collections": "while true do collectgarbage() end",
    "Python objects": "while true do local _ = python.none == python.args{} end",
    "refusals": "while true do pcall(function() return python.none.__class__ end) end",
}


@pytest.mark.parametrize("name", TIME)
def test_time(lua, name):
    start = time.monotonic()
    with pytest.raises(LuaTimeoutError):
        lua.execute(TIME[name])
    assert time.monotonic() - start < 10


CALLBACKS = {
    "iterator": ("for _ in python.iter(...) do end", itertools.count()),
    "callback": ("while true do (...)() end", int),
    "callback in pcall": ("while true do pcall(...) end", lambda: 1 / 0),
    "callback that calls back": (f"(...)(function() {FOREVER} end)", lambda f: f()),
    "key": (f"(...).sort(python.args{{ key = function() {FOREVER} end }})", [2, 1]),
    "callback that hides errors": (
        f"for i = 1, 30 do (...)(function() {FOREVER} end) end",
        lambda f: bool(pytest.raises(LuaTimeoutError, f)),
    ),
}


@pytest.mark.parametrize("name", CALLBACKS)
def test_time_in_python(lua, name):
    code, victim = CALLBACKS[name]
    if isinstance(victim, list):
        victim = lupa.as_attrgetter(victim)
    with pytest.raises(LuaTimeoutError):
        lua.execute(code, victim)


MEMORY = {
    "repetition": "return ('x'):rep(1e9)",
    "repetition with separators": "return ('x'):rep(1e6, ('y'):rep(1e6))",
    "doubling": "local s = 'x' while true do s = s .. s end",
    "table": "local t = {} for i = 1, 1e9 do t[i] = i end",
    "keys": "local t = {} for i = 1, 1e9 do t['k' .. i] = i end",
    "tables": "local t for i = 1, 1e9 do t = { t } end",
    "closures": "local t = {} for i = 1, 1e9 do t[i] = function() return i end end",
    "coroutines": "local t = {} for i = 1, 1e9 do t[i] = coroutine.create(print) end",
    "suspended coroutines": """
        local t = {}
        for i = 1, 1e9 do
            t[i] = coroutine.wrap(function() coroutine.yield() end)
            t[i]()
        end""",
    "Python objects": "local t = {} for i = 1, 1e9 do t[i] = python.args{} end",
    "concatenation of a table": "return table.concat({ ('x'):rep(8e6), ('y'):rep(8e6) }, ('z'):rep(8e6))",
    "replacement": "return (('x'):rep(1e5):gsub('x', ('y'):rep(1e5)))",
    "code": "return assert(load('return ' .. ('{1},'):rep(1e7)))",
    "error": "error(('x'):rep(1.9e7) .. ('y'):rep(1e6))",
    "upper case": "return ('x'):rep(1.5e7):upper()",
}


@pytest.mark.parametrize("name", MEMORY)
def test_memory(lua, name):
    with pytest.raises(LuaMemoryError):
        lua.execute(MEMORY[name], timeout=10)


NESTING = {
    "calls": "local function f() return 1 + f() end f()",
    "pcall": "local function f() assert(pcall(f)) error('end') end f()",
    "handlers": "local function f() error('again') end assert(xpcall(f, f))",
    "index": "local t = setmetatable({}, { __index = function(t, k) return t[k + 1] end }) return t[1]",
    "index of itself": "local t = {} return setmetatable(t, { __index = t }).x",
    "chain of tables": "local t for i = 1, 1e4 do t = setmetatable({}, { __index = t }) end return t.x",
    "newindex of itself": "local t = {} setmetatable(t, { __newindex = t }).x = 1",
    "concatenation": """
        local t = setmetatable({}, { __concat = function(a, b) return a .. b end })
        return t .. 'x'""",
    "gsub": "local function f(s) return (s:gsub('.', f)) end f('x')",
    "sort": "local function f() table.sort({ 1, 2 }, f) error('end') end f()",
    "coroutines": "local function f() return coroutine.wrap(f)() end f()",
    "brackets": "assert(load(('('):rep(1e5)))",
    "tables": "assert(load('x = ' .. ('{'):rep(1e5)))",
    "powers": "assert(load('x = 1' .. ('^1'):rep(1e5)))",
    "blocks": "assert(load(('do '):rep(1e5)))",
    "functions": "assert(load(('function f() '):rep(1e5)))",
    "captures": "return ('x'):find(('('):rep(100))",
    "optional characters": "return ('x'):rep(1e6):find(('x?'):rep(1e6))",
    "results": "return unpack({}, 1, 1e8)",
    "bytes": "return ('x'):rep(1e7):byte(1, -1)",
    "too far back": "return select(-2^31, 1)",
    "width": "return ('%999999999d'):format(1)",
    "callbacks": "local f = ... local function g() return f(g) end g()",
    "callbacks in coroutines": """
        local f = ...
        local function g() return coroutine.wrap(function() return f(g) end)() end
        g()""",
    "yield in a callback": "coroutine.wrap(function() (...)(coroutine.yield) end)(...)",
    "yield in an __index": """
        local t = setmetatable({}, { __index = coroutine.yield })
        return coroutine.wrap(function(f) return f(function() return t.x end) end)(...)""",
}


@pytest.mark.parametrize("name", NESTING)
def test_nesting(lua, name):
    with pytest.raises((LuaError, RecursionError)):
        lua.execute(NESTING[name], lambda f: f(), timeout=10)


def test_arguments_that_seem_to_be_many(lua):
    # Eighteen entries, and `#` says 600 million.
    forged = """
        local t, k = {}, 18
        while k < 2^30 do t[k] = 1 k = k * 2 end
        for i = 1, 14 do t[i] = i end
        assert(#t > 5e8)
        return python.args(t)"""
    with pytest.raises(IndexError, match="too many nil values"):
        lua.execute(forged)
    assert (
        lua.eval("(...)(python.args{1, nil, nil, 4})", lambda *args: str(args))
        == "(1, None, None, 4)"
    )


HOSTILE = """
    local function forever() while true do end end
    return setmetatable({}, {
        __index = forever, __newindex = forever, __call = forever, __len = forever,
        __tostring = forever, __eq = forever,
    })
"""


def test_values_that_the_host_gets(lua):
    value = lua.execute(HOSTILE)
    for use in [
        lambda: value.attribute,
        lambda: value["item"],
        lambda: setattr(value, "attribute", 1),
        lambda: value(),
        lambda: str(value),
    ]:
        with pytest.raises(LuaTimeoutError):
            use()
    assert bool(value) and value != lua.table() and hash(value) == hash(value)
    assert list(value) == [] and len(value) == 0 and "table" in repr(value)


def test_errors_that_the_host_gets(lua):
    start = time.monotonic()
    for body in [
        FOREVER,
        "error('again')",
        "return {}",
        "return ('x'):rep(1e9)",
        "coroutine.yield()",
    ]:
        with pytest.raises(LuaError) as caught:
            lua.execute(f"error(setmetatable({{}}, {{ __tostring = function() {body} end }}))")
        assert lupa.lua_type(caught.value.value) == "table"
        assert "table" in str(caught.value)
    assert time.monotonic() - start < 10


def test_dates_and_numbers_at_the_edge(lua):
    for code in [
        "os.date('%c', 2^60)",
        "os.date('*t', -2^60)",
        "os.date(('%c'):rep(1000))",
        "os.date('%Ez%Oq%')",
        "os.time{ year = 2^31, month = 2^31, day = 2^31 }",
        "os.difftime(0/0, 1/0)",
        "math.random(2^53)",
        "bit.tohex(1, -2^40)",
        "bit.lshift(2^60, 2^60)",
        "tonumber(('9'):rep(1e5))",
        "('x'):rep(-2^60)",
        "('x'):sub(-2^60, 2^60)",
        "('x'):byte(0/0)",
        "table.concat({}, 'x', 2^31, 1)",
        "python.enumerate(..., 0/0)",
    ]:
        lua.execute(f"pcall(function(...) return {code} end, ...)", [1])
