"""Lua's values in Python."""

# %% nil and booleans
lua.eval("nil"), lua.eval("true"), lua.eval("false")
lua.eval("true, false, nil")

# %% integral numbers
lua.eval("0"), lua.eval("1"), lua.eval("-1"), lua.eval("2^31"), lua.eval("-2^31")
lua.eval("3.0"), lua.eval("1e15"), lua.eval("10 / 2")

# %% fractions
lua.eval("0.5"), lua.eval("-0.1"), lua.eval("1 / 3"), lua.eval("1e-300")

# %% negative zero
lua.eval("-0")
lua.eval("0 / -1")

# %% infinities
lua.eval("1 / 0")
lua.eval("-1 / 0")
lua.eval("math.huge")

# %% not a number
lua.eval("0 / 0 ~= 0 / 0")
repr(lua.eval("0 / 0"))

# %% up to 2^53
lua.eval("2^53"), lua.eval("-2^53"), lua.eval("2^53 - 1")

# %% between 2^53 and 2^63
lua.eval("2^54"), lua.eval("2^62"), lua.eval("-2^63"), lua.eval("2^62 + 2^10")

# %% 2^63 itself
lua.eval("2^63")

# %% beyond 2^63
lua.eval("2^64"), lua.eval("-2^64"), lua.eval("1e100"), lua.eval("1e308")

# %% types of large numbers
[type(lua.eval(code)).__name__ for code in ["2^62", "2^64", "1e18", "1e19", "-2^64"]]

# %% strings
lua.eval("''"), lua.eval("'abc'"), lua.eval("'a\\0b'"), lua.eval("'\\n'")

# %% long strings
len(lua.eval("('x'):rep(1e6)"))

# %% tables
lua.eval("{}")
type(lua.eval("{1, 2}"))

# %% functions
lua.eval("print")
lua.eval("function() end")

# %% coroutines not started
lua.eval("coroutine.create(function() end)")

# %% coroutines started
lua.execute(
    "co = coroutine.create(function() coroutine.yield() end) coroutine.resume(co) return co"
)

# %% coroutines that have ended
lua.execute("co = coroutine.create(function() end) coroutine.resume(co) return co")

# %% the running coroutine
lua.eval("coroutine.running()")
lua.eval("coroutine.wrap(function() return type((coroutine.running())) end)()")

# %% userdata
str(lua.eval("io.stdout"))[:6]
repr(lua.eval("newproxy()"))

# %% cdata
lua.eval("require('ffi').new('int[2]')")
lua.eval("require('ffi').typeof('int')")

# %% int64 of the ffi library
lua.eval("5LL")
type(lua.eval("5LL"))

# %% uint64 of the ffi library
lua.eval("18446744073709551615ULL")

# %% large int64
lua.eval("9223372036854775807LL"), lua.eval("-9223372036854775807LL - 1")

# %% int64 in a table
lua.eval("{5LL}")[1]

# %% int64 as an argument of a Python function
lua.eval("(...)(5LL)", lambda x: x + 1)

# %% other cdata numbers
type(lua.eval("require('ffi').new('int', 5)")).__name__
type(lua.eval("require('ffi').new('double', 5)")).__name__

# %% complex numbers of LuaJIT
type(lua.eval("1i")).__name__

# %% a cdata pointer
type(lua.eval("require('ffi').cast('void *', 5)")).__name__

# %% light userdata
lua_type(lua.eval("require('ffi').cast('void *', 0)"))

# %% Python objects come back themselves
thing = object()
lua.eval("...", thing) is thing
lua.eval("{...}", thing)[1] is thing

# %% Python's None comes back
lua.eval("python.none") is None
lua.eval("python.none, 1")

# %% functions made by as_function come back themselves
lua.eval("python.as_function(...)", len) is len

# %% several results are a tuple
lua.eval("1, 2")
lua.eval("(function() return 1, {}, 'x' end)()")
type(lua.eval("1, 2"))

# %% no results are None
lua.eval("(function() end)()")

# %% trailing nils stay
lua.eval("1, nil, nil")
lua.eval("nil, nil, nil")

# %% booleans are bool
type(lua.eval("1 == 1")), lua.eval("1 == 1") is True

# %% metatables do not change conversion
type(lua.eval("setmetatable({}, {__tostring = function() return 'x' end})")).__name__
type(lua.eval("setmetatable({}, {__call = function() end})")).__name__
