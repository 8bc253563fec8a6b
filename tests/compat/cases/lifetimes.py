"""What lives how long."""

import gc
import weakref


class Thing:
    pass


# %% a runtime can go
del lua
_ = gc.collect()

# %% a table outlives its runtime
runtime = LuaRuntime()
table = runtime.table(1, 2)
del runtime
_ = gc.collect()
list(table.values())

# %% a function outlives its runtime
runtime = LuaRuntime()
f = runtime.eval("function(x) return x + 1 end")
del runtime
_ = gc.collect()
f(1)

# %% a coroutine outlives its runtime
runtime = LuaRuntime()
co = runtime.eval("function() coroutine.yield(1) coroutine.yield(2) end").coroutine()
next(co)
del runtime
_ = gc.collect()
list(co)

# %% an iterator outlives its runtime
runtime = LuaRuntime()
it = runtime.table(1, 2).values()
del runtime
_ = gc.collect()
list(it)

# %% a Python object is kept by Lua
thing = Thing()
ref = weakref.ref(thing)
lua.globals().thing = thing
del thing
_ = gc.collect()
ref() is not None
lua.globals().thing = None
lua.gccollect()
_ = gc.collect()
ref() is None

# %% a Python object goes with its runtime
thing = Thing()
ref = weakref.ref(thing)
runtime = LuaRuntime()
runtime.globals().thing = thing
del thing, runtime
_ = gc.collect()
ref() is None

# %% a cycle between Python and Lua
thing = Thing()
ref = weakref.ref(thing)
runtime = LuaRuntime()
thing.table = runtime.table(thing)
del thing, runtime
_ = gc.collect()
_ = gc.collect()
ref() is None

# %% a Lua table is kept by Python
table = lua.eval("setmetatable({}, {__mode = 'v'})")
inner = lua.table()
table[1] = inner
lua.gccollect()
table[1] is not None
del inner
_ = gc.collect()
lua.gccollect()
table[1]

# %% weak tables let Python objects go
table = lua.eval("setmetatable({}, {__mode = 'v'})")
thing = Thing()
table[1] = thing
table[1] is thing
del thing
lua.gccollect()
lua.gccollect()
table[1]

# %% finalizers run
lua.execute(
    "seen = 0 local p = newproxy(true) getmetatable(p).__gc = function() seen = seen + 1 end"
)
lua.gccollect()
lua.gccollect()
lua.eval("seen")

# %% __del__ runs
deleted = []


class Loud:
    def __del__(self):
        deleted.append("deleted")


lua.eval("type(...)", Loud())
lua.gccollect()
lua.gccollect()
_ = gc.collect()
deleted

# %% __del__ that uses the runtime
deleted = []


class Loud:
    def __del__(self):
        deleted.append(lua.eval("1 + 1"))


lua.eval("type(...)", Loud())
lua.gccollect()
lua.gccollect()
_ = gc.collect()
deleted

# %% many objects
for i in range(5000):
    lua.eval("type(...)", Thing())
lua.gccollect()
lua.eval("1")

# %% many tables
tables = [lua.table(i) for i in range(5000)]
[t[1] for t in tables[::1000]]
del tables
_ = gc.collect()
lua.eval("1")

# %% many runtimes
for i in range(30):
    LuaRuntime().eval("1")

# %% many runtimes at once
runtimes = [LuaRuntime() for _ in range(30)]
sum(r.eval("...", i) for i, r in enumerate(runtimes))

# %% object ids are used again
results = set()
for i in range(3000):
    results.add(lua.eval("(...)[0]", [i % 7]))
sorted(results)

# %% functions made in a loop
calls = lua.eval("function(f, x) return f(x) end")
all(calls(lambda x, i=i: x + i, 1) == i + 1 for i in range(3000))

# %% the right function among short-lived ones
import collections

calls = lua.eval("function(f, x) return f(x) end")
wrong = 0
keep = collections.deque(maxlen=50)
for i in range(20000):

    def function(x, i=i):
        return x, i

    keep.append(function)
    try:
        wrong += calls(function, i) != (i, i)
    except Exception:
        wrong += 1
    if i % 1000 == 0:
        lua.gccollect()
wrong

# %% an event loop of callbacks
register, fire = lua.eval(
    """(function()
        local waiting = {}
        return function(f) waiting[#waiting + 1] = f end,
               function() local now = waiting waiting = {} for i = 1, #now do now[i]() end end
    end)()"""
)
wrong = [0]


def made(i):
    def call():
        if expected[0] != i:
            wrong[0] += 1
        expected[0] += 1

    return call


for tick in range(3000):
    expected = [0]
    for i in range(3):
        register(made(i))
    try:
        fire()
    except Exception:
        wrong[0] += 1
wrong[0]

# %% a runtime in a cycle
runtime = LuaRuntime()
thing = Thing()
ref = weakref.ref(thing)
thing.runtime = runtime
runtime.globals().f = lambda: thing
del thing, runtime
_ = gc.collect()
_ = gc.collect()
ref() is None
