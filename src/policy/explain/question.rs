//! What is asked: a request to explain, and what of it both the telling and the smallest change look at.

use crate::policy::acl::{Decision, Request};
use crate::policy::model::Policy;
use crate::policy::profile::Profile;
use crate::policy::template::Identity;
use crate::vault::Operation;

/// A request to explain, and who makes it.
#[derive(Debug, Clone, Copy)]
pub struct Question<'q> {
    /// The server.
    pub profile: Profile,
    /// The policies of the token.
    pub policies: &'q [&'q Policy],
    /// What templates are filled from.
    pub identity: &'q Identity,
    /// The request.
    pub request: Request<'q>,
    /// Whether the path is root-protected, so that `sudo` is needed besides.
    pub needs_sudo: bool,
    /// The time that decides which stanza has expired; the clock where none is given.
    pub now: Option<i64>,
    /// The KV mount that the path lies on, where that is known.
    pub kv: Option<KvMount<'q>>,
}

/// A KV mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KvMount<'m> {
    /// Its path, namespace in front, with its last slash.
    pub path: &'m str,
    /// Its version.
    pub version: u8,
}

/// Whether the list allows the request and the missing `sudo` denies it all the same.
pub(super) fn lacks_sudo(question: &Question<'_>, decision: &Decision) -> bool {
    decision.allowed && question.needs_sudo && !decision.sudo && question.request.operation != Operation::Help
}

/// How many leading segments a pattern has in common with a path.
pub(super) fn common_segments(pattern: &str, path: &str) -> usize {
    pattern
        .split('/')
        .zip(path.split('/'))
        .take_while(|(a, b)| a == b || *a == "+")
        .count()
}
