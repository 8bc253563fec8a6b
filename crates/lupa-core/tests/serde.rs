//! Types of serde to Lua and back.

use lupa_core::serde::{Null, Nulls, Serde, SerdeOptions};
use lupa_core::{Error, Function, Result, Runtime, Table, Value};
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::LazyLock;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Server {
    host: String,
    port: u16,
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Config {
    name: String,
    servers: Vec<Server>,
    limits: Option<(u64, f64)>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Shape {
    Unit,
    New(Option<i32>),
    Pair(i8, char),
    Named { radius: f64, label: Option<String> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Internal {
    A { x: i32 },
    B,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", content = "c")]
enum Adjacent {
    A(Vec<i32>),
    B { s: String },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(f64),
    Text(String),
    List(Vec<i32>),
    Map { x: i32 },
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Newtype(u8);

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Flat {
    id: u8,
    #[serde(flatten)]
    rest: BTreeMap<String, serde_json::Value>,
}

/// Bytes as serde's own data model has them, not as a sequence of numbers.
#[derive(Debug, Clone, PartialEq)]
struct Blob(Vec<u8>);

impl Serialize for Blob {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Blob;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Blob, E> {
                Ok(Blob(bytes.to_vec()))
            }
        }
        deserializer.deserialize_byte_buf(Visitor)
    }
}

/// To Lua and back, by a Lua function, so as an argument and a result.
#[track_caller]
fn round_trip<T: Serialize + DeserializeOwned + PartialEq + Debug>(
    lua: &Runtime,
    options: &SerdeOptions,
    value: &T,
) {
    let same: Function = lua
        .load("return function(...) return ... end")
        .eval()
        .unwrap();
    let value_in_lua: Value = same.call(options.to_lua(value)).unwrap();
    let back: T = lua.deserialize_with(&value_in_lua, options).unwrap();
    assert_eq!(&back, value);
}

#[test]
fn every_kind_of_type_comes_back() -> Result<()> {
    let lua = Runtime::new()?;
    let round_trips: [fn(&Runtime, &SerdeOptions); 3] = [
        |lua, options| {
            round_trip(lua, options, &true);
            round_trip(lua, options, &'ß');
            round_trip(lua, options, &String::from("a\0b"));
            round_trip(lua, options, &Blob(vec![0, 255, 10]));
            round_trip(lua, options, &());
            round_trip(lua, options, &Unit);
            round_trip(lua, options, &Newtype(7));
            round_trip(lua, options, &Some(5));
            round_trip(lua, options, &None::<i32>);
            round_trip(lua, options, &(1u8, "x".to_owned(), -2.5));
            round_trip(lua, options, &Vec::<i32>::new());
            round_trip(lua, options, &vec![Some(1), None, Some(3), None]);
            round_trip(lua, options, &[vec![1], vec![], vec![2, 3]]);
        },
        |lua, options| {
            for n in [
                0,
                1,
                -1,
                i64::MIN,
                i64::MAX,
                1 << 53,
                (1 << 53) + 1,
                -(1 << 53) - 1,
            ] {
                round_trip(lua, options, &n);
                round_trip(lua, options, &i128::from(n));
                round_trip(lua, options, &(n as u64));
                round_trip(lua, options, &(n as u64 as u128));
            }
            round_trip(lua, options, &(1u128 << 100));
            round_trip(lua, options, &i128::MIN);
            round_trip(lua, options, &f64::MAX);
            round_trip(lua, options, &f32::MIN_POSITIVE);
            for n in [i8::MIN, i8::MAX] {
                round_trip(lua, options, &n);
            }
        },
        |lua, options| {
            for shape in [
                Shape::Unit,
                Shape::New(Some(3)),
                Shape::New(None),
                Shape::Pair(-3, 'x'),
                Shape::Named {
                    radius: 1.5,
                    label: None,
                },
            ] {
                round_trip(lua, options, &vec![shape]);
            }
            round_trip(lua, options, &[Internal::A { x: 1 }, Internal::B]);
            let adjacent = [Adjacent::A(vec![1]), Adjacent::B { s: "x".into() }];
            round_trip(lua, options, &adjacent);
            for untagged in [
                Untagged::Number(0.5),
                Untagged::Text("x".into()),
                Untagged::List(vec![1, 2]),
                Untagged::Map { x: 1 },
            ] {
                round_trip(lua, options, &untagged);
            }
            round_trip(
                lua,
                options,
                &BTreeMap::from([(1, "a".to_owned()), (7, "b".into())]),
            );
            round_trip(
                lua,
                options,
                &BTreeMap::from([((1, 2), true), ((3, 4), false)]),
            );
            round_trip(lua, options, &BTreeSet::from(["x".to_owned()]));
            let rest = BTreeMap::from([("x".to_owned(), json!([1, { "y": 2 }]))]);
            round_trip(lua, options, &Flat { id: 1, rest });
        },
    ];
    let default = SerdeOptions::new();
    for options in [
        default.clone().nulls(Nulls::Always),
        default.clone().array_metatable(true).sort_keys(true),
        default,
    ] {
        for round_trips in round_trips {
            round_trips(&lua, &options);
        }
    }
    Ok(())
}

#[test]
fn lua_code_sees_plain_values() -> Result<()> {
    let lua = Runtime::new()?;
    let config = Config {
        name: "main".into(),
        servers: vec![Server {
            host: "h".into(),
            port: 80,
            tags: vec![],
        }],
        limits: None,
    };
    let globals = lua.globals()?;
    globals.set("config", Serde(&config))?;
    globals.set("null", Null)?;
    globals.set("items", Serde(vec![Some(1), None]))?;
    globals.set(
        "shapes",
        Serde((Shape::Unit, Shape::New(None), Shape::Pair(1, 'c'))),
    )?;
    globals.set("wide", Serde(u64::MAX))?;
    globals.set("least", Serde(i64::MIN + 1))?;
    globals.set("array", Serde(Vec::<u8>::new()))?;
    for code in [
        "config.name == 'main' and config.servers[1].port == 80 and #config.servers == 1",
        "config.limits == nil and next(config.servers[1].tags) == nil",
        "getmetatable(config) == nil and getmetatable(config.servers) == nil",
        "#items == 2 and items[2] == null and type(null) == 'userdata' and tostring(null) == 'userdata: NULL'",
        "shapes[1] == 'Unit' and shapes[2].New == null and shapes[3].Pair[2] == 'c'",
        "type(wide) == 'cdata' and wide == 0xffffffffffffffffULL",
        "type(least) == 'cdata' and least == -0x7fffffffffffffffLL",
    ] {
        assert!(lua.load(code).expression().eval::<bool>()?, "{code}");
    }
    Ok(())
}

#[test]
fn errors_name_the_place() -> Result<()> {
    let lua = Runtime::new()?;
    lua.globals()?.set("object", lua.create_table()?)?;
    let read = |code: &str| {
        lua.load(code)
            .eval::<Serde<Config>>()
            .unwrap_err()
            .to_string()
    };
    for (code, message) in [
        (
            "return { name = 'x', servers = { { host = 'a', port = 1 }, { host = 'b', port = 'x' } } }",
            r#"servers[2].port: expected u16, got string "x""#,
        ),
        (
            "return { name = 'x', servers = { { host = 'a', port = 70000 } } }",
            "servers[1].port: expected u16, got number 70000",
        ),
        (
            "return { name = 'x', servers = { { host = 'a', port = 1.5 } } }",
            "servers[1].port: expected u16, got number 1.5",
        ),
        (
            "return { name = 'x', servers = { { host = 'a' } } }",
            "servers[1]: missing field `port`",
        ),
        (
            "return { name = {}, servers = {} }",
            "name: expected a string, got a table",
        ),
        (
            "return { name = 5, servers = {} }",
            "name: expected a string, got number 5",
        ),
        (
            "return { name = '\\255', servers = {} }",
            "name: expected a string, got a string that is not UTF-8",
        ),
        (
            "return { name = print, servers = {} }",
            "name: expected a string, got function",
        ),
        (
            "return { name = 'x', servers = io.stdout }",
            "servers: expected a sequence, got userdata",
        ),
        (
            "return { name = coroutine.create(print), servers = {} }",
            "name: expected a string, got thread",
        ),
        (
            "return { name = 'x', servers = {}, limits = { 1, 2, 3 } }",
            "limits: expected a sequence of length 2, got one of length 3",
        ),
        (
            "return { name = 'x', servers = {}, limits = { 1 } }",
            "limits: expected a tuple of size 2, got a sequence of length 1",
        ),
        (
            "return { name = 'x', servers = { n = 1 } }",
            "servers: neither a sequence nor a map: a table with the items 1 to 0 and the key \"n\"",
        ),
        (
            "return { name = 'x', servers = {}, limits = { 1, 2, x = 3 } }",
            "limits: neither a sequence nor a map: a table with the items 1 to 2 and the key \"x\"",
        ),
        (
            "return { name = 'x', servers = {}, limits = { nil, 2 } }",
            "limits[1]: nil, and a sequence has no holes",
        ),
        ("return 5", "expected struct Config, got number 5"),
        ("return nil", "expected struct Config, got nil"),
    ] {
        assert_eq!(read(code), message, "{code}");
    }
    let read = |code: &str| {
        lua.load(code)
            .eval::<Serde<serde_json::Value>>()
            .unwrap_err()
            .to_string()
    };
    for (code, message) in [
        (
            "return { a = { ['b c'] = { [2] = 1 } } }",
            r#"a["b c"][2]: expected a string key, got number 2"#,
        ),
        (
            "return { a = { 1, 2, nil, 4, x = 1 } }",
            "a: neither a sequence nor a map: a table with the items 1 to 4 and the key \"x\"",
        ),
        (
            "return { a = { 1, 2, [0] = 3 } }",
            "a: neither a sequence nor a map: a table with the items 1 to 2 and the key 0",
        ),
        (
            "return { 1, [true] = 2 }",
            "neither a sequence nor a map: a table with the items 1 to 1 and the key a boolean",
        ),
        (
            "return { a = { f = print } }",
            "a.f: expected any valid JSON value, got function",
        ),
        (
            "return { a = require('ffi').new('int[2]') }",
            "a: expected any valid JSON value, got cdata",
        ),
        (
            "local t = { { x = {} } } t[1].x.y = t return t",
            "[1].x.y: a cycle: the table is inside itself",
        ),
        (
            "local t = {} t[1] = t return t",
            "[1]: a cycle: the table is inside itself",
        ),
    ] {
        let got = read(code);
        // Where the hole is taken for the end is LuaJIT's choice.
        let hole = "a[3]: nil, and a sequence has no holes";
        assert!(
            got == message || code.contains("nil, 4") && got == hole,
            "{code}\n{got}"
        );
    }
    let read = |code: &str| {
        lua.load(code)
            .eval::<Serde<Shape>>()
            .unwrap_err()
            .to_string()
    };
    for (code, message) in [
        (
            "return 'Other'",
            "unknown variant `Other`, expected one of `Unit`, `New`, `Pair`, `Named`",
        ),
        (
            "return { New = 1, Pair = 2 }",
            "expected a variant of Shape: a string or a table with one entry, got a table with 2 entries",
        ),
        (
            "return { Named = { radius = 'x' } }",
            r#"Named.radius: expected f64, got string "x""#,
        ),
        (
            "return { Pair = { 1, 'ab' } }",
            r#"Pair[2]: expected a character, got string "ab""#,
        ),
        (
            "return 'New'",
            "expected the content of a newtype variant, got the name of the variant alone",
        ),
        (
            "return 1",
            "expected a variant of Shape: a string or a table with one entry, got number 1",
        ),
    ] {
        assert_eq!(read(code), message, "{code}");
    }
    Ok(())
}

#[test]
fn errors_on_the_way_to_lua_name_the_place() -> Result<()> {
    let lua = Runtime::builder().libs(lupa_core::Libs::SAFE).build()?;
    fn message<T: Serialize>(lua: &Runtime, value: T) -> String {
        lua.serialize(&value).unwrap_err().to_string()
    }
    assert_eq!(
        message(&lua, json!({ "ids": [1, (1u64 << 53) + 1] })),
        "ids[2]: 9007199254740993 has no exact double, and there is no FFI integer for it"
    );
    assert_eq!(
        message(&lua, [u128::MAX]),
        format!(
            "[1]: {} has no exact double, and there is no FFI integer for it",
            u128::MAX
        )
    );
    assert_eq!(
        message(&lua, BTreeMap::from([(None::<i32>, 1)])),
        "nothing (None or unit) is no table key"
    );
    let ffi = Runtime::new()?;
    let keys = BTreeMap::from([(u64::MAX, 1)]);
    assert_eq!(
        message(&ffi, (keys, 1)),
        "[1]: 18446744073709551615 is beyond 2^53, too large for a table's key"
    );
    // What a failed conversion leaves on the stack would be a result of the function.
    let failing = lua.create_function(|call| {
        let error = call.push(Serde(json!([[1, 9007199254740993u64]])));
        assert!(error.is_err());
        call.push("only")
    })?;
    assert_eq!(
        failing.call::<(String, Option<bool>)>(())?,
        ("only".into(), None)
    );
    // In Lua it is a text, and in Rust the error that it was.
    let failing = lua.create_function(|call| call.push(Serde(u64::MAX)))?;
    lua.globals()?.set("failing", failing)?;
    let text: String = lua.load("return select(2, pcall(failing))").eval()?;
    assert!(
        text.starts_with("18446744073709551615 has no exact double"),
        "{text}"
    );
    Ok(())
}

#[test]
fn a_type_may_swallow_errors() -> Result<()> {
    /// Leaves out the items that cannot be converted.
    struct Lenient(Vec<u64>);
    impl Serialize for Lenient {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeMap;
            let mut map = serializer.serialize_map(None)?;
            for item in &self.0 {
                let _ = map.serialize_entry(&item, &[[item]]);
                let _ = map.serialize_key("a key without a value");
                let _ = map.serialize_entry("item", &[[item]]);
            }
            map.end()
        }
    }
    let lua = Runtime::builder().libs(lupa_core::Libs::SAFE).build()?;
    let map: BTreeMap<Untagged, ()> = BTreeMap::new();
    assert!(map.is_empty());
    let Value::Table(table) = lua.serialize(&Lenient(vec![1, u64::MAX, 2]))? else {
        panic!()
    };
    let text = serde_json::to_string(&SerdeOptions::new().sort_keys(true).serializable(&table));
    assert!(text.is_err(), "a table with the items 1 and 2 and a name");
    assert_eq!(table.get::<Vec<Vec<u64>>>(2)?, [[2]]);
    assert_eq!(table.get::<Vec<Vec<u64>>>("item")?, [[2]]);
    Ok(())
}

impl PartialOrd for Untagged {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Untagged {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        format!("{self:?}").cmp(&format!("{other:?}"))
    }
}
impl Eq for Untagged {}

#[test]
fn depth_is_limited() -> Result<()> {
    let lua = Runtime::new()?;
    let nest: Function = lua
        .load("return function(n) local t = {} for i = 1, n do t = { t } end return t end")
        .eval()?;
    let deep: Value = nest.call(20_000)?;
    let error = lua.deserialize::<serde_json::Value>(&deep).unwrap_err();
    assert!(matches!(error, Error::Data(_)), "{error}");
    assert!(
        error.to_string().contains("nested deeper than 128 levels"),
        "{error}"
    );
    let error = serde_json::to_string(&deep).unwrap_err();
    assert!(
        error.to_string().contains("nested deeper than 128 levels"),
        "{error}"
    );
    let fits: Value = nest.call(127)?;
    lua.deserialize::<serde_json::Value>(&fits)?;
    let ignored: serde::de::IgnoredAny = lua.deserialize(&deep)?;
    let _ = ignored;

    /// Nested without end.
    #[derive(Clone, Copy)]
    struct Endless;
    impl Serialize for Endless {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq([self])
        }
    }
    #[derive(Debug, Deserialize)]
    struct Nested(#[allow(dead_code)] Vec<Nested>);
    let error = lua.serialize(&Endless).unwrap_err();
    assert!(
        error.to_string().contains("nested deeper than 128 levels"),
        "{error}"
    );
    // Beyond that: the Lua stack ends, or that of the thread does.
    let options = SerdeOptions::new().depth_limit(usize::MAX);
    let on_a_stack_of = |size: usize| {
        let (lua, options, deep) = (lua.clone(), options.clone(), deep.clone());
        let thread = std::thread::Builder::new().stack_size(size);
        let run = move || {
            [
                lua.serialize_with(&Endless, &options).unwrap_err(),
                lua.deserialize_with::<Nested>(&deep, &options)
                    .map(drop)
                    .unwrap_err(),
                Error::message(
                    serde_json::to_string(&options.serializable(&deep))
                        .unwrap_err()
                        .to_string(),
                ),
            ]
        };
        thread.spawn(run).unwrap().join().unwrap()
    };
    let [to, from, view] = on_a_stack_of(1 << 20);
    assert!(matches!(to, Error::RecursionLimit), "{to}");
    assert!(matches!(from, Error::RecursionLimit), "{from}");
    assert!(view.to_string().contains("too many nested calls"), "{view}");
    let [to, from, view] = on_a_stack_of(256 << 20);
    assert!(matches!(to, Error::StackOverflow(_)), "{to}");
    assert!(matches!(from, Error::StackOverflow(_)), "{from}");
    assert!(view.to_string().contains("Lua stack overflow"), "{view}");
    Ok(())
}

#[test]
fn the_amount_of_data_is_limited() -> Result<()> {
    let lua = Runtime::builder().memory_limit(8 << 20).build()?;
    // 2^40 leaves, and 2^20 times a megabyte.
    let bomb: Value = lua
        .load("local t = {} for i = 1, 40 do t = { t, t } end return t")
        .eval()?;
    let few = SerdeOptions::new().size_limit(1 << 20);
    let error = lua.deserialize_with::<serde_json::Value>(&bomb, &few);
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("more data than 1048576 values")
    );
    let long: Value = lua
        .load("local s, t = ('x'):rep(2^20), {} for i = 1, 2^16 do t[i] = s end return t")
        .eval()?;
    let error = lua
        .deserialize_with::<Vec<String>>(&long, &few)
        .unwrap_err();
    assert!(error.to_string().contains("more data than"), "{error}");
    let options = SerdeOptions::new().size_limit(10);
    lua.deserialize_with::<Vec<u8>>(vec![1; 9], &options)?;
    let error = lua
        .deserialize_with::<Vec<u8>>(vec![1; 10], &options)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "[10]: more data than 10 values, the limit of the options"
    );
    // On the way to Lua its own memory limit counts.
    let much = vec!["x".repeat(1000); 10];
    let much: Vec<_> = (0..100_000).map(|i| (i.to_string(), &much)).collect();
    assert!(matches!(lua.serialize(&much), Err(Error::Memory)));
    Ok(())
}

#[test]
fn options_decide() -> Result<()> {
    let lua = Runtime::new()?;
    let plain = SerdeOptions::new();
    let json = |options: &SerdeOptions, code: &str| {
        let value: Value = lua.load(code).expression().eval().unwrap();
        let written = serde_json::to_string(&options.serializable(&value)).unwrap();
        let read: serde_json::Value = lua.deserialize_with(&value, options).unwrap();
        assert_eq!(
            read,
            written.parse::<serde_json::Value>().unwrap(),
            "{code}"
        );
        written
    };
    let sorted = plain.clone().sort_keys(true);
    assert_eq!(
        json(&sorted, "{ b = 1, a = { 2.5, 'x', true }, c = {} }"),
        r#"{"a":[2.5,"x",true],"b":1,"c":{}}"#
    );
    assert_eq!(json(&plain.clone().empty_as_sequence(true), "{}"), "[]");
    assert_eq!(
        json(
            &sorted.clone().unsupported_as_nil(true),
            "{ a = print, b = io.stdout }"
        ),
        r#"{"a":null,"b":null}"#
    );
    let cycle = "(function() local t = { x = 1 } t.t = { t } return t end)()";
    assert_eq!(
        json(&sorted.clone().cycles_as_nil(true), cycle),
        r#"{"t":[null],"x":1}"#
    );
    assert_eq!(
        json(&plain, "(function() local s = { 1 } return { s, s } end)()"),
        "[[1],[1]]"
    );
    assert_eq!(
        json(&plain, "18446744073709551615ULL"),
        "18446744073709551615"
    );
    assert_eq!(json(&plain, "-0.0"), "-0.0");
    assert_eq!(json(&plain, "2^100"), "1.2676506002282294e+30");
    assert_eq!(json(&plain, "{ [3] = nil }"), "{}");
    // Numbers before strings, in their order.
    let keys: Value = lua
        .load("return { [10] = 1, [-2] = 1, [0.5] = 1, z = 1, [true] = 1, [false] = 1 }")
        .eval()?;
    let text = serde_json::to_string(&sorted.serializable(&keys)).unwrap();
    assert_eq!(text, r#"{"false":1,"true":1,"-2":1,"0.5":1,"10":1,"z":1}"#);

    let row = |nulls| {
        let options = SerdeOptions::new().nulls(nulls);
        let row = lua.serialize_with(&(None::<i32>, BTreeMap::from([("x", ())])), &options);
        let check: Function = lua
            .load("local r = ... return r[1] ~= nil, r[2].x ~= nil")
            .into_function()?;
        check.call::<(bool, bool)>(row?)
    };
    assert_eq!(row(Nulls::Never)?, (false, false));
    assert_eq!(row(Nulls::InSequences)?, (true, false));
    assert_eq!(row(Nulls::Always)?, (true, true));
    // An option that is read as nil is none, too.
    let options = SerdeOptions::new().unsupported_as_nil(true);
    let table: Table = lua.load("return { print, 1 }").eval()?;
    assert_eq!(
        lua.deserialize_with::<Vec<Option<u8>>>(&table, &options)?,
        [None, Some(1)]
    );
    Ok(())
}

#[test]
fn array_metatable_keeps_empty_sequences() -> Result<()> {
    let lua = Runtime::new()?;
    let options = SerdeOptions::new()
        .array_metatable(true)
        .nulls(Nulls::Always);
    let value = json!({ "list": [], "map": {}, "none": null, "deep": [[], {}] });
    let in_lua = lua.serialize_with(&value, &options)?;
    assert_eq!(lua.deserialize::<serde_json::Value>(&in_lua)?, value);
    lua.globals()?.set("value", in_lua)?;
    lua.load(
        "assert(getmetatable(value.list) == 'array' and getmetatable(value.map) == nil)
         assert(not pcall(setmetatable, value.list, {}))
         value.list[1] = 'x' assert(#value.list == 1)",
    )
    .exec()?;
    // Lua code cannot pass something else off as it, nor does a failure of the debug library matter.
    lua.load("debug.setmetatable(value.map, { __metatable = 'array' })")
        .exec()?;
    let map: serde_json::Value = lua.load("return value.map").eval::<Serde<_>>()?.0;
    assert_eq!(map, json!({}));
    Ok(())
}

#[test]
fn structs_may_be_sequences_and_have_other_keys() -> Result<()> {
    let lua = Runtime::new()?;
    let server = Server {
        host: "h".into(),
        port: 1,
        tags: vec![],
    };
    for code in [
        "return { host = 'h', port = 1, other = print, [7] = {} }",
        "return { 'ignored', host = 'h', port = 1 }",
        "return { 'h', 1, {} }",
    ] {
        let Serde(read): Serde<Server> = lua.load(code).eval()?;
        assert_eq!(read, server, "{code}");
    }
    // A large sequence whose items are in the hash part.
    let Serde(items): Serde<Vec<u32>> = lua
        .load("local t = {} for i = 3000, 1, -1 do t[i] = i end return t")
        .eval()?;
    assert_eq!(items, (1..=3000).collect::<Vec<_>>());
    Ok(())
}

#[test]
fn metamethods_are_not_called() -> Result<()> {
    let lua = Runtime::new()?;
    let value: Value = lua
        .load(
            "local function fail() error('called') end
             return setmetatable({ x = 1 }, { __index = fail, __len = fail, __pairs = fail, __tostring = fail })",
        )
        .eval()?;
    assert_eq!(
        lua.deserialize::<serde_json::Value>(&value)?,
        json!({ "x": 1 })
    );
    Ok(())
}

#[test]
fn handles_are_not_used_for_data() -> Result<()> {
    let lua = Runtime::new()?;
    let count = lua.create_function(|call| {
        let before = call.runtime().handles()?;
        let Serde(value): Serde<serde_json::Value> = call.get(0)?;
        call.push(Serde(&value))?;
        assert_eq!(call.runtime().handles()?, before);
        Ok(())
    })?;
    let back: Table = count.call(Serde(json!({ "a": [1, { "b": "c" }] })))?;
    assert_eq!(
        serde_json::to_string(&back).unwrap(),
        r#"{"a":[1,{"b":"c"}]}"#
    );
    Ok(())
}

/// Arbitrary data of all the shapes that types have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Tree {
    Nothing,
    Flag(bool),
    Integer(i64),
    Wide(u64),
    Number(f64),
    Letter(char),
    Text(String),
    Bytes(Vec<u8>),
    Maybe(Option<Box<Tree>>),
    List(Vec<Tree>),
    Pair(Box<Tree>, Option<i8>),
    Map(BTreeMap<String, Tree>),
    ByNumber(BTreeMap<i32, Tree>),
    Node {
        left: Box<Tree>,
        right: Option<Box<Tree>>,
        #[serde(default)]
        unit: (),
    },
}

fn trees() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Nothing),
        any::<bool>().prop_map(Tree::Flag),
        any::<i64>().prop_map(Tree::Integer),
        any::<u64>().prop_map(Tree::Wide),
        prop::num::f64::ANY
            .prop_filter("a number", |n| !n.is_nan())
            .prop_map(Tree::Number),
        any::<char>().prop_map(Tree::Letter),
        ".*".prop_map(Tree::Text),
        any::<Vec<u8>>().prop_map(Tree::Bytes),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        let boxed = inner.clone().prop_map(Box::new).boxed();
        prop_oneof![
            prop::option::of(boxed.clone()).prop_map(Tree::Maybe),
            prop::collection::vec(inner.clone(), 0..6).prop_map(Tree::List),
            (boxed.clone(), any::<Option<i8>>()).prop_map(|(a, b)| Tree::Pair(a, b)),
            prop::collection::btree_map(".{0,5}", inner.clone(), 0..6).prop_map(Tree::Map),
            prop::collection::btree_map(any::<i32>(), inner, 0..6).prop_map(Tree::ByNumber),
            (boxed.clone(), prop::option::of(boxed)).prop_map(|(left, right)| Tree::Node {
                left,
                right,
                unit: ()
            }),
        ]
    })
}

/// JSON without what Lua cannot tell apart by default: null in maps.
fn documents() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(|b| json!(b)),
        any::<i64>().prop_map(|n| json!(n)),
        any::<u64>().prop_map(|n| json!(n)),
        any::<i32>().prop_map(|n| json!(f64::from(n) + 0.5)),
        ".*".prop_map(|s| json!(s)),
        Just(serde_json::Value::Null),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(|v| json!(v)),
            prop::collection::btree_map(".*", inner, 0..8).prop_map(|m| json!(m)),
        ]
    })
}

/// One for all cases: they leave nothing in it.
static LUA: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

proptest! {
    #[test]
    fn arbitrary_types_come_back(tree in trees()) {
        let lua = &*LUA;
        for nulls in [Nulls::InSequences, Nulls::Always] {
            round_trip(lua, &SerdeOptions::new().nulls(nulls), &tree);
        }
    }

    #[test]
    fn arbitrary_documents_come_back(document in documents()) {
        let lua = &*LUA;
        let options = SerdeOptions::new().array_metatable(true).nulls(Nulls::Always);
        round_trip(lua, &options, &document);
        let in_lua = lua.serialize_with(&document, &options).unwrap();
        let written = serde_json::to_string(&in_lua).unwrap();
        prop_assert_eq!(written.parse::<serde_json::Value>().unwrap(), document);
    }

    #[test]
    fn arbitrary_code_gives_data_or_an_error(keys in prop::collection::vec((any::<i8>(), 0..6), 0..8)) {
        // Tables with any keys: whatever they are read as, nothing is lost without an error.
        let lua = &*LUA;
        let table = lua.create_table().unwrap();
        for (key, kind) in &keys {
            match kind {
                0 => table.set(format!("k{key}"), 1).unwrap(),
                1 => table.set(*key > 0, 1).unwrap(),
                2 => table.set(f64::from(*key) / 2.0, 1).unwrap(),
                _ => table.set(key.unsigned_abs() % 8, 1).unwrap(),
            }
        }
        let count = table.pairs::<Value, Value>().unwrap().len();
        if let Ok(items) = lua.deserialize::<Vec<u8>>(&table) {
            prop_assert_eq!(items.len(), count);
        }
        match lua.deserialize::<serde_json::Value>(&table) {
            Ok(serde_json::Value::Array(items)) => prop_assert_eq!(items.len(), count),
            Ok(serde_json::Value::Object(map)) => prop_assert_eq!(map.len(), count),
            Ok(other) => prop_assert!(false, "{}", other),
            Err(_) => {}
        }
    }
}

#[test]
fn the_place_of_what_serde_buffers_is_that_of_the_whole() -> Result<()> {
    let lua = Runtime::new()?;
    let read = |code: &str| {
        let error = lua.load(code).eval::<Serde<Vec<Internal>>>().unwrap_err();
        error.text().into_owned()
    };
    assert_eq!(
        read("return { { type = 'B' }, { type = 'A', x = 'y' } }"),
        r#"[2]: expected i32, got string "y""#
    );
    assert_eq!(read("return { { x = 1 } }"), "[1]: missing field `type`");
    Ok(())
}
