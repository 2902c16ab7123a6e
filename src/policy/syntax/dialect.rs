//! What differs between servers in the policy language: the words that a stanza may hold.

use crate::vault::{Capability, CapabilitySet};

/// A key of a `path` block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// `comment`: kept, never looked at.
    Comment,
    /// `policy`: the old word for a set of capabilities.
    Policy,
    /// `capabilities`
    Capabilities,
    /// `allowed_parameters`
    AllowedParameters,
    /// `denied_parameters`
    DeniedParameters,
    /// `required_parameters`
    RequiredParameters,
    /// `min_wrapping_ttl`
    MinWrappingTtl,
    /// `max_wrapping_ttl`
    MaxWrappingTtl,
    /// `mfa_methods`
    MfaMethods,
    /// `control_group` (Vault Enterprise)
    ControlGroup,
    /// `subscribe_event_types` (Vault Enterprise)
    SubscribeEventTypes,
    /// `pagination_limit` (OpenBao)
    PaginationLimit,
    /// `expiration` (OpenBao)
    Expiration,
    /// `list_scan_response_keys_filter_path` (OpenBao)
    ListFilter,
}

impl Key {
    /// Every key, in the order in which a stanza is printed.
    pub const ALL: [Self; 14] = [
        Self::Comment,
        Self::Policy,
        Self::Capabilities,
        Self::AllowedParameters,
        Self::DeniedParameters,
        Self::RequiredParameters,
        Self::MinWrappingTtl,
        Self::MaxWrappingTtl,
        Self::MfaMethods,
        Self::ControlGroup,
        Self::SubscribeEventTypes,
        Self::PaginationLimit,
        Self::Expiration,
        Self::ListFilter,
    ];

    /// The word in a policy.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Comment => "comment",
            Self::Policy => "policy",
            Self::Capabilities => "capabilities",
            Self::AllowedParameters => "allowed_parameters",
            Self::DeniedParameters => "denied_parameters",
            Self::RequiredParameters => "required_parameters",
            Self::MinWrappingTtl => "min_wrapping_ttl",
            Self::MaxWrappingTtl => "max_wrapping_ttl",
            Self::MfaMethods => "mfa_methods",
            Self::ControlGroup => "control_group",
            Self::SubscribeEventTypes => "subscribe_event_types",
            Self::PaginationLimit => "pagination_limit",
            Self::Expiration => "expiration",
            Self::ListFilter => "list_scan_response_keys_filter_path",
        }
    }

    /// From the word in a policy; the servers compare it exactly.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.as_str() == word)
    }

    /// Which servers know this key, where not all do.
    pub(super) const fn known_to(self) -> Option<&'static str> {
        match self {
            Self::ControlGroup | Self::SubscribeEventTypes => Some("Vault Enterprise"),
            Self::PaginationLimit | Self::Expiration | Self::ListFilter => Some("OpenBao"),
            _ => None,
        }
    }
}

/// The policy language of one kind of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// The server's name in messages.
    pub server: &'static str,
    /// The capabilities that it knows.
    pub capabilities: CapabilitySet,
    /// The keys that a stanza may have.
    pub keys: &'static [Key],
    /// Whether a time may be given in days (`"2d"`).
    pub days: bool,
    /// Whether a key may stand twice in a block of HCL; Vault from 1.21 refuses such a policy.
    pub repeated_keys: bool,
    /// Whether `+` is a wildcard, so that `+*` is refused.
    pub segment_wildcards: bool,
}

/// The keys that every server knows.
const COMMON: [Key; 9] = [
    Key::Comment,
    Key::Policy,
    Key::Capabilities,
    Key::AllowedParameters,
    Key::DeniedParameters,
    Key::RequiredParameters,
    Key::MinWrappingTtl,
    Key::MaxWrappingTtl,
    Key::MfaMethods,
];

const OPENBAO_KEYS: [Key; 12] = [
    Key::Comment,
    Key::Policy,
    Key::Capabilities,
    Key::AllowedParameters,
    Key::DeniedParameters,
    Key::RequiredParameters,
    Key::MinWrappingTtl,
    Key::MaxWrappingTtl,
    Key::MfaMethods,
    Key::PaginationLimit,
    Key::Expiration,
    Key::ListFilter,
];

const ENTERPRISE_KEYS: [Key; 11] = [
    Key::Comment,
    Key::Policy,
    Key::Capabilities,
    Key::AllowedParameters,
    Key::DeniedParameters,
    Key::RequiredParameters,
    Key::MinWrappingTtl,
    Key::MaxWrappingTtl,
    Key::MfaMethods,
    Key::ControlGroup,
    Key::SubscribeEventTypes,
];

/// The capabilities that every server since 2021 knows.
const BASE: CapabilitySet = CapabilitySet::of(Capability::Create)
    .union(CapabilitySet::of(Capability::Read))
    .union(CapabilitySet::of(Capability::Update))
    .union(CapabilitySet::of(Capability::Patch))
    .union(CapabilitySet::of(Capability::Delete))
    .union(CapabilitySet::of(Capability::List))
    .union(CapabilitySet::of(Capability::Sudo))
    .union(CapabilitySet::of(Capability::Deny));

impl Dialect {
    /// Vault before events and recovery: neither `subscribe` nor `recover`.
    pub const VAULT_BASE: Self = Self {
        server: "Vault",
        capabilities: BASE,
        keys: &COMMON,
        days: false,
        repeated_keys: true,
        segment_wildcards: true,
    };

    /// Vault of today.
    pub const VAULT: Self = Self {
        repeated_keys: false,
        capabilities: BASE
            .union(CapabilitySet::of(Capability::Subscribe))
            .union(CapabilitySet::of(Capability::Recover)),
        ..Self::VAULT_BASE
    };

    /// OpenBao.
    pub const OPENBAO: Self = Self {
        server: "OpenBao",
        capabilities: BASE.union(CapabilitySet::of(Capability::Scan)),
        keys: &OPENBAO_KEYS,
        days: false,
        repeated_keys: true,
        segment_wildcards: true,
    };

    /// The same server in any edition and age: Vault Enterprise's keys and times in days are taken as well; of OpenBao there is one
    /// edition. For reading policies that a server already took, where refusing one would make its holders' grants unknown.
    #[must_use]
    pub fn any_edition(self) -> Self {
        let keys: &'static [Key] = if self.keys.contains(&Key::PaginationLimit) {
            self.keys
        } else {
            &ENTERPRISE_KEYS
        };
        Self {
            keys,
            days: true,
            ..self
        }
    }
}

impl Default for Dialect {
    fn default() -> Self {
        Self::VAULT
    }
}
