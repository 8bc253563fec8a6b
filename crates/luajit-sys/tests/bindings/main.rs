//! Compares the hand-written declarations with what `bindgen` reads from the
//! headers of the LuaJIT that was built: nothing may be missing, extra or different.

mod decls;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::{fs, mem};

use decls::{Decls, INCLUDE, Value, bindings, doc_text, foreign_functions, is_word, source};
use luajit_sys as sys;
use syn::Item;

/// Header and the file that declares what is in it.
const PAIRS: [(&str, &str); 4] = [
    ("lua.h", "lua.rs"),
    ("lauxlib.h", "lauxlib.rs"),
    ("lualib.h", "lualib.rs"),
    ("luajit.h", "luajit.rs"),
];

/// `lua.h` declares it, but LuaJIT does not define it.
const NOT_DEFINED: &str = "lua_setlevel";

/// Macros that have no use in Rust: one takes a function, one is C's assert.
const C_ONLY_MACROS: [&str; 2] = ["luaL_opt", "lua_assert"];

#[test]
fn declarations_are_those_of_the_headers() {
    let mut problems = Vec::new();
    let luaconf = Decls::of_header("luaconf.h", &BTreeMap::new());
    let mut values = BTreeMap::from([(
        "LUAL_BUFFERSIZE".into(),
        Value::Int(sys::LUAL_BUFFERSIZE as i128),
    )]);
    for (header, file) in PAIRS {
        let ours = Decls::of_source(file, &values);
        values.extend(ours.constants.clone());
        let mut theirs = Decls::of_header(header, &values);
        theirs.functions.remove(NOT_DEFINED);

        // luaconf.h: what we take from it must be right, and we need not take everything.
        for name in ours.constants.keys() {
            if let Some(value) = luaconf.constants.get(name) {
                theirs.constants.insert(name.clone(), value.clone());
            }
        }
        // bindgen cannot evaluate this one; the layout of luaL_Buffer proves it.
        if file == "lauxlib.rs" {
            theirs
                .constants
                .insert("LUAL_BUFFERSIZE".into(), values["LUAL_BUFFERSIZE"].clone());
        }
        // A name for bindgen's `__va_list_tag *`, which differs from target to target.
        let mut types = ours.types;
        types.remove("va_list");

        compare(
            "function",
            header,
            &ours.functions,
            &theirs.functions,
            &mut problems,
        );
        compare(
            "constant",
            header,
            &ours.constants,
            &theirs.constants,
            &mut problems,
        );
        compare("type", header, &types, &theirs.types, &mut problems);
    }
    report(&problems);
}

/// Sizes, alignments and offsets as the C compiler sees them.
#[test]
fn layouts_are_those_of_the_headers() {
    let mut ours = BTreeMap::new();
    macro_rules! layout {
        ($type:ident { $($field:ident),* $(,)? }) => {
            ours.insert(format!("Size of {}", stringify!($type)), mem::size_of::<sys::$type>());
            ours.insert(format!("Alignment of {}", stringify!($type)), mem::align_of::<sys::$type>());
            $(ours.insert(
                format!("Offset of field: {}::{}", stringify!($type), stringify!($field)),
                mem::offset_of!(sys::$type, $field),
            );)*
        };
    }
    layout!(lua_Debug {
        event,
        name,
        namewhat,
        what,
        source,
        currentline,
        nups,
        linedefined,
        lastlinedefined,
        short_src,
        i_ci,
    });
    layout!(luaL_Reg { name, func });
    layout!(luaL_Buffer { p, lvl, L, buffer });

    let mut theirs = BTreeMap::new();
    for (header, _) in PAIRS {
        // bindgen writes: ["Size of luaL_Reg"][::std::mem::size_of::<luaL_Reg>() - 16usize];
        for test in bindings(header).split("[\"").skip(1) {
            let (label, rest) = test.split_once("\"]").expect("a label ends");
            let (rest, _) = rest.split_once("usize]").expect("a size ends the test");
            let (_, number) = rest.rsplit_once("- ").expect("it is subtracted");
            theirs.insert(label.to_owned(), number.parse().expect("a number"));
        }
    }
    let mut problems = Vec::new();
    compare("layout", "headers", &ours, &theirs, &mut problems);
    report(&problems);
}

/// Function-like macros are inline functions here.
#[test]
fn macros_are_those_of_the_headers() {
    let mut theirs = BTreeSet::new();
    let mut ours = BTreeSet::new();
    for (header, file) in PAIRS {
        let text = fs::read_to_string(Path::new(INCLUDE).join(header))
            .expect("the build copied the headers");
        for line in text.lines().filter_map(|l| l.strip_prefix("#define")) {
            let name: String = line
                .trim_start()
                .chars()
                .take_while(|&c| is_word(c))
                .collect();
            if line.trim_start()[name.len()..].starts_with('(') {
                theirs.insert(name);
            }
        }
        for item in source(file).items {
            match item {
                Item::Fn(f) => drop(ours.insert(f.sig.ident.to_string())),
                Item::Macro(m) if m.mac.path.is_ident("header_macros") => {
                    let text = m.mac.tokens.to_string();
                    let names = text.split("fn ").skip(1);
                    ours.extend(
                        names.map(|n| n.chars().take_while(|&c| is_word(c)).collect::<String>()),
                    );
                }
                _ => {}
            }
        }
    }
    for name in C_ONLY_MACROS {
        assert!(theirs.remove(name), "{name} is no macro any more");
    }
    assert_eq!(ours, theirs);
}

/// "Cannot raise" stands in two places, in the description and in the ABI.
#[test]
fn descriptions_and_abis_agree_about_raising() {
    let mut problems = Vec::new();
    for (abi, f) in foreign_functions() {
        let doc: String = f.attrs.iter().map(doc_text).collect();
        let mark = doc.trim().strip_suffix("]`").and_then(|d| d.chars().last());
        match (abi.as_str(), mark) {
            ("C", Some('-')) | ("C-unwind", Some('m' | 'e' | 'v')) => {}
            _ => problems.push(format!("{}: ABI {abi}, described as {mark:?}", f.sig.ident)),
        }
    }
    report(&problems);
}

/// The library defines every function that is declared, and only those are declared.
#[test]
fn declared_functions_are_in_the_library() {
    let dir = fs::read_dir(env!("LUAJIT_LIB_DIR")).expect("the build made it");
    let path = dir
        .map(|e| e.expect("readable").path())
        .next()
        .expect("it holds the library");
    let library = fs::read(path).expect("readable");
    // The archive's index holds the names of all symbols. Nothing would link if one of them
    // were used, but not defined.
    let words: BTreeSet<&[u8]> = library.split(|&b| !is_word(char::from(b))).collect();
    // Some object formats put an underscore in front.
    let has = |name: &str| {
        words.contains(name.as_bytes()) || words.contains(format!("_{name}").as_bytes())
    };
    for (_, f) in foreign_functions() {
        let name = f.sig.ident.to_string();
        assert!(has(&name), "{name} is declared, but not in the library");
    }
    assert!(
        !has(NOT_DEFINED),
        "{NOT_DEFINED} is in the library now: declare it"
    );
}

fn compare<T: PartialEq + std::fmt::Debug>(
    what: &str,
    header: &str,
    ours: &BTreeMap<String, T>,
    theirs: &BTreeMap<String, T>,
    problems: &mut Vec<String>,
) {
    assert!(
        !theirs.is_empty() || what != "function",
        "bindgen found nothing in {header}"
    );
    let names: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
    for name in names {
        match (ours.get(name), theirs.get(name)) {
            (Some(a), Some(b)) if a == b => {}
            (Some(a), Some(b)) => {
                problems.push(format!("{what} {name}: {a:?} here, {b:?} in {header}"));
            }
            (Some(_), None) => {
                problems.push(format!("{what} {name}: declared here, not in {header}"));
            }
            (None, _) => problems.push(format!("{what} {name}: in {header}, not declared here")),
        }
    }
}

fn report(problems: &[String]) {
    assert!(
        problems.is_empty(),
        "{} differences:\n{}",
        problems.len(),
        problems.join("\n")
    );
}
