"""Time the operations with two implementations, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from experiments import EXPERIMENTS, GROWTH, SIZES
from implementations import Implementation
from operations import Operation
from ratios import Pairs


@dataclass(frozen=True)
class Effort:
    """How much is measured: rounds of fresh processes, batches in each, and a batch's seconds.

    What is so near to 1 that the machine's noise would decide has more rounds.
    """

    rounds: int = 9
    batches: int = 12
    seconds: float = 0.002
    more: int = 18


QUICK = Effort(rounds=3, batches=8, seconds=0.001, more=0)
NEAR = 0.1


def compare(
    theirs: Implementation, ours: Implementation, operations: list[Operation], effort: Effort
) -> Iterator[tuple[Operation, Pairs]]:
    """Yield each operation with what was measured so far, once a round.

    A round starts two fresh processes and goes through the operations.  The processes take turns,
    batch by batch, so that both meet the same state of the machine, and the best batch of each
    counts: the one that was disturbed least.
    """
    results = {operation.key: Pairs() for operation in operations}
    for number in range(effort.rounds + effort.more):
        if number == effort.rounds:
            operations = [each for each in operations if abs(results[each.key].ratio - 1) < NEAR]
        with theirs.start() as their_worker, ours.start() as our_worker:
            workers = [their_worker, our_worker] if number % 2 == 0 else [our_worker, their_worker]
            for operation in operations:
                for worker in workers:
                    worker.ask("prepare", operation=operation.key, seconds=effort.seconds)
                turns = [
                    {worker: worker.ask("time") for worker in workers}
                    for _ in range(effort.batches)
                ]
                pairs = results[operation.key]
                pairs.add(
                    theirs=min(turn[their_worker] for turn in turns),
                    ours=min(turn[our_worker] for turn in turns),
                )
                yield operation, pairs


def compare_experiments(
    theirs: Implementation, ours: Implementation, rounds: int
) -> dict[str, Pairs]:
    """Make the experiments, and time the import, with fresh processes for each."""
    results = {title: Pairs() for title in ("import", *(row[0] for row in EXPERIMENTS))}
    for _ in range(rounds):
        for title, name, options, _ in EXPERIMENTS:
            with theirs.start() as their_worker, ours.start() as our_worker:
                results[title].add(
                    their_worker.ask("experiment", name=name, options=options),
                    our_worker.ask("experiment", name=name, options=options),
                )
                results["import"].add(
                    their_worker.ask("import_seconds"), our_worker.ask("import_seconds")
                )
    return results


def compare_growth(
    theirs: Implementation, ours: Implementation
) -> dict[str, dict[str, list[float]]]:
    """Seconds an item for each of the sizes, for what should grow in proportion: the best turn."""
    results = {}
    for what in GROWTH:
        lines: dict[str, list[float]] = {"theirs": [], "ours": []}
        with theirs.start() as their_worker, ours.start() as our_worker:
            for size in SIZES:
                request = {"name": "growth", "options": {"what": what, "size": size}}
                pairs = Pairs()
                for _ in range(max(3, 30_000 // size)):
                    pairs.add(
                        their_worker.ask("experiment", **request),
                        our_worker.ask("experiment", **request),
                    )
                for line, seconds in zip(lines.values(), pairs.best()):
                    line.append(seconds)
        results[what] = lines
    return results
