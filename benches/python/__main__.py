"""Measure this package beside another one: `make bench-python`, see --help."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, replace

import floor
import implementations
from compare import QUICK, Effort, compare, compare_experiments, compare_growth
from implementations import Implementation
from operations import Operation, select
from ratios import Pairs, geometric_mean, time_text
from report import conditions, results_of_this_python


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make bench-python BENCH_ARGS=...",
        description="Time the package as it is built now beside PyPI's lupa, or another build.",
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="WORDS",
        help="only operations whose group/name contains this (may be repeated)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="3 rounds of short batches instead of 9 of long ones"
    )
    parser.add_argument("--rounds", type=int, help="so many rounds instead")
    parser.add_argument("--keep", metavar="NAME", help="keep this build for --against, and end")
    parser.add_argument(
        "--against", metavar="NAME", help="compare with a build that was kept, not with PyPI's"
    )
    parser.add_argument(
        "--floor", action="store_true", help="compare with a bare C extension, in what it can do"
    )
    parser.add_argument(
        "--all", action="store_true", help="measure all there is, for the report, and keep it"
    )
    parser.add_argument("--list", action="store_true", help="name the operations, and end")
    options = parser.parse_args()
    if options.all and (options.only or options.against or options.floor):
        parser.error("--all is for the report, which shows everything, beside PyPI's lupa")
    return options


def measure(
    theirs: Implementation, ours: Implementation, operations: list[Operation], effort: Effort
) -> dict[str, Pairs]:
    """Compare two implementations, and print what came out."""
    results: dict[str, Pairs] = {}
    for done, (operation, pairs) in enumerate(compare(theirs, ours, operations, effort), start=1):
        results[operation.key] = pairs
        if sys.stderr.isatty():
            print(f"\r{done} rounds of operations ", end="", file=sys.stderr, flush=True)

    print(f"\n{'':44}{theirs.name:>10}{ours.name:>10}   ratio  (above 1: ours is faster)")
    title = ""
    for operation in operations:
        if operation.group != title:
            title = operation.group
            print(f"\n{title}")
        pairs = results[operation.key]
        times = "".join(f"{time_text(side):>10}" for side in pairs.best())
        low, high = pairs.spread
        print(f"  {operation.name:42}{times}  {pairs.ratio:6.2f}  {low:.2f}..{high:.2f}")
    ratios = [pairs.ratio for pairs in results.values()]
    print(
        f"\ngeometric mean {geometric_mean(ratios):.2f};"
        f" {sum(ratio < 1 for ratio in ratios)} of {len(ratios)} below 1"
    )
    return results


def main() -> None:
    options = parse()
    operations = select(options.only)
    if options.list:
        print("\n".join(operation.key for operation in operations))
        return
    if options.keep:
        implementations.keep_build(options.keep)
        return

    effort = QUICK if options.quick else Effort()
    if options.rounds:
        effort = replace(effort, rounds=options.rounds)
    ours = implementations.keep_build("ours")
    if options.floor:
        operations = [each for each in operations if each in floor.operations()]
        measure(floor.build(ours), ours, operations, effort)
        return
    if options.against:
        measure(implementations.kept_build(options.against), ours, operations, effort)
        return
    theirs = implementations.pypi()
    results = measure(theirs, ours, operations, effort)
    if options.all:
        over_floor = measure(floor.build(ours), ours, floor.operations(), replace(effort, more=0))
        measured = {
            "conditions": conditions(),
            "operations": {key: asdict(pairs) for key, pairs in results.items()},
            "floor": {key: asdict(pairs) for key, pairs in over_floor.items()},
            "experiments": {
                title: asdict(pairs)
                for title, pairs in compare_experiments(theirs, ours, rounds=3).items()
            },
            "growth": compare_growth(theirs, ours),
        }
        results_of_this_python().write_text(json.dumps(measured), encoding="utf-8")


if __name__ == "__main__":
    main()
