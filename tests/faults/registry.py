"""What a case is, and the table of all cases."""

import functools
import importlib
import inspect
import sys
from dataclasses import dataclass
from typing import Any, Callable, Optional

TOPICS = (
    "metamethods",
    "entry_points",
    "exceptions",
    "tracebacks",
    "hostile",
    "forgery",
    "foreign",
    "closing",
    "shutdown",
    "forks",
    "recursion",
    "sizes",
    "lifetimes",
    "memory",
    "stopping",
    "differences",
)


@dataclass(frozen=True)
class Case:
    """One line of the table.

    The function returns when the right thing happened, and raises when not; what it returns is
    a note for the table. `limit` is how many seconds it may take before it counts as hung: far
    above what it needs, since machines are busy at times.
    """

    name: str
    what: str
    function: Callable[..., Any]
    row: Optional[tuple]
    limit: float
    # It uses what lupa 2.8 has not, so that there is nothing to compare with.
    new: bool
    # Pattern of what may stand on stderr; None for nothing at all.
    stderr: Optional[str]

    def run(self):
        return self.function() if self.row is None else self.function(*self.row)


CASES = {}


def case(what, *, each=None, rows=None, limit=60, new=False, stderr=None):
    """Put a function into the table.

    With the dict `each`, each of its rows is a case: the function gets its value. The rows of the
    dict `rows` are one case, for what is not so likely to end a process.
    """

    def add(function):
        if rows is not None:
            function = _for_all(rows, function)
        topic = function.__module__.rpartition(".")[2]
        base = f"{topic}.{function.__name__}"
        named = {base: None}
        if each is not None:
            named = {
                f"{base}[{key}]": value if isinstance(value, tuple) else (value,)
                for key, value in each.items()
            }
        for name, row in named.items():
            if name in CASES:
                raise ValueError(f"two cases are called {name}")
            CASES[name] = Case(name, what, function, row, limit, new, stderr)
        return function

    return add


def _for_all(rows, function):
    @functools.wraps(function)
    def for_all():
        for key, value in rows.items():
            try:
                function(*(value if isinstance(value, tuple) else (value,)))
            except BaseException:
                print(f"in the row {key!r}:", file=sys.stderr)
                raise
        return f"{len(rows)} rows"

    return for_all


def all_cases():
    """All cases, in the order of the topics."""
    for topic in TOPICS:
        importlib.import_module(f"faults.{topic}")
    return CASES


def find(name):
    """The case of this name; loads its topic alone."""
    importlib.import_module(f"faults.{name.partition('.')[0]}")
    return CASES[name]


def source_line(case):
    """Where the case stands, for messages."""
    return f"{inspect.getsourcefile(case.function)}:{inspect.unwrap(case.function).__code__.co_firstlineno}"
