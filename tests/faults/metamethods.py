"""Every metamethod raises, and is reached in every way there is."""

from faults.common import LuaError, LuaRuntime, check_usable, error_of, in_thread, raiser
from faults.registry import case

# Of each event: how Python reaches it, and how Lua code does, with the object as `t`.
EVENTS = {
    "__index": ([lambda t: t.x, lambda t: t["x"], lambda t: t[7]], ["return t.x", "return t[7]"]),
    "__newindex": (
        [
            lambda t: setattr(t, "x", 1),
            lambda t: t.__setitem__("x", 1),
            lambda t: t.__setitem__(7, None),
            lambda t: delattr(t, "x"),
            lambda t: t.__delitem__("x"),
        ],
        ["t.x = 1", "t[7] = {}"],
    ),
    "__call": ([lambda t: t(), lambda t: t(1, "x", None)], ["return t()", "t(1, 2)"]),
    "__tostring": ([str], ["return tostring(t)", "print(t)"]),
    "__len": ([], ["return #t"]),
    "__eq": ([], ["return t == other", "return t ~= other"]),
    "__lt": ([], ["return t < other", "return other > t", "table.sort({t, other, t})"]),
    "__le": ([], ["return t <= other", "return other >= t"]),
    "__concat": ([], ["return t .. 'x'", "return 1 .. t"]),
    "__unm": ([], ["return -t"]),
    "__add": ([], ["return t + 1", "return 1 + t"]),
    "__sub": ([], ["return t - 1", "return 1 - t"]),
    "__mul": ([], ["return t * 2"]),
    "__div": ([], ["return 2 / t"]),
    "__mod": ([], ["return t % 2"]),
    "__pow": ([], ["return t ^ 2"]),
}

# A userdata, since tables have no __len in Lua 5.1; but Python sets items of tables only.
MAKE = """
    local event, fail = ...
    if type(fail) == 'userdata' then fail = python.as_function(fail) end
    if event == '__newindex' then return setmetatable({}, {__newindex = fail}), nil end
    local t = newproxy(true)
    getmetatable(t)[event] = fail
    local other = newproxy(t)
    return t, other
"""
# Ways to run code that ends in the metamethod. `run` is a Lua function of (t, other).
WAYS = {
    "plain": "run(t, other)",
    "in a coroutine": "coroutine.wrap(run)(t, other)",
    "in a coroutine of a coroutine": "coroutine.wrap(function() coroutine.wrap(run)(t, other) end)()",
    "raised again": "local ok, e = pcall(run, t, other) error(e, 0)",
    "through a handler": "local ok, e = xpcall(function() run(t, other) end, function(e) return e end) error(e, 0)",
    "in a sort": "table.sort({1, 2, 3}, function() run(t, other) end)",
    "in a gsub": "('abc'):gsub('.', function() run(t, other) end)",
    "in Python in Lua": "python_run(run, t, other)",
    "deep in Lua": "local function f(n) if n == 0 then run(t, other) else f(n - 1) end return 1 end f(150)",
    "compiled": "for i = 1, 300 do local ok, e = pcall(run, t, other) if i == 300 then error(e, 0) end end",
}


def check_error(error, expected):
    if isinstance(expected, str):
        assert type(error) is LuaError, repr(error)
        # coroutine.wrap puts a place in front.
        assert str(error).partition("\n")[0].endswith(expected), error
    else:
        assert error is expected, repr(error)


def failures(lua):
    """Functions for metamethods, with what each ends in."""
    exception = KeyError("mine")
    exit = SystemExit(3)
    yield lua.eval("function() error('from Lua', 0) end"), "from Lua"
    yield lua.eval("function(f) return function() f() end end")(raiser(exception)), exception
    yield raiser(exception), exception
    yield lua.eval("function(f) return function() f() end end")(raiser(exit)), exit


@case("its error arrives, from every entry point and in every context", each={e: e for e in EVENTS})
def raises(event):
    lua = LuaRuntime()
    lua.globals().python_run = lambda run, *args: run(*args)
    in_python, in_lua = EVENTS[event]
    for fail, expected in failures(lua):
        t, other = lua.execute(MAKE, event, fail)
        for reach in in_python:
            check_error(error_of(reach, t), expected)
            check_error(error_of(in_thread, lambda reach=reach: reach(t)), expected)
            call = lua.eval("function(f) f() end")
            check_error(error_of(call, lambda reach=reach: reach(t)), expected)
            check_error(error_of(list, call.coroutine(lambda reach=reach: reach(t))), expected)
        for code in in_lua:
            run = lua.eval(f"function(t, other) {code} end")
            for name, way in WAYS.items():
                if name == "compiled" and isinstance(expected, SystemExit):
                    continue
                outer = lua.eval(f"function(run, t, other) {way} end")
                check_error(error_of(outer, run, t, other), expected)
            check_error(error_of(in_thread, lambda: run(t, other)), expected)
            check_error(error_of(list, run.coroutine(t, other)), expected)
    check_usable(lua)


@case("a table's metamethod raises: what reads raw is not concerned")
def raw_operations():
    lua = LuaRuntime()
    t = lua.execute("""
        local mt = {}
        for name in ('index newindex call eq lt le concat len unm add gc'):gmatch('%a+') do
            mt['__' .. name] = function() error('in ' .. name, 0) end
        end
        return setmetatable({1, 2, x = 'y'}, mt)
    """)
    assert len(t) == 2 and sorted(map(str, t)) == ["1", "2", "x"]
    assert sorted(map(str, t.values())) == ["1", "2", "y"] and len(list(t.items())) == 3
    assert (bool(t), t != lua.table(), hash(t) == hash(t), "x" in t) == (True,) * 4
    assert "table" in repr(t) and "table" in str(t)
    assert lua.table_from(t).x == "y"
    check_usable(lua)


@case("errors in __gc are printed, and Lua goes on", stderr=r"(ERROR in finalizer: [^\n]*\n?)+")
def gc_raises():
    lua = LuaRuntime()
    make = lua.eval("""function(fail)
        for _ = 1, 50 do getmetatable(newproxy(true)).__gc = fail end
        collectgarbage() collectgarbage()
    end""")
    in_python = lua.eval("python.as_function")(raiser(KeyError("in __gc")))
    make(lua.eval("function() error('in __gc') end"))
    make(lua.eval("function() error(setmetatable({}, {__tostring = error})) end"))
    make(in_python)
    lua.gccollect()
    check_usable(lua)


@case("a SystemExit raised in __gc arrives", new=True, stderr=r"(ERROR in finalizer: [^\n]*\n?)*")
def exit_in_gc():
    lua = LuaRuntime()
    exit = SystemExit(3)
    fail = lua.eval("python.as_function")(raiser(exit))
    code = "getmetatable(newproxy(true)).__gc = ... collectgarbage() collectgarbage()"
    assert error_of(lua.execute, code, fail) is exit
    check_usable(lua)


@case("a __metatable field hides the metatable, from Lua and from nothing else")
def metatable_field():
    lua = LuaRuntime()
    for value in ["'locked'", "false", "{}", "function() error('x') end"]:
        t = lua.eval(
            f"setmetatable({{}}, {{__metatable = {value}, __index = function(t, k) return k end}})"
        )
        assert t.x == "x" and t["y"] == "y"
        assert "protected metatable" in str(error_of(lua.eval, "setmetatable(..., {})", t))
        assert lua.eval("debug.getmetatable(...) ~= nil", t) is True
    assert lua.eval("type(getmetatable(...))", [1]) != "table"
    check_usable(lua)


@case(
    "a __mode that is no mode changes nothing", rows={"number": "5", "text": "'x'", "table": "{}"}
)
def strange_mode(mode):
    lua = LuaRuntime()
    lua.execute(f"t = setmetatable({{}}, {{__mode = {mode}}}); t[1] = {{}}")
    lua.gccollect()
    assert lua.eval("type(t[1])") == "table"
    check_usable(lua)


@case("weak tables with Python objects as keys and values, iterated while they are emptied")
def weak_tables():
    lua = LuaRuntime()
    for mode in ["k", "v", "kv"]:
        weak = lua.eval("setmetatable({}, {__mode = ...})", mode)
        kept = [object() for _ in range(100)]
        for number, item in enumerate(kept):
            weak[item if "k" in mode else number] = item
        items = weak.items()
        next(items)
        kept.clear()
        lua.gccollect()
        lua.gccollect()
        try:
            left = len(list(items))
        except LuaError:
            left = 0
        assert left <= 100
    check_usable(lua)


@case("a metatable that is swapped, emptied or collected while its metamethod runs")
def metatable_swapped():
    lua = LuaRuntime()
    t = lua.execute("""
        local t = {}
        local function swap()
            debug.setmetatable(t, nil)
            collectgarbage()
            debug.setmetatable(t, {__index = function() error('second', 0) end})
            return 'first'
        end
        return setmetatable(t, {__index = swap, __newindex = swap, __tostring = swap, __call = swap})
    """)
    assert t.x == "first"
    assert str(error_of(lambda: t.x)).startswith("second")
    t.y = 5
    assert t.y == 5 and "table" in str(t)
    check_usable(lua)
