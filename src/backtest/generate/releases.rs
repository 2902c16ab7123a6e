//! A company that releases: each release of a service logs in by a name of its own for some weeks, pipelines build on weekdays, roots of
//! databases are rotated once a quarter, and whoever is on call looks where it burns.

use super::{DEFAULT, Kind, Maker, Who};
use crate::vault::{Capability, PrincipalKind};
use std::collections::BTreeMap;

const TOOLS: [&str; 8] = [
    "registry",
    "sonar",
    "signing",
    "npm",
    "maven",
    "slack",
    "snyk",
    "artifacts",
];
const KEYS: [&str; 10] = [
    "dsn", "tls", "session", "mailer", "search", "oauth", "metrics", "queue", "licence", "flags",
];

/// A team with the services that it releases.
struct Team {
    name: String,
    services: u64,
}

pub(super) fn releases(maker: &mut Maker, teams: u64) -> BTreeMap<String, String> {
    let mut texts: BTreeMap<String, String> = BTreeMap::from([("default".to_owned(), DEFAULT.to_owned())]);
    let teams: Vec<Team> = (0..teams * 2)
        .map(|n| Team {
            name: format!("t{n}"),
            services: maker.random.range(1, 4),
        })
        .collect();
    for team in &teams {
        let name = &team.name;
        texts.insert(
            format!("app-{name}"),
            format!(
                "path \"secret/data/{name}/*\" {{ capabilities = [\"read\", \"list\"] }}\n\
                 path \"secret/metadata/{name}/*\" {{ capabilities = [\"read\", \"list\"] }}\n\
                 path \"database/creds/{name}-*\" {{ capabilities = [\"read\"] }}\n\
                 path \"transit/+/{name}\" {{ capabilities = [\"update\"] }}\n\
                 path \"totp/code/{name}\" {{ capabilities = [\"read\", \"update\"] }}\n"
            ),
        );
        texts.insert(
            format!("ci-{name}"),
            format!(
                "path \"secret/data/{name}/ci/*\" {{ capabilities = [\"create\", \"read\", \"update\", \"delete\"] }}\n\
                 path \"secret/data/{name}/+/deploy\" {{ capabilities = [\"create\", \"read\", \"update\"] }}\n\
                 path \"secret/metadata/{name}/*\" {{ capabilities = [\"read\", \"list\", \"delete\"] }}\n\
                 path \"aws/creds/{name}-*\" {{ capabilities = [\"read\"] }}\n\
                 path \"aws/sts/{name}-*\" {{ capabilities = [\"read\", \"update\"] }}\n\
                 path \"pki/sign/{name}\" {{ capabilities = [\"create\", \"update\"] }}\n"
            ),
        );
        for service in 0..team.services {
            trains(maker, team, service);
        }
        pipelines(maker, team);
    }
    databases(maker, &teams, &mut texts);
    on_call(maker, &teams, &mut texts);
    texts
}

/// The releases of a service: each reads what the one before it read, but for a key that came and one that went.
fn trains(maker: &mut Maker, team: &Team, service: u64) {
    let name = &team.name;
    let mut keys: Vec<String> = (0..maker.random.range(2, 6)).map(key).collect();
    let encrypts = maker.random.chance(300);
    let (mut begun, mut n) = (-maker.random.day(0, 20), 0);
    while begun < maker.days {
        let next = begun + maker.random.day(9, 24);
        let who = maker.who(
            PrincipalKind::Role,
            &format!("{name}-s{service}-v{n}"),
            &[&format!("app-{name}")],
            Kind::Newcomer,
        );
        for day in begun.max(0)..(next + 3).min(maker.days) {
            for key in &keys {
                maker.ask(
                    &who,
                    day,
                    &format!("secret/data/{name}/s{service}/{key}"),
                    Capability::Read,
                );
            }
            maker.ask(
                &who,
                day,
                &format!("database/creds/{name}-s{service}"),
                Capability::Read,
            );
            if encrypts {
                maker.ask(&who, day, &format!("transit/encrypt/{name}"), Capability::Update);
            }
        }
        if maker.random.chance(250) {
            keys.push(format!("{}-{n}", key(maker.random.range(0, 9))));
        }
        if maker.random.chance(120) && keys.len() > 2 {
            keys.remove(0);
        }
        (begun, n) = (next, n + 1);
    }
}

fn key(n: u64) -> String {
    let known = usize::try_from(n).ok().and_then(|n| KEYS.get(n % KEYS.len()));
    (*known.unwrap_or(&"dsn")).to_owned()
}

/// The pipelines of a team: what a build reads, and what a deployment writes.
fn pipelines(maker: &mut Maker, team: &Team) {
    let name = &team.name;
    for service in 0..team.services {
        let who = maker.who(
            PrincipalKind::Role,
            &format!("{name}-s{service}-ci"),
            &[&format!("ci-{name}")],
            Kind::Service,
        );
        let tools: Vec<&str> = TOOLS.iter().filter(|_| maker.random.chance(500)).copied().collect();
        let busy = maker.random.range(150, 900);
        let signs = maker.random.chance(250);
        for day in 0..maker.days {
            if maker.weekday(day) >= 5 || !maker.random.chance(busy) {
                continue;
            }
            for tool in &tools {
                maker.ask(&who, day, &format!("secret/data/{name}/ci/{tool}"), Capability::Read);
            }
            if maker.random.chance(300) {
                deploys(maker, &who, day, (name, service));
            }
            if signs && maker.random.chance(60) {
                maker.ask(&who, day, &format!("pki/sign/{name}"), Capability::Update);
            }
            if maker.random.chance(8) {
                maker.ask(
                    &who,
                    day,
                    &format!("secret/data/{name}/ci/{}", key(service)),
                    Capability::Update,
                );
            }
        }
    }
}

fn deploys(maker: &mut Maker, who: &Who, day: i32, (name, service): (&str, u64)) {
    let path = format!("secret/data/{name}/s{service}/deploy");
    maker.ask(who, day, &path, Capability::Read);
    maker.ask(who, day, &path, Capability::Update);
    maker.ask(who, day, &format!("aws/creds/{name}-s{service}"), Capability::Read);
}

/// Two who look after databases: once a quarter all roots are rotated, over a week; a few roles are looked at every month.
fn databases(maker: &mut Maker, teams: &[Team], texts: &mut BTreeMap<String, String>) {
    texts.insert(
        "databases".to_owned(),
        "path \"database/config/*\" { capabilities = [\"create\", \"read\", \"update\", \"delete\", \"list\"] }\n\
         path \"database/roles/*\" { capabilities = [\"create\", \"read\", \"update\", \"delete\", \"list\"] }\n\
         path \"database/rotate-root/*\" { capabilities = [\"update\"] }\n\
         path \"sys/leases/revoke-prefix/*\" { capabilities = [\"update\", \"sudo\"] }\n"
            .to_owned(),
    );
    let keepers: Vec<Who> = (0..2)
        .map(|n| {
            maker.who(
                PrincipalKind::Entity,
                &format!("keeper{n}"),
                &["databases"],
                Kind::Quarterly,
            )
        })
        .collect();
    let phase = maker.random.day(0, 60);
    for (n, team) in teams.iter().enumerate() {
        let name = &team.name;
        let turn = i32::try_from(n % 5).unwrap_or(0);
        for day in (phase + turn..maker.days).step_by(91) {
            let Some(who) = maker.random.any(&keepers).cloned() else {
                continue;
            };
            maker.ask(&who, day, &format!("database/rotate-root/{name}"), Capability::Update);
            maker.ask(&who, day, &format!("database/config/{name}"), Capability::Read);
        }
        for day in (turn..maker.days).step_by(30) {
            let Some(who) = maker.random.any(&keepers).cloned() else {
                continue;
            };
            if maker.random.chance(400) {
                let service = maker.random.range(0, team.services - 1);
                let role = format!("database/roles/{name}-s{service}");
                maker.ask(&who, day, &role, Capability::Read);
                if maker.random.chance(200) {
                    maker.ask(&who, day, &role, Capability::Update);
                }
            }
        }
    }
}

/// One of several is on call for a week, and looks into what burns.
fn on_call(maker: &mut Maker, teams: &[Team], texts: &mut BTreeMap<String, String>) {
    texts.insert(
        "oncall".to_owned(),
        "path \"secret/data/+/+/runtime\" { capabilities = [\"read\", \"update\"] }\n\
         path \"secret/metadata/*\" { capabilities = [\"list\", \"read\"] }\n\
         path \"database/creds/readonly-*\" { capabilities = [\"read\"] }\n\
         path \"sys/leases/lookup/*\" { capabilities = [\"update\", \"list\", \"sudo\"] }\n\
         path \"identity/entity/*\" { capabilities = [\"read\", \"list\", \"update\"] }\n"
            .to_owned(),
    );
    let people: Vec<Who> = (0..6)
        .map(|n| maker.who(PrincipalKind::Entity, &format!("oncall{n}"), &["oncall"], Kind::Person))
        .collect();
    for day in 0..maker.days {
        let week = usize::try_from(day / 7).unwrap_or(0);
        let Some(who) = people.get(week % people.len().max(1)).cloned() else {
            continue;
        };
        if !maker.random.chance(180) {
            continue;
        }
        for _ in 0..maker.random.range(1, 3) {
            let Some((name, services)) = maker.random.any(teams).map(|team| (team.name.clone(), team.services)) else {
                continue;
            };
            let service = maker.random.range(0, services - 1);
            maker.ask(&who, day, &format!("database/creds/readonly-{name}"), Capability::Read);
            maker.ask(
                &who,
                day,
                &format!("secret/data/{name}/s{service}/runtime"),
                Capability::Read,
            );
            if maker.random.chance(150) {
                maker.ask(&who, day, &format!("secret/metadata/{name}/"), Capability::List);
            }
        }
    }
}
