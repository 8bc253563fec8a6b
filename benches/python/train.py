"""Run each operation for a moment: the training of a profile-guided build.

`maturin build --pgo` calls this (see `pgo-command` in pyproject.toml) where the package with
counters is installed.
"""

from __future__ import annotations

from time import perf_counter

from operations import OPERATIONS
from timing import prepared

import lupa.luajit21 as lupa

# Long enough for what happens now and then, such as garbage collection, to have its share.
SECONDS = 0.1


def main() -> None:
    for operation in OPERATIONS:
        run = prepared(operation, lupa)
        end = perf_counter() + SECONDS
        while perf_counter() < end:
            run(10)


if __name__ == "__main__":
    main()
