//! Where a piece of text came from: file, line and column, carried from the parser to every message; and how the text of a
//! policy is put together where it stands inside of other files.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A place in a source text. Lines and columns count from one; columns count characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Origin {
    /// The file as the user named it, or a word such as `<stdin>`.
    pub file: Arc<str>,
    /// Line, from one.
    pub line: u32,
    /// Column in characters, from one.
    pub column: u32,
}

impl Origin {
    /// A place in `file`.
    #[must_use]
    pub fn new(file: impl Into<Arc<str>>, line: u32, column: u32) -> Self {
        Self {
            file: file.into(),
            line,
            column,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A line of a log.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LogLine {
    /// The log as the user named it, a file inside of it, or `<stdin>`.
    pub file: Arc<str>,
    /// From one; of what is compressed a line of the text inside.
    pub line: u32,
}

impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A text of a repository, whole: what places in it are counted against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceText {
    /// The file as the user named it.
    pub file: Arc<str>,
    /// All of it.
    pub text: Arc<str>,
    /// Where its lines begin.
    starts: Arc<[usize]>,
}

impl SourceText {
    /// With the places of its lines.
    #[must_use]
    pub fn new(file: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        let starts = std::iter::once(0)
            .chain(
                text.bytes()
                    .enumerate()
                    .filter(|(_, b)| *b == b'\n')
                    .map(|(n, _)| n + 1),
            )
            .collect();
        Self {
            file: file.into(),
            text,
            starts,
        }
    }

    /// Line and column of a byte.
    #[must_use]
    pub fn place(&self, offset: usize) -> Origin {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        let before = self.text.get(start..offset).unwrap_or("");
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Origin::new(Arc::clone(&self.file), number(line), number(before.chars().count() + 1))
    }

    /// The byte that a line and a column stand for.
    #[must_use]
    pub fn offset(&self, line: u32, column: u32) -> usize {
        let start = self
            .starts
            .get((line as usize).saturating_sub(1))
            .copied()
            .unwrap_or(self.text.len());
        let rest = self.text.get(start..).unwrap_or("");
        let skipped = (column as usize).saturating_sub(1);
        start + rest.char_indices().nth(skipped).map_or(rest.len(), |(n, _)| n)
    }

    /// Where the line of a byte begins.
    #[must_use]
    pub fn line_start(&self, offset: usize) -> usize {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        self.starts.get(line - 1).copied().unwrap_or(0)
    }

    /// Where the line of a byte ends, its line end included.
    #[must_use]
    pub fn line_end(&self, offset: usize) -> usize {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        self.starts.get(line).copied().unwrap_or(self.text.len())
    }
}

/// How a text is spelt where it stands: what has to be written for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Spelling {
    /// As it is.
    Plain,
    /// With `$${` for `${`.
    Template,
    /// As a template, every line after so many characters of white space.
    Heredoc(usize),
    /// In double quotes of HCL.
    Quoted,
    /// In double quotes of JSON.
    Json,
    /// In double quotes of JSON that Terraform reads as a template.
    JsonTemplate,
    /// A block scalar of YAML, every line after so many spaces.
    Block(usize),
}

/// How much of a piece can be written anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hold {
    /// Byte for byte as in the file.
    Exact,
    /// Written otherwise in the file, and replaced as a whole.
    Whole,
    /// Made by something that stands in the file; it can only go.
    Made,
}

/// Where a piece of a text stands in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    /// The file.
    pub source: Arc<SourceText>,
    /// How texts are spelt there.
    pub spelling: Spelling,
    /// The bytes.
    pub range: Range<usize>,
    /// What can be done with them.
    pub hold: Hold,
}

/// A piece of a text, and where it stands: in the file that says it first, then in the files that put it together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Piece {
    /// How many bytes of the text.
    pub len: usize,
    /// The places, the innermost first; none where it was worked out.
    pub levels: Vec<Level>,
}

/// Where the text of a policy is written that stands inside of another file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// What the policy is made by, such as `vault_policy.app["web"]`.
    pub address: Arc<str>,
    /// Where that stands.
    pub origin: Origin,
    /// The text piece by piece.
    pub pieces: Vec<Piece>,
    /// Where each piece begins in the text.
    starts: Vec<usize>,
    /// The address of the server that it is for, where that is said.
    pub server: Arc<str>,
    /// Why nothing can be written back, where that is known from the start.
    pub fixed: Option<Arc<str>>,
    /// What makes this policy and nothing else, where it can go as it is.
    pub whole: Option<(Arc<SourceText>, Range<usize>)>,
}

impl Written {
    /// Of pieces.
    #[must_use]
    pub fn new(address: &str, origin: Origin, pieces: Vec<Piece>) -> Self {
        let mut at = 0;
        let starts = pieces.iter().map(|piece| {
            let start = at;
            at += piece.len;
            start
        });
        Self {
            address: address.into(),
            origin,
            starts: starts.collect(),
            pieces,
            server: Arc::default(),
            fixed: None,
            whole: None,
        }
    }

    /// The piece that a byte of the text is in: its number, and where it begins.
    #[must_use]
    pub fn piece(&self, offset: usize) -> Option<(usize, usize)> {
        let number = self.starts.partition_point(|start| *start <= offset).checked_sub(1)?;
        let start = *self.starts.get(number)?;
        (offset < start + self.pieces.get(number)?.len).then_some((number, start))
    }

    /// The place of a byte of the text: its own, or that of what made it.
    #[must_use]
    pub fn place(&self, offset: usize) -> Origin {
        let level = self.piece(offset).and_then(|(number, start)| {
            let level = self.pieces.get(number)?.levels.first()?;
            let inside = match level.hold {
                Hold::Exact => offset - start,
                Hold::Whole | Hold::Made => 0,
            };
            Some(level.source.place(level.range.start + inside))
        });
        level.unwrap_or_else(|| self.origin.clone())
    }
}
