//! The value of a user type behind its userdata, borrow-checked at run time.

use super::lock::Held;
use super::scope::{Callable, Loan};
use super::userdata::HostRef;
use crate::error::{Error, Result};
use crate::handle::Handle;
use crate::slot::Slot;
use crate::usertype::{UserObject, UserType};
use std::cell::{Cell, UnsafeCell};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::Arc;

/// A value that Lua code uses: its own, or one that was lent to it.
pub(crate) struct ObjectCell<T> {
    /// Number of borrows; -1 for one that may change the value.
    uses: Cell<isize>,
    place: UnsafeCell<Place<T>>,
}

enum Place<T> {
    Owned(T),
    Lent(Arc<LentObject<T>>),
    Taken,
}

impl<T: UserType> ObjectCell<T> {
    pub(crate) fn owned(value: T) -> Self {
        ObjectCell {
            uses: Cell::new(0),
            place: UnsafeCell::new(Place::Owned(value)),
        }
    }

    pub(crate) fn lent(loan: Arc<LentObject<T>>) -> Self {
        ObjectCell {
            uses: Cell::new(0),
            place: UnsafeCell::new(Place::Lent(loan)),
        }
    }

    /// Borrows the value.
    ///
    /// # Errors
    /// `Error::InUse` while it is being changed, `Error::ScopeEnded`, an error if it was taken.
    #[inline]
    pub(crate) fn shared(&self) -> Result<Shared<'_, T>> {
        if self.uses.get() < 0 {
            return Err(Error::InUse(T::NAME.into()));
        }
        // SAFETY: nobody changes the place: there is no exclusive borrow, and `take` demands that there is no borrow.
        let value = match unsafe { &*self.place.get() } {
            Place::Owned(value) => NonNull::from(value),
            Place::Lent(loan) => loan.target()?,
            Place::Taken => return Err(taken(T::NAME)),
        };
        self.uses.set(self.uses.get() + 1);
        Ok(Shared {
            value,
            uses: &self.uses,
        })
    }

    /// Borrows the value to change it.
    ///
    /// # Errors
    /// `Error::InUse` while it is used, and as [`ObjectCell::shared`]; an error for what was lent to be read only.
    #[inline]
    pub(crate) fn exclusive(&self) -> Result<Exclusive<'_, T>> {
        if self.uses.get() != 0 {
            return Err(Error::InUse(T::NAME.into()));
        }
        // SAFETY: there is no other borrow.
        let value = match unsafe { &mut *self.place.get() } {
            Place::Owned(value) => NonNull::from(value),
            Place::Lent(loan) if loan.may_change => loan.target()?,
            Place::Lent(_) => return Err(read_only(T::NAME)),
            Place::Taken => return Err(taken(T::NAME)),
        };
        self.uses.set(-1);
        Ok(Exclusive {
            value,
            uses: &self.uses,
            exactly: PhantomData,
        })
    }

    /// Takes the value out for good.
    ///
    /// # Errors
    /// `Error::InUse` while it is used; an error for what was taken before, or was only lent.
    pub(crate) fn take(&self) -> Result<T> {
        if self.uses.get() != 0 {
            return Err(Error::InUse(T::NAME.into()));
        }
        // SAFETY: there is no borrow.
        let place = unsafe { &mut *self.place.get() };
        match std::mem::replace(place, Place::Taken) {
            Place::Owned(value) => Ok(value),
            Place::Taken => Err(taken(T::NAME)),
            lent @ Place::Lent(_) => {
                *place = lent;
                Err(only_lent(T::NAME))
            }
        }
    }

    fn is_lent(&self) -> bool {
        // SAFETY: only `take` changes which place it is, and no reference to that is kept anywhere.
        matches!(unsafe { &*self.place.get() }, Place::Lent(_))
    }
}

#[cold]
fn taken(name: &str) -> Error {
    Error::message(format!("the {name} was taken out of its userdata"))
}

#[cold]
fn read_only(name: &str) -> Error {
    Error::message(format!("the {name} was lent to be read only"))
}

#[cold]
fn only_lent(name: &str) -> Error {
    Error::message(format!("the {name} was only lent to Lua"))
}

/// A borrow of a value.
pub(crate) struct Shared<'a, T> {
    value: NonNull<T>,
    uses: &'a Cell<isize>,
}

impl<T> Deref for Shared<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: counted in `uses`, so the value stays and is not changed.
        unsafe { self.value.as_ref() }
    }
}

impl<T> Drop for Shared<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.uses.set(self.uses.get() - 1);
    }
}

/// A borrow of a value that may change it.
pub(crate) struct Exclusive<'a, T> {
    value: NonNull<T>,
    uses: &'a Cell<isize>,
    /// As `&mut T`, and unlike `NonNull<T>`, it is one of exactly `T`.
    exactly: PhantomData<&'a mut T>,
}

impl<T> Deref for Exclusive<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: noted in `uses`, so this is the only borrow.
        unsafe { self.value.as_ref() }
    }
}

impl<T> DerefMut for Exclusive<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        unsafe { self.value.as_mut() }
    }
}

impl<T> Drop for Exclusive<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.uses.set(0);
    }
}

/// A value that a scope lends.
pub(crate) struct LentObject<T> {
    /// Filled only while the scope lives; then the scope's borrow of the value does, too.
    target: Cell<Option<NonNull<T>>>,
    may_change: bool,
}

// SAFETY: as for `LentFunction`: it is used with the runtime's lock alone, and is empty when the scope has ended.
unsafe impl<T> Send for LentObject<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for LentObject<T> {}

impl<T: UserType> LentObject<T> {
    /// # Safety
    /// Until `take_back` the value must live, and be borrowed: exclusively if `may_change`.
    pub(super) unsafe fn new(target: NonNull<T>, may_change: bool) -> Self {
        LentObject {
            target: Cell::new(Some(target)),
            may_change,
        }
    }

    #[inline]
    fn target(&self) -> Result<NonNull<T>> {
        self.target
            .get()
            .ok_or_else(|| Error::ScopeEnded(T::NAME.into()))
    }
}

impl<T: UserType> Loan for LentObject<T> {
    /// Nobody borrows the value any more: a borrow lives no longer than a native frame whose stack slots hold the
    /// userdata, and no such frame is older than the userdata, for slots are read where they were filled.
    fn take_back(&self) -> Option<Box<dyn Callable>> {
        self.target.set(None);
        None
    }
}

macro_rules! user_refs {
    ($($(#[$doc:meta])* $name:ident: $borrow:ident by $method:ident;)*) => {$(
        $(#[$doc])*
        pub struct $name<'a, T: UserType> {
            // In this order they are dropped.
            value: $borrow<'a, T>,
            _object: HostRef<'a, UserObject<T>>,
            _held: Option<Held<'a>>,
        }

        impl<'a, T: UserType> $name<'a, T> {
            /// Borrows the object in a slot.
            #[inline]
            pub(crate) fn of_slot(slot: Slot<'a>) -> Result<Self> {
                match slot.object() {
                    Some(object) => Self::new(object, None),
                    None => Err(slot.mismatch(T::NAME)),
                }
            }

            /// Borrows the object of a handle, with the runtime's lock.
            pub(crate) fn of_handle(handle: &'a Handle) -> Result<Self> {
                let held = handle.runtime().shared().lock()?;
                let object = handle.with(|stack, index| {
                    let Some(object) = stack.host_object::<UserObject<T>>(index) else {
                        return Err(Slot::new(stack, index).mismatch(T::NAME));
                    };
                    if object.cell().is_lent() {
                        // It would outlive the scope.
                        return Err(only_lent(T::NAME));
                    }
                    // SAFETY: the handle keeps the userdata where it is, and the lock, which the result holds,
                    // keeps the state from being closed; both for `'a`.
                    Ok(unsafe {
                        std::mem::transmute::<HostRef<'_, UserObject<T>>, HostRef<'a, UserObject<T>>>(object)
                    })
                })?;
                Self::new(object, Some(held))
            }

            #[inline]
            fn new(object: HostRef<'a, UserObject<T>>, held: Option<Held<'a>>) -> Result<Self> {
                let value = object.cell().$method()?;
                // SAFETY: the payload stays where it is until `object` is dropped, which is after `value`.
                let value = unsafe { std::mem::transmute::<$borrow<'_, T>, $borrow<'a, T>>(value) };
                Ok($name { value, _object: object, _held: held })
            }
        }

        impl<T: UserType> Deref for $name<'_, T> {
            type Target = T;

            #[inline]
            fn deref(&self) -> &T {
                &self.value
            }
        }

        impl<T: UserType + std::fmt::Debug> std::fmt::Debug for $name<'_, T> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                (**self).fmt(f)
            }
        }
    )*};
}

user_refs! {
    /// A value in a userdata, borrowed; see [`UserData::borrow`](crate::UserData::borrow).
    ///
    /// ```
    /// use lupa_core::{Members, Runtime, UserRef, UserType};
    ///
    /// struct Account { balance: i64 }
    ///
    /// impl UserType for Account {
    ///     const NAME: &'static str = "Account";
    ///     fn members(members: &mut Members<Self>) {
    ///         members.field("balance", |this| this.balance, |this, balance| this.balance = balance);
    ///     }
    /// }
    ///
    /// let lua = Runtime::new()?;
    /// let (mine, yours) = (lua.create_userdata(Account { balance: 5 })?, lua.create_userdata(Account { balance: 7 })?);
    /// let accounts: [UserRef<'_, Account>; 2] = [mine.borrow()?, yours.borrow()?];
    /// assert_eq!(accounts.iter().map(|account| account.balance).sum::<i64>(), 12);
    /// // Meanwhile they may be read, but not changed.
    /// assert_eq!(mine.get::<i64>("balance")?, 5);
    /// assert!(mine.set("balance", 0).is_err());
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    UserRef: Shared by shared;
    /// A value in a userdata, borrowed to be changed; see [`UserData::borrow_mut`](crate::UserData::borrow_mut).
    ///
    /// ```
    /// use lupa_core::{Error, Members, Runtime, UserRefMut, UserType};
    ///
    /// struct Account { balance: i64 }
    ///
    /// impl UserType for Account {
    ///     const NAME: &'static str = "Account";
    ///     fn members(members: &mut Members<Self>) {
    ///         members.field("balance", |this| this.balance, |this, balance| this.balance = balance);
    ///     }
    /// }
    ///
    /// let lua = Runtime::new()?;
    /// let data = lua.create_userdata(Account { balance: 5 })?;
    /// let mut account: UserRefMut<'_, Account> = data.borrow_mut()?;
    /// account.balance += 20;
    /// assert!(matches!(data.borrow::<Account>(), Err(Error::InUse(_))));
    /// drop(account);
    /// assert_eq!(data.get::<i64>("balance")?, 25);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    UserRefMut: Exclusive by exclusive;
}

impl<T: UserType> DerefMut for UserRefMut<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}
