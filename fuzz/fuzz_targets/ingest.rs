//! Any bytes for the target `ingest` of `tests/common/fuzz_files.rs`.
#![no_main]

#[path = "../../tests/common/fuzz_files.rs"]
mod fuzz_files;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| fuzz_files::ingest(bytes));
