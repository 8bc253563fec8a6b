//! Functions and objects that borrow from the host's stack, for the time of a scope.

use crate::closure::{HostFn, HostFnMut};
use crate::error::{Error, Result};
use crate::function::Function;
use crate::host::{Call, HostObject, Operation};
use crate::raw::cell::ObjectCell;
use crate::raw::scope::{Callable, LentFunction, Loans};
use crate::reference::UserData;
use crate::runtime::Runtime;
use crate::usertype::UserType;
use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::Arc;

/// Lends to Lua what lives on the host's stack; see [`Runtime::scope`].
///
/// `'scope` is the time of the scope, `'env` that of what is borrowed from outside it. The scope may be
/// copied into the closures that it lends, which can so lend more.
///
/// ```
/// use lupa_core::Runtime;
///
/// let lua = Runtime::new()?;
/// let words: &[&str] = &["tea", "cake"];
/// let mut length = 0;
/// lua.scope(|scope| {
///     let globals = scope.runtime().globals()?;
///     // A function that lends another one: an iterator.
///     globals.set("words", scope.function(move || {
///         let mut rest = words.iter();
///         scope.function_mut(move || rest.next().copied())
///     })?)?;
///     globals.set("add", scope.function_mut(|n: usize| length += n)?)?;
///     lua.load("for word in words() do add(#word) end").exec()
/// })?;
/// assert_eq!(length, 7);
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Scope<'scope, 'env> {
    loans: &'scope Loans<'scope, 'env>,
}

impl Runtime {
    /// Runs `body`, which can make functions of closures that borrow: from variables outside the scope, mutably too.
    ///
    /// When `body` returns or panics, all that it lent is taken back. Lua code may have kept such a function, in a
    /// global or a coroutine; to call it then is an error in Lua, with the text of [`Error::ScopeEnded`].
    ///
    /// The scope holds the runtime's lock for its whole time, as [`Runtime::lock`] does: other threads that use the
    /// runtime wait for its end. In return the closures need be neither `Send` nor `Sync`: `Rc`, `Cell`
    /// and what else belongs to one thread may be captured.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// let names = vec!["Ann", "Bob"];
    /// let mut greeted = Vec::new();
    /// lua.scope(|scope| {
    ///     lua.globals()?.set("name", scope.function(|n: usize| names.get(n - 1).copied())?)?;
    ///     lua.globals()?.set("greet", scope.function_mut(|name: String| greeted.push(name))?)?;
    ///     lua.load("for n = 1, 2 do greet('Hello, ' .. name(n)) end").exec()
    /// })?;
    /// assert_eq!(greeted, ["Hello, Ann", "Hello, Bob"]);
    ///
    /// let error = lua.load("name(1)").exec().unwrap_err();
    /// assert!(error.to_string().contains("the scope of the function has ended"));
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// What `body` gives; [`Error::Forked`].
    pub fn scope<'env, R>(
        &self,
        body: impl for<'scope> FnOnce(Scope<'scope, 'env>) -> Result<R>,
    ) -> Result<R> {
        Loans::with(self, |loans| body(Scope { loans }))?
    }
}

impl<'scope> Scope<'scope, '_> {
    /// The runtime.
    pub fn runtime(self) -> &'scope Runtime {
        self.loans.runtime()
    }

    /// As [`Runtime::function`], for a closure that may borrow from outside the scope.
    ///
    /// # Panics
    /// When the closure uses a view of the stack that it has captured ([`Slot`](crate::Slot), [`Call`], [`Results`](crate::Results),
    /// [`TableBuilder`](crate::TableBuilder)): it is called in a frame of its own. What was read of them before may be captured.
    ///
    /// # Errors
    /// As [`Runtime::function`], and [`Error::ScopeEnded`] if the `Drop` of something lent asks for more.
    pub fn function<Signature: 'scope>(
        self,
        function: impl HostFn<Signature> + 'scope,
    ) -> Result<Function> {
        self.lend(Typed(function, PhantomData))
    }

    /// As [`Runtime::function_mut`], for a closure that may borrow from outside the scope.
    ///
    /// # Errors
    /// As [`Scope::function`].
    pub fn function_mut<Signature: 'scope>(
        self,
        function: impl HostFnMut<Signature> + 'scope,
    ) -> Result<Function> {
        self.lend(TypedMut(RefCell::new(function), PhantomData))
    }

    /// Lends an object to be read: its methods with `&self`, fields and operators work, what would change it is an error.
    ///
    /// ```
    /// use lupa_core::{Members, Runtime, UserType};
    ///
    /// struct Settings { width: u32 }
    ///
    /// impl UserType for Settings {
    ///     const NAME: &'static str = "Settings";
    ///     fn members(members: &mut Members<Self>) {
    ///         members.field("width", |this| this.width, |this, to| this.width = to);
    ///     }
    /// }
    ///
    /// let lua = Runtime::new()?;
    /// let settings = Settings { width: 80 };
    /// lua.scope(|scope| {
    ///     lua.globals()?.set("settings", scope.object(&settings)?)?;
    ///     assert_eq!(lua.load("return settings.width").eval::<u32>()?, settings.width);
    ///     let error = lua.load("settings.width = 100").exec().unwrap_err();
    ///     assert_eq!(error.text(), "the Settings was lent to be read only");
    ///     Ok(())
    /// })?;
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Scope::function`].
    pub fn object<T: UserType>(self, object: &'scope T) -> Result<UserData> {
        let loan = self.loans.lend_object(object)?;
        self.runtime()
            .create(|to| crate::usertype::push(to, ObjectCell::lent(loan)))
            .map(UserData)
    }

    /// Lends an object that Lua code can change.
    ///
    /// ```
    /// use lupa_core::{Members, Runtime, UserType};
    ///
    /// struct Account { balance: f64 }
    ///
    /// impl UserType for Account {
    ///     const NAME: &'static str = "Account";
    ///     fn members(members: &mut Members<Self>) {
    ///         members.field("balance", |this| this.balance, |this, to| this.balance = to);
    ///     }
    /// }
    ///
    /// let lua = Runtime::new()?;
    /// let mut account = Account { balance: 10.0 };
    /// lua.scope(|scope| {
    ///     lua.globals()?.set("account", scope.object_mut(&mut account)?)?;
    ///     lua.load("account.balance = account.balance + 5").exec()
    /// })?;
    /// assert_eq!(account.balance, 15.0);
    /// assert!(lua.load("return account.balance").exec().is_err());
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Scope::function`].
    pub fn object_mut<T: UserType>(self, object: &'scope mut T) -> Result<UserData> {
        let loan = self.loans.lend_object_mut(object)?;
        self.runtime()
            .create(|to| crate::usertype::push(to, ObjectCell::lent(loan)))
            .map(UserData)
    }

    fn lend(self, closure: impl Callable + 'scope) -> Result<Function> {
        let loan = self.loans.lend(Box::new(closure))?;
        self.runtime()
            .create(|to| to.function(ScopedFunction(loan)))
            .map(Function)
    }
}

impl std::fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scope")
            .field("runtime", self.runtime())
            .finish_non_exhaustive()
    }
}

/// What Lua owns of a lent closure.
struct ScopedFunction(Arc<LentFunction>);

impl HostObject for ScopedFunction {
    const NAME: &'static str = "function";
    const OPERATIONS: &'static [Operation] = &[Operation::Call];

    fn invoke(&self, _: Operation, call: &mut Call<'_>) -> Result<()> {
        self.0.call(call)
    }
}

struct Typed<F, Signature>(F, PhantomData<fn() -> Signature>);

impl<F: HostFn<Signature>, Signature> Callable for Typed<F, Signature> {
    fn call(&self, call: &mut Call<'_>) -> Result<()> {
        self.0.invoke(call)
    }
}

struct TypedMut<F, Signature>(RefCell<F>, PhantomData<fn() -> Signature>);

impl<F: HostFnMut<Signature>, Signature> Callable for TypedMut<F, Signature> {
    fn call(&self, call: &mut Call<'_>) -> Result<()> {
        match self.0.try_borrow_mut() {
            Ok(mut function) => function.invoke(call),
            Err(_) => Err(Error::InUse("the function".into())),
        }
    }
}
