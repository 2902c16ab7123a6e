//! The HCL 1 parser: tokens to a tree, with the grammar of the servers' own parser.

use super::ast::{Count, Fault, Item, Kind, List, MAX_DEPTH, Node, Object, Token, too_deep};
use super::lexer::Lexer;
use std::ops::Range;

/// Reads an HCL text.
pub(super) fn parse(text: &str) -> Result<Vec<Item>, Fault> {
    let mut lexer = Lexer::new(text);
    let token = lexer.token()?;
    let mut parser = Parser {
        text,
        lexer,
        token,
        fresh: true,
        lead: None,
        previous_line: 0,
        depth: 0,
        count: Count::default(),
    };
    parser.settle()?;
    parser.items(None)
}

/// What ends a list of items or an item early.
enum Stop {
    /// The text ended: what was read so far stands (the servers accept `path =` at the very end).
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
    lexer: Lexer<'a>,
    /// The last token, comments skipped.
    token: Token,
    /// Whether `token` has still to be taken.
    fresh: bool,
    /// The comment lines directly above `token`.
    lead: Option<Range<usize>>,
    /// The line on which the token before `token` ended.
    previous_line: u32,
    depth: usize,
    count: Count,
}

impl Parser<'_> {
    /// Takes the next token that is no comment.
    fn scan(&mut self) -> Result<Token, Fault> {
        if self.fresh {
            self.fresh = false;
            return Ok(self.token);
        }
        self.previous_line = self.token.pos.line;
        self.token = self.lexer.token()?;
        self.settle()?;
        self.fresh = false;
        Ok(self.token)
    }

    /// Skips comments, keeping those that stand on lines of their own directly above what follows.
    fn settle(&mut self) -> Result<(), Fault> {
        let mut lead: Option<(Range<usize>, u32)> = None;
        while self.token.kind == Kind::Comment {
            let span = self.token.span();
            let first_line = self.token.pos.line;
            let text = self.text.get(span.clone()).unwrap_or("");
            let last_line = first_line.saturating_add(u32::try_from(text.matches('\n').count()).unwrap_or(u32::MAX));
            lead = match lead {
                Some((so_far, end_line)) if first_line <= end_line.saturating_add(1) => {
                    Some((so_far.start..span.end, last_line))
                }
                _ if first_line == self.previous_line => None,
                _ => Some((span, last_line)),
            };
            self.token = self.lexer.token()?;
        }
        let line = self.token.pos.line;
        self.lead = lead.and_then(|(span, end_line)| (end_line.saturating_add(1) >= line).then_some(span));
        Ok(())
    }

    const fn unscan(&mut self) {
        self.fresh = true;
    }

    /// The items of a block (`open` is its `{`) or of the whole text.
    fn items(&mut self, open: Option<Token>) -> Result<Vec<Item>, Fault> {
        let mut items = Vec::new();
        loop {
            if open.is_some() {
                let token = self.scan()?;
                self.unscan();
                if token.kind == Kind::RBrace {
                    return Ok(items);
                }
            }
            match self.item() {
                Ok(item) => items.push(item),
                Err(Stop::End) => return Ok(items),
                Err(Stop::Fault(fault)) => return Err(fault),
            }
            if self.scan()?.kind != Kind::Comma {
                self.unscan();
            }
        }
    }

    fn item(&mut self) -> Result<Item, Stop> {
        let first = self.scan()?;
        self.unscan();
        let lead = self.lead.take();
        let keys = self.keys(first)?;
        let assigned = self.token.kind == Kind::Assign;
        let value = match self.token.kind {
            Kind::Assign => self.value()?,
            Kind::LBrace => Node::Object(self.object()?),
            _ => return Err(Stop::Fault(self.no_value(&keys))),
        };
        Ok(Item {
            keys,
            value,
            assigned,
            lead,
        })
    }

    fn no_value(&self, keys: &[Token]) -> Fault {
        let words: Vec<&str> = keys.iter().map(|key| self.text.get(key.span()).unwrap_or("")).collect();
        Fault::new(self.token.pos, format!("`{}` has no value", words.join(" ")))
            .expected(format!("`{{` or `=`, found {}", self.token.kind.describe()))
    }

    /// The keys before `=` or `{`. At the end of the text, the keys so far are given back for the error message.
    fn keys(&mut self, first: Token) -> Result<Vec<Token>, Stop> {
        let mut keys = Vec::with_capacity(2);
        loop {
            let token = self.scan()?;
            match token.kind {
                Kind::Ident | Kind::Str => {
                    self.count.add(token.pos)?;
                    keys.push(token);
                }
                Kind::Eof if keys.is_empty() => return Err(Stop::End),
                Kind::Eof => return Ok(keys),
                Kind::Assign if keys.len() == 1 => return Ok(keys),
                Kind::Assign if keys.is_empty() => {
                    return Err(Fault::new(token.pos, "`=` without a key before it")
                        .expected("a key")
                        .into());
                }
                Kind::Assign => {
                    return Err(Fault::new(token.pos, "block with a label and `=`")
                        .expected("`{`")
                        .hint("leave out the `=` between the path and its `{`")
                        .into());
                }
                Kind::LBrace if keys.is_empty() => {
                    return Err(Fault::new(token.pos, "block without a name")
                        .expected("`path \"...\" {`")
                        .hint("a policy is HCL, or JSON as a whole: then `{` has to be its first character")
                        .into());
                }
                Kind::LBrace => return Ok(keys),
                kind => return Err(self.not_a_key(first, kind, token).into()),
            }
        }
    }

    fn not_a_key(&self, first: Token, kind: Kind, token: Token) -> Fault {
        let fault = Fault::new(token.pos, format!("found {}", kind.describe()));
        let word = self.text.get(first.span()).unwrap_or("");
        match kind {
            Kind::RBrace if self.depth == 0 => fault
                .expected("`path \"...\" {`")
                .hint("there is one `}` too many above or here"),
            Kind::RBrace => self.no_value(&[first]),
            Kind::LBracket if first.pos != token.pos => fault.expected("`=`").hint(format!("write `{word} = [...]`")),
            Kind::Comma => fault
                .expected("a key")
                .hint("no comma is needed after a block or a list"),
            Kind::Sub | Kind::Add | Kind::Period => fault
                .expected("a key, `=` or `{`")
                .hint("a path stands in double quotes"),
            _ => fault.expected("a key, `=` or `{`"),
        }
    }

    fn value(&mut self) -> Result<Node, Stop> {
        let token = self.scan()?;
        match token.kind {
            Kind::Number | Kind::Float | Kind::Bool | Kind::Str | Kind::Heredoc => Ok(Node::Literal(token)),
            Kind::LBrace => Ok(Node::Object(self.object()?)),
            Kind::LBracket => Ok(Node::List(self.list()?)),
            Kind::Eof => Err(Stop::End),
            kind => {
                let fault = Fault::new(token.pos, format!("found {} as a value", kind.describe()))
                    .expected("a string in double quotes, a number, `[...]` or `{...}`");
                let word = self.text.get(token.span()).unwrap_or("");
                Err(match kind {
                    Kind::Ident if word == "null" => fault.hint("HCL 1 knows no `null`: leave the key out"),
                    Kind::Ident if word.contains('.') => {
                        fault.hint("policies are HCL 1: they know no variables and no functions")
                    }
                    Kind::Ident => fault.hint(format!("put double quotes around it: `\"{word}\"`")),
                    _ => fault,
                }
                .into())
            }
        }
    }

    fn descend(&mut self, token: Token) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            Err(too_deep(token.pos))
        } else {
            Ok(())
        }
    }

    /// The block whose `{` was read last.
    fn object(&mut self) -> Result<Object, Fault> {
        let open = self.token;
        self.descend(open)?;
        let items = self.items(Some(open))?;
        let close = self.scan()?;
        if close.kind != Kind::RBrace {
            return Err(Fault::new(
                close.pos,
                format!("the block opened on line {} is not closed", open.pos.line),
            )
            .expected(format!("`}}`, found {}", close.kind.describe())));
        }
        self.depth -= 1;
        Ok(Object {
            items,
            pos: open.pos,
            end: close.end,
        })
    }

    /// The list whose `[` was read last.
    fn list(&mut self) -> Result<List, Fault> {
        let open = self.token;
        self.descend(open)?;
        let mut items = Vec::new();
        let mut need_comma = false;
        loop {
            let token = self.scan()?;
            if need_comma && !matches!(token.kind, Kind::Comma | Kind::RBracket) {
                return Err(
                    Fault::new(token.pos, format!("found {} in a list", token.kind.describe()))
                        .expected("`,` or `]`")
                        .hint(if token.kind == Kind::Str {
                            "a comma is missing before it"
                        } else {
                            "the list may lack its `]`, or the string before its closing quote"
                        }),
                );
            }
            self.count.add(token.pos)?;
            match token.kind {
                Kind::Bool | Kind::Number | Kind::Float | Kind::Str | Kind::Heredoc => {
                    items.push(Node::Literal(token));
                    need_comma = true;
                }
                Kind::Comma => need_comma = false,
                Kind::LBrace => {
                    items.push(Node::Object(self.object()?));
                    need_comma = true;
                }
                // The servers want no comma after a list in a list.
                Kind::LBracket => items.push(Node::List(self.list()?)),
                Kind::RBracket => {
                    self.depth -= 1;
                    return Ok(List {
                        items,
                        pos: open.pos,
                        end: token.end,
                    });
                }
                kind => {
                    let fault = Fault::new(token.pos, format!("found {} in a list", kind.describe()))
                        .expected("a string in double quotes or `]`");
                    let word = self.text.get(token.span()).unwrap_or("");
                    return Err(match kind {
                        Kind::Ident => fault.hint(format!("put double quotes around it: `\"{word}\"`")),
                        _ => fault,
                    });
                }
            }
        }
    }
}
