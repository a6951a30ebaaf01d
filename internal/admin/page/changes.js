// The changes by operators, which are not in the configuration file.
import { h } from "./dom.js";
import { shape } from "./state.js";
import { time } from "./format.js";

export function changes(list) {
  if (!list?.length) return null;
  return h("section", { "data-key": "changes", "aria-labelledby": "changes" }, h("h2", { id: "changes" }, "Changes by operators, not in the configuration file"),
    h("ol", { class: "events", tabindex: "0", "aria-label": "Changes by operators" }, list.map(change)));
}

function change(c) {
  return h("li", { "data-key": c.id }, h("time", {}, time(c.at)), shape("diamond", "idle"),
    h("span", {}, c.says, h("span", { class: "what" }, `, by ${c.by}`, c.note && ` [${c.note}]`, c.until && `, until ${time(c.until)}`, c.why && `: ${c.why}`),
      " ", h("code", {}, `goodgate changes undo ${c.id}`)));
}
