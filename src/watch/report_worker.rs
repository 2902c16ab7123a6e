//! Where reports are made: on a thread of its own, one at a time, so that reading never waits for one.

use super::suspects::Suspects;
use super::waker::Waker;
use crate::hint::Cause;
use crate::report::history;
use crate::usage::Usage;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;

/// Whoever makes reports.
pub trait Reporter: Send {
    /// Makes one of the usage so far.
    ///
    /// # Errors
    /// When something that it needs can't be read.
    fn report(&mut self, usage: Usage) -> Result<Report, Cause>;
}

/// A report that was made.
pub struct Report {
    /// The page.
    pub html: String,
    /// What the page may do: its Content-Security-Policy.
    pub policy: String,
    /// The grants that it calls suspect or removable.
    pub suspects: Suspects,
    /// What a person should know.
    pub notes: Vec<String>,
    /// The line that the history gets.
    pub history: Option<history::Entry>,
}

/// The thread that makes reports, as the watch sees it.
pub struct ReportWorker {
    orders: SyncSender<Usage>,
    reports: Receiver<Result<Report, Cause>>,
    busy: bool,
}

impl ReportWorker {
    /// Waits for orders.
    pub fn new(mut reporter: Box<dyn Reporter>, waker: Waker) -> Self {
        let (orders, ordered) = sync_channel::<Usage>(1);
        let (made, reports) = sync_channel(1);
        thread::spawn(move || {
            for usage in ordered {
                if made.send(reporter.report(usage)).is_err() {
                    return;
                }
                waker.tell(|news| news.report = true);
            }
        });
        Self {
            orders,
            reports,
            busy: false,
        }
    }

    /// Whether one is being made.
    pub const fn is_busy(&self) -> bool {
        self.busy
    }

    /// Orders one.
    pub fn order(&mut self, usage: Usage) {
        self.busy = self.orders.try_send(usage).is_ok();
    }

    /// The one that was ordered, once it is made.
    pub fn take(&mut self) -> Option<Result<Report, Cause>> {
        match self.reports.try_recv() {
            Ok(report) => {
                self.busy = false;
                Some(report)
            }
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                let was_busy = std::mem::replace(&mut self.busy, false);
                was_busy.then(|| {
                    Err("reports can't be made any more: this is a fault of the program, please report it".into())
                })
            }
        }
    }
}
