//! Frames: what part of a state's stack indexes are counted in.
//!
//! A view of the stack (a slot, a table that is being filled, the arguments of a call) is borrowed for the time of the frame that it
//! was made in, which is that of a host function or of the code outside of all. This crate has one way to use it while another frame is
//! the running one: a closure of a scope may capture it, and runs in a frame of its own. Indexes mean something else there, so views
//! know their frame, and refuse. While no scope is open a view notes nothing, and while no closure of one runs it looks at nothing.
//! What is not seen: a thread-local that lends values with lifetimes, as some crates have it, can hand a view to a host function
//! without a scope.
//!
//! Within a frame operations lie inside one another, and an outer view may be used inside an inner operation. Reading does no harm there.
//! What pushes looks whether there is room (`Pusher`), and what cuts the stack down refuses unless the top is its own.

use super::stack::Stack;
use super::sys::inline;
use std::cell::Cell;
use std::ffi::c_int;
use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// How many scopes are open in this process, and how many closures of scopes run. Each thread sees its own at least.
static OPEN: AtomicUsize = AtomicUsize::new(0);
static RUNNING: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// How many closures of scopes run in this thread, one inside another.
    static RUNNING_HERE: Cell<usize> = const { Cell::new(0) };
}

/// A scope is open as long as this lives.
pub(super) struct OpenScope(());

impl OpenScope {
    pub(super) fn new() -> Self {
        OPEN.fetch_add(1, Relaxed);
        OpenScope(())
    }
}

impl Drop for OpenScope {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Relaxed);
    }
}

/// A closure of a scope runs as long as this lives.
pub(super) struct RunningClosure(());

impl RunningClosure {
    pub(super) fn new() -> Self {
        RUNNING.fetch_add(1, Relaxed);
        RUNNING_HERE.set(RUNNING_HERE.get() + 1);
        RunningClosure(())
    }
}

impl Drop for RunningClosure {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Relaxed);
        RUNNING_HERE.set(RUNNING_HERE.get() - 1);
    }
}

/// Tells the frames apart that are alive in one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameMark(u32);

impl FrameMark {
    /// That of what was made when no scope was open: no frame of a scope's closure.
    const OUTSIDE: FrameMark = FrameMark(0);
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
}

impl<'s> Stack<'s> {
    /// The mark of the running frame.
    #[inline]
    pub(crate) fn frame(self) -> FrameMark {
        if OPEN.load(Relaxed) == 0 {
            FrameMark::OUTSIDE
        } else {
            self.running_frame()
        }
    }

    #[cold]
    #[inline(never)]
    fn running_frame(self) -> FrameMark {
        // SAFETY: live and locked. A stack has far less than 2^32 bytes, and some below the first frame.
        FrameMark(unsafe { inline::base_offset(self.l) } as u32)
    }

    /// The place of an index of the running frame.
    #[inline]
    pub(crate) fn place(self, index: c_int) -> Place {
        Place(u64::from(self.frame().0) << 32 | u64::from(index as u32))
    }

    /// The stack itself, in the frame of the mark.
    ///
    /// # Panics
    /// In another frame.
    #[inline]
    pub(crate) fn in_frame(self, frame: FrameMark) -> Self {
        if RUNNING.load(Relaxed) != 0 {
            self.verify(frame);
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

    #[cold]
    #[inline(never)]
    fn verify(self, frame: FrameMark) {
        // What another thread runs says nothing about this one's views.
        if RUNNING_HERE.get() != 0 && frame != self.running_frame() {
            panic!(
                "a view of Lua's stack (a `Slot`, `Call`, `TableBuilder` or the like) was captured by the closure of a scope and \
                 used when Lua code called that; convert the value before, or keep a handle"
            )
        }
    }
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
