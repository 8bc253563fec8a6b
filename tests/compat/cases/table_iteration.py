"""Iterating over tables in Python."""

# %% over an array
list(lua.eval("{10, 20, 30}"))
list(lua.eval("{10, 20, 30}").values())
list(lua.eval("{10, 20, 30}").items())

# %% keys
list(lua.eval("{10, 20}").keys())

# %% over names
sorted(lua.eval("{a = 1, b = 2}"))
sorted(lua.eval("{a = 1, b = 2}").items())
sorted(lua.eval("{a = 1, b = 2}").values())

# %% over both kinds
list(lua.eval("{10, 20, x = 30}").items())

# %% over nothing
list(lua.table()), list(lua.table().values()), list(lua.table().items())

# %% repr of iterators
repr(iter(lua.table()))[:24]
repr(lua.table().items())[:24]
type(lua.table().keys())

# %% iterators are iterators
keys = lua.table(1, 2).keys()
iter(keys) is keys
next(keys), next(keys)
next(keys)
next(keys)

# %% iterators have no length
len(lua.table(1, 2).keys())

# %% iterators are used up
values = lua.table(1, 2).values()
list(values), list(values)

# %% two iterators at once
table = lua.table("a", "b")
one, two = iter(table), iter(table)
next(one), next(one), next(two), next(two)
next(one)

# %% setting values while iterating
table = lua.table(1, 2, 3)
for key, value in table.items():
    table[key] = value * 10
list(table.values())

# %% deleting while iterating
table = lua.table(1, 2, 3)
for key in table:
    del table[key]
list(table)

# %% holes
list(lua.eval("{1, nil, 3}").items())

# %% nil values are left out
list(lua.eval("{a = nil}").items())

# %% an iterator outlives its table
import gc

values = lua.eval("{1, 2}").values()
_ = gc.collect()
lua.gccollect()
list(values)

# %% for loops and enumerate
[(i, v) for i, v in enumerate(lua.table("a", "b").values())]

# %% zip of two
list(zip(lua.table(1, 2).values(), lua.table("a", "b").values()))

# %% functions are not iterable
iter(lua.eval("print"))
for x in lua.eval("print"):
    pass

# %% userdata are not iterable
iter(lua.eval("io.stdout"))

# %% contains in a function
1 in lua.eval("print")

# %% sorted of mixed keys
sorted(lua.eval("{1, a = 2}"))

# %% max, min, sum
max(lua.table(1, 5, 3).values()), min(lua.table(4, 2).values()), sum(lua.table(1, 2).values())

# %% tables as keys
[lua_type(key) for key in lua.eval("{[{}] = 1}")]

# %% Python objects as values
thing = object()
next(lua.table(thing).values()) is thing

# %% None as value through python.none
list(lua.eval("{python.none, 2}").values())

# %% metamethods do not take part
list(
    lua.eval(
        "setmetatable({1}, {__pairs = function() error('no') end, __index = function() return 5 end})"
    ).items()
)

# %% an iterator of a table from a coroutine
table = next(lua.eval("function() coroutine.yield({1, 2}) end").coroutine())
list(table)

# %% weak reference to an iterator
import weakref

weakref.ref(iter(lua.table()))() is None

# %% the table is kept
import gc

it = lua.execute("local t = {} for i = 1, 100 do t[i] = i end return t").values()
_ = gc.collect()
sum(it)
