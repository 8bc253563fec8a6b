//! Builds LuaJIT and the C shim, and says how to link them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio, exit};
use std::{env, fs, io};

macro_rules! offsets {
    ($($name:ident = $value:literal,)*) => {
        /// What `src/inline.rs` takes for granted, for the shim to check.
        const OFFSETS: &[(&str, &str)] = &[$((stringify!($name), stringify!($value))),*];
    };
}
include!("src/offsets.rs");

/// Symbols of the C API, as patterns for a linker's version script.
const EXPORTS: &str = "lua_*; luaL_*; luaopen_*; luaJIT_*;";

fn main() -> io::Result<()> {
    for path in ["build.rs", "src/offsets.rs", "shim"] {
        println!("cargo::rerun-if-changed={path}");
    }
    // What luajit-src and its make read; cc names CC, CFLAGS and their like itself.
    for var in [
        "HOST_CC",
        "STATIC_CC",
        "TARGET_LD",
        "TARGET_AR",
        "TARGET_STRIP",
        "MACOSX_DEPLOYMENT_TARGET",
        "CL",
    ] {
        println!("cargo::rerun-if-env-changed={var}");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let msvc = cfg("ENV") == "msvc";
    if !msvc {
        require_tools();
    }

    set_flags(msvc);
    if !msvc {
        join_shim(&out)?;
    }
    let luajit = luajit_src::Build::new()
        .lua52compat(feature("LUA52COMPAT"))
        .debug(feature("ASSERTIONS"))
        .try_build()
        .unwrap_or_else(|e| fail(&format!("building LuaJIT failed: {e}")));
    let (include, lib) = (luajit.include_dir(), luajit.lib_dir());

    build_rest(include, &out.join("luajit-build/src"), msvc);
    link(&luajit);
    embed_jit_modules(&out.join("luajit-build/src/jit"), &out)?;

    // For the build scripts of crates that depend on this one ...
    println!("cargo::metadata=include={}", include.display());
    println!("cargo::metadata=lib={}", lib.display());
    println!("cargo::metadata=version={}", version(include)?);
    println!("cargo::metadata=exports={EXPORTS}");
    // ... and for this crate's tests.
    println!("cargo::rustc-env=LUAJIT_INCLUDE_DIR={}", include.display());
    println!("cargo::rustc-env=LUAJIT_LIB_DIR={}", lib.display());
    Ok(())
}

/// What makes gcc's code quicker. It inlines how a function of the C API finds its argument (a sort by a Lua function takes 13 % less
/// time), and what is declared inline as at -O3, without the size that -O3 adds elsewhere. What runs in a loop does not depend on what
/// happens to lie before it (a kernel of strings takes 5 % less).
const GCC_FLAGS: &str = " --param=max-inline-insns-auto=22 --param=max-inline-insns-single=200 -falign-functions=32 -falign-loops=32";

/// Gives compilers the flags that `luajit-src` has no switches for, after the user's own.
fn set_flags(msvc: bool) {
    // cc and LuaJIT's make both read CFLAGS, and cl reads CL. Unwind tables are not every target's default; without
    // them LuaJIT's make turns external unwinding off, and no Lua error could pass through the shim's frames. LuaJIT's
    // own calls of its C API are not for others to replace.
    let (var, mut flags) = if msvc {
        ("CL", "/DLUAJIT_ENABLE_CHECKHOOK".to_owned())
    } else {
        (
            "CFLAGS",
            "-DLUAJIT_ENABLE_CHECKHOOK -funwind-tables -fno-semantic-interposition".to_owned(),
        )
    };
    let is_gcc = |tool: cc::Tool| tool.is_like_gnu();
    if cc::Build::new().try_get_compiler().is_ok_and(is_gcc) {
        flags.push_str(GCC_FLAGS);
    }
    let users = env::var(var).unwrap_or_default();
    // SAFETY: no other thread runs at this point that could read the environment.
    unsafe { env::set_var(var, format!("{users} {flags}").trim_start()) };

    // Programs that run during the build: LuaJIT's make takes gcc, which is not everywhere.
    let host = env::var("HOST").expect("cargo sets HOST");
    let host_cc = cc::Build::new()
        .host(&host)
        .target(&host)
        .try_get_compiler();
    if let (None, Ok(tool)) = (env::var_os("DEFAULT_CC"), host_cc) {
        // SAFETY: as above.
        unsafe { env::set_var("DEFAULT_CC", tool.path()) };
    }
    // Lets make take part in cargo's job server and so compile in parallel.
    if let Some(flags) = env::var_os("CARGO_MAKEFLAGS")
        && !msvc
    {
        // SAFETY: as above.
        unsafe { env::set_var("MAKEFLAGS", flags) };
    }
}

/// Has LuaJIT's make compile the shim together with LuaJIT.
fn join_shim(out: &Path) -> io::Result<()> {
    // As seen from where that make runs: make takes no path with a space in it, and `out` may be one.
    let shim = "../../shim";
    let copy = out.join("shim");
    fs::create_dir_all(&copy)?;
    for entry in fs::read_dir("shim")? {
        let entry = entry?;
        fs::copy(entry.path(), copy.join(entry.file_name()))?;
    }
    let defines: Vec<String> = offsets()
        .map(|(name, value)| format!("-D{name}={value}"))
        .collect();
    // SAFETY: no other thread runs at this point that could read the environment.
    unsafe {
        env::set_var("MAKEFILES", format!("{shim}/unit.mk"));
        env::set_var("LUPA_SHIM", shim);
        env::set_var("LUPA_DEFINES", defines.join(" "));
    }
    Ok(())
}

/// `OFFSETS` as macros of the shim.
fn offsets() -> impl Iterator<Item = (String, &'static str)> {
    OFFSETS
        .iter()
        .map(|(name, value)| (format!("LUPA_{name}"), *value))
}

/// Compiles what LuaJIT's make does not: the shim, if that make is Microsoft's script.
fn build_rest(include: &Path, private: &Path, msvc: bool) {
    let mut cc = cc::Build::new();
    if msvc {
        cc.files([
            "shim/shim.c",
            "shim/guards.c",
            "shim/finalizers.c",
            "shim/internals.c",
        ]);
        cc.include("shim").include(include).include(private);
        if feature("ASSERTIONS") {
            cc.define("LUA_USE_ASSERT", None);
        }
        for (name, value) in offsets() {
            cc.define(&name, value);
        }
    } else if cfg("ARCH") == "x86_64" {
        cc.file("shim/cpuid.c");
    } else {
        return;
    }
    cc.warnings(true).extra_warnings(!msvc);
    cc.compile("luajit_shim");
}

fn link(luajit: &luajit_src::Artifacts) {
    println!(
        "cargo::rustc-link-search=native={}",
        luajit.lib_dir().display()
    );
    for lib in luajit.libs() {
        // Whole: a cdylib that exports the C API needs also what Rust code does not call.
        println!("cargo::rustc-link-lib=static:+whole-archive={lib}");
    }
    if cfg("FAMILY").split(',').any(|f| f == "unix") {
        println!("cargo::rustc-link-lib=m");
    }
    if matches!(cfg("OS").as_str(), "linux" | "android") {
        println!("cargo::rustc-link-lib=dl");
    }
}

/// Copies the Lua modules of `from` and writes the table that `src/jit_modules.rs` includes.
fn embed_jit_modules(from: &Path, out: &Path) -> io::Result<()> {
    let to = out.join("jit");
    if to.exists() {
        fs::remove_dir_all(&to)?; // a module that the last build had may be gone
    }
    fs::create_dir_all(&to)?;

    let mut names = Vec::new();
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "lua") {
            let name = path.file_stem().expect("it has an extension").to_str();
            let name = name.expect("LuaJIT's file names are ASCII").to_owned();
            // `bcsave` is the inside of the command `luajit -b`, which nobody has here.
            if name == "bcsave" || is_foreign_disassembler(&name) {
                continue;
            }
            let source = without_comments(&fs::read_to_string(&path)?);
            fs::write(to.join(format!("{name}.lua")), source)?;
            names.push(name);
        }
    }
    names.sort();
    if !names.iter().any(|n| n == "vmdef") {
        fail("the LuaJIT build made no jit/vmdef.lua");
    }
    let entries: String = names
        .iter()
        .map(|n| format!("    (\"jit.{n}\", include_str!(\"jit/{n}.lua\")),\n"))
        .collect();
    fs::write(out.join("jit_modules.rs"), format!("&[\n{entries}]\n"))
}

/// Whether a module disassembles the code of another processor than the target's: this LuaJIT makes
/// none, and the eleven of them are half of all modules.
fn is_foreign_disassembler(name: &str) -> bool {
    let Some(processor) = name.strip_prefix("dis_") else {
        return false;
    };
    let own: &[&str] = match env::var("CARGO_CFG_TARGET_ARCH").as_deref() {
        Ok("x86_64") => &["x64", "x86"], // the first is a view of the second
        Ok("x86") => &["x86"],
        Ok("aarch64") => &["arm64", "arm64be"],
        Ok("arm") => &["arm"],
        Ok("mips" | "mips32r6" | "mips64" | "mips64r6") => return !processor.starts_with("mips"),
        Ok("powerpc") => &["ppc"],
        _ => return false,
    };
    !own.contains(&processor)
}

/// Empties the lines that are comments and takes the indentation away; messages keep their line
/// numbers. The only text of several lines in these modules is HTML.
fn without_comments(source: &str) -> String {
    let lines = source.lines().map(str::trim);
    lines
        .flat_map(|line| [if line.starts_with("--") { "" } else { line }, "\n"])
        .collect()
}

/// The version in the built `luajit.h`, such as `2.1.1700000000`.
fn version(include: &Path) -> io::Result<String> {
    let header = fs::read_to_string(include.join("luajit.h"))?;
    let version = header
        .split_once("\"LuaJIT ")
        .and_then(|(_, rest)| rest.split_once('"'))
        .map(|(version, _)| version.to_owned());
    Ok(version.unwrap_or_else(|| fail("luajit.h names no version")))
}

/// Ends the build early, and with advice, where LuaJIT's own would end obscurely.
fn require_tools() {
    let host = env::var("HOST").unwrap_or_default();
    // The choice that luajit-src makes.
    let make = match host.as_str() {
        "x86_64-unknown-dragonfly" | "x86_64-unknown-freebsd" => "gmake",
        _ => "make",
    };
    if !runs(Path::new(make)) {
        fail(&format!(
            "`{make}` (GNU make) is needed to build LuaJIT and was not found. \
             Debian and Ubuntu: apt install build-essential; Fedora: dnf install make gcc; \
             macOS: xcode-select --install"
        ));
    }
    let compiler = match cc::Build::new().try_get_compiler() {
        Ok(tool) => tool.path().to_owned(),
        Err(e) => fail(&format!("no C compiler for the target: {e}")),
    };
    if !runs(&compiler) {
        fail(&format!(
            "a C compiler is needed to build LuaJIT, and `{}` was not found. \
             Debian and Ubuntu: apt install build-essential; Fedora: dnf install make gcc; \
             macOS: xcode-select --install; or set CC",
            compiler.display()
        ));
    }
}

fn runs(program: &Path) -> bool {
    Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok()
}

fn fail(message: &str) -> ! {
    println!("cargo::error={message}");
    exit(1)
}

fn cfg(name: &str) -> String {
    env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default()
}

fn feature(name: &str) -> bool {
    env::var_os(format!("CARGO_FEATURE_{name}")).is_some()
}
