"""Read a configuration written in Lua into dataclasses, with every type checked.

Configurations in Lua can compute, repeat and contain functions.  This one runs in a sandbox, with
limits on its memory and time; and what it returns must fit the dataclasses below, so the rest of
the program works with values whose types are known.

    python examples/typed_config.py [FILE.lua]
"""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Optional, TypeVar

from lupa import LuaError, LuaFunction, LuaRuntime, LuaTable, lua_type

T = TypeVar("T")

EXAMPLE = """
local day = 24 * 60 * 60

local function redirect(target)
    return function(path) return target .. path end
end

local config = {
    name = "example",
    port = 8000 + 80,
    cache = {seconds = 7 * day, megabytes = 64},
    limits = {guest = 0.5, member = 10},
    routes = {
        {prefix = "/old", rewrite = redirect("/new"), methods = {"GET"}},
    },
}

for _, language in ipairs{"de", "fr"} do
    table.insert(config.routes, {prefix = "/" .. language})
end

return config
"""


@dataclasses.dataclass(frozen=True)
class Cache:
    seconds: int
    megabytes: float = 16.0


@dataclasses.dataclass(frozen=True)
class Route:
    prefix: str
    methods: list[str] = dataclasses.field(default_factory=lambda: ["GET", "POST"])
    rewrite: Optional[Callable[[str], object]] = None

    def resolve(self, path: str) -> str:
        if self.rewrite is None:
            return path
        # What a function of the configuration does is checked when it is called.
        where = f"rewrite of {self.prefix}"
        with mistakes_reported(where):
            target: str = convert(self.rewrite(path[len(self.prefix) :]), str, where)
        return target


@dataclasses.dataclass(frozen=True)
class Config:
    name: str
    port: int
    cache: Cache
    routes: list[Route]
    limits: dict[str, float] = dataclasses.field(default_factory=dict)
    debug: bool = False

    def resolve(self, path: str) -> str:
        """Return where a request for ``path`` leads by the first route that it matches."""
        for route in self.routes:
            if path.startswith(route.prefix):
                return route.resolve(path)
        return path


class ConfigError(Exception):
    """What a configuration says is not what the program needs."""


def load(source: str, name: str, into: type[T]) -> T:
    """Run Lua code and convert the table that it returns into a dataclass."""
    lua = LuaRuntime(sandbox=True, max_memory=32 * 1024 * 1024, timeout=2)
    with mistakes_reported(name):
        # Converting may run code, too: that of metatables.
        config: T = convert(lua.execute(source, name="@" + name), into, name)
    return config


@contextlib.contextmanager
def mistakes_reported(where: str) -> Iterator[None]:
    """Turn what can go wrong in Lua code into a ConfigError of one line."""
    try:
        yield
    except LuaError as error:
        raise ConfigError(str(error).partition("\nstack traceback:")[0]) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{where}: {error}") from error


def convert(value: Any, wanted: Any, where: str) -> Any:
    """Return ``value`` as the type ``wanted``, or say where it does not fit."""
    if dataclasses.is_dataclass(wanted):
        return convert_fields(table_at(value, where), wanted, where)

    arguments = typing.get_args(wanted)
    origin = typing.get_origin(wanted)
    if origin is typing.Union:  # Optional[...] is the only one in use
        return None if value is None else convert(value, arguments[0], where)
    if origin is list:
        return convert_list(table_at(value, where), arguments[0], where)
    if origin is dict:
        return {
            convert(key, arguments[0], f"a key of {where}"): convert(
                item, arguments[1], f"{where}.{key}"
            )
            for key, item in table_at(value, where).items()
        }
    if origin is Callable:
        fits = isinstance(value, LuaFunction)
        wanted = Callable
    elif wanted is float:  # Lua has one type of numbers; 2.0 arrives as 2
        fits = isinstance(value, (int, float)) and not isinstance(value, bool)
        value = float(value) if fits else value
    else:
        fits = type(value) is wanted
    if not fits:
        raise ConfigError(f"{where}: expected {wanted.__name__}, got {describe(value)}")
    return value


def convert_fields(table: LuaTable, wanted: Any, where: str) -> Any:
    """Return a dataclass of the table's fields, each of which must be known."""
    types = typing.get_type_hints(wanted)
    unknown = set(table) - set(types)
    if unknown:
        raise ConfigError(f"{where}: unknown field {min(map(str, unknown))!r}")
    values = {}
    for field in dataclasses.fields(wanted):
        value = table[field.name]
        if value is not None:
            values[field.name] = convert(value, types[field.name], f"{where}.{field.name}")
        elif field.default is field.default_factory is dataclasses.MISSING:
            raise ConfigError(f"{where}: field {field.name!r} is missing")
    return wanted(**values)


def convert_list(table: LuaTable, wanted: Any, where: str) -> list[Any]:
    """Return the items of a table whose keys are 1, 2, 3 and so on."""
    if set(table) != set(range(1, len(table) + 1)):
        raise ConfigError(f"{where}: expected a list, got a table with other keys")
    return [
        convert(item, wanted, f"{where}[{index}]") for index, item in enumerate(table.values(), 1)
    ]


def table_at(value: Any, where: str) -> LuaTable:
    if not isinstance(value, LuaTable):
        raise ConfigError(f"{where}: expected a table, got {describe(value)}")
    return value


def describe(value: object) -> str:
    """Name a value for a message, Lua's values by their Lua type."""
    return lua_type(value) or ("nil" if value is None else f"{type(value).__name__} {value!r}")


def report(config: Config) -> None:
    print(f"{config.name} on port {config.port}, cache of {config.cache.megabytes} MB")
    for route in config.routes:
        path = route.prefix + "/page"
        print(f"{path} -> {config.resolve(path)} ({', '.join(route.methods)})")


def main() -> int:
    try:
        if len(sys.argv) > 1:
            file = Path(sys.argv[1])
            report(load(file.read_text(encoding="utf-8"), file.name, Config))
        else:
            report(load(EXAMPLE, "example.lua", Config))
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
