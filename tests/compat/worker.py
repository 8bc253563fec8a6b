"""Run cases in the lupa of this interpreter, each like a session of the interactive prompt.

    python worker.py FOLDER < CASES

CASES is JSON: a list of [source, prelude] pairs.  Whatever case number N shows and prints, on the level of file
descriptors, so that Lua's own output counts too, goes to FOLDER/N.txt.  Its number is printed when it is done.
"""

import ast
import ctypes
import json
import os
import sys

from lupa import luajit21

NAMES = [
    "LuaError",
    "LuaMemoryError",
    "LuaRuntime",
    "LuaSyntaxError",
    "as_attrgetter",
    "as_itemgetter",
    "lua_type",
    "unpacks_lua_table",
    "unpacks_lua_table_method",
]
C_LIBRARY = ctypes.CDLL(None) if os.name == "posix" else ctypes.cdll.msvcrt


def flush():
    sys.stdout.flush()
    sys.stderr.flush()
    C_LIBRARY.fflush(None)


def name_of(cls):
    module = cls.__module__
    return cls.__qualname__ if module == "builtins" else f"{module}.{cls.__qualname__}"


def show(value):
    print(name_of(type(value)), repr(value))


def show_error(error):
    cls = type(error)
    bases = [name_of(base) for base in cls.__mro__[1:-1]]
    # Of Python's own exceptions everybody knows the bases.
    names = name_of(cls) if cls.__module__ == "builtins" else " < ".join([name_of(cls), *bases])
    print(f"raised {names}: {error}")
    for kind in ["__cause__", "__context__"]:
        if getattr(error, kind) is not None:
            print(f"  {kind} {name_of(type(getattr(error, kind)))}")


def run(source, namespace):
    """Run the statements of a case one by one, showing values and errors, whatever came before."""
    for statement in ast.parse(source).body:
        try:
            if isinstance(statement, ast.Expr):
                code = compile(ast.Expression(statement.value), "<case>", "eval")
                show(eval(code, namespace))
            else:
                exec(compile(ast.Module([statement], []), "<case>", "exec"), namespace)
        except BaseException as error:
            show_error(error)
        flush()


def main(folder):
    report = os.fdopen(os.dup(1), "w")
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    for number, (source, prelude) in enumerate(json.load(sys.stdin)):
        output = os.open(os.path.join(folder, f"{number}.txt"), os.O_WRONLY | os.O_CREAT)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        namespace = {name: getattr(luajit21, name) for name in NAMES}
        namespace.update(__name__="case", luajit21=luajit21, lua=luajit21.LuaRuntime())
        exec(prelude, namespace)
        run(source, namespace)
        # What its objects do when they go is part of the case.
        namespace.clear()
        flush()
        print(number, file=report, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
