//! Lua tables.

use crate::call::Directly;
use crate::convert::{IntoLua, Owned, read_entry, read_key};
use crate::cursor::Cursor;
use crate::error::Result;
use crate::handle::{Handle, settled};
use crate::pusher::Pusher;
use crate::slot::Slot;

/// A Lua table.
///
/// ```
/// let lua = lupa_core::Runtime::new()?;
/// let point = lua.create_table_from([("x", 3.0), ("y", 4.0)])?;
/// point.set("name", "P")?;
/// assert_eq!(point.get::<f64>("x")?, 3.0);
/// assert_eq!(point.get::<Option<f64>>("z")?, None);
/// assert!(point.contains_key("name")?);
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Table(pub(crate) Handle);

impl Table {
    /// `table[key]`, metamethods honoured.
    ///
    /// # Errors
    /// Errors of metamethods and of the conversions.
    #[inline]
    pub fn get<V: Owned>(&self, key: impl IntoLua) -> Result<V> {
        self.get_with(|to| key.into_lua(to), |slot| V::from_lua(slot))
    }

    /// As [`Table::get`], with closures that push the key and read the value.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// let file = lua.create_table_from([("name", "a.txt")])?;
    /// // Nothing is copied out of Lua to look at it.
    /// let is_text = file.get_with(
    ///     |key| key.bytes(b"name"),
    ///     |name| Ok(name.bytes().is_some_and(|name| name.ends_with(b".txt"))),
    /// )?;
    /// assert!(is_text);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Table::get`].
    #[inline]
    pub fn get_with<R>(
        &self,
        key: impl FnOnce(Pusher<'_>) -> Result<()>,
        value: impl for<'s> FnOnce(Slot<'s>) -> Result<R>,
    ) -> Result<R> {
        self.0.get_with(key, Directly, value)
    }

    /// `table[key] = value`, metamethods honoured.
    ///
    /// # Errors
    /// `Error::InvalidKey` for nil and NaN, errors of metamethods and of the conversions.
    #[inline]
    pub fn set(&self, key: impl IntoLua, value: impl IntoLua) -> Result<()> {
        self.set_with(|to| key.into_lua(to), |to| value.into_lua(to))
    }

    /// As [`Table::set`], with closures that push.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// let image = lua.create_table()?;
    /// // A table inside it, without a handle for that.
    /// image.set_with(
    ///     |key| key.bytes(b"size"),
    ///     |value| value.new_table(2, 0, |size| {
    ///         size.set_index(1, 640)?;
    ///         size.set_index(2, 480)
    ///     }),
    /// )?;
    /// assert_eq!(image.get::<[u32; 2]>("size")?, [640, 480]);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Table::set`].
    #[inline]
    pub fn set_with(
        &self,
        key: impl FnOnce(Pusher<'_>) -> Result<()>,
        value: impl FnOnce(Pusher<'_>) -> Result<()>,
    ) -> Result<()> {
        self.0.set_with(key, value, Directly)
    }

    /// Whether `table[key]` is anything but nil, metamethods honoured.
    ///
    /// # Errors
    /// As [`Table::get`].
    pub fn contains_key(&self, key: impl IntoLua) -> Result<bool> {
        self.get_with(|to| key.into_lua(to), |slot| Ok(!slot.is_nil()))
    }

    /// Lua's `a == b`, which asks `__eq` for two tables that are not the same; see [`Table::same`].
    ///
    /// ```
    /// use lupa_core::{Runtime, Table};
    ///
    /// let lua = Runtime::new()?;
    /// let (a, b): (Table, Table) = lua
    ///     .load("local m = {__eq = function() return true end} return setmetatable({}, m), setmetatable({}, m)")
    ///     .eval()?;
    /// assert!(a.equals(&b)? && !a.same(&b)?);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Errors of the metamethod, `Error::WrongRuntime`.
    pub fn equals(&self, other: &Table) -> Result<bool> {
        self.0.with(|stack, index| {
            other.0.push(stack)?;
            stack.protected_equal(index, index + 1)
        })
    }

    /// `table[key]` without metamethods.
    ///
    /// ```
    /// use lupa_core::{Runtime, Table};
    ///
    /// let lua = Runtime::new()?;
    /// let own: Table = lua.load("return setmetatable({ size = 5 }, { __index = { color = 'red' } })").eval()?;
    /// assert_eq!(own.get::<String>("color")?, "red");
    /// assert_eq!(own.raw_get::<Option<String>>("color")?, None);
    /// assert_eq!(own.raw_get::<u32>("size")?, 5);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Errors of the conversions.
    pub fn raw_get<V: Owned>(&self, key: impl IntoLua) -> Result<V> {
        self.0.with(|stack, index| {
            key.into_lua(Pusher::new(stack))?;
            settled(stack, index, 1)?.raw_get();
            V::from_lua(Slot::new(stack, index + 1))
        })
    }

    /// `table[key] = value` without metamethods.
    ///
    /// ```
    /// use lupa_core::{Runtime, Table};
    ///
    /// let lua = Runtime::new()?;
    /// let fixed: Table = lua.load("return setmetatable({}, { __newindex = function() error('fixed') end })").eval()?;
    /// assert!(fixed.set("size", 5).is_err());
    /// fixed.raw_set("size", 5)?;
    /// assert_eq!(fixed.get::<u32>("size")?, 5);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::InvalidKey`, and errors of the conversions.
    pub fn raw_set(&self, key: impl IntoLua, value: impl IntoLua) -> Result<()> {
        self.0.with(|stack, index| {
            key.into_lua(Pusher::new(stack))?;
            value.into_lua(Pusher::new(stack))?;
            settled(stack, index, 2)?.raw_set()
        })
    }

    /// Lua's `#table`: a border, which for a sequence is its length. Metamethods are not asked.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// let list: lupa_core::Table = lua.load("return { 'a', 'b', name = 'list' }").eval()?;
    /// assert_eq!(list.len()?, 2);
    /// // Entries that are no items of a sequence do not count, but there are some.
    /// list.clear()?;
    /// list.set("name", "list")?;
    /// assert!(list.len()? == 0 && !list.is_empty()?);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`.
    pub fn len(&self) -> Result<usize> {
        self.0
            .with(|stack, index| Ok(settled(stack, index, 0)?.raw_len()))
    }

    /// Whether the table has no entry at all.
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`.
    pub fn is_empty(&self) -> Result<bool> {
        self.0.with(|stack, index| {
            let table = settled(stack, index, 0)?;
            Ok(!table.next(&mut 0))
        })
    }

    /// Appends to a sequence.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// let list = lua.create_sequence_from(["a", "b"])?;
    /// list.push("c")?;
    /// assert_eq!(list.get::<String>(3)?, "c");
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Errors of metamethods and of the conversion.
    pub fn push(&self, value: impl IntoLua) -> Result<()> {
        self.set(self.len()? + 1, value)
    }

    /// Calls `f` with each key and value, as `next` gives them. `f` may remove and change entries; if it
    /// adds some, others may come twice or not at all.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// let ages = lua.create_table_from([("Ada", 36), ("Alan", 41), ("Grace", 85)])?;
    /// let mut old = Vec::new();
    /// ages.for_each(|name: String, age: u32| {
    ///     if age > 40 {
    ///         old.push(name);
    ///     }
    ///     ages.set("Ada", 37) // what is there may be changed
    /// })?;
    /// old.sort();
    /// assert_eq!(old, ["Alan", "Grace"]);
    /// assert_eq!(ages.get::<u32>("Ada")?, 37);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of `f` and of the conversions.
    pub fn for_each<K: Owned, V: Owned>(
        &self,
        mut f: impl FnMut(K, V) -> Result<()>,
    ) -> Result<()> {
        let mut cursor = Cursor::start();
        while let Some((key, value)) = cursor.step(&self.0, |key, value| {
            Ok((read_key(key)?, read_entry(key, value)?))
        })? {
            f(key, value)?;
        }
        Ok(())
    }

    /// All keys and values.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// let ages = lua.create_table_from([("Ada", 36), ("Alan", 41)])?;
    /// let mut pairs = ages.pairs::<String, u32>()?;
    /// pairs.sort();
    /// assert_eq!(pairs, [("Ada".to_owned(), 36), ("Alan".to_owned(), 41)]);
    /// assert!(ages.pairs::<String, bool>().is_err());
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Table::for_each`].
    pub fn pairs<K: Owned, V: Owned>(&self) -> Result<Vec<(K, V)>> {
        self.0.with(|stack, index| {
            let table = settled(stack, index, 0)?;
            let mut pairs = Vec::new();
            let mut position = 0;
            while table.next(&mut position) {
                let key = Slot::new(stack, index + 1);
                let value = Slot::new(stack, index + 2);
                pairs.push((read_key(key)?, read_entry(key, value)?));
                stack.pop_to(index);
            }
            Ok(pairs)
        })
    }

    /// The metatable, if there is one; `__metatable` is not honoured.
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`, `Error::Memory`.
    pub fn metatable(&self) -> Result<Option<Table>> {
        self.0.with(|stack, index| {
            if stack.push_metatable(index) {
                return Handle::new(stack, stack.top()).map(|handle| Some(Table(handle)));
            }
            Ok(None)
        })
    }

    /// Sets or removes the metatable.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// let defaults = lua.create_table_from([("color", "red")])?;
    /// let metatable = lua.create_table_from([("__index", &defaults)])?;
    /// let shape = lua.create_table()?;
    /// shape.set_metatable(Some(&metatable))?;
    /// assert_eq!(shape.get::<String>("color")?, "red");
    /// assert!(shape.metatable()?.unwrap().same(&metatable)?);
    /// shape.set_metatable(None)?;
    /// assert!(shape.metatable()?.is_none() && !shape.contains_key("color")?);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`, `Error::WrongRuntime`.
    pub fn set_metatable(&self, metatable: Option<&Table>) -> Result<()> {
        self.0.with(|stack, index| {
            match metatable {
                Some(table) => table.0.push(stack)?,
                None => stack.push_nil(),
            }
            settled(stack, index, 1)?.set_metatable();
            Ok(())
        })
    }
}
