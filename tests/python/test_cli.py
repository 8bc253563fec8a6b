"""The command line: python -m lupa with code, scripts, standard input and a prompt."""

import importlib.util
import os
import select
import signal
import sys
import time

import pytest

BOOM = "local function inner() error('boom') end\ninner()\n"


@pytest.fixture
def script(tmp_path):
    def write(text, name="script.lua"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


# -e


def test_code_on_the_command_line(run_lupa):
    result = run_lupa("-e", "print(1+1)")
    assert (result.returncode, result.stdout, result.stderr) == (0, "2\n", "")


def test_several_pieces_of_code_share_globals(run_lupa):
    result = run_lupa("-e", "x = 5", "-e", "print(x * 2)")
    assert result.lines == ["10"] and result.returncode == 0


def test_code_before_a_script(run_lupa, script):
    result = run_lupa("-e", "x = 'set before'", script("print(x, ...)"), "a", "b")
    assert result.lines == ["set before\ta\tb"]


def test_an_error_in_code(run_lupa):
    result = run_lupa("-e", "error('boom')")
    assert result.returncode == 1 and result.stdout == ""
    assert "boom" in result.stderr and "stack traceback:" in result.stderr


def test_a_syntax_error_in_code(run_lupa):
    result = run_lupa("-e", "x x")
    assert result.returncode == 1
    assert "'=' expected near 'x'" in result.stderr


def test_code_stops_at_the_first_error(run_lupa, script):
    result = run_lupa("-e", "error('boom')", "-e", "print('second')", script("print('script')"))
    assert result.returncode == 1 and result.stdout == ""


@pytest.mark.parametrize("arguments", [["-e"], ["--no-such-option"]], ids=" ".join)
def test_options_that_make_no_sense(run_lupa, arguments):
    result = run_lupa(*arguments)
    assert result.returncode != 0 and result.stdout == ""
    assert result.stderr != "" and "Traceback" not in result.stderr


# scripts


def test_a_script(run_lupa, script):
    result = run_lupa(script("io.write('out') io.stderr:write('err')"))
    assert (result.returncode, result.stdout, result.stderr) == (0, "out", "err")


def test_arguments_of_a_script(run_lupa, script):
    path = script("print(arg[0]) print(#arg, arg[1], arg[2]) print(select('#', ...), ...)")
    result = run_lupa(path, "first", "second one")
    assert result.lines == [str(path), "2\tfirst\tsecond one", "2\tfirst\tsecond one"]


def test_a_script_without_arguments(run_lupa, script):
    result = run_lupa(script("print(#arg, arg[1], select('#', ...))"))
    assert result.lines == ["0\tnil\t0"]


def test_arguments_that_look_like_options_belong_to_the_script(run_lupa, script):
    result = run_lupa(script("print(...)"), "-e", "print('no')", "--help")
    assert result.lines == ["-e\tprint('no')\t--help"]


def test_text_beyond_ascii(run_lupa, script):
    result = run_lupa(script("print(..., '\u20ac', #'\u20ac')"), "\u00e4")
    assert result.lines == ["\u00e4\t\u20ac\t3"]


def test_a_script_with_a_shebang(run_lupa, script):
    assert run_lupa(script("#!/usr/bin/env lupa\nprint('fine')")).lines == ["fine"]


def test_an_error_in_a_script(run_lupa, script):
    path = script(BOOM)
    result = run_lupa(path)
    assert result.returncode == 1 and result.stdout == ""
    assert f"{path.name}:1: boom" in result.stderr
    assert "stack traceback:" in result.stderr and f"{path.name}:2: in main chunk" in result.stderr


def test_a_syntax_error_in_a_script(run_lupa, script):
    result = run_lupa(script("x = 1\ny y\n"))
    assert result.returncode == 1
    assert "script.lua:2: '=' expected near 'y'" in result.stderr


def test_output_before_an_error_is_not_lost(run_lupa, script):
    result = run_lupa(script("print('before') error('boom')"))
    assert result.lines == ["before"] and result.returncode == 1


def test_a_missing_script(run_lupa, tmp_path):
    result = run_lupa(tmp_path / "missing.lua")
    assert result.returncode == 1 and "missing.lua" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_python_exception_in_a_script(run_lupa, script):
    result = run_lupa(script("python.eval('1 / 0')"))
    assert result.returncode == 1 and "ZeroDivisionError" in result.stderr


def test_a_script_has_python(run_lupa, script):
    assert run_lupa(script("print(python.builtins.len('abc'), python.eval('2 ** 10'))")).lines == [
        "3\t1024"
    ]


def test_a_script_from_standard_input(run_lupa):
    result = run_lupa("-", "a", "b", input="print('from stdin', ...)")
    assert result.lines == ["from stdin\ta\tb"] and result.returncode == 0


def test_standard_input_that_is_no_terminal(run_lupa):
    result = run_lupa(input="print('piped')")
    assert result.lines == ["piped"] and result.returncode == 0


def test_an_error_on_standard_input(run_lupa):
    result = run_lupa("-", input="error('boom')")
    assert result.returncode == 1 and "boom" in result.stderr


def test_a_script_reads_standard_input(run_lupa, script):
    assert run_lupa(script("print(io.read() .. '!')"), input="line\n").lines == ["line!"]


# the prompt


class Session:
    """A prompt on a terminal of its own."""

    def __init__(self, home):
        import pty

        self.output = ""
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            environment = dict(os.environ, HOME=str(home), TERM="dumb", PYTHONIOENCODING="utf-8")
            try:
                os.execvpe(sys.executable, [sys.executable, "-m", "lupa"], environment)
            finally:
                os._exit(127)

    def read_until(self, condition, again=b"", limit=60):
        """Read until condition(output) or the end of the output; fail after `limit` seconds.

        A key that can get lost is pressed `again` each second.
        """
        deadline = time.monotonic() + limit
        while not condition(self.output):
            if not select.select([self.terminal], [], [], 1)[0]:
                if time.monotonic() > deadline:
                    pytest.fail(f"the prompt did not answer: {self.output!r}")
                os.write(self.terminal, again)
                continue
            try:
                data = os.read(self.terminal, 65536)
            except OSError:  # Linux's way to say that the other side has gone
                data = b""
            if not data:
                break
            self.output += data.decode("utf-8", "replace").replace("\r\n", "\n")

    def wait_for_prompt(self, prompt="> "):
        self.read_until(lambda output: output.rpartition("\n")[2].endswith(prompt))

    def enter(self, text, prompt="> "):
        """Type a line; return what came back until the next prompt, without the line itself."""
        self.output = ""
        os.write(self.terminal, text.encode() + b"\n")
        self.read_until(lambda output: "\n" in output)
        self.wait_for_prompt(prompt)
        return self.output.split("\n")[1:-1]

    def end(self, key=b"\x04"):
        """Press a key (Ctrl-D) at the prompt; return the exit status.

        Before the prompt the terminal is in line mode: it would take the key for itself and lose it.
        """
        self.wait_for_prompt()
        os.write(self.terminal, key)
        self.read_until(lambda output: False)
        return self.wait()

    def wait(self):
        pid, self.pid = self.pid, None
        return os.waitpid(pid, 0)[1]

    def close(self):
        if self.pid is not None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()
        os.close(self.terminal)


if importlib.util.find_spec("pty"):

    @pytest.fixture
    def session(tmp_path):
        session = Session(tmp_path)
        try:
            session.wait_for_prompt()
            yield session
        finally:
            session.close()

    def test_the_prompt_prints_results(session):
        assert session.enter("1+1") == ["2"]
        assert session.enter("'a' .. 'b'") == ["ab"]
        assert session.enter("1, nil, 'c'") == ["1\tnil\tc"]
        assert session.enter("nil") == ["nil"]

    def test_the_prompt_runs_statements(session):
        assert session.enter("x = 20") == []
        assert session.enter("print('printed')") == ["printed"]
        assert session.enter("x + 1") == ["21"]
        assert session.enter("return x + 2") == ["22"]
        assert session.enter("") == []

    def test_the_prompt_knows_when_more_must_come(session):
        assert session.enter("function twice(x)") == []
        assert session.enter("  return 2 * x") == []
        assert session.enter("end") == []
        assert session.enter("twice(21)") == ["42"]
        assert session.enter("twice(") == []
        assert session.enter("4)") == ["8"]

    def test_errors_do_not_end_the_session(session):
        answer = "\n".join(session.enter("error('boom')"))
        assert "boom" in answer and "stack traceback:" in answer
        assert "expected near" in "\n".join(session.enter("x x"))
        assert "ZeroDivisionError" in "\n".join(session.enter("python.eval('1 / 0')"))
        assert session.enter("1+2") == ["3"]

    def test_the_end_of_the_input_ends_the_session(session):
        assert session.enter("1+1") == ["2"]
        assert session.end() == 0

    def test_ctrl_c_drops_the_line(session):
        os.write(session.terminal, b"unfinished(")
        session.read_until(lambda output: "unfinished(" in output)
        session.output = ""
        os.write(session.terminal, b"\x03")
        # Python's input() does not see a signal that comes right after a key.
        session.read_until(lambda output: "> " in output, again=b"\x03")
        os.write(session.terminal, b"1+2\n")
        session.read_until(lambda output: "\n3\n> " in output)
        assert session.end() == 0

    if importlib.util.find_spec("readline"):

        def test_the_prompt_has_a_history(session):
            assert session.enter("6 * 7") == ["42"]
            assert session.enter("\x10")[-1] == "42"  # Ctrl-P: the previous line

        def test_the_history_is_kept_for_the_next_session(session, tmp_path):
            assert session.enter("6 * 9") == ["54"]
            assert session.end() == 0
            following = Session(tmp_path)
            try:
                following.wait_for_prompt()
                assert following.enter("\x10")[-1] == "54"
            finally:
                following.close()
