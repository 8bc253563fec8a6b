//! Views of the Lua stack for conversions: a slot to read, a place to push to.

use crate::convert::IntoLua;
use crate::error::{Error, Result};
use crate::function::Function;
use crate::handle::Handle;
use crate::host::HostObject;
use crate::raw::stack::TableSlot;
use crate::raw::userdata::HostRef;
use crate::raw::{Framed, Kind, Place, Stack};
use crate::reference::Reference;
use crate::table::Table;
use std::ffi::c_int;

/// One value on the Lua stack, to be read.
///
/// A slot costs nothing: no handle is made and nothing is copied until asked for.
///
/// ```
/// use lupa_core::{Kind, Runtime, Slot};
///
/// let lua = Runtime::new()?;
/// let describe = lua.function(|value: Slot<'_>| match value.kind() {
///     Kind::String => format!("{} bytes", value.bytes().unwrap_or_default().len()),
///     Kind::Number => format!("the number {}", value.number().unwrap_or_default()),
///     kind => format!("a {}", kind.name()),
/// })?;
/// assert_eq!(describe.call::<String>("text")?, "4 bytes");
/// assert_eq!(describe.call::<String>(1.5)?, "the number 1.5");
/// assert_eq!(describe.call::<String>(vec![1])?, "a table");
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Slot<'s> {
    stack: Stack<'s>,
    place: Place,
}

impl<'s> Slot<'s> {
    /// The index of a slot that reads as no value.
    pub(crate) const NONE: c_int = c_int::MAX;

    #[inline]
    pub(crate) fn new(stack: Stack<'s>, index: c_int) -> Self {
        Slot::at(stack, stack.place(index))
    }

    #[inline]
    pub(crate) fn at(stack: Stack<'s>, place: Place) -> Self {
        Slot { stack, place }
    }

    /// The slot of another index of the same frame.
    #[inline]
    pub(crate) fn sibling(self, index: c_int) -> Self {
        Slot::at(self.stack, self.place.with_index(index))
    }

    pub(crate) fn stack(self) -> Stack<'s> {
        self.stack.at(self.place)
    }

    pub(crate) fn index(self) -> c_int {
        self.place.index()
    }

    /// What the slot holds.
    #[inline]
    pub fn kind(self) -> Kind {
        self.stack().kind(self.index())
    }

    /// Whether it is nil, or no value at all.
    #[inline]
    pub fn is_nil(self) -> bool {
        matches!(self.kind(), Kind::Nil | Kind::None)
    }

    /// The number, if it is one. Strings are not converted.
    #[inline]
    pub fn number(self) -> Option<f64> {
        self.stack().number(self.index())
    }

    /// The number, or what a string reads as, by Lua's own coercion.
    ///
    /// ```
    /// use lupa_core::{Runtime, Slot};
    ///
    /// let lua = Runtime::new()?;
    /// let look = lua.function(|of: Slot<'_>| (of.is_nil(), of.boolean(), of.truthy(), of.coerced_number()))?;
    /// type Looks = (bool, Option<bool>, bool, Option<f64>);
    /// assert_eq!(look.call::<Looks>(())?, (true, None, false, None));
    /// assert_eq!(look.call::<Looks>(false)?, (false, Some(false), false, None));
    /// assert_eq!(look.call::<Looks>(0)?, (false, None, true, Some(0.0)));
    /// assert_eq!(look.call::<Looks>("0x10")?, (false, None, true, Some(16.0)));
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn coerced_number(self) -> Option<f64> {
        match self.kind() {
            Kind::Number | Kind::String => self.stack().coerced_number(self.index()),
            _ => None,
        }
    }

    /// The boolean, if it is one.
    #[inline]
    pub fn boolean(self) -> Option<bool> {
        (self.kind() == Kind::Boolean).then(|| self.truthy())
    }

    /// Whether Lua takes the value for true: all but nil and false.
    #[inline]
    pub fn truthy(self) -> bool {
        self.stack().boolean(self.index())
    }

    /// The bytes, if it is a string. Numbers are not converted.
    #[inline]
    pub fn bytes(self) -> Option<&'s [u8]> {
        self.stack().bytes(self.index())
    }

    /// The host object, if it is one of type `T`.
    #[inline]
    pub fn object<T: HostObject>(self) -> Option<HostRef<'s, T>> {
        self.stack().host_object(self.index())
    }

    /// What is inside a host function made of a `T`, see [`Pusher::function`]. Takes a stack slot.
    ///
    /// ```
    /// use lupa_core::{Call, HostObject, Operation, Result, Runtime, Slot};
    ///
    /// /// A function that adds.
    /// struct Adder(f64);
    ///
    /// impl HostObject for Adder {
    ///     const NAME: &'static str = "adder";
    ///     const OPERATIONS: &'static [Operation] = &[Operation::Call];
    ///     fn invoke(&self, _: Operation, call: &mut Call<'_>) -> Result<()> {
    ///         let n: f64 = call.get(0)?;
    ///         call.push(self.0 + n)
    ///     }
    /// }
    ///
    /// let lua = Runtime::new()?;
    /// let added = lua.function(|f: Slot<'_>| f.function_object::<Adder>().map(|adder| adder.0))?;
    /// lua.globals()?.set("added", added)?;
    /// let adder = lua.create_function(|call| call.push_with(|to| to.function(Adder(5.0))))?;
    /// lua.globals()?.set("adder", adder)?;
    /// let all: (f64, f64, Option<f64>) = lua.load("local f = adder() return f(1), added(f), added(print)").eval()?;
    /// assert_eq!(all, (6.0, 5.0, None));
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn function_object<T: HostObject>(self) -> Option<HostRef<'s, T>> {
        if self.kind() == Kind::Function {
            self.stack().function_payload(self.index())
        } else {
            None
        }
    }

    /// An address that identifies a table, function, coroutine or userdata among
    /// the live ones; null for other values.
    ///
    /// ```
    /// use lupa_core::{Runtime, Slot};
    /// use std::collections::HashSet;
    ///
    /// let lua = Runtime::new()?;
    /// // How many different tables a list has.
    /// let different = lua.function(|list: Slot<'_>| {
    ///     let items = list.sequence(|item| Ok(item.address()))?;
    ///     Ok(items.into_iter().filter(|address| !address.is_null()).collect::<HashSet<_>>().len())
    /// })?;
    /// lua.globals()?.set("different", different)?;
    /// assert_eq!(lua.load("local t = {} return (different { t, {}, t, 5 })").eval::<usize>()?, 2);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn address(self) -> *const std::ffi::c_void {
        if self.kind() == Kind::None {
            std::ptr::null()
        } else {
            self.stack().pointer(self.index())
        }
    }

    /// Makes a handle that keeps the value.
    #[inline]
    pub(crate) fn handle(self) -> Result<Handle> {
        Handle::new(self.stack(), self.index())
    }

    /// The value of an `int64_t` or `uint64_t` of the FFI library; `None` for other values.
    ///
    /// ```
    /// use lupa_core::{Runtime, Slot};
    ///
    /// let lua = Runtime::new()?;
    /// let wide = lua.function(|of: Slot<'_>| Ok(of.cdata_integer()?.map(|n| n.to_string())))?;
    /// lua.globals()?.set("wide", wide)?;
    /// let all: (String, Option<String>) = lua.load("return wide(18446744073709551615ULL), wide(1)").eval()?;
    /// assert_eq!(all, ("18446744073709551615".into(), None));
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// None at present.
    pub fn cdata_integer(self) -> Result<Option<i128>> {
        if self.kind() != Kind::CData {
            return Ok(None);
        }
        Ok(self.stack().cdata_integer(self.index()))
    }

    /// Name of the type, for messages; a host object's own.
    pub fn type_name(self) -> &'static str {
        match self.kind() {
            Kind::UserData => self.stack().host_name(self.index()).unwrap_or("userdata"),
            kind => kind.name(),
        }
    }

    /// The error for a value that does not convert to `to`.
    ///
    /// ```
    /// use lupa_core::{Call, FromLua, HostObject, Operation, Result, Runtime, Slot};
    /// use std::sync::Arc;
    ///
    /// /// An image that Lua code holds and Rust code shares.
    /// struct Image(Arc<[u8]>);
    ///
    /// impl HostObject for Image {
    ///     const NAME: &'static str = "image";
    ///     const OPERATIONS: &'static [Operation] = &[];
    ///     fn invoke(&self, _: Operation, _: &mut Call<'_>) -> Result<()> {
    ///         Ok(())
    ///     }
    /// }
    ///
    /// impl<'s> FromLua<'s> for Image {
    ///     fn from_lua(slot: Slot<'s>) -> Result<Self> {
    ///         let image = slot.object::<Image>().ok_or_else(|| slot.mismatch("image"))?;
    ///         Ok(Image(Arc::clone(&image.0)))
    ///     }
    /// }
    ///
    /// let lua = Runtime::new()?;
    /// let image = lua.create_object(Image(Arc::from([1, 2, 3])))?;
    /// let size = lua.function(|image: Image| image.0.len())?;
    /// assert_eq!(size.call::<usize>(&image)?, 3);
    /// assert!(size.call::<usize>("x").unwrap_err().text().ends_with("cannot convert string to image"));
    /// let name = lua.function(|of: Slot<'_>| of.type_name())?;
    /// assert_eq!(name.call::<String>(&image)?, "image");
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    #[cold]
    pub fn mismatch(self, to: &'static str) -> Error {
        Error::conversion(self.type_name(), to, "")
    }
}

/// As messages name a key of a table: text in quotes, a number or a boolean as it is, the type of all else.
impl std::fmt::Display for Slot<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        /// Bytes of a text that are shown.
        const MOST: usize = 60;
        match (self.bytes(), self.number(), self.boolean()) {
            (Some(text), ..) if text.len() > MOST => {
                write!(f, "'{}…'", String::from_utf8_lossy(&text[..MOST]))
            }
            (Some(text), ..) => write!(f, "'{}'", String::from_utf8_lossy(text)),
            (_, Some(number), _) => write!(f, "{number}"),
            (_, _, Some(boolean)) => write!(f, "{boolean}"),
            _ => f.write_str(self.type_name()),
        }
    }
}

impl std::fmt::Debug for Slot<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Slot").field(&self.kind()).finish()
    }
}

/// A place on the Lua stack for one value. Each method pushes it and so uses the place up.
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
        let stack = self.stack;
        stack.reserve(BUILDER_ROOM)?;
        stack.push_table(array, hash)?;
        let index = stack.top();
        let table = stack.table(index).ok_or_else(misuse)?;
        fill(&mut TableBuilder {
            stack: Framed::new(stack),
            table,
            index,
        })
    }
}

/// Stack slots that a table builder reserves once: for the table, key and value, and
/// for what conversions need besides.
const BUILDER_ROOM: usize = 16;

impl std::fmt::Debug for Pusher<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pusher")
    }
}

/// A new table on the stack, to be filled.
///
/// No handle is made, and no metamethod is asked. See [`Runtime::create_table_with`](crate::Runtime::create_table_with) and
/// [`Pusher::new_table`].
///
/// ```
/// let lua = lupa_core::Runtime::new()?;
/// let squares = lua.create_table_with(3, 1, |table| {
///     for n in 1..=3 {
///         table.set_index(n, n * n)?;
///     }
///     table.set("name", "squares")
/// })?;
/// assert_eq!((squares.len()?, squares.get::<i64>(3)?), (3, 9));
/// # Ok::<(), lupa_core::Error>(())
/// ```
pub struct TableBuilder<'s> {
    stack: Framed<'s>,
    table: TableSlot<'s>,
    index: c_int,
}

impl TableBuilder<'_> {
    /// Sets `table[key] = value`.
    ///
    /// # Errors
    /// [`Error::InvalidKey`] for nil and NaN, and those of the conversions.
    #[inline]
    pub fn set(&mut self, key: impl IntoLua, value: impl IntoLua) -> Result<()> {
        self.set_with(|to| key.into_lua(to), |to| value.into_lua(to))
    }

    /// As [`TableBuilder::set`], with closures that push.
    ///
    /// # Errors
    /// As [`TableBuilder::set`].
    #[inline]
    pub fn set_with(
        &mut self,
        key: impl FnOnce(Pusher<'_>) -> Result<()>,
        value: impl FnOnce(Pusher<'_>) -> Result<()>,
    ) -> Result<()> {
        let stack = self.undisturbed()?;
        let outcome = key(Pusher::new(stack))
            .and_then(|()| value(Pusher::new(stack)))
            .and_then(|()| self.settled(stack, 2))
            .and_then(|()| self.table.raw_set());
        if outcome.is_err() {
            stack.pop_to(self.index);
        }
        outcome
    }

    /// Sets `table[index] = value`; indices start at 1.
    ///
    /// # Errors
    /// Those of the conversion.
    #[inline]
    pub fn set_index(&mut self, index: usize, value: impl IntoLua) -> Result<()> {
        self.set_index_with(index, |to| value.into_lua(to))
    }

    /// As [`TableBuilder::set_index`], with a closure that pushes.
    ///
    /// # Errors
    /// As [`TableBuilder::set_index`].
    #[inline]
    pub fn set_index_with(
        &mut self,
        index: usize,
        value: impl FnOnce(Pusher<'_>) -> Result<()>,
    ) -> Result<()> {
        let index = c_int::try_from(index).map_err(|_| Error::Memory)?;
        let stack = self.undisturbed()?;
        let outcome = value(Pusher::new(stack))
            .and_then(|()| self.settled(stack, 1))
            .map(|()| self.table.raw_set_index(index));
        if outcome.is_err() {
            stack.pop_to(self.index);
        }
        outcome
    }

    /// Copies the entries of another table of the same runtime, metamethods aside.
    ///
    /// ```
    /// use lupa_core::{Reference, Runtime};
    ///
    /// let lua = Runtime::new()?;
    /// let defaults: Reference = lua.load("return { 'verbose', host = 'localhost', port = 80 }").eval()?;
    /// let config = lua.create_table_with(2, 2, |config| {
    ///     config.extend(&defaults)?;
    ///     config.set_index_with(2, |to| to.bytes(b"fast"))?;
    ///     config.set_with(|to| to.bytes(b"port"), |to| to.number(8080.0))
    /// })?;
    /// let text: String = lua.load("local c = ... return table.concat(c, ' ') .. ' ' .. c.host .. ':' .. c.port").call(config)?;
    /// assert_eq!(text, "verbose fast localhost:8080");
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::WrongRuntime`], and a conversion error for what is no table.
    pub fn extend(&mut self, other: &Reference) -> Result<()> {
        let stack = self.undisturbed()?;
        stack.reserve(16)?;
        other.0.push(stack)?;
        let base = self.index + 1;
        let Some(from) = stack.table(base) else {
            let mismatch = Slot::new(stack, base).mismatch("table");
            stack.pop_to(self.index);
            return Err(mismatch);
        };
        let mut position = 0;
        while from.next(&mut position) {
            self.table.raw_set()?;
        }
        stack.pop_to(self.index);
        Ok(())
    }

    /// The table as a slot, for instance to push it into another one.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// let by_name = lua.create_table()?;
    /// let users = lua.create_table_with(2, 0, |users| {
    ///     for (index, name) in ["Ada", "Alan"].into_iter().enumerate() {
    ///         users.set_index_with(index + 1, |to| {
    ///             to.new_table(0, 1, |user| {
    ///                 user.set("name", name)?;
    ///                 by_name.set(name, user.slot())
    ///             })
    ///         })?;
    ///     }
    ///     Ok(())
    /// })?;
    /// let code = "local users, by_name = ... return users[2] == by_name.Alan and users[2].name == 'Alan'";
    /// assert!(lua.load(code).call::<bool>((users, by_name))?);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn slot(&self) -> Slot<'_> {
        Slot::new(*self.stack, self.index)
    }

    /// The stack, if nothing lies above the table: what does is of an operation inside which the builder is used.
    #[inline]
    fn undisturbed(&self) -> Result<Stack<'_>> {
        let stack = *self.stack;
        if stack.top() != self.index {
            return Err(disturbed());
        }
        Ok(stack)
    }

    /// Whether exactly `pushed` values lie above the table, for which there is memory.
    #[inline]
    fn settled(&self, stack: Stack<'_>, pushed: c_int) -> Result<()> {
        if stack.top() != self.index + pushed {
            return Err(misuse());
        }
        // A table is filled by pushes alone, which the limit lets through.
        stack.check_memory()
    }
}

impl std::fmt::Debug for TableBuilder<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TableBuilder")
    }
}

#[cold]
fn disturbed() -> Error {
    Error::message("a table that is being filled was used inside of another operation")
}

/// An implementation of `IntoLua` that did not push exactly one value.
#[cold]
pub(crate) fn misuse() -> Error {
    Error::message("a conversion to Lua must push exactly one value")
}
