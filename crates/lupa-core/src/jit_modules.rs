//! The `jit.*` modules that belong to the LuaJIT inside.

use crate::error::{Error, Result};
use crate::host::{Call, HostFunction};
use crate::pusher::Pusher;
use crate::raw::library::jit_module;
use crate::runtime::Runtime;
use crate::slot::Slot;
use std::ffi::c_int;

/// Adds a searcher for them, before the ones that look into the file system: another LuaJIT's
/// modules may lie there, which do not fit this one. On the stack alone: a handle would cost each runtime room.
pub(crate) fn install(runtime: &Runtime) -> Result<()> {
    runtime.shared().enter_at(|stack, top| {
        stack.push_globals();
        let mut table = stack.table(top + 1);
        for (name, index) in ["package", "loaders"].into_iter().zip(top + 2..) {
            let Some(outer) = table else { break };
            stack.push_bytes(name.as_bytes())?;
            outer.raw_get();
            table = stack.table(index);
        }
        let Some(loaders) = table else {
            return Err(Slot::new(stack, stack.top()).mismatch("table"));
        };
        for index in (2..=loaders.raw_len() as c_int).rev() {
            loaders.raw_get_index(index);
            loaders.raw_set_index(index + 1);
        }
        Pusher::new(stack).function(HostFunction(search))?;
        loaders.raw_set_index(2);
        stack.check_memory()
    })
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
