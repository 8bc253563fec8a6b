//! Exports Lua's C API from the extension module.
//!
//! Binary Lua modules (`lua-cjson` and the like) are not linked against a Lua library: they expect
//! to find `lua_pushstring` and its kin among the symbols of the process.  The LuaJIT inside this
//! extension is the only one there, so its symbols must be visible.  By default rustc hides
//! whatever is not Rust code marked `#[no_mangle]`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The name patterns that cover `lua.h`, `lauxlib.h`, `lualib.h` and `luajit.h`.
const API: [&str; 4] = ["lua_*", "luaL_*", "luaopen_*", "luaJIT_*"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Py_3_13 and the like.
    pyo3_build_config::use_pyo3_cfgs();

    match variable("CARGO_CFG_TARGET_OS").as_str() {
        // Mach-O: patterns are added to the list of exported symbols that rustc passes.
        "macos" | "ios" => {
            for pattern in API {
                link_arg(&format!("-Wl,-exported_symbol,_{pattern}"));
            }
        }
        // Windows: modules there are linked against a DLL by its name (lua51.dll), so exports of
        // this one would not be found whatever we did.  Binary modules are not supported.
        "windows" => {}
        _ => export_from_elf(),
    }
}

/// rustc passes a version script that makes everything else local; a second one adds to it.
///
/// LLVM's and most other linkers take the union of the names that are global.  GNU ld refuses a
/// second script ("anonymous version tag cannot be combined"), and it is still the default on many
/// targets, so we ask for the LLVM linker that comes with Rust.  A Rust without one (some
/// distributions') needs `-C link-arg=-fuse-ld=lld` or another linker in its configuration.
fn export_from_elf() {
    let script = Path::new(&variable("OUT_DIR")).join("lua-api.map");
    let text = format!("{{ global: {}; }};\n", API.join("; "));
    fs::write(&script, text).expect("OUT_DIR is writable");
    link_arg(&format!("-Wl,--version-script={}", script.display()));
    // What is exported is for Lua modules. Our own calls of it need no way around by a table of addresses, in which
    // the program's own Lua might stand, if it has one.
    link_arg("-Wl,-Bsymbolic-functions");

    if let Some(directory) = llvm_linker() {
        link_arg(&format!("-B{}", directory.display()));
        link_arg("-fuse-ld=lld");
        // Generic code has many copies that differ in nothing: keep one.
        link_arg("-Wl,--icf=all");
        if variable("CARGO_CFG_TARGET_ARCH") == "x86_64" {
            // See `shim/cpuid.c` of luajit-sys.
            link_arg("-Wl,--wrap=lj_vm_cpuid");
        }
    }
}

/// The folder in which a C compiler that is asked for lld finds the one that comes with Rust.
fn llvm_linker() -> Option<PathBuf> {
    let rustc = Command::new(variable("RUSTC"))
        .args(["--print", "sysroot"])
        .output()
        .ok()?;
    let sysroot = String::from_utf8(rustc.stdout).ok()?;
    let directory = Path::new(sysroot.trim())
        .join("lib/rustlib")
        .join(variable("HOST"))
        .join("bin/gcc-ld");
    directory.is_dir().then_some(directory)
}

fn link_arg(arg: &str) {
    println!("cargo::rustc-cdylib-link-arg={arg}");
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name} for build scripts"))
}
