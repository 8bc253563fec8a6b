//! Lines of Lua code that an error tells of.

use super::Error;
use std::fmt;

/// A line of Lua code, as messages name it: `rules.lua:7`.
///
/// ```
/// use lupa_core::Runtime;
///
/// let lua = Runtime::new()?;
/// let code = "local total = 1\ntotal = total + tax";
/// let at = lua.load(code).name("@rules.lua").exec().unwrap_err().locations().remove(0);
/// assert_eq!((at.chunk.as_str(), at.line), ("rules.lua", 2));
/// assert_eq!(at.to_string(), "rules.lua:2");
/// // A name that says nothing of a file.
/// let at = lua.load(code).name("rules").exec().unwrap_err().locations().remove(0);
/// assert_eq!(at.to_string(), r#"[string "rules"]:2"#);
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Location {
    /// The chunk's name as messages have it: without the `@` or `=` of [`Chunk::name`](crate::Chunk::name), and no longer than some
    /// 60 bytes; `[string "…"]` for a name with neither.
    pub chunk: String,
    /// The line, from 1.
    pub line: u32,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.chunk, self.line)
    }
}

impl Location {
    /// The location before the first of these separators that has one before it.
    fn before(separator: &str, text: &str) -> Option<Location> {
        text.match_indices(separator).find_map(|(end, _)| {
            let (chunk, line) = text[..end].rsplit_once(':')?;
            Some(Location {
                chunk: chunk.trim_start().to_owned(),
                line: line.parse().ok()?,
            })
        })
    }
}

impl Error {
    /// The lines of Lua code that the error tells of, innermost first: the one that does not compile, and those of the
    /// [`traceback`](Error::traceback). None for an error that has met no Lua code, and for [`Error::Memory`].
    ///
    /// ```
    /// use lupa_core::{Error, Runtime, function};
    ///
    /// let lua = Runtime::new()?;
    /// lua.globals()?.set("percent", function(|n: f64| match n {
    ///     0.0..=100.0 => Ok(n / 100.0),
    ///     _ => Err(Error::message("that is no percentage")),
    /// }))?;
    /// lua.load("function share(n)\n  return 100 * percent(n)\nend").name("@helpers.lua").exec()?;
    /// let error = lua.load("\n\nx = share(120)").name("@rule.lua").exec().unwrap_err();
    /// let lines: Vec<String> = error.locations().iter().map(|line| line.to_string()).collect();
    /// assert_eq!(lines, ["helpers.lua:2", "rule.lua:3"]);
    /// // What the author of a rule wants to know.
    /// let at = error.locations().into_iter().find(|at| at.chunk == "rule.lua").unwrap();
    /// assert_eq!(format!("line {}: {}", at.line, error.text()), "line 3: that is no percentage");
    ///
    /// let error = lua.load("x = 1\ny = = 2").name("@rule.lua").exec().unwrap_err();
    /// assert_eq!(error.locations()[0].line, 2);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn locations(&self) -> Vec<Location> {
        let syntax = match self.root() {
            Error::Syntax(error) => Location::before(": ", &error.message.to_str_lossy()),
            _ => None,
        };
        let traceback = self.traceback().unwrap_or_default();
        let levels = traceback.lines().skip(1);
        syntax
            .into_iter()
            .chain(levels.filter_map(|level| Location::before(": in ", level)))
            .collect()
    }
}
