//! The watch itself: read what is new, commit, tell what is news, wait.

use super::events::{Event, Known};
use super::list::folders;
use super::notice::Notice;
use super::state::{Kept, StateDir, StateError, Store};
use super::tail::Tail;
use super::wake::{News, Wake};
use crate::ingest;
use crate::usage::Usage;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

/// After something was heard, what else happens in so short a time is handled with it.
const SETTLE: Duration = Duration::from_millis(50);
/// A commit takes at most one part in so many of the time.
const COMMIT_SHARE: u32 = 10;
/// Bytes read after which a commit is due whatever the time.
const COMMIT_BYTES: u64 = 512 << 20;
/// A lag below this is not worth a word.
const LAG_BYTES: u64 = 64 << 20;
/// How often the lag is told at most.
const LAG_EVERY: Duration = Duration::from_secs(30);

/// What to follow, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Files, folders, globs.
    pub names: Vec<String>,
    /// The folder of the state.
    pub state: PathBuf,
    /// How lines are read.
    pub ingest: ingest::Options,
    /// The same in words: a state goes with one of these.
    pub reading: String,
    /// At least so long from commit to commit.
    pub commit_every: Duration,
    /// Everything named is looked at so often, whether something was heard or not.
    pub poll: Duration,
    /// Read what is there, commit, and end.
    pub once: bool,
}

/// Why a watch ended.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The state.
    #[error(transparent)]
    State(#[from] StateError),
    /// Signals could not be waited for.
    #[error("cannot wait for signals: {0}")]
    Signals(std::io::Error),
    /// The output.
    #[error("cannot write the events: {0}")]
    Output(#[from] std::io::Error),
}

/// Whoever the watch talks with.
pub trait Audience {
    /// A word for the person.
    fn note(&mut self, text: &str);
    /// Something is wrong.
    fn warn(&mut self, text: &str);
    /// News, committed before. What is not taken is offered again after the next commit.
    ///
    /// # Errors
    /// When the output is gone.
    fn tell(&mut self, events: &[Event]) -> std::io::Result<()>;
}

/// Follows logs until a signal ends it.
///
/// # Errors
/// When the state can't be used or written, or the output is gone.
pub fn watch<S: Store>(options: &Options, store: S, audience: &mut dyn Audience) -> Result<(), WatchError> {
    let wake = Wake::default();
    listen_to_signals(&wake)?;
    let mut watch = Watch::open(options, store, audience)?;
    watch.work(&wake)
}

fn listen_to_signals(wake: &Wake) -> Result<(), WatchError> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(WatchError::Signals)?;
    let wake = wake.clone();
    thread::spawn(move || {
        for signal in signals.forever() {
            wake.tell(|news| match signal {
                SIGHUP => news.reload = true,
                _ => news.stop = true,
            });
        }
    });
    Ok(())
}

struct Watch<'a, S> {
    options: &'a Options,
    audience: &'a mut dyn Audience,
    state: StateDir<S>,
    usage: Usage,
    kept: Kept,
    tail: Tail,
    known: Known,
    committed: Instant,
    pause: Duration,
    bytes: u64,
    lag_told: Option<Instant>,
    scanned: Instant,
}

impl<'a, S: Store> Watch<'a, S> {
    fn open(options: &'a Options, store: S, audience: &'a mut dyn Audience) -> Result<Self, WatchError> {
        let (state, usage, mut kept) = StateDir::open(&options.state, store, &options.reading)?;
        let positions = std::mem::take(&mut kept.positions);
        let mut known = Known::default();
        known.learn(&usage, kept.learned);
        Ok(Self {
            tail: Tail::new(options.names.clone(), options.ingest.clone(), positions),
            options,
            audience,
            state,
            usage,
            kept,
            known,
            committed: Instant::now(),
            pause: options.commit_every,
            bytes: 0,
            lag_told: None,
            scanned: Instant::now(),
        })
    }

    fn work(&mut self, wake: &Wake) -> Result<(), WatchError> {
        let mut notice = match Notice::new(wake.clone()) {
            Ok(notice) => Some(notice),
            Err(e) => {
                self.audience
                    .warn(&format!("{e}: what is new is looked for every {:?}", self.options.poll));
                None
            }
        };
        self.listen(&mut notice);
        // What came between the first look and the first listening.
        self.tail.scan();
        loop {
            while self.tail.is_behind() && !wake.is_stopped() {
                self.bytes += self.tail.read();
                if self.committed.elapsed() >= self.pause || self.bytes >= COMMIT_BYTES {
                    self.commit()?;
                    self.say_lag();
                }
            }
            for note in self.tail.notes() {
                self.audience.warn(&note);
            }
            let vanished = self.tail.end_vanished();
            if wake.is_stopped() || (self.options.once && !self.tail.is_behind()) {
                self.commit()?;
                return Ok(());
            }
            let mut deadline = self.scanned + self.options.poll;
            deadline = vanished.map_or(deadline, |v| deadline.min(v));
            if self.bytes > 0 || (self.kept.learned.is_none() && !self.usage.is_empty()) {
                let due = self.committed + self.pause;
                if due <= Instant::now() {
                    self.commit()?;
                } else {
                    deadline = deadline.min(due);
                }
            }
            if wake.wait(Some(deadline)) && !wake.is_stopped() {
                thread::sleep(SETTLE);
            }
            if !wake.is_stopped() {
                let news = wake.take();
                self.hear(&news, &mut notice);
            }
        }
    }

    fn hear(&mut self, news: &News, notice: &mut Option<Notice>) {
        for path in &news.changed {
            self.tail.look(path.strip_prefix("./").unwrap_or(path));
        }
        if news.rescan || news.reload || self.scanned.elapsed() >= self.options.poll {
            self.scanned = Instant::now();
            self.tail.scan();
            self.listen(notice);
        }
    }

    fn listen(&mut self, notice: &mut Option<Notice>) {
        let Some(notice) = notice else { return };
        for (folder, below) in folders(&self.options.names) {
            if let Err(e) = notice.add(&folder, below) {
                self.audience
                    .note(&format!("{e}; it is looked at every {:?}", self.options.poll));
            }
        }
    }

    /// Puts what was read and up to where into the state, then tells the news in it.
    fn commit(&mut self) -> Result<(), WatchError> {
        let begun = Instant::now();
        let part = self.tail.take();
        let caught_up = !self.tail.is_behind();
        if let Some(part) = &part {
            if self.kept.learned.is_some() {
                let (events, _) = self.known.observe(part);
                self.kept.events += events.len() as u64;
                self.kept.outbox.extend(events);
            } else {
                self.known.learn(part, None);
            }
        }
        let changed = part.is_some();
        if let Some(part) = part {
            self.usage = std::mem::take(&mut self.usage).merge(part);
        }
        if self.kept.learned.is_none() && caught_up {
            self.kept.learned = self.usage.coverage().last;
        }
        self.kept.positions = self.tail.positions();
        self.state.commit(changed.then_some(&self.usage), &self.kept)?;
        self.bytes = 0;
        self.committed = Instant::now();
        self.pause = self.options.commit_every.max(begun.elapsed() * COMMIT_SHARE);
        if !self.kept.outbox.is_empty() {
            let events = std::mem::take(&mut self.kept.outbox);
            self.audience.tell(&events)?;
            self.state.commit(None, &self.kept)?;
        }
        Ok(())
    }

    fn say_lag(&mut self) {
        let lag = self.tail.lag_bytes();
        if lag >= LAG_BYTES && self.lag_told.is_none_or(|t| t.elapsed() >= LAG_EVERY) {
            self.lag_told = Some(Instant::now());
            self.audience.note(&format!("{} MiB behind the logs", lag >> 20));
        }
    }
}
