// Numbers, times and units as people read them.

export const sum = (list) => list.reduce((a, b) => a + b, 0);

// count formats a whole number.
export const count = (n) => n.toLocaleString("en");

// many formats a number with its noun.
export const many = (n, noun) => `${count(n)} ${noun}${n === 1 ? "" : "s"}`;

// rate formats a number per second.
export const rate = (n) => (n === 0 ? "0" : n < 1 ? String(Number(n.toPrecision(2))) : n < 10 ? n.toFixed(1) : count(Math.round(n)));

// ms formats the time to an answer with two digits, the precision of the histogram; 0 =
// no answer.
export function ms(n) {
  if (!n) return "–";
  const two = (v) => (v >= 10 ? v.toFixed(0) : v >= 1 ? v.toFixed(1) : v.toFixed(2));
  return n >= 999.5 ? two(n / 1000) + " s" : two(n) + " ms";
}

// bytes formats a number of bytes, in powers of 1000.
export function bytes(n) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let i = 0;
  while (n >= 1000 && i < units.length - 1) {
    n /= 1000;
    i++;
  }
  return `${i && n < 10 ? n.toFixed(1) : Math.round(n)} ${units[i]}`;
}

// time formats a time of day in the browser's zone, with the date if it is not today.
export function time(t) {
  const d = new Date(t);
  const clock = d.toLocaleTimeString("en-GB");
  return Math.abs(Date.now() - d) < 20 * 3600e3 ? clock : `${day(t)} ${clock}`;
}

export const day = (t) => new Date(t).toLocaleDateString("en-CA");

// span formats a duration in seconds, in its two largest units.
export function span(s) {
  s = Math.max(0, Math.round(s));
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const i = units.findIndex(([, n]) => s >= n);
  if (i < 0) return "0 s";
  const [name, n] = units[i];
  const rest = units[i + 1] && Math.floor((s % n) / units[i + 1][1]);
  return `${Math.floor(s / n)} ${name}${rest && s < n * 10 ? ` ${rest} ${units[i + 1][0]}` : ""}`;
}

// ago formats how long one time is before another.
export const ago = (t, now) => span((new Date(now) - new Date(t)) / 1000);

// utc formats an offset in minutes.
function utc(offset) {
  const two = (n) => String(Math.floor(n)).padStart(2, "0");
  return offset ? `UTC${offset < 0 ? "−" : "+"}${two(Math.abs(offset) / 60)}:${two(Math.abs(offset) % 60)}` : "UTC";
}

// zone describes the time zone of the page. If goodgate's messages use another zone, it
// names that zone too. now is a time as goodgate has written it.
export function zone(now) {
  const here = -new Date(now).getTimezoneOffset();
  const [, sign, hours, minutes] = /([+-])(\d\d):(\d\d)$/.exec(now) ?? ["", "+", 0, 0];
  const there = (sign === "-" ? -1 : 1) * (60 * hours + Number(minutes));
  const name = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return (name && name !== "UTC" ? `${utc(here)}, ${name}` : utc(here)) + (here === there ? "" : `; goodgate's own messages use ${utc(there)}`);
}
