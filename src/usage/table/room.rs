//! How much is kept: what each principal, and all of them together, may take, and what is noted of what finds no room.

use super::{Key, RowId, Table, Who, WhoId};
use crate::usage::bounds::{Bounds, is_own, weight};
use crate::vault::PrincipalKind;
use std::sync::Arc;

/// What the rows of a principal take of its bounds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Room {
    pub(super) used: usize,
    pub(super) refused: usize,
    /// Whether more was asked for than there is room for, so that not all of it is known.
    pub(super) over: bool,
}

impl Table {
    /// Sets other bounds.
    pub(crate) fn bound(&mut self, bounds: Bounds) {
        let own = self.rows.iter().filter(|row| row.used && is_own(&row.path));
        let own: usize = own
            .filter(|row| !self.is_open(row.principal))
            .map(|row| weight(row.path.len()) + row.weight_of_names())
            .sum();
        let of = |who: &Who| if who.is_over() { bounds.used } else { who.room.used };
        self.filled.used = own + self.principals.iter().map(of).sum::<usize>();
        self.bounds = bounds;
    }

    /// Whether there is room for a row more. Where there is none and it may have been allowed, that is noted.
    pub(super) fn has_room(&mut self, key: &Key<'_>, refused: bool) -> bool {
        let taken = weight(key.path.len());
        let room = self.principals[key.principal].room;
        if refused {
            return room.refused + taken <= self.bounds.refused
                && self.filled.refused + taken <= self.bounds.all_refused;
        }
        let is_own = is_own(key.path);
        if !is_own && room.used + taken > self.bounds.used {
            self.note_over(key.principal);
            return false;
        }
        // Whoever is over counts for as much as the bound already.
        let is_counted = is_own || !room.over;
        if is_counted && self.filled.used + taken > self.bounds.all_used {
            self.passed.all = true;
            return false;
        }
        true
    }

    /// Takes the room of a row.
    pub(super) fn take_room(&mut self, principal: WhoId, path: &str, refused: bool) {
        let taken = weight(path.len());
        let who = &mut self.principals[principal];
        if who.kind == PrincipalKind::Unauthenticated {
            return;
        }
        if refused {
            who.room.refused += taken;
            self.filled.refused += taken;
            return;
        }
        self.take(principal, is_own(path), taken);
    }

    /// Takes the room of the names that a row has got beyond those of before.
    pub(crate) fn take_names(&mut self, at: RowId, before: usize) {
        let row = &self.rows[at];
        let taken = row.weight_of_names().saturating_sub(before);
        if taken > 0 {
            self.take(row.principal, is_own(&row.path), taken);
        }
    }

    /// Whether the names of request data that the rows of a principal have are not all that were sent.
    pub(crate) fn has_lost_names(&self, principal: WhoId) -> bool {
        self.passed.names || self.passed.all || self.principals[principal].is_over()
    }

    /// Whether further names of request data are kept. Of whoever is over only those count that were sent to the server itself.
    pub(super) fn keeps_names(&self, principal: WhoId, path: &str) -> bool {
        !self.has_lost_names(principal) || (!self.passed.names && !self.passed.all && is_own(path))
    }

    /// Takes room for something that may have been allowed.
    fn take(&mut self, principal: WhoId, is_own: bool, taken: usize) {
        let who = &mut self.principals[principal];
        if !is_own {
            who.room.used += taken;
        }
        let over = who.room.used > self.bounds.used;
        // Whoever is over counts for as much as the bound, whatever was kept.
        if is_own || !who.room.over {
            self.filled.used += taken;
        }
        if over {
            self.note_over(principal);
        }
        self.passed.all |= self.filled.used > self.bounds.all_used;
    }

    /// Notes that not all is known that was allowed to a principal.
    pub(super) fn note_over(&mut self, principal: WhoId) {
        let room = &mut self.principals[principal].room;
        if !room.over {
            room.over = true;
            self.filled.used = (self.filled.used + self.bounds.used).saturating_sub(room.used);
            self.passed.all |= self.filled.used > self.bounds.all_used;
        }
    }

    /// Notes that something of a row may have been allowed.
    pub(super) fn use_row(&mut self, at: RowId) {
        let row = &mut self.rows[at];
        if row.used {
            return;
        }
        row.used = true;
        let (principal, path) = (row.principal, Arc::clone(&row.path));
        let who = &mut self.principals[principal];
        if who.kind != PrincipalKind::Unauthenticated {
            let taken = weight(path.len());
            who.room.refused = who.room.refused.saturating_sub(taken);
            self.filled.refused = self.filled.refused.saturating_sub(taken);
            self.take_room(principal, &path, false);
        }
    }

    /// Whether somebody asked for more than there is room for.
    pub(crate) fn is_past_a_bound(&self) -> bool {
        self.passed.all || self.principals.iter().any(Who::is_over)
    }
}
