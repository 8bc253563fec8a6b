//! What a source file or a header declares, in a form that can be compared.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::{env, fs, panic};

use syn::{Expr, ForeignItem, Item, Lit, ReturnType, Type};

use crate::PAIRS;

pub(crate) const INCLUDE: &str = env!("LUAJIT_INCLUDE_DIR");

/// The declarations of one file.
#[derive(Default)]
pub(crate) struct Decls {
    pub(crate) functions: BTreeMap<String, String>,
    pub(crate) constants: BTreeMap<String, Value>,
    pub(crate) types: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Int(i128),
    Str(Vec<u8>),
}

impl Decls {
    pub(crate) fn of_header(header: &str, values: &BTreeMap<String, Value>) -> Self {
        Self::of(
            syn::parse_file(&bindings(header)).expect("bindgen writes Rust"),
            values,
        )
    }

    pub(crate) fn of_source(file: &str, values: &BTreeMap<String, Value>) -> Self {
        Self::of(source(file), values)
    }

    /// `values` are constants known from elsewhere.
    fn of(file: syn::File, values: &BTreeMap<String, Value>) -> Self {
        let mut decls = Self::default();
        let mut known = values.clone();
        for item in file.items {
            match item {
                Item::Const(c) if c.ident != "_" => {
                    let name = c.ident.to_string();
                    let value = match &*c.expr {
                        // Depends on the target: the caller knows what it came to.
                        Expr::If(_) => known[&name].clone(),
                        expr => evaluate(expr, &known),
                    };
                    known.insert(name.clone(), value.clone());
                    decls.constants.insert(name, value);
                }
                Item::ForeignMod(block) => {
                    for item in block.items {
                        let ForeignItem::Fn(f) = item else {
                            panic!("only functions are expected")
                        };
                        let mut text: Vec<_> =
                            f.sig.inputs.iter().map(|i| parameter(i, &known)).collect();
                        text.extend(f.sig.variadic.iter().map(|_| "...".to_owned()));
                        let text =
                            format!("({}){}", text.join(", "), result(&f.sig.output, &known));
                        decls.functions.insert(f.sig.ident.to_string(), text);
                    }
                }
                // bindgen names C's anonymous enums so; their constants are compared as numbers.
                Item::Type(t) if t.ident.to_string().starts_with("_bindgen_ty") => {}
                Item::Type(t) => {
                    decls
                        .types
                        .insert(t.ident.to_string(), type_text(&t.ty, &known));
                }
                Item::Struct(s) => {
                    let fields: Vec<_> = s
                        .fields
                        .iter()
                        .map(|f| {
                            let name = f.ident.as_ref().expect("fields have names");
                            format!("{name}: {}", type_text(&f.ty, &known))
                        })
                        .collect();
                    // Opaque types are written in several ways; nobody sees inside.
                    let opaque = fields[0].ends_with("[u8; 0]");
                    let text = if opaque {
                        "opaque".to_owned()
                    } else {
                        fields.join(", ")
                    };
                    let repr_c = s.attrs.iter().any(|a| {
                        a.path().is_ident("repr")
                            && a.parse_args::<syn::Ident>().is_ok_and(|i| i == "C")
                    });
                    let repr = if repr_c { "repr(C)" } else { "repr(Rust)" };
                    decls
                        .types
                        .insert(s.ident.to_string(), format!("{repr} {{ {text} }}"));
                }
                _ => {}
            }
        }
        decls
    }
}

pub(crate) fn source(file: &str) -> syn::File {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file);
    let text = fs::read_to_string(path).expect("the source is there");
    syn::parse_file(&text).expect("the source compiles")
}

/// All C functions that we declare, with their ABI.
pub(crate) fn foreign_functions() -> Vec<(String, syn::ForeignItemFn)> {
    let mut functions = Vec::new();
    for (_, file) in PAIRS {
        for item in source(file).items {
            let Item::ForeignMod(block) = item else {
                continue;
            };
            let abi = block.abi.name.expect("every block names its ABI").value();
            for item in block.items {
                let ForeignItem::Fn(f) = item else {
                    panic!("only functions are expected")
                };
                functions.push((abi.clone(), f));
            }
        }
    }
    functions
}

/// What bindgen makes of one header, without the headers that it includes.
pub(crate) fn bindings(header: &str) -> String {
    if panic::catch_unwind(bindgen::clang_version).is_err() {
        panic!(
            "this test needs libclang, and none was found. Install Debian's `libclang-dev`, or \
             `pip install libclang` and set LIBCLANG_PATH to the directory `clang/native` in its \
             site-packages"
        );
    }
    let header = Path::new(INCLUDE).join(header);
    let file = header
        .to_str()
        .expect("the build directory's name is UTF-8");
    let mut builder = bindgen::builder()
        .header(file)
        .allowlist_file(
            format!(".*{}", header.file_name().expect("it has a name").display())
                .replace(".h", "\\.h"),
        )
        .allowlist_recursively(false)
        .default_macro_constant_type(bindgen::MacroTypeVariation::Signed)
        .generate_cstr(true)
        .prepend_enum_name(false)
        .formatter(bindgen::Formatter::None)
        .clang_arg(format!("-I{INCLUDE}"));
    // libclang as PyPI has it comes without the compiler's own headers (stddef.h and the like).
    let cc = env::var("CC").unwrap_or_else(|_| "cc".into());
    if let Ok(output) = Command::new(cc).arg("-print-file-name=include").output() {
        builder =
            builder.clang_args(["-idirafter", String::from_utf8_lossy(&output.stdout).trim()]);
    }
    builder
        .generate()
        .expect("bindgen reads the header")
        .to_string()
}

// ----------------------------------------------------------- types as text

fn parameter(arg: &syn::FnArg, known: &BTreeMap<String, Value>) -> String {
    let syn::FnArg::Typed(arg) = arg else {
        panic!("C functions have no self")
    };
    type_text(&arg.ty, known)
}

fn result(output: &ReturnType, known: &BTreeMap<String, Value>) -> String {
    match output {
        ReturnType::Default => String::new(),
        ReturnType::Type(_, ty) => format!(" -> {}", type_text(ty, known)),
    }
}

/// A type without what does not matter for C: paths, names of parameters, ABIs of callbacks,
/// and whether a function pointer may be null.
fn type_text(ty: &Type, known: &BTreeMap<String, Value>) -> String {
    match ty {
        Type::Path(p) => {
            let last = p.path.segments.last().expect("a path has a segment");
            match &last.arguments {
                syn::PathArguments::AngleBracketed(args) if last.ident == "Option" => {
                    match &args.args[0] {
                        syn::GenericArgument::Type(ty) => type_text(ty, known),
                        _ => panic!("an option of no type"),
                    }
                }
                _ if last.ident == "__builtin_va_list" => "va_list".into(),
                _ => last.ident.to_string(),
            }
        }
        Type::Ptr(p) => {
            let target = type_text(&p.elem, known);
            match target.as_str() {
                "__va_list_tag" => "va_list".into(),
                _ if matches!(p.mutability, syn::PointerMutability::Const(_)) => {
                    format!("*const {target}")
                }
                _ => format!("*mut {target}"),
            }
        }
        Type::Array(a) => format!(
            "[{}; {}]",
            type_text(&a.elem, known),
            match evaluate(&a.len, known) {
                Value::Int(n) => n,
                Value::Str(_) => panic!("a length that is no number"),
            }
        ),
        Type::FnPtr(f) => {
            let inputs: Vec<_> = f.inputs.iter().map(|i| type_text(&i.ty, known)).collect();
            format!("fn({}){}", inputs.join(", "), result(&f.output, known))
        }
        other => panic!("a type this test does not know: {other:?}"),
    }
}

/// The value of a constant expression.
fn evaluate(expr: &Expr, known: &BTreeMap<String, Value>) -> Value {
    let int = |expr: &Expr| match evaluate(expr, known) {
        Value::Int(n) => n,
        Value::Str(s) => panic!("a string among numbers: {s:?}"),
    };
    match expr {
        Expr::Lit(l) => match &l.lit {
            Lit::Int(n) => Value::Int(n.base10_parse().expect("a number")),
            Lit::CStr(s) => Value::Str(s.value().into_bytes()),
            other => panic!("a literal this test does not know: {other:?}"),
        },
        Expr::Path(p) => {
            let name = &p.path.segments.last().expect("a path has a segment").ident;
            known
                .get(&name.to_string())
                .unwrap_or_else(|| panic!("{name} is not known here"))
                .clone()
        }
        Expr::Unary(u) if matches!(u.op, syn::UnOp::Neg(_)) => Value::Int(-int(&u.expr)),
        Expr::Binary(b) => {
            let (left, right) = (int(&b.left), int(&b.right));
            Value::Int(match b.op {
                syn::BinOp::Add(_) => left + right,
                syn::BinOp::Sub(_) => left - right,
                syn::BinOp::Shl(_) => left << right,
                _ => panic!("an operator this test does not know: {:?}", b.op),
            })
        }
        other => panic!("an expression this test does not know: {other:?}"),
    }
}

pub(crate) fn doc_text(attr: &syn::Attribute) -> String {
    match &attr.meta {
        syn::Meta::NameValue(m) if m.path.is_ident("doc") => match &m.value {
            Expr::Lit(syn::ExprLit {
                lit: Lit::Str(s), ..
            }) => s.value(),
            _ => String::new(),
        },
        _ => String::new(),
    }
}

pub(crate) fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
