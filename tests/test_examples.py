"""The example programs, run as a reader runs them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def run(name, *args):
    return subprocess.run(
        [sys.executable, EXAMPLES / name, *args],
        capture_output=True,
        encoding="utf-8",
        env=dict(os.environ, PYTHONIOENCODING="utf-8"),
        timeout=60,
    )


def test_typed_config():
    result = run("typed_config.py")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "example on port 8080, cache of 64.0 MB",
        "/old/page -> /new/page (GET)",
        "/de/page -> /de/page (GET, POST)",
        "/fr/page -> /fr/page (GET, POST)",
    ]


@pytest.mark.parametrize(
    "code, message",
    [
        ("return 5", "expected a table, got int 5"),
        ("return", "expected a table, got nil"),
        ("local c = base(); c.port = 80.5; return c", ".port: expected int, got float 80.5"),
        ("local c = base(); c.port = '80'; return c", ".port: expected int, got str '80'"),
        ("local c = base(); c.port = nil; return c", ": field 'port' is missing"),
        ("local c = base(); c.prot = 80; return c", ": unknown field 'prot'"),
        ("local c = base(); c.cache = 7; return c", ".cache: expected a table, got int 7"),
        ("local c = base(); c.debug = 1; return c", ".debug: expected bool, got int 1"),
        ("local c = base(); c.name = '\\255'; return c", ": 'utf-8' codec can't decode byte 0xff"),
        (
            "local c = base(); c.limits = {a = true}; return c",
            ".limits.a: expected float, got bool",
        ),
        (
            "local c = base(); c.limits = {1}; return c",
            "a key of config.lua.limits: expected str, got int",
        ),
        (
            "local c = base(); c.routes = {x = {}}; return c",
            ".routes: expected a list, got a table with other keys",
        ),
        (
            "local c = base(); c.routes = {{prefix = print}}; return c",
            ".routes[1].prefix: expected str, got function",
        ),
        (
            "local c = base(); c.routes = {{prefix = '/', rewrite = 'x'}}; return c",
            ".routes[1].rewrite: expected Callable, got str 'x'",
        ),
        (
            "local c = base(); c.routes = {{prefix = '/', rewrite = function() end}}; return c",
            "rewrite of /: expected str, got nil",
        ),
        (
            "local c = base(); c.routes = {{prefix = '/', rewrite = error}}; return c",
            "error: /page",
        ),
        ("return setmetatable({}, {__index = function() error('no') end})", ":1: no"),
        ("while true do end", "the time limit of the Lua code has passed"),
        ("return io.open('/etc/passwd')", ":1: attempt to index global 'io' (a nil value)"),
        ("return {", ":1: unexpected symbol near '<eof>'"),
    ],
)
def test_typed_config_with_mistakes(tmp_path, code, message):
    file = tmp_path / "config.lua"
    base = "local function base() return {name = 'n', port = 1, cache = {seconds = 1}, routes = {}} end "
    file.write_text(base + code)
    result = run("typed_config.py", str(file))
    assert result.returncode == 1
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1, result.stderr
    assert message in result.stderr
