//! Lua's `print`, sent to the host.

use crate::builder::Builder;
use crate::error::{Error, Result};
use crate::host::Call;
use crate::runtime::Runtime;
use std::io::Write;
use std::sync::Mutex;

impl Builder {
    /// Where `print` goes; see [`Runtime::set_print`].
    pub fn print(self, print: impl Fn(&[u8]) -> Result<()> + Send + 'static) -> Self {
        self.setup(|runtime| runtime.set_print(print))
    }
}

/// Output of Lua code.
impl Runtime {
    /// Replaces the global `print` by one that gives each line, without the end of line, to a closure.
    ///
    /// As Lua's own it puts tabs between its arguments and honours `__tostring`; Lua code that replaces the global
    /// `tostring` changes nothing. The closure runs on the thread that runs the Lua code, with the runtime locked, and
    /// an error of it is raised in Lua. A closure that holds a handle or a [`Runtime`] keeps the runtime from
    /// being freed. `io.write` is not affected.
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    ///
    /// let lines = Arc::new(Mutex::new(Vec::new()));
    /// let seen = lines.clone();
    /// let lua = lupa_core::Runtime::new()?;
    /// lua.set_print(move |line| {
    ///     seen.lock().unwrap().push(String::from_utf8_lossy(line).into_owned());
    ///     Ok(())
    /// })?;
    /// lua.load("print('a', 1, nil); print()").exec()?;
    /// assert_eq!(*lines.lock().unwrap(), ["a\t1\tnil", ""]);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`, `Error::Memory`.
    pub fn set_print(&self, print: impl Fn(&[u8]) -> Result<()> + Send + 'static) -> Result<()> {
        let print = self.create_function(move |call| print(&line(call)?))?;
        self.globals()?.raw_set("print", print)
    }

    /// As [`Runtime::set_print`], into a writer: each line with its end of line is written at once. It is not
    /// flushed.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// lua.set_print_to(std::io::stderr())?;
    /// lua.load("print('to the standard error output')").exec()?;
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Runtime::set_print`]. What the writer reports is raised in Lua.
    pub fn set_print_to(&self, writer: impl Write + Send + 'static) -> Result<()> {
        let writer = Mutex::new(writer);
        self.set_print(move |line| {
            // Only one thread at a time runs Lua code, so it can only be the writer itself that waits.
            let Ok(mut writer) = writer.try_lock() else {
                return Err(Error::message("print was called by what it prints to"));
            };
            let whole = [line, b"\n"].concat();
            writer.write_all(&whole).map_err(Error::external)
        })
    }
}

/// What `print` makes of its arguments. It is made before any of it is used, since `__tostring` may print, too.
fn line(call: &Call<'_>) -> Result<Vec<u8>> {
    let mut line = Vec::new();
    for index in 0..call.len() {
        if index > 0 {
            line.push(b'\t');
        }
        let slot = call.arg(index);
        let stack = slot.stack();
        let top = stack.top();
        stack.push_tostring(slot.index())?;
        line.extend_from_slice(stack.bytes(stack.top()).unwrap_or_default());
        stack.pop_to(top);
    }
    Ok(line)
}
