"""Print the fault table; with --case, be the process of one case."""

import argparse
import signal
import sys

from faults import registry, runner


def run_here(name):
    """Run one case in this process; it ends as any program does, which belongs to the case."""
    note = registry.find(name).run()
    print("ok" if note is None else f"ok ({note})", flush=True)


def arguments():
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("pattern", nargs="?", default="", help="only cases with this in their name")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--list", action="store_true", help="names only")
    parser.add_argument("--python", default=sys.executable, help="the interpreter to test")
    parser.add_argument("--reference", help="an interpreter with lupa 2.8, for a second column")
    return parser.parse_args()


def main():
    options = arguments()
    if options.case:
        run_here(options.case)
        return 0
    cases = [case for case in registry.all_cases().values() if options.pattern in case.name]
    if options.list:
        print("\n".join(case.name for case in cases))
        return 0

    # Cases interrupt themselves; in the background of a shell they would inherit that SIGINT is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)

    reference = {}
    if options.reference:
        comparable = [case for case in cases if not case.new]
        reference = runner.run_all(comparable, options.reference)

    def report(case, outcome):
        columns = [f"{case.name:46} {case.what:66} {outcome.summary:28} {outcome.seconds:5.1f} s"]
        if reference:
            theirs = reference.get(case.name)
            columns.append(f"lupa 2.8: {theirs.summary[:50] if theirs else '-'}")
        print("  ".join(columns), flush=True)

    outcomes = runner.run_all(cases, options.python, report)
    failed = [name for name, outcome in outcomes.items() if not outcome.ok]
    for name in failed:
        print(f"\n=== {name}: {outcomes[name].summary}\n{outcomes[name].output}")
    print(f"\n{len(cases)} cases, {len(failed)} failed")
    if reference:
        theirs = sum(not outcome.ok for outcome in reference.values())
        print(f"lupa 2.8: {len(reference)} cases, {theirs} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
