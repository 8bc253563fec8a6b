//! Runtimes for code that is not trusted.

use crate::convert::Bytes;
use crate::error::Result;
use crate::runtime::Runtime;
use crate::table::Table;

impl Runtime {
    /// A table that shows another one to Lua code, which cannot change it: neither by assignment nor,
    /// in a runtime made with [`Builder::sandbox`](crate::Builder::sandbox), by `rawset`. The other
    /// one can still be changed through the handle given here.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::builder().sandbox(true).build()?;
    /// let api = lua.create_table()?;
    /// api.set("version", 1)?;
    /// lua.globals()?.set("api", lua.read_only(&api)?)?;
    /// assert_eq!(lua.load("return api.version").eval::<i64>()?, 1);
    /// assert!(lua.load("api.version = 2").exec().is_err());
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`, `Error::Memory`.
    pub fn read_only(&self, table: &Table) -> Result<Table> {
        let refuse = self.create_function(|call| {
            let message = b"attempt to modify a protected table";
            let text = [call.location().as_slice(), message].concat();
            Err(call.raise(Bytes(&text)))
        })?;
        let metatable = self.create_table()?;
        metatable.set("__index", table)?;
        metatable.set("__newindex", refuse)?;
        // By this `rawset` knows it, too.
        metatable.set("__metatable", false)?;
        let view = self.create_table()?;
        view.set_metatable(Some(&metatable))?;
        Ok(view)
    }

    /// Takes away what could harm the host. `trim_os`: of `os`, only what tells the time is left.
    pub(crate) fn harden(&self, trim_os: bool) -> Result<()> {
        let read_only = self.create_function(|call| {
            let view = call.runtime().read_only(&call.get(0)?)?;
            call.push(view)
        })?;
        self.load(include_str!("sandbox.lua"))
            .name("=sandbox")
            .call::<()>((trim_os, read_only))?;
        self.shared().refuse_bytecode();
        Ok(())
    }
}
