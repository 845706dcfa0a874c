//! `cargo fuzz run dns`

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| container_fuzz::dns(bytes));
