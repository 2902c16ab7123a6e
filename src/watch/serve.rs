//! A small HTTP server to look at the watch: one request a connection, GET and HEAD alone, everything bounded.
//!
//! One thread has all connections and never waits for any of them: who is slow is slow alone. Each has one deadline for its
//! request, one for the answer, one for the rest; where there is no room the one that has been silent longest goes, so that
//! whoever comes and asks at once is answered whatever the others do.
//!
//! It is written on the standard library and a parser of heads: the small server packages have no limit on the size of a head
//! or on the time it takes, the larger ones bring a runtime. A browser on this machine may be made to ask it by any page that it shows: so
//! the name asked for has to be one of ours (no DNS rebinding), and a page that asks has to be ours too.

use std::collections::{BTreeSet, VecDeque};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Bytes of a request at most, line and headers.
const MOST_HEAD_BYTES: usize = 8 << 10;
const MOST_HEADERS: usize = 64;
/// A request has to be here within this time, an answer taken, and the asker gone after it.
const REQUEST_TIME: Duration = Duration::from_secs(5);
const ANSWER_TIME: Duration = Duration::from_secs(30);
const REST_TIME: Duration = Duration::from_secs(1);
/// Connections at once. Some systems give a process 1,024 files.
const MOST_CONNECTIONS: usize = 512;
/// Connections taken up before those that are there are looked at again.
const MOST_AT_ONCE: usize = 64;
/// Bytes read of what comes after a request, and of which nothing is wanted.
const MOST_REST_BYTES: usize = 64 << 10;
/// How long nobody is looked at where nobody does anything.
const PAUSE: Duration = Duration::from_millis(5);
/// What a page may do that brings no rule of its own: nothing.
const NOTHING: &str = "default-src 'none'";

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Its media type.
    pub kind: &'static str,
    /// The Content-Security-Policy; none allows nothing.
    pub policy: Option<String>,
    /// The body.
    pub body: Arc<str>,
}

impl Answer {
    /// A word in plain text.
    #[must_use]
    pub fn word(status: u16, text: &str) -> Self {
        Self {
            status,
            kind: "text/plain; charset=utf-8",
            policy: None,
            body: format!("{text}\n").into(),
        }
    }
}

/// Whoever knows the pages: none where there is no such path.
pub type Pages = dyn Fn(&str) -> Option<Answer> + Send + Sync;

/// Names under which this server may be asked, with their ports.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Names(BTreeSet<String>);

impl Names {
    /// Those of the bound address, and those that the user tells.
    fn new(bound: SocketAddr, told: &[String]) -> Self {
        let port = bound.port();
        let mut names = BTreeSet::from([bound.to_string()]);
        if bound.ip().is_loopback() || bound.ip().is_unspecified() {
            names.extend(["localhost", "127.0.0.1", "[::1]"].map(|name| format!("{name}:{port}")));
        }
        for name in told {
            let name = name.to_ascii_lowercase();
            // An IPv6 address has its own colons.
            let bare: Option<IpAddr> = name.parse().ok();
            match bare {
                Some(IpAddr::V6(address)) => names.insert(format!("[{address}]:{port}")),
                _ if name.rsplit_once(':').is_some_and(|(_, p)| p.parse::<u16>().is_ok()) => names.insert(name),
                _ => names.insert(format!("{name}:{port}")) | names.insert(name),
            };
        }
        if port == 80 {
            let bare: Vec<String> = names
                .iter()
                .filter_map(|n| n.strip_suffix(":80"))
                .map(str::to_owned)
                .collect();
            names.extend(bare);
        }
        Self(names)
    }

    fn has_host(&self, host: &str) -> bool {
        self.0.contains(&host.to_ascii_lowercase())
    }

    fn has_origin(&self, origin: &str) -> bool {
        let host = origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"));
        host.is_some_and(|host| self.has_host(host))
    }
}

/// Begins to serve, and returns the address bound.
///
/// # Errors
/// When the address can't be had.
pub fn serve(address: SocketAddr, told: &[String], pages: Arc<Pages>) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address)?;
    let bound = listener.local_addr()?;
    let house = House {
        names: Names::new(bound, told),
        pages,
    };
    thread::Builder::new()
        .name("http".to_owned())
        .spawn(move || house.run(&listener))?;
    Ok(bound)
}

/// What all connections share.
struct House {
    names: Names,
    pages: Arc<Pages>,
}

impl House {
    fn run(&self, listener: &TcpListener) {
        // The oldest first.
        let mut open: VecDeque<Connection> = VecDeque::new();
        loop {
            // Who waits for the first one does not have to look at others meanwhile.
            let mut busy = take_up(listener, &mut open);
            let now = Instant::now();
            open.retain_mut(|connection| match connection.go_on(self, now) {
                Ok(Progress::Some) => {
                    busy = true;
                    true
                }
                Ok(Progress::None) => true,
                // Whoever goes away in the middle is nobody's trouble.
                Ok(Progress::Done) | Err(_) => false,
            });
            if !busy && !open.is_empty() {
                thread::sleep(PAUSE);
            }
        }
    }
}

/// Takes up who comes. Waits for somebody where nobody is there.
fn take_up(listener: &TcpListener, open: &mut VecDeque<Connection>) -> bool {
    let mut any = false;
    for _ in 0..MOST_AT_ONCE {
        // Only the first one of all is waited for.
        if listener.set_nonblocking(!open.is_empty()).is_err() {
            thread::sleep(PAUSE);
        }
        match listener.accept() {
            Ok((stream, _)) => {
                any = true;
                if open.len() >= MOST_CONNECTIONS {
                    refuse_one(open);
                }
                if stream.set_nonblocking(true).is_ok() {
                    open.push_back(Connection::new(stream));
                }
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => {
                // Out of file handles, for one: somebody has to go.
                refuse_one(open);
                thread::sleep(PAUSE);
                break;
            }
        }
    }
    any
}

/// Sends the one away that has been silent longest; one that is being answered only where all are.
fn refuse_one(open: &mut VecDeque<Connection>) {
    let silent = open.iter().position(|c| matches!(c.at, At::Head(_))).unwrap_or(0);
    if let Some(connection) = open.remove(silent) {
        let busy = Answer::word(503, "too many connections");
        // As much as goes at once; nobody waits for it.
        let busy = sending(&busy, true);
        let _ = (&connection.stream).write(busy.rest(0));
    }
}

/// Somebody who asks.
struct Connection {
    stream: TcpStream,
    until: Instant,
    at: At,
}

/// How far it is.
enum At {
    /// The head is read.
    Head(Vec<u8>),
    /// The answer goes out, from this byte.
    Answer(Sending, usize),
    /// What is still under way is read, or closing would take the answer away from the asker; so many bytes yet.
    Rest(usize),
}

/// An answer as it goes out. The body is not copied for each who asks.
struct Sending {
    head: Vec<u8>,
    body: Option<Arc<str>>,
}

impl Sending {
    /// What is left behind `sent` bytes, or the first part of it.
    fn rest(&self, sent: usize) -> &[u8] {
        match sent.checked_sub(self.head.len()) {
            None | Some(0) if sent < self.head.len() => self.head.get(sent..).unwrap_or_default(),
            at => {
                let body = self.body.as_deref().map_or(&[][..], str::as_bytes);
                body.get(at.unwrap_or(0)..).unwrap_or_default()
            }
        }
    }
}

enum Progress {
    Some,
    None,
    Done,
}

impl Connection {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            until: Instant::now() + REQUEST_TIME,
            at: At::Head(Vec::new()),
        }
    }

    /// Goes on as far as it can without waiting.
    fn go_on(&mut self, house: &House, now: Instant) -> io::Result<Progress> {
        if now >= self.until {
            return Ok(Progress::Done);
        }
        let mut progress = Progress::None;
        let mut piece = [0; 4096];
        match &mut self.at {
            At::Head(head) => {
                let Some(got) = ready((&self.stream).read(&mut piece))? else {
                    return Ok(progress);
                };
                if got == 0 {
                    return Ok(Progress::Done);
                }
                head.extend_from_slice(piece.get(..got).unwrap_or_default());
                let answer = if memchr::memmem::find(head, b"\r\n\r\n").is_some() {
                    Some(house.asked(head))
                } else if head.len() > MOST_HEAD_BYTES {
                    Some(sending(&Answer::word(431, "the request is too long"), true))
                } else {
                    None
                };
                if let Some(answer) = answer {
                    self.until = now + ANSWER_TIME;
                    self.at = At::Answer(answer, 0);
                }
                progress = Progress::Some;
            }
            At::Answer(answer, sent) => {
                let Some(gone) = ready((&self.stream).write(answer.rest(*sent)))? else {
                    return Ok(progress);
                };
                if gone == 0 {
                    return Ok(Progress::Done);
                }
                *sent += gone;
                if answer.rest(*sent).is_empty() {
                    self.stream.shutdown(Shutdown::Write)?;
                    self.until = now + REST_TIME;
                    self.at = At::Rest(MOST_REST_BYTES);
                }
                progress = Progress::Some;
            }
            At::Rest(left) => {
                let Some(got) = ready((&self.stream).read(&mut piece))? else {
                    return Ok(progress);
                };
                *left = left.saturating_sub(got);
                if got == 0 || *left == 0 {
                    return Ok(Progress::Done);
                }
                progress = Progress::Some;
            }
        }
        Ok(progress)
    }
}

/// What came of reading or writing: nothing yet, where it would have waited.
fn ready(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(n) => Ok(Some(n)),
        Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(None),
        Err(e) => Err(e),
    }
}

impl House {
    /// What to answer a head with.
    fn asked(&self, head: &[u8]) -> Sending {
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        if !request.parse(head).is_ok_and(|status| status.is_complete()) {
            return sending(&Answer::word(400, "this is not an HTTP request"), true);
        }
        let with_body = request.method != Some("HEAD");
        sending(&reply(&request, &self.names, &*self.pages), with_body)
    }
}

/// What to say to a request.
fn reply(request: &httparse::Request<'_, '_>, names: &Names, pages: &Pages) -> Answer {
    let values = |name: &'static str| {
        let these = request
            .headers
            .iter()
            .filter(move |h| h.name.eq_ignore_ascii_case(name));
        these.map(|h| std::str::from_utf8(h.value).unwrap_or("?").trim())
    };
    let mut hosts = values("host");
    match (hosts.next(), hosts.next()) {
        (Some(host), None) if names.has_host(host) => {}
        (Some(_), None) => return Answer::word(421, "this server does not answer to that host name"),
        _ => return Answer::word(400, "a request has to name one host"),
    }
    if !values("origin").all(|origin| names.has_origin(origin)) {
        return Answer::word(403, "requests from other pages are refused");
    }
    if !matches!(request.method, Some("GET" | "HEAD")) {
        return Answer::word(405, "read-only: GET and HEAD");
    }
    let has_body = values("transfer-encoding").next().is_some() || values("content-length").any(|n| n != "0");
    if has_body {
        return Answer::word(413, "a request has no body here");
    }
    let target = request.path.unwrap_or_default();
    let path = target.split('?').next().unwrap_or_default();
    pages(path).unwrap_or_else(|| Answer::word(404, "no such page"))
}

/// An answer as it goes out.
fn sending(answer: &Answer, with_body: bool) -> Sending {
    let reason = match answer.status {
        200 => "OK",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        421 => "Misdirected Request",
        431 => "Request Header Fields Too Large",
        _ => "Service Unavailable",
    };
    let policy = answer.policy.as_deref().unwrap_or(NOTHING);
    let allow = if answer.status == 405 {
        "Allow: GET, HEAD\r\n"
    } else {
        ""
    };
    let head = format!(
        "HTTP/1.1 {} {reason}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{allow}\
         Content-Security-Policy: {policy}; frame-ancestors 'none'\r\nX-Content-Type-Options: nosniff\r\n\
         X-Frame-Options: DENY\r\nReferrer-Policy: no-referrer\r\nCross-Origin-Resource-Policy: same-origin\r\n\
         Cross-Origin-Opener-Policy: same-origin\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
        answer.status,
        answer.kind,
        answer.body.len(),
    )
    .into_bytes();
    Sending {
        head,
        body: with_body.then(|| Arc::clone(&answer.body)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn server(told: &[String]) -> SocketAddr {
        let pages: Arc<Pages> = Arc::new(|path| (path == "/").then(|| Answer::word(200, "here")));
        serve("127.0.0.1:0".parse().unwrap(), told, pages).unwrap()
    }

    fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    fn status(address: SocketAddr, request: &str) -> u16 {
        ask(address, request).split(' ').nth(1).unwrap().parse().unwrap()
    }

    #[test]
    fn only_our_names_and_pages_may_ask() {
        let address = server(&["Advisor.internal".to_owned()]);
        let port = address.port();
        let get = |headers: &str| status(address, &format!("GET / HTTP/1.1\r\n{headers}\r\n\r\n"));
        for host in [
            format!("127.0.0.1:{port}"),
            format!("LOCALHOST:{port}"),
            "advisor.internal".to_owned(),
        ] {
            assert_eq!(get(&format!("Host: {host}")), 200, "{host}");
        }
        for host in [
            "evil.example".to_owned(),
            format!("evil.example:{port}"),
            "127.0.0.1:1".to_owned(),
        ] {
            assert_eq!(get(&format!("Host: {host}")), 421, "{host}");
        }
        assert_eq!(get("X: y"), 400);
        assert_eq!(get(&format!("Host: 127.0.0.1:{port}\r\nHost: evil.example")), 400);
        let from = |origin: &str| get(&format!("Host: 127.0.0.1:{port}\r\nOrigin: {origin}"));
        assert_eq!(from(&format!("http://localhost:{port}")), 200);
        assert_eq!(from("http://evil.example"), 403);
        assert_eq!(from("null"), 403);
    }

    #[test]
    fn it_is_read_only_and_bounded() {
        let address = server(&[]);
        let host = format!("Host: {address}\r\n");
        assert_eq!(status(address, &format!("POST / HTTP/1.1\r\n{host}\r\n")), 405);
        assert_eq!(
            status(address, &format!("GET / HTTP/1.1\r\n{host}Content-Length: 9\r\n\r\n")),
            413
        );
        assert_eq!(status(address, &format!("GET /x?y HTTP/1.1\r\n{host}\r\n")), 404);
        assert_eq!(status(address, "nonsense\r\n\r\n"), 400);
        let long = "x".repeat(2 * MOST_HEAD_BYTES);
        assert_eq!(
            status(address, &format!("GET / HTTP/1.1\r\n{host}X: {long}\r\n\r\n")),
            431
        );
        let head = ask(address, &format!("HEAD / HTTP/1.1\r\n{host}\r\n"));
        assert!(head.contains("Content-Length: 5\r\n") && head.ends_with("\r\n\r\n"));
        let get = ask(address, &format!("GET /?q HTTP/1.1\r\n{host}\r\n"));
        assert!(get.contains("Content-Security-Policy: default-src 'none'; frame-ancestors 'none'"));
        assert!(get.ends_with("\r\n\r\nhere\n"));
    }

    #[test]
    fn who_asks_at_once_is_answered_whatever_the_others_do() {
        let address = server(&[]);
        // Silent ones, more than there is room for, and slow ones that send a byte now and then.
        let silent: Vec<TcpStream> = (0..MOST_CONNECTIONS + 40)
            .filter_map(|_| TcpStream::connect(address).ok())
            .collect();
        let mut slow: Vec<TcpStream> = (0..16).map(|_| TcpStream::connect(address).unwrap()).collect();
        for round in 0..5 {
            for stream in &mut slow {
                let _ = stream.write_all(b"G");
            }
            let began = Instant::now();
            let text = ask(address, &format!("GET / HTTP/1.1\r\nHost: {address}\r\n\r\n"));
            assert!(text.starts_with("HTTP/1.1 200 "), "{round}: {text}");
            assert!(
                began.elapsed() < Duration::from_secs(1),
                "{round}: {:?}",
                began.elapsed()
            );
        }
        // The first that came has been told why it had to go.
        let mut text = String::new();
        silent.first().unwrap().read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 503 "), "{text}");
    }

    #[test]
    fn nobody_stays_beyond_the_deadline() {
        let address = server(&[]);
        let began = Instant::now();
        let mut stream = TcpStream::connect(address).unwrap();
        stream
            .write_all(format!("GET / HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes())
            .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        // Goes on sending after the answer: it is closed all the same.
        while stream.write_all(b"x").is_ok() && began.elapsed() < REQUEST_TIME {
            thread::sleep(Duration::from_millis(50));
        }
        assert!(began.elapsed() < REST_TIME * 3, "{:?}", began.elapsed());
    }
}
