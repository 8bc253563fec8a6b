"""attribute_filter and attribute_handlers."""


class Thing:
    public = 1
    _private = 2


def refuse(obj, name, setting):
    print("filter", type(obj).__name__, repr(name), setting)
    if isinstance(name, str) and name.startswith("_"):
        raise AttributeError("access denied")
    return name


def get(obj, name):
    print("get", type(obj).__name__, repr(name))
    return getattr(obj, name)


def put(obj, name, value):
    print("set", type(obj).__name__, repr(name), repr(value))
    setattr(obj, name, value)


filtered = LuaRuntime(attribute_filter=refuse)
handled = LuaRuntime(attribute_handlers=(get, put))

# %% allowed
filtered.eval("(...).public", Thing())

# %% denied
filtered.eval("(...)._private", Thing())

# %% denied in pcall
filtered.eval("pcall(function(o) return o._private end, ...)", Thing())

# %% setting
thing = Thing()
filtered.execute("(...).public = 5", thing)
thing.public
filtered.execute("(...)._private = 5", thing)
thing._private

# %% another name
renaming = LuaRuntime(attribute_filter=lambda obj, name, setting: "public")
renaming.eval("(...).anything", Thing())

# %% another name when setting
thing = Thing()
LuaRuntime(attribute_filter=lambda obj, name, setting: "other").execute("(...).public = 5", thing)
vars(thing)

# %% a name as bytes
LuaRuntime(attribute_filter=lambda obj, name, setting: b"public").eval("(...).x", Thing())

# %% no name
LuaRuntime(attribute_filter=lambda obj, name, setting: None).eval("(...).x", Thing())

# %% a name of a wrong type
LuaRuntime(attribute_filter=lambda obj, name, setting: 5).eval("(...).x", Thing())

# %% names that are no strings
filtered.eval("(...)[5]", Thing())
filtered.eval("(...)[true]", Thing())

# %% items are not filtered
filtered.eval("(...)._private", {"_private": 1})
filtered.execute("(...)._private = 2", {})

# %% as_attrgetter is filtered
filtered.eval("python.as_attrgetter(...)._x", {"_x": 1})
filtered.eval("python.as_attrgetter(...).keys ~= nil", {})

# %% builtins are filtered
filtered.eval("python.builtins.len('abc')")
filtered.eval("python.builtins.__import__")

# %% classes are filtered
filtered.eval("(...).public", Thing)

# %% calls are not filtered
filtered.eval("(...)('abc')", len)

# %% tostring and iteration are not filtered
filtered.eval("tostring(...)", [1])
filtered.execute("for x in python.iter(...) do print(x) end", [1])

# %% methods are filtered
filtered.eval("(...):upper()", as_attrgetter("x"))

# %% without an encoding
LuaRuntime(encoding=None, attribute_filter=refuse).eval("(...).public", Thing())


# %% a filter that raises something else
def fail(obj, name, setting):
    raise KeyError(name)


LuaRuntime(attribute_filter=fail).eval("(...).x", Thing())

# %% a filter of a wrong signature
LuaRuntime(attribute_filter=lambda obj: obj).eval("(...).x", Thing())

# %% a filter that calls Lua
calling = LuaRuntime(attribute_filter=lambda obj, name, setting: lua.eval("'pub' .. ...", "lic"))
calling.eval("(...).x", Thing())

# %% a filter that calls the same Lua
calling = LuaRuntime(
    attribute_filter=lambda obj, name, setting: calling.eval("'pub' .. ...", "lic")
)
calling.eval("(...).x", Thing())

# %% a Lua function as filter
LuaRuntime(attribute_filter=lua.eval("function(obj, name, setting) return 'public' end")).eval(
    "(...).x", Thing()
)

# %% getter
handled.eval("(...).public", Thing())
handled.eval("(...)._private", Thing())
handled.eval("(...).nothing", Thing())

# %% setter
thing = Thing()
handled.execute("(...).x = 5", thing)
thing.x

# %% handlers see items too
handled.eval("(...).keys ~= nil", {"a": 1})
handled.eval("(...)[0]", [1])

# %% handlers see setting of items too
handled.execute("(...).x = 5", {})

# %% as_itemgetter with handlers
handled.eval("python.as_itemgetter(...).a", {"a": 1})
handled.eval("python.as_attrgetter(...).keys ~= nil", {"a": 1})

# %% a getter alone
getting = LuaRuntime(attribute_handlers=(get, None))
getting.eval("(...).public", Thing())
getting.eval("(...)[0]", [7])
data = {}
getting.execute("(...).x = 5", data)
data

# %% a setter alone
setting = LuaRuntime(attribute_handlers=(None, put))
setting.eval("(...).a", {"a": 1})
setting.execute("(...).x = 5", Thing())
setting.execute("(...).x = 5", {})

# %% results of the getter
LuaRuntime(attribute_handlers=(lambda obj, name: None, None)).eval("(...).x", Thing())
LuaRuntime(attribute_handlers=(lambda obj, name: [name], None)).eval("(...).x", Thing())
LuaRuntime(attribute_handlers=(lambda obj, name: (1, 2), None)).eval("(...).x", Thing())


# %% a getter that raises
def fail(*args):
    raise ValueError("no", len(args))


failing = LuaRuntime(attribute_handlers=(fail, fail))
failing.eval("(...).x", Thing())
failing.execute("(...).x = 1", Thing())

# %% names of all kinds for handlers
handled = LuaRuntime(attribute_handlers=(lambda obj, name: repr(name), None))
handled.eval("(...)[1], (...)[1.5], (...)[true], (...).x", Thing())

# %% handlers without an encoding
LuaRuntime(encoding=None, attribute_handlers=(lambda obj, name: repr(name), None)).eval(
    "(...).x", Thing()
)

# %% builtins with handlers
handled = LuaRuntime(attribute_handlers=(lambda obj, name: name * 2, None))
handled.eval("python.builtins.len")
