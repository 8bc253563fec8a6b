"""What is made of measurements: ratios of pairs, their middle and their spread."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median


@dataclass
class Pairs:
    """The measurements of one thing; a pair was taken at about the same time."""

    theirs: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)

    def best(self) -> tuple[float, float]:
        return min(self.theirs), min(self.ours)

    def add(self, theirs: float, ours: float) -> None:
        self.theirs.append(theirs)
        self.ours.append(ours)

    @property
    def ratios(self) -> list[float]:
        """Above 1 where ours is less: faster, or smaller."""
        return [theirs / ours for theirs, ours in zip(self.theirs, self.ours)]

    @property
    def ratio(self) -> float:
        return median(self.ratios)

    @property
    def spread(self) -> tuple[float, float]:
        return min(self.ratios), max(self.ratios)


def geometric_mean(values: Iterable[float]) -> float:
    logarithms = [math.log(value) for value in values]
    return math.exp(sum(logarithms) / len(logarithms))


def time_text(seconds: float) -> str:
    """A time in the unit that suits it, with three digits."""
    units = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
    size, unit = next((row for row in units if seconds >= row[0]), units[-1])
    value = seconds / size
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f} {unit}"
