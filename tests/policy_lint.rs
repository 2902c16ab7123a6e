//! Warnings: each trap is found, and what is no trap is not.
#![allow(clippy::panic, reason = "a test may fail loudly")]

use vault_advisor::policy::lint::{self, Context, Mounted, Severity, Warning};
use vault_advisor::policy::model::Policy;
use vault_advisor::policy::syntax::{self, Dialect, Style};

fn policy(name: &str, text: &str) -> Policy {
    // Servers that take a key twice are warned about; others refuse it.
    let dialect = Dialect {
        repeated_keys: true,
        ..Dialect::default()
    };
    syntax::parse(name, &format!("{name}.hcl"), text, &dialect).unwrap_or_else(|error| panic!("{error}"))
}

/// One stanza a line: `path capability,capability`.
fn short(name: &str, lines: &[&str]) -> Policy {
    let blocks: Vec<String> = lines
        .iter()
        .map(|line| {
            let (path, capabilities) = line.rsplit_once(' ').unwrap_or((line, ""));
            let words: Vec<String> = capabilities.split(',').map(|word| format!("\"{word}\"")).collect();
            format!("path \"{path}\" {{ capabilities = [{}] }}", words.join(", "))
        })
        .collect();
    policy(name, &blocks.join("\n"))
}

fn warnings(policies: &[Policy]) -> Vec<Warning> {
    lint::policies(policies, &Context::default())
}

/// The ids of the warnings with their lines, as `id:line`.
fn found(policies: &[Policy]) -> Vec<String> {
    warnings(policies)
        .iter()
        .map(|w| format!("{}:{}", w.id, w.origin.line))
        .collect()
}

#[test]
fn each_trap_of_one_stanza_is_found() {
    for (lines, want) in [
        (&["secret/*/x read"][..], &["glob-in-middle:1"][..]),
        (&["a/** read"], &["glob-in-middle:1"]),
        (&["a/+b read"], &["plus-in-segment:1"]),
        (&["a+/b read"], &["plus-in-segment:1"]),
        (&["a/+/b read", "a/* list"], &["takes-away:1"]),
        (&["a read", "/a list"], &["repeated-path:2"]),
        (&["secret/x read,sudo"], &["sudo-without-effect:1"]),
        (&["sys/auth/* read,sudo"], &[]),
        (&["sys/+/x read,sudo"], &[]),
        (&["* read,sudo"], &[]),
        (&["pki/root delete,sudo"], &[]),
        (&["auth/token/create update,sudo"], &[]),
        (&["team/sys/audit read,sudo"], &[]),
        (&["secret/data/a read", "secret/b read"], &["kv2-without-data:2"]),
        (&["kv1/data/a read", "kv1/b read"], &[]),
        (
            &["apps/data/a read", "apps/metadata/a list", "apps/b read"],
            &["kv2-without-data:3"],
        ),
        (&["a deny,read"], &["deny-with-others:1"]),
        (&["a/{{identity.entity.nam}} read"], &["unknown-template:1"]),
        (&["a/{{ identity.entity.aliases.x.metadata.y }} read"], &[]),
        (&["a/{{identity.groups.names.ops.id}} read"], &[]),
        (&["//a read"], &["stanza-cannot-win:1"]),
        (&["a read"], &[]),
        (&["/v1/secret/data/x read"], &["path-never-matches:1"]),
        (&["https://vault/v1/secret/x read"], &["path-never-matches:1"]),
        (&["https://vault/ui/x read"], &["path-never-matches:1"]),
        (&["v1x/a read"], &[]),
        (&[" a read"], &["path-never-matches:1"]),
        (&["a b/c read"], &[]),
        (&["secret/data/x?version=1 read"], &["path-never-matches:1"]),
        (&["secret/data/what? read"], &[]),
        (&["secret/data/${env}/* read"], &["path-never-matches:1"]),
        (&["secret/data/[a-z]* read"], &["path-never-matches:1"]),
        (&["secret/data/{a,b} read"], &["path-never-matches:1"]),
        (&["kv/data/team/* list"], &["capability-never-asked:1"]),
        (&["kv/data/team/* read", "kv/metadata/team/* list,read"], &[]),
        (&["kv/destroy/x delete"], &["capability-never-asked:1"]),
        (&["kv/destroy/x update"], &[]),
        (&["kv/* list,read"], &[]),
        (&["auth/token/create read"], &["capability-never-asked:1"]),
        (&["auth/token/create create,update"], &[]),
        (&["sys/seal update,sudo"], &[]),
        (&["transit/keys list"], &[]),
    ] {
        assert_eq!(found(&[short("p", lines)]), want, "{lines:?}");
    }
    for (text, want) in [
        ("path \"a\" { policy = \"write\" }", "legacy-policy:1"),
        (
            "path \"a\" {\n capabilities = [\"read\"]\n capabilities = [\"list\"]\n}",
            "duplicate-key:3",
        ),
        (
            "path \"x/y\" {\n capabilities = [\"update\"]\n allowed_parameters = { \"ttl\" = [\"1h\"]\n \"TTL\" = [\"*\"] }\n}",
            "duplicate-key:1",
        ),
        ("path \"a\" { capabilities = [] }", "empty-capabilities:1"),
        ("path \"a\" { }", "empty-capabilities:1"),
        ("", "policy-grants-nothing:1"),
        ("# later\n", "policy-grants-nothing:1"),
        ("cGF0aCAic2VjcmV0LyoiIHsgfQo=", "policy-grants-nothing:1"),
        (
            "path \"kv/data/x\" {\n capabilities = [\"create\", \"update\"]\n allowed_parameters = { \"password\" = [] }\n}",
            "kv2-parameters:1",
        ),
        (
            "path \"kv/data/x\" {\n capabilities = [\"update\"]\n allowed_parameters = { \"data\" = [] }\n}",
            "kv2-parameters:1",
        ),
        (
            "path \"kv/data/x\" {\n capabilities = [\"update\"]\n required_parameters = [\"Password\"]\n}",
            "kv2-parameters:1",
        ),
        (
            "path \"kv/data/x\" {\n capabilities = [\"update\"]\n denied_parameters = { \"key\" = [] }\n}",
            "kv2-parameters:1",
        ),
        (
            "path \"x/y\" {\n capabilities = [\"read\"]\n denied_parameters = { \"key\" = [] }\n}",
            "parameters-without-effect:1",
        ),
        (
            "path \"x/y\" {\n capabilities = [\"list\"]\n required_parameters = [\"key\"]\n}",
            "parameters-without-effect:1",
        ),
    ] {
        assert_eq!(found(&[policy("p", text)]), [want]);
    }
}

#[test]
fn each_trap_of_two_stanzas_is_found() {
    for (lines, want) in [
        (&["a/* deny", "a/b read"][..], &["deny-defeated:1"][..]),
        (&["a/* deny", "b read"], &[]),
        (&["a/* read", "a/b deny"], &[]),
        (&["a/* read,list", "a/b update"], &["takes-away:2"]),
        (&["a/* read", "a/b read,update"], &[]),
        (&["a/+/* update", "a/+/+/* update"], &["stanza-cannot-win:2"]),
        (&["a/+/* update", "a/+/+/* update,list"], &["takes-away:1"]),
        (&["+/* read", "* read"], &["stanza-cannot-win:1"]),
    ] {
        assert_eq!(found(&[short("p", lines)]), want, "{lines:?}");
    }
    let together = warnings(&[short("wide", &["a/* read,update"]), short("narrow", &["a/b read"])]);
    let [warning] = &together[..] else {
        panic!("{together:?}")
    };
    assert_eq!((warning.severity, &*warning.policy), (Severity::Note, "narrow"));
    assert!(warning.message.contains("policy `wide`"), "{}", warning.message);
    let known = Context {
        mounts: vec![Mounted {
            path: "team/kv/".to_owned(),
            kind: "kv".to_owned(),
            kv_version: Some(2),
        }],
        ..Context::default()
    };
    let found = lint::policies(&[short("p", &["team/kv/x read"])], &known);
    assert!(
        found
            .iter()
            .any(|w| w.hint.as_deref().is_some_and(|hint| hint.contains("team/kv/data/x")))
    );
}

#[test]
fn parameters_that_a_write_to_kv_version_2_has_are_no_trap() {
    for text in [
        "path \"kv/data/x\" {\n capabilities = [\"update\"]\n allowed_parameters = { \"data\" = []\n \"options\" = [] }\n}",
        "path \"kv/data/x\" {\n capabilities = [\"update\"]\n allowed_parameters = { \"*\" = [] }\n}",
        "path \"kv/data/x\" {\n capabilities = [\"update\"]\n required_parameters = [\"options\"]\n}",
        "path \"x/y\" {\n capabilities = [\"update\"]\n allowed_parameters = { \"password\" = [] }\n}",
    ] {
        assert_eq!(found(&[policy("p", text)]), [""; 0], "{text}");
    }
}

#[test]
fn a_deployment_says_what_a_mount_is() {
    let of = |path: &str, kind: &str, kv_version| Mounted {
        path: path.to_owned(),
        kind: kind.to_owned(),
        kv_version,
    };
    let known = Context {
        mounts: vec![
            of("kv/", "kv", Some(1)),
            of("team/secrets/", "kv", Some(2)),
            of("crypto/", "transit", None),
        ],
        ..Context::default()
    };
    let ids = |line: &str| -> Vec<&str> {
        lint::policies(&[short("p", &[line])], &known)
            .iter()
            .map(|w| w.id)
            .collect()
    };
    assert_eq!(ids("kv/data/x list"), [""; 0], "it is version 1");
    assert_eq!(ids("team/secrets/data/x list"), ["capability-never-asked"]);
    assert_eq!(ids("crypto/encrypt/x read"), ["capability-never-asked"]);
    assert_eq!(ids("crypto/encrypt/x update"), [""; 0]);
}

#[test]
fn what_one_policy_takes_from_another_is_told_once_and_only_where_both_are_held() {
    let policies = [
        short("wide", &["a/* read,update", "b/* read,update"]),
        short("narrow", &["a/b read", "a/c read", "b/c read"]),
        short("third", &["a/d read"]),
    ];
    let told = |held| {
        let context = Context {
            held_together: held,
            ..Context::default()
        };
        lint::policies(&policies, &context)
    };
    let possible = told(None);
    let policies_named: Vec<&str> = possible.iter().map(|w| &*w.policy).collect();
    assert_eq!(policies_named, ["narrow", "third"]);
    let first = possible.first().map(|w| w.message.as_str()).unwrap_or_default();
    assert!(
        first.starts_with("possible, where somebody holds both: `a/b` takes away `update` that `a/*`"),
        "{first}"
    );
    let held = told(Some([(0, 1)].into_iter().collect()));
    assert_eq!(held.iter().map(|w| &*w.policy).collect::<Vec<_>>(), ["narrow"]);
    let at_once = |w: &Warning| w.message.starts_with("held together, ") && w.message.contains("2 more pairs");
    assert!(held.iter().all(at_once));
    assert!(told(Some([].into_iter().collect())).is_empty());
}

#[test]
fn capabilities_of_later_versions_are_told() {
    let old = Context {
        profile: "vault@1.8.2".parse().unwrap_or_default(),
        ..Context::default()
    };
    let ids = |context: &Context| -> Vec<&str> {
        lint::policies(&[short("p", &["a read,patch"])], context)
            .iter()
            .map(|w| w.id)
            .collect()
    };
    assert_eq!(ids(&old), ["capability-not-known"]);
    assert_eq!(ids(&Context::default()), [""; 0]);
}

#[test]
fn a_hint_is_what_the_server_would_match() {
    for (path, want) in [
        ("*/sth/*", "`+/sth/*`"),
        ("secret/*/x", "`secret/+/x`"),
        ("a/*/*/b", "`a/+/+/b`"),
        ("secret/data/**", "`secret/data/*`"),
        ("a/*/b**", "`a/+/b*`"),
    ] {
        let found = warnings(&[short("p", &[&format!("{path} read")])]);
        let hint = found
            .iter()
            .find(|w| w.id == "glob-in-middle")
            .and_then(|w| w.hint.clone());
        assert!(hint.as_deref().is_some_and(|h| h.ends_with(want)), "{path}: {hint:?}");
    }
}

#[test]
fn a_warning_shows_the_line() {
    let text =
        "path \"a\" {\n  capabilities = [\"read\"]\n}\n\npath \"secret/*/x\" {\n  capabilities = [\"read\"]\n}\n";
    let found = warnings(&[policy("p", text)]);
    let [warning] = &found[..] else { panic!("{found:?}") };
    assert_eq!(
        warning.render(Style::Plain),
        "warning[glob-in-middle]: `*` in the middle of path `secret/*/x` matches only the character `*`\n --> p.hcl:5:1\n  |\n\
         5 | path \"secret/*/x\" {\n  | ^^^^^^^^^^^^^^^^^\n  = hint: `+` matches one segment: `secret/+/x`\n"
    );
}

#[test]
fn every_warning_has_its_page() {
    for id in lint::IDS {
        let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/rules/{id}.md"));
        let text = std::fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
        for heading in ["## What it does", "## Why it matters", "## Example", "## Use instead"] {
            assert!(text.contains(heading), "{id}: {heading}");
        }
    }
}

#[test]
fn what_is_not_compared_is_said() {
    let lines = |many: usize| -> String {
        let line = |n: usize| format!("path \"+/{n:0>200}/*\" {{ capabilities = [\"read\"] }}\n");
        (0..many).map(line).collect()
    };
    let found = lint::look(&[policy("all", &lines(600))], &Context::default());
    assert!(found.cut_short > 0);
    assert!(found.unseen().unwrap().contains("stanzas were not compared"));
    let found = lint::look(&[policy("all", &lines(60))], &Context::default());
    assert_eq!(found.unseen(), None);
}

#[test]
fn large_sets_are_done_quickly() {
    let lines: Vec<String> = (0..20_000)
        .map(|n| format!("path \"secret/data/{n}/*\" {{ capabilities = [\"read\"] }}"))
        .collect();
    let all = policy(
        "all",
        &(lines.join("\n") + "\npath \"*\" { capabilities = [\"read\", \"update\"] }"),
    );
    assert_eq!(warnings(&[all]).len(), 20_000);
}

/// A fixture: policies in HCL. `# server: VERSION` and `# mount: PATH TYPE [VERSION]` say what is known besides, and `# here` behind
/// a line that it is to be found.
fn fixture(id: &str, name: &str) -> (String, Context, Vec<u32>) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/rules/{id}/{name}.hcl"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut context = Context::default();
    for line in text.lines() {
        if let Some(server) = line.strip_prefix("# server: ") {
            context.profile = server.parse().unwrap_or_else(|error| panic!("{id}: {error}"));
        } else if let Some(mount) = line.strip_prefix("# mount: ") {
            let mut words = mount.split(' ');
            let (Some(path), Some(kind)) = (words.next(), words.next()) else {
                panic!("{id}: {line}")
            };
            context.mounts.push(Mounted {
                path: path.to_owned(),
                kind: kind.to_owned(),
                kv_version: words.next().and_then(|version| version.parse().ok()),
            });
        }
    }
    let marked = (1u32..).zip(text.lines()).filter(|(_, line)| line.ends_with("# here"));
    let lines = marked.map(|(number, _)| number).collect();
    (text, context, lines)
}

/// The warnings about a fixture, with their lines; an error of the policy is told under the rule's own name.
fn found_in(id: &str, text: &str, context: &Context) -> Vec<(String, u32)> {
    match syntax::parse("p", "p.hcl", text, &context.profile.dialect()) {
        Ok(policy) => lint::policies(&[policy], context)
            .iter()
            .map(|w| (w.id.to_owned(), w.origin.line))
            .collect(),
        Err(error) => {
            let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/rules/{id}.md"));
            let says = std::fs::read_to_string(page).is_ok_and(|page| page.contains("It is an error, not a warning"));
            assert!(says, "{id}: {}", error.one_line());
            vec![(id.to_owned(), error.origin.line)]
        }
    }
}

#[test]
fn every_rule_has_an_example_that_fails_and_one_that_passes() {
    for id in lint::IDS {
        let (text, context, lines) = fixture(id, "found");
        assert!(!lines.is_empty(), "{id}: nothing is marked");
        let want: Vec<(String, u32)> = lines.into_iter().map(|line| (id.to_owned(), line)).collect();
        assert_eq!(found_in(id, &text, &context), want, "{id}");
        let (text, context, lines) = fixture(id, "clean");
        assert_eq!(lines, [0u32; 0], "{id}");
        assert_eq!(found_in(id, &text, &context), [], "{id}");
    }
}

#[test]
fn every_fixture_of_a_rule_is_of_one_that_is_there() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/rules");
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries.flatten() {
        let id = entry.file_name().to_string_lossy().into_owned();
        let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/rules/{id}.md"));
        assert!(page.is_file(), "fixtures of `{id}`, which has no page");
        let hcl = entry.path().join("found.hcl").exists();
        assert_eq!(hcl, lint::IDS.contains(&id.as_str()), "{id}");
    }
}
