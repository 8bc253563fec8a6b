//! A prompt for Lua: values are shown, unfinished lines go on, endless loops are stopped, `:json x` and `:set json`
//! write and read data. The port of a program with mlua, `benches/mlua-programs/examples/repl.rs`.
//!
//! `cargo run -p lupa-core --features serde --example repl` shows a session; with `-- -` it reads your own.

#![allow(clippy::print_stdout)]

use lupa_core::{
    Error, ExternalResult, FromLuaMulti, Result, Runtime, Value, Variadic, is_incomplete,
};
use std::io::{BufRead, Write};

/// A value as text; tables within `depth` levels, as one may be inside itself.
fn show(lua: &Runtime, value: &Value, depth: usize) -> Result<String> {
    Ok(match value {
        Value::String(s) => format!("{:?}", s.to_string_lossy()?),
        Value::Table(t) if depth > 0 => {
            let mut parts = Vec::new();
            for pair in t.iter::<Value, Value>() {
                let (key, value) = pair?;
                parts.push(format!(
                    "[{}] = {}",
                    show(lua, &key, 0)?,
                    show(lua, &value, depth - 1)?
                ));
            }
            format!("{{{}}}", parts.join(", "))
        }
        other => String::from_utf8_lossy(&other.to_lua_string(lua)?).into_owned(),
    })
}

/// Runs an expression or statements.
fn run<R: for<'s> FromLuaMulti<'s>>(lua: &Runtime, code: &str) -> Result<R> {
    lua.load(code).expression_first().name("=stdin").eval()
}

fn command(lua: &Runtime, line: &str) -> Result<String> {
    match line.split_once(' ') {
        Some((":json", code)) => {
            let value: Value = run(lua, code)?;
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
    let values: Variadic<Value> = run(lua, code)?;
    let shown = values
        .iter()
        .map(|value| show(lua, value, 3))
        .collect::<Result<Vec<_>>>()?;
    Ok(shown.join("\t"))
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
            Err(error) => writeln!(out, "! {}", error.text())?,
        }
        code.clear();
    }
    Ok(())
}

const SESSION: &str = "\
1 + 1
x = 5
for i = 1, 2 do
x = x +
i end
x, 'text', nil, {1}
error('oops', 0)
while true do end
x +* 1
:json {1, {a = true}}
:set {\"list\": [1, 2]}
it.list[2]
";

fn runtime() -> Result<Runtime> {
    let lua = Runtime::builder().memory_limit(64 << 20).build()?;
    // Compiled loops are stopped, too.
    #[cfg(unix)]
    lua.set_time_limit(Some(std::time::Duration::from_millis(500)))?;
    Ok(lua)
}

/// What the prompt answers to these lines.
pub(crate) fn session(lines: &str) -> Result<String> {
    let mut out = Vec::new();
    repl(&runtime()?, lines.as_bytes(), &mut out)?;
    Ok(String::from_utf8(out)?)
}

pub(crate) fn main() -> Result<()> {
    if std::env::args().nth(1).as_deref() == Some("-") {
        return Ok(repl(
            &runtime()?,
            std::io::stdin().lock(),
            std::io::stdout(),
        )?);
    }
    let text = session(SESSION)?;
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
