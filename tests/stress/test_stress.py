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


def test_what_grows_is_seen():
    def growth(operation):
        memory.KINDS["leak"] = lambda lua: operation(lua, [])
        try:
            return memory.too_much(memory.measure("leak", 20_000)[1])
        finally:
            del memory.KINDS["leak"]

    assert "handles" in growth(lambda lua, kept: lambda n: kept.append(lua.globals()))
    assert "held" in growth(
        lambda lua, kept: lua.eval("function(n) kept = kept or {} kept[n] = python.eval('[]') end")
    )
    assert "lua" in growth(lambda lua, kept: lua.eval("function(n) kept = {kept} end"))
    assert "blocks" in growth(lambda lua, kept: lambda n: kept.append([n]))
    assert "resident" in growth(lambda lua, kept: lambda n: kept.append(bytes(1000)))
