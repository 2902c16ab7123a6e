//! Which stanzas of a tightened policy are constrained to the parameters that were sent, until the proof says otherwise.

use super::edit::{Change, NewStanza};
use super::parameters::Asked;
use super::paths::Price;
use crate::access::{Joined, StanzaId};
use crate::policy::model::Stanza;
use crate::policy::pattern::Pattern;
use crate::policy::template::is_templated;
use crate::vault::Capability;
use std::collections::BTreeSet;

/// Which stanzas are constrained to the parameters that were sent.
pub(super) struct Limits<'a> {
    asked: Option<Asked<'a>>,
    stanzas: BTreeSet<StanzaId>,
    given_up: Vec<(String, String)>,
}

impl<'a> Limits<'a> {
    /// None, unless the price list asks for them; else those of `stanzas`.
    pub(super) fn new(joined: &'a Joined, price: &Price, stanzas: BTreeSet<StanzaId>) -> Self {
        Self {
            asked: Asked::new(joined, price.parameters, price.most_parameters),
            stanzas,
            given_up: Vec::new(),
        }
    }

    /// What was given up, with the reason.
    pub(super) fn given_up(self) -> Vec<(String, String)> {
        self.given_up
    }

    /// Whether the stanza may be constrained.
    pub(super) fn is_on(&self, id: StanzaId) -> bool {
        self.asked.is_some() && self.stanzas.contains(&id)
    }

    /// The change, with the constraints where there are any.
    pub(super) fn put(&self, namespace: &str, id: StanzaId, stanza: &Stanza, change: Change) -> Change {
        let Some(asked) = self.asked.as_ref().filter(|_| self.stanzas.contains(&id)) else {
            return change;
        };
        let denies = stanza.capability_set().contains(Capability::Deny);
        if stanza.templated || !stanza.constraints.is_empty() || denies {
            return change;
        }
        let limited = |new: NewStanza| {
            let pattern = Pattern::parse(&new.path, namespace).ok();
            let parameters = pattern
                .filter(|_| !is_templated(&new.path))
                .and_then(|p| asked.of(id, &p, new.capabilities));
            NewStanza { parameters, ..new }
        };
        let whole = |capabilities| {
            limited(NewStanza {
                path: stanza.path.to_string(),
                capabilities,
                comment: Some("Only the parameters that were sent; a log does not tell values.".to_owned()),
                parameters: None,
            })
        };
        match change {
            Change::Replace(new) => Change::Replace(new.into_iter().map(limited).collect()),
            Change::Drop => Change::Drop,
            Change::Keep | Change::Capabilities(_) => {
                let capabilities = match &change {
                    Change::Capabilities(kept) => kept.iter().copied().collect(),
                    _ => stanza.capability_set(),
                };
                let new = whole(capabilities);
                if new.parameters.is_some() {
                    Change::Replace(vec![new])
                } else {
                    change
                }
            }
        }
    }

    /// Lets go of the constraints of a stanza; whether it had any to let go of.
    pub(super) fn give_up(&mut self, joined: &Joined, id: StanzaId, reason: &str) -> bool {
        let held = self.is_on(id) && self.stanzas.remove(&id);
        if held {
            let (stanza, policy) = (&joined.policies[id], &joined.policies[id.policy()]);
            self.given_up.push((
                format!(
                    "constraining parameters of `{}` in policy `{}`",
                    stanza.path, policy.name
                ),
                reason.to_owned(),
            ));
        }
        held
    }
}
