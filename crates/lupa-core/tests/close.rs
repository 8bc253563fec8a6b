//! The end of a runtime.

use lupa_core::{
    Call, Error, HostObject, Operation, Result, Runtime, Table, UserData, WeakRuntime,
};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

/// Counts drops.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

impl HostObject for Counted {
    const NAME: &'static str = "counted";
    const OPERATIONS: &'static [Operation] = &[Operation::ToString, Operation::Call];
    fn invoke(&self, _: Operation, call: &mut Call<'_>) -> Result<()> {
        call.push("counted")
    }
}

#[test]
fn handles_stay_and_say_that_it_is_closed() -> Result<()> {
    let lua = Runtime::new()?;
    let table = lua.create_table()?;
    let function = lua.create_function(|_| Ok(()))?;
    let coroutine = function.coroutine()?;
    lua.close()?;
    assert!(lua.is_closed());
    lua.close()?;
    assert!(matches!(table.get::<i32>(1), Err(Error::Closed)));
    assert!(matches!(table.set(1, 1), Err(Error::Closed)));
    assert!(matches!(function.call::<()>(()), Err(Error::Closed)));
    assert!(matches!(coroutine.resume::<()>(()), Err(Error::Closed)));
    assert!(matches!(coroutine.status(), Err(Error::Closed)));
    assert!(matches!(lua.create_table(), Err(Error::Closed)));
    assert!(matches!(lua.load("return 1").exec(), Err(Error::Closed)));
    assert!(matches!(lua.gc_collect(), Err(Error::Closed)));
    assert!(matches!(lua.memory_used(), Err(Error::Closed)));
    assert!(matches!(lua.set_memory_limit(Some(1)), Err(Error::Closed)));
    assert!(lua.try_lock().is_some());
    // Breaks (panics) if a clone needs the value.
    let clone = table.clone();
    drop(table);
    assert!(matches!(clone.len(), Err(Error::Closed)));
    Ok(())
}

#[test]
fn not_while_lua_runs() -> Result<()> {
    let lua = Runtime::new()?;
    // Breaks (the state is freed below its own feet) if `close` takes a re-entered lock.
    let close = lua.create_function(|call| {
        assert!(matches!(call.runtime().close(), Err(Error::Busy)));
        call.push("still here")
    })?;
    assert_eq!(close.call::<String>(())?, "still here");
    let text: String = lua.load("return coroutine.wrap(...)()").call(&close)?;
    assert_eq!(text, "still here");
    let guard = lua.lock()?;
    assert!(matches!(lua.close(), Err(Error::Busy)));
    drop(guard);
    lua.close()
}

#[test]
fn every_object_is_dropped_once() -> Result<()> {
    let drops = Arc::new(AtomicUsize::new(0));
    let count = |explicit: bool| -> Result<()> {
        let lua = Runtime::new()?;
        let kept: Vec<UserData> = (0..10)
            .map(|_| lua.create_object(Counted(drops.clone())))
            .collect::<Result<_>>()?;
        lua.globals()?.set("kept", &kept[0])?;
        let counted = Counted(drops.clone());
        let f = lua.create_function(move |_| {
            let _ = &counted;
            Ok(())
        })?;
        lua.globals()?.set("f", f)?;
        for _ in 0..10 {
            drop(lua.create_object(Counted(drops.clone()))?);
        }
        lua.gc_collect()?;
        assert_eq!(drops.swap(0, SeqCst), 10);
        if explicit {
            lua.close()?;
            assert_eq!(drops.load(SeqCst), 11);
        }
        drop((kept, lua));
        assert_eq!(drops.swap(0, SeqCst), 11);
        Ok(())
    };
    count(true)?;
    count(false)
}

#[test]
fn finalizers_run_and_may_call_the_host() -> Result<()> {
    let log = Arc::new(Mutex::new(Vec::new()));
    for explicit in [true, false] {
        let lua = Runtime::new()?;
        let note = Arc::clone(&log);
        let host = lua.create_function(move |call| {
            note.lock().unwrap().push(call.get::<String>(0)?);
            Ok(())
        })?;
        lua.globals()?.set("host", host)?;
        lua.globals()?
            .set("object", lua.create_object(Counted(Arc::default()))?)?;
        lua.load(
            "local host, object = host, object
             p = newproxy(true)
             getmetatable(p).__gc = function()
                 ok, message = pcall(host, 'late')
                 pcall(tostring, object)
                 for i = 1, 1000 do local t = {i} end
                 error('in a finalizer')
             end
             local q = newproxy(true)
             getmetatable(q).__gc = function() host('early') end
             q = nil
             collectgarbage()",
        )
        .exec()?;
        assert_eq!(*log.lock().unwrap(), ["early"]);
        log.lock().unwrap().clear();
        if explicit {
            lua.close()?;
        }
        drop(lua);
        // Host code is not run any more, but nothing breaks.
        assert!(log.lock().unwrap().is_empty());
    }
    Ok(())
}

/// Uses the runtime when it is dropped.
struct Meddler {
    table: Table,
    lua: Runtime,
}

impl Drop for Meddler {
    fn drop(&mut self) {
        let _ = self.table.set("x", 1);
        let _ = self.lua.load("return {}").eval::<Table>();
        let _ = self.lua.create_table();
        let _ = self.lua.set_memory_limit(Some(1));
        let _ = self.lua.close();
        let _ = self.lua.gc_collect();
    }
}

impl HostObject for Meddler {
    const NAME: &'static str = "meddler";
    const OPERATIONS: &'static [Operation] = &[];
    fn invoke(&self, _: Operation, _: &mut Call<'_>) -> Result<()> {
        Ok(())
    }
}

#[test]
fn drops_may_use_the_runtime() -> Result<()> {
    let lua = Runtime::new()?;
    let meddler = || {
        Ok::<_, Error>(Meddler {
            table: lua.create_table()?,
            lua: lua.clone(),
        })
    };
    drop(lua.create_object(meddler()?)?);
    lua.gc_collect().ok();
    lua.set_memory_limit(None)?;
    lua.globals()?.set("kept", lua.create_object(meddler()?)?)?;
    lua.close()?;
    assert!(lua.is_closed());
    Ok(())
}

#[test]
fn an_extension_lives_as_long_as_the_runtime() -> Result<()> {
    let drops = Arc::new(AtomicUsize::new(0));
    let lua = Runtime::new()?;
    assert!(lua.set_extension(Arc::new(Counted(drops.clone()))).is_ok());
    assert!(lua.extension::<Counted>().is_some() && lua.extension::<u8>().is_none());
    assert!(lua.set_extension(Arc::new(1_u8)).is_err());
    let table = lua.create_table()?;
    drop(lua);
    assert_eq!(drops.load(SeqCst), 0);
    drop(table);
    assert_eq!(drops.load(SeqCst), 1);
    Ok(())
}

#[test]
fn a_weak_name_keeps_nothing_alive() -> Result<()> {
    let drops = Arc::new(AtomicUsize::new(0));
    let lua = Runtime::new()?;
    lua.globals()?
        .set("counted", lua.create_object(Counted(drops.clone()))?)?;
    let weak = lua.downgrade();
    assert!(weak.upgrade().is_some_and(|same| same.is_same(&lua)));
    assert!(weak.is_same(&lua.downgrade()) && !weak.is_same(&Runtime::new()?.downgrade()));

    // In what the runtime owns: a closure, application data.
    let inside = weak.clone();
    let name = lua.function(move || inside.upgrade().is_some())?;
    lua.globals()?.set("name", name)?;
    lua.set_app_data(weak.clone())?;
    assert!(lua.load("return name()").eval::<bool>()?);

    // A handle keeps the runtime, whose name is gone.
    let table = lua.create_table()?;
    drop(lua);
    let again = weak.upgrade().unwrap();
    drop(table);
    assert!(again.load("return name()").eval::<bool>()?);
    assert_eq!(drops.load(SeqCst), 0);
    drop(again);
    // Breaks if a weak name counts as an owner.
    assert_eq!(drops.load(SeqCst), 1);
    assert!(weak.upgrade().is_none());
    Ok(())
}

#[test]
fn a_weak_name_of_a_runtime_that_was_closed() -> Result<()> {
    let lua = Runtime::new()?;
    let weak = lua.downgrade();
    lua.close()?;
    assert!(weak.upgrade().is_some_and(|lua| lua.is_closed()));
    drop(lua);
    assert!(weak.upgrade().is_none());
    Ok(())
}

#[test]
fn a_finalizer_finds_no_runtime_that_is_at_its_end() -> Result<()> {
    struct Late(WeakRuntime, Arc<Mutex<Vec<bool>>>);
    impl Drop for Late {
        fn drop(&mut self) {
            self.1.lock().unwrap().push(self.0.upgrade().is_some());
        }
    }
    impl HostObject for Late {
        const NAME: &'static str = "late";
        const OPERATIONS: &'static [Operation] = &[];
        fn invoke(&self, _: Operation, _: &mut Call<'_>) -> Result<()> {
            Ok(())
        }
    }
    let seen = Arc::new(Mutex::new(Vec::new()));
    let lua = Runtime::new()?;
    let late = || lua.create_object(Late(lua.downgrade(), seen.clone()));
    drop(late()?);
    lua.gc_collect()?;
    lua.globals()?.set("late", late()?)?;
    drop(lua);
    // Breaks if a dying runtime can be brought back.
    assert_eq!(*seen.lock().unwrap(), [true, false]);
    Ok(())
}

#[test]
fn threads_that_upgrade_while_the_last_owner_goes() -> Result<()> {
    for _ in 0..200 {
        let lua = Runtime::new()?;
        let weak = lua.downgrade();
        std::thread::scope(|threads| {
            threads.spawn(|| match weak.upgrade() {
                Some(lua) => assert_eq!(lua.load("return 1").eval::<i64>().unwrap(), 1),
                None => assert!(weak.upgrade().is_none()),
            });
            drop(lua);
        });
        assert!(weak.upgrade().is_none());
    }
    Ok(())
}
