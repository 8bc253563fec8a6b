//! What is fuzzed, as plain functions of an input's bytes. libFuzzer calls them (`fuzz/fuzz_targets`), and so does a test
//! that replays the corpus (`tests/corpus.rs`). What goes wrong is a panic, a crash or a sanitizer's report.

pub mod api;
pub mod chunk;
pub mod convert;
mod grammar;
mod host;
mod tree;
