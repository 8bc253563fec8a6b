//! Tracebacks: what a state was doing, as text.
//!
//! They are written here, in the format of `luaL_traceback`, because that makes them of Lua strings: it can raise, where a hook has
//! nobody to catch that, it takes memory of the runtime when there may be none, and a name by which Lua code has called a function
//! may be as long as a string can be. This neither allocates in Lua nor raises, and what it writes is short.

use super::function::kind_of;
use super::stack::Stack;
use super::sys::{self, inline};
use super::watch;
use crate::error::Result;
use std::ffi::{CStr, c_char, c_int};
use std::io::Write;
use std::mem::MaybeUninit;

/// How many levels are written at most: so many innermost ones, then dots, and so many outermost ones.
const INNERMOST: c_int = 12;
const OUTERMOST: c_int = 10;
/// The longest name of a function, in bytes, that is written in full.
const LONGEST_NAME: usize = 100;

/// A name that `lua_getinfo` gave, cut if it is longer than [`LONGEST_NAME`]; `None` if there is none.
///
/// # Safety
/// `name` is null or a string that ends in a zero, and lives during the call.
pub(super) unsafe fn short_name(name: *const c_char) -> Option<Vec<u8>> {
    if name.is_null() {
        return None;
    }
    let name = name.cast::<u8>();
    // SAFETY: by the caller: no byte behind the zero is read.
    let bytes =
        (0..=LONGEST_NAME).map_while(|at| Some(unsafe { *name.add(at) }).filter(|b| *b != 0));
    let mut bytes: Vec<u8> = bytes.collect();
    if bytes.len() > LONGEST_NAME {
        // Not in the middle of a character of UTF-8.
        while bytes.pop().is_some_and(|byte| byte & 0xC0 == 0x80) {}
        bytes.extend_from_slice(b"...");
    }
    Some(bytes)
}

/// The traceback of a state from a level on, 0 for what runs.
///
/// # Safety
/// The state is live, and this thread may look at it.
unsafe fn traceback(l: *mut sys::lua_State, from: c_int) -> Vec<u8> {
    let mut text = b"stack traceback:".to_vec();
    // SAFETY: by the caller; a level that does not exist is told how many there are. The calls neither allocate nor raise.
    unsafe {
        let mut info = MaybeUninit::<sys::lua_Debug>::zeroed().assume_init();
        sys::lua_getstack(l, c_int::MAX / 2, &mut info);
        let depth = info.i_ci;
        let mut level = from;
        while level < depth {
            // Dots in place of a single level would save nothing.
            if level == INNERMOST && depth > INNERMOST + OUTERMOST + 1 {
                text.extend_from_slice(b"\n\t...");
                level = depth - OUTERMOST;
            }
            if sys::lua_getstack(l, level, &mut info) == 0 {
                break;
            }
            sys::lua_getinfo(l, c"nSl".as_ptr(), &mut info);
            write_level(&mut text, l, &info);
            level += 1;
        }
    }
    text
}

/// Writes a line about a level.
///
/// # Safety
/// As for [`traceback`]; `info` was just filled in with names, source and line of a level of the state.
unsafe fn write_level(text: &mut Vec<u8>, l: *mut sys::lua_State, info: &sys::lua_Debug) {
    // SAFETY: by the caller: strings that end in a zero, and a level that exists.
    unsafe {
        let name = short_name(info.name);
        let source = CStr::from_ptr(info.short_src.as_ptr()).to_bytes();
        let kind = kind_of(info.what);
        let function = inline::c_function(inline::function_of_level(l, info.i_ci));
        // To write to a vector never fails.
        let _ = match function {
            Some((id, _)) if name.is_none() && id > inline::PLAIN_C_FUNCTION => {
                write!(text, "\n\t[builtin#{id}]:")
            }
            _ => {
                text.extend_from_slice(b"\n\t");
                text.extend_from_slice(source);
                text.write_all(b":")
            }
        };
        if info.currentline > 0 {
            let _ = write!(text, "{}:", info.currentline);
        }
        if let Some(name) = name {
            text.extend_from_slice(b" in function '");
            text.extend_from_slice(&name);
            text.push(b'\'');
        } else if kind == c"main" {
            text.extend_from_slice(b" in main chunk");
        } else if let Some((_, address)) = function {
            let _ = write!(text, " at {address:p}");
        } else {
            text.extend_from_slice(b" in function <");
            text.extend_from_slice(source);
            let _ = write!(text, ":{}>", info.linedefined);
        }
    }
}

/// The message handler of all calls, which never unwinds: keeps the traceback for [`Stack::kept_traceback`], and leaves the error as it is.
pub(super) unsafe extern "C-unwind" fn message_handler(l: *mut sys::lua_State) -> c_int {
    // SAFETY: LuaJIT calls it with a live state, which this thread runs. The error, its one argument, is its result.
    watch::record().keep_traceback(unsafe { traceback(l, 1) });
    1
}

impl Stack<'_> {
    /// The traceback of the code that runs, from the caller of the host function on.
    pub(crate) fn traceback(self) -> Vec<u8> {
        self.traceback_of(self.l, 1)
    }

    /// The traceback of the code that runs, which a hook has been called in.
    pub(super) fn traceback_here(self) -> Vec<u8> {
        self.traceback_of(self.l, 0)
    }

    /// The traceback of the coroutine in a slot.
    pub(crate) fn traceback_at(self, index: c_int) -> Result<Vec<u8>> {
        Ok(self.coroutine_traceback(self.thread(index)?))
    }

    pub(super) fn coroutine_traceback(self, thread: *mut sys::lua_State) -> Vec<u8> {
        self.traceback_of(thread, 0)
    }

    fn traceback_of(self, l: *mut sys::lua_State, from: c_int) -> Vec<u8> {
        // SAFETY: a live state of this runtime, whose lock is held.
        unsafe { traceback(l, from) }
    }

    /// The traceback that the message handler has left on this thread, if there is one.
    pub(super) fn kept_traceback(self) -> Vec<u8> {
        watch::record().take_traceback()
    }
}
