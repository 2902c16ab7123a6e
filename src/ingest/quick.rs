//! The quick way through lines as the servers write them: compact JSON, one entry a line.
//!
//! It looks at no more than it must. A request entry is put aside as soon as its id is known; when its response comes,
//! with the same `request` object byte for byte, nothing more of it is needed than its time. An `auth` object that came
//! before is known by its bytes. What is not as expected, in whatever respect, goes the general way (`stream.rs`), so that
//! both ways give the same result; a property test holds them to it.

use super::book::Asker;
use super::entry::{self, Entry, Request};
use super::scan;
use super::simd;
use super::stream::{Stream, Wrapping};
use super::time;
use super::worker::Worker;
use crate::usage::Skip;
use crate::usage::table::record::{Record, flag, hash_id};
use hashbrown::HashTable;

/// The most bytes of text that are kept from block to block.
const MOST_KEPT: usize = 1 << 16;

/// A request entry that waits for its response.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    id: u64,
    begin: usize,
    end: usize,
    /// Where the `request` object begins, from `begin` on.
    request: usize,
    /// The time, if it stands before the request.
    time: Option<i64>,
    /// Whether the type stands before the request.
    typed: bool,
    /// Whether an error stands before the request.
    error: bool,
    /// Where the `auth` object stands, from `begin` on, if that is before the request, and its number if it is known.
    auth: Option<usize>,
    number: Option<u64>,
    line: u64,
}

/// What the quick way keeps from line to line.
#[derive(Debug, Clone, Default)]
pub struct Quick {
    waiting: HashTable<Waiting>,
}

/// An entry as far as it was read.
#[derive(Debug, Clone, Copy, Default)]
struct Draft<'a> {
    entry: Entry<'a>,
    kind: Option<Kind>,
    asker: Asker,
    /// Where the `auth` object stands, and its number if it is known.
    auth: Option<usize>,
    number: Option<u64>,
    asked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Request,
    Response,
}

/// How far a walk came.
enum Step {
    /// To the end of the line.
    End,
    /// To the `request` object of a request entry, which begins here.
    Request(usize),
}

impl Quick {
    /// Reads whole lines, each with its line feed.
    pub fn lines(&mut self, worker: &mut Worker, stream: &mut Stream, wrapping: &Wrapping, text: &[u8]) {
        let keep = self.new_lines(worker, stream, wrapping, text, 0);
        self.give_up(worker, stream, wrapping, text.get(keep..).unwrap_or_default());
    }

    /// Reads the lines from `begin` on, each with its line feed; what stands before is what the last call asked to keep.
    ///
    /// Returns from where on the text must stand at the beginning of the next call's, since lines of it wait: the partners
    /// of the last lines mostly come with the first lines of the next block.
    pub fn new_lines(
        &mut self,
        worker: &mut Worker,
        stream: &mut Stream,
        wrapping: &Wrapping,
        text: &[u8],
        mut begin: usize,
    ) -> usize {
        let bare = wrapping.bare();
        while let Some((end, has_zeros)) = simd::line_end(text, begin) {
            let line = text.get(begin..end).unwrap_or_default();
            // Of a line with NUL bytes something was lost, whatever it looks like.
            let is_whole = !(has_zeros && line.contains(&0));
            let known = bare && is_whole && stream.fresh() && self.line(worker, stream, wrapping, text, begin, line);
            if !known {
                self.give_up(worker, stream, wrapping, text);
                stream.line(worker, wrapping, line);
            }
            begin = end + 1;
        }
        let oldest = self.waiting.iter().map(|waiting| waiting.begin).min();
        match oldest {
            Some(oldest) if text.len() - oldest <= MOST_KEPT => {
                for waiting in &mut self.waiting {
                    waiting.begin -= oldest;
                    waiting.end -= oldest;
                }
                oldest
            }
            _ => {
                self.give_up(worker, stream, wrapping, text);
                text.len()
            }
        }
    }

    /// All lines that wait go the general way, in their order: what a line of that way leaves in the stream concerns those
    /// behind it.
    pub fn give_up(&mut self, worker: &mut Worker, stream: &mut Stream, wrapping: &Wrapping, text: &[u8]) {
        if self.waiting.is_empty() {
            return;
        }
        let mut left: Vec<Waiting> = self.waiting.drain().collect();
        left.sort_unstable_by_key(|w| w.begin);
        for waiting in left {
            let line = text.get(waiting.begin..waiting.end).unwrap_or_default();
            stream.again(worker, wrapping, line, waiting.line);
        }
    }

    /// Reads one line, or says that it is none for the quick way.
    fn line(
        &mut self,
        worker: &mut Worker,
        stream: &mut Stream,
        wrapping: &Wrapping,
        text: &[u8],
        begin: usize,
        line: &[u8],
    ) -> bool {
        if line.last() != Some(&b'}') {
            return false;
        }
        let mut draft = Draft::default();
        let waits = line.ends_with(br#""type":"request"}"#);
        let step = walk(worker, line, 1, &mut draft, waits);
        match step {
            None => false,
            Some(Step::Request(request)) => {
                let Some(id) = id_in(line, request) else {
                    return false;
                };
                stream.lines += 1;
                let waiting = Waiting {
                    id: hash_id(id),
                    begin,
                    end: begin + line.len(),
                    request,
                    time: draft.entry.time,
                    typed: draft.kind.is_some(),
                    error: draft.entry.error,
                    auth: draft.auth,
                    number: draft.number,
                    line: stream.lines,
                };
                if self.waiting.find(waiting.id, |w| w.id == waiting.id).is_some() {
                    self.give_up(worker, stream, wrapping, text);
                }
                self.waiting.insert_unique(waiting.id, waiting, |w| w.id);
                true
            }
            Some(Step::End) => {
                if draft.kind != Some(Kind::Response) || !draft.entry.request.has_id() {
                    return false;
                }
                stream.lines += 1;
                stream.bare_entry();
                draft.entry.response = true;
                self.response(worker, stream, wrapping, text, &draft);
                true
            }
        }
    }

    fn take(&mut self, id: u64) -> Option<Waiting> {
        let found = self.waiting.find_entry(id, |w| w.id == id).ok()?;
        Some(found.remove().0)
    }

    /// Adds a response, together with its request if that waits.
    fn response(
        &mut self,
        worker: &mut Worker,
        stream: &mut Stream,
        wrapping: &Wrapping,
        text: &[u8],
        draft: &Draft<'_>,
    ) {
        let entry = &draft.entry;
        if let Some(reason) = worker.outside(entry.time) {
            skip(worker, stream, reason, stream.lines);
            return;
        }
        worker.usage_mut().table_mut().tally.lines += 1;
        let mut record = worker.record(entry, draft.asker, stream.lines);
        if let Some(waiting) = self.take(hash_id(entry.request.id)) {
            let partner = record.usable().then(|| partner(worker, text, &waiting, draft, &record));
            match partner.flatten() {
                Some((time, error)) if worker.outside(Some(time)).is_none() => {
                    stream.bare_entry();
                    worker.usage_mut().table_mut().tally.lines += 1;
                    record.requests += 1;
                    if !error {
                        record.flags |= flag::PASSED;
                    }
                    record.first = record.first.min(time);
                    record.last = record.last.max(time);
                    worker.usage_mut().table_mut().seen.time(time);
                }
                Some(_) => skip(worker, stream, Skip::OutsideWindow, waiting.line),
                None => {
                    self.waiting.insert_unique(waiting.id, waiting, |w| w.id);
                    self.give_up(worker, stream, wrapping, text);
                }
            }
        }
        if !record.usable()
            && let Some(reason) = Skip::from_index(record.skip)
        {
            stream.example(reason, stream.lines);
        }
        worker.usage_mut().add(&record);
    }
}

/// Of a waiting request whose `request` object is that of the response, and that is of the same maker, the time and whether it has
/// an error, if nothing else is to be learnt from it.
fn partner(
    worker: &mut Worker,
    text: &[u8],
    waiting: &Waiting,
    told: &Draft<'_>,
    response: &Record,
) -> Option<(i64, bool)> {
    let entry = &told.entry;
    let request = entry.request.raw;
    let line = text.get(waiting.begin..waiting.end)?;
    if !line.get(waiting.request..)?.starts_with(request) {
        return None;
    }
    let mut draft = Draft {
        kind: waiting.typed.then_some(Kind::Request),
        ..Draft::default()
    };
    draft.entry.time = waiting.time;
    let at = waiting.request + request.len();
    match line.get(at)? {
        b'}' if at + 1 == line.len() => {}
        b',' => match walk(worker, line, at + 1, &mut draft, false)? {
            Step::End if !draft.asked => {}
            _ => return None,
        },
        _ => return None,
    }
    let time = draft.entry.time.filter(|_| draft.kind == Some(Kind::Request))?;
    // Mostly who asked is said twice in the same words.
    let auth = waiting.auth.or(draft.auth);
    let number = waiting.number.or(draft.number);
    let is_same = match auth {
        // What was found to be one and the same need not be compared again.
        Some(_) if number.is_some() && number == told.number => true,
        Some(at) => !entry.auth.is_empty() && line.get(at..)?.starts_with(entry.auth),
        None => entry.auth.is_empty(),
    };
    let is_maker = |at: usize| {
        let known = worker.remembered(line, at);
        known.is_some_and(|found| worker.is_maker(found.known, response))
    };
    if !is_same && !worker.is_open(response) && !auth.is_some_and(is_maker) {
        return None;
    }
    let error = waiting.error || draft.entry.error;
    // Where only one of both has an error, each is looked at by itself: the request may not have got as far as the response tells.
    (!error || entry.error).then_some((time, error))
}

fn skip(worker: &mut Worker, stream: &mut Stream, reason: Skip, line: u64) {
    let tally = &mut worker.usage_mut().table_mut().tally;
    tally.lines += 1;
    tally.skip(reason, 1);
    stream.example(reason, line);
}

/// Walks over the members of an entry, from the key at `at` on; none if anything is not as expected.
fn walk<'a>(
    worker: &mut Worker,
    line: &'a [u8],
    mut at: usize,
    draft: &mut Draft<'a>,
    mut waits: bool,
) -> Option<Step> {
    if at == 1 && line.first() != Some(&b'{') {
        return None;
    }
    loop {
        let rest = line.get(at..)?;
        if rest.starts_with(br#""time":""#) {
            let start = at + 8;
            let end = simd::quote_or_backslash(line, start);
            draft.entry.time = Some(time::parse(line.get(start..end)?)?);
            at = end;
            if line.get(at) != Some(&b'"') {
                return None;
            }
            at += 1;
        } else if rest.starts_with(br#""type":"request""#) {
            draft.kind = Some(Kind::Request);
            waits = true;
            at += 16;
        } else if rest.starts_with(br#""type":"response""#) {
            draft.kind = Some(Kind::Response);
            waits = false;
            at += 17;
        } else if rest.starts_with(br#""auth":{"#) {
            let start = at + 7;
            draft.auth = Some(start);
            // Of a request that waits for its response nothing but the end is needed.
            (draft.asker, at) = if waits {
                let known = worker.remembered(line, start);
                draft.number = known.map(|found| found.number);
                let end = known.map(|found| found.end);
                (Asker::Unread, end.or_else(|| simd::container(line, start).ok())?)
            } else {
                worker.asker(line, start)?
            };
            if let Asker::Known(found) = draft.asker {
                draft.number = Some(found.number);
            }
            draft.entry.auth = line.get(start..at)?;
        } else if rest.starts_with(br#""request":{"#) {
            if draft.asked {
                return None;
            }
            draft.asked = true;
            if waits {
                return Some(Step::Request(at + 10));
            }
            (draft.entry.request, at) = request(line, at + 10)?;
        } else if rest.starts_with(br#""response":{"#) {
            let start = at + 11;
            at = simd::container(line, start).ok()?;
            draft.entry.answer = line.get(start..at)?;
        } else if rest.starts_with(br#""error":""#) {
            let start = at + 8;
            at = scan::string(line, start).ok()?;
            entry::set_error(&mut draft.entry, line.get(start..at)?);
        } else {
            return None;
        }
        match line.get(at)? {
            b',' => at += 1,
            b'}' if at + 1 == line.len() => return Some(Step::End),
            _ => return None,
        }
    }
}

/// The raw request id in the object at `at`.
fn id_in(line: &[u8], at: usize) -> Option<&[u8]> {
    let mut at = at + 1;
    loop {
        let (member, end) = scan::compact(line, at)?;
        if member.key == b"id" {
            return scan::unquoted(member.value).filter(|id| entry::is_id(id));
        }
        if line.get(end) != Some(&b',') {
            return None;
        }
        at = end + 1;
    }
}

/// The `request` object at `at`, and where it ends.
fn request(line: &[u8], at: usize) -> Option<(Request<'_>, usize)> {
    let mut request = Request::default();
    let mut is_read = true;
    let end = scan::members(line, at, |key, value| {
        is_read &= entry::set(&mut request, key, value).is_ok()
    });
    let end = end.filter(|_| is_read)?;
    request.raw = line.get(at..end)?;
    Some((request, end))
}
