//! Lua values as Rust values.

use crate::convert::{FromLua, IntoLua};
use crate::coroutine::Coroutine;
use crate::error::Result;
use crate::function::Function;
use crate::light_userdata::LightUserData;
use crate::raw::{Kind, Stack};
use crate::reference::{Reference, UserData};
use crate::runtime::Runtime;
use crate::slot::{Pusher, Slot};
use crate::string::LuaString;
use crate::table::Table;
use std::ffi::c_int;

/// Any Lua value.
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

/// Lua's `a == b`, metamethods honoured.
///
/// # Errors
/// Errors of the metamethod, `Error::WrongRuntime`.
pub fn equal(runtime: &Runtime, a: &Value, b: &Value) -> Result<bool> {
    runtime.shared().enter(|stack| {
        a.push(stack)?;
        b.push(stack)?;
        stack.protected_equal(stack.top() - 1, stack.top())
    })
}

/// Lua's `a < b`, metamethods honoured.
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
