//! Many decisions: JSON lines in, JSON lines out, in the same order, one line in memory at a time.

use crate::hint::Hint;
use crate::policy::acl::{Acl, Decision, Request};
use crate::policy::constraints::Data;
use crate::policy::model::Policy;
use crate::policy::profile::Profile;
use crate::policy::syntax;
use crate::policy::template::{Alias, Entity, Group, Identity, duration_seconds};
use crate::vault::{Operation, path};
use serde::de::{Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::sync::Arc;

/// Why deciding stopped.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    /// The input cannot be read.
    #[error("reading line {line} of the cases")]
    Read {
        /// The line, from one.
        line: u64,
        /// What failed.
        source: io::Error,
    },
    /// A line is no case.
    #[error("line {line} of the cases, column {column}, is not a case: {message}")]
    Malformed {
        /// The line, from one.
        line: u64,
        /// The column in bytes, from one.
        column: usize,
        /// What is wrong with it.
        message: String,
    },
    /// The output cannot be written.
    #[error("writing the decisions")]
    Write(#[source] io::Error),
}

impl Hint for DecideError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(
            "each line is one object: {\"id\", \"policies\", \"requests\", ...}",
        ))
    }
}

/// How much was decided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Cases read.
    pub cases: u64,
    /// Requests decided.
    pub requests: u64,
    /// Policies that could not be read.
    pub failed_policies: u64,
}

/// Decides every case of `input` and writes the answers to `output`.
///
/// # Errors
///
/// Where a line is no case, naming it; the answers to the lines before it are written.
pub fn run(mut input: impl BufRead, mut output: impl Write, profile: Profile) -> Result<Counts, DecideError> {
    let mut counts = Counts::default();
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        number += 1;
        line.clear();
        let read = input.read_until(b'\n', &mut line);
        if read.map_err(|source| DecideError::Read { line: number, source })? == 0 {
            break;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let case: Case = serde_json::from_slice(&line).map_err(|e| malformed(number, &e))?;
        let answer = case.decide(profile);
        counts.cases += 1;
        counts.requests += answer.results.len() as u64;
        counts.failed_policies += answer.errors.as_ref().map_or(0, |e| e.len() as u64);
        serde_json::to_writer(&mut output, &answer).map_err(|e| DecideError::Write(e.into()))?;
        output.write_all(b"\n").map_err(DecideError::Write)?;
    }
    output.flush().map_err(DecideError::Write)?;
    Ok(counts)
}

/// The error of one line; its text names types and fields, never a value longer than a word.
fn malformed(line: u64, error: &serde_json::Error) -> DecideError {
    let text = error.to_string();
    let message = text
        .rsplit_once(" at line ")
        .map_or(text.as_str(), |(message, _)| message);
    DecideError::Malformed {
        line,
        column: error.column(),
        message: without_values(message),
    }
}

/// A value that the input holds in the wrong place may be a secret: `invalid type: string "…", expected …` keeps its type only.
fn without_values(message: &str) -> String {
    match (message.find(['"', '`']), message.rfind(", expected")) {
        (Some(start), Some(end)) if start < end && message.starts_with("invalid") => {
            let head = message.get(..start).unwrap_or_default().trim_end();
            let tail = message.get(end..).unwrap_or_default();
            format!("{head}{tail}")
        }
        _ => message.to_owned(),
    }
}

/// A deployment and requests to it. A key that is not known is an error: it would be an answer to another question.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    id: Option<Value>,
    #[serde(default)]
    policies: Vec<PolicyText>,
    #[serde(default)]
    requests: Vec<CaseRequest>,
    namespace: Option<String>,
    entity: Option<CaseEntity>,
    groups: Option<Vec<CaseGroup>>,
    /// What an answer holds: cases may be kept together with their answers.
    #[serde(default, rename = "results")]
    _results: IgnoredAny,
    #[serde(default, rename = "errors")]
    _errors: IgnoredAny,
    #[serde(default, rename = "server")]
    _server: IgnoredAny,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyText {
    name: String,
    #[serde(default)]
    rules: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseRequest {
    operation: String,
    #[serde(default)]
    path: String,
    data: Option<Data>,
    #[serde(default, rename = "wrap_ttl", deserialize_with = "nanoseconds")]
    wrap_ttl_ns: Option<i64>,
}

/// A wrapping TTL: seconds, or a duration such as `"90s"`; none, and zero, for no wrapping.
fn nanoseconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let seconds = match Option::<WrapTtl>::deserialize(deserializer)? {
        None => return Ok(None),
        Some(WrapTtl::Seconds(seconds)) => seconds,
        Some(WrapTtl::Text(text)) => {
            duration_seconds(&text).ok_or_else(|| D::Error::custom("`wrap_ttl` is not a duration"))?
        }
    };
    Ok((seconds > 0).then(|| seconds.saturating_mul(1_000_000_000)))
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WrapTtl {
    Seconds(i64),
    Text(String),
}

/// As the servers' own code spells it (`ID`), or as test files do (`id`).
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct CaseEntity {
    #[serde(alias = "ID")]
    id: String,
    #[serde(alias = "Name")]
    name: String,
    #[serde(alias = "Metadata")]
    metadata: Option<BTreeMap<String, String>>,
    #[serde(alias = "Aliases")]
    aliases: Option<Vec<CaseAlias>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct CaseAlias {
    #[serde(alias = "ID")]
    id: String,
    #[serde(alias = "Name")]
    name: String,
    #[serde(alias = "MountAccessor")]
    mount_accessor: String,
    #[serde(alias = "Metadata")]
    metadata: Option<BTreeMap<String, String>>,
    #[serde(alias = "CustomMetadata")]
    custom_metadata: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct CaseGroup {
    #[serde(alias = "ID")]
    id: String,
    #[serde(alias = "Name")]
    name: String,
    /// The namespace's path; as an id only `root` and the one of the case are known.
    namespace: Option<String>,
    #[serde(alias = "NamespaceID")]
    namespace_id: Option<String>,
    #[serde(alias = "Metadata")]
    metadata: Option<BTreeMap<String, String>>,
}

/// The answer to a case.
#[derive(Debug, Serialize)]
pub struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<BTreeMap<String, String>>,
    /// Whose rules decided, where they are not verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<String>,
    results: Vec<AnswerResult>,
}

#[derive(Debug, Serialize)]
struct AnswerResult {
    allowed: bool,
    sudo: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    granting: Vec<Arc<str>>,
    capabilities: Vec<&'static str>,
}

impl From<Decision> for AnswerResult {
    fn from(decision: Decision) -> Self {
        Self {
            allowed: decision.allowed,
            sudo: decision.sudo,
            granting: decision.granting,
            capabilities: decision.capabilities,
        }
    }
}

impl Case {
    /// Decides its requests.
    #[must_use]
    pub fn decide(self, profile: Profile) -> Answer {
        let namespace = path::namespace(self.namespace.as_deref().unwrap_or_default());
        let mut errors = BTreeMap::new();
        let mut policies = Vec::with_capacity(self.policies.len());
        let mut names = Vec::with_capacity(self.policies.len());
        for text in &self.policies {
            match read(text, &namespace, profile) {
                Ok(policy) => {
                    policies.push(policy);
                    names.push(&text.name);
                }
                Err(error) => {
                    errors.insert(text.name.clone(), error);
                }
            }
        }
        let identity = identity(self.entity, self.groups.unwrap_or_default(), &namespace);
        let references: Vec<&Policy> = policies.iter().collect();
        let acl = Acl::compile(profile, &references, &identity, None);
        for skip in acl.skips().iter().filter(|s| s.reason.takes_whole_policy()) {
            if let Some(name) = names.get(skip.policy) {
                errors.insert((*name).clone(), format!("{}: {}", skip.origin, skip.reason));
            }
        }
        let results = self
            .requests
            .iter()
            .map(|r| r.decide(&acl, &namespace).into())
            .collect();
        Answer {
            id: self.id,
            errors: (!errors.is_empty()).then_some(errors),
            server: profile.caveat().map(|_| profile.to_string()),
            results,
        }
    }
}

impl CaseRequest {
    fn decide(&self, acl: &Acl, namespace: &str) -> Decision {
        let path = format!("{namespace}{}", self.path);
        acl.decide(&Request {
            operation: Operation::from_word(&self.operation),
            path: &path,
            data: self.data.as_ref(),
            wrap_ttl_ns: self.wrap_ttl_ns,
        })
    }
}

fn read(text: &PolicyText, namespace: &str, profile: Profile) -> Result<Policy, String> {
    let mut policy =
        syntax::parse(&text.name, &text.name, &text.rules, &profile.dialect()).map_err(|error| error.one_line())?;
    policy.namespace = namespace.into();
    Ok(policy)
}

fn identity(entity: Option<CaseEntity>, groups: Vec<CaseGroup>, namespace: &str) -> Identity {
    let alias = |a: CaseAlias| Alias {
        id: a.id,
        name: a.name,
        mount_accessor: a.mount_accessor,
        metadata: a.metadata.unwrap_or_default(),
        custom_metadata: a.custom_metadata.unwrap_or_default(),
    };
    Identity {
        entity: entity.map(|e| Entity {
            id: e.id,
            name: e.name,
            metadata: e.metadata.unwrap_or_default(),
            aliases: e.aliases.unwrap_or_default().into_iter().map(alias).collect(),
        }),
        groups: groups
            .into_iter()
            .map(|g| Group {
                // A case names namespaces by path and groups by the namespace's id. Only the root namespace's id is known
                // (`root`); any other is taken for the id of the one namespace that the case is about.
                namespace: match (&g.namespace, g.namespace_id.as_deref()) {
                    (Some(path), _) => path::namespace(path),
                    (None, None | Some("" | "root")) => String::new(),
                    (None, Some(_)) => namespace.to_owned(),
                },
                id: g.id,
                name: g.name,
                metadata: g.metadata.unwrap_or_default(),
            })
            .collect(),
    }
}
