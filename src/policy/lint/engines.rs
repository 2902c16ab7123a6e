//! Warnings about what an engine's requests can ask for and send: a table of the engines' paths, and the body of KV version 2.

use super::mounts::Mounts;
use super::warning::{Severity, Warning};
use crate::policy::model::{Constraints, Policy, Stanza};
use crate::policy::pattern::Pattern;
use crate::policy::relation;
use crate::vault::{Capability, CapabilitySet};
use std::collections::HashMap;
use std::sync::LazyLock;

/// A capability that no request to the path asks for.
pub(super) const NEVER_ASKED: &str = "capability-never-asked";
/// Parameters that no write to KV version 2 satisfies.
pub(super) const KV2_PARAMETERS: &str = "kv2-parameters";
/// Parameters on a stanza whose requests send none.
pub(super) const PARAMETERS_WITHOUT_EFFECT: &str = "parameters-without-effect";

const TABLE: &str = include_str!("engines.tsv");

/// A path below a mount, and what can be asked of it.
struct Row {
    path: Pattern,
    asked: CapabilitySet,
}

static ROWS: LazyLock<HashMap<&'static str, Vec<Row>>> = LazyLock::new(|| {
    let mut rows: HashMap<&'static str, Vec<Row>> = HashMap::new();
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        let mut columns = line.split('\t');
        let (Some(kind), Some(path), Some(words)) = (columns.next(), columns.next(), columns.next()) else {
            continue;
        };
        if let Ok(path) = Pattern::parse(path, "") {
            let asked: CapabilitySet = words.split(',').filter_map(|word| word.parse().ok()).collect();
            rows.entry(kind).or_default().push(Row {
                path,
                asked: asked.with_write_twin(),
            });
        }
    }
    rows
});

/// Capabilities that go with any path.
const ANYWHERE: [Capability; 3] = [Capability::Sudo, Capability::Deny, Capability::Subscribe];

pub(super) fn check(policies: &[Policy], mounts: &Mounts, warnings: &mut Vec<Warning>) {
    for policy in policies {
        for stanza in &policy.stanzas {
            without_effect(policy, stanza, warnings);
            let Some(place) = mounts.of(policy, &stanza.path) else {
                continue;
            };
            let is = if place.known { "is" } else { "looks like" };
            never_asked(policy, stanza, place.kind, &place.rest, (&place.mount, is), warnings);
            if place.kind == "kv2" && (place.rest == "data" || place.rest.starts_with("data/")) {
                kv2_body(policy, stanza, (&place.mount, is), warnings);
            }
        }
    }
}

fn never_asked(
    policy: &Policy,
    stanza: &Stanza,
    kind: &str,
    rest: &str,
    (mount, is): (&str, &str),
    warnings: &mut Vec<Warning>,
) {
    let Some(rows) = ROWS.get(kind) else { return };
    let Ok(pattern) = Pattern::parse(&filled(rest), "") else {
        return;
    };
    // Only where all that the stanza matches is in the table: an engine may have paths that are not.
    if !rows.iter().any(|row| relation::implies(&pattern, &row.path)) {
        return;
    }
    let asked = rows
        .iter()
        .filter(|row| !relation::disjoint(&pattern, &row.path))
        .fold(CapabilitySet::EMPTY, |all, row| all.union(row.asked));
    let anywhere: CapabilitySet = ANYWHERE.into_iter().collect();
    let idle = stanza.capability_set().difference(asked).difference(anywhere);
    if idle.is_empty() {
        return;
    }
    let words: Vec<String> = idle.iter().map(|c| format!("`{c}`")).collect();
    let words = words.join(" or ");
    let name = match kind {
        "kv2" => "KV version 2",
        "system" => "the system backend",
        "token" => "the token store",
        other => other,
    };
    warnings.push(Warning::about(
        NEVER_ASKED,
        Severity::Warning,
        policy,
        stanza,
        format!(
            "no request to `{}` asks for {words}: `{mount}` {is} {name}",
            stanza.path
        ),
        Some(where_it_is(kind, rest, mount, idle, asked)),
    ));
}

/// Where the capability would be of use.
fn where_it_is(kind: &str, rest: &str, mount: &str, idle: CapabilitySet, asked: CapabilitySet) -> String {
    let below = rest.split_once('/').map_or("", |(_, below)| below);
    if kind == "kv2" && idle.contains(Capability::List) && rest.starts_with("data") {
        return format!("names are listed under `{mount}metadata/{below}`; `data/` holds the values");
    }
    let part = rest.split('/').next().unwrap_or("");
    if kind == "kv2" && idle.contains(Capability::Delete) && matches!(part, "delete" | "destroy" | "undelete") {
        return format!("`{part}/` is written to: it takes `update`");
    }
    format!("leave it out; requests there ask for {asked}")
}

/// The path with a plain word for each template.
fn filled(path: &str) -> String {
    let mut pieces = path.split("{{");
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        out.push('x');
        out.push_str(piece.split_once("}}").map_or("", |(_, rest)| rest));
    }
    out
}

/// Writes to `data/` have the keys `data` and `options`, whatever the secret holds.
fn kv2_body(policy: &Policy, stanza: &Stanza, (mount, is): (&str, &str), warnings: &mut Vec<Warning>) {
    let writes = [Capability::Create, Capability::Update, Capability::Patch];
    let capabilities = stanza.capability_set();
    if !writes.iter().any(|c| capabilities.contains(*c)) {
        return;
    }
    let Constraints {
        allowed_parameters: allowed,
        denied_parameters: denied,
        required_parameters: required,
        ..
    } = &stanza.constraints;
    let lets = |name: &str| allowed.is_empty() || allowed.contains_key(name) || allowed.contains_key("*");
    let other = |name: &&String| !matches!(name.to_lowercase().as_str(), "data" | "options");
    let refuses = |name: &str| denied.get(name).is_some_and(Vec::is_empty);
    let (severity, what) = if !lets("data") {
        (
            Severity::Warning,
            "`allowed_parameters` without `data` refuses every write".to_owned(),
        )
    } else if refuses("*") || refuses("data") || denied.contains_key("*") {
        (
            Severity::Warning,
            "`denied_parameters` with `data` or `*` refuses every write".to_owned(),
        )
    } else if let Some(name) = required.iter().find(other) {
        (
            Severity::Warning,
            format!(
                "`required_parameters` with `{}` refuses every write",
                name.to_lowercase()
            ),
        )
    } else if allowed.get("data").is_some_and(|values| !values.is_empty()) {
        (
            Severity::Warning,
            "values for `data` in `allowed_parameters` refuse every secret that is not one of them as a whole"
                .to_owned(),
        )
    } else if !lets("options") {
        (
            Severity::Note,
            "`allowed_parameters` without `options` refuses every `vault kv put`, which always sends it".to_owned(),
        )
    } else if let Some(name) = denied.keys().chain(allowed.keys()).find(|n| other(n) && *n != "*") {
        (
            Severity::Note,
            format!("`{name}` is a parameter of no write: the keys of a secret are inside of `data`"),
        )
    } else {
        return;
    };
    warnings.push(Warning::about(
        KV2_PARAMETERS,
        severity,
        policy,
        stanza,
        format!("{what}: `{mount}` {is} KV version 2"),
        Some(
            "a write to KV version 2 sends `data` and `options`; what is inside of `data` no policy can bound"
                .to_owned(),
        ),
    ));
}

/// Only create, update, patch and read look at parameters, and a read sends hardly any.
fn without_effect(policy: &Policy, stanza: &Stanza, warnings: &mut Vec<Warning>) {
    let constraints = &stanza.constraints;
    let named = [
        ("allowed_parameters", constraints.allowed_parameters.is_empty()),
        ("denied_parameters", constraints.denied_parameters.is_empty()),
        ("required_parameters", constraints.required_parameters.is_empty()),
    ];
    let Some((name, _)) = named.into_iter().find(|(_, empty)| !empty) else {
        return;
    };
    let capabilities = stanza.capability_set();
    let sends = [
        Capability::Create,
        Capability::Update,
        Capability::Patch,
        Capability::Recover,
    ];
    if sends.iter().any(|c| capabilities.contains(*c)) {
        return;
    }
    let (severity, what) = if capabilities.contains(Capability::Read) {
        (
            Severity::Warning,
            format!(
                "`{name}` bounds what a request sends; `{}` only reads, and nothing of an answer is hidden",
                stanza.path
            ),
        )
    } else {
        (
            Severity::Warning,
            format!("`{name}` is looked at by no request that `{}` allows", stanza.path),
        )
    };
    warnings.push(Warning::about(
        PARAMETERS_WITHOUT_EFFECT,
        severity,
        policy,
        stanza,
        what,
        Some("leave it out; to keep somebody from a key of a secret, put it into a secret of its own".to_owned()),
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_whole() {
        for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
            let columns: Vec<&str> = line.split('\t').collect();
            let [_, path, words] = columns[..] else {
                panic!("{line}")
            };
            assert!(Pattern::parse(path, "").is_ok(), "{line}");
            assert!(
                words.split(',').all(|word| word.parse::<Capability>().is_ok()),
                "{line}"
            );
        }
    }
}
