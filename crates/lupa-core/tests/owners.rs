//! A runtime ends with the last `Runtime` and the last handle, whatever threads keep for their next handles.

use lupa_core::{Call, HostObject, Operation, Result, Runtime, Table, WeakRuntime};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;

/// Notes that its runtime has ended.
struct Ends(Arc<AtomicUsize>);

impl HostObject for Ends {
    const NAME: &'static str = "ends";
    const OPERATIONS: &'static [Operation] = &[];

    fn invoke(&self, _: Operation, _: &mut Call<'_>) -> Result<()> {
        Ok(())
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn runtime(ended: &Arc<AtomicUsize>) -> Result<Runtime> {
    let lua = Runtime::new()?;
    let globals = lua.globals()?;
    globals.set("ends", lua.create_object(Ends(ended.clone()))?)?;
    globals.set("inner", lua.create_table()?)?;
    Ok(lua)
}

/// Makes handles and drops them, so often that this thread is left the lock and keeps a reference.
fn use_handles(globals: &Table) {
    for _ in 0..2000 {
        drop(globals.get::<Table>("inner").unwrap());
    }
}

fn has_ended(weak: &WeakRuntime, ended: &AtomicUsize) -> bool {
    let gone = weak.upgrade().is_none();
    assert_eq!(gone, ended.load(Ordering::SeqCst) == 1);
    gone
}

// Breaks if a reference that a thread keeps counts as an owner.
#[test]
fn a_runtime_ends_on_the_thread_that_has_used_it() -> Result<()> {
    for handle_goes_last in [false, true] {
        let ended = Arc::new(AtomicUsize::new(0));
        let lua = runtime(&ended)?;
        let (weak, globals) = (lua.downgrade(), lua.globals()?);
        use_handles(&globals);
        if handle_goes_last {
            drop(lua);
            assert!(!has_ended(&weak, &ended));
            // Nothing is kept while there is no `Runtime`.
            use_handles(&globals);
            drop(globals);
        } else {
            drop(globals);
            let again = lua.clone();
            drop(lua);
            assert!(!has_ended(&weak, &ended));
            drop(again);
        }
        assert!(has_ended(&weak, &ended));
    }
    Ok(())
}

#[test]
fn a_name_for_a_runtime_that_only_handles_own_is_an_owner() -> Result<()> {
    let ended = Arc::new(AtomicUsize::new(0));
    let lua = runtime(&ended)?;
    let (weak, globals) = (lua.downgrade(), lua.globals()?);
    drop(lua);
    let again = weak.upgrade().expect("a handle owns it");
    use_handles(&globals);
    drop(globals);
    assert!(!has_ended(&weak, &ended));
    drop(again);
    assert!(has_ended(&weak, &ended));
    Ok(())
}

// Breaks if the last owner takes back only what its own thread keeps.
#[test]
fn a_runtime_ends_while_other_threads_keep_references() -> Result<()> {
    let ended = Arc::new(AtomicUsize::new(0));
    let lua = runtime(&ended)?;
    let weak = lua.downgrade();
    let (go, wait): (Vec<_>, Vec<_>) = (0..3).map(|_| mpsc::channel::<()>()).unzip();
    thread::scope(|s| {
        let (done, all) = mpsc::channel();
        for wait in wait {
            let (globals, done) = (lua.globals().unwrap(), done.clone());
            s.spawn(move || {
                use_handles(&globals);
                drop(globals);
                done.send(()).unwrap();
                // It keeps its reference meanwhile.
                wait.recv().unwrap_err();
            });
        }
        (0..3).for_each(|_| all.recv().unwrap());
        assert!(!has_ended(&weak, &ended));
        drop(lua);
        assert!(has_ended(&weak, &ended));
        drop(go);
    });
    Ok(())
}

#[test]
fn two_runtimes_in_turn() -> Result<()> {
    let ended = [Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0))];
    let (one, other) = (runtime(&ended[0])?, runtime(&ended[1])?);
    let weak = [one.downgrade(), other.downgrade()];
    let globals = [one.globals()?, other.globals()?];
    for _ in 0..2000 {
        globals
            .iter()
            .for_each(|globals| drop(globals.get::<Table>("inner").unwrap()));
    }
    drop(globals);
    drop(one);
    assert!(has_ended(&weak[0], &ended[0]) && !has_ended(&weak[1], &ended[1]));
    drop(other);
    assert!(has_ended(&weak[1], &ended[1]));
    Ok(())
}

// Breaks (a runtime that never ends, or one that is used after its end) if a thread that keeps a reference and who takes it back do
// not exclude each other.
#[test]
fn owners_go_while_threads_make_and_drop_handles() -> Result<()> {
    const THREADS: usize = 3;
    let rounds = if cfg!(debug_assertions) { 400 } else { 2000 };
    for round in 0..rounds {
        let ended = Arc::new(AtomicUsize::new(0));
        let lua = runtime(&ended)?;
        let weak = lua.downgrade();
        let start = Barrier::new(THREADS + 1);
        thread::scope(|s| {
            for number in 0..THREADS {
                let (start, globals) = (&start, lua.globals().unwrap());
                s.spawn(move || {
                    // One of them has the lock for itself for long enough.
                    if number == round % THREADS {
                        use_handles(&globals);
                    }
                    start.wait();
                    for _ in 0..round % 50 {
                        drop(globals.get::<Table>("inner").unwrap());
                    }
                });
            }
            start.wait();
            (0..round % 7).for_each(|_| thread::yield_now());
            drop(lua);
        });
        assert!(has_ended(&weak, &ended), "round {round}");
    }
    Ok(())
}
