//! The page that is served where no policies were given: what the usage holds, in numbers.

use super::report_worker::{Report, Reporter};
use super::suspects::Suspects;
use crate::hint::Cause;
use crate::report::escape::html;
use crate::usage::Usage;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Principals shown at most.
const MOST_ROWS: usize = 500;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #ddd}\
td.n,th.n{text-align:right}dt{font-weight:600}dd{margin:0 0 .5rem}";

/// Tells what the usage holds.
pub struct Summary;

impl Reporter for Summary {
    fn report(&mut self, usage: Usage) -> Result<Report, Cause> {
        let hash = STANDARD.encode(Sha256::digest(STYLE));
        Ok(Report {
            html: page(&usage),
            policy: format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'"),
            suspects: Suspects::default(),
            notes: Vec::new(),
            history: None,
        })
    }
}

#[derive(Default)]
struct Row {
    paths: u64,
    allowed: u64,
    denied: u64,
    last: Option<jiff::Timestamp>,
}

fn page(usage: &Usage) -> String {
    let mut rows: BTreeMap<(String, String, &str), Row> = BTreeMap::new();
    for demand in usage.demands() {
        let who = &demand.principal;
        let name = if who.name.is_empty() { &who.id } else { &who.name };
        let key = (name.to_string(), who.id.to_string(), who.kind.as_str());
        let row = rows.entry(key).or_default();
        row.paths += 1;
        row.allowed += demand.allowed;
        row.denied += demand.denied;
        row.last = row.last.max(demand.last_seen);
    }
    let coverage = usage.coverage();
    let tally = usage.tally();
    let time = |t: Option<jiff::Timestamp>| t.map_or_else(|| "nothing yet".to_owned(), |t| t.to_string());
    let mut out = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>Vault usage</title><style>{STYLE}</style></head><body><h1>Vault usage</h1>\
         <dl><dt>Window</dt><dd>{} to {}</dd><dt>Requests</dt><dd>{}</dd><dt>Lines</dt><dd>{}, of which {} were skipped</dd>\
         </dl>",
        time(coverage.first),
        time(coverage.last),
        coverage.requests,
        tally.lines,
        tally.skipped_total(),
    );
    if tally.skipped_total() > 0 {
        out.push_str("<h2>Skipped</h2><table><tr><th>Why</th><th class=\"n\">Lines</th></tr>");
        for (reason, skipped) in tally.reasons() {
            let _ = write!(
                out,
                "<tr><td>{}</td><td class=\"n\">{}</td></tr>",
                html(reason.text()),
                skipped.count
            );
        }
        out.push_str("</table>");
    }
    let _ = write!(
        out,
        "<h2>Principals</h2><table><tr><th>Name</th><th>Key</th><th>Kind</th><th class=\"n\">Demands</th><th class=\"n\">Allowed</th>\
         <th class=\"n\">Denied</th><th>Last seen</th></tr>"
    );
    let mut sorted: Vec<_> = rows.iter().collect();
    sorted.sort_by_key(|(_, row)| std::cmp::Reverse(row.allowed + row.denied));
    for ((name, id, kind), row) in sorted.iter().take(MOST_ROWS) {
        let _ = write!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{kind}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td>{}</td></tr>",
            html(name),
            html(id),
            row.paths,
            row.allowed,
            row.denied,
            time(row.last)
        );
    }
    out.push_str("</table>");
    if sorted.len() > MOST_ROWS {
        let _ = write!(out, "<p>And {} more.</p>", sorted.len() - MOST_ROWS);
    }
    out.push_str("</body></html>\n");
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ingest::{Options, Reader};

    #[test]
    fn names_from_logs_stay_text() {
        let line = r#"{"time":"2026-03-01T00:00:00Z","type":"response","auth":{"client_token":"t","accessor":"a","display_name":"<script>x</script>","policies":["default"],"entity_id":"e"},"request":{"id":"1","operation":"read","path":"secret/k","mount_type":"kv"}}"#;
        let mut reader = Reader::new(&Options::default());
        reader.feed("x", format!("{line}\n").as_bytes());
        let page = Summary.report(reader.take()).unwrap().html;
        assert!(page.contains("&lt;script&gt;x&lt;/script&gt;") && !page.contains("<script"));
        assert!(page.contains("<dd>1</dd>"));
    }
}
