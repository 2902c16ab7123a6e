//! Any bytes for the target `policy_parse` of `tests/common/fuzz_files.rs`.
#![no_main]

#[path = "../../tests/common/fuzz_files.rs"]
mod fuzz_files;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| fuzz_files::policy_parse(bytes));
