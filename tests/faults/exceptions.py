"""The exception that was raised is the one that arrives, through whatever lies between."""

import gc
import threading
import weakref

from faults.common import LuaError, LuaRuntime, check_usable, collect, error_of, in_thread, raiser
from faults.registry import case

# What may lie between a Python function that raises and the Python code that called Lua.
BETWEEN = {
    "a call": "f()",
    "a tail call": "return f()",
    "pcall": "local ok, e = pcall(f) error(e)",
    "pcall, level 0": "local ok, e = pcall(f) error(e, 0)",
    "pcall in pcall": "local _, _, e = pcall(pcall, f) error(e)",
    "xpcall": "local ok, e = xpcall(f, function(e) return e end) error(e)",
    "xpcall with a traceback": "local ok, e = xpcall(f, debug.traceback) error(e)",
    "assert": "assert(pcall(f))",
    "coroutine.wrap": "coroutine.wrap(function() f() end)()",
    "coroutine.resume": "local ok, e = coroutine.resume(coroutine.create(function() f() end)) error(e)",
    "coroutine after a yield": "local g = coroutine.wrap(function() coroutine.yield() f() end) g() g()",
    "ten coroutines": "local g = f for _ = 1, 10 do local inner = g g = function() coroutine.wrap(function() inner() end)() end end g()",
    "a metamethod": "return setmetatable({}, {__index = function() f() end}).x",
    "a sort": "table.sort({3, 2, 1}, function() f() end)",
    "a gsub": "('abc'):gsub('.', function() f() end)",
    "load": "local _, e = load(function() f() end) error(e)",
    "a chunk": "loadstring('(...)()')(f)",
    "Python and Lua again": "nested(f)",
    "an iterator": "for x in f do end",
    "an error handler that raises again": "local ok, e = xpcall(f, function(e) error(e) end) f()",
    "another caught error": "local ok, e = pcall(f) pcall(error, 'other') pcall(other) error(e)",
    "garbage collections": "local ok, e = pcall(f) collectgarbage() collectgarbage() error(e)",
    "a compiled loop": "for i = 1, 200 do local ok, e = pcall(f) if i == 200 then error(e) end end",
}
KINDS = {
    "Exception": Exception("mine"),
    "LuaError": LuaError("mine"),
    "StopIteration": StopIteration("mine"),
    "MemoryError": MemoryError("mine"),
    "KeyboardInterrupt": KeyboardInterrupt("mine"),
    "SystemExit": SystemExit(3),
    "GeneratorExit": GeneratorExit("mine"),
}


def runtime():
    lua = LuaRuntime()
    lua.globals().nested = lambda f: lua.eval("function(f) f() end")(f)
    lua.globals().other = raiser(KeyError("other"))
    return lua


@case("every kind of exception arrives as the object that it is", rows=BETWEEN)
def identity(between):
    lua = runtime()
    run = lua.eval(f"function(f) {between} end")
    for error in KINDS.values():
        fail = raiser(error)
        for _ in range(3):
            assert error_of(run, fail) is error
            assert error_of(in_thread, lambda: run(fail)) is error
            assert error_of(next, run.coroutine(fail)) is error
    check_usable(lua)


@case("what is no error for Lua code passes through any pcall", new=True, rows=KINDS)
def pcall_and(error):
    lua = runtime()
    for code in [
        "pcall(f)",
        "xpcall(f, print)",
        "pcall(pcall, pcall, f)",
        "for i = 1, 3 do pcall(f) end",
    ]:
        run = lua.eval(f"function(f) {code}; after = (after or 0) + 1 end")
        if isinstance(error, Exception):
            run(raiser(error))
        else:
            assert error_of(run, raiser(error)) is error
    assert lua.eval("after") == (4 if isinstance(error, Exception) else None)
    check_usable(lua)


@case("an exception of one call is not that of another")
def no_mixing():
    lua = runtime()
    first, second = KeyError("first"), KeyError("second")
    lua.globals().kept = None
    assert (
        error_of(lua.execute, "local ok, e = pcall(...) kept = e error(e)", raiser(first)) is first
    )
    assert error_of(lua.execute, "pcall(...) error('text', 0)", raiser(second)).args != second.args
    assert error_of(lua.execute, "error(kept)") is first
    assert lua.execute(
        "local ok, a = pcall(...) local ok, b = pcall(error, kept) return a, b", raiser(second)
    ) == (
        second,
        first,
    )
    check_usable(lua)


@case("exceptions of eight threads reach their own threads")
def threads():
    lua = runtime()
    run = lua.eval(
        "function(f) local ok, e = pcall(f) coroutine.wrap(function() error(e) end)() end"
    )
    wrong = []

    def work(index):
        for number in range(200):
            error = KeyError(index, number)
            if error_of(run, raiser(error)) is not error:
                wrong.append(error)

    workers = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong
    check_usable(lua)


@case("an exception, its frames and what they hold are freed")
def freed():
    lua = runtime()
    refs = []

    class Held:
        pass

    def fail():
        held = Held()
        refs.append(weakref.ref(held))
        raise KeyError("gone")

    for between in BETWEEN.values():
        run = lua.eval(f"function(f) {between} end")
        assert error_of(run, fail)
        lua.eval("pcall")(run, fail)
    collect(lua)
    assert not [ref for ref in refs if ref() is not None], f"{len(refs)} objects"


@case("a chain of causes and contexts is kept")
def chains():
    lua = runtime()
    run = lua.eval("function(f) local ok, e = pcall(f) error(e) end")

    def fail():
        try:
            {}["inner"]
        except KeyError as inner:
            raise ValueError("outer") from inner

    error = error_of(run, fail)
    assert isinstance(error, ValueError) and isinstance(error.__cause__, KeyError)

    def handling():
        try:
            {}["inner"]
        except KeyError:
            run(raiser(TypeError("second")))

    error = error_of(handling)
    assert isinstance(error, TypeError) and isinstance(error.__context__, KeyError)


@case("error values of every type arrive as values", new=True)
def values():
    lua = runtime()
    table, function = lua.table(1), lua.eval("print")
    thing = object()
    for value in [1, 2.5, True, False, None, table, function, thing, [1], int]:
        for code in ["error(..., 0)", "local v = ... coroutine.wrap(function() error(v, 0) end)()"]:
            if "wrap" in code and isinstance(value, float):
                continue
            error = error_of(lua.execute, code, value)
            assert type(error) is LuaError and error.value == value and str(error), (
                code,
                value,
                error,
            )
    assert error_of(lua.execute, "error()").value is None
    error = error_of(
        lua.execute, "error(setmetatable({}, {__tostring = function() error('again') end}))"
    )
    assert type(error) is LuaError
    error = error_of(lua.execute, "error(setmetatable({}, {__tostring = function() return 5 end}))")
    assert type(error) is LuaError
    error = error_of(lua.execute, "error('\\255\\0x', 0)")
    assert error.value == "\ufffd\0x"
    check_usable(lua)


@case("errors of a coroutine that is dead, running, or was never started")
def dead_coroutines():
    lua = runtime()
    error = KeyError("mine")
    coroutine = lua.eval("function(f) f() end").coroutine(raiser(error))
    assert error_of(next, coroutine) is error
    assert not coroutine
    for _ in range(3):
        assert type(error_of(next, coroutine)) is LuaError
    ended = lua.eval("function() end").coroutine()
    assert [type(error_of(next, ended)) for _ in range(3)] == [StopIteration] * 3
    running = lua.eval("function(f) f() end").coroutine(lambda: next(running))
    assert type(error_of(next, running)) is LuaError
    assert type(error_of(lua.eval("function() end").coroutine().send, 1)) is TypeError
    check_usable(lua)


@case("an exception with a class, text or hash that misbehaves")
def strange_exceptions():
    lua = runtime()

    class Strange(Exception):
        def __str__(self):
            raise self

        __repr__ = __str__
        __hash__ = None

        def __getattr__(self, name):
            raise self

        def __eq__(self, other):
            raise self

    error = Strange()
    for between in ["f()", "local ok, e = pcall(f) error(e)", "pcall(f) f()"]:
        assert error_of(lua.eval(f"function(f) {between} end"), raiser(error)) is error
    assert lua.eval("pcall")(raiser(error))[0] is False
    gc.collect()
    check_usable(lua)


@case("errors in the error handler end in an error, not in a loop")
def handler_errors():
    lua = runtime()
    for code in [
        "xpcall(error, error)",
        "xpcall(error, function() error('x') end)",
        "xpcall(function() local x = nil + 1 end, function() return nil + 1 end)",
        "xpcall(error, function() local function f() return f() + 1 end f() end)",
        "local function f() return xpcall(f, f) end f()",
    ]:
        try:
            lua.execute(code)
        except (LuaError, RecursionError):
            pass
    error = KeyError("in the handler")
    assert lua.eval("xpcall(error, python.as_function(...))", raiser(error))[0] is False
    check_usable(lua)
