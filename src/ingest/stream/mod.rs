//! Lines to entries: wrappings are taken off, entries that were cut into pieces put together, and every line accounted for.
//!
//! Where entries stand is decided by the first of them and kept to: at the beginning of their lines, behind a header of one
//! shape, or at one place in the objects that carry them. A text that does not end where its line ends is held, and read
//! with what follows if both together are one value; if not, each is judged by itself, as if nothing had been held. What
//! remains cut is read as far as it goes.

mod damage;
mod held;
mod prefix;
mod values;
mod wrapper;

use super::columns::{Columns, Row};
use super::entry::Entry;
use super::envelope::{self, Envelope};
use super::header;
use super::place::{self, Place};
use super::worker::Worker;
use crate::usage::Skip;
use held::{Marks, Open, marks_of, stream_of};
use std::collections::{BTreeMap, BTreeSet};

/// Wrappings inside of each other that are taken off.
const MOST_WRAPPINGS: u32 = 5;

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
    /// What may be left of entries where none stood yet, by the names of the places: the first line, and how many.
    left: BTreeMap<Vec<u8>, (u64, u64)>,
    /// A list was begun in a line of its own.
    listed: bool,
    /// The line of the last entry that was cut and read as far as it goes: lines soon after it that begin within one are its rest.
    torn: Option<u64>,
    columns: Columns,
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
        reading.waited(lines);
        reading.bin(Skip::NotJson, broken);
        while !reading.stream.open.is_empty() {
            reading.give_up(0);
        }
        reading.settle_what_is_left();
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
            let row = self.stream.columns.line(raw);
            self.waited(self.stream.lines.saturating_sub(1));
            match row {
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
        self.plain(raw);
    }

    /// What stood in this line, and waited to be known for the head of a table, is one, or a line as others are.
    fn waited(&mut self, line: u64) {
        match self.stream.columns.waited() {
            Some((_, true)) => self.join(1),
            Some((first, false)) => {
                let lines = std::mem::replace(&mut self.stream.lines, line);
                self.plain(&first);
                self.stream.lines = lines;
            }
            None => {}
        }
    }

    /// A line of no table.
    fn plain(&mut self, raw: &[u8]) {
        let found = self.text(raw, Outside::default());
        let found = match found {
            Found::Nothing(reason @ (Skip::NotJson | Skip::NotAudit)) if self.is_part_of_entry(raw, reason) => {
                Found::Nothing(Skip::Unsaid)
            }
            found => found,
        };
        self.settle(found);
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
                if !outside.doubtful
                    && (header::is_word_of_loss(text)
                        || (text.first() != Some(&b'{') && self.says_that_entries_are_lost(text))) =>
            {
                Found::Nothing(Skip::Unsaid)
            }
            found => found,
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
