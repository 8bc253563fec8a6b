"""Ways out by Lua's own libraries: files, programs, native code, other functions' insides."""

import pytest

from lupa import LuaError

FILES = {
    "open": "return io.open(...):read('*a') == 'secret'",
    "lines": "for line in io.lines(...) do return line == 'secret' end",
    "input": "io.input(...) return io.read('*a') == 'secret'",
    "write": "return io.open(..., 'w'):write('changed')",
    "append": "return io.output(io.open(..., 'a')):write('changed')",
    "remove": "return os.remove(...)",
    "rename": "return os.rename(..., ... .. '.stolen')",
    "dofile": "return select(2, pcall(dofile, ...)):find('secret')",
    "loadfile": "return select(2, loadfile(...)):find('secret')",
    "searchpath": "return package.searchpath('secret', ...)",
    "require": "package.path = ... return select(2, pcall(require, 'secret')):find('near')",
    "loader": "package.path = ... return select(2, pcall(package.loaders[3], 'x')):find('near')",
}


@pytest.mark.parametrize("name", FILES)
def test_files(fails, tmp_path, name):
    def victim(lua):
        path = tmp_path / f"secret-{lua.eval('io == nil')}"
        path.write_text("secret")
        return (str(path),)

    fails(FILES[name], victim)
    assert (tmp_path / "secret-True").read_text() == "secret"


LIBRARIES = {
    "execute": "return os.execute('true') == 0",
    "popen": "return io.popen('echo out'):read() == 'out'",
    "getenv": "return os.getenv('PATH')",
    "tmpname": "local name = os.tmpname() os.remove(name) return name",
    "setlocale": "return os.setlocale('C')",
    "exit": "return os.exit",
    "stdout": "return io.stdout",
    "require ffi": "return require('ffi').new('int') == 0",
    "preloaded ffi": "return package.preload.ffi().new('int') == 0",
    "loaded io": "return package.loaded.io.open",
    "loaded debug": "return package.loaded['debug']",
    "loaded globals": "return package.loaded._G.dofile",
    "require io": "return require('io').open",
    "require os": "return require('os').execute",
    "require debug": "return require('debug').getinfo",
    "require jit": "return require('jit').off",
    "require jit.opt": "return require('jit.opt').start",
    "require jit.util": "return require('jit.util').funck",
    "require jit.profile": "return require('jit.profile').start",
    "require string.buffer": "return require('string.buffer').decode",
    "require table.new": "return require('table.new')(0, 0)",
    "require python": "return require('python').builtins",
    "loaders": "return package.loaders[1]('ffi')",
    "loadlib": "return package.loadlib",
    "cpath": "package.cpath = '' return true",
    "module": "module('string', package.seeall) return true",
    "module of its own": "module('mine') return true",
    "jit": "return jit.status()",
    "jit flush": "jit.flush() return true",
    "registry": "return debug.getregistry()",
    "metatable of strings": "return debug.getmetatable('').__index",
    "metatable of objects": "return debug.getmetatable(python.none).__index",
    "locals of the caller": "local own return debug.getlocal(1, 1) == 'own'",
    "upvalues": "return debug.getinfo(python.iter)",
    "hook": "debug.sethook(function() end, 'c') return true",
    "traceback": "return debug.traceback()",
    "finalizer": "getmetatable(newproxy(true)).__gc = print return true",
    "python.eval": "return python.eval('1 + 1') == 2",
    "python.builtins": "return python.builtins.open",
    "python.builtins, raw": "return rawget(python, 'builtins')",
    "overflow handler": "python.set_overflow_handler(function() end) return true",
    "stopped collector": "return collectgarbage('stop') == 0",
    "restarted collector": "return collectgarbage('restart') == 0",
    "collector's pause": "return collectgarbage('setpause', 0) == 200",
    "collector's pace": "return collectgarbage('setstepmul', 200) == 200",
}


@pytest.mark.parametrize("name", LIBRARIES)
def test_libraries(fails, name):
    fails(LIBRARIES[name])


def test_no_library_is_behind_the_globals(sandbox):
    # Whatever can be reached by tables from the globals is what a sandbox should have.
    found = sandbox.execute("""
        local found, seen = {}, {}
        local function walk(value, name)
            found[#found + 1] = name
            if type(value) == "table" and not seen[value] then
                seen[value] = true
                for key, member in pairs(value) do walk(member, name .. "." .. key) end
            end
        end
        walk(_G, "_G")
        table.sort(found)
        return table.concat(found, " ")
    """)
    assert found.split() == sorted(
        ["_G"] + [f"_G.{name}" for name in [
            "_G", "_VERSION", "assert", "bit", "collectgarbage", "coroutine", "error", "gcinfo",
            "getmetatable", "ipairs", "load", "loadstring", "math", "next", "os", "pairs", "pcall",
            "print", "python", "rawequal", "rawget", "rawset", "select", "setmetatable", "string",
            "table", "tonumber", "tostring", "type", "unpack", "xpcall",
        ]]
    )  # fmt: skip


@pytest.mark.parametrize(
    "library, members",
    [
        ("os", "clock date difftime time"),
        ("python", "args as_attrgetter as_function as_itemgetter enumerate iter iterex none"),
        ("coroutine", "create isyieldable resume running status wrap yield"),
    ],
)
def test_what_is_behind_the_views(sandbox, library, members):
    # The tables behind cannot be listed by Lua code: ask for all names that there ever were.
    names = """exit execute getenv remove rename tmpname setlocale close eval builtins
        set_overflow_handler iterex enumerate none args as_function as_itemgetter as_attrgetter iter
        clock date difftime time create isyieldable resume running status wrap yield"""
    there = [name for name in names.split() if sandbox.eval(f"{library}.{name} ~= nil")]
    assert sorted(there) == members.split()


def test_print_is_the_hosts_to_replace(sandbox):
    printed = []
    sandbox.globals().print = printed.append
    sandbox.execute("print('a')")
    assert printed == ["a"]


def test_require_of_the_host(sandbox):
    for name in ["ffi", "io", "jit.util"]:
        with pytest.raises(LuaError, match="require is not defined"):
            sandbox.require(name)
