//! Warnings: each trap is found, and what is no trap is not.
#![allow(clippy::panic, reason = "a test may fail loudly")]

use vault_advisor::policy::lint::{self, Context, Severity, Warning};
use vault_advisor::policy::model::Policy;
use vault_advisor::policy::syntax::{self, Dialect, Style};

fn policy(name: &str, text: &str) -> Policy {
    syntax::parse(name, &format!("{name}.hcl"), text, &Dialect::default()).unwrap_or_else(|error| panic!("{error}"))
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
    ] {
        assert_eq!(found(&[short("p", lines)]), want, "{lines:?}");
    }
    for (text, want) in [
        ("path \"a\" { policy = \"write\" }", "legacy-policy:1"),
        (
            "path \"a\" {\n capabilities = [\"read\"]\n capabilities = [\"list\"]\n}",
            "duplicate-key:3",
        ),
        ("path \"a\" { capabilities = [] }", "empty-capabilities:1"),
        ("path \"a\" { }", "empty-capabilities:1"),
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
        kv2_mounts: vec![(String::new(), "team/kv/".to_owned())],
    };
    let found = lint::policies(&[short("p", &["team/kv/x read"])], &known);
    assert!(
        found
            .iter()
            .any(|w| w.hint.as_deref().is_some_and(|hint| hint.contains("team/kv/data/x")))
    );
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
