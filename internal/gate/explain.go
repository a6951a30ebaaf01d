//go:build !minimal

package gate

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/proxy"
	"github.com/goodgate/goodgate/reason"
)

// Question is a request to explain under a configuration.
type Question struct {
	Method   string
	URL      string // absolute
	Header   http.Header
	Listener string     // name or address; empty = the first that fits the URL's scheme and port
	Client   netip.Addr // of the connection
}

// Explanation describes what a configuration does with a request.
type Explanation struct {
	Listener  string     `json:"listener"`
	Client    string     `json:"client"` // as trusted proxies report it
	Routes    []Verdict  `json:"routes"` // up to the first that matches; none if the request is refused before routing
	Route     string     `json:"route,omitempty"`
	Pool      string     `json:"pool,omitempty"`
	Forwarded *Forwarded `json:"forwarded,omitempty"` // absent when goodgate answers itself
	Status    int        `json:"status,omitempty"`    // of goodgate's own answer
	Reason    string     `json:"reason,omitempty"`    // of an error
	Location  string     `json:"location,omitempty"`  // of a redirect

	RouteAt int `json:"-"` // its place in the configuration; -1 without one
}

// Verdict reports whether a route takes a request, and why not.
type Verdict struct {
	Route   string   `json:"route"`
	Place   string   `json:"place,omitempty"`
	Matches bool     `json:"matches"`
	Unmet   []string `json:"unmet,omitempty"` // conditions that do not hold
}

// Forwarded is the request that the upstream receives.
type Forwarded struct {
	Method string      `json:"method"`
	Target string      `json:"target"`
	Host   string      `json:"host"` // empty = the upstream's own
	Header http.Header `json:"header"`
}

// explainBound bounds a trial. Nothing in a trial waits for another machine.
const explainBound = 5 * time.Second

// Explain tries a request against a configuration. In the trial every pool has one
// upstream, which runs in this process and answers 200. The trial sends nothing to any
// other machine.
func Explain(ctx context.Context, c *config.Config, q Question) (*Explanation, error) {
	ctx, cancel := context.WithTimeout(ctx, explainBound)
	defer cancel()
	r, err := q.request(ctx)
	if err != nil {
		return nil, err
	}
	l, err := q.listener(c, r)
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(l.Address)
	if at, err := netip.ParseAddrPort(net.JoinHostPort("127.0.0.1", port)); err == nil { // a socket with a port
		r = r.WithContext(context.WithValue(ctx, http.LocalAddrContextKey, net.TCPAddrFromAddrPort(at)))
	}
	app, err := newWitness()
	if err != nil {
		return nil, err
	}
	defer app.close()
	e := &Explanation{Listener: l.Address, RouteAt: -1}
	granted := assemble.Listener(l)
	g, err := New(trial(c), Options{Observe: []func(*proxy.Record){func(r *proxy.Record) {
		e.Client, e.Route, e.Pool, e.Reason = r.Client.String(), r.Route, r.Pool, r.Reason.String()
		e.judge(c, r, granted)
	}}})
	if err != nil {
		return nil, err
	}
	for _, p := range g.current.Load().pools {
		p.live().Update([]balancer.Spec{{Addr: app.address}})
	}
	w := discard{header: http.Header{}}
	g.live.Load().Serve(&w, r, granted)
	if e.Forwarded = app.last(); e.Forwarded != nil {
		e.Reason = ""
		if e.RouteAt >= 0 {
			e.hide(c.Routes[e.RouteAt])
		}
		return e, nil
	}
	e.Status, e.Location = w.status, w.header.Get("Location")
	if e.Reason == reason.None.String() {
		e.Reason = ""
	}
	return e, nil
}

// request returns the request as a listener receives it.
func (q Question) request(ctx context.Context) (*http.Request, error) {
	u, err := url.Parse(q.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q: expected a URL such as https://www.example.com/path", q.URL)
	}
	r, err := http.NewRequestWithContext(ctx, q.Method, q.URL, nil)
	if err != nil {
		return nil, err
	}
	r.Header, r.RequestURI, r.RemoteAddr = q.Header.Clone(), u.RequestURI(), netip.AddrPortFrom(q.Client, 40000).String()
	if r.Header == nil {
		r.Header = http.Header{}
	}
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
		r.Header.Del("Host")
	}
	r.URL = &url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery, ForceQuery: u.ForceQuery}
	if u.Scheme == "https" {
		r.TLS = &tls.ConnectionState{ServerName: u.Hostname(), HandshakeComplete: true, Version: tls.VersionTLS13}
	}
	if u.Path == "" {
		r.URL.Path = "/"
	}
	return r, nil
}

// listener returns the listener that receives the request.
func (q Question) listener(c *config.Config, r *http.Request) (config.Listener, error) {
	if q.Listener != "" {
		address, ok := c.ListenerAddress(q.Listener)
		if !ok {
			var known []string
			for _, l := range c.Listeners {
				known = append(known, cmp.Or(l.Name, l.Address))
			}
			return config.Listener{}, fmt.Errorf("there is no listener %q: expected %s", q.Listener, strings.Join(known, ", "))
		}
		return c.Listeners[slices.IndexFunc(c.Listeners, func(l config.Listener) bool { return l.Address == address })], nil
	}
	u, _ := url.Parse(q.URL) // parsed without an error before
	port := u.Port()
	if port == "" {
		port = map[bool]string{true: "443", false: "80"}[r.TLS != nil]
	}
	best, most := c.Listeners[0], -1
	for _, l := range c.Listeners {
		fits := 0
		if (l.TLS != nil) == (r.TLS != nil) {
			fits += 2
		}
		if strings.HasSuffix(l.Address, ":"+port) {
			fits++
		}
		if fits > most {
			best, most = l, fits
		}
	}
	return best, nil
}

// trial returns a configuration that treats requests in the same way, with upstreams that
// answer at once, and without lasting effects.
func trial(c *config.Config) *config.Config {
	t := *c
	t.Admin, t.State, t.Fleet, t.Tracing, t.Metrics, t.Events = config.Admin{}, config.State{}, nil, config.Tracing{}, config.Metrics{}, config.Events{}
	t.Pools = map[string]config.Pool{}
	for name, p := range c.Pools {
		p.Health.From, p.Health.Type, p.Hold.For, p.Retry.Attempts, p.Retry.PerTry, p.Timeouts.Request = "", "none", 0, 1, 0, 0
		p.ProxyProtocol, p.TLS = "none", config.TLS{}
		switch p.Protocol {
		case "h2":
			p.Protocol = "h2c"
		case "auto": // upgrades use HTTP/1.1, and without TLS everything does
			p.Protocol = "http1"
		}
		p.Stale, p.Cache.Enabled, p.Upstreams = config.Stale{}, false, []config.Upstream{{URL: "http://127.0.0.1:1", Scheme: "http", Weight: 1}}
		t.Pools[name] = p
	}
	t.Routes = slices.Clone(c.Routes)
	for i := range t.Routes {
		t.Routes[i].Mirror, t.Routes[i].Timeout = nil, 0
		t.Routes[i].Faults = certain(t.Routes[i].Faults)
	}
	return &t
}

// certain returns the faults that abort every request.
func certain(faults []config.Fault) (list []config.Fault) {
	for _, f := range faults {
		if f.Abort > 0 && f.Share >= 1 {
			list = append(list, f)
		}
	}
	return list
}

// judge adds the verdict of each route, up to the first that matches.
func (e *Explanation) judge(c *config.Config, rec *proxy.Record, l proxy.Listener) {
	e.Routes = []Verdict{}
	if rec.Route == "" && rec.Reason != reason.NoRoute {
		return
	}
	for i, rt := range c.Routes {
		v := Verdict{Route: rt.Name, Place: c.Place(fmt.Sprintf("routes[%d]", i))}
		if rt.Name == e.Route {
			v.Matches, e.RouteAt = true, i
			e.Routes = append(e.Routes, v)
			return
		}
		for _, condition := range rt.Match.Conditions() {
			m := assemble.Match(c, condition.Only)
			if !m.Matches(rec.Request, l, rec.Client) {
				v.Unmet = append(v.Unmet, strings.TrimSpace(condition.Key+" "+condition.Value))
			}
		}
		e.Routes = append(e.Routes, v)
	}
}

// hide removes the values of headers that the route sets, because they may be secrets.
func (e *Explanation) hide(r config.Route) {
	for _, names := range []config.Headers{r.RequestHeaders.Set, r.RequestHeaders.Add} {
		for name := range names {
			if e.Forwarded.Header.Get(name) != "" {
				e.Forwarded.Header[http.CanonicalHeaderKey(name)] = []string{"(set by the route)"}
			}
		}
	}
	e.Forwarded.Target = hideQuery(e.Forwarded.Target, r)
	if r.Host == "upstream" {
		e.Forwarded.Host = ""
	}
}

// hideQuery removes the values of parameters that the route sets.
func hideQuery(target string, r config.Route) string {
	path, query, ok := strings.Cut(target, "?")
	if !ok {
		return target
	}
	parts := strings.Split(query, "&")
	for i, part := range parts {
		name, _, _ := strings.Cut(part, "=")
		plain, _ := url.QueryUnescape(name)
		_, set := r.RequestQuery.Set[plain]
		if _, added := r.RequestQuery.Add[plain]; set || added {
			parts[i] = name + "=(set by the route)"
		}
	}
	return path + "?" + strings.Join(parts, "&")
}

// witness is an upstream that keeps the last request.
type witness struct {
	address string
	server  *http.Server
	done    chan struct{}

	mu  sync.Mutex // protects got
	got *Forwarded
}

func newWitness() (*witness, error) {
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &witness{address: socket.Addr().String(), done: make(chan struct{})}
	w.server = &http.Server{ReadHeaderTimeout: explainBound, Handler: w, Protocols: new(http.Protocols)}
	w.server.Protocols.SetHTTP1(true)
	w.server.Protocols.SetUnencryptedHTTP2(true)
	go func() {
		defer close(w.done)
		w.server.Serve(socket)
	}()
	return w, nil
}

func (w *witness) close() {
	w.server.Close()
	<-w.done
}

func (w *witness) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.got = &Forwarded{Method: r.Method, Target: r.RequestURI, Host: r.Host, Header: r.Header}
}

func (w *witness) last() *Forwarded {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.got
}

// discard is a response writer that drops the body.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header { return d.header }

func (d *discard) WriteHeader(status int) {
	if d.status < 200 { // ignore interim responses
		d.status = status
	}
}

func (d *discard) Write(b []byte) (int, error) {
	d.WriteHeader(http.StatusOK)
	return io.Discard.Write(b)
}
