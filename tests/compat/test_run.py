"""The comparison itself: what it reads, what it runs, and what it complains about."""

import importlib.util
import pathlib
import sys

import pytest

SPEC = importlib.util.spec_from_file_location("run", pathlib.Path(__file__).with_name("run.py"))
run = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(run)


@pytest.fixture
def cases(tmp_path):
    def read(text):
        path = tmp_path / "topic.py"
        path.write_text(text, encoding="utf-8")
        return run.read_cases(path)

    return read


def transcripts(cases):
    return run.run_cases(sys.executable, list(cases.values()))


def test_reading_cases(cases):
    read = cases("x = 1\n\n# %% first one\nx\n\n# %% second [5 s]\nx + 1\n")
    assert list(read) == ["topic/first one", "topic/second"]
    assert [case.source.strip() for case in read.values()] == ["x", "x + 1"]
    assert [case.limit for case in read.values()] == [run.LIMIT, 5]
    assert transcripts(read) == ["int 1\n", "int 2\n"]


def test_two_cases_of_one_name(cases):
    with pytest.raises(ValueError, match="topic/same"):
        cases("# %% same\n1\n# %% same\n2\n")


def test_a_transcript_shows_values_types_errors_and_output(cases):
    source = """# %% all of it
lua.eval("1, 'x'")
lua.execute("print('from Lua')")
lua.table()
raise KeyError("k")
lua.execute("error('x', 0)")
print("at the end")
"""
    assert transcripts(cases(source)) == [
        "tuple (1, 'x')\n"
        "from Lua\n"
        "NoneType None\n"
        "lupa.luajit21._LuaTable <Lua table at 0x...>\n"
        "raised KeyError: 'k'\n"
        "raised lupa.luajit21.LuaError < Exception < BaseException: x\n"
        "stack traceback:\n"
        '\t[string "<python>"]:1: in main chunk\n'
        "\t[C]: in function 'error'\n"
        "at the end\n"
        "NoneType None\n"
    ]


def test_cases_that_end_their_process(cases):
    source = """import os, time
# %% before
1
# %% dies
print("dying")
os.abort()
# %% leaves
os._exit(3)
# %% hangs [1 s]
print("waiting")
time.sleep(60)
# %% after
2
"""
    assert transcripts(cases(source)) == [
        "int 1\n",
        "dying\nNoneType None\n[the process died: SIGABRT]",
        "[the process ended: exit status 3]",
        "waiting\nNoneType None\n[the process hangs]",
        "int 2\n",
    ]


CASE = run.Case("topic/name", "", "", 1)
LISTED = run.Difference("a row", "old", "new")
LISTED_END = run.Difference("a row", run.ANY_END, "new")


@pytest.mark.parametrize(
    "pypi, here, listed, words",
    [
        ("same", "same", None, None),
        ("old\n", "new\n", LISTED, None),
        ("old", "new", None, "is not listed"),
        ("old", "old", LISTED, "'a row', and does not differ"),
        ("other", "new", LISTED, "another outcome with PyPI"),
        ("old", "newer", LISTED, "another outcome with here"),
        ("noise\n[the process died: SIGSEGV]", "new", LISTED_END, None),
        ("[the process hangs]", "new", LISTED_END, None),
        ("new", "new", LISTED_END, "does not differ"),
        ("old", "new", LISTED_END, "another outcome with PyPI"),
    ],
)
def test_complaints(pypi, here, listed, words):
    complaint = run.complaint(CASE, pypi, here, listed)
    assert words in complaint if words else complaint == ""


def test_a_list_that_is_wrong(tmp_path):
    path = tmp_path / "differences.toml"
    row = "[{}]\npypi = ''\nhere = ''\n"
    path.write_text(row.format("row") + "[row.cases]\n")
    with pytest.raises(ValueError, match="no case shows the row 'row'"):
        run.read_differences(path)
    case = "[{}.cases.'topic/name']\npypi = '1'\nhere = '2'\n"
    path.write_text("".join(row.format(name) + case.format(name) for name in ["one", "two"]))
    with pytest.raises(ValueError, match="topic/name is listed twice"):
        run.read_differences(path)


def test_rewriting_the_list(tmp_path):
    path = tmp_path / "differences.toml"
    path.write_text(
        "['a \"row\"']\npypi = 'x'\nhere = 'y'\n['a \"row\"'.cases.'t/one']\npypi = ''\nhere = ''\n"
    )
    rows, _ = run.read_differences(path)
    outcome = ("one\n\ttwo \\ '''", "\u20ac\0\U0001f600\n'x'")
    run.rewrite(path, rows, {"t/one": outcome})
    again, listed = run.read_differences(path)
    assert listed["t/one"] == ('a "row"', *outcome)
    assert again['a "row"']["here"] == "y"


def test_rewriting_keeps_that_an_end_may_be_any(tmp_path):
    path = tmp_path / "differences.toml"
    path.write_text(
        f"[row]\npypi = ''\nhere = ''\n[row.cases.'t/one']\npypi = '{run.ANY_END}'\nhere = ''\n"
    )
    for outcome, expected in [
        ("noise\n[the process hangs]", run.ANY_END),
        ("[the process died: SIGABRT]", run.ANY_END),
        ("int 1\n", "int 1"),
    ]:
        rows, _ = run.read_differences(path)
        run.rewrite(path, rows, {"t/one": (outcome, "int 2\n")})
        assert run.read_differences(path)[1]["t/one"] == ("row", expected, "int 2")
