//! Unit tests for policies: written in YAML, run offline, told as text, JSON or `JUnit` XML.

mod file;
mod output;
mod run;

pub use file::{Expect, FileError, TestFile, parse};
pub use output::{json, junit, text};
pub use run::{Outcome, Policies, Report, run};
