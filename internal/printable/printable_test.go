package printable_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/goodgate/goodgate/internal/printable"
)

func TestText(t *testing.T) {
	t.Parallel()
	f := func(s, want string) {
		t.Helper()
		if got := printable.Text(s); got != want {
			t.Errorf("%+q: got %+q, want %+q", s, got, want)
		}
		if again := printable.Text(want); again != want {
			t.Errorf("%+q is not stable: %+q", want, again)
		}
	}
	f("", "")
	f(`plain "text" \ with ünïcode, 漢字 and 😀`, `plain "text" \ with ünïcode, 漢字 and 😀`)
	f("\x1b]0;title\a\x1b[31m", `\x1b]0;title\x07\x1b[31m`)
	f("a\r\nb\tc\x00\x7f", `a\r\nb\tc\x00\x7f`)
	f("\u0080\u009b31m\u0085", `\u0080\u009b31m\u0085`)
	f("\xff\xc3(\x9b", `\xff\xc3(\x9b`)
	f("\u202a\u202e\u2066\u2069\u200b\u200e\u200f\ufeff\u00ad", `\u202a\u202e\u2066\u2069\u200b\u200e\u200f\ufeff\u00ad`)
	f("\u2028\u2029\u00a0\u3000", `\u2028\u2029\u00a0\u3000`)
	f("\U000e0041", `\U000e0041`) // an invisible tag character
	f("\ufffd", "\ufffd")
	f(strings.Repeat("x", 4096), strings.Repeat("x", 4096))
}

func TestLongTextIsCut(t *testing.T) {
	t.Parallel()
	for _, s := range []string{strings.Repeat("x", 100_000), strings.Repeat("漢", 100_000), strings.Repeat("\x80", 100_000)} {
		got := printable.Text(s)
		if len(got) > 4*4096+40 || !strings.HasSuffix(got, " more bytes)") || !utf8.ValidString(got) {
			t.Errorf("%d bytes, valid UTF-8 %t, ending with %q", len(got), utf8.ValidString(got), got[len(got)-30:])
		}
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	if got := printable.Lines("a\x1b\nb\r\n"); got != "a\\x1b\nb\\r\n" {
		t.Errorf("got %q", got)
	}
}

type named string

type shout struct{}

func (shout) String() string { return "\x1b!" }

// TestFormats checks that operands of every kind are escaped, and that the format is
// not.
func TestFormats(t *testing.T) {
	t.Parallel()
	got := printable.Sprintf("\x1b[1m%s|%v|%q|%-4s|%*d|%v|%s|%v|%+v|%.1f\x1b[m", "\x1b", errors.New("\a"), "\x1b", "\x01",
		3, 7, named("\x02"), shout{}, []string{"\x03"}, struct{ A string }{"\x04"}, 1.25)
	if want := "\x1b[1m\\x1b|\\x07|\"\\x1b\"|\\x01   |  7|\\x02|\\x1b!|[\\x03]|{A:\\x04}|1.2\x1b[m"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	var b bytes.Buffer
	printable.Fprintf(&b, "%d %s\n", 1, "\r")
	printable.Fprintln(&b, "a", 2, errors.New("b\nc"))
	if want := "1 \\r\na 2 b\\nc\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

// hasControl returns the first character that is not visible as itself.
func hasControl(b []byte) (rune, bool) {
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if r != '\n' && r != '\t' && (!unicode.IsPrint(r) || r == utf8.RuneError && size == 1) {
			return r, true
		}
		b = b[size:]
	}
	return 0, false
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"", "a\x1b", "\u009b", "\xc2", "\u202e\U000e0041", "01234567\x7f", "\x7e\x7f\x80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got := printable.Text(s); strings.ContainsAny(got, "\n\t") || len(got) > 4*len(s)+40 && len(s) > 40 {
			t.Errorf("%q became %q", s, got)
		} else if r, bad := hasControl([]byte(got)); bad {
			t.Errorf("%q became %q with %U", s, got, r)
		}
		plain, err := json.Marshal(map[string]string{s: s})
		if err != nil {
			t.Fatal(err)
		}
		escaped := printable.JSON(plain)
		var a, b map[string]string
		if json.Unmarshal(plain, &a) != nil || json.Unmarshal(escaped, &b) != nil || fmt.Sprint(a) != fmt.Sprint(b) {
			t.Errorf("%q means another than %q", escaped, plain)
		}
		if r, bad := hasControl(escaped); bad {
			t.Errorf("%q has %U", escaped, r)
		}
	})
}

// TestRecord checks that every suspect character is found at every position of a line.
func TestRecord(t *testing.T) {
	t.Parallel()
	for n := range 20 {
		for bad, want := range map[string]string{"\x7f": `\x7f`, "\u009b": `\u009b`, "\u202e": `\u202e`, "\xff": `\xff`} {
			line := strings.Repeat("~", n)
			if got := string(printable.Record([]byte(line + bad + "ü\n"))); got != line+want+"ü\n" {
				t.Errorf("%d before %q: got %q", n, bad, got)
			}
		}
	}
}

// Nearly every line of a log is plain, so copying it would be wasteful.
func TestPlainRecordIsNotCopied(t *testing.T) {
	line := []byte(`{"level":"INFO","msg":"request","path":"/a/b?c=~"}` + "\n")
	if n := testing.AllocsPerRun(100, func() { printable.JSON(line) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkJSON(b *testing.B) {
	line := []byte(strings.Repeat(`{"level":"INFO","msg":"request"}`, 12))
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		printable.JSON(line)
	}
}

func TestHTML(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	printable.HTML(&b, `<p title="%s">%d %.1f %s</p>`, `"><b>`, 3, 2.25, errors.New("a&b\x1b[0m"))
	if got, want := b.String(), `<p title="&#34;&gt;&lt;b&gt;">3 2.2 a&amp;b\x1b[0m</p>`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
