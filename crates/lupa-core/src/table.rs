//! Lua tables.

use crate::call::Directly;
use crate::convert::{IntoLua, Owned, read_entry, read_key};
use crate::cursor::Cursor;
use crate::error::Result;
use crate::handle::{Handle, settled};
use crate::slot::{Pusher, Slot};

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
    /// # Errors
    /// Errors of metamethods and of the conversion.
    pub fn push(&self, value: impl IntoLua) -> Result<()> {
        self.set(self.len()? + 1, value)
    }

    /// Calls `f` with each key and value, as `next` gives them. `f` may remove and change entries; if it
    /// adds some, others may come twice or not at all.
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
