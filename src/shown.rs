//! Text of others on its way to people: policies, logs and file names may hold anything, and nothing of it may act where it is shown.

use std::fmt::{self, Write};

/// Whether a character must not be shown as it is: control characters, the marks that turn the direction of text around,
/// and marks that take no room, with which one name can look like another.
#[must_use]
pub const fn is_deceptive(c: char) -> bool {
    matches!(
        c,
        '\u{0}'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// Text for the eye: what is deceptive is spelt out (`\n`, `\u{202e}`), so the result is one line and says what is there. Nor is
/// there anything in it that a build server takes for an instruction where it comes by in the output of a job.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        push_visible(&mut out, c);
    }
    uninstructed(out, spelt)
}

/// Without the instructions of build servers: `##vso[…]`, `##[…]` and `##teamcity[…]` anywhere in a line, `::name …::` where it
/// begins one. A mark of each is told as `spelt` says.
pub(crate) fn uninstructed(line: String, spelt: impl Fn(char) -> &'static str) -> String {
    let begins = line.trim_start();
    let is_command = begins.starts_with("::") && begins.get(2..).is_some_and(|rest| rest.contains("::"));
    if !is_command && !line.contains("##") {
        return line;
    }
    let mut out = String::with_capacity(line.len() + 16);
    let mut rest = line.as_str();
    if is_command {
        out.push_str(line.get(..line.len() - begins.len()).unwrap_or_default());
        out.push_str(spelt(':'));
        rest = begins.get(1..).unwrap_or_default();
    }
    while let Some(at) = rest.find('#') {
        let (before, marks) = rest.split_at(at);
        let behind = marks.trim_start_matches('#');
        let count = marks.len() - behind.len();
        out.push_str(before);
        out.push_str(&"#".repeat(count - 1));
        let word = behind.trim_start_matches(|c: char| c.is_ascii_alphanumeric());
        let is_instruction = count > 1 && word.starts_with('[');
        out.push_str(if is_instruction { spelt('#') } else { "#" });
        rest = behind;
    }
    out.push_str(rest);
    out
}

fn spelt(mark: char) -> &'static str {
    if mark == ':' { "\\u{3a}" } else { "\\u{23}" }
}

/// Writes a line of our own with texts of others in it: whatever these hold, it is one line, as in [`visible`].
///
/// # Errors
/// When it cannot be written.
pub fn line(out: &mut impl Write, text: fmt::Arguments<'_>) -> fmt::Result {
    out.write_str(&visible(&text.to_string()))?;
    out.write_char('\n')
}

/// Text of many lines for the eye: line ends and tabs stay, all else as in [`visible`].
#[must_use]
pub fn visible_lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.replace("\r\n", "\n").chars() {
        if c == '\n' || c == '\t' {
            out.push(c);
        } else {
            push_visible(&mut out, c);
        }
    }
    out.split_inclusive('\n')
        .map(|line| uninstructed(line.to_owned(), spelt))
        .collect()
}

/// Adds a character for the eye.
pub(crate) fn push_visible(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if is_deceptive(c) => {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        }
        c => out.push(c),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_deceives_is_spelt_out() {
        assert_eq!(visible("a\u{1b}[31m\u{202e}b\n"), "a\\u{1b}[31m\\u{202e}b\\n");
        assert_eq!(visible_lines("a\r\nb\rc"), "a\nb\\rc");
    }

    #[test]
    fn build_servers_see_no_instruction() {
        for (text, shown) in [
            (
                "a ##vso[task.setvariable variable=PATH]x",
                "a #\\u{23}vso[task.setvariable variable=PATH]x",
            ),
            ("####[group]#", "###\\u{23}[group]#"),
            ("##teamcity[x] ##VSO[y]", "#\\u{23}teamcity[x] #\\u{23}VSO[y]"),
            (" ::error file=x::y", " \\u{3a}:error file=x::y"),
            ("\u{85}::stop-commands::y", "\\u{85}::stop-commands::y"),
            ("## a heading [1]", "## a heading [1]"),
            ("::1", "::1"),
            ("a ::error::b", "a ::error::b"),
        ] {
            assert_eq!(visible(text), shown);
        }
        assert_eq!(
            visible_lines("a\n::debug::b\n##[x]\n"),
            "a\n\\u{3a}:debug::b\n#\\u{23}[x]\n"
        );
    }

    #[test]
    fn a_line_stays_one() {
        let mut out = String::new();
        line(&mut out, format_args!("a `{}`", "b\n0 findings")).unwrap();
        assert_eq!(out, "a `b\\n0 findings`\n");
    }
}
