"""unpack_returned_tuples."""

unpacking = LuaRuntime(unpack_returned_tuples=True)

# %% off by default
lua.eval("select('#', (...)())", lambda: (1, 2, 3))
lua.eval("(...)()", lambda: (1, 2, 3))
lua.eval("type((...)())", lambda: (1, 2, 3))

# %% on
unpacking.eval("select('#', (...)())", lambda: (1, 2, 3))
unpacking.eval("(...)()", lambda: (1, 2, 3))

# %% empty tuples
unpacking.eval("select('#', (...)())", lambda: ())
unpacking.eval("(...)()", lambda: ())

# %% tuples of one
unpacking.eval("select('#', (...)())", lambda: (1,))

# %% None in tuples
unpacking.eval("(...)()", lambda: (None, 1, None))
unpacking.eval("select('#', (...)())", lambda: (None, None))

# %% tuples in tuples
unpacking.eval("(...)()", lambda: ((1, 2), 3))
unpacking.eval("type((...)())", lambda: ((1, 2), 3))

# %% lists stay
unpacking.eval("select('#', (...)())", lambda: [1, 2])

# %% named tuples
import collections

Point = collections.namedtuple("Point", "x y")
unpacking.eval("(...)()", lambda: Point(1, 2))

# %% tuples as arguments stay
unpacking.eval("select('#', ...)", (1, 2))
unpacking.eval("...", (1, 2))


# %% tuples from attributes stay
class Thing:
    pair = (1, 2)


unpacking.eval("(...).pair", Thing())
unpacking.eval("(function(...) return select('#', ...) end)((...).pair)", Thing())

# %% tuples from items stay
unpacking.eval("(...).pair[1]", {"pair": (1, 2)})

# %% methods
unpacking.eval("(...):partition('-')", as_attrgetter("a-b"))

# %% through as_function
unpacking.eval("select('#', python.as_function(...)())", lambda: (1, 2))

# %% through pcall
unpacking.eval("pcall(...)", lambda: (1, 2))

# %% values that cannot be converted
unpacking.eval("(...)()", lambda: (1, 2**70))
unpacking.eval("1")

# %% in a coroutine
list(unpacking.eval("function(f) coroutine.yield(f()) end").coroutine(lambda: (1, 2)))

# %% long tuples
unpacking.eval("select('#', (...)())", lambda: tuple(range(200)))

# %% very long tuples
unpacking.eval("select('#', (...)())", lambda: tuple(range(7000)))

# %% items of a dict
unpacking.execute("for k, v in python.iter(...) do print(k, v) end", {"a": 1}.items())
