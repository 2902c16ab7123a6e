//! Waivers: findings that somebody answers for until a day, from the settings or from a comment beside the stanza.
//!
//! ```text
//! # vault-advisor: allow broad-glob until 2027-01-31 owner=team-a reason=the migration reads all of it
//! path "secret/*" {
//! ```

use super::place::{Places, Spot};
use crate::access::PolicyNumber;
use crate::advice::Finding;
use crate::origin::Origin;
use crate::policy::model::Language;
use crate::policy::table::Table;
use crate::settings::decisions::{self, About};
use crate::settings::{FILE_NAME, Settings};
use crate::vault::glob;
use jiff::civil::Date;

/// What a comment begins with.
const MARK: &str = "vault-advisor:";

/// What a waiver covers.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Scope {
    /// A stanza or a policy.
    Spot(Spot),
    /// Policy, principal or fingerprint; with `*` at its end all that begin so.
    Named(String),
    /// A finding, by its fingerprint, whatever its rule.
    Finding(String),
    /// What is said to be unused in a policy, or in a stanza of it.
    Unused(String, Option<String>),
}

/// The rule of what covers more than one.
pub const ANY_RULE: &str = "*";

/// The rules that say of a grant that it is not used, and that a decision about it answers.
const UNUSED: [&str; 4] = ["unused-policy", "unused-stanza", "unused-capability", "sudo-unused"];

/// One waiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiver {
    /// The rule.
    pub rule: String,
    scope: Scope,
    /// The scope in words.
    pub about: String,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// The last day on which it holds.
    pub expires: Date,
    /// Where it stands.
    pub origin: Origin,
}

/// A waiver that can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// What is wrong, as a sentence without its end.
    pub why: String,
    /// Where it stands.
    pub origin: Origin,
}

impl Waiver {
    /// What it says, wherever it stands: two that say the same are one.
    #[must_use]
    pub fn key(&self) -> [String; 5] {
        [
            self.rule.clone(),
            self.about.clone(),
            self.owner.clone(),
            self.reason.clone(),
            self.expires.to_string(),
        ]
    }

    /// Whether it stands beside a stanza: it was given for what that said then.
    #[must_use]
    pub const fn is_of_stanza(&self) -> bool {
        matches!(self.scope, Scope::Spot(Spot { stanza: Some(_), .. }))
    }

    /// Whether its day is past.
    #[must_use]
    pub fn is_expired(&self, today: Date) -> bool {
        today > self.expires
    }

    /// Whether it covers a finding, its day aside.
    #[must_use]
    pub fn covers(&self, finding: &Finding, places: &Places) -> bool {
        if *finding.rule != *self.rule && self.rule != ANY_RULE {
            return false;
        }
        match &self.scope {
            Scope::Finding(fingerprint) => finding.fingerprint == *fingerprint,
            Scope::Unused(policy, path) => {
                UNUSED.contains(&&*finding.rule)
                    && places
                        .of_finding(finding)
                        .any(|spot| places.is_named(spot, policy, path.as_deref()))
            }
            Scope::Spot(own) => places.of_finding(finding).any(|spot| own.covers(spot)),
            Scope::Named(name) => {
                let is = |text: &str| glob::is_named(name, text);
                // A name is what callers choose; a principal is who the server says it is.
                let subject = &finding.subject;
                let is_subject = match subject.kind.as_str() {
                    "principal" => is(&subject.key) || subject.key.split_once(':').is_some_and(|(_, id)| is(id)),
                    _ => is(&subject.name),
                };
                is(&finding.fingerprint)
                    || is_subject
                    || places.of_finding(finding).any(|spot| places.is_named(spot, name, None))
            }
        }
    }
}

/// Those that a decision makes: what it is about is not shown.
fn of_decisions(settings: &Settings) -> impl Iterator<Item = Waiver> + '_ {
    let file = settings.decisions_file.as_ref();
    let name = file.map_or_else(|| decisions::FILE_NAME.to_owned(), |file| file.display().to_string());
    let hiding = settings.decisions.iter().filter(|decision| decision.hides());
    hiding.map(move |decision| Waiver {
        rule: ANY_RULE.to_owned(),
        scope: match &decision.about {
            About::Finding(fingerprint) => Scope::Finding(fingerprint.clone()),
            About::Grant(policy, path) => Scope::Unused(policy.clone(), path.clone()),
        },
        about: decision.subject(),
        owner: decision.owner.clone(),
        reason: decision.reason.clone(),
        expires: decision.until,
        origin: Origin::new(name.as_str(), decision.line, 1),
    })
}

/// Those of the settings, and of the decisions beside them.
#[must_use]
pub fn of_settings(settings: &Settings) -> (Vec<Waiver>, Vec<Invalid>) {
    let file = settings.file.as_ref();
    let name = file.map_or_else(|| FILE_NAME.to_owned(), |f| f.display().to_string());
    let mut lines = settings.waiver_lines.iter().copied();
    let (mut waivers, mut invalid) = (Vec::new(), Vec::new());
    for one in &settings.waivers {
        let origin = Origin::new(name.as_str(), lines.next().unwrap_or(1), 1);
        match parts(&one.rule, &one.expires, &one.owner, &one.reason) {
            Ok(expires) if !one.scope.trim_matches('*').trim().is_empty() => waivers.push(Waiver {
                rule: one.rule.clone(),
                scope: Scope::Named(one.scope.clone()),
                about: one.scope.clone(),
                owner: one.owner.clone(),
                reason: one.reason.clone(),
                expires,
                origin,
            }),
            Ok(_) => invalid.push(Invalid {
                why: "it has no `scope`".to_owned(),
                origin,
            }),
            Err(why) => invalid.push(Invalid { why, origin }),
        }
    }
    waivers.extend(of_decisions(settings));
    (waivers, invalid)
}

fn parts(rule: &str, expires: &str, owner: &str, reason: &str) -> Result<Date, String> {
    for (what, value) in [("rule", rule), ("owner", owner), ("reason", reason)] {
        if value.trim().is_empty() {
            return Err(format!("it has no `{what}`"));
        }
    }
    expires
        .parse()
        .map_err(|_| "its last day is not a date like 2027-01-31".to_owned())
}

/// Those beside the stanzas of a policy: in the comment above, or inside. One that is beside none covers the policy.
pub fn of_policy(policies: &Table, n: PolicyNumber, waivers: &mut Vec<Waiver>, invalid: &mut Vec<Invalid>) {
    let policy = &policies[n];
    if policy.language == Language::Json {
        return;
    }
    for (at, _) in policy.source.match_indices(MARK) {
        let line_start = policy.source.get(..at).and_then(|t| t.rfind('\n')).map_or(0, |n| n + 1);
        if !in_comment(policy.source.get(line_start..at).unwrap_or("")) {
            continue;
        }
        let line = policy.source.get(at..).and_then(|t| t.lines().next()).unwrap_or("");
        let line = line.trim_end().trim_end_matches("*/");
        let (spot, about, origin) = beside(policies, n, at);
        let read = line
            .strip_prefix(MARK)
            .ok_or_else(String::new)
            .and_then(|text| comment(text.trim()));
        match read {
            Ok((rule, expires, owner, reason)) => waivers.push(Waiver {
                rule,
                scope: Scope::Spot(spot),
                about,
                owner,
                reason,
                expires,
                origin,
            }),
            Err(why) => invalid.push(Invalid { why, origin }),
        }
    }
}

/// Whether what stands before the mark on its line opens a comment, with nothing but white space behind the opening.
fn in_comment(before: &str) -> bool {
    let trimmed = before.trim_end();
    let text = ["//", "/*", "#", "*"]
        .iter()
        .find_map(|open| trimmed.strip_suffix(open));
    // Behind an odd number of quotes it stands in a string.
    text.is_some_and(|text| text.matches('"').count().is_multiple_of(2))
}

/// The stanza that a byte of the text is beside, in words, and the byte's line.
fn beside(policies: &Table, n: PolicyNumber, at: usize) -> (Spot, String, Origin) {
    let policy = &policies[n];
    let source = &policy.source;
    let lines = |from: usize, to: usize| {
        let between = source.get(from..to).unwrap_or("").matches('\n').count();
        u32::try_from(between).unwrap_or(u32::MAX)
    };
    for id in policies.stanzas_of(n) {
        let stanza = &policies[id];
        let from = stanza.comment_span.as_ref().map_or(stanza.span.start, |c| c.start);
        let end_of_line = source
            .get(stanza.span.end..)
            .and_then(|t| t.find('\n'))
            .map_or(source.len(), |n| stanza.span.end + n);
        if !(from..end_of_line).contains(&at) {
            continue;
        }
        let line = if at < stanza.span.start {
            stanza.origin.line.saturating_sub(lines(at, stanza.span.start))
        } else {
            stanza.origin.line.saturating_add(lines(stanza.span.start, at))
        };
        let spot = Spot {
            policy: n,
            stanza: Some(id),
        };
        let about = format!("`{}` of policy `{}{}`", stanza.path, policy.namespace, policy.name);
        return (spot, about, Origin::new(policy.file.clone(), line, 1));
    }
    let line = match policy.stanzas.first() {
        Some(first) if at < first.span.start => first.origin.line.saturating_sub(lines(at, first.span.start)),
        Some(first) => first.origin.line.saturating_add(lines(first.span.start, at)),
        None => lines(0, at).saturating_add(1),
    };
    let spot = Spot {
        policy: n,
        stanza: None,
    };
    let about = format!("policy `{}{}`", policy.namespace, policy.name);
    (spot, about, Origin::new(policy.file.clone(), line.max(1), 1))
}

/// `allow RULE until DATE owner=… reason=…`: rule, last day, owner, reason.
fn comment(text: &str) -> Result<(String, Date, String, String), String> {
    let form = "`allow RULE until 2027-01-31 owner=WHO reason=WHY`";
    let rest = text
        .strip_prefix("allow ")
        .ok_or_else(|| format!("it does not read {form}"))?;
    let (mut rule, mut expires, mut owner, mut reason) = ("", "", String::new(), String::new());
    let mut rest = rest.trim_start();
    while !rest.is_empty() {
        if let Some(value) = rest.strip_prefix("reason=") {
            let (value, after) = quoted(value).unwrap_or((value, ""));
            reason = value.trim().to_owned();
            rest = after.trim_start();
        } else if let Some(value) = rest.strip_prefix("owner=") {
            let (value, after) = quoted(value).unwrap_or_else(|| word(value));
            owner = value.to_owned();
            rest = after.trim_start();
        } else {
            let (first, after) = word(rest);
            rest = after.trim_start();
            if first == "until" {
                let (date, after) = word(rest);
                expires = date;
                rest = after.trim_start();
            } else if rule.is_empty() {
                rule = first;
            } else {
                return Err(format!("it does not read {form}"));
            }
        }
    }
    let expires = parts(rule, expires, &owner, &reason)?;
    Ok((rule.to_owned(), expires, owner, reason))
}

fn word(text: &str) -> (&str, &str) {
    text.split_once(char::is_whitespace).unwrap_or((text, ""))
}

fn quoted(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('"')?.split_once('"')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::{Severity, Subject};
    use crate::policy::profile::Profile;
    use crate::policy::syntax;

    fn read(text: &str) -> (Vec<Waiver>, Vec<Invalid>) {
        let policy = syntax::parse("p", "p.hcl", text, &Profile::default().dialect()).unwrap();
        let (mut waivers, mut invalid) = (Vec::new(), Vec::new());
        let policies = Table::from(vec![policy]);
        let only = policies.ids().next().unwrap();
        of_policy(&policies, only, &mut waivers, &mut invalid);
        (waivers, invalid)
    }

    #[test]
    fn a_comment_covers_the_stanza_that_it_is_beside() {
        let (waivers, invalid) = read(
            "# vault-advisor: allow unused-policy until 2027-02-28 owner=b reason=whole policy\n\n\
             path \"a\" { capabilities = [\"read\"] }\n\
             // vault-advisor: allow broad-glob until 2027-01-31 owner=\"team a\" reason=\"so it is\"\n\
             path \"b/*\" {\n  # vault-advisor: allow sudo-unused owner=c until 2026-01-31 reason=it is so\n  capabilities = [\"read\"]\n}\n",
        );
        assert_eq!(invalid, []);
        let told: Vec<_> = waivers
            .iter()
            .map(|w| {
                (
                    w.rule.as_str(),
                    w.about.as_str(),
                    w.owner.as_str(),
                    w.reason.as_str(),
                    w.origin.line,
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("unused-policy", "policy `p`", "b", "whole policy", 1),
                ("broad-glob", "`b/*` of policy `p`", "team a", "so it is", 4),
                ("sudo-unused", "`b/*` of policy `p`", "c", "it is so", 6),
            ]
        );
        let day: Date = "2027-01-31".parse().unwrap();
        assert!(!waivers[1].is_expired(day) && waivers[1].is_expired(day.tomorrow().unwrap()));
    }

    #[test]
    fn what_cannot_be_used_is_told() {
        for (text, why) in [
            ("allow x until 2027-01-31 owner=a", "`reason`"),
            ("allow x until 2027-01-31 reason=a", "`owner`"),
            ("allow x owner=a reason=b", "not a date"),
            ("allow x until 2027-02-30 owner=a reason=b", "not a date"),
            ("forbid x", "does not read"),
        ] {
            let (waivers, invalid) = read(&format!("# vault-advisor: {text}\npath \"a\" {{}}\n"));
            assert_eq!(waivers, [], "{text}");
            assert!(invalid[0].why.contains(why), "{text}: {}", invalid[0].why);
        }
        let (waivers, invalid) = read("path \"vault-advisor: x\" {}\npath \"# vault-advisor: allow\" {}\n");
        assert!(waivers.is_empty() && invalid.is_empty());
    }
    #[test]
    fn a_policy_is_named_with_its_namespace_or_without() {
        let of = |namespace: &str, file: &str| {
            let text = "path \"a\" { capabilities = [\"read\"] }";
            let mut policy = syntax::parse("web", file, text, &Profile::default().dialect()).unwrap();
            policy.namespace = namespace.into();
            policy
        };
        let policies = Table::from(vec![of("", "root.hcl"), of("team/", "team.hcl")]);
        let places = Places::new(&policies);
        let finding = |file: &str| Finding {
            fingerprint: "f".to_owned(),
            rule: "broad-glob".into(),
            severity: Severity::Low,
            title: String::new(),
            detail: String::new(),
            subject: Subject {
                kind: "stanza".to_owned(),
                name: "web a".to_owned(),
                key: String::new(),
            },
            origins: vec![Origin::new(file, 1, 1)],
            evidence: None,
            remedy: String::new(),
            fixed_in: None,
            stays: None,
            who: Vec::new(),
        };
        let waiver = |scope: &str| Waiver {
            rule: "broad-glob".to_owned(),
            scope: Scope::Named(scope.to_owned()),
            about: scope.to_owned(),
            owner: "a".to_owned(),
            reason: "b".to_owned(),
            expires: "2027-01-31".parse().unwrap(),
            origin: Origin::new(FILE_NAME, 1, 1),
        };
        for (scope, root, team) in [
            ("web", true, true),
            ("team/web", false, true),
            ("team/*", false, true),
            ("other/web", false, false),
        ] {
            let covers = |file| waiver(scope).covers(&finding(file), &places);
            assert_eq!((covers("root.hcl"), covers("team.hcl")), (root, team), "{scope}");
        }
    }
}
