//! `init`: the files that a repository of policies starts with. Asks nothing, overwrites nothing.

use super::{Exit, Failure, Talk};
use crate::cli::{Forge, InitArgs};
use crate::deployment::required::required_policy;
use crate::hint::Hint;
use crate::report::escape;
use crate::settings;
use crate::staged::{self, Unwritten};
use std::borrow::Cow;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

const SETTINGS: &str = include_str!("init/vault-advisor.toml");
const GITHUB: &str = include_str!("init/github.yml");
const GITLAB: &str = include_str!("init/gitlab.yml");

/// Writes what is not there yet.
pub(super) fn run(args: &InitArgs, out: &mut dyn Write, talk: &Talk) -> Result<Exit, Failure> {
    let policies = args.policies.as_str();
    if policies.is_empty() || policies.contains(|c: char| c.is_control() || "'\"\\`$".contains(c)) {
        return Err(NoFolder.into());
    }
    let fill = |text: &str| {
        text.replace("@VERSION@", env!("CARGO_PKG_VERSION"))
            .replace("@POLICIES@", policies)
    };
    let forge = args.ci.or_else(|| forge(&args.dir));
    let mut files = vec![
        (PathBuf::from(settings::FILE_NAME), fill(SETTINGS)),
        (
            PathBuf::from("vault-advisor-snapshot.hcl"),
            required_policy(None, "", false),
        ),
    ];
    match forge {
        Some(Forge::Github) => files.push((PathBuf::from(".github/workflows/vault-advisor.yml"), fill(GITHUB))),
        Some(Forge::Gitlab) => files.push((PathBuf::from(".gitlab/vault-advisor.yml"), fill(GITLAB))),
        None => {}
    }
    let mut written = 0;
    for (name, text) in &files {
        let path = args.dir.join(name);
        let shown = escape::terminal(&path.display().to_string());
        if fs::symlink_metadata(&path).is_ok() {
            talk.warn(&format!("`{shown}` is there, and stays as it is"));
            continue;
        }
        write(&args.dir, &path, text)?;
        written += 1;
        writeln!(out, "wrote {shown}").map_err(Failure::from_output)?;
    }
    if forge.is_none() {
        talk.note(
            "no CI file: neither `.github` nor `.gitlab-ci.yml` is there; `--ci github` or `--ci gitlab` writes one",
        );
    }
    if matches!(forge, Some(Forge::Gitlab)) && written > 0 {
        talk.note("add `include: { local: .gitlab/vault-advisor.yml }` to `.gitlab-ci.yml`");
    }
    Ok(Exit::Fine)
}

/// Where the repository seems to live.
fn forge(folder: &Path) -> Option<Forge> {
    if folder.join(".github").is_dir() {
        return Some(Forge::Github);
    }
    folder.join(".gitlab-ci.yml").is_file().then_some(Forge::Gitlab)
}

fn write(folder: &Path, path: &Path, text: &str) -> Result<(), Unwritten> {
    let failed = |source| Unwritten::new(path, source);
    if !folder.is_dir() {
        return Err(failed(std::io::Error::from(std::io::ErrorKind::NotFound)));
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
        // A link among the folders would lead out of the repository.
        let real = fs::canonicalize(parent).map_err(failed)?;
        let root = fs::canonicalize(folder).map_err(failed)?;
        if !real.starts_with(root) {
            return Err(failed(std::io::Error::other("a link leads out of the folder")));
        }
    }
    staged::write(path, failed, |file| file.write_all(text.as_bytes()).map_err(failed))
}

/// The folder of policies cannot stand in a CI file.
#[derive(Debug, thiserror::Error)]
#[error("`--policies` names no folder that a CI file can hold")]
struct NoFolder;

impl Hint for NoFolder {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed("name it relative to the repository, such as `policies`"))
    }
}
