//! YAML with its places: several documents, block scalars line by line.

use super::node::{Count, Kind, MAX_DEPTH, Node, TOO_DEEP, Trouble};
use super::text::{Builder, Text};
use crate::origin::{Hold, SourceText, Spelling};
use granit_parser::{Event, Parser, ScalarStyle, Span};
use std::collections::HashMap;
use std::sync::Arc;

/// How much aliases may stand for in a file: the letters of texts, and one more for each value.
const MAX_ALIASED: usize = 4_000_000;

/// A map or list that is not finished.
struct Open {
    map: bool,
    anchor: usize,
    start: usize,
    items: Vec<Node>,
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
        let node = match event {
            Event::SequenceStart(_, anchor, _) | Event::MappingStart(_, anchor, _) if open.len() >= MAX_DEPTH => {
                let _ = anchor;
                return Err(trouble(TOO_DEEP));
            }
            Event::SequenceStart(_, anchor, _) => {
                open.push(Open {
                    map: false,
                    anchor,
                    start: at,
                    items: Vec::new(),
                });
                continue;
            }
            Event::MappingStart(_, anchor, _) => {
                open.push(Open {
                    map: true,
                    anchor,
                    start: at,
                    items: Vec::new(),
                });
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(closed) = open.pop() else {
                    return Err(trouble("it is no YAML"));
                };
                let node = finished(closed, at);
                count.add(1, at)?;
                (node.1 > 0).then(|| anchors.insert(node.1, (node.0.clone(), size(&node.0))));
                node.0
            }
            Event::Scalar(value, style, anchor, _) => {
                let node = scalar(source, &value, style, &span);
                let pieces = node.text().map_or(0, |text| text.pieces.len());
                count.add(1 + pieces, at)?;
                if anchor > 0 {
                    anchors.insert(anchor, (node.clone(), size(&node)));
                }
                node
            }
            Event::Alias(anchor) => {
                let Some((node, size)) = anchors.get(&anchor) else {
                    return Err(trouble("an alias stands for nothing"));
                };
                aliased = aliased.saturating_add(*size);
                if aliased > MAX_ALIASED {
                    return Err(trouble("its aliases stand for too much"));
                }
                node.clone()
            }
            _ => continue,
        };
        match open.last_mut() {
            Some(parent) => parent.items.push(node),
            None => done.push(node),
        }
    }
    Ok(done)
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

fn finished(open: Open, end: usize) -> (Node, usize) {
    let kind = if open.map {
        let mut entries = Vec::with_capacity(open.items.len() / 2);
        let mut items = open.items.into_iter();
        while let (Some(key), Some(value)) = (items.next(), items.next()) {
            let name: Arc<str> = match &key.kind {
                Kind::Text(text) => Arc::clone(&text.text),
                Kind::Bool(yes) => yes.to_string().into(),
                Kind::Number(number) => number.to_string().into(),
                _ => "".into(),
            };
            entries.push((name, value));
        }
        Kind::Map(entries)
    } else {
        Kind::List(open.items)
    };
    let node = Node {
        kind,
        range: open.start..end,
    };
    (node, open.anchor)
}

fn scalar(source: &Arc<SourceText>, value: &str, style: ScalarStyle, span: &Span) -> Node {
    let start = start(span);
    let end = span.end.byte_offset().unwrap_or(start);
    let kind = match style {
        ScalarStyle::Plain => plain(value),
        _ => Kind::Text(text(source, value, style, start)),
    };
    Node {
        kind,
        range: start..end,
    }
}

fn plain(value: &str) -> Kind {
    match value {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
        "true" | "True" | "TRUE" => Kind::Bool(true),
        "false" | "False" | "FALSE" => Kind::Bool(false),
        _ => match value.parse::<f64>() {
            Ok(number) if value.starts_with(|c: char| c.is_ascii_digit() || c == '-') => Kind::Number(number),
            _ => Kind::Text(Text::made(value)),
        },
    }
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
