//! Logs in object storage: read as a folder of files is, and whatever cannot be had of them is an error.
//!
//! The server here is a few lines that speak as much of S3 as is needed and misbehave on demand; where moto can be had, a server
//! that somebody else wrote is read too.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

#[cfg(feature = "object-storage")]
#[path = "support/skip.rs"]
mod skip;

use assert_cmd::Command;

/// The program, with no credentials and no settings of this machine.
fn usage(names: &[&str]) -> Command {
    let mut command = Command::cargo_bin("vault-advisor").unwrap();
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["AWS_", "GOOGLE_", "AZURE_"].iter().any(|of| text.starts_with(of))
            || text.to_lowercase().ends_with("_proxy")
        {
            command.env_remove(&name);
        }
    }
    command
        .args(["usage", "--format", "jsonl", "-o", "-", "--logs"])
        .args(names);
    command
}

#[cfg(not(feature = "object-storage"))]
#[test]
fn without_the_feature_the_message_says_how_to_pipe() {
    for name in ["s3://logs/audit.log", "gs://logs/audit.log", "AZ://logs/audit.log"] {
        let output = usage(&[name]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(name) && said.contains("--logs -"), "{said}");
    }
}

#[cfg(feature = "object-storage")]
mod with_it {
    use super::{skip, usage};
    use std::collections::{BTreeMap, HashMap};
    use std::fmt::Write as _;
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::path::{Path, PathBuf};
    use std::process::{Child, Stdio};
    use std::sync::{Arc, Mutex};
    use std::time::{Duration, Instant};

    /// What was asked.
    struct Asked {
        method: String,
        /// The key of an object; empty for the list.
        key: String,
        query: String,
        headers: HashMap<String, String>,
    }

    impl Asked {
        fn is_list(&self) -> bool {
            self.key.is_empty()
        }

        fn is_body(&self) -> bool {
            self.method == "GET" && !self.is_list()
        }

        /// The bytes that are asked for.
        fn range(&self, size: usize) -> (usize, usize) {
            let Some(range) = self.headers.get("range") else {
                return (0, size);
            };
            let (from, to) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
            (
                from.parse().unwrap(),
                to.parse::<usize>().map_or(size, |to| (to + 1).min(size)),
            )
        }
    }

    /// What it says instead of what it would say: all bytes of the answer, after which the line is dead.
    type Fault = dyn Fn(&Asked, usize) -> Option<Vec<u8>> + Send + Sync;

    struct Server {
        address: String,
        asked: Arc<Mutex<Vec<String>>>,
    }

    fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
        let mut out = format!(
            "HTTP/1.1 {status}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        out.extend_from_slice(body);
        out
    }

    fn said(status: &str, code: &str) -> Vec<u8> {
        let body = format!("<Error><Code>{code}</Code><Message>so it is</Message></Error>");
        answer(status, "", body.as_bytes())
    }

    const DATE: &str = "Last-Modified: Wed, 20 May 2026 00:00:00 GMT\r\n";

    fn list(objects: &BTreeMap<String, Vec<u8>>, prefix: &str, truncated: bool) -> Vec<u8> {
        let mut body = format!("<ListBucketResult><IsTruncated>{truncated}</IsTruncated>");
        for (key, bytes) in objects.iter().filter(|(key, _)| key.starts_with(prefix)) {
            write!(
                body,
                "<Contents><Key>{key}</Key><Size>{}</Size><LastModified>2026-05-20T00:00:00Z</LastModified><ETag>\"{key}\"</ETag></Contents>",
                bytes.len()
            )
            .unwrap();
        }
        body.push_str("</ListBucketResult>");
        answer("200 OK", "", body.as_bytes())
    }

    fn prefix_of(query: &str) -> String {
        let given = query.split('&').find_map(|pair| pair.strip_prefix("prefix="));
        decoded(given.unwrap_or_default())
    }

    fn decoded(text: &str) -> String {
        let mut parts = text.split('%');
        let mut out = parts.next().unwrap().to_owned();
        for part in parts {
            out.push(char::from(u8::from_str_radix(&part[..2], 16).unwrap()));
            out.push_str(&part[2..]);
        }
        out
    }

    /// One stretch of an object, as it should come.
    fn body(asked: &Asked, bytes: &[u8]) -> Vec<u8> {
        let (from, to) = asked.range(bytes.len());
        let headers = format!(
            "ETag: \"{}\"\r\n{DATE}Content-Range: bytes {from}-{}/{}\r\n",
            asked.key,
            to - 1,
            bytes.len()
        );
        answer("206 Partial Content", &headers, &bytes[from..to])
    }

    impl Server {
        fn start(
            objects: &[(&str, Vec<u8>)],
            fault: impl Fn(&Asked, usize) -> Option<Vec<u8>> + Send + Sync + 'static,
        ) -> Self {
            let objects: BTreeMap<String, Vec<u8>> = objects
                .iter()
                .map(|(key, bytes)| ((*key).to_owned(), bytes.clone()))
                .collect();
            let (objects, fault): (_, Arc<Fault>) = (Arc::new(objects), Arc::new(fault));
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = format!("http://{}", listener.local_addr().unwrap());
            let asked = Arc::new(Mutex::new(Vec::new()));
            let log = Arc::clone(&asked);
            std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let (objects, fault, log) = (Arc::clone(&objects), Arc::clone(&fault), Arc::clone(&log));
                    std::thread::spawn(move || serve(stream, &objects, &*fault, &log));
                }
            });
            Self { address, asked }
        }

        fn run(&self, names: &[&str]) -> (i32, String, String) {
            let mut command = usage(names);
            command
                .env("GOOGLE_BASE_URL", &self.address)
                .env("GOOGLE_ALLOW_HTTP", "true")
                .env("GOOGLE_SKIP_SIGNATURE", "true")
                .env("AWS_ENDPOINT_URL", &self.address)
                .env("AWS_ALLOW_HTTP", "true")
                .env("AWS_ACCESS_KEY_ID", "who")
                .env("AWS_SECRET_ACCESS_KEY", "HUSH");
            ended(&mut command)
        }

        /// What it says where it has to fail, with the lines of what came out (none, always).
        fn fails(&self, name: &str) -> String {
            let (code, out, said) = self.run(&[name]);
            assert_eq!((code, out.as_str()), (2, ""), "{said}");
            assert!(!said.contains("HUSH"), "{said}");
            said
        }

        fn asked(&self) -> usize {
            self.asked.lock().unwrap().len()
        }
    }

    fn ended(command: &mut assert_cmd::Command) -> (i32, String, String) {
        let output = command.timeout(Duration::from_secs(120)).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    fn serve(
        mut stream: TcpStream,
        objects: &BTreeMap<String, Vec<u8>>,
        fault: &Fault,
        log: &Mutex<Vec<String>>,
    ) -> Option<()> {
        let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
        let first = lines.next()?.ok()?;
        let mut headers = HashMap::new();
        for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
            let (name, value) = line.split_once(": ")?;
            headers.insert(name.to_lowercase(), value.to_owned());
        }
        let mut words = first.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let asked = Asked {
            method,
            key: decoded(path.trim_start_matches("/bkt").trim_start_matches('/')),
            query: query.to_owned(),
            headers,
        };
        let before = {
            let mut log = log.lock().unwrap();
            let before = log.iter().filter(|line| **line == first).count();
            log.push(first);
            before
        };
        let usual = || match objects.get(&asked.key) {
            _ if asked.is_list() => list(objects, &prefix_of(&asked.query), false),
            None => said("404 Not Found", "NoSuchKey"),
            Some(bytes) if asked.method == "HEAD" => {
                let head = format!("ETag: \"{}\"\r\n{DATE}", asked.key);
                let whole = answer("200 OK", &head, bytes);
                whole[..whole.len() - bytes.len()].to_vec()
            }
            Some(bytes) => body(&asked, bytes),
        };
        stream.write_all(&fault(&asked, before).unwrap_or_else(usual)).ok()
    }

    const PLAIN: &str = "fixtures/shapes/plain.log";

    fn log() -> Vec<u8> {
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(PLAIN)).unwrap()
    }

    fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        to.write_all(bytes).unwrap();
        to.finish().unwrap()
    }

    /// More than one stretch.
    fn long() -> Vec<u8> {
        let log = log();
        log.iter()
            .copied()
            .cycle()
            .take(log.len() * (9_000_000 / log.len()))
            .collect()
    }

    fn without_fault(_: &Asked, _: usize) -> Option<Vec<u8>> {
        None
    }

    /// What a folder of files gives, named as the objects are.
    fn as_files(objects: &[(&str, Vec<u8>)], below: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        for (key, bytes) in objects.iter().filter(|(key, _)| !key.ends_with('/')) {
            let file = dir.path().join(key);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, bytes).unwrap();
        }
        let folder = dir.path().join(below);
        let (code, out, said) = ended(&mut usage(&[folder.to_str().unwrap()]));
        assert_eq!(code, 0, "{said}");
        out.replace(dir.path().to_str().unwrap(), "s3://bkt")
    }

    fn objects() -> Vec<(&'static str, Vec<u8>)> {
        vec![
            ("other/audit.log", log()),
            ("vault/", Vec::new()),
            ("vault/.hidden.log", b"nothing of a log".to_vec()),
            ("vault/.swapped", log()),
            ("vault/2026-05/", Vec::new()),
            ("vault/2026-05/audit.log.gz", gz(&log())),
            ("vault/2026-05/firehose-1-part", log()),
            ("vault/2026-06/audit.log.gz", gz(&long())),
            ("vault/audit.log", long()),
            ("vault/empty.log", Vec::new()),
            ("vault/notes.md", b"nothing of a log".to_vec()),
        ]
    }

    #[test]
    fn a_folder_of_objects_is_read_as_one_of_files() {
        let server = Server::start(&objects(), without_fault);
        let wanted = as_files(&objects(), "vault");
        assert!(wanted.lines().count() > 3);
        for name in [
            "s3://bkt/vault/",
            "s3://bkt/vault",
            "S3A://bkt/vault/",
            "gs://bkt/vault/",
        ] {
            let (code, out, said) = server.run(&[name]);
            assert_eq!(code, 0, "{said}");
            assert_eq!(
                out.replace("s3a://", "s3://").replace("gs://", "s3://"),
                wanted,
                "{name}"
            );
            assert!(
                said.contains("left out") && said.contains("://bkt/vault/notes.md`"),
                "{said}"
            );
            assert!(!said.contains("hidden"), "{said}");
        }
    }

    #[test]
    fn an_object_and_a_pattern_name_what_they_match_each_once() {
        let server = Server::start(&objects(), without_fault);
        let lines = |names: &[&str]| {
            let (code, _, said) = server.run(names);
            assert_eq!(code, 0, "{said}");
            let (_, after) = said.split_once("read ").unwrap();
            after
                .split(' ')
                .next()
                .unwrap()
                .replace(',', "")
                .parse::<usize>()
                .unwrap()
        };
        let one = log().iter().filter(|c| **c == b'\n').count();
        assert_eq!(lines(&["s3://bkt/other/audit.log"]), one);
        assert_eq!(
            lines(&["s3://bkt/vault/2026-05/aud*.gz", "s3://bkt/*/2026-05/audit.log.gz"]),
            one
        );
        assert_eq!(lines(&["s3://bkt/vault/*/f*-part"]), one);
        assert_eq!(lines(&["s3://bkt/vault/*-05"]), 2 * one);
        assert_eq!(lines(&["s3://bkt/*her/"]), one);
        assert_eq!(lines(&["s3://bkt/**/2026-05/*", PLAIN]), 3 * one);
        for name in ["s3://bkt/vault/*/none*", "s3://bkt/none/", "s3://bkt/vault/audit.lo"] {
            assert!(server.fails(name).contains("no log matches"), "{name}");
        }
    }

    #[test]
    fn what_is_cut_off_or_refused_for_a_while_is_asked_for_again() {
        let wanted = as_files(&objects(), "vault");
        let objects = objects();
        let all: BTreeMap<String, Vec<u8>> = objects
            .iter()
            .map(|(key, bytes)| ((*key).to_owned(), bytes.clone()))
            .collect();
        let server = Server::start(&objects, move |asked, before| {
            if asked.is_list() {
                let mut list = list(&all, "vault/", false);
                list.truncate(list.len() / 2);
                return (before == 0).then_some(list);
            }
            match (asked.is_body(), before) {
                (true, 0) => Some(said("500 Internal Server Error", "InternalError")),
                (true, 1) => Some(said("503 Slow Down", "SlowDown")),
                (true, 2) => {
                    let mut half = body(asked, &all[&asked.key]);
                    half.truncate(
                        half.len() - (asked.range(all[&asked.key].len()).1 - asked.range(all[&asked.key].len()).0) / 2,
                    );
                    Some(half)
                }
                _ => None,
            }
        });
        let (code, out, said) = server.run(&["s3://bkt/vault/"]);
        assert_eq!(code, 0, "{said}");
        assert_eq!(out, wanted);
    }

    #[test]
    fn what_cannot_be_read_of_one_object_is_an_error_of_all() {
        type Says = fn(&Asked, usize) -> Option<Vec<u8>>;
        let all = [
            ("v/a.log", log()),
            ("v/b.log", log()),
            ("v/c.log.gz", gz(&log())),
            ("v/d", log()),
        ];
        let cases: [(&str, Says, &[&str]); 9] = [
            (
                "refused",
                |_, _| Some(said("403 Forbidden", "AccessDenied")),
                &["access is denied (AccessDenied: so it is)", "s3:GetObject"],
            ),
            (
                "gone",
                |_, _| Some(said("404 Not Found", "NoSuchKey")),
                &["is gone", "run it again"],
            ),
            (
                "changed",
                |_, _| Some(said("412 Precondition Failed", "PreconditionFailed")),
                &["changed while it was read"],
            ),
            (
                "archived",
                |_, _| Some(said("403 Forbidden", "InvalidObjectState")),
                &["archived", "restore it"],
            ),
            (
                "expired",
                |_, _| Some(said("400 Bad Request", "ExpiredToken")),
                &["credentials are not taken", "AWS_ACCESS_KEY_ID"],
            ),
            (
                "failing",
                |_, _| Some(said("500 Oh", "InternalError")),
                &["InternalError", "tried several times"],
            ),
            (
                "moved",
                |_, _| {
                    Some(answer(
                        "307 Temporary Redirect",
                        "Location: http://127.0.0.1:9/bkt/a\r\n",
                        b"",
                    ))
                },
                &["another address", "AWS_REGION"],
            ),
            (
                "other state",
                |asked, _| {
                    let other = Asked {
                        key: "other".to_owned(),
                        method: String::new(),
                        query: String::new(),
                        headers: asked.headers.clone(),
                    };
                    Some(body(&other, &log()))
                },
                &["changed while it was read"],
            ),
            (
                "always cut",
                |asked, _| {
                    let mut cut = body(asked, &log());
                    cut.truncate(cut.len() - 10);
                    Some(cut)
                },
                &["tried several times"],
            ),
        ];
        // A plain one, a compressed one, one whose first bytes have to tell what it is.
        let keys = ["v/b.log", "v/c.log.gz", "v/d"];
        for ((case, says, wanted), key) in cases.into_iter().zip(keys.into_iter().cycle()) {
            let server = Server::start(&all, move |asked, before| {
                let is_it = asked.is_body() && asked.key == key;
                is_it.then(|| says(asked, before)).flatten()
            });
            let said = server.fails("s3://bkt/v/");
            assert!(
                said.contains(&format!("cannot read `s3://bkt/{key}`")),
                "{case}: {said}"
            );
            for part in wanted {
                assert!(said.contains(part), "{case}: {said}");
            }
        }
    }

    #[test]
    fn an_object_that_changes_after_its_beginning_is_an_error() {
        let plain = long();
        let server = Server::start(&[("a.log", plain.clone())], move |asked, _| {
            let is_later = asked.is_body() && asked.range(plain.len()).0 > 0;
            if is_later {
                assert_eq!(asked.headers["if-match"], "\"a.log\"");
            }
            is_later.then(|| said("412 Precondition Failed", "PreconditionFailed"))
        });
        let said = server.fails("s3://bkt/a.log");
        assert!(said.contains("changed while it was read"), "{said}");
    }

    #[test]
    fn what_cannot_be_listed_is_an_error() {
        type Says = fn(&Asked) -> Vec<u8>;
        let cases: [(&str, Says, &str); 4] = [
            (
                "no bucket",
                |_| said("404 Not Found", "NoSuchBucket"),
                "there is no such bucket",
            ),
            ("refused", |_| said("403 Forbidden", "AccessDenied"), "access is denied"),
            (
                "goes on nowhere",
                |_| list(&BTreeMap::from([("v/a.log".to_owned(), log())]), "v/", true),
                "cut off",
            ),
            (
                "no list",
                |_| answer("200 OK", "", b"<html>welcome</html>"),
                "cannot read `s3://bkt/v/`",
            ),
        ];
        for (case, says, wanted) in cases {
            let server = Server::start(&[("v/a.log", log())], move |asked, _| {
                asked.is_list().then(|| says(asked))
            });
            let said = server.fails("s3://bkt/v/");
            assert!(said.contains(wanted) && said.contains("s3://bkt/v/"), "{case}: {said}");
        }
    }

    #[test]
    fn no_byte_goes_without_tls_or_elsewhere_unless_it_is_said() {
        let elsewhere = Server::start(&[("v/a.log", log())], without_fault);
        let to = format!("Location: {}/bkt/v/a.log\r\n", elsewhere.address);
        let server = Server::start(&[("v/a.log", log())], move |_, _| Some(answer("302 Found", &to, b"")));
        server.fails("s3://bkt/v/");
        server.fails("s3://bkt/v/a.log");
        assert_eq!((elsewhere.asked(), server.asked() > 0), (0, true));
        for name in ["s3://bkt/v/", "gs://bkt/v/"] {
            let mut command = usage(&[name]);
            command
                .env("GOOGLE_BASE_URL", &elsewhere.address)
                .env("GOOGLE_SKIP_SIGNATURE", "true")
                .env("AWS_ENDPOINT_URL", &elsewhere.address)
                .env("AWS_ACCESS_KEY_ID", "who")
                .env("AWS_SECRET_ACCESS_KEY", "HUSH");
            let (code, _, said) = ended(&mut command);
            assert!(code == 2 && said.contains("AWS_ALLOW_HTTP=true"), "{said}");
        }
        assert_eq!(elsewhere.asked(), 0);
    }

    #[test]
    fn without_credentials_it_says_which() {
        let server = Server::start(&[("v/a.log", log())], without_fault);
        let mut command = usage(&["s3://bkt/v/"]);
        command
            .env("AWS_ENDPOINT_URL", &server.address)
            .env("AWS_ALLOW_HTTP", "true")
            .env("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9");
        let (code, _, said) = ended(&mut command);
        assert_eq!((code, server.asked()), (2, 0), "{said}");
        assert!(
            said.contains("there are no credentials") && said.contains("AWS_ACCESS_KEY_ID"),
            "{said}"
        );
    }

    #[test]
    fn a_name_with_a_secret_in_it_is_refused_and_not_repeated() {
        let server = Server::start(&[("v/a.log", log())], without_fault);
        for name in ["s3://who:HUSH@bkt/v/a.log", "s3://bkt/v/a.log?X-Amz-Signature=HUSH"] {
            server.fails(name);
        }
        assert_eq!(server.asked(), 0);
    }

    /// The server of another project, where it is installed.
    struct Moto {
        child: Child,
        address: String,
    }

    impl Drop for Moto {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    impl Moto {
        fn find() -> Option<PathBuf> {
            let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
            let cache = cache.or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
            let named = std::env::var_os("VAULT_ADVISOR_MOTO").map(PathBuf::from);
            let found = named.or_else(|| cache.map(|cache| cache.join("vault-advisor/tools/bin/moto_server")));
            let found = found.filter(|program| program.is_file());
            if found.is_none() {
                skip::skipped("no moto_server (VAULT_ADVISOR_MOTO names it)");
            }
            found
        }

        fn start(program: &Path) -> Self {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let child = std::process::Command::new(program)
                .args(["-H", "127.0.0.1", "-p", &port.to_string()])
                .env("MOTO_S3_DEFAULT_MAX_KEYS", "10")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let moto = Self {
                child,
                address: format!("127.0.0.1:{port}"),
            };
            let begun = Instant::now();
            while TcpStream::connect(&moto.address).is_err() {
                assert!(begun.elapsed() < Duration::from_secs(60), "moto does not start");
                std::thread::sleep(Duration::from_millis(100));
            }
            moto
        }

        fn put(&self, path: &str, bytes: &[u8]) {
            let mut stream = TcpStream::connect(&self.address).unwrap();
            let head = format!(
                "PUT /{path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAuthorization: AWS4-HMAC-SHA256 \
                 Credential=who/20260520/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=x\r\nContent-Length: {}\r\n\r\n",
                self.address,
                bytes.len()
            );
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(bytes).unwrap();
            let mut said = String::new();
            stream.read_to_string(&mut said).unwrap();
            assert!(said.starts_with("HTTP/1.1 200"), "{said}");
        }
    }

    #[test]
    fn the_server_of_another_project_is_read_over_many_pages() {
        let Some(program) = Moto::find() else {
            return;
        };
        let moto = Moto::start(&program);
        let mut objects = objects();
        // More than a page of a list holds.
        let names: Vec<String> = (0..25).map(|n| format!("vault/many/part-{n}.log")).collect();
        let first: Vec<u8> = log().split_inclusive(|c| *c == b'\n').next().unwrap().to_vec();
        objects.extend(names.iter().map(|name| (name.as_str(), first.clone())));
        moto.put("bkt", b"");
        for (key, bytes) in &objects {
            moto.put(&format!("bkt/{key}"), bytes);
        }
        let server = Server {
            address: format!("http://{}", moto.address),
            asked: Arc::default(),
        };
        let (code, out, said) = server.run(&["s3://bkt/vault/"]);
        assert_eq!(code, 0, "{said}");
        assert_eq!(out, as_files(&objects, "vault"));
        assert!(server.fails("s3://nothing-here/").contains("no such bucket"));
    }
}
