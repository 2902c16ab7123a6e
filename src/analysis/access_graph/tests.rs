//! Chains of escalation, from whole cases.

use super::*;
use crate::analysis::rules::testing::{Case, demand, policy};

/// `who: step; step -> target`, a line a chain.
fn told(text: &str) -> Vec<String> {
    let case = Case::read(text);
    let chains = case.chains().iter();
    chains
        .map(|chain| {
            assert_eq!(chain.nodes.len(), chain.steps.len() + 1);
            assert!(
                chain
                    .holders
                    .iter()
                    .all(|&h| case.joined.holders[h].current == chain.set || chain.holders.len() > 1)
            );
            let steps: Vec<&str> = chain.steps.iter().map(|s| s.split(':').next().unwrap()).collect();
            format!(
                "{}: {} -> {}",
                chain.nodes[0],
                steps.join("; "),
                chain.target.describe()
            )
        })
        .collect()
}

fn one_policy(stanzas: &str) -> Vec<String> {
    told(&format!(
        "== policy app\n{stanzas}\n== usage\nentity:web (app): read x denied 1"
    ))
}

#[test]
fn single_steps() {
    let everything = "any policy";
    for (stanza, want) in [
        (
            r#"path "sys/policies/acl/app" { capabilities = ["update"] }"#,
            Some(("write `sys/policies/acl/app`", everything)),
        ),
        (
            r#"path "sys/policy/*" { capabilities = ["create"] }"#,
            Some(("write `sys/policy/app`", everything)),
        ),
        (r#"path "sys/policies/acl/other" { capabilities = ["update"] }"#, None),
        (r#"path "sys/policies/acl/*" { capabilities = ["read"] }"#, None),
        (r#"path "auth/token/create" { capabilities = ["update"] }"#, None),
        (
            r#"path "auth/token/create" { capabilities = ["update", "sudo"] }"#,
            Some(("write `auth/token/create` with sudo", everything)),
        ),
        (
            r#"path "identity/entity/id/id-web" { capabilities = ["update"] }"#,
            Some(("write `identity/entity/id/id-web`", everything)),
        ),
        (
            r#"path "identity/entity/id/id-bob" { capabilities = ["update"] }"#,
            None,
        ),
        (
            r#"path "identity/group" { capabilities = ["create"] }"#,
            Some(("write `identity/group`", everything)),
        ),
        (r#"path "sys/raw/*" { capabilities = ["read"] }"#, None),
        (
            r#"path "sys/raw/*" { capabilities = ["read", "sudo"] }"#,
            Some(("read `sys/raw/…`", "everything in storage")),
        ),
        (r#"path "sys/audit/*" { capabilities = ["delete"] }"#, None),
        (
            r#"path "sys/audit/*" { capabilities = ["delete", "sudo"] }"#,
            Some(("delete `sys/audit/…`", "acting unseen: the audit devices")),
        ),
        (
            r#"path "sys/audit/*" { capabilities = ["update", "sudo"] }"#,
            Some(("write `sys/audit/…`", "every request: an audit device of its own")),
        ),
        (
            r#"path "auth/token/roles/*" { capabilities = ["update"] } path "auth/token/create/*" { capabilities = ["update"] }"#,
            Some(("write `auth/token/roles/…`", everything)),
        ),
        (r#"path "secret/*" { capabilities = ["read", "sudo"] }"#, None),
        // A deny of the very path takes the step away.
        (
            r#"path "sys/policies/acl/*" { capabilities = ["update"] } path "sys/policies/acl/app" { capabilities = ["deny"] }"#,
            None,
        ),
    ] {
        let want: Vec<String> = want
            .iter()
            .map(|(step, target)| format!("web: {step} -> {target}"))
            .collect();
        assert_eq!(one_policy(stanza), want, "{stanza}");
    }
}

#[test]
fn a_policy_that_does_not_exist_yet_is_its_holders_to_write() {
    let found = told(
        "== policy app\npath \"sys/policies/acl/team-*\" { capabilities = [\"create\"] }\n== usage\nentity:web (app, team-new): read x denied 1",
    );
    assert_eq!(found, ["web: write `sys/policies/acl/team-new` -> any policy"]);
}

#[test]
fn the_shortest_chain_through_a_circle() {
    // a and b hand out each other's credentials; b also c's, and c writes its own policy.
    let found = told(
        r#"== policy a
path "auth/approle/role/b/secret-id" { capabilities = ["update"] }
== policy b
path "auth/approle/role/a/secret-id" { capabilities = ["update"] }
path "auth/approle/role/c/secret-id" { capabilities = ["update"] }
== policy c
path "sys/policies/acl/c" { capabilities = ["update"] }
== usage
a (a): read x denied 1
b (b): read x denied 1
c (c): read x denied 1
"#,
    );
    let end = "write `sys/policies/acl/c` -> any policy";
    assert_eq!(
        found,
        [
            format!(
                "a: write `auth/approle/role/b/secret-id`; log in as `b`; write `auth/approle/role/c/secret-id`; log in as `c`; {end}"
            ),
            format!("b: write `auth/approle/role/c/secret-id`; log in as `c`; {end}"),
            format!("c: {end}"),
        ]
    );
}

#[test]
fn roles_groups_token_roles_and_mounts_of_the_deployment() {
    let found = told(
        r#"== policy roles
path "auth/approle/role/web/token-policies" { capabilities = ["update"] }
== policy groups
path "identity/group/id/g-1" { capabilities = ["update"] }
== policy tokens
path "auth/token/create/runner" { capabilities = ["update"] }
== policy any-token
path "auth/token/create/loose" { capabilities = ["update"] }
== policy config
path "auth/jwt/config" { capabilities = ["update"] }
== policy merge
path "identity/entity/merge" { capabilities = ["update"] }
== policy rewriter
path "auth/approle/role/web/secret-id" { capabilities = ["update"] }
path "sys/policies/acl/job-a" { capabilities = ["update"] }
== policy job-a
path "secret/data/a" { capabilities = ["read"] }
== usage
entity:ann (roles): read x denied 1
entity:bob (groups): read x denied 1
entity:cid (tokens): read x denied 1
entity:dan (any-token): read x denied 1
entity:eve (config): read x denied 1
entity:fay (rewriter): read x denied 1
== deployment
{
  "roles": [
    {"namespace": "", "mount": "auth/approle/", "kind": "approle", "item": "role", "name": "web", "policies": ["job-a"]},
    {"namespace": "", "mount": "auth/jwt/", "kind": "jwt", "item": "role", "name": "ci", "policies": ["job-a"]},
    {"namespace": "", "mount": "auth/token/", "kind": "token", "item": "role", "name": "runner", "policies": [], "allowed_policies": ["job-*", "unknown"]},
    {"namespace": "", "mount": "auth/token/", "kind": "token", "item": "role", "name": "loose", "policies": [], "allowed_policies": ["*"]}
  ],
  "groups": [{"id": "g-1", "name": "ops", "policies": ["job-a"], "member_entities": ["no-such-entity"], "member_groups": ["no-such-group"]}]
}
"#,
    );
    let everything = "any policy";
    assert_eq!(
        found,
        [
            format!("ann: write `auth/approle/role/web/token-policies` -> {everything}"),
            format!("bob: write `identity/group/id/g-1` -> {everything}"),
            "cid: write `auth/token/create/runner`; use the token -> `a token by role runner`".to_owned(),
            format!("dan: write `auth/token/create/loose` -> {everything}"),
            "eve: write `auth/jwt/config`; log in as `ci` -> `web`".to_owned(),
            format!(
                "fay: write `auth/approle/role/web/secret-id`; log in as `web`; write `sys/policies/acl/job-a` -> {everything}"
            ),
        ]
    );
}

#[test]
fn what_lies_in_a_namespace_is_asked_for_there() {
    let mut here = demand("entity:web (app): read x denied 1");
    here.namespace = "team/".into();
    let text = "path \"sys/policies/acl/app\" { capabilities = [\"update\"] }";
    let case = Case::of(vec![here.clone()], vec![policy("app", "team/", text)], None, 30.0);
    assert_eq!(case.chains().len(), 1);
    assert!(case.chains()[0].steps[0].starts_with("write `team/sys/policies/acl/app`"));
    let elsewhere = Case::of(vec![here], vec![policy("app", "", text)], None, 30.0);
    assert_eq!(
        elsewhere.chains().len(),
        1,
        "a policy of the parent writes itself there"
    );
}

#[test]
fn a_root_list_and_nobody_at_all_are_no_chains() {
    assert!(told("== usage\nroot:root (root): update sys/policies/acl/x").is_empty());
    assert!(told("== policy app\npath \"a\" { capabilities = [\"read\"] }").is_empty());
}

#[test]
fn many_principals_with_templates_of_their_own_are_few_nodes() {
    let stanzas = r#"
path "secret/data/{{identity.entity.name}}/*" { capabilities = ["read"] }
path "identity/entity/id/{{identity.entity.id}}" { capabilities = ["read"] }
path "auth/approle/role/+/secret-id" { capabilities = ["update"] }
"#;
    let mut demands: Vec<_> = (0..2_000)
        .map(|n| demand(&format!("entity:e{n} (app): read x denied 1")))
        .collect();
    demands.extend((0..2_000).map(|n| demand(&format!("r{n} (role-{}): read x denied 1", n % 50))));
    let mut policies = vec![policy("app", "", stanzas)];
    policies.extend((0..50).map(|n| policy(&format!("role-{n}"), "", "path \"a\" { capabilities = [\"read\"] }")));
    let case = Case::of(demands, policies, None, 30.0);
    let chains = case.chains();
    assert_eq!(chains.len(), MOST_IDENTITIES);
    assert!(
        chains
            .iter()
            .all(|c| c.holders.len() == 2_000 && matches!(c.target, Target::Become(_)))
    );
}
