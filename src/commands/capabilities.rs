//! `capabilities`: all that somebody may do, pattern by pattern, or as one policy.

use super::asker::{Asker, Known};
use super::holders::Holding;
use super::resolve::Meant;
use super::{Exit, Failure, Talk, holders};
use crate::access::{Joined, StanzaId};
use crate::cli::{CapabilitiesArgs, TextOrJson};
use crate::hint::Hint;
use crate::policy::acl::Acl;
use crate::policy::effective::{self, Row};
use crate::policy::model::Policy;
use crate::policy::pattern::{Pattern, PatternError};
use crate::policy::profile::Profile;
use crate::policy::who_can::Target;
use crate::report::ink::Face;
use crate::report::{digest, escape};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write;

/// Looks and tells.
pub(super) fn run(args: &CapabilitiesArgs, meant: Meant, out: &mut dyn Write, talk: &Talk) -> Result<Exit, Failure> {
    let profile = meant.profile;
    let typed = holders::path_meant(args.path.as_deref().unwrap_or_default(), talk);
    let below = below(typed)?;
    let holding = Holding::of(&args.granting, &args.reading, &meant, talk)?;
    let (joined, deployment) = holders::joined(&holding, talk)?;
    let root = Policy::root();
    let known = Known {
        joined: &joined,
        deployment: deployment.as_ref(),
        root: &root,
    };
    let asker = known.asker(&args.asking, typed, talk)?;
    let acl = Acl::compile(profile, &asker.policies, &asker.identity, joined.now);
    let uses = holding.usage.is_some().then(|| uses(&joined, &asker, &acl));
    let rows = effective::rows(&acl, below.as_ref());
    let text = if args.hcl {
        hcl(&asker, &acl, below.as_ref(), uses.as_ref(), profile)?
    } else {
        match args.format {
            TextOrJson::Text => {
                let text = text(&asker, &acl, &rows, uses.as_ref(), profile);
                talk.told(&text, Face::List)
            }
            TextOrJson::Json => {
                let rows: Vec<Value> = rows.iter().map(|row| with_use(row, uses.as_ref())).collect();
                let document = json!({
                    "version": 1,
                    "server": profile.to_string(),
                    "asker": asker.name,
                    "root": acl.is_root(),
                    "rows": rows,
                });
                format!("{document}\n")
            }
        }
    };
    out.write_all(text.as_bytes()).map_err(Failure::from_output)?;
    Ok(Exit::Fine)
}

/// What the prefix, or pattern, matches; none for everything.
fn below(typed: &str) -> Result<Option<Pattern>, CapabilitiesError> {
    if typed.is_empty() {
        return Ok(None);
    }
    let target = Target::parse(typed).map_err(CapabilitiesError::Path)?;
    Ok(Some(match target {
        Target::Below(pattern) => pattern,
        Target::Path(path) => Pattern {
            text: path.into(),
            prefix: true,
            segment_wildcards: false,
        },
    }))
}

/// How often, and when last, something was done through a pattern.
#[derive(Debug, Clone, Copy, Default)]
struct Use {
    requests: u64,
    last: Option<Timestamp>,
}

/// By rule: of a principal its own use, of policies anybody's.
fn uses(joined: &Joined, asker: &Asker<'_>, acl: &Acl) -> HashMap<usize, Use> {
    let mut found: HashMap<usize, Use> = HashMap::new();
    let mut add = |rule: usize, requests: u64, last: Option<Timestamp>| {
        let place = found.entry(rule).or_default();
        place.requests += requests;
        place.last = place.last.max(last);
    };
    if let Some(holder) = asker.holder {
        for demand in joined.demands.iter().filter(|d| d.holder == holder && d.was_allowed()) {
            if let Some(id) = acl.winner(demand.operation(), &demand.path) {
                add(id.index(), demand.demand.allowed, demand.demand.last_seen);
            }
        }
        return found;
    }
    let number = |policy: &Policy| joined.policies.position(|p| std::ptr::eq(p, policy));
    for (id, rule) in acl.rules_with_ids() {
        for source in &rule.sources {
            let stanza: Option<StanzaId> = asker
                .policies
                .get(source.policy)
                .and_then(|policy| joined.policies.stanza(number(policy)?, source.stanza));
            for used in stanza
                .and_then(|id| joined.uses.get(&id))
                .into_iter()
                .flat_map(|by| by.values())
            {
                add(id.index(), used.requests, used.last);
            }
        }
    }
    found
}

fn with_use(row: &Row, uses: Option<&HashMap<usize, Use>>) -> Value {
    let mut value = json!(row);
    if let (Some(object), Some(uses)) = (value.as_object_mut(), uses) {
        let used = uses.get(&row.rule.index()).copied().unwrap_or_default();
        object.insert("requests".to_owned(), json!(used.requests));
        object.insert("last_used".to_owned(), json!(used.last.map(|t| t.to_string())));
    }
    value
}

/// When a pattern was used last, in words.
fn used_words(row: &Row, uses: &HashMap<usize, Use>) -> String {
    match uses.get(&row.rule.index()) {
        Some(Use {
            requests,
            last: Some(last),
        }) => format!(
            "{}, last on {}",
            digest::count(*requests, "request", "requests"),
            last.strftime("%Y-%m-%d")
        ),
        _ => "not used in what was seen".to_owned(),
    }
}

fn text(asker: &Asker<'_>, acl: &Acl, rows: &[Row], uses: Option<&HashMap<usize, Use>>, profile: Profile) -> String {
    let mut out = String::new();
    let name = escape::terminal(&asker.name);
    // Writing into a string cannot fail.
    if acl.is_root() {
        let _ = writeln!(out, "{name} may do everything (root)");
        return out;
    }
    if rows.is_empty() {
        let _ = writeln!(out, "{name} may do nothing there, on {profile}");
        return out;
    }
    let _ = writeln!(out, "{name} may, on {profile}:\n");
    let path = |row: &Row| escape::terminal(&row.path);
    let capabilities = |row: &Row| match row.capabilities.as_slice() {
        [] => "nothing".to_owned(),
        words => words.join(", "),
    };
    let width = |text: &dyn Fn(&Row) -> String| rows.iter().map(|r| text(r).chars().count()).max().unwrap_or(0);
    let (first, second) = (width(&path), width(&capabilities));
    for row in rows {
        let through: Vec<String> = row
            .through
            .iter()
            .map(|t| format!("{} ({})", t.policy, t.origin))
            .collect();
        let _ = write!(
            out,
            "  {:first$}  {:second$}  {}",
            path(row),
            capabilities(row),
            escape::terminal(&through.join(", "))
        );
        if row.constrained {
            out.push_str(", under constraints");
        }
        if let Some(master) = &row.decided_by {
            let _ = write!(out, ", never decides: `{}` is stronger", escape::terminal(master));
        } else if let Some(uses) = uses {
            let _ = write!(out, ", {}", used_words(row, uses));
        }
        out.push('\n');
    }
    if !acl.skips().is_empty() {
        let _ = writeln!(out, "\nnot in force:");
    }
    for skip in acl.skips() {
        let policy = acl.policies().get(skip.policy).map(|p| &*p.name).unwrap_or_default();
        let _ = writeln!(
            out,
            "  {} (policy {}): {}",
            escape::terminal(&skip.origin.to_string()),
            escape::terminal(policy),
            escape::terminal(&skip.reason.to_string())
        );
    }
    out
}

fn hcl(
    asker: &Asker<'_>,
    acl: &Acl,
    below: Option<&Pattern>,
    uses: Option<&HashMap<usize, Use>>,
    profile: Profile,
) -> Result<String, Failure> {
    if acl.is_root() {
        return Err(CapabilitiesError::Root(asker.name.clone()).into());
    }
    let one_line = |text: &str| text.replace(['\n', '\r'], " ");
    let namespace = effective::common_namespace(acl);
    let place = if namespace.is_empty() {
        String::new()
    } else {
        format!(", in namespace {namespace}")
    };
    let mut out = format!(
        "# All that {} may do{place}, on {profile}.\n\n",
        one_line(&escape::terminal(&asker.name))
    );
    out.push_str(&effective::policy(acl, below, |row| {
        let mut lines: Vec<String> = vec![
            row.through
                .iter()
                .map(|t| format!("{} ({})", t.policy, t.origin))
                .collect::<Vec<_>>()
                .join(", "),
        ];
        if let Some(master) = &row.decided_by {
            lines.push(format!("never decides: {master} is stronger"));
        } else if let Some(uses) = uses {
            lines.push(used_words(row, uses));
        }
        lines
    }));
    Ok(out)
}

/// Why capabilities cannot be told as asked.
#[derive(Debug, thiserror::Error)]
enum CapabilitiesError {
    /// Where.
    #[error(transparent)]
    Path(PatternError),
    /// All of them, as one policy.
    #[error("`{0}` holds the root policy, which no text can say")]
    Root(String),
}

impl Hint for CapabilitiesError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Path(..) => Some(Cow::Borrowed("`--path` is a prefix, or a pattern")),
            Self::Root(..) => Some(Cow::Borrowed("leave `--hcl` out")),
        }
    }
}
