//! Lines to entries: wrappings are taken off, entries that were cut into pieces put together, and every line accounted for.
//!
//! Where entries stand is decided by the first of them and kept to: at the beginning of their lines, behind a header of one
//! shape, or at one place in the objects that carry them. A text that does not end where its line ends is held, and read
//! with what follows if both together are one value; if not, each is judged by itself, as if nothing had been held. What
//! remains cut is read as far as it goes.

use super::columns::{Columns, Row};
use super::entry::{self, Entry};
use super::envelope::{self, Envelope};
use super::flat;
use super::grammar::{self, Grammar, Progress};
use super::header;
use super::place::{self, Leaf, Place};
use super::scan::{self, Fault};
use super::text::decode;
use super::worker::Worker;
use crate::usage::Skip;
use std::collections::BTreeSet;

/// Wrappings inside of each other that are taken off.
const MOST_WRAPPINGS: u32 = 5;

/// Beginnings of entries that are tried behind what is none, in one line.
const MOST_BEGINNINGS: usize = 16;

/// The most bytes of an entry in pieces.
const MOST_BYTES: usize = 128 << 20;

/// Entries in pieces at once: each stream of each container may have one.
const MOST_OPEN: usize = 16;

/// Held lines that are themselves beginnings without an end: of more, none is held again when what holds them is given up.
const MOST_BEGUN: u32 = 8;

/// Lines between an entry that was cut and its rest, where others write in between.
const MOST_BETWEEN: u64 = 64;

/// Places that are kept to.
const MOST_PLACES: usize = 8;

/// Objects that hold entries of which is noted what else they have.
const MOST_SAMPLES: u32 = 64;

/// How lines are wrapped, as far as the user said.
#[derive(Debug, Clone, Default)]
pub struct Wrapping {
    /// The kind.
    pub envelope: Envelope,
    /// A pointer to the wrapped entry or its text.
    pub pointer: Option<String>,
}

impl Wrapping {
    /// Whether entries may stand bare in their lines.
    #[must_use]
    pub const fn bare(&self) -> bool {
        self.envelope.bare() && self.pointer.is_none()
    }
}

/// By so much of a line it is told whether it begins as an entry does.
const LONGEST_BEGINNING: usize = 16;

/// One log as it is read: what is needed from line to line.
#[derive(Debug, Clone, Default)]
pub struct Stream {
    /// Lines so far.
    pub lines: u64,
    /// The first line skipped for each reason, from one.
    pub examples: [Option<u64>; Skip::ALL.len()],
    /// Texts that wait for their rest.
    open: Vec<Open>,
    /// Where entries stood, by the names of the places, with how often.
    stood: Vec<(Vec<u8>, u64)>,
    /// The places in objects, those together that were found together.
    places: Vec<Vec<Place>>,
    /// What the objects that hold entries have as members: of the first of them.
    members: BTreeSet<Vec<u8>>,
    /// How many objects these were.
    sampled: u32,
    /// Something else than entries stood where they stand: lines of a server's own log, or of another program.
    mixed: bool,
    /// The header of the last entry that had one.
    header: Vec<u8>,
    /// A list was begun in a line of its own.
    listed: bool,
    /// The line of the last entry that was cut and read as far as it goes: lines soon after it that begin within one are its rest.
    torn: Option<u64>,
    columns: Columns,
}

/// A text that waits for its rest.
#[derive(Debug, Clone)]
struct Open {
    stream: Vec<u8>,
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
struct Marks {
    /// Whether the text goes on in a further record.
    more: Option<bool>,
    ordinal: Option<u64>,
}

/// What became of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// It is in its bin, or held.
    Done,
    /// It is no entry, and in no bin yet.
    Nothing(Skip),
}

/// What a text stands in.
#[derive(Debug, Clone, Copy, Default)]
struct Outside<'a> {
    depth: u32,
    /// The name of the place.
    place: &'a [u8],
    /// Which of several streams in one log.
    stream: &'a [u8],
    /// What is known of how the text goes on, if the object that holds it is not to be asked.
    marks: Option<Marks>,
    /// The object that holds the text, and the whole object of the line.
    holder: &'a [u8],
    whole: &'a [u8],
    /// It stands at a place that is kept to: nothing is looked for inside of it.
    placed: bool,
    /// The header before it.
    header: &'a [u8],
    /// See [`Open::doubtful`].
    doubtful: bool,
    /// It is judged by itself, whatever follows.
    alone: bool,
    /// The line in which it begins, where that is not the one that is read.
    since: Option<u64>,
}

impl Stream {
    /// Reads one line, given without its line feed.
    pub fn line(&mut self, worker: &mut Worker, wrapping: &Wrapping, raw: &[u8]) {
        self.lines += 1;
        let mut reading = Reading {
            stream: self,
            worker,
            wrapping,
        };
        reading.line(raw);
    }

    /// Whether the next line begins something new.
    #[must_use]
    pub const fn fresh(&self) -> bool {
        self.open.is_empty() && !self.columns.waits()
    }

    /// Reads a line that was put aside.
    pub fn again(&mut self, worker: &mut Worker, wrapping: &Wrapping, raw: &[u8], line: u64) {
        let lines = std::mem::replace(&mut self.lines, line);
        let mut reading = Reading {
            stream: self,
            worker,
            wrapping,
        };
        reading.line(raw);
        self.lines = lines;
    }

    /// An entry stood bare in its line, and was read already.
    pub fn bare_entry(&mut self) {
        if let Some((name, count)) = self.stood.first_mut()
            && name.is_empty()
        {
            *count += 1;
        } else {
            self.stands(b"");
        }
    }

    /// The log ends.
    pub fn end(&mut self, worker: &mut Worker, wrapping: &Wrapping) {
        let lines = self.lines;
        let mut reading = Reading {
            stream: self,
            worker,
            wrapping,
        };
        let broken = reading.stream.columns.end();
        reading.bin(Skip::NotJson, broken);
        while !reading.stream.open.is_empty() {
            reading.give_up(0);
        }
        self.lines = lines;
    }

    /// The log is damaged from here on: whatever follows is lost.
    pub fn ends_early(&mut self, worker: &mut Worker) {
        self.lines += 1;
        let tally = &mut worker.usage_mut().table_mut().tally;
        tally.lines += 1;
        tally.skip(Skip::Truncated, 1);
        self.example(Skip::Truncated, self.lines);
    }

    /// A line longer than is read, of which this is the beginning.
    pub fn too_long(&mut self, worker: &mut Worker, wrapping: &Wrapping, beginning: &[u8]) {
        self.lines += 1;
        let mut reading = Reading {
            stream: self,
            worker,
            wrapping,
        };
        let text = trim(beginning);
        let at = header::entry_begins(text).filter(|at| {
            let header = text.get(..*at).unwrap_or_default();
            header.is_empty() || header::shape(header).is_some()
        });
        reading.cut(
            text.get(at.unwrap_or(text.len())..).unwrap_or_default(),
            Skip::TooLong,
            false,
        );
    }

    /// Notes where a line was skipped for a reason.
    pub fn example(&mut self, reason: Skip, line: u64) {
        if let Some(example) = self.examples.get_mut(usize::from(reason.index())) {
            *example = Some(example.map_or(line, |known| known.min(line)));
        }
    }

    /// Notes what an object that holds an entry is made of.
    fn sample(&mut self, object: &[u8]) {
        if self.sampled < MOST_SAMPLES {
            self.sampled += 1;
            self.members.extend(place::names(object).map(<[u8]>::to_vec));
        }
    }

    /// Whether an object without a text is one of those of which the others all hold entries: it has nothing that they do not have.
    fn lacks_its_text(&self, object: &[u8]) -> bool {
        let mut names = place::names(object).peekable();
        let is_any = names.peek().is_some();
        !self.mixed && self.sampled > 0 && is_any && names.all(|name| self.members.contains(name))
    }

    /// Whether a line may be the rest of an entry that was cut.
    fn is_torn(&self) -> bool {
        self.torn.is_some_and(|line| self.lines.abs_diff(line) <= MOST_BETWEEN)
    }

    /// Whether an entry stood at a place.
    fn stood(&self, name: &[u8]) -> bool {
        self.stood.iter().any(|(known, _)| known == name)
    }

    /// Whether an entry at a place is one of this log's: the place is the one at which most stood so far. What stands bare at
    /// the beginning of a line is inside of nothing.
    fn stands(&mut self, name: &[u8]) -> bool {
        let at = match self.stood.iter().position(|(known, _)| known == name) {
            Some(at) => at,
            None if self.stood.len() >= MOST_PLACES => return name.is_empty(),
            None => {
                self.stood.push((name.to_vec(), 0));
                self.stood.len() - 1
            }
        };
        let mut count = 0;
        if let Some((_, known)) = self.stood.get_mut(at) {
            *known += 1;
            count = *known;
        }
        let mut others = (0..).zip(&self.stood).filter(|(n, _)| *n != at);
        name.is_empty() || others.all(|(n, (_, other))| *other < count || (*other == count && at < n))
    }
}

/// A log with what is needed to read on.
struct Reading<'r> {
    stream: &'r mut Stream,
    worker: &'r mut Worker,
    wrapping: &'r Wrapping,
}

impl Reading<'_> {
    fn line(&mut self, raw: &[u8]) {
        // A file that was cut off while it was written begins so; anywhere else something else stood there before a disk or a
        // machine failed.
        let zeros = raw.iter().take_while(|byte| **byte == 0).count();
        let from = if self.stream.lines > 1 { 0 } else { zeros };
        if memchr::memchr(0, raw.get(from..).unwrap_or_default()).is_some() {
            self.bin(Skip::Unsaid, 1);
        }
        if self.wrapping.bare() {
            match self.stream.columns.line(raw) {
                Row::None => {}
                Row::Head => return self.join(1),
                Row::Held => return,
                Row::Broken(lines) => return self.bin(Skip::NotJson, lines),
                Row::Record { object, further } => {
                    self.join(further);
                    let row = Outside {
                        since: self.stream.lines.checked_sub(further),
                        ..Outside::default()
                    };
                    let found = self.wrapper(object.as_bytes(), row);
                    return self.settle(found);
                }
            }
        }
        let found = self.text(raw, Outside::default());
        let found = match found {
            Found::Nothing(reason @ (Skip::NotJson | Skip::NotAudit)) if self.is_part_of_entry(raw, reason) => {
                Found::Nothing(Skip::Unsaid)
            }
            found => found,
        };
        self.settle(found);
    }

    /// Whether a line that is no entry shows that it was one, or a part of one, or may be anything: its beginning is lost, it is no
    /// JSON any more, it stands where no other does, or it is no text (encrypted, compressed, lost when a disk failed). The first line may be the end of one from before the log.
    fn is_part_of_entry(&self, raw: &[u8], reason: Skip) -> bool {
        if header::is_no_text(raw) {
            return true;
        }
        if self.stream.lines <= 1 || (self.stream.is_torn() && !header::is_more_than_a_rest(raw)) {
            return false;
        }
        let marks = header::MARKS_OF_ENTRIES.iter();
        let marks = marks
            .filter(|mark| memchr::memmem::find(raw, mark).is_some())
            .take(2)
            .count();
        let dense: Vec<u8> = raw
            .iter()
            .copied()
            .filter(|c| *c != b' ')
            .take(LONGEST_BEGINNING)
            .collect();
        let begins = header::BEGINNINGS_OF_ENTRIES
            .iter()
            .any(|begin| dense.starts_with(begin));
        let hidden = || {
            let inner = header::from_base64(raw);
            inner.is_some_and(|inner| header::tells_of_a_request(&inner) || header::is_no_text(&inner))
        };
        marks > usize::from(reason == Skip::NotAudit)
            || (begins && reason == Skip::NotJson)
            || header::tells_of_a_request(raw)
            || hidden()
    }

    /// Puts what is no entry in its bin.
    fn settle(&mut self, found: Found) {
        if let Found::Nothing(reason) = found {
            self.bin(reason, 1);
        }
    }

    /// Counts lines as skipped.
    fn bin(&mut self, reason: Skip, lines: u64) {
        if lines == 0 {
            return;
        }
        let tally = &mut self.worker.usage_mut().table_mut().tally;
        tally.lines += lines;
        tally.skip(reason, lines);
        self.stream.example(reason, self.stream.lines);
    }

    /// Counts lines that belong to an entry that is counted, or to the frame of several.
    fn join(&mut self, lines: u64) {
        let tally = &mut self.worker.usage_mut().table_mut().tally;
        tally.lines += lines;
        tally.joined += lines;
    }

    /// A text in which entries stand, or a piece of one.
    fn text(&mut self, raw: &[u8], outside: Outside<'_>) -> Found {
        if outside.depth > MOST_WRAPPINGS {
            return Found::Nothing(Skip::NotAudit);
        }
        let text = trim(raw);
        if text.is_empty() {
            return Found::Nothing(Skip::Blank);
        }
        if !self.stream.open.is_empty() {
            let stream = stream_of(outside);
            if let Some(at) = self.stream.open.iter().position(|open| open.stream == stream)
                && self.go_on(at, raw, text, outside)
            {
                return Found::Done;
            }
        }
        match self.judge(text, outside) {
            Found::Nothing(reason @ (Skip::Truncated | Skip::NotJson)) if text.first() == Some(&b'{') => {
                let more = marks_of(outside, raw).more;
                if reason != Skip::Truncated || more == Some(false) || !self.hold(text, raw, outside) {
                    self.cut(text, reason, outside.doubtful);
                }
                Found::Done
            }
            Found::Nothing(Skip::NotJson | Skip::NotAudit | Skip::ServerLog)
                if !outside.doubtful && text.first() != Some(&b'{') && header::says_that_entries_are_lost(text) =>
            {
                Found::Nothing(Skip::Unsaid)
            }
            found => found,
        }
    }

    /// Holds a text that has no end yet; false if it is no beginning of a value.
    fn hold(&mut self, text: &[u8], raw: &[u8], outside: Outside<'_>) -> bool {
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
    fn go_on(&mut self, at: usize, raw: &[u8], text: &[u8], outside: Outside<'_>) -> bool {
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
    fn give_up(&mut self, at: usize) {
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
    fn cut(&mut self, text: &[u8], reason: Skip, doubtful: bool) {
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

    /// A whole entry, which is counted if entries stand there.
    fn entry(&mut self, entry: &Entry<'_>, outside: Outside<'_>) {
        if !self.stream.stands(outside.place) {
            let is_lost = !outside.doubtful && !self.stream.is_torn();
            return self.bin(if is_lost { Skip::Unsaid } else { Skip::NotAudit }, 1);
        }
        let mut entry = *entry;
        if entry.time.is_none() {
            entry.time = envelope::outer_time(outside.holder).or_else(|| envelope::outer_time(outside.whole));
        }
        let node = envelope::outer_node(outside.holder).or_else(|| envelope::outer_node(outside.whole));
        let seen = &mut self.worker.usage_mut().table_mut().seen;
        if let Some(node) = node.as_deref().or_else(|| envelope::syslog_node(outside.header)) {
            seen.node(node);
        }
        self.worker.usage_mut().table_mut().tally.lines += 1;
        if let Some(skip) = self.worker.entry(&entry, outside.since.unwrap_or(self.stream.lines)) {
            self.stream.example(skip, self.stream.lines);
        }
    }

    fn judge(&mut self, text: &[u8], outside: Outside<'_>) -> Found {
        match text.first() {
            None => Found::Nothing(Skip::Blank),
            Some(b'{') => self.objects(text, outside),
            Some(b'[') if self.wrapping.envelope.bare() || outside.depth > 0 => self.array(text, outside),
            Some(b']' | b',') if matches!(text, b"]" | b"]," | b",") => {
                self.join(1);
                Found::Done
            }
            Some(b'"') if scan::string(text, 0) == Ok(text.len()) => {
                let inner = decode(scan::unquoted(text).unwrap_or_default());
                let outside = Outside {
                    depth: outside.depth + 1,
                    ..outside
                };
                self.text(inner.as_bytes(), outside)
            }
            Some(_) => self.prefixed(text, outside),
        }
    }

    /// One object, or several one after the other, with nothing between them that would show them to be inside of another.
    fn objects(&mut self, text: &[u8], outside: Outside<'_>) -> Found {
        let first = entry::parse(text, 0);
        match &first {
            Ok((_, end)) if text.get(*end..).is_some_and(|rest| trim(rest).is_empty()) => {
                return self.object(first.ok().and_then(|(entry, _)| entry), text, outside);
            }
            Err(Fault::Truncated) => return Found::Nothing(Skip::Truncated),
            _ => {}
        }
        let mut ends = Vec::new();
        let mut at = 0;
        let rest = loop {
            let Ok((_, end)) = entry::parse(text, at) else {
                break text.get(at..).unwrap_or_default();
            };
            ends.push((at, end));
            let gap = text.get(end..).unwrap_or_default();
            let between = |c: &u8| matches!(c, b' ' | b'\t' | b'\r' | b'\n' | b',' | b'|' | b';' | 0 | 0x1e);
            let blank = gap.iter().take_while(|c| between(c)).count();
            let behind = gap.get(blank..).unwrap_or_default();
            match behind.first() {
                None => break &[][..],
                Some(b'{') => at = end + blank,
                Some(b']') if matches!(behind, b"]" | b"],") && std::mem::take(&mut self.stream.listed) => {
                    break &[][..];
                }
                // A whole value at the beginning of a line has no bracket to close, and is no member.
                Some(b'}' | b']' | b':' | b'"') => {
                    self.bin(Skip::Truncated, 1);
                    return Found::Done;
                }
                Some(_) => match header::entry_begins(behind) {
                    None => break behind,
                    Some(begin) if behind.get(..begin).and_then(header::shape).is_some() => at = end + blank + begin,
                    Some(begin) => break behind.get(begin..).unwrap_or_default(),
                },
            }
        };
        if ends.is_empty() {
            return self.behind_a_cut(text, outside);
        }
        for (at, end) in ends {
            let object = text.get(at..end).unwrap_or_default();
            let entry = entry::parse(object, 0).ok().and_then(|(entry, _)| entry);
            let found = self.object(entry, object, outside);
            self.settle(found);
        }
        self.leftover(rest, outside);
        Found::Done
    }

    /// An entry that stands, to the end of its line, behind one that a crash cut: where the text stops to be JSON.
    fn behind_a_cut(&mut self, text: &[u8], outside: Outside<'_>) -> Found {
        let Progress::Malformed(fault) = grammar::of(text) else {
            return Found::Nothing(Skip::NotJson);
        };
        for at in (fault.saturating_sub(2)..=fault).rev().filter(|at| *at > 0) {
            let (cut, rest) = text.split_at(at);
            if let Ok((entry @ Some(_), end)) = entry::parse(rest, 0)
                && trim(rest.get(end..).unwrap_or_default()).is_empty()
            {
                self.cut(cut, Skip::Truncated, outside.doubtful);
                return self.object(entry, rest, outside);
            }
        }
        Found::Nothing(Skip::NotJson)
    }

    /// What is left of a line behind good entries: each beginning in it counts as a line of its own that was not used.
    fn leftover(&mut self, mut rest: &[u8], outside: Outside<'_>) {
        for _ in 0..MOST_BEGINNINGS {
            let Some(at) = memchr::memmem::find(rest, b"{\"") else {
                return;
            };
            rest = rest.get(at..).unwrap_or_default();
            match entry::parse(rest, 0) {
                Ok((_, end)) => {
                    self.bin(Skip::NotAudit, 1);
                    rest = rest.get(end..).unwrap_or_default();
                }
                Err(Fault::Truncated) => return self.cut(rest, Skip::Truncated, outside.doubtful),
                Err(Fault::Malformed) => {
                    self.bin(Skip::NotJson, 1);
                    rest = rest.get(1..).unwrap_or_default();
                }
            }
        }
    }

    /// A whole object, read as an entry if it is one.
    fn object(&mut self, entry: Option<Entry<'_>>, object: &[u8], outside: Outside<'_>) -> Found {
        match entry {
            Some(entry) if outside.depth > 0 || self.wrapping.bare() => {
                self.entry(&entry, outside);
                Found::Done
            }
            _ if outside.placed => self.nested(object, outside),
            _ => self.wrapper(object, outside),
        }
    }

    /// An object at its place that is no entry as it is.
    fn nested(&mut self, object: &[u8], outside: Outside<'_>) -> Found {
        if let Some(nested) = flat::nested(object)
            && let Ok((Some(mut entry), _)) = entry::parse(nested.as_bytes(), 0)
        {
            // Where a name of the data ends is not known.
            entry.request.cut = true;
            self.entry(&entry, outside);
            return Found::Done;
        }
        Found::Nothing(if place::is_server_log(object) {
            Skip::ServerLog
        } else {
            Skip::NotAudit
        })
    }

    /// An object that is no entry: the entry may be inside.
    fn wrapper(&mut self, object: &[u8], outside: Outside<'_>) -> Found {
        if place::is_server_log(object) {
            return Found::Nothing(Skip::ServerLog);
        }
        let asked = self.wrapping.pointer.as_deref().map(Place::of);
        if asked.is_none() && !self.wrapping.envelope.wrapped() {
            return Found::Nothing(Skip::NotAudit);
        }
        if let Some(place) = asked {
            let there = self.at(object, &place, outside);
            return self.held(there, object);
        }
        let mut places = std::mem::take(&mut self.stream.places);
        let mut there = false;
        for group in &places {
            for place in group {
                there |= self.at(object, place, outside);
            }
            if there {
                break;
            }
        }
        if !there && places.len() < MOST_PLACES {
            let found = place::find(object, self.wrapping.envelope.pointers());
            for place in &found {
                there |= self.at(object, place, outside);
            }
            if !found.is_empty() {
                places.push(found);
            }
        }
        // Where entries stand and nothing does, one was too long for whoever wrote this.
        let known = places.iter().flatten();
        let emptied = known.map(ToString::to_string).chain(envelope::journal(object));
        let emptied = emptied
            .filter(|_| !there)
            .any(|place| envelope::follow(object, &place) == Some(b"null"));
        self.stream.places = places;
        if emptied {
            return Found::Nothing(Skip::TooLong);
        }
        self.held(there, object)
    }

    /// What an object is where others hold entries, by whether something stood at their place in it.
    fn held(&mut self, there: bool, object: &[u8]) -> Found {
        if there {
            self.stream.sample(object);
            return Found::Done;
        }
        if self.stream.lacks_its_text(object) {
            return Found::Nothing(Skip::Unsaid);
        }
        self.stream.mixed = true;
        Found::Nothing(Skip::NotAudit)
    }

    /// Reads what stands at a place in an object; false if the place is not there.
    fn at(&mut self, object: &[u8], place: &Place, outside: Outside<'_>) -> bool {
        let mut name = outside.place.to_vec();
        name.extend_from_slice(place.to_string().as_bytes());
        place::leaves(object, place, &mut |leaf: Leaf<'_>| {
            let inside = Outside {
                depth: outside.depth + 1,
                place: &name,
                stream: b"",
                marks: None,
                holder: leaf.holder,
                whole: object,
                placed: true,
                ..outside
            };
            let stood = self.stream.stood(&name);
            let found = if stood && header::is_mark(leaf.value, leaf.text) {
                Found::Nothing(Skip::TooLong)
            } else if stood
                && leaf.text
                && !self.stream.mixed
                && (trim(leaf.value).is_empty() || header::says_it_is_gone(leaf.value))
            {
                Found::Nothing(Skip::Unsaid)
            } else if leaf.text {
                self.text(leaf.value, inside)
            } else {
                let entry = entry::parse(leaf.value, 0).ok().and_then(|(entry, _)| entry);
                self.object(entry, leaf.value, inside)
            };
            self.stream.mixed |= matches!(found, Found::Nothing(Skip::ServerLog | Skip::NotJson | Skip::NotAudit));
            self.settle(found);
        })
    }

    fn array(&mut self, text: &[u8], outside: Outside<'_>) -> Found {
        match scan::elements(text, 0) {
            Ok((elements, end)) if matches!(trim(text.get(end..).unwrap_or_default()), b"" | b",") => {
                let outside = Outside {
                    depth: outside.depth + u32::from(outside.depth > 0),
                    ..outside
                };
                let mut any = false;
                for element in elements {
                    if !matches!(element.first(), Some(b'{' | b'[' | b'"')) {
                        continue;
                    }
                    any = true;
                    let found = if outside.depth > MOST_WRAPPINGS || element.first() == Some(&b'[') {
                        Found::Nothing(Skip::NotAudit)
                    } else {
                        self.judge(element, outside)
                    };
                    self.settle(found);
                }
                if any {
                    Found::Done
                } else {
                    Found::Nothing(Skip::NotAudit)
                }
            }
            Err(Fault::Truncated) if outside.depth == 0 => {
                let rest = trim(text.get(1..).unwrap_or_default());
                match rest.first() {
                    None => {
                        self.stream.listed = true;
                        self.join(1);
                        Found::Done
                    }
                    Some(b'{') => {
                        self.stream.listed = true;
                        self.text(rest, outside)
                    }
                    Some(_) => self.prefixed(text, outside),
                }
            }
            _ => self.prefixed(text, outside),
        }
    }

    /// Text before the entry.
    fn prefixed(&mut self, text: &[u8], outside: Outside<'_>) -> Found {
        if memchr::memmem::find(text, b"<json:object").is_some() {
            return Found::Nothing(Skip::Jsonx);
        }
        if header::is_server_log(text) && header::entry_begins(text).is_none_or(|at| is_quoted(text, at)) {
            return Found::Nothing(Skip::ServerLog);
        }
        if !self.wrapping.envelope.prefixed() {
            return Found::Nothing(Skip::NotJson);
        }
        if let Some(line) = envelope::cri(text) {
            let inside = Outside {
                depth: outside.depth + 1,
                place: b"cri",
                stream: line.stream,
                marks: Some(Marks {
                    more: Some(line.more),
                    ordinal: None,
                }),
                ..outside
            };
            return self.text(line.text, inside);
        }
        if let Some(found) = self.rest(text, outside) {
            return found;
        }
        let Some(at) = header::entry_begins(text) else {
            return Found::Nothing(Skip::NotJson);
        };
        let (head, inner) = text.split_at(at);
        let Some(shape) = header::shape(head) else {
            return self.behind_any_text(text, outside);
        };
        let (mut place, stream) = (outside.place.to_vec(), header::writer(head));
        place.extend_from_slice(b" ");
        place.extend_from_slice(&shape);
        self.stream.header.clear();
        self.stream.header.extend_from_slice(head);
        let inside = Outside {
            depth: outside.depth + 1,
            place: &place,
            stream: if outside.placed { outside.stream } else { &stream },
            header: head,
            ..outside
        };
        self.text(inner, inside)
    }

    /// An entry behind what is no header, up to the end of its line: read only where the user said that text stands before it.
    fn behind_any_text(&mut self, text: &[u8], outside: Outside<'_>) -> Found {
        if self.wrapping.envelope != Envelope::Prefix {
            return Found::Nothing(Skip::NotJson);
        }
        let begins = header::first_entry(text).map(|at| text.get(at..).unwrap_or_default());
        match begins.map(|rest| (rest, entry::parse(rest, 0))) {
            Some((rest, Ok((Some(entry), end)))) if trim(rest.get(end..).unwrap_or_default()).is_empty() => {
                self.entry(&entry, outside);
                Found::Done
            }
            _ => Found::Nothing(Skip::NotJson),
        }
    }

    /// A line that goes on with a text that is held for its writer.
    fn rest(&mut self, text: &[u8], outside: Outside<'_>) -> Option<Found> {
        if self.stream.open.is_empty() || outside.placed {
            return None;
        }
        let rest = header::after(text, &self.stream.header)?;
        let head = text.get(..text.len() - rest.len())?;
        let stream = header::writer(head);
        if rest.first() == Some(&b'{') || !self.stream.open.iter().any(|open| open.stream == stream) {
            return None;
        }
        let inside = Outside {
            depth: outside.depth + 1,
            stream: &stream,
            header: head,
            ..outside
        };
        Some(self.text(rest, inside))
    }
}

/// Whether words stand between the level of a line of the server's log and an object in it.
fn is_quoted(text: &[u8], at: usize) -> bool {
    text.get(..at).is_some_and(header::is_server_log)
}

/// The name of the stream that a text is a piece of.
fn stream_of(outside: Outside<'_>) -> Vec<u8> {
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
fn marks_of(outside: Outside<'_>, raw: &[u8]) -> Marks {
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

/// The line without white space, NUL bytes and byte order marks around it.
fn trim(mut text: &[u8]) -> &[u8] {
    loop {
        text = match text {
            [b' ' | b'\t' | b'\r' | b'\n' | 0, rest @ ..] | [0xef, 0xbb, 0xbf, rest @ ..] => rest,
            _ => break,
        };
    }
    while let [rest @ .., b' ' | b'\t' | b'\r' | b'\n' | 0] = text {
        text = rest;
    }
    text
}
