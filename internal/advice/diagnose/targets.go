package diagnose

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/advice/doctor"
	"github.com/goodgate/goodgate/internal/advice/nginxconf"
	"github.com/goodgate/goodgate/internal/advice/nginxlog"
)

const nginxTimeout = 60 * time.Second // of connect, send and read

// targets lists the upstreams that the configuration names, each once for every
// path worth asking for.
func (d *nginxCase) targets() {
	seen := map[string]bool{}
	user := d.user()
	for _, l := range d.config.Locations {
		for _, t := range d.ofLocation(l) {
			t.User = user
			for _, path := range d.paths(t) {
				t.Path = path
				key := fmt.Sprint(t.Addr, t.TLS != nil, path)
				if !seen[key] {
					seen[key] = true
					d.looked = append(d.looked, t)
				}
			}
		}
	}
}

func (d *nginxCase) user() *doctor.User {
	name := d.config.User
	if name == "" {
		return nil
	}
	u, err := doctor.LookUpUser(name)
	if err != nil {
		d.report.NotKnown("permissions of sockets: %v", err)
		return nil
	}
	return u
}

// maxPaths bounds the requests to one upstream.
const maxPaths = 4

// paths is what to ask a target for: what failed according to the log, if that
// was a GET, or else what the location leads to. For nginx's words on the path
// of an upstream see the field upstream of the error log.
func (d *nginxCase) paths(t doctor.Target) []string {
	list := []string{}
	for _, f := range d.errors.Failures() {
		worth := f.Cause == nginxlog.ResponseTimeout || f.Cause == nginxlog.HeaderTooBig
		if path := f.Path(); worth && f.Upstream == url(t) && f.GET && strings.HasPrefix(path, "/") && len(list) < maxPaths {
			list = append(list, path)
		}
	}
	if len(list) == 0 {
		list = append(list, t.Path)
	}
	return list
}

// url is a target as nginx's error log names it.
func url(t doctor.Target) string {
	switch {
	case strings.HasPrefix(t.Addr, "unix:"):
		return t.Addr
	case t.TLS != nil:
		return "https://" + t.Addr
	}
	return "http://" + t.Addr
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
		model.Words.Address = "proxy_pass " + l.Scheme + "://%s" + l.URI + ";"
		return []doctor.Target{model}
	}
	var all []doctor.Target
	for _, p := range u.Servers {
		if _, down := p.Params["down"]; down {
			continue
		}
		t := model
		t.Addr, t.Label = p.Addr, "upstream "+u.Name+" ("+p.At()+")"
		if l.KeepsConnections(d.config) {
			t.Keepalive = u.Timeout
		}
		all = append(all, t)
	}
	return all
}

// model is how a location uses whatever upstream it has.
func (d *nginxCase) model(l *nginxconf.Location) doctor.Target {
	t := doctor.Target{
		Path:      l.Probe(),
		Host:      d.host(l),
		Dial:      l.Duration("proxy_connect_timeout", nginxTimeout),
		Response:  l.Duration("proxy_read_timeout", nginxTimeout),
		MaxHeader: int(l.Size("proxy_buffer_size", 4<<10)),
		Words:     nginxWords(l),
	}
	if _, told := l.Header("X-Forwarded-Proto"); l.Server.TLS() && !told {
		t.HTTPSClients = true
	}
	if l.Scheme == "https" {
		d.secure(&t, l)
	}
	return t
}

// secure says how nginx trusts: not at all, unless proxy_ssl_verify is on.
func (d *nginxCase) secure(t *doctor.Target, l *nginxconf.Location) {
	t.TLS = &tls.Config{ServerName: l.Host}
	if host, _, err := net.SplitHostPort(l.Host); err == nil {
		t.TLS.ServerName = host
	}
	if name := l.One("proxy_ssl_name").Arg(0); name != "" && !strings.Contains(name, "$") {
		t.TLS.ServerName = name
	}
	t.Insecure = l.One("proxy_ssl_verify").Arg(0) != "on"
	file := l.One("proxy_ssl_trusted_certificate").Arg(0)
	if t.Insecure || file == "" {
		return
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		d.report.NotKnown("whom nginx trusts: %v", err)
		return
	}
	t.TLS.RootCAs = x509.NewCertPool()
	t.TLS.RootCAs.AppendCertsFromPEM(pem)
}

// host is what nginx sends as Host, as far as it does not depend on the request.
func (d *nginxCase) host(l *nginxconf.Location) string {
	value, set := l.Header("Host")
	switch {
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

// resolver is the name server that nginx asks for this location.
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

func nginxWords(l *nginxconf.Location) doctor.Words {
	w := doctor.Words{
		Address:    "server %s;",
		HTTP:       "proxy_pass http://" + l.Host + l.URI + ";",
		HTTPS:      "proxy_pass https://" + l.Host + l.URI + ";",
		HTTP2:      "grpc_pass grpc://" + l.Host + ";",
		Dial:       "proxy_connect_timeout %s;",
		Response:   "proxy_read_timeout %s;",
		Keepalive:  "keepalive_timeout %s;",
		MaxHeader:  "proxy_buffer_size %[1]sk;\nproxy_buffers 8 %[1]sk;",
		ServerName: "proxy_ssl_name %[1]s;\nproxy_ssl_server_name on;",
		CA:         "proxy_ssl_trusted_certificate %s;",
		Proto:      "proxy_set_header X-Forwarded-Proto $scheme;",
		Resolver:   "resolver ADDRESS;   # of a name server that knows %s",
	}
	return w
}
