// Text from outside: a client chooses the path of a request, and an upstream the words of
// an error.

// printable escapes control characters, bidi overrides and characters without a width, and
// shortens a very long text. It corresponds to internal/printable.
export function printable(text) {
  const s = String(text);
  const short = s.length > 4096 ? s.slice(0, 4096) + `... (${s.length - 4096} more characters)` : s;
  return short.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (c) => "\\u{" + c.codePointAt(0).toString(16) + "}");
}
