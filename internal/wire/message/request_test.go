package message

import (
	"bufio"
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/wire/header"
)

const example = "GET /a?b=c HTTP/1.1\r\nhost: example.com\r\nCOOKIE: a=1; b=\"2\"\r\nX-Key: k\r\nx-key: l\r\nAccept: text/html\r\n" +
	"Authorization: Basic dTpw\r\nConnection: x, Close\r\nCookie: c=3\r\n\r\n"

// both returns the example as inbound and as net/http deliver it.
func both(t *testing.T) map[string]*Request {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(example)))
	if err != nil {
		t.Fatal(err)
	}
	inMap := FromHTTP(r)
	head := new(header.Head)
	if err := head.Parse(example); err != nil {
		t.Fatal(err)
	}
	inHead := FromHTTP(r)
	inHead.Head, inHead.std = head, nil
	return map[string]*Request{"map": inMap, "head": inHead}
}

// A request has the same fields whether they came in a map or as sent.
func TestFields(t *testing.T) {
	t.Parallel()
	for name, r := range both(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := r.Get(header.Accept); got != "text/html" || !r.Has(header.Accept) || r.Count(header.Accept) != 1 {
				t.Errorf("Accept: got %q, %v, %d", got, r.Has(header.Accept), r.Count(header.Accept))
			}
			if got := r.Get(header.Upgrade); got != "" || r.Has(header.Upgrade) || r.Values(header.Upgrade) != nil {
				t.Errorf("Upgrade: got %q, %v, %q", got, r.Has(header.Upgrade), r.Values(header.Upgrade))
			}
			if got := slices.Collect(r.ValuesOf("X-KEY")); !slices.Equal(got, []string{"k", "l"}) || r.Field("x-key") != "k" || r.Field("x-none") != "" {
				t.Errorf("X-KEY: got %q, %q, %q", got, r.Field("x-key"), r.Field("x-none"))
			}
			if r.Get(header.Host) != "" || r.Has(header.Host) || r.Values(header.Host) != nil || r.HasToken(header.Host, "example.com") || r.Host != "example.com" {
				t.Error("Host is shown as a field of the header")
			}
			if got := r.Field("HOST"); got != "example.com" {
				t.Errorf("Host by name: got %q", got)
			}
			if !r.HasToken(header.Connection, "close") || r.HasToken(header.Connection, "clos") || r.HasToken(header.Via, "x") {
				t.Error("Connection has close, and not clos; Via has nothing")
			}
			for cookie, want := range map[string]string{"a": "1", "b": "2", "c": "3", "d": ""} {
				if got, ok := r.Cookie(cookie); got != want || ok != (want != "") {
					t.Errorf("cookie %s: got %q, %v; want %q", cookie, got, ok, want)
				}
			}
			if user, password, ok := r.BasicAuth(); user != "u" || password != "p" || !ok {
				t.Errorf("BasicAuth: got %q, %q, %v", user, password, ok)
			}
			std := r.HTTP()
			if got := std.Header["X-Key"]; !slices.Equal(got, []string{"k", "l"}) || std.Method != "GET" || std.RequestURI != "/a?b=c" || std.Context() != context.Background() {
				t.Errorf("HTTP: got %q, %+v", got, std)
			}
			if r.HTTP() != std {
				t.Error("HTTP made another request")
			}
			if std.Header["Host"] != nil || std.Host != "example.com" {
				t.Errorf("HTTP: Host is %q as a field, and %q", std.Header["Host"], std.Host)
			}
			if lent := r.Lent(); lent != (name == "head") {
				t.Errorf("Lent: got %v", lent)
			}
			r.DropFields(func(n string) bool { return !strings.EqualFold(n, "Accept") })
			want := http.Header{"Accept": {"text/html"}}
			if got := r.HTTP().Header; !maps.EqualFunc(got, want, slices.Equal) || std.Header["X-Key"] == nil {
				t.Errorf("after DropFields: got %v, want %v; before: %v", got, want, std.Header)
			}
			r.AddField("x-new", "1")
			r.AddField("x-new", "2")
			want["X-New"] = []string{"1", "2"}
			if got := r.HTTP().Header; !maps.EqualFunc(got, want, slices.Equal) || std.Header["X-New"] != nil {
				t.Errorf("after AddField: got %v, want %v; before: %v", got, want, std.Header)
			}
			if r.Head != nil && r.Head.Get(header.Host) != "example.com" {
				t.Error("DropFields dropped Host")
			}
		})
	}
}

// An answer has the same fields, for readers and editors, whether they came in a map or
// as sent.
func TestResponse(t *testing.T) {
	t.Parallel()
	const answer = "HTTP/1.1 404 Nothing Here\r\nx-a: 1\r\nETAG: \"x\"\r\nConnection: Close\r\nX-A: 2\r\nVia: 1.1 a\r\n\r\n"
	std, err := http.ReadResponse(bufio.NewReader(strings.NewReader(answer)), &http.Request{Method: "HEAD"})
	if err != nil {
		t.Fatal(err)
	}
	std.Header["Connection"] = []string{"Close"} // net/http removes it
	var inMap Response
	inMap.SetHTTP(std)
	inHead := inMap
	inHead.std, inHead.Head = nil, new(header.Head)
	if err := inHead.Head.Parse(answer); err != nil {
		t.Fatal(err)
	}
	edit := func(r *Response) Editor {
		if r.Head != nil {
			return r.Head
		}
		return r.std.Header
	}
	for name, r := range map[string]*Response{"map": &inMap, "head": &inHead} {
		if r.Get(header.ETag) != `"x"` || r.Count(header.Via) != 1 || r.Has(header.Upgrade) || r.Get(header.Upgrade) != "" ||
			!r.HasToken(header.Connection, "close") || r.HasToken(header.Via, "x") || len(r.Values(header.Via)) != 1 || r.Values(header.Upgrade) != nil {
			t.Errorf("%s: %+v has other fields than it had", name, r)
		}
		r.Delete(header.Via)
		e := edit(r)
		e.Set("X-A", "3")
		e.Add("X-B", "4")
		e.Del("Connection")
		want := http.Header{"X-A": {"3"}, "X-B": {"4"}, "Etag": {`"x"`}}
		if got := r.Fields(); !maps.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%s: edited fields: got %v, want %v", name, got, want)
		}
		made := r.HTTP(nil)
		if made.Status != "404 Nothing Here" || made.StatusCode != 404 || made.ProtoMajor != 1 || made.ProtoMinor != 1 || !maps.EqualFunc(made.Header, want, slices.Equal) {
			t.Errorf("%s: HTTP: got %+v", name, made)
		}
		edit(r).Set("X-A", "5")
		if got := made.Header.Get("X-A"); got != "5" {
			t.Errorf("%s: an edit after HTTP: got %q, want 5", name, got)
		}
	}
}

// Spaces around the value of an HTTP/2 or HTTP/3 field do not make another value of it.
func TestFromHTTPTrims(t *testing.T) {
	t.Parallel()
	for major, want := range map[int]string{1: " k\t", 2: "k", 3: "k"} {
		r := &http.Request{ProtoMajor: major, URL: &url.URL{Path: "/"}, Header: http.Header{"X-Key": {" k\t"}, "X-Empty": {"", " "}, "X-Inner": {"a b"}}}
		got := FromHTTP(r)
		if key, inner := got.Field("X-Key"), got.Field("X-Inner"); key != want || inner != "a b" {
			t.Errorf("HTTP/%d: got %q and %q, want %q and %q", major, key, inner, want, "a b")
		}
	}
}
