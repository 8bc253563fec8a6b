//! What a runtime keeps for async functions.

use super::awaiting::{State, argument};
use crate::call::Directly;
use crate::convert::IntoLuaMulti;
use crate::error::{Error, Result};
use crate::function::Function;
use crate::handle::Handle;
use crate::raw::Stack;
use crate::raw::function::AWAIT_CHUNK;
use crate::raw::slots::SlotKey;
use crate::runtime::Runtime;
use crate::table::Table;
use std::any::{Any, TypeId};
use std::sync::{Arc, OnceLock};

/// LuaJIT's functions for coroutines, which Lua code may replace, and what is made of them at first need.
struct Library {
    functions: SlotKey,
    maker: OnceLock<SlotKey>,
}

impl Library {
    fn of(stack: Stack<'_>) -> Result<Arc<Library>> {
        let types = stack.shared().kept().user_types.borrow();
        let library = types.get(&TypeId::of::<Library>()).cloned();
        library
            .and_then(|library| library.downcast().ok())
            .ok_or_else(|| Error::message("the runtime has no coroutines"))
    }
}

/// Keeps the functions of a new runtime, in which no Lua code has run.
pub(crate) fn keep(runtime: &Runtime) -> Result<()> {
    let globals = runtime.globals()?;
    let Some(coroutine) = globals.get::<Option<Table>>("coroutine")? else {
        return Ok(());
    };
    let functions = runtime.create_table()?;
    for name in ["yield", "isyieldable", "resume", "wrap"] {
        functions.set(name, coroutine.get::<Function>(name)?)?;
    }
    functions.set("type", globals.get::<Function>("type")?)?;
    functions.set("coroutine", coroutine)?;
    functions.0.with(|stack, index| {
        let library: Arc<dyn Any + Send + Sync> = Arc::new(Library {
            functions: stack.anchor(index)?,
            maker: OnceLock::new(),
        });
        let mut types = stack.shared().kept().user_types.borrow_mut();
        types.insert(TypeId::of::<Library>(), library);
        Ok(())
    })
}

/// Pushes the function that Lua code calls of the one on top of the stack, which begins an await. The latter stays.
pub(crate) fn push_async(stack: Stack<'_>) -> Result<()> {
    stack.reserve(8)?;
    let begin = stack.top();
    let library = Library::of(stack)?;
    let maker = match library.maker.get() {
        Some(maker) => *maker,
        None => {
            let maker = make(stack, library.functions)?;
            *library.maker.get_or_init(|| maker)
        }
    };
    let call = stack.begin_call(maker);
    stack.push_copy(begin);
    stack.call(call, 1)
}

/// Runs `await.lua`; gives the slot of its result. Leaves the stack as it was.
fn make(stack: Stack<'_>, functions: SlotKey) -> Result<SlotKey> {
    let runtime = Runtime::borrowed(stack.shared());
    let is_await = runtime.create_function(|call| {
        let is_new = argument(call).is_ok_and(|awaited| awaited.is_new());
        call.push(is_new)
    })?;
    let refuse = runtime.create_function(|call| {
        drop(argument(call)?.replace(State::Refused));
        Ok(())
    })?;
    let results = runtime.create_function(|call| argument(call)?.results(call))?;
    stack.push_slot(functions);
    let functions = Table(Handle::new(stack, stack.top())?);
    stack.pop_to(stack.top() - 1);
    runtime
        .load(include_str!("await.lua"))
        .name(AWAIT_CHUNK)
        .call_with(
            |to| (functions, is_await, refuse, results).push_all(to),
            Directly,
            |made| {
                let maker = made.get(0);
                maker.stack().anchor(maker.index())
            },
        )
}
