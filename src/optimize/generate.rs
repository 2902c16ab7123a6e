//! A policy from nothing: the least readable one for what some holders used, proven by deciding all of it again.

use super::paths::{self, Chosen, Field, Price, Used};
use super::templates;
use crate::access::{HolderId, Joined, JoinedDemand};
use crate::hint::Hint;
use crate::origin::Origin;
use crate::policy::acl::Acl;
use crate::policy::model::{Constraints, Policy, Stanza};
use crate::policy::pattern::Pattern;
use crate::policy::syntax::{self, ParseError, print};
use crate::policy::template::is_templated;
use crate::vault::{Capability, CapabilitySet, protected};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How paths are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Each path that was used.
    Exact,
    /// Folders and `+` where they cost less.
    Folders,
    /// The same, and identity templates.
    Templates,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Generated {
    /// The policy, a comment for each stanza.
    pub text: String,
    /// The namespace that it is to be written in: the one that all that was used lies in or below.
    pub namespace: String,
    /// Its stanzas.
    pub stanzas: usize,
    /// Requests that it was made of; each was decided again and is allowed.
    pub requests: u64,
    /// Paths among them.
    pub paths: usize,
    /// Requests that need no stanza.
    pub free: u64,
    /// Paths that no stanza can say alone, with their requests: they hold `*`, `+` or braces of a template.
    pub unsayable: Vec<(String, u64)>,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// Nothing was used that needs a stanza.
    #[error("nothing was used that needs a policy")]
    NothingUsed,
    /// The text does not read back.
    #[error("the policy made does not read back: {0}")]
    Text(Box<ParseError>),
    /// A request that it was made of is denied.
    #[error("the policy made denies {operation} of `{path}`, which was used")]
    Denied {
        /// What was asked.
        operation: &'static str,
        /// Of which path.
        path: String,
    },
}

impl Hint for GenerateError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(match self {
            Self::NothingUsed => "`usage` shows what the logs hold, and by whom",
            Self::Text(_) | Self::Denied { .. } => "this is a fault of the program: please report it",
        }))
    }

    fn found_nothing(&self) -> bool {
        matches!(self, Self::NothingUsed)
    }
}

/// Makes the policy for what `whose` used.
///
/// # Errors
/// Where they used nothing that needs one. That the policy would not do is a fault, found by its proof.
pub fn generate(
    joined: &Joined,
    whose: impl Fn(HolderId) -> bool,
    style: Style,
    price: &Price,
    mounts: &[String],
) -> Result<Generated, GenerateError> {
    let mut free = 0;
    let mut unsayable: BTreeMap<String, u64> = BTreeMap::new();
    let mut demands: Vec<&JoinedDemand> = Vec::new();
    for demand in joined.demands.iter().filter(|d| d.was_allowed() && whose(d.holder)) {
        if is_free(demand) {
            free += demand.demand.allowed;
        } else if sayable(&demand.path) {
            demands.push(demand);
        } else {
            *unsayable.entry(demand.path.clone()).or_default() += demand.demand.allowed;
        }
    }
    let used = used(&demands);
    if used.is_empty() {
        return Err(GenerateError::NothingUsed);
    }
    let namespace = common(demands.iter().map(|d| &*d.demand.namespace));
    let mut chosen = cover(joined, &demands, &used, style, price, mounts);
    // A stanza that another one hides wherever its holder needs it comes back as it was used, and is tried again.
    let mut tries = 0;
    let policy = loop {
        let policy = parsed(joined, &print::policy(&stanzas(&chosen, &namespace)), &namespace)?;
        let denied = denied(joined, &policy, &demands);
        let Some(first) = denied.first() else { break policy };
        tries += 1;
        if tries > 3 {
            return Err(GenerateError::Denied {
                operation: first.operation().as_str(),
                path: first.path.clone(),
            });
        }
        for demand in denied {
            if let Some(used) = used.iter().find(|u| u.path == demand.path) {
                add(&mut chosen, &used.path, used.capabilities);
            }
        }
    };
    let told = evidence(joined, &policy, &demands);
    let blocks: Vec<String> = policy
        .stanzas
        .iter()
        .enumerate()
        .map(|(n, stanza)| print::commented(&told.get(&n).map(Told::lines).unwrap_or_default(), stanza))
        .collect();
    let text = blocks.join("\n");
    // What is proven is what is written.
    let written = parsed(joined, &text, &namespace)?;
    if let Some(first) = denied(joined, &written, &demands).first() {
        return Err(GenerateError::Denied {
            operation: first.operation().as_str(),
            path: first.path.clone(),
        });
    }
    Ok(Generated {
        stanzas: written.stanzas.len(),
        text,
        namespace,
        requests: demands.iter().map(|d| d.demand.allowed).sum(),
        paths: used.len(),
        free,
        unsayable: unsayable.into_iter().collect(),
    })
}

/// Whether a request needs no stanza, whoever makes it.
fn is_free(demand: &JoinedDemand) -> bool {
    let d = &demand.demand;
    d.principal.kind == crate::vault::PrincipalKind::Unauthenticated
        || protected::is_mount_question(&d.path)
        || protected::unauthenticated(&d.mount_type, &d.path)
}

/// Whether a stanza of this path means just itself.
fn sayable(path: &str) -> bool {
    !is_templated(path)
        && !path.contains("}}")
        && !path.starts_with('/')
        && Pattern::parse(path, "").is_ok_and(|p| p.is_exact())
}

/// Whether `sudo` was asked for, also where the path alone does not ask for it.
fn asks_for_sudo(demand: &JoinedDemand) -> bool {
    let d = &demand.demand;
    demand.needs_sudo || protected::asks_for_sudo(&d.mount_type, &d.path, |key| d.keys_ever.contains(key))
}

/// What a request needs. Who created a thing will change it: to a client both are one request.
fn needs(demand: &JoinedDemand) -> CapabilitySet {
    let mut needs = demand.needs();
    if asks_for_sudo(demand) {
        needs.insert(Capability::Sudo);
    }
    if needs.contains(Capability::Create) {
        needs.insert(Capability::Update);
    }
    needs
}

fn used(demands: &[&JoinedDemand]) -> Vec<Used> {
    let mut by_path: BTreeMap<&str, CapabilitySet> = BTreeMap::new();
    for demand in demands {
        let place = by_path.entry(&demand.path).or_default();
        *place = place.union(needs(demand));
    }
    by_path
        .into_iter()
        .map(|(path, capabilities)| Used {
            path: path.to_owned(),
            capabilities,
        })
        .collect()
}

/// The namespace that all of these lie in or below.
fn common<'n>(namespaces: impl Iterator<Item = &'n str>) -> String {
    let mut common: Option<&str> = None;
    for namespace in namespaces {
        let mut kept = common.unwrap_or(namespace);
        while !namespace.starts_with(kept) {
            let parent = kept.trim_end_matches('/');
            kept = parent.rfind('/').and_then(|cut| parent.get(..=cut)).unwrap_or("");
        }
        common = Some(kept);
    }
    common.unwrap_or("").to_owned()
}

fn cover(
    joined: &Joined,
    demands: &[&JoinedDemand],
    used: &[Used],
    style: Style,
    price: &Price,
    mounts: &[String],
) -> BTreeMap<String, CapabilitySet> {
    let mut chosen = BTreeMap::new();
    if style == Style::Exact {
        for one in used {
            add(&mut chosen, &one.path, one.capabilities);
        }
        return chosen;
    }
    let everything = Pattern {
        text: "".into(),
        prefix: true,
        segment_wildcards: false,
    };
    let mut by_holder: HashMap<(&str, HolderId), CapabilitySet> = HashMap::new();
    for demand in demands {
        let place = by_holder.entry((&demand.path, demand.holder)).or_default();
        *place = place.union(needs(demand));
    }
    let (further, shared) = if style == Style::Templates {
        let uses = uses(used, &by_holder);
        (
            templates::candidates(joined, &uses, &everything, price),
            shared(used, &by_holder, price),
        )
    } else {
        (Vec::new(), Vec::new())
    };
    let found = paths::cover(&Field {
        used,
        universe: joined.universe.paths(),
        within: &everything,
        within_text: "*",
        price,
        mounts,
        further: &further,
        shared: &shared,
    });
    for Chosen { path, capabilities, .. } in found.stanzas {
        add(&mut chosen, &path, capabilities);
    }
    chosen
}

fn add(chosen: &mut BTreeMap<String, CapabilitySet>, path: &str, capabilities: CapabilitySet) {
    let place = chosen.entry(path.to_owned()).or_default();
    *place = place.union(capabilities);
}

fn uses<'u>(used: &'u [Used], by_holder: &HashMap<(&str, HolderId), CapabilitySet>) -> Vec<templates::Use<'u>> {
    let mut uses: Vec<templates::Use<'u>> = by_holder
        .iter()
        .filter_map(|((path, holder), capabilities)| {
            let number = used.binary_search_by(|u| u.path.as_str().cmp(path)).ok()?;
            Some(templates::Use {
                number: u32::try_from(number).ok()?,
                path: &used.get(number)?.path,
                capabilities: *capabilities,
                holder: *holder,
            })
        })
        .collect();
    uses.sort_by_key(|u| (u.number, u.holder));
    uses
}

/// By path: the weight of what others used there, for a holder in the mean.
fn shared(used: &[Used], by_holder: &HashMap<(&str, HolderId), CapabilitySet>, price: &Price) -> Vec<f64> {
    let holders: BTreeSet<HolderId> = by_holder.keys().map(|(_, holder)| *holder).collect();
    used.iter()
        .map(|u| {
            let weight = |holder: &HolderId| {
                let own = by_holder.get(&(u.path.as_str(), *holder)).copied().unwrap_or_default();
                price.weigh(&u.path, u.capabilities.difference(own))
            };
            holders.iter().map(weight).sum::<f64>() / holders.len().max(1) as f64
        })
        .collect()
}

fn stanzas(chosen: &BTreeMap<String, CapabilitySet>, namespace: &str) -> Vec<Stanza> {
    chosen
        .iter()
        .map(|(path, capabilities)| {
            let path = path.strip_prefix(namespace).unwrap_or(path);
            Stanza {
                path: path.into(),
                templated: is_templated(path),
                capabilities: capabilities.iter().collect(),
                constraints: Constraints::default(),
                origin: Origin::new("generated", 1, 1),
                span: 0..0,
                capabilities_span: None,
                comment: Vec::new(),
                comment_span: None,
                keys: Vec::new(),
                in_two_cases: Vec::new(),
            }
        })
        .collect()
}

fn parsed(joined: &Joined, text: &str, namespace: &str) -> Result<Policy, GenerateError> {
    let dialect = joined.profile.dialect();
    let mut policy =
        syntax::parse("generated", "generated", text, &dialect).map_err(|e| GenerateError::Text(Box::new(e)))?;
    policy.namespace = namespace.into();
    Ok(policy)
}

/// The policy as each holder has it, its templates filled in.
fn compiled<'j>(joined: &'j Joined, policy: &Policy) -> impl FnMut(HolderId, &mut dyn FnMut(&Acl)) + use<'j> {
    let templated = policy.stanzas.iter().any(|s| s.templated);
    let policy = policy.clone();
    let mut kept: HashMap<Option<HolderId>, Acl> = HashMap::new();
    move |holder, look| {
        let acl = kept
            .entry(templated.then_some(holder))
            .or_insert_with(|| Acl::compile(joined.profile, &[&policy], &joined.holders[holder].identity, joined.now));
        look(acl);
    }
}

/// The requests that the policy denies.
fn denied<'d>(joined: &Joined, policy: &Policy, demands: &[&'d JoinedDemand]) -> Vec<&'d JoinedDemand> {
    let mut with = compiled(joined, policy);
    let mut found = Vec::new();
    for demand in demands {
        with(demand.holder, &mut |acl| {
            let check = acl.check(demand.operation(), &demand.path);
            if !check.allowed || (asks_for_sudo(demand) && !check.sudo) {
                found.push(*demand);
            }
        });
    }
    found
}

/// What a stanza was made of.
#[derive(Default)]
struct Told {
    paths: BTreeSet<String>,
    holders: BTreeSet<HolderId>,
    names: BTreeSet<String>,
    requests: u64,
    days: (Option<String>, Option<String>),
}

impl Told {
    fn lines(&self) -> Vec<String> {
        const NAMED: usize = 3;
        let mut names: Vec<&str> = self.names.iter().take(NAMED).map(String::as_str).collect();
        let more = self.names.len().saturating_sub(NAMED);
        let others = format!("{more} more");
        if more > 0 {
            names.push(&others);
        }
        let when = match &self.days {
            (Some(first), Some(last)) if first == last => format!(" on {first}"),
            (Some(first), Some(last)) => format!(" from {first} to {last}"),
            _ => String::new(),
        };
        let requests = if self.requests == 1 { "request" } else { "requests" };
        let paths = match self.paths.len() {
            1 => String::new(),
            n => format!(" to {n} paths"),
        };
        vec![format!(
            "{} {requests}{paths} by {}{when}",
            self.requests,
            names.join(", ")
        )]
    }
}

/// By stanza: the requests that it allows.
fn evidence(joined: &Joined, policy: &Policy, demands: &[&JoinedDemand]) -> BTreeMap<usize, Told> {
    let mut with = compiled(joined, policy);
    let mut told: BTreeMap<usize, Told> = BTreeMap::new();
    for demand in demands {
        with(demand.holder, &mut |acl| {
            let winner = acl.winner(demand.operation(), &demand.path).and_then(|id| acl.rule(id));
            for source in winner.into_iter().flat_map(|rule| &rule.sources) {
                let place = told.entry(source.stanza).or_default();
                place.paths.insert(demand.path.clone());
                place.holders.insert(demand.holder);
                // In one line, whatever somebody calls himself.
                let words: Vec<&str> = joined.holders[demand.holder].display().split_whitespace().collect();
                place.names.insert(words.join(" "));
                place.requests += demand.demand.allowed;
                let day = |t: Option<jiff::Timestamp>| t.map(|t| t.strftime("%Y-%m-%d").to_string());
                let (first, last) = (day(demand.demand.first_seen), day(demand.demand.last_seen));
                place.days.0 = match (place.days.0.take(), first) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
                place.days.1 = place.days.1.take().max(last);
            }
        });
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_meet_where_all_lie_below() {
        for (all, want) in [
            (&["", "a/"][..], ""),
            (&["a/", "a/"], "a/"),
            (&["a/b/", "a/c/"], "a/"),
            (&["ab/", "a/"], ""),
            (&[], ""),
        ] {
            assert_eq!(common(all.iter().copied()), want, "{all:?}");
        }
    }

    #[test]
    fn paths_that_would_mean_more_than_themselves_are_not_said() {
        for path in ["a/*", "a/+/b", "a/{{x}}", "/a"] {
            assert!(!sayable(path), "{path}");
        }
        assert!(sayable("a/b") && sayable("a/"));
    }
}
