//! Every path known to exist: seen in the logs or listed in the deployment, namespace in front, sorted.

use crate::policy::pattern::Pattern;
use rayon::prelude::*;
use std::ops::Range;

/// Known paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Universe {
    paths: Vec<String>,
}

impl Universe {
    /// Of these paths; doubles are dropped.
    #[must_use]
    pub fn new(mut paths: Vec<String>) -> Self {
        paths.par_sort_unstable();
        paths.dedup();
        Self { paths }
    }

    /// The paths, sorted.
    #[must_use]
    pub fn paths(&self) -> &[String] {
        &self.paths
    }

    /// The path of that number.
    #[must_use]
    pub fn path(&self, n: u32) -> &str {
        self.paths.get(n as usize).map_or("", String::as_str)
    }

    /// The number of a path.
    #[must_use]
    pub fn number(&self, path: &str) -> Option<u32> {
        self.paths
            .binary_search_by(|p| p.as_str().cmp(path))
            .ok()
            .and_then(|n| u32::try_from(n).ok())
    }

    /// The numbers of all paths that begin with `lead`.
    #[must_use]
    pub fn under(&self, lead: &str) -> Range<usize> {
        let start = self.paths.partition_point(|p| p.as_str() < lead);
        let rest = self.paths.get(start..).unwrap_or_default();
        start..start + rest.partition_point(|p| p.starts_with(lead))
    }

    /// How many paths.
    #[must_use]
    pub fn len(&self) -> usize {
        self.paths.len()
    }

    /// Whether no path is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }
}

/// The literal text before a pattern's first wildcard: every path that it matches begins with it.
#[must_use]
pub fn lead(pattern: &Pattern) -> &str {
    pattern.text.get(..pattern.first_wildcard()).unwrap_or(&pattern.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_all_that_begins_so() {
        let u = Universe::new(["b/x", "a/1", "a/2", "a", "ab", "a/1"].map(str::to_owned).to_vec());
        assert_eq!(u.len(), 5);
        let under = |lead: &str| u.paths()[u.under(lead)].to_vec();
        assert_eq!(under("a/"), ["a/1", "a/2"]);
        assert_eq!(under("a"), ["a", "a/1", "a/2", "ab"]);
        assert_eq!(under(""), u.paths());
        assert!(under("c").is_empty());
        assert_eq!(u.number("ab"), Some(3));
        assert_eq!(u.number("zz"), None);
    }
}
