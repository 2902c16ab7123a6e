//! What the user named, as it is on disk now: a name may stand for nothing yet.

use crate::ingest::{LogInput, expand};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Every log that the names stand for just now.
pub fn list(names: &[String]) -> BTreeSet<PathBuf> {
    names
        .iter()
        .filter_map(|name| expand(std::slice::from_ref(name)).ok())
        .flat_map(|named| named.logs)
        .filter_map(|input| match input {
            LogInput::File(path) => Some(path),
            LogInput::Object(_) | LogInput::Stdin => None,
        })
        .collect()
}

/// The folders in which something named may turn up, and whether what is below them counts too.
pub fn folders(names: &[String]) -> Vec<(PathBuf, bool)> {
    let mut folders = Vec::new();
    for name in names {
        let path = Path::new(name);
        if path.is_dir() {
            folders.push((path.to_owned(), true));
        } else {
            // Of a glob, the part that is no pattern; of a file, its folder.
            let parent = path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
            let fixed: PathBuf = parent
                .components()
                .take_while(|c| !c.as_os_str().to_string_lossy().contains(['*', '?', '[']))
                .collect();
            let below = fixed != parent;
            let fixed = if fixed.as_os_str().is_empty() {
                PathBuf::from(".")
            } else {
                fixed
            };
            folders.push((fixed, below));
        }
    }
    folders.sort();
    folders.dedup();
    folders
}

/// The name without its last extension: what the names begin with that rotation gives.
pub fn stem_of(path: &Path) -> String {
    path.file_stem()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Files beside a log that rotation may have made of it.
pub fn siblings(path: &Path) -> Vec<PathBuf> {
    let stem = stem_of(path);
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let Ok(entries) = folder.read_dir() else {
        return Vec::new();
    };
    let mut found: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .filter(|e| e.file_name().to_string_lossy().starts_with(&stem))
        .map(|e| path.with_file_name(e.file_name()))
        .filter(|p| p.is_file())
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_to_watch_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        assert_eq!(folders(&[at("a.log")]), [(dir.path().to_owned(), false)]);
        assert_eq!(folders(&[at("")]), [(dir.path().join(""), true)]);
        assert_eq!(folders(&[at("*/a.log")]), [(dir.path().to_owned(), true)]);
        assert_eq!(folders(&["a.log".to_owned()]), [(PathBuf::from("."), false)]);
    }
}
