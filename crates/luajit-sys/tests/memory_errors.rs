//! An error that no `pcall` may catch: LuaJIT finds no memory while code of the host is on the native stack.

mod guarded;
mod refusing;

use luajit_sys::*;
use std::ffi::{CStr, c_int};
use std::process::Command;

unsafe extern "C" fn nothing(_: *mut lua_State) -> c_int {
    0
}

unsafe extern "C" fn no_event(_: *mut lua_State, _: c_int) -> c_int {
    0
}

/// A host function, behind the trampoline; the argument says what it does.
unsafe extern "C" fn function(l: *mut lua_State) -> c_int {
    // SAFETY: called by the trampoline, on a live state with room on its stack.
    unsafe {
        match CStr::from_ptr(lua_tostring(l, 1)).to_bytes() {
            b"raise" => {
                lua_pushliteral(l, c"raised");
                LUPA_RAISE
            }
            // The current state is the coroutine from then on.
            b"resume and raise" => {
                let co = lua_newthread(l);
                luaL_loadstring(co, c"return 1".as_ptr());
                lua_resume(co, 0);
                lua_pushliteral(l, c"raised");
                LUPA_RAISE
            }
            _ => {
                refusing::refuse(true);
                lua_createtable(l, 10, 10);
                unreachable!()
            }
        }
    }
}

/// Lets a host function raise, and then, where it was on the stack, one push without memory.
fn raise_and_push(first: &CStr) {
    // SAFETY: a new state, used as it has to be until the process ends.
    unsafe {
        let l = refusing::new_state();
        lupa_set_entries(no_event, function, nothing, nothing);
        lupa_new_plain_function(l, 0, 0, 0);
        lua_setglobal(l, c"host".as_ptr());
        luaL_loadstring(
            l,
            c"jit.off() local what = ... return (pcall(host, what))".as_ptr(),
        );
        let chunk = lua_gettop(l);
        for what in [first, c"push"] {
            lua_pushvalue(l, chunk);
            lua_pushstring(l, what.as_ptr());
            lua_pcall(l, 1, 0, 0);
            eprintln!("{what:?} has ended");
        }
    }
}

#[test]
#[ignore = "ends the process: started by the one below"]
fn after_an_error() {
    raise_and_push(c"raise");
}

#[test]
#[ignore = "as above"]
fn after_an_error_behind_a_coroutine() {
    raise_and_push(c"resume and raise");
}

// Breaks if a trampoline that said that it raises is believed when something else raises later.
#[cfg(unix)]
#[test]
fn they_end_the_process_rather_than_jump_over_the_host() {
    for child in ["after_an_error", "after_an_error_behind_a_coroutine"] {
        let program = std::env::current_exe().unwrap();
        let arguments = ["--exact", "--ignored", "--nocapture", child];
        let output = Command::new(program).args(arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains("raise\" has ended"), "{child}: {text}");
        assert!(!text.contains("\"push\" has ended"), "{child}: {text}");
        assert!(!output.status.success());
    }
}
