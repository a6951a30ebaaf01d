// The sources of a pool's upstreams.
import { h } from "./dom.js";
import { shape } from "./state.js";
import { ago, many, time } from "./format.js";

// sources shows the sources that need lookups.
export function sources(list, now) {
  if (!list?.length) return null;
  return h("section", { "data-key": "sources", "aria-labelledby": "sources" }, h("h2", { id: "sources" }, "Sources of upstreams"),
    h("div", { class: "scroll" }, h("table", {},
      h("thead", {}, h("tr", {}, ["Source", "Found", "Last successful lookup"].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, list.map((s) => h("tr", { "data-key": s.source }, h("td", {}, s.source), found(s), looked(s, now)))))));
}

function found(s) {
  const left = (s.left_out?.length ?? 0) + (s.left_out_more ?? 0);
  return h("td", {}, many(s.upstreams, "upstream"), left > 0 && h("details", {}, h("summary", {}, `${left} left out`),
    s.left_out.map((l) => h("div", { class: "why" }, `${l.what}: ${l.why}`)), s.left_out_more && h("div", { class: "faint" }, `and ${s.left_out_more} more`)));
}

function looked(s, now) {
  return h("td", {}, shape(s.error ? "triangle" : "check", s.error ? "warn" : "good"), " ",
    s.looked ? h("span", { title: time(s.looked) }, `${ago(s.looked, now)} ago`) : "never", s.error && h("div", { class: "why" }, s.error));
}
