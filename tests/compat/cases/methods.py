"""Method calls, obj:m(), from Lua."""


class Thing:
    def __init__(self, name="thing"):
        self.name = name

    def who(self, *args):
        return self.name, args

    @classmethod
    def made(cls, *args):
        return cls.__name__, args

    @staticmethod
    def free(*args):
        return len(args)

    @property
    def prop(self):
        return lambda *args: len(args)


# %% with a colon
lua.eval("(...):who(1, 2)", Thing())

# %% with a dot
lua.eval("(...).who(1, 2)", Thing())

# %% with a dot and the object
lua.eval("(...).who(..., 1)", Thing())

# %% with a dot and another object
one, two = Thing("one"), Thing("two")
name, args = lua.eval("(...).who(select(2, ...))", one, two)
name, args[0] is two

# %% class methods with a colon
lua.eval("(...):made(1)", Thing())[1][1:]
lua.eval("(...):made(1)", Thing)

# %% class methods with a dot
lua.eval("(...).made(1)", Thing())
lua.eval("(...).made(1)", Thing)

# %% static methods
lua.eval("(...):free(1)", Thing()), lua.eval("(...).free(1)", Thing())

# %% functions in the instance
thing = Thing()
thing.own = lambda *args: len(args)
lua.eval("(...):own(1)", thing), lua.eval("(...).own(1)", thing)

# %% properties that give functions
lua.eval("(...):prop(1)", Thing()), lua.eval("(...).prop(1)", Thing())

# %% through the class
lua.eval("select(2, ...).who(..., 1)", Thing("x"), Thing)

# %% builtin methods with a dot
data = []
lua.execute("python.as_attrgetter(...).append(1)", data)
data

# %% builtin methods with a colon
data = []
lua.execute("python.as_attrgetter(...):append(1)", data)
data

# %% string methods with a colon
lua.eval("(...):upper()", as_attrgetter("abc"))

# %% string methods with a dot
lua.eval("(...).upper()", as_attrgetter("abc"))

# %% dict methods
lua.eval("python.as_attrgetter(...).get('a', 5)", {})
lua.eval("python.as_attrgetter(...):get('a', 5)", {})

# %% methods stored in a variable
lua.eval("(function(o) local m = o.who return m(1) end)(...)", Thing())
lua.eval("(function(o) local m = o.who return m(o, 1) end)(...)", Thing())

# %% a bound method given to Lua
thing = Thing()
lua.eval("(...)(1)", thing.who)
lua.eval("(...)(select(2, ...), 1)", thing.who, thing)


# %% equal but not the same self
class Equal(Thing):
    def __eq__(self, other):
        return True

    __hash__ = None


name, args = lua.eval("(...).who(select(2, ...))", Equal("one"), Equal("two"))
name, len(args)

# %% through as_function
thing = Thing()
lua.eval("python.as_function(...)(1)", thing.who)
lua.eval("python.as_function(...)(select(2, ...), 1)", thing.who, thing)

# %% with named arguments
lua.eval("(...):who(python.args{1, 2})", Thing())


# %% a method that raises
class Bad:
    def fail(self):
        raise KeyError("bad")


lua.eval("(...):fail()", Bad())

# %% a method that is not there
lua.eval("(...):nothing()", Thing())


# %% a wrong number of arguments
class Two:
    def two(self, a, b):
        return a, b


lua.eval("(...):two(1)", Two())
lua.eval("(...):two(1, 2, 3)", Two())


# %% methods of a type with items
class Items(Thing):
    def __getitem__(self, key):
        return getattr(self, key)


lua.eval("(...):who(1)", Items())

# %% methods of a Python module
import math

lua.eval("(...).sqrt(16)", math)
lua.eval("(...):sqrt(16)", math)

# %% functools.partialmethod
import functools


class Partial:
    def both(self, a, b):
        return a, b

    one = functools.partialmethod(both, 1)


lua.eval("(...):one(2)", Partial())
lua.eval("(...).one(2)", Partial())

# %% methods of Lua tables from Python
table = lua.eval("{n = 5, get = function(self, x) return self.n + x end}")
table.get(table, 1)

# %% methods of Lua strings
lua.eval("('abc'):upper()"), lua.eval("(...):upper()", "abc")

# %% methods of files
f = lua.eval("io.tmpfile()")
f.write(f, "abc") is not None
f.seek(f, "set")
f.read(f, "*a")
f.close(f)


# %% called methods chain
class Chain:
    def __init__(self):
        self.n = 0

    def add(self, n):
        self.n += n
        return self


lua.eval("(...):add(1):add(2).n", Chain())
