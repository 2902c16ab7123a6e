//! `check`: the gate before policies go live. Findings in what changed, new access against the base, over-privilege against
//! usage, a budget of risk; what is waived or known from a baseline is counted and not shown.

mod access;
pub mod base;
pub mod baseline;
pub mod brought;
mod change;
mod gate;
pub mod git;
mod given;
mod own;
mod risk;
pub mod rules;
pub mod source;
mod waived;
mod warnings;
mod ways;

pub use gate::{Checked, check};
pub use given::{Material, Options, Seen};
