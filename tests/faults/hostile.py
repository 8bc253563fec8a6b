"""Lua code that takes away, replaces or booby-traps what others might rely on."""

from faults.common import LuaError, LuaRuntime, check_usable, error_of, first_line, raiser
from faults.registry import case

GLOBALS = "pcall xpcall error assert tostring tonumber type next pairs ipairs select unpack rawget rawset rawequal " \
    "setmetatable getmetatable require load loadstring collectgarbage print newproxy".split()  # fmt: skip
LIBRARIES = "string table math debug coroutine package io os jit bit python".split()

DAMAGE = {
    "debug gone": "debug = nil",
    "debug.traceback gone": "debug.traceback = nil",
    "debug.traceback errors": "debug.traceback = function() error('trap') end",
    "debug.traceback is no function": "debug.traceback = 5",
    "debug traps": "debug = setmetatable({}, {__index = function() error('trap') end})",
    "string traps": "string = setmetatable({}, {__index = function() error('trap') end})",
    "methods of strings gone": "getmetatable('').__index = nil",
    "methods of strings trap": "getmetatable('').__index = function() error('trap') end",
    "strings compare by a trap": "getmetatable('').__eq = error getmetatable('').__lt = error getmetatable('').__tostring = error",
    "functions replaced": "local g = _G for n in ('"
    + " ".join(GLOBALS)
    + "'):gmatch('%a+') do g[n] = function() return 'trap' end end",
    "functions that loop into each other": "local p, e = pcall, error function pcall(...) return p(p, ...) end function error(...) return p(e, ...) end",
    "functions gone": "local g = _G for n in ('"
    + " ".join(GLOBALS)
    + "'):gmatch('%a+') do g[n] = nil end",
    "libraries gone": "local g = _G for n in ('"
    + " ".join(LIBRARIES)
    + "'):gmatch('%a+') do g[n] = nil end",
    "libraries emptied": "for _, n in ipairs({'string', 'table', 'math', 'coroutine', 'package', 'python'}) do "
    "for k in pairs(_G[n]) do _G[n][k] = nil end end",
    "everything gone": "local g = _G for n in pairs(g) do g[n] = nil end",
    "modules gone": "for n in pairs(package.loaded) do package.loaded[n] = nil end package.loaded = nil",
    "_G is another table": "_G = {}",
    "registry emptied of names": "local r = debug.getregistry() for k in pairs(r) do if type(k) == 'string' then r[k] = nil end end",
    "registry emptied": "local r = debug.getregistry() for k in pairs(r) do r[k] = nil end",
    "registry filled with nonsense": "local r = debug.getregistry() for k in pairs(r) do r[k] = 5 end",
    "registry traps": "setmetatable(debug.getregistry(), {__index = error, __newindex = error})",
    "_G traps": "setmetatable(_G, {__index = function() error('trap') end, __newindex = function() error('trap') end})",
    "_G locked": "setmetatable(_G, {__metatable = false, __index = function() return 'trap' end})",
    "nil has methods": "debug.setmetatable(nil, {__index = function() error('trap') end, __call = error})",
    "numbers trap": "debug.setmetatable(0, {__index = error, __add = error, __eq = error, __call = error})",
    "functions trap": "debug.setmetatable(print, {__index = error, __newindex = error, __gc = error})",
    "coroutines trap": "debug.setmetatable(coroutine.create(print), {__index = error, __gc = error})",
    "a hook that errors": "debug.sethook(function() debug.sethook() error('trap') end, 'l')",
    "a hook that yields": "debug.sethook(coroutine.yield, '', 100)",
    "a hook that does nothing": "debug.sethook(function() end, 'crl', 1)",
    "the collector stopped": "collectgarbage('stop')",
    "the collector at its maddest": "collectgarbage('setpause', 0) collectgarbage('setstepmul', 1000000)",
    "no compiler": "jit.off() jit.flush()",
    "the compiler's options": "jit.opt.start('maxtrace=1', 'hotloop=1', 'maxmcode=1')",
    "environments changed": "setfenv(0, setmetatable({}, {__index = function() error('trap') end}))",
    "upvalues changed": "for _, f in pairs(python) do if type(f) == 'function' then for i = 1, 9 do "
    "pcall(debug.setupvalue, f, i, 5) end end end",
    "metatable of Python objects taken apart": "local mt = debug.getmetatable(python.builtins) "
    "for k in pairs(mt) do mt[k] = nil end",
    "metatable of Python objects swapped": "local mt = debug.getmetatable(python.builtins) "
    "for k in pairs(mt) do if k ~= '__gc' then mt[k] = mt.__tostring end end",
    "metatable of files gone": "debug.setmetatable(io.stdout, nil) local mt = debug.getmetatable(io.stderr) mt.__gc, mt.__index = nil",
}
# After these nothing can work that needs what is gone; but no more than an error may come of it.
BROKEN = {
    "registry emptied", "registry filled with nonsense", "registry traps", "a hook that errors", "a hook that yields",
    "metatable of Python objects taken apart", "metatable of Python objects swapped", "environments changed",
    "numbers trap", "nil has methods", "functions that loop into each other", "upvalues changed",
}  # fmt: skip


def use(lua, function, table, coroutine):
    """Everything that Python does with a runtime, as (name, what it must give, what to do)."""
    mine = KeyError("mine")
    yield "call", 5, lambda: function(lambda: 5)
    yield "read", "x", lambda: table.x
    yield "exception", mine, lambda: error_of(function, raiser(mine))
    yield "eval", 2, lambda: lua.eval("1 + 1")
    yield "execute", 7, lambda: lua.execute("local t = {7} return t[1]")
    yield "object", 7, lambda: lua.eval("(...)[0]", [7])
    yield "coroutine", [1], lambda: list(coroutine.coroutine(1))
    yield "iterate", [1, 2], lambda: list(lua.table(1, 2).values())
    yield "copy", 3, lambda: len(lua.table_from([1, 2, 3]))
    yield "error", "LuaError", lambda: type(error_of(lua.eval, "nil .. nil")).__name__
    yield "syntax", "LuaSyntaxError", lambda: type(error_of(lua.eval, "for")).__name__
    yield "str", True, lambda: str(lua.table()).startswith("<Lua table")
    yield "globals", True, lambda: bool(lua.globals())
    yield "set", 1, lambda: (lua.globals().__setitem__, 1)[1]
    yield "module", None, lambda: lua.require("nowhere") and None
    yield "collect", None, lambda: lua.gccollect()
    yield "implementation", True, lambda: isinstance(lua.lua_implementation, str)


@case("the runtime works on, or says what is wrong", each={name: (name, code) for name, code in DAMAGE.items()},
      stderr=r"(ERROR in finalizer: [^\n]*\n?)*")  # fmt: skip
def damage(name, code):
    for gc_first in (True, False):
        lua = LuaRuntime()
        function = lua.eval("function(f) return f() end")
        table = lua.eval("setmetatable({}, {__index = function(t, k) return k end})")
        coroutine = lua.eval("function(x) return x end")
        lua.execute(code)
        if gc_first:
            lua.gccollect()
        for what, expected, action in use(lua, function, table, coroutine):
            try:
                result = action()
            except Exception as error:
                tolerated = (
                    name in BROKEN or what == "module" or (what == "iterate" and name == "_G traps")
                )
                if not tolerated:
                    raise AssertionError(what) from error
            else:
                assert result == expected or name in BROKEN, f"{what}: {result!r}"


@case("a strict _G: undeclared names are errors, declared ones work, require too")
def strict_globals():
    lua = LuaRuntime()
    lua.execute("""
        known = 1
        setmetatable(_G, {
            __index = function(_, name) error('undeclared ' .. tostring(name), 0) end,
            __newindex = function(_, name) error('undeclared ' .. tostring(name), 0) end,
        })
    """)
    g = lua.globals()
    for use in [
        lambda: g.nothing,
        lambda: g["nothing"],
        lambda: setattr(g, "nothing", 1),
        lambda: lua.eval("nothing"),
    ]:
        assert first_line(error_of(use)) == "undeclared nothing"
    assert (g.known, lua.eval("known"), lua.require("string").upper("x")) == (1, 1, "X")
    g.known = 2
    del g.known
    assert first_line(error_of(lambda: g.known)) == "undeclared known"
    assert "known" not in list(g.keys())
    check_usable(lua)


@case("what replaces pcall, error or tostring is not called by the binding")
def not_called():
    lua = LuaRuntime()
    lua.execute("""
        calls = 0
        for _, name in ipairs({'pcall', 'xpcall', 'error', 'tostring', 'setmetatable', 'getmetatable', 'type', 'next',
                               'pairs', 'select', 'unpack', 'rawget', 'collectgarbage'}) do
            local real = _G[name]
            _G[name] = function(...) calls = calls + 1 return real(...) end
        end
        debug.traceback = function() calls = calls + 1 end
    """)
    table = (
        lua.table_from({"x": [1, 2]}, recursive=True)
        if has_recursive(lua)
        else lua.table_from({"x": 1})
    )
    str(table), repr(table), len(table), list(table), hash(table), table == lua.table()
    assert type(error_of(lua.execute, "local x = nil + 1")) is LuaError
    assert type(error_of(lua.eval("function(f) f() end"), raiser(KeyError(1)))) is KeyError
    list(lua.eval("function() coroutine.yield(1) end").coroutine())
    lua.gccollect()
    assert lua.globals().calls == 0
    check_usable(lua)


def has_recursive(lua):
    try:
        lua.table_from([], recursive=True)
    except TypeError:
        return False
    return True
