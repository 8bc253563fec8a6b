//! The only module that calls LuaJIT, and the only one with `unsafe`.
//!
//! What it offers to the rest of the crate is safe to call:
//!
//! * [`Shared`] is a Lua state with its lock. [`Shared::enter`] takes the lock,
//!   hands a [`Stack`] to a closure, and settles the stack afterwards; frames so
//!   nest strictly and nothing of a frame outlives it.
//! * [`Stack`] addresses slots by positive index only. Reading beyond the top
//!   gives nil; pushes are preceded by [`Stack::reserve`].
//! * What can raise goes through [`Stack::call`] of a protected entry of the C
//!   shim; what merely allocates is called directly, since the memory limit is
//!   enforced only while Lua code runs (see `memory`).
//! * Lua reaches Rust through `dispatch` alone, which verifies the userdata
//!   it is given and returns to the C trampoline before anything is raised.
//! * Code that runs long is stopped by a hook (`stop`), which a signal to its thread sets
//!   (`signal`) when a watchdog asks for it (`watch`).

pub(crate) mod anchored;
mod bias;
pub(crate) mod call;
pub(crate) mod cdata;
pub(crate) mod cell;
pub(crate) mod closing;
pub(crate) mod coroutine;
pub(crate) mod dispatch;
#[cfg(feature = "fault-injection")]
pub mod faults;
pub(crate) mod fibers;
pub(crate) mod frame;
pub(crate) mod function;
mod host_function;
mod host_object;
pub(crate) mod jit;
pub(crate) mod kept;
pub(crate) mod library;
pub(crate) mod light;
pub(crate) mod lock;
pub(crate) mod memory;
pub(crate) mod owner;
pub(crate) mod profiler;
pub(crate) mod scope;
pub(crate) mod shared;
pub(crate) mod signal;
pub(crate) mod slots;
pub(crate) mod stack;
pub(crate) mod stop;
mod traceback;
pub(crate) mod userdata;
pub(crate) mod watch;

pub(crate) use frame::{FrameMark, Framed, Place};
pub(crate) use luajit_sys as sys;
pub(crate) use shared::Shared;
pub(crate) use stack::{Kind, Stack};
