"""python.iter, iterex and enumerate."""


def numbers(code, *args):
    lua.execute("seen = {}")
    lua.execute(code, *args)
    return list(lua.eval("seen").values())


# %% iter over a list
numbers("for x in python.iter(...) do seen[#seen + 1] = x end", [1, 2, 3])

# %% iter over a dict
numbers("for x in python.iter(...) do seen[#seen + 1] = x end", {"a": 1, "b": 2})

# %% iter over a generator
numbers("for x in python.iter(...) do seen[#seen + 1] = x end", (i for i in range(3)))

# %% iter over nothing
numbers("for x in python.iter(...) do seen[#seen + 1] = x end", [])

# %% iter over a set
numbers("for x in python.iter(...) do seen[#seen + 1] = x end", {5})

# %% iter over a string
lua.execute("for x in python.iter(...) do end", "abc")

# %% iter over None in a list
lua.execute("for x in python.iter(...) do print(x) end", [1, None, 2])

# %% iter over False in a list
lua.execute("for x in python.iter(...) do print(x) end", [True, False, 0, ""])

# %% iter over something not iterable
lua.execute("for x in python.iter(...) do end", 5)
lua.execute("for x in python.iter(...) do end", object())

# %% iter over a Lua table
lua.execute("for x in python.iter({1}) do end")

# %% iter over nil
lua.execute("for x in python.iter(nil) do end")

# %% iter without arguments
lua.execute("python.iter()")

# %% iter with two arguments
lua.execute("python.iter(..., 1)", [])

# %% iter over tuples
lua.execute("for x, y in python.iter(...) do print(x, y) end", [(1, 2), (3, 4)])

# %% iter over tuples that are unpacked
unpacking = LuaRuntime(unpack_returned_tuples=True)
unpacking.execute("for x, y in python.iter(...) do print(x, y) end", [(1, 2), (3, 4)])

# %% iter over empty tuples that are unpacked
unpacking = LuaRuntime(unpack_returned_tuples=True)
unpacking.execute("for x in python.iter(...) do print(x) end", [(), (1,)])

# %% iter over tuples that begin with None and are unpacked
unpacking = LuaRuntime(unpack_returned_tuples=True)
unpacking.execute("for x, y in python.iter(...) do print(x, y) end", [(None, 2), (3, None)])


# %% iter over an iterator that raises
def values():
    yield 1
    raise KeyError("stop")


lua.execute("for x in python.iter(...) do print(x) end", values())


# %% iter over an iterator that raises, in pcall
def values():
    yield 1
    raise KeyError("stop")


lua.eval("pcall(function(g) for x in python.iter(g) do print(x) end end, ...)", values())


# %% iter over an iterable whose __iter__ raises
class Bad:
    def __iter__(self):
        raise ValueError("no")


lua.execute("for x in python.iter(...) do end", Bad())


# %% iter over an object with __getitem__
class Old:
    def __getitem__(self, index):
        if index > 2:
            raise IndexError
        return index * 10


lua.execute("for x in python.iter(...) do print(x) end", Old())

# %% iter over keys and values
data = {"a": 1, "b": 2}
lua.execute("for k in python.iter(...) do print(k) end", data.keys())
lua.execute("for v in python.iter(...) do print(v) end", data.values())

# %% iter over Lua's iterators
lua.execute("for x in python.iter(...) do print(x) end", lua.table(1, 2).values())

# %% iter over a coroutine
lua.execute(
    "for x in python.iter(...) do print(x) end",
    lua.eval("function() coroutine.yield(1) coroutine.yield(2) end").coroutine(),
)

# %% what iter returns
lua.eval("type(python.iter(...))", [])
lua.eval("select('#', python.iter(...))", [])
lua.eval("select(3, python.iter(...))", [])

# %% break in iter
data = iter([1, 2, 3])
lua.execute("for x in python.iter(...) do break end", data)
list(data)

# %% iter inside iter
lua.execute(
    "for x in python.iter(...) do for y in python.iter(...) do io.write(x * y, ' ') end end print()",
    [1, 2],
)

# %% iterex over pairs
lua.execute("for k, v in python.iterex(...) do print(k, v) end", {"a": 1, "b": 2}.items())

# %% iterex over other things
lua.execute("for x in python.iterex(...) do print(x) end", [1, 2])

# %% iterex over lists
lua.execute("for x, y in python.iterex(...) do print(x[0], y) end", [[1, 2]])

# %% iterex over tuples of different lengths
lua.execute("for x, y, z in python.iterex(...) do print(x, y, z) end", [(1,), (1, 2), (1, 2, 3)])

# %% iterex over tuples that begin with None
lua.execute("for x, y in python.iterex(...) do print(x, y) end", [(None, 1), (2, None)])

# %% iterex over empty tuples
lua.execute("for x in python.iterex(...) do print(x) end", [(), (1,)])

# %% iterex over None
lua.execute("for x in python.iterex(...) do print(x) end", [None, 1])

# %% iterex over named tuples
import collections

Point = collections.namedtuple("Point", "x y")
lua.execute("for x, y in python.iterex(...) do print(x, y) end", [Point(1, 2)])

# %% iterex over something not iterable
lua.execute("for x in python.iterex(...) do end", 5j)

# %% iterex with two arguments
lua.execute("python.iterex(..., 1)", [])

# %% iterex over a dict
lua.execute("for x in python.iterex(...) do print(x) end", {"a": 1})

# %% enumerate
lua.execute("for i, x in python.enumerate(...) do print(i, x) end", ["a", "b"])

# %% enumerate with a start
lua.execute("for i, x in python.enumerate(..., 5) do print(i, x) end", ["a", "b"])

# %% enumerate with a negative start
lua.execute("for i, x in python.enumerate(..., -1) do print(i, x) end", ["a", "b"])

# %% enumerate with a fraction as start
lua.execute("for i, x in python.enumerate(..., 1.5) do print(i, x) end", ["a", "b"])

# %% enumerate with a string as start
lua.execute("for i, x in python.enumerate(..., '3') do print(i, x) end", ["a"])

# %% enumerate with a wrong start
lua.execute("for i, x in python.enumerate(..., 'x') do print(i, x) end", ["a"])

# %% enumerate with a table as start
lua.execute("for i, x in python.enumerate(..., {}) do print(i, x) end", ["a"])

# %% enumerate with nil as start
lua.execute("for i, x in python.enumerate(..., nil) do print(i, x) end", ["a"])

# %% enumerate with three arguments
lua.execute("python.enumerate(..., 1, 2)", [])

# %% enumerate over None
lua.execute("for i, x in python.enumerate(...) do print(i, x) end", ["a", None, "b"])

# %% enumerate over tuples
lua.execute("for i, x in python.enumerate(...) do print(i, x[0]) end", [(1, 2)])

# %% enumerate over tuples that are unpacked
unpacking = LuaRuntime(unpack_returned_tuples=True)
unpacking.execute("for i, x, y in python.enumerate(...) do print(i, x, y) end", [(1, 2), (None, 3)])

# %% enumerate over nothing
lua.execute("for i, x in python.enumerate(...) do print(i, x) end", [])

# %% enumerate over something not iterable
lua.execute("for i, x in python.enumerate(...) do end", 5j)

# %% enumerate over a number
lua.execute("for i, x in python.enumerate(5) do end")


# %% enumerate over a generator that calls Lua
def values():
    for i in range(3):
        lua.eval("1, 2, 3")
        yield lua.eval("'v' .. ...", i)


lua.execute("for i, x in python.enumerate(...) do print(i, x) end", values())

# %% enumerate called by hand
lua.execute(
    "local f, s, i = python.enumerate(...) print(type(f), i) print(f(s, i)) print(f(s, 10))",
    ["a", "b"],
)

# %% iter called by hand
lua.execute(
    "local f, s, i = python.iter(...) print(type(f), i) print(f(s, i)) print(f(s, i)) print(f(s, i)) print(f(s, i))",
    ["a", "b"],
)

# %% the iterator is a Python object
lua.eval("select(2, python.iter(...))", [1])

# %% calling the iterator function with something else
lua.execute("local f = python.iter(...) f(5)", [])

# %% calling the iterator function with a list
lua.execute("local f = python.iter(...) f(...)", [1])

# %% pairs over a Python object
lua.execute("for k, v in pairs(...) do print(k, v) end", {"a": 1})

# %% ipairs over a Python object
lua.execute("for k, v in ipairs(...) do print(k, v) end", [1])

# %% an iterator in a coroutine
list(
    lua.eval("function(g) for x in python.iter(g) do coroutine.yield(x * 2) end end").coroutine(
        [1, 2, 3]
    )
)

# %% iterating through as_attrgetter
lua.execute("for x in python.iter(python.as_attrgetter(...)) do print(x) end", [1, 2])


# %% StopIteration of a function
def stop():
    raise StopIteration(5)


lua.eval("(...)()", stop)
