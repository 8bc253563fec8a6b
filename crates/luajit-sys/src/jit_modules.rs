//! LuaJIT's own Lua modules: profiler, dumpers, disassemblers.

/// The modules that belong to this LuaJIT, as pairs of the name for `require` (such as
/// `jit.p`) and the source without comments, sorted by name. Of the disassemblers those for
/// the target's processor.
///
/// They fit no other LuaJIT: `jit.vmdef` is generated along with the VM. An
/// installed LuaJIT has them in a directory on `package.path`; a program that
/// embeds LuaJIT puts loaders for them into `package.preload`.
pub static JIT_MODULES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/jit_modules.rs"));
