package proxy_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/proxy"
)

// Rules change answers by their status, with both relays, and keep the form of an answer.
func TestResponseRules(t *testing.T) {
	t.Parallel()
	re := regexp.MustCompile
	rules := []proxy.ResponseRule{
		{Headers: proxy.HeaderEdits{Set: map[string]string{"X-All": "{upstream}"}, Replace: []proxy.HeaderReplace{
			{Name: "Server", Regexp: re("^nginx/([0-9]+).*"), To: "web $1"},
			{Name: "Via-App", Regexp: re("secret"), To: "-"},
			{Name: "X-Gone", Regexp: re(".*")},
			{Name: "X-None", Regexp: re("^$"), To: "made up"},
		}}},
		{Statuses: []int{404, 410}, Headers: proxy.HeaderEdits{Set: map[string]string{"Cache-Control": "no-store"}, Add: map[string]string{"X-Rule": "404"}, Remove: []string{"X-Trace"}}},
		{Statuses: []int{200}, Status: 203},
		{Statuses: []int{418, 204, 304}, Status: 200},
		{Statuses: []int{418}, Status: 404, Headers: proxy.HeaderEdits{Set: map[string]string{"X-Was": "418"}}},
		{Statuses: []int{500}, Status: 404},
	}
	for _, front := range append(fronts, "inbound-httputil") {
		s := setup{front: front, upstreams: specs("app:80"), route: proxy.Route{ResponseRules: rules}}
		s.pool.Retry = retries(1)
		bubble(t, s, func(w *world) {
			w.app("app:80", func(rw http.ResponseWriter, r *http.Request) {
				h := rw.Header()
				h.Set("Server", "nginx/1.22")
				h["Via-App"] = []string{"a", "secret, secret"}
				h.Set("X-Gone", "x")
				h.Set("X-Trace", "x")
				status := 0
				fmt.Sscan(strings.TrimPrefix(r.URL.Path, "/"), &status)
				rw.WriteHeader(status)
				if status != 204 && status != 304 {
					fmt.Fprint(rw, "body")
				}
			})
			for _, tc := range []struct {
				sent, want int
				fields     string
			}{
				{200, 203, "app:80|web 1|a -, -||x"},
				{404, 404, "app:80|web 1|a -, -|no-store404|"},
				{418, 404, "app:80|web 1|a -, -|418|x"},
				{500, 404, "app:80|web 1|a -, -||x"},
				{503, 503, "app:80|web 1|a -, -||x"},
				{204, 204, "app:80|web 1|a -, -||x"},
				{304, 304, "app:80|web 1|a -, -||x"},
			} {
				a := w.do(w.request("GET", fmt.Sprint("/", tc.sent), nil))
				rec := w.record()
				h := a.header
				got := strings.Join([]string{h.Get("X-All"), h.Get("Server"), strings.Join(h["Via-App"], " "), h.Get("Cache-Control") + h.Get("X-Rule") + h.Get("X-Was"), h.Get("X-Trace")}, "|")
				if a.status != tc.want || rec.Status != tc.want || got != tc.fields || h["X-Gone"] != nil || h["X-None"] != nil {
					t.Errorf("%s, %d: got %d, recorded %d, %s, %v", front, tc.sent, a.status, rec.Status, got, h)
				}
				if body := tc.sent != 204 && tc.sent != 304; (string(a.body) == "body") != body {
					t.Errorf("%s, %d: got the body %q", front, tc.sent, a.body)
				}
			}
		})
	}
}

// Expressions replace in the fields of requests, and no other spelling of the field gets
// past them.
func TestRequestHeaderReplace(t *testing.T) {
	t.Parallel()
	for _, front := range []string{"inbound", "inbound-httputil", "net/http"} {
		s := setup{front: front, upstreams: specs("app:80")}
		s.route.RequestHeaders = proxy.HeaderEdits{Set: map[string]string{"X-B": "{header:X-A}"}, Replace: []proxy.HeaderReplace{
			{Name: "X-A", Regexp: regexp.MustCompile("(?i)admin"), To: "user"}, {Name: "X-B", Regexp: regexp.MustCompile("^(.)"), To: "<$1>"},
		}}
		w := start(t, s)
		var got http.Header
		w.app("app:80", func(_ http.ResponseWriter, r *http.Request) { got = r.Header })
		w.raw("GET / HTTP/1.1\nHost: a\nX-A: Admin, admin\nx_a: admin\nX-A: other\n\n")
		if a, b := strings.Join(got["X-A"], "|"), got.Get("X-B"); a != "user, user|other" || b != "<A>dmin, admin" || got["X_a"] != nil {
			t.Errorf("%s: got %q and %q, %v", front, a, b, got)
		}
	}
}
