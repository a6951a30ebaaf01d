// Small charts of the last minute. The captions give the scale.
import { h } from "./dom.js";

const width = 120, height = 30;

// lines draws one or two series up to the largest value; 0 is a gap of the
// second.
export function lines(first, second) {
  const top = Math.max(...first, ...(second ?? []), 1e-9);
  const line = (values, name) => h("polyline", {
    class: "line " + name, points: values.map((v, i) => `${(i * width) / (values.length - 1)},${(height - (v / top) * (height - 2) - 1).toFixed(1)}`).join(" "),
  });
  return frame(second ? line(second, "p50") : null, line(first, ""));
}

// bars draws one series upon the other.
export function bars(below, above) {
  const top = Math.max(...below.map((v, i) => v + above[i]), 1);
  const step = width / below.length;
  const bar = (i, from, n, name) => (n ? h("rect", { class: name, x: i * step, width: step * 0.85, y: height - ((from + n) / top) * height, height: (n / top) * height }) : null);
  return frame(below.flatMap((v, i) => [bar(i, 0, v, "escaped"), bar(i, v, above[i], "absorbed")]));
}

function frame(...content) {
  return h("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" }, ...content);
}
