//! The tree of a policy text: what both readers (HCL 1 and JSON) build and what the decoder walks.

use std::ops::Range;

/// A place in the text: line and column count from one, columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Pos {
    pub offset: usize,
    pub line: u32,
    pub column: u32,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Eof,
    Comment,
    Ident,
    Number,
    Float,
    Bool,
    Str,
    Heredoc,
    /// JSON's `null`, which the servers read as an empty string.
    Null,
    LBracket,
    LBrace,
    Comma,
    Period,
    RBracket,
    RBrace,
    Assign,
    Add,
    Sub,
    /// JSON's `:`.
    Colon,
}

impl Kind {
    /// The token in words, for messages.
    pub(super) const fn describe(self) -> &'static str {
        match self {
            Self::Eof => "the end of the text",
            Self::Comment => "a comment",
            Self::Ident => "a bare word",
            Self::Number | Self::Float => "a number",
            Self::Bool => "a truth value",
            Self::Str => "a string",
            Self::Heredoc => "a heredoc",
            Self::Null => "`null`",
            Self::LBracket => "`[`",
            Self::LBrace => "`{`",
            Self::Comma => "`,`",
            Self::Period => "`.`",
            Self::RBracket => "`]`",
            Self::RBrace => "`}`",
            Self::Assign => "`=`",
            Self::Add => "`+`",
            Self::Sub => "`-`",
            Self::Colon => "`:`",
        }
    }
}

/// A token: its text is `source[pos.offset..end]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub kind: Kind,
    pub pos: Pos,
    pub end: usize,
}

impl Token {
    pub(super) const fn span(&self) -> Range<usize> {
        self.pos.offset..self.end
    }
}

/// A value.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Literal(Token),
    List(List),
    Object(Object),
}

impl Node {
    pub(super) const fn span(&self) -> Range<usize> {
        match self {
            Self::Literal(token) => token.span(),
            Self::List(list) => list.pos.offset..list.end,
            Self::Object(object) => object.pos.offset..object.end,
        }
    }

    pub(super) const fn pos(&self) -> Pos {
        match self {
            Self::Literal(token) => token.pos,
            Self::List(list) => list.pos,
            Self::Object(object) => object.pos,
        }
    }

    /// The value in words, for messages.
    pub(super) const fn describe(&self) -> &'static str {
        match self {
            Self::Literal(token) => token.kind.describe(),
            Self::List(_) => "a list",
            Self::Object(_) => "a block",
        }
    }
}

/// `[ ... ]`
#[derive(Debug, Clone)]
pub(super) struct List {
    pub items: Vec<Node>,
    pub pos: Pos,
    pub end: usize,
}

/// `{ ... }`
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub items: Vec<Item>,
    pub pos: Pos,
    pub end: usize,
}

/// `key "label" { ... }` or `key = value`.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub keys: Vec<Token>,
    pub value: Node,
    /// Whether `=` stands between key and value.
    pub assigned: bool,
    /// The bytes of the comment lines directly above.
    pub lead: Option<Range<usize>>,
}

/// A text could not be read: where, what, and what was expected.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub pos: Pos,
    pub message: String,
    pub expected: Option<String>,
    pub hint: Option<String>,
}

impl Fault {
    pub(super) fn new(pos: Pos, message: impl Into<String>) -> Self {
        Self {
            pos,
            message: message.into(),
            expected: None,
            hint: None,
        }
    }

    pub(super) fn expected(mut self, what: impl Into<String>) -> Self {
        self.expected = Some(what.into());
        self
    }

    pub(super) fn hint(mut self, what: impl Into<String>) -> Self {
        self.hint = Some(what.into());
        self
    }
}

/// Deeper nesting than this is refused: no policy needs it, and it keeps the readers off the end of the stack.
pub(super) const MAX_DEPTH: usize = 128;

/// The error for it.
pub(super) fn too_deep(pos: Pos) -> Fault {
    Fault::new(pos, format!("nested more than {MAX_DEPTH} levels deep"))
        .expected("at most four levels, as policies have")
}

/// More keys, blocks and list entries than this are refused: hundreds of thousands of stanzas fit, and so does memory.
const MAX_NODES: usize = 2_000_000;

/// Counts what a text holds.
#[derive(Debug, Default)]
pub(super) struct Count(usize);

impl Count {
    /// One more, at `pos`.
    pub(super) fn add(&mut self, pos: Pos) -> Result<(), Fault> {
        self.0 += 1;
        if self.0 > MAX_NODES {
            let message = format!("more than {MAX_NODES} keys, blocks and list entries");
            return Err(Fault::new(pos, message).hint("check that this is a policy at all"));
        }
        Ok(())
    }
}
