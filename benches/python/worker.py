"""A process that measures one implementation: one request a line, one answer a line, in JSON.

What `import lupa` finds is what is measured; the first answer says what that is.
"""

from __future__ import annotations

import json
import sys
from time import perf_counter
from typing import Any

import experiments
from operations import OPERATIONS
from timing import Batches

_start = perf_counter()
import lupa.luajit21 as lupa  # noqa: E402

IMPORT_SECONDS = perf_counter() - _start


class Requests:
    """What a worker can be asked; it holds one prepared operation."""

    def prepare(self, operation: str, seconds: float) -> None:
        """Prepare this operation, for batches that take so many seconds."""
        found = {each.key: each for each in OPERATIONS}[operation]
        self.batches = Batches(found, lupa, seconds)

    def time(self) -> float:
        """Time a batch of the prepared operation."""
        return self.batches.time()

    def import_seconds(self) -> float:
        """How long the import of this process took."""
        return IMPORT_SECONDS

    def experiment(self, name: str, options: dict[str, Any]) -> Any:
        """Call a function of `experiments`."""
        return getattr(experiments, name)(lupa, **options)


def main() -> None:
    requests = Requests()
    answer: Any = lupa.__file__
    while True:
        print(json.dumps(answer), flush=True)
        line = sys.stdin.readline()
        if not line:
            return
        name, arguments = json.loads(line)
        answer = getattr(requests, name)(**arguments)


if __name__ == "__main__":
    main()
