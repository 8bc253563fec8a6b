"""What the module itself offers: names, constants, exception classes, lua_type, FastRLock."""

import pickle
import threading

import pytest

import lupa
from lupa import LuaRuntime

PUBLIC_NAMES = [
    "FastRLock",
    "LUA_MAXINTEGER",
    "LUA_MININTEGER",
    "LUA_VERSION",
    "LuaError",
    "LuaMemoryError",
    "LuaRuntime",
    "LuaSyntaxError",
    "as_attrgetter",
    "as_itemgetter",
    "lua_type",
    "unpacks_lua_table",
    "unpacks_lua_table_method",
]


@pytest.mark.parametrize("name", PUBLIC_NAMES)
def test_public_names_are_importable(name):
    assert getattr(lupa, name) is not None


def test_luajit_speaks_lua_51():
    assert lupa.LUA_VERSION == (5, 1)


def test_exception_hierarchy():
    assert lupa.LuaError.__mro__[1:] == (Exception, BaseException, object)
    assert issubclass(lupa.LuaSyntaxError, lupa.LuaError)
    assert issubclass(lupa.LuaMemoryError, lupa.LuaError)
    assert issubclass(lupa.LuaMemoryError, MemoryError)
    assert not issubclass(lupa.LuaSyntaxError, SyntaxError)


@pytest.mark.parametrize("name", ["LuaError", "LuaSyntaxError", "LuaMemoryError", "LuaRuntime"])
def test_classes_live_in_lupa_luajit21(name):
    assert getattr(lupa, name).__module__ == "lupa.luajit21"


def test_errors_can_be_raised_and_pickled_by_python_code():
    error = lupa.LuaError("text", 2)
    assert str(lupa.LuaError("text")) == "text"
    assert error.args == ("text", 2)
    copy = pickle.loads(pickle.dumps(lupa.LuaSyntaxError("text")))
    assert type(copy) is lupa.LuaSyntaxError and copy.args == ("text",)


@pytest.mark.parametrize(
    "code, expected",
    [
        ("{}", "_LuaTable"),
        ("print", "_LuaFunction"),
        ("function() end", "_LuaFunction"),
        ("coroutine.create(function() end)", "_LuaCoroutineFunction"),
        ("io.stdout", "_LuaObject"),
    ],
)
def test_class_names_of_wrappers(lua, code, expected):
    cls = type(lua.eval(code))
    assert cls.__name__ == expected
    assert cls.__module__ == "lupa.luajit21"


def test_class_names_of_threads_and_iterators(lua):
    assert type(lua.eval("function() end").coroutine()).__name__ == "_LuaThread"
    assert type(lua.table().items()).__name__ == "_LuaIter"


def test_wrapper_classes_share_a_base(lua):
    base = type(lua.eval("io.stdout"))
    for code in ["{}", "print", "coroutine.create(function() end)"]:
        assert isinstance(lua.eval(code), base)
    function = type(lua.eval("print"))
    assert issubclass(type(lua.eval("coroutine.create(function() end)")), function)
    assert not isinstance(lua.table(), function)


@pytest.mark.parametrize("code", ["{}", "print", "io.stdout"])
def test_wrapper_classes_cannot_be_instantiated(lua, code):
    with pytest.raises(TypeError, match="Type cannot be instantiated manually"):
        type(lua.eval(code))()


@pytest.mark.parametrize(
    "code, expected",
    [
        ("{}", "table"),
        ("print", "function"),
        ("function() end", "function"),
        ("coroutine.create(function() end)", "function"),
        ("io.stdout", "userdata"),
        ("require('ffi').new('int[3]')", "cdata"),
    ],
)
def test_lua_type_of_wrappers(lua, code, expected):
    assert lupa.lua_type(lua.eval(code)) == expected


def test_lua_type_of_a_coroutine_made_in_python(lua):
    assert lupa.lua_type(lua.eval("function() end").coroutine()) == "thread"


@pytest.mark.parametrize("value", [1, 1.5, "abc", b"abc", None, True, [], {}, len, LuaRuntime])
def test_lua_type_is_none_for_python_values(value):
    assert lupa.lua_type(value) is None


def test_lua_type_is_none_for_values_that_lua_converts(lua):
    assert lupa.lua_type(lua.eval("1")) is None
    assert lupa.lua_type(lua.eval("'abc'")) is None
    assert lupa.lua_type(lua.eval("nil")) is None


def test_lua_type_is_none_for_a_runtime_and_an_iterator(lua):
    assert lupa.lua_type(lua) is None
    assert lupa.lua_type(iter(lua.table())) is None


def test_fast_rlock_is_reentrant():
    lock = lupa.FastRLock()
    assert lock.acquire() is True
    assert lock.acquire(False) is True
    lock.release()
    lock.release()
    with pytest.raises(RuntimeError, match="cannot release un-acquired lock"):
        lock.release()


def test_fast_rlock_is_a_context_manager():
    lock = lupa.FastRLock()
    with lock:
        with lock:
            pass
    with pytest.raises(RuntimeError):
        lock.release()


def test_fast_rlock_excludes_other_threads():
    lock = lupa.FastRLock()
    outcome = []

    def try_it():
        outcome.append(lock.acquire(False))
        try:
            lock.release()
        except RuntimeError:
            outcome.append("not mine")

    with lock:
        thread = threading.Thread(target=try_it)
        thread.start()
        thread.join()
    assert outcome == [False, "not mine"]
    assert lock.acquire(False) is True
    lock.release()


def test_fast_rlock_waits_for_its_turn():
    lock = lupa.FastRLock()
    order = []

    def wait_for_it():
        with lock:
            order.append("second")

    with lock:
        thread = threading.Thread(target=wait_for_it)
        thread.start()
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
