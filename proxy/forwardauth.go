package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/wire/header"
	"github.com/goodgate/goodgate/internal/wire/message"
	"github.com/goodgate/goodgate/reason"
)

// ForwardAuth asks another service whether to admit a request, like nginx's auth_request,
// Traefik's forwardAuth and Caddy's forward_auth. The service gets a GET with the
// request's header and without its body. A 2xx admits the request. An answer from 300 to
// 499 goes to the client. All other answers, and failures, end the request with
// [reason.AuthUnavailable].
type ForwardAuth struct {
	Pool    *Pool
	Path    string        // of the request to the service, with a query if needed
	Host    string        // the Host for the service: empty = HostUpstream, HostKeep = the client's, else this text
	Headers HeaderEdits   // edits of the header of that request, with variables
	Copy    []string      // fields of the service's answer that the upstream gets; clients cannot send them
	Return  []string      // fields of the service's 2xx to add to the client's response, for example Set-Cookie
	Timeout time.Duration // of the request to the service with all attempts; 0 = 5 s
	// Cache is how long the proxy reuses a 2xx for later requests that look the same to the
	// service; 0 = the proxy asks for each request.
	Cache time.Duration

	values texts
	claims fieldTable // other spellings of describedBy: the client's request cannot have them for the service
	cache  *authCache
	target *url.URL
}

const (
	defaultAuthTimeout = 5 * time.Second
	maxAuthBody        = 1 << 20 // bytes of an answer for the client
)

var (
	errAuthBody       = errors.New("access.forward: the answer is too large")
	errTwoCredentials = errors.New("access.forward: Authorization is given twice: the service and the application could read different ones")
)

// prepared returns a copy that is ready for use.
func (f *ForwardAuth) prepared() (*ForwardAuth, error) {
	if f == nil {
		return nil, nil
	}
	if f.Pool == nil {
		return nil, errors.New("access.forward: a pool is missing")
	}
	u, err := url.ParseRequestURI(f.Path)
	if err != nil || !strings.HasPrefix(f.Path, "/") {
		return nil, fmt.Errorf("access.forward: found path %q: expected a path that begins with /", f.Path)
	}
	c := *f
	c.target, c.values, c.Host = u, f.Headers.texts(), cmp.Or(f.Host, HostUpstream)
	for _, name := range describedBy { // a service could take another spelling of them for the proxy's
		c.claims.refuse(name)
	}
	if c.Timeout == 0 {
		c.Timeout = defaultAuthTimeout
	}
	if c.Cache > 0 {
		c.cache = newAuthCache()
	}
	return &c, nil
}

// askForward asks the service about the request. answered means that the client got the
// service's answer.
func (x *exchange) askForward(f *ForwardAuth) (answered bool, failed *Error) {
	if x.request.Count(header.Authorization) > 1 {
		return false, &Error{Reason: reason.RequestMalformed, Err: errTwoCredentials}
	}
	out := x.question(f)
	asked := &Asked{Pool: f.Pool.Name(), After: time.Since(x.record.Start)}
	x.record.Asked = asked
	defer func() { asked.end(x, answered, failed) }()
	var key authKey
	if f.cache != nil {
		key = f.cache.key(out)
		if word := f.cache.get(key, time.Now()); word != nil {
			asked.Outcome = AskedCache
			x.adopt(word)
			return false, nil
		}
	}
	ctx, cancel := context.WithTimeoutCause(x.ctx, f.Timeout, errDeadline)
	defer cancel()
	d, own := new(delivery), &Record{Start: x.record.Start}
	d.begin(x.authOrder(ctx, f, out), own, nil)
	defer func() { asked.Attempts = own.Attempts }()
	d.choice = x.choice(f.Pool, d.choice.Tried)
	d.choice.Replayable = true
	defer d.end()
	f.Pool.deposit()
	a, lost := d.run(nil)
	if lost != nil {
		return false, authFailure(lost)
	}
	defer a.discard()
	switch status := a.res.StatusCode; {
	case status >= 200 && status < 300:
		word := f.wordOf(a.res)
		if f.cache != nil {
			f.cache.put(key, word, a.res, time.Now().Add(f.Cache))
		}
		x.adopt(word)
		return false, nil
	case status >= 300 && status < 500:
		return x.passOn(a.res)
	default:
		return false, &Error{Reason: reason.AuthUnavailable, Upstream: a.m.Addr(), Err: fmt.Errorf("access.forward: the service answered %d", status)}
	}
}

// authFailure turns the failure of a question into that of the client's request.
func authFailure(e *Error) *Error {
	if e.Reason == reason.ClientGone || e.Reason == reason.ShuttingDown {
		return e
	}
	return &Error{Reason: reason.AuthUnavailable, Upstream: e.Upstream, Err: fmt.Errorf("access.forward: %w", e), RetryAfter: e.RetryAfter}
}

func (x *exchange) authOrder(ctx context.Context, f *ForwardAuth, out *http.Request) order {
	return order{
		ctx: ctx, pool: f.Pool, out: outgoing{std: out}, method: http.MethodGet, host: f.Host, retrySafe: true, trace: x.trace,
		client: x.record.Client, start: time.Now(), deadline: f.Timeout, teller: x, buffers: &x.proxy.collecting,
	}
}

// notAsked are fields that describe the request's body, or that would change the kind of
// answer. The question must not have them.
var notAsked = []string{
	"Content-Length", "Content-Type", "Content-Encoding", "Expect", "Range", "If-Range", "If-Match", "If-None-Match",
	"If-Modified-Since", "If-Unmodified-Since", "Accept-Encoding", "Upgrade", "Te", "Trailer",
}

// question returns the request for the service.
func (x *exchange) question(f *ForwardAuth) *http.Request {
	r := x.request
	var h http.Header
	if r.Head != nil {
		h = r.Head.Header()
		delete(h, header.Host.String())
	} else {
		h = r.HTTP().Header.Clone()
	}
	header.DeleteHopByHop(h)
	for _, name := range notAsked {
		delete(h, name)
	}
	f.claims.drop(h)
	x.setForwarded(r, h)
	x.tellClientCert(h)
	h.Del("X-Forwarded-Prefix") // the service gets the client's path
	tellAsked(h, r.Method, lastOf(h["X-Forwarded-Proto"], "http"), lastOf(h["X-Forwarded-Host"], r.Host), r.URL.RequestURI())
	x.edit(h, &f.Headers, f.values, true)
	host := f.Host
	if host == HostKeep {
		host = r.Host
	}
	return &http.Request{
		Method: http.MethodGet, URL: new(*f.target), Host: host, Header: h, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
}

// describedBy are the fields by which services learn what the client has asked for: those
// of Traefik and Caddy, and those that nginx's users set.
var describedBy = [...]string{"X-Forwarded-Method", "X-Forwarded-Uri", "X-Original-Method", "X-Original-Uri", "X-Original-Url"}

// tellAsked sets these fields.
func tellAsked(h http.Header, method, proto, host, uri string) {
	for i, value := range [len(describedBy)]string{method, uri, method, uri, proto + "://" + host + uri} {
		h.Set(describedBy[i], value)
	}
}

// authWord holds the service's fields about an admitted request.
type authWord struct {
	identity []identityField // for the upstream
	returned []identityField // for the client
}

func (f *ForwardAuth) wordOf(res *message.Response) *authWord {
	fields := res.Fields()
	pick := func(names []string) (picked []identityField) {
		for _, name := range names {
			for _, v := range fields.Values(name) {
				picked = append(picked, identityField{name, strings.Clone(v)})
			}
		}
		return picked
	}
	return &authWord{pick(f.Copy), pick(f.Return)}
}

// adopt adds the service's fields to the request and the response.
func (x *exchange) adopt(word *authWord) {
	x.vouch(word.identity...)
	for _, f := range word.returned {
		x.tell(http.CanonicalHeaderKey(f.name), f.value)
	}
}

// passOn passes the service's answer to the client, for example a redirect to a login
// page.
func (x *exchange) passOn(res *message.Response) (answered bool, _ *Error) {
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAuthBody+1))
	if err == nil && len(body) > maxAuthBody {
		err = errAuthBody
	}
	if err != nil {
		return false, authFailure(&Error{Reason: reason.ResponseTruncated, Err: err})
	}
	x.record.Reason = reason.Unauthorized
	x.record.Err = fmt.Errorf("access.forward: the service answered %d", res.StatusCode)
	if x.grpc {
		x.failGRPC(reason.Unauthorized)
		return true, nil
	}
	fields := res.Fields()
	header.DeleteHopByHop(fields)
	x.ownCORS(fields)
	h := x.writer.Header()
	for name, values := range fields {
		h[name] = append(h[name], values...)
	}
	if len(h["Cache-Control"]) == 0 {
		h.Set("Cache-Control", "no-store")
	}
	if x.request.Method == http.MethodHead || res.StatusCode == http.StatusNotModified {
		body = nil
	} else {
		h.Del("Content-Length")
	}
	x.editError(h)
	x.writer.WriteHeader(res.StatusCode)
	x.writer.Write(body) // records its own failure
	return true, nil
}
