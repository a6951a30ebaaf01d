// Text that came from outside: a client has chosen the path of a request, an
// upstream the words of an error.

// printable shows control characters, bidi overrides and characters without a
// width as escapes, and cuts what is very long. The page's twin of
// internal/printable.
export function printable(text) {
  const s = String(text);
  const short = s.length > 4096 ? s.slice(0, 4096) + `... (${s.length - 4096} more characters)` : s;
  return short.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (c) => "\\u{" + c.codePointAt(0).toString(16) + "}");
}
