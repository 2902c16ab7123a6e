//! What wakes the watcher: one mailbox that holds each thing once, so that a log written fast costs no memory.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What happened since the last time.
#[derive(Debug, Default)]
pub struct News {
    /// Files that changed.
    pub changed: BTreeSet<PathBuf>,
    /// Files came or went.
    pub rescan: bool,
    /// Everything is to be looked at again.
    pub reload: bool,
    /// The webhook took something, or did not.
    pub hook: bool,
    /// A report was made.
    pub report: bool,
    /// The end.
    pub stop: bool,
}

impl News {
    fn is_empty(&self) -> bool {
        self.changed.is_empty() && ![self.rescan, self.reload, self.hook, self.report, self.stop].contains(&true)
    }
}

/// The mailbox, shared by whoever has something to tell.
#[derive(Debug, Clone, Default)]
pub struct Waker(Arc<(Mutex<News>, Condvar)>);

impl Waker {
    /// Tells something.
    pub fn tell(&self, what: impl FnOnce(&mut News)) {
        what(&mut self.lock());
        self.0.1.notify_one();
    }

    /// Waits until something happened, or until `deadline`, or for ever. Says whether something did.
    pub fn wait(&self, deadline: Option<Instant>) -> bool {
        let mut news = self.lock();
        while news.is_empty() {
            news = match deadline {
                None => self.0.1.wait(news).unwrap_or_else(PoisonError::into_inner),
                Some(end) => {
                    let left = end.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return false;
                    }
                    let waited = self.0.1.wait_timeout(news, left.max(Duration::from_millis(1)));
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        true
    }

    /// What happened since the last time.
    pub fn take(&self) -> News {
        std::mem::take(&mut self.lock())
    }

    /// Whether the end was asked for.
    pub fn is_stopped(&self) -> bool {
        self.lock().stop
    }

    fn lock(&self) -> MutexGuard<'_, News> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
