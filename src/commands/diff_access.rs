//! `diff-access`: in what two principals, roles, sets of policies, or days of one principal differ.

use super::asker::{Asker, Known};
use super::{Exit, Failure, Talk, compare, holders};
use crate::cli::{DiffAccessArgs, TextOrJson};
use crate::policy::acl::Acl;
use crate::policy::compare::Options;
use crate::policy::compare::compare_with;
use crate::policy::model::Policy;
use crate::policy::profile::Profile;
use crate::report::escape;
use crate::units;
use jiff::Timestamp;
use std::io::Write;

/// Compares and tells.
pub(super) fn run(args: &DiffAccessArgs, profile: Profile, out: &mut dyn Write, talk: &Talk) -> Result<Exit, Failure> {
    let (joined, deployment) = holders::joined(&args.granting, &args.reading, profile, talk)?;
    let root = Policy::root();
    let known = Known {
        joined: &joined,
        deployment: deployment.as_ref(),
        root: &root,
    };
    let [first, second] = [&args.first, &args.second].map(|typed| asker(&known, typed, talk));
    let (first, second) = (first?, second?);
    let compiled = |asker: &Asker<'_>| Acl::compile(profile, &asker.policies, &asker.identity, joined.now);
    talk.step("comparing");
    let found = compare_with(&compiled(&first), &compiled(&second), Options::default());
    talk.done();
    let text = match args.format {
        TextOrJson::Text => escape::visible_lines(&compare::between(&first.name, &second.name, &found)),
        TextOrJson::Json => format!("{}\n", compare::between_document(&first.name, &second.name, &found)),
    };
    out.write_all(text.as_bytes()).map_err(Failure::from_output)?;
    Ok(Exit::Fine)
}

/// `NAME` of a principal, else of a role, else policies; `principal:`, `role:` or `as:` in front says which. `@DAY` behind a
/// principal takes the policies that it acted with on that day.
fn asker<'p>(known: &Known<'p>, typed: &str, talk: &Talk) -> Result<Asker<'p>, Failure> {
    let list = |names: &str| -> Vec<String> { names.split(',').map(str::to_owned).collect() };
    match typed.split_once(':') {
        Some(("principal", name)) => return principal(known, name, talk),
        Some(("role", name)) => return known.role(name, talk),
        Some(("as", names)) => return known.named(&list(names), "", talk),
        _ => {}
    }
    let first = principal(known, typed, talk);
    let Err(failure) = first else { return first };
    // Several that are called so are no reason to look elsewhere.
    if failure.message.contains("is the name of") || failure.message.contains("did nothing on") {
        return Err(failure);
    }
    known
        .role(typed, talk)
        .or_else(|_| known.named(&list(typed), "", talk))
        .map_err(|_| {
            Failure::new(
                format!("`{typed}` is no principal, no role and no policy that is known"),
                Some("name one as `principal:NAME`, `role:NAME` or `as:POLICY,POLICY`; `--logs` and `--deployment` tell of the first two"),
            )
        })
}

fn principal<'p>(known: &Known<'p>, typed: &str, talk: &Talk) -> Result<Asker<'p>, Failure> {
    let day = typed
        .rsplit_once('@')
        .and_then(|(name, day)| Some((name, units::time(day).ok()?, day)));
    match day {
        Some((name, time, day)) => on_day(known, known.principal(name, talk)?, time, day),
        None => known.principal(typed, talk),
    }
}

/// The policies that a principal acted with on a day, with the text that they have now.
fn on_day<'p>(known: &Known<'p>, asker: Asker<'p>, time: Timestamp, day: &str) -> Result<Asker<'p>, Failure> {
    let number = i32::try_from(time.as_second().div_euclid(86_400)).unwrap_or(i32::MAX);
    let joined = known.joined;
    let demands = joined
        .demands
        .iter()
        .filter(|d| Some(d.holder) == asker.holder && d.demand.days.contains(&number));
    let mut policies: Vec<usize> = demands
        .flat_map(|d| joined.sets[d.set].policies.iter().copied())
        .collect();
    policies.sort_unstable();
    policies.dedup();
    if policies.is_empty() {
        return Err(Failure::new(
            format!("`{}` did nothing on {day}", asker.name),
            Some("days are told by logs: `--logs` or `--usage`"),
        ));
    }
    Ok(Asker {
        name: format!("{} on {day}", asker.name),
        policies: policies.into_iter().filter_map(|p| joined.policies.get(p)).collect(),
        ..asker
    })
}
