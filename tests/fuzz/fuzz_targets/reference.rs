//! `cargo fuzz run reference`

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| container_fuzz::reference(bytes));
