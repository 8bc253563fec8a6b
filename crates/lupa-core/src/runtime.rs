//! Lua runtimes.

use crate::builder::Builder;
use crate::chunk::Chunk;
use crate::collections::{Sequence, expected};
use crate::convert::{FromLua, IntoLua, Owned};
use crate::error::Result;
use crate::function::Function;
use crate::handle::Handle;
use crate::host::{Call, HostFunction, HostObject};
use crate::pusher::Pusher;
use crate::raw::Shared;
use crate::raw::owner::Owner;
use crate::raw::shared::Extension;
use crate::reference::UserData;
use crate::slot::Slot;
use crate::string::LuaString;
use crate::table::Table;
use crate::table_builder::TableBuilder;
use crate::usertype::UserType;
use crate::weak::WeakRuntime;
use std::any::Any;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::sync::Arc;

/// A Lua runtime: one LuaJIT state with its lock.
///
/// Cloning gives another name for the same runtime. Any thread may use it: each operation takes
/// the lock and waits for a thread that runs Lua code in it. The lock is re-entrant, so
/// a host function may use the runtime it was called from. [`Runtime::lock`] holds it over several
/// operations. The state is freed when the last clone and the last handle are gone, or by
/// [`Runtime::close`]; [`WeakRuntime`] says more of this.
///
/// ```
/// let lua = lupa_core::Runtime::new()?;
/// assert_eq!(lua.load("return 1 + 1").eval::<i64>()?, 2);
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Runtime(Owner);

impl Runtime {
    /// Makes a runtime with all standard libraries.
    ///
    /// # Errors
    /// `Error::Memory` if there is no memory for it.
    pub fn new() -> Result<Runtime> {
        Self::builder().build()
    }

    /// Starts making a runtime with options.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// A name for the runtime of a stack that does not count as an owner.
    #[inline]
    pub(crate) fn borrowed(shared: &Shared) -> ManuallyDrop<Runtime> {
        ManuallyDrop::new(Runtime(ManuallyDrop::into_inner(Owner::borrowed(shared))))
    }

    #[inline]
    pub(crate) fn shared(&self) -> &Shared {
        &self.0
    }

    pub(crate) fn from_shared(shared: Arc<Shared>) -> Runtime {
        Runtime(Owner::new(shared))
    }

    #[inline]
    pub(crate) fn from_owner(owner: Owner) -> Runtime {
        Runtime(owner)
    }

    #[inline]
    pub(crate) fn owner(&self) -> &Owner {
        &self.0
    }

    /// A name for this runtime that does not keep it alive; see [`WeakRuntime`].
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// let weak = lua.downgrade();
    /// assert!(weak.upgrade().is_some_and(|again| again.is_same(&lua)));
    /// drop(lua);
    /// assert!(weak.upgrade().is_none());
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn downgrade(&self) -> WeakRuntime {
        WeakRuntime(Arc::downgrade(self.0.as_arc()))
    }

    /// Whether both are the same runtime.
    ///
    /// ```
    /// use lupa_core::Runtime;
    ///
    /// let (lua, other) = (Runtime::new()?, Runtime::new()?);
    /// let table = lua.create_table()?;
    /// assert!(table.runtime().is_same(&lua) && lua.clone().is_same(&lua));
    /// assert!(!table.runtime().is_same(&other));
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn is_same(&self, other: &Runtime) -> bool {
        std::ptr::eq(self.shared(), other.shared())
    }

    /// Takes the lock until the guard is dropped; waits while another thread has it.
    ///
    /// # Errors
    /// `Error::Forked` if the thread that has it was lost in a fork.
    #[inline]
    pub fn lock(&self) -> Result<Guard<'_>> {
        Ok(Guard {
            _held: self.0.lock()?,
            runtime: PhantomData,
        })
    }

    /// Takes the lock if that needs no waiting.
    ///
    /// ```
    /// use lupa_core::Runtime;
    /// use std::thread;
    ///
    /// let lua = Runtime::new()?;
    /// let guard = lua.lock()?;
    /// // This thread has it, so it gets it again; another one would have to wait.
    /// assert!(lua.try_lock().is_some());
    /// thread::scope(|threads| threads.spawn(|| assert!(lua.try_lock().is_none())).join().unwrap());
    /// drop(guard);
    /// thread::scope(|threads| threads.spawn(|| assert!(lua.try_lock().is_some())).join().unwrap());
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    #[inline]
    pub fn try_lock(&self) -> Option<Guard<'_>> {
        Some(Guard {
            _held: self.0.try_lock()?,
            runtime: PhantomData,
        })
    }

    /// Prepares Lua code, source or bytecode.
    pub fn load<'a>(&'a self, code: &'a (impl AsRef<[u8]> + ?Sized)) -> Chunk<'a> {
        Chunk::new(self, code.as_ref())
    }

    /// The table of globals.
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`, `Error::Memory`.
    pub fn globals(&self) -> Result<Table> {
        self.create(|to| {
            to.stack().push_globals();
            Ok(())
        })
        .map(Table)
    }

    /// Makes an empty table.
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`, `Error::Memory`.
    pub fn create_table(&self) -> Result<Table> {
        self.create_table_with(0, 0, |_| Ok(()))
    }

    /// Makes a table and fills it, without a handle for each step; see [`Pusher::new_table`].
    ///
    /// # Errors
    /// Those of `fill`, `Error::Closed`, `Error::Forked`, `Error::Memory`.
    pub fn create_table_with(
        &self,
        array: usize,
        hash: usize,
        fill: impl FnOnce(&mut TableBuilder<'_>) -> Result<()>,
    ) -> Result<Table> {
        self.create(|to| to.new_table(array, hash, fill)).map(Table)
    }

    /// Makes a table of keys and values.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// let ages = lua.create_table_from([("Ada", 36), ("Alan", 41)])?;
    /// assert_eq!(ages.get::<u32>("Ada")?, 36);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::InvalidKey`, errors of the conversions, `Error::Closed`, `Error::Forked`, `Error::Memory`.
    pub fn create_table_from<K: IntoLua, V: IntoLua>(
        &self,
        entries: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Table> {
        let entries = entries.into_iter();
        self.create_table_with(0, expected(&entries), |table| {
            for (key, value) in entries {
                table.set(key, value)?;
            }
            Ok(())
        })
    }

    /// Makes a table with the items at the positions from 1; see [`Sequence`] for one inside other values.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// let squares = lua.create_sequence_from((1..=4).map(|n| n * n))?;
    /// assert_eq!(squares.len()?, 4);
    /// assert_eq!(squares.get::<i32>(3)?, 9);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Errors of the conversions, `Error::Closed`, `Error::Forked`, `Error::Memory`.
    pub fn create_sequence_from<V: IntoLua>(
        &self,
        items: impl IntoIterator<Item = V>,
    ) -> Result<Table> {
        self.create(|to| Sequence(items).into_lua(to)).map(Table)
    }

    /// Makes a string that stays in Lua.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// // Copied into Lua once, however often it is used.
    /// let data = lua.create_string(b"\x00\xff".repeat(1000))?;
    /// let at = lua.load("local data, i = ... return data:byte(i)").into_function()?;
    /// assert_eq!((at.call::<u8>((&data, 1))?, at.call::<u8>((&data, 2000))?), (0, 255));
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`, `Error::Memory`.
    pub fn create_string(&self, bytes: impl AsRef<[u8]>) -> Result<LuaString> {
        self.create(|to| to.bytes(bytes.as_ref())).map(LuaString)
    }

    /// Makes a userdata that owns a host object.
    ///
    /// ```
    /// use lupa_core::{Call, HostObject, Operation, Result, Runtime};
    ///
    /// struct Greeter(&'static str);
    ///
    /// impl HostObject for Greeter {
    ///     const NAME: &'static str = "greeter";
    ///     const OPERATIONS: &'static [Operation] = &[Operation::Call];
    ///     fn invoke(&self, _: Operation, call: &mut Call<'_>) -> Result<()> {
    ///         let name: &str = call.get(0)?;
    ///         call.push(format!("{}, {name}!", self.0))
    ///     }
    /// }
    ///
    /// let lua = Runtime::new()?;
    /// let greet = lua.create_object(Greeter("Hello"))?;
    /// assert_eq!(greet.call::<String>("Ada")?, "Hello, Ada!");
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`, `Error::Memory`.
    pub fn create_object<T: HostObject>(&self, object: T) -> Result<UserData> {
        self.create(|to| to.object(object)).map(UserData)
    }

    /// Makes a userdata that owns a value with methods and fields.
    ///
    /// ```
    /// use lupa_core::{Members, Runtime, UserType};
    ///
    /// struct Counter(i64);
    ///
    /// impl UserType for Counter {
    ///     const NAME: &'static str = "Counter";
    ///     fn members(members: &mut Members<Self>) {
    ///         members.function("add", |this: &mut Self, n: i64| this.0 += n);
    ///     }
    /// }
    ///
    /// let lua = Runtime::new()?;
    /// let counter = lua.create_userdata(Counter(0))?;
    /// // Lua code and Rust have the same value.
    /// lua.load("local counter = ... counter:add(2) counter:add(3)").call::<()>(&counter)?;
    /// assert_eq!(counter.borrow::<Counter>()?.0, 5);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`, `Error::Memory`.
    pub fn create_userdata<T: UserType>(&self, value: T) -> Result<UserData> {
        self.create(|to| value.into_lua(to)).map(UserData)
    }

    /// Makes a Lua function of a closure, which reads its arguments and pushes its results itself.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// let add = lua.create_function(|call| {
    ///     let sum = call.get::<f64>(0)? + call.get::<f64>(1)?;
    ///     call.push(sum)
    /// })?;
    /// assert_eq!(add.call::<f64>((40, 2))?, 42.0);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`, `Error::Memory`.
    pub fn create_function<F>(&self, function: F) -> Result<Function>
    where
        F: Fn(&mut Call<'_>) -> Result<()> + Send + 'static,
    {
        self.create(|to| to.function(HostFunction(function)))
            .map(Function)
    }

    /// Puts a value on the stack and makes a handle of it.
    #[inline]
    pub(crate) fn create(&self, push: impl FnOnce(Pusher<'_>) -> Result<()>) -> Result<Handle> {
        self.0.enter(|stack| {
            stack.check_memory()?;
            push(Pusher::new(stack))?;
            Handle::new(stack, stack.top())
        })
    }

    /// A value as one of another type, as if it had passed through Lua: a [`Value`](crate::Value) as what it is, or anything
    /// as a `Value`.
    ///
    /// ```
    /// use lupa_core::{Runtime, Table, Value};
    ///
    /// let lua = Runtime::new()?;
    /// let value: Value = lua.load("return { 2, 3 }").eval()?;
    /// assert_eq!(lua.convert_to::<Vec<u8>>(&value)?, [2, 3]);
    /// let table: Table = lua.convert_to(vec!["a", "b"])?;
    /// assert_eq!(table.len()?, 2);
    /// assert!(matches!(lua.convert_to(5)?, Value::Number(5.0)));
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Errors of the conversions, `Error::WrongRuntime`, `Error::Closed`, `Error::Forked`, `Error::Memory`.
    pub fn convert_to<T: Owned>(&self, value: impl IntoLua) -> Result<T> {
        self.convert(value, |slot| T::from_lua(slot))
    }

    /// Puts a value on the stack, and reads it back by `read`.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// // What Lua takes it for; no handle is made.
    /// assert_eq!(lua.convert(vec![1, 2], |slot| Ok(slot.type_name()))?, "table");
    /// assert!(lua.convert(None::<u32>, |slot| Ok(slot.is_nil()))?);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of the two closures, `Error::Closed`, `Error::Forked`.
    pub fn convert<R>(
        &self,
        value: impl IntoLua,
        read: impl for<'s> FnOnce(Slot<'s>) -> Result<R>,
    ) -> Result<R> {
        self.0.enter(|stack| {
            let base = stack.top();
            value.into_lua(Pusher::new(stack))?;
            if stack.top() != base + 1 {
                return Err(crate::pusher::misuse());
            }
            read(Slot::new(stack, base + 1))
        })
    }

    /// Lua's `require(name)`, by the global of that name.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// lua.preload("settings", |_| Ok([("level", 3)].into_iter().collect::<std::collections::HashMap<_, _>>()))?;
    /// let settings: lupa_core::Table = lua.require("settings")?;
    /// assert_eq!(settings.get::<i32>("level")?, 3);
    /// assert!(lua.require::<lupa_core::Table>("no_such_module").is_err());
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Whatever loading the module raises; a conversion error if `require` is no function.
    pub fn require<R: for<'s> FromLua<'s>>(&self, name: &str) -> Result<R> {
        self.globals()?.get::<Function>("require")?.call(name)
    }

    /// Whether the FFI library was opened, so that there may be [`Kind::CData`](crate::Kind::CData) values.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// assert!(!lua.has_ffi()?);
    /// lua.load("local ffi = require('ffi')").exec()?;
    /// assert!(lua.has_ffi()?);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`.
    pub fn has_ffi(&self) -> Result<bool> {
        self.0.enter(|stack| Ok(stack.has_ctypes()))
    }

    /// Number of handles (tables, functions, …) that keep values of this runtime.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// let before = lua.handles()?;
    /// let (table, globals) = (lua.create_table()?, lua.globals()?);
    /// assert_eq!(lua.handles()?, before + 2);
    /// drop((table, globals));
    /// assert_eq!(lua.handles()?, before);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`.
    pub fn handles(&self) -> Result<usize> {
        self.0.enter(|stack| Ok(stack.shared().handles()))
    }

    /// A value of the host that belongs to this runtime; set once by [`Runtime::set_extension`].
    pub fn extension<T: Any + Send + Sync>(&self) -> Option<&T> {
        self.0.extension().get()?.get()
    }

    /// Puts a value of the host beside this runtime, which owns it together with whoever else has it.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// let lua = lupa_core::Runtime::new()?;
    /// let title = Arc::new(String::from("tab 1"));
    /// assert!(lua.set_extension(title.clone()).is_ok());
    /// // Read without the lock, and by all names of the runtime.
    /// assert_eq!(lua.clone().extension::<String>().unwrap(), "tab 1");
    /// assert!(lua.extension::<u32>().is_none());
    /// assert_eq!(lua.set_extension(Arc::new(2)), Err(Arc::new(2)));
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Gives the value back if there is one already.
    pub fn set_extension<T: Any + Send + Sync>(&self, value: Arc<T>) -> Result<(), Arc<T>> {
        let refused = self.0.extension().set(Extension::new(value));
        refused.map_err(Extension::into_inner)
    }

    /// Runs all finalizers, in which host functions give errors, and frees the state. Handles stay, and give
    /// `Error::Closed`. When the last owner of a runtime that was not closed goes, this is done then.
    ///
    /// The time limit, interrupts and the memory limit hold for the finalizers as for a call. Once one of them was ended, no
    /// more Lua code runs, the state is freed all the same, and the error says why it was ended.
    ///
    /// ```
    /// use lupa_core::{Error, Runtime, function};
    /// use std::sync::Arc;
    ///
    /// let lua = Runtime::new()?;
    /// let connection = Arc::new(5);
    /// let in_lua = connection.clone();
    /// lua.globals()?.set("connection", function(move || *in_lua))?;
    /// let globals = lua.globals()?;
    /// lua.close()?;
    /// // What Lua code had is gone, whoever else has a name of the runtime or a handle.
    /// assert!(lua.is_closed() && Arc::strong_count(&connection) == 1);
    /// assert!(matches!(globals.len(), Err(Error::Closed)));
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::Busy` if called while this runtime runs Lua code further up on the
    /// same thread; `Error::Forked`. `Error::Timeout`, `Error::Interrupted` or the error of the host's check when
    /// the runtime is closed and finalizers did not come to their end.
    pub fn close(&self) -> Result<()> {
        self.0.close()
    }

    /// Whether the runtime was closed.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime")
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

/// Holds a runtime's lock; see [`Runtime::lock`].
///
/// ```
/// use lupa_core::{Guard, Result, Runtime};
///
/// /// Several changes of which no other thread sees a part.
/// struct Transfer<'a> { lua: &'a Runtime, _guard: Guard<'a> }
///
/// impl<'a> Transfer<'a> {
///     fn begin(lua: &'a Runtime) -> Result<Self> {
///         Ok(Transfer { lua, _guard: lua.lock()? })
///     }
///     fn add(&self, account: &str, amount: i64) -> Result<()> {
///         let globals = self.lua.globals()?;
///         globals.set(account, globals.get::<i64>(account)? + amount)
///     }
/// }
///
/// let lua = Runtime::new()?;
/// lua.load("mine, yours = 10, 0").exec()?;
/// let transfer = Transfer::begin(&lua)?;
/// transfer.add("mine", -4)?;
/// std::thread::scope(|threads| threads.spawn(|| assert!(lua.try_lock().is_none())).join().unwrap());
/// transfer.add("yours", 4)?;
/// drop(transfer);
/// assert_eq!(lua.load("return mine, yours").eval::<(i64, i64)>()?, (6, 4));
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[must_use = "the lock is released when the guard is dropped"]
pub struct Guard<'a> {
    _held: crate::raw::lock::Held<'a>,
    runtime: PhantomData<&'a Runtime>,
}

impl std::fmt::Debug for Guard<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Guard")
    }
}

// A panic passes Lua's frames by design: what it leaves behind is a usable runtime.
impl std::panic::UnwindSafe for Runtime {}
impl std::panic::RefUnwindSafe for Runtime {}
