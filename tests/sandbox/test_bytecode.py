"""Bytecode is not verified, so loading any would be a way to everything."""

import random

import pytest

import lupa
from lupa import LuaRuntime


@pytest.fixture(scope="module")
def bytecode():
    return LuaRuntime(encoding=None).eval("string.dump(function() return 42 end)")


ROUTES = {
    "load": "return load(...)() == 42",
    "load named": "return load(..., '=name')() == 42",
    "load with mode b": "return load(..., 'name', 'b')() == 42",
    "load with mode bt": "return load(..., 'name', 'bt')() == 42",
    "load with an environment": "return load(..., 'name', nil, {})() == 42",
    "load of a reader": """
        local rest = ...
        return load(function() local piece = rest rest = nil return piece end)() == 42""",
    "load of a slow reader": """
        local code, at = ..., 0
        return load(function() at = at + 1 return code:sub(at, at) end)() == 42""",
    "load of a coroutine": """
        local code = ...
        return load(coroutine.wrap(function() coroutine.yield(code) end))() == 42""",
    "loadstring": "return loadstring(...)() == 42",
    "loadstring named": "return loadstring(..., '=name')() == 42",
    "loadstring with a mode": "return loadstring(..., 'name', 'b')() == 42",
    "loadstring of a reader": """
        local rest = ...
        return loadstring(function() local piece = rest rest = nil return piece end)() == 42""",
    "loadstring of a slow reader": """
        local code, at = ..., 0
        return loadstring(function() at = at + 1 return code:sub(at, at) end)() == 42""",
    "pcall": "return select(2, pcall(load, ...))() == 42",
    "coroutine": "return coroutine.wrap(load)(...)() == 42",
    "dump": "return load(string.dump(function() return 42 end))() == 42",
    "dump of a method": "return (''):len() == 0 and load(('').dump(function() return 42 end))() == 42",
}


@pytest.mark.parametrize("name", ROUTES)
def test_routes(fails, bytecode, name):
    fails(ROUTES[name], lambda lua: (bytecode,))


@pytest.mark.parametrize(
    "header", [b"#!/bin/lua\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf#\n", b" ", b"\n"]
)
def test_headers(sandbox, attempt, bytecode, header):
    for code in ["return load(...)", "return loadstring(...)"]:
        assert not attempt(sandbox, code, header + bytecode)
    with pytest.raises(lupa.LuaSyntaxError):
        sandbox.execute(header + bytecode)


@pytest.mark.parametrize("mode", [None, "t", "b", "bt"])
def test_the_hosts_own_methods(sandbox, bytecode, mode):
    for method in [sandbox.execute, sandbox.compile]:
        with pytest.raises(lupa.LuaSyntaxError):
            method(bytecode, mode=mode)
    with pytest.raises(lupa.LuaSyntaxError):
        sandbox.eval(bytecode, mode=mode)


def test_corrupt_bytecode(sandbox, attempt, bytecode):
    chosen = random.Random(0)
    for _ in range(200):
        corrupt = bytearray(bytecode)
        for _ in range(chosen.randint(1, 5)):
            corrupt[chosen.randrange(1, len(corrupt))] = chosen.randrange(256)
        assert not attempt(sandbox, "return load(...)", bytes(corrupt))
        assert not attempt(sandbox, "return load(..., 'x', 'b')", bytes(corrupt[:10]))


def test_text_is_loaded_as_before(sandbox):
    assert sandbox.eval("load('return ...', 'name')(5)") == 5
    assert sandbox.eval("load('return x', 'name', 't', {x = 6})()") == 6
    assert sandbox.eval("loadstring('return 7')()") == 7
    # Default names are the code's own text, and that of a reader is Lua's.
    assert sandbox.eval("select(2, load('('))").startswith('[string "("]:1:')
    assert sandbox.eval("select(2, loadstring('(', '=mine'))").startswith("mine:1:")
    assert sandbox.eval("select(2, load(function() end, nil, 'b'))").endswith("wrong mode")
