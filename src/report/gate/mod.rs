//! What `check` says, a face for each place where a gate's findings are read: terminals, pull requests, build servers.

pub mod annotations;
pub mod gitlab;
pub mod junit;
pub mod markdown;
pub mod sarif;
pub mod text;

use crate::advice::{Finding, RuleView, Severity};

/// All that the faces see.
#[derive(Debug, Clone)]
pub struct Gate {
    /// Version of the program.
    pub version: String,
    /// Findings, the gravest first.
    pub findings: Vec<Finding>,
    /// The rules, for the help of findings.
    pub rules: Vec<RuleView>,
    /// Findings of this severity and above fail.
    pub fail_on: Severity,
    /// Why it fails; it passes where there is nothing.
    pub reasons: Vec<String>,
    /// How many policies were checked.
    pub policies: usize,
    /// Findings that somebody answers for.
    pub waived: usize,
    /// Findings about what did not change.
    pub unchanged: usize,
    /// Findings that the baseline has.
    pub known: usize,
    /// What a reader should know first.
    pub notes: Vec<String>,
}

impl Gate {
    /// Passed or failed, and why, in one sentence without its end.
    #[must_use]
    pub fn verdict(&self) -> String {
        if self.reasons.is_empty() {
            "passed".to_owned()
        } else {
            format!("failed: {}", self.reasons.join("; "))
        }
    }

    /// The numbers in one sentence without its end.
    #[must_use]
    pub fn numbers(&self) -> String {
        let plural = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
        let mut text = format!(
            "{} checked, {}",
            plural(self.policies, "policy", "policies"),
            plural(self.findings.len(), "finding", "findings")
        );
        for (n, what) in [
            (self.waived, "waived"),
            (self.known, "in the baseline"),
            (self.unchanged, "in what did not change"),
        ] {
            if n > 0 {
                text.push_str(&format!(", {n} {what}"));
            }
        }
        text
    }
}

/// Title, detail and remedy, as lines.
fn told(finding: &Finding) -> Vec<&str> {
    [finding.title.as_str(), &finding.detail, &finding.remedy]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect()
}

/// A path as code hosts want it: without a leading `./`.
fn file(name: &str) -> &str {
    name.strip_prefix("./").unwrap_or(name)
}

#[cfg(test)]
pub(crate) mod testing {
    use super::Gate;
    use crate::advice::{Finding, Severity, Subject};
    use crate::origin::Origin;

    /// A gate with one hostile finding.
    pub fn gate() -> Gate {
        Gate {
            version: "1".to_owned(),
            findings: vec![Finding {
                fingerprint: "r-1".to_owned(),
                rule: "r".into(),
                severity: Severity::High,
                title: "policy `a\n::error::x` <b>&\"]]>%,:".to_owned(),
                detail: "detail\u{202e}".to_owned(),
                subject: Subject {
                    key: String::new(),
                    kind: "policy".to_owned(),
                    name: "a".to_owned(),
                },
                origins: vec![Origin::new("./p/a,b:c.hcl", 3, 1)],
                evidence: None,
                remedy: "do".to_owned(),
                fixed_in: None,
                stays: None,
                who: Vec::new(),
            }],
            rules: Vec::new(),
            fail_on: Severity::Medium,
            reasons: vec!["1 finding of severity medium or above".to_owned()],
            policies: 1,
            waived: 2,
            unchanged: 0,
            known: 0,
            notes: Vec::new(),
        }
    }
}
