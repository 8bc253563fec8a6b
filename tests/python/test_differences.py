"""Deliberate differences (design, section 5): chunks, memory functions, modules."""

import importlib
import sys
import typing

import pytest

import lupa
from lupa import LuaError, LuaRuntime, LuaSyntaxError

# chunks


def test_mode_t_refuses_bytecode(lua, bytes_lua):
    bytecode = bytes_lua.eval("string.dump(function() return 42 end)")
    for method in [lua.execute, lua.compile]:
        with pytest.raises(LuaSyntaxError):
            method(bytecode, mode="t")
    assert lua.execute(bytecode) == lua.execute(bytecode, mode="b") == 42


# the memory functions


def test_no_limit_is_zero():
    lua = LuaRuntime(max_memory=0)
    assert lua.get_max_memory() == 0 and lua.get_max_memory(total=True) == 0
    lua.set_max_memory(1_000_000)
    lua.set_max_memory(0)
    assert lua.get_max_memory() == 0 and lua.get_max_memory(total=True) == 0


def test_memory_used_is_never_negative():
    lua = LuaRuntime(max_memory=1_000_000)
    lua.gccollect()
    assert 0 <= lua.get_memory_used() < 1_000_000
    assert 10_000 < lua.get_memory_used(total=True) < 1_000_000


def test_memory_used_is_exact():
    lua = LuaRuntime(max_memory=0)
    count = lua.eval("function() return collectgarbage('count') * 1024 end")
    count()
    # Calling it again makes nothing new.
    assert lua.get_memory_used(total=True) == count() == lua.get_memory_used(total=True)


# modules


@pytest.mark.parametrize("name", ["luajit21", "lua51"])
def test_one_implementation_under_each_name(name):
    module = importlib.import_module(f"lupa.{name}")
    assert getattr(lupa, name) is module
    for attribute in [
        "LuaRuntime",
        "LuaError",
        "LuaSyntaxError",
        "LuaMemoryError",
        "lua_type",
        "as_attrgetter",
    ]:
        assert getattr(module, attribute) is getattr(lupa, attribute)


@pytest.mark.parametrize("name", ["lua52", "lua53", "lua54", "lua55"])
def test_other_languages_are_refused(name):
    sys.modules.pop(f"lupa.{name}", None)
    with pytest.raises(ImportError, match="LuaJIT|5\\.1"):
        importlib.import_module(f"lupa.{name}")
    with pytest.raises(ImportError):
        exec(f"from lupa import {name}")


def test_the_version():
    assert lupa.__version__.split(".")[0] == "2"
    assert tuple(map(int, lupa.__version__.split(".")[:2])) >= (2, 9)


def test_allow_lua_module_loading():
    with lupa.allow_lua_module_loading():
        from lupa import lua51
    assert lua51.LuaRuntime().eval("1") == 1
    with pytest.raises(ValueError, match="through"), lupa.allow_lua_module_loading():
        raise ValueError("through")
    assert typing.get_type_hints(lupa.allow_lua_module_loading)


def test_names_of_the_package(output_of):
    assert output_of("""
        import lupa, sys
        print({"lua51", "luajit21", "LuaRuntime"} - set(dir(lupa)), "lupa.lua51" in sys.modules)
    """) == ["set() False"]


@pytest.mark.parametrize(
    "module, more", [("lupa", []), ("lupa.luajit21", ["lupa._helpers", "lupa.luajit21"])]
)
def test_importing_the_package_imports_no_more_than_it_must(output_of, module, more):
    assert output_of(f"""
        import {module}, sys
        print(*sorted(name for name in sys.modules if name.startswith("lupa")))
    """) == [" ".join(sorted(["lupa", "lupa._global_symbols", "lupa._lupa", *more]))]


def test_what_waits_to_be_imported_is_there_at_once(output_of):
    assert output_of("""
        import lupa
        names = ["FastRLock", "unpacks_lua_table", "unpacks_lua_table_method"]
        print(set(names) - set(dir(lupa)), set(names) & set(vars(lupa)))
        first = [getattr(lupa, name) for name in names]
        print([vars(lupa)[name] for name in names] == first)
        from lupa._helpers import FastRLock, unpacks_lua_table, unpacks_lua_table_method
        print(first == [FastRLock, unpacks_lua_table, unpacks_lua_table_method])
        from lupa import luajit21
        print([vars(luajit21)[name] for name in names] == first)
    """) == ["set() set()", "True", "True", "True"]


def test_attributes_of_the_modules_are_looked_up_quickly():
    """Breaks if they have what keeps CPython from specialising look-ups."""
    from lupa import lua51, luajit21

    assert not {"__getattr__", "__getattribute__"} & {*vars(lua51), *vars(luajit21)}


@pytest.mark.parametrize("module", ["lupa", "lupa.luajit21", "lupa.lua51"])
def test_all_public_names_are_there(module):
    names = {}
    exec(f"from {module} import *", names)
    module = importlib.import_module(module)
    assert set(module.__all__) == names.keys() - {"__builtins__"}
    assert all(getattr(module, name) is names[name] for name in module.__all__)


@pytest.mark.parametrize("name", ["nothing", "_nothing", "lua99"])
@pytest.mark.parametrize("module", ["lupa", "lupa.luajit21"])
def test_other_names_are_not_there(module, name):
    module = importlib.import_module(module)
    with pytest.raises(
        AttributeError, match=f"module '{module.__name__}' has no attribute '{name}'"
    ):
        getattr(module, name)


@pytest.mark.parametrize("code", ["{}", "print", "coroutine.create(function() end)", "io.stdout"])
def test_wrapper_classes_are_names_of_the_module(lua, code):
    cls = type(lua.eval(code))
    assert getattr(importlib.import_module("lupa.luajit21"), cls.__name__) is cls
    assert getattr(lupa, cls.__name__) is cls


def test_new_exceptions():
    assert issubclass(lupa.LuaTimeoutError, LuaError) and issubclass(
        lupa.LuaTimeoutError, TimeoutError
    )
    assert issubclass(lupa.LuaInterruptedError, LuaError)
