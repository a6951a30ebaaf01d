// Charts over time, with a scale, a legend, and the values under the pointer. All charts
// of a page share the position of the pointer.
import { h } from "./dom.js";
import { eventKind } from "./state.js";

const width = 600, height = 120;

// hover has the time under the pointer, in Unix seconds; 0 = none.
export const hover = { at: 0, redraw() {} };

// chart draws series over the slots of hour. Each series is {name, kind, values}; kind is
// its CSS class. form writes a value with its unit.
export function chart(title, hour, series, form, events) {
  const n = series[0].values.length;
  const piled = stacked(series);
  const most = Math.max(0, ...series.flatMap((s, i) => (s.stack ? piled[i].top : s.values)));
  const top = nice(most);
  const x = (i) => ((i + 0.5) * width) / n;
  const y = (v) => height - (v / top) * height;
  const at = hover.at ? Math.floor((hover.at - hour.start) / hour.step) : -1;
  const shown = at >= 0 && at < n ? at : -1;
  const clock = (i) => new Date((hour.start + i * hour.step) * 1000).toLocaleTimeString("en-GB");
  const legend = series.map((s) => h("span", { class: "key" }, key(s), s.name, h("b", {}, form(shown >= 0 ? s.values[shown] : s.values.at(-1) ?? 0))));
  return h("figure", { "data-key": title, class: "chart" },
    h("figcaption", {}, h("span", { class: "title" }, title), h("span", { class: "keys" }, legend),
      h("span", { class: "at" }, shown >= 0 ? clock(shown) : n ? "now" : "")),
    h("div", { class: "plot", tabindex: "0", role: "img", "aria-label": spoken(title, series, shown, clock, form), pointermove: (e) => point(e, hour, n), pointerleave: () => move(0), keydown: (e) => step(e, hour, n) },
      h("span", { class: "y top" }, form(top)), h("span", { class: "y middle" }, form(top / 2)), h("span", { class: "y bottom" }, "0"),
      h("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" },
        h("path", { class: "grid", d: `M0 0.5H${width}M0 ${height / 2}H${width}M0 ${height - 0.5}H${width}` }),
        series.map((s, i) => (s.stack ? area(s, piled[i], x, y, width / n) : line(s, x, y))),
        marks(hour, n, events),
        shown >= 0 && h("path", { class: "cross", d: `M${x(shown)} 0V${height}` }))),
    h("div", { class: "times" }, [0, n / 2, n].map((i) => h("span", {}, i === n ? clock(n) : clock(i).slice(0, 5)))));
}

// stacked returns where each series of a stack begins and ends.
function stacked(series) {
  const n = series[0].values.length;
  let floor = new Array(n).fill(0);
  return series.map((s) => {
    if (!s.stack) return null;
    const bottom = floor;
    floor = s.values.map((v, i) => bottom[i] + v);
    return { bottom, top: floor };
  });
}

function area(s, pile, x, y, slot) {
  const bars = s.values.map((v, i) => (v ? `M${(x(i) - slot / 2).toFixed(1)} ${y(pile.bottom[i]).toFixed(1)}V${Math.min(y(pile.top[i]), y(pile.bottom[i]) - 1).toFixed(1)}h${(slot * 0.92).toFixed(2)}V${y(pile.bottom[i]).toFixed(1)}z` : "")).join("");
  return h("path", { class: "fill " + s.kind, d: bars });
}

// line draws a series as a line, with a gap where there is no value.
function line(s, x, y) {
  let pen = "M";
  const d = s.values.map((v, i) => {
    if (!v && s.gaps) {
      pen = "M";
      return "";
    }
    const to = `${pen}${x(i).toFixed(1)} ${y(v).toFixed(1)}${pen === "M" ? "h0.1" : ""}`;
    pen = "L";
    return to;
  }).join("");
  return h("path", { class: "stroke " + s.kind, d });
}

function key(s) {
  return h("svg", { class: "swatch", viewBox: "0 0 16 10", width: 16, height: 10, "aria-hidden": "true" },
    s.stack ? h("path", { class: "fill " + s.kind, d: "M3 0h10v10h-10z" }) : h("path", { class: "stroke " + s.kind, d: "M0 5H16" }));
}

// marks draws events on the time axis.
function marks(hour, n, events) {
  const paths = {};
  for (const e of events) {
    const slot = (new Date(e.time) / 1000 - hour.start) / hour.step;
    if (slot < 0 || slot >= n) continue;
    const level = eventKind(e.kind).level;
    paths[level] = (paths[level] ?? "") + `M${((slot * width) / n).toFixed(1)} 0V${height}`;
  }
  return Object.entries(paths).map(([level, d]) => h("path", { class: "mark " + level, d }));
}

// nice returns a round number that is at least v.
function nice(v) {
  if (v <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(v));
  return [1, 2, 4, 5, 10].find((k) => k * power >= v * 0.999) * power;
}

function spoken(title, series, shown, clock, form) {
  const values = (i) => series.map((s) => `${s.name} ${form(s.values[i] ?? 0)}`).join(", ");
  const last = series[0].values.length - 1;
  return shown >= 0 ? `${title} at ${clock(shown)}: ${values(shown)}` : `${title}, latest: ${last >= 0 ? values(last) : "nothing yet"}. Left and right arrow keys read earlier values.`;
}

function move(at) {
  if (hover.at === at) return;
  hover.at = at;
  hover.redraw();
}

function point(event, hour, n) {
  const box = event.currentTarget.querySelector("svg").getBoundingClientRect();
  const i = Math.floor(((event.clientX - box.left) / box.width) * n);
  move(i >= 0 && i < n ? hour.start + i * hour.step : 0);
}

function step(event, hour, n) {
  const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -30, PageDown: 30 }[event.key];
  if (event.key === "Escape") return move(0);
  if (!by || !n) return;
  event.preventDefault();
  const now = hover.at ? Math.floor((hover.at - hour.start) / hour.step) : n;
  move(hour.start + Math.min(n - 1, Math.max(0, now + by)) * hour.step);
}
