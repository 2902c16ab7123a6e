//! Companies in which much changes: services are cloned and moved, staff turns over, features are rolled out to all at once.

use super::{DEFAULT, Kind, Maker, Who};
use crate::vault::{Capability, PrincipalKind};
use std::collections::BTreeMap;
use std::fmt::Write;

const APPS: [&str; 10] = [
    "checkout", "pricing", "stock", "mailer", "reviews", "search", "basket", "profile", "refunds", "labels",
];
const KEYS: [&str; 9] = [
    "dsn", "hmac", "smtp", "session", "partner", "sentry", "redis", "kafka", "webhook",
];

fn texts() -> BTreeMap<String, String> {
    BTreeMap::from([("default".to_owned(), DEFAULT.to_owned())])
}

fn stanza(path: &str, capabilities: &[&str]) -> String {
    let words: Vec<String> = capabilities.iter().map(|c| format!("\"{c}\"")).collect();
    format!("path \"{path}\" {{ capabilities = [{}] }}\n", words.join(", "))
}

fn pick<'a>(list: &[&'a str], n: u64) -> &'a str {
    let len = list.len().max(1) as u64;
    let at = usize::try_from(n % len).unwrap_or(0);
    list.get(at).copied().unwrap_or("app")
}

/// A company that grows: each service is a clone of a template and gets its policy long before it runs. All of them move from an
/// old mount to a new one in the course of some weeks, and engineers on call look at whatever had an incident.
pub(super) fn growth(maker: &mut Maker, teams: u64) -> BTreeMap<String, String> {
    let mut texts = texts();
    let last = (maker.days - 1).max(1);
    let services: Vec<String> = (0..teams * 5).map(|n| format!("{}{n}", pick(&APPS, n * 3))).collect();
    let wave = maker.random.day(last / 5, last);
    for name in &services {
        let text = stanza(&format!("kv/{name}/*"), &["read", "list"])
            + &stanza(&format!("secret/data/{name}/*"), &["read", "list"])
            + &stanza(&format!("secret/metadata/{name}/*"), &["read", "list"])
            + &stanza(&format!("database/creds/{name}-+"), &["read"])
            + &stanza(&format!("transit/sign/{name}"), &["update"])
            + &stanza(&format!("pki/issue/{name}"), &["update"]);
        texts.insert(format!("svc-{name}"), text);
        clone_of_template(maker, name, wave);
    }
    let on_call = stanza("secret/*", &["create", "read", "update", "delete", "list"])
        + &stanza("kv/*", &["read", "list"])
        + &stanza("database/creds/*", &["read"])
        + &stanza("sys/leases/*", &["update", "list"])
        + &stanza("pki/revoke", &["update"]);
    texts.insert("on-call".to_owned(), on_call);
    let people: Vec<Who> = (0..teams + 2)
        .map(|n| {
            maker.who(
                PrincipalKind::Entity,
                &format!("engineer{n}"),
                &["on-call"],
                Kind::Operator,
            )
        })
        .collect();
    for day in 0..maker.days {
        if maker.random.chance(45) {
            incident(maker, day, &services, &people);
        }
    }
    texts
}

fn clone_of_template(maker: &mut Maker, name: &str, wave: i32) {
    let last = (maker.days - 1).max(1);
    let policy = format!("svc-{name}");
    // A third of them begins later, some never within these days.
    let since = if maker.random.chance(330) {
        maker.random.day(1, last * 5 / 4)
    } else {
        0
    };
    let moves = wave + maker.random.day(0, 30);
    let keys = maker.random.range(2, 8);
    let signs = maker.random.chance(250);
    let replicas = maker.random.range(1, 3);
    let mut added = 0;
    for n in 0..replicas {
        let who = maker.who(PrincipalKind::Role, &format!("{name}-{n}"), &[&policy], Kind::Service);
        for day in since.max(0)..maker.days {
            if n == 0 && maker.random.chance(8) {
                added += 1;
            }
            for key in 0..keys + added {
                let key = format!("{}{}", pick(&KEYS, key), if key < 9 { "" } else { "-2" });
                let path = if day < moves {
                    format!("kv/{name}/{key}")
                } else {
                    format!("secret/data/{name}/{key}")
                };
                maker.ask(&who, day, &path, Capability::Read);
            }
            maker.ask(&who, day, &format!("database/creds/{name}-rw"), Capability::Read);
            if signs {
                maker.ask(&who, day, &format!("transit/sign/{name}"), Capability::Update);
            }
            if (day - since) % 45 == 0 {
                maker.ask(&who, day, &format!("pki/issue/{name}"), Capability::Update);
            }
        }
    }
}

/// Three people look, for a day or three, at what one service has; at times they change it.
fn incident(maker: &mut Maker, day: i32, services: &[String], people: &[Who]) {
    let Some(service) = maker.random.any(services).cloned() else {
        return;
    };
    let rotates = maker.random.chance(300);
    for _ in 0..3 {
        let Some(who) = maker.random.any(people).cloned() else {
            continue;
        };
        for on in day..day + maker.random.day(1, 3) {
            for n in 0..maker.random.range(2, 5) {
                maker.ask(
                    &who,
                    on,
                    &format!("secret/data/{service}/{}", pick(&KEYS, n)),
                    Capability::Read,
                );
            }
            maker.ask(&who, on, &format!("secret/metadata/{service}/"), Capability::List);
            maker.ask(&who, on, &format!("database/creds/{service}-ro"), Capability::Read);
            if rotates {
                maker.ask(&who, on, &format!("secret/data/{service}/dsn"), Capability::Update);
                maker.ask(
                    &who,
                    on,
                    &format!("sys/leases/revoke-prefix/database/creds/{service}-rw"),
                    Capability::Update,
                );
            }
        }
    }
}

/// Departments: staff leaves and hands its tasks over, books are closed every month and quarter, releases have paths of their own,
/// and what is dangerous is done seldom.
pub(super) fn turnover(maker: &mut Maker, teams: u64) -> BTreeMap<String, String> {
    let mut texts = texts();
    for n in 0..teams * 2 {
        let dept = format!("dept{n}");
        let staff = stanza(
            &format!("kv/data/{dept}/*"),
            &["create", "read", "update", "patch", "delete"],
        ) + &stanza(&format!("kv/metadata/{dept}/*"), &["read", "list", "delete"])
            + &stanza(&format!("ssh/sign/{dept}"), &["update"])
            + &stanza("kv/data/handbook/*", &["read"]);
        texts.insert(format!("{dept}-staff"), staff);
        let pipeline = stanza(&format!("kv/data/{dept}/*"), &["create", "read", "update"])
            + &stanza(
                &format!("kv/data/releases/{dept}/*"),
                &["create", "read", "update", "delete"],
            )
            + &stanza(&format!("aws/sts/{dept}-*"), &["read", "update"]);
        texts.insert(format!("{dept}-pipeline"), pipeline);
        let books = stanza(&format!("kv/data/{dept}/*"), &["read", "list"])
            + &stanza("kv/data/ledger/*", &["create", "read", "update"])
            + &stanza("transit/+/ledger", &["update"]);
        texts.insert(format!("{dept}-books"), books);
        let tasks: Vec<Vec<String>> = (0..4)
            .map(|task| {
                let keys = maker.random.range(2, 6);
                (0..keys)
                    .map(|key| format!("kv/data/{dept}/task{task}/{}", pick(&KEYS, key)))
                    .collect()
            })
            .collect();
        staff_of(maker, &dept, &tasks);
        pipelines(maker, &dept, &tasks);
        closes(maker, &dept, &tasks);
    }
    texts
}

/// A task has somebody who does it; on a day it is handed over, with a fortnight in which both do it.
fn staff_of(maker: &mut Maker, dept: &str, tasks: &[Vec<String>]) {
    let policy = format!("{dept}-staff");
    let mut number = 0;
    for paths in tasks {
        let mut from = 0;
        while from < maker.days {
            let to = from + maker.random.day(90, 500);
            let kind = if from > 0 { Kind::Newcomer } else { Kind::Person };
            let who = maker.who(
                PrincipalKind::Entity,
                &format!("{dept}-staff{number}"),
                &[&policy],
                kind,
            );
            number += 1;
            for day in (from - 14).max(0)..to {
                if maker.weekday(day) >= 5 || maker.random.chance(350) {
                    continue;
                }
                let Some(path) = maker.random.often(paths).cloned() else {
                    continue;
                };
                maker.ask(&who, day, &path, Capability::Read);
                if maker.random.chance(120) {
                    maker.ask(&who, day, &path, Capability::Update);
                }
                if maker.random.chance(6) {
                    maker.ask(&who, day, &path, Capability::Delete);
                }
                if maker.random.chance(25) {
                    let page = maker.random.range(0, 60);
                    maker.ask(&who, day, &format!("kv/data/handbook/page{page}"), Capability::Read);
                }
                if maker.random.chance(15) {
                    maker.ask(&who, day, &format!("ssh/sign/{dept}"), Capability::Update);
                }
            }
            from = to;
        }
    }
}

/// A release every one to three weeks: it writes below a folder of its own, and the one before the last goes.
fn pipelines(maker: &mut Maker, dept: &str, tasks: &[Vec<String>]) {
    let who = maker.who(
        PrincipalKind::Role,
        &format!("{dept}-ci"),
        &[&format!("{dept}-pipeline")],
        Kind::Weekly,
    );
    let mut day = maker.random.day(0, 20);
    let every = maker.random.day(7, 21);
    let mut release = 0;
    while day < maker.days {
        let folder = |n: i32| format!("kv/data/releases/{dept}/r{n}/manifest");
        maker.ask(&who, day, &folder(release), Capability::Create);
        maker.ask(&who, day, &folder(release - 1), Capability::Read);
        if release >= 2 && maker.random.chance(500) {
            maker.ask(&who, day, &folder(release - 2), Capability::Delete);
        }
        for path in tasks.iter().filter_map(|t| t.first()) {
            maker.ask(&who, day, path, Capability::Read);
        }
        maker.ask(&who, day, &format!("aws/sts/{dept}-deploy"), Capability::Update);
        day += every + maker.random.day(-2, 2);
        release += 1;
    }
}

/// Books are closed on the first days of a month, and of a quarter with more.
fn closes(maker: &mut Maker, dept: &str, tasks: &[Vec<String>]) {
    let policy = format!("{dept}-books");
    let who = maker.who(PrincipalKind::Role, &format!("{dept}-books"), &[&policy], Kind::Monthly);
    let encrypts = maker.random.chance(500);
    for day in 0..maker.days {
        let (in_month, month) = (day % 30, day / 30);
        if in_month >= 2 {
            continue;
        }
        for path in tasks.iter().flatten().step_by(2) {
            maker.ask(&who, day, path, Capability::Read);
        }
        maker.ask(
            &who,
            day,
            &format!("kv/data/ledger/{dept}/month{month}"),
            Capability::Create,
        );
        if month % 3 == 2 {
            maker.ask(&who, day, &format!("kv/data/ledger/{dept}/quarter"), Capability::Update);
            maker.ask(&who, day, &format!("kv/data/{dept}/"), Capability::List);
            if encrypts {
                maker.ask(&who, day, "transit/encrypt/ledger", Capability::Update);
            }
        }
    }
}

/// Tenants of a platform come one after the other; a feature is rolled out to all services of a tier at once; support is on duty by
/// weeks; scanners look at everything once in a while; half of the staging world sleeps.
pub(super) fn rollout(maker: &mut Maker, teams: u64) -> BTreeMap<String, String> {
    const FEATURES: [&str; 5] = ["totp/code", "transit/hmac", "consul/creds", "nomad/creds", "ssh/issue"];
    let mut texts = texts();
    let last = (maker.days - 1).max(1);
    let tiers = 3;
    // For each tier and feature: from the beginning, from some day on, or never.
    let since: Vec<Option<i32>> = (0..tiers * FEATURES.len())
        .map(|_| match maker.random.range(0, 99) {
            0..25 => Some(0),
            25..50 => Some(maker.random.day(1, last)),
            _ => None,
        })
        .collect();
    for n in 0..usize::try_from(teams * 4).unwrap_or(8) {
        let (tier, name) = (n % tiers, format!("{}-{n}", pick(&APPS, n as u64 * 7)));
        for env in ["prod", "staging"] {
            let mut text = stanza(&format!("secret/data/{env}/{name}/*"), &["read", "update", "list"])
                + &stanza(&format!("secret/metadata/{env}/{name}/*"), &["list", "read"]);
            for feature in FEATURES {
                let _ = writeln!(
                    text,
                    "path \"{feature}/{env}-{name}\" {{ capabilities = [\"read\", \"update\"] }}"
                );
            }
            texts.insert(format!("{env}-{name}"), text);
            let who = maker.who(
                PrincipalKind::Role,
                &format!("{name}-{env}"),
                &[&format!("{env}-{name}")],
                Kind::Service,
            );
            let busy = if env == "prod" {
                990
            } else {
                maker.random.range(0, 1) * 300
            };
            let keys = maker.random.range(2, 7);
            for day in 0..maker.days {
                if !maker.random.chance(busy) {
                    continue;
                }
                for key in 0..keys {
                    maker.ask(
                        &who,
                        day,
                        &format!("secret/data/{env}/{name}/{}", pick(&KEYS, key)),
                        Capability::Read,
                    );
                }
                for (f, feature) in FEATURES.iter().enumerate() {
                    let from = since.get(tier * FEATURES.len() + f).copied().flatten();
                    if from.is_some_and(|from| day >= from) {
                        maker.ask(&who, day, &format!("{feature}/{env}-{name}"), Capability::Update);
                    }
                }
                if maker.random.chance(10) {
                    maker.ask(&who, day, &format!("secret/data/{env}/{name}/dsn"), Capability::Update);
                }
            }
        }
    }
    tenants(maker, teams, &mut texts);
    texts
}

fn tenants(maker: &mut Maker, teams: u64, texts: &mut BTreeMap<String, String>) {
    let gateway =
        stanza("kv/data/tenants/+/keys", &["read", "update"]) + &stanza("kv/data/tenants/+/billing", &["read"]);
    texts.insert("gateway".to_owned(), gateway);
    let support = stanza("kv/data/tenants/*", &["create", "read", "update", "delete", "list"])
        + &stanza("kv/metadata/tenants/*", &["read", "list", "delete"]);
    texts.insert("support".to_owned(), support);
    let scan = stanza("sys/policies/acl/*", &["read", "list"])
        + &stanza("kv/metadata/*", &["read", "list"])
        + &stanza("identity/*", &["read", "list"])
        + &stanza("sys/mounts", &["read"]);
    texts.insert("scanner".to_owned(), scan);
    let gateways: Vec<Who> = (0..3)
        .map(|n| maker.who(PrincipalKind::Role, &format!("gateway{n}"), &["gateway"], Kind::Service))
        .collect();
    let duty: Vec<Who> = (0..teams + 1)
        .map(|n| {
            maker.who(
                PrincipalKind::Entity,
                &format!("support{n}"),
                &["support"],
                Kind::Person,
            )
        })
        .collect();
    let scanner = maker.who(PrincipalKind::Role, "scanner", &["scanner"], Kind::Monthly);
    let mut count = 10 + teams * 2;
    for day in 0..maker.days {
        if maker.random.chance(120) {
            count += 1;
            if let Some(who) = maker.random.any(&duty).cloned() {
                maker.ask(&who, day, &format!("kv/data/tenants/t{count}/keys"), Capability::Create);
                maker.ask(
                    &who,
                    day,
                    &format!("kv/data/tenants/t{count}/billing"),
                    Capability::Create,
                );
            }
        }
        for tenant in 0..count {
            for who in &gateways {
                maker.ask(who, day, &format!("kv/data/tenants/t{tenant}/keys"), Capability::Read);
            }
        }
        let on_duty = duty
            .get(usize::try_from(day / 7).unwrap_or(0) % duty.len().max(1))
            .cloned();
        if let Some(who) = on_duty.filter(|_| maker.weekday(day) < 5) {
            for _ in 0..maker.random.range(0, 3) {
                let tenant = maker.random.range(0, count);
                maker.ask(
                    &who,
                    day,
                    &format!("kv/data/tenants/t{tenant}/billing"),
                    Capability::Read,
                );
                if maker.random.chance(50) {
                    maker.ask(
                        &who,
                        day,
                        &format!("kv/data/tenants/t{tenant}/keys"),
                        Capability::Update,
                    );
                }
            }
        }
        if day % 28 == 9 {
            for n in 0..8 {
                maker.ask(
                    &scanner,
                    day,
                    &format!("sys/policies/acl/p{}", n + day / 28),
                    Capability::Read,
                );
            }
            maker.ask(&scanner, day, "sys/mounts", Capability::Read);
            maker.ask(&scanner, day, "kv/metadata/", Capability::List);
        }
    }
}
