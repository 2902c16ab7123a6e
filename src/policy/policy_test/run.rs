//! Runs a file of tests against policies.

use super::file::{Expect, Test, TestFile};
use crate::policy::acl::{AclCache, Request};
use crate::policy::explain::{Explanation, Question, explain};
use crate::policy::model::Policy;
use crate::policy::profile::Profile;
use crate::vault::{Operation, protected};
use serde::Serialize;
use std::collections::HashMap;
use std::sync::Arc;

/// Policies by namespace and name.
#[derive(Debug, Clone, Default)]
pub struct Policies<'p>(HashMap<(&'p str, &'p str), &'p Policy>);

impl<'p> Policies<'p> {
    /// From policies; of two with the same name in a namespace the last counts.
    #[must_use]
    pub fn new(policies: &'p [Policy]) -> Self {
        Self(policies.iter().map(|p| ((&*p.namespace, &*p.name), p)).collect())
    }

    /// The policy of that name in that namespace.
    #[must_use]
    pub fn get(&self, namespace: &str, name: &str) -> Option<&'p Policy> {
        self.0.get(&(namespace, name)).copied()
    }
}

/// What came of one file.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The file.
    pub file: String,
    /// The server, with what is not known of it.
    pub server: String,
    /// What a reader has to know of it.
    #[serde(skip)]
    pub note: Option<String>,
    /// Tests that passed.
    pub passed: usize,
    /// Tests that failed.
    pub failed: usize,
    /// The tests in the order of the file.
    pub tests: Vec<Outcome>,
}

impl Report {
    /// Whether every test passed.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.failed == 0
    }
}

/// What came of one test.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// Its line in the file.
    pub line: u64,
    /// Whether it passed.
    pub passed: bool,
    /// What it expected: `allow` or `deny`.
    pub expect: &'static str,
    /// Its `because`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// What went wrong, a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<String>,
    /// How the decisions came about that were not as expected.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub explanations: Vec<Arc<Explanation>>,
}

/// Runs the tests. The file's own `server` goes before `profile`.
#[must_use]
pub fn run(file: &TestFile, policies: &Policies<'_>, profile: Profile) -> Report {
    let profile = file.profile.map_or(profile, |own| own.with_switches_of(profile));
    let mut cache = AclCache::new(profile, None);
    let tests: Vec<_> = file
        .tests
        .iter()
        .map(|test| outcome(test, policies, profile, &mut cache))
        .collect();
    let passed = tests.iter().filter(|t| t.passed).count();
    Report {
        file: file.file.clone(),
        server: profile.to_string(),
        note: profile.note(),
        passed,
        failed: tests.len() - passed,
        tests,
    }
}

fn outcome<'p>(test: &Test, policies: &Policies<'p>, profile: Profile, cache: &mut AclCache<'p>) -> Outcome {
    let mut failures = Vec::new();
    let mut explanations = Vec::new();
    let found: Vec<_> = test
        .policies
        .iter()
        .map(|name| (name, policies.get(&test.namespace, name)))
        .collect();
    for (name, _) in found.iter().filter(|(_, policy)| policy.is_none()) {
        failures.push(format!("there is no policy `{name}`"));
    }
    let held: Vec<&Policy> = found.iter().filter_map(|(_, policy)| *policy).collect();
    if failures.is_empty() {
        let acl = cache.get(&held, &test.identity);
        for operation in &test.operations {
            let path = operation.path_asked(&test.path);
            let relative = path.strip_prefix(&test.namespace).unwrap_or(&path);
            let needs_sudo = protected::needs_sudo("", relative);
            let request = Request {
                operation: *operation,
                path: &path,
                data: test.data.as_ref(),
                wrap_ttl_ns: test.wrap_ttl_ns,
            };
            let decision = acl.decide(&request);
            let allowed = decision.allowed && (!needs_sudo || decision.sudo || *operation == Operation::Help);
            if allowed == (test.expect == Expect::Allow) {
                continue;
            }
            let explanation = explain(&Question {
                profile,
                policies: &held,
                identity: &test.identity,
                request,
                needs_sudo,
                now: None,
                kv: None,
            });
            let was = if allowed { "allowed" } else { "denied" };
            failures.push(format!("{operation} of `{path}` is {was}: {}", explanation.why));
            explanations.push(Arc::new(explanation));
        }
    }
    Outcome {
        name: test.name.clone(),
        line: test.line,
        passed: failures.is_empty(),
        expect: test.expect.as_str(),
        because: test.because.clone(),
        failures,
        explanations,
    }
}
