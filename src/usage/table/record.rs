//! One request, folded from its entries: the two of request and response, and their copies from further devices and nodes.
//!
//! Folding is associative, commutative and forgets nothing that the counts need, so entries may come in any order and in
//! any part of a log. Of the entries of one request those of the highest [`Class`] decide; the others lend only their time.

use super::{AuthId, NamesId, RowId};
use crate::usage::best::greatest;
use crate::usage::example::LogPlace;
use crate::usage::interner::TextId;
use crate::usage::tally::Skip;
use std::cmp::Ordering;

/// Which entries of a request decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Class {
    /// A request entry that names no demand.
    UnusableRequest = 0,
    /// A response entry that names no demand.
    UnusableResponse = 1,
    /// A request entry.
    Request = 2,
    /// A response entry.
    Response = 3,
}

/// What the entries say of the outcome, as bits, so that they fold by `or`.
pub mod flag {
    /// `policy_results` says allowed.
    pub const RESULT_ALLOWED: u8 = 1;
    /// `policy_results` says denied.
    pub const RESULT_DENIED: u8 = 2;
    /// The error is the ACL's own denial, as far as its text tells.
    pub const ERROR_DENIED: u8 = 4;
    /// There is an error.
    pub const ERROR: u8 = 8;
    /// The request went from one node to another.
    pub const FORWARDED: u8 = 16;
    /// The entries carry no request id, or a mark in its place: the id is a hash of the request, which may really have come
    /// several times.
    pub const NO_ID: u8 = 32;
    /// A request entry without an error: the ACL let it through, whatever the backend said then.
    pub const PASSED: u8 = 64;
    /// The response says whose the token is that the request made, and what it holds.
    pub const TOLD: u8 = 128;
}

/// More entries of one kind are of several requests, whatever their id says.
const MOST_COPIES: u32 = 64;

/// A request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Hash of the request id, and of who asked for what.
    pub id: u64,
    /// Earliest entry, nanoseconds since 1970; `i64::MAX` when none has a time.
    pub first: i64,
    /// Latest entry; `i64::MIN` when none has a time.
    pub last: i64,
    /// The row of its demand.
    pub row: Option<RowId>,
    /// Who asked.
    pub auth: Option<AuthId>,
    /// Names in the request's data.
    pub keys: Option<NamesId>,
    /// The policies that the server names as those that allowed it.
    pub granting: Option<NamesId>,
    /// Type of the mount.
    pub mount_type: Option<TextId>,
    /// Where the entry stands that decided.
    pub place: Option<LogPlace>,
    /// Request entries seen.
    pub requests: u32,
    /// Response entries seen.
    pub responses: u32,
    /// Which entries decided.
    pub class: Class,
    /// Bits of [`flag`].
    pub flags: u8,
    /// Why it names no demand, where it does not: a number of `Skip`.
    pub skip: u8,
}

impl Record {
    /// A record of one entry without anything in it yet.
    #[must_use]
    pub const fn new(id: u64, response: bool) -> Self {
        Self {
            id,
            first: i64::MAX,
            last: i64::MIN,
            row: None,
            auth: None,
            keys: None,
            granting: None,
            mount_type: None,
            place: None,
            requests: if response { 0 } else { 1 },
            responses: if response { 1 } else { 0 },
            class: if response {
                Class::UnusableResponse
            } else {
                Class::UnusableRequest
            },
            flags: 0,
            skip: 0,
        }
    }

    /// The same where there is no room for its row.
    pub(crate) const fn without_room(mut self) -> Self {
        self.row = None;
        self.skip = Skip::TooMany.index();
        self.class = match self.class {
            Class::Request | Class::UnusableRequest => Class::UnusableRequest,
            Class::Response | Class::UnusableResponse => Class::UnusableResponse,
        };
        self
    }

    /// Whether it names a demand.
    #[must_use]
    pub const fn usable(&self) -> bool {
        matches!(self.class, Class::Request | Class::Response)
    }

    /// Whether both a request and a response entry were seen.
    #[must_use]
    pub const fn complete(&self) -> bool {
        self.requests > 0 && self.responses > 0
    }

    /// Whether its id may be that of several requests: there is none, or it comes more often than any number of devices and
    /// nodes writes one request.
    #[must_use]
    pub const fn is_of_several(&self) -> bool {
        self.flags & flag::NO_ID != 0 || self.requests > MOST_COPIES || self.responses > MOST_COPIES
    }

    /// How many requests it stands for: one, unless the entries have no id of their own.
    #[must_use]
    pub const fn count(&self) -> u64 {
        if !self.is_of_several() {
            1
        } else if self.requests > self.responses {
            self.requests as u64
        } else {
            self.responses as u64
        }
    }

    /// How many entries it was folded from.
    #[must_use]
    pub const fn entries(&self) -> u64 {
        self.requests as u64 + self.responses as u64
    }

    /// Whether the ACL denied it: `policy_results` where there is one, else the error. Its own denial is in the request entry
    /// too; where that has no error, the backend said it.
    #[must_use]
    pub const fn denied(&self) -> bool {
        if self.flags & flag::RESULT_DENIED != 0 {
            true
        } else if self.flags & flag::RESULT_ALLOWED != 0 {
            false
        } else {
            self.flags & flag::ERROR_DENIED != 0 && self.flags & flag::PASSED == 0
        }
    }

    /// Whether it was allowed and then failed.
    #[must_use]
    pub const fn failed(&self) -> bool {
        !self.denied() && self.flags & flag::ERROR != 0
    }

    /// Folds another record of the same request in. Of two different numbers the one that means more holds.
    pub fn fold(&mut self, other: &Self, meanings: &impl Meanings) {
        let (mut upper, lower) = if other.class > self.class {
            (*other, *self)
        } else {
            (*self, *other)
        };
        upper.requests = self.requests.saturating_add(other.requests);
        upper.responses = self.responses.saturating_add(other.responses);
        upper.first = self.first.min(other.first);
        upper.last = self.last.max(other.last);
        if upper.class == lower.class {
            upper.flags |= lower.flags;
            upper.skip = upper.skip.max(lower.skip);
            upper.pick(&lower, meanings);
        } else {
            upper.flags |= lower.flags & STICKY;
        }
        *self = upper;
    }

    fn pick(&mut self, other: &Self, by: &impl Meanings) {
        greatest(&mut self.row, other.row, |a, b| by.rows(*a, *b));
        greatest(&mut self.auth, other.auth, |a, b| by.auths(*a, *b));
        greatest(&mut self.keys, other.keys, |a, b| by.names(*a, *b));
        greatest(&mut self.granting, other.granting, |a, b| by.names(*a, *b));
        greatest(&mut self.mount_type, other.mount_type, |a, b| by.texts(*a, *b));
        greatest(&mut self.place, other.place, |a, b| by.places(*a, *b));
    }
}

/// Bits that hold for the request, whichever entry told them.
const STICKY: u8 = flag::FORWARDED | flag::NO_ID | flag::PASSED;

/// What the numbers of a record stand for, compared: the order of arrival must not count.
pub trait Meanings {
    /// Of [`Record::row`].
    fn rows(&self, a: RowId, b: RowId) -> Ordering;
    /// Of [`Record::auth`].
    fn auths(&self, a: AuthId, b: AuthId) -> Ordering;
    /// Of [`Record::keys`] and [`Record::granting`].
    fn names(&self, a: NamesId, b: NamesId) -> Ordering;
    /// Of [`Record::mount_type`].
    fn texts(&self, a: TextId, b: TextId) -> Ordering;
    /// Of [`Record::place`].
    fn places(&self, a: LogPlace, b: LogPlace) -> Ordering;
}

/// Hash of a request id: stable over runs and machines, since parts of a log carry it.
#[must_use]
pub fn hash_id(id: &[u8]) -> u64 {
    const K0: u64 = 0x9e37_79b9_7f4a_7c15;
    const K1: u64 = 0xd6e8_feb8_6659_fd93;
    let mut state = K1 ^ (id.len() as u64);
    let mut words = id.chunks_exact(8);
    for word in &mut words {
        let word = word.try_into().map_or(0, u64::from_le_bytes);
        state = mix(state ^ word, K0);
    }
    let mut rest = [0_u8; 8];
    for (to, from) in rest.iter_mut().zip(words.remainder()) {
        *to = *from;
    }
    mix(state ^ u64::from_le_bytes(rest), K1)
}

/// The hash of two that belong together.
#[must_use]
pub const fn join_ids(a: u64, b: u64) -> u64 {
    mix(a ^ b.rotate_left(32), 0x9e37_79b9_7f4a_7c15)
}

const fn mix(a: u64, b: u64) -> u64 {
    let product = (a as u128).wrapping_mul(b as u128);
    (product as u64) ^ ((product >> 64) as u64)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::index::Idx;
    use proptest::prelude::*;

    /// Numbers that stand for themselves.
    pub struct Themselves;

    impl Meanings for Themselves {
        fn rows(&self, a: RowId, b: RowId) -> Ordering {
            a.cmp(&b)
        }

        fn auths(&self, a: AuthId, b: AuthId) -> Ordering {
            a.cmp(&b)
        }

        fn names(&self, a: NamesId, b: NamesId) -> Ordering {
            a.cmp(&b)
        }

        fn texts(&self, a: TextId, b: TextId) -> Ordering {
            a.cmp(&b)
        }

        fn places(&self, a: LogPlace, b: LogPlace) -> Ordering {
            (a.log, a.line).cmp(&(b.log, b.line))
        }
    }

    fn some<T>(number: usize) -> Option<Idx<T>> {
        (number < 3).then(|| Idx::nth(number))
    }

    fn any_record() -> impl Strategy<Value = Record> {
        (
            0_u8..4,
            any::<u8>(),
            0_u8..15,
            [0_usize..4, 0..4, 0..4, 0..4],
            (0_i64..9, 0_i64..9),
            (0_usize..4, 1_u64..4),
        )
            .prop_map(
                |(class, flags, skip, [row, auth, keys, mount_type], (a, b), (log, line))| {
                    let response = class & 1 == 1;
                    Record {
                        first: a.min(b),
                        last: a.max(b),
                        row: some(row),
                        auth: some(auth),
                        keys: some(keys),
                        mount_type: some(mount_type),
                        place: some(log).map(|log| LogPlace::new(log, line)),
                        class: match class {
                            0 => Class::UnusableRequest,
                            1 => Class::UnusableResponse,
                            2 => Class::Request,
                            _ => Class::Response,
                        },
                        flags,
                        skip,
                        ..Record::new(7, response)
                    }
                },
            )
    }

    fn fold(mut a: Record, b: &Record) -> Record {
        a.fold(b, &Themselves);
        a
    }

    proptest! {
        #[test]
        fn folding_is_commutative_and_associative(a in any_record(), b in any_record(), c in any_record()) {
            prop_assert_eq!(fold(a, &b), fold(b, &a));
            prop_assert_eq!(fold(fold(a, &b), &c), fold(a, &fold(b, &c)));
        }
    }

    #[test]
    fn the_hash_of_an_id_never_changes() {
        assert_ne!(hash_id(b"a"), hash_id(b"a\0"));
        assert_eq!(hash_id(b"7fc38dd7-5313-9b7a-0ebf-dbd767902dce"), HASH_OF_SAMPLE);
    }

    const HASH_OF_SAMPLE: u64 = 11_016_080_115_962_219_673;
}
