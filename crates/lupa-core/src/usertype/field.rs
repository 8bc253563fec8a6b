//! The fields of a user type.

use super::UserType;
use super::members::{Action, ActionMut, Member, Members};
use crate::closure::IntoResults;
use crate::convert::{FromLua, IntoLua, Owned};
use crate::error::ErrorContext;
use crate::error::{Error, Result};

/// What the getter of a field can give: a value ([`IntoLua`]), or a [`Result`] of one.
///
/// The error type of the `Result` is [`Error`], as for [`IntoResults`].
///
/// ```
/// use lupa_core::{Error, Members, Runtime, UserType};
///
/// struct Task { title: String, done: Option<f64> }
///
/// impl UserType for Task {
///     const NAME: &'static str = "Task";
///     fn members(members: &mut Members<Self>) {
///         members
///             .read_only("title", |this| this.title.clone())
///             // What the getter may give is what the setter takes.
///             .field(
///                 "percent",
///                 |this| this.done.map(|done| done * 100.0).ok_or_else(|| Error::message("not begun")),
///                 |this, percent| this.done = Some(percent / 100.0),
///             );
///     }
/// }
///
/// let lua = Runtime::new()?;
/// lua.globals()?.set("task", Task { title: "bake".into(), done: None })?;
/// assert_eq!(lua.load("return task.percent").exec().unwrap_err().text(), "Task.percent: not begun");
/// let text: String = lua.load("task.percent = 50 return task.title .. ' ' .. task.percent").eval()?;
/// assert_eq!(text, "bake 50");
/// # Ok::<(), Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be what a field gives",
    note = "it can be a value that implements `IntoLua`, or a `Result` of one with `lupa_core::Error`"
)]
pub trait FieldValue: IntoResults {
    /// The value, which the setter takes.
    #[doc(hidden)]
    type Value;
}

impl<V: IntoLua> FieldValue for V {
    type Value = V;
}

impl<V: IntoLua> FieldValue for Result<V, Error> {
    type Value = V;
}

/// Fields. Each closure may give a `Result`. An error arrives in Lua code as what it is, with the names of type and field before its text
/// ([`Error::context`]); so does one that says that a value to be set is of the wrong type.
impl<T: UserType> Members<T> {
    /// Adds a field that can be read.
    ///
    /// ```
    /// use lupa_core::{Error, Members, Runtime, UserType};
    ///
    /// struct File(std::path::PathBuf);
    ///
    /// impl UserType for File {
    ///     const NAME: &'static str = "File";
    ///     fn members(members: &mut Members<Self>) {
    ///         members
    ///             .read_only("name", |this| this.0.display().to_string())
    ///             .read_only("size", |this| Ok(std::fs::metadata(&this.0)?.len()));
    ///     }
    /// }
    ///
    /// let lua = Runtime::new()?;
    /// lua.globals()?.set("file", File("no/such.file".into()))?;
    /// let error = lua.load("return file.size").eval::<u64>().unwrap_err();
    /// assert!(error.to_string().starts_with("File.size: "));
    /// assert_eq!(error.downcast_ref::<std::io::Error>().unwrap().kind(), std::io::ErrorKind::NotFound);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn read_only<V, G>(&mut self, name: &str, get: G) -> &mut Self
    where
        V: FieldValue,
        G: Fn(&T) -> V + Send + Sync + 'static,
    {
        let get = getter(name, get);
        self.named
            .insert(name.into(), Member::Field { get, set: None });
        self
    }

    /// Adds a field that can be read and set.
    ///
    /// ```
    /// use lupa_core::{Error, Members, Runtime, UserType};
    ///
    /// struct Player { lives: u32 }
    ///
    /// impl UserType for Player {
    ///     const NAME: &'static str = "Player";
    ///     fn members(members: &mut Members<Self>) {
    ///         members.field("lives", |this| this.lives, |this, lives| {
    ///             if lives > 9 {
    ///                 return Err(Error::message("no cat has that many"));
    ///             }
    ///             this.lives = lives;
    ///             Ok(())
    ///         });
    ///     }
    /// }
    ///
    /// let lua = Runtime::new()?;
    /// lua.globals()?.set("player", Player { lives: 3 })?;
    /// lua.load("player.lives = player.lives + 6").exec()?;
    /// let error = lua.load("player.lives = player.lives + 1").exec().unwrap_err();
    /// assert_eq!(error.text(), "Player.lives: no cat has that many");
    /// let error = lua.load("player.lives = 'all'").exec().unwrap_err();
    /// assert!(error.to_string().starts_with("Player.lives: cannot convert string to u32"));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn field<V, G, S, R>(&mut self, name: &str, get: G, set: S) -> &mut Self
    where
        V: FieldValue<Value: Owned>,
        G: Fn(&T) -> V + Send + Sync + 'static,
        S: Fn(&mut T, V::Value) -> R + Send + Sync + 'static,
        R: IntoResults,
    {
        let get = getter(name, get);
        let field = full_name::<T>(name);
        let set: ActionMut<T> = Box::new(move |value, call| {
            V::Value::from_lua(call.arg(2))
                .and_then(|new| set(value, new).give(call))
                .context(&field)
        });
        let set = Some(set);
        self.named.insert(name.into(), Member::Field { get, set });
        self
    }
}

fn getter<T: UserType, V: FieldValue>(
    name: &str,
    get: impl Fn(&T) -> V + Send + Sync + 'static,
) -> Action<T> {
    let field = full_name::<T>(name);
    Box::new(move |value, call| get(value).give(call).context(&field))
}

/// How messages name a field.
fn full_name<T: UserType>(name: &str) -> String {
    format!("{}.{name}", T::NAME)
}
