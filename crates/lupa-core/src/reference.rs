//! What all values that Lua keeps have in common.

use crate::call::{Arguments, Around, Results};
use crate::convert::{FromLua, IntoLua};
use crate::coroutine::Coroutine;
use crate::error::Result;
use crate::function::Function;
use crate::handle::{Handle, settled};
use crate::host::HostObject;
use crate::pusher::Pusher;
use crate::raw::Kind;
use crate::raw::coroutine::CoroutineStatus;
use crate::runtime::Runtime;
use crate::slot::Slot;
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
///
/// ```
/// use lupa_core::{Runtime, UserData, function};
///
/// let lua = Runtime::new()?;
/// lua.globals()?.set("is_open", function(|file: UserData| {
///     Ok::<_, lupa_core::Error>(file.to_lua_string()? != b"file (closed)")
/// }))?;
/// let (open, closed): (bool, bool) = lua
///     .load("local file = io.tmpfile() local open = is_open(file) file:close() return open, is_open(file)")
///     .eval()?;
/// assert!(open && !closed);
/// assert!(lua.load("is_open('a string')").exec().is_err());
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct UserData(pub(crate) Handle);

impl UserData {
    /// Runs `f` on the host object inside, if it is one of type `T`.
    ///
    /// ```
    /// use lupa_core::{Call, HostObject, Operation, Result, Runtime};
    ///
    /// struct Query { text: String }
    ///
    /// impl HostObject for Query {
    ///     const NAME: &'static str = "query";
    ///     const OPERATIONS: &'static [Operation] = &[];
    ///     fn invoke(&self, _: Operation, _: &mut Call<'_>) -> Result<()> {
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let lua = Runtime::new()?;
    /// let query = lua.create_object(Query { text: "all".into() })?;
    /// assert_eq!(query.with_object(|query: &Query| query.text.len())?, Some(3));
    /// let file: lupa_core::UserData = lua.load("return io.stdout").eval()?;
    /// assert_eq!(file.with_object(|query: &Query| query.text.len())?, None);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`.
    pub fn with_object<T: HostObject, R>(&self, f: impl FnOnce(&T) -> R) -> Result<Option<R>> {
        self.0
            .with(|stack, index| Ok(stack.host_object::<T>(index).map(|object| f(&object))))
    }

    /// The same value without its type.
    ///
    /// ```
    /// use lupa_core::{Kind, Reference, Runtime, UserData};
    ///
    /// let lua = Runtime::new()?;
    /// let file: UserData = lua.load("return io.stdout").eval()?;
    /// let any: Reference = file.clone().into_reference();
    /// assert_eq!(any.kind()?, Kind::UserData);
    /// assert!(any.same(&lua.convert_to(&file)?)?);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
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
    /// ```
    /// use lupa_core::{Kind, Reference, Runtime};
    ///
    /// let lua = Runtime::new()?;
    /// let text: Reference = lua.load("return 'a long text'").eval()?;
    /// assert_eq!(text.kind()?, Kind::String);
    /// // Looked at in place, without a copy.
    /// let words = text.with(|slot| Ok(slot.bytes().unwrap_or_default().split(|byte| *byte == b' ').count()))?;
    /// assert_eq!(words, 3);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of `f`, `Error::Closed`, `Error::Forked`.
    pub fn with<R>(&self, f: impl for<'s> FnOnce(Slot<'s>) -> Result<R>) -> Result<R> {
        self.0.with(|stack, index| f(Slot::new(stack, index)))
    }

    /// As [`Reference::with`]; waits for other threads inside `around`.
    ///
    /// ```
    /// use lupa_core::{Directly, Reference, Runtime};
    ///
    /// let lua = Runtime::new()?;
    /// let list: Reference = lua.load("return { 'tea', 'cake' }").eval()?;
    /// // `Directly` has no lock to release meanwhile.
    /// assert_eq!(list.read_with(Directly, |slot| Ok(slot.raw_len()))?, 2);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Reference::with`].
    #[inline]
    pub fn read_with<R>(
        &self,
        around: impl Around,
        f: impl for<'s> FnOnce(Slot<'s>) -> Result<R>,
    ) -> Result<R> {
        self.0
            .with_around(around, |stack, index| f(Slot::new(stack, index)))
    }

    /// Lua's `value[key]`: `key` pushes the key, `read` reads the value. Metamethods run inside
    /// `around`.
    ///
    /// ```
    /// use lupa_core::{Directly, Reference, Runtime};
    ///
    /// let lua = Runtime::new()?;
    /// let any: Reference = lua
    ///     .load("return setmetatable({ 7 }, { __index = { unit = 'm' }, __tostring = function() return '7 m' end })")
    ///     .eval()?;
    /// let unit = any.get_with(|to| to.bytes(b"unit"), Directly, |slot| Ok(slot.bytes() == Some(b"m")))?;
    /// assert!(unit);
    /// assert!(any.raw_get_with(|to| to.bytes(b"unit"), |slot| Ok(slot.is_nil()))?);
    ///
    /// any.set_with(|to| to.number(2.0), |to| to.boolean(true), Directly)?;
    /// assert_eq!(any.len_with(Directly)?, 2.0);
    /// assert_eq!(any.to_string_with(Directly, |text| Ok(text.to_vec()))?, b"7 m");
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
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
    /// ```
    /// use lupa_core::{CoroutineStatus, Directly, Reference, Runtime};
    ///
    /// let lua = Runtime::new()?;
    /// let any: Reference = lua
    ///     .load("return coroutine.create(function(n) n = coroutine.yield(n + 1) pcall(coroutine.yield, n) end)")
    ///     .eval()?;
    /// let next = any.resume_with(|to| to.push(5), Directly, |results| Ok(results.get(0).number()))?;
    /// assert_eq!(next, Some(6.0));
    /// any.resume_with(|_| Ok(()), Directly, |_| Ok(()))?;
    /// assert_eq!(any.coroutine_status()?, CoroutineStatus::Suspended);
    /// // Its `pcall` catches this, and it returns.
    /// any.throw_with(|to| to.bytes(b"stop"), true, Directly, |results| Ok(assert!(!results.yielded())))?;
    /// assert_eq!(any.coroutine_status()?, CoroutineStatus::Dead);
    ///
    /// let other: Reference = lua.load("return coroutine.create(print)").eval()?;
    /// other.close_coroutine()?;
    /// assert!(other.coroutine_status()?.has_ended());
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
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

    /// The length that Lua's `#value` gives, and 0 where that raises: of numbers, functions and the like. `__len` counts where Lua
    /// asks it, of userdata and with the feature `lua52compat` of tables, and runs inside `around`.
    ///
    /// # Errors
    /// Errors of the metamethod; `Error::Closed`, `Error::Forked`.
    #[inline]
    pub fn len_with(&self, around: impl Around) -> Result<f64> {
        self.0
            .with_around(around, |stack, index| match stack.table(index) {
                Some(table) if !(cfg!(feature = "lua52compat") && table.has_metatable()) => {
                    Ok(table.raw_len() as f64)
                }
                _ => around.around(|| stack.protected_len(index)),
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
        self.0.with_around(around, |stack, index| {
            around.around(|| stack.push_tostring(index))?;
            read(stack.bytes(stack.top()).unwrap_or_default())
        })
    }
}

impl Slot<'_> {
    /// Makes a handle that keeps the value.
    ///
    /// ```
    /// use lupa_core::{Directly, Reference, Runtime, Slot};
    ///
    /// let lua = Runtime::new()?;
    /// // What a host function is given lasts as long as its call; a handle keeps it.
    /// let keep = lua.function(|lua: &Runtime, value: Slot<'_>| lua.set_named("callback", value.to_reference()?))?;
    /// keep.call::<()>(lua.load("return function() return 5 end").into_function()?)?;
    /// let callback: Reference = lua.named("callback")?;
    /// let function = callback.call_with(|_| Ok(()), Directly, |results| results.get(0).to_reference())?;
    /// assert_eq!(function.call_with(|_| Ok(()), Directly, |results| Ok(results.get(0).number()))?, Some(5.0));
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::Memory` if there is no room for another handle.
    #[inline]
    pub fn to_reference(self) -> Result<Reference> {
        self.handle().map(Reference)
    }

    /// The function of a coroutine that has not been started.
    ///
    /// ```
    /// use lupa_core::{Directly, Reference, Runtime};
    ///
    /// let lua = Runtime::new()?;
    /// let function: Reference = lua.load("return function() coroutine.yield() end").eval()?;
    /// let task = function.with(|slot| slot.new_coroutine(|coroutine| coroutine.to_reference()))?;
    /// let found = task.with(|slot| slot.coroutine_function())?;
    /// assert!(found.unwrap().same(&function)?);
    /// task.resume_with(|_| Ok(()), Directly, |_| Ok(()))?;
    /// assert!(task.with(|slot| slot.coroutine_function())?.is_none());
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
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
    /// ```
    /// use lupa_core::{Runtime, Slot};
    ///
    /// let lua = Runtime::new()?;
    /// // What a binding would have to know to show a value.
    /// let describe = lua.function(|value: Slot<'_>| {
    ///     let parts = [
    ///         (value.has_metafield("__call")?, "callable"),
    ///         (value.raw_len() > 0, "list"),
    ///         (value.is_c_function(), "native"),
    ///         (!value.block().is_null(), "object"),
    ///     ];
    ///     let parts = parts.iter().filter(|(is_so, _)| *is_so).map(|(_, name)| *name);
    ///     Ok::<_, lupa_core::Error>(parts.collect::<Vec<_>>().join(" "))
    /// })?;
    /// lua.globals()?.set("describe", describe)?;
    /// let of = |code: &str| lua.load(&format!("return describe({code})")).eval::<String>();
    /// assert_eq!(of("setmetatable({ 1, 2 }, { __call = print })")?, "callable list");
    /// assert_eq!(of("print")?, "native");
    /// assert_eq!(of("io.stdout")?, "object");
    /// assert_eq!(of("function() end")?, "");
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
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
            ///
            /// ```
            /// use lupa_core::{Result, Runtime, Table};
            ///
            /// /// A function of one's own needs no `&Runtime` beside a handle.
            /// fn copy(table: &Table) -> Result<Table> {
            ///     let copy = table.runtime().create_table()?;
            ///     table.for_each(|key: lupa_core::Value, value: lupa_core::Value| copy.raw_set(key, value))?;
            ///     Ok(copy)
            /// }
            ///
            /// let lua = Runtime::new()?;
            /// let copied = copy(&lua.create_table_from([("Ada", 36)])?)?;
            /// assert_eq!(copied.get::<u32>("Ada")?, 36);
            /// # Ok::<(), lupa_core::Error>(())
            /// ```
            pub fn runtime(&self) -> &Runtime {
                self.0.runtime()
            }

            /// An address that tells the live values of the runtime apart.
            ///
            /// ```
            /// use lupa_core::{Runtime, Table};
            /// use std::collections::HashSet;
            ///
            /// let lua = Runtime::new()?;
            /// let tables: Vec<Table> = lua.load("local t = {} return { t, {}, t }").eval()?;
            /// let addresses = tables.iter().map(Table::address).collect::<lupa_core::Result<HashSet<usize>>>()?;
            /// assert_eq!(addresses.len(), 2);
            /// # Ok::<(), lupa_core::Error>(())
            /// ```
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
            /// ```
            /// let lua = lupa_core::Runtime::new()?;
            /// let price: lupa_core::Table = lua
            ///     .load("return setmetatable({ 5 }, { __tostring = function(t) return t[1] .. ' EUR' end })")
            ///     .eval()?;
            /// assert_eq!(price.to_lua_string()?, b"5 EUR");
            /// assert!(lua.create_table()?.to_lua_string()?.starts_with(b"table: 0x"));
            /// # Ok::<(), lupa_core::Error>(())
            /// ```
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
