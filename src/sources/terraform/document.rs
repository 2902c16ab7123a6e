//! `data "vault_policy_document"`, written out as the provider writes it.

use super::eval::{Scope, Why, World};
use super::model::{Block, Expr};
use super::value::Value;
use crate::origin::{Hold, Level, SourceText, Spelling};
use crate::sources::text::{Builder, Text};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The policy that a document says.
///
/// # Errors
/// What of it is not known.
pub fn text(world: &World<'_>, block: &Block, scope: &Scope<'_>) -> Result<Text, Why> {
    let mut builder = Builder::default();
    let mut first = true;
    let mut rules: Vec<(&Block, Text)> = Vec::new();
    for (rule, names) in blocks(world, block, "rule", scope)? {
        let inner = scope.with(names);
        let rendered = world.deeper(|| self::rule(world, rule, &inner))?;
        rules.push((rule, rendered));
    }
    for (rule, rendered) in rules {
        let source = &rule.source;
        let start = source.line_start(rule.range.start);
        let lines = start..source.line_end(rule.range.end.saturating_sub(1));
        // A block that shares its lines with others cannot go with them.
        let alone = source
            .text
            .get(start..rule.range.start)
            .is_some_and(|t| t.trim().is_empty())
            && source
                .text
                .get(rule.range.end..lines.end)
                .is_some_and(|t| t.trim().is_empty());
        let range = if alone { lines } else { rule.range.clone() };
        if !first {
            builder.whole("\n", source, Spelling::Plain, range.start..range.start, Hold::Made);
        }
        first = false;
        builder.text(&rendered.within(&Level {
            source: Arc::clone(source),
            spelling: Spelling::Plain,
            range,
            hold: Hold::Made,
        }));
    }
    Ok(builder.finish())
}

/// A block, and what the names are that a `dynamic` one gives it.
type Written<'b> = (&'b Block, Vec<(Arc<str>, Value)>);

/// The blocks of a name inside of another, `dynamic` ones written out, each with the names it may use.
fn blocks<'b>(world: &World<'_>, block: &'b Block, kind: &str, scope: &Scope<'_>) -> Result<Vec<Written<'b>>, Why> {
    let mut found = Vec::new();
    for inner in &block.blocks {
        if *inner.kind == *kind {
            found.push((inner, Vec::new()));
        } else if &*inner.kind == "dynamic" && inner.label(0) == kind {
            let Some(each) = inner.attributes.get("for_each") else {
                return Err("a `dynamic` block has no `for_each`".into());
            };
            let Some(content) = inner.blocks.iter().find(|b| &*b.kind == "content") else {
                return Err("a `dynamic` block has no `content`".into());
            };
            let name: Arc<str> = match inner.attributes.get("iterator") {
                Some(Expr::Hcl(source, expression)) => source
                    .text
                    .get(hcl_edit::Span::span(&**expression).unwrap_or(0..0))
                    .unwrap_or(kind)
                    .into(),
                _ => kind.into(),
            };
            for (key, value) in world.items(&world.value(each, scope))? {
                let pair = Value::object([("key", key), ("value", value)]);
                found.push((content, vec![(Arc::clone(&name), pair)]));
            }
        }
    }
    Ok(found)
}

fn rule(world: &World<'_>, block: &Block, scope: &Scope<'_>) -> Result<Text, Why> {
    let attribute = |name: &str| -> Result<Option<(Value, &Expr)>, Why> {
        let Some(expr) = block.attributes.get(name) else {
            return Ok(None);
        };
        let value = world.value(expr, scope);
        world.works(value.steps())?;
        if let Some(why) = value.unknown_inside() {
            return Err(why);
        }
        Ok((!matches!(value, Value::Null)).then_some((value, expr)))
    };
    let mut builder = Builder::default();
    if let Some((description, _)) = attribute("description")? {
        let description = description.text()?;
        if !description.text.is_empty() {
            builder.made("# ");
            builder.text(&description);
            builder.made("\n");
        }
    }
    let Some((path, _)) = attribute("path")? else {
        return Err("a rule has no `path`".into());
    };
    builder.made("path \"");
    builder.text(&path.text()?);
    builder.made("\" {\n  capabilities = ");
    match attribute("capabilities")? {
        Some((value, expr)) => list(&mut builder, &value, Some((block, expr)))?,
        None => return Err("a rule has no `capabilities`".into()),
    }
    builder.made("\n");
    if let Some((value, expr)) = attribute("required_parameters")?
        && !value.items()?.is_empty()
    {
        builder.made("  required_parameters = ");
        list(&mut builder, &value, Some((block, expr)))?;
        builder.made("\n");
    }
    for (kind, key) in [
        ("allowed_parameter", "allowed_parameters"),
        ("denied_parameter", "denied_parameters"),
    ] {
        parameters(world, block, kind, key, scope, &mut builder)?;
    }
    for key in ["min_wrapping_ttl", "max_wrapping_ttl"] {
        if let Some((value, _)) = attribute(key)? {
            let value = value.text()?;
            if !value.text.is_empty() {
                builder.made(&format!("  {key} = \""));
                builder.text(&value);
                builder.made("\"\n");
            }
        }
    }
    builder.made("}\n");
    Ok(builder.finish())
}

fn parameters(
    world: &World<'_>,
    block: &Block,
    kind: &str,
    key: &str,
    scope: &Scope<'_>,
    builder: &mut Builder,
) -> Result<(), Why> {
    let mut by_name: BTreeMap<Arc<str>, Value> = BTreeMap::new();
    for (inner, names) in blocks(world, block, kind, scope)? {
        let scope = scope.with(names);
        let value = |name: &str| match inner.attributes.get(name) {
            Some(expr) => world.value(expr, &scope),
            None => Value::Null,
        };
        let name = value("key").text()?.text;
        if by_name.insert(name, value("value")).is_some() {
            return Err("a parameter comes twice".into());
        }
    }
    if by_name.is_empty() {
        return Ok(());
    }
    builder.made(&format!("  {key} = {{\n"));
    for (name, value) in by_name {
        builder.made(&format!("    \"{name}\" = "));
        list(builder, &value, None)?;
        builder.made("\n");
    }
    builder.made("  }\n");
    Ok(())
}

/// A list as the provider writes it, standing for the list in the file where it is written out there.
fn list(builder: &mut Builder, value: &Value, at: Option<(&Block, &Expr)>) -> Result<(), Why> {
    let items: Vec<Arc<str>> = value
        .items()?
        .iter()
        .map(|(_, item)| Ok(item.text()?.text))
        .collect::<Result<_, Why>>()?;
    let text = if items.is_empty() {
        "[]".to_owned()
    } else {
        format!("[\"{}\"]", items.join("\", \""))
    };
    match at {
        Some((block, expr)) if literal(&block.source, expr) => {
            let range = expr.range();
            if block.source.text.get(range.clone()) == Some(text.as_str()) {
                builder.exact(&block.source, Spelling::Plain, range);
            } else {
                builder.whole(&text, &block.source, Spelling::Plain, range, Hold::Whole);
            }
        }
        _ => builder.made(&text),
    }
    Ok(())
}

/// Whether a list is written out, text by text, without a comment that a new one would lose.
fn literal(source: &SourceText, expr: &Expr) -> bool {
    let words = match expr {
        Expr::Hcl(_, expression) => expression
            .as_array()
            .is_some_and(|items| items.iter().all(hcl_edit::expr::Expression::is_str)),
        Expr::Json(..) => false,
    };
    words
        && source
            .text
            .get(expr.range())
            .is_some_and(|text| !text.contains(['#', '/']))
}
