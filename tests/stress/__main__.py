"""Print two tables: what many threads did at once, and how memory grew over very many operations."""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from stress import memory, threads

SHARE_OF_THREADS = 0.6


def run_threads(seconds):
    seed = os.environ.get("STRESS_SEED", str(int(time.time())))
    print(f"{threads.THREADS} threads for {seconds:.0f} s, STRESS_SEED={seed}", flush=True)
    counts, failures = threads.stress(seconds, seed)
    for name, count in sorted(counts.items()):
        print(f"  {name:20} {count:10}")
    for failure in failures:
        print(f"  FAILED {failure}")
    return not failures


def run_memory(name, count):
    """One kind of operation, in a process of its own."""
    command = [sys.executable, "-m", "stress", "--kind", name, "--count", str(count)]
    return subprocess.run(command, cwd=Path(__file__).resolve().parents[1]).returncode == 0


def print_growth(name, count):
    count, growth, nanoseconds = memory.measure(name, count)
    excess = memory.too_much(growth)
    columns = "  ".join(f"{field} {growth[field]:+9}" for field in memory.ALLOWED)
    verdict = f"GREW: {', '.join(excess)}" if excess else "flat"
    print(f"  {name:18} {count:8} × {nanoseconds:8.0f} ns  {columns}  {verdict}", flush=True)
    return not excess


def main():
    parser = argparse.ArgumentParser(prog="make stress", description=__doc__)
    parser.add_argument("--seconds", type=float, default=240, help="how long, about")
    parser.add_argument("--kind", help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, default=10**6, help="operations of each kind")
    options = parser.parse_args()
    if options.kind:
        return 0 if print_growth(options.kind, options.count) else 1

    ok = run_threads(options.seconds * SHARE_OF_THREADS)
    end = time.monotonic() + options.seconds * (1 - SHARE_OF_THREADS)
    print("\nmemory, growth from a tenth of the operations to all of them")
    while True:
        for name in memory.KINDS:
            ok = run_memory(name, options.count) and ok
        if time.monotonic() > end:
            return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
