//! What the host gives to the Lua code of the `api` target: the functions of the table `host`, objects, and a user type.

use lupa_core::{
    Bytes, Call, Coroutine, Cursor, Error, Function, HostObject, Members, Operation, Reference,
    Result, Runtime, UserType, Value,
};
use std::sync::atomic::{AtomicIsize, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What host functions share.
#[derive(Default)]
pub(crate) struct Host {
    /// Values that host functions keep, so that handles outlive calls.
    kept: Mutex<Vec<Value>>,
    /// Host objects that have been made and not dropped.
    live: AtomicIsize,
    /// How often hooks of the debug library may still do something: one that always raises would leave nothing usable.
    hooks: AtomicU32,
}

/// The most values that are kept.
const KEPT: usize = 12;

impl Host {
    pub(crate) fn live(&self) -> isize {
        self.live.load(SeqCst)
    }

    pub(crate) fn keep(&self, value: Value) {
        let mut kept = self.kept.lock().expect("no panics");
        let old = if kept.len() >= KEPT {
            Some(kept.remove(0))
        } else {
            None
        };
        kept.push(value);
        drop(kept);
        // Without the lock: it may run a finalizer that keeps something.
        drop(old);
    }

    pub(crate) fn kept(&self, index: usize) -> Value {
        let kept = self.kept.lock().expect("no panics");
        match kept.len() {
            0 => Value::Nil,
            length => kept[index % length].clone(),
        }
    }

    pub(crate) fn forget(&self, index: usize) {
        let mut kept = self.kept.lock().expect("no panics");
        let value = match kept.len() {
            0 => Value::Nil,
            length => kept.swap_remove(index % length),
        };
        drop(kept);
        drop(value);
    }

    /// Everything that is kept.
    pub(crate) fn take(&self) -> Vec<Value> {
        std::mem::take(&mut *self.kept.lock().expect("no panics"))
    }

    pub(crate) fn allow_hooks(&self, times: u32) {
        self.hooks.store(times, SeqCst);
    }

    /// The first kept value of a kind that `pick` accepts.
    pub(crate) fn find<T>(&self, index: usize, pick: impl Fn(Value) -> Option<T>) -> Option<T> {
        let kept = self.kept.lock().expect("no panics").clone();
        let length = kept.len().max(1);
        kept.iter()
            .cycle()
            .skip(index % length)
            .take(kept.len())
            .cloned()
            .find_map(pick)
    }
}

/// Counts itself as long as it lives.
struct Counted(Arc<Host>);

impl Counted {
    fn new(host: &Arc<Host>) -> Self {
        host.live.fetch_add(1, SeqCst);
        Counted(Arc::clone(host))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.live.fetch_sub(1, SeqCst);
    }
}

/// A host object that keeps a value, and calls it for what it is asked to do.
pub(crate) struct Object {
    host: Arc<Host>,
    _counted: Counted,
}

impl Object {
    pub(crate) fn new(host: &Arc<Host>) -> Self {
        Object {
            host: Arc::clone(host),
            _counted: Counted::new(host),
        }
    }
}

impl HostObject for Object {
    const NAME: &'static str = "object";
    const OPERATIONS: &'static [Operation] = Operation::ALL;

    fn invoke(&self, operation: Operation, call: &mut Call<'_>) -> Result<()> {
        match operation {
            Operation::ToString => call.push("an object"),
            Operation::Index | Operation::Len => {
                let value = self.host.kept(call.len());
                call.push(value)
            }
            Operation::NewIndex => {
                self.host.keep(call.get(2)?);
                Ok(())
            }
            Operation::Eq | Operation::Lt | Operation::Le => call.push(true),
            Operation::Call => match call.get::<Function>(0) {
                Ok(function) => {
                    let result: Value = function.call(call.arg(1))?;
                    call.push(result)
                }
                Err(error) => Err(error),
            },
            _ => Err(Error::message(operation.metamethod())),
        }
    }
}

/// A value with methods.
pub(crate) struct User {
    host: Arc<Host>,
    field: f64,
    _counted: Counted,
}

impl User {
    pub(crate) fn new(host: &Arc<Host>, field: f64) -> Self {
        User {
            host: Arc::clone(host),
            field,
            _counted: Counted::new(host),
        }
    }
}

impl UserType for User {
    const NAME: &'static str = "User";

    fn members(members: &mut Members<Self>) {
        members
            .field("field", |user| user.field, |user, field| user.field = field)
            .read_only("x", |user| user.host.kept(0))
            .method("run", |_, call| {
                let function: Function = call.get(1)?;
                let result: Value = function.call((call.arg(0), call.arg(2)))?;
                call.push(result)
            })
            .method_mut("set", |user, call| {
                let function: Option<Function> = call.get(1).ok();
                user.field += 1.0;
                if let Some(function) = function {
                    function.call::<()>(call.arg(0))?;
                }
                Ok(())
            })
            .operator(Operation::Concat, |_, call| call.push("both"))
            .operator(Operation::Add, |user, call| call.push(user.field));
    }
}

type Action = fn(&Arc<Host>, &mut Call<'_>) -> Result<()>;

/// The functions of the table `host`.
const FUNCTIONS: &[(&str, Action)] = &[
    ("call", |_, call| {
        let function: Function = call.get(0)?;
        let results: Vec<Value> = function.call_with(
            |to| to.push(call.arg(1)),
            lupa_core::Directly,
            |results| {
                (0..results.len().min(8))
                    .map(|i| results.get(i).to_value())
                    .collect()
            },
        )?;
        results.into_iter().try_for_each(|value| call.push(value))
    }),
    ("raise", |_, call| {
        let value = call.arg(0);
        Err(call.raise(value))
    }),
    ("end_all", |_, call| {
        let value = call.arg(0);
        Err(call.raise_uncatchable(value))
    }),
    ("fail", |_, call| {
        Err(Error::message(format!("failed: {:?}", call.arg(0))))
    }),
    ("keep", |host, call| {
        host.keep(call.get(0)?);
        Ok(())
    }),
    ("kept", |host, call| {
        let value = host.kept(call.get(0)?);
        call.push(value)
    }),
    ("forget", |host, call| {
        host.forget(call.get(0)?);
        Ok(())
    }),
    ("object", |host, call| {
        // The same object for the same number, a new one for other values.
        let host = Arc::clone(host);
        match call.get::<u8>(0) {
            Ok(n) => call.push_with(|to| {
                to.identified_object(n.into(), |_: &Object| n % 2 == 0, || Object::new(&host))
            }),
            Err(_) => call.push_with(|to| to.object(Object::new(&host))),
        }
    }),
    ("user", |host, call| {
        let user = call
            .runtime()
            .create_userdata(User::new(host, call.get(0)?))?;
        call.push(user)
    }),
    ("eval", |_, call| {
        let code: &[u8] = call.get(0)?;
        let chunk = call.runtime_ref();
        let value: Value = chunk
            .load(code)
            .mode(lupa_core::ChunkMode::Text)
            .call(call.arg(0))?;
        call.push(value)
    }),
    ("collect", |_, call| call.runtime().gc_collect()),
    ("close", |_, call| call.runtime().close()),
    ("limit", |_, call| {
        let more = call.get::<usize>(0)? << 8;
        let used = call.runtime().memory_used()?;
        call.runtime().set_memory_limit(Some(used + more))
    }),
    ("interrupt", |_, call| call.runtime().interrupt()),
    ("resume", |_, call| {
        let values: (Value, Value) = call.get::<Coroutine>(0)?.resume(call.arg(1))?;
        call.push(values.0)?;
        call.push(values.1)
    }),
    ("throw", |_, call| {
        let value: Value = call.get::<Coroutine>(0)?.throw(call.arg(1))?;
        call.push(value)
    }),
    ("end_coroutine", |_, call| call.get::<Coroutine>(0)?.close()),
    ("entries", |_, call| {
        let mut count = 0;
        call.arg(0).entries(|key, value| {
            count += usize::from(!key.is_nil() && !value.is_nil());
            Ok(())
        })?;
        call.push(count)
    }),
    ("text", |_, call| {
        let text = call.get::<Reference>(0)?.to_lua_string()?;
        call.push(Bytes(&text))
    }),
    // An iterator for `for`: the entry of a table at a position.
    ("pairs", |_, call| {
        let table: Reference = call.get(0)?;
        let mut cursor = Cursor::start();
        let mut entry = None;
        for _ in 0..=call.get::<u8>(1)? {
            entry = cursor.advance(&table, |key, value| {
                Ok((key.to_value()?, value.to_value()?))
            })?;
        }
        match entry {
            Some((key, value)) => {
                call.push(key)?;
                call.push(value)
            }
            None => Ok(()),
        }
    }),
];

/// How long Lua code may run in a call.
pub(crate) const TIME: Duration = Duration::from_millis(100);

/// What the grammar's variables hold at first, so that something works at all.
const VARIABLES: &str = "
    a = {1, 2, 3, x = {}}
    b = function(...) return ... end
    c = coroutine.create(function(...) while true do pcall(coroutine.yield, ...) end end)
    d = host.object('new')
    e = host.user(1)";

/// Gives a runtime its `host`.
pub(crate) fn install(lua: &Runtime, host: &Arc<Host>) -> Result<()> {
    lua.set_time_limit(Some(TIME))?;
    let table = lua.create_table()?;
    for (name, action) in FUNCTIONS {
        let (host, counted) = (Arc::clone(host), Counted::new(host));
        let function = lua.create_function(move |call| {
            let _ = &counted;
            action(&host, call)
        })?;
        table.set(*name, function)?;
    }
    lua.globals()?.set("host", table)?;
    let hooks = Arc::clone(host);
    let budget = lua.create_function(move |call| {
        let left = hooks
            .hooks
            .fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1));
        call.push(left.is_ok())
    })?;
    lua.globals()?.set("hook_budget", budget)?;
    lua.load(VARIABLES).exec()
}
