"""Encodings."""

# %% UTF-8 both ways
lua.eval("...", "\xe4\u20ac\U0001f600")
lua.eval("#(...)", "\xe4\u20ac\U0001f600")

# %% invalid UTF-8 from Lua
lua.eval("'\\255'")

# %% invalid UTF-8 in a table
table = lua.eval("{'\\255'}")
table[1]
list(table.values())

# %% invalid UTF-8 as a key
table = lua.eval("{['\\255'] = 1}")
list(table)
table[b"\xff"]

# %% invalid UTF-8 among several results
lua.eval("1, '\\255'")

# %% invalid UTF-8 as an argument of a Python function
lua.eval("(...)('\\255')", lambda x: x)
lua.eval("pcall(..., '\\255')", lambda x: x)[0]

# %% the runtime goes on after a decoding error
lua.eval("'\\255'")
lua.eval("1 + 1")

# %% lone surrogates to Lua
lua.eval("...", "\ud800")

# %% lone surrogates in a table
lua.table("\ud800")
lua.table_from({"\ud800": 1})
lua.table()["\ud800"]

# %% an unencodable attribute name
getattr(lua.table(), "\ud800")
setattr(lua.table(), "\ud800", 1)

# %% latin-1
latin = LuaRuntime(encoding="latin-1")
latin.eval("'\\228'"), latin.eval("#(...)", "\xe4"), latin.eval("...", "\xe4")

# %% latin-1 source
latin = LuaRuntime(encoding="latin-1")
latin.eval("#'\xe4'"), latin.eval("'\xe4'")

# %% latin-1 cannot encode
latin = LuaRuntime(encoding="latin-1")
latin.eval("...", "\u20ac")

# %% latin-1 cannot encode the source
latin = LuaRuntime(encoding="latin-1")
latin.eval("'\u20ac'")

# %% ASCII
plain = LuaRuntime(encoding="ascii")
plain.eval("'abc'"), plain.eval("...", "abc")
plain.eval("...", "\xe4")
plain.eval("'\\228'")

# %% UTF-16
wide = LuaRuntime(encoding="UTF-16-LE", source_encoding="ascii")
wide.eval("#(...)", "ab"), wide.eval("'a\\0b\\0'")
wide.eval("...", "\u20ac")

# %% no encoding gives bytes
raw = LuaRuntime(encoding=None)
raw.eval("'abc'"), raw.eval("'\\255'"), raw.eval("...", b"\xff")

# %% no encoding with code as str
raw = LuaRuntime(encoding=None)
raw.eval("'\xe4'")

# %% no encoding with a source encoding
raw = LuaRuntime(encoding=None, source_encoding="latin-1")
raw.eval("'\xe4'")

# %% no encoding and str keys
raw = LuaRuntime(encoding=None)
table = raw.eval("{x = 1}")
table[b"x"], table["x"], table.x

# %% no encoding and setting attributes
raw = LuaRuntime(encoding=None)
table = raw.table()
table.x = 5
table[b"x"], list(table.items())

# %% no encoding and str as key
raw = LuaRuntime(encoding=None)
table = raw.table()
table["x"] = 5
table[b"x"], table["x"], list(table)[0]

# %% no encoding and keyword arguments
raw = LuaRuntime(encoding=None)
list(raw.table(x=1))
list(raw.table_from({"x": "y"}).items())

# %% no encoding and errors
raw = LuaRuntime(encoding=None)
raw.execute("error('x')")
raw.execute("error('\\228', 0)")

# %% no encoding and syntax errors
raw = LuaRuntime(encoding=None)
raw.execute("x x")

# %% no encoding and compile errors
raw = LuaRuntime(encoding=None)
raw.compile("x x")

# %% no encoding and attributes of Python objects
raw = LuaRuntime(encoding=None)
raw.eval("(...).real", 5j)
raw.eval("python.builtins.len == nil")

# %% no encoding and items of Python objects
raw = LuaRuntime(encoding=None)
raw.eval("(...).x", {b"x": 1})
raw.eval("(...).x", {"x": 1})

# %% no encoding and tostring
raw = LuaRuntime(encoding=None)
raw.eval("tostring(...)", [1, "\xe4"])

# %% no encoding and str of a table
raw = LuaRuntime(encoding=None)
str(raw.eval("setmetatable({}, {__tostring = function() return '\xe4' end})"))

# %% no encoding and lua_implementation
LuaRuntime(encoding=None).lua_implementation[:6]

# %% no encoding and require
LuaRuntime(encoding=None).require("string")[b"rep"](b"x", 2)
LuaRuntime(encoding=None).require(b"string").rep(b"x", 2)

# %% source encoding of its own
mixed = LuaRuntime(source_encoding="latin-1")
mixed.eval("#'\xe4'")
mixed.eval("'\xe4'")
mixed.eval("#(...)", "\xe4")

# %% source encoding for attribute names
mixed = LuaRuntime(source_encoding="latin-1")
table = mixed.table_from({"\xe4": "utf-8", b"\xe4": "latin-1"})
getattr(table, "\xe4"), table["\xe4"]

# %% source encoding for the chunk's name
mixed = LuaRuntime(source_encoding="latin-1")
mixed.execute("error('x')", name="=\xe4")

# %% bytes from Python are never decoded
lua.eval("...", b"abc")
lua.eval("...", b"\xff")

# %% a codec of one's own
import codecs


def find(name):
    if name == "upside":
        return codecs.CodecInfo(
            lambda text, errors="strict": (text.swapcase().encode(), len(text)),
            lambda data, errors="strict": (bytes(data).decode().swapcase(), len(data)),
            name="upside",
        )
    return None


codecs.register(find)
own = LuaRuntime(encoding="upside", source_encoding="ascii")
own.eval("'abc'"), own.eval("(...) .. 'abc'", "abc")

# %% a codec that raises
import codecs


def fail(*args):
    raise KeyError("codec")


codecs.register(
    lambda name: codecs.CodecInfo(fail, fail, name="failing") if name == "failing" else None
)
own = LuaRuntime(encoding="failing", source_encoding="ascii")
own.eval("'abc'")
own.eval("...", "abc")
own.eval("1")

# %% rot13 is no text encoding
strange = LuaRuntime(encoding="rot13", source_encoding="ascii")
strange.eval("...", "abc")
strange.eval("'abc'")

# %% utf-8-sig
marked = LuaRuntime(encoding="utf-8-sig", source_encoding="ascii")
marked.eval("#(...)", "abc")
marked.eval("...", "abc")

# %% cp1252
LuaRuntime(encoding="cp1252").eval("'\\128'")
LuaRuntime(encoding="cp1252").eval("#(...)", "\u20ac")
LuaRuntime(encoding="cp1252").eval("'\\129'")

# %% error messages in latin-1
LuaRuntime(encoding="latin-1").execute("error('\xe4', 0)")

# %% error messages that are not valid
lua.execute("error('\\255x', 0)")

# %% syntax errors that are not valid
lua.execute(b"x \xff")

# %% compile errors that are not valid
lua.compile(b"x \xff")

# %% str of a table that is not valid
str(lua.eval("setmetatable({}, {__tostring = function() return 'a\\255' end})"))

# %% strings with zeros
lua.eval("'a\\0b'"), lua.table(**{"a\0b": 1})["a\0b"]

# %% an empty string
lua.eval("... == ''", ""), lua.eval("''")

# %% interned and long strings
lua.eval("(...):rep(1000)", "ab") == "ab" * 1000
