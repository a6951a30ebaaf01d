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
	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/message"
)

// Stale sets which responses to keep, to use them instead of an error (stale-if-error,
// RFC 5861) or without asking an upstream. The zero value keeps nothing. The pool keeps
// only responses that fit the buffer of [Commit].
type Stale struct {
	MaxSize int64         // bytes of all kept responses; 0 = off
	IfError time.Duration // how long after becoming stale a response may replace an error; a time in the response itself has precedence; 0 = not at all
	// Hits enables the cache: fresh responses answer requests without an upstream (RFC
	// 9111).
	Hits bool
	Wait time.Duration // longest wait for another request that fetches the same response; 0 = no wait
}

// staleHold is how long a request waits for an upstream when there is an older response
// for it. It covers the gap of a restart, and is short enough for a visitor.
const staleHold = time.Second

// olderKey returns the key under which the request's answers are kept, beside its header.
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
	for _, f := range x.few().asker { // an application may use it without naming it in Vary
		k.Certificate = true
		k.Route += "\n" + f.name + ":" + f.value
	}
	return k
}

// remember keeps a complete answer if that is allowed, and reports whether it did. After
// a request that may have changed a resource, it drops the resource's kept responses.
func (x *exchange) remember(c *stale.Cache, res *message.Response) (kept bool) {
	switch method := x.request.Method; {
	case method != http.MethodGet && method != http.MethodHead:
		if res.StatusCode < 400 && method != http.MethodOptions && method != http.MethodTrace {
			x.forget(c, res)
		}
		return false
	case x.body != nil, x.route.Cache.Off, x.unnamed() && !res.HasToken(header.CacheControl, "public"):
		return false
	}
	if body, ok := x.wholeBody(res); ok {
		whole := &http.Response{StatusCode: res.StatusCode, Header: res.Fields(), Trailer: res.Trailers(), ContentLength: res.ContentLength}
		return c.PutBy(&x.route.Cache.Rules, x.olderKey(), x.asked().fields(), whole, body, time.Now())
	}
	return false
}

// unnamed reports whether forward auth has decided about the request without naming the
// client in a field for the upstream. Then nothing in the key tells clients apart, and the
// request counts as one with Authorization (RFC 9111, section 3.5): the answer is for this
// client alone unless it says that it is public.
func (x *exchange) unnamed() bool {
	return x.route.Access.Forward != nil && len(x.few().asker) == 0
}

// forget drops the kept responses for the URL of an unsafe request, and for those on the
// same host that its answer names (RFC 9111, section 4.4).
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

// wholeBody returns a response's body if it is buffered completely.
func (x *exchange) wholeBody(res *message.Response) ([]byte, bool) {
	if b, ok := res.Body.(*collected); ok && b.complete {
		return b.room.bytes[:b.n], true
	}
	return nil, res.ContentLength == 0 || x.request.Method == http.MethodHead
}

// older returns the response that may replace an error, or nil.
func (x *exchange) older() *stale.Response {
	c := x.pool.stale
	if c == nil || x.body != nil {
		return nil
	}
	return c.Get(x.olderKey(), x.asked().fields(), time.Now())
}

// answerOlder answers a failed request with an older response. It returns nil without
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
