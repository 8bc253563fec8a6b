//! Rust's access to objects of user types: as arguments of host functions, and by their handles.

use super::{UserObject, UserType};
use crate::argument::Borrowed;
use crate::error::{Error, Result};
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
    /// let mut counter = Counter(0);
    /// lua.scope(|scope| {
    ///     let lent = scope.object_mut(&mut counter)?;
    ///     lent.call_method::<()>("next", ())?;
    ///     assert!(lent.borrow::<Counter>().is_err());
    ///     assert_eq!(lent.with(|counter: &Counter| counter.0)?, 1);
    ///     lent.with_mut(|counter: &mut Counter| counter.0 = 40)?;
    ///     lent.call_method::<()>("next", ())
    /// })?;
    /// assert_eq!(counter.0, 41);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
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

    /// The name of the host object's type, [`UserType::NAME`] for a user type; `None` for other userdata, such as files.
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`.
    pub fn type_name(&self) -> Result<Option<&'static str>> {
        self.0.with(|stack, index| Ok(stack.host_name(index)))
    }

    /// Drops the host object now, whatever its type, instead of when Lua's collector finds it: closes a connection, deletes a temporary
    /// file. The userdata stays, but every use of the value is an error from then on. Where the type is known, [`UserData::take`]
    /// gives the value.
    ///
    /// ```
    /// use lupa_core::{Members, Runtime, UserData, UserType};
    /// use std::sync::Arc;
    ///
    /// struct Connection(Arc<()>);
    ///
    /// impl UserType for Connection {
    ///     const NAME: &'static str = "Connection";
    ///     fn members(members: &mut Members<Self>) {
    ///         members.function("send", |_: &Self, _text: &str| ());
    ///     }
    /// }
    ///
    /// let lua = Runtime::new()?;
    /// let open = Arc::new(());
    /// lua.globals()?.set("connection", Connection(open.clone()))?;
    /// let connection: UserData = lua.globals()?.get("connection")?;
    /// assert_eq!(connection.type_name()?, Some("Connection"));
    /// connection.destroy()?;
    /// assert_eq!(Arc::strong_count(&open), 1);
    /// assert!(lua.load("connection:send('x')").exec().unwrap_err().text().contains("cannot convert"));
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::InUse` while it is used; a conversion error for what is no host object, or no more; `Error::Closed`, `Error::Forked`.
    pub fn destroy(&self) -> Result<()> {
        self.0.with(|stack, index| match stack.destroy_host(index) {
            Some((_, true)) => Ok(()),
            Some((name, false)) => Err(Error::InUse(name.into())),
            None => Err(Slot::new(stack, index).mismatch("live host object")),
        })
    }
}

impl Slot<'_> {
    /// A copy of the value of a user type in the slot, for implementations of [`FromLua`](crate::FromLua); see
    /// [`by_value`](crate::by_value).
    ///
    /// ```
    /// use lupa_core::{FromLua, Members, Result, Runtime, Slot, UserType};
    ///
    /// #[derive(Debug, Clone, PartialEq)]
    /// struct Colour(u8, u8, u8);
    ///
    /// impl UserType for Colour {
    ///     const NAME: &'static str = "Colour";
    ///     fn members(members: &mut Members<Self>) {
    ///         members.function("darker", |this: &Self| Colour(this.0 / 2, this.1 / 2, this.2 / 2));
    ///     }
    /// }
    ///
    /// /// Also by its name.
    /// impl<'s> FromLua<'s> for Colour {
    ///     fn from_lua(slot: Slot<'s>) -> Result<Self> {
    ///         match slot.bytes() {
    ///             Some(b"red") => Ok(Colour(255, 0, 0)),
    ///             _ => slot.cloned(),
    ///         }
    ///     }
    /// }
    ///
    /// let lua = Runtime::new()?;
    /// assert_eq!(lua.load("return 'red'").eval::<Colour>()?, Colour(255, 0, 0));
    /// let dark: Colour = lua.load("return (...):darker()").call(Colour(8, 6, 4))?;
    /// assert_eq!(dark, Colour(4, 3, 2));
    /// assert!(lua.load("return 'rod'").eval::<Colour>().is_err());
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// A conversion error for another type; `Error::InUse` while the value is being changed; an error for one that was taken.
    pub fn cloned<T: UserType + Clone>(self) -> Result<T> {
        UserRef::<T>::of_slot(self).map(|value| value.clone())
    }
}

/// Lets values of user types be read from Lua as copies, which implements [`FromLua`](crate::FromLua) for them: by value as
/// arguments and fields, in vectors and maps, as results. They must be `Clone`.
///
/// What a getter gives is a copy, too: `shape.corners[1].x = 5` changes that and not the shape; `local all = shape.corners … shape.corners = all` does.
///
/// ```
/// use lupa_core::{Members, Operation, Runtime, UserType, by_value, function};
///
/// #[derive(Debug, Clone, Copy, PartialEq)]
/// struct Point { x: f64, y: f64 }
/// by_value!(Point);
///
/// impl UserType for Point {
///     const NAME: &'static str = "Point";
///     fn members(members: &mut Members<Self>) {
///         members
///             .function("new", |x: f64, y: f64| Point { x, y })
///             .metamethod(Operation::Add, |a: Point, b: Point| Point { x: a.x + b.x, y: a.y + b.y });
///     }
/// }
///
/// struct Shape { corners: Vec<Point> }
///
/// impl UserType for Shape {
///     const NAME: &'static str = "Shape";
///     fn members(members: &mut Members<Self>) {
///         members.field("corners", |this| this.corners.clone(), |this, to| this.corners = to);
///     }
/// }
///
/// let lua = Runtime::new()?;
/// lua.globals()?.set("Point", lua.type_table::<Point>()?)?;
/// let shape = lua.create_userdata(Shape { corners: vec![] })?;
/// lua.load("local s = ... s.corners = { Point.new(1, 2), Point.new(3, 4) }").call::<()>(&shape)?;
/// let sum: Point = lua.load("local s = ... return s.corners[1] + s.corners[2]").call(&shape)?;
/// assert_eq!(sum, Point { x: 4.0, y: 6.0 });
/// let error = lua.load("(...).corners = { 'x' }").call::<()>(&shape).unwrap_err();
/// assert_eq!(error.text(), "Shape.corners: at index 1: cannot convert string to Point");
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[macro_export]
macro_rules! by_value {
    ($($type:ty),+ $(,)?) => {$(
        impl<'s> $crate::FromLua<'s> for $type {
            fn from_lua(slot: $crate::Slot<'s>) -> $crate::Result<Self> {
                slot.cloned()
            }
        }
    )+};
}
