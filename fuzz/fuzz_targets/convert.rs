#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lupa_fuzz_targets::convert::run(data));
