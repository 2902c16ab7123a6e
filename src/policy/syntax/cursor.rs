//! Reading a text character by character, with its place, one step back, and the first thing that was wrong.
//!
//! Both scanners are built on this. It follows the servers' own readers, whose quirks decide what is accepted.

use super::ast::{Fault, Pos};

/// The end of the text, as the servers' readers mark it. A NUL byte therefore looks like the end.
pub(super) const EOF: char = '\0';

/// A character that the HCL reader keeps for itself and refuses in a text.
pub(super) const RESERVED: char = '\u{e123}';

/// The flavour of the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// `\r\n` is one line end; NUL is an error.
    Hcl,
    /// Every byte as it is.
    Json,
}

/// The reader.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    mode: Mode,
    /// The place after the last character.
    at: Pos,
    /// The place before the last character.
    before: Pos,
    fault: Option<Fault>,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(text: &'a str, mode: Mode) -> Self {
        let start = Pos {
            offset: 0,
            line: 1,
            column: 1,
        };
        Self {
            text,
            mode,
            at: start,
            before: start,
            fault: None,
        }
    }

    /// The place of the last character read.
    pub(super) const fn last(&self) -> Pos {
        self.before
    }

    /// The place of the next character.
    pub(super) const fn here(&self) -> Pos {
        self.at
    }

    /// The bytes from `start` to here.
    pub(super) fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at.offset).unwrap_or("")
    }

    /// The bytes of `span`.
    pub(super) fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or("")
    }

    fn look(&self) -> Option<(char, usize)> {
        let rest = self.text.get(self.at.offset..)?;
        let ch = rest.chars().next()?;
        if ch == '\r' && self.mode == Mode::Hcl && rest.as_bytes().get(1) == Some(&b'\n') {
            return Some(('\n', 2));
        }
        Some((ch, ch.len_utf8()))
    }

    /// The next character without taking it.
    pub(super) fn peek(&self) -> char {
        self.look().map_or(EOF, |(ch, _)| ch)
    }

    /// Takes the next character.
    pub(super) fn next(&mut self) -> char {
        self.before = self.at;
        let Some((ch, width)) = self.look() else {
            return EOF;
        };
        self.at.offset += width;
        if ch == '\n' {
            self.at.line = self.at.line.saturating_add(1);
            self.at.column = 1;
        } else {
            self.at.column = self.at.column.saturating_add(1);
        }
        if self.mode == Mode::Hcl {
            if ch == EOF {
                self.fail("NUL character in the text");
            } else if ch == RESERVED {
                self.fail("character U+E123, which the servers keep for themselves");
                return char::REPLACEMENT_CHARACTER;
            }
        }
        ch
    }

    /// Puts the last character back.
    pub(super) const fn unread(&mut self) {
        self.at = self.before;
    }

    /// Notes that the last character was wrong. The first note stays.
    pub(super) fn fail(&mut self, message: impl Into<String>) {
        self.fail_with(Fault::new(self.before, message));
    }

    /// Notes a fault. The first one stays.
    pub(super) fn fail_with(&mut self, fault: Fault) {
        if self.fault.is_none() {
            self.fault = Some(fault);
        }
    }

    /// The fault, once.
    pub(super) const fn take_fault(&mut self) -> Option<Fault> {
        self.fault.take()
    }

    pub(super) const fn failed(&self) -> bool {
        self.fault.is_some()
    }

    // Numbers: the three helpers that both scanners share, quirks included.

    /// Digits from `ch` on; leaves the last of them to be read as the last one.
    pub(super) fn mantissa(&mut self, mut ch: char) -> char {
        let mut scanned = false;
        while ch.is_ascii_digit() {
            ch = self.next();
            scanned = true;
        }
        if scanned && ch != EOF {
            self.unread();
        }
        ch
    }

    /// After the `.`.
    pub(super) fn fraction(&mut self, ch: char) -> char {
        if ch == '.' {
            let digit = self.peek();
            return self.mantissa(digit);
        }
        ch
    }

    /// After the `e`.
    pub(super) fn exponent(&mut self, mut ch: char) -> char {
        if ch == 'e' || ch == 'E' {
            ch = self.next();
            if ch == '-' || ch == '+' {
                ch = self.next();
            }
            ch = self.mantissa(ch);
        }
        ch
    }

    /// The rest of a float after its mantissa, if `ch` (just read) begins one.
    pub(super) fn float_tail(&mut self, ch: char) -> bool {
        if ch == 'e' || ch == 'E' {
            self.exponent(ch);
            return true;
        }
        if ch == '.' {
            let after = self.fraction(ch);
            if after == 'e' || after == 'E' {
                let e = self.next();
                self.exponent(e);
            }
            return true;
        }
        false
    }

    /// `count` digits of `base` from `ch` on. With `put_back`, the character after them is always put back.
    pub(super) fn digits(&mut self, mut ch: char, base: u32, count: u32, put_back: bool) {
        let mut left = count;
        while left > 0 && digit(ch) < base {
            ch = self.next();
            if ch == EOF && !put_back {
                break;
            }
            left -= 1;
        }
        if left > 0 {
            self.fail("illegal escape in a string");
        }
        if put_back || (left != count && ch != EOF) {
            self.unread();
        }
    }

    /// An escape in a string, its `\` already read.
    pub(super) fn escape(&mut self, put_back: bool) {
        let ch = self.next();
        match ch {
            'a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\' | '"' => {}
            '0'..='7' => self.digits(ch, 8, 3, put_back),
            'x' => {
                let first = self.next();
                self.digits(first, 16, 2, put_back);
            }
            'u' => {
                let first = self.next();
                self.digits(first, 16, 4, put_back);
            }
            'U' => {
                let first = self.next();
                self.digits(first, 16, 8, put_back);
            }
            _ => {
                let fault = Fault::new(self.last(), "illegal escape in a string")
                    .expected("one of `\\n`, `\\t`, `\\r`, `\\\"`, `\\\\`, `\\xHH`, `\\uHHHH`");
                self.fail_with(fault);
            }
        }
    }
}

fn digit(ch: char) -> u32 {
    ch.to_digit(16).unwrap_or(16)
}

/// Whether `ch` may begin a bare word.
pub(super) fn is_letter(ch: char) -> bool {
    ch.is_ascii_alphabetic() || ch == '_' || (!ch.is_ascii() && unicode_letter(ch))
}

/// Whether `ch` is a digit in a bare word.
pub(super) fn is_digit(ch: char) -> bool {
    ch.is_ascii_digit() || (!ch.is_ascii() && unicode_digit(ch))
}

fn unicode_letter(ch: char) -> bool {
    use unicode_general_category::{GeneralCategory as G, get_general_category};
    matches!(
        get_general_category(ch),
        G::UppercaseLetter | G::LowercaseLetter | G::TitlecaseLetter | G::ModifierLetter | G::OtherLetter
    )
}

fn unicode_digit(ch: char) -> bool {
    use unicode_general_category::{GeneralCategory, get_general_category};
    get_general_category(ch) == GeneralCategory::DecimalNumber
}

/// Whether `ch` separates tokens.
pub(super) const fn is_blank(ch: char) -> bool {
    matches!(ch, ' ' | '\t' | '\n' | '\r')
}
