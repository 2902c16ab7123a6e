//! Logs that grow: bytes are fed as they come, and what was read so far can be had at any time.

use super::options::Options;
use super::quick::Quick;
use super::read::{BEGINNING, LONGEST_LINE};
use super::stream::{Stream, Wrapping};
use super::worker::Worker;
use crate::origin::Origin;
use crate::usage::{Skip, Usage};
use std::collections::HashMap;
use std::sync::Arc;

/// How far a growing log was read, where no entry is open over several lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rest {
    /// Lines read.
    pub lines: u64,
    /// Bytes of a last line that has no end yet.
    pub unfinished: usize,
}

/// Reads any number of logs piece by piece.
#[derive(Debug, Clone)]
pub struct Reader {
    worker: Worker,
    quick: Quick,
    wrapping: Wrapping,
    files: HashMap<String, Growing>,
}

#[derive(Debug, Clone, Default)]
struct Growing {
    stream: Stream,
    unfinished: Vec<u8>,
    /// The line is too long: the beginning of it, while its rest is passed over.
    skipping: Option<Vec<u8>>,
    skipped: usize,
}

impl Reader {
    /// A reader that has read nothing yet.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        Self {
            worker: Worker::new(
                Usage::asked(options.asked_window(), options.group_by.clone()).bounded(options.bounds),
                Arc::new(options.group_by.clone()),
            ),
            quick: Quick::default(),
            wrapping: Wrapping {
                envelope: options.envelope.unwrap_or_default(),
                pointer: options.unwrap.clone(),
            },
            files: HashMap::new(),
        }
    }

    /// Goes on with a log of which so many lines were read before.
    pub fn resume(&mut self, name: &str, lines: u64) {
        self.files.entry(name.to_owned()).or_default().stream.lines = lines;
    }

    /// How far a log was read; none while an entry over several lines is open. What was read up to there may be taken out,
    /// and another reader may go on from there.
    #[must_use]
    pub fn rest(&self, name: &str) -> Option<Rest> {
        let growing = self.files.get(name)?;
        growing.stream.fresh().then_some(Rest {
            lines: growing.stream.lines,
            unfinished: growing.unfinished.len() + growing.skipped,
        })
    }

    /// Reads more of a log, cut anywhere. An unfinished line waits for its rest.
    pub fn feed(&mut self, name: &str, bytes: &[u8]) {
        let growing = self.files.entry(name.to_owned()).or_default();
        let Some(last) = memchr::memrchr(b'\n', bytes) else {
            growing.keep(bytes);
            return;
        };
        self.worker.reads(name, 0);
        let (lines, rest) = bytes.split_at(last + 1);
        let mut lines = lines;
        if !growing.unfinished.is_empty() || growing.skipping.is_some() {
            let end = memchr::memchr(b'\n', lines).unwrap_or(last);
            let (end_of_line, others) = lines.split_at(end + 1);
            lines = others;
            growing.skipped = 0;
            if let Some(beginning) = growing.skipping.take() {
                growing.stream.too_long(&mut self.worker, &self.wrapping, &beginning);
            } else {
                growing.unfinished.extend_from_slice(end_of_line);
                let whole = std::mem::take(&mut growing.unfinished);
                self.quick
                    .lines(&mut self.worker, &mut growing.stream, &self.wrapping, &whole);
            }
        }
        self.quick
            .lines(&mut self.worker, &mut growing.stream, &self.wrapping, lines);
        growing.keep(rest);
    }

    /// A log has ended, by rotation or because it is read whole.
    pub fn finish_file(&mut self, name: &str) {
        let Some(mut growing) = self.files.remove(name) else {
            return;
        };
        self.worker.reads(name, 0);
        growing.end(&mut self.worker, &self.wrapping);
        note_examples(&mut self.worker, name, &growing.stream);
    }

    /// What was read so far.
    #[must_use]
    pub fn snapshot(&self) -> Usage {
        let mut worker = self.worker.clone();
        for (name, growing) in &self.files {
            let mut stream = growing.stream.clone();
            worker.reads(name, 0);
            stream.end(&mut worker, &self.wrapping);
            note_examples(&mut worker, name, &stream);
        }
        worker.take()
    }

    /// What was read since the last time, taken out.
    pub fn take(&mut self) -> Usage {
        for (name, growing) in &mut self.files {
            note_examples(&mut self.worker, name, &growing.stream);
            growing.stream.examples = Default::default();
        }
        self.worker.take()
    }
}

impl Growing {
    /// Keeps a line that has no end yet, unless it is too long: then only its beginning.
    fn keep(&mut self, bytes: &[u8]) {
        if self.skipping.is_some() {
            self.skipped += bytes.len();
            return;
        }
        self.unfinished.extend_from_slice(bytes);
        if self.unfinished.len() > LONGEST_LINE {
            let mut beginning = std::mem::take(&mut self.unfinished);
            self.skipped = beginning.len();
            beginning.truncate(BEGINNING);
            beginning.shrink_to_fit();
            self.skipping = Some(beginning);
        }
    }

    fn end(&mut self, worker: &mut Worker, wrapping: &Wrapping) {
        if let Some(beginning) = self.skipping.take() {
            self.stream.too_long(worker, wrapping, &beginning);
        } else if !self.unfinished.is_empty() {
            let line = std::mem::take(&mut self.unfinished);
            self.stream.line(worker, wrapping, &line);
        }
        self.stream.end(worker, wrapping);
    }
}

fn note_examples(worker: &mut Worker, name: &str, stream: &Stream) {
    for (reason, line) in Skip::ALL.into_iter().zip(stream.examples) {
        if let Some(line) = line {
            let line = u32::try_from(line).unwrap_or(u32::MAX);
            let tally = &mut worker.usage_mut().table_mut().tally;
            tally.example(reason, Origin::new(name, line, 1));
        }
    }
}
