//! Carries messages to a webhook. The one file of `watch` that knows the HTTP client.

use super::hook::{NotTaken, Post};
use crate::hint::Hint;
use std::borrow::Cow;
use std::time::Duration;
use ureq::http::header::{CONTENT_TYPE, RETRY_AFTER};

/// The header that carries the signature.
pub const SIGNATURE_HEADER: &str = "X-Vault-Advisor-Signature";
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where a webhook is.
pub struct Webhook {
    agent: ureq::Agent,
    url: String,
}

/// Why an address can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not a URL of HTTP.
    #[error("the webhook's address is not an http or https URL")]
    NotHttp,
    /// Events name people and paths.
    #[error("the webhook's address begins with http: events would be readable on the way")]
    Plain,
    /// A password in it would be in the list of processes.
    #[error("the webhook's address holds a user name or password")]
    Credentials,
}

impl Hint for AddressError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(match self {
            Self::NotHttp => "give a URL such as https://hooks.example/vault",
            Self::Plain => "use https; http goes to this machine alone, where a proxy may speak TLS",
            Self::Credentials => "leave it out: messages are signed, and the receiver can check that",
        }))
    }
}

impl Webhook {
    /// Checks the address: HTTPS, or HTTP to this machine.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn new(url: &str) -> Result<Self, AddressError> {
        let uri: ureq::http::Uri = url.parse().map_err(|_| AddressError::NotHttp)?;
        let authority = uri.authority().ok_or(AddressError::NotHttp)?;
        if authority.as_str().contains('@') {
            return Err(AddressError::Credentials);
        }
        let host = authority.host().trim_matches(['[', ']']);
        let address: Option<std::net::IpAddr> = host.parse().ok();
        let here = host.eq_ignore_ascii_case("localhost") || address.is_some_and(|a| a.is_loopback());
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if here => {}
            Some("http") => return Err(AddressError::Plain),
            _ => return Err(AddressError::NotHttp),
        }
        let mut config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(TIMEOUT))
            .user_agent(concat!("vault-advisor/", env!("CARGO_PKG_VERSION")));
        if here {
            config = config.proxy(None);
        }
        Ok(Self {
            agent: config.build().into(),
            url: url.to_owned(),
        })
    }
}

impl Post for Webhook {
    fn post(&self, body: &str, signature: &str) -> Result<(), NotTaken> {
        let sent = self
            .agent
            .post(&self.url)
            .header(CONTENT_TYPE, "application/json")
            .header(SIGNATURE_HEADER, signature)
            .send(body);
        let answer = sent.map_err(|e| NotTaken {
            why: reason(&e).to_owned(),
            refused: false,
            rest: None,
        })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let rest = answer.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok());
        Err(NotTaken {
            why: format!("it answers {}", status.as_u16()),
            refused: matches!(status.as_u16(), 400 | 413 | 415 | 422),
            rest: rest.and_then(|t| t.trim().parse().ok()).map(Duration::from_secs),
        })
    }
}

/// In words of our own: the package's may hold the address, and with it a secret part of its path.
fn reason(error: &ureq::Error) -> &'static str {
    match error {
        ureq::Error::Timeout(_) => "it does not answer in time",
        ureq::Error::HostNotFound => "its name is not known",
        ureq::Error::ConnectionFailed => "it cannot be reached",
        ureq::Error::Io(e) if e.kind() == std::io::ErrorKind::ConnectionRefused => "it refuses the connection",
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => "its certificate is not valid",
        _ => "the connection broke off",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_would_show_events_are_refused() {
        for good in [
            "https://hooks.example/x",
            "http://127.0.0.1:9000/x",
            "http://[::1]:9000",
            "http://localhost/",
        ] {
            assert!(Webhook::new(good).is_ok(), "{good}");
        }
        let wrong = |url: &str| Webhook::new(url).err().unwrap();
        assert_eq!(wrong("http://hooks.example/x"), AddressError::Plain);
        assert_eq!(wrong("https://me:secret@hooks.example/x"), AddressError::Credentials);
        assert_eq!(wrong("ftp://hooks.example/x"), AddressError::NotHttp);
        assert_eq!(wrong("hooks"), AddressError::NotHttp);
    }
}
