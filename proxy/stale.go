package proxy

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/stale"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// Stale says what is kept to answer with when an error would reach the client
// otherwise (stale-if-error, RFC 5861), or before an upstream is asked. The zero value keeps nothing. What is
// not collected whole, see [Commit], is not kept.
type Stale struct {
	MaxSize int64         // bytes kept in all; 0 = off
	IfError time.Duration // how long a response that does not say so itself may be used past its freshness; 0 = not at all
	// Hits makes it a cache: what is fresh answers requests without an upstream (RFC 9111).
	Hits bool
	Wait time.Duration // that a request waits at most for one that fetches the same; 0 = not at all
}

// staleHold is how long a request waits for an upstream when there is an older
// response for it: long enough for a restart's gap, and no visitor minds.
const staleHold = time.Second

// olderKey is what the request's answers are kept by, beside its header.
func (x *exchange) olderKey() stale.Key {
	k := stale.Key{
		Method:      x.request.Method,
		Scheme:      "http",
		Host:        strings.ToLower(x.request.Host),
		Target:      x.main.out.target(),
		Route:       x.route.Name,
		Certificate: x.request.TLS != nil && len(x.request.TLS.PeerCertificates) > 0,
	}
	if x.https() {
		k.Scheme = "https"
	}
	k.Target = x.route.Cache.target(k.Target)
	if asked := x.request.URL.RequestURI(); asked != k.Target {
		k.Asked = asked
	}
	for _, f := range x.few().asker { // by any name; an application may go by it and not say so
		k.Certificate = true
		k.Route += "\n" + f.name + ":" + f.value
	}
	return k
}

// remember keeps an answer that has come whole, if it may be kept, which it reports, and
// forgets what a request has changed.
func (x *exchange) remember(c *stale.Cache, res *message.Response) (kept bool) {
	switch method := x.request.Method; {
	case method != http.MethodGet && method != http.MethodHead:
		if res.StatusCode < 400 && method != http.MethodOptions && method != http.MethodTrace {
			x.forget(c, res)
		}
		return false
	case x.body != nil, x.route.Cache.Off:
		return false
	}
	if body, ok := x.wholeBody(res); ok {
		whole := &http.Response{StatusCode: res.StatusCode, Header: res.Fields(), Trailer: res.Trailers(), ContentLength: res.ContentLength}
		return c.PutBy(&x.route.Cache.Rules, x.olderKey(), x.main.out.fields(), whole, body, time.Now())
	}
	return false
}

// forget drops what is kept of the URL of a request that has changed something, and of those
// that its answer names, on the same host (RFC 9111 section 4.4).
func (x *exchange) forget(c *stale.Cache, res *message.Response) {
	k := x.olderKey()
	c.Forget(k)
	base := &url.URL{Scheme: k.Scheme, Host: k.Host, Path: "/"}
	if u, err := base.Parse(k.Target); err == nil {
		base = u
	}
	for _, name := range []string{"Location", "Content-Location"} {
		values := res.Fields()[name]
		if len(values) != 1 {
			continue
		}
		if u, err := base.Parse(values[0]); err == nil && strings.EqualFold(u.Host, k.Host) {
			k.Target = x.route.Cache.target(u.RequestURI())
			c.Forget(k)
		}
	}
}

// wholeBody returns a response's body if all of it is here.
func (x *exchange) wholeBody(res *message.Response) ([]byte, bool) {
	if b, ok := res.Body.(*collected); ok && b.complete {
		return b.room.bytes[:b.n], true
	}
	return nil, res.ContentLength == 0 || x.request.Method == http.MethodHead
}

// older returns the response that may be used instead of an error, nil without
// one.
func (x *exchange) older() *stale.Response {
	c := x.pool.stale
	if c == nil || x.body != nil {
		return nil
	}
	return c.Get(x.olderKey(), x.main.out.fields(), time.Now())
}

// answerOlder answers a request that failed by an older response, nil without
// one.
func (x *exchange) answerOlder(why *Error) *message.Response {
	old := x.older()
	if old == nil {
		return nil
	}
	x.ours(why)
	x.hide(reason.ByStale, why.Reason)
	x.pool.counts.IfError.Add(1)
	now := time.Now()
	h := old.Header.Clone()
	h.Set("Age", strconv.FormatInt(int64(old.Age(now)/time.Second), 10))
	ttl := strconv.FormatInt(int64(old.TTL(now)/time.Second), 10)
	h.Add("Cache-Status", "goodgate; hit; ttl="+ttl+"; detail=stale-if-error") // RFC 9211
	res := &http.Response{StatusCode: old.Status, Header: h, ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody}
	if x.request.Method == http.MethodGet {
		res.ContentLength = int64(len(old.Body))
		h.Set("Content-Length", strconv.Itoa(len(old.Body)))
		res.Body = io.NopCloser(bytes.NewReader(old.Body))
	}
	answer := new(message.Response)
	answer.SetHTTP(res)
	return answer
}
