//! What people keep: what the settings protect, and what somebody answers for by a waiver. It is neither found nor taken away.

use super::analysis::Analysis;
use super::place::{Places, Spot};
use super::waiver::{self, Waiver};
use crate::access::{Holder, Joined, PolicyNumber, StanzaId};
use crate::advice::Finding;
use crate::index::IndexVec;
use crate::optimize::tighten::Missed;
use crate::policy::model::Policy;
use crate::report::digest::count;
use crate::settings::Settings;
use crate::settings::decisions::About;
use crate::vault::{glob, name};
use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Stanzas that are kept, with the reason, and policies that are not to be deleted.
type Kept = (BTreeMap<StanzaId, Arc<str>>, BTreeSet<PolicyNumber>);

/// The waivers in force.
pub(super) struct Waivers {
    waivers: Vec<Waiver>,
    places: Places,
    today: Date,
}

impl Waivers {
    /// Those of the settings and beside the stanzas whose last day is not past.
    pub(super) fn of(joined: &Joined, settings: &Settings, today: Date) -> Self {
        let (mut waivers, mut invalid) = waiver::of_settings(settings);
        for n in joined.policies.ids() {
            waiver::of_policy(&joined.policies, n, &mut waivers, &mut invalid);
        }
        waivers.retain(|waiver| !waiver.is_expired(today));
        Self {
            waivers,
            places: Places::new(&joined.policies),
            today,
        }
    }

    /// Whether there is none.
    pub(super) const fn is_empty(&self) -> bool {
        self.waivers.is_empty()
    }

    /// The waiver that answers for a finding.
    pub(super) fn of_finding(&self, finding: &Finding) -> Option<&Waiver> {
        self.waivers.iter().find(|waiver| waiver.covers(finding, &self.places))
    }

    /// What these findings are about, as far as a waiver answers for them, with who does.
    fn spots<'a>(&'a self, joined: &'a Joined, findings: &'a [Finding]) -> impl Iterator<Item = (Spot, Arc<str>)> + 'a {
        findings.iter().flat_map(move |finding| {
            let waiver = self.of_finding(finding);
            let why = waiver.map(|waiver| -> Arc<str> {
                Arc::from(format!(
                    "{} answers for it until {} (waiver)",
                    waiver.owner, waiver.expires
                ))
            });
            let about = why.is_some() && finding.subject.kind == "principal";
            let holder = joined
                .holders
                .position(|holder| about && holder.key() == finding.subject.key);
            let held = joined
                .held
                .numbered()
                .filter(move |(_, held)| holder.is_some_and(|h| held.by.contains(&h)));
            let held = held.map(|(policy, _)| Spot { policy, stanza: None });
            let spots: Vec<Spot> = self.places.of_finding(finding).chain(held).collect();
            why.into_iter()
                .flat_map(move |why| spots.clone().into_iter().map(move |spot| (spot, why.clone())))
        })
    }
}

/// Keeps, in what is analysed, what is protected and what a waiver answers for; says what a reader should know of it.
pub(super) fn keep(analysis: &mut Analysis<'_>, settings: &Settings, waivers: &Waivers) -> Vec<String> {
    let found = if waivers.is_empty() {
        Vec::new()
    } else {
        // What waivers may be about: the findings before anything is kept or proposed.
        analysis.findings(&settings.rules, None)
    };
    let waived = found.iter().filter(|finding| waivers.of_finding(finding).is_some());
    let waived = waived.count();
    let (stanzas, policies) = kept(&analysis.joined, settings, waivers, &found);
    let mut notes = Vec::new();
    let idle = idle_protections(&analysis.joined, &settings.protect);
    if !idle.is_empty() {
        let idle: Vec<String> = idle.into_iter().map(|entry| format!("`{entry}`")).collect();
        notes.push(format!(
            "These entries of `protect` match no policy, group, entity or other holder that was read, and protect nothing: {}.",
            idle.join(", ")
        ));
    }
    if waived > 0 {
        notes.push(format!(
            "{}.",
            count(
                waived as u64,
                "finding is waived: it is not shown, and what it is about is not taken away",
                "findings are waived: they are not shown, and what they are about is not taken away"
            )
        ));
    }
    if !stanzas.is_empty() {
        notes.push(format!(
            "{}.",
            count(
                stanzas.len() as u64,
                "stanza stays as it is because the settings protect it, a decision keeps it, or a waiver answers for it",
                "stanzas stay as they are because the settings protect them, a decision keeps them, or a waiver answers for them"
            )
        ));
    }
    if !policies.is_empty() {
        analysis.keep(stanzas, &policies);
    }
    notes
}

/// What is kept: stanzas with the reason, and policies that are not to be deleted.
fn kept(joined: &Joined, settings: &Settings, waivers: &Waivers, findings: &[Finding]) -> Kept {
    let mut kept: BTreeMap<StanzaId, Arc<str>> = BTreeMap::new();
    let mut policies: BTreeSet<PolicyNumber> = BTreeSet::new();
    let protected: Arc<str> = Arc::from("the settings protect it");
    let by_settings = protected_policies(joined, &settings.protect).into_iter();
    let by_settings = by_settings.map(|policy| (Spot { policy, stanza: None }, protected.clone()));
    let decided = decided(&waivers.places, settings, waivers.today);
    let all: Vec<(Spot, Arc<str>)> = by_settings
        .chain(decided)
        .chain(waivers.spots(joined, findings))
        .collect();
    for (spot, why) in all {
        policies.insert(spot.policy);
        let stanzas = joined.policies.stanzas_of(spot.policy);
        for id in stanzas.filter(|&id| spot.stanza.is_none_or(|only| only == id)) {
            kept.entry(id).or_insert_with(|| why.clone());
        }
    }
    (kept, policies)
}

/// What somebody decided to keep.
fn decided<'a>(places: &'a Places, settings: &'a Settings, today: Date) -> impl Iterator<Item = (Spot, Arc<str>)> + 'a {
    let hold = settings.decisions.iter();
    let hold = hold.filter(move |decision| decision.hides() && !decision.is_expired(today));
    hold.flat_map(move |decision| {
        let why: Arc<str> = Arc::from(decision.sentence());
        let spots: Vec<Spot> = match &decision.about {
            About::Grant(policy, path) => places.named(policy, path.as_deref()).collect(),
            About::Finding(_) => Vec::new(),
        };
        spots.into_iter().map(move |spot| (spot, why.clone()))
    })
}

/// What was taken away and missed, whether or not it is still kept for that.
pub(super) fn missed(settings: &Settings) -> Vec<Missed> {
    let given = settings.decisions.iter().flat_map(|decision| {
        let About::Grant(to, Some(path)) = &decision.about else {
            return Vec::new();
        };
        let missed = decision.missed.iter().map(|missed| Missed {
            capability: missed.capability,
            policy: missed.policy.clone(),
            stanza: missed.path.clone(),
            to: to.clone(),
            path: path.clone(),
        });
        missed.collect()
    });
    given.collect()
}

/// What decisions say, for whoever reads the report.
pub(super) fn told(settings: &Settings, today: Date) -> Vec<String> {
    let mut notes = Vec::new();
    for decision in &settings.decisions {
        match (decision.hides(), decision.is_expired(today)) {
            (true, false) => notes.push(format!("Decided, and not shown: {}.", decision.sentence())),
            (false, false) => notes.push(format!("Decided: {}.", decision.sentence())),
            (false, true) => notes.push(format!("Overdue: {}.", decision.sentence())),
            // It is shown again by itself.
            (true, true) => {}
        }
    }
    notes
}

/// Whether an entry of `protect` means a holder of this name: in small letters, as servers read them; a `*` at its end stands for any rest.
fn is_meant(entry: &str, name: &str) -> bool {
    glob::is_named(&name::policy(entry), &name::policy(name))
}

/// What a holder is called, in an entry of `protect` as well.
fn names_of(holder: &Holder) -> impl Iterator<Item = &str> {
    let places = holder
        .assigned
        .iter()
        .filter(|place| matches!(place.kind.as_str(), "group" | "entity"));
    let entity = holder.identity.entity.as_ref().map(|entity| entity.name.as_str());
    places
        .map(|place| place.name.as_str())
        .chain(entity)
        .chain([&*holder.principal.id, holder.display()])
}

/// The entries of `protect` that mean nothing of what was read.
fn idle_protections<'a>(joined: &Joined, protect: &'a [String]) -> Vec<&'a str> {
    let means_any = |entry: &&String| {
        let policies = joined.policies.iter().map(Policy::id);
        let mut policies = policies.chain(joined.not_read.held.keys().cloned());
        policies.any(|id| id.is_meant_by(entry))
            || joined
                .holders
                .iter()
                .any(|holder| is_meant(entry, &holder.key()) || names_of(holder).any(|name| is_meant(entry, name)))
    };
    protect
        .iter()
        .filter(|entry| !means_any(entry))
        .map(String::as_str)
        .collect()
}

/// The policies that the settings protect: by their name, by a group that hands them out, or by who holds them.
fn protected_policies(joined: &Joined, protect: &[String]) -> BTreeSet<PolicyNumber> {
    let mut found = BTreeSet::new();
    if protect.is_empty() {
        return found;
    }
    let is = |text: &str| protect.iter().any(|name| is_meant(name, text));
    let of_holder = |holder: &Holder| is(&holder.key()) || names_of(holder).any(is);
    let holders: IndexVec<Holder, bool> = joined.holders.map(|holder| of_holder(holder));
    for (n, policy) in joined.policies.numbered() {
        let by_holder = joined.held[n].by.iter().any(|&holder| holders[holder]);
        let id = policy.id();
        if by_holder || protect.iter().any(|entry| id.is_meant_by(entry)) {
            found.insert(n);
        }
    }
    found
}
