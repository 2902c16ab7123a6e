//! What the watch shows to those who look at it from outside: the pages of the server, and what stands on them just now.

use super::serve::Answer;
use super::status::Status;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The last report, and what its page may do.
struct Sheet {
    html: Arc<str>,
    policy: String,
}

/// Written by the watch, read by the server; neither waits for the other longer than it takes to copy it.
pub struct Published {
    status: Mutex<Status>,
    sheet: Mutex<Option<Sheet>>,
}

impl Published {
    /// An empty one.
    pub const fn new(status: Status) -> Self {
        Self {
            status: Mutex::new(status),
            sheet: Mutex::new(None),
        }
    }

    /// The numbers, to be changed.
    pub fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a new report up.
    pub fn put(&self, html: String, policy: String) {
        let sheet = Sheet {
            html: html.into(),
            policy,
        };
        *self.sheet.lock().unwrap_or_else(PoisonError::into_inner) = Some(sheet);
    }

    /// The page at a path.
    pub fn page(&self, path: &str) -> Option<Answer> {
        let plain = |status, kind, body: String| Answer {
            status,
            kind,
            policy: None,
            body: body.into(),
        };
        Some(match path {
            "/" => {
                let sheet = self.sheet.lock().unwrap_or_else(PoisonError::into_inner);
                match &*sheet {
                    Some(sheet) => Answer {
                        status: 200,
                        kind: "text/html; charset=utf-8",
                        policy: Some(sheet.policy.clone()),
                        body: Arc::clone(&sheet.html),
                    },
                    None => Answer::word(503, "no report was made yet"),
                }
            }
            "/metrics" => {
                let status = self.status().clone();
                plain(200, "text/plain; version=0.0.4; charset=utf-8", status.metrics())
            }
            "/health" => {
                let status = self.status().clone();
                let (good, body) = status.health();
                plain(if good { 200 } else { 503 }, "application/json", body)
            }
            _ => return None,
        })
    }
}
