import pytest

import lupa
from lupa import LuaRuntime

REFUSALS = (lupa.LuaError, AttributeError, TypeError, LookupError, UnicodeError)


def run_attack(lua, attack, *victims):
    """What an attack returns: true if it succeeded; None if it was refused."""
    try:
        result = lua.execute(attack, *victims)
    except REFUSALS:
        return None
    # Lua's `nil, message` is a refusal as well.
    return result[0] if isinstance(result, tuple) else result


USABLE = b"""
local lines = { ("x"):rep(2), ("%d"):format(7), tostring(nil), string.upper("a") }
table.insert(lines, math.floor(1.5) .. bit.band(6, 3) .. type(os.time()))
assert(load("return 1")() == 1 and coroutine.wrap(function() return 2 end)() == 2)
for word in python.iter(...) do lines[#lines + 1] = word end
return table.concat(lines, ",") == "xx,7,nil,A,12number,a,b"
"""


@pytest.fixture
def attempt():
    return run_attack


def usable(lua):
    """Whether a runtime is as it should be: libraries, methods of strings, Python's objects."""
    return lua.execute(USABLE, [b"a", b"b"]) is True


@pytest.fixture
def sandbox():
    """A sandbox as a server has it, that must be usable afterwards."""
    lua = LuaRuntime(sandbox=True, timeout=10, max_memory=100_000_000)
    yield lua
    assert usable(lua)


@pytest.fixture
def fails():
    """Asserts that an attack fails in a sandbox, and that it works without one.

    `victims` makes what is passed to the attack; it is called with the runtime.
    """

    def check(attack, victims=lambda lua: (), **options):
        if isinstance(attack, str):
            # Bytes are Lua code as they are, whatever the encodings of the runtime.
            attack = attack.encode()
        unprotected = LuaRuntime(**options)
        assert run_attack(unprotected, attack, *victims(unprotected)), "not an attack"
        lua = LuaRuntime(sandbox=True, timeout=10, **options)
        assert not run_attack(lua, attack, *victims(lua))
        assert usable(lua)

    return check
