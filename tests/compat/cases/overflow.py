"""Overflow handlers."""

# %% without a handler
lua.eval("...", 2**70)

# %% a handler
handled = LuaRuntime(overflow_handler=float)
handled.eval("...", 2**70), handled.eval("...", -(2**70))

# %% a handler for small numbers
handled = LuaRuntime(overflow_handler=lambda n: "overflow")
handled.eval("...", 5), handled.eval("...", 2**53), handled.eval("...", 2**62)

# %% a handler for inexact numbers
handled = LuaRuntime(overflow_handler=lambda n: "overflow")
handled.eval("...", 2**53 + 1)

# %% a handler that gives a string
LuaRuntime(overflow_handler=str).eval("...", 2**70)

# %% a handler that gives an object
LuaRuntime(overflow_handler=lambda n: [1]).eval("(...)[0]", 2**70)

# %% a handler that gives None
LuaRuntime(overflow_handler=lambda n: None).eval("...", 2**70)

# %% a handler that gives the number back
LuaRuntime(overflow_handler=lambda n: n).eval("...", 2**70)


# %% a handler that raises OverflowError
def fail(n):
    raise OverflowError("too much")


LuaRuntime(overflow_handler=fail).eval("...", 2**70)


# %% a handler that raises something else
def fail(n):
    raise KeyError("handler")


LuaRuntime(overflow_handler=fail).eval("...", 2**70)

# %% a handler of a wrong signature
LuaRuntime(overflow_handler=lambda: 1).eval("...", 2**70)

# %% set_overflow_handler
lua.set_overflow_handler(float)
lua.eval("...", 2**70)
lua.set_overflow_handler(None)
lua.eval("...", 2**70)

# %% set_overflow_handler not callable
lua.set_overflow_handler(5)

# %% set_overflow_handler with a Lua function
lua.set_overflow_handler(lua.eval("function(n) return 'lua ' .. tostring(n) end"))
lua.eval("...", 2**70)

# %% set_overflow_handler with a Lua function that raises
lua.set_overflow_handler(lua.eval("function(n) error('no') end"))
lua.eval("...", 2**70)

# %% python.set_overflow_handler
lua.execute("python.set_overflow_handler(function(n) return 'lua' end)")
lua.eval("...", 2**70)
lua.execute("python.set_overflow_handler(nil)")
lua.eval("...", 2**70)

# %% python.set_overflow_handler with Python's functions
lua.execute("python.set_overflow_handler(...)", float)
lua.eval("...", 2**70)

# %% python.set_overflow_handler with something else
lua.execute("python.set_overflow_handler(5)")
lua.execute("python.set_overflow_handler({})")
lua.execute("python.set_overflow_handler('x')")

# %% python.set_overflow_handler without arguments
lua.execute("python.set_overflow_handler()")

# %% handlers see numbers in tables
handled = LuaRuntime(overflow_handler=lambda n: "overflow")
handled.table(2**70)[1]
handled.table_from({"a": 2**70}).a

# %% handlers see keys
handled = LuaRuntime(overflow_handler=lambda n: "overflow")
list(handled.table_from({2**70: 1}))
table = handled.table()
table[2**70] = 5
list(table)

# %% handlers see results
handled = LuaRuntime(overflow_handler=lambda n: "overflow")
handled.eval("(...)()", lambda: 2**70)

# %% handlers see attributes and items
handled = LuaRuntime(overflow_handler=lambda n: "overflow")
handled.eval("(...)[0]", [2**70])

# %% handlers see recursive tables
handled = LuaRuntime(overflow_handler=lambda n: "overflow")
handled.table_from([[2**70]], recursive=True)[1][1]


# %% handlers see integer subclasses
class Number(int):
    pass


handled = LuaRuntime(overflow_handler=lambda n: type(n).__name__)
handled.eval("...", Number(2**70))

# %% a handler that calls the runtime
handled = LuaRuntime(overflow_handler=lambda n: handled.eval("'called'"))
handled.eval("...", 2**70)


# %% an object with __call__
class Handler:
    def __call__(self, n):
        return "object"


LuaRuntime(overflow_handler=Handler()).eval("...", 2**70)

# %% a class
LuaRuntime(overflow_handler=str).eval("...", 2**65)
