"""What is timed: one row an operation, grouped as the report shows them.

An operation is a statement that a worker runs many times, as `timeit` does, after a preparation.
The preparation has `lupa`, the implementation under test, and `lua`, a fresh runtime of it.
Nothing here depends on which implementation that is.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass


@dataclass(frozen=True)
class Operation:
    """One row: what it is called, what is timed, what comes before, how many times it does it."""

    group: str
    name: str
    statement: str
    setup: str
    per: int
    threads: bool

    @property
    def key(self) -> str:
        return f"{self.group}/{self.name}"


OPERATIONS: list[Operation] = []


def group(
    title: str,
    *rows: tuple[str, str] | tuple[str, str, str],
    setup: str = "",
    per: int = 1,
    threads: bool = False,
) -> None:
    """Add rows of (name, statement) or (name, statement, setup of its own)."""
    for name, statement, *own in rows:
        whole = "\n".join(textwrap.dedent(part).strip() for part in (setup, *own))
        OPERATIONS.append(Operation(title, name, statement, whole, per, threads))


# --- calls from Python ------------------------------------------------------------------------

group(
    "Call Lua from Python",
    ("no argument", "f()"),
    ("1 int", "f(1)"),
    ("3 ints", "f(1, 2, 3)"),
    ("1 float", "f(1.5)"),
    ("1 bool", "f(True)"),
    ("1 str of 16", "f(text)"),
    ("3 strs of 16", "f(text, text, text)"),
    ("1 str not ASCII", "f(accents)"),
    ("1 Lua table", "f(table)"),
    ("1 object, known to Lua", "f(known)"),
    ("1 object, new", "f(object())"),
    ("1 int → 1 int", "same(1)"),
    ("3 ints → 3 ints", "same3(1, 2, 3)"),
    ("→ float", "half()"),
    ("→ str of 16", "word()"),
    ("→ Lua table, kept", "give_table()"),
    ("→ Lua table, new", "new_table()"),
    ("→ Lua function", "give_function()"),
    ("→ object", "give_object()"),
    setup="""
        f = lua.eval("function() end")
        same = lua.eval("function(a) return a end")
        same3 = lua.eval("function(a, b, c) return a, b, c end")
        half = lua.eval("function() return 0.5 end")
        word = lua.eval("function() return 'sixteen letters.' end")
        new_table = lua.eval("function() return {} end")
        text, accents, table = "sixteen letters!", "sixtéén lettèrs!", lua.table()
        known = object()
        keep = lua.execute("kept = ...", known)
        give_object = lua.eval("function() return kept end")
        give_table, give_function = lua.execute('''
            local t, f = {}, function() end
            return function() return t end, function() return f end
        ''')
    """,
)

# --- tables from Python -----------------------------------------------------------------------

group(
    "Tables from Python",
    ("t['x']", "t['x']"),
    ("t.x", "t.x"),
    ("t[2]", "t[2]"),
    ("t['word'], a str", "t['word']"),
    ("t.nothing, a missing key", "t.nothing"),
    ("t.sub, a table", "t.sub"),
    ("t.sub.x", "t.sub.x"),
    ("t.f, a function", "t.f"),
    ("t.f(), no result", "t.f()"),
    ("t['x'] = 5", "t['x'] = 5"),
    ("t.x = 5", "t.x = 5"),
    ("t[2] = 5", "t[2] = 5"),
    ("t['word'] = str", "t['word'] = text"),
    ("set and del", "t['new'] = 1; del t['new']"),
    ("'x' in t, 8 keys", "'x' in t"),
    ("len(t)", "len(t)"),
    ("inherits.x, by __index", "inherits.x"),
    ("proxy.x = 1, by __newindex", "proxy.x = 1"),
    ("lua.globals().x", "lua.globals().x"),
    ("lua.table()", "lua.table()"),
    ("lua.table(1, 2, 3)", "lua.table(1, 2, 3)"),
    ("lua.table(a=1, b=2)", "lua.table(a=1, b=2)"),
    ("lupa.lua_type(t)", "lupa.lua_type(t)"),
    setup="""
        t = lua.eval('''
            {10, 20, 30, x = 1, y = 2, word = 'sixteen letters.', sub = {x = 1}, f = function() end}
        ''')
        inherits = lua.eval("setmetatable({}, {__index = {x = 1}})")
        proxy = lua.eval("setmetatable({}, {__newindex = function() end})")
        lua.execute("x = 1")
        text = "sixteen letters!"
    """,
)

group(
    "Iterate over a table of 1000, per item",
    ("keys, ints", "for _ in numbers: pass"),
    ("values, ints", "for _ in numbers.values(): pass"),
    ("items, ints", "for _ in numbers.items(): pass"),
    ("keys, strs", "for _ in names: pass"),
    ("values, strs", "for _ in words.values(): pass"),
    ("items, str and int", "for _ in names.items(): pass"),
    ("list(t.values())", "list(numbers.values())"),
    ("dict(t.items())", "dict(names.items())"),
    ("values, tables", "for _ in tables.values(): pass"),
    setup="""
        numbers = lua.table_from(range(1000))
        words = lua.table_from([f"word {i}" for i in range(1000)])
        names = lua.table_from({f"name {i}": i for i in range(1000)})
        tables = lua.table_from([lua.table() for _ in range(1000)])
    """,
    per=1000,
)

group(
    "lua.table_from, per item of 1000",
    ("list of ints", "lua.table_from(ints)"),
    ("list of floats", "lua.table_from(floats)"),
    ("list of strs", "lua.table_from(words)"),
    ("dict of str to int", "lua.table_from(names)"),
    ("generator", "lua.table_from(i for i in ints)"),
    ("100 lists of 10, recursive", "lua.table_from(lists, recursive=True)"),
    ("100 dicts of 10, recursive", "lua.table_from(dicts, recursive=True)"),
    setup="""
        ints = list(range(1000))
        floats = [i + 0.5 for i in ints]
        words = [f"word {i}" for i in ints]
        names = {f"name {i}": i for i in ints}
        lists = [list(range(10)) for _ in range(100)]
        dicts = [{f"name {i}": i for i in range(10)} for _ in range(100)]
    """,
    per=1000,
)

# --- Python from Lua --------------------------------------------------------------------------

# Each statement calls a Lua function that does the operation 1000 times.
group(
    "Use Python from Lua",
    ("f(), a function", "none(nothing)"),
    ("f(1)", "one(identity)"),
    ("f(1, 2, 3)", "three(many)"),
    ("f(str) → str", "string(identity)"),
    ("f(t), a Lua table", "table(nothing_of)"),
    ("f() → object", "none(give)"),
    ("f() → tuple", "none(give_tuple)"),
    ("abs(i), a builtin", "one(abs)"),
    ("len(str), a builtin", "string(len)"),
    ("o.method(), bound", "none(thing.method)"),
    ("o:method()", "method(thing)"),
    ("Class()", "none(Thing)"),
    ("o.x", "attribute(thing)"),
    ("o.x = i", "set_attribute(thing)"),
    ("o.attribute, a name as they are", "named(thing)"),
    ("o.attribute = i", "set_named(thing)"),
    ("list[i]", "item(python_list)"),
    ("list[i] = i", "set_item(python_list)"),
    ("dict.x, an item", "attribute(python_dict)"),
    ("dict.x = i, an item", "set_attribute(python_dict)"),
    ("dict.attribute, an item", "named(python_dict)"),
    ("as_attrgetter(o).x", "attributes(thing)"),
    ("as_itemgetter(dict).x", "items(python_dict)"),
    ("f(python.args{1, b = 2})", "arguments(keywords)"),
    ("o == o", "equal(thing)"),
    ("tostring(o)", "to_string(thing)"),
    ("python.builtins.len", "builtins()"),
    ("pcall(f) that raises", "caught(fails)"),
    setup="""
        loop = lambda body: lua.eval("function(o) for i = 1, 1000 do %s end end" % body)
        none, one, three = loop("o()"), loop("o(i)"), loop("o(1, 2, 3)")
        string, table = loop("o('sixteen letters.')"), lua.execute(
            "local t = {} return function(o) for i = 1, 1000 do o(t) end end")
        method = loop("o:method()")
        attribute, set_attribute = loop("local _ = o.x"), loop("o.x = i")
        named, set_named = loop("local _ = o.attribute"), loop("o.attribute = i")
        item, set_item = loop("local _ = o[i]"), loop("o[i] = i")
        attributes = loop("local _ = python.as_attrgetter(o).x")
        items = loop("local _ = python.as_itemgetter(o).x")
        arguments = loop("o(python.args{1, b = 2})")
        equal, to_string = loop("local _ = o == o"), loop("tostring(o)")
        builtins, caught = loop("local _ = python.builtins.len"), loop("pcall(o)")

        class Thing:
            x = attribute = 1
            def method(self): pass
            def __str__(self): return "thing"

        thing = Thing()
        python_list, python_dict = list(range(1001)), {"x": 1, "attribute": 1}
        def nothing(): pass
        def nothing_of(a): pass
        def identity(a): return a
        def many(a, b, c): pass
        def give(): return thing
        def give_tuple(): return pair
        def keywords(a, b): pass
        def fails(): raise ValueError("no")
        pair = (1, 2)
    """,
    per=1000,
)

group(
    "Iterate over Python objects in Lua, per item of 1000",
    ("python.iter(list)", "count(values)"),
    ("python.iter(strs)", "count(words)"),
    ("python.iterex(pairs)", "count_pairs(pairs)"),
    ("python.enumerate(list)", "enumerate_all(values)"),
    ("python.iter(generator)", "count(i for i in values)"),
    setup="""
        loop = lambda how: lua.eval(
            "function(o) local n = 0 for a, b in python.%s(o) do n = n + 1 end return n end" % how)
        count, count_pairs, enumerate_all = loop("iter"), loop("iterex"), loop("enumerate")
        values = list(range(1, 1001))
        words = [f"word {i}" for i in values]
        pairs = [(i, i) for i in values]
    """,
    per=1000,
)

# --- coroutines -------------------------------------------------------------------------------

group(
    "Coroutines",
    ("create and drop", "squares.coroutine(3)"),
    ("create, 3 items, end", "for _ in squares.coroutine(3): pass"),
    ("send(int) → int", "send(1)"),
    ("next()", "next(endless)"),
    setup="""
        squares = lua.eval("function(n) for i = 1, n do coroutine.yield(i * i) end end")
        echo = lua.eval("function(x) while true do x = coroutine.yield(x) end end").coroutine(0)
        next(echo)
        send = echo.send
        endless = lua.eval("function() while true do coroutine.yield(1) end end").coroutine()
    """,
)
group(
    "Coroutines",
    (
        "iterate, per item of 1000",
        "for _ in squares.coroutine(1000): pass",
        'squares = lua.eval("function(n) for i = 1, n do coroutine.yield(i * i) end end")',
    ),
    per=1000,
)

# --- code -------------------------------------------------------------------------------------

group(
    "Code and runtimes",
    ("eval('1 + 1')", "lua.eval('1 + 1')"),
    ("eval('...', 1)", "lua.eval('...', 1)"),
    ("execute('x = 1')", "lua.execute('x = 1')"),
    ("compile('return 1 + 1')", "lua.compile('return 1 + 1')"),
    ("compile, 100 lines", "lua.compile(program)"),
    ("LuaRuntime()", "lupa.LuaRuntime()"),
    setup="""
        line = "local function f{0}(a, b) if a > b then return a else return b + {0} end end"
        program = "\\n".join(line.format(i) for i in range(100))
    """,
)

# --- strings ----------------------------------------------------------------------------------

group(
    "Long strings",
    ("1 kB str to Lua", "f(short)"),
    ("1 kB str to Python", "give_short()"),
    ("1 MB str to Lua", "f(text)"),
    ("1 MB str to Python", "give_text()"),
    ("1 MB bytes to Lua", "f_bytes(binary)"),
    ("1 MB bytes to Lua, each another", "f_bytes(next(binaries))"),
    ("1 MB bytes to Python", "give_binary()"),
    ("1 MB str to Lua, not ASCII", "f(accents)"),
    ("1 MB str to Python, not ASCII", "give_accents()"),
    setup="""
        f = lua.eval("function() end")
        short, text, accents = "x" * 1000, "x" * 1000000, "é" * 500000
        keep = lua.eval("function(s) return function() return s end end")
        give_short, give_text, give_accents = keep(short), keep(text), keep(accents)
        raw = lupa.LuaRuntime(encoding=None)
        f_bytes = raw.eval(b"function() end")
        binary = bytes(range(250)) * 4000
        from itertools import cycle
        binaries = cycle([bytes([i]) * (1000000 + i) for i in range(20)])
        give_binary = raw.eval(b"function(s) return function() return s end end")(binary)
    """,
)

# --- errors -----------------------------------------------------------------------------------

group(
    "Errors",
    ("error('x') to Python", "expect(lupa.LuaError, fails)"),
    ("error('x'), 10 frames deep", "expect(lupa.LuaError, deep)"),
    ("syntax error", "expect(lupa.LuaSyntaxError, lua.compile, 'x x')"),
    ("Python → Lua → Python that raises", "expect(ValueError, relay, raises)"),
    ("missing Python attribute", "expect(AttributeError, attribute, thing)"),
    setup="""
        def expect(kind, function, *args):
            try:
                function(*args)
            except kind:
                return
            raise AssertionError("no error")

        def raises(): raise ValueError("no")
        thing = object()
        attribute = lua.eval("function(o) return o.missing end")
        fails = lua.eval("function() error('x') end")
        relay = lua.eval("function(f) f() return 1 end")
        deep = lua.execute('''
            local function f(n) if n == 0 then error('x') end return 1 + f(n - 1) end
            return function() return f(10) end
        ''')
    """,
)

# --- work in Lua ------------------------------------------------------------------------------

group(
    "Work inside Lua",
    ("numeric kernel", "kernel(100000)"),
    ("string kernel", "strings(1000)"),
    ("table kernel", "tables(1000)"),
    ("1000 errors, caught", "errors(1000)"),
    ("a table of 20,000 numbers", "numbers(20000)"),
    ("a string of 1 MB", "long(1000000)"),
    setup="""
        numbers = lua.eval("function(n) local t = {} for i = 1, n do t[i] = i end return #t end")
        long = lua.eval("function(n) x = (x or 0) + 1 return #(('x'):rep(n) .. x) end")
        errors = lua.eval("function(n) for i = 1, n do pcall(error, 'x') end end")
        kernel = lua.eval('''
            function(n)
                local sum = 0
                for i = 1, n do sum = sum + i % 7 * 0.5 end
                return sum
            end
        ''')
        strings = lua.eval('''
            function(n)
                local parts = {}
                for i = 1, n do parts[i] = ("%d:%s"):format(i, ("x"):rep(i % 10)) end
                return #table.concat(parts):gsub("x+", "y")
            end
        ''')
        tables = lua.eval('''
            function(n)
                local t = {}
                for i = 1, n do t[i] = {key = (i * 7919) % n} end
                table.sort(t, function(a, b) return a.key < b.key end)
                return #t
            end
        ''')
    """,
)

group(
    "Two threads",
    ("numeric kernel, two runtimes", "list(threads.map(run, kernels))"),
    ("1000 calls each, two runtimes", "list(threads.map(call, functions))"),
    setup="""
        from concurrent.futures import ThreadPoolExecutor
        threads = ThreadPoolExecutor(2)
        runtimes = lua, lupa.LuaRuntime()
        kernels = [r.eval(
            "function(n) local sum = 0 for i = 1, n do sum = sum + i % 7 * 0.5 end return sum end"
        ) for r in runtimes]
        functions = [r.eval("function(a) return a end") for r in runtimes]
        def run(kernel): return kernel(200000)
        def call(function):
            for i in range(1000): function(i)
    """,
    threads=True,
)

# The last ones, since the thread that waits stays.
group(
    "Call Lua while another Python thread waits",
    ("no argument", "f()"),
    ("3 ints", "f(1, 2, 3)"),
    ("1 str of 16", "f(text)"),
    ("→ Lua table, new", "new_table()"),
    setup="""
        import threading
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        f, text = lua.eval("function() end"), "sixteen letters!"
        new_table = lua.eval("function() return {} end")
    """,
)


def select(patterns: list[str]) -> list[Operation]:
    """The operations whose group and name contain one of the patterns, or all if there is none."""
    found = [
        operation
        for operation in OPERATIONS
        if not patterns or any(p.lower() in operation.key.lower() for p in patterns)
    ]
    if not found:
        raise SystemExit(f"no operation is called like {patterns}")
    return found
