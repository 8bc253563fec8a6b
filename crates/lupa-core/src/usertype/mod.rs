//! Rust types with methods and fields in Lua.

mod access;
mod field;
mod members;
mod object;

pub use field::FieldValue;
pub use members::Members;
pub(crate) use object::{UserObject, push};

use std::borrow::Cow;

/// Name of a member as an attribute filter sees it.
///
/// ```
/// use lupa_core::{Access, Error, MemberName, Members, Result, Runtime, UserType};
///
/// /// Keeps names with an underscore from Lua code.
/// fn public<'n>(object: &str, name: MemberName<'n>, _: Access) -> Result<MemberName<'n>> {
///     match name.first() {
///         Some(b'_') => Err(Error::message(format!("a member of {object} is private"))),
///         _ => Ok(name),
///     }
/// }
///
/// struct Player;
///
/// impl UserType for Player {
///     const NAME: &'static str = "Player";
///     fn members(members: &mut Members<Self>) {
///         members.read_only("name", |_| "Ada").read_only("_id", |_| 7);
///     }
/// }
///
/// let lua = Runtime::builder().attribute_filter(public).build()?;
/// lua.globals()?.set("player", Player)?;
/// assert_eq!(lua.load("return player.name").eval::<String>()?, "Ada");
/// let error = lua.load("return player._id").exec().unwrap_err();
/// assert_eq!(error.text(), "a member of Player is private");
/// # Ok::<(), lupa_core::Error>(())
/// ```
pub type MemberName<'a> = Cow<'a, [u8]>;

/// A Rust type whose values Lua code can use by methods, fields and operators.
///
/// Access is checked at run time as by a `RefCell`: while a method with `&mut self` runs, another
/// access to the same value, from Lua code that the method calls, is a Lua error.
///
/// A value becomes an object of Lua's wherever a value is converted: as a field, an argument, a result. Host
/// functions take objects by reference, `&T` or `&mut T` (see [`Argument`](crate::Argument)), [`UserData`](crate::UserData) lends them to Rust code, and
/// [`Scope::object`](crate::Scope::object) lends to Lua what stays the host's.
///
/// ```
/// use lupa_core::{Members, Operation, Result, Runtime, UserType};
///
/// struct Point { x: f64, y: f64 }
///
/// impl UserType for Point {
///     const NAME: &'static str = "Point";
///     fn members(members: &mut Members<Self>) {
///         members
///             .field("x", |p| p.x, |p, x| p.x = x)
///             .read_only("y", |p| p.y)
///             .function("new", |x: f64, y: f64| Point { x, y })
///             .function("distance", |this: &Self, to: &Self| (this.x - to.x).hypot(this.y - to.y))
///             .function("scale", |this: &mut Self, by: f64| {
///                 this.x *= by;
///                 this.y *= by;
///             })
///             .metamethod(Operation::Neg, |this: &Self| Point { x: -this.x, y: -this.y })
///             .metamethod(Operation::ToString, |this: &Self| format!("({}, {})", this.x, this.y));
///     }
/// }
///
/// let lua = Runtime::new()?;
/// lua.globals()?.set("Point", lua.type_table::<Point>()?)?;
/// lua.globals()?.set("p", Point { x: 3.0, y: 4.0 })?;
/// lua.load("p:scale(2); p.x = p.x + 1").exec()?;
/// assert_eq!(lua.load("return tostring(-p)").eval::<String>()?, "(-7, -8)");
/// assert_eq!(lua.load("return p:distance(Point.new(7, 5))").eval::<f64>()?, 3.0);
/// # Ok::<(), lupa_core::Error>(())
/// ```
pub trait UserType: Send + Sized + 'static {
    /// Name of the type, for messages.
    const NAME: &'static str;

    /// Names the methods, fields and operators; called once a runtime.
    fn members(members: &mut Members<Self>);
}
