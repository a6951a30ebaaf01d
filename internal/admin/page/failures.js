// The latest requests in which something failed. The page loads a request's explanation
// when the operator opens it.
import { h } from "./dom.js";
import { shape } from "./state.js";
import { poolLink } from "./link.js";
import { ms, time } from "./format.js";

// failures shows a list. story.of(id) returns the lines of a loaded explanation, and
// story.ask(id) loads it.
export function failures(list, story) {
  return h("section", { "data-key": "failures", "aria-labelledby": "latest" },
    h("h2", { id: "latest" }, "Latest failures, seen by clients or hidden"),
    list.length ? null : h("p", { class: "faint" }, "No recent failures."),
    list.map((q) => h("details", { "data-key": q.id, class: "failure", toggle: (e) => e.target.open && story.ask(q.id) },
      h("summary", {}, h("time", {}, time(q.start)), " ", outcome(q), " ", h("code", { class: "asked" }, `${q.method} ${q.path}`), q.pool && h("span", { class: "faint" }, ` pool ${q.pool}`)),
      (story.of(q.id) ?? ["…"]).map((line) => h("p", {}, line)),
      h("p", { class: "faint" }, "Request ", h("code", {}, q.id), q.pool && [", pool ", poolLink(q.pool)], ` took ${ms(q.ms)}`))));
}

function outcome(q) {
  if (q.absorbed_by) return h("span", { class: "warn" }, shape("triangle", "warn"), ` ${q.hidden} hidden by ${q.absorbed_by}; client got ${q.status}`);
  return h("span", { class: "bad" }, shape("stop", "bad"), ` ${q.status} ${q.reason ?? ""}`);
}
