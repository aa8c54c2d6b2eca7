#![no_main]

#[path = "../laws.rs"]
#[allow(dead_code)] // each target tries one law
mod laws;

libfuzzer_sys::fuzz_target!(|data: &[u8]| laws::protocol(data));
