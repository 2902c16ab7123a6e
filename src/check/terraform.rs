//! Policies in Terraform files: `vault_policy` resources whose name and text are literal (quoted or heredoc). What only
//! Terraform itself can work out is named, never guessed.

use crate::origin::Origin;
use serde_json::Value;
use std::sync::Arc;

/// A policy text in a Terraform file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The policy's name.
    pub name: String,
    /// The namespace as written; empty for none.
    pub namespace: String,
    /// The policy's text.
    pub text: String,
    /// Where the text stands.
    pub place: Place,
}

/// Where a text stands in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Line by line, from this line on, each line moved right by so many characters.
    Lines {
        /// The file's line of the text's first line.
        first: u32,
        /// Characters of indentation that are not part of the text.
        indent: u32,
    },
    /// All of it on one line of the file.
    One {
        /// The line.
        line: u32,
        /// The column.
        column: u32,
    },
}

impl Place {
    /// The place in the file of a place in the text.
    #[must_use]
    pub fn of(self, file: &Arc<str>, inside: &Origin) -> Origin {
        let (line, column) = match self {
            Self::Lines { first, indent } => (
                inside.line.saturating_add(first).saturating_sub(1),
                inside.column.saturating_add(indent),
            ),
            Self::One { line, column } => (line, column),
        };
        Origin::new(Arc::clone(file), line, column)
    }
}

/// A resource, or the rest of a file, that could not be read without evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// `vault_policy.app`, or the file.
    pub what: String,
    /// Why, as the end of a sentence.
    pub why: String,
    /// Line.
    pub line: u32,
    /// Column.
    pub column: u32,
}

/// What a Terraform file has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content {
    /// Policies.
    pub found: Vec<Found>,
    /// What needs evaluation.
    pub unread: Vec<Unread>,
}

/// The resource type that is looked for.
const RESOURCE: &str = "vault_policy";

/// Reads a `.tf` file.
#[must_use]
pub fn read(text: &str) -> Content {
    let mut scan = Scan { text, at: 0 };
    let mut content = Content::default();
    loop {
        scan.space();
        if scan.rest().is_empty() {
            return content;
        }
        let start = scan.at;
        if scan.top_level(&mut content).is_none() {
            let (line, column) = scan.position(start);
            content.unread.push(Unread {
                what: "the rest of the file".to_owned(),
                why: "the block that begins here cannot be followed to its end".to_owned(),
                line,
                column,
            });
            return content;
        }
    }
}

/// Reads a `.tf.json` file; an error says what is wrong with it.
///
/// # Errors
/// Where it is no JSON.
pub fn read_json(text: &str) -> Result<Content, serde_json::Error> {
    let document: Value = serde_json::from_str(text)?;
    let mut content = Content::default();
    let resources = document.get("resource").map(many).unwrap_or_default();
    let labelled = resources
        .into_iter()
        .filter_map(|r| r.get(RESOURCE))
        .flat_map(many)
        .filter_map(Value::as_object)
        .flatten();
    for (label, bodies) in labelled {
        let (line, column) = text
            .find(&format!("\"{label}\""))
            .map_or((1, 1), |at| Scan { text, at }.position(at));
        let field = |body: &Value, key: &str| match body.get(key) {
            None => Ok(None),
            Some(Value::String(s)) if !has_template(s) => Ok(Some(plain(s))),
            Some(_) => Err(format!("its `{key}` is a template, which Terraform evaluates")),
        };
        for body in many(bodies) {
            let parts =
                field(body, "name").and_then(|name| Ok((name, field(body, "namespace")?, field(body, "policy")?)));
            content.take(label, parts, Place::One { line, column }, (line, column));
        }
    }
    Ok(content)
}

/// Name, namespace and policy text of a resource, as far as it says them.
type Parts = (Option<String>, Option<String>, Option<String>);

/// A list's members, or the value itself.
fn many(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |all| all.iter().collect())
}

impl Content {
    fn take(&mut self, label: &str, parts: Result<Parts, String>, place: Place, (line, column): (u32, u32)) {
        let what = format!("{RESOURCE}.{label}");
        let unread = |why: String| Unread {
            what,
            why,
            line,
            column,
        };
        match parts {
            Ok((Some(name), namespace, Some(text))) => self.found.push(Found {
                name,
                namespace: namespace.unwrap_or_default(),
                text,
                place,
            }),
            Ok((None, ..)) => self.unread.push(unread("it has no `name`".to_owned())),
            Ok((_, _, None)) => self.unread.push(unread("it has no `policy`".to_owned())),
            Err(why) => self.unread.push(unread(why)),
        }
    }
}

/// A literal with its place.
struct Literal {
    text: String,
    place: Place,
}

struct Scan<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Scan<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    /// Line and column of a byte.
    fn position(&self, at: usize) -> (u32, u32) {
        let before = self.text.get(..at).unwrap_or("");
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        (
            u32::try_from(line).unwrap_or(u32::MAX),
            u32::try_from(column).unwrap_or(u32::MAX),
        )
    }

    /// Passes over white space and comments.
    fn space(&mut self) {
        loop {
            let rest = self.rest();
            if rest.starts_with('#') || rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                self.at += rest.find("*/").map_or(rest.len(), |end| end + 2);
            } else if let Some(c) = self.peek().filter(|c| c.is_whitespace() || *c == '\u{feff}') {
                self.at += c.len_utf8();
            } else {
                return;
            }
        }
    }

    fn word(&mut self) -> Option<&'t str> {
        let rest = self.rest();
        let end = rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'))
            .unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).filter(|w| !w.is_empty())
    }

    /// A block, or an attribute, of the file; none where it can't be followed.
    fn top_level(&mut self, content: &mut Content) -> Option<()> {
        let start = self.at;
        let kind = self.word()?;
        let mut labels = Vec::new();
        loop {
            self.space();
            match self.peek()? {
                '{' => break,
                '=' => {
                    self.bump();
                    return self.expression().map(|_| ());
                }
                '"' => {
                    let from = self.at;
                    self.string()?;
                    labels.push(self.text.get(from + 1..self.at - 1)?);
                }
                _ => labels.push(self.word()?),
            }
        }
        self.bump();
        match (kind, labels.as_slice()) {
            ("resource", [RESOURCE, label]) => self.resource(label, start, content),
            _ => self.close(),
        }
    }

    /// The body of a `vault_policy`, its brace open.
    fn resource(&mut self, label: &str, start: usize, content: &mut Content) -> Option<()> {
        let mut fields: [Option<Result<Literal, String>>; 3] = [None, None, None];
        loop {
            self.space();
            if self.peek()? == '}' {
                self.bump();
                break;
            }
            let key = match self.peek()? {
                '"' => {
                    let from = self.at;
                    self.string()?;
                    self.text.get(from + 1..self.at - 1)?
                }
                _ => self.word()?,
            };
            self.space();
            if self.peek()? == '=' {
                self.bump();
                let (from, to) = self.expression()?;
                let keys = ["name", "namespace", "policy"];
                if let Some(field) = keys.iter().position(|k| *k == key).and_then(|n| fields.get_mut(n)) {
                    *field = Some(self.literal(key, from, to));
                }
                continue;
            }
            while self.peek()? != '{' {
                match self.peek()? {
                    '"' => self.string()?,
                    _ => self.word().map(|_| ())?,
                }
                self.space();
            }
            self.bump();
            self.close()?;
        }
        let [name, namespace, policy] = fields;
        let at = self.position(start);
        let mut place = Place::One {
            line: at.0,
            column: at.1,
        };
        let parts = (|| {
            let name = name.transpose()?.map(|l| l.text);
            let namespace = namespace.transpose()?.map(|l| l.text);
            let policy = policy.transpose()?;
            if let Some(policy) = &policy {
                place = policy.place;
            }
            Ok((name, namespace, policy.map(|l| l.text)))
        })();
        content.take(label, parts, place, at);
        Some(())
    }

    /// Passes over what is left of a block up to its closing brace.
    fn close(&mut self) -> Option<()> {
        let mut depth = 1_usize;
        while depth > 0 {
            self.space();
            match self.peek()? {
                '{' | '(' | '[' => depth += 1,
                '}' | ')' | ']' => depth -= 1,
                '"' => {
                    self.string()?;
                    continue;
                }
                '<' if self.is_heredoc() => {
                    self.heredoc()?;
                    continue;
                }
                _ => {}
            }
            self.bump();
        }
        Some(())
    }

    /// Passes over an expression up to the end of its line or block; its bytes.
    fn expression(&mut self) -> Option<(usize, usize)> {
        while self.peek().is_some_and(|c| c == ' ' || c == '\t') {
            self.bump();
        }
        let from = self.at;
        let mut depth = 0_usize;
        loop {
            let rest = self.rest();
            let Some(c) = self.peek() else { break };
            match c {
                '\n' | '}' if depth == 0 => break,
                '#' if depth == 0 => break,
                '/' if depth == 0 && (rest.starts_with("//") || rest.starts_with("/*")) => break,
                '#' | '/' if rest.starts_with('#') || rest.starts_with("//") || rest.starts_with("/*") => {
                    self.space();
                    continue;
                }
                '"' => {
                    self.string()?;
                    continue;
                }
                '<' if self.is_heredoc() => {
                    self.heredoc()?;
                    continue;
                }
                '{' | '(' | '[' => depth += 1,
                '}' | ')' | ']' => depth = depth.checked_sub(1)?,
                _ => {}
            }
            self.bump();
        }
        (depth == 0).then_some((from, self.at))
    }

    /// Passes over a quoted string, whatever is interpolated in it.
    fn string(&mut self) -> Option<()> {
        self.bump();
        loop {
            match self.bump()? {
                '"' => return Some(()),
                '\\' => {
                    self.bump()?;
                }
                '\n' => return None,
                c @ ('$' | '%') if self.peek() == Some('{') => {
                    // `$${` stands for `${` itself.
                    let before = self.text.get(..self.at - 1).unwrap_or("");
                    self.bump();
                    if !before.ends_with(c) {
                        self.close()?;
                    }
                }
                _ => {}
            }
        }
    }

    fn is_heredoc(&self) -> bool {
        let rest = self.rest();
        rest.strip_prefix("<<")
            .map(|r| r.strip_prefix('-').unwrap_or(r))
            .is_some_and(|r| r.starts_with(|c: char| c.is_alphabetic() || c == '_'))
    }

    /// Passes over a heredoc, up to and without the line end behind its mark: first byte of its text, last byte, whether
    /// its indentation is taken off.
    fn heredoc(&mut self) -> Option<(usize, usize, bool)> {
        self.at += 2;
        let flush = self.peek()? == '-';
        if flush {
            self.bump();
        }
        let mark = self.word()?;
        let line_end = self.rest().find('\n')?;
        if !self.rest().get(..line_end)?.trim().is_empty() {
            return None;
        }
        self.at += line_end + 1;
        let from = self.at;
        loop {
            let rest = self.rest();
            let line = rest.split('\n').next()?;
            if line.trim() == mark {
                let to = self.at;
                self.at += line.trim_end_matches('\r').len();
                return Some((from, to, flush));
            }
            self.at += line.len();
            self.bump()?;
        }
    }

    /// The literal that an expression is, or why it is none.
    fn literal(&self, key: &str, from: usize, to: usize) -> Result<Literal, String> {
        let whole = self.text.get(from..to).unwrap_or("").trim_end();
        let evaluated = |what: &str| Err(format!("its `{key}` is {what}, which Terraform evaluates"));
        let mut scan = Scan {
            text: self.text,
            at: from,
        };
        let end = from + whole.len();
        if whole.starts_with('"') {
            if scan.string().is_none() || scan.at != end {
                return evaluated("an expression");
            }
            let inside = self.text.get(from + 1..end - 1).unwrap_or("");
            if has_template(inside) {
                return evaluated("a template");
            }
            let (line, column) = self.position(from);
            return match unescaped(inside) {
                Some(text) => Ok(Literal {
                    text,
                    place: Place::One { line, column },
                }),
                None => Err(format!("its `{key}` has an escape that Terraform does not know")),
            };
        }
        if scan.is_heredoc() {
            let Some((first, last, flush)) = scan.heredoc().filter(|_| scan.at == end) else {
                return evaluated("an expression");
            };
            let inside = self.text.get(first..last).unwrap_or("");
            if has_template(inside) {
                return evaluated("a template");
            }
            let indent = if flush { indentation(inside) } else { 0 };
            let text: String = inside
                .split_inclusive('\n')
                .map(|line| {
                    line.get(indent..)
                        .unwrap_or_else(|| line.trim_start_matches([' ', '\t']))
                })
                .collect();
            return Ok(Literal {
                text: plain(&text),
                place: Place::Lines {
                    first: self.position(first).0,
                    indent: u32::try_from(indent).unwrap_or(0),
                },
            });
        }
        // `chomp` of a literal is how a heredoc goes without its last line end.
        if let Some(inside) = whole.strip_prefix("chomp(").and_then(|rest| rest.strip_suffix(')')) {
            let start = from + "chomp(".len() + (inside.len() - inside.trim_start().len());
            let mut literal = self.literal(key, start, start + inside.trim().len())?;
            literal.text.truncate(literal.text.trim_end_matches(['\n', '\r']).len());
            return Ok(literal);
        }
        // Only names are told, no literal that the expression may hold.
        let name: String = whole
            .chars()
            .take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-'))
            .take(60)
            .collect();
        match (
            name.is_empty(),
            whole.get(name.len()..).is_some_and(|r| r.starts_with('(')),
        ) {
            (true, _) => evaluated("an expression"),
            (false, true) => evaluated(&format!("`{name}(…)`")),
            (false, false) => evaluated(&format!("`{name}`")),
        }
    }
}

/// The white space that every line of a heredoc begins with.
fn indentation(text: &str) -> usize {
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.len() - line.trim_start_matches([' ', '\t']).len())
        .min()
        .unwrap_or(0)
}

/// Whether a text has `${` or `%{`, written as templates and not as `$${` or `%%{`.
fn has_template(text: &str) -> bool {
    let mut before = ['\0', '\0'];
    for c in text.chars() {
        if c == '{' && matches!(before, [a, b @ ('$' | '%')] if a != b) {
            return true;
        }
        before = [before.get(1).copied().unwrap_or('\0'), c];
    }
    false
}

/// `$${` and `%%{` as what they stand for.
fn plain(text: &str) -> String {
    text.replace("$${", "${").replace("%%{", "%{")
}

/// A quoted text as what it stands for; none for an escape that there is not.
fn unescaped(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next()? {
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            '"' => out.push('"'),
            '\\' => out.push('\\'),
            u @ ('u' | 'U') => {
                let digits: String = chars.by_ref().take(if u == 'u' { 4 } else { 8 }).collect();
                out.push(char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?);
            }
            _ => return None,
        }
    }
    Some(plain(&out))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn literal_texts_are_read_with_their_places() {
        let text = "# a comment with resource \"vault_policy\" \"no\" {\nresource \"vault_policy\" \"app\" {\n  name   = \"app\"\n  \
                    policy = <<-EOT\n    path \"secret/data/$${x}\" {\n      capabilities = [\"read\"]\n    }\n  EOT\n}\n\
                    resource \"vault_policy\" \"one\" {\n  policy = \"path \\\"a\\\" {\\n}\" # so\n  name = \"one\"\n  namespace = \"team\"\n}\n";
        let content = read(text);
        assert_eq!(content.unread, []);
        let [app, one] = content.found.as_slice() else {
            panic!("{content:?}")
        };
        assert_eq!(app.name, "app");
        assert_eq!(
            app.text,
            "path \"secret/data/${x}\" {\n  capabilities = [\"read\"]\n}\n"
        );
        assert_eq!(app.place, Place::Lines { first: 5, indent: 4 });
        assert_eq!((one.name.as_str(), one.namespace.as_str()), ("one", "team"));
        assert_eq!(one.text, "path \"a\" {\n}");
        assert_eq!(one.place, Place::One { line: 11, column: 12 });
    }

    #[test]
    fn what_needs_evaluation_is_named() {
        for (policy, why) in [
            ("file(\"${path.module}/a.hcl\")", "`file(…)`"),
            ("data.vault_policy_document.a.hcl", "`data.vault_policy_document.a.hcl`"),
            ("\"path \\\"${var.p}\\\" {}\"", "a template"),
            ("<<EOT\npath \"${var.p}\" {}\nEOT", "a template"),
            ("<<EOT\n%{ if x }path \"a\" {}%{ endif }\nEOT", "a template"),
            ("jsonencode({\n  path = { \"a}\" = {} }\n})", "`jsonencode(…)`"),
            ("\"a\" == \"b\" ? \"x\" : \"y\"", "an expression"),
            ("(\"x\")", "an expression"),
        ] {
            let text =
                format!("resource \"vault_policy\" \"a\" {{\n  name = \"a\"\n  policy = {policy}\n}}\nlocals {{\n}}\n");
            let content = read(&text);
            assert_eq!(content.found, [], "{policy}");
            assert_eq!(content.unread.len(), 1, "{policy}");
            assert!(content.unread[0].why.contains(why), "{:?}", content.unread);
            assert_eq!(content.unread[0].what, "vault_policy.a");
        }
        let each =
            "resource \"vault_policy\" \"a\" {\n  for_each = toset([\"x\"])\n  name = each.key\n  policy = \"\"\n}\n";
        assert!(read(each).unread[0].why.contains("`each.key`"));
        assert_eq!(
            read("resource \"vault_policy\" \"a\" {\n name = \"x\n}\n").unread[0].what,
            "the rest of the file"
        );
    }

    #[test]
    fn other_blocks_are_passed_over() {
        let text = "terraform {\n  required_version = \">= 1\"\n}\nx = <<A\n}\nA\nresource \"vault_mount\" \"m\" {\n  options = { a = \"}\" }\n  \
                    d = <<EOT\nresource \"vault_policy\" \"no\" {\nEOT\n}\nresource \"vault_policy\" \"b\" {\n  lifecycle {\n    prevent_destroy = true\n  }\n  \
                    name = \"b\"\n  policy = <<EOT\nEOT\n}\n";
        let content = read(text);
        assert_eq!(content.unread, []);
        assert_eq!(content.found.len(), 1);
        assert_eq!(content.found[0].text, "");
    }

    #[test]
    fn json_syntax_is_read() {
        let text = r#"{"resource": {"vault_policy": {"a": {"name": "a", "policy": "path \"x\" {}"}, "b": [{"name": "${var.n}", "policy": ""}]}}}"#;
        let content = read_json(text).unwrap();
        assert_eq!(content.found[0].text, "path \"x\" {}");
        assert_eq!(content.unread[0].what, "vault_policy.b");
        assert!(read_json("{").is_err());
    }

    proptest! {
        #[test]
        fn any_text_ends(text in "(resource|\"vault_policy\"|\"|\\{|\\}|=|<<|EOT|\n|\\$\\{|a| |\\\\|#|é|-){0,40}") {
            let _ = read(&text);
        }

        #[test]
        fn what_the_report_writes_is_read_back(body in "[a-z\"\\\\\n\t {}$%é]{0,60}") {
            let written = crate::report::escape::terraform_text(&body);
            let content = read(&format!("resource \"vault_policy\" \"x\" {{\n  name = \"x\"\n  policy = {written}\n}}\n"));
            prop_assert_eq!(&content.found[0].text, &body);
        }
    }
}
