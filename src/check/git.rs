//! The policies as they were at a git revision, taken out of the repository into a folder of their own. Nothing is checked
//! out, no hook runs, and no name from the repository is used as it stands: each is checked to stay inside the folder.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// What a revision has below some paths.
#[derive(Debug)]
pub struct Export {
    folder: TempDir,
    /// The paths that stand for those asked for; those that were not there yet are missing.
    pub paths: Vec<PathBuf>,
    /// What was left out: its name and why.
    pub left_out: Vec<(String, &'static str)>,
    /// The commit.
    pub commit: String,
}

impl Export {
    /// The folder that all is in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// Why a revision can't be read.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The revision's name can't be one.
    #[error("`{0}` is no git revision and no folder")]
    Name(String),
    /// Git could not be run.
    #[error("cannot run `git`: {0}")]
    Run(std::io::Error),
    /// Git said no.
    #[error("`git {what}` failed: {said}")]
    Said {
        /// The subcommand.
        what: &'static str,
        /// What it said.
        said: String,
    },
    /// Git answered in a way that is not understood.
    #[error("`git {0}` answered in an unknown form")]
    Form(&'static str),
    /// The folder for the files could not be written.
    #[error("cannot write the policies of the revision: {0}")]
    Write(std::io::Error),
}

/// Endings of files that may hold policies.
const ENDINGS: [&str; 4] = [".hcl", ".json", ".policy", ".tf"];

/// Takes what `paths` had at `revision` out of the repository.
///
/// # Errors
/// Where there is no git, no repository or no such revision.
pub fn export(revision: &str, paths: &[PathBuf]) -> Result<Export, GitError> {
    let odd = |c: char| c.is_control() || c == '\u{7f}';
    if revision.is_empty() || revision.starts_with('-') || revision.contains(odd) {
        return Err(GitError::Name(revision.escape_debug().to_string()));
    }
    let folder = tempfile::tempdir().map_err(GitError::Write)?;
    let mut export = Export {
        folder,
        paths: Vec::new(),
        left_out: Vec::new(),
        commit: String::new(),
    };
    for (n, path) in paths.iter().enumerate() {
        let place = export.folder.path().join(n.to_string());
        one(revision, path, &place, &mut export)?;
    }
    Ok(export)
}

fn one(revision: &str, path: &Path, place: &Path, export: &mut Export) -> Result<(), GitError> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
    let (inside, file) = if path.is_dir() {
        (path, None)
    } else {
        (parent.unwrap_or(Path::new(".")), path.file_name())
    };
    let commit = text(
        git(
            inside,
            "rev-parse",
            &["--verify", "--quiet", &format!("{revision}^{{commit}}")],
        )
        .map_err(|e| match e {
            GitError::Said { said, .. } if said.is_empty() => GitError::Name(revision.to_owned()),
            other => other,
        })?,
    );
    let prefix = text(git(inside, "rev-parse", &["--show-prefix"])?);
    let below = match file {
        Some(name) => format!("{prefix}{}", name.to_string_lossy()),
        None => prefix.trim_end_matches('/').to_owned(),
    };
    let mut arguments = vec!["-r", "-z", "--full-tree", commit.as_str()];
    if !below.is_empty() {
        arguments.extend(["--", below.as_str()]);
    }
    let listed = git(inside, "ls-tree", &arguments)?;
    let mut wanted: Vec<(String, PathBuf)> = Vec::new();
    for entry in listed.split(|b| *b == 0).filter(|e| !e.is_empty()) {
        let entry = String::from_utf8_lossy(entry);
        let (head, name) = entry.split_once('\t').ok_or(GitError::Form("ls-tree"))?;
        let mut words = head.split(' ');
        let (Some(mode), Some(kind), Some(id)) = (words.next(), words.next(), words.next()) else {
            return Err(GitError::Form("ls-tree"));
        };
        let lower = name.to_lowercase();
        if file.is_none() && !ENDINGS.iter().any(|e| lower.ends_with(e)) {
            continue;
        }
        let relative = name.strip_prefix(prefix.as_str()).unwrap_or(name);
        if kind != "blob" || mode == "120000" {
            export.left_out.push((name.to_owned(), "no plain file in git"));
        } else if !is_inside(relative) {
            export
                .left_out
                .push((name.to_owned(), "a name that leads out of the folder"));
        } else {
            wanted.push((id.to_owned(), place.join(relative)));
        }
    }
    export.commit = commit;
    if wanted.is_empty() {
        return Ok(());
    }
    export.paths.push(match file {
        Some(name) => place.join(name),
        None => place.to_path_buf(),
    });
    write_all(inside, &wanted)
}

/// Whether a name stays inside the folder that it is joined to.
fn is_inside(name: &str) -> bool {
    !name.contains('\u{fffd}')
        && Path::new(name).components().count() > 0
        && Path::new(name).components().all(|c| matches!(c, Component::Normal(_)))
}

/// Writes blobs to files, all through one `git cat-file`.
fn write_all(inside: &Path, wanted: &[(String, PathBuf)]) -> Result<(), GitError> {
    const WHAT: &str = "cat-file";
    let mut child = command(inside, WHAT)
        .arg("--batch")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(GitError::Run)?;
    let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(GitError::Form(WHAT));
    };
    let ids: String = wanted.iter().map(|(id, _)| format!("{id}\n")).collect();
    // Both ends are moved at once: a pipe holds less than what is asked and what is answered.
    let asking = std::thread::spawn(move || input.write_all(ids.as_bytes()));
    let mut output = BufReader::new(output);
    for (_, path) in wanted {
        let mut head = String::new();
        output.read_line(&mut head).map_err(GitError::Run)?;
        let size: u64 = head
            .trim_end()
            .rsplit(' ')
            .next()
            .and_then(|n| n.parse().ok())
            .ok_or(GitError::Form(WHAT))?;
        let mut bytes = Vec::new();
        (&mut output)
            .take(size)
            .read_to_end(&mut bytes)
            .map_err(GitError::Run)?;
        let mut end = [0];
        output.read_exact(&mut end).map_err(GitError::Run)?;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(GitError::Write)?;
        }
        std::fs::write(path, bytes).map_err(GitError::Write)?;
    }
    drop(output);
    let asked = asking.join().is_ok_and(|r| r.is_ok());
    let ended = child.wait().map_err(GitError::Run)?;
    if asked && ended.success() {
        Ok(())
    } else {
        Err(GitError::Form(WHAT))
    }
}

fn command(inside: &Path, what: &str) -> Command {
    let mut command = Command::new("git");
    command
        .arg("-C")
        .arg(inside)
        .args(["--no-pager", "--literal-pathspecs", what])
        .env("LC_ALL", "C")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_TERMINAL_PROMPT", "0");
    command
}

fn git(inside: &Path, what: &'static str, arguments: &[&str]) -> Result<Vec<u8>, GitError> {
    let output = command(inside, what)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(GitError::Run)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(GitError::Said {
        what,
        said: said.lines().next().unwrap_or("").trim().to_owned(),
    })
}

/// One line of output.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes)
        .trim_end_matches(['\n', '\r'])
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_and_no_revision_is_a_flag() {
        for name in ["../x.hcl", "/etc/x.hcl", "a/../../x.hcl", ""] {
            assert!(!is_inside(name), "{name}");
        }
        assert!(is_inside("a/b.hcl"));
        for revision in ["--output=x", "", "a\nb", "-"] {
            assert!(matches!(
                export(revision, &[PathBuf::from(".")]),
                Err(GitError::Name(_))
            ));
        }
    }
}
