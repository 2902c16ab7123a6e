//! Who holds what, for the commands that ask about people: from usage, from the deployment, or both.

use super::{Failure, Talk, material};
use crate::access::{self, Inputs, Joined};
use crate::cli::{Granting, Reading};
use crate::deployment::Deployment;
use crate::policy::profile::Profile;
use crate::usage::{Lost, Namespaces};
use jiff::Timestamp;

/// Policies, deployment and usage, joined. Without usage only the deployment tells of holders.
pub(super) fn joined(
    granting: &Granting,
    reading: &Reading,
    profile: Profile,
    talk: &Talk,
) -> Result<(Joined, Option<Deployment>), Failure> {
    let mut granted = material::policies(&granting.policies, granting.policy_names, profile, reading.strict, talk)?;
    let deployment = material::deployment(granting.deployment.as_deref())?;
    let (demands, sets, namespaces) = if reading.logs.is_empty() && reading.usage.is_empty() {
        granted.meant(None, deployment.as_ref(), talk);
        (Vec::new(), Vec::new(), Namespaces::default())
    } else {
        let usage = material::usage(reading, talk)?;
        material::not_empty(&usage)?;
        granted.meant(Some(&usage), deployment.as_ref(), talk);
        (usage.demands(), usage.policy_sets(), usage.namespaces().clone())
    };
    let joined = access::join(Inputs {
        demands,
        sets,
        namespaces: &namespaces,
        lost: &Lost::default(),
        policies: granted.policies,
        deployment: deployment.as_ref(),
        profile,
        now: Some(Timestamp::now().as_second()),
    });
    Ok((joined, deployment))
}
