//! `diff-access`: in what two principals, roles, sets of policies, or days of one principal differ.

use super::asker::{self, Asker, AskerError, Known};
use super::holders::Holding;
use super::resolve::Meant;
use super::{Exit, Failure, Talk, holders};
use crate::access::Joined;
use crate::cli::{DiffAccessArgs, TextOrJson};
use crate::deployment::Deployment;
use crate::hint::Hint;
use crate::policy::acl::Acl;
use crate::policy::compare::Options;
use crate::policy::compare::compare_with;
use crate::policy::model::Policy;
use crate::report::ink::Face;
use crate::report::{comparison, escape};
use crate::units;
use crate::vault::PolicyId;
use jiff::Timestamp;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::Write;

/// Compares and tells.
pub(super) fn run(args: &DiffAccessArgs, meant: Meant, out: &mut dyn Write, talk: &Talk) -> Result<Exit, Failure> {
    let typed = [args.first.as_str(), args.second.as_str()];
    let days = typed.map(Day::of);
    let profile = meant.profile;
    if let Some(day) = days.iter().flatten().next()
        && (args.reading.logs.is_empty() || !args.reading.usage.is_empty())
    {
        return Err(day.alone().into());
    }
    let holding = Holding::of(&args.granting, &args.reading, &meant, talk)?;
    // What was held on a day is what the log of that day tells; all else is asked of everything.
    let whole = match days {
        [Some(_), Some(_)] => None,
        _ => Some(holders::joined(&holding, talk)?),
    };
    let of_day = |day: &Option<Day<'_>>| day.as_ref().map(|day| day.world(&holding, talk)).transpose();
    let [first_day, second_day] = [of_day(&days[0])?, of_day(&days[1])?];
    let root = Policy::root();
    let (Some(first_world), Some(second_world)) = (
        first_day.as_ref().or(whole.as_ref()),
        second_day.as_ref().or(whole.as_ref()),
    ) else {
        // INVARIANT: everything is read where somebody is asked for without a day.
        return Err(DiffError::NothingRead.into());
    };
    let (first_known, second_known) = (known(first_world, &root), known(second_world, &root));
    let [first, second] = [
        asker(&first_known, typed[0], days[0].as_ref(), talk)?,
        asker(&second_known, typed[1], days[1].as_ref(), talk)?,
    ];
    let compiled = |asker: &Asker<'_>, known: &Known<'_>| {
        Acl::compile(profile, &asker.policies, &asker.identity, known.joined.now)
    };
    talk.step("comparing");
    let found = compare_with(
        &compiled(&first, &first_known),
        &compiled(&second, &second_known),
        Options::default(),
    );
    talk.done();
    let text = match args.format {
        TextOrJson::Text => talk.told(
            &escape::visible_lines(&comparison::between(&first.name, &second.name, &found)),
            Face::Difference,
        ),
        TextOrJson::Json => format!("{}\n", comparison::between_document(&first.name, &second.name, &found)),
    };
    out.write_all(text.as_bytes()).map_err(Failure::from_output)?;
    Ok(Exit::Fine)
}

/// What was read, of a day or of all of them.
type World = (Joined, Option<Deployment>);

fn known<'p>((joined, deployment): &'p World, root: &'p Policy) -> Known<'p> {
    Known {
        joined,
        deployment: deployment.as_ref(),
        root,
    }
}

/// A principal on a day: `NAME@DAY`.
struct Day<'t> {
    name: &'t str,
    day: &'t str,
    start: Timestamp,
}

impl<'t> Day<'t> {
    fn of(typed: &'t str) -> Option<Self> {
        if typed.starts_with("role:") || typed.starts_with("as:") {
            return None;
        }
        let (name, day) = typed.strip_prefix("principal:").unwrap_or(typed).rsplit_once('@')?;
        let second = units::time(day).ok()?.as_second();
        let start = Timestamp::from_second(second - second.rem_euclid(86_400)).ok()?;
        Some(Self { name, day, start })
    }

    /// What the log of the day tells.
    fn world(&self, holding: &Holding, talk: &Talk) -> Result<World, Failure> {
        let end = self.start.as_nanosecond() + 86_400_000_000_000 - 1;
        let of_day = holding.during(self.start, Timestamp::from_nanosecond(end).ok());
        holders::joined(&of_day, talk).map_err(|failure| match failure.exit {
            Exit::NoRecord => self.idle().into(),
            _ => failure,
        })
    }

    fn alone(&self) -> DiffError {
        DiffError::LogsAlone {
            name: self.name.to_owned(),
            day: self.day.to_owned(),
        }
    }

    fn idle(&self) -> DiffError {
        DiffError::Idle {
            name: self.name.to_owned(),
            day: self.day.to_owned(),
        }
    }

    /// The principal with all policies that it acted with on the day, in the words that they have now.
    fn asker<'p>(&self, known: &Known<'p>, talk: &Talk) -> Result<Asker<'p>, Failure> {
        let joined = known.joined;
        let number = asker::find(joined, self.name).map_err(|error| match error {
            AskerError::NoPrincipal(_) => self.idle().into(),
            error => Failure::from(error),
        })?;
        let holder = &joined.holders[number];
        if !holder.is_active() {
            return Err(self.idle().into());
        }
        let name = format!("{} on {}", holder.display(), self.day);
        let acted: BTreeSet<&PolicyId> = holder.sets.iter().flat_map(|set| set.policies.iter()).collect();
        if holder.sets.len() > 1 {
            talk.note(&format!(
                "{name} acted with {} sets of policies: they are taken together",
                holder.sets.len()
            ));
        }
        let mut policies = Vec::new();
        for id in acted {
            match joined.policies.iter().find(|policy| policy.id() == *id) {
                Some(policy) => policies.push(policy),
                None if id.is_root() => {}
                None => talk.warn(&format!(
                    "policy `{id}` of {name} was not read: the answer leaves it out"
                )),
            }
        }
        if joined.acts_as_root(number) && policies.iter().all(|policy| !policy.is_root()) {
            policies.push(known.root);
        }
        Ok(Asker {
            name,
            policies,
            identity: holder.identity.clone(),
            holder: Some(number),
        })
    }
}

/// `NAME` of a principal, else of a role, else policies; `principal:`, `role:` or `as:` in front says which.
fn asker<'p>(known: &Known<'p>, typed: &str, day: Option<&Day<'_>>, talk: &Talk) -> Result<Asker<'p>, Failure> {
    if let Some(day) = day {
        return day.asker(known, talk);
    }
    let list = |names: &str| -> Vec<String> { names.split(',').map(str::to_owned).collect() };
    match typed.split_once(':') {
        Some(("principal", name)) => return Ok(known.principal(name, talk)?),
        Some(("role", name)) => return Ok(known.role(name, talk)?),
        Some(("as", names)) => return Ok(known.named(&list(names), "", talk)?),
        _ => {}
    }
    let first = known.principal(typed, talk);
    // Several that are called so are no reason to look elsewhere.
    if !matches!(first, Err(AskerError::NoPrincipal(_))) {
        return Ok(first?);
    }
    known
        .role(typed, talk)
        .or_else(|_| known.named(&list(typed), "", talk))
        .map_err(|_| DiffError::Unknown(typed.to_owned()).into())
}

/// Why two sides cannot be compared.
#[derive(Debug, thiserror::Error)]
enum DiffError {
    /// There is no side.
    #[error("nothing was read")]
    NothingRead,
    /// A day, without logs.
    #[error("what `{name}` acted with on {day} is told by logs alone")]
    LogsAlone { name: String, day: String },
    /// A day on which it did nothing.
    #[error("`{name}` did nothing on {day}")]
    Idle { name: String, day: String },
    /// Nobody is called so.
    #[error("`{0}` is not a principal, role or policy that is known")]
    Unknown(String),
}

impl Hint for DiffError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::NothingRead => None,
            Self::LogsAlone { .. } => Some(Cow::Borrowed(
                "name audit logs with `--logs`: stored usage keeps the last policies of each demand",
            )),
            Self::Idle { .. } => Some(Cow::Borrowed(
                "`usage --since DAY --until DAY` lists who did something, and what",
            )),
            Self::Unknown(..) => Some(Cow::Borrowed(
                "name one as `principal:NAME`, `role:NAME` or `as:POLICY,POLICY`; `--logs` and `--deployment` tell of the first two",
            )),
        }
    }
}
