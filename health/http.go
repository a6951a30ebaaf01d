package health

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/jsonpath"
	"github.com/goodgate/goodgate/reason"
	"github.com/hashicorp/go-retryablehttp"
)

const (
	userAgent      = "goodgate-health"
	defaultMaxBody = 64 << 10

	// The pauses before the retries of a probe, doubled each time.
	retryWaitMin = 10 * time.Millisecond
	retryWaitMax = 50 * time.Millisecond
)

// HTTPOptions configure an HTTP probe: its request and the expected answer.
type HTTPOptions struct {
	Method   string         // empty = GET
	Path     string         // path and query; empty = /
	Host     string         // Host header; empty = the upstream's name or address, localhost for a unix socket
	Header   http.Header    // more headers; User-Agent is goodgate-health unless set here
	Statuses []StatusRange  // statuses that pass; empty = 200 to 399. Redirects are not followed
	Drain    []StatusRange  // statuses by which the upstream says that it drains; they take precedence over Statuses; empty = none
	Body     string         // text that the body must contain; empty = any body
	MaxBody  int64          // bytes of the body to read; 0 = 64 KiB. A longer body fails JSON
	Regexp   *regexp.Regexp // must match the body, which is read to its end or to MaxBody; nil = any body
	// JSON has conditions on the body, which must be one JSON value. A key is a path
	// ("db.replicas.0.state"). A value is the expected value, a comparison (=, !=, <, <=,
	// >, >=) with a value, or * for any value.
	JSON       map[string]string
	Fields     []FieldExpect        // conditions on the answer's header; all must hold
	TLS        *tls.Config          // settings for upstreams with TLS; nil = the zero value; an empty ServerName = the upstream's
	Preface    []byte               // bytes to send first on each connection, before TLS; nil = none
	HTTP2      bool                 // ask over HTTP/2; without TLS by prior knowledge
	Retries    int                  // repetitions within one probe after a connection was refused or broke
	conditions []jsonpath.Condition // of JSON

	Target Target // destination of the probe; another port gets no Preface
}

// StatusRange is a range of status codes. Both ends are included.
type StatusRange struct{ From, To int }

func (r StatusRange) String() string {
	if r.From == r.To {
		return fmt.Sprint(r.From)
	}
	return fmt.Sprintf("%d-%d", r.From, r.To)
}

// httpProber probes with one request.
type httpProber struct {
	opts   HTTPOptions
	dialer dialer
	caller *http2Caller // for HTTP/2
	proto  http.Request // copied for every probe
	wires  sync.Pool    // of *wire
}

// NewHTTP returns a [Prober] that sends one request, and retries failed connections
// within the probe's time. It returns an error if an option is invalid.
func NewHTTP(o HTTPOptions) (Prober, error) {
	o.Method = cmp.Or(o.Method, http.MethodGet)
	o.Path = cmp.Or(o.Path, "/")
	if o.MaxBody <= 0 {
		o.MaxBody = defaultMaxBody
	}
	if len(o.Statuses) == 0 {
		o.Statuses = []StatusRange{{200, 399}}
	}
	if err := o.validate(); err != nil {
		return nil, err
	}
	target, err := url.ParseRequestURI(o.Path)
	if err != nil {
		return nil, fmt.Errorf("http probe: path %q: %w", o.Path, err)
	}
	target.Scheme, target.Host = "http", "upstream" // placeholders: the connection does not depend on the URL
	header := o.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if header.Get("User-Agent") == "" {
		header.Set("User-Agent", userAgent)
	}
	own := TCP{TLS: o.TLS, Preface: o.Preface}
	if o.Target.apart() {
		o.Preface = nil
	}
	return newApart(o.Target, &httpProber{
		opts:   o,
		dialer: newDialer(o.Target, o.TLS, o.Preface, "http/1.1"),
		caller: newHTTP2Caller(o.Target, o.TLS, o.Preface),
		proto:  http.Request{Method: o.Method, URL: target, Host: o.Host, Header: header, Close: true, ProtoMajor: 1, ProtoMinor: 1},
		wires:  sync.Pool{New: newWire},
	}, own), nil
}

func (o *HTTPOptions) validate() error {
	var errs []error
	for _, path := range slices.Sorted(maps.Keys(o.JSON)) {
		c, err := jsonpath.Parse(path, o.JSON[path])
		if err != nil {
			errs = append(errs, fmt.Errorf("http probe: JSON %w", err))
		}
		o.conditions = append(o.conditions, c)
	}
	if !strings.HasPrefix(o.Path, "/") {
		errs = append(errs, fmt.Errorf("http probe: path %q does not begin with a slash", o.Path))
	}
	if o.Header.Get("Host") != "" {
		errs = append(errs, errors.New("http probe: header Host is set by option Host"))
	}
	if o.Method == http.MethodHead && o.needsBody() {
		errs = append(errs, errors.New("http probe: a body cannot be expected, an answer to HEAD has none"))
	}
	for _, r := range slices.Concat(o.Statuses, o.Drain) {
		if r.From < 100 || r.To > 999 || r.From > r.To {
			errs = append(errs, fmt.Errorf("http probe: status %v is not a range within 100-999", r))
		}
	}
	return errors.Join(errs...)
}

// Probe implements [Prober].
func (p *httpProber) Probe(ctx context.Context, u *balancer.Upstream) error {
	return p.probe(ctx, u, nil)
}

// probeBy implements [liner].
func (p *httpProber) probeBy(ctx context.Context, u *balancer.Upstream, l *line) error {
	if p.opts.HTTP2 {
		l = nil
	}
	if conn := l.take(); conn != nil {
		guardOf(conn).watch(ctx)
		if resp, err := p.exchange(conn, p.request(ctx, u, l), l, false); err == nil && p.judge(ctx, u, resp) == nil {
			return nil
		}
		l.close()
		if ctx.Err() != nil {
			return &Error{Result: balancer.Silent, Reason: reason.ResponseTimeout, Err: during(ctx, "asking on a kept connection", ctx.Err())}
		}
	}
	return p.probe(ctx, u, l)
}

// request returns the request to an upstream.
func (p *httpProber) request(ctx context.Context, u *balancer.Upstream, l *line) *http.Request {
	req := p.proto.WithContext(ctx)
	req.Host = cmp.Or(req.Host, u.Authority())
	req.Close = l == nil || l.life == 0
	return req
}

// probe asks on a new connection, which l may keep.
func (p *httpProber) probe(ctx context.Context, u *balancer.Upstream, l *line) error {
	var transport http.RoundTripper = &oneShot{prober: p, upstream: u, line: l}
	if p.opts.HTTP2 {
		transport = http2Shot{p.caller, u}
	}
	req := p.request(ctx, u, l)
	if p.opts.Retries == 0 {
		resp, err := transport.RoundTrip(req)
		if err != nil {
			return exchangeError(ctx, "http", err)
		}
		return p.judge(ctx, u, resp)
	}
	var found error // error of the attempt before the last
	client := p.client(transport)
	client.CheckRetry = func(ctx context.Context, resp *http.Response, err error) (bool, error) {
		again, failed := checkRetry(ctx, resp, err)
		if again {
			found = err
		}
		return again, failed
	}
	resp, err := client.Do(&retryablehttp.Request{Request: req})
	if err != nil {
		if found != nil && ctx.Err() != nil {
			err = found // it explains more than a retry that ran out of time
		}
		if outer, ok := errors.AsType[*url.Error](err); ok {
			err = outer.Err
		}
		return exchangeError(ctx, "http", err)
	}
	return p.judge(ctx, u, resp)
}

// judge checks a response against the expected one, and closes it.
func (p *httpProber) judge(ctx context.Context, u *balancer.Upstream, resp *http.Response) error {
	defer resp.Body.Close()
	p.opts.Target.answered(u)
	if contains(p.opts.Drain, resp.StatusCode) {
		return drains("status %d says that it drains (drain_status)", resp.StatusCode)
	}
	if !contains(p.opts.Statuses, resp.StatusCode) {
		return &Error{Result: balancer.Wrong, Reason: reason.UpstreamStatus, Status: resp.StatusCode,
			Err: fmt.Errorf("status %d is not one of the expected %v", resp.StatusCode, p.opts.Statuses)}
	}
	return p.opts.judge(ctx, resp)
}

// client returns the retrying client of one probe. It is not shared: after a failure
// retryablehttp closes its client's idle connections, which must not belong to another
// probe. This client has none.
func (p *httpProber) client(transport http.RoundTripper) *retryablehttp.Client {
	return &retryablehttp.Client{
		HTTPClient: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		RetryWaitMin: retryWaitMin,
		RetryWaitMax: retryWaitMax,
		RetryMax:     p.opts.Retries,
		Backoff:      retryablehttp.DefaultBackoff,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
}

// checkRetry asks for a retry if the connection failed and time remains. It never retries
// after an answer or a wrong certificate.
func checkRetry(ctx context.Context, _ *http.Response, err error) (bool, error) {
	if err == nil || ctx.Err() != nil || Result(err) == balancer.Wrong || errors.Is(err, ErrNotProbed) {
		return false, nil
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return false, nil
	}
	deadline, ok := ctx.Deadline()
	return !ok || time.Until(deadline) > retryWaitMax, nil
}

func contains(ranges []StatusRange, status int) bool {
	return slices.ContainsFunc(ranges, func(r StatusRange) bool {
		return r.From <= status && status <= r.To
	})
}
