//! The JSON that the page's script draws from: rows as arrays, names once in a list, so that a page of ten thousand
//! principals stays small.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::digest;
use super::escape::{visible, visible_lines};
use crate::advice::{
    Account, Advice, AllowedBy, Bridge, Finding, HeatCell, HeatGroup, HeatMap, PathUse, PolicyView, PrincipalView,
    Proposal, Risk, StanzaRef, StanzaRight, Unused, UnusedCounts,
};
use std::sync::Arc;

/// The timeline of a use has at most so many marks.
const MARKS: i64 = 120;

/// Names, each once.
#[derive(Default)]
struct Names<'a> {
    index: HashMap<&'a str, usize>,
    list: Vec<String>,
}

/// Stanzas, each once.
#[derive(Default)]
struct Stanzas<'a> {
    index: HashMap<(&'a str, &'a str, u32), usize>,
    list: Vec<Value>,
}

impl<'a> Stanzas<'a> {
    fn of(&mut self, stanza: &'a StanzaRef) -> usize {
        let next = self.list.len();
        let key = (&*stanza.policy, &*stanza.path, stanza.origin.line);
        *self.index.entry(key).or_insert_with(|| {
            let place = format!("{}:{}", stanza.origin.file, stanza.origin.line);
            self.list
                .push(json!([visible(&stanza.policy), visible(&stanza.path), visible(&place)]));
            next
        })
    }

    fn all(&mut self, stanzas: &'a [Arc<StanzaRef>]) -> Vec<usize> {
        stanzas.iter().map(|stanza| self.of(stanza)).collect()
    }
}

impl<'a> Names<'a> {
    fn of(&mut self, name: &'a str) -> usize {
        let next = self.list.len();
        *self.index.entry(name).or_insert_with(|| {
            self.list.push(visible(name));
            next
        })
    }

    fn all(&mut self, names: &'a [String]) -> Vec<usize> {
        names.iter().map(|name| self.of(name)).collect()
    }

    /// Forgets those that came after so many: what asked for them does not stand on the page.
    fn forget(&mut self, before: usize) {
        self.list.truncate(before);
        self.index.retain(|_, number| *number < before);
    }

    /// How many bytes a name takes that was not asked for yet, and one that was.
    fn price(&self, name: &str) -> usize {
        const NUMBER: usize = 6;
        NUMBER
            + if self.index.contains_key(name) {
                0
            } else {
                text_size(name)
            }
    }

    /// How many bytes those take that came after so many.
    fn bytes_after(&self, before: usize) -> usize {
        self.list.iter().skip(before).map(|name| text_size(name)).sum()
    }
}

/// What becomes of policies in a proposal, by their labels.
pub struct Changes(HashMap<String, &'static str>);

impl Changes {
    /// Of this proposal.
    #[must_use]
    pub fn of(proposal: Option<&Proposal>) -> Self {
        let mut changes = HashMap::new();
        for policy in proposal.into_iter().flat_map(|proposal| &proposal.policies) {
            changes.insert(policy.label(), policy.change.as_str());
        }
        Self(changes)
    }

    /// What becomes of one.
    #[must_use]
    pub fn to(&self, label: &str) -> &'static str {
        self.0.get(label).copied().unwrap_or("keep")
    }
}

/// The data, below `room` bytes, and a sentence on what was left out.
///
/// # Errors
/// Never for a value as built here: the error is that of the serializer.
pub fn render(
    advice: &Advice,
    terraform: &BTreeMap<String, String>,
    room: usize,
) -> Result<(String, Option<String>), serde_json::Error> {
    // The script, the style and the escaping of `<` take room as well.
    let mut budget = Budget {
        left: room.saturating_sub(room / 50),
    };
    let mut for_terraform = Budget { left: budget.left / 6 };
    let terraform: BTreeMap<&String, &String> = terraform
        .iter()
        .filter(|(label, text)| for_terraform.take(&json!([label, text])))
        .collect();
    let terraform = json!(terraform);
    budget.spend(&terraform);
    let unused_said = json!(digest::UNUSED.map(|said| json!([said.what.as_str(), said.title, said.why, said.next])));
    budget.spend(&unused_said);
    let rules: BTreeMap<String, String> = advice
        .rules
        .iter()
        .map(|rule| (visible(&rule.id), visible(&rule.summary)))
        .collect();
    let rules = json!(rules);
    budget.spend(&rules);
    let mut names = Names::default();
    let changes = Changes::of(digest::proposal(advice, "tighten"));

    let heat = heat(&advice.heat, budget.left / 3);
    budget.spend(&heat);
    let bridge = bridge(&advice.bridge, &mut names, &mut budget);
    let policies = budget.rows(budget.left / 3, &advice.policies, &mut names, |policy, names| {
        policy_row(policy, changes.to(&policy.label()), names)
    });
    // Two thirds of what is left for principals, so that a finding is never crowded out by them.
    let redesigned = digest::proposal(advice, "redesign").map(|proposal| &proposal.changed_for);
    let owners = &advice.owners.principals;
    let principals = budget.rows(
        budget.left / 3 * 2,
        &advice.principals,
        &mut names,
        |principal, names| {
            let redesigned = redesigned.is_some_and(|changed| changed.contains(&principal.id));
            principal_row(principal, (owners.get(&principal.id), redesigned), names)
        },
    );
    // So that what principals used is never crowded out by findings.
    let findings = budget.rows(budget.left / 3 * 2, &advice.findings, &mut names, finding_row);
    let days = Days::of(advice);
    let mut stanzas = Stanzas::default();
    let shown = advice.principals.get(..principals.len()).unwrap_or_default();
    let accounts = accounts(shown, &mut budget, &days, (&mut names, &mut stanzas));
    let shown = [principals.len(), policies.len(), findings.len(), accounts.len()];
    let omitted = omitted(advice, shown);
    let data = json!({
        "names": names.list,
        "rules": rules,
        "terraform": terraform,
        "stanzas": stanzas.list,
        "accounts": accounts,
        "days": [days.first, days.count, days.each],
        "unused": unused_said,
        "principals": principals,
        "policies": policies,
        "findings": findings,
        "heat": heat,
        "bridge": bridge,
        "nobody": digest::nobodys(advice),
    });
    Ok((serde_json::to_string(&data)?, omitted))
}

/// What becomes of what was never used, with all the policies that grant it.
fn bridge<'a>(from: &'a Bridge, names: &mut Names<'a>, budget: &mut Budget) -> Value {
    let before = names.list.len();
    let parts: Vec<Value> = from
        .parts
        .iter()
        .map(|part| {
            let shares = part.policies.iter();
            let shares: Vec<_> = shares.map(|share| (names.of(&share.policy), share.count)).collect();
            json!([part.what as usize, shares])
        })
        .collect();
    let parts = json!(parts);
    budget.spend_bytes(size(&parts) + names.bytes_after(before));
    parts
}

/// What these principals used, as far as there is room.
fn accounts<'a>(
    principals: &'a [PrincipalView],
    budget: &mut Budget,
    days: &Days,
    (names, stanzas): (&mut Names<'a>, &mut Stanzas<'a>),
) -> Vec<Value> {
    let mut accounts = Vec::new();
    for (at, principal) in principals.iter().enumerate() {
        let (names_before, stanzas_before) = (names.list.len(), stanzas.list.len());
        // Each has its share of what is left; who needs less leaves the rest to those behind.
        let share = budget.left / (principals.len() - at).max(1);
        let (uses, rights) = fitting(&principal.account, names, share);
        let row = account_row(&principal.account, (uses, rights), days, (names, stanzas));
        let new_stanzas: usize = stanzas.list.iter().skip(stanzas_before).map(size).sum();
        if !budget.take_bytes(size(&row) + names.bytes_after(names_before) + new_stanzas) {
            names.forget(names_before);
            stanzas.list.truncate(stanzas_before);
            break;
        }
        accounts.push(row);
    }
    accounts
}

fn omitted(advice: &Advice, [principals, policies, findings, accounts]: [usize; 4]) -> Option<String> {
    let mut parts = Vec::new();
    for (word, all, shown) in [
        ("principals", advice.principals.len(), principals),
        ("policies", advice.policies.len(), policies),
        ("findings", advice.findings.len(), findings),
    ] {
        if shown < all {
            parts.push(format!("the first {shown} of {all} {word}"));
        }
    }
    if accounts < principals {
        parts.push(format!("what the first {accounts} of them used"));
    }
    (!parts.is_empty()).then(|| {
        format!(
            "To stay small, this page holds {}; advice.json holds all.",
            parts.join(", ")
        )
    })
}

/// How many uses and stanzas of an account are told where it has so many bytes: a few of each at least, then the uses first.
fn fitting(account: &Account, names: &Names<'_>, share: usize) -> (usize, usize) {
    const LEAST: usize = 3;
    /// About what the numbers of a row take, and one of a list.
    const ROW: usize = 60;
    const ONE: usize = 6;
    let uses: Vec<usize> = account
        .uses
        .iter()
        .map(|one| ROW + ONE * 2 * one.days.len() + names.price(&one.path))
        .collect();
    let rights: Vec<usize> = account
        .rights
        .iter()
        .map(|right| {
            let examples: usize = right.examples.iter().map(|path| names.price(path)).sum();
            ROW + ONE * right.stanzas.len() + examples
        })
        .collect();
    let least: usize = uses.iter().take(LEAST).chain(rights.iter().take(LEAST)).sum();
    let mut left = share.saturating_sub(least);
    let mut fit = |prices: &[usize]| {
        let more = prices.iter().skip(LEAST).take_while(|price| {
            let fits = **price <= left;
            left = left.saturating_sub(**price);
            fits
        });
        prices.len().min(LEAST) + more.count()
    };
    let uses = fit(&uses);
    (uses, fit(&rights))
}

struct Budget {
    left: usize,
}

impl Budget {
    fn spend(&mut self, value: &Value) {
        self.spend_bytes(size(value));
    }

    fn spend_bytes(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
    }

    /// As many rows as there is room for, with the names that they bring.
    fn rows<'a, T>(
        &mut self,
        room: usize,
        all: &'a [T],
        names: &mut Names<'a>,
        row: impl Fn(&'a T, &mut Names<'a>) -> Value,
    ) -> Vec<Value> {
        let mut own = Self { left: room };
        let mut rows = Vec::new();
        for one in all {
            let before = names.list.len();
            let row = row(one, names);
            let bytes = size(&row) + names.bytes_after(before);
            if !own.take_bytes(bytes) {
                names.forget(before);
                break;
            }
            self.spend_bytes(bytes);
            rows.push(row);
        }
        rows
    }

    fn take(&mut self, value: &Value) -> bool {
        self.take_bytes(size(value))
    }

    fn take_bytes(&mut self, bytes: usize) -> bool {
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }
}

/// Bytes of a value inside the page, a little more where it holds what has to be escaped.
fn size(value: &Value) -> usize {
    match value {
        Value::Null => 5,
        Value::Bool(_) => 6,
        Value::Number(number) => number.to_string().len() + 1,
        Value::String(text) => text_size(text),
        Value::Array(list) => 2 + list.iter().map(size).sum::<usize>(),
        Value::Object(map) => {
            2 + map
                .iter()
                .map(|(key, value)| key.len() + 4 + size(value))
                .sum::<usize>()
        }
    }
}

fn text_size(text: &str) -> usize {
    let escaped = text
        .bytes()
        .filter(|byte| matches!(byte, b'<' | b'>' | b'&' | b'"' | b'\\' | b'\n'));
    text.len() + 3 + 5 * escaped.count()
}

fn one_digit(value: f64) -> Value {
    json!((value * 10.0).round() / 10.0)
}

fn parts(risk: &Risk) -> Vec<String> {
    risk.parts.iter().map(|part| visible(part)).collect()
}

fn principal_row<'a>(
    from: &'a PrincipalView,
    (owner, redesigned): (Option<&'a String>, bool),
    names: &mut Names<'a>,
) -> Value {
    json!([
        visible(&from.id),
        visible(&from.name),
        names.of(&from.kind),
        names.of(&from.auth_mount),
        names.all(&from.policies),
        from.granted,
        from.used,
        from.excess,
        from.paths_granted,
        from.paths_used,
        from.requests,
        from.denied,
        from.first_seen.map(|time| time.as_second()),
        from.last_seen.map(|time| time.as_second()),
        from.active_days,
        one_digit(from.risk.score),
        from.risk_after.as_ref().map(|risk| one_digit(risk.score)),
        // 1: not known, 2: everything.
        if digest::is_root(from) {
            2
        } else {
            u8::from(from.grants_unknown)
        },
        parts(&from.risk),
        visible(&from.namespace),
        from.marks
            .iter()
            .flat_map(|(mark, values)| values.iter().map(move |value| (mark.as_str(), value)))
            .chain(owner.map(|owner| ("owner", owner)))
            .flat_map(|(mark, value)| [names.of(mark), names.of(value)])
            .collect::<Vec<_>>(),
        unused(&from.account.unused),
        // 1: the redesign gives it other policies.
        u8::from(redesigned),
        from.account
            .shares
            .iter()
            .flat_map(|share| [share.what as u64, names.of(&share.policy) as u64, share.count])
            .collect::<Vec<_>>(),
    ])
}

/// The days of the logs, in as many equal parts as a timeline has room for.
struct Days {
    first: i64,
    count: i64,
    /// Days in a part.
    each: i64,
}

impl Days {
    fn of(advice: &Advice) -> Self {
        let day = |time: jiff::Timestamp| time.as_second().div_euclid(86_400);
        let first = advice.coverage.first.map_or(0, day);
        let count = advice.coverage.last.map_or(first, day) - first + 1;
        let each = (count.max(1) + MARKS - 1) / MARKS;
        Self { first, count, each }
    }

    /// From which part to which something was seen: numbers in pairs.
    fn marks(&self, days: &[(i32, i32)]) -> Vec<i64> {
        let mut marks: Vec<i64> = Vec::new();
        for &(from, to) in days {
            let part = |day: i32| (i64::from(day) - self.first).div_euclid(self.each).max(0);
            let (from, to) = (part(from), part(to));
            match marks.last_mut() {
                Some(last) if from <= *last + 1 => *last = to.max(*last),
                _ => marks.extend([from, to]),
            }
        }
        marks
    }
}

fn unused(counts: &UnusedCounts) -> Vec<u64> {
    counts.iter().map(|(_, count)| count).collect()
}

fn account_row<'a>(
    from: &'a Account,
    (uses, rights): (usize, usize),
    days: &Days,
    (names, stanzas): (&mut Names<'a>, &mut Stanzas<'a>),
) -> Value {
    let uses = from.uses.iter().take(uses);
    let uses: Vec<Value> = uses.map(|one| use_row(one, days, names, stanzas)).collect();
    let rights = from.rights.iter().take(rights);
    let rights: Vec<Value> = rights.map(|one| right_row(one, names, stanzas)).collect();
    json!([uses, from.uses_total, rights, from.rights_total])
}

fn use_row<'a>(from: &'a PathUse, days: &Days, names: &mut Names<'a>, stanzas: &mut Stanzas<'a>) -> Value {
    let by = match &from.by {
        AllowedBy::Stanzas(all) => json!(stanzas.all(all)),
        AllowedBy::NoneNeeded => json!("no stanza is needed"),
        AllowedBy::Unexplained => json!("not explained by the policies as read"),
        AllowedBy::Denied => json!("denied"),
    };
    json!([
        names.of(&from.path),
        names.of(&from.capability),
        from.allowed,
        from.denied,
        from.first.map(|time| time.as_second()),
        from.last.map(|time| time.as_second()),
        days.marks(&from.days),
        by,
        from.example.as_ref().map(|place| (names.of(&place.file), place.line)),
    ])
}

fn right_row<'a>(from: &'a StanzaRight, names: &mut Names<'a>, stanzas: &mut Stanzas<'a>) -> Value {
    let stays = from.unused.iter().filter(|(what, _)| *what != Unused::Goes);
    let most = stays.max_by_key(|(what, count)| (*count, std::cmp::Reverse(*what)));
    json!([
        stanzas.all(&from.stanzas),
        from.granted,
        from.used,
        from.unused.of(Unused::Goes),
        // Why the most of it stays.
        most.filter(|(_, count)| *count > 0).map(|(what, _)| what as usize),
        from.examples.iter().map(|path| names.of(path)).collect::<Vec<_>>(),
    ])
}

fn policy_row<'a>(from: &'a PolicyView, change: &str, names: &mut Names<'a>) -> Value {
    let stanzas: Vec<Value> = from
        .stanzas
        .iter()
        .map(|stanza| {
            let uses: Vec<Value> = stanza
                .capabilities
                .iter()
                .map(|one| {
                    json!([
                        names.of(&one.capability),
                        one.requests,
                        one.principals,
                        one.last_used.map(|time| time.as_second()),
                        one.state.as_str(),
                        one.stays.map(|what| what as usize),
                    ])
                })
                .collect();
            json!([visible(&stanza.path), stanza.origin.line, uses])
        })
        .collect();
    json!([
        visible(&from.label()),
        visible(&from.file),
        names.all(&from.holders),
        stanzas,
        one_digit(from.risk.score),
        parts(&from.risk),
        change,
    ])
}

fn finding_row<'a>(from: &'a Finding, names: &mut Names<'a>) -> Value {
    let evidence = from.evidence.as_ref().map(|evidence| {
        json!([
            evidence.state.as_str(),
            one_digit(evidence.window_days),
            one_digit(evidence.dwell_days),
            evidence
                .reasons
                .iter()
                .map(|reason| visible(reason))
                .collect::<Vec<_>>(),
        ])
    });
    let remedy = digest::remedy(from);
    let places: Vec<String> = from.origins.iter().map(|origin| visible(&origin.to_string())).collect();
    json!([
        visible(&from.fingerprint),
        visible(&from.rule),
        from.severity.as_str(),
        visible(&from.title),
        visible(&from.detail),
        visible(&from.subject.kind),
        visible(&from.subject.name),
        places,
        evidence,
        json!([
            visible(remedy.says),
            remedy.grant.map(visible_lines).unwrap_or_default(),
            visible(remedy.or)
        ]),
        from.fixed_in.as_deref().map(visible),
        names.all(&from.who),
        from.stays.map(|what| what as usize),
        digest::stays(from),
    ])
}

/// The matrix, summed up into its groups where it would not fit.
fn heat(from: &HeatMap, room: usize) -> Value {
    let whole = heat_value(from);
    if size(&whole) <= room {
        return whole;
    }
    let rows = in_groups(from, true);
    let summed = heat_value(&rows);
    if size(&summed) <= room {
        return summed;
    }
    let both = heat_value(&in_groups(&rows, false));
    if size(&both) <= room {
        return both;
    }
    // No row is left: all are left out.
    heat_value(&HeatMap {
        omitted: from.omitted + from.rows.iter().map(|row| row.size).sum::<u64>(),
        ..HeatMap::default()
    })
}

/// The matrix with each group of rows (or columns) as one.
fn in_groups(from: &HeatMap, rows: bool) -> HeatMap {
    let mut groups: Vec<HeatGroup> = Vec::new();
    let mut place: HashMap<&str, u32> = HashMap::new();
    let lines = if rows { &from.rows } else { &from.columns };
    let mut to: Vec<u32> = Vec::with_capacity(lines.len());
    for line in lines {
        let next = u32::try_from(groups.len()).unwrap_or(u32::MAX);
        let at = *place.entry(line.group.as_str()).or_insert(next);
        if at == next {
            groups.push(HeatGroup {
                id: String::new(),
                label: line.group.clone(),
                group: line.group.clone(),
                size: 0,
            });
        }
        if let Some(group) = usize::try_from(at).ok().and_then(|at| groups.get_mut(at)) {
            group.size += line.size;
        }
        to.push(at);
    }
    let moved = |index: u32| usize::try_from(index).ok().and_then(|index| to.get(index)).copied();
    let mut cells: BTreeMap<(u32, u32), HeatCell> = BTreeMap::new();
    for (&(row, column), cell) in &from.cells {
        let key = if rows {
            moved(row).map(|row| (row, column))
        } else {
            moved(column).map(|column| (row, column))
        };
        if let Some(key) = key {
            let sum = cells.entry(key).or_default();
            sum.granted += cell.granted;
            sum.used += cell.used;
        }
    }
    HeatMap {
        rows: if rows { groups.clone() } else { from.rows.clone() },
        columns: if rows { from.columns.clone() } else { groups },
        cells,
        omitted: from.omitted,
    }
}

fn heat_value(from: &HeatMap) -> Value {
    let group = |one: &HeatGroup| json!([visible(&one.label), visible(&one.group), one.size]);
    let cells: Vec<u64> = from
        .cells
        .iter()
        .flat_map(|(&(row, column), cell)| [row.into(), column.into(), cell.granted, cell.used])
        .collect();
    json!({
        "rows": from.rows.iter().map(group).collect::<Vec<_>>(),
        "columns": from.columns.iter().map(group).collect::<Vec<_>>(),
        "cells": cells,
        "omitted": from.omitted,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_too_large_is_summed_up() {
        let line = |label: String, group: &str| HeatGroup {
            id: String::new(),
            label,
            group: group.to_owned(),
            size: 1,
        };
        let map = HeatMap {
            rows: (0..50)
                .map(|i| line(format!("row {i}"), if i < 20 { "a" } else { "b" }))
                .collect(),
            columns: (0..50).map(|i| line(format!("column {i}"), "c")).collect(),
            cells: (0..50)
                .flat_map(|row| (0..50).map(move |column| ((row, column), HeatCell { granted: 2, used: 1 })))
                .collect(),
            omitted: 3,
        };
        let whole = heat(&map, usize::MAX);
        assert_eq!(whole["rows"].as_array().map(Vec::len), Some(50));
        let small = heat(&map, 200);
        assert_eq!(
            small,
            json!({"rows": [["a", "a", 20], ["b", "b", 30]], "columns": [["c", "c", 50]], "cells": [0, 0, 2000, 1000, 1, 0, 3000, 1500], "omitted": 3})
        );
        assert_eq!(heat(&map, 40)["cells"], json!([]));
    }
}
