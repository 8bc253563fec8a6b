//! The `jit.*` modules that belong to the LuaJIT inside.

use crate::error::{Error, Result};
use crate::host::Call;
use crate::raw::library::jit_module;
use crate::runtime::Runtime;
use crate::table::Table;

/// Adds a searcher for them, before the ones that look into the file system: another LuaJIT's
/// modules may lie there, which do not fit this one.
pub(crate) fn install(runtime: &Runtime) -> Result<()> {
    let package: Table = runtime.globals()?.get("package")?;
    let loaders: Table = package.get("loaders")?;
    for index in (2..=loaders.len()?).rev() {
        let loader: crate::Value = loaders.get(index)?;
        loaders.set(index + 1, loader)?;
    }
    loaders.set(2, runtime.create_function(search)?)
}

/// A searcher as `require` calls it: gives a loader, or a text that says what was looked for.
fn search(call: &mut Call<'_>) -> Result<()> {
    let Ok(name) = call.get::<&str>(0) else {
        return call.push("\n\tno built-in module of that name");
    };
    let Some(source) = jit_module(name) else {
        return call.push(format!("\n\tno built-in module '{name}'"));
    };
    let chunk_name = format!("={name}");
    let loader = call
        .runtime()
        .load(source)
        .name(&chunk_name)
        .into_function();
    match loader {
        Ok(function) => call.push(function),
        Err(Error::Memory) => Err(Error::Memory),
        Err(error) => Err(Error::message(format!(
            "error loading module '{name}': {error}"
        ))),
    }
}
