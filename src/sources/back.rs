//! The way back: a change of a policy's text as a change of the file that the text came from, all around it byte for byte.
//!
//! A change is written back only where all policies that are made of the same bytes change alike, and where every byte of it
//! stands in one file. Else the reason is told.

use super::text::Text;
use crate::origin::{Hold, Level, Piece, SourceText, Spelling, Written};
use crate::policy::syntax::{self, Dialect};
use similar::{Algorithm, DiffOp, capture_diff_slices};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

/// What a policy was and what it is to be.
#[derive(Debug, Clone)]
pub struct Wanted<'w> {
    /// Its name, for reasons.
    pub name: &'w str,
    /// Where its text is written.
    pub written: &'w Written,
    /// The text as read.
    pub old: &'w str,
    /// The text to come; none where the policy goes.
    pub new: Option<&'w str>,
}

/// A file that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEdit {
    /// The file as the user named it.
    pub file: Arc<str>,
    /// As it was read.
    pub old: Arc<str>,
    /// As it is to be.
    pub new: String,
    /// The policies that change with it: their places in what was wanted.
    pub policies: Vec<usize>,
}

/// What can be written back, and what cannot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edited {
    /// The files, by name.
    pub files: Vec<FileEdit>,
    /// Policies whose change stays out of their files, by their place in what was wanted, with the reason.
    pub left: Vec<(usize, String)>,
}

/// A change of some bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Edit {
    range: Range2,
    new: String,
}

/// A range that can be put in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Range2 {
    start: usize,
    end: usize,
}

impl Range2 {
    const fn of(range: &Range<usize>) -> Self {
        Self {
            start: range.start,
            end: range.end,
        }
    }

    /// Whether both share a byte; a place between bytes touches what is beside it.
    const fn touches(self, other: Self) -> bool {
        if self.start == self.end || other.start == other.end {
            self.start <= other.end && other.start <= self.end
        } else {
            self.start < other.end && other.start < self.end
        }
    }
}

type ByFile = BTreeMap<Arc<str>, BTreeSet<Edit>>;

/// Works out which files change, and how.
#[must_use]
pub fn edited(all: &[Wanted<'_>]) -> Edited {
    let mut out = Edited::default();
    let mut sources: BTreeMap<Arc<str>, Arc<SourceText>> = BTreeMap::new();
    let mut edits: BTreeMap<usize, ByFile> = BTreeMap::new();
    for (n, wanted) in all.iter().enumerate() {
        let levels = wanted.written.pieces.iter().flat_map(|piece| &piece.levels);
        let texts = levels.map(|level| &level.source);
        for source in texts.chain(wanted.written.whole.iter().map(|(source, _)| source)) {
            sources
                .entry(Arc::clone(&source.file))
                .or_insert_with(|| Arc::clone(source));
        }
        match of_policy(wanted) {
            Ok(found) if found.is_empty() => {}
            Ok(found) => {
                edits.insert(n, found);
            }
            Err(why) => out.left.push((n, why)),
        }
    }
    disagreeing(all, &mut edits, &mut out.left);
    let mut files: BTreeMap<Arc<str>, (BTreeSet<Edit>, Vec<usize>)> = BTreeMap::new();
    for (n, by_file) in edits {
        for (file, some) in by_file {
            let (all, policies) = files.entry(file).or_default();
            all.extend(some);
            policies.push(n);
        }
    }
    for (file, (edits, policies)) in files {
        let Some(source) = sources.get(&file) else { continue };
        match applied(&source.text, &edits) {
            Some(new) => out.files.push(FileEdit {
                file,
                old: Arc::clone(&source.text),
                new,
                policies,
            }),
            None => {
                let why = format!("changes of `{file}` stand in each other's way");
                out.left.extend(policies.into_iter().map(|n| (n, why.clone())));
            }
        }
    }
    out.left.sort();
    out.left.dedup_by_key(|(n, _)| *n);
    out
}

/// Takes away changes that other policies made of the same bytes would not make.
fn disagreeing(all: &[Wanted<'_>], edits: &mut BTreeMap<usize, ByFile>, left: &mut Vec<(usize, String)>) {
    // Who is made of which bytes.
    let mut made: BTreeMap<&str, Vec<(Range2, usize)>> = BTreeMap::new();
    for (n, wanted) in all.iter().enumerate() {
        for level in wanted.written.pieces.iter().flat_map(|piece| &piece.levels) {
            made.entry(&level.source.file)
                .or_default()
                .push((Range2::of(&level.range), n));
        }
    }
    loop {
        let mut bad: Vec<(usize, usize)> = Vec::new();
        for (n, by_file) in &*edits {
            let other = by_file.iter().find_map(|(file, some)| {
                let users = made.get(&**file)?;
                some.iter().find_map(|edit| {
                    users
                        .iter()
                        .filter(|(range, user)| user != n && range.touches(edit.range) && range.end > range.start)
                        .find(|(_, user)| {
                            let same = edits.get(user).and_then(|theirs| theirs.get(file));
                            // A place between two bytes touches neighbours that it does not change.
                            let beside =
                                edit.range.start == edit.range.end && !shares(all, *n, *user, file, edit.range);
                            !beside && !same.is_some_and(|theirs| theirs.contains(edit))
                        })
                        .map(|(_, user)| *user)
                })
            });
            bad.extend(other.map(|other| (*n, other)));
        }
        if bad.is_empty() {
            return;
        }
        for (n, other) in bad {
            edits.remove(&n);
            let other = all.get(other).map_or("", |w| w.name);
            left.push((
                n,
                format!("`{other}` is made of the same text, and would not change alike: an override for one of them is needed"),
            ));
        }
    }
}

/// Whether two policies are made of the same bytes around a place.
fn shares(all: &[Wanted<'_>], one: usize, other: usize, file: &str, place: Range2) -> bool {
    let around = |n: usize| -> BTreeSet<Range2> {
        let levels = all
            .get(n)
            .into_iter()
            .flat_map(|w| &w.written.pieces)
            .flat_map(|p| &p.levels);
        levels
            .filter(|level| &*level.source.file == file)
            .map(|level| Range2::of(&level.range))
            .filter(|range| range.touches(place) && range.end > range.start)
            .collect()
    };
    around(one).intersection(&around(other)).next().is_some()
}

fn applied(old: &str, edits: &BTreeSet<Edit>) -> Option<String> {
    // Where all lines end as on Windows, new ones do.
    let windows = old.contains('\n') && old.matches('\n').count() == old.matches("\r\n").count();
    let mut new = String::with_capacity(old.len());
    let mut at = 0;
    for edit in edits {
        // Two that go may each take along what parts them.
        let start = if edit.new.is_empty() {
            edit.range.start.max(at)
        } else {
            edit.range.start
        };
        new.push_str(old.get(at..start)?);
        if windows {
            new.push_str(&edit.new.replace("\r\n", "\n").replace('\n', "\r\n"));
        } else {
            new.push_str(&edit.new);
        }
        at = edit.range.end.max(at);
    }
    new.push_str(old.get(at..)?);
    Some(new)
}

/// The changes of files that a policy asks for.
fn of_policy(wanted: &Wanted<'_>) -> Result<ByFile, String> {
    let Some(new) = wanted.new else {
        if let Some((source, range)) = &wanted.written.whole {
            let range = with_blank_line(source, Range2::of(range));
            let new = String::new();
            return Ok(ByFile::from([(
                Arc::clone(&source.file),
                BTreeSet::from([Edit { range, new }]),
            )]));
        }
        return Err(format!(
            "take out `{}` by hand: what makes a policy goes as a whole",
            wanted.written.address
        ));
    };
    if new == wanted.old {
        return Ok(ByFile::new());
    }
    if let Some(why) = &wanted.written.fixed {
        return Err(why.to_string());
    }
    let mut found = ByFile::new();
    for edit in text_edits(wanted.old, new) {
        for (source, edit) in in_file(wanted, &edit)? {
            found.entry(Arc::clone(&source.file)).or_default().insert(edit);
        }
    }
    Ok(found)
}

/// A stanza of a text, with the comment above it and its line end.
struct Block {
    path: String,
    range: Range<usize>,
}

fn blocks(text: &str) -> Option<Vec<Block>> {
    let policy = syntax::parse("", "", text, &Dialect::default()).ok()?;
    let source = SourceText::new("", text);
    let blocks = policy.stanzas.iter().map(|stanza| {
        let first = stanza
            .comment_span
            .as_ref()
            .map_or(stanza.span.start, |c| c.start.min(stanza.span.start));
        let line = source.line_start(first);
        let start = if text.get(line..first).is_some_and(|t| t.trim().is_empty()) {
            line
        } else {
            first
        };
        let line = source.line_end(stanza.span.end.saturating_sub(1));
        let end = if text.get(stanza.span.end..line).is_some_and(|t| t.trim().is_empty()) {
            line
        } else {
            stanza.span.end
        };
        Block {
            path: stanza.path.to_string(),
            range: start..end,
        }
    });
    Some(blocks.collect())
}

/// What changes between two texts: stanza by stanza, then line by line, then within lines.
fn text_edits(old: &str, new: &str) -> Vec<Edit> {
    let mut edits = Vec::new();
    let (Some(before), Some(after)) = (blocks(old), blocks(new)) else {
        lines(old, new, 0..old.len(), 0..new.len(), &mut edits);
        return edits;
    };
    let names = |all: &[Block]| all.iter().map(|b| b.path.clone()).collect::<Vec<_>>();
    let (mut old_at, mut new_at) = (0, 0);
    for op in capture_diff_slices(Algorithm::Myers, &names(&before), &names(&after)) {
        let DiffOp::Equal {
            old_index,
            new_index,
            len,
        } = op
        else {
            continue;
        };
        for n in 0..len {
            let (Some(a), Some(b)) = (before.get(old_index + n), after.get(new_index + n)) else {
                continue;
            };
            if a.range.start < old_at || b.range.start < new_at {
                continue;
            }
            lines(old, new, old_at..a.range.start, new_at..b.range.start, &mut edits);
            lines(old, new, a.range.clone(), b.range.clone(), &mut edits);
            (old_at, new_at) = (a.range.end, b.range.end);
        }
    }
    lines(old, new, old_at..old.len(), new_at..new.len(), &mut edits);
    edits
}

fn lines(old: &str, new: &str, old_range: Range<usize>, new_range: Range<usize>, edits: &mut Vec<Edit>) {
    let (Some(before), Some(after)) = (old.get(old_range.clone()), new.get(new_range)) else {
        return;
    };
    if before == after {
        return;
    }
    let split = |text: &'_ str| text.split_inclusive('\n').map(str::to_owned).collect::<Vec<_>>();
    let (before, after) = (split(before), split(after));
    let mut starts = vec![old_range.start];
    for line in &before {
        starts.push(starts.last().copied().unwrap_or(0) + line.len());
    }
    let at = |n: usize| starts.get(n).copied().unwrap_or(old_range.end);
    for op in capture_diff_slices(Algorithm::Myers, &before, &after) {
        let (_, old_lines, new_lines) = op.as_tag_tuple();
        if matches!(op, DiffOp::Equal { .. }) {
            continue;
        }
        if old_lines.len() == new_lines.len() {
            for (o, n) in old_lines.zip(new_lines) {
                if let (Some(a), Some(b)) = (before.get(o), after.get(n)) {
                    within(a, b, at(o), edits);
                }
            }
            continue;
        }
        edits.push(Edit {
            range: Range2 {
                start: at(old_lines.start),
                end: at(old_lines.end),
            },
            new: after.get(new_lines).map(|l| l.concat()).unwrap_or_default(),
        });
    }
}

/// What changes within a line.
fn within(old: &str, new: &str, at: usize, edits: &mut Vec<Edit>) {
    if old == new {
        return;
    }
    let prefix: usize = old
        .chars()
        .zip(new.chars())
        .take_while(|(a, b)| a == b)
        .map(|(a, _)| a.len_utf8())
        .sum();
    let (old_rest, new_rest) = (old.get(prefix..).unwrap_or(""), new.get(prefix..).unwrap_or(""));
    let suffix: usize = old_rest
        .chars()
        .rev()
        .zip(new_rest.chars().rev())
        .take_while(|(a, b)| a == b)
        .map(|(a, _)| a.len_utf8())
        .sum();
    edits.push(Edit {
        range: Range2 {
            start: at + prefix,
            end: at + old.len() - suffix,
        },
        new: new_rest.get(..new_rest.len() - suffix).unwrap_or("").to_owned(),
    });
}

const MADE: &str = "a part of it is worked out, and stands in no file as it is";

/// A change of a text as changes of the files in which it stands.
fn in_file(wanted: &Wanted<'_>, edit: &Edit) -> Result<Vec<(Arc<SourceText>, Edit)>, String> {
    let pieces = &wanted.written.pieces;
    if edit.range.start == edit.range.end {
        return insertion(wanted, edit).map(|found| vec![found]);
    }
    let (first, _) = wanted.written.piece(edit.range.start).ok_or(MADE)?;
    let (last, _) = wanted.written.piece(edit.range.end - 1).ok_or(MADE)?;
    let touched = first..last + 1;
    let candidates = pieces.get(first).map(|p| p.levels.clone()).unwrap_or_default();
    for candidate in &candidates {
        if let Some(found) = in_literal(wanted, edit, touched.clone(), candidate) {
            return Ok(found);
        }
    }
    Err(MADE.to_owned())
}

/// Whether two places belong to one way of writing in one file.
fn alike(a: &Level, b: &Level) -> bool {
    Arc::ptr_eq(&a.source, &b.source) && a.spelling == b.spelling
}

fn in_literal(
    wanted: &Wanted<'_>,
    edit: &Edit,
    touched: Range<usize>,
    candidate: &Level,
) -> Option<Vec<(Arc<SourceText>, Edit)>> {
    let pieces = &wanted.written.pieces;
    let (mut start, mut end) = (edit.range.start, edit.range.end);
    let mut new = edit.new.clone();
    let mut ranges: Vec<(Range<usize>, Hold)> = Vec::new();
    let mut at = wanted.written.piece(start)?.1;
    for number in touched.clone() {
        let piece = pieces.get(number)?;
        let stop = at + piece.len;
        let levels = || piece.levels.iter().filter(|level| alike(level, candidate));
        let whole = levels().rev().find(|level| {
            level.hold == Hold::Made
                && start <= at
                && stop <= end
                && group_is_inside(pieces, number, level, &touched, (start, end), at)
        });
        let own = || levels().find(|level| level.hold != Hold::Made && !is_word(piece, level));
        let level = whole.or_else(own)?;
        match level.hold {
            Hold::Made => ranges.push((level.range.clone(), Hold::Made)),
            Hold::Exact => {
                let from = level.range.start + start.max(at) - at;
                let to = level.range.start + end.min(stop) - at;
                ranges.push((from..to, Hold::Exact));
            }
            Hold::Whole => {
                // The rest of what can only be replaced whole is written again.
                if at < start {
                    new.insert_str(0, wanted.old.get(at..start)?);
                    start = at;
                }
                if end < stop {
                    new.push_str(wanted.old.get(end..stop)?);
                    end = stop;
                }
                ranges.push((level.range.clone(), Hold::Whole));
            }
        }
        at = stop;
    }
    let source = &candidate.source;
    if new.is_empty() && ranges.iter().any(|(_, hold)| *hold == Hold::Made) && candidate.spelling == Spelling::Plain {
        let unique: BTreeSet<Range2> = ranges.iter().map(|(range, _)| Range2::of(range)).collect();
        let edits = unique.into_iter().filter(|range| range.start < range.end).map(|range| {
            let range = with_blank_line(source, range);
            (
                Arc::clone(source),
                Edit {
                    range,
                    new: String::new(),
                },
            )
        });
        return Some(edits.collect());
    }
    if ranges
        .windows(2)
        .any(|pair| matches!(pair, [(a, _), (b, _)] if b.start < a.end && a != b))
    {
        return None;
    }
    let mut from = ranges.first()?.0.start;
    let to = ranges.last()?.0.end;
    let lines = (start == 0 || wanted.old.get(..start)?.ends_with('\n'))
        && (new.is_empty() || new.ends_with('\n'))
        && wanted.old.get(start..end)?.ends_with('\n');
    let at_line_start = lines && indented(candidate.spelling) && {
        let line = source.line_start(from);
        let blank = source.text.get(line..from).is_some_and(|t| t.trim().is_empty());
        if blank {
            from = line;
        }
        blank
    };
    let margin = margin(source, from, candidate.spelling);
    let spelt = spelt(&new, candidate.spelling, &margin, at_line_start)?;
    Some(vec![(
        Arc::clone(source),
        Edit {
            range: Range2 { start: from, end: to },
            new: spelt,
        },
    )])
}

/// Whether a piece is a word that was put into a template: what else it was put into is not known.
fn is_word(piece: &Piece, level: &Level) -> bool {
    let put_in = piece.levels.iter().any(|other| {
        other.hold == Hold::Made && !matches!(other.spelling, Spelling::Plain | Spelling::Json | Spelling::Block(_))
    });
    put_in
        && !level
            .source
            .text
            .get(level.range.clone())
            .is_some_and(|text| text.contains('{'))
}

/// Whether all pieces that one thing makes lie in the change.
fn group_is_inside(
    pieces: &[Piece],
    number: usize,
    level: &Level,
    touched: &Range<usize>,
    (start, end): (usize, usize),
    at: usize,
) -> bool {
    let of_group = |piece: &Piece| {
        piece
            .levels
            .iter()
            .any(|other| other.hold == Hold::Made && alike(other, level) && other.range == level.range)
    };
    let mut from = at;
    for n in (0..number).rev() {
        match pieces.get(n).filter(|piece| of_group(piece)) {
            Some(piece) => from -= piece.len,
            None => break,
        }
    }
    let mut to = at;
    for n in number..pieces.len() {
        match pieces.get(n).filter(|piece| of_group(piece)) {
            Some(piece) => to += piece.len,
            None => break,
        }
    }
    let _ = touched;
    start <= from && to <= end
}

/// A block that goes takes one of two blank lines around it along.
fn with_blank_line(source: &SourceText, range: Range2) -> Range2 {
    let text = &source.text;
    if !text
        .get(..range.start)
        .is_some_and(|t| t.is_empty() || t.ends_with('\n'))
    {
        return range;
    }
    let next = source.line_end(range.end);
    let after_blank = next > range.end && text.get(range.end..next).is_some_and(|t| t.trim().is_empty());
    let before = source.line_start(range.start.saturating_sub(1));
    let line_before = text.get(before..range.start).unwrap_or("").trim();
    if after_blank && (line_before.is_empty() || line_before.ends_with('{')) {
        return Range2 { end: next, ..range };
    }
    let after = text.get(range.end..next).unwrap_or("").trim();
    if line_before.is_empty() && after == "}" {
        return Range2 { start: before, ..range };
    }
    range
}

const fn indented(spelling: Spelling) -> bool {
    matches!(spelling, Spelling::Heredoc(_) | Spelling::Block(_))
}

/// New text between two bytes.
fn insertion(wanted: &Wanted<'_>, edit: &Edit) -> Result<(Arc<SourceText>, Edit), String> {
    let at = edit.range.start;
    // The place in the file: within what stands there as it is, else before or after what is spelt otherwise.
    let placed = |(number, start): (usize, usize)| {
        let piece = wanted.written.pieces.get(number)?;
        let level = piece.levels.first().filter(|level| !is_word(piece, level))?;
        let offset = match level.hold {
            Hold::Exact => level.range.start + at - start,
            Hold::Whole if at == start => level.range.start,
            Hold::Whole if at == start + piece.len => level.range.end,
            Hold::Whole | Hold::Made => return None,
        };
        Some((level, offset))
    };
    let lines = (at == 0 || wanted.old.get(..at).is_some_and(|t| t.ends_with('\n'))) && edit.new.ends_with('\n');
    let place = |(level, offset): (&Level, usize)| -> Option<(Arc<SourceText>, Edit)> {
        let mut offset = offset;
        let mut at_line_start = lines && indented(level.spelling);
        if at_line_start {
            let line = level.source.line_start(offset);
            at_line_start = level.source.text.get(line..offset).is_some_and(|t| t.trim().is_empty());
            if at_line_start {
                offset = line;
            }
        }
        let margin = margin(&level.source, offset, level.spelling);
        let new = spelt(&edit.new, level.spelling, &margin, at_line_start)?;
        let range = Range2 {
            start: offset,
            end: offset,
        };
        Some((Arc::clone(&level.source), Edit { range, new }))
    };
    let here = wanted.written.piece(at);
    let before = at.checked_sub(1).and_then(|before| wanted.written.piece(before));
    let found = [here, before]
        .into_iter()
        .flatten()
        .find_map(|found| place(placed(found)?));
    found.ok_or_else(|| MADE.to_owned())
}

/// What stands before a line of a text that is indented: what its neighbour has there, such as tabs, else spaces.
fn margin(source: &SourceText, at: usize, spelling: Spelling) -> String {
    let (Spelling::Heredoc(indent) | Spelling::Block(indent)) = spelling else {
        return String::new();
    };
    let mut lines = source.text.get(source.line_start(at)..).unwrap_or("").lines();
    let line = lines.find(|line| !line.trim().is_empty()).unwrap_or("");
    let there: String = line
        .chars()
        .take(indent)
        .take_while(|c| matches!(c, ' ' | '\t'))
        .collect();
    if there.chars().count() == indent {
        there
    } else {
        " ".repeat(indent)
    }
}

/// A text as it has to be written. At the start of a line every line gets the indentation, else every line after the first.
fn spelt(text: &str, spelling: Spelling, margin: &str, at_line_start: bool) -> Option<String> {
    let template = |text: &str| text.replace("${", "$${").replace("%{", "%%{");
    let lines = |text: &str| {
        let mut out = String::new();
        for (n, line) in text.split_inclusive('\n').enumerate() {
            if (n > 0 || at_line_start) && !line.trim().is_empty() {
                out.push_str(margin);
            }
            out.push_str(line);
        }
        if text.ends_with('\n') && !at_line_start {
            out.push_str(margin);
        }
        out
    };
    Some(match spelling {
        Spelling::Plain => text.to_owned(),
        Spelling::Template => template(text),
        Spelling::Heredoc(_) => lines(&template(text)),
        // What some reader of YAML takes for a line end or refuses cannot stand in a block.
        Spelling::Block(_)
            if !text.chars().all(|c| {
                matches!(c, '\n' | '\t' | ' '..='~' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..)
                    && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
            }) =>
        {
            return None;
        }
        Spelling::Block(_) => lines(text),
        Spelling::Quoted => {
            let mut out = String::new();
            for c in template(text).chars() {
                match c {
                    '\n' => out.push_str("\\n"),
                    '\r' => out.push_str("\\r"),
                    '\t' => out.push_str("\\t"),
                    '"' => out.push_str("\\\""),
                    '\\' => out.push_str("\\\\"),
                    c if c.is_control() => return None,
                    c => out.push(c),
                }
            }
            out
        }
        Spelling::Json | Spelling::JsonTemplate => {
            let text = if spelling == Spelling::Json {
                text.to_owned()
            } else {
                template(text)
            };
            let quoted = serde_json::Value::from(text).to_string();
            quoted.get(1..quoted.len() - 1)?.to_owned()
        }
    })
}

/// Where the text of a policy is written that is a file by itself: the same way back for all.
#[must_use]
pub fn of_file(file: &str, text: &Arc<str>) -> Written {
    let source = Arc::new(SourceText::new(file, Arc::clone(text)));
    Text::file(&source, Spelling::Plain).written(file, &source, 0)
}
