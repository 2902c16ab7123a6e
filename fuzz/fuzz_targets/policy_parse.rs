//! Any bytes as a policy: no crash, and what is accepted is linted and printed so that it reads back as it was.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vault_advisor::policy::syntax::{self, Dialect, Style, print};
use vault_advisor::policy::{lint, lint_json};

fuzz_target!(|bytes: &[u8]| {
    for dialect in [
        Dialect::VAULT,
        Dialect::VAULT.any_edition(),
        Dialect::OPENBAO.any_edition(),
    ] {
        let read = syntax::parse_bytes("fuzz", "fuzz.hcl", bytes, &dialect);
        let _ = lint_json::document("fuzz.hcl", read.as_ref());
        let policy = match read {
            Ok(policy) => policy,
            Err(error) => {
                let _ = error.render(Style::Coloured);
                continue;
            }
        };
        for stanza in &policy.stanzas {
            assert!(policy.source.get(stanza.span.clone()).is_some());
            for key in &stanza.keys {
                assert!(policy.source.get(key.key.clone()).is_some() && policy.source.get(key.value.clone()).is_some());
            }
        }
        let printed = print::policy(&policy.stanzas);
        let again = syntax::parse("fuzz", "fuzz.hcl", &printed, &dialect).expect("what is printed can be read");
        assert_eq!(again.stanzas.len(), policy.stanzas.len());
        for (new, old) in again.stanzas.iter().zip(&policy.stanzas) {
            assert_eq!(new.path, old.path);
            assert_eq!(new.capabilities, old.capabilities);
            let mut new = new.constraints.clone();
            let mut old = old.constraints.clone();
            assert_eq!(new.control_group, old.control_group);
            (new.control_group_text, old.control_group_text) = (None, None);
            assert_eq!(new, old, "{printed}");
        }
        for warning in lint::policies(&[policy], &lint::Context::default()) {
            let _ = warning.render(Style::Plain);
        }
    }
});
