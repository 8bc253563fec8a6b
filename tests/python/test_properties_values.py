"""Properties of values that cross the border and come back, over all values of their kinds."""

import codecs
import math
import struct

import pytest
from hypothesis import example, given, settings, strategies as st

from lupa import LuaRuntime

floats = st.floats(allow_nan=True, allow_infinity=True)
small_ints = st.integers(-(2**53), 2**53)
# Whatever a double holds among the integers of 64 bits: a mantissa and an exponent.
large_ints = st.builds(lambda mantissa, shift: mantissa << shift, small_ints, st.integers(0, 10))
# All characters but the surrogates, short ones as often as long ones.  (Hypothesis's own strategy
# for characters takes seconds to start.)
characters = st.one_of(
    st.integers(0, 0x7F).map(chr),
    st.integers(0x80, 0xD7FF).map(chr),
    st.integers(0xE000, 0x10FFFF).map(chr),
)
texts = st.lists(characters, max_size=20).map("".join)
plain_values = st.one_of(st.none(), st.booleans(), small_ints, floats, texts)


class Thing:
    """A value that Lua holds as an object."""


objects = st.one_of(
    st.builds(Thing),
    st.tuples(small_ints, texts),
    st.lists(small_ints),
    st.dictionaries(texts, small_ints),
    st.builds(complex, st.floats(0, 1)),
    st.just(len),
    st.just(int),
)


def fits(number):
    """Whether Lua can hold an integer: it has 64 bits and a double is exactly it."""
    return -(2**63) <= number < 2**63 and int(float(number)) == number


def same(result, value):
    """Whether `result` is what `value` has to be after a way to Lua and back."""
    if isinstance(value, float):
        if math.isnan(value):
            return type(result) is float and math.isnan(result)
        if value.is_integer() and fits(int(value)):
            return type(result) is int and result == value
        return type(result) is float and struct.pack("d", result) == struct.pack("d", value)
    return type(result) is type(value) and result == value


def all_same(results, values):
    return len(results) == len(values) and all(map(same, results, values))


@pytest.fixture(scope="module")
def lua():
    return LuaRuntime()


@pytest.fixture(scope="module")
def echo(lua):
    return lua.eval("function(...) return ... end")


@pytest.fixture(scope="module")
def bytes_echo():
    return LuaRuntime(encoding=None).eval("function(...) return ... end")


@given(plain_values)
def test_plain_values(echo, value):
    assert same(echo(value), value)


@given(large_ints)
@example(2**63 - 2**10)
@example(-(2**63))
def test_ints_that_a_double_holds(echo, value):
    if fits(value):
        assert same(echo(value), value)
    else:
        with pytest.raises(OverflowError):
            echo(value)


@given(st.integers())
@example(2**53 + 1)
@example(2**63)
@example(2**64 - 1)
@example(-(2**63) - 2**11)
def test_ints_arrive_exactly_or_not_at_all(echo, value):
    if fits(value):
        assert same(echo(value), value)
    else:
        with pytest.raises(OverflowError):
            echo(value)


@given(st.integers(-(2**63), 2**63 - 1))
def test_64_bit_integers_of_the_ffi(lua, value):
    text = f"{value}LL" if value != -(2**63) else "(-9223372036854775807LL - 1)"
    assert lua.eval(text) == value
    assert lua.eval(f"{value % 2**64}ULL") == value % 2**64


@given(floats)
def test_every_bit_of_a_float_arrives(lua, value):
    """What Lua's own `string.format` prints is the very double, the sign of zero included."""
    text = lua.eval("string.format('%.17g', ...)", value)
    if math.isnan(value):
        assert "nan" in text
    else:
        assert struct.pack("d", float(text)) == struct.pack("d", value)


@given(objects)
def test_objects_are_themselves(echo, value):
    assert echo(value) is value


@given(st.binary())
@example(bytes(range(256)))
def test_bytes_without_encoding(bytes_echo, value):
    assert same(bytes_echo(value), value)


def mirrored(name):
    """A codec of one's own: UTF-8 backwards."""
    if name != "lupa_mirrored":
        return None
    return codecs.CodecInfo(
        lambda text, errors="strict": (text.encode("utf-8", errors)[::-1], len(text)),
        lambda data, errors="strict": (bytes(data)[::-1].decode("utf-8", errors), len(data)),
        name=name,
    )


codecs.register(mirrored)


@pytest.mark.parametrize(
    "encoding",
    "utf-8 utf-16 utf-32-be latin-1 cp1252 koi8-r ascii lupa_mirrored".split(),
)
def test_text_in_any_codec(encoding):
    lua = LuaRuntime(encoding=encoding, source_encoding="utf-8")
    echo, length = lua.eval("function(...) return ... end"), lua.eval("function(s) return #s end")
    table = lua.table()
    wide = encoding.startswith(("utf", "lupa"))
    alphabet = bytes(range(256)).decode("ascii" if wide else encoding, "ignore")

    @settings(max_examples=50)
    @given(texts if wide else st.lists(st.sampled_from(alphabet)).map("".join))
    def check(text):
        assert same(echo(text), text)
        assert echo(text.encode(encoding)) == text
        assert length(text) == len(text.encode(encoding))
        table[text] = 1
        assert list(table) == [text] and table[text] == 1
        del table[text]

    check()


@given(st.binary())
def test_any_bytes_with_surrogateescape(value):
    lua = LuaRuntime(encoding_errors="surrogateescape") if False else ESCAPING
    text = lua.eval("...", value)
    assert text == value.decode("utf-8", "surrogateescape")
    assert lua.eval("#...", text) == len(value)


ESCAPING = LuaRuntime(encoding_errors="surrogateescape")


@given(st.lists(plain_values, max_size=60))
def test_any_number_of_arguments_and_results(lua, echo, values):
    results = echo(*values)
    if len(values) == 0:
        assert results is None
    elif len(values) == 1:
        assert same(results, values[0])
    else:
        assert all_same(results, values)
    assert lua.eval("select('#', ...)", *values) == len(values)


@given(st.lists(plain_values, max_size=30))
def test_arguments_of_callbacks(lua, values):
    seen = []
    lua.eval("function(f, ...) f(...) end")(lambda *args: seen.append(args), *values)
    (arguments,) = seen
    assert all_same(arguments, values)


@given(st.lists(plain_values, max_size=30))
def test_results_of_callbacks(lua, values):
    unpacking = UNPACKING.eval("function(f) return select('#', f()), f() end")
    result = unpacking(lambda: tuple(values))
    count, results = (result, ()) if not values else (result[0], result[1:])
    assert count == len(values)
    assert all_same(results, values)
    whole = tuple(values)
    assert lua.eval("(...)()", lambda: whole) is whole


UNPACKING = LuaRuntime(unpack_returned_tuples=True)


@given(st.lists(st.lists(plain_values, max_size=4), max_size=12))
def test_coroutines_are_generators(lua, rounds):
    """Each round is what one `yield` gives: nothing, one value, or several as a tuple."""
    yielding = lua.eval("""
        function(count, get)
            for i = 1, count do
                local round = get(i)
                coroutine.yield(unpack(round, 1, round.n))
            end
        end
    """)
    tables = [lua.table(*values, n=len(values)) for values in rounds]
    results = list(yielding.coroutine(len(rounds), lambda i: tables[i - 1]))
    assert len(results) == len(rounds)
    for result, values in zip(results, rounds):
        if len(values) == 0:
            assert result is None
        elif len(values) == 1:
            assert same(result, values[0])
        else:
            assert all_same(result, values)


@given(st.lists(plain_values.filter(lambda value: value is not None), min_size=1, max_size=12))
def test_values_sent_to_a_coroutine(lua, values):
    coroutine = lua.eval(
        "function() local value; while true do value = coroutine.yield(value) end end"
    ).coroutine()
    assert coroutine.send(None) is None
    assert all_same([coroutine.send(value) for value in values], values)
    assert bool(coroutine)


@given(st.dictionaries(texts, plain_values, max_size=8))
def test_attributes_of_objects(lua, attributes):
    thing = Thing()
    thing.__dict__.update(attributes)
    get = lua.eval("function(thing, name) return thing[name] end")
    for name, value in attributes.items():
        if "\0" not in name:
            assert same(get(thing, name), value)
    copy = Thing()
    set_ = lua.eval("function(thing, name, value) thing[name] = value end")
    for name, value in attributes.items():
        set_(copy, name, value)
    assert copy.__dict__.keys() == attributes.keys()
    assert all_same(list(copy.__dict__.values()), list(attributes.values()))


@given(st.lists(plain_values, max_size=20))
def test_items_of_python_lists(lua, values):
    read = lua.eval("""
        function(list, count)
            local read = {n = count}
            for i = 0, count - 1 do read[i + 1] = list[i] end
            return unpack(read, 1, count)
        end
    """)
    results = read(values + [0], len(values) + 1)
    results = results if isinstance(results, tuple) else (results,)
    assert all_same(results, values + [0])


@given(st.lists(plain_values, max_size=20))
def test_python_iteration_in_lua(lua, values):
    collect = lua.eval("""
        function(iterable, add)
            for value in python.iter(iterable) do
                if value == python.none then value = nil end
                add(value)
            end
        end
    """)
    seen = []
    collect(values, seen.append)
    assert all_same(seen, values)


@given(plain_values)
def test_values_as_errors(lua, value):
    caught, problem = lua.eval("pcall(error, (...), 0)", value)
    assert caught is False and same(problem, value)
