//! How much is kept of what clients make as many of as they like: paths, namespaces, names of tokens and of data keys.
//!
//! What is refused is used by nobody, so that the bound of one principal on it takes nothing away. What may have been allowed and
//! finds no room is lost for whoever asked, as a line is that cannot be read: it may have been anything that its holder may do.
//! Whether a bound was passed follows from all that was seen, in whatever order and parts it came.

use serde::{Deserialize, Serialize};

/// The bounds. A long name counts for several.
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
            auths: 1 << 20,
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
    use super::super::record::{Class, Record, flag, hash_id, join_ids};
    use super::super::table::Key;
    use super::super::{Skip, Usage};
    use super::*;
    use crate::vault::{Capability, PrincipalKind};
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::sync::Arc;

    /// One who asks with one of two lists for a path, of the server itself or not, and is refused or not.
    #[derive(Debug, Clone)]
    struct Asked {
        who: u8,
        list: u8,
        path: u8,
        own: bool,
        refused: bool,
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

        fn path(&self) -> String {
            format!("{}/{}", if self.own { "sys" } else { "secret" }, self.path)
        }
    }

    fn part<'a>(all: impl IntoIterator<Item = (usize, &'a Asked)>, bounds: Bounds) -> Usage {
        let mut usage = Usage::default().bounded(bounds);
        for (number, asked) in all {
            let table = usage.table_mut();
            let auth = table.auth(asked.auth());
            let key = Key {
                principal: table.principal_of(auth),
                namespace: table.space(""),
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
            (record.row, record.auth) = (row, Some(auth));
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

    /// What must not hang on the order: whose use is not known whole. Where it is anybody's, no names matter.
    fn unknown(usage: &Usage) -> (BTreeSet<(String, Arc<Held>)>, bool) {
        let lost = usage.lost();
        let known = lost
            .known
            .keys()
            .map(|(who, held)| (who.id.to_string(), Arc::clone(held)));
        let anybody = lost.unknown > 0;
        (known.filter(|_| !anybody).collect(), anybody)
    }

    /// Everything that was allowed is either there or not known whole.
    fn nothing_is_forgotten(usage: &Usage, all: &[Asked]) {
        let (known, anybody) = unknown(usage);
        let demands = usage.demands();
        for asked in all.iter().filter(|asked| !asked.refused) {
            let auth = asked.auth();
            let is_there = demands
                .iter()
                .any(|demand| *demand.principal.id == *auth.id && *demand.path == asked.path() && demand.allowed > 0);
            assert!(
                is_there || anybody || known.contains(&(auth.id.to_string(), auth.held)),
                "{asked:?}"
            );
        }
        let tally = usage.tally();
        assert!(tally.balanced(), "{tally:?}");
    }

    fn asked() -> impl Strategy<Value = Asked> {
        (0_u8..3, 0_u8..2, 0_u8..6, prop::bool::weighted(0.2), any::<bool>()).prop_map(
            |(who, list, path, own, refused)| Asked {
                who,
                list,
                path,
                own,
                refused,
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn whose_use_is_not_known_whole_hangs_on_no_order(
            all in prop::collection::vec(asked(), 1..40),
            other in prop::collection::vec(any::<u32>(), 40),
            parts in 1_usize..5,
            (used, refused, all_used, auths) in (1_usize..5, 1_usize..4, 2_usize..14, 2_usize..9),
            stored in prop::bool::weighted(0.1),
        ) {
            let bounds = Bounds { used, refused, all_used, all_refused: 6, auths, ..Bounds::default() };
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
            prop_assert_eq!(unknown(&whole), unknown(&sum));
        }
    }

    #[test]
    fn what_is_refused_without_end_takes_nothing_from_what_is_known() {
        let refused = (0..50).map(|path| Asked {
            who: 0,
            list: 0,
            path,
            own: false,
            refused: true,
        });
        let used = (0..3).map(|path| Asked {
            who: 0,
            list: 0,
            path,
            own: false,
            refused: false,
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
        let auth = table.auth(
            Asked {
                who: 0,
                list: 0,
                path: 0,
                own: false,
                refused: false,
            }
            .auth(),
        );
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
