//! What a log alone tells of an identity: the values that would explain, through a templated stanza, what was allowed.
//!
//! A log names an entity's id but not its name. When a request was allowed that no plain stanza explains, and exactly one
//! value of a template variable makes a templated stanza explain it, that value is taken. A request that stanzas of several
//! variables may explain tells of none of them. Nothing is guessed without such evidence, and a deployment folder makes all
//! of this unnecessary.

use super::by_name::ByName;
use super::holder::{Holder, HolderId};
use super::meant::HeldSet;
use super::sets::{StanzaId, resolve};
use crate::index::IndexVec;
use crate::policy::acl::Acl;
use crate::policy::pattern::Pattern;
use crate::policy::profile::Profile;
use crate::policy::table::{Table, stanza_in};
use crate::policy::template::{Entity, Identity, is_templated, literal_start};
use crate::usage::demand::Demand;
use crate::vault::Operation;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// The one variable of a templated path, and the literal text before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable<'a> {
    /// `identity.entity.name` and the like.
    pub name: &'a str,
    before: &'a str,
}

/// The variable of a path that uses exactly one (perhaps several times).
#[must_use]
pub fn variable(path: &str) -> Option<Variable<'_>> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let mut names = BTreeSet::new();
    for piece in path.split("{{").skip(1) {
        let (name, after) = piece.split_once("}}")?;
        // In `{{name}}*` the segment does not tell where the value ends.
        if !(after.is_empty() || after.starts_with('/')) {
            return None;
        }
        names.insert(name.trim());
    }
    let before = path.split("{{").next()?;
    match (names.pop_first(), names.is_empty()) {
        (Some(name), true) if settable(name) => Some(Variable { name, before }),
        _ => None,
    }
}

fn settable(name: &str) -> bool {
    name == "identity.entity.name" || name.starts_with("identity.entity.metadata.")
}

/// The value that the variable has if `stanza` is to match `path`: the rest of the segment at its first place.
fn value_in<'p>(variable: &Variable<'_>, path: &'p str) -> Option<&'p str> {
    let rest = path.strip_prefix(variable.before)?;
    let value = rest.split('/').next()?;
    (!value.is_empty()).then_some(value)
}

/// Whether the stanza means `path` when its variable has this value.
fn explains(stanza: &str, value: &str, path: &str) -> bool {
    let mut filled = String::new();
    for (n, piece) in stanza.split("{{").enumerate() {
        match piece.split_once("}}") {
            Some((_, after)) if n > 0 => {
                filled.push_str(value);
                filled.push_str(after);
            }
            _ => filled.push_str(piece),
        }
    }
    let plain = filled.strip_prefix('/').unwrap_or(&filled);
    !value.contains(['*', '+']) && Pattern::parse(plain, "").is_ok_and(|p| p.matches(path))
}

/// Whether a templated stanza that is not about this variable may have allowed `path` instead.
fn is_rival(stanza: &str, name: &str, path: &str) -> bool {
    variable(stanza).is_none_or(|v| v.name != name) && path.starts_with(literal_start(stanza))
}

/// Completes `identity` with values that explain the `unexplained` paths through `stanzas`: the paths of all templated ones
/// that are in force and not filled. Returns what was set.
pub fn complete(identity: &mut Identity, stanzas: &[&str], unexplained: &[&str]) -> BTreeMap<String, String> {
    let mut votes: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (stanza, variable) in stanzas.iter().filter_map(|s| Some((s, variable(s)?))) {
        for path in unexplained {
            let rivals = || stanzas.iter().any(|s| is_rival(s, variable.name, path));
            let value = value_in(&variable, path).filter(|v| explains(stanza, v, path) && !rivals());
            if let Some(value) = value {
                votes.entry(variable.name).or_default().insert(value);
            }
        }
    }
    let mut set = BTreeMap::new();
    for (name, values) in votes {
        let [value] = values.iter().copied().collect::<Vec<_>>()[..] else {
            continue;
        };
        let entity = identity.entity.get_or_insert_with(Entity::default);
        if name == "identity.entity.name" {
            if !entity.name.is_empty() {
                continue;
            }
            value.clone_into(&mut entity.name);
        } else if let Some(key) = name.strip_prefix("identity.entity.metadata.") {
            if entity.metadata.contains_key(key) {
                continue;
            }
            entity.metadata.insert(key.to_owned(), value.to_owned());
        }
        set.insert(name.to_owned(), value.to_owned());
    }
    set
}

/// Completes the identities that are not known from a deployment, from what was asked by whom; returns sentences of what was
/// taken.
pub(super) fn identities<'d>(
    holders: &mut IndexVec<Holder>,
    asked: impl Iterator<Item = (&'d Demand, HolderId, &'d HeldSet)>,
    policies: &Table,
    by_name: &ByName<'_>,
    profile: Profile,
    now: Option<i64>,
) -> Vec<String> {
    let mut of_holder: IndexVec<Holder, Vec<(&Demand, &HeldSet)>> = holders.map(|_| Vec::new());
    for (demand, h, held) in asked {
        of_holder[h].push((demand, held));
    }
    holders
        .as_mut_slice()
        .par_iter_mut()
        .zip(Vec::from(of_holder))
        .filter(|(holder, _)| !holder.identity_known)
        .flat_map_iter(|(holder, demands)| {
            let mut said = Vec::new();
            for held in holder.sets.clone() {
                let (chosen, missing) = resolve(by_name, &held.policies);
                let stanzas = chosen.iter().flat_map(|&policy| policies.stanzas_of(policy));
                let may_be_a_pattern = |id: StanzaId| profile.template_rule(&policies[id.policy()]).wildcards;
                let mut templated = stanzas.filter(|&id| is_templated(&policies[id].path)).peekable();
                // A policy that was not read may explain anything, and a value with a wildcard in it more than one path tells.
                let is_open = !missing.is_empty() || held.open;
                if is_open || templated.peek().is_none() || templated.any(may_be_a_pattern) {
                    continue;
                }
                let acl = Acl::compile(profile, &policies.listed(&chosen), &holder.identity, now);
                let unfilled: Vec<&str> = acl
                    .skips()
                    .iter()
                    .map(|skip| &*policies[stanza_in(&chosen, skip)].path)
                    .filter(|path| is_templated(path))
                    .collect();
                let unexplained: Vec<String> = demands
                    .iter()
                    .filter(|(d, of)| d.allowed > 0 && **of == held)
                    .filter_map(|(d, _)| {
                        let path = format!("{}{}", d.namespace, d.path);
                        let operation = Operation::of(d.capability)?;
                        (!acl.check(operation, &path).allowed).then_some(path)
                    })
                    .collect();
                let paths: Vec<&str> = unexplained.iter().map(String::as_str).collect();
                let set = complete(&mut holder.identity, &unfilled, &paths);
                said.extend(
                    set.into_iter()
                        .map(|(name, value)| format!("{}: {name} = {value}", holder.display())),
                );
            }
            said
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_variable_and_its_value() {
        let v = variable("secret/data/home/{{ identity.entity.name }}/*").unwrap();
        assert_eq!(v.name, "identity.entity.name");
        assert_eq!(value_in(&v, "secret/data/home/ann/note"), Some("ann"));
        assert_eq!(value_in(&v, "secret/data/other"), None);
        let (name, team) = ("s/{{identity.entity.name}}/", "s/{{identity.entity.metadata.team}}/");
        let mut alone = Identity::default();
        assert_eq!(complete(&mut alone, &[name], &["s/ann/"]).len(), 1);
        let mut rivals = Identity::default();
        assert!(
            complete(&mut rivals, &[name, team], &["s/ops/"]).is_empty(),
            "whose value it is, is not known"
        );
        let group = "s/{{identity.groups.names.ops.id}}/*";
        assert!(complete(&mut rivals, &[name, group], &["s/ops/"]).is_empty());
        assert_eq!(variable("a/{{identity.entity.id}}"), None);
        assert_eq!(variable("a/{{identity.entity.name}}*"), None);
        assert!(explains("s/{{identity.entity.name}}/x", "ann", "s/ann/x"));
        assert!(!explains("s/{{identity.entity.name}}/x", "ann", "s/ann/y"));
        assert_eq!(
            variable("a/{{identity.entity.name}}/{{identity.entity.metadata.t}}"),
            None
        );
    }
}
