package inbound

import (
	"bufio"
	"context"
	"maps"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/lab/streamtest"
	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// FuzzHead checks that an accepted head has the same meaning for net/http: any parser
// that follows the standard reads the same request from the same bytes.
func FuzzHead(f *testing.F) {
	for _, seed := range corpus(f) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sent string) {
		br := bufio.NewReader(strings.NewReader(sent))
		head, err := readHead(br, 64<<10)
		if err != nil {
			return
		}
		r, err := understand(head)
		if err != nil {
			return
		}
		if n := r.Head.Count(header.ContentLength); n > 1 || r.Head.Has(header.TransferEncoding) {
			t.Errorf("%q: %d lengths, or a coding, are left", head, n)
		}
		got := r.HTTP()
		want, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head)))
		if err != nil {
			t.Fatalf("%q is refused by net/http: %v", head, err)
		}
		delete(want.Header, "Host")
		if _, ok := got.Header["Cache-Control"]; !ok {
			delete(want.Header, "Cache-Control") // which net/http makes of Pragma
		}
		maps.DeleteFunc(want.Trailer, func(k string, _ []string) bool { _, ok := got.Trailer[k]; return !ok })
		for _, c := range []struct {
			what      string
			got, want any
		}{
			{"method", got.Method, want.Method},
			{"target", got.RequestURI, want.RequestURI},
			{"URL", got.URL, want.URL},
			{"version", got.Proto, want.Proto},
			{"header", got.Header, want.Header},
			{"host", got.Host, want.Host},
			{"length", got.ContentLength, want.ContentLength},
			{"coding", got.TransferEncoding, want.TransferEncoding},
			{"trailer", len(got.Trailer), len(want.Trailer)},
		} {
			if !reflect.DeepEqual(c.got, c.want) {
				t.Errorf("%q: %s: got %#v, net/http %#v", head, c.what, c.got, c.want)
			}
		}
		if got.Close != want.Close && (want.Close || got.ProtoMinor > 0) {
			t.Errorf("%q: close: got %v, net/http %v", head, got.Close, want.Close)
		}
	})
}

// understand parses a head.
func understand(head string) (*message.Request, error) {
	w := newRoom()
	w.request.URL, w.request.Head = &w.url, &w.head
	w.request.SetContext(context.Background())
	return &w.request, parse(head, &w.request)
}

// corpus returns the requests that the gate's tests send.
func corpus(t testing.TB) (list []string) {
	text, err := os.ReadFile("../../gate/testdata/corpus/requests.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		mark, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		end := ""
		switch mark {
		case "@":
			list = append(list, "")
			continue
		case "<":
			end = "\r\n"
		case "<<":
		default:
			continue
		}
		s, err := strconv.Unquote(`"` + strings.ReplaceAll(rest, `"`, `\"`) + `"`)
		if err != nil {
			t.Fatal(err)
		}
		list[len(list)-1] += s + end
	}
	return list
}

// TestHeadInParts checks that a head is the same for any division of its bytes, and for
// any size relative to the reader's buffer.
func TestHeadInParts(t *testing.T) {
	for _, size := range []int{10, 4000, 4090, 4096, 5000, 9000} {
		want := "GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", size) + "\r\n\r\n"
		for _, part := range []int{1, 7, 4096, 1 << 20} {
			br := bufio.NewReaderSize(streamtest.InParts("\r\n"+want+"next", part), bufferSize)
			got, err := readHead(br, len(want))
			rest, _ := br.Peek(4)
			if got != want || err != nil || string(rest) != "next" {
				t.Errorf("%d bytes by %d: got %d bytes, %v, then %q", len(want), part, len(got), err, rest)
			}
			br = bufio.NewReaderSize(streamtest.InParts(want, part), bufferSize)
			if _, err := readHead(br, len(want)-1); err == nil || !strings.Contains(err.Error(), "max_header") {
				t.Errorf("%d bytes by %d, one more than allowed: got %v", len(want), part, err)
			}
		}
	}
}

// TestRefusals checks which requests are refused, with which status, and that the
// reason reveals no secret.
func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		head   string
		status int
	}{
		"folded":                    {"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", 400},
		"length beside coding":      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		"coding in HTTP/1.0":        {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		"two codings":               {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
		"lengths that differ":       {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n", 400},
		"signed length":             {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\n", 400},
		"list of lengths":           {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\n", 400},
		"no host":                   {"GET / HTTP/1.1\r\n\r\n", 400},
		"two hosts":                 {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
		"space before the colon":    {"GET / HTTP/1.1\r\nHost: a\r\nsecret : x\r\n\r\n", 400},
		"no colon":                  {"GET / HTTP/1.1\r\nHost: a\r\nsecret\r\n\r\n", 400},
		"NUL in a value":            {"GET / HTTP/1.1\r\nHost: a\r\nX: secret\x00\r\n\r\n", 400},
		"CR in a value":             {"GET / HTTP/1.1\r\nHost: a\r\nX: secret\rY: z\r\n\r\n", 400},
		"HTTP/2":                    {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
		"HTTP/1.2":                  {"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 400},
		"no version":                {"GET /\r\nHost: a\r\n\r\n", 400},
		"two spaces":                {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		"method that is no token":   {"G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		"target that is none":       {"GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		"trailer that frames":       {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n", 400},
		"upper case K that is none": {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chun\u212aed\r\n\r\n", 501},
	} {
		_, err := understand(c.head)
		e, ok := err.(*requestError)
		if !ok || e.status != c.status {
			t.Errorf("%s: got %v, want %d", name, err, c.status)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the reason tells a secret: %v", name, err)
		}
	}
}

// TestUnderstood checks that header fields keep their order and bytes.
func TestUnderstood(t *testing.T) {
	const fields = "Host: a\r\nX: 1\r\ny:\r\nCONTENT-length: 2\r\nx:\t2 \r\nZ: \xff\"\r\nContent-Length: 2\r\n\r\n"
	r, err := understand("PUT /a%2fb?c HTTP/1.1\r\n" + fields)
	want := []header.Field{
		{Name: "Host", Value: "a", ID: header.Host}, {Name: "X", Value: "1"}, {Name: "y"},
		{Name: "CONTENT-length", Value: "2", ID: header.ContentLength}, {Name: "x", Value: "2"}, {Name: "Z", Value: "\xff\""},
	}
	if err != nil || !slices.Equal(r.Head.Fields, want) || r.Head.Start != "PUT /a%2fb?c HTTP/1.1" {
		t.Errorf("got %v %q %q, want %q", err, r.Head.Start, r.Head.Fields, want)
	}
	if r.Host != "a" || r.URL.RawPath != "/a%2fb" || r.RequestURI != "/a%2fb?c" || r.ContentLength != 2 {
		t.Errorf("got %q %q %q %d", r.Host, r.URL.RawPath, r.RequestURI, r.ContentLength)
	}
}

// FuzzTarget checks that targets parsed without net/url have the same meaning for
// net/url.
func FuzzTarget(f *testing.F) {
	for _, seed := range []string{"/", "/a/b?c=d", "/a?", "/a??", "/?a#b", "/a;b,c=1&$+:@~-._", "//a/b", "/a%2f", "/a b", "/a?\x7f", "/é", "/a!", "*", "a", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		got := url.URL{Path: "/left"}
		if !setPlainTarget(&got, uri) {
			return
		}
		if want, err := url.ParseRequestURI(uri); err != nil || got != *want {
			t.Errorf("%q: got %#v, net/url %#v, %v", uri, got, want, err)
		}
	})
}

// TestPlainTargets checks that usual targets are parsed without an allocation.
func TestPlainTargets(t *testing.T) {
	var u url.URL
	for _, uri := range []string{"/", "/index.html", "/api/v1/items/42?page=2&q=%C3%A9", "/a-b_c~d/@me;v=1,2:3?"} {
		if n := testing.AllocsPerRun(100, func() { setTarget(&u, "GET", uri) }); n != 0 {
			t.Errorf("%s: %v allocations", uri, n)
		}
	}
}
