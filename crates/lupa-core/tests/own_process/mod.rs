//! Tests of what only a process of its own can try.

use std::process::Command;

/// Runs an ignored test of the same file in a process of its own.
pub(crate) fn in_own_process(test: &str) {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program)
        .args(["--exact", "--ignored", test])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
}
