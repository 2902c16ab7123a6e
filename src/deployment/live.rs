//! Reads from a live server over HTTP, and only reads: retries with backoff, honours what the server says about its
//! rate, verifies TLS, never shows the token. The one file that knows the HTTP package.

use super::connection::{Connection, Tls};
use super::pace::Pace;
use crate::vault::secret;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use serde_json::Value;
use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use ureq::http::header::{HeaderMap, LOCATION, RETRY_AFTER};
use ureq::http::{HeaderValue, StatusCode};
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

/// LIST answers can be tens of megabytes; more than this is not an answer but a mishap.
const MAX_ANSWER_BYTES: u64 = 256 * 1024 * 1024;
/// So is a record of more than this: no server takes a request as large.
const MAX_RECORD_BYTES: u64 = 64 * 1024 * 1024;
const FIRST_BACKOFF: Duration = Duration::from_millis(250);
const LONGEST_BACKOFF: Duration = Duration::from_secs(20);
/// A server that wants a longer rest than this is not waited for.
const LONGEST_REST: Duration = Duration::from_secs(300);

/// A connection in use. Shared by all workers.
pub struct Client {
    agent: ureq::Agent,
    base: String,
    token: HeaderValue,
    /// The token again, to strike it out of what the server says.
    struck: String,
    retries: u32,
    pace: Pace,
}

/// A token shorter than this may be a word like any other (`root`), and is struck out of the server's words alone.
const LEAST_STRUCK_BYTES: usize = 16;

/// What a server said to one question, as far as it is an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The `data` of the answer.
    Found(Value),
    /// The token may not ask this.
    Denied,
    /// There is nothing.
    Absent,
    /// The server or the plugin behind the path cannot do this; its words.
    Refused(String),
}

/// Why a server cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// A PEM file could not be read.
    #[error("cannot read the certificates in `{}`: {why}", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The server could not be reached, or the talk broke off.
    #[error("cannot reach the server at `{address}`: {why}")]
    Unreachable {
        /// Its address.
        address: String,
        /// Why.
        why: String,
    },
    /// The server went on answering with an error.
    #[error("cannot read `{path}`: the server answers {status}{words}")]
    Status {
        /// The request path.
        path: String,
        /// HTTP status.
        status: u16,
        /// The server's words, with a colon before them, or nothing.
        words: String,
    },
    /// The server wants a rest that is too long to wait for.
    #[error("cannot read `{path}`: the server asks for a pause of {seconds} s")]
    Rest {
        /// The request path.
        path: String,
        /// How long.
        seconds: u64,
    },
    /// The server sends elsewhere, and it would be unsafe or endless to follow.
    #[error("cannot read `{path}`: the server redirects to where the token must not follow")]
    Redirect {
        /// The request path.
        path: String,
    },
    /// The answer is not what these servers answer.
    #[error("cannot read `{path}`: the answer is not JSON as these servers write it")]
    NotJson {
        /// The request path.
        path: String,
    },
    /// The token may read nothing at all.
    #[error("the token may read nothing of what a snapshot needs, or it is not valid")]
    NothingReadable,
}

/// One HTTP exchange.
struct Exchange {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// What a server says of itself to anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Its version.
    pub version: Option<String>,
    /// What time it has.
    pub time: Option<Timestamp>,
}

impl Client {
    /// Sets up the connection; nothing is sent yet.
    ///
    /// # Errors
    /// When a certificate or key file can't be read.
    pub fn new(connection: &Connection) -> Result<Self, LiveError> {
        let mut config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(connection.timeout))
            .max_idle_connections(64)
            .max_idle_connections_per_host(64)
            .user_agent(concat!("vault-advisor/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls(&connection.tls)?);
        if connection.is_loopback() {
            config = config.proxy(None);
        }
        // INVARIANT: a `Token` holds printable ASCII only, which every header value may hold.
        let mut token =
            HeaderValue::from_str(connection.token.secret()).unwrap_or_else(|_| HeaderValue::from_static(""));
        token.set_sensitive(true);
        Ok(Self {
            agent: config.build().into(),
            base: connection.address.clone(),
            token,
            struck: connection.token.secret().to_owned(),
            retries: connection.retries,
            pace: Pace::new(connection.rate),
        })
    }

    /// Reads `path` (as the ACL writes it) in `namespace`.
    ///
    /// # Errors
    /// When the server can't be reached or keeps failing.
    pub fn read(&self, namespace: &str, path: &str) -> Result<Answer, LiveError> {
        self.ask(namespace, path, "", MAX_RECORD_BYTES)
    }

    /// Lists `path` in `namespace`.
    ///
    /// # Errors
    /// When the server can't be reached or keeps failing.
    pub fn list(&self, namespace: &str, path: &str) -> Result<Answer, LiveError> {
        self.ask(namespace, path, "?list=true", MAX_ANSWER_BYTES)
    }

    /// The server's version and what time it has, where it says so to anybody. Its state of health does not matter here.
    ///
    /// # Errors
    /// When the server can't be reached.
    pub fn about(&self) -> Result<About, LiveError> {
        let url = format!("{}/v1/sys/health?standbyok=true&perfstandbyok=true", self.base);
        let exchange = self.persist("sys/health", &url, "", 0, MAX_RECORD_BYTES)?;
        let body: Option<Value> = serde_json::from_slice(&exchange.body).ok();
        let said = |key| body.as_ref().and_then(|b| b.get(key));
        let version = said("version").and_then(Value::as_str);
        let time = said("server_time_utc").and_then(Value::as_i64);
        Ok(About {
            version: version.filter(|version| is_version(version)).map(str::to_owned),
            time: time.and_then(|seconds| Timestamp::from_second(seconds).ok()),
        })
    }

    /// The server's own words about a failure, with nothing in them that lets anybody in.
    fn words(&self, body: &[u8]) -> String {
        let words = words(body).replace(&self.struck, secret::TOKEN);
        secret::words(&words)
    }

    /// Where the server echoes our token, it is struck out before anything is understood.
    fn strike(&self, body: Vec<u8>) -> Vec<u8> {
        let token = self.struck.as_bytes();
        if token.len() < LEAST_STRUCK_BYTES || memchr::memmem::find(&body, token).is_none() {
            return body;
        }
        let mut clean = Vec::with_capacity(body.len());
        let mut from = 0;
        for at in memchr::memmem::find_iter(&body, token) {
            clean.extend_from_slice(body.get(from..at).unwrap_or_default());
            clean.extend_from_slice(secret::TOKEN.as_bytes());
            from = at + token.len();
        }
        clean.extend_from_slice(body.get(from..).unwrap_or_default());
        clean
    }

    fn ask(&self, namespace: &str, path: &str, query: &str, most: u64) -> Result<Answer, LiveError> {
        let url = format!("{}/v1/{}{query}", self.base, escape(path));
        let mut exchange = self.persist(path, &url, namespace, self.retries, most)?;
        if exchange.status.is_redirection() {
            // Followed once, to the same server: another one must not get the token.
            let target = self.redirect(path, &exchange)?;
            exchange = self.persist(path, &target, namespace, self.retries, most)?;
        }
        let words = || self.words(&exchange.body);
        match exchange.status.as_u16() {
            200 => found(path, &exchange.body),
            204 | 404 => Ok(Answer::Absent),
            403 => Ok(Answer::Denied),
            // A plugin that is broken for good answers 500; the rest of the server is still worth reading.
            400 | 405 | 500 | 501 => Ok(Answer::Refused(words())),
            _ if exchange.status.is_redirection() => Err(LiveError::Redirect { path: path.to_owned() }),
            status => Err(LiveError::Status {
                path: path.to_owned(),
                status,
                words: match words() {
                    text if text.is_empty() => text,
                    text => format!(": {text}"),
                },
            }),
        }
    }

    /// Sends until there is something else than "try later".
    fn persist(&self, path: &str, url: &str, namespace: &str, retries: u32, most: u64) -> Result<Exchange, LiveError> {
        let mut attempt = 0;
        loop {
            thread::sleep(self.pace.wait(Instant::now()));
            let outcome = self.send(url, namespace, most);
            let last = attempt >= retries;
            let pause = match &outcome {
                Ok(exchange) if !is_passing(exchange.status) || last => {
                    return outcome.map_err(|why| self.unreachable(&why));
                }
                Ok(exchange) => match retry_after(&exchange.headers, Timestamp::now()) {
                    Some(rest) if rest > LONGEST_REST => {
                        return Err(LiveError::Rest {
                            path: path.to_owned(),
                            seconds: rest.as_secs(),
                        });
                    }
                    Some(rest) => {
                        self.pace.rest(Instant::now(), rest);
                        rest
                    }
                    None => backoff(attempt),
                },
                Err(why) if last || !is_worth_retrying(why) => return Err(self.unreachable(why)),
                Err(_) => backoff(attempt),
            };
            attempt += 1;
            thread::sleep(pause);
        }
    }

    fn send(&self, url: &str, namespace: &str, most: u64) -> Result<Exchange, ureq::Error> {
        let mut request = self
            .agent
            .get(url)
            .header("X-Vault-Request", "true")
            .header("X-Vault-Token", self.token.clone());
        if !namespace.is_empty() {
            request = request.header("X-Vault-Namespace", namespace);
        }
        let mut response = request.call()?;
        let body = response.body_mut().with_config().limit(most).read_to_vec()?;
        let (parts, _) = response.into_parts();
        Ok(Exchange {
            status: parts.status,
            headers: parts.headers,
            body: self.strike(body),
        })
    }

    fn redirect(&self, path: &str, exchange: &Exchange) -> Result<String, LiveError> {
        let target = exchange
            .headers
            .get(LOCATION)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        if is_same_server(&self.base, target) {
            Ok(target.to_owned())
        } else {
            Err(LiveError::Redirect { path: path.to_owned() })
        }
    }

    fn unreachable(&self, why: &ureq::Error) -> LiveError {
        LiveError::Unreachable {
            address: self.base.clone(),
            why: why.to_string().trim_start_matches("io: ").to_owned(),
        }
    }
}

/// Whether a URL is of the server at `base`: scheme, host and port.
fn is_same_server(base: &str, url: &str) -> bool {
    let origin = |url: &str| {
        let uri: ureq::http::Uri = url.parse().ok()?;
        let scheme = uri.scheme_str()?.to_ascii_lowercase();
        let authority = uri.authority().filter(|a| !a.as_str().contains('@'))?;
        let port = authority.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
        Some((scheme, authority.host().to_ascii_lowercase(), port))
    };
    origin(base).is_some_and(|base| origin(url) == Some(base))
}

/// Whether a text is a version, and not something else that a server says there.
fn is_version(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b".+-_".contains(&b);
    !text.is_empty() && text.len() <= 64 && text.bytes().all(plain)
}

/// Statuses that pass by themselves: too many requests, a node that is starting, sealed or behind.
fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 412 | 429 | 500 | 502 | 503 | 504)
}

/// Whether trying again may help: a wrong certificate or address stays wrong.
fn is_worth_retrying(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Io(why) => why.kind() != std::io::ErrorKind::InvalidData,
        ureq::Error::Timeout(_) | ureq::Error::ConnectionFailed | ureq::Error::Protocol(_) => true,
        _ => false,
    }
}

/// The pause before the next attempt: doubling, with a random part so that workers do not march in step.
fn backoff(attempt: u32) -> Duration {
    let full = FIRST_BACKOFF
        .saturating_mul(1_u32.checked_shl(attempt).unwrap_or(u32::MAX))
        .min(LONGEST_BACKOFF);
    let chance = RandomState::new().build_hasher().finish() % 1_000;
    full / 2 + full.mul_f64(chance as f64 / 2_000.0)
}

/// What `Retry-After` asks for, in seconds or as a date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    let seconds = at.as_second().saturating_sub(now.as_second());
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

fn found(path: &str, body: &[u8]) -> Result<Answer, LiveError> {
    let parsed: Option<Value> = serde_json::from_slice(body).ok();
    match parsed.and_then(|mut v| v.get_mut("data").map(Value::take)) {
        Some(Value::Null) => Ok(Answer::Absent),
        Some(data) => Ok(Answer::Found(data)),
        None => Err(LiveError::NotJson { path: path.to_owned() }),
    }
}

/// The server's own words about a failure: the first lines of `errors`, made harmless for a terminal.
fn words(body: &[u8]) -> String {
    let parsed: Option<Value> = serde_json::from_slice(body).ok();
    let Some(errors) = parsed.as_ref().and_then(|v| v.get("errors")).and_then(Value::as_array) else {
        return String::new();
    };
    let joined = errors.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; ");
    let clean: String = joined
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(200)
        .collect();
    clean.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A request path as a URL holds it: `/` stays, all but the plainest characters are written as `%XX`.
fn escape(path: &str) -> String {
    let mut url = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    url
}

fn tls(tls: &Tls) -> Result<TlsConfig, LiveError> {
    let mut roots = Vec::new();
    if let Some(file) = &tls.ca_cert {
        roots.extend(certificates(file)?);
    }
    if let Some(folder) = &tls.ca_path {
        let mut files: Vec<PathBuf> = fs::read_dir(folder)
            .map_err(|why| unusable(folder, &why))?
            .filter_map(|entry| entry.ok().map(|e| e.path()))
            .filter(|path| path.is_file())
            .collect();
        files.sort();
        for file in files {
            roots.extend(certificates(&file)?);
        }
    }
    let client_cert = match &tls.client_cert {
        Some((cert, key)) => {
            let text = fs::read(key).map_err(|why| unusable(key, &why))?;
            let key = PrivateKey::from_pem(&text).map_err(|why| unusable(key, &why))?;
            Some(ClientCert::new_with_certs(&certificates(cert)?, key))
        }
        None => None,
    };
    let roots = if roots.is_empty() {
        RootCerts::PlatformVerifier
    } else {
        RootCerts::Specific(Arc::new(roots))
    };
    Ok(TlsConfig::builder()
        .root_certs(roots)
        .client_cert(client_cert)
        .disable_verification(tls.skip_verify)
        .build())
}

fn certificates(file: &Path) -> Result<Vec<Certificate<'static>>, LiveError> {
    let text = fs::read(file).map_err(|why| unusable(file, &why))?;
    let found: Vec<_> = parse_pem(&text)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate)),
            Ok(_) => None,
            Err(why) => Some(Err(unusable(file, &why))),
        })
        .collect::<Result<_, _>>()?;
    if found.is_empty() {
        return Err(unusable(file, &"it holds no certificate"));
    }
    Ok(found)
}

fn unusable(path: &Path, why: &dyn std::fmt::Display) -> LiveError {
    LiveError::Certificates {
        path: path.to_path_buf(),
        why: why.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployment::connection::Given;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::sync::mpsc::{Receiver, channel};

    const TOKEN: &str = "hvs.very-secret";
    const FOUND: &str = "HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{\"data\":{\"a\":\"b\"}}";

    /// A server that gives these answers, one a connection, and tells the heads of the requests it got.
    fn server(answers: Vec<String>) -> (String, Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (sender, receiver) = channel();
        let own = address.clone();
        thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut head = String::new();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                while reader.read_line(&mut head).unwrap() > 2 {}
                sender.send(head).unwrap();
                let answer = answer.replace("ADDRESS", &own);
                let answer = answer.replacen("\r\n", "\r\nConnection: close\r\n", 1);
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        (address, receiver)
    }

    fn client(address: &str, retries: u32) -> Client {
        let variable = |name: &str| (name == "VAULT_TOKEN").then(|| TOKEN.to_owned());
        let given = Given {
            address: Some(address.to_owned()),
            ..Given::default()
        };
        let mut connection = Connection::resolve(&given, &variable, None).unwrap();
        connection.retries = retries;
        Client::new(&connection).unwrap()
    }

    fn answer(status: &str, headers: &str, body: &str) -> String {
        format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            body.len()
        )
    }

    #[test]
    fn passing_troubles_are_waited_out() {
        let (address, heads) = server(vec![
            answer("503 Sealed", "", "{\"errors\":[\"Vault is sealed\"]}"),
            answer("429 Slow", "Retry-After: 1\r\n", ""),
            FOUND.to_owned(),
        ]);
        let begin = Instant::now();
        let found = client(&address, 3).list("team/", "secret/metadata/ü b").unwrap();
        assert_eq!(found, Answer::Found(serde_json::json!({"a": "b"})));
        assert!(begin.elapsed() >= Duration::from_secs(1), "Retry-After is honoured");
        let head = heads.iter().last().unwrap().to_ascii_lowercase();
        assert!(
            head.starts_with("get /v1/secret/metadata/%c3%bc%20b?list=true http/1.1"),
            "{head}"
        );
        assert!(head.contains("x-vault-namespace: team/\r\n") && head.contains(TOKEN));
    }

    #[test]
    fn what_stays_broken_is_told_without_the_token() {
        let sealed = answer("503 Sealed", "", "{\"errors\":[\"Vault is \\u001b[31msealed\\n\"]}");
        let (address, heads) = server(vec![sealed.clone(), sealed]);
        let error = client(&address, 1).read("", "sys/mounts").unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot read `sys/mounts`: the server answers 503: Vault is [31msealed"
        );
        assert_eq!(heads.iter().count(), 2);
        let (address, _heads) = server(vec![answer("429 Slow", "Retry-After: 86400\r\n", "")]);
        let error = client(&address, 5).read("", "sys/mounts").unwrap_err();
        assert!(matches!(error, LiveError::Rest { seconds: 86_400, .. }), "{error}");
        let closed = {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            format!("http://{}", listener.local_addr().unwrap())
        };
        let error = client(&closed, 1).read("", "sys/mounts").unwrap_err();
        assert!(matches!(error, LiveError::Unreachable { .. }));
        assert!(!format!("{error} {error:?}").contains(TOKEN));
    }

    #[test]
    fn a_server_that_echoes_the_token_does_not_bring_it_anywhere() {
        let body = format!("{{\"data\":{{\"policy\":\"# {TOKEN} {TOKEN}\"}}}}");
        let (address, _heads) = server(vec![answer("200 OK", "", &body)]);
        let client_ = client(&address, 0);
        let struck = client_.strike(body.clone().into_bytes());
        assert_eq!(struck, body.as_bytes(), "a short token is left in data");
        let words = format!("{{\"errors\":[\"bad token {TOKEN}, or hvs.another-one\"]}}");
        assert_eq!(client_.words(words.as_bytes()), "bad token (token), or (token)");
        let long = Client {
            struck: "hvs.CAESIJabcdefghijk".to_owned(),
            ..client_
        };
        let struck = long.strike(b"{\"a\":\"hvs.CAESIJabcdefghijk\"} hvs.CAESIJabcdefghijk".to_vec());
        assert_eq!(struck, b"{\"a\":\"(token)\"} (token)");
        assert!(is_version("1.16.0+ent.hsm") && !is_version("1.16\u{1b}[31m"));
    }

    #[test]
    fn answers_are_told_apart() {
        for (given, want) in [
            (
                answer("403 No", "", "{\"errors\":[\"permission denied\"]}"),
                Answer::Denied,
            ),
            (answer("404 No", "", "{\"errors\":[]}"), Answer::Absent),
            (answer("204 No", "", ""), Answer::Absent),
            (
                answer(
                    "405 No",
                    "",
                    "{\"errors\":[\"1 error occurred:\\n\\t* unsupported operation\\n\\n\"]}",
                ),
                Answer::Refused("1 error occurred: * unsupported operation".to_owned()),
            ),
            (answer("200 OK", "", "{\"data\":null}"), Answer::Absent),
        ] {
            let (address, _heads) = server(vec![given]);
            assert_eq!(client(&address, 0).read("", "x").unwrap(), want);
        }
        let (address, _heads) = server(vec![answer("200 OK", "", "<html>")]);
        assert!(matches!(
            client(&address, 0).read("", "x"),
            Err(LiveError::NotJson { .. })
        ));
    }

    #[test]
    fn the_same_server_is_followed_once_and_no_other() {
        let own = answer("307 Elsewhere", "Location: ADDRESS/v1/y\r\n", "");
        let (moved, _heads) = server(vec![own.clone(), FOUND.to_owned()]);
        assert!(matches!(client(&moved, 0).read("", "x"), Ok(Answer::Found(_))));
        let (circle, _heads) = server(vec![own.clone(), own]);
        assert!(matches!(
            client(&circle, 0).read("", "x"),
            Err(LiveError::Redirect { .. })
        ));
        let (other, heads) = server(vec![FOUND.to_owned()]);
        let location = format!("Location: {other}/v1/x\r\n");
        let (here, _heads) = server(vec![answer("307 Elsewhere", &location, "")]);
        assert!(matches!(
            client(&here, 0).read("", "x"),
            Err(LiveError::Redirect { .. })
        ));
        assert!(heads.try_recv().is_err(), "another server gets no token");
        let (bare, _heads) = server(vec![answer("307 Elsewhere", "", "")]);
        assert!(matches!(
            client(&bare, 0).read("", "x"),
            Err(LiveError::Redirect { .. })
        ));
        let mut secure = client("http://127.0.0.1:1", 0);
        secure.base = "https://127.0.0.1:1".to_owned();
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, HeaderValue::from_static("http://127.0.0.1:1/v1/x"));
        let exchange = Exchange {
            status: StatusCode::TEMPORARY_REDIRECT,
            headers,
            body: Vec::new(),
        };
        assert!(secure.redirect("x", &exchange).is_err(), "never from https to http");
    }

    #[test]
    fn pauses_grow_and_stay_bounded() {
        for attempt in 0..40 {
            let pause = backoff(attempt);
            assert!(
                pause >= FIRST_BACKOFF / 2 && pause <= LONGEST_BACKOFF,
                "{attempt}: {pause:?}"
            );
        }
        assert!(backoff(6) > backoff(0));
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut headers = HeaderMap::new();
        for (text, want) in [
            ("7", Some(7)),
            ("Thu, 01 Jan 2026 00:00:30 GMT", Some(30)),
            ("Wed, 31 Dec 2025 00:00:00 GMT", Some(0)),
            ("soon", None),
        ] {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(text));
            assert_eq!(retry_after(&headers, now), want.map(Duration::from_secs), "{text}");
        }
    }
}
