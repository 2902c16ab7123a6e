//! Says that a test was skipped. It goes past the test runner, which keeps what passing tests print to itself.

use std::fmt::Display;
use std::io::Write as _;

pub fn skipped(why: impl Display) {
    let line = format!("skipped: {why}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}
