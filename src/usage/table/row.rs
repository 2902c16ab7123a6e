//! A demand in numbers, and what is taken over of it from requests and from other tables.

use super::{AuthId, MAX_KEYS, NamesId, WhoId};
use crate::usage::auth::Auth;
use crate::usage::best::{Best, greatest};
use crate::usage::example::{Example, Log};
use crate::usage::interner::{TextId, Texts, Values};
use crate::vault::Capability;
use std::sync::Arc;

/// A demand in numbers.
#[derive(Debug, Clone)]
pub struct Row {
    pub(crate) principal: WhoId,
    pub(crate) namespace: TextId,
    pub(crate) path: Arc<str>,
    pub(crate) capability: Capability,
    /// Hash of these four, the same in every part.
    pub(super) meaning: u64,
    /// Whether something of it may have been allowed.
    pub(super) used: bool,
    pub(crate) mount_type: Option<TextId>,
    pub(crate) allowed: u64,
    pub(crate) denied: u64,
    pub(crate) failed: u64,
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) auth: Best<AuthId>,
    /// Where the request that is shown stands, and its time.
    pub(crate) example: Example,
    /// Sorted.
    pub(crate) days: Vec<i32>,
    /// Sorted by number; `None` before the first allowed request.
    pub(crate) keys_always: Option<Box<[TextId]>>,
    /// Sorted by number.
    pub(crate) keys_ever: Box<[TextId]>,
    /// The policies that the server named as those that allowed it, as [`super::held::Granting`] has them; sorted by number.
    pub(crate) granting: Box<[TextId]>,
    /// The names that came last, if any were taken over from a request.
    pub(super) keys_recent: Option<Option<NamesId>>,
}

/// What one request, or all requests of another table, tell of a demand.
pub(super) struct Sighting<'a> {
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) days: &'a [i32],
    pub(super) mount_type: Option<TextId>,
    pub(super) auth: Best<AuthId>,
    pub(super) example: Example,
    /// The names that all allowed requests had, sorted; none where none was allowed.
    pub(super) keys_always: Option<&'a [TextId]>,
    pub(super) keys_ever: &'a [TextId],
    pub(super) granting: &'a [TextId],
}

impl Row {
    /// For how many rows its names count.
    pub(super) fn weight_of_names(&self) -> usize {
        self.keys_ever.len() / 32
    }

    /// Takes over what was seen. Nothing depends on the order in which it comes.
    pub(super) fn see(&mut self, seen: Sighting<'_>, texts: &Texts, auths: &Values<Auth>, logs: &Values<Log>) {
        self.first = self.first.min(seen.first);
        self.last = self.last.max(seen.last);
        for day in seen.days {
            note_day(&mut self.days, *day);
        }
        greatest(&mut self.mount_type, seen.mount_type, |a, b| {
            texts.get(*a).cmp(texts.get(*b))
        });
        self.auth.see(seen.auth, |a, b| auths.get(*a).cmp(auths.get(*b)));
        self.example.see(seen.example, logs);
        if let Some(names) = seen.keys_always {
            match &mut self.keys_always {
                None => self.keys_always = Some(Box::from(names)),
                Some(always) => {
                    let stays = |n: &TextId| names.binary_search(n).is_ok();
                    if !always.iter().all(stays) {
                        *always = always.iter().copied().filter(stays).collect();
                    }
                }
            }
        }
        if let Some(ever) = with_all(&self.keys_ever, seen.keys_ever) {
            self.keys_ever = bounded(ever, texts).into();
        }
        if let Some(granting) = with_all(&self.granting, seen.granting) {
            self.granting = granting.into();
        }
    }
}

fn note_day(days: &mut Vec<i32>, day: i32) {
    if days.last() == Some(&day) {
        return;
    }
    if let Err(at) = days.binary_search(&day) {
        days.insert(at, day);
    }
}

/// The union of two sorted sets, if it is larger than the first.
fn with_all(set: &[TextId], more: &[TextId]) -> Option<Vec<TextId>> {
    if more.iter().all(|n| set.binary_search(n).is_ok()) {
        return None;
    }
    let mut union: Vec<TextId> = set.iter().chain(more).copied().collect();
    union.sort_unstable();
    union.dedup();
    Some(union)
}

pub(super) fn bounded(mut names: Vec<TextId>, texts: &Texts) -> Vec<TextId> {
    if names.len() > MAX_KEYS {
        names.sort_unstable_by(|a, b| texts.get(*a).cmp(texts.get(*b)));
        names.truncate(MAX_KEYS);
        names.sort_unstable();
    }
    names
}
