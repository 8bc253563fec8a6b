//! A prompt for Lua with mlua: values are shown, unfinished lines go on, `:json x` and `:set json` write and read
//! data. Its port to lupa-core is `crates/lupa-core/examples/repl.rs`.
//!
//! `cargo run -p mlua-programs --example repl` shows a session; with `-- -` it reads your own.

#![allow(clippy::print_stdout)]

// What mlua is linked with here.
use luajit_sys as _;
use mlua::{Error, ExternalResult, FromLuaMulti, Lua, LuaSerdeExt, MultiValue, Result, Value};
use std::io::{BufRead, Write};

/// A value as text; tables within `depth` levels, as one may be inside itself.
fn show(value: &Value, depth: usize) -> Result<String> {
    Ok(match value {
        Value::String(s) => format!("{:?}", s.to_string_lossy()),
        Value::Table(t) if depth > 0 => {
            let mut parts = Vec::new();
            for pair in t.pairs::<Value, Value>() {
                let (key, value) = pair?;
                parts.push(format!(
                    "[{}] = {}",
                    show(&key, 0)?,
                    show(&value, depth - 1)?
                ));
            }
            format!("{{{}}}", parts.join(", "))
        }
        other => other.to_string()?,
    })
}

/// What Lua code raised, without the traceback that is part of the text.
fn message(error: &Error) -> String {
    match error {
        Error::SyntaxError { message, .. } => message.clone(),
        Error::RuntimeError(text) => {
            let end = text.find("\nstack traceback:").unwrap_or(text.len());
            text[..end].to_owned()
        }
        Error::CallbackError { cause, .. } => message(cause),
        other => other.to_string(),
    }
}

/// Runs an expression or statements.
fn run<R: FromLuaMulti>(lua: &Lua, code: &str) -> Result<R> {
    lua.load(code).set_name("=stdin").eval()
}

fn command(lua: &Lua, line: &str) -> Result<String> {
    match line.split_once(' ') {
        Some((":json", code)) => {
            let value: Value = run(lua, code)?;
            serde_json::to_string(&value).into_lua_err()
        }
        Some((":set", json)) => {
            let value: serde_json::Value = serde_json::from_str(json).into_lua_err()?;
            lua.globals().set("it", lua.to_value(&value)?)?;
            Ok("it is set".into())
        }
        _ => match line {
            ":memory" => Ok(format!("{} KiB", lua.used_memory() / 1024)),
            ":globals" => {
                let globals = lua.globals();
                let mut names: Vec<_> = globals
                    .pairs::<String, Value>()
                    .map(|pair| pair.map(|(name, _)| name))
                    .collect::<Result<_>>()?;
                names.sort();
                Ok(names.join(" "))
            }
            _ => Err(Error::external("no such command")),
        },
    }
}

/// Runs code and shows what it gives.
fn evaluate(lua: &Lua, code: &str) -> Result<String> {
    let values: MultiValue = run(lua, code)?;
    let shown = values
        .iter()
        .map(|value| show(value, 3))
        .collect::<Result<Vec<_>>>()?;
    Ok(shown.join("\t"))
}

fn repl(lua: &Lua, input: impl BufRead, mut out: impl Write) -> std::io::Result<()> {
    let mut code = String::new();
    for line in input.lines() {
        let line = line?;
        code.push_str(&line);
        let result = if line.starts_with(':') && code == line {
            command(lua, &line)
        } else {
            evaluate(lua, &code)
        };
        match result {
            Err(Error::SyntaxError {
                incomplete_input: true,
                ..
            }) => {
                code.push('\n');
                continue;
            }
            Ok(text) if text.is_empty() => {}
            Ok(text) => writeln!(out, "{text}")?,
            Err(error) => writeln!(out, "! {}", message(&error))?,
        }
        code.clear();
    }
    Ok(())
}

// Without an endless loop, which the port stops: a hook could, but compiled code calls none.
pub(crate) const SESSION: &str = "\
1 + 1
x = 5
for i = 1, 2 do
x = x +
i end
x, 'text', nil, {1}
error('oops', 0)
x +* 1
:json {1, {a = true}}
:set {\"list\": [1, 2]}
it.list[2]
";

fn state() -> Result<Lua> {
    let lua = Lua::new();
    lua.set_memory_limit(64 << 20)?;
    Ok(lua)
}

/// What the prompt answers to these lines.
pub(crate) fn session(lines: &str) -> Result<String> {
    let mut out = Vec::new();
    repl(&state()?, lines.as_bytes(), &mut out)?;
    String::from_utf8(out).into_lua_err()
}

fn main() -> Result<()> {
    if std::env::args().nth(1).as_deref() == Some("-") {
        return Ok(repl(&state()?, std::io::stdin().lock(), std::io::stdout())?);
    }
    let text = session(SESSION)?;
    println!("{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..3], ["2", "8\t\"text\"\tnil\t{[1] = 1}", "! oops"]);
    assert!(lines[3].contains("'=' expected near '+'"), "{text}");
    assert_eq!(lines[4..], ["[1,{\"a\":true}]", "it is set", "2"]);
    Ok(())
}
