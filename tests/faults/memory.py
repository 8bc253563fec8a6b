"""The memory limit, and the pace of Lua's collector."""

import gc
import weakref

from faults.common import LuaError, LuaRuntime, check_usable, collect, error_of, lupa
from faults.registry import case

LIMIT = 4_000_000
# What one allocation may be, so by how much the limit may be missed: nothing, for Lua code.
IN_LUA = {
    "strings": "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end",
    "one string": "return ('x'):rep(1e8)",
    "concatenation": "local s = 'x' while true do s = s .. s end",
    "table.concat": "local t = {} for i = 1, 1e4 do t[i] = ('x'):rep(100) end while true do t[#t + 1] = table.concat(t) end",
    "gsub": "return (('x'):rep(1e5):gsub('x', ('y'):rep(1000)))",
    "format": "local t = {} while true do t[#t + 1] = ('%d %s'):format(#t, ('x'):rep(100)) end",
    "array": "local t = {} for i = 1, 1e9 do t[i] = i end",
    "hash": "local t = {} for i = 1, 1e9 do t['k' .. i] = i end",
    "tables": "local t = {} while true do t = {t} end",
    "closures": "local t = {} for i = 1, 1e9 do t[i] = function() return i end end",
    "coroutines": "local t = {} for i = 1, 1e9 do t[i] = coroutine.create(function() return i end) end",
    "deep coroutines": "local t = {} for i = 1, 1e9 do t[i] = coroutine.wrap(function() local function f(n) "
    "if n == 0 then coroutine.yield() else f(n - 1) end return 1 end f(100) end) t[i]() end",
    "userdata": "local t = {} for i = 1, 1e9 do t[i] = newproxy(true) end",
    "cdata": "local ffi = require('ffi') local t = {} for i = 1, 1e9 do t[i] = ffi.new('double[100]') end",
    "one cdata": "return require('ffi').new('char[?]', 1e8)",
    "ffi types": "local ffi = require('ffi') for i = 1, 1e9 do ffi.typeof('struct { int x' .. i .. '; }') end",
    "chunks": "local t = {} for i = 1, 1e9 do t[i] = loadstring('return ' .. i .. ' .. x') end",
    "varargs": "local t = {} for i = 1, 1e6 do t[i] = i end return select('#', unpack(t, 1, 7000)), t, {unpack(t, 1, 7000)}, (' '):rep(1e8)",
    "recursion": "local function f(...) return 1 + f(..., ...) end f(1, 2, 3) ",
    "pcall around": "local t = {} while true do pcall(function() for i = 1, 1e9 do t[#t + 1] = {} end end) error('caught') end",
    "string buffers": "local b = require('string.buffer').new() while true do b:put(('x'):rep(1000)) end",
    "compiled code": "for i = 1, 1e9 do loadstring('local s = 0 for j = 1, 100 do s = s + j end return s')() "
    "kept = {kept, ('x'):rep(100)} end",
}


# These run into another limit of LuaJIT first, or Lua code has caught the memory error.
OTHER_ENDS = ("pcall", "f(..., ...)", "ffi.typeof")


def used(lua):
    return lua.get_memory_used(total=True)


@case("Lua code cannot exceed it; LuaMemoryError; the runtime works on", new=True, each=IN_LUA)
def in_lua(code):
    lua = LuaRuntime(max_memory=LIMIT)
    limit = lua.get_max_memory(total=True)
    for _ in range(3):
        error = error_of(lua.execute, code)
        ends = LuaError if any(words in code for words in OTHER_ENDS) else MemoryError
        assert isinstance(error, ends), repr(error)
        # The traceback is no concern of Lua code.
        assert used(lua) <= limit + 10_000, f"{used(lua)} of {limit}"
        lua.globals().kept = None
        lua.gccollect()
        check_usable(lua)
    # LuaJIT keeps the types of its FFI library for ever.
    if "ffi.typeof" not in code:
        assert used(lua) < limit - LIMIT / 2, f"{used(lua)} of {limit} are still in use"
    return f"{used(lua) // 1000} kB after"


class Row:
    def __init__(self, data):
        self.data = data


FROM_PYTHON = {
    "argument": lambda lua, big: lua.eval("#(...)", big),
    "bytes argument": lambda lua, big: lua.eval("#(...)", big.encode()),
    "result": lambda lua, big: lua.eval("(...)()", lambda: big),
    "item": lambda lua, big: lua.eval("(...)[0]", [big]),
    "attribute": lambda lua, big: lua.eval("(...).data", Row(big)),
    "value": lambda lua, big: lua.table().__setitem__("x", big),
    "key": lambda lua, big: lua.table().__setitem__(big, 1),
    "attribute set": lambda lua, big: setattr(lua.globals(), "x", big),
    "lookup": lambda lua, big: lua.table()[big],
    "source": lambda lua, big: lua.execute("return #'" + big + "'"),
    "table": lambda lua, big: lua.table(*range(2_000_000)),
    "table_from, list": lambda lua, big: lua.table_from(range(2_000_000)),
    "table_from, dict": lambda lua, big: lua.table_from({f"k{n}": n for n in range(200_000)}),
    "table_from, strings": lambda lua, big: lua.table_from([big[:n] for n in range(100_000, 100_200)]),
    "table_from, nested": lambda lua, big: lua.table_from([[n] for n in range(200_000)], recursive=True),
    "coroutine": lambda lua, big: next(lua.eval("function(x) coroutine.yield(#x) end").coroutine(big)),
    "sent": lambda lua, big: sent(lua, big),
    "iterated": lambda lua, big: lua.execute("local t = {} for x in python.iter(...) do t[#t + 1] = x end",
                                             (big[:n] for n in range(100_000, 101_000))),
    "tostring": lambda lua, big: lua.eval("tostring(...)", type("T", (), {"__str__": lambda self: big})()),
    "many objects": lambda lua, big: lua.table_from([object() for _ in range(200_000)]),
    "many wrappers": lambda lua, big: [lua.table(n) for n in range(200_000)],
    "many coroutines": lambda lua, big: [lua.eval("function() end").coroutine(n) for n in range(200_000)],
    "overflow handler": lambda lua, big: lua.set_overflow_handler(lambda n: big) or lua.eval("...", 10**30),
}  # fmt: skip


def sent(lua, big):
    coroutine = lua.eval("function() while true do coroutine.yield() end end").coroutine()
    next(coroutine)
    coroutine.send(big)


@case(
    "a value from Python that breaks it is a LuaMemoryError; the runtime works on",
    new=True,
    each=FROM_PYTHON,
)
def from_python(pass_on):
    lua = LuaRuntime(max_memory=LIMIT)
    limit = lua.get_max_memory(total=True)
    big = "x" * (3 * LIMIT)
    for _ in range(2):
        assert isinstance(error_of(pass_on, lua, big), MemoryError)
        lua.set_overflow_handler(None)
        gc.collect()
        lua.gccollect()
        lua.gccollect()
        assert used(lua) < limit - LIMIT / 2, f"{used(lua)} of {limit} are still in use"
        check_usable(lua)
    return f"{used(lua) // 1000} kB after"


@case("every limit from nothing upward is survived", new=True, limit=120)
def every_limit():
    errors = 0
    for limit in range(1, 40_000, 250):
        lua = LuaRuntime(max_memory=limit)
        try:
            table = lua.table_from({"a": [1, 2], "b": "x" * 1000}, recursive=True)
            coroutine = lua.eval("function(f) f() coroutine.yield({}) end").coroutine(
                lambda lua=lua: lua.table(1)
            )
            next(coroutine)
            table.x = lua.eval("function() return {} end")()
            lua.execute("local t = {} for i = 1, 100 do t[i] = {i} end error(t)")
        except MemoryError:
            errors += 1
        except LuaError:
            pass
        lua.set_max_memory(0)
        check_usable(lua)
    assert errors > 10
    return f"{errors} limits were hit"


@case("LuaMemoryError is for memory only, whatever a message says", new=True)
def only_memory():
    lua = LuaRuntime()
    for code in [
        "error('not enough memory')",
        "error('not enough memory', 0)",
        "error('x: not enough memory for y')",
    ]:
        assert type(error_of(lua.execute, code)) is LuaError
    assert type(error_of(lua.execute, "x x", name="=not enough memory")) is lupa.LuaSyntaxError
    assert isinstance(
        error_of(LuaRuntime(max_memory=LIMIT).execute, "return ('x'):rep(1e8)"), lupa.LuaMemoryError
    )


@case("a MemoryError of Python's own is that object")
def own_memory_error():
    lua = LuaRuntime()
    error = MemoryError("mine")

    def fail():
        raise error

    assert error_of(lua.eval("function(f) f() end"), fail) is error


@case("Python objects that Lua holds count towards its collector's pace")
def pace():
    lua = LuaRuntime()

    class Big(bytearray):
        pass

    refs, peak = [], 0
    take = lua.eval("function(x) local t = {x} end")
    for _ in range(2000):
        big = Big(10_000)
        refs.append(weakref.ref(big))
        take(big)
        del big
        refs = [ref for ref in refs if ref() is not None]
        peak = max(peak, len(refs))
    assert peak < 1000, peak
    return f"{peak} at most"


@case("objects made by callbacks in a long call count towards it, too")
def pace_in_a_call():
    lua = LuaRuntime()
    refs = []

    class Big(bytearray):
        pass

    def make():
        big = Big(10_000)
        refs[:] = [ref for ref in refs if ref() is not None]
        refs.append(weakref.ref(big))
        peaks.append(len(refs))
        return big

    peaks = []
    lua.execute("local make = ... for i = 1, 2000 do local x = make() end", make)
    collect(lua)
    assert max(peaks) < 1000, max(peaks)
    return f"{max(peaks)} at most"


@case("the collector, stopped by nogc(), is stopped until the end of the block")
def nogc():
    lua = LuaRuntime()
    garbage = lua.eval("function() for i = 1, 1e5 do local t = {{}} x = t end end")
    count = lua.eval("function() return collectgarbage('count') end")
    with lua.nogc():
        before = count()
        garbage()
        assert count() > before + 5000
    garbage()
    lua.gccollect()
    lua.gccollect()
    assert count() < before + 1000
