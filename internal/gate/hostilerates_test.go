package gate

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestHostileRates: over every protocol, a client that has used up its rate gets no
// further request through, whatever it says about itself and however it spells the path,
// the header or the cookie that the rate counts.
func TestHostileRates(t *testing.T) {
	t.Parallel()
	app := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(app.Close)
	_, all := startFronts(t, fmt.Sprintf(`
%%s
shutdown: {lame_duck: 0s, grace: 0s}
routes:
  - {match: {path: /by/client}, pool: app, limits: {rates: [{on: client_ip, requests: 2, per: 1h}]}}
  - {match: {path: /by/key}, pool: app, limits: {rates: [{on: "header:X-Key", requests: 2, per: 1h}]}}
  - {match: {path: /by/cookie}, pool: app, limits: {rates: [{on: "cookie:user", requests: 2, per: 1h}]}}
  - {match: {path: "/by/*"}, pool: app, limits: {rates: [{on: "{path}", requests: 2, per: 1h}]}}
  - {respond: {status: 404}}
pools: {app: {upstreams: [%q], health: {type: none}}}
`, app.URL))
	kinds := []struct {
		target string
		known  [][2]string // the key that has no requests left
		tries  []try
	}{
		{"/by/client", nil, []try{
			{fields: [][2]string{{"X-Forwarded-For", "203.0.113.1"}}},
			{fields: [][2]string{{"x_forwarded_for", "203.0.113.2"}}},
			{fields: [][2]string{{"X-Forwarded-For", "203.0.113.3, 127.0.0.1"}, {"X-Forwarded-For", "203.0.113.4"}}},
			{fields: [][2]string{{"Forwarded", "for=203.0.113.5"}}},
			{fields: [][2]string{{"X-Real-IP", "203.0.113.6"}}},
			{fields: [][2]string{{"CF-Connecting-IP", "203.0.113.7"}, {"True-Client-IP", "203.0.113.7"}}},
			{host: "other.example"}, {target: "/by/client?1"}, {target: "/by//client"}, {target: "/by/./client"},
			{target: "/by/x/../client"}, {target: "/by/%63lient"}, {method: "POST"}, {method: "HEAD"},
			{fields: [][2]string{{"Cookie", "user=1"}}}, {fields: [][2]string{{"User-Agent", "another"}}},
		}},
		{"/by/key", [][2]string{{"X-Key", "a"}}, []try{
			{fields: [][2]string{{"x-key", "a"}}}, {fields: [][2]string{{"X-KEY", " a "}}}, {target: "/by/key?x=y", fields: [][2]string{{"X-Key", "a"}}},
			{fields: [][2]string{{"X-Key", "a"}, {"X-Forwarded-For", "203.0.113.1"}}},
		}},
		{"/by/cookie", [][2]string{{"Cookie", "user=a"}}, []try{
			{fields: [][2]string{{"Cookie", "x=y; user=a"}}}, {fields: [][2]string{{"Cookie", "user=a; x=y"}}}, {fields: [][2]string{{"Cookie", "x=y"}, {"Cookie", "user=a"}}},
		}},
		{"/by/path", nil, []try{
			{target: "/by/path?query"}, {target: "/by/%70ath"}, {target: "/by/./path"}, {target: "/by/x/../path"}, {target: "/by//path"}, {target: "/by/path;x=1"}, {host: "other.example"}, {method: "POST"},
		}},
	}
	all.each(func(name string, send trySender) {
		for _, kind := range kinds {
			plain := try{method: "GET", target: kind.target, host: "www.example", fields: kind.known}
			var last int
			for range 3 {
				last, _ = send(t, plain)
			}
			if last != http.StatusTooManyRequests {
				t.Fatalf("%s: the third request to %s got %d, want 429", name, kind.target, last)
			}
			for _, r := range kind.tries {
				if r.method == "" {
					r.method = "GET"
				}
				if r.target == "" {
					r.target = kind.target
				}
				if r.host == "" {
					r.host = "www.example"
				}
				if status, _ := send(t, r); status == http.StatusOK {
					t.Errorf("%s: %s admitted %v", name, strings.TrimPrefix(kind.target, "/by/"), r)
				}
			}
		}
	})
}
