//! The rules once more, as plainly as they can be written, after their description alone.

use serde_json::{Map, Value};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use vault_advisor::policy::model::{Constraints, Policy};
use vault_advisor::policy::profile::Profile;
use vault_advisor::vault::{Capability, CapabilitySet, Operation};

/// A request.
#[derive(Debug, Clone)]
pub struct Ask {
    pub operation: Operation,
    pub path: String,
    pub data: Map<String, Value>,
    pub wrap_s: Option<i64>,
}

/// The merged rules: pattern, capabilities, constraints.
pub struct Plain {
    profile: Profile,
    pub rules: Vec<(String, CapabilitySet, Constraints)>,
}

impl Plain {
    pub fn new(profile: Profile, policies: &[Policy]) -> Self {
        let mut table: BTreeMap<String, (CapabilitySet, Constraints)> = BTreeMap::new();
        for stanza in policies.iter().flat_map(|p| &p.stanzas) {
            let pattern = stanza.path.strip_prefix('/').unwrap_or(&stanza.path).to_owned();
            let (more, constraints) = (stanza.capability_set(), stanza.constraints.clone());
            match table.get_mut(&pattern) {
                None => {
                    table.insert(pattern, (more, constraints));
                }
                Some((have, _)) if have.contains(Capability::Deny) => {}
                Some(place) if more.contains(Capability::Deny) => {
                    *place = (CapabilitySet::of(Capability::Deny), Constraints::default());
                }
                Some((have, kept)) => {
                    *have = have.union(more);
                    merge(kept, constraints);
                }
            }
        }
        Self {
            profile,
            rules: table.into_iter().map(|(p, (c, k))| (p, c, k)).collect(),
        }
    }

    /// Both texts as they are compared: a deny of some servers looks at no case.
    fn spelt(&self, n: usize, path: &str) -> (String, String) {
        let pattern = &self.rules[n].0;
        if self.profile == Profile::Vault222 && self.rules[n].1.contains(Capability::Deny) {
            (pattern.to_lowercase(), path.to_lowercase())
        } else {
            (pattern.clone(), path.to_owned())
        }
    }

    fn is_plus(&self, pattern: &str) -> bool {
        self.profile != Profile::Vault10 && is_plus(pattern)
    }

    fn exact(&self, path: &str) -> Option<usize> {
        let equal = |n: &usize| {
            let (pattern, path) = self.spelt(*n, path);
            !pattern.ends_with('*') && !self.is_plus(&pattern) && pattern == path
        };
        (0..self.rules.len()).filter(equal).max_by_key(|n| self.strength(*n))
    }

    /// The candidates among the patterns, strongest last.
    fn candidates(&self, path: &str) -> Vec<usize> {
        let matching = (0..self.rules.len()).filter(|n| {
            let (p, path) = self.spelt(*n, path);
            let plus = self.is_plus(&p);
            (p.ends_with('*') || plus) && matches(&p, &path, plus)
        });
        let (plus, plain): (Vec<usize>, Vec<usize>) = matching.partition(|n| self.is_plus(&self.rules[*n].0));
        let longest = plain
            .into_iter()
            .max_by_key(|n| (self.rules[*n].0.len(), self.strength(*n)));
        let mut all: Vec<usize> = plus.into_iter().chain(longest).collect();
        all.sort_by_key(|n| self.strength(*n));
        all
    }

    fn strength(&self, n: usize) -> (usize, bool, Reverse<usize>, usize, String) {
        let text = &self.rules[n].0;
        let bare = text.strip_suffix('*').unwrap_or(text);
        let first = if self.is_plus(text) {
            bare.find('+').unwrap()
        } else {
            bare.len()
        };
        let plus = if self.is_plus(text) {
            bare.split('/').filter(|s| *s == "+").count()
        } else {
            0
        };
        (first, !text.ends_with('*'), Reverse(plus), bare.len(), bare.to_owned())
    }

    pub fn winner(&self, profile: Profile, operation: Operation, path: &str) -> Option<usize> {
        let openbao = profile.is_openbao();
        let lists = operation == Operation::List || (openbao && operation == Operation::Scan);
        if let Some(n) = self.exact(path) {
            return Some(n);
        }
        let best = |path: &str| self.candidates(path).last().copied();
        let (true, Some(bare)) = (lists, path.strip_suffix('/')) else {
            return best(path);
        };
        if let Some(n) = self.exact(bare) {
            return Some(n);
        }
        match profile.as_str() {
            "vault-1.0" | "vault-1.12" => best(path),
            "openbao-2.0" if operation == Operation::Scan => best(path),
            "vault-1.13" | "vault-1.21" | "openbao-2.0" => best(bare).or_else(|| best(path)),
            "openbao-2.6" => best(path).or_else(|| best(bare)),
            _ => {
                let mut all = self.candidates(path);
                all.extend(self.candidates(bare));
                all.sort_by_key(|n| self.strength(*n));
                let last = |c: Capability| all.iter().rev().find(|n| self.rules[**n].1.contains(c)).copied();
                let (deny, list) = (last(Capability::Deny), last(Capability::List));
                match (deny, list) {
                    (Some(d), l) if l.is_none_or(|l| self.strength(d) > self.strength(l)) => Some(d),
                    (_, Some(l)) => Some(l),
                    _ => all.last().copied(),
                }
            }
        }
    }

    pub fn allows(&self, profile: Profile, ask: &Ask) -> bool {
        let Some(n) = self.winner(profile, ask.operation, &ask.path) else {
            return false;
        };
        let (_, capabilities, constraints) = &self.rules[n];
        let needed = match ask.operation {
            Operation::Scan if !profile.is_openbao() => None,
            other => other.capability(),
        };
        needed.is_some_and(|c| capabilities.contains(c)) && passes(profile, constraints, ask)
    }
}

fn merge(kept: &mut Constraints, more: Constraints) {
    let smaller = |a: i64, b: i64| {
        if a <= 0 {
            b
        } else if b <= 0 {
            a
        } else {
            a.min(b)
        }
    };
    kept.max_wrapping_ttl_ns = smaller(kept.max_wrapping_ttl_ns, more.max_wrapping_ttl_ns);
    kept.min_wrapping_ttl_ns = smaller(kept.min_wrapping_ttl_ns, more.min_wrapping_ttl_ns);
    for (into, from) in [
        (&mut kept.allowed_parameters, more.allowed_parameters),
        (&mut kept.denied_parameters, more.denied_parameters),
    ] {
        for (key, values) in from {
            let have = into.entry(key).or_insert_with(|| values.clone());
            if have.is_empty() || values.is_empty() {
                have.clear();
            } else {
                have.extend(values);
            }
        }
    }
    kept.required_parameters.extend(more.required_parameters);
}

fn is_plus(pattern: &str) -> bool {
    let bare = pattern.strip_suffix('*').unwrap_or(pattern);
    bare == "+" || bare.starts_with("+/") || bare.contains("/+")
}

fn matches(pattern: &str, path: &str, plus: bool) -> bool {
    let Some(bare) = pattern.strip_suffix('*') else {
        let (want, have): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), path.split('/').collect());
        return want.len() == have.len() && want.iter().zip(have).all(|(w, h)| *w == "+" || *w == h);
    };
    if !plus {
        return path.starts_with(bare);
    }
    let (want, have): (Vec<&str>, Vec<&str>) = (bare.split('/').collect(), path.split('/').collect());
    want.len() <= have.len()
        && want
            .iter()
            .enumerate()
            .all(|(n, w)| *w == "+" || *w == have[n] || (n + 1 == want.len() && have[n].starts_with(w)))
}

fn passes(profile: Profile, constraints: &Constraints, ask: &Ask) -> bool {
    let (min, max) = (constraints.min_wrapping_ttl_ns, constraints.max_wrapping_ttl_ns);
    let ttl = ask.wrap_s.map(|s| s * 1_000_000_000);
    if (max > 0 && ttl.is_none_or(|t| t > max))
        || (min > 0 && ttl.is_none_or(|t| t < min))
        || (min > 0 && max > 0 && max < min)
    {
        return false;
    }
    if !matches!(
        ask.operation,
        Operation::Read | Operation::Create | Operation::Update | Operation::Patch | Operation::Recover
    ) {
        return true;
    }
    if constraints
        .required_parameters
        .iter()
        .any(|r| !ask.data.contains_key(&r.to_lowercase()))
    {
        return false;
    }
    if ask.data.is_empty() {
        return true;
    }
    let (allowed, denied) = (&constraints.allowed_parameters, &constraints.denied_parameters);
    if denied.contains_key("*") {
        return false;
    }
    let star_only = allowed.len() == 1 && allowed.contains_key("*");
    ask.data.iter().all(|(key, value)| {
        let key = key.to_lowercase();
        let refused = denied
            .get(&key)
            .is_some_and(|list| list.is_empty() || listed(profile, value, list, false));
        let let_in = match allowed.get(&key) {
            _ if allowed.is_empty() || star_only => true,
            Some(list) => list.is_empty() || listed(profile, value, list, true),
            None => allowed.contains_key("*"),
        };
        let_in && !refused
    })
}

fn listed(profile: Profile, value: &Value, list: &[Value], all: bool) -> bool {
    let one = |value: &Value| {
        list.iter().any(|item| match (item, value) {
            (Value::String(glob), Value::String(text)) => glob_fits(glob, text),
            (Value::Number(_), _) => false,
            _ => item == value,
        })
    };
    let parts: Vec<Value> = match value {
        _ if ![Profile::Vault121, Profile::Vault203, Profile::Vault222].contains(&profile) || one(value) => {
            return one(value);
        }
        Value::Array(items) => items.clone(),
        Value::String(text) if text.is_empty() => Vec::new(),
        Value::String(text) => text.split(',').map(|p| Value::from(p.trim())).collect(),
        _ => return false,
    };
    if all {
        parts.iter().all(one)
    } else {
        parts.iter().any(one)
    }
}

fn glob_fits(glob: &str, text: &str) -> bool {
    match (
        glob.len() > 1 && glob.starts_with('*'),
        glob.len() > 1 && glob.ends_with('*'),
    ) {
        (true, true) => text.contains(glob[1..].trim_end_matches('*')),
        (true, false) => text.ends_with(&glob[1..]),
        (false, true) => text.starts_with(&glob[..glob.len() - 1]),
        (false, false) => text == glob,
    }
}
