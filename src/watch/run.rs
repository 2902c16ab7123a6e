//! The watch itself: read what is new, commit, tell what is news, wait.

use super::events::{Event, Kind, Known};
use super::hook::{Hook, Limits, Post, Secret};
use super::lag::Lag;
use super::list::folders;
use super::notice::Notice;
use super::published::Published;
use super::report_worker::{ReportWorker, Reporter};
use super::rollout::{self, Rollout};
use super::serve;
use super::state::{Kept, StateDir, StateError, Store};
use super::status::Status;
use super::suspects::Suspects;
use super::tail::Tail;
use super::waker::{News, Waker};
use crate::hint::{Cause, Hint, whole, with_hint};
use crate::ingest;
use crate::report::history;
use crate::units;
use crate::usage::Usage;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// After something was heard, what else happens in so short a time is handled with it.
const SETTLE: Duration = Duration::from_millis(50);
/// A commit takes at most one part in so many of the time.
const COMMIT_SHARE: u32 = 10;
/// But no commit waits longer than this for the sake of that.
const MOST_REST: Duration = Duration::from_secs(60);
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
    /// What may be set anew while it runs.
    pub tuning: Tuning,
    /// A report whose waves were applied.
    pub applied: Option<rollout::Options>,
    /// Read what is there, commit, and end.
    pub once: bool,
}

/// What may be set anew while the watch runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tuning {
    /// At least so long from commit to commit.
    pub commit_every: Duration,
    /// Everything named is looked at so often, whether something was heard or not.
    pub poll: Duration,
    /// At least so long from report to report.
    pub report_every: Duration,
    /// Kinds of news that are not told.
    pub mute: BTreeSet<Kind>,
}

impl Tuning {
    /// What is different in another one, in words.
    #[must_use]
    pub fn changes(&self, new: &Self) -> Vec<String> {
        let times = [
            ("commit_every", self.commit_every, new.commit_every),
            ("poll", self.poll, new.poll),
            ("report_every", self.report_every, new.report_every),
        ];
        let mut changes: Vec<String> = times
            .into_iter()
            .filter(|(_, old, new)| old != new)
            .map(|(name, old, new)| format!("{name} is {new:?} (was {old:?})"))
            .collect();
        let words = |kinds: &BTreeSet<Kind>| {
            let kinds: Vec<&str> = kinds.iter().map(|k| k.as_str()).collect();
            if kinds.is_empty() {
                "nothing".to_owned()
            } else {
                kinds.join(", ")
            }
        };
        if self.mute != new.mute {
            changes.push(format!("mute is {} (was {})", words(&new.mute), words(&self.mute)));
        }
        changes
    }
}

/// Whoever else is told, and may look.
#[derive(Default)]
pub struct Outlets {
    /// A webhook: its carrier, what messages are signed with, how patient it is.
    pub hook: Option<(Box<dyn Post>, Secret, Limits)>,
    /// An address to serve at, and names besides its own under which it may be asked.
    pub listen: Option<(SocketAddr, Vec<String>)>,
    /// Whoever makes reports.
    pub reporter: Option<Box<dyn Reporter>>,
}

/// Why a watch ended.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The state.
    #[error(transparent)]
    State(#[from] StateError),
    /// Signals could not be waited for.
    #[error("cannot wait for signals: {0}")]
    Signals(#[source] std::io::Error),
    /// The address to serve at.
    #[error("cannot listen at `{0}`: {1}")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// The output.
    #[error("cannot write the events: {0}")]
    Output(#[from] std::io::Error),
}

impl Hint for WatchError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::State(state) => state.hint(),
            Self::Listen(..) => Some(Cow::Borrowed(
                "is the port taken? `--listen 127.0.0.1:0` takes any that is free",
            )),
            Self::Signals(_) | Self::Output(_) => None,
        }
    }
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
    /// Reads the settings anew.
    ///
    /// # Errors
    /// When they are wrong, in words.
    fn settings(&mut self) -> Result<Tuning, Cause>;
}

/// Follows logs until a signal ends it.
///
/// # Errors
/// When the state can't be used or written, or the output is gone.
pub fn watch<S: Store>(
    options: &Options,
    outlets: Outlets,
    store: S,
    audience: &mut dyn Audience,
) -> Result<(), WatchError> {
    let waker = Waker::default();
    listen_to_signals(&waker)?;
    let mut watch = Watch::open(options, outlets, store, audience, &waker)?;
    watch.work(&waker)
}

fn listen_to_signals(waker: &Waker) -> Result<(), WatchError> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(WatchError::Signals)?;
    let waker = waker.clone();
    thread::spawn(move || {
        for signal in signals.forever() {
            waker.tell(|news| match signal {
                SIGHUP => news.reload = true,
                _ => news.stop = true,
            });
        }
    });
    Ok(())
}

struct Watch<'a, S> {
    options: &'a Options,
    tuning: Tuning,
    audience: &'a mut dyn Audience,
    state: StateDir<S>,
    usage: Usage,
    kept: Kept,
    tail: Tail,
    known: Known,
    hook: Option<Hook>,
    hook_failed: bool,
    worker: Option<ReportWorker>,
    suspects: Suspects,
    rollout: Option<Rollout>,
    rollout_trouble: Option<String>,
    published: Option<Arc<Published>>,
    committed: Instant,
    pause: Duration,
    bytes: u64,
    /// Usage came since the last report, and when that was ordered.
    unreported: bool,
    reported: Option<Instant>,
    waiting: Lag,
    lag_told: Option<Instant>,
    scanned: Instant,
}

impl<'a, S: Store> Watch<'a, S> {
    fn open(
        options: &'a Options,
        outlets: Outlets,
        store: S,
        audience: &'a mut dyn Audience,
        waker: &Waker,
    ) -> Result<Self, WatchError> {
        let (state, usage, mut kept) = StateDir::open(&options.state, store, &options.reading)?;
        let positions = std::mem::take(&mut kept.positions);
        let mut known = Known::default();
        known.learn(&usage, kept.learned);
        let rollout = options
            .applied
            .clone()
            .map(|applied| Rollout::new(applied, std::mem::take(&mut kept.rollout), &usage));
        let tuning = options.tuning.clone();
        let mut published = None;
        if let Some((address, names)) = &outlets.listen {
            let new = Arc::new(Published::new(Status::new(tuning.poll)));
            let pages = Arc::clone(&new);
            let bound = serve::serve(*address, names, Arc::new(move |path: &str| pages.page(path)))
                .map_err(|e| WatchError::Listen(*address, e))?;
            audience.note(&format!("listening at http://{bound}/"));
            published = Some(new);
        }
        let hook = outlets.hook.map(|(post, secret, limits)| {
            Hook::start(
                post,
                secret,
                limits,
                std::mem::take(&mut kept.undelivered),
                waker.clone(),
            )
        });
        Ok(Self {
            tail: Tail::new(options.names.clone(), options.ingest.clone(), positions),
            options,
            audience,
            state,
            unreported: true,
            usage,
            kept,
            known,
            hook,
            hook_failed: false,
            worker: outlets
                .reporter
                .map(|reporter| ReportWorker::new(reporter, waker.clone())),
            suspects: Suspects::default(),
            rollout,
            rollout_trouble: None,
            published,
            committed: Instant::now(),
            pause: tuning.commit_every,
            tuning,
            bytes: 0,
            reported: None,
            waiting: Lag::default(),
            lag_told: None,
            scanned: Instant::now(),
        })
    }

    fn work(&mut self, waker: &Waker) -> Result<(), WatchError> {
        let mut notice = match Notice::new(waker.clone()) {
            Ok(notice) => Some(notice),
            Err(e) => {
                self.audience
                    .warn(&format!("{e}: what is new is looked for every {:?}", self.tuning.poll));
                None
            }
        };
        self.listen(&mut notice);
        self.count();
        // What came between the first look and the first listening.
        self.tail.scan();
        loop {
            while self.tail.is_behind() && !waker.is_stopped() {
                self.bytes += self.tail.read();
                self.look();
                if self.committed.elapsed() >= self.pause || self.bytes >= COMMIT_BYTES {
                    self.commit()?;
                    self.say_lag();
                }
            }
            for note in self.tail.notes() {
                self.audience.warn(&note);
            }
            let vanished = self.tail.end_vanished();
            if self.tail.is_behind() && !waker.is_stopped() {
                continue;
            }
            if waker.is_stopped() || self.options.once {
                return self.end();
            }
            let mut deadline = self.scanned + self.tuning.poll;
            deadline = vanished.map_or(deadline, |v| deadline.min(v));
            if self.bytes > 0 || self.tail.is_ready() || (self.kept.learned.is_none() && !self.usage.is_empty()) {
                let due = self.committed + self.pause;
                if due <= Instant::now() {
                    self.commit()?;
                } else {
                    deadline = deadline.min(due);
                }
            }
            deadline = self.order_report().map_or(deadline, |due| deadline.min(due));
            self.show();
            if waker.wait(Some(deadline)) && !waker.is_stopped() {
                thread::sleep(SETTLE);
            }
            if !waker.is_stopped() {
                let news = waker.take();
                self.hear(&news, &mut notice)?;
            }
        }
    }

    /// Commits, lets the webhook send what waits, and keeps what it could not.
    fn end(&mut self) -> Result<(), WatchError> {
        self.commit()?;
        if let Some(hook) = &self.hook {
            hook.end();
            self.keep_undelivered()?;
        }
        Ok(())
    }

    fn hear(&mut self, news: &News, notice: &mut Option<Notice>) -> Result<(), WatchError> {
        for path in &news.changed {
            self.tail.heard(path);
        }
        if news.reload {
            self.reload();
        }
        if news.rescan || news.reload || self.scanned.elapsed() >= self.tuning.poll {
            self.scanned = Instant::now();
            self.tail.scan();
            self.listen(notice);
        }
        if news.report {
            self.take_report();
        }
        if news.hook {
            self.keep_undelivered()?;
        }
        Ok(())
    }

    /// Reads the settings anew; where they are wrong, the old ones stay.
    fn reload(&mut self) {
        match self.audience.settings() {
            Ok(new) => {
                let changes = self.tuning.changes(&new);
                let words = if changes.is_empty() {
                    "nothing has changed".to_owned()
                } else {
                    changes.join("; ")
                };
                self.audience.note(&format!("settings read again: {words}"));
                self.pause = new.commit_every;
                self.tuning = new;
                if let Some(published) = &self.published {
                    published.status().poll = self.tuning.poll;
                }
            }
            Err(e) => self
                .audience
                .warn(&format!("{}: the settings stay as they were", whole(&*e))),
        }
        // The policies may be others now.
        self.unreported = true;
        self.reported = None;
    }

    fn listen(&mut self, notice: &mut Option<Notice>) {
        let Some(notice) = notice else { return };
        for (folder, below) in folders(&self.options.names) {
            if let Err(e) = notice.add(&folder, below) {
                self.audience
                    .note(&format!("{e}; it is looked at every {:?}", self.tuning.poll));
            }
        }
    }

    /// Puts what was read and up to where into the state, then tells the news in it.
    fn commit(&mut self) -> Result<(), WatchError> {
        let begun = Instant::now();
        let part = self.tail.take();
        let caught_up = !self.tail.is_behind();
        let mut events = Vec::new();
        if let Some(part) = &part {
            if self.kept.learned.is_some() {
                let (news, fresh) = self.known.observe(part);
                events = news;
                events.extend(self.suspects.refuted(&fresh, part.namespaces()));
            } else {
                self.known.learn(part, None);
            }
            // What a wave did is told whenever it is read: also of what was there before anybody watched.
            if let Some(rollout) = &mut self.rollout {
                events.extend(rollout.observe(part));
                self.kept.rollout = rollout.kept().clone();
            }
            events.retain(|event| !self.tuning.mute.contains(&event.kind));
        }
        let changed = part.is_some();
        if let Some(part) = part {
            self.usage = std::mem::take(&mut self.usage).join(part);
            self.unreported = true;
        }
        if self.kept.learned.is_none() && caught_up {
            self.kept.learned = self.usage.coverage().last;
        }
        self.kept.events += events.len() as u64;
        self.kept.outbox.extend(events);
        self.kept.positions = self.tail.positions();
        if let Some(hook) = &self.hook {
            self.kept.undelivered = hook.undelivered();
        }
        self.state.commit(changed.then_some(&self.usage), &self.kept)?;
        self.show_waves();
        self.bytes = 0;
        self.waiting
            .commit(self.tail.counts().bytes, !caught_up, self.tail.reads_packed());
        self.count();
        self.committed = Instant::now();
        let rest = (begun.elapsed() * COMMIT_SHARE).min(MOST_REST);
        self.pause = self.tuning.commit_every.max(rest);
        if let Some(published) = &self.published {
            let mut status = published.status();
            status.committed = Some(SystemTime::now());
            status.commit_took = begun.elapsed();
        }
        self.tell()
    }

    /// How the waves of an applied report do; that they can't be known is told once.
    fn show_waves(&mut self) {
        let Some(rollout) = &self.rollout else { return };
        let now = rollout.progress();
        if now.trouble != self.rollout_trouble {
            match &now.trouble {
                Some(why) => self.audience.warn(why),
                None => self.audience.note("the applied report can be read again"),
            }
            self.rollout_trouble.clone_from(&now.trouble);
        }
        if let Some(published) = &self.published {
            published.status().rollout = Some(now);
        }
    }

    /// Tells what waits to be told. It was committed before; it is forgotten only once it was told.
    fn tell(&mut self) -> Result<(), WatchError> {
        if self.kept.outbox.is_empty() {
            return Ok(());
        }
        let events = std::mem::take(&mut self.kept.outbox);
        self.audience.tell(&events)?;
        if let Some(hook) = &self.hook {
            let dropped = hook.offer(&events);
            if dropped > 0 {
                self.audience.warn(&format!(
                    "the webhook's queue is full: {} not sent to it",
                    units::count(dropped as u64, "event is", "events are")
                ));
            }
            self.kept.undelivered = hook.undelivered();
        }
        if let Some(published) = &self.published {
            let mut status = published.status();
            for event in &events {
                *status.events.entry(event.kind).or_default() += 1;
            }
        }
        self.state.commit(None, &self.kept)?;
        Ok(())
    }

    /// The webhook did something: what still waits is kept, and trouble is told once.
    fn keep_undelivered(&mut self) -> Result<(), WatchError> {
        let Some(hook) = &self.hook else { return Ok(()) };
        self.kept.undelivered = hook.undelivered();
        let deliveries = hook.deliveries();
        match &deliveries.trouble {
            Some(why) if !self.hook_failed => self.audience.warn(&format!(
                "the webhook does not take events: {why}; {} wait, and are sent again",
                deliveries.waiting
            )),
            None if self.hook_failed => self.audience.note("the webhook takes events again"),
            _ => {}
        }
        self.hook_failed = deliveries.trouble.is_some();
        self.state.commit(None, &self.kept)?;
        Ok(())
    }

    /// Orders a report where one is due; else returns when one will be.
    fn order_report(&mut self) -> Option<Instant> {
        let worker = self.worker.as_mut().filter(|worker| !worker.is_busy())?;
        if !self.unreported || self.kept.learned.is_none() {
            return None;
        }
        let due = self
            .reported
            .map_or_else(Instant::now, |at| at + self.tuning.report_every);
        if due > Instant::now() {
            return Some(due);
        }
        worker.order(self.usage.clone());
        self.unreported = false;
        self.reported = Some(Instant::now());
        None
    }

    fn take_report(&mut self) {
        let Some(made) = self.worker.as_mut().and_then(ReportWorker::take) else {
            return;
        };
        let mut trouble = None;
        match made {
            Ok(report) => {
                for note in report.notes {
                    self.audience.warn(&note);
                }
                if let Some(mut entry) = report.history {
                    entry.seen = self
                        .rollout
                        .as_ref()
                        .map(|rollout| rollout.progress().standings.iter().map(|one| one.seen).sum());
                    let path = self.options.state.join(history::FILE_NAME);
                    if let Err(error) = history::append(&path, &entry) {
                        self.audience.warn(&with_hint(&error));
                    }
                }
                self.suspects = report.suspects;
                if let Some(published) = &self.published {
                    published.put(report.html, report.policy);
                }
            }
            Err(cause) => {
                let why = whole(&*cause);
                self.audience.warn(&format!("no new report: {why}"));
                trouble = Some(why);
            }
        }
        if let Some(published) = &self.published {
            published.status().report_trouble = trouble;
        }
    }

    /// The account of all lines, for the metrics.
    fn count(&self) {
        let Some(published) = &self.published else { return };
        let tally = self.usage.tally();
        let mut status = published.status();
        status.lines = tally.lines;
        status.used = tally.used;
        status.skipped = tally
            .reasons()
            .map(|(reason, skipped)| (reason, skipped.count))
            .collect();
    }

    /// Notes how far the logs are.
    fn look(&mut self) {
        let (read, unread) = (self.tail.counts().bytes, self.tail.lag_bytes());
        self.waiting.see(read, unread, self.tail.is_behind(), Instant::now());
    }

    /// What is known without counting anything.
    fn show(&mut self) {
        self.look();
        let Some(published) = &self.published else { return };
        let mut status = published.status();
        status.at = Instant::now();
        status.counts = self.tail.counts();
        status.files = self.tail.files();
        status.unreadable = self.tail.unreadable();
        status.lag_bytes = self.tail.lag_bytes();
        status.waits_since = self.waiting.since();
        status.hook = self.hook.as_ref().map(Hook::deliveries);
    }

    fn say_lag(&mut self) {
        self.show();
        let lag = self.tail.lag_bytes();
        if lag >= LAG_BYTES && self.lag_told.is_none_or(|t| t.elapsed() >= LAG_EVERY) {
            self.lag_told = Some(Instant::now());
            self.audience.note(&format!("{} MiB behind the logs", lag >> 20));
        }
    }
}
