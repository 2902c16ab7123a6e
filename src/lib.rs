//! What people did with Vault or OpenBao, joined with what they were allowed to do.
//!
//! The modules in reading order: the domain's words, then the four readers that know nothing of each other (logs, usage,
//! policies, deployment), then what is worked out of them (analysis, optimisation), then advice and its reports.

pub mod advice;
pub mod origin;
pub mod vault;
