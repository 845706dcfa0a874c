//! `cargo fuzz run challenge`

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| container_fuzz::challenge(bytes));
