//! What somebody would gain by a proposal who may log in with a list of policies that nobody was seen with.

use super::draft::Draft;
use crate::access::{Joined, PolicyNumber, StanzaId};
use crate::policy::acl::Acl;
use crate::policy::compare::{self, Verdict};
use crate::policy::model::Policy;
use crate::policy::table::stanza_in;
use crate::vault::Operation;

/// What would be gained.
pub(super) struct Gain {
    /// By which request; none where the comparison was not finished.
    request: Option<(String, Operation)>,
    /// In words.
    pub(super) reason: String,
}

/// What a list would gain by these drafts.
pub(super) fn gain<'d>(joined: &Joined, list: usize, draft: &impl Fn(PolicyNumber) -> &'d Draft) -> Option<Gain> {
    let one = joined.unseen.uncompared.get(list)?;
    if one.policies.iter().all(|&p| !draft(p).changed) {
        return None;
    }
    let drafted: Vec<&Policy> = one.policies.iter().filter_map(|&p| draft(p).policy.as_ref()).collect();
    let mut stanzas = drafted.iter().flat_map(|policy| &policy.stanzas);
    let templated = stanzas.any(|stanza| stanza.templated);
    let today = || one.acl(&joined.policies, (joined.profile, joined.now));
    one.compared_for(templated).iter().find_map(|(name, identity)| {
        let after = Acl::compile(joined.profile, &drafted, identity, joined.now);
        match compare::grants_nothing_new(today(), &after, compare::Options::default()) {
            Verdict::Proven => None,
            Verdict::Witness(difference) => Some(Gain {
                reason: format!(
                    "`{name}` would gain {} on `{}`",
                    difference.asked.operation, difference.asked.path
                ),
                request: Some((difference.asked.path.clone(), difference.asked.operation)),
            }),
            Verdict::Undecided(reason) => Some(Gain {
                request: None,
                reason: format!("the proof for `{name}` could not be finished: {reason}"),
            }),
        }
    })
}

/// The stanzas that may be to blame: first those that decide the request today, then all of the list.
pub(super) fn suspects(joined: &Joined, list: usize, gain: &Gain) -> Vec<Vec<StanzaId>> {
    let Some(one) = joined.unseen.uncompared.get(list) else {
        return Vec::new();
    };
    let request = gain.request.as_ref();
    let today = one.acl(&joined.policies, (joined.profile, joined.now));
    let rule = request.and_then(|(path, operation)| today.rule(today.winner(*operation, path)?));
    let sources = rule.into_iter().flat_map(|rule| &rule.sources);
    let deciding: Vec<StanzaId> = sources.map(|source| stanza_in(&one.policies, source)).collect();
    let all = one.policies.iter().flat_map(|&p| joined.policies.stanzas_of(p));
    vec![deciding, all.collect()]
}
