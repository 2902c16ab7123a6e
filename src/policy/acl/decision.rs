//! What is asked of the list, and what it answers.

use super::rule::RuleId;
use crate::policy::constraints::{Data, Refusal};
use crate::vault::{Capability, Operation};
use std::sync::Arc;

/// A request, as far as the list looks at it.
#[derive(Debug, Clone, Copy)]
pub struct Request<'r> {
    /// What it asks to do.
    pub operation: Operation,
    /// The path with its namespace in front; leading slashes are dropped.
    pub path: &'r str,
    /// Its parameters, where they are known.
    pub data: Option<&'r Data>,
    /// The wrapping TTL it asks for in nanoseconds; none for no wrapping.
    pub wrap_ttl_ns: Option<i64>,
}

impl<'r> Request<'r> {
    /// A request without parameters and wrapping.
    #[must_use]
    pub const fn new(operation: Operation, path: &'r str) -> Self {
        Self {
            operation,
            path,
            data: None,
            wrap_ttl_ns: None,
        }
    }
}

/// The answer by path and operation alone, constraints left aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    /// Whether the winning rule has the capability.
    pub allowed: bool,
    /// Whether it has `sudo` besides.
    pub sudo: bool,
    /// The winning rule.
    pub rule: Option<RuleId>,
}

/// The full answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Whether the request is allowed.
    pub allowed: bool,
    /// Whether the winning rule has `sudo`.
    pub sudo: bool,
    /// The policies that grant it, sorted, each once; empty where it is denied.
    pub granting: Vec<Arc<str>>,
    /// What the servers' capabilities endpoint says of the path: sorted words, `deny` or `root`.
    pub capabilities: Vec<&'static str>,
    /// The winning rule.
    pub winner: Option<RuleId>,
    /// Why.
    pub reason: Reason,
}

/// Why a request is allowed or denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The root policy allows everything.
    Root,
    /// The root policy stands beside others, which the servers refuse.
    RootNotAlone,
    /// `help` is always allowed.
    Help,
    /// The winning rule grants it.
    Granted,
    /// No server of this profile has such an operation.
    UnknownOperation,
    /// Nothing matches the path.
    NoMatch,
    /// The winning rule denies.
    Deny,
    /// The winning rule lacks the capability.
    MissingCapability(Capability),
    /// The winning rule has the capability, and a constraint refuses the request.
    Constraint(Refusal),
}
