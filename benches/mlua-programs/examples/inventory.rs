//! The stock of a shop with mlua: items are Rust values, rules are Lua code. Its port to lupa-core is
//! `crates/lupa-core/examples/inventory.rs`.
//!
//! `cargo run -p mlua-programs --example inventory`

#![allow(clippy::print_stdout)]

// What mlua is linked with here.
use luajit_sys as _;
use mlua::{
    AnyUserData, Error, Function, Lua, MetaMethod, Result, Table, UserData, UserDataFields,
    UserDataMethods, UserDataRef, Value, Variadic,
};
use std::fmt;

#[derive(Debug)]
struct Item {
    name: String,
    price: f64,
    count: u32,
}

impl UserData for Item {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_field_method_get("name", |_, this| Ok(this.name.clone()));
        fields.add_field_method_get("price", |_, this| Ok(this.price));
        fields.add_field_method_set("price", |_, this, price| {
            if price < 0.0 {
                return Err(Error::runtime("negative price"));
            }
            this.price = price;
            Ok(())
        });
    }

    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_function(
            "new",
            |_, (name, price, count): (String, f64, Option<u32>)| {
                Ok(Item {
                    name,
                    price,
                    count: count.unwrap_or(1),
                })
            },
        );
        methods.add_method(
            "worth",
            |_, this, ()| Ok(this.price * f64::from(this.count)),
        );
        methods.add_method_mut("sell", |_, this, n: u32| {
            let left = this.count.checked_sub(n);
            this.count = left.ok_or_else(|| Error::external(SoldOut(this.name.clone())))?;
            Ok(this.count)
        });
        methods.add_method("cheaper_than", |_, this, other: UserDataRef<Self>| {
            Ok(this.price < other.price)
        });
        methods.add_meta_method(MetaMethod::ToString, |_, this, ()| {
            Ok(format!("{} x {}", this.count, this.name))
        });
        methods.add_meta_function(
            MetaMethod::Add,
            |_, (a, b): (UserDataRef<Self>, UserDataRef<Self>)| {
                Ok(Item {
                    name: a.name.clone(),
                    price: a.price,
                    count: a.count + b.count,
                })
            },
        );
        // What is no member.
        methods.add_meta_method(MetaMethod::Index, |_, _, key: String| {
            Ok(format!("no {key}"))
        });
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

/// What Lua code has logged: application data of the state.
struct Log(Vec<String>);

fn describe(value: &Value) -> String {
    match value {
        Value::Nil => "nothing".into(),
        Value::Boolean(b) => b.to_string(),
        Value::Integer(n) => n.to_string(),
        Value::Number(n) => n.to_string(),
        Value::String(s) => s.to_string_lossy(),
        Value::Table(t) => format!("table of {}", t.raw_len()),
        other => other.type_name().to_owned(),
    }
}

/// What has happened in the shop.
pub(crate) fn shop() -> Result<String> {
    let lua = Lua::new();
    let globals = lua.globals();
    globals.set("Item", lua.create_proxy::<Item>()?)?;
    lua.set_app_data(Log(Vec::new()));
    globals.set(
        "log",
        lua.create_function(|lua, words: Variadic<Value>| {
            let line: Vec<_> = words.iter().map(describe).collect();
            if let Some(mut log) = lua.app_data_mut::<Log>() {
                log.0.push(line.join(" "));
            }
            Ok(())
        })?,
    )?;
    globals.set(
        "on_sale",
        lua.create_function(|lua, f: Function| lua.set_named_registry_value("on_sale", f))?,
    )?;

    // Tables, and what is in them.
    let settings: Table = lua
        .load("{ currency = 'EUR', taxes = { 0.07, 0.19 }, open = true }")
        .eval()?;
    assert!(settings.get::<bool>("open")?);
    assert_eq!(settings.get::<Option<bool>>("closed")?, None);
    assert_eq!(settings.get::<Vec<f64>>("taxes")?, [0.07, 0.19]);
    for pair in settings.pairs::<String, Value>() {
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
    .set_name("=setup")
    .exec()?;

    let (cheap, text, missing): (bool, String, String) = lua
        .load("return tea:cheaper_than(cake), tostring(more), tea.color")
        .eval()?;
    assert!(cheap);
    assert_eq!((text.as_str(), missing.as_str()), ("12 x tea", "no color"));

    // Rust reads and changes what Lua has.
    let tea: AnyUserData = globals.get("tea")?;
    assert_eq!(tea.borrow::<Item>()?.count, 7);
    tea.borrow_mut::<Item>()?.count += 1;
    let on_sale: Function = lua.named_registry_value("on_sale")?;
    let line: String = on_sale.call((&tea, 2))?;
    assert_eq!(line, "2 of tea for 24");

    // Errors keep what caused them.
    let error = lua.load("tea:sell(100)").exec().unwrap_err();
    assert_eq!(error.downcast_ref::<SoldOut>().map(|e| &*e.0), Some("tea"));
    assert!(lua.load("tea.price = -1").exec().is_err());

    // A function that borrows from here, for as long as the scope lasts.
    let mut total = 0.0;
    lua.scope(|scope| {
        let add = scope.create_function_mut(|_, amount: f64| {
            total += amount;
            Ok(())
        })?;
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
    let log = lua.remove_app_data::<Log>().map_or(Vec::new(), |log| log.0);
    assert_eq!(log, ["tea 3 table of 2 nothing true"]);
    Ok(format!("{}; worth {total}; {taken:?}", log[0]))
}

fn main() -> Result<()> {
    println!("{}", shop()?);
    Ok(())
}
