//! What a function says of itself.

use crate::raw::function::Described;
use std::ffi::c_int;
use std::ops::RangeInclusive;

/// What a function is written in.
///
/// ```
/// use lupa_core::{Function, FunctionKind, Runtime};
///
/// let lua = Runtime::new()?;
/// let kind = |code: &str| lua.load(code).eval::<Function>()?.info().map(|info| info.kind);
/// assert_eq!(kind("return function() end")?, FunctionKind::Lua);
/// assert_eq!(kind("return loadstring('x = 1')")?, FunctionKind::Main);
/// assert_eq!(kind("return print")?, FunctionKind::C);
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FunctionKind {
    /// A function of Lua code.
    Lua,
    /// A whole chunk, as [`Chunk::into_function`](crate::Chunk::into_function) gives it.
    Main,
    /// A function of C or of the host, LuaJIT's own included.
    C,
}

/// What [`Function::info`](crate::Function::info) tells.
///
/// A function has no name: where it was called by one, errors and their tracebacks say which.
///
/// ```
/// use lupa_core::{Function, FunctionInfo, Runtime};
///
/// /// Where an editor would open the function.
/// fn place(info: &FunctionInfo) -> Option<(String, u32)> {
///     let file = info.source.strip_prefix('@')?.to_owned();
///     Some((file, *info.lines.as_ref()?.start()))
/// }
///
/// let lua = Runtime::new()?;
/// let (hook, rep): (Function, Function) = lua
///     .load("local function hook(a, b)\nend\nreturn hook, string.rep")
///     .name("@plugins/hook.lua")
///     .eval()?;
/// assert_eq!(place(&hook.info()?), Some(("plugins/hook.lua".to_owned(), 1)));
/// assert_eq!(place(&rep.info()?), None);
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FunctionInfo {
    /// What it is written in.
    pub kind: FunctionKind,
    /// The name of its chunk, as [`Chunk::name`](crate::Chunk::name) got it; `=[C]` for C functions.
    pub source: String,
    /// The name of its chunk as messages show it.
    pub short_source: String,
    /// The lines from `function` to `end`, from 1; 0 is the first one of a whole chunk. `None` for C functions.
    pub lines: Option<RangeInclusive<u32>>,
    /// Number of its named parameters; 0 for C functions.
    pub parameters: usize,
    /// Whether it takes more arguments than it has parameters; all C functions do.
    pub is_vararg: bool,
    /// Number of its upvalues: local variables of the functions around it.
    pub upvalues: usize,
}

impl FunctionInfo {
    pub(crate) fn new(found: Described) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let line = |number: c_int| u32::try_from(number).ok();
        FunctionInfo {
            kind: match found.what.to_bytes() {
                b"main" => FunctionKind::Main,
                b"Lua" => FunctionKind::Lua,
                _ => FunctionKind::C,
            },
            source: text(found.source),
            short_source: text(found.short_source),
            lines: line(found.first_line)
                .zip(line(found.last_line))
                .map(|(first, last)| first..=last),
            parameters: usize::try_from(found.parameters).unwrap_or(0),
            is_vararg: found.is_vararg,
            upvalues: usize::try_from(found.upvalues).unwrap_or(0),
        }
    }
}
