"""A Lua interpreter on the command line: ``python -m lupa``."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from lupa import LuaError, LuaRuntime, LuaSyntaxError, __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

USAGE = """\
usage: python -m lupa [options] [script [args]]
  -e CODE   run CODE; may be given several times
  -i        enter the prompt after running the script
  -v        show version information
  -h        show this text
  --        end of the options
  -         run what comes from standard input
Without a script and options, a terminal gets a prompt and other input is run as a script.
"""

# The prompt for a new statement and for the lines that go on with it; as in the stand-alone
# interpreter, the globals _PROMPT and _PROMPT2 change them.
PROMPT = "> "
PROMPT2 = ">> "

HISTORY_FILE = Path("~", ".lupa_history")
HISTORY_LENGTH = 1000


class Options(NamedTuple):
    """What the command line asks for."""

    code: list[str]
    interactive: bool
    version: bool
    help: bool
    # Where the script stands in sys.argv; its length if there is none.
    script: int


class UsageError(Exception):
    """The command line makes no sense."""


def parse_arguments(argv: list[str]) -> Options:
    """Read the options that stand before the script; what follows it belongs to the script."""
    code: list[str] = []
    flags: set[str] = set()
    index = 1
    while index < len(argv):
        argument = argv[index]
        if argument == "-" or not argument.startswith("-"):
            break
        index += 1
        if argument == "--":
            break
        if argument in ("-i", "-v", "-h", "--help"):
            flags.add(argument[:2] if argument != "--help" else "-h")
        elif argument.startswith("-e"):
            if argument != "-e":
                code.append(argument[2:])
            elif index < len(argv):
                code.append(argv[index])
                index += 1
            else:
                raise UsageError("'-e' needs argument")
        else:
            raise UsageError(f"unrecognized option '{argument}'")
    return Options(code, "-i" in flags, "-v" in flags, "-h" in flags, index)


class Interpreter:
    """One Lua runtime with a command line around it."""

    def __init__(self) -> None:
        self.lua = LuaRuntime()
        # Lua's own print shows the results, in Lua, so that nil and several values look as usual.
        self._show_results: Callable[[Any], None] = self.lua.execute(
            """
            local select = select
            local function show(...)
                if select("#", ...) > 0 then print(...) end
            end
            return function(chunk) show(chunk()) end
            """,
            name="=lupa",
        )

    def set_arguments(self, argv: list[str], script: int) -> None:
        """Set the global ``arg``: the script at index 0, its arguments after, options before it."""
        arg = self.lua.table()
        zero = script if script < len(argv) else 0
        for index, value in enumerate(argv):
            arg[index - zero] = os.fsencode(value)
        self.lua.globals()["arg"] = arg

    def run(self, code: bytes, name: str, *args: bytes) -> bool:
        """Run a chunk; report an error and return False if it ends with one."""
        try:
            self.lua.execute(code, *args, name=os.fsencode(name))
        except Exception as error:
            report(error)
            return False
        return True

    def run_script(self, argv: list[str], index: int) -> bool:
        """Run the script ``argv[index]`` (``-`` is standard input) with what follows it."""
        script = argv[index]
        try:
            if script == "-":
                code, name = sys.stdin.buffer.read(), "=stdin"
            else:
                code, name = Path(script).read_bytes(), "@" + script
        except OSError as error:
            print(f"lua: cannot open {script}: {error.strerror}", file=sys.stderr)
            return False
        return self.run(code, name, *map(os.fsencode, argv[index + 1 :]))

    def prompt(self) -> None:
        """Read statements and expressions, run them and show their results, until the end."""
        while True:
            try:
                chunk = self._read_chunk()
                if chunk is not None:
                    self._show_results(chunk)
            except EOFError:
                print()
                return
            except KeyboardInterrupt:
                # At the prompt it drops the line, in a running chunk it stops the chunk.
                print()
            except Exception as error:
                report(error)

    def _read_chunk(self) -> Any:
        """Read as many lines as it takes to make a chunk; None for an empty line."""
        source = self._read_line("_PROMPT", PROMPT)
        # Older interpreters wanted a "=" before an expression; hands remember.
        source = source[1:] if source.startswith("=") else source
        if not source.strip():
            return None
        while True:
            errors = []
            for compile_ in (self._compile_expression, self._compile):
                try:
                    return compile_(source)
                except LuaSyntaxError as error:
                    errors.append(error)
            if not any(str(error).endswith("near '<eof>'") for error in errors):
                raise errors[-1]
            source += "\n" + self._read_line("_PROMPT2", PROMPT2)

    def _compile_expression(self, source: str) -> Any:
        chunk = self._compile("return " + source)
        try:
            # In `return f()` the call replaces the chunk's frame, and errors would not name the
            # line that was typed.  As an argument it does not.
            return self._compile(f"return (function(...) return ... end)({source}\n)")
        except LuaSyntaxError:
            return chunk  # "1;" is fine after a return

    def _compile(self, source: str) -> Any:
        # What was typed may hold bytes that are no text; Python kept them by "surrogateescape".
        return self.lua.compile(source.encode("utf-8", "surrogateescape"), name="=stdin")

    def _read_line(self, name: str, default: str) -> str:
        sys.stdout.flush()
        prompt = self.lua.globals()[name]
        return input(default if prompt is None else str(prompt))


def report(error: Exception) -> None:
    """Print an error with its traceback."""
    sys.stdout.flush()
    if isinstance(error, LuaError):
        print(f"lua: {error}", file=sys.stderr)
    else:
        # A Python exception went through Lua: the frames of this module say nothing.
        frames = error.__traceback__
        while frames is not None and frames.tb_frame.f_globals is globals():
            frames = frames.tb_next
        traceback.print_exception(type(error), error, frames)


@contextmanager
def line_editing() -> Iterator[None]:
    """Give input() line editing and a history that the next session finds."""
    try:
        import readline  # noqa: PLC0415 (a prompt works without it, and Windows has none)
    except ImportError:
        yield
        return
    history = HISTORY_FILE.expanduser()
    try:
        readline.read_history_file(history)
    except OSError:
        pass  # the first session, or a history that another library wrote
    readline.set_history_length(HISTORY_LENGTH)
    # Lua has no names of files to complete; Tab is for indenting.
    libedit = "libedit" in (readline.__doc__ or "")
    readline.parse_and_bind("bind ^I ed-insert" if libedit else "tab: tab-insert")
    try:
        yield
    finally:
        try:
            readline.write_history_file(history)
        except OSError:
            pass  # a home directory that cannot be written: no history then


def main(argv: list[str]) -> int:
    """Do what the command line asks for; return the exit status."""
    try:
        options = parse_arguments(argv)
    except UsageError as error:
        print(f"lua: {error}\n{USAGE}", end="", file=sys.stderr)
        return 1
    if options.help:
        print(USAGE, end="")
        return 0

    interpreter = Interpreter()
    banner = f"lupa {__version__}, {interpreter.lua.lua_implementation}"
    has_script = options.script < len(argv)
    alone = not (has_script or options.code or options.version or options.interactive)
    prompting = options.interactive or (alone and sys.stdin.isatty())
    if options.version or prompting:
        print(banner, flush=True)

    interpreter.set_arguments(argv, options.script)
    for code in options.code:
        if not interpreter.run(os.fsencode(code), "=(command line)"):
            return 1
    if has_script:
        if not interpreter.run_script(argv, options.script) and not options.interactive:
            return 1
    elif alone and not prompting:
        return 0 if interpreter.run(sys.stdin.buffer.read(), "=stdin") else 1
    if prompting:
        with line_editing():
            interpreter.prompt()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv))
    except KeyboardInterrupt:
        print("lua: interrupted!", file=sys.stderr)
        sys.exit(130)  # what a shell reports for a program that Ctrl-C has ended
