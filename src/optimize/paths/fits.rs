//! Where a glob may stand: within today's stanza, within a mount, and where enough was used below it.

use super::Field;
use super::price::looks_like_id;
use crate::policy::pattern::Pattern;
use crate::policy::relation;

/// Whether a glob may stand at `prefix` (ending in a slash), under which `children` distinct children were used.
pub(super) fn may_glob(field: &Field<'_>, prefix: &str, children: usize) -> bool {
    let few = children < field.price.min_children;
    !(prefix.is_empty() || few && !only_ids(field, prefix))
        && stays_in_mount(field, prefix)
        && inside(field, &format!("{prefix}*"))
}

/// Whether all that was used directly under `prefix` looks like ids.
fn only_ids(field: &Field<'_>, prefix: &str) -> bool {
    let start = field.used.partition_point(|u| u.path.as_str() < prefix);
    field
        .used
        .iter()
        .skip(start)
        .map_while(|u| u.path.strip_prefix(prefix))
        .all(|rest| rest.split('/').next().is_some_and(looks_like_id))
}

/// A glob never opens `sys/` or `auth/`, nor more than one mount.
pub(super) fn stays_in_mount(field: &Field<'_>, lead: &str) -> bool {
    let relative = field
        .mounts
        .iter()
        .filter(|m| lead.starts_with(m.as_str()))
        .max_by_key(|m| m.len());
    let control = |p: &str| p.starts_with("sys/") || p.starts_with("auth/");
    if control(lead) || relative.is_some_and(|m| control(m)) || lead.contains("/sys/") {
        return false;
    }
    let crosses = field.mounts.iter().any(|m| m.starts_with(lead) && m.len() > lead.len());
    relative.is_some() || field.mounts.is_empty() && lead.contains('/') && !crosses
}

/// Whether all that a pattern matches lies within the stanza.
pub(super) fn inside(field: &Field<'_>, text: &str) -> bool {
    Pattern::parse(text, "").is_ok_and(|p| relation::implies(&p, field.within))
}
