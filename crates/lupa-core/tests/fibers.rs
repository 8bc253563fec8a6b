//! What a host that switches its native stack is told, and what ends it.

use lupa_core::{Error, Fiber, Result, Runtime};
use std::process::Command;

#[test]
fn operations_of_one_fiber_lie_inside_one_another() -> Result<()> {
    let lua = Runtime::new()?;
    let (one, two) = (Fiber::new(1), Fiber::new(2));
    let outer = one.enter(&lua)?;
    let inner = one.enter(&lua)?;
    drop(outer);
    assert!(matches!(two.enter(&lua), Err(Error::OtherFiber)));
    drop(inner);
    let other = two.enter(&lua)?;
    assert!(matches!(one.enter(&lua), Err(Error::OtherFiber)));
    // Another runtime is another matter.
    let _another = one.enter(&Runtime::new()?)?;
    drop(other);
    one.enter(&lua).map(drop)
}

/// Comes back to what Lua code has called, below an operation that another fiber has begun since and not ended.
#[test]
#[ignore = "run in a process of its own"]
fn child_comes_back_too_early() {
    let lua = Runtime::new().unwrap();
    let runtime = lua.clone();
    let function = lua
        .function(move || {
            Fiber::new(1).callback(|| std::mem::forget(Fiber::new(2).enter(&runtime)))
        })
        .unwrap();
    let _entered = Fiber::new(1).enter(&lua).unwrap();
    let _ = function.call::<()>(());
}

#[test]
fn who_comes_back_below_another_fiber_ends_the_process() {
    let child = [
        "--exact",
        "child_comes_back_too_early",
        "--ignored",
        "--nocapture",
    ];
    let output = Command::new(std::env::current_exe().unwrap())
        .args(child)
        .output()
        .unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && message.contains("fatal"),
        "{message}"
    );
}
