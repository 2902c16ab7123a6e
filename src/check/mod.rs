//! `check`: the gate before policies go live. Findings in what changed, new access against the base, over-privilege against
//! usage, a budget of risk; what is waived or known from a baseline is counted and not shown.

mod access;
pub mod base;
pub mod baseline;
pub mod brought;
mod change;
mod gate;
pub mod git;
mod own;
mod risk;
pub mod rules;
pub mod source;
mod waived;
mod ways;

pub use gate::{Checked, Material, Options, Seen, check};
