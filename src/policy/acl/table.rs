//! The compiled list itself.

use super::build::{self, Built};
use super::decision::{Check, Decision, Reason, Request};
use super::matcher::{self, Best, Collect, Matcher, Ranked, Sink};
use super::rule::{PolicyRef, Rule, RuleId, Skip};
use crate::policy::constraints;
use crate::policy::model::Policy;
use crate::policy::pattern::Pattern;
use crate::policy::profile::{ListRule, Profile};
use crate::policy::template::Identity;
use crate::vault::name::lower;
use crate::vault::{Capability, CapabilitySet, Operation, path};
use std::collections::HashMap;
use std::sync::Arc;

/// Every stanza in force of a token's policies, compiled for one server profile and one identity.
#[derive(Debug)]
pub struct Acl {
    profile: Profile,
    root: Root,
    rules: Vec<Rule>,
    /// The capabilities of the rules again, close together for the walk.
    capabilities: Vec<CapabilitySet>,
    policies: Vec<PolicyRef>,
    skips: Vec<Skip>,
    matcher: Matcher,
    /// The rules that deny, in lower case, where the server matches those whatever the case of the path; `matcher` has the rest.
    denials: Option<Matcher>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Root {
    No,
    /// The root policy alone, and the namespace it is of.
    Yes(Arc<str>),
    /// The root policy beside others: the servers refuse such a token.
    NotAlone,
}

/// What decides a path: a rule, or nothing that matches.
type Winner = Option<RuleId>;

impl Acl {
    /// Compiles policies for a token of `identity`. `now` (seconds since the epoch; the clock where none is given) decides
    /// which `expiration` is past.
    #[must_use]
    pub fn compile(profile: Profile, policies: &[&Policy], identity: &Identity, now: Option<i64>) -> Self {
        let root = match policies.iter().find(|p| p.is_root()) {
            None => Root::No,
            Some(policy) if policies.len() == 1 => Root::Yes(policy.namespace.clone()),
            Some(_) => Root::NotAlone,
        };
        let Built { rules, policies, skips } = build::build(profile, policies, identity, now);
        let marked = || (1u32..).zip(&rules);
        let folds = |rule: &Rule| profile.deny_ignores_case() && rule.capabilities.contains(Capability::Deny);
        let folded: Vec<(u32, Pattern)> = marked()
            .filter(|(_, rule)| folds(rule))
            .map(|(mark, rule)| (mark, rule.pattern.lower_case()))
            .collect();
        let denials =
            (!folded.is_empty()).then(|| matcher::build(&rules, folded.iter().map(|(mark, pattern)| (*mark, pattern))));
        let others = marked().filter(|(_, rule)| !folds(rule));
        let matcher = matcher::build(&rules, others.map(|(mark, rule)| (mark, &rule.pattern)));
        Self {
            profile,
            root,
            capabilities: rules.iter().map(|r| r.capabilities).collect(),
            rules,
            policies,
            skips,
            matcher,
            denials,
        }
    }

    /// The server profile it was compiled for.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// Whether it is the root policy, which allows everything.
    #[must_use]
    pub const fn is_root(&self) -> bool {
        matches!(self.root, Root::Yes(_))
    }

    /// The rules, weakest first: of those that match, the last decides. Indexed by [`RuleId::index`].
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rules with their ids.
    pub fn rules_with_ids(&self) -> impl Iterator<Item = (RuleId, &Rule)> {
        (0u32..).map(RuleId).zip(&self.rules)
    }

    /// One rule.
    #[must_use]
    pub fn rule(&self, id: RuleId) -> Option<&Rule> {
        self.rules.get(id.index())
    }

    /// The policies it was compiled from, as [`Source::policy`](super::Source) counts them.
    #[must_use]
    pub fn policies(&self) -> &[PolicyRef] {
        &self.policies
    }

    /// The stanzas that are not in force.
    #[must_use]
    pub fn skips(&self) -> &[Skip] {
        &self.skips
    }

    /// Whether the operation on the path (namespace in front) is granted, constraints left aside. Allocates nothing.
    #[must_use]
    pub fn check(&self, operation: Operation, path: &str) -> Check {
        let answer = |allowed, sudo, rule| Check { allowed, sudo, rule };
        let path = path::clean(path);
        match self.root_answer(path) {
            Some(true) => return answer(true, true, None),
            Some(false) => return answer(false, false, None),
            None => {}
        }
        if operation == Operation::Help {
            return answer(true, false, None);
        }
        let winner = self.winner(operation, path);
        let capabilities = self.capabilities_of(winner);
        let granted = self
            .profile
            .capability(operation)
            .is_some_and(|c| capabilities.contains(c));
        answer(granted, capabilities.contains(Capability::Sudo), winner)
    }

    /// Decides a request as the servers do.
    #[must_use]
    pub fn decide(&self, request: &Request<'_>) -> Decision {
        let path = path::clean(request.path);
        let (allowed, winner, reason) = self.reason(request, path);
        let granting = match (&reason, winner) {
            (Reason::Root, _) => self.policies.iter().map(|p| p.name.clone()).collect(),
            (Reason::Granted, Some(rule)) => self.granting(rule, request.operation),
            _ => Vec::new(),
        };
        let sudo = reason == Reason::Root || self.capabilities_of(winner).contains(Capability::Sudo);
        Decision {
            allowed,
            sudo,
            granting,
            capabilities: self.capabilities(path),
            winner,
            reason,
        }
    }

    fn reason(&self, request: &Request<'_>, path: &str) -> (bool, Winner, Reason) {
        match self.root_answer(path) {
            Some(true) => return (true, None, Reason::Root),
            Some(false) if self.root == Root::NotAlone => return (false, None, Reason::RootNotAlone),
            Some(false) => return (false, None, Reason::NoMatch),
            None => {}
        }
        if request.operation == Operation::Help {
            return (true, None, Reason::Help);
        }
        let winner = self.winner(request.operation, path);
        let Some(capability) = self.profile.capability(request.operation) else {
            return (false, winner, Reason::UnknownOperation);
        };
        let Some(rule) = winner.and_then(|id| self.rule(id)) else {
            return (false, None, Reason::NoMatch);
        };
        if !rule.capabilities.contains(capability) {
            let denies = rule.capabilities.contains(Capability::Deny);
            let reason = if denies {
                Reason::Deny
            } else {
                Reason::MissingCapability(capability)
            };
            return (false, winner, reason);
        }
        let (operation, ttl_ns) = (request.operation, request.wrap_ttl_ns);
        match constraints::check(self.profile, operation, rule.constraints(), request.data, ttl_ns) {
            Ok(()) => (true, winner, Reason::Granted),
            Err(refusal) => (false, winner, Reason::Constraint(refusal)),
        }
    }

    /// What the servers' capabilities endpoint says of a path: the path taken as a LIST, words sorted.
    #[must_use]
    pub fn capabilities(&self, path: &str) -> Vec<&'static str> {
        let path = path::clean(path);
        if self.root_answer(path) == Some(true) {
            return vec!["root"];
        }
        let set = self.capability_set(path);
        if set.contains(Capability::Deny) || set.is_empty() {
            return vec![Capability::Deny.as_str()];
        }
        let mut words: Vec<_> = set.iter().map(Capability::as_str).collect();
        words.sort_unstable();
        words
    }

    /// The capabilities of the rule that decides a LIST of the path; empty for the root policy and where nothing matches.
    #[must_use]
    pub fn capability_set(&self, path: &str) -> CapabilitySet {
        if self.root != Root::No {
            return CapabilitySet::EMPTY;
        }
        self.capabilities_of(self.winner(Operation::List, path::clean(path)))
    }

    /// Pairs of a rule that denies and another whose pattern differs from it by the case of letters alone, where the server
    /// lets such a deny match both. Which of them decides, its release notes do not say.
    #[must_use]
    pub fn rules_told_apart_by_case(&self) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        if self.denials.is_none() {
            return pairs;
        }
        let mut denials: HashMap<Pattern, Vec<&Pattern>> = HashMap::new();
        let denies = |rule: &&Rule| rule.capabilities.contains(Capability::Deny);
        for rule in self.rules.iter().filter(denies) {
            denials
                .entry(rule.pattern.lower_case())
                .or_default()
                .push(&rule.pattern);
        }
        for rule in self.rules.iter().filter(|rule| !denies(rule)) {
            let alike = denials.get(&rule.pattern.lower_case()).into_iter().flatten();
            pairs.extend(alike.map(|deny| (deny.to_string(), rule.pattern.to_string())));
        }
        pairs
    }

    /// Every rule that the operation's look-ups find for the path, strongest first.
    #[must_use]
    pub fn matching(&self, operation: Operation, path: &str) -> Vec<RuleId> {
        let path = path::clean(path);
        let mut found = Collect::default();
        self.walk(path, &mut found);
        let mut ids = found.into_ids();
        if let (Some(rule), Some(bare)) = (self.profile.list_rule(operation), path.strip_suffix('/')) {
            let mut found = Collect::default();
            self.walk(bare, &mut found);
            let counts = |id: &RuleId| rule != ListRule::SlashOnly || self.is_exact(*id);
            ids.extend(found.into_ids().into_iter().filter(counts));
        }
        ids.sort_unstable_by(|a, b| b.cmp(a));
        ids.dedup();
        ids
    }

    /// The rule that decides the operation on the path (namespace in front, no leading slash).
    #[must_use]
    pub fn winner(&self, operation: Operation, path: &str) -> Option<RuleId> {
        self.winner_by(self.profile.list_rule(operation), path)
    }

    /// The rule that decides a path where it is looked up so.
    #[must_use]
    pub fn winner_by(&self, rule: Option<ListRule>, path: &str) -> Option<RuleId> {
        if self.root != Root::No {
            return None;
        }
        let (Some(rule), Some(bare)) = (rule, path.strip_suffix('/')) else {
            return self.best(path);
        };
        if rule == ListRule::Together {
            return self.together(path, bare);
        }
        let slashed = self.best(path);
        if slashed.is_some_and(|id| self.is_exact(id)) {
            return slashed;
        }
        let stripped = self.best(bare);
        if stripped.is_some_and(|id| self.is_exact(id)) {
            return stripped;
        }
        match rule {
            ListRule::SlashOnly => slashed,
            ListRule::BareThenSlash => stripped.or(slashed),
            ListRule::SlashThenBare | ListRule::Together => slashed.or(stripped),
        }
    }

    fn best(&self, path: &str) -> Winner {
        let mut best = Best::default();
        self.walk(path, &mut best);
        best.id()
    }

    /// Hands every rule that matches the path to `sink`.
    fn walk(&self, path: &str, sink: &mut impl Sink) {
        self.matcher.walk(path, sink);
        if let Some(denials) = &self.denials {
            in_lower_case(path, |path| denials.walk(path, sink));
        }
    }

    /// [`ListRule::Together`].
    fn together(&self, path: &str, bare: &str) -> Winner {
        let mut ranked = Ranked::new(&self.capabilities, self.matcher.plain_prefixes());
        for form in [path, bare] {
            self.walk(form, &mut ranked);
            if let Some(exact) = ranked.best().filter(|id| self.is_exact(*id)) {
                return Some(exact);
            }
            ranked.end_of_path();
        }
        match (ranked.deny(), ranked.list()) {
            (Some(deny), list) if list.is_none_or(|list| deny > list) => Some(deny),
            (_, Some(list)) => Some(list),
            _ => ranked.best(),
        }
    }

    fn is_exact(&self, id: RuleId) -> bool {
        self.rule(id).is_some_and(|r| r.pattern.is_exact())
    }

    fn capabilities_of(&self, winner: Winner) -> CapabilitySet {
        winner
            .and_then(|id| self.capabilities.get(id.index()))
            .copied()
            .unwrap_or_default()
    }

    fn granting(&self, rule: RuleId, operation: Operation) -> Vec<Arc<str>> {
        let Some((rule, capability)) = self.rule(rule).zip(self.profile.capability(operation)) else {
            return Vec::new();
        };
        let mut names: Vec<_> = rule
            .sources
            .iter()
            .filter(|s| s.capabilities.contains(capability))
            .filter_map(|s| self.policies.get(s.policy))
            .map(|p| p.name.clone())
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The answer of the root policy, where there is one.
    fn root_answer(&self, path: &str) -> Option<bool> {
        match &self.root {
            Root::No => None,
            Root::Yes(namespace) => Some(self.profile.root_is_everywhere() || path.starts_with(&**namespace)),
            Root::NotAlone => Some(false),
        }
    }
}

/// Calls `look` with the path in lower case; of usual paths without an allocation.
fn in_lower_case(path: &str, look: impl FnOnce(&str)) {
    const ROOM: usize = 512;
    let mut room = [0u8; ROOM];
    if let Some(bytes) = room.get_mut(..path.len()).filter(|_| path.is_ascii()) {
        bytes.copy_from_slice(path.as_bytes());
        bytes.make_ascii_lowercase();
        if let Ok(lowered) = std::str::from_utf8(bytes) {
            return look(lowered);
        }
    }
    look(&lower(path));
}
