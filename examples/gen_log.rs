//! Writes a synthetic audit log of any size from a seed, shaped like real entries, for benchmarks and tests.
//!
//! `cargo run --release --example gen_log -- --size 750MB --order struct --out audit.log`
//!
//! The same flags give the same bytes. Nothing in it comes from a real server.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};
use vault_advisor::random::Random;

const USAGE: &str = "usage: gen_log [--size 750MB] [--seed 1] [--order struct|alphabetical] [--principals 400] [--paths 2000] [--paths-each 24] \
[--lists 0.05] [--writes 0.2] [--denials 0.02] [--large 0.01] [--in-flight 8] [--nodes 1] [--policy-results yes|no] \
[--tokens long|short|fresh] [--policy-sets 0] [--policies 12] [--out FILE]

--tokens says how long a token lives: for the whole log, for a job of some requests, or for one request. --policy-sets gives tokens \
besides the policies of their team one of so many sets of up to --policies names each.";

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
    tokens: Life,
    policy_sets: u64,
    policies: u64,
    out: Option<String>,
}

/// How long a token lives.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    /// For the whole log.
    Long,
    /// For a job of some requests.
    Short,
    /// For one request.
    Fresh,
}

/// The most requests of a job.
const LONGEST_JOB: u64 = 24;

/// So many sets of policies one principal may come with.
const SETS_EACH: u64 = 3;

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
            tokens: Life::Long,
            policy_sets: 0,
            policies: 12,
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
                "--tokens" => {
                    plan.tokens = match &*value {
                        "long" => Life::Long,
                        "short" => Life::Short,
                        "fresh" => Life::Fresh,
                        _ => return None,
                    };
                }
                "--policy-sets" => plan.policy_sets = value.parse().ok()?,
                "--policies" => plan.policies = value.parse().ok().filter(|n| *n > 0)?,
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

/// What chance decides in a log.
struct Chance(Random);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0.bits()
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    fn of(&mut self, share: f64) -> bool {
        self.0.chance(share)
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

/// Who asks, and the token that is shown.
struct Holder {
    number: u64,
    client_token: String,
    accessor: String,
    entity: String,
    name: String,
    method: Method,
    team: u64,
    issued: String,
    /// Which of the sets of policies, if there are several.
    set: u64,
    /// The number of the job that the token was made for.
    job: u64,
    /// So many requests the token is good for.
    left: u64,
}

/// How somebody logs in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Userpass,
    AppRole,
    /// A job of a pipeline, whose token says which.
    Jwt,
}

impl Method {
    fn of(plan: &Plan, number: u64) -> Self {
        match number % 3 {
            0 => Self::Userpass,
            2 if plan.tokens != Life::Long => Self::Jwt,
            _ => Self::AppRole,
        }
    }

    fn display_name(self, name: &str) -> String {
        match self {
            Self::Userpass => format!("userpass-{name}"),
            Self::AppRole => "approle".to_owned(),
            Self::Jwt => format!("jwt-project_path:{name}"),
        }
    }
}

impl Holder {
    /// Logs in if the token is used up.
    fn renew(&mut self, plan: &Plan, chance: &mut Chance, nanos: u64) {
        if self.left > 0 {
            self.left -= 1;
            return;
        }
        self.client_token = chance.hmac();
        self.accessor = chance.hmac();
        self.issued = issued(nanos);
        self.job = chance.below(1 << 40);
        self.set = set_of(plan, self.number, chance.below(SETS_EACH));
        self.left = life(plan, chance) - 1;
    }
}

/// So many requests a new token is good for.
fn life(plan: &Plan, chance: &mut Chance) -> u64 {
    match plan.tokens {
        Life::Long => u64::MAX,
        Life::Short => 1 + chance.below(LONGEST_JOB),
        Life::Fresh => 1,
    }
}

/// The set of policies of a token: one of the few of its holder.
fn set_of(plan: &Plan, number: u64, pick: u64) -> u64 {
    Chance(Random::new(number * SETS_EACH + pick)).below(plan.policy_sets)
}

/// The names of a set of policies, sorted.
fn names_of(plan: &Plan, set: u64) -> Vec<String> {
    let mut chance = Chance(Random::new(set << 20));
    let count = 1 + chance.below(plan.policies);
    let mut names: Vec<String> = (0..count)
        .map(|_| format!("svc-{:03}-read", chance.below(plan.policy_sets)))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// A list of texts.
fn list_of(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    format!("[{}]", quoted.join(","))
}

const TEAMS: [&str; 8] = ["core", "web", "pay", "ops", "ml", "data", "risk", "edge"];
const KINDS: [&str; 8] = ["db", "cache", "tls", "smtp", "oauth", "queue", "s3", "api"];

fn holders(plan: &Plan, chance: &mut Chance) -> Vec<Holder> {
    (0..plan.principals)
        .map(|n| {
            let method = Method::of(plan, n);
            Holder {
                number: n,
                client_token: chance.hmac(),
                accessor: chance.hmac(),
                entity: chance.uuid(),
                name: match method {
                    Method::Userpass => format!("person{n}"),
                    Method::AppRole => format!("app-{n}"),
                    Method::Jwt => format!("group-{}_app-{n}", n % 7),
                },
                method,
                team: n % TEAMS.len() as u64,
                issued: issued(n * 1_000_000_000),
                set: set_of(plan, n, 0),
                job: n,
                left: if plan.tokens == Life::Long { u64::MAX } else { 0 },
            }
        })
        .collect()
}

/// When a token was made: servers write no fraction.
fn issued(nanos: u64) -> String {
    time(nanos / 1_000_000_000 * 1_000_000_000).replace(".000000000", "")
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

fn ask(plan: &Plan, chance: &mut Chance, holders: &mut [Holder], nanos: u64) -> Asked {
    let sorted = plan.alphabetical;
    let number = chance.below(holders.len() as u64);
    let Some(token) = holders.get_mut(usize::try_from(number).unwrap_or(0)) else {
        return Asked {
            auth: "{}".into(),
            request: "{}".into(),
            response: "{}".into(),
            error: None,
        };
    };
    token.renew(plan, chance, nanos);
    let denied = chance.of(plan.denials);
    // Each has its own few paths; of these some are asked for often, and most seldom.
    let seldom = chance.below(plan.paths_each) * chance.below(plan.paths_each) / plan.paths_each;
    let place = Chance(Random::new(number * plan.paths_each + seldom)).below(plan.paths);
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
    let mut own: Vec<String> = ["default", "readers"].map(str::to_owned).to_vec();
    own.push(format!("team-{}", word(&TEAMS, token.team)));
    let mut auth = Object::new(sorted)
        .text("client_token", &token.client_token)
        .text("accessor", &token.accessor)
        .text("display_name", &token.method.display_name(&token.name));
    if plan.policy_sets == 0 {
        auth = auth.raw("policies", list_of(&own)).raw("token_policies", list_of(&own));
    } else {
        let of_identity = names_of(plan, token.set);
        let mut all = [&own[..], &of_identity].concat();
        all.sort_unstable();
        auth = auth
            .raw("policies", list_of(&all))
            .raw("token_policies", list_of(&own))
            .raw("identity_policies", list_of(&of_identity));
    }
    if plan.policy_results {
        auth = auth.raw("policy_results", results);
    }
    let metadata = match token.method {
        Method::Userpass => Object::new(sorted).text("username", &token.name),
        Method::AppRole => Object::new(sorted).text("role_name", &token.name),
        Method::Jwt => Object::new(sorted)
            .text("job_id", &token.job.to_string())
            .text("pipeline_id", &(token.job / 7).to_string())
            .text("ref", "main")
            .text("role", "deploy"),
    };
    let auth = auth
        .raw("metadata", metadata.write())
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
    let mut chance = Chance(Random::new(plan.seed));
    let mut holders = holders(plan, &mut chance);
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
            let asked = ask(plan, &mut chance, &mut holders, nanos);
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
