//! Laws of the compiled list: it decides as a plain scan over all patterns does, whatever the patterns and paths.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failing test is told by its panic"
)]

#[path = "common/plain_scan.rs"]
mod plain_scan;

use plain_scan::Scan;
use proptest::prelude::*;
use std::cmp::Ordering;
use vault_advisor::origin::Origin;
use vault_advisor::policy::acl::{Acl, RuleId};
use vault_advisor::policy::model::{Constraints, Language, Policy, Stanza};
use vault_advisor::policy::profile::Profile;
use vault_advisor::policy::template::Identity;
use vault_advisor::vault::{Capability, Operation};

fn policy(stanzas: &[(String, Vec<Capability>)]) -> Policy {
    let stanza = |(path, capabilities): &(String, Vec<Capability>)| Stanza {
        path: path.as_str().into(),
        templated: false,
        capabilities: if capabilities.contains(&Capability::Deny) {
            vec![Capability::Deny]
        } else {
            capabilities.clone()
        },
        constraints: Constraints::default(),
        origin: Origin::new("test.hcl", 1, 1),
        span: 0..0,
        capabilities_span: None,
        comment: Vec::new(),
        comment_span: None,
        keys: Vec::new(),
        in_two_cases: Vec::new(),
    };
    Policy {
        name: "p".into(),
        file: "test.hcl".into(),
        namespace: "".into(),
        source: "".into(),
        language: Language::Hcl,
        stanzas: stanzas.iter().map(stanza).collect(),
        written: None,
    }
}

/// Few words, so that patterns and paths meet often; long ones, so that the matcher's eight-byte steps are crossed.
fn segment() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec!["", "a", "b", "ab", "abc", "ä", "secret", "twelve-bytes", "exactly-sixteen-", "a-segment-of-more-than-sixteen", "a-segment-of-more-than-sixteem", "\0", "a\0"]).prop_map(str::to_owned),
        1 => "[ab]{0,20}",
    ]
}

fn pattern() -> impl Strategy<Value = String> {
    let part = prop_oneof![3 => segment(), 2 => Just("+".to_owned()), 1 => Just("+b".to_owned()), 1 => Just("a+".to_owned()), 1 => Just("x*y".to_owned())];
    (prop::collection::vec(part, 0..6), any::<bool>(), any::<bool>()).prop_map(|(parts, star, slash)| {
        let mut path = parts.join("/");
        if slash {
            path.push('/');
        }
        if star && !path.ends_with('+') {
            path.push('*');
        }
        path.replace("+*", "*")
    })
}

fn request() -> impl Strategy<Value = String> {
    let part =
        prop_oneof![6 => segment(), 1 => Just("+".to_owned()), 1 => Just("+b".to_owned()), 1 => Just("x*y".to_owned())];
    (prop::collection::vec(part, 0..7), any::<bool>())
        .prop_map(|(parts, slash)| parts.join("/") + if slash { "/" } else { "" })
}

fn capabilities() -> impl Strategy<Value = Vec<Capability>> {
    use Capability::{Create, Deny, List, Read, Sudo, Update};
    prop_oneof![
        5 => prop::sample::subsequence(vec![Create, Read, Update, List, Sudo], 0..4),
        1 => Just(vec![Deny]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn the_compiled_list_decides_as_the_plain_scan(
        stanzas in prop::collection::vec((pattern(), capabilities()), 0..24),
        paths in prop::collection::vec(request(), 1..24),
    ) {
        let policy = policy(&stanzas);
        for profile in Profile::ALL {
            let acl = Acl::compile(profile, &[&policy], &Identity::default(), Some(0));
            let scan = Scan(&acl);
            for path in &paths {
                let path = path.trim_start_matches('/');
                for operation in [Operation::Read, Operation::List, Operation::Scan] {
                    let name = |id: Option<RuleId>| id.and_then(|id| acl.rule(id)).map(|r| r.pattern.to_string());
                    let (got, want) = (acl.winner(operation, path), scan.winner(operation, path));
                    prop_assert_eq!(name(got), name(want), "{} {:?} by {}", operation, path, profile);
                }
                let matching = acl.matching(Operation::Read, path);
                let scanned = acl.rules_with_ids().filter(|(_, r)| r.pattern.matches(path)).count();
                prop_assert_eq!(matching.len(), scanned, "matching {:?}", path);
            }
        }
    }

    #[test]
    fn rules_stand_in_the_order_of_strength(stanzas in prop::collection::vec((pattern(), capabilities()), 0..24)) {
        let acl = Acl::compile(Profile::Vault203, &[&policy(&stanzas)], &Identity::default(), Some(0));
        for pair in acl.rules().windows(2) {
            prop_assert_eq!(pair[0].pattern.cmp_strength(&pair[1].pattern), Ordering::Less);
        }
    }
}

#[test]
fn hostile_patterns_and_paths_stay_cheap() {
    // Every subset of ten segments as `+`: a walk that came back to a node by two ways would take 2^30 steps on the deep ones.
    let mut stanzas = Vec::new();
    for mask in 0..1024u32 {
        let parts: Vec<_> = (0..10)
            .map(|bit| if mask >> bit & 1 == 1 { "+" } else { "a" })
            .collect();
        stanzas.push((parts.join("/"), vec![Capability::Read]));
    }
    stanzas.push((vec!["+"; 10_000].join("/"), vec![Capability::Read]));
    stanzas.push((format!("{}/end", vec!["+"; 30].join("/")), vec![Capability::Read]));
    stanzas.push((format!("b/{}", "x".repeat(1_000_000)), vec![Capability::Read]));
    for length in 1..2_000 {
        stanzas.push((format!("c/{}*", "y".repeat(length)), vec![Capability::Read]));
    }
    let acl = Acl::compile(Profile::Vault203, &[&policy(&stanzas)], &Identity::default(), Some(0));
    let allowed = |path: &str| acl.check(Operation::Read, path).allowed;
    assert!(allowed("a/a/a/a/a/a/a/a/a/a"));
    assert!(allowed(&vec!["z"; 10_000].join("/")));
    assert!(!allowed(&vec!["a"; 1_000_000].join("/")));
    assert!(allowed(&format!("b/{}", "x".repeat(1_000_000))));
    assert!(!allowed(&format!("b/{}", "x".repeat(999_999))));
    let check = acl.check(Operation::Read, &format!("c/{}", "y".repeat(100_000)));
    assert_eq!(acl.rule(check.rule.unwrap()).unwrap().pattern.text.len(), 2 + 1_999);
    assert!(!allowed(&"/".repeat(1_000_000)));
    assert!(!allowed(&"a/".repeat(1_000_000)));
}
