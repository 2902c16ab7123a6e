//! What new roles are called: by what they are about, and by no name that means something already. That is the name of a policy that is
//! known of, read or not; and one of those that a token role hands out, or that somebody may write, by a pattern of names: a new policy
//! of such a name would be given to others, or be in the hands of somebody who has nothing to do with it.

use super::matrix::Permission;
use crate::access::{HandedOut, Joined};
use crate::policy::model::{Policy, Stanza};
use crate::policy::pattern::Pattern;
use crate::policy::relation;
use crate::vault::{Capability, PolicyId, path};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// Where a policy is written.
const FOLDERS: [&str; 2] = ["sys/policies/acl/", "sys/policy/"];
/// So many numbers are tried behind a name.
const MOST_NUMBERS: usize = 10_000;

/// Names in use, and for each with how high a number it was last made another.
pub(super) struct Names<'a> {
    taken: HashSet<String>,
    last: HashMap<String, usize>,
    /// What token roles hand out by patterns of names.
    handed_out: Option<&'a HandedOut>,
    /// The patterns by which somebody may write.
    written: Vec<Pattern>,
    /// By namespace, those of them by which somebody may write some of its policies, and not all.
    writers: HashMap<String, Vec<(&'static str, Pattern)>>,
}

impl<'a> Names<'a> {
    /// With the names that are known; `unread` are those of policies that could not be read.
    pub(super) fn new(joined: &'a Joined, unread: &[Arc<str>]) -> Self {
        let unread = unread.iter().map(|name| name.to_lowercase());
        Self {
            taken: known(joined).chain(unread).collect(),
            last: HashMap::new(),
            handed_out: joined.handed_out.as_ref(),
            written: joined.policies.iter().flat_map(written).collect(),
            writers: HashMap::new(),
        }
    }

    /// A name for a role of these permissions, which is taken with it; none where any would mean something already.
    pub(super) fn of(&mut self, namespace: &str, permissions: &[&Permission]) -> Option<String> {
        let base = about(permissions);
        let ways = [
            base.clone(),
            format!("role-{base}"),
            format!("{base}-role"),
            format!("role-{base}-role"),
        ];
        ways.into_iter().find_map(|name| self.free(namespace, name))
    }

    /// This name, or with a number.
    fn free(&mut self, namespace: &str, base: String) -> Option<String> {
        if self.means_something(namespace, &base) {
            return None;
        }
        if self.taken.insert(base.clone()) {
            return Some(base);
        }
        let last = self.last.get(&base).copied().unwrap_or(1);
        for number in last + 1..last + MOST_NUMBERS {
            let name = format!("{base}-{number}");
            if !self.means_something(namespace, &name) && self.taken.insert(name.clone()) {
                self.last.insert(base, number);
                return Some(name);
            }
        }
        None
    }

    /// Whether a policy of this name is handed out, or may be written, by a pattern that is not one of all names.
    fn means_something(&mut self, namespace: &str, name: &str) -> bool {
        let policy = PolicyId::new(namespace, name);
        if self.handed_out.is_some_and(|known| known.may_name(&policy)) {
            return true;
        }
        if !self.writers.contains_key(namespace) {
            let writers = writers(&self.written, namespace);
            self.writers.insert(namespace.to_owned(), writers);
        }
        let mut writers = self.writers.get(namespace).into_iter().flatten();
        writers.any(|(folder, pattern)| pattern.matches(&format!("{namespace}{folder}{name}")))
    }
}

/// The patterns by which somebody may write some of the policies of a namespace, and not all, each with the folder that it is about.
fn writers(written: &[Pattern], namespace: &str) -> Vec<(&'static str, Pattern)> {
    let of_folder = |folder: &'static str| {
        let all = Pattern::parse(&format!("{folder}+"), namespace).ok();
        let is_some = move |pattern: &&Pattern| {
            let all = all.as_ref();
            all.is_none_or(|all| relation::may_meet(Some(all), Some(pattern)) && !relation::implies(all, pattern))
        };
        written
            .iter()
            .filter(is_some)
            .map(move |pattern| (folder, pattern.clone()))
    };
    FOLDERS.into_iter().flat_map(of_folder).collect()
}

/// The patterns that a policy writes; a template may be filled with anything.
fn written(policy: &Policy) -> impl Iterator<Item = Pattern> + '_ {
    let writes = |stanza: &&Stanza| {
        let granted = stanza.capability_set();
        [Capability::Create, Capability::Update, Capability::Patch]
            .into_iter()
            .any(|capability| granted.contains(capability))
    };
    let pattern = |stanza: &Stanza| {
        let (lead, rest) = stanza.path.split_once("{{").unwrap_or((&stanza.path, ""));
        let end = if rest.is_empty() { "" } else { "*" };
        Pattern::parse(&format!("{lead}{end}"), &policy.namespace).ok()
    };
    policy.stanzas.iter().filter(writes).filter_map(pattern)
}

/// Names of policies that are known of, read or not.
fn known(joined: &Joined) -> impl Iterator<Item = String> {
    let read = joined.policies.iter().map(|policy| policy.name.to_string());
    let handed_out = joined.handed_out.iter().flat_map(HandedOut::policies);
    let held = joined.not_read.held.keys().chain(&joined.not_read.may_be);
    let written = joined.demands.iter().filter_map(|d| path::policy_at(&d.demand.path));
    let known = held.chain(handed_out).map(|id| id.name.to_string());
    read.chain(known).chain(written.map(|name| name.trim().to_lowercase()))
}

/// A name that says what the role is about: the words that all its paths share, or its first path's.
fn about(chosen: &[&Permission]) -> String {
    const DULL: [&str; 7] = ["data", "metadata", "+", "*", "", "acl", "policies"];
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let paths: BTreeSet<&str> = chosen.iter().map(|p| &*p.path).collect();
    for path in &paths {
        let words: BTreeSet<&str> = path
            .split('/')
            .filter(|w| !DULL.contains(w) && !w.contains(['{', '}', '*', '+']))
            .collect();
        for word in words {
            *counts.entry(word).or_default() += 1;
        }
    }
    let first: Vec<&str> = paths.first().map(|p| p.split('/').collect()).unwrap_or_default();
    let mut words: Vec<(&str, usize)> = counts.into_iter().collect();
    words.sort_by_key(|(word, n)| {
        let place = first.iter().position(|w| w == word).unwrap_or(usize::MAX);
        (std::cmp::Reverse(*n), place, *word)
    });
    let writes = chosen
        .iter()
        .any(|p| !matches!(p.capability, Capability::Read | Capability::List | Capability::Scan));
    let mut parts: Vec<String> = words
        .iter()
        .take(2)
        .map(|(w, _)| slug(w))
        .filter(|w| !w.is_empty())
        .collect();
    if parts.is_empty() {
        parts.push("role".to_owned());
    }
    parts.push(if writes { "write" } else { "read" }.to_owned());
    parts.join("-")
}

/// Letters, digits and dashes of a word, lower case, at most 24.
fn slug(word: &str) -> String {
    let mut slug: String = word
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .take(24)
        .collect();
    while slug.contains("--") {
        slug = slug.replace("--", "-");
    }
    slug.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Inputs, join};
    use crate::policy::profile::Profile;
    use crate::policy::syntax;
    use crate::usage::demand::{Demand, Principal};
    use crate::usage::held::Held;
    use crate::vault::PrincipalKind;
    use serde_json::json;

    #[test]
    fn a_policy_that_the_log_shows_is_known_by_its_name() {
        let demand = Demand {
            principal: Principal {
                kind: PrincipalKind::Entity,
                id: Arc::from("e-1"),
                name: Arc::from(""),
                auth_mount: Arc::from(""),
            },
            namespace: Arc::from(""),
            path: Arc::from("sys/policies/acl/Shown"),
            capability: Capability::Read,
            mount_type: Arc::from("system"),
            allowed: 1,
            denied: 0,
            failed: 0,
            first_seen: None,
            last_seen: None,
            days: BTreeSet::new(),
            held: Arc::new(Held::named(Arc::from([Arc::from("held")]))),
            keys_always: BTreeSet::new(),
            keys_ever: BTreeSet::new(),
            granting: BTreeSet::new(),
            example: None,
        };
        let joined = join(Inputs {
            facts: vec![demand].into(),
            policies: Vec::new(),
            deployment: None,
            profile: Profile::default(),
            now: None,
        });
        let names: BTreeSet<String> = known(&joined).collect();
        assert_eq!(names, ["held", "shown"].map(str::to_owned).into());
    }

    /// What roles are called that read one path of a key-value engine each.
    fn called(token_role: &[&str], policy: &str, paths: &[&str]) -> Vec<String> {
        let deployment = json!({
            "roles": [{"namespace": "", "mount": "auth/token/", "kind": "token", "item": "role", "name": "ci", "policies": [], "allowed_policies": token_role}],
        });
        let deployment = serde_json::from_value(deployment).unwrap();
        let joined = join(Inputs {
            facts: Vec::new().into(),
            policies: vec![syntax::parse("known", "known.hcl", policy, &Profile::default().dialect()).unwrap()],
            deployment: Some(&deployment),
            profile: Profile::default(),
            now: None,
        });
        let mut names = Names::new(&joined, &[]);
        let permission = |path: &&str| Permission {
            namespace: Arc::from(""),
            path: Arc::from(*path),
            capability: Capability::Read,
            source: None,
        };
        let roles = paths.iter().map(permission);
        roles.filter_map(|role| names.of("", &[&role])).collect()
    }

    #[test]
    fn a_new_role_has_no_name_that_others_are_given_or_may_write() {
        let nothing = r#"path "x" { capabilities = ["read"] }"#;
        let three = ["kv/web", "kv/web", "kv/known"];
        assert_eq!(
            called(&[], nothing, &three),
            ["kv-web-read", "kv-web-read-2", "kv-known-read"]
        );
        // A token role of all names, or somebody who writes all policies, has nothing more by one more name.
        let writes = |path: &str| format!(r#"path "{path}" {{ capabilities = ["update"] }}"#);
        for all in ["sys/policies/acl/*", "sys/*", "+/policies/acl/+", "*"] {
            assert_eq!(called(&["*"], &writes(all), &["kv/web"]), ["kv-web-read"], "{all}");
        }
        assert_eq!(called(&["kv-web*"], nothing, &three[..1]), ["role-kv-web-read"]);
        assert_eq!(called(&["*-read"], nothing, &three[..1]), ["kv-web-read-role"]);
        assert_eq!(called(&["*kv-*"], nothing, &three), [""; 0], "then there is no name");
        assert_eq!(called(&["*-2"], nothing, &three[..2]), ["kv-web-read", "kv-web-read-3"]);
        for some in [
            "sys/policies/acl/kv-*",
            "sys/policy/kv-*",
            "+/policies/acl/kv-{{identity.entity.name}}",
        ] {
            assert_eq!(called(&[], &writes(some), &["kv/web"]), ["role-kv-web-read"], "{some}");
        }
    }
}
