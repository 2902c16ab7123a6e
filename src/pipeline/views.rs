//! What a report shows of the join: coverage, totals, principals, policies, the heat map.

use super::account::Staying;
use crate::access::logins::is_asked_for;
use crate::access::weight::Weighed;
use crate::access::{Holder, HolderId, Joined, Outcome, PolicyNumber, StanzaId, reach};
use crate::advice::{
    Account, CapabilityUse, CoverageView, Escalation, Evidence, EvidenceState, Gap, HeatCell, HeatGroup, HeatMap,
    PolicyView, PrincipalView, RequestTotals, Skip, StanzaView, Totals,
};
use crate::analysis::access_graph::Chain;
use crate::analysis::evidence::{EvidenceSettings, Peers};
use crate::analysis::risk::{self, Exposure};
use crate::deployment::Deployment;
use crate::index::IndexVec;
use crate::policy::acl::Acl;
use crate::policy::model::Policy;
use crate::policy::template::Identity;
use crate::report::digest::{count, number};
use crate::usage::Usage;
use crate::vault::{Capability, CapabilitySet, PrincipalKind};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// So many principals have a row in the heat map.
const MOST_ROWS: usize = 10_000;

/// What the logs covered.
pub(super) fn coverage(usage: &Usage, demands: u64) -> CoverageView {
    let (tally, seen) = (usage.tally(), usage.coverage());
    CoverageView {
        first: seen.first,
        last: seen.last,
        window_days: seen.window_days(),
        lines: tally.lines,
        used: tally.used,
        paired: tally.paired + tally.joined,
        skipped: tally
            .reasons()
            .map(|(reason, skipped)| Skip {
                reason: reason.as_str().to_owned(),
                count: skipped.count,
                first: skipped.first.as_ref().map(|o| format!("{}:{}", o.file, o.line)),
            })
            .collect(),
        requests: seen.requests,
        demands,
        gaps: seen
            .gaps
            .iter()
            .map(|g| Gap {
                start: g.from,
                end: g.to,
            })
            .collect(),
        nodes: seen.nodes.iter().map(|n| n.to_string()).collect(),
        device_changes: seen
            .switched
            .iter()
            .map(|s| {
                let what = if s.on { "switched on" } else { "switched off" };
                let when = s
                    .time
                    .map(|t| format!(" at {}", t.strftime("%Y-%m-%d %H:%M:%S UTC")))
                    .unwrap_or_default();
                format!("audit device `{}` was {what}{when}", s.device)
            })
            .collect(),
        has_policy_results: seen.with_policy_results > 0,
        health: seen.health(),
    }
}

/// What a reader should know first.
pub(super) fn notes(joined: &Joined, coverage: &CoverageView) -> Vec<String> {
    let mut notes = Vec::new();
    if coverage.window_days < 30.0 {
        notes.push(format!(
            "The logs cover {}. Whatever happens less often than that looks unused: set `evidence.min_days` to the \
             longest rhythm you know before acting on removals.",
            crate::analysis::evidence::days(coverage.window_days)
        ));
    }
    for (policy, holders) in joined.not_read.existing() {
        let how = match policy.is_default() {
            true => {
                "Servers bring it, and anybody may have changed it: put what `vault policy read default` prints beside the others."
            }
            false => "Export it too.",
        };
        notes.push(format!(
            "Policy `{policy}` was in force for {} but is not among the policies read: what they may do is \
             unknown, and nothing of theirs is taken away. {how}",
            count(holders.len() as u64, "principal", "principals")
        ));
    }
    let unexplained = joined
        .demands
        .iter()
        .filter(|d| d.outcome == Outcome::NotExplained)
        .count();
    let unknown = joined
        .demands
        .iter()
        .filter(|d| d.outcome == Outcome::NotExplained && !joined.sets[d.set].is_known())
        .count();
    if unexplained > unknown {
        notes.push(format!(
            "{} (one principal, one path, one capability each) not explained by the policies read: these are newer or older than the logs, or the \
             server's rules differ from `{}`.",
            count(
                (unexplained - unknown) as u64,
                "allowed demand is",
                "allowed demands are"
            ),
            joined.profile
        ));
    }
    let unfilled: BTreeSet<HolderId> = joined
        .sets
        .iter()
        .filter(|s| s.current && !s.unfilled.is_empty())
        .flat_map(|s| s.holders.iter().copied())
        .filter(|&h| joined.holders[h].principal.kind != PrincipalKind::Root)
        .collect();
    if !unfilled.is_empty() {
        let remedy = if joined.handed_out.is_some() {
            "these principals have no entity, or the deployment does not have it (a fresh `snapshot` does)"
        } else {
            "a deployment folder (`--deployment`) gives the values"
        };
        notes.push(format!(
            "Templated stanzas of {} could not be filled in, so these stanzas, and wider ones beside them, are left as they are: {remedy}.",
            count(unfilled.len() as u64, "principal", "principals")
        ));
    }
    notes
}

/// What stays only because some of its holders never acted.
pub(super) fn held_back(
    joined: &Joined,
    evidence: &IndexVec<Policy, Evidence>,
    settings: &EvidenceSettings,
) -> Option<String> {
    let peers = Peers::of(joined);
    let dormant = |h: HolderId| !joined.holders[h].is_active();
    let waits = |found: &Evidence| found.state == EvidenceState::Suspect && found.window_days < settings.dormant_days;
    let mut who: BTreeSet<HolderId> = BTreeSet::new();
    let mut policies = 0_u64;
    for (number, policy) in joined.policies.numbered() {
        let idle = joined.held[number]
            .by
            .iter()
            .copied()
            .filter(|&h| dormant(h) && !peers.speak_for(h, &policy.id()));
        let idle: Vec<HolderId> = idle.collect();
        // `default` stays whoever holds it.
        if waits(&evidence[number]) && !idle.is_empty() && is_asked_for(&policy.id()) {
            who.extend(idle);
            policies += 1;
        }
    }
    (policies > 0).then(|| {
        format!(
            "{} {} that nobody else speaks for: {} until {} were watched (`evidence.dormant_days`), since what {} is not known.",
            match who.len() {
                1 => "1 principal that never acted holds".to_owned(),
                n => format!("{} principals that never acted hold", number(n as u64)),
            },
            count(policies, "policy", "policies"),
            if policies == 1 { "it stays" } else { "they stay" },
            crate::analysis::evidence::days(settings.dormant_days),
            if who.len() == 1 { "it needs" } else { "they need" },
        )
    })
}

/// What a snapshot could not read of what hands out policies.
pub(super) fn unread(deployment: &Deployment) -> Option<String> {
    let first = deployment.unread.first()?;
    let others = match deployment.unread.len() - 1 {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    Some(format!(
        "The deployment is incomplete: its snapshot could not {first}{others}. No policy is proposed to be deleted, since \
         something unread may hand it out; `snapshot` prints the policy that its token needs to read all of it."
    ))
}

/// The numbers that matter.
pub(super) fn totals(joined: &Joined, exposures: &[Exposure]) -> Totals {
    let counted: Vec<(&crate::access::Today, &Exposure)> = joined
        .holders
        .iter()
        .zip(exposures)
        .filter(|(h, _)| h.is_known())
        .collect();
    // A root token is at the top of the list; in the mean it would only blur what policies can change.
    let scores: Vec<f64> = counted
        .iter()
        .filter(|(h, _)| h.principal.kind != PrincipalKind::Root)
        .map(|(_, e)| e.risk.score)
        .collect();
    let mut requests = RequestTotals::default();
    for d in &joined.demands {
        requests.denied += d.demand.denied;
        let allowed = match d.outcome {
            Outcome::Explained(_) => &mut requests.by_stanza,
            Outcome::NeedsNone => &mut requests.none_needed,
            // Of what was denied nothing was allowed.
            Outcome::NotExplained | Outcome::Denied | Outcome::DeniedButAllowed => &mut requests.unexplained,
        };
        *allowed += d.demand.allowed;
    }
    Totals {
        principals: counted.len() as u64,
        active_principals: counted.iter().filter(|(h, _)| h.is_active()).count() as u64,
        policies: joined.policies.len() as u64,
        stanzas: joined.policies.iter().map(|p| p.stanzas.len() as u64).sum(),
        granted: counted.iter().map(|(_, e)| e.granted).sum(),
        used: counted.iter().map(|(_, e)| e.used).sum(),
        denied_requests: requests.denied,
        requests,
        risk_max: scores.iter().copied().fold(0.0, f64::max),
        risk_mean: mean(&scores),
    }
}

pub(super) fn mean(numbers: &[f64]) -> f64 {
    if numbers.is_empty() {
        0.0
    } else {
        numbers.iter().sum::<f64>() / numbers.len() as f64
    }
}

/// Principals, the riskiest first.
pub(super) fn principals(
    joined: &Joined,
    exposures: &IndexVec<Holder, Exposure>,
    after: &IndexVec<Holder, Exposure>,
    mut accounts: IndexVec<Holder, Account>,
) -> Vec<PrincipalView> {
    type Seen = (Option<jiff::Timestamp>, Option<jiff::Timestamp>);
    let mut requests: IndexVec<Holder, (u64, u64)> = joined.holders.map(|_| (0, 0));
    let mut seen: IndexVec<Holder, Seen> = joined.holders.map(|_| (None, None));
    for d in &joined.demands {
        let (requests, seen) = (&mut requests[d.holder], &mut seen[d.holder]);
        requests.0 += d.demand.allowed + d.demand.denied;
        requests.1 += d.demand.denied;
        seen.0 = [seen.0, d.demand.first_seen].into_iter().flatten().min();
        seen.1 = seen.1.max(d.demand.last_seen);
    }
    let mut views: Vec<PrincipalView> = joined
        .holders
        .numbered()
        .filter(|(_, holder)| holder.is_known())
        .map(|(h, holder)| {
            let e = &exposures[h];
            let (first_seen, last_seen) = seen[h];
            let (total, denied) = requests[h];
            PrincipalView {
                id: holder.key(),
                name: holder.display().to_owned(),
                kind: holder.principal.kind.to_string(),
                auth_mount: holder.principal.auth_mount.to_string(),
                namespace: holder.namespace.to_string(),
                marks: marks(holder),
                policies: holder
                    .sets
                    .first()
                    .map(|s| s.policies.iter().map(ToString::to_string).collect())
                    .unwrap_or_default(),
                granted: e.granted,
                used: e.used,
                excess: e.granted - e.used,
                paths_granted: e.paths_granted,
                paths_used: e.paths_used,
                requests: total,
                denied,
                first_seen,
                last_seen,
                active_days: u32::try_from(holder.days.len()).unwrap_or(u32::MAX),
                risk: e.risk.clone(),
                risk_after: Some(after[h].risk.clone()),
                grants_unknown: !joined.current_set(h).is_known(),
                account: std::mem::take(&mut accounts[h]),
            }
        })
        .collect();
    views.sort_by(|a, b| {
        b.risk
            .score
            .total_cmp(&a.risk.score)
            .then_with(|| a.name.cmp(&b.name))
            .then_with(|| a.id.cmp(&b.id))
    });
    views
}

/// What people know a holder by.
fn marks(holder: &crate::access::Holder) -> BTreeMap<String, Vec<String>> {
    let mut marks: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let groups: BTreeSet<String> = holder.identity.groups.iter().map(|group| group.name.clone()).collect();
    if !groups.is_empty() {
        marks.insert("group".to_owned(), groups.into_iter().collect());
    }
    let entity = holder.identity.entity.as_ref().filter(|_| holder.identity_known);
    for (key, value) in entity.into_iter().flat_map(|entity| &entity.metadata) {
        marks.insert(format!("metadata {key}"), vec![value.clone()]);
    }
    marks
}

/// Policies, by name.
pub(super) fn policies(
    joined: &Joined,
    evidence: &IndexVec<Policy, Evidence>,
    weighed: &Weighed<'_>,
    staying: &Staying,
) -> Vec<PolicyView> {
    let used = used_through(joined);
    let mut views: Vec<PolicyView> = joined
        .policies
        .ids()
        .collect::<Vec<PolicyNumber>>()
        .into_par_iter()
        .map(|number| {
            let policy = &joined.policies[number];
            let acl = Acl::compile(joined.profile, &[policy], &Identity::default(), joined.now);
            let unused = evidence[number].state;
            PolicyView {
                namespace: policy.namespace.clone(),
                name: policy.name.to_string(),
                file: policy.file.to_string(),
                holders: joined.held[number]
                    .by
                    .iter()
                    .map(|&h| joined.holders[h].display().to_owned())
                    .collect(),
                stanzas: joined
                    .policies
                    .stanzas_of(number)
                    .map(|id| (id, &joined.policies[id]))
                    .map(|(id, stanza)| StanzaView {
                        path: stanza.path.to_string(),
                        origin: stanza.origin.clone(),
                        capabilities: stanza
                            .capabilities
                            .iter()
                            .map(|c| {
                                let used = joined.uses.get(&id).and_then(|u| u.get(c));
                                let in_use = used.is_some() || twin_used(joined, id, *c);
                                CapabilityUse {
                                    capability: c.to_string(),
                                    requests: used.map_or(0, |u| u.requests),
                                    principals: used.map_or(0, |u| u.holders.len() as u64),
                                    last_used: used.and_then(|u| u.last),
                                    state: if in_use { EvidenceState::InUse } else { unused },
                                    stays: if in_use { None } else { staying.capability(id, *c) },
                                }
                            })
                            .collect(),
                    })
                    .collect(),
                risk: risk::exposure(&reach(&acl, &joined.universe), Some(&used[number]), weighed).risk,
            }
        })
        .collect();
    views.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| a.file.cmp(&b.file)));
    views
}

/// Whether the other of `create` and `update` was used: to a client they are one request.
fn twin_used(joined: &Joined, stanza: StanzaId, capability: Capability) -> bool {
    let used: CapabilitySet = joined
        .uses
        .get(&stanza)
        .into_iter()
        .flat_map(|u| u.keys().copied())
        .collect();
    used.with_write_twin().contains(capability)
}

/// What anybody used through each policy, by path.
fn used_through(joined: &Joined) -> IndexVec<Policy, HashMap<&str, CapabilitySet>> {
    let mut used: IndexVec<Policy, HashMap<&str, CapabilitySet>> = joined.policies.map(|_| HashMap::new());
    for d in &joined.demands {
        for (id, _) in joined.allowed_by(d) {
            let on = used[id.policy()].entry(&d.path).or_default();
            *on = on.union(d.needs());
        }
    }
    used
}

/// Escalation chains, one for each policy set that has one.
pub(super) fn escalations(joined: &Joined, chains: &[Chain]) -> Vec<Escalation> {
    chains
        .iter()
        .map(|chain| {
            let names: Vec<&str> = chain
                .holders
                .iter()
                .map(|&h| &joined.holders[h])
                .map(|h| h.display())
                .collect();
            let principal = match names.as_slice() {
                [] => String::new(),
                [one] => (*one).to_owned(),
                [first, rest @ ..] => format!("{first} and {} more with the same policies", rest.len()),
            };
            Escalation {
                principal,
                principals: names.iter().map(|name| (*name).to_owned()).collect(),
                target: chain.target.describe(),
                says: chain.target.can(names.len() > 1),
                steps: chain.steps.clone(),
                nodes: chain.nodes.clone(),
                also: chain.also.clone(),
            }
        })
        .collect()
}

/// Principals × folders of paths.
pub(super) fn heat(joined: &Joined) -> HeatMap {
    let mut column_of: Vec<u32> = Vec::with_capacity(joined.universe.len());
    let mut columns: Vec<HeatGroup> = Vec::new();
    let mut number: BTreeMap<&str, u32> = BTreeMap::new();
    for path in joined.universe.paths() {
        let folder = folder(path);
        let n = *number.entry(folder).or_insert_with(|| {
            columns.push(HeatGroup {
                id: String::new(),
                label: folder.to_owned(),
                group: folder.split_inclusive('/').next().unwrap_or_default().to_owned(),
                size: 0,
            });
            u32::try_from(columns.len() - 1).unwrap_or(u32::MAX)
        });
        if let Some(column) = columns.get_mut(n as usize) {
            column.size += 1;
        }
        column_of.push(n);
    }
    let used = joined.used();
    let rows = joined.holders.numbered().filter(|(_, h)| h.is_bound());
    let mut rows: Vec<HolderId> = rows.map(|(h, _)| h).collect();
    let omitted = rows.len().saturating_sub(MOST_ROWS) as u64;
    rows.truncate(MOST_ROWS);
    let cells = rows
        .par_iter()
        .enumerate()
        .flat_map_iter(|(row, &h)| {
            let mut cells: BTreeMap<u32, HeatCell> = BTreeMap::new();
            let reach = reach(&joined.current_set(h).acl, &joined.universe);
            for (n, granted) in reach.granted {
                let Some(&column) = column_of.get(n as usize) else {
                    continue;
                };
                let cell = cells.entry(column).or_default();
                let on = used[h].get(joined.universe.path(n)).copied().unwrap_or_default();
                cell.granted += granted.len() as u64;
                cell.used += granted.intersection(on).len() as u64;
            }
            let row = u32::try_from(row).unwrap_or(u32::MAX);
            cells.into_iter().map(move |(column, cell)| ((row, column), cell))
        })
        .collect();
    let rows = rows
        .iter()
        .map(|&h| &joined.holders[h])
        .map(|h| HeatGroup {
            id: h.key(),
            label: h.display().to_owned(),
            group: h.label.clone(),
            size: 1,
        })
        .collect();
    HeatMap {
        rows,
        columns,
        cells,
        omitted,
    }
}

/// The folder that a path is shown under: its parent, at most four segments deep.
fn folder(path: &str) -> &str {
    let parent = path.trim_end_matches('/').rfind('/').map_or(0, |at| at + 1);
    let fourth = path.match_indices('/').nth(3).map_or(path.len(), |(at, _)| at + 1);
    path.get(..parent.min(fourth)).unwrap_or(path)
}
