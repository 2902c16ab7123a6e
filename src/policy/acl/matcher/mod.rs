//! The matcher: every pattern in one tree of path segments, so that a look-up costs the path's length, not the number of rules.
//!
//! A place in the tree stands for the segments read so far. Literal segments lead on through one hash table of places, `+`
//! through an edge of its own, and the last segment of prefix patterns, itself a prefix, through a sorted list. The walk takes
//! the literal edge first and comes back to `+` edges only where something stronger than what it has found lies behind them.
//! A place of a tree is reached by one way only, so a walk visits each at most once, however the `+` are placed.

mod build;
mod segment;
mod sink;
mod walk;

pub use build::build;
pub use sink::{Best, Collect, Ranked, Sink};
pub use walk::Matcher;
