"""The memory functions."""

# %% no limit is asked for
lua.get_max_memory(), lua.get_memory_used()
lua.get_max_memory(total=True), lua.get_memory_used(total=True)

# %% setting a limit later without one
lua.set_max_memory(1000000)

# %% setting a limit later without one by total
lua.set_max_memory(1000000, total=True)

# %% a limit
LuaRuntime(max_memory=1000000).get_max_memory()

# %% a limit in total
limited = LuaRuntime(max_memory=1000000)
limited.get_max_memory(total=True) > 1000000

# %% a limit by position
limited = LuaRuntime(max_memory=1000000)
limited.get_max_memory(False), limited.get_max_memory(True) > 1000000

# %% zero is no limit
LuaRuntime(max_memory=0).get_max_memory(total=True)

# %% zero is no limit, without the base
LuaRuntime(max_memory=0).get_max_memory()

# %% what is used
limited = LuaRuntime(max_memory=1000000)
limited.execute("kept = ('x'):rep(100000)")
100000 <= limited.get_memory_used() < 1000000

# %% what is used in total
limited = LuaRuntime(max_memory=1000000)
limited.get_memory_used(total=True) > limited.get_memory_used()

# %% set_max_memory
limited = LuaRuntime(max_memory=1000000)
limited.set_max_memory(2000000)
limited.get_max_memory()
limited.set_max_memory(3000000, total=True)
limited.get_max_memory(total=True)

# %% set_max_memory to zero
limited = LuaRuntime(max_memory=1000000)
limited.set_max_memory(0)
limited.get_max_memory(total=True)

# %% set_max_memory to a negative number
limited = LuaRuntime(max_memory=1000000)
try:
    limited.set_max_memory(-1)
except OverflowError:
    print("OverflowError")

# %% set_max_memory to a wrong type
limited = LuaRuntime(max_memory=1000000)
try:
    limited.set_max_memory("x")
except TypeError:
    print("TypeError")

# %% set_max_memory to None
limited = LuaRuntime(max_memory=1000000)
try:
    limited.set_max_memory(None)
except TypeError:
    print("TypeError")

# %% the limit is reached
limited = LuaRuntime(max_memory=1000000)
try:
    limited.execute("return ('x'):rep(1e8)")
except LuaMemoryError as error:
    print(isinstance(error, MemoryError), error)

# %% the limit is reached by a table
limited = LuaRuntime(max_memory=1000000)
try:
    limited.execute("local t = {} for i = 1, 1e8 do t[i] = {} end")
except LuaMemoryError:
    print("LuaMemoryError")
limited.eval("1 + 1")

# %% the limit is reached in pcall
limited = LuaRuntime(max_memory=1000000)
limited.eval("pcall(string.rep, 'x', 1e8)")

# %% the limit is reached when compiling
limited = LuaRuntime(max_memory=200000)
try:
    limited.execute("return '" + "x" * 1000000 + "'")
except LuaMemoryError:
    print("LuaMemoryError")

# %% the limit is reached by an argument
limited = LuaRuntime(max_memory=1000000)
try:
    limited.eval("#...", "x" * 10_000_000)
except LuaMemoryError:
    print("LuaMemoryError")
limited.eval("1 + 1")

# %% the limit is reached by a result [5 s]
limited = LuaRuntime(max_memory=1000000)
try:
    limited.eval("#(...)()", lambda: "x" * 10_000_000)
except LuaMemoryError:
    print("LuaMemoryError")
limited.eval("1 + 1")

# %% the limit is reached by table_from
limited = LuaRuntime(max_memory=1000000)
try:
    limited.table_from(range(1_000_000))
except LuaMemoryError:
    print("LuaMemoryError")
limited.eval("1 + 1")

# %% the limit is reached by setting an item
limited = LuaRuntime(max_memory=1000000)
try:
    limited.globals()["x"] = "x" * 10_000_000
except LuaMemoryError:
    print("LuaMemoryError")
limited.eval("1 + 1")

# %% the limit is reached in a coroutine
limited = LuaRuntime(max_memory=1000000)
co = limited.eval("function() coroutine.yield(1) return ('x'):rep(1e8) end").coroutine()
next(co)
try:
    next(co)
except LuaMemoryError:
    print("LuaMemoryError")

# %% a small limit
LuaRuntime(max_memory=1).eval("1")

# %% memory is given back
limited = LuaRuntime(max_memory=10_000_000)
limited.execute("kept = ('x'):rep(1e6)")
before = limited.get_memory_used()
limited.execute("kept = nil")
limited.gccollect()
before - limited.get_memory_used() > 900_000

# %% a limit that is lifted
limited = LuaRuntime(max_memory=1_000_000)
limited.set_max_memory(0)
limited.eval("#('x'):rep(1e7)")

# %% gccollect
lua.gccollect()

# %% gccollect frees objects
import gc
import weakref


class Thing:
    pass


thing = Thing()
ref = weakref.ref(thing)
lua.eval("type(...)", thing)
del thing
lua.gccollect()
lua.gccollect()
_ = gc.collect()
ref() is None

# %% nogc
with lua.nogc() as value:
    print(value)
    lua.execute("for i = 1, 1000 do local t = {} end")
lua.eval("1")

# %% the type of nogc
type(lua.nogc()).__name__

# %% nogc twice
with lua.nogc():
    with lua.nogc():
        lua.eval("1")

# %% nogc with an error inside
with lua.nogc():
    raise KeyError("inside")

# %% nogc stops the collector
lua.execute("local t = {} for i = 1, 1e4 do t[i] = {} end")
lua.gccollect()
before = lua.eval("collectgarbage('count')")
with lua.nogc():
    lua.execute("for i = 1, 2e5 do local s = {} end")
    lua.eval("collectgarbage('count')") - before > 1000

# %% collectgarbage in Lua
(
    lua.eval("type(collectgarbage('count'))"),
    lua.eval("collectgarbage()"),
    lua.eval("collectgarbage('step')"),
)

# %% many large temporaries
import weakref


class Big(bytearray):
    pass


# With much in the heap, Lua sees no reason to collect.
lua.execute("heap = {} for i = 1, 3e5 do heap[i] = {} end")
lua.gccollect()
refs = []
for _ in range(300):
    big = Big(1_000_000)
    refs.append(weakref.ref(big))
    lua.eval("type(...)", big)
    del big
sum(ref() is not None for ref in refs) < 100
