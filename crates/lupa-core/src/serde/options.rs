//! How values are converted.

/// Where `None` and `()` become [`Null`](super::Null) instead of nil.
///
/// ```
/// use lupa_core::{Runtime, serde::{Nulls, SerdeOptions}};
/// use std::collections::BTreeMap;
///
/// let lua = Runtime::new()?;
/// let list = [None, Some(2)];
/// let map = BTreeMap::from([("note", None::<i32>)]);
/// let are_nil = |nulls| {
///     let options = SerdeOptions::new().nulls(nulls);
///     lua.load("local list, map = ... return list[1] == nil, map.note == nil")
///         .call::<(bool, bool)>((options.to_lua(&list), options.to_lua(&map)))
/// };
/// assert_eq!(are_nil(Nulls::Never)?, (true, true));
/// assert_eq!(are_nil(Nulls::InSequences)?, (false, true));
/// assert_eq!(are_nil(Nulls::Always)?, (false, false));
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Nulls {
    /// Nowhere: an item `None` leaves a hole in a sequence.
    Never,
    /// Where a nil would be lost: as an item of a sequence. A field that is `None` is absent.
    #[default]
    InSequences,
    /// Everywhere, so that a map keeps its keys whose value is `None`.
    Always,
}

/// How the `serde` feature converts. The default is what [`Serde`](super::Serde) does.
///
/// ```
/// use lupa_core::{Runtime, Table, serde::{Nulls, SerdeOptions}};
///
/// let lua = Runtime::new()?;
/// let options = SerdeOptions::new().nulls(Nulls::Always);
/// lua.globals()?.set("row", options.to_lua(&("x", None::<i32>)))?;
/// assert!(lua.load("return row[2] ~= nil").eval::<bool>()?);
/// let row: Table = lua.globals()?.get("row")?;
/// let row: (String, Option<i32>) = lua.deserialize_with(row, &options)?;
/// assert_eq!(row, ("x".to_owned(), None));
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct SerdeOptions {
    pub(super) nulls: Nulls,
    pub(super) array_metatable: bool,
    pub(super) empty_as_sequence: bool,
    pub(super) sort_keys: bool,
    pub(super) unsupported_as_nil: bool,
    pub(super) cycles_as_nil: bool,
    pub(super) depth_limit: usize,
    pub(super) size_limit: usize,
}

impl SerdeOptions {
    pub(super) const DEFAULT: &'static SerdeOptions = &SerdeOptions::new();

    /// The defaults.
    pub const fn new() -> Self {
        SerdeOptions {
            nulls: Nulls::InSequences,
            array_metatable: false,
            empty_as_sequence: false,
            sort_keys: false,
            unsupported_as_nil: false,
            cycles_as_nil: false,
            depth_limit: 128,
            size_limit: 1 << 24,
        }
    }

    /// Where `None` and `()` become [`Null`](super::Null); [`Nulls::InSequences`] by default. Whichever it is, nil
    /// and null are both read as `None`, and the content of an enum's variant is never nil.
    pub const fn nulls(mut self, nulls: Nulls) -> Self {
        self.nulls = nulls;
        self
    }

    /// Whether sequences get [`Runtime::array_metatable`](crate::Runtime::array_metatable), by which one that is
    /// empty is known from an empty map on the way back. Off by default.
    ///
    /// ```
    /// use lupa_core::{Runtime, serde::SerdeOptions};
    /// use serde_json::json;
    ///
    /// let lua = Runtime::new()?;
    /// let data = json!({ "tags": [], "links": {} });
    /// let options = SerdeOptions::new().array_metatable(true);
    /// let value = lua.serialize_with(&data, &options)?;
    /// assert_eq!(lua.deserialize::<serde_json::Value>(value)?, data);
    /// // Without it what was an empty sequence is a map, too.
    /// let value = lua.serialize(&data)?;
    /// assert_eq!(lua.deserialize::<serde_json::Value>(value)?, json!({ "tags": {}, "links": {} }));
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub const fn array_metatable(mut self, on: bool) -> Self {
        self.array_metatable = on;
        self
    }

    /// Whether a table without entries and without that metatable is a sequence where the type does not say what
    /// it wants, as `serde_json::Value` does not. Off by default: it is a map.
    pub const fn empty_as_sequence(mut self, on: bool) -> Self {
        self.empty_as_sequence = on;
        self
    }

    /// Whether maps are read in the order of their keys: booleans, numbers, strings, others. Off by default: in the order of
    /// `next`, which is not the same from run to run.
    pub const fn sort_keys(mut self, on: bool) -> Self {
        self.sort_keys = on;
        self
    }

    /// Whether functions, coroutines, userdata and FFI values, which are no data, are read as nil. Off by default: they
    /// are an error.
    pub const fn unsupported_as_nil(mut self, on: bool) -> Self {
        self.unsupported_as_nil = on;
        self
    }

    /// Whether a table inside itself is read as nil there. Off by default: it is an error.
    ///
    /// ```
    /// use lupa_core::{Runtime, Value, serde::SerdeOptions};
    /// use serde_json::json;
    ///
    /// let lua = Runtime::new()?;
    /// let page: Value = lua.load("local page = { title = 'home' } page.links = { page, 'news' } return page").eval()?;
    /// let options = SerdeOptions::new().cycles_as_nil(true);
    /// let read: serde_json::Value = lua.deserialize_with(&page, &options)?;
    /// assert_eq!(read, json!({ "title": "home", "links": [null, "news"] }));
    /// assert!(lua.deserialize::<serde_json::Value>(&page).is_err());
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub const fn cycles_as_nil(mut self, on: bool) -> Self {
        self.cycles_as_nil = on;
        self
    }

    /// How deep tables may be nested, 128 by default. With a higher limit, data that is too deep for the thread's stack
    /// or for Lua's is an error, too; but types that buffer (`serde_json::Value`, untagged and internally tagged enums)
    /// recurse on their own when they are dropped or read again.
    pub const fn depth_limit(mut self, levels: usize) -> Self {
        self.depth_limit = levels;
        self
    }

    /// How many values are read from Lua at most, where a long string counts as one for each 64 bytes; 2^24 by
    /// default. A few small tables that refer to each other can stand for more data than any memory holds, so do not
    /// raise this for code that is not trusted.
    ///
    /// ```
    /// use lupa_core::{Runtime, Value, serde::SerdeOptions};
    ///
    /// let lua = Runtime::new()?;
    /// let options = SerdeOptions::new().depth_limit(3).size_limit(1000);
    /// let read = |code: &str| {
    ///     let value: Value = lua.load(code).eval()?;
    ///     lua.deserialize_with::<serde_json::Value>(value, &options)
    /// };
    /// assert!(read("return { { { 1 } } }").is_ok());
    /// let error = read("return { { { { 1 } } } }").unwrap_err();
    /// assert!(error.text().contains("nested deeper than 3 levels"));
    /// // Three tables that stand for a million values.
    /// let code = "local t = 1 for _ = 1, 3 do local next = {} for i = 1, 100 do next[i] = t end t = next end return t";
    /// assert!(read(code).unwrap_err().text().contains("more data than 1000 values"));
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub const fn size_limit(mut self, values: usize) -> Self {
        self.size_limit = values;
        self
    }
}

impl Default for SerdeOptions {
    fn default() -> Self {
        Self::new()
    }
}
