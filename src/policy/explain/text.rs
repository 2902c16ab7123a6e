//! The explanation as a person reads it.

use super::change::Change;
use super::tell::{Explanation, RuleView};
use std::fmt::{self, Display, Formatter};

impl Display for Explanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let verdict = if self.allowed { "allowed" } else { "denied" };
        writeln!(f, "{verdict}: {} of `{}` on {}", self.operation, self.path, self.server)?;
        writeln!(f, "  why: {}", self.why)?;
        if self.needs_sudo {
            writeln!(
                f,
                "  note: this path is root-protected: the winning stanza needs `sudo` besides"
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
            writeln!(f, "    because {}{allow}", beaten.because)?;
        }
        if let Some(nearest) = &self.nearest {
            rule(f, "nearest", &nearest.rule)?;
            if let Some(hint) = &nearest.hint {
                writeln!(f, "    hint: {hint}")?;
            }
        }
        for skipped in &self.not_in_force {
            writeln!(
                f,
                "  not in force: {} (policy `{}`): {}",
                skipped.origin, skipped.policy, skipped.because
            )?;
        }
        if !self.changes.is_empty() {
            writeln!(f, "  to allow it, the smallest change first:")?;
        }
        for change in &self.changes {
            writeln!(f, "    - {change}")?;
        }
        Ok(())
    }
}

fn rule(f: &mut Formatter<'_>, role: &str, rule: &RuleView) -> fmt::Result {
    writeln!(f, "  {role}: `{}` gives {}", rule.pattern, words(&rule.capabilities))?;
    for stanza in &rule.stanzas {
        write!(f, "    {} (policy `{}`)", stanza.origin, stanza.policy)?;
        if rule.stanzas.len() > 1 {
            write!(f, " alone gives {}", words(&stanza.capabilities))?;
        }
        writeln!(f)?;
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
