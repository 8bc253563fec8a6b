"""Each operation runs, so that the benchmarks do not rot."""

import sys
from pathlib import Path

import pytest

import lupa.luajit21 as lupa

sys.path.insert(0, str(Path(__file__).parent))

from operations import OPERATIONS
from timing import Batches


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.key)
def test_operation(operation):
    assert Batches(operation, lupa, seconds=1e-6).time() > 0


def test_names_are_unique():
    assert len({operation.key for operation in OPERATIONS}) == len(OPERATIONS)
