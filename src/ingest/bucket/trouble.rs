//! What goes wrong with object storage, in words: why, and what to do.

use super::super::error::Trouble;
use crate::vault::secret;

/// What was being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// Finding out what there is.
    Looking,
    /// Reading an object that was there.
    Reading,
}

const CREDENTIALS: &str = "give the credentials that the tools of the platform take: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY \
    (`eval \"$(aws configure export-credentials --format env)\"` for a profile), GOOGLE_APPLICATION_CREDENTIALS, or \
    AZURE_STORAGE_ACCOUNT_NAME with a key; or run where the machine has a role";
const NAME: &str = "check the name, and that credentials and address (AWS_ENDPOINT_URL) are of the service that has it";
const RIGHTS: &str = "the credentials must be allowed to list the bucket and to read its objects (s3:ListBucket and s3:GetObject, \
    roles/storage.objectViewer, Storage Blob Data Reader)";
const REGION: &str =
    "redirects are not followed: set AWS_REGION to the region of the bucket, or AWS_ENDPOINT_URL to its address";
const PLAIN: &str =
    "an address without TLS is used only where AWS_ALLOW_HTTP=true (GOOGLE_ALLOW_HTTP, AZURE_ALLOW_HTTP) says so";
const ARCHIVED: &str = "restore it from the archive first, or leave it out";
const AGAIN: &str = "it is tried several times before it is given up: try again, or bring the logs here first, with the platform's tool";

/// Another object is there now than was found.
pub fn changed() -> Trouble {
    Trouble {
        why: "it was changed while it was read".to_owned(),
        hint: "run it again: what was read is of no use, since the beginning may be of another log than the end",
    }
}

/// Fewer or more bytes came than it has.
pub fn cut(got: usize, of: u64) -> Trouble {
    Trouble {
        why: format!("{got} bytes came where {of} were asked for"),
        hint: AGAIN,
    }
}

/// What the package says, in our words.
pub fn of(error: &object_store::Error, doing: Doing) -> Trouble {
    use object_store::Error;
    let whole = plain(&with_cause(error));
    let code = between(&whole, "<Code>", "</Code>");
    let said = match (code, between(&whole, "<Message>", "</Message>")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        _ => whole.clone(),
    };
    let said = clipped(&said);
    let (why, hint) = match (error, code) {
        (_, Some("NoSuchBucket" | "ContainerNotFound")) => (format!("there is no such bucket ({said})"), NAME),
        (_, Some("InvalidObjectState" | "BlobArchived")) => (format!("it is archived ({said})"), ARCHIVED),
        (
            _,
            Some(
                "InvalidAccessKeyId"
                | "SignatureDoesNotMatch"
                | "ExpiredToken"
                | "InvalidToken"
                | "AuthenticationFailed"
                | "AuthorizationFailure",
            ),
        ) => (format!("the credentials are not taken ({said})"), CREDENTIALS),
        (Error::NotFound { .. }, _) if doing == Doing::Reading => (
            "it was there, and is gone".to_owned(),
            "run it again; if old logs are deleted by a rule, name those that stay",
        ),
        (Error::NotFound { .. }, _) => (format!("there is no such bucket or object ({said})"), NAME),
        (Error::Precondition { .. } | Error::NotModified { .. }, _) | (_, Some("InvalidRange")) => return changed(),
        (Error::PermissionDenied { .. }, _) => (format!("access is denied ({said})"), RIGHTS),
        (Error::Unauthenticated { .. }, _) => (format!("the credentials are not taken ({said})"), CREDENTIALS),
        (Error::InvalidPath { .. }, _) => (
            format!("a key in it cannot be a path ({said})"),
            "name the logs beside it by a narrower pattern or folder, and bring this one here with the platform's tool",
        ),
        _ if is_of_credentials(&whole) => (format!("there are no credentials ({said})"), CREDENTIALS),
        _ if whole.contains("status code: 403") => (format!("access is denied ({said})"), RIGHTS),
        _ if whole.contains("status code: 401") => (format!("the credentials are not taken ({said})"), CREDENTIALS),
        _ if whole.contains("must be specified") => (said, CREDENTIALS),
        _ if whole.contains("URL scheme is not allowed") => ("the address is without TLS".to_owned(), PLAIN),
        _ if is_redirect(&whole) => ("the answer leads to another address".to_owned(), REGION),
        _ => (said, AGAIN),
    };
    Trouble { why, hint }
}

/// Whether what failed was asking the machine for its role.
fn is_of_credentials(text: &str) -> bool {
    const ASKED: [&str; 5] = [
        "/latest/api/token",
        "/latest/meta-data",
        "computeMetadata",
        "/metadata/identity",
        "/oauth2/",
    ];
    ASKED.iter().any(|asked| text.contains(asked))
}

fn is_redirect(text: &str) -> bool {
    text.contains("redirect")
        || ["301", "302", "303", "307", "308"]
            .iter()
            .any(|n| text.contains(&format!("status code: {n}")))
}

fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let (_, after) = text.split_once(open)?;
    after.split_once(close).map(|(inner, _)| inner)
}

/// An error with what is at the bottom of it.
fn with_cause(error: &object_store::Error) -> String {
    let said = error.to_string();
    let said = said
        .split_once(" error: ")
        .map_or(&*said, |(kind, rest)| match kind.starts_with("Generic ") {
            true => rest,
            false => &said,
        });
    let mut deepest: &dyn std::error::Error = error;
    while let Some(below) = deepest.source() {
        deepest = below;
    }
    let cause = deepest.to_string();
    if said.contains(&cause) {
        said.to_owned()
    } else {
        format!("{said}: {cause}")
    }
}

/// One line, in which addresses have neither user nor query: a signature may be in there.
fn plain(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    secret::addresses(&line).into_owned()
}

/// Not more than fits into a message.
fn clipped(text: &str) -> String {
    const MOST: usize = 400;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(text: &str) -> object_store::Error {
        object_store::Error::Generic {
            store: "S3",
            source: text.to_owned().into(),
        }
    }

    #[test]
    fn addresses_lose_users_and_queries() {
        let said = of(
            &generic("GET https://me:SECRET@host/b/a?sig=SECRET failed\n at once"),
            Doing::Reading,
        )
        .why;
        assert_eq!(said, "GET https://host/b/a failed at once");
    }

    #[test]
    fn what_is_known_is_said_in_our_words() {
        for (text, why, hint) in [
            (
                "<Code>NoSuchBucket</Code><Message>None</Message>",
                "no such bucket (NoSuchBucket: None)",
                "name",
            ),
            ("<Code>InvalidObjectState</Code>", "archived", "restore"),
            ("<Code>ExpiredToken</Code>", "not taken", "AWS_ACCESS_KEY_ID"),
            (
                "PUT http://169.254.169.254/latest/api/token",
                "no credentials",
                "AWS_ACCESS_KEY_ID",
            ),
            ("Received redirect without LOCATION", "another address", "AWS_REGION"),
            (
                "non-2xx status code: 307 Temporary Redirect",
                "another address",
                "AWS_REGION",
            ),
            ("URL scheme is not allowed", "without TLS", "AWS_ALLOW_HTTP"),
            ("operation timed out", "timed out", "try again"),
        ] {
            let trouble = of(&generic(text), Doing::Looking);
            assert!(trouble.why.contains(why) && trouble.hint.contains(hint), "{trouble:?}");
        }
    }
}
