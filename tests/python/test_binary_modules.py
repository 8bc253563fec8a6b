"""Binary Lua modules: one built here from C, and Debian's lua-cjson and lua-posix."""

import os
import pathlib
import shlex
import subprocess

import pytest

import lupa
from lupa import LuaError, LuaRuntime

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
SOURCE = HERE / "cmodule" / "lupatest.c"


def find_headers():
    """The directory of lua.h: LUPA_LUA_INCLUDE, or what the newest build of luajit-sys left."""
    if os.environ.get("LUPA_LUA_INCLUDE"):
        return pathlib.Path(os.environ["LUPA_LUA_INCLUDE"])
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
    found = [path.parent for path in target.glob("**/out/include/lua.h")]
    if not found:
        pytest.fail(f"no lua.h under {target}: build luajit-sys first, or set LUPA_LUA_INCLUDE")
    return max(found, key=lambda directory: (directory / "lua.h").stat().st_mtime)


@pytest.fixture(scope="session")
def module_directory(tmp_path_factory):
    directory = tmp_path_factory.mktemp("cmodule")
    command = [
        *shlex.split(os.environ.get("CC", "cc")),
        "-shared",
        "-fPIC",
        # Cleanups of C code run when it is unwound, as those of C++ do.
        "-fexceptions",
        "-O1",
        "-Wall",
        "-Werror",
        f"-I{find_headers()}",
        str(SOURCE),
        "-o",
        str(directory / "lupatest.so"),
    ]
    if os.uname().sysname == "Darwin":
        command += ["-undefined", "dynamic_lookup"]
    subprocess.run(command, check=True)
    return directory


@pytest.fixture
def lua(module_directory):
    lua = LuaRuntime()
    lua.globals().package.cpath = str(module_directory / "?.so")
    lua.execute("lupatest = require('lupatest')")
    return lua


@pytest.fixture
def module(lua):
    return lua.require("lupatest")


def test_require_loads_the_module(lua, module):
    assert lupa.lua_type(module) == "table"
    assert lupa.lua_type(module.call) == "function"
    assert lua.eval("... == lupatest", module) is True


def test_it_can_be_loaded_into_many_runtimes(module_directory):
    for number in range(5):
        lua = LuaRuntime()
        lua.globals().package.cpath = str(module_directory / "?.so")
        assert lua.require("lupatest").adder(number)(1) == number + 1


def test_errors_unwind_the_frames_of_hooks(lua, module):
    """Breaks if the linker gives the two functions that tell states with such hooks from others one address."""
    result = lua.execute(
        "jit.off() return pcall(function() lupatest.set_hook() local i = 1 return i end)"
    )
    assert result == (False, "raised by a hook")
    assert module.cleaned() == 1


def test_a_missing_module(lua):
    with pytest.raises(LuaError, match="module 'lupatest2' not found"):
        lua.require("lupatest2")


def test_a_file_that_is_no_module(module_directory, lua):
    (module_directory / "broken.so").write_bytes(b"no library")
    with pytest.raises(LuaError, match="error loading module 'broken' from file"):
        lua.require("broken")


def test_it_calls_lua_functions(lua, module):
    assert lua.eval(
        "lupatest.call(function(...) return select('#', ...), ... end, 1, nil, 'c')"
    ) == (3, 1, None, "c")
    assert module.call(lua.eval("math.max"), 1, 5, 3) == 5


def test_it_calls_python_functions(module):
    assert module.call(lambda *args: args, 1, None, "c") == (1, None, "c")
    assert module.call(len, "abc") == 3


def test_python_exceptions_pass_through_it(module):
    error = KeyError("k")

    def fail():
        raise error

    with pytest.raises(KeyError) as info:
        module.call(fail)
    assert info.value is error


def test_it_catches_errors(lua, module):
    def fail():
        raise KeyError("k")

    assert module.pcall(lua.eval("function() return 'fine', 2 end")) == (0, "fine", 2)
    assert module.pcall(lua.eval("error"), "text") == (2, "text")
    status, error = module.pcall(fail)
    assert status == 2 and isinstance(error, KeyError)


def test_its_errors_arrive(lua, module):
    with pytest.raises(LuaError) as info:
        lua.execute("lupatest.fail('own text')")
    assert str(info.value).startswith(
        '[string "<python>"]:1: failed: own text\nstack traceback:\n\t'
    )
    with pytest.raises(LuaError, match="^text"):
        module.throw("text")
    assert lua.eval("select(2, pcall(lupatest.throw, {code = 5})).code") == 5


def test_its_argument_checks_arrive(lua):
    with pytest.raises(
        LuaError, match=r"bad argument #1 to 'fail' \(string expected, got no value\)"
    ):
        lua.execute("lupatest.fail()")
    with pytest.raises(
        LuaError, match=r"bad argument #1 to 'each' \(table expected, got userdata\)"
    ):
        lua.execute("lupatest.each(...)", [])


def test_it_iterates_over_tables(lua, module):
    seen = {}
    assert module.each(lua.table(10, 20, a="x"), seen.__setitem__) == 3
    assert seen == {1: 10, 2: 20, "a": "x"}


def test_it_holds_references_in_the_registry(lua, module):
    table, thing = lua.table(1), object()
    references = [module.keep(value) for value in [table, thing, print, "text", 1.5]]
    assert len(set(references)) == 5
    lua.gccollect()
    assert module.kept(references[0])[1] == 1
    assert module.kept(references[1]) is thing
    assert module.kept(references[2]) is print
    assert (module.kept(references[3]), module.kept(references[4])) == ("text", 1.5)
    for reference in references:
        module.release(reference)


def test_its_references_and_ours_do_not_mix(lua, module):
    held = []
    for number in range(300):
        table = lua.table(number)
        held.append((module.keep(table), table if number % 3 else None))
        del table
        if number % 7 == 0:
            lua.gccollect()
    for number, (reference, table) in enumerate(held):
        assert module.kept(reference)[1] == number
        assert table is None or table[1] == number
        module.release(reference)


def test_closures(module):
    add_five = module.adder(5)
    assert add_five(1) == 6
    assert list(map(add_five, [1, 2])) == [6, 7]


def test_userdata(lua, module):
    counter = module.counter(5)
    assert lupa.lua_type(counter) == "userdata"
    assert counter.value(counter) == 5
    assert counter["add"](counter, 3).value(counter) == 8
    assert str(counter) == "counter at 8"
    assert repr(counter).startswith("<Lua userdata at 0x")
    assert lua.eval("(...):add(2):value()", counter) == 10
    assert counter.nosuch is None


def test_userdata_of_python_is_not_its_own(lua, module):
    counter = module.counter()
    with pytest.raises(
        LuaError, match=r"bad argument #1 to .* \(lupatest.counter expected, got userdata\)"
    ):
        counter.value(object())
    with pytest.raises(LuaError, match="not a python object"):
        lua.execute("local x = python.iter(...)", counter)


def test_destructors_run(lua, module):
    before = module.collected()
    counters = [module.counter(number) for number in range(10)]
    lua.gccollect()
    assert module.collected() == before
    counters.clear()
    for _ in range(3):
        lua.gccollect()
    assert module.collected() == before + 10


def test_it_yields(lua):
    coroutine = lua.eval(
        "function() local x = lupatest.yield(1, 2) lupatest.yield(x) return 'end' end"
    ).coroutine()
    assert next(coroutine) == (1, 2)
    assert coroutine.send("sent") == "sent"
    assert list(coroutine) == ["end"]


# Debian's modules: tested where they are installed, and demanded with LUPA_DEBIAN_MODULES=1.

DEBIAN = pathlib.Path(os.environ.get("LUPA_DEBIAN_ROOT", "/"))
DEBIAN_CPATH = [
    *DEBIAN.glob("usr/lib/*/lua/5.1"),
    DEBIAN / "usr/lib/lua/5.1",
    DEBIAN / "usr/local/lib/lua/5.1",
]
DEBIAN_PATH = DEBIAN / "usr/share/lua/5.1"
DEMANDED = os.environ.get("LUPA_DEBIAN_MODULES") == "1"


def installed(name):
    files = [directory / f"{name}.so" for directory in DEBIAN_CPATH]
    return any(
        file.exists()
        for file in [*files, DEBIAN_PATH / name / "init.lua", DEBIAN_PATH / f"{name}.lua"]
    )


def debian_runtime():
    lua = LuaRuntime()
    package = lua.globals().package
    package.cpath = ";".join(f"{directory}/?.so" for directory in DEBIAN_CPATH)
    package.path = f"{DEBIAN_PATH}/?.lua;{DEBIAN_PATH}/?/init.lua"
    return lua


if DEMANDED or installed("cjson"):

    def test_debian_cjson():
        cjson = debian_runtime().require("cjson")
        assert cjson.decode('{"a": [1, 2.5, "x"]}').a[2] == 2.5
        assert list(cjson.decode("[1, 2, 3]").values()) == [1, 2, 3]
        assert cjson.encode(cjson.decode("[1,2,3]")) == "[1,2,3]"

    def test_debian_cjson_reports_errors():
        lua = debian_runtime()
        cjson = lua.require("cjson")
        with pytest.raises(LuaError, match="Expected value but found invalid token at character 1"):
            cjson.decode("nonsense")
        with pytest.raises(LuaError, match="Cannot serialise"):
            cjson.encode(print)
        assert lua.eval("require('cjson').encode({...})", "text") == '["text"]'


if DEMANDED or installed("posix"):

    def test_debian_posix():
        lua = debian_runtime()
        unistd = lua.require("posix.unistd")
        assert unistd.getpid() == os.getpid()
        assert lua.require("posix.stdlib").getenv("PATH") == os.environ["PATH"]

    def test_debian_posix_reports_errors(tmp_path):
        lua = debian_runtime()
        missing = str(tmp_path / "missing")
        result = lua.require("posix.sys.stat").stat(missing)
        assert result[0] is None and result[1].startswith(missing)
