"""Flat memory: after very many operations of a kind, the process is where it was after a tenth of them."""

import gc
import os
import sys
import time
from dataclasses import dataclass

from lupa import LuaError, LuaRuntime
from lupa._lupa import _handles


class Thing:
    def method(self):
        return self


def echo(lua):
    return lua.eval("function(x) return x end")


def kind_call(lua):
    f = lua.eval("function(a, b) return a + b end")
    return lambda n: f(n, 1)


def kind_get_and_set(lua):
    table = lua.table_from({f"key{n}": n for n in range(100)})

    def operation(n):
        table[n % 100] = n
        table[f"key{n % 100}"] = table[n % 100]

    return operation


def kind_attributes(lua):
    g = lua.globals()

    def operation(n):
        g.x = n
        return g.x

    return operation


def kind_wrappers(lua):
    f = lua.eval("function() return {}, function() end end")
    return lambda n: f()


def kind_wrapped_objects(lua):
    f = echo(lua)
    return lambda n: f(Thing())


def kind_bound_methods(lua):
    f = lua.eval("function(f) return f() end")
    return lambda n: f(Thing().method)


def kind_callbacks(lua):
    f = lua.eval("function(f, n) return f(n) end")
    return lambda n: f(lambda x: x, n)


def kind_objects_used(lua):
    f = lua.eval("function(l, d, o) l[0] = d.x o.y = l[0] return o.y end")
    thing = Thing()
    return lambda n: f([n], {"x": n}, thing)


def kind_coroutines(lua):
    f = lua.eval("function(n) coroutine.yield(n) coroutine.yield({}) end")
    return lambda n: list(f.coroutine(n))


def kind_coroutines_left(lua):
    f = lua.eval("function(n) coroutine.yield(n) coroutine.yield({}) end")
    return lambda n: next(f.coroutine(Thing()))


def kind_lua_errors(lua):
    f = lua.eval("function(n) error({n}) end")

    def operation(n):
        try:
            f(n)
        except LuaError:
            pass

    return operation


def kind_python_errors(lua):
    f = lua.eval("function(f) f() end")

    def fail():
        raise KeyError(Thing())

    def operation(n):
        try:
            f(fail)
        except KeyError:
            pass

    return operation


def kind_errors_caught(lua):
    f = lua.eval("function(f) return pcall(f) end")

    def fail():
        raise KeyError(Thing())

    return lambda n: f(fail)


def kind_exits(lua):
    f = lua.eval("function(f) pcall(f) end")

    def leave():
        raise SystemExit(Thing())

    def operation(n):
        try:
            f(leave)
        except SystemExit:
            pass

    return operation


def kind_table_from(lua):
    source = {"list": [1, 2, 3], "text": "x", "thing": Thing(), 5: {"a": None}}
    return lambda n: lua.table_from(source, recursive=True)


def kind_iteration(lua):
    table = lua.table_from({"a": 1, "b": lua.table(), "c": Thing(), 4: "x"})

    def operation(n):
        list(table.items()), next(table.keys())

    return operation


def kind_python_iteration(lua):
    f = lua.eval(
        "function(l) local n = 0 for i, x in python.enumerate(l) do n = n + i end return n end"
    )
    return lambda n: f(Thing() for _ in range(4))


def kind_compile(lua):
    return lambda n: lua.execute(f"local x = {n % 1000} return function() return x + {n} end")


def kind_syntax_errors(lua):
    def operation(n):
        try:
            lua.compile(f"return {n} +")
        except LuaError:
            pass

    return operation


def kind_strings(lua):
    f = lua.eval("function(s) return s .. s end")
    return lambda n: f(f"text {n}")


def kind_long_strings(lua):
    f = lua.eval("function(s) return s .. 'x' end")
    return lambda n: f(f"{n}" * 500)


def kind_views(lua):
    f = lua.eval(
        "function(o) return python.as_attrgetter(o), python.as_itemgetter(o), python.as_function(o) end"
    )
    return lambda n: f(Thing())


def kind_runtimes(lua):
    def operation(n):
        other = LuaRuntime()
        other.globals().thing = Thing()
        other.eval("(...)()", lambda: other.table())
        if n % 2:
            other.close()

    return operation


# Operations that take long, and so are done less often: how many times less.
SLOWER = {"runtimes": 1000, "compile": 4, "syntax_errors": 4, "table_from": 4, "coroutines": 4, "python_iteration": 4,
          "long_strings": 4, "iteration": 4, "views": 4}  # fmt: skip
KINDS = {
    name[len("kind_") :]: make for name, make in list(globals().items()) if name.startswith("kind_")
}


@dataclass
class Level:
    """What is in use."""

    resident: int
    handles: int
    held: int
    blocks: int
    lua: int

    @classmethod
    def of(cls, lua):
        for _ in range(4):
            lua.gccollect()
            gc.collect()
        return cls(
            resident_bytes(),
            _handles(lua),
            # What Lua holds of Python is shown to Python's collector.
            len(gc.get_referents(lua)),
            sys.getallocatedblocks(),
            int(lua.eval("collectgarbage('count') * 1024")),
        )


def resident_bytes():
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        import resource

        # The highest so far, in bytes on macOS: what grows shows all the same.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


# By how much each may differ: pages and blocks that allocators keep; for Lua, a trace that is compiled later and a
# table that had to double.
ALLOWED = {"resident": 3_000_000, "handles": 0, "held": 0, "blocks": 500, "lua": 150_000}


def measure(name, count):
    """Do `count` operations after a tenth of them; the growth, and the nanoseconds each took."""
    count = max(count // SLOWER.get(name, 1), 20)
    lua = LuaRuntime()
    operation = KINDS[name](lua)
    for number in range(count // 10):
        operation(number)
    before = Level.of(lua)
    start = time.perf_counter()
    for number in range(count):
        operation(number)
    nanoseconds = (time.perf_counter() - start) / count * 1e9
    after = Level.of(lua)
    growth = {field: getattr(after, field) - getattr(before, field) for field in ALLOWED}
    return count, growth, nanoseconds


def too_much(growth):
    """The fields that grew by more than is allowed."""
    return [field for field, limit in ALLOWED.items() if growth[field] > limit]
