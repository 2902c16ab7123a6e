//! Writes a synthetic audit log of any size from a seed, shaped like real entries, for benchmarks and tests.
//!
//! `cargo run --release --example gen_log -- --size 750MB --order struct --out audit.log`
//!
//! The same flags give the same bytes. Nothing in it comes from a real server.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};

const USAGE: &str = "usage: gen_log [--size 750MB] [--seed 1] [--order struct|alphabetical] [--principals 400] [--paths 2000] [--paths-each 24] \
[--lists 0.05] [--writes 0.2] [--denials 0.02] [--large 0.01] [--in-flight 8] [--nodes 1] [--policy-results yes|no] [--out FILE]";

/// What to write.
struct Plan {
    size: u64,
    seed: u64,
    alphabetical: bool,
    principals: u64,
    paths: u64,
    paths_each: u64,
    lists: f64,
    writes: f64,
    denials: f64,
    large: f64,
    in_flight: usize,
    nodes: u64,
    policy_results: bool,
    out: Option<String>,
}

impl Plan {
    fn of(mut words: impl Iterator<Item = String>) -> Option<Self> {
        let mut plan = Self {
            size: 750_000_000,
            seed: 1,
            alphabetical: false,
            principals: 400,
            paths: 2000,
            paths_each: 24,
            lists: 0.05,
            writes: 0.2,
            denials: 0.02,
            large: 0.01,
            in_flight: 8,
            nodes: 1,
            policy_results: true,
            out: None,
        };
        while let Some(flag) = words.next() {
            let value = words.next()?;
            match &*flag {
                "--size" => plan.size = size(&value)?,
                "--seed" => plan.seed = value.parse().ok()?,
                "--order" => plan.alphabetical = value == "alphabetical",
                "--principals" => plan.principals = value.parse().ok().filter(|n| *n > 0)?,
                "--paths" => plan.paths = value.parse().ok().filter(|n| *n > 0)?,
                "--paths-each" => plan.paths_each = value.parse().ok().filter(|n| *n > 0)?,
                "--lists" => plan.lists = value.parse().ok()?,
                "--writes" => plan.writes = value.parse().ok()?,
                "--denials" => plan.denials = value.parse().ok()?,
                "--large" => plan.large = value.parse().ok()?,
                "--in-flight" => plan.in_flight = value.parse().ok()?,
                "--nodes" => plan.nodes = value.parse().ok().filter(|n| *n > 0)?,
                "--policy-results" => plan.policy_results = value == "yes",
                "--out" => plan.out = Some(value),
                _ => return None,
            }
        }
        Some(plan)
    }
}

fn size(text: &str) -> Option<u64> {
    for (unit, factor) in [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1000), ("", 1)] {
        if let Some(number) = text.strip_suffix(unit) {
            return number.parse::<u64>().ok().map(|n| n * factor);
        }
    }
    None
}

/// Random numbers: splitmix64.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    fn of(&mut self, share: f64) -> bool {
        (self.next() >> 11) as f64 / ((1_u64 << 53) as f64) < share
    }

    fn hmac(&mut self) -> String {
        let mut text = String::from("hmac-sha256:");
        for _ in 0..4 {
            let _ = write!(text, "{:016x}", self.next());
        }
        text
    }

    fn uuid(&mut self) -> String {
        let (a, b) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            b >> 52,
            b & 0xffff_ffff_ffff
        )
    }
}

/// An object: its members as they were added, or sorted.
struct Object {
    members: Vec<(&'static str, String)>,
    alphabetical: bool,
}

impl Object {
    fn new(alphabetical: bool) -> Self {
        Self {
            members: Vec::new(),
            alphabetical,
        }
    }

    fn raw(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.members.push((key, value.into()));
        self
    }

    fn text(self, key: &'static str, value: &str) -> Self {
        self.raw(key, format!("\"{value}\""))
    }

    fn write(mut self) -> String {
        if self.alphabetical {
            self.members.sort_by_key(|(key, _)| *key);
        }
        let mut text = String::from("{");
        for (n, (key, value)) in self.members.iter().enumerate() {
            if n > 0 {
                text.push(',');
            }
            let _ = write!(text, "\"{key}\":{value}");
        }
        text.push('}');
        text
    }
}

/// A token and its holder.
struct Token {
    client_token: String,
    accessor: String,
    entity: String,
    name: String,
    user: bool,
    team: u64,
    issued: String,
}

const TEAMS: [&str; 8] = ["core", "web", "pay", "ops", "ml", "data", "risk", "edge"];
const KINDS: [&str; 8] = ["db", "cache", "tls", "smtp", "oauth", "queue", "s3", "api"];

fn tokens(plan: &Plan, chance: &mut Chance) -> Vec<Token> {
    (0..plan.principals)
        .map(|n| {
            let user = n % 3 == 0;
            Token {
                client_token: chance.hmac(),
                accessor: chance.hmac(),
                entity: chance.uuid(),
                name: if user { format!("person{n}") } else { format!("app-{n}") },
                user,
                team: n % TEAMS.len() as u64,
                issued: time(n * 1_000_000_000).replace(".000000000", ""),
            }
        })
        .collect()
}

/// The time so many nanoseconds after the beginning.
fn time(nanos: u64) -> String {
    let seconds = nanos / 1_000_000_000;
    let (day, second) = (seconds / 86_400, seconds % 86_400);
    let (month, day) = (1 + (day / 28) % 12, 1 + day % 28);
    format!(
        "2026-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:09}Z",
        second / 3600,
        second / 60 % 60,
        second % 60,
        nanos % 1_000_000_000
    )
}

/// A request: its two entries but for time and type.
struct Asked {
    auth: String,
    request: String,
    response: String,
    error: Option<&'static str>,
}

fn ask(plan: &Plan, chance: &mut Chance, tokens: &[Token]) -> Asked {
    let sorted = plan.alphabetical;
    let number = chance.below(tokens.len() as u64);
    let Some(token) = tokens.get(usize::try_from(number).unwrap_or(0)) else {
        return Asked {
            auth: "{}".into(),
            request: "{}".into(),
            response: "{}".into(),
            error: None,
        };
    };
    let denied = chance.of(plan.denials);
    // Each has its own few paths; of these some are asked for often, and most seldom.
    let seldom = chance.below(plan.paths_each) * chance.below(plan.paths_each) / plan.paths_each;
    let place = Chance(number * plan.paths_each + seldom).below(plan.paths);
    let word = |list: &[&'static str], n: u64| list.get((n % list.len() as u64) as usize).copied().unwrap_or("x");
    let team = word(&TEAMS, if denied { token.team + 3 } else { token.team });
    let kind = word(&KINDS, place);
    let list = chance.of(plan.lists);
    let write = !list && chance.of(plan.writes);
    let operation = if list {
        "list"
    } else if write {
        "update"
    } else {
        "read"
    };
    let path = if list {
        format!("secret/metadata/prod/{team}/svc-{place}/")
    } else {
        format!("secret/data/prod/{team}/svc-{place}/{kind}")
    };
    let granting = Object::new(sorted)
        .text("name", &format!("team-{team}"))
        .text("namespace_id", "root")
        .text("type", "acl")
        .write();
    let results = if denied {
        r#"{"allowed":false}"#.to_owned()
    } else {
        Object::new(sorted)
            .raw("allowed", "true")
            .raw("granting_policies", format!("[{granting}]"))
            .write()
    };
    let login = if token.user { "username" } else { "role_name" };
    let display = if token.user {
        format!("userpass-{}", token.name)
    } else {
        "approle".to_owned()
    };
    let policies = format!("[\"default\",\"readers\",\"team-{}\"]", word(&TEAMS, token.team));
    let mut auth = Object::new(sorted)
        .text("client_token", &token.client_token)
        .text("accessor", &token.accessor)
        .text("display_name", &display)
        .raw("policies", policies.clone())
        .raw("token_policies", policies);
    if plan.policy_results {
        auth = auth.raw("policy_results", results);
    }
    let auth = auth
        .raw("metadata", Object::new(sorted).text(login, &token.name).write())
        .text("entity_id", &token.entity)
        .text("token_type", "service")
        .raw("token_ttl", "2764800")
        .text("token_issue_time", &token.issued)
        .write();
    let mut request = Object::new(sorted)
        .text("id", &chance.uuid())
        .text("client_id", &token.entity)
        .text("operation", operation)
        .text("mount_point", "secret/")
        .text("mount_type", "kv")
        .text("mount_accessor", "kv_1f2e3d4c")
        .text("mount_running_version", "v0.24.0+builtin")
        .text("mount_class", "secret")
        .text("client_token", &token.client_token)
        .text("client_token_accessor", &token.accessor)
        .raw("namespace", r#"{"id":"root"}"#)
        .text("path", &path);
    if write {
        let inner = Object::new(sorted)
            .text("password", &chance.hmac())
            .text("user", &chance.hmac())
            .write();
        request = request.raw(
            "data",
            Object::new(sorted).raw("data", inner).raw("options", "{}").write(),
        );
    }
    let request = request
        .text("remote_address", &format!("10.0.{}.{}", number % 8, number % 250))
        .raw("remote_port", (30_000 + chance.below(30_000)).to_string())
        .write();
    let mut response = Object::new(sorted)
        .text("mount_point", "secret/")
        .text("mount_type", "kv")
        .text("mount_accessor", "kv_1f2e3d4c")
        .text("mount_running_plugin_version", "v0.24.0+builtin")
        .text("mount_class", "secret");
    if denied {
        response = response.raw("data", Object::new(sorted).text("error", &chance.hmac()).write());
    } else if list {
        let names = if chance.of(plan.large) {
            400
        } else {
            1 + chance.below(12)
        };
        let keys: Vec<String> = (0..names).map(|_| format!("\"{}\"", chance.hmac())).collect();
        response = response.raw("data", format!("{{\"keys\":[{}]}}", keys.join(",")));
    } else if !write {
        let names = if chance.of(plan.large) { 80 } else { 1 + chance.below(3) };
        let mut inner = String::from("{");
        for n in 0..names {
            let _ = write!(
                inner,
                "{}\"key{n}\":\"{}\"",
                if n > 0 { "," } else { "" },
                chance.hmac()
            );
        }
        inner.push('}');
        let metadata = Object::new(sorted)
            .text("created_time", "2026-01-01T00:00:00.000000001Z")
            .raw("custom_metadata", "null")
            .text("deletion_time", "")
            .raw("destroyed", "false")
            .raw("version", "3")
            .write();
        response = response.raw(
            "data",
            Object::new(sorted).raw("data", inner).raw("metadata", metadata).write(),
        );
    }
    Asked {
        auth,
        request,
        response: response.write(),
        error: denied.then_some(r#""1 error occurred:\n\t* permission denied\n\n""#),
    }
}

fn entry(plan: &Plan, asked: &Asked, nanos: u64, response: bool, node: u64) -> String {
    let mut entry = Object::new(plan.alphabetical)
        .text("time", &time(nanos))
        .text("type", if response { "response" } else { "request" })
        .raw("auth", asked.auth.clone())
        .raw("request", asked.request.clone());
    if response {
        entry = entry.raw("response", asked.response.clone());
    }
    if let Some(error) = asked.error {
        entry = entry.raw("error", error);
    }
    if node > 0 && !response {
        entry = entry.text("forwarded_from", &format!("10.1.0.{node}:8201"));
    }
    entry.write()
}

fn write(plan: &Plan, to: &mut dyn Write) -> io::Result<()> {
    let mut chance = Chance(plan.seed);
    let tokens = tokens(plan, &mut chance);
    let mut open: VecDeque<(Asked, u64)> = VecDeque::new();
    let mut nanos = 0_u64;
    let mut written = 0_u64;
    loop {
        let done = written >= plan.size;
        if done && open.is_empty() {
            return to.flush();
        }
        nanos += 1 + chance.below(20_000_000);
        let line = if !done && (open.len() < plan.in_flight.max(1)) && (open.is_empty() || chance.of(0.6)) {
            let asked = ask(plan, &mut chance, &tokens);
            let node = chance.below(plan.nodes);
            let line = entry(plan, &asked, nanos, false, node);
            open.push_back((asked, node));
            line
        } else {
            let at = usize::try_from(chance.below(open.len() as u64)).unwrap_or(0);
            let Some((asked, node)) = open.remove(at) else { continue };
            entry(plan, &asked, nanos, true, node)
        };
        writeln!(to, "{line}")?;
        written += line.len() as u64 + 1;
    }
}

fn main() -> io::Result<()> {
    let Some(plan) = Plan::of(std::env::args().skip(1)) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, USAGE));
    };
    match &plan.out {
        Some(path) => write(
            &plan,
            &mut BufWriter::with_capacity(1 << 20, std::fs::File::create(path)?),
        ),
        None => write(&plan, &mut BufWriter::with_capacity(1 << 20, io::stdout().lock())),
    }
}
