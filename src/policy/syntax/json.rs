//! The JSON reader of the policy language: not JSON's grammar but that of the servers' own lenient reader.
//!
//! It stops at the brace that closes the first object, takes a text that ends too early, drops truth values from lists, and
//! then flattens objects of objects into labels, so that both languages give one kind of tree.

use super::ast::{Count, Fault, Item, Kind, List, MAX_DEPTH, Node, Object, Pos, Token, too_deep};
use super::cursor::{Cursor, EOF, Mode, is_blank, is_digit, is_letter};

/// Reads a JSON text.
pub(super) fn parse(text: &str) -> Result<Vec<Item>, Fault> {
    let mut parser = Parser {
        text,
        cursor: Cursor::new(text, Mode::Json),
        token: Token {
            kind: Kind::Eof,
            pos: Pos::default(),
            end: 0,
        },
        depth: 0,
        broken: false,
        count: Count::default(),
    };
    let first = parser.scan()?;
    if first.kind != Kind::LBrace {
        return Err(Fault::new(first.pos, format!("found {}", first.kind.describe())).expected("`{`"));
    }
    match parser.object() {
        Ok(mut object) => {
            flatten(&mut object.items);
            Ok(object.items)
        }
        Err(Stop::End) => Ok(Vec::new()),
        Err(Stop::Fault(fault)) => Err(fault),
    }
}

/// Whether a text is read as JSON: its first character that is no space is `{`.
pub(super) fn looks_like_json(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

enum Stop {
    /// The text ended: what was read so far stands.
    End,
    Fault(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

struct Parser<'a> {
    text: &'a str,
    cursor: Cursor<'a>,
    token: Token,
    depth: usize,
    /// Whether the error is one that the servers never overlook.
    broken: bool,
    count: Count,
}

impl<'a> Parser<'a> {
    fn scan(&mut self) -> Result<Token, Fault> {
        let mut ch = self.cursor.next();
        while is_blank(ch) {
            ch = self.cursor.next();
        }
        let pos = self.cursor.last();
        let kind = self.kind(ch, pos);
        if let Some(fault) = self.cursor.take_fault() {
            self.broken = true;
            return Err(fault);
        }
        self.token = Token {
            kind,
            pos,
            end: self.cursor.here().offset,
        };
        if matches!(kind, Kind::Str | Kind::Number | Kind::Float | Kind::LBrace)
            && let Err(fault) = self.count.add(pos)
        {
            self.broken = true;
            return Err(fault);
        }
        Ok(self.token)
    }

    fn kind(&mut self, ch: char, start: Pos) -> Kind {
        match ch {
            _ if is_letter(ch) => match self.word(start) {
                "true" | "false" => Kind::Bool,
                "null" => Kind::Null,
                word => {
                    let fault = Fault::new(start, format!("bare word `{word}` in JSON"))
                        .expected("a string in double quotes")
                        .hint("a policy that begins with `{` is read as JSON");
                    self.cursor.fail_with(fault);
                    Kind::Eof
                }
            },
            '0'..='9' => self.number(ch),
            EOF => Kind::Eof,
            '"' => {
                self.string(start);
                Kind::Str
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
            '[' => Kind::LBracket,
            ']' => Kind::RBracket,
            '{' => Kind::LBrace,
            '}' => Kind::RBrace,
            ',' => Kind::Comma,
            ':' => Kind::Colon,
            '-' if self.cursor.peek().is_ascii_digit() => {
                let digit = self.cursor.next();
                self.number(digit)
            }
            _ => {
                let fault = Fault::new(start, format!("illegal character `{}` in JSON", ch.escape_debug()));
                self.cursor.fail_with(match ch {
                    '/' | '#' => fault.hint("JSON knows no comments"),
                    '=' => fault.hint("a policy that begins with `{` is read as JSON: use `:`"),
                    '\'' => fault.hint("strings stand in double quotes"),
                    _ => fault,
                });
                Kind::Eof
            }
        }
    }

    fn word(&mut self, start: Pos) -> &'a str {
        let mut ch = self.cursor.next();
        while is_letter(ch) || is_digit(ch) || ch == '-' {
            ch = self.cursor.next();
        }
        if ch != EOF {
            self.cursor.unread();
        }
        self.cursor.since(start.offset)
    }

    fn number(&mut self, ch: char) -> Kind {
        let first = self.cursor.here();
        self.cursor.mantissa(ch);
        let next = self.cursor.next();
        if self.cursor.float_tail(next) {
            return Kind::Float;
        }
        if next != EOF {
            self.cursor.unread();
        }
        if ch == '0' && (next == EOF || first != self.cursor.here()) {
            self.cursor.fail("number that begins with 0");
        }
        Kind::Number
    }

    fn string(&mut self, start: Pos) {
        loop {
            let ch = self.cursor.next();
            if ch == EOF || ch == '\n' {
                let fault = Fault::new(start, "string without an end").expected("a closing `\"` on the same line");
                self.cursor.fail_with(fault);
                return;
            }
            if ch == '"' || self.cursor.failed() {
                return;
            }
            if ch == '\\' {
                self.cursor.escape(true);
            }
        }
    }

    /// The object whose `{` was read last.
    fn object(&mut self) -> Result<Object, Stop> {
        let open = self.token;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            self.broken = true;
            return Err(too_deep(open.pos).into());
        }
        let mut items = Vec::new();
        loop {
            match self.item() {
                Ok(item) => items.push(item),
                Err(Stop::End) => break,
                // The servers overlook whatever was wrong if a `}` was read last: `{"a": 1,}`, but also `{"a": }`.
                Err(Stop::Fault(_)) if self.token.kind == Kind::RBrace && !self.broken => break,
                Err(stop) => return Err(stop),
            }
            if self.scan()?.kind != Kind::Comma {
                break;
            }
        }
        self.depth -= 1;
        Ok(Object {
            items,
            pos: open.pos,
            end: self.token.end,
        })
    }

    fn item(&mut self) -> Result<Item, Stop> {
        let mut keys = Vec::with_capacity(1);
        loop {
            let token = self.scan()?;
            match token.kind {
                Kind::Eof => return Err(Stop::End),
                Kind::Str => keys.push(token),
                Kind::Colon if !keys.is_empty() => break,
                kind => {
                    let fault = Fault::new(token.pos, format!("found {} in JSON", kind.describe()));
                    let fault = if keys.is_empty() {
                        fault.expected("a key in double quotes or `}`")
                    } else {
                        fault.expected("`:`")
                    };
                    return Err(match kind {
                        Kind::LBrace if self.text.trim_start().starts_with("{{") => {
                            fault.hint("a text that begins with `{{` is a template still to be filled in, not a policy")
                        }
                        _ => fault,
                    }
                    .into());
                }
            }
        }
        let value = self.value()?;
        Ok(Item {
            keys,
            value,
            assigned: false,
            lead: None,
        })
    }

    fn value(&mut self) -> Result<Node, Stop> {
        let token = self.scan()?;
        match token.kind {
            Kind::Number | Kind::Float | Kind::Bool | Kind::Null | Kind::Str => Ok(Node::Literal(token)),
            Kind::LBrace => Ok(Node::Object(self.object()?)),
            Kind::LBracket => Ok(Node::List(self.list()?)),
            Kind::Eof => Err(Stop::End),
            kind => Err(Fault::new(token.pos, format!("found {} as a value", kind.describe()))
                .expected("a string, a number, `[...]` or `{...}`")
                .into()),
        }
    }

    /// The list whose `[` was read last.
    fn list(&mut self) -> Result<List, Stop> {
        let open = self.token;
        let mut items = Vec::new();
        loop {
            let token = self.scan()?;
            match token.kind {
                Kind::Number | Kind::Float | Kind::Str => items.push(Node::Literal(token)),
                Kind::LBrace => items.push(Node::Object(self.object()?)),
                Kind::Comma | Kind::Bool | Kind::LBracket => {}
                Kind::RBracket => {
                    return Ok(List {
                        items,
                        pos: open.pos,
                        end: token.end,
                    });
                }
                kind => {
                    return Err(Fault::new(token.pos, format!("found {} in a list", kind.describe()))
                        .expected("a string or `]`")
                        .into());
                }
            }
        }
    }
}

/// Turns `"path": {"a": {...}, "b": {...}}` into `path "a" {...}` and `path "b" {...}`, at every level.
fn flatten(items: &mut Vec<Item>) {
    let mut frontier = std::mem::take(items);
    while let Some(item) = frontier.pop() {
        let Item { keys, value, lead, .. } = item;
        match value {
            Node::Object(object) if is_object_of_objects(&object) => {
                frontier.extend(object.items.into_iter().map(|inner| {
                    let mut all = keys.clone();
                    all.extend(inner.keys);
                    Item {
                        keys: all,
                        value: inner.value,
                        assigned: false,
                        lead: None,
                    }
                }));
            }
            Node::List(list) if is_list_of_objects(&list) => {
                frontier.extend(list.items.into_iter().map(|value| Item {
                    keys: keys.clone(),
                    value,
                    assigned: false,
                    lead: None,
                }));
            }
            value => items.push(Item {
                keys,
                value,
                assigned: false,
                lead,
            }),
        }
    }
    items.reverse();
    for item in items {
        flatten_node(&mut item.value);
    }
}

fn flatten_node(node: &mut Node) {
    match node {
        Node::Object(object) => flatten(&mut object.items),
        Node::List(list) => list.items.iter_mut().for_each(flatten_node),
        Node::Literal(_) => {}
    }
}

fn is_object_of_objects(object: &Object) -> bool {
    !object.items.is_empty() && object.items.iter().all(|item| matches!(item.value, Node::Object(_)))
}

fn is_list_of_objects(list: &List) -> bool {
    !list.items.is_empty() && list.items.iter().all(|node| matches!(node, Node::Object(_)))
}
