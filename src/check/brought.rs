//! What a change brings along to be judged by: settings, waivers and a baseline of its own. None of it counts before it has
//! gone in, and each is told.

use super::baseline::Baseline;
use super::own::own;
use super::rules::{GATE_CHANGED, WAIVER_NEW};
use crate::advice::Finding;
use crate::origin::Origin;
use crate::pipeline::waiver::{ANY_RULE, Waiver};
use crate::settings::{FILE_NAME, Settings};
use crate::units;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// How much of a value is shown.
const MOST_SHOWN: usize = 80;

/// Settings that differ from those before the change. Waivers are told one by one.
#[must_use]
pub fn settings(before: &Settings, now: &Settings) -> Vec<Finding> {
    let file = now.file.as_ref().or(before.file.as_ref());
    let name = file.map_or_else(|| FILE_NAME.to_owned(), |f| f.display().to_string());
    let (was, is) = (flat(&before.said), flat(&now.said));
    let keys: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    keys.into_iter()
        .filter(|key| was.get(*key) != is.get(*key))
        .map(|key| {
            let shown = |said: Option<&String>| match said {
                None => "nothing".to_owned(),
                Some(text) if text.chars().count() > MOST_SHOWN => {
                    format!("`{}…`", text.chars().take(MOST_SHOWN).collect::<String>())
                }
                Some(text) => format!("`{text}`"),
            };
            let change = format!("{} became {}", shown(was.get(key)), shown(is.get(key)));
            changed(
                "settings",
                key,
                &change,
                &format!("the change sets `{key}`: {change}"),
                &name,
            )
        })
        .collect()
}

/// Something else that the gate goes by, and that is not as it was.
#[must_use]
pub fn file(kind: &str, path: &Path, was_there: bool) -> Finding {
    let name = path.display().to_string();
    let how = if was_there { "changes" } else { "brings along" };
    changed(
        kind,
        &name,
        how,
        &format!("the change {how} the {kind} `{name}`"),
        &name,
    )
}

/// A baseline that knows more than that before the change.
#[must_use]
pub fn baseline(before: Option<&Baseline>, now: &Baseline, path: &Path) -> Option<Finding> {
    let more = now.more_than(before);
    (more > 0).then(|| {
        let name = path.display().to_string();
        let what = format!(
            "the change adds {} to the baseline `{name}`",
            units::count(more as u64, "finding", "findings")
        );
        changed("baseline", &name, &more.to_string(), &what, &name)
    })
}

/// A waiver that was not there before the change.
#[must_use]
pub fn waiver(waiver: &Waiver) -> Finding {
    let title = match waiver.rule.as_str() {
        ANY_RULE => format!("the change brings its own decision about {}", waiver.about),
        rule => format!("the change brings its own waiver of `{rule}` for {}", waiver.about),
    };
    let key = waiver.key().join(" ");
    let mut finding = own(
        WAIVER_NEW,
        "waiver",
        &waiver.about,
        &key,
        title,
        "It covers nothing here. Have it merged first, by somebody who may override this gate, then the change.",
        &waiver.origin,
    );
    finding.detail = format!(
        "Until {}. Owner: {}. Reason: {}.",
        waiver.expires,
        waiver.owner,
        waiver.reason.trim_end_matches('.')
    );
    finding
}

fn changed(kind: &str, name: &str, key: &str, title: &str, file: &str) -> Finding {
    own(
        GATE_CHANGED,
        kind,
        name,
        key,
        title.to_owned(),
        "The gate goes by what the base has. Have this merged first, by somebody who may override this gate.",
        &Origin::new(file, 1, 1),
    )
}

/// Settings by their keys, `evidence.min_days`, without waivers.
fn flat(table: &toml::Table) -> BTreeMap<String, String> {
    fn add(lead: &str, table: &toml::Table, out: &mut BTreeMap<String, String>) {
        for (key, value) in table {
            let key = format!("{lead}{key}");
            match value {
                toml::Value::Table(inner) => add(&format!("{key}."), inner, out),
                value => {
                    out.insert(key, value.to_string());
                }
            }
        }
    }
    let mut out = BTreeMap::new();
    let rest: toml::Table = table
        .iter()
        .filter(|(key, _)| *key != "waivers")
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    add("", &rest, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_that_differs_is_told() {
        let parse = |text: &str| Settings::parse(text.as_bytes(), "x.toml".into()).unwrap();
        let before = parse("[rules]\nbroad-glob = \"high\"\n[evidence]\nmin_days = 30\n");
        let now = parse(
            "[rules]\nnew-access = \"info\"\n[evidence]\nmin_days = 30\n[[waivers]]\nrule = \"a\"\nscope = \"b\"\n\
             owner = \"c\"\nreason = \"d\"\nexpires = \"2030-01-01\"\n",
        );
        let told: Vec<String> = settings(&before, &now).into_iter().map(|f| f.title).collect();
        assert_eq!(
            told,
            [
                "the change sets `rules.broad-glob`: `\"high\"` became nothing",
                "the change sets `rules.new-access`: nothing became `\"info\"`",
            ]
        );
        assert!(settings(&before, &before).is_empty());
    }
}
