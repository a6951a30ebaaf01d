package proxy_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/goodgate/goodgate/proxy"
)

// TestRecordFields: with both relays, a record has the listed fields of the client's
// response and of the upstream's answer, and no others.
func TestRecordFields(t *testing.T) {
	for _, front := range []string{"inbound", "inbound-httputil", "net/http"} {
		s := setup{upstreams: specs("app:80"), front: front}
		s.route.ResponseHeaders = proxy.HeaderEdits{Set: map[string]string{"X-Route": "yes", "Server": "goodgate"}, Remove: []string{"X-Inner"}}
		s.proxy.RecordFields = proxy.ResponseFields{Sent: []string{"server", "x-route", "X-Inner", "Set-Cookie", "X-Request-Id"}, Upstream: []string{"Server", "X-Inner", "X-Route"}}
		bubble(t, s, func(w *world) {
			w.app("app:80", func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Set-Cookie"] = []string{"a=1", "b=2"}
				w.Header().Set("Server", "app")
				w.Header().Set("X-Inner", "10.0.0.1")
				io.WriteString(w, "hello")
			})
			w.do(w.request("GET", "/", nil))
			r := w.record()
			check(t, front+": sent Server", r.SentField("Server"), "goodgate")
			check(t, front+": sent X-Route", r.SentField("X-Route"), "yes")
			check(t, front+": sent X-Inner", r.SentField("X-Inner"), "")
			check(t, front+": sent Set-Cookie", r.SentField("set-cookie"), "a=1, b=2")
			check(t, front+": sent X-Request-Id", r.SentField("X-Request-Id"), r.ID)
			check(t, front+": sent Date, which was not wanted", r.SentField("Date"), "")
			check(t, front+": upstream's Server", r.UpstreamField("Server"), "app")
			check(t, front+": upstream's X-Inner", r.UpstreamField("x-inner"), "10.0.0.1")
			check(t, front+": upstream's X-Route", r.UpstreamField("X-Route"), "")
			w.pool.Update(nil)
			w.do(w.request("GET", "/", nil))
			r = w.record()
			check(t, front+": sent with an error", r.SentField("X-Request-Id"), r.ID)
			check(t, front+": upstream's without an upstream", r.UpstreamField("Server"), "")
		})
	}
}
