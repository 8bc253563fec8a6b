//! What the host keeps with a runtime: named values, data and types of its own, a policy.

use super::shared::Shared;
use super::slots::SlotKey;
use crate::error::Error;
use crate::filter::AttributeFilter;
use crate::usertype::MemberName;
use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

/// Made when the first of it is kept: many runtimes keep nothing. Touched only with the runtime's lock held, as most of
/// [`Shared`].
#[derive(Default)]
pub(crate) struct Kept {
    /// Slots of the values that have names.
    pub(crate) named: RefCell<HashMap<Box<str>, SlotKey>>,
    /// Values of Rust types, one a type.
    pub(crate) data: RefCell<HashMap<TypeId, Box<dyn Any + Send + Sync>>>,
    /// Member tables of user types, by type.
    pub(crate) user_types: RefCell<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
    /// Policy over the members of user types.
    pub(crate) filter: OnceLock<Arc<Filter>>,
    /// The error of a host function that was last raised as a text, and the text.
    raised: RefCell<Option<(Vec<u8>, Error)>>,
}

/// See [`crate::Builder::attribute_filter`].
pub(crate) type Filter = dyn for<'a> AttributeFilter<&'static str, MemberName<'a>>;

impl Kept {
    /// Remembers what an error was that Lua code sees as a text. It must hold no Lua value: that would keep its runtime.
    pub(super) fn remember_raised(&self, text: Vec<u8>, error: Error) {
        // An error's drop is host code, to be run when nothing is borrowed.
        drop(self.raised.replace(Some((text, error))));
    }
}

impl Shared {
    /// What the host keeps here. Only with the lock held.
    pub(crate) fn kept(&self) -> &Kept {
        self.kept.get_or_init(Box::default)
    }

    /// The policy over the members of user types, if there is one.
    pub(crate) fn filter(&self) -> Option<&Filter> {
        Some(&**self.kept.get()?.filter.get()?)
    }

    /// The error that was raised as this text. It stays, for Lua code may have caught a copy of the text. Only with the
    /// lock held.
    #[cold]
    pub(crate) fn raised_as(&self, text: &[u8]) -> Option<Error> {
        let raised = self.kept.get()?.raised.borrow();
        let (_, error) = raised.as_ref().filter(|(known, _)| known == text)?;
        Some(error.clone())
    }
}
