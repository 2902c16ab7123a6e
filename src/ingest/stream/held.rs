//! Texts that wait for their rest, and what is read of those that have none.

use super::{Outside, Reading, trim};
use crate::ingest::entry::{self, Entry};
use crate::ingest::grammar::{self, Grammar, Progress};
use crate::ingest::text::decode;
use crate::ingest::{place, scan};
use crate::usage::Skip;

/// The most bytes of an entry in pieces.
const MOST_BYTES: usize = 128 << 20;

/// Entries in pieces at once: each stream of each container may have one.
const MOST_OPEN: usize = 16;

/// Held lines that are themselves beginnings without an end: of more, none is held again when what holds them is given up.
const MOST_BEGUN: u32 = 8;

/// A text that waits for its rest.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub(super) stream: Vec<u8>,
    text: Vec<u8>,
    grammar: Grammar,
    /// How long its first piece is, and in which line that stands.
    first: usize,
    since: u64,
    pieces: Vec<Piece>,
    /// How many of the pieces are beginnings themselves.
    begun: u32,
    ordinal: Option<u64>,
    /// It was held as a piece of another: it may be the inside of one, so no entry is read off its beginning.
    doubtful: bool,
}

/// A further piece.
#[derive(Debug, Clone)]
struct Piece {
    line: u64,
    from: usize,
    marks: Marks,
}

/// What a record of a container's log says of its text.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Marks {
    /// Whether the text goes on in a further record.
    pub(super) more: Option<bool>,
    pub(super) ordinal: Option<u64>,
}

impl Reading<'_> {
    /// Holds a text that has no end yet; false if it is no beginning of a value.
    pub(super) fn hold(&mut self, text: &[u8], raw: &[u8], outside: Outside<'_>) -> bool {
        let mut grammar = Grammar::default();
        if outside.alone || text.len() > MOST_BYTES || grammar.feed(text) != Progress::Open {
            return false;
        }
        if self.stream.open.len() >= MOST_OPEN {
            self.give_up(0);
        }
        self.stream.open.push(Open {
            stream: stream_of(outside),
            text: text.to_vec(),
            grammar,
            first: text.len(),
            since: self.stream.lines,
            pieces: Vec::new(),
            begun: 0,
            ordinal: marks_of(outside, raw).ordinal,
            doubtful: outside.doubtful,
        });
        true
    }

    /// A further piece of a held text. False if it is none: then what was held is given up.
    pub(super) fn go_on(&mut self, at: usize, raw: &[u8], text: &[u8], outside: Outside<'_>) -> bool {
        let marks = marks_of(outside, raw);
        let begins = if text.first() == Some(&b'{') {
            grammar::of(text) == Progress::Open
        } else {
            false
        };
        let line = self.stream.lines;
        let Some(open) = self.stream.open.get_mut(at) else {
            return false;
        };
        let expected = open.ordinal.and_then(|n| n.checked_add(1));
        let in_order = expected.is_none() || marks.ordinal.is_none() || expected == marks.ordinal;
        open.begun += u32::from(begins);
        let piece = without_end(raw);
        if !in_order || open.text.len() + piece.len() > MOST_BYTES {
            self.give_up(at);
            return false;
        }
        let from = open.text.len();
        match open.grammar.feed(piece) {
            Progress::Open if marks.more != Some(false) => {
                open.text.extend_from_slice(piece);
                open.ordinal = marks.ordinal;
                open.pieces.push(Piece { line, from, marks });
                true
            }
            Progress::Complete(_) => {
                let mut open = self.stream.open.swap_remove(at);
                open.text.extend_from_slice(piece);
                self.join(open.pieces.len() as u64 + 1);
                let whole = Outside {
                    since: Some(open.since),
                    ..outside
                };
                let found = self.judge(trim(&open.text), whole);
                self.settle(found);
                true
            }
            Progress::Open | Progress::Malformed(_) => {
                self.give_up(at);
                false
            }
        }
    }

    /// A held text has no end: it is read as far as it goes, and what was held with it by itself.
    pub(super) fn give_up(&mut self, at: usize) {
        let open = self.stream.open.remove(at);
        let lines = std::mem::replace(&mut self.stream.lines, open.since);
        let first = open.text.get(..open.first).unwrap_or_default();
        self.cut(first, Skip::Truncated, open.doubtful);
        let ends = open
            .pieces
            .iter()
            .skip(1)
            .map(|piece| piece.from)
            .chain([open.text.len()]);
        let id = entry::head(first).map_or(&[][..], |entry| entry.request.id);
        for (piece, end) in open.pieces.iter().zip(ends) {
            self.stream.lines = piece.line;
            let text = open.text.get(piece.from..end).unwrap_or_default();
            // Another entry of the same request: the server gives the id, so no caller can have written it.
            let same = !id.is_empty() && entry::head(text).is_some_and(|entry| entry.request.id == id);
            let found = self.text(
                text,
                Outside {
                    stream: &open.stream,
                    marks: Some(piece.marks),
                    doubtful: !same,
                    alone: open.begun > MOST_BEGUN,
                    placed: !open.stream.is_empty(),
                    ..Outside::default()
                },
            );
            self.settle(found);
        }
        self.stream.lines = lines;
    }

    /// A text whose end is missing: what was asked is read off its beginning.
    pub(super) fn cut(&mut self, text: &[u8], reason: Skip, doubtful: bool) {
        if !doubtful {
            if let Some(entry) = entry::head(text) {
                return self.cut_entry(&entry, reason);
            }
            // The end of what carries the entry may be missing.
            let inner = unfinished_text(text);
            if let Some(entry) = inner.as_deref().map(trim).and_then(entry::head) {
                return self.cut_entry(&entry, reason);
            }
        }
        let is_lost = !doubtful && reason == Skip::NotJson && self.is_part_of_entry(text, reason);
        self.bin(if is_lost { Skip::Unsaid } else { reason }, 1);
    }

    fn cut_entry(&mut self, entry: &Entry<'_>, reason: Skip) {
        self.stream.torn = Some(self.stream.lines);
        self.worker.usage_mut().table_mut().tally.lines += 1;
        if let Some(skip) = self.worker.cut(entry, reason, self.stream.lines) {
            self.stream.example(skip, self.stream.lines);
        }
    }
}

/// The name of the stream that a text is a piece of.
pub(super) fn stream_of(outside: Outside<'_>) -> Vec<u8> {
    if outside.holder.is_empty() || !outside.stream.is_empty() {
        return outside.stream.to_vec();
    }
    let mut stream = b"/".to_vec();
    for name in [
        "stream",
        "source",
        "container_id",
        "container_name",
        "partial_id",
        "_HOSTNAME",
        "host",
    ] {
        if let Some(value) = place::member(outside.holder, name).and_then(scan::unquoted) {
            stream.extend_from_slice(value);
            stream.push(b'/');
        }
    }
    stream
}

/// What a record says of how its text goes on.
pub(super) fn marks_of(outside: Outside<'_>, raw: &[u8]) -> Marks {
    if let Some(marks) = outside.marks {
        return marks;
    }
    if outside.holder.is_empty() {
        return Marks::default();
    }
    let text = |name: &str| place::member(outside.holder, name).map(|value| scan::unquoted(value).unwrap_or(value));
    let more = match (text("partial_last"), text("logtag"), text("partial_message")) {
        (Some(b"true"), _, _) | (None, Some(b"F"), _) => Some(false),
        (Some(_), _, _) | (None, Some(b"P"), _) | (None, None, Some(b"true")) => None,
        _ if raw.ends_with(b"\n") => Some(false),
        _ => None,
    };
    let ordinal = text("partial_ordinal").and_then(|n| std::str::from_utf8(n).ok()?.parse().ok());
    Marks { more, ordinal }
}

/// The text of the member in which a cut object ends.
fn unfinished_text(object: &[u8]) -> Option<Vec<u8>> {
    let mut members = scan::Members::of(object, 0).ok()?;
    while let Ok(Some(_)) = members.next() {}
    let (_, value) = members.unfinished()?;
    let raw = value.strip_prefix(b"\"")?;
    Some(decode(raw).into_owned().into_bytes())
}

/// A piece without the end of its line. Blanks at its beginning may be inside of a text.
fn without_end(mut text: &[u8]) -> &[u8] {
    while let [rest @ .., b'\r' | b'\n' | 0] = text {
        text = rest;
    }
    text
}
