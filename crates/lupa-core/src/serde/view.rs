//! Lua values for other formats.

use super::SerdeOptions;
use super::de::{Context, Data, Deserializer, whole};
use super::failure::Failure;
use super::level::{Level, Step};
use super::tables::{Entries, Items, Shape, shape};
use crate::light_userdata::LightUserData;
use crate::raw::Framed;
use crate::reference::Reference;
use crate::string::LuaString;
use crate::table::Table;
use crate::value::Value;
use crate::{convert::IntoLua, error::Result, runtime::Runtime, slot::Slot};
use serde::ser::{Error, Serialize, SerializeMap, SerializeSeq, Serializer};

/// A Lua value to be written by any serializer, with options; see [`SerdeOptions::serializable`].
///
/// ```
/// use lupa_core::{Runtime, Table, serde::{Serializable, SerdeOptions}};
///
/// #[derive(serde::Serialize)]
/// struct Report<'a> { id: u32, state: Serializable<'a, Table> }
///
/// let lua = Runtime::new()?;
/// let state: Table = lua.load("return { step = 2, done = {}, next = print }").eval()?;
/// let options = SerdeOptions::new().sort_keys(true).unsupported_as_nil(true);
/// let report = Report { id: 7, state: options.serializable(&state) };
/// let json = serde_json::to_string(&report).unwrap();
/// assert_eq!(json, r#"{"id":7,"state":{"done":{},"next":null,"step":2}}"#);
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Serializable<'a, T> {
    pub(super) value: &'a T,
    pub(super) options: &'a SerdeOptions,
}

macro_rules! serializable {
    ($($type:ty, $write:expr;)*) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                SerdeOptions::DEFAULT.serializable(self).serialize(serializer)
            }
        }

        impl Serialize for Serializable<'_, $type> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $write(self.value, self.options, serializer)
            }
        }
    )*};
}

serializable! {
    Value, write_value;
    Table, |table: &Table, options, to| write(table.runtime(), table, options, to);
    LuaString, |string: &LuaString, options, to| write(string.runtime(), string, options, to);
    Reference, |value: &Reference, options, to| write(value.runtime(), value, options, to);
}

fn write_value<S: Serializer>(
    value: &Value,
    options: &SerdeOptions,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let runtime = match value {
        Value::Nil => return serializer.serialize_unit(),
        Value::Boolean(value) => return serializer.serialize_bool(*value),
        Value::Number(number) => {
            return match whole(*number) {
                Some(integer) => write_integer(integer, serializer),
                None => serializer.serialize_f64(*number),
            };
        }
        Value::LightUserData(pointer) => {
            return match options.unsupported_as_nil || *pointer == LightUserData::NULL {
                true => serializer.serialize_unit(),
                false => Err(S::Error::custom("userdata is no data")),
            };
        }
        Value::String(value) => value.runtime(),
        Value::Table(value) => value.runtime(),
        Value::Function(value) => value.runtime(),
        Value::Coroutine(value) => value.runtime(),
        Value::UserData(value) => value.runtime(),
        Value::Other(value) => value.runtime(),
    };
    write(runtime, value, options, serializer)
}

/// Puts the value on the stack and writes it from there.
fn write<'v, T, S: Serializer>(
    runtime: &Runtime,
    value: &'v T,
    options: &SerdeOptions,
    serializer: S,
) -> Result<S::Ok, S::Error>
where
    &'v T: IntoLua,
{
    let context = Context::new(options);
    let written = runtime.convert(value, |slot: Slot<'_>| {
        slot.stack().reserve(8)?;
        let view = View(Deserializer {
            stack: Framed::new(slot.stack()),
            index: slot.index(),
            level: None,
            context: &context,
        });
        Ok(view.serialize(serializer))
    });
    written.map_err(S::Error::custom)?
}

fn write_integer<S: Serializer>(integer: i128, serializer: S) -> Result<S::Ok, S::Error> {
    match (u64::try_from(integer), i64::try_from(integer)) {
        (Ok(integer), _) => serializer.serialize_u64(integer),
        (_, Ok(integer)) => serializer.serialize_i64(integer),
        _ => serializer.serialize_i128(integer),
    }
}

/// A value on the stack.
struct View<'a>(Deserializer<'a>);

/// What ends the writing of a table.
enum Problem<E> {
    Ours(Failure),
    Theirs(E),
}

impl<E> From<Failure> for Problem<E> {
    fn from(failure: Failure) -> Self {
        Problem::Ours(failure)
    }
}

impl Serialize for View<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let located = |failure: Failure| S::Error::custom(failure.at(self.0.level));
        match self.0.data().map_err(located)? {
            Data::Nothing => serializer.serialize_unit(),
            Data::Boolean(value) => serializer.serialize_bool(value),
            Data::Float(number) => serializer.serialize_f64(number),
            Data::Integer(integer) => write_integer(integer, serializer),
            Data::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => serializer.serialize_str(text),
                Err(_) => serializer.serialize_bytes(bytes),
            },
            Data::Table(_) => match self.0.enter().map_err(located)? {
                Some(level) => self
                    .table(&level, serializer)
                    .map_err(|problem| match problem {
                        Problem::Ours(failure) => S::Error::custom(failure.at(Some(&level))),
                        Problem::Theirs(error) => error,
                    }),
                None => serializer.serialize_unit(),
            },
            Data::Unsupported(name) => {
                let text = format!("{name} is no data");
                Err(located(Failure::message(text)))
            }
        }
    }
}

impl<'a> View<'a> {
    fn inside<'i>(&self, index: std::ffi::c_int, level: &'i Level<'i>) -> View<'i>
    where
        'a: 'i,
    {
        View(self.0.inside(index, level))
    }

    fn table<S: Serializer>(
        &self,
        level: &Level<'_>,
        serializer: S,
    ) -> Result<S::Ok, Problem<S::Error>> {
        let (stack, options) = (*self.0.stack, self.0.context.options);
        let Some(table) = stack.table(self.0.index) else {
            return serializer.serialize_unit().map_err(Problem::Theirs);
        };
        if let Shape::Sequence = shape(stack, self.0.index, options) {
            let mut items = Items::new(level, stack, table);
            let sequence = serializer.serialize_seq(Some(items.length));
            let mut sequence = sequence.map_err(Problem::Theirs)?;
            while let Some(()) = items.next(|index| {
                let item = self.inside(index, level);
                sequence.serialize_element(&item).map_err(Problem::Theirs)
            })? {}
            items.finish()?;
            return sequence.end().map_err(Problem::Theirs);
        }
        let base = stack.top();
        let mut entries = Entries::new(stack, table, options.sort_keys);
        let count = entries.count(stack);
        let mut map = serializer
            .serialize_map(Some(count))
            .map_err(Problem::Theirs)?;
        while entries.push_next() {
            level.step(Step::Key(base + 1));
            let (key, value) = (self.inside(base + 1, level), self.inside(base + 2, level));
            let written = map.serialize_entry(&key, &value);
            stack.pop_to(base);
            written.map_err(Problem::Theirs)?;
        }
        level.step(Step::Whole);
        map.end().map_err(Problem::Theirs)
    }
}
