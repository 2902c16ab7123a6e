//! Rotation of every kind, step by step: each request counts once.

use super::*;
use crate::ingest::Reader;
use std::io::Write;

struct Bench {
    dir: tempfile::TempDir,
    usage: Usage,
    tail: Option<Tail>,
    name: &'static str,
}

fn line(n: u32) -> String {
    format!(
        r#"{{"time":"2026-03-01T00:00:{:02}Z","type":"response","auth":{{"client_token":"t","accessor":"a","display_name":"d","policies":["default"],"entity_id":"e"}},"request":{{"id":"id-{n}","operation":"read","path":"secret/k{n}","mount_type":"kv"}}}}
"#,
        n % 60
    )
}

fn lines(range: std::ops::Range<u32>) -> String {
    range.map(line).collect()
}

impl Bench {
    fn new(name: &'static str) -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            usage: Usage::default(),
            tail: None,
            name,
        }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn append(&self, name: &str, text: &str) {
        let mut file = File::options().create(true).append(true).open(self.at(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// Looks, reads all, takes it.
    fn step(&mut self) {
        let names = vec![self.at(self.name).display().to_string()];
        let tail = self
            .tail
            .get_or_insert_with(|| Tail::new(names, Options::default(), Vec::new()));
        tail.scan();
        while tail.is_behind() {
            tail.read();
        }
        if let Some(part) = tail.take() {
            self.usage = std::mem::take(&mut self.usage).merge(part).unwrap();
        }
        assert!(tail.notes().is_empty());
    }

    /// Another process goes on from what was stored.
    fn restart(&mut self) {
        let positions = self.tail.take().unwrap().positions();
        let names = vec![self.at(self.name).display().to_string()];
        self.tail = Some(Tail::new(names, Options::default(), positions));
    }

    /// Each of so many requests was counted once, and so many lines.
    fn holds(&mut self, requests: u32) {
        self.step();
        let demands = self.usage.demands();
        let seen: Vec<&str> = demands.iter().map(|d| &*d.path).collect();
        assert_eq!(demands.len(), requests as usize, "{seen:?}");
        assert!(demands.iter().all(|d| d.allowed == 1));
        assert_eq!(self.usage.tally().lines, u64::from(requests));
    }
}

/// The same with and without another process in between.
fn both(name: &'static str, play: impl Fn(&mut Bench, &dyn Fn(&mut Bench))) {
    play(&mut Bench::new(name), &|_| {});
    play(&mut Bench::new(name), &Bench::restart);
}

#[test]
fn renamed_within_a_folder() {
    both("", |b, pause| {
        b.append("audit.log", &lines(0..30));
        b.holds(30);
        b.append("audit.log", &lines(30..40));
        std::fs::rename(b.at("audit.log"), b.at("audit.log.1")).unwrap();
        pause(b);
        b.append("audit.log", &lines(40..50));
        b.append("audit.log.1", &lines(50..60));
        b.holds(60);
    });
}

#[test]
fn renamed_beside_a_single_log() {
    both("audit.log", |b, pause| {
        b.append("audit.log", &lines(0..30));
        b.holds(30);
        b.append("audit.log", &lines(30..40));
        std::fs::rename(b.at("audit.log"), b.at("audit.log.1")).unwrap();
        pause(b);
        b.append("audit.log", &lines(40..50));
        b.append("audit.log.1", &lines(50..60));
        b.holds(60);
    });
}

#[test]
fn copied_and_truncated() {
    for name in ["", "audit.log"] {
        both(name, |b, pause| {
            b.append("audit.log", &lines(0..30));
            b.holds(30);
            b.append("audit.log", &lines(30..40));
            std::fs::copy(b.at("audit.log"), b.at("audit.log.1")).unwrap();
            b.holds(40);
            b.append("audit.log", &lines(40..45));
            std::fs::copy(b.at("audit.log"), b.at("audit.log.1")).unwrap();
            std::fs::write(b.at("audit.log"), "").unwrap();
            pause(b);
            b.append("audit.log", &lines(45..60));
            b.holds(60);
        });
    }
}

#[test]
fn truncated_and_grown_beyond_what_it_was() {
    both("", |b, pause| {
        b.append("audit.log", &lines(0..5));
        b.holds(5);
        std::fs::write(b.at("audit.log"), lines(5..50)).unwrap();
        pause(b);
        b.holds(50);
    });
}

#[test]
fn a_copy_under_way_is_no_new_log() {
    both("", |b, pause| {
        b.append("audit.log", &lines(0..30));
        b.holds(30);
        let text = lines(0..30);
        for cut in [100, 1000, 5000] {
            std::fs::write(b.at("audit.log.1"), &text[..cut]).unwrap();
            b.holds(30);
        }
        std::fs::write(b.at("audit.log.1"), &text).unwrap();
        std::fs::write(b.at("audit.log"), lines(30..31)).unwrap();
        pause(b);
        b.holds(31);
    });
}

#[test]
fn compressed() {
    both("", |b, pause| {
        b.append("audit.log", &lines(0..30));
        b.holds(30);
        b.append("audit.log", &lines(30..40));
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(lines(0..40).as_bytes()).unwrap();
        let packed = packed.finish().unwrap();
        let (first, second) = packed.split_at(packed.len() / 2);
        std::fs::write(b.at("audit.log.gz"), first).unwrap();
        b.holds(40);
        let mut file = File::options().append(true).open(b.at("audit.log.gz")).unwrap();
        file.write_all(second).unwrap();
        std::fs::remove_file(b.at("audit.log")).unwrap();
        pause(b);
        b.holds(40);
        let packed = zstd::encode_all(lines(40..50).trim_end().as_bytes(), 1).unwrap();
        std::fs::write(b.at("audit.log.2.zst"), packed).unwrap();
        b.holds(50);
        pause(b);
        b.holds(50);
    });
}

#[test]
fn half_a_line_waits() {
    both("", |b, pause| {
        let text = lines(0..10);
        let (first, second) = text.split_at(text.len() - 50);
        b.append("audit.log", first);
        b.holds(9);
        pause(b);
        b.append("audit.log", second);
        b.holds(10);
    });
}

#[test]
fn an_entry_over_several_lines_is_taken_whole() {
    both("", |b, pause| {
        b.append("audit.log", &line(0));
        b.append("audit.log", &line(1).replacen("\"auth\"", "\n\"auth\"", 1));
        b.append("audit.log", "{\"time\":\"2026-03-01T00:00:00Z\",\n");
        b.step();
        let lines_before = b.usage.tally().lines;
        pause(b);
        let rest = line(2);
        b.append("audit.log", rest.split_once(',').unwrap().1);
        b.step();
        assert_eq!(b.usage.demands().len(), 3);
        assert!(b.usage.tally().lines > lines_before);
        let whole = std::fs::read(b.at("audit.log")).unwrap();
        let mut reader = Reader::new(&Options::default());
        reader.feed("x", &whole);
        assert_eq!(b.usage.tally().lines, reader.snapshot().tally().lines);
    });
}

#[test]
fn gone_and_back() {
    both("audit.log", |b, pause| {
        b.append("audit.log", &lines(0..30));
        b.holds(30);
        std::fs::remove_file(b.at("audit.log")).unwrap();
        b.holds(30);
        pause(b);
        b.append("audit.log", &lines(30..40));
        b.holds(40);
    });
}

#[test]
fn what_is_not_named_is_not_read() {
    let mut b = Bench::new("audit.log");
    b.append("audit.log", &lines(0..10));
    b.holds(10);
    b.append("other.log", &lines(20..30));
    b.append("audit.log", &lines(10..12));
    let paths = [b.at("other.log"), b.at("audit.log")];
    for path in &paths {
        b.tail.as_mut().unwrap().heard(path);
    }
    b.holds(12);
}

#[test]
fn what_has_no_lines_to_follow_is_refused_with_a_word_once() {
    let utf16: Vec<u8> = lines(0..3).encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(lines(0..3).len() as u64);
    tar.append_data(&mut header, "audit.log", lines(0..3).as_bytes())
        .unwrap();
    let tar = tar.into_inner().unwrap();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&tar).unwrap();
    let packed = packed.finish().unwrap();
    for (name, bytes, word) in [
        ("audit.zip", b"PK\x03\x04 and so on".as_slice(), "zip archive"),
        ("audit.tar", &tar, "tar archive"),
        ("audit.tgz", &packed, "tar archive"),
        ("audit.log", &utf16, "UTF-16"),
        ("audit.log.1", b"\x04\x22\x4d\x18 and so on", "lz4 -dc"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("other.log"), lines(0..2)).unwrap();
        std::fs::write(dir.path().join(name), bytes).unwrap();
        let names = vec![dir.path().display().to_string()];
        let mut tail = Tail::new(names, Options::default(), Vec::new());
        for round in 0..3 {
            tail.scan();
            while tail.is_behind() {
                tail.read();
            }
            let notes = tail.notes().join("\n");
            assert_eq!(
                notes.contains(word) && notes.contains(name),
                round == 0,
                "{name}: {notes}"
            );
        }
        assert_eq!(tail.counts().errors, 1, "{name}");
        let usage = tail.take().unwrap();
        assert_eq!((usage.tally().lines, usage.tally().skipped_total()), (2, 0), "{name}");
    }
}
