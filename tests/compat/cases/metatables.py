"""Lua's metatables, seen from Python."""

# %% __index as a table
table = lua.eval("setmetatable({a = 1}, {__index = {b = 2}})")
table.a, table.b, table["b"], table.c

# %% __index as a function
table = lua.eval("setmetatable({}, {__index = function(t, k) return k .. '!' end})")
table.x, table["y"]

# %% __index gives several values
lua.eval("setmetatable({}, {__index = function() return 1, 2 end})").x

# %% __newindex
lua.execute("log = {} t = setmetatable({}, {__newindex = function(t, k, v) rawset(log, k, v) end})")
table = lua.eval("t")
table.x = 5
table["y"] = 6
sorted(lua.eval("log").items()), list(table)

# %% __newindex as a table
target = lua.table()
table = lua.eval("setmetatable({}, {__newindex = ...})", target)
table.x = 5
target.x, list(table)

# %% __newindex when deleting
lua.execute(
    "log = {} t = setmetatable({}, {__newindex = function(t, k, v) log[#log + 1] = tostring(k) .. '=' .. tostring(v) end})"
)
del lua.eval("t").x
del lua.eval("t")["y"]
list(lua.eval("log").values())

# %% __newindex that raises
table = lua.eval("setmetatable({}, {__newindex = function() error('read only', 0) end})")
table.x = 5
lua.eval("1")

# %% __newindex that raises, by item
table = lua.eval("setmetatable({}, {__newindex = function() error('read only', 0) end})")
table["x"] = 5
lua.eval("1")

# %% __newindex that raises, by deleting
table = lua.eval("setmetatable({}, {__newindex = function() error('read only', 0) end})")
del table["x"]

# %% NaN as a key to set
lua.table()[float("nan")] = 1

# %% __len
len(lua.eval("setmetatable({1, 2}, {__len = function() return 10 end})"))

# %% __call
lua.eval("setmetatable({}, {__call = function(self, a, b) return a, b end})")(1, 2)

# %% __tostring
table = lua.eval("setmetatable({}, {__tostring = function() return 'own' end})")
str(table), repr(table)[:13], f"{table}"

# %% __tostring not ASCII
str(lua.eval("setmetatable({}, {__tostring = function() return '\xe4' end})"))

# %% __eq
lua.execute(
    "mt = {__eq = function() return true end} a, b = setmetatable({}, mt), setmetatable({}, mt)"
)
lua.eval("a == b")
lua.eval("a") == lua.eval("b")

# %% __lt and __le
lua.eval(
    "(function() local mt = {__lt = function() return true end} return setmetatable({}, mt) < setmetatable({}, mt) end)()"
)

# %% __metatable
lua.eval("getmetatable(setmetatable({}, {__metatable = 'locked'}))")

# %% __pairs is not asked
list(lua.eval("setmetatable({1}, {__pairs = function() error('asked') end})"))

# %% __mode
len(lua.eval("setmetatable({}, {__mode = 'k'})"))

# %% strings have methods
lua.eval("(...):len()", "abc")

# %% userdata with __index
lua.execute("p = newproxy(true) getmetatable(p).__index = function(p, k) return k .. '?' end")
p = lua.eval("p")
p.x, p["y"]

# %% userdata without __index
p = lua.eval("newproxy(true)")
p.x

# %% userdata with __newindex
lua.execute("p = newproxy(true) getmetatable(p).__newindex = function(p, k, v) print(k, v) end")
p = lua.eval("p")
p.x = 5

# %% setting items of userdata
lua.execute("p = newproxy(true) getmetatable(p).__newindex = function(p, k, v) print(k, v) end")
p = lua.eval("p")
p["x"] = 5

# %% userdata with __call
lua.execute(
    "p = newproxy(true) getmetatable(p).__call = function(p, ...) return select('#', ...) end"
)
lua.eval("p")(1, 2)

# %% userdata with __len
lua.execute("p = newproxy(true) getmetatable(p).__len = function() return 7 end")
len(lua.eval("p"))

# %% userdata without __len
len(lua.eval("newproxy(true)"))

# %% userdata with __tostring
lua.execute("p = newproxy(true) getmetatable(p).__tostring = function() return 'proxy' end")
str(lua.eval("p")), repr(lua.eval("p"))[:16]

# %% calling userdata
lua.eval("newproxy()")()

# %% bool of userdata
bool(lua.eval("newproxy()"))

# %% files
f = lua.eval("io.tmpfile()")
lua_type(f), repr(f)[:16], str(f)[:6]
f.nothing

# %% cdata structs
lua.execute("ffi = require('ffi') ffi.cdef('typedef struct { int x; double y; } compat_point;')")
p = lua.eval("ffi.new('compat_point', 1, 2.5)")
p.x, p.y
p.z

# %% setting in cdata
lua.execute("ffi = require('ffi')")
a = lua.eval("ffi.new('int[3]')")
a[0]
a[0] = 5

# %% cdata arrays
a = lua.eval("require('ffi').new('int[3]', {1, 2, 3})")
a[0], a[2]
len(a)

# %% str and repr of cdata
a = lua.eval("require('ffi').new('int[3]')")
str(a)[:12], repr(a)

# %% calling cdata
lua.eval("require('ffi').typeof('int')")(5)
lua.eval("require('ffi').new('int[3]')")()

# %% bool and equality of cdata
a = lua.eval("require('ffi').new('int[3]')")
bool(a), a == a

# %% cdata back to Lua
a = lua.eval("require('ffi').new('int[3]', {1, 2, 3})")
lua.eval("(...)[1]", a)

# %% strict globals, reading
lua.execute("setmetatable(_G, {__index = function(_, name) error('undefined ' .. name, 2) end})")
lua.eval("1")

# %% strict globals, reading by Python
lua.execute("setmetatable(_G, {__index = function(_, name) error('undefined ' .. name, 2) end})")
lua.globals().nothing

# %% strict globals, writing
lua.execute(
    "setmetatable(_G, {__newindex = function(_, name) error('undeclared ' .. name, 2) end})"
)
lua.globals().x = 5

# %% strict globals without debug
lua.execute(
    "debug = nil setmetatable(_G, {__index = function(_, name) error('undefined ' .. name, 2) end})"
)
lua.eval("1")

# %% debug is gone [10 s]
lua.execute("debug = nil")
table = lua.table(1)
lua.eval("1 + 1"), table[1], len(table)

# %% the table changes while it is iterated [10 s]
table = lua.table_from({f"key{i}": i for i in range(20)})
count = 0
for key in table:
    table[key] = None
    for i in range(50):
        table[f"new{i}{key}"] = i
    count += 1
    if count > 100:
        break
print("the loop ended")
lua.eval("1")

# %% the table shrinks while it is iterated [10 s]
table = lua.table_from({f"key{i}": i for i in range(100)})
it = iter(table)
next(it) is not None
lua.execute(
    "local t = ... for k in pairs(t) do t[k] = nil end for i = 1, 1000 do t[i] = i end", table
)
lua.gccollect()
try:
    print(sum(1 for _ in it) < 10000)
except LuaError:
    print("LuaError")
lua.eval("1")

# %% __gc that raises
lua.execute("local p = newproxy(true) getmetatable(p).__gc = function() error('in gc') end")
lua.gccollect()
lua.gccollect()
lua.eval("1")
