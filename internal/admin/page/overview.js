// The first screen: what is wrong, then a line for each pool.
import { h } from "./dom.js";
import { pips, spark } from "./spark.js";
import { levels, shape } from "./state.js";
import { troubles } from "./trouble.js";
import { poolLink } from "./link.js";
import { changes } from "./changes.js";
import { events } from "./events.js";
import { failures } from "./failures.js";
import { mirrors, splits } from "./splits.js";
import { count, many, ms, rate, sum } from "./format.js";

const columns = [
  { name: "name", title: "Pool", text: true },
  { name: "share", title: "Available", text: true, hint: "available upstreams, out of all" },
  { name: "requests_per_second", title: "Req/s", hint: "average of the last 10 seconds" },
  { title: "Last 10 min", text: true, hint: "requests; red marks below show errors that clients saw" },
  { name: "escaped", title: "Errors seen", hint: "gateway errors that clients saw in the last minute" },
  { name: "hidden", title: "Hidden", hint: "errors hidden from clients in the last minute" },
  { name: "made_faster", minor: true, title: "Faster", hint: "requests answered sooner by a hedge in the last minute" },
  { name: "p50_ms", minor: true, title: "p50", hint: "time to the end of the response, last minute" },
  { name: "p99_ms", title: "p99", hint: "time to the end of the response, last minute" },
  { name: "in_flight", minor: true, title: "In flight", hint: "requests in flight, out of the limit; +3: three more wait" },
];

const rank = { error: 0, warning: 1, notice: 2 };
const troubled = (p) => p.level === "error" || p.level === "warning" || p.escaped > 0;
const calm = (p) => !troubled(p) && p.available === p.upstreams;

// worst orders pools by the severity of their problems, then by name.
function worst(a, b) {
  return (rank[a.level] ?? 3) - (rank[b.level] ?? 3) || b.escaped - a.escaped || calm(a) - calm(b) || a.name.localeCompare(b.name, "en", { numeric: true });
}

function order(list, sort) {
  const [name, down] = sort.replace(/^-/, "") === sort ? [sort, 1] : [sort.slice(1), -1];
  const value = (p) => (name === "share" ? (p.upstreams ? p.available / p.upstreams : -1) : p[name] ?? 0);
  const compare = name === "name" ? (a, b) => a.name.localeCompare(b.name, "en", { numeric: true }) : (a, b) => value(a) - value(b);
  return list.toSorted((a, b) => (columns.some((c) => c.name === name) ? down * compare(a, b) : 0) || worst(a, b));
}

// view shows the screen with the settings set. It calls change with new settings.
export function view(o, set, change, story) {
  const total = { up: sum(o.pools.map((p) => p.available)), all: sum(o.pools.map((p) => p.upstreams)) };
  const bad = o.pools.filter(troubled);
  const fine = `Nothing. ${total.all === 1 ? "The upstream is available" : `All ${many(total.all, "upstream")} are available`}, and no client has seen a gateway error in the last minute.`;
  return [troubles(o.troubles, o.now, fine), ...(o.fleet ? [fleet(o.fleet)] : []), tiles(o, total, bad), splits(o.splits), mirrors(o.mirrors), pools(o, bad, set, change), changes(o.changes),
    h("div", { class: "two", "data-key": "two" }, failures(o.failures, story), events(o.events, true))];
}

// fleet names the instances that serve the same traffic, and those that differ from this one.
function fleet(f) {
  const of = (m) => m.name + (m.own ? " (this one)" : "") + ((m.differs ?? []).length ? ` (differs in ${m.differs.join(", ")})` : "");
  return h("p", { class: "fine", "data-key": "fleet" }, f.connected ? null : [shape("triangle", "warn"), " store not reachable, "],
    `${many(f.members.length, "instance")}: ${f.members.slice(0, 12).map(of).join(", ")}${f.members.length > 12 ? `, and ${f.members.length - 12} more` : ""}`);
}

function tiles(o, total, bad) {
  const of = (name) => sum(o.pools.map((p) => p[name]));
  const escaped = of("escaped"), hidden = of("hidden");
  return h("dl", { class: "tiles", "data-key": "tiles" },
    tile("Pools OK", count(o.pools.length - bad.length), null, `of ${count(o.pools.length)}`),
    tile("Upstreams available", count(total.up), null, `of ${count(total.all)}`),
    tile("Requests / s", rate(of("requests_per_second")), null, "last 10 s"),
    tile("Errors clients saw", count(escaped), escaped ? "bad" : null, `of ${count(of("requests"))}, last minute`),
    tile("Errors hidden", count(hidden), hidden ? "warn" : null, "last minute"),
    tile("Made faster", count(of("made_faster")), null, "last minute"),
    tile("In flight", count(of("in_flight")), null, of("waiting") ? `${count(of("waiting"))} waiting` : null));
}

export function tile(name, value, level, note) {
  return h("div", {}, h("dt", {}, name), h("dd", { class: level }, level === "bad" ? [shape("stop", "bad"), " "] : level === "warn" ? [shape("triangle", "warn"), " "] : null, value, h("small", { class: "note" }, note ?? "")));
}

function pools(o, bad, set, change) {
  const asked = (set.q ?? "").toLowerCase();
  const found = (p) => !asked || p.name.toLowerCase().includes(asked) || (p.causes ?? []).some((c) => c.includes(asked));
  const list = order(o.pools.filter((p) => found(p) && (set.only !== "trouble" || troubled(p))), set.sort ?? "");
  const quiet = list.filter(calm);
  const fold = set.fold === "yes" && !set.sort && quiet.length > 1;
  const since = (new Date(o.now) - new Date(o.started)) / 10000; // slots of the sparklines
  const rows = fold ? list.filter((p) => !calm(p)) : list;
  return h("section", { "data-key": "pools", "aria-labelledby": "pools" },
    h("div", { class: "bar" }, h("h2", { id: "pools" }, "Pools"),
      h("input", { id: "search", type: "search", placeholder: "Search pools, reasons  ( / )", "aria-label": "Search pools and reasons", value: set.q ?? "", input: (e) => change({ q: e.target.value }) }),
      h("div", { class: "switch", role: "group", "aria-label": "Which pools" },
        toggle(`All ${count(o.pools.length)}`, set.only !== "trouble", () => change({ only: "" })),
        toggle(`Problems ${count(bad.length)}`, set.only === "trouble", () => change({ only: "trouble" }))),
      !set.sort && (quiet.length > 20 || quiet.length > 1 && quiet.length < list.length) && set.only !== "trouble"
        ? h("button", { type: "button", class: "quiet", "aria-expanded": fold ? "false" : "true", click: () => change({ fold: fold ? "" : "yes" }) }, fold ? `Show ${count(quiet.length)} without problems` : `Hide ${count(quiet.length)} without problems`)
        : null),
    list.length ? h("table", { class: "pools" },
      h("thead", {}, h("tr", {}, columns.map((c) => head(c, set.sort ?? "", change)))),
      h("tbody", {}, rows.map((p) => row(p, since)), fold && folded(quiet))) : h("p", { class: "faint" }, o.pools.length ? "No pool matches." : "No pool is configured."));
}

function toggle(text, on, click) {
  return h("button", { type: "button", "aria-pressed": on ? "true" : "false", click }, text);
}

// head makes the head of a column. Clicks sort by the column (numbers from the largest,
// names from A), then in reverse, then by severity again.
function head(c, sort, change) {
  if (!c.name) return h("th", { scope: "col", title: c.hint, class: "text" }, c.title);
  const first = c.text ? c.name : "-" + c.name, second = c.text ? "-" + c.name : c.name;
  const now = sort === c.name ? "ascending" : sort === "-" + c.name ? "descending" : null;
  return h("th", { scope: "col", title: c.hint, class: (c.text ? "text" : "number") + (c.minor ? " minor" : ""), "aria-sort": now },
    h("button", { type: "button", click: () => change({ sort: sort === first ? second : sort === second ? "" : first }) }, c.title, h("span", { class: "sorted", "aria-hidden": "true" }, now ? (now === "ascending" ? "▲" : "▼") : "")));
}

function row(p, since) {
  const level = levels[p.level] ?? (p.available < p.upstreams ? { shape: "diamond", level: "idle", word: "Not all upstreams available" } : { shape: "disc", level: "good", word: "OK" });
  const cell = (label, value, kind) => h("td", { class: `number ${kind ?? ""}`, "data-label": label }, value);
  return h("tr", { "data-key": p.name },
    h("th", { scope: "row", class: "text" }, h("span", { role: "img", "aria-label": level.word, title: level.word }, shape(level.shape, level.level)), " ", poolLink(p.name),
      p.causes && h("span", { class: "causes" }, p.causes.map((c) => [" ", h("code", {}, c)]))),
    h("td", { class: "up" }, h("span", { class: p.available ? (p.available < p.upstreams ? "part" : "") : "bad" }, `${p.available}/${p.upstreams}`), pips(p)),
    cell("req/s", rate(p.requests_per_second)), h("td", { class: "sparks" }, spark(p, since)),
    cell("errors seen", p.escaped ? h("b", { class: "bad" }, count(p.escaped)) : zero(), p.escaped ? "" : "still"),
    cell("hidden", p.hidden ? h("span", { class: "warn" }, count(p.hidden)) : zero(), p.hidden ? "" : "still"),
    cell("faster", p.made_faster ? count(p.made_faster) : zero(), "minor"),
    cell("p50", ms(p.p50_ms), "minor"), cell("p99", p.p99_ms ? ms(p.p99_ms) : p.longest_ms ? h("small", { title: "too few requests for a percentile, so this is the longest time" }, "max " + ms(p.longest_ms)) : "–"),
    cell("in flight", [count(p.in_flight), p.places ? h("small", {}, "/" + count(p.places)) : "", p.waiting ? h("span", { class: "warn" }, ` +${count(p.waiting)}`) : ""], "minor"));
}

const zero = () => h("span", { class: "faint" }, "0");

function folded(quiet) {
  return h("tr", { class: "folded", "data-key": "\u0000folded" }, h("th", { scope: "row", class: "text" }, shape("disc", "good"), ` ${many(quiet.length, "pool")} without problems`),
    h("td", { class: "up" }, count(sum(quiet.map((p) => p.available)))), h("td", { class: "number" }, rate(sum(quiet.map((p) => p.requests_per_second)))), h("td", { colspan: columns.length - 3 }));
}
