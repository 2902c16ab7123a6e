//! The explanation as a person reads it.

use super::change::Change;
use super::tell::{Explanation, RuleView};
use crate::shown::line;
use std::fmt::{self, Display, Formatter};

impl Display for Explanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let verdict = if self.allowed { "allowed" } else { "denied" };
        line(
            f,
            format_args!("{verdict}: {} of `{}` on {}", self.operation, self.path, self.server),
        )?;
        line(f, format_args!("  why: {}", self.why))?;
        if self.needs_sudo {
            line(
                f,
                format_args!("  note: this path is root-protected: the winning stanza needs `sudo` besides"),
            )?;
        }
        if let Some(winner) = &self.winner {
            rule(f, "winner", winner)?;
        }
        for beaten in &self.beaten {
            rule(f, "beaten", &beaten.rule)?;
            let allow = if beaten.would_allow && !self.allowed {
                "; it would have allowed this"
            } else {
                ""
            };
            line(f, format_args!("    because {}{allow}", beaten.because))?;
        }
        if let Some(nearest) = &self.nearest {
            rule(f, "nearest", &nearest.rule)?;
            if let Some(hint) = &nearest.hint {
                line(f, format_args!("    hint: {hint}"))?;
            }
        }
        for skipped in &self.not_in_force {
            line(
                f,
                format_args!(
                    "  not in force: {} (policy `{}`): {}",
                    skipped.origin, skipped.policy, skipped.because
                ),
            )?;
        }
        if !self.changes.is_empty() {
            line(f, format_args!("  to allow it, the smallest change first:"))?;
        }
        for change in &self.changes {
            line(f, format_args!("    - {change}"))?;
        }
        Ok(())
    }
}

fn rule(f: &mut Formatter<'_>, role: &str, rule: &RuleView) -> fmt::Result {
    line(
        f,
        format_args!("  {role}: `{}` gives {}", rule.pattern, words(&rule.capabilities)),
    )?;
    for stanza in &rule.stanzas {
        let alone = if rule.stanzas.len() > 1 {
            format!(" alone gives {}", words(&stanza.capabilities))
        } else {
            String::new()
        };
        line(
            f,
            format_args!("    {} (policy `{}`){alone}", stanza.origin, stanza.policy),
        )?;
    }
    Ok(())
}

fn words(capabilities: &[&str]) -> String {
    if capabilities.is_empty() {
        return "nothing".to_owned();
    }
    capabilities.join(", ")
}

impl Display for Change {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match (&self.policy, &self.origin) {
            (Some(policy), Some(origin)) => write!(f, " at {origin} (policy `{policy}`)"),
            (Some(policy), None) => write!(f, " to policy `{policy}`"),
            (None, _) => Ok(()),
        }
    }
}
