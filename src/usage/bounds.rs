//! How much is kept of what clients make as many of as they like: paths, namespaces, names of tokens and of data keys.
//!
//! What is refused is used by nobody, so that the bound of one principal on it takes nothing away. What may have been allowed and
//! finds no room is lost for whoever asked, as a line is that cannot be read: it may have been anything that its holder may do.
//! Whether a bound was passed follows from all that was seen, in whatever order and parts it came. Only of the names of data a part
//! that was stored forgets which it had, and where their bound was passed, whether another was may hang on the order.

use serde::{Deserialize, Serialize};

/// The bounds. A long name counts for several, and so do many names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Different requests of one principal that may have been allowed, those to the server itself aside.
    pub used: usize,
    /// Different requests of one principal that were refused.
    pub refused: usize,
    /// Different requests of all principals that may have been allowed.
    pub all_used: usize,
    /// Different requests of all principals that were refused.
    pub all_refused: usize,
    /// Different things said of those who ask.
    pub auths: usize,
    /// Namespaces.
    pub namespaces: usize,
    /// Sets of names of request data, in bytes.
    pub names: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            used: 1 << 20,
            refused: 1 << 16,
            all_used: 1 << 22,
            all_refused: 1 << 20,
            auths: 1 << 21,
            namespaces: 1 << 16,
            names: 1 << 27,
        }
    }
}

/// How much of the bounds is taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Filled {
    pub used: usize,
    pub refused: usize,
    pub auths: usize,
    pub namespaces: usize,
    pub names: usize,
}

/// Which bounds were passed that are not those of one principal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Passed {
    /// Anybody may have done anything.
    pub all: bool,
    /// Any demand may have had any names of request data.
    pub names: bool,
}

impl Passed {
    /// Whether none was.
    pub const fn none(&self) -> bool {
        !self.all && !self.names
    }

    /// Those of both.
    pub fn merge(&mut self, other: Self) {
        self.all |= other.all;
        self.names |= other.names;
    }
}

/// For how many a name of so many bytes counts.
pub(crate) const fn weight(bytes: usize) -> usize {
    1 + bytes / 256
}

/// Whether a path is the server's own. What was done there tells of others too: who wrote a policy, a role, a mount.
pub(crate) fn is_own(path: &str) -> bool {
    ["sys/", "auth/", "identity/"].iter().any(|own| path.starts_with(own))
}

#[cfg(test)]
mod tests {
    use super::super::auth::Auth;
    use super::super::frame;
    use super::super::held::Held;
    use super::super::table::Key;
    use super::super::table::record::{Class, Record, flag, hash_id, join_ids};
    use super::super::{Skip, Usage};
    use super::*;
    use crate::vault::{Capability, PrincipalKind};
    use proptest::prelude::*;
    use std::borrow::Cow;
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::Arc;

    /// One who asks with one of two lists for a path, of the server itself or not, in a namespace, with some names of data, and is
    /// refused or not.
    #[derive(Debug, Clone, Default)]
    struct Asked {
        who: u8,
        list: u8,
        path: u8,
        own: bool,
        refused: bool,
        space: u8,
        names: u8,
    }

    impl Asked {
        fn auth(&self) -> Auth {
            let id: Arc<str> = Arc::from(format!("e{}", self.who));
            Auth {
                kind: PrincipalKind::Entity,
                id: Arc::clone(&id),
                name: id,
                held: Arc::new(Held::named(Arc::from([Arc::from(format!("p{}", self.list))]))),
                ..Auth::nobody()
            }
        }

        fn space(&self) -> String {
            match self.space {
                0 => String::new(),
                n => format!("n{n}/"),
            }
        }

        fn path(&self) -> String {
            format!("{}/{}", if self.own { "sys" } else { "secret" }, self.path)
        }
    }

    fn part<'a>(all: impl IntoIterator<Item = (usize, &'a Asked)>, bounds: Bounds) -> Usage {
        let mut usage = Usage::default().bounded(bounds);
        for (number, asked) in all {
            let table = usage.table_mut();
            let auth = table.auth(asked.auth());
            let names: Vec<Cow<'_, str>> = (0..20 * usize::from(asked.names))
                .map(|n| Cow::Owned(format!("n{n:02}")))
                .collect();
            let keys = table.data_keys(&names);
            let key = Key {
                principal: table.principal_of(auth),
                namespace: table.space(&asked.space()),
                path: &asked.path(),
                capability: Capability::Read,
            };
            let row = table.row(&key, asked.refused);
            let mut record = Record::new(0, true);
            record.class = Class::Response;
            record.flags = if asked.refused {
                flag::RESULT_DENIED
            } else {
                flag::RESULT_ALLOWED
            };
            (record.row, record.auth, record.keys) = (row, Some(auth), Some(keys));
            record.last = i64::try_from(number).unwrap();
            record.first = record.last;
            if row.is_none() {
                record = record.without_room();
            }
            let table = usage.table_mut();
            record.id = join_ids(hash_id(&number.to_le_bytes()), table.meaning(&record));
            table.tally.lines += 1;
            usage.add(&record);
        }
        usage
    }

    type Unknown = (BTreeSet<(String, Arc<Held>)>, bool);

    /// What must not hang on the order: whose use is not known whole. Where it is anybody's, it does not matter whose.
    fn unknown(usage: &Usage) -> Unknown {
        let lost = usage.lost();
        let known = lost
            .known
            .keys()
            .map(|(who, held)| (who.id.to_string(), Arc::clone(held)));
        let anybody = lost.unknown > 0;
        (known.filter(|_| !anybody).collect(), anybody)
    }

    /// The names of data of whoever's use is known whole, by who, where and what.
    fn names(usage: &Usage) -> BTreeMap<String, [Vec<String>; 2]> {
        let (unknown, anybody) = unknown(usage);
        let is_known = |id: &str| !anybody && unknown.iter().all(|(who, _)| who != id);
        let texts = |names: &BTreeSet<Arc<str>>| names.iter().map(ToString::to_string).collect();
        let demands = usage.demands().into_iter().filter(|demand| demand.allowed > 0);
        demands
            .filter(|demand| is_known(&demand.principal.id))
            .map(|demand| {
                let asked = format!("{} {}{}", demand.principal.id, demand.namespace, demand.path);
                (asked, [texts(&demand.keys_always), texts(&demand.keys_ever)])
            })
            .collect()
    }

    /// Everything that was allowed is either there or not known whole.
    fn nothing_is_forgotten(usage: &Usage, all: &[Asked]) {
        let (known, anybody) = unknown(usage);
        let demands = usage.demands();
        for asked in all.iter().filter(|asked| !asked.refused) {
            let auth = asked.auth();
            let is_there = demands.iter().any(|demand| {
                *demand.principal.id == *auth.id
                    && *demand.path == asked.path()
                    && *demand.namespace == asked.space()
                    && demand.allowed > 0
            });
            assert!(
                is_there || anybody || known.contains(&(auth.id.to_string(), auth.held)),
                "{asked:?}"
            );
        }
        let tally = usage.tally();
        assert!(tally.balanced(), "{tally:?}");
    }

    fn asked() -> impl Strategy<Value = Asked> {
        let what = (0_u8..6, prop::bool::weighted(0.2), any::<bool>(), 0_u8..4, 0_u8..4);
        (0_u8..3, 0_u8..2, what).prop_map(|(who, list, (path, own, refused, space, names))| Asked {
            who,
            list,
            path,
            own,
            refused,
            space,
            names,
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn whose_use_is_not_known_whole_hangs_on_no_order(
            all in prop::collection::vec(asked(), 1..40),
            other in prop::collection::vec(any::<u32>(), 40),
            parts in 1_usize..5,
            (used, refused, all_used, auths) in (1_usize..12, 1_usize..4, 2_usize..30, 2_usize..9),
            (namespaces, names_bytes) in (1_usize..7, prop::option::weighted(0.3, 0_usize..2_500)),
            stored in prop::bool::weighted(0.1),
        ) {
            let names_bytes = names_bytes.filter(|_| !stored).unwrap_or(1 << 20);
            let bounds = Bounds { used, refused, all_used, all_refused: 6, auths, namespaces, names: names_bytes };
            let whole = part(all.iter().enumerate(), bounds);
            nothing_is_forgotten(&whole, &all);
            let mut order: Vec<usize> = (0..all.len()).collect();
            order.sort_by_key(|n| other[*n]);
            let mut sum = Usage::default().bounded(bounds);
            for n in 0..parts {
                let mine = order.iter().filter(|at| other[**at] as usize % parts == n);
                let mut one = part(mine.map(|at| (*at, &all[*at])), bounds);
                if stored {
                    one.seal();
                    let mut file = tempfile::tempfile().unwrap();
                    frame::write(&one, &mut file).unwrap();
                    std::io::Seek::rewind(&mut file).unwrap();
                    one = frame::read(file).unwrap().bounded(bounds);
                }
                sum = if other[n] % 2 == 0 { sum.merge(one).unwrap() } else { one.merge(sum).unwrap() };
            }
            nothing_is_forgotten(&sum, &all);
            prop_assert_eq!(whole.settled().passed.names, sum.settled().passed.names);
            if !whole.settled().passed.names {
                prop_assert_eq!(unknown(&whole), unknown(&sum));
                prop_assert_eq!(names(&whole), names(&sum));
            }
        }
    }

    #[test]
    fn what_is_refused_without_end_takes_nothing_from_what_is_known() {
        let refused = (0..50).map(|path| Asked {
            path,
            refused: true,
            ..Asked::default()
        });
        let used = (0..3).map(|path| Asked {
            path,
            ..Asked::default()
        });
        let all: Vec<Asked> = refused.chain(used).collect();
        let bounds = Bounds {
            used: 3,
            refused: 10,
            ..Bounds::default()
        };
        let usage = part(all.iter().enumerate(), bounds);
        assert_eq!(unknown(&usage), (BTreeSet::new(), false));
        assert_eq!(usage.demands().len(), 10);
        assert_eq!(usage.tally().skipped(Skip::TooManyRefused), 40);
        assert_eq!(usage.tally().lost(), 0);
    }

    #[test]
    fn long_names_count_for_several() {
        let bounds = Bounds {
            used: 8,
            ..Bounds::default()
        };
        let mut usage = Usage::default().bounded(bounds);
        let table = usage.table_mut();
        let auth = table.auth(Asked::default().auth());
        let mut begun = 0;
        for n in 0..8 {
            let key = Key {
                principal: table.principal_of(auth),
                namespace: table.space(""),
                path: &format!("secret/{n}{}", "x".repeat(1_000)),
                capability: Capability::Read,
            };
            begun += usize::from(table.row(&key, false).is_some());
        }
        assert_eq!(begun, 2);
        assert!(table.is_past_a_bound());
    }

    #[test]
    fn of_too_many_namespaces_anybody_may_have_done_anything() {
        let of = |spaces: std::ops::Range<u8>| {
            let asked: Vec<Asked> = spaces
                .map(|space| Asked {
                    space,
                    ..Asked::default()
                })
                .collect();
            let bounds = Bounds {
                namespaces: 4,
                ..Bounds::default()
            };
            part(asked.iter().enumerate(), bounds)
        };
        assert!(!unknown(&of(0..4)).1);
        let usage = of(0..9);
        assert!(unknown(&usage).1);
        let there: BTreeSet<String> = usage.demands().iter().map(|one| one.namespace.to_string()).collect();
        assert_eq!(
            there.len(),
            5,
            "those that found room, and one for all others: {there:?}"
        );
        assert_eq!(usage.demands().iter().map(|one| one.allowed).sum::<u64>(), 9);
        // Also where no part has too many.
        assert!(unknown(&of(0..3).merge(of(3..6)).unwrap()).1);
        assert!(!unknown(&of(0..4).merge(of(1..4)).unwrap()).1);
        // A long name counts for several.
        let mut table = of(0..1).table;
        table.space(&"x".repeat(1_000));
        assert!(table.passed.all);
    }

    #[test]
    fn a_namespace_in_which_nothing_found_room_counts_in_a_stored_part_too() {
        let asked = [
            Asked {
                space: 1,
                ..Asked::default()
            },
            Asked {
                space: 2,
                path: 1,
                refused: true,
                ..Asked::default()
            },
        ];
        let bounds = Bounds {
            refused: 0,
            namespaces: 2,
            ..Bounds::default()
        };
        let mut one = part(asked.iter().enumerate(), bounds);
        one.seal();
        let mut file = tempfile::tempfile().unwrap();
        frame::write(&one, &mut file).unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        let mut one = frame::read(file).unwrap().bounded(bounds);
        assert!(!one.table.passed.all);
        one.table.space("third/");
        assert!(one.table.passed.all);
    }

    #[test]
    fn what_is_said_of_those_who_ask_counts_with_all_its_names() {
        let bounds = Bounds {
            auths: 1_000,
            ..Bounds::default()
        };
        let mut usage = Usage::default().bounded(bounds);
        let table = usage.table_mut();
        // Each with another part of two hundred policies.
        for n in 0..100 {
            let own: Arc<[Arc<str>]> = (n..n + 100).map(|n| Arc::from(format!("policy-{n:03}"))).collect();
            table.auth(Auth {
                held: Arc::new(Held::named(own)),
                ..Asked::default().auth()
            });
        }
        assert!(table.passed.all);
    }

    #[test]
    fn a_request_with_many_names_of_data_counts_for_several() {
        let bounds = Bounds {
            used: 20,
            ..Bounds::default()
        };
        let many = |paths| {
            let asked: Vec<Asked> = (0..paths)
                .map(|path| Asked {
                    path,
                    names: 8,
                    ..Asked::default()
                })
                .collect();
            part(asked.iter().enumerate(), bounds)
        };
        assert!(unknown(&many(3)).0.is_empty());
        let usage = many(10);
        assert_eq!(unknown(&usage).0.len(), 1);
        for demand in usage.demands() {
            assert!(demand.keys_always.is_empty() && demand.keys_ever.contains("*"));
        }
        let kept: usize = usage.settled().rows.iter().map(|row| row.keys_ever.len()).sum();
        assert!(kept <= 32 * 20, "{kept}");
    }

    #[test]
    fn of_too_many_names_any_may_have_been_sent() {
        let mut usage = Usage::default().bounded(Bounds {
            names: 100,
            ..Bounds::default()
        });
        let table = usage.table_mut();
        let known = table.data_keys(&["a".into(), "b".into()]);
        let any: BTreeSet<_> = (0..9)
            .map(|n| table.data_keys(&[format!("{n}{}", "x".repeat(90)).into()]))
            .collect();
        assert_eq!(any.len(), 1);
        assert_eq!(table.data_keys(&["b".into(), "a".into()]), known);
        assert!(table.passed.names && !table.is_past_a_bound());
    }
}
