"""table and table_from."""


class Map:
    """A mapping that is no dict."""

    def __init__(self, data):
        self.data = data

    def keys(self):
        return self.data.keys()

    def __getitem__(self, key):
        return self.data[key]


# %% a dict
sorted(lua.table_from({"a": 1, "b": 2}).items())

# %% a list
list(lua.table_from([1, "x", None, 4]).items())

# %% a tuple, a range, a set
list(lua.table_from((1, 2)).items())
list(lua.table_from(range(3)).values())
list(lua.table_from({5}).values())

# %% a generator
list(lua.table_from(i * i for i in range(4)).values())

# %% a string
list(lua.table_from("abc").values())

# %% bytes
list(lua.table_from(b"abc").values())

# %% several
table = lua.table_from([1, 2], {"a": 3}, [4])
sorted(table.values()), table[3], len(table)

# %% nothing
list(lua.table_from())
list(lua.table_from([]))
list(lua.table_from({}))

# %% later ones win
lua.table_from({"a": 1}, {"a": 2}).a

# %% a Lua table
source = lua.eval("{1, 2, a = 3}")
table = lua.table_from(source)
table[1], table[2], table.a, lua.eval("select(1, ...) == select(2, ...)", table, source)

# %% a Lua table after a list
list(lua.table_from([1, 2, 3], lua.table(10)).items())

# %% a Lua table of another runtime
lua.table_from(LuaRuntime().table(1))

# %% views of a Lua table
list(lua.table_from(lua.table(5, 6).values()).values())
lua.table_from(lua.table(a=1).items())[1]

# %% a Mapping
import collections
import types

sorted(lua.table_from(collections.OrderedDict(a=1)).items())
sorted(lua.table_from(collections.ChainMap({"a": 1}, {"b": 2})).items())
sorted(lua.table_from(types.MappingProxyType({"a": 1})).items())

# %% something like a mapping
list(lua.table_from(Map({"a": 1})))

# %% something that cannot be iterated
lua.table_from(5)

# %% None
lua.table_from(None)

# %% None as key
lua.table_from({None: 1})[None]

# %% None as value
list(lua.table_from({"a": None}))

# %% NaN as key
lua.table_from({float("nan"): 1})

# %% keys of all kinds
key = object()
table = lua.table_from({1: "a", 1.5: "b", "x": "d", b"y": "e", key: "f", (1,): "g"})
table[1], table[1.5], table["x"], table["y"], table[key]

# %% inner lists stay Python objects
table = lua.table_from({"a": [1, 2]})
table.a, lua.eval("(...).a[0]", table)

# %% recursive
table = lua.table_from({"a": [1, {"b": 2}]}, recursive=True)
table.a[1], table.a[2].b, lua_type(table.a)

# %% recursive with lists in lists
table = lua.table_from([[1, 2], [3]], recursive=True)
table[1][2], table[2][1], len(table)

# %% recursive with tuples and ranges
table = lua.table_from([(1, 2), range(2)], recursive=True)
lua_type(table[1]), lua_type(table[2])

# %% recursive with strings
table = lua.table_from(["abc", b"xyz"], recursive=True)
table[1], table[2]

# %% recursive with sets and generators
table = lua.table_from([{1}, (i for i in range(2))], recursive=True)
type(table[1]), type(table[2])

# %% recursive with mappings
import collections

table = lua.table_from([collections.OrderedDict(a=collections.ChainMap({"b": 1}))], recursive=True)
table[1].a.b


# %% recursive with objects
class Thing:
    pass


thing = Thing()
lua.table_from([thing], recursive=True)[1] is thing

# %% recursive with Lua tables inside
inner = lua.table(1)
lua.table_from([inner], recursive=True)[1][1]
lua.eval("(...)[1] == select(2, ...)", lua.table_from([inner], recursive=True), inner)

# %% recursive with shared data
shared = [1, 2]
table = lua.table_from({"a": shared, "b": shared}, recursive=True)
[list(table.a.values()), list(table.b.values())]

# %% recursive with shared data is one table
shared = [1, 2]
table = lua.table_from([shared, shared], recursive=True)
lua.eval("(...)[1] == (...)[2]", table)

# %% recursive with a cycle
data = {"x": 1}
data["self"] = data
table = lua.table_from(data, recursive=True)
table.self.x
table.self.self.x

# %% recursive with a cycle of lists
data = [1]
data.append(data)
table = lua.table_from(data, recursive=True)
table[1], table[2][1]

# %% recursive and too deep [20 s]
data = []
for _ in range(100_000):
    data = [data]
try:
    lua.table_from(data, recursive=True)
except (RecursionError, MemoryError) as error:
    print(type(error).__name__)
lua.eval("1 + 1")
# Undone by hand, since taking it apart is deep as well.
while data:
    data = data.pop()

# %% recursive with empty containers
table = lua.table_from([[], {}], recursive=True)
len(table[1]), len(table[2]), lua_type(table[2])

# %% recursive keys
table = lua.table_from({(1, 2): "x"}, recursive=True)
[lua_type(key) for key in table]

# %% recursive by position
try:
    lua.table_from([1], True)
except TypeError as error:
    print("TypeError", error)

# %% table with mappings
lua.table({"a": 1})[1]


# %% an iterator that raises
def values():
    yield 1
    raise KeyError("stop")


lua.table_from(values())
lua.eval("1")

# %% a mapping that raises
import collections.abc


class Bad(collections.abc.Mapping):
    def __getitem__(self, key):
        raise KeyError("no " + key)

    def __iter__(self):
        return iter("ab")

    def __len__(self):
        return 2


lua.table_from(Bad())

# %% values that cannot be converted
lua.table_from([2**70])
lua.table_from({"a": 2**70})
lua.table_from({2**70: 1})


# %% a dict subclass
class Mine(dict):
    def items(self):
        return [("changed", 1)]


list(lua.table_from(Mine(a=1)).items())

# %% a dict that changes
data = {}


class Key:
    def __hash__(self):
        return 1


data["a"] = 1
list(lua.table_from(data))

# %% wrapped objects inside
table = lua.table_from({"a": as_attrgetter({"x": 1})})
lua.eval("(...).a.keys ~= nil", table)

# %% many items
len(lua.table_from(range(10000))), lua.table_from({i: i for i in range(1000)})[999]
