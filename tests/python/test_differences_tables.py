"""Deliberate differences (design, section 5): what ends PyPI's process ends in an exception here: tables."""

import pytest


def test_newindex_that_errors(outcome_of):
    lines = outcome_of("""
        table = lua.eval("setmetatable({}, {__newindex = function(t, k) error('read-only ' .. tostring(k), 0) end})")
        print(error_of(setattr, table, "x", 1))
        print(error_of(table.__setitem__, 5, 1))
        print(error_of(delattr, table, "y"))
        print(error_of(table.__delitem__, "z"))
    """)
    assert lines == [f"LuaError: read-only {key}" for key in ["x", 5, "y", "z"]]


def test_newindex_that_raises_a_python_exception(outcome_of):
    assert outcome_of("""
        def fail(table, key, value):
            raise KeyError(key)

        table = lua.eval("setmetatable({}, {__newindex = python.as_function(...)})", fail)
        print(error_of(table.__setitem__, "x", 1))
    """) == ["KeyError: 'x'"]


def test_nan_as_a_key(outcome_of):
    lines = outcome_of("""
        nan = float("nan")
        print(error_of(lua.table().__setitem__, nan, 1))
        print(error_of(lua.table_from, {nan: 1}))
        print(error_of(lua.table_from, [{nan: 1}]))
        print(lua.table()[nan], nan in lua.table(1))
    """)
    assert lines[0].startswith("LuaError: ") and "NaN" in lines[0]
    assert lines[1].startswith("LuaError: ") and "NaN" in lines[1]
    assert lines[2:] == ["no error", "None False"]


def test_a_table_that_changes_while_it_is_iterated(outcome_of):
    lines = outcome_of("""
        for method in ["keys", "values", "items"]:
            table = lua.table_from({f"key{n}": n for n in range(100)})
            iterator = getattr(table, method)()
            next(iterator)
            for n in range(100):
                table[f"key{n}"] = None
            for n in range(10_000):
                table[f"new{n}"] = n
            lua.gccollect()
            try:
                for _ in iterator:
                    pass
                print("ended")
            except LuaError:
                print("LuaError")
    """)
    assert len(lines) == 3 and set(lines) <= {"ended", "LuaError"}


def test_a_source_that_changes_while_it_is_copied(outcome_of):
    lines = outcome_of("""
        table = lua.table_from({f"key{n}": n for n in range(100)})
        for n in range(100):
            table[n] = [n]

        class Sneaky:
            def __iter__(self):
                for n in range(1000):
                    table[f"key{n}"] = None
                    table[f"more{n}"] = n
                    yield n

        print(len(lua.table_from(Sneaky(), table, Sneaky())) >= 1000)
    """)
    assert lines == ["True"]


def test_a_strict_global_table(outcome_of):
    lines = outcome_of("""
        lua.execute('''
            known = 1
            setmetatable(_G, {
                __index = function(_, name) error("undeclared " .. tostring(name), 0) end,
                __newindex = function(_, name) error("undeclared " .. tostring(name), 0) end,
            })
        ''')
        print(lua.globals().known, lua.eval("known"))
        print(error_of(lambda: lua.globals().nothing))
        print(error_of(setattr, lua.globals(), "nothing", 1))
        print(error_of(lua.execute, "local x = nothing"))
        print(error_of(lua.execute, "error('still works', 0)"))
        print(lua.require("string").upper("fine"))
    """)
    assert lines == [
        "1 1",
        "LuaError: undeclared nothing",
        "LuaError: undeclared nothing",
        "LuaError: undeclared nothing",
        "LuaError: still works",
        "FINE",
    ]


@pytest.mark.parametrize(
    "damage",
    [
        "debug = nil",
        "debug.traceback = nil",
        "debug = 5",
        "debug.traceback = function() error('broken') end",
        "debug = setmetatable({}, {__index = function() error('broken') end})",
        "local g = _G for name in pairs(g) do g[name] = nil end",
        "setmetatable(_G, {__index = function() error('broken') end}) debug = nil",
        "for name in pairs(package.loaded) do package.loaded[name] = nil end",
        "local r = debug.getregistry() for name in pairs(r) do if type(name) == 'string' then r[name] = nil end end",
        "pcall, xpcall, error, next, pairs, tostring, type, rawget, rawset, setmetatable, getmetatable = nil",
        "getmetatable('').__index = nil",
        "coroutine = nil",
    ],
)
def test_whatever_lua_code_deletes(outcome_of, damage):
    lines = outcome_of(f"""
        function = lua.eval("function(f) return f() end")
        table = lua.eval("setmetatable({{}}, {{__index = function(t, k) return k end}})")
        coroutine = lua.eval("function() return 1 end")
        lua.execute({damage!r})
        print(function(lambda: 5), table.x, list(lua.table(1, 2)), len(lua.table(1, 2)))
        print(list(coroutine.coroutine()))
        print(error_of(lua.eval, "nil + 1"))
        print(error_of(function, lambda: 1 / 0))
        print(lua.eval("(...)[0]", [7]), str(lua.table())[:10])
        try:
            lua.execute("local x = nil + 1")
        except LuaError as error:
            print("stack traceback:" in str(error))
    """)
    assert lines == [
        "5 x [1, 2] 2",
        "[1]",
        'LuaError: [string "<python>"]:1: attempt to perform arithmetic on a nil value',
        "ZeroDivisionError: division by zero",
        "7 <Lua table",
        "True",
    ]
