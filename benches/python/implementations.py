"""The implementations that are compared, and the processes that measure them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PACKAGE = ROOT / "crates" / "lupa-py" / "python" / "lupa"
KEPT = ROOT / "out" / "bench"


@dataclass(frozen=True)
class Implementation:
    """A `lupa` to import: a folder that has one, or the one installed for this interpreter."""

    name: str
    folder: Optional[Path] = None

    def start(self) -> Worker:
        return Worker(self)


def pypi() -> Implementation:
    return Implementation("PyPI")


def keep_build(name: str) -> Implementation:
    """Put the package as it is built now into a folder of its own, where no other build ends up."""
    folder = KEPT / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(PACKAGE, folder / "lupa", ignore=shutil.ignore_patterns("__pycache__"))
    return Implementation(name, folder)


def kept_build(name: str) -> Implementation:
    folder = KEPT / name
    if not folder.is_dir():
        raise SystemExit(f"no build was kept under the name {name!r}; make one with --keep {name}")
    return Implementation(name, folder)


class Worker:
    """A process that has one implementation imported and answers requests for measurements."""

    def __init__(self, implementation: Implementation) -> None:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        # The same hashes in all processes, so that dictionaries and their order are the same.
        environment["PYTHONHASHSEED"] = "0"
        if implementation.folder is not None:
            environment["PYTHONPATH"] = str(implementation.folder)
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "worker.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        imported = Path(self._read()).resolve()
        expected = implementation.folder or Path(sys.prefix)
        if expected.resolve() not in imported.parents:
            raise SystemExit(f"{implementation.name} was to be measured, but {imported} was found")

    def _read(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"a worker ended with status {self._process.wait()}")
        return json.loads(line)

    def ask(self, name: str, /, **arguments: Any) -> Any:
        """Make a request, one of the methods of `worker.Requests`, and wait for the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps((name, arguments)) + "\n")
        self._process.stdin.flush()
        return self._read()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exception: object) -> None:
        # Closing its input ends a worker.
        self._process.communicate()
