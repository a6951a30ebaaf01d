package diagnose

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/doctor"
	"github.com/goodgate/goodgate/internal/advice/finding"
	"github.com/goodgate/goodgate/internal/advice/haproxy"
)

// HAProxy finds out why an HAProxy answers with bad gateways: from its configuration,
// the termination states in its log (s.AccessLogs; it has no other log), and an
// examination of its servers.
func HAProxy(ctx context.Context, s Sources) (finding.Report, error) {
	c, err := haproxy.Load(s.Config)
	if err != nil {
		return finding.Report{}, err
	}
	d := &haproxyCase{config: c, logs: newLogCase(s), addrs: map[[2]string]doctor.Target{}}
	d.logs.tells = true
	named := slices.Concat(s.AccessLogs, s.Logs)
	for _, name := range named {
		if _, err := d.logs.read(ctx, name); err != nil {
			return d.report, fmt.Errorf("log: %w", err)
		}
	}
	d.report.Add(d.logs.report)
	if len(named) == 0 {
		d.report.NotKnown("the log: none given; --access-log FILE reads one (option httplog)")
	}
	d.targets()
	d.report.Blind = len(d.looked) == 0
	s.Look.Own = d.ports()
	look := doctor.Examine(ctx, d.looked, s.Look)
	if ctx.Err() != nil {
		return d.report, fmt.Errorf("looking at servers: %w", context.Cause(ctx))
	}
	d.report.Add(look)
	d.logged()
	d.report.Add(doctor.Local(0))
	d.report.Rank()
	return d.report, nil
}

type haproxyCase struct {
	config *haproxy.Config
	logs   *logCase
	looked []doctor.Target
	addrs  map[[2]string]doctor.Target // targets by backend and server
	report finding.Report
}

func (d *haproxyCase) targets() {
	for _, s := range d.config.Sections {
		if s.Kind != "backend" && s.Kind != "listen" || s.One("mode").Word(1) != "http" {
			continue
		}
		for _, l := range s.All("server") {
			t := d.target(s, l)
			d.addrs[[2]string{s.Name, l.Word(1)}] = t
			if !l.Has("disabled") {
				d.looked = append(d.looked, t)
			}
		}
	}
}

// ports returns the ports on which HAProxy itself listens.
func (d *haproxyCase) ports() []string {
	var ports []string
	for _, s := range d.config.Sections {
		for _, l := range s.All("bind") {
			if _, port, err := net.SplitHostPort(l.Word(1)); err == nil {
				ports = append(ports, port)
			}
		}
	}
	return ports
}

func (d *haproxyCase) target(s *haproxy.Section, l haproxy.Line) doctor.Target {
	address := strings.TrimPrefix(strings.TrimPrefix(l.Word(2), "ipv4@"), "ipv6@")
	switch {
	case strings.HasPrefix(address, "unix@"):
		address = "unix:" + address[len("unix@"):]
	case strings.HasPrefix(address, "/"):
		address = "unix:" + address
	case !strings.Contains(address, ":"):
		address += ":80"
	}
	t := doctor.Target{
		Label: "backend " + s.Name + " (" + l.At() + ")", Group: "backend " + s.Name, Addr: address,
		Dial: s.Timeout("connect"), Response: s.Timeout("server"),
		Learns: true, // HAProxy itself resends a request after an idle connection was closed (since 2.4), and keeps few of them
		Words:  haproxyWords(l),
	}
	if l.Has("ssl") {
		t.TLS, t.Insecure, t.Hidden = &tls.Config{ServerName: l.After("verifyhost")}, l.After("verify") == "none", l.Has("crt")
	}
	if l.Has("check") {
		t.Health = health(s)
	}
	return t
}

// haproxyWords returns the lines of the backend, and the complete server line.
func haproxyWords(l haproxy.Line) doctor.Words {
	type params = []haproxy.Param
	with := func(without []string, add params) string { return l.With("%s", without, add...) }
	same := func(add params) string { return l.With(l.Word(2), nil, add...) }
	return doctor.Words{
		Address:    with(nil, nil),
		Socket:     l.With("unix@%[2]s", nil),
		HTTP:       with(haproxy.TLSParams(), nil),
		HTTPS:      with(nil, params{{Name: "ssl"}, {Name: "verify", Value: "required"}, {Name: "ca-file", Value: "/etc/ssl/certs/ca-certificates.crt"}}),
		HTTP2:      with([]string{"alpn"}, params{{Name: "proto", Value: "h2"}}),
		ServerName: same(params{{Name: "verifyhost", Value: "%[1]s"}, {Name: "sni", Value: "str(%[1]s)"}}),
		HTTP2TLS:   with(nil, params{{Name: "alpn", Value: "h2"}}),
		Client:     same(params{{Name: "crt", Value: "/etc/haproxy/upstream-client.pem"}}),
		PROXY:      same(params{{Name: "send-proxy"}}),
		CA:         same(params{{Name: "ca-file", Value: "%s"}}),
		Dial:       "timeout connect %s", Response: "timeout server %s", HealthPath: "option httpchk GET %s",
	}
}

// health returns the HTTP check of a backend, nil if it has another kind.
func health(s *haproxy.Section) *doctor.Health {
	chk := s.One("option", "httpchk")
	if len(chk.Words) < 3 || len(s.One("http-check").Words) > 0 {
		return nil
	}
	h := &doctor.Health{Method: "OPTIONS", Path: chk.Word(2), Status: "200-399", Timeout: max(s.Timeout("check"), 2e9),
		Passes: func(status int) bool { return status >= 200 && status < 400 }}
	if chk.Word(3) != "" {
		h.Method, h.Path = chk.Word(2), chk.Word(3)
	}
	return h
}

// logged adds the findings from the log. It joins a failed check with the examination
// of the same server.
func (d *haproxyCase) logged() {
	for _, e := range d.logs.others.Ended() {
		f := ofEnded(e, d.logs.others.Window)
		f.Upstream, f.Where = "", "backend "+e.Backend
		d.report.Timeline = append(d.report.Timeline, span(&f, &e.Failures))
		if _, server, ok := strings.Cut(e.Upstream, "/"); ok {
			if t, known := d.addrs[[2]string{e.Backend, server}]; known {
				f.Upstream = t.URL()
			}
		}
		found := slices.IndexFunc(d.report.Findings, func(l finding.Finding) bool {
			return l.Severity == finding.Error && l.Upstream == f.Upstream && l.Code != f.Code
		})
		if f.Code == "checks_fail" && f.Upstream != "" && found >= 0 {
			d.report.Findings[found].Seen += "; " + f.Seen
			continue
		}
		d.report.Find(f)
	}
	if f, ok := notUnderstood(d.logs.others.Unknown); ok {
		d.report.Find(f)
	}
}
