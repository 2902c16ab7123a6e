//! Logs in object storage: what a name stands for there, found by listing, and read as files are.

mod client;
mod name;
mod pieces;
mod trouble;

use super::error::IngestError;
use super::error::Trouble;
use super::object::Object;
use super::source::{self, LogInput, Named, TELLING};
use client::Connector;
use futures_util::{StreamExt as _, TryStreamExt as _};
use name::{Name, Service};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::path::Path as Key;
use object_store::{BackoffConfig, ClientConfigKey, ObjectMeta, ObjectStore, ObjectStoreExt as _, RetryConfig};
use pieces::Found;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::runtime::Runtime;
use trouble::Doing;

/// More objects than this are not held: a bucket is named where a folder of it was meant.
const MOST_OBJECTS: usize = 1_000_000;

/// Objects of which the first bytes are looked at at once.
const LOOKED_AT_ONCE: usize = 16;

/// What the logs are that a name in object storage stands for.
pub(super) fn expand(name: &str, named: &mut Named) -> Result<(), IngestError> {
    let name = Name::parse(name)?;
    let failed = |trouble| IngestError::Object {
        name: name.whole(),
        trouble,
    };
    let bucket = Bucket::open(&name).map_err(failed)?;
    if !name.is_pattern() && !name.key.is_empty() && !name.key.ends_with('/') {
        let exactly = bucket.exactly(&name.key).map_err(failed)?;
        if let Some(meta) = exactly {
            named.logs.push(bucket.log(&name, meta));
            return Ok(());
        }
    }
    let found = bucket.list(name.folder()).map_err(failed)?;
    let before = (named.logs.len(), named.left_out.len());
    let meant: Vec<(ObjectMeta, Meant)> = if name.is_pattern() {
        let pattern = Pattern::new(&name.key).map_err(failed)?;
        let meant = found.into_iter().filter_map(|meta| {
            let how = pattern.means(meta.location.as_ref())?;
            Some((meta, how))
        });
        meant.collect()
    } else {
        found.into_iter().map(|meta| (meta, Meant::InFolder)).collect()
    };
    for (meta, is_log) in bucket.told_apart(&name, meant)? {
        if is_log {
            named.logs.push(bucket.log(&name, meta));
        } else if !is_hidden(&meta) {
            // Else it is nothing of a log: editors and tools leave these behind.
            named.left_out.push(name.of(meta.location.as_ref()));
        }
    }
    match (named.logs.len() == before.0, named.left_out.len() == before.1) {
        (true, true) => Err(IngestError::NoMatch(name.whole())),
        (true, false) => Err(IngestError::EmptyFolder(name.whole())),
        _ => Ok(()),
    }
}

/// How a name means an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meant {
    /// It is a log, whatever it is called.
    Itself,
    /// It is in a folder, and a log if it looks like one.
    InFolder,
}

/// A pattern, as for files: what it matches, and what is in the folders that it matches.
struct Pattern {
    pattern: glob::Pattern,
    only_folders: bool,
}

impl Pattern {
    fn new(key: &str) -> Result<Self, Trouble> {
        let pattern = glob::Pattern::new(key.trim_end_matches('/')).map_err(|error| Trouble {
            why: format!("the pattern is wrong: {error}"),
            hint: "* is any text within a folder, ** any folders, ? one character, [a-z] one of those",
        })?;
        Ok(Self {
            pattern,
            only_folders: key.ends_with('/'),
        })
    }

    /// Whether an object of this key is meant.
    fn means(&self, key: &str) -> Option<Meant> {
        let mut folders = key.match_indices('/').filter_map(|(end, _)| key.get(..end));
        if !self.only_folders && self.matches(key) {
            Some(Meant::Itself)
        } else if folders.any(|folder| self.matches(folder)) {
            Some(Meant::InFolder)
        } else {
            None
        }
    }

    /// As the shell does it: only `**` goes on over a slash.
    fn matches(&self, key: &str) -> bool {
        let options = glob::MatchOptions {
            require_literal_separator: true,
            ..glob::MatchOptions::new()
        };
        self.pattern.matches_with(key, options)
    }
}

/// What talks to all buckets.
static RUNTIME: LazyLock<std::io::Result<Runtime>> = LazyLock::new(|| {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).thread_name("objects").enable_all().build()
});

/// A bucket, and what talks to it.
struct Bucket {
    runtime: &'static Runtime,
    store: Arc<dyn ObjectStore>,
}

impl Bucket {
    /// Nothing is asked yet.
    fn open(name: &Name) -> Result<Self, Trouble> {
        let runtime = RUNTIME.as_ref().map_err(|error| Trouble {
            why: format!("no thread can be started: {error}"),
            hint: "is the number of threads or of open files limited?",
        })?;
        let store = store(name).map_err(|error| trouble::of(&error, Doing::Looking))?;
        Ok(Self { runtime, store })
    }

    /// The object that has just this key.
    fn exactly(&self, key: &str) -> Result<Option<ObjectMeta>, Trouble> {
        let wrong = |error| trouble::of(&error, Doing::Looking);
        let key = Key::parse(key).map_err(|error| wrong(error.into()))?;
        match self.runtime.block_on(self.store.head(&key)) {
            Ok(meta) => Ok(Some(meta)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(wrong(error)),
        }
    }

    /// All objects of a folder and of those in it, by name.
    fn list(&self, folder: &str) -> Result<Vec<ObjectMeta>, Trouble> {
        let wrong = |error| trouble::of(&error, Doing::Looking);
        let folder = Key::parse(folder).map_err(|error| wrong(error.into()))?;
        let list = self.store.list(Some(&folder)).take(MOST_OBJECTS + 1);
        let mut found: Vec<ObjectMeta> = self.runtime.block_on(list.try_collect()).map_err(wrong)?;
        if found.len() > MOST_OBJECTS {
            return Err(Trouble {
                why: format!("it holds more than {MOST_OBJECTS} objects"),
                hint: "name a folder of the bucket, or a pattern such as s3://BUCKET/vault/2026-*/*.gz",
            });
        }
        found.sort_by(|one, other| one.location.cmp(&other.location));
        // Consoles keep an empty object for a folder: its key is that of the folder, and a slash that is lost by now.
        let above = |folder: &ObjectMeta, next: Option<&ObjectMeta>| {
            let inside = next.and_then(|next| next.location.as_ref().strip_prefix(folder.location.as_ref()));
            inside.is_some_and(|rest| rest.starts_with('/'))
        };
        let mut kept = Vec::with_capacity(found.len());
        let mut objects = found.into_iter().peekable();
        while let Some(meta) = objects.next() {
            let is_folder = meta.size == 0 && (meta.location == folder || above(&meta, objects.peek()));
            if !is_folder {
                kept.push(meta);
            }
        }
        Ok(kept)
    }

    /// Which of them are logs: of what is in a folder those whose names or first bytes are those of one, as with files.
    fn told_apart(&self, name: &Name, meant: Vec<(ObjectMeta, Meant)>) -> Result<Vec<(ObjectMeta, bool)>, IngestError> {
        let told = futures_util::stream::iter(meant).map(|(meta, how)| async move {
            if how == Meant::Itself || source::is_log(Path::new(meta.location.as_ref())) {
                return Ok((meta, true));
            }
            match pieces::beginning(&self.store, &meta, TELLING).await {
                Ok(head) => Ok((meta, source::shows_entries(&head))),
                Err(trouble) => Err(IngestError::Object {
                    name: name.of(meta.location.as_ref()),
                    trouble,
                }),
            }
        });
        self.runtime.block_on(told.buffered(LOOKED_AT_ONCE).try_collect())
    }

    fn log(&self, name: &Name, meta: ObjectMeta) -> LogInput {
        let (whole, size) = (name.of(meta.location.as_ref()), meta.size);
        let bytes = Found {
            runtime: self.runtime,
            store: Arc::clone(&self.store),
            meta,
        };
        LogInput::Object(Object::new(whole, size, bytes))
    }
}

fn is_hidden(meta: &ObjectMeta) -> bool {
    meta.location.filename().is_some_and(|name| name.starts_with('.'))
}

/// What talks to the bucket, with what the environment says: credentials, region, address.
fn store(name: &Name) -> object_store::Result<Arc<dyn ObjectStore>> {
    let retry = RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(200),
            max_backoff: Duration::from_secs(10),
            base: 2.0,
        },
        max_retries: 6,
        retry_timeout: Duration::from_secs(120),
    };
    let google_without_tls = std::env::var("GOOGLE_ALLOW_HTTP").unwrap_or_else(|_| "false".to_owned());
    Ok(match name.service {
        Service::S3 => Arc::new(
            AmazonS3Builder::from_env()
                .with_bucket_name(&name.bucket)
                .with_retry(retry)
                .with_http_connector(Connector)
                .build()?,
        ),
        Service::Google => Arc::new(
            GoogleCloudStorageBuilder::from_env()
                // The one package that allows it by itself.
                .with_config(GoogleConfigKey::Client(ClientConfigKey::AllowHttp), google_without_tls)
                .with_bucket_name(&name.bucket)
                .with_retry(retry)
                .with_http_connector(Connector)
                .build()?,
        ),
        Service::Azure => Arc::new(
            MicrosoftAzureBuilder::from_env()
                .with_url(&name.root)
                .with_retry(retry)
                .with_http_connector(Connector)
                .build()?,
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stays_within_a_folder_and_a_folder_means_what_is_in_it() {
        let means = |pattern: &str, key: &str| Pattern::new(pattern).unwrap().means(key);
        let (itself, in_folder) = (Some(Meant::Itself), Some(Meant::InFolder));
        assert_eq!(means("logs/2026-*/audit*.gz", "logs/2026-05/audit.log.gz"), itself);
        assert_eq!(means("logs/2026-*/audit*.gz", "logs/2026-05/more/audit.log.gz"), None);
        assert_eq!(means("logs/2026-*/audit*.gz", "logs/2026-05/audit.log"), None);
        assert_eq!(means("logs/**/*.gz", "logs/a/b/c.gz"), itself);
        for pattern in ["logs/2026-*", "logs/2026-*/"] {
            assert_eq!(means(pattern, "logs/2026-05/more/audit.log"), in_folder);
        }
        assert_eq!(means("logs/2026-*", "logs/2026-05.log"), itself);
        assert_eq!(means("logs/2026-*/", "logs/2026-05.log"), None);
    }
}
