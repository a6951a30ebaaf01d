package header

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"net/textproto"
	"reflect"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/lab/streamtest"
)

func TestEnd(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int{
		"": -1, "\r": -1, "a": -1, "a\r\n": -1, "a\r\nb: c\r\n": -1, "a\r\n\r": -1,
		"a\r\n\r\n": 5, "a\n\n": 3, "a\r\n\n": 4, "a\n\r\nrest": 4, "a\r\nb\r\n\r\nc\r\n\r\n": 8,
		"a\r\n \r\n": -1, "a\r\n\r\r\n": -1,
		"\n": 1, "\r\n": 2, "\nrest\n\n": 1, "\r\na\r\n\r\n": 2, "\r\r\n\n": 4,
	} {
		if got := End([]byte(in), 0); got != want {
			t.Errorf("%q: got %d, want %d", in, got, want)
		}
		for n := range in { // a block that comes in two parts has the same end
			if first := End([]byte(in[:n]), 0); first >= 0 {
				break
			}
			if got := End([]byte(in), n); got != want {
				t.Errorf("%q after %d bytes: got %d, want %d", in, n, got, want)
			}
		}
	}
}

// TestRead: a block ends at the same byte for any division of its bytes and any size of
// the buffer. Read takes no byte after it.
func TestRead(t *testing.T) {
	t.Parallel()
	for _, block := range []string{
		"\n", "\r\n", "a: b\r\n\r\n", "a\n\n", "a\r\n\n", "\r\r\n\r\n",
		"a: " + strings.Repeat("x", 10) + "\r\n\r\n", "a: " + strings.Repeat("x", 11) + "\r\n\r\n", "a: " + strings.Repeat("x", 12) + "\n\r\n",
		"a: " + strings.Repeat("x", 100) + "\r\nb: c\r\n\r\n",
	} {
		for _, part := range []int{1, 2, 3, 7, 1000} {
			const behind = "\r\nnext\r\n\r\n"
			br := bufio.NewReaderSize(streamtest.InParts(block+behind, part), 16)
			got, err := Read(br, len(block))
			rest, _ := io.ReadAll(br)
			if got != block || err != nil || string(rest) != behind {
				t.Errorf("%q by %d: got %q, %v, then %q", block, part, got, err, rest)
			}
			br = bufio.NewReaderSize(streamtest.InParts(block+behind, part), 16)
			if got, err := Read(br, len(block)-1); err != ErrTooLarge {
				t.Errorf("%q by %d, one byte more than allowed: got %q, %v", block, part, got, err)
			}
			br = bufio.NewReaderSize(streamtest.InParts(block[:len(block)-1], part), 16)
			if got, err := Read(br, 1000); err != io.EOF {
				t.Errorf("%q by %d, without its last byte: got %q, %v", block, part, got, err)
			}
		}
	}
}

func TestReadTrailer(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]struct {
		fields http.Header
		rest   string
		fails  bool
	}{
		"\r\nnext":                          {nil, "next", false},
		"X: y\r\n\r\nnext":                  {http.Header{"X": {"y"}}, "next", false},
		"\nPOST / HTTP/1.1\r\nA: b\r\n\r\n": {nil, "", true},
		"X: y\n\nnext":                      {nil, "", true},
		"X: y\n\r\nnext":                    {nil, "", true},
		"X: y\r\n\nnext":                    {nil, "", true},
		"X: y\r\n z\r\n\r\nnext":            {nil, "", true},
		"X : y\r\n\r\nnext":                 {nil, "", true},
		"X\r\n\r\nnext":                     {nil, "", true},
		"X: y\r\n":                          {nil, "", true},
	} {
		for _, part := range []int{1, 2, 1000} {
			br := bufio.NewReaderSize(streamtest.InParts(in, part), 16)
			got, err := ReadTrailer(br, 1000)
			rest, _ := io.ReadAll(br)
			if !reflect.DeepEqual(got, want.fields) || (err != nil) != want.fails || err == nil && string(rest) != want.rest || err == io.EOF {
				t.Errorf("%q by %d: got %v, %v, then %q", in, part, got, err, rest)
			}
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]http.Header{
		"\r\n":                                    {},
		"a: b\r\nC:d\n\r\n":                       {"A": {"b"}, "C": {"d"}},
		"x-a: 1\r\nX-B: 2\r\nX-A:\t3 \r\n\r\n":    {"X-A": {"1", "3"}, "X-B": {"2"}},
		"empty:\r\nspace: \r\n\r\n":               {"Empty": {""}, "Space": {""}},
		"x: a:b\r\n\r\n":                          {"X": {"a:b"}},
		"latin: caf\xe9\r\n\r\n":                  {"Latin": {"caf\xe9"}},
		"no colon\r\n\r\n":                        nil,
		": no name\r\n\r\n":                       nil,
		"space : x\r\n\r\n":                       nil,
		"x: a\x00b\r\n\r\n":                       nil,
		"x: a\rb\r\n\r\n":                         nil,
		"x: a\r\n b\r\n\r\n":                      nil,
		" x: a\r\n\r\n":                           nil,
		"x: a\r\r\n\r\n":                          nil,
		"secret-in-the-name-\x7f: secret\r\n\r\n": nil,
	} {
		got, err := Parse(in)
		if !reflect.DeepEqual(got, want) || (err != nil) != (want == nil) {
			t.Errorf("%q: got %v, %v; want %v", in, got, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the error tells it: %v", in, err)
		}
	}
	if _, err := Parse("x: a\r\n\tb\r\n\r\n"); !errors.Is(err, ErrFolded) {
		t.Errorf("a folded field: got %v, want %v", err, ErrFolded)
	}
}

// A value added to a field must not end up in the next one.
func TestParseKeepsValuesApart(t *testing.T) {
	t.Parallel()
	h, err := Parse("a: 1\r\nb: 2\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	h.Add("A", "3")
	if want := (http.Header{"A": {"1", "3"}, "B": {"2"}}); !reflect.DeepEqual(h, want) {
		t.Errorf("got %v, want %v", h, want)
	}
}

// FuzzParse: accepted fields mean the same to net/textproto.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"\r\n\r\n", "a: b\r\n\r\n", "a: b\nA:c\n\nrest", "x : y\r\n\r\n", "a: b\r\n c\r\n\r\n", "a:\xff\t\r\n\r\n", "\n\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n := End(b, 0)
		if n < 0 {
			return
		}
		lines := string(b[:n])
		got, err := Parse(lines)
		if err != nil {
			return
		}
		want, err := textproto.NewReader(bufio.NewReader(strings.NewReader(lines))).ReadMIMEHeader()
		if err != nil || !reflect.DeepEqual(textproto.MIMEHeader(got), want) {
			t.Errorf("%q: got %v, net/textproto %v, %v", lines, got, want, err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	const lines = "Date: Mon, 02 Jan 2006 15:04:05 GMT\r\nContent-Type: text/plain\r\nContent-Length: 13\r\nX-Request-Id: 1234\r\n\r\n"
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(lines); err != nil {
			b.Fatal(err)
		}
	}
}
