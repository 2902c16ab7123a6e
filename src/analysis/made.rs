//! What was made within the logs: before that nobody could use it.
//!
//! Servers log the first write of something as `create`. What the names of stanzas are about is told as the engines lay out their
//! paths: a role `database/roles/x` is used by `database/creds/x`, a key `transit/keys/x` by `transit/encrypt/x`, and a secret of KV
//! has one path for each thing that is done with it.

use crate::policy::model::Policy;
use crate::policy::template::literal_start;
use crate::usage::demand::Demand;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// What stands between a mount of KV version 2 and the path of a secret.
const KV2: [&str; 6] = ["data", "metadata", "delete", "undelete", "destroy", "subkeys"];

/// What was made, with when last.
#[derive(Debug, Default)]
pub struct Made {
    /// Secrets, by their paths as [`secret`] has them.
    secrets: BTreeMap<Vec<String>, Timestamp>,
    /// Roles, keys and the like, by the beginning of their mount and their name.
    others: BTreeMap<(String, String), Timestamp>,
}

impl Made {
    /// Notes what a request made.
    pub fn note(&mut self, demand: &Demand, at: Timestamp) {
        let path = format!("{}{}", demand.namespace, demand.path);
        let known = if matches!(&*demand.mount_type, "" | "kv" | "generic") {
            self.secrets.entry(secret(&path)).or_insert(at)
        } else {
            let (Some(name), Some(mount)) = (segments(&path).last(), segments(&path).next()) else {
                return;
            };
            self.others.entry((mount.to_owned(), name.to_owned())).or_insert(at)
        };
        *known = at.max(*known);
    }

    /// The last thing made that a stanza of the policy is about, in words.
    #[must_use]
    pub fn last_of(&self, policy: &Policy) -> Option<(Timestamp, String)> {
        if self.secrets.is_empty() && self.others.is_empty() {
            return None;
        }
        let stanzas = policy.stanzas.iter();
        let found = stanzas.filter_map(|stanza| {
            let start = literal_start(&stanza.path);
            // A word that goes on names nothing.
            let whole = start.trim_start_matches('/').len() == stanza.path.trim_start_matches('/').len();
            let named = if whole { start } else { start.get(..start.rfind('/')?)? };
            self.last_about(&format!("{}{}", policy.namespace, named.trim_start_matches('/')))
        });
        found.max()
    }

    fn last_about(&self, named: &str) -> Option<(Timestamp, String)> {
        let path = secret(named);
        let above = (1..=path.len()).filter_map(|end| path.get(..end));
        let secrets = above.filter_map(|above| Some((*self.secrets.get(above)?, above.join("/"))));
        let mount = segments(named).next().unwrap_or_default();
        let names = segments(named).skip(1);
        let others = names.filter_map(|name| {
            let at = self.others.get(&(mount.to_owned(), name.to_owned()))?;
            Some((*at, name.to_owned()))
        });
        let (at, name) = secrets.chain(others).max()?;
        Some((at, format!("`{name}` was made")))
    }
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
