//! `explain`: one decision told in words.

use super::asker::Known;
use super::holders::Holding;
use super::resolve::Meant;
use super::{Exit, Failure, Talk, holders};
use crate::access::Mounted;
use crate::cli::{ExplainArgs, TextOrJson};
use crate::hint::Hint;
use crate::policy::acl::Request;
use crate::policy::constraints::Data;
use crate::policy::explain::{Question, explain};
use crate::policy::model::Policy;
use crate::report::escape;
use crate::report::ink::Face;
use crate::vault::protected;
use serde_json::Value;
use std::borrow::Cow;
use std::io::Write;

/// Decides and tells.
pub(super) fn run(args: &ExplainArgs, meant: Meant, out: &mut dyn Write, talk: &Talk) -> Result<Exit, Failure> {
    let data = parameters(&args.data)?;
    let holding = Holding::of(&args.granting, &args.reading, &meant, talk)?;
    let (joined, deployment) = holders::joined(&holding, talk)?;
    let operation = args.operation;
    let typed = holders::path_meant(&args.path, talk);
    let path = operation.path_asked(typed);
    let known = Known {
        joined: &joined,
        deployment: deployment.as_ref(),
        root: &Policy::root(),
    };
    let asker = known.asker(&args.asking, &path, talk)?;
    let wrap_ttl_ns = args.wrap_ttl.and_then(|d| i64::try_from(d.as_nanos()).ok());
    let mount = Mounted::around(&path, deployment.as_ref());
    let explanation = explain(&Question {
        profile: meant.profile,
        policies: &asker.policies,
        identity: &asker.identity,
        request: Request {
            operation,
            path: &path,
            data: data.as_ref(),
            wrap_ttl_ns,
        },
        needs_sudo: match mount.as_ref().and_then(|m| Some((m, path.strip_prefix(&m.path)?))) {
            Some((mount, rest)) => protected::needs_sudo_below(mount.kind(), rest),
            None => protected::needs_sudo("", &path),
        },
        now: None,
        kv: mount.as_ref().and_then(Mounted::kv),
    });
    let text = match args.format {
        TextOrJson::Text => talk.told(&escape::visible_lines(&explanation.to_string()), Face::Decision),
        TextOrJson::Json => {
            let json = serde_json::to_string_pretty(&explanation)?;
            format!("{json}\n")
        }
    };
    out.write_all(text.as_bytes()).map_err(Failure::from_output)?;
    Ok(Exit::Fine)
}

/// `key=value` pairs: a value that reads as JSON is taken as such, all else as text.
fn parameters(pairs: &[String]) -> Result<Option<Data>, NoParameter> {
    if pairs.is_empty() {
        return Ok(None);
    }
    let mut data = Data::default();
    for pair in pairs {
        let (key, value) = pair.split_once('=').ok_or_else(|| NoParameter(pair.clone()))?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        data.insert(key.to_owned(), value);
    }
    Ok(Some(data))
}

/// What `--data` says is no parameter.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a parameter")]
struct NoParameter(String);

impl Hint for NoParameter {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed("write parameters as `key=value`"))
    }
}
