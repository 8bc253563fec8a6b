"""Ways to private attributes and items of Python objects: by any route and any spelling."""

import pytest

from lupa import LuaRuntime


class Account:
    owner = "ada"
    _pin = 4711

    def greet(self):
        return f"hello {self.owner}"


class Record(dict):
    _pin = 4711


def account(lua):
    return (Account(),)


def items(lua):
    return (Record(owner="ada", _pin=4711, __class__="item"),)


READS = {
    "by name": "return (...)._pin == 4711",
    "by text": "return (...)['_pin'] == 4711",
    "by text that was put together": "return (...)[('_'):rep(1) .. 'pin'] == 4711",
    "of the class": "return (...).__class__",
    "by a call": "return (...).__reduce_ex__(2)",
    "by the getter itself": "return (...).__getattribute__('_pin') == 4711",
    "by a method's function": "return (...).greet.__func__",
    "by a method's object": "return (...).greet.__self__",
    "by as_attrgetter": "return python.as_attrgetter(...)._pin == 4711",
    "by as_attrgetter twice": "return python.as_attrgetter(python.as_attrgetter(...))._pin == 4711",
    "by both getters": """
        return python.as_attrgetter(python.as_itemgetter(...))._pin == 4711""",
    "by as_function": "return python.as_attrgetter(python.as_function(...)).__class__",
    "by an __index": "return setmetatable({}, { __index = ... })._pin == 4711",
    "by two __index": """
        local inner = setmetatable({}, { __index = ... })
        return setmetatable({}, { __index = inner })._pin == 4711""",
    "by an __index function": """
        local object = ...
        return setmetatable({}, { __index = function(_, key) return object[key] end })._pin""",
    "in pcall": "local object = ... return select(2, pcall(function() return object._pin end)) == 4711",
    "in a coroutine": """
        return coroutine.wrap(function(object) return object._pin end)(...) == 4711""",
    "in code loaded later": "return load('return (...)._pin')(...) == 4711",
    "in a callback": """
        local object, got = ..., nil
        table.sort({1, 2}, function() got = object._pin end)
        return got == 4711""",
    "in gsub": """
        local object = ...
        return (('_pin'):gsub('.+', function(name) return object[name] end)) == '4711'""",
}


@pytest.mark.parametrize("name", READS)
def test_reading(fails, name):
    fails(READS[name], account)


WRITES = {
    "by name": "(...)._pin = 1",
    "by text": "(...)['_pin'] = 1",
    "of the class": "(...).__class__ = (...).__class__",
    "of the dictionary": "(...).__dict__ = (...).__dict__",
    "by as_attrgetter": "python.as_attrgetter(...)._pin = 1",
    "by a __newindex": "setmetatable({}, { __newindex = ... })._pin = 1",
    "removal": "(...)._pin = nil",
}


@pytest.mark.parametrize("name", WRITES)
def test_writing(fails, name):
    victims = []

    def victim(lua):
        victims.append(Account())
        return victims[-1:]

    fails(WRITES[name] + " return true", victim)
    assert victims[1]._pin == 4711 and victims[1].__class__ is Account and not vars(victims[1])


ITEMS = {
    "by name": "return (...)._pin == 4711",
    "by text": "return (...)['__class__'] == 'item'",
    "by as_itemgetter": "return python.as_itemgetter(...)._pin == 4711",
    "by both getters": "return python.as_itemgetter(python.as_attrgetter(...))._pin == 4711",
    "by as_attrgetter": "return python.as_attrgetter(...)._pin == 4711",
    "by an __index": "return setmetatable({}, { __index = ... })._pin == 4711",
    "set": "(...)._pin = 1 return true",
    "set a new one": "(...).__builtins__ = 1 return true",
    "by formatting": "return ('%(_pin)s' % ...) == '4711'",
}


@pytest.mark.parametrize("name", ITEMS)
def test_items(fails, name):
    fails(ITEMS[name], items)


def test_items_that_look_like_internals_are_items(sandbox):
    mapping = {"mro": 1, "f_back": 2, "format": 3, "args": 4}
    assert sandbox.eval("(...).mro, (...).f_back, (...).format, (...).args", mapping) == (
        1,
        2,
        3,
        4,
    )


CODECS = ["utf-8", "utf-8-sig", "latin-1", "ascii", "cp1252", "utf-16", "utf-16-be", "utf-16-le",
          "utf-32", "utf-7", "cp037", "shift_jis", "gb18030", "unicode_escape", "punycode"]  # fmt: skip


@pytest.mark.parametrize("name", ["_pin", "__class__"])
@pytest.mark.parametrize("codec", CODECS)
def test_encodings(fails, codec, name):
    spelled = name.encode(codec)
    fails("local o, name = ... return o[name]", lambda lua: (Account(), spelled), encoding=codec)


@pytest.mark.parametrize("name", ["_pin", "__class__"])
@pytest.mark.parametrize("codec", CODECS)
def test_names_as_bytes(fails, codec, name):
    spelled = name.encode(codec)
    for get in ["o[name]", "python.as_attrgetter(o)[name]"]:
        fails(
            f"local o, name = ... return {get}",
            lambda lua: (Account(), spelled),
            encoding=None,
            source_encoding=codec,
        )


OTHER_SPELLINGS = {
    "utf-7": b"+AF8AXw-class+AF8AXw-",
    "unicode_escape": rb"\x5f\x5fclass\x5f\x5f",
    "utf-16": "__class__".encode("utf-16-be").join([b"\xfe\xff", b""]),
}


@pytest.mark.parametrize("encoding", ["the same", None])
@pytest.mark.parametrize("codec", OTHER_SPELLINGS)
def test_other_spellings(fails, codec, encoding):
    fails(
        "local o, name = ... return o[name]",
        lambda lua: (Account(), OTHER_SPELLINGS[codec]),
        encoding=encoding and codec,
        source_encoding=codec,
    )


@pytest.mark.parametrize("errors", ["ignore", "replace", "surrogateescape", "backslashreplace"])
@pytest.mark.parametrize(
    "name", [b"\xff__class__", b"__class__\xff", b"_\xff_class__", b"\xc0\x9f_class__"]
)
def test_names_that_are_not_valid(sandbox, attempt, errors, name):
    lua = LuaRuntime(sandbox=True, encoding_errors=errors)
    assert not attempt(lua, "local o, name = ... return o[name]", Account(), name)


@pytest.mark.parametrize(
    "name", [b"__class__\0", b"\0__class__", "＿＿class＿＿".encode(), b" __class__"]
)
def test_names_that_are_similar(sandbox, attempt, name):
    assert not attempt(sandbox, "local o, name = ... return o[name]", Account(), name)


def test_text_of_subclasses_as_names(fails):
    class Text(str):
        """Denies what it is, where its methods are asked."""

        def startswith(self, *args):
            return False

        def __getitem__(self, index):
            return "x"

        def __str__(self):
            return "owner"

        __repr__ = __str__

    victims = (Account(), Text("_pin"))
    fails("local o, name = ... return o[name] == 4711", lambda lua: victims)
    # Where strings are bytes, text is an object that Lua code can pass on.
    fails("local o, name = ... return o[name] == 4711", lambda lua: victims, encoding=None)
    fails("local o, name = ... return o[name] == 4711",
          lambda lua: (Record(_pin=4711), Text("_pin")), encoding=None)  # fmt: skip


def test_handlers_are_not_asked_for_private_names(fails):
    def read(obj, name):
        return getattr(obj, name if isinstance(name, str) else name.decode("utf-7"))

    handlers = (read, setattr)
    fails("return (...)._pin == 4711", account, attribute_handlers=handlers)
    fails("(...)._pin = 1 return true", account, attribute_handlers=handlers)
    fails(
        "local o, name = ... return o[name] == 4711",
        lambda lua: (Account(), b"+AF8-pin"),
        attribute_handlers=handlers,
        encoding=None,
        source_encoding="utf-7",
    )


def test_what_stays_possible(sandbox):
    thing, mapping = Account(), {"x": 1}
    assert sandbox.eval("(...).owner, (...):greet()", thing) == ("ada", "hello ada")
    sandbox.execute("(...).owner = 'grace'", thing)
    assert thing.owner == "grace" and Account.owner == "ada"
    sandbox.execute("local m = ... m.y = m.x + 1", mapping)
    assert mapping == {"x": 1, "y": 2}
    assert sandbox.eval("python.as_attrgetter(...).get('x')", mapping) == 1
