package diagnose

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/advice/doctor"
	"github.com/goodgate/goodgate/internal/advice/nginxconf"
	"github.com/goodgate/goodgate/internal/advice/nginxlog"
)

const nginxTimeout = 60 * time.Second // default of the connect, send and read timeouts

// use is a location with the target that it leads to.
type use struct {
	location *nginxconf.Location
	target   doctor.Target
}

// way has the facts that require a separate examination of an upstream.
type way struct {
	url, name       string
	insecure, https bool
}

// targets lists the configured upstreams: each once, however many locations lead there,
// and once more for each failed path.
func (d *nginxCase) targets() {
	user := d.user()
	uses, order := map[way][]use{}, []way(nil)
	for _, l := range d.config.Passes {
		for _, t := range d.ofLocation(l) {
			t.User, t.Root = user, d.root
			if _, known := d.from[t.URL()]; !known {
				d.from[t.URL()] = l
			}
			w := way{url: t.URL(), insecure: t.Insecure, https: t.HTTPSClients}
			if t.TLS != nil {
				w.name = t.TLS.ServerName
			}
			if uses[w] == nil {
				order = append(order, w)
			}
			uses[w] = append(uses[w], use{l, t})
		}
	}
	asked := map[string]bool{}
	for _, w := range order {
		for i, t := range d.looks(uses[w]) {
			if key := t.URL() + t.Path; i == 0 || !asked[key] {
				asked[key] = true
				d.looked = append(d.looked, t)
			}
		}
	}
}

// looks returns the examinations of one upstream.
func (d *nginxCase) looks(uses []use) []doctor.Target {
	list := []doctor.Target{}
	for _, path := range d.failing(uses[0].target) {
		t := usedFor(path, uses)
		t.Path, t.Brief = path, len(list) > 0
		list = append(list, t)
	}
	if len(list) == 0 {
		list = append(list, uses[0].target)
	}
	return list
}

// usedFor returns the target of the location that a path belongs to.
func usedFor(path string, uses []use) doctor.Target {
	best, longest := uses[0], -1
	for _, u := range uses {
		if p := u.location.Probe(); strings.HasPrefix(path, p) && len(p) > longest {
			best, longest = u, len(p)
		}
	}
	return best.target
}

func (d *nginxCase) user() *doctor.User {
	name := d.config.User
	if name == "" {
		return nil
	}
	u, err := doctor.LookUpUserIn(d.root, name)
	if err != nil {
		d.report.NotKnown("permissions of sockets: %v", err)
		return nil
	}
	return u
}

// maxPaths bounds the number of requests to one upstream.
const maxPaths = 4

// failing returns paths of GET requests that failed according to the log. The field
// upstream of the error log has the path at the upstream.
func (d *nginxCase) failing(t doctor.Target) (list []string) {
	for _, f := range d.errors.Failures() {
		worth := f.Cause == nginxlog.ResponseTimeout || f.Cause == nginxlog.HeaderTooBig || f.Cause == nginxlog.ClosedBeforeAnswer
		if path := f.Path(); worth && d.aliased(f.Upstream) == t.URL() && f.GET && strings.HasPrefix(path, "/") && len(list) < maxPaths && !slices.Contains(list, path) {
			list = append(list, path)
		}
	}
	return list
}

func (d *nginxCase) ofLocation(l *nginxconf.Location) []doctor.Target {
	if l.Host == "" {
		d.report.NotKnown("where %s (%s) leads: it depends on %s", l, l.Pass.At(), l.Variable)
		return nil
	}
	model := d.model(l)
	u := l.Group(d.config)
	if u == nil {
		model.Addr, model.Label = l.Addr(), l.Pass.At()
		if l.Variable != "" {
			model.Resolver = resolver(l)
		}
		return []doctor.Target{model}
	}
	var all []doctor.Target
	for _, p := range u.Servers {
		if _, down := p.Params["down"]; down {
			continue
		}
		t := model
		t.Addr, t.Label, t.Group = p.Addr, "upstream "+u.Name+" ("+p.At()+")", "upstream "+u.Name
		t.Words.Address, t.Words.Socket = p.With("%s"), ""
		if _, again := p.Params["resolve"]; again {
			t.Resolver = resolver(l)
		}
		if l.KeepsConnections(d.config) {
			t.Keepalive = u.Timeout
		}
		all = append(all, t)
	}
	return all
}

// model returns a location's settings for any of its upstreams.
func (d *nginxCase) model(l *nginxconf.Location) doctor.Target {
	prefix := l.Prefix()
	t := doctor.Target{
		Path:      l.Probe(),
		Host:      d.host(l),
		Protocol:  map[string]doctor.Protocol{"grpc": doctor.HTTP2, "fastcgi": doctor.FastCGI, "uwsgi": doctor.UWSGI, "scgi": doctor.SCGI}[prefix],
		Scheme:    l.Scheme,
		Dial:      l.Duration(prefix+"_connect_timeout", nginxTimeout),
		Response:  l.Duration(prefix+"_read_timeout", nginxTimeout),
		MaxHeader: int(l.Size(prefix+"_buffer_size", 4<<10)),
		Words:     d.words(l),
	}
	if _, told := l.Header("X-Forwarded-Proto"); l.Server.TLS() && !told {
		t.HTTPSClients = true
	}
	if l.Secure() {
		d.secure(&t, l)
	}
	return t
}

// secure sets how nginx verifies the upstream: not at all, unless proxy_ssl_verify,
// grpc_ssl_verify or uwsgi_ssl_verify is on.
func (d *nginxCase) secure(t *doctor.Target, l *nginxconf.Location) {
	t.TLS = &tls.Config{ServerName: l.Host}
	if host, _, err := net.SplitHostPort(l.Host); err == nil {
		t.TLS.ServerName = host
	}
	if name := l.One(l.Prefix() + "_ssl_name").Arg(0); name != "" && !strings.Contains(name, "$") {
		t.TLS.ServerName = name
	}
	t.Insecure = l.One(l.Prefix()+"_ssl_verify").Arg(0) != "on"
	t.NoSNI = l.One(l.Prefix()+"_ssl_server_name").Arg(0) != "on"
	d.client(t, l)
	file := l.One(l.Prefix() + "_ssl_trusted_certificate").Arg(0)
	if t.Insecure || file == "" {
		return
	}
	pem, err := os.ReadFile(d.config.Path(file))
	if err != nil {
		d.report.NotKnown("the authorities that nginx trusts: %v", err)
		return
	}
	t.TLS.RootCAs = x509.NewCertPool()
	t.TLS.RootCAs.AppendCertsFromPEM(pem)
}

// client sets nginx's client certificate.
func (d *nginxCase) client(t *doctor.Target, l *nginxconf.Location) {
	cert, key := l.One(l.Prefix()+"_ssl_certificate").Arg(0), l.One(l.Prefix()+"_ssl_certificate_key").Arg(0)
	if cert == "" {
		return
	}
	pair, err := tls.LoadX509KeyPair(d.config.Path(cert), d.config.Path(key))
	if err != nil {
		d.report.NotKnown("the upstream's answer to nginx's certificate: %v", err)
		t.Hidden = true
		return
	}
	t.TLS.Certificates = []tls.Certificate{pair}
}

// host returns the Host header that nginx sends, as far as it does not depend on the
// request.
func (d *nginxCase) host(l *nginxconf.Location) string {
	value, set := l.Header("Host")
	switch {
	case (!set || value == "$proxy_host") && strings.HasPrefix(l.Host, "unix:"):
		return "localhost"
	case !set, value == "$proxy_host":
		return strings.TrimSuffix(l.Host, ":")
	case !strings.Contains(value, "$"):
		return value
	}
	for _, name := range l.Server.Names {
		if name != "_" && name != "" && !strings.ContainsAny(name, "*~$") {
			return strings.TrimPrefix(name, ".")
		}
	}
	return ""
}

// resolver returns the name server that nginx uses for this location.
func resolver(l *nginxconf.Location) string {
	server := l.One("resolver").Arg(0)
	if server == "" {
		return ""
	}
	if _, _, err := net.SplitHostPort(server); err == nil {
		return server
	}
	return net.JoinHostPort(strings.Trim(server, "[]"), "53")
}

// words returns nginx's directives for the remedies of findings.
func (d *nginxCase) words(l *nginxconf.Location) doctor.Words {
	prefix := l.Prefix()
	w := doctor.Words{
		Address:    l.To(l.Pass.Name, l.Written(), "%s"),
		Socket:     l.To(l.Pass.Name, l.Written(), "unix:"),
		HTTP:       l.To("proxy_pass", "http", l.Host),
		HTTPS:      l.To("proxy_pass", "https", l.Host),
		HTTP2:      l.To("grpc_pass", "grpc", l.Host),
		HTTP2TLS:   l.To("grpc_pass", "grpcs", l.Host),
		FastCGI:    "include fastcgi_params;\n" + l.To("fastcgi_pass", "", l.Host),
		UWSGI:      "include uwsgi_params;\n" + l.To("uwsgi_pass", "", l.Host),
		Dial:       prefix + "_connect_timeout %s;",
		Response:   prefix + "_read_timeout %s;",
		Keepalive:  "keepalive_timeout %s;",
		MaxHeader:  l.Buffers(),
		ServerName: prefix + "_ssl_name %[1]s;\n" + prefix + "_ssl_server_name on;",
		CA:         prefix + "_ssl_trusted_certificate " + filepath.Join(filepath.Dir(d.config.File), "upstream-ca.pem") + ";",
		SNI:        prefix + "_ssl_server_name on;",
		Client:     fmt.Sprintf("%[1]s_ssl_certificate %[2]s/upstream-client.pem;\n%[1]s_ssl_certificate_key %[2]s/upstream-client.key;", prefix, filepath.Dir(d.config.File)),
		OldTLS:     prefix + "_ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;\n" + prefix + "_ssl_ciphers DEFAULT:@SECLEVEL=0;",
		Proto:      l.WithHeader("X-Forwarded-Proto", "$scheme"),
	}
	w.Socket = strings.Replace(w.Socket, "unix:", "%s", 1)
	if l.Variable != "" {
		w.Resolver = "resolver %s valid=10s;"
		w.OneFamily = "resolver " + strings.Join(l.One("resolver").Args, " ") + " ipv6=off;"
	}
	return w
}
