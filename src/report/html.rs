//! `report.html`: one file, no network, a Content-Security-Policy that admits the page's own script and style by their hash.
//!
//! What matters stands in the page as it is; the tables, the matrix and the filters are drawn by its script from the JSON
//! that it carries.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value};
use sha2::{Digest as _, Sha256};

use super::escape::{html_prose, json_in_html, visible};
use super::html_data;
use super::html_page::Page;
use crate::advice::Advice;

const TEMPLATE: &str = include_str!("templates/report.html");
const STYLE: &str = include_str!("templates/report.css");
const SCRIPT: &str = include_str!("templates/report.js");

/// The share of the page that diffs may fill.
const DIFF_SHARE: usize = 3;

/// Why the page could not be rendered.
#[derive(Debug, thiserror::Error)]
pub enum HtmlError {
    /// The template.
    #[error("template: {0}")]
    Template(#[from] minijinja::Error),
    /// The data.
    #[error("data: {0}")]
    Data(#[from] serde_json::Error),
}

/// The page, below `most_bytes`.
///
/// # Errors
/// When the template or the serializer fails, which no advice should make happen.
pub fn render(advice: &Advice, most_bytes: usize) -> Result<String, HtmlError> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_filter("prose", |text: &str| Value::from_safe_string(html_prose(text)));
    environment.add_template("report.html", TEMPLATE)?;
    let template = environment.get_template("report.html")?;

    let mut page = Page::new(advice, most_bytes / DIFF_SHARE);
    page.csp = policy();
    page.style = STYLE;
    page.script = SCRIPT;
    let frame = template.render(Serde(&page))?.len();
    let (data, omitted) = html_data::render(advice, &page.terraform, most_bytes.saturating_sub(frame))?;
    page.data = json_in_html(&data);
    page.omitted = omitted.map(|text| visible(&text));
    Ok(template.render(Serde(&page))?)
}

/// The Content-Security-Policy of the page: its own script and style, nothing else; no network, no frame, no form.
#[must_use]
pub fn policy() -> String {
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src data:; base-uri 'none'; form-action 'none'",
        STANDARD.encode(Sha256::digest(SCRIPT)),
        STANDARD.encode(Sha256::digest(STYLE)),
    )
}
