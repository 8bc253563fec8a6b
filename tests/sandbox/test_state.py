"""What the program shares stays as it is: modules, classes, functions, exceptions, settings."""

import math
import sys
import types

import pytest

from lupa import LuaRuntime


def a_module():
    module = types.ModuleType("shared")
    module.limit = 10
    return module


def a_class():
    return type("Shared", (), {"limit": 10})


def a_function():
    def shared():
        pass

    shared.limit = 10
    return shared


def an_exception():
    error = ValueError("a", "b")
    error.limit = 10
    return error


@pytest.mark.parametrize("make", [a_module, a_class, a_function, an_exception])
@pytest.mark.parametrize(
    "change",
    [
        "(...).limit = 1000",
        "(...)['limit'] = 1000",
        "python.as_attrgetter(...).limit = 1000",
        "setmetatable({}, { __newindex = ... }).limit = 1000",
        "(...).limit = nil",
        "(...).other = function() return 'evil' end",
    ],
)
def test_what_is_shared_cannot_be_changed(fails, make, change):
    shared = []

    def victim(lua):
        shared.append(make())
        return shared[-1:]

    fails(change + " return true", victim)
    assert shared[1].limit == 10 and not hasattr(shared[1], "other")


def test_a_real_module_and_class(sandbox, attempt):
    class Door:
        def is_open(self):
            return False

    assert not attempt(sandbox, "(...).sin = print return true", math)
    assert not attempt(sandbox, "(...).is_open = function() return true end return true", Door)
    assert math.sin(0) == 0 and not Door().is_open()
    assert sandbox.eval("(...).sin(0), (...).pi", math) == (0, math.pi)


EXCEPTIONS = {
    "message": "local e = ... e.args = python.args{'evil'} return true",
    "note": "(...).add_note('evil') return true",
    "traceback": "(...).with_traceback(nil) return true",
}


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_exceptions_cannot_be_rewritten(sandbox, attempt, name):
    def fail():
        raise ValueError("of the host")

    attack = "local _, error_ = pcall(...) pcall(function(...) %s end, error_) error(error_)"
    with pytest.raises(ValueError, match="^of the host$") as caught:
        sandbox.execute(attack % EXCEPTIONS[name], fail)
    assert caught.value.args == ("of the host",)
    assert caught.traceback[-1].name == "fail"
    assert not hasattr(caught.value, "__notes__")


# A UnicodeDecodeError does not check its positions on all Pythons: its text shows memory.
DECODE_ERROR = """
    local _, e = pcall(function() return python.none["\\255"] end)
    e.start = -64
    e["end"] = -63
    return e.start == -64 and tostring(e)
"""


def test_memory_cannot_be_read_by_an_exception(fails):
    # It is not printed where nothing protects: reading there is up to luck.
    fails(DECODE_ERROR.replace("and tostring(e)", ""))
    lua = LuaRuntime(sandbox=True)
    with pytest.raises(AttributeError, match="attributes of a UnicodeDecodeError cannot be set"):
        lua.execute(DECODE_ERROR)
    assert lua.eval("1 + 1") == 2


def test_the_overflow_handler_is_the_hosts(sandbox, attempt):
    assert not attempt(sandbox, "python.set_overflow_handler(function() return 7 end) return true")
    with pytest.raises(OverflowError):
        sandbox.eval("...", 2**70)
    sandbox.set_overflow_handler(lambda number: -1)
    assert not attempt(sandbox, "python.set_overflow_handler(nil) return true")
    assert sandbox.eval("...", 2**70) == -1
    sandbox.set_overflow_handler(None)


def test_the_collector_runs_on(sandbox, attempt):
    class Thing:
        alive = 0

        def __init__(self):
            Thing.alive += 1

        def __del__(self):
            Thing.alive -= 1

    assert not attempt(sandbox, "return collectgarbage('stop') == 0")
    assert sandbox.eval("collectgarbage('count')") > 0
    sandbox.execute("for i = 1, 20000 do local t = { (...)() } end", Thing)
    assert Thing.alive < 20000
    with sandbox.nogc():
        assert not attempt(sandbox, "return collectgarbage('restart') == 0")


def test_a_module_of_the_program_is_not_in_reach_by_another(sandbox, attempt):
    outer = types.ModuleType("outer")
    outer.inner, outer.answer = types.ModuleType("inner"), 42
    assert not attempt(sandbox, "return (...).inner", outer)
    assert sandbox.eval("(...).answer", outer) == 42
    # An object that has a module was given it for that.
    assert sandbox.eval("(...).math.floor(1.5)", types.SimpleNamespace(math=math)) == 1
    assert sandbox.eval("(...).math.floor(1.5)", {"math": math}) == 1


def test_objects_can_be_changed(sandbox):
    thing = types.SimpleNamespace(colour="red")
    sandbox.execute("(...).colour = 'blue'", thing)
    assert thing.colour == "blue"


def test_modules_are_as_they_were_in_the_end(sandbox, attempt):
    before = {name: dict(vars(sys.modules[name])) for name in ["math", "json", "types", "lupa"]}
    for name in before:
        module = sys.modules[name]
        for member in list(vars(module)):
            attempt(sandbox, f"(...)['{member}'] = 1", module)
    assert before == {name: dict(vars(sys.modules[name])) for name in before}
