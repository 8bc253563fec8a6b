//! LuaJIT, built from source, and its C API for Rust.
//!
//! Everything here is unsafe and unforgiving. To run Lua in a Rust program, take
//! `lupa-core`, the safe layer above; this crate is for building such layers.
//!
//! # What is in it
//!
//! - LuaJIT 2.1 as a static library, linked whole, so that a `cdylib` can export the
//!   C API to binary Lua modules. It is compiled with `LUAJIT_ENABLE_CHECKHOOK`: compiled
//!   loops notice a hook that a signal handler sets, so runaway code can be stopped.
//! - The API declared by hand, one module a header: [`lua`], [`lauxlib`], [`lualib`],
//!   [`luajit`], macros included. A test compares them with the headers that were built.
//! - [`shim`]: C code that keeps Lua errors out of Rust frames.
//! - [`inline`]: what is done most often on a stack, without calls.
//! - [`JIT_MODULES`]: LuaJIT's own Lua modules (`jit.p`, `jit.dump` and so on).
//!
//! # Features
//!
//! - `lua52compat` builds LuaJIT with `LUAJIT_ENABLE_LUA52COMPAT`, which changes a
//!   few things in the language to what Lua 5.2 does.
//! - `assertions` builds it with internal assertions and API checks. Slow; for tests.
//!
//! # Errors
//!
//! A Lua error unwinds the stack up to the nearest `lua_pcall`. It must not meet Rust frames
//! on its way: destructors would run or not depending on the platform, and `catch_unwind`
//! or a missing `lua_pcall` ends the process. So call what can raise through
//! [`shim`] only. What can, every description says in the notation of the Lua manual, as
//! `[-o, +p, x]`: it pops `o` values, then pushes `p` (`a|b` depending on the outcome, `?` on
//! more than that), and `x` is
//!
//! - `-`: never raises. Declared as `extern "C"`; all others are `extern "C-unwind"`.
//! - `m`: raises only when memory runs out, or one of LuaJIT's limits on the size of strings,
//!   tables and userdata is met. It may run the garbage collector, and so finalizers;
//!   errors in those do not come out.
//! - `e`: can raise any error, and may run Lua code.
//! - `v`: raises on purpose, to report what it was called for.
//!
//! This holds for correct calls: indices that exist, values of the type that is asked for,
//! pointers that are not null unless that is mentioned, and room on the stack.
//!
//! # Room on the stack
//!
//! A push that takes the *last* free slot makes LuaJIT grow the stack at once, and that raises
//! when it fails. [`lua_checkstack`] for `n` slots is content when there are exactly
//! `n`. So **ask for one slot more than you push**, and in a C function, which starts with
//! [`LUA_MINSTACK`] slots, use one less than those. Then pushes marked `-` never raise.
//!
//! # For build scripts
//!
//! Crates that depend on this one directly find in their build scripts `DEP_LUAJIT_INCLUDE` (the
//! directory of the headers), `DEP_LUAJIT_LIB` (that of the static library),
//! `DEP_LUAJIT_VERSION`, and `DEP_LUAJIT_EXPORTS`: the patterns of the C API's symbols,
//! each followed by `;` as in a linker's version script.
#![allow(non_camel_case_types, non_snake_case)]

pub mod inline;
mod jit_modules;
pub mod lauxlib;
pub mod lua;
pub mod luajit;
pub mod lualib;
pub mod shim;

pub use jit_modules::JIT_MODULES;
pub use lauxlib::*;
pub use lua::*;
pub use luajit::*;
pub use lualib::*;
pub use shim::*;
