//! What this program was built from: its version, the commit, the solver and the features.

use crate::optimize::ilp;
use std::sync::LazyLock;

/// The version as `-V` shows it.
pub const SHORT: &str = env!("CARGO_PKG_VERSION");

/// The commit that was built, or `unknown`; with `+changes` where the files differed from it.
pub const COMMIT: &str = env!("VAULT_ADVISOR_COMMIT");

static LONG: LazyLock<String> = LazyLock::new(|| {
    format!(
        "{SHORT}\ncommit: {COMMIT}\nsolver: {}\nfeatures: {}\ntarget: {}",
        ilp::SOLVER,
        features(),
        env!("VAULT_ADVISOR_TARGET"),
    )
});

/// The features that are built in, with commas between them, or `none`.
fn features() -> String {
    let all = [
        ("highs", cfg!(feature = "highs")),
        ("object-storage", cfg!(feature = "object-storage")),
    ];
    let built: Vec<&str> = all.iter().filter(|(_, is)| *is).map(|(name, _)| *name).collect();
    if built.is_empty() {
        "none".to_owned()
    } else {
        built.join(",")
    }
}

/// What `--version` shows after the name. There is no time in it: the same source gives the same text.
#[must_use]
pub fn long() -> &'static str {
    &LONG
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commit_is_a_hash_or_unknown() {
        let hash = COMMIT.trim_end_matches("+changes");
        assert!(
            hash == "unknown" || hash.len() == 12 && hash.bytes().all(|b| b.is_ascii_hexdigit()),
            "{COMMIT}"
        );
    }

    #[test]
    fn the_solver_fits_the_features() {
        let text = long();
        assert_eq!(text.contains("solver: HiGHS"), features().contains("highs"), "{text}");
    }
}
