"use strict";
(() => {
  const root = document.documentElement;
  const $ = (selector, from = document) => from.querySelector(selector);
  const data = JSON.parse($("#data").textContent);
  const names = data.names;

  // Text only ever enters the page through text nodes and attribute setters: nothing here parses HTML.
  function el(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (value === undefined || value === null || value === false) continue;
      if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
      else if (key === "class") node.className = value;
      else node.setAttribute(key, value === true ? "" : value);
    }
    for (const child of children.flat()) if (child !== null && child !== undefined) node.append(child);
    return node;
  }
  const number = (value) => value.toLocaleString("en-US");
  const compact = (value) => value < 1000 ? String(value) : value < 1e6 ? (value / 1000).toFixed(value < 1e4 ? 1 : 0).replace(".0", "") + "k" : (value / 1e6).toFixed(1).replace(".0", "") + "M";
  const day = (seconds) => seconds === null ? "never" : new Date(seconds * 1000).toISOString().slice(0, 10);
  const share = (part, whole) => whole > 0 ? Math.min(100, 100 * part / whole) : 0;
  const plural = (value, one, many) => number(value) + " " + (value === 1 ? one : many);
  function width(node, percent) { node.style.width = percent.toFixed(1) + "%"; return node; }
  function list(items, draw) { return el("ul", null, items.map((item) => el("li", null, draw ? draw(item) : item))); }
  // Names stand between backticks in sentences.
  function prose(text) {
    const parts = text.split("`");
    return parts.length % 2 === 0 ? [text] : parts.map((part, at) => at % 2 ? el("code", null, part) : part);
  }
  const SEVERITIES = ["critical", "high", "medium", "low", "info"];

  const principals = data.principals.map((r) => ({
    id: r[0], name: r[1], kind: names[r[2]], mount: names[r[3]], policies: r[4].map((i) => names[i]), granted: r[5], used: r[6], excess: r[7],
    pathsGranted: r[8], pathsUsed: r[9], requests: r[10], denied: r[11], first: r[12], last: r[13], days: r[14], risk: r[15], after: r[16], unknown: r[17] === 1, root: r[17] === 2, parts: r[18],
  }));
  const policies = data.policies.map((r) => {
    const stanzas = r[3].map((s) => ({ path: s[0], line: s[1], uses: s[2].map((u) => ({ capability: names[u[0]], requests: u[1], principals: u[2], last: u[3], state: u[4] })) }));
    const uses = stanzas.flatMap((s) => s.uses);
    return { name: r[0], file: r[1], holders: r[2].map((i) => names[i]), stanzas, risk: r[4], parts: r[5], change: r[6], capabilities: uses.length, used: uses.filter((u) => u.requests > 0).length };
  });
  const findings = data.findings.map((r) => ({
    id: r[0], rule: r[1], severity: r[2], title: r[3], detail: r[4], kind: r[5], subject: r[6], places: r[7],
    evidence: r[8] && { state: r[8][0], window: r[8][1], dwell: r[8][2], reasons: r[8][3] }, remedy: r[9], fixed: r[10],
  }));
  for (const item of [...principals, ...policies, ...findings]) {
    item.text = [item.name, item.kind, item.mount, item.file, item.id, item.rule, item.title, item.subject, item.detail, ...(Array.isArray(item.policies) ? item.policies : [])].filter(Boolean).join("\n").toLowerCase();
  }
  const bySubject = new Map();
  for (const finding of findings) {
    if (!bySubject.has(finding.subject)) bySubject.set(finding.subject, []);
    bySubject.get(finding.subject).push(finding);
  }
  const findingLink = (f) => el("a", { href: "#" + encodeURIComponent(f.id) }, prose(f.title));

  // Theme: what the system says, until the reader chooses.
  const themeButton = $("#theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme || (dark.matches ? "dark" : "light")) === "dark";
  function nameTheme() { themeButton.textContent = isDark() ? "Light" : "Dark"; themeButton.setAttribute("aria-label", "Switch to the " + (isDark() ? "light" : "dark") + " theme"); }
  themeButton.hidden = false;
  themeButton.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; nameTheme(); drawHeat(); });
  dark.addEventListener("change", nameTheme);
  nameTheme();

  // The filters of a list: a search field, choices, a count.
  function tools(name, controls) {
    const box = $(`[data-tools="${name}"]`);
    const count = el("span", { class: "count", role: "status", "aria-live": "polite" });
    box.replaceChildren(...controls, count);
    box.hidden = false;
    return count;
  }
  function search(label, change) {
    let timer;
    return el("input", { type: "search", placeholder: label, "aria-label": label, oninput: (e) => { clearTimeout(timer); const value = e.target.value.trim().toLowerCase(); timer = setTimeout(() => change(value), 80); } });
  }
  function choose(label, options, change) {
    return el("select", { "aria-label": label, onchange: (e) => change(e.target.value) }, options.map(([value, text]) => el("option", { value }, text)));
  }
  const values = (items, key) => [...new Set(items.map((item) => item[key]))].filter(Boolean).sort();
  const words = (text, query) => query === "" || query.split(/\s+/).every((word) => text.includes(word));

  function pager(name, state, size, total, redraw) {
    const box = $(`[data-pager="${name}"]`);
    const pages = Math.max(1, Math.ceil(total / size));
    if (pages === 1) { box.replaceChildren(); return; }
    const go = (page) => { state.page = page; redraw(); };
    box.replaceChildren(
      el("span", null, `${number(state.page * size + 1)} to ${number(Math.min(total, (state.page + 1) * size))} of ${number(total)}`),
      el("button", { class: "button", type: "button", disabled: state.page === 0, onclick: () => go(0), "aria-label": "First page" }, "«"),
      el("button", { class: "button", type: "button", disabled: state.page === 0, onclick: () => go(state.page - 1) }, "Previous"),
      el("button", { class: "button", type: "button", disabled: state.page >= pages - 1, onclick: () => go(state.page + 1) }, "Next"),
      el("button", { class: "button", type: "button", disabled: state.page >= pages - 1, onclick: () => go(pages - 1), "aria-label": "Last page" }, "»"),
    );
  }

  // A table that sorts by its heads, filters and turns pages. Rows open to show more.
  function explorer({ name, items, size, sorts, sortBy, keep, row, more, controls, words: [one, many] }) {
    const table = $(`[data-table="${name}"]`);
    const heads = [...table.tHead.rows[0].cells];
    const body = table.tBodies[0];
    const state = { page: 0, sort: sortBy, down: true, open: null };
    let shown = [];
    const redraw = () => { filter(); draw(); };
    const count = tools(name, controls(() => { state.page = 0; redraw(); }));
    heads.forEach((head, index) => {
      const key = sorts[index];
      if (!key) return;
      const label = head.textContent;
      head.replaceChildren(el("button", { class: "sort", type: "button", onclick: () => {
        if (state.sort === index) state.down = !state.down; else { state.sort = index; state.down = typeof key(items[0] || {}) !== "string"; }
        state.page = 0; redraw();
      } }, label));
    });
    function filter() {
      const key = sorts[state.sort];
      shown = items.filter(keep).map((item, index) => [key(item), index, item]);
      const sign = state.down ? -1 : 1;
      shown.sort((a, b) => (typeof a[0] === "string" ? a[0].localeCompare(b[0]) : a[0] - b[0]) * sign || a[1] - b[1]);
      shown = shown.map((entry) => entry[2]);
    }
    function draw() {
      heads.forEach((head, index) => { if (sorts[index]) head.setAttribute("aria-sort", index === state.sort ? (state.down ? "descending" : "ascending") : "none"); });
      count.textContent = shown.length === items.length ? plural(items.length, one, many) : `${number(shown.length)} of ${plural(items.length, one, many)}`;
      const rows = [];
      for (const item of shown.slice(state.page * size, (state.page + 1) * size)) {
        const cells = row(item);
        const line = el("tr", null, cells);
        rows.push(line);
        const button = $("button.open", line);
        const expand = () => {
          button.setAttribute("aria-expanded", "true");
          line.after(el("tr", { class: "more" }, el("td", { colspan: heads.length }, more(item))));
        };
        button.addEventListener("click", () => {
          if (button.getAttribute("aria-expanded") === "true") { button.setAttribute("aria-expanded", "false"); line.nextElementSibling.remove(); state.open = null; }
          else { expand(); state.open = item; }
        });
        if (item === state.open) queueMicrotask(() => { if (line.isConnected) expand(); });
      }
      if (rows.length === 0) rows.push(el("tr", null, el("td", { colspan: heads.length, class: "empty" }, "Nothing matches.")));
      body.replaceChildren(...rows);
      pager(name, state, size, shown.length, draw);
    }
    redraw();
    return {
      show(item) {
        let at = shown.indexOf(item);
        if (at < 0) return false;
        state.page = Math.floor(at / size); state.open = item; draw();
        $(`#${name}`).scrollIntoView();
        return true;
      },
    };
  }

  function riskBar(before, after) {
    const bars = el("span", { class: "bars", "aria-hidden": "true" }, width(el("i"), before), after === null ? null : width(el("i"), after));
    const spoken = after === null ? "" : ` today, ${after} proposed`;
    return el("span", { class: after === null ? "risk" : "risk two-numbers", title: after === null ? null : `${before} today, ${after} proposed` }, el("b", null, String(before), el("span", { class: "sr" }, spoken)), bars, after === null ? null : el("span", { class: "muted", "aria-hidden": "true" }, "→ " + after));
  }
  function useBar(p) {
    const granted = p.root ? "everything" : p.unknown ? "unknown" : number(p.granted);
    return el("span", { class: p.unknown ? "use unknown" : "use" }, el("span", { class: "bars", "aria-hidden": "true" }, width(el("i"), p.unknown || p.root ? 0 : share(p.used, p.granted))), el("span", { class: "nowrap" }, p.root ? granted : `${number(p.used)} of ${granted}`));
  }
  const open = (text) => el("button", { class: "open", type: "button", "aria-expanded": "false" }, text);
  const right = (text) => el("td", { class: "r" }, text);
  const policyLink = (name) => el("a", { href: "#policy/" + encodeURIComponent(name) }, el("code", null, name));

  const wantP = { query: "", kind: "", only: false };
  const principalTable = explorer({
    name: "principals", items: principals, size: 25, sortBy: 1, words: ["principal", "principals"],
    sorts: [(p) => p.name, (p) => p.risk, (p) => p.granted ? p.used / p.granted : 1, (p) => p.excess, (p) => p.requests, (p) => p.denied, (p) => p.last || 0],
    keep: (p) => words(p.text, wantP.query) && (!wantP.kind || p.kind === wantP.kind) && (!wantP.only || p.excess > 0),
    controls: (change) => [
      search("Search principals and policies", (value) => { wantP.query = value; change(); }),
      choose("Kind", [["", "All kinds"], ...values(principals, "kind").map((k) => [k, k])], (value) => { wantP.kind = value; change(); }),
      el("label", { class: "check" }, el("input", { type: "checkbox", onchange: (e) => { wantP.only = e.target.checked; change(); } }), "only over-privileged"),
    ],
    row: (p) => [
      el("th", { scope: "row" }, open(p.name), el("span", { class: "sub" }, [p.kind, p.mount].filter(Boolean).join(" · "))),
      el("td", null, riskBar(p.risk, p.after)), el("td", null, useBar(p)),
      right(number(p.excess)), right(number(p.requests)), right(number(p.denied)), el("td", { class: "nowrap" }, day(p.last)),
    ],
    more: (p) => {
      const about = [...(bySubject.get(p.name) || []), ...(p.id !== p.name && bySubject.get(p.id) || [])];
      return el("div", { class: "cols" },
        el("div", null, el("h4", null, "Why this risk"), p.parts.length ? list(p.parts, prose) : el("p", null, "Nothing beyond what it uses."), p.after === null ? null : el("p", { class: "muted small" }, `Risk ${p.risk} today, ${p.after} with the proposed policies.`)),
        el("div", null, el("h4", null, "Policies"), p.policies.length ? list(p.policies, policyLink) : el("p", null, "None."), p.unknown ? el("p", { class: "muted small" }, "One of them was not among the policies read: what it grants is unknown, and nothing is taken away.") : null),
        el("div", null, el("h4", null, "Seen"), list([
          `${number(p.pathsUsed)} of ${number(p.pathsGranted)} paths used`,
          p.first === null ? "never acted in the window" : `${day(p.first)} to ${day(p.last)}, on ${plural(p.days, "day", "days")}`,
          p.id])),
        about.length ? el("div", null, el("h4", null, "Findings"), list(about.slice(0, 12), findingLink)) : null);
    },
  });

  const wantY = { query: "", change: "" };
  const policyTable = explorer({
    name: "policies", items: policies, size: 25, sortBy: 2, words: ["policy", "policies"],
    sorts: [(p) => p.name, (p) => p.change, (p) => p.risk, (p) => p.holders.length, (p) => p.stanzas.length, (p) => p.capabilities ? p.used / p.capabilities : 1],
    keep: (p) => words(p.text, wantY.query) && (!wantY.change || p.change === wantY.change),
    controls: (change) => [
      search("Search policies", (value) => { wantY.query = value; change(); }),
      choose("Change", [["", "All"], ...values(policies, "change").map((k) => [k, k])], (value) => { wantY.change = value; change(); }),
    ],
    row: (p) => [
      el("th", { scope: "row" }, open(p.name), el("span", { class: "sub" }, p.file)), el("td", null, el("span", { class: "pill " + p.change }, p.change)),
      el("td", null, riskBar(p.risk, null)), right(number(p.holders.length)), right(number(p.stanzas.length)), right(`${number(p.used)} of ${number(p.capabilities)}`),
    ],
    more: (p) => {
      const stanzas = el("div", { class: "scroll" }, el("table", null, el("caption", { class: "sr" }, "Stanzas of " + p.name),
        el("thead", null, el("tr", null, ["Stanza", "Line", "Capability", "Requests", "Principals", "Last used", "State"].map((t, i) => el("th", { scope: "col", class: i === 1 || i === 3 || i === 4 ? "r" : null }, t)))),
        el("tbody", null, p.stanzas.slice(0, 200).flatMap((s) => (s.uses.length ? s.uses : [{ capability: "–", requests: 0, principals: 0, last: null, state: "" }]).map((u, index) => el("tr", null,
          el("td", null, index === 0 ? el("code", null, s.path) : ""), right(index === 0 ? String(s.line) : ""), el("td", null, u.capability), right(number(u.requests)), right(number(u.principals)),
          el("td", { class: "nowrap" }, day(u.last)), el("td", null, u.state ? el("span", { class: "pill " + u.state.replace(" ", "") }, u.state) : "")))))));
      const about = bySubject.get(p.name) || [];
      const fix = changeOf(p.name);
      return [stanzas, el("div", { class: "cols" },
        el("div", null, el("h4", null, "Holders"), el("p", null, p.holders.length ? p.holders.slice(0, 40).join(", ") + (p.holders.length > 40 ? `, and ${number(p.holders.length - 40)} more` : "") : "Nobody.")),
        el("div", null, el("h4", null, "Risk for one holder more"), p.parts.length ? list(p.parts, prose) : el("p", null, "None.")),
        about.length || fix ? el("div", null, fix ? el("p", null, el("a", { href: "#" + fix.id }, "The proposed change")) : null, about.length ? [el("h4", null, "Findings"), list(about.slice(0, 12), findingLink)] : null) : null)];
    },
  });

  function changeOf(policy) {
    return [...document.querySelectorAll("details.change")].find((node) => node.dataset.policy === policy) || null;
  }

  // Findings: a list of articles that open.
  const findingState = { page: 0, query: "", severity: "", rule: "", open: null };
  const FINDINGS_A_PAGE = 25;
  let shownFindings = findings;
  const findingCount = tools("findings", [
    search("Search findings", (value) => { findingState.query = value; findingState.page = 0; drawFindings(); }),
    choose("Severity", [["", "All severities"], ...SEVERITIES.filter((s) => findings.some((f) => f.severity === s)).map((s) => [s, s])], (value) => { findingState.severity = value; findingState.page = 0; drawFindings(); }),
    choose("Rule", [["", "All rules"], ...values(findings, "rule").map((r) => [r, r])], (value) => { findingState.rule = value; findingState.page = 0; drawFindings(); }),
  ]);
  function drawFindings() {
    shownFindings = findings.filter((f) => words(f.text, findingState.query) && (!findingState.severity || f.severity === findingState.severity) && (!findingState.rule || f.rule === findingState.rule));
    findingCount.textContent = shownFindings.length === findings.length ? plural(findings.length, "finding", "findings") : `${number(shownFindings.length)} of ${plural(findings.length, "finding", "findings")}`;
    const page = shownFindings.slice(findingState.page * FINDINGS_A_PAGE, (findingState.page + 1) * FINDINGS_A_PAGE);
    $('[data-list="findings"]').replaceChildren(...(page.length ? page.map(drawFinding) : [el("p", { class: "empty" }, findings.length ? "Nothing matches." : "No findings.")]));
    pager("findings", findingState, FINDINGS_A_PAGE, shownFindings.length, drawFindings);
  }
  function drawFinding(f) {
    const node = el("details", { class: "finding" }, el("summary", null,
      el("span", { class: "pill " + f.severity }, f.severity), el("h3", null, prose(f.title)), el("span", { class: "side" }, el("code", null, f.rule))));
    node.id = f.id;
    const fill = () => { if (!$(".body", node)) node.append(findingBody(f)); };
    node.addEventListener("toggle", () => { if (node.open) fill(); });
    node.fill = fill;
    if (findingState.open === f.id) { fill(); node.open = true; node.classList.add("hit"); }
    return node;
  }
  function findingBody(f) {
    const fields = [];
    const field = (name, ...value) => fields.push(el("dt", null, name), el("dd", null, ...value));
    field("About", `${f.kind} `, f.kind === "policy" ? policyLink(f.subject) : el("code", null, f.subject));
    if (f.places.length) field("Where", list(f.places.slice(0, 20), (p) => el("code", null, p)));
    if (f.evidence) field("Evidence", el("span", { class: "pill " + f.evidence.state.replace(" ", "") }, f.evidence.state), ` watched ${f.evidence.window} days, ${f.evidence.dwell} needed`, f.evidence.reasons.length ? list(f.evidence.reasons, prose) : null);
    if (f.remedy) field("What to do", ...prose(f.remedy));
    field("Link", el("a", { href: "#" + encodeURIComponent(f.id) }, "#" + f.id));
    const body = el("div", { class: "body" }, el("p", null, prose(f.detail)), el("dl", { class: "fields" }, fields));
    const fix = f.fixed && changeOf(f.fixed);
    if (fix) {
      const diff = $("pre.diff", fix);
      body.append(el("p", null, "Mended by the ", el("a", { href: "#" + fix.id }, "change to ", el("code", null, f.fixed)), ":"));
      if (diff) body.append(diff.cloneNode(true));
      const proof = $("[data-proof]");
      if (proof) body.append(el("div", { class: "why" }, el("span", null, el("b", null, "Why it is safe. "), proof.dataset.proof)));
    }
    return body;
  }

  // The matrix: groups first, a group opened into its members, many members in pages.
  const heat = data.heat;
  const heatState = { page: 0, row: null, column: null, used: false };
  const HEAT_ROWS = 40, HEAT_COLUMNS = 48, ALL = Symbol("all");
  const heatRowGroups = new Map(), heatColumnGroups = new Map();
  heat.rows.forEach((r, i) => { const g = r[1] || r[0]; if (!heatRowGroups.has(g)) heatRowGroups.set(g, []); heatRowGroups.get(g).push(i); });
  heat.columns.forEach((c, i) => { const g = c[1] || c[0]; if (!heatColumnGroups.has(g)) heatColumnGroups.set(g, []); heatColumnGroups.get(g).push(i); });
  const heatByRow = heat.rows.map(() => []);
  for (let i = 0; i < heat.cells.length; i += 4) heatByRow[heat.cells[i]]?.push(i);
  let heatCount = null;
  if (heat.rows.length) {
    heatCount = tools("heat", [el("div", { class: "crumbs" }), choose("What a cell counts", [["", "Never used"], ["used", "Used"], ["granted", "Granted"]], (value) => { heatState.used = value; drawHeat(); })]);
    heatState.used = "";
    // What fits is shown as it is: groups are for what does not.
    if (heat.rows.length <= HEAT_ROWS || heatRowGroups.size <= 4) heatState.row = ALL;
    if (heat.columns.length <= HEAT_COLUMNS || heatColumnGroups.size <= 4) heatState.column = ALL;
  }
  function lines(groups, items, opened) {
    // A line is a label, the members it sums up, and whether it can be opened.
    if (opened === null) return [...groups].map(([label, members]) => ({ label, members, group: label, size: members.reduce((sum, i) => sum + items[i][2], 0), opens: members.length > 1 }));
    const members = opened === ALL ? items.map((_, i) => i) : groups.get(opened);
    return members.map((i) => ({ label: items[i][0], members: [i], group: null, size: items[i][2], opens: false }));
  }
  function drawHeat() {
    if (!heat.rows.length) return;
    const columns = lines(heatColumnGroups, heat.columns, heatState.column);
    const columnOf = new Map();
    columns.forEach((line, at) => line.members.forEach((i) => columnOf.set(i, at)));
    const sums = columns.map(() => 0);
    const rows = lines(heatRowGroups, heat.rows, heatState.row).map((line) => {
      const granted = columns.map(() => 0), used = columns.map(() => 0);
      for (const member of line.members) for (const i of heatByRow[member]) {
        const at = columnOf.get(heat.cells[i + 1]);
        if (at === undefined) continue;
        granted[at] += heat.cells[i + 2]; used[at] += heat.cells[i + 3];
      }
      granted.forEach((value, at) => { sums[at] += value - used[at]; });
      return { ...line, granted, used, excess: granted.reduce((sum, value, at) => sum + Math.max(0, value - used[at]), 0) };
    });
    rows.sort((a, b) => b.excess - a.excess);
    let order = columns.map((_, at) => at);
    const hiddenColumns = Math.max(0, order.length - HEAT_COLUMNS);
    if (hiddenColumns) order = [...order].sort((a, b) => sums[b] - sums[a]).slice(0, HEAT_COLUMNS).sort((a, b) => a - b);
    const value = (row, at) => heatState.used === "used" ? row.used[at] : heatState.used === "granted" ? row.granted[at] : Math.max(0, row.granted[at] - row.used[at]);
    const most = Math.max(1, ...rows.map((row) => Math.max(...order.map((at) => value(row, at)), 0)));
    const tone = heatState.used === "used" ? "var(--heat-used)" : "var(--heat)";
    const crumbs = [];
    const level = (state, label, groups) => {
      const key = state === "row" ? heatRowGroups : heatColumnGroups;
      const now = heatState[state];
      if (key.size < 2) { crumbs.push(el("span", { class: "muted" }, label)); return; }
      const select = choose(label, [["groups", groups], ["all", "all " + label], ...(now !== null && now !== ALL ? [["one", now || "no group"]] : [])], (value) => {
        heatState[state] = value === "groups" ? null : value === "all" ? ALL : now;
        heatState.page = 0; drawHeat();
      });
      select.value = now === null ? "groups" : now === ALL ? "all" : "one";
      crumbs.push(select);
    };
    level("row", "principals", "principals by group");
    crumbs.push(el("span", { class: "muted", "aria-hidden": "true" }, "×"));
    level("column", "secrets", "secrets by mount");
    $('[data-tools="heat"] .crumbs').replaceChildren(...crumbs);
    heatCount.textContent = `${plural(rows.length, "row", "rows")}, ${plural(columns.length, "column", "columns")}` + (hiddenColumns ? `; the ${HEAT_COLUMNS} with most excess` : "");
    const page = rows.slice(heatState.page * HEAT_ROWS, (heatState.page + 1) * HEAT_ROWS);
    const table = el("table", { class: "heat" }, el("caption", { class: "sr" }, "Grants by principal and secret"),
      el("thead", null, el("tr", null, el("td"), order.map((at) => {
        const line = columns[at];
        const title = `${line.label}: ${plural(line.size, "path", "paths")}`;
        return el("th", { scope: "col", class: "col", title }, line.opens ? el("button", { type: "button", onclick: () => { heatState.column = line.group; drawHeat(); } }, line.label) : el("span", null, line.label));
      }))),
      el("tbody", null, page.map((row) => el("tr", null,
        el("th", { scope: "row", title: `${row.label}: ${plural(row.size, "principal", "principals")}` }, row.opens ? el("button", { type: "button", onclick: () => { heatState.row = row.group; heatState.page = 0; drawHeat(); } }, `${row.label} (${number(row.size)})`) : row.label),
        order.map((at) => heatCell(row, at, columns[at], value(row, at), most, tone))))));
    $("[data-heat]").replaceChildren(table);
    pager("heat", heatState, HEAT_ROWS, rows.length, drawHeat);
  }
  function heatCell(row, at, column, value, most, tone) {
    const granted = row.granted[at], used = row.used[at];
    if (granted === 0 && used === 0) return el("td", { class: "none" }, el("span", { class: "sr" }, "none"));
    const cell = el("td", { title: `${row.label} × ${column.label}: ${number(granted)} granted, ${number(used)} used, ${number(Math.max(0, granted - used))} never used` }, value > 0 ? compact(value) : "");
    const depth = value > 0 ? 14 + 62 * Math.log1p(value) / Math.log1p(most) : 0;
    cell.style.background = `color-mix(in srgb, ${tone} ${depth.toFixed(0)}%, var(--sunken))`;
    if (used > 0) cell.append(width(el("i", { "aria-hidden": "true" }), Math.max(4, share(used, granted))));
    return cell;
  }

  // Addresses: #fingerprint, #policy/NAME, #principal/ID, and the parts of the page.
  function follow() {
    let hash;
    try { hash = decodeURIComponent(location.hash.slice(1)); } catch { return; }
    if (!hash) return;
    const finding = findings.find((f) => f.id === hash);
    if (finding) {
      if (!shownFindings.includes(finding)) {
        Object.assign(findingState, { query: "", severity: "", rule: "" });
        for (const control of $('[data-tools="findings"]').querySelectorAll("input, select")) control.value = "";
        shownFindings = findings;
      }
      findingState.page = Math.floor(shownFindings.indexOf(finding) / FINDINGS_A_PAGE);
      findingState.open = finding.id;
      drawFindings();
      const node = document.getElementById(finding.id);
      node?.scrollIntoView();
      $("summary", node)?.focus({ preventScroll: true });
    } else if (hash.startsWith("policy/")) {
      const policy = policies.find((p) => p.name === hash.slice(7));
      if (policy) policyTable.show(policy);
    } else if (hash.startsWith("principal/")) {
      const principal = principals.find((p) => p.id === hash.slice(10) || p.name === hash.slice(10));
      if (principal) principalTable.show(principal);
    } else {
      const target = document.getElementById(hash);
      if (target instanceof HTMLDetailsElement) target.open = true;
    }
  }

  drawFindings();
  drawHeat();
  addEventListener("hashchange", follow);
  follow();

  // The part of the page that is being read, in the bar.
  const links = [...document.querySelectorAll(".bar nav a")];
  const parts = links.map((link) => document.getElementById(link.hash.slice(1))).filter(Boolean);
  const seen = new IntersectionObserver(() => {
    const at = parts.findLastIndex((part) => part.getBoundingClientRect().top < innerHeight * 0.35);
    links.forEach((link) => { if (link.hash === "#" + parts[Math.max(0, at)]?.id) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current"); });
  }, { rootMargin: "-30% 0px -60% 0px", threshold: [0, 1] });
  parts.forEach((part) => seen.observe(part));

  // On paper everything that is on the page is open.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const node of closed) { node.fill?.(); node.open = true; }
  });
  addEventListener("afterprint", () => { for (const node of closed) node.open = false; });
  root.dataset.ready = "true";
})();
