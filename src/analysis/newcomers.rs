//! Who may come with policies that nobody is seen with: by tokens and by places of which neither the log nor the deployment says what
//! they give.

use super::lately::writes_of_places;
use super::window::{EvidenceSettings, Watch};
use crate::access::{HandedOut, Joined, JoinedDemand, Outcome};
use crate::deployment::required;
use crate::units::number;
use crate::vault::{PolicyId, PrincipalKind, path};
use jiff::Timestamp;

/// What is known of those who were not seen.
pub struct Newcomers<'a> {
    handed_out: Option<&'a HandedOut>,
    /// Why somebody may have any policy; none where that is ruled out.
    any: Option<String>,
}

impl<'a> Newcomers<'a> {
    /// Of what is joined; `last` is when the logs end.
    #[must_use]
    pub fn of(joined: &'a Joined, watch: &Watch, settings: &EvidenceSettings, last: Option<Timestamp>) -> Self {
        let handed_out = joined.handed_out.as_ref();
        let is_complete = handed_out.is_some_and(HandedOut::is_complete);
        // Whoever comes by what is not known comes within such a time.
        let is_short = watch.days() < settings.dormant_days;
        let any = match handed_out {
            Some(known) if !known.whole => Some(
                "not everything that hands out policies could be read, and what is missing may hand it out".to_owned(),
            ),
            Some(HandedOut {
                left_out: Some(what), ..
            }) if is_short => Some(format!("the deployment leaves out {what}, which may hand it out")),
            None if is_short => {
                Some("no deployment was given: a role that nobody used in the window may hand it out".to_owned())
            }
            _ => None,
        };
        let any = any
            .or_else(|| untold_children(joined))
            .or_else(|| (!is_complete).then(|| untold_logins(joined))?)
            .or_else(|| written(joined, watch, settings, last));
        Self { handed_out, any }
    }

    /// Why a policy that nobody is known to hold may be needed; none where it is not.
    #[must_use]
    pub fn why_may_have(&self, policy: &PolicyId) -> Option<String> {
        let names = self.handed_out.is_some_and(|known| known.names(policy));
        if names {
            return Some("a role or group of the deployment hands it out".to_owned());
        }
        self.any.clone()
    }

    /// Whether this policy is given to others than those who are known to hold it.
    #[must_use]
    pub fn are_given(&self, policy: &PolicyId) -> bool {
        self.handed_out.is_some_and(|known| known.gives_to_others(policy))
    }

    /// Whether somebody may get this policy whom a change of what known holders get does not reach.
    #[must_use]
    pub fn may_have(&self, policy: &PolicyId) -> bool {
        let is_open = self.any.is_some() || self.handed_out.is_some_and(|known| known.left_out.is_some());
        is_open || self.handed_out.is_some_and(|known| known.names_besides(policy))
    }
}

/// Tokens that were made with others and of which the log does not say what they hold, by whoever may give them more than his own.
fn untold_children(joined: &Joined) -> Option<String> {
    let may_give_any = |d: &&JoinedDemand| {
        let is_root = joined.holders[d.holder].principal.kind == PrincipalKind::Root;
        is_root || d.needs_sudo || d.outcome == Outcome::NotExplained || by_unknown_role(joined, d)
    };
    let mut makers = joined
        .demands
        .iter()
        .filter(|d| d.was_allowed() && path::makes_a_child(&d.demand.path));
    let maker = makers.find(may_give_any).filter(|_| joined.gaps.untold.children > 0)?;
    Some(format!(
        "`{}` made tokens whose policies the log does not show: this may be one of them",
        joined.holders[maker.holder].display()
    ))
}

/// Whether a token was made by a token role that the deployment does not tell of: what such a one allows may be more than its caller has.
fn by_unknown_role(joined: &Joined, d: &JoinedDemand) -> bool {
    let Some(role) = d
        .demand
        .path
        .strip_prefix("auth/token/create/")
        .filter(|role| !role.is_empty())
    else {
        return false;
    };
    let place = format!("auth/token/roles/{}", role.trim_end_matches('/'));
    let handed_out = joined.handed_out.as_ref();
    !handed_out.is_some_and(|known| known.lists(&d.demand.namespace, &place))
}

/// Logins of which the log does not say whom they let in.
fn untold_logins(joined: &Joined) -> Option<String> {
    let logins = joined.gaps.untold.logins;
    (logins > 0).then(|| {
        format!(
            "the log does not show who came in by {}: one of them may hold it",
            match logins {
                1 => "1 login".to_owned(),
                n => format!("{} logins", number(n)),
            }
        )
    })
}

/// Something that hands out policies was written so lately that nobody has to have come by it, and nothing says what it gives.
fn written(joined: &Joined, watch: &Watch, settings: &EvidenceSettings, last: Option<Timestamp>) -> Option<String> {
    let is_late = |at| last.is_none_or(|last| watch.days_since(at, last) < settings.dormant_days);
    let stated = settings.deployment_as_of;
    let is_of_late = |d: &&JoinedDemand| d.demand.last_seen.is_none_or(is_late);
    let unlisted = |d: &JoinedDemand| match (&joined.handed_out, required::written_place(&d.demand.path)?) {
        // The deployment may be older, also where it has something of that name.
        (Some(known), place) => {
            let (namespace, last) = (&d.demand.namespace, d.demand.last_seen);
            let is_listed = place.is_none_or(|place| known.lists(namespace, place));
            let is_current =
                |at| known.is_after(at) || (is_listed && known.is_as_new_as(namespace, &d.demand.path, at));
            let is_known = last.is_some_and(|at| is_current(at) || stated.is_some_and(|as_of| at < as_of));
            (!is_known).then(|| d.path.clone())
        }
        (None, _) => Some(d.path.clone()),
    };
    let place = writes_of_places(joined).filter(is_of_late).find_map(unlisted)?;
    Some(format!(
        "`{place}` was written, and nothing says which policies it hands out: this may be one of them"
    ))
}
