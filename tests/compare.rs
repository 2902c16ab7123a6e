//! `compare` against a naive decider written after the rules alone: no request may contradict what it says, and every
//! example that it gives must hold.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use vault_advisor::policy::acl::Acl;
use vault_advisor::policy::compare::{Aspect, Comparison, Decider, Options, Verdict, compare, grants_nothing_new};
use vault_advisor::policy::model::{Constraints, Policy};
use vault_advisor::policy::profile::Profile;
use vault_advisor::policy::syntax;
use vault_advisor::policy::template::Identity;
use vault_advisor::vault::{Capability, CapabilitySet, Operation};

fn policy(profile: Profile, name: &str, text: &str) -> Policy {
    syntax::parse(name, name, text, &profile.dialect()).unwrap_or_else(|e| panic!("{}: {text}", e.one_line()))
}

fn compile(profile: Profile, policies: &[Policy]) -> Acl {
    let all: Vec<&Policy> = policies.iter().collect();
    Acl::compile(profile, &all, &Identity::default(), Some(0))
}

/// `"a/b": read, list; "c*": deny` as a policy.
fn quick(profile: Profile, text: &str) -> Vec<Policy> {
    let mut hcl = String::new();
    for stanza in text.split(';').filter(|s| !s.trim().is_empty()) {
        let (path, words) = stanza.split_once(':').unwrap();
        let words: Vec<String> = words
            .split(',')
            .map(str::trim)
            .filter(|w| !w.is_empty())
            .map(|w| format!("\"{w}\""))
            .collect();
        hcl.push_str(&format!(
            "path \"{}\" {{ capabilities = [{}] }}\n",
            path.trim(),
            words.join(", ")
        ));
    }
    vec![policy(profile, "p", &hcl)]
}

fn compare_quick(profile: Profile, old: &str, new: &str) -> Comparison {
    compare(
        &compile(profile, &quick(profile, old)),
        &compile(profile, &quick(profile, new)),
    )
}

fn spoken(found: &Comparison) -> (Vec<String>, Vec<String>) {
    let say = |all: &[vault_advisor::policy::compare::Difference]| {
        all.iter()
            .map(|d| format!("{} {}", d.aspect.as_str(), d.asked))
            .collect()
    };
    (say(&found.gained), say(&found.lost))
}

/// The traps of the rules: each must be seen, with a request that shows it.
#[test]
fn every_trap_is_found_with_a_true_example() {
    let every = &Profile::ALL[..];
    let traps: &[(&[Profile], &str, &str, &[&str], &[&str])] = &[
        // A narrower stanza takes away what a broader one gave.
        (
            every,
            "secret/data/*: read",
            "secret/data/*: read; secret/data/x: update",
            &["access update secret/data/x"],
            &["access read secret/data/x"],
        ),
        // Deny holds in its own pattern only; a more specific allow defeats it.
        (every, "a/*: deny", "a/*: deny; a/b: read", &["access read a/b"], &[]),
        // A deny removed shows the broader stanza again.
        (
            every,
            "a/*: read; a/b/*: deny",
            "a/*: read",
            &["access read a/b/x"],
            &[],
        ),
        // An empty list of capabilities matches and grants nothing.
        (every, "a/*: read", "a/*: read; a/b: ", &[], &["access read a/b"]),
        // `*` in the middle is a letter.
        (every, "a/*/c: read", "a/+/c: read", &["access read a/x/c"], &[]),
        // `+b` counts as a `+` pattern and matches only its letters.
        (
            every,
            "a/+: read",
            "a/+: read; a/+b: update",
            &["access update a/+b"],
            &["access read a/+b"],
        ),
        (every, "a+/b: read", "+/b: read", &["access read x/b"], &[]),
        // The longest prefix is stronger than a `+` pattern whose wildcard comes earlier.
        (
            every,
            "a/b*: read; a/+/c: update",
            "a/+/c: update",
            &["access update a/b/c"],
            &["access read a/b"],
        ),
        // Without `*` a `+` pattern outranks a prefix with the wildcard at the same place.
        (
            every,
            "a/*: read",
            "a/*: read; a/+: update",
            &["access update a/x"],
            &["access read a/x"],
        ),
        // A prefix may end within a segment and span segments.
        (
            every,
            "secret/data/*: read",
            "secret/da*: read",
            &["access read secret/da"],
            &[],
        ),
        (
            every,
            "secret/d*: read",
            "secret/d*: read; secret/data/+/x: deny",
            &[],
            &["access read secret/data/x/x"],
        ),
        // `sudo` on the winning stanza.
        (
            every,
            "sys/raw/*: read, sudo",
            "sys/raw/*: read, sudo; sys/raw/a: read",
            &[],
            &["sudo read sys/raw/a"],
        ),
        // The trailing slash of LIST.
        (
            &[Profile::Vault112],
            "a/*: read",
            "a/*: read; a/b*: list",
            &["access list a/b/"],
            &["access read a/b"],
        ),
        (
            &[Profile::Vault113],
            "a/*: list",
            "a/*: list; a/b/*: deny",
            &[],
            // `a/*` matches `a/b` first, so the LIST of `a/b/` itself stays.
            &["access list a/b/x/"],
        ),
        (
            &[Profile::Vault112, Profile::OpenBao26],
            "a/*: list",
            "a/*: list; a/b/*: deny",
            &[],
            &["access list a/b/"],
        ),
        (
            &[Profile::Vault203],
            "a/*: list",
            "a/*: list; a/b/*: read",
            &["access read a/b/x"],
            &["access list a/b/x/"],
        ),
        (
            &[Profile::Vault203],
            "a/*: list",
            "a/*: list; a/b/*: deny",
            &[],
            &["access list a/b/"],
        ),
        (
            &[Profile::OpenBao26],
            "a/*: scan",
            "a/*: scan; a/b/*: deny",
            &[],
            &["access scan a/b/"],
        ),
        // The exact pattern without the slash answers the LIST with it.
        (
            every,
            "a/*: list",
            "a/*: list; a/b: read",
            &["access read a/b"],
            &["access list a/b/"],
        ),
        // Equal, though written otherwise.
        (every, "a/*: read; a/b: read", "a/*: read", &[], &[]),
        (every, "/a/b: read", "a/b: read", &[], &[]),
    ];
    for (profiles, old, new, gained, lost) in traps {
        for profile in *profiles {
            let found = compare_quick(*profile, old, new);
            let (more, less) = spoken(&found);
            for want in *gained {
                assert!(
                    more.iter().any(|m| m == want),
                    "{profile}: {old} -> {new}: {want} in {more:?}"
                );
            }
            for want in *lost {
                assert!(
                    less.iter().any(|m| m == want),
                    "{profile}: {old} -> {new}: {want} in {less:?}"
                );
            }
            assert_eq!(
                more.is_empty(),
                gained.is_empty(),
                "{profile}: {old} -> {new}: {more:?}"
            );
            assert_eq!(less.is_empty(), lost.is_empty(), "{profile}: {old} -> {new}: {less:?}");
            assert_eq!(found.is_equal(), gained.is_empty() && lost.is_empty());
        }
    }
}

#[test]
fn the_root_policy_allows_all_and_nothing_stands_beside_it() {
    for profile in Profile::ALL {
        let root = vec![policy(profile, "root", "")];
        let all = quick(profile, "*: create, read, update, patch, delete, list, sudo");
        let (root, all) = (compile(profile, &root), compile(profile, &all));
        assert!(compare(&root, &root).is_equal());
        assert_eq!(grants_nothing_new(&root, &all, Options::default()), Verdict::Proven);
        assert!(matches!(
            grants_nothing_new(&all, &root, Options::default()),
            Verdict::Witness(_)
        ));
    }
}

#[test]
fn conditions_besides_access_are_told() {
    let profile = Profile::Vault203;
    let old = vec![policy(
        profile,
        "p",
        r#"path "a" { capabilities = ["read"] mfa_methods = ["totp"] }"#,
    )];
    let new = vec![policy(profile, "p", r#"path "a" { capabilities = ["read"] }"#)];
    let found = compare(&compile(profile, &old), &compile(profile, &new));
    assert!(
        matches!(&found.gained[..], [d] if d.aspect == Aspect::Condition("MFA by `totp`".to_owned())),
        "{found:?}"
    );
    assert!(found.lost.is_empty());
}

#[test]
fn thousands_of_stanzas_are_no_trouble_and_too_much_is_said() {
    let profile = Profile::default();
    let text = |skip: usize| {
        (0..2_000)
            .filter(|n| *n != skip)
            .map(|n| match n % 5 {
                0 => format!("secret/+/app{n}/*: read, list;"),
                1 => format!("secret/data/app{n}: read;"),
                2 => format!("secret/metadata/app{n}*: list;"),
                3 => format!("kv{n}/+/config: update;"),
                _ => format!("kv{n}/*: read, update;"),
            })
            .collect::<String>()
    };
    let all = compile(profile, &quick(profile, &text(usize::MAX)));
    let less = compile(profile, &quick(profile, &text(1_000)));
    assert!(compare(&all, &all).is_equal());
    assert_eq!(grants_nothing_new(&all, &less, Options::default()), Verdict::Proven);
    let found = compare(&less, &all);
    assert_eq!(
        spoken(&found).0,
        ["access list secret/x/app1000/", "access read secret/x/app1000/x"]
    );
    let pinched = Options {
        budget: 1_000,
        ..Options::default()
    };
    assert!(matches!(
        grants_nothing_new(&all, &less, pinched),
        Verdict::Undecided(_)
    ));
}

// --- The rules once more, as plainly as they can be written ---

struct Plain {
    rules: Vec<(String, CapabilitySet, Constraints)>,
}

impl Plain {
    fn new(policies: &[Policy]) -> Self {
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
            rules: table.into_iter().map(|(p, (c, k))| (p, c, k)).collect(),
        }
    }

    fn exact(&self, path: &str) -> Option<usize> {
        self.rules
            .iter()
            .position(|(p, ..)| !p.ends_with('*') && !is_plus(p) && p == path)
    }

    /// The candidates among the patterns, strongest last.
    fn candidates(&self, path: &str) -> Vec<usize> {
        let matching = (0..self.rules.len()).filter(|n| {
            let p = &self.rules[*n].0;
            (p.ends_with('*') || is_plus(p)) && matches(p, path)
        });
        let (plus, plain): (Vec<usize>, Vec<usize>) = matching.partition(|n| is_plus(&self.rules[*n].0));
        let longest = plain.into_iter().max_by_key(|n| self.rules[*n].0.len());
        let mut all: Vec<usize> = plus.into_iter().chain(longest).collect();
        all.sort_by_key(|n| self.strength(*n));
        all
    }

    fn strength(&self, n: usize) -> (usize, bool, std::cmp::Reverse<usize>, usize, String) {
        let text = &self.rules[n].0;
        let bare = text.strip_suffix('*').unwrap_or(text);
        let first = if is_plus(text) {
            bare.find('+').unwrap()
        } else {
            bare.len()
        };
        let plus = if is_plus(text) {
            bare.split('/').filter(|s| *s == "+").count()
        } else {
            0
        };
        (
            first,
            !text.ends_with('*'),
            std::cmp::Reverse(plus),
            bare.len(),
            bare.to_owned(),
        )
    }

    fn winner(&self, profile: Profile, operation: Operation, path: &str) -> Option<usize> {
        let openbao = matches!(profile, Profile::OpenBao20 | Profile::OpenBao26);
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
        match profile {
            Profile::Vault112 => best(path),
            Profile::OpenBao20 if operation == Operation::Scan => best(path),
            Profile::Vault113 | Profile::OpenBao20 => best(bare).or_else(|| best(path)),
            Profile::OpenBao26 => best(path).or_else(|| best(bare)),
            Profile::Vault203 => {
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

    fn allows(&self, profile: Profile, ask: &Ask) -> bool {
        let Some(n) = self.winner(profile, ask.operation, &ask.path) else {
            return false;
        };
        let (_, capabilities, constraints) = &self.rules[n];
        let needed = match ask.operation {
            Operation::Scan if !matches!(profile, Profile::OpenBao20 | Profile::OpenBao26) => None,
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

fn matches(pattern: &str, path: &str) -> bool {
    let Some(bare) = pattern.strip_suffix('*') else {
        let (want, have): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), path.split('/').collect());
        return want.len() == have.len() && want.iter().zip(have).all(|(w, h)| *w == "+" || *w == h);
    };
    if !is_plus(pattern) {
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
        _ if profile != Profile::Vault203 || one(value) => return one(value),
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

// --- Random deployments and requests ---

#[derive(Debug, Clone)]
struct Ask {
    operation: Operation,
    path: String,
    data: Map<String, Value>,
    wrap_s: Option<i64>,
}

/// Where a stanza stands: in the old policies, the new, both, or both with other capabilities.
#[derive(Debug, Clone)]
enum Fate {
    Both,
    Old,
    New,
    Changed(Vec<&'static str>, String),
}

#[derive(Debug, Clone)]
struct Draft {
    path: String,
    words: Vec<&'static str>,
    constraints: String,
    fate: Fate,
}

fn path_text(long: bool) -> impl Strategy<Value = String> {
    let segment = prop_oneof![
        4 => prop::sample::select(vec!["a", "b", "ab"]),
        3 => Just("+"),
        1 => prop::sample::select(vec!["", "a+", "+b", "abc", "x", "a*c"]),
    ];
    let end = prop_oneof![5 => Just(""), 4 => Just("/*"), 3 => Just("*"), 1 => Just("/")];
    (
        prop::collection::vec(segment, 1..if long { 5 } else { 4 }),
        end,
        prop::bool::weighted(0.05),
    )
        .prop_map(|(segments, end, lead)| {
            let path = segments.join("/");
            let end = if path.ends_with('+') && end == "*" { "" } else { end };
            format!("{}{path}{end}", if lead { "/" } else { "" })
        })
}

fn words() -> impl Strategy<Value = Vec<&'static str>> {
    let few = vec!["read", "list", "update", "sudo", "scan", "delete"];
    prop_oneof![
        1 => Just(Vec::new()),
        2 => Just(vec!["deny"]),
        8 => prop::sample::subsequence(few, 1..4),
    ]
}

fn constraints() -> impl Strategy<Value = String> {
    let values = prop::sample::subsequence(
        vec![
            "\"x\"", "\"x*\"", "\"*y\"", "\"*m*\"", "true", "1", "\"xy\"", "\"*\"", "\"a,b\"",
        ],
        0..3,
    );
    let names = prop::sample::subsequence(vec!["k", "Bar", "z", "*"], 1..3);
    let lists = (
        prop::sample::select(vec!["allowed_parameters", "denied_parameters"]),
        names,
        prop::collection::vec(values, 3),
    )
        .prop_map(|(key, names, values)| {
            let entries: Vec<String> = names
                .iter()
                .zip(values)
                .map(|(n, v)| format!("\"{n}\" = [{}]", v.join(", ")))
                .collect();
            format!("{key} = {{ {} }}\n", entries.join("\n"))
        });
    let required = prop::sample::subsequence(vec!["\"k\"", "\"Bar\""], 1..3)
        .prop_map(|names| format!("required_parameters = [{}]\n", names.join(", ")));
    let wrapping = prop::sample::select(vec![
        "min_wrapping_ttl = \"1s\"\n",
        "min_wrapping_ttl = 60\n",
        "max_wrapping_ttl = 90\n",
        "max_wrapping_ttl = \"10s\"\n",
    ])
    .prop_map(str::to_owned);
    prop_oneof![
        7 => Just(String::new()),
        3 => lists.clone(),
        1 => required.clone(),
        1 => wrapping,
        1 => (lists, required).prop_map(|(a, b)| a + &b),
    ]
}

fn drafts(most: usize) -> impl Strategy<Value = Vec<Draft>> {
    let fate = prop_oneof![
        5 => Just(Fate::Both),
        1 => Just(Fate::Old),
        1 => Just(Fate::New),
        1 => (words(), constraints()).prop_map(|(w, c)| Fate::Changed(w, c)),
    ];
    let draft = (path_text(true), words(), constraints(), fate).prop_map(|(path, words, constraints, fate)| Draft {
        path,
        words,
        constraints,
        fate,
    });
    prop::collection::vec(draft, 1..most)
}

fn asks(count: usize) -> impl Strategy<Value = Vec<Ask>> {
    let operation = prop::sample::select(vec![
        Operation::Read,
        Operation::Update,
        Operation::List,
        Operation::List,
        Operation::Scan,
        Operation::Delete,
        Operation::Revoke,
    ]);
    let segment = prop_oneof![
        6 => prop::sample::select(vec!["a", "b", "ab"]),
        3 => prop::sample::select(vec!["x", "", "+", "a+", "+b", "abc", "abcd", "a*c", "q"]),
    ];
    let value = prop::sample::select(vec![
        json!("x"),
        json!("xy"),
        json!("qmq"),
        json!("*"),
        json!("a,b"),
        json!("x,q"),
        json!(["x", "xy"]),
        json!([]),
        json!(true),
        json!(1),
    ]);
    let data = prop::collection::vec(
        (prop::sample::select(vec!["k", "bar", "Bar", "z", "other"]), value),
        0..3,
    );
    let ask = (
        operation,
        prop::collection::vec(segment, 1..6),
        data,
        prop::option::weighted(0.3, prop::sample::select(vec![1, 5, 60, 90, 100])),
    )
        .prop_map(|(operation, segments, data, wrap_s)| {
            let slash = if matches!(operation, Operation::List | Operation::Scan) {
                "/"
            } else {
                ""
            };
            Ask {
                operation,
                path: (segments.join("/") + slash).trim_start_matches('/').to_owned(),
                data: data.into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
                wrap_s,
            }
        });
    prop::collection::vec(ask, count)
}

fn texts(profile: Profile, drafts: &[Draft]) -> (Vec<Policy>, Vec<Policy>) {
    let openbao = matches!(profile, Profile::OpenBao20 | Profile::OpenBao26);
    let block = |path: &str, words: &[&str], constraints: &str| {
        let words: Vec<String> = words
            .iter()
            .filter(|w| openbao || **w != "scan")
            .map(|w| format!("\"{w}\""))
            .collect();
        format!(
            "path \"{path}\" {{\ncapabilities = [{}]\n{constraints}}}\n",
            words.join(", ")
        )
    };
    let (mut old, mut new) = (String::new(), String::new());
    for draft in drafts {
        let plain = block(&draft.path, &draft.words, &draft.constraints);
        match &draft.fate {
            Fate::Both => {
                old.push_str(&plain);
                new.push_str(&plain);
            }
            Fate::Old => old.push_str(&plain),
            Fate::New => new.push_str(&plain),
            Fate::Changed(words, constraints) => {
                old.push_str(&plain);
                new.push_str(&block(&draft.path, words, constraints));
            }
        }
    }
    (vec![policy(profile, "p", &old)], vec![policy(profile, "p", &new)])
}

fn pattern_of(plain: &Plain, winner: Option<usize>) -> Option<&str> {
    winner.map(|n| plain.rules[n].0.as_str())
}

fn check_pair(profile: Profile, drafts: &[Draft], asks: &[Ask]) -> Result<(), TestCaseError> {
    let (old, new) = texts(profile, drafts);
    let found = compare(&compile(profile, &old), &compile(profile, &new));
    let quick = grants_nothing_new(&compile(profile, &old), &compile(profile, &new), Options::default());
    let (old, new) = (Plain::new(&old), Plain::new(&new));
    prop_assert_eq!(&found.incomplete, &None);
    match &quick {
        Verdict::Proven => prop_assert!(found.gained.is_empty()),
        Verdict::Witness(_) => prop_assert!(!found.gained.is_empty()),
        Verdict::Undecided(_) => prop_assert!(found.gained.is_empty() && !found.open_gained.is_empty()),
    }
    for (differences, more, less) in [(&found.gained, &new, &old), (&found.lost, &old, &new)] {
        for d in differences {
            let ask = Ask {
                operation: d.asked.operation,
                path: d.asked.path.clone(),
                data: d.asked.data.clone().unwrap_or_default(),
                wrap_s: d.asked.wrap_ttl_ns.map(|ns| ns / 1_000_000_000),
            };
            prop_assert!(!ask.path.starts_with('/'), "{}", d.asked);
            prop_assert!(more.allows(profile, &ask), "{} should be allowed", d.asked);
            prop_assert_eq!(less.allows(profile, &ask), d.aspect != Aspect::Access, "{}", d.asked);
        }
    }
    let is = |decider: &Option<Decider>, want: Option<&str>| decider.as_ref().map(|d| d.pattern.as_str()) == want;
    for ask in asks {
        let before = old.allows(profile, ask);
        let after = new.allows(profile, ask);
        let winners = (
            old.winner(profile, ask.operation, &ask.path),
            new.winner(profile, ask.operation, &ask.path),
        );
        let (told, open) = if after {
            (&found.gained, &found.open_gained)
        } else {
            (&found.lost, &found.open_lost)
        };
        if before != after {
            let pair = (pattern_of(&old, winners.0), pattern_of(&new, winners.1));
            let same =
                |o: Operation| o == ask.operation || (ask.operation == Operation::Revoke && o == Operation::Update);
            let shown = told.iter().any(|d| {
                d.aspect == Aspect::Access && same(d.asked.operation) && is(&d.old, pair.0) && is(&d.new, pair.1)
            });
            let left = open
                .iter()
                .any(|d| same(d.asked.operation) && is(&d.old, pair.0) && is(&d.new, pair.1));
            prop_assert!(
                shown || left,
                "{:?} is {} and not told: {:?}",
                ask,
                if after { "gained" } else { "lost" },
                pair
            );
        } else if before {
            let sudo = |plain: &Plain, n: Option<usize>| plain.rules[n.unwrap()].1.contains(Capability::Sudo);
            let (had, has) = (sudo(&old, winners.0), sudo(&new, winners.1));
            if had != has {
                let told = if has { &found.gained } else { &found.lost };
                prop_assert!(!told.is_empty(), "{:?}: sudo differs and is not told", ask);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_shrink_iters: 20_000, ..ProptestConfig::default() })]
    #[test]
    fn no_request_contradicts_the_comparison(drafts in drafts(9), asks in asks(300)) {
        for profile in Profile::ALL {
            check_pair(profile, &drafts, &asks)?;
        }
    }
}
