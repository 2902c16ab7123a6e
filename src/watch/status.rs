//! How the watch does, for those who look at it from outside: metrics and health.

use super::events::Kind;
use super::hook::Deliveries;
use super::rollout::WaveProgress;
use super::tail::Counts;
use crate::rollout::verdict::{Standing, Verdict};
use crate::units;
use crate::usage::Skip;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// More bytes behind than this is not healthy.
pub const MOST_LAG_BYTES: u64 = 256 << 20;
/// Longer behind than this is not healthy.
pub const MOST_LAG: Duration = Duration::from_secs(300);
/// A watch that did nothing for so long, beyond its longest sleep, hangs.
pub const MOST_SILENCE: Duration = Duration::from_secs(120);

/// How the watch does.
#[derive(Debug, Clone)]
pub struct Status {
    /// When this was written.
    pub at: Instant,
    /// The longest sleep.
    pub poll: Duration,
    /// Lines in the usage.
    pub lines: u64,
    /// Of them, entries that were used.
    pub used: u64,
    /// And those that were not, by reason.
    pub skipped: BTreeMap<Skip, u64>,
    /// What was read since the start.
    pub counts: Counts,
    /// Files that are looked at.
    pub files: usize,
    /// Files that cannot be read now.
    pub unreadable: usize,
    /// Bytes that are there and not read.
    pub lag_bytes: u64,
    /// Since when the oldest of what is not committed has waited.
    pub waits_since: Option<Instant>,
    /// Events since the start.
    pub events: BTreeMap<Kind, u64>,
    /// The webhook, where there is one.
    pub hook: Option<Deliveries>,
    /// The last commit.
    pub committed: Option<SystemTime>,
    /// How long it took.
    pub commit_took: Duration,
    /// Why the last report could not be made.
    pub report_trouble: Option<String>,
    /// The waves of an applied report, where one is followed.
    pub rollout: Option<WaveProgress>,
}

impl Status {
    /// Of a watch that begins.
    #[must_use]
    pub fn new(poll: Duration) -> Self {
        Self {
            at: Instant::now(),
            poll,
            lines: 0,
            used: 0,
            skipped: BTreeMap::new(),
            counts: Counts::default(),
            files: 0,
            unreadable: 0,
            lag_bytes: 0,
            waits_since: None,
            events: BTreeMap::new(),
            hook: None,
            committed: None,
            commit_took: Duration::ZERO,
            report_trouble: None,
            rollout: None,
        }
    }

    /// For how long the oldest of what is not in the usage has waited.
    #[must_use]
    pub fn lag(&self) -> Duration {
        self.waits_since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// What is wrong, in words; nothing where all is well.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        if self.lag_bytes > MOST_LAG_BYTES {
            complaints.push(format!("{} MiB behind the logs", self.lag_bytes >> 20));
        }
        if self.lag() > MOST_LAG {
            complaints.push(format!("{} s behind the logs", self.lag().as_secs()));
        }
        if self.unreadable > 0 {
            complaints.push(units::count(
                self.unreadable as u64,
                "file cannot be read",
                "files cannot be read",
            ));
        }
        if self.at.elapsed() > self.poll + MOST_SILENCE {
            complaints.push(format!("nothing was done for {} s", self.at.elapsed().as_secs()));
        }
        if let Some(why) = self.rollout.as_ref().and_then(|rollout| rollout.trouble.as_ref()) {
            complaints.push(why.clone());
        }
        complaints
    }

    /// The state of health as JSON, and whether it is good.
    #[must_use]
    pub fn health(&self) -> (bool, String) {
        let complaints = self.complaints();
        let good = complaints.is_empty();
        let body = serde_json::json!({
            "status": if good { "ok" } else { "failing" },
            "complaints": complaints,
            "lag_bytes": self.lag_bytes,
            "lag_seconds": self.lag().as_secs_f64(),
        });
        (good, format!("{body}\n"))
    }

    /// All numbers in the text format of Prometheus.
    #[must_use]
    pub fn metrics(&self) -> String {
        let mut page = Page(String::new());
        self.tell_logs(&mut page);
        self.tell_lag(&mut page);
        let of = |kind: &Kind| self.events.get(kind).copied().unwrap_or(0);
        let events = by_label("kind", Kind::ALL.iter().map(|kind| (kind.as_str(), of(kind))));
        page.counter("events_total", "Events since the start, by kind", &events);
        if let Some(hook) = &self.hook {
            page.hook(hook);
        }
        if let Some(rollout) = &self.rollout {
            page.waves(rollout);
        }
        self.tell_commits(&mut page);
        page.0
    }

    /// What was read of the logs.
    fn tell_logs(&self, page: &mut Page) {
        page.gauge(
            "up_to_date",
            "1 where nothing waits to be read or committed",
            f64::from(u8::from(self.waits_since.is_none())),
        );
        page.counter(
            "lines_total",
            "Lines of the logs that are in the usage",
            &[("", self.lines)],
        );
        page.counter(
            "entries_used_total",
            "Lines that were audit entries and were used",
            &[("", self.used)],
        );
        let of = |reason: &Skip| self.skipped.get(reason).copied().unwrap_or(0);
        let skipped = by_label("reason", Skip::ALL.iter().map(|reason| (reason.as_str(), of(reason))));
        page.counter("lines_skipped_total", "Lines that were not used, by reason", &skipped);
        page.counter(
            "read_bytes_total",
            "Bytes of plain text read since the start",
            &[("", self.counts.bytes)],
        );
        page.gauge("files", "Files that are looked at", self.files as f64);
        page.gauge(
            "files_unreadable",
            "Files that cannot be read now",
            self.unreadable as f64,
        );
        page.counter(
            "read_errors_total",
            "Failed attempts to read a file since the start",
            &[("", self.counts.errors)],
        );
        page.counter(
            "rotations_total",
            "Logs that went on under another name or in a copy",
            &[("", self.counts.rotations)],
        );
        page.counter(
            "truncations_total",
            "Files that were truncated or rewritten",
            &[("", self.counts.truncations)],
        );
    }

    /// What is still to be read.
    fn tell_lag(&self, page: &mut Page) {
        page.gauge(
            "lag_bytes",
            "Bytes of the logs that are not read yet",
            self.lag_bytes as f64,
        );
        page.gauge(
            "lag_seconds",
            "How long the oldest entry that is not in the usage yet has waited",
            self.lag().as_secs_f64(),
        );
    }

    /// What became of what was read.
    fn tell_commits(&self, page: &mut Page) {
        let failed = f64::from(u8::from(self.report_trouble.is_some()));
        page.gauge("report_failed", "1 where the last report could not be made", failed);
        let committed = self.committed.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        page.gauge(
            "last_commit_timestamp_seconds",
            "When the state was written last",
            committed.unwrap_or_default().as_secs_f64(),
        );
        page.gauge(
            "commit_seconds",
            "How long the last commit took",
            self.commit_took.as_secs_f64(),
        );
    }
}

/// Numbers with a label each.
fn by_label<'a>(label: &str, numbers: impl Iterator<Item = (&'a str, u64)>) -> Vec<(String, u64)> {
    numbers
        .map(|(value, number)| (format!("{{{label}=\"{value}\"}}"), number))
        .collect()
}

/// A page of metrics.
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(
            self.0,
            "# HELP vault_advisor_{name} {help}\n# TYPE vault_advisor_{name} {kind}"
        );
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.head(name, "gauge", help);
        let _ = writeln!(self.0, "vault_advisor_{name} {value}");
    }

    /// How the webhook does.
    fn hook(&mut self, hook: &Deliveries) {
        self.gauge("notify_queue", "Events that wait for the webhook", hook.waiting as f64);
        self.counter(
            "notify_delivered_total",
            "Events that the webhook took",
            &[("", hook.delivered)],
        );
        self.counter(
            "notify_dropped_total",
            "Events that had no room in the queue or were refused",
            &[("", hook.dropped)],
        );
        self.counter(
            "notify_failures_total",
            "Messages that the webhook did not take",
            &[("", hook.failures)],
        );
    }

    /// How the waves of an applied report do.
    fn waves(&mut self, rollout: &WaveProgress) {
        let by_wave = |of: fn(&Standing) -> f64| -> Vec<(String, f64)> {
            let waves = rollout.standings.iter();
            waves
                .map(|one| (format!("{{wave=\"{}\"}}", one.wave), of(one)))
                .collect()
        };
        let rows = [
            (
                "regressions_total",
                "counter",
                "Wrong denials since a wave was applied: a principal, a path, a capability, a day",
                by_wave(|one| one.seen as f64),
            ),
            (
                "regressions_expected",
                "gauge",
                "Wrong denials that were promised for a wave, over the whole horizon",
                by_wave(|one| one.promised.unwrap_or_default()),
            ),
            (
                "wave_in_force",
                "gauge",
                "1 where the wave is applied and was not taken back",
                by_wave(|one| f64::from(u8::from(one.verdict != Verdict::NotInForce))),
            ),
            (
                "wave_worse_than_promised",
                "gauge",
                "1 where more is denied than was promised so far: stop here",
                by_wave(|one| f64::from(u8::from(one.verdict == Verdict::Worse))),
            ),
        ];
        for (name, kind, help, values) in rows {
            self.head(name, kind, help);
            for (labels, value) in values {
                let _ = writeln!(self.0, "vault_advisor_{name}{labels} {value}");
            }
        }
        self.gauge(
            "regressions_open",
            "Requests that are denied because of a wave and that nobody has answered",
            rollout.open as f64,
        );
    }

    fn counter<L: AsRef<str>>(&mut self, name: &str, help: &str, values: &[(L, u64)]) {
        self.head(name, "counter", help);
        for (labels, value) in values {
            let _ = writeln!(self.0, "vault_advisor_{name}{} {value}", labels.as_ref());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_type_and_every_reason_a_row() {
        let mut status = Status::new(Duration::from_secs(60));
        status.lines = 7;
        status.hook = Some(Deliveries::default());
        let text = status.metrics();
        assert!(text.contains("\nvault_advisor_lines_total 7\n"));
        for reason in Skip::ALL {
            assert!(text.contains(&format!(
                "vault_advisor_lines_skipped_total{{reason=\"{}\"}} 0\n",
                reason.as_str()
            )));
        }
        for row in text.lines().filter(|l| !l.starts_with('#')) {
            let name = row.split(['{', ' ']).next().unwrap_or_default();
            assert!(text.contains(&format!("# TYPE {name} ")), "{name}");
        }
    }

    #[test]
    fn lag_and_files_that_cannot_be_read_are_no_good_health() {
        let mut status = Status::new(Duration::from_secs(60));
        assert!(status.health().0);
        status.unreadable = 1;
        assert!(!status.health().0);
        status.unreadable = 0;
        status.lag_bytes = MOST_LAG_BYTES + 1;
        let (good, text) = status.health();
        assert!(!good && text.contains("256 MiB behind"));
    }
}
