//! A user type's value as a host object.

use super::members::{Member, Members};
use super::{MemberName, UserType};
use crate::convert::IntoLua;
use crate::error::{Error, Result};
use crate::filter::Access;
use crate::host::{Call, HostObject, Operation};
use crate::pusher::Pusher;
use crate::raw::Stack;
use crate::raw::cell::ObjectCell;
use crate::runtime::Runtime;
use crate::table::Table;
use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::sync::Arc;

/// A user type's value as a host object.
pub(crate) struct UserObject<T> {
    cell: ObjectCell<T>,
    members: Arc<Members<T>>,
}

/// Pushes a userdata of a value, the runtime's own or a lent one.
pub(crate) fn push<T: UserType>(to: Pusher<'_>, cell: ObjectCell<T>) -> Result<()> {
    let stack = to.stack();
    let members = members_of::<T>(stack);
    to.object(UserObject {
        cell,
        members: Arc::clone(&members),
    })?;
    members.complete_metatable(Pusher::new(stack))
}

impl<T: UserType> IntoLua for T {
    /// Pushes a new userdata that owns the value.
    #[inline]
    fn into_lua(self, to: Pusher<'_>) -> Result<()> {
        push(to, ObjectCell::owned(self))
    }
}

fn members_of<T: UserType>(stack: Stack<'_>) -> Arc<Members<T>> {
    let types = &stack.shared().kept().user_types;
    let known = types.borrow().get(&TypeId::of::<T>()).cloned();
    if let Some(Ok(members)) = known.map(Arc::downcast::<Members<T>>) {
        return members;
    }
    let members = Arc::new(Members::new());
    let erased: Arc<dyn Any + Send + Sync> = members.clone();
    types.borrow_mut().insert(TypeId::of::<T>(), erased);
    members
}

impl Runtime {
    /// Makes a table of a type's functions, for Lua code that makes objects: `Vector.new(1, 2)`.
    ///
    /// All functions and methods are in it, so `Vector.length(v)` is `v:length()`. An attribute filter is asked for
    /// each name, and what it denies is left out. The table is an ordinary one, new each time: what Lua code does to it
    /// has no effect on objects.
    ///
    /// ```
    /// use lupa_core::{Members, Runtime, UserType};
    ///
    /// struct Counter(u32);
    ///
    /// impl UserType for Counter {
    ///     const NAME: &'static str = "Counter";
    ///     fn members(members: &mut Members<Self>) {
    ///         members
    ///             .function("new", |start: Option<u32>| Counter(start.unwrap_or(0)))
    ///             .function("next", |this: &mut Self| { this.0 += 1; this.0 });
    ///     }
    /// }
    ///
    /// let lua = Runtime::new()?;
    /// lua.globals()?.set("Counter", lua.type_table::<Counter>()?)?;
    /// assert_eq!(lua.load("local c = Counter.new(5) c:next() return c:next()").eval::<u32>()?, 7);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`, `Error::Memory`.
    pub fn type_table<T: UserType>(&self) -> Result<Table> {
        self.create(|to| {
            let members = members_of::<T>(to.stack());
            to.new_table(0, members.named.len(), |table| {
                for name in members.named.keys() {
                    let Ok(member) = self.filtered::<T>(name, Access::Get) else {
                        continue;
                    };
                    if let Some(Member::Function(function)) = members.named.get(&*member) {
                        table.set_with(|to| to.bytes(name), |to| function.push(to))?;
                    }
                }
                Ok(())
            })
        })
        .map(Table)
    }

    /// The name of a member after the filter.
    #[inline]
    fn filtered<'n, T: UserType>(&self, name: &'n [u8], access: Access) -> Result<MemberName<'n>> {
        match self.shared().filter() {
            Some(filter) => filter.filter(T::NAME, Cow::Borrowed(name), access),
            None => Ok(Cow::Borrowed(name)),
        }
    }
}

impl<T: UserType> UserObject<T> {
    #[inline]
    pub(crate) fn cell(&self) -> &ObjectCell<T> {
        &self.cell
    }

    fn index(&self, call: &mut Call<'_>) -> Result<()> {
        let name = self.allowed(call, Access::Get)?;
        let member = name
            .as_deref()
            .and_then(|name| self.members.named.get(name));
        match member {
            Some(Member::Field { get, .. }) => get(&*self.cell.shared()?, call),
            Some(Member::Function(function)) => call.push_with(|to| function.push(to)),
            None => match self.members.operator_of(Operation::Index) {
                Some(operator) => operator.run(self, call),
                None => call.push_with(|to| to.nil()),
            },
        }
    }

    fn new_index(&self, call: &mut Call<'_>) -> Result<()> {
        let name = self.allowed(call, Access::Set)?;
        let member = name
            .as_deref()
            .and_then(|name| self.members.named.get(name));
        match member {
            Some(Member::Field { set: Some(set), .. }) => set(&mut *self.cell.exclusive()?, call),
            Some(_) => Err(self.cannot_set(name.unwrap_or_default())),
            None => match self.members.operator_of(Operation::NewIndex) {
                Some(operator) => operator.run(self, call),
                None => Err(self.cannot_set(name.unwrap_or_default())),
            },
        }
    }

    fn cannot_set(&self, name: MemberName<'_>) -> Error {
        let name = String::from_utf8_lossy(&name).into_owned();
        Error::message(format!("{} has no field '{name}' that can be set", T::NAME))
    }

    /// The member's name after the runtime's filter; `None` for a key that is no string.
    #[inline]
    fn allowed<'c>(&self, call: &Call<'c>, access: Access) -> Result<Option<MemberName<'c>>> {
        let name = call.arg(1).bytes();
        name.map(|name| call.runtime().filtered::<T>(name, access))
            .transpose()
    }
}

impl<T: UserType> HostObject for UserObject<T> {
    const NAME: &'static str = T::NAME;
    const OPERATIONS: &'static [Operation] = Operation::ALL;

    fn invoke(&self, operation: Operation, call: &mut Call<'_>) -> Result<()> {
        match operation {
            Operation::Index => self.index(call),
            Operation::NewIndex => self.new_index(call),
            _ => match self.members.operator_of(operation) {
                Some(operator) => operator.run(self, call),
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
