"""Text between the languages: encodings, bytes, NUL, subclasses, codecs of one's own."""

import codecs

import pytest

from lupa import LuaError, LuaRuntime

TEXTS = [
    "",
    "a",
    "abc",
    "a\0b",
    "\0",
    "\u00e4\u00f6\u00fc",
    "\u20ac",
    "\U0001f600",
    "line\nline\r\n",
    "x" * 100_000,
]


def echo_of(lua):
    return lua.eval("function(...) return ... end")


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text[:8]))
def test_text_survives_a_round_trip(lua, text):
    assert echo_of(lua)(text) == text
    assert lua.eval("#...", text) == len(text.encode())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-32", "utf-7", "gb18030"])
def test_every_codec_can_be_the_encoding(encoding):
    lua = LuaRuntime(encoding=encoding, source_encoding="utf-8")
    for text in TEXTS:
        assert echo_of(lua)(text) == text
        assert lua.eval("#...", text) == len(text.encode(encoding))


@pytest.mark.parametrize("encoding", ["latin1", "cp1252", "koi8-r", "ascii"])
def test_single_byte_codecs(encoding):
    lua = LuaRuntime(encoding=encoding)
    text = bytes(range(128)).decode(encoding)
    assert echo_of(lua)(text) == text
    assert lua.eval("'abc'") == "abc"


def test_latin1_maps_every_byte():
    lua = LuaRuntime(encoding="latin1")
    everything = bytes(range(256))
    assert echo_of(lua)(everything) == everything.decode("latin1")
    assert lua.eval("'\\228'") == "\u00e4"
    assert lua.eval("#'\u00e4'") == 1


def test_the_default_encoding_is_utf8(lua):
    assert lua.eval("'\\195\\164'") == "\u00e4"
    assert lua.eval("#'\u00e4'") == 2


def test_bytes_enter_as_they_are(lua):
    assert lua.eval("#...", b"\xff\xfe\0") == 3
    assert lua.eval("...", b"abc") == "abc"
    assert lua.eval("... == 'abc'", b"abc") is True


def test_without_encoding_strings_are_bytes(bytes_lua):
    lua = bytes_lua
    everything = bytes(range(256))
    assert echo_of(lua)(everything) == everything
    assert lua.eval("'abc'") == b"abc"
    assert type(lua.eval("''")) is bytes
    assert lua.eval("...", b"\0") == b"\0"


def test_without_encoding_text_is_an_object(bytes_lua):
    assert bytes_lua.eval("type(...)", "abc") == b"userdata"
    assert bytes_lua.eval("...", "abc") == "abc"


def test_without_encoding_source_is_utf8(bytes_lua):
    assert bytes_lua.eval("'\u00e4'") == "\u00e4".encode()
    lua = LuaRuntime(encoding=None, source_encoding="latin1")
    assert lua.eval("'\u00e4'") == b"\xe4"


def test_without_encoding_table_attributes_work(bytes_lua):
    table = bytes_lua.eval("{abc = 1, ['\u00e4'] = 2}")
    assert table.abc == 1
    assert getattr(table, "\u00e4") == 2
    assert table[b"abc"] == 1
    assert table["abc"] is None
    table.new = b"x"
    assert bytes_lua.eval("(...).new == 'x'", table) is True
    assert sorted(table) == [b"abc", b"new", "\u00e4".encode()]


def test_without_encoding_callbacks_get_bytes(bytes_lua):
    assert bytes_lua.eval("(...)('abc')", lambda text: (type(text), text)) == (bytes, b"abc")


def test_without_encoding_attributes_of_objects_work(bytes_lua):
    class Thing:
        name = b"thing"

    assert bytes_lua.eval("(...).name", Thing) == b"thing"
    bytes_lua.execute("(...).other = 1", Thing)
    assert Thing.other == 1


def test_bytes_as_keys_and_text_as_keys_are_one(lua):
    table = lua.table()
    table[b"key"] = 1
    assert table["key"] == 1 and table.key == 1
    assert list(table) == ["key"]


@pytest.mark.parametrize("code", ["'\\255'", "1, '\\255'", "'\\255', 1"])
def test_strings_that_cannot_be_decoded(lua, code):
    with pytest.raises(UnicodeDecodeError) as info:
        lua.eval(code)
    assert info.value.object == b"\xff"
    assert lua.eval("1") == 1


def test_keys_and_values_that_cannot_be_decoded(lua):
    table = lua.eval("{['\\255'] = 1}")
    with pytest.raises(UnicodeDecodeError):
        list(table)
    assert list(table.values()) == [1]
    assert lua.eval("{'\\255'}")[b"x"] is None
    with pytest.raises(UnicodeDecodeError):
        lua.eval("{'\\255'}")[1]


def test_arguments_that_cannot_be_decoded(lua):
    calls = []
    with pytest.raises(UnicodeDecodeError):
        lua.eval("(...)('\\255')", calls.append)
    assert calls == []
    ok, error = lua.eval("pcall(..., '\\255')", calls.append)
    assert ok is False and isinstance(error, UnicodeDecodeError)


def test_text_that_cannot_be_encoded(lua):
    with pytest.raises(UnicodeEncodeError):
        lua.eval("...", "\ud800")
    with pytest.raises(UnicodeEncodeError):
        lua.globals().x = "\ud800"
    with pytest.raises(UnicodeEncodeError):
        lua.eval("(...)()", lambda: "\ud800")
    with pytest.raises(UnicodeEncodeError):
        LuaRuntime(encoding="ascii").eval("...", "\u00e4")
    assert lua.eval("1") == 1


def test_source_that_cannot_be_encoded(lua):
    with pytest.raises(UnicodeEncodeError):
        lua.eval("'\ud800'")
    with pytest.raises(UnicodeEncodeError):
        LuaRuntime(source_encoding="ascii").execute("x = '\u00e4'")


def test_unknown_codecs_are_found_out_in_use():
    with pytest.raises(LookupError, match="unknown encoding: no-such-codec"):
        LuaRuntime(encoding="no-such-codec").eval("'a'")
    lua = LuaRuntime(encoding="no-such-codec", source_encoding="utf-8")
    assert lua.eval("1") == 1
    with pytest.raises(LookupError, match="unknown encoding: no-such-codec"):
        lua.eval("...", "text")


def test_codecs_of_one_s_own():
    def encode(text, errors="strict"):
        return text[::-1].encode(), len(text)

    def decode(data, errors="strict"):
        return bytes(data).decode()[::-1], len(data)

    def search(name):
        return codecs.CodecInfo(encode, decode, name=name) if name == "lupa_backwards" else None

    codecs.register(search)
    lua = LuaRuntime(encoding="lupa_backwards", source_encoding="utf-8")
    assert lua.eval("... == 'cba'", "abc") is True
    assert lua.eval("'abc'") == "cba"
    assert lua.eval("{abc = 1}")["cba"] == 1


def test_a_failing_codec_reports_its_error():
    def fail(data, errors="strict"):
        raise RuntimeError("broken codec")

    def search(name):
        return codecs.CodecInfo(fail, fail, name=name) if name == "lupa_broken" else None

    codecs.register(search)
    lua = LuaRuntime(encoding="lupa_broken", source_encoding="utf-8")
    with pytest.raises(RuntimeError, match="broken codec"):
        lua.eval("'abc'")
    with pytest.raises(RuntimeError, match="broken codec"):
        lua.eval("...", "abc")
    assert lua.eval("1") == 1


def test_subclasses_of_str_and_bytes_are_strings(lua):
    class Text(str):
        pass

    class Data(bytes):
        pass

    assert lua.eval("type(...)", Text("abc")) == "string"
    assert lua.eval("type(...)", Data(b"abc")) == "string"
    assert type(lua.eval("...", Text("abc"))) is str


def test_tostring_uses_the_encoding():
    class Thing:
        def __str__(self):
            return "\u00e4"

    assert LuaRuntime(encoding="latin1").eval("#tostring(...)", Thing()) == 1
    assert LuaRuntime().eval("#tostring(...)", Thing()) == 2
    assert LuaRuntime(encoding=None).eval("tostring(...)", Thing()) == "\u00e4".encode()


def test_attribute_names_use_the_encoding():
    class Thing:
        pass

    setattr(Thing, "\u00e4", 1)
    for encoding in ["utf-8", "latin1"]:
        assert LuaRuntime(encoding=encoding).eval("(...).\u00e4", Thing) == 1
    assert LuaRuntime(encoding=None, source_encoding="latin1").eval("(...)['\\228']", Thing) == 1


def test_error_messages_use_the_encoding():
    for encoding in ["utf-8", "latin1"]:
        with pytest.raises(LuaError, match="^\u00e4"):
            LuaRuntime(encoding=encoding).execute("error('\u00e4', 0)")


def test_error_messages_without_encoding_are_latin1(bytes_lua):
    with pytest.raises(LuaError, match="^\u00ff"):
        bytes_lua.execute("error('\\255', 0)")
