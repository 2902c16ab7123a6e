//! Withdrawals take back what is to blame and nothing else.

use super::*;
use crate::access::{Inputs, join};
use crate::index::IndexVec;
use crate::policy::model::Policy;
use crate::policy::profile::Profile;
use crate::policy::syntax;
use crate::usage::Held;
use crate::usage::demand::{Demand, Principal};

use crate::vault::PrincipalKind;
use std::sync::Arc;

pub(in crate::optimize) fn demand(who: &str, policies: &[&str], path: &str, capability: Capability) -> Demand {
    Demand {
        principal: Principal {
            kind: PrincipalKind::Role,
            id: Arc::from(format!("auth/approle/{who}")),
            name: Arc::from(who),
            auth_mount: Arc::from("auth/approle/"),
        },
        namespace: Arc::from(""),
        path: Arc::from(path),
        capability,
        mount_type: Arc::from("kv"),
        allowed: 1,
        denied: 0,
        failed: 0,
        first_seen: None,
        last_seen: None,
        days: BTreeSet::from([1]),
        held: Arc::new(Held::named(
            policies.iter().map(|p| Arc::from(*p)).collect::<Vec<_>>().into(),
        )),
        keys_always: BTreeSet::new(),
        keys_ever: BTreeSet::new(),
        granting: BTreeSet::new(),
        example: None,
    }
}

pub(in crate::optimize) fn joined(texts: &[(&str, &str)], demands: Vec<Demand>) -> (Joined, IndexVec<Policy, bool>) {
    let dialect = Profile::default().dialect();
    let policies = texts
        .iter()
        .map(|(name, text)| syntax::parse(name, &format!("{name}.hcl"), text, &dialect).unwrap())
        .collect::<Vec<_>>();
    let removable = policies.iter().map(|p| &*p.name != "default").collect();
    let joined = join(Inputs {
        facts: demands.into(),
        policies,
        deployment: None,
        profile: Profile::default(),
        now: None,
    });
    (joined, removable)
}

fn tightened(texts: &[(&str, &str)], demands: Vec<Demand>) -> Tightening {
    let (joined, removable) = joined(texts, demands);
    tighten(
        &joined,
        &Options {
            price: &Price::default(),
            removable: &removable,
            mounts: &[],
            missed: &[],
        },
    )
}

fn text<'a>(found: &'a Tightening, name: &str) -> &'a str {
    let policy = found.scheme.policies.iter().find(|p| &*p.name == name).unwrap();
    &policy.source
}

const TEAM: &str = r#"path "secret/data/+/app/*" { capabilities = ["create", "read", "update", "patch", "delete"] }
path "secret/data/shared/*" { capabilities = ["read"] }
path "secret/metadata/+/app/*" { capabilities = ["read", "list", "delete"] }
"#;

#[test]
fn only_what_is_to_blame_goes_back() {
    let demands = vec![
        demand("u", &["team"], "secret/data/stage/app/oauth", Capability::Read),
        demand("u", &["team"], "secret/data/stage/app/oauth", Capability::Update),
    ];
    let (joined, removable) = joined(&[("team", TEAM)], demands);
    let options = Options {
        price: &Price::default(),
        removable: &removable,
        mounts: &[],
        missed: &[],
    };
    let some = vec![Capability::Create, Capability::Read, Capability::Update];
    let wanted = [vec![Change::Capabilities(some)], vec![Change::Drop], vec![Change::Drop]];
    let ladders: Ladders = joined.policies.stanzas().zip(wanted).collect();
    let found = settle::settle(&joined, &options, &ladders).into_tightening();
    assert!(found.proof.newly_granted == 0 && found.proof.newly_denied == 0);
    let new = text(&found, "team");
    // Without `shared/*` the `+` stanza would decide there, and grant create and update: it stays, and alone.
    assert!(new.contains("secret/data/shared/*"), "{new}");
    assert!(!new.contains("patch") && !new.contains("secret/metadata"), "{new}");
    let told: Vec<&str> = found.withdrawn.iter().map(|(what, _)| what.as_str()).collect();
    assert!(
        told.len() == 1 && told.iter().all(|what| what.contains("shared")),
        "{told:?}"
    );
}

#[test]
fn policies_that_share_no_holder_are_given_up_apart() {
    let other = "path \"kv/*\" { capabilities = [\"read\", \"delete\"] }\n";
    let demands = vec![
        demand("u", &["team"], "secret/data/stage/app/oauth", Capability::Update),
        demand("v", &["other"], "kv/a", Capability::Read),
    ];
    let found = tightened(&[("team", TEAM), ("other", other)], demands);
    assert!(!text(&found, "other").contains("delete"));
}

#[test]
fn a_proof_over_nothing_proposes_nothing_and_the_servers_own_policies_stay() {
    let unheld = "path \"kv/*\" { capabilities = [\"read\"] }\n";
    let found = tightened(&[("team", TEAM), ("default", unheld)], Vec::new());
    assert!(found.changed.is_empty(), "no request was replayed");
    let demands = vec![demand("v", &["other"], "kv/a", Capability::Read)];
    let found = tightened(&[("team", TEAM), ("default", unheld), ("other", unheld)], demands);
    let gone = found
        .changed
        .iter()
        .filter(|c| c.text.is_none())
        .map(|c| c.policy.number());
    assert_eq!(
        gone.collect::<Vec<_>>(),
        [0],
        "nobody held `team`; nobody can delete `default`"
    );
}
