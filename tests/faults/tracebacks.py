"""Tracebacks name files and lines, in the order of the calls."""

import re
import traceback

from faults.common import LuaError, LuaRuntime, error_of, raiser
from faults.registry import case

SCRIPT = """
local function inner()
    error('lost')
end
local function outer(f)
    local x = (f or inner)()
    return x
end
function main(f)
    local x = outer(f)
    return x
end
"""
# Where main, outer and inner are on their way to the error.
LINES = [10, 6, 3]


def runtime(**options):
    lua = LuaRuntime()
    lua.execute(SCRIPT, **options)
    return lua


def places(text):
    """The lines of the script that a traceback names, in its order."""
    return [int(line) for line in re.findall(r":(\d+): in function", text)]


@case("a LuaError names line and function of each Lua frame, the most recent call last")
def lua_frames():
    error = error_of(runtime().globals().main)
    assert type(error) is LuaError
    assert re.match(r'\[string ".*"\]:3: lost\nstack traceback:\n', str(error)), error
    assert places(str(error)) == LINES, str(error)


@case("its traceback has these frames as Lua gives them, with the names of files", new=True)
def attribute():
    error = error_of(runtime(name="@game/script.lua").globals().main)
    assert places(error.traceback) == LINES[::-1], error.traceback
    assert error.traceback.count("game/script.lua:") == 4
    assert error.value == "game/script.lua:3: lost" and str(error).startswith(error.value)


@case("an exception from Python through Lua names all Python frames, in order")
def python_frames():
    lua = runtime()
    main = lua.globals().main

    def third():
        raise KeyError("deep")

    def second():
        return main(third)

    def first():
        return main(second)

    error = error_of(first)
    names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    assert [name for name in names if name in ("first", "second", "third")] == [
        "first",
        "second",
        "third",
    ], names
    lines = {frame.name: frame.lineno for frame in traceback.extract_tb(error.__traceback__)}
    assert lines["third"] == third.__code__.co_firstlineno + 1


@case("a LuaError through Python names the frames of both languages, each in order")
def mixed():
    lua = runtime()
    main = lua.globals().main

    def second():
        return main()

    def first():
        return main(second)

    error = error_of(first)
    assert type(error) is LuaError
    names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    assert [name for name in names if name in ("first", "second")] == ["first", "second"], names
    assert places(str(error)) == LINES[:2] + LINES, str(error)


@case("an exception that passes twice does not collect frames of the first time")
def passes_twice():
    lua = runtime()
    error = KeyError("kept")
    fail = raiser(error)
    lengths = []
    for _ in range(5):
        error.__traceback__ = None
        error_of(lua.globals().main, fail)
        lengths.append(len(traceback.extract_tb(error.__traceback__)))
    assert len(set(lengths)) == 1, lengths


@case("an error deep in recursion has a traceback that is shortened")
def shortened():
    lua = LuaRuntime()
    error = error_of(
        lua.execute,
        "local function f(n) if n == 0 then error('deep') end return 1 + f(n - 1) end f(5000)",
    )
    assert "deep" in str(error) and len(str(error).splitlines()) < 60
    error = error_of(lua.execute, "local function f() return 1 + f() end f()")
    assert "stack overflow" in str(error) and len(str(error)) < 10_000


@case("the traceback of a coroutine's error names the coroutine's frames", new=True)
def coroutine():
    lua = runtime()
    error = error_of(next, lua.globals().main.coroutine())
    assert places(error.traceback) == LINES[::-1], error.traceback
