//! What was made within the logs: before that nobody could use it.
//!
//! A secret of KV was made where the first that the logs show of it is a `create`, as servers log the first write of it. Engines whose
//! servers do not look whether something is there log each write of a role or key as `update`: there the first that the logs show of a
//! name that is written counts, and what is only used (`encrypt`, `issue`) is not written. What the names of stanzas are about is told as the engines lay out their paths: a role
//! `database/roles/x` is used by `database/creds/x`, a key `transit/keys/x` by `transit/encrypt/x`, and a secret of KV has one path for
//! each thing that is done with it.

use crate::policy::model::Policy;
use crate::policy::template::literal_start;
use crate::usage::demand::Demand;
use crate::vault::Capability;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// What stands between a mount of KV version 2 and the path of a secret.
const KV2: [&str; 6] = ["data", "metadata", "delete", "undelete", "destroy", "subkeys"];

/// What engines are asked to do with what was made before, by requests that are updates as well.
const USES: [&str; 15] = [
    "encrypt",
    "decrypt",
    "rewrap",
    "datakey",
    "hmac",
    "sign",
    "sign-verbatim",
    "verify",
    "verify-cert",
    "issue",
    "generate",
    "creds",
    "code",
    "hash",
    "random",
];

/// What the logs show first of something.
#[derive(Debug, Clone, Copy)]
struct First {
    at: Timestamp,
    /// Whether it was made then, as far as the logs can show it.
    made: bool,
}

impl First {
    fn and(self, other: Self) -> Self {
        match self.at.cmp(&other.at) {
            std::cmp::Ordering::Less => self,
            std::cmp::Ordering::Greater => other,
            std::cmp::Ordering::Equal => Self {
                at: self.at,
                made: self.made || other.made,
            },
        }
    }
}

/// What the logs show first of something that is no secret.
#[derive(Debug)]
struct Other {
    first: First,
    /// Its path, which says what it is: that of the request that wrote it, where one did.
    path: String,
}

/// What was made, with when.
#[derive(Debug, Default)]
pub struct Made {
    /// Secrets, by their paths as [`secret`] has them.
    secrets: BTreeMap<Vec<String>, First>,
    /// Roles, keys and the like, by the beginning of their mount and their name.
    others: BTreeMap<(String, String), Other>,
    /// Whether anything was made at all.
    any: bool,
}

impl Made {
    /// Notes what a request shows of something.
    pub fn note(&mut self, demand: &Demand, at: Timestamp) {
        let path = format!("{}{}", demand.namespace, demand.path);
        let is_kv = matches!(&*demand.mount_type, "" | "kv" | "generic");
        let writes = match demand.capability {
            _ if is_endpoint(&demand.path) => false,
            Capability::Create => true,
            Capability::Update => !is_kv && !segments(&path).any(|segment| USES.contains(&segment)),
            _ => false,
        };
        let first = First { at, made: writes };
        self.any |= writes;
        if is_kv {
            let known = self.secrets.entry(secret(&path)).or_insert(first);
            *known = known.and(first);
        } else if let (Some(name), Some(mount)) = (segments(&path).last(), segments(&path).next()) {
            let key = (mount.to_owned(), name.to_owned());
            let known = self.others.entry(key).or_insert_with(|| Other {
                first,
                path: path.clone(),
            });
            if writes && !known.first.made {
                known.path.clone_from(&path);
            }
            known.first = First {
                at: known.first.at.min(at),
                made: known.first.made || writes,
            };
        }
    }

    /// The last thing made that a stanza of the policy is about, in words.
    #[must_use]
    pub fn last_of(&self, policy: &Policy) -> Option<(Timestamp, String)> {
        if !self.any {
            return None;
        }
        let stanzas = policy.stanzas.iter();
        let found = stanzas.filter_map(|stanza| {
            let start = literal_start(&stanza.path);
            let named = format!("{}{start}", policy.namespace);
            // What a pattern begins with may go on within a word.
            let is_whole = start.len() == stanza.path.trim_start_matches('/').len();
            match is_whole {
                true => self.last_about(&named),
                false => self.last_about(named.rsplit_once('/')?.0).max(self.first_below(&named)),
            }
        });
        found.max()
    }

    fn last_about(&self, named: &str) -> Option<(Timestamp, String)> {
        let path = secret(named);
        let above = (1..=path.len()).filter_map(|end| path.get(..end));
        let secrets = above.filter_map(|above| Some((self.secrets.get(above)?, above.join("/"))));
        let mount = segments(named).next().unwrap_or_default();
        let names = segments(named).skip(1);
        let others = names.filter_map(|name| {
            let key = (mount.to_owned(), name.to_owned());
            let other = self.others.get(&key)?;
            Some((&other.first, other.path.clone()))
        });
        let made = secrets.chain(others).filter(|(first, _)| first.made);
        made.map(|(first, name)| (first.at, format!("`{name}` was made"))).max()
    }

    /// The first thing that a pattern which begins so is about, where it was made within the logs: there was nothing before.
    fn first_below(&self, begins: &str) -> Option<(Timestamp, String)> {
        let (folder, word) = begins.rsplit_once('/')?;
        let folder = secret(folder);
        let kinds = folder.len() < 2 && KV2.contains(&word);
        if folder.is_empty() || kinds {
            return None;
        }
        let below = self.secrets.range(folder.clone()..);
        let below = below.take_while(|(path, _)| path.starts_with(&folder));
        let below = below.filter(|(path, _)| path.get(folder.len()).is_some_and(|next| next.starts_with(word)));
        let secrets = below.map(|(path, first)| (*first, path.join("/")));
        let mount = segments(begins).next()?.to_owned();
        let names = self.others.range((mount.clone(), word.to_owned())..);
        let names = names.take_while(|((of, name), _)| !word.is_empty() && *of == mount && name.starts_with(word));
        let others = names.map(|(_, other)| (other.first, other.path.clone()));
        let (first, name) = secrets.chain(others).min_by_key(|(first, _)| first.at)?;
        first
            .made
            .then(|| (first.at, format!("`{name}` was made, the first thing that it covers")))
    }
}

/// What stands before the name of something at an auth method.
const BEFORE_NAMES: [&str; 8] = ["role", "roles", "user", "users", "group", "groups", "cert", "certs"];

/// Whether a path is one of auth methods where tokens are made, and nothing that has a name: what is called `login` elsewhere has one.
fn is_endpoint(path: &str) -> bool {
    let Some(at) = path.strip_prefix("auth/") else {
        return false;
    };
    let of_tokens = at
        .strip_prefix("token/")
        .is_some_and(|rest| !rest.starts_with("roles/"));
    let before = segments(at);
    let logs_in = before
        .zip(segments(at).skip(1))
        .any(|(before, segment)| segment == "login" && !BEFORE_NAMES.contains(&before));
    of_tokens || logs_in
}

fn segments(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

/// The path of a secret, whatever is done with it.
fn secret(path: &str) -> Vec<String> {
    let mut segments: Vec<String> = segments(path).map(str::to_owned).collect();
    let kind = segments.iter().skip(1).position(|segment| KV2.contains(&&**segment));
    if let Some(kind) = kind {
        segments.remove(kind + 1);
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::rules::testing::demand;
    use crate::policy::syntax::{self, Dialect};

    fn policy(path: &str) -> Policy {
        let text = format!("path \"{path}\" {{ capabilities = [\"update\"] }}");
        syntax::parse("p", "p.hcl", &text, &Dialect::default()).unwrap()
    }

    #[test]
    fn what_was_made_is_named_by_its_path_and_an_endpoint_is_nothing_made() {
        let mut made = Made::default();
        for (path, mount_type) in [("auth/token/create", "token"), ("database/roles/web", "database")] {
            let mut demand = demand(&format!("web (p): update {path}"));
            demand.mount_type = mount_type.into();
            made.note(&demand, Timestamp::UNIX_EPOCH);
        }
        assert_eq!(made.last_of(&policy("auth/token/create")), None);
        let (_, words) = made.last_of(&policy("database/creds/web")).unwrap();
        assert_eq!(words, "`database/roles/web` was made");
    }

    #[test]
    fn what_is_called_as_an_endpoint_is_made_all_the_same() {
        for (path, mount_type) in [
            ("secret/data/login", "kv"),
            ("ssh/roles/login", "ssh"),
            ("auth/approle/role/login", "approle"),
            ("auth/token/roles/ci", "token"),
        ] {
            let mut made = Made::default();
            let mut demand = demand(&format!("web (p): create {path}"));
            demand.mount_type = mount_type.into();
            made.note(&demand, Timestamp::UNIX_EPOCH);
            assert!(made.last_of(&policy(path)).is_some(), "{path}");
        }
        for path in ["approle/login", "userpass/login/ann", "token/create/ci"] {
            assert!(is_endpoint(&format!("auth/{path}")), "{path}");
        }
    }
}
