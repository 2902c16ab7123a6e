//! A file of tests: what is asked, and what is expected.
//!
//! ```yaml
//! server: vault-2.0.3          # optional
//! tests:
//!   - name: web reads its own secrets
//!     as: [web, default]       # policy names
//!     path: secret/data/web/db
//!     operation: read          # or capabilities: [read, list]
//!     expect: allow            # or deny
//!     because: the web team owns secret/web
//! ```
//!
//! Optional besides: `namespace`, `data` (parameters sent), `wrap_ttl`, `entity` and `groups` for templates. A list of tests
//! without the `tests:` above it is taken too.

use crate::hint::Hint;
use crate::policy::profile::Profile;
use crate::policy::template::{Alias, Entity, Group, Identity, duration_seconds};
use crate::vault::{Capability, Operation, name, path};
use serde::Deserialize;
use serde_json::{Map, Value};
use serde_saphyr::Spanned;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Why a file of tests cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct FileError {
    /// The file.
    pub file: String,
    /// Line, from one; zero where the place is not known.
    pub line: u64,
    /// Column, from one.
    pub column: u64,
    /// What is wrong.
    pub message: String,
}

impl Hint for FileError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed("docs/policy-tests.md shows the form"))
    }
}

/// What a test expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expect {
    /// Everything asked for is allowed.
    Allow,
    /// Nothing asked for is allowed.
    Deny,
}

impl Expect {
    /// The word in a file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

/// A file of tests, checked.
#[derive(Debug, Clone)]
pub struct TestFile {
    /// The file as the user named it.
    pub file: String,
    /// The server it asks for.
    pub profile: Option<Profile>,
    /// Its tests.
    pub(super) tests: Vec<Test>,
}

/// One test, checked.
#[derive(Debug, Clone)]
pub(super) struct Test {
    pub line: u64,
    pub name: String,
    pub policies: Vec<String>,
    pub namespace: String,
    /// Namespace in front.
    pub path: String,
    pub operations: Vec<Operation>,
    pub expect: Expect,
    pub because: Option<String>,
    pub data: Option<Map<String, Value>>,
    pub wrap_ttl_ns: Option<i64>,
    pub identity: Identity,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    server: Option<Spanned<String>>,
    tests: Vec<Spanned<RawTest>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTest {
    name: Option<String>,
    #[serde(rename = "as")]
    policies: OneOrMany,
    path: String,
    operation: Option<String>,
    capabilities: Option<OneOrMany>,
    expect: Expect,
    because: Option<String>,
    namespace: Option<String>,
    data: Option<Map<String, Value>>,
    wrap_ttl: Option<NumberOrText>,
    entity: Option<RawEntity>,
    groups: Option<Vec<RawGroup>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<String>),
    One(String),
}

impl OneOrMany {
    /// The words; one string may hold several, with commas between.
    fn words(self) -> Vec<String> {
        let words = match self {
            Self::Many(words) => words,
            Self::One(words) => words.split(',').map(str::to_owned).collect(),
        };
        words
            .iter()
            .map(|w| w.trim().to_owned())
            .filter(|w| !w.is_empty())
            .collect()
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrText {
    Number(i64),
    Text(String),
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawEntity {
    id: String,
    name: String,
    metadata: BTreeMap<String, String>,
    aliases: Vec<RawAlias>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawAlias {
    id: String,
    name: String,
    mount_accessor: String,
    metadata: BTreeMap<String, String>,
    custom_metadata: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawGroup {
    id: String,
    name: String,
    namespace: Option<String>,
    metadata: BTreeMap<String, String>,
}

/// Reads a file of tests.
///
/// # Errors
///
/// Where it is no YAML, has an unknown key, or a test asks for nothing that a server knows.
pub fn parse(file: &str, yaml: &str) -> Result<TestFile, FileError> {
    let raw = read(file, yaml)?;
    let profile = match raw.server {
        None => None,
        Some(word) => {
            let at = (word.referenced.line(), word.referenced.column());
            Some(
                word.value
                    .parse::<Profile>()
                    .map_err(|e| error(file, at, &e.to_string()))?,
            )
        }
    };
    let tests = raw
        .tests
        .into_iter()
        .enumerate()
        .map(|(index, test)| {
            let at = (test.referenced.line(), test.referenced.column());
            checked(index, at.0, test.value).map_err(|message| error(file, at, &message))
        })
        .collect::<Result<_, _>>()?;
    Ok(TestFile {
        file: file.to_owned(),
        profile,
        tests,
    })
}

fn read(file: &str, yaml: &str) -> Result<RawFile, FileError> {
    let options = || serde_saphyr::options! { with_snippet: false };
    // A list at the top is told by its first mark, so that an error inside it is told as it is.
    let first = yaml
        .lines()
        .map(str::trim)
        .find(|l| !l.is_empty() && !l.starts_with('#') && *l != "---");
    let read = if first.is_some_and(|l| l.starts_with('-') || l.starts_with('[')) {
        serde_saphyr::from_str_with_options(yaml, options()).map(|tests| RawFile { server: None, tests })
    } else {
        serde_saphyr::from_str_with_options(yaml, options())
    };
    read.map_err(|e| {
        let at = e.location().map_or((0, 0), |l| (l.line(), l.column()));
        error(file, at, &one_line(&e.without_snippet().to_string()))
    })
}

/// The parser's words without the place, which is told in front of them.
fn one_line(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    let place = first.find(" at line ").or_else(|| first.find(": at line "));
    place.and_then(|end| first.get(..end)).unwrap_or(first).to_owned()
}

fn error(file: &str, (line, column): (u64, u64), message: &str) -> FileError {
    FileError {
        file: file.to_owned(),
        line,
        column,
        message: message.to_owned(),
    }
}

fn checked(index: usize, line: u64, raw: RawTest) -> Result<Test, String> {
    let operations = operations(raw.operation, raw.capabilities)?;
    let namespace = path::namespace(raw.namespace.as_deref().unwrap_or_default());
    let words: Vec<_> = operations.iter().map(|o| o.as_str()).collect();
    let name = raw.name.unwrap_or_else(|| {
        let number = index + 1;
        format!("#{number} {} {} {}", raw.expect.as_str(), words.join(","), raw.path)
    });
    Ok(Test {
        line,
        name,
        policies: raw.policies.words().iter().map(|p| name::policy(p)).collect(),
        path: format!("{namespace}{}", path::clean(&raw.path)),
        operations,
        expect: raw.expect,
        because: raw.because,
        data: raw.data,
        wrap_ttl_ns: wrap_ttl_ns(raw.wrap_ttl)?,
        identity: identity(raw.entity, raw.groups.unwrap_or_default(), &namespace),
        namespace,
    })
}

fn operations(operation: Option<String>, capabilities: Option<OneOrMany>) -> Result<Vec<Operation>, String> {
    match (operation, capabilities) {
        (Some(word), None) => match Operation::from_word(word.trim()) {
            Operation::Other => Err(format!("`{word}` is not an operation; known are {}", known())),
            operation => Ok(vec![operation]),
        },
        (None, Some(words)) => {
            let words = words.words();
            if words.is_empty() {
                return Err("`capabilities` is empty: the test asks for nothing".to_owned());
            }
            words.iter().map(|word| operation_of(word)).collect()
        }
        (None, None) => Err("the test needs `operation` or `capabilities`".to_owned()),
        (Some(_), Some(_)) => Err("the test has both `operation` and `capabilities`: one is enough".to_owned()),
    }
}

fn operation_of(word: &str) -> Result<Operation, String> {
    let capability: Capability = word
        .parse()
        .map_err(|_| format!("`{word}` is not a capability; known are {}", known()))?;
    Operation::of(capability)
        .ok_or_else(|| format!("no request asks for `{word}` alone; a test may ask for {}", known()))
}

fn known() -> String {
    let words: Vec<_> = Operation::REQUESTABLE.iter().map(|o| format!("`{o}`")).collect();
    words.join(", ")
}

fn wrap_ttl_ns(given: Option<NumberOrText>) -> Result<Option<i64>, String> {
    let seconds = match given {
        None => return Ok(None),
        Some(NumberOrText::Number(seconds)) => seconds,
        Some(NumberOrText::Text(text)) => {
            duration_seconds(&text).ok_or_else(|| "`wrap_ttl` is not a duration: write `60` or `\"1m\"`".to_owned())?
        }
    };
    Ok((seconds > 0).then(|| seconds.saturating_mul(1_000_000_000)))
}

fn identity(entity: Option<RawEntity>, groups: Vec<RawGroup>, namespace: &str) -> Identity {
    let alias = |a: RawAlias| Alias {
        id: a.id,
        name: a.name,
        mount_accessor: a.mount_accessor,
        metadata: a.metadata,
        custom_metadata: a.custom_metadata,
    };
    let group = |g: RawGroup| Group {
        namespace: g
            .namespace
            .map_or_else(|| namespace.to_owned(), |n| path::namespace(&n)),
        id: g.id,
        name: g.name,
        metadata: g.metadata,
    };
    Identity {
        entity: entity.map(|e| Entity {
            id: e.id,
            name: e.name,
            metadata: e.metadata,
            aliases: e.aliases.into_iter().map(alias).collect(),
        }),
        groups: groups.into_iter().map(group).collect(),
    }
}
