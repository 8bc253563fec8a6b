//! A small HTTP server whose pages are Lua functions, and a client that is a Lua script: both wait for Rust futures.
//! The port of a program with mlua, `benches/mlua-programs/examples/http.rs`.
//!
//! `cargo run -p lupa-core --features async --example http`

#![allow(clippy::print_stdout)]

use lupa_core::{ExternalResult, Function, Members, Result, Runtime, UserType};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

const SERVER: &str = r#"
    local routes = {}
    routes["/hello"] = function(request) return 200, "hello, " .. (request.query.name or "world") end
    routes["/slow"] = function(request) sleep(20) return 200, "slept" end
    routes["/sum"] = function(request)
        local sum = 0
        for n in request:body():gmatch("%d+") do sum = sum + n end
        return 200, tostring(sum)
    end
    return function(request)
        local handler = routes[request.path]
        if not handler then return 404, "no such page" end
        return handler(request)
    end
"#;

const CLIENT: &str = r#"
    local base = ...
    local answers = {}
    answers[1] = fetch(base .. "/hello?name=Ada"):text()
    answers[2] = fetch(base .. "/sum", "1 2 3"):text()
    answers[3] = tostring(fetch(base .. "/nowhere").status)
    local ok, message = pcall(fetch, "ftp://x")
    answers[4] = tostring(message)
    answers[5] = fetch(base .. "/slow"):text()
    return answers
"#;

struct Request {
    path: String,
    query: BTreeMap<String, String>,
    body: Arc<str>,
}

impl UserType for Request {
    const NAME: &'static str = "Request";

    fn members(members: &mut Members<Self>) {
        members
            .read_only("path", |this| this.path.clone())
            .read_only("query", |this| this.query.clone())
            // The future outlives the borrow, so it has its own share of the body.
            .async_method("body", |this: &Self| {
                let body = Arc::clone(&this.body);
                async move {
                    tokio::task::yield_now().await;
                    body.to_string()
                }
            });
    }
}

struct Response {
    status: u16,
    body: String,
}

impl UserType for Response {
    const NAME: &'static str = "Response";

    fn members(members: &mut Members<Self>) {
        members
            .read_only("status", |this| this.status)
            .function("text", |this: &Self| this.body.clone());
    }
}

/// What Lua code calls as `fetch(url, body)`.
async fn fetch(url: String, body: Option<String>) -> Result<Response> {
    let rest = url.strip_prefix("http://").ok_or("only http")?;
    let (host, path) = rest.split_once('/').ok_or("no path")?;
    let body = body.unwrap_or_default();
    let mut stream = TcpStream::connect(host).await?;
    let head = format!("POST /{path} HTTP/1.0\r\nContent-Length: {}", body.len());
    stream
        .write_all(format!("{head}\r\n\r\n{body}").as_bytes())
        .await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or("no head")?;
    let status = head.split(' ').nth(1).unwrap_or_default().parse()?;
    Ok(Response {
        status,
        body: body.to_owned(),
    })
}

/// Reads a request.
async fn receive(read: impl tokio::io::AsyncRead + Unpin) -> std::io::Result<Request> {
    let mut read = BufReader::new(read);
    let mut first = String::new();
    read.read_line(&mut first).await?;
    let target = first.split(' ').nth(1).unwrap_or("/");
    let mut length = 0;
    loop {
        let mut line = String::new();
        read.read_line(&mut line).await?;
        if let Some(n) = line.strip_prefix("Content-Length: ") {
            length = n.trim().parse().map_err(std::io::Error::other)?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    // Limited, as the length is what a stranger says.
    let mut body = String::new();
    read.take(length).read_to_string(&mut body).await?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    Ok(Request {
        path: path.to_owned(),
        query: pairs.map(|(k, v)| (k.into(), v.into())).collect(),
        body: body.into(),
    })
}

async fn serve(handler: Function, stream: TcpStream) -> Result<()> {
    let (read, mut write) = stream.into_split();
    let request = receive(read).await?;
    let answer = handler.call_async::<(u16, String)>(request).await;
    let (status, body) = answer.unwrap_or_else(|error| (500, error.text().into_owned()));
    let text = format!("HTTP/1.0 {status} -\r\n\r\n{body}");
    Ok(write.write_all(text.as_bytes()).await?)
}

/// What the client was answered.
pub(crate) async fn run() -> Result<Vec<String>> {
    let lua = Runtime::new()?;
    let sleep = lua.async_function(|ms: u64| tokio::time::sleep(Duration::from_millis(ms)))?;
    lua.globals()?.set("sleep", sleep)?;
    let handler: Function = lua.load(SERVER).name("=server").eval()?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(handler.clone(), stream));
        }
    });

    // A runtime of its own: client and server may run Lua code at the same time.
    let client = Runtime::new()?;
    client
        .globals()?
        .set("fetch", client.async_function(fetch)?)?;
    let script = client.load(CLIENT).name("=client").into_function()?;
    let answers: Vec<String> = script.call_async(format!("http://{address}")).await?;
    server.abort();
    assert_eq!(answers, ["hello, Ada", "6", "404", "only http", "slept"]);
    Ok(answers)
}

#[tokio::main]
async fn main() -> Result<()> {
    let answers = tokio::time::timeout(Duration::from_secs(10), run())
        .await
        .external()??;
    println!("{}", answers.join("\n"));
    Ok(())
}
