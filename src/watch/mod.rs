//! Follows live logs: usage grows as they do, what is news is told, and nothing is counted twice or lost.

mod content;
pub mod events;
mod list;
mod log;
mod notice;
pub mod run;
pub mod state;
pub mod tail;
mod wake;

pub use run::{WatchError, watch};
