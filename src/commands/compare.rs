//! `compare`: two sets of policies read, compared, told.

use super::resolve::{Grants, Meant};
use super::{Exit, Failure, Talk, material};
use crate::access::{self, Inputs};
use crate::cli::{CompareArgs, TextOrJson};
use crate::policy::compare::{Holder, Options, compare_policies};
use crate::report::ink::Face;
use crate::report::{comparison, escape};
use crate::usage::Facts;
use jiff::Timestamp;
use std::io::Write;

/// Compares.
pub(super) fn run(args: &CompareArgs, meant: Meant, out: &mut dyn Write, talk: &Talk) -> Result<Exit, Failure> {
    let profile = meant.profile;
    let [old, new] = [&args.old, &args.new].map(|path| meant.side(path, args.policy_names));
    let (old, new) = (old?, new?);
    let deployment = material::deployment(args.deployment.as_deref())?;
    let side = |grants: &Grants| {
        let mut side = material::policies(grants, material::Unusable::Refused, talk)?;
        side.meant(None, deployment.as_ref(), talk);
        Ok::<_, Failure>(side.policies)
    };
    let (old, new) = (side(&old)?, side(&new)?);
    let now = Timestamp::now().as_second();
    let holders: Option<Vec<Holder>> = deployment.as_ref().map(|deployment| {
        let joined = access::join(Inputs {
            facts: Facts::default(),
            policies: Vec::new(),
            deployment: Some(deployment),
            profile,
            now: Some(now),
        });
        if let Some(left_out) = access::compared::left_out(&joined) {
            talk.warn(&left_out);
        }
        access::compared::lists(&joined).collect()
    });
    talk.step("comparing");
    let found = compare_policies(profile, &old, &new, holders.as_deref(), now, Options::default());
    talk.done();
    let text = match args.format {
        TextOrJson::Text => talk.told(&escape::visible_lines(&comparison::text(&found)), Face::Difference),
        TextOrJson::Json => format!("{}\n", comparison::document(&found)),
    };
    out.write_all(text.as_bytes()).map_err(Failure::from_output)?;
    Ok(if found.grants_nothing_new() {
        Exit::Fine
    } else {
        Exit::Findings
    })
}
