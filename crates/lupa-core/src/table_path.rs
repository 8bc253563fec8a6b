//! Values of tables in tables.

use crate::call::{Arguments, Directly};
use crate::convert::{IntoLuaMulti, Owned};
use crate::error::{Error, Result};
use crate::handle::index_by_top;
use crate::raw::Stack;
use crate::slot::Slot;
use crate::table::Table;
use std::ffi::c_int;

impl Table {
    /// `table[a][b]…` for a tuple of keys, without a handle for each table on the way. What is missing on the way is nil, so ask for an
    /// `Option` if it may be; metamethods are honoured. An error names the keys.
    ///
    /// ```
    /// use lupa_core::{Runtime, Table};
    ///
    /// let lua = Runtime::new()?;
    /// let config: Table = lua.load("return { servers = { { port = 80 }, { port = 'x' } } }").eval()?;
    /// assert_eq!(config.get_path::<u16>(("servers", 1, "port"))?, 80);
    /// assert_eq!(config.get_path::<Option<u16>>(("proxies", 1, "port"))?, None);
    /// let error = config.get_path::<u16>(("servers", 2, "port")).unwrap_err();
    /// assert_eq!(error.text(), "at key 'servers', key 2, key 'port': cannot convert string to u16");
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Errors of metamethods and of the conversions; a runtime error for a value on the way that cannot be indexed.
    pub fn get_path<V: Owned>(&self, keys: impl IntoLuaMulti) -> Result<V> {
        self.0.with(|stack, table| {
            keys.push_all(&mut Arguments::new(stack))?;
            let last = stack.top();
            let mut found = table;
            for key in table + 1..=last {
                stack.reserve(8)?;
                if Slot::new(stack, found).is_nil() {
                    break;
                }
                stack.push_copy(key);
                index_by_top(stack, found, Directly)
                    .map_err(|error| at(stack, error, table, key - 1))?;
                found = stack.top();
            }
            V::from_lua(Slot::new(stack, found)).map_err(|error| at(stack, error, table, last))
        })
    }
}

/// The error with the keys after the table.
#[cold]
fn at(stack: Stack<'_>, error: Error, table: c_int, last: c_int) -> Error {
    (table + 1..=last)
        .rev()
        .fold(error, |error, key| error.at_key(Slot::new(stack, key)))
}
