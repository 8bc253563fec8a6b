"""The package around the extension: its version, its modules, and what they say about other Luas."""

import importlib.metadata
import subprocess
import sys

import pytest

import lupa


def test_version_is_the_one_of_the_distribution():
    assert lupa.__version__ == importlib.metadata.version("lupa")
    assert lupa.__version__ == __import__("lupa.version").version.__version__


def test_everything_in_all_is_there():
    for module in (lupa, lupa.luajit21, lupa.lua51):
        for name in module.__all__:
            assert hasattr(module, name), (module, name)


def test_modules_are_one_implementation():
    assert set(lupa.__all__) == {*lupa.luajit21.__all__, "__version__", "allow_lua_module_loading"}
    for name in lupa.luajit21.__all__:
        assert getattr(lupa, name) is getattr(lupa.luajit21, name) is getattr(lupa.lua51, name), (
            name
        )
    for name in (
        "_LuaTable",
        "_LuaFunction",
        "_LuaThread",
        "_LuaObject",
        "_LuaIter",
        "_LuaCoroutineFunction",
    ):
        assert getattr(lupa, name) is getattr(lupa.luajit21, name) is getattr(lupa.lua51, name)
        assert getattr(lupa, name) is getattr(lupa, name[1:])


@pytest.mark.parametrize("name", ["lua52", "lua53", "lua54", "lua55", "luajit20"])
@pytest.mark.parametrize(
    "statement", ["from lupa import {}", "import lupa.{}", "from lupa.{} import LuaRuntime"]
)
def test_other_luas_say_why_they_are_not_there(name, statement):
    with pytest.raises(
        ImportError, match=rf"^lupa\.{name} is not available: .* Import lupa itself, "
    ) as info:
        exec(statement.format(name), {})
    assert info.value.name == f"lupa.{name}"


def test_names_that_do_not_exist():
    with pytest.raises(ImportError, match="cannot import name 'lua56'"):
        exec("from lupa import lua56", {})
    with pytest.raises(AttributeError):
        _ = lupa.lua54


def test_loading_context_works_before_the_first_import():
    code = "import lupa\nwith lupa.allow_lua_module_loading():\n from lupa import lua51\nprint(lua51.LuaRuntime().eval('1+1'))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60
    )
    assert (result.stdout, result.stderr) == ("2\n", "")


def test_classes_show_where_programs_find_them():
    for name in ("FastRLock", "LuaError", "LuaRuntime", "_LuaTable", "unpacks_lua_table"):
        assert getattr(lupa, name).__module__ == "lupa.luajit21"
