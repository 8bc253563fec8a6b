"""`python -m lupa`: options, scripts, and the prompt in a terminal."""

import os
import signal
import subprocess
import sys
import time

import pytest

import lupa

TIME_LIMIT = 60


def run(*args, stdin="", **options):
    process = subprocess.run(
        [sys.executable, "-m", "lupa", *map(str, args)],
        input=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=TIME_LIMIT,
        **options,
    )
    return process.returncode, process.stdout, process.stderr


@pytest.fixture
def script(tmp_path):
    def write(source):
        path = tmp_path / "script.lua"
        path.write_bytes(source if isinstance(source, bytes) else source.encode())
        return path

    return write


# --- options --------------------------------------------------------------------------------------


def test_code_on_the_command_line():
    assert run("-e", "x = 20", "-eprint(x + 1)") == (0, "21\n", "")


def test_code_comes_before_the_script(script):
    assert run("-e", "x = 1", script("print(x)")) == (0, "1\n", "")


def test_a_failing_chunk_ends_the_run(script):
    status, stdout, stderr = run(
        "-e", "error('first')", "-e", "print('second')", script("print('third')")
    )
    assert (status, stdout) == (1, "")
    assert stderr.startswith("lua: (command line):1: first\nstack traceback:\n")


def test_version():
    status, stdout, stderr = run("-v")
    assert (status, stderr) == (0, "")
    assert stdout.startswith(f"lupa {lupa.__version__}, LuaJIT 2.1.")


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help(option):
    status, stdout, stderr = run(option)
    assert (status, stderr) == (0, "")
    assert stdout.startswith("usage: python -m lupa [options] [script [args]]\n")


@pytest.mark.parametrize(
    "args, message",
    [
        (["-q"], "unrecognized option '-q'"),
        (["-e"], "'-e' needs argument"),
        (["--x"], "unrecognized option '--x'"),
    ],
)
def test_wrong_options(args, message):
    status, stdout, stderr = run(*args)
    assert (status, stdout) == (1, "")
    assert stderr.startswith(f"lua: {message}\nusage: ")


# --- scripts --------------------------------------------------------------------------------------


def test_arguments_of_a_script(script):
    path = script("print(select('#', ...), ...) print(#arg, arg[0], arg[1], arg[2], arg[3])")
    expected = f"2\t-e\ttwo words\n2\t{path}\t-e\ttwo words\tnil\n"
    assert run(path, "-e", "two words") == (0, expected, "")


def test_options_have_negative_indices_in_arg(script):
    path = script("print(arg[-2], arg[-1], arg[-4])")
    assert run("-e", "x = 1", path) == (0, "-e\tx = 1\tnil\n", "")


def test_two_dashes_end_the_options(tmp_path):
    (tmp_path / "-e").write_text("print('a script with an odd name')")
    assert run("--", "-e", cwd=tmp_path) == (0, "a script with an odd name\n", "")


def test_arguments_that_are_no_text(script):
    path = script("print(#..., (...):byte(1, -1))")
    process = subprocess.run(
        [sys.executable, "-m", "lupa", path, b"\xff\xfe"], capture_output=True, timeout=TIME_LIMIT
    )
    assert process.stdout == b"2\t255\t254\n"


def test_a_first_line_for_the_shell_is_skipped(script):
    status, stdout, stderr = run(script("#!/usr/bin/env lua\nprint(1)\nerror('x')"))
    assert (status, stdout) == (1, "1\n")
    assert "script.lua:3: x\n" in stderr


def test_scripts_in_bytecode(script):
    code = lupa.LuaRuntime(encoding=None).eval("string.dump(loadstring('print(...)'))")
    assert run(script(code), "works") == (0, "works\n", "")


def test_script_from_standard_input():
    assert run("-", "a", stdin="print(arg[0], ...)") == (0, "-\ta\n", "")
    assert run(stdin="print('alone', ...)") == (0, "alone\n", "")
    status, stdout, stderr = run(stdin="print(")
    assert (status, stdout) == (1, "")
    assert stderr.startswith("lua: error loading code: stdin:1: ")


def test_missing_script(tmp_path):
    path = tmp_path / "missing.lua"
    assert run(path) == (1, "", f"lua: cannot open {path}: No such file or directory\n")


def test_error_in_a_script(script):
    path = script("local function f() error('deep') end\nf()")
    status, stdout, stderr = run(path.name, cwd=path.parent)
    assert (status, stdout) == (1, "")
    assert stderr.startswith("lua: script.lua:1: deep\nstack traceback:\n")
    assert "script.lua:2: in main chunk" in stderr


def test_python_exception_in_a_script(script):
    status, stdout, stderr = run(script("python.builtins.int('no number')"))
    assert (status, stdout) == (1, "")
    assert stderr.endswith("ValueError: invalid literal for int() with base 10: 'no number'\n")
    assert "__main__.py" not in stderr


def test_exit_status_from_python(script):
    assert run(script("python.eval('__import__(\"sys\").exit(7)')")) == (7, "", "")


def test_exit_status_from_lua(script):
    assert run(script("print('printed') os.exit(3)")) == (3, "printed\n", "")
    assert run(script("os.exit()")) == (0, "", "")


# --- the prompt -----------------------------------------------------------------------------------


def prompt(stdin):
    """What the prompt prints for these lines, without the prompts and the greeting."""
    status, stdout, stderr = run("-i", stdin=stdin)
    assert status == 0
    return stdout.split("\n", 1)[1].replace(">> ", "").replace("> ", ""), stderr


def test_results_are_printed_as_lua_prints_them():
    assert prompt('1 + 1\n"a", nil, 2.5\nnil\n') == ("2\na\tnil\t2.5\nnil\n\n", "")


def test_statements_print_nothing():
    assert prompt("x = 3\nlocal y = 4\n-- a comment\n\nx, y\n") == ("3\tnil\n\n", "")


def test_old_habits_work():
    assert prompt("= 1 + 1\nreturn 3\n1;\n") == ("2\n3\n1\n\n", "")


def test_lines_continue_until_a_chunk_is_complete():
    assert prompt("function f(x)\nreturn 2 * x\nend\nf(4)\n") == ("8\n\n", "")
    assert prompt("(1 +\n2)\n") == ("3\n\n", "")
    assert prompt("s = [[a\nb]] #s\ns = [[a\nb]]\n#s\n")[0] == "3\n\n"


def test_errors_do_not_end_the_session():
    stdout, stderr = prompt("x x\nerror('boom')\nerror({})\npython.builtins.int('z')\n'alive'\n")
    assert stdout == "alive\n\n"
    assert "lua: stdin:1: '=' expected near 'x'\n" in stderr
    assert "lua: stdin:1: boom\nstack traceback:\n" in stderr
    assert "ValueError: invalid literal" in stderr


def test_the_script_comes_before_the_prompt(script):
    path = script("x = 5 error('and goes on')")
    status, stdout, stderr = run("-i", path, stdin="x\n")
    assert status == 0
    assert "> 5\n" in stdout
    assert "and goes on" in stderr


def test_leaving_the_prompt_with_a_status():
    assert run("-i", stdin="os.exit(4)\nprint('no')\n")[0] == 4


class Terminal:
    """A session in a pseudo-terminal."""

    def __init__(self, home):
        import pty

        self.screen = ""
        self.fd, child_fd = pty.openpty()
        env = dict(os.environ, HOME=str(home), TERM="dumb", INPUTRC=os.devnull)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lupa"],
            stdin=child_fd,
            stdout=child_fd,
            stderr=child_fd,
            env=env,
            start_new_session=True,
        )
        os.close(child_fd)

    def expect(self, text):
        """Wait until the text appears; take what is on the screen up to there off it."""
        import select

        end = time.monotonic() + TIME_LIMIT
        while text not in self.screen:
            assert time.monotonic() < end, self.screen
            if select.select([self.fd], [], [], 0.1)[0]:
                self.screen += os.read(self.fd, 4096).decode()
        before, _, self.screen = self.screen.partition(text)
        return before

    def type(self, text):
        os.write(self.fd, text.encode())

    def interrupt(self):
        # Python's readline module misses a signal while it is about to wait for the next key.
        time.sleep(0.3)
        self.process.send_signal(signal.SIGINT)

    def leave(self, prompt="> "):
        self.expect(prompt)
        self.type("\x04")
        assert self.process.wait(TIME_LIMIT) == 0
        os.close(self.fd)


@pytest.fixture
def terminal(tmp_path):
    pytest.importorskip("pty")
    pytest.importorskip("readline")
    started = []

    def start():
        started.append(Terminal(tmp_path))
        started[-1].expect("> ")
        return started[-1]

    yield start
    for session in started:
        session.process.kill()
        session.process.wait()


def test_a_terminal_gets_a_prompt(terminal):
    session = terminal()
    session.type("1 + 1\n")
    session.expect("\n2")
    session.leave()


def test_lines_can_be_edited(terminal):
    session = terminal()
    session.type("20 + 3\x01100 + \n")  # Ctrl-A: to the start of the line
    session.expect("\n123")
    session.leave()


def test_history_is_there_in_the_next_session(terminal, tmp_path):
    session = terminal()
    session.type("'remember' .. ' me'\n")
    session.expect("\nremember me")
    session.leave()
    assert (tmp_path / ".lupa_history").exists()

    session = terminal()
    session.type("\x10\n")  # Ctrl-P: the line before
    session.expect("\nremember me")
    session.leave()


def test_interrupt_at_the_prompt_drops_the_line(terminal):
    session = terminal()
    session.type("function f()\n")
    session.expect(">> ")
    session.type("garbage")
    session.expect("garbage")
    session.interrupt()
    session.expect("> ")
    session.type("3 * 3\n")
    session.expect("\n9")
    session.leave()


def test_interrupt_stops_what_is_running(terminal):
    session = terminal()
    session.type("print('go') while true do end\n")
    session.expect("\ngo")
    session.interrupt()
    session.expect("> ")
    session.type("3 * 3\n")
    session.expect("\n9")
    session.leave()


def test_prompts_can_be_changed(terminal):
    session = terminal()
    session.type("_PROMPT = 'say: ' _PROMPT2 = 'more: '\n")
    session.expect("\nsay: ")
    session.type("do\n")
    session.expect("\nmore: ")
    session.type("end\n")
    session.leave("say: ")
