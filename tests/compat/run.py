"""Compare this lupa with the one of PyPI, case by case: `make compat`.

A file in `cases` is a topic.  Each of its cells, which start with `# %% name`, is a case: a small session, run with
a new runtime `lua` in both implementations.  Compared are the values of its expressions with their types, the
errors with their classes and texts, and all that is printed.  What stands before the first cell runs before each.

`differences.toml` lists, by reason, the cases that may differ, with what either side gives.  Any other difference is a
failure; so is a listed case that has another outcome than the list says.
"""

import argparse
import collections
import concurrent.futures
import difflib
import json
import os
import pathlib
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = pathlib.Path(__file__).resolve().parent
CELL = re.compile(r"^# %% (?P<name>.+?)(?: \[(?P<limit>\d+) s\])?$", re.MULTILINE)
# How a transcript ends if the process does, and what the list says if it may do so in any way.
END = re.compile(r"^\[the process (hangs|died|ended).*\]$", re.MULTILINE)
ANY_END = "[the process dies or hangs]"
# Seconds that a case may take where its header says nothing.
LIMIT = 30

Case = collections.namedtuple("Case", "name source prelude limit")
Difference = collections.namedtuple("Difference", "row pypi here")


# --- the cases ---------------------------------------------------------------------------------


def read_cases(path):
    """The cases of a file, by name: `topic/name`."""
    text = path.read_text(encoding="utf-8")
    cells = list(CELL.finditer(text))
    ends = [cell.start() for cell in cells[1:]] + [len(text)]
    cases = {}
    for cell, end in zip(cells, ends):
        name = f"{path.stem}/{cell['name']}"
        if name in cases:
            raise ValueError(f"two cases are named {name}")
        source, prelude = text[cell.end() : end], text[: cells[0].start()]
        cases[name] = Case(name, source, prelude, int(cell["limit"] or LIMIT))
    return cases


def read_differences(path):
    """The rows of the list as they stand there, and the differences by the case's name."""
    rows = tomllib.loads(path.read_text(encoding="utf-8"))
    differences = {}
    for title, row in rows.items():
        if not row["cases"]:
            raise ValueError(f"no case shows the row {title!r}")
        for name, sides in row["cases"].items():
            if name in differences:
                raise ValueError(f"{name} is listed twice")
            differences[name] = Difference(title, sides["pypi"].strip(), sides["here"].strip())
    return rows, differences


# --- running them ------------------------------------------------------------------------------


def normalised(transcript):
    """A transcript without what differs from run to run: addresses."""
    return re.sub(r"0x[0-9a-f]+\b", "0x...", transcript)


def how_it_ended(status):
    if status is None:
        return "[the process hangs]"
    if status < 0:
        return f"[the process died: {signal.Signals(-status).name}]"
    return f"[the process ended: exit status {status}]"


class Worker:
    """A process that runs cases one after the other."""

    def __init__(self, python, cases, folder):
        self.folder = pathlib.Path(folder)
        self.process = subprocess.Popen(
            [python, "-X", "utf8", str(HERE / "worker.py"), folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=folder,
            encoding="utf-8",
        )
        self.process.stdin.write(json.dumps([(case.source, case.prelude) for case in cases]))
        self.process.stdin.close()
        self.done = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        with self.process.stdout as lines:
            for line in lines:
                self.done.put(line)
        self.done.put(None)

    def transcript(self, number, limit):
        """What case `number` showed, and whether the process lives on."""
        try:
            alive = self.done.get(timeout=limit) is not None
        except queue.Empty:
            alive, ending = False, how_it_ended(None)
            self.process.kill()
            self.process.wait()
        else:
            ending = "" if alive else how_it_ended(self.process.wait())
        output = self.folder / f"{number}.txt"
        text = output.read_text(encoding="utf-8", errors="backslashreplace")
        return normalised(text) + ending, alive


def run_cases(python, cases):
    """The transcripts of the cases.  One that ends its process leaves the others to a new one."""
    transcripts = []
    while len(transcripts) < len(cases):
        rest = cases[len(transcripts) :]
        with tempfile.TemporaryDirectory() as folder:
            worker = Worker(python, rest, folder)
            for number, case in enumerate(rest):
                text, alive = worker.transcript(number, case.limit)
                transcripts.append(text)
                if not alive:
                    break
            worker.process.wait()
    return transcripts


def run_in_both(pypi, here, cases):
    """The transcripts of PyPI's lupa and of this one, run at the same time."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return list(pool.map(run_cases, [pypi, here], [cases, cases]))


# --- judging and reporting ---------------------------------------------------------------------


def diff(old, new, from_name, to_name):
    lines = difflib.unified_diff(
        old.splitlines(), new.splitlines(), from_name, to_name, lineterm="", n=1
    )
    return "".join(f"    {line}\n" for line in lines)


def as_listed(expected, found):
    """Whether an outcome is the one of the list, where an end may be any."""
    return expected == found.strip() or (expected == ANY_END and END.search(found))


def complaint(case, pypi, here, listed):
    """What is wrong with the outcome of a case, or nothing."""
    if listed is None:
        return (
            "differs, and is not listed:\n" + diff(pypi, here, "PyPI", "here")
            if pypi != here
            else ""
        )
    if pypi == here:
        return f"is listed under {listed.row!r}, and does not differ"
    text = ""
    for side, expected, found in [("PyPI", listed.pypi, pypi), ("here", listed.here, here)]:
        if not as_listed(expected, found):
            text += f"has another outcome with {side} than the list says:\n"
            text += diff(expected, found.strip(), "listed", "found")
    return text


def quoted(text):
    """A string of TOML on one line."""
    return json.dumps(text, ensure_ascii=False)


def block(text):
    """A string of TOML on several lines, as it is, if it can stand so."""
    text = text.strip()
    if "'''" in text or not text.replace("\n", "").replace("\t", "").isprintable():
        return quoted(text)
    return f"'''\n{text}\n'''"


def rewrite(path, rows, transcripts):
    """Write the list anew with the transcripts of this run."""
    parts = []
    for title, row in rows.items():
        parts += [f"[{quoted(title)}]", f"pypi = {quoted(row['pypi'])}"]
        parts += [f"here = {quoted(row['here'])}", ""]
        for name in row["cases"]:
            pypi, here = transcripts[name]
            if row["cases"][name]["pypi"].strip() == ANY_END and END.search(pypi):
                pypi = ANY_END
            parts += [f"[{quoted(title)}.cases.{quoted(name)}]", f"pypi = {block(pypi)}"]
            parts += [f"here = {block(here)}", ""]
    path.write_text("\n".join(parts), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pypi", help="the interpreter that has PyPI's lupa")
    parser.add_argument("topics", nargs="*", help="run these topics alone")
    parser.add_argument("--show", action="store_true", help="print every transcript")
    parser.add_argument("--rewrite", action="store_true", help="write the listed outcomes anew")
    arguments = parser.parse_args()

    # Cases interrupt themselves; in the background of a shell they would inherit that SIGINT is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)

    # A worker has a folder of its own.  The link is what makes it a virtual environment.
    pypi_python = os.path.abspath(arguments.pypi)
    list_path = HERE / "differences.toml"
    rows, listed = read_differences(list_path)
    files = [
        path
        for path in sorted(HERE.glob("cases/*.py"))
        if not arguments.topics or path.stem in arguments.topics
    ]
    transcripts, complaints, start = {}, [], time.monotonic()
    print(f"{'topic':<20} {'cases':>5}  {'same':>5}  {'listed':>6}  {'wrong':>5}")
    for path in files:
        cases = read_cases(path)
        for case, pypi, here in zip(
            cases.values(), *run_in_both(pypi_python, sys.executable, list(cases.values()))
        ):
            transcripts[case.name] = pypi, here
            text = complaint(case, pypi, here, listed.get(case.name))
            if text:
                complaints.append((case.name, text))
            if arguments.show:
                print(f"--- {case.name}\n{pypi}" + ("" if pypi == here else f"--- here\n{here}"))
        differ = sum(name in listed for name in cases)
        wrong = sum(name in cases for name, _ in complaints)
        same = sum(transcripts[name][0] == transcripts[name][1] for name in cases)
        print(f"{path.stem:<20} {len(cases):>5}  {same:>5}  {differ:>6}  {wrong:>5}", flush=True)

    if arguments.rewrite:
        rewrite(list_path, rows, transcripts)
        return 0

    print("\nDeliberate differences:")
    for title, row in rows.items():
        count = sum(name in transcripts for name in row["cases"])
        print(f"  {count:>3}  {title}: {row['pypi']} -> {row['here']}")
    if not arguments.topics:
        complaints += [
            (name, "is listed, but there is no such case")
            for name in listed.keys() - transcripts.keys()
        ]
    for name, text in complaints:
        print(f"\n{name} {text}")
    print(f"\n{len(transcripts)} cases, {len(complaints)} wrong, {time.monotonic() - start:.0f} s")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
