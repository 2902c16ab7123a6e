//! Tables: the head names the columns, and each row becomes an object, in which the entry is looked for as in any other.

use serde_json::{Map, Value};

/// The most bytes of one row.
const MOST_BYTES: usize = 64 << 20;

/// What separates columns.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Columns by which a head is known: those in which exports keep the text, and the dotted name of what makes an entry.
const TELLING: [&str; 15] = [
    "_raw",
    "message",
    "@message",
    "msg",
    "log",
    "line",
    "event",
    "content",
    "logmessage",
    "log_s",
    "textpayload",
    "jsonpayload",
    "event.original",
    "log entry",
    "request.path",
];

/// What a line of a table is.
#[derive(Debug)]
pub enum Row {
    /// No line of a table.
    None,
    /// The head.
    Head,
    /// The beginning of a row that goes on in the next line.
    Held,
    /// A row, which may have stood on further lines.
    Record {
        /// The row as an object.
        object: String,
        /// How many lines more than one.
        further: u64,
    },
    /// So many lines that were taken for a row and are none.
    Broken(u64),
}

/// A table as it is read. A log is one if its first line is a head.
#[derive(Debug, Clone, Default)]
pub struct Columns {
    /// Whether the first line was seen.
    begun: bool,
    delimiter: u8,
    /// None: it is no table.
    names: Vec<String>,
    /// What may be a head, if the next line holds an entry in a column.
    maybe: Option<(u8, Vec<String>)>,
    /// The beginning of a row.
    open: Vec<u8>,
    lines: u64,
}

impl Columns {
    /// Whether a row waits for its rest.
    #[must_use]
    pub const fn waits(&self) -> bool {
        !self.open.is_empty()
    }

    /// Reads a line.
    pub fn line(&mut self, raw: &[u8]) -> Row {
        if !self.begun {
            let text = raw.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(raw).trim_ascii();
            if text.is_empty() {
                return Row::None;
            }
            self.begun = true;
            return match head(text) {
                Some((delimiter, names)) => {
                    (self.delimiter, self.names) = (delimiter, names);
                    Row::Head
                }
                None => {
                    self.maybe = any_head(text);
                    Row::None
                }
            };
        }
        if let Some((delimiter, names)) = self.maybe.take() {
            let quotes = memchr::memmem::find(raw, b"\"{\"\"").is_some();
            if quotes && record(raw, delimiter).is_some_and(|fields| fields.len() == names.len()) {
                (self.delimiter, self.names) = (delimiter, names);
            }
        }
        if self.names.is_empty() || (self.open.is_empty() && !self.is_row(raw)) {
            return Row::None;
        }
        self.open.extend_from_slice(raw);
        self.lines += 1;
        if self.open.len() > MOST_BYTES {
            return Row::Broken(self.end());
        }
        if memchr::memchr_iter(b'"', &self.open).count() % 2 == 1 {
            self.open.push(b'\n');
            return Row::Held;
        }
        let row = std::mem::take(&mut self.open);
        let lines = std::mem::take(&mut self.lines);
        match record(&row, self.delimiter) {
            Some(fields) => {
                let named = self.names.iter().cloned().zip(fields.into_iter().map(Value::String));
                Row::Record {
                    object: Value::Object(named.collect::<Map<_, _>>()).to_string(),
                    further: lines - 1,
                }
            }
            None => Row::Broken(lines),
        }
    }

    /// Blank lines and bare entries are no rows.
    fn is_row(&self, raw: &[u8]) -> bool {
        !matches!(raw.trim_ascii().first(), None | Some(b'{' | b'['))
    }

    /// The log ends: so many lines of a row have no end.
    pub fn end(&mut self) -> u64 {
        self.open.clear();
        std::mem::take(&mut self.lines)
    }
}

/// The columns, if a line looks like the head of any table.
#[must_use]
pub fn names(line: &[u8]) -> Option<Vec<String>> {
    let is_name = |name: &String| {
        let name = name.trim();
        (1..=64).contains(&name.len()) && name.split_whitespace().count() <= 3
    };
    DELIMITERS
        .into_iter()
        .filter_map(|delimiter| record(line, delimiter))
        .find(|names| names.len() > 2 && names.iter().all(is_name))
}

/// The columns, if a line is a head.
fn head(text: &[u8]) -> Option<(u8, Vec<String>)> {
    if text.len() > 64 << 10 || text.contains(&b'{') {
        return None;
    }
    DELIMITERS.into_iter().find_map(|delimiter| {
        let names = record(text, delimiter)?;
        let is_known = |name: &String| TELLING.iter().any(|known| name.trim().eq_ignore_ascii_case(known));
        let is_dotted = |name: &String| name.ends_with(".request.path");
        let telling = names.iter().any(|name| is_known(name) || is_dotted(name));
        let whole = names.len() > 1
            || names
                .first()
                .is_some_and(|name| name == "_raw" || text.first() == Some(&b'"'));
        let short = names.iter().all(|name| name.len() <= 256);
        (telling && whole && short).then_some((delimiter, names))
    })
}

/// What may be the head of a table whose columns say nothing by their names.
fn any_head(text: &[u8]) -> Option<(u8, Vec<String>)> {
    if text.len() > 64 << 10 || text.contains(&b'{') {
        return None;
    }
    let named = DELIMITERS
        .into_iter()
        .filter_map(|delimiter| Some((delimiter, record(text, delimiter)?)));
    named.max_by_key(|(_, names)| names.len())
}

fn record(text: &[u8], delimiter: u8) -> Option<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(text);
    let mut record = csv::ByteRecord::new();
    reader.read_byte_record(&mut record).ok()?.then_some(())?;
    Some(
        record
            .iter()
            .map(|field| String::from_utf8_lossy(field).into_owned())
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_known_by_its_head() {
        let mut table = Columns::default();
        assert!(matches!(table.line(b"\xef\xbb\xbfDate,\"Message\""), Row::Head));
        assert!(matches!(table.line(b"{\"bare\":1}"), Row::None));
        let Row::Record { object, further: 0 } = table.line(br#"2026,"{""a"":1}""#) else {
            panic!("no row");
        };
        assert_eq!(object, r#"{"Date":"2026","Message":"{\"a\":1}"}"#);
        assert!(matches!(table.line(br#"2026,"two"#), Row::Held));
        assert!(table.waits());
        let Row::Record { object, further: 1 } = table.line(br#"lines""#) else {
            panic!("no row");
        };
        assert_eq!(object, r#"{"Date":"2026","Message":"two\nlines"}"#);
        assert!(matches!(table.line(br#"2026,"no end"#), Row::Held));
        assert_eq!(table.end(), 1);
        let mut table = Columns::default();
        assert!(matches!(table.line(b"when;what"), Row::None));
        assert!(matches!(table.line(br#"now;"{""a"":1}""#), Row::Record { .. }));
        for text in ["hello, world", "message", r#"{"message":1,"x":2}"#, ""] {
            assert!(matches!(Columns::default().line(text.as_bytes()), Row::None), "{text}");
        }
    }
}
