"""Making runtimes: constructor arguments and their validation, separateness, globals, require, subclasses."""

import pytest

import lupa
from lupa import LuaError, LuaRuntime


def return_name(obj, name, is_setting=False):
    return name


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"encoding": "utf-8"},
        {"encoding": b"latin1"},
        {"encoding": bytearray(b"latin1")},
        {"encoding": None},
        {"source_encoding": "latin1"},
        {"attribute_filter": return_name},
        {"attribute_handlers": (getattr, setattr)},
        {"attribute_handlers": [getattr, None]},
        {"attribute_handlers": (None, setattr)},
        {"attribute_handlers": (None, None), "attribute_filter": return_name},
        {"attribute_handlers": ()},
        {"attribute_handlers": None},
        {"register_eval": False},
        {"register_eval": "any true value"},
        {"unpack_returned_tuples": True},
        {"register_builtins": False},
        {"overflow_handler": float},
        {"max_memory": 8 * 1024 * 1024},
        {"max_memory": 0},
        {"string_hash_seed": 1},
    ],
    ids=str,
)
def test_accepted_options(options):
    assert LuaRuntime(**options).eval("1 + 1") == 2


def test_all_options_can_be_positional():
    lua = LuaRuntime("utf-8", "utf-8", return_name, None, False, True, False, float, None, None)
    assert lua.eval("python.eval") is None
    assert lua.eval("python.builtins") is None
    assert lua.eval("select('#', ...)", 1, 2) == 2


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"encoding": 3}, ValueError, "expected string, got <class 'int'>"),
        (
            {"encoding": b"\xc3"},
            ValueError,
            "byte string input has unknown encoding, only ASCII is allowed",
        ),
        (
            {"encoding": "\u00e9"},
            UnicodeEncodeError,
            "'ascii' codec can't encode character '\\xe9'",
        ),
        ({"source_encoding": 3}, ValueError, "expected string, got <class 'int'>"),
        ({"attribute_filter": 3}, ValueError, "attribute_filter must be callable"),
        (
            {"attribute_handlers": 3},
            ValueError,
            "attribute_handlers must be a sequence of two callables",
        ),
        (
            {"attribute_handlers": (1, 2)},
            ValueError,
            "attribute_handlers must be a sequence of two callables",
        ),
        (
            {"attribute_handlers": (len,)},
            ValueError,
            "attribute_handlers must be a sequence of two callables",
        ),
        (
            {"attribute_handlers": (len, len, len)},
            ValueError,
            "attribute_handlers must be a sequence of two callables",
        ),
        (
            {"attribute_handlers": (len, None), "attribute_filter": len},
            ValueError,
            "attribute_filter and attribute_handlers are mutually exclusive",
        ),
        ({"overflow_handler": 3}, ValueError, "overflow_handler must be callable"),
        ({"max_memory": "lots"}, TypeError, ""),
        ({"string_hash_seed": "x"}, TypeError, ""),
        ({"nonsense": 1}, TypeError, "got an unexpected keyword argument 'nonsense'"),
    ],
    ids=str,
)
def test_refused_options(options, error, message):
    with pytest.raises(error) as info:
        LuaRuntime(**options)
    assert message in str(info.value)


def test_too_many_positional_arguments():
    with pytest.raises(TypeError):
        LuaRuntime("utf-8", None, None, None, True, False, True, None, None, None, "one too many")


def test_runtimes_are_separate():
    first, second = LuaRuntime(), LuaRuntime()
    first.execute("x = 1")
    second.execute("x = 2")
    assert (first.eval("x"), second.eval("x")) == (1, 2)
    assert first.globals().x == 1
    first.execute("string.own = true")
    assert second.eval("string.own") is None


def test_objects_of_different_runtimes_do_not_mix():
    first, second = LuaRuntime(), LuaRuntime()
    message = "cannot mix objects from different Lua runtimes"
    with pytest.raises(LuaError, match=message):
        first.globals().x = second.table()
    with pytest.raises(LuaError, match=message):
        first.eval("...", second.eval("print"))
    with pytest.raises(LuaError, match=message):
        first.table(second.table())
    with pytest.raises(LuaError, match=message):
        first.eval("(...)()", second.table)
    assert first.eval("1") == 1 and second.eval("2") == 2


def test_a_runtime_can_be_used_from_another_one():
    outer, inner = LuaRuntime(), LuaRuntime()
    inner.execute("x = 'inside'")
    assert outer.eval("(...):eval('x')", inner) == "inside"


def test_a_runtime_can_be_used_from_inside_itself(lua):
    assert lua.eval("(...):eval('1 + 1')", lua) == 2
    assert lua.eval("(...):table(1, 2)[2]", lua) == 2
    assert lua.eval("type((...):table())", lua) == "table"


def test_globals_is_lua_s_global_table(lua):
    lua.execute("answer = 42")
    table = lua.globals()
    assert table.answer == 42 and table["answer"] == 42
    table.other = "set from Python"
    assert lua.eval("other") == "set from Python"
    assert lua.eval("... == _G", table) is True
    assert "print" in list(table)


def test_globals_does_not_depend_on_the_name_of_g(lua):
    lua.execute("_G = nil")
    assert lua.globals().print is not None
    assert lua.eval("print ~= nil") is True


def test_standard_libraries_are_open(lua):
    names = [
        "string",
        "table",
        "math",
        "io",
        "os",
        "debug",
        "package",
        "coroutine",
        "bit",
        "jit",
        "python",
    ]
    for name in names:
        assert lupa.lua_type(lua.globals()[name]) == "table", name
    assert lupa.lua_type(lua.require("ffi")) == "table"


def test_versions(lua):
    assert lua.lua_version == (5, 1)
    assert lua.lua_implementation.startswith("LuaJIT 2.1.")
    assert lua.eval("_VERSION") == "Lua 5.1"


@pytest.mark.parametrize(
    "code", ["jit = {version = 'x'}", "jit, type, _VERSION = nil", "jit.version = 5"]
)
def test_the_implementation_is_not_what_lua_code_says(lua, code):
    lua.execute(code)
    assert lua.lua_implementation.startswith("LuaJIT 2.1.")


def test_versions_cannot_be_set(lua):
    with pytest.raises(AttributeError):
        lua.lua_version = (5, 4)
    assert lua.lua_version == (5, 1)


def test_require_returns_the_module(lua):
    assert lua.require("string").upper("abc") == "ABC"
    assert lua.eval("... == string", lua.require("string")) is True
    assert lua.eval("... == python", lua.require("python")) is True
    assert lua.eval("... == string", lua.require(b"string")) is True


def test_require_loads_a_lua_file(lua, tmp_path):
    (tmp_path / "ownmodule.lua").write_text(
        "return {name = ..., twice = function(x) return 2 * x end}"
    )
    lua.globals().package.path = str(tmp_path / "?.lua")
    module = lua.require("ownmodule")
    assert module.name == "ownmodule"
    assert module.twice(21) == 42
    assert lua.eval("require('ownmodule') == ...", module) is True


def test_require_uses_package_preload(lua):
    lua.globals().package.preload.fake = lua.eval("function(name) return {called = name} end")
    assert lua.require("fake").called == "fake"


def test_require_of_a_missing_module(lua):
    with pytest.raises(
        LuaError, match=r"^module 'no\.such' not found:\n\tno field package\.preload\['no\.such'\]"
    ):
        lua.require("no.such")


@pytest.mark.parametrize("name", [None, 1, [], ("string",)])
def test_require_wants_a_string(lua, name):
    with pytest.raises(TypeError, match="modulename must be a string"):
        lua.require(name)


def test_require_without_the_lua_function(lua):
    lua.execute("require = nil")
    with pytest.raises(LuaError, match="require is not defined"):
        lua.require("string")


def test_repr(lua):
    assert repr(lua).startswith("<lupa.luajit21.LuaRuntime object at 0x")


def test_plain_runtimes_have_no_dict(lua):
    with pytest.raises(AttributeError):
        lua.attribute = 1


def test_subclass_without_super_init():
    class Runtime(LuaRuntime):
        def __init__(self, encoding="utf-8"):
            self.names = self.globals()
            self.names.ready = True

        def ready(self):
            return self.eval("ready")

    assert Runtime().ready() is True
    assert Runtime(encoding=None).eval("'x'") == b"x"
    assert Runtime("latin1").eval("'\\228'") == "\u00e4"


def test_subclass_passes_options_to_new():
    class Runtime(LuaRuntime):
        def __new__(cls, label):
            return super().__new__(cls, register_eval=False)

        def __init__(self, label):
            self.label = label

    lua = Runtime("mine")
    assert lua.label == "mine"
    assert lua.eval("python.eval") is None


def test_subclass_with_super_init():
    class Runtime(LuaRuntime):
        def __init__(self, **options):
            super().__init__()
            self.extra = 1

    assert Runtime(encoding=None).eval("'x'") == b"x"


def test_keyword_arguments_unknown_to_the_subclass_are_refused():
    class Runtime(LuaRuntime):
        def __init__(self, label=None):
            pass

    with pytest.raises(TypeError):
        Runtime(label="mine")


@pytest.mark.parametrize(
    "option, name", [("register_eval", "eval"), ("register_builtins", "builtins")]
)
def test_registration_of_python_names(option, name):
    assert LuaRuntime().eval(f"python.{name} ~= nil") is True
    assert LuaRuntime(**{option: True}).eval(f"python.{name} ~= nil") is True
    assert LuaRuntime(**{option: False}).eval(f"python.{name} == nil") is True


def test_the_python_module_in_lua(lua):
    names = {name: lua.eval("type(python[...])", name) for name in lua.globals().python}
    functions = [
        "args",
        "as_attrgetter",
        "as_function",
        "as_itemgetter",
        "enumerate",
        "iter",
        "iterex",
        "set_overflow_handler",
    ]
    expected = dict.fromkeys(functions, "function")
    expected.update(none="userdata", eval="userdata", builtins="userdata")
    assert names == expected
