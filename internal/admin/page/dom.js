// Functions that make elements, and a patch that keeps existing nodes, so that focus,
// scroll positions and open sections stay while the numbers change.
import { printable } from "./text.js";

const svg = "http://www.w3.org/2000/svg";
const drawn = new Set(["svg", "path", "line", "rect", "circle", "g"]);

// h makes an element. Attributes whose value is a function are listeners. Text is never
// parsed as HTML, and its unprintable characters are escaped.
export function h(tag, attributes, ...children) {
  const e = drawn.has(tag) ? document.createElementNS(svg, tag) : document.createElement(tag);
  e.listeners = {};
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (typeof value === "function") e.listeners[name] = value;
    else if (value !== false && value != null) e.setAttribute(name, value === true ? "" : drawn.has(tag) ? value : printable(value));
  }
  e.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false && c !== "").map((c) => (c instanceof Node ? c : printable(c))));
  for (const name of Object.keys(e.listeners)) e.addEventListener(name, (event) => e.listeners[name]?.(event));
  return e;
}

// patch makes the children of an element equal to the given ones. Children with the same
// data-key are the same, wherever they are.
export function patch(parent, ...all) {
  const wanted = all.filter(Boolean); // null = a part with nothing to show
  const kept = new Map([...parent.childNodes].filter((n) => n.dataset?.key).map((n) => [n.dataset.key, n]));
  wanted.forEach((next, i) => {
    const here = parent.childNodes[i];
    const old = next.dataset?.key ? kept.get(next.dataset.key) : here;
    if (!old || !alike(old, next)) {
      parent.insertBefore(next, here ?? null);
      return;
    }
    if (old !== here) parent.insertBefore(old, here ?? null);
    update(old, next);
  });
  while (parent.childNodes.length > wanted.length) parent.lastChild.remove();
}

// An element cannot become another one that has different listeners.
function alike(a, b) {
  return a.nodeName === b.nodeName && a.dataset?.key === b.dataset?.key &&
    Object.keys(a.listeners ?? {}).join() === Object.keys(b.listeners ?? {}).join();
}

function update(old, next) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== next.data) old.data = next.data;
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!next.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (old.getAttribute(name) !== value && name !== "value") old.setAttribute(name, value);
  }
  old.listeners = next.listeners;
  patch(old, ...next.childNodes);
}
