"""The short form of the stress suite."""

import os

import pytest

from stress import memory, threads

SECONDS = float(os.environ.get("STRESS_TEST_SECONDS", "4"))


@pytest.mark.skipif(os.name == "nt", reason="interrupts need signals")
def test_many_threads():
    counts, failures = threads.stress(SECONDS, os.environ.get("STRESS_SEED", "0"))
    assert not failures
    assert all(counts[action.__name__] for action in threads.ACTIONS), counts


@pytest.mark.parametrize("name", memory.KINDS)
def test_memory_is_flat(name):
    count, growth, _ = memory.measure(name, 20_000)
    assert memory.too_much(growth) == [], f"{count} operations: {growth}"
