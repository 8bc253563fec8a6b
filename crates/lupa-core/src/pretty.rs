//! `{:#?}` of tables and strings: what is in them.

use crate::handle::Handle;
use crate::raw::Kind;
use crate::slot::Slot;
use crate::string::LuaString;
use crate::table::Table;
use std::cmp::Ordering;
use std::ffi::c_void;
use std::fmt;

/// Tables in tables that are shown.
const DEPTH: usize = 8;
/// Entries that are shown in all.
const ENTRIES: usize = 500;
/// Bytes of a string that are shown.
const BYTES: usize = 500;

/// A value as it was found.
enum Shown {
    /// What is written as it stands.
    Plain(String),
    Sequence(Vec<Shown>),
    Map(Vec<(Key, Shown)>),
}

/// A key of a table: numbers are shown before strings, and those before all others.
enum Key {
    Number(f64),
    String(String),
    Other(String),
}

/// What is left to be shown, and where.
struct Walk {
    left: usize,
    path: Vec<*const c_void>,
}

impl Walk {
    fn show(&mut self, slot: Slot<'_>) -> Shown {
        if slot.kind() != Kind::Table {
            return Shown::Plain(plain(slot));
        }
        let address = slot.address();
        if self.path.contains(&address) {
            return Shown::Plain("<the table itself>".into());
        }
        if self.path.len() == DEPTH {
            return Shown::Plain("{…}".into());
        }
        self.path.push(address);
        let mut entries = Vec::new();
        let mut more = 0;
        let outcome = slot.entries(|key, value| {
            if self.left == 0 {
                more += 1;
            } else {
                self.left -= 1;
                entries.push((Key::of(key), self.show(value)));
            }
            Ok(())
        });
        self.path.pop();
        if outcome.is_err() {
            // Lua's stack has no room for more.
            return Shown::Plain("{…}".into());
        }
        entries.sort_by(|(a, _), (b, _)| a.order(b));
        let is_sequence = !entries.is_empty()
            && (1..).zip(&entries).all(
                |(position, (key, _))| matches!(key, Key::Number(n) if *n == f64::from(position)),
            );
        let rest = (more > 0).then(|| format!("… {more} more"));
        if is_sequence {
            let rest = rest.map(Shown::Plain);
            Shown::Sequence(
                entries
                    .into_iter()
                    .map(|(_, value)| value)
                    .chain(rest)
                    .collect(),
            )
        } else {
            let rest = rest.map(|rest| (Key::Other("…".into()), Shown::Plain(rest)));
            entries.extend(rest);
            Shown::Map(entries)
        }
    }
}

/// A value that is no table.
fn plain(slot: Slot<'_>) -> String {
    match (slot.bytes(), slot.number(), slot.boolean()) {
        (Some(bytes), ..) => {
            let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(BYTES)]);
            let rest = if bytes.len() > BYTES { "…" } else { "" };
            format!("{shown:?}{rest}")
        }
        (_, Some(number), _) => number.to_string(),
        (_, _, Some(boolean)) => boolean.to_string(),
        _ if slot.is_nil() => "nil".into(),
        _ => match slot.cdata_integer() {
            Ok(Some(integer)) => integer.to_string(),
            _ => format!("<{}>", slot.type_name()),
        },
    }
}

impl Key {
    fn of(slot: Slot<'_>) -> Key {
        match (slot.number(), slot.kind()) {
            (Some(number), _) => Key::Number(number),
            (_, Kind::String) => Key::String(plain(slot)),
            (_, Kind::Table) => Key::Other("<table>".into()),
            _ => Key::Other(plain(slot)),
        }
    }

    fn order(&self, other: &Key) -> Ordering {
        match (self, other) {
            (Key::Number(a), Key::Number(b)) => a.total_cmp(b),
            (Key::String(a), Key::String(b)) | (Key::Other(a), Key::Other(b)) => a.cmp(b),
            (Key::Number(_), _) | (Key::String(_), Key::Other(_)) => Ordering::Less,
            _ => Ordering::Greater,
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Number(number) => write!(f, "{number}"),
            Key::String(text) | Key::Other(text) => f.write_str(text),
        }
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shown::Plain(text) => f.write_str(text),
            Shown::Sequence(items) => f.debug_list().entries(items).finish(),
            Shown::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| (key, value));
                f.debug_map().entries(entries).finish()
            }
        }
    }
}

/// What a handle keeps; `None` while another thread uses the runtime, or if that is closed.
fn contents(handle: &Handle) -> Option<Shown> {
    let _guard = handle.runtime().try_lock()?;
    let mut walk = Walk {
        left: ENTRIES,
        path: Vec::new(),
    };
    handle
        .with(|stack, index| Ok(walk.show(Slot::new(stack, index))))
        .ok()
}

macro_rules! shown {
    ($($(#[$about:meta])* $name:ident;)*) => {$(
        $(#[$about])*
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let contents = f.alternate().then(|| contents(&self.0)).flatten();
                match contents {
                    Some(contents) => contents.fmt(f),
                    None => f.debug_tuple(stringify!($name)).field(&self.0).finish(),
                }
            }
        }
    )*};
}

shown! {
    /// `{:?}` tells handles apart. `{:#?}` shows what is in the table, and in the tables in it down to some depth and up to some hundred
    /// entries: no metamethod is asked, and while another thread uses the runtime it is as `{:?}`.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// let code = "local t = { 'a', { x = 1.5 }, print } t[4] = t return t";
    /// let table: lupa_core::Table = lua.load(code).eval()?;
    /// let text = r#"[
    ///     "a",
    ///     {
    ///         "x": 1.5,
    ///     },
    ///     <function>,
    ///     <the table itself>,
    /// ]"#;
    /// assert_eq!(format!("{table:#?}"), text);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    Table;

    /// `{:#?}` shows the text, as for a [`Table`].
    LuaString;
}
