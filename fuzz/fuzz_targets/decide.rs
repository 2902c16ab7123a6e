//! Any bytes as cases for `decide`; and any lines as stanzas and paths: no crash, and the compiled list decides as the plain
//! scan does.

#![no_main]

#[path = "../../tests/common/fuzz_decide.rs"]
mod fuzz_decide;
#[path = "../../tests/common/plain_scan.rs"]
mod plain_scan;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| fuzz_decide::check(bytes));
