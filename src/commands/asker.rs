//! Who asks: policies by name, a principal, or an auth role, with the namespace that its policies are of.

use super::Talk;
use crate::access::{HolderId, Joined};
use crate::cli::Asking;
use crate::deployment::{AuthRole, Deployment};
use crate::hint::Hint;
use crate::policy::model::Policy;
use crate::policy::template::Identity;
use crate::vault::PolicyId;
use std::borrow::Cow;

/// Who asks.
pub(super) struct Asker<'p> {
    /// As a person would name it.
    pub(super) name: String,
    /// Its policies.
    pub(super) policies: Vec<&'p Policy>,
    /// What templates are filled from.
    pub(super) identity: Identity,
    /// Its number among the holders, where it is one.
    pub(super) holder: Option<HolderId>,
}

/// What an asker is looked for in.
pub(super) struct Known<'p> {
    /// Policies and holders.
    pub(super) joined: &'p Joined,
    /// Auth roles.
    pub(super) deployment: Option<&'p Deployment>,
    /// The root policy, which no file holds.
    pub(super) root: &'p Policy,
}

impl<'p> Known<'p> {
    /// The asker that the flags name. `path` is what is asked for, where it is one path: a policy's name that several
    /// namespaces have stands for the one of the path's own.
    pub(super) fn asker(&self, asking: &Asking, path: &str, talk: &Talk) -> Result<Asker<'p>, AskerError> {
        if let Some(name) = &asking.principal {
            return self.principal(name, talk);
        }
        if let Some(name) = &asking.role {
            return self.role(name, talk);
        }
        if asking.as_policies.is_empty() {
            return Err(AskerError::Unsaid);
        }
        self.named(&asking.as_policies, path, talk)
    }

    /// A principal by key, id or name.
    pub(super) fn principal(&self, name: &str, talk: &Talk) -> Result<Asker<'p>, AskerError> {
        let number = find(self.joined, name)?;
        let set = self.joined.current_set(number);
        let unread = set
            .missing
            .iter()
            .filter(|policy| !self.joined.not_read.nowhere.contains(policy));
        for missing in unread {
            talk.warn(&format!(
                "policy `{missing}` of `{name}` was not read: the answer leaves it out"
            ));
        }
        if let Some(method) = self.joined.unseen.open_to.get(&number) {
            talk.warn(&format!(
                "by which role or group of {method} `{name}` logs in is not known, and the answer leaves out what that gives: name it with `--role`, or give logs with a login of it"
            ));
        }
        let mut policies = self.joined.policies.listed(&set.policies);
        if self.joined.acts_as_root(number) && policies.iter().all(|p| !p.is_root()) {
            policies.push(self.root);
        }
        let holder = &self.joined.holders[number];
        Ok(Asker {
            name: format!("{}{}", holder.namespace, holder.display()),
            policies,
            identity: holder.identity.clone(),
            holder: Some(number),
        })
    }

    /// An auth role by name, with as much of its mount and namespace in front as it takes.
    pub(super) fn role(&self, name: &str, talk: &Talk) -> Result<Asker<'p>, AskerError> {
        let roles = self.deployment.map(|d| &d.roles[..]).unwrap_or_default();
        let full = |role: &AuthRole| format!("{}{}{}", role.namespace, role.mount, role.name);
        let short = |role: &AuthRole| format!("{}{}", role.mount.trim_start_matches("auth/"), role.name);
        let fits: Vec<&AuthRole> = roles
            .iter()
            .filter(|role| full(role) == name || short(role) == name || role.name == name)
            .collect();
        let role = match fits.as_slice() {
            [one] => *one,
            [] => {
                return Err(AskerError::NoRole(name.to_owned()));
            }
            several => match several.iter().find(|role| full(role) == name) {
                Some(exactly) => *exactly,
                None => {
                    let all: Vec<String> = several.iter().map(|role| full(role)).collect();
                    return Err(AskerError::Several {
                        what: "roles",
                        name: name.to_owned(),
                        all,
                    });
                }
            },
        };
        let mut names = role.policies.clone();
        if !role.no_default_policy && !names.iter().any(|n| n == "default") {
            names.push("default".to_owned());
        }
        let mut policies = Vec::new();
        for name in &names {
            match self.policy(&role.namespace, name) {
                Some(policy) => policies.push(policy),
                None => talk.warn(&format!(
                    "policy `{}{name}` of `{}` was not read: the answer leaves it out",
                    role.namespace, role.name
                )),
            }
        }
        Ok(Asker {
            name: full(role),
            policies,
            identity: Identity::default(),
            holder: None,
        })
    }

    /// Policies by name, with their namespace in front or without.
    pub(super) fn named(&self, typed: &[String], path: &str, talk: &Talk) -> Result<Asker<'p>, AskerError> {
        let names: Vec<String> = typed.iter().map(|n| n.trim().to_lowercase()).collect();
        let fits: Vec<Vec<&'p Policy>> = names.iter().map(|name| self.fitting(name)).collect();
        // All policies of a token are of one namespace: the one that a name says for certain, else the path's.
        let certain = fits.iter().find_map(|fits| match fits.as_slice() {
            [one] if !one.is_root() => Some(one.namespace.clone()),
            _ => None,
        });
        // One that is named for certain is not meant by a second name as well.
        let alone = fits.iter().filter_map(|fits| match fits.as_slice() {
            [one] => Some(one.id()),
            _ => None,
        });
        let alone: Vec<PolicyId> = alone.collect();
        let mut policies = Vec::new();
        for (name, all) in names.iter().zip(fits) {
            let mut fits = all.clone();
            if all.len() > 1 {
                fits.retain(|policy| !alone.contains(&policy.id()));
            }
            let of = |namespace: &str| fits.iter().find(|p| *p.namespace == *namespace).copied();
            let around = || {
                let holds = fits.iter().filter(|p| path.starts_with(&*p.namespace));
                holds.max_by_key(|p| p.namespace.len()).copied()
            };
            let chosen = match fits.as_slice() {
                [] => return Err(self.no_policy(name)),
                [one] if all.len() < 2 => *one,
                several => {
                    let only = match several {
                        [one] => Some(*one),
                        _ => None,
                    };
                    let chosen = only.or_else(|| certain.as_deref().and_then(of)).or_else(around);
                    let all: Vec<String> = all
                        .iter()
                        .map(|p| format!("`{}{}`", shown(&p.namespace), p.name))
                        .collect();
                    let Some(chosen) = chosen else {
                        return Err(AskerError::Several {
                            what: "policies",
                            name: name.clone(),
                            all,
                        });
                    };
                    talk.note(&format!(
                        "`{name}` is taken for `{}{}`; there are {}",
                        shown(&chosen.namespace),
                        chosen.name,
                        all.join(", ")
                    ));
                    chosen
                }
            };
            policies.push(chosen);
        }
        Ok(Asker {
            name: names.join(", "),
            policies,
            identity: Identity::default(),
            holder: None,
        })
    }

    /// The policies that a name may stand for: `team/web` is `web` of the namespace `team/`, `/web` is root's, `web` any.
    fn fitting(&self, name: &str) -> Vec<&'p Policy> {
        let all = &self.joined.policies;
        if let Some(of_root) = name.strip_prefix('/') {
            return all
                .iter()
                .filter(|p| p.namespace.is_empty() && *p.name == *of_root)
                .collect();
        }
        let full: Vec<&Policy> = all
            .iter()
            .filter(|p| !p.namespace.is_empty() && format!("{}{}", p.namespace, p.name) == name)
            .collect();
        let mut fits: Vec<&Policy> = all.iter().filter(|p| *p.name == *name).chain(full).collect();
        if fits.is_empty() && name == "root" {
            fits.push(self.root);
        }
        fits
    }

    fn policy(&self, namespace: &str, name: &str) -> Option<&'p Policy> {
        let read = &self.joined.policies;
        read.iter()
            .find(|p| *p.namespace == *namespace && *p.name == *name)
            .or((name == "root").then_some(self.root))
    }

    fn no_policy(&self, name: &str) -> AskerError {
        let policies = &self.joined.policies;
        let names: Vec<String> = policies
            .iter()
            .take(10)
            .map(|p| format!("{}{}", p.namespace, p.name))
            .collect();
        AskerError::NoPolicy {
            name: name.to_owned(),
            count: policies.len(),
            some: names,
        }
    }
}

fn shown(namespace: &str) -> &str {
    if namespace.is_empty() { "/" } else { namespace }
}

/// The one principal that has this key, id or name.
pub(super) fn find(joined: &Joined, name: &str) -> Result<HolderId, AskerError> {
    let fits: Vec<HolderId> = joined
        .holders
        .numbered()
        .filter(|(_, h)| {
            let entity = h.identity.entity.as_ref().is_some_and(|entity| entity.id == name);
            let is = |of: &str| name.strip_prefix(of) == Some(h.display());
            entity || h.key() == name || *h.principal.id == *name || is("") || is(&h.namespace)
        })
        .map(|(h, _)| h)
        .collect();
    match fits.as_slice() {
        [one] => Ok(*one),
        [] => Err(AskerError::NoPrincipal(name.to_owned())),
        several => {
            let keys = several.iter().map(|&h| &joined.holders[h]).map(|h| h.key());
            Err(AskerError::Several {
                what: "principals",
                name: name.to_owned(),
                all: keys.collect(),
            })
        }
    }
}

/// Why it is not known who asks.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskerError {
    /// Nobody is named.
    #[error("it is not said who asks: none of `--as`, `--principal` and `--role` is given")]
    Unsaid,
    /// A principal that nothing tells of.
    #[error("no principal `{0}` in the logs, the usage or the deployment")]
    NoPrincipal(String),
    /// A role that the deployment does not have.
    #[error("no auth role `{0}` in the deployment")]
    NoRole(String),
    /// A policy that was not read.
    #[error("no policy `{name}` among those read")]
    NoPolicy {
        /// Its name.
        name: String,
        /// How many were read.
        count: usize,
        /// Some of them.
        some: Vec<String>,
    },
    /// A name that several have.
    #[error("`{name}` is the name of {} {what}: {}", all.len(), all.join(", "))]
    Several {
        /// Of what kind.
        what: &'static str,
        /// The name.
        name: String,
        /// All of them, so that they are told apart.
        all: Vec<String>,
    },
}

impl Hint for AskerError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(match self {
            Self::Unsaid => {
                "name policies (`--as web,default`), a principal (`--principal app-web`) or a role (`--role web`)"
            }
            Self::NoPrincipal(_) => {
                "`usage` lists principals by id and name; those that no log shows are known from `--deployment`"
            }
            Self::NoRole(_) => {
                "`--deployment` names a folder that `snapshot` wrote; roles are named with their mount: `approle/web`"
            }
            Self::NoPolicy { count, some, .. } => {
                return Some(Cow::Owned(format!("there are {count}: {}", some.join(", "))));
            }
            Self::Several { what: "policies", .. } => "name it with its namespace in front",
            Self::Several { what: "principals", .. } => "name one of them by its key",
            Self::Several { .. } => "name one of them in full",
        }))
    }
}
