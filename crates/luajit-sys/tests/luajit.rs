//! The LuaJIT that was built works, has its Lua modules, and can be interrupted.

use std::ffi::{CStr, c_int};

use luajit_sys::*;

/// A VM with all libraries, closed when dropped.
struct Vm(*mut lua_State);

impl Vm {
    fn new() -> Self {
        // SAFETY: nothing is asked of the caller; the result is checked.
        let state = unsafe { luaL_newstate() };
        assert!(!state.is_null());
        // SAFETY: a fresh state has room for what this needs, and enough memory is left that
        // opening the libraries does not raise.
        unsafe { luaL_openlibs(state) };
        Self(state)
    }

    /// Runs a chunk and gives its first result as a string.
    fn run(&self, source: &CStr) -> Result<String, String> {
        // SAFETY: the state is open and used by this thread only; loading small chunks raises only
        // without memory, and running them is protected.
        unsafe {
            let status = match luaL_loadstring(self.0, source.as_ptr()) {
                LUA_OK => lua_pcall(self.0, 0, 1, 0),
                status => status,
            };
            let text = lua_tostring(self.0, -1);
            let text = if text.is_null() {
                String::new()
            } else {
                CStr::from_ptr(text)
                    .to_str()
                    .expect("the tests use ASCII")
                    .to_owned()
            };
            lua_pop(self.0, 1);
            if status == LUA_OK {
                Ok(text)
            } else {
                Err(text)
            }
        }
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        // SAFETY: the state is open, and nothing uses it afterwards.
        unsafe { lua_close(self.0) };
    }
}

#[test]
fn it_runs_lua() {
    assert_eq!(Vm::new().run(c"return 1+1"), Ok("2".into()));
}

#[test]
fn it_is_the_declared_version() {
    let version = Vm::new().run(c"return jit.version");
    assert_eq!(
        version.as_deref(),
        Ok(LUAJIT_VERSION.to_str().expect("ASCII"))
    );
    // SAFETY: it does nothing. That it links is the check.
    unsafe { luaJIT_version_2_1_1788856981() };
}

#[test]
fn lua52compat_is_what_the_feature_says() {
    // In Lua 5.1 `goto` and `__len` of tables are different; the latter is easy to see.
    let len = Vm::new().run(c"return #setmetatable({}, {__len = function() return 7 end})");
    let expected = if cfg!(feature = "lua52compat") {
        "7"
    } else {
        "0"
    };
    assert_eq!(len.as_deref(), Ok(expected));
}

#[test]
fn its_lua_modules_can_be_required() {
    let vm = Vm::new();
    for (name, source) in JIT_MODULES {
        let chunk = format!("={name}\0");
        let name = format!("{name}\0");
        // SAFETY: the state is open; both strings end in a zero byte; the stack has room for four
        // values; the tables that are used have no metatables, so only lack of memory raises.
        unsafe {
            lua_getglobal(vm.0, c"package".as_ptr());
            lua_getfield(vm.0, -1, c"preload".as_ptr());
            let status = luaL_loadbufferx(
                vm.0,
                source.as_ptr().cast(),
                source.len(),
                chunk.as_ptr().cast(),
                c"t".as_ptr(),
            );
            assert_eq!(status, LUA_OK, "{name} does not compile");
            lua_setfield(vm.0, -2, name.as_ptr().cast());
            lua_pop(vm.0, 2);
        }
    }
    for wanted in [
        "jit.p",
        "jit.v",
        "jit.dump",
        "jit.bc",
        "jit.zone",
        "jit.vmdef",
        "jit.dis_x64",
    ] {
        assert!(
            JIT_MODULES.iter().any(|(name, _)| *name == wanted),
            "{wanted} is missing"
        );
    }
    let all = c"
        local names = {}
        for name in pairs(package.preload) do
            if name:find('^jit%.') then names[#names + 1] = name end
        end
        for _, name in ipairs(names) do require(name) end
        return #names >= 20";
    // The two that LuaJIT itself preloads are among them: jit.util and jit.profile.
    assert_eq!(vm.run(all), Ok(String::new()));
    let bytecode = c"
        local lines = {}
        local out = {write = function(_, ...) lines[#lines + 1] = table.concat({...}) end,
                     flush = function() end}
        require('jit.bc').dump(function() return 42 end, out)
        return table.concat(lines):match('KSHORT') .. #require('jit.vmdef').bcnames % 6";
    // Names in `bcnames` take six characters each.
    assert_eq!(vm.run(bytecode), Ok("KSHORT0".into()));
}

/// `LUAJIT_ENABLE_CHECKHOOK` reached the compiler: a signal handler on the thread that runs Lua
/// sets a hook, and a loop that was compiled before notices it.
#[cfg(unix)]
#[test]
fn a_compiled_loop_can_be_interrupted() {
    use std::io::Write;
    use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
    use std::thread;
    use std::time::Duration;

    static STATE: AtomicPtr<lua_State> = AtomicPtr::new(std::ptr::null_mut());

    extern "C" fn on_signal(_: c_int) {
        let hit = LUA_MASKCOUNT | LUA_MASKCALL | LUA_MASKRET;
        // SAFETY: the state is open while signals are sent, and this runs on its thread, where
        // LuaJIT allows it at any instruction.
        unsafe { lua_sethook(STATE.load(Ordering::Relaxed), Some(stop), hit, 1) };
    }

    unsafe extern "C-unwind" fn stop(state: *mut lua_State, _: *mut lua_Debug) {
        // SAFETY: LuaJIT calls this with room on the stack. The error unwinds this frame only
        // on its way to lua_pcall, and it has nothing to drop.
        unsafe {
            lua_sethook(state, None, 0, 0);
            luaL_error(state, c"interrupted".as_ptr());
        }
    }

    let vm = Vm::new();
    STATE.store(vm.0, Ordering::Relaxed);
    let handler: extern "C" fn(c_int) = on_signal;
    // SAFETY: the handler does only what is allowed in one; no other test uses the signal.
    unsafe { libc::signal(libc::SIGUSR1, handler as libc::sighandler_t) };
    // SAFETY: it has no conditions.
    let lua_thread = unsafe { libc::pthread_self() };

    for source in [
        c"while true do end",
        c"local i = 0 while true do i = i + 1 end",
    ] {
        let done = AtomicBool::new(false);
        let outcome = thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..200 {
                    thread::sleep(Duration::from_millis(100));
                    if done.load(Ordering::SeqCst) {
                        return;
                    }
                    // SAFETY: that thread waits for this one to end before it does.
                    unsafe { libc::pthread_kill(lua_thread, libc::SIGUSR1) };
                }
                // Not eprintln: what that writes is captured, and lost in the abort.
                let _ = std::io::stderr().write_all(
                    b"compiled code ignores hooks: LUAJIT_ENABLE_CHECKHOOK was not effective\n",
                );
                std::process::abort();
            });
            let outcome = vm.run(source);
            done.store(true, Ordering::SeqCst);
            outcome
        });
        // A signal between the end of the loop and `done` sets a hook for nothing.
        // SAFETY: the state is open; no signal comes any more.
        unsafe { lua_sethook(vm.0, None, 0, 0) };
        let message = outcome.expect_err("the loop has no end of its own");
        assert!(message.ends_with("interrupted"), "{message}");
        // It was compiled, not interpreted: there is a trace, and the loop is its link.
        let trace = c"
            local info = require('jit.util').traceinfo(1)
            jit.flush()
            return info and info.linktype";
        assert_eq!(vm.run(trace), Ok("loop".into()));
    }
}
