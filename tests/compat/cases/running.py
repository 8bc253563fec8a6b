"""eval, execute and compile; chunks' names and modes."""


def first_line(function, *args, **kwargs):
    try:
        return function(*args, **kwargs)
    except Exception as error:
        return type(error).__name__, str(error).partition("\n")[0]


# %% eval values
lua.eval("1")
lua.eval("1, 2, nil, 'x'")
lua.eval("nil")
lua.eval("nil, nil")

# %% eval of nothing
lua.eval("")
lua.eval("   ")

# %% eval with a comment
lua.eval("1 -- one")
lua.eval("-- nothing")

# %% eval of several lines
lua.eval("\n1 +\n2")

# %% eval of a statement
lua.eval("x = 1")

# %% eval of two statements
lua.eval("1; y = 2")
lua.eval("y")

# %% execute without return
lua.execute("x = 1")
lua.eval("x")

# %% execute with return
lua.execute("return")
lua.execute("return 1")
lua.execute("return 1, 'x', {}")
lua.execute("")

# %% execute with a syntax error
lua.execute("for")

# %% eval with a syntax error
lua.eval("1 +")

# %% compile with a syntax error
lua.compile("1 +")

# %% a syntax error later on
lua.execute("x = 1\ny = 2\nz = = 3")

# %% unfinished strings
lua.execute("x = 'abc")
lua.execute("x = [[abc")

# %% syntax errors of several kinds
[
    first_line(lua.execute, code)
    for code in [
        "return 1 2",
        "goto nowhere",
        "break",
        "x = }",
        "local 1 = 2",
        "f(",
        "a.b:c = 1",
        "\\",
        "x = 0x",
    ]
]

# %% code as bytes
lua.eval(b"1 + 1")
lua.execute(b"return 2")
lua.compile(b"return 3")()

# %% code as bytearray
lua.eval(bytearray(b"1 + 1"))

# %% code of a wrong type
lua.eval(5)

# %% None as code
lua.execute(None)

# %% a memoryview as code
lua.execute(memoryview(b"return 1"))

# %% a list as code for compile
lua.compile(["return 1"])


# %% a str subclass as code
class Text(str):
    pass


lua.eval(Text("1 + 1"))

# %% arguments
lua.eval("...", 1, "x", None)
lua.execute("return ...", [1], {})
lua.eval("select('#', ...)")
lua.eval("select('#', ...)", None, None)

# %% arguments of compiled code
lua.compile("return ...")(1, 2)
lua.compile("return select('#', ...)")(None)

# %% compile gives a function
lua.compile("return 1")
lua.compile("")()
type(lua.compile("return 1"))

# %% keyword arguments
lua.execute(lua_code="return 1")
lua.eval(lua_code="1")
lua.compile(lua_code="return 1")()

# %% unknown keyword arguments
try:
    lua.eval("1", nothing=1)
except TypeError:
    print("TypeError")

# %% no arguments
for method in [lua.eval, lua.execute, lua.compile]:
    try:
        method()
    except TypeError:
        print("TypeError")

# %% the name in errors
lua.execute("error('x')", name="my chunk")
lua.execute("error('x')", name="=my chunk")
lua.execute("error('x')", name="@my/file.lua")

# %% the name of several lines of code
lua.execute("\n\nerror('x')", name="first\nsecond")

# %% a long name
first_line(lua.execute, "error('x')", name="n" * 200)
first_line(lua.execute, "error('x')", name="=" + "n" * 200)
first_line(lua.execute, "error('x')", name="@" + "n" * 200)

# %% an empty name
first_line(lua.execute, "error('x')", name="")

# %% the name as bytes
first_line(lua.execute, "error('x')", name=b"=bytes")
first_line(lua.execute, "error('x')", name=bytearray(b"=bytearray"))

# %% the name not ASCII
first_line(lua.execute, "error('x')", name="=\xe4\u20ac")

# %% the name of a wrong type
lua.execute("return 1", name=5)

# %% the name with a zero
first_line(lua.execute, "error('x')", name="=a\0b")

# %% the name of a compiled function
first_line(lua.compile("error('x')", name="=compiled"))
first_line(lua.compile, "x x", name="=compiled")
first_line(lua.compile("error('x')", "=by position"))

# %% the name in syntax errors
lua.execute("x x", name="=script")
lua.eval("x x", name="=script")

# %% the name in eval
lua.eval("error('x')", name="=evaluated")

# %% the default name in debug info
lua.eval("debug.getinfo(1, 'S').source")
lua.execute("return debug.getinfo(1, 'S').source")
lua.compile("return debug.getinfo(1, 'S').source")()
lua.execute("return debug.getinfo(1, 'S').short_src")

# %% code with zeros
lua.eval("#'a\0b'")

# %% code with carriage returns
first_line(lua.execute, "x = 1\r\nerror('line 2')")

# %% code that begins with a hash
lua.execute("#!/usr/bin/lua\nreturn 1")

# %% code with a byte order mark
lua.execute("\ufeffreturn 1")

# %% code with characters that are not ASCII
lua.eval("'\xe4\u20ac\U0001f600'")
lua.eval("#'\xe4\u20ac\U0001f600'")

# %% code with lone surrogates
lua.eval("'\ud800'")

# %% mode t with text
lua.execute("return 1", mode="t")
lua.eval("1", mode="t")
lua.compile("return 1", mode="t")()

# %% mode bt with text
lua.execute("return 1", mode="bt")

# %% mode as bytes
lua.execute("return 1", mode=b"t")

# %% mode b with text
lua.execute("return 1", mode="b")

# %% mode b with text compiled
lua.compile("return 1", mode="b")

# %% mode empty
lua.execute("return 1", mode="")

# %% mode unknown
lua.execute("return 1", mode="x")

# %% mode of a wrong type
lua.execute("return 1", mode=5)

# %% mode not ASCII
lua.execute("return 1", mode="\xe4")

# %% bytecode
code = LuaRuntime(encoding=None).eval("string.dump(function(...) return 42, ... end)")
lua.execute(code, 1)
lua.compile(code)(2)
lua.execute(code, mode="b")

# %% bytecode in mode t
code = LuaRuntime(encoding=None).eval("string.dump(function() return 42 end)")
lua.execute(code, mode="t")

# %% bytecode in mode t compiled
code = LuaRuntime(encoding=None).eval("string.dump(function() return 42 end)")
lua.compile(code, mode="t")

# %% bytecode that is cut off
code = LuaRuntime(encoding=None).eval("string.dump(function() return 42 end)")
lua.execute(code[:10])

# %% chunks see globals
lua.execute("counter = (counter or 0) + 1")
lua.execute("counter = (counter or 0) + 1")
lua.eval("counter")

# %% locals end with the chunk
lua.execute("local hidden = 1")
lua.eval("hidden")

# %% returning many values
len(lua.eval("unpack({}, 1, 200)"))
lua.execute("return 1, 2, 3, 4, 5, 6, 7, 8, 9, 10")

# %% returning too many values
first_line(lua.eval, "unpack({}, 1, 1e7)")

# %% passing many arguments
lua.eval("select('#', ...)", *range(250))
lua.eval("select(-1, ...)", *range(250))

# %% passing very many arguments
first_line(lua.eval, "select('#', ...)", *range(100000))

# %% a function with too many locals
first_line(lua.execute, "local " + ",".join(f"a{i}" for i in range(300)) + " = 1")

# %% deep nesting in the source
first_line(lua.execute, "return " + "(" * 300 + "1" + ")" * 300)

# %% goto and continue
lua.execute(
    "local s = 0 for i = 1, 5 do if i == 3 then goto continue end s = s + i ::continue:: end return s"
)

# %% integer division is no LuaJIT
lua.eval("7 // 2")

# %% load of strings in Lua
lua.eval("load('return 1 + 1')()")
lua.eval("loadstring('return 1 + 1')()")
lua.eval("load('x x')")

# %% print goes to standard output
lua.eval("print(1, 'x', nil, true)")
lua.execute("io.write('written', 1, '\\n')")

# %% print of Python objects
lua.execute("print(...)", [1, "x"], None, {"a": 1})

# %% io.stderr
lua.execute("io.stderr:write('an error\\n')")

# %% globals gives the globals
lua.globals()
lua.globals().x = 5
lua.eval("x")
lua.globals()["string"]["rep"]("x", 3)

# %% globals after _G is replaced
lua.execute("_G = {}")
lua_type(lua.globals().print)

# %% setfenv of a chunk
lua.execute("setfenv(1, {y = 1}) x = y")
lua.eval("x")
