// Small pictures for the cells of a table.
import { h } from "./dom.js";
import { ofLetter, states } from "./state.js";
import { many } from "./format.js";

// pips draws a pool's upstreams side by side; a higher bar is better.
export function pips(p) {
  const step = 4, height = 12;
  const paths = {};
  [...p.letters].forEach((letter, i) => {
    const s = states[ofLetter[letter]];
    paths[s.level] = (paths[s.level] ?? "") + `M${i * step} ${height}v-${s.height}h3v${s.height}z`;
  });
  const words = Object.entries(p.states).map(([name, n]) => `${n} ${states[name]?.word ?? name}`).join(", ");
  const width = Math.max(1, p.letters.length) * step;
  return h("svg", { class: "pips", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": words || "no upstream" },
    Object.entries(paths).map(([level, d]) => h("path", { class: level, d })));
}

// spark draws the last ten minutes: a line of requests, and below it a mark wherever
// clients saw errors.
export function spark(p, since) {
  const width = 120, height = 22, floor = 17;
  const top = Math.max(...p.spark, 1), step = width / (p.spark.length - 1);
  const y = (n) => (floor - (n / top) * (floor - 1)).toFixed(1);
  const first = Math.max(0, Math.ceil(p.spark.length - since)); // goodgate has no data from before its start
  const line = p.spark.slice(first).map((n, i) => `${i ? "L" : "M"}${((first + i) * step).toFixed(1)} ${y(n)}`).join("");
  const marks = (p.errors ?? []).map((n, i) => (n ? `M${Math.min(i * step, width - 2).toFixed(1)} ${height}v-4h2v4z` : "")).join("");
  const seen = p.errors ? `, ${many(p.errors.reduce((a, b) => a + b), "error")} seen by clients` : "";
  return h("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": `last 10 minutes, at most ${many(Math.round(top / 10), "request")} a second${seen}` },
    line && h("path", { class: "area", d: `${line}V${floor}H${(first * step).toFixed(1)}z` }), h("path", { class: "curve", d: line }), marks && h("path", { class: "bad", d: marks }));
}

// strip draws an upstream's last hour by minutes: a high bar while it was available, a low
// bar while it was not, and a notch where attempts failed.
export function strip(minutes) {
  const step = 2, height = 16, parts = { good: "", warn: "", bad: "", none: "" };
  minutes.forEach(([attempts, failed, seen, out], i) => {
    const bar = (high) => `M${i * step} ${height}v-${high}h1.4v${high}z`;
    if (!seen && !attempts) parts.none += bar(2);
    else if (seen && out > seen / 2) parts.bad += bar(5);
    else if (out || failed) parts.warn += bar(11);
    else parts.good += bar(16);
  });
  const away = minutes.filter(([, , seen, out]) => seen && out > seen / 2).length;
  const partly = minutes.filter(([, failed, seen, out]) => (failed || out) && out <= seen / 2).length;
  return h("svg", { class: "strip", viewBox: `0 0 ${minutes.length * step} ${height}`, width: minutes.length * step, height, role: "img",
    "aria-label": `last hour: unavailable in ${many(away, "minute")}, failures or gaps in ${many(partly, "minute")}` },
    Object.entries(parts).map(([level, d]) => d && h("path", { class: level, d })));
}
