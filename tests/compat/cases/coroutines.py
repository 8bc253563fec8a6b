"""Coroutines."""

count = lua.eval("function(n) for i = 1, n do coroutine.yield(i) end end")
echo = lua.eval("function(x) while true do x = coroutine.yield(x) end end")

# %% as generators
list(count.coroutine(3)), list(count.coroutine(0))

# %% next
co = count.coroutine(2)
next(co), next(co)
next(co)
next(co)

# %% repr and type
repr(count.coroutine(1))[:14]
type(count.coroutine(1))
iter(count.coroutine(1))

# %% bool
co = count.coroutine(1)
bool(co)
next(co)
bool(co)
next(co, "end")
bool(co)

# %% bool after an error
co = lua.eval("function() error('x') end").coroutine()
bool(co)
next(co)
bool(co)
next(co)

# %% return values
list(lua.eval("function() coroutine.yield(1) return 2 end").coroutine())
list(lua.eval("function() return 5 end").coroutine())
list(lua.eval("function() return 5, 6 end").coroutine())
list(lua.eval("function() return nil end").coroutine())

# %% yielding nothing
list(lua.eval("function() coroutine.yield() coroutine.yield(nil) end").coroutine())

# %% yielding several
list(lua.eval("function() coroutine.yield(1, 2) coroutine.yield(nil, 3) end").coroutine())

# %% send
co = echo.coroutine(1)
next(co), co.send(2), co.send("x"), co.send(None)

# %% send a tuple
co = lua.eval("function() while true do print(coroutine.yield()) end end").coroutine()
next(co)
co.send((1, 2, "x"))
co.send(())

# %% send None to start
co = echo.coroutine(5)
co.send(None)
co.send(6)

# %% send something to start
co = echo.coroutine(5)
co.send(1)
next(co)

# %% send something to start without arguments
co = lua.eval("function() coroutine.yield(1) end").coroutine()
co.send(1)

# %% send an empty tuple to start
echo.coroutine(5).send(())

# %% send False
co = echo.coroutine(1)
next(co)
co.send(False), co.send(0)

# %% send after the end
co = count.coroutine(0)
list(co)
co.send(1)

# %% send to a finished one with None
co = count.coroutine(0)
list(co)
co.send(None)

# %% send without a value
try:
    count.coroutine(1).send()
except TypeError:
    print("TypeError")

# %% arguments
list(
    lua.eval("function(...) coroutine.yield(select('#', ...)) coroutine.yield(...) end").coroutine(
        1, None, "x"
    )
)

# %% C functions
lua.eval("print").coroutine()

# %% C functions with arguments
lua.eval("string.rep").coroutine("x", 3)

# %% functions made by as_function
lua.eval("python.as_function(...)", len)

# %% errors
co = lua.eval("function() coroutine.yield(1) error('broken') end").coroutine()
next(co)
next(co)

# %% errors of a wrong kind
co = lua.eval("function() local x = nil; x.y = 1 end").coroutine()
next(co)

# %% errors with a value
co = lua.eval("function() error({}) end").coroutine()
next(co)

# %% errors of level 0
next(lua.eval("function() error('plain', 0) end").coroutine())

# %% Python errors
co = lua.eval("function(f) coroutine.yield(1) f() end").coroutine(lambda: 1 / 0)
next(co)
next(co)

# %% Python errors caught in the coroutine
co = lua.eval("function(f) coroutine.yield((pcall(f))) end").coroutine(lambda: 1 / 0)
next(co)

# %% coroutine.create from Lua
make = lua.eval("coroutine.create(function(a) coroutine.yield(a) coroutine.yield(a + 1) end)")
make
list(make(5)), list(make(7))

# %% coroutine.create has the coroutine method
make = lua.eval("coroutine.create(function(a) coroutine.yield(a) end)")
list(make.coroutine(5))

# %% a started coroutine from Lua
co = lua.execute(
    "local co = coroutine.create(function() coroutine.yield(1) coroutine.yield(2) end) coroutine.resume(co) return co"
)
type(co)
list(co)

# %% a started coroutine takes values
co = lua.execute(
    "local co = coroutine.create(function() while true do print(coroutine.yield()) end end) coroutine.resume(co) return co"
)
co.send(5)
co.send((6, 7))

# %% an ended coroutine from Lua
co = lua.execute("local co = coroutine.create(function() end) coroutine.resume(co) return co")
bool(co), list(co)

# %% status
co = count.coroutine(1)
lua.eval("coroutine.status")(co)
next(co)
lua.eval("coroutine.status")(co)
next(co, None)
lua.eval("coroutine.status")(co)

# %% resumed by Lua
co = count.coroutine(3)
next(co)
lua.eval("coroutine.resume(...)", co)
next(co)

# %% not started and resumed by Lua
co = count.coroutine(3)
lua.eval("coroutine.resume(...)", co)

# %% wrap
lua.eval("coroutine.wrap(function() coroutine.yield(1) end)")
lua.eval("coroutine.wrap(function(x) return x + 1 end)")(5)

# %% calling a coroutine
count.coroutine(1)()

# %% attributes of a coroutine
count.coroutine(1).name
count.coroutine(1)["name"]

# %% setting attributes of a coroutine
count.coroutine(1).name = 1

# %% len of a coroutine
len(count.coroutine(1))

# %% equality
co = count.coroutine(1)
co == co, co == count.coroutine(1), co == 1

# %% weak references to coroutines
import weakref

weakref.ref(count.coroutine(1))() is None

# %% many at once
cos = [count.coroutine(3) for _ in range(50)]
[sum(co) for co in cos] == [6] * 50

# %% interleaved
one, two = count.coroutine(3), count.coroutine(3)
[next(one), next(two), next(one), next(two)]

# %% dropped while suspended
import gc

co = count.coroutine(3)
next(co)
del co
_ = gc.collect()
lua.gccollect()
lua.eval("1")

# %% yield outside
lua.eval("coroutine.yield(1)")

# %% yield across pcall
list(
    lua.eval(
        "function() print(pcall(function() coroutine.yield(1) error('x', 0) end)) end"
    ).coroutine()
)

# %% yield across a metamethod
list(
    lua.eval(
        "function() local t = setmetatable({}, {__index = function(t, k) coroutine.yield(k) return 2 end}) coroutine.yield(t.x) end"
    ).coroutine()
)

# %% yield across an iterator
list(
    lua.eval(
        "function() for i in function(_, i) coroutine.yield(1) return not i and 1 or nil end do end end"
    ).coroutine()
)

# %% yield across a Python function
co = lua.eval("function(f) f() end").coroutine(lua.eval("coroutine.yield"))
next(co)

# %% yield inside a Python function
co = lua.eval("function(f) f(function() coroutine.yield(1) end) end").coroutine(lambda g: g())
next(co)

# %% Python functions called in a coroutine
list(
    lua.eval("function(f) for i = 1, 3 do coroutine.yield(f(i)) end end").coroutine(lambda x: x * x)
)

# %% a coroutine inside a coroutine
outer = lua.eval(
    "function() local inner = coroutine.wrap(function() coroutine.yield('a') coroutine.yield('b') end) coroutine.yield(inner()) coroutine.yield(inner()) end"
)
list(outer.coroutine())

# %% tables from coroutines
tables = list(lua.eval("function() for i = 1, 3 do coroutine.yield({i}) end end").coroutine())
[t[1] for t in tables]

# %% yield from a tuple of tables
co = lua.eval("function() coroutine.yield({1}, {2}) end").coroutine()
[t[1] for t in next(co)]


# %% running coroutine resumed from within
def resume():
    return next(co)


co = lua.eval("function(f) f() end").coroutine(resume)
next(co)

# %% a generator expression over it
sum(x for x in count.coroutine(10))

# %% zip and islice
import itertools

list(zip(count.coroutine(2), count.coroutine(5)))
list(itertools.islice(echo.coroutine(1), 3))

# %% unpacked
a, b, c = count.coroutine(3)
a, b, c

# %% yield a Python object
thing = object()
next(lua.eval("function(x) coroutine.yield(x) end").coroutine(thing)) is thing

# %% arguments that cannot be converted
co = echo.coroutine(2**70)
next(co)

# %% sending what cannot be converted
co = echo.coroutine(1)
next(co)
co.send(2**70)
co.send(2)

# %% invalid UTF-8 yielded
co = lua.eval("function() coroutine.yield('\\255') coroutine.yield(2) end").coroutine()
next(co)
next(co)

# %% a Lua generator drives Python
lua.execute(
    """
    local gen = ...
    for x in python.iter(gen) do io.write(x, ' ') end
    print()
    """,
    count.coroutine(3),
)
