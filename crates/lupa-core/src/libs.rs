//! The standard libraries.

use crate::raw::sys;
use std::ffi::c_int;
use std::ops::{BitOr, BitOrAssign, Sub};

/// A set of Lua's standard libraries.
///
/// ```
/// use lupa_core::{Libs, Runtime};
/// let lua = Runtime::builder().libs(Libs::STRING | Libs::TABLE).build()?;
/// assert!(lua.load("return io == nil and os == nil").eval::<bool>()?);
/// # Ok::<(), lupa_core::Error>(())
/// ```
///
/// By their names, as from a configuration:
///
/// ```
/// use lupa_core::Libs;
///
/// fn libs(names: &[&str]) -> Result<Libs, String> {
///     names.iter().try_fold(Libs::BASE, |libs, name| match Libs::by_name(name) {
///         Some(more) => Ok(libs | more),
///         None => Err(format!("'{name}' is none of {}", Libs::names().collect::<Vec<_>>().join(", "))),
///     })
/// }
///
/// let some = libs(&["string", "table", "io"])? - Libs::IO;
/// assert!(some.contains(Libs::STRING | Libs::TABLE));
/// assert!(!some.contains(Libs::IO) && Libs::SAFE.contains(some));
/// assert!(libs(&["socket"]).unwrap_err().starts_with("'socket' is none of base, coroutine, package, "));
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Libs(c_int);

impl Libs {
    /// The base library and `coroutine`, which are always opened.
    pub const BASE: Libs = Libs(sys::LUPA_LIB_BASE);
    /// `package`, `require` and `module`.
    pub const PACKAGE: Libs = Libs(sys::LUPA_LIB_PACKAGE);
    /// `table`
    pub const TABLE: Libs = Libs(sys::LUPA_LIB_TABLE);
    /// `io`
    pub const IO: Libs = Libs(sys::LUPA_LIB_IO);
    /// `os`
    pub const OS: Libs = Libs(sys::LUPA_LIB_OS);
    /// `string`
    pub const STRING: Libs = Libs(sys::LUPA_LIB_STRING);
    /// `math`
    pub const MATH: Libs = Libs(sys::LUPA_LIB_MATH);
    /// `debug`
    pub const DEBUG: Libs = Libs(sys::LUPA_LIB_DEBUG);
    /// `bit`
    pub const BIT: Libs = Libs(sys::LUPA_LIB_BIT);
    /// `jit`. Code is compiled without it, too.
    pub const JIT: Libs = Libs(sys::LUPA_LIB_JIT);
    /// `ffi`, which makes Lua code as unsafe as C. It is loaded by `require("ffi")`, or is a global
    /// where there is no `package`.
    pub const FFI: Libs = Libs(sys::LUPA_LIB_FFI);
    /// All of them.
    pub const ALL: Libs = Libs((sys::LUPA_LIB_FFI << 1) - 1);
    /// Those that give no access to files, processes, native code or other functions' internals.
    pub const SAFE: Libs = Libs(
        sys::LUPA_LIB_BASE
            | sys::LUPA_LIB_TABLE
            | sys::LUPA_LIB_STRING
            | sys::LUPA_LIB_MATH
            | sys::LUPA_LIB_BIT,
    );

    const NAMES: [(&'static str, Libs); 12] = [
        ("base", Libs::BASE),
        ("coroutine", Libs::BASE),
        ("package", Libs::PACKAGE),
        ("table", Libs::TABLE),
        ("io", Libs::IO),
        ("os", Libs::OS),
        ("string", Libs::STRING),
        ("math", Libs::MATH),
        ("debug", Libs::DEBUG),
        ("bit", Libs::BIT),
        ("jit", Libs::JIT),
        ("ffi", Libs::FFI),
    ];

    /// The library that Lua calls by this name.
    pub fn by_name(name: &str) -> Option<Libs> {
        Self::NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, libs)| *libs)
    }

    /// The names that [`Libs::by_name`] knows.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().map(|(name, _)| *name)
    }

    /// Whether all of `other` are in the set.
    pub fn contains(self, other: Libs) -> bool {
        self.0 & other.0 == other.0
    }

    pub(crate) fn mask(self) -> c_int {
        self.0
    }
}

impl BitOr for Libs {
    type Output = Libs;
    fn bitor(self, other: Libs) -> Libs {
        Libs(self.0 | other.0)
    }
}

impl BitOrAssign for Libs {
    fn bitor_assign(&mut self, other: Libs) {
        self.0 |= other.0;
    }
}

impl Sub for Libs {
    type Output = Libs;
    fn sub(self, other: Libs) -> Libs {
        Libs(self.0 & !other.0)
    }
}
