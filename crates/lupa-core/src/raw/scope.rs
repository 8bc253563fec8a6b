//! Loans: what a scope lends to Lua, and takes back when it ends.
//!
//! Why nothing lent is ever used after its scope:
//!
//! * The scope holds the runtime's lock for its whole time, so no other thread runs Lua code in it, finalizers
//!   included. So what is lent need be neither `Send` nor `Sync`.
//! * On the scope's own thread calls nest: a host function's native frame that was entered during the scope is
//!   left before the scope's body returns or unwinds, for Lua cannot leave a native frame behind (a coroutine cannot yield
//!   across one). So no loan is in use when the scope ends; closures are counted nevertheless, and the process rather ends
//!   than one is freed while it runs.
//! * What Lua code keeps beyond the scope, in globals, tables or coroutines, is the userdata. It owns a share of the
//!   loan, which is empty by then.

use super::cell::LentObject;
use crate::error::{Error, Result};
use crate::host::Call;
use crate::runtime::Runtime;
use crate::usertype::UserType;
use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Arc;

/// A closure that is lent, whatever its type.
pub(crate) trait Callable {
    fn call(&self, call: &mut Call<'_>) -> Result<()>;
}

/// What a scope can take back.
pub(super) trait Loan {
    /// Empties the loan, and gives what is to be dropped.
    fn take_back(&self) -> Option<Box<dyn Callable>>;
}

/// A closure that Lua code can call until its scope ends.
pub(crate) struct LentFunction {
    /// Filled only while the scope that made it lives. Its true lifetime is that scope's.
    closure: RefCell<Option<Box<dyn Callable>>>,
    running: Cell<usize>,
}

// SAFETY: only the scope and a host object of its runtime share it. The host object uses it with the runtime's lock,
// and it holds a closure only while the scope's thread has that lock. What is dropped elsewhere is empty.
unsafe impl Send for LentFunction {}
// SAFETY: as above.
unsafe impl Sync for LentFunction {}

impl LentFunction {
    /// Calls the closure.
    pub(crate) fn call(&self, call: &mut Call<'_>) -> Result<()> {
        let closure = self.closure.borrow();
        let Some(closure) = &*closure else {
            return Err(Error::ScopeEnded("the function".into()));
        };
        let _running = Running::new(&self.running);
        closure.call(call)
    }
}

impl Loan for LentFunction {
    fn take_back(&self) -> Option<Box<dyn Callable>> {
        if self.running.get() != 0 {
            // Cannot happen, see above.
            std::process::abort();
        }
        self.closure.take()
    }
}

/// Counts a call that runs.
struct Running<'a>(&'a Cell<usize>);

impl<'a> Running<'a> {
    fn new(count: &'a Cell<usize>) -> Self {
        count.set(count.get() + 1);
        Running(count)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// The loans of a scope that lives for `'scope`, and so within `'env`.
pub(crate) struct Loans<'scope, 'env: 'scope> {
    runtime: Runtime,
    made: RefCell<Vec<Arc<dyn Loan>>>,
    ended: Cell<bool>,
    /// Neither a longer nor a shorter scope will do.
    lifetimes: PhantomData<(Cell<&'scope ()>, Cell<&'env ()>)>,
}

impl<'env> Loans<'_, 'env> {
    /// Runs `body` while it can lend, under the runtime's lock, and takes everything back when it has returned or panicked.
    pub(crate) fn with<R>(
        runtime: &Runtime,
        body: impl for<'scope> FnOnce(&'scope Loans<'scope, 'env>) -> R,
    ) -> Result<R> {
        // Dropped last.
        let _held = runtime.lock()?;
        let loans = Loans {
            runtime: runtime.clone(),
            made: RefCell::new(Vec::new()),
            ended: Cell::new(false),
            lifetimes: PhantomData,
        };
        let _end = End {
            made: &loans.made,
            ended: &loans.ended,
        };
        Ok(body(&loans))
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }
}

impl<'scope> Loans<'scope, '_> {
    /// Lends a closure.
    pub(crate) fn lend(
        &'scope self,
        closure: Box<dyn Callable + 'scope>,
    ) -> Result<Arc<LentFunction>> {
        // SAFETY: only the lifetime changes. `with` demands a body that works for every `'scope`, so the closure has
        // captured nothing but what lives as long as `'env`, which outlives the call of `with`, or as these loans,
        // which are dropped after `End` has taken the closure back.
        let closure = unsafe {
            std::mem::transmute::<Box<dyn Callable + 'scope>, Box<dyn Callable + 'static>>(closure)
        };
        let loan = Arc::new(LentFunction {
            closure: RefCell::new(Some(closure)),
            running: Cell::new(0),
        });
        self.note(loan.clone(), "the function")?;
        Ok(loan)
    }

    /// Lends a value to be read.
    pub(crate) fn lend_object<T: UserType>(
        &'scope self,
        value: &'scope T,
    ) -> Result<Arc<LentObject<T>>> {
        // SAFETY: the value is borrowed for `'scope`, and taken back within it.
        self.note_object(unsafe { LentObject::new(NonNull::from(value), false) })
    }

    /// Lends a value to be changed.
    pub(crate) fn lend_object_mut<T: UserType>(
        &'scope self,
        value: &'scope mut T,
    ) -> Result<Arc<LentObject<T>>> {
        // SAFETY: as above; the borrow is exclusive.
        self.note_object(unsafe { LentObject::new(NonNull::from(value), true) })
    }

    fn note_object<T: UserType>(&self, loan: LentObject<T>) -> Result<Arc<LentObject<T>>> {
        let loan = Arc::new(loan);
        self.note(loan.clone(), T::NAME)?;
        Ok(loan)
    }

    /// Notes a loan to be taken back.
    fn note(&self, loan: Arc<dyn Loan>, name: &'static str) -> Result<()> {
        if self.ended.get() {
            // By the drop of a closure that has kept the scope.
            loan.take_back();
            return Err(Error::ScopeEnded(name.into()));
        }
        self.made.borrow_mut().push(loan);
        Ok(())
    }
}

/// Ends a scope, also when its body panics.
struct End<'a> {
    made: &'a RefCell<Vec<Arc<dyn Loan>>>,
    ended: &'a Cell<bool>,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.ended.set(true);
        let loans = self.made.take();
        // All are taken back before the first is dropped: that may run host code, and so Lua code.
        let closures: Vec<_> = loans.iter().filter_map(|loan| loan.take_back()).collect();
        drop(closures);
    }
}
