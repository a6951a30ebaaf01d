// States, levels and events. Each has a word and a shape, so that no meaning depends on
// colour alone.
import { h } from "./dom.js";

// The shapes, on a grid of 12 by 12.
const shapes = {
  disc: "M6 1.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 1 0 0-9z",
  ring: "M6 1a5 5 0 1 0 0 10a5 5 0 1 0 0-10zm0 2a3 3 0 1 1 0 6a3 3 0 1 1 0-6z",
  half: "M6 1a5 5 0 1 0 0 10a5 5 0 1 0 0-10zm0 1.6v6.8a3.4 3.4 0 0 1 0-6.8z",
  cross: "M2.6 1L6 4.4L9.4 1L11 2.6L7.6 6L11 9.4L9.4 11L6 7.6L2.6 11L1 9.4L4.4 6L1 2.6z",
  stop: "M3.6 0.5h4.8L11.5 3.6v4.8L8.4 11.5H3.6L0.5 8.4V3.6zM5.2 2.6v4h1.6v-4zm0 5.2v1.6h1.6V7.8z",
  triangle: "M6 0.6L11.8 11H0.2zM5.3 4.2v3.4h1.4V4.2zm0 4.4v1.4h1.4V8.6z",
  diamond: "M6 0.5L11.5 6L6 11.5L0.5 6zM6 3.3L3.3 6L6 8.7L8.7 6z",
  arrow: "M4.8 1h2.4v5.2H10L6 11L2 6.2h2.8z",
  square: "M1.5 1.5h9v9h-9zM3.5 3.5v5h5v-5z",
  check: "M4.6 10L0.8 6.2L2.4 4.6L4.6 6.8L9.8 1.8L11.3 3.4z",
  dash: "M1.5 5h9v2h-9z",
  plus: "M5 1h2v4h4v2H7v4H5V7H1V5h4z",
};

// shape draws a shape, which stands beside a word with the same meaning.
export function shape(name, level) {
  return h("svg", { class: "shape " + level, viewBox: "0 0 12 12", "aria-hidden": "true" }, h("path", { d: shapes[name], "fill-rule": "evenodd" }));
}

// states has the word, the shape, the level, and the height in pips of each state.
export const states = {
  available: { word: "Available", shape: "disc", level: "good", letter: "a", height: 10 },
  slow: { word: "Slow", shape: "half", level: "warn", letter: "s", height: 7 },
  trusted: { word: "Used although its checks fail", shape: "triangle", level: "warn", letter: "u", height: 7 },
  trial: { word: "On trial", shape: "half", level: "warn", letter: "t", height: 7 },
  checking: { word: "Not checked yet", shape: "ring", level: "idle", letter: "c", height: 5 },
  leaving: { word: "Shutting down", shape: "arrow", level: "idle", letter: "l", height: 5 },
  not_ready: { word: "Not ready", shape: "ring", level: "idle", letter: "n", height: 5 },
  terminating: { word: "Terminating", shape: "arrow", level: "idle", letter: "m", height: 5 },
  drained: { word: "Drained", shape: "arrow", level: "idle", letter: "r", height: 5 },
  off: { word: "Off", shape: "square", level: "idle", letter: "o", height: 5 },
  ejected: { word: "Ejected", shape: "cross", level: "bad", letter: "e", height: 3 },
  down: { word: "Down", shape: "cross", level: "bad", letter: "d", height: 3 },
};
export const ofLetter = Object.fromEntries(Object.entries(states).map(([name, s]) => [s.letter, name]));

export function state(name) {
  const s = states[name] ?? { word: name, shape: "ring", level: "idle" };
  return [shape(s.shape, s.level), " ", h("span", { class: s.level }, s.word)];
}

// The levels of problems.
export const levels = {
  error: { word: "Error", shape: "stop", level: "bad" },
  warning: { word: "Warning", shape: "triangle", level: "warn" },
  notice: { word: "Notice", shape: "diamond", level: "idle" },
};

// The events that are not changes of a state.
const events = {
  started: { word: "Started", shape: "plus", level: "note" },
  reload: { word: "Configuration reloaded", shape: "diamond", level: "note" },
  config_failed: { word: "Reload failed", shape: "stop", level: "bad" },
  certificate: { word: "Certificate", shape: "diamond", level: "note" },
  found: { word: "Upstreams found", shape: "plus", level: "note" },
  gone: { word: "Upstreams removed", shape: "dash", level: "idle" },
  lookup: { word: "Look-up", shape: "triangle", level: "warn" },
  slow: { word: "Slow", shape: "half", level: "warn" },
  steady: { word: "No longer slow", shape: "check", level: "good" },
  alike: { word: "Most fail in the same way", shape: "triangle", level: "warn" },
  deploy: { word: "Deploy", shape: "diamond", level: "note" },
  split: { word: "Split changed", shape: "diamond", level: "note" },
  paused: { word: "Paused", shape: "square", level: "warn" },
  resumed: { word: "Resumed", shape: "check", level: "good" },
  closed: { word: "Maintenance", shape: "square", level: "warn" },
  reopened: { word: "Maintenance over", shape: "check", level: "good" },
  purge: { word: "Cache purged", shape: "dash", level: "note" },
  fault: { word: "Injected fault", shape: "triangle", level: "warn" },
  split_back: { word: "Split rolled back", shape: "triangle", level: "warn" },
  unalike: { word: "No longer fail in the same way", shape: "check", level: "good" },
  available: { word: "Up", shape: "check", level: "good" },
};
export const eventKind = (kind) => events[kind] ?? states[kind] ?? { word: kind, shape: "ring", level: "idle" };
