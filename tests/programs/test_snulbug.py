"""snulbug: a proxy whose policies are Lua code in a sandbox of its own.

Its runtimes have a memory limit and no Python in reach; an instruction limit is a hook that Lua
code sets; requests go in and decisions come out as nested tables.
"""

import json

import pytest
from snulbug import presets, runtime
from snulbug.runtime import LuaDecisionError, LuaRuntimeError, compile_lua_script
from snulbug.state import BoundedPolicyState, MemoryStateStore


def decide(body, request=None, context=None, **options):
    source = f"return function(request, context, state)\n{body}\nend"
    return compile_lua_script(source, **options).decide(request or {}, context)


@pytest.mark.parametrize(
    ("body", "decision"),
    [
        ("return nil", {"action": "continue"}),
        ("return 'reject'", {"action": "reject"}),
        (
            "return {status = 403, headers = {a = 'b'}}",
            {"action": "continue", "status": 403, "headers": {"a": "b"}},
        ),
        ("return decision.respond(200, 'hi')", {"action": "respond", "status": 200, "body": "hi"}),
        (
            "return decision.rate_limit('k', 5, 60, {reason = 'often'})",
            {"action": "rate_limit", "key": "k", "limit": 5, "window": 60, "reason": "often"},
        ),
        (
            "return {list = {1, 2.5, 'x', {true}}, empty = {}}",
            {"action": "continue", "list": [1, 2.5, "x", [True]], "empty": {}},
        ),
    ],
)
def test_decisions(body, decision):
    assert decide(body) == decision


def test_requests_become_tables():
    request = {
        "path": "/tools/über",
        "headers": {"content-type": "application/json"},
        "parts": ["a", ("b", "c"), {"d": None}],
        "size": 2**40,
        "ratio": 0.5,
        "secure": True,
        "raw": b"\xe9",
    }
    body = """
        return {path = request.path, type = request.headers['content-type'],
                parts = {request.parts[1], request.parts[2][2], type(request.parts[3].d)},
                size = request.size + 1, ratio = request.ratio, secure = request.secure,
                raw = request.raw, count = #request.parts, tenant = context.auth.tenant}
    """
    assert decide(body, request, {"auth": {"tenant": "t1"}}) == {
        "action": "continue",
        "path": "/tools/über",
        "type": "application/json",
        "parts": ["a", "c", "nil"],
        "size": 2**40 + 1,
        "ratio": 0.5,
        "secure": True,
        "raw": "é",
        "count": 3,
        "tenant": "t1",
    }


def test_no_python_and_no_system_in_reach():
    names = "python io os debug require load loadstring getmetatable setmetatable rawset _G string"
    body = f"""
        local reach = {{}}
        for name in string.gmatch('{names}', '%S+') do
            reach[name] = ({{python = python, io = io, os = os, debug = debug, require = require,
                load = load, loadstring = loadstring, getmetatable = getmetatable,
                setmetatable = setmetatable, rawset = rawset, _G = _G, string = string}})[name] ~= nil
        end
        return {{reach = reach}}
    """
    reach = decide(body)["reach"]
    assert sorted(name for name, there in reach.items() if there) == ["string"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("return function( end", "near 'end'"),
        ("return 5", r"must return a function"),
        ("error('while loading')", "while loading"),
        ("local x = nil; return x.y", "attempt to index local 'x'"),
    ],
)
def test_policies_that_do_not_load(source, message):
    with pytest.raises(LuaRuntimeError, match=message) as caught:
        compile_lua_script(source, source_name="broken.lua")
    assert "broken.lua" in str(caught.value)


def test_policies_that_fail():
    with pytest.raises(LuaRuntimeError, match="attempt to index field 'missing'"):
        decide("return request.missing.field")
    with pytest.raises(LuaRuntimeError, match="wrong request"):
        decide("error('wrong request')")
    with pytest.raises(LuaDecisionError, match="must be a string"):
        decide("return {action = 5}")
    assert decide("return {caught = not pcall(error, 'x')}")["caught"] is True


def test_the_instruction_limit_is_a_hook():
    looping = "local n = 0; while n < 1e9 do n = n + #string.rep('x', n % 3) end"
    with pytest.raises(LuaRuntimeError, match="instruction limit exceeded"):
        decide(looping, instruction_limit=50_000)
    script = compile_lua_script(
        "return function() local t = {} for i = 1, 3000 do t[i] = tostring(i) end end"
    )
    trace = script.decide_with_trace({})
    assert trace.decision == {"action": "continue"}
    assert trace.instruction_count >= 1000


def test_the_memory_limit():
    hungry = "local t = {} for i = 1, 1e7 do t[i] = string.rep('x', 1000) .. i end"
    with pytest.raises(LuaRuntimeError, match="not enough memory"):
        decide(hungry, memory_limit_bytes=4 * 1024 * 1024, instruction_limit=10**9)
    assert decide("return {n = #string.rep('x', 1000)}")["n"] == 1000


def test_state_is_python_called_from_lua():
    store = MemoryStateStore()
    state = BoundedPolicyState(store, key_prefix="p:")
    script = compile_lua_script("""return function(request, context, state)
        state.put('name', 'value', {ttl = 60})
        local first, second = state.incr('n', 2), state.incr('n')
        return {name = state.get('name'), none = type(state.get('missing')), first = first, second = second,
                swapped = state.cas('name', 'value', 'other'), deleted = state.delete('missing')}
    end""")
    trace = script.decide_with_trace({}, state=state)
    assert trace.decision == {
        "action": "continue",
        "name": "value",
        "none": "nil",
        "first": 2,
        "second": 3,
        "swapped": True,
        "deleted": False,
    }
    assert [operation["op"] for operation in trace.state_operations][:3] == ["put", "incr", "incr"]
    assert store.get("p:name") == "other"

    reading = BoundedPolicyState(store, read_only=True)
    write = compile_lua_script("return function(r, c, state) state.put('k', 'v') end")
    with pytest.raises((LuaDecisionError, LuaRuntimeError), match="read-only"):
        write.decide_with_trace({}, state=reading)


def test_declared_capabilities_are_a_second_result():
    script = compile_lua_script("""
        capabilities.declare{'tools.read', {id = 'tools.write', label = 'Write', default = true}}
        return function() end
    """)
    assert script.capabilities == [
        {"id": "tools.read", "label": "tools.read"},
        {"id": "tools.write", "label": "Write", "default": True},
    ]


def test_json_in_lua():
    request = {
        "body": json.dumps(
            {"method": "tools/call", "params": {"name": "read", "arguments": {"path": 'a\\b"c'}}}
        )
    }
    body = "return {method = mcp.method(request), tool = mcp.tool_name(request), path = mcp.arg(request, 'path')}"
    decision = decide(body, request)
    assert (decision["method"], decision["tool"], decision["path"]) == (
        "tools/call",
        "read",
        'a\\b"c',
    )


def policy_files():
    from pathlib import Path

    folder = Path(presets.__file__).with_name("builtin_presets")
    return sorted(folder.rglob("policy.lua"))


def test_the_policies_that_it_ships():
    policies = policy_files()
    assert len(policies) == 9
    for path in policies:
        script = runtime.compile_lua_file(path)
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "run_shell"}}
        request = {"path": "/elsewhere", "method": "POST", "headers": {}, "body": json.dumps(call)}
        decision = script.decide(request, {})
        assert decision["action"] in ("reject", "challenge"), (path, decision)
        assert decision["reason_code"]
