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
  const moment = (seconds) => seconds === null ? "" : new Date(seconds * 1000).toISOString().replace(".000", "");
  const share = (part, whole) => whole > 0 ? Math.min(100, 100 * part / whole) : 0;
  const plural = (value, one, many) => number(value) + " " + (value === 1 ? one : many);
  function width(node, percent) { node.style.width = percent.toFixed(1) + "%"; return node; }
  function list(items, draw) { return el("ul", null, items.map((item) => el("li", null, draw ? draw(item) : item))); }
  // The first of many; the others open, so that none is out of reach.
  function firstOf(items, most, draw) {
    if (items.length <= most) return list(items, draw);
    const others = el("details", { class: "others" }, el("summary", null, `and ${number(items.length - most)} more`), list(items.slice(most), draw));
    return el("div", null, list(items.slice(0, most), draw), others);
  }
  // Names stand between backticks in sentences.
  function prose(text) {
    const parts = text.split("`");
    return parts.length % 2 === 0 ? [text] : parts.map((part, at) => at % 2 ? el("code", null, part) : part);
  }
  // What everything on the page is narrowed to: a team, by the dimension that teams are told apart by.
  let scope = "", scopeNames = new Set(), dimension = "auth mount", heatByTeam = false;
  const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
  const SEVERITIES = ["critical", "high", "medium", "low", "info"];

  const pairs = (flat) => { const out = []; for (let i = 0; i < flat.length; i += 2) out.push([names[flat[i]], names[flat[i + 1]]]); return out; };
  // What becomes of something, by policy: three numbers each.
  const triples = (flat) => { const out = []; for (let i = 0; i < flat.length; i += 3) out.push({ what: flat[i], policy: names[flat[i + 1]], count: flat[i + 2] }); return out; };
  const stanzaRefs = data.stanzas.map((s) => ({ policy: s[0], path: s[1], place: s[2] }));
  const terraform = new Map(Object.entries(data.terraform)), ruleSays = new Map(Object.entries(data.rules));
  const UNUSED = data.unused.map((u) => ({ key: u[0], title: u[1], why: u[2], next: u[3] }));
  const GOES = 0;
  const principals = data.principals.map((r, at) => ({
    id: r[0], name: r[1], kind: names[r[2]], mount: names[r[3]], policies: r[4].map((i) => names[i]), granted: r[5], used: r[6], excess: r[7],
    pathsGranted: r[8], pathsUsed: r[9], requests: r[10], denied: r[11], first: r[12], last: r[13], days: r[14], risk: r[15], after: r[16], unknown: r[17] === 1, root: r[17] === 2, parts: r[18],
    namespace: r[19], marks: pairs(r[20]), unused: r[21], redesigned: r[22] === 1, shares: triples(r[23]), at,
  }));
  const policies = data.policies.map((r) => {
    const stanzas = r[3].map((s) => ({ path: s[0], line: s[1], uses: s[2].map((u) => ({ capability: names[u[0]], requests: u[1], principals: u[2], last: u[3], state: u[4], stays: u[5] })) }));
    const uses = stanzas.flatMap((s) => s.uses);
    return { name: r[0], file: r[1], holders: r[2].map((i) => names[i]), stanzas, risk: r[4], parts: r[5], change: r[6], capabilities: uses.length, used: uses.filter((u) => u.requests > 0).length };
  });
  const findings = data.findings.map((r, at) => ({
    at, id: r[0], rule: r[1], severity: r[2], title: r[3], detail: r[4], kind: r[5], subject: r[6], places: r[7],
    evidence: r[8] && { state: r[8][0], window: r[8][1], dwell: r[8][2], reasons: r[8][3] }, remedy: r[9], fixed: r[10], who: r[11].map((i) => names[i]), stays: r[12], said: r[13],
  }));
  for (const item of [...principals, ...policies, ...findings]) {
    item.text = [item.name, item.kind, item.mount, item.file, item.id, item.rule, item.title, item.subject, item.detail, ...(Array.isArray(item.policies) ? item.policies : [])].filter(Boolean).join("\n").toLowerCase();
  }
  // Names may be shared by several: a link goes to one only where it is the only one.
  const byName = new Map(), byId = new Map();
  for (const p of principals) { byName.set(p.name, byName.has(p.name) ? null : p); byId.set(p.id, p); }
  const policyHolders = new Map(policies.map((p) => [p.name, p.holders]));
  // A finding about a stanza or a capability has its policy in front of the path.
  const policyOf = (f) => f.kind === "policy" ? f.subject : f.kind === "stanza" || f.kind === "capability" ? f.subject.split(" ")[0] : null;
  // Findings by the policy that they are about, and by the principals: those that they are about, and all who are meant.
  const byPolicy = new Map(), byPrincipal = new Map();
  for (const finding of findings) {
    const note = (map, key) => { if (!map.has(key)) map.set(key, []); map.get(key).push(finding); };
    if (policyOf(finding) !== null) note(byPolicy, policyOf(finding));
    for (const name of new Set([...(finding.kind === "principal" ? [finding.subject] : []), ...finding.who])) note(byPrincipal, name);
  }
  // Who is meant: those who are named, else all who hold the policy that it is about.
  const whoOf = (f) => f.who.length ? f.who : policyHolders.get(policyOf(f)) || [];
  // What to do, of which the parts in the middle are policies to add.
  const [SAYS, GRANT, OR] = [0, 1, 2];
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
  function explorer({ name, items, size, sorts, sortBy, keep, row, more, controls, clear: forget, csv, words: [one, many] }) {
    const table = $(`[data-table="${name}"]`);
    const heads = [...table.tHead.rows[0].cells];
    const labels = heads.map((head) => head.textContent);
    const body = table.tBodies[0];
    const state = { page: 0, sort: sortBy, down: true, open: null };
    let shown = [];
    const redraw = () => { filter(); draw(); };
    const buttons = [];
    const box = $(`[data-tools="${name}"]`);
    const save = el("button", { class: "button", type: "button", onclick: () => download(name + ".csv", [csv.heads, ...shown.flatMap(csv.rows)]) }, "CSV");
    const count = tools(name, [...controls(() => { state.page = 0; redraw(); }), save]);
    function clear() {
      forget();
      for (const control of box.querySelectorAll("input, select")) { if (control.type === "checkbox") control.checked = false; else control.value = ""; }
    }
    heads.forEach((head, index) => {
      const key = sorts[index];
      if (!key) return;
      const label = head.textContent;
      buttons[index] = el("button", { class: "sort", type: "button", onclick: () => {
        if (state.sort === index) state.down = !state.down; else { state.sort = index; state.down = typeof key(items[0] || {}) !== "string"; }
        state.page = 0; redraw();
      } }, label);
      head.replaceChildren(buttons[index]);
    });
    function filter() {
      const key = sorts[state.sort];
      shown = items.filter(keep).map((item, index) => [key(item), index, item]);
      const sign = state.down ? -1 : 1;
      shown.sort((a, b) => (typeof a[0] === "string" ? a[0].localeCompare(b[0]) : a[0] - b[0]) * sign || a[1] - b[1]);
      shown = shown.map((entry) => entry[2]);
    }
    function draw(every) {
      heads.forEach((head, index) => { if (sorts[index]) head.setAttribute("aria-sort", index === state.sort ? (state.down ? "descending" : "ascending") : "none"); });
      count.textContent = shown.length === items.length ? plural(items.length, one, many) : `${number(shown.length)} of ${plural(items.length, one, many)}`;
      const rows = [];
      for (const item of every ? shown : shown.slice(state.page * size, (state.page + 1) * size)) {
        const cells = row(item);
        cells.forEach((cell, at) => { if (at > 0) cell.dataset.label = labels[at]; });
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
      pager(name, state, size, shown.length, () => draw());
    }
    redraw();
    return {
      redraw: () => { state.page = 0; redraw(); },
      // On paper the heads are words: a browser does not repeat a button's text on every sheet.
      print(on) { draw(on); heads.forEach((head, index) => { if (buttons[index]) head.replaceChildren(on ? labels[index] : buttons[index]); }); },
      show(item) {
        if (!shown.includes(item)) { clear(); filter(); }
        const at = shown.indexOf(item);
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
    const granted = p.unknown ? "unknown" : number(p.granted);
    const bar = width(el("i"), p.root ? 100 : p.unknown ? 0 : share(p.used, p.granted));
    return el("span", { class: p.unknown ? "use unknown" : p.root ? "use all" : "use" }, el("span", { class: "bars", "aria-hidden": "true" }, bar), el("span", { class: "nowrap" }, p.root ? `unlimited, ${plural(p.requests, "request", "requests")}` : `${number(p.used)} of ${granted}`));
  }
  const open = (text) => el("button", { class: "open", type: "button", "aria-expanded": "false" }, text);
  const right = (text) => el("td", { class: "r" }, text);
  const pageOf = (p) => "#principal/" + encodeURIComponent(p.id);
  const who = (name) => { const p = byName.get(name); return p ? el("a", { href: pageOf(p) }, name) : name; };
  const nameList = (all, most) => {
    const draw = (some) => some.flatMap((name, at) => [at ? ", " : null, who(name)]);
    if (all.length <= most) return el("p", null, draw(all));
    return el("div", null, el("p", null, draw(all.slice(0, most))), el("details", { class: "others" }, el("summary", null, `and ${number(all.length - most)} more`), el("p", null, draw(all.slice(most)))));
  };
  // What is not on this page is named, not linked to: the root policy, and those that there was no room for.
  const policyLink = (name) => policyHolders.has(name) ? el("a", { href: "#policy/" + encodeURIComponent(name) }, el("code", null, name)) : el("code", null, name);
  // Why something stays, with where it is counted.
  const lower = (text) => text.charAt(0).toLowerCase() + text.slice(1);
  const staysLink = (at) => { const u = UNUSED[at], words = lower(u.title); return $("#stays-" + u.key) ? el("a", { href: "#stays-" + u.key }, words) : words; };

  const wantP = { query: "", kind: "", only: false };
  const principalTable = explorer({
    name: "principals", items: principals, size: 25, sortBy: 1, words: ["principal", "principals"],
    sorts: [(p) => p.name, (p) => p.risk, (p) => p.granted ? p.used / p.granted : 1, (p) => p.excess, (p) => p.requests, (p) => p.denied, (p) => p.last || 0],
    keep: (p) => inScope(p) && words(p.text, wantP.query) && (!wantP.kind || p.kind === wantP.kind) && (!wantP.only || p.excess > 0 || p.root),
    clear: () => { Object.assign(wantP, { query: "", kind: "", only: false }); setScope(""); },
    csv: {
      heads: ["id", "name", "kind", "auth_mount", "namespace", "policies", "risk", "risk_after", "granted", "used", "excess", "goes", "paths_granted", "paths_used", "requests", "denied", "first_seen", "last_seen", "active_days", "grants_unknown"],
      rows: (p) => [[p.id, p.name, p.kind, p.mount, p.namespace, p.policies.join(" "), p.risk, p.after ?? "", p.unknown ? "unknown" : p.root ? "everything" : p.granted, p.used, p.excess, p.unused[GOES], p.pathsGranted, p.pathsUsed, p.requests, p.denied, moment(p.first), moment(p.last), p.days, p.unknown]],
    },
    controls: (change) => [
      search("Search principals and policies", (value) => { wantP.query = value; change(); }),
      choose("Kind", [["", "All kinds"], ...values(principals, "kind").map((k) => [k, k])], (value) => { wantP.kind = value; change(); }),
      el("label", { class: "check" }, el("input", { type: "checkbox", onchange: (e) => { wantP.only = e.target.checked; change(); } }), "only over-privileged"),
    ],
    row: (p) => [
      el("th", { scope: "row" }, open(p.name), el("span", { class: "sub" }, [p.kind, p.mount, p.namespace].filter(Boolean).join(" · "), ""), el("span", { class: "sub no-print" }, el("a", { href: pageOf(p) }, "what it used"))),
      el("td", null, riskBar(p.risk, p.after)), el("td", null, useBar(p)),
      right(p.root ? "–" : number(p.excess)), right(number(p.requests)), right(number(p.denied)), el("td", { class: "nowrap" }, day(p.last)),
    ],
    more: (p) => {
      const about = findingsOf(p);
      return el("div", { class: "cols" },
        el("div", null, el("h4", null, "Why this risk"), p.parts.length ? list(p.parts, prose) : el("p", null, "Nothing beyond what it uses."), p.after === null ? null : el("p", { class: "muted small" }, `Risk ${p.risk} today, ${p.after} with the proposed policies.`)),
        el("div", null, el("h4", null, "Policies"), p.policies.length ? list(p.policies, policyLink) : el("p", null, "None."), p.unknown ? el("p", { class: "muted small" }, "One of them was not among the policies read: what it grants is unknown, and nothing is taken away.") : null),
        el("div", null, el("h4", null, "Seen"), list([
          p.root ? "every path is open to it" : `${number(p.pathsUsed)} of ${number(p.pathsGranted)} paths used`,
          p.first === null ? "never acted in the window" : `${day(p.first)} to ${day(p.last)}, on ${plural(p.days, "day", "days")}`,
          p.id]), el("p", { class: "no-print" }, el("a", { href: pageOf(p) }, "What it used, and what it never did"))),
        about.length ? el("div", null, el("h4", null, "Findings"), firstOf(about, 12, findingLink)) : null);
    },
  });

  // What becomes of a capability: what nobody used goes, or stays for a reason.
  function stateOf(u, p) {
    if (!u.state) return "";
    if (u.state !== "in use" && u.stays !== null) return [el("span", { class: "pill keep" }, "stays"), el("span", { class: "sub" }, staysLink(u.stays))];
    const goes = u.state === "removable" && (p.change === "edit" || p.change === "delete");
    return el("span", { class: "pill " + u.state.replace(" ", "") }, goes ? "goes" : u.state === "removable" ? "unused" : u.state);
  }
  const STANZAS_SHOWN = 200;
  const wantY = { query: "", change: "" };
  const policyTable = explorer({
    name: "policies", items: policies, size: 25, sortBy: 2, words: ["policy", "policies"],
    sorts: [(p) => p.name, (p) => p.change, (p) => p.risk, (p) => p.holders.length, (p) => p.stanzas.length, (p) => p.capabilities ? p.used / p.capabilities : 1],
    keep: (p) => words(p.text, wantY.query) && (!wantY.change || p.change === wantY.change) && (!scope || p.holders.some((name) => scopeNames.has(name))),
    clear: () => { Object.assign(wantY, { query: "", change: "" }); setScope(""); },
    csv: {
      heads: ["policy", "file", "change", "holders", "path", "line", "capability", "requests", "principals", "last_used", "state", "stays"],
      rows: (p) => p.stanzas.flatMap((s) => s.uses.map((u) => [p.name, p.file, p.change, p.holders.length, s.path, s.line, u.capability, u.requests, u.principals, moment(u.last), u.state, u.stays === null ? "" : UNUSED[u.stays].key])),
    },
    controls: (change) => [
      search("Search policies", (value) => { wantY.query = value; change(); }),
      choose("Change", [["", "All"], ...values(policies, "change").map((k) => [k, k])], (value) => { wantY.change = value; change(); }),
    ],
    row: (p) => [
      el("th", { scope: "row" }, open(p.name), el("span", { class: "sub" }, p.file)), el("td", null, el("span", { class: "pill " + p.change }, p.change)),
      el("td", null, riskBar(p.risk, null)), right(number(p.holders.length)), right(number(p.stanzas.length)), right(el("span", { class: "nowrap" }, `${number(p.used)} of ${number(p.capabilities)}`)),
    ],
    more: (p) => {
      const stanzas = el("div", { class: "scroll" }, el("table", null, el("caption", { class: "sr" }, "Stanzas of " + p.name),
        el("thead", null, el("tr", null, ["Stanza", "Line", "Capability", "Requests", "Principals", "Last used", "State"].map((t, i) => el("th", { scope: "col", class: i === 1 || i === 3 || i === 4 ? "r" : null }, t)))),
        el("tbody", null, p.stanzas.slice(0, STANZAS_SHOWN).flatMap((s) => (s.uses.length ? s.uses : [{ capability: "–", requests: 0, principals: 0, last: null, state: "" }]).map((u, index) => el("tr", null,
          el("td", null, index === 0 ? el("code", null, s.path) : ""), right(index === 0 ? String(s.line) : ""), el("td", null, u.capability), right(number(u.requests)), right(number(u.principals)),
          el("td", { class: "nowrap" }, day(u.last)), el("td", null, stateOf(u, p))))))),
        p.stanzas.length > STANZAS_SHOWN ? el("p", { class: "muted small" }, `and ${number(p.stanzas.length - STANZAS_SHOWN)} more, in advice.json`) : null);
      const about = byPolicy.get(p.name) || [];
      const fix = changeOf(p.name);
      return [stanzas, el("div", { class: "cols" },
        el("div", null, el("h4", null, "Holders"), p.holders.length ? nameList(p.holders, 40) : el("p", null, "Nobody.")),
        el("div", null, el("h4", null, "Risk of a new holder"), p.parts.length ? list(p.parts, prose) : el("p", null, "None.")),
        about.length || fix ? el("div", null, fix ? el("p", null, el("a", { href: "#" + fix.id }, "The proposed change")) : null, about.length ? [el("h4", null, "Findings"), firstOf(about, 12, findingLink)] : null) : null)];
    },
  });

  const changes = [...document.querySelectorAll("details.change")];
  function changeOf(policy) {
    return changes.find((node) => node.dataset.policy === policy) || null;
  }

  // Findings: by rule, each an article that opens.
  const findingState = { page: 0, query: "", severity: "", rule: "", flat: false, open: null, every: false };
  const FINDINGS_A_PAGE = 25;
  let shownFindings = findings;
  const inFindings = (f) => !scope || f.who.some((name) => scopeNames.has(name)) || (f.kind === "principal" ? scopeNames.has(f.subject) : !policyHolders.has(policyOf(f)) || policyHolders.get(policyOf(f)).some((name) => scopeNames.has(name)));
  const findingsChange = (key) => (value) => { findingState[key] = value; findingState.page = 0; drawFindings(); };
  const findingCount = tools("findings", [
    search("Search findings", findingsChange("query")),
    choose("Severity", [["", "All severities"], ...SEVERITIES.filter((s) => findings.some((f) => f.severity === s)).map((s) => [s, s])], findingsChange("severity")),
    choose("Rule", [["", "All rules"], ...values(findings, "rule").map((r) => [r, r])], findingsChange("rule")),
    choose("Order", [["", "By rule"], ["flat", "One by one"]], findingsChange("flat")),
    el("button", { class: "button", type: "button", onclick: () => download("findings.csv", [["fingerprint", "severity", "rule", "title", "detail", "subject_kind", "subject", "place", "evidence", "remedy", "fixed_in", "stays", "who"], ...shownFindings.map((f) => [f.id, f.severity, f.rule, f.title, f.detail, f.kind, f.subject, f.places[0] || "", f.evidence ? f.evidence.state : "", f.remedy.filter(Boolean).join("\n\n"), f.fixed || "", f.stays === null ? "" : UNUSED[f.stays].key, f.who.join("; ")])]) }, "CSV"),
  ]);
  function drawFindings() {
    shownFindings = findings.filter((f) => inFindings(f) && words(f.text, findingState.query) && (!findingState.severity || f.severity === findingState.severity) && (!findingState.rule || f.rule === findingState.rule));
    findingCount.textContent = shownFindings.length === findings.length ? plural(findings.length, "finding", "findings") : `${number(shownFindings.length)} of ${plural(findings.length, "finding", "findings")}`;
    const box = $('[data-list="findings"]');
    if (!shownFindings.length) { box.replaceChildren(el("p", { class: "empty" }, findings.length ? "Nothing matches." : "No findings.")); pager("findings", findingState, FINDINGS_A_PAGE, 0, drawFindings); return; }
    if (findingState.flat) {
      const page = findingState.every ? shownFindings : shownFindings.slice(findingState.page * FINDINGS_A_PAGE, (findingState.page + 1) * FINDINGS_A_PAGE);
      box.replaceChildren(...page.map(drawFinding));
      pager("findings", findingState, FINDINGS_A_PAGE, shownFindings.length, drawFindings);
      return;
    }
    // In the order of the gravest finding of each rule.
    const rules = new Map();
    for (const f of shownFindings) { if (!rules.has(f.rule)) rules.set(f.rule, []); rules.get(f.rule).push(f); }
    box.replaceChildren(...[...rules].map(([rule, of]) => of.length === 1 ? drawFinding(of[0]) : drawRule(rule, of)));
    pager("findings", findingState, FINDINGS_A_PAGE, 0, drawFindings);
  }
  function drawRule(rule, of) {
    const about = [...new Set(of.map((f) => f.subject))];
    const body = el("div", { class: "of-rule" });
    const worst = SEVERITIES.find((s) => of.some((f) => f.severity === s));
    const node = el("details", { class: "finding rule" }, el("summary", null, el("span", { class: "pill " + worst }, worst),
      el("h3", null, prose(capital(ruleSays.get(rule) || rule)), el("span", { class: "sub" }, about.slice(0, 6).join(", ") + (about.length > 6 ? ` and ${number(about.length - 6)} more` : ""))),
      el("span", { class: "side" }, el("b", null, number(of.length)), " ", el("code", null, rule))), body);
    const state = { most: FINDINGS_A_PAGE };
    const draw = () => body.replaceChildren(...of.slice(0, state.most).map(drawFinding), of.length > state.most ? el("p", { class: "more-of" }, el("button", { class: "button", type: "button", onclick: () => { state.most += 100; draw(); } }, `${number(of.length - state.most)} more`)) : "");
    const fill = (every) => { if (every) state.most = of.length; if (every || !body.firstChild) draw(); };
    const at = of.findIndex((f) => f.id === findingState.open);
    if (at >= 0) { state.most = Math.max(state.most, at + 1); fill(); node.open = true; }
    node.addEventListener("toggle", () => { if (node.open) fill(); });
    node.fill = () => fill(true);
    return node;
  }
  function drawFinding(f) {
    const node = el("details", { class: "finding" }, el("summary", null,
      el("span", { class: "pill " + f.severity }, f.severity), el("h3", null, prose(capital(f.title))), el("span", { class: "side" }, el("code", null, f.rule))));
    node.id = f.id;
    const fill = () => { if (!$(".body", node)) node.append(findingBody(f)); };
    node.addEventListener("toggle", () => { if (node.open) fill(); });
    node.fill = fill;
    if (findingState.open === f.id) { fill(); node.open = true; node.classList.add("hit"); }
    return node;
  }
  // A string of TOML: what JSON writes, save for what TOML does not take as it is.
  const toml = (text) => JSON.stringify(text).replace(/[\u007f-\u009f\u2028\u2029]/g, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
  // Whoever pastes one has to say who answers for it, and why: without that it is refused.
  const lastDay = () => day(Date.now() / 1000 + 180 * 86400);
  const waiver = (f) => `# ${f.title.replace(/[^\x20-\x7e]/g, "?")}\n# For vault-advisor.toml. Fill in why, and who answers for it.\n[[waivers]]\nrule = ${toml(f.rule)}\nscope = ${toml(f.id)}\nreason = ""\nowner = ""\nexpires = "${lastDay()}"\n`;
  // What a change would take away from a policy is not one finding of one rule: a decision keeps all of it.
  const keeping = (nodes) => "# For vault-advisor.decisions.toml, which begins with the line: version = 1\n# Keeps these policies as they are. Fill in who answers for it, and why.\n" +
    nodes.map((node) => `\n[[decisions]]\nverdict = "postpone"\npolicy = ${toml(node.dataset.policy)}\nowner = ""\nreason = ""\nuntil = "${lastDay()}"\n`).join("");
  function remedyOf(f) {
    if (!f.remedy[GRANT]) return prose(f.remedy[SAYS]);
    return el("div", null, el("p", null, prose(f.remedy[SAYS])), el("pre", { class: "grant", tabindex: "0", "aria-label": "Stanzas to add" }, el("code", null, f.remedy[GRANT])),
      el("p", { class: "acts no-print" }, copyButton("Copy", () => f.remedy[GRANT] + "\n")), f.remedy[OR] ? el("p", null, prose(f.remedy[OR])) : null);
  }
  function findingBody(f) {
    const fields = [];
    const field = (name, ...value) => fields.push(el("dt", null, name), el("dd", null, ...value));
    const of = policyOf(f), rest = of !== null && f.kind !== "policy" ? f.subject.slice(of.length + 1) : "";
    field("About", `${f.kind} `, f.kind === "principal" ? who(f.subject) : of === null || !policyHolders.has(of) ? el("code", null, f.subject) : rest ? [el("code", null, rest), " of policy ", policyLink(of)] : policyLink(of));
    const meant = whoOf(f);
    if (meant.length) field(f.who.length ? "Who" : "Holders", nameList(meant, 12));
    if (f.places.length) field("Where", firstOf(f.places, 20, (p) => el("code", null, p)));
    if (f.evidence) field("Evidence", el("span", { class: "pill " + (f.stays === null ? f.evidence.state.replace(" ", "") : "keep") }, f.stays !== null && f.evidence.state === "removable" ? "watched long enough" : f.evidence.state), ` watched ${f.evidence.window} days, ${f.evidence.dwell} needed`, f.evidence.reasons.length ? list(f.evidence.reasons, prose) : null);
    if (f.said) field("Proposal", f.said.replace(/: .*/, ": "), staysLink(f.stays), ". ", prose(UNUSED[f.stays].why), " ", prose(UNUSED[f.stays].next));
    if (f.remedy[SAYS]) field(f.said ? "By hand" : "What to do", remedyOf(f));
    fields.push(el("dt", { class: "no-print" }, "If it is meant"), el("dd", { class: "no-print" }, copyButton("Copy a waiver for it", () => waiver(f))));
    field("Link", el("a", { href: "#" + encodeURIComponent(f.id) }, "#" + f.id));
    const body = el("div", { class: "body" }, el("p", null, prose(f.detail)), el("dl", { class: "fields" }, fields));
    if (f.rule === "escalation-path" && $("#escalations")) body.append(el("p", { class: "no-print" }, el("a", { href: "#escalations" }, "All ways to the same")));
    const fix = f.fixed && changeOf(f.fixed);
    if (fix) {
      const diff = $("pre.diff", fix);
      body.append(el("p", null, "Fixed by the ", el("a", { href: "#" + fix.id }, "change to ", el("code", null, f.fixed)), "."));
      // On paper the diff stands once, with its change.
      if (diff) { const copy = diff.cloneNode(true); copy.classList.add("no-print"); body.append(copy); }
      const proof = $("[data-proof]");
      if (proof) body.append(el("div", { class: "why" }, el("span", null, el("b", null, "Why it is safe. "), proof.dataset.proof)));
    }
    return body;
  }

  // The matrix: groups first, a group opened into its members, many members in pages.
  const heat = data.heat;
  const heatState = { page: 0, row: null, column: null, used: false, every: false };
  const HEAT_ROWS = 40, HEAT_ROWS_ON_PAPER = 1000, HEAT_COLUMNS = 48, ALL = Symbol("all");
  const heatRowGroups = new Map(), heatColumnGroups = new Map();
  function groupHeat() {
    heatRowGroups.clear();
    heat.rows.forEach((r, i) => {
      const p = byName.get(r[0]);
      if (scope && r[2] === 1 && !scopeNames.has(r[0])) return;
      const of = heatByTeam && p && r[2] === 1 ? teamsOf(p) : [r[1] || r[0]];
      // Who is of several teams stands with the first: each row counts once.
      const g = of[0] ?? "no " + dimension;
      if (!heatRowGroups.has(g)) heatRowGroups.set(g, []); heatRowGroups.get(g).push(i);
    });
  }
  heat.columns.forEach((c, i) => { const g = c[1] || c[0]; if (!heatColumnGroups.has(g)) heatColumnGroups.set(g, []); heatColumnGroups.get(g).push(i); });
  const heatByRow = heat.rows.map(() => []);
  groupHeat();
  for (let i = 0; i < heat.cells.length; i += 4) heatByRow[heat.cells[i]]?.push(i);
  let heatCount = null;
  const roots = principals.filter((p) => p.root).length;
  if (heat.rows.length) {
    heatCount = tools("heat", [el("div", { class: "crumbs" }), el("button", { class: "button", type: "button", onclick: saveHeat }, "CSV"), choose("What a cell counts", [["", "Never used"], ["used", "Used"], ["granted", "Granted"]], (value) => { heatState.used = value; drawHeat(); })]);
    heatState.used = "";
    // What fits is shown as it is: groups are for what does not.
    if (heat.rows.length <= HEAT_ROWS || heatRowGroups.size <= 4) heatState.row = ALL;
    if (heat.columns.length <= HEAT_COLUMNS || heatColumnGroups.size <= 4) heatState.column = ALL;
  }
  function lines(groups, items, opened) {
    // A line is a label, the members it sums up, and whether it can be opened.
    if (opened === null) return [...groups].map(([label, members]) => ({ label, members, group: label, size: members.reduce((sum, i) => sum + items[i][2], 0), opens: members.length > 1 }));
    const members = opened === ALL ? [...groups.values()].flat() : groups.get(opened) || [];
    return members.map((i) => ({ label: items[i][0], members: [i], group: null, size: items[i][2], opens: false }));
  }
  // Rows and columns as they are grouped now, whatever page is shown.
  function heatLines() {
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
    return { columns, sums, rows };
  }
  function saveHeat() {
    const { columns, rows } = heatLines(), out = [["principals", "secrets", "granted", "used", "excess"]];
    for (const row of rows) columns.forEach((column, at) => { if (row.granted[at] || row.used[at]) out.push([row.label, column.label, row.granted[at], row.used[at], Math.max(0, row.granted[at] - row.used[at])]); });
    download("matrix.csv", out);
  }
  function drawHeat() {
    if (!heat.rows.length) return;
    const { columns, sums, rows } = heatLines();
    const rootless = roots ? `; ${plural(roots, "root token has", "root tokens have")} no row: no policy limits ${roots === 1 ? "it" : "them"}` : "";
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
    heatCount.textContent = `${plural(rows.length, "row", "rows")}, ${plural(columns.length, "column", "columns")}` + (hiddenColumns ? `; the ${HEAT_COLUMNS} with most that was never used` : "") + (heat.omitted ? `; ${plural(heat.omitted, "principal is", "principals are")} left out, see advice.json` : "") + rootless;
    const page = heatState.every ? rows.slice(0, HEAT_ROWS_ON_PAPER) : rows.slice(heatState.page * HEAT_ROWS, (heatState.page + 1) * HEAT_ROWS);
    const table = el("table", { class: "heat" }, el("caption", { class: "sr" }, "Grants by principal and secret"),
      el("thead", null, el("tr", null, el("td"), order.map((at) => {
        const line = columns[at];
        const title = `${line.label}: ${plural(line.size, "path", "paths")}`;
        return el("th", { scope: "col", class: "col", title }, line.opens && !heatState.every ? el("button", { type: "button", onclick: () => { heatState.column = line.group; drawHeat(); } }, line.label) : el("span", null, line.label));
      }))),
      el("tbody", null, page.map((row) => el("tr", null,
        el("th", { scope: "row", title: `${row.label}: ${plural(row.size, "principal", "principals")}` }, row.opens ? el("button", { type: "button", onclick: () => { heatState.row = row.group; heatState.page = 0; drawHeat(); } }, `${row.label} (${number(row.size)})`) : row.label),
        order.map((at) => heatCell(row, at, columns[at], value(row, at), most, tone))))));
    // What says so on the screen stands in a bar that is not on paper.
    const left = [rows.length > page.length ? `${plural(rows.length - page.length, "row is", "rows are")} left out` : "", hiddenColumns ? `of the columns the ${HEAT_COLUMNS} with most that was never used are shown, ${number(hiddenColumns)} are not` : "", heat.omitted ? `${plural(heat.omitted, "principal is", "principals are")} in no row` : "", rootless.slice(2)].filter(Boolean);
    $("[data-heat]").replaceChildren(table, ...(heatState.every && left.length ? [el("p", { class: "muted small left-out" }, capital(left.join("; ")) + ": see advice.json.")] : []));
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

  // Teams: what principals are grouped and filtered by. One of them at a time is the scope of everything on the page.
  function teamsOf(p) {
    if (dimension === "kind") return [p.kind];
    if (dimension === "auth mount") return [p.mount || "none"];
    if (dimension === "namespace") return [p.namespace || "root"];
    return p.marks.filter(([mark]) => mark === dimension).map(([, value]) => value);
  }
  const dimensions = ["kind", "auth mount", "namespace", ...new Set(principals.flatMap((p) => p.marks.map(([mark]) => mark)))];
  if (dimensions.includes("group")) dimension = "group";
  function drawTeams() {
    const box = $("[data-teams]");
    const groups = new Map();
    let without = 0;
    for (const p of principals) {
      const of = teamsOf(p);
      if (!of.length) without++;
      for (const team of of) { if (!groups.has(team)) groups.set(team, []); groups.get(team).push(p); }
    }
    const sum = (of, value) => of.reduce((all, p) => all + value(p), 0);
    const bound = (of) => of.filter((p) => !p.root);
    const mean = (of, value) => { const some = bound(of); return some.length ? (sum(some, value) / some.length).toFixed(1).replace(/\.0$/, "") : "–"; };
    const rows = [...groups].map(([team, of]) => ({ team, of, excess: sum(of, (p) => p.excess), goes: sum(of, (p) => p.unused[GOES]) })).sort((a, b) => b.excess - a.excess || a.team.localeCompare(b.team));
    const cells = (r) => [r.team, r.of.length, sum(r.of, (p) => p.granted), sum(r.of, (p) => p.used), r.excess, r.goes, mean(r.of, (p) => p.risk), mean(r.of, (p) => p.after ?? p.risk), sum(r.of, (p) => p.requests), sum(r.of, (p) => p.denied)];
    const heads = ["Team", "Principals", "Granted", "Used", "Never used", "Goes", "Mean risk", "After", "Requests", "Denied"];
    const table = el("table", null, el("caption", { class: "sr" }, "Principals by " + dimension), el("thead", null, el("tr", null, heads.map((head, at) => el("th", { scope: "col", class: at ? "r" : null }, head)))),
      el("tbody", null, rows.slice(0, 200).map((r) => el("tr", { class: scope === r.team ? "chosen" : null }, cells(r).map((value, at) => {
        const cell = at === 0 ? el("th", { scope: "row" }, el("button", { class: "link", type: "button", "aria-pressed": String(scope === r.team), onclick: () => goTo(scope === r.team ? "" : r.team) }, r.team)) : right(typeof value === "number" ? number(value) : value);
        if (at) cell.dataset.label = heads[at];
        return cell;
      })))));
    box.replaceChildren(el("div", { class: "scroll" }, table));
    const several = sum(rows, (r) => r.of.length) > principals.length - without;
    const said = [plural(rows.length, "team", "teams"), without ? `${plural(without, "principal is", "principals are")} in none` : "", several ? "who is in several counts in each" : "", rows.length > 200 ? "the first 200 are shown" : "", data.nobody ? `${number(data.nobody)} requests are of no principal, and of no team` : ""].filter(Boolean).join("; ");
    tools("teams", [choose("Group by", dimensions.map((d) => [d, "By " + d.replace(/^metadata /, "")]), (value) => { if (scope) goTo(""); groupBy(value); $('[data-tools="teams"] select').focus(); }),
      el("button", { class: "button", type: "button", onclick: () => download("teams.csv", [heads, ...rows.map(cells)]) }, "CSV")]).textContent = said;
    $('[data-tools="teams"] select').value = dimension;
  }
  function groupBy(value) {
    dimension = value; heatByTeam = true;
    drawTeams(); groupHeat(); heatState.row = null; heatState.page = 0; drawHeat();
  }
  // A choice of team has an address of its own: it can be linked to, and the way back leads out of it.
  function goTo(team) {
    setScope(team);
    location.hash = team ? "team/" + encodeURIComponent(dimension) + "/" + encodeURIComponent(team) : "all";
  }
  // The plots and the way from today to proposed, of the principals in scope: drawn like those that the page holds of all.
  const [dumbbell, histogram] = document.querySelectorAll(".charts svg.plot"), bridge = $(".bridge tbody");
  let drawn = [];
  function shape(tag, attributes, ...children) {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...children);
    return node;
  }
  const label = (x, y, text, more) => shape("text", { x, y, ...more }, String(text));
  const atRight = { "text-anchor": "end" }, inMiddle = { "text-anchor": "middle" };
  function drawDumbbell(people) {
    const all = people.slice(0, 12), left = 190, top = 8, row = 25, height = top + row * all.length + 26;
    const x = (score) => left + 4.1 * Math.min(100, Math.max(0, score));
    return shape("svg", { class: "plot people", viewBox: `0 0 656 ${height}`, role: "img", "aria-label": `Risk of the riskiest principals of ${scope}, today and as proposed` },
      ...[0, 25, 50, 75, 100].flatMap((tick) => [shape("line", { class: "grid", x1: x(tick), x2: x(tick), y1: top, y2: height - 22 }), label(x(tick), height - 6, tick, inMiddle)]),
      ...all.map((p, at) => {
        const y = top + row * (at + 0.5), name = [...p.name];
        return shape("g", {}, shape("title", {}, p.after === null ? `${p.name}: ${p.risk} today` : `${p.name}: ${p.risk} today, ${p.after} proposed`),
          ...[["name", 26], ["name brief", 18]].map(([kind, most]) => label(left - 14, y + 4, name.length > most ? name.slice(0, most - 1).join("") + "…" : p.name, { class: kind, ...atRight })),
          ...(p.after === null ? [] : [shape("line", { class: "link", x1: x(p.after), x2: x(p.risk), y1: y, y2: y })]),
          shape("circle", { class: "before", cx: x(p.risk), cy: y, r: 5.5 }),
          ...(p.after === null ? [] : [shape("circle", { class: "after", cx: x(p.after), cy: y, r: 5.5 })]),
          label(Math.max(x(p.risk), x(p.after ?? 0)) + 10, y + 4, p.risk, { class: "num" }));
      }));
  }
  function drawHistogram(people) {
    const left = 14, step = 39.2, bottom = 312, bins = (scores) => scores.reduce((all, score) => { all[Math.min(9, Math.floor(score / 10))]++; return all; }, Array(10).fill(0));
    const before = bins(people.map((p) => p.risk)), after = bins(people.filter((p) => p.after !== null).map((p) => p.after)), most = Math.max(1, ...before, ...after);
    const tall = (value) => value ? Math.max(2, 270 * value / most) : 0;
    return shape("svg", { class: "plot", viewBox: "0 0 420 340", role: "img", "aria-label": `Principals of ${scope} by risk, today and as proposed` },
      shape("line", { class: "axis", x1: left, x2: left + 10 * step, y1: bottom, y2: bottom }),
      ...before.flatMap((today, bin) => {
        const then = after[bin], at = left + step * bin, apart = tall(today) - tall(then);
        // Two long numbers side by side would run into each other: one stands above the other.
        const lift = today && then && `${today}${then}`.length > 3 && Math.abs(apart) < 13 ? Math.max(0, apart) + 13 : 0;
        const bar = (kind, value, shift, up) => [shape("rect", { class: kind, x: at + step * shift, y: bottom - tall(value), width: step * 0.38, height: tall(value), rx: 2 }),
          ...(value ? [label(at + step * (shift + 0.19), bottom - tall(value) - 5 - up, value, { class: "num", "font-size": 10, ...inMiddle })] : [])];
        return [shape("g", {}, shape("title", {}, `risk ${bin * 10} to ${bin * 10 + 10}: ${today} today, ${then} proposed`), ...bar("before", today, 0.1, 0), ...bar("after", then, 0.52, lift)), label(at, bottom + 18, bin * 10, inMiddle)];
      }), label(left + 10 * step, bottom + 18, 100, inMiddle));
  }
  // The policies that grant it, the most first; the others open.
  function drawShares(shares) {
    const one = ([policy, count]) => [el("span", null, policyLink(policy), " " + number(count)), " "];
    const rest = shares.slice(6);
    return [...shares.slice(0, 6).flatMap(one), ...(rest.length ? [el("details", { class: "others" }, el("summary", null, `and ${number(rest.length)} more`), rest.flatMap(one))] : [])];
  }
  function drawBridge(people) {
    const own = bridge.cloneNode(true), today = people.reduce((all, p) => all + p.excess, 0);
    let left = today;
    for (const row of own.rows) {
      const at = UNUSED.findIndex((u) => row.id === "stays-" + u.key);
      const count = at < 0 ? (row === own.rows[0] ? today : today - people.reduce((all, p) => all + p.unused[GOES], 0)) : people.reduce((all, p) => all + p.unused[at], 0);
      if (at >= 0) left -= count;
      const wide = count ? Math.max(0.6, share(count, today)) : 0, part = $("rect + rect", row);
      part.setAttribute("width", wide);
      part.setAttribute("x", Math.min(at < 0 ? 0 : share(left, today), 100 - wide));
      row.cells[1].replaceChildren((at === GOES ? "−" : "") + number(count), ...(at < 0 ? [] : [el("span", { class: "sub" }, Math.round(share(count, today)) + " %")]));
      const shares = new Map();
      if (at >= 0) for (const p of people) for (const s of p.shares) if (s.what === at) shares.set(s.policy, (shares.get(s.policy) || 0) + s.count);
      row.cells[3].replaceChildren(...(at < 0 ? [] : drawShares([...shares].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0])))));
    }
    return own;
  }
  function drawPlots() {
    for (const [whole, own] of drawn) own.replaceWith(whole);
    drawn = [];
    if (!scope) return;
    const people = principals.filter((p) => inScope(p) && !p.root).sort((a, b) => b.risk - a.risk);
    for (const [whole, draw] of [[dumbbell, drawDumbbell], [histogram, drawHistogram], [bridge, drawBridge]]) if (whole) drawn.push([whole, draw(people)]);
    for (const [whole, own] of drawn) whole.replaceWith(own);
  }
  // The changes to begin with: of a team those that take most from its principals.
  const start = $(".start ol"), startsWith = start ? [...start.children] : [];
  function drawStart() {
    if (!start) return;
    $(".start .none-of-team")?.remove();
    if (!scope) { start.replaceChildren(...startsWith); return; }
    const goes = new Map();
    for (const p of principals) if (inScope(p)) for (const s of p.shares) if (s.what === GOES) goes.set(s.policy, (goes.get(s.policy) || 0) + s.count);
    const theirs = changes.filter((node) => !node.classList.contains("hidden")).sort((a, b) => (goes.get(b.dataset.policy) || 0) - (goes.get(a.dataset.policy) || 0));
    start.replaceChildren(...theirs.slice(0, Math.max(5, startsWith.length)).map((node) => {
      const reasons = [...node.querySelectorAll(".body > ul > li")], count = goes.get(node.dataset.policy) || 0, pill = $("summary .pill", node);
      return el("li", null, el("span", null, el("a", { href: "#" + node.id }, el("code", null, node.dataset.policy)), el("span", { class: "sub" }, count ? `${plural(count, "grant goes", "grants go")} from this team` : "takes no known path from this team")),
        el("span", null, reasons.length ? [...reasons[0].childNodes].map((one) => one.cloneNode(true)) : "", reasons.length > 1 ? el("span", { class: "muted small" }, ` and ${number(reasons.length - 1)} more`) : null), pill ? pill.cloneNode(true) : "");
    }));
    if (!theirs.length) start.after(el("p", { class: "empty none-of-team" }, "None of this team."));
  }
  function setScope(team) {
    if (scope === team) return;
    scope = team;
    scopeNames = new Set(principals.filter(inScope).map((p) => p.name));
    const bar = $("#scope");
    bar.hidden = !scope;
    bar.replaceChildren(...(scope ? [`Only ${dimension.replace(/^metadata /, "")} `, el("b", null, scope), `: ${plural(scopeNames.size, "principal", "principals")}, with their policies, changes, findings, escalations and plots. The figures at the top, the redesign and the coverage are of all. `, el("button", { class: "button no-print", type: "button", onclick: () => goTo("") }, "Show all")] : []));
    narrow(changes, (node) => (policyHolders.get(node.dataset.policy) || []));
    narrow(escalations, whoCan);
    for (const node of [...chosen]) if (node.classList.contains("hidden")) { node.tick.checked = false; chosen.delete(node); }
    drawChosen(); drawEscalations(); drawStart();
    principalTable.redraw(); policyTable.redraw(); findingState.page = 0; drawFindings(); groupHeat(); drawTeams(); drawPlots();
    heatState.page = 0; if (heatState.row !== ALL) heatState.row = null;
    drawHeat();
  }
  // Shows of several nodes those that somebody in scope has to do with, and says so where there is none.
  function narrow(nodes, names) {
    for (const node of nodes) node.classList.toggle("hidden", scope !== "" && !names(node).some((name) => scopeNames.has(name)));
    const card = nodes[0]?.parentElement;
    if (!card) return;
    $(":scope > .none-of-team", card)?.remove();
    if (nodes.every((node) => node.classList.contains("hidden"))) card.append(el("p", { class: "empty none-of-team" }, "None of this team."));
  }
  const escalations = [...document.querySelectorAll(".escalation")];
  // Who a way is open to: all who are listed, or the one in its head.
  function whoCan(node) { const all = [...node.querySelectorAll("details.who .name")]; return (all.length ? all : [$("h3 .name", node)]).map((name) => name.textContent); }
  function drawEscalations() {
    if (!escalations.length) return;
    const shown = escalations.filter((node) => !node.classList.contains("hidden"));
    const texts = (node, selector) => [...node.querySelectorAll(selector)].map((one) => one.textContent);
    const row = (node) => [whoCan(node).join("; "), $("h3", node).textContent, texts(node, ".chain .node").join(" → "), texts(node, ".steps li").join("; "), texts(node, ".also li").join("; ")];
    tools("escalations", [el("button", { class: "button", type: "button", onclick: () => download("escalations.csv", [["who", "what", "way", "steps", "other_ways"], ...shown.map(row)]) }, "CSV")])
      .textContent = shown.length === escalations.length ? plural(shown.length, "way", "ways") : `${number(shown.length)} of ${plural(escalations.length, "way", "ways")}`;
  }
  function drawRedesign() {
    const table = $("#redesign .tall table");
    if (!table) return;
    const rows = [...table.tBodies[0].rows];
    const stanzas = (cell) => [...cell.children].map((one) => one.textContent).join("; ");
    tools("redesign", [el("button", { class: "button", type: "button", onclick: () => download("redesign.csv", [["policy", "change", "holders", "grants"], ...rows.map((row) => [...[0, 1, 2].map((at) => row.cells[at].textContent), stanzas(row.cells[3])])]) }, "CSV")]).textContent = plural(rows.length, "policy", "policies");
  }
  // What was never used and why it stays, by policy: of all, or of the team that is chosen.
  function drawStays() {
    if (!bridge) return;
    for (const [at, shares] of data.bridge) {
      const cell = $("#stays-" + UNUSED[at].key)?.cells[3];
      cell?.replaceChildren(...drawShares(shares.map(([policy, count]) => [names[policy], count])));
    }
    const whole = data.bridge.map(([at, shares]) => [at, shares.map(([policy, count]) => [names[policy], count])]);
    const rows = () => {
      if (!scope) return whole;
      const sums = new Map();
      for (const p of principals) if (inScope(p)) for (const s of p.shares) { if (!sums.has(s.what)) sums.set(s.what, new Map()); const of = sums.get(s.what); of.set(s.policy, (of.get(s.policy) || 0) + s.count); }
      return [...sums].sort((a, b) => a[0] - b[0]).map(([at, of]) => [at, [...of].sort((a, b) => b[1] - a[1])]);
    };
    tools("stays", [el("button", { class: "button", type: "button", onclick: () => download("stays.csv", [["what", "title", "policy", "grants"], ...rows().flatMap(([at, shares]) => shares.map(([policy, count]) => [UNUSED[at].key, UNUSED[at].title, policy, count]))]) }, "CSV")]);
  }
  function drawCoverage() {
    const rows = [["what", "value", "lines", "first_at"]], box = $("#coverage");
    for (const dt of box.querySelectorAll(".facts dt")) rows.push([dt.textContent, dt.nextElementSibling.textContent, "", ""]);
    for (const tr of box.querySelectorAll("tbody tr")) rows.push(["Lines skipped", tr.cells[0].textContent, tr.cells[1].textContent.replaceAll(",", ""), tr.cells[2].textContent]);
    for (const ul of box.querySelectorAll("h3 + ul")) for (const li of ul.children) rows.push([ul.previousElementSibling.textContent, li.textContent, "", ""]);
    tools("coverage", [el("button", { class: "button", type: "button", onclick: () => download("coverage.csv", rows) }, "CSV")]);
  }
  function inScope(p) { return !scope || teamsOf(p).includes(scope); }
  // The gravest first, as all of them.
  function findingsOf(p) { return [...new Set([p.name, p.id].flatMap((key) => byPrincipal.get(key) || []))].sort((a, b) => a.at - b.at); }

  // The page of one principal.
  const page = $("#page");
  let back = 0;
  function timeline(marks, days) {
    const [, count, each] = data.days, parts = Math.ceil(count / each), stops = [];
    for (let i = 0; i < marks.length; i += 2) {
      const from = 100 * marks[i] / parts, to = 100 * (marks[i + 1] + 1) / parts;
      stops.push(`transparent ${from}%, var(--used) ${from}% ${to}%, transparent ${to}%`);
    }
    const node = el("span", { class: "days", role: "img", "aria-label": days });
    if (stops.length) node.style.backgroundImage = `linear-gradient(90deg, ${stops.join(", ")})`;
    return node;
  }
  // Where it has to be broken, a path is broken after a slash.
  const slashed = (path) => path.split(/(?<=\/)/).flatMap((part, at) => at ? [el("wbr"), part] : [part]);
  // A place is broken before its line, never in its number.
  const place = (text) => { const at = text.lastIndexOf(":"); return at < 0 ? slashed(text) : [...slashed(text.slice(0, at)), el("wbr"), el("span", { class: "nowrap" }, text.slice(at))]; };
  const refLink = (s) => el("span", { class: "ref" }, policyLink(s.policy), " ", el("code", null, slashed(s.path)), el("span", { class: "sub" }, place(s.place)));
  function table(caption, heads, rows) {
    return el("div", { class: "scroll" }, el("table", null, el("caption", { class: "sr" }, caption),
      el("thead", null, el("tr", null, heads.map(([text, kind]) => el("th", { scope: "col", class: kind || null }, text)))),
      el("tbody", null, rows.map((cells) => el("tr", null, cells.map((cell, at) => { if (at) cell.dataset.label = heads[at][0]; return cell; }))))));
  }
  // The redesign is pointed at where it gives this principal other policies.
  const nextOf = (u, p) => u.key === "shared" && p.redesigned ? u.next.replace(/\.$/, ": the redesign shows how.") : u.next;
  function drawPage(p) {
    const account = data.accounts[p.at];
    const tile = (title, value, text) => el("div", { class: "card kpi" }, el("h3", null, title), el("div", { class: "value" }, value), text ? el("p", null, text) : null);
    const stays = p.excess - p.unused[GOES];
    const parts = p.unused.map((count, at) => ({ count, ...UNUSED[at] })).filter((u) => u.count > 0);
    const body = [
      el("p", { class: "crumb" }, el("a", { href: "#principals" }, "← All principals")),
      el("h1", { id: "page-h", tabindex: "-1" }, el("span", { class: "name" }, p.name)),
      el("p", { class: "lede" }, [p.kind, p.mount, p.namespace && "namespace " + p.namespace, p.id, ...p.marks.map(([mark, value]) => `${mark.replace(/^metadata /, "")}: ${value}`)].filter(Boolean).join(" · ")),
      el("div", { class: "kpis" },
        tile("Risk, 0 to 100", p.after === null || p.after === p.risk ? String(p.risk) : `${p.risk} → ${p.after}`, p.after === null || p.root ? "" : p.after === p.risk ? "the same with the changes" : "with the changes"),
        tile("Used of granted", p.root ? "unlimited" : p.unknown ? `${number(p.used)} of unknown` : `${number(p.used)} of ${number(p.granted)}`, p.root ? "no policy limits a root token" : `capabilities on known paths; ${number(p.pathsUsed)} of ${number(p.pathsGranted)} paths`),
        tile("Never used", p.root ? "–" : number(p.excess), p.root ? "" : `${number(p.unused[GOES])} go with the changes, ${number(stays)} stay`),
        tile("Requests", number(p.requests), `${number(p.denied)} denied`),
        tile("Days with requests", number(p.days), p.first === null ? "never acted in the window" : `${day(p.first)} to ${day(p.last)}`)),
    ];
    const next = [], about = findingsOf(p);
    // What is grave, and what is about this principal alone.
    const first = about.filter((f) => f.severity === "critical" || (f.kind === "principal" && f.who.length <= 1));
    for (const f of first.slice(0, 3)) next.push(el("li", null, findingLink(f), ". ", prose(f.remedy[GRANT] ? f.remedy[SAYS].replace(/:$/, "") + " the stanzas of this finding." : f.remedy[SAYS])));
    if (first.length > 3) next.push(el("li", null, `${plural(first.length - 3, "more is", "more are")} among the findings below.`));
    if (p.unused[GOES] > 0) {
      const changes = [...new Set(p.policies)].map((name) => [name, changeOf(name)]).filter(([, node]) => node);
      next.push(el("li", null, `Apply the changes of ${changes.length === 1 ? "the policy" : "the policies"} `, changes.flatMap(([name, node], at) => [at ? ", " : null, el("a", { href: "#" + node.id }, el("code", null, name))]), `: ${plural(p.unused[GOES], "grant goes", "grants go")}.`));
    }
    const most = parts.filter((u) => u.key !== "goes").sort((a, b) => b.count - a.count);
    for (const u of most.slice(0, 2)) next.push(el("li", null, `${number(u.count)} stay: ${lower(u.title)}. `, prose(nextOf(u, p))));
    if (p.root) next.push(el("li", null, "Revoke the root token, and give whoever used it a policy for what is listed below."));
    else if (p.unknown) next.push(el("li", null, "One of its policies was not among those read: export it too."));
    if (!next.length) next.push(el("li", null, "Nothing to do: it used all that it is granted."));
    body.push(el("div", { class: "card pad next" }, el("h2", null, "Next step"), el("ol", null, next)));
    if (!account) {
      body.push(el("p", { class: "card pad" }, "To stay small, this page leaves out what this principal used: see ", el("code", null, "principals[].account"), " of advice.json."));
    } else {
      const [uses, usesTotal, rights, rightsTotal] = account;
      const heads = [["Path"], ["Capability"], ["Requests", "r"], ["Denied", "r"], ["First"], ["Last"], ["Log line"], ["Days", "wide"], ["Allowed by"]];
      const useRows = uses.map((u) => ({ path: names[u[0]], capability: names[u[1]], allowed: u[2], denied: u[3], first: u[4], last: u[5], days: u[6], by: u[7], example: u[8] && `${names[u[8][0]]}:${u[8][1]}` }));
      const said = (u) => `from ${day(u.first)} to ${day(u.last)}`;
      const sum = useRows.reduce((all, u) => all + u.allowed + u.denied, 0);
      body.push(el("div", { class: "card" }, el("div", { class: "tools" }, el("h2", null, "What it asked for"),
        el("span", { class: "count" }, plural(usesTotal, "path and capability", "paths and capabilities") + (uses.length < usesTotal ? `; the ${number(uses.length)} most frequent are here, ${number(sum)} of ${number(p.requests)} requests` : `, ${plural(p.requests, "request", "requests")}`)),
        el("button", { class: "button no-print", type: "button", onclick: () => download(p.name + ".csv", [["path", "capability", "allowed", "denied", "first", "last", "log_line", "allowed_by"], ...useRows.map((u) => [u.path, u.capability, u.allowed, u.denied, day(u.first), day(u.last), u.example || "", typeof u.by === "string" ? u.by : u.by.map((s) => `${stanzaRefs[s].policy} ${stanzaRefs[s].path} ${stanzaRefs[s].place}`).join("; ")])]) }, "CSV")),
        uses.length ? table("What it asked for", heads, useRows.map((u) => [
          el("th", { scope: "row" }, el("code", null, slashed(u.path))), el("td", null, u.capability), right(number(u.allowed + u.denied)), right(u.denied ? number(u.denied) : "–"), el("td", { class: "nowrap" }, day(u.first)), el("td", { class: "nowrap" }, day(u.last)),
          el("td", { class: "paths" }, u.example ? el("code", null, place(u.example)) : el("span", { class: "muted" }, "–")),
          el("td", { class: "wide" }, timeline(u.days, said(u))),
          el("td", null, typeof u.by === "string" ? el("span", { class: "muted" }, u.by) : u.by.map((s) => refLink(stanzaRefs[s]))),
        ])) : el("p", { class: "empty" }, "Nothing in the window."),
        uses.length ? el("p", { class: "muted small pad-side" }, "A line is one path with one capability, however often it was asked for. “Used” below counts grants: a request that needs ", el("code", null, "sudo"), " as well uses two, and one that was denied or needs no grant uses none.") : null));
      if (!p.root) body.push(el("div", { class: "card" }, el("div", { class: "tools" }, el("h2", null, "What it could do, by stanza"), el("span", { class: "count" }, `${plural(rightsTotal, "stanza", "stanzas")}` + (rights.length < rightsTotal ? `; the first ${number(rights.length)} are here` : `: ${number(p.used)} used, ${number(p.excess)} never, ${number(p.granted)} in all`)),
        el("button", { class: "button no-print", type: "button", onclick: () => download(p.name + "-could.csv", [["stanzas", "granted", "used", "never", "goes", "why_the_rest_stays", "never_touched"], ...rights.map(([refs, granted, used, goes, why, examples]) => [refs.map((s) => `${stanzaRefs[s].policy} ${stanzaRefs[s].path} ${stanzaRefs[s].place}`).join("; "), granted, used, granted - used, goes, why === null ? "" : UNUSED[why].title, examples.map((path) => names[path]).join("; ")])]) }, "CSV")),
        rights.length ? table("What it could do, by stanza", [["Stanza"], ["Granted", "r"], ["Used", "r"], ["Never", "r"], ["Goes", "r"], ["Why the rest stays"], ["Never touched, for example"]], rights.map(([refs, granted, used, goes, why, examples]) => [
          el("th", { scope: "row" }, refs.length ? refs.map((s) => refLink(stanzaRefs[s])) : "root policy"), right(number(granted)), right(number(used)), right(number(granted - used)), right(goes ? number(goes) : "–"),
          el("td", null, why === null ? el("span", { class: "muted" }, "–") : el("span", { title: UNUSED[why].why.replaceAll("`", "") }, UNUSED[why].title)),
          el("td", { class: "paths" }, examples.length ? examples.map((path) => el("code", null, names[path])) : el("span", { class: "muted" }, "–")),
        ])) : el("p", { class: "empty" }, p.unknown ? "Its policies were not read." : "Nothing on any known path.")));
    }
    if (parts.length) body.push(el("div", { class: "card pad" }, el("h2", null, "What happens to what it never used"), el("ul", { class: "fates" }, parts.map((u) => el("li", null, el("span", { class: "fate " + u.key }, el("span", { class: "bars", "aria-hidden": "true" }, width(el("i"), Math.max(0.6, share(u.count, p.excess)))), el("b", null, number(u.count))), el("span", null, el("a", { href: "#stays-" + u.key }, u.title), el("span", { class: "sub" }, prose(u.why))))))));
    body.push(el("div", { class: "cols card pad" },
      el("div", null, el("h4", null, "Why this risk"), p.parts.length ? list(p.parts, prose) : el("p", null, "Nothing beyond what it uses.")),
      el("div", null, el("h4", null, "Policies"), p.policies.length ? list(p.policies, policyLink) : el("p", null, "None.")),
      el("div", null, el("h4", null, "Findings"), about.length ? firstOf(about, 12, findingLink) : el("p", null, "None."))));
    page.replaceChildren(...body);
  }
  function showPage(p) {
    if (page.hidden) back = scrollY;
    drawPage(p);
    page.hidden = false;
    root.dataset.view = "page";
    document.title = p.name + " · Vault access review";
    scrollTo({ top: 0, behavior: "instant" });
    $("#page-h").focus({ preventScroll: true });
  }
  function hidePage() {
    if (page.hidden) return false;
    page.hidden = true;
    page.replaceChildren();
    delete root.dataset.view;
    document.title = "Vault access review";
    return true;
  }

  // What is chosen of the changes: their diffs and their Terraform, to paste.
  function copyButton(label, text, kind) {
    const button = el("button", { class: kind || "button", type: "button" }, label);
    const said = (words) => { button.textContent = words; setTimeout(() => { button.textContent = label; }, 1600); };
    button.addEventListener("click", () => copy(text()).then(() => said("Copied"), () => said("Cannot copy here")));
    return button;
  }
  async function copy(text) {
    if (navigator.clipboard && isSecureContext) { try { return await navigator.clipboard.writeText(text); } catch { /* another way is tried */ } }
    const area = el("textarea", { "aria-hidden": "true", class: "sr" });
    area.value = text; document.body.append(area); area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) throw new Error("no clipboard");
  }
  // A field that a spreadsheet would take for a formula gets a mark in front that says it is text.
  function csvField(value) {
    let text = String(value);
    if (typeof value === "string" && /^\s*[=+\-@]/.test(text)) text = "'" + text;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }
  const csvText = (rows) => rows.map((row) => row.map(csvField).join(",") + "\r\n").join("");
  function download(name, rows) {
    const url = URL.createObjectURL(new Blob([csvText(rows)], { type: "text/csv" }));
    const link = el("a", { href: url, download: name.replace(/[^\w.-]+/g, "-") });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  }
  const diffText = (node) => [...$("pre.diff code", node).children].map((line) => line.textContent + "\n").join("");
  const chosen = new Set();
  for (const node of changes) {
    const diff = $("pre.diff", node);
    const exact = diff && diff.dataset.exact === "true";
    if (exact) diff.before(el("p", { class: "acts no-print" }, copyButton("Copy the diff", () => diffText(node))));
    const tick = el("input", { type: "checkbox", "aria-label": "Choose the change of " + node.dataset.policy, onclick: (e) => e.stopPropagation(), onchange: () => { if (tick.checked) chosen.add(node); else chosen.delete(node); drawChosen(); } });
    $("summary", node).prepend(el("span", { class: "tick no-print" }, tick));
    node.tick = tick;
  }
  function drawChosen() {
    const box = $('[data-tools="changes"]');
    if (!box) return;
    const open = changes.filter((node) => !node.classList.contains("hidden"));
    const list = open.filter((node) => chosen.has(node));
    const withDiff = list.filter((node) => $("pre.diff", node)?.dataset.exact === "true");
    const withTerraform = list.filter((node) => terraform.has(node.dataset.policy));
    const all = el("input", { type: "checkbox", onchange: () => { for (const node of open) { node.tick.checked = all.checked; if (all.checked) chosen.add(node); else chosen.delete(node); } drawChosen(); } });
    all.checked = open.length > 0 && list.length === open.length;
    const missing = list.length - withDiff.length;
    box.replaceChildren(el("label", { class: "check" }, all, "all"),
      ...(list.length ? [withDiff.length ? copyButton("Copy diffs", () => withDiff.map(diffText).join("")) : null, withTerraform.length ? copyButton("Copy Terraform", () => withTerraform.map((node) => terraform.get(node.dataset.policy)).join("\n")) : null, copyButton("Copy waivers", () => keeping(list))] : []).filter(Boolean),
      el("span", { class: "count", role: "status" }, list.length ? `${number(list.length)} of ${plural(open.length, "change", "changes")} chosen` + (missing ? `; the diffs of ${number(missing)} are in diffs/` : "") : (open.length < changes.length ? `${number(open.length)} of ${plural(changes.length, "change", "changes")}; ` : "") + "choose changes to copy their diffs, their Terraform, or waivers that keep the policies as they are"));
    box.hidden = open.length === 0;
  }

  // Addresses: #fingerprint, #policy/NAME, #principal/ID, #team/BY/NAME, #all, and the parts of the page.
  function miss(words) {
    const bar = $("#missing");
    bar.hidden = !words;
    bar.textContent = words;
    if (words) scrollTo({ top: 0, behavior: "instant" });
  }
  function follow() {
    let hash;
    try { hash = decodeURIComponent(location.hash.slice(1)); } catch { return; }
    const principal = hash.startsWith("principal/") ? byId.get(hash.slice(10)) || byName.get(hash.slice(10)) : null;
    if (principal) { showPage(principal); miss(""); return; }
    // Back to where the reader was, unless the address says where to go.
    const was = hidePage();
    if (was && (!hash || hash === "principals")) scrollTo({ top: back, behavior: "instant" });
    miss("");
    if (!hash || hash === "all") { setScope(""); return; }
    if (hash.startsWith("principal/")) { miss(`There is no principal “${hash.slice(10)}” on this page, or several have this name.`); return; }
    if (hash.startsWith("team/")) {
      const [of, team] = location.hash.slice(6).split("/").map((part) => decodeURIComponent(part));
      if (!dimensions.includes(of)) { miss(`Nothing on this page is grouped by “${of}”.`); return; }
      if (dimension !== of) { setScope(""); groupBy(of); }
      if (principals.some((p) => teamsOf(p).includes(team))) setScope(team); else miss(`There is no team “${team}” on this page.`);
      return;
    }
    const finding = findings.find((f) => f.id === hash);
    if (finding) {
      if (!shownFindings.includes(finding)) {
        Object.assign(findingState, { query: "", severity: "", rule: "" });
        setScope("");
        for (const control of $('[data-tools="findings"]').querySelectorAll("input, select")) if (control.getAttribute("aria-label") !== "Order") control.value = "";
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
      if (policy) policyTable.show(policy); else miss(`There is no policy “${hash.slice(7)}” on this page.`);
    } else {
      const target = document.getElementById(hash);
      if (!target) { miss(`There is nothing called “${hash}” on this page.`); return; }
      // A link to what the team hides shows all.
      if (target?.classList.contains("hidden")) { setScope(""); target.scrollIntoView(); }
      if (target instanceof HTMLDetailsElement) target.open = true;
      if (was && hash !== "principals") target?.scrollIntoView();
    }
  }

  if (principals.length) drawTeams();
  drawChosen();
  drawFindings();
  drawHeat();
  drawEscalations();
  drawRedesign();
  drawStays();
  drawCoverage();
  for (const node of document.querySelectorAll("details.others .name")) node.replaceChildren(who(node.textContent));
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

  // On paper every row is there, and everything that is on the page is open.
  let closed = [];
  addEventListener("beforeprint", () => {
    if (!page.hidden) return;
    principalTable.print(true); policyTable.print(true);
    findingState.every = true; drawFindings();
    heatState.every = true; drawHeat();
    for (let open = true; open;) {
      const more = [...document.querySelectorAll("details:not([open])")];
      closed.push(...more);
      for (const node of more) { node.fill?.(); node.open = true; }
      open = more.length > 0;
    }
  });
  addEventListener("afterprint", () => {
    if (!page.hidden) return;
    for (const node of closed) node.open = false;
    closed = [];
    findingState.every = false;
    heatState.every = false; drawHeat();
    principalTable.print(false); policyTable.print(false); drawFindings();
  });
  root.dataset.ready = "true";
})();
