//! A Lua state with its lock.

use super::closing::Closing;
use super::frame::FrameMark;
use super::lock::{Held, Lock};
use super::memory::Memory;
use super::slots::{self, SlotKey, Slots};
use super::stack::{RESERVED, Stack};
use super::stop::{Interruption, Stop};
use super::sys::{self, inline, inline::TValue};
use super::watch::Record;
use crate::call::Around;
use crate::error::{Error, Result};
use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};
use std::ffi::c_int;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

/// How many runtimes were made; the next one's number is one more.
static MADE: AtomicU32 = AtomicU32::new(0);

/// A Lua state, its lock, and what belongs to both.
pub(crate) struct Shared {
    pub(super) lock: Lock,
    /// Tells runtimes apart; never 0, which is no runtime's.
    number: u32,
    /// The state that runs: the main one, or the coroutine a host function was
    /// called from. Null once it is freed.
    pub(super) current: Cell<*mut sys::lua_State>,
    /// The frame that runs in it.
    pub(super) frame: Cell<FrameMark>,
    /// The main state; null once it is freed. Atomic, since it may be read without the lock.
    main: AtomicPtr<sys::lua_State>,
    /// The table of what handles hold; none once the state is being closed.
    anchors: Cell<Option<inline::Table>>,
    /// The message handler, which a slot of the anchors keeps alive: each call pushes it. Nil before there are anchors.
    pub(super) handler: Cell<TValue>,
    pub(super) memory: Memory,
    pub(super) slots: Slots,
    /// Metatable of each type of host object.
    pub(super) metatables: RefCell<Vec<(TypeId, SlotKey)>>,
    pub(super) stop: Stop,
    pub(super) interruption: Interruption,
    /// Nested runs of Lua code. Atomic, since those who interrupt read it without the lock.
    pub(super) depth: AtomicU32,
    extension: OnceLock<Extension>,
    text_only: Cell<bool>,
    /// The FFI library is one of the runtime's libraries.
    pub(crate) has_ffi: Cell<bool>,
    pub(super) kept: OnceLock<Box<super::kept::Kept>>,
    pub(super) closing: Closing,
}

/// A value of the host, with its type beside it: to ask the value would be a call.
pub(crate) struct Extension {
    type_id: TypeId,
    value: Arc<dyn Any + Send + Sync>,
}

impl Extension {
    pub(crate) fn new<T: Any + Send + Sync>(value: Arc<T>) -> Self {
        Extension {
            type_id: TypeId::of::<T>(),
            value,
        }
    }

    /// The value, which was given as a `T`.
    pub(crate) fn into_inner<T: Any + Send + Sync>(self) -> Arc<T> {
        match self.value.downcast() {
            Ok(value) => value,
            Err(_) => unreachable!("it was made of a T"),
        }
    }

    /// The value, if it is a `T`.
    #[inline]
    pub(crate) fn get<T: Any>(&self) -> Option<&T> {
        // SAFETY: `new` has noted the type, and nothing changes the value.
        (self.type_id == TypeId::of::<T>())
            .then(|| unsafe { &*(&raw const *self.value).cast::<T>() })
    }
}

// SAFETY: every field but `lock`, `main`, the memory limit, the pending list of `slots`,
// `interruption` but for its `Cell`, `extension` and the filter in `kept` is touched only with the lock held
// (`stop` and `main` also by signal handlers of the thread that has it); those are safe to share.
// A Lua state may move between threads as long as one at a time uses it.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    /// Makes a state with the libraries of `libs`, a mask of `LUPA_LIB_*`, and room for so many strings.
    pub(crate) fn new(libs: c_int, strings: usize, limit: Option<usize>) -> Result<Arc<Self>> {
        super::dispatch::install_entries();
        let l = super::memory::new_state();
        if l.is_null() {
            return Err(Error::Memory);
        }
        let shared = Arc::new(Shared {
            lock: Lock::new(),
            number: next_number(),
            current: Cell::new(l),
            frame: Cell::new(FrameMark::OUTSIDE),
            main: AtomicPtr::new(l),
            anchors: Cell::new(None),
            handler: Cell::new(TValue::NIL),
            memory: Memory::new(),
            slots: Slots::new(),
            metatables: RefCell::new(Vec::new()),
            stop: Stop::new(),
            interruption: Interruption::new(),
            depth: AtomicU32::new(0),
            extension: OnceLock::new(),
            text_only: Cell::new(false),
            has_ffi: Cell::new(false),
            kept: OnceLock::new(),
            closing: Closing::new(),
        });
        // SAFETY: the state is ours alone so far; the Arc keeps `shared` in place.
        unsafe {
            #[cfg(feature = "fault-injection")]
            if super::faults::are_on() {
                shared.memory.install(l)?;
            }
            // What is made now stays.
            sys::lua_gc(l, sys::LUA_GCSTOP, 0);
            let anchors = super::library::prepare_anchors(l);
            let handler = anchors.array_slot(slots::HANDLER).expect("it was kept");
            shared.handler.set(*handler);
            shared.anchors.set(Some(anchors));
        }
        shared.enter(|stack| {
            super::dispatch::prepare(stack)?;
            stack.open_libraries(libs, strings)?;
            #[cfg(feature = "fault-injection")]
            if super::faults::are_on() {
                stack.prepare_compiler()?;
            }
            Ok(())
        })?;
        if let Some(bytes) = limit {
            shared.set_memory_limit(bytes)?;
        }
        Ok(shared)
    }

    /// Locks the state and runs `f` on its stack; pops whatever `f` leaves there.
    #[inline]
    pub(crate) fn enter<R>(&self, f: impl for<'s> FnOnce(Stack<'s>) -> Result<R>) -> Result<R> {
        self.enter_at(|stack, _| f(stack))
    }

    /// As [`Shared::enter`]; `f` is told how many values are on the stack.
    #[inline]
    pub(crate) fn enter_at<R>(
        &self,
        f: impl for<'s> FnOnce(Stack<'s>, c_int) -> Result<R>,
    ) -> Result<R> {
        let held = self.lock.lock()?;
        self.enter_held(&held, f)
    }

    /// As [`Shared::enter_at`], with what `around` does meanwhile.
    #[inline]
    pub(crate) fn enter_with<R>(
        &self,
        around: impl Around,
        f: impl for<'s> FnOnce(Stack<'s>, c_int) -> Result<R>,
    ) -> Result<R> {
        let held = match self.lock.try_lock() {
            Some(held) => held,
            None => around.waiting(|| self.lock.lock())?,
        };
        self.enter_held(&held, f)
            .map_err(|error| around.failed(error))
    }

    /// As [`Shared::enter_at`], with the lock that was taken.
    #[inline]
    fn enter_held<R>(
        &self,
        held: &Held<'_>,
        f: impl for<'s> FnOnce(Stack<'s>, c_int) -> Result<R>,
    ) -> Result<R> {
        // Without anchors the state is being closed, and finalizers run, or it is freed.
        if self.anchors.get().is_none() {
            return Err(Error::Closed);
        }
        if self.slots.has_pending() && held.is_outermost() {
            self.release_pending();
        }
        let l = self.current.get();
        let stack = Stack::new(self, l);
        stack.reserve(RESERVED)?;
        let _frame = Frame {
            stack,
            used: stack.used(),
        };
        f(stack, stack.top())
    }

    /// Takes the lock, waiting for other threads.
    #[inline]
    pub(crate) fn lock(&self) -> Result<Held<'_>> {
        self.lock.lock()
    }

    /// Takes the lock if no other thread has it.
    #[inline]
    pub(crate) fn try_lock(&self) -> Option<Held<'_>> {
        self.lock.try_lock()
    }

    /// A number that no other runtime has, but for those made 2^32 later.
    #[inline]
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Whether there is still something to run, if only finalizers.
    pub(crate) fn has_state(&self) -> bool {
        !self.main().is_null()
    }

    /// The main state; null once it is freed.
    pub(super) fn main(&self) -> *mut sys::lua_State {
        self.main.load(Ordering::Relaxed)
    }

    /// Number of nested runs of Lua code.
    #[inline]
    pub(super) fn depth(&self) -> u32 {
        self.depth.load(Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn set_depth(&self, depth: u32) {
        self.depth.store(depth, Ordering::Release);
    }

    /// Values that the host put beside this runtime.
    pub(crate) fn extension(&self) -> &OnceLock<Extension> {
        &self.extension
    }

    /// Refuses bytecode from now on, whatever a chunk's mode says. Only by who makes the runtime.
    pub(crate) fn refuse_bytecode(&self) {
        self.text_only.set(true);
    }

    /// Whether bytecode is refused. Only with the lock held.
    pub(crate) fn refuses_bytecode(&self) -> bool {
        self.text_only.get()
    }

    /// Number of live handles.
    pub(crate) fn handles(&self) -> usize {
        self.slots.in_use()
    }

    /// Frees a slot, now or, when another thread runs the state, later.
    #[inline]
    pub(crate) fn release_slot(&self, key: SlotKey) {
        self.release(key);
    }

    /// As [`Shared::release_slot`]; gives the record of this thread if it did it now, with the lock by the bias.
    #[inline]
    pub(super) fn release(&self, key: SlotKey) -> Option<&'static Record> {
        if let Some(me) = self.lock.at_once(|| self.release_now(key)) {
            return Some(me);
        }
        match self.lock.try_lock() {
            Some(held) => {
                self.release_now(key);
                held.by_the_bias()
            }
            None => {
                self.slots.release_later(key);
                None
            }
        }
    }

    /// Frees a slot that `anchor` has given. Only with the lock held.
    #[inline]
    pub(super) fn release_now(&self, key: SlotKey) {
        // Without anchors nothing is kept any more.
        if let Some(anchors) = self.anchors.get() {
            // SAFETY: the state is live and not being closed, so the anchors are; the lock is held.
            unsafe { self.slots.release(key, anchors) };
        }
    }

    /// Lets go of what a slot holds that stays in use. Only with the lock held.
    pub(super) fn clear(&self, key: SlotKey) {
        if let Some(anchors) = self.anchors.get() {
            // SAFETY: as above, with a place for every slot in use. To let go of a value is nothing that the collector has
            // to be told.
            unsafe {
                if let Some(slot) = anchors.array_slot(key) {
                    *slot = TValue::NIL;
                }
            }
        }
    }

    /// The anchors. Only with the lock held, before the state is closed.
    #[inline]
    pub(super) fn anchors(&self) -> inline::Table {
        match self.anchors.get() {
            Some(anchors) => anchors,
            None => closing(),
        }
    }

    #[cold]
    fn release_pending(&self) {
        for key in self.slots.take_pending() {
            self.release_now(key);
        }
    }

    /// Bytes in use by this state.
    pub(crate) fn memory_used(&self) -> Result<usize> {
        self.enter(|stack| Ok(self.memory.used().unwrap_or_else(|| stack.gc_count())))
    }

    /// Sets the limit in bytes, `usize::MAX` for none.
    pub(crate) fn set_memory_limit(&self, bytes: usize) -> Result<()> {
        self.enter(|stack| {
            stack.prepare_compiler()?;
            // SAFETY: the state is live, its lock is held, and `close` uninstalls the
            // wrapper before this object goes away.
            // The main state is given, since the wrapper keeps it.
            unsafe { self.memory.install(self.main.load(Ordering::Relaxed))? };
            self.memory.set_limit(bytes);
            Ok(())
        })
    }

    /// Ends the making of a runtime: the collector may work from now on. Without a limit, LuaJIT's own
    /// allocator does alone.
    pub(crate) fn is_made(&self) -> Result<()> {
        self.enter(|stack| {
            // SAFETY: the state is live and its lock is held. With -1 the next cycle begins when the memory has
            // doubled.
            unsafe {
                sys::lua_gc(stack.l, sys::LUA_GCRESTART, -1);
                if self.memory.limit() == usize::MAX {
                    self.memory.uninstall(self.main.load(Ordering::Relaxed));
                }
            }
            Ok(())
        })
    }

    pub(crate) fn memory_limit(&self) -> usize {
        self.memory.limit()
    }

    /// The state is being closed: nothing is kept any more, and nobody may enter.
    pub(super) fn forget_anchors(&self) {
        self.anchors.set(None);
    }

    /// The state was freed.
    pub(super) fn forget_state(&self) {
        self.main.store(std::ptr::null_mut(), Ordering::Relaxed);
        self.current.set(std::ptr::null_mut());
    }
}

fn next_number() -> u32 {
    let number = MADE.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
    if number == 0 { next_number() } else { number }
}

/// [`Shared::enter`] lets nobody in then.
#[cold]
#[inline(never)]
fn closing() -> ! {
    unreachable!("the state is being closed")
}

/// Settles the stack when a closure of [`Shared::enter`] ends, by panic too.
struct Frame<'a> {
    stack: Stack<'a>,
    used: usize,
}

impl Drop for Frame<'_> {
    #[inline]
    fn drop(&mut self) {
        self.stack.cut_to(self.used);
    }
}
