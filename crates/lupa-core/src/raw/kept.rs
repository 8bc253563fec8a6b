//! What the host keeps with a runtime: named values, data of its own, what conversions may do.

use super::shared::Shared;
use super::slots::SlotKey;
use crate::error::Error;
use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;

/// Touched only with the runtime's lock held, as most of [`Shared`].
#[derive(Default)]
pub(crate) struct Kept {
    /// The FFI library is one of the runtime's libraries.
    pub(crate) has_ffi: Cell<bool>,
    /// Slots of the values that have names.
    pub(crate) named: RefCell<HashMap<Box<str>, SlotKey>>,
    /// Values of Rust types, one a type.
    pub(crate) data: RefCell<HashMap<TypeId, Box<dyn Any + Send + Sync>>>,
    /// The error of a host function that was last raised as a text, and the text.
    raised: RefCell<Option<(Vec<u8>, Error)>>,
}

impl Kept {
    /// Remembers what an error was that Lua code sees as a text. It must hold no Lua value: that would keep its runtime.
    pub(super) fn remember_raised(&self, text: Vec<u8>, error: Error) {
        // An error's drop is host code, to be run when nothing is borrowed.
        drop(self.raised.replace(Some((text, error))));
    }

    /// The error that was raised as this text. It stays, for Lua code may have caught a copy of the text.
    #[cold]
    pub(crate) fn raised_as(&self, text: &[u8]) -> Option<Error> {
        let raised = self.raised.borrow();
        let (_, error) = raised.as_ref().filter(|(known, _)| known == text)?;
        Some(error.clone())
    }
}

impl Shared {
    /// What the host keeps here. Only with the lock held.
    pub(crate) fn kept(&self) -> &Kept {
        &self.kept
    }
}
