"""Attributes and items: which one Lua's index is, and how to choose."""


class Both:
    """Has attributes and items."""

    name = "attribute"

    def __getitem__(self, key):
        return f"item {key}"

    def __setitem__(self, key, value):
        print("set item", key, value)

    def __setattr__(self, key, value):
        print("set attribute", key, value)


class Plain:
    """Has attributes alone."""

    name = "attribute"


# %% attributes
lua.eval("(...).name", Plain())

# %% attributes that are not there
lua.eval("(...).other", Plain())

# %% items
lua.eval("(...).name", {"name": 1}), lua.eval("(...)['name']", {"name": 1})

# %% items that are not there
lua.eval("(...).other", {"name": 1})

# %% items of lists
lua.eval("(...)[0]", [5]), lua.eval("(...)[-1]", [5, 6])
lua.eval("(...)[1]", [5])

# %% items of lists by name
lua.eval("(...).append", [5])

# %% items of tuples and ranges
lua.eval("(...)[1]", (1, 2)), lua.eval("(...)[2]", range(5))

# %% attributes of numbers
lua.eval("(...).real", 5j)

# %% items come first
lua.eval("(...).name", Both())

# %% setting items comes first
lua.execute("(...).x = 5", Both())

# %% as_attrgetter in Lua
lua.eval("python.as_attrgetter(...).name", Both())
lua.execute("python.as_attrgetter(...).x = 5", Both())

# %% as_itemgetter in Lua
lua.eval("python.as_itemgetter(...).name", Both())
lua.execute("python.as_itemgetter(...).x = 5", Both())

# %% as_itemgetter of something without items
lua.eval("python.as_itemgetter(...).name", Plain())

# %% as_attrgetter of a dict
lua.eval("python.as_attrgetter(...).keys ~= nil", {"a": 1})
lua.eval("python.as_attrgetter(...).get('a')", {"a": 1})

# %% as_attrgetter of a list
data = [1]
lua.execute("python.as_attrgetter(...).append(5)", data)
data

# %% as_attrgetter in Python
lua.eval("(...).name", as_attrgetter(Both()))
lua.eval("(...).keys ~= nil", as_attrgetter({"a": 1}))

# %% as_itemgetter in Python
lua.eval("(...).name", as_itemgetter(Both()))
lua.eval("(...).name", as_itemgetter(Plain()))

# %% repr of wrappers
repr(as_attrgetter(5))[:37]

# %% attributes of wrappers in Python
as_attrgetter(Both()).name

# %% wrappers come back as the object
both = Both()
lua.eval("...", as_attrgetter(both)) is both
lua.eval("python.as_attrgetter(...)", both) is both

# %% wrappers of wrappers
lua.eval("(...).name", as_itemgetter(as_attrgetter(Both())))

# %% both views are equal values in Lua
lua.eval("(...) == python.as_attrgetter(...)", Both())

# %% helpers of something else
lua.eval("python.as_attrgetter(5)")
lua.eval("python.as_itemgetter('x')")
lua.eval("python.as_attrgetter({})")
lua.eval("python.as_attrgetter()")
lua.eval("python.as_attrgetter(nil)")

# %% helpers with two arguments
lua.eval("python.as_attrgetter(..., 1)", [])
lua.eval("python.as_itemgetter(..., 1)", [])

# %% as_attrgetter of Lua objects in Python
lua.eval("(...).keys ~= nil", as_attrgetter(lua.table(keys=1)))
type(lua.eval("...", as_attrgetter(lua.table())))

# %% as_attrgetter of numbers in Python
lua.eval("(...).real", as_attrgetter(5))
lua.eval("type(...)", as_attrgetter(5))
lua.eval("(...).upper()", as_attrgetter("x"))

# %% as_attrgetter of None in Python
lua.eval("type(...)", as_attrgetter(None))
lua.eval("(...) == nil", as_attrgetter(None))

# %% setting attributes
plain = Plain()
lua.execute("(...).x = 5", plain)
plain.x
lua.execute("(...).name = nil", plain)
plain.name

# %% setting attributes that cannot be set
lua.execute("(...).x = 5", 5j)
lua.execute("(...).x = 5", object())

# %% setting items
data = {}
lua.execute("local d = ... d.x = 5 d[1] = 'one' d[python.none] = 'none' d[true] = 1.5", data)
data

# %% setting items of lists
data = [1, 2]
lua.execute("(...)[0] = 'x'", data)
data
lua.execute("(...)[5] = 'x'", data)

# %% setting items of tuples
lua.execute("(...)[0] = 'x'", (1,))

# %% setting items to nil
data = {"a": 1}
lua.execute("(...).a = nil", data)
data

# %% numbers as attribute names
lua.eval("(...)[1]", Plain())

# %% booleans as attribute names
lua.eval("(...)[true]", Plain())

# %% tables as attribute names
lua.eval("(...)[{}]", Plain())

# %% tables as keys of a dict
lua.eval("(...)[{}]", {})

# %% nil as a key
lua.eval("(...)[nil]", {None: 5})

# %% keys that are fractions
lua.eval("(...)[1.5]", {1.5: "x"}), lua.eval("(...)[1.0]", {1: "x"})


# %% a property that raises
class Bad:
    @property
    def broken(self):
        raise KeyError("broken")


lua.eval("(...).broken", Bad())


# %% a getattr of one's own
class Magic:
    def __getattr__(self, name):
        return "magic " + name


lua.eval("(...).anything", Magic())


# %% a class that defines __getitem__ raises KeyError
class Strict:
    def __getitem__(self, key):
        raise KeyError(key)


lua.eval("(...).x", Strict())
lua.eval("pcall(function(o) return o.x end, ...)", Strict())[0]

# %% an instance that has __getitem__ in its dict
plain = Plain()
plain.__getitem__ = lambda key: "item"
lua.eval("(...).name", plain)

# %% __class_getitem__ of classes
lua.eval("(...).name", Plain)
lua.eval("(...).fromkeys ~= nil", dict)

# %% list as a class
lua.eval("(...).append ~= nil", list)

# %% modules
import math

lua.eval("(...).pi > 3", math)
lua.eval("(...).floor(2.5)", math)


# %% private names
class Private:
    _hidden = 1
    __secret = 2


lua.eval("(...)._hidden, (...)._Private__secret", Private())
lua.eval("(...).__class__", Private())


# %% slots
class Slots:
    __slots__ = ("x",)


slots = Slots()
lua.execute("(...).x = 5", slots)
slots.x
lua.execute("(...).y = 5", slots)


# %% attribute names not ASCII
class Thing:
    pass


thing = Thing()
lua.execute("(...)['\xe4'] = 5", thing)
vars(thing)

# %% attribute names that cannot be decoded
lua.eval("(...)['\\255']", Plain())
