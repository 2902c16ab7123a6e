//! The paths of KV version 2: what somebody asks for who leaves `data/` out, and whether the mount is one.

use super::question::{KvMount, Question};
use crate::policy::model::Policy;
use crate::vault::{Operation, path};

/// What follows the mount in a path of KV version 2.
pub(super) const PARTS: [&str; 9] = [
    "data",
    "metadata",
    "delete",
    "undelete",
    "destroy",
    "subkeys",
    "config",
    "options",
    "detailed-metadata",
];

/// The path that a request would have had with the part of KV version 2 in it, where it has none.
pub(super) struct Meant {
    /// The path.
    pub path: String,
    /// The mount, with its last slash.
    pub mount: String,
    /// Whether the mount is known to be of version 2.
    pub known: bool,
}

/// See [`Meant`]; none where the path has the part, or the mount is known to be another.
pub(super) fn meant(question: &Question<'_>) -> Option<Meant> {
    with_part(question.request.path, question.request.operation, question.kv)
}

/// As [`meant`], of a path alone.
pub(super) fn with_part(asked: &str, operation: Operation, kv: Option<KvMount<'_>>) -> Option<Meant> {
    let asked = path::clean(asked);
    let mount = match kv {
        Some(kv) if kv.version == 2 => kv.path,
        Some(_) => return None,
        None => {
            let end = asked.find('/')? + 1;
            asked
                .get(..end)
                .filter(|m| !matches!(*m, "sys/" | "auth/" | "identity/" | "cubbyhole/"))?
        }
    };
    let rest = asked.strip_prefix(mount)?;
    let first = rest.split('/').next().unwrap_or("");
    if first.is_empty() || PARTS.contains(&first) {
        return None;
    }
    let part = match operation {
        Operation::List | Operation::Scan => "metadata",
        _ => "data",
    };
    Some(Meant {
        path: format!("{mount}{part}/{rest}"),
        mount: mount.to_owned(),
        known: kv.is_some(),
    })
}

/// The path that somebody meant who asks what reaches it, where `data/` is missing for certain or maybe.
#[must_use]
pub fn value_path(asked: &str, kv: Option<KvMount<'_>>) -> Option<(String, bool)> {
    with_part(asked, Operation::Read, kv).map(|meant| (meant.path, meant.known))
}

/// Whether a policy names `data/` below the mount of this path.
pub fn names_values_below<'p>(policies: impl IntoIterator<Item = &'p Policy>, value_path: &str) -> bool {
    let Some(end) = value_path.find("/data/") else {
        return false;
    };
    let start = value_path.get(..end + "/data/".len()).unwrap_or(value_path);
    let mut stanzas = policies
        .into_iter()
        .flat_map(|policy| policy.stanzas.iter().map(move |stanza| (policy, stanza)));
    stanzas.any(|(policy, stanza)| format!("{}{}", policy.namespace, path::clean(&stanza.path)).starts_with(start))
}
