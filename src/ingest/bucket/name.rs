//! Names of object storage as users write them: which service, which bucket, what in it.

use super::super::error::IngestError;
use super::super::error::Trouble;

/// A service that keeps objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// `s3://`, and whatever speaks like S3.
    S3,
    /// `gs://`.
    Google,
    /// `az://`, `abfs://` and `abfss://`.
    Azure,
}

/// A name, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The service.
    pub service: Service,
    /// Scheme and bucket: what all of its objects begin with, without a slash at the end.
    pub root: String,
    /// The bucket.
    pub bucket: String,
    /// The key of an object, the beginning of keys, or a pattern.
    pub key: String,
}

/// What makes a key a pattern.
const WILD: [char; 3] = ['*', '?', '['];

impl Name {
    /// Takes a name apart; what would be a secret in it is refused, and not repeated.
    pub fn parse(name: &str) -> Result<Self, IngestError> {
        let (scheme, rest) = name.split_once("://").unwrap_or(("", name));
        let scheme = scheme.to_ascii_lowercase();
        let service = match &*scheme {
            "s3" | "s3a" => Service::S3,
            "gs" => Service::Google,
            _ => Service::Azure,
        };
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        let refuse = |shown: &str, why: &str, hint: &'static str| {
            Err(IngestError::Object {
                name: format!("{scheme}://{shown}"),
                trouble: Trouble {
                    why: why.to_owned(),
                    hint,
                },
            })
        };
        if let Some((user, host)) = bucket.split_once('@') {
            // `abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/` is how Azure writes it: no secret is in that.
            let is_container = service == Service::Azure && !user.contains(':') && host.contains('.');
            if !is_container {
                return refuse(
                    &format!("...@{host}/{}", until_query(key)),
                    "there is a user or a password in it",
                    "leave it out, and give credentials by the environment, as for the tools of the platform",
                );
            }
        }
        if has_query(key) || bucket.contains('?') {
            let bucket = bucket.split('?').next().unwrap_or_default();
            return refuse(
                &format!("{bucket}/{}", until_query(key)),
                "there is a query string in it, such as that of a signed address",
                "name the object as bucket and key alone, and give credentials by the environment, as for the tools of the platform",
            );
        }
        if bucket.is_empty() || bucket.contains(WILD) {
            return refuse(
                rest,
                "it has no bucket",
                "write SCHEME://BUCKET/KEY; patterns are for what follows the bucket",
            );
        }
        Ok(Self {
            service,
            root: format!("{scheme}://{bucket}"),
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        })
    }

    /// The whole of it.
    pub fn whole(&self) -> String {
        self.of(&self.key)
    }

    /// The name of another key.
    pub fn of(&self, key: &str) -> String {
        format!("{}/{key}", self.root)
    }

    /// Whether it stands for whatever matches it.
    pub fn is_pattern(&self) -> bool {
        self.key.contains(WILD)
    }

    /// The folder that everything lies in that it may stand for; empty for all of the bucket.
    pub fn folder(&self) -> &str {
        let fixed = match self.key.find(WILD) {
            Some(wild) => {
                let before = self.key.get(..wild).unwrap_or_default();
                before.rsplit_once('/').map_or("", |(folder, _)| folder)
            }
            None => &self.key,
        };
        fixed.trim_end_matches('/')
    }
}

/// Whether what follows a `?` is a query and no pattern: `?name=value`.
fn has_query(key: &str) -> bool {
    key.split('?').skip(1).any(|after| {
        let name = after.split(['/', '&', '*']).next().unwrap_or_default();
        name.contains('=')
    })
}

fn until_query(key: &str) -> &str {
    key.split('?').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        let parsed = |name: &str| Name::parse(name).unwrap();
        let name = parsed("S3://logs/vault/audit.log");
        assert_eq!(
            (name.service, &*name.root, &*name.bucket),
            (Service::S3, "s3://logs", "logs")
        );
        assert_eq!(
            (name.whole().as_str(), name.folder()),
            ("s3://logs/vault/audit.log", "vault/audit.log")
        );
        for (name, folder) in [
            ("gs://b", ""),
            ("gs://b/", ""),
            ("gs://b/logs/", "logs"),
            ("gs://b/logs/2026-*/audit*.gz", "logs"),
            ("gs://b/logs/2026/audit-0?.gz", "logs/2026"),
            ("gs://b/*.gz", ""),
        ] {
            assert_eq!(parsed(name).folder(), folder, "{name}");
        }
        let name = parsed("abfss://logs@account.dfs.core.windows.net/a");
        assert_eq!((name.service, &*name.key), (Service::Azure, "a"));
    }

    #[test]
    fn secrets_are_refused_and_not_repeated() {
        for name in [
            "s3://AKIA1:SECRET@logs/a",
            "s3://SECRET@logs/a",
            "az://user:SECRET@account.dfs.core.windows.net/a",
            "az://logs/a?sv=2026&sig=SECRET",
            "gs://logs/a?X-Goog-Signature=SECRET",
            "gs://logs?token=SECRET",
            "s3://a:SECRET@logs/a?b=SECRET",
        ] {
            let said = Name::parse(name).unwrap_err().to_string();
            assert!(
                !said.contains("SECRET") && said.contains("logs") || said.contains("account"),
                "{said}"
            );
        }
        for name in ["s3://", "s3:///a", "s3://lo*s/a"] {
            assert!(Name::parse(name).is_err(), "{name}");
        }
    }
}
