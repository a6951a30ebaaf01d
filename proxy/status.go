package proxy

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// fail answers a request that gets no upstream's answer.
func (x *exchange) fail(e *Error) {
	x.record.Reason = e.Reason
	x.record.Err = e.Err
	if e.Upstream != "" {
		x.record.Upstream = e.Upstream
	}
	if e.Reason == ClientGone {
		x.record.Status = statusClientGone
		x.aborted = true
		return
	}
	h := x.writer.Header()
	if reasons[e.Reason].retry {
		h.Set("Retry-After", seconds(max(e.RetryAfter, time.Second)))
	}
	if x.grpc {
		x.failGRPC(e.Reason)
		return
	}
	x.proxy.opts.Pages.write(x, e)
}

// handleError is httputil's way of telling that there is no response.
func handleError(_ http.ResponseWriter, r *http.Request, err error) {
	x := exchangeOf(r.Context())
	e, ok := err.(*Error)
	if !ok { // httputil refused the request or could not carry out an upgrade
		e = &Error{Reason: Internal, Err: err}
		if x.writer.status == 0 && len(x.record.Attempts) == 0 {
			e.Reason = RequestMalformed
		}
	}
	x.fail(e)
}

// modifyResponse puts the route's and the pool's marks on an upstream's answer.
func modifyResponse(res *http.Response) error {
	x := exchangeOf(res.Request.Context())
	if x.servedBy != nil {
		x.record.Upstream = x.servedBy.Addr()
		x.record.Reason = statusReason(statusOf(res))
	}
	if res.StatusCode == http.StatusSwitchingProtocols {
		if err := x.checkUpgrade(res); err != nil {
			return err
		}
		x.record.Status = res.StatusCode
		trimSwitch(res)
	}
	x.route.ResponseHeaders.apply(res.Header)
	x.cleanTrailer(res.Trailer) // what has come of it, and what is announced
	if s := x.route.Pool.opts.Sticky; s != nil {
		s.write(res.Header, x)
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		moveHeader(x.writer.Header(), res)
	}
	return nil
}

// moveHeader gives the client's response the header fields of an upstream's,
// which httputil would copy one by one. Those of a stream stay for httputil, which
// goes by its type.
func moveHeader(to http.Header, res *http.Response) {
	if streams(res.Header["Content-Type"]) {
		return
	}
	for name, values := range res.Header {
		if have, ok := to[name]; ok {
			values = slices.Concat(have, values)
		}
		to[name] = slices.Clip(values) // whoever adds to it must not write behind it
	}
	res.Header = nil
}

// errUpgrade says that an upstream switched to a protocol of its own choice.
var errUpgrade = errors.New("switched to a protocol that was not asked for")

// checkUpgrade fails an answer of 101 to what was not asked. httputil would not
// end the connection.
func (x *exchange) checkUpgrade(res *http.Response) error {
	asked := res.Request.Header.Get("Upgrade")
	if asked != "" && strings.EqualFold(res.Header.Get("Upgrade"), asked) {
		return nil
	}
	x.last().Reason, x.last().Err = ResponseMalformed, errUpgrade
	return &Error{Reason: ResponseMalformed, Upstream: x.servedBy.Addr(), Sent: true, Err: errUpgrade}
}

// proxyStatus renders the reason for a Proxy-Status header (RFC 9209).
func (x *exchange) proxyStatus(r Reason, status int) string {
	var b strings.Builder
	b.WriteString("goodgate")
	if rfc := r.ProxyStatus(); rfc != "" {
		b.WriteString("; error=")
		b.WriteString(rfc)
	}
	if r == UpstreamStatus {
		b.WriteString("; received-status=")
		if x.servedBy == nil { // a fixed response stands in for it
			status = x.lastStatus()
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
