"""Python exceptions in Lua."""


class Own(Exception):
    pass


def raiser(error):
    def fail(*args):
        raise error

    return fail


# %% pass through Lua
lua.eval("(...)()", raiser(KeyError("k")))
lua.eval("(...)()", raiser(Own("o", 1)))

# %% the same object
error = Own()
try:
    lua.eval("(...)()", raiser(error))
except Own as caught:
    print(caught is error)

# %% through functions
lua.eval("(function(f) local x = f() return x end)(...)", raiser(ValueError("v")))

# %% as a class
lua.eval("(...)()", raiser(ZeroDivisionError))

# %% caught by pcall
ok, error = lua.eval("pcall(...)", raiser(KeyError("k")))
ok, error

# %% caught by pcall in Lua
lua.execute("local ok, e = pcall(...) print(ok, type(e), tostring(e))", raiser(KeyError("k")))

# %% attributes of a caught one
lua.eval("(select(2, pcall(...))).args[0]", raiser(KeyError("k")))

# %% caught by xpcall
lua.eval("xpcall(..., function(e) return tostring(e) end)", raiser(ValueError("v")))

# %% caught and then none
lua.eval("pcall(...)", raiser(ValueError("v")))[0]
lua.eval("1")
lua.execute("error('other', 0)")

# %% raised again
lua.execute("local ok, e = pcall(...) error(e)", raiser(KeyError("k")))

# %% raised again with level 0
lua.execute("local ok, e = pcall(...) error(e, 0)", raiser(KeyError("k")))

# %% raised again later
lua.execute("_, kept = pcall(...)", raiser(KeyError("k")))
lua.execute("error(kept)")

# %% the first of two is raised
lua.execute(
    "local f, g = ... local _, a = pcall(f) local _, b = pcall(g) error(a)",
    raiser(KeyError("a")),
    raiser(ValueError("b")),
)

# %% the second of two is raised
lua.execute(
    "local f, g = ... local _, a = pcall(f) local _, b = pcall(g) error(b)",
    raiser(KeyError("a")),
    raiser(ValueError("b")),
)

# %% an exception made elsewhere is raised
lua.execute("error(...)", KeyError("made"))

# %% an exception made in Lua is raised
lua.execute("error(python.builtins.ValueError('made'))")

# %% an exception class as error
lua.execute("error(...)", KeyError)

# %% another object as error
lua.execute("error(...)", [1, 2])

# %% an exception through a coroutine
co = lua.eval("function(f) coroutine.yield(1) f() end").coroutine(raiser(KeyError("k")))
next(co)
next(co)

# %% an exception through coroutine.wrap
lua.execute("local f = ... coroutine.wrap(function() f() end)()", raiser(KeyError("k")))

# %% an exception through coroutine.resume
lua.execute(
    "local f = ... print(coroutine.resume(coroutine.create(function() f() end)))",
    raiser(KeyError("k")),
)


# %% a Lua error through Python
def call():
    lua.execute("error('inner', 0)")


lua.eval("(...)()", call)


# %% a Lua error through Python and pcall
def call():
    lua.execute("error('inner', 0)")


ok, error = lua.eval("pcall(...)", call)
ok, type(error).__name__, str(error).partition("\n")[0]

# %% a LuaError raised by Python
lua.eval("(...)()", raiser(LuaError("own")))
lua.eval("(...)()", raiser(LuaSyntaxError("own")))
lua.eval("(...)()", raiser(LuaMemoryError("own")))

# %% MemoryError
lua.eval("(...)()", raiser(MemoryError("python's")))


# %% RecursionError
def again():
    return lua.eval("(...)()", again)


try:
    again()
except (RecursionError, LuaError) as error:
    print(type(error).__name__)
lua.eval("1")

# %% StopIteration and GeneratorExit
lua.eval("(...)()", raiser(StopIteration(1)))
lua.eval("(...)()", raiser(GeneratorExit()))

# %% SystemExit
lua.eval("(...)()", raiser(SystemExit(3)))

# %% KeyboardInterrupt
lua.eval("(...)()", raiser(KeyboardInterrupt()))

# %% SystemExit in pcall
lua.eval("pcall(...)", raiser(SystemExit(3)))

# %% KeyboardInterrupt in pcall
lua.eval("pcall(...)", raiser(KeyboardInterrupt()))

# %% GeneratorExit in pcall
lua.eval("pcall(...)", raiser(GeneratorExit()))


# %% other BaseExceptions in pcall
class Base(BaseException):
    pass


lua.eval("pcall(...)", raiser(Base()))


# %% an exception whose str raises
class Bad(Exception):
    def __str__(self):
        raise ValueError("no str")


try:
    lua.eval("(...)()", raiser(Bad()))
except Bad:
    print("Bad")
lua.eval("pcall(tostring, (select(2, pcall(...))))", raiser(Bad()))[0]


# %% in attributes
class Thing:
    @property
    def broken(self):
        raise Own("property")


lua.eval("(...).broken", Thing())
lua.eval("pcall(function(t) return t.broken end, ...)", Thing())

# %% in items
lua.eval("(...).x", {})
lua.eval("pcall(function(t) return t.x end, ...)", {})


# %% in tostring
class Thing:
    def __str__(self):
        raise Own("str")


lua.eval("tostring(...)", Thing())


# %% in iterators
class Thing:
    def __iter__(self):
        return self

    def __next__(self):
        raise Own("next")


lua.execute("for x in python.iter(...) do end", Thing())

# %% in table.sort
lua.execute("table.sort({3, 1, 2}, python.as_function(...))", raiser(Own("sort")))

# %% in gsub
lua.execute("string.gsub('abc', '.', python.as_function(...))", raiser(Own("gsub")))

# %% in a metamethod
lua.execute(
    "local t = setmetatable({}, {__index = python.as_function(...)}) return t.x",
    raiser(Own("index")),
)

# %% in a metamethod from Python
table = lua.eval("setmetatable({}, {__index = python.as_function(...)})", raiser(Own("index")))
table.x

# %% in __len from Python
table = lua.eval("setmetatable({}, {__len = python.as_function(...)})", raiser(Own("len")))
len(table)

# %% in a message handler
lua.eval("xpcall(error, python.as_function(...))", raiser(Own("handler")))[0]


# %% cause and context stay
def fail():
    try:
        1 / 0
    except ZeroDivisionError as error:
        raise Own("o") from error


lua.eval("(...)()", fail)

# %% context of an outer exception
try:
    try:
        1 / 0
    except ZeroDivisionError:
        lua.eval("(...)()", raiser(Own("o")))
except Own as error:
    print(type(error.__context__))


# %% caught in Python and gone on
def careful():
    try:
        lua.execute("error('x')")
    except LuaError:
        return "caught"


lua.eval("(...)()", careful)

# %% nested pcall
lua.eval("pcall(pcall, ...)", raiser(Own("o")))


# %% an exception group of levels
def level(n):
    if n == 0:
        raise Own("deepest")
    return lua.eval("(...)(select(2, ...))", level, n - 1)


level(10)

# %% the exception is let go
import gc
import weakref

ref = []


def fail():
    error = Own("o")
    ref.append(weakref.ref(error))
    raise error


lua.eval("pcall(...)", fail)[0]
lua.eval("1")
for _ in range(3):
    gc.collect()
    lua.gccollect()
ref[0]() is None

# %% sys.exc_info inside a callback
import sys

lua.eval("(...)()", lambda: sys.exc_info())

# %% assert with an exception
lua.execute("assert(false, ...)", Own("o"))

# %% assert with the result of pcall
lua.execute("assert(pcall(...))", raiser(Own("o")))
