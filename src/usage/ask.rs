//! Questions to usage: by what it is grouped, which groups are wanted, in what order, how many. The condition is a small
//! language of its own, which names columns and compares them with what is written beside them, and can do nothing else.

use super::coverage::timestamp;
use crate::hint::Hint;
use crate::units;
use jiff::Timestamp;
use std::borrow::Cow;
use std::fmt;

/// A column of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// Who, known by its key: name and key.
    Principal,
    /// `entity`, `role`, `token`, ...
    PrincipalKind,
    /// The auth mount it logged in at.
    AuthMount,
    /// Namespace of the request.
    Namespace,
    /// The first segment of the path, of auth methods the first two.
    Mount,
    /// The path.
    Path,
    /// The capability.
    Capability,
    /// Type of the mount.
    MountType,
    /// A day of use.
    Day,
    /// Allowed and denied.
    Requests,
    /// Requests that the ACL allowed.
    Allowed,
    /// Requests that it denied.
    Denied,
    /// Of the allowed, those that failed behind it.
    Failed,
    /// Allowed requests of the capability `read`.
    Reads,
    /// Different principals.
    Principals,
    /// Different paths.
    Paths,
    /// The first request.
    FirstSeen,
    /// The last request.
    LastSeen,
    /// The last request of a demand that was read.
    LastRead,
    /// Days with a request.
    ActiveDays,
    /// Requests for each of these days.
    PerDay,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number.
    Count,
    /// A number.
    Number,
    /// A time.
    Time,
    /// A day.
    Day,
}

impl Column {
    /// Every column: what can be grouped by, then what is counted.
    pub const ALL: [Self; 21] = [
        Self::Principal,
        Self::PrincipalKind,
        Self::AuthMount,
        Self::Namespace,
        Self::Mount,
        Self::Path,
        Self::Capability,
        Self::MountType,
        Self::Day,
        Self::Requests,
        Self::Allowed,
        Self::Denied,
        Self::Failed,
        Self::Reads,
        Self::Principals,
        Self::Paths,
        Self::FirstSeen,
        Self::LastSeen,
        Self::LastRead,
        Self::ActiveDays,
        Self::PerDay,
    ];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Principal => "principal",
            Self::PrincipalKind => "principal_kind",
            Self::AuthMount => "auth_mount",
            Self::Namespace => "namespace",
            Self::Mount => "mount",
            Self::Path => "path",
            Self::Capability => "capability",
            Self::MountType => "mount_type",
            Self::Day => "day",
            Self::Requests => "requests",
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Failed => "failed",
            Self::Reads => "reads",
            Self::Principals => "principals",
            Self::Paths => "paths",
            Self::FirstSeen => "first_seen",
            Self::LastSeen => "last_seen",
            Self::LastRead => "last_read",
            Self::ActiveDays => "active_days",
            Self::PerDay => "per_day",
        }
    }

    /// What it holds.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Principal
            | Self::PrincipalKind
            | Self::AuthMount
            | Self::Namespace
            | Self::Mount
            | Self::Path
            | Self::Capability
            | Self::MountType => Kind::Text,
            Self::Day => Kind::Day,
            Self::FirstSeen | Self::LastSeen | Self::LastRead => Kind::Time,
            Self::PerDay => Kind::Number,
            Self::Requests
            | Self::Allowed
            | Self::Denied
            | Self::Failed
            | Self::Reads
            | Self::Principals
            | Self::Paths
            | Self::ActiveDays => Kind::Count,
        }
    }

    /// Whether it says what a demand is, and so can be grouped by.
    #[must_use]
    pub const fn is_dimension(self) -> bool {
        (self as u8) <= (Self::Day as u8)
    }

    /// Whether it can be told of one day: usage keeps on which days something was asked for, not how often on each.
    #[must_use]
    pub const fn is_told_by_day(self) -> bool {
        self.is_dimension() || matches!(self, Self::Principals | Self::Paths)
    }

    fn named(word: &str) -> Result<Self, AskError> {
        let found = Self::ALL.into_iter().find(|column| column.as_str() == word);
        found.ok_or_else(|| AskError::NoColumn {
            word: word.to_owned(),
            meant: meant(word),
        })
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The column that a wrong word is most like.
fn meant(word: &str) -> Option<Column> {
    let word = word.to_lowercase();
    let alike = |column: &Column| {
        let name = column.as_str();
        let common = name.bytes().zip(word.bytes()).take_while(|(a, b)| a == b).count();
        let back = name
            .bytes()
            .rev()
            .zip(word.bytes().rev())
            .take_while(|(a, b)| a == b)
            .count();
        common + back
    };
    let best = Column::ALL.into_iter().max_by_key(alike)?;
    (2 * alike(&best) > word.len() && word.len() > 2).then_some(best)
}

/// Why a question cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// No such column.
    #[error("`{word}` is not a column{}", meant.map(|column| format!(": is `{column}` meant?")).unwrap_or_default())]
    NoColumn {
        /// As written.
        word: String,
        /// What is most like it.
        meant: Option<Column>,
    },
    /// Not to group by.
    #[error("`{0}` is counted, and cannot be grouped by")]
    Counted(Column),
    /// Named twice.
    #[error("`{0}` is named twice")]
    Twice(Column),
    /// Not grouped by, and asked about.
    #[error("`{0}` is not grouped by, so that no row has one: add it to `--by`")]
    NotGrouped(Column),
    /// A count of a day.
    #[error("`{0}` cannot be told by day: usage keeps on which days something was asked for, not how often on each")]
    ByDay(Column),
    /// A value of another kind.
    #[error("`{column}` is {}, and `{value}` is none", kind_word(*column))]
    Value {
        /// Of the column.
        column: Column,
        /// As written.
        value: String,
    },
    /// `like` and `in` for what is no text, order of what has none.
    #[error("`{word}` does not go with `{column}`, which is {}", kind_word(*column))]
    Comparison {
        /// Of the column.
        column: Column,
        /// As written.
        word: String,
    },
    /// Grammar.
    #[error("at character {at}: {what}")]
    Grammar {
        /// Where.
        at: usize,
        /// What is wrong.
        what: String,
    },
    /// Dimensions and counts in one alternative.
    #[error("`{0}` is not grouped by, and stands beside what is counted under one `or` or `not`: add it to `--by`")]
    Mixed(Column),
}

impl Hint for AskError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        let names = |dimension: bool| {
            let columns = Column::ALL
                .into_iter()
                .filter(|column| column.is_dimension() == dimension);
            columns.map(Column::as_str).collect::<Vec<_>>().join(", ")
        };
        Some(Cow::Owned(match self {
            Self::NoColumn { .. } | Self::Counted(_) | Self::Twice(_) => {
                format!("to group by: {}; counted: {}", names(true), names(false))
            }
            Self::Value { .. } | Self::Comparison { .. } | Self::Grammar { .. } => {
                "write conditions as in: denied > 0 and path like 'secret/*' and not last_read > 90d ago".to_owned()
            }
            Self::NotGrouped(_) | Self::ByDay(_) | Self::Mixed(_) => {
                "docs/how-to/usage-questions.md shows questions and what answers them".to_owned()
            }
        }))
    }
}

const fn kind_word(column: Column) -> &'static str {
    match column.kind() {
        Kind::Text => "text",
        Kind::Count | Kind::Number => "a number (10)",
        Kind::Time => "a time (2026-01-31, 2026-01-31T12:00:00Z, 90d ago, none)",
        Kind::Day => "a day (2026-01-31, 90d ago)",
    }
}

/// How two values compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    /// Equal.
    Is,
    /// Not equal.
    IsNot,
    /// Less, earlier.
    Less,
    /// Less or equal.
    Most,
    /// More, later.
    More,
    /// More or equal.
    Least,
}

/// What a column is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// One of these texts.
    Texts(Vec<String>),
    /// A text in which `*` stands for any.
    Like(String),
    /// A number.
    Number(f64),
    /// Nanoseconds since 1970; of a day, the days. None for `none`.
    Point(Option<i64>),
}

/// Which groups, or which demands, are wanted. A comparison with what is not known is false, and `not` of that is true.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// All of them.
    All(Vec<Self>),
    /// One of them.
    Any(Vec<Self>),
    /// Not so.
    Not(Box<Self>),
    /// A column and a value.
    Compare(Column, Compare, Value),
}

impl Condition {
    fn columns(&self, found: &mut Vec<Column>) {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.columns(found)),
            Self::Not(part) => part.columns(found),
            Self::Compare(column, ..) => found.push(*column),
        }
    }

    /// The columns that it names.
    #[must_use]
    pub fn named(&self) -> Vec<Column> {
        let mut found = Vec::new();
        self.columns(&mut found);
        found
    }

    /// The earliest time that it names.
    #[must_use]
    pub fn earliest(&self) -> Option<Timestamp> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().filter_map(Self::earliest).min(),
            Self::Not(part) => part.earliest(),
            Self::Compare(Column::Day, _, Value::Point(Some(day))) => timestamp(day.checked_mul(DAY)?),
            Self::Compare(_, _, Value::Point(Some(nanos))) => timestamp(*nanos),
            Self::Compare(..) => None,
        }
    }
}

const DAY: i64 = 86_400_000_000_000;

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// Grouped by these.
    pub by: Vec<Column>,
    /// Only these demands.
    pub demands: Option<Condition>,
    /// Only these groups.
    pub groups: Option<Condition>,
    /// In this order; downwards where it says so.
    pub sort: Vec<(Column, bool)>,
    /// No more than these.
    pub top: Option<usize>,
}

/// What nobody grouped is grouped by: all that a demand is.
const ALL_OF_IT: [Column; 4] = [Column::Principal, Column::Namespace, Column::Path, Column::Capability];

/// What an answer is grouped by where demands are of several namespaces: a path and a mount are those of one of them.
#[must_use]
pub fn told_apart(by: &[String]) -> Option<Vec<String>> {
    let at = |column: Column| by.iter().position(|word| word == column.as_str());
    let first = at(Column::Path).into_iter().chain(at(Column::Mount)).min()?;
    at(Column::Namespace).is_none().then(|| {
        let (before, after) = by.split_at(first);
        let namespace = Column::Namespace.as_str().to_owned();
        before
            .iter()
            .cloned()
            .chain([namespace])
            .chain(after.iter().cloned())
            .collect()
    })
}

impl Question {
    /// What is asked, as written. Times that are told from the end count from `end`.
    ///
    /// # Errors
    /// When a column is not there, or the condition is none.
    pub fn new(
        by: &[String],
        condition: Option<&str>,
        sort: &[String],
        top: Option<usize>,
        end: Option<Timestamp>,
    ) -> Result<Self, AskError> {
        let mut columns = Vec::new();
        for word in by {
            let column = Column::named(word)?;
            if !column.is_dimension() {
                return Err(AskError::Counted(column));
            }
            if columns.contains(&column) {
                return Err(AskError::Twice(column));
            }
            columns.push(column);
        }
        if columns.is_empty() {
            columns.extend(ALL_OF_IT);
        }
        let mut order = Vec::new();
        for word in sort {
            let (name, down) = word.strip_prefix('-').map_or((&**word, false), |name| (name, true));
            let column = Column::named(name)?;
            shown(column, &columns)?;
            if order.iter().any(|(known, _)| *known == column) {
                return Err(AskError::Twice(column));
            }
            order.push((column, down));
        }
        let (mut demands, mut groups) = (Vec::new(), Vec::new());
        let parsed = condition.map(|text| Parser::new(text, end)?.whole()).transpose()?;
        let parts = match parsed {
            Some(Condition::All(parts)) => parts,
            other => other.into_iter().collect(),
        };
        for part in parts {
            let named = part.named();
            let apart = named
                .iter()
                .find(|column| !columns.contains(column) && column.is_dimension());
            let counted = named.iter().any(|column| !column.is_dimension());
            match apart {
                Some(column) if counted => return Err(AskError::Mixed(*column)),
                Some(_) => demands.push(part),
                None => {
                    named.iter().try_for_each(|column| shown(*column, &columns))?;
                    groups.push(part);
                }
            }
        }
        let all = |mut parts: Vec<Condition>| match parts.len() {
            0 => None,
            1 => parts.pop(),
            _ => Some(Condition::All(parts)),
        };
        // Days are told apart before anything is chosen by them.
        if let Some(Column::Day) = demands
            .iter()
            .flat_map(Condition::named)
            .find(|column| *column == Column::Day)
        {
            return Err(AskError::NotGrouped(Column::Day));
        }
        Ok(Self {
            by: columns,
            demands: all(demands),
            groups: all(groups),
            sort: order,
            top,
        })
    }

    /// Whether it is told by day.
    #[must_use]
    pub fn is_by_day(&self) -> bool {
        self.by.contains(&Column::Day)
    }

    /// The earliest time that it names.
    #[must_use]
    pub fn earliest(&self) -> Option<Timestamp> {
        let conditions = self.groups.iter().chain(&self.demands);
        conditions.filter_map(Condition::earliest).min()
    }

    /// The columns of its answer.
    #[must_use]
    pub fn columns(&self) -> Vec<Column> {
        let counted = Column::ALL.into_iter().filter(|column| !column.is_dimension());
        let told = counted.filter(|column| shown(*column, &self.by).is_ok());
        self.by.iter().copied().chain(told).collect()
    }

    /// The columns that it names: what it is grouped by, chosen and sorted by.
    #[must_use]
    pub fn named(&self) -> Vec<Column> {
        let mut named = self.by.clone();
        named.extend(self.groups.iter().flat_map(Condition::named));
        named.extend(self.sort.iter().map(|(column, _)| *column));
        named
    }
}

/// Whether an answer that is grouped so has the column.
fn shown(column: Column, by: &[Column]) -> Result<(), AskError> {
    if column.is_dimension() && !by.contains(&column) {
        return Err(AskError::NotGrouped(column));
    }
    if by.contains(&Column::Day) && !column.is_told_by_day() {
        return Err(AskError::ByDay(column));
    }
    Ok(())
}

/// The longest condition, and how deep it may be nested.
const LONGEST: usize = 4_096;
const DEEPEST: usize = 32;

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Sign(&'static str),
}

struct Parser {
    /// Where each begins, counted in characters from 1.
    tokens: Vec<(usize, Token)>,
    at: usize,
    length: usize,
    depth: usize,
    end: Option<Timestamp>,
}

const SIGNS: [&str; 11] = ["<=", ">=", "!=", "<>", "==", "<", ">", "=", "(", ")", ","];

impl Parser {
    fn new(text: &str, end: Option<Timestamp>) -> Result<Self, AskError> {
        let wrong = |at: usize, what: &str| AskError::Grammar {
            at,
            what: what.to_owned(),
        };
        if text.len() > LONGEST {
            return Err(wrong(LONGEST, "the condition is too long"));
        }
        let mut tokens = Vec::new();
        let mut rest = text;
        loop {
            rest = rest.trim_start();
            let at = text.chars().count() - rest.chars().count() + 1;
            let Some(first) = rest.chars().next() else { break };
            if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
                tokens.push((at, Token::Sign(sign)));
                rest = rest.get(sign.len()..).unwrap_or_default();
            } else if first == '\'' || first == '"' {
                let (content, after) = quoted(rest, first).ok_or_else(|| wrong(at, "the text has no end"))?;
                tokens.push((at, Token::Text(content)));
                rest = after;
            } else {
                let is_end = |c: char| c.is_whitespace() || "<>=!(),'\"".contains(c);
                let end = rest.find(is_end).unwrap_or(rest.len());
                if end == 0 {
                    return Err(wrong(at, &format!("`{first}` means nothing here")));
                }
                tokens.push((at, Token::Word(rest.get(..end).unwrap_or_default().to_owned())));
                rest = rest.get(end..).unwrap_or_default();
            }
        }
        Ok(Self {
            tokens,
            at: 0,
            length: text.chars().count(),
            depth: 0,
            end,
        })
    }

    fn whole(mut self) -> Result<Condition, AskError> {
        let condition = self.any()?;
        match self.tokens.get(self.at) {
            None => Ok(condition),
            Some(_) => Err(self.wrong("`and` or `or` is wanted here")),
        }
    }

    fn wrong(&self, what: &str) -> AskError {
        let at = self.tokens.get(self.at).map_or(self.length + 1, |(at, _)| *at);
        AskError::Grammar {
            at,
            what: what.to_owned(),
        }
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(_, token)| token)
    }

    /// Takes the word, in whatever case.
    fn word(&mut self, wanted: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(word)) if word.eq_ignore_ascii_case(wanted));
        self.at += usize::from(found);
        found
    }

    fn sign(&mut self, wanted: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(sign)) if *sign == wanted);
        self.at += usize::from(found);
        found
    }

    fn any(&mut self) -> Result<Condition, AskError> {
        let mut parts = vec![self.all()?];
        while self.word("or") {
            parts.push(self.all()?);
        }
        Ok(match parts.len() {
            1 => parts.remove(0),
            _ => Condition::Any(parts),
        })
    }

    fn all(&mut self) -> Result<Condition, AskError> {
        let mut parts = Vec::new();
        loop {
            match self.one()? {
                Condition::All(inner) => parts.extend(inner),
                part => parts.push(part),
            }
            if !self.word("and") {
                break;
            }
        }
        Ok(match parts.len() {
            1 => parts.remove(0),
            _ => Condition::All(parts),
        })
    }

    fn one(&mut self) -> Result<Condition, AskError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.wrong("it is nested too deep"));
        }
        let one = if self.word("not") {
            Condition::Not(Box::new(self.one()?))
        } else if self.sign("(") {
            let inner = self.any()?;
            if !self.sign(")") {
                return Err(self.wrong("`)` is wanted here"));
            }
            inner
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(one)
    }

    fn comparison(&mut self) -> Result<Condition, AskError> {
        let Some(Token::Word(word)) = self.peek().cloned() else {
            return Err(self.wrong("a column is wanted here"));
        };
        let column = Column::named(&word)?;
        self.at += 1;
        let misfit = |word: &str| AskError::Comparison {
            column,
            word: word.to_owned(),
        };
        let is_text = column.kind() == Kind::Text;
        let negated = self.word("not");
        if self.word("in") {
            if !is_text {
                return Err(misfit("in"));
            }
            let values = self.list()?;
            let how = if negated { Compare::IsNot } else { Compare::Is };
            return Ok(Condition::Compare(column, how, Value::Texts(values)));
        }
        if self.word("like") {
            if !is_text {
                return Err(misfit("like"));
            }
            let how = if negated { Compare::IsNot } else { Compare::Is };
            let pattern = self.text()?;
            return Ok(Condition::Compare(column, how, Value::Like(pattern)));
        }
        let how = match self.peek() {
            _ if negated => return Err(self.wrong("`in` or `like` is wanted here")),
            Some(Token::Sign("=" | "==")) => Compare::Is,
            Some(Token::Sign("!=" | "<>")) => Compare::IsNot,
            Some(Token::Sign("<")) => Compare::Less,
            Some(Token::Sign("<=")) => Compare::Most,
            Some(Token::Sign(">")) => Compare::More,
            Some(Token::Sign(">=")) => Compare::Least,
            _ => return Err(self.wrong("a comparison is wanted here: =, !=, <, <=, >, >=, like, in")),
        };
        self.at += 1;
        let is_order = !matches!(how, Compare::Is | Compare::IsNot);
        if is_order && is_text {
            return Err(misfit("an order (<, >)"));
        }
        let value = match column.kind() {
            Kind::Text => Value::Texts(vec![self.text()?]),
            Kind::Count | Kind::Number => {
                let text = self.text()?;
                let number: Option<f64> = text.parse().ok().filter(|number: &f64| number.is_finite());
                Value::Number(number.ok_or(AskError::Value { column, value: text })?)
            }
            Kind::Time | Kind::Day => {
                let point = self.point(column)?;
                if is_order && point.is_none() {
                    return Err(misfit("an order with `none`"));
                }
                Value::Point(point)
            }
        };
        Ok(Condition::Compare(column, how, value))
    }

    fn list(&mut self) -> Result<Vec<String>, AskError> {
        if !self.sign("(") {
            return Err(self.wrong("`(` is wanted here"));
        }
        let mut values = vec![self.text()?];
        while self.sign(",") {
            values.push(self.text()?);
        }
        if !self.sign(")") {
            return Err(self.wrong("`,` or `)` is wanted here"));
        }
        Ok(values)
    }

    fn text(&mut self) -> Result<String, AskError> {
        let text = match self.peek() {
            Some(Token::Word(text) | Token::Text(text)) => text.clone(),
            _ => return Err(self.wrong("a value is wanted here")),
        };
        self.at += 1;
        Ok(text)
    }

    /// A time in nanoseconds, or a day in days; none for `none`.
    fn point(&mut self, column: Column) -> Result<Option<i64>, AskError> {
        let text = self.text()?;
        if text == "none" {
            return Ok(None);
        }
        let wrong = || AskError::Value {
            column,
            value: text.clone(),
        };
        let time = if self.word("ago") {
            let back = units::duration(&text).map_err(|_| wrong())?;
            let end = self.end.unwrap_or_else(Timestamp::now);
            end.checked_sub(back).map_err(|_| wrong())?
        } else {
            units::time(&text).map_err(|_| wrong())?
        };
        let nanos = i64::try_from(time.as_nanosecond()).map_err(|_| wrong())?;
        Ok(Some(match column.kind() {
            Kind::Day => nanos.div_euclid(DAY),
            _ => nanos,
        }))
    }
}

/// A quoted text without its quotes, and what comes after it. A quote that is doubled is one of the text.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut content = String::new();
    let mut rest = text.get(1..)?;
    loop {
        let end = rest.find(quote)?;
        content.push_str(rest.get(..end)?);
        rest = rest.get(end + 1..)?;
        match rest.strip_prefix(quote) {
            Some(more) => {
                content.push(quote);
                rest = more;
            }
            None => return Some((content, rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::glob;
    use proptest::prelude::*;

    fn ask(by: &[&str], condition: &str) -> Result<Question, AskError> {
        let by: Vec<String> = by.iter().map(ToString::to_string).collect();
        let end = "2026-03-31T00:00:00Z".parse().ok();
        Question::new(&by, Some(condition), &[], None, end)
    }

    #[test]
    fn paths_and_mounts_are_those_of_a_namespace() {
        let apart = |by: &[&str]| told_apart(&by.iter().map(ToString::to_string).collect::<Vec<_>>());
        for (by, want) in [
            (&["path"][..], Some("namespace path")),
            (&["principal", "mount", "path"], Some("principal namespace mount path")),
            (&["path", "namespace"], None),
            (&["principal"], None),
            (&[], None),
        ] {
            assert_eq!(apart(by).map(|by| by.join(" ")).as_deref(), want, "{by:?}");
        }
    }

    #[test]
    fn conditions_on_what_a_demand_is_choose_demands_and_the_others_choose_groups() {
        let question = ask(
            &["path"],
            "capability = read and not last_read > 90d ago and path like 'secret/*'",
        )
        .unwrap();
        assert_eq!(question.demands.unwrap().named(), [Column::Capability]);
        assert_eq!(question.groups.unwrap().named(), [Column::LastRead, Column::Path]);
        assert_eq!(
            ask(&["path"], "capability = read or denied > 0"),
            Err(AskError::Mixed(Column::Capability))
        );
        assert!(ask(&["path", "capability"], "capability = read or denied > 0").is_ok());
        assert_eq!(
            ask(&["path", "day"], "denied > 0"),
            Err(AskError::ByDay(Column::Denied))
        );
        assert_eq!(
            ask(&["path"], "day > 2026-01-01"),
            Err(AskError::NotGrouped(Column::Day))
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (condition, said) in [
            ("denid > 0", "`denid` is not a column: is `denied` meant?"),
            ("xyz = 1", "`xyz` is not a column"),
            ("denied > many", "`denied` is a number (10), and `many` is none"),
            ("denied > NaN", "`denied` is a number (10), and `NaN` is none"),
            (
                "last_seen < soon",
                "`last_seen` is a time (2026-01-31, 2026-01-31T12:00:00Z, 90d ago, none), and `soon` is none",
            ),
            ("path < a", "`an order (<, >)` does not go with `path`, which is text"),
            (
                "denied like 'x'",
                "`like` does not go with `denied`, which is a number (10)",
            ),
            ("denied >", "at character 9: a value is wanted here"),
            ("denied > 0 denied", "at character 12: `and` or `or` is wanted here"),
            ("(denied > 0", "at character 12: `)` is wanted here"),
            ("path = 'x", "at character 8: the text has no end"),
            ("path in (a b)", "at character 12: `,` or `)` is wanted here"),
            ("denied ! 0", "at character 8: `!` means nothing here"),
            ("", "at character 1: a column is wanted here"),
        ] {
            assert_eq!(ask(&["path"], condition).unwrap_err().to_string(), said, "{condition}");
        }
        assert!(ask(&[], &"(".repeat(4000)).is_err() && ask(&[], &"not ".repeat(1000)).is_err());
        assert!(ask(&[], &" ".repeat(5000)).is_err());
        assert_eq!(ask(&["denied"], "").unwrap_err(), AskError::Counted(Column::Denied));
        assert_eq!(ask(&["path", "path"], "").unwrap_err(), AskError::Twice(Column::Path));
    }

    #[test]
    fn values_are_read_by_the_kind_of_their_column() {
        let condition = |text: &str| ask(&["path", "day"], text).map(|q| q.groups.unwrap());
        let compare = |column, how, value| Ok(Condition::Compare(column, how, value));
        assert_eq!(
            condition("path = 'it''s'"),
            compare(Column::Path, Compare::Is, Value::Texts(vec!["it's".to_owned()]))
        );
        assert_eq!(
            condition("day >= 1d ago"),
            compare(Column::Day, Compare::Least, Value::Point(Some(20_542)))
        );
        assert_eq!(
            condition("PATH = a").map_err(|e| e.to_string()),
            Err("`PATH` is not a column: is `path` meant?".to_owned())
        );
    }

    #[test]
    fn a_pattern_is_of_all_of_a_text() {
        for (text, pattern, like) in [
            ("secret/a", "secret/*", true),
            ("secret/a", "*/a", true),
            ("secret/a", "secret", false),
            ("abcabc", "a*c", true),
            ("abc", "a*b", false),
            ("aXbXc", "a*b*c", true),
            ("a", "a*a", false),
            ("", "*", true),
        ] {
            assert_eq!(glob::matches(pattern, text), like, "{text} {pattern}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "[a-z_<>=!(),'\" *0-9]{0,60}|(not |\\(|denied|path| and | or |>|=|'x'|1){0,20}") {
            let _ = ask(&["path"], &text);
        }
    }
}
