"""Deliberate differences (design, section 5): what ends PyPI's process ends in an exception here: forged objects, finalizers."""

import pytest


@pytest.mark.parametrize(
    "forge",
    [
        "debug.setmetatable(newproxy(), debug.getmetatable(...))",
        "debug.setmetatable(io.tmpfile(), debug.getmetatable(...))",
        "debug.setmetatable({}, debug.getmetatable(...))",
        "debug.setmetatable(require('ffi').new('int[4]'), debug.getmetatable(...)) and newproxy()",
    ],
)
def test_forged_python_objects(outcome_of, forge):
    lines = outcome_of(f"""
        lua.execute("forged = " + {forge!r}, [1])
        codes = ["forged()", "forged.x", "forged[0]", "python.iter(forged)", "python.as_attrgetter(forged)",
                 "tostring(forged) + 1", "#forged + {{}}", "forged + 1", "python.enumerate(forged)"]
        for code in codes:
            assert error_of(lua.eval, code) != "no error", code
        error_of(lua.eval, "(...)(forged)", lambda x: repr(x))
        lua.execute("forged = nil")
        lua.gccollect()
        print("survived")
    """)
    assert lines == ["survived"]


def test_finalizers_called_by_hand(outcome_of):
    lines = outcome_of("""
        thing = [1, 2]
        lua.globals().thing = thing
        lua.execute('''
            local mt = debug.getmetatable(thing)
            for i = 1, 3 do
                if mt.__gc then pcall(mt.__gc, thing) pcall(mt.__gc, newproxy()) pcall(mt.__gc) pcall(mt.__gc, {}) end
            end
        ''')
        lua.gccollect()
        error_of(lua.eval, "thing[0]")
        print(thing)
    """)
    assert lines == ["[1, 2]"]


def test_errors_in_finalizers(outcome_of):
    lines = outcome_of("""
        def fail(*args):
            raise KeyError("in __gc")

        lua.execute("local p = newproxy(true); getmetatable(p).__gc = python.as_function(...)", fail)
        lua.execute("local p = newproxy(true); getmetatable(p).__gc = function() error('in __gc') end")
        lua.gccollect()
        lua.gccollect()
        print("survived")
    """)
    assert lines == ["survived"]


def test_finalizers_of_python_that_use_the_runtime(outcome_of):
    lines = outcome_of("""
        seen = []

        class Thing:
            def __del__(self):
                seen.append(lua.eval("1 + 1"))

        for _ in range(100):
            lua.eval("type(...)", Thing())
        for _ in range(3):
            lua.gccollect()
            gc.collect()
        print(len(seen), set(seen))
    """)
    assert lines == ["100 {2}"]


def test_recursion_without_end(outcome_of):
    lines = outcome_of("""
        sys.setrecursionlimit(100_000)

        def again(*args):
            return lua.eval("(...)()", again)

        print(error_of(again) != "no error")
        table = lua.eval("setmetatable({}, {__index = python.as_function(...)})", lambda t, k: t[k])
        print(error_of(lambda: table.x) != "no error")
    """)
    assert lines == ["True", "True"]
