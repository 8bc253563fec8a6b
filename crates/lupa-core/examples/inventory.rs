//! Values and user types: the stock of a shop, whose items are Rust values and whose rules are Lua code.
//! The port of a program with mlua, `benches/mlua-programs/examples/inventory.rs`.
//!
//! `cargo run -p lupa-core --example inventory`

#![allow(clippy::print_stdout)]

use lupa_core::{
    Error, Function, Members, Operation, Result, Runtime, Table, UserData, UserType, Value,
    Variadic, function,
};
use std::fmt;

#[derive(Debug)]
struct Item {
    name: String,
    price: f64,
    count: u32,
}

impl UserType for Item {
    const NAME: &'static str = "Item";

    fn members(members: &mut Members<Self>) {
        members
            .read_only("name", |this| this.name.clone())
            .field(
                "price",
                |this| this.price,
                |this, price| {
                    if price < 0.0 {
                        return Err(Error::message("negative price"));
                    }
                    this.price = price;
                    Ok(())
                },
            )
            .function("new", |name: String, price: f64, count: Option<u32>| Item {
                name,
                price,
                count: count.unwrap_or(1),
            })
            .function("worth", |this: &Self| this.price * f64::from(this.count))
            .function("sell", |this: &mut Self, n: u32| {
                let left = this.count.checked_sub(n);
                this.count = left.ok_or_else(|| Error::external(SoldOut(this.name.clone())))?;
                Ok(this.count)
            })
            .function("cheaper_than", |this: &Self, other: &Self| {
                this.price < other.price
            })
            .metamethod(Operation::ToString, |this: &Self| {
                format!("{} x {}", this.count, this.name)
            })
            .metamethod(Operation::Add, |a: &Self, b: &Self| Item {
                name: a.name.clone(),
                price: a.price,
                count: a.count + b.count,
            })
            // What is no member.
            .metamethod(Operation::Index, |_: &Self, key: &str| format!("no {key}"));
    }
}

/// An error of Rust code, which it gets back from behind Lua code.
#[derive(Debug)]
struct SoldOut(String);

impl fmt::Display for SoldOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is sold out", self.0)
    }
}

impl std::error::Error for SoldOut {}

/// What Lua code has logged: application data of the runtime.
struct Log(Vec<String>);

fn describe(value: &Value) -> Result<String> {
    Ok(match value {
        Value::Nil => "nothing".into(),
        Value::Boolean(b) => b.to_string(),
        Value::Number(n) => n.to_string(),
        Value::String(s) => s.to_string_lossy()?,
        Value::Table(t) => format!("table of {}", t.len()?),
        other => other.type_name().to_owned(),
    })
}

/// What has happened in the shop.
pub(crate) fn shop() -> Result<String> {
    let lua = Runtime::new()?;
    let globals = lua.globals()?;
    globals.set("Item", lua.type_table::<Item>()?)?;
    lua.set_app_data(Log(Vec::new()))?;
    globals.set(
        "log",
        function(|lua: &Runtime, words: Variadic<Value>| {
            let line = words.iter().map(describe).collect::<Result<Vec<_>>>()?;
            if let Some(mut log) = lua.app_data_mut::<Log>()? {
                log.0.push(line.join(" "));
            }
            Ok(())
        }),
    )?;
    // A function of Lua code, kept by name: a handle in a closure would keep the runtime alive.
    globals.set(
        "on_sale",
        function(|lua: &Runtime, f: Function| lua.set_named("on_sale", f)),
    )?;

    // Tables, and what is in them.
    let settings: Table = lua
        .load("{ currency = 'EUR', taxes = { 0.07, 0.19 }, open = true }")
        .expression()
        .eval()?;
    assert!(settings.get::<bool>("open")?);
    assert_eq!(settings.get::<Option<bool>>("closed")?, None);
    assert_eq!(settings.get::<Vec<f64>>("taxes")?, [0.07, 0.19]);
    for pair in settings.iter::<String, Value>() {
        let (key, _) = pair?;
        assert!(["currency", "taxes", "open"].contains(&key.as_str()));
    }
    globals.set("settings", settings)?;

    lua.load(
        r#"
        tea = Item.new("tea", 2.5, 10)
        cake = Item.new("cake", 4)
        tea.price = tea.price + 0.5
        log("tea", tea.price, settings.taxes, nil, true)
        on_sale(function(item, n) return n .. " of " .. item.name .. " for " .. item:worth() end)
        tea:sell(3)
        more = tea + Item.new("green tea", 1, 5)
        "#,
    )
    .name("=setup")
    .exec()?;

    let (cheap, text, missing): (bool, String, String) = lua
        .load("return tea:cheaper_than(cake), tostring(more), tea.color")
        .eval()?;
    assert!(cheap);
    assert_eq!((text.as_str(), missing.as_str()), ("12 x tea", "no color"));

    // Rust reads and changes what Lua has.
    let tea: UserData = globals.get("tea")?;
    assert_eq!(tea.borrow::<Item>()?.count, 7);
    tea.borrow_mut::<Item>()?.count += 1;
    let on_sale: Function = lua.named("on_sale")?;
    let line: String = on_sale.call((&tea, 2))?;
    assert_eq!(line, "2 of tea for 24");

    // Errors keep what caused them.
    let error = lua.load("tea:sell(100)").exec().unwrap_err();
    assert_eq!(error.downcast_ref::<SoldOut>().map(|e| &*e.0), Some("tea"));
    assert!(lua.load("tea.price = -1").exec().is_err());

    // A function that borrows from here, for as long as the scope lasts.
    let mut total = 0.0;
    lua.scope(|scope| {
        let add = scope.function_mut(|amount: f64| total += amount)?;
        lua.load(
            "local add = ... for _, item in ipairs { tea, cake, more } do add(item:worth()) end",
        )
        .call::<()>(add)
    })?;
    assert_eq!(total, 24.0 + 4.0 + 36.0);

    // An item goes back to Rust for good.
    let taken: Item = tea.take()?;
    assert_eq!(taken.count, 8);
    assert!(lua.load("return tea:worth()").exec().is_err());
    let log = lua
        .remove_app_data::<Log>()?
        .map_or(Vec::new(), |log| log.0);
    assert_eq!(log, ["tea 3 table of 2 nothing true"]);
    Ok(format!("{}; worth {total}; {taken:?}", log[0]))
}

pub(crate) fn main() -> Result<()> {
    println!("{}", shop()?);
    Ok(())
}
