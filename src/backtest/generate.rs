//! Synthetic years with a ground truth: who needs what, and how often, is known, so that a denial can be called wrong.
//!
//! Teams have services that read their own secrets daily (and some of them only weekly, monthly or once a quarter), jobs that
//! run weekly, monthly and quarterly and write a path with the day in it, and people who work on weekdays on what their team
//! has, some of it often and most of it seldom. People join, change teams and leave; secrets are added; an operator looks at
//! everything now and then; break-glass is used on a few days of the year. Every request is legitimate and allowed by the
//! policies, which grant a team whatever is the team's, as policies written by hand do.
//!
//! The same plan gives the same year.

mod change;
mod companies;
pub mod log;
mod planted;
mod releases;

pub use planted::PlantedRole;

use crate::policy::model::Policy;
use crate::policy::profile::Profile;
use crate::policy::syntax;
use crate::random::Random;
use crate::usage::Held;
use crate::usage::demand::{Demand, Principal};
use crate::vault::{Capability, PrincipalKind};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// By which rules a company lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Company {
    /// Teams with services, jobs and people.
    #[default]
    Teams,
    /// Namespaces of a cluster with policies of one shape, workers of a season, secrets that are renamed.
    Cluster,
    /// Steady services with jobs of a month and a quarter.
    Steady,
    /// People who look at something else every day.
    Explorers,
    /// Three services.
    Small,
    /// Services cloned from a template that all move to another mount, and incidents.
    Growth,
    /// Departments whose staff hands its tasks over, with releases and books that are closed.
    Turnover,
    /// Features rolled out to all services of a tier at once, and tenants that come one after the other.
    Rollout,
    /// Releases that log in by names of their own, pipelines, rotations of a quarter, people on call.
    Releases,
    /// Holders of ten roles that today's policies know nothing of.
    Planted,
}

impl Company {
    /// All.
    pub const ALL: [Self; 10] = [
        Self::Teams,
        Self::Cluster,
        Self::Steady,
        Self::Explorers,
        Self::Small,
        Self::Growth,
        Self::Turnover,
        Self::Rollout,
        Self::Releases,
        Self::Planted,
    ];

    /// Its name in flags.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Teams => "teams",
            Self::Cluster => "cluster",
            Self::Steady => "steady",
            Self::Explorers => "explorers",
            Self::Small => "small",
            Self::Growth => "growth",
            Self::Turnover => "turnover",
            Self::Rollout => "rollout",
            Self::Releases => "releases",
            Self::Planted => "planted",
        }
    }
}

/// What to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Fixes every random choice.
    pub seed: u64,
    /// By which rules it lives.
    pub company: Company,
    /// Teams.
    pub teams: u64,
    /// Days.
    pub days: i32,
    /// First day, since 1970-01-01.
    pub first_day: i32,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            seed: 1,
            company: Company::Teams,
            teams: 6,
            days: 365,
            // 2025-01-01, a Wednesday.
            first_day: 20_089,
        }
    }
}

/// What a principal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Runs every day.
    Service,
    /// Runs on one day of the week.
    Weekly,
    /// Runs on one day of the month.
    Monthly,
    /// Runs on one day of the quarter.
    Quarterly,
    /// Works on weekdays.
    Person,
    /// A person who joins in the course of the year.
    Newcomer,
    /// A person who changes teams in the course of the year.
    Mover,
    /// A person who leaves in the course of the year, and whose access stays.
    Leaver,
    /// Looks after everything.
    Operator,
    /// Used on a few days of the year.
    BreakGlass,
}

/// A year.
pub struct Year {
    /// What was asked for.
    pub demands: Vec<Demand>,
    /// The policies in force, name and text.
    pub texts: BTreeMap<String, String>,
    /// What every principal is, by id.
    pub kinds: BTreeMap<String, Kind>,
    /// The roles that were planted, where some were.
    pub roles: Vec<PlantedRole>,
}

impl Year {
    /// The policies, parsed.
    #[must_use]
    pub fn policies(&self) -> Vec<Policy> {
        let dialect = Profile::default().dialect();
        let parse = |(name, text): (&String, &String)| syntax::parse(name, &format!("{name}.hcl"), text, &dialect).ok();
        self.texts.iter().filter_map(parse).collect()
    }
}

/// What chance decides in a company.
struct Draws(Random);

impl Draws {
    /// From `low` to `high`, both included.
    fn range(&mut self, low: u64, high: u64) -> u64 {
        low + self.0.bits() % (high - low + 1)
    }

    fn chance(&mut self, of_thousand: u64) -> bool {
        self.0.bits() % 1000 < of_thousand
    }

    fn day(&mut self, low: i32, high: i32) -> i32 {
        let span = u64::try_from(high - low).unwrap_or(0);
        low + i32::try_from(self.range(0, span)).unwrap_or(0)
    }

    /// One of `items`; the first ones far more often (a Zipf-like choice).
    fn often<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let most = items.len() as f64;
        items.get((most.powf(self.0.unit()) - 1.0) as usize)
    }

    fn any<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let last = items.len().checked_sub(1)? as u64;
        items.get(usize::try_from(self.range(0, last)).ok()?)
    }
}

const TEAMS: [&str; 12] = [
    "payments", "search", "identity", "billing", "mobile", "data", "ledger", "fraud", "orders", "catalog", "mail",
    "risk",
];
const SERVICES: [&str; 8] = ["api", "worker", "web", "sync", "gateway", "cache", "import", "index"];
const KEYS: [&str; 10] = [
    "database",
    "tls",
    "stripe",
    "smtp",
    "s3",
    "oauth",
    "webhook",
    "license",
    "sentry",
    "backup-key",
];

const DEFAULT: &str = r#"path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self" { capabilities = ["update"] }
path "cubbyhole/*" { capabilities = ["create", "read", "update", "delete", "list"] }
"#;
const OPERATOR: &str = r#"path "secret/*" { capabilities = ["read", "list"] }
path "database/*" { capabilities = ["read", "list"] }
path "auth/approle/role/*" { capabilities = ["create", "read", "update", "list"] }
path "sys/mounts" { capabilities = ["read"] }
path "sys/health" { capabilities = ["read"] }
path "sys/leases/*" { capabilities = ["update", "list"] }
"#;
const BREAK_GLASS: &str = r#"path "secret/*" { capabilities = ["create", "read", "update", "delete", "list"] }
path "database/*" { capabilities = ["read", "update"] }
path "sys/leases/*" { capabilities = ["update"] }
"#;

fn team_text(team: &str) -> String {
    format!(
        r#"path "secret/data/{team}/*" {{ capabilities = ["create", "read", "update", "delete"] }}
path "secret/metadata/{team}/*" {{ capabilities = ["read", "list"] }}
path "database/creds/{team}-*" {{ capabilities = ["read"] }}
path "kv-old/{team}/*" {{ capabilities = ["read", "list"] }}
"#
    )
}

fn services_text(team: &str) -> String {
    format!(
        r#"path "secret/data/{team}/*" {{ capabilities = ["read", "update"] }}
path "database/creds/{team}-*" {{ capabilities = ["read"] }}
path "transit/+/{team}" {{ capabilities = ["update"] }}
"#
    )
}

fn jobs_text(team: &str) -> String {
    format!(
        r#"path "secret/data/{team}/*" {{ capabilities = ["create", "read", "update"] }}
path "secret/metadata/{team}/*" {{ capabilities = ["list"] }}
path "pki/issue/{team}" {{ capabilities = ["update"] }}
"#
    )
}

/// Makes a year.
#[must_use]
pub fn year(plan: &Plan) -> Year {
    let mut maker = Maker {
        random: Draws(Random::new(plan.seed.wrapping_mul(0x5851_f42d_4c95_7f2d))),
        first: plan.first_day,
        days: plan.days,
        folded: BTreeMap::new(),
        kinds: BTreeMap::new(),
    };
    let mut roles = Vec::new();
    let other = match plan.company {
        Company::Teams => None,
        Company::Cluster => Some(companies::cluster(&mut maker, plan.teams)),
        Company::Steady => Some(companies::steady(&mut maker, plan.teams)),
        Company::Explorers => Some(companies::explorers(&mut maker, plan.teams)),
        Company::Small => Some(companies::small(&mut maker)),
        Company::Growth => Some(change::growth(&mut maker, plan.teams)),
        Company::Turnover => Some(change::turnover(&mut maker, plan.teams)),
        Company::Rollout => Some(change::rollout(&mut maker, plan.teams)),
        Company::Releases => Some(releases::releases(&mut maker, plan.teams)),
        Company::Planted => {
            let (texts, planted) = planted::planted(&mut maker, plan.teams);
            roles = planted;
            Some(texts)
        }
    };
    if let Some(texts) = other {
        return Year {
            demands: maker.demands(),
            texts,
            kinds: maker.kinds,
            roles,
        };
    }
    let mut texts: BTreeMap<String, String> = [
        ("default", DEFAULT),
        ("operator", OPERATOR),
        ("break-glass", BREAK_GLASS),
    ]
    .map(|(name, text)| (name.to_owned(), text.to_owned()))
    .into();
    let mut teams: Vec<Team> = Vec::new();
    for n in 0..plan.teams.max(1) {
        let team = maker.team(n);
        let name = &team.name;
        texts.insert(format!("team-{name}"), team_text(name));
        texts.insert(format!("{name}-services"), services_text(name));
        texts.insert(format!("{name}-jobs"), jobs_text(name));
        teams.push(team);
    }
    for (n, team) in teams.iter().enumerate() {
        maker.services(team);
        maker.jobs(team);
        let next = teams.get((n + 1) % teams.len()).unwrap_or(team);
        maker.people(team, next);
    }
    maker.operators(&teams);
    maker.break_glass(&teams);
    Year {
        demands: maker.demands(),
        texts,
        kinds: maker.kinds,
        roles,
    }
}

/// A secret: its path below the team, and the day from which it exists.
struct Secret {
    path: String,
    since: i32,
}

struct Service {
    name: String,
    secrets: Vec<Secret>,
}

struct Team {
    name: String,
    services: Vec<Service>,
}

impl Team {
    /// Paths that exist on a day, in an order of its own for each `turn`.
    fn paths(&self, day: i32, turn: usize) -> Vec<&str> {
        let all: Vec<&Secret> = self.services.iter().flat_map(|s| &s.secrets).collect();
        let cut = turn % all.len().max(1);
        let (head, tail) = all.split_at_checked(cut).unwrap_or_default();
        tail.iter()
            .chain(head)
            .filter(|s| s.since <= day)
            .map(|s| s.path.as_str())
            .collect()
    }
}

/// Principal, path and policies, folded over capabilities and days.
type Folded = BTreeMap<(Who, String, Capability), BTreeMap<i32, u64>>;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Who {
    principal: Principal,
    held: Arc<Held>,
}

struct Maker {
    random: Draws,
    first: i32,
    days: i32,
    folded: Folded,
    kinds: BTreeMap<String, Kind>,
}

impl Maker {
    fn team(&mut self, n: u64) -> Team {
        let plain = TEAMS
            .get(usize::try_from(n).unwrap_or(0) % TEAMS.len())
            .copied()
            .unwrap_or("team");
        let round = n / TEAMS.len() as u64;
        let name = if round == 0 {
            plain.to_owned()
        } else {
            format!("{plain}{round}")
        };
        let services = self.random.range(3, 5);
        let services = (0..services)
            .map(|s| {
                let kind = SERVICES
                    .get(usize::try_from(s + n).unwrap_or(0) % SERVICES.len())
                    .copied()
                    .unwrap_or("app");
                let keys = self.random.range(5, 9);
                let secrets = KEYS.iter().take(usize::try_from(keys).unwrap_or(5)).map(|key| {
                    // A quarter of the secrets is added in the course of the year.
                    let added = self.random.chance(250);
                    let since = if added {
                        self.random.day(1, (self.days - 1).max(1))
                    } else {
                        0
                    };
                    Secret {
                        path: format!("secret/data/{name}/{kind}/{key}"),
                        since,
                    }
                });
                Service {
                    name: kind.to_owned(),
                    secrets: secrets.collect(),
                }
            })
            .collect();
        Team { name, services }
    }

    fn who(&mut self, kind: PrincipalKind, name: &str, policies: &[&str], is: Kind) -> Who {
        let (mount, id) = match kind {
            PrincipalKind::Entity => ("auth/oidc/", format!("entity-{name}")),
            _ => ("auth/approle/", format!("auth/approle/{name}")),
        };
        self.kinds.insert(id.clone(), is);
        let mut names: Vec<Arc<str>> = policies.iter().map(|p| Arc::from(*p)).collect();
        names.push(Arc::from("default"));
        names.sort();
        Who {
            principal: Principal {
                kind,
                id: Arc::from(id),
                name: Arc::from(name),
                auth_mount: Arc::from(mount),
            },
            held: Arc::new(Held::named(names.into())),
        }
    }

    fn ask(&mut self, who: &Who, day: i32, path: &str, capability: Capability) {
        if !(0..self.days).contains(&day) {
            return;
        }
        let entry = self
            .folded
            .entry((who.clone(), path.to_owned(), capability))
            .or_default();
        *entry.entry(self.first + day).or_default() += 1;
    }

    fn weekday(&self, day: i32) -> i32 {
        // 1970-01-01 was a Thursday; Monday is 0.
        (self.first + day + 3).rem_euclid(7)
    }

    /// Services run daily; of their secrets most are read daily, the others every week, month or quarter.
    fn services(&mut self, team: &Team) {
        for service in &team.services {
            let name = format!("{}-{}", team.name, service.name);
            let policy = format!("{}-services", team.name);
            let who = self.who(PrincipalKind::Role, &name, &[&policy], Kind::Service);
            let rhythms: Vec<i32> = service
                .secrets
                .iter()
                .map(|_| match self.random.range(0, 99) {
                    0..70 => 1,
                    70..88 => 7,
                    88..97 => 30,
                    _ => 91,
                })
                .collect();
            let phase = self.random.day(0, 90);
            let encrypts = self.random.chance(500);
            for day in 0..self.days {
                if self.random.chance(20) {
                    continue;
                }
                self.ask(&who, day, "auth/token/lookup-self", Capability::Read);
                self.ask(&who, day, &format!("database/creds/{name}"), Capability::Read);
                if encrypts {
                    self.ask(&who, day, &format!("transit/encrypt/{}", team.name), Capability::Update);
                    self.ask(&who, day, &format!("transit/decrypt/{}", team.name), Capability::Update);
                }
                for (secret, rhythm) in service.secrets.iter().zip(&rhythms) {
                    if secret.since <= day && (day + phase) % rhythm == 0 {
                        self.ask(&who, day, &secret.path, Capability::Read);
                    }
                }
            }
        }
    }

    /// Jobs read some of the team's secrets, and write a path with the day in it.
    fn jobs(&mut self, team: &Team) {
        let policy = format!("{}-jobs", team.name);
        for (job, every, kind) in [
            ("backup", 7, Kind::Weekly),
            ("report", 30, Kind::Monthly),
            ("audit", 91, Kind::Quarterly),
        ] {
            let who = self.who(PrincipalKind::Role, &format!("{}-{job}", team.name), &[&policy], kind);
            let phase = self.random.day(0, every - 1);
            let reads = usize::try_from(self.random.range(3, 7)).unwrap_or(3);
            let turn = usize::try_from(self.random.range(0, 40)).unwrap_or(0);
            let issues = self.random.chance(400);
            for day in (phase..self.days).step_by(usize::try_from(every).unwrap_or(1)) {
                self.ask(&who, day, "auth/token/lookup-self", Capability::Read);
                for path in team.paths(day, turn).into_iter().take(reads) {
                    self.ask(&who, day, path, Capability::Read);
                }
                let written = super::split::written(self.first + day).replace('-', "");
                self.ask(
                    &who,
                    day,
                    &format!("secret/data/{}/{job}/{written}", team.name),
                    Capability::Create,
                );
                if issues {
                    self.ask(&who, day, &format!("pki/issue/{}", team.name), Capability::Update);
                }
            }
        }
    }

    /// People: some stay, one joins, one leaves, one changes to the next team.
    fn people(&mut self, team: &Team, next: &Team) {
        let end = self.days;
        let steady = self.random.range(2, 4);
        for n in 0..steady + 3 {
            let name = format!("{}-person{n}", team.name);
            let middle = self.random.day(end / 6, (end * 5 / 6).max(end / 6));
            let turn = usize::try_from(self.random.range(0, 40)).unwrap_or(0);
            let (kind, from, to) = match n.checked_sub(steady) {
                None => (Kind::Person, 0, end),
                Some(0) => (Kind::Newcomer, middle, end),
                Some(1) => (Kind::Leaver, 0, middle),
                Some(_) => (Kind::Mover, 0, middle),
            };
            let policy = format!("team-{}", team.name);
            let who = self.who(PrincipalKind::Entity, &name, &[&policy], kind);
            self.works(&who, team, from..to, turn);
            if kind == Kind::Mover {
                let policy = format!("team-{}", next.name);
                let who = self.who(PrincipalKind::Entity, &name, &[&policy], kind);
                self.works(&who, next, middle..end, turn);
            }
        }
    }

    fn works(&mut self, who: &Who, team: &Team, days: std::ops::Range<i32>, turn: usize) {
        for day in days {
            if self.weekday(day) >= 5 || !self.random.chance(600) {
                continue;
            }
            self.ask(who, day, "auth/token/lookup-self", Capability::Read);
            let paths = team.paths(day, turn);
            for _ in 0..self.random.range(1, 4) {
                let Some(path) = self.random.often(&paths).map(|p| (*p).to_owned()) else {
                    continue;
                };
                match self.random.range(0, 99) {
                    0..72 => self.ask(who, day, &path, Capability::Read),
                    72..86 => self.ask(who, day, &path, Capability::Update),
                    _ => {
                        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                        let folder = format!("{}/", folder.replacen("secret/data/", "secret/metadata/", 1));
                        self.ask(who, day, &folder, Capability::List);
                    }
                }
            }
            if self.random.chance(100)
                && let Some(service) = self.random.any(&team.services)
            {
                self.ask(
                    who,
                    day,
                    &format!("database/creds/{}-{}", team.name, service.name),
                    Capability::Read,
                );
            }
        }
    }

    /// Two operators look at whatever there is, a little every weekday.
    fn operators(&mut self, teams: &[Team]) {
        for n in 0..2 {
            let who = self.who(
                PrincipalKind::Entity,
                &format!("operator{n}"),
                &["operator"],
                Kind::Operator,
            );
            for day in 0..self.days {
                if self.weekday(day) >= 5 {
                    continue;
                }
                self.ask(&who, day, "sys/mounts", Capability::Read);
                self.ask(&who, day, "sys/health", Capability::Read);
                for _ in 0..self.random.range(0, 3) {
                    let Some(team) = self.random.any(teams) else { continue };
                    let paths = team.paths(day, 0);
                    let Some(path) = self.random.any(&paths).map(|p| (*p).to_owned()) else {
                        continue;
                    };
                    self.ask(&who, day, &path, Capability::Read);
                }
                if self.random.chance(150)
                    && let Some(team) = self.random.any(teams)
                    && let Some(service) = self.random.any(&team.services)
                {
                    let path = format!("auth/approle/role/{}-{}", team.name, service.name);
                    self.ask(&who, day, &path, Capability::Read);
                }
            }
        }
    }

    /// A few incidents a year, each a day of reading and changing what one team has.
    fn break_glass(&mut self, teams: &[Team]) {
        let who = self.who(PrincipalKind::Entity, "break-glass", &["break-glass"], Kind::BreakGlass);
        for _ in 0..self.random.range(2, 4) {
            let day = self.random.day(0, (self.days - 1).max(0));
            let Some(team) = self.random.any(teams) else { continue };
            for path in team.paths(day, 0).into_iter().take(12) {
                self.ask(&who, day, path, Capability::Read);
                if self.random.chance(400) {
                    self.ask(&who, day, path, Capability::Update);
                }
            }
        }
    }

    fn demands(&self) -> Vec<Demand> {
        let at = |day: i32, second: i64| Timestamp::from_second(i64::from(day) * 86_400 + second).ok();
        self.folded
            .iter()
            .map(|((who, path, capability), days)| Demand {
                principal: who.principal.clone(),
                namespace: Arc::from(""),
                path: Arc::from(path.as_str()),
                capability: *capability,
                mount_type: Arc::from(mount_type(path)),
                allowed: days.values().sum(),
                denied: 0,
                failed: 0,
                first_seen: days.keys().next().and_then(|&d| at(d, 8 * 3600)),
                last_seen: days.keys().next_back().and_then(|&d| at(d, 16 * 3600)),
                days: days.keys().copied().collect(),
                held: who.held.clone(),
                keys_always: BTreeSet::new(),
                keys_ever: BTreeSet::new(),
                granting: BTreeSet::new(),
                example: None,
            })
            .collect()
    }
}

/// The type of the mount that a path is on.
#[must_use]
pub fn mount_type(path: &str) -> &'static str {
    match path.split('/').next().unwrap_or_default() {
        "secret" | "kv-old" | "kv" => "kv",
        "database" => "database",
        "transit" => "transit",
        "pki" => "pki",
        "sys" => "system",
        "auth" if path.starts_with("auth/token/") => "token",
        "auth" => "approle",
        _ => "",
    }
}
