//! A parsed policy: stanzas with their patterns, capabilities and constraints, each with its place in the text.

use crate::origin::{Origin, Written};
use crate::vault::{Capability, CapabilitySet, PolicyId};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// The language a policy is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// HCL 1.
    Hcl,
    /// JSON.
    Json,
}

/// One ACL policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Its name, lower-cased and trimmed as the servers keep it.
    pub name: Arc<str>,
    /// The file (or word) it was read from.
    pub file: Arc<str>,
    /// The namespace it lives in (`""` for root, else with a trailing slash).
    pub namespace: Arc<str>,
    /// The text as read.
    pub source: Arc<str>,
    /// Its language.
    pub language: Language,
    /// Its stanzas in the order of the text.
    pub stanzas: Vec<Stanza>,
    /// Where its text is written, where that is inside of another file (Terraform, YAML); none where the file is the policy.
    pub written: Option<Arc<Written>>,
}

impl Policy {
    /// What it is on its server.
    #[must_use]
    pub fn id(&self) -> PolicyId {
        PolicyId::new(self.namespace.clone(), self.name.clone())
    }

    /// The `root` policy, which every server has and no file holds.
    #[must_use]
    pub fn root() -> Self {
        Self {
            name: "root".into(),
            file: "root".into(),
            namespace: "".into(),
            source: "".into(),
            language: Language::Hcl,
            stanzas: Vec::new(),
            written: None,
        }
    }

    /// Whether this is the `root` policy, which stands alone and allows everything.
    #[must_use]
    pub fn is_root(&self) -> bool {
        &*self.name == "root"
    }
}

/// One `path` block.
#[derive(Debug, Clone, PartialEq)]
pub struct Stanza {
    /// The path as written, leading slash, `*` and templates included.
    pub path: Arc<str>,
    /// Whether the path holds a template.
    pub templated: bool,
    /// The capabilities as the servers keep them: in the order of the text, the legacy `policy` word expanded; `deny` alone
    /// where it occurs.
    pub capabilities: Vec<Capability>,
    /// What a request must satisfy besides.
    pub constraints: Constraints,
    /// The place of the word `path` (HCL) or of the path's key (JSON).
    pub origin: Origin,
    /// The bytes of the whole block in the source, from the word `path` to the closing brace.
    pub span: Range<usize>,
    /// The bytes of the `capabilities` list (brackets included), where there is one.
    pub capabilities_span: Option<Range<usize>>,
    /// The comment lines directly above the block, without their markers.
    pub comment: Vec<String>,
    /// The bytes of those comment lines, where there are any.
    pub comment_span: Option<Range<usize>>,
    /// Every key of the block in the order of the text, repeated ones too.
    pub keys: Vec<KeySpan>,
    /// Parameters that one map names in two cases, as `ttl` and `TTL`: which of the two counts is the server's luck.
    pub in_two_cases: Vec<String>,
}

/// A key of a stanza and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySpan {
    /// The key's word.
    pub name: Arc<str>,
    /// Line and column of the key.
    pub origin: Origin,
    /// The bytes of the key.
    pub key: Range<usize>,
    /// The bytes of its value.
    pub value: Range<usize>,
}

impl Stanza {
    /// The capabilities as a set.
    #[must_use]
    pub fn capability_set(&self) -> CapabilitySet {
        self.capabilities.iter().copied().collect()
    }

    /// The path without the slash that it may begin with, which servers take off.
    #[must_use]
    pub fn bare_path(&self) -> &str {
        self.path.strip_prefix('/').unwrap_or(&self.path)
    }
}

/// What a stanza demands of a request besides its capability. Empty means no constraint.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Constraints {
    /// Parameters that may be sent, and their values (an empty list: any value). Keys are lower-cased.
    pub allowed_parameters: BTreeMap<String, Vec<Value>>,
    /// Parameters that may not be sent, and the forbidden values (an empty list: every value). Keys are lower-cased.
    pub denied_parameters: BTreeMap<String, Vec<Value>>,
    /// Parameters that must be sent.
    pub required_parameters: Vec<String>,
    /// The least wrapping TTL in nanoseconds; zero for none.
    pub min_wrapping_ttl_ns: i64,
    /// The largest wrapping TTL in nanoseconds; zero for none.
    pub max_wrapping_ttl_ns: i64,
    /// MFA methods that must have been passed.
    pub mfa_methods: Vec<String>,
    /// The control groups that must approve, as HCL.
    pub control_groups: Vec<String>,
    /// OpenBao's `pagination_limit`; zero for none.
    pub pagination_limit: i64,
    /// OpenBao's `expiration`: after it the stanza is as if it were not there (seconds since the epoch).
    pub expiration: Option<i64>,
    /// OpenBao's `list_scan_response_keys_filter_path`.
    pub list_filter: Option<String>,
    /// Vault's `subscribe_event_types`.
    pub subscribe_event_types: Vec<String>,
}

impl Constraints {
    /// Whether there is no constraint at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
