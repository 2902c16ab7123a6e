//! Follows live logs: usage grows as they do, what is news is told, and nothing is counted twice or lost.

mod content;
pub mod events;
pub mod hook;
mod lag;
mod list;
mod log;
mod notice;
pub mod page;
pub mod post;
mod published;
pub mod report_worker;
pub mod rollout;
pub mod run;
pub mod serve;
pub mod state;
pub mod status;
pub mod suspects;
pub mod tail;
mod waker;

pub use run::{WatchError, watch};
