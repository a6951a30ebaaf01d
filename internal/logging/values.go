package logging

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/goodgate/goodgate/proxy"
)

// words returns the value for a text.
func words(of func(*proxy.Record) string) value {
	return func(b []byte, r *proxy.Record) []byte { return append(b, of(r)...) }
}

// fieldOf returns a header of the request. Several values are joined by commas.
func fieldOf(r *proxy.Record, name string) string {
	first, more := "", []string(nil)
	for v := range r.Request.ValuesOf(name) {
		if first == "" && more == nil {
			first = v
			continue
		}
		more = append(more, v)
	}
	if more == nil {
		return first
	}
	return first + ", " + strings.Join(more, ", ")
}

func appendClient(b []byte, r *proxy.Record) []byte {
	if !r.Client.IsValid() {
		return append(b, "unix:"...)
	}
	return r.Client.AppendTo(b)
}

func withoutPort(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		return host[:i]
	}
	return host
}

// eachAttempt lists a value for all attempts, in nginx's form for upstreams.
func eachAttempt(of func(b []byte, r *proxy.Record, i int) []byte) value {
	return func(b []byte, r *proxy.Record) []byte {
		for i := range r.Attempts {
			if i > 0 {
				b = append(b, ", "...)
			}
			start := len(b)
			if b = of(b, r, i); len(b) == start {
				b = append(b, '-')
			}
		}
		return b
	}
}

// answered reports whether the client got the answer of an attempt.
func answered(r *proxy.Record, i int) bool {
	a := &r.Attempts[i]
	return i == len(r.Attempts)-1 && a.Status != 0 && cmp.Or(r.Status, http.StatusOK) == a.Status
}
