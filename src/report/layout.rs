//! Which policy goes to which file of the output, and where it stood when it was read.
//!
//! Files keep their place in the folder read. Where that is a snapshot, or where policies of namespaces are among them, the
//! output is laid out as a snapshot is, so that two policies of one name stand side by side and can be read again.

use std::collections::BTreeSet;

use super::escape;
use crate::advice::{Change, Proposal, ProposedPolicy, Run};

/// A policy of a proposal with its places.
#[derive(Debug, Clone)]
pub struct Placed<'a> {
    /// The policy.
    pub policy: &'a ProposedPolicy,
    /// Path below `policies/` (and `rollback/`): the place that the file had in the folder read.
    pub file: String,
    /// File name of its diff, below `diffs/`.
    pub diff: String,
    /// Path in the headers of its diff, without the `a/`.
    pub header: String,
}

/// Every policy of `proposal` with its places, in the order of the proposal. No two share a file.
#[must_use]
pub fn place<'a>(run: &Run, proposal: &'a Proposal) -> Vec<Placed<'a>> {
    let root = root(run, proposal);
    let (mut files, mut diffs) = (BTreeSet::new(), BTreeSet::new());
    let as_snapshot = is_snapshot(run, proposal);
    proposal
        .policies
        .iter()
        .map(|policy| {
            let inside = policy
                .file
                .as_deref()
                .filter(|_| policy.change != Change::Add && policy.written.is_none())
                .map(|file| inside(file, &root))
                .filter(|inside| !as_snapshot || inside.starts_with(&snapshot_folder(policy)))
                .unwrap_or_else(|| {
                    let folder = if as_snapshot {
                        snapshot_folder(policy)
                    } else {
                        String::new()
                    };
                    format!("{folder}{}.hcl", escape::file_name(&policy.name))
                });
            let named = policy
                .file
                .as_deref()
                .and_then(clean)
                .filter(|_| root_is_relative(&root));
            let header = match policy.change {
                Change::Add => named_beside(&root, &inside),
                _ => named.unwrap_or_else(|| inside.clone()),
            };
            let (stem, end) = split_end(&inside);
            let diff = unique(&mut diffs, &stem.replace('/', "%2F"), ".diff");
            let file = unique(&mut files, stem, end);
            Placed {
                policy,
                file,
                diff,
                header,
            }
        })
        .collect()
}

/// Whether the policies are laid out as those of a snapshot.
#[must_use]
pub fn is_snapshot(run: &Run, proposal: &Proposal) -> bool {
    let root = root(run, proposal);
    proposal.policies.iter().any(|policy| {
        let in_policies = policy.file.as_deref().is_some_and(|file| {
            let inside = inside(file, &root);
            inside.starts_with(POLICIES) && !policy.name.starts_with(POLICIES)
        });
        !policy.namespace.is_empty() || in_policies
    })
}

/// The mark that makes a folder a snapshot, for whoever reads the policies again.
pub const SNAPSHOT_MARK: (&str, &str) = (
    "snapshot.json",
    "{\"layout\":1,\"product\":null,\"version\":null,\"secrets_listed\":false,\"missing\":[]}\n",
);

/// The folder of a snapshot for the policies of the root namespace.
const POLICIES: &str = "policies/";

fn snapshot_folder(policy: &ProposedPolicy) -> String {
    match policy.namespace.trim_end_matches('/') {
        "" => POLICIES.to_owned(),
        namespace => format!("namespaces/{}/{POLICIES}", escape::file_name(namespace)),
    }
}

/// The folder from which the headers of the diffs resolve, as a person would name it.
#[must_use]
pub fn diff_base(run: &Run, proposal: &Proposal) -> String {
    let root = root(run, proposal);
    if root_is_relative(&root) {
        String::from(".")
    } else {
        root
    }
}

/// The folder that the policies were read from: the one the user named, else what their files have in common.
fn root(run: &Run, proposal: &Proposal) -> String {
    let named = run.policies_dir.trim_end_matches('/');
    if !named.is_empty() {
        return named.to_owned();
    }
    let mut files = proposal.policies.iter().filter_map(|policy| policy.file.as_deref());
    let Some(first) = files.next() else {
        return String::from(".");
    };
    let folder = |file: &str| -> Vec<String> {
        let mut parts: Vec<String> = file.split('/').map(str::to_owned).collect();
        parts.pop();
        parts
    };
    let common = files.fold(folder(first), |common, file| {
        common
            .into_iter()
            .zip(folder(file))
            .take_while(|(a, b)| a == b)
            .map(|(a, _)| a)
            .collect()
    });
    match common.join("/") {
        empty if empty.is_empty() && first.starts_with('/') => String::from("/"),
        empty if empty.is_empty() => String::from("."),
        root => root,
    }
}

fn root_is_relative(root: &str) -> bool {
    root == "." || clean(root).is_some()
}

/// A relative path without `.` parts; none where it is absolute or climbs.
fn clean(path: &str) -> Option<String> {
    if path.starts_with('/') {
        return None;
    }
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    (!parts.is_empty() && !parts.contains(&"..")).then(|| parts.join("/"))
}

/// The path of a file below the folder read; only its name where it is not below it. A part that holds what a terminal
/// would act on is spelt out.
fn inside(file: &str, root: &str) -> String {
    let below = if root == "." {
        Some(file)
    } else {
        file.strip_prefix(root)
            .filter(|rest| rest.starts_with('/') || root.ends_with('/'))
    };
    let path = below
        .and_then(|rest| clean(rest.trim_start_matches('/')))
        .or_else(|| clean(file.rsplit('/').next().unwrap_or_default()))
        .unwrap_or_else(|| escape::file_name(file));
    let parts: Vec<String> = path
        .split('/')
        .map(|part| {
            if part.chars().any(escape::is_deceptive) {
                escape::file_name(part)
            } else {
                part.to_owned()
            }
        })
        .collect();
    parts.join("/")
}

fn named_beside(root: &str, inside: &str) -> String {
    match clean(root) {
        Some(root) => format!("{root}/{inside}"),
        None => inside.to_owned(),
    }
}

/// What a file that was read is called in the headers of diffs that are applied in `base`.
#[must_use]
pub fn header_of(file: &str, base: &str) -> String {
    match clean(file) {
        Some(path) if base == "." => path,
        _ => inside(file, base),
    }
}

/// A path and the end of its file name, with the dot.
fn split_end(path: &str) -> (&str, &str) {
    let name = path.rfind('/').map_or(0, |slash| slash + 1);
    match path.rfind('.') {
        Some(dot) if dot > name => path.split_at(dot),
        _ => (path, ""),
    }
}

/// `stem` + `end`, with a number between where that is taken. Case does not tell files apart everywhere.
fn unique(taken: &mut BTreeSet<String>, stem: &str, end: &str) -> String {
    let mut name = format!("{stem}{end}");
    let mut number = 1_u32;
    while !taken.insert(name.to_lowercase()) {
        number += 1;
        name = format!("{stem}-{number}{end}");
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(dir: &str, file: Option<&str>, change: Change) -> (String, String, String) {
        let run = Run {
            policies_dir: dir.to_owned(),
            ..Run::default()
        };
        let proposal = Proposal {
            policies: vec![ProposedPolicy {
                name: String::from("a/b"),
                file: file.map(Into::into),
                change,
                ..ProposedPolicy::default()
            }],
            ..Proposal::default()
        };
        let all = place(&run, &proposal);
        (all[0].file.clone(), all[0].header.clone(), diff_base(&run, &proposal))
    }

    #[test]
    fn files_keep_their_place() {
        let check = |dir: &str, file: &str, want: (&str, &str, &str)| {
            let got = placed(dir, Some(file), Change::Edit);
            assert_eq!((got.0.as_str(), got.1.as_str(), got.2.as_str()), want);
        };
        check("p/q", "p/q/ns/x.hcl", ("ns/x.hcl", "p/q/ns/x.hcl", "."));
        check("./p/", "./p/x.hcl", ("x.hcl", "p/x.hcl", "."));
        check("/abs/p", "/abs/p/x.hcl", ("x.hcl", "x.hcl", "/abs/p"));
        check("../p", "../p/x.hcl", ("x.hcl", "x.hcl", "../p"));
        check(".", "x.hcl", ("x.hcl", "x.hcl", "."));
        check("", "/abs/p/x.hcl", ("x.hcl", "x.hcl", "/abs/p"));
        check("p", "p/../../x.hcl", ("x.hcl", "x.hcl", "."));
    }

    #[test]
    fn new_files_stand_beside_the_others() {
        let got = placed("p", None, Change::Add);
        assert_eq!((got.0.as_str(), got.1.as_str()), ("a%2Fb.hcl", "p/a%2Fb.hcl"));
    }

    #[test]
    fn two_policies_of_one_name_stand_side_by_side_as_in_a_snapshot() {
        let policy = |namespace: &str, file: Option<&str>, change| ProposedPolicy {
            namespace: namespace.into(),
            name: String::from("web"),
            file: file.map(Into::into),
            change,
            ..ProposedPolicy::default()
        };
        let run = Run {
            policies_dir: String::from("dep"),
            ..Run::default()
        };
        let proposal = Proposal {
            policies: vec![
                policy("", Some("dep/policies/web.hcl"), Change::Edit),
                policy(
                    "team/a/",
                    Some("dep/namespaces/team%2Fa/policies/web.hcl"),
                    Change::Edit,
                ),
                policy("team/a/", None, Change::Add),
                policy("b/", Some("elsewhere/web.hcl"), Change::Edit),
            ],
            ..Proposal::default()
        };
        let files: Vec<String> = place(&run, &proposal).into_iter().map(|placed| placed.file).collect();
        assert_eq!(
            files,
            [
                "policies/web.hcl",
                "namespaces/team%2Fa/policies/web.hcl",
                "namespaces/team%2Fa/policies/web-2.hcl",
                "namespaces/b/policies/web.hcl",
            ]
        );
        assert!(is_snapshot(&run, &proposal));
    }
}
