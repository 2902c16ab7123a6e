//! Works out expressions as far as nothing but the files is needed. What a provider or a person would have to say stays
//! unknown, with the reason.

use super::functions;
use super::model::Expr;
use super::module::Module;
use super::unify::{loosened, unified};
use super::value::{Entries, Form, NO_ORDER, Value, settled};
use super::ways::Needs;
use crate::origin::{Hold, Level, SourceText, Spelling};
use crate::sources::files::Files;
use crate::sources::node::{Kind, Node};
use crate::sources::text::{Builder, Text};
use hcl_edit::Span as _;
use hcl_edit::expr::{
    BinaryOperator, Conditional, Expression, ForExpr, FuncCall, Object, ObjectKey, TraversalOperator, UnaryOperator,
};
use hcl_edit::template::{Directive, Element, HeredocTemplate, Strip, Template};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How deep expressions may lead into each other.
const MAX_DEPTH: usize = 300;
/// How many steps are made in all.
const MAX_STEPS: u64 = 5_000_000;
/// How many bytes of text are made in all.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// How many steps it takes to look for a file.
const LOOK: usize = 50;

/// Why nothing more is worked out.
const MANY_STEPS: &str = "it takes more steps than are made";

/// A name that a known map surely lacks.
const NO_NAME: &str = "a map has no such name";
/// An item that a known list surely lacks.
const NO_ITEM: &str = "a list has no such item";

/// Why what a name stands for is not known.
const ODD_NAME: &str = "a name may be another to Terraform";
/// Terraform tells a zero of a negative number from others.
const MINUS_ZERO: &str = "a zero that may be negative";

/// What went wrong, or is not known.
pub type Why = Arc<str>;

/// Names that expressions may use, the innermost first.
pub struct Scope<'s> {
    /// The module; none inside of a template file.
    pub module: Option<&'s Module>,
    /// Names bound here.
    pub names: Vec<(Arc<str>, Value)>,
    /// Names that a template is given.
    pub given: Option<&'s Entries>,
    /// Where this scope is in.
    pub parent: Option<&'s Scope<'s>>,
}

impl<'s> Scope<'s> {
    /// Of a module.
    #[must_use]
    pub fn of(module: &'s Module) -> Self {
        Self {
            module: Some(module),
            names: Vec::new(),
            given: None,
            parent: None,
        }
    }

    /// Of nothing: where no name can be used.
    #[must_use]
    pub const fn nothing() -> Self {
        Self {
            module: None,
            names: Vec::new(),
            given: None,
            parent: None,
        }
    }

    /// With more names.
    #[must_use]
    pub fn with(&'s self, names: Vec<(Arc<str>, Value)>) -> Self {
        Self {
            module: self.module,
            names,
            given: None,
            parent: Some(self),
        }
    }

    fn find(&self, name: &str) -> Option<&Value> {
        let here = self.names.iter().rev().find(|(n, _)| **n == *name).map(|(_, v)| v);
        let here = here.or_else(|| self.given.and_then(|given| given.get(name)));
        here.or_else(|| self.parent.and_then(|parent| parent.find(name)))
    }
}

/// What all modules of a run share.
pub struct World<'f> {
    /// The files.
    pub files: &'f Files,
    /// Whether each value counts that a file may give to a variable.
    pub every_way: bool,
    /// Folders that were read.
    pub folders: RefCell<HashMap<PathBuf, super::module::Folder>>,
    /// What was needed that values do not say themselves.
    needs: RefCell<Needs>,
    /// How often something in a value could not be worked out.
    lost: Cell<u64>,
    depth: Cell<usize>,
    steps: Cell<u64>,
    bytes: Cell<u64>,
}

impl<'f> World<'f> {
    /// With nothing read yet.
    #[must_use]
    pub fn new(files: &'f Files, every_way: bool) -> Self {
        Self {
            files,
            every_way,
            folders: RefCell::default(),
            needs: RefCell::default(),
            lost: Cell::new(0),
            depth: Cell::new(0),
            steps: Cell::new(0),
            bytes: Cell::new(0),
        }
    }

    /// Notes what something is made of beside what it says.
    pub fn needs(&self, needs: &Needs) {
        self.needs.borrow_mut().add(needs);
    }

    /// Notes that a variable was asked for that files may give.
    pub fn asks(&self, name: &str) {
        self.needs.borrow_mut().asked.insert(name.into());
    }

    /// Notes a block of which it is not known what it makes.
    pub fn leans(&self, module: &str, block: &str) {
        if self.every_way {
            self.needs.borrow_mut().blocks.insert((module.into(), block.into()));
        }
    }

    /// Notes a file, or a folder with all below it, that something reads.
    pub fn reads(&self, folder: &Path, name: &str) {
        // What is told apart from a base alone needs it.
        if !self.every_way || self.works(LOOK).is_err() {
            return;
        }
        if let Some((path, is)) = self.files.is_as(folder, name) {
            self.needs.borrow_mut().files.insert(path, is);
        }
    }

    /// Does something, and says what it needed.
    pub fn noting<T>(&self, work: impl FnOnce() -> T) -> (T, Needs) {
        let before = self.needs.take();
        let done = work();
        (done, self.needs.replace(before))
    }

    /// Goes one level down; none where that is too deep or too much.
    pub fn deeper<T>(&self, work: impl FnOnce() -> Result<T, Why>) -> Result<T, Why> {
        let depth = self.depth.get();
        let steps = self.steps.get();
        if depth >= MAX_DEPTH {
            return Err("it is nested too deep".into());
        }
        if steps >= MAX_STEPS {
            return Err(MANY_STEPS.into());
        }
        self.steps.set(steps + 1);
        self.depth.set(depth + 1);
        let done = work();
        self.depth.set(depth);
        done
    }

    /// Whether more was asked for than is worked out: nothing that comes is known.
    #[must_use]
    pub fn spent(&self) -> bool {
        self.steps.get() >= MAX_STEPS || self.bytes.get() > MAX_BYTES
    }

    /// Counts steps that a function makes, before it makes them.
    ///
    /// # Errors
    /// Where that is too much.
    pub fn works(&self, steps: usize) -> Result<(), Why> {
        let all = self.steps.get().saturating_add(steps as u64);
        self.steps.set(all);
        if all > MAX_STEPS {
            return Err(MANY_STEPS.into());
        }
        Ok(())
    }

    /// The items of a list or map, counted.
    ///
    /// # Errors
    /// Why there are none.
    pub fn items(&self, value: &Value) -> Result<Vec<(Value, Value)>, Why> {
        self.works(match value {
            Value::List(items) => items.len(),
            Value::Map(entries) => entries.len(),
            _ => 1,
        })?;
        value.items()
    }

    /// What in a value is not known, counted.
    fn unknown_inside(&self, value: &Value) -> Result<Option<Why>, Why> {
        self.works(value.steps())?;
        Ok(value.unknown_inside())
    }

    /// Counts what is made.
    ///
    /// # Errors
    /// Where that is too much.
    pub fn makes(&self, bytes: usize) -> Result<(), Why> {
        let total = self.bytes.get().saturating_add(bytes as u64);
        self.bytes.set(total);
        if total > MAX_BYTES {
            return Err("its texts are longer than is read".into());
        }
        Ok(())
    }

    /// The value of an expression: unknown where it cannot be worked out.
    pub fn value(&self, expr: &Expr, scope: &Scope<'_>) -> Value {
        let worked = match expr {
            Expr::Hcl(source, expression) => self.hcl(source, expression, scope),
            Expr::Json(source, node) => self.json(source, node, scope),
        };
        worked.unwrap_or_else(Value::Unknown)
    }

    fn json(&self, source: &Arc<SourceText>, node: &Node, scope: &Scope<'_>) -> Result<Value, Why> {
        self.deeper(|| match &node.kind {
            Kind::Text(text) if text.text.contains("${") || text.text.contains("%{") => {
                self.makes(text.text.len())?;
                let template = hcl_edit::parser::parse_template(&text.text)
                    .map_err(|_| Why::from("a template is not understood"))?;
                let inner = Arc::new(SourceText::new(Arc::clone(&source.file), Arc::clone(&text.text)));
                self.template_value(&inner, None, &template, scope)
            }
            Kind::List(items) => Ok(Value::tuple(
                items
                    .iter()
                    .map(|item| self.json(source, item, scope).unwrap_or_else(Value::Unknown))
                    .collect(),
            )),
            Kind::Map(entries) => Ok(Value::mapped(
                entries
                    .iter()
                    .map(|(key, value)| {
                        let value = self.json(source, value, scope).unwrap_or_else(Value::Unknown);
                        (Arc::clone(key), value)
                    })
                    .collect(),
                Form::Own,
            )),
            _ => Ok(Value::of_node(node)),
        })
    }

    fn hcl(&self, source: &Arc<SourceText>, expression: &Expression, scope: &Scope<'_>) -> Result<Value, Why> {
        self.deeper(|| self.hcl_inner(source, expression, scope))
    }

    /// As [`Self::hcl`], with what is unknown as a value.
    fn soft(&self, source: &Arc<SourceText>, expression: &Expression, scope: &Scope<'_>) -> Value {
        self.hcl(source, expression, scope).unwrap_or_else(|why| self.lost(why))
    }

    /// What cannot be worked out, as a value in another. Terraform may refuse all of it.
    fn lost(&self, why: Why) -> Value {
        self.lost.set(self.lost.get() + 1);
        Value::Unknown(why)
    }

    fn hcl_inner(&self, source: &Arc<SourceText>, expression: &Expression, scope: &Scope<'_>) -> Result<Value, Why> {
        match expression {
            Expression::Null(_) => Ok(Value::Null),
            Expression::Bool(yes) => Ok(Value::Bool(**yes)),
            Expression::Number(number) => {
                let written = number.span().and_then(|span| source.text.get(span)).unwrap_or("");
                Ok(Value::written(written))
            }
            Expression::String(text) => {
                let range = text.span().unwrap_or(0..0);
                let mut builder = Builder::default();
                let inner = range.start + 1..range.end.saturating_sub(1);
                self.literal(&mut builder, source, Some(Spelling::Quoted), inner, (false, false))?;
                Ok(Value::Text(builder.finish()))
            }
            Expression::StringTemplate(template) => {
                self.template_value(source, Some(Spelling::Quoted), template, scope)
            }
            Expression::HeredocTemplate(heredoc) => {
                let indent = indentation(source, heredoc);
                let mut builder = Builder::default();
                let spelling = Some(Spelling::Heredoc(indent));
                self.template(&mut builder, source, spelling, &heredoc.template, scope, (false, false))?;
                Ok(Value::Text(builder.finish()))
            }
            Expression::Array(items) => Ok(Value::tuple(
                items.iter().map(|item| self.soft(source, item, scope)).collect(),
            )),
            Expression::Object(object) => self.object(source, object, scope),
            Expression::Parenthesis(inner) => self.hcl(source, inner.inner(), scope),
            Expression::Variable(name) if !settled(name.as_str()) => Err(ODD_NAME.into()),
            Expression::Variable(name) => match scope.find(name.as_str()) {
                Some(value) => Ok(value.clone()),
                None => Err(format!("`{}` is not known", name.as_str()).into()),
            },
            Expression::Conditional(conditional) => self.conditional(source, conditional, scope),
            Expression::FuncCall(call) => self.call(source, call, scope),
            Expression::Traversal(traversal) => {
                let operators: Vec<&TraversalOperator> = traversal.operators.iter().map(|o| o.value()).collect();
                self.traversal(source, &traversal.expr, &operators, scope)
            }
            Expression::UnaryOp(operation) => {
                let value = self.hcl(source, &operation.expr, scope)?;
                match operation.operator.value() {
                    UnaryOperator::Neg => match value.number()? {
                        0 => Err(MINUS_ZERO.into()),
                        number => Value::whole(number.checked_neg()),
                    },
                    UnaryOperator::Not => Ok(Value::Bool(!value.truth()?)),
                }
            }
            Expression::BinaryOp(operation) => {
                let left = self.hcl(source, &operation.lhs_expr, scope)?;
                let right = self.soft(source, &operation.rhs_expr, scope);
                self.works(left.steps().min(right.steps()))?;
                binary(*operation.operator.value(), &left, &right)
            }
            Expression::ForExpr(each) => self.for_each(source, each, scope),
        }
    }

    fn object(&self, source: &Arc<SourceText>, object: &Object, scope: &Scope<'_>) -> Result<Value, Why> {
        let mut entries = BTreeMap::new();
        for (key, value) in object.iter() {
            let name = match key {
                ObjectKey::Ident(ident) => Arc::from(ident.as_str()),
                ObjectKey::Expression(key) => self.hcl(source, key, scope)?.text()?.text,
            };
            entries.insert(name, self.soft(source, value.expr(), scope));
        }
        Ok(Value::mapped(entries, Form::Own))
    }

    fn conditional(
        &self,
        source: &Arc<SourceText>,
        conditional: &Conditional,
        scope: &Scope<'_>,
    ) -> Result<Value, Why> {
        let yes = self.hcl(source, &conditional.cond_expr, scope)?.truth()?;
        let (branch, other) = if yes {
            (&conditional.true_expr, &conditional.false_expr)
        } else {
            (&conditional.false_expr, &conditional.true_expr)
        };
        let chosen = self.hcl(source, branch, scope)?;
        // A text stays one, whatever the other is.
        if matches!(chosen, Value::Text(_) | Value::Null) {
            return Ok(chosen);
        }
        match self.hcl(source, other, scope) {
            // What fails is left out.
            Err(why) if &*why == NO_NAME || &*why == NO_ITEM => Ok(loosened(chosen)),
            Err(why) => Err(why),
            Ok(other) => {
                self.works(chosen.steps().saturating_add(other.steps()))?;
                unified(vec![chosen, other])?
                    .into_iter()
                    .next()
                    .ok_or_else(|| "it is not known".into())
            }
        }
    }

    fn call(&self, source: &Arc<SourceText>, call: &FuncCall, scope: &Scope<'_>) -> Result<Value, Why> {
        let name = call.name.name.as_str();
        if !call.name.namespace.is_empty() {
            return Err(format!("`{name}(…)` is a function of a provider").into());
        }
        if matches!(name, "try" | "can") {
            return self.attempt(source, name, call.args.iter(), scope);
        }
        let mut arguments: Vec<Value> = call.args.iter().map(|a| self.soft(source, a, scope)).collect();
        if call.args.expand_final()
            && let Some(last) = arguments.pop()
        {
            arguments.extend(self.items(&last)?.into_iter().map(|(_, item)| item));
        }
        functions::call(self, scope, name, arguments)
    }

    fn attempt<'e>(
        &self,
        source: &Arc<SourceText>,
        name: &str,
        arguments: impl Iterator<Item = &'e Expression>,
        scope: &Scope<'_>,
    ) -> Result<Value, Why> {
        // What is unknown here may be known to Terraform: only what surely fails there too leads on.
        for argument in arguments {
            let lost = self.lost.get();
            match self.hcl(source, argument, scope) {
                Ok(_) if self.lost.get() != lost => return Err("what is tried may fail".into()),
                Err(why) if &*why == NO_NAME || &*why == NO_ITEM => {}
                Err(why) => return Err(why),
                Ok(value) => {
                    if let Some(why) = self.unknown_inside(&value)? {
                        return Err(why);
                    }
                    return Ok(if name == "can" { Value::Bool(true) } else { value });
                }
            }
        }
        if name == "can" {
            return Ok(Value::Bool(false));
        }
        Err("nothing that `try(…)` tries can be worked out".into())
    }

    fn for_each(&self, source: &Arc<SourceText>, each: &ForExpr, scope: &Scope<'_>) -> Result<Value, Why> {
        let collection = self.hcl(source, &each.intro.collection_expr, scope)?;
        if collection.without_order() && (each.key_expr.is_none() || each.grouping) {
            return Err(NO_ORDER.into());
        }
        let collection = self.items(&collection)?;
        let mut list = Vec::new();
        let mut map: BTreeMap<Arc<str>, Value> = BTreeMap::new();
        let mut groups: BTreeMap<Arc<str>, Vec<Value>> = BTreeMap::new();
        for (key, value) in collection {
            let mut names = vec![(Arc::from(each.intro.value_var.as_str()), value)];
            if let Some(name) = &each.intro.key_var {
                names.push((Arc::from(name.as_str()), key));
            }
            let inner = scope.with(names);
            if let Some(cond) = &each.cond
                && !self.hcl(source, &cond.expr, &inner)?.truth()?
            {
                continue;
            }
            let value = self.soft(source, &each.value_expr, &inner);
            self.makes(size_of::<Value>())?;
            let Some(key) = &each.key_expr else {
                list.push(value);
                continue;
            };
            let key = self.hcl(source, key, &inner)?.text()?.text;
            if each.grouping {
                groups.entry(key).or_default().push(value);
            } else if map.insert(key, value).is_some() {
                return Err("a `for` makes one name twice".into());
            }
        }
        Ok(if each.key_expr.is_some() {
            map.extend(groups.into_iter().map(|(key, values)| (key, Value::tuple(values))));
            Value::mapped(map, Form::Own)
        } else {
            Value::tuple(list)
        })
    }

    fn traversal(
        &self,
        source: &Arc<SourceText>,
        root: &Expression,
        operators: &[&TraversalOperator],
        scope: &Scope<'_>,
    ) -> Result<Value, Why> {
        if let Expression::Variable(name) = root
            && scope.find(name.as_str()).is_none()
        {
            let Some(module) = scope.module else {
                return Err(format!("`{}` is not known", name.as_str()).into());
            };
            let mut words = vec![name.as_str()];
            for operator in operators {
                match operator {
                    TraversalOperator::GetAttr(word) => words.push(word.as_str()),
                    _ => break,
                }
            }
            if !words.iter().all(|word| settled(word)) {
                return Err(ODD_NAME.into());
            }
            let (value, used) = module.reference(self, &words)?;
            return self.follow(source, value, operators.get(used..).unwrap_or(&[]), scope);
        }
        let value = self.hcl(source, root, scope)?;
        self.follow(source, value, operators, scope)
    }

    fn follow(
        &self,
        source: &Arc<SourceText>,
        value: Value,
        operators: &[&TraversalOperator],
        scope: &Scope<'_>,
    ) -> Result<Value, Why> {
        let Some((operator, rest)) = operators.split_first() else {
            return Ok(value);
        };
        if let Value::Unknown(why) = value {
            return Err(why);
        }
        let next = match *operator {
            TraversalOperator::GetAttr(name) => entry(&value, name.as_str())?,
            TraversalOperator::LegacyIndex(n) => item(&value, i64::try_from(**n).map_err(|_| Why::from(NO_ITEM))?)?,
            TraversalOperator::Index(index) => match (self.hcl(source, index, scope)?, &value) {
                (index, Value::List(_)) => item(&value, index.number()?)?,
                (index, _) => entry(&value, &index.text()?.text)?,
            },
            TraversalOperator::AttrSplat(_) | TraversalOperator::FullSplat(_) => {
                if value.without_order() {
                    return Err(NO_ORDER.into());
                }
                // Of `.*` the names alone are asked of each.
                let each = match operator {
                    TraversalOperator::AttrSplat(_) => rest
                        .iter()
                        .take_while(|next| matches!(next, TraversalOperator::GetAttr(_)))
                        .count(),
                    _ => rest.len(),
                };
                let (each, after) = rest.split_at(each);
                if matches!(after, [TraversalOperator::LegacyIndex(_), ..]) {
                    return Err("a number after `.*` is not understood".into());
                }
                let (items, form) = match &value {
                    Value::Null => (Vec::new(), Form::Own),
                    Value::List(items) if items.form == Form::Own => (items.to_vec(), Form::Own),
                    Value::List(items) => (items.to_vec(), Form::Any),
                    single => (vec![single.clone()], Form::Own),
                };
                self.works(items.len())?;
                self.makes(items.len().saturating_mul(size_of::<Value>()))?;
                let followed = items.into_iter().map(|item| {
                    self.follow(source, item, each, scope)
                        .unwrap_or_else(|why| self.lost(why))
                });
                let all = Value::listed(followed.collect(), form);
                return self.deeper(|| self.follow(source, all, after, scope));
            }
        };
        self.deeper(|| self.follow(source, next, rest, scope))
    }

    /// A template in quotes: with one expression and nothing around it, it is that value.
    fn template_value(
        &self,
        source: &Arc<SourceText>,
        spelling: Option<Spelling>,
        template: &Template,
        scope: &Scope<'_>,
    ) -> Result<Value, Why> {
        if let Some(Element::Interpolation(only)) = template.as_single_element() {
            return self.hcl(source, &only.expr, scope);
        }
        let mut builder = Builder::default();
        self.template(&mut builder, source, spelling, template, scope, (false, false))?;
        Ok(Value::Text(builder.finish()))
    }

    /// A whole text as a template with variables.
    ///
    /// # Errors
    /// What is not known.
    pub fn template_text(&self, text: &Text, names: &Arc<Entries>) -> Result<Text, Why> {
        self.makes(text.text.len())?;
        let whole = match &*text.pieces {
            [only] => only.levels.first().filter(|level| {
                level.hold == Hold::Exact && level.range == (0..level.source.text.len()) && only.levels.len() == 1
            }),
            _ => None,
        };
        let (source, spelling) = match whole {
            Some(level) => (Arc::clone(&level.source), Some(Spelling::Template)),
            None => (Arc::new(SourceText::new("", Arc::clone(&text.text))), None),
        };
        let template =
            hcl_edit::parser::parse_template(&source.text).map_err(|_| Why::from("a template is not understood"))?;
        let scope = Scope {
            module: None,
            names: Vec::new(),
            given: Some(names),
            parent: None,
        };
        let mut builder = Builder::default();
        self.template(&mut builder, &source, spelling, &template, &scope, (false, false))?;
        Ok(builder.finish())
    }

    /// Adds what a template says. `trim` is whether white space goes at its beginning and at its end.
    fn template(
        &self,
        builder: &mut Builder,
        source: &Arc<SourceText>,
        spelling: Option<Spelling>,
        template: &Template,
        scope: &Scope<'_>,
        trim: (bool, bool),
    ) -> Result<(), Why> {
        let elements: Vec<&Element> = template.iter().collect();
        let mut trim_next = trim.0;
        for (n, element) in elements.iter().enumerate() {
            let trim_end = match elements.get(n + 1) {
                Some(next) => strips(next).0,
                None => trim.1,
            };
            match element {
                Element::Literal(text) => {
                    let range = text.span().unwrap_or(0..0);
                    self.literal(builder, source, spelling, range, (trim_next, trim_end))?;
                }
                Element::Interpolation(part) => {
                    let value = self.hcl(source, &part.expr, scope)?.text()?;
                    self.makes(value.cost())?;
                    builder.text(&marked(&value, source, spelling, part.span()));
                }
                Element::Directive(directive) => {
                    let mut inner = Builder::default();
                    self.directive(&mut inner, source, spelling, directive, scope)?;
                    let inner = inner.finish();
                    self.makes(inner.cost())?;
                    let span = match directive.as_ref() {
                        Directive::If(it) => it.span(),
                        Directive::For(it) => it.span(),
                    };
                    builder.text(&marked(&inner, source, spelling, span));
                }
            }
            trim_next = strips(element).1;
        }
        Ok(())
    }

    fn directive(
        &self,
        builder: &mut Builder,
        source: &Arc<SourceText>,
        spelling: Option<Spelling>,
        directive: &Directive,
        scope: &Scope<'_>,
    ) -> Result<(), Why> {
        match directive {
            Directive::If(it) => {
                let after = it.else_expr.as_ref().map_or(it.endif_expr.strip, |e| e.strip);
                if self.hcl(source, &it.if_expr.cond_expr, scope)?.truth()? {
                    let trim = (ends(it.if_expr.strip), begins(after));
                    self.template(builder, source, spelling, &it.if_expr.template, scope, trim)
                } else if let Some(other) = &it.else_expr {
                    let trim = (ends(other.strip), begins(it.endif_expr.strip));
                    self.template(builder, source, spelling, &other.template, scope, trim)
                } else {
                    Ok(())
                }
            }
            Directive::For(it) => {
                let each = &it.for_expr;
                let trim = (ends(each.strip), begins(it.endfor_expr.strip));
                let collection = self.hcl(source, &each.collection_expr, scope)?;
                if collection.without_order() {
                    return Err(NO_ORDER.into());
                }
                for (key, value) in self.items(&collection)? {
                    let mut names = vec![(Arc::from(each.value_var.as_str()), value)];
                    if let Some(name) = &each.key_var {
                        names.push((Arc::from(name.as_str()), key));
                    }
                    self.deeper(|| self.template(builder, source, spelling, &each.template, &scope.with(names), trim))?;
                }
                Ok(())
            }
        }
    }

    /// Adds a literal part of a template, escapes as what they stand for.
    fn literal(
        &self,
        builder: &mut Builder,
        source: &Arc<SourceText>,
        spelling: Option<Spelling>,
        range: Range<usize>,
        trim: (bool, bool),
    ) -> Result<(), Why> {
        let Some(raw) = source.text.get(range.clone()) else {
            return Ok(());
        };
        // Terraform takes white space off what escapes stand for too.
        if (trim.0 || trim.1) && spelling == Some(Spelling::Quoted) && raw.contains('\\') {
            return Err("`~` beside an escape is not understood".into());
        }
        // Each escape is a piece of its own.
        let escapes = raw.matches(['\\', '{']).count().saturating_mul(2 * size_of::<Level>());
        self.makes(raw.len().saturating_add(escapes))?;
        let mut lines: Vec<Range<usize>> = Vec::new();
        let mut at = range.start;
        for line in raw.split_inclusive('\n') {
            lines.push(at..at + line.len());
            at += line.len();
        }
        let count = lines.len();
        for (n, mut line) in lines.into_iter().enumerate() {
            let text = source.text.get(line.clone()).unwrap_or("");
            if let Some(Spelling::Heredoc(indent)) = spelling
                && indent > 0
                && source.line_start(line.start) == line.start
                && !(text.ends_with('\n') && text.trim().is_empty())
            {
                let skip: usize = text.chars().take(indent).map(char::len_utf8).sum();
                line.start += skip;
            }
            let text = source.text.get(line.clone()).unwrap_or("");
            if trim.0 && n == 0 {
                line.start += text.len() - text.trim_start().len();
            }
            let text = source.text.get(line.clone()).unwrap_or("");
            if trim.1 && n + 1 == count {
                line.end -= text.len() - text.trim_end().len();
            }
            decoded(builder, source, spelling, line);
        }
        Ok(())
    }
}

/// Adds a line of a literal, escapes as what they stand for.
fn decoded(builder: &mut Builder, source: &Arc<SourceText>, spelling: Option<Spelling>, range: Range<usize>) {
    let quoted = spelling == Some(Spelling::Quoted);
    let text = source.text.get(range.clone()).unwrap_or("");
    let bytes = text.as_bytes();
    let mut add = |from: usize, to: usize, as_text: Option<&str>| {
        let range = range.start + from..range.start + to;
        match (as_text, spelling) {
            (None, Some(spelling)) => builder.exact(source, spelling, range),
            (None, None) => builder.made(text.get(from..to).unwrap_or("")),
            (Some(other), Some(spelling)) => builder.whole(other, source, spelling, range, Hold::Whole),
            (Some(other), None) => builder.made(other),
        }
    };
    let (mut from, mut at) = (0, 0);
    while let Some(byte) = bytes.get(at) {
        let rest = text.get(at..).unwrap_or("");
        let (len, as_text): (usize, String) = if rest.starts_with("$${") {
            (3, "${".to_owned())
        } else if rest.starts_with("%%{") {
            (3, "%{".to_owned())
        } else if quoted && *byte == b'\\' {
            match escape(rest) {
                Some(found) => found,
                None => {
                    at += 1;
                    continue;
                }
            }
        } else {
            at += 1;
            continue;
        };
        add(from, at, None);
        add(at, at + len, Some(&as_text));
        at += len;
        from = at;
    }
    add(from, bytes.len(), None);
}

/// An escape in quotes: its length, and what it stands for.
fn escape(rest: &str) -> Option<(usize, String)> {
    let c = rest.chars().nth(1)?;
    let plain = match c {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        '"' | '\\' => c,
        'u' | 'U' => {
            let len = if c == 'u' { 4 } else { 8 };
            let code = u32::from_str_radix(rest.get(2..2 + len)?, 16).ok()?;
            return Some((2 + len, char::from_u32(code)?.to_string()));
        }
        _ => return None,
    };
    Some((2, plain.to_string()))
}

fn marked(text: &Text, source: &Arc<SourceText>, spelling: Option<Spelling>, span: Option<Range<usize>>) -> Text {
    match (spelling, span) {
        (Some(spelling), Some(range)) => text.within(&Level {
            source: Arc::clone(source),
            spelling,
            range,
            hold: Hold::Made,
        }),
        _ => Text::made(Arc::clone(&text.text)),
    }
}

fn begins(strip: Strip) -> bool {
    matches!(strip, Strip::Start | Strip::Both)
}

fn ends(strip: Strip) -> bool {
    matches!(strip, Strip::End | Strip::Both)
}

/// Whether an element takes white space off what is before it, and off what is after it.
fn strips(element: &Element) -> (bool, bool) {
    match element {
        Element::Literal(_) => (false, false),
        Element::Interpolation(it) => (begins(it.strip), ends(it.strip)),
        Element::Directive(it) => match it.as_ref() {
            Directive::If(it) => (begins(it.if_expr.strip), ends(it.endif_expr.strip)),
            Directive::For(it) => (begins(it.for_expr.strip), ends(it.endfor_expr.strip)),
        },
    }
}

/// How much white space all lines of a heredoc begin with; nothing where it does not begin with `<<-`.
fn indentation(source: &SourceText, heredoc: &HeredocTemplate) -> usize {
    let Some(whole) = heredoc.span().and_then(|span| source.text.get(span)) else {
        return 0;
    };
    if !whole.starts_with("<<-") {
        return 0;
    }
    let Some(body) = heredoc.template.span().and_then(|span| source.text.get(span)) else {
        return 0;
    };
    body.split_inclusive('\n')
        .filter(|line| !(line.trim().is_empty() && line.ends_with('\n')))
        .map(|line| line.chars().take_while(|c| c.is_whitespace()).count())
        .min()
        .unwrap_or(0)
}

fn entry(value: &Value, name: &str) -> Result<Value, Why> {
    match value {
        Value::Map(_) if !settled(name) => Err(ODD_NAME.into()),
        Value::Map(entries) => entries.get(name).cloned().ok_or_else(|| NO_NAME.into()),
        Value::Unknown(why) => Err(Arc::clone(why)),
        _ => Err("a name is asked of what has none".into()),
    }
}

fn item(value: &Value, index: i64) -> Result<Value, Why> {
    match value {
        Value::List(items) if items.form == Form::Set => Err("a set has no order".into()),
        Value::List(items) => {
            let item = usize::try_from(index).ok().and_then(|index| items.get(index));
            item.cloned().ok_or_else(|| NO_ITEM.into())
        }
        Value::Map(_) => entry(value, &index.to_string()),
        Value::Unknown(why) => Err(Arc::clone(why)),
        _ => Err("an item is asked of what has none".into()),
    }
}

fn binary(operator: BinaryOperator, left: &Value, right: &Value) -> Result<Value, Why> {
    let unknown = || left.unknown_inside().or_else(|| right.unknown_inside());
    let same = || {
        if let Some(why) = unknown() {
            return Err(why);
        }
        left.same(right)
            .ok_or_else(|| Why::from("whether they are of one type is not known"))
    };
    let numbers = || Ok::<_, Why>((left.number()?, right.number()?));
    let compared = |holds: fn(&i64, &i64) -> bool| numbers().map(|(left, right)| Value::Bool(holds(&left, &right)));
    let worked = |work: fn(i64, i64) -> Option<i64>| {
        let (left, right) = numbers()?;
        match work(left, right) {
            Some(0) if left < 0 || right < 0 => Err(MINUS_ZERO.into()),
            number => Value::whole(number),
        }
    };
    match operator {
        BinaryOperator::Eq => Ok(Value::Bool(same()?)),
        BinaryOperator::NotEq => Ok(Value::Bool(!same()?)),
        // Both have to be conditions.
        BinaryOperator::And => Ok(Value::Bool(left.truth()? & right.truth()?)),
        BinaryOperator::Or => Ok(Value::Bool(left.truth()? | right.truth()?)),
        BinaryOperator::Less => compared(i64::lt),
        BinaryOperator::LessEq => compared(i64::le),
        BinaryOperator::Greater => compared(i64::gt),
        BinaryOperator::GreaterEq => compared(i64::ge),
        BinaryOperator::Plus => worked(i64::checked_add),
        BinaryOperator::Minus => worked(i64::checked_sub),
        BinaryOperator::Mul => worked(i64::checked_mul),
        BinaryOperator::Div => worked(|left, right| (left.checked_rem(right)? == 0).then(|| left / right)),
        BinaryOperator::Mod => worked(i64::checked_rem),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::terraform::model;

    /// What `terraform console` (1.11) says of each expression, and whether it is known here: a line `?true` stands for one that is not,
    /// and `error` for what Terraform refuses.
    const TABLE: &str = include_str!("console.txt");

    #[test]
    fn no_value_is_another_than_that_of_terraform() {
        let files = Files::around(std::path::Path::new("."), HashMap::new());
        let mut wrong = Vec::new();
        for line in TABLE.lines() {
            let (said, text) = line.split_once('\t').unwrap();
            let world = World::new(&files, false);
            let source = Arc::new(SourceText::new(
                "x.tfvars",
                format!("x = {}\n", text.replace("⏎", "\n")),
            ));
            let ours = match model::attributes(&source) {
                Ok(attributes) => match world.value(&attributes["x"], &Scope::nothing()) {
                    Value::Bool(yes) => yes.to_string(),
                    Value::Unknown(_) => "?".to_owned(),
                    _ => "no condition".to_owned(),
                },
                Err(_) => "?".to_owned(),
            };
            let fits = match said {
                "error" => ours == "?",
                said if said.starts_with('?') => ours == "?",
                said => ours == said,
            };
            if !fits {
                wrong.push(format!("{ours}\t{said}\t{text}"));
            }
        }
        assert!(wrong.is_empty(), "ours, Terraform's, of what:\n{}", wrong.join("\n"));
    }
}
