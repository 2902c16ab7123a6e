//! The files of a zip archive, stored or deflated. What archives of logs never are (encrypted, in volumes, compressed in other
//! ways) is told.

use flate2::{Crc, read::DeflateDecoder};
use std::io::{self, Read, Seek, SeekFrom};

/// The end of the table, with the longest comment.
const END: u64 = 22 + 0xffff;

const END_MARK: &[u8; 4] = b"PK\x05\x06";
const END64_MARK: &[u8; 4] = b"PK\x06\x06";
const ENTRY_MARK: &[u8; 4] = b"PK\x01\x02";
const FILE_MARK: &[u8; 4] = b"PK\x03\x04";

/// The most files of one archive.
const MOST_FILES: u64 = 1 << 20;

/// A file of an archive.
#[derive(Debug, Clone)]
pub struct File {
    /// Its path in the archive.
    pub name: String,
    method: u16,
    encrypted: bool,
    crc: u32,
    packed: u64,
    plain: u64,
    at: u64,
}

/// An archive whose table was read.
#[derive(Debug)]
pub struct Zip<R> {
    from: R,
    /// Its files, folders left out.
    pub files: Vec<File>,
}

fn damaged(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// The table stands at the end of an archive.
fn without_table() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the table at the end of the zip archive is missing",
    )
}

/// Little-endian numbers and bytes, one after the other.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn bytes(&mut self, count: usize) -> io::Result<&'a [u8]> {
        let (bytes, rest) = self
            .0
            .split_at_checked(count)
            .ok_or_else(|| damaged("the table of the zip archive ends early"))?;
        self.0 = rest;
        Ok(bytes)
    }

    fn number(&mut self, size: usize) -> io::Result<u64> {
        Ok(self
            .bytes(size)?
            .iter()
            .rev()
            .fold(0, |number, byte| (number << 8) | u64::from(*byte)))
    }

    fn short(&mut self) -> io::Result<u16> {
        Ok(u16::from_le_bytes(self.bytes(2)?.try_into().unwrap_or_default()))
    }

    fn word(&mut self) -> io::Result<u32> {
        Ok(u32::from_le_bytes(self.bytes(4)?.try_into().unwrap_or_default()))
    }
}

impl<R: Read + Seek> Zip<R> {
    /// Reads the table of an archive.
    pub fn new(mut from: R) -> io::Result<Self> {
        let (count, size, at) = table(&mut from)?;
        if count > MOST_FILES {
            return Err(damaged("the zip archive holds too many files"));
        }
        from.seek(SeekFrom::Start(at))?;
        let mut bytes = Vec::new();
        from.by_ref().take(size).read_to_end(&mut bytes)?;
        let mut fields = Fields(&bytes);
        let mut files = Vec::new();
        for _ in 0..count {
            let file = entry(&mut fields)?;
            if !file.name.ends_with('/') {
                files.push(file);
            }
        }
        Ok(Self { from, files })
    }

    /// The plain bytes of a file, whose sum is checked at their end.
    pub fn open(&mut self, file: &File) -> io::Result<Plain<'_, R>> {
        if file.encrypted {
            return Err(damaged("the file in the zip archive is encrypted"));
        }
        self.from.seek(SeekFrom::Start(file.at))?;
        let mut head = [0; 30];
        self.from.read_exact(&mut head)?;
        let mut fields = Fields(&head);
        if fields.bytes(4)? != FILE_MARK {
            return Err(damaged("the table of the zip archive names a file that is not there"));
        }
        fields.bytes(22)?;
        let skipped = i64::from(fields.short()?) + i64::from(fields.short()?);
        self.from.seek(SeekFrom::Current(skipped))?;
        let packed = self.from.by_ref().take(file.packed);
        Ok(Plain {
            from: match file.method {
                0 => Packed::Stored(packed),
                8 => Packed::Deflated(DeflateDecoder::new(packed)),
                _ => {
                    return Err(damaged(
                        "the file in the zip archive is neither stored nor deflated: unpack it first",
                    ));
                }
            },
            sum: Crc::new(),
            crc: file.crc,
            left: file.plain,
        })
    }
}

/// How many entries the table has, how large it is, and where it begins.
fn table(from: &mut (impl Read + Seek)) -> io::Result<(u64, u64, u64)> {
    let size = from.seek(SeekFrom::End(0))?;
    let begin = size.saturating_sub(END);
    from.seek(SeekFrom::Start(begin))?;
    let mut bytes = Vec::new();
    from.by_ref().take(END).read_to_end(&mut bytes)?;
    let end = memchr::memmem::rfind(&bytes, END_MARK).ok_or_else(without_table)?;
    let mut fields = Fields(bytes.get(end + 4..).unwrap_or_default());
    fields.bytes(6)?;
    let (count, table_size, at) = (fields.number(2)?, fields.number(4)?, fields.number(4)?);
    let comment = fields.short()?;
    fields.bytes(comment.into())?;
    if count != 0xffff && table_size != 0xffff_ffff && at != 0xffff_ffff {
        return Ok((count, table_size, at));
    }
    let end = memchr::memmem::rfind(&bytes, END64_MARK).ok_or_else(without_table)?;
    let mut fields = Fields(bytes.get(end + 4..).unwrap_or_default());
    fields.bytes(28)?;
    Ok((fields.number(8)?, fields.number(8)?, fields.number(8)?))
}

fn entry(fields: &mut Fields<'_>) -> io::Result<File> {
    if fields.bytes(4)? != ENTRY_MARK {
        return Err(damaged("the table of the zip archive is damaged"));
    }
    fields.bytes(4)?;
    let (flags, method) = (fields.short()?, fields.short()?);
    fields.bytes(4)?;
    let crc = fields.word()?;
    let (mut packed, mut plain) = (fields.number(4)?, fields.number(4)?);
    let (name, extra, comment) = (fields.short()?, fields.short()?, fields.short()?);
    fields.bytes(8)?;
    let mut at = fields.number(4)?;
    let name = String::from_utf8_lossy(fields.bytes(name.into())?).into_owned();
    let mut extra = Fields(fields.bytes(extra.into())?);
    fields.bytes(comment.into())?;
    while extra.0.len() >= 4 {
        let (kind, size) = (extra.short()?, extra.short()?);
        let mut values = Fields(extra.bytes(size.into())?);
        if kind == 1 {
            // Sizes and places that do not fit into four bytes.
            for number in [&mut plain, &mut packed, &mut at] {
                if *number == 0xffff_ffff {
                    *number = values.number(8)?;
                }
            }
        }
    }
    Ok(File {
        name,
        method,
        encrypted: flags & 1 != 0,
        crc,
        packed,
        plain,
        at,
    })
}

/// The plain bytes of a file.
pub struct Plain<'a, R: Read> {
    from: Packed<io::Take<&'a mut R>>,
    sum: Crc,
    crc: u32,
    left: u64,
}

enum Packed<R> {
    Stored(R),
    Deflated(DeflateDecoder<R>),
}

impl<R: Read> Read for Plain<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let got = match &mut self.from {
            Packed::Stored(from) => from.read(into),
            Packed::Deflated(from) => from.read(into),
        }?;
        self.sum.update(into.get(..got).unwrap_or_default());
        self.left = self
            .left
            .checked_sub(got as u64)
            .ok_or_else(|| damaged("the file in the zip archive is longer than its table says"))?;
        if got == 0 && !into.is_empty() && (self.left > 0 || self.sum.sum() != self.crc) {
            return Err(damaged("the file in the zip archive is damaged"));
        }
        Ok(got)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    const ARCHIVE: &[u8] = include_bytes!("../../fixtures/shapes/audit.zip");

    fn read_all(bytes: &[u8]) -> io::Result<Vec<(String, Vec<u8>)>> {
        let mut zip = Zip::new(Cursor::new(bytes))?;
        let mut files = Vec::new();
        for file in zip.files.clone() {
            let mut plain = Vec::new();
            zip.open(&file)?.read_to_end(&mut plain)?;
            files.push((file.name, plain));
        }
        Ok(files)
    }

    #[test]
    fn files_come_out_as_they_went_in() {
        let files = read_all(ARCHIVE).unwrap();
        let names: Vec<&str> = files.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["logs/audit.log", "logs/audit.log.1.gz", "logs/readme.md"]);
        assert_eq!(files[2].1, b"no log\n");
        assert!(files[0].1.ends_with(b"}\n"));
    }

    #[test]
    fn damage_anywhere_is_an_error_and_never_more_than_that() {
        for end in 0..ARCHIVE.len() {
            assert!(read_all(&ARCHIVE[..end]).is_err(), "{end}");
        }
        let good = read_all(ARCHIVE).unwrap();
        for at in 0..ARCHIVE.len() {
            let mut bytes = ARCHIVE.to_vec();
            bytes[at] ^= 0x55;
            if let Ok(files) = read_all(&bytes) {
                let texts = |files: &[(String, Vec<u8>)]| files.iter().map(|f| f.1.clone()).collect::<Vec<_>>();
                assert!(texts(&files).iter().all(|text| texts(&good).contains(text)), "{at}");
            }
        }
    }
}
