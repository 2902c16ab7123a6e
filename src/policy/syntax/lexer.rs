//! The HCL 1 scanner: text to tokens, as the servers' own scanner cuts it.

use super::ast::{Fault, Kind, Pos, Token};
use super::cursor::{Cursor, EOF, Mode, is_blank, is_digit, is_letter};

/// Cuts an HCL text into tokens.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    cursor: Cursor<'a>,
}

impl<'a> Lexer<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self {
            cursor: Cursor::new(text, Mode::Hcl),
        }
    }

    /// The next token, comments included.
    pub(super) fn token(&mut self) -> Result<Token, Fault> {
        let mut ch = self.cursor.next();
        while is_blank(ch) {
            ch = self.cursor.next();
        }
        let pos = self.cursor.last();
        let kind = self.kind(ch, pos);
        if let Some(fault) = self.cursor.take_fault() {
            return Err(fault);
        }
        Ok(Token {
            kind,
            pos,
            end: self.cursor.here().offset,
        })
    }

    fn kind(&mut self, ch: char, start: Pos) -> Kind {
        match ch {
            _ if is_letter(ch) => match self.word(start) {
                "true" | "false" => Kind::Bool,
                _ => Kind::Ident,
            },
            '0'..='9' => self.number(ch),
            EOF => Kind::Eof,
            '"' => {
                self.string(start);
                Kind::Str
            }
            '#' | '/' => {
                self.comment(ch, start);
                Kind::Comment
            }
            '.' => {
                let next = self.cursor.peek();
                if next.is_ascii_digit() {
                    let after = self.cursor.mantissa(next);
                    self.cursor.exponent(after);
                    Kind::Float
                } else {
                    Kind::Period
                }
            }
            '<' => {
                self.heredoc(start);
                Kind::Heredoc
            }
            '[' => Kind::LBracket,
            ']' => Kind::RBracket,
            '{' => Kind::LBrace,
            '}' => Kind::RBrace,
            ',' => Kind::Comma,
            '=' => Kind::Assign,
            '+' => Kind::Add,
            '-' if self.cursor.peek().is_ascii_digit() => {
                let digit = self.cursor.next();
                self.number(digit)
            }
            '-' => Kind::Sub,
            _ => {
                self.cursor.fail_with(illegal(ch, start));
                Kind::Eof
            }
        }
    }

    fn word(&mut self, start: Pos) -> &'a str {
        let mut ch = self.cursor.next();
        while is_letter(ch) || is_digit(ch) || ch == '-' || ch == '.' {
            ch = self.cursor.next();
        }
        if ch != EOF {
            self.cursor.unread();
        }
        self.cursor.since(start.offset)
    }

    fn number(&mut self, ch: char) -> Kind {
        if ch == '0' {
            return self.zero();
        }
        self.cursor.mantissa(ch);
        let next = self.cursor.next();
        if self.cursor.float_tail(next) {
            return Kind::Float;
        }
        if next != EOF {
            self.cursor.unread();
        }
        Kind::Number
    }

    /// Hexadecimal, octal, or a float that begins with a zero.
    fn zero(&mut self) -> Kind {
        let mut ch = self.cursor.next();
        if ch == 'x' || ch == 'X' {
            ch = self.cursor.next();
            let mut found = false;
            while ch.is_ascii_hexdigit() {
                ch = self.cursor.next();
                found = true;
            }
            if !found {
                self.cursor.fail("hexadecimal number without digits");
            }
            if ch != EOF {
                self.cursor.unread();
            }
            return Kind::Number;
        }
        let mut octal = true;
        while ch.is_ascii_digit() {
            ch = self.cursor.next();
            if ch == '8' || ch == '9' {
                octal = false;
            }
        }
        if self.cursor.float_tail(ch) {
            return Kind::Float;
        }
        if !octal {
            self.cursor.fail("octal number with a digit above 7");
        }
        if ch != EOF {
            self.cursor.unread();
        }
        Kind::Number
    }

    fn string(&mut self, start: Pos) {
        let mut braces = 0_usize;
        loop {
            let ch = self.cursor.next();
            if ch == EOF || (ch == '\n' && braces == 0) {
                let fault = Fault::new(start, "string without an end").expected("a closing `\"` on the same line");
                self.cursor.fail_with(fault);
                return;
            }
            if self.cursor.failed() || (ch == '"' && braces == 0) {
                return;
            }
            // Inside `${ }` quotes and line ends mean nothing.
            if braces == 0 && ch == '$' && self.cursor.peek() == '{' {
                braces += 1;
                self.cursor.next();
            } else if braces > 0 && ch == '{' {
                braces += 1;
            }
            if braces > 0 && ch == '}' {
                braces -= 1;
            }
            if ch == '\\' {
                self.cursor.escape(false);
            }
        }
    }

    fn comment(&mut self, ch: char, start: Pos) {
        if ch == '#' || self.cursor.peek() != '*' {
            if ch == '/' && self.cursor.peek() != '/' {
                let fault = Fault::new(start, "`/` outside of a string and of a comment")
                    .expected("`//` or `/*` for a comment, or quotes around a path");
                self.cursor.fail_with(fault);
                return;
            }
            let mut ch = self.cursor.next();
            while ch != '\n' && ch != EOF && !self.cursor.failed() {
                ch = self.cursor.next();
            }
            if ch != EOF {
                self.cursor.unread();
            }
            return;
        }
        self.cursor.next();
        let mut ch = self.cursor.next();
        loop {
            if ch == EOF {
                let fault = Fault::new(start, "comment without an end").expected("`*/`");
                self.cursor.fail_with(fault);
                return;
            }
            let before = ch;
            ch = self.cursor.next();
            if self.cursor.failed() || (before == '*' && ch == '/') {
                return;
            }
        }
    }

    fn heredoc(&mut self, start: Pos) {
        if self.cursor.next() != '<' {
            let fault = Fault::new(start, "`<` outside of a string")
                .expected("`<<NAME` for a heredoc")
                .hint("template directives such as `<% %>` must be filled in before a policy is read");
            self.cursor.fail_with(fault);
            return;
        }
        let anchor_start = self.cursor.here().offset;
        let mut ch = self.cursor.next();
        if ch == '-' {
            ch = self.cursor.next();
        }
        while is_letter(ch) || is_digit(ch) {
            ch = self.cursor.next();
        }
        let unterminated = || {
            Fault::new(start, "heredoc without an end")
                .expected("its name alone on a line of its own, and a line end after it")
        };
        if ch == EOF {
            self.cursor.fail_with(unterminated());
            return;
        }
        if ch == '\r' && self.cursor.peek() == '\n' {
            ch = self.cursor.next();
        }
        if ch != '\n' {
            let fault =
                Fault::new(start, "heredoc whose name is not alone on its line").expected("`<<NAME` and a line end");
            self.cursor.fail_with(fault);
            return;
        }
        let anchor = self.cursor.slice(anchor_start, self.cursor.last().offset);
        let name = anchor.strip_prefix('-').unwrap_or(anchor);
        if name.is_empty() {
            self.cursor
                .fail_with(Fault::new(start, "heredoc without a name").expected("`<<NAME`"));
            return;
        }
        let mut line_start = self.cursor.here().offset;
        loop {
            let ch = self.cursor.next();
            if ch == EOF || self.cursor.failed() {
                self.cursor.fail_with(unterminated());
                return;
            }
            if ch == '\n' {
                let line = self.cursor.slice(line_start, self.cursor.last().offset);
                // The servers compare with the anchor's `-` counted in.
                if line.len() >= anchor.len() && is_terminator(line, name) {
                    return;
                }
                line_start = self.cursor.here().offset;
            }
        }
    }
}

fn is_terminator(line: &str, name: &str) -> bool {
    let blank = |ch: char| matches!(ch, '\t' | '\n' | '\u{b}' | '\u{c}' | '\r' | ' ');
    line.trim_start_matches(blank).trim_end_matches('\r') == name
}

/// The error for a character that can't stand where it does, with a hint for the usual ones.
fn illegal(ch: char, pos: Pos) -> Fault {
    let fault = match ch {
        '\u{feff}' => {
            return Fault::new(pos, "byte order mark in the text")
                .hint("save the file as UTF-8 without a byte order mark");
        }
        c if c.is_control() => Fault::new(pos, format!("illegal control character U+{:04X}", u32::from(c))),
        c => Fault::new(pos, format!("illegal character `{c}`")),
    };
    match ch {
        '\'' | '‘' | '’' | '“' | '”' | '`' => fault.hint("strings stand in double quotes: `\"...\"`"),
        ';' => fault.hint("keys end with the line; leave `;` out"),
        ':' => fault.hint("keys are assigned with `=`; with `:` the whole policy has to be JSON, in `{ }`"),
        '*' => fault.hint("a path with `*` stands in double quotes"),
        '$' | '%' => fault.hint("interpolation works in no policy: write the value itself, in double quotes"),
        '(' | ')' | '?' | '!' | '&' | '|' | '>' => {
            fault.hint("policies are HCL 1: they know no functions and no expressions")
        }
        _ => fault,
    }
}
