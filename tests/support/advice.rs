//! Advice made up for the tests of the reports: of any size, and with names that attack every grammar.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use vault_advisor::advice::{
    Account, Advice, AllowedBy, Assignment, Bridge, BridgePart, CapabilityUse, Change, Complexity, CoverageView,
    Escalation, Evidence, EvidenceState, Expected, Finding, FrontierPoint, Gap, HeatCell, HeatGroup, HeatMap,
    Optimality, PathUse, PolicyShare, PolicyView, PrincipalView, Proof, Proposal, ProposedPolicy, RequestTotals, Risk,
    RuleView, Run, Severity, Skip, StanzaRef, StanzaRight, StanzaView, Subject, Totals, Unused, UnusedCounts,
    UnusedShare, Withdrawn,
};
use vault_advisor::origin::{LogLine, Origin};

/// What attackers write into paths, names and metadata, one for each grammar and then some.
pub const HOSTILE: &[&str] = &[
    "<script>document.title='pwned'</script>",
    "</script><script>document.title='pwned'</script>",
    "<!--<script>",
    "\"><img src=x onerror=\"document.title='pwned'\">",
    "' onmouseover='document.title=1' x='",
    "<svg/onload=document.title='pwned'>",
    "]]><svg onload=alert(1)>",
    "</style><script>document.title='pwned'</script>",
    "</title><script>document.title='pwned'</script>",
    "javascript:document.title='pwned'",
    "{{ 7*7 }}{% for x in y %}",
    "${jndi:ldap://x} ${file(\"/etc/passwd\")} $${a}",
    "%{ if true }x%{ endif } %%{b}",
    "EOT\nPOLICY\nresource \"null_resource\" \"x\" {}",
    "\" }\npath \"*\" { capabilities = [\"sudo\"] }\n#",
    "back\\slash \\\" \\n \\u0041",
    "=HYPERLINK(\"http://x\",\"y\")",
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(1)",
    "\t=1",
    "a,b;c\"d\"",
    "\u{1b}[31mred\u{1b}[0m\u{1b}]8;;http://x\u{7}link\u{1b}]8;;\u{7}",
    "\u{1b}]0;title\u{7}\u{9b}31m",
    "\u{202e}gnp.exe\u{2066}x\u{2069}",
    "zero\u{200b}width\u{feff}",
    "line\nbreak\r\nand\rreturn",
    "nul\0byte",
    "'; touch /tmp/pwned; echo '",
    "$(touch /tmp/pwned)`touch /tmp/pwned`",
    "-rf --yes",
    "../../../../etc/passwd",
    "a/b/../c",
    "[link](javascript:alert(1)) ![x](http://x/y.png) @everyone #1",
    "``` \n# heading\n| a | b |\n```",
    "| pipe | *star* _under_ ~~x~~ <b>",
    "--- a/etc/passwd\n+++ b/etc/passwd\n@@ -1 +1 @@\n-x\n+y",
    "diff --git a/x b/x",
    "ünïcödé 秘密 🔐 \u{1f469}\u{200d}\u{1f4bb}",
    "\u{2028}line\u{2029}sep",
    "\u{e0041}\u{e007f}tag",
    " leading and trailing ",
    "",
    "CON",
    "a#b?c%2F%00",
];

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + seconds).unwrap()
}

/// A small stream of numbers that is the same in every run.
pub struct Numbers(u64);

impl Numbers {
    pub fn below(&mut self, most: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most.max(1)
    }
}

const TEAMS: [&str; 6] = ["web", "pay", "core", "data", "ml", "ops"];

const BEFORE: &str = r#"# What the web team may do
path "secret/data/prod/web/*" {
  capabilities = ["create", "read", "update", "delete", "list"]
}

path "secret/data/stage/web/*" {
  capabilities = ["create", "read", "update", "delete", "list"]
}

path "kv1/web/*" {
  capabilities = ["read", "list"]
}

# Certificates
path "pki/issue/web" {
  capabilities = ["create", "update"]
}
"#;

const AFTER: &str = r#"# What the web team may do
# read by 14 principals, last on 2026-01-30
path "secret/data/prod/web/+" {
  capabilities = ["read"]
}

# written by app-web-0 only
path "secret/data/prod/web/smtp" {
  capabilities = ["read", "update"]
}

# Certificates
path "pki/issue/web" {
  capabilities = ["update"]
}
"#;

/// Advice for `principals` principals that could come out of a real run.
pub fn sample(principals: usize) -> Advice {
    let mut numbers = Numbers(7);
    let people: Vec<PrincipalView> = {
        let mut people: Vec<PrincipalView> = (0..principals).map(|index| principal(index, &mut numbers)).collect();
        people.sort_by(|a, b| b.risk.score.total_cmp(&a.risk.score).then_with(|| a.id.cmp(&b.id)));
        people
    };
    let policies = policies(&people);
    let granted: u64 = people.iter().map(|p| p.granted).sum();
    let used: u64 = people.iter().map(|p| p.used).sum();
    let after: u64 = people.iter().map(|p| p.excess / 14).sum();
    let count = people.len() as u64;
    let mean = people.iter().map(|p| p.risk.score).sum::<f64>() / people.len().max(1) as f64;
    let mean_after = people
        .iter()
        .filter_map(|p| p.risk_after.as_ref())
        .map(|r| r.score)
        .sum::<f64>()
        / people.len().max(1) as f64;
    let before = Complexity {
        policies: policies.len() as u64,
        stanzas: policies.iter().map(|p| p.stanzas.len() as u64).sum(),
        assignments: people.iter().map(|p| p.policies.len() as u64).sum(),
        exposure: granted - used,
        wsc: 900,
        risk_mean: mean,
    };
    let proof = Proof {
        demands_replayed: count * 11,
        requests_replayed: count * 231,
        newly_denied: 0,
        newly_granted: 0,
        principals: count,
        combinations: 31,
        combinations_proven: 31,
        not_explained: 2,
    };
    Advice {
        history: None,
        owners: vault_advisor::advice::Owners::default(),
        run: Run {
            version: String::from("0.1.0"),
            server: String::from("vault-2.0.3"),
            generated_at: None,
            inputs: vec![
                String::from("fixtures/acme/audit.log.gz"),
                String::from("fixtures/acme/policies"),
            ],
            policies_dir: String::from("fixtures/acme/policies"),
            notes: vec![String::from(
                "policy `batch-legacy` is named by the log but was not among the files read: what its 3 holders may do is unknown",
            )],
        },
        coverage: CoverageView {
            first: Some(time(0)),
            last: Some(time(30 * 86_400)),
            window_days: 30.0,
            lines: count * 480,
            used: count * 231,
            paired: count * 231,
            skipped: vec![Skip {
                reason: String::from("truncated"),
                count: 2,
                first: Some(String::from("audit.log.gz:18233")),
            }],
            requests: count * 231,
            demands: count * 11,
            gaps: vec![Gap {
                start: time(86_400 * 12),
                end: time(86_400 * 12 + 14_400),
            }],
            nodes: vec![String::from("vault-0"), String::from("vault-1")],
            device_changes: Vec::new(),
            has_policy_results: true,
            health: 0.94,
        },
        totals: Totals {
            principals: count,
            active_principals: count * 9 / 10,
            policies: before.policies,
            stanzas: before.stanzas,
            granted,
            used,
            denied_requests: (count * 231).min(318),
            requests: RequestTotals {
                by_stanza: (count * 231).saturating_sub(318),
                none_needed: 0,
                unexplained: 0,
                denied: (count * 231).min(318),
            },
            risk_max: people.first().map_or(0.0, |p| p.risk.score),
            risk_mean: mean,
        },
        heat: heat(&people, &mut numbers),
        rules: vec![
            RuleView {
                id: String::from("unused-stanza"),
                severity: Severity::High,
                summary: String::from("A stanza that decided no request"),
                help: String::from("# unused-stanza\n\nNo request of any holder was decided by it.\n"),
            },
            RuleView {
                id: String::from("dormant-principal"),
                severity: Severity::Low,
                summary: String::from("A principal with `grants` that never acted"),
                help: String::from("# dormant-principal\n\nIt never acted.\n"),
            },
        ],
        findings: findings(&people),
        proposals: vec![
            Proposal {
                files: Vec::new(),
                wave_files: Vec::new(),
                commits: Vec::new(),
                owners: BTreeMap::new(),
                changed_for: BTreeSet::new(),
                kind: String::from("tighten"),
                title: String::from("The same policies with what nobody used taken out."),
                policies: tightened(&policies),
                assignments: Vec::new(),
                before: before.clone(),
                after: Complexity {
                    policies: before.policies - 1,
                    stanzas: before.stanzas - 7,
                    exposure: after,
                    wsc: 840,
                    risk_mean: mean_after,
                    ..before.clone()
                },
                proof: proof.clone(),
                withdrawn: vec![Withdrawn {
                    what: String::from("remove `list` from `secret/metadata/*` in `readers`"),
                    reason: String::from("seen for 30 days only, a monthly job may need it (dwell time 62 days)"),
                }],
                migration: vec![
                    String::from("write the edited policies"),
                    String::from("delete `unused-legacy`"),
                ],
                waves: Vec::new(),
                expected: Some(Expected {
                    horizon_days: 90,
                    denied: 2.5,
                    low: 0.0,
                    high: 9.0,
                }),
                optimality: Optimality::default(),
            },
            Proposal {
                files: Vec::new(),
                wave_files: Vec::new(),
                commits: Vec::new(),
                owners: BTreeMap::new(),
                changed_for: people.iter().take(60).map(|p| p.id.clone()).collect(),
                kind: String::from("redesign"),
                title: String::from("The fewest policies that cover what was used, and nothing else."),
                policies: redesigned(&people),
                assignments: people
                    .iter()
                    .take(60)
                    .map(|p| Assignment {
                        namespace: "".into(),
                        kind: p.kind.clone(),
                        id: p.id.clone(),
                        name: p.name.clone(),
                        mount: p.auth_mount.clone(),
                        before: p.policies.clone(),
                        after: vec![String::from("role-1")],
                    })
                    .collect(),
                before: before.clone(),
                after: Complexity {
                    policies: 9,
                    stanzas: 41,
                    assignments: count,
                    exposure: after / 2,
                    wsc: 50 + count,
                    risk_mean: mean_after / 2.0,
                },
                proof,
                withdrawn: Vec::new(),
                migration: vec![
                    String::from("write the 9 new policies"),
                    String::from("give each holder its new policies beside the old ones"),
                    String::from("after a week without denials take the old ones away"),
                ],
                waves: Vec::new(),
                expected: Some(Expected {
                    horizon_days: 90,
                    denied: 2.5,
                    low: 0.0,
                    high: 9.0,
                }),
                optimality: Optimality {
                    objective: String::from("weighted structural complexity"),
                    cost: 112.0,
                    lower_bound: 109.0,
                    optimal: false,
                    seconds: None,
                },
            },
        ],
        frontier: (0_u64..9)
            .map(|i| FrontierPoint {
                budget: i as f64 / 10_000.0,
                open: (granted - used) as f64 / (1 + i * i * 3) as f64,
                denied: (i * i) as f64,
                denied_low: i as f64,
                denied_high: (2 * i * i) as f64,
                chosen: i == 3,
            })
            .collect(),
        escalations: vec![
            Escalation {
                principal: String::from("operator-jane"),
                principals: vec![String::from("operator-jane")],
                target: String::from("root"),
                says: String::from("can give itself any policy"),
                steps: vec![
                    String::from("`operators` lets it write `sys/policies/acl/*`"),
                    String::from("it can add `path \"*\"` to a policy that it holds itself"),
                ],
                nodes: vec![
                    String::from("operator-jane"),
                    String::from("operators"),
                    String::from("sys/policies/acl/*"),
                    String::from("root"),
                ],
                also: vec![String::from("write `sys/policies/acl/default`: rewrite its own policy")],
            },
            Escalation {
                principal: String::from("app-ci-0 and 2 more with the same policies"),
                principals: vec![
                    String::from("app-ci-0"),
                    String::from("app-ci-1"),
                    String::from("app-ci-2"),
                ],
                target: String::from("readers"),
                says: String::from("can become `readers`"),
                steps: vec![String::from("`ci` lets it create tokens at `auth/token/create`")],
                nodes: vec![
                    String::from("app-ci-0"),
                    String::from("ci"),
                    String::from("auth/token/create"),
                    String::from("readers"),
                ],
                also: Vec::new(),
            },
        ],
        policies,
        bridge: bridge(&people),
        principals: people,
    }
}

fn principal(index: usize, numbers: &mut Numbers) -> PrincipalView {
    let team = TEAMS[index % TEAMS.len()];
    let person = index % 5 == 4;
    let (name, kind, mount) = match index {
        0 => (String::from("operator-jane"), "entity", "auth/userpass/"),
        _ if person => (format!("person{index}"), "entity", "auth/userpass/"),
        _ => (format!("app-{team}-{index}"), "role", "auth/approle/"),
    };
    let granted = if index == 0 { 4210 } else { 40 + numbers.below(560) };
    let used = 1 + numbers.below(granted.min(14));
    let score = if index == 0 {
        96.4
    } else {
        (100.0 * (1.0 - (-(granted as f64) / 420.0).exp()) * 10.0).round() / 10.0
    };
    let requests = numbers.below(4000);
    PrincipalView {
        id: format!("entity:{index:08x}-aaaa-bbbb-cccc-{:012x}", index * 7919),
        name,
        kind: kind.to_owned(),
        auth_mount: mount.to_owned(),
        policies: vec![
            String::from("default"),
            if index == 0 {
                String::from("operators")
            } else {
                format!("team-{team}")
            },
        ],
        granted,
        used,
        excess: granted - used,
        paths_granted: granted / 3 + 1,
        paths_used: used.min(granted / 3 + 1),
        requests,
        denied: numbers.below(9) / 6,
        first_seen: (requests > 0).then(|| time(numbers.below(86_400) as i64)),
        last_seen: (requests > 0).then(|| time(29 * 86_400 + numbers.below(86_400) as i64)),
        active_days: (1 + numbers.below(30)) as u32,
        risk: Risk {
            score,
            weight: granted as f64 * 2.1,
            parts: vec![
                format!("can read {} secrets, used {}", granted / 3 + 1, used),
                format!("can write {} secrets, wrote {}", granted / 5, used / 3),
                format!("1 open-ended stanza: secret/data/prod/{team}/*"),
            ],
        },
        risk_after: Some(Risk {
            score: (score / 7.0 * 10.0).round() / 10.0,
            weight: 9.0,
            parts: Vec::new(),
        }),
        grants_unknown: index % 97 == 96,
        namespace: if index % 11 == 10 {
            String::from("emea/")
        } else {
            String::new()
        },
        marks: BTreeMap::from([(String::from("group"), vec![format!("team-{team}")])]),
        account: account(index, team, granted, used),
    }
}

/// What a principal used, and what it could do by the stanzas of its team.
fn account(index: usize, team: &str, granted: u64, used: u64) -> Account {
    let stanza = |path: &str, line| {
        std::sync::Arc::new(StanzaRef {
            policy: format!("team-{team}"),
            path: path.to_owned(),
            origin: Origin::new(format!("fixtures/acme/policies/team-{team}.hcl"), line, 1),
        })
    };
    let secrets = stanza("secret/data/prod/web/*", 2);
    let other = stanza("kv1/web/*", 10);
    let day = |seconds: i64| i32::try_from((1_767_225_600 + seconds) / 86_400).unwrap();
    let unused = granted - used;
    let mut counts = UnusedCounts::default();
    counts.add(Unused::Goes, unused / 2);
    counts.add(Unused::Shared, unused - unused / 2);
    Account {
        uses: (0..used)
            .map(|n| PathUse {
                path: format!("secret/data/prod/web/{index}-{n}").into(),
                capability: "read".into(),
                allowed: 40 / (n + 1),
                denied: 0,
                first: Some(time(86_400 * n as i64)),
                last: Some(time(29 * 86_400)),
                days: vec![(day(86_400 * n as i64), day(86_400 * (n as i64 + 2)))],
                by: if n == 3 {
                    AllowedBy::NoneNeeded
                } else {
                    AllowedBy::Stanzas(vec![secrets.clone()])
                },
                example: (n != 3).then(|| LogLine {
                    file: "logs/audit-2026-01.log.gz".into(),
                    line: 12,
                }),
            })
            .collect(),
        uses_total: used,
        rights: vec![
            StanzaRight {
                stanzas: vec![secrets],
                granted: granted - granted / 4,
                used,
                unused: {
                    let mut counts = UnusedCounts::default();
                    counts.add(Unused::Goes, unused / 2);
                    counts.add(Unused::Shared, unused - unused / 2 - granted / 4);
                    counts
                },
                examples: vec![format!("secret/data/prod/web/never-{index}").into()],
            },
            StanzaRight {
                stanzas: vec![other],
                granted: granted / 4,
                used: 0,
                unused: {
                    let mut counts = UnusedCounts::default();
                    counts.add(Unused::Shared, granted / 4);
                    counts
                },
                examples: Vec::new(),
            },
        ],
        rights_total: 2,
        unused: counts,
        shares: counts
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(what, count)| UnusedShare {
                what,
                policy: "team-web".into(),
                count,
            })
            .collect(),
    }
}

fn bridge(people: &[PrincipalView]) -> Bridge {
    let of = |what| people.iter().map(|p| p.account.unused.of(what)).sum::<u64>();
    let parts = [Unused::Goes, Unused::Shared].map(|what| BridgePart {
        what,
        count: of(what),
        policies: vec![PolicyShare {
            policy: String::from("team-web"),
            count: of(what),
        }],
    });
    Bridge { parts: parts.into() }
}

fn policies(people: &[PrincipalView]) -> Vec<PolicyView> {
    let mut names: Vec<String> = TEAMS.iter().map(|team| format!("team-{team}")).collect();
    names.extend(["ci", "default", "operators", "readers", "unused-legacy"].map(String::from));
    names.sort();
    names
        .into_iter()
        .map(|name| PolicyView {
            namespace: std::sync::Arc::default(),
            file: format!("fixtures/acme/policies/{name}.hcl"),
            holders: people
                .iter()
                .filter(|p| p.policies.contains(&name))
                .map(|p| p.name.clone())
                .collect(),
            stanzas: [
                "secret/data/prod/web/*",
                "secret/data/stage/web/*",
                "kv1/web/*",
                "pki/issue/web",
            ]
            .iter()
            .enumerate()
            .map(|(index, path)| StanzaView {
                path: (*path).to_owned(),
                origin: Origin::new(format!("fixtures/acme/policies/{name}.hcl"), 2 + 4 * index as u32, 1),
                capabilities: ["create", "read", "update", "delete"]
                    .iter()
                    .enumerate()
                    .map(|(at, capability)| CapabilityUse {
                        capability: (*capability).to_owned(),
                        requests: if at == 1 { 731 } else { 0 },
                        principals: if at == 1 { 14 } else { 0 },
                        last_used: (at == 1).then(|| time(29 * 86_400)),
                        state: [
                            EvidenceState::Removable,
                            EvidenceState::InUse,
                            EvidenceState::Suspect,
                            EvidenceState::Removable,
                        ][at],
                        stays: (at % 3 == 2).then_some(Unused::Suspect),
                    })
                    .collect(),
            })
            .collect(),
            risk: Risk {
                score: if name == "operators" { 96.4 } else { 41.0 },
                weight: 100.0,
                parts: vec![String::from("can read 120 secrets that exist")],
            },
            name,
        })
        .collect()
}

fn tightened(policies: &[PolicyView]) -> Vec<ProposedPolicy> {
    policies
        .iter()
        .map(|policy| {
            let change = match policy.name.as_str() {
                "unused-legacy" => Change::Delete,
                "default" | "ci" => Change::Keep,
                _ => Change::Edit,
            };
            ProposedPolicy {
                namespace: std::sync::Arc::default(),
                expected: None,
                written: None,
                tied: None,
                by_hand: false,
                shared: None,
                kept: false,
                name: policy.name.clone(),
                file: Some(policy.file.as_str().into()),
                original: Some(BEFORE.into()),
                text: match change {
                    Change::Delete => None,
                    Change::Keep => Some(BEFORE.to_owned()),
                    _ => Some(AFTER.to_owned()),
                },
                change,
                reasons: match change {
                    Change::Delete => vec![String::from(
                        "nobody held it in the window, and no auth role hands it out",
                    )],
                    Change::Keep => Vec::new(),
                    _ => vec![
                        String::from(
                            "`create`, `delete` and `list` on `secret/data/prod/web/*` were never used in 30 days",
                        ),
                        String::from("`kv1/web/*` was never used and is removed"),
                        String::from("`secret/data/prod/web/*` is narrowed to `+`: all 14 uses were one level deep"),
                    ],
                },
                stanzas: vec![(String::from("secret/data/prod/web/+"), vec![String::from("read")])],
                holders: policy.holders.clone(),
            }
        })
        .collect()
}

fn redesigned(people: &[PrincipalView]) -> Vec<ProposedPolicy> {
    (1..=4)
        .map(|index| ProposedPolicy {
            expected: None,
            written: None,
            tied: None,
            by_hand: false,
            shared: None,
            kept: false,
            name: format!("role-{index}"),
            file: None,
            original: None,
            text: Some(AFTER.to_owned()),
            change: Change::Add,
            reasons: vec![String::from("read-only access of the web applications")],
            stanzas: vec![
                (String::from("secret/data/prod/web/+"), vec![String::from("read")]),
                (String::from("pki/issue/web"), vec![String::from("update")]),
            ],
            holders: people.iter().skip(index * 3).take(20).map(|p| p.name.clone()).collect(),
            namespace: "".into(),
        })
        .collect()
}

fn findings(people: &[PrincipalView]) -> Vec<Finding> {
    let origin = |line| Origin::new("fixtures/acme/policies/team-web.hcl", line, 1);
    let evidence = |state, days: f64| {
        Some(Evidence {
            state,
            window_days: 30.0,
            dwell_days: days,
            reasons: vec![
                String::from("14 of 14 holders were active, on 22 of 30 days"),
                String::from("no holder used it in any of 3 windows"),
                String::from("the logs have one gap of 4 hours"),
            ],
        })
    };
    let mut out = vec![
        Finding {
            fingerprint: String::from("3f7a91c2d4e8b605"),
            rule: Arc::from("escalation-path"),
            severity: Severity::Critical,
            title: String::from("operator-jane can become root by writing its own policy"),
            detail: String::from(
                "`operators` grants `update` on `sys/policies/acl/*`. Its holder can add any path to a policy that it holds.",
            ),
            subject: Subject {
                key: String::new(),
                kind: String::from("principal"),
                name: String::from("operator-jane"),
            },
            origins: vec![Origin::new("fixtures/acme/policies/operators.hcl", 5, 1)],
            evidence: None,
            remedy: String::from("Name the policies that operators may write, or move the duty to a break-glass role."),
            fixed_in: Some(String::from("operators")),
            stays: None,
            // Who is meant besides whom it is about.
            who: people.get(7).map(|person| person.name.clone()).into_iter().collect(),
        },
        Finding {
            fingerprint: String::from("a1b2c3d4e5f60718"),
            rule: Arc::from("unused-stanza"),
            severity: Severity::High,
            title: String::from("`kv1/web/*` in team-web was never used"),
            detail: String::from("No request of its 14 holders was decided by this stanza in 30 days."),
            subject: Subject {
                key: String::new(),
                kind: String::from("policy"),
                name: String::from("team-web"),
            },
            origins: vec![origin(10)],
            evidence: evidence(EvidenceState::Removable, 21.0),
            remedy: String::from("Remove the stanza."),
            fixed_in: Some(String::from("team-web")),
            stays: None,
            who: Vec::new(),
        },
        Finding {
            fingerprint: String::from("ffee00112233aabb"),
            rule: Arc::from("unused-capability"),
            severity: Severity::Medium,
            title: String::from("`delete` on `secret/data/prod/web/*` may be unused"),
            detail: String::from("It was not used, but the window is too short to be sure."),
            subject: Subject {
                key: String::new(),
                kind: String::from("policy"),
                name: String::from("team-web"),
            },
            origins: vec![origin(2), origin(6)],
            evidence: evidence(EvidenceState::Suspect, 62.0),
            remedy: String::from("Watch it for 32 more days."),
            fixed_in: None,
            stays: Some(Unused::Suspect),
            who: Vec::new(),
        },
    ];
    let rules = [
        ("dormant-principal", Severity::Low),
        ("broad-glob", Severity::Medium),
        ("repeated-denials", Severity::Info),
    ];
    for (index, person) in people.iter().enumerate().take(people.len() / 2) {
        let (rule, severity) = rules[index % rules.len()];
        out.push(Finding {
            fingerprint: format!("{:016x}", (index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            rule: Arc::from(rule),
            severity,
            title: format!(
                "{} holds {} grants and used {}",
                person.name, person.granted, person.used
            ),
            detail: format!(
                "It can reach {} paths and touched {}.",
                person.paths_granted, person.paths_used
            ),
            subject: Subject {
                key: String::new(),
                kind: String::from("principal"),
                name: person.name.clone(),
            },
            origins: vec![origin(2)],
            evidence: evidence(EvidenceState::Removable, 14.0),
            remedy: match rule {
                "repeated-denials" => String::from(
                    "If it is needed, review and add no more than:\n\npath \"secret/data/x\" { capabilities = [\"read\"] }\n\nElse correct what asks for it.",
                ),
                _ => String::from("Apply the proposed policies."),
            },
            fixed_in: None,
            stays: None,
            who: Vec::new(),
        });
    }
    out.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    out
}

fn heat(people: &[PrincipalView], numbers: &mut Numbers) -> HeatMap {
    let rows = people
        .iter()
        .map(|p| HeatGroup {
            id: p.id.clone(),
            label: p.name.clone(),
            group: p.auth_mount.clone() + p.policies.last().map_or("", |name| name.as_str()),
            size: 1,
        })
        .collect();
    let columns: Vec<HeatGroup> = TEAMS
        .iter()
        .flat_map(|team| {
            [
                ("secret/prod/", "secret/"),
                ("secret/stage/", "secret/"),
                ("secret/dev/", "secret/"),
                ("kv1/", "kv1/"),
                ("pki/issue/", "pki/"),
                ("transit/", "transit/"),
            ]
            .map(|(folder, mount)| HeatGroup {
                id: String::new(),
                label: format!("{folder}{team}"),
                group: mount.to_owned(),
                size: 12,
            })
        })
        .collect();
    let mut cells = BTreeMap::new();
    for row in 0..people.len() {
        for column in 0..columns.len() {
            let own = column / 6 == row % 6;
            if own || numbers.below(30) == 0 {
                let granted = 1 + numbers.below(if own { 60 } else { 8 });
                let used = if own { numbers.below(granted.min(6)) } else { 0 };
                cells.insert((row as u32, column as u32), HeatCell { granted, used });
            }
        }
    }
    HeatMap {
        rows,
        columns,
        cells,
        omitted: 0,
    }
}

fn hostile_stanza(next: &mut dyn FnMut() -> String) -> Arc<StanzaRef> {
    Arc::new(StanzaRef {
        policy: next(),
        path: next(),
        origin: Origin::new(next(), 7, 1),
    })
}

/// Advice in which every text is hostile, each in turn.
pub fn hostile() -> Advice {
    let mut at = 0;
    let mut next = move || {
        at += 1;
        HOSTILE[at % HOSTILE.len()].to_owned()
    };
    let mut advice = sample(HOSTILE.len());
    let each =
        |texts: &mut Vec<String>, next: &mut dyn FnMut() -> String| texts.iter_mut().for_each(|text| *text = next());
    advice.run.inputs = HOSTILE.iter().map(|text| (*text).to_owned()).collect();
    advice.run.notes = HOSTILE.iter().map(|text| (*text).to_owned()).collect();
    advice.run.policies_dir = String::from("policies");
    advice.coverage.nodes = HOSTILE.iter().map(|text| (*text).to_owned()).collect();
    advice.coverage.device_changes = vec![next(), next()];
    for skip in &mut advice.coverage.skipped {
        skip.reason = next();
        skip.first = Some(next());
    }
    for (person, text) in advice.principals.iter_mut().zip(HOSTILE) {
        person.name = (*text).to_owned();
        person.id = format!("entity:{text}");
        person.kind = next();
        person.auth_mount = next();
        each(&mut person.policies, &mut next);
        each(&mut person.risk.parts, &mut next);
        person.namespace = next();
        person.marks = BTreeMap::from([(next(), vec![next(), next()])]);
        for one in &mut person.account.uses {
            one.path = next().into();
            one.capability = next().into();
            one.by = AllowedBy::Stanzas(vec![hostile_stanza(&mut next)]);
        }
        for right in &mut person.account.rights {
            right.stanzas = vec![hostile_stanza(&mut next), hostile_stanza(&mut next)];
            right.examples = vec![next().into()];
        }
    }
    for part in &mut advice.bridge.parts {
        let mut share = |count| PolicyShare { policy: next(), count };
        part.policies = (0..9).map(&mut share).collect();
    }
    for policy in &mut advice.policies {
        policy.name = next();
        policy.file = next();
        each(&mut policy.holders, &mut next);
        each(&mut policy.risk.parts, &mut next);
        for stanza in &mut policy.stanzas {
            stanza.path = next();
            stanza.origin.file = next().into();
        }
    }
    advice.rules[0].id = next();
    advice.rules[0].summary = next();
    advice.rules[0].help = next();
    let mut findings = Vec::new();
    for (index, text) in HOSTILE.iter().enumerate() {
        let mut finding = advice.findings[index % 3].clone();
        finding.fingerprint = format!("{index:016x}");
        finding.rule = Arc::from(*text);
        finding.title = (*text).to_owned();
        finding.detail = next();
        finding.remedy = next();
        finding.subject = Subject {
            key: String::new(),
            kind: next(),
            name: next(),
        };
        finding.origins = vec![Origin::new(next(), 3, 1)];
        finding.evidence = Some(Evidence {
            reasons: vec![next(), next()],
            ..Evidence::default()
        });
        finding.fixed_in = Some(next());
        finding.who = vec![next(), next()];
        findings.push(finding);
    }
    advice.findings = findings;
    for proposal in &mut advice.proposals {
        proposal.title = next();
        each(&mut proposal.migration, &mut next);
        for one in &mut proposal.withdrawn {
            one.what = next();
            one.reason = next();
        }
        proposal.optimality.objective = next();
        let changes = [Change::Edit, Change::Add, Change::Delete, Change::Keep];
        proposal.policies = HOSTILE
            .iter()
            .enumerate()
            .map(|(index, text)| {
                let change = changes[index % 4];
                let old = format!(
                    "# {}\npath \"secret/a\" {{\n  capabilities = [\"read\", \"list\"]\n}}\n",
                    text.replace(['\n', '\r'], " ")
                );
                let new = format!(
                    "# {}\npath \"secret/b\" {{\n  capabilities = [\"read\"]\n}}\n{text}",
                    next()
                );
                ProposedPolicy {
                    expected: None,
                    written: None,
                    tied: None,
                    by_hand: false,
                    shared: Some((*text).to_owned()),
                    kept: true,
                    name: (*text).to_owned(),
                    file: (change != Change::Add).then(|| {
                        format!(
                            "policies/{index}/{}.hcl",
                            text.replace(['/', '\0'], "_").chars().take(40).collect::<String>()
                        )
                        .into()
                    }),
                    original: (change != Change::Add).then(|| old.clone().into()),
                    text: match change {
                        Change::Delete => None,
                        Change::Keep => Some(old),
                        _ => Some(new),
                    },
                    change,
                    reasons: vec![next(), next()],
                    stanzas: vec![((*text).to_owned(), vec![next()])],
                    holders: vec![next(), next()],
                    namespace: if index % 3 == 0 { next().into() } else { "".into() },
                }
            })
            .collect();
        proposal.assignments = HOSTILE
            .iter()
            .map(|text| Assignment {
                kind: String::from("approle"),
                id: next(),
                name: (*text).to_owned(),
                mount: next(),
                before: vec![next()],
                after: vec![next(), next()],
                namespace: next().into(),
            })
            .collect();
    }
    for one in &mut advice.escalations {
        one.principal = next();
        each(&mut one.principals, &mut next);
        one.target = next();
        one.says = next();
        each(&mut one.also, &mut next);
        each(&mut one.steps, &mut next);
        each(&mut one.nodes, &mut next);
    }
    for group in advice.heat.rows.iter_mut().chain(&mut advice.heat.columns) {
        group.label = next();
        group.group = next();
    }
    advice
}
