"""Write docs/benchmarks.md and its plot, of what was measured and a template with the comments."""

from __future__ import annotations

import datetime
import json
import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path
from statistics import median
from string import Template
from typing import Any

from experiments import EXPERIMENTS
from implementations import HERE, KEPT, ROOT
from operations import OPERATIONS
from plot import plot
from ratios import Pairs, geometric_mean, time_text

RUST_RESULTS = KEPT / "rust.json"
DOCUMENT = ROOT / "docs" / "benchmarks.md"
PLOT = ROOT / "docs" / "benchmarks-growth.svg"

# What this project allows itself.
MOST_OVER_FLOOR = 1.25


def table(heads: list[str], rows: list[list[str]]) -> str:
    """A Markdown table, numbers to the right."""
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def ratio_cells(ratios: list[float]) -> list[str]:
    middle = f"{median(ratios):.2f}"
    return [
        f"**{middle}**" if median(ratios) < 1 else middle,
        f"{min(ratios):.2f} … {max(ratios):.2f}",
    ]


# --- Python -----------------------------------------------------------------------------------


def python_tables(results: dict[str, Pairs]) -> str:
    """A table for each group of operations."""
    parts = []
    for title in dict.fromkeys(operation.group for operation in OPERATIONS):
        rows = []
        for operation in OPERATIONS:
            if operation.group == title:
                pairs = results[operation.key]
                name = operation.name.replace("|", "\\|")
                rows.append([name, *map(time_text, pairs.best()), *ratio_cells(pairs.ratios)])
        heads = ["operation", "PyPI lupa", "this package", "ratio", "of rounds"]
        parts.append(f"### {title}\n\n{table(heads, rows)}")
    return "\n\n".join(parts)


def floor_table(results: dict[str, Pairs]) -> str:
    """The table, and how far all of it is from the floor."""
    rows: list[list[str]] = []
    for key, pairs in results.items():
        over = [ours / floor for floor, ours in zip(pairs.theirs, pairs.ours)]
        middle = f"{median(over):.2f}"
        cell = middle if median(over) <= MOST_OVER_FLOOR else f"**{middle}**"
        spread = f"{min(over):.2f} … {max(over):.2f}"
        rows.append([key.replace("/", ": "), *map(time_text, pairs.best()), cell, spread])
    heads = ["operation", "floor", "this package", "÷ floor", "of rounds"]
    return f"{table(heads, rows)}\n\nOver all of them {floor_summary(results)}."


def floor_summary(results: dict[str, Pairs]) -> str:
    over = 1 / geometric_mean(pairs.ratio for pairs in results.values())
    within = sum(1 / pairs.ratio <= MOST_OVER_FLOOR for pairs in results.values())
    return (
        f"the geometric mean of the times ÷ floor is **{over:.2f}**;"
        f" {within} of {len(results)} are within a quarter of the floor"
    )


def summary(results: dict[str, Pairs]) -> str:
    ratios = [pairs.ratio for pairs in results.values()]
    below = sum(ratio < 1 for ratio in ratios)
    return (
        f"over {len(ratios)} operations the geometric mean of the ratios is"
        f" **{geometric_mean(ratios):.2f}**; {below} are below 1.00"
    )


def other_pythons() -> str:
    """A line for each other interpreter that was measured."""
    lines = []
    for path in sorted(KEPT.glob("python-*.json")):
        if path != results_of_this_python():
            measured = json.loads(path.read_text(encoding="utf-8"))
            operations = as_pairs(measured["operations"])
            below = [
                f"{key} {pairs.ratio:.2f}" for key, pairs in operations.items() if pairs.ratio < 1
            ]
            listed = f" ({', '.join(below)})" if below else ""
            where = "{python}, {date}, {commit}".format(**measured["conditions"])
            floor = floor_summary(as_pairs(measured["floor"]))
            lines.append(f"* {where}: {summary(operations)}{listed}; {floor}.")
    return "\n".join(lines) or "None was measured."


def experiment_table(results: dict[str, Pairs]) -> str:
    units = {title: unit for title, _, _, unit in EXPERIMENTS}
    rows = []
    for title, pairs in results.items():
        in_bytes = units.get(title) == "bytes"
        cells = [f"{each:,.0f} B" if in_bytes else time_text(each) for each in pairs.best()]
        rows.append([title, *cells, *ratio_cells(pairs.ratios)])
    return table(["what", "PyPI lupa", "this package", "ratio", "of rounds"], rows)


def speedup(results: dict[str, Pairs]) -> str:
    """How many times as fast two threads are as one, with each implementation."""
    one, two = (results[f"Mandelbrot demo, {threads}"] for threads in ("1 thread", "2 threads"))
    theirs, ours = (
        median(alone / together for alone, together in zip(*sides))
        for sides in ((one.theirs, two.theirs), (one.ours, two.ours))
    )
    return f"Two threads make the picture {ours:.2f} times as fast as one (PyPI lupa {theirs:.2f})."


# --- Rust -------------------------------------------------------------------------------------


def rust_table(results: dict[str, dict[str, Any]]) -> str:
    """The table, and how many rows are within their limits."""
    rows, within = [], 0
    for title, sides in results.items():
        raw, mlua, core = sides["raw"], sides["mlua"], sides["lupa-core"]
        times = [f"{min(side):,.{1 if min(side) < 100 else 0}f}" for side in (raw, mlua, core)]
        over_raw = median(ours / floor for ours, floor in zip(core, raw))
        limit = sides["limit"]
        within += over_raw <= limit
        times.append(f"{over_raw:.2f}" if over_raw <= limit else f"**{over_raw:.2f}**")
        over_mlua = [theirs / ours for theirs, ours in zip(mlua, core)]
        low, high = quartiles(over_mlua)
        middle = median(over_mlua)
        cell = f"**{middle:.2f}**" if middle < 1 else f"{middle:.2f}"
        rows.append([title, *times, f"{limit}", cell, f"{low:.2f} … {high:.2f}"])
    heads = ["operation", "raw", "mlua", "lupa-core", "÷ raw", "at most"]
    heads += ["mlua ÷ lupa-core", "half of rounds"]
    return f"{table(heads, rows)}\n\n{within} of {len(rows)} are within their limits."


def quartiles(values: list[float]) -> tuple[float, float]:
    ordered = sorted(values)
    return ordered[len(ordered) // 4], ordered[-1 - len(ordered) // 4]


# --- where and what ---------------------------------------------------------------------------


def processor() -> str:
    try:
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    except OSError:
        found = None
    return found.group(1) if found else platform.processor() or platform.machine()


def output(*command: str) -> str:
    return subprocess.run(
        command, cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()


def locked_version(crate: str) -> str:
    lock = (ROOT / "Cargo.lock").read_text(encoding="utf-8")
    found = re.search(rf'name = "{crate}"\nversion = "([^"]*)"', lock)
    assert found, f"{crate} is not in Cargo.lock"
    return found.group(1)


def conditions() -> dict[str, Any]:
    return {
        "date": datetime.date.today().isoformat(),
        "machine": f"{processor()}, {os.cpu_count()} cores, {platform.system()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "pypi": version("lupa"),
        "rustc": output("rustc", "--version"),
        "mlua": locked_version("mlua"),
        "criterion": locked_version("criterion"),
        "luajit": locked_version("luajit-src"),
        "commit": output("git", "describe", "--always", "--dirty", "--exclude=*"),
    }


def results_of_this_python() -> Path:
    major, minor, _ = platform.python_version_tuple()
    return KEPT / f"python-{major}.{minor}.json"


def as_pairs(measured: dict[str, Any]) -> dict[str, Pairs]:
    return {title: Pairs(**pairs) for title, pairs in measured.items()}


def main() -> None:
    measured = json.loads(results_of_this_python().read_text(encoding="utf-8"))
    operations = as_pairs(measured["operations"])
    experiments = as_pairs(measured["experiments"])
    template = Template((HERE / "template.md").read_text(encoding="utf-8"))
    document = template.substitute(
        measured["conditions"],
        summary=summary(operations).capitalize(),
        other_pythons=other_pythons(),
        python_tables=python_tables(operations),
        floor_table=floor_table(as_pairs(measured["floor"])),
        experiments=experiment_table(experiments),
        speedup=speedup(experiments),
        rust_table=rust_table(json.loads(RUST_RESULTS.read_text(encoding="utf-8"))),
    )
    DOCUMENT.write_text(document, encoding="utf-8")
    PLOT.write_text(plot(measured["growth"]), encoding="utf-8")
    print(f"{DOCUMENT.relative_to(ROOT)}: {summary(operations)}")


if __name__ == "__main__":
    main()
