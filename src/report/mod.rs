//! A face for each format, all of the same [`Advice`]: each renders to bytes, and [`mod@write`] puts them into a folder.
//!
//! Whatever text an advice carries may come from an attacker. Each face passes it through the one function of [`escape`]
//! that belongs to its grammar.

pub mod answer;
mod by_wave;
pub mod capabilities;
pub mod comparison;
pub mod csv;
pub mod diff;
pub mod digest;
pub mod escape;
pub mod gate;
pub mod hcl;
pub mod history;
pub mod holder;
pub mod html;
mod html_changes;
mod html_data;
mod html_page;
pub mod ink;
pub mod json;
pub mod json_model;
pub mod json_proposal;
pub mod layout;
pub mod lint;
pub mod markdown;
pub mod mined;
mod output;
pub mod owners;
pub mod plan;
mod pull_request;
pub mod replay;
pub mod roles;
pub mod sarif;
pub mod script;
pub mod snapshot;
pub mod state;
mod svg;
pub mod terraform;
pub mod text;
pub mod usage;
pub mod who_can;
pub mod write;

use crate::advice::{Advice, Proposal, Run};
use crate::hint::Hint;

pub use output::OutputFile;

/// How to render.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// `report.html` stays below this many bytes: what does not fit is counted in it and stands in `advice.json`.
    pub html_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { html_bytes: 7_500_000 }
    }
}

/// Why a report could not be rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The JSON serializer failed.
    #[error("cannot render JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The template of the HTML report failed.
    #[error("cannot render `report.html`: {0}")]
    Html(#[from] html::HtmlError),
}

impl Hint for RenderError {}

/// Every file of the output folder.
///
/// # Errors
/// When a serializer or the template fails, which no advice should make happen.
pub fn render(advice: &Advice, options: &Options) -> Result<Vec<OutputFile>, RenderError> {
    let mut files = vec![
        OutputFile::text("report.html", html::render(advice, options.html_bytes)?),
        OutputFile::text("advice.json", json::render(&advice.into())?),
        OutputFile::text("summary.md", markdown::render(advice)),
        OutputFile::text("findings.sarif", sarif::render(advice)?),
        OutputFile::text("findings.csv", csv::findings(advice)),
        OutputFile::text("principals.csv", csv::principals(advice)),
        OutputFile::text("policies.csv", csv::policies(advice)),
    ];
    if let Some(tighten) = digest::proposal(advice, "tighten") {
        let base = layout::diff_base(&advice.run, tighten);
        let placed = layout::place(&advice.run, tighten);
        for placed in &placed {
            if let Some(text) = hcl::file(placed.policy) {
                files.push(OutputFile::text(format!("policies/{}", placed.file), text));
            }
            if placed.policy.is_its_file()
                && let Some(text) = diff::render(placed, &base)
            {
                files.push(OutputFile::text(format!("diffs/{}", placed.diff), text));
            }
        }
        for change in &tighten.files {
            let (name, text) = diff::of_file(change, &base);
            files.push(OutputFile::text(format!("diffs/{name}"), text));
        }
        if layout::is_snapshot(&advice.run, tighten) {
            let (name, mark) = layout::SNAPSHOT_MARK;
            files.push(OutputFile::text(format!("policies/{name}"), mark));
        }
        files.extend(terraform::render(tighten, "terraform/"));
        files.extend(script::render(tighten, &placed, "", "policies/", &base)?);
        files.extend(pull_request::render(advice, tighten, &placed));
    }
    if let Some(redesign) = digest::proposal(advice, "redesign") {
        files.extend(roles::render(&advice.run, redesign)?);
        files.extend(terraform::render(redesign, "terraform/redesign/"));
        let placed = layout::place(&advice.run, redesign);
        files.extend(script::render(redesign, &placed, "roles/", "", ".")?);
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// Every file of a folder that brings `proposal` to a server by itself: `restore.sh`, with policies, diffs and Terraform.
///
/// # Errors
/// When a serializer fails, which no proposal should make happen.
pub fn restore(run: &Run, proposal: &Proposal) -> Result<Vec<OutputFile>, serde_json::Error> {
    let placed = layout::place(run, proposal);
    let mut files = script::render(proposal, &placed, "", "policies/", ".")?;
    files.retain(|file| file.path != "rollback/restore.sh" && file.path != "waves.json");
    for file in files.iter_mut().filter(|file| file.path == "apply.sh") {
        file.path = String::from("restore.sh");
    }
    for placed in &placed {
        if let Some(text) = hcl::file(placed.policy) {
            files.push(OutputFile::text(format!("policies/{}", placed.file), text));
        }
        if let Some(text) = diff::render(placed, ".") {
            files.push(OutputFile::text(format!("diffs/{}", placed.diff), text));
        }
    }
    files.extend(terraform::render(proposal, "terraform/"));
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}
