//! Orders of changes: after every step nobody has more than before the first, nor less than in the end. Checked request by
//! request, by deciding and not by comparing.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails loudly"
)]

use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;
use vault_advisor::access::{self, Inputs, Joined, PolicyNumber};
use vault_advisor::index::{Idx, IndexVec};
use vault_advisor::optimize::handover::{self, Handover, Place, Pooled, Way};
use vault_advisor::optimize::steps::{self, Move, Order, Planned};
use vault_advisor::policy::acl::Acl;
use vault_advisor::policy::compare::{self, Verdict};
use vault_advisor::policy::model::Policy;
use vault_advisor::policy::profile::Profile;
use vault_advisor::policy::syntax;
use vault_advisor::policy::table::Table;
use vault_advisor::policy::template::Identity;
use vault_advisor::usage::Held;
use vault_advisor::usage::demand::{Demand, Principal};
use vault_advisor::vault::{Capability, Operation, PrincipalKind};

const PROFILE: Profile = Profile::Vault203;

fn policy(name: &str, text: &str) -> Policy {
    syntax::parse(name, &format!("{name}.hcl"), text, &PROFILE.dialect()).unwrap()
}

/// Somebody for each of these lists of policies.
fn joined(policies: Vec<Policy>, held: &[Vec<String>]) -> Joined {
    let demands = held.iter().enumerate().map(|(n, names)| Demand {
        principal: Principal {
            kind: PrincipalKind::Entity,
            id: Arc::from(format!("e{n}")),
            name: Arc::from(format!("e{n}")),
            auth_mount: Arc::from(""),
        },
        namespace: Arc::from(""),
        path: Arc::from("none"),
        capability: Capability::Read,
        mount_type: Arc::from(""),
        allowed: 0,
        denied: 1,
        failed: 0,
        first_seen: None,
        last_seen: None,
        days: BTreeSet::new(),
        held: Arc::new(Held::named(names.iter().map(|name| Arc::from(name.as_str())).collect())),
        keys_always: BTreeSet::new(),
        keys_ever: BTreeSet::new(),
        granting: BTreeSet::new(),
        example: None,
    });
    access::join(Inputs {
        facts: demands.collect::<Vec<_>>().into(),
        policies,
        deployment: None,
        profile: PROFILE,
        now: None,
    })
}

fn allowed(policies: &[&Policy], paths: &BTreeSet<String>) -> BTreeSet<(String, Operation)> {
    let acl = Acl::compile(PROFILE, policies, &Identity::default(), None);
    let asks = [Operation::Read, Operation::List, Operation::Update, Operation::Delete];
    let all = paths.iter().flat_map(|path| asks.iter().map(move |&ask| (path, ask)));
    all.filter(|(path, ask)| acl.check(*ask, path).allowed)
        .map(|(path, ask)| (path.clone(), ask))
        .collect()
}

/// What each policy is to become.
type To = IndexVec<Policy, Option<Policy>>;

/// Goes the way and looks at everybody after each step.
fn check(joined: &Joined, to: &To, order: &[Planned], paths: &BTreeSet<String>) {
    let mut now: To = joined.policies.map(|policy| Some(policy.clone()));
    for step in order {
        now[step.policy] = match &step.between {
            Some(text) => Some(policy(&joined.policies[step.policy].name, text)),
            None => to[step.policy].clone(),
        };
        for set in &joined.sets {
            let of = |all: &dyn Fn(PolicyNumber) -> Option<Policy>| {
                let held: Vec<Policy> = set.policies.iter().filter_map(|&p| all(p)).collect();
                allowed(&held.iter().collect::<Vec<_>>(), paths)
            };
            let (before, then, last) = (
                of(&|p| Some(joined.policies[p].clone())),
                of(&|p| now[p].clone()),
                of(&|p| to[p].clone()),
            );
            assert!(then.is_subset(&before), "gained {:?}", then.difference(&before));
            assert!(last.is_subset(&then), "lost {:?}", last.difference(&then));
        }
    }
    assert_eq!(&now, to, "the end of the way");
}

fn moves(joined: &Joined, to: &To) -> Vec<Move> {
    let changed = to
        .numbered()
        .filter(|(p, to)| to.as_ref() != Some(&joined.policies[*p]));
    changed
        .map(|(policy, to)| Move {
            policy,
            to: to.clone(),
            wave: 0,
        })
        .collect()
}

fn safe(joined: &Joined, to: &To) -> Vec<Planned> {
    match steps::order(joined, moves(joined, to)) {
        Order::Safe(order) => order,
        Order::None(policy) => panic!("no order as long as {policy:?} changes"),
    }
}

fn some(paths: &[&str]) -> BTreeSet<String> {
    paths.iter().map(|path| (*path).to_owned()).collect()
}

#[test]
fn the_wide_one_goes_before_the_narrow_one_that_hides_it() {
    let guard = "path \"kv/secret/*\" { capabilities = [\"update\"] }\n";
    let j = joined(
        vec![
            policy(
                "aguard",
                &format!("{guard}path \"kv/team/*\" {{ capabilities = [\"update\"] }}\n"),
            ),
            policy("readers", "path \"kv/*\" { capabilities = [\"read\", \"list\"] }\n"),
        ],
        &[vec!["aguard".to_owned(), "readers".to_owned()]],
    );
    let to = To::from(vec![
        Some(policy("aguard", "path \"kv/team/*\" { capabilities = [\"update\"] }\n")),
        Some(policy("readers", "path \"kv/a\" { capabilities = [\"read\"] }\n")),
    ]);
    let order = safe(&j, &to);
    assert_eq!(
        order.iter().map(|step| step.policy.number()).collect::<Vec<_>>(),
        [1, 0]
    );
    check(&j, &to, &order, &some(&["kv/a", "kv/secret/1", "kv/team/x"]));
}

#[test]
fn where_each_hides_something_of_the_other_one_goes_by_a_text_between() {
    let wide_and_narrow = |wide: &str, narrow: &str| {
        format!(
            "path \"{wide}/*\" {{ capabilities = [\"read\"] }}\npath \"{narrow}/s/*\" {{ capabilities = [\"update\"] }}\n"
        )
    };
    let j = joined(
        vec![
            policy("a", &wide_and_narrow("x", "y")),
            policy("b", &wide_and_narrow("y", "x")),
        ],
        &[vec!["a".to_owned(), "b".to_owned()]],
    );
    let to = To::from(vec![
        Some(policy("a", "path \"x/1\" { capabilities = [\"read\"] }\n")),
        Some(policy("b", "path \"y/1\" { capabilities = [\"read\"] }\n")),
    ]);
    let order = safe(&j, &to);
    assert_eq!(order.len(), 3, "{order:?}");
    assert!(order[0].between.is_some());
    check(&j, &to, &order, &some(&["x/1", "y/1", "x/s/1", "y/s/1", "x/2", "y/2"]));
}

#[test]
fn what_nobody_holds_goes_whenever() {
    let j = joined(
        vec![
            policy("held", "path \"a\" { capabilities = [\"read\"] }\n"),
            policy("nobodys", "path \"b\" { capabilities = [\"read\"] }\n"),
        ],
        &[vec!["held".to_owned()]],
    );
    let to = To::from(vec![j.policies.iter().next().cloned(), None]);
    let order = safe(&j, &to);
    assert_eq!(order.len(), 1);
    assert!(order[0].free && order[0].between.is_none());
}

/// Somebody with a role, which stays on tokens, and a group; `before` and `after` are what each lists.
fn handed_over(role: (&[usize], &[usize]), group: (&[usize], &[usize])) -> Handover {
    let policies = vec![
        policy("wide", "path \"kv/*\" { capabilities = [\"read\", \"list\"] }\n"),
        policy("guard", "path \"kv/secret/*\" { capabilities = [\"update\"] }\n"),
        policy("new", "path \"kv/a\" { capabilities = [\"read\"] }\n"),
    ];
    let held: BTreeSet<usize> = role.0.iter().chain(group.0).copied().collect();
    let names = held.iter().map(|&n| policies[n].name.to_string()).collect();
    let j = joined(policies.clone(), &[names]);
    let pool: Table<Pooled> = policies.into();
    let ids: Vec<Idx<Pooled>> = pool.ids().collect();
    let listed = |list: &[usize]| -> BTreeSet<Idx<Pooled>> { list.iter().map(|&n| ids[n]).collect() };
    let place = |(before, after): (&[usize], &[usize]), stays_on_tokens| Place {
        stages: [listed(before), listed(&[before, after].concat()), listed(after)],
        stays_on_tokens,
        rank: 0,
    };
    let holder = j.holders.ids().next().unwrap();
    let way = Way {
        set: j.holders[holder].current,
        holder,
        places: vec![0, 1],
        always: Vec::new(),
    };
    handover::order(&j, &pool, &[place(role, true), place(group, false)], &[way])
}

#[test]
fn what_is_wide_goes_from_where_it_is_handed_out_before_what_hides_it() {
    // The group gives what is wide, the role what hides a part of it: the group's goes at once, from every token.
    let found = handed_over((&[1], &[]), (&[0], &[2]));
    let Handover::Safe { first, second } = found else {
        panic!("{found:?}")
    };
    assert_eq!((first, second), (vec![0, 1], vec![1, 0]));
}

#[test]
fn what_hides_something_on_tokens_that_are_out_stays() {
    // Tokens keep what is wide from the role: without the group's guard they would have more than ever.
    let found = handed_over((&[0], &[2]), (&[1], &[]));
    assert_eq!(found, Handover::Stuck([1].into_iter().collect()));
}

/// Texts over few paths, so that they overlap.
fn text() -> impl Strategy<Value = String> {
    let path = prop::sample::select(vec![
        "k/*", "k/a/*", "k/a/b", "k/b/*", "k/+/b", "k/a/b/*", "k/b/b", "k/+/*",
    ]);
    let capabilities = prop::sample::subsequence(vec!["read", "list", "update", "delete"], 0..4);
    let deny = prop::bool::weighted(0.1);
    prop::collection::btree_map(path, (capabilities, deny), 1..4).prop_map(|stanzas| {
        let stanza = |(path, (capabilities, deny)): (&str, (Vec<&str>, bool))| {
            let words: Vec<String> = capabilities.iter().map(|c| format!("\"{c}\"")).collect();
            let words = if deny {
                String::from("\"deny\"")
            } else {
                words.join(", ")
            };
            format!("path \"{path}\" {{ capabilities = [{words}] }}\n")
        };
        stanzas.into_iter().map(stanza).collect()
    })
}

/// The text with some stanzas and capabilities gone, and some globs narrowed.
fn less(text: &str, seed: u64) -> String {
    let mut bits = seed;
    let mut next = || {
        bits = bits
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        bits >> 60
    };
    let mut out = String::new();
    for line in text.lines() {
        let line = match next() {
            0..=4 => continue,
            5..=7 => line.replacen("\"read\", ", "", 1),
            8..=9 => line.replacen("/*\" {", "/b\" {", 1),
            _ => line.to_owned(),
        };
        out.push_str(&line);
        out.push('\n');
    }
    if out.is_empty() {
        String::from("# nothing\n")
    } else {
        out
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_step_gives_or_takes_more_than_the_whole(
        texts in prop::collection::vec((text(), any::<u64>()), 2..4),
        holds in prop::collection::vec(prop::collection::btree_set(0_usize..3, 1..4), 1..3),
    ) {
        let name = |n: usize| format!("p{n}");
        let policies: Vec<Policy> = texts.iter().enumerate().map(|(n, (text, _))| policy(&name(n), text)).collect();
        let held: Vec<Vec<String>> = holds.iter().map(|set| set.iter().filter(|n| **n < texts.len()).map(|&n| name(n)).collect()).collect();
        let j = joined(policies, &held);
        let to: To = texts.iter().enumerate().map(|(n, (text, seed))| Some(policy(&name(n), &less(text, *seed)))).collect();
        // A proposal that gives something is none.
        for set in &j.sets {
            let last: Vec<&Policy> = set.policies.iter().filter_map(|&p| to[p].as_ref()).collect();
            let last = Acl::compile(PROFILE, &last, &Identity::default(), None);
            prop_assume!(matches!(compare::grants_nothing_new(&set.acl, &last, compare::Options::default()), Verdict::Proven));
        }
        let paths = some(&["k/a", "k/b", "k/c", "k/a/b", "k/a/c", "k/b/b", "k/b/c", "k/c/b", "k/a/b/c", "k/a/b/", "k/c/d/e", "k/"]);
        if let Order::Safe(order) = steps::order(&j, moves(&j, &to)) {
            check(&j, &to, &order, &paths);
        }
    }
}
