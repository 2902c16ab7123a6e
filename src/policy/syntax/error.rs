//! What a person reads when a policy is wrong: the place, the line itself, a caret, what was expected, and a hint.

use super::ast::{Fault, Pos};
use crate::origin::Origin;
use crate::shown::uninstructed;
use std::fmt::Write as _;
use std::sync::Arc;

/// A policy text could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: {message}")]
pub struct ParseError {
    /// Where.
    pub origin: Origin,
    /// What is wrong.
    pub message: Box<str>,
    /// What would have been right, where that can be said.
    pub expected: Option<Box<str>>,
    /// What the writer probably meant, or should do.
    pub hint: Option<Box<str>>,
    /// The line itself.
    pub excerpt: Excerpt,
}

impl ParseError {
    pub(super) fn new(file: &Arc<str>, text: &str, fault: Fault) -> Self {
        Self {
            origin: Origin::new(Arc::clone(file), fault.pos.line, fault.pos.column),
            message: shortened(&fault.message).into(),
            expected: fault.expected.map(|text| shortened(&text).into()),
            hint: fault.hint.map(|text| shortened(&text).into()),
            excerpt: Excerpt::of(text, fault.pos.offset, token_width(text, fault.pos.offset)),
        }
    }

    /// An error about the text as a whole.
    pub(super) fn whole(file: &Arc<str>, message: String, hint: &str) -> Self {
        let pos = Pos {
            offset: 0,
            line: 1,
            column: 1,
        };
        Self::new(file, "", Fault::new(pos, message).hint(hint))
    }

    /// The error as several lines for a terminal.
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        let notes = [("expected", self.expected.as_deref()), ("hint", self.hint.as_deref())];
        render(
            style,
            Tone::Error,
            "error",
            &self.message,
            &self.origin,
            &self.excerpt,
            &notes,
        )
    }

    /// Message, expectation and hint in one line.
    #[must_use]
    pub fn one_line(&self) -> String {
        let mut text = self.to_string();
        if let Some(expected) = &self.expected {
            let _ = write!(text, "; expected {expected}");
        }
        if let Some(hint) = &self.hint {
            let _ = write!(text, "; hint: {hint}");
        }
        text
    }
}

/// A piece of a line, with what is to be pointed at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Excerpt {
    /// The line, cut where it is long, with nothing in it that a terminal would act on.
    pub line: Box<str>,
    /// How many characters stand before the caret.
    pub caret: u32,
    /// How many characters the caret underlines.
    pub width: u32,
}

impl Excerpt {
    /// How many characters of a long line are shown on each side.
    const REACH: usize = 60;

    /// The line of `text` around byte `offset`, `width` characters of it underlined.
    #[must_use]
    pub fn of(text: &str, offset: usize, width: usize) -> Self {
        let (before, after) = text.split_at_checked(offset.min(text.len())).unwrap_or((text, ""));
        // Lines may be as long as a file: never walk further than is shown.
        let mut head: Vec<char> = before
            .chars()
            .rev()
            .take_while(|c| *c != '\n')
            .take(Self::REACH + 1)
            .collect();
        let cut_head = head.len() > Self::REACH;
        head.truncate(Self::REACH);
        let mut tail: Vec<char> = after.chars().take_while(|c| *c != '\n').take(Self::REACH + 1).collect();
        let cut_tail = tail.len() > Self::REACH;
        tail.truncate(Self::REACH);
        while !cut_tail && tail.last() == Some(&'\r') {
            tail.pop();
        }
        let mut line = String::new();
        if cut_head {
            line.push('…');
        }
        line.extend(head.iter().rev().map(|c| tame(*c)));
        let caret = head.len() + usize::from(cut_head);
        let width = width.clamp(1, tail.len().max(1));
        line.extend(tail.iter().map(|c| tame(*c)));
        if cut_tail {
            line.push('…');
        }
        Self {
            line: uninstructed(line, |_| "\u{fffd}").into(),
            caret: u32::try_from(caret).unwrap_or(0),
            width: u32::try_from(width).unwrap_or(1),
        }
    }
}

/// A text that may hold a path of any length and kind, cut to what a person reads and with nothing that a terminal acts on.
pub(crate) fn shortened(text: &str) -> String {
    const MOST: usize = 400;
    let mut chars = text.chars();
    let mut out: String = chars.by_ref().take(MOST).map(tame).collect();
    if chars.next().is_some() {
        out.push('…');
    }
    uninstructed(out, |_| "\u{fffd}")
}

/// How many characters the word or string at `offset` has.
fn token_width(text: &str, offset: usize) -> usize {
    let rest = text.get(offset..).unwrap_or("");
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    match rest.strip_prefix('"') {
        Some(inside) => inside.find(['"', '\n']).map_or(1, |end| {
            let string = inside.get(..end).unwrap_or("");
            let closed = inside.get(end..).is_some_and(|tail| tail.starts_with('"'));
            string.chars().take(Excerpt::REACH).count() + 1 + usize::from(closed)
        }),
        None => rest.chars().take(Excerpt::REACH).take_while(|c| is_word(*c)).count(),
    }
}

/// A character that a terminal shows and does nothing else with.
fn tame(c: char) -> char {
    if c == '\t' {
        ' '
    } else if hidden(c) {
        char::REPLACEMENT_CHARACTER
    } else {
        c
    }
}

/// Whether a character is not to be seen or changes how others are shown: controls, marks of direction, joiners.
pub(super) fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// How text is marked for a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// No marks at all.
    #[default]
    Plain,
    /// ANSI colours.
    Coloured,
}

/// What a mark means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Error,
    Warning,
    Note,
    Quiet,
}

impl Style {
    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        if self == Self::Plain {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Error => "1;31",
            Tone::Warning => "1;33",
            Tone::Note => "1;36",
            Tone::Quiet => "2",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// The picture that errors and warnings share.
pub(crate) fn render(
    style: Style,
    tone: Tone,
    label: &str,
    message: &str,
    origin: &Origin,
    excerpt: &Excerpt,
    notes: &[(&str, Option<&str>)],
) -> String {
    let number = origin.line.to_string();
    let gutter = " ".repeat(number.len());
    let bar = style.paint(Tone::Quiet, "|");
    let clean = |text: &str| text.chars().map(tame).collect::<String>();
    let mut out = format!(
        "{}: {}\n{gutter}{} {}\n",
        style.paint(tone, label),
        clean(message),
        style.paint(Tone::Quiet, "-->"),
        clean(&origin.to_string())
    );
    if !excerpt.line.is_empty() {
        let indent = " ".repeat(excerpt.caret as usize);
        let carets = style.paint(tone, &"^".repeat(excerpt.width as usize));
        let _ = write!(
            out,
            "{gutter} {bar}\n{} {bar} {}\n{gutter} {bar} {indent}{carets}\n",
            style.paint(Tone::Quiet, &number),
            excerpt.line
        );
    }
    for (word, note) in notes {
        if let Some(note) = note {
            let _ = writeln!(out, "{gutter} = {word}: {}", clean(note));
        }
    }
    out
}
