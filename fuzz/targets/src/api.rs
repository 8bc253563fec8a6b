//! Sequences of API calls on a few runtimes and the values they give, with Lua code between.

use crate::grammar;
use crate::host::{self, Host, Object, User};
use arbitrary::{Arbitrary, Unstructured};
use lupa_core::{Bytes, ChunkMode, Error, Libs, Result, Runtime, Value};
use std::sync::Arc;

/// The most calls of one input, and the most runtimes.
const OPERATIONS: usize = 24;
const RUNTIMES: usize = 3;

/// How a runtime is made. There always is a memory limit: Lua code doubles strings.
#[derive(Arbitrary, Debug)]
struct Options {
    sandbox: bool,
    libs: u8,
    limit: u8,
    filter: bool,
}

/// An argument, a key or a value.
#[derive(Arbitrary, Debug)]
enum Plain {
    Nil,
    Boolean(bool),
    Small(i8),
    Number(f64),
    Text(Vec<u8>),
    Kept(u8),
    Object,
    User,
}

/// One call, or a few that belong together. A number chooses among the values that were kept before.
#[derive(Arbitrary, Debug)]
enum Operation {
    Make(Options),
    Code,
    Function,
    Call(u8, Vec<Plain>),
    Get(u8, Plain),
    Set(u8, Plain, Plain),
    RawGet(u8, Plain),
    RawSet(u8, Plain, Plain),
    Push(u8, Plain),
    Length(u8),
    Walk(u8, u8, Plain),
    Pairs(u8),
    Metatable(u8),
    SetMetatable(u8, Option<u8>),
    ToText(u8),
    Compare(u8, u8),
    Build(u8, Plain, Plain),
    Coroutine(u8),
    Resume(u8, Vec<Plain>),
    Throw(u8, Plain, bool),
    CloseCoroutine(u8),
    Status(u8),
    Dump(u8),
    Global(u8, Plain),
    ReadOnly(u8),
    Require(u8),
    Collect(u8),
    Limit(u8),
    Interrupt,
    Clone(u8),
    Forget(u8),
    DropElsewhere(bool),
    Close,
    CloseElsewhere,
    Drop,
}

/// What an input works on.
struct World {
    host: Arc<Host>,
    /// With the handles that each had at its start.
    runtimes: Vec<(Runtime, usize)>,
    current: usize,
}

/// Takes an input as a sequence of operations.
pub fn run(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let mut world = World {
        host: Arc::default(),
        runtimes: Vec::new(),
        current: 0,
    };
    world.host.allow_hooks(HOOKS);
    if let Ok(options) = u.arbitrary() {
        world.make(&options);
    }
    for _ in 0..OPERATIONS {
        if u.is_empty() || world.runtimes.is_empty() {
            break;
        }
        let Ok(selector) = u.arbitrary::<u8>() else {
            break;
        };
        world.current = usize::from(selector) % world.runtimes.len();
        let Ok(operation) = u.arbitrary() else { break };
        show(&format_args!("{}: {operation:?}", world.current));
        // An error is a result like another one.
        if let Err(error) = world.perform(operation, &mut u) {
            let _ = (error.to_string(), error.traceback().map(|t| t.len()));
            if let Error::Runtime(error) = error {
                world.host.keep(error.value.clone().unwrap_or(Value::Nil));
            }
        }
    }
    world.end();
}

/// Prints what an input does, for whoever has to find out why it fails.
fn show(what: &dyn std::fmt::Display) {
    if std::env::var_os("FUZZ_SHOW").is_some() {
        eprintln!("{what}");
    }
}

/// The rest of an input as Lua code.
fn code(u: &mut Unstructured<'_>) -> String {
    let code = grammar::chunk(u).unwrap_or_default();
    show(&code);
    code
}

/// How often hooks that Lua code sets may do something.
const HOOKS: u32 = 6;

impl World {
    fn make(&mut self, options: &Options) {
        let every = [
            Libs::ALL - Libs::FFI - Libs::IO - Libs::OS,
            Libs::SAFE | Libs::DEBUG,
            Libs::BASE | Libs::PACKAGE | Libs::JIT,
            Libs::BASE,
        ];
        let mut builder = Runtime::builder()
            .sandbox(options.sandbox)
            .memory_limit(usize::from(options.limit % 32 + 1) << 18);
        if !options.libs.is_multiple_of(8) || !options.sandbox {
            builder = builder.libs(every[usize::from(options.libs) % every.len()]);
        }
        if options.filter {
            builder = builder.attribute_filter(|_, name, _| match &*name {
                b"set" => Err(Error::message("not this one")),
                b"x" => Ok(b"field".as_slice().into()),
                _ => Ok(name),
            });
        }
        let Ok(lua) = builder.build() else { return };
        if host::install(&lua, &self.host).is_ok()
            && let Ok(handles) = lua.handles()
        {
            self.runtimes.push((lua, handles));
        }
    }

    fn lua(&self) -> &Runtime {
        &self.runtimes[self.current].0
    }

    fn value(&self, plain: Plain) -> Result<Value> {
        let lua = self.lua();
        Ok(match plain {
            Plain::Nil => Value::Nil,
            Plain::Boolean(b) => Value::Boolean(b),
            Plain::Small(n) => Value::Number(n.into()),
            Plain::Number(n) => Value::Number(n),
            Plain::Text(bytes) => Value::String(lua.create_string(bytes)?),
            Plain::Kept(index) => self.host.kept(index.into()),
            Plain::Object => Value::UserData(lua.create_object(Object::new(&self.host))?),
            Plain::User => Value::UserData(lua.create_userdata(User::new(&self.host, 1.5))?),
        })
    }

    fn values(&self, plain: Vec<Plain>) -> Result<Vec<Value>> {
        plain.into_iter().take(4).map(|p| self.value(p)).collect()
    }

    fn perform(&mut self, operation: Operation, u: &mut Unstructured<'_>) -> Result<()> {
        let host = Arc::clone(&self.host);
        let lua = self.lua().clone();
        let keep = |value: Value| {
            host.keep(value);
            Ok(())
        };
        let table = |index: u8| {
            let found = host.find(index.into(), |v| match v {
                Value::Table(table) => Some(table),
                _ => None,
            });
            found.map_or_else(|| lua.create_table(), Ok)
        };
        let function = |index: u8| {
            let found = host.find(index.into(), |v| match v {
                Value::Function(function) => Some(function),
                _ => None,
            });
            found.map_or_else(|| lua.load("return ...").into_function(), Ok)
        };
        let coroutine = |index: u8| {
            let found = host.find(index.into(), |v| match v {
                Value::Coroutine(coroutine) => Some(coroutine),
                _ => None,
            });
            found.map_or_else(|| function(index)?.coroutine(), Ok)
        };
        match operation {
            Operation::Make(options) => {
                if self.runtimes.len() < RUNTIMES {
                    self.make(&options);
                }
                Ok(())
            }
            Operation::Code => {
                let code = code(u);
                keep(lua.load(&code).mode(ChunkMode::Text).call(host.kept(0))?)
            }
            Operation::Function => {
                let code = code(u);
                keep(Value::Function(
                    lua.load(&code).name("@file").into_function()?,
                ))
            }
            Operation::Call(f, arguments) => keep(function(f)?.call(&*self.values(arguments)?)?),
            Operation::Get(t, key) => keep(table(t)?.get(self.value(key)?)?),
            Operation::Set(t, key, value) => table(t)?.set(self.value(key)?, self.value(value)?),
            Operation::RawGet(t, key) => keep(table(t)?.raw_get(self.value(key)?)?),
            Operation::RawSet(t, key, value) => {
                table(t)?.raw_set(self.value(key)?, self.value(value)?)
            }
            Operation::Push(t, value) => table(t)?.push(self.value(value)?),
            Operation::Length(t) => keep(Value::Number(table(t)?.len()? as f64)),
            Operation::Walk(t, stop, key) => {
                let table = table(t)?;
                let key = self.value(key)?;
                let mut steps = 0;
                table.for_each(|k: Value, v: Value| {
                    steps += 1;
                    if steps == stop % 4 {
                        table.raw_set(&key, &v)?;
                        lua.gc_collect()?;
                    }
                    if steps > 40 {
                        return Err(Error::message("enough"));
                    }
                    table.raw_set(k, Value::Nil)
                })
            }
            Operation::Pairs(t) => {
                let pairs = table(t)?.pairs::<Value, Value>()?;
                pairs
                    .into_iter()
                    .take(2)
                    .try_for_each(|(_, value)| keep(value))
            }
            Operation::Metatable(t) => {
                keep(table(t)?.metatable()?.map_or(Value::Nil, Value::Table))
            }
            Operation::SetMetatable(t, meta) => {
                let meta = meta.map(table).transpose()?;
                table(t)?.set_metatable(meta.as_ref())
            }
            Operation::ToText(v) => match host.kept(v.into()) {
                Value::Table(x) => x.to_lua_string().map(drop),
                Value::UserData(x) => x.to_lua_string().map(drop),
                Value::Function(x) => x.to_lua_string().map(drop),
                _ => Ok(()),
            },
            Operation::Compare(a, b) => {
                let (a, b) = (host.kept(a.into()), host.kept(b.into()));
                lupa_core::equal(&lua, &a, &b)?;
                lupa_core::less_than(&lua, &a, &b).map(drop)
            }
            Operation::Build(t, key, value) => {
                let (key, value) = (self.value(key)?, self.value(value)?);
                let table: lupa_core::Reference =
                    lua.convert(Value::Table(table(t)?), |slot| slot.to_reference())?;
                let built = lua.create_table_with(t.into(), 2, |to| {
                    to.set(&key, &value)?;
                    to.set_index(usize::from(t), &value)?;
                    to.extend(&table)?;
                    let slot = to.slot();
                    slot.is_sequence().map(drop)
                })?;
                keep(Value::Table(built))
            }
            Operation::Coroutine(f) => keep(Value::Coroutine(function(f)?.coroutine()?)),
            Operation::Resume(c, arguments) => {
                keep(coroutine(c)?.resume(&*self.values(arguments)?)?)
            }
            Operation::Throw(c, error, catchable) => {
                let error = self.value(error)?;
                keep(coroutine(c)?.throw_with(
                    |to| lupa_core::IntoLua::into_lua(error, to),
                    catchable,
                    lupa_core::Directly,
                    |results| results.get(0).to_value(),
                )?)
            }
            Operation::CloseCoroutine(c) => coroutine(c)?.close(),
            Operation::Status(c) => {
                let coroutine = coroutine(c)?;
                coroutine.status()?;
                keep(coroutine.function()?.map_or(Value::Nil, Value::Function))
            }
            Operation::Dump(f) => {
                let dump = function(f)?.dump()?;
                let refused = lua.load(&dump).mode(ChunkMode::Text).into_function();
                assert!(refused.is_err(), "bytecode was taken for text");
                Ok(())
            }
            Operation::Global(name, value) => {
                let name = [b'a' + name % 5];
                let globals = lua.globals()?;
                globals.set(Bytes(&name), self.value(value)?)
            }
            Operation::ReadOnly(t) => keep(Value::Table(lua.read_only(&table(t)?)?)),
            Operation::Require(name) => keep(lua.require(
                ["jit.util", "jit.bc", "string.buffer", "table.new", "none"][usize::from(name) % 5],
            )?),
            Operation::Collect(how) => match how % 7 {
                0 => lua.gc_step(how.into()).map(drop),
                1 => lua.gc_stop(),
                2 => lua.gc_restart(),
                3 => lua.gc_set_pause(u16::from(how) * 10).map(drop),
                4 => lua.gc_set_step_multiplier(u16::from(how) * 10).map(drop),
                5 => lua.gc_is_running().map(drop),
                _ => lua.gc_collect(),
            },
            Operation::Limit(limit) => lua.set_memory_limit(Some(usize::from(limit) << 14)),
            Operation::Interrupt => lua.interrupt(),
            Operation::Clone(v) => keep(host.kept(v.into())),
            Operation::Forget(v) => {
                host.forget(v.into());
                Ok(())
            }
            Operation::DropElsewhere(now) => {
                let values = host.take();
                let dropping = std::thread::spawn(move || drop(values));
                if now {
                    dropping.join().expect("dropping panics");
                    return Ok(());
                }
                // While Lua code runs.
                let code = code(u);
                let result = lua.load(&code).exec();
                dropping.join().expect("dropping panics");
                result
            }
            Operation::Close => lua.close(),
            Operation::CloseElsewhere => {
                let other = lua.clone();
                std::thread::spawn(move || other.close())
                    .join()
                    .expect("closing panics")
            }
            Operation::Drop => {
                self.runtimes.swap_remove(self.current);
                Ok(())
            }
        }
    }

    /// What must hold in the end, whatever was done.
    fn end(self) {
        drop(self.host.take());
        for (lua, handles) in &self.runtimes {
            if lua.is_closed() {
                assert!(
                    matches!(lua.globals(), Err(Error::Closed)),
                    "a closed runtime can be used"
                );
                continue;
            }
            lua.set_memory_limit(None)
                .expect("the limit can be taken away");
            self.host.allow_hooks(0);
            // Finalizers may be endless: the time limit ends one after the other.
            let mut collected = lua.gc_collect();
            for _ in 0..FINALIZERS {
                if matches!(collected, Err(Error::Timeout(_))) {
                    collected = lua.gc_collect();
                }
            }
            collected.expect("garbage can be collected");
            lua.set_time_limit(None)
                .expect("the time limit can be taken away");
            let sum = lua.load("return 1 + 1").eval::<i32>();
            assert!(matches!(sum, Ok(2)), "the runtime does not work: {sum:?}");
            // The finalizers of what is still in use run when the runtime ends.
            lua.set_time_limit(Some(host::TIME))
                .expect("there can be a time limit");
            // Finalizers may have kept something again.
            drop(self.host.take());
            // A user type's methods are kept once they are used.
            let left = lua.handles().expect("handles can be counted");
            assert!(
                left <= handles + METHODS,
                "{left} handles are left, of {handles} at the start"
            );
        }
        let Self { host, runtimes, .. } = self;
        drop(runtimes);
        // What finalizers kept when the runtimes ended.
        drop(host.take());
        assert_eq!(host.live(), 0, "host objects were not dropped");
        assert_eq!(
            Arc::strong_count(&host),
            1,
            "a host function was not dropped"
        );
    }
}

/// As many finalizers as an input has room for.
const FINALIZERS: usize = 20;

/// The methods of the user type.
const METHODS: usize = 2;
