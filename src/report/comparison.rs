//! A comparison of policies, told in words or as JSON: what the new ones allow that the old ones do not, and the other way round.

use super::digest::count;
use crate::policy::compare::{
    Asked, Aspect, Combination, Comparison, Decider, Difference, Open, PolicyComparison, Presence, SetComparison,
};
use crate::shown::{line, visible};
use crate::vault::PolicyId;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::{self, Write};

/// More differences of one comparison than this are counted, not told, in the text.
const MOST_TOLD: usize = 50;
/// Holders named of a combination.
const MOST_HOLDERS: usize = 5;

/// The comparison in words.
#[must_use]
pub fn text(found: &SetComparison) -> String {
    let mut out = String::new();
    // Writing into a string cannot fail.
    let _ = tell(&mut out, found);
    out
}

fn tell(out: &mut String, found: &SetComparison) -> fmt::Result {
    // Each difference with the policies below which it was told.
    let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for policy in &found.policies {
        if policy.presence == Presence::Both && policy.comparison.is_equal() && policy.unguarded.is_empty() {
            continue;
        }
        let what = match (policy.presence, &policy.renamed) {
            (Presence::Both, _) => "changed".to_owned(),
            (Presence::Added, None) => "added".to_owned(),
            (Presence::Removed, None) => "removed".to_owned(),
            // Another policy all the same: who holds what goes by names.
            (Presence::Added, Some(before)) => format!("added; it decides as `{before}` did, which is gone"),
            (Presence::Removed, Some(after)) => format!("removed; `{after}` decides as it did"),
        };
        line(out, format_args!("policy {}: {what}", policy.policy))?;
        comparison(out, &policy.comparison)?;
        for block in differences(&policy.comparison)? {
            told.entry(block).or_default().insert(policy.policy.to_string());
        }
        for difference in policy.unguarded.iter().take(MOST_TOLD) {
            line(
                out,
                format_args!(
                    "  ! {}: no longer withheld from whoever has it by another policy",
                    difference.asked
                ),
            )?;
        }
    }
    // Those that differ alike are told together.
    let mut texts = Vec::new();
    for combination in found.combinations.iter().flatten() {
        if !(combination.comparison.is_equal() && combination.unknown.is_empty()) {
            texts.push((of_combination(combination, &told)?, combination));
        }
    }
    for (text, all) in alike(texts) {
        // The same policies filled in for several are one line.
        let lists = all.into_iter().map(|one| (names(&one.policies), &one.holders));
        for (list, who) in alike(lists.collect()) {
            let who: Vec<&str> = who.into_iter().flatten().map(String::as_str).collect();
            line(out, format_args!("held together by {}: {list}", holders(&who)))?;
        }
        out.push_str(&text);
    }
    summary(out, found)
}

/// What has the same text together, in the order of the first of each.
fn alike<T>(all: Vec<(String, T)>) -> Vec<(String, Vec<T>)> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut found: Vec<(String, Vec<T>)> = Vec::new();
    for (text, one) in all {
        let place = *places.entry(text).or_insert_with_key(|text| {
            found.push((text.clone(), Vec::new()));
            found.len() - 1
        });
        if let Some((_, together)) = found.get_mut(place) {
            together.push(one);
        }
    }
    found
}

/// What is told below a combination: what a policy of it shows by itself is named, not told again.
fn of_combination(combination: &Combination, told: &BTreeMap<String, BTreeSet<String>>) -> Result<String, fmt::Error> {
    let mut out = String::new();
    if !combination.unknown.is_empty() {
        line(
            &mut out,
            format_args!("  on neither side: {}", names(&combination.unknown)),
        )?;
    }
    let held: BTreeSet<String> = combination.policies.iter().map(ToString::to_string).collect();
    let mut again = 0;
    let mut by: BTreeSet<&str> = BTreeSet::new();
    let mut own = combination.comparison.clone();
    for (sign, differences) in [('+', &mut own.gained), ('-', &mut own.lost)] {
        let mut kept = Vec::new();
        for one in differences.drain(..) {
            let mut block = String::new();
            difference(&mut block, sign, &one)?;
            let mut above = told
                .get(&block)
                .into_iter()
                .flatten()
                .filter(|policy| held.contains(*policy));
            match above.next() {
                Some(policy) => {
                    again += 1;
                    by.insert(policy);
                    by.extend(above.map(String::as_str));
                }
                None => kept.push(one),
            }
        }
        *differences = kept;
    }
    if again > 0 {
        let by: Vec<&str> = by.into_iter().collect();
        let more = combination.comparison.gained.len() + combination.comparison.lost.len() - again;
        line(
            &mut out,
            format_args!(
                "  {} as told of {}{}",
                count(again as u64, "difference", "differences"),
                by.join(", "),
                if more > 0 { ", and:" } else { "" }
            ),
        )?;
    }
    listed(&mut out, &own)?;
    verdict(&mut out, &combination.comparison)?;
    Ok(out)
}

/// Each difference as it is told.
fn differences(found: &Comparison) -> Result<Vec<String>, fmt::Error> {
    let mut out = Vec::new();
    for (sign, differences) in [('+', &found.gained), ('-', &found.lost)] {
        for one in differences.iter().take(MOST_TOLD) {
            let mut block = String::new();
            difference(&mut block, sign, one)?;
            out.push(block);
        }
    }
    Ok(out)
}

/// What two askers differ in, in words: what the second may do and the first may not, and the other way round.
#[must_use]
pub fn between(first: &str, second: &str, found: &Comparison) -> String {
    let mut out = format!(
        "+ what {} may do and {} may not; - the other way round; on {}\n",
        visible(second),
        visible(first),
        found.profile
    );
    // Writing into a string cannot fail.
    let _ = comparison(&mut out, found);
    out.replace("      old: ", "      1st: ")
        .replace("      new: ", "      2nd: ")
}

/// The same as JSON, version 1 of its form.
#[must_use]
pub fn between_document(first: &str, second: &str, found: &Comparison) -> Value {
    let mut object = Map::new();
    object.insert("version".to_owned(), json!(1));
    object.insert("server".to_owned(), json!(found.profile.to_string()));
    object.insert("first".to_owned(), json!(first));
    object.insert("second".to_owned(), json!(second));
    comparison_json(&mut object, found);
    Value::Object(object)
}

fn comparison(out: &mut String, found: &Comparison) -> fmt::Result {
    listed(out, found)?;
    verdict(out, found)
}

/// What differs, and what could not be decided.
fn listed(out: &mut String, found: &Comparison) -> fmt::Result {
    for (sign, differences) in [('+', &found.gained), ('-', &found.lost)] {
        for difference in differences.iter().take(MOST_TOLD) {
            self::difference(out, sign, difference)?;
        }
        if let Some(more) = differences.len().checked_sub(MOST_TOLD).filter(|more| *more > 0) {
            line(out, format_args!("  {sign} and {more} more (`--format json` has all)"))?;
        }
    }
    for (what, open) in [("gained", &found.open_gained), ("lost", &found.open_lost)] {
        for one in open.iter().take(MOST_TOLD) {
            line(
                out,
                format_args!(
                    "  ? not decided whether something is {what}: {}: {}",
                    one.asked, one.reason
                ),
            )?;
        }
    }
    if let Some(reason) = &found.incomplete {
        line(out, format_args!("  ? not decided: {reason}"))?;
    }
    Ok(())
}

/// What is proven of it as a whole.
fn verdict(out: &mut String, found: &Comparison) -> fmt::Result {
    if found.is_equal() {
        line(out, format_args!("  = decides every request alike (proven)"))?;
    } else if found.grants_nothing_new() {
        line(out, format_args!("  grants nothing new (proven)"))?;
    }
    Ok(())
}

fn difference(out: &mut String, sign: char, difference: &Difference) -> fmt::Result {
    let mut told = format!("  {sign} {}", difference.asked);
    match &difference.aspect {
        Aspect::Access => {}
        Aspect::Sudo => told.push_str(", with sudo"),
        Aspect::Subscribe => told.push_str(", as a subscription to events"),
        Aspect::Condition(condition) => write!(told, ", without {condition}")?,
    }
    for when in &difference.when {
        write!(told, ", where {when}")?;
    }
    line(out, format_args!("{told}"))?;
    line(out, format_args!("      old: {}", decided_by(difference.old.as_ref())))?;
    line(out, format_args!("      new: {}", decided_by(difference.new.as_ref())))
}

fn decided_by(decider: Option<&Decider>) -> String {
    let Some(decider) = decider else {
        return "nothing matches".to_owned();
    };
    let mut text = decider.to_string();
    for (n, (policy, origin)) in decider.sources.iter().take(3).enumerate() {
        let joint = if n == 0 { " in" } else { "," };
        let _ = write!(text, "{joint} {policy} at {origin}");
    }
    text
}

fn summary(out: &mut String, found: &SetComparison) -> fmt::Result {
    let counting: Vec<&Comparison> = found.counting().collect();
    write!(out, "{}", count(found.policies.len() as u64, "policy", "policies"))?;
    if let Some(combinations) = &found.combinations {
        let held = count(
            combinations.len() as u64,
            "combination that the deployment gives",
            "combinations that the deployment gives",
        );
        write!(out, " and {held}")?;
    }
    write!(out, " compared for {}: ", found.profile)?;
    let gained = counting.iter().filter(|c| !c.gained.is_empty()).count();
    let open = counting
        .iter()
        .filter(|c| c.gained.is_empty() && !c.grants_nothing_new())
        .count();
    let unguarded = found.unguarded().count();
    if found.is_equal() {
        line(out, format_args!("both sides decide every request alike (proven)"))
    } else if found.grants_nothing_new() {
        line(out, format_args!("nothing new is granted (proven), something is taken"))
    } else if unguarded == 0 {
        line(out, format_args!("new access in {gained}, not decided in {open}"))
    } else {
        line(
            out,
            format_args!("new access in {gained}, not decided in {open}, less withheld in {unguarded}"),
        )
    }
}

fn holders(all: &[&str]) -> String {
    let mut text = all.iter().take(MOST_HOLDERS).copied().collect::<Vec<_>>().join(", ");
    if let Some(more) = all.len().checked_sub(MOST_HOLDERS).filter(|more| *more > 0) {
        let _ = write!(text, " and {more} more");
    }
    text
}

fn names(ids: &[PolicyId]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The comparison as JSON, version 1 of its form.
#[must_use]
pub fn document(found: &SetComparison) -> Value {
    json!({
        "version": 1,
        "server": found.profile.to_string(),
        "equal": found.is_equal(),
        "grants_nothing_new": found.grants_nothing_new(),
        "policies": found.policies.iter().map(policy_json).collect::<Vec<_>>(),
        "combinations": found.combinations.as_ref().map(|all| all.iter().map(combination_json).collect::<Vec<_>>()),
    })
}

fn policy_json(policy: &PolicyComparison) -> Value {
    let presence = match policy.presence {
        Presence::Both => "both",
        Presence::Added => "added",
        Presence::Removed => "removed",
    };
    let mut object = Map::new();
    object.insert("policy".to_owned(), json!(policy.policy.to_string()));
    object.insert("presence".to_owned(), json!(presence));
    if let Some(other) = &policy.renamed {
        object.insert("renamed".to_owned(), json!(other.to_string()));
    }
    comparison_json(&mut object, &policy.comparison);
    object.insert(
        "unguarded".to_owned(),
        policy.unguarded.iter().map(difference_json).collect(),
    );
    Value::Object(object)
}

fn combination_json(combination: &Combination) -> Value {
    let words = |ids: &[PolicyId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut object = Map::new();
    object.insert("policies".to_owned(), json!(words(&combination.policies)));
    object.insert("unknown_policies".to_owned(), json!(words(&combination.unknown)));
    object.insert("holders".to_owned(), json!(combination.holders));
    comparison_json(&mut object, &combination.comparison);
    Value::Object(object)
}

fn comparison_json(object: &mut Map<String, Value>, found: &Comparison) {
    object.insert("equal".to_owned(), json!(found.is_equal()));
    object.insert("grants_nothing_new".to_owned(), json!(found.grants_nothing_new()));
    for (key, differences) in [("gained", &found.gained), ("lost", &found.lost)] {
        object.insert(key.to_owned(), differences.iter().map(difference_json).collect());
    }
    let open = |all: &[Open]| all.iter().map(open_json).collect::<Vec<_>>();
    object.insert(
        "not_decided".to_owned(),
        json!({
            "gained": open(&found.open_gained),
            "lost": open(&found.open_lost),
            "reason": found.incomplete,
        }),
    );
    object.insert("kinds_of_paths".to_owned(), json!(found.kinds_of_paths));
}

fn difference_json(difference: &Difference) -> Value {
    let mut object = Map::new();
    object.insert("aspect".to_owned(), json!(difference.aspect.as_str()));
    if let Aspect::Condition(condition) = &difference.aspect {
        object.insert("condition".to_owned(), json!(condition));
    }
    object.insert("request".to_owned(), request_json(&difference.asked));
    object.insert("when".to_owned(), json!(difference.when));
    object.insert("old".to_owned(), decider_json(difference.old.as_ref()));
    object.insert("new".to_owned(), decider_json(difference.new.as_ref()));
    Value::Object(object)
}

fn open_json(open: &Open) -> Value {
    json!({
        "request": request_json(&open.asked),
        "reason": open.reason,
        "old": decider_json(open.old.as_ref()),
        "new": decider_json(open.new.as_ref()),
    })
}

/// A request in the form of `decide`.
fn request_json(asked: &Asked) -> Value {
    let mut object = Map::new();
    object.insert("operation".to_owned(), json!(asked.operation.as_str()));
    object.insert("path".to_owned(), json!(asked.path));
    if let Some(data) = &asked.data {
        object.insert("data".to_owned(), Value::Object(data.clone()));
    }
    if let Some(ns) = asked.wrap_ttl_ns {
        let seconds = if ns % 1_000_000_000 == 0 {
            json!(ns / 1_000_000_000)
        } else {
            json!(ns as f64 / 1e9)
        };
        object.insert("wrap_ttl".to_owned(), seconds);
    }
    Value::Object(object)
}

fn decider_json(decider: Option<&Decider>) -> Value {
    decider.map_or(Value::Null, |d| {
        json!({
            "pattern": d.pattern,
            "capabilities": d.capabilities.iter().map(|c| c.as_str()).collect::<Vec<_>>(),
            "sources": d.sources.iter().map(|(policy, origin)| json!({
                "policy": &**policy,
                "origin": origin.to_string(),
            })).collect::<Vec<_>>(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::compare::{Holder, Options, compare_policies};
    use crate::policy::model::Policy;
    use crate::policy::profile::Profile;
    use crate::policy::syntax;
    use crate::policy::template::Identity;

    fn read(name: &str, text: &str) -> Policy {
        syntax::parse(name, &format!("{name}.hcl"), text, &Profile::default().dialect()).unwrap()
    }

    #[test]
    fn what_a_policy_shows_is_not_told_again_for_each_holder() {
        let a = "path \"secret/data/a\" { capabilities = [\"read\"] }\n";
        let both = [a, "path \"secret/data/b\" { capabilities = [\"read\"] }\n"].concat();
        let other = |text: &str| read("other", text);
        let old = [read("app", a), other("path \"kv/x\" { capabilities = [\"read\"] }\n")];
        let new = [
            read("app", &both),
            other("path \"kv/x\" { capabilities = [\"read\"] }\n"),
        ];
        let holder = |name: &str, policies: &[&str]| Holder {
            name: name.to_owned(),
            policies: policies.iter().map(|name| PolicyId::new("", *name)).collect(),
            identity: Some(Identity::default()),
        };
        let holders = [holder("ann", &["app"]), holder("bob", &["app", "other"])];
        let found = compare_policies(Profile::default(), &old, &new, Some(&holders), 0, Options::default());
        let told = text(&found);
        assert_eq!(told.matches("+ read secret/data/b").count(), 1, "{told}");
        assert_eq!(told.matches("1 difference as told of app\n").count(), 1, "{told}");
        for held in ["held together by ann: app\n", "held together by bob: app, other\n"] {
            assert!(told.contains(held), "{told}");
        }
        assert!(told.contains("2 combinations that the deployment gives"), "{told}");
    }

    #[test]
    fn the_words_name_the_request_and_what_decides_it() {
        let old = [read("app", "path \"secret/data/*\" { capabilities = [\"read\"] }\n")];
        let new = [read(
            "app",
            "path \"secret/data/*\" { capabilities = [\"read\"] }\npath \"secret/data/x\" { capabilities = [\"update\"] }\n",
        )];
        let found = compare_policies(Profile::default(), &old, &new, None, 0, Options::default());
        assert_eq!(
            text(&found),
            "policy app: changed\n\
             \x20 + update secret/data/x\n\
             \x20     old: `secret/data/*` (read) in app at app.hcl:1:1\n\
             \x20     new: `secret/data/x` (update) in app at app.hcl:2:1\n\
             \x20 - read secret/data/x\n\
             \x20     old: `secret/data/*` (read) in app at app.hcl:1:1\n\
             \x20     new: `secret/data/x` (update) in app at app.hcl:2:1\n\
             1 policy compared for vault-2.0.3: new access in 1, not decided in 0\n"
        );
        let json = document(&found);
        assert_eq!(
            json["policies"][0]["gained"][0]["request"],
            json!({"operation": "update", "path": "secret/data/x"})
        );
        assert_eq!(json["grants_nothing_new"], json!(false));
    }
}
