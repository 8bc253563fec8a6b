//! Frames: what part of a state's stack indexes are counted in.
//!
//! A view of the stack (a slot, a table that is being filled, the arguments of a call) is borrowed for the time of the frame that it
//! was made in, which is that of host code that Lua code has called, or of the code outside of all. It can get into a frame further
//! in while its own waits: the closure of a scope may capture it, and a thread-local that lends values with lifetimes, as some crates
//! have it, may hand it to any host function. Indexes mean something else there, so views know their frame, and refuse.
//!
//! Within a frame operations lie inside one another, and an outer view may be used inside an inner operation. Reading does no harm there.
//! What pushes looks whether there is room (`Pusher`), and what cuts the stack down refuses unless the top is its own.

use super::shared::Shared;
use super::stack::Stack;
use super::sys;
use std::ffi::c_int;
use std::ops::Deref;

/// Tells the frames apart that are alive at once in one runtime: in how much host code, each called by Lua code that the one
/// before it runs, a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameMark(u32);

impl FrameMark {
    /// That of the code outside of all.
    pub(super) const OUTSIDE: FrameMark = FrameMark(0);

    /// The next frame further in.
    #[inline]
    fn inner(self) -> FrameMark {
        FrameMark(self.0 + 1)
    }

    /// The place of an index of this frame.
    #[inline]
    pub(crate) fn place(self, index: c_int) -> Place {
        Place(u64::from(self.0) << 32 | u64::from(index as u32))
    }
}

/// An index and the frame that it counts in. One word, which is written and copied as one: two halves that are read together
/// make the processor wait.
#[derive(Clone, Copy)]
pub(crate) struct Place(u64);

impl Place {
    #[inline]
    pub(crate) fn index(self) -> c_int {
        self.0 as u32 as c_int
    }

    #[inline]
    fn frame(self) -> FrameMark {
        FrameMark((self.0 >> 32) as u32)
    }

    /// The place of another index of the same frame.
    #[inline]
    pub(crate) fn with_index(self, index: c_int) -> Place {
        self.frame().place(index)
    }
}

impl Shared {
    /// Runs host code that Lua code has called on the state `l`, which is live: in a frame of its own, and without the memory
    /// limit. `f` must not unwind.
    #[inline]
    pub(super) fn in_host(&self, l: *mut sys::lua_State, f: impl FnOnce() -> c_int) -> c_int {
        let enforced = self.memory.enforce(false);
        let state = self.current.replace(l);
        let frame = self.frame.get();
        self.frame.set(frame.inner());
        let results = f();
        self.frame.set(frame);
        self.current.set(state);
        self.memory.enforce(enforced);
        results
    }
}

impl<'s> Stack<'s> {
    /// The mark of the running frame.
    #[inline]
    pub(crate) fn frame(self) -> FrameMark {
        self.shared().frame.get()
    }

    /// The place of an index of the running frame.
    #[inline]
    pub(crate) fn place(self, index: c_int) -> Place {
        self.frame().place(index)
    }

    /// The stack itself, in the frame of the mark.
    ///
    /// # Panics
    /// In another frame.
    #[inline]
    pub(crate) fn in_frame(self, frame: FrameMark) -> Self {
        if self.frame() != frame {
            in_another_frame();
        }
        self
    }

    /// The stack itself, in the frame of the place.
    ///
    /// # Panics
    /// In another frame.
    #[inline]
    pub(crate) fn at(self, place: Place) -> Self {
        self.in_frame(place.frame())
    }
}

#[cold]
#[inline(never)]
fn in_another_frame() -> ! {
    panic!(
        "a view of Lua's stack (a `Slot`, `Call`, `TableBuilder` or the like) was captured by the closure of a scope, or lent by a \
         thread-local, and used when Lua code called that host code; convert the value before, or keep a handle"
    )
}

/// A stack for the time of one frame.
///
/// # Panics
/// When it is used in another frame.
#[derive(Clone, Copy)]
pub(crate) struct Framed<'s> {
    stack: Stack<'s>,
    frame: FrameMark,
}

impl<'s> Framed<'s> {
    #[inline]
    pub(crate) fn new(stack: Stack<'s>) -> Self {
        Framed {
            stack,
            frame: stack.frame(),
        }
    }
}

impl<'s> Deref for Framed<'s> {
    type Target = Stack<'s>;

    #[inline]
    fn deref(&self) -> &Stack<'s> {
        self.stack.in_frame(self.frame);
        &self.stack
    }
}
