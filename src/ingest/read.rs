//! Reading many logs on many cores: each core builds its own part, and the parts are merged.

use super::error::{IngestError, Trouble};
use super::gunzip::Behind;
use super::options::{Options, Progress};
use super::quick::Quick;
use super::source::{self, Decoder, Form, LogInput, Stored};
use super::stream::{Stream, Wrapping};
use super::utf16::Utf16;
use super::worker::Worker;
use super::zip::Zip;
use crate::origin::Origin;
use crate::usage::{Skip, Usage, Window};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Bytes asked for at once: what fits into a core's own cache, since the bytes are read soon after they are copied.
const BLOCK: usize = 1 << 18;

/// About what both entries of a request take. It only guides how much room is made at once.
const BYTES_A_REQUEST: u64 = 2_600;

/// The longest line that is held in memory.
pub(super) const LONGEST_LINE: usize = 160 << 20;

/// As much of a longer one is looked at: who asked for what stands before what makes entries long.
pub(super) const BEGINNING: usize = 1 << 20;

/// Plain logs of at least twice this size are cut in pieces of at least this size for several cores: small enough that no
/// core waits long for the last one.
const PIECE: u64 = 4 << 20;

/// The most pieces a core.
const MOST_PIECES: u64 = 32;

/// A stretch of one log.
#[derive(Debug, Clone)]
struct Unit {
    input: usize,
    /// Which of the pieces of its log.
    piece: u32,
    /// Bytes from and to, cut at line ends; the whole log if none.
    range: Option<(u64, u64)>,
}

impl Unit {
    /// How much of the log it is, as stored.
    fn size(&self, input: &LogInput) -> Option<u64> {
        let size = input.size()?;
        Some(match self.range {
            Some((from, to)) => to.min(size).saturating_sub(from),
            None => size,
        })
    }
}

/// What one unit leaves behind besides its entries.
#[derive(Debug)]
struct Done {
    unit: usize,
    files: Vec<Inner>,
}

/// One text of a unit: itself, or a file of an archive.
#[derive(Debug)]
struct Inner {
    /// Its name in the archive.
    name: Option<String>,
    lines: u64,
    examples: [Option<u64>; Skip::ALL.len()],
}

/// Where the lines of a unit go.
struct Sink<'a> {
    worker: &'a mut Worker,
    wrapping: &'a Wrapping,
    /// The name of the log, and which of its pieces is read.
    log: String,
    piece: u32,
    /// What is damaged is counted as lost and the others are read; else it is an error.
    lenient: bool,
    /// Whether the log was read to its last byte: what is damaged is cut off then.
    at_end: Arc<AtomicBool>,
    files: Vec<Inner>,
}

/// Reads all logs.
pub(super) fn read(
    inputs: &[LogInput],
    options: &Options,
    window: Window,
    progress: &dyn Progress,
) -> Result<Usage, IngestError> {
    let sizes: Option<u64> = inputs.iter().map(LogInput::size).sum();
    progress.begin(sizes);
    let threads = options
        .threads
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
    let units = units(inputs, options, threads)?;
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<Done>> = Mutex::new(Vec::with_capacity(units.len()));
    let wrapping = Wrapping {
        envelope: options.envelope.unwrap_or_default(),
        pointer: options.unwrap.clone(),
    };
    let group_by = Arc::new(options.group_by.clone());
    let work = || -> Result<Usage, IngestError> {
        let mut usage = Usage::asked(window, options.group_by.clone()).bounded(options.bounds);
        usage.share_memory(threads);
        let mut worker = Worker::new(usage, Arc::clone(&group_by));
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(unit) = units.get(at) else {
                let mut usage = worker.take();
                usage.count();
                return Ok(usage);
            };
            let Some(input) = inputs.get(unit.input) else {
                continue;
            };
            if let Some(bytes) = unit.size(input) {
                worker
                    .usage_mut()
                    .expect(usize::try_from(bytes / BYTES_A_REQUEST).unwrap_or(0));
            }
            let mut sink = Sink {
                worker: &mut worker,
                wrapping: &wrapping,
                log: input.name(),
                piece: unit.piece,
                lenient: inputs.len() > 1,
                at_end: Arc::default(),
                files: Vec::new(),
            };
            read_unit(input, unit, &mut sink, progress)?;
            let files = sink.files;
            if let Ok(mut done) = done.lock() {
                done.push(Done { unit: at, files });
            }
        }
    };
    let parts: Vec<Result<Usage, IngestError>> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(units.len())).map(|_| scope.spawn(work)).collect();
        let mut parts = vec![work()];
        parts.extend(
            others
                .into_iter()
                .map(|thread| thread.join().unwrap_or(Err(IngestError::Thread))),
        );
        parts
    });
    let parts: Vec<Usage> = parts.into_iter().collect::<Result<_, _>>()?;
    let mut usage = Usage::whole(parts).unwrap_or_else(|| Usage::asked(window, options.group_by.clone()));
    let mut done = done.into_inner().unwrap_or_default();
    done.sort_by_key(|d| d.unit);
    examples(&mut usage, inputs, &units, &done);
    progress.end();
    Ok(usage)
}

/// Turns line numbers within units into places in files.
fn examples(usage: &mut Usage, inputs: &[LogInput], units: &[Unit], done: &[Done]) {
    let mut before = (usize::MAX, 0_u64);
    let mut pieces: HashMap<(String, u32), u64> = HashMap::new();
    for done in done {
        let Some(unit) = units.get(done.unit) else {
            continue;
        };
        if before.0 != unit.input {
            before = (unit.input, 0);
        }
        let Some(input) = inputs.get(unit.input) else {
            continue;
        };
        if unit.piece > 0 {
            pieces.insert((input.name(), unit.piece), before.1);
        }
        for file in &done.files {
            let (name, lines) = match &file.name {
                Some(inner) => (inside(&input.name(), inner), 0),
                None => (input.name(), before.1),
            };
            for (reason, line) in Skip::ALL.into_iter().zip(file.examples) {
                if let Some(line) = line {
                    let line = u32::try_from(lines + line).unwrap_or(u32::MAX);
                    let origin = Origin::new(name.clone(), line, 1);
                    usage.table_mut().tally.example(reason, origin);
                }
            }
            before.1 += file.lines;
        }
    }
    if !pieces.is_empty() {
        let before = |log: &str, piece| pieces.get(&(log.to_owned(), piece)).copied().unwrap_or(0);
        usage.table_mut().place_pieces(before);
    }
}

/// The name of a file of an archive.
fn inside(archive: &str, name: &str) -> String {
    format!("{archive}/{name}")
}

/// Cuts the logs into units of work.
fn units(inputs: &[LogInput], options: &Options, threads: usize) -> Result<Vec<Unit>, IngestError> {
    let mut units = Vec::new();
    for (input, log) in inputs.iter().enumerate() {
        let whole = Unit {
            input,
            piece: 0,
            range: None,
        };
        let (LogInput::File(path), Some(size)) = (log, log.size()) else {
            units.push(whole);
            continue;
        };
        let pieces = (size / PIECE).min(MOST_PIECES * threads as u64);
        if pieces < 2 || threads < 2 || options.unwrap.is_some() {
            units.push(whole);
            continue;
        }
        let cut = || -> io::Result<Option<Vec<u64>>> {
            let file = File::open(path)?;
            if !bare(&file)? {
                return Ok(None);
            }
            cuts(&file, size, pieces).map(Some)
        };
        match cut().map_err(|source| IngestError::Read {
            path: path.clone(),
            source,
        })? {
            None => units.push(whole),
            Some(cuts) => {
                let ends = cuts.iter().copied().skip(1).chain([u64::MAX]);
                units.extend(cuts.iter().zip(ends).zip(0..).map(|((from, to), piece)| Unit {
                    input,
                    piece,
                    range: Some((*from, to)),
                }));
            }
        }
    }
    Ok(units)
}

/// Whether a log holds one bare entry a line, by its beginning: only such a log can be cut at any line end.
fn bare(file: &File) -> io::Result<bool> {
    let mut head = vec![0; 1 << 16];
    let got = file.read_at(&mut head, 0)?;
    let head = head.get(..got).unwrap_or_default();
    let line = head.split(|c| *c == b'\n').next().unwrap_or_default();
    Ok(line.first() == Some(&b'{') && !matches!(line.last(), Some(b'{' | b',')))
}

/// Beginnings of pieces: the file's, and after that such of lines that begin an entry.
fn cuts(file: &File, size: u64, pieces: u64) -> io::Result<Vec<u64>> {
    let mut cuts = vec![0];
    let mut block = vec![0; 1 << 16];
    for piece in 1..pieces {
        let mut at = (size / pieces * piece).max(cuts.last().copied().unwrap_or(0));
        loop {
            let got = file.read_at(&mut block, at)?;
            let text = block.get(..got).unwrap_or_default();
            if let Some(found) = memchr::memmem::find(text, b"\n{") {
                cuts.push(at + found as u64 + 1);
                break;
            }
            if got < block.len() {
                break;
            }
            at += got as u64 - 1;
        }
    }
    cuts.dedup();
    Ok(cuts)
}

/// Reads one unit to its end.
fn read_unit(input: &LogInput, unit: &Unit, sink: &mut Sink<'_>, progress: &dyn Progress) -> Result<(), IngestError> {
    let at_end = Arc::clone(&sink.at_end);
    let read = match input {
        LogInput::Stdin => any(Counted::new(io::stdin(), progress, at_end), sink),
        LogInput::File(path) => File::open(path).and_then(|file| match unit.range {
            Some((from, to)) => lines(
                &mut Range {
                    file,
                    at: from,
                    to,
                    progress,
                },
                None,
                sink,
            ),
            None => any(Counted::new(file, progress, at_end), sink),
        }),
        LogInput::Object(object) => object.read(|from| any(Counted::new(from, progress, at_end), sink))?,
    };
    match read {
        Err(error) if sink.lenient && is_damage(&error) => {
            sink.damaged(None);
            Ok(())
        }
        Err(source) if is_damage(&source) => Err(IngestError::Damaged {
            name: input.name(),
            cut: source.kind() == io::ErrorKind::UnexpectedEof || sink.at_end.load(Ordering::Relaxed),
            lines: sink.files.iter().map(|file| file.lines).sum(),
            source,
        }),
        Err(source) => Err(match input {
            LogInput::Stdin => IngestError::Stdin(source),
            LogInput::File(path) => IngestError::Read {
                path: path.clone(),
                source,
            },
            LogInput::Object(object) => IngestError::Object {
                name: object.name().to_owned(),
                trouble: Trouble {
                    why: source.to_string(),
                    hint: "try again",
                },
            },
        }),
        Ok(()) => Ok(()),
    }
}

impl Sink<'_> {
    /// A text was read.
    fn done(&mut self, name: Option<&str>, stream: Stream) {
        self.files.push(Inner {
            name: name.map(str::to_owned),
            lines: stream.lines,
            examples: stream.examples,
        });
    }

    /// A file of which nothing can be read.
    fn damaged(&mut self, name: Option<&str>) {
        let mut stream = Stream::default();
        stream.ends_early(self.worker);
        self.done(name, stream);
    }
}

/// Whether an error comes from what a file holds, and not from the machine.
fn is_damage(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other
    )
}

/// Reads a log that is stored in whatever way.
fn any(from: impl Read + Send, sink: &mut Sink<'_>) -> io::Result<()> {
    match source::begin(from)? {
        (Form::Stored(stored), all) => aside(stored, all, sink),
        (_, mut all) => within(&mut all, None, sink, 0),
    }
}

/// The beginning of the text of a log, as far as the bytes of its beginning give it; else what it is.
pub(super) fn beginning(raw: &[u8]) -> Result<Vec<u8>, &'static str> {
    let (mut from, mut depth): (Box<dyn Read + '_>, _) = (Box::new(raw), 0);
    loop {
        let mut head = Vec::new();
        let form = match source::begin(from) {
            Ok((form, all)) => {
                from = Box::new(all);
                form
            }
            Err(_) => return Err("damaged: it cannot be unpacked"),
        };
        depth += 1;
        match form {
            Form::Text { utf16 } => {
                // The end is missing where the beginning was packed.
                let read = match utf16 {
                    Some(big_endian) => Utf16::new(from, big_endian).read_to_end(&mut head),
                    None => from.read_to_end(&mut head),
                };
                return match read {
                    Err(_) if head.is_empty() => Err("damaged: it cannot be unpacked"),
                    _ => Ok(head),
                };
            }
            Form::Zip | Form::Tar => return Err("an archive without a log inside that could be read"),
            Form::Stored(_) if depth > DEEPEST => return Err("packed again and again"),
            Form::Stored(stored) => {
                from = match Decoder::new(stored, from) {
                    Ok(plain) => Box::new(plain),
                    Err(_) => return Err("damaged: it cannot be unpacked"),
                };
            }
        }
    }
}

/// Forms inside of each other that are looked into.
const DEEPEST: u32 = 4;

/// Reads what may be compressed, an archive, or text in whatever encoding.
fn within(from: &mut dyn Read, name: Option<&str>, sink: &mut Sink<'_>, depth: u32) -> io::Result<()> {
    let (form, mut all) = source::begin(from)?;
    match form {
        Form::Text { utf16: None } => lines(&mut all, name, sink),
        Form::Text {
            utf16: Some(big_endian),
        } => lines(&mut Utf16::new(all, big_endian), name, sink),
        _ if depth >= DEEPEST => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "archives in archives are not looked into any further",
        )),
        Form::Stored(stored) => within(&mut Decoder::new(stored, all)?, name, sink, depth + 1),
        Form::Tar => {
            let mut archive = tar::Archive::new(all);
            for entry in archive.entries()? {
                let mut entry = entry?;
                let inner = entry.path()?.display().to_string();
                if entry.header().entry_type().is_file() && is_wanted(&inner) {
                    member(&mut entry, &inner, sink, depth)?;
                }
            }
            Ok(())
        }
        Form::Zip => {
            // Its table stands at its end, so it is set down first.
            let mut file = tempfile::tempfile()?;
            io::copy(&mut all, &mut file)?;
            // That it was read whole tells nothing of it.
            sink.at_end.store(false, Ordering::Relaxed);
            let mut archive = Zip::new(file)?;
            let wanted = archive.files.clone().into_iter().filter(|file| is_wanted(&file.name));
            for file in wanted {
                match archive.open(&file) {
                    Ok(mut plain) => member(&mut plain, &file.name, sink, depth)?,
                    Err(error) if is_damage(&error) => sink.damaged(Some(&file.name)),
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        }
    }
}

/// Reads a file of an archive. If it is damaged, the others are read all the same.
fn member(from: &mut dyn Read, name: &str, sink: &mut Sink<'_>, depth: u32) -> io::Result<()> {
    let lenient = std::mem::replace(&mut sink.lenient, true);
    let read = within(from, Some(name), sink, depth + 1);
    sink.lenient = lenient;
    match read {
        Err(error) if is_damage(&error) => {
            sink.damaged(Some(name));
            Ok(())
        }
        other => other,
    }
}

/// Whether a file of an archive is a log, by its name.
fn is_wanted(name: &str) -> bool {
    let path = std::path::Path::new(name);
    source::is_log(path) || path.extension().is_none()
}

/// A stretch of a file.
struct Range<'a> {
    file: File,
    at: u64,
    to: u64,
    progress: &'a dyn Progress,
}

impl Read for Range<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.to - self.at).unwrap_or(usize::MAX);
        let most = into.len().min(left);
        let got = self.file.read_at(into.get_mut(..most).unwrap_or_default(), self.at)?;
        self.at += got as u64;
        self.progress.advance(got as u64);
        Ok(got)
    }
}

/// A source whose bytes are told to the progress.
struct Counted<'a, R> {
    from: R,
    progress: &'a dyn Progress,
    at_end: Arc<AtomicBool>,
}

impl<'a, R> Counted<'a, R> {
    fn new(from: R, progress: &'a dyn Progress, at_end: Arc<AtomicBool>) -> Self {
        Self { from, progress, at_end }
    }
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let got = self.from.read(into)?;
        self.progress.advance(got as u64);
        if got == 0 && !into.is_empty() {
            self.at_end.store(true, Ordering::Relaxed);
        }
        Ok(got)
    }
}

/// Decompresses on a thread of its own.
fn aside(stored: Stored, from: impl Read + Send, sink: &mut Sink<'_>) -> io::Result<()> {
    let (full, filled) = std::sync::mpsc::sync_channel::<io::Result<Vec<u8>>>(4);
    let (empty, emptied) = std::sync::mpsc::channel::<Vec<u8>>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut from = match Decoder::new(stored, from) {
                Ok(from) => from,
                Err(error) => {
                    let _ = full.send(Err(error));
                    return;
                }
            };
            loop {
                let mut block = emptied.try_recv().unwrap_or_else(|_| vec![0; BLOCK]);
                block.resize(BLOCK, 0);
                let mut got = 0;
                let sent = loop {
                    match from.read(block.get_mut(got..).unwrap_or_default()) {
                        Ok(0) => break Ok(()),
                        Ok(n) => got += n,
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(error) => break Err(error),
                    }
                };
                let last = got < BLOCK;
                block.truncate(got);
                if full.send(Ok(block)).is_err() {
                    return;
                }
                if let Err(error) = sent {
                    let _ = full.send(Err(error));
                    return;
                }
                if last {
                    return;
                }
            }
        });
        let mut piped = Piped {
            filled,
            empty,
            block: Vec::new(),
            at: 0,
        };
        within(&mut piped, None, sink, 1)
    })
}

/// Blocks of another thread.
struct Piped {
    filled: std::sync::mpsc::Receiver<io::Result<Vec<u8>>>,
    empty: std::sync::mpsc::Sender<Vec<u8>>,
    block: Vec<u8>,
    at: usize,
}

impl Read for Piped {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at >= self.block.len() {
            match self.filled.recv() {
                Ok(block) => {
                    let used = std::mem::replace(&mut self.block, block?);
                    let _ = self.empty.send(used);
                    self.at = 0;
                }
                Err(_) => return Ok(0),
            }
        }
        let rest = self.block.get(self.at..).unwrap_or_default();
        let got = rest.len().min(into.len());
        if let (Some(to), Some(from)) = (into.get_mut(..got), rest.get(..got)) {
            to.copy_from_slice(from);
        }
        self.at += got;
        Ok(got)
    }
}

/// Feeds all lines of a source to a stream.
///
/// The buffer holds, one after the other: lines that were read and wait for their partners, the beginning of a line whose
/// end is not there yet, and room.
fn lines(from: &mut dyn Read, name: Option<&str>, sink: &mut Sink<'_>) -> io::Result<()> {
    let (worker, wrapping) = (&mut *sink.worker, sink.wrapping);
    match name {
        Some(name) => worker.reads(&inside(&sink.log, name), 0),
        None => worker.reads(&sink.log, sink.piece),
    }
    let mut early = None;
    let mut stream = Stream::default();
    let mut quick = Quick::default();
    let mut buffer = vec![0; BLOCK];
    let (mut waiting, mut kept) = (0, 0);
    let mut skipping: Option<Vec<u8>> = None;
    loop {
        if kept == buffer.len() {
            quick.give_up(worker, &mut stream, wrapping, &buffer);
            let done = std::mem::take(&mut waiting);
            buffer.copy_within(done..kept, 0);
            kept -= done;
            if done == 0 {
                kept = make_room(&mut buffer, kept, &mut skipping);
            }
        }
        let got = match from.read(buffer.get_mut(kept..).unwrap_or_default()) {
            Ok(got) => got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if is_damage(&error) => {
                early = Some(error);
                break;
            }
            Err(error) => return Err(error),
        };
        if got == 0 {
            break;
        }
        let total = kept + got;
        let text = buffer.get(..total).unwrap_or_default();
        // What was kept of the last line holds no line feed.
        let searched = text.get(kept..).unwrap_or_default();
        let Some(last) = memchr::memrchr(b'\n', searched).map(|n| kept + n) else {
            kept = total;
            continue;
        };
        if let Some(beginning) = skipping.take() {
            waiting = memchr::memchr(b'\n', text).map_or(0, |n| n + 1);
            stream.too_long(worker, wrapping, &beginning);
        }
        let whole = text.get(..=last).unwrap_or_default();
        let keep = quick.new_lines(worker, &mut stream, wrapping, whole, waiting);
        waiting = whole.len() - keep;
        buffer.copy_within(keep..total, 0);
        kept = total - keep;
        if buffer.len() > 8 * BLOCK && kept < BLOCK {
            buffer.truncate(BLOCK);
            buffer.shrink_to_fit();
        }
    }
    let text = buffer.get(..kept).unwrap_or_default();
    quick.give_up(worker, &mut stream, wrapping, text);
    if let Some(beginning) = skipping {
        stream.too_long(worker, wrapping, &beginning);
    } else if kept > waiting {
        stream.line(worker, wrapping, text.get(waiting..).unwrap_or_default());
    }
    stream.end(worker, wrapping);
    // All that was packed is there: what follows is counted as damage, and ends nothing.
    let lenient = sink.lenient || early.as_ref().is_some_and(Behind::is);
    if early.is_some() && lenient {
        stream.ends_early(worker);
    }
    sink.done(name, stream);
    early.filter(|_| !lenient).map_or(Ok(()), Err)
}

/// The buffer is full and holds no line end: drops all but one of leading NUL bytes, else grows, else gives the line up.
fn make_room(buffer: &mut Vec<u8>, kept: usize, skipping: &mut Option<Vec<u8>>) -> usize {
    if skipping.is_some() {
        return 0;
    }
    // One of them stays, which tells that there were some.
    let further = buffer.iter().take_while(|c| **c == 0).count().saturating_sub(1);
    if further > 0 {
        buffer.copy_within(further..kept, 0);
        return kept - further;
    }
    if kept >= LONGEST_LINE {
        *skipping = Some(buffer.get(..BEGINNING).unwrap_or_default().to_vec());
        return 0;
    }
    let more = buffer.len().min(16 * BLOCK);
    buffer.reserve_exact(more);
    buffer.resize(kept + more, 0);
    kept
}
