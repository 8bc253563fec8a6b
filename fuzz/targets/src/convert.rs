//! Conversions: numbers and strings, nested tables, and the ways to change and walk a table, beside a model.

use crate::tree::{self, Atom, Entries, Graph, Tree};
use arbitrary::{Arbitrary, Unstructured};
use lupa_core::{
    Bytes, Cursor, Error, IntoLua, Libs, Owned, Reference, Result, Runtime, Table, Value,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};

#[derive(Arbitrary, Debug)]
struct Input {
    integers: [i64; 2],
    /// How far from a power of two: where doubles stop being exact, and where integers end.
    near: (u8, i8),
    float: f64,
    bytes: Vec<u8>,
    tree: Tree,
    steps: Vec<Step>,
}

/// A change of a table. Keys are few, so that they meet.
#[derive(Arbitrary, Debug)]
enum Step {
    Set(Key, Tree),
    RawSet(Key, Tree),
    Push(Tree),
    Lua(Key, i8),
    Walk { at: u8, key: Key, value: i8 },
    Extend(Vec<(Key, i8)>),
    Collect,
}

#[derive(Arbitrary, Debug, Clone)]
enum Key {
    Small(u8),
    Odd(f64),
    Text(u8),
    Boolean(bool),
    Nil,
}

impl Key {
    fn tree(&self) -> Tree {
        match self {
            Key::Small(n) => Tree::Integer(i64::from(n % 24)),
            Key::Odd(n) => Tree::Float(*n),
            Key::Text(n) => Tree::Bytes(vec![b'k'; usize::from(n % 4)]),
            Key::Boolean(b) => Tree::Boolean(*b),
            Key::Nil => Tree::Nil,
        }
    }
}

const STEPS: usize = 40;

/// Takes an input as values and steps.
pub fn run(data: &[u8]) {
    let Ok(input) = Unstructured::new(data).arbitrary::<Input>() else {
        return;
    };
    // Integers beyond 2^53 are cdata where there is the FFI library, and no keys then.
    let doubles = Runtime::builder().libs(Libs::ALL - Libs::FFI);
    let lua = doubles.build().expect("a runtime can be made");
    let handles = lua.handles().expect("it is open");
    all(&lua, &input).expect("no conversion fails but those that have to");
    assert_eq!(
        lua.handles().expect("it is open"),
        handles,
        "a handle was lost"
    );
}

fn all(lua: &Runtime, input: &Input) -> Result<()> {
    let near = (1_i128 << (input.near.0 % 66)) + i128::from(input.near.1);
    let edges = [31, 53, 63, 64].map(|power| 1_i128 << power);
    let edges = edges.into_iter().flat_map(|n| [n - 1, n, n + 1]);
    let with_cdata = Runtime::new()?;
    for n in edges.chain(input.integers.map(i128::from)).chain([near]) {
        for n in [n, -n] {
            integers(lua, n, n as f64 as i128 == n)?;
            integers(&with_cdata, n, true)?;
        }
    }
    float(lua, input.float)?;
    float(lua, near as f64)?;
    text(lua, &input.bytes)?;

    lua.convert(&input.tree, |slot| input.tree.check(slot))?;
    let mut graph = Graph::new(lua);
    graph.make(&input.tree)?;
    graph.check()?;
    lua.gc_collect()?;
    graph.check()?;

    let mut walked = Walked {
        lua,
        table: lua.create_table()?,
        model: Entries::new(),
    };
    for step in input.steps.iter().take(STEPS) {
        walked.take(step)?;
        walked.check()?;
    }
    Ok(())
}

/// An integer comes back if it converts, which it does if there is a Lua value for exactly it.
fn integers(lua: &Runtime, n: i128, exact: bool) -> Result<()> {
    macro_rules! each {
        ($($type:ident)*) => {$(
            if let Ok(integer) = $type::try_from(n) {
                match lua.convert(integer, |slot| $type::from_lua_slot(slot)) {
                    Ok(back) => assert!(exact && back == integer, "{n} came back as {back}"),
                    Err(Error::Conversion { .. }) => assert!(!exact, "{n} was refused"),
                    Err(error) => return Err(error),
                }
            }
            // From a double: what it is exactly, if that fits.
            let double = n as f64;
            match lua.convert(double, |slot| $type::from_lua_slot(slot)) {
                Ok(back) => assert_eq!(back as i128, double as i128),
                Err(Error::Conversion { .. }) => assert!($type::try_from(double as i128).is_err(), "{double} was refused"),
                Err(error) => return Err(error),
            }
        )*};
    }
    each! { i8 u8 i16 u16 i32 u32 i64 u64 isize usize }
    Ok(())
}

/// Reading with the type named first.
trait FromSlot: Owned {
    fn from_lua_slot(slot: lupa_core::Slot<'_>) -> Result<Self> {
        Self::from_lua(slot)
    }
}

impl<T: Owned> FromSlot for T {}

fn float(lua: &Runtime, n: f64) -> Result<()> {
    let back: f64 = lua.convert(n, f64::from_lua_slot)?;
    assert!(
        back.to_bits() == n.to_bits() || back.is_nan() && n.is_nan(),
        "{n} came back as {back}"
    );
    let integer = lua.convert(n, i64::from_lua_slot);
    let fits = n.fract() == 0.0 && i64::try_from(n as i128).is_ok();
    assert_eq!(integer.is_ok(), fits, "{n} as an integer: {integer:?}");
    // Through Lua code, which may take another path.
    let back: f64 = lua.load("return ...").call(n)?;
    assert!(back == n || n.is_nan());
    Ok(())
}

fn text(lua: &Runtime, bytes: &[u8]) -> Result<()> {
    let string = lua.create_string(bytes)?;
    assert_eq!(string.to_vec()?, bytes);
    lua.convert(&string, |slot| {
        assert_eq!(slot.bytes(), Some(bytes));
        let text = <&str as lupa_core::FromLua<'_>>::from_lua(slot);
        assert_eq!(text.ok(), std::str::from_utf8(bytes).ok());
        Ok(())
    })?;
    let (length, same): (usize, bool) = lua
        .load("local a, b = ... return #a, a == b")
        .call((Bytes(bytes), &string))?;
    assert_eq!((length, same), (bytes.len(), true));
    let pairs: Vec<u8> = lua
        .load("return {string.byte(..., 1, 100)}")
        .call(Bytes(bytes))?;
    assert_eq!(pairs, &bytes[..bytes.len().min(100)]);
    Ok(())
}

/// A table that is changed in many ways, beside its model.
struct Walked<'a> {
    lua: &'a Runtime,
    table: Table,
    model: Entries,
}

impl Walked<'_> {
    fn take(&mut self, step: &Step) -> Result<()> {
        match step {
            Step::Set(key, value) => {
                self.set(key, value, |table, key, value| table.set(key, value))
            }
            Step::RawSet(key, value) => {
                self.set(key, value, |table, key, value| table.raw_set(key, value))
            }
            Step::Push(value) => {
                let position = self.table.len()? + 1;
                let (value, atom) = plain(self.lua, value)?;
                self.table.push(value)?;
                tree::set(&mut self.model, Atom::index(position), atom);
                Ok(())
            }
            Step::Lua(key, n) => {
                let set = |table: &Table, key: Value, value: Value| {
                    let chunk = table
                        .runtime()
                        .load("local table, key, value = ... table[key] = value");
                    chunk
                        .call::<()>((table, key, value))
                        .map_err(|_| Error::InvalidKey("refused".into()))
                };
                self.set(key, &Tree::Integer((*n).into()), set)
            }
            Step::Walk { at, key, value } => self.walk(*at, key, *value),
            Step::Extend(entries) => self.extend(entries),
            Step::Collect => self.lua.gc_collect(),
        }
    }

    fn set(
        &mut self,
        key: &Key,
        value: &Tree,
        set: impl Fn(&Table, Value, Value) -> Result<()>,
    ) -> Result<()> {
        let (key, key_atom) = plain(self.lua, &key.tree())?;
        let (value, atom) = plain(self.lua, value)?;
        let outcome = set(&self.table, key, value);
        let valid = tree::set(&mut self.model, key_atom, atom);
        assert!(
            if valid {
                outcome.is_ok()
            } else {
                matches!(outcome, Err(Error::InvalidKey(_)))
            },
            "{outcome:?}"
        );
        Ok(())
    }

    /// Walks by a cursor and removes or changes entries on the way: each one that is there when its turn comes, comes
    /// once.
    fn walk(&mut self, at: u8, key: &Key, value: i8) -> Result<()> {
        let reference: Reference = self.lua.convert(&self.table, |slot| slot.to_reference())?;
        let mut left: BTreeSet<Atom> = self.model.keys().cloned().collect();
        let mut cursor = Cursor::start();
        let ids = HashMap::new();
        let mut steps = 0;
        while let Some(found) = cursor.advance(&reference, |key, value| {
            Ok((Atom::read(key, &ids)?, Atom::read(value, &ids)?))
        })? {
            assert!(
                left.remove(&found.0),
                "{:?} came again, or from nowhere",
                found.0
            );
            assert_eq!(self.model.get(&found.0), Some(&found.1));
            // Only entries that exist: new ones may move the others.
            let (key, atom) = plain(self.lua, &key.tree())?;
            if steps == at
                && let Some(atom) = atom.key()
                && self.model.contains_key(&atom)
            {
                let value = if value < 0 {
                    Tree::Nil
                } else {
                    Tree::Integer(value.into())
                };
                let (new, new_atom) = plain(self.lua, &value)?;
                self.table.set(key, new)?;
                if new_atom == Atom::Nil {
                    left.remove(&atom);
                }
                tree::set(&mut self.model, atom, new_atom);
            }
            steps = steps.saturating_add(1);
            if at > 200 {
                self.lua.gc_collect()?;
            }
        }
        assert!(left.is_empty(), "did not come: {left:?}");
        Ok(())
    }

    /// Builds a table of these entries, then those of the table.
    fn extend(&mut self, entries: &[(Key, i8)]) -> Result<()> {
        let reference: Reference = self.lua.convert(&self.table, |slot| slot.to_reference())?;
        let mut model = Entries::new();
        let table = self.lua.create_table_with(entries.len(), 0, |table| {
            for (key, value) in entries.iter().take(STEPS) {
                let (key, atom) = plain(self.lua, &key.tree())?;
                if let Some(atom) = atom.key() {
                    table.set(key, *value)?;
                    tree::set(&mut model, atom, Atom::number((*value).into()));
                }
            }
            table.extend(&reference)
        })?;
        model.append(&mut self.model.clone());
        (self.table, self.model) = (table, model);
        Ok(())
    }

    /// Everything that can be asked of the table.
    fn check(&self) -> Result<()> {
        let ids = HashMap::new();
        assert_eq!(tree::entries(self.lua, &self.table, &ids)?, self.model);
        assert_eq!(self.table.is_empty()?, self.model.is_empty());
        let has = |n: usize| n == 0 || self.model.contains_key(&Atom::index(n));
        let length = self.table.len()?;
        assert!(
            has(length) && !has(length + 1) || length == 0 && !has(1),
            "{length} is no border"
        );
        let sequence = (1..=self.model.len()).all(has);
        assert_eq!(
            self.lua.convert(&self.table, |slot| slot.is_sequence())?,
            sequence
        );
        assert_eq!(self.table.pairs::<Value, Value>()?.len(), self.model.len());
        for (key, value) in &self.model {
            let got = |slot: lupa_core::Slot<'_>| Atom::read(slot, &ids);
            assert_eq!(&self.table.get_with(|to| key.push(to), got)?, value);
            assert_eq!(
                &self
                    .table
                    .get_with(|to| key.push(to), |slot| Atom::read(slot, &ids))?,
                value
            );
        }
        // As a map, if the types are right.
        let numbers: Result<BTreeMap<i64, i64>> =
            self.lua.convert(&self.table, BTreeMap::from_lua_slot);
        if let Ok(numbers) = numbers {
            let back: Table = self.lua.convert(numbers, Table::from_lua_slot)?;
            assert_eq!(tree::entries(self.lua, &back, &ids)?, self.model);
        }
        Ok(())
    }
}

impl Atom {
    fn push(&self, to: lupa_core::Pusher<'_>) -> Result<()> {
        match self {
            Atom::Boolean(b) => to.boolean(*b),
            Atom::Number(bits) => to.number(f64::from_bits(*bits)),
            Atom::Bytes(bytes) => Bytes(bytes).into_lua(to),
            Atom::Nil | Atom::Table(_) => to.nil(),
        }
    }
}

/// A value that is no table, and what the model makes of it.
fn plain(lua: &Runtime, tree: &Tree) -> Result<(Value, Atom)> {
    match tree {
        Tree::List(_) | Tree::Table(_) | Tree::Back(_) => {
            Ok((Value::Boolean(true), Atom::Boolean(true)))
        }
        tree => Graph::new(lua).make(tree),
    }
}
