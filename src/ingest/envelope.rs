//! What logs are wrapped in by whatever carried them.

use super::place::member;
use super::scan;
use super::text::decode;
use std::fmt;
use std::str::FromStr;

/// How entries are wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Envelope {
    /// Found out by the first entries.
    #[default]
    Auto,
    /// Not wrapped.
    Json,
    /// Any text before the entry: the `prefix` option, `@cee:` and the like.
    Prefix,
    /// RFC 3164 or RFC 5424 header.
    Syslog,
    /// Kubernetes container log: time, stream, `F` or `P`.
    Cri,
    /// Docker's json-file.
    Docker,
    /// CloudWatch export or subscription.
    CloudWatch,
    /// `{"message": "..."}`
    Message,
    /// Elastic documents.
    Elastic,
    /// Splunk exports.
    Splunk,
    /// Google Cloud Logging.
    Gcp,
}

const WORDS: [(Envelope, &str); 11] = [
    (Envelope::Auto, "auto"),
    (Envelope::Json, "json"),
    (Envelope::Prefix, "prefix"),
    (Envelope::Syslog, "syslog"),
    (Envelope::Cri, "cri"),
    (Envelope::Docker, "docker"),
    (Envelope::CloudWatch, "cloudwatch"),
    (Envelope::Message, "message"),
    (Envelope::Elastic, "elastic"),
    (Envelope::Splunk, "splunk"),
    (Envelope::Gcp, "gcp"),
];

/// Where wrapping objects hold what they wrap, the surest first.
const POINTERS: [(Envelope, &str); 24] = [
    (Envelope::Docker, "/log"),
    (Envelope::Elastic, "/event/original"),
    (Envelope::Elastic, "/_source/event/original"),
    (Envelope::Splunk, "/result/_raw"),
    (Envelope::Splunk, "/_raw"),
    (Envelope::Gcp, "/jsonPayload"),
    (Envelope::Gcp, "/textPayload"),
    (Envelope::Message, "/message"),
    (Envelope::CloudWatch, "/message"),
    (Envelope::CloudWatch, "/@message"),
    (Envelope::CloudWatch, "/logEvents"),
    (Envelope::CloudWatch, "/events"),
    (Envelope::Elastic, "/message"),
    (Envelope::Elastic, "/_source/message"),
    (Envelope::Elastic, "/hashicorp_vault/audit"),
    (Envelope::Elastic, "/_source"),
    (Envelope::Elastic, "/hits/hits"),
    (Envelope::Splunk, "/event"),
    (Envelope::Message, "/msg"),
    (Envelope::Message, "/MESSAGE"),
    (Envelope::Message, "/line"),
    (Envelope::Message, "/body"),
    (Envelope::Gcp, "/entries"),
    (Envelope::Message, "/data"),
];

/// The word is no envelope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an envelope: use auto, json, prefix, syslog, cri, docker, cloudwatch, message, elastic, splunk or gcp"
)]
pub struct UnknownEnvelope(pub String);

impl FromStr for Envelope {
    type Err = UnknownEnvelope;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        WORDS
            .into_iter()
            .find(|(_, w)| *w == word)
            .map(|(envelope, _)| envelope)
            .ok_or_else(|| UnknownEnvelope(word.to_owned()))
    }
}

impl fmt::Display for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = WORDS.iter().find(|(envelope, _)| envelope == self);
        f.write_str(word.map_or("auto", |(_, w)| w))
    }
}

impl Envelope {
    /// The words for them.
    pub fn words() -> impl Iterator<Item = &'static str> {
        WORDS.into_iter().map(|(_, word)| word)
    }

    /// Whether an entry may stand bare.
    #[must_use]
    pub const fn bare(self) -> bool {
        matches!(self, Self::Auto | Self::Json)
    }

    /// Whether text may stand before the entry.
    #[must_use]
    pub const fn prefixed(self) -> bool {
        matches!(self, Self::Auto | Self::Prefix | Self::Syslog | Self::Cri)
    }

    /// Whether an object may carry the entry.
    #[must_use]
    pub const fn wrapped(self) -> bool {
        !matches!(self, Self::Json | Self::Prefix | Self::Syslog | Self::Cri)
    }

    /// Where to look in an object first.
    pub fn pointers(self) -> impl Iterator<Item = &'static str> + Clone {
        POINTERS
            .into_iter()
            .filter(move |(envelope, _)| self == Self::Auto || *envelope == self)
            .map(|(_, pointer)| pointer)
    }
}

/// Where the text stands in a record of the systemd journal, if it is one: `journalctl` without `--all` leaves long ones out.
#[must_use]
pub fn journal(object: &[u8]) -> Option<String> {
    let is_own = ["/__REALTIME_TIMESTAMP", "/__CURSOR"]
        .iter()
        .any(|own| follow(object, own).is_some());
    is_own.then(|| "/MESSAGE".to_owned())
}

/// The raw value at the end of a way through objects.
#[must_use]
pub fn follow<'a>(object: &'a [u8], pointer: &str) -> Option<&'a [u8]> {
    pointer.split('/').skip(1).try_fold(object, member)
}

/// The time that a wrapping object gives, where the entry has lost its own.
#[must_use]
pub fn outer_time(object: &[u8]) -> Option<i64> {
    ["/timestamp", "/@timestamp", "/time", "/_time"]
        .into_iter()
        .filter_map(|pointer| follow(object, pointer))
        .find_map(|value| match scan::unquoted(value) {
            Some(text) => super::time::parse(text),
            None => std::str::from_utf8(value)
                .ok()?
                .parse::<i64>()
                .ok()?
                .checked_mul(1_000_000),
        })
}

/// The host or pod that a wrapping object names.
#[must_use]
pub fn outer_node(object: &[u8]) -> Option<String> {
    [
        "/host/name",
        "/kubernetes/pod_name",
        "/hostname",
        "/host",
        "/result/host",
        "/logStream",
    ]
    .into_iter()
    .filter_map(|pointer| follow(object, pointer).and_then(scan::unquoted))
    .map(|raw| decode(raw).into_owned())
    .find(|name| !name.is_empty())
}

/// The host in a syslog header.
#[must_use]
pub fn syslog_node(prefix: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(prefix).ok()?;
    let rest = text.strip_prefix('<')?.split_once('>')?.1;
    let mut words = rest.split_whitespace();
    let first = words.next()?;
    if first == "1" {
        return words.nth(1).filter(|host| *host != "-");
    }
    // `Oct 11 22:14:15 host tag:`, or an RFC 3339 time in place of the three words.
    if first.len() == 3 { words.nth(2) } else { words.next() }
}

/// A line of a container log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CriLine<'a> {
    /// `stdout` or `stderr`.
    pub stream: &'a [u8],
    /// Whether the text goes on in the stream's next line.
    pub more: bool,
    /// The text.
    pub text: &'a [u8],
}

/// Takes a line of a container log apart.
#[must_use]
pub fn cri(line: &[u8]) -> Option<CriLine<'_>> {
    let mut words = line.splitn(4, |c| *c == b' ');
    let time = words.next()?;
    let stream = words.next()?;
    let tag = words.next()?;
    let text = words.next()?;
    if !time.first()?.is_ascii_digit() || !matches!(stream, b"stdout" | b"stderr") {
        return None;
    }
    let more = match tag.split(|c| *c == b':').next()? {
        b"F" => false,
        b"P" => true,
        _ => return None,
    };
    Some(CriLine { stream, more, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip() {
        for (envelope, word) in WORDS {
            assert_eq!(word.parse(), Ok(envelope));
            assert_eq!(envelope.to_string(), word);
        }
        assert!("xml".parse::<Envelope>().is_err());
    }

    #[test]
    fn pointers_are_followed() {
        let object = br#"{"a":{"b/c":"x","d":[1]},"timestamp":1000,"host":{"name":"n1"}}"#;
        assert_eq!(follow(object, "/a/d"), Some(&b"[1]"[..]));
        assert_eq!(follow(object, "/a/none"), None);
        assert_eq!(outer_time(object), Some(1_000_000_000));
        assert_eq!(outer_node(object).as_deref(), Some("n1"));
    }

    #[test]
    fn headers_name_their_host() {
        assert_eq!(
            syslog_node(b"<34>Oct 11 22:14:15 mymachine vault[1]: "),
            Some("mymachine")
        );
        assert_eq!(
            syslog_node(b"<165>1 2003-10-11T22:14:15.003Z host.example vault - ID47 - "),
            Some("host.example")
        );
        assert_eq!(syslog_node(b"@cee: "), None);
        assert_eq!(
            cri(b"2025-01-01T00:00:00Z stdout P {\"a\""),
            Some(CriLine {
                stream: b"stdout",
                more: true,
                text: b"{\"a\""
            })
        );
        assert_eq!(cri(b"2025-01-01T00:00:00Z stdout X {}"), None);
    }
}
