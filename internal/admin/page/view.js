// What a status looks like.
import { h } from "./dom.js";
import { bars, lines } from "./chart.js";

const number = (n) => n.toLocaleString("en");
const sum = (list) => list.reduce((a, b) => a + b, 0);
const time = (text) => new Date(text).toLocaleTimeString("en-GB");
const ms = (n) => (n === 0 ? "–" : n >= 1000 ? (n / 1000).toFixed(2) + " s" : n.toPrecision(3) + " ms");

export function about(s) {
  return `${s.version}, process ${s.pid}, ${s.state}; configuration of ${time(s.config.loaded)}, reloaded ${s.config.reloads} times`;
}

export function view(s, order) {
  return [troubles(s), ...s.pools.map((p) => pool(p, order)), failures(s.failures)];
}

function troubles(s) {
  const list = s.troubles.map((t) =>
    h("li", { class: t.level, "data-key": [t.pool, t.upstream, t.reason, t.text.slice(0, 12)].join(" ") },
      h("p", {}, h("strong", { class: t.level === "error" ? "bad" : "warn" }, t.level === "error" ? "Error" : "Warning"),
        t.pool ? [" in pool ", h("strong", {}, t.pool)] : "", t.upstream ? [", upstream ", h("code", {}, t.upstream)] : "",
        t.reason ? [" (", h("code", {}, t.reason), ")"] : ""),
      h("p", {}, t.text), h("p", {}, h("strong", {}, "What to do: "), t.do)));
  return h("section", { "data-key": "troubles", "aria-labelledby": "wrong" },
    h("h2", { id: "wrong" }, "What is wrong"),
    list.length ? h("ul", { class: "troubles" }, list) : h("p", { class: "good" }, "Nothing. Every upstream answers, and no client has seen an error in the last minute."));
}

function pool(p, order) {
  const escaped = sum(p.past.escaped), hidden = sum(p.past.absorbed), requests = sum(p.past.requests);
  return h("section", { class: "pool", "data-key": "pool " + p.name, "aria-label": "pool " + p.name },
    h("h2", {}, "Pool ", p.name, " ", h("small", { class: p.available ? "faint" : "bad" }, `${p.available} of ${p.upstreams.length} upstreams available, ${p.policy}`)),
    h("dl", { class: "tiles" },
      tile("Requests a second", p.demand.requests_per_second.toFixed(1), "last 10 s"),
      tile("Errors clients saw", number(escaped), `of ${number(requests)} in the last minute`, escaped ? "bad" : ""),
      tile("Errors hidden", number(hidden), "in the last minute", hidden ? "warn" : ""),
      tile("Refused", number(sum(p.past.refused)), "limits, clients that left", sum(p.past.refused) ? "warn" : ""),
      tile("In flight", number(p.in_flight), p.places ? `of ${p.places} places, ${Math.round(p.demand.utilisation * 100)} %` : "no limit"),
      tile("Waiting", number(p.demand.queued + p.waiting), `${p.demand.queued} queued, ${p.waiting} held`, p.demand.queued + p.waiting ? "warn" : "")),
    h("div", { class: "charts" },
      figure("Requests a second", Math.max(...p.past.requests), "", lines(p.past.requests)),
      figure("Errors a second: seen by clients (red), hidden", Math.max(...p.past.escaped.map((n, i) => n + p.past.absorbed[i])), "", bars(p.past.escaped, p.past.absorbed)),
      figure("Time to answer: slowest 1 % (blue), half", Math.max(...p.past.p99_ms), ms, lines(p.past.p99_ms, p.past.p50_ms))),
    upstreams(p, order), counts(p.counts));
}

function tile(name, value, note, level) {
  return h("div", {}, h("dt", {}, name), h("dd", { class: level || null }, value), h("dd", { class: "note" }, note));
}

function figure(name, most, form, drawing) {
  return h("figure", {}, h("figcaption", {}, `${name}; at most ${form ? form(most) : number(most)}`), drawing);
}

function upstreams(p, order) {
  const rows = p.upstreams.map((u) => h("tr", { "data-key": u.address },
    h("td", {}, h("code", {}, u.address), u.name ? h("div", { class: "faint" }, u.name) : null),
    h("td", { class: "why" }, verdict(u)),
    h("td", { "data-label": "Failed in the last minute" }, h("span", { class: u.last_minute.failed ? "bad" : null }, number(u.last_minute.failed)), ` of ${number(u.last_minute.attempts)}`, reasons(u.last_minute.reasons)),
    h("td", { "data-label": "Answers after" }, ms(u.last_minute.mean_ms)),
    h("td", { "data-label": "In flight" }, number(u.in_flight), u.max_in_flight ? ` of ${u.max_in_flight}` : ""),
    h("td", { "data-label": "Weight" }, `${u.weight}${u.tier ? ", tier " + u.tier : ""}`),
    h("td", {}, buttons(p, u, order))));
  if (!rows.length) return h("p", { class: "bad" }, "No upstream is known.");
  return h("table", { class: "upstreams" },
    h("thead", {}, h("tr", {}, ["Upstream", "State", "Failed in the last minute", "Answers after", "In flight", "Weight", "Change"].map((t) => h("th", { scope: "col" }, t)))),
    h("tbody", {}, rows));
}

function verdict(u) {
  const m = u.last_minute;
  if (u.available && m.attempts && m.failed === m.attempts) return [h("span", { class: "bad" }, "● tried"), ": every attempt on it fails"];
  const level = u.available ? (u.slow || u.trusted ? "warn" : "good") : u.operator === "ready" ? "bad" : "warn";
  return [h("span", { class: level }, u.available ? "● available" : "○ out"), u.why === "available" ? "" : ": " + u.why.replace(/^available; /, "")];
}

function reasons(all) {
  return Object.entries(all).map(([reason, n]) => h("div", {}, h("code", {}, reason), " ", number(n)));
}

function buttons(p, u, order) {
  const last = u.available && p.available === 1;
  const button = (text, state) => h("button", { // the first keeps the focus when it becomes its opposite
    type: "button", "data-key": state === "off" ? "off" : "first", "aria-label": `${text} ${u.address} in pool ${p.name}`, click: () => order(p.name, u.address, state, last),
  }, text);
  if (u.operator === "ready") return [button("Drain", "drain"), button("Off", "off")];
  return [button("Undrain", "ready"), u.operator === "drain" ? button("Off", "off") : null];
}

function counts(c) {
  const rows = [
    ...Object.entries(c.escaped).map(([why, n]) => ["seen by clients", why, n]),
    ...Object.entries(c.absorbed).flatMap(([by, all]) => Object.entries(all).map(([why, n]) => ["hidden by " + by, why === "none" ? "slow" : why, n])),
    ...Object.entries(c.refused).map(([why, n]) => ["no upstream's fault", why, n]),
  ];
  if (!rows.length) return h("p", { class: "faint" }, `Since the start: ${number(c.requests)} requests, and nothing failed.`);
  return h("details", { "data-key": "counts" }, h("summary", {}, `Since the start: ${number(c.requests)} requests, of which these failed, or would have`),
    h("table", {}, h("thead", {}, h("tr", {}, ["What became of it", "Reason", "Requests"].map((t) => h("th", { scope: "col" }, t)))),
      h("tbody", {}, rows.map(([what, why, n]) => h("tr", {}, h("td", { class: what === "seen by clients" ? "bad" : null }, what), h("td", {}, h("code", {}, why)), h("td", {}, number(n)))))));
}

function failures(list) {
  return h("section", { "data-key": "failures", "aria-labelledby": "latest" },
    h("h2", { id: "latest" }, "Latest failures, hidden or not"),
    list.length ? null : h("p", { class: "faint" }, "None is remembered."),
    list.map((q) => h("details", { "data-key": q.id },
      h("summary", {}, time(q.start), " ", h("code", {}, `${q.method} ${q.path}`), " ",
        q.absorbed_by ? h("span", { class: "warn" }, `${q.status}, hidden by ${q.absorbed_by}: ${q.hidden || "slow"}`) : h("span", { class: "bad" }, `${q.status} ${q.reason}`)),
      q.why.map((line) => h("p", {}, line)),
      h("p", { class: "faint" }, "Request ", h("code", {}, q.id)))));
}
