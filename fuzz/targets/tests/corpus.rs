//! Replays the inputs that fuzzing has found, those of former failures among them.

use std::fs;
use std::path::Path;

fn replay(target: &str, run: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../corpus")
        .join(target);
    let mut inputs: Vec<_> = fs::read_dir(&corpus)
        .expect("there is a corpus")
        .map(|entry| entry.expect("it can be listed").path())
        .collect();
    inputs.sort();
    assert!(
        inputs.len() > 40,
        "{} has lost its inputs",
        corpus.display()
    );
    for input in inputs {
        let data = fs::read(&input).expect("an input can be read");
        let outcome = std::panic::catch_unwind(|| run(&data));
        assert!(outcome.is_ok(), "failed: {}", input.display());
    }
}

#[test]
fn api() {
    replay("api", lupa_fuzz_targets::api::run);
}

#[test]
fn chunk() {
    replay("chunk", lupa_fuzz_targets::chunk::run);
}

#[test]
fn convert() {
    replay("convert", lupa_fuzz_targets::convert::run);
}
