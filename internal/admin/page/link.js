// Addresses within the page: #/ and #/pool/NAME, each with its settings as in
// #/?sort=p99_ms.
import { h } from "./dom.js";

export const poolHref = (name) => "#/pool/" + encodeURIComponent(name);
export const poolLink = (name) => h("a", { class: "pool", href: poolHref(name), title: name.length > 40 ? name : null }, name);

// read returns the screen that the address names, and the settings.
export function read() {
  const [path, query] = location.hash.replace(/^#/, "").split("?");
  const [, kind, ...rest] = (path || "/").split("/");
  let name = rest.join("/");
  try {
    name = decodeURIComponent(name);
  } catch {
    // The name contains a plain %.
  }
  return { kind: kind || "overview", name, set: Object.fromEntries(new URLSearchParams(query ?? "")) };
}

// write puts settings into the address, without a new entry in the browser's history.
export function write(changes) {
  const [path, query] = (location.hash || "#/").split("?");
  const set = new URLSearchParams(query ?? "");
  for (const [name, value] of Object.entries(changes)) {
    if (value) set.set(name, value);
    else set.delete(name);
  }
  const text = set.toString();
  history.replaceState(null, "", path + (text ? "?" + text : ""));
}
