package proxy

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/goodgate/goodgate/reason"
)

// fail answers a request that gets no answer from an upstream.
func (x *exchange) fail(e *Error) {
	x.record.Reason = e.Reason
	x.record.Err = e.Err
	if e.Upstream != "" {
		x.record.Upstream = e.Upstream
	}
	if e.Reason == reason.ClientGone {
		x.record.Status = reason.StatusClientGone
		x.aborted = true
		return
	}
	h := x.writer.Header()
	if e.Reason.RetryAfter() {
		h.Set("Retry-After", seconds(max(e.RetryAfter, time.Second)))
	}
	if e.Err == errNotAllowed {
		h.Set("Allow", allowed)
	}
	if e.Reason == reason.Unauthorized && x.route != nil && x.route.Access.Basic != nil {
		h.Set("WWW-Authenticate", x.route.Access.Basic.challenge())
	}
	if x.grpc {
		x.failGRPC(e.Reason)
		return
	}
	x.proxy.opts.Pages.write(x, e)
}

// errUpgrade means that an upstream has switched to a protocol of its own choice.
var errUpgrade = errors.New("switched to a protocol that was not asked for")

// isOffered reports whether an upstream has chosen only protocols that it was offered:
// one, or several layers (RFC 9110, section 7.8).
func isOffered(chosen, offered []string) bool {
	n := 0
	for p := range protocols(chosen) {
		n++
		ok := false
		for o := range protocols(offered) {
			ok = ok || strings.EqualFold(o, p)
		}
		if !ok {
			return false
		}
	}
	return n > 0 && n == strings.Count(strings.Join(chosen, ","), ",")+1
}

// checkUpgrade rejects a 101 with a protocol that the client did not ask for. httputil
// would keep such a connection.
func (x *exchange) checkUpgrade(res *http.Response) error {
	if isOffered(res.Header["Upgrade"], res.Request.Header["Upgrade"]) {
		return nil
	}
	return x.malformed(errUpgrade)
}

// malformed is the error for an answer that breaks the rules of upgrades.
func (x *exchange) malformed(err error) error {
	last := x.record.last()
	last.Reason, last.Err = reason.ResponseMalformed, err
	return &Error{Reason: reason.ResponseMalformed, Upstream: x.answer.from.Addr(), Sent: true, Err: err}
}

// proxyStatus returns the value of Proxy-Status (RFC 9209) for a reason.
func (x *exchange) proxyStatus(r reason.Reason, status int) string {
	var b strings.Builder
	b.WriteString("goodgate")
	if rfc := r.ProxyStatus(); rfc != "" {
		b.WriteString("; error=")
		b.WriteString(rfc)
	}
	if r == reason.UpstreamStatus {
		b.WriteString("; received-status=")
		if x.answer.from == nil { // a fixed response has replaced the upstream's
			status = x.record.lastStatus()
		}
		b.WriteString(strconv.Itoa(status))
	}
	if x.proxy.opts.Details && x.record.Upstream != "" {
		b.WriteString("; next-hop=")
		b.WriteString(strconv.Quote(x.record.Upstream))
	}
	b.WriteString(`; details="`)
	b.WriteString(r.String())
	b.WriteByte('"')
	return b.String()
}
