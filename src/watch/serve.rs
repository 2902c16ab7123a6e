//! A small HTTP server to look at the watch: one request a connection, GET and HEAD alone, everything bounded.
//!
//! It is written on the standard library and a parser of heads: the small server packages have no limit on the size of a head
//! or on the time it takes, the larger ones bring a runtime. A browser on this machine may be made to ask it by any page that it shows: so
//! the name asked for has to be one of ours (no DNS rebinding), and a page that asks has to be ours too.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes of a request at most, line and headers.
const MOST_HEAD_BYTES: usize = 8 << 10;
const MOST_HEADERS: usize = 64;
/// A request has to be here within this time, and an answer taken.
const REQUEST_TIME: Duration = Duration::from_secs(5);
const ANSWER_TIME: Duration = Duration::from_secs(30);
/// Connections at once.
const MOST_CONNECTIONS: usize = 16;
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
    let names = Arc::new(Names::new(bound, told));
    thread::spawn(move || {
        let open = Arc::new(AtomicUsize::new(0));
        for stream in listener.incoming() {
            let Ok(stream) = stream else {
                // Out of file handles, for one: a pause lets others go.
                thread::sleep(Duration::from_millis(50));
                continue;
            };
            let slot = Slot::take(&open);
            let (names, pages) = (Arc::clone(&names), Arc::clone(&pages));
            let spawned = thread::Builder::new().spawn(move || {
                // Whoever goes away in the middle is nobody's trouble.
                let _ = match slot {
                    Some(_slot) => handle(&stream, &names, &*pages),
                    None => answer(&stream, &Answer::word(503, "too many connections"), true),
                };
            });
            drop(spawned);
        }
    });
    Ok(bound)
}

/// One of the connections that may be open at once.
struct Slot(Arc<AtomicUsize>);

impl Slot {
    fn take(open: &Arc<AtomicUsize>) -> Option<Self> {
        let slot = Self(Arc::clone(open));
        (open.fetch_add(1, Ordering::SeqCst) < MOST_CONNECTIONS).then_some(slot)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn handle(stream: &TcpStream, names: &Names, pages: &Pages) -> io::Result<()> {
    let head = match read_head(stream)? {
        Some(head) => head,
        None => return answer(stream, &Answer::word(431, "the request is too long"), true),
    };
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let parsed = request.parse(&head).is_ok_and(|status| status.is_complete());
    if !parsed {
        return answer(stream, &Answer::word(400, "this is no request"), true);
    }
    let body = request.method != Some("HEAD");
    answer(stream, &reply(&request, names, pages), body)
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
        (Some(_), None) => return Answer::word(421, "this server is not asked under that name"),
        _ => return Answer::word(400, "a request names one host"),
    }
    if !values("origin").all(|origin| names.has_origin(origin)) {
        return Answer::word(403, "another page may not ask this");
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

/// Reads up to the empty line. None where that does not come within the bounds.
fn read_head(mut stream: &TcpStream) -> io::Result<Option<Vec<u8>>> {
    let until = Instant::now() + REQUEST_TIME;
    let mut head = Vec::new();
    let mut piece = [0; 1024];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        let got = stream.read(&mut piece)?;
        if got == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        head.extend_from_slice(piece.get(..got).unwrap_or_default());
        if memchr::memmem::find(&head, b"\r\n\r\n").is_some() {
            return Ok(Some(head));
        }
        if head.len() > MOST_HEAD_BYTES {
            return Ok(None);
        }
    }
}

fn answer(mut stream: &TcpStream, answer: &Answer, with_body: bool) -> io::Result<()> {
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
    let mut bytes = format!(
        "HTTP/1.1 {} {reason}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{allow}\
         Content-Security-Policy: {policy}; frame-ancestors 'none'\r\nX-Content-Type-Options: nosniff\r\n\
         X-Frame-Options: DENY\r\nReferrer-Policy: no-referrer\r\nCross-Origin-Resource-Policy: same-origin\r\n\
         Cross-Origin-Opener-Policy: same-origin\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
        answer.status,
        answer.kind,
        answer.body.len(),
    )
    .into_bytes();
    if with_body {
        bytes.extend_from_slice(answer.body.as_bytes());
    }
    let until = Instant::now() + ANSWER_TIME;
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_write_timeout(Some(left))?;
        let sent = stream.write(rest)?;
        if sent == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        rest = rest.get(sent..).unwrap_or_default();
    }
    stream.shutdown(std::net::Shutdown::Write)?;
    // What is still under way is read, or closing would take the answer away from the asker.
    stream.set_read_timeout(Some(Duration::from_millis(200)))?;
    let _ = io::copy(&mut stream.take(64 << 10), &mut io::sink());
    Ok(())
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
    fn more_connections_than_there_is_room_for_are_told_so() {
        let address = server(&[]);
        let idle: Vec<TcpStream> = (0..MOST_CONNECTIONS)
            .map(|_| TcpStream::connect(address).unwrap())
            .collect();
        let busy = ask(address, &format!("GET / HTTP/1.1\r\nHost: {address}\r\n\r\n"));
        assert!(busy.starts_with("HTTP/1.1 503 "), "{busy}");
        drop(idle);
    }
}
