//! What a state gets at its start: anchors with helpers, standard libraries.

use super::slots;
use super::stack::Stack;
use super::sys::{self, inline};
use super::traceback;
use crate::error::{Error, Result, RuntimeError};
use std::ffi::c_int;
use std::sync::{Arc, OnceLock};

/// Makes the anchors and captures the helpers in them, before any Lua code can run.
///
/// # Safety
/// `l` is a new state that nobody else uses, with nothing on its stack.
pub(super) unsafe fn prepare_anchors(l: *mut sys::lua_State) -> inline::Table {
    // SAFETY: a new state has room for these few values, and no memory limit yet. The anchors are at
    // index 1, what is stored at 2.
    unsafe {
        sys::lua_createtable(l, slots::ROOM, 0);
        let anchors = inline::slot(l, 1).and_then(inline::TValue::table);
        let anchors = anchors.expect("a new table");
        let keep = |key| {
            sys::lupa_set_anchor(l, anchors.address(), key, 2);
            sys::lua_settop(l, 1);
        };
        let push = |key| inline::push(l, *anchors.array_slot(key).expect("it was kept"));
        let helpers = [
            (
                slots::HANDLER,
                traceback::message_handler as sys::lua_CFunction,
            ),
            (slots::FINALIZER, sys::lupa_trampoline(sys::LUPA_GC)),
            (slots::TOSTRING, sys::lupa_p_tostring),
        ];
        for (key, function) in helpers {
            sys::lua_pushcclosure(l, function, 0);
            keep(key);
        }
        // Payloads of host functions are never visible to Lua code but through the
        // debug library: they need a finalizer and nothing else. The other field is for the identity table.
        sys::lua_createtable(l, 0, 2);
        sys::lua_pushlstring(l, c"__gc".as_ptr(), 4);
        push(slots::FINALIZER);
        sys::lua_rawset(l, -3);
        sys::lua_pushlstring(l, c"__mode".as_ptr(), 6);
        sys::lua_pushlstring(l, c"v".as_ptr(), 1);
        sys::lua_rawset(l, -3);
        keep(slots::FUNCTION_META);
        sys::lua_createtable(l, 0, 4);
        push(slots::FUNCTION_META);
        sys::lua_setmetatable(l, -2);
        keep(slots::IDENTITY);
        anchors
    }
}

impl Stack<'_> {
    /// Opens the standard libraries of a mask of `LUPA_LIB_*`, with room for so many strings.
    pub(crate) fn open_libraries(self, libs: c_int, strings: usize) -> Result<()> {
        let call = self.begin_protected(sys::lupa_p_openlibs);
        self.push_number(f64::from(libs));
        self.push_number(strings.min(1 << 16) as f64);
        self.call(call, 1)?;
        self.store(call.first(), slots::THROWER);
        Ok(())
    }

    /// Has LuaJIT's compiler allocate in advance what it cannot be refused. The libraries are open.
    pub(super) fn prepare_compiler(self) -> Result<()> {
        let is_prepared = &self.shared.memory.compiler_is_prepared;
        if !is_prepared.get() {
            let call = self.begin_protected(sys::lupa_p_prepare_compiler);
            self.call(call, 0)?;
            is_prepared.set(true);
        }
        Ok(())
    }
}

impl Stack<'_> {
    /// Pushes the function that raises errors in coroutines, made at first need: until then its slot has what it
    /// has to know, Lua's `coroutine.yield` as it was before Lua code could replace it.
    pub(crate) fn push_thrower_function(self) -> Result<()> {
        self.push_slot(slots::THROWER);
        if self.is_c_function(self.top()) {
            self.make_thrower()?;
        }
        Ok(())
    }

    /// Replaces `coroutine.yield`, on top, by the function.
    #[cold]
    fn make_thrower(self) -> Result<()> {
        /// What the source compiles to.
        static BYTECODE: OnceLock<Vec<u8>> = OnceLock::new();
        let source = include_str!("thrower.lua").as_bytes();
        let code = BYTECODE.get().map_or(source, Vec::as_slice);
        let mut chunk = sys::LupaChunk {
            piece: [code.as_ptr().cast(), std::ptr::null()],
            length: [code.len(), 0],
            next: 0,
            name: c"=lupa".as_ptr(),
            mode: c"bt".as_ptr(),
        };
        let call = self.begin_call_of(|stack| stack.load(&mut chunk))?;
        if BYTECODE.get().is_none() {
            let _ = BYTECODE.set(self.dump(call.first(), false)?);
        }
        self.push_function(super::coroutine::Raise);
        self.push_copy(call.first() - 2);
        self.call(call, 1)?;
        self.store(call.first(), slots::THROWER);
        self.truncate(call.first() - 3);
        self.push_slot(slots::THROWER);
        Ok(())
    }

    /// The bytecode of the Lua function in a slot; `strip` leaves the debug information out.
    pub(crate) fn dump(self, index: c_int, strip: bool) -> Result<Vec<u8>> {
        let top = self.top();
        let call = self.begin_protected(sys::lupa_p_dump);
        self.push_copy(index);
        self.push_boolean(strip);
        self.call(call, 1)?;
        let bytecode = self.bytes(call.first()).unwrap_or_default().to_vec();
        self.pop_to(top);
        Ok(bytecode)
    }

    /// Compiles a chunk and pushes the function.
    pub(crate) fn load(self, chunk: &mut sys::LupaChunk) -> Result<()> {
        let top = self.top();
        // SAFETY: live and locked; all errors are statuses.
        let status = self
            .shared
            .run(self.l, || unsafe { sys::lupa_load(self.l, chunk) })?;
        self.check_stop(top)?;
        let message = || self.bytes(self.top()).unwrap_or_default().to_vec();
        match status {
            sys::LUA_OK => Ok(()),
            sys::LUA_ERRSYNTAX => Err(Error::syntax(message())),
            sys::LUA_ERRMEM => Err(Error::Memory),
            _ => Err(Error::Runtime(Arc::new(RuntimeError::new(message())))),
        }
    }
}

/// The source of one of the `jit.*` modules that belong to this LuaJIT.
pub(crate) fn jit_module(name: &str) -> Option<&'static str> {
    sys::JIT_MODULES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, source)| *source)
}
