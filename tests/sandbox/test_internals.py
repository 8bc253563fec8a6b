"""Ways from harmless Python objects to the program: frames, code, globals, modules, formats."""

import asyncio
import functools
import json
import sys
import types
from fractions import Fraction

import pytest

from lupa import LuaRuntime

PASSWORD = "4711"


def function(x="default"):
    """A function that a host may pass."""
    inner = x
    return lambda: inner


def generator():
    yield 1


async def coroutine():
    pass


async def async_generator():
    yield


class Plain:
    label = "plain"

    def method(self):
        return self

    @property
    def broken(self):
        return sys.there_is_no_such_thing


class Compiled:
    """A function as Cython makes them."""

    func_globals = globals()
    func_code = func_closure = func_defaults = func_dict = "internal"

    def __call__(self):
        return 1


def with_traceback():
    try:
        raise ValueError("a")
    except ValueError as error:
        return error


def raises():
    raise ValueError("of the host")


def closed(coroutine):
    coroutine.close()
    return coroutine


# Each: Lua code that is given the object, and what makes the object.
ROUTES = {
    "globals of a function": ("(...).__globals__", lambda: function),
    "code of a function": ("(...).__code__", lambda: function),
    "closure of a function": ("(...).__closure__", lambda: function(1)),
    "defaults of a function": ("(...).__defaults__", lambda: function),
    "module of a function": ("(...).__module__", lambda: function),
    "globals of a method": ("(...).method.__func__.__globals__", Plain),
    "globals of __init__": ("(...).__init__.__globals__", lambda: json.JSONDecoder()),
    "object of a builtin": ("(...).__self__", lambda: len),
    "wrapped function": ("(...).__wrapped__", lambda: functools.lru_cache(function)),
    "dictionary of an object": ("(...).__dict__", lambda: types.SimpleNamespace(a=1)),
    "dictionary of a class": ("(...).__dict__", lambda: Plain),
    "subclasses": ("(...).__base__.__subclasses__()", lambda: Plain),
    "bases": ("(...).__bases__", lambda: Plain),
    "mro": ("(...).mro()", lambda: Plain),
    "__mro__": ("(...).__mro__", lambda: Plain),
    "dictionary of a module": ("(...).__dict__", lambda: json),
    "loader of a module": ("(...).__loader__", lambda: json),
    "builtins of a module": ("(...).__builtins__.eval('6 * 7') == 42", lambda: json),
    "modules of a module": ("(...).codecs.builtins.eval('6 * 7') == 42", lambda: json),
    "submodule": ("(...).decoder", lambda: json),
    "frame of a generator": ("(...).gi_frame.f_globals", generator),
    "callers of a generator": ("(...).gi_frame", generator),
    "code of a generator": ("(...).gi_code", generator),
    "generator of a generator": (
        "local g = ... python.iter(g) return pcall(function() return g.gi_yieldfrom end)",
        generator,
    ),
    "frame of a coroutine": ("(...).cr_code", lambda: closed(coroutine())),
    "awaited by a coroutine": (
        "local c = ... return pcall(function() return c.cr_await end)",
        lambda: closed(coroutine()),
    ),
    "frame of an async generator": ("(...).ag_frame.f_globals", async_generator),
    "code of an async generator": ("(...).ag_code", async_generator),
    "globals of a frame": ("(...).f_globals", sys._getframe),
    "builtins of a frame": ("(...).f_builtins", sys._getframe),
    "locals of a frame": ("(...).f_locals", sys._getframe),
    "caller of a frame": ("(...).f_back", sys._getframe),
    "code of a frame": ("(...).f_code", sys._getframe),
    "line of a frame": ("(...).f_lineno > 0", sys._getframe),
    "clearing a frame": ("(...).clear", sys._getframe),
    "constants of code": ("(...).co_consts", lambda: function.__code__),
    "other code": ("(...).replace", lambda: function.__code__),
    "frame of a traceback": ("(...).tb_frame", lambda: with_traceback().__traceback__),
    "line of a traceback": ("(...).tb_lineno > 0", lambda: with_traceback().__traceback__),
    "traceback of an exception": ("(...).__traceback__", with_traceback),
    "cause of an exception": ("(...).__context__ == nil", with_traceback),
    "traceback of a caught one": ("select(2, pcall(...)).__traceback__.tb_frame", lambda: raises),
    "its class": ("select(2, pcall(...)).__class__", lambda: raises),
    "traceback taken away": ("(...).with_traceback(nil)", with_traceback),
    "globals of a compiled function": ("(...).func_globals", Compiled),
    "code of a compiled function": ("(...).func_code", Compiled),
    "closure of a compiled function": ("(...).func_closure", Compiled),
    "defaults of a compiled function": ("(...).func_defaults", Compiled),
    "dictionary of a compiled function": ("(...).func_dict", Compiled),
    "arguments of a partial": (
        "(...).args[0] == '4711'",
        lambda: functools.partial(function, PASSWORD),
    ),
    "names of a partial": (
        "(...).keywords.x == '4711'",
        lambda: functools.partial(function, x=PASSWORD),
    ),
    "function of a partial": ("(...).func", lambda: functools.partial(function)),
    "formatting by the class": (
        "python.as_attrgetter(...).format('{0.__class__}', python.none)",
        lambda: str,
    ),
    "formatting a map by the class": (
        "python.as_attrgetter(...).format_map('{x.__class__}', python.as_attrgetter(...))",
        lambda: type("Text", (str,), {"__class_getitem__": classmethod(lambda cls, name: cls)}),
    ),
    "% with a mapping": ("('%(_x)s' % ...) == '4711'", lambda: {"_x": PASSWORD}),
    "% with anything": ("('%9s' % ...)", lambda: None.__class__),
}  # fmt: skip

if sys.version_info >= (3, 10):
    ROUTES["builtins of a function"] = ("(...).__builtins__", lambda: function)
    ROUTES["object without an attribute"] = (
        "local p = ... return pcall(function() return p.broken end) or "
        "select(2, pcall(function() return p.broken end)).obj.modules",
        Plain,
    )


@pytest.mark.parametrize("name", ROUTES)
def test_routes(fails, name):
    code, make = ROUTES[name]
    if "return" not in code:
        code = "return " + code
    fails(code, lambda lua: (make(),))


# Where strings are bytes in Python, text is an object with methods.
@pytest.mark.parametrize("name", ["format", "format_map"])
@pytest.mark.parametrize(
    "route", ["python.as_attrgetter(text).%s", "python.as_attrgetter(text .. '{0}').%s"]
)
def test_formats_of_text_objects(fails, name, route):
    fails(f"local text = ... return {route % name}", lambda lua: ("x",), encoding=None)


def test_formatting_text_objects_with_modulo(fails):
    fails(
        "local text, items = ... return text % items",
        lambda lua: ("%(_x)s", {"_x": 1}),
        encoding=None,
    )
    fails("return '%(_x)s' % ...", lambda lua: ({b"_x": b"1"},), encoding=None)
    fails("return (...) % 5", lambda lua: (bytearray(b"%9d"),))


def test_modulo_of_numbers_stays(sandbox):
    assert sandbox.eval("tostring((...) % 2)", Fraction(7)) == "1"


def test_frames_of_tasks(sandbox, attempt):
    async def main():
        task = asyncio.current_task()
        assert not attempt(sandbox, "return (...).get_stack()[0].f_globals", task)
        assert not attempt(sandbox, "return (...).get_stack()[0].f_lineno", task)
        assert not attempt(sandbox, "return (...).get_coro().cr_frame", task)
        return LuaRuntime().eval("(...).get_stack()[0].f_lineno", task)

    assert asyncio.run(main()) > 0


@pytest.mark.parametrize(
    "kind",
    [
        types.FrameType,
        types.CodeType,
        types.TracebackType,
        types.GeneratorType,
        types.CoroutineType,
        types.AsyncGeneratorType,
    ],
)
def test_every_attribute_of_internal_types(sandbox, kind):
    # Whatever attributes a future Python gives them.
    objects = {
        types.FrameType: sys._getframe(),
        types.CodeType: function.__code__,
        types.TracebackType: with_traceback().__traceback__,
        types.GeneratorType: generator(),
        types.CoroutineType: closed(coroutine()),
        types.AsyncGeneratorType: async_generator(),
    }
    harmless = {"send", "throw", "close", "asend", "athrow", "aclose"} | {
        prefix + name for prefix in ("gi_", "cr_", "ag_") for name in ("running", "suspended")
    }
    for name in dir(kind):
        if name not in harmless:
            with pytest.raises(AttributeError, match="is denied in a sandbox"):
                sandbox.execute("local object, name = ... return object[name]", objects[kind], name)
