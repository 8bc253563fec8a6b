//! Errors jump over LuaJIT's own frames (`shim/throw.c`), and unwind those of others.

mod guarded;

use luajit_sys::*;
use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_void};

/// As the core makes them: with the guards, which errors have to know of to jump.
struct State(*mut lua_State);

impl State {
    fn new() -> State {
        State(guarded::new_state())
    }

    /// Pushes the function that a chunk compiles to.
    fn load(&self, source: &CStr) {
        // SAFETY: live, with room on the stack.
        unsafe {
            let status = luaL_loadstring(self.0, source.as_ptr());
            assert_eq!(status, LUA_OK, "{}", self.text());
        }
    }

    /// Runs a chunk; what it returns is on top.
    fn run(&self, source: &CStr) {
        self.load(source);
        // SAFETY: the function is on top.
        unsafe {
            let status = lua_pcall(self.0, 0, 1, 0);
            assert_eq!(status, LUA_OK, "{}", self.text());
        }
    }

    /// The value on top, as text.
    fn text(&self) -> String {
        // SAFETY: live; the string stays on the stack while it is read.
        unsafe {
            let text = lua_tostring(self.0, -1);
            assert!(!text.is_null());
            CStr::from_ptr(text).to_string_lossy().into_owned()
        }
    }

    fn set_function(
        &self,
        name: &CStr,
        function: unsafe extern "C-unwind" fn(*mut lua_State) -> c_int,
    ) {
        // SAFETY: live, with room on the stack.
        unsafe {
            lua_pushcfunction(self.0, function);
            lua_setglobal(self.0, name.as_ptr());
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        // SAFETY: live, and used no more.
        unsafe { lua_close(self.0) };
    }
}

thread_local! {
    static DROPPED: Cell<u32> = const { Cell::new(0) };
}

/// What a frame has to clean up.
struct Cleanup;

impl Drop for Cleanup {
    fn drop(&mut self) {
        DROPPED.set(DROPPED.get() + 1);
    }
}

// Host functions with something to clean up, as modules in C++ have it: an error that passes by is to unwind their frames.

unsafe extern "C-unwind" fn raise(l: *mut lua_State) -> c_int {
    let _cleanup = Cleanup;
    // SAFETY: called by Lua; the error unwinds this frame, which allows it.
    unsafe { luaL_error(l, c"raised".as_ptr()) }
}

/// LuaJIT raises in a function of the C API.
unsafe extern "C-unwind" fn index_nil(l: *mut lua_State) -> c_int {
    let _cleanup = Cleanup;
    // SAFETY: as in `raise`.
    unsafe {
        lua_pushnil(l);
        lua_getfield(l, -1, c"x".as_ptr());
    }
    0
}

unsafe extern "C-unwind" fn call(l: *mut lua_State) -> c_int {
    let _cleanup = Cleanup;
    // SAFETY: as in `raise`; there is an argument.
    unsafe { lua_call(l, 0, 0) };
    0
}

/// Raises on the state whose address it is given, while another one runs.
unsafe extern "C-unwind" fn raise_on(l: *mut lua_State) -> c_int {
    let _cleanup = Cleanup;
    // SAFETY: as in `raise`. What a coroutine catches is on top of its own stack.
    unsafe {
        let other = lua_tothread(l, 1);
        lua_pushliteral(l, c"on top");
        luaL_error(other, c"raised on another".as_ptr())
    }
}

unsafe extern "C-unwind" fn read(
    l: *mut lua_State,
    _: *mut c_void,
    _: *mut usize,
) -> *const c_char {
    let _cleanup = Cleanup;
    // SAFETY: as in `raise`.
    unsafe { luaL_error(l, c"raised by a reader".as_ptr()) };
    std::ptr::null()
}

unsafe extern "C-unwind" fn write(
    l: *mut lua_State,
    _: *const c_void,
    _: usize,
    _: *mut c_void,
) -> c_int {
    let _cleanup = Cleanup;
    // SAFETY: as in `raise`.
    unsafe { luaL_error(l, c"raised by a writer".as_ptr()) };
    0
}

unsafe extern "C-unwind" fn load_from_reader(l: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the reader's error ends in the call.
    unsafe {
        let name = c"=read".as_ptr();
        lua_load(l, read, std::ptr::null_mut(), name);
        lua_error(l)
    }
}

unsafe extern "C-unwind" fn raise_in_hook(l: *mut lua_State, _: *mut lua_Debug) {
    let _cleanup = Cleanup;
    // SAFETY: as in `raise`.
    unsafe {
        lua_sethook(l, None, 0, 0);
        luaL_error(l, c"raised by a hook".as_ptr());
    }
}

unsafe extern "C-unwind" fn set_hook(l: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { lua_sethook(l, Some(raise_in_hook), LUA_MASKCOUNT, 1) };
    0
}

/// Called by the FFI library, with the state's address.
unsafe extern "C-unwind" fn raise_for_ffi(l: *mut lua_State) {
    let _cleanup = Cleanup;
    // SAFETY: as in `raise`.
    unsafe { luaL_error(l, c"raised below the FFI".as_ptr()) };
}

unsafe extern "C-unwind" fn call_back(callback: extern "C-unwind" fn()) {
    let _cleanup = Cleanup;
    callback();
}

#[test]
fn frames_of_others_are_unwound() {
    let state = State::new();
    let functions: [(&CStr, unsafe extern "C-unwind" fn(*mut lua_State) -> c_int); 6] = [
        (c"raise", raise),
        (c"index_nil", index_nil),
        (c"call", call),
        (c"raise_on", raise_on),
        (c"load_from_reader", load_from_reader),
        (c"set_hook", set_hook),
    ];
    for (name, function) in functions {
        state.set_function(name, function);
    }
    // SAFETY: live.
    unsafe {
        lua_pushthread(state.0);
        lua_setglobal(state.0, c"main".as_ptr());
        for (name, address) in [
            (c"state", state.0 as usize),
            (c"raise_for_ffi", raise_for_ffi as *const () as usize),
            (c"call_back", call_back as *const () as usize),
        ] {
            lua_pushnumber(state.0, address as f64);
            lua_setglobal(state.0, name.as_ptr());
        }
    }
    state.run(
        c"local ffi = require 'ffi'
        jit.off()
        raise_for_ffi = ffi.cast('void (*)(void *)', raise_for_ffi)
        call_back = ffi.cast('void (*)(void (*)(void))', call_back)
        state = ffi.cast('void *', state)",
    );

    let cases: [(&CStr, &str, u32); 10] = [
        (c"raise()", "raised", 1),
        (c"coroutine.wrap(raise)()", "raised", 1),
        (c"index_nil()", "attempt to index a nil value", 1),
        (c"call(function() error('below', 0) end)", "below", 1),
        (
            c"call(function() local t = nil; return t.x end)",
            "attempt to index",
            1,
        ),
        (
            c"call(function() table.concat({{}}) end)",
            "invalid value",
            1,
        ),
        (c"load_from_reader()", "raised by a reader", 1),
        (c"set_hook() local i = 1", "raised by a hook", 1),
        (c"raise_for_ffi(state)", "raised below the FFI", 1),
        // The last of these: errors go by the unwinder everywhere from here on.
        (
            c"local cb = function() error('in a callback', 0) end
            call_back(require('ffi').cast('void (*)(void)', cb))",
            "in a callback",
            1,
        ),
    ];
    for (source, message, drops) in cases {
        for _ in 0..3 {
            DROPPED.set(0);
            state.load(source);
            // SAFETY: the function is on top.
            unsafe { assert_eq!(lua_pcall(state.0, 0, 0, 0), LUA_ERRRUN, "{source:?}") };
            assert!(state.text().contains(message), "{}", state.text());
            assert_eq!(DROPPED.get(), drops, "{source:?}");
        }
    }

    // By pcall() in Lua, too, where the interpreter goes on in the same frame.
    let state = State::new();
    state.set_function(c"raise", raise);
    DROPPED.set(0);
    state.run(c"for i = 1, 100 do assert(not pcall(raise)) end return 'went on'");
    assert_eq!((state.text().as_str(), DROPPED.get()), ("went on", 100));

    // The native stack below is a coroutine's.
    state.set_function(c"raise_on", raise_on);
    DROPPED.set(0);
    // SAFETY: live.
    unsafe {
        lua_pushthread(state.0);
        lua_setglobal(state.0, c"main".as_ptr());
    }
    state.run(
        c"local caught
        local co = coroutine.create(function() caught = select(2, pcall(raise_on, main)) coroutine.yield() end)
        coroutine.resume(co)
        assert(coroutine.status(co) == 'suspended')
        return caught",
    );
    assert_eq!((state.text().as_str(), DROPPED.get()), ("on top", 1));
}

/// Has a state load by a reader, and dump by a writer, of others, which both raise; gives how often their frames were unwound.
unsafe fn drops_of_reader_and_writer(l: *mut lua_State) -> u32 {
    DROPPED.set(0);
    // SAFETY: live, with room on the stack; errors end in the calls.
    unsafe {
        let name = c"=read".as_ptr();
        assert_eq!(lua_load(l, read, std::ptr::null_mut(), name), LUA_ERRRUN);
        assert_eq!(luaL_loadstring(l, c"return 1".as_ptr()), LUA_OK);
        lua_dump(l, write, std::ptr::null_mut());
    }
    DROPPED.get()
}

unsafe extern "C-unwind" fn load_and_dump_in_another(l: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; there is room on the stack.
    unsafe {
        let other = match lua_tothread(l, 1) {
            other if other.is_null() => lua_newthread(l),
            other => other,
        };
        lua_pushnumber(l, drops_of_reader_and_writer(other).into());
    }
    1
}

/// Where no function is known to run, in which they could be.
#[test]
fn readers_and_writers_are_unwound_wherever_they_are() {
    let state = State::new();
    // SAFETY: live.
    unsafe { assert_eq!(drops_of_reader_and_writer(state.0), 2) };
    state.set_function(c"load_and_dump", load_and_dump_in_another);
    state.run(c"return load_and_dump()");
    assert_eq!(state.text(), "2");
    // Coroutines in which a function seems to run.
    for body in [
        c"body = coroutine.yield",
        c"body = function() error('x') end",
        c"body = function() return nil + 1 end",
        c"body = function() local f f() end",
        c"body = function() end",
    ] {
        state.run(body);
        state.run(
            c"local co = coroutine.create(body)
            coroutine.resume(co)
            return load_and_dump(co)",
        );
        assert_eq!(state.text(), "2", "{body:?}");
    }
}

/// A message handler makes the state below a coroutine the current one.
#[test]
fn a_coroutine_below_a_message_handler_is_unwound() {
    let state = State::new();
    state.set_function(c"raise_on", raise_on);
    // SAFETY: live.
    unsafe {
        lua_pushthread(state.0);
        lua_setglobal(state.0, c"main".as_ptr());
    }
    for resume in [
        c"local function resume(co) return select(2, coroutine.resume(co)) end return resume",
        c"local function resume(co, f) return coroutine.wrap(f)() end return resume",
    ] {
        state.run(resume);
        // SAFETY: live; the function is on top.
        unsafe { lua_setglobal(state.0, c"resume".as_ptr()) };
        DROPPED.set(0);
        state.run(
            c"local function f() pcall(raise_on, main) coroutine.yield('went on') end
            local result = 'nothing'
            xpcall(function() result = resume(coroutine.create(f), f) end, function(m) return m end)
            return result",
        );
        assert_eq!((state.text().as_str(), DROPPED.get()), ("went on", 1));
    }
}

/// What it calls makes the state look as if no hook was running.
unsafe extern "C-unwind" fn use_coroutines_in_hook(l: *mut lua_State, _: *mut lua_Debug) {
    let _cleanup = Cleanup;
    // SAFETY: called by Lua; the error unwinds this frame, which allows it.
    unsafe {
        lua_sethook(l, None, 0, 0);
        let co = lua_newthread(l);
        luaL_loadstring(co, c"error('x')".as_ptr());
        lua_resume(co, 0);
        lua_settop(l, -2);
        luaL_loadstring(l, c"return 1".as_ptr());
        lua_pcall(l, 0, 0, 0);
        luaL_error(l, c"raised by a hook".as_ptr());
    }
}

unsafe extern "C-unwind" fn set_hook_with_coroutines(l: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { lua_sethook(l, Some(use_coroutines_in_hook), LUA_MASKCOUNT, 1) };
    0
}

#[test]
fn hooks_that_use_coroutines_are_unwound() {
    let state = State::new();
    state.set_function(c"set_hook", set_hook_with_coroutines);
    DROPPED.set(0);
    state.run(
        c"jit.off()
        local function f() set_hook() local i = 1 return i end
        return select(2, pcall(f))",
    );
    assert!(
        state.text().contains("raised by a hook"),
        "{}",
        state.text()
    );
    assert_eq!(DROPPED.get(), 1);
}

unsafe extern "C-unwind" fn yield_in_hook(l: *mut lua_State, _: *mut lua_Debug) {
    let _cleanup = Cleanup;
    // SAFETY: called by Lua; it unwinds this frame, which allows it.
    unsafe { lua_yield(l, 0) };
}

#[test]
fn a_hook_that_yields_is_unwound() {
    let state = State::new();
    DROPPED.set(0);
    // SAFETY: live; the coroutine stays on the stack.
    unsafe {
        let co = lua_newthread(state.0);
        state.load(c"local n = 0 pcall(function() for i = 1, 10 do n = n + i end end) return n");
        lua_xmove(state.0, co, 1);
        lua_sethook(co, Some(yield_in_hook), LUA_MASKCOUNT, 1);
        let mut yields = 0;
        while lua_resume(co, 0) == LUA_YIELD {
            yields += 1;
        }
        assert!(yields > 10);
        assert_eq!(DROPPED.get(), yields);
        assert_eq!(lua_tonumber(co, -1), 55.0);
        lua_sethook(co, None, 0, 0);
    }
}

unsafe extern "C-unwind" fn wrap(l: *mut lua_State, function: lua_CFunction) -> c_int {
    let _cleanup = Cleanup;
    // SAFETY: LuaJIT calls this in place of the function.
    unsafe { function(l) }
}

#[test]
fn a_wrapper_of_the_hosts_is_unwound() {
    let state = State::new();
    DROPPED.set(0);
    // SAFETY: live; the mode takes the address of such a function.
    unsafe {
        lua_pushlightuserdata(state.0, wrap as *mut c_void);
        let mode = LUAJIT_MODE_WRAPCFUNC | LUAJIT_MODE_ON;
        assert_eq!(luaJIT_setmode(state.0, -1, mode), 1);
    }
    state.run(c"for i = 1, 100 do assert(not pcall(table.concat, {{}})) end return 'went on'");
    assert_eq!((state.text().as_str(), DROPPED.get()), ("went on", 100));
}

/// Errors in compiled code, whose frames, that of pcall() among them, are not on the stack.
#[test]
fn compiled_code_raises() {
    let state = State::new();
    state.run(
        c"local long, results = ('x'):rep(1000), {}
        local function failures(times)
          local failed = 0
          for i = 1, #times do
            local ok, s = pcall(string.rep, long, times[i])
            if ok then results[i] = s else failed = failed + 1 end
          end
          return failed
        end
        local times = {}
        for i = 1, 100 do times[i] = i % 3 end
        for i = 1, 10 do assert(failures(times) == 0) end
        times[50], times[100] = 2^31 - 1, 2^31 - 1
        return failures(times)",
    );
    assert_eq!(state.text(), "2");
}

/// Errors that jump restore what the compiler of who has entered the interpreter takes for granted.
#[cfg(all(target_arch = "x86_64", not(windows)))]
mod registers {
    use super::*;
    use std::arch::asm;

    /// Calls a C function with values in all registers that it must keep but for those that Rust needs itself.
    ///
    /// # Safety
    /// That of the function, which does not unwind.
    unsafe fn call(function: usize, arguments: [usize; 4]) -> usize {
        const BEFORE: [u64; 4] = [
            0x1212121212121212,
            0x1313131313131313,
            0x1414141414141414,
            0x1515151515151515,
        ];
        let mut after = BEFORE;
        let result;
        // SAFETY: by the caller.
        unsafe {
            asm!(
                "call {function}",
                function = in(reg) function,
                inout("rdi") arguments[0] => _,
                inout("rsi") arguments[1] => _,
                inout("rdx") arguments[2] => _,
                inout("rcx") arguments[3] => _,
                lateout("rax") result,
                inout("r12") after[0],
                inout("r13") after[1],
                inout("r14") after[2],
                inout("r15") after[3],
                clobber_abi("C"),
            );
        }
        assert_eq!(after, BEFORE);
        result
    }

    /// Code that raises in functions of LuaJIT's that use all registers.
    const RAISE: &CStr = c"return table.concat({1, 2, 3, {}}, '-')";

    /// Code that catches such an error and returns.
    const CATCH: &CStr = c"assert(not pcall(table.concat, {1, 2, 3, {}}, '-')) return true";

    #[test]
    fn entries_of_the_api_keep_them() {
        let state = State::new();
        let l = state.0;
        let on = l as usize;
        // SAFETY: live; each function gets what it takes, and raises nothing.
        unsafe {
            state.load(RAISE);
            let pcall = lua_pcall as *const () as usize;
            assert_eq!(call(pcall, [on, 0, 0, 0]) as c_int, LUA_ERRRUN);

            state.load(CATCH);
            call(lua_call as *const () as usize, [on, 0, 0, 0]);

            let co = lua_newthread(l);
            for (code, status) in [(CATCH, LUA_OK), (RAISE, LUA_ERRRUN)] {
                state.load(code);
                lua_xmove(l, co, 1);
                let resume = lua_resume as *const () as usize;
                assert_eq!(call(resume, [co as usize, 0, 0, 0]) as c_int, status);
            }

            let source = c"local t = {{{{ f(1, 2, 3 ..";
            let load = luaL_loadstring as *const () as usize;
            let status = call(load, [on, source.as_ptr() as usize, 0, 0]);
            assert_eq!(status as c_int, LUA_ERRSYNTAX);

            // Metamethods: a = setmetatable({}, {__index = catch, ...}).
            state.load(CATCH);
            lua_setglobal(l, c"catch".as_ptr());
            state.run(
                c"return setmetatable({}, {__index = catch, __newindex = catch, __eq = catch, __lt = catch,
                __concat = catch})",
            );
            let object = lua_gettop(l);
            lua_pushvalue(l, object);
            lua_getmetatable(l, object);
            lua_createtable(l, 0, 0);
            lua_pushvalue(l, -2);
            lua_setmetatable(l, -2);
            let other = lua_gettop(l);
            let (object, other) = (object as usize, other as usize);
            let key = c"key".as_ptr() as usize;
            call(lua_getfield as *const () as usize, [on, object, key, 0]);
            call(lua_setfield as *const () as usize, [on, object, key, 0]);
            for compare in [lua_equal as *const (), lua_lessthan as *const ()] {
                let result = call(compare as usize, [on, object, other, 0]);
                assert_eq!(result as c_int, 1);
            }
            lua_pushvalue(l, object as c_int);
            lua_pushvalue(l, other as c_int);
            call(lua_concat as *const () as usize, [on, 2, 0, 0]);
            assert!(lua_toboolean(l, -1) != 0);
        }
    }

    unsafe extern "C" fn pcall_inline(l: *mut lua_State, results: c_int) -> c_int {
        // SAFETY: the caller's.
        unsafe { inline::pcall(l, lua_gettop(l) - 2, results) }
    }

    unsafe extern "C" fn resume_inline(l: *mut lua_State, results: c_int) -> c_int {
        // SAFETY: the caller's.
        unsafe { inline::resume(l, results) }
    }

    #[test]
    fn inline_entries_keep_them() {
        let state = State::new();
        let l = state.0;
        // SAFETY: live; frames are laid out as the functions expect them.
        unsafe {
            for (code, expected) in [(RAISE, LUA_ERRRUN), (CATCH, LUA_OK)] {
                state.run(c"return debug.traceback");
                state.load(code);
                lua_pushnil(l);
                let pcall = pcall_inline as *const () as usize;
                let status = call(pcall, [l as usize, 0, 0, 0]);
                assert_eq!(status as c_int, expected);
                lua_settop(l, 0);
            }
            for (code, expected) in [
                (c"coroutine.yield() return table.concat({{}})", LUA_ERRRUN),
                (
                    c"coroutine.yield() return pcall(table.concat, {{}})",
                    LUA_OK,
                ),
            ] {
                let co = lua_newthread(l);
                state.load(code);
                lua_xmove(l, co, 1);
                assert_eq!(lua_resume(co, 0), LUA_YIELD);
                let resume = resume_inline as *const () as usize;
                let status = call(resume, [co as usize, 0, 0, 0]);
                assert_eq!(status as c_int, expected);
            }
        }
    }

    /// C code enters the interpreter by a callback, where nothing of ours stands in between.
    #[test]
    fn callbacks_keep_them() {
        let state = State::new();
        state.load(CATCH);
        // SAFETY: live.
        unsafe { lua_setglobal(state.0, c"catch".as_ptr()) };
        state.run(
            c"local ffi = require 'ffi'
            callback = ffi.cast('bool (*)(void)', catch)
            return tonumber(ffi.cast('uintptr_t', callback))",
        );
        // SAFETY: the address is that of a function without parameters, which the state keeps.
        unsafe {
            let address = lua_tonumber(state.0, -1) as usize;
            assert_eq!(call(address, [0; 4]) & 0xff, 1);
        }
    }
}
