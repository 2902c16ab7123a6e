//! The answer to a question about usage: a table for people, JSON, JSON lines, CSV.

use super::csv::Sheet;
use super::digest;
use super::escape::terminal;
use crate::usage::answer::{Answer, Cells, PRINCIPAL_ID};
use crate::usage::ask::{Column, Question};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufWriter, Write};

/// How wide a table may be that nobody's terminal tells.
pub const USUAL_WIDTH: usize = 80;

/// What a person looks at, the first first, as far as there is room.
const SHOWN: [Column; 10] = [
    Column::Requests,
    Column::Denied,
    Column::LastSeen,
    Column::FirstSeen,
    Column::Principals,
    Column::ActiveDays,
    Column::Paths,
    Column::PerDay,
    Column::Reads,
    Column::Failed,
];

/// A column of a table as it is shown.
struct Shown {
    column: Column,
    is_number: bool,
    cells: Vec<String>,
    width: usize,
}

impl Shown {
    fn of(answer: &Answer, column: Column) -> Option<Self> {
        let (_, cells) = answer.columns.iter().find(|(name, _)| *name == column.as_str())?;
        let mut texts: Vec<String> = (0..answer.height).map(|row| cell(cells, row)).collect();
        if column == Column::Principal {
            tell_apart(answer, &mut texts);
        }
        let head = column.as_str().len();
        let width = texts
            .iter()
            .map(|text| text.chars().count())
            .max()
            .unwrap_or(0)
            .max(head);
        Some(Self {
            column,
            is_number: matches!(cells, Cells::Counts(_) | Cells::Numbers(_)),
            cells: texts,
            width,
        })
    }

    fn put(&self, text: &str, line: &mut String) {
        let room = " ".repeat(self.width.saturating_sub(text.chars().count()));
        if self.is_number {
            line.push_str(&room);
            line.push_str(text);
        } else {
            line.push_str(text);
            line.push_str(&room);
        }
    }
}

/// Those of one name carry their keys.
fn tell_apart(answer: &Answer, names: &mut [String]) {
    let Some((_, Cells::Texts(keys))) = answer.columns.iter().find(|(name, _)| *name == PRINCIPAL_ID) else {
        return;
    };
    let mut of_name: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, key) in names.iter().zip(keys) {
        of_name.entry(name).or_default().insert(key);
    }
    let shared: BTreeSet<String> = of_name
        .into_iter()
        .filter(|(_, keys)| keys.len() > 1)
        .map(|(name, _)| name.to_owned())
        .collect();
    for (name, key) in names.iter_mut().zip(keys) {
        if shared.contains(name) {
            *name = format!("{name} ({})", terminal(key));
        }
    }
}

/// A cell for the eye: times are told by their day.
fn cell(cells: &Cells, row: usize) -> String {
    let none = || "-".to_owned();
    match cells {
        Cells::Texts(texts) => match texts.get(row).map_or("", String::as_str) {
            "" => none(),
            text => terminal(text),
        },
        Cells::Counts(counts) => digest::number(
            counts
                .get(row)
                .copied()
                .unwrap_or_default()
                .try_into()
                .unwrap_or_default(),
        ),
        Cells::Numbers(numbers) => numbers.get(row).copied().flatten().map_or_else(none, digest::decimal),
        Cells::Times(times) => {
            let time = times.get(row).copied().flatten();
            time.map_or_else(none, |time| time.to_zoned(jiff::tz::TimeZone::UTC).date().to_string())
        }
        Cells::Days(days) => days
            .get(row)
            .copied()
            .flatten()
            .and_then(date)
            .map_or_else(none, |day| day.to_string()),
    }
}

fn date(day: i32) -> Option<Date> {
    let time = Timestamp::from_second(i64::from(day).checked_mul(86_400)?).ok()?;
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).date())
}

/// The answer as a table: what was asked for, and as many other columns as there is room for.
#[must_use]
pub fn table(answer: &Answer, question: &Question, width: usize) -> String {
    const GAP: usize = 2;
    let mut chosen: Vec<Shown> = Vec::new();
    let wanted = question.named();
    // Of what it is grouped by there is one in each row.
    let is_one = |column: Column| match column {
        Column::Principals => question.by.contains(&Column::Principal),
        Column::Paths => question.by.contains(&Column::Path),
        _ => false,
    };
    let others = SHOWN.iter().filter(|column| !is_one(**column));
    for column in wanted.iter().chain(others) {
        if chosen.iter().any(|known| known.column == *column) {
            continue;
        }
        let Some(shown) = Shown::of(answer, *column) else {
            continue;
        };
        let taken: usize = chosen.iter().map(|known| known.width + GAP).sum();
        if wanted.contains(column) || taken + shown.width <= width {
            chosen.push(shown);
        }
    }
    let place = |column: Column| question.columns().iter().position(|known| *known == column);
    chosen.sort_by_key(|shown| place(shown.column));
    let mut out = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::new();
        for (shown, text) in chosen.iter().zip(cells) {
            if !line.is_empty() {
                line.push_str("  ");
            }
            shown.put(text, &mut line);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    };
    line(&mut chosen.iter().map(|shown| shown.column.as_str()));
    for row in 0..answer.height {
        line(
            &mut chosen
                .iter()
                .map(|shown| shown.cells.get(row).map_or("", String::as_str)),
        );
    }
    out
}

fn value(cells: &Cells, row: usize) -> Value {
    match cells {
        Cells::Texts(texts) => texts.get(row).cloned().into(),
        Cells::Counts(counts) => counts.get(row).copied().into(),
        Cells::Numbers(numbers) => numbers.get(row).copied().flatten().into(),
        Cells::Times(times) => times.get(row).copied().flatten().map(|time| time.to_string()).into(),
        Cells::Days(days) => days
            .get(row)
            .copied()
            .flatten()
            .and_then(date)
            .map(|day| day.to_string())
            .into(),
    }
}

fn row(answer: &Answer, row: usize) -> Value {
    let pairs = answer
        .columns
        .iter()
        .map(|(name, cells)| ((*name).to_owned(), value(cells, row)));
    Value::Object(pairs.collect::<Map<String, Value>>())
}

/// The answer as a JSON list of objects.
///
/// # Errors
/// When it cannot be written; so with the others.
pub fn write_json(answer: &Answer, to: &mut dyn Write) -> io::Result<()> {
    let mut to = BufWriter::new(to);
    let rows: Vec<Value> = (0..answer.height).map(|at| row(answer, at)).collect();
    serde_json::to_writer_pretty(&mut to, &rows)?;
    to.write_all(b"\n")?;
    to.flush()
}

/// The answer as an object a line.
///
/// # Errors
/// As [`write_json`].
pub fn write_jsonl(answer: &Answer, to: &mut dyn Write) -> io::Result<()> {
    let mut to = BufWriter::new(to);
    for at in 0..answer.height {
        serde_json::to_writer(&mut to, &row(answer, at))?;
        to.write_all(b"\n")?;
    }
    to.flush()
}

/// The answer as CSV.
///
/// # Errors
/// As [`write_json`].
pub fn write_csv(answer: &Answer, to: &mut dyn Write) -> io::Result<()> {
    let mut sheet = Sheet::new(BufWriter::new(to));
    sheet.row(answer.columns.iter().map(|(name, _)| *name))?;
    for at in 0..answer.height {
        let texts: Vec<String> = answer
            .columns
            .iter()
            .map(|(_, cells)| match value(cells, at) {
                Value::Null => String::new(),
                Value::String(text) => text,
                other => other.to_string(),
            })
            .collect();
        sheet.row(texts.iter().map(String::as_str))?;
    }
    sheet.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> (Answer, Question) {
        let by = ["principal".to_owned(), "path".to_owned()];
        let question = Question::new(&by, Some("per_day > 0"), &["-requests".to_owned()], None, None).unwrap();
        let texts = |texts: [&str; 2]| Cells::Texts(texts.map(str::to_owned).to_vec());
        let time = "2026-03-01T02:03:04.5Z".parse().ok();
        let answer = Answer {
            columns: vec![
                ("principal", texts(["a", "a"])),
                ("principal_id", texts(["1", "2"])),
                ("path", texts(["=cmd()\u{1b}[31m", ""])),
                ("requests", Cells::Counts(vec![1_234, 5])),
                ("denied", Cells::Counts(vec![0, 5])),
                ("last_seen", Cells::Times(vec![time, None])),
                ("per_day", Cells::Numbers(vec![Some(2.5), None])),
            ],
            height: 2,
            found: 2,
        };
        (answer, question)
    }

    #[test]
    fn a_table_shows_what_was_asked_for_and_what_there_is_room_for() {
        let (answer, question) = answer();
        assert_eq!(
            table(&answer, &question, 80),
            "principal  path              requests  denied  last_seen   per_day\n\
             a (1)      =cmd()\\u{1b}[31m     1,234       0  2026-03-01      2.5\n\
             a (2)      -                        5       5  -                 -\n"
        );
        let narrow = table(&answer, &question, 40);
        assert!(
            narrow.starts_with("principal  path              requests  per_day\n"),
            "{narrow}"
        );
    }

    #[test]
    fn programs_get_all_of_it() {
        let (answer, _) = answer();
        let written = |write: fn(&Answer, &mut dyn Write) -> io::Result<()>| {
            let mut bytes = Vec::new();
            write(&answer, &mut bytes).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        let lines = written(write_jsonl);
        assert!(
            lines.starts_with(r#"{"principal":"a","principal_id":"1","path":"=cmd()\u001b[31m","requests":1234,"denied":0,"last_seen":"2026-03-01T02:03:04.5Z","per_day":2.5}"#),
            "{lines}"
        );
        let rows: Vec<Value> = serde_json::from_str(&written(write_json)).unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows.iter().map(|row| format!("{row}\n")).collect::<String>(), lines);
        let sheet = written(write_csv);
        assert!(
            sheet.contains("a,1,'=cmd()\u{fffd}[31m,1234,0,2026-03-01T02:03:04.5Z,2.5\r\n"),
            "{sheet}"
        );
        assert!(sheet.ends_with("a,2,,5,5,,\r\n"), "{sheet}");
    }
}
