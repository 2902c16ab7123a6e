//! Request paths: segments, the first part of a mount, and how the servers clean a path.

/// The path as the ACL sees it: without leading slashes.
#[must_use]
pub fn clean(path: &str) -> &str {
    path.trim_start_matches('/')
}

/// The segments of a path; a trailing slash yields a last empty segment, as the servers split it.
pub fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
}

/// A namespace path in the form `a/b/` (empty for the root namespace), however it was written.
#[must_use]
pub fn namespace(path: &str) -> String {
    let trimmed = path.trim_matches('/');
    if trimmed.is_empty() || trimmed == "root" {
        String::new()
    } else {
        format!("{trimmed}/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_have_one_form() {
        for (text, want) in [("", ""), ("/", ""), ("root", ""), ("a", "a/"), ("/a/b/", "a/b/")] {
            assert_eq!(namespace(text), want);
        }
        assert_eq!(clean("//a/"), "a/");
        assert_eq!(segments("a/b/").collect::<Vec<_>>(), ["a", "b", ""]);
    }
}
