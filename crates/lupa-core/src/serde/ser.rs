//! From Rust to Lua.

use super::failure::{Failure, Result};
use super::level::{Level, Step};
use super::{Null, Nulls, SerdeOptions, array};
use crate::convert::IntoLua;
use crate::error::Error;
use crate::pusher::{Pusher, misuse};
use crate::raw::stack::TableSlot;
use crate::raw::{Framed, Kind, Stack};
use serde::ser::{self, Serialize};
use std::ffi::c_int;
use std::fmt::Display;

/// Table entries for which room is made at once: a type may say any length.
const MOST_ROOM: usize = 1 << 20;

/// Pushes one value.
#[derive(Clone, Copy)]
pub(super) struct Serializer<'a> {
    pub(super) stack: Framed<'a>,
    pub(super) options: &'a SerdeOptions,
    level: Option<&'a Level<'a>>,
    place: Place,
}

/// What the value will be, as far as that makes a difference.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A field, a value of a map, or all.
    Value,
    /// The key of a map.
    Key,
    /// An item of a sequence.
    Item,
    /// The content of an enum's variant, which tells it from a unit variant.
    Content,
}

impl<'a> Serializer<'a> {
    pub(super) fn new(stack: Stack<'a>, options: &'a SerdeOptions) -> Self {
        Serializer {
            stack: Framed::new(stack),
            options,
            level: None,
            place: Place::Value,
        }
    }

    fn nothing(self) -> Result<()> {
        let as_null = match self.place {
            Place::Key => return Err(Failure::message("nothing (None or unit) is no table key")),
            Place::Content => true,
            Place::Item => self.options.nulls != Nulls::Never,
            Place::Value => self.options.nulls == Nulls::Always,
        };
        if as_null {
            return Ok(Null.into_lua(Pusher::new(*self.stack))?);
        }
        self.stack.with_room().push_nil();
        Ok(())
    }

    /// As the other conversions do: beyond 2^53 it is a value of the FFI library, if there is that.
    fn integer<N: IntoLua + Display + Copy>(self, integer: N) -> Result<()> {
        match integer.into_lua(Pusher::new(*self.stack)) {
            // Two values of the FFI library are never the same key.
            Ok(())
                if self.place == Place::Key && self.stack.kind(self.stack.top()) == Kind::CData =>
            {
                let text = format!("{integer} is beyond 2^53, too large for a table's key");
                Err(Failure::message(text))
            }
            Err(Error::Conversion(error)) => Err(Failure::message(&*error.message)),
            outcome => Ok(outcome?),
        }
    }

    /// Starts a table, around which there is another one for the content of a variant.
    fn table(
        self,
        array: usize,
        hash: usize,
        variant: Option<&'static str>,
    ) -> Result<Builder<'a>> {
        let stack = *self.stack;
        let no_table = std::ptr::null();
        let level = Level::enter(self.level, stack, self.options, no_table, variant)?;
        if let Some(variant) = variant {
            stack.push_table(0, 1)?;
            stack.push_bytes(variant.as_bytes())?;
        }
        stack.push_table(array.min(MOST_ROOM), hash.min(MOST_ROOM))?;
        let index = stack.top();
        Ok(Builder {
            stack: Framed::new(stack),
            options: self.options,
            level,
            table: stack.table(index).ok_or_else(crate::handle::no_table)?,
            index,
            has_key: false,
            items: 0,
        })
    }

    fn sequence(self, length: usize, variant: Option<&'static str>) -> Result<Builder<'a>> {
        let builder = self.table(length, 0, variant)?;
        if self.options.array_metatable {
            array::push(*self.stack)?;
            builder.table.set_metatable();
        }
        Ok(builder)
    }
}

/// A table that is being filled.
pub(super) struct Builder<'a> {
    stack: Framed<'a>,
    options: &'a SerdeOptions,
    level: Level<'a>,
    table: TableSlot<'a>,
    /// The table's slot.
    index: c_int,
    /// A key that waits for its value is above it.
    has_key: bool,
    items: c_int,
}

impl<'a> Builder<'a> {
    /// Whether nothing but a key lies above the table, and that is still there: a type may use it inside of what writes one of its
    /// values, or after that.
    fn undisturbed(&self) -> Result<()> {
        let top = self.index + c_int::from(self.has_key);
        if self.stack.top() != top
            || !self
                .stack
                .table(self.index)
                .is_some_and(|t| t.is(self.table))
        {
            return Err(Failure::message(
                "a table that is being written was used inside of another operation",
            ));
        }
        Ok(())
    }

    /// Pushes a value.
    fn push<T: Serialize + ?Sized>(&self, value: &T, step: Step, place: Place) -> Result<()> {
        self.level.step(step);
        let serializer = Serializer {
            stack: self.stack,
            options: self.options,
            level: Some(&self.level),
            place,
        };
        let top = self.stack.top();
        let pushed = value.serialize(serializer).and_then(|()| {
            if self.stack.top() != top + 1 {
                return Err(Failure::from(misuse()));
            }
            Ok(())
        });
        pushed.map_err(|failure| {
            // The type may go on in spite of an error.
            let failure = failure.at(Some(&self.level));
            self.stack.pop_to(top);
            failure
        })
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.undisturbed()?;
        let index = self.items.checked_add(1).ok_or(Error::Memory)?;
        self.push(value, Step::Index(index as usize), Place::Item)?;
        self.items = index;
        self.or_emptied(self.stack.check_memory())?;
        self.table.raw_set_index(index);
        Ok(())
    }

    /// Sets the key below the top to the value on top.
    fn set(&self) -> Result<()> {
        let top = self.stack.top();
        if self.stack.kind(top) == Kind::Nil {
            self.stack.pop_to(top - 2);
            return Ok(());
        }
        let set = self
            .stack
            .check_memory()
            .and_then(|()| self.table.raw_set());
        self.or_emptied(set)
    }

    /// After an error nothing lies above the table: the type may go on.
    fn or_emptied(&self, outcome: std::result::Result<(), impl Into<Failure>>) -> Result<()> {
        outcome.map_err(|error| {
            self.stack.pop_to(self.index);
            error.into()
        })
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<()> {
        self.undisturbed()?;
        self.stack.with_room().push_bytes(name.as_bytes())?;
        let pushed = self.push(value, Step::Name(name), Place::Value);
        self.or_emptied(pushed)?;
        self.set()
    }

    /// Leaves the table on the stack, in the one around it if it is the content of a variant.
    fn finish(self) -> Result<()> {
        self.undisturbed()?;
        self.stack.pop_to(self.index);
        if self.level.is_variant() {
            let stack = *self.stack;
            let outer = stack.table(self.index - 2);
            let outer = outer.ok_or_else(crate::handle::no_table)?;
            outer.raw_set()?;
        }
        Ok(())
    }
}

macro_rules! integers {
    ($($method:ident $type:ident;)*) => {$(
        fn $method(self, value: $type) -> Result<()> {
            self.integer(value)
        }
    )*};
}

macro_rules! numbers {
    ($($method:ident $type:ident;)*) => {$(
        fn $method(self, value: $type) -> Result<()> {
            self.serialize_f64(f64::from(value))
        }
    )*};
}

impl<'a> ser::Serializer for Serializer<'a> {
    type Ok = ();
    type Error = Failure;
    type SerializeSeq = Builder<'a>;
    type SerializeTuple = Builder<'a>;
    type SerializeTupleStruct = Builder<'a>;
    type SerializeTupleVariant = Builder<'a>;
    type SerializeMap = Builder<'a>;
    type SerializeStruct = Builder<'a>;
    type SerializeStructVariant = Builder<'a>;

    numbers! {
        serialize_i8 i8; serialize_i16 i16; serialize_i32 i32;
        serialize_u8 u8; serialize_u16 u16; serialize_u32 u32; serialize_f32 f32;
    }

    integers! {
        serialize_i64 i64; serialize_u64 u64; serialize_i128 i128; serialize_u128 u128;
    }

    fn serialize_f64(self, value: f64) -> Result<()> {
        if value.is_nan() && self.place == Place::Key {
            return Err(Failure::message("NaN is no table key"));
        }
        self.stack.with_room().push_number(value);
        Ok(())
    }

    fn serialize_bool(self, value: bool) -> Result<()> {
        self.stack.with_room().push_boolean(value);
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<()> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<()> {
        self.serialize_bytes(value.as_bytes())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<()> {
        Ok(self.stack.with_room().push_bytes(value)?)
    }

    fn serialize_none(self) -> Result<()> {
        self.nothing()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<()> {
        self.nothing()
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<()> {
        self.nothing()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<()> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<()> {
        let builder = self.table(0, 1, None)?;
        self.stack.with_room().push_bytes(variant.as_bytes())?;
        builder.push(value, Step::Name(variant), Place::Content)?;
        builder.set()
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Builder<'a>> {
        self.sequence(length.unwrap_or(0), None)
    }

    fn serialize_tuple(self, length: usize) -> Result<Builder<'a>> {
        self.sequence(length, None)
    }

    fn serialize_tuple_struct(self, _: &'static str, length: usize) -> Result<Builder<'a>> {
        self.sequence(length, None)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Builder<'a>> {
        self.sequence(length, Some(variant))
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Builder<'a>> {
        self.table(0, length.unwrap_or(0), None)
    }

    fn serialize_struct(self, _: &'static str, length: usize) -> Result<Builder<'a>> {
        self.table(0, length, None)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Builder<'a>> {
        self.table(0, length, Some(variant))
    }
}

/// The traits of sequences differ in their names only, and so do those of structs.
macro_rules! builders {
    ($($kind:ident: $method:ident($($name:ident)?) => $own:ident;)*) => {$(
        impl ser::$kind for Builder<'_> {
            type Ok = ();
            type Error = Failure;

            fn $method<T: Serialize + ?Sized>(
                &mut self,
                $($name: &'static str,)?
                value: &T,
            ) -> Result<()> {
                self.$own($($name,)? value)
            }

            fn end(self) -> Result<()> {
                self.finish()
            }
        }
    )*};
}

builders! {
    SerializeSeq: serialize_element() => item;
    SerializeTuple: serialize_element() => item;
    SerializeTupleStruct: serialize_field() => item;
    SerializeTupleVariant: serialize_field() => item;
    SerializeStruct: serialize_field(name) => field;
    SerializeStructVariant: serialize_field(name) => field;
}

impl ser::SerializeMap for Builder<'_> {
    type Ok = ();
    type Error = Failure;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        self.undisturbed()?;
        self.stack.pop_to(self.index);
        self.has_key = false;
        self.push(key, Step::Whole, Place::Key)?;
        self.has_key = true;
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.undisturbed()?;
        if !self.has_key {
            return Err(Failure::message("a value without a key"));
        }
        self.push(value, Step::Key(self.index + 1), Place::Value)?;
        self.has_key = false;
        self.set()
    }

    fn end(self) -> Result<()> {
        self.finish()
    }
}
