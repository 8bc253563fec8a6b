//! Values of Lua as an input gives them, and a model of the tables that are made of them.

use arbitrary::Arbitrary;
use lupa_core::{Bytes, Error, IntoLua, Kind, Pusher, Result, Runtime, Slot, Table, Value};
use std::collections::{BTreeMap, HashMap};

/// A value of an input. `Back` is a table that was begun before: so there are cycles, and values in two places.
#[derive(Arbitrary, Debug, Clone)]
pub(crate) enum Tree {
    Nil,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Bytes(Vec<u8>),
    List(Vec<Tree>),
    Table(Vec<(Tree, Tree)>),
    Back(u8),
}

/// A value as the model has it: what Lua takes for equal is equal here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Atom {
    Nil,
    Boolean(bool),
    Number(u64),
    Bytes(Vec<u8>),
    Table(usize),
}

impl Atom {
    /// A number, by its bits; all that are none are one.
    pub(crate) fn number(n: f64) -> Atom {
        Atom::Number(if n.is_nan() { f64::NAN } else { n }.to_bits())
    }

    /// As a key, where `-0` is `0`; `None` for what cannot be one.
    pub(crate) fn key(self) -> Option<Atom> {
        match self {
            Atom::Nil => None,
            Atom::Number(bits) => {
                let n = f64::from_bits(bits);
                (!n.is_nan()).then(|| Atom::number(n + 0.0))
            }
            other => Some(other),
        }
    }

    /// A position in a sequence.
    pub(crate) fn index(n: usize) -> Atom {
        Atom::number(n as f64)
    }

    /// Reads a slot; tables by their addresses.
    pub(crate) fn read(slot: Slot<'_>, tables: &HashMap<usize, usize>) -> Result<Atom> {
        Ok(match slot.kind() {
            Kind::Nil => Atom::Nil,
            Kind::Boolean => Atom::Boolean(slot.truthy()),
            Kind::Number => Atom::number(slot.number().expect("it is a number")),
            Kind::String => Atom::Bytes(slot.bytes().unwrap_or_default().to_vec()),
            Kind::Table => match tables.get(&(slot.address() as usize)) {
                Some(id) => Atom::Table(*id),
                None => return Err(Error::message("an unknown table")),
            },
            kind => return Err(Error::message(format!("a {kind:?}"))),
        })
    }
}

/// The entries of one table.
pub(crate) type Entries = BTreeMap<Atom, Atom>;

/// Sets an entry as Lua does; whether the key is a valid one.
pub(crate) fn set(entries: &mut Entries, key: Atom, value: Atom) -> bool {
    let Some(key) = key.key() else { return false };
    if value == Atom::Nil {
        entries.remove(&key);
    } else {
        entries.insert(key, value);
    }
    true
}

/// Tables in Lua beside their model.
pub(crate) struct Graph<'a> {
    lua: &'a Runtime,
    tables: Vec<(Table, Entries)>,
    /// The model's table of each address.
    ids: HashMap<usize, usize>,
}

impl<'a> Graph<'a> {
    pub(crate) fn new(lua: &'a Runtime) -> Self {
        Graph {
            lua,
            tables: Vec::new(),
            ids: HashMap::new(),
        }
    }

    /// Makes a value, step by step by handles.
    pub(crate) fn make(&mut self, tree: &Tree) -> Result<(Value, Atom)> {
        Ok(match tree {
            Tree::Nil => (Value::Nil, Atom::Nil),
            Tree::Boolean(b) => (Value::Boolean(*b), Atom::Boolean(*b)),
            Tree::Integer(i) => (Value::Number(*i as f64), Atom::number(*i as f64)),
            Tree::Float(n) => (Value::Number(*n), Atom::number(*n)),
            Tree::Bytes(bytes) => (
                Value::String(self.lua.create_string(bytes)?),
                Atom::Bytes(bytes.clone()),
            ),
            Tree::List(items) => {
                let id = self.begin()?;
                for (index, item) in items.iter().enumerate() {
                    let (value, atom) = self.make(item)?;
                    self.tables[id].0.set(index + 1, value)?;
                    set(&mut self.tables[id].1, Atom::index(index + 1), atom);
                }
                self.table(id)
            }
            Tree::Table(entries) => {
                let id = self.begin()?;
                for (key, item) in entries {
                    let (key, key_atom) = self.make(key)?;
                    let (value, atom) = self.make(item)?;
                    let outcome = self.tables[id].0.set(key, value);
                    let valid = set(&mut self.tables[id].1, key_atom, atom);
                    assert_eq!(outcome.is_ok(), valid, "{outcome:?}");
                    assert!(
                        valid || matches!(outcome, Err(Error::InvalidKey(_))),
                        "{outcome:?}"
                    );
                }
                self.table(id)
            }
            Tree::Back(_) if self.tables.is_empty() => (Value::Nil, Atom::Nil),
            Tree::Back(n) => self.table(usize::from(*n) % self.tables.len()),
        })
    }

    fn begin(&mut self) -> Result<usize> {
        let (table, id) = (self.lua.create_table()?, self.tables.len());
        self.ids.insert(table.address()?, id);
        self.tables.push((table, Entries::new()));
        Ok(id)
    }

    fn table(&self, id: usize) -> (Value, Atom) {
        (Value::Table(self.tables[id].0.clone()), Atom::Table(id))
    }

    /// Each table must have the entries of its model.
    pub(crate) fn check(&self) -> Result<()> {
        for (table, expected) in &self.tables {
            assert_eq!(&entries(self.lua, table, &self.ids)?, expected);
        }
        Ok(())
    }
}

/// The entries of a table in Lua.
pub(crate) fn entries(
    lua: &Runtime,
    table: &Table,
    ids: &HashMap<usize, usize>,
) -> Result<Entries> {
    lua.convert(table, |slot| {
        let mut entries = Entries::new();
        slot.entries(|key, value| {
            let old = entries.insert(Atom::read(key, ids)?, Atom::read(value, ids)?);
            assert_eq!(old, None, "a key came twice");
            Ok(())
        })?;
        Ok(entries)
    })
}

/// Pushes a tree at once, by table builders. What cannot be a key is left out, and so are tables as keys.
impl IntoLua for &Tree {
    fn into_lua(self, to: Pusher<'_>) -> Result<()> {
        match self {
            Tree::Nil | Tree::Back(_) => to.nil(),
            Tree::Boolean(b) => b.into_lua(to),
            Tree::Integer(i) => to.number(*i as f64),
            Tree::Float(n) => n.into_lua(to),
            Tree::Bytes(bytes) => Bytes(bytes).into_lua(to),
            Tree::List(items) => to.new_table(items.len(), 0, |table| {
                let mut items = items.iter().enumerate();
                items.try_for_each(|(index, item)| table.set_index(index + 1, item))
            }),
            Tree::Table(entries) => to.new_table(0, entries.len(), |table| {
                let mut entries = entries.iter().filter(|(key, _)| key.plain_key().is_some());
                entries.try_for_each(|(key, item)| table.set(key, item))
            }),
        }
    }
}

impl Tree {
    /// The key that this is, if it is no table.
    fn plain_key(&self) -> Option<Atom> {
        match self {
            Tree::List(_) | Tree::Table(_) | Tree::Back(_) | Tree::Nil => None,
            Tree::Boolean(b) => Some(Atom::Boolean(*b)),
            Tree::Integer(i) => Some(Atom::number(*i as f64)),
            Tree::Float(n) => Atom::number(*n).key(),
            Tree::Bytes(bytes) => Some(Atom::Bytes(bytes.clone())),
        }
    }

    /// A slot must hold what [`Tree::into_lua`] pushes.
    pub(crate) fn check(&self, slot: Slot<'_>) -> Result<()> {
        let mut expected: BTreeMap<Atom, &Tree> = BTreeMap::new();
        match self {
            Tree::List(items) => {
                expected.extend(
                    items
                        .iter()
                        .enumerate()
                        .map(|(index, item)| (Atom::index(index + 1), item)),
                );
            }
            Tree::Table(entries) => {
                expected.extend(
                    entries
                        .iter()
                        .filter_map(|(key, item)| Some((key.plain_key()?, item))),
                );
            }
            Tree::Nil | Tree::Back(_) => {
                assert!(slot.is_nil());
                return Ok(());
            }
            plain => {
                let mut atom = Atom::read(slot, &HashMap::new())?;
                if let Tree::Float(n) = plain
                    && *n == 0.0
                {
                    // As a key it has no sign, as a value it has.
                    assert_eq!(atom, Atom::number(*n));
                    atom = Atom::number(0.0);
                }
                assert_eq!(
                    Some(atom),
                    plain.plain_key().or(Some(Atom::number(f64::NAN)))
                );
                return Ok(());
            }
        }
        expected.retain(|_, item| !matches!(item, Tree::Nil | Tree::Back(_)));
        assert_eq!(slot.kind(), Kind::Table);
        slot.entries(|key, value| {
            let key = Atom::read(key, &HashMap::new())?;
            let item = expected
                .remove(&key)
                .unwrap_or_else(|| panic!("{key:?} is too much"));
            item.check(value)
        })?;
        assert!(expected.is_empty(), "missing: {expected:?}");
        Ok(())
    }
}
