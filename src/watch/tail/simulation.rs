//! A law, held by chance: whatever a writer, the rotation and a watcher that is killed now and then do in whatever order,
//! each entry counts once.

use super::*;
use crate::ingest::Reader;
use crate::random::Random;
use std::io::Write;
use std::time::SystemTime;

/// Steps of a rotation that are still to be made.
enum Todo {
    Copy {
        to: PathBuf,
        done: usize,
    },
    Pack {
        from: PathBuf,
        to: PathBuf,
        packed: Vec<u8>,
        done: usize,
    },
}

struct World {
    chance: Random,
    dir: tempfile::TempDir,
    entries: u32,
    names: u32,
    /// The rest of a line whose beginning is in the log.
    half: String,
    todo: Option<Todo>,
    banner: bool,
    tail: Option<Tail>,
    usage: Usage,
    committed: (Usage, Vec<Position>),
}

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            chance: Random::new(seed),
            dir: tempfile::tempdir().unwrap(),
            entries: 0,
            names: 0,
            half: String::new(),
            todo: None,
            banner: seed.is_multiple_of(3),
            tail: None,
            usage: Usage::default(),
            committed: (Usage::default(), Vec::new()),
        };
        world.start();
        world
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn log(&self) -> PathBuf {
        self.at("audit.log")
    }

    fn line(&mut self) -> String {
        let n = self.entries;
        self.entries += 1;
        let pad = "x".repeat(self.chance.below(400));
        format!(
            r#"{{"time":"2026-03-01T00:00:00Z","type":"response","auth":{{"client_token":"t","accessor":"a","display_name":"d","policies":["default"],"entity_id":"e"}},"request":{{"id":"id-{n}","operation":"read","path":"secret/k{n}","mount_type":"kv","x":"{pad}"}}}}
"#
        )
    }

    fn write(&mut self, text: &str) {
        let mut file = File::options().create(true).append(true).open(self.log()).unwrap();
        if self.banner && file.metadata().unwrap().len() == 0 {
            file.write_all(b"==> the server's configuration:\n\n  level: info\n\n==> started\n")
                .unwrap();
        }
        file.write_all(text.as_bytes()).unwrap();
    }

    fn append(&mut self) {
        let mut text = std::mem::take(&mut self.half);
        for _ in 0..=self.chance.below(6) {
            text += &self.line();
        }
        let cut = if self.chance.below(2) == 0 {
            self.chance.below(text.len())
        } else {
            text.len()
        };
        self.half = text.split_off(cut);
        self.write(&text);
    }

    fn end_line(&mut self) {
        let rest = std::mem::take(&mut self.half);
        if !rest.is_empty() {
            self.write(&rest);
        }
    }

    fn name(&mut self, end: &str) -> PathBuf {
        self.names += 1;
        // Some come before the log in the order of names, some after.
        let front = ["audit", "a.log", "old"][self.chance.below(3)];
        self.at(&format!("{front}.log.{}{end}", self.names))
    }

    fn rotate(&mut self) {
        if self.todo.is_some() || !self.log().exists() {
            return;
        }
        match self.chance.below(5) {
            0 | 1 => {
                self.end_line();
                let to = self.name("");
                fs::rename(self.log(), to).unwrap();
            }
            2 | 3 => {
                let to = self.name("");
                self.todo = Some(Todo::Copy { to, done: 0 });
            }
            _ => {
                // A log renamed before, or the one that is written.
                let mut from = self.log();
                if self.chance.below(2) == 0 {
                    let others = list(&[self.dir.path().display().to_string()]);
                    let plain = |p: &PathBuf| p.extension().is_none_or(|e| e != "gz") && *p != self.log();
                    from = others.into_iter().find(plain).unwrap_or(from);
                }
                let to = self.name(".gz");
                self.todo = Some(Todo::Pack {
                    from,
                    to,
                    packed: Vec::new(),
                    done: 0,
                });
            }
        }
    }

    /// One more step of the rotation under way.
    fn go_on(&mut self) {
        match self.todo.take() {
            None => self.rotate(),
            Some(Todo::Copy { to, done }) => {
                let last = self.chance.below(3) == 0;
                if last {
                    self.end_line();
                }
                let text = fs::read(self.log()).unwrap();
                let mut end = text.len();
                if !last {
                    end = done + self.chance.below(end - done + 1);
                }
                let mut copy = File::options().create(true).append(true).open(&to).unwrap();
                copy.write_all(&text[done..end]).unwrap();
                if last {
                    // Sometimes a copy is only kept, and the log goes on.
                    if self.chance.below(5) != 0 {
                        self.watch();
                        File::options().write(true).truncate(true).open(self.log()).unwrap();
                    }
                } else {
                    self.todo = Some(Todo::Copy { to, done: end });
                }
            }
            Some(Todo::Pack {
                from,
                to,
                mut packed,
                done,
            }) => {
                if packed.is_empty() {
                    if from == self.log() {
                        self.end_line();
                    }
                    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                    encoder.write_all(&fs::read(&from).unwrap()).unwrap();
                    packed = encoder.finish().unwrap();
                    if from == self.log() {
                        // Nothing may be written any more to what is compressed.
                        let away = self.name("");
                        fs::rename(&from, &away).unwrap();
                        self.todo = Some(Todo::Pack {
                            from: away,
                            to,
                            packed,
                            done,
                        });
                        return;
                    }
                }
                let end = done + self.chance.below(packed.len() - done + 1);
                let end = if self.chance.below(3) == 0 { packed.len() } else { end };
                let mut copy = File::options().create(true).append(true).open(&to).unwrap();
                copy.write_all(&packed[done..end]).unwrap();
                if end == packed.len() {
                    self.watch();
                    fs::remove_file(from).unwrap();
                } else {
                    self.todo = Some(Todo::Pack {
                        from,
                        to,
                        packed,
                        done: end,
                    });
                }
            }
        }
    }

    fn start(&mut self) {
        let names = vec![self.dir.path().display().to_string()];
        let (usage, positions) = self.committed.clone();
        self.usage = usage;
        let mut tail = Tail::new(names, Options::default(), positions);
        tail.chunk = vec![0; 1 + self.chance.below(3000)];
        self.tail = Some(tail);
    }

    fn take(&mut self) {
        if let Some(part) = self.tail.as_mut().unwrap().take() {
            self.usage = std::mem::take(&mut self.usage).merge(part).unwrap();
        }
    }

    /// The watcher does something, or is killed.
    fn watch(&mut self) {
        let what = self.chance.below(12);
        let tail = self.tail.as_mut().unwrap();
        match what {
            0 => self.start(),
            1..4 => tail.scan(),
            4 => {
                let listed: Vec<PathBuf> = list(&tail.names).into_iter().collect();
                if !listed.is_empty() {
                    tail.look(&listed[self.chance.below(listed.len())]);
                }
            }
            5..10 => {
                tail.read();
            }
            _ => {
                self.take();
                let positions = self.tail.as_ref().unwrap().positions();
                self.committed = (self.usage.clone(), positions);
            }
        }
    }

    fn play(&mut self, steps: usize) {
        for _ in 0..steps {
            match self.chance.below(10) {
                0..3 => self.append(),
                3 => self.go_on(),
                _ => self.watch(),
            }
        }
        while self.todo.is_some() {
            self.go_on();
        }
        self.end_line();
        // What the clock would bring: compressed files at rest, files without a name given up.
        for path in list(&[self.dir.path().display().to_string()]) {
            let file = File::options().append(true).open(path).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
        }
        for _ in 0..3 {
            let tail = self.tail.as_mut().unwrap();
            tail.scan();
            while tail.is_behind() {
                tail.read();
            }
            tail.grace = Duration::ZERO;
            tail.end_vanished();
            tail.grace = GRACE;
            while tail.is_behind() {
                tail.read();
            }
        }
        self.take();
    }

    /// What is wrong, if anything is.
    fn verdict(&self) -> Option<String> {
        let demands = self.usage.demands();
        let doubled = demands.iter().filter(|d| d.allowed != 1).count();
        let missing = self.entries as usize - demands.len();
        let lines = self.usage.tally().lines;
        let wrong = doubled > 0 || missing > 0 || (!self.banner && lines != u64::from(self.entries));
        wrong.then(|| {
            format!(
                "{} entries: {missing} are missing, {doubled} were counted more than once, {lines} lines",
                self.entries
            )
        })
    }
}

#[test]
fn each_entry_counts_once_whatever_happens() {
    let runs = std::env::var("VAULT_ADVISOR_RUNS").ok();
    let runs: u64 = runs.and_then(|n| n.parse().ok()).unwrap_or(200);
    for seed in 0..runs {
        let mut world = World::new(seed);
        world.play(120);
        assert_eq!(world.verdict(), None, "seed {seed}");
    }
}

#[test]
fn the_reader_alone_counts_the_same() {
    let mut world = World::new(1);
    let text: String = (0..50).map(|_| world.line()).collect();
    let mut reader = Reader::new(&Options::default());
    reader.feed("x", text.as_bytes());
    world.usage = reader.take();
    assert_eq!(world.verdict(), None);
}
