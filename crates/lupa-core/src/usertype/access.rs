//! Rust's access to objects of user types: as arguments of host functions, and by their handles.

use super::{UserObject, UserType};
use crate::argument::Borrowed;
use crate::error::Result;
use crate::raw::cell::{UserRef, UserRefMut};
use crate::reference::UserData;
use crate::slot::Slot;

impl<T: UserType> Borrowed for &T {
    type Place<'s> = Option<UserRef<'s, T>>;
    type Of<'a> = &'a T;

    #[inline]
    fn borrow<'a, 's: 'a>(slot: Slot<'s>, place: &'a mut Self::Place<'s>) -> Result<&'a T> {
        Ok(place.insert(UserRef::of_slot(slot)?))
    }
}

impl<T: UserType> Borrowed for &mut T {
    type Place<'s> = Option<UserRefMut<'s, T>>;
    type Of<'a> = &'a mut T;

    #[inline]
    fn borrow<'a, 's: 'a>(slot: Slot<'s>, place: &'a mut Self::Place<'s>) -> Result<&'a mut T> {
        Ok(place.insert(UserRefMut::of_slot(slot)?))
    }
}

/// Values of user types.
///
/// Access is checked at run time, for Rust and Lua together: while the value is borrowed to be changed, and while
/// a change would meet a borrow, access is [`Error::InUse`](crate::Error::InUse).
///
/// ```
/// use lupa_core::{Members, Runtime, UserType};
///
/// struct Counter(i64);
///
/// impl UserType for Counter {
///     const NAME: &'static str = "Counter";
///     fn members(members: &mut Members<Self>) {
///         members.function("next", |this: &mut Self| { this.0 += 1; this.0 });
///     }
/// }
///
/// let lua = Runtime::new()?;
/// let counter = lua.create_userdata(Counter(0))?;
/// lua.globals()?.set("counter", &counter)?;
/// lua.load("counter:next() counter:next()").exec()?;
/// assert!(counter.is::<Counter>()?);
/// assert_eq!(counter.borrow::<Counter>()?.0, 2);
///
/// counter.borrow_mut::<Counter>()?.0 = 40;
/// assert_eq!(lua.load("return counter:next()").eval::<i64>()?, 41);
///
/// let borrowed = counter.borrow::<Counter>()?;
/// assert!(lua.load("counter:next()").exec().unwrap_err().to_string().contains("Counter is in use"));
/// drop(borrowed);
///
/// assert_eq!(counter.take::<Counter>()?.0, 41);
/// assert!(lua.load("counter:next()").exec().is_err());
/// # Ok::<(), lupa_core::Error>(())
/// ```
impl UserData {
    /// Whether it is an object of the user type `T`.
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`.
    pub fn is<T: UserType>(&self) -> Result<bool> {
        self.0
            .with(|stack, index| Ok(stack.host_object::<UserObject<T>>(index).is_some()))
    }

    /// Borrows the value. Meanwhile this thread has the runtime's lock, as by [`Runtime::lock`](crate::Runtime::lock):
    /// other threads that use the runtime wait.
    ///
    /// # Errors
    /// A conversion error for another type; `Error::InUse` while the value is being changed; an error for a value that was
    /// taken, or that a scope lends: see [`UserData::with`]. `Error::Closed`, `Error::Forked`.
    pub fn borrow<T: UserType>(&self) -> Result<UserRef<'_, T>> {
        UserRef::of_handle(&self.0)
    }

    /// As [`UserData::borrow`], to change the value.
    ///
    /// # Errors
    /// As [`UserData::borrow`]; `Error::InUse` also while the value is used.
    pub fn borrow_mut<T: UserType>(&self) -> Result<UserRefMut<'_, T>> {
        UserRefMut::of_handle(&self.0)
    }

    /// Runs `f` on the value, which may be a lent one, with the runtime's lock.
    ///
    /// # Errors
    /// As [`UserData::borrow`]; [`Error::ScopeEnded`](crate::Error::ScopeEnded).
    pub fn with<T: UserType, R>(&self, f: impl FnOnce(&T) -> R) -> Result<R> {
        self.0
            .with(|stack, index| Ok(f(&*UserRef::of_slot(Slot::new(stack, index))?)))
    }

    /// As [`UserData::with`], to change the value.
    ///
    /// # Errors
    /// As [`UserData::with`]; `Error::InUse` also while the value is used; an error for a value that was lent to be read only.
    pub fn with_mut<T: UserType, R>(&self, f: impl FnOnce(&mut T) -> R) -> Result<R> {
        self.0
            .with(|stack, index| Ok(f(&mut *UserRefMut::of_slot(Slot::new(stack, index))?)))
    }

    /// Takes the value out. The userdata stays, but every use of it is an error from then on.
    ///
    /// # Errors
    /// As [`UserData::borrow_mut`].
    pub fn take<T: UserType>(&self) -> Result<T> {
        self.0.with(
            |stack, index| match stack.host_object::<UserObject<T>>(index) {
                Some(object) => object.cell().take(),
                None => Err(Slot::new(stack, index).mismatch(T::NAME)),
            },
        )
    }
}
