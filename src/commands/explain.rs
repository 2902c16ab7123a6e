//! `explain`: one decision told in words.

use super::{Exit, Failure, Talk, holders};
use crate::cli::{ExplainArgs, TextOrJson};
use crate::policy::acl::Request;
use crate::policy::constraints::Data;
use crate::policy::explain::{Question, explain};
use crate::policy::model::Policy;
use crate::policy::profile::Profile;
use crate::policy::template::Identity;
use crate::report::escape;
use crate::units;
use crate::vault::{Operation, protected};
use serde_json::Value;
use std::io::Write;

/// Decides and tells.
pub(super) fn run(args: &ExplainArgs, profile: Profile, out: &mut dyn Write, talk: &Talk) -> Result<Exit, Failure> {
    let (joined, deployment) = holders::joined(&args.granting, &args.reading, profile, talk)?;
    let operation = Operation::from_word(&args.operation);
    if operation == Operation::Other {
        return Err(Failure::new(
            format!("`{}` is no operation", args.operation),
            Some("use create, read, update, patch, delete, list, scan or help"),
        ));
    }
    let mut identity = Identity::default();
    let chosen: Vec<&Policy> = match &args.asking.principal {
        Some(name) => {
            let number = find(&joined, name)?;
            let set = joined.current_set(number);
            identity = joined
                .holders
                .get(number)
                .map(|h| h.identity.clone())
                .unwrap_or_default();
            for missing in set.into_iter().flat_map(|s| &s.missing) {
                talk.warn(&format!(
                    "policy `{missing}` of `{name}` was not read: the answer leaves it out"
                ));
            }
            set.into_iter()
                .flat_map(|s| &s.policies)
                .filter_map(|&p| joined.policies.get(p))
                .collect()
        }
        None => {
            if args.asking.as_policies.is_empty() {
                return Err(Failure::new(
                    "nobody asks: neither `--as` nor `--principal` is given",
                    Some("name policies (`--as web,default`) or a principal (`--principal app-web`)"),
                ));
            }
            let mut chosen = Vec::new();
            for name in &args.asking.as_policies {
                let wanted = name.trim().to_lowercase();
                let found = joined.policies.iter().find(|p| *p.name == *wanted);
                chosen.push(found.ok_or_else(|| no_policy(&wanted, &joined.policies))?);
            }
            chosen
        }
    };
    let data = parameters(&args.data)?;
    let wrap_ttl_ns = args
        .wrap_ttl
        .as_deref()
        .map(units::duration)
        .transpose()
        .map_err(|e| Failure::from_error(&e, None))?
        .and_then(|d| i64::try_from(d.as_nanos()).ok());
    let mount_type = deployment
        .iter()
        .flat_map(|d| d.mounts.iter().chain(&d.auth_mounts))
        .filter(|m| args.path.starts_with(&format!("{}{}", m.namespace, m.path)))
        .max_by_key(|m| m.path.len())
        .map_or("", |m| m.kind.as_str());
    let explanation = explain(&Question {
        profile,
        policies: &chosen,
        identity: &identity,
        request: Request {
            operation,
            path: &args.path,
            data: data.as_ref(),
            wrap_ttl_ns,
        },
        needs_sudo: protected::needs_sudo(mount_type, &args.path),
        now: None,
    });
    let text = match args.format {
        TextOrJson::Text => escape::visible_lines(&explanation.to_string()),
        TextOrJson::Json => {
            let json = serde_json::to_string_pretty(&explanation).map_err(|e| Failure::from_error(&e, None))?;
            format!("{json}\n")
        }
    };
    out.write_all(text.as_bytes()).map_err(Failure::from_output)?;
    Ok(Exit::Fine)
}

fn find(joined: &crate::access::Joined, name: &str) -> Result<usize, Failure> {
    let fits: Vec<usize> = (0..joined.holders.len())
        .filter(|&h| {
            joined
                .holders
                .get(h)
                .is_some_and(|h| h.key() == name || *h.principal.id == *name || h.display() == name)
        })
        .collect();
    match fits.as_slice() {
        [one] => Ok(*one),
        [] => Err(Failure::new(
            format!("no principal `{name}` in the logs, the usage or the deployment"),
            Some("give `--logs`, `--usage` or `--deployment`; `usage` lists principals by id and name"),
        )),
        several => {
            let keys: Vec<String> = several
                .iter()
                .filter_map(|&h| joined.holders.get(h))
                .map(|h| h.key())
                .collect();
            Err(Failure::new(
                format!(
                    "`{name}` is the name of {} principals: {}",
                    several.len(),
                    keys.join(", ")
                ),
                Some("name one of them by its key"),
            ))
        }
    }
}

fn no_policy(name: &str, policies: &[Policy]) -> Failure {
    let names: Vec<&str> = policies.iter().take(10).map(|p| &*p.name).collect();
    Failure::new(
        format!("no policy `{name}` among those read"),
        Some(&format!("there are {}: {}", policies.len(), names.join(", "))),
    )
}

/// `key=value` pairs: a value that reads as JSON is taken as such, all else as text.
fn parameters(pairs: &[String]) -> Result<Option<Data>, Failure> {
    if pairs.is_empty() {
        return Ok(None);
    }
    let mut data = Data::default();
    for pair in pairs {
        let (key, value) = pair.split_once('=').ok_or_else(|| {
            Failure::new(
                format!("`{pair}` is no parameter"),
                Some("write parameters as `key=value`"),
            )
        })?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        data.insert(key.to_owned(), value);
    }
    Ok(Some(data))
}
