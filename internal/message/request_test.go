package message

import (
	"bufio"
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/header"
)

const example = "GET /a?b=c HTTP/1.1\r\nhost: example.com\r\nCOOKIE: a=1; b=\"2\"\r\nX-Key: k\r\nx-key: l\r\nAccept: text/html\r\n" +
	"Authorization: Basic dTpw\r\nConnection: x, Close\r\nCookie: c=3\r\n\r\n"

// both returns the example as it came by inbound, and by net/http.
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

// Whether fields came in a map or as they were, they are the same to those who ask.
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
		})
	}
}
