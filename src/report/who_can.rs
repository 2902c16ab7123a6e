//! Who reaches a path, and through what, in words.

use super::{digest, escape};
use crate::policy::who_can::{Extent, Reach, Through};
use std::fmt::Write as _;

/// Everybody who reaches it; with `below`, who reaches something of all that is asked about.
#[must_use]
pub fn text(path: &str, reached: &[Reach], below: bool) -> String {
    let mut out = String::new();
    let shown = escape::terminal(path);
    if reached.is_empty() {
        // Writing into a string cannot fail.
        let what = if below { "anything of " } else { "" };
        let _ = writeln!(out, "nobody known reaches {what}`{shown}`");
        return out;
    }
    let what = if below { "something of " } else { "" };
    let does = if reached.len() == 1 { "reaches" } else { "reach" };
    let kinds: Vec<&str> = reached.iter().map(|reach| &*reach.kind).collect();
    let _ = writeln!(out, "{} {does} {what}`{shown}`:", counted(&kinds));
    let mut reasons = Reasons::default();
    let mut kind = "";
    for reach in reached {
        if *reach.kind != *kind {
            kind = &reach.kind;
            let _ = writeln!(out, "\n{kind}");
        }
        let name = escape::terminal(&reach.name);
        let extent = match reach.extent {
            None => "",
            Some(Extent::All) => " on all of it",
            Some(Extent::Part) => " on a part",
        };
        if reach.root {
            let _ = writeln!(out, "  {name}: everything (root)");
            continue;
        }
        let mut parts = reasons.parts(&reach.through);
        if parts.is_empty() {
            parts.push("nothing for certain".to_owned());
        }
        let _ = write!(out, "  {name}: {}{extent}", parts.join("; "));
        if !reach.maybe.is_empty() {
            let _ = write!(
                out,
                "; maybe {}, by its template",
                reasons.parts(&reach.maybe).join("; ")
            );
        }
        let _ = writeln!(out);
    }
    if !reasons.all.is_empty() {
        let _ = writeln!(out, "\nthrough");
    }
    for (n, through) in (1..).zip(&reasons.all) {
        let maybe = if through.constrained { ", under constraints" } else { "" };
        let _ = writeln!(
            out,
            "  [{n}] `{}` of policy {} ({}){maybe}",
            escape::terminal(&through.pattern),
            escape::terminal(&through.policy),
            escape::terminal(&through.origin)
        );
    }
    out
}

/// So many of each kind, in words.
fn counted(kinds: &[&str]) -> String {
    let many = |is: &dyn Fn(&str) -> bool| kinds.iter().filter(|kind| is(kind)).count() as u64;
    let is_principal = |kind: &str| kind.starts_with("principal");
    let parts = [
        (many(&is_principal), "principal", "principals"),
        (
            many(&|kind| !is_principal(kind) && !matches!(kind, "group" | "policy")),
            "role or user",
            "roles and users",
        ),
        (many(&|kind| kind == "group"), "group", "groups"),
        (many(&|kind| kind == "policy"), "policy", "policies"),
    ];
    let told: Vec<String> = parts
        .into_iter()
        .filter(|(many, ..)| *many > 0)
        .map(|(many, one, several)| digest::count(many, one, several))
        .collect();
    match told.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => told.concat(),
    }
}

/// The stanzas that let somebody, each told once and then by its number.
#[derive(Default)]
struct Reasons<'r> {
    all: Vec<&'r Through>,
}

impl<'r> Reasons<'r> {
    /// What each set of capabilities comes through: `read, list [1] [2]`.
    fn parts(&mut self, through: &'r [Through]) -> Vec<String> {
        let mut by_capabilities: Vec<(&[&str], Vec<usize>)> = Vec::new();
        for one in through {
            let same = |t: &&Through| (&t.origin, &t.pattern, &t.policy) == (&one.origin, &one.pattern, &one.policy);
            let number = self.all.iter().position(same).unwrap_or_else(|| {
                self.all.push(one);
                self.all.len() - 1
            });
            match by_capabilities.iter_mut().find(|(c, _)| *c == one.capabilities) {
                Some((_, numbers)) => numbers.push(number + 1),
                None => by_capabilities.push((&one.capabilities, vec![number + 1])),
            }
        }
        let part = |(capabilities, numbers): (&[&str], Vec<usize>)| {
            let numbers: Vec<String> = numbers.iter().map(|n| format!("[{n}]")).collect();
            format!("{} {}", capabilities.join(", "), numbers.join(" "))
        };
        by_capabilities.into_iter().map(part).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_reaches_is_counted_by_kind() {
        assert_eq!(counted(&["policy"]), "1 policy");
        assert_eq!(
            counted(&[
                "principal",
                "principal (never seen)",
                "approle role",
                "policy",
                "policy"
            ]),
            "2 principals, 1 role or user and 2 policies"
        );
    }
}
