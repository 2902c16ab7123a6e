//! Lines to entries: wrappings are taken off, entries over several lines put together, and every line accounted for.

use super::entry;
use super::envelope::{self, Envelope};
use super::scan::{self, Fault};
use super::text::decode;
use super::worker::Worker;
use crate::usage::Skip;

/// Wrappings inside of each other that are taken off.
const MOST_WRAPPINGS: u32 = 5;

/// Beginnings of entries that are tried in one line.
const MOST_BEGINNINGS: usize = 16;

/// The most bytes of an entry over several lines.
const MOST_BYTES: usize = 128 << 20;

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
    /// An entry that goes on in the next line.
    open: Vec<u8>,
    open_since: u64,
    balance: Balance,
    /// The text of a container log's line that goes on in the next one.
    partial: Vec<u8>,
}

/// Where a text stands in its brackets and strings.
#[derive(Debug, Clone, Copy, Default)]
struct Balance {
    depth: usize,
    string: bool,
    escape: bool,
}

impl Balance {
    fn feed(&mut self, text: &[u8]) {
        for c in text {
            match c {
                _ if self.escape => self.escape = false,
                b'\\' if self.string => self.escape = true,
                b'"' => self.string = !self.string,
                b'{' | b'[' if !self.string => self.depth += 1,
                b'}' | b']' if !self.string => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }
}

/// What became of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// So many entries, each of which is in its bin.
    Entries(u64),
    /// A part of one, which is kept, or of the frame of several.
    Part,
    /// None.
    Nothing(Skip),
}

/// What a wrapping tells of the entry inside.
#[derive(Debug, Clone, Copy, Default)]
struct Outside {
    depth: u32,
    time: Option<i64>,
}

impl Stream {
    /// Reads one line, given without its line feed.
    pub fn line(&mut self, worker: &mut Worker, wrapping: &Wrapping, raw: &[u8]) {
        self.lines += 1;
        worker.usage_mut().table_mut().tally.lines += 1;
        let text = trim(raw);
        if !self.open.is_empty() {
            if raw.first() != Some(&b'{') && self.open.len() + text.len() < MOST_BYTES {
                self.go_on(worker, wrapping, text);
                return;
            }
            self.give_up(worker);
        }
        self.begin(worker, wrapping, text);
    }

    /// Whether the next line begins something new.
    #[must_use]
    pub const fn fresh(&self) -> bool {
        self.open.is_empty() && self.partial.is_empty()
    }

    /// Reads a line that was counted before and put aside.
    pub fn again(&mut self, worker: &mut Worker, wrapping: &Wrapping, raw: &[u8], line: u64) {
        let lines = std::mem::replace(&mut self.lines, line);
        self.begin(worker, wrapping, trim(raw));
        self.lines = lines;
    }

    /// A line that begins something.
    fn begin(&mut self, worker: &mut Worker, wrapping: &Wrapping, text: &[u8]) {
        match self.read(worker, wrapping, text, Outside::default()) {
            Found::Entries(n) => worker.usage_mut().table_mut().tally.lines += n.saturating_sub(1),
            Found::Nothing(Skip::Truncated) if goes_on(text) => {
                self.open_since = self.lines;
                self.balance = Balance::default();
                self.balance.feed(text);
                self.open.extend_from_slice(text);
            }
            Found::Part => joined(worker, 1),
            Found::Nothing(reason) => self.skip(worker, reason, self.lines),
        }
    }

    /// A further line of an entry.
    fn go_on(&mut self, worker: &mut Worker, wrapping: &Wrapping, text: &[u8]) {
        self.balance.feed(text);
        self.open.push(b'\n');
        self.open.extend_from_slice(text);
        if self.balance.depth > 0 {
            joined(worker, 1);
            return;
        }
        let whole = std::mem::take(&mut self.open);
        match self.read(worker, wrapping, &whole, Outside::default()) {
            Found::Entries(n) => {
                worker.usage_mut().table_mut().tally.lines += n.saturating_sub(1);
            }
            Found::Part => joined(worker, 1),
            Found::Nothing(reason) => self.skip(worker, reason, self.open_since),
        }
        joined(worker, 1);
        self.open = whole;
        self.open.clear();
        self.open.shrink_to(1 << 20);
    }

    /// The entry that was begun is not ended.
    fn give_up(&mut self, worker: &mut Worker) {
        self.open.clear();
        self.skip(worker, Skip::Truncated, self.open_since);
    }

    /// The log ends.
    pub fn end(&mut self, worker: &mut Worker) {
        if !self.open.is_empty() {
            self.give_up(worker);
        }
        if !self.partial.is_empty() {
            self.partial.clear();
            // Its lines were counted as further lines of an entry; the last of them is the one that is cut.
            let tally = &mut worker.usage_mut().table_mut().tally;
            if tally.joined > 0 {
                tally.joined -= 1;
                self.skip(worker, Skip::Truncated, self.lines);
            }
        }
    }

    /// A line longer than is read.
    pub fn too_long(&mut self, worker: &mut Worker) {
        self.lines += 1;
        worker.usage_mut().table_mut().tally.lines += 1;
        self.skip(worker, Skip::TooLong, self.lines);
    }

    fn skip(&mut self, worker: &mut Worker, reason: Skip, line: u64) {
        worker.usage_mut().table_mut().tally.skip(reason, 1);
        self.example(reason, line);
    }

    /// Notes where a line was skipped for a reason.
    pub fn example(&mut self, reason: Skip, line: u64) {
        if let Some(example) = self.examples.get_mut(usize::from(reason.index())) {
            *example = Some(example.map_or(line, |known| known.min(line)));
        }
    }

    fn read(&mut self, worker: &mut Worker, wrapping: &Wrapping, text: &[u8], outside: Outside) -> Found {
        let text = trim(text);
        match text.first() {
            None => Found::Nothing(Skip::Blank),
            Some(b'{') => self.objects(worker, wrapping, text, outside),
            Some(b'[') if wrapping.envelope.bare() => self.array(worker, wrapping, text, outside),
            Some(b']' | b',') if matches!(text, b"]" | b"]," | b",") => Found::Part,
            Some(b'"') if outside.depth < MOST_WRAPPINGS && scan::string(text, 0) == Ok(text.len()) => {
                let inner = decode(scan::unquoted(text).unwrap_or_default());
                let outside = Outside {
                    depth: outside.depth + 1,
                    ..outside
                };
                self.read(worker, wrapping, inner.as_bytes(), outside)
            }
            Some(_) => self.prefixed(worker, wrapping, text, outside),
        }
    }

    /// One object, or several after each other.
    fn objects(&mut self, worker: &mut Worker, wrapping: &Wrapping, text: &[u8], outside: Outside) -> Found {
        let mut entries = 0;
        let mut reason = None;
        let mut at = 0;
        while text.get(at) == Some(&b'{') {
            match entry::parse(text, at) {
                Ok((Some(mut entry), end)) if wrapping.envelope.bare() || outside.depth > 0 => {
                    entry.time = entry.time.or(outside.time);
                    if let Some(skip) = worker.entry(&entry) {
                        self.example(skip, self.lines);
                    }
                    entries += 1;
                    at = end;
                }
                Ok((_, end)) => {
                    let object = text.get(at..end).unwrap_or_default();
                    match self.unwrap(worker, wrapping, object, outside) {
                        Found::Entries(n) => entries += n,
                        Found::Part => {
                            joined(worker, 1);
                            entries += 1;
                        }
                        Found::Nothing(why) => reason = Some(why),
                    }
                    at = end;
                }
                Err(Fault::Truncated) => {
                    reason = Some(Skip::Truncated);
                    break;
                }
                Err(Fault::Malformed) => {
                    let rest = text.get(at + 1..).unwrap_or_default();
                    match self.beginnings(worker, wrapping, rest, outside) {
                        Found::Entries(n) => entries += n,
                        _ => reason = Some(Skip::NotJson),
                    }
                    break;
                }
            }
            while let Some(b' ' | b'\t' | b'\r' | b'\n' | b',' | 0) = text.get(at) {
                at += 1;
            }
        }
        match reason {
            Some(reason) if entries == 0 => Found::Nothing(reason),
            // What follows a good entry in the same line is a line of its own.
            Some(reason) => {
                self.skip(worker, reason, self.lines);
                Found::Entries(entries + 1)
            }
            None => Found::Entries(entries),
        }
    }

    fn array(&mut self, worker: &mut Worker, wrapping: &Wrapping, text: &[u8], outside: Outside) -> Found {
        match scan::elements(text, 0) {
            Ok((elements, _)) => {
                let mut entries = 0;
                for element in &elements {
                    match self.read(worker, wrapping, element, outside) {
                        Found::Entries(n) => entries += n,
                        Found::Part => {
                            joined(worker, 1);
                            entries += 1;
                        }
                        Found::Nothing(reason) => {
                            self.skip(worker, reason, self.lines);
                            entries += 1;
                        }
                    }
                }
                if entries == 0 {
                    Found::Nothing(Skip::NotAudit)
                } else {
                    Found::Entries(entries)
                }
            }
            Err(Fault::Truncated) if text.len() == 1 => Found::Part,
            Err(Fault::Truncated) => {
                let rest = text.get(1..).unwrap_or_default();
                self.read(worker, wrapping, rest, outside)
            }
            Err(Fault::Malformed) => Found::Nothing(Skip::NotJson),
        }
    }

    /// An object that is no entry: the entry may be inside.
    fn unwrap(&mut self, worker: &mut Worker, wrapping: &Wrapping, object: &[u8], outside: Outside) -> Found {
        if outside.depth >= MOST_WRAPPINGS {
            return Found::Nothing(Skip::NotAudit);
        }
        let inside = Outside {
            depth: outside.depth + 1,
            time: envelope::outer_time(object).or(outside.time),
        };
        let mut reason = Skip::NotAudit;
        if let Some(pointer) = wrapping.pointer.as_deref().filter(|_| outside.depth == 0) {
            if let Some(value) = envelope::follow(object, pointer) {
                return self.inner(worker, wrapping, value, inside, object);
            }
            return Found::Nothing(reason);
        }
        for pointer in wrapping.envelope.pointers() {
            let Some(value) = envelope::follow(object, pointer) else {
                continue;
            };
            match self.inner(worker, wrapping, value, inside, object) {
                Found::Nothing(Skip::NotAudit | Skip::NotJson | Skip::Blank) => {}
                Found::Part => return Found::Part,
                Found::Nothing(why) => reason = why,
                found @ Found::Entries(_) => return found,
            }
        }
        Found::Nothing(reason)
    }

    fn inner(
        &mut self,
        worker: &mut Worker,
        wrapping: &Wrapping,
        value: &[u8],
        inside: Outside,
        object: &[u8],
    ) -> Found {
        let found = match value.first() {
            Some(b'"') => {
                let text = decode(scan::unquoted(value).unwrap_or_default());
                self.wrapped_text(worker, wrapping, text.as_bytes(), inside)
            }
            Some(b'{') => self.objects(worker, wrapping, value, inside),
            Some(b'[') => self.array_inside(worker, wrapping, value, inside),
            _ => Found::Nothing(Skip::NotAudit),
        };
        if matches!(found, Found::Entries(_))
            && let Some(node) = envelope::outer_node(object)
        {
            worker.usage_mut().table_mut().seen.node(&node);
        }
        found
    }

    fn array_inside(&mut self, worker: &mut Worker, wrapping: &Wrapping, value: &[u8], inside: Outside) -> Found {
        let any = Wrapping::default();
        let wrapping = if wrapping.envelope == Envelope::Auto {
            wrapping
        } else {
            &any
        };
        self.array(worker, wrapping, value, inside)
    }

    /// Text that a container log may have cut in pieces.
    fn wrapped_text(&mut self, worker: &mut Worker, wrapping: &Wrapping, text: &[u8], inside: Outside) -> Found {
        if self.partial.is_empty() {
            let found = self.read(worker, wrapping, text, inside);
            if found == Found::Nothing(Skip::Truncated) && !text.ends_with(b"\n") {
                self.partial.extend_from_slice(text);
                return Found::Part;
            }
            return found;
        }
        self.put_together(worker, wrapping, text, inside, text.ends_with(b"\n"))
    }

    fn put_together(
        &mut self,
        worker: &mut Worker,
        wrapping: &Wrapping,
        text: &[u8],
        inside: Outside,
        ended: bool,
    ) -> Found {
        if self.partial.len() + text.len() > MOST_BYTES {
            self.partial.clear();
            return Found::Nothing(Skip::TooLong);
        }
        self.partial.extend_from_slice(text);
        if !ended {
            return Found::Part;
        }
        let whole = std::mem::take(&mut self.partial);
        self.read(worker, wrapping, &whole, inside)
    }

    /// Text before the entry.
    fn prefixed(&mut self, worker: &mut Worker, wrapping: &Wrapping, text: &[u8], outside: Outside) -> Found {
        if !wrapping.envelope.prefixed() {
            return Found::Nothing(Skip::NotJson);
        }
        if let Some((more, inner)) = envelope::cri(text) {
            let inside = Outside {
                depth: outside.depth + 1,
                ..outside
            };
            if inside.depth > MOST_WRAPPINGS {
                return Found::Nothing(Skip::NotJson);
            }
            return if more || !self.partial.is_empty() {
                self.put_together(worker, wrapping, inner, inside, !more)
            } else {
                self.read(worker, wrapping, inner, inside)
            };
        }
        self.beginnings(worker, wrapping, text, outside)
    }

    /// Tries each beginning of an object in a text.
    fn beginnings(&mut self, worker: &mut Worker, wrapping: &Wrapping, text: &[u8], outside: Outside) -> Found {
        if memchr::memmem::find(text, b"<json:object").is_some() {
            return Found::Nothing(Skip::Jsonx);
        }
        let mut reason = Skip::NotJson;
        for at in memchr::memchr_iter(b'{', text).take(MOST_BEGINNINGS) {
            match entry::parse(text, at) {
                Ok((Some(_), _)) => {
                    if let Some(node) = text.get(..at).and_then(envelope::syslog_node) {
                        worker.usage_mut().table_mut().seen.node(node);
                    }
                    let rest = text.get(at..).unwrap_or_default();
                    let inside = Outside {
                        depth: outside.depth + 1,
                        ..outside
                    };
                    return self.objects(worker, wrapping, rest, inside);
                }
                Ok((None, end)) if wrapping.envelope == Envelope::Auto => {
                    let object = text.get(at..end).unwrap_or_default();
                    let inside = Outside {
                        depth: outside.depth + 1,
                        ..outside
                    };
                    match self.unwrap(worker, wrapping, object, inside) {
                        found @ (Found::Entries(_) | Found::Part) => return found,
                        Found::Nothing(_) => reason = Skip::NotAudit,
                    }
                }
                Ok(_) => reason = Skip::NotAudit,
                Err(Fault::Truncated) if reason == Skip::NotJson => {
                    reason = Skip::Truncated;
                }
                Err(_) => {}
            }
        }
        Found::Nothing(reason)
    }
}

fn joined(worker: &mut Worker, lines: u64) {
    worker.usage_mut().table_mut().tally.joined += lines;
}

/// Whether a line ends where an entry that is written over several lines can be broken.
fn goes_on(text: &[u8]) -> bool {
    text.first() == Some(&b'{') && matches!(text.last(), Some(b'{' | b'[' | b','))
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
