//! Texts that know where each of their pieces stands, so that a change of the text can become a change of the file.

use super::node::Node;
use crate::origin::{Hold, Level, Piece, SourceText, Spelling, Written};
use sha2::{Digest as _, Sha256};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// What a text is, to know the very same again.
#[must_use]
pub fn digest(text: &str) -> Arc<str> {
    digest_of(text.as_bytes())
}

/// What bytes are, to know the very same again.
#[must_use]
pub fn digest_of(bytes: &[u8]) -> Arc<str> {
    hex(&Sha256::digest(bytes))
}

/// What a regular file of any size is, to know the very same again; none where it cannot be read.
#[must_use]
pub fn digest_of_file(path: &Path) -> Option<Arc<str>> {
    let mut digest = Sha256::new();
    crate::files::pass(path, |piece| digest.update(piece)).ok()?;
    Some(hex(&digest.finalize()))
}

fn hex(digest: &[u8]) -> Arc<str> {
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    hex.into()
}

/// What a file is: its name and its bytes.
#[must_use]
pub fn is_so(file: &Path, bytes: &[u8]) -> Arc<str> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    format!("{name} {}", digest_of(bytes)).into()
}

/// A text with its pieces.
#[derive(Debug, Clone, Default)]
pub struct Text {
    /// The text.
    pub text: Arc<str>,
    /// Where it stands, piece by piece; the lengths add up to that of the text.
    pub pieces: Arc<[Piece]>,
    /// What it says as JSON, where it was made of a value: nothing of that value's places is lost.
    pub json: Option<Arc<Node>>,
}

impl Text {
    /// A text that was worked out.
    #[must_use]
    pub fn made(text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        let piece = Piece {
            len: text.len(),
            levels: Vec::new(),
        };
        Self {
            pieces: Arc::from([piece]),
            text,
            json: None,
        }
    }

    /// What it takes to hold it: its bytes, and what is known of each piece.
    #[must_use]
    pub fn cost(&self) -> usize {
        let levels: usize = self.pieces.iter().map(|piece| piece.levels.len()).sum();
        self.text.len() + size_of::<Piece>() * self.pieces.len() + size_of::<Level>() * levels
    }

    /// A whole file.
    #[must_use]
    pub fn file(source: &Arc<SourceText>, spelling: Spelling) -> Self {
        let mut builder = Builder::default();
        builder.exact(source, spelling, 0..source.text.len());
        builder.finish()
    }

    /// The same text, all of it standing for what is at `range`.
    #[must_use]
    pub fn within(&self, level: &Level) -> Self {
        let pieces = self.pieces.iter().map(|piece| {
            let mut piece = piece.clone();
            piece.levels.push(level.clone());
            piece
        });
        Self {
            text: Arc::clone(&self.text),
            pieces: pieces.collect(),
            json: None,
        }
    }

    /// A part of it.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Self {
        let mut builder = Builder::default();
        builder.part(self, range);
        builder.finish()
    }

    /// Where a policy of this text is written.
    #[must_use]
    pub fn written(&self, address: &str, source: &Arc<SourceText>, at: usize) -> Written {
        Written::new(address, source.place(at), self.pieces.to_vec())
    }
}

/// Puts a text together.
#[derive(Debug, Default)]
pub struct Builder {
    text: String,
    pieces: Vec<Piece>,
}

impl Builder {
    /// Adds bytes of a file as they are.
    pub fn exact(&mut self, source: &Arc<SourceText>, spelling: Spelling, range: Range<usize>) {
        let Some(text) = source.text.get(range.clone()).filter(|t| !t.is_empty()) else {
            return;
        };
        self.text.push_str(text);
        if let Some(last) = self.pieces.last_mut()
            && let [level] = last.levels.as_mut_slice()
            && level.hold == Hold::Exact
            && level.range.end == range.start
            && level.spelling == spelling
            && Arc::ptr_eq(&level.source, source)
        {
            level.range.end = range.end;
            last.len += text.len();
            return;
        }
        self.pieces.push(Piece {
            len: text.len(),
            levels: vec![Level {
                source: Arc::clone(source),
                spelling,
                range,
                hold: Hold::Exact,
            }],
        });
    }

    /// Adds a text that is spelt otherwise in the file.
    pub fn whole(&mut self, text: &str, source: &Arc<SourceText>, spelling: Spelling, range: Range<usize>, hold: Hold) {
        self.text.push_str(text);
        self.pieces.push(Piece {
            len: text.len(),
            levels: vec![Level {
                source: Arc::clone(source),
                spelling,
                range,
                hold,
            }],
        });
    }

    /// Adds what was worked out.
    pub fn made(&mut self, text: &str) {
        if !text.is_empty() {
            self.text.push_str(text);
            self.pieces.push(Piece {
                len: text.len(),
                levels: Vec::new(),
            });
        }
    }

    /// Adds another text, with its places.
    pub fn text(&mut self, other: &Text) {
        self.text.push_str(&other.text);
        self.pieces.extend(other.pieces.iter().cloned());
    }

    /// Adds a part of another text.
    pub fn part(&mut self, other: &Text, range: Range<usize>) {
        Cutter::new(other).part(self, range);
    }

    /// The text.
    #[must_use]
    pub fn finish(self) -> Text {
        Text {
            text: self.text.into(),
            pieces: self.pieces.into(),
            json: None,
        }
    }
}

/// Takes parts out of a text, one after the other: a part begins where an earlier one ended, or later.
#[derive(Debug)]
pub struct Cutter<'t> {
    text: &'t Text,
    /// The first piece that was not passed, and where it begins.
    number: usize,
    at: usize,
}

impl<'t> Cutter<'t> {
    /// From the beginning of a text.
    #[must_use]
    pub const fn new(text: &'t Text) -> Self {
        Self { text, number: 0, at: 0 }
    }

    /// Adds a part to another text.
    pub fn part(&mut self, to: &mut Builder, range: Range<usize>) {
        let Some(text) = self.text.text.get(range.clone()) else {
            return;
        };
        to.text.push_str(text);
        while let Some(piece) = self.text.pieces.get(self.number) {
            let (at, next) = (self.at, self.at + piece.len);
            let (from, until) = (at.max(range.start), next.min(range.end));
            if from < until {
                let mut cut = piece.clone();
                cut.len = until - from;
                if cut.len < piece.len {
                    for level in &mut cut.levels {
                        match level.hold {
                            Hold::Exact => {
                                level.range = level.range.start + (from - at)..level.range.start + (until - at);
                            }
                            // A part of what can only be replaced whole cannot be replaced.
                            Hold::Whole | Hold::Made => level.hold = Hold::Made,
                        }
                    }
                }
                to.pieces.push(cut);
            }
            if next > range.end {
                return;
            }
            self.number += 1;
            self.at = next;
        }
    }
}
