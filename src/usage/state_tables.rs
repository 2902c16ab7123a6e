//! The bulk of a stored part's state as tables, and back.

use super::held::{Placed, Space};
use super::parquet::{Stored, Table as Columns, Values};
use super::state::{Bulk, NONE, StoredAuth, StoredPrincipal, StoredRecord};
use crate::vault::PrincipalKind;
use polars::prelude::{PolarsError, PolarsResult};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;

/// How a namespace is named: by its path, else by its id.
const BY_PATH: &str = "path:";
const BY_ID: &str = "id:";

fn space_text(space: &Space) -> String {
    match space {
        Space::Path(path) => format!("{BY_PATH}{path}"),
        Space::Id(id) => format!("{BY_ID}{id}"),
    }
}

fn space(text: &str) -> Option<Space> {
    let path = text.strip_prefix(BY_PATH).map(|path| Space::Path(Arc::from(path)));
    path.or_else(|| Some(Space::Id(Arc::from(text.strip_prefix(BY_ID)?))))
}

/// A number of something; none where it is of nothing.
fn number(number: u32) -> Option<i64> {
    Some(i64::from(number)).filter(|_| number != NONE)
}

fn narrow(number: Option<i64>) -> u32 {
    number.and_then(|number| u32::try_from(number).ok()).unwrap_or(NONE)
}

/// Bits as every reader knows numbers, and back.
const fn signed(bits: u64) -> i64 {
    i64::from_ne_bytes(bits.to_ne_bytes())
}

const fn unsigned(bits: i64) -> u64 {
    u64::from_ne_bytes(bits.to_ne_bytes())
}

fn damaged(what: &str) -> PolarsError {
    io::Error::other(format!("a row of its state has no `{what}`")).into()
}

impl Bulk {
    /// What was said of those who asked.
    pub(crate) fn auth_columns(&self) -> PolarsResult<Columns> {
        let auths = &self.auths;
        let mut columns = Columns::default();
        let texts = |text: fn(&StoredAuth) -> &str| -> Vec<&str> { auths.iter().map(text).collect() };
        columns.texts("kind", &texts(|auth| auth.kind.as_str()));
        columns.texts("id", &texts(|auth| &auth.id));
        columns.texts("name", &texts(|auth| &auth.name));
        columns.texts("mount", &texts(|auth| &auth.mount));
        columns.texts("role", &texts(|auth| &auth.role));
        columns.texts("entity_id", &texts(|auth| &auth.entity_id));
        columns.texts("display_name", &texts(|auth| &auth.display_name));
        columns.flags("login", &auths.iter().map(|auth| auth.login).collect::<Vec<_>>());
        columns.flags("unlisted", &auths.iter().map(|auth| auth.unlisted).collect::<Vec<_>>());
        let spaces: Vec<_> = auths.iter().map(|auth| auth.space.as_ref().map(space_text)).collect();
        columns.some_texts("namespace", &spaces);
        let lists = |list: fn(&StoredAuth) -> &Arc<[Arc<str>]>| -> Vec<Option<Vec<&str>>> {
            let list = |auth| Some(list(auth).iter().map(|text| &**text).collect());
            auths.iter().map(list).collect()
        };
        columns.lists_of_texts("policies", &lists(|auth| &auth.policies))?;
        columns.lists_of_texts("metadata_keys", &lists(|auth| &auth.metadata_keys))?;
        let placed = |text: fn(&Placed) -> String| -> Vec<Option<Vec<String>>> {
            auths
                .iter()
                .map(|auth| Some(auth.placed.iter().map(text).collect()))
                .collect()
        };
        columns.lists_of_texts("placed_policies", &placed(|one| one.name.to_string()))?;
        columns.lists_of_texts("placed_namespaces", &placed(|one| space_text(&one.space)))?;
        columns.some_numbers("used", auths.iter().map(|auth| auth.used));
        columns.some_numbers("first_used", auths.iter().map(|auth| auth.first_used));
        columns.numbers("lost", auths.iter().map(|auth| signed(auth.lost)).collect());
        Ok(columns)
    }

    /// Who asked.
    pub(crate) fn principal_columns(&self) -> Columns {
        let all = &self.principals;
        let mut columns = Columns::default();
        columns.texts("kind", &all.iter().map(|one| one.0.as_str()).collect::<Vec<_>>());
        columns.texts("id", &all.iter().map(|one| &*one.1).collect::<Vec<_>>());
        columns.some_numbers("auth", all.iter().map(|one| one.2.map(i64::from)));
        columns.numbers("time", all.iter().map(|one| one.3).collect());
        columns.some_numbers("login_time", all.iter().map(|one| one.4.as_ref().map(|login| login.0)));
        let mounts: Vec<Option<&str>> = all.iter().map(|one| one.4.as_ref().map(|login| &*login.1)).collect();
        columns.some_texts("login_mount", &mounts);
        columns.flags("over", &all.iter().map(|one| one.5).collect::<Vec<_>>());
        columns
    }

    /// Requests that may still meet a partner.
    pub(crate) fn request_columns(&self) -> PolarsResult<Columns> {
        let all = &self.records;
        let mut columns = Columns::default();
        columns.numbers("id", all.iter().map(|one| signed(one.0)).collect());
        let [first, last] = [0, 1].map(|at| all.iter().filter_map(move |one| one.1.get(at).copied()).collect());
        columns.numbers("first", first);
        columns.numbers("last", last);
        columns.some_numbers("demand", all.iter().map(|one| number(one.2[0])));
        columns.some_numbers("auth", all.iter().map(|one| number(one.2[1])));
        let keys: Vec<_> = all
            .iter()
            .map(|one| self.key_sets.get(one.2[2] as usize).cloned())
            .collect();
        columns.lists_of_texts("keys", &keys)?;
        let granting: Vec<_> = all
            .iter()
            .map(|one| self.key_sets.get(one.6? as usize).cloned())
            .collect();
        columns.lists_of_texts("granting", &granting)?;
        let mount_types: Vec<_> = all
            .iter()
            .map(|one| self.mount_types.get(one.2[3] as usize).cloned())
            .collect();
        columns.some_texts("mount_type", &mount_types);
        let files: Vec<_> = all
            .iter()
            .map(|one| self.files.get(one.5?.0 as usize).cloned())
            .collect();
        columns.some_texts("example_file", &files);
        columns.some_numbers("example_line", all.iter().map(|one| Some(i64::from(one.5?.1))));
        columns.numbers("request_entries", all.iter().map(|one| one.3[0].into()).collect());
        columns.numbers("response_entries", all.iter().map(|one| one.3[1].into()).collect());
        columns.numbers("class", all.iter().map(|one| one.4[0].into()).collect());
        columns.numbers("flags", all.iter().map(|one| one.4[1].into()).collect());
        columns.numbers("skip", all.iter().map(|one| one.4[2].into()).collect());
        Ok(columns)
    }

    /// From its tables.
    pub(crate) fn of(auths: &Stored, principals: &Stored, requests: &Stored) -> PolarsResult<Self> {
        let mut bulk = Self {
            auths: auths_of(auths)?,
            principals: principals_of(principals)?,
            key_sets: Vec::new(),
            mount_types: Vec::new(),
            files: Vec::new(),
            records: Vec::new(),
        };
        bulk.requests_of(requests)?;
        Ok(bulk)
    }

    fn requests_of(&mut self, stored: &Stored) -> PolarsResult<()> {
        let numbers = |name| stored.column(name)?.numbers();
        let (ids, firsts, lasts) = (numbers("id")?, numbers("first")?, numbers("last")?);
        let (demands, auths) = (numbers("demand")?, numbers("auth")?);
        let (requests, responses) = (numbers("request_entries")?, numbers("response_entries")?);
        let (classes, flags, skips) = (numbers("class")?, numbers("flags")?, numbers("skip")?);
        let keys = stored.column("keys")?.lists_of_texts()?;
        let mount_types = stored.column("mount_type")?;
        let mount_types = mount_types.texts()?;
        let (files, lines) = (
            stored.later_column("example_file")?,
            stored.later_column("example_line")?,
        );
        let files = files.as_ref().map(Values::texts).transpose()?.unwrap_or_default();
        let lines = lines.as_ref().map(Values::numbers).transpose()?.unwrap_or_default();
        let mut file_numbers: HashMap<&str, u32> = HashMap::new();
        let at = |numbers: &[Option<i64>], at: usize| numbers.get(at).copied().flatten();
        let small = |numbers: &[Option<i64>], row: usize| {
            let small = at(numbers, row).and_then(|number| u8::try_from(number).ok());
            small.ok_or_else(|| damaged("class"))
        };
        let granting = stored.later_column("granting")?;
        let granting = granting
            .as_ref()
            .map(Values::lists_of_texts)
            .transpose()?
            .unwrap_or_default();
        let mut granting = granting.into_iter();
        let mut sets: HashMap<Vec<String>, u32> = HashMap::new();
        let mut mounts: HashMap<&str, u32> = HashMap::new();
        for (row, names) in keys.into_iter().enumerate() {
            let mut set = |names: Vec<String>| {
                let next = self.key_sets.len();
                *sets.entry(names).or_insert_with_key(|names| {
                    self.key_sets
                        .push(names.iter().map(|name| Arc::from(&**name)).collect());
                    u32::try_from(next).unwrap_or(NONE)
                })
            };
            let keys = names.map_or(NONE, &mut set);
            let granting = granting.next().flatten().map(&mut set);
            let mount_type = mount_types.get(row).copied().flatten().map_or(NONE, |mount| {
                let next = self.mount_types.len();
                *mounts.entry(mount).or_insert_with(|| {
                    self.mount_types.push(Arc::from(mount));
                    u32::try_from(next).unwrap_or(NONE)
                })
            });
            let file = files.get(row).copied().flatten().map(|file| {
                let next = self.files.len();
                *file_numbers.entry(file).or_insert_with(|| {
                    self.files.push(Arc::from(file));
                    u32::try_from(next).unwrap_or(NONE)
                })
            });
            let line = at(&lines, row).and_then(|line| u32::try_from(line).ok());
            let entries = |numbers: &[Option<i64>]| {
                let entries = at(numbers, row).and_then(|number| u32::try_from(number).ok());
                entries.ok_or_else(|| damaged("request_entries"))
            };
            let time = |numbers: &[Option<i64>]| at(numbers, row).ok_or_else(|| damaged("first"));
            self.records.push(StoredRecord(
                unsigned(at(&ids, row).ok_or_else(|| damaged("id"))?),
                [time(&firsts)?, time(&lasts)?],
                [narrow(at(&demands, row)), narrow(at(&auths, row)), keys, mount_type],
                [entries(&requests)?, entries(&responses)?],
                [small(&classes, row)?, small(&flags, row)?, small(&skips, row)?],
                file.zip(line),
                granting,
            ));
        }
        Ok(())
    }
}

fn kinds(values: &Values) -> PolarsResult<Vec<PrincipalKind>> {
    let kind = |word: Option<&str>| word.and_then(PrincipalKind::from_word).ok_or_else(|| damaged("kind"));
    values.texts()?.into_iter().map(kind).collect()
}

fn texts(stored: &Stored, name: &str) -> PolarsResult<Vec<Arc<str>>> {
    let values = stored.column(name)?;
    Ok(values
        .texts()?
        .into_iter()
        .map(|text| Arc::from(text.unwrap_or_default()))
        .collect())
}

fn some_texts(stored: &Stored, name: &str) -> PolarsResult<Vec<Option<Arc<str>>>> {
    let values = stored.column(name)?;
    Ok(values.texts()?.into_iter().map(|text| text.map(Arc::from)).collect())
}

fn lists(stored: &Stored, name: &str) -> PolarsResult<Vec<Vec<Arc<str>>>> {
    let lists = stored.column(name)?.lists_of_texts()?.into_iter();
    let list = |list: Option<Vec<String>>| list.unwrap_or_default().into_iter().map(Arc::from).collect();
    Ok(lists.map(list).collect())
}

fn principals_of(stored: &Stored) -> PolarsResult<Vec<StoredPrincipal>> {
    let ids = texts(stored, "id")?;
    let auths = stored.column("auth")?.numbers()?;
    let times = stored.column("time")?.numbers()?;
    let login_times = stored.column("login_time")?.numbers()?;
    let login_mounts = some_texts(stored, "login_mount")?;
    // Parts of earlier versions have no such column.
    let over = stored.later_column("over")?;
    let over = over.map_or(Ok(Vec::new()), |values| values.flags())?;
    let over = over.into_iter().chain(std::iter::repeat(false));
    let kinds = kinds(&stored.column("kind")?)?;
    let logins = login_times.into_iter().zip(login_mounts);
    let rows = kinds.into_iter().zip(ids).zip(auths).zip(times).zip(logins).zip(over);
    rows.map(|(((((kind, id), auth), time), login), over)| {
        let auth = auth.and_then(|auth| u32::try_from(auth).ok());
        let time = time.ok_or_else(|| damaged("time"))?;
        Ok(StoredPrincipal(kind, id, auth, time, login.0.zip(login.1), over))
    })
    .collect()
}

fn auths_of(stored: &Stored) -> PolarsResult<Vec<StoredAuth>> {
    let kinds = kinds(&stored.column("kind")?)?;
    let [ids, names, mounts, roles, entity_ids, display_names] =
        ["id", "name", "mount", "role", "entity_id", "display_name"].map(|name| texts(stored, name));
    let (ids, names, mounts) = (ids?, names?, mounts?);
    let (roles, entity_ids, display_names) = (roles?, entity_ids?, display_names?);
    let (logins, unlisted) = (stored.column("login")?.flags()?, stored.column("unlisted")?.flags()?);
    let spaces = some_texts(stored, "namespace")?;
    let (policies, metadata_keys) = (lists(stored, "policies")?, lists(stored, "metadata_keys")?);
    let placed = lists(stored, "placed_policies")?.into_iter();
    let placed: Vec<_> = placed.zip(lists(stored, "placed_namespaces")?).collect();
    let used = stored.column("used")?.numbers()?;
    // Parts of earlier versions have no such column.
    let first_used = stored.later_column("first_used")?;
    let first_used = first_used.map_or(Ok(Vec::new()), |values| values.numbers())?;
    let lost = stored.column("lost")?.numbers()?;
    let row = |at: usize| {
        let text = |texts: &[Arc<str>]| texts.get(at).cloned().ok_or_else(|| damaged("id"));
        let list = |lists: &[Vec<Arc<str>>]| Arc::from(lists.get(at).map_or(&[][..], Vec::as_slice));
        let (names_placed, spaces_placed) = placed.get(at).cloned().unwrap_or_default();
        let places = names_placed.into_iter().zip(spaces_placed).map(|(name, at)| {
            let space = space(&at).ok_or_else(|| damaged("placed_namespaces"))?;
            Ok(Placed { space, name })
        });
        let own = spaces.get(at).and_then(Option::as_deref);
        Ok(StoredAuth {
            kind: kinds.get(at).copied().ok_or_else(|| damaged("kind"))?,
            id: text(&ids)?,
            name: text(&names)?,
            mount: text(&mounts)?,
            login: logins.get(at).copied().unwrap_or(false),
            policies: list(&policies),
            space: own
                .map(|own| space(own).ok_or_else(|| damaged("namespace")))
                .transpose()?,
            placed: places.collect::<PolarsResult<_>>()?,
            unlisted: unlisted.get(at).copied().unwrap_or(false),
            role: text(&roles)?,
            entity_id: text(&entity_ids)?,
            display_name: text(&display_names)?,
            metadata_keys: list(&metadata_keys),
            used: used.get(at).copied().flatten(),
            first_used: first_used.get(at).copied().flatten(),
            lost: unsigned(lost.get(at).copied().flatten().unwrap_or(0)),
        })
    };
    (0..kinds.len()).map(row).collect()
}
