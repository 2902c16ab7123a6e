//! The matrix that roles are mined from: principals with a policy set, and capabilities on stanza paths.

use super::needs::{self, Needs};
use crate::access::universe::lead;
use crate::access::{AccessSet, HolderId, Joined, JoinedDemand, Outcome, SetId};
use crate::optimize::movable::Movable;
use crate::optimize::proof::{Proposed, ProposedNumber, Scheme};
use crate::optimize::templates::filled;
use crate::policy::pattern::Pattern;
use crate::policy::relation;
use crate::policy::table::{StanzaIdx, stanza_in};
use crate::policy::template::is_templated;
use crate::vault::{Capability, CapabilitySet};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// One principal with one of its policy sets, and the permissions it used.
#[derive(Clone)]
pub(super) struct User {
    pub(super) set: SetId,
    pub(super) holder: HolderId,
    pub(super) needs: BTreeSet<u32>,
    /// Permissions that would open something new in its set: never granted for the sake of fewer roles.
    pub(super) barred: BTreeSet<u32>,
}

/// One capability on one stanza path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Permission {
    pub(super) namespace: Arc<str>,
    pub(super) path: Arc<str>,
    pub(super) capability: Capability,
    /// The stanza of the tightened scheme that constraints are to be copied from.
    pub(super) source: Option<StanzaIdx<Proposed>>,
}

#[derive(Clone, Default)]
pub(super) struct Permissions {
    pub(super) all: Vec<Permission>,
    pub(super) number: HashMap<Permission, u32>,
    by_path: HashMap<Arc<str>, Vec<u32>>,
}

impl Permissions {
    pub(super) fn number(&mut self, permission: Permission) -> u32 {
        if let Some(&n) = self.number.get(&permission) {
            return n;
        }
        let n = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.push(permission.clone());
        self.by_path.entry(permission.path.clone()).or_default().push(n);
        self.number.insert(permission, n);
        n
    }

    /// The permissions on a stanza path as written.
    pub(super) fn of(&self, text: &str) -> impl Iterator<Item = u32> + '_ {
        let text = text.strip_prefix('/').unwrap_or(text);
        self.by_path.get(text).into_iter().flatten().copied()
    }
}

/// The matrix's users, and who keeps what it has: not all that decides for it is known, or others need its
/// policies as they are.
pub(super) fn users(
    joined: &Joined,
    tightened: &Scheme,
    fixed: &[ProposedNumber],
    more: &Needs,
    permissions: &mut Permissions,
) -> (Vec<User>, Vec<(SetId, HolderId)>) {
    let mut demands: BTreeMap<(SetId, HolderId), Vec<&JoinedDemand>> = BTreeMap::new();
    for d in &joined.demands {
        if matches!(d.outcome, Outcome::Explained(_)) {
            demands.entry((d.set, d.holder)).or_default().push(d);
        }
    }
    let movable = Movable::of(joined);
    let mut users = Vec::new();
    let mut untouched = Vec::new();
    for (&(set_id, holder), given) in &tightened.given {
        if !movable.is((set_id, holder)) {
            untouched.push((set_id, holder));
            continue;
        }
        let acl = tightened.acl(joined, set_id, holder, given);
        let mut needs = BTreeSet::new();
        for d in demands.get(&(set_id, holder)).into_iter().flatten() {
            let Some(rule) = acl.winner(d.operation(), &d.path).and_then(|r| acl.rule(r)) else {
                continue;
            };
            for capability in kept(joined, d).iter() {
                let source = rule.sources.iter().find(|s| s.capabilities.contains(capability));
                let Some(id) = source.map(|source| stanza_in(given, source)) else {
                    continue;
                };
                let by_fixed = rule
                    .sources
                    .iter()
                    .any(|s| s.capabilities.contains(capability) && fixed.contains(&stanza_in(given, s).policy()));
                if !by_fixed {
                    needs.insert(permissions.number(permission(tightened, id, capability)));
                }
            }
        }
        for (id, capability) in needs::of(more, (set_id, holder)) {
            if !fixed.contains(&id.policy()) {
                needs.insert(permissions.number(permission(tightened, id, capability)));
            }
        }
        users.push(User {
            set: set_id,
            holder,
            needs,
            barred: BTreeSet::new(),
        });
    }
    (users, untouched)
}

/// A capability of a stanza of the tightened scheme.
pub(super) fn permission(tightened: &Scheme, id: StanzaIdx<Proposed>, capability: Capability) -> Permission {
    let stanza = &tightened.policies[id];
    Permission {
        namespace: tightened.policies[id.policy()].namespace.clone(),
        path: Arc::from(stanza.bare_path()),
        capability,
        source: (!stanza.constraints.is_empty()).then_some(id),
    }
}

/// The permissions by what a stanza at least as wide has to begin with: a list grants few of all that there are.
pub(super) struct Grantable<'a> {
    permissions: &'a Permissions,
    /// Without templates and constraints, sorted by the pattern's text.
    sorted: Vec<(Pattern, Capability, u32)>,
}

impl<'a> Grantable<'a> {
    pub(super) fn of(permissions: &'a Permissions) -> Self {
        let mut sorted: Vec<_> = permissions
            .all
            .iter()
            .zip(0_u32..)
            .filter(|(p, _)| p.source.is_none() && !is_templated(&p.path))
            .filter_map(|(p, n)| Some((Pattern::parse(&p.path, &p.namespace).ok()?, p.capability, n)))
            .collect();
        sorted.sort_by(|(a, _, m), (b, _, n)| (&a.text, m).cmp(&(&b.text, n)));
        Self { permissions, sorted }
    }

    /// The permissions that a user's policies of today hold word for word in a stanza at least as wide, ascending.
    pub(super) fn to(&self, joined: &Joined, user: &User) -> Vec<u32> {
        let set = &joined.sets[user.set];
        let mut found: BTreeSet<u32> = BTreeSet::new();
        for rule in set.acl.rules().iter().filter(|rule| rule.is_unconstrained()) {
            let lead = lead(&rule.pattern);
            let start = self.sorted.partition_point(|(p, _, _)| &*p.text < lead);
            let under = self
                .sorted
                .iter()
                .skip(start)
                .take_while(|(p, _, _)| p.text.starts_with(lead));
            found.extend(
                under
                    .filter(|(pattern, capability, _)| {
                        rule.capabilities.contains(*capability)
                            && within(pattern, &rule.pattern)
                            && !set.may_meet(self::lead(pattern))
                    })
                    .map(|(_, _, n)| *n),
            );
        }
        self.templated(joined, set, &mut found);
        found.retain(|n| !user.barred.contains(n));
        found.extend(&user.needs);
        found.into_iter().collect()
    }

    /// Stanzas with templates are compared as they are written.
    fn templated(&self, joined: &Joined, set: &AccessSet, found: &mut BTreeSet<u32>) {
        for policy in joined.policies.listed(&set.policies) {
            for stanza in policy.stanzas.iter().filter(|s| is_templated(&s.path)) {
                let path: Arc<str> = Arc::from(stanza.bare_path());
                found.extend(stanza.capability_set().iter().filter_map(|capability| {
                    self.permissions.number.get(&Permission {
                        namespace: policy.namespace.clone(),
                        path: path.clone(),
                        capability,
                        source: None,
                    })
                }));
            }
        }
    }
}

/// Whether `wide` matches all that `pattern` matches, of which it is known that it begins with what `wide` begins with.
fn within(pattern: &Pattern, wide: &Pattern) -> bool {
    wide.is_plain_prefix() || relation::implies(pattern, wide)
}

/// Whether an unconstrained stanza of today, at least as wide as the path, has the capability; and no stanza that could not be
/// filled may stand in between.
pub(super) fn grants_text(set: &AccessSet, namespace: &str, path: &str, capability: Capability) -> bool {
    let Ok(pattern) = Pattern::parse(path, namespace) else {
        return false;
    };
    !set.may_meet(lead(&pattern))
        && set.acl.rules().iter().any(|rule| {
            rule.is_unconstrained()
                && rule.capabilities.contains(capability)
                && relation::implies(&pattern, &rule.pattern)
        })
}

/// The same for a templated path, as it is filled for the user.
pub(super) fn grants_filled(joined: &Joined, user: &User, namespace: &str, text: &str, capability: Capability) -> bool {
    let own = filled(text, &joined.holders[user.holder].identity);
    own.is_some_and(|own| grants_text(&joined.sets[user.set], namespace, &own, capability))
}

/// What of a demand has to stay: what it needed, and the other of `create` and `update` where today's rule grants it.
pub(super) fn kept(joined: &Joined, demand: &JoinedDemand) -> CapabilitySet {
    let needs = demand.needs();
    let Outcome::Explained(rule) = demand.outcome else {
        return needs;
    };
    let today = joined.sets[demand.set].acl.rule(rule);
    let today = today.map(|r| r.capabilities).unwrap_or_default();
    needs.union(needs.with_write_twin().intersection(today))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text() -> impl Strategy<Value = String> {
        let segment = prop::sample::select(vec!["a", "b", "ab", "+", ""]);
        (prop::collection::vec(segment, 1..4), prop::bool::ANY, prop::bool::ANY).prop_map(|(segments, slash, star)| {
            let mut text = segments.join("/");
            text.push_str(if slash { "/" } else { "" });
            text.push_str(if star && !text.ends_with('+') { "*" } else { "" });
            text
        })
    }

    proptest! {
        #[test]
        fn looking_under_the_lead_alone_misses_nothing(pattern in text(), wide in text()) {
            let parsed = |text: &str| Pattern::parse(text, "").unwrap();
            let (pattern, wide) = (parsed(&pattern), parsed(&wide));
            let looked_at = pattern.text.starts_with(lead(&wide));
            // What begins with a slash matches no path at all, so that anything is as wide.
            prop_assume!(!pattern.text.starts_with('/'));
            prop_assert_eq!(looked_at && within(&pattern, &wide), relation::implies(&pattern, &wide));
        }
    }
}
