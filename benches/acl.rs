//! Decisions a second with 10, 1,000 and 100,000 stanzas in force, a fifth of them with `+`, on random paths.
//!
//! `cargo bench --bench acl` prints a line a size, by processor time; `-- SECONDS` sets how long each is measured.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a bench, not the program"
)]

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;
use vault_advisor::policy::acl::{Acl, Request};
use vault_advisor::policy::profile::Profile;
use vault_advisor::policy::syntax;
use vault_advisor::policy::template::Identity;
use vault_advisor::random::Random;
use vault_advisor::vault::Operation;

const MOUNTS: [&str; 8] = ["secret", "kv", "team-kv", "pki", "database", "auth", "sys", "transit"];
const KINDS: [&str; 6] = ["data", "metadata", "creds", "roles", "issue", "config"];
const NAMES: [&str; 8] = [
    "db",
    "api",
    "web",
    "cache",
    "password",
    "tls-certificate",
    "service-account",
    "queue",
];

/// The segments of a path as a deployment with `size` stanzas has them.
fn segments(random: &mut Random, size: usize) -> Vec<String> {
    let teams = (size / 20).max(4);
    let mut parts = vec![
        random.pick(&MOUNTS).unwrap().to_owned(),
        random.pick(&KINDS).unwrap().to_owned(),
        format!("team-{}", random.below(teams)),
    ];
    for _ in 0..random.below(4) {
        let name = random.pick(&NAMES).unwrap();
        parts.push(format!("{name}-{}", random.below(20)));
    }
    parts
}

fn policy_text(random: &mut Random, size: usize) -> String {
    let mut text = String::new();
    for index in 0..size {
        let mut parts = segments(random, size);
        if index % 5 == 0 {
            let at = 1 + random.below(parts.len() - 1);
            parts[at] = "+".to_owned();
        }
        let mut path = parts.join("/");
        match random.below(4) {
            0 => path.push_str("/*"),
            1 if !path.ends_with('+') => path.push('*'),
            _ => {}
        }
        let _ = writeln!(text, "path \"{path}\" {{ capabilities = [\"read\", \"list\"] }}");
    }
    text
}

/// Seconds of processor time of this thread where the system tells it (Linux), else of the clock: other work on the machine
/// then slows the bench down without changing what it prints.
fn seconds_used(started: Instant) -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let on_cpu_ns = told.and_then(|t| t.split(' ').next()?.parse::<f64>().ok());
    on_cpu_ns.map_or_else(|| started.elapsed().as_secs_f64(), |ns| ns / 1e9)
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let started = Instant::now();
    let before = seconds_used(started);
    let made = work();
    (made, seconds_used(started) - before)
}

fn measure(seconds: f64, paths: &[String], mut decide: impl FnMut(&str) -> bool) -> (f64, f64) {
    let (mut count, mut allowed, mut elapsed) = (0u64, 0u64, 0.0);
    while elapsed < seconds {
        let ((), round) = timed(|| {
            for path in paths {
                allowed += u64::from(decide(black_box(path)));
            }
        });
        count += paths.len() as u64;
        elapsed += round;
    }
    (count as f64 / elapsed, allowed as f64 / count as f64)
}

fn main() {
    let seconds = std::env::args().skip(1).find_map(|a| a.parse().ok()).unwrap_or(2.0);
    println!("stanzas   compile    read/s   list/s   decide/s   allowed");
    for size in [10, 1_000, 100_000] {
        let mut random = Random::new(1);
        let profile = Profile::default();
        let policy = syntax::parse(
            "bench",
            "bench.hcl",
            &policy_text(&mut random, size),
            &profile.dialect(),
        )
        .unwrap();
        let (acl, compile) = timed(|| Acl::compile(profile, &[&policy], &Identity::default(), Some(0)));
        let paths: Vec<_> = (0..100_000).map(|_| segments(&mut random, size).join("/")).collect();
        let folders: Vec<_> = paths.iter().map(|p| format!("{p}/")).collect();
        let (read, allowed) = measure(seconds, &paths, |p| acl.check(Operation::Read, p).allowed);
        let (list, _) = measure(seconds, &folders, |p| acl.check(Operation::List, p).allowed);
        let (full, _) = measure(seconds, &paths, |p| {
            acl.decide(&Request::new(Operation::Read, p)).allowed
        });
        println!(
            "{size:>7} {:>6.1} ms {:>7.2} M {:>6.2} M {:>8.2} M {:>8.0} %",
            compile * 1e3,
            read / 1e6,
            list / 1e6,
            full / 1e6,
            allowed * 100.0
        );
    }
}
