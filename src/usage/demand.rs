//! One row of usage: who asked for what, how often, when, and with which policies in force.

use super::held::{Granting, Held};
use crate::origin::LogLine;
use crate::vault::{Capability, PrincipalKind, path};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A principal as usage knows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Principal {
    /// How it is known.
    pub kind: PrincipalKind,
    /// Its key: entity id, `auth/approle/web-role`, display name or accessor; what is known by a name only has the namespace of
    /// its token in front, so that two of one name are two.
    pub id: Arc<str>,
    /// The human's word for it.
    pub name: Arc<str>,
    /// Auth mount it logged in at, where known (`auth/approle/`).
    pub auth_mount: Arc<str>,
}

/// What a principal is called of which the log shows that it had a token, and not whose.
pub const NOT_NAMED: &str = "(not named)";

impl Principal {
    /// Whether it is somebody: what tokens did of which the log does not say whose they are may have been done by anybody with the same
    /// policies.
    #[must_use]
    pub fn is_named(&self) -> bool {
        !(self.kind == PrincipalKind::Token && &*self.id == NOT_NAMED)
    }
}

/// A demand: one principal, one path, one capability, all its requests folded together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// Who.
    pub principal: Principal,
    /// Namespace of the request, `""` or `a/`.
    pub namespace: Arc<str>,
    /// Path relative to the namespace; list paths end in `/`.
    pub path: Arc<str>,
    /// Capability that the request needed.
    pub capability: Capability,
    /// Type of the mount, where the log says it.
    pub mount_type: Arc<str>,
    /// Requests that the ACL allowed (whether or not the backend then failed).
    pub allowed: u64,
    /// Requests that the ACL denied.
    pub denied: u64,
    /// Of the allowed, those that failed behind the ACL.
    pub failed: u64,
    /// First seen.
    pub first_seen: Option<Timestamp>,
    /// Last seen.
    pub last_seen: Option<Timestamp>,
    /// The days (since 1970-01-01, UTC) on which it was seen.
    pub days: BTreeSet<i32>,
    /// Policies in force, as last seen.
    pub held: Arc<Held>,
    /// Keys of the request data that were sent with every allowed request (names only, never values).
    pub keys_always: BTreeSet<Arc<str>>,
    /// Keys of the request data that were sent with some allowed request.
    pub keys_ever: BTreeSet<Arc<str>>,
    /// The policies that the server named as those that allowed it.
    pub granting: BTreeSet<Granting>,
    /// Where the last request that was allowed stands, or the last one where none was; parts of earlier versions do not say.
    pub example: Option<LogLine>,
}

/// Tokens that were made and of which the log does not say what they hold: responses are missing, or wrapped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Untold {
    /// Made with other tokens.
    pub children: u64,
    /// Made by logins.
    pub logins: u64,
}

impl Untold {
    /// The count of the tokens that requests at this path make, where they make some.
    pub(super) fn at(&mut self, path: &str) -> Option<&mut u64> {
        if path::makes_a_child(path) {
            Some(&mut self.children)
        } else {
            path::lets_in(path).then_some(&mut self.logins)
        }
    }
}

/// The lines by which a request may have been lost, by whose they were: what could not be read may have been anything that its
/// holder may do, and of an unknown holder anything at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lost {
    /// Lines of which nothing could be read.
    pub unknown: u64,
    /// Of these, the lines that were an entry's and are cut: a request of somebody is lost by each.
    pub cut: u64,
    /// Requests of which neither entry is there, by how many have lost one of their two.
    pub whole: u64,
    /// Lines of which only the holder could be read: of whom, with which policies in force.
    pub known: BTreeMap<(Principal, Arc<Held>), u64>,
}

/// What the log tells of a principal, as last seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrincipalSeen {
    /// Who.
    pub principal: Principal,
    /// The policies in force when it was last seen.
    pub held: Arc<Held>,
    /// When that was.
    pub last_seen: Option<Timestamp>,
    /// The identity entity, where there is one.
    pub entity_id: Arc<str>,
    /// The token's display name.
    pub display_name: Arc<str>,
    /// Names of the token's metadata, sorted; never their values.
    pub metadata_keys: Arc<[Arc<str>]>,
}

/// A set of policies that a principal acted with: one of its tokens had it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PolicySet {
    /// Who.
    pub principal: Principal,
    /// The policies.
    pub held: Arc<Held>,
    /// The auth mount of its login, where known.
    pub mount: Arc<str>,
    /// The role, user or group of the login at that mount, as the server vouches for it; empty where it does not.
    pub role: Arc<str>,
    /// What the server calls the token.
    pub display_name: Arc<str>,
    /// Whether the login itself was seen. Else the mount is a guess from what the server calls the token.
    pub by_login: bool,
    /// When something was last allowed with it.
    pub last_seen: Option<Timestamp>,
    /// When something was first allowed with it.
    pub first_seen: Option<Timestamp>,
}
