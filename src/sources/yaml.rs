//! YAML with its places: several documents, block scalars line by line, and the lines that a value takes along when it goes.

use super::node::{Count, Kind, MAX_DEPTH, Node, TOO_DEEP, Trouble};
use super::text::{Builder, Text};
use crate::origin::{Hold, SourceText, Spelling};
use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle};
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

/// How much aliases may stand for in a file: the letters of texts, and one more for each value.
const MAX_ALIASED: usize = 4_000_000;

/// A map or list that is not finished.
struct Open {
    map: bool,
    /// Whether it is written in lines.
    block: bool,
    anchor: usize,
    start: usize,
    items: Vec<Item>,
    /// Whether it has a tag.
    odd: bool,
}

/// A value as it comes.
struct Item {
    node: Node,
    /// Where it is written: an alias elsewhere than what it stands for.
    at: usize,
    /// Whether it has an anchor or is an alias, or something in it.
    shared: bool,
}

/// Reads all documents of a file.
///
/// # Errors
/// Where it is no YAML, or nested too deep.
pub fn documents(source: &Arc<SourceText>) -> Result<Vec<Node>, Trouble> {
    let mut done = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    let mut anchors: HashMap<usize, (Node, usize)> = HashMap::new();
    let mut aliased = 0_usize;
    let mut count = Count::default();
    for event in Parser::new_from_str(&source.text) {
        let (event, span) = event.map_err(|error| Trouble {
            offset: error.marker().byte_offset().unwrap_or(0),
            why: "it is no YAML".to_owned(),
        })?;
        let at = start(&span);
        let trouble = |why: &str| Trouble {
            offset: at,
            why: why.to_owned(),
        };
        let item = match event {
            Event::SequenceStart(..) | Event::MappingStart(..) if open.len() >= MAX_DEPTH => {
                return Err(trouble(TOO_DEEP));
            }
            Event::SequenceStart(style, anchor, tag) => {
                open.push(begun(false, &style, anchor, at, tag.is_some()));
                continue;
            }
            Event::MappingStart(style, anchor, tag) => {
                open.push(begun(true, &style, anchor, at, tag.is_some()));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(closed) = open.pop() else {
                    return Err(trouble("it is no YAML"));
                };
                let (anchor, at) = (closed.anchor, closed.start);
                let mut item = finished(source, closed, start(&span));
                count.add(1, at)?;
                if anchor > 0 {
                    item.node.share();
                    item.shared = true;
                    anchors.insert(anchor, (item.node.clone(), size(&item.node)));
                }
                item
            }
            Event::Scalar(value, style, anchor, tag) => {
                let mut node = scalar(source, &value, style, &span);
                node.odd |= tag.is_some();
                let pieces = node.text().map_or(0, |text| text.pieces.len());
                count.add(1 + pieces, at)?;
                if anchor > 0 {
                    anchors.insert(anchor, (node.clone(), size(&node)));
                }
                let shared = anchor > 0;
                Item { node, at, shared }
            }
            Event::Alias(anchor) => {
                let Some((node, size)) = anchors.get(&anchor) else {
                    return Err(trouble("an alias stands for nothing"));
                };
                aliased = aliased.saturating_add(*size);
                if aliased > MAX_ALIASED {
                    return Err(trouble("its aliases stand for too much"));
                }
                let node = node.clone();
                Item { node, at, shared: true }
            }
            _ => continue,
        };
        match open.last_mut() {
            Some(parent) => parent.items.push(item),
            None => done.push(item.node),
        }
    }
    for root in &mut done {
        root.line = Some(source.line_start(root.range.start));
    }
    Ok(done)
}

const fn begun(map: bool, style: &StructureStyle, anchor: usize, start: usize, odd: bool) -> Open {
    Open {
        map,
        block: matches!(style, StructureStyle::Block),
        anchor,
        start,
        items: Vec::new(),
        odd,
    }
}

fn start(span: &Span) -> usize {
    span.start.byte_offset().unwrap_or(0)
}

fn size(node: &Node) -> usize {
    match &node.kind {
        Kind::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        Kind::Map(entries) => {
            1 + entries
                .iter()
                .map(|(key, value)| key.len() + size(value))
                .sum::<usize>()
        }
        Kind::Text(text) => 1 + text.text.len(),
        _ => 1,
    }
}

fn finished(source: &SourceText, open: Open, end: usize) -> Item {
    let shared = open.items.iter().any(|item| item.shared);
    // Of a name that comes twice, or that not all take for the same, it is not known what it stands for.
    let names = open.items.iter().step_by(2).filter(|_| open.map);
    let mut seen = HashSet::new();
    let mut odd = open.odd
        || names.fold(false, |odd, key| {
            let known = matches!(&key.node.kind, Kind::Text(text) if seen.insert(Arc::clone(&text.text)));
            odd || !known || (key.node.odd && key.node.str() != Some("<<"))
        });
    let kind = if open.map {
        let (entries, clear) = entries(source, open.items, open.block);
        odd |= !clear;
        Kind::Map(entries)
    } else {
        let item = |mut item: Item| {
            let dash = source.text.get(source.line_start(item.at)..item.at);
            let dash = dash.is_some_and(|before| before.trim_start_matches(' ').trim_end_matches(' ') == "-");
            let alone = open.block && !item.shared && dash;
            item.node.line = alone.then(|| source.line_start(item.at));
            item.node
        };
        Kind::List(open.items.into_iter().map(item).collect())
    };
    Item {
        node: Node {
            kind,
            range: open.start..end,
            line: None,
            odd,
        },
        at: open.start,
        shared,
    }
}

/// The entries of a map. What `<<` brings in stands before its own, which count in its place. And whether all readers see the same: not
/// where a name comes from several places.
fn entries(source: &SourceText, items: Vec<Item>, block: bool) -> (Vec<(Arc<str>, Node)>, bool) {
    let mut own = Vec::with_capacity(items.len() / 2);
    let mut brought: Vec<Node> = Vec::new();
    let mut items = items.into_iter();
    while let (Some(key), Some(mut value)) = (items.next(), items.next()) {
        let is_merge = source
            .text
            .get(key.node.range.clone())
            .is_some_and(|text| text.trim() == "<<");
        match value.node.kind {
            Kind::Map(_) if is_merge => {
                brought.push(value.node);
                continue;
            }
            Kind::List(maps) if is_merge => {
                brought.extend(maps);
                continue;
            }
            _ => {}
        }
        let name: Arc<str> = match &key.node.kind {
            Kind::Text(text) => Arc::clone(&text.text),
            Kind::Bool(yes) => yes.to_string().into(),
            Kind::Number(number) => Arc::clone(number),
            _ => "".into(),
        };
        let line = source.line_start(key.at);
        let first = source
            .text
            .get(line..key.at)
            .is_some_and(|before| before.trim_matches(' ').is_empty());
        let alone = block && first && !key.shared && !value.shared;
        value.node.line = alone.then_some(line);
        own.push((name, value.node));
    }
    if brought.is_empty() {
        return (own, true);
    }
    let mut clear = brought.len() == 1;
    let mut known: HashSet<Arc<str>> = own.iter().map(|(name, _)| Arc::clone(name)).collect();
    let mut all = Vec::new();
    // Of several maps the first counts.
    for map in brought {
        clear &= !map.odd;
        let Kind::Map(entries) = map.kind else { continue };
        // In the map itself the last of a name counts.
        let new: Vec<_> = entries
            .into_iter()
            .rev()
            .filter(|(name, _)| {
                let new = known.insert(Arc::clone(name));
                clear &= new;
                new
            })
            .collect();
        all.extend(new.into_iter().rev());
    }
    all.append(&mut own);
    (all, clear)
}

/// The lines that a value of a map or list takes along when it goes, with the comments that stand right above it and are about it alone.
#[must_use]
pub fn lines_of(source: &SourceText, node: &Node) -> Option<Range<usize>> {
    let first = node.line?;
    let line = |at: usize| source.text.get(at..source.line_end(at)).unwrap_or("");
    let indent = |text: &str| text.len() - text.trim_start_matches(' ').len();
    let column = indent(line(first));
    let is_item = line(first).trim_start_matches(' ').starts_with('-');
    let mut end = source.line_end(first);
    let mut at = end;
    while at < source.text.len() {
        let text = line(at);
        let inside = indent(text) > column || (!is_item && indent(text) == column && is_dash(text));
        if !text.trim().is_empty() {
            if !inside {
                break;
            }
            end = source.line_end(at);
        }
        at = source.line_end(at);
    }
    let mut start = first;
    let mut above = first;
    while above > 0 {
        let before = source.line_start(above - 1);
        let text = line(before);
        if !(text.trim_start().starts_with('#') && indent(text) == column) {
            // What a list begins with is about the list.
            let of_parent = !text.trim().is_empty() && (indent(text) < column || text.trim_end().ends_with(':'));
            start = if of_parent { first } else { above };
            break;
        }
        above = before;
    }
    Some(start..end)
}

fn is_dash(line: &str) -> bool {
    let text = line.trim();
    text == "-" || text.starts_with("- ")
}

/// The lines of a whole document, with the `---` above it; none where what is around it says something of it too.
#[must_use]
pub fn document_of(source: &SourceText, root: &Node) -> Option<Range<usize>> {
    let first = root.line?;
    let text = &source.text;
    let line = |at: usize| text.get(at..source.line_end(at)).unwrap_or("");
    let is_mark = |line: &str| line.starts_with("---") && !line.starts_with("----");
    let (mut start, mut above) = (first, first);
    let mut marked = is_mark(line(first));
    while above > 0 && !marked {
        above = source.line_start(above - 1);
        let before = line(above);
        if before.starts_with('%') || before.starts_with("...") {
            return None;
        }
        marked = is_mark(before);
        if marked {
            start = above;
        }
    }
    let before = start.checked_sub(1).map_or("", |at| line(source.line_start(at)));
    if before.starts_with('%') {
        return None;
    }
    let mut end = source.line_end(first);
    while end < text.len() && !is_mark(line(end)) {
        if line(end).starts_with("...") {
            return None;
        }
        end = source.line_end(end);
    }
    Some(start..end)
}

fn scalar(source: &Arc<SourceText>, value: &str, style: ScalarStyle, span: &Span) -> Node {
    let start = start(span);
    let end = span.end.byte_offset().unwrap_or(start);
    let kind = match style {
        ScalarStyle::Plain => plain(value),
        _ => Kind::Text(text(source, value, style, start)),
    };
    Node {
        odd: style == ScalarStyle::Plain && is_odd(value),
        kind,
        range: start..end,
        line: None,
    }
}

fn plain(value: &str) -> Kind {
    match value {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
        "true" | "True" | "TRUE" => Kind::Bool(true),
        "false" | "False" | "FALSE" => Kind::Bool(false),
        _ => match value.parse::<f64>() {
            Ok(_) if value.starts_with(|c: char| c.is_ascii_digit() || c == '-') => Kind::Number(value.into()),
            _ => Kind::Text(Text::made(value)),
        },
    }
}

/// Whether not all readers of YAML take a plain word for the same: to one it is a text, to another a number, a time or true.
fn is_odd(value: &str) -> bool {
    let word = value.to_ascii_lowercase();
    if matches!(&*word, "y" | "n" | "yes" | "no" | "on" | "off" | "=" | "<<" | "t" | "f") {
        return true;
    }
    if matches!(&*word, "true" | "false" | "null" | "~" | "") {
        return false;
    }
    if !word.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return false;
    }
    let bare = word.trim_start_matches(['+', '-']);
    let whole = bare.bytes().all(|b| b.is_ascii_digit()) && !bare.is_empty();
    // Addresses and versions have more dots than a number.
    let dots = bare.bytes().all(|b| b.is_ascii_digit() || b == b'.') && bare.matches('.').count() > 1;
    if whole || dots {
        return whole
            && (value.starts_with('+') || (bare.len() > 1 && bare.starts_with('0')) || bare == "0" && bare != value);
    }
    let based = ["0x", "0o", "0b"].iter().any(|base| bare.starts_with(base));
    let named = matches!(bare, ".inf" | ".nan" | "inf" | "nan");
    based
        || named
        || bare
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '_' | '.' | ':' | '-' | '+' | ' ' | 'e' | 't' | 'z'))
}

/// The text of a scalar; of a literal block with the place of every line.
fn text(source: &Arc<SourceText>, value: &str, style: ScalarStyle, start: usize) -> Text {
    if style == ScalarStyle::Literal {
        // The scalar begins with its `|`, or with its first line.
        let header = source.text.get(start..).is_some_and(|t| t.starts_with('|'));
        let first = if header {
            source.line_end(start)
        } else {
            source.line_start(start)
        };
        if let Some(text) = lines(source, value, first) {
            return text;
        }
    }
    Text::made(value)
}

fn lines(source: &Arc<SourceText>, value: &str, first: usize) -> Option<Text> {
    let mut builder = Builder::default();
    let mut at = first;
    let mut indent = None;
    for line in value.split_inclusive('\n') {
        let end = source.line_end(at);
        let there = source.text.get(at..end)?;
        let bare = line.strip_suffix('\n').unwrap_or(line);
        let there_bare = there.strip_suffix('\n').unwrap_or(there);
        let there_bare = there_bare.strip_suffix('\r').unwrap_or(there_bare);
        let line_end = |builder: &mut Builder, indent: usize| {
            let range = at + there_bare.len()..end;
            match range.len() {
                // The file ends here: nothing stands for the line end.
                0 => builder.made("\n"),
                1 => builder.exact(source, Spelling::Block(indent), range),
                _ => builder.whole("\n", source, Spelling::Block(indent), range, Hold::Whole),
            }
        };
        if bare.is_empty() && there_bare.trim_matches(' ').is_empty() {
            line_end(&mut builder, indent.unwrap_or(0));
            at = end;
            continue;
        }
        let prefix = there_bare.strip_suffix(bare)?;
        if !prefix.bytes().all(|b| b == b' ') || *indent.get_or_insert(prefix.len()) != prefix.len() {
            return None;
        }
        let text = at + prefix.len()..at + there_bare.len();
        builder.exact(source, Spelling::Block(prefix.len()), text);
        if line.len() > bare.len() {
            line_end(&mut builder, prefix.len());
        }
        at = end;
    }
    let text = builder.finish();
    (*text.text == *value).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Node> {
        documents(&Arc::new(SourceText::new("x.yaml", text))).unwrap()
    }

    #[test]
    fn documents_and_their_places_are_read() {
        let text = "a: 1\n---\nspec:\n  policy: |\n    path \"x\" {\n\n      a\n    }\n  list: [b, 'c', true]\n";
        let all = read(text);
        assert_eq!(all.len(), 2);
        let policy = all[1].at("/spec/policy").unwrap().text().unwrap();
        assert_eq!(&*policy.text, "path \"x\" {\n\n  a\n}\n");
        let first = policy.pieces[0].levels[0].clone();
        assert_eq!(&text[first.range], "path \"x\" {\n\n");
        assert!(policy.pieces.iter().all(|p| !p.levels.is_empty()));
        assert_eq!(all[1].at("/spec/list/1").unwrap().str(), Some("c"));
    }

    #[test]
    fn what_goes_takes_its_lines_along_and_no_others() {
        let text = "# all\ndata:\n  # of all\n  a: |\n    x\n\n    # in it\n    y\n\n  # of b\n  b:\n  - 1\n  - {c: 2}\n  # of d\n  d: 3\nlist:\n- name: e\n  more:\n    f: g\n\n# of h\n-   name: h\n- &i name\n- *i\n";
        let root = &read(text)[0];
        let lines = |pointer: &str| lines_of(&SourceText::new("", text), root.at(pointer)?).map(|range| &text[range]);
        assert_eq!(lines("/data/a"), Some("  a: |\n    x\n\n    # in it\n    y\n"));
        assert_eq!(lines("/data/b"), Some("  # of b\n  b:\n  - 1\n  - {c: 2}\n"));
        assert_eq!(lines("/data/b/0"), Some("  - 1\n"));
        assert_eq!(lines("/data/b/1/c"), None);
        assert_eq!(lines("/data/d"), Some("  # of d\n  d: 3\n"));
        assert_eq!(lines("/list/0"), Some("- name: e\n  more:\n    f: g\n"));
        assert_eq!(lines("/list/0/name"), None);
        assert_eq!(lines("/list/0/more/f"), Some("    f: g\n"));
        assert_eq!(lines("/list/1"), Some("# of h\n-   name: h\n"));
        assert_eq!((lines("/list/2"), lines("/list/3")), (None, None));
    }

    #[test]
    fn a_document_goes_with_the_mark_above_it() {
        let text = "# about the file\n\na: 1\n---\n# b\nb: 2\n--- # c\nc: 3\n";
        let all = read(text);
        let source = SourceText::new("", text);
        let documents: Vec<&str> = all
            .iter()
            .map(|root| &text[document_of(&source, root).unwrap()])
            .collect();
        assert_eq!(documents, ["a: 1\n", "---\n# b\nb: 2\n", "--- # c\nc: 3\n"]);
        let marked = "%YAML 1.2\n---\na: 1\n...\n---\nb: 2\n";
        let source = SourceText::new("", marked);
        let documents: Vec<_> = read(marked)
            .iter()
            .map(|root| document_of(&source, root).map(|range| &marked[range]))
            .collect();
        assert_eq!(documents, [None, Some("---\nb: 2\n")]);
    }

    #[test]
    fn maps_are_merged_into_others() {
        let text = "base: &base {a: 1, b: 2}\nmore: &more {b: 3, c: 4}\none: {<<: *base, b: 5}\ntwo: {<<: [*more, *base], d: 6}\nquoted: {'<<': *base}\n";
        let root = &read(text)[0];
        let number = |pointer: &str| match root.at(pointer).map(|node| &node.kind) {
            Some(Kind::Number(number)) => number.parse::<i64>().ok(),
            _ => None,
        };
        assert_eq!((number("/one/a"), number("/one/b")), (Some(1), Some(5)));
        let two = ["a", "b", "c", "d"].map(|name| number(&format!("/two/{name}")));
        assert_eq!(two, [Some(1), Some(3), Some(4), Some(6)]);
        assert_eq!((number("/quoted/a"), number("/quoted/<</a")), (None, Some(1)));
        assert_eq!(root.get("two").unwrap().entries().len(), 4);
    }

    #[test]
    fn what_is_too_deep_or_too_much_is_an_error() {
        let deep = "[".repeat(10_000);
        assert!(documents(&Arc::new(SourceText::new("x", deep))).is_err());
        let mut laughs = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for n in 1..12 {
            let all = vec![format!("*a{}", n - 1); 10].join(",");
            laughs.push_str(&format!("a{n}: &a{n} [{all}]\n"));
        }
        assert!(documents(&Arc::new(SourceText::new("x", laughs))).is_err());
    }
}
