package proxy_test

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/goodgate/goodgate/proxy"
	"github.com/goodgate/goodgate/reason"
)

// TestFaults: the effect of each fault on a client, with every relay and protocol. No
// upstream is blamed.
func TestFaults(t *testing.T) {
	t.Parallel()
	const size = 3000
	for _, front := range append(fronts, "inbound-httputil") {
		for _, c := range []struct {
			name   string
			faults []proxy.Fault
			header string
			sized  bool

			status   int
			body     int // bytes that the client receives
			broken   bool
			took     time.Duration // at least
			kinds    string
			reason   reason.Reason
			attempts int
		}{
			{"delay", []proxy.Fault{{Share: 1, Delay: 3 * time.Second}}, "", true, 200, size, false, 3 * time.Second, "delay", reason.None, 1},
			{"delays add up to a minute", []proxy.Fault{{Share: 1, Delay: 50 * time.Second}, {Share: 1, Delay: 50 * time.Second}}, "", true, 200, size, false, time.Minute, "delay", reason.None, 1},
			{"abort", []proxy.Fault{{Share: 1, Abort: 429}}, "", true, 429, -1, false, 0, "abort", reason.FaultInjected, 0},
			{"cut", []proxy.Fault{{Share: 1, Cut: 1000}}, "", true, 200, 1000, true, 0, "cut", reason.FaultInjected, 1},
			{"cut of a stream", []proxy.Fault{{Share: 1, Cut: 1000}}, "", false, 200, 1000, true, 0, "cut", reason.FaultInjected, 1},
			{"cut after the end", []proxy.Fault{{Share: 1, Cut: size}}, "", true, 200, size, false, 0, "cut", reason.None, 1},
			{"throttle", []proxy.Fault{{Share: 1, Throttle: 1000}}, "", true, 200, size, false, 2900 * time.Millisecond, "throttle", reason.None, 1},
			{"throttle of a stream", []proxy.Fault{{Share: 1, Throttle: 1000}}, "", false, 200, size, false, 2900 * time.Millisecond, "throttle", reason.None, 1},
			{"all", []proxy.Fault{{Share: 1, Delay: time.Second}, {Share: 1, Throttle: 1000}, {Share: 1, Cut: 2000}}, "", true, 200, 2000, true, 2900 * time.Millisecond, "delay,cut,throttle", reason.FaultInjected, 1},
			{"abort after a delay", []proxy.Fault{{Share: 1, Delay: time.Second}, {Share: 1, Abort: 503}}, "", true, 503, -1, false, time.Second, "delay,abort", reason.FaultInjected, 0},
			{"no share", []proxy.Fault{{Share: 0, Abort: 503}}, "", true, 200, size, false, 0, "", reason.None, 1},
			{"another header", []proxy.Fault{{Share: 1, Headers: map[string]string{"X-Fault": "abort"}, Abort: 503}}, "delay", true, 200, size, false, 0, "", reason.None, 1},
			{"the header", []proxy.Fault{{Share: 1, Headers: map[string]string{"X-Fault": "abort"}, Abort: 503}}, "abort", true, 503, -1, false, 0, "abort", reason.FaultInjected, 0},
			{"over", []proxy.Fault{{Share: 1, Until: time.Unix(1, 0), Abort: 503}}, "", true, 200, size, false, 0, "", reason.None, 1},
		} {
			if front != "inbound" && !c.sized && c.took > 0 {
				continue // httputil's flushes wait for a mutex, and a bubble's clock stops meanwhile
			}
			bubble(t, setup{front: front, upstreams: specs("app:80"), route: proxy.Route{Faults: c.faults}}, func(w *world) {
				w.app("app:80", func(rw http.ResponseWriter, _ *http.Request) {
					if c.sized {
						rw.Header().Set("Content-Length", fmt.Sprint(size))
					}
					rw.Write(bytes.Repeat([]byte("x"), size/2))
					rw.(http.Flusher).Flush()
					rw.Write(bytes.Repeat([]byte("x"), size/2))
				})
				r := w.request("GET", "/", nil)
				if c.header != "" {
					r.Header.Set("X-Fault", c.header)
				}
				began := time.Now()
				a := w.do(r)
				took := time.Since(began)
				rec := w.record()
				check(t, front+", "+c.name+": "+"status", a.status, c.status)
				if c.body >= 0 {
					check(t, front+", "+c.name+": "+"body", len(a.body), c.body)
				}
				check(t, front+", "+c.name+": "+"broken", a.err != nil, c.broken)
				check(t, front+", "+c.name+": "+"time", took >= c.took && took < c.took+time.Second, true)
				check(t, front+", "+c.name+": "+"kinds", rec.Faults.String(), c.kinds)
				check(t, front+", "+c.name+": "+"reason", rec.Reason, c.reason)
				check(t, front+", "+c.name+": "+"attempts", len(rec.Attempts), c.attempts)
				for _, at := range rec.Attempts {
					check(t, front+", "+c.name+": "+"blame", at.Reason, reason.None)
				}
			})
		}
	}
}
