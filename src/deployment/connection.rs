//! Where a live server is and how to be let in: address, token, namespace and TLS, from flags and from the environment
//! variables that people know from the servers' own command lines (`BAO_*` before `VAULT_*`).

use super::pace::Rate;
use crate::hint::Hint;
use crate::vault::path;
use std::borrow::Cow;
use std::fmt;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the servers' own command lines look when nothing is set.
const DEFAULT_ADDRESS: &str = "https://127.0.0.1:8200";
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
const DEFAULT_RETRIES: u32 = 5;

/// A token. It can be sent, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The token itself, for the header of a request and nothing else.
    pub(super) fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}

/// How the server's certificate is judged, and which one is shown to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// A PEM file of authorities, instead of the system's.
    pub ca_cert: Option<PathBuf>,
    /// A folder of such files.
    pub ca_path: Option<PathBuf>,
    /// A client certificate and its key, as PEM files.
    pub client_cert: Option<(PathBuf, PathBuf)>,
    /// Takes any certificate: the token may then go to anybody.
    pub skip_verify: bool,
}

/// All that is needed to talk to a server.
#[derive(Debug, Clone, PartialEq)]
pub struct Connection {
    /// Address without a trailing slash, `https://vault.example:8200`.
    pub address: String,
    /// The token.
    pub token: Token,
    /// The namespace that everything is relative to, `""` or `a/`.
    pub namespace: String,
    /// TLS.
    pub tls: Tls,
    /// Longest time one request may take.
    pub timeout: Duration,
    /// How often a request is tried again.
    pub retries: u32,
    /// How fast the server may be asked; without it, as fast as it answers.
    pub rate: Option<Rate>,
}

/// What flags say; they win over the environment. There is no flag for the token: command lines are seen by everybody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    /// Address.
    pub address: Option<String>,
    /// Namespace.
    pub namespace: Option<String>,
    /// PEM file of authorities.
    pub ca_cert: Option<PathBuf>,
    /// Takes any certificate.
    pub skip_verify: bool,
}

/// Why no connection can be set up.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The address is not one.
    #[error("cannot use the server address: {0}")]
    Address(&'static str),
    /// There is no token.
    #[error("no token: neither `BAO_TOKEN` nor `VAULT_TOKEN` is set, and there is no `~/.vault-token`")]
    NoToken,
    /// The token holds what no token holds.
    #[error("the token from {0} is not a token: it holds blanks or other characters that cannot be sent")]
    BadToken(&'static str),
    /// The token file is there and cannot be read.
    #[error("cannot read the token file `{}`: {source}", path.display())]
    TokenFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A variable holds something else than it should.
    #[error("cannot use `{name}`: {want}")]
    Variable {
        /// The variable's name without its prefix.
        name: &'static str,
        /// What it should hold.
        want: &'static str,
    },
}

impl Hint for ConnectionError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(
            "set `VAULT_ADDR` and `VAULT_TOKEN` (or `BAO_ADDR` and `BAO_TOKEN`)",
        ))
    }
}

impl Connection {
    /// Settles flags, environment and token file into a connection. `variable` looks up an environment variable, `home`
    /// is the user's folder.
    ///
    /// # Errors
    /// When the address or a variable is malformed, or there is no usable token.
    pub fn resolve(
        given: &Given,
        variable: &dyn Fn(&str) -> Option<String>,
        home: Option<&Path>,
    ) -> Result<Self, ConnectionError> {
        let look = |name: &str| {
            ["BAO_", "VAULT_"]
                .iter()
                .filter_map(|prefix| variable(&format!("{prefix}{name}")))
                .find(|value| !value.trim().is_empty())
        };
        let address = given
            .address
            .clone()
            .or_else(|| look("ADDR"))
            .unwrap_or_else(|| DEFAULT_ADDRESS.to_owned());
        let namespace = given
            .namespace
            .clone()
            .or_else(|| look("NAMESPACE"))
            .unwrap_or_default();
        let client_cert = match (look("CLIENT_CERT"), look("CLIENT_KEY")) {
            (Some(cert), Some(key)) => Some((PathBuf::from(cert), PathBuf::from(key))),
            (None, None) => None,
            _ => {
                return Err(ConnectionError::Variable {
                    name: "CLIENT_CERT",
                    want: "a client certificate and `CLIENT_KEY` go together",
                });
            }
        };
        let skip_verify = match look("SKIP_VERIFY") {
            Some(text) => given.skip_verify || truth(&text)?,
            None => given.skip_verify,
        };
        Ok(Self {
            address: clean_address(&address)?,
            token: find_token(&look, home)?,
            namespace: path::namespace(namespace.trim()),
            tls: Tls {
                ca_cert: given.ca_cert.clone().or_else(|| look("CACERT").map(PathBuf::from)),
                ca_path: look("CAPATH").map(PathBuf::from),
                client_cert,
                skip_verify,
            },
            timeout: match look("CLIENT_TIMEOUT") {
                Some(text) => duration(&text)?,
                None => DEFAULT_TIMEOUT,
            },
            retries: match look("MAX_RETRIES") {
                Some(text) => text.trim().parse().map_err(|_| ConnectionError::Variable {
                    name: "MAX_RETRIES",
                    want: "expected a number",
                })?,
                None => DEFAULT_RETRIES,
            },
            rate: match look("RATE_LIMIT") {
                Some(text) => Some(Rate::parse(&text).ok_or(ConnectionError::Variable {
                    name: "RATE_LIMIT",
                    want: "expected requests a second, `10`, or with a burst, `10:20`",
                })?),
                None => None,
            },
        })
    }

    /// Whether the token would cross a network in the clear.
    #[must_use]
    pub fn is_clear_text(&self) -> bool {
        self.address.starts_with("http://") && !self.is_loopback()
    }

    /// Whether the server is on this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let rest = self.address.split("://").nth(1).unwrap_or_default();
        let host = rest.split('/').next().unwrap_or_default();
        let name = match host.strip_prefix('[') {
            Some(v6) => v6.split(']').next().unwrap_or_default(),
            None => host.split(':').next().unwrap_or_default(),
        };
        name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

/// The address without its trailing slash, if it is one that can be spoken to.
fn clean_address(address: &str) -> Result<String, ConnectionError> {
    let address = address.trim().trim_end_matches('/');
    let Some((scheme, rest)) = address.split_once("://") else {
        return Err(ConnectionError::Address("it must begin with `https://` or `http://`"));
    };
    if scheme != "http" && scheme != "https" {
        return Err(ConnectionError::Address("only `https://` and `http://` are spoken"));
    }
    let host = rest.split('/').next().unwrap_or_default();
    if host.is_empty() {
        return Err(ConnectionError::Address("it names no host"));
    }
    if host.contains('@') || address.contains(['?', '#']) {
        return Err(ConnectionError::Address(
            "it must hold no user, password, query or fragment",
        ));
    }
    Ok(address.to_owned())
}

fn find_token(look: &dyn Fn(&str) -> Option<String>, home: Option<&Path>) -> Result<Token, ConnectionError> {
    if let Some(text) = look("TOKEN") {
        return token(&text, "the environment");
    }
    let Some(path) = home.map(|h| h.join(".vault-token")) else {
        return Err(ConnectionError::NoToken);
    };
    match fs::read_to_string(&path) {
        Ok(text) if text.trim().is_empty() => Err(ConnectionError::NoToken),
        Ok(text) => token(&text, "`~/.vault-token`"),
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => Err(ConnectionError::NoToken),
        Err(source) => Err(ConnectionError::TokenFile { path, source }),
    }
}

fn token(text: &str, from: &'static str) -> Result<Token, ConnectionError> {
    let text = text.trim();
    if text.bytes().all(|b| b.is_ascii_graphic()) {
        Ok(Token(text.to_owned()))
    } else {
        Err(ConnectionError::BadToken(from))
    }
}

fn truth(text: &str) -> Result<bool, ConnectionError> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "t" | "true" => Ok(true),
        "0" | "f" | "false" => Ok(false),
        _ => Err(ConnectionError::Variable {
            name: "SKIP_VERIFY",
            want: "expected `true` or `false`",
        }),
    }
}

/// Seconds as a number, or with a unit: `90s`, `2m`, `1h`.
fn duration(text: &str) -> Result<Duration, ConnectionError> {
    let text = text.trim();
    let (number, seconds) = match text.char_indices().last() {
        Some((at, 's')) => (text.get(..at), 1),
        Some((at, 'm')) => (text.get(..at), 60),
        Some((at, 'h')) => (text.get(..at), 3600),
        _ => (Some(text), 1),
    };
    number
        .and_then(|n| n.parse::<u32>().ok())
        .filter(|n| *n > 0)
        .map(|n| Duration::from_secs(u64::from(n) * seconds))
        .ok_or(ConnectionError::Variable {
            name: "CLIENT_TIMEOUT",
            want: "expected a time such as `60`, `90s` or `2m`",
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn resolve(given: &Given, set: &[(&str, &str)]) -> Result<Connection, ConnectionError> {
        let map: HashMap<String, String> = set.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Connection::resolve(given, &|name| map.get(name).cloned(), None)
    }

    #[test]
    fn variables_as_people_know_them() {
        let c = resolve(
            &Given::default(),
            &[
                ("VAULT_ADDR", "https://vault.example:8200/"),
                ("VAULT_TOKEN", " s.abc\n"),
                ("VAULT_NAMESPACE", "/team/a"),
                ("VAULT_CACERT", "ca.pem"),
                ("VAULT_CLIENT_TIMEOUT", "2m"),
                ("VAULT_SKIP_VERIFY", "false"),
            ],
        )
        .unwrap();
        assert_eq!(c.address, "https://vault.example:8200");
        assert_eq!(c.token.secret(), "s.abc");
        assert_eq!(c.namespace, "team/a/");
        assert_eq!(c.tls.ca_cert, Some(PathBuf::from("ca.pem")));
        assert!(!c.tls.skip_verify);
        assert_eq!(c.timeout, Duration::from_secs(120));
    }

    #[test]
    fn bao_before_vault_and_flags_before_both() {
        let set = [
            ("BAO_ADDR", "http://127.0.0.1:1"),
            ("VAULT_ADDR", "http://127.0.0.1:2"),
            ("BAO_TOKEN", ""),
            ("VAULT_TOKEN", "t"),
        ];
        let c = resolve(&Given::default(), &set).unwrap();
        assert_eq!((c.address.as_str(), c.token.secret()), ("http://127.0.0.1:1", "t"));
        let given = Given {
            address: Some("http://127.0.0.1:3".into()),
            skip_verify: true,
            ..Given::default()
        };
        let c = resolve(&given, &set).unwrap();
        assert_eq!(c.address, "http://127.0.0.1:3");
        assert!(c.tls.skip_verify);
    }

    #[test]
    fn the_token_file_is_the_last_resort() {
        let home = tempfile::tempdir().unwrap();
        let none = |_: &str| None;
        let given = Given::default();
        let missing = Connection::resolve(&given, &none, Some(home.path()));
        assert!(matches!(missing, Err(ConnectionError::NoToken)));
        fs::write(home.path().join(".vault-token"), "hvs.file\n").unwrap();
        let c = Connection::resolve(&given, &none, Some(home.path())).unwrap();
        assert_eq!(c.token.secret(), "hvs.file");
        assert_eq!(c.address, DEFAULT_ADDRESS);
    }

    #[test]
    fn a_token_is_never_shown() {
        let c = resolve(&Given::default(), &[("VAULT_TOKEN", "hvs.very-secret")]).unwrap();
        assert!(!format!("{c:?}").contains("very-secret"));
        let error = resolve(&Given::default(), &[("VAULT_TOKEN", "hvs.very secret")]).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"));
    }

    #[test]
    fn bad_addresses_are_named_and_not_repeated() {
        for bad in [
            "vault.example",
            "ftp://x",
            "https://",
            "https://me:pw@host",
            "unix:///run/x",
            "https://h/?q",
        ] {
            let error = resolve(&Given::default(), &[("VAULT_ADDR", bad), ("VAULT_TOKEN", "t")]).unwrap_err();
            assert!(matches!(error, ConnectionError::Address(_)), "{bad}");
            assert!(!error.to_string().contains("pw"));
        }
        for bad in [
            ("VAULT_CLIENT_TIMEOUT", "soon"),
            ("VAULT_SKIP_VERIFY", "maybe"),
            ("VAULT_MAX_RETRIES", "-1"),
            ("VAULT_RATE_LIMIT", "0"),
        ] {
            assert!(matches!(
                resolve(&Given::default(), &[("VAULT_TOKEN", "t"), bad]),
                Err(ConnectionError::Variable { .. })
            ));
        }
    }

    #[test]
    fn clear_text_is_noticed_off_this_machine_only() {
        for (address, clear) in [
            ("http://127.0.0.1:8200", false),
            ("http://localhost", false),
            ("http://[::1]:8200", false),
            ("http://vault.example", true),
            ("http://localhost.example:80", true),
            ("http://127.example", true),
            ("https://vault.example", false),
        ] {
            let c = resolve(&Given::default(), &[("VAULT_ADDR", address), ("VAULT_TOKEN", "t")]).unwrap();
            assert_eq!(c.is_clear_text(), clear, "{address}");
        }
    }
}
