//! The metadata of tokens that tell who somebody is.

use super::GroupBy;

/// Metadata that name a role or a user of an auth method, the best first.
pub const ROLE_KEYS: [&str; 10] = [
    "role_name",
    "role",
    "username",
    "service_account_name",
    "cert_name",
    "common_name",
    "user",
    "email",
    "org",
    "account_id",
];

/// Metadata that a person would call the principal by, the best first.
pub const NAME_KEYS: [&str; 9] = [
    "role_name",
    "username",
    "role",
    "service_account_name",
    "common_name",
    "cert_name",
    "user",
    "email",
    "name",
];

/// Metadata of which the display name of a Kubernetes login is made.
pub const SERVICE_ACCOUNT: [&str; 2] = ["service_account_namespace", "service_account_name"];

/// Whether the value of a metadatum of this name may name somebody. Of all others only the end of the display name is looked for.
#[must_use]
pub fn is_telling(key: &str, group_by: &GroupBy) -> bool {
    ROLE_KEYS.contains(&key)
        || NAME_KEYS.contains(&key)
        || SERVICE_ACCOUNT.contains(&key)
        || matches!(group_by, GroupBy::Metadata(asked) if asked == key)
}
