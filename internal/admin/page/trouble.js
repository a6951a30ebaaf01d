// Problems: each with its evidence and the next step.
import { h } from "./dom.js";
import { levels, shape } from "./state.js";
import { ago, count, many, time } from "./format.js";
import { poolLink } from "./link.js";

// troubles lists the problems, the worst first, or says that there are none.
export function troubles(list, now, fine) {
  const open = list.filter((t) => !t.over);
  return h("section", { class: "wrong", "data-key": "troubles", "aria-labelledby": "wrong" },
    h("h2", { id: "wrong" }, "What is wrong", open.length ? h("span", { class: "tally" }, count(open.reduce((n, t) => n + (t.count ?? 1), 0))) : null),
    list.length ? [h("ul", { class: "troubles" }, list.slice(0, first).map((t) => trouble(t, now))), rest(list.slice(first), now)] : h("p", { class: "fine" }, shape("check", "good"), " ", fine));
}

const first = 8; // so that the pools stay visible below

function rest(list, now) {
  return list.length > 0 && h("details", { class: "more", "data-key": "rest" }, h("summary", {}, `${many(list.length, "more problem")}, worst level: ${(levels[list[0].level] ?? levels.notice).word.toLowerCase()}`),
    h("ul", { class: "troubles" }, list.map((t) => trouble(t, now))));
}

function trouble(t, now) {
  const level = levels[t.level] ?? levels.notice;
  const several = t.count > 1;
  const headline = several && t.summary ? t.summary : t.headline;
  return h("li", { class: `${level.level}${t.over ? " over" : ""}`, "data-key": [t.situation, t.pool, t.upstream, t.level, t.over, several].join("|") },
    h("p", { class: "headline" }, shape(t.over ? "check" : level.shape, t.over ? "idle" : level.level), " ",
      h("span", { class: "level" }, t.over ? "Over" : level.word), " ",
      several ? null : where(t), headline && h("strong", {}, headline),
      when(t, now), t.reason && [" ", h("code", { class: "reason" }, t.reason)]),
    h("p", { class: "evidence" }, several && t.pool && ["Example: ", where(t), "– "], t.text),
    t.do && h("p", { class: "next" }, h("b", {}, "Next: "), t.do),
    several && members(t));
}

function where(t) {
  if (!t.pool) return null;
  return h("span", { class: "where" }, poolLink(t.pool), t.upstream && [" ", h("code", {}, t.upstream)], " ");
}

// when says for how long a problem has lasted, or how long ago it ended. The sentences
// have the times.
function when(t, now) {
  if (t.over && t.last) return h("span", { class: "when", title: time(t.last) }, ` ${ago(t.last, now)} ago`);
  return t.first && h("span", { class: "when", title: "since " + time(t.first) }, ` for ${ago(t.first, now)}`);
}

function members(t) {
  const more = t.count - t.members.length;
  return h("details", { "data-key": "members" }, h("summary", {}, t.upstream ? `Show the ${count(t.count)} upstreams` : `Show the ${count(t.count)} pools`),
    h("ul", { class: "members" }, t.members.map((m) => h("li", {}, poolLink(m.pool), m.upstream && [" ", h("code", {}, m.upstream)])),
      more > 0 && h("li", { class: "faint" }, `and ${count(more)} more`)));
}
