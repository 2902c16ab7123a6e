//! Unified diffs between the policies as read and as proposed, for `git apply` and `patch`.

use similar::TextDiff;

use super::escape;
use super::layout::Placed;
use crate::advice::Change;

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
    let wher = if base == "." {
        String::from("the folder where vault-advisor ran")
    } else {
        format!("the folder {}", escape::comment(base))
    };
    out.push_str(&format!(
        "# Apply it in {wher}: git apply (or patch -p1 <) this file.\n"
    ));
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
