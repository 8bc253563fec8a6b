"""fakeredis: a Redis server in Python, whose scripts and functions are Lua code.

Its runtimes have encoding=None and unpack_returned_tuples=True, replies go through `table_from`
inside callbacks, and errors of commands are Python exceptions that pass through Lua code.
"""

import logging

import fakeredis
import pytest
import redis
from redis.exceptions import NoScriptError, ResponseError


@pytest.fixture
def server():
    return fakeredis.FakeServer(version=(7, 4))


@pytest.fixture
def r(server):
    return fakeredis.FakeRedis(server=server)


def test_it_runs_on_the_module_for_lua_5_1():
    from fakeredis.commands_mixins import scripting_mixin

    assert scripting_mixin.LUA_MODULE.__name__ == "lupa.lua51"
    assert scripting_mixin.LUA_MODULE.LuaRuntime().lua_version == (5, 1)


@pytest.mark.parametrize(
    ("script", "reply"),
    [
        ("return 'text'", b"text"),
        ("return '\\255\\0\\254'", b"\xff\x00\xfe"),
        ("return 42", 42),
        ("return -3.99", -3),
        ("return 2^53", 2**53),
        ("return true", 1),
        ("return false", None),
        ("return nil", None),
        ("return", None),
        ("return {}", []),
        ("return {1, 'two', {3, {4}}, false, 6}", [1, b"two", [3, [4]], None, 6]),
        ("return {1, 2, nil, 4}", [1, 2]),
        ("return {1, 2, field='ignored'}", [1, 2]),
        ("return {ok='FINE'}", b"FINE"),
        ("return redis.status_reply('GOOD')", b"GOOD"),
    ],
)
def test_values_returned(r, script, reply):
    assert r.eval(script, 0) == reply


def test_keys_and_arguments(r):
    script = "return {KEYS[1], KEYS[2], ARGV[1], #KEYS, #ARGV, type(ARGV[2])}"
    assert r.eval(script, 2, "k1", b"\xff", "text", 7) == [b"k1", b"\xff", b"text", 2, 2, b"string"]
    assert r.eval("return {#KEYS, #ARGV}", 0) == [0, 0]


def test_commands_and_their_replies(r):
    script = """
        local set = redis.call('SET', KEYS[1], ARGV[1])
        local missing = redis.call('GET', 'nothing')
        redis.call('RPUSH', KEYS[2], 'a', 1, 2.5)
        redis.call('HSET', KEYS[3], 'field', 'value')
        redis.call('ZADD', KEYS[4], 1.5, 'member')
        return {set.ok, tostring(missing), redis.call('GET', KEYS[1]),
                redis.call('LRANGE', KEYS[2], 0, -1), redis.call('HGETALL', KEYS[3]),
                redis.call('ZSCORE', KEYS[4], 'member'), redis.call('INCRBY', 'counter', 5),
                redis.call('EXISTS', KEYS[1])}
    """
    value = bytes(range(256))
    assert r.eval(script, 4, "string", "list", "hash", "zset", value) == [
        b"OK",
        b"false",
        value,
        [b"a", b"1", b"2.5"],
        [b"field", b"value"],
        b"1.5",
        5,
        1,
    ]
    assert r.get("string") == value
    assert r.hgetall("hash") == {b"field": b"value"}


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("return redis.call('INCR', 'text')", "value is not an integer or out of range"),
        ("return redis.call('NONSENSE')", "[Uu]nknown (Redis )?command"),
        ("return redis.call('GET')", "Unknown Redis command|[Ww]rong number of args"),
        ("return redis.call('GET', {})", "arguments must be strings or integers"),
        ("return redis.error_reply('MY failure')", "MY failure"),
        ("return {err='as a table'}", "as a table"),
        ("error('with a position')", r"user_script:1|:1: with a position"),
        ("\n\nlocal x = nil; return x.y", r":3: attempt to index local 'x' \(a nil value\)"),
        ("return +", r"unexpected symbol near|error loading code"),
        ("forbidden = 1", "[Gg]lobal variable.*forbidden"),
    ],
)
def test_errors(r, script, message):
    r.set("text", "not a number")
    with pytest.raises(ResponseError, match=message):
        r.eval(script, 0)
    if "forbidden" not in script:  # fakeredis never takes a global out again
        assert r.eval("return 'usable'", 0) == b"usable"


def test_pcall_keeps_the_error_in_the_script(r):
    r.set("text", "not a number")
    script = """
        local reply = redis.pcall('INCR', 'text')
        local caught, problem = pcall(redis.call, 'INCR', 'text')
        return {type(reply), reply.err, tostring(caught), type(problem)}
    """
    kind, message, caught, problem = r.eval(script, 0)
    assert (kind, caught) == (b"table", b"false")
    assert b"not an integer" in message
    assert problem == b"userdata"  # the exception itself
    with pytest.raises(ResponseError, match="not an integer"):
        r.eval(
            "local ok, e = pcall(redis.call, 'INCR', 'text'); redis.call('SET', 'a', 1); error(e)",
            0,
        )
    assert r.get("a") == b"1"


def test_scripts_by_their_digest(r):
    digest = r.script_load("return ARGV[1] .. '!'")
    assert r.script_exists(digest, "0" * 40) == [True, False]
    assert r.evalsha(digest, 0, "again") == b"again!"
    r.script_flush()
    with pytest.raises(NoScriptError):
        r.evalsha(digest, 0, "again")
    greet = r.register_script("return 'hello ' .. KEYS[1]")
    assert greet(keys=["world"]) == b"hello world"  # loads itself again


def test_cjson(r):
    script = """
        local value = cjson.decode(ARGV[1])
        value.list[#value.list + 1] = value.nested.flag
        value.gone = value.null == cjson.null
        return {cjson.encode(value.list), cjson.encode(value.text), tostring(value.gone),
                tostring(value.number), cjson.encode({1, {2, 'three'}})}
    """
    text = '{"list": [1, 2.5, "x", [], {}], "nested": {"flag": true}, "text": "a\\"b", "number": 12, "null": null}'
    assert r.eval(script, 0, text) == [
        b'[1,2.5,"x",[],[],true]',
        b'"a\\"b"',
        b"true",
        b"12",
        b'[1,[2,"three"]]',
    ]


def test_logging(r, caplog):
    with caplog.at_level(logging.DEBUG, logger="fakeredis"):
        r.eval("redis.log(redis.LOG_WARNING, 'one', 'two'); redis.log(redis.LOG_DEBUG, 'three')", 0)
    assert [(x.levelname, x.message) for x in caplog.records] == [
        ("WARNING", "one two"),
        ("DEBUG", "three"),
    ]


def test_replies_of_the_third_protocol(server):
    r = fakeredis.FakeRedis(server=server, protocol=3)
    script = """
        redis.setresp(3)
        redis.call('HSET', 'h', 'a', '1')
        redis.call('ZADD', 'z', 2.5, 'm')
        return {redis.call('HGETALL', 'h').map.a, redis.call('ZSCORE', 'z', 'm').double * 2}
    """
    assert r.eval(script, 0) == [b"1", 5]


LIBRARY = """#!lua name=counters
local function bump(keys, args)
    local count = redis.call('INCRBY', keys[1], args[1] or 1)
    return {keys[1], count, redis.sha1hex('x')}
end
redis.register_function('bump', bump)
redis.register_function{
    function_name = 'peek', callback = function(keys) return redis.call('GET', keys[1]) end,
    flags = {'no-writes'}, description = 'Reads',
}
"""


def test_functions(r):
    assert r.function_load(LIBRARY) == b"counters"
    sha1 = b"11f6ad8ec52a2984abaafd7c3b516503785c2072"
    assert r.fcall("bump", 1, "n") == [b"n", 1, sha1]
    assert r.fcall("bump", 1, "n", 41) == [b"n", 42, sha1]
    assert r.fcall_ro("peek", 1, "n") == b"42"
    r.function_load("#!lua name=bad\nredis.register_function('f', function() return io.open end)")
    with pytest.raises(
        ResponseError, match="nonexistent global variable 'io'.* on @user_function:2"
    ):
        r.fcall("f", 0)


def test_locks_of_redis_py_are_scripts(r):
    lock = r.lock("resource", timeout=60)
    assert lock.acquire(blocking=False)
    assert not r.lock("resource", timeout=60).acquire(blocking=False)
    assert lock.extend(30)
    lock.release()
    with pytest.raises(redis.exceptions.LockError):
        lock.release()


def test_many_scripts_on_one_server(server):
    clients = [fakeredis.FakeRedis(server=server) for _ in range(3)]
    for number in range(300):
        script = f"return {{{number}, redis.call('INCR', KEYS[1]), ARGV[1]}}"
        reply = clients[number % 3].eval(script, 1, "n", "x" * number)
        assert reply == [number, number + 1, b"x" * number]
