//! The access control list of a token: its policies compiled into one table, and the decision by that table.

mod build;
mod cache;
mod decision;
mod matcher;
mod rule;
mod table;

pub use cache::AclCache;
pub use decision::{Check, Decision, Reason, Request};
pub use rule::{PolicyRef, Rule, RuleId, Skip, SkipReason, Source};
pub use table::Acl;
