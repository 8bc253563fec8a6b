"""Getting, setting and deleting; what else a table can do."""

# %% table by position
list(lua.table(1, "x", True).items())

# %% table by name
sorted(lua.table(a=1, b="x").items())

# %% table by both
table = lua.table(1, 2, a=3)
table[1], table[2], table.a, table["a"], len(table)

# %% empty table
table = lua.table()
len(table), list(table), bool(table), table

# %% None in a table
table = lua.table(1, None, 3)
table[1], table[2], table[3]
list(lua.table(None, None).items())

# %% None by name
list(lua.table(a=None).items())

# %% get by integer
table = lua.eval("{10, 20}")
table[1], table[2], table[3], table[0], table[-1]

# %% get by float
table = lua.eval("{10, 20, [1.5] = 'x'}")
table[1.0], table[1.5], table[2.5]

# %% get by bool
table = lua.eval("{[true] = 'yes', [false] = 'no', [1] = 'one'}")
table[True], table[False], table[1]

# %% get by None
table = lua.eval("{}")
table[None]
table[None] = 5
table[None], list(table.items())

# %% None as key is python.none
lua.eval("(...)[python.none]", lua.table_from({None: 5}))

# %% get by attribute
table = lua.eval("{name = 1, ['with space'] = 2}")
table.name, table["with space"], getattr(table, "with space")

# %% what is not there
table = lua.table()
table.nothing, table["nothing"], table[1], table[b"x"]

# %% hasattr
table = lua.table(a=1)
hasattr(table, "a"), hasattr(table, "b"), hasattr(table, "__nothing__")

# %% dunder attributes are Python's
table = lua.table()
table.__nothing__

# %% setting dunder attributes
# Which of the two it is depends on Python's version there.
try:
    lua.table().__nothing__ = 5
except (AttributeError, TypeError):
    print("refused")

# %% deleting dunder attributes
try:
    del lua.table().__nothing__
except (AttributeError, TypeError):
    print("refused")

# %% dunder keys are Lua's
table = lua.table()
table["__index"] = 5
table["__index"], table["__class__"]
table.__index = 6
table["__index"]

# %% single underscores are Lua's
table = lua.table(_private=1, __half=2)
table._private, table["__half"]

# %% names of methods
table = lua.table(keys=5, items=6, other=7)
type(table.keys).__name__, table["keys"], table.other

# %% setting names of methods
table = lua.table()
table.keys = 5
table["keys"], callable(table.keys)

# %% set by integer
table = lua.table()
table[1], table[2] = "a", "b"
len(table), list(table.values())

# %% set by attribute
table = lua.table()
table.x = 1
table.y = "y"
table.x, table["y"], lua.eval("(...).x", table)

# %% set to None deletes
table = lua.table(a=1)
table.a = None
list(table)
table["b"] = None
list(table)

# %% del an item
table = lua.table(1, 2, a=3)
del table["a"]
del table[2]
list(table.items())

# %% del an attribute
table = lua.table(a=1)
del table.a
list(table)

# %% del what is not there
table = lua.table()
del table["x"]
del table.x
del table[5]

# %% del None
table = lua.table_from({None: 1})
del table[None]
list(table)

# %% NaN as key to get
lua.table()[float("nan")]

# %% floats and integers are one key
table = lua.table()
table[1.0] = "a"
table[1], list(table)

# %% bytes and str are one key
table = lua.table()
table[b"x"] = 1
table["x"], list(table)

# %% Python objects as keys
table = lua.table()
key = object()
table[key] = 1
table[key], table[object()], list(table)[0] is key

# %% tuples as keys
table = lua.table()
key = (1, 2)
table[key] = "x"
table[key], list(table)

# %% tables as keys
table, key = lua.table(), lua.table()
table[key] = 5
table[key], table[lua.table()], lua_type(list(table)[0])

# %% functions as keys
table = lua.table()
table[lua.eval("print")] = 1
table[lua.eval("print")], table[len]

# %% keys that cannot be converted
table = lua.table()
table[2**70]
table[2**70] = 1

# %% slices as keys
lua.table(1, 2, 3)[1:2]

# %% values of all kinds
table = lua.table()
for key, value in {"a": 1, "b": "x", "c": 0.5, "d": [1], "e": len, "f": True, "g": b"x"}.items():
    table[key] = value
sorted(table.items(), key=lambda pair: pair[0])

# %% len
len(lua.eval("{}")), len(lua.eval("{1, 2, 3}")), len(lua.eval("{a = 1}"))

# %% bool
bool(lua.eval("{}")), bool(lua.eval("{1}"))

# %% contains
table = lua.table("a", "b", x="y")
1 in table, 3 in table, "x" in table, "y" in table, "a" in table, None in table

# %% str and repr
repr(lua.eval("{}"))[:13], str(lua.eval("{}"))[:13]
repr(lua.eval("{}")) == str(lua.eval("{}")) or "other table"

# %% format
f"{lua.eval('{}')}"[:13]

# %% equality with itself
table = lua.table()
table == table, table != table

# %% equality of two tables
lua.table() == lua.table(), lua.table() != lua.table()

# %% equality of two wrappers
lua.execute("t = {}")
lua.eval("t") == lua.eval("t")
lua.eval("t") != lua.eval("t")

# %% equality with other things
table = lua.table()
table == 1, table == None, table == {}, table == [], table == "x"

# %% hash
table = lua.table()
hash(table) == hash(table), {table: 1}[table]

# %% hash of two wrappers
lua.execute("t = {}")
hash(lua.eval("t")) == hash(lua.eval("t"))
len({lua.eval("t"), lua.eval("t")})

# %% order
lua.table() < lua.table()

# %% arithmetic
lua.table() + 1

# %% calling a table
lua.table()()

# %% a callable table
table = lua.eval(
    "setmetatable({}, {__call = function(self, ...) return select('#', ...), ... end})"
)
table(), table(1, 2)

# %% weak references to tables
import weakref

weakref.ref(lua.table())() is None

# %% weak references to a table that lives
import weakref

table = lua.table()
weakref.ref(table)() is table

# %% copying a table
import copy

type(copy.copy(lua.table()))

# %% pickling a table
import pickle

pickle.dumps(lua.table())

# %% vars of a table
vars(lua.table())

# %% a table is not a mapping
import collections.abc

[
    isinstance(lua.table(), c)
    for c in [
        collections.abc.Mapping,
        collections.abc.Iterable,
        collections.abc.Sized,
        collections.abc.Container,
        collections.abc.Callable,
        collections.abc.Sequence,
        collections.abc.Hashable,
    ]
]

# %% dict of a table
dict(lua.table(a=1))
dict(lua.table(a=1).items())

# %% star star of a table
dict(**lua.table(a=1))

# %% star of a table
[*lua.table("a", "b")]

# %% nested tables
table = lua.eval("{a = {b = {c = 5}}}")
table.a.b.c, table["a"]["b"]["c"]

# %% the same inner table
table = lua.eval("(function() local t = {} t.self = t return t end)()")
table.self.self.x
table.self.x = 5
table.x

# %% in place operators
table = lua.table(n=1)
table["n"] += 5
table.n += 1
table.n

# %% unpacking methods
table = lua.table(1, 2)
table.keys, table.values

# %% contains numbers of all kinds
import decimal
import fractions

table = lua.eval("{'a', [1.5] = 'b', [2^53] = 'c', [-1] = 'd'}")
[x in table for x in [1, 1.0, True, False, 1.5, -1, 2**53, 2**53 + 1, 2**70, 1 + 0j, float("nan")]]
[x in table for x in [decimal.Decimal(1), fractions.Fraction(3, 2), fractions.Fraction(1, 3)]]

# %% contains booleans
table = lua.eval("{[true] = 1}")
[x in table for x in [True, 1, 1.0, False, 0]]

# %% contains strings and bytes
table = lua.table_from({"x": 1, "\xe4": 2})
[x in table for x in ["x", b"x", "\xe4", "\xe4".encode(), "y", "", "\ud800"]]

# %% contains None
None in lua.table_from({None: 1}), None in lua.table(1)


# %% contains objects with an equality of their own
class Any:
    def __eq__(self, other):
        return True

    __hash__ = None


Any() in lua.table(1), Any() in lua.table()
1 in lua.table_from({(1, 2): 1}), (1, 2) in lua.table_from({(1, 2): 1})


# %% contains keys that are objects with an equality of their own
class Seven:
    def __eq__(self, other):
        return other == 7

    __hash__ = None


table = lua.table()
table[Seven()] = 1
7 in table, 8 in table, "7" in table

# %% contains Lua objects
key = lua.table()
table = lua.table()
table[key] = 1
key in table, lua.table() in table, lua.eval("print") in table

# %% contains objects of another runtime
LuaRuntime().table() in lua.table(1)

# %% contains in a table with an __index
1 in lua.eval("setmetatable({}, {__index = function() return 1 end})")

# %% contains without an encoding
raw = LuaRuntime(encoding=None)
table = raw.eval("{x = 1}")
"x" in table, b"x" in table
