//! Attribute filters: a policy over what Lua code may reach by name.

use crate::error::Result;

/// What Lua code is about to do with a member of a host object.
///
/// ```
/// use lupa_core::{Access, Error, Members, Runtime, UserType};
///
/// struct Clock { hour: u8 }
///
/// impl UserType for Clock {
///     const NAME: &'static str = "Clock";
///     fn members(members: &mut Members<Self>) {
///         members.field("hour", |this| this.hour, |this, hour| this.hour = hour);
///     }
/// }
///
/// let lua = Runtime::builder()
///     .attribute_filter(|_, name, access| match access {
///         Access::Get => Ok(name),
///         Access::Set => Err(Error::message("objects are read-only")),
///     })
///     .build()?;
/// lua.globals()?.set("clock", Clock { hour: 5 })?;
/// assert_eq!(lua.load("return clock.hour").eval::<u8>()?, 5);
/// assert!(lua.load("clock.hour = 6").exec().is_err());
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read it.
    Get,
    /// Set it.
    Set,
}

/// Decides over each access by name to a host object's members.
///
/// `Object` is how the binding shows the object and `Name` how it shows the name. The filter
/// gives the name to use, which may be another one, or an error, which is raised in Lua.
/// It runs on the thread that runs the Lua code.
///
/// [`Builder::attribute_filter`](crate::Builder::attribute_filter) sets one for the objects of
/// [`UserType`](crate::UserType)s. It is asked for methods, fields, and the names that are no members and go to
/// [`Operation::Index`](crate::Operation::Index) or [`Operation::NewIndex`](crate::Operation::NewIndex); not for
/// operators, and not for keys that are no strings.
/// [`Runtime::type_table`](crate::Runtime::type_table) leaves out what it denies.
///
/// ```
/// use lupa_core::{Access, Error, Members, Operation, Runtime, UserType};
///
/// struct Account { owner: String, pin: u32 }
///
/// impl UserType for Account {
///     const NAME: &'static str = "Account";
///     fn members(members: &mut Members<Self>) {
///         members
///             .field("owner", |this| this.owner.clone(), |this, owner| this.owner = owner)
///             .read_only("pin", |this| this.pin)
///             .function("greet", |this: &Self| format!("Hello, {}!", this.owner))
///             .metamethod(Operation::Index, |_: &Self, name: &str| format!("no {name}"));
///     }
/// }
///
/// let lua = Runtime::builder()
///     .attribute_filter(|object, name, access| match (&*name, access) {
///         (b"pin", _) => Err(Error::message(format!("{object} keeps its pin"))),
///         (_, Access::Set) => Err(Error::message("accounts are read-only")),
///         // Another name for a member.
///         (b"hello", Access::Get) => Ok(b"greet".into()),
///         _ => Ok(name),
///     })
///     .build()?;
/// lua.globals()?.set("account", Account { owner: "Ann".into(), pin: 1234 })?;
///
/// assert_eq!(lua.load("return account:hello()").eval::<String>()?, "Hello, Ann!");
/// assert_eq!(lua.load("return account.limit").eval::<String>()?, "no limit");
/// assert!(lua.load("return account.pin").exec().unwrap_err().to_string().contains("keeps its pin"));
/// assert!(lua.load("account.owner = 'Bob'").exec().unwrap_err().to_string().contains("read-only"));
/// # Ok::<(), lupa_core::Error>(())
/// ```
pub trait AttributeFilter<Object, Name>: Send + Sync {
    /// Decides over one access.
    ///
    /// ```
    /// use lupa_core::{Access, AttributeFilter, Error, Result};
    ///
    /// /// Keeps names that start with `_` from Lua code, in a binding of one's own.
    /// struct NoPrivate;
    ///
    /// impl<'n, Object> AttributeFilter<Object, &'n str> for NoPrivate {
    ///     fn filter(&self, _: Object, name: &'n str, _: Access) -> Result<&'n str> {
    ///         match name.starts_with('_') {
    ///             true => Err(Error::message(format!("'{name}' is private"))),
    ///             false => Ok(name),
    ///         }
    ///     }
    /// }
    ///
    /// assert_eq!(NoPrivate.filter((), "name", Access::Set)?, "name");
    /// assert_eq!(NoPrivate.filter((), "_id", Access::Get).unwrap_err().text(), "'_id' is private");
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Any error denies the access and is raised in Lua.
    fn filter(&self, object: Object, name: Name, access: Access) -> Result<Name>;
}

impl<F, Object, Name> AttributeFilter<Object, Name> for F
where
    F: Fn(Object, Name, Access) -> Result<Name> + Send + Sync,
{
    fn filter(&self, object: Object, name: Name, access: Access) -> Result<Name> {
        self(object, name, access)
    }
}
