// Events, the latest first.
import { h } from "./dom.js";
import { eventKind, shape } from "./state.js";
import { poolLink } from "./link.js";
import { many, time } from "./format.js";

const together = 10000; // milliseconds; like events of several upstreams within this time are one entry

export function events(list, all) {
  return h("section", { "data-key": "events", "aria-labelledby": "events" }, h("h2", { id: "events" }, "Timeline"),
    list.length ? h("ol", { class: "events", tabindex: "0", "aria-label": "Timeline" }, runs(list).map((run) => (run.length > 2 ? several(run, all) : run.map((e) => event(e, all))))) : h("p", { class: "faint" }, "No events yet."));
}

// runs groups equal events of a pool's upstreams that happened at about the same time.
function runs(list) {
  const out = [];
  for (const e of list) {
    const before = out.at(-1)?.[0];
    if (e.upstream && before?.upstream && before.kind === e.kind && before.pool === e.pool && new Date(before.time) - new Date(e.time) < together) out.at(-1).push(e);
    else out.push([e]);
  }
  return out;
}

function several(run, all) {
  const first = run.at(-1), kind = eventKind(first.kind);
  return h("li", { "data-key": ["run", first.time, first.kind, first.pool].join(" ") }, h("time", {}, time(run[0].time)), shape(kind.shape, kind.level),
    h("details", { "data-key": "run" }, h("summary", {}, h("b", { class: kind.level }, kind.word), all && [" ", poolLink(first.pool)], ` ${many(run.length, "upstream")}`, first.text && h("span", { class: "what" }, ": " + first.text)),
      run.map((e) => h("p", {}, h("time", {}, time(e.time)), " ", h("code", {}, e.upstream), e.text && h("span", { class: "what" }, " " + e.text)))));
}

function event(e, all) {
  const kind = eventKind(e.kind);
  return h("li", { "data-key": [e.time, e.kind, e.pool, e.upstream].join(" ") }, h("time", {}, time(e.time)), shape(kind.shape, kind.level),
    h("span", {}, h("b", { class: kind.level }, kind.word), e.count > 1 ? h("span", { class: "again" }, ` ${e.count}× since ${time(e.first)}`) : "",
      all && e.pool && [" ", poolLink(e.pool)], e.upstream && [" ", h("code", {}, e.upstream)], e.text && h("span", { class: "what" }, " " + e.text)));
}
