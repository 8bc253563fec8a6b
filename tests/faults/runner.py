"""Runs cases, each in a process of its own, and prints the table."""

import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from faults.registry import source_line

# Child processes find the package `faults` here.
FOLDER = Path(__file__).resolve().parents[1]
AT_ONCE = 2


@dataclass(frozen=True)
class Outcome:
    ok: bool
    summary: str
    seconds: float
    output: str


def run_case(case, python=sys.executable):
    """Run one case in a process of its own."""
    start = time.monotonic()
    process = subprocess.Popen(
        [python, *_options(), "-m", "faults", "--case", case.name],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ, PYTHONFAULTHANDLER="1", PYTHONIOENCODING="utf-8"),
        cwd=FOLDER,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    with process:
        try:
            # Also waits for processes that the case has started and left behind.
            stdout, stderr = process.communicate(timeout=case.limit)
            returncode = process.returncode
        except subprocess.TimeoutExpired:
            _kill_with_children(process)
            stdout, stderr = process.communicate()
            returncode = None
    seconds = time.monotonic() - start
    ok, summary = _judge(case, returncode, stdout, stderr)
    output = f"{source_line(case)}\n--- stdout\n{_end(stdout)}\n--- stderr\n{_end(stderr)}"
    return Outcome(ok, summary, seconds, output)


def _options():
    """What this interpreter was started with counts for the cases, too."""
    return ["-X", "dev"] if sys.flags.dev_mode else []


def _kill_with_children(process):
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()


def _judge(case, returncode, stdout, stderr):
    lines = stdout.splitlines()
    if returncode is None:
        return False, f"hung for {case.limit:.0f} s"
    if returncode < 0:
        return False, f"died: {signal.Signals(-returncode).name}"
    if returncode != 0:
        return False, f"failed: {_reason(stderr)}"
    if not lines or not lines[-1].startswith("ok"):
        return False, "ended early"
    if not re.fullmatch(case.stderr or "", stderr.strip(), re.DOTALL):
        return False, f"printed: {stderr.strip().splitlines()[-1][:100]}"
    return True, lines[-1]


def _end(text, lines=40):
    return "\n".join(text.splitlines()[-lines:])


def _reason(stderr):
    """The line of a traceback that names the exception, or else the last one."""
    lines = stderr.strip().splitlines() or ["no message"]
    names = [line for line in lines if re.match(r"[\w.]+(Error|Exit|Interrupt|Exception)\b", line)]
    return (names or lines)[-1][:100]


def run_all(cases, python=sys.executable, report=lambda case, outcome: None):
    """Run cases, some at once, and report them in their order."""
    outcomes = {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = [(case, pool.submit(run_case, case, python)) for case in cases]
        for case, future in running:
            outcomes[case.name] = future.result()
            report(case, outcomes[case.name])
    return outcomes
