"""LuaRuntime's arguments."""

# %% no arguments
LuaRuntime()

# %% all by position
LuaRuntime("UTF-8", "UTF-8", None, None, False, True, False, None, None, None).eval("1 + 1")

# %% too many by position
try:
    LuaRuntime("UTF-8", "UTF-8", None, None, False, True, False, None, None, None, 1)
except TypeError:
    print("TypeError")

# %% an unknown name
try:
    LuaRuntime(nothing=1)
except TypeError:
    print("TypeError")

# %% the text for an unknown name
LuaRuntime(nothing=1)

# %% encoding as bytes
LuaRuntime(encoding=b"latin-1").eval("'\\228'")

# %% encoding as bytearray
LuaRuntime(encoding=bytearray(b"latin-1")).eval("'\\228'")

# %% encoding of a wrong type
LuaRuntime(encoding=5)

# %% encoding of another wrong type
LuaRuntime(encoding=["UTF-8"])

# %% encoding not ASCII
LuaRuntime(encoding="\xe4")

# %% encoding as bytes not ASCII
LuaRuntime(encoding=b"\xe4")

# %% unknown encoding
strange = LuaRuntime(encoding="no such codec")

# %% unknown encoding when it is used
strange = LuaRuntime(encoding="no such codec", source_encoding="ascii")
strange.eval("'x'")
strange.eval("type(...)", "x")
strange.eval("1")

# %% empty encoding
strange = LuaRuntime(encoding="", source_encoding="ascii")
strange.eval("'x'")

# %% source encoding of a wrong type
LuaRuntime(source_encoding=5)

# %% source encoding unknown
LuaRuntime(source_encoding="no such codec").eval("1")

# %% attribute_filter not callable
LuaRuntime(attribute_filter=5)

# %% attribute_filter None
LuaRuntime(attribute_filter=None).eval("1")

# %% attribute_handlers of a wrong length
LuaRuntime(attribute_handlers=(len,))

# %% attribute_handlers of three
LuaRuntime(attribute_handlers=(len, len, len))

# %% attribute_handlers not callable
LuaRuntime(attribute_handlers=(1, 2))

# %% attribute_handlers not a sequence
LuaRuntime(attribute_handlers=5)

# %% attribute_handlers as list
LuaRuntime(attribute_handlers=[getattr, setattr]).eval("(...).real", 5)

# %% attribute_handlers as iterator
LuaRuntime(attribute_handlers=iter([getattr, setattr])).eval("1")

# %% attribute_handlers empty
LuaRuntime(attribute_handlers=()).eval("1")

# %% attribute_handlers both None
LuaRuntime(attribute_handlers=(None, None)).eval("(...).real", 5j)

# %% filter and handlers
LuaRuntime(attribute_filter=lambda o, n, s: n, attribute_handlers=(getattr, setattr))

# %% filter and handlers of None
LuaRuntime(attribute_filter=lambda o, n, s: n, attribute_handlers=(None, None)).eval("1")

# %% overflow_handler not callable
LuaRuntime(overflow_handler=5)

# %% register_eval off
LuaRuntime(register_eval=False).eval("python.eval")
LuaRuntime(register_eval=False).eval("python.builtins.eval ~= nil")

# %% register_builtins off
LuaRuntime(register_builtins=False).eval("python.builtins")
LuaRuntime(register_builtins=False).eval("python.eval('1 + 1')")

# %% flags as other objects
LuaRuntime(register_eval=0, register_builtins=[]).eval(
    "python.eval == nil and python.builtins == nil"
)
LuaRuntime(unpack_returned_tuples="yes").eval("select('#', (...)())", lambda: (1, 2, 3))

# %% max_memory of a wrong type
LuaRuntime(max_memory="much")

# %% max_memory negative
try:
    LuaRuntime(max_memory=-1)
except OverflowError:
    print("OverflowError")

# %% string_hash_seed
LuaRuntime(string_hash_seed=5).eval("#'abc'")

# %% string_hash_seed of a wrong type
try:
    LuaRuntime(string_hash_seed="x")
except TypeError:
    print("TypeError")

# %% string_hash_seed too large
LuaRuntime(string_hash_seed=2**40)

# %% runtimes are separate
LuaRuntime().execute("shared = 1")
LuaRuntime().eval("shared")

# %% libraries that are open
sorted(
    name
    for name in lua.globals()
    if lua_type(lua.globals()[name]) == "table" and name not in ("_G", "python")
)

# %% globals that are there
sorted(lua.globals())

# %% names in python
sorted(lua.eval("python"))

# %% names in the libraries
sorted(lua.eval("string"))
sorted(lua.eval("table"))
sorted(lua.eval("math"))
sorted(lua.eval("os"))
sorted(lua.eval("io"))
sorted(lua.eval("debug"))
sorted(lua.eval("package"))
sorted(lua.eval("bit"))
sorted(lua.eval("coroutine"))
sorted(lua.eval("require('ffi')"))

# %% names in jit
sorted(lua.eval("jit"))
