//! What the user named, as logs: files, what folders hold, what globs match, objects of buckets, standard input.

#[cfg(feature = "object-storage")]
use super::bucket;
use super::error::{IngestError, pipe_for};
use super::source::{LogInput, Named, TELLING, is_log, shows_entries};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// What the user named, as logs: a folder stands for the logs in it, a glob for what it matches, `-` for standard input.
/// Each file comes once, in the order named, those of a folder or glob by name.
pub fn expand(names: &[String]) -> Result<Named, IngestError> {
    let mut named = Named::default();
    for name in names {
        if name == "-" {
            named.logs.push(LogInput::Stdin);
            continue;
        }
        if pipe_for(name).is_some() {
            bucket::expand(name, &mut named)?;
            continue;
        }
        let path = PathBuf::from(name);
        let read = |source| IngestError::Read {
            path: path.clone(),
            source,
        };
        match path.metadata() {
            Ok(meta) if meta.is_dir() => {
                let before = named.logs.len();
                folder(&path, &mut named, &mut BTreeSet::new())?;
                if named.logs.len() == before && named.unread.is_empty() {
                    return Err(IngestError::EmptyFolder(name.clone()));
                }
            }
            Ok(_) => named.logs.push(LogInput::File(path)),
            Err(source) if name.contains(['*', '?', '[']) => {
                let Ok(found) = glob::glob(name) else {
                    return Err(read(source));
                };
                let before = named.logs.len();
                let mut seen = BTreeSet::new();
                for path in found {
                    match path {
                        Ok(path) if path.is_dir() => folder(&path, &mut named, &mut seen)?,
                        Ok(path) if path.is_file() => named.logs.push(LogInput::File(path)),
                        Ok(path) if leads_nowhere(&path) => named.unread.push(IngestError::Gone(path)),
                        Ok(path) => named.left_out.push(path.display().to_string()),
                        Err(error) => named.unread.push(IngestError::Read {
                            path: error.path().to_path_buf(),
                            source: error.into(),
                        }),
                    }
                }
                if named.logs.len() == before && named.unread.is_empty() {
                    return Err(IngestError::NoMatch(name.clone()));
                }
            }
            Err(source) => return Err(read(source)),
        }
    }
    let mut seen = std::collections::HashSet::new();
    named.logs.retain(|input| seen.insert(input.clone()));
    named.left_out.sort();
    named.left_out.dedup();
    Ok(named)
}

/// Without the feature no object is read.
#[cfg(not(feature = "object-storage"))]
mod bucket {
    pub fn expand(name: &str, _: &mut super::Named) -> Result<(), super::IngestError> {
        Err(super::IngestError::Remote(name.to_owned()))
    }
}

/// The logs of a folder and of those below it, each real folder once: links may lead back. Those that were read are in `seen`.
fn folder(path: &Path, named: &mut Named, seen: &mut BTreeSet<PathBuf>) -> Result<(), IngestError> {
    let read = |source| IngestError::Read {
        path: path.to_owned(),
        source,
    };
    if !seen.insert(path.canonicalize().map_err(read)?) {
        named.passed.push(path.display().to_string());
        return Ok(());
    }
    let mut entries: Vec<PathBuf> = path
        .read_dir()
        .map_err(read)?
        .map(|entry| entry.map(|e| e.path()))
        .collect::<io::Result<_>>()
        .map_err(read)?;
    // A folder comes before links to it.
    entries.sort_by_cached_key(|entry| (entry.is_symlink() && entry.is_dir(), entry.clone()));
    for entry in entries {
        let is_hidden = entry
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if entry.is_dir() {
            folder(&entry, named, seen)?;
        } else if leads_nowhere(&entry) {
            if !is_hidden {
                named.unread.push(IngestError::Gone(entry));
            }
        } else {
            let is_named = is_log(&entry);
            let log = LogInput::File(entry);
            let is_log =
                log.size().is_some() && (is_named || log.beginning(TELLING).is_some_and(|head| shows_entries(&head)));
            if is_log {
                named.logs.push(log);
            } else if !is_hidden {
                // Else it is nothing of a log: editors and tools leave these behind.
                named.left_out.push(log.name());
            }
        }
    }
    Ok(())
}

/// Whether it is a link to nothing.
fn leads_nowhere(path: &Path) -> bool {
    path.is_symlink() && !path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_logs_each_once() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["audit.log", "audit.log.1.gz", "b.json", "notes.md", ".audit.log"] {
            std::fs::write(dir.path().join(name), "x").unwrap();
        }
        std::fs::create_dir(dir.path().join("sub")).unwrap();
        std::fs::write(dir.path().join("sub/vault_audit"), "x").unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        let names = |named: Named| -> Vec<String> {
            assert_eq!(named.left_out, [at("notes.md")]);
            named.logs.iter().map(|i| i.name().replace(&at(""), "")).collect()
        };
        let rotated = ["audit-20260501", "audit.1", "audit.old", "messages"];
        for name in rotated {
            std::fs::write(
                dir.path().join(name),
                r#"{"time":"2026-05-01T00:00:00Z","type":"request","auth":{}}"#,
            )
            .unwrap();
        }
        assert_eq!(
            names(expand(&[at(""), at("b.json")]).unwrap()),
            [
                "audit-20260501",
                "audit.1",
                "audit.log",
                "audit.log.1.gz",
                "audit.old",
                "b.json",
                "messages",
                "sub/vault_audit"
            ]
        );
        std::fs::write(
            dir.path().join("sub/.audit.log.1"),
            r#"{"time":"2026-05-01T00:00:00Z","type":"request","auth":{}}"#,
        )
        .unwrap();
        let matched = expand(&[at("s*")]).unwrap();
        let matched: Vec<String> = matched.logs.iter().map(|i| i.name().replace(&at(""), "")).collect();
        assert_eq!(
            matched,
            ["sub/.audit.log.1", "sub/vault_audit"],
            "a folder that is matched stands for its logs, and what shows an entry is one, hidden or not"
        );
        let matched = expand(&[at("audit.l*")]).unwrap();
        assert_eq!((matched.logs.len(), matched.left_out.len()), (2, 0));
        std::os::unix::fs::symlink(dir.path().join("gone"), dir.path().join("sub/audit.log")).unwrap();
        let unread = expand(&[at("")]).unwrap().unread;
        assert!(matches!(&unread[..], [IngestError::Gone(path)] if *path == dir.path().join("sub/audit.log")));
        let matched = expand(&[at("sub/*")]).unwrap();
        assert_eq!((matched.logs.len(), matched.unread.len()), (2, 1));
        assert!(matches!(expand(&[at("none*")]), Err(IngestError::NoMatch(_))));
        assert!(matches!(expand(&[at("none")]), Err(IngestError::Read { .. })));
        // Each real folder once, whatever leads there.
        let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, dir.path().join(name)).unwrap();
        let before = expand(&[at("")]).unwrap().logs;
        link(".", "sub/back");
        link("..", "sub/up");
        link("sub", "a-link");
        let looped = expand(&[at("")]).unwrap();
        assert_eq!(looped.logs, before);
        assert_eq!(looped.passed, [at("sub/back"), at("sub/up"), at("a-link")]);
        std::fs::create_dir(dir.path().join("empty")).unwrap();
        assert!(matches!(expand(&[at("empty")]), Err(IngestError::EmptyFolder(_))));
    }
}
