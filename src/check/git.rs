//! What git has of the policies: every call of `git` is built here, and none of them can run anything.
//!
//! A change under review may bring what git itself would obey: a bare repository among the policies, whose configuration
//! names commands. So the repository is found by us and named to git (`GIT_DIR`, `GIT_WORK_TREE`); no configuration but its
//! own is read, and what in that could run something is switched off; nothing is fetched, over no protocol; no hook, filter,
//! monitor, pager or external diff has an occasion. No name from the repository is used as it stands: each is checked to
//! stay inside the folder that it is written to.
//!
//! Why not a library: `gix` reads objects without running anything and would need no such list. It brings some 150 packages
//! to build for four plumbing calls, opens what git's own rules of revisions, partial clones, worktrees and object formats
//! call for only in part, and its reading of refs is not the one that the user's `git rev-parse` shows. The
//! calls here are `rev-parse`, `for-each-ref`, `ls-tree`, `ls-files` and `cat-file` alone, of which none runs hooks or filters.

use crate::hint::Hint;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

/// A repository that the user works in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repo {
    /// Its top folder.
    top: PathBuf,
    /// What git keeps (`.git`, or what a worktree's `.git` leads to).
    dir: PathBuf,
}

/// Files of a revision, written to a folder.
#[derive(Debug, Default)]
pub struct Export {
    /// How many there are.
    pub files: usize,
    /// What was left out: its name and why.
    pub left_out: Vec<(String, &'static str)>,
    /// Submodules.
    pub submodules: Vec<Submodule>,
}

/// A submodule: another repository that stands in a folder, of which nothing is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submodule {
    /// Where, from the top.
    pub path: String,
    /// At which of its commits.
    pub commit: String,
}

/// Why a revision can't be read.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The revision's name can't be one.
    #[error("`{0}` is not a git revision")]
    Name(String),
    /// More than one thing has the revision's name.
    #[error("`{name}` may be {}", refs.iter().map(|r| format!("`{r}`")).collect::<Vec<_>>().join(" or "))]
    Ambiguous {
        /// The name.
        name: String,
        /// What it may be.
        refs: Vec<String>,
    },
    /// There is no repository.
    #[error("`{0}` is not in a git repository")]
    NoRepo(String),
    /// The path is a repository inside of the one that is worked in: a change brings what it points to.
    #[error("`{path}` is a submodule of `{outer}`: a change says what it points to")]
    Submodule {
        /// The inner repository.
        path: String,
        /// The outer one.
        outer: String,
    },
    /// A folder on the way is a link.
    #[error("`{0}` is a link: a change says where it leads")]
    Link(String),
    /// The file system said no.
    #[error("cannot read `{path}`: {source}")]
    Io {
        /// What.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Git could not be run.
    #[error("cannot run `git`: {0}")]
    Run(#[source] std::io::Error),
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
    #[error("cannot write the files of the revision: {0}")]
    Write(#[source] std::io::Error),
}

impl Hint for GitError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(match self {
            Self::Ambiguous { .. } => {
                "give its full name, such as refs/remotes/origin/main, or the whole id of a commit"
            }
            Self::NoRepo(_) => "`--base-dir` takes a folder with the policies before the change",
            Self::Submodule { .. } | Self::Link(_) => "give the policies before the change as a folder: `--base-dir`",
            _ => {
                "`--base` takes a git revision of the repository that holds the policies (a shallow clone lacks earlier ones: \
             `git fetch` them); a folder is named with `--base-dir`"
            }
        }))
    }
}

/// The most bytes of a file that is taken out of a repository.
const MAX_BYTES: u64 = 32 * 1024 * 1024;
/// The most bytes of all of them.
const MAX_ALL_BYTES: u64 = 1024 * 1024 * 1024;
/// The most bytes of a `.git` file.
const MAX_POINTER_BYTES: usize = 64 * 1024;

/// What in a repository's own configuration could run something, or ask another for it.
const HARMLESS: [&str; 14] = [
    "safe.bareRepository=explicit",
    "protocol.allow=never",
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.askPass=",
    "core.editor=false",
    "core.sshCommand=false",
    "core.gitProxy=",
    "core.alternateRefsCommand=false",
    "core.pager=cat",
    "credential.helper=",
    "diff.external=",
];

impl Repo {
    /// The repository that holds `path`, which need not be there: the nearest folder above with a `.git`.
    ///
    /// # Errors
    /// Where there is none, where it is another's submodule, or where a link is on the way.
    pub fn holding(path: &Path) -> Result<Self, GitError> {
        let path = plain(path)?;
        let found = path.ancestors().find_map(|folder| {
            let dot = folder.join(".git");
            dot.symlink_metadata().is_ok().then_some((folder, dot))
        });
        let Some((top, dot)) = found else {
            return Err(GitError::NoRepo(path.display().to_string()));
        };
        let dir = git_dir(&dot)?;
        // A worktree has what is common to all elsewhere; a submodule's all is inside of the outer repository's own.
        if !dir.join("commondir").exists()
            && let Some(outer) = top.ancestors().skip(1).find(|folder| folder.join(".git").exists())
            && dir.starts_with(git_dir(&outer.join(".git"))?)
        {
            return Err(GitError::Submodule {
                path: top.display().to_string(),
                outer: outer.display().to_string(),
            });
        }
        Ok(Self {
            top: top.to_path_buf(),
            dir,
        })
    }

    /// Where `path` is below the top folder. No folder on the way, nor itself, may be a link.
    ///
    /// # Errors
    /// Where it is in another repository, or a link is on the way.
    pub fn below(&self, path: &Path) -> Result<PathBuf, GitError> {
        let path = plain(path)?;
        let below = path
            .strip_prefix(&self.top)
            .map_err(|_| GitError::NoRepo(path.display().to_string()))?;
        let mut at = self.top.clone();
        for part in below {
            at.push(part);
            if at.is_symlink() {
                return Err(GitError::Link(at.display().to_string()));
            }
        }
        Ok(below.to_path_buf())
    }

    /// The commit that a revision is. A name that several refs have is none.
    ///
    /// # Errors
    /// Where git does not know it, or knows more than one.
    pub fn commit(&self, revision: &str) -> Result<String, GitError> {
        if revision.is_empty() || revision.starts_with('-') || revision.contains(char::is_control) {
            return Err(GitError::Name(revision.escape_debug().to_string()));
        }
        // Whoever names a branch as the base is called would have it taken for the base.
        let name = revision.split(['~', '^', '@', ':']).next().unwrap_or_default();
        let kinds = ["refs/", "refs/tags/", "refs/heads/", "refs/remotes/"];
        let patterns: Vec<OsString> = kinds.iter().map(|kind| format!("{kind}{name}").into()).collect();
        let mut arguments: Vec<&OsStr> = vec![OsStr::new("--format=%(refname)"), OsStr::new("--")];
        arguments.extend(patterns.iter().map(OsString::as_os_str));
        let listed = self.git("for-each-ref", &arguments)?;
        // A pattern matches what is below it too.
        let refs: Vec<String> = String::from_utf8_lossy(&listed)
            .lines()
            .filter(|found| patterns.iter().any(|pattern| pattern == found))
            .map(str::to_owned)
            .collect();
        let is_id = (4..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_hexdigit());
        let several = refs.len() > 1 || (is_id && !refs.is_empty());
        if several && !name.is_empty() && !revision.starts_with("refs/") {
            let mut refs = refs;
            if is_id {
                refs.push(format!("commit {name}"));
            }
            return Err(GitError::Ambiguous {
                name: name.to_owned(),
                refs,
            });
        }
        let wanted = format!("{revision}^{{commit}}");
        let said = self.git(
            "rev-parse",
            &["--verify", "--quiet", "--end-of-options", &wanted].map(OsStr::new),
        );
        let said = said.map_err(|e| match e {
            GitError::Said { said, .. } if said.is_empty() => GitError::Name(revision.to_owned()),
            other => other,
        })?;
        let commit = String::from_utf8_lossy(&said).trim().to_owned();
        if commit.len() >= 40 && commit.bytes().all(|b| b.is_ascii_hexdigit()) {
            Ok(commit)
        } else {
            Err(GitError::Form("rev-parse"))
        }
    }

    /// Whether git knows a file of the work tree, so that a change can bring it.
    ///
    /// # Errors
    /// Where git can't say.
    pub fn tracks(&self, below: &Path) -> Result<bool, GitError> {
        let listed = self.git("ls-files", &[OsStr::new("-z"), OsStr::new("--"), below.as_os_str()])?;
        Ok(!listed.is_empty())
    }

    /// The submodules that git knows at and below a path of the work tree.
    ///
    /// # Errors
    /// Where git can't say.
    pub fn submodules(&self, below: &Path) -> Result<Vec<Submodule>, GitError> {
        const WHAT: &str = "ls-files";
        let mut arguments = ["-s", "-z"].map(OsStr::new).to_vec();
        if !below.as_os_str().is_empty() {
            arguments.extend([OsStr::new("--"), below.as_os_str()]);
        }
        let listed = self.git(WHAT, &arguments)?;
        let mut found = Vec::new();
        for entry in listed.split(|b| *b == 0).filter(|e| !e.is_empty()) {
            let entry = String::from_utf8_lossy(entry);
            let (head, path) = entry.split_once('\t').ok_or(GitError::Form(WHAT))?;
            let mut words = head.split_ascii_whitespace();
            let (Some(mode), Some(commit)) = (words.next(), words.next()) else {
                return Err(GitError::Form(WHAT));
            };
            if mode == "160000" {
                found.push(Submodule {
                    path: path.to_owned(),
                    commit: commit.to_owned(),
                });
            }
        }
        Ok(found)
    }

    /// All files that git knows of the work tree, by their real paths.
    ///
    /// # Errors
    /// Where git can't say.
    pub fn tracked(&self) -> Result<BTreeSet<PathBuf>, GitError> {
        let listed = self.git("ls-files", &[OsStr::new("-z")])?;
        let top = self.top.canonicalize().map_err(|source| GitError::Io {
            path: self.top.display().to_string(),
            source,
        })?;
        let names = listed.split(|b| *b == 0).filter(|name| !name.is_empty());
        Ok(names.map(|name| top.join(OsStr::from_bytes(name))).collect())
    }

    /// Writes what `commit` has at and below `below` to `place`, the files of a folder or the one file.
    ///
    /// # Errors
    /// Where git can't say, or the files can't be written.
    pub fn export(&self, commit: &str, below: &Path, place: &Path) -> Result<Export, GitError> {
        const WHAT: &str = "ls-tree";
        let mut arguments = ["-r", "-z", "-l", "--full-tree", commit].map(OsStr::new).to_vec();
        if !below.as_os_str().is_empty() {
            arguments.extend([OsStr::new("--"), below.as_os_str()]);
        }
        let listed = self.git(WHAT, &arguments)?;
        let mut export = Export::default();
        let mut wanted: Vec<(String, PathBuf)> = Vec::new();
        let mut all = 0_u64;
        for entry in listed.split(|b| *b == 0).filter(|e| !e.is_empty()) {
            let tab = entry.iter().position(|b| *b == b'\t').ok_or(GitError::Form(WHAT))?;
            let (head, name) = entry.split_at_checked(tab).ok_or(GitError::Form(WHAT))?;
            let name = Path::new(OsStr::from_bytes(name.get(1..).unwrap_or_default()));
            let head = String::from_utf8_lossy(head);
            let mut words = head.split_ascii_whitespace();
            let (Some(mode), Some(kind), Some(id), Some(size)) =
                (words.next(), words.next(), words.next(), words.next())
            else {
                return Err(GitError::Form(WHAT));
            };
            // Below itself there is nothing where it is a file.
            let relative = name.strip_prefix(below).map_err(|_| GitError::Form(WHAT))?;
            let target = if relative.as_os_str().is_empty() {
                place.to_path_buf()
            } else {
                place.join(relative)
            };
            let size: u64 = size.parse().unwrap_or(u64::MAX);
            if kind == "commit" {
                export.submodules.push(Submodule {
                    path: name.display().to_string(),
                    commit: id.to_owned(),
                });
            }
            let why = if kind != "blob" || !matches!(mode, "100644" | "100755") {
                Some("no plain file in git")
            } else if !is_inside(name) {
                Some("a name that leads out of the folder")
            } else if size > MAX_BYTES || all.saturating_add(size) > MAX_ALL_BYTES {
                Some("too large")
            } else {
                None
            };
            match why {
                Some(why) => export.left_out.push((name.display().to_string(), why)),
                None => {
                    all += size;
                    wanted.push((id.to_owned(), target));
                }
            }
        }
        export.files = wanted.len();
        if !wanted.is_empty() {
            self.write_all(&wanted)?;
        }
        Ok(export)
    }

    /// Writes blobs to files, all through one `git cat-file`.
    fn write_all(&self, wanted: &[(String, PathBuf)]) -> Result<(), GitError> {
        const WHAT: &str = "cat-file";
        let mut child = self
            .command(WHAT)
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
        let mut written = Ok(());
        for (id, path) in wanted {
            written = write_one(&mut output, id, path);
            if written.is_err() {
                break;
            }
        }
        drop(output);
        let asked = asking.join().is_ok_and(|r| r.is_ok());
        let ended = child.wait().map_err(GitError::Run)?;
        written?;
        if asked && ended.success() {
            Ok(())
        } else {
            Err(GitError::Form(WHAT))
        }
    }

    /// The one place that makes a call of git.
    fn command(&self, what: &str) -> Command {
        let mut command = Command::new("git");
        // What a hook or a user's shell has set is not for us: another repository, another index, more configuration.
        for (name, _) in std::env::vars_os() {
            if name.as_bytes().starts_with(b"GIT_") {
                command.env_remove(name);
            }
        }
        command
            .current_dir(&self.top)
            .env("GIT_DIR", &self.dir)
            .env("GIT_WORK_TREE", &self.top)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_ALLOW_PROTOCOL", "")
            .env("GIT_PROTOCOL_FROM_USER", "0")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ASKPASS", "false")
            .env("GIT_SSH_COMMAND", "false")
            .env("LC_ALL", "C");
        for setting in HARMLESS {
            command.args(["-c", setting]);
        }
        command.args(["--no-pager", "--literal-pathspecs", what]);
        command
    }

    fn git(&self, what: &'static str, arguments: &[&OsStr]) -> Result<Vec<u8>, GitError> {
        let output = self
            .command(what)
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
}

fn write_one(output: &mut impl BufRead, id: &str, path: &Path) -> Result<(), GitError> {
    const WHAT: &str = "cat-file";
    let mut head = String::new();
    output.read_line(&mut head).map_err(GitError::Run)?;
    let size = head
        .trim_end()
        .strip_prefix(id)
        .and_then(|rest| rest.strip_prefix(" blob "));
    let Some(size) = size.and_then(|size| size.parse::<u64>().ok()) else {
        // A partial clone lacks blobs, and none is fetched here.
        return match head.trim_end().ends_with(" missing") {
            true => Err(GitError::Said {
                what: WHAT,
                said: format!("the repository does not have {id}: it is a partial clone"),
            }),
            false => Err(GitError::Form(WHAT)),
        };
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(GitError::Write)?;
    }
    let mut file = std::fs::File::create_new(path).map_err(GitError::Write)?;
    let moved = std::io::copy(&mut output.take(size), &mut file).map_err(GitError::Write)?;
    let mut end = [0];
    output.read_exact(&mut end).map_err(GitError::Run)?;
    if moved == size {
        Ok(())
    } else {
        Err(GitError::Form(WHAT))
    }
}

/// A path from the root, with no `..` in it. Links stay: git's names are those of the way, not of where it leads.
fn plain(path: &Path) -> Result<PathBuf, GitError> {
    let failed = |source| GitError::Io {
        path: path.display().to_string(),
        source,
    };
    let path = std::path::absolute(path).map_err(failed)?;
    let parts: Vec<Component<'_>> = path.components().collect();
    let Some(last) = parts.iter().rposition(|part| *part == Component::ParentDir) else {
        return Ok(path);
    };
    let lead: PathBuf = parts.iter().take(last + 1).collect();
    let rest: PathBuf = parts.iter().skip(last + 1).collect();
    Ok(lead.canonicalize().map_err(failed)?.join(rest))
}

/// What git keeps, from the `.git` that is in the top folder: a folder, or a file that says where it is.
fn git_dir(dot: &Path) -> Result<PathBuf, GitError> {
    let failed = |source| GitError::Io {
        path: dot.display().to_string(),
        source,
    };
    if dot.is_dir() {
        return dot.canonicalize().map_err(failed);
    }
    let text = crate::files::read(dot, MAX_POINTER_BYTES).map_err(failed)?;
    let line = text.split(|b| *b == b'\n').next().unwrap_or_default();
    let place = line.strip_prefix(b"gitdir: ").ok_or(GitError::Form(".git"))?;
    let folder = dot.parent().unwrap_or(Path::new("/"));
    folder.join(OsStr::from_bytes(place)).canonicalize().map_err(failed)
}

/// Whether a name stays inside the folder that it is joined to.
fn is_inside(name: &Path) -> bool {
    name.components().count() > 0 && name.components().all(|c| matches!(c, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn git(folder: &Path, arguments: &[&str]) {
        let mut command = Command::new("git");
        command
            .current_dir(folder)
            .args(["-c", "user.name=a", "-c", "user.email=a@b"]);
        let output = command.args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }

    fn repo() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().join("repo");
        fs::create_dir_all(top.join("policies/-x")).unwrap();
        fs::write(top.join("policies/-x/--all.hcl"), "1").unwrap();
        fs::write(top.join("policies/a\nb.hcl"), "2").unwrap();
        std::os::unix::fs::symlink("a", top.join("policies/link.hcl")).unwrap();
        git(folder.path(), &["init", "-q", "-b", "main", "repo"]);
        git(&top, &["add", "."]);
        git(&top, &["commit", "-qm", "one"]);
        (folder, top)
    }

    #[test]
    fn what_a_revision_has_is_written_and_the_rest_named() {
        let (folder, top) = repo();
        let found = Repo::holding(&top.join("policies")).unwrap();
        let commit = found.commit("main").unwrap();
        let place = folder.path().join("out");
        let below = found.below(&top.join("policies")).unwrap();
        let export = found.export(&commit, &below, &place).unwrap();
        assert_eq!((export.files, export.left_out.len()), (2, 1));
        assert_eq!(fs::read_to_string(place.join("-x/--all.hcl")).unwrap(), "1");
        assert_eq!(fs::read_to_string(place.join("a\nb.hcl")).unwrap(), "2");
        let one = folder.path().join("one");
        found.export(&commit, Path::new("policies/-x/--all.hcl"), &one).unwrap();
        assert_eq!(fs::read_to_string(one).unwrap(), "1");
        assert!(found.tracks(Path::new("policies/-x/--all.hcl")).unwrap());
        fs::write(top.join("new"), "").unwrap();
        assert!(!found.tracks(Path::new("new")).unwrap());
    }

    #[test]
    fn a_revision_is_one_thing_and_no_flag() {
        let (_folder, top) = repo();
        let found = Repo::holding(&top).unwrap();
        for revision in ["--output=x", "", "a\nb", "-", "none", "policies"] {
            assert!(matches!(found.commit(revision), Err(GitError::Name(_))), "{revision}");
        }
        let commit = found.commit("HEAD").unwrap();
        assert_eq!(found.commit("main^0").unwrap(), commit);
        let short = &commit[..8];
        assert_eq!(found.commit(short).unwrap(), commit);
        git(&top, &["update-ref", "refs/remotes/origin/main", &commit]);
        assert_eq!(found.commit("origin/main").unwrap(), commit);
        git(&top, &["tag", "origin/main"]);
        let error = found.commit("origin/main").unwrap_err();
        assert_eq!(
            error.to_string(),
            "`origin/main` may be `refs/remotes/origin/main` or `refs/tags/origin/main`"
        );
        assert_eq!(found.commit("refs/remotes/origin/main").unwrap(), commit);
        git(&top, &["branch", short]);
        assert!(matches!(found.commit(short), Err(GitError::Ambiguous { .. })));
    }

    #[test]
    fn links_submodules_and_no_repository_are_refused() {
        let (folder, top) = repo();
        let found = Repo::holding(&top).unwrap();
        std::os::unix::fs::symlink("policies", top.join("other")).unwrap();
        assert!(matches!(found.below(&top.join("other/-x")), Err(GitError::Link(_))));
        assert!(matches!(Repo::holding(folder.path()), Err(GitError::NoRepo(_))));
        assert!(matches!(found.below(folder.path()), Err(GitError::NoRepo(_))));
        git(
            &top,
            &[
                "-c",
                "protocol.file.allow=always",
                "submodule",
                "--quiet",
                "add",
                top.to_str().unwrap(),
                "sub",
            ],
        );
        assert!(matches!(
            Repo::holding(&top.join("sub")),
            Err(GitError::Submodule { .. })
        ));
        git(&top, &["commit", "-q", "-m", "with a submodule"]);
        let commit = found.commit("HEAD").unwrap();
        let place = tempfile::tempdir().unwrap();
        let export = found.export(&commit, Path::new(""), place.path()).unwrap();
        assert_eq!(export.submodules, found.submodules(Path::new("")).unwrap());
        assert_eq!(export.submodules.len(), 1);
        assert_eq!(found.submodules(Path::new("policies")).unwrap(), []);
        git(&top, &["worktree", "add", "-q", "tree", "HEAD"]);
        let tree = Repo::holding(&top.join("tree/policies")).unwrap();
        assert_eq!(tree.commit("HEAD").unwrap(), found.commit("HEAD").unwrap());
        let up = Repo::holding(&top.join("policies/-x/../../policies")).unwrap();
        assert_eq!(up.commit("HEAD").unwrap(), found.commit("HEAD").unwrap());
    }

    #[test]
    fn no_name_leads_out() {
        for name in ["../x.hcl", "/etc/x.hcl", "a/../../x.hcl", ""] {
            assert!(!is_inside(Path::new(name)), "{name}");
        }
        assert!(is_inside(Path::new("a/b.hcl")));
    }
}
