//! Embeds LuaJIT: a Rust type with methods, a script, a coroutine, errors.
//!
//! `cargo run -p lupa-core --example embed`

use lupa_core::{
    CoroutineStatus, Error, Function, Members, Operation, Result, Runtime, UserType, function,
};
use std::fmt::{self, Write};

/// What Lua code sees as an account.
struct Account {
    owner: String,
    balance: i64,
}

/// The error of a withdrawal; Rust code can get it back behind Lua.
#[derive(Debug, PartialEq)]
struct TooLittle {
    missing: i64,
}

impl fmt::Display for TooLittle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is missing", self.missing)
    }
}

impl std::error::Error for TooLittle {}

impl UserType for Account {
    const NAME: &'static str = "Account";

    fn members(members: &mut Members<Self>) {
        members
            .read_only("balance", |account| account.balance)
            .field(
                "owner",
                |account| account.owner.clone(),
                |account, owner| account.owner = owner,
            )
            .function("deposit", |account: &mut Self, amount: i64| {
                account.balance += amount;
            })
            .function("withdraw", |account: &mut Self, amount: i64| {
                let missing = amount - account.balance;
                if missing > 0 {
                    return Err(Error::external(TooLittle { missing }));
                }
                account.balance -= amount;
                Ok(account.balance)
            })
            .metamethod(Operation::ToString, |account: &Self| {
                format!("{}: {}", account.owner, account.balance)
            });
    }
}

/// Runs the example and gives what it has to say.
pub(crate) fn embed() -> Result<String> {
    let mut out = String::new();
    let mut say = |line: String| writeln!(out, "{line}").expect("a String takes all text");

    // A runtime, a Rust function and a Rust value in it.
    let lua = Runtime::new()?;
    let globals = lua.globals()?;
    globals.set("shout", function(|text: &str| text.to_uppercase()))?;
    let account = Account {
        owner: "Ada".into(),
        balance: 10,
    };
    globals.set("account", account)?;

    // A script that uses both.
    let text: String = lua
        .load(
            "account:deposit(32)
             account.owner = shout(account.owner)
             return tostring(account)",
        )
        .name("=script")
        .eval()?;
    say(text);

    // A coroutine, resumed step by step.
    let squares: Function = lua
        .load("return function(n) for i = 1, n do coroutine.yield(i * i) end end")
        .eval()?;
    let squares = squares.coroutine()?;
    let mut items = Vec::new();
    while let Some(square) = squares.resume::<Option<i64>>(4)? {
        items.push(square);
    }
    say(format!(
        "{items:?}, {}",
        squares.status()? == CoroutineStatus::Dead
    ));

    // An error of Lua code, with its place.
    let error = lua
        .load("local t = nil\nreturn t.x")
        .name("=broken")
        .exec()
        .unwrap_err();
    if let Error::Runtime(error) = &error {
        say(error.message.to_string());
    }

    // An error of Rust code, back behind Lua as what it was.
    let error = lua.load("account:withdraw(100)").exec().unwrap_err();
    say(format!(
        "{}; {:?}",
        error.text(),
        error.downcast_ref::<TooLittle>()
    ));
    Ok(out)
}

fn main() -> Result<()> {
    let text = embed()?;
    let _ = std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes());
    Ok(())
}
