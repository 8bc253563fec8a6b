//! What the host keeps with a runtime: named values, data of its own, what conversions may do.

use super::shared::Shared;
use std::cell::Cell;

/// Touched only with the runtime's lock held, as most of [`Shared`].
#[derive(Default)]
pub(crate) struct Kept {
    /// The FFI library is one of the runtime's libraries.
    pub(crate) has_ffi: Cell<bool>,
}

impl Shared {
    /// What the host keeps here. Only with the lock held.
    pub(crate) fn kept(&self) -> &Kept {
        &self.kept
    }
}
