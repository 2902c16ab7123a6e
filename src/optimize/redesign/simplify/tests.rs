//! Roles become fewer and shorter where that pays, nobody has less, and nobody more than today.

use super::*;
use crate::access::weight::{Weighed, Weights};
use crate::optimize::paths::Price;
use crate::optimize::redesign::model::From;
use crate::optimize::tighten::tests::{demand, joined};
use crate::policy::acl::Acl;
use crate::policy::compare;
use crate::vault::Capability;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// A role: its stanzas, as path and capabilities, and who has it.
type Given<'a> = (Vec<(&'a str, &'a [&'a str])>, Vec<&'a str>);

fn text(stanzas: &[(&str, &[&str])]) -> String {
    let all = stanzas.iter().map(|(path, capabilities)| {
        let capabilities: Vec<String> = capabilities.iter().map(|c| format!("\"{c}\"")).collect();
        format!("path \"{path}\" {{ capabilities = [{}] }}\n", capabilities.join(", "))
    });
    all.collect()
}

/// What comes of roles where all hold the policy `all`, of this text, and used these paths: the roles before and after.
fn simplified<T>(
    all: &str,
    used: &[(&str, &str)],
    roles: &[Given<'_>],
    lambda: f64,
    most_open: f64,
    look: impl FnOnce(&Joined, &Redesign, &Redesign) -> T,
) -> T {
    let read = |(who, path): &(&str, &str)| demand(who, &["all"], path, Capability::Read);
    let (joined, removable) = joined(&[("all", all)], used.iter().map(read).collect());
    let weights = Weights::default();
    let weighed = Weighed::new(&weights, &joined.universe);
    let price = Price {
        lambda,
        ..Price::default()
    };
    let today = Scheme::today(&joined);
    let lingering = joined.policies.map(|_| false);
    let options = Options {
        weighed: &weighed,
        time_limit: std::time::Duration::from_secs(1),
        seed: 1,
        max_roles: None,
        over_grant: 0.1,
        price: &price,
        keep: &[],
        unread: &[],
        today: measure(&joined, &today, &weighed),
        removable: &removable,
        lingering: &lingering,
        ahead: None,
    };
    let mut policies = Table::default();
    let mut list: Vec<Role> = Vec::new();
    let mut given: proof::Given = today.given.keys().map(|key| (*key, Vec::new())).collect();
    for (n, (stanzas, holders)) in roles.iter().enumerate() {
        let name = format!("role{n}");
        let policy = syntax::parse(&name, "role.hcl", &text(stanzas), &joined.profile.dialect()).unwrap();
        list.push(Role::of(&policy));
        let number = policies.push(policy);
        for (key, list) in &mut given {
            if holders.contains(&joined.holders[key.1].display()) {
                list.push(number);
            }
        }
    }
    let scheme = Scheme { policies, given };
    let found = |scheme: &Scheme| Redesign {
        roles: list.clone(),
        kept: Vec::new(),
        scheme: Scheme {
            policies: scheme.policies.clone(),
            given: scheme.given.clone(),
        },
        proof: proof::Proof::default(),
        withdrawn: Vec::new(),
        made: Made::Mined,
        cost: 1.0,
        lower_bound: 1.0,
        optimal: true,
        untouched: 0,
        for_newcomers: BTreeSet::new(),
        from: From::Half,
        expected: None,
        size: measure(&joined, scheme, &weighed),
    };
    let before = found(&scheme);
    let after = simplify(&joined, found(&scheme), &options, (most_open, &|| false));
    assert!(options.cost(&after.size) <= options.cost(&before.size));
    look(&joined, &before, &after)
}

/// The roles as text, each with how many have it.
fn told(found: &Redesign) -> Vec<String> {
    let roles = found.roles.iter();
    let mut told: Vec<String> = roles
        .map(|role| {
            let paths: Vec<&str> = role.stanzas.iter().map(|(path, _)| &**path).collect();
            format!("{} for {}", paths.join(" "), role.holders.len())
        })
        .collect();
    told.sort();
    told
}

const ALL: &str = "path \"kv/*\" { capabilities = [\"read\", \"list\"] }\n";
const USED: [(&str, &str); 6] = [
    ("ann", "kv/web/a"),
    ("ann", "kv/web/b"),
    ("bob", "kv/web/a"),
    ("bob", "kv/web/b"),
    ("eve", "kv/web/a"),
    ("eve", "kv/pay/c"),
];
const READ: &[&str] = &["read"];
const BOTH: &[&str] = &["read", "list"];

#[test]
fn two_roles_that_differ_in_little_become_one() {
    let roles = [
        (vec![("kv/web/*", READ), ("kv/pay/c", READ)], vec!["ann", "eve"]),
        (vec![("kv/web/*", BOTH), ("kv/pay/c", READ)], vec!["bob"]),
    ];
    simplified(ALL, &USED, &roles, 0.001, f64::INFINITY, |_, _, after| {
        assert_eq!(told(after), ["kv/pay/c kv/web/* for 3"]);
        assert_eq!((after.made, after.optimal), (Made::Simplified, false));
        assert_eq!(after.roles[0].name, "kv-pay-read", "it is called by what it is about");
    });
    // What stays open is dear, or is not to become more.
    for (lambda, most) in [(100.0, f64::INFINITY), (0.001, 0.0)] {
        simplified(ALL, &USED, &roles, lambda, most, |_, before, after| {
            assert_eq!((after.size, after.made), (before.size, Made::Mined));
        });
    }
}

#[test]
fn who_has_the_sum_of_two_roles_gets_both() {
    let roles = [
        (vec![("kv/web/a", READ), ("kv/web/b", READ)], vec!["ann", "bob"]),
        (
            vec![("kv/web/a", READ), ("kv/web/b", READ), ("kv/pay/c", READ)],
            vec!["eve"],
        ),
    ];
    simplified(ALL, &USED, &roles, 1.0, f64::INFINITY, |_, _, after| {
        assert_eq!(told(after), ["kv/pay/c for 1", "kv/web/a kv/web/b for 3"]);
    });
}

const EACH: [&str; 5] = ["kv/web/a", "kv/web/b", "kv/web/c", "kv/web/d", "kv/pay/c"];

#[test]
fn paths_become_their_folder_where_that_pays() {
    let roles = [(EACH.map(|path| (path, READ)).to_vec(), vec!["ann", "bob", "eve"])];
    simplified(ALL, &USED, &roles, 0.001, f64::INFINITY, |_, _, after| {
        assert_eq!(told(after), ["kv/pay/c kv/web/* for 3"]);
    });
    simplified(ALL, &USED, &roles, 10.0, f64::INFINITY, |_, before, after| {
        assert_eq!((after.size, after.made), (before.size, Made::Mined));
    });
}

#[test]
fn nobody_gets_what_it_has_not_today() {
    let today: String = EACH
        .iter()
        .map(|path| format!("path \"{path}\" {{ capabilities = [\"read\"] }}\n"))
        .collect();
    let roles = [(EACH.map(|path| (path, READ)).to_vec(), vec!["ann", "bob", "eve"])];
    // `kv/web/*` would save most, and nobody has it.
    simplified(&today, &USED, &roles, 0.001, f64::INFINITY, |_, before, after| {
        assert_eq!((after.size, after.made), (before.size, Made::Mined));
    });
}

const PATHS: [&str; 7] = [
    "kv/web/a", "kv/web/b", "kv/web/*", "kv/pay/c", "kv/pay/*", "kv/*", "kv/+/a",
];

const FIRST: [&[&str]; 3] = [READ, BOTH, &["list"]];

fn role() -> impl Strategy<Value = Given<'static>> {
    let stanzas = (subsequence(&PATHS[..], 1..5), select(&FIRST[..]), select(&FIRST[..2]));
    let stanzas = stanzas.prop_map(|(paths, first, rest)| {
        let granted = std::iter::once(first).chain(std::iter::repeat(rest));
        paths.into_iter().zip(granted).collect::<Vec<_>>()
    });
    (stanzas, subsequence(&["ann", "bob", "eve"][..], 1..4))
}

proptest! {
    #[test]
    fn nobody_has_less_than_before_nor_more_than_today(
        roles in prop::collection::vec(role(), 1..5),
        lambda in select(&[0.0, 0.001, 0.05, 1.0][..]),
        all in select(&[
            ALL,
            "path \"kv/*\" { capabilities = [\"read\", \"list\"] }\npath \"kv/pay/c\" { capabilities = [\"deny\"] }\n",
            "path \"kv/+/a\" { capabilities = [\"read\"] }\npath \"kv/web/*\" { capabilities = [\"read\", \"list\"] }\n",
        ][..]),
    ) {
        simplified(all, &USED, &roles, lambda, f64::INFINITY, |joined, before, after| {
            let holds = |old: &Acl, new: &Acl| {
                compare::grants_nothing_new(old, new, compare::Options::default()).is_proven()
            };
            for (&(set, holder), list) in &after.scheme.given {
                let then = after.scheme.acl(joined, set, holder, list);
                let was = before.scheme.acl(joined, set, holder, &before.scheme.given[&(set, holder)]);
                prop_assert!(holds(&then, &was), "{:?}", told(after));
                let today = &joined.sets[set].acl;
                prop_assert!(holds(today, &then) || !holds(today, &was), "{:?}", told(after));
            }
            if after.made == Made::Simplified {
                prop_assert!(after.size.structure() < before.size.structure());
                let names: BTreeSet<PolicyId> = after.scheme.policies.iter().map(Policy::id).collect();
                prop_assert_eq!(names.len(), after.scheme.policies.len());
                prop_assert!(after.proof.newly_denied == 0 && after.proof.newly_granted == 0);
            }
            Ok(())
        })?;
    }
}
