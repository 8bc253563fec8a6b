//! A configuration language: Lua code with variables, functions and loops, that ends as data of a Rust type. It may use so much time and
//! memory and no more, reach nothing of the system, and mistakes are told with their place.
//!
//! `cargo run -p lupa-core --features serde --example config`

#![allow(clippy::print_stdout)]

use lupa_core::serde::{Serde, SerdeOptions};
use lupa_core::{ChunkMode, Error, Result, Runtime, Table, function};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    name: String,
    #[serde(default)]
    workers: Option<u16>,
    listen: Vec<Listen>,
    #[serde(default)]
    limits: BTreeMap<String, u64>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Listen {
    Tcp { host: String, port: u16 },
    Unix(String),
}

/// Reads a configuration. The globals that the code sets are its entries; what the host knows is there to be used.
fn read(code: &str, facts: &BTreeMap<&str, u64>) -> Result<Config> {
    let lua = Runtime::builder()
        .sandbox(true)
        .memory_limit(2 << 20)
        .build()?;
    #[cfg(unix)]
    lua.set_time_limit(Some(std::time::Duration::from_millis(500)))?;

    // The entries go to a table of their own, so that functions and libraries are not among them.
    let known = lua.globals()?;
    known.set("host", Serde(facts))?;
    known.set("kib", function(|n: u64| n << 10))?;
    known.set(
        "tcp",
        function(|host: String, port: u16| Serde(Listen::Tcp { host, port })),
    )?;
    let entries = lua.create_table()?;
    let metatable: Table = lua.create_table_from([("__index", &known)])?;
    entries.set_metatable(Some(&metatable))?;

    let chunk = lua.load(code).name("@app.conf").mode(ChunkMode::Text);
    let chunk = chunk.into_function()?;
    chunk.set_environment(&entries)?;
    chunk.call::<()>(())?;
    // Small tables that point at each other many times can stand for more data than any memory holds, hence a limit.
    lua.deserialize_with(&entries, &SerdeOptions::new().size_limit(10_000))
}

const GOOD: &str = "
    name = 'shop'
    workers = host.cores * 2
    listen = { { unix = '/run/' .. name .. '.sock' } }
    for i = 0, 1 do
        listen[#listen + 1] = tcp('0.0.0.0', 8080 + i)
    end
    limits = { body = kib(64), head = kib(8) }
";

/// Configurations that are wrong, and what their authors are told.
const BAD: &[(&str, &str)] = &[
    ("name = 'x'", "missing field `listen`"),
    ("name = 'x' listen = {} nmae = 1", "unknown field `nmae`"),
    (
        "name = 'x' listen = { { tcp = { host = 'h', port = 'http' } } }",
        "listen[1].tcp.port: expected u16, got string \"http\"",
    ),
    ("name = = 1", "app.conf:1: unexpected symbol near '='"),
    (
        "name = 'x' .. nil",
        "app.conf:1: attempt to concatenate a nil value",
    ),
    (
        "listen = { tcp('h', 70000) }",
        "bad argument #2: cannot convert number to u16: 70000 is not between 0 and 65535",
    ),
    (
        "os.execute('reboot')",
        "app.conf:1: attempt to call field 'execute' (a nil value)",
    ),
    ("name = ('x'):rep(1e7)", "not enough memory"),
    (
        "name = 'x' listen = {} for i = 1, 9999 do listen[i] = { unix = 's' } end",
        "more data than 10000 values",
    ),
    #[cfg(unix)]
    (
        "while true do end",
        "the time limit of the Lua code has passed",
    ),
];

/// The first line of the message.
fn message(error: &Error) -> String {
    error.text().lines().next().unwrap_or_default().into()
}

pub(crate) fn main() -> Result<()> {
    let facts = BTreeMap::from([("cores", 4)]);
    let config = read(GOOD, &facts)?;
    let tcp = |port| Listen::Tcp {
        host: "0.0.0.0".into(),
        port,
    };
    assert_eq!(
        config,
        Config {
            name: "shop".into(),
            workers: Some(8),
            listen: vec![Listen::Unix("/run/shop.sock".into()), tcp(8080), tcp(8081)],
            limits: BTreeMap::from([("body".into(), 65536), ("head".into(), 8192)]),
        }
    );
    println!("{config:#?}");
    for (code, expected) in BAD {
        let text = read(code, &facts).map_or_else(|error| message(&error), |_| "accepted".into());
        println!("{code}\n    {text}");
        assert!(text.contains(expected), "{code}: {text}");
    }
    Ok(())
}
