//! The seeds of the fuzz target `decide`, run as a test: the corpus to start fuzzing from, and whatever it finds one day.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a failing test is told by its panic"
)]

#[path = "common/fuzz_decide.rs"]
mod fuzz_decide;
#[path = "common/plain_scan.rs"]
mod plain_scan;

#[test]
fn every_seed_passes() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/fuzz-decide");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        fuzz_decide::check(&std::fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count >= 10);
}
