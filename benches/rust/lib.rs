//! The same operations on LuaJIT by the raw C API, by mlua and by lupa-core.
//!
//! All three run on one LuaJIT, the one that luajit-sys builds, in one process.

mod operation;
mod scripts;
mod with_core;
mod with_mlua;
mod with_raw;

pub use operation::{Operation, Timed};

/// A way to use LuaJIT from Rust.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The C API as a careful C programmer would use it.
    Raw,
    /// The crate mlua.
    Mlua,
    /// The crate lupa-core.
    Core,
}

impl Side {
    /// All of them, in the order of the tables.
    pub const ALL: [Side; 3] = [Side::Raw, Side::Mlua, Side::Core];

    /// How the tables call it.
    pub fn name(self) -> &'static str {
        match self {
            Side::Raw => "raw",
            Side::Mlua => "mlua",
            Side::Core => "lupa-core",
        }
    }

    /// Prepares an operation in a runtime of its own.
    pub fn prepare(self, operation: Operation) -> Timed {
        match self {
            Side::Raw => with_raw::prepare(operation),
            Side::Mlua => with_mlua::prepare(operation).expect("mlua"),
            Side::Core => with_core::prepare(operation).expect("lupa-core"),
        }
    }
}
