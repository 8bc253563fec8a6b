//! Views of Lua's stack (slots, pushers, builders) of operations that lie inside one another, used in the wrong order.

use lupa_core::{Directly, Pusher, Reference, Result, Runtime, Table};

const MISUSE: &str = "must push exactly one value";
const IN_USE: &str = "inside of another operation";

fn fails<T: std::fmt::Debug>(result: Result<T>, with: &str) {
    let text = result.unwrap_err().to_string();
    assert!(text.contains(with), "{text:?} should contain {with:?}");
}

fn garbage(lua: &Runtime) -> Result<()> {
    lua.gc_collect()?;
    lua.load("local t = {} for i = 1, 1000 do t[i] = ('y'):rep(90) .. i end")
        .exec()
}

// Breaks (writes beyond the stack) if room that was reserved is only counted.
#[test]
fn arguments_of_two_calls_do_not_share_their_room() -> Result<()> {
    let lua = Runtime::new()?;
    let count: Reference = lua
        .load("return function(...) return select('#', ...) end")
        .eval()?;
    let results = count.call_with(
        |outer| {
            outer.reserve(3000)?;
            let given = count.call_with(
                |inner| {
                    inner.reserve(3000)?;
                    for n in 0..3000 {
                        outer.push_reserved(n)?;
                        inner.push_reserved(n)?;
                    }
                    Ok(())
                },
                Directly,
                |results| Ok(results.get(0).number()),
            )?;
            // What is pushed inside is of the call inside.
            assert_eq!(given, Some(6000.0));
            Ok(())
        },
        Directly,
        |results| Ok(results.get(0).number()),
    )?;
    assert_eq!(results, Some(0.0));
    Ok(())
}

// Breaks (writes beyond the stack) if each place to push to relies on the room of its own operation.
#[test]
fn places_to_push_to_may_be_gathered() -> Result<()> {
    fn gather(lua: &Runtime, more: usize, all: Vec<Pusher<'_>>) -> Result<()> {
        if more == 0 {
            for to in all {
                to.number(1.0)?;
            }
            return Ok(());
        }
        lua.create_table_with(0, 0, |table| {
            table.set_with(
                |to| {
                    let mut all = all;
                    all.push(to);
                    gather(lua, more - 1, all)
                },
                |to| to.nil(),
            )
        })
        .map(drop)
    }
    let lua = Runtime::new()?;
    // The stack is made larger by halves of itself, so some of these are just below.
    for depth in (20..400).step_by(7) {
        fails(gather(&lua, depth, Vec::new()), MISUSE);
    }
    lua.load("return 1").exec()
}

// Breaks (reads a freed string) if a builder cuts the stack to its table, whatever lies above.
#[test]
fn a_builder_is_refused_inside_of_another_operation() -> Result<()> {
    let lua = Runtime::new()?;
    let entries: Reference = lua.load("return { x = 1 }").eval()?;
    lua.create_table_with(0, 0, |table| {
        lua.convert("x".repeat(1 << 20), |slot| {
            let bytes = slot.bytes().unwrap_or_default();
            fails(table.set(1, 2), IN_USE);
            fails(table.set_index(1, 2), IN_USE);
            fails(table.extend(&entries), IN_USE);
            garbage(&lua)?;
            assert!(bytes.iter().all(|byte| *byte == b'x'));
            assert_eq!(slot.bytes().map(<[u8]>::len), Some(1 << 20));
            Ok(())
        })?;
        table.set(1, "fine")
    })?;
    let outer = lua.create_table_with(0, 0, |outer| {
        let inner = lua.create_table_with(0, 0, |inner| {
            fails(outer.set(1, 2), IN_USE);
            inner.set("k", 1)?;
            fails(
                outer.set_with(|to| to.bytes(b"a"), |to| to.bytes(b"b")),
                IN_USE,
            );
            inner.set("l", 2)
        })?;
        assert_eq!(inner.get::<u8>("k")? + inner.get::<u8>("l")?, 3);
        outer.set("inner", inner)
    })?;
    assert_eq!(outer.get::<Table>("inner")?.get::<u8>("l")?, 2);
    Ok(())
}

#[cfg(feature = "serde")]
mod data {
    use super::{IN_USE, garbage};
    use lupa_core::{Result, Runtime, Value};
    use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
    use serde::ser::{Serialize, SerializeMap, Serializer};
    use std::cell::RefCell;
    use std::fmt;

    /// A map that goes on with itself while one of its values is written.
    struct Restless<'a>(&'a Runtime);

    /// What advances the outer map, in an operation of its own.
    struct Advance<'m, M>(&'m RefCell<M>, bool);

    impl<M: SerializeMap> Serialize for Advance<'_, M> {
        fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
            let mut inner = serializer.serialize_map(None)?;
            inner.serialize_entry("a", &1)?;
            let error = match self.1 {
                true => self.0.borrow_mut().serialize_key("outer").err(),
                false => self.0.borrow_mut().serialize_entry("outer", &2).err(),
            };
            assert!(error.is_some_and(|error| error.to_string().contains(IN_USE)));
            inner.serialize_entry("b", &2)?;
            inner.end()
        }
    }

    impl Serialize for Restless<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
            let map = RefCell::new(serializer.serialize_map(None)?);
            for by_key in [true, false] {
                let inner = self.0.serialize(&Advance(&map, by_key)).unwrap();
                let Value::Table(inner) = inner else {
                    panic!("{inner:?}")
                };
                let sum = inner.get::<u8>("a").unwrap() + inner.get::<u8>("b").unwrap();
                assert_eq!(sum, 3);
            }
            garbage(self.0).unwrap();
            let mut map = map.into_inner();
            map.serialize_entry("fine", &true)?;
            map.end()
        }
    }

    // Breaks (stores into what is no table) if a map cuts the stack to its table, whatever lies above.
    #[test]
    fn a_map_is_refused_inside_of_another_operation() -> Result<()> {
        let lua = Runtime::new()?;
        let value = lua.serialize(&Restless(&lua))?;
        let Value::Table(table) = value else {
            panic!("{value:?}")
        };
        assert!(table.get::<bool>("fine")?);
        Ok(())
    }

    thread_local!(static LUA: RefCell<Option<Runtime>> = const { RefCell::new(None) });

    struct Entries;
    struct Read;

    impl<'de> Deserialize<'de> for Read {
        fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
            from.deserialize_map(Entries)
        }
    }

    impl<'de> Visitor<'de> for Entries {
        type Value = Read;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Read, A::Error> {
            let lua = LUA.take().unwrap();
            lua.convert("x".repeat(1 << 20), |slot| {
                let bytes = slot.bytes().unwrap_or_default();
                let refused = map.next_key::<IgnoredAny>().err();
                assert!(refused.is_some_and(|error| error.to_string().contains(IN_USE)));
                garbage(&lua)?;
                assert!(bytes.iter().all(|byte| *byte == b'x'));
                Ok(())
            })
            .unwrap();
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok(Read)
        }
    }

    // Breaks (reads a freed string) if the entries cut the stack to their table, whatever lies above.
    #[test]
    fn entries_are_refused_inside_of_another_operation() -> Result<()> {
        let lua = Runtime::new()?;
        let value: Value = lua.load("return { a = 1, b = 2 }").eval()?;
        LUA.set(Some(lua.clone()));
        lua.deserialize::<Read>(&value).map(drop)
    }
}
