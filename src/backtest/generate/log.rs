//! A year as a server would log it: a request and a response entry for every day of every demand.

use super::Year;
use crate::vault::PrincipalKind;
use serde_json::json;
use std::collections::BTreeSet;
use std::io::{self, Write};

/// Writes the log; the same year gives the same bytes.
///
/// # Errors
/// Where it cannot be written.
pub fn write(year: &Year, log: &mut impl Write) -> io::Result<()> {
    let mut days: BTreeSet<(i32, usize)> = BTreeSet::new();
    for (n, demand) in year.demands.iter().enumerate() {
        days.extend(demand.days.iter().map(|day| (*day, n)));
    }
    for (number, (day, n)) in days.into_iter().enumerate() {
        let Some(demand) = year.demands.get(n) else { continue };
        let second = i64::from(day) * 86_400 + 8 * 3600 + i64::try_from(n % 28_000).unwrap_or(0);
        let at = jiff::Timestamp::from_second(second).map_err(io::Error::other)?;
        let who = &demand.principal;
        let (entity, role) = match who.kind {
            PrincipalKind::Entity => (&*who.id, ""),
            _ => ("", &*who.name),
        };
        let mut entry = json!({
            "time": at.to_string(),
            "type": "request",
            "auth": {
                "accessor": format!("hmac-sha256:{n:064x}"),
                "display_name": &*who.name,
                "entity_id": entity,
                "metadata": {"role_name": role},
                "policies": &*demand.held.own,
                "token_policies": &*demand.held.own,
                "token_type": "service",
                "policy_results": {"allowed": true},
            },
            "request": {
                "id": format!("{number:032x}"),
                "operation": demand.capability.as_str(),
                "mount_type": &*demand.mount_type,
                "namespace": {"id": "root"},
                "path": &*demand.path,
                "remote_address": "10.0.0.1",
            },
        });
        writeln!(log, "{entry}")?;
        if let Some(entry) = entry.as_object_mut() {
            entry.insert("type".to_owned(), json!("response"));
            entry.insert("response".to_owned(), json!({}));
        }
        writeln!(log, "{entry}")?;
    }
    Ok(())
}
