"""What code that shares a runtime finds: environments, metatables, libraries as they were."""

import pytest

from lupa import LuaError, LuaRuntime


def trusted(lua):
    """A Lua function of the host's, with an environment of its own."""
    make = lua.execute("""
        local tostring = tostring
        local secrets = { password = "4711", tostring = tostring }
        return load("local callback = ... callback() return tostring(password)", "trusted", "t", secrets)
    """)
    return (make,)


ENVIRONMENTS = {
    "of a function": "return getfenv(...).password",
    "of the caller": """
        local stolen
        (...)(function() stolen = getfenv(2).password end)
        return stolen""",
    "of a thread": "return getfenv(0)",
    "of the code": "local own = getfenv() return own",
    "of the code, level 1": "local own = getfenv(1) return own",
    "of a library function": "return getfenv(print)",
    "of a host function": "return getfenv(python.iter)",
    "of a coroutine": "return coroutine.wrap(function() return getfenv(0) end)()",
    "set a function's": """
        return setfenv(..., { tostring = function() return 'evil' end })(function() end) == 'evil'""",
    "set the caller's": """
        return (...)(function()
            setfenv(2, { tostring = function() return 'evil' end })
        end) == 'evil'""",
    "set the thread's": "setfenv(0, { evil = true }) return true",
    "set the code's": "setfenv(1, { evil = true }) return evil",
}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_environments(fails, name):
    fails(ENVIRONMENTS[name], trusted)


EVIL = "local function evil() return 'evil' end "
CHANGES = {
    "library function": "string.upper = evil return string.upper('x') == 'evil'",
    "method of strings": "string.upper = evil return ('x'):upper() == 'evil'",
    "new method of strings": "string.evil = evil return ('x'):evil() == 'evil'",
    "removed function": "table.insert = nil return table.insert == nil",
    "rawset on a library": "rawset(math, 'floor', evil) return math.floor(1) == 'evil'",
    "rawset in a coroutine": """
        coroutine.wrap(rawset)(math, 'floor', evil) return math.floor(1) == 'evil'""",
    "emptied library": "for name in pairs(table) do table[name] = nil end return table.insert == nil",
    "metatable on a library": """
        setmetatable(math, { __index = evil }) return math.unknown == 'evil'""",
    "index of strings": "getmetatable('').__index = evil return ('x').y == 'evil'",
    "methods by the metatable": "getmetatable('').__index.upper = evil return ('x'):upper() == 'evil'",
    "operator of strings": "getmetatable('').__sub = evil return 'x' - 'y' == 'evil'",
    "call of strings": "getmetatable('').__call = evil return ('x')() == 'evil'",
    "raw metatable of strings": "rawset(getmetatable(''), '__index', evil) return ('x').y == 'evil'",
    "the python module": "python.iter = evil return python.iter() == 'evil'",
    "the python module, raw": "rawset(python, 'iter', evil) return python.iter() == 'evil'",
    "a new member of python": "python.eval = evil return python.eval() == 'evil'",
    "time": "os.time = evil return os.time() == 'evil'",
    "coroutine": "coroutine.wrap = evil return coroutine.wrap() == 'evil'",
    "table of tables": "setmetatable(_G._G.table, nil) table.sort = evil return table.sort() == 'evil'",
    "__index of a view": "(getmetatable(bit) or {}).__index = evil bit.y = evil return bit.y() == 'evil'",
}


@pytest.mark.parametrize("name", CHANGES)
def test_changes_of_what_others_use(fails, name):
    fails(EVIL + CHANGES[name])


LOCKED = {
    "strings": "('x')",
    "a library": "string",
    "the python module": "python",
    "a python object": "python.none",
    "a python function": "python.as_attrgetter((...)).append",
    "an iterator": "select(2, python.iter(...))",
    "arguments": "python.args{}",
    "an exception": "select(2, pcall(python.iter, python.none))",
}


@pytest.mark.parametrize("name", LOCKED)
def test_metatables_cannot_be_had(sandbox, name):
    value = LOCKED[name]
    assert sandbox.eval(f"getmetatable({value})", [1]) is False
    for change in [
        f"setmetatable({value}, {{}})",
        f"setmetatable({value}, nil)",
        f"getmetatable({value}).__gc = print",
        f"rawset({value}, 'x', 1)",
    ]:
        assert sandbox.eval("pcall(load(...))", "local unused = ... " + change)[0] is False
    # Python objects are no tables to `next` and `rawget`.
    assert sandbox.eval("pcall(next, python.none)")[0] is False
    assert sandbox.eval("pcall(rawget, python.none, '__gc')")[0] is False


def test_table_insert_reaches_no_name_of_a_library(sandbox):
    sandbox.execute("pcall(table.insert, string, 1, 'evil') pcall(table.sort, math)")
    sandbox.execute("pcall(table.remove, string) pcall(table.concat, math)")
    assert sandbox.eval("string.upper('x') .. math.floor(1.5)") == "X1"


def test_globals_are_the_scripts_own(sandbox):
    # They may be replaced: Python's side relies on none of them.
    sandbox.execute("""
        saved = {}
        for name, value in pairs(_G) do saved[name] = value end
        for name in pairs(saved.saved) do
            if name ~= "_G" and name ~= "saved" then _G[name] = nil end
        end
        saved.setmetatable(_G, { __index = function() return function() return "evil" end end })
    """)
    assert sandbox.globals().anything() == "evil"
    table = sandbox.table(1, 2, x=3)
    assert list(table.items()) == [(1, 1), (2, 2), ("x", 3)] and len(table) == 2
    assert str(sandbox.eval("1 + 1")) == "2"
    assert sandbox.eval("(...)(4)", lambda x: x + 1) == 5
    sandbox.execute("saved.setmetatable(_G, nil) for k, v in saved.pairs(saved) do _G[k] = v end")


def test_finalizers_are_not_run(sandbox):
    runs = []
    sandbox.execute("for i = 1, 100 do setmetatable({}, { __gc = ... }) end", runs.append)
    sandbox.gccollect()
    sandbox.execute("collectgarbage() collectgarbage('step', 1000)")
    assert runs == []


def test_other_runtimes_stay_apart(sandbox):
    other = LuaRuntime()
    things = [other.globals(), other.eval("function() end"), other.eval("coroutine.create(print)")]
    for thing in things:
        for route in [
            lambda thing=thing: sandbox.execute("return (...)", thing),
            lambda thing=thing: sandbox.globals().__setitem__("x", thing),
            lambda thing=thing: sandbox.execute("return (...)()", lambda: thing),
            lambda thing=thing: sandbox.execute("return (...)[0]", [thing]),
            lambda thing=thing: sandbox.execute(
                "for x in python.iter(...) do return x end", [thing]
            ),
        ]:
            with pytest.raises(LuaError, match="cannot mix objects from different Lua runtimes"):
                route()
