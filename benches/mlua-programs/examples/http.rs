//! An HTTP server whose pages are Lua functions, and a client that is a Lua script, with mlua. Its port to lupa-core is
//! `crates/lupa-core/examples/http.rs`.
//!
//! `cargo run -p mlua-programs --example http`

#![allow(clippy::print_stdout)]

// What mlua is linked with here.
use luajit_sys as _;
use mlua::{ExternalError, ExternalResult, Function, Lua, Result, UserData};
use mlua::{UserDataFields, UserDataMethods};
use std::collections::BTreeMap;
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
    body: String,
}

impl UserData for Request {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_field_method_get("path", |_, this| Ok(this.path.clone()));
        fields.add_field_method_get("query", |_, this| Ok(this.query.clone()));
    }

    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_async_method("body", |_, this, ()| async move {
            tokio::task::yield_now().await;
            Ok(this.body.clone())
        });
    }
}

struct Response {
    status: u16,
    body: String,
}

impl UserData for Response {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_field_method_get("status", |_, this| Ok(this.status));
    }

    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_method("text", |_, this, ()| Ok(this.body.clone()));
    }
}

/// What Lua code calls as `fetch(url, body)`.
async fn fetch(_: Lua, (url, body): (String, Option<String>)) -> Result<Response> {
    let rest = url
        .strip_prefix("http://")
        .ok_or_else(|| "only http".into_lua_err())?;
    let (host, path) = rest
        .split_once('/')
        .ok_or_else(|| "no path".into_lua_err())?;
    let body = body.unwrap_or_default();
    let mut stream = TcpStream::connect(host).await?;
    let head = format!("POST /{path} HTTP/1.0\r\nContent-Length: {}", body.len());
    stream
        .write_all(format!("{head}\r\n\r\n{body}").as_bytes())
        .await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    let (head, body) = text
        .split_once("\r\n\r\n")
        .ok_or_else(|| "no head".into_lua_err())?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    Ok(Response {
        status: status.parse().into_lua_err()?,
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
        body,
    })
}

async fn serve(handler: Function, stream: TcpStream) -> Result<()> {
    let (read, mut write) = stream.into_split();
    let request = receive(read).await?;
    let answer = handler.call_async::<(u16, String)>(request).await;
    let (status, body) = answer.unwrap_or_else(|error| (500, error.to_string()));
    let text = format!("HTTP/1.0 {status} -\r\n\r\n{body}");
    Ok(write.write_all(text.as_bytes()).await?)
}

/// What the client was answered.
pub(crate) async fn run() -> Result<Vec<String>> {
    let lua = Lua::new();
    let sleep = lua.create_async_function(|_, ms: u64| async move {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        Ok(())
    })?;
    lua.globals().set("sleep", sleep)?;
    let handler: Function = lua.load(SERVER).set_name("=server").eval()?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(handler.clone(), stream));
        }
    });

    // A state of its own: client and server may run Lua code at the same time.
    let client = Lua::new();
    client
        .globals()
        .set("fetch", client.create_async_function(fetch)?)?;
    let script = client.load(CLIENT).set_name("=client").into_function()?;
    let answers: Vec<String> = script.call_async(format!("http://{address}")).await?;
    server.abort();
    assert_eq!(answers[..3], ["hello, Ada", "6", "404"]);
    // A traceback follows, as in all texts of errors.
    assert!(answers[3].starts_with("only http\nstack traceback:"));
    assert_eq!(answers[4..], ["slept"]);
    Ok(answers)
}

#[tokio::main]
async fn main() -> Result<()> {
    let answers = tokio::time::timeout(Duration::from_secs(10), run())
        .await
        .into_lua_err()??;
    println!("{}", answers.join("\n"));
    Ok(())
}
