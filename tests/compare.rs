//! `compare` on what can be checked by eye: the traps of the rules, the root policy, conditions, size, policy sets, templates.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failing test is told by its panic"
)]

use vault_advisor::policy::acl::Acl;
use vault_advisor::policy::compare::{
    Aspect, Comparison, Difference, Holder, Options, Presence, Verdict, compare, compare_policies, grants_nothing_new,
};
use vault_advisor::policy::model::Policy;
use vault_advisor::policy::profile::Profile;
use vault_advisor::policy::syntax;
use vault_advisor::policy::template::{Entity, Identity};
use vault_advisor::vault::PolicyId;

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
    let say = |all: &[Difference]| {
        all.iter()
            .map(|d| format!("{} {}", d.aspect.as_str(), d.asked))
            .collect()
    };
    (say(&found.gained), say(&found.lost))
}

/// Profiles; the old and the new stanzas; what must be among the gained, and among the lost.
type Trap = (
    &'static [Profile],
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

/// The traps of the rules: each must be seen, with a request that shows it.
#[test]
fn every_trap_is_found_with_a_true_example() {
    const EVERY: &[Profile] = &Profile::ALL;
    let traps: &[Trap] = &[
        // A narrower stanza takes away what a broader one gave.
        (
            EVERY,
            "secret/data/*: read",
            "secret/data/*: read; secret/data/x: update",
            &["access update secret/data/x"],
            &["access read secret/data/x"],
        ),
        // Deny holds in its own pattern only; a more specific allow defeats it.
        (EVERY, "a/*: deny", "a/*: deny; a/b: read", &["access read a/b"], &[]),
        // A deny removed shows the broader stanza again.
        (
            EVERY,
            "a/*: read; a/b/*: deny",
            "a/*: read",
            &["access read a/b/x"],
            &[],
        ),
        // An empty list of capabilities matches and grants nothing.
        (EVERY, "a/*: read", "a/*: read; a/b: ", &[], &["access read a/b"]),
        // `*` in the middle is a letter.
        (EVERY, "a/*/c: read", "a/+/c: read", &["access read a/x/c"], &[]),
        // `+b` counts as a `+` pattern and matches only its letters.
        (
            EVERY,
            "a/+: read",
            "a/+: read; a/+b: update",
            &["access update a/+b"],
            &["access read a/+b"],
        ),
        (EVERY, "a+/b: read", "+/b: read", &["access read x/b"], &[]),
        // The longest prefix is stronger than a `+` pattern whose wildcard comes earlier.
        (
            EVERY,
            "a/b*: read; a/+/c: update",
            "a/+/c: update",
            &["access update a/b/c"],
            &["access read a/b"],
        ),
        // Without `*` a `+` pattern outranks a prefix with the wildcard at the same place.
        (
            EVERY,
            "a/*: read",
            "a/*: read; a/+: update",
            &["access update a/x"],
            &["access read a/x"],
        ),
        // A prefix may end within a segment and span segments.
        (
            EVERY,
            "secret/data/*: read",
            "secret/da*: read",
            &["access read secret/da"],
            &[],
        ),
        (
            EVERY,
            "secret/d*: read",
            "secret/d*: read; secret/data/+/x: deny",
            &[],
            &["access read secret/data/x/x"],
        ),
        // `sudo` on the winning stanza.
        (
            EVERY,
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
            EVERY,
            "a/*: list",
            "a/*: list; a/b: read",
            &["access read a/b"],
            &["access list a/b/"],
        ),
        // Equal, though written otherwise.
        (EVERY, "a/*: read; a/b: read", "a/*: read", &[], &[]),
        (EVERY, "/a/b: read", "a/b: read", &[], &[]),
    ];
    for (profiles, old, new, gained, lost) in traps {
        let wild = old.contains('+') || new.contains('+');
        for profile in profiles.iter().filter(|p| p.knows_plus() || !wild) {
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
        // Beside others the root policy makes the server refuse the token, `help` included.
        let refused = compile(profile, &named(profile, &[("root", ""), ("p", "")]));
        let nothing = compile(profile, &named(profile, &[("p", "")]));
        assert_eq!(spoken(&compare(&refused, &nothing)).0, ["access help x"]);
        assert_eq!(
            grants_nothing_new(&nothing, &refused, Options::default()),
            Verdict::Proven
        );
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

fn id(name: &str) -> PolicyId {
    PolicyId {
        namespace: "".into(),
        name: name.into(),
    }
}

fn named(profile: Profile, policies: &[(&str, &str)]) -> Vec<Policy> {
    policies
        .iter()
        .map(|(name, text)| policy(profile, name, text))
        .collect()
}

#[test]
fn policies_alone_and_held_together_are_two_questions() {
    let profile = Profile::default();
    let read = r#"path "a/*" { capabilities = ["read"] }"#;
    let update = r#"path "b/*" { capabilities = ["update"] }"#;
    let takes = r#"path "a/x" { capabilities = ["list"] }"#;
    let old = named(
        profile,
        &[("one", read), ("two", takes), ("before", update), ("same", update)],
    );
    let new = named(
        profile,
        &[("one", read), ("two", ""), ("after", update), ("same", update)],
    );
    let holders = [
        Holder {
            name: "web".to_owned(),
            policies: vec![id("one"), id("two"), id("nowhere")],
            identity: None,
        },
        Holder {
            name: "job".to_owned(),
            policies: vec![id("same")],
            identity: None,
        },
        Holder {
            name: "cron".to_owned(),
            policies: vec![id("same"), id("same")],
            identity: None,
        },
    ];
    let found = compare_policies(profile, &old, &new, Some(&holders), 0, Options::default());
    let presence: Vec<_> = found.policies.iter().map(|p| (&*p.policy.name, p.presence)).collect();
    assert_eq!(
        presence,
        [
            ("after", Presence::Added),
            ("before", Presence::Removed),
            ("one", Presence::Both),
            ("same", Presence::Both),
            ("two", Presence::Both),
        ]
    );
    assert_eq!(found.policies[0].renamed, Some(id("before")));
    assert_eq!(found.policies[1].renamed, Some(id("after")));
    // Who holds what goes by names: whoever holds `after` gains.
    assert!(!found.policies[0].comparison.gained.is_empty());
    let only = |name: &str| named(profile, &[(name, update)]);
    let renamed = compare_policies(profile, &only("before"), &only("after"), None, 0, Options::default());
    assert!(!renamed.is_equal() && !renamed.grants_nothing_new());
    // Alone, `two` only loses; beside `one` its loss gives access back.
    assert!(found.policies[4].comparison.gained.is_empty());
    let combinations = found.combinations.as_ref().unwrap();
    assert_eq!(combinations.len(), 2);
    assert_eq!(spoken(&combinations[0].comparison).0, ["access read a/x"]);
    assert_eq!(combinations[0].unknown, [id("nowhere")]);
    assert_eq!(combinations[1].holders, ["job", "cron"]);
    assert!(combinations[1].comparison.is_equal());
    assert!(!found.grants_nothing_new());
}

/// One policy, templates not filled in, before and after: what is gained, and what stays open.
fn unfilled(profile: Profile, old: &str, new: &str) -> Comparison {
    let (old, new) = (quick(profile, old), quick(profile, new));
    let mut found = compare_policies(profile, &old, &new, None, 0, Options::default());
    found.policies.remove(0).comparison
}

#[test]
fn a_deny_that_looks_at_no_case_is_compared_so() {
    let profile = Profile::Vault222;
    // Both write the denied path in another case: on these servers the one is as good as the other.
    let alike = compare_quick(profile, "a/*: read; a/Secret/*: deny", "a/*: read; a/SECRET/*: deny");
    assert!(alike.is_equal());
    let before = compare_quick(
        Profile::Vault203,
        "a/*: read; a/Secret/*: deny",
        "a/*: read; a/SECRET/*: deny",
    );
    assert!(!before.gained.is_empty() && !before.lost.is_empty());
    // A narrower grant in another case lifts the deny there, and nowhere else.
    let lifted = compare_quick(profile, "a/*: read; a/b*: deny", "a/*: read; a/b*: deny; a/BC/x: read");
    assert_eq!(spoken(&lifted).0, ["access read a/BC/x"]);
    // What one of two decides that differ by case alone is not known.
    let open = compare_quick(profile, "a/b: deny", "a/b: deny; a/B: read");
    assert!(!open.grants_nothing_new() && open.incomplete.is_some());
}

#[test]
fn templates_without_a_holder_are_decided_where_they_can_be() {
    const T: &str = "secret/{{identity.entity.name}}";
    for profile in Profile::ALL {
        let same = unfilled(
            profile,
            &format!("{T}/*: read; a: read"),
            &format!("{T}/*: read; b: read; a: read"),
        );
        assert_eq!(spoken(&same).0, ["access read b"]);
        assert!(same.open_gained.is_empty() && same.open_lost.is_empty(), "{profile}");
        let less = unfilled(profile, &format!("{T}/*: read, list"), &format!("{T}/*: read"));
        assert!(less.grants_nothing_new(), "{profile}");
        assert_eq!(less.lost[0].when, ["`{{identity.entity.name}}` is `v1`"]);
        let more = unfilled(profile, &format!("{T}: read"), &format!("{T}: read, update"));
        assert_eq!(spoken(&more).0, ["access update secret/v1"]);
        assert!(more.lost.is_empty() && more.open_lost.is_empty());
        // Without the template both sides decide alike, and under a value that names the narrower pattern they do not.
        let caught = unfilled(
            profile,
            &format!("{T}: list; secret/*: read"),
            &format!("{T}: list; secret/*: read; secret/abc: read"),
        );
        assert_eq!(spoken(&caught).0, ["access read secret/abc"], "{profile}");
        assert_eq!(caught.gained[0].when, ["`{{identity.entity.name}}` is `abc`"]);
        // What differs under the same folder, where the template cannot reach, does not matter; a change where it can does.
        let deep = format!("{T}/config: read");
        let apart = unfilled(profile, &format!("{deep}; secret/a/other: read"), &deep);
        assert!(apart.grants_nothing_new(), "{profile}");
        let meets = unfilled(profile, &format!("{deep}; secret/a/+: read"), &deep);
        assert!(!meets.grants_nothing_new() || !profile.knows_plus(), "{profile}");
        // A template under a broad grant that gives as much everywhere is nothing new; nor is its loss, the other way round.
        let broad = "secret/*: read, list";
        let covered = unfilled(profile, broad, &format!("{broad}; {T}: read"));
        assert!(covered.grants_nothing_new(), "{profile}");
        let freed = unfilled(profile, &format!("{broad}; {T}: read, list, update"), broad);
        assert!(freed.grants_nothing_new(), "{profile}");
        // Where a narrower stanza takes away below it, a value may name that one: then it is open, or found.
        let open = unfilled(
            profile,
            &format!("{broad}; secret/a: list"),
            &format!("{broad}; secret/a: list; {T}: read"),
        );
        assert_eq!(spoken(&open).0, ["access read secret/a"], "{profile}");
        let open = unfilled(
            profile,
            &format!("{broad}; secret/+/x/y: list"),
            &format!("{broad}; secret/+/x/y: list; {T}/y: read"),
        );
        let never = profile == Profile::OpenBao26 || !profile.knows_plus();
        assert!(!open.grants_nothing_new() || never, "{profile}");
    }
}

#[test]
fn a_known_holder_fills_the_templates() {
    let profile = Profile::default();
    let old = named(profile, &[("p", r#"path "s/bob" { capabilities = ["read"] }"#)]);
    let new = named(
        profile,
        &[("p", r#"path "s/{{identity.entity.name}}" { capabilities = ["read"] }"#)],
    );
    let holder = |name: &str| Holder {
        name: name.to_owned(),
        policies: vec![id("p")],
        identity: Some(Identity {
            entity: Some(Entity {
                name: name.to_owned(),
                ..Entity::default()
            }),
            groups: Vec::new(),
        }),
    };
    let holders = [holder("bob"), holder("eve")];
    let found = compare_policies(profile, &old, &new, Some(&holders), 0, Options::default());
    let combinations = found.combinations.unwrap();
    assert!(combinations[0].comparison.is_equal());
    assert_eq!(spoken(&combinations[1].comparison).0, ["access read s/eve"]);
}

#[test]
fn stanzas_that_expire_are_compared_before_and_after() {
    let profile = Profile::OpenBao26;
    let text = |more: &str| format!("path \"a\" {{ capabilities = [\"read\"] {more} }}");
    let old = named(profile, &[("p", &text("expiration = \"2030-01-01T00:00:00Z\""))]);
    let new = named(profile, &[("p", &text(""))]);
    let found = compare_policies(profile, &old, &new, None, 0, Options::default());
    let comparison = &found.policies[0].comparison;
    assert_eq!(spoken(comparison).0, ["access read a"]);
    assert!(comparison.gained[0].when[0].starts_with("after 1893456000"));
}
