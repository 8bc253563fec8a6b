//! A TCP server whose requests are handled by a Lua script: the script waits for Rust futures, and may use only so much
//! time and memory. It serves itself as a client and ends.
//!
//! `cargo run -p lupa-core --features async --example async_server`

use lupa_core::{Function, Libs, Result, Runtime};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What handles a request: a line in, a line out. `load` and `store` wait for the database.
const SCRIPT: &str = "
    local handlers = {}

    function handlers.visit(name)
        local count = (load(name) or 0) + 1
        store(name, count)
        return name .. ' was here ' .. count .. ' times'
    end

    function handlers.sum(n)
        local sum = 0
        for i = 1, n do sum = sum + i end
        return sum
    end

    function handlers.fill(n)
        local t = {}
        for i = 1, n do t[i] = ('x'):rep(1e5) .. i end
        return #t
    end

    return function(line)
        local command, argument = line:match('^(%w+) (%w+)$')
        local handler = handlers[command]
        if not handler then error('no such command: ' .. line, 0) end
        return tostring(handler(tonumber(argument) or argument))
    end";

/// Stands for a database behind a network.
type Database = Arc<Mutex<HashMap<String, i64>>>;

/// A runtime for one connection: sandboxed, with 8 MiB, and 200 ms between two awaits.
fn runtime(database: &Database) -> Result<(Runtime, Function)> {
    let lua = Runtime::builder()
        .sandbox(true)
        .libs(Libs::SAFE)
        .memory_limit(8 << 20)
        .build()?;
    lua.set_time_limit(Some(Duration::from_millis(200)))?;
    let globals = lua.globals()?;
    let data = Arc::clone(database);
    let load = lua.async_function(move |key: String| {
        let data = Arc::clone(&data);
        async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            data.lock().expect("nobody panics").get(&key).copied()
        }
    })?;
    globals.set("load", load)?;
    let data = Arc::clone(database);
    let store = lua.async_function(move |key: String, value: i64| {
        let data = Arc::clone(&data);
        async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            data.lock().expect("nobody panics").insert(key, value);
        }
    })?;
    globals.set("store", store)?;
    let handle = lua.load(SCRIPT).name("=script").eval()?;
    Ok((lua, handle))
}

/// Answers the lines of one connection. What goes wrong in the script is an answer, too.
async fn serve(stream: TcpStream, database: Database) -> std::io::Result<()> {
    let (_lua, handle) = runtime(&database).map_err(std::io::Error::other)?;
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    while let Some(line) = lines.next_line().await? {
        let answer = match handle.call_async::<String>(line).await {
            Ok(answer) => answer,
            Err(error) => error.text().into_owned(),
        };
        write.write_all(format!("{answer}\n").as_bytes()).await?;
    }
    Ok(())
}

/// Sends lines and gives the answers.
async fn ask(server: SocketAddr, lines: &[&str]) -> std::io::Result<Vec<String>> {
    let (read, mut write) = TcpStream::connect(server).await?.into_split();
    let mut answers = BufReader::new(read).lines();
    let mut all = Vec::new();
    for line in lines {
        write.write_all(format!("{line}\n").as_bytes()).await?;
        all.push(answers.next_line().await?.unwrap_or_default());
    }
    Ok(all)
}

/// Runs the server with a few clients at once and gives what they were told.
pub(crate) async fn run() -> std::io::Result<Vec<String>> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let server = listener.local_addr()?;
    let database = Database::default();
    let serving = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&database)));
        }
    });
    let (friendly, greedy, endless) = tokio::join!(
        ask(server, &["visit ada", "visit ada", "sum 10", "dance now"]),
        ask(server, &["fill 10", "fill 10000000", "fill 20"]),
        ask(server, &["sum 100000000000000000", "sum 100"]),
    );
    serving.abort();
    Ok([friendly?, greedy?, endless?].concat())
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let text = run().await?.join("\n") + "\n";
    std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes())
}
