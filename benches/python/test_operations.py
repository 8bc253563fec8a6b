"""Each operation runs, so that the benchmarks do not rot."""

import sys
import sysconfig
from pathlib import Path

import pytest

import lupa.luajit21 as lupa

sys.path.insert(0, str(Path(__file__).parent))

import floor
from implementations import PACKAGE, Implementation
from operations import OPERATIONS
from timing import Batches

HAS_HEADERS = Path(sysconfig.get_path("include"), "Python.h").exists()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.key)
def test_operation(operation):
    assert Batches(operation, lupa, seconds=1e-6).time() > 0


@pytest.mark.skipif(not HAS_HEADERS, reason="needs Python's headers to compile an extension")
def test_the_floor(tmp_path):
    """In a process of its own, which has another `lupa`."""
    built = floor.build(Implementation("ours", PACKAGE.parent), tmp_path)
    with built.start() as worker:
        for operation in floor.operations():
            worker.ask("prepare", operation=operation.key, seconds=1e-6)
            assert worker.ask("time") > 0


def test_the_floor_names_operations():
    assert len(floor.operations()) == sum(map(len, floor.NAMES.values()))


def test_names_are_unique():
    assert len({operation.key for operation in OPERATIONS}) == len(OPERATIONS)
