//! Unified diffs between the policies as read and as proposed, for `git apply` and `patch`.

use similar::TextDiff;

use super::escape;
use super::layout::{self, Placed};
use crate::advice::{Change, FileChange};

/// The diff of one policy, with a few words before it that `git apply` passes over; none where nothing changes.
#[must_use]
pub fn render(placed: &Placed<'_>, base: &str) -> Option<String> {
    let body = body(placed)?;
    let policy = placed.policy;
    let mut out = format!(
        "# Policy {}: {}.\n",
        escape::comment(&policy.label()),
        policy.change.as_str()
    );
    for reason in &policy.reasons {
        out.push_str(&format!("#   {}\n", escape::comment(reason)));
    }
    out.push_str(&applied_in(base));
    out.push_str(&body);
    Some(out)
}

/// The diff alone: headers and hunks.
#[must_use]
pub fn body(placed: &Placed<'_>) -> Option<String> {
    let policy = placed.policy;
    let old = policy.original.as_deref().filter(|_| policy.change != Change::Add);
    let new = match policy.change {
        Change::Delete => None,
        _ => Some(policy.text.as_deref()?),
    };
    if policy.change != Change::Add && old.is_none() {
        return between(placed, Some(""), new);
    }
    between(placed, old, new)
}

/// The diff from one text of a policy to another, none where the policy is not there; none where both say the same.
#[must_use]
pub fn between(placed: &Placed<'_>, old: Option<&str>, new: Option<&str>) -> Option<String> {
    if old.unwrap_or_default() == new.unwrap_or_default() {
        return None;
    }
    let header = |side: &str, text: Option<&str>| match text {
        Some(_) => escape::diff_path(&format!("{side}/{}", placed.header)),
        None => String::from("/dev/null"),
    };
    Some(unified(
        old.unwrap_or_default(),
        new.unwrap_or_default(),
        &header("a", old),
        &header("b", new),
    ))
}

/// The diff of a file that several policies may stand in: its name below `diffs/`, and its text.
#[must_use]
pub fn of_file(change: &FileChange, base: &str) -> (String, String) {
    let path = layout::header_of(&change.file, base);
    let mut out = format!("# {}\n", escape::comment(&path));
    for policy in &change.policies {
        out.push_str(&format!("#   policy {}\n", escape::comment(policy)));
    }
    out.push_str(&applied_in(base));
    out.push_str(&body_of_file(change, base));
    (format!("{}.diff", path.replace('/', "%2F")), out)
}

/// The diff of a file that several policies may stand in: headers and hunks.
#[must_use]
pub fn body_of_file(change: &FileChange, base: &str) -> String {
    let path = layout::header_of(&change.file, base);
    let header = |side: &str| escape::diff_path(&format!("{side}/{path}"));
    unified(&change.old, &change.new, &header("a"), &header("b"))
}

/// Where a diff is to be applied.
fn applied_in(base: &str) -> String {
    let place = if base == "." {
        String::from("the folder where vault-advisor ran")
    } else {
        format!("the folder {}", escape::comment(base))
    };
    format!("# Apply it in {place}: git apply (or patch -p1 <) this file.\n")
}

/// Both texts compared line by line. Only `\n` ends a line, as `git` sees it.
fn unified(old: &str, new: &str, before: &str, after: &str) -> String {
    let old: Vec<&str> = old.split_inclusive('\n').collect();
    let new: Vec<&str> = new.split_inclusive('\n').collect();
    TextDiff::configure()
        .newline_terminated(true)
        .diff_slices(&old, &new)
        .unified_diff()
        .context_radius(3)
        .header(before, after)
        .to_string()
}
