//! Tables as Parquet, with columns of types that every tool knows: text, numbers, times in UTC, days, and lists of these. A file
//! is one table to whoever reads it; further tables lie in it whole, each as Parquet, before its footer, and its metadata say where.

use polars::prelude::{PolarsError, PolarsResult};
use polars_arrow::array::{Array, BooleanArray, ListArray, PrimitiveArray, Utf8ViewArray};
use polars_arrow::bitmap::Bitmap;
use polars_arrow::datatypes::{ArrowDataType, ArrowSchema, Field, TimeUnit};
use polars_arrow::offset::OffsetsBuffer;
use polars_parquet::read::{self as reading, BasicDecompressor, ColumnChunkMetadata, FileMetadata, PageReader};
use polars_parquet::write::{
    self as writing, CompressedPage, CompressionOptions, DynIter, DynStreamingIterator, FileWriter, KeyValue,
    ParquetType, StatisticsOptions, Version, WriteOptions, fallible_streaming_iterator,
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, BufWriter, Cursor, Write};
use std::os::unix::fs::FileExt;

/// Where the metadata of a file keep what tables lie in it.
const TABLES_KEY: &str = "vault-advisor.tables";

/// Bytes written at once.
const WRITE_BLOCK: usize = 1 << 18;

/// Rows of a group: what a reader takes at once.
const GROUP_ROWS: usize = 1 << 18;

/// A table to be written.
#[derive(Debug, Default)]
pub struct Table {
    fields: Vec<Field>,
    arrays: Vec<Box<dyn Array>>,
}

impl Table {
    fn push(&mut self, name: &'static str, array: impl Array) {
        self.fields.push(Field::new(name.into(), array.dtype().clone(), true));
        self.arrays.push(array.to_boxed());
    }

    /// A column of texts.
    pub fn texts<T: AsRef<str>>(&mut self, name: &'static str, texts: &[T]) {
        self.push(name, Utf8ViewArray::from_slice_values(texts));
    }

    /// A column of texts that may be missing.
    pub fn some_texts<T: AsRef<str>>(&mut self, name: &'static str, texts: &[Option<T>]) {
        let texts: Vec<Option<&str>> = texts.iter().map(|text| text.as_ref().map(AsRef::as_ref)).collect();
        self.push(name, Utf8ViewArray::from_slice(texts));
    }

    /// A column of numbers.
    pub fn numbers(&mut self, name: &'static str, numbers: Vec<i64>) {
        self.push(name, PrimitiveArray::from_vec(numbers));
    }

    /// A column of numbers that may be missing.
    pub fn some_numbers(&mut self, name: &'static str, numbers: impl IntoIterator<Item = Option<i64>>) {
        self.push(name, optional(numbers));
    }

    /// A column of numbers with fractions that may be missing.
    pub fn fractions(&mut self, name: &'static str, numbers: impl IntoIterator<Item = Option<f64>>) {
        self.push(name, optional(numbers));
    }

    /// A column of yes and no.
    pub fn flags(&mut self, name: &'static str, flags: &[bool]) {
        self.push(name, BooleanArray::from_slice(flags));
    }

    /// A column of times, in microseconds since 1970: what every reader knows, while some know no nanoseconds.
    pub fn times(&mut self, name: &'static str, micros: impl IntoIterator<Item = Option<i64>>) {
        let kind = ArrowDataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        self.push(name, optional(micros).to(kind));
    }

    /// A column of days since 1970.
    pub fn days(&mut self, name: &'static str, days: impl IntoIterator<Item = Option<i32>>) {
        self.push(name, optional(days).to(ArrowDataType::Date32));
    }

    /// A column of lists of days since 1970.
    ///
    /// # Errors
    /// When there are more than a column holds.
    pub fn lists_of_days<'a>(
        &mut self,
        name: &'static str,
        lists: impl Iterator<Item = &'a [i32]> + Clone,
    ) -> PolarsResult<()> {
        let days: Vec<i32> = lists.clone().flatten().copied().collect();
        let days = PrimitiveArray::from_vec(days).to(ArrowDataType::Date32);
        let list = list(lists.map(|list| Some(list.len())), days.boxed())?;
        self.push(name, list);
        Ok(())
    }

    /// A column of lists of texts, which may be missing.
    ///
    /// # Errors
    /// When there are more than a column holds.
    pub fn lists_of_texts<T: AsRef<str>>(&mut self, name: &'static str, lists: &[Option<Vec<T>>]) -> PolarsResult<()> {
        let texts: Vec<&T> = lists.iter().flatten().flatten().collect();
        let texts = Utf8ViewArray::from_slice_values(texts);
        let list = list(lists.iter().map(|list| list.as_ref().map(Vec::len)), texts.boxed())?;
        self.push(name, list);
        Ok(())
    }

    /// The names of its columns.
    #[cfg(test)]
    pub fn names(&self) -> Vec<&str> {
        self.fields.iter().map(|field| field.name.as_str()).collect()
    }

    /// How many rows it has.
    pub fn height(&self) -> usize {
        self.arrays.first().map_or(0, |array| array.len())
    }
}

fn optional<T: polars_arrow::types::NativeType>(values: impl IntoIterator<Item = Option<T>>) -> PrimitiveArray<T> {
    let values: Vec<Option<T>> = values.into_iter().collect();
    PrimitiveArray::from(values)
}

fn list(lengths: impl Iterator<Item = Option<usize>> + Clone, values: Box<dyn Array>) -> PolarsResult<ListArray<i64>> {
    let kind = ArrowDataType::LargeList(Box::new(Field::new("item".into(), values.dtype().clone(), true)));
    let there: Bitmap = lengths.clone().map(|length| length.is_some()).collect();
    let mut offsets: Vec<i64> = vec![0];
    let mut end = 0;
    for length in lengths {
        end += length.unwrap_or(0) as i64;
        offsets.push(end);
    }
    let there = (there.unset_bits() > 0).then_some(there);
    ListArray::try_new(kind, OffsetsBuffer::try_from(offsets)?, values, there)
}

/// Where in a file a further table lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inside {
    /// What it is.
    pub name: String,
    /// Its first byte.
    pub at: u64,
    /// How many bytes it has.
    pub bytes: u64,
}

/// Writes a table with its metadata, and with further tables in it.
///
/// # Errors
/// When it cannot be made or written.
pub fn write(
    to: impl Write,
    table: &Table,
    metadata: &[(&str, String)],
    further: &[(&str, Table)],
) -> PolarsResult<()> {
    let mut whole = Vec::new();
    let mut inside: Vec<Inside> = Vec::new();
    let alone = |(_, table): &(&str, Table)| {
        let mut bytes = Vec::new();
        write(&mut bytes, table, &[], &[]).map(|()| bytes)
    };
    let texts: Vec<Vec<u8>> = further.par_iter().map(alone).collect::<PolarsResult<_>>()?;
    for ((name, _), bytes) in further.iter().zip(texts) {
        inside.push(Inside {
            name: (*name).to_owned(),
            at: whole.len() as u64,
            bytes: bytes.len() as u64,
        });
        whole.extend(bytes);
    }
    let schema: ArrowSchema = table
        .fields
        .iter()
        .cloned()
        .map(|field| (field.name.clone(), field))
        .collect();
    let encoded = Encoded::of(table, &schema)?;
    let mut pairs: Vec<KeyValue> = metadata.iter().map(|(key, value)| pair(key, value.clone())).collect();
    if whole.is_empty() {
        let mut to = BufWriter::with_capacity(WRITE_BLOCK, to);
        encoded.write(&mut to, &schema, pairs)?;
        return to.flush().map_err(PolarsError::from);
    }
    // All but the footer is as long whatever the footer says.
    let mut counted = Counted::default();
    encoded.write(&mut counted, &schema, Vec::new())?;
    let at = counted.before_footer().ok_or_else(no_footer)?;
    for one in &mut inside {
        one.at += at;
    }
    let text = serde_json::to_string(&inside).map_err(|e| PolarsError::from(io::Error::from(e)))?;
    pairs.push(pair(TABLES_KEY, text));
    let mut to = Inserting {
        to: BufWriter::with_capacity(WRITE_BLOCK, to),
        before: at,
        insert: whole,
    };
    encoded.write(&mut to, &schema, pairs)?;
    to.flush().map_err(PolarsError::from)
}

fn no_footer() -> PolarsError {
    PolarsError::from(io::Error::other("it has no footer"))
}

fn pair(key: &str, value: String) -> KeyValue {
    KeyValue::new(key.to_owned(), Some(value))
}

const OPTIONS: WriteOptions = WriteOptions {
    statistics: StatisticsOptions {
        min_value: true,
        max_value: true,
        distinct_count: false,
        null_count: true,
        binary_statistics_truncate_length: None,
    },
    version: Version::V1,
    compression: CompressionOptions::Zstd(None),
    data_page_size: None,
};

/// The pages of a table: for each group of rows, how many they are, and the pages of each column.
struct Encoded(Vec<(usize, Vec<Vec<CompressedPage>>)>);

impl Encoded {
    fn of(table: &Table, schema: &ArrowSchema) -> PolarsResult<Self> {
        let types = writing::to_parquet_schema(schema)?;
        let mut groups = Vec::new();
        for from in (0..table.height()).step_by(GROUP_ROWS) {
            let rows = GROUP_ROWS.min(table.height() - from);
            let columns = table.arrays.par_iter().zip(types.fields().par_iter());
            let columns: Vec<Vec<Vec<CompressedPage>>> = columns
                .map(|(array, kind)| pages(&*array.sliced(from, rows), kind))
                .collect::<PolarsResult<_>>()?;
            groups.push((rows, columns.into_iter().flatten().collect()));
        }
        Ok(Self(groups))
    }

    /// No Arrow schema goes with it: what is Parquet's own says all, and views of text are more than some readers know.
    fn write(&self, to: impl Write, schema: &ArrowSchema, pairs: Vec<KeyValue>) -> PolarsResult<()> {
        let mut writer = FileWriter::try_new(to, schema.clone(), OPTIONS)?;
        for (rows, columns) in &self.0 {
            let group = columns.iter().map(|pages| {
                let pages = pages.iter().map(PolarsResult::Ok);
                Ok(DynStreamingIterator::new(fallible_streaming_iterator::convert(pages)))
            });
            writer.write(*rows as u64, DynIter::new(group))?;
        }
        writer.end(Some(pairs))?;
        Ok(())
    }
}

/// The pages of the Parquet columns of a column.
fn pages(array: &dyn Array, kind: &ParquetType) -> PolarsResult<Vec<Vec<CompressedPage>>> {
    let encoding = writing::get_dtype_encoding(array.dtype());
    let columns = writing::array_to_columns(array.to_boxed(), kind.clone(), OPTIONS, &encoding)?;
    let compressed = |pages: DynIter<'static, PolarsResult<writing::Page>>| {
        pages
            .map(|page| writing::compress(page?, Vec::new(), OPTIONS.compression).map_err(PolarsError::from))
            .collect()
    };
    columns.into_iter().map(compressed).collect()
}

/// Counts what is written, and keeps its end.
#[derive(Default)]
struct Counted {
    bytes: u64,
    end: Vec<u8>,
}

impl Counted {
    /// Where the footer begins: its length stands before the last four bytes.
    fn before_footer(&self) -> Option<u64> {
        let length = self.end.get(..4)?.try_into().ok().map(u32::from_le_bytes)?;
        self.bytes.checked_sub(u64::from(length) + 8)
    }
}

impl Write for Counted {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.bytes += buf.len() as u64;
        self.end
            .extend_from_slice(buf.get(buf.len().saturating_sub(8)..).unwrap_or_default());
        self.end.drain(..self.end.len().saturating_sub(8));
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes something of its own after so many bytes.
struct Inserting<W> {
    to: W,
    before: u64,
    insert: Vec<u8>,
}

impl<W: Write> Write for Inserting<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.before == 0 && !self.insert.is_empty() {
            self.to.write_all(&std::mem::take(&mut self.insert))?;
        }
        let most = match usize::try_from(self.before) {
            Ok(0) | Err(_) => buf.len(),
            Ok(before) => before.min(buf.len()),
        };
        let done = self.to.write(buf.get(..most).unwrap_or_default())?;
        self.before = self.before.saturating_sub(done as u64);
        Ok(done)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// What bytes are read from.
enum Source {
    File(File),
    Bytes(Vec<u8>),
}

impl Source {
    fn bytes(&self, from: u64, to: u64) -> io::Result<Vec<u8>> {
        let damaged = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let length = to.checked_sub(from).filter(|_| to <= self.length().unwrap_or(0));
        let length = length
            .and_then(|length| usize::try_from(length).ok())
            .ok_or_else(damaged)?;
        match self {
            Self::File(file) => {
                let mut bytes = vec![0; length];
                file.read_exact_at(&mut bytes, from)?;
                Ok(bytes)
            }
            Self::Bytes(bytes) => {
                let from = usize::try_from(from).map_err(|_| damaged())?;
                Ok(bytes.get(from..from + length).ok_or_else(damaged)?.to_vec())
            }
        }
    }

    fn length(&self) -> io::Result<u64> {
        match self {
            Self::File(file) => Ok(file.metadata()?.len()),
            Self::Bytes(bytes) => Ok(bytes.len() as u64),
        }
    }
}

/// A table as it is read.
pub struct Stored {
    source: Source,
    about: FileMetadata,
    schema: ArrowSchema,
}

/// The values of a column.
pub struct Values(Vec<Box<dyn Array>>);

impl Stored {
    /// A file.
    ///
    /// # Errors
    /// When it is no table, or one that cannot be.
    pub fn open(mut file: File) -> PolarsResult<Self> {
        let about = reading::read_metadata(&mut file)?;
        Self::new(Source::File(file), about)
    }

    fn new(source: Source, about: FileMetadata) -> PolarsResult<Self> {
        let schema = reading::infer_schema(&about)?;
        let stored = Self { source, about, schema };
        stored.bounded()?;
        Ok(stored)
    }

    /// Refuses what says that it has more rows or values than it can: room is made for all of them before the first is read.
    fn bounded(&self) -> PolarsResult<()> {
        let bytes = self.source.length().map_err(PolarsError::from)?;
        // Each row has something of its own, which takes more than an eighth of a byte however it is packed; lists repeat.
        let (most_rows, most_values) = (bytes.saturating_mul(8), bytes.saturating_mul(512));
        let fits = |count: usize| count as u64 <= most_rows;
        let groups = self.about.row_groups.iter().all(|group| {
            let mut columns = group.parquet_columns().iter();
            fits(group.num_rows())
                && columns.all(|column| u64::try_from(column.num_values()).is_ok_and(|count| count <= most_values))
        });
        if groups && fits(self.about.num_rows) {
            Ok(())
        } else {
            Err(io::Error::other("it says that it has more rows than fit into it").into())
        }
    }

    /// How many rows it says that it has.
    pub const fn height(&self) -> usize {
        self.about.num_rows
    }

    /// A text of its metadata.
    pub fn text(&self, key: &str) -> Option<&str> {
        let pairs = self.about.key_value_metadata().as_ref()?;
        pairs.iter().find(|pair| pair.key == key)?.value.as_deref()
    }

    /// A further table that lies in it.
    ///
    /// # Errors
    /// When there is none of the name, or it is damaged.
    pub fn inside(&self, name: &str) -> PolarsResult<Self> {
        let none = || PolarsError::from(io::Error::other(format!("it has no table `{name}`")));
        let tables: Vec<Inside> = self
            .text(TABLES_KEY)
            .and_then(|text| serde_json::from_str(text).ok())
            .ok_or_else(none)?;
        let one = tables.iter().find(|one| one.name == name).ok_or_else(none)?;
        let end = one.at.checked_add(one.bytes).ok_or_else(none)?;
        let bytes = self.source.bytes(one.at, end)?;
        let about = reading::read_metadata(&mut Cursor::new(&bytes))?;
        Self::new(Source::Bytes(bytes), about)
    }

    /// The values of a column that files of earlier versions do not have.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn later_column(&self, name: &str) -> PolarsResult<Option<Values>> {
        self.schema.contains(name).then(|| self.column(name)).transpose()
    }

    /// The values of a column.
    ///
    /// # Errors
    /// When there is none of the name, or it is damaged.
    pub fn column(&self, name: &str) -> PolarsResult<Values> {
        let none = || PolarsError::from(io::Error::other(format!("it has no column `{name}`")));
        let field = self.schema.get(name).ok_or_else(none)?;
        let mut arrays = Vec::new();
        for group in &self.about.row_groups {
            let columns: Vec<&ColumnChunkMetadata> = group.columns_under_root_iter(name).ok_or_else(none)?.collect();
            let mut pages = Vec::new();
            for column in &columns {
                let range = column.byte_range();
                let bytes = self.source.bytes(range.start, range.end)?;
                let (ahead, bytes) = twice(Cursor::new(bytes.into()));
                bounded(PageReader::new(ahead, column, Vec::new(), usize::MAX), column)?;
                let reader = PageReader::new(bytes, column, Vec::new(), usize::MAX);
                pages.push(BasicDecompressor::new(reader, Vec::new()));
            }
            let kinds = columns
                .iter()
                .map(|column| &column.descriptor().descriptor.primitive_type);
            let (read, _) = reading::column_iter_to_arrays(pages, kinds.collect(), field.clone(), None)?;
            arrays.extend(read);
        }
        let values = Values(arrays);
        if values.0.iter().map(|array| array.len()).sum::<usize>() != self.height() {
            return Err(io::Error::other(format!("its column `{name}` has not as many values as it has rows")).into());
        }
        Ok(values)
    }
}

/// Refuses pages that say that they have more values than their column: room is made for all of them before the first is read.
fn bounded(pages: PageReader, column: &ColumnChunkMetadata) -> PolarsResult<()> {
    let more = || PolarsError::from(io::Error::other("a page says that it has more values than its column"));
    let mut left = usize::try_from(column.num_values()).map_err(|_| more())?;
    for page in pages {
        if let CompressedPage::Data(page) = page? {
            left = left.checked_sub(page.num_values()).ok_or_else(more)?;
        }
    }
    Ok(())
}

/// One and its clone.
fn twice<T: Clone>(one: T) -> (T, T) {
    (one.clone(), one)
}

impl Values {
    fn of<T: 'static>(&self) -> Option<Vec<&T>> {
        self.0.iter().map(|array| array.as_any().downcast_ref()).collect()
    }

    fn other(what: &str) -> PolarsError {
        io::Error::other(format!("a column does not hold {what}")).into()
    }

    /// As texts.
    ///
    /// # Errors
    /// When it holds something else; so with all others.
    pub fn texts(&self) -> PolarsResult<Vec<Option<&str>>> {
        let arrays = self.of::<Utf8ViewArray>().ok_or_else(|| Self::other("text"))?;
        Ok(arrays.into_iter().flat_map(Utf8ViewArray::iter).collect())
    }

    /// As numbers: times and days too.
    ///
    /// # Errors
    /// As [`Self::texts`].
    pub fn numbers(&self) -> PolarsResult<Vec<Option<i64>>> {
        let mut numbers = Vec::new();
        for array in &self.0 {
            numbers.extend(integers(&**array).ok_or_else(|| Self::other("numbers"))?);
        }
        Ok(numbers)
    }

    /// As yes and no.
    ///
    /// # Errors
    /// As [`Self::texts`].
    pub fn flags(&self) -> PolarsResult<Vec<bool>> {
        let arrays = self.of::<BooleanArray>().ok_or_else(|| Self::other("yes and no"))?;
        Ok(arrays
            .into_iter()
            .flat_map(|array| array.iter())
            .map(|flag| flag.unwrap_or(false))
            .collect())
    }

    /// As lists of numbers.
    ///
    /// # Errors
    /// As [`Self::texts`].
    pub fn lists_of_numbers(&self) -> PolarsResult<Vec<Option<Vec<i64>>>> {
        let arrays = self.of::<ListArray<i64>>().ok_or_else(|| Self::other("lists"))?;
        let mut lists = Vec::new();
        for array in arrays {
            for list in array.iter() {
                let numbers = |list: Box<dyn Array>| Some(integers(&*list)?.into_iter().flatten().collect());
                lists.push(match list {
                    None => None,
                    Some(list) => Some(numbers(list).ok_or_else(|| Self::other("lists of numbers"))?),
                });
            }
        }
        Ok(lists)
    }

    /// As lists of texts.
    ///
    /// # Errors
    /// As [`Self::texts`].
    pub fn lists_of_texts(&self) -> PolarsResult<Vec<Option<Vec<String>>>> {
        let arrays = self.of::<ListArray<i64>>().ok_or_else(|| Self::other("lists"))?;
        let mut lists = Vec::new();
        for array in arrays {
            for list in array.iter() {
                let texts = |list: Box<dyn Array>| {
                    let texts = list.as_any().downcast_ref::<Utf8ViewArray>()?;
                    Some(texts.iter().flatten().map(str::to_owned).collect())
                };
                lists.push(match list {
                    None => None,
                    Some(list) => Some(texts(list).ok_or_else(|| Self::other("lists of text"))?),
                });
            }
        }
        Ok(lists)
    }
}

fn integers(array: &dyn Array) -> Option<Vec<Option<i64>>> {
    let any = array.as_any();
    if let Some(array) = any.downcast_ref::<PrimitiveArray<i64>>() {
        return Some(array.iter().map(Option::<&i64>::copied).collect());
    }
    if let Some(array) = any.downcast_ref::<PrimitiveArray<i32>>() {
        return Some(array.iter().map(|n| n.map(|n| i64::from(*n))).collect());
    }
    if let Some(array) = any.downcast_ref::<PrimitiveArray<u64>>() {
        let number = |n: &u64| i64::try_from(*n).unwrap_or(i64::MAX);
        return Some(array.iter().map(|n| n.map(number)).collect());
    }
    let array = any.downcast_ref::<PrimitiveArray<u32>>()?;
    Some(array.iter().map(|n| n.map(|n| i64::from(*n))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::default();
        table.texts("text", &["a", "b", "a"]);
        table.some_texts("some", &[Some("x"), None, Some("")]);
        table.numbers("number", vec![1, -2, i64::MAX]);
        table.times("time", [Some(0), None, Some(1_700_000_000_000_000)]);
        table.days("day", [Some(-1), Some(20_000), None]);
        table.flags("flag", &[true, false, true]);
        let days: [&[i32]; 3] = [&[1, 2], &[], &[3]];
        table.lists_of_days("days", days.into_iter()).unwrap();
        table
            .lists_of_texts("names", &[Some(vec!["p", "q"]), None, Some(vec![])])
            .unwrap();
        table
    }

    fn same(stored: &Stored) {
        let column = |name| stored.column(name).unwrap();
        assert_eq!(column("text").texts().unwrap(), [Some("a"), Some("b"), Some("a")]);
        assert_eq!(column("some").texts().unwrap(), [Some("x"), None, Some("")]);
        assert_eq!(column("number").numbers().unwrap(), [Some(1), Some(-2), Some(i64::MAX)]);
        assert_eq!(
            column("time").numbers().unwrap(),
            [Some(0), None, Some(1_700_000_000_000_000)]
        );
        assert_eq!(column("day").numbers().unwrap(), [Some(-1), Some(20_000), None]);
        assert_eq!(column("flag").flags().unwrap(), [true, false, true]);
        let days = [Some(vec![1, 2]), Some(vec![]), Some(vec![3])];
        assert_eq!(column("days").lists_of_numbers().unwrap(), days);
        let names = column("names").lists_of_texts().unwrap();
        assert_eq!(names, [Some(vec!["p".to_owned(), "q".to_owned()]), None, Some(vec![])]);
        assert!(stored.column("none").is_err() && column("text").numbers().is_err());
    }

    fn file(bytes: &[u8]) -> PolarsResult<Stored> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Stored::open(file)
    }

    #[test]
    fn what_is_written_is_read_and_so_are_the_tables_in_it() {
        let mut bytes = Vec::new();
        write(
            &mut bytes,
            &table(),
            &[("key", "value".to_owned())],
            &[("one", table()), ("none", Table::default())],
        )
        .unwrap();
        let stored = file(&bytes).unwrap();
        same(&stored);
        assert_eq!(stored.text("key"), Some("value"));
        same(&stored.inside("one").unwrap());
        assert_eq!(stored.inside("none").unwrap().height(), 0);
        assert!(stored.inside("other").is_err());
        let mut alone = Vec::new();
        write(&mut alone, &table(), &[], &[]).unwrap();
        same(&file(&alone).unwrap());
    }

    #[test]
    fn a_page_has_no_more_values_than_its_column() {
        let mut numbers = Table::default();
        numbers.some_numbers("n", [Some(1), None, Some(3), Some(4), Some(5)]);
        let mut bytes = Vec::new();
        write(&mut bytes, &numbers, &[], &[]).unwrap();
        // The header of a data page, which begins with its number of values: twice 5, and for -5 one less.
        let header = [0x2c, 0x15, 0x0a];
        let places = bytes.windows(header.len()).enumerate().filter(|(_, at)| *at == header);
        let places: Vec<usize> = places.map(|(at, _)| at + 2).collect();
        assert_eq!(places.len(), 1);
        for many in [0x09, 0x0c] {
            let mut damaged = bytes.clone();
            damaged[places[0]] = many;
            assert!(file(&damaged).unwrap().column("n").is_err(), "{many}");
        }
    }

    #[test]
    fn many_rows_are_several_groups() {
        let mut many = Table::default();
        let rows = GROUP_ROWS + 3;
        many.numbers("n", (0..rows as i64).collect());
        let mut bytes = Vec::new();
        write(&mut bytes, &many, &[], &[("x", table())]).unwrap();
        let stored = file(&bytes).unwrap();
        assert_eq!(
            stored.column("n").unwrap().numbers().unwrap(),
            (0..rows as i64).map(Some).collect::<Vec<_>>()
        );
        same(&stored.inside("x").unwrap());
    }
}
