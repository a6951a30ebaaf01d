// The stream of the status, the token, and the operator's orders.
import { patch } from "./dom.js";
import { printable } from "./text.js";
import { about, view } from "./view.js";

const by = (id) => document.getElementById(id);
let token = sessionStorage.getItem("goodgate-token") ?? "";
let latest = Date.now();

function headers(more) {
  return token ? { Authorization: "Bearer " + token, ...more } : { ...more };
}

function say(text, level) {
  const link = by("link");
  text = printable(text);
  if (link.textContent !== text) link.textContent = text;
  link.className = level;
}

function show(status) {
  latest = Date.now();
  say("Live", "good");
  by("about").textContent = printable(about(status));
  document.title = (status.troubles.some((t) => t.level === "error") ? "(!) " : "") + "goodgate";
  patch(by("main"), ...view(status, order));
}

// order tells goodgate the operator's word on an upstream.
async function order(pool, upstream, state, last) {
  if (last && state !== "ready" && !confirm(`${printable(upstream)} is the last upstream of pool ${pool} that takes requests. Without it they fail. Go on?`)) return;
  const answer = await fetch("/v1/upstreams", {
    method: "POST", headers: headers({ "Content-Type": "application/json" }), body: JSON.stringify({ pool, upstream, state }),
  });
  if (!answer.ok) alert(`It was not changed: ${printable((await answer.json()).error)}`);
}

// listen reads events until the stream ends. EventSource could not send the
// token.
async function listen() {
  const answer = await fetch("/v1/events", { headers: headers() });
  if (answer.status === 401) return ask();
  if (!answer.ok) throw new Error((await answer.json()).error);
  by("login").hidden = true;
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Error("goodgate ended the stream");
    text += value;
    const events = text.split("\n\n");
    text = events.pop();
    const data = events.at(-1)?.split("\n").find((line) => line.startsWith("data: "));
    if (data) show(JSON.parse(data.slice(6)));
  }
}

// ask waits for a token.
function ask() {
  say("A token is needed", "warn");
  by("denied").textContent = token ? "That is not the token." : "";
  by("token").value = "";
  by("login").hidden = false;
  by("token").focus();
  return new Promise((entered) => {
    by("login").onsubmit = (event) => {
      event.preventDefault();
      token = by("token").value;
      sessionStorage.setItem("goodgate-token", token);
      entered();
    };
  });
}

for (;;) {
  try {
    await listen();
  } catch (e) {
    say(`No news for ${Math.round((Date.now() - latest) / 1000)} s: ${e.message}`, "bad");
    await new Promise((over) => setTimeout(over, 1000));
  }
}
