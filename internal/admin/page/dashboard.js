// The page: it shows a screen, keeps it up to date, and sends the operator's orders.
import { Denied, get, hasToken, post, setToken, text } from "./api.js";
import { hover } from "./chart.js";
import { h, patch } from "./dom.js";
import { events } from "./events.js";
import { ago, time, zone } from "./format.js";
import { read, write } from "./link.js";
import * as overview from "./overview.js";
import * as pool from "./pool.js";
import { printable } from "./text.js";
import { wiring } from "./wiring.js";

const by = (id) => document.getElementById(id);
const every = 2000; // milliseconds
let shown = {}; // {place, data} of the current screen
let hour = null; // history of the pool on the screen; null = not loaded
let latest = Date.now();
let hurry = false; // the screen must be refreshed at once
let ring = () => {};

const stories = new Map();
const story = {
  of: (id) => stories.get(id),
  async ask(id) {
    if (stories.has(id)) return;
    if (stories.size > 100) stories.clear();
    try {
      stories.set(id, (await get("/v1/requests/" + encodeURIComponent(id))).why);
    } catch (e) {
      stories.set(id, [e.message]);
    }
    draw();
  },
};

function say(words, level) {
  words = printable(words);
  if (by("link").textContent !== words) by("link").textContent = words;
  by("link").className = level;
}

function change(settings) {
  write(settings);
  draw();
}

hover.redraw = draw;

// draw shows the latest data.
function draw() {
  const { data, place } = shown;
  if (!data) return;
  const { set } = read();
  if (place.kind === "overview") patch(by("main"), ...overview.view(data, set, change, story));
  else if (place.kind === "pool") patch(by("main"), ...pool.view(data, hour, set, change, { order, story }));
  else if (place.kind === "events") patch(by("main"), events(data, true));
  else if (place.kind === "wiring") patch(by("main"), wiring(data, new Date()));
  else if (place.kind === "config") patch(by("main"), lines("Configuration in use", data));
  else if (place.kind === "metrics") patch(by("main"), lines("Metrics", data));
}

// lines shows a text of several lines.
function lines(title, all) {
  const shown = document.createTextNode(all.split("\n").map(printable).join("\n"));
  return h("section", {}, h("h2", {}, title), h("pre", { tabindex: "0" }, shown));
}

const screens = {
  overview: () => get("/v1/overview"),
  events: () => get("/v1/timeline"),
  wiring: () => get("/v1/wiring"),
  pool: (place) => get(`/v1/overview/${encodeURIComponent(place.name)}${hour ? `?from=${hour.start + hour.requests.length * hour.step}` : ""}`),
};

// refresh loads the screen's data once.
async function refresh() {
  const place = read();
  const ask = screens[place.kind] ?? screens.overview;
  const another = shown.place?.kind !== place.kind || shown.place?.name !== place.name;
  if (another) hour = null;
  const data = await ask(place);
  if (JSON.stringify([read().kind, read().name]) !== JSON.stringify([place.kind, place.name])) return;
  if (another) {
    patch(by("main"));
    window.scrollTo(0, 0);
  }
  if (place.kind === "pool") hour = hour ? longer(hour, data.hour) : data.hour;
  shown = { place, data };
  latest = Date.now();
  by("login").hidden = true;
  by("main").classList.remove("stale");
  say("Live", "good");
  if (data.version !== undefined) about(data, place);
  else if (!by("about").textContent) about(await get("/v1/overview"), place);
  crumbs(place);
  draw();
}

// longer returns a history with the newer values added, an hour at most.
function longer(old, more) {
  const most = 3600 / old.step;
  const join = (a, b) => [...(a ?? []), ...(b ?? [])].slice(-most);
  const out = { step: old.step, classes: old.classes.map((list, i) => join(list, more.classes[i])) };
  for (const [name, list] of Object.entries(old)) if (Array.isArray(list) && name !== "classes") out[name] = join(list, more[name]);
  out.start = more.start + ((more.requests ?? []).length - out.requests.length) * old.step;
  return out;
}

function about(data, place) {
  const failed = data.config.error ? `; a reload failed at ${time(data.config.failed)}` : "";
  by("about").textContent = printable(`goodgate ${data.version}, process ${data.pid}, ${data.state}, up ${ago(data.started, data.now)}; configuration loaded at ${time(data.config.loaded)}${failed}`);
  by("zone").textContent = "Times in " + zone(data.now);
  document.title = (data.troubles.some((t) => t.level === "error" && !t.over) ? "(!) " : "") + (place.kind === "pool" ? place.name + " – " : "") + "goodgate";
}

function crumbs(place) {
  for (const a of document.querySelectorAll("nav a")) {
    if (a.dataset.kind === (place.kind === "pool" ? "overview" : place.kind)) a.setAttribute("aria-current", "page");
    else a.removeAttribute("aria-current");
  }
}

// order changes an upstream's state. If that would leave the pool without an available
// upstream, it asks the operator first. The screen may be seconds old, so goodgate checks
// this too, and refuses the order.
async function order(body) {
  const { pool } = shown.data;
  const asked = body.state !== "ready" && pool.available === 1 && pool.upstreams.some((u) => u.address === body.upstream && u.available);
  if (asked && !(await sure(body, pool.upstreams.length))) return;
  try {
    await post("/v1/upstreams", { ...body, keep_last: !asked });
  } catch (e) {
    if (e.code !== "last_upstream") return say(`Not changed: ${e.message}`, "bad");
    if (await sure(body, e.of)) await post("/v1/upstreams", body).catch((e) => say(`Not changed: ${e.message}`, "bad"));
  }
  wake();
}

function sure(body, all) {
  const dialog = by("sure"), verb = body.state === "off" ? "Switch off" : "Drain";
  by("sure-title").textContent = `${verb} the last available upstream?`;
  by("sure-text").textContent = printable(`${body.upstream} is the only available upstream of ${all} in pool ${body.pool}. Without it, requests wait for at most hold.for, and then fail with 503.`);
  by("sure-yes").textContent = `${verb} it anyway`;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((answer) => dialog.addEventListener("close", () => answer(dialog.returnValue === "yes"), { once: true }));
}

// login waits until the operator has entered a token.
function login() {
  say("Enter the token", "warn");
  by("denied").textContent = hasToken() ? "This token is wrong." : "";
  by("token").value = "";
  by("login").hidden = false;
  by("token").focus();
  return new Promise((entered) => {
    by("login").onsubmit = (event) => {
      event.preventDefault();
      setToken(by("token").value);
      entered();
    };
  });
}

// wake ends the current pause, or skips the next one.
function wake() {
  hurry = true;
  ring();
}

async function pause(milliseconds) {
  await new Promise((over) => {
    if (hurry) return over();
    ring = over;
    setTimeout(over, milliseconds);
  });
  hurry = false;
}

const themes = ["auto", "light", "dark"];
function theme(name) {
  document.documentElement.dataset.theme = name;
  by("theme").textContent = { auto: "Theme: auto", light: "Theme: light", dark: "Theme: dark" }[name];
}
theme(localStorage.getItem("goodgate-theme") ?? "auto");
by("theme").addEventListener("click", () => {
  const next = themes[(themes.indexOf(document.documentElement.dataset.theme) + 1) % themes.length];
  localStorage.setItem("goodgate-theme", next);
  theme(next);
});

// These screens load with the token, which a plain link cannot send.
for (const [id, path] of [["metrics", "/metrics"], ["config", "/v1/config"]]) screens[id] = () => text(path);

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the fragment of the address names the screen, so it must not change
  by("main").focus();
});
addEventListener("hashchange", () => wake());
addEventListener("visibilitychange", () => document.hidden || wake());
addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || /^(INPUT|TEXTAREA)$/.test(document.activeElement.tagName)) return;
  event.preventDefault();
  by("search")?.focus();
});

for (;;) {
  try {
    if (!document.hidden) await refresh(); // a hidden page needs no data
    await pause(read().kind === "overview" || read().kind === "pool" ? every : 5 * every);
  } catch (e) {
    if (e instanceof Denied) {
      await login();
      continue;
    }
    if (e.status === 404) {
      patch(by("main"), h("section", {}, h("h2", {}, "Not found"), h("p", {}, `${e.message}: ${read().name}. `, h("a", { href: "#/" }, "All pools"))));
      shown = {};
    }
    by("main").classList.add("stale");
    say(`No data for ${Math.round((Date.now() - latest) / 1000)} s: ${e.message}`, "bad");
    await pause(1000);
  }
}
