//! Reads covering problems in the text formats of the OR-Library.

use std::str::FromStr;

use thiserror::Error;

use vault_advisor::optimize::cover::{Column, Instance, InstanceError};

/// How a file is laid out. All start with two counts; all indices start at 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `rows columns`, the cost of every column, then for every row how many columns cover it, and which.
    Scp,
    /// `rows columns`, then for every column its cost, how many rows it covers, and which.
    Rail,
    /// `columns rows`, then for every row the three columns that cover it; every column costs 1.
    Stein,
}

impl Format {
    /// Every format, in the order in which an unknown file is tried.
    pub const ALL: [Self; 3] = [Self::Scp, Self::Rail, Self::Stein];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scp => "scp",
            Self::Rail => "rail",
            Self::Stein => "stein",
        }
    }
}

impl FromStr for Format {
    type Err = OrlibError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|format| format.name() == name)
            .ok_or_else(|| OrlibError::UnknownFormat(name.to_owned()))
    }
}

/// Why a file is no covering problem.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum OrlibError {
    /// A format name nobody knows.
    #[error("cannot use format `{0}`: it is none of `scp`, `rail`, `stein`")]
    UnknownFormat(String),
    /// Something else stands where a number has to be.
    #[error("cannot read line {line} as `{format}`: expected {wanted}, found `{found}`")]
    Unexpected {
        /// Line of the file, from 1.
        line: usize,
        /// The format it was read as.
        format: &'static str,
        /// What has to be there.
        wanted: &'static str,
        /// What is there, shortened.
        found: String,
    },
    /// The file ends early.
    #[error("cannot read the file as `{format}`: it ends where {wanted} is expected")]
    Ends {
        /// The format it was read as.
        format: &'static str,
        /// What has to be there.
        wanted: &'static str,
    },
    /// The counts in the head are more than the file can hold.
    #[error(
        "cannot read the file as `{format}`: it announces `{rows}` rows and `{columns}` columns, more than it holds"
    )]
    Announces {
        /// The format it was read as.
        format: &'static str,
        /// Rows announced.
        rows: usize,
        /// Columns announced.
        columns: usize,
    },
    /// The numbers are there, but no cover exists.
    #[error("cannot use the file as `{format}`: {source}")]
    Instance {
        /// The format it was read as.
        format: &'static str,
        /// What is wrong with the problem.
        source: InstanceError,
    },
}

/// Reads a problem. Without a format, the first of [`Format::ALL`] that fits the whole text is taken.
///
/// # Errors
/// Where the text fits no format; the error is that of the format that fitted longest.
pub fn parse(text: &str, format: Option<Format>) -> Result<(Format, Instance), OrlibError> {
    let candidates = format.map_or(Format::ALL.to_vec(), |format| vec![format]);
    let mut furthest: Option<(usize, OrlibError)> = None;
    for candidate in candidates {
        let mut reader = Reader::new(text, candidate);
        match reader.instance() {
            Ok(instance) => return Ok((candidate, instance)),
            Err(error) => {
                if furthest.as_ref().is_none_or(|&(read, _)| reader.read > read) {
                    furthest = Some((reader.read, error));
                }
            }
        }
    }
    Err(furthest.map_or(
        OrlibError::Ends {
            format: Format::Scp.name(),
            wanted: "the row count",
        },
        |(_, error)| error,
    ))
}

struct Reader<'a> {
    text: &'a str,
    rest: &'a str,
    format: Format,
    read: usize,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str, format: Format) -> Self {
        Self {
            text,
            rest: text,
            format,
            read: 0,
        }
    }

    fn instance(&mut self) -> Result<Instance, OrlibError> {
        let (rows, columns) = match self.format {
            Format::Scp => self.by_rows()?,
            Format::Rail => self.by_columns()?,
            Format::Stein => self.triples()?,
        };
        if let Some((line, found)) = self.token() {
            return Err(self.unexpected(line, "the end", found));
        }
        Instance::new(rows, columns).map_err(|source| OrlibError::Instance {
            format: self.format.name(),
            source,
        })
    }

    fn by_rows(&mut self) -> Result<(usize, Vec<Column>), OrlibError> {
        let rows = self.number("the row count")?;
        let count = self.number("the column count")?;
        self.plausible(rows, count)?;
        let mut columns = Vec::with_capacity(count);
        for _ in 0..count {
            columns.push(Column::new(self.number("a cost")?, []));
        }
        for row in 0..rows {
            let members: usize = self.number("how many columns cover the row")?;
            for _ in 0..members {
                self.add(&mut columns, row)?;
            }
        }
        Ok((rows, columns))
    }

    fn by_columns(&mut self) -> Result<(usize, Vec<Column>), OrlibError> {
        let rows = self.number("the row count")?;
        let count = self.number("the column count")?;
        self.plausible(rows, count)?;
        let mut columns = Vec::with_capacity(count);
        for _ in 0..count {
            let cost = self.number("a cost")?;
            let members: usize = self.number("how many rows the column covers")?;
            let mut column = Column::new(cost, []);
            for _ in 0..members {
                column.rows.push(self.index(rows, "a row index")? as u32);
            }
            columns.push(column);
        }
        Ok((rows, columns))
    }

    fn triples(&mut self) -> Result<(usize, Vec<Column>), OrlibError> {
        let count = self.number("the column count")?;
        let rows = self.number("the row count")?;
        self.plausible(rows, count)?;
        let mut columns = vec![Column::new(1.0, []); count];
        for row in 0..rows {
            for _ in 0..3 {
                self.add(&mut columns, row)?;
            }
        }
        Ok((rows, columns))
    }

    /// Reads a column index and puts the row into that column.
    fn add(&mut self, columns: &mut [Column], row: usize) -> Result<(), OrlibError> {
        let index = self.index(columns.len(), "a column index")?;
        if let Some(column) = columns.get_mut(index) {
            column.rows.push(row as u32);
        }
        Ok(())
    }

    /// Every row and every column of a real problem has at least one character, and indices have 32 bits.
    fn plausible(&self, rows: usize, columns: usize) -> Result<(), OrlibError> {
        if rows.max(columns) > self.text.len().min(u32::MAX as usize) {
            return Err(OrlibError::Announces {
                format: self.format.name(),
                rows,
                columns,
            });
        }
        Ok(())
    }

    fn index(&mut self, count: usize, wanted: &'static str) -> Result<usize, OrlibError> {
        let Some((line, token)) = self.token() else {
            return Err(self.ends(wanted));
        };
        match token.parse::<usize>() {
            Ok(index) if (1..=count).contains(&index) => Ok(index - 1),
            _ => Err(self.unexpected(line, wanted, token)),
        }
    }

    fn number<T: FromStr>(&mut self, wanted: &'static str) -> Result<T, OrlibError> {
        let Some((line, token)) = self.token() else {
            return Err(self.ends(wanted));
        };
        token.parse().map_err(|_| self.unexpected(line, wanted, token))
    }

    /// The next word and the text before it, from which a line number can be had.
    fn token(&mut self) -> Option<(&'a str, &'a str)> {
        let start = self.rest.trim_ascii_start();
        let end = start
            .find(|letter: char| letter.is_ascii_whitespace())
            .unwrap_or(start.len());
        let (token, rest) = start.split_at(end);
        let before = self.text.get(..self.text.len() - start.len())?;
        self.rest = rest;
        (!token.is_empty()).then(|| {
            self.read += 1;
            (before, token)
        })
    }

    fn unexpected(&self, before: &str, wanted: &'static str, found: &str) -> OrlibError {
        OrlibError::Unexpected {
            line: before.bytes().filter(|&byte| byte == b'\n').count() + 1,
            format: self.format.name(),
            wanted,
            found: found.chars().take(20).collect(),
        }
    }

    fn ends(&self, wanted: &'static str) -> OrlibError {
        OrlibError::Ends {
            format: self.format.name(),
            wanted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_formats_are_told_apart() {
        // Two rows, three columns; column 1 covers row 1, column 2 row 2, column 3 both.
        let scp = " 2 3\n 4 5 6\n 2\n 1 3\n 2\n 2 3\n";
        let (format, instance) = parse(scp, None).unwrap();
        assert_eq!(format, Format::Scp);
        assert_eq!(instance.columns()[2], Column::new(6.0, [0, 1]));

        let rail = "2 3\n4 1 1\n5 1 2\n6 2 1 2\n";
        let (format, same) = parse(rail, None).unwrap();
        assert_eq!(format, Format::Rail);
        assert_eq!(same, instance);

        let stein = "4 2\r\n1 2 3\r\n2 3 4\r\n";
        let (format, triples) = parse(stein, None).unwrap();
        assert_eq!(format, Format::Stein);
        assert_eq!((triples.rows(), triples.columns().len()), (2, 4));
    }

    #[test]
    fn faults_are_named_with_their_line() {
        let fault = |text, format| parse(text, Some(format)).unwrap_err().to_string();
        assert_eq!(
            fault("2 3\n4 x 6", Format::Scp),
            "cannot read line 2 as `scp`: expected a cost, found `x`"
        );
        assert_eq!(
            fault("2 1\n1 1 3", Format::Rail),
            "cannot read line 2 as `rail`: expected a row index, found `3`"
        );
        assert_eq!(
            fault("1 1\n1\n1", Format::Scp),
            "cannot read the file as `scp`: it ends where a column index is expected"
        );
        assert_eq!(
            fault("1 1\n1 1 1 7", Format::Rail),
            "cannot read line 2 as `rail`: expected the end, found `7`"
        );
        assert_eq!(
            fault("2 1\n1 1 1", Format::Rail),
            "cannot use the file as `rail`: cannot cover row `1`: no column contains it"
        );
        assert!(matches!(parse("9999999999 1", None), Err(OrlibError::Announces { .. })));
        for text in ["", "\0", "hello", "-1 2", "1 1 NaN 1 1", "99999999999999999999 1"] {
            assert!(parse(text, None).is_err(), "{text:?}");
        }
    }
}
