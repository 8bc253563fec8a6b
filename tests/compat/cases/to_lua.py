"""Python's values in Lua."""

kind = lua.eval("function(x) return type(x), tostring(x) end")

# %% None and booleans
kind(None), kind(True), kind(False)

# %% integers
kind(0), kind(1), kind(-1), kind(2**31), kind(2**53), kind(-(2**53))

# %% floats
kind(0.5), kind(1.0), kind(-0.0), kind(1e100)
kind(float("inf")), kind(float("-inf"))
lua.eval("(...) ~= (...)", float("nan"))

# %% strings
kind("abc"), kind(""), kind("\xe4"), kind("a\0b")
lua.eval("#(...)", "\xe4"), lua.eval("#(...)", "a\0b")

# %% bytes
kind(b"abc"), kind(b"\xff")[0]
lua.eval("#(...)", b"\xff\x00")

# %% bytearrays and memoryviews
kind(bytearray(b"x"))
kind(memoryview(b"x"))[0]

# %% lists and dicts
kind([1, 2]), kind({"a": 1}), kind((1, 2)), kind({1})

# %% functions and classes
kind(len), kind(int)
kind(lambda: 1)[0]


# %% a subclass of int
class Number(int):
    pass


kind(Number(5))
type(lua.eval("...", Number(5)))


# %% a subclass of str
class Text(str):
    pass


kind(Text("x"))
type(lua.eval("...", Text("x")))


# %% a subclass of float
class Real(float):
    pass


kind(Real(0.5))
type(lua.eval("...", Real(0.5)))


# %% a subclass of bytes
class Data(bytes):
    pass


kind(Data(b"x"))


# %% an int subclass with methods of its own
class Number(int):
    def __index__(self):
        return 7

    def __float__(self):
        return 8.0


kind(Number(5))

# %% an IntEnum
import enum


class Colour(enum.IntEnum):
    RED = 3


lua.eval("... + 1", Colour.RED)

# %% a str Enum
import enum


class Colour(str, enum.Enum):
    RED = "red"


lua.eval("type(...), (...) .. '!'", Colour.RED)

# %% an Enum
import enum


class Colour(enum.Enum):
    RED = 3


lua.eval("type(...)", Colour.RED)
lua.eval("(...).value", Colour.RED)
lua.eval("... == ...", Colour.RED)

# %% Decimal, Fraction and complex
import decimal
import fractions

kind(decimal.Decimal("0.1"))
kind(fractions.Fraction(1, 3))
kind(2j)


# %% something with __index__
class Number:
    def __index__(self):
        return 5


kind(Number())[0]


# %% something with __float__
class Number:
    def __float__(self):
        return 5.0


kind(Number())[0]

# %% Lua objects go back as they were
table = lua.table()
lua.eval("select(1, ...) == select(2, ...)", table, table)
kind(lua.eval("print"))[0], kind(table)[0], kind(lua.eval("io.stdout"))[0]

# %% coroutines go back as they were
kind(lua.eval("function() end").coroutine())[0]
kind(lua.eval("coroutine.create(function() end)"))[0]

# %% objects of another runtime
other = LuaRuntime()
lua.eval("...", other.table())
lua.table(other.eval("print"))
lua.globals().x = other.table()

# %% objects of another runtime as results
other = LuaRuntime()
lua.eval("(...)()", lambda: other.table())

# %% the same object is the same value
thing = object()
lua.eval("select(1, ...) == select(2, ...)", thing, thing)
lua.eval("select(1, ...) == select(2, ...)", [], [])

# %% equal objects are different values in tables
lua.eval("(function(a, b) local t = {} t[a] = 1 return t[b] end)(...)", (1, 2), (1, 3))

# %% an object keeps being the key
thing = object()
table = lua.table()
table[thing] = 5
table[thing], lua.eval("(...)[select(2, ...)]", table, thing)

# %% a wrapped iterator
kind(luajit21.LuaRuntime)[0]
kind(iter(lua.table()))[0]

# %% the runtime itself
kind(lua)[0]
lua.eval("(...).eval('1 + 1')", lua)

# %% None inside tables
lua.eval("#{...}", 1, None, 3)
lua.eval("select('#', ...)", None, None)

# %% str without an encoding
raw = LuaRuntime(encoding=None)
raw.eval("type(...)", "text")
raw.eval("type(...)", b"text")
raw.eval("tostring(...)", "text")

# %% numbers out of range
lua.eval("...", 2**63)

# %% numbers far out of range
lua.eval("...", 10**400)

# %% between 2^53 and 2^63 and exact
lua.eval("string.format('%.0f', ...)", 2**60)
lua.eval("...", 2**62)

# %% between 2^53 and 2^63 and not exact
lua.eval("...", 2**53 + 1)

# %% the largest and smallest int64
lua.eval("...", -(2**63))
lua.eval("...", 2**63 - 1)

# %% large integers as keys
table = lua.table()
table[2**53 + 1] = "x"
table[2**53 + 2]

# %% a huge string
lua.eval("#(...)", "x" * 10**7)
