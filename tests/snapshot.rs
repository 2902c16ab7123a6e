//! `snapshot` against a real server: what it finds, what it writes, what it needs, and what it keeps to itself.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails loudly, and says what it skips"
)]

mod server;

use serde_json::json;
use server::Server;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use vault_advisor::deployment::connection::{Connection, Given};
use vault_advisor::deployment::live::LiveError;
use vault_advisor::deployment::required::required_policy;
use vault_advisor::deployment::save::{SnapshotError, SnapshotOptions, SnapshotReport, snapshot};
use vault_advisor::deployment::write::{Written, file_stem};
use vault_advisor::deployment::{AuthRole, Deployment, read};
use vault_advisor::hint::Hint;

const WEB: &str = "# written by hand\r\npath \"secret/data/web/*\" {\n\tcapabilities = [\"read\"]   \n}\n\n\n";
const ODD_NAME: &str = "team a/web+ü";

fn options(server: &Server, token: &str, out: &Path) -> SnapshotOptions {
    let variable = |name: &str| match name {
        "VAULT_ADDR" => Some(server.address().to_owned()),
        "VAULT_TOKEN" => Some(token.to_owned()),
        _ => None,
    };
    SnapshotOptions {
        connection: Connection::resolve(&Given::default(), &variable, None).unwrap(),
        out: out.to_path_buf(),
        list_secrets: true,
        max_secrets: 1_000,
        concurrency: 4,
    }
}

fn take(server: &Server, token: &str, out: &Path) -> SnapshotReport {
    snapshot(&options(server, token, out), &mut |_| {}).unwrap()
}

/// Every file below `folder` with its bytes.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(
                    path.strip_prefix(folder).unwrap().to_path_buf(),
                    fs::read(&path).unwrap(),
                );
            }
        }
    }
    found
}

fn role<'a>(d: &'a Deployment, mount: &str, item: &str, name: &str) -> &'a AuthRole {
    d.roles
        .iter()
        .find(|r| r.mount == mount && r.item == item && r.name == name)
        .unwrap_or_else(|| panic!("no {item} {name} at {mount} in {:?}", d.roles))
}

/// Mounts, roles, entities, groups, policies and secrets of every kind that the server has built in.
fn furnish(server: &Server) {
    server.write("sys/policies/acl/web", json!({ "policy": WEB }));
    server.write(
        "sys/policies/acl/json",
        json!({"policy": "{\"path\":{\"kv1/*\":{\"capabilities\":[\"list\"]}}}"}),
    );
    server.write(
        "sys/policies/acl/team%20a%2Fweb%2B%C3%BC",
        json!({"policy": "path \"a\" { capabilities = [\"deny\"] }"}),
    );
    server.write(
        "sys/mounts/kv1",
        json!({"type": "kv", "options": {"version": "1"}, "description": "old"}),
    );
    server.write("sys/mounts/team/kv", json!({"type": "kv-v2"}));
    server.write("sys/mounts/pki", json!({"type": "pki"}));
    for secret in [
        "secret/data/prod/web/db",
        "secret/data/prod/web/tls",
        "secret/data/top",
        "team/kv/data/a%20b",
    ] {
        server.write(secret, json!({"data": {"password": "hunter2-value"}}));
    }
    server.write("kv1/x/y", json!({"password": "hunter2-value"}));
    for kind in ["approle", "userpass", "kubernetes", "jwt", "ldap", "cert", "radius"] {
        server.write(&format!("sys/auth/{kind}"), json!({ "type": kind }));
    }
    server.write("sys/auth/team/apps", json!({"type": "approle"}));
    server.write(
        "auth/approle/role/web",
        json!({"token_policies": ["web", "json"], "token_no_default_policy": true}),
    );
    server.write("auth/approle/role/bare", json!({}));
    server.write("auth/team/apps/role/deep", json!({"token_policies": "web"}));
    server.write(
        "auth/userpass/users/ann",
        json!({"password": "hunter2-value", "token_policies": ["web"]}),
    );
    server.write(
        "auth/kubernetes/role/pod",
        json!({"bound_service_account_names": ["a"], "bound_service_account_namespaces": ["b"], "token_policies": ["json"]}),
    );
    server.write(
        "auth/cert/certs/box",
        json!({"certificate": CERTIFICATE, "token_policies": ["web"]}),
    );
    // The key pair is of no use: no one logs in with it.
    server.write("auth/jwt/config", json!({"jwt_validation_pubkeys": [PUBLIC_KEY]}));
    server.write(
        "auth/jwt/role/ci",
        json!({"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["x"], "token_policies": ["web"]}),
    );
    server.write("auth/ldap/groups/devs", json!({"policies": "web,json"}));
    server.write("auth/ldap/users/bob", json!({"policies": ["json"], "groups": "devs"}));
    server.write("auth/radius/users/eve", json!({"policies": ["web"]}));
    server.write(
        "auth/token/roles/batch",
        json!({"allowed_policies": ["web"], "allowed_policies_glob": ["team-*"]}),
    );
    let accessor = server.ok("GET", "", "sys/auth", None)["data"]["userpass/"]["accessor"].clone();
    let entity = server.write(
        "identity/entity",
        json!({"name": "ann", "policies": ["json"], "metadata": {"team": "web"}}),
    );
    let entity = entity["data"]["id"].clone();
    server.write(
        "identity/entity-alias",
        json!({"name": "ann", "canonical_id": entity, "mount_accessor": accessor}),
    );
    server.write("identity/entity", json!({"name": "gone", "disabled": true}));
    let group = server.write(
        "identity/group",
        json!({"name": "devs", "policies": ["web"], "member_entity_ids": [entity]}),
    );
    server.write(
        "identity/group",
        json!({"name": "all", "member_group_ids": [group["data"]["id"]], "metadata": {"k": "v"}}),
    );
    server.write(
        "identity/group",
        json!({"name": "outside", "type": "external", "policies": ["json"]}),
    );
}

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMIIBgjCCASmgAwIBAgIUEgRv6Xobh/CA7YfEPiVAdma/71QwCgYIKoZIzj0EAwIw\nFjEUMBIGA1UEAwwLY2xpZW50LnRlc3QwIBcNMjYxMTIwMDU1OTAwWhgPMjEyNjEw\nMjcwNTU5MDBaMBYxFDASBgNVBAMMC2NsaWVudC50ZXN0MFkwEwYHKoZIzj0CAQYI\nKoZIzj0DAQcDQgAEP4RweTlYuDb+s5Qm2R1kuR3AuY6XcRVFSQTFuDf+EBuqU9m0\nz/nrxOWrVOfj/wu9tibJFiNSRf2XCaff4kf0Y6NTMFEwHQYDVR0OBBYEFM/6NTG+\nGdluJ2uu6hpS2k+6CJ5KMB8GA1UdIwQYMBaAFM/6NTG+GdluJ2uu6hpS2k+6CJ5K\nMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDRwAwRAIgVM2LNyg4WaaAfT6u\ndvH/TghC8a+uME60s49rcERqA8cCIH15XSU/+uscx0Ll7qLwzDt5a/469cgw9rFO\nC8euNOiX\n-----END CERTIFICATE-----";
const PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEVs/o5+uQbTjL3chynL4wXgUg2R9\nq9UU8I5mEovUf86QZ7kOBIjJwqnzD1omageEHWwHdBO6B+dFabmdT9POxg==\n-----END PUBLIC KEY-----";

#[test]
fn finds_all_that_says_who_may_do_what() {
    let Some(server) = Server::start() else { return };
    furnish(&server);
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("snapshot");
    let report = take(&server, server.token(), &out);
    assert_eq!(report.missing, [], "root may read all");
    assert_eq!(report.written, Written::New);

    let d = read(&out).unwrap();
    assert_eq!(fs::read_to_string(out.join("policies/web.hcl")).unwrap(), WEB);
    assert!(out.join("policies/default.hcl").exists());
    assert!(!out.join("policies/root.hcl").exists());
    let odd = out.join(format!("policies/{}.hcl", file_stem(ODD_NAME)));
    assert_eq!(
        fs::read_to_string(odd).unwrap(),
        "path \"a\" { capabilities = [\"deny\"] }"
    );

    let mounts: Vec<_> = d
        .mounts
        .iter()
        .map(|m| (m.path.as_str(), m.kind.as_str(), m.kv_version))
        .collect();
    for want in [
        ("kv1/", "kv", Some(1)),
        ("secret/", "kv", Some(2)),
        ("team/kv/", "kv", Some(2)),
        ("pki/", "pki", None),
    ] {
        assert!(mounts.contains(&want), "{want:?} in {mounts:?}");
    }
    assert!(
        d.auth_mounts
            .iter()
            .any(|m| m.path == "auth/team/apps/" && m.kind == "approle")
    );
    let web = role(&d, "auth/approle/", "role", "web");
    assert_eq!(
        (web.policies.as_slice(), web.no_default_policy),
        (["json".to_owned(), "web".to_owned()].as_slice(), true)
    );
    assert!(role(&d, "auth/approle/", "role", "bare").policies.is_empty());
    assert_eq!(role(&d, "auth/team/apps/", "role", "deep").policies, ["web"]);
    assert_eq!(role(&d, "auth/userpass/", "user", "ann").policies, ["web"]);
    assert_eq!(role(&d, "auth/kubernetes/", "role", "pod").policies, ["json"]);
    assert_eq!(role(&d, "auth/jwt/", "role", "ci").policies, ["web"]);
    assert_eq!(role(&d, "auth/cert/", "role", "box").policies, ["web"]);
    assert_eq!(role(&d, "auth/ldap/", "group", "devs").policies, ["json", "web"]);
    assert_eq!(role(&d, "auth/ldap/", "user", "bob").policies, ["json"]);
    assert_eq!(role(&d, "auth/radius/", "user", "eve").policies, ["web"]);
    assert_eq!(
        role(&d, "auth/token/", "role", "batch").allowed_policies,
        ["team-*", "web"]
    );

    let ann = d.entities.iter().find(|e| e.name == "ann").unwrap();
    assert_eq!(
        (ann.policies.as_slice(), ann.metadata["team"].as_str()),
        (["json".to_owned()].as_slice(), "web")
    );
    assert_eq!(ann.aliases[0].name, "ann");
    assert!(
        d.auth_mounts
            .iter()
            .any(|m| m.accessor == ann.aliases[0].mount_accessor && m.kind == "userpass")
    );
    assert!(d.entities.iter().any(|e| e.name == "gone" && e.disabled));
    let devs = d.groups.iter().find(|g| g.name == "devs").unwrap();
    assert_eq!(devs.member_entities, std::slice::from_ref(&ann.id));
    let all = d.groups.iter().find(|g| g.name == "all").unwrap();
    assert_eq!(
        (all.member_groups.as_slice(), all.metadata["k"].as_str()),
        (std::slice::from_ref(&devs.id), "v")
    );
    assert!(d.groups.iter().any(|g| g.name == "outside" && g.external));
    assert_eq!(
        d.secrets,
        [
            "kv1/x/y",
            "secret/data/prod/web/db",
            "secret/data/prod/web/tls",
            "secret/data/top",
            "team/kv/data/a b"
        ]
    );

    // Again: the same to the byte but for the time, whether the folder is there or not.
    let untimed = |folder: &Path| {
        let mut all = files(folder);
        let mark = all.remove(Path::new("snapshot.json")).unwrap();
        let mut mark: serde_json::Value = serde_json::from_slice(&mark).unwrap();
        assert!(mark.as_object_mut().unwrap().remove("taken").is_some());
        (all, mark)
    };
    let before = untimed(&out);
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert_eq!(take(&server, server.token(), &out).written, Written::Unchanged);
    let second = place.path().join("second");
    take(&server, server.token(), &second);
    assert!(before == untimed(&second), "a second snapshot differs");

    // The policy that it asks for is enough, and it holds nothing that the report does not need.
    for (name, policy) in [("exact", report.required_policy.clone()), ("general", general())] {
        server.write(&format!("sys/policies/acl/{name}"), json!({ "policy": policy }));
    }
    take(&server, server.token(), &second);
    let token = server.token_with(&["exact"]);
    assert_eq!(
        take(&server, &token, &second).written,
        Written::Unchanged,
        "the least policy is not enough"
    );
    let token = server.token_with(&["general"]);
    let report = take(&server, &token, &second);
    let missing: Vec<_> = report.missing.iter().map(|m| m.path.as_str()).collect();
    assert_eq!(
        missing,
        ["auth/team/apps/role", "kv1/", "team/kv/metadata/"],
        "the general policy knows mounts of one segment, and KV version 2"
    );

    let audit = fs::read_to_string(server.audit_log()).unwrap();
    let secret_reads = audit
        .lines()
        .filter(|line| line.contains("\"operation\":\"read\"") && line.contains("\"path\":\"secret/data"));
    assert_eq!(secret_reads.count(), 0, "no secret is ever read");
    for (path, bytes) in files(place.path()) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        for secret in [server.token(), "hunter2-value", token.as_str()] {
            assert!(!text.contains(secret), "{} holds a secret", path.display());
        }
    }
}

fn general() -> String {
    required_policy(None, "", true)
}

#[test]
fn takes_what_it_may_and_names_the_rest() {
    let Some(server) = Server::start() else { return };
    furnish(&server);
    server.write(
        "sys/policies/acl/part",
        json!({"policy": r#"
            path "sys/policies/acl" { capabilities = ["list"] }
            path "sys/policies/acl/web" { capabilities = ["read"] }
            path "auth/approle/role" { capabilities = ["list"] }
            path "identity/group/id" { capabilities = ["list"] }
            path "identity/group/id/+" { capabilities = ["read"] }
            path "secret/metadata/" { capabilities = ["list"] }
        "#}),
    );
    let token = server.token_with(&["part"]);
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("snapshot");
    let report = take(&server, &token, &out);
    assert_eq!((report.policies, report.groups, report.entities), (1, 3, 0));
    let missing: Vec<_> = report
        .missing
        .iter()
        .map(|m| (m.path.as_str(), m.capability.as_str(), m.count))
        .collect();
    for want in [
        ("sys/mounts", "read", 1),
        ("sys/auth", "read", 1),
        ("sys/namespaces", "list", 1),
        ("identity/entity/id", "list", 1),
        ("sys/policies/acl/+", "read", 4),
        ("secret/metadata/prod/", "list", 1),
    ] {
        assert!(missing.contains(&want), "{want:?} in {missing:?}");
    }
    assert!(
        report.missing.iter().all(|m| m.reason == "denied"),
        "{:?}",
        report.missing
    );
    let mark = fs::read_to_string(out.join("snapshot.json")).unwrap();
    assert!(mark.contains("identity/entity/id"), "{mark}");

    // A token that may read nothing, or is none, leaves the folder as it is.
    let before = files(&out);
    for token in [server.token_with(&["web"]), "no-such-token".to_owned()] {
        let mut options = options(&server, &token, &out);
        options.list_secrets = false;
        let error = snapshot(&options, &mut |_| {}).unwrap_err();
        assert!(
            matches!(error, SnapshotError::Live(LiveError::NothingReadable)),
            "{error}"
        );
        assert!(error.hint().is_some());
        assert!(!format!("{error} {error:?}").contains(&token));
    }
    assert!(before == files(&out));
}

#[test]
fn namespaces_are_followed() {
    let Some(server) = Server::start() else { return };
    let (status, _) = server.send(server.token(), "POST", "", "sys/namespaces/team", None);
    if status != 200 {
        server::skip::skipped("this server has no namespaces");
        return;
    }
    server.ok("POST", "team", "sys/namespaces/inner", None);
    server.ok(
        "POST",
        "team/inner",
        "sys/policies/acl/web",
        Some(&json!({ "policy": WEB })),
    );
    server.ok("POST", "team", "sys/auth/approle", Some(&json!({"type": "approle"})));
    server.ok(
        "POST",
        "team",
        "auth/approle/role/r",
        Some(&json!({"token_policies": ["web"]})),
    );
    server.ok("POST", "team", "sys/mounts/kv", Some(&json!({"type": "kv-v2"})));
    server.ok("POST", "team", "kv/data/a/b", Some(&json!({"data": {"x": "1"}})));
    server.ok("POST", "team", "identity/group", Some(&json!({"name": "g"})));
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("snapshot");
    let report = take(&server, server.token(), &out);
    assert_eq!(report.missing, []);
    assert_eq!(report.namespaces, 2);
    let d = read(&out).unwrap();
    assert_eq!(d.namespaces, ["team/", "team/inner/"]);
    assert_eq!(
        fs::read_to_string(out.join("namespaces/team%2Finner/policies/web.hcl")).unwrap(),
        WEB
    );
    assert!(
        d.roles
            .iter()
            .any(|r| r.namespace == "team/" && r.mount == "auth/approle/" && r.name == "r")
    );
    assert!(d.groups.iter().any(|g| g.namespace == "team/" && g.name == "g"));
    assert!(d.secrets.contains(&"team/kv/data/a/b".to_owned()), "{:?}", d.secrets);

    // From inside a namespace only what is below it, under the same names.
    let mut inside = options(&server, server.token(), &place.path().join("inside"));
    inside.connection.namespace = "team/".to_owned();
    let report = snapshot(&inside, &mut |_| {}).unwrap();
    assert_eq!((report.missing.len(), report.namespaces), (0, 1));
    let d = read(&inside.out).unwrap();
    assert!(d.mounts.iter().all(|m| m.namespace.starts_with("team/")));
    assert!(inside.out.join("namespaces/team%2Finner/policies/web.hcl").exists());

    // The least policy reaches into the namespaces.
    server.write(
        "sys/policies/acl/least",
        json!({"policy": take(&server, server.token(), &out).required_policy}),
    );
    take(&server, server.token(), &out);
    let token = server.token_with(&["least"]);
    let report = take(&server, &token, &out);
    assert_eq!((report.missing, report.written), (vec![], Written::Unchanged));
}

#[test]
fn many_names_are_bounded_and_the_same_every_time() {
    let Some(server) = Server::start() else { return };
    for at in 0..40 {
        server.write(&format!("secret/data/f{}/s{at}", at % 7), json!({"data": {}}));
        server.write(&format!("sys/policies/acl/p{at}"), json!({"policy": "# nothing"}));
    }
    let place = tempfile::tempdir().unwrap();
    let mut options = options(&server, server.token(), &place.path().join("few"));
    options.max_secrets = 10;
    let mut steps = 0;
    let report = snapshot(&options, &mut |p| {
        assert!(p.done <= p.total);
        steps += 1;
    })
    .unwrap();
    assert!(steps >= 40, "progress is told");
    assert_eq!(report.secrets, 10);
    assert!(report.missing[0].reason.contains("stopped"), "{:?}", report.missing);
    options.concurrency = 1;
    assert_eq!(snapshot(&options, &mut |_| {}).unwrap().written, Written::Unchanged);
    options.max_secrets = 40;
    let report = snapshot(&options, &mut |_| {}).unwrap();
    assert_eq!((report.secrets, report.missing.len()), (40, 0));
}

#[test]
fn the_certificate_is_verified_unless_told_otherwise() {
    let Some(server) = Server::start_tls() else { return };
    let place = tempfile::tempdir().unwrap();
    let mut options = options(&server, server.token(), &place.path().join("s"));
    options.connection.retries = 0;
    let error = snapshot(&options, &mut |_| {}).unwrap_err();
    assert!(
        matches!(error, SnapshotError::Live(LiveError::Unreachable { .. })),
        "{error}"
    );
    assert!(!options.out.exists());
    options.connection.tls.ca_cert = Some(server.ca_cert());
    let report = snapshot(&options, &mut |_| {}).unwrap();
    assert_eq!((report.written, report.notes.len()), (Written::New, 0));
    options.connection.tls.ca_cert = None;
    options.connection.tls.skip_verify = true;
    let report = snapshot(&options, &mut |_| {}).unwrap();
    assert_eq!((report.written, report.notes.len()), (Written::Unchanged, 1));
}
