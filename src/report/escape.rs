//! One function for each grammar that an output is written in.
//!
//! Paths, names and metadata come from whoever sends requests to the server. Every face passes such text through the one
//! function here that belongs to its grammar, and through nothing of its own.

pub use crate::shown::{is_deceptive, visible, visible_lines};

use crate::shown::push_visible;
use std::fmt::Write as _;

/// HTML text and double-quoted or single-quoted attributes.
#[must_use]
pub fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // No instruction for a build server, as in `visible`.
            '#' if out.ends_with('#') => out.push_str("&#35;"),
            c => push_visible(&mut out, c),
        }
    }
    out
}

/// HTML of a sentence in which names stand between backticks: they become `<code>`.
#[must_use]
pub fn html_prose(text: &str) -> String {
    prose(text, html, |name| format!("<code>{}</code>", html(name)))
}

/// A part of the address behind `#`, as a browser's `encodeURIComponent` has it.
#[must_use]
pub fn fragment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Markdown of a sentence in which names stand between backticks: they become code spans.
#[must_use]
pub fn markdown_prose(text: &str) -> String {
    prose(text, markdown, markdown_code)
}

/// Splits a sentence at its backticks. A sentence in which they do not pair has none that mean anything.
fn prose(text: &str, plain: impl Fn(&str) -> String, name: impl Fn(&str) -> String) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return plain(text);
    }
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    for (index, part) in parts.iter().enumerate() {
        out.push_str(&if index % 2 == 0 { plain(part) } else { name(part) });
    }
    out
}

/// Text and attributes of SVG. XML knows fewer characters than HTML: what it lacks is spelt out by [`html`] already, save two.
#[must_use]
pub fn svg(text: &str) -> String {
    html(text).replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

/// JSON inside a `<script type="application/json">`: no `<`, so no `</script>` and no `<!--`, can occur in it.
#[must_use]
pub fn json_in_html(json: &str) -> String {
    let mut out = String::with_capacity(json.len() + json.len() / 64);
    for c in json.chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            c => out.push(c),
        }
    }
    out
}

/// A comment line of HCL, Terraform or a shell script, without the leading `# `: one line, nothing that could end it.
#[must_use]
pub fn comment(text: &str) -> String {
    visible(text)
}

/// A quoted string of Terraform (HCL 2), quotes included: `${` and `%{` are text, not templates.
#[must_use]
pub fn terraform_string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '$' | '%' if chars.peek() == Some(&'{') => {
                out.push(c);
                out.push(c);
            }
            c if is_deceptive(c) => push_u(&mut out, c),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn push_u(out: &mut String, c: char) {
    let code = u32::from(c);
    let _ = if code > 0xffff {
        write!(out, "\\U{code:08x}")
    } else {
        write!(out, "\\u{code:04x}")
    };
}

/// A Terraform expression for a text of many lines: a heredoc where its grammar can hold the text, else a quoted string.
/// The value of the expression is the text, byte for byte. What spans several lines is laid out for an attribute of a block
/// that stands at the margin.
#[must_use]
pub fn terraform_text(text: &str) -> String {
    if !text.contains('\n') || text.chars().any(|c| c != '\n' && c != '\t' && is_deceptive(c)) {
        return terraform_string(text);
    }
    let body = text.replace("${", "$${").replace("%{", "%%{");
    let mut marker = String::from("POLICY");
    while body.lines().any(|line| line.trim() == marker) {
        marker.push('_');
    }
    if body.ends_with('\n') {
        format!("<<{marker}\n{body}{marker}")
    } else if body.trim_end_matches('\n').len() == body.len() {
        // A heredoc always ends in a line end, which the text does not have.
        format!("chomp(<<{marker}\n{body}\n{marker}\n  )")
    } else {
        terraform_string(text)
    }
}

/// Markdown text inside a paragraph, a list or a table cell: no markup, no HTML, no link, no mention of a user.
#[must_use]
pub fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // `@name` would call somebody, `#1` would link an issue, `http://` and `www.` would become links by themselves.
            // The first two are looked for in the finished text: only a comment between keeps them apart.
            '@' => out.push_str("@<!-- -->"),
            '#' => out.push_str("\\#<!-- -->"),
            ':' if chars.peek() == Some(&'/') => out.push_str("&#58;"),
            '.' if out.to_ascii_lowercase().ends_with("www") => out.push_str("&#46;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '!' | '|' | '~' | '$' => {
                out.push('\\');
                out.push(c);
            }
            // These begin a list, a heading or a rule where they begin the line.
            '-' | '+' | '=' if out.trim_start().is_empty() => {
                out.push('\\');
                out.push(c);
            }
            c => push_visible(&mut out, c),
        }
    }
    out
}

/// A Markdown code span, fit for a table cell.
#[must_use]
pub fn markdown_code(text: &str) -> String {
    let shown = visible(text).replace('|', "\\|");
    if shown.is_empty() {
        return String::from("—");
    }
    let ticks = "`".repeat(longest_run(&shown, '`') + 1);
    let pad = if shown.starts_with(['`', ' ']) || shown.ends_with(['`', ' ']) {
        " "
    } else {
        ""
    };
    format!("{ticks}{pad}{shown}{pad}{ticks}")
}

/// A fenced block of Markdown in `language` that nothing in `text` can close.
#[must_use]
pub fn markdown_block(language: &str, text: &str) -> String {
    let shown = visible_lines(text);
    let fence = "`".repeat(longest_run(&shown, '`').max(2) + 1);
    let end = if shown.ends_with('\n') { "" } else { "\n" };
    format!("{fence}{language}\n{shown}{end}{fence}\n")
}

fn longest_run(text: &str, mark: char) -> usize {
    text.split(|c| c != mark).map(str::len).max().unwrap_or(0)
}

/// The text of a field of CSV, which no spreadsheet takes for a formula. [`super::csv::Sheet`] quotes it.
#[must_use]
pub fn csv(text: &str) -> String {
    let mut shown: String = text.chars().filter(|c| *c != '\0').collect();
    let first = shown.trim_start().chars().next();
    if matches!(
        first,
        Some('=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠' | '|' | '%')
    ) || shown.starts_with(['\t', '\r', '\n'])
    {
        shown.insert(0, '\'');
    }
    let plain = |c| if is_deceptive(c) && c != '\n' { '\u{fffd}' } else { c };
    shown.chars().map(plain).collect()
}

/// Text for a terminal: no control sequence, no turned direction, one line.
#[must_use]
pub fn terminal(text: &str) -> String {
    visible(text)
}

/// A word of a POSIX shell in single quotes. A zero byte cannot be in any word: it is left out.
#[must_use]
pub fn shell(text: &str) -> String {
    format!("'{}'", text.replace('\0', "").replace('\'', "'\\''"))
}

/// A path in the header of a unified diff, quoted as `git` quotes it where it has to be.
#[must_use]
pub fn diff_path(path: &str) -> String {
    if !path.chars().any(|c| c.is_control() || c == '"' || c == '\\') {
        return path.to_owned();
    }
    let mut out = String::from("\"");
    for c in path.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    let _ = write!(out, "\\{byte:03o}");
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A file name made from a name that may hold anything: letters, digits, `.`, `_`, `-` stay, every other byte is written
/// `%XX`; no leading dot; never longer than a file system takes.
#[must_use]
pub fn file_name(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for (index, byte) in name.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-' || (byte == b'.' && index > 0);
        if plain && !(index == 0 && byte == b'-') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    if out.is_empty() {
        out.push('_');
    }
    out.truncate(150);
    out
}

/// A Terraform identifier made from a name that may hold anything.
#[must_use]
pub fn terraform_name(name: &str) -> String {
    let mut out: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '_' || c == '-' {
                c
            } else {
                '_'
            }
        })
        .take(80)
        .collect();
    if !out.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        out.insert(0, '_');
    }
    out
}

/// A URI reference (SARIF `artifactLocation.uri`) from a path: every byte that a URI has no room for is `%XX`.
#[must_use]
pub fn uri_path(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'_' | b'-' | b'~') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_and_scripts_are_inert() {
        assert_eq!(html("##[x]"), "#&#35;[x]");
        assert_eq!(html("<b a='\"'>&"), "&lt;b a=&#39;&quot;&#39;&gt;&amp;");
        assert_eq!(json_in_html("\"</script><!--\""), "\"\\u003c/script\\u003e\\u003c!--\"");
    }

    #[test]
    fn terraform_templates_are_text() {
        assert_eq!(terraform_string("${a} %{b} $ $${c}"), "\"$${a} %%{b} $ $$${c}\"");
        assert_eq!(terraform_text("a ${b}\n"), "<<POLICY\na $${b}\nPOLICY");
        assert_eq!(terraform_text("POLICY\n"), "<<POLICY_\nPOLICY\nPOLICY_");
        assert_eq!(terraform_text("a\nb"), "chomp(<<POLICY\na\nb\nPOLICY\n  )");
    }

    #[test]
    fn markdown_has_no_markup() {
        assert_eq!(
            markdown("[x](http://y) @z <b>"),
            "\\[x\\](http&#58;//y) @<!-- -->z &lt;b&gt;"
        );
        assert_eq!(markdown_code("a`b"), "``a`b``");
        assert_eq!(markdown_block("diff", "```\n"), "````diff\n```\n````\n");
    }

    #[test]
    fn spreadsheets_see_text() {
        assert_eq!(csv("=1+1"), "'=1+1");
        assert_eq!(csv(" @x"), "' @x");
        assert_eq!(csv("\tx\n"), "'\u{fffd}x\n");
        assert_eq!(csv("a,\"b\""), "a,\"b\"");
    }

    #[test]
    fn shell_words_stay_one_word() {
        assert_eq!(shell("a'; rm -rf /; '"), "'a'\\''; rm -rf /; '\\'''");
    }

    #[test]
    fn names_of_files_are_tame() {
        assert_eq!(file_name("../etc/passwd"), "%2E.%2Fetc%2Fpasswd");
        assert_eq!(file_name("-rf"), "%2Drf");
        assert_eq!(file_name(""), "_");
        assert_eq!(terraform_name("9 a/b"), "_9_a_b");
        assert_eq!(diff_path("a\tb"), "\"a\\tb\"");
        assert_eq!(uri_path("a b/c%"), "a%20b/c%25");
    }
}
