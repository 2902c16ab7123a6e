//! Answers to questions about usage: polars chooses, groups, counts and sorts.

use super::ask::{Column, Compare, Condition, Kind, Question, Value};
use super::coverage::timestamp;
use super::demand::{Demand, Principal};
use super::frame::FrameError;
use super::parquet;
use crate::vault::{Capability, glob};
use jiff::Timestamp;
use polars::frame::group_by::GroupBy;
use polars::prelude::*;
use std::collections::HashMap;
use std::io::Write;

/// The values of a column of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Cells {
    /// Texts.
    Texts(Vec<String>),
    /// Whole numbers.
    Counts(Vec<i64>),
    /// Numbers; none of what has no time.
    Numbers(Vec<Option<f64>>),
    /// Times.
    Times(Vec<Option<Timestamp>>),
    /// Days since 1970.
    Days(Vec<Option<i32>>),
}

/// The answer to a question: rows of a few columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The columns by name, in order.
    pub columns: Vec<(&'static str, Cells)>,
    /// How many rows it has.
    pub height: usize,
    /// How many there were before the first so many were taken.
    pub found: usize,
}

/// The name of the column with a principal's key.
pub const PRINCIPAL_ID: &str = "principal_id";
/// Numbers in place of principals and paths, and of the demand that a row is of.
const WHO: &str = "#who";
const WHERE: &str = "#where";
const DEMAND: &str = "#demand";

/// Answers a question.
///
/// # Errors
/// When there is not enough memory for it.
pub fn answer(demands: &[Demand], question: &Question) -> Result<Answer, FrameError> {
    let (mut frame, people) = demands_frame(demands)?;
    if let Some(condition) = &question.demands {
        frame = frame.filter(&mask(&frame, condition)?)?;
    }
    if question.is_by_day() {
        frame = each_day(&frame, demands)?;
    }
    let mut groups = grouped(&frame, question, demands, &people)?;
    if let Some(condition) = &question.groups {
        groups = groups.filter(&mask(&groups, condition)?)?;
    }
    let found = groups.height();
    let groups = sorted(&groups, question)?.head(Some(question.top.unwrap_or(found)));
    Ok(Answer {
        columns: cells(&groups, question)?,
        height: groups.height(),
        found,
    })
}

/// The demands, a row each, and the principals that the numbers in it stand for.
fn demands_frame(demands: &[Demand]) -> PolarsResult<(DataFrame, Vec<&Principal>)> {
    let mut people: Vec<&Principal> = Vec::new();
    let mut known: HashMap<&Principal, u32> = HashMap::new();
    let mut places: HashMap<(&str, &str), u32> = HashMap::new();
    let next = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
    let mut who = Vec::with_capacity(demands.len());
    let mut at = Vec::with_capacity(demands.len());
    for demand in demands {
        let number = known.entry(&demand.principal).or_insert_with(|| {
            people.push(&demand.principal);
            next(people.len() - 1)
        });
        who.push(*number);
        let number = next(places.len());
        at.push(*places.entry((&demand.namespace, &demand.path)).or_insert(number));
    }
    fn texts<'a>(demands: &'a [Demand], column: Column, text: impl Fn(&'a Demand) -> &'a str) -> Col {
        Col::new(column.as_str().into(), demands.iter().map(text).collect::<Vec<_>>())
    }
    let counts = |column: Column, count: &dyn Fn(&Demand) -> u64| {
        let number = |demand: &Demand| i64::try_from(count(demand)).unwrap_or(i64::MAX);
        Col::new(column.as_str().into(), demands.iter().map(number).collect::<Vec<_>>())
    };
    let times = |column: Column, time: &dyn Fn(&Demand) -> Option<Timestamp>| {
        let nanos = |demand: &Demand| i64::try_from(time(demand)?.as_nanosecond()).ok();
        Col::new(column.as_str().into(), demands.iter().map(nanos).collect::<Vec<_>>())
    };
    let is_read = |demand: &Demand| demand.capability == Capability::Read && demand.allowed > 0;
    let columns = vec![
        Col::new(WHO.into(), who),
        Col::new(WHERE.into(), at),
        Col::new(DEMAND.into(), (0..next(demands.len())).collect::<Vec<u32>>()),
        texts(demands, Column::Principal, |d| &d.principal.name),
        Col::new(
            PRINCIPAL_ID.into(),
            demands.iter().map(|d| &*d.principal.id).collect::<Vec<&str>>(),
        ),
        texts(demands, Column::PrincipalKind, |d| d.principal.kind.as_str()),
        texts(demands, Column::AuthMount, |d| &d.principal.auth_mount),
        texts(demands, Column::Namespace, |d| &d.namespace),
        texts(demands, Column::Mount, |d| mount_of(&d.path)),
        texts(demands, Column::Path, |d| &d.path),
        texts(demands, Column::Capability, |d| d.capability.as_str()),
        texts(demands, Column::MountType, |d| &d.mount_type),
        counts(Column::Requests, &|d| d.allowed.saturating_add(d.denied)),
        counts(Column::Allowed, &|d| d.allowed),
        counts(Column::Denied, &|d| d.denied),
        counts(Column::Failed, &|d| d.failed),
        counts(Column::Reads, &|d| if is_read(d) { d.allowed } else { 0 }),
        times(Column::FirstSeen, &|d| d.first_seen),
        times(Column::LastSeen, &|d| d.last_seen),
        times(Column::LastRead, &|d| d.last_seen.filter(|_| is_read(d))),
    ];
    Ok((DataFrame::new(demands.len(), columns)?, people))
}

/// Polars' own column: the word is taken.
type Col = polars::prelude::Column;

/// The first segment of a path, of auth methods the first two. Where a mount's own path has more, it is the beginning of it.
fn mount_of(path: &str) -> &str {
    let depth = usize::from(path.starts_with("auth/"));
    let end = path.match_indices('/').nth(depth).map(|(at, _)| at + 1);
    end.and_then(|end| path.get(..end)).unwrap_or(path)
}

/// A row for each demand and day on which it was seen.
fn each_day(frame: &DataFrame, demands: &[Demand]) -> PolarsResult<DataFrame> {
    let (mut rows, mut days) = (Vec::new(), Vec::new());
    for (row, demand) in (0..).zip(numbers(frame, DEMAND)?) {
        for day in demands.get(demand as usize).into_iter().flat_map(|demand| &demand.days) {
            rows.push(row);
            days.push(*day);
        }
    }
    let taken = frame.take(&IdxCa::from_vec("".into(), rows))?;
    taken.hstack(&[Col::new(Column::Day.as_str().into(), days)])
}

fn numbers(frame: &DataFrame, name: &str) -> PolarsResult<Vec<u32>> {
    let column = frame.column(name)?.u32()?;
    Ok(column.iter().map(Option::unwrap_or_default).collect())
}

/// The groups, a row each.
fn grouped(
    frame: &DataFrame,
    question: &Question,
    demands: &[Demand],
    people: &[&Principal],
) -> PolarsResult<DataFrame> {
    let by = |column: &Column| match column {
        Column::Principal => WHO,
        other => other.as_str(),
    };
    let keys: Vec<&str> = question.by.iter().map(by).collect();
    let groups = frame.group_by_stable(keys.iter().copied())?;
    let mut columns = Vec::new();
    for (column, key) in question.by.iter().zip(groups.keys()) {
        if *column == Column::Principal {
            let who: Vec<Option<&&Principal>> = key.u32()?.iter().map(|n| people.get(n? as usize)).collect();
            let text = |text: fn(&Principal) -> &str| -> Vec<Option<&str>> {
                who.iter().map(|who| Some(text((*who)?))).collect()
            };
            columns.push(Col::new(PRINCIPAL_ID.into(), text(|who| &who.id)));
            columns.push(Col::new(Column::Principal.as_str().into(), text(|who| &who.name)));
        } else {
            columns.push(key);
        }
    }
    if frame.height() == 0 {
        return empty(question);
    }
    let told = question.columns();
    let told = |column: Column| told.contains(&column);
    let sums = [
        Column::Requests,
        Column::Allowed,
        Column::Denied,
        Column::Failed,
        Column::Reads,
    ];
    for (column, how) in sums.map(|column| (column, How::Sum)).into_iter().chain([
        (Column::FirstSeen, How::Least),
        (Column::LastSeen, How::Most),
        (Column::LastRead, How::Most),
    ]) {
        if told(column) {
            columns.push(aggregate(&groups, column.as_str(), how)?.with_name(column.as_str().into()));
        }
    }
    for (column, number) in [(Column::Principals, WHO), (Column::Paths, WHERE)] {
        let count = aggregate(&groups, number, How::Different)?.cast(&DataType::Int64)?;
        columns.push(count.with_name(column.as_str().into()));
    }
    if told(Column::ActiveDays) {
        let days = active_days(&groups, &numbers(frame, DEMAND)?, demands);
        let requests = columns.iter().find(|column| column.name() == Column::Requests.as_str());
        let requests: Vec<Option<i64>> = match requests {
            Some(requests) => requests.i64()?.iter().collect(),
            None => Vec::new(),
        };
        let per_day: Vec<Option<f64>> = requests
            .iter()
            .zip(&days)
            .map(|(requests, days)| Some((*requests)? as f64 / *days as f64).filter(|_| *days > 0))
            .collect();
        columns.push(Col::new(Column::ActiveDays.as_str().into(), days));
        columns.push(Col::new(Column::PerDay.as_str().into(), per_day));
    }
    let height = columns.first().map_or(0, Col::len);
    DataFrame::new(height, columns)
}

/// The groups of nothing.
fn empty(question: &Question) -> PolarsResult<DataFrame> {
    let mut columns = Vec::new();
    for column in question.columns() {
        let name = column.as_str().into();
        columns.push(match column.kind() {
            Kind::Text => Col::new(name, Vec::<String>::new()),
            Kind::Count | Kind::Time => Col::new(name, Vec::<i64>::new()),
            Kind::Number => Col::new(name, Vec::<f64>::new()),
            Kind::Day => Col::new(name, Vec::<i32>::new()),
        });
        if column == Column::Principal {
            columns.push(Col::new(PRINCIPAL_ID.into(), Vec::<String>::new()));
        }
    }
    DataFrame::new(0, columns)
}

#[derive(Debug, Clone, Copy)]
enum How {
    Sum,
    Least,
    Most,
    Different,
}

/// One number a group.
#[expect(
    deprecated,
    reason = "what is to take its place is `polars-lazy`: 28 packages more, for a table that is in memory and grouped once"
)]
fn aggregate(groups: &GroupBy<'_>, column: &str, how: How) -> PolarsResult<Col> {
    let groups = groups.clone().select([column]);
    let frame = match how {
        How::Sum => groups.sum(),
        How::Least => groups.min(),
        How::Most => groups.max(),
        How::Different => groups.n_unique(),
    }?;
    let last = frame.columns().last().cloned();
    last.ok_or_else(|| polars_err!(ComputeError: "nothing was counted"))
}

/// On how many days something of each group was asked for.
fn active_days(groups: &GroupBy<'_>, rows: &[u32], demands: &[Demand]) -> Vec<i64> {
    let mut counts = Vec::new();
    let mut days: Vec<i32> = Vec::new();
    let note = |row: u32, days: &mut Vec<i32>| {
        let demand = rows.get(row as usize).and_then(|demand| demands.get(*demand as usize));
        days.extend(demand.into_iter().flat_map(|demand| &demand.days));
    };
    for group in groups.get_groups().iter() {
        days.clear();
        match group {
            GroupsIndicator::Idx((_, rows)) => rows.iter().for_each(|row| note(*row, &mut days)),
            GroupsIndicator::Slice([first, length]) => {
                (first..first.saturating_add(length)).for_each(|row| note(row, &mut days));
            }
        }
        days.sort_unstable();
        days.dedup();
        counts.push(days.len() as i64);
    }
    counts
}

/// Which rows a condition is true of.
fn mask(frame: &DataFrame, condition: &Condition) -> PolarsResult<BooleanChunked> {
    let joined = |parts: &[Condition], and: bool| -> PolarsResult<BooleanChunked> {
        let mut sum: Option<BooleanChunked> = None;
        for part in parts {
            let part = mask(frame, part)?;
            sum = Some(match sum {
                None => part,
                Some(sum) if and => &sum & &part,
                Some(sum) => &sum | &part,
            });
        }
        Ok(sum.unwrap_or_else(|| BooleanChunked::full("".into(), and, frame.height())))
    };
    match condition {
        Condition::All(parts) => joined(parts, true),
        Condition::Any(parts) => joined(parts, false),
        Condition::Not(part) => Ok(!&mask(frame, part)?),
        Condition::Compare(Column::Principal, how, value) => {
            // By name or by key.
            let [name, key] =
                [Column::Principal.as_str(), PRINCIPAL_ID].map(|name| compared(frame, name, Compare::Is, value));
            let either = &name? | &key?;
            Ok(if *how == Compare::Is { either } else { !&either })
        }
        Condition::Compare(column, how, value) => compared(frame, column.as_str(), *how, value),
    }
}

fn compared(frame: &DataFrame, name: &str, how: Compare, value: &Value) -> PolarsResult<BooleanChunked> {
    let column = frame.column(name)?;
    let ordered = |order: Option<std::cmp::Ordering>| match how {
        Compare::Is => order == Some(std::cmp::Ordering::Equal),
        Compare::IsNot => order != Some(std::cmp::Ordering::Equal),
        Compare::Less => order.is_some_and(std::cmp::Ordering::is_lt),
        Compare::Most => order.is_some_and(std::cmp::Ordering::is_le),
        Compare::More => order.is_some_and(std::cmp::Ordering::is_gt),
        Compare::Least => order.is_some_and(std::cmp::Ordering::is_ge),
    };
    let mut mask: Vec<bool> = Vec::with_capacity(column.len());
    match value {
        Value::Texts(texts) => mask.extend(column.str()?.iter().map(|text| {
            let found = text.is_some_and(|text| texts.iter().any(|wanted| wanted == text));
            found == (how == Compare::Is)
        })),
        Value::Like(pattern) => mask.extend(column.str()?.iter().map(|text| {
            let found = text.is_some_and(|text| glob::matches(pattern, text));
            found == (how == Compare::Is)
        })),
        Value::Number(wanted) => {
            let numbers = column.cast(&DataType::Float64)?;
            mask.extend(
                numbers
                    .f64()?
                    .iter()
                    .map(|number| ordered(number.and_then(|n| n.partial_cmp(wanted)))),
            );
        }
        Value::Point(wanted) => {
            let points = column.cast(&DataType::Int64)?;
            mask.extend(points.i64()?.iter().map(|point| match (point, wanted) {
                (None, None) => how == Compare::Is,
                (Some(point), Some(wanted)) => ordered(Some(point.cmp(wanted))),
                (_, None) | (None, _) => how == Compare::IsNot,
            }));
        }
    }
    Ok(BooleanChunked::from_slice("".into(), &mask))
}

/// In the order asked for; what is alike then, by what it is grouped by.
fn sorted(frame: &DataFrame, question: &Question) -> PolarsResult<DataFrame> {
    let mut order: Vec<(&str, bool)> = question
        .sort
        .iter()
        .map(|(column, down)| (column.as_str(), *down))
        .collect();
    for column in &question.by {
        if !order.iter().any(|(name, _)| *name == column.as_str()) {
            order.push((column.as_str(), false));
        }
        if *column == Column::Principal {
            order.push((PRINCIPAL_ID, false));
        }
    }
    let (names, down): (Vec<&str>, Vec<bool>) = order.into_iter().unzip();
    let last = vec![true; down.len()];
    let options = SortMultipleOptions::new()
        .with_order_descending_multi(down)
        .with_nulls_last_multi(last);
    frame.sort(names, options)
}

fn cells(frame: &DataFrame, question: &Question) -> PolarsResult<Vec<(&'static str, Cells)>> {
    let mut cells = Vec::new();
    let texts = |name: &str| -> PolarsResult<Cells> {
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        Ok(Cells::Texts(frame.column(name)?.str()?.iter().map(text).collect()))
    };
    for column in question.columns() {
        let name = column.as_str();
        let values = match column.kind() {
            Kind::Text => texts(name)?,
            Kind::Count => {
                let counts = frame.column(name)?.i64()?.iter();
                Cells::Counts(counts.map(Option::unwrap_or_default).collect())
            }
            Kind::Number => Cells::Numbers(frame.column(name)?.f64()?.iter().collect()),
            Kind::Time => {
                let times = frame.column(name)?.i64()?.iter();
                Cells::Times(times.map(|nanos| nanos.and_then(timestamp)).collect())
            }
            Kind::Day => Cells::Days(frame.column(name)?.i32()?.iter().collect()),
        };
        cells.push((name, values));
        if column == Column::Principal {
            cells.push((PRINCIPAL_ID, texts(PRINCIPAL_ID)?));
        }
    }
    Ok(cells)
}

/// Writes an answer as Parquet.
///
/// # Errors
/// When it cannot be made or written.
pub fn write_parquet(answer: &Answer, to: &mut dyn Write) -> Result<(), FrameError> {
    let mut table = parquet::Table::default();
    for (name, cells) in &answer.columns {
        match cells {
            Cells::Texts(texts) => table.texts(name, texts),
            Cells::Counts(counts) => table.numbers(name, counts.clone()),
            Cells::Numbers(numbers) => table.fractions(name, numbers.iter().copied()),
            Cells::Times(times) => table.times(name, times.iter().map(|time| Some((*time)?.as_microsecond()))),
            Cells::Days(days) => table.days(name, days.iter().copied()),
        }
    }
    Ok(parquet::write(to, &table, &[], &[])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_the_first_segment_and_of_auth_methods_the_first_two() {
        for (path, mount) in [
            ("secret/data/a", "secret/"),
            ("auth/approle/login", "auth/approle/"),
            ("auth/token", "auth/token"),
            ("sys", "sys"),
        ] {
            assert_eq!(mount_of(path), mount);
        }
    }
}
