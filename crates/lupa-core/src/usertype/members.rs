//! The members of a user type.

use super::{UserObject, UserType};
use crate::closure::HostFn;
use crate::error::Result;
use crate::host::{Call, HostObject, Operation};
use crate::pusher::Pusher;
use crate::raw::Stack;
use crate::raw::cell::{UserRef, UserRefMut};
use crate::raw::slots::SlotKey;
use std::collections::HashMap;
use std::fmt::{Debug, Display};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, OnceLock};

/// What Lua code calls, its arguments still unread.
type Body = dyn Fn(&mut Call<'_>) -> Result<()> + Send + Sync;
pub(super) type Action<T> = Box<dyn Fn(&T, &mut Call<'_>) -> Result<()> + Send + Sync>;
pub(super) type ActionMut<T> = Box<dyn Fn(&mut T, &mut Call<'_>) -> Result<()> + Send + Sync>;

pub(super) enum Member<T> {
    Function(MemberFunction),
    Field {
        get: Action<T>,
        set: Option<ActionMut<T>>,
    },
}

/// An operator: of the value it was found for, or of its operands.
pub(super) enum Operator<T> {
    OfValue(Action<T>),
    OfOperands(Box<Body>),
}

/// FNV-1a: quicker than the standard hash for short names. The host alone decides on the names in the map, so
/// nobody can fill it with those that collide.
pub(super) struct NameHasher(u64);

impl Default for NameHasher {
    fn default() -> Self {
        NameHasher(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for NameHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The members of a [`UserType`], being named.
///
/// | Method | Member | Its closure |
/// |---|---|---|
/// | [`function`](Self::function) | method or static function | typed: `\|this: &Self, x: f64\| …` |
/// | [`field`](Self::field), [`read_only`](Self::read_only) | field | `\|this\| …`, `\|this, value\| …` |
/// | [`metamethod`](Self::metamethod) | operator | typed: `\|a: &Self, b: &Self\| …` |
/// | [`method`](Self::method), [`method_mut`](Self::method_mut), [`operator`](Self::operator) | the same | reads its arguments and pushes its results itself: `\|this, call\| …` |
///
/// Of two members with one name the last one counts.
pub struct Members<T> {
    pub(super) named: HashMap<Vec<u8>, Member<T>, BuildHasherDefault<NameHasher>>,
    operators: [Option<Operator<T>>; Operation::ALL.len()],
    /// Metamethods that no [`Operation`] stands for.
    metafields: Vec<(&'static str, MemberFunction)>,
    /// Set when the metatable has them.
    completed: OnceLock<()>,
}

impl<T: UserType> Members<T> {
    pub(super) fn new() -> Self {
        let mut members = Members {
            named: HashMap::default(),
            operators: std::array::from_fn(|_| None),
            metafields: Vec::new(),
            completed: OnceLock::new(),
        };
        T::members(&mut members);
        members
    }

    /// Adds a function with typed arguments, as for [`Runtime::function`](crate::Runtime::function).
    ///
    /// Lua's `value:name(...)` passes the value as the first argument, so a function that takes `&Self` or `&mut Self` first is
    /// a method. One that does not is a static function, for [`Runtime::type_table`](crate::Runtime::type_table). Other arguments may be
    /// objects, too: `&Self` or any other user type. What is given back may be a new object.
    ///
    /// ```
    /// use lupa_core::{Members, Runtime, UserType};
    ///
    /// struct Vector(f64, f64);
    ///
    /// impl UserType for Vector {
    ///     const NAME: &'static str = "Vector";
    ///     fn members(members: &mut Members<Self>) {
    ///         members
    ///             .function("new", |x: f64, y: f64| Vector(x, y))
    ///             .function("plus", |this: &Self, other: &Self| Vector(this.0 + other.0, this.1 + other.1))
    ///             .function("scale", |this: &mut Self, by: Option<f64>| {
    ///                 let by = by.unwrap_or(2.0);
    ///                 (this.0, this.1) = (this.0 * by, this.1 * by);
    ///             })
    ///             .function("parts", |this: &Self| (this.0, this.1));
    ///     }
    /// }
    ///
    /// let lua = Runtime::new()?;
    /// lua.globals()?.set("Vector", lua.type_table::<Vector>()?)?;
    /// let parts: (f64, f64) = lua
    ///     .load("local v = Vector.new(1, 2):plus(Vector.new(3, 4)) v:scale() return v:parts()")
    ///     .eval()?;
    /// assert_eq!(parts, (8.0, 12.0));
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn function<Signature>(
        &mut self,
        name: &str,
        function: impl HostFn<Signature> + Send + Sync + 'static,
    ) -> &mut Self {
        self.add_function(name, move |call| function.invoke(call))
    }

    /// Adds a method. Lua code calls it as `value:name(...)`; argument 0 is the value itself.
    ///
    /// ```
    /// use lupa_core::{Members, Operation, Runtime, UserType};
    ///
    /// struct Log(Vec<String>);
    ///
    /// impl UserType for Log {
    ///     const NAME: &'static str = "Log";
    ///     fn members(members: &mut Members<Self>) {
    ///         members
    ///             // As many lines as there are arguments.
    ///             .method_mut("add", |this, call| {
    ///                 for index in 1..call.len() {
    ///                     this.0.push(call.get(index)?);
    ///                 }
    ///                 Ok(())
    ///             })
    ///             // As many results as lines are asked for.
    ///             .method("last", |this, call| {
    ///                 let count: usize = call.get(1)?;
    ///                 this.0.iter().rev().take(count).try_for_each(|line| call.push(line))
    ///             })
    ///             .operator(Operation::Len, |this, call| call.push(this.0.len()));
    ///     }
    /// }
    ///
    /// let lua = Runtime::new()?;
    /// lua.globals()?.set("log", Log(vec![]))?;
    /// lua.load("log:add('one', 'two') log:add('three')").exec()?;
    /// let all: (usize, String, String) = lua.load("return #log, log:last(2)").eval()?;
    /// assert_eq!(all, (3, "three".into(), "two".into()));
    /// let error = lua.load("log:last('x')").exec().unwrap_err();
    /// assert_eq!(error.text(), "bad argument #1: cannot convert string to usize");
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn method<F>(&mut self, name: &str, method: F) -> &mut Self
    where
        F: Fn(&T, &mut Call<'_>) -> Result<()> + Send + Sync + 'static,
    {
        self.add_function(name, move |call| {
            let this = UserRef::of_slot(call.arg(0)).map_err(|cause| call.bad(0, cause))?;
            method(&this, call)
        })
    }

    /// Adds a method that changes the value.
    pub fn method_mut<F>(&mut self, name: &str, method: F) -> &mut Self
    where
        F: Fn(&mut T, &mut Call<'_>) -> Result<()> + Send + Sync + 'static,
    {
        self.add_function(name, move |call| {
            let mut this = UserRefMut::of_slot(call.arg(0)).map_err(|cause| call.bad(0, cause))?;
            method(&mut this, call)
        })
    }

    fn add_function(
        &mut self,
        name: &str,
        body: impl Fn(&mut Call<'_>) -> Result<()> + Send + Sync + 'static,
    ) -> &mut Self {
        let function = Member::Function(MemberFunction::new(body));
        self.named.insert(name.into(), function);
        self
    }

    /// Adds an operator; arguments are those of [`Operation`]. The value is the one that was found
    /// first among the operands. [`Operation::Index`] and [`Operation::NewIndex`] serve
    /// names that are no members.
    pub fn operator<F>(&mut self, operation: Operation, action: F) -> &mut Self
    where
        F: Fn(&T, &mut Call<'_>) -> Result<()> + Send + Sync + 'static,
    {
        self.operators[operation as usize] = Some(Operator::OfValue(Box::new(action)));
        self
    }

    /// Adds an operator as a function of its operands, with typed arguments as [`Members::function`] has. The operands come in Lua's order:
    /// the object first for `object[key]`, `object[key] = value`, `object(...)`, `tostring(object)`, `#object` and `-object`; for the
    /// others the object may be either. [`Operation::Index`] and [`Operation::NewIndex`] serve
    /// keys that are no members.
    ///
    /// ```
    /// use lupa_core::{Either, Members, Operation, Runtime, UserType};
    ///
    /// #[derive(PartialEq)]
    /// struct Metres(f64);
    ///
    /// impl UserType for Metres {
    ///     const NAME: &'static str = "Metres";
    ///     fn members(members: &mut Members<Self>) {
    ///         members
    ///             .metamethod(Operation::Add, |a: &Self, b: &Self| Metres(a.0 + b.0))
    ///             // The number may stand on either side.
    ///             .metamethod(Operation::Mul, |a: Either<f64, &Self>, b: Either<f64, &Self>| {
    ///                 Metres(a.either(|n| n, |m| m.0) * b.either(|n| n, |m| m.0))
    ///             })
    ///             .metamethod(Operation::Eq, |a: &Self, b: &Self| a == b)
    ///             .metamethod(Operation::Call, |this: &Self, unit: &str| match unit {
    ///                 "cm" => Ok(this.0 * 100.0),
    ///                 _ => Err(format!("unknown unit {unit}").into()),
    ///             });
    ///     }
    /// }
    ///
    /// let lua = Runtime::new()?;
    /// lua.globals()?.set("m", Metres(1.0))?;
    /// assert_eq!(lua.load("return (m + m * 3)('cm')").eval::<f64>()?, 400.0);
    /// assert!(lua.load("return m + m == 2 * m").eval::<bool>()?);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn metamethod<Signature>(
        &mut self,
        operation: Operation,
        function: impl HostFn<Signature> + Send + Sync + 'static,
    ) -> &mut Self {
        let body: Box<Body> = if operation == Operation::Call {
            Box::new(move |call| function.invoke(&mut call.with_callee()))
        } else {
            Box::new(move |call| function.invoke(call))
        };
        self.operators[operation as usize] = Some(Operator::OfOperands(body));
        self
    }

    /// Makes `tostring` give what the type's `Display` does.
    pub fn display(&mut self) -> &mut Self
    where
        T: Display,
    {
        self.operator(Operation::ToString, |this, call| {
            call.push(this.to_string())
        })
    }

    /// Makes `tostring` give what the type's `Debug` does.
    ///
    /// ```
    /// use lupa_core::{Members, Runtime, UserType};
    ///
    /// #[derive(Debug)]
    /// struct Size { width: u32, height: u32 }
    ///
    /// impl UserType for Size {
    ///     const NAME: &'static str = "Size";
    ///     fn members(members: &mut Members<Self>) {
    ///         members.debug();
    ///     }
    /// }
    ///
    /// let lua = Runtime::new()?;
    /// let text: String = lua.load("return tostring(...)").call(Size { width: 4, height: 3 })?;
    /// assert_eq!(text, "Size { width: 4, height: 3 }");
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn debug(&mut self) -> &mut Self
    where
        T: Debug,
    {
        self.operator(Operation::ToString, |this, call| {
            call.push(format!("{this:?}"))
        })
    }

    /// Serves Lua's `pairs(object)`: the function takes the object and gives what `pairs` shall, which is an iterator
    /// function and up to two values for it; [`iterator`](crate::iterator()) makes one.
    ///
    /// LuaJIT asks objects only with the `lua52compat` feature of this crate. Without it, and simpler, give an iterator by a method:
    ///
    /// ```
    /// use lupa_core::{Members, Runtime, UserType, iterator};
    ///
    /// struct Scores(Vec<(String, i64)>);
    ///
    /// impl UserType for Scores {
    ///     const NAME: &'static str = "Scores";
    ///     fn members(members: &mut Members<Self>) {
    ///         members
    ///             .function("each", |this: &Self| iterator(this.0.clone()))
    ///             .pairs(|this: &Self| iterator(this.0.clone()));
    ///     }
    /// }
    ///
    /// let lua = Runtime::new()?;
    /// lua.globals()?.set("scores", Scores(vec![("Ann".into(), 3), ("Bob".into(), 4)]))?;
    /// let sum: i64 = lua.load("local sum = 0 for name, n in scores:each() do sum = sum + n end return sum").eval()?;
    /// assert_eq!(sum, 7);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn pairs<Signature>(
        &mut self,
        function: impl HostFn<Signature> + Send + Sync + 'static,
    ) -> &mut Self {
        self.metafield("__pairs", function)
    }

    /// Serves Lua's `ipairs(object)`, as [`Members::pairs`] does for `pairs`.
    ///
    /// ```
    /// use lupa_core::{Members, Runtime, UserType, iterator};
    ///
    /// struct Queue(Vec<String>);
    ///
    /// impl UserType for Queue {
    ///     const NAME: &'static str = "Queue";
    ///     fn members(members: &mut Members<Self>) {
    ///         members.ipairs(|this: &Self| iterator((1..).zip(this.0.clone()).collect::<Vec<(u32, _)>>()));
    ///     }
    /// }
    ///
    /// let lua = Runtime::new()?;
    /// lua.globals()?.set("queue", Queue(vec!["tea".into(), "cake".into()]))?;
    /// let text = lua.load("local t = '' for n, item in ipairs(queue) do t = t .. n .. item end return t").eval::<String>();
    /// # if cfg!(feature = "lua52compat") {
    /// assert_eq!(text?, "1tea2cake");
    /// # } else {
    /// #     assert!(text.unwrap_err().text().contains("bad argument #1 to 'ipairs'"));
    /// # }
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn ipairs<Signature>(
        &mut self,
        function: impl HostFn<Signature> + Send + Sync + 'static,
    ) -> &mut Self {
        self.metafield("__ipairs", function)
    }

    fn metafield<Signature>(
        &mut self,
        name: &'static str,
        function: impl HostFn<Signature> + Send + Sync + 'static,
    ) -> &mut Self {
        let function = MemberFunction::new(move |call: &mut Call<'_>| function.invoke(call));
        self.metafields.push((name, function));
        self
    }

    pub(super) fn operator_of(&self, operation: Operation) -> Option<&Operator<T>> {
        self.operators[operation as usize].as_ref()
    }

    /// Completes the metatable of the object on top of the stack, once: with the metafields and, where functions are all
    /// that names can give, with a table of them, in which LuaJIT finds a method without calling the host.
    #[inline]
    pub(super) fn complete_metatable(&self, object: Pusher<'_>) -> Result<()> {
        if self.completed.get().is_some() {
            return Ok(());
        }
        self.complete(object.stack())
    }

    #[cold]
    fn complete(&self, stack: Stack<'_>) -> Result<()> {
        let is_function = |member: &Member<T>| matches!(member, Member::Function(_));
        let only_functions = self.named.values().all(is_function)
            && self.operator_of(Operation::Index).is_none()
            && stack.shared().filter().is_none();
        let top = stack.top();
        stack.reserve(8)?;
        if stack.push_metatable(top)
            && let Some(metatable) = stack.table(top + 1)
        {
            for (name, function) in &self.metafields {
                stack.push_bytes(name.as_bytes())?;
                function.push(Pusher::new(stack))?;
                metatable.raw_set()?;
            }
            if only_functions {
                stack.push_bytes(Operation::Index.metamethod().as_bytes())?;
                Pusher::new(stack).new_table(0, self.named.len(), |functions| {
                    self.named
                        .iter()
                        .try_for_each(|(name, member)| match member {
                            Member::Function(function) => {
                                functions.set_with(|to| to.bytes(name), |to| function.push(to))
                            }
                            Member::Field { .. } => Ok(()),
                        })
                })?;
                metatable.raw_set()?;
            }
        }
        stack.pop_to(top);
        let _ = self.completed.set(());
        Ok(())
    }
}

impl<T> Debug for Members<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self
            .named
            .keys()
            .map(|name| String::from_utf8_lossy(name))
            .collect();
        f.debug_struct("Members")
            .field("names", &names)
            .finish_non_exhaustive()
    }
}

impl<T: UserType> Operator<T> {
    #[inline]
    pub(super) fn run(&self, object: &UserObject<T>, call: &mut Call<'_>) -> Result<()> {
        match self {
            Operator::OfValue(action) => action(&*object.cell().shared()?, call),
            Operator::OfOperands(body) => body(call),
        }
    }
}

/// A member that is a function: the same Lua function each time, made at first need and kept with the runtime.
pub(super) struct MemberFunction {
    body: Arc<Body>,
    function: OnceLock<SlotKey>,
    /// What the body gives is an await, and its Lua function one that waits.
    #[cfg(feature = "async")]
    is_async: bool,
}

impl MemberFunction {
    fn new(body: impl Fn(&mut Call<'_>) -> Result<()> + Send + Sync + 'static) -> Self {
        MemberFunction {
            body: Arc::new(body),
            function: OnceLock::new(),
            #[cfg(feature = "async")]
            is_async: false,
        }
    }

    pub(super) fn push(&self, to: Pusher<'_>) -> Result<()> {
        let stack = to.stack();
        if let Some(key) = self.function.get() {
            stack.push_slot(*key);
            return Ok(());
        }
        #[cfg(feature = "async")]
        let base = stack.top();
        to.function(Function(Arc::clone(&self.body)))?;
        #[cfg(feature = "async")]
        if self.is_async {
            crate::asynchronous::push_async(stack)?;
        }
        let key = stack.anchor(stack.top())?;
        let _ = self.function.set(key);
        #[cfg(feature = "async")]
        if self.is_async {
            stack.pop_to(base);
            stack.push_slot(key);
        }
        Ok(())
    }
}

#[cfg(feature = "async")]
impl<T: UserType> Members<T> {
    /// Adds a method that gives a future. Lua code that calls it waits for the result, as it does for that of
    /// [`Runtime::async_function`](crate::Runtime::async_function).
    ///
    /// The value is borrowed only while the future is made: what that needs of it, it must own.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> lupa_core::Result<()> {
    /// use lupa_core::{Members, Runtime, UserType};
    /// use std::sync::Arc;
    ///
    /// struct Client { server: Arc<str> }
    ///
    /// impl UserType for Client {
    ///     const NAME: &'static str = "Client";
    ///     fn members(members: &mut Members<Self>) {
    ///         members.async_method("get", |this: &Self, path: String| {
    ///             let server = Arc::clone(&this.server);
    ///             async move { format!("{server}{path}") }
    ///         });
    ///     }
    /// }
    ///
    /// let lua = Runtime::new()?;
    /// lua.globals()?.set("client", lua.create_userdata(Client { server: "lua.org".into() })?)?;
    /// let page = lua.load("return client:get('/about')").eval_async::<String>().await?;
    /// assert_eq!(page, "lua.org/about");
    /// # Ok(())
    /// # }
    /// ```
    pub fn async_method<Signature>(
        &mut self,
        name: &str,
        method: impl crate::asynchronous::AsyncMethod<T, Signature>,
    ) -> &mut Self {
        let mut function = MemberFunction::new(move |call| {
            let started = {
                let this = UserRef::of_slot(call.arg(0)).map_err(|cause| call.bad(0, cause))?;
                method.begin(&this, call)?
            };
            started.push(call)
        });
        function.is_async = true;
        let member = Member::Function(function);
        self.named.insert(name.into(), member);
        self
    }
}

/// A member function as a host object.
struct Function(Arc<Body>);

impl HostObject for Function {
    const NAME: &'static str = "method";
    const OPERATIONS: &'static [Operation] = &[Operation::Call];

    #[inline]
    fn invoke(&self, _: Operation, call: &mut Call<'_>) -> Result<()> {
        (self.0)(call)
    }
}
