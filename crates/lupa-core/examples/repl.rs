//! A prompt for Lua: values are shown, unfinished lines go on, endless loops are stopped, `:json x` and `:set json`
//! write and read data.
//!
//! `cargo run -p lupa-core --features serde --example repl` shows a session; with `-- -` it reads your own.

#![allow(clippy::print_stdout)]

use lupa_core::{Error, ExternalResult, Function, Result, Runtime, Value, Variadic, is_incomplete};
use std::io::{BufRead, Write};

/// A value as text; tables within `depth` levels, as one may be inside itself.
fn show(value: &Value, depth: usize) -> Result<String> {
    Ok(match value {
        Value::Nil => "nil".into(),
        Value::Boolean(b) => b.to_string(),
        Value::Number(n) => n.to_string(),
        Value::String(s) => format!("{:?}", s.to_string_lossy()?),
        Value::Table(t) if depth > 0 => {
            let mut parts = Vec::new();
            for pair in t.iter::<Value, Value>() {
                let (key, value) = pair?;
                parts.push(format!(
                    "[{}] = {}",
                    show(&key, 0)?,
                    show(&value, depth - 1)?
                ));
            }
            format!("{{{}}}", parts.join(", "))
        }
        other => other.type_name().to_owned(),
    })
}

/// Compiles an expression or statements.
fn compile(lua: &Runtime, code: &str) -> Result<Function> {
    match lua.load(code).expression().name("=stdin").into_function() {
        Err(Error::Syntax { .. }) => lua.load(code).name("=stdin").into_function(),
        compiled => compiled,
    }
}

fn command(lua: &Runtime, line: &str) -> Result<String> {
    match line.split_once(' ') {
        Some((":json", code)) => {
            let value: Value = compile(lua, code)?.call(())?;
            serde_json::to_string(&value).external()
        }
        Some((":set", json)) => {
            let value: serde_json::Value = serde_json::from_str(json).external()?;
            lua.globals()?.set("it", lua.serialize(&value)?)?;
            Ok("it is set".into())
        }
        _ => match line {
            ":memory" => Ok(format!("{} KiB", lua.memory_used()? / 1024)),
            ":globals" => {
                let pairs = lua.globals()?.pairs::<String, Value>()?;
                let mut names: Vec<_> = pairs.into_iter().map(|(name, _)| name).collect();
                names.sort();
                Ok(names.join(" "))
            }
            _ => Err(Error::message("no such command")),
        },
    }
}

/// Runs code and shows what it gives.
fn evaluate(lua: &Runtime, code: &str) -> Result<String> {
    let values: Variadic<Value> = compile(lua, code)?.call(())?;
    let shown = values
        .iter()
        .map(|value| show(value, 3))
        .collect::<Result<Vec<_>>>()?;
    Ok(shown.join("\t"))
}

/// What went wrong, without the traceback.
fn message(error: &Error) -> String {
    match error {
        Error::Runtime(error) => String::from_utf8_lossy(&error.message).into_owned(),
        other => other.to_string(),
    }
}

fn repl(lua: &Runtime, input: impl BufRead, mut out: impl Write) -> std::io::Result<()> {
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
            Err(error) if is_incomplete(&error) => {
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

const SESSION: &str = "\
1 + 1
x = 5
for i = 1, 2 do
x = x + i end
x, 'text', nil, {1}
error('oops', 0)
while true do end
x +* 1
:json {1, {a = true}}
:set {\"list\": [1, 2]}
it.list[2]
";

pub(crate) fn main() -> Result<()> {
    let lua = Runtime::builder().memory_limit(64 << 20).build()?;
    // Compiled loops are stopped, too.
    #[cfg(unix)]
    lua.set_time_limit(Some(std::time::Duration::from_millis(500)))?;
    if std::env::args().nth(1).as_deref() == Some("-") {
        return Ok(repl(&lua, std::io::stdin().lock(), std::io::stdout())?);
    }

    let mut out = Vec::new();
    repl(&lua, SESSION.as_bytes(), &mut out)?;
    let text = String::from_utf8(out)?;
    println!("{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[..4],
        [
            "2",
            "8\t\"text\"\tnil\t{[1] = 1}",
            "! oops",
            "! the time limit of the Lua code has passed"
        ]
    );
    assert!(lines[4].contains("'=' expected near '+'"), "{text}");
    assert_eq!(lines[5..], ["[1,{\"a\":true}]", "it is set", "2"]);
    Ok(())
}
