import os
import signal
import subprocess
import sys
import textwrap

import pytest
from hypothesis import HealthCheck, settings

from lupa import LuaRuntime

# The same examples in every run, so that a failure is one for everybody; and however busy the
# machine is.
settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,
    max_examples=75,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("repeatable")

TIME_LIMIT = float(os.environ.get("LUPA_TEST_TIME_LIMIT", "60"))


@pytest.fixture
def lua():
    """A fresh runtime with default options."""
    return LuaRuntime()


@pytest.fixture
def bytes_lua():
    """A runtime that leaves strings undecoded."""
    return LuaRuntime(encoding=None)


@pytest.fixture
def unpacking_lua():
    """A runtime that unpacks tuples returned by Python functions."""
    return LuaRuntime(unpack_returned_tuples=True)


class Result:
    """What a finished process left behind; `returncode` is None when the time limit ended it."""

    def __init__(self, returncode, stdout, stderr):
        self.returncode = returncode
        self.stdout = stdout
        self.stderr = stderr

    @property
    def lines(self):
        return self.stdout.splitlines()

    def __repr__(self):
        return f"<exit {self.returncode}>\n--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"


def kill_with_children(process):
    """Kill a process and what it started, which may hold its output open."""
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()


def run_process(arguments, *, timeout=TIME_LIMIT, input=None, cwd=None):
    """Run a command to its end, or kill it after `timeout` seconds, and return its Result."""
    process = subprocess.Popen(
        arguments,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ, PYTHONFAULTHANDLER="1", PYTHONIOENCODING="utf-8"),
        cwd=cwd,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    with process:
        try:
            stdout, stderr = process.communicate(input, timeout=timeout)
        except subprocess.TimeoutExpired:
            kill_with_children(process)
            stdout, stderr = process.communicate()
            return Result(None, stdout, stderr)
    return Result(process.returncode, stdout, stderr)


@pytest.fixture
def run_isolated():
    """Run code in an interpreter of its own, for whatever could kill or hang the test process."""

    def run(code, *args, **options):
        return run_process([sys.executable, "-c", textwrap.dedent(code), *args], **options)

    return run


@pytest.fixture
def output_of(run_isolated):
    """Like run_isolated, but demand a clean exit and return the lines printed."""

    def run(code, *args, **options):
        result = run_isolated(code, *args, **options)
        assert result.returncode == 0, result
        return result.lines

    return run


@pytest.fixture
def run_lupa():
    """Run `python -m lupa` with arguments."""

    def run(*args, **options):
        return run_process([sys.executable, "-m", "lupa", *map(str, args)], **options)

    return run


PRELUDE = """
import gc, os, signal, sys, threading, weakref
import lupa
from lupa import LuaError, LuaMemoryError, LuaRuntime

lua = LuaRuntime()

def error_of(function, *args):
    try:
        function(*args)
    except Exception as error:
        return type(error).__name__ + ": " + str(error).partition("\\n")[0]
    return "no error"
"""
ENDING = """
assert lua.eval("1 + 1") == 2 and lua.table(1)[1] == 1
print("usable")
"""


@pytest.fixture
def outcome_of(output_of):
    """Like output_of, between PRELUDE and a check that the runtime `lua` is still usable."""

    def run(code, *args, **options):
        lines = output_of(PRELUDE + textwrap.dedent(code) + ENDING, *args, **options)
        assert lines.pop() == "usable"
        return lines

    return run
