//! A place on Lua's stack to push to.

use crate::error::{Error, Result};
use crate::function::Function;
use crate::handle::Handle;
use crate::host::HostObject;
use crate::raw::{Kind, Stack};
use crate::slot::Slot;
use crate::table::Table;
use crate::table_builder::TableBuilder;

/// A place on the Lua stack for one value. Each method pushes it and so uses the place up.
///
/// The place is the top of the stack, whatever runs there: where an operation lies inside another one, or the closure of a scope captures a
/// `Pusher` of its outside, what is pushed is a value of the innermost.
///
/// ```
/// use lupa_core::{IntoLua, Pusher, Result, Runtime};
///
/// struct Point(f64, f64);
///
/// impl IntoLua for Point {
///     fn into_lua(self, to: Pusher<'_>) -> Result<()> {
///         to.new_table(0, 2, |point| {
///             point.set("x", self.0)?;
///             point.set("y", self.1)
///         })
///     }
/// }
///
/// let lua = Runtime::new()?;
/// let area: f64 = lua.load("local p = ... return p.x * p.y").call(Point(3.0, 4.0))?;
/// assert_eq!(area, 12.0);
/// # Ok::<(), lupa_core::Error>(())
/// ```
///
/// ```
/// use lupa_core::{Function, IntoLua, Pusher, Result, Runtime, Table};
///
/// /// A cell of a sheet.
/// enum Cell<'a> {
///     Empty,
///     Flag(bool),
///     Number(f64),
///     Text(&'a [u8]),
///     Row(&'a Table),
///     Formula(&'a Function),
/// }
///
/// impl IntoLua for Cell<'_> {
///     fn into_lua(self, to: Pusher<'_>) -> Result<()> {
///         match self {
///             Cell::Empty => to.nil(),
///             Cell::Flag(flag) => to.boolean(flag),
///             Cell::Number(number) => to.number(number),
///             Cell::Text(text) => to.bytes(text),
///             Cell::Row(row) => to.table(row),
///             Cell::Formula(function) => to.lua_function(function),
///         }
///     }
/// }
///
/// let lua = Runtime::new()?;
/// let (row, double): (Table, Function) = lua.load("return { 7 }, function(n) return 2 * n end").eval()?;
/// let cells = (Cell::Flag(true), Cell::Number(4.0), Cell::Text(b"px"), Cell::Row(&row), Cell::Formula(&double), Cell::Empty);
/// let code = "local flag, n, text, row, f, empty = ... return flag and empty == nil and f(n + row[1]) .. text";
/// assert_eq!(lua.load(code).call::<String>(cells)?, "22px");
/// # Ok::<(), lupa_core::Error>(())
/// ```
pub struct Pusher<'s> {
    stack: Stack<'s>,
}

impl<'s> Pusher<'s> {
    #[inline]
    pub(crate) fn new(stack: Stack<'s>) -> Self {
        Pusher { stack }
    }

    /// The stack, with room for the value: what was reserved may have gone to other places to push to.
    ///
    /// # Panics
    /// If there is no room for one value more.
    #[inline]
    pub(crate) fn stack(&self) -> Stack<'s> {
        self.stack.with_room()
    }

    /// Pushes nil.
    #[inline]
    pub fn nil(self) -> Result<()> {
        self.stack().push_nil();
        Ok(())
    }

    /// Pushes a boolean.
    #[inline]
    pub fn boolean(self, value: bool) -> Result<()> {
        self.stack().push_boolean(value);
        Ok(())
    }

    /// Pushes a number.
    #[inline]
    pub fn number(self, value: f64) -> Result<()> {
        self.stack().push_number(value);
        Ok(())
    }

    /// Pushes a string of any bytes.
    ///
    /// # Errors
    /// [`Error::Memory`] if the memory limit forbids it, or at 2 GiB.
    #[inline]
    pub fn bytes(self, value: &[u8]) -> Result<()> {
        self.stack().push_bytes(value)
    }

    /// Pushes the value of a slot of the same runtime.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// // The first argument that is not false or nil.
    /// let first = lua.create_function(|call| {
    ///     let first = (0..call.len()).map(|index| call.arg(index)).find(|argument| argument.truthy());
    ///     call.push_with(|to| match first {
    ///         Some(found) => to.slot(found),
    ///         None => to.nil(),
    ///     })
    /// })?;
    /// assert_eq!(first.call::<String>((None::<f64>, false, "tea", "cake"))?, "tea");
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn slot(self, slot: Slot<'_>) -> Result<()> {
        if slot.kind() == Kind::None {
            return self.nil();
        }
        if !crate::raw::dispatch::same_runtime(self.stack(), slot.stack().shared()) {
            return Err(Error::WrongRuntime);
        }
        self.stack().push_copy(slot.index());
        Ok(())
    }

    /// Pushes what a handle keeps.
    #[inline]
    pub(crate) fn handle(self, handle: &Handle) -> Result<()> {
        handle.push(self.stack())
    }

    /// Pushes a new userdata that owns a host object.
    #[inline]
    pub fn object<T: HostObject>(self, object: T) -> Result<()> {
        self.stack().push_host(object)
    }

    /// Pushes the userdata of the object with the given identity, which is made by
    /// `make` if Lua has none (any more). So one object of the host is one userdata in Lua.
    ///
    /// `identity` is a number below 2^53, such as an address, and `is_same` confirms that a
    /// userdata found for it holds the object that is meant.
    ///
    /// ```
    /// use lupa_core::{Call, HostObject, Operation, Result, Runtime};
    /// use std::sync::Arc;
    ///
    /// /// A node of a tree that the host keeps.
    /// struct Node(Arc<str>);
    ///
    /// impl HostObject for Node {
    ///     const NAME: &'static str = "node";
    ///     const OPERATIONS: &'static [Operation] = &[Operation::ToString];
    ///     fn invoke(&self, _: Operation, call: &mut Call<'_>) -> Result<()> {
    ///         call.push(&*self.0)
    ///     }
    /// }
    ///
    /// let lua = Runtime::new()?;
    /// let root: Arc<str> = "root".into();
    /// let find = lua.create_function(move |call| {
    ///     call.push_with(|to| {
    ///         let address = Arc::as_ptr(&root).cast::<u8>() as usize;
    ///         to.identified_object(address, |node: &Node| Arc::ptr_eq(&node.0, &root), || Node(root.clone()))
    ///     })
    /// })?;
    /// // A new userdata each time.
    /// let copy = lua.create_function(|call| call.push_with(|to| to.object(Node("root".into()))))?;
    /// let code = "local find, copy = ... return rawequal(find(), find()), rawequal(copy(), copy()), tostring(find())";
    /// assert_eq!(lua.load(code).call::<(bool, bool, String)>((find, copy))?, (true, false, "root".into()));
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Memory`].
    #[inline]
    pub fn identified_object<T: HostObject>(
        self,
        identity: usize,
        is_same: impl FnOnce(&T) -> bool,
        make: impl FnOnce() -> T,
    ) -> Result<()> {
        self.stack().push_identified(identity, is_same, make)
    }

    /// Pushes a function whose calls are `object`'s [`Operation::Call`](crate::Operation::Call).
    ///
    /// ```
    /// use lupa_core::{Call, HostObject, Operation, Result, Runtime};
    ///
    /// /// A function that gives its argument back with a unit.
    /// struct Unit(&'static str);
    ///
    /// impl HostObject for Unit {
    ///     const NAME: &'static str = "unit";
    ///     const OPERATIONS: &'static [Operation] = &[Operation::Call];
    ///     fn invoke(&self, _: Operation, call: &mut Call<'_>) -> Result<()> {
    ///         let number: f64 = call.get(0)?;
    ///         call.push(format!("{number} {}", self.0))
    ///     }
    /// }
    ///
    /// let lua = Runtime::new()?;
    /// let units = lua.create_table_with(0, 1, |units| units.set_with(|to| to.bytes(b"metres"), |to| to.function(Unit("m"))))?;
    /// let text: (String, String) = lua.load("local u = ... return type(u.metres), u.metres(1.5)").call(units)?;
    /// assert_eq!(text, ("function".into(), "1.5 m".into()));
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn function<T: HostObject>(self, object: T) -> Result<()> {
        self.stack().push_function(object);
        Ok(())
    }

    /// Pushes a table.
    #[inline]
    pub fn table(self, table: &Table) -> Result<()> {
        self.handle(&table.0)
    }

    /// Pushes a function.
    pub fn lua_function(self, function: &Function) -> Result<()> {
        self.handle(&function.0)
    }

    /// Pushes a new table that `fill` fills.
    ///
    /// `array` and `hash` are the expected numbers of sequence entries and of others.
    ///
    /// # Errors
    /// [`Error::Memory`], and those of `fill`.
    pub fn new_table(
        self,
        array: usize,
        hash: usize,
        fill: impl FnOnce(&mut TableBuilder<'_>) -> Result<()>,
    ) -> Result<()> {
        fill(&mut TableBuilder::push(self.stack, array, hash)?)
    }
}

impl std::fmt::Debug for Pusher<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pusher")
    }
}

/// An implementation of `IntoLua` that did not push exactly one value.
#[cold]
pub(crate) fn misuse() -> Error {
    Error::message("a conversion to Lua must push exactly one value")
}
