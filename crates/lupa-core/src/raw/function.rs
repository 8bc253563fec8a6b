//! What functions say of themselves, and their environments.

use super::stack::Stack;
use super::sys;
use super::traceback::short_name;
use std::ffi::{CStr, c_char, c_int};
use std::mem::MaybeUninit;

/// The name of the chunk of `await.lua`.
pub(crate) const AWAIT_CHUNK: &str = "=lupa.await";

/// What `lua_getinfo` tells about a function.
pub(crate) struct Described {
    pub(crate) source: Vec<u8>,
    pub(crate) short_source: Vec<u8>,
    pub(crate) first_line: c_int,
    pub(crate) last_line: c_int,
    pub(crate) what: &'static CStr,
    pub(crate) parameters: c_int,
    pub(crate) is_vararg: bool,
    pub(crate) upvalues: c_int,
}

/// The bytes of a string that `lua_getinfo` gave, or none.
///
/// # Safety
/// `text` is null or a string that ends in a zero and lives during the call.
pub(super) unsafe fn copied(text: *const c_char) -> Vec<u8> {
    if text.is_null() {
        return Vec::new();
    }
    // SAFETY: by the caller.
    unsafe { CStr::from_ptr(text) }.to_bytes().to_vec()
}

/// `lua_getinfo`'s word for the kind of a function, as one of ours that lives for ever.
///
/// # Safety
/// As for [`copied`].
pub(super) unsafe fn kind_of(what: *const c_char) -> &'static CStr {
    let known = [c"Lua", c"C", c"main"];
    // SAFETY: by the caller, once it is known not to be null.
    let found = known
        .into_iter()
        .find(|kind| !what.is_null() && unsafe { CStr::from_ptr(what) } == *kind);
    found.unwrap_or(c"")
}

// Each needs one free slot and leaves what its name says.
impl Stack<'_> {
    /// Describes the function in a slot.
    pub(crate) fn describe_function(self, index: c_int) -> Described {
        let mut is_vararg = 0;
        // SAFETY: live and locked; the slot holds a function, a copy of which `>` pops. What is asked for is
        // filled in without allocating, and read before anything can free it.
        unsafe {
            let parameters = sys::lupa_parameters(self.l, index, &mut is_vararg);
            let mut info = MaybeUninit::<sys::lua_Debug>::zeroed().assume_init();
            sys::lua_pushvalue(self.l, index);
            sys::lua_getinfo(self.l, c">Su".as_ptr(), &mut info);
            Described {
                source: copied(info.source),
                short_source: copied(info.short_src.as_ptr()),
                first_line: info.linedefined,
                last_line: info.lastlinedefined,
                what: kind_of(info.what),
                parameters,
                is_vararg: is_vararg != 0,
                upvalues: info.nups,
            }
        }
    }

    /// The name by which the running host function was called, if that was by `object:name(…)`: an async one is called by
    /// `await.lua`, and it is the name of that function that counts.
    pub(crate) fn called_method(self) -> Option<Vec<u8>> {
        self.method_at(0)
            .or_else(|| self.is_await(1).then(|| self.method_at(1))?)
    }

    /// The name by which the function at this level, 0 for the running one, was called, if that was by `object:name(…)`.
    fn method_at(self, level: c_int) -> Option<Vec<u8>> {
        let info = self.info_at(level, c"n")?;
        // SAFETY: a string of LuaJIT's, or nothing; nothing has run since that could free it.
        let is_method =
            !info.namewhat.is_null() && unsafe { CStr::from_ptr(info.namewhat) } == c"method";
        // SAFETY: likewise.
        unsafe { short_name(info.name) }.filter(|_| is_method)
    }

    /// Whether the function at this level is of `await.lua`.
    fn is_await(self, level: c_int) -> bool {
        self.info_at(level, c"S").is_some_and(|info| {
            // SAFETY: a string of LuaJIT's; nothing has run since that could free it. It may be long, so it is not copied.
            let source = (!info.source.is_null()).then(|| unsafe { CStr::from_ptr(info.source) });
            source.is_some_and(|source| source.to_bytes() == AWAIT_CHUNK.as_bytes())
        })
    }

    /// What is asked for by `what`, of the function at this level.
    fn info_at(self, level: c_int, what: &CStr) -> Option<sys::lua_Debug> {
        // SAFETY: live and locked. What is asked for, names and sources, is filled in without allocating.
        unsafe {
            let mut info = MaybeUninit::<sys::lua_Debug>::zeroed().assume_init();
            if sys::lua_getstack(self.l, level, &mut info) == 0 {
                return None;
            }
            sys::lua_getinfo(self.l, what.as_ptr(), &mut info);
            Some(info)
        }
    }

    /// Pushes the environment of the function or userdata in a slot: a table.
    pub(crate) fn push_environment(self, index: c_int) {
        // SAFETY: live and locked; a positive index; a slot is reserved. It neither allocates nor raises.
        unsafe { sys::lua_getfenv(self.l, index) }
    }

    /// Pops the table on top and makes it the environment of the function or userdata in a slot.
    pub(crate) fn set_environment(self, index: c_int) {
        // SAFETY: live and locked; a positive index; callers push a table. It neither allocates nor raises.
        unsafe { sys::lua_setfenv(self.l, index) };
    }
}
