//! A company whose roles are known: each holder has one or two of ten, and today's policies, one for each domain, know nothing of them.

use super::{DEFAULT, Kind, Maker};
use crate::vault::{Capability, PrincipalKind};
use std::collections::{BTreeMap, BTreeSet};

/// A role that was planted: who has it, and what it is for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlantedRole {
    /// Ids of its holders.
    pub holders: BTreeSet<String>,
    /// Its areas: what their paths begin with.
    pub areas: BTreeSet<String>,
}

/// Ten roles.
const ROLES: usize = 10;
const DOMAINS: [&str; 4] = ["shop", "finance", "platform", "research"];
const AREAS: [&str; 6] = ["orders", "stock", "mail", "ledger", "models", "edge"];
const KEYS: [&str; 6] = ["dsn", "tls", "token", "smtp", "bucket", "license"];

/// An area with its keys, and whether the role writes there.
#[derive(Clone)]
struct Area {
    domain: &'static str,
    name: &'static str,
    keys: usize,
    writes: bool,
}

impl Area {
    fn lead(&self) -> String {
        format!("secret/data/{}/{}/", self.domain, self.name)
    }
}

/// The texts, and the roles.
pub(super) fn planted(maker: &mut Maker, teams: u64) -> (BTreeMap<String, String>, Vec<PlantedRole>) {
    let mut texts = BTreeMap::from([("default".to_owned(), DEFAULT.to_owned())]);
    for domain in DOMAINS {
        texts.insert(
            format!("{domain}-all"),
            format!(
                "path \"secret/data/{domain}/*\" {{ capabilities = [\"create\", \"read\", \"update\", \"delete\"] }}\n\
                 path \"secret/metadata/{domain}/*\" {{ capabilities = [\"read\", \"list\", \"delete\"] }}\n"
            ),
        );
    }
    let mut free: Vec<Area> = DOMAINS
        .iter()
        .flat_map(|domain| AREAS.iter().map(move |name| (*domain, *name)))
        .map(|(domain, name)| Area {
            domain,
            name,
            keys: 3,
            writes: false,
        })
        .collect();
    maker.random.0.shuffle(&mut free);
    let mut roles: Vec<(Vec<Area>, PlantedRole)> = (0..ROLES).map(|_| (Vec::new(), PlantedRole::default())).collect();
    for (n, mut area) in free.into_iter().enumerate() {
        area.keys = usize::try_from(maker.random.range(3, 6)).unwrap_or(3);
        area.writes = maker.random.chance(400);
        if let Some((areas, role)) = roles.get_mut(n % ROLES) {
            role.areas.insert(area.lead());
            areas.push(area);
        }
    }
    let numbers: Vec<usize> = (0..ROLES).collect();
    for n in 0..teams * 12 {
        let mut mine: BTreeSet<usize> = maker.random.any(&numbers).copied().into_iter().collect();
        if maker.random.chance(400) {
            mine.extend(maker.random.any(&numbers).copied());
        }
        let areas: Vec<Area> = mine
            .iter()
            .filter_map(|&role| roles.get(role))
            .flat_map(|(areas, _)| areas.clone())
            .collect();
        let domains: BTreeSet<String> = areas.iter().map(|area| format!("{}-all", area.domain)).collect();
        let domains: Vec<&str> = domains.iter().map(String::as_str).collect();
        let who = maker.who(PrincipalKind::Entity, &format!("person{n}"), &domains, Kind::Person);
        for role in mine {
            if let Some((_, planted)) = roles.get_mut(role) {
                planted.holders.insert(who.principal.id.to_string());
            }
        }
        for day in 0..maker.days {
            if maker.weekday(day) >= 5 || !maker.random.chance(700) {
                continue;
            }
            for _ in 0..maker.random.range(1, 3) {
                let Some(area) = maker.random.any(&areas).cloned() else {
                    continue;
                };
                let keys = KEYS.get(..area.keys).unwrap_or(&KEYS);
                let Some(key) = maker.random.any(keys) else { continue };
                let path = format!("{}{key}", area.lead());
                maker.ask(&who, day, &path, Capability::Read);
                if area.writes && maker.random.chance(300) {
                    maker.ask(&who, day, &path, Capability::Update);
                }
                if maker.random.chance(100) {
                    let folder = format!("secret/metadata/{}/{}/", area.domain, area.name);
                    maker.ask(&who, day, &folder, Capability::List);
                }
            }
        }
    }
    (texts, roles.into_iter().map(|(_, role)| role).collect())
}
