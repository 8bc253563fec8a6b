//! Rust types with methods and fields in Lua.

use crate::convert::{IntoLua, Owned};
use crate::error::{Error, Result};
use crate::filter::Access;
use crate::host::{Call, HostObject, Operation};
use crate::raw::slots::SlotKey;
use crate::slot::Pusher;
use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

/// Name of a member as an attribute filter sees it.
pub type MemberName<'a> = Cow<'a, [u8]>;

/// A Rust type whose values Lua code can use by methods, fields and operators.
///
/// Access is checked at run time as by a `RefCell`: while a method with `&mut self` runs, another
/// access to the same value, from Lua code that the method calls, is a Lua error.
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
///             .method("length", |p, call| call.push(p.x.hypot(p.y)))
///             .method_mut("scale", |p, call| {
///                 let by: f64 = call.get(1)?;
///                 p.x *= by;
///                 p.y *= by;
///                 Ok(())
///             })
///             .operator(Operation::ToString, |p, call| call.push(format!("({}, {})", p.x, p.y)));
///     }
/// }
///
/// let lua = Runtime::new()?;
/// lua.globals()?.set("p", lua.create_userdata(Point { x: 3.0, y: 4.0 })?)?;
/// lua.load("p:scale(2); p.x = p.x + 1").exec()?;
/// assert_eq!(lua.load("return tostring(p)").eval::<String>()?, "(7, 8)");
/// # Ok::<(), lupa_core::Error>(())
/// ```
pub trait UserType: Send + Sized + 'static {
    /// Name of the type, for messages.
    const NAME: &'static str;

    /// Names the methods, fields and operators; called once a runtime.
    fn members(members: &mut Members<Self>);
}

type Action<T> = Box<dyn Fn(&T, &mut Call<'_>) -> Result<()> + Send + Sync>;
type ActionMut<T> = Box<dyn Fn(&mut T, &mut Call<'_>) -> Result<()> + Send + Sync>;

enum Method<T> {
    Shared(Action<T>),
    Mut(ActionMut<T>),
}

enum Member<T> {
    Method {
        method: Arc<Method<T>>,
        function: OnceLock<SlotKey>,
    },
    Field {
        get: Action<T>,
        set: Option<ActionMut<T>>,
    },
}

/// The members of a [`UserType`], being named.
pub struct Members<T> {
    named: HashMap<Vec<u8>, Member<T>>,
    operators: HashMap<u8, Action<T>>,
}

impl<T: UserType> Members<T> {
    /// Adds a method. Lua code calls it as `value:name(...)`; argument 0 is the value itself.
    pub fn method<F>(&mut self, name: &str, method: F) -> &mut Self
    where
        F: Fn(&T, &mut Call<'_>) -> Result<()> + Send + Sync + 'static,
    {
        self.add_method(name, Method::Shared(Box::new(method)))
    }

    /// Adds a method that changes the value.
    pub fn method_mut<F>(&mut self, name: &str, method: F) -> &mut Self
    where
        F: Fn(&mut T, &mut Call<'_>) -> Result<()> + Send + Sync + 'static,
    {
        self.add_method(name, Method::Mut(Box::new(method)))
    }

    fn add_method(&mut self, name: &str, method: Method<T>) -> &mut Self {
        let member = Member::Method {
            method: Arc::new(method),
            function: OnceLock::new(),
        };
        self.named.insert(name.into(), member);
        self
    }

    /// Adds a field that can be read.
    pub fn read_only<V, G>(&mut self, name: &str, get: G) -> &mut Self
    where
        V: IntoLua,
        G: Fn(&T) -> V + Send + Sync + 'static,
    {
        let get: Action<T> = Box::new(move |value, call| call.push(get(value)));
        self.named
            .insert(name.into(), Member::Field { get, set: None });
        self
    }

    /// Adds a field that can be read and set.
    pub fn field<V, G, S>(&mut self, name: &str, get: G, set: S) -> &mut Self
    where
        V: IntoLua + Owned,
        G: Fn(&T) -> V + Send + Sync + 'static,
        S: Fn(&mut T, V) + Send + Sync + 'static,
    {
        let get: Action<T> = Box::new(move |value, call| call.push(get(value)));
        let set: ActionMut<T> = Box::new(move |value, call| {
            set(value, call.get(2)?);
            Ok(())
        });
        self.named.insert(
            name.into(),
            Member::Field {
                get,
                set: Some(set),
            },
        );
        self
    }

    /// Adds an operator; arguments are those of [`Operation`]. The value is the one that was found
    /// first among the operands. [`Operation::Index`] and [`Operation::NewIndex`] serve
    /// names that are no members.
    pub fn operator<F>(&mut self, operation: Operation, action: F) -> &mut Self
    where
        F: Fn(&T, &mut Call<'_>) -> Result<()> + Send + Sync + 'static,
    {
        self.operators.insert(operation as u8, Box::new(action));
        self
    }
}

impl<T> std::fmt::Debug for Members<T> {
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

/// A user type's value as a host object.
struct UserObject<T> {
    value: RefCell<T>,
    members: Arc<Members<T>>,
}

/// Pushes a userdata that owns `value`.
pub(crate) fn push<T: UserType>(to: Pusher<'_>, value: T) -> Result<()> {
    let members = members_of::<T>(&to);
    to.object(UserObject {
        value: RefCell::new(value),
        members,
    })
}

fn members_of<T: UserType>(to: &Pusher<'_>) -> Arc<Members<T>> {
    let types = to.stack().shared().user_types();
    let known = types.borrow().get(&TypeId::of::<T>()).cloned();
    if let Some(Ok(members)) = known.map(Arc::downcast::<Members<T>>) {
        return members;
    }
    let mut members = Members {
        named: HashMap::new(),
        operators: HashMap::new(),
    };
    T::members(&mut members);
    let members = Arc::new(members);
    let erased: Arc<dyn Any + Send + Sync> = members.clone();
    types.borrow_mut().insert(TypeId::of::<T>(), erased);
    members
}

impl<T: UserType> UserObject<T> {
    fn shared(&self) -> Result<std::cell::Ref<'_, T>> {
        self.value.try_borrow().map_err(|_| in_use(T::NAME))
    }

    fn exclusive(&self) -> Result<std::cell::RefMut<'_, T>> {
        self.value.try_borrow_mut().map_err(|_| in_use(T::NAME))
    }

    fn index(&self, call: &mut Call<'_>) -> Result<()> {
        let name = self.allowed(call, Access::Get)?;
        match name
            .as_deref()
            .and_then(|name| self.members.named.get(name))
        {
            Some(Member::Field { get, .. }) => get(&*self.shared()?, call),
            Some(Member::Method { method, function }) => {
                call.push_with(|to| push_method(to, method, function))
            }
            None => match self.members.operators.get(&(Operation::Index as u8)) {
                Some(action) => action(&*self.shared()?, call),
                None => call.push_with(|to| to.nil()),
            },
        }
    }

    fn new_index(&self, call: &mut Call<'_>) -> Result<()> {
        let name = self.allowed(call, Access::Set)?;
        match name
            .as_deref()
            .and_then(|name| self.members.named.get(name))
        {
            Some(Member::Field { set: Some(set), .. }) => set(&mut *self.exclusive()?, call),
            Some(_) => Err(self.cannot_set(name.unwrap_or_default())),
            None => match self.members.operators.get(&(Operation::NewIndex as u8)) {
                Some(action) => action(&*self.shared()?, call),
                None => Err(self.cannot_set(name.unwrap_or_default())),
            },
        }
    }

    fn cannot_set(&self, name: MemberName<'_>) -> Error {
        let name = String::from_utf8_lossy(&name).into_owned();
        Error::message(format!("{} has no field '{name}' that can be set", T::NAME))
    }

    /// The member's name after the runtime's filter; `None` for a key that is no string.
    fn allowed<'c>(&self, call: &Call<'c>, access: Access) -> Result<Option<MemberName<'c>>> {
        let Some(name) = call.arg(1).bytes() else {
            return Ok(None);
        };
        match call.runtime().shared().filter().get() {
            Some(filter) => filter
                .filter(T::NAME, Cow::Borrowed(name), access)
                .map(Some),
            None => Ok(Some(Cow::Borrowed(name))),
        }
    }
}

fn in_use(name: &str) -> Error {
    Error::message(format!("{name} is in use: it is being changed"))
}

/// Pushes a method's function, made at first use and kept with the runtime.
fn push_method<T: UserType>(
    to: Pusher<'_>,
    method: &Arc<Method<T>>,
    function: &OnceLock<SlotKey>,
) -> Result<()> {
    let stack = to.stack();
    if let Some(key) = function.get() {
        stack.push_slot(*key);
        return Ok(());
    }
    to.function(MethodFunction(Arc::clone(method)))?;
    let key = stack.anchor(stack.top())?;
    let _ = function.set(key);
    Ok(())
}

/// A method as a Lua function.
struct MethodFunction<T>(Arc<Method<T>>);

impl<T: UserType> HostObject for MethodFunction<T> {
    const NAME: &'static str = "method";
    const OPERATIONS: &'static [Operation] = &[Operation::Call];

    fn invoke(&self, _: Operation, call: &mut Call<'_>) -> Result<()> {
        let slot = call.arg(0);
        let Some(object) = slot.object::<UserObject<T>>() else {
            return Err(Error::BadArgument {
                position: 1,
                cause: Arc::new(slot.mismatch(T::NAME)),
            });
        };
        match &*self.0 {
            Method::Shared(action) => action(&*object.shared()?, call),
            Method::Mut(action) => action(&mut *object.exclusive()?, call),
        }
    }
}

impl<T: UserType> HostObject for UserObject<T> {
    const NAME: &'static str = T::NAME;
    const OPERATIONS: &'static [Operation] = Operation::ALL;

    fn invoke(&self, operation: Operation, call: &mut Call<'_>) -> Result<()> {
        match operation {
            Operation::Index => self.index(call),
            Operation::NewIndex => self.new_index(call),
            _ => match self.members.operators.get(&(operation as u8)) {
                Some(action) => action(&*self.shared()?, call),
                None if operation == Operation::ToString => {
                    call.push(format!("{}: {:p}", T::NAME, self))
                }
                None if operation == Operation::Eq => call.push(false),
                None => Err(Error::message(format!(
                    "attempt to use operator '{}' on a {} value",
                    operation.metamethod(),
                    T::NAME
                ))),
            },
        }
    }
}
