//! What nobody sees into: files that write policies when somebody runs them, and files that are sealed or packed. What comes of them
//! is not known, so they are named, and a change that brings one, or another one, does not pass unseen.

use super::calls::{self, Known};
use super::documents::is_document;
use super::files::{self, Files};
use super::globs::Globs;
use super::text::{self, is_so};
use super::{Problem, Reader};
use crate::origin::Origin;
use crate::policy::load;
use crate::policy::syntax;
use crate::vault::name;
use flate2::read::MultiGzDecoder;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The most that is unpacked of all files together.
const MAX_UNPACKED: usize = 256 * 1024 * 1024;

impl Reader<'_> {
    /// Names them, of all files that are there: not policies, Terraform, what people read, or what is named already.
    pub(super) fn opaque(&mut self, all: &[&PathBuf], folders: &[&PathBuf], used: &BTreeSet<PathBuf>) {
        let mut read: BTreeMap<PathBuf, BTreeSet<Arc<str>>> = BTreeMap::new();
        for (path, policy) in &self.read.files {
            let names = read.entry(files::tidy(path)).or_default();
            names.extend(policy.iter().map(|policy| Arc::clone(&policy.name)));
        }
        // What is told whatever the base has.
        let told = self.read.unread.iter().filter(|one| one.same.is_none());
        let told: BTreeSet<PathBuf> = told.map(|one| files::tidy(Path::new(&*one.origin.file))).collect();
        let near: BTreeSet<&Path> = read.keys().filter_map(|path| path.parent()).collect();
        let all_tidy: Vec<PathBuf> = all.iter().map(|path| files::tidy(path)).collect();
        let folders: Vec<PathBuf> = folders.iter().map(|folder| files::tidy(folder)).collect();
        let mut around: BTreeMap<PathBuf, Files> = BTreeMap::new();
        let mut left = MAX_UNPACKED;
        for (path, tidy) in all.iter().zip(&all_tidy) {
            let is_policy = read.contains_key(tidy) && !is_document(path);
            let passed = is_policy
                || self.plans.contains(tidy)
                || told.contains(tidy)
                || files::is_terraform(path)
                || load::is_prose(path);
            if passed || self.is_left_behind(path) {
                continue;
            }
            let file = path.display().to_string();
            let problem = |why: &str, same| Problem {
                what: file.clone(),
                why: why.to_owned(),
                origin: Origin::new(file.as_str(), 1, 1),
                policy: None,
                same,
            };
            let bytes = match crate::files::read(path, files::MAX_FILE) {
                Ok(bytes) => bytes,
                Err(error) => {
                    let why = format!("it cannot be read, and may write policies or hold some: {error}");
                    self.read.opaque.push(problem(&why, text::digest_of_file(path)));
                    continue;
                }
            };
            let top = top(tidy, &folders);
            let place = Place {
                files: around
                    .entry(top.to_path_buf())
                    .or_insert_with(|| Files::around(top, HashMap::new())),
                all: &all_tidy,
                read: &read,
                top,
                path: tidy,
            };
            // Where policies are, and below, anything may be one; elsewhere what is called as one.
            // What Terraform reads has to say a policy that is found there, or is named by now.
            let may_hold = || {
                !used.contains(tidy)
                    && (tidy.ancestors().skip(1).any(|above| near.contains(above)) || is_called_as_one(tidy))
            };
            let text = String::from_utf8_lossy(&bytes);
            let found = if calls::writes(&text, &place) {
                let same = place.with_what_it_names(&bytes, &text);
                Some(problem(
                    "it writes policies when somebody runs it, and what it writes is not read",
                    same,
                ))
            } else {
                let seal = seal(path, &bytes).filter(|_| may_hold() && !is_other_packed(&bytes, &mut left));
                seal.map(|how| {
                    problem(
                        &format!("nobody sees what it holds, which may be a policy: it is {how}"),
                        Some(is_so(path, &bytes)),
                    )
                })
            };
            self.read.opaque.extend(found);
        }
    }
}

/// The folder that was asked for and that a file is in; of one that was named by itself, its own.
fn top<'p>(path: &'p Path, folders: &'p [PathBuf]) -> &'p Path {
    let own = path.parent().filter(|own| !own.as_os_str().is_empty());
    let holds = |folder: &&PathBuf| path.starts_with(folder) || **folder == Path::new(".") && path.is_relative();
    let folder = folders.iter().find(holds).map(PathBuf::as_path);
    folder.or(own).unwrap_or(Path::new("."))
}

/// Where a script stands, and what is known of the files around it.
struct Place<'p> {
    files: &'p Files,
    all: &'p [PathBuf],
    /// What is read as policies, with their names.
    read: &'p BTreeMap<PathBuf, BTreeSet<Arc<str>>>,
    /// The folder that was asked for.
    top: &'p Path,
    path: &'p Path,
}

impl Place<'_> {
    /// The folders that names in it may stand below: its own, and those above, up to the folder that was asked for.
    fn bases(&self) -> impl Iterator<Item = &Path> {
        let mut below = true;
        self.path.ancestors().skip(1).take_while(move |above| {
            let here = below;
            below = *above != self.top;
            here
        })
    }

    /// What a name stands for, where the repository, or the folder that was asked for, has it.
    fn named(&self, name: &str) -> Option<PathBuf> {
        if name.starts_with('/') || name.is_empty() {
            return None;
        }
        let mut places = self.bases().map(|base| files::tidy(&base.join(name)));
        places.find(|path| self.files.holds(path))
    }

    /// Whether something is a policy, or a folder of policies and what people read, which are checked by themselves.
    fn is_of_policies(&self, path: &Path) -> bool {
        if !path.is_dir() {
            return self.read.contains_key(path);
        }
        let mut below = self.all.iter().filter(|one| one.starts_with(path)).peekable();
        below.peek().is_some() && below.all(|one| self.read.contains_key(one) || load::is_prose(one))
    }

    /// What a file is, with the files and folders that it names and that are no policies; none where that is not known.
    fn with_what_it_names(&self, bytes: &[u8], text: &str) -> Option<Arc<str>> {
        let mut said = is_so(self.path, bytes).to_string();
        for name in calls::names(text)? {
            // Most words name nothing.
            let named = self.named(name).filter(|path| path != self.path);
            if let Some(path) = named.filter(|path| !self.is_of_policies(path)) {
                said.push_str(&format!("\0{name}\0{}", self.files.digest(&path)?));
            }
        }
        Some(text::digest(&said))
    }

    /// Whether a file is read as the policy of a name, as servers make it.
    fn is_called(&self, path: &Path, name: &str) -> bool {
        let names = self.read.get(path);
        names.is_some_and(|names| names.contains(&*name::policy(name)))
    }
}

impl Known for Place<'_> {
    fn is_policy(&self, file: &str, name: &str) -> bool {
        self.named(file).is_some_and(|path| self.is_called(&path, name))
    }

    fn is_other(&self, file: &str) -> bool {
        let named = self.named(file);
        named.is_some_and(|path| path != self.path && !self.is_of_policies(&path))
    }

    fn are_policies(&self, pattern: &str) -> bool {
        let Ok(pattern) = Globs::new(std::iter::once(pattern.trim_start_matches("./"))) else {
            return false;
        };
        // A shell's pattern passes over what begins with a dot.
        let is_hidden = |path: &Path| path.iter().any(|part| part.as_encoded_bytes().starts_with(b"."));
        let found = |base: &Path| -> Vec<&PathBuf> {
            let is_found = |below: &Path| pattern.matches(below) && !is_hidden(below);
            let all = self.all.iter();
            all.filter(|path| path.strip_prefix(base).is_ok_and(is_found)).collect()
        };
        let by_its_file = |path: &&PathBuf| {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            self.is_called(path, &stem)
        };
        let first = self.bases().map(found).find(|found| !found.is_empty());
        first.is_some_and(|found| found.iter().all(by_its_file))
    }
}

/// Whether a file is called as policies are: by a folder, by its own name, or by an ending below that of what seals it.
fn is_called_as_one(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let mut parts = path.iter().map(|part| part.to_string_lossy().to_lowercase());
    parts.any(|part| part.contains("polic")) || name.contains(".hcl") || name.contains(".tf")
}

/// Whether a file is packed with gzip, and what is in it is read, and is no policy: an audit log beside the policies. `left` is what may
/// be unpacked yet.
fn is_other_packed(bytes: &[u8], left: &mut usize) -> bool {
    let most = files::MAX_FILE.min(*left);
    let mut plain = Vec::new();
    let unpacked = MultiGzDecoder::new(bytes).take(most as u64 + 1).read_to_end(&mut plain);
    *left = left.saturating_sub(plain.len());
    if unpacked.is_err() || plain.len() > most || syntax::is_other_than_text(&plain) {
        return false;
    }
    std::str::from_utf8(&plain).is_ok_and(|text| !load::looks_like_policy(text) && !text.contains("vault_policy"))
}

/// How a file is sealed or packed, if it is: by how it begins, what it holds, or what it is called.
fn seal(path: &Path, bytes: &[u8]) -> Option<&'static str> {
    const ENDINGS: [(&str, &str); 19] = [
        ("7z", "an archive"),
        ("age", "encrypted (age)"),
        ("asc", "encrypted or signed (PGP)"),
        ("br", "compressed (Brotli)"),
        ("bz2", "compressed (bzip2)"),
        ("cpio", "an archive"),
        ("enc", "encrypted"),
        ("gpg", "encrypted (PGP)"),
        ("gz", "compressed (gzip)"),
        ("lz4", "compressed (LZ4)"),
        ("lzma", "compressed (LZMA)"),
        ("pgp", "encrypted (PGP)"),
        ("rar", "an archive"),
        ("sz", "compressed (Snappy)"),
        ("tar", "an archive"),
        ("tgz", "an archive"),
        ("xz", "compressed (xz)"),
        ("zip", "an archive"),
        ("zst", "compressed (zstd)"),
    ];
    const WORDS: [(&[u8], &str); 5] = [
        (b"ENC[AES256_GCM,", "encrypted (SOPS)"),
        (b"$ANSIBLE_VAULT;", "encrypted (Ansible)"),
        (b"SealedSecret", "encrypted (SealedSecret)"),
        (b"-----BEGIN PGP MESSAGE-----", "encrypted (PGP)"),
        (b"-----BEGIN AGE ENCRYPTED FILE-----", "encrypted (age)"),
    ];
    let holds = |word: &[u8]| memchr::memmem::find(bytes, word).is_some();
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    let by_name = ENDINGS.iter().find(|(end, _)| ending.as_deref() == Some(*end));
    let by_word = || WORDS.iter().find(|(word, _)| holds(word)).map(|(_, how)| *how);
    // The first bytes of gzip in base64.
    let packed = || {
        let mut found = memchr::memmem::find_iter(bytes, b"H4sI");
        let begins = |at: usize| {
            at.checked_sub(1)
                .and_then(|at| bytes.get(at))
                .is_none_or(|b| !b.is_ascii_alphanumeric())
        };
        found.any(begins).then_some("packed within (gzip in base64)")
    };
    syntax::sealed_as(bytes)
        .or_else(|| by_name.map(|(_, how)| *how))
        .or_else(by_word)
        .or_else(packed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_looked_into() {
        let packed = |bytes: &[u8]| {
            let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut writer, bytes).unwrap();
            writer.finish().unwrap()
        };
        let is_other = |bytes: &[u8]| is_other_packed(bytes, &mut MAX_UNPACKED.clone());
        assert!(is_other(&packed(b"{\"type\":\"request\"}\n")));
        assert!(!is_other(&packed(b"path \"a\" { capabilities = [\"read\"] }\n")));
        assert!(!is_other(&packed(&packed(b"x"))), "packed twice");
        assert!(!is_other(&packed(&vec![b' '; files::MAX_FILE + 1])), "without end");
        let whole = packed(b"plain");
        assert!(!is_other(&whole[..whole.len() - 4]) && !is_other(b"plain"));
        let mut left = 10;
        assert!(is_other_packed(&packed(b"12345"), &mut left) && left == 5);
        assert!(
            !is_other_packed(&packed(b"1234567"), &mut left) && left == 0,
            "more than may be unpacked"
        );
    }

    #[test]
    fn what_is_sealed_is_told_from_what_is_not() {
        for (name, text) in [
            ("a.age", "x"),
            ("a.hcl.gz", "x"),
            ("a", "\x1f\u{8b}"),
            ("a.yaml", "data:\n  p: ENC[AES256_GCM,data:x]\n"),
            ("a.yaml", "p: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  61\n"),
            ("a.yaml", "kind: SealedSecret\n"),
            ("a.yaml", "data:\n  p: H4sIAAAAAAAA\n"),
            ("a.txt", "-----BEGIN AGE ENCRYPTED FILE-----\n"),
        ] {
            let bytes: Vec<u8> = if text.starts_with('\x1f') {
                b"\x1f\x8b\x08".to_vec()
            } else {
                text.into()
            };
            assert!(seal(Path::new(name), &bytes).is_some(), "{name}: {text}");
        }
        for (name, text) in [
            ("a.yaml", "a: b\n"),
            ("a.png", "\u{89}PNG"),
            ("a.yaml", "x: aH4sI\n"),
            ("a", "enc"),
        ] {
            assert_eq!(seal(Path::new(name), text.as_bytes()), None, "{name}: {text}");
        }
        assert!(is_called_as_one(Path::new("a/web.hcl.age")) && is_called_as_one(Path::new("policies/x.yaml")));
        assert!(!is_called_as_one(Path::new("a/secrets.yaml")));
    }
}
