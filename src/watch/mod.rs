//! Follows live logs: usage grows as they do, what is news is told, and nothing is counted twice or lost.

mod board;
mod content;
pub mod desk;
pub mod events;
pub mod hook;
mod list;
mod log;
mod notice;
pub mod page;
pub mod post;
pub mod rollout;
pub mod run;
pub mod serve;
pub mod state;
pub mod status;
pub mod suspects;
pub mod tail;
mod waiting;
mod wake;

pub use run::{WatchError, watch};
