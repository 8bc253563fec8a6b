"""Calls within calls."""

# %% Python calls Lua calls Python
lua.eval("(...)(1)", lambda x: lua.eval("... + 1", x))


# %% ten levels
def level(n):
    return n if n == 0 else lua.eval("(...)(select(2, ...))", level, n - 1)


level(10)


# %% fifty levels
def level(n):
    return 0 if n == 0 else 1 + lua.eval("(...)(select(2, ...))", level, n - 1)


level(50)

# %% results of the inner call do not disturb
lua.eval("1, (...)(), 3", lambda: lua.eval("'a', 'b'"))

# %% arguments of the outer call stay
lua.execute("local f, a, b = ... local r = f() return a, r, b", lambda: lua.eval("7, 8"), "a", "b")

# %% tables made inside
lua.eval("#(...)()", lambda: lua.eval("{1, 2}"))

# %% functions made inside
lua.eval("(...)()(5)", lambda: lua.eval("function(x) return x * 2 end"))

# %% tables changed inside
table = lua.table(1)


def change():
    table[1] = 5
    table.x = lua.table(2)


lua.execute("(...)()", change)
table[1], table.x[1]

# %% iterating inside
table = lua.table(1, 2, 3)
lua.eval("(...)()", lambda: sum(table.values()))

# %% iterating outside, calling inside
seen = []
for key, value in lua.table("a", "b").items():
    seen.append((key, lua.eval("... .. '!'", value)))
seen

# %% a coroutine resumed inside
co = lua.eval("function() coroutine.yield(1) coroutine.yield(2) end").coroutine()
lua.eval("(...)() + (...)()", lambda: next(co))

# %% compile inside
lua.eval("(...)()", lambda: lua.compile("return 5")())

# %% another runtime inside
other = LuaRuntime()
lua.eval("(...)()", lambda: other.eval("(...)()", lambda: lua.eval("'innermost'")))


# %% errors at each level
def call(n):
    if n == 0:
        lua.execute("error('deep', 0)")
    lua.eval("(...)(select(2, ...))", call, n - 1)


try:
    call(5)
except LuaError as error:
    print(str(error).partition("\n")[0])
lua.eval("1")


# %% errors caught at each level
def call(n):
    if n == 0:
        raise KeyError("deep")
    return lua.eval("pcall(...)", call, n - 1)


call(3)

# %% globals inside
lua.eval("(...)()", lambda: lua.globals().string.rep("x", 3))

# %% gc inside
import gc


def collect():
    gc.collect()
    lua.gccollect()
    return 1


lua.eval("(...)() + (...)()", collect)

# %% inside a metamethod
table = lua.eval(
    "setmetatable({}, {__index = python.as_function(...)})", lambda t, k: lua.eval("... .. '!'", k)
)
table.x, table["y"]

# %% inside gsub
lua.eval("string.gsub('abc', '.', python.as_function(...))", lambda c: lua.eval("(...):upper()", c))

# %% inside sort
table = lua.table(3, 1, 2)
lua.execute(
    "local t, f = ... table.sort(t, python.as_function(f))",
    table,
    lambda a, b: lua.eval("select(1, ...) < select(2, ...)", a, b),
)
list(table.values())

# %% inside an iterator
lua.execute(
    "for x in python.iter(...) do io.write(tostring(x), ' ') end print()",
    (lua.eval("... * 2", i) for i in range(3)),
)

# %% a Lua function inside a Python sort
sorted("bca", key=lua.eval("function(c) return c:byte() end"))


# %% a Python function inside a coroutine inside Python
def inner(x):
    return lua.eval("... * 10", x)


list(lua.eval("function(f) for i = 1, 3 do coroutine.yield(f(i)) end end").coroutine(inner))


# %% setting globals inside
def change():
    lua.execute("x = 5")


lua.execute("x = 1; (...)()", change)
lua.eval("x")

# %% nested tables through callbacks
lua.eval("(...)({1, {2, 3}})", lambda t: (t[1], t[2][1], t[2][2]))

# %% objects made in a coroutine are used after it
co = lua.eval("function() coroutine.yield({1, 2}, function() return 'f' end) end").coroutine()
table, f = next(co)
del co
import gc

_ = gc.collect()
lua.gccollect()
list(table.values()), f()

# %% objects made in a callback in a coroutine are used after it
kept = []
co = lua.eval(
    "function(keep) keep({1, 2}) keep(function() return 'f' end) coroutine.yield(1) end"
).coroutine(kept.append)
next(co)
del co
import gc

_ = gc.collect()
for _ in range(3):
    lua.gccollect()
lua.execute("local t = {} for i = 1, 1000 do t[i] = coroutine.create(function() end) end")
list(kept[0].values()), kept[1]()

# %% a coroutine calls Python calls Lua
co = lua.eval("function(f) for i = 1, 3 do coroutine.yield(f(i)) end end").coroutine(
    lambda x: lua.eval("{...}", x)
)
[t[1] for t in co]

# %% a coroutine calls Python, which calls a function made in the coroutine
co = lua.eval(
    """function(f)
        local function double(x) return 2 * x end
        coroutine.yield(f(double))
        coroutine.yield(f(double))
    end"""
).coroutine(lambda g: g(21))
list(co)

# %% functions made in a coroutine are called after it
kept = []
for _ in range(20):
    list(
        lua.eval(
            "function(keep) keep(function(x) return x + 1 end) coroutine.yield(1) end"
        ).coroutine(kept.append)
    )
import gc

_ = gc.collect()
for _ in range(3):
    lua.gccollect()
lua.execute("local t = {} for i = 1, 10000 do t[i] = coroutine.create(function() end) end")
sum(f(1) for f in kept)
