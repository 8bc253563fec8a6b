//! The switches of LuaJIT's compiler.

use super::stack::Stack;
use super::sys;
use crate::error::{Error, Result};
use std::ffi::c_int;

/// What `luaJIT_setmode` is to do.
#[derive(Clone, Copy)]
pub(crate) enum Mode {
    On,
    Off,
    Flush,
}

impl Mode {
    fn bits(self) -> c_int {
        match self {
            Mode::On => sys::LUAJIT_MODE_ON,
            Mode::Off => sys::LUAJIT_MODE_OFF,
            Mode::Flush => sys::LUAJIT_MODE_FLUSH,
        }
    }
}

/// What it is to do it for.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// All code.
    Engine,
    /// A trace, by its number.
    Trace(u16),
    /// The function in a slot.
    Function(c_int),
    /// The function in a slot, and those defined inside.
    FunctionAndInner(c_int),
    /// Those defined inside the function in a slot.
    Inner(c_int),
}

impl Stack<'_> {
    /// `luaJIT_setmode`. It raises inside a finalizer, and flushing may call a handler of Lua code (`jit.attach`), hence
    /// the protected call. It aborts a trace that is being recorded; compiled code that is running ends at the call
    /// of the host, so it is never flushed under its feet. Takes six slots, and leaves none.
    pub(crate) fn set_jit_mode(self, target: Target, mode: Mode) -> Result<()> {
        let (scope, trace, function) = match target {
            Target::Engine => (sys::LUAJIT_MODE_ENGINE, 0, None),
            Target::Trace(number) => (sys::LUAJIT_MODE_TRACE, number, None),
            Target::Function(index) => (sys::LUAJIT_MODE_FUNC, 0, Some(index)),
            Target::FunctionAndInner(index) => (sys::LUAJIT_MODE_ALLFUNC, 0, Some(index)),
            Target::Inner(index) => (sys::LUAJIT_MODE_ALLSUBFUNC, 0, Some(index)),
        };
        let top = self.top();
        self.reserve(6)?;
        let call = self.begin_protected(sys::lupa_p_setmode);
        self.push_number(f64::from(scope | mode.bits()));
        self.push_number(f64::from(trace));
        match function {
            Some(index) => self.push_copy(index),
            None => self.push_nil(),
        }
        self.call(call, 1)?;
        let done = self.boolean(call.first());
        self.pop_to(top);
        if done {
            return Ok(());
        }
        Err(Error::message(match function {
            Some(index) if self.is_c_function(index) => "a C function is not compiled",
            _ => "this LuaJIT has no compiler",
        }))
    }

    /// Whether the compiler is on, and the features of the processor that it uses.
    pub(crate) fn jit_status(self) -> (bool, Vec<String>) {
        let mut buffer = [0_u8; 256];
        // SAFETY: live and locked; it writes no more than the buffer holds, its zero included.
        let on = unsafe { sys::lupa_jit_status(self.l, buffer.as_mut_ptr().cast(), buffer.len()) };
        let names = String::from_utf8_lossy(&buffer);
        let names = names.trim_end_matches('\0').split_ascii_whitespace();
        (on == 1, names.map(str::to_owned).collect())
    }
}
