"""All that can be reached by attributes and items from objects that a host passes in innocence.

This is no attack but a search: a sandbox may hand out none of what the tests below call dangerous,
however many steps away it is.
"""

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import json
import math
import re
import types

import pytest

from lupa import LuaRuntime

SECRET = "a global of this module"


@dataclasses.dataclass
class Point:
    x: int = 1
    items: list = dataclasses.field(default_factory=lambda: [{"a": (1,)}])

    def method(self):
        return self

    @property
    def length(self):
        return abs(self.x)

    @classmethod
    def make(cls):
        return cls()

    @staticmethod
    def free():
        return None

    @functools.lru_cache
    def cached(self):
        return 1


class Colour(enum.Enum):
    RED = 1


def function():
    return SECRET


def generator():
    yield SECRET


async def async_generator():
    yield SECRET


@functools.singledispatch
def dispatched(x):
    return x


def caught():
    try:
        raise KeyError("of the host")
    except KeyError as error:
        return error


INNOCENT = {
    "function": lambda: function,
    "lambda": lambda: lambda: SECRET,
    "bound method": lambda: Point().method,
    "class method": lambda: Point.make,
    "static method": lambda: Point.free,
    "cached function": lambda: functools.lru_cache(function),
    "partial": lambda: functools.partial(function, SECRET),
    "dispatched function": lambda: dispatched,
    "builtin": lambda: len,
    "method of a builtin": lambda: "".join,
    "list": lambda: [1, [2], {"a": 3}],
    "tuple": lambda: (1, (2,)),
    "dict": lambda: {"a": {"b": function}},
    "view": lambda: {"a": 1}.items(),
    "set": lambda: {1, 2},
    "range": lambda: range(3),
    "bytearray": lambda: bytearray(b"x"),
    "memoryview": lambda: memoryview(b"x"),
    "iterator": lambda: iter([1]),
    "dataclass": Point,
    "class": lambda: Point,
    "enum member": lambda: Colour.RED,
    "enum": lambda: Colour,
    "namespace": lambda: types.SimpleNamespace(a=1),
    "generator": generator,
    "async generator": async_generator,
    "exception": caught,
    "date": lambda: datetime.datetime(2020, 1, 1),
    "decimal": lambda: decimal.Decimal(1),
    "fraction": lambda: fractions.Fraction(1, 2),
    "pattern": lambda: re.compile("a"),
    "match": lambda: re.match("a", "a"),
    "str": lambda: str,
    "int": lambda: int,
    "object": object,
    "module": lambda: math,
    "module with imports": lambda: json,
    "runtime's table": lambda: LuaRuntime().table(1).items(),
}

DANGEROUS = (
    types.FrameType,
    types.CodeType,
    types.TracebackType,
    types.ModuleType,
)

# Names that lead to such things now or in some version of Python, beside those of `dir`.
MORE_NAMES = """_private __class__ __dict__ __globals__ __code__ __closure__ __func__ __self__ __mro__
    __bases__ __subclasses__ __traceback__ __context__ __wrapped__ __builtins__ __loader__ mro
    gi_frame cr_frame ag_frame f_globals f_back tb_frame func_globals args obj format""".split()


def names_of(value):
    names = {*dir(value), *MORE_NAMES}
    if isinstance(value, type):
        names.update(dir(type(value)))
    return names


def reachable(lua, start, most_steps=5):
    """Everything that Lua code can get at, with the way to it; the nearest first.

    There is an end to the steps because some attributes make a new object each time.
    """
    get = lua.eval("function(o, name) return python.as_attrgetter(o)[name] end")
    item = lua.eval("function(o, key) return python.as_itemgetter(o)[key] end")
    # Kept, so that no other object gets an address that was seen.
    seen, todo = {id(start): start}, collections.deque([("", start, 0)])
    while todo:
        path, value, distance = todo.popleft()
        steps = [(f"{path}.{name}", get, name) for name in names_of(value)]
        if isinstance(value, (list, tuple)):
            steps += [(f"{path}[{key}]", item, key) for key in range(len(value))]
        elif isinstance(value, (dict, types.MappingProxyType)):
            steps += [(f"{path}[{key!r}]", item, key) for key in list(value)]
        for path_there, getter, key in steps:
            try:
                got = getter(value, key)
            except Exception:
                continue
            if id(got) not in seen and not isinstance(got, (str, bytes, int, float, type(None))):
                seen[id(got)] = got
                if distance + 1 < most_steps:
                    todo.append((path_there, got, distance + 1))
                yield path_there, got


@pytest.mark.parametrize("name", INNOCENT)
def test_nothing_dangerous_is_in_reach(sandbox, name):
    for path, value in reachable(sandbox, INNOCENT[name]()):
        assert not isinstance(value, DANGEROUS), path
        assert value is not globals() and value is not __builtins__, path
        assert not (isinstance(value, dict) and "__builtins__" in value), path
        assert value not in (type, object, eval, exec, compile, open, __import__), path


@pytest.mark.parametrize(
    "start, wanted",
    [
        (function, lambda value: value is globals()),
        (function, lambda value: isinstance(value, types.CodeType)),
        (generator(), lambda value: isinstance(value, types.FrameType)),
        (caught(), lambda value: isinstance(value, types.TracebackType)),
        (Point(), lambda value: value is type),
        (json, lambda value: value is re),
    ],
)
def test_the_search_finds_them_without_a_sandbox(start, wanted):
    assert any(wanted(value) for _, value in reachable(LuaRuntime(), start))
