//! Any type of [`serde`](https://serde.rs) as a Lua value and back; feature `serde`.
//!
//! [`Serde`] around a value makes it one that all of this crate takes and gives: as an argument, a result, a table's
//! value, a global.
//!
//! ```
//! use lupa_core::{Runtime, serde::Serde};
//!
//! #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
//! struct Config { name: String, servers: Vec<Server> }
//!
//! #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
//! struct Server { host: String, port: Option<u16> }
//!
//! let lua = Runtime::new()?;
//! let config = Config {
//!     name: "main".into(),
//!     servers: vec![Server { host: "localhost".into(), port: None }],
//! };
//! lua.globals()?.set("config", Serde(&config))?;
//! lua.load("config.servers[1].port = 80 + #config.name").exec()?;
//!
//! let Serde(changed): Serde<Config> = lua.load("return config").eval()?;
//! assert_eq!(changed.servers[0].port, Some(84));
//! # Ok::<(), lupa_core::Error>(())
//! ```
//!
//! Functions of the host take such types as arguments:
//!
//! ```
//! # use lupa_core::{Runtime, serde::Serde};
//! #[derive(serde::Deserialize)]
//! #[serde(tag = "kind", rename_all = "lowercase")]
//! enum Shape { Circle { radius: f64 }, Square { side: f64 } }
//!
//! let lua = Runtime::new()?;
//! let area = lua.create_function(|call| {
//!     let Serde(shape) = call.get(0)?;
//!     call.push(match shape {
//!         Shape::Circle { radius } => 3.0 * radius * radius,
//!         Shape::Square { side } => side * side,
//!     })
//! })?;
//! lua.globals()?.set("area", area)?;
//! assert_eq!(lua.load("return area { kind = 'square', side = 3 }").eval::<f64>()?, 9.0);
//! let error = lua.load("area { kind = 'circle' }").exec().unwrap_err();
//! assert!(error.to_string().contains("bad argument #1: missing field `radius`"));
//! # Ok::<(), lupa_core::Error>(())
//! ```
//!
//! The other way round, a Lua value can be written in any format, as [`Value`], [`Table`](crate::Table),
//! [`LuaString`](crate::LuaString) and [`Reference`](crate::Reference) implement `Serialize`:
//!
//! ```
//! # use lupa_core::{Runtime, Table};
//! let lua = Runtime::new()?;
//! let table: Table = lua.load("return { 1, 2.5, { x = 'y' } }").eval()?;
//! assert_eq!(serde_json::to_string(&table).unwrap(), r#"[1,2.5,{"x":"y"}]"#);
//! # Ok::<(), lupa_core::Error>(())
//! ```
//!
//! A table inside another type is written like that as well, so in Lua it becomes a copy.
//!
//! Nothing is built in between: values go from the type to Lua's stack and from there to the type.
//!
//! # What becomes what
//!
//! | in Rust | in Lua |
//! |---|---|
//! | `bool`, numbers, strings, `char`, bytes | boolean, number, string |
//! | an integer beyond 2^53 | `int64_t` or `uint64_t`, if it has 64 bits and the runtime has the FFI library; else a number if that is exact, or an error |
//! | `None`, `()`, unit structs | nil, so a field is absent (one of type `()` then needs `#[serde(default)]`); [`Null`] in a sequence: see [`Nulls`] |
//! | sequences, tuples, tuple structs | a sequence, from 1 |
//! | maps, structs | a table |
//! | unit variants | a string |
//! | other variants | a table with one entry, `{ Circle = { radius = 1 } }`; serde's attributes change that |
//!
//! On the way back the type says what it wants. The table of a sequence must have nothing else in it and no holes, a field that is nil
//! is absent, nil and [`Null`] are `None`, and a struct may be given as a sequence of its fields. Numbers with a fraction are no
//! integers, strings no numbers. Metamethods are never called.
//!
//! Where the type leaves it open (`serde_json::Value`, untagged and internally tagged enums, and what is written in another format) a table
//! with an item 1 is a sequence, and an error if it has other keys besides; any other table is a map, also one without entries:
//! [`SerdeOptions::empty_as_sequence`] and [`SerdeOptions::array_metatable`] are about that.
//!
//! # Errors
//!
//! [`Error::Data`](crate::Error::Data) names the place and what is wrong there: `servers[2].port: expected u16, got string "x"`. In internally tagged and untagged
//! enums and flattened fields it is the place of the whole, since serde copies what these hold and does not keep where it was. Functions, userdata
//! and coroutines are no data, and a table inside itself is none; [`SerdeOptions`] can have them read as nil. Data that is too deep, or that
//! small tables with many references to each other blow up, meets a limit. Neither can take the process down.
//!
//! The runtime's lock is held while a value is converted.

mod array;
mod de;
mod failure;
mod level;
mod options;
mod ser;
mod tables;
mod view;

pub use array::Null;
pub use failure::DataError;
pub use options::{Nulls, SerdeOptions};
pub use view::Serializable;

use crate::convert::{FromLua, IntoLua};
use crate::error::Result;
use crate::pusher::Pusher;
use crate::raw::Framed;
use crate::runtime::Runtime;
use crate::slot::Slot;
use crate::value::Value;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A value of a serde type, on its way to Lua or from there; see [the module](self).
///
/// Takes references, too: `Serde(&config)`.
///
/// ```
/// use lupa_core::{Function, Runtime, serde::Serde};
/// use std::collections::BTreeMap;
///
/// let lua = Runtime::new()?;
/// let invert: Function = lua
///     .load("return function(t) local r = {} for k, v in pairs(t) do r[v] = k end return r end")
///     .eval()?;
/// let prices = BTreeMap::from([("tea", 3), ("cake", 5)]);
/// let Serde(names): Serde<BTreeMap<i32, String>> = invert.call(Serde(&prices))?;
/// assert_eq!(names[&5], "cake");
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serde<T>(pub T);

impl<T: Serialize> IntoLua for Serde<T> {
    fn into_lua(self, to: Pusher<'_>) -> Result<()> {
        SerdeOptions::DEFAULT.to_lua(&self.0).into_lua(to)
    }
}

impl<'s, T: DeserializeOwned> FromLua<'s> for Serde<T> {
    fn from_lua(slot: Slot<'s>) -> Result<Self> {
        SerdeOptions::DEFAULT.read(slot).map(Serde)
    }
}

/// A value that becomes a Lua value with options; see [`SerdeOptions::to_lua`].
///
/// ```
/// use lupa_core::{Runtime, serde::{SerdeOptions, ToLua}};
///
/// static OPTIONS: SerdeOptions = SerdeOptions::new().array_metatable(true);
///
/// /// As this program gives data to Lua.
/// fn data<T: serde::Serialize>(value: &T) -> ToLua<'_, T> {
///     OPTIONS.to_lua(value)
/// }
///
/// let lua = Runtime::new()?;
/// lua.globals()?.set("tags", data(&["new", "hot"]))?;
/// let text: String = lua.load("return table.concat(tags, ' ') .. ...").call(data(&'!'))?;
/// assert_eq!(text, "new hot!");
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct ToLua<'a, T: ?Sized> {
    value: &'a T,
    options: &'a SerdeOptions,
}

impl<T: Serialize + ?Sized> IntoLua for ToLua<'_, T> {
    fn into_lua(self, to: Pusher<'_>) -> Result<()> {
        let stack = to.stack();
        stack.reserve(8)?;
        let top = stack.top();
        let serializer = ser::Serializer::new(stack, self.options);
        self.value.serialize(serializer).map_err(|failure| {
            stack.pop_to(top);
            failure.at(None).into()
        })
    }
}

impl SerdeOptions {
    /// A value for all that takes [`IntoLua`], converted with these options.
    pub fn to_lua<'a, T: Serialize + ?Sized>(&'a self, value: &'a T) -> ToLua<'a, T> {
        ToLua {
            value,
            options: self,
        }
    }

    /// Reads a slot with these options.
    ///
    /// ```
    /// use lupa_core::{Runtime, serde::SerdeOptions};
    ///
    /// let lua = Runtime::new()?;
    /// let save = lua.create_function(|call| {
    ///     let options = SerdeOptions::new().unsupported_as_nil(true).sort_keys(true);
    ///     let state: serde_json::Value = options.read(call.arg(0))?;
    ///     call.push(state.to_string())
    /// })?;
    /// lua.globals()?.set("save", save)?;
    /// let json: String = lua.load("return save { update = print, x = 1 }").eval()?;
    /// assert_eq!(json, r#"{"update":null,"x":1}"#);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data); `Error::RecursionLimit` and `Error::StackOverflow` for what is too deep.
    pub fn read<T: DeserializeOwned>(&self, slot: Slot<'_>) -> Result<T> {
        let stack = slot.stack();
        stack.reserve(8)?;
        let top = stack.top();
        let context = de::Context::new(self);
        let value = T::deserialize(de::Deserializer {
            stack: Framed::new(stack),
            index: slot.index(),
            level: None,
            context: &context,
        });
        let value = value.map_err(|failure| failure.at(None).into());
        stack.pop_to(top);
        value
    }

    /// A Lua value to be written by any serializer with these options.
    ///
    /// ```
    /// use lupa_core::{Runtime, Value, serde::SerdeOptions};
    ///
    /// let lua = Runtime::new()?;
    /// let value: Value = lua.load("return { b = 1, a = {}, c = print }").eval()?;
    /// let options = SerdeOptions::new().sort_keys(true).empty_as_sequence(true).unsupported_as_nil(true);
    /// let json = serde_json::to_string(&options.serializable(&value)).unwrap();
    /// assert_eq!(json, r#"{"a":[],"b":1,"c":null}"#);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn serializable<'a, T>(&'a self, value: &'a T) -> Serializable<'a, T> {
        Serializable {
            value,
            options: self,
        }
    }
}

/// Conversions by serde; see [`serde`](crate::serde).
impl Runtime {
    /// Makes a Lua value of any that can be serialized.
    ///
    /// ```
    /// use lupa_core::{Runtime, Value};
    ///
    /// let lua = Runtime::new()?;
    /// let Value::Table(point) = lua.serialize(&serde_json::json!({ "x": 3, "y": [4] }))? else { panic!() };
    /// assert_eq!(point.get::<f64>("x")?, 3.0);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) for what Lua cannot represent, errors of the type's own `Serialize`; `Error::Closed`,
    /// `Error::Forked`, `Error::Memory`, `Error::RecursionLimit`, `Error::StackOverflow`.
    pub fn serialize<T: Serialize + ?Sized>(&self, value: &T) -> Result<Value> {
        self.serialize_with(value, SerdeOptions::DEFAULT)
    }

    /// As [`Runtime::serialize`], with options.
    ///
    /// ```
    /// use lupa_core::{Runtime, serde::{Nulls, SerdeOptions}};
    /// use std::collections::BTreeMap;
    ///
    /// let lua = Runtime::new()?;
    /// let row = BTreeMap::from([("name", Some("Ada")), ("note", None)]);
    /// let options = SerdeOptions::new().nulls(Nulls::Always);
    /// let keys = lua.load("local n = 0 for _ in pairs(...) do n = n + 1 end return n").into_function()?;
    /// assert_eq!(keys.call::<u32>(lua.serialize_with(&row, &options)?)?, 2);
    /// assert_eq!(keys.call::<u32>(lua.serialize(&row)?)?, 1);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Runtime::serialize`].
    pub fn serialize_with<T: Serialize + ?Sized>(
        &self,
        value: &T,
        options: &SerdeOptions,
    ) -> Result<Value> {
        self.convert(options.to_lua(value), |slot| slot.to_value())
    }

    /// Makes a value of any type that can be deserialized of a Lua value.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// let table: lupa_core::Table = lua.load("return { { 'a', 1 }, { 'b', 2 } }").eval()?;
    /// let pairs: Vec<(String, u8)> = lua.deserialize(&table)?;
    /// assert_eq!(pairs[1], ("b".to_owned(), 2));
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) for a value that is not what the type wants; `Error::Closed`,
    /// `Error::Forked`, `Error::RecursionLimit`, `Error::StackOverflow`.
    pub fn deserialize<T: DeserializeOwned>(&self, value: impl IntoLua) -> Result<T> {
        self.deserialize_with(value, SerdeOptions::DEFAULT)
    }

    /// As [`Runtime::deserialize`], with options.
    ///
    /// ```
    /// use lupa_core::{Runtime, Value, serde::SerdeOptions};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Plugin { name: String, start: Option<String> }
    ///
    /// let lua = Runtime::new()?;
    /// let value: Value = lua.load("return { name = 'mail', start = function() end }").eval()?;
    /// let options = SerdeOptions::new().unsupported_as_nil(true);
    /// let plugin: Plugin = lua.deserialize_with(&value, &options)?;
    /// assert_eq!((plugin.name.as_str(), plugin.start), ("mail", None));
    /// assert!(lua.deserialize::<Plugin>(&value).is_err());
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Runtime::deserialize`].
    pub fn deserialize_with<T: DeserializeOwned>(
        &self,
        value: impl IntoLua,
        options: &SerdeOptions,
    ) -> Result<T> {
        self.convert(value, |slot| options.read(slot))
    }
}
