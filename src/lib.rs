//! What people did with Vault or OpenBao, joined with what they were allowed to do.
//!
//! The modules in reading order: the domain's words, then the four readers that know nothing of each other (logs, usage,
//! policies, deployment), then the join, what is worked out of it (analysis, optimisation), then advice and its reports.

pub mod files;
pub mod hint;
pub mod index;
pub mod origin;
pub mod random;
pub mod shown;
pub mod staged;
pub mod units;
pub mod vault;

pub mod deployment;
pub mod ingest;
pub mod policy;
pub mod usage;

pub mod access;
pub mod sources;

pub mod analysis;
pub mod optimize;

pub mod advice;
pub mod pipeline;
pub mod report;
pub mod rollout;

pub mod settings;
pub mod version;

pub mod backtest;
pub mod watch;

pub mod check;

pub mod cli;
pub mod commands;
