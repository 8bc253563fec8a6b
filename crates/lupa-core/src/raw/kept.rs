//! What the host keeps with a runtime: named values, data of its own, what conversions may do.

use super::shared::Shared;
use super::slots::SlotKey;
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
}

impl Shared {
    /// What the host keeps here. Only with the lock held.
    pub(crate) fn kept(&self) -> &Kept {
        &self.kept
    }
}
