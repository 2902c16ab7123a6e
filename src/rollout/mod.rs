//! What happens after a proposal was applied: which waves are in force, who is denied because of them, and what gives it back.

pub mod applied;
mod lists;
pub mod regression;
pub mod restore;
pub mod told;
pub mod verdict;
