// Listeners, their certificates, and routes.
import { h } from "./dom.js";
import { shape } from "./state.js";
import { poolLink } from "./link.js";
import { day, many } from "./format.js";

export function wiring(w, now) {
  return h("section", { "data-key": "wiring", "aria-labelledby": "wiring" },
    h("h2", { id: "wiring" }, "Listeners and routes"),
    h("div", { class: "scroll" }, h("table", { class: "plain" }, header("Listener", "Protocols", "Certificates"),
      h("tbody", {}, w.listeners.map((l) => h("tr", { "data-key": l.address }, h("th", { scope: "row" }, h("code", {}, l.address), l.name && h("span", { class: "faint" }, " " + l.name)),
        h("td", {}, l.protocols.join(", ")), h("td", {}, (l.certificates ?? []).map((c) => certificate(c, now)))))))),
    w.routes.length ? h("div", { class: "scroll" }, h("table", { class: "plain" }, header("Route", "Matches", "Goes to"),
      h("tbody", {}, w.routes.map((r) => h("tr", { "data-key": r.name }, h("th", { scope: "row" }, r.name), h("td", {}, h("code", {}, r.match)), h("td", {}, r.pool ? poolLink(r.pool) : r.to)))))) : h("p", { class: "faint" }, "No routes."));
}

const header = (...titles) => h("thead", {}, h("tr", {}, titles.map((t) => h("th", { scope: "col" }, t))));

// certificate says until when a certificate is valid, and how soon it expires.
function certificate(c, now) {
  const left = Math.floor((new Date(c.until) - new Date(now)) / 86400e3);
  if (new Date(c.until).getTime() <= 0) return h("div", {}, shape("ring", "idle"), " ", h("code", {}, c.file), " not obtained yet");
  const [form, level, word] = left < 0 ? ["stop", "bad", "expired " + day(c.until)] : left < 14 ? ["triangle", "warn", `expires in ${many(left, "day")}, ${day(c.until)}`] : ["check", "good", `valid until ${day(c.until)}, ${many(left, "day")}`];
  return h("div", {}, shape(form, level), " ", h("span", { class: level === "good" ? null : level }, word), " ", h("code", { class: "faint" }, c.file));
}
