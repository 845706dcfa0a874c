//! `cargo fuzz run documents`

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| container_fuzz::documents(bytes));
