//! What a failed proof changes: the paths to blame become exact stanzas, which always win.

use super::matrix::{Permission, Permissions, User, kept};
use crate::access::{HolderId, Joined, JoinedDemand, Outcome, SetId};
use crate::optimize::proof::{Failure, Scheme};
use crate::optimize::templates::filled;
use crate::policy::pattern::Pattern;
use crate::policy::table::stanza_in;
use crate::policy::template::is_templated;
use crate::vault::{Capability, Operation};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// Makes the paths that failures name exact for the users concerned; whether anything changed.
pub(super) fn make_exact(
    joined: &Joined,
    scheme: &Scheme,
    failures: &[Failure],
    users: &mut [User],
    permissions: &mut Permissions,
    withdrawn: &mut Vec<(String, String)>,
) -> bool {
    let mut changed = false;
    let number: HashMap<(SetId, HolderId), usize> = users.iter().map(|u| (u.set, u.holder)).zip(0..).collect();
    // Of those alone that something failed for: who that is, is told by the failures.
    let mut asked: HashMap<(SetId, HolderId), Vec<&JoinedDemand>> = failures
        .iter()
        .flat_map(|f| f.concerned(joined))
        .map(|who| (who, Vec::new()))
        .collect();
    for d in &joined.demands {
        if let Some(of) = asked.get_mut(&(d.set, d.holder)) {
            of.push(d);
        }
    }
    let asked = |set, holder| asked.get(&(set, holder)).map(Vec::as_slice).unwrap_or_default();
    for failure in failures {
        match failure {
            Failure::Denied { demand } => {
                let d = &joined.demands[*demand];
                let Some(user) = number.get(&(d.set, d.holder)).and_then(|&n| users.get_mut(n)) else {
                    continue;
                };
                // An unused permission that took this one away is not worth it.
                let winner = winner(joined, scheme, user, &d.path, d.operation());
                let before = user.barred.len();
                user.barred.extend(
                    winner
                        .iter()
                        .flat_map(|text| permissions.of(text))
                        .filter(|n| !user.needs.contains(n)),
                );
                changed |= user.barred.len() > before;
                // An exact stanza always wins: it has to hold all that this principal uses of the path.
                for other in asked(d.set, d.holder).iter().filter(|o| o.path == d.path) {
                    if matches!(other.outcome, Outcome::Explained(_)) {
                        for capability in kept(joined, other).iter() {
                            changed |= user.needs.insert(permissions.number(exact(joined, other, capability)));
                        }
                    }
                }
            }
            Failure::Granted {
                set,
                holders,
                path,
                operation,
            } => {
                for &holder in holders {
                    let Some(user) = number.get(&(*set, holder)).and_then(|&n| users.get_mut(n)) else {
                        continue;
                    };
                    let mine = asked(*set, holder);
                    changed |= unwiden(joined, scheme, user, mine, permissions, (path, *operation), withdrawn);
                }
            }
            Failure::Undecided { set, holders, .. } => {
                for &holder in holders {
                    let Some(user) = number.get(&(*set, holder)).and_then(|&n| users.get_mut(n)) else {
                        continue;
                    };
                    let all: BTreeSet<u32> = user.needs.iter().copied().collect();
                    changed |= replace(joined, user, asked(*set, holder), permissions, &all);
                }
            }
        }
    }
    changed
}

/// The demand's path as a stanza, in the namespace of the policy that allows it today: a token acts in the namespaces below its
/// own too, and its policies stay where they are.
fn exact(joined: &Joined, demand: &JoinedDemand, capability: Capability) -> Permission {
    let today = joined
        .allowed_by(demand)
        .next()
        .map(|(id, _)| &joined.policies[id.policy()]);
    let home = today.map_or_else(|| demand.demand.namespace.clone(), |p| p.namespace.clone());
    let path = demand.path.strip_prefix(&*home).unwrap_or(&demand.path);
    Permission {
        path: Arc::from(path),
        namespace: home,
        capability,
        source: None,
    }
}

/// The paths, as written, of the stanzas that decide a request of this user under the scheme.
fn winner(joined: &Joined, scheme: &Scheme, user: &User, path: &str, operation: Operation) -> BTreeSet<Arc<str>> {
    let Some(given) = scheme.given.get(&(user.set, user.holder)) else {
        return BTreeSet::new();
    };
    let acl = scheme.acl(joined, user.set, user.holder, given);
    let rule = acl.winner(operation, path).and_then(|r| acl.rule(r));
    rule.into_iter()
        .flat_map(|r| &r.sources)
        .map(|source| scheme.policies[stanza_in(given, source)].path.clone())
        .collect()
}

/// Takes the pattern that grants `path` anew from a user and gives it the exact paths that it used instead.
fn unwiden(
    joined: &Joined,
    scheme: &Scheme,
    user: &mut User,
    mine: &[&JoinedDemand],
    permissions: &mut Permissions,
    (path, operation): (&str, Operation),
    withdrawn: &mut Vec<(String, String)>,
) -> bool {
    let texts = winner(joined, scheme, user, path, operation);
    let wide: BTreeSet<u32> = texts.iter().flat_map(|text| permissions.of(text)).collect();
    let before = user.barred.len();
    user.barred.extend(&wide);
    let barred = user.barred.len() > before;
    let needed = wide.intersection(&user.needs).copied().collect();
    let who = joined.holders[user.holder].display();
    if let (Some(text), true) = (texts.first(), barred) {
        withdrawn.push((
            format!("`{text}` for `{who}`"),
            format!("it would open `{path}`; exact paths instead"),
        ));
    }
    replace(joined, user, mine, permissions, &needed) || barred
}

/// Replaces permissions of a user by the exact paths that it used through them.
fn replace(
    joined: &Joined,
    user: &mut User,
    mine: &[&JoinedDemand],
    permissions: &mut Permissions,
    wide: &BTreeSet<u32>,
) -> bool {
    let patterns: Vec<(u32, Pattern, Capability)> = wide
        .iter()
        .filter_map(|&n| {
            let p = permissions.all.get(n as usize)?;
            let identity = &joined.holders[user.holder].identity;
            let own = match is_templated(&p.path) {
                true => filled(&p.path, identity)?,
                false => p.path.to_string(),
            };
            let pattern = Pattern::parse(&own, &p.namespace).ok()?;
            let wide = !pattern.is_exact() || is_templated(&p.path);
            (wide && p.source.is_none()).then_some((n, pattern, p.capability))
        })
        .collect();
    if patterns.is_empty() {
        return false;
    }
    for (n, _, _) in &patterns {
        user.needs.remove(n);
    }
    for d in mine.iter().filter(|d| matches!(d.outcome, Outcome::Explained(_))) {
        if patterns
            .iter()
            .any(|(_, p, c)| p.matches(&d.path) && d.needs().contains(*c))
        {
            for capability in kept(joined, d).iter() {
                user.needs.insert(permissions.number(exact(joined, d, capability)));
            }
        }
    }
    true
}
