//! Companies that live by other rules than the one of teams: what is learned on one has to hold on another.

use super::{DEFAULT, Kind, Maker, Who};
use crate::vault::{Capability, PrincipalKind};
use std::collections::BTreeMap;

const ENGINES: [&str; 4] = ["database", "rabbitmq", "aws", "consul"];
const WORDS: [&str; 12] = [
    "config", "token", "tls", "admin", "smtp", "cache", "search", "oauth", "billing", "queue", "feature", "backup",
];

fn number(n: u64) -> usize {
    usize::try_from(n).unwrap_or(0)
}

fn word(n: u64) -> &'static str {
    WORDS.get(number(n) % WORDS.len()).copied().unwrap_or("config")
}

/// A cluster: two policies of one shape for each namespace of it, workers who come for a season, secrets that are renamed.
pub(super) fn cluster(maker: &mut Maker, teams: u64) -> BTreeMap<String, String> {
    let mut texts: BTreeMap<String, String> = BTreeMap::from([("default".to_owned(), DEFAULT.to_owned())]);
    for n in 0..teams * 4 {
        let ns = format!("{}{n}", word(n * 5));
        let engines: String = ENGINES
            .iter()
            .map(|e| format!("path \"{e}/creds/{ns}-*\" {{ capabilities = [\"read\"] }}\n"))
            .collect();
        texts.insert(
            format!("k8s-{ns}-app"),
            format!(
                "path \"secret/data/k8s/{ns}/*\" {{ capabilities = [\"read\", \"list\"] }}\n\
                 path \"secret/metadata/k8s/{ns}/*\" {{ capabilities = [\"read\", \"list\"] }}\n\
                 path \"transit/+/{ns}\" {{ capabilities = [\"update\"] }}\n\
                 path \"pki/issue/{ns}\" {{ capabilities = [\"create\", \"update\"] }}\n{engines}"
            ),
        );
        texts.insert(
            format!("k8s-{ns}-deploy"),
            format!(
                "path \"secret/data/k8s/{ns}/*\" {{ capabilities = [\"create\", \"read\", \"update\", \"patch\", \"delete\"] }}\n\
                 path \"secret/metadata/k8s/{ns}/*\" {{ capabilities = [\"read\", \"list\", \"delete\"] }}\n\
                 path \"auth/kubernetes/role/{ns}-*\" {{ capabilities = [\"read\", \"update\"] }}\n"
            ),
        );
        namespace(maker, &ns);
    }
    texts
}

fn namespace(maker: &mut Maker, ns: &str) {
    let days = maker.days;
    let app = format!("k8s-{ns}-app");
    let deploy = format!("k8s-{ns}-deploy");
    // A secret has its name until it gets another.
    let mut secrets: Vec<(String, i32, i32)> = Vec::new();
    for n in 0..maker.random.range(4, 14) {
        let path = format!("secret/data/k8s/{ns}/{}-{n}", word(n));
        if maker.random.chance(200) {
            let day = maker.random.day(1, (days - 1).max(1));
            secrets.push((path.clone(), 0, day));
            secrets.push((format!("{path}-v2"), day, days));
        } else {
            secrets.push((path, 0, days));
        }
    }
    let engines: Vec<&str> = ENGINES.iter().filter(|_| maker.random.chance(350)).copied().collect();
    let later = maker.random.chance(150).then(|| maker.random.day(1, (days - 1).max(1)));
    let issues = maker.random.chance(300);
    for n in 0..maker.random.range(1, 4) {
        let name = format!("{ns}-svc{n}");
        let who = maker.who(PrincipalKind::Role, &name, &[&app], Kind::Service);
        let mine: Vec<(String, i32, i32)> = secrets.iter().filter(|_| maker.random.chance(600)).cloned().collect();
        for day in 0..days {
            if maker.random.chance(50) {
                continue;
            }
            for (path, _, _) in mine.iter().filter(|(_, from, to)| (*from..*to).contains(&day)) {
                maker.ask(&who, day, path, Capability::Read);
            }
            for engine in &engines {
                maker.ask(&who, day, &format!("{engine}/creds/{ns}-app"), Capability::Read);
            }
            if later.is_some_and(|from| day >= from) {
                maker.ask(&who, day, &format!("rabbitmq/creds/{ns}-queue"), Capability::Read);
            }
            if issues && day % 30 == 3 {
                maker.ask(&who, day, &format!("pki/issue/{ns}"), Capability::Update);
            }
        }
    }
    // Workers of a season: many at once, for some weeks.
    let season = maker.random.day(0, (days - 1).max(0));
    for n in 0..maker.random.range(0, 5) {
        let name = format!("{ns}-worker{n}");
        let who = maker.who(PrincipalKind::Role, &name, &[&app], Kind::Newcomer);
        for day in season..(season + 35).min(days) {
            for (path, _, _) in secrets.iter().filter(|(_, from, to)| (*from..*to).contains(&day)) {
                if maker.random.chance(300) {
                    maker.ask(&who, day, path, Capability::Read);
                }
            }
            if maker.random.chance(200) {
                maker.ask(&who, day, &format!("transit/encrypt/{ns}"), Capability::Update);
            }
        }
    }
    let who = maker.who(PrincipalKind::Role, &format!("{ns}-deployer"), &[&deploy], Kind::Weekly);
    deploys(maker, &who, ns, &secrets);
}

fn deploys(maker: &mut Maker, who: &Who, ns: &str, secrets: &[(String, i32, i32)]) {
    let days = maker.days;
    for day in 0..days {
        for (path, from, to) in secrets {
            if *from == day && *from > 0 {
                maker.ask(who, day, path, Capability::Create);
            }
            if *to == day {
                maker.ask(who, day, path, Capability::Delete);
            }
            if (*from..*to).contains(&day) && maker.random.chance(12) {
                maker.ask(who, day, path, Capability::Read);
                maker.ask(who, day, path, Capability::Update);
            }
        }
        if day % 14 == 5 {
            maker.ask(who, day, &format!("secret/metadata/k8s/{ns}/"), Capability::List);
            maker.ask(who, day, &format!("auth/kubernetes/role/{ns}-app"), Capability::Read);
        }
    }
}

/// Steady services with jobs of a month and of a quarter, wide policies, and hardly any people.
pub(super) fn steady(maker: &mut Maker, teams: u64) -> BTreeMap<String, String> {
    let days = maker.days;
    let mut texts: BTreeMap<String, String> = BTreeMap::from([("default".to_owned(), DEFAULT.to_owned())]);
    for n in 0..teams * 5 {
        let app = format!("{}-{n}", word(n * 7));
        texts.insert(
            format!("app-{app}"),
            format!(
                "path \"kv/data/apps/{app}/*\" {{ capabilities = [\"create\", \"read\", \"update\", \"delete\"] }}\n\
                 path \"kv/metadata/apps/*\" {{ capabilities = [\"list\", \"read\"] }}\n\
                 path \"kv/data/common/*\" {{ capabilities = [\"read\"] }}\n\
                 path \"postgres/creds/*\" {{ capabilities = [\"read\"] }}\n\
                 path \"transit/encrypt/{app}\" {{ capabilities = [\"update\"] }}\n\
                 path \"transit/decrypt/{app}\" {{ capabilities = [\"update\"] }}\n"
            ),
        );
        let who = maker.who(PrincipalKind::Role, &app, &[&format!("app-{app}")], Kind::Service);
        let keys = maker.random.range(2, 10);
        let common: Vec<u64> = (0..20).filter(|_| maker.random.chance(150)).collect();
        let phase = maker.random.day(0, 90);
        let encrypts = maker.random.chance(400);
        let quarterly = maker.random.chance(500);
        let monthly = maker.random.chance(500);
        for day in 0..days {
            for key in 0..keys {
                maker.ask(
                    &who,
                    day,
                    &format!("kv/data/apps/{app}/{}", word(key)),
                    Capability::Read,
                );
            }
            for key in &common {
                maker.ask(
                    &who,
                    day,
                    &format!("kv/data/common/{}-{key}", word(*key)),
                    Capability::Read,
                );
            }
            maker.ask(&who, day, &format!("postgres/creds/{app}"), Capability::Read);
            if encrypts {
                maker.ask(&who, day, &format!("transit/encrypt/{app}"), Capability::Update);
            }
            if monthly && (day + phase) % 30 == 0 {
                maker.ask(&who, day, &format!("kv/data/apps/{app}/rotated"), Capability::Update);
                maker.ask(&who, day, "kv/metadata/apps/", Capability::List);
            }
            if quarterly && (day + phase) % 91 == 0 {
                for close in 0..4 {
                    let path = format!("kv/data/common/close-{close}");
                    maker.ask(&who, day, &path, Capability::Read);
                }
                maker.ask(&who, day, &format!("transit/decrypt/{app}"), Capability::Update);
            }
        }
    }
    texts
}

/// Few services, and many people who look at something else every day: operators, analysts, support.
pub(super) fn explorers(maker: &mut Maker, teams: u64) -> BTreeMap<String, String> {
    let days = maker.days;
    let mut texts: BTreeMap<String, String> = BTreeMap::from([("default".to_owned(), DEFAULT.to_owned())]);
    let customers = teams * 25;
    texts.insert(
        "support".to_owned(),
        "path \"kv/data/customers/*\" { capabilities = [\"read\", \"list\", \"update\"] }\n\
         path \"kv/metadata/customers/*\" { capabilities = [\"read\", \"list\", \"delete\"] }\n\
         path \"ssh/creds/+\" { capabilities = [\"update\", \"read\"] }\n"
            .to_owned(),
    );
    texts.insert(
        "platform".to_owned(),
        "path \"sys/policies/acl/*\" { capabilities = [\"create\", \"read\", \"update\", \"delete\", \"list\"] }\n\
         path \"auth/+/role/*\" { capabilities = [\"create\", \"read\", \"update\", \"delete\", \"list\"] }\n\
         path \"identity/*\" { capabilities = [\"create\", \"read\", \"update\", \"delete\", \"list\"] }\n\
         path \"kv/data/platform/*\" { capabilities = [\"create\", \"read\", \"update\", \"delete\"] }\n\
         path \"sys/leases/lookup/*\" { capabilities = [\"update\", \"list\", \"sudo\"] }\n\
         path \"sys/audit\" { capabilities = [\"read\", \"sudo\"] }\n"
            .to_owned(),
    );
    texts.insert(
        "agent".to_owned(),
        "path \"kv/data/customers/+/api\" { capabilities = [\"read\"] }\n\
         path \"kv/data/platform/agents/*\" { capabilities = [\"read\", \"update\"] }\n\
         path \"ssh/sign/agent\" { capabilities = [\"update\"] }\n"
            .to_owned(),
    );
    for n in 0..teams * 2 {
        let who = maker.who(
            PrincipalKind::Entity,
            &format!("support{n}"),
            &["support"],
            Kind::Person,
        );
        for day in 0..days {
            if maker.weekday(day) >= 5 {
                continue;
            }
            for _ in 0..maker.random.range(0, 5) {
                let customer = maker.random.range(0, customers);
                let path = format!("kv/data/customers/c{customer}/{}", word(maker.random.range(0, 2)));
                maker.ask(&who, day, &path, Capability::Read);
                if maker.random.chance(60) {
                    maker.ask(&who, day, &path, Capability::Update);
                }
            }
            if maker.random.chance(30) {
                let host = maker.random.range(0, 6);
                maker.ask(&who, day, &format!("ssh/creds/host{host}"), Capability::Update);
            }
        }
    }
    for n in 0..teams {
        let who = maker.who(
            PrincipalKind::Entity,
            &format!("platform{n}"),
            &["platform"],
            Kind::Operator,
        );
        for day in 0..days {
            if maker.weekday(day) >= 5 || maker.random.chance(300) {
                continue;
            }
            for _ in 0..maker.random.range(0, 3) {
                let role = maker.random.range(0, customers);
                match maker.random.range(0, 9) {
                    0..4 => maker.ask(&who, day, &format!("sys/policies/acl/p{role}"), Capability::Read),
                    4 => maker.ask(&who, day, &format!("sys/policies/acl/p{role}"), Capability::Update),
                    5..8 => maker.ask(&who, day, &format!("auth/approle/role/r{role}"), Capability::Read),
                    _ => maker.ask(&who, day, &format!("auth/jwt/role/r{role}"), Capability::Update),
                }
            }
            let path = format!("kv/data/platform/{}", word(maker.random.range(0, 5)));
            maker.ask(&who, day, &path, Capability::Read);
        }
    }
    for n in 0..teams * 3 {
        let who = maker.who(PrincipalKind::Role, &format!("agent{n}"), &["agent"], Kind::Service);
        for day in 0..days {
            for customer in (n..customers).step_by(number(teams * 3)) {
                maker.ask(
                    &who,
                    day,
                    &format!("kv/data/customers/c{customer}/api"),
                    Capability::Read,
                );
            }
            maker.ask(&who, day, &format!("kv/data/platform/agents/{n}"), Capability::Read);
        }
    }
    texts
}

/// Three services that do the same every day.
pub(super) fn small(maker: &mut Maker) -> BTreeMap<String, String> {
    let days = maker.days;
    let mut texts: BTreeMap<String, String> = BTreeMap::from([("default".to_owned(), DEFAULT.to_owned())]);
    for app in ["shop", "mail", "report"] {
        texts.insert(
            app.to_owned(),
            format!(
                "path \"secret/data/{app}/*\" {{ capabilities = [\"create\", \"read\", \"update\", \"delete\"] }}\n\
                 path \"secret/metadata/{app}/*\" {{ capabilities = [\"list\", \"read\", \"delete\"] }}\n\
                 path \"database/creds/{app}\" {{ capabilities = [\"read\"] }}\n\
                 path \"transit/encrypt/{app}\" {{ capabilities = [\"update\"] }}\n"
            ),
        );
        let who = maker.who(PrincipalKind::Role, app, &[app], Kind::Service);
        for day in 0..days {
            for key in 0..4 {
                maker.ask(&who, day, &format!("secret/data/{app}/{}", word(key)), Capability::Read);
            }
            maker.ask(&who, day, &format!("database/creds/{app}"), Capability::Read);
        }
    }
    texts
}
