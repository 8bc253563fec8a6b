//! Text and bytes: the types beside `String` and `&str`.

use crate::convert::{Bytes, FromLua, IntoLua};
use crate::error::{Error, Result};
use crate::pusher::Pusher;
use crate::slot::Slot;
use std::borrow::Cow;

impl<'s> FromLua<'s> for Bytes<'s> {
    #[inline]
    fn from_lua(slot: Slot<'s>) -> Result<Self> {
        <&[u8]>::from_lua(slot).map(Bytes)
    }
}

/// A copy. Take `&str` where no copy is wanted, as in host functions.
impl<'s> FromLua<'s> for Cow<'_, str> {
    fn from_lua(slot: Slot<'s>) -> Result<Self> {
        String::from_lua(slot).map(Cow::Owned)
    }
}

impl IntoLua for Cow<'_, str> {
    fn into_lua(self, to: Pusher<'_>) -> Result<()> {
        to.bytes(self.as_bytes())
    }
}

/// A copy of a string's bytes. Take `&[u8]` where no copy is wanted, as in host functions.
impl<'s> FromLua<'s> for Cow<'_, [u8]> {
    fn from_lua(slot: Slot<'s>) -> Result<Self> {
        <&[u8]>::from_lua(slot).map(|bytes| Cow::Owned(bytes.to_vec()))
    }
}

/// A Lua string, not a table.
impl IntoLua for Cow<'_, [u8]> {
    fn into_lua(self, to: Pusher<'_>) -> Result<()> {
        to.bytes(&self)
    }
}

impl<'s> FromLua<'s> for Box<str> {
    fn from_lua(slot: Slot<'s>) -> Result<Self> {
        <&str>::from_lua(slot).map(Box::from)
    }
}

impl IntoLua for Box<str> {
    fn into_lua(self, to: Pusher<'_>) -> Result<()> {
        to.bytes(self.as_bytes())
    }
}

/// From a string of exactly one character.
impl<'s> FromLua<'s> for char {
    fn from_lua(slot: Slot<'s>) -> Result<Self> {
        let text = <&str>::from_lua(slot)?;
        let mut characters = text.chars();
        match (characters.next(), characters.next()) {
            (Some(character), None) => Ok(character),
            _ => {
                let message = format!("{} characters instead of one", text.chars().count());
                Err(Error::conversion("string", "character", message))
            }
        }
    }
}

impl IntoLua for char {
    fn into_lua(self, to: Pusher<'_>) -> Result<()> {
        to.bytes(self.encode_utf8(&mut [0; 4]).as_bytes())
    }
}
