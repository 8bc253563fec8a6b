//! What all values that Lua keeps have in common.

use crate::call::{Arguments, Around, Results};
use crate::convert::{FromLua, IntoLua};
use crate::coroutine::Coroutine;
use crate::error::Result;
use crate::function::Function;
use crate::handle::{Handle, settled};
use crate::host::HostObject;
use crate::raw::Kind;
use crate::raw::coroutine::CoroutineStatus;
use crate::runtime::Runtime;
use crate::slot::{Pusher, Slot};
use crate::string::LuaString;
use crate::table::Table;
use crate::value::Value;

/// Any value that Lua keeps for Rust: a table, a function, a coroutine, userdata, a string, or
/// a value of the FFI library.
///
/// The operations are those of Lua: what the value does not support is a Lua error.
///
/// A host that has wrappers of its own for Lua values, such as a binding for another language, keeps them by this. Each step can be
/// watched: see [`Around`].
///
/// ```
/// use lupa_core::{Directly, Reference, Runtime};
///
/// let lua = Runtime::new()?;
/// let any: Reference = lua.load("return setmetatable({}, { __call = function(_, n) return n + 1 end })").eval()?;
/// let next: f64 = any.call_with(
///     |arguments| arguments.push(41),
///     Directly,
///     |results| Ok(results.get(0).number().unwrap_or_default()),
/// )?;
/// assert_eq!(next, 42.0);
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Reference(pub(crate) Handle);

/// Userdata: a host object, a file, or an object of a binary module.
#[derive(Debug, Clone)]
pub struct UserData(pub(crate) Handle);

impl UserData {
    /// Runs `f` on the host object inside, if it is one of type `T`.
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`.
    pub fn with_object<T: HostObject, R>(&self, f: impl FnOnce(&T) -> R) -> Result<Option<R>> {
        self.0
            .with(|stack, index| Ok(stack.host_object::<T>(index).map(|object| f(&object))))
    }

    /// The same value without its type.
    pub fn into_reference(self) -> Reference {
        Reference(self.0)
    }
}

impl Reference {
    /// What kind of value it is.
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`.
    pub fn kind(&self) -> Result<Kind> {
        self.0.with(|stack, index| Ok(stack.kind(index)))
    }

    /// Runs `f` on the value.
    ///
    /// # Errors
    /// Those of `f`, `Error::Closed`, `Error::Forked`.
    pub fn with<R>(&self, f: impl for<'s> FnOnce(Slot<'s>) -> Result<R>) -> Result<R> {
        self.0.with(|stack, index| f(Slot::new(stack, index)))
    }

    /// Lua's `value[key]`: `key` pushes the key, `read` reads the value. Metamethods run inside
    /// `around`.
    ///
    /// # Errors
    /// Errors of metamethods and of the closures; a runtime error for a value without index.
    #[inline]
    pub fn get_with<R>(
        &self,
        key: impl FnOnce(Pusher<'_>) -> Result<()>,
        around: impl Around,
        read: impl for<'s> FnOnce(Slot<'s>) -> Result<R>,
    ) -> Result<R> {
        self.0.get_with(key, around, read)
    }

    /// `table[key]` without metamethods; `key` pushes the key, `read` reads the value.
    ///
    /// # Errors
    /// Those of the closures; an error for what is no table.
    pub fn raw_get_with<R>(
        &self,
        key: impl FnOnce(Pusher<'_>) -> Result<()>,
        read: impl for<'s> FnOnce(Slot<'s>) -> Result<R>,
    ) -> Result<R> {
        self.0.with(|stack, index| {
            key(Pusher::new(stack))?;
            settled(stack, index, 1)?.raw_get();
            read(Slot::new(stack, index + 1))
        })
    }

    /// Lua's `value[key] = item`; metamethods run inside `around`.
    ///
    /// # Errors
    /// `Error::InvalidKey`, errors of metamethods and of the closures; a runtime error for
    /// a value without index.
    #[inline]
    pub fn set_with(
        &self,
        key: impl FnOnce(Pusher<'_>) -> Result<()>,
        item: impl FnOnce(Pusher<'_>) -> Result<()>,
        around: impl Around,
    ) -> Result<()> {
        self.0.set_with(key, item, around)
    }

    /// Lua's `value(...)`, in the three phases of [`Function::call_with`].
    ///
    /// # Errors
    /// As [`Function::call_with`].
    #[inline]
    pub fn call_with<R>(
        &self,
        push: impl FnOnce(&mut Arguments<'_>) -> Result<()>,
        around: impl Around,
        read: impl for<'s> FnOnce(Results<'s>) -> Result<R>,
    ) -> Result<R> {
        self.0.call_with(push, around, read)
    }

    /// Resumes a coroutine, as [`Coroutine::resume_with`].
    ///
    /// # Errors
    /// As [`Coroutine::resume_with`]; a conversion error for what is no coroutine.
    pub fn resume_with<R>(
        &self,
        push: impl FnOnce(&mut Arguments<'_>) -> Result<()>,
        around: impl Around,
        read: impl for<'s> FnOnce(Results<'s>) -> Result<R>,
    ) -> Result<R> {
        self.0.resume_with(push, around, read)
    }

    /// Raises an error in a coroutine, as [`Coroutine::throw_with`].
    ///
    /// # Errors
    /// As [`Coroutine::throw_with`]; a conversion error for what is no coroutine.
    pub fn throw_with<R>(
        &self,
        error: impl FnOnce(Pusher<'_>) -> Result<()>,
        catchable: bool,
        around: impl Around,
        read: impl for<'s> FnOnce(Results<'s>) -> Result<R>,
    ) -> Result<R> {
        self.0.throw_with(error, catchable, around, read)
    }

    /// Ends a coroutine, as [`Coroutine::close`].
    ///
    /// # Errors
    /// As [`Coroutine::close`]; a conversion error for what is no coroutine.
    pub fn close_coroutine(&self) -> Result<()> {
        self.0.close_coroutine()
    }

    /// Where a coroutine stands.
    ///
    /// # Errors
    /// A conversion error for what is no coroutine; `Error::Closed`, `Error::Forked`.
    pub fn coroutine_status(&self) -> Result<CoroutineStatus> {
        self.0.status()
    }

    /// Lua's `#value`; `__len` counts for userdata, and runs inside `around`.
    ///
    /// # Errors
    /// Errors of the metamethod; `Error::Closed`, `Error::Forked`.
    #[inline]
    pub fn len_with(&self, around: impl Around) -> Result<f64> {
        self.0.with(|stack, index| match stack.table(index) {
            Some(table) => Ok(table.raw_len() as f64),
            None => around.around(|| stack.protected_len(index)),
        })
    }

    /// Lua's `tostring(value)`; `read` gets the text. `__tostring` runs inside `around`.
    ///
    /// # Errors
    /// Errors of the metamethod and of `read`.
    pub fn to_string_with<R>(
        &self,
        around: impl Around,
        read: impl FnOnce(&[u8]) -> Result<R>,
    ) -> Result<R> {
        self.0.with(|stack, index| {
            around.around(|| stack.push_tostring(index))?;
            read(stack.bytes(stack.top()).unwrap_or_default())
        })
    }
}

impl Slot<'_> {
    /// Makes a handle that keeps the value.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room for another handle.
    #[inline]
    pub fn to_reference(self) -> Result<Reference> {
        self.handle().map(Reference)
    }

    /// The function of a coroutine that has not been started.
    ///
    /// # Errors
    /// `Error::Memory` if there is no room for another handle.
    pub fn coroutine_function(self) -> Result<Option<Reference>> {
        let stack = self.stack();
        stack.reserve(2)?;
        if self.kind() != Kind::Thread || !stack.push_coroutine_function(self.index())? {
            return Ok(None);
        }
        let top = stack.top();
        let function = Handle::new(stack, top).map(|handle| Some(Reference(handle)));
        stack.pop_to(top - 1);
        function
    }
}

impl<'s> Slot<'s> {
    /// The address behind a userdata, or null.
    pub fn block(self) -> *const std::ffi::c_void {
        self.stack().userdata(self.index())
    }

    /// Lua's `#` of a table, metamethods aside; 0 for other values.
    pub fn raw_len(self) -> usize {
        self.stack()
            .table(self.index())
            .map_or(0, |table| table.raw_len())
    }

    /// Whether a function slot holds a C function: LuaJIT's, a binary module's, or the host's.
    pub fn is_c_function(self) -> bool {
        self.stack().is_c_function(self.index())
    }

    /// Whether the value's metatable has a field of this name.
    ///
    /// # Errors
    /// `Error::Memory`.
    pub fn has_metafield(self, name: &str) -> Result<bool> {
        let stack = self.stack();
        let top = stack.top();
        stack.reserve(4)?;
        let mut found = false;
        if stack.push_metatable(self.index()) {
            stack.push_bytes(name.as_bytes())?;
            if let Some(metatable) = stack.table(top + 1) {
                metatable.raw_get();
                found = stack.kind(top + 2) != Kind::Nil;
            }
        }
        stack.pop_to(top);
        Ok(found)
    }

    /// Makes a coroutine of the function in the slot and hands it to `read`.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn new_coroutine<R>(self, read: impl for<'i> FnOnce(Slot<'i>) -> Result<R>) -> Result<R> {
        let stack = self.stack();
        stack.reserve(4)?;
        let top = stack.top();
        stack.push_coroutine(self.index());
        let result = read(Slot::new(stack, top + 1));
        stack.pop_to(top);
        result
    }
}

/// Methods and conversions of the types that hold a handle.
macro_rules! references {
    ($($name:ident, $kinds:pat, $to:literal;)*) => {$(
        impl $name {
            /// The runtime that the value belongs to.
            pub fn runtime(&self) -> &Runtime {
                self.0.runtime()
            }

            /// An address that tells the live values of the runtime apart.
            ///
            /// # Errors
            /// `Error::Closed`, `Error::Forked`.
            pub fn address(&self) -> Result<usize> {
                self.0.address()
            }

            /// Whether both are the same Lua value; metamethods are not asked.
            ///
            /// # Errors
            /// As [`Self::address`].
            pub fn same(&self, other: &Self) -> Result<bool> {
                self.0.same(&other.0)
            }

            /// What Lua's `tostring` gives, `__tostring` honoured.
            ///
            /// # Errors
            /// Errors of the metamethod, and as [`Self::address`].
            pub fn to_lua_string(&self) -> Result<Vec<u8>> {
                self.0.with(|stack, index| {
                    stack.push_tostring(index)?;
                    Ok(stack.bytes(stack.top()).unwrap_or_default().to_vec())
                })
            }
        }

        impl<'s> FromLua<'s> for $name {
            fn from_lua(slot: Slot<'s>) -> Result<Self> {
                if matches!(slot.kind(), $kinds) {
                    slot.handle().map($name)
                } else {
                    Err(slot.mismatch($to))
                }
            }
        }

        impl IntoLua for &$name {
            #[inline]
            fn into_lua(self, to: Pusher<'_>) -> Result<()> {
                to.handle(&self.0)
            }
        }

        impl IntoLua for $name {
            #[inline]
            fn into_lua(self, to: Pusher<'_>) -> Result<()> {
                to.handle(&self.0)
            }
        }
    )*};
}

references! {
    LuaString, Kind::String, "string";
    Table, Kind::Table, "table";
    Function, Kind::Function, "function";
    Coroutine, Kind::Thread, "coroutine";
    UserData, Kind::UserData | Kind::LightUserData, "userdata";
    Reference, _, "value";
}

impl<'s> FromLua<'s> for Value {
    fn from_lua(slot: Slot<'s>) -> Result<Self> {
        slot.to_value()
    }
}

impl IntoLua for Value {
    fn into_lua(self, to: Pusher<'_>) -> Result<()> {
        self.push(to.stack())
    }
}

impl IntoLua for &Value {
    fn into_lua(self, to: Pusher<'_>) -> Result<()> {
        self.push(to.stack())
    }
}
