//! From what was used to what should be granted: covers, roles, paths, and the proof that nobody loses or gains anything.
//!
//! `assign`, `cover`, `ilp` and `roles` know no Vault word; `paths`, `tighten` and `redesign` put them to work.

pub mod assign;
pub mod cover;
pub mod edit;
pub mod foresight;
pub mod generate;
pub mod handover;
pub mod ilp;
mod limits;
mod movable;
pub mod parameters;
pub mod paths;
pub mod proof;
pub mod redesign;
pub mod roles;
pub mod steps;
mod templates;
pub mod tied;
pub mod tighten;
pub mod used;
pub mod waves;
