//! From Lua to Rust.

use super::failure::{Failure, Result};
use super::level::{Level, Step};
use super::tables::{Entries, Items, Shape, shape};
use super::{SerdeOptions, array};
use crate::raw::stack::TableSlot;
use crate::raw::{Framed, Kind};
use crate::slot::Slot;
use serde::de::{self, DeserializeSeed, Error as _, Unexpected, Visitor};
use serde::forward_to_deserialize_any;
use std::cell::Cell;
use std::ffi::c_int;

/// What the whole of a conversion shares.
pub(super) struct Context<'a> {
    pub(super) options: &'a SerdeOptions,
    /// Values that may still be read.
    left: Cell<usize>,
}

impl<'a> Context<'a> {
    pub(super) fn new(options: &'a SerdeOptions) -> Self {
        Context {
            options,
            left: Cell::new(options.size_limit),
        }
    }

    /// Counts a value of so many bytes.
    pub(super) fn count(&self, bytes: usize) -> Result<()> {
        match self.left.get().checked_sub(1 + bytes / 64) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => Err(Failure::message(format!(
                "more data than {} values, the limit of the options",
                self.options.size_limit
            ))),
        }
    }
}

/// Reads one value.
#[derive(Clone, Copy)]
pub(super) struct Deserializer<'a> {
    pub(super) stack: Framed<'a>,
    pub(super) index: c_int,
    pub(super) level: Option<&'a Level<'a>>,
    pub(super) context: &'a Context<'a>,
}

/// A value in terms of data.
pub(super) enum Data<'a> {
    Nothing,
    Boolean(bool),
    Float(f64),
    Integer(i128),
    Bytes(&'a [u8]),
    Table(TableSlot<'a>),
    /// What is none, by its type.
    Unsupported(&'static str),
}

/// The integer of 64 bits that a number is, if it is one. -0 is none, so that it stays what it is.
pub(super) fn whole(number: f64) -> Option<i128> {
    const START: f64 = -9_223_372_036_854_775_808.0;
    const END: f64 = 18_446_744_073_709_551_616.0;
    let whole = number.fract() == 0.0 && (START..END).contains(&number);
    (whole && (number != 0.0 || number.is_sign_positive())).then_some(number as i128)
}

impl<'a> Deserializer<'a> {
    pub(super) fn slot(&self) -> Slot<'a> {
        Slot::new(*self.stack, self.index)
    }

    /// What the slot holds. Whole numbers that an integer of 64 bits holds are integers.
    pub(super) fn data(&self) -> Result<Data<'a>> {
        let slot = self.slot();
        let mut bytes = 0;
        let data = match slot.kind() {
            Kind::None | Kind::Nil => Data::Nothing,
            Kind::Boolean => Data::Boolean(slot.truthy()),
            Kind::Number => {
                let number = slot.number().unwrap_or_default();
                whole(number).map_or(Data::Float(number), Data::Integer)
            }
            Kind::String => {
                let text = slot.bytes().unwrap_or_default();
                bytes = text.len();
                Data::Bytes(text)
            }
            Kind::Table => match self.stack.table(self.index) {
                Some(table) => Data::Table(table),
                None => Data::Nothing,
            },
            Kind::LightUserData if array::is_null(slot) => Data::Nothing,
            Kind::CData => match slot.cdata_integer()? {
                Some(integer) => Data::Integer(integer),
                None => self.unsupported(),
            },
            _ => self.unsupported(),
        };
        self.context.count(bytes)?;
        Ok(data)
    }

    fn unsupported(&self) -> Data<'a> {
        match self.context.options.unsupported_as_nil {
            true => Data::Nothing,
            false => Data::Unsupported(self.slot().type_name()),
        }
    }

    /// Goes into the table in the slot; `None` for one that is inside itself and is to be read as nil.
    pub(super) fn enter(&self) -> Result<Option<Level<'a>>> {
        let address = self.slot().address();
        if self.level.is_some_and(|level| level.is_inside(address)) {
            return match self.context.options.cycles_as_nil {
                true => Ok(None),
                false => Err(Failure::message("a cycle: the table is inside itself")),
            };
        }
        let options = self.context.options;
        Level::enter(self.level, *self.stack, options, address, None).map(Some)
    }

    /// The slot of a value inside the table.
    pub(super) fn inside<'i>(&self, index: c_int, level: &'i Level<'i>) -> Deserializer<'i>
    where
        'a: 'i,
    {
        Deserializer {
            stack: self.stack,
            index,
            level: Some(level),
            context: self.context,
        }
    }

    fn visit_sequence<'de, V: Visitor<'de>>(
        self,
        table: TableSlot<'a>,
        visitor: V,
    ) -> Result<V::Value> {
        let Some(level) = self.enter()? else {
            return visitor.visit_unit();
        };
        let mut items = SequenceAccess {
            from: self,
            level: &level,
            items: Items::new(&level, *self.stack, table),
        };
        let value = visitor.visit_seq(&mut items);
        level.step(Step::Whole);
        let value = value.map_err(|failure| failure.at(Some(&level)))?;
        items.items.finish()?;
        Ok(value)
    }

    fn visit_map<'de, V: Visitor<'de>>(self, table: TableSlot<'a>, visitor: V) -> Result<V::Value> {
        let Some(level) = self.enter()? else {
            return visitor.visit_unit();
        };
        let base = self.stack.top();
        let sort = self.context.options.sort_keys;
        let value = visitor.visit_map(TableAccess {
            from: self,
            level: &level,
            base,
            has_entry: false,
            entries: Entries::new(*self.stack, table, sort),
        });
        self.stack.pop_to(base);
        level.step(Step::Whole);
        value.map_err(|failure| failure.at(Some(&level)))
    }

    fn visit_integer<'de, V: Visitor<'de>>(integer: i128, visitor: V) -> Result<V::Value> {
        match (u64::try_from(integer), i64::try_from(integer)) {
            (Ok(integer), _) => visitor.visit_u64(integer),
            (_, Ok(integer)) => visitor.visit_i64(integer),
            _ => visitor.visit_i128(integer),
        }
    }

    /// For a type that is not what the slot holds.
    fn mismatch<T>(&self, expected: &dyn de::Expected) -> Result<T> {
        let data = self.data()?;
        let text;
        let got = match data {
            Data::Nothing => Unexpected::Unit,
            Data::Boolean(value) => Unexpected::Bool(value),
            Data::Float(number) => Unexpected::Float(number),
            Data::Integer(integer) => {
                text = format!("number {integer}");
                Unexpected::Other(&text)
            }
            Data::Bytes(bytes) => Unexpected::Bytes(bytes),
            Data::Table(_) => Unexpected::Map,
            Data::Unsupported(name) => Unexpected::Other(name),
        };
        Err(Failure::invalid_type(got, expected))
    }
}

impl<'de> de::Deserializer<'de> for Deserializer<'_> {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.data()? {
            Data::Nothing => visitor.visit_unit(),
            Data::Boolean(value) => visitor.visit_bool(value),
            Data::Float(number) => visitor.visit_f64(number),
            Data::Integer(integer) => Self::visit_integer(integer, visitor),
            Data::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => visitor.visit_str(text),
                Err(_) => visitor.visit_bytes(bytes),
            },
            Data::Table(table) => match shape(*self.stack, self.index, self.context.options) {
                Shape::Sequence => self.visit_sequence(table, visitor),
                Shape::Map => self.visit_map(table, visitor),
            },
            Data::Unsupported(name) => {
                Err(Failure::invalid_type(Unexpected::Other(name), &visitor))
            }
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.slot().number() {
            Some(number) => {
                self.context.count(0)?;
                visitor.visit_f64(number)
            }
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.slot().number() {
            // A cast saturates, and no double is equal to the type's greatest.
            Some(number) if number as i128 as f64 == number && number as i128 != i128::MAX => {
                self.context.count(0)?;
                visitor.visit_i128(number as i128)
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.slot().number() {
            Some(number) if number as u128 as f64 == number && number as u128 != u128::MAX => {
                self.context.count(0)?;
                visitor.visit_u128(number as u128)
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.slot().bytes() {
            Some(bytes) => {
                self.context.count(bytes.len())?;
                visitor.visit_bytes(bytes)
            }
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let nothing = match self.slot().kind() {
            Kind::None | Kind::Nil => true,
            Kind::Boolean | Kind::Number | Kind::String | Kind::Table => false,
            _ => matches!(self.data()?, Data::Nothing),
        };
        if nothing {
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.stack.table(self.index) {
            Some(table) => {
                self.context.count(0)?;
                self.visit_sequence(table, visitor)
            }
            None => self.mismatch(&visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.stack.table(self.index) {
            Some(table) => {
                self.context.count(0)?;
                self.visit_map(table, visitor)
            }
            None => self.mismatch(&visitor),
        }
    }

    /// Of a map, or of a sequence with the fields in their order.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        let Some(table) = self.stack.table(self.index) else {
            return self.mismatch(&visitor);
        };
        self.context.count(0)?;
        if let Shape::Sequence = shape(*self.stack, self.index, self.context.options) {
            let level = self.enter()?;
            let is_all = |level: Level<'_>| {
                Items::new(&level, *self.stack, table)
                    .nothing_else(&mut 0)
                    .is_ok()
            };
            if level.is_some_and(is_all) {
                return self.visit_sequence(table, visitor);
            }
        }
        self.visit_map(table, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        if self.slot().kind() == Kind::String {
            return visitor.visit_enum(Variant {
                name: self,
                content: None,
            });
        }
        let expected = format!("a variant of {name}: a string or a table with one entry");
        let Some(table) = self.stack.table(self.index) else {
            return self.mismatch(&expected.as_str());
        };
        self.context.count(0)?;
        let Some(level) = self.enter()? else {
            return visitor.visit_unit();
        };
        let base = self.stack.top();
        let mut entries = Entries::new(*self.stack, table, false);
        let count = entries.count(*self.stack);
        if count != 1 || !entries.push_next() {
            let text = format!("expected {expected}, got a table with {count} entries");
            return Err(Failure::message(text));
        }
        let key = self.inside(base + 1, &level);
        level.step(Step::Key(base + 1));
        let value = visitor.visit_enum(Variant {
            name: key,
            content: Some(self.inside(base + 2, &level)),
        });
        let value = value.map_err(|failure| failure.at(Some(&level)));
        self.stack.pop_to(base);
        value
    }

    /// The name of a field or variant. A number is none, and would be taken for its position.
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.slot().number() {
            Some(number) => {
                self.context.count(0)?;
                visitor.visit_str(&number.to_string())
            }
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 char str string unit unit_struct
    }
}

/// The items of a sequence.
struct SequenceAccess<'a, 'p> {
    from: Deserializer<'a>,
    level: &'p Level<'p>,
    items: Items<'p, 'p>,
}

impl<'de> de::SeqAccess<'de> for &mut SequenceAccess<'_, '_> {
    type Error = Failure;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let (from, level) = (self.from, self.level);
        self.items.next(|index| {
            let item = Deserializer {
                stack: from.stack,
                index,
                level: Some(level),
                context: from.context,
            };
            seed.deserialize(item)
                .map_err(|failure| failure.at(Some(level)))
        })
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.left())
    }
}

/// The entries of a table.
struct TableAccess<'a, 'p> {
    from: Deserializer<'a>,
    level: &'p Level<'p>,
    base: c_int,
    /// What lies above are the current key and value.
    has_entry: bool,
    entries: Entries<'a>,
}

impl<'a> TableAccess<'a, '_> {
    /// Whether nothing lies on the stack but what was pushed here: a type may go on inside of another operation.
    fn undisturbed(&self) -> Result<()> {
        let pushed = if self.has_entry { 2 } else { 0 };
        if self.from.stack.top() != self.base + pushed {
            return Err(Failure::message(
                "a table that is being read was used inside of another operation",
            ));
        }
        Ok(())
    }

    fn read<'de, T: DeserializeSeed<'de>>(&self, seed: T, index: c_int) -> Result<T::Value> {
        let slot = Deserializer {
            stack: self.from.stack,
            index,
            level: Some(self.level),
            context: self.from.context,
        };
        seed.deserialize(slot)
            .map_err(|failure| failure.at(Some(self.level)))
    }
}

impl<'de> de::MapAccess<'de> for TableAccess<'_, '_> {
    type Error = Failure;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        self.undisturbed()?;
        self.from.stack.pop_to(self.base);
        self.level.step(Step::Whole);
        self.has_entry = self.entries.push_next();
        if !self.has_entry {
            return Ok(None);
        }
        self.level.step(Step::Key(self.base + 1));
        self.read(seed, self.base + 1).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        self.undisturbed()?;
        if !self.has_entry {
            return Err(Failure::message("a value without a key"));
        }
        self.read(seed, self.base + 2)
    }

    fn size_hint(&self) -> Option<usize> {
        self.entries.left()
    }
}

/// A variant of an enum: a string, or the key of a table with its content.
struct Variant<'a> {
    name: Deserializer<'a>,
    content: Option<Deserializer<'a>>,
}

impl<'de, 'a> de::EnumAccess<'de> for Variant<'a> {
    type Error = Failure;
    type Variant = Content<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Content<'a>)> {
        Ok((seed.deserialize(self.name)?, Content(self.content)))
    }
}

struct Content<'a>(Option<Deserializer<'a>>);

impl Content<'_> {
    fn missing<T>(expected: &str) -> Result<T> {
        Err(Failure::message(format!(
            "expected the content of a {expected}, got the name of the variant alone"
        )))
    }
}

impl<'de> de::VariantAccess<'de> for Content<'_> {
    type Error = Failure;

    fn unit_variant(self) -> Result<()> {
        match self.0 {
            None => Ok(()),
            Some(content) => de::Deserialize::deserialize(content),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        match self.0 {
            Some(content) => seed.deserialize(content),
            None => Self::missing("newtype variant"),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value> {
        match self.0 {
            Some(content) => de::Deserializer::deserialize_tuple(content, length, visitor),
            None => Self::missing("tuple variant"),
        }
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match self.0 {
            Some(content) => de::Deserializer::deserialize_struct(content, "", fields, visitor),
            None => Self::missing("struct variant"),
        }
    }
}
