// A pool's page.
import { h } from "./dom.js";
import { chart } from "./chart.js";
import { shape, state, states } from "./state.js";
import { strip } from "./spark.js";
import { tile } from "./overview.js";
import { troubles } from "./trouble.js";
import { failures } from "./failures.js";
import { changes } from "./changes.js";
import { events } from "./events.js";
import { wiring } from "./wiring.js";
import { sources } from "./sources.js";
import { ago, bytes, count, many, ms, rate, time } from "./format.js";

// view shows a pool; hour is its loaded history.
export function view(d, hour, set, change, act) {
  const { pool: p, line } = d;
  return [
    h("div", { class: "heading", "data-key": "heading" }, h("h2", { class: "name" }, p.name),
      h("p", {}, shape(...(!line.available ? ["stop", "bad"] : line.available < line.upstreams ? ["triangle", "warn"] : ["disc", "good"])), " ",
        h("b", {}, `${line.available} of ${many(line.upstreams, "upstream")} available`), h("span", { class: "faint" }, `, policy ${p.policy}`)),
      p.deploy && h("p", {}, shape("diamond", "note"), " ", h("b", {}, "Deploy: "), p.deploy)),
    troubles(d.troubles, d.now, "Nothing in this pool in the last minute."),
    tiles(p, line), charts(d, hour, set, change), upstreams(d, act), changes(d.changes),
    h("div", { class: "two", "data-key": "two" }, events(d.events, false), failures(d.failures, act.story)),
    counts(p.counts), sources(p.sources, d.now), wiring(d.wiring, d.now),
  ];
}

function tiles(p, l) {
  return h("dl", { class: "tiles", "data-key": "tiles" },
    tile("Requests / s", rate(l.requests_per_second), null, "last 10 s"),
    tile("Errors clients saw", count(l.escaped), l.escaped ? "bad" : null, `of ${count(l.requests)}, last minute`),
    tile("Errors hidden", count(l.hidden), l.hidden ? "warn" : null, "last minute"),
    tile("Made faster", count(l.made_faster), null, "last minute"),
    tile("Refused", count(l.refused), l.refused ? "warn" : null, "by limits, or clients left"),
    tile("Latency p50", ms(l.p50_ms), null, "last minute"), tile("Latency p99", ms(l.p99_ms), null, l.longest_ms ? `longest ${ms(l.longest_ms)}` : "last minute"),
    tile("In flight", [count(l.in_flight), l.places ? h("small", {}, " of " + count(l.places)) : ""], null, l.waiting ? h("span", { class: "warn" }, `${count(p.demand.queued)} queued, ${count(p.waiting)} held`) : l.places ? "none waiting" : "no limit"),
    p.cache && tile("From the cache", hits(p.cache), null, `of ${count(asked(p.cache))} requests, since the start`));
}

// asked is the number of requests that looked in the cache; hits is the share that it answered.
const asked = (c) => c.hits + c.stale + c.revalidated + c.misses;
const hits = (c) => (asked(c) ? `${Math.round((100 * (c.hits + c.stale)) / asked(c))}%` : "–");

const spans = [["5", "5 min", 300], ["15", "15 min", 900], ["60", "1 h", 3600]];

function charts(d, whole, set, change) {
  const up = (new Date(d.now) - new Date(d.started)) / 1000;
  const span = spans.find(([name]) => name === set.span) ?? spans.find(([, , long]) => up < long) ?? spans.at(-1);
  const hour = tail(whole, Math.min(whole.requests.length, span[2] / whole.step));
  const each = (list) => list.map((n) => n / hour.step);
  const classes = ["1xx", "2xx", "3xx", "4xx", "5xx"].map((name, i) => ({ name, kind: "c" + name, stack: true, values: each(hour.classes[i]) })).filter((s, i) => i > 0 || s.values.some(Boolean));
  const failed = [{ name: "seen by clients", kind: "seen", stack: true, values: each(hour.escaped) }, { name: "hidden", kind: "hidden", stack: true, values: each(hour.hidden) }];
  const latency = [{ name: "p99", kind: "p99", gaps: true, values: hour.p99_ms }, { name: "p50", kind: "p50", gaps: true, values: hour.p50_ms }];
  const traffic = [{ name: "to clients", kind: "sent", values: each(hour.sent) }, { name: "from clients", kind: "received", values: each(hour.received) }];
  return h("section", { "data-key": "charts", "aria-labelledby": "charts" },
    h("div", { class: "bar" }, h("h2", { id: "charts" }, "History"),
      h("div", { class: "switch", role: "group", "aria-label": "How far back" }, spans.map(([name, title]) => h("button", { type: "button", "aria-pressed": span[0] === name ? "true" : "false", click: () => change({ span: name }) }, title))),
      h("span", { class: "faint" }, `average of each ${whole.step} s; dotted lines are events`)),
    h("div", { class: "charts" },
      chart("Requests / s, by status", hour, classes, (n) => `${rate(n)}/s`, d.events), chart("Errors / s", hour, failed, (n) => `${rate(n)}/s`, d.events),
      chart("Latency", hour, latency, ms, d.events), chart("Bytes / s", hour, traffic, (n) => bytes(n) + "/s", d.events)));
}

// tail returns the last n slots of a history.
function tail(hour, n) {
  const cut = (list) => (n ? list.slice(-n) : []);
  const out = { ...hour, start: hour.start + (hour.requests.length - n) * hour.step, classes: hour.classes.map(cut) };
  for (const [name, list] of Object.entries(hour)) if (Array.isArray(list) && name !== "classes") out[name] = cut(list);
  return out;
}

const titles = ["Upstream", "State", "Last hour", "Last check", "Failed", "2xx", "3xx", "4xx", "5xx", "Bytes/s", "p50", "p99", "In flight", "Change"];
const hints = { Failed: "failed attempts, out of all in the last minute", "2xx": "answers in the last minute", "Bytes/s": "response bodies, average of the last minute", p50: "time to the response header", p99: "time to the response header", "Last hour": "one bar a minute: tall when available, short when not" };

function upstreams(d, act) {
  const { pool: p } = d;
  return h("section", { "data-key": "upstreams", "aria-labelledby": "upstreams" }, h("h2", { id: "upstreams" }, "Upstreams"),
    p.upstreams.length ? h("div", { class: "scroll wide" }, h("table", { class: "upstreams" },
      h("thead", {}, h("tr", {}, titles.map((t, i) => h("th", { scope: "col", class: i > 3 && i < 13 ? "number" : "text", title: hints[t] }, t)))),
      h("tbody", {}, p.upstreams.map((u, i) => upstream(d, u, d.more[i], act))))) : h("p", { class: "bad" }, shape("stop", "bad"), " This pool has no upstreams."));
}

// outlier reports whether an upstream's slowest answers take far longer than those of the
// others.
function outlier(u, all) {
  const others = all.filter((o) => o !== u && o.last_minute.p99_ms).map((o) => o.last_minute.p99_ms).sort((a, b) => a - b);
  return others.length > 0 && u.last_minute.p99_ms > Math.max(100, 5 * others[Math.floor(others.length / 2)]);
}

function upstream(d, u, m, act) {
  const { pool: p } = d, minute = u.last_minute;
  const cell = (label, value, more) => h("td", { class: "number " + (more ?? ""), "data-label": label }, value);
  const n = (i, level) => (m.classes[i] ? h("span", { class: level }, count(m.classes[i])) : h("span", { class: "faint" }, "0"));
  return h("tr", { "data-key": u.address },
    h("th", { scope: "row", class: "text" }, h("code", {}, u.address), place(u, p.upstreams)),
    h("td", { class: "state" }, h("div", {}, state(m.state), m.since && h("span", { class: "faint", title: time(m.since) }, ` for ${ago(m.since, d.now)}`)), why(u, m)),
    h("td", { class: "hour" }, strip(m.minutes)), h("td", { class: "check", "data-label": "last check" }, check(u.check, d.now)),
    cell("failed", [minute.failed ? h("b", { class: u.available ? "warn" : "bad" }, count(minute.failed)) : "0", h("small", {}, " of " + count(minute.attempts)), reasons(minute.reasons)]),
    cell("2xx", n(1)), cell("3xx", n(2)), cell("4xx", n(3)), cell("5xx", n(4, "bad")), cell("bytes/s", bytes(m.bytes_per_second)),
    cell("p50", ms(u.last_minute.p50_ms)), cell("p99", outlier(u, p.upstreams) ? h("b", { class: "warn", title: "far above the others" }, shape("triangle", "warn"), " ", ms(u.last_minute.p99_ms)) : few(u.last_minute)), cell("in flight", [count(u.in_flight), u.max_in_flight ? h("small", {}, "/" + count(u.max_in_flight)) : ""]),
    h("td", { class: "act" }, buttons(d.pool, u, act)));
}

// place shows an upstream's name and zone. It shows the weight and the tier only if an
// upstream of the pool does not have the default.
function place(u, all) {
  const told = [u.name, all.some((o) => o.weight !== 1 || o.agent_percent) && `weight ${u.agent_percent ? u.agent_percent + "% of " : ""}${u.weight}`, all.some((o) => o.tier) && `tier ${u.tier}`, u.zone && `zone ${u.zone}`].filter(Boolean);
  return told.length > 0 && h("div", { class: "faint" }, told.join(", "));
}

// few shows the p99, or the longest time if there are too few answers for a percentile.
const few = (minute) => (minute.p99_ms ? ms(minute.p99_ms) : minute.longest_ms ? h("small", { title: "too few answers for a percentile, so this is the longest time" }, "max " + ms(minute.longest_ms)) : "–");

// why explains a state whose name is not enough.
function why(u, m) {
  const plain = ["available", "drained", "off", "trial", "leaving", "not_ready", "terminating"].includes(m.state);
  return plain || !u.headline ? null : h("div", { class: "why" }, u.headline);
}

function check(c, now) {
  if (!c?.at) return h("span", { class: "faint" }, "none");
  return [shape(c.error ? "cross" : "check", c.error ? "bad" : "good"), h("span", { title: time(c.at) }, ` ${c.error ? "failed" : "passed"} in ${ms(c.ms)}, ${ago(c.at, now)} ago`), c.from && h("div", { class: "faint" }, `from pool ${c.from}`), c.error && h("div", { class: "why" }, c.error)];
}

function reasons(all) {
  return Object.entries(all).map(([reason, n]) => h("div", {}, h("code", {}, reason), " ", count(n)));
}

function buttons(p, u, act) {
  const button = (text, order) => h("button", { // the first button keeps the focus when it changes into its opposite
    type: "button", "data-key": order === "off" ? "off" : "first", "aria-label": `${text} ${u.address} in pool ${p.name}`,
    click: () => act.order({ pool: p.name, upstream: u.address, state: order }),
  }, text);
  if (u.operator === "ready") return [button("Drain", "drain"), button("Off", "off")];
  return [button("Undrain", "ready"), u.operator === "drain" ? button("Off", "off") : null];
}

function counts(c) {
  const rows = [
    ...Object.entries(c.escaped).map(([why, n]) => ["seen by clients", why, n]),
    ...Object.entries(c.absorbed).flatMap(([by, all]) => Object.entries(all).map(([why, n]) => ["hidden by " + by, why, n])),
    ...(c.made_faster ? [["made faster by a hedge", "", c.made_faster]] : []),
    ...Object.entries(c.refused).map(([why, n]) => ["not an upstream's fault", why, n]),
  ];
  if (!rows.length) return h("p", { class: "faint", "data-key": "counts" }, `Since the start: ${many(c.requests, "request")}; none failed.`);
  return h("details", { "data-key": "counts" }, h("summary", {}, `Since the start: ${many(c.requests, "request")}. Errors, hidden errors and requests made faster:`),
    h("div", { class: "scroll" }, h("table", { class: "plain" }, h("thead", {}, h("tr", {}, ["Outcome", "Reason", "Requests"].map((t) => h("th", { scope: "col" }, t)))),
      h("tbody", {}, rows.map(([what, why, n]) => h("tr", {}, h("td", { class: what === "seen by clients" ? "bad" : null }, what), h("td", {}, why && h("code", {}, why)), h("td", { class: "number" }, count(n))))))));
}
