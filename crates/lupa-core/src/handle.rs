//! Handles: Lua values that Rust holds.

use crate::call::{Arguments, Around, Directly, Results};
use crate::error::{Error, Result, RuntimeError};
use crate::pusher::{Pusher, misuse};
use crate::raw::coroutine::CoroutineStatus;
use crate::raw::owner::SlotOwner;
use crate::raw::stack::{Kind, Stack, TableSlot};
use crate::raw::{dispatch, slots::SlotKey, sys};
use crate::runtime::Runtime;
use crate::slot::Slot;
use std::ffi::c_int;
use std::mem::ManuallyDrop;
use std::sync::Arc;

/// Keeps a Lua value alive: the runtime and a slot of its anchors, never a
/// `lua_State`. May be dropped in any thread, at any time.
pub(crate) struct Handle {
    slot: SlotOwner,
}

impl Handle {
    #[inline]
    pub(crate) fn new(stack: Stack<'_>, index: c_int) -> Result<Self> {
        let key = stack.anchor(index)?;
        Ok(Handle {
            slot: SlotOwner::new(stack.shared(), key),
        })
    }

    /// A handle that owns nothing: it must not outlive what owns the slot.
    #[inline]
    pub(crate) fn borrowed(runtime: &Runtime, key: SlotKey) -> ManuallyDrop<Self> {
        let slot = SlotOwner::borrowed(runtime.shared(), key);
        ManuallyDrop::new(Handle {
            slot: ManuallyDrop::into_inner(slot),
        })
    }

    #[inline]
    pub(crate) fn runtime(&self) -> &Runtime {
        self.slot.runtime()
    }

    /// Pushes the value; one slot must be reserved.
    #[inline]
    pub(crate) fn push(&self, stack: Stack<'_>) -> Result<()> {
        if !dispatch::same_runtime(stack, self.runtime().shared()) {
            return Err(Error::WrongRuntime);
        }
        stack.push_slot(self.slot.key);
        Ok(())
    }

    /// Runs `f` with the value on the stack, in the given slot.
    #[inline]
    pub(crate) fn with<R>(
        &self,
        f: impl for<'s> FnOnce(Stack<'s>, c_int) -> Result<R>,
    ) -> Result<R> {
        self.runtime().shared().enter_at(|stack, top| {
            stack.push_slot(self.slot.key);
            f(stack, top + 1)
        })
    }

    /// As [`Handle::with`], with what `around` does meanwhile.
    #[inline]
    pub(crate) fn with_around<R>(
        &self,
        around: impl Around,
        f: impl for<'s> FnOnce(Stack<'s>, c_int) -> Result<R>,
    ) -> Result<R> {
        self.runtime().shared().enter_with(around, |stack, top| {
            stack.push_slot(self.slot.key);
            f(stack, top + 1)
        })
    }

    /// Another handle to the same value.
    pub(crate) fn duplicate(&self) -> Result<Handle> {
        self.with(Handle::new)
    }

    /// An address that tells the live values of one runtime apart.
    pub(crate) fn address(&self) -> Result<usize> {
        self.with(|stack, index| Ok(stack.pointer(index) as usize))
    }

    /// Whether two handles keep the same value, without metamethods.
    pub(crate) fn same(&self, other: &Handle) -> Result<bool> {
        if !self.runtime().is_same(other.runtime()) {
            return Ok(false);
        }
        self.with(|stack, index| {
            other.push(stack)?;
            Ok(stack.raw_equal(index, index + 1))
        })
    }
}

/// Lua's operations on the value.
impl Handle {
    #[inline]
    pub(crate) fn get_with<R>(
        &self,
        key: impl FnOnce(Pusher<'_>) -> Result<()>,
        around: impl Around,
        read: impl for<'s> FnOnce(Slot<'s>) -> Result<R>,
    ) -> Result<R> {
        self.with_around(around, |stack, index| {
            index_with(stack, index, key, around)?;
            read(Slot::new(stack, stack.top()))
        })
    }

    #[inline]
    pub(crate) fn set_with(
        &self,
        key: impl FnOnce(Pusher<'_>) -> Result<()>,
        item: impl FnOnce(Pusher<'_>) -> Result<()>,
        around: impl Around,
    ) -> Result<()> {
        self.with_around(around, |stack, index| {
            key(Pusher::new(stack))?;
            item(Pusher::new(stack))?;
            if stack.top() != index + 2 {
                return Err(misuse());
            }
            let table = stack.table(index);
            if let Some(table) = table.filter(|table| !table.has_metatable()) {
                return table.raw_set();
            }
            match (stack.begin_newindex(index), table) {
                (Some(call), _) => around.around(|| stack.call(call, 0)),
                (None, Some(table)) => table.raw_set(),
                (None, None) => Err(no_table()),
            }
        })
    }

    #[inline]
    pub(crate) fn call_with<R>(
        &self,
        push: impl FnOnce(&mut Arguments<'_>) -> Result<()>,
        around: impl Around,
        read: impl for<'s> FnOnce(Results<'s>) -> Result<R>,
    ) -> Result<R> {
        self.runtime().shared().enter_with(around, |stack, _| {
            let call = stack.begin_call(self.slot.key);
            push(&mut Arguments::new(stack))?;
            around.around(|| stack.call(call, sys::LUA_MULTRET))?;
            read(Results::new(stack, call.first()))
        })
    }

    /// Calls `value[name]`; if `as_method`, with the value as the first argument.
    pub(crate) fn call_member<R>(
        &self,
        name: &str,
        as_method: bool,
        push: impl FnOnce(&mut Arguments<'_>) -> Result<()>,
        read: impl for<'s> FnOnce(Results<'s>) -> Result<R>,
    ) -> Result<R> {
        self.with(|stack, index| {
            index_with(stack, index, |to| to.bytes(name.as_bytes()), Directly)?;
            let member = stack.top();
            if stack.kind(member) == Kind::Nil {
                return Err(no_member(name, as_method));
            }
            let call = stack.begin_call_of(|stack| {
                stack.push_copy(member);
                Ok(())
            })?;
            if as_method {
                stack.push_copy(index);
            }
            let mut arguments = Arguments::new(stack);
            // Some of what every frame has to spare is in use.
            arguments.reserve(5)?;
            push(&mut arguments)?;
            stack.call(call, sys::LUA_MULTRET)?;
            read(Results::new(stack, call.first()))
        })
    }

    #[inline]
    pub(crate) fn resume_with<R>(
        &self,
        push: impl FnOnce(&mut Arguments<'_>) -> Result<()>,
        around: impl Around,
        read: impl for<'s> FnOnce(Results<'s>) -> Result<R>,
    ) -> Result<R> {
        self.with_around(around, |stack, index| {
            push(&mut Arguments::new(stack))?;
            let yielded = around.around(|| stack.resume(index, index))?;
            read(Results::of_coroutine(stack, index + 1, yielded))
        })
    }

    pub(crate) fn throw_with<R>(
        &self,
        error: impl FnOnce(Pusher<'_>) -> Result<()>,
        catchable: bool,
        around: impl Around,
        read: impl for<'s> FnOnce(Results<'s>) -> Result<R>,
    ) -> Result<R> {
        self.with_around(around, |stack, index| {
            error(Pusher::new(stack))?;
            if stack.top() != index + 1 {
                return Err(misuse());
            }
            let yielded = around.around(|| stack.throw(index, catchable))?;
            read(Results::of_coroutine(stack, index + 1, yielded))
        })
    }

    pub(crate) fn close_coroutine(&self) -> Result<()> {
        self.with(|stack, index| stack.close_coroutine(index))
    }

    pub(crate) fn status(&self) -> Result<CoroutineStatus> {
        self.with(|stack, index| stack.coroutine_status(index))
    }
}

/// Pushes `value[key]` for the value at `index`, on top of the stack; metamethods run inside `around`.
#[inline]
fn index_with(
    stack: Stack<'_>,
    index: c_int,
    key: impl FnOnce(Pusher<'_>) -> Result<()>,
    around: impl Around,
) -> Result<()> {
    key(Pusher::new(stack))?;
    if stack.top() != index + 1 {
        return Err(misuse());
    }
    index_by_top(stack, index, around)
}

/// Pushes `value[key]` for the value at `index` and the key on top of the stack, in the place of that or above it; metamethods run
/// inside `around`.
#[inline(always)]
pub(crate) fn index_by_top(stack: Stack<'_>, index: c_int, around: impl Around) -> Result<()> {
    match stack.table(index) {
        Some(table) if !table.has_metatable() => table.raw_get(),
        _ => {
            if let Some(call) = stack.begin_index(index, stack.top()) {
                around.around(|| stack.call(call, 1))?;
            }
        }
    }
    Ok(())
}

/// What Lua says of a function that is not there.
#[cold]
pub(crate) fn no_member(name: &str, is_method: bool) -> Error {
    let what = if is_method { "method" } else { "field" };
    let message = format!("attempt to call {what} '{name}' (a nil value)");
    Error::Runtime(Arc::new(RuntimeError::new(message)))
}

/// The table at `index`, once exactly `pushed` values are known to lie above it.
#[inline]
pub(crate) fn settled(stack: Stack<'_>, index: c_int, pushed: c_int) -> Result<TableSlot<'_>> {
    if stack.top() != index + pushed {
        return Err(misuse());
    }
    stack.table(index).ok_or_else(no_table)
}

/// A handle that its user has taken for one of a table.
#[cold]
pub(crate) fn no_table() -> Error {
    Error::message("the value is no table")
}

impl Clone for Handle {
    /// A handle of a closed runtime can be cloned, as it can be used: the clone gives `Error::Closed`, too. So it is where the process was
    /// forked, or a thread has ended, in the middle of an operation.
    ///
    /// # Panics
    /// If there is no memory for another handle, or no room on Lua's stack.
    fn clone(&self) -> Self {
        match self.duplicate() {
            Ok(handle) => handle,
            Err(Error::Closed | Error::Forked | Error::Abandoned) => Handle {
                slot: self.slot.without_slot(),
            },
            Err(error) => panic!("a handle cannot be cloned: {error}"),
        }
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "#{}", -self.slot.key)
    }
}
