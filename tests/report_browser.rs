//! `report.html` in a headless Chromium: nothing hostile runs, nothing leaves the page, and what a reader does works.
//!
//! `UPDATE_SCREENSHOTS=1` writes the pictures of `docs/images/` anew.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed"
)]

#[path = "support/advice.rs"]
mod advice;
#[path = "support/browser.rs"]
mod browser;

use std::fs;
use std::path::Path;

use browser::Page;
use serde_json::json;
use vault_advisor::advice::{Advice, Unused};
use vault_advisor::hint::whole;
use vault_advisor::report;
use vault_advisor::settings::decisions::{self, About};

const MOST_BYTES: usize = 7_500_000;

/// Opens the report of an advice; none where there is no browser.
fn opened(advice: &Advice, dark: bool) -> Option<(tempfile::TempDir, Page)> {
    let chromium = browser::find()?;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("report.html");
    fs::write(&file, report::html::render(advice, MOST_BYTES).unwrap()).unwrap();
    let page = Page::open(&chromium, &file, dark);
    Some((dir, page))
}

fn no_complaints(page: &mut Page) {
    // One more round trip: whatever was under way has been seen.
    page.js("new Promise((done) => setTimeout(done, 100))");
    assert!(page.complaints.is_empty(), "{:#?}", page.complaints);
}

#[test]
fn hostile_names_are_shown_and_nothing_of_them_runs() {
    let advice = advice::hostile();
    let Some((_dir, mut page)) = opened(&advice, false) else {
        return;
    };
    // Every row, every finding and every view is opened: what is drawn late is drawn from the same names.
    page.js("document.querySelectorAll('select').forEach((s) => [...s.options].forEach((o) => { s.value = o.value; s.dispatchEvent(new Event('change', {bubbles: true})); s.value = ''; s.dispatchEvent(new Event('change', {bubbles: true})); }))");
    page.js("document.querySelectorAll('details').forEach((d) => { d.open = true; })");
    page.js("document.querySelectorAll('button.open').forEach((b) => b.click())");
    page.js("new Promise((done) => setTimeout(done, 200))");
    for index in 0..advice.findings.len() {
        page.js(&format!("location.hash = '{index:016x}'"));
    }
    page.js("document.querySelectorAll('*').forEach((n) => ['mouseover', 'focus', 'load', 'error'].forEach((e) => n.dispatchEvent(new Event(e))))");
    assert_eq!(page.js("document.title"), json!("Vault access review"));
    assert_eq!(
        page.js("document.querySelectorAll('img, iframe, object, embed, form, base, link:not([rel=icon])').length"),
        json!(0)
    );
    assert_eq!(page.js("document.querySelectorAll('script').length"), json!(2));
    assert_eq!(page.js("[...document.querySelectorAll('*')].flatMap((n) => n.getAttributeNames()).filter((n) => n.startsWith('on') || n === 'style').filter((n) => n !== 'style').length"), json!(0));
    assert_eq!(
        page.js("[...document.querySelectorAll('a')].filter((a) => !a.getAttribute('href').startsWith('#')).length"),
        json!(0)
    );
    // A name is there, as text.
    assert_eq!(
        page.js("document.body.textContent.includes(\"<script>document.title='pwned'</script>\")"),
        json!(true)
    );
    // Nothing else may run either: the policy of the page forbids it.
    page.js(
        "const s = document.createElement('script'); s.textContent = 'document.title = 1'; document.body.append(s)",
    );
    assert_eq!(page.js("document.title"), json!("Vault access review"));
    let refused: Vec<&String> = page
        .complaints
        .iter()
        .filter(|text| !text.contains("Content Security Policy"))
        .collect();
    assert!(refused.is_empty(), "{refused:#?}");
    assert!(
        !page.complaints.is_empty(),
        "the policy spoke of the script that was put in"
    );
}

#[test]
fn filters_sorting_pages_and_links_work() {
    let Some((_dir, mut page)) = opened(&advice::sample(120), false) else {
        return;
    };
    let rows = "document.querySelectorAll('[data-table=principals] tbody > tr').length";
    assert_eq!(page.js(rows), json!(25));
    let first = "document.querySelector('[data-table=principals] tbody button.open').textContent";
    assert_eq!(page.js(first), json!("operator-jane"), "the riskiest comes first");
    assert_eq!(
        page.js("document.querySelector('[data-table=principals] th[aria-sort=descending]').textContent"),
        json!("Risk")
    );
    page.js("document.querySelector('[data-table=principals] th[aria-sort=descending] button').click()");
    assert_ne!(page.js(first), json!("operator-jane"));
    assert_eq!(
        page.js("document.querySelectorAll('[data-table=principals] th[aria-sort=ascending]').length"),
        json!(1)
    );
    page.js("[...document.querySelectorAll('[data-pager=principals] button')].find((b) => b.textContent === 'Next').click()");
    assert_eq!(
        page.js("document.querySelector('[data-pager=principals] span').textContent"),
        json!("26 to 50 of 120")
    );

    page.js("{ const s = document.querySelector('[data-tools=principals] input[type=search]'); s.value = 'OPERATOR'; s.dispatchEvent(new Event('input', {bubbles: true})); }");
    page.wait(&format!("{rows} === 1"));
    assert_eq!(
        page.js("document.querySelector('[data-tools=principals] .count').textContent"),
        json!("1 of 120 principals")
    );
    page.js("document.querySelector('[data-table=principals] button.open').click()");
    let more = page
        .js("document.querySelector('[data-table=principals] tr.more').textContent")
        .to_string();
    for words in ["can read 1404 secrets", "operators", "can become root"] {
        assert!(more.contains(words), "{words}: {more}");
    }

    // The link to a finding opens it, with its diff and its proof, whatever the filter says.
    page.js("{ const s = document.querySelector('[data-tools=findings] select'); s.value = 'critical'; s.dispatchEvent(new Event('change', {bubbles: true})); }");
    assert_eq!(page.js("document.querySelectorAll('.finding').length"), json!(1));
    page.js("location.hash = 'a1b2c3d4e5f60718'");
    page.wait("document.getElementById('a1b2c3d4e5f60718')?.open");
    let finding = page
        .js("document.getElementById('a1b2c3d4e5f60718').textContent")
        .to_string();
    for words in [
        "removable",
        "14 of 14 holders were active",
        "Remove the stanza.",
        "team-web.hcl:10:1",
        "Why it is safe",
        "0 newly denied",
        "+path",
    ] {
        assert!(finding.contains(words), "{words}: {finding}");
    }
    page.js("location.hash = 'policy/team-web'");
    page.wait("document.querySelector('[data-table=policies] tr.more')?.textContent.includes('kv1/web/*')");
    page.js("location.hash = 'principal/person39'");
    page.js("new Promise((done) => setTimeout(done, 100))");

    // The matrix opens a group.
    let lines = "document.querySelectorAll('.heat tbody tr').length";
    assert_eq!(page.js(lines), json!(13));
    page.js("document.querySelector('.heat tbody button').click()");
    assert_eq!(page.js(lines), json!(16));
    no_complaints(&mut page);
}

#[test]
fn a_principal_has_a_page_of_its_own() {
    let advice = advice::sample(120);
    let Some((_dir, mut page)) = opened(&advice, false) else {
        return;
    };
    let shown = "getComputedStyle(document.getElementById('principals')).display !== 'none'";
    // By its address, whatever the filter says.
    page.js("{ const s = document.querySelector('[data-tools=principals] input[type=search]'); s.value = 'nobody'; s.dispatchEvent(new Event('input', {bubbles: true})); }");
    let person = &advice.principals[7];
    page.js(&format!(
        "location.hash = 'principal/' + encodeURIComponent({})",
        json!(person.id)
    ));
    page.wait("!document.getElementById('page').hidden");
    assert_eq!(page.js(shown), json!(false));
    assert_eq!(
        page.js("document.querySelector('#page h1').textContent"),
        json!(person.name)
    );
    assert_eq!(page.js("document.activeElement.id"), json!("page-h"));
    let text = page.js("document.getElementById('page').textContent").to_string();
    let account = &person.account;
    for words in [
        &*account.uses[0].path,
        "team-",
        "secret/data/prod/web/*",
        "Next step",
        "Used by others with the same policy",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert_eq!(
        page.js("document.querySelectorAll('#page table')[0].tBodies[0].rows.length"),
        json!(account.uses.len())
    );
    // A finding that means it among others is its own, and a critical one is the first thing to do.
    let title = "operator-jane can become root by writing its own policy";
    assert_eq!(
        page.js("document.querySelector('#page .next li').textContent")
            .as_str()
            .unwrap()
            .split(". ")
            .next(),
        Some(title)
    );
    assert_eq!(
        page.js("[...document.querySelectorAll('#page .cols li a')].filter((a) => a.textContent.startsWith('operator-jane')).length"),
        json!(1)
    );
    let saved = "[...document.querySelectorAll('#page .tools button')].filter((b) => b.textContent === 'CSV').length";
    assert_eq!(page.js(saved), json!(2), "both tables can be saved");
    let column = |n: usize| {
        format!(
            "[...document.querySelectorAll('#page table')[1].tBodies[0].rows].reduce((all, row) => all + (Number(row.cells[{n}].textContent.replaceAll(',', '')) || 0), 0)"
        )
    };
    assert_eq!(page.js(&column(1)), json!(person.granted));
    assert_eq!(page.js(&column(2)), json!(person.used));
    assert_eq!(page.js(&column(3)), json!(person.excess));
    // Back to where the reader was, and a link to a policy that the filter hides.
    page.js("history.back()");
    page.wait("document.getElementById('page').hidden");
    assert_eq!(page.js(shown), json!(true));
    page.js("{ const s = document.querySelector('[data-tools=policies] input[type=search]'); s.value = 'nothing'; s.dispatchEvent(new Event('input', {bubbles: true})); }");
    page.wait("document.querySelector('[data-table=policies] .empty')");
    page.js("location.hash = 'policy/team-web'");
    page.wait("document.querySelector('[data-table=policies] tr.more')?.textContent.includes('kv1/web/*')");
    no_complaints(&mut page);
}

#[test]
fn why_the_rest_stays_adds_up_without_a_script() {
    let advice = advice::sample(60);
    let html = report::html::render(&advice, MOST_BYTES).unwrap();
    let part = html
        .split("<section id=\"stays\"")
        .nth(1)
        .unwrap()
        .split("</section>")
        .next()
        .unwrap();
    let number = |text: &str| -> u64 {
        text.chars()
            .filter(char::is_ascii_digit)
            .collect::<String>()
            .parse()
            .unwrap()
    };
    let counts: Vec<u64> = part
        .split("<tr")
        .skip(2)
        .map(|row| {
            number(
                row.split("<td class=\"r")
                    .nth(1)
                    .unwrap()
                    .split_once('>')
                    .unwrap()
                    .1
                    .split('<')
                    .next()
                    .unwrap(),
            )
        })
        .collect();
    let (today, rest) = counts.split_first().unwrap();
    let (proposed, parts) = rest.split_last().unwrap();
    assert_eq!(*today, advice.bridge.today());
    assert_eq!(parts.iter().sum::<u64>(), *today);
    assert_eq!(today - parts[0], *proposed);
    assert_eq!(*proposed, advice.bridge.proposed());
}

/// What the page copies, and what it saves, kept in the page.
const CAUGHT: &str = "Object.defineProperty(navigator, 'clipboard', {value: {writeText: async (text) => { window.copied = text; }}}); \
    URL.createObjectURL = (blob) => { blob.text().then((text) => { window.saved = text; }); return '#'; }";

#[test]
fn what_is_chosen_can_be_taken_along() {
    let advice = advice::sample(60);
    let Some((_dir, mut page)) = opened(&advice, false) else {
        return;
    };
    page.js(CAUGHT);
    // One diff, whole: it is the diff of the file.
    page.js("document.querySelector('details.change .acts button').click()");
    page.wait("window.copied");
    let copied = page.js("window.copied").as_str().unwrap().to_owned();
    let files = report::render(&advice, &report::Options::default()).unwrap();
    let first = page
        .js("document.querySelector('details.change').dataset.policy")
        .as_str()
        .unwrap()
        .to_owned();
    let file = files
        .iter()
        .find(|file| file.path == format!("diffs/{first}.diff"))
        .unwrap();
    assert!(std::str::from_utf8(&file.bytes).unwrap().ends_with(&copied), "{copied}");
    assert!(copied.starts_with("--- a/") && copied.ends_with('\n'), "{copied}");
    // Two of them, and their Terraform.
    page.js("[...document.querySelectorAll('details.change .tick input')].slice(0, 2).forEach((t) => t.click())");
    let button = |label: &str| {
        format!(
            "[...document.querySelectorAll('[data-tools=changes] button')].find((b) => b.textContent === '{label}').click()"
        )
    };
    page.js(&button("Copy diffs"));
    page.wait("window.copied.split('--- a/').length === 3");
    page.js(&button("Copy Terraform"));
    page.wait("window.copied.split('resource \"vault_policy\"').length === 3");
    // What keeps both as they are; it is refused until somebody answers for it.
    page.js(&button("Copy waivers"));
    page.wait("window.copied.includes('[[decisions]]')");
    let copied = page.js("window.copied").as_str().unwrap().to_owned();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(decisions::FILE_NAME);
    fs::write(&file, format!("version = 1\n{copied}")).unwrap();
    let refused = whole(&decisions::read(&file).unwrap_err());
    assert!(refused.contains("has no `owner`"), "{refused}");
    let filled = copied
        .replace("owner = \"\"", "owner = \"web\"")
        .replace("reason = \"\"", "reason = \"asked\"");
    fs::write(&file, format!("version = 1\n{filled}")).unwrap();
    let decided = decisions::read(&file).unwrap();
    let kept: Vec<&About> = decided.iter().filter(|one| one.hides()).map(|one| &one.about).collect();
    let chosen = page.js("[...document.querySelectorAll('details.change')].slice(0, 2).map((n) => n.dataset.policy)");
    let chosen: Vec<String> = serde_json::from_value(chosen).unwrap();
    let chosen: Vec<About> = chosen.into_iter().map(|policy| About::Grant(policy, None)).collect();
    assert_eq!(kept, chosen.iter().collect::<Vec<_>>());
    // The table as it is filtered.
    page.js("{ const s = document.querySelector('[data-tools=principals] input[type=search]'); s.value = 'operator'; s.dispatchEvent(new Event('input', {bubbles: true})); }");
    page.wait("document.querySelectorAll('[data-table=principals] tbody > tr').length === 1");
    page.js(
        "[...document.querySelectorAll('[data-tools=principals] button')].find((b) => b.textContent === 'CSV').click()",
    );
    page.wait("window.saved");
    let saved = page.js("window.saved").as_str().unwrap().to_owned();
    assert_eq!(saved.lines().count(), 2, "{saved}");
    assert!(saved.contains("operator-jane"), "{saved}");
    // A waiver for a finding names it.
    page.js("location.hash = 'a1b2c3d4e5f60718'");
    page.wait("document.getElementById('a1b2c3d4e5f60718')?.open");
    page.js("[...document.querySelectorAll('#a1b2c3d4e5f60718 button')].find((b) => b.textContent.includes('waiver')).click()");
    page.wait("window.copied.includes('[[waivers]]')");
    assert!(
        page.js("window.copied")
            .as_str()
            .unwrap()
            .contains("scope = \"a1b2c3d4e5f60718\"")
    );
    no_complaints(&mut page);
}

#[test]
fn a_spreadsheet_takes_no_field_for_a_formula() {
    let Some((_dir, mut page)) = opened(&advice::hostile(), false) else {
        return;
    };
    page.js(CAUGHT);
    for tools in ["principals", "policies", "findings", "teams"] {
        page.js(&format!("window.saved = undefined; [...document.querySelectorAll('[data-tools={tools}] button')].find((b) => b.textContent === 'CSV').click()"));
        page.wait("window.saved !== undefined");
        let saved = page.js("window.saved").as_str().unwrap().to_owned();
        for line in saved.split("\r\n") {
            assert!(
                !line.trim_start_matches('"').trim_start().starts_with(['=', '+', '@']),
                "{tools}: {line}"
            );
            assert!(
                !line.contains(",=") && !line.contains(",@") && !line.contains(",\"="),
                "{tools}: {line}"
            );
        }
    }
}

#[test]
fn a_team_narrows_all_of_the_page() {
    let advice = advice::sample(60);
    let Some((_dir, mut page)) = opened(&advice, false) else {
        return;
    };
    page.js("[...document.querySelectorAll('[data-teams] button')].find((b) => b.textContent === 'team-web').click()");
    let people: Vec<_> = advice
        .principals
        .iter()
        .filter(|p| p.marks["group"].contains(&String::from("team-web")))
        .collect();
    assert_eq!(
        page.js("document.querySelector('[data-tools=principals] .count').textContent"),
        json!(format!("{} of 60 principals", people.len()))
    );
    assert_eq!(
        page.js("document.querySelectorAll('.heat tbody tr').length <= 10"),
        json!(true)
    );
    assert_eq!(page.js("document.getElementById('scope').hidden"), json!(false));
    assert_ne!(
        page.js("document.querySelector('[data-tools=policies] .count').textContent"),
        json!("11 policies")
    );
    // So do the plots, and the way from today to proposed.
    let bound: Vec<_> = people.iter().filter(|p| p.kind != "root").collect();
    let drawn =
        "[...document.querySelectorAll('.charts figure:first-of-type .name:not(.brief)')].map((n) => n.textContent)";
    let names = page.js(drawn);
    assert_eq!(names.as_array().unwrap().len(), bound.len().min(12));
    assert!(
        names
            .as_array()
            .unwrap()
            .iter()
            .all(|name| people.iter().any(|p| *name == json!(p.name)))
    );
    let bars = "[...document.querySelectorAll('.charts figure:last-of-type g title')].map((t) => parseInt(t.textContent.split(': ')[1])).reduce((a, b) => a + b)";
    assert_eq!(page.js(bars), json!(bound.len()));
    let today = "document.querySelector('.bridge tbody tr').cells[1].textContent.replaceAll(',', '')";
    let excess: u64 = bound.iter().map(|p| p.excess).sum();
    assert_eq!(page.js(today), json!(excess.to_string()));
    let goes: u64 = bound.iter().map(|p| p.account.unused.of(Unused::Goes)).sum();
    let proposed = "[...document.querySelector('.bridge tbody').rows].at(-1).cells[1].textContent.replaceAll(',', '')";
    assert_eq!(page.js(proposed), json!((excess - goes).to_string()));
    // By which policies is of the team, too, and so is what to begin with.
    let shares = page.js("[...document.querySelector('#stays-goes').cells[3].querySelectorAll('span')].map((n) => Number(n.textContent.split(' ').at(-1).replaceAll(',', ''))).reduce((a, b) => a + b)");
    assert_eq!(shares, json!(goes));
    assert_eq!(
        page.js("[...document.querySelectorAll('.start li > span:first-child')].every((n) => n.textContent.includes('this team'))"),
        json!(true)
    );
    // So do the changes and the escalations; the bar stays in sight.
    let shown = |what: &str| format!("[...document.querySelectorAll('{what}:not(.hidden)')]");
    let names = json!(people.iter().map(|p| &p.name).collect::<Vec<_>>());
    let theirs = |policy: &str| {
        let policy = advice.policies.iter().find(|one| one.name == policy).unwrap();
        policy.holders.iter().any(|name| people.iter().any(|p| p.name == *name))
    };
    let told = page.js(&format!("{}.map((n) => n.dataset.policy)", shown("details.change")));
    let told: Vec<&str> = told
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    assert!(told.iter().all(|name| theirs(name)), "{told:?}");
    let hidden = page.js("[...document.querySelectorAll('details.change.hidden')].map((n) => n.dataset.policy)");
    assert!(
        hidden
            .as_array()
            .unwrap()
            .iter()
            .all(|name| !theirs(name.as_str().unwrap())),
        "{hidden}"
    );
    assert!(
        !told.is_empty() && !hidden.as_array().unwrap().is_empty(),
        "{told:?} {hidden}"
    );
    assert_eq!(
        page.js(&format!("((names) => {}.every((n) => [...n.querySelectorAll('.name')].some((one) => names.includes(one.textContent))))({names})", shown(".escalation"))),
        json!(true)
    );
    page.js("document.getElementById('coverage').scrollIntoView()");
    assert_eq!(
        page.js("(() => { const at = document.getElementById('scope').getBoundingClientRect(); return at.top >= 0 && at.bottom < innerHeight; })()"),
        json!(true)
    );
    // The choice has an address: the way back leads to it, and out of it.
    assert_eq!(page.js("location.hash"), json!("#team/group/team-web"));
    page.js("location.hash = 'findings'");
    page.wait("location.hash === '#findings'");
    assert_eq!(page.js("document.getElementById('scope').hidden"), json!(false));
    page.js("history.back()");
    page.wait("location.hash === '#team/group/team-web'");
    page.js("history.back()");
    page.wait("document.getElementById('scope').hidden");
    page.js("history.forward()");
    page.wait("!document.getElementById('scope').hidden");
    // A link to somebody of another team opens all the same.
    page.js("document.querySelector('#scope button').click()");
    assert_eq!(
        page.js("document.querySelectorAll('.change.hidden, .escalation.hidden, .none-of-team').length"),
        json!(0)
    );
    assert_eq!(
        page.js("document.querySelector('[data-tools=principals] .count').textContent"),
        json!("60 principals")
    );
    assert_eq!(
        page.js(bars),
        json!(advice.principals.iter().filter(|p| p.kind != "root").count())
    );
    no_complaints(&mut page);
}

#[test]
fn an_address_that_leads_nowhere_says_so() {
    let Some((_dir, mut page)) = opened(&advice::sample(40), false) else {
        return;
    };
    for hash in [
        "policy/root",
        "principal/nobody",
        "team/group/none",
        "team/x/y",
        "deadbeef",
    ] {
        page.js(&format!("location.hash = '{hash}'"));
        page.wait("!document.getElementById('missing').hidden");
        page.js("location.hash = 'overview'");
        page.wait("document.getElementById('missing').hidden");
    }
    // What is not on the page is no link: the root policy of a root token.
    page.js("document.querySelectorAll('[data-table=principals] button.open').forEach((b) => b.click())");
    let dead = "[...document.querySelectorAll('main a')].map((a) => decodeURIComponent(a.hash.slice(1))).filter((h) => h.startsWith('policy/') && ![...document.querySelectorAll('[data-table=policies] button.open')].length).length";
    assert_eq!(page.js(dead), json!(0));
    assert_eq!(
        page.js("[...document.querySelectorAll('main a')].filter((a) => a.hash === '#policy/root').length"),
        json!(0)
    );
    no_complaints(&mut page);
}

#[test]
fn what_to_add_can_be_copied_and_what_stays_says_why() {
    let Some((_dir, mut page)) = opened(&advice::sample(40), false) else {
        return;
    };
    page.js(CAUGHT);
    let id =
        "JSON.parse(document.querySelector('#data').textContent).findings.find((f) => f[1] === 'repeated-denials')[0]";
    let id = page.js(id).as_str().unwrap().to_owned();
    page.js(&format!("location.hash = '{id}'"));
    page.wait(&format!("document.getElementById('{id}')?.open"));
    let grant = format!("document.getElementById('{id}').querySelector('pre.grant')");
    let hcl = "path \"secret/data/x\" { capabilities = [\"read\"] }";
    assert_eq!(page.js(&format!("{grant}.textContent")), json!(hcl));
    page.js(&format!("{grant}.nextElementSibling.querySelector('button').click()"));
    page.wait("window.copied");
    assert_eq!(page.js("window.copied"), json!(format!("{hcl}\n")));
    assert_eq!(
        page.js(&format!(
            "document.getElementById('{id}').textContent.includes('\\\\n')"
        )),
        json!(false)
    );
    page.js("location.hash = 'ffee00112233aabb'");
    page.wait("document.getElementById('ffee00112233aabb')?.open");
    let told = page
        .js("document.getElementById('ffee00112233aabb').textContent")
        .to_string();
    for words in ["Not proposed", "not watched well enough", "By hand"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    no_complaints(&mut page);
}

#[test]
fn a_table_of_the_page_has_the_columns_of_its_file() {
    let advice = advice::sample(40);
    let Some((_dir, mut page)) = opened(&advice, false) else {
        return;
    };
    page.js(CAUGHT);
    let files = report::render(&advice, &report::Options::default()).unwrap();
    for table in ["principals", "policies", "findings"] {
        page.js(&format!("window.saved = undefined; [...document.querySelectorAll('[data-tools={table}] button')].find((b) => b.textContent === 'CSV').click()"));
        page.wait("window.saved !== undefined");
        let saved = page.js("window.saved").as_str().unwrap().to_owned();
        let file = files.iter().find(|file| file.path == format!("{table}.csv")).unwrap();
        let written = std::str::from_utf8(&file.bytes).unwrap();
        assert_eq!(saved.lines().next(), written.lines().next(), "{table}");
        assert_eq!(saved.lines().count(), written.lines().count(), "{table}");
    }
    for table in ["heat", "stays", "coverage"] {
        page.js(&format!("window.saved = undefined; [...document.querySelectorAll('[data-tools={table}] button')].find((b) => b.textContent === 'CSV').click()"));
        page.wait("window.saved !== undefined");
        assert!(page.js("window.saved").as_str().unwrap().lines().count() > 2, "{table}");
    }
}

#[test]
fn the_page_of_a_principal_is_not_wider_than_a_screen() {
    let advice = advice::sample(40);
    let Some((_dir, mut page)) = opened(&advice, false) else {
        return;
    };
    page.call(
        "Emulation.setDeviceMetricsOverride",
        json!({"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": false}),
    );
    page.wait("innerWidth === 1280");
    page.js(&format!(
        "location.hash = 'principal/' + encodeURIComponent({})",
        json!(advice.principals[7].id)
    ));
    page.wait("!document.getElementById('page').hidden");
    let wide =
        "[...document.querySelectorAll('#page .scroll')].filter((n) => n.scrollWidth > n.clientWidth + 1).length";
    assert_eq!(page.js(wide), json!(0));
}

#[test]
fn a_small_screen_needs_no_sideways_scrolling() {
    let Some((_dir, mut page)) = opened(&advice::sample(60), false) else {
        return;
    };
    page.call(
        "Emulation.setDeviceMetricsOverride",
        json!({"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": false}),
    );
    page.wait("innerWidth === 390");
    page.js("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
    let wide = "[...document.querySelectorAll('body, main, .card, .scroll')].filter((n) => n.checkVisibility() && !n.closest('#matrix') && !n.closest('pre') && n.scrollWidth > Math.max(n.clientWidth, 1) + 1).map((n) => n.id || n.className)";
    assert_eq!(page.js(wide), json!([]));
    assert_eq!(page.js("document.scrollingElement.scrollWidth"), json!(390));
    let used = "(() => { const box = document.querySelector('[data-table=principals] tbody .use').getBoundingClientRect(); return box.left >= 0 && box.right <= 390; })()";
    assert_eq!(page.js(used), json!(true));
    page.js("document.querySelector('[data-table=principals] tbody a').click()");
    page.wait("!document.getElementById('page').hidden");
    assert_eq!(page.js(wide), json!([]));
    assert_eq!(page.js("document.scrollingElement.scrollWidth"), json!(390));
}

#[test]
fn the_page_can_be_used_without_a_mouse_or_eyes() {
    let Some((_dir, mut page)) = opened(&advice::sample(40), false) else {
        return;
    };
    assert_eq!(
        page.js("['main', 'header', 'nav', 'footer', 'h1'].every((t) => document.querySelectorAll(t).length >= 1)"),
        json!(true)
    );
    assert_eq!(page.js("document.querySelectorAll('h1').length"), json!(1));
    assert_eq!(
        page.js("[...document.querySelectorAll('table')].filter((t) => !t.caption).length"),
        json!(0)
    );
    assert_eq!(
        page.js("[...document.querySelectorAll('th')].filter((t) => !t.scope).length"),
        json!(0)
    );
    assert_eq!(page.js("[...document.querySelectorAll('input, select')].filter((c) => !c.getAttribute('aria-label') && !c.closest('label')).length"), json!(0));
    assert_eq!(page.js("[...document.querySelectorAll('svg')].filter((s) => s.getAttribute('aria-hidden') !== 'true' && !s.getAttribute('aria-label')).length"), json!(0));
    assert_eq!(page.js("[...document.querySelectorAll('section')].filter((s) => !document.getElementById(s.getAttribute('aria-labelledby'))).length"), json!(0));
    assert_eq!(page.js("[...document.querySelectorAll('.bar nav a')].filter((a) => !document.getElementById(a.hash.slice(1))).length"), json!(0));
    assert_eq!(page.js("new Set([...document.querySelectorAll('[id]')].map((n) => n.id)).size === document.querySelectorAll('[id]').length"), json!(true));
    // The first stop is the link past the bar; a row opens with a key.
    page.call(
        "Input.dispatchKeyEvent",
        json!({"type": "keyDown", "key": "Tab", "windowsVirtualKeyCode": 9}),
    );
    assert_eq!(page.js("document.activeElement.className"), json!("skip"));
    page.js("document.querySelector('[data-table=principals] button.open').focus()");
    page.call(
        "Input.dispatchKeyEvent",
        json!({"type": "keyDown", "key": "Enter", "code": "Enter", "text": "\r", "windowsVirtualKeyCode": 13}),
    );
    page.call(
        "Input.dispatchKeyEvent",
        json!({"type": "keyUp", "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}),
    );
    assert_eq!(
        page.js("document.querySelector('[data-table=principals] button.open').getAttribute('aria-expanded')"),
        json!("true")
    );
    assert_eq!(
        page.js("getComputedStyle(document.querySelector('[data-table=principals] button.open')).outlineStyle"),
        json!("solid")
    );
    // Words stand out from what is behind them, in both themes.
    for scheme in ["light", "dark"] {
        page.scheme(scheme);
        let weak = page.js(CONTRAST);
        assert_eq!(weak, json!([]), "{scheme}");
    }
    no_complaints(&mut page);
}

/// The texts whose contrast is below 4.5 to 1 (WCAG AA), by selector.
const CONTRAST: &str = r"(() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgb = (color, under) => { canvas.clearRect(0, 0, 1, 1); if (under) { canvas.fillStyle = under; canvas.fillRect(0, 0, 1, 1); } canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4).reduce((s, v, i) => s + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => { const chain = []; for (let n = node; n; n = n.parentElement) chain.push(getComputedStyle(n).backgroundColor); let color = 'white'; for (const c of chain.reverse()) { const [r, g, b] = rgb(c, color); color = `rgb(${r} ${g} ${b})`; } return color; };
  const weak = new Set();
  const walk = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !node.checkVisibility() || node.closest('svg, button:disabled, .sr, option')) continue;
    const back = behind(node), a = light(rgb(getComputedStyle(node).color, back)), b = light(rgb(back));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) weak.add(`${node.tagName}.${node.className} ${ratio.toFixed(2)} ${walk.currentNode.data.trim().slice(0, 20)}`);
  }
  return [...weak].slice(0, 10);
})()";

#[test]
fn ten_thousand_principals_fit_and_answer() {
    let advice = advice::sample(10_000);
    let Some((dir, mut page)) = opened(&advice, false) else {
        return;
    };
    let bytes = fs::metadata(dir.path().join("report.html")).unwrap().len();
    assert!(bytes < 8_000_000, "{bytes}");
    assert_eq!(
        page.js("document.querySelector('[data-tools=principals] .count').textContent"),
        json!("10,000 principals")
    );
    assert_eq!(
        page.js("document.querySelectorAll('*').length < 8000"),
        json!(true),
        "only what is looked at is drawn"
    );
    page.js("{ const s = document.querySelector('[data-tools=principals] input[type=search]'); s.value = 'app-web-9'; s.dispatchEvent(new Event('input', {bubbles: true})); }");
    page.wait("document.querySelector('[data-tools=principals] .count').textContent.includes(' of ')");
    no_complaints(&mut page);
}

#[test]
fn paper_and_themes() {
    let Some((_dir, mut page)) = opened(&advice::sample(60), true) else {
        return;
    };
    let dark = page.js("getComputedStyle(document.body).backgroundColor");
    page.js("document.getElementById('theme').click()");
    let light = page.js("getComputedStyle(document.body).backgroundColor");
    assert_ne!(dark, light);
    // Every row is on paper, and a diff only with its change.
    let rows = "document.querySelectorAll('[data-table=principals] tbody > tr').length";
    let heat = "document.querySelectorAll('[data-heat] tbody tr').length";
    page.js("{ const s = document.querySelector('[data-tools=heat] select'); if (s) { s.value = 'all'; s.dispatchEvent(new Event('change', {bubbles: true})); } }");
    assert_eq!(page.js(heat), json!(40));
    page.js("dispatchEvent(new Event('beforeprint'))");
    assert_eq!(page.js(rows), json!(60));
    assert_eq!(page.js(heat), json!(60));
    assert_eq!(
        page.js("document.querySelectorAll('[data-heat] thead button').length"),
        json!(0)
    );
    // The heads are words, not buttons, which are not repeated on every sheet.
    let heads = "[...document.querySelectorAll('[data-table=principals] thead th')].map((th) => th.firstChild.nodeType + th.textContent).join()";
    assert_eq!(
        page.js(heads),
        json!("3Principal,3Risk,3Used of granted,3Never used,3Requests,3Denied,3Last seen")
    );
    // What only a screen can do is not on paper.
    page.call("Emulation.setEmulatedMedia", json!({"media": "print"}));
    for words in ["what it used", "If it is meant", "Choose a group to look inside"] {
        assert_eq!(
            page.js(&format!(
                "document.querySelector('main').innerText.includes({})",
                json!(words)
            )),
            json!(false),
            "{words}"
        );
    }
    page.call("Emulation.setEmulatedMedia", json!({"media": ""}));
    assert_eq!(
        page.js("document.querySelectorAll('details:not([open])').length"),
        json!(0)
    );
    assert_eq!(
        page.js("document.querySelectorAll('.finding pre.diff:not(.no-print)').length"),
        json!(0)
    );
    page.js("dispatchEvent(new Event('afterprint'))");
    assert_eq!(page.js(rows), json!(25));
    assert_eq!(page.js(heat), json!(40));
    assert_eq!(
        page.js("document.querySelectorAll('[data-table=principals] thead button').length"),
        json!(7)
    );
    // What a rule says has its names set apart, and no marks.
    assert_eq!(
        page.js(
            "[...document.querySelectorAll('.finding.rule > summary h3')].some((h) => h.textContent.includes('`'))"
        ),
        json!(false)
    );
    assert_eq!(
        page.js("document.querySelectorAll('.finding.rule > summary h3 > code').length"),
        json!(1)
    );
    // A card of the page of a principal may go on over the edge of a sheet.
    page.js("location.hash = document.querySelector('[data-table=principals] a').hash");
    page.wait("!document.getElementById('page').hidden");
    page.call("Emulation.setEmulatedMedia", json!({"media": "print"}));
    assert_eq!(
        page.js("getComputedStyle(document.querySelector('.page .card')).breakInside"),
        json!("auto")
    );
    // The tables of the page keep their titles.
    assert_eq!(
        page.js("document.getElementById('page').innerText.includes('What it asked for')"),
        json!(true)
    );
    page.call("Emulation.setEmulatedMedia", json!({"media": ""}));
    let pdf = page.call("Page.printToPDF", json!({"printBackground": true}));
    assert!(pdf["data"].as_str().unwrap().len() > 20_000);
    no_complaints(&mut page);
}

#[test]
fn screenshots() {
    if std::env::var_os("UPDATE_SCREENSHOTS").is_none() {
        return;
    }
    let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images");
    fs::create_dir_all(&images).unwrap();
    for (theme, dark) in [("light", false), ("dark", true)] {
        let Some((_dir, mut page)) = opened(&advice::sample(120), dark) else {
            return;
        };
        fs::write(images.join(format!("report-{theme}.png")), page.picture(None, 1500)).unwrap();
        page.js("location.hash = 'a1b2c3d4e5f60718'");
        page.wait("document.getElementById('a1b2c3d4e5f60718')?.open");
        fs::write(
            images.join(format!("finding-{theme}.png")),
            page.picture(Some("#a1b2c3d4e5f60718"), 1200),
        )
        .unwrap();
        fs::write(
            images.join(format!("matrix-{theme}.png")),
            page.picture(Some("#matrix"), 1200),
        )
        .unwrap();
    }
}
