"""The floor: a bare C extension, and the operations that it can do."""

from __future__ import annotations

import json
import shlex
import subprocess
import sysconfig
from pathlib import Path

from implementations import HERE, KEPT, ROOT, Implementation
from operations import OPERATIONS, Operation

# What the design has measured of such an extension, and the same where the GIL is released.
NAMES = {
    "Call Lua from Python": ["no argument", "3 ints", "1 str of 16", "→ Lua table, new"],
    "Call Lua while another Python thread waits": [
        "no argument",
        "3 ints",
        "1 str of 16",
        "→ Lua table, new",
    ],
    "Tables from Python": ["t['x']", "t.x", "t[2]", "t['x'] = 5", "len(t)"],
    "Iterate over a table of 1000, per item": ["values, ints", "items, ints"],
    "lua.table_from, per item of 1000": ["list of ints", "dict of str to int"],
    "Use Python from Lua": [
        "f(), a function",
        "abs(i), a builtin",
        "o.x",
        "dict.x, an item",
        "list[i]",
    ],
    "Iterate over Python objects in Lua, per item of 1000": ["python.iter(list)"],
    "Coroutines": ["next()"],
}


def operations() -> list[Operation]:
    """The operations that the floor can do."""
    return [each for each in OPERATIONS if each.name in NAMES.get(each.group, ())]


def luajit_headers() -> Path:
    """Where the headers are of the LuaJIT that `ours` is built from."""
    command = ["cargo", "metadata", "--format-version=1", "--locked"]
    described = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    (crate,) = (
        Path(package["manifest_path"]).parent
        for package in json.loads(described)["packages"]
        if package["name"] == "luajit-src"
    )
    return crate / "luajit2" / "src"


def build(ours: Implementation, folder: Path = KEPT / "floor") -> Implementation:
    """Compile floor.c for this interpreter; its LuaJIT is the one inside of `ours`."""
    assert ours.folder is not None
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    package = folder / "lupa"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").touch()
    compiler = shlex.split(sysconfig.get_config_var("CC"))
    paths = [f"-I{sysconfig.get_path('include')}", f"-I{luajit_headers()}"]
    files = [HERE / "floor.c", ours.folder / "lupa" / f"_lupa{suffix}"]
    output = ["-o", package / f"luajit21{suffix}"]
    flags = ["-O2", "-DNDEBUG", "-fPIC", "-shared", "-fno-plt"]
    subprocess.run([*compiler, *flags, *paths, *files, *output], check=True)
    return Implementation("floor", folder)
