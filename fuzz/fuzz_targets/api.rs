#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lupa_fuzz_targets::api::run(data));
