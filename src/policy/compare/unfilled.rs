//! Policies whose holder is not known: stanzas with templates that nothing fills.
//!
//! What such a stanza matches is not known, so differences are looked for under a few fillings (none, values that occur nowhere,
//! and literals that stand where the template does); each one found is real under the filling that is told with it. That there
//! is no other difference is claimed only where the templates cannot tell the two sides apart, whatever they are filled with.

use super::outcome::{Asked, Comparison, Difference, Open};
use crate::policy::acl::{Acl, Rule, SkipReason};
use crate::policy::model::{Constraints, Policy, Stanza};
use crate::policy::pattern::Pattern;
use crate::policy::profile::{ListRule, Profile, TemplateRule};
use crate::policy::relation;
use crate::policy::template::{Identity, Unfillable};
use crate::vault::{Capability, CapabilitySet, Operation};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// More fillings than this are not tried.
const MOST_FILLINGS: usize = 24;

/// Compares policies for a holder of whom nothing is known. `compare` compares two lists.
pub(super) fn compare(
    profile: Profile,
    old: &[&Policy],
    new: &[&Policy],
    now: Option<i64>,
    compare: impl Fn(&Acl, &Acl) -> Comparison,
) -> Comparison {
    let nobody = Identity::default();
    let lists = [old, new].map(|policies| Acl::compile(profile, policies, &nobody, now));
    let [old_list, new_list] = &lists;
    let mut found = compare(old_list, new_list);
    let sides = [Unfilled::of(old, old_list), Unfilled::of(new, new_list)];
    let [old_side, new_side] = &sides;
    if old_side.stanzas.is_empty() && new_side.stanzas.is_empty() {
        return found;
    }
    for filling in fillings(old_side, new_side, &lists) {
        let filled = [old, new].map(|policies| fill(policies, &filling));
        let [old_filled, new_filled] = filled.each_ref().map(|policies| {
            let policies: Vec<&Policy> = policies.iter().collect();
            Acl::compile(profile, &policies, &nobody, now)
        });
        let under = compare(&old_filled, &new_filled);
        let when: Vec<String> = filling
            .iter()
            .map(|(name, value)| format!("`{{{{{name}}}}}` is `{value}`"))
            .collect();
        add(&mut found.gained, under.gained, &when);
        add(&mut found.lost, under.lost, &when);
        found.incomplete = found.incomplete.take().or(under.incomplete);
    }
    for (more, less, open, old_first) in [
        (
            (new_side, new_list),
            (old_side, old_list),
            &mut found.open_gained,
            false,
        ),
        ((old_side, old_list), (new_side, new_list), &mut found.open_lost, true),
    ] {
        if let Some(path) = may_tell_apart(profile, more, less) {
            let asked = Asked {
                operation: Operation::Read,
                path,
                data: None,
                wrap_ttl_ns: None,
            };
            let side = if old_first { "old" } else { "new" };
            open.push(Open {
                asked,
                old: None,
                new: None,
                reason: format!(
                    "with its template filled in, this stanza may give the {side} side more than the other under a value that was not tried"
                ),
            });
        }
    }
    found
}

/// Adds the differences that are not told yet, with the circumstances in which they show.
pub(super) fn add(told: &mut Vec<Difference>, more: Vec<Difference>, when: &[String]) {
    let sources = |d: &Difference| [&d.old, &d.new].map(|decider| decider.as_ref().map(|d| d.sources.clone()));
    for mut difference in more {
        let known = told.iter().any(|d| {
            d.aspect == difference.aspect
                && d.asked.operation == difference.asked.operation
                && sources(d) == sources(&difference)
        });
        if !known {
            difference.when.extend_from_slice(when);
            told.push(difference);
        }
    }
}

/// What all stanzas with the same templated path give together.
#[derive(Debug, Clone, PartialEq)]
struct Given {
    capabilities: CapabilitySet,
    /// In the order of the text.
    constraints: Vec<Constraints>,
    /// What the templates may be filled with, in any of the policies.
    rule: TemplateRule,
}

impl Given {
    fn is_free(&self) -> bool {
        self.constraints.iter().all(Constraints::is_empty)
    }
}

const DENY: CapabilitySet = CapabilitySet::of(Capability::Deny);

/// The stanzas of one side that only an identity could fill.
struct Unfilled<'p> {
    stanzas: Vec<&'p Stanza>,
    /// By path, with one form of white space in the braces.
    given: BTreeMap<(Arc<str>, String), Given>,
}

impl<'p> Unfilled<'p> {
    fn of(policies: &[&'p Policy], list: &Acl) -> Self {
        let mut found = Self {
            stanzas: Vec::new(),
            given: BTreeMap::new(),
        };
        for skip in list.skips() {
            match &skip.reason {
                SkipReason::Template(Unfillable::Unbalanced) | SkipReason::Expired | SkipReason::Pattern(_) => continue,
                SkipReason::Template(_) => {}
            }
            let Some(policy) = policies.get(skip.policy) else {
                continue;
            };
            let Some(stanza) = policy.stanzas.get(skip.stanza) else {
                continue;
            };
            found.stanzas.push(stanza);
            let path = stanza.bare_path();
            let alone = Given {
                capabilities: stanza.capability_set(),
                constraints: vec![stanza.constraints.clone()],
                rule: list.profile().template_rule(policy),
            };
            let key = (
                policy.namespace.clone(),
                replace(path, |name| Some(format!("{{{{{name}}}}}"))),
            );
            match found.given.get_mut(&key) {
                None => {
                    found.given.insert(key, alone);
                }
                Some(given) => {
                    given.capabilities = given.capabilities.union(alone.capabilities);
                    given.constraints.extend(alone.constraints);
                    given.rule = given.rule.or(alone.rule);
                }
            }
        }
        for given in found.given.values_mut() {
            if given.capabilities.contains(Capability::Deny) {
                given.capabilities = DENY;
                given.constraints.clear();
            }
        }
        found
    }

    fn names(&self) -> BTreeSet<String> {
        self.stanzas.iter().flat_map(|s| names(&s.path)).collect()
    }
}

/// Of the side `more`, a templated path that may let something through that the other side does not; none where that cannot
/// be, whatever the templates are filled with. It cannot be where both sides have the same patterns wherever a templated path
/// may reach, and each gives on this side no more than on the other: then the deciding pattern is the same on both sides. A
/// templated path may be on one side only where it is a [`Site::harmless_loss`] or a [`Site::harmless_gain`].
fn may_tell_apart(profile: Profile, more: (&Unfilled<'_>, &Acl), less: (&Unfilled<'_>, &Acl)) -> Option<String> {
    let together = profile.list_rule(Operation::List) == Some(ListRule::Together);
    let suspects = suspects(more.1, less.1, together);
    let keys: BTreeSet<_> = more.0.given.keys().chain(less.0.given.keys()).collect();
    for key in keys {
        let (here, there) = (more.0.given.get(key), less.0.given.get(key));
        let rules = [here, there].into_iter().flatten().map(|given| given.rule);
        let site = Site {
            rule: rules.reduce(TemplateRule::or).unwrap_or(TemplateRule::ANY),
            any_case: profile.deny_ignores_case(),
            namespace: &key.0,
            path: &key.1,
        };
        let fine = match (here, there) {
            (Some(here), Some(there)) => within(
                (here.capabilities, &here.constraints[..]),
                (there.capabilities, &there.constraints[..]),
                together,
            ),
            (None, Some(gone)) => site.harmless_loss(gone, more),
            (Some(come), None) => site.harmless_gain(come, less, together),
            (None, None) => true,
        };
        if !fine || suspects.iter().any(|s| site.may_meet(s)) {
            return Some(format!("{}{}", key.0, key.1));
        }
    }
    None
}

/// The patterns that are not on both sides, or give more on the first.
fn suspects<'a>(more: &'a Acl, less: &'a Acl, together: bool) -> Vec<&'a Pattern> {
    let rules =
        |list: &'a Acl| -> HashMap<&'a Pattern, &'a Rule> { list.rules().iter().map(|r| (&r.pattern, r)).collect() };
    let (ours, theirs) = (rules(more), rules(less));
    let alike = |here: &Rule, there: &Rule| {
        let (k, l) = (here.constraints(), there.constraints());
        let one = std::slice::from_ref;
        within((here.capabilities, one(k)), (there.capabilities, one(l)), together)
    };
    let here = more
        .rules()
        .iter()
        .filter(|r| !theirs.get(&r.pattern).is_some_and(|t| alike(r, t)));
    let there = less.rules().iter().filter(|r| !ours.contains_key(&r.pattern));
    here.chain(there).map(|r| &r.pattern).collect()
}

/// A templated path.
struct Site<'p> {
    rule: TemplateRule,
    /// Whether a deny looks at no case.
    any_case: bool,
    namespace: &'p str,
    path: &'p str,
}

impl Site<'_> {
    /// Whether the path, filled with some value, may be weighed against `pattern`: both match one path, or one a path and the
    /// other the same with a slash behind it, which a LIST weighs together. May say yes where it is no.
    fn may_meet(&self, pattern: &Pattern) -> bool {
        let spelt = |p: &Pattern| if self.any_case { p.lower_case() } else { p.clone() };
        let pattern = &spelt(pattern);
        let slashed = |p: &Pattern| Pattern {
            text: format!("{}/", p.text).into(),
            ..p.clone()
        };
        let meets = |filled: &Pattern| {
            let filled = &spelt(filled);
            !relation::disjoint(filled, pattern)
                || (!filled.prefix && !relation::disjoint(&slashed(filled), pattern))
                || (!pattern.prefix && !relation::disjoint(filled, &slashed(pattern)))
        };
        match shapes(self.rule, self.namespace, self.path, pattern.segments().count()) {
            Some(shapes) => shapes.iter().any(meets),
            None => meets(&Pattern {
                text: self.head().trim_end_matches('/').into(),
                prefix: true,
                segment_wildcards: false,
            }),
        }
    }

    /// What all its fillings begin with.
    fn head(&self) -> String {
        let head = self.path.split("{{").next().unwrap_or_default();
        format!("{}{head}", self.namespace)
    }

    /// Whether its loss gives nothing back: whatever else may decide where it did gives no more than it did, freely.
    fn harmless_loss(&self, gone: &Given, left: (&Unfilled<'_>, &Acl)) -> bool {
        let within = |c: CapabilitySet| c.difference(DENY).is_subset(gone.capabilities);
        gone.is_free()
            && !gone.capabilities.contains(Capability::Deny)
            && left.0.given.values().all(|g| within(g.capabilities))
            && left
                .1
                .rules()
                .iter()
                .all(|r| within(r.capabilities) || !self.may_meet(&r.pattern))
    }

    /// Whether it gives nothing that was not there: a prefix covers it, and whatever may decide where it does gives as much,
    /// freely. Or it only takes away.
    fn harmless_gain(&self, come: &Given, before: (&Unfilled<'_>, &Acl), together: bool) -> bool {
        if come.capabilities.difference(DENY).is_empty() {
            // One that gives nothing may hide a deny where a LIST weighs several.
            return come.capabilities.contains(Capability::Deny) || (come.is_free() && !together);
        }
        let head = self.head();
        let within = |c: CapabilitySet| come.capabilities.is_subset(c);
        let rules = before.1.rules();
        rules
            .iter()
            .any(|r| r.pattern.is_plain_prefix() && head.starts_with(&*r.pattern.text))
            && before.0.given.values().all(|g| g.is_free() && within(g.capabilities))
            && rules
                .iter()
                .all(|r| (r.is_unconstrained() && within(r.capabilities)) || !self.may_meet(&r.pattern))
    }
}

/// The patterns that a path with one template can become, as far as one with so many segments can tell; none where only the
/// part before the template is certain.
fn shapes(rule: TemplateRule, namespace: &str, path: &str, segments: usize) -> Option<Vec<Pattern>> {
    const MANY_SEGMENTS: usize = 64;
    let (head, rest) = path.split_once("{{")?;
    let (_, tail) = rest.split_once("}}")?;
    // A value may end in `*` itself, and where the path goes on with `*` the template's last segment is a prefix.
    let open_end = tail == "*" || (tail.is_empty() && rule.wildcards);
    if open_end || tail.contains("{{") || segments > MANY_SEGMENTS {
        return None;
    }
    let before = head.rsplit_once('/').map_or("", |(before, _)| before);
    let after = tail.split_once('/').map(|(_, after)| after);
    let most = if rule.slashes { segments + 1 } else { 1 };
    (1..=most)
        .map(|count| {
            let mut parts: Vec<&str> = Vec::new();
            if head.contains('/') {
                parts.push(before);
            }
            parts.extend(std::iter::repeat_n("+", count));
            parts.extend(after);
            // The segment of the template may end in `*` behind some text.
            let path = parts.join("/");
            match after {
                None if tail.ends_with('*') => None,
                _ => Pattern::parse(&path, namespace).ok(),
            }
        })
        .collect()
}

/// Whether the first gives no more than the second, alone and merged with any third.
fn within(here: (CapabilitySet, &[Constraints]), there: (CapabilitySet, &[Constraints]), together: bool) -> bool {
    let free = |constraints: &[Constraints]| constraints.iter().all(Constraints::is_empty);
    if here.0.contains(Capability::Deny) || there.0.contains(Capability::Deny) {
        // A deny swallows whatever it merges with, constraints too.
        return here.0.contains(Capability::Deny);
    }
    here.0.difference(DENY).is_subset(there.0)
        && (here.1 == there.1 || (free(here.1) && free(there.1)))
        && (!together || free(here.1) || here.0 == there.0)
}

/// Fillings worth a try: for each template's name a value that occurs nowhere; and for each in turn the literals that other
/// patterns have in its place.
fn fillings(old: &Unfilled<'_>, new: &Unfilled<'_>, lists: &[Acl; 2]) -> Vec<Vec<(String, String)>> {
    let names: BTreeSet<String> = old.names().into_iter().chain(new.names()).collect();
    let stanzas = || old.stanzas.iter().chain(&new.stanzas);
    let patterns = || lists.iter().flat_map(Acl::rules).map(|r| &r.pattern);
    let occurs = |value: &str| patterns().any(|p| p.text.contains(value)) || stanzas().any(|s| s.path.contains(value));
    let mut numbers = 1..;
    let mut unused = || {
        numbers
            .by_ref()
            .map(|n| format!("v{n}"))
            .find(|v| !occurs(v))
            .unwrap_or_default()
    };
    let plain: Vec<(String, String)> = names.iter().map(|name| (name.clone(), unused())).collect();
    let mut all = vec![plain.clone()];
    for (place, name) in names.iter().enumerate() {
        let mut literals: BTreeSet<&str> = BTreeSet::new();
        for stanza in stanzas() {
            let path = stanza.bare_path();
            for (depth, segment) in path.split('/').enumerate() {
                if names_in(segment).any(|n| n == *name) {
                    let there = patterns().filter_map(|p| p.segments().nth(depth));
                    literals.extend(there.filter(|s| !s.is_empty() && !s.contains(['+', '*'])));
                }
            }
        }
        for literal in literals {
            if all.len() >= MOST_FILLINGS {
                return all;
            }
            let mut filling = plain.clone();
            if let Some(entry) = filling.get_mut(place) {
                literal.clone_into(&mut entry.1);
            }
            all.push(filling);
        }
    }
    all
}

fn fill(policies: &[&Policy], filling: &[(String, String)]) -> Vec<Policy> {
    let value = |name: &str| filling.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
    policies
        .iter()
        .map(|policy| {
            let mut policy = (*policy).clone();
            for stanza in policy.stanzas.iter_mut().filter(|s| s.templated) {
                stanza.path = replace(&stanza.path, value).into();
                stanza.templated = stanza.path.contains("{{");
            }
            policy
        })
        .collect()
}

/// The names in the braces of a path.
fn names(path: &str) -> Vec<String> {
    names_in(path).map(str::to_owned).collect()
}

fn names_in(text: &str) -> impl Iterator<Item = &str> {
    text.split("{{")
        .skip(1)
        .filter_map(|piece| piece.split_once("}}"))
        .map(|(inside, _)| inside.trim())
        .filter(|name| name.starts_with("identity."))
}

/// The path with every template of which `value` knows a value replaced.
fn replace(path: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut pieces = path.split("{{");
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        match piece.split_once("}}") {
            Some((inside, rest)) => {
                match value(inside.trim()) {
                    Some(text) => out.push_str(&text),
                    None => out.extend(["{{", inside, "}}"]),
                }
                out.push_str(rest);
            }
            None => out.extend(["{{", piece]),
        }
    }
    out
}
