// Routes that are split between pools.
import { h } from "./dom.js";
import { shape } from "./state.js";
import { poolLink } from "./link.js";
import { count, ms } from "./format.js";

const verdicts = {
  worse: { shape: "stop", level: "bad", word: "worse" },
  same: { shape: "disc", level: "good", word: "the same" },
  unknown: { shape: "ring", level: "idle", word: "not known yet" },
};

export function splits(list) {
  if (!list?.length) return null;
  return h("section", { "data-key": "splits", "aria-labelledby": "splits" }, h("h2", { id: "splits" }, "Splits"),
    h("table", { class: "pools" },
      h("thead", {}, h("tr", {}, ["Route", "Pool"].map((c) => h("th", { scope: "col", class: "text" }, c)), ["Share", "Requests", "Failed", "Latency"].map((c) => h("th", { scope: "col", class: "number" }, c)),
        h("th", { scope: "col", class: "text" }, "Compared with the first pool"))),
      h("tbody", {}, list.map((r) => r.sides.map((side, i) => row(r, side, i))))),
    list.map((r) => [r.why && h("p", { "data-key": r.route }, h("b", { class: r.standing === "guarded" ? "bad" : null }, `${r.route}: `), r.standing === "guarded" ? "sent back by the guard: " : "", r.why)]));
}

function row(r, side, i) {
  const v = verdicts[side.verdict] ?? verdicts.unknown;
  const cell = (label, value) => h("td", { class: "number", "data-label": label }, value);
  return h("tr", { "data-key": r.route + " " + side.pool }, h("th", { scope: "row", class: "text" }, i ? "" : r.route), h("td", { class: "text" }, poolLink(side.pool)),
    cell("share", `${Number((side.share * 100).toPrecision(3))} %`), cell("requests", count(side.requests)), cell("failed", side.failed ? h("b", { class: "bad" }, count(side.failed)) : "0"),
    cell("latency", side.latency_ms ? ms(side.latency_ms) : "–"), h("td", { class: "text" }, i && side.share ? [shape(v.shape, v.level), " ", h("span", { title: side.because }, v.word)] : ""));
}

// mirrors shows the routes whose requests go to another pool as well.
export function mirrors(list) {
  if (!list?.length) return null;
  return h("section", { "data-key": "mirrors", "aria-labelledby": "mirrors" }, h("h2", { id: "mirrors" }, "Mirrors"),
    list.map((m) => h("p", { "data-key": m.route }, h("b", {}, m.route), " to ", poolLink(m.pool), `: ${count(m.sent)} requests, `,
      h("span", { class: m.different ? "warn" : null }, `${count(m.different)} answered differently`), `, ${count(m.failed)} failed`,
      m.mirror_ms ? `; latency ${ms(m.mirror_ms)}, for clients ${ms(m.main_ms)}` : "")));
}
