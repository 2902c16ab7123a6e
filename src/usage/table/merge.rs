//! One table added to another, whose numbers are others.

use super::record::Record;
use super::row::{Row, Sighting};
use super::{AuthId, Key, Names, NamesId, RowId, Table, Who, WhoId};
use crate::index::IndexVec;
use crate::usage::auth::Auth;
use crate::usage::best::Best;
use crate::usage::example::{Log, LogId, LogPlace};
use crate::usage::interner::{Text, TextId, Texts, Values};
use crate::usage::tally::Skip;
use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashSet};
use std::borrow::Cow;

impl Table {
    /// Adds another table, and says how its numbers are called here, as far as the rows that find room and these records have
    /// them.
    pub(crate) fn merge(&mut self, other: Self, records: &[Record]) -> Renumbered {
        let mut to = Renumbered {
            texts: IndexVec::from(vec![None; other.texts.len()]),
            auths: other.auths.iter().map(|a| self.auth(a.clone())).collect(),
            logs: other.logs.iter().map(|log| self.logs.intern(log.clone())).collect(),
            ..Renumbered::default()
        };
        for (kept, &auth) in other.kept.iter().zip(&to.auths) {
            if let Some(time) = kept.used {
                self.use_auth(auth, time);
            }
            self.lose(auth, kept.lost);
        }
        let theirs = &other.texts;
        for mount_type in records.iter().filter_map(|record| record.mount_type) {
            to.text(mount_type, theirs, &mut self.texts);
        }
        self.merge_name_sets(&other.key_sets, theirs, &mut to);
        self.merge_spaces(other.spaces, theirs, &mut to);
        self.merge_principals(other.principals, &mut to);
        self.reserve(other.rows.len() / 2);
        let (mut allowed, mut refused) = (0_u64, 0_u64);
        for row in other.rows {
            if let Some(without_room) = self.merge_row(row, theirs, &mut to) {
                allowed += without_room.allowed;
                refused += without_room.denied;
            }
        }
        self.tally.merge(other.tally);
        self.tally.used = self.tally.used.saturating_sub(allowed + refused);
        self.tally.skip(Skip::TooMany, allowed);
        self.tally.skip(Skip::TooManyRefused, refused);
        self.passed.merge(other.passed);
        self.seen.merge(other.seen);
        self.counts.merge(other.counts);
        to
    }

    fn merge_name_sets(&mut self, sets: &Values<Names>, theirs: &Texts, to: &mut Renumbered) {
        for set in sets.iter() {
            let number = if set.of_data {
                let names = set.numbers().iter().map(|name| Cow::Borrowed(theirs.get(*name)));
                self.data_keys(&names.collect::<Vec<_>>())
            } else {
                let names = to.names(set.numbers(), theirs, &mut self.texts);
                self.granting(names)
            };
            to.sets.push(number);
        }
    }

    fn merge_spaces(&mut self, spaces: HashSet<TextId, RandomState>, theirs: &Texts, to: &mut Renumbered) {
        let mut spaces: Vec<TextId> = spaces.into_iter().collect();
        spaces.sort_unstable();
        for number in spaces {
            to.spaces.insert(number, self.space(theirs.get(number)));
        }
    }

    fn merge_principals(&mut self, principals: IndexVec<Who>, to: &mut Renumbered) {
        for theirs in principals {
            let is_over = theirs.is_over();
            let number = self.principal(theirs.kind, theirs.id);
            to.principals.push(number);
            if is_over {
                self.note_over(number);
            }
            let auth = to.seen(&theirs.auth);
            self.principals[number].see(auth, theirs.login, &self.auths);
        }
    }

    /// Adds a row of another table; gives it back where there is no room for it.
    fn merge_row(&mut self, row: Row, theirs: &Texts, to: &mut Renumbered) -> Option<Row> {
        let key = Key {
            principal: to.principals[row.principal],
            namespace: *to
                .spaces
                .entry(row.namespace)
                .or_insert_with(|| self.space(theirs.get(row.namespace))),
            path: &row.path,
            capability: row.capability,
        };
        let at = self.row(&key, !row.used);
        to.rows.push(at);
        let Some(at) = at else {
            if let Some(auth) = to.seen(&row.auth).value() {
                self.lose(*auth, row.allowed);
            }
            return Some(row);
        };
        let keeps_names = self.keeps_names(key.principal, key.path);
        let texts = &mut self.texts;
        let always = row.keys_always.as_deref().filter(|_| keeps_names);
        let always = always.map(|names| to.names(names, theirs, texts));
        let ever = if keeps_names { &*row.keys_ever } else { &[] };
        let ever = to.names(ever, theirs, texts);
        let granting = to.names(&row.granting, theirs, texts);
        let mount_type = row.mount_type.map(|text| to.text(text, theirs, texts));
        let theirs = row;
        let mine = &mut self.rows[at];
        mine.allowed += theirs.allowed;
        mine.denied += theirs.denied;
        mine.failed += theirs.failed;
        let seen = Sighting {
            first: theirs.first,
            last: theirs.last,
            days: &theirs.days,
            mount_type,
            auth: to.seen(&theirs.auth),
            example: theirs.example.told_as(|place| to.place(place)),
            keys_always: always.as_deref(),
            keys_ever: &ever,
            granting: &granting,
        };
        let before = mine.weight_of_names();
        mine.see(seen, &self.texts, &self.auths, &self.logs);
        mine.keys_recent = None;
        self.take_names(at, before);
        None
    }
}

/// What the numbers of one table are called in another.
#[derive(Debug, Default)]
pub(crate) struct Renumbered {
    rows: IndexVec<Row, Option<RowId>>,
    principals: IndexVec<Who, WhoId>,
    auths: IndexVec<Auth, AuthId>,
    sets: IndexVec<Names, NamesId>,
    spaces: HashMap<TextId, TextId, RandomState>,
    texts: IndexVec<Text, Option<TextId>>,
    logs: IndexVec<Log, LogId>,
}

impl Renumbered {
    /// The record in the other table's numbers.
    pub fn record(&self, record: &Record) -> Record {
        let known = Record {
            row: record.row.and_then(|row| self.rows[row]),
            auth: record.auth.map(|auth| self.auths[auth]),
            keys: record.keys.map(|keys| self.sets[keys]),
            granting: record.granting.map(|names| self.sets[names]),
            mount_type: record.mount_type.and_then(|text| self.texts[text]),
            place: record.place.map(|place| self.place(place)),
            ..*record
        };
        if record.row.is_some() && known.row.is_none() {
            known.without_room()
        } else {
            known
        }
    }

    /// A text's number, which is kept if it is new.
    fn text(&mut self, number: TextId, theirs: &Texts, mine: &mut Texts) -> TextId {
        *self.texts[number].get_or_insert_with(|| mine.intern(theirs.get(number)))
    }

    fn place(&self, place: LogPlace) -> LogPlace {
        LogPlace {
            log: self.logs[place.log],
            ..place
        }
    }

    fn seen(&self, auth: &Best<AuthId>) -> Best<AuthId> {
        Best::seen(auth.value().map(|auth| self.auths[*auth]), auth.time())
    }

    fn names(&mut self, names: &[TextId], theirs: &Texts, mine: &mut Texts) -> Vec<TextId> {
        let mut names: Vec<TextId> = names.iter().map(|name| self.text(*name, theirs, mine)).collect();
        names.sort_unstable();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::table::record::Class;
    use crate::vault::Capability;

    /// A table with one allowed request, and what such a one is with other names.
    fn with_names(names: &[&str]) -> (Table, impl Fn(&mut Table, &[&str]) -> Record + use<>) {
        let request = |table: &mut Table, names: &[&str]| {
            let auth = table.auth(Auth::nobody());
            let key = Key {
                principal: table.principal_of(auth),
                namespace: table.text(""),
                path: "secret/data/a",
                capability: Capability::Update,
            };
            let row = table.row(&key, false);
            let names: Vec<Cow<'_, str>> = names.iter().map(|name| Cow::Borrowed(*name)).collect();
            Record {
                class: Class::Request,
                row,
                keys: (!names.is_empty()).then(|| table.data_keys(&names)),
                ..Record::new(1, false)
            }
        };
        let mut table = Table::default();
        let first = request(&mut table, names);
        table.settle(&first);
        (table, request)
    }

    #[test]
    fn a_request_without_names_counts_after_a_merge_too() {
        let (mut table, request) = with_names(&["a"]);
        table.merge(with_names(&["a", "b"]).0, &[]);
        let always = |table: &Table| table.rows.iter().find_map(|row| Some(row.keys_always.as_ref()?.len()));
        assert_eq!(always(&table), Some(1));
        let without = request(&mut table, &[]);
        table.settle(&without);
        assert_eq!(always(&table), Some(0));
    }
}
