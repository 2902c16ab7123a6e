//! Colours at the terminal, laid on text that is already escaped: no name of anybody's chooses one.

use crate::advice::Severity;

/// Colours, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ink(pub(crate) bool);

impl Ink {
    pub(crate) fn with(self, code: &str, text: &str) -> String {
        if self.0 && !text.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    pub(crate) fn severity(self, severity: Severity, text: &str) -> String {
        let code = match severity {
            Severity::Critical => "1;31",
            Severity::High => "31",
            Severity::Medium => "33",
            Severity::Low => "36",
            Severity::Info => "2",
        };
        self.with(code, text)
    }
}

/// What a text tells, and so which of its lines stand out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    /// One decision: the verdict begins the first line, labels those below.
    Decision,
    /// Two sides: `+` and `-` lines, the sides below them.
    Difference,
    /// A list: headings stand at the margin.
    List,
}

/// The text with colours where they are wanted. It has to be escaped before.
#[must_use]
pub fn coloured(text: &str, face: Face, color: bool) -> String {
    if !color {
        return text.to_owned();
    }
    let ink = Ink(color);
    text.split_inclusive('\n')
        .enumerate()
        .map(|(n, whole)| {
            let line = whole.trim_end_matches('\n');
            let end = &whole[line.len()..];
            let told = match face {
                Face::Decision => decision(line, n == 0, ink),
                Face::Difference => difference(line, ink),
                Face::List => heading(line, ink),
            };
            told + end
        })
        .collect()
}

fn decision(line: &str, first: bool, ink: Ink) -> String {
    for (word, code) in [("allowed", "1;32"), ("denied", "1;31")] {
        if let Some(rest) = line.strip_prefix(word).filter(|_| first) {
            return ink.with(code, word) + rest;
        }
    }
    // A label: two blanks, words, a colon.
    match line.strip_prefix("  ").and_then(|rest| rest.split_once(':')) {
        Some((label, rest)) if label.starts_with(|c: char| c.is_ascii_lowercase()) && !label.contains('`') => {
            format!("  {}:{rest}", ink.bold(label))
        }
        _ => line.to_owned(),
    }
}

fn difference(line: &str, ink: Ink) -> String {
    let trimmed = line.trim_start();
    if trimmed.starts_with("+ ") {
        ink.with("32", line)
    } else if trimmed.starts_with("- ") {
        ink.with("31", line)
    } else if trimmed.starts_with("old: ") || trimmed.starts_with("new: ") {
        ink.dim(line)
    } else {
        heading(line, ink)
    }
}

fn heading(line: &str, ink: Ink) -> String {
    if line.starts_with(' ') {
        line.to_owned()
    } else {
        ink.bold(line)
    }
}

/// The text with its long lines broken between words; what follows stands two blanks deeper than its line began. A word
/// that is longer than a line stays whole: it may be a path that somebody copies.
#[must_use]
pub fn wrapped(text: &str, width: usize) -> String {
    let width = width.max(NARROWEST);
    text.split_inclusive('\n')
        .map(|whole| {
            let line = whole.trim_end_matches('\n');
            let end = &whole[line.len()..];
            if textwrap::core::display_width(line) <= width {
                return whole.to_owned();
            }
            let depth = depth(line);
            let deeper = " ".repeat((depth + 2).min(width / 2));
            let options = textwrap::Options::new(width)
                .subsequent_indent(&deeper)
                .break_words(false)
                .wrap_algorithm(textwrap::WrapAlgorithm::FirstFit)
                .word_separator(textwrap::WordSeparator::AsciiSpace)
                .word_splitter(textwrap::WordSplitter::NoHyphenation);
            textwrap::fill(line, options) + end
        })
        .collect()
}

/// The blanks that a line begins with, whatever colour stands before them.
fn depth(line: &str) -> usize {
    let text = match line.strip_prefix('\u{1b}') {
        Some(colour) => colour.split_once('m').map_or(line, |(_, text)| text),
        None => line,
    };
    text.len() - text.trim_start_matches(' ').len()
}

/// No terminal is taken for narrower.
const NARROWEST: usize = 30;

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left when each colour is taken off again.
    fn plain(text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('\u{1b}') {
            out.push_str(&rest[..at]);
            let end = rest[at..].find('m').map_or(rest.len(), |m| at + m + 1);
            rest = &rest[end..];
        }
        out + rest
    }

    const TOLD: &str =
        "denied: read of `a`\n  why: no stanza matches: `b`\n  + read a\n  - list a\n      old: `x`\n\nend";

    #[test]
    fn colours_change_no_word_and_none_are_laid_where_none_are_wanted() {
        for face in [Face::Decision, Face::Difference, Face::List] {
            let coloured = coloured(TOLD, face, true);
            assert_eq!(plain(&coloured), TOLD);
            assert_ne!(coloured, TOLD);
            assert_eq!(super::coloured(TOLD, face, false), TOLD);
        }
    }

    #[test]
    fn a_verdict_is_known_by_its_colour_and_sides_by_theirs() {
        let told = coloured(TOLD, Face::Decision, true);
        assert!(told.starts_with("\u{1b}[1;31mdenied\u{1b}[0m: read"), "{told}");
        assert!(told.contains("\u{1b}[1mwhy\u{1b}[0m: no stanza"), "{told}");
        let told = coloured(TOLD, Face::Difference, true);
        assert!(told.contains("\u{1b}[32m  + read a\u{1b}[0m\n"), "{told}");
        assert!(told.contains("\u{1b}[31m  - list a\u{1b}[0m\n"), "{told}");
    }

    #[test]
    fn only_the_first_line_has_the_verdict() {
        let told = coloured("allowed: x\ndenied: y\n", Face::Decision, true);
        assert!(told.ends_with("\ndenied: y\n"), "{told}");
    }

    #[test]
    fn long_lines_break_between_words_and_short_ones_stay() {
        let text = "short  one\n  a line that is longer than thirty columns are\nsecret/data/a/very/long/path/that/is/one/word end";
        assert_eq!(
            wrapped(text, 30),
            "short  one\n  a line that is longer than\n    thirty columns are\nsecret/data/a/very/long/path/that/is/one/word\n  end"
        );
        // Colours take no room.
        let red = "\u{1b}[1;31mdenied\u{1b}[0m: read of something so here";
        assert_eq!(wrapped(red, 33), red);
        let dim = "\u{1b}[2m      old: something that is long\u{1b}[0m";
        assert_eq!(plain(&wrapped(dim, 30)), "      old: something that is\n        long");
        assert_eq!(plain(&wrapped(red, 30)), "denied: read of something so\n  here");
    }

    proptest::proptest! {
        #[test]
        fn wrapping_only_moves_words(text in "[a-z `/:\n]{0,200}", width in 1_usize..100) {
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            let wrapped = wrapped(&text, width);
            proptest::prop_assert_eq!(words(&wrapped), words(&text));
            for line in wrapped.lines() {
                let one_word = line.split_whitespace().count() <= 1;
                proptest::prop_assert!(one_word || line.trim_end().len() <= width.max(NARROWEST), "{}", line);
            }
        }
    }
}
