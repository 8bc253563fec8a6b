//! What Lua code does with tables and objects alike: `object:name(…)`, `object.name(…)`, `object(…)`.

use crate::call::Directly;
use crate::convert::{FromLuaMulti, IntoLua, IntoLuaMulti, Owned};
use crate::error::Result;
use crate::reference::UserData;
use crate::table::Table;

/// The calls; for a [`Function`](crate::Function) as such see there.
macro_rules! objects {
    ($($(#[$about:meta])* $name:ident;)*) => {$(
        $(#[$about])*
        impl $name {
            /// Lua's `object:name(...)`: calls what is found by the name, with the object before the arguments.
            ///
            /// ```
            /// use lupa_core::{Runtime, Table};
            ///
            /// let lua = Runtime::new()?;
            /// let stack: Table = lua
            ///     .load("return { n = 0, push = function(self, n) self.n = self.n + n return self.n end, max = math.max }")
            ///     .eval()?;
            /// assert_eq!(stack.call_method::<i64>("push", 5)?, 5);
            /// assert_eq!(stack.call_function::<i64>("max", (3, stack.get::<i64>("n")?))?, 5);
            /// let error = stack.call_method::<()>("pop", ()).unwrap_err();
            /// assert_eq!(error.to_string(), "attempt to call method 'pop' (a nil value)");
            /// # Ok::<(), lupa_core::Error>(())
            /// ```
            ///
            /// # Errors
            /// A runtime error if there is no such method; whatever it raises, errors of the conversions,
            /// `Error::Closed`, `Error::Forked`.
            pub fn call_method<R>(&self, name: &str, arguments: impl IntoLuaMulti) -> Result<R>
            where
                R: for<'s> FromLuaMulti<'s>,
            {
                self.0.call_member(
                    name,
                    true,
                    |to| arguments.push_all(to),
                    |results| R::from_results(results),
                )
            }

            /// Lua's `object.name(...)`: calls what is found by the name with the arguments alone.
            ///
            /// # Errors
            /// As [`Self::call_method`].
            pub fn call_function<R>(&self, name: &str, arguments: impl IntoLuaMulti) -> Result<R>
            where
                R: for<'s> FromLuaMulti<'s>,
            {
                self.0.call_member(
                    name,
                    false,
                    |to| arguments.push_all(to),
                    |results| R::from_results(results),
                )
            }

            /// Lua's `object(...)`, by the metamethod `__call`.
            ///
            /// ```
            /// use lupa_core::{Runtime, Table};
            ///
            /// let lua = Runtime::new()?;
            /// let double: Table = lua.load("return setmetatable({}, { __call = function(_, n) return n * 2 end })").eval()?;
            /// assert_eq!(double.call::<i64>(21)?, 42);
            /// assert!(lua.create_table()?.call::<()>(()).is_err());
            /// # Ok::<(), lupa_core::Error>(())
            /// ```
            ///
            /// # Errors
            /// A runtime error if there is none, else as [`Self::call_method`].
            pub fn call<R>(&self, arguments: impl IntoLuaMulti) -> Result<R>
            where
                R: for<'s> FromLuaMulti<'s>,
            {
                self.0.call_with(
                    |to| arguments.push_all(to),
                    Directly,
                    |results| R::from_results(results),
                )
            }
        }
    )*};
}

objects! {
    /// Calls of what a table has.
    Table;

    /// Calls and fields of an object, as Lua code has them: of a [`UserType`](crate::UserType), a
    /// [`HostObject`](crate::HostObject), a file. Where the Rust type is known, [`UserData::borrow`] reaches the value itself.
    UserData;
}

impl UserData {
    /// Lua's `object[key]`, by the metamethod `__index`.
    ///
    /// # Errors
    /// A runtime error for userdata without an index; errors of the metamethod and of the conversions, `Error::Closed`,
    /// `Error::Forked`.
    pub fn get<V: Owned>(&self, key: impl IntoLua) -> Result<V> {
        self.0
            .get_with(|to| key.into_lua(to), Directly, |slot| V::from_lua(slot))
    }

    /// Lua's `object[key] = value`, by the metamethod `__newindex`.
    ///
    /// ```
    /// use lupa_core::{Members, Runtime, UserType};
    ///
    /// struct Account { balance: i64 }
    ///
    /// impl UserType for Account {
    ///     const NAME: &'static str = "Account";
    ///     fn members(members: &mut Members<Self>) {
    ///         members
    ///             .field("balance", |this| this.balance, |this, to| this.balance = to)
    ///             .function("pay", |this: &mut Self, amount: i64| { this.balance += amount; this.balance });
    ///     }
    /// }
    ///
    /// let lua = Runtime::new()?;
    /// let account = lua.create_userdata(Account { balance: 10 })?;
    /// assert_eq!(account.call_method::<i64>("pay", 5)?, 15);
    /// account.set("balance", account.get::<i64>("balance")? * 2)?;
    /// assert_eq!(account.borrow::<Account>()?.balance, 30);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`UserData::get`].
    pub fn set(&self, key: impl IntoLua, value: impl IntoLua) -> Result<()> {
        self.0
            .set_with(|to| key.into_lua(to), |to| value.into_lua(to), Directly)
    }
}
