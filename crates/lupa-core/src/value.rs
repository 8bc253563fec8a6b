//! Lua values as Rust values.

use crate::chunk::ChunkMode;
use crate::convert::{FromLua, IntoLua};
use crate::coroutine::Coroutine;
use crate::error::Result;
use crate::function::Function;
use crate::handle::Handle;
use crate::light_userdata::LightUserData;
use crate::pusher::Pusher;
use crate::raw::{Kind, Stack};
use crate::reference::{Reference, UserData};
use crate::runtime::Runtime;
use crate::slot::Slot;
use crate::string::{LuaString, StringRef};
use crate::table::Table;
use std::ffi::c_int;

/// Any Lua value.
///
/// `{:#?}` shows what is in tables and strings, see [`Table`].
///
/// ```
/// use lupa_core::{Runtime, Value};
///
/// let lua = Runtime::new()?;
/// match lua.load("return { 1, 2 }").eval()? {
///     Value::Table(list) => assert_eq!(list.len()?, 2),
///     other => panic!("a {} is no list", other.type_name()),
/// }
/// // Any other type from a value, and a value from any other type:
/// let value: Value = lua.convert_to("text")?;
/// assert_eq!(lua.convert_to::<String>(&value)?, "text");
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Value {
    /// `nil`
    Nil,
    /// `true` or `false`
    Boolean(bool),
    /// A number.
    Number(f64),
    /// A string.
    String(LuaString),
    /// A table.
    Table(Table),
    /// A function.
    Function(Function),
    /// A coroutine.
    Coroutine(Coroutine),
    /// Userdata: a host object, a file, an object of a binary module.
    UserData(UserData),
    /// A pointer.
    LightUserData(LightUserData),
    /// What Rust has no type for: values of the FFI library.
    Other(Reference),
}

impl Value {
    /// Lua's name of the type.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Nil => "nil",
            Value::Boolean(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Table(_) => "table",
            Value::Function(_) => "function",
            Value::Coroutine(_) => "thread",
            Value::UserData(_) | Value::LightUserData(_) => "userdata",
            Value::Other(_) => "cdata",
        }
    }

    /// Whether it is nil.
    pub fn is_nil(&self) -> bool {
        matches!(self, Value::Nil)
    }

    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Boolean(boolean) => Some(*boolean),
            _ => None,
        }
    }

    /// The number, if it is one.
    ///
    /// ```
    /// use lupa_core::{Runtime, Table, Value};
    ///
    /// let lua = Runtime::new()?;
    /// let settings: Table = lua.load("return { level = 2.5, name = 'main', debug = true }").eval()?;
    /// let setting = |name: &str| settings.get::<Value>(name);
    /// assert_eq!(setting("level")?.as_number(), Some(2.5));
    /// assert_eq!(setting("debug")?.as_bool(), Some(true));
    /// assert!(setting("name")?.as_string().is_some_and(|name| *name == "main"));
    /// assert!(setting("color")?.is_nil());
    /// // Nothing is taken for what it is not.
    /// assert_eq!((setting("name")?.as_number(), setting("color")?.as_bool()), (None, None));
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The number, if it is an integer within 2^53 either way, which are those that every number can tell apart; for the 64-bit integers of the
    /// FFI library see [`Runtime::convert_to`].
    ///
    /// ```
    /// use lupa_core::Value;
    ///
    /// assert_eq!(Value::Number(-3.0).as_integer(), Some(-3));
    /// assert_eq!(Value::Number(0.5).as_integer(), None);
    /// assert_eq!(Value::Number(1e300).as_integer(), None);
    /// ```
    pub fn as_integer(&self) -> Option<i64> {
        const EXACT: f64 = (1u64 << 53) as f64;
        let number = self.as_number()?;
        (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
    }

    /// The string, if it is one.
    pub fn as_string(&self) -> Option<&LuaString> {
        match self {
            Value::String(string) => Some(string),
            _ => None,
        }
    }

    /// The text of a string in UTF-8, without a copy; the runtime is locked as by [`LuaString::to_str`].
    ///
    /// ```
    /// use lupa_core::{Runtime, Value};
    ///
    /// let lua = Runtime::new()?;
    /// let (name, level): (Value, Value) = lua.load("return 'debug', 3").eval()?;
    /// assert_eq!(name.as_str().as_deref(), Some("debug"));
    /// assert!(level.as_str().is_none());
    /// assert_eq!(level.as_integer(), Some(3));
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn as_str(&self) -> Option<StringRef<'_, str>> {
        self.as_string()?.to_str().ok()
    }

    /// The table, if it is one.
    ///
    /// ```
    /// use lupa_core::{Runtime, Value};
    ///
    /// let lua = Runtime::new()?;
    /// let value: Value = lua.load("return { on = true }").eval()?;
    /// let on = value.as_table().is_some_and(|table| table.get("on").unwrap_or(false));
    /// assert!(on && value.as_function().is_none());
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn as_table(&self) -> Option<&Table> {
        match self {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The function, if it is one.
    pub fn as_function(&self) -> Option<&Function> {
        match self {
            Value::Function(function) => Some(function),
            _ => None,
        }
    }

    /// The coroutine, if it is one.
    pub fn as_coroutine(&self) -> Option<&Coroutine> {
        match self {
            Value::Coroutine(coroutine) => Some(coroutine),
            _ => None,
        }
    }

    /// The userdata, if it is one. [`UserData::borrow`] gives the value of a user type in it.
    ///
    /// ```
    /// use lupa_core::{CoroutineStatus, Runtime, Value};
    ///
    /// let lua = Runtime::new()?;
    /// let (file, task): (Value, Value) = lua.load("return io.stdout, coroutine.create(print)").eval()?;
    /// assert!(file.as_userdata().unwrap().to_lua_string()?.starts_with(b"file ("));
    /// assert_eq!(task.as_coroutine().unwrap().status()?, CoroutineStatus::New);
    /// assert!(file.as_coroutine().is_none() && task.as_userdata().is_none());
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn as_userdata(&self) -> Option<&UserData> {
        match self {
            Value::UserData(userdata) => Some(userdata),
            _ => None,
        }
    }

    /// What Lua's `tostring` gives, `__tostring` honoured.
    ///
    /// ```
    /// use lupa_core::{Runtime, Value};
    ///
    /// let lua = Runtime::new()?;
    /// assert_eq!(Value::Number(1e15).to_lua_string(&lua)?, b"1e+15");
    /// let money: Value = lua
    ///     .load("return setmetatable({}, { __tostring = function() return '5 €' end })")
    ///     .eval()?;
    /// assert_eq!(money.to_lua_string(&lua)?, "5 €".as_bytes());
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Errors of the metamethod; `Error::WrongRuntime`, `Error::Closed`, `Error::Forked`, `Error::Memory`.
    pub fn to_lua_string(&self, lua: &Runtime) -> Result<Vec<u8>> {
        lua.shared().enter_at(|stack, top| {
            self.push(stack)?;
            stack.push_tostring(top + 1)?;
            Ok(stack.bytes(stack.top()).unwrap_or_default().to_vec())
        })
    }

    /// Lua's `a == b`: `__eq` is asked for two tables or two userdata, and the FFI library for its numbers.
    ///
    /// ```
    /// use lupa_core::{Runtime, Value};
    ///
    /// let lua = Runtime::new()?;
    /// let (a, b): (Value, Value) = lua.load("local t = {} return t, t").eval()?;
    /// let (c, d): (Value, Value) = lua.load("return {}, 2LL").eval()?;
    /// assert!(a.equals(&b)? && !a.equals(&c)?);
    /// assert!(Value::Number(2.0).equals(&d)? && !Value::Number(2.0).same(&d)?);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Errors of the metamethod; `Error::WrongRuntime`, `Error::Closed`, `Error::Forked`.
    pub fn equals(&self, other: &Value) -> Result<bool> {
        match self.handle().or(other.handle()) {
            Some(handle) => equal(handle.runtime(), self, other),
            None => Ok(self.same_plain(other)),
        }
    }

    /// Lua's `rawequal(a, b)`: whether both are the same value; metamethods are not asked.
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`.
    pub fn same(&self, other: &Value) -> Result<bool> {
        match (self.handle(), other.handle()) {
            (Some(a), Some(b)) => a.same(b),
            (None, None) => Ok(self.same_plain(other)),
            _ => Ok(false),
        }
    }

    /// Whether two values without handles are the same.
    fn same_plain(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Nil, Value::Nil) => true,
            (Value::Boolean(a), Value::Boolean(b)) => a == b,
            (Value::Number(a), Value::Number(b)) => a == b,
            (Value::LightUserData(a), Value::LightUserData(b)) => a == b,
            _ => false,
        }
    }

    fn handle(&self) -> Option<&Handle> {
        match self {
            Value::String(LuaString(handle))
            | Value::Table(Table(handle))
            | Value::Function(Function(handle))
            | Value::Coroutine(Coroutine(handle))
            | Value::UserData(UserData(handle))
            | Value::Other(Reference(handle)) => Some(handle),
            _ => None,
        }
    }

    pub(crate) fn from_stack(stack: Stack<'_>, index: c_int) -> Result<Value> {
        Slot::new(stack, index).to_value()
    }

    pub(crate) fn push(&self, stack: Stack<'_>) -> Result<()> {
        let to = Pusher::new(stack);
        match self {
            Value::Nil => to.nil(),
            Value::Boolean(b) => to.boolean(*b),
            Value::Number(n) => to.number(*n),
            Value::LightUserData(pointer) => pointer.into_lua(to),
            Value::String(LuaString(handle))
            | Value::Table(Table(handle))
            | Value::Function(Function(handle))
            | Value::Coroutine(Coroutine(handle))
            | Value::UserData(UserData(handle))
            | Value::Other(Reference(handle)) => to.handle(handle),
        }
    }
}

impl Slot<'_> {
    /// The value, with a handle if it is a reference or a string.
    ///
    /// ```
    /// use lupa_core::{Runtime, Slot, Value};
    ///
    /// let lua = Runtime::new()?;
    /// // Only what is no number needs a value that lasts.
    /// let keep = lua.function(|value: Slot<'_>| match value.number() {
    ///     Some(number) => Ok(Value::Number(number * 2.0)),
    ///     None => value.to_value(),
    /// })?;
    /// assert_eq!(keep.call::<f64>(4)?, 8.0);
    /// let table = lua.create_table()?;
    /// assert!(keep.call::<lupa_core::Table>(&table)?.same(&table)?);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::Memory` if there is no room for another handle.
    pub fn to_value(self) -> Result<Value> {
        Ok(match self.kind() {
            Kind::None | Kind::Nil => Value::Nil,
            Kind::Boolean => Value::Boolean(self.truthy()),
            Kind::Number => Value::Number(self.number().unwrap_or_default()),
            Kind::String => Value::String(LuaString(self.handle()?)),
            Kind::Table => Value::Table(Table(self.handle()?)),
            Kind::Function => Value::Function(Function(self.handle()?)),
            Kind::Thread => Value::Coroutine(Coroutine(self.handle()?)),
            Kind::UserData => Value::UserData(UserData(self.handle()?)),
            Kind::LightUserData => Value::LightUserData(LightUserData::from_lua(self)?),
            Kind::CData => Value::Other(Reference(self.handle()?)),
        })
    }
}

/// Lua's `a == b`, metamethods honoured, in the runtime that is given; see [`Value::equals`].
///
/// ```
/// use lupa_core::{Runtime, Value, equal};
///
/// let lua = Runtime::new()?;
/// let (a, b): (Value, Value) = lua
///     .load("local m = { __eq = function() return true end } return setmetatable({}, m), setmetatable({}, m)")
///     .eval()?;
/// assert!(equal(&lua, &a, &b)?);
/// assert!(!equal(&lua, &a, &Value::Nil)?);
/// # Ok::<(), lupa_core::Error>(())
/// ```
///
/// # Errors
/// Errors of the metamethod, `Error::WrongRuntime`.
pub fn equal(runtime: &Runtime, a: &Value, b: &Value) -> Result<bool> {
    if let (Value::Other(_), _) | (_, Value::Other(_)) = (a, b) {
        // LuaJIT's C API does not ask the FFI library.
        let code = "local a, b = ... return a == b";
        return runtime.load(code).mode(ChunkMode::Text).call((a, b));
    }
    runtime.shared().enter(|stack| {
        a.push(stack)?;
        b.push(stack)?;
        stack.protected_equal(stack.top() - 1, stack.top())
    })
}

/// Lua's `a < b`, metamethods honoured.
///
/// ```
/// use lupa_core::{Result, Runtime, Value, less_than};
///
/// /// The lesser of two values: numbers, strings, or what has `__lt`.
/// fn lesser<'v>(lua: &Runtime, a: &'v Value, b: &'v Value) -> Result<&'v Value> {
///     Ok(if less_than(lua, b, a)? { b } else { a })
/// }
///
/// let lua = Runtime::new()?;
/// let (plum, pear): (Value, Value) = lua.load("return 'plum', 'pear'").eval()?;
/// assert_eq!(lesser(&lua, &plum, &pear)?.as_str().as_deref(), Some("pear"));
/// assert_eq!(lesser(&lua, &pear, &plum)?.as_str().as_deref(), Some("pear"));
/// assert!(lesser(&lua, &plum, &Value::Number(1.0)).is_err());
/// # Ok::<(), lupa_core::Error>(())
/// ```
///
/// # Errors
/// As [`equal`], and a runtime error for values without an order.
pub fn less_than(runtime: &Runtime, a: &Value, b: &Value) -> Result<bool> {
    runtime.shared().enter(|stack| {
        a.push(stack)?;
        b.push(stack)?;
        stack.protected_less_than(stack.top() - 1, stack.top())
    })
}
