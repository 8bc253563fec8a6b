//! Compiling: any bytes as source text, bytecode in disguise, and code composed by the grammar.

use crate::grammar;
use arbitrary::Unstructured;
use lupa_core::{ChunkMode, Error, Function, Result, Runtime, is_incomplete};

thread_local! {
    /// Compiling leaves nothing behind, so the inputs share their runtimes: a plain one and a sandbox.
    static RUNTIMES: [Runtime; 2] = [false, true].map(|sandbox| {
        let made = Runtime::builder().sandbox(sandbox).memory_limit(64 << 20).build();
        made.expect("a runtime can be made")
    });
}

/// What byte a chunk of bytecode starts with.
const SIGNATURE: u8 = 0x1b;

/// Takes an input's first byte as a choice, and the others as code or as choices of the grammar.
pub fn run(data: &[u8]) {
    let Some((choice, rest)) = data.split_first() else {
        return;
    };
    RUNTIMES.with(|runtimes| {
        let lua = &runtimes[usize::from(choice & 1)];
        match choice >> 1 & 3 {
            0 => any_bytes(lua, rest, false),
            1 => any_bytes(lua, rest, true),
            2 => any_bytes(lua, &[&[SIGNATURE], rest].concat(), false),
            _ => composed(lua, rest),
        }
    });
}

fn any_bytes(lua: &Runtime, code: &[u8], expression: bool) {
    let chunk = lua.load(code).name(code).mode(ChunkMode::Text);
    let function = if expression {
        chunk.expression()
    } else {
        chunk
    }
    .into_function();
    if code.first() == Some(&SIGNATURE) && !expression {
        assert!(
            matches!(function, Err(Error::Syntax { .. })),
            "bytecode was taken for text"
        );
    }
    judge(lua, function);
}

fn composed(lua: &Runtime, choices: &[u8]) {
    let code = grammar::chunk(&mut Unstructured::new(choices)).unwrap_or_default();
    let whole = lua.load(&code).mode(ChunkMode::Text).into_function();
    assert!(
        !whole.as_ref().is_err_and(is_incomplete),
        "composed code is incomplete: {code}"
    );
    judge(lua, whole);
    // Cut off anywhere, it is an error or code.
    let cut = usize::from(choices.first().copied().unwrap_or_default()) * code.len() / 256;
    judge(
        lua,
        lua.load(&code[..cut]).mode(ChunkMode::Text).into_function(),
    );
}

/// What compiling may give: a function whose bytecode is refused as text, or an error with a message.
fn judge(lua: &Runtime, function: Result<Function>) {
    match function {
        Ok(function) => {
            assert!(!function.is_c().expect("it is open"));
            let dump = function.dump().expect("a Lua function can be dumped");
            assert_eq!(dump.first(), Some(&SIGNATURE));
            let text = lua.load(&dump).mode(ChunkMode::Text).into_function();
            assert!(
                matches!(text, Err(Error::Syntax { .. })),
                "bytecode was taken for text"
            );
        }
        Err(Error::Syntax(error)) => assert!(!error.message.is_empty()),
        Err(Error::Memory) => {}
        Err(error) => panic!("compiling gave {error:?}"),
    }
}
