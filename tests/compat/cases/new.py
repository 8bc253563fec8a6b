"""What this lupa has and the other has not."""

# %% libs
LuaRuntime(libs=["base", "string"]).eval("io == nil")

# %% timeout
LuaRuntime(timeout=10).eval("1")

# %% encoding_errors
LuaRuntime(encoding_errors="replace").eval("'\\255'")

# %% sandbox
LuaRuntime(sandbox=True).eval("io == nil and python.eval == nil")

# %% interrupt
lua.interrupt()

# %% close
lua.close()

# %% with
try:
    with LuaRuntime() as other:
        print(other.eval("1"))
except (AttributeError, TypeError):
    print("refused")

# %% new exceptions
luajit21.LuaTimeoutError.__mro__, luajit21.LuaInterruptedError.__mro__

# %% the value of an error
try:
    lua.execute("error({code = 5})")
except LuaError as error:
    print(error.value.code)

# %% the traceback of an error
try:
    lua.execute("error('x')")
except LuaError as error:
    print(error.traceback.splitlines()[0])

# %% public names of the classes
luajit21.LuaTable is type(lua.table())

# %% names of the classes with an underscore
luajit21._LuaTable is type(lua.table())

# %% to_python
luajit21.to_python(lua.eval("{1, {x = 2}}"))

# %% throwing into a coroutine
co = lua.eval("function() local ok, e = pcall(coroutine.yield, 1) coroutine.yield(tostring(e)) end")
co = co.coroutine()
next(co), co.throw(ValueError("v"))

# %% closing a coroutine
co = lua.eval("function() coroutine.yield(1) end").coroutine()
next(co), co.close(), bool(co)
