package diagnose

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/doctor"
	"github.com/goodgate/goodgate/internal/advice/finding"
	"github.com/goodgate/goodgate/internal/advice/haproxy"
	"github.com/goodgate/goodgate/internal/advice/nginxlog"
)

// HAProxy finds out why an HAProxy answers with bad gateways: from its
// configuration, the termination states in its log (s.AccessLogs; it has no
// other), and a look at its servers.
func HAProxy(ctx context.Context, s Sources) (finding.Report, error) {
	c, err := haproxy.Load(s.Config)
	if err != nil {
		return finding.Report{}, err
	}
	d := &haproxyCase{config: c, addrs: map[[2]string]doctor.Target{}}
	for _, name := range s.AccessLogs {
		if err := d.readLog(name); err != nil {
			return d.report, fmt.Errorf("log: %w", err)
		}
	}
	if len(s.AccessLogs) == 0 {
		d.report.NotKnown("what the log tells: none is named; --access-log FILE reads one (option httplog)")
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
	log    haproxy.Tally
	looked []doctor.Target
	addrs  map[[2]string]doctor.Target // by backend and server
	report finding.Report
}

func (d *haproxyCase) readLog(name string) error {
	in, err := nginxlog.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := d.log.Read(in); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	d.report.Steps = append(d.report.Steps, finding.Step{Subject: d.config.File, Name: "log", Result: fmt.Sprintf("%s: %d requests so far", name, d.log.Lines)})
	return nil
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

// ports are those that HAProxy itself listens on.
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
	server := "server " + l.Word(1) + " "
	t := doctor.Target{
		Label: "backend " + s.Name + " (" + l.At() + ")", Group: "backend " + s.Name, Addr: address,
		Dial: s.Timeout("connect"), Response: s.Timeout("server"),
		Learns: true, // what HAProxy sends again by itself when an idle connection was closed (since 2.4), and it keeps few
		Words: doctor.Words{
			Address: server + "%s", HTTP: server + "%s", HTTPS: server + "%s ssl verify required ca-file /etc/ssl/certs/ca-certificates.crt",
			HTTP2: server + "%s proto h2", Dial: "timeout connect %s", Response: "timeout server %s", ServerName: "verifyhost %[1]s sni str(%[1]s)",
			CA: "ca-file %s", HealthPath: "option httpchk GET %s", Resolver: "nameserver dns %s:53",
		},
	}
	if l.Has("ssl") {
		t.TLS, t.Insecure = &tls.Config{ServerName: l.After("verifyhost")}, l.After("verify") == "none"
	}
	if l.Has("check") {
		t.Health = health(s)
	}
	return t
}

// health is the HTTP check of a backend, nil when it is another.
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

// causeOf translates a termination state: who ended it, and in which phase. ok
// is false for one that is no trouble of the gateway's.
func causeOf(e *haproxy.Ended) (c nginxlog.Cause, ok bool) {
	if e.Server == "<NOSRV>" && e.State == "SC" {
		return nginxlog.NoLiveUpstreams, true
	}
	c, ok = map[string]nginxlog.Cause{
		"SC": nginxlog.ConnectRefused, "sC": nginxlog.ConnectTimeout, "SH": nginxlog.ClosedBeforeAnswer, "sH": nginxlog.ResponseTimeout,
		"SD": nginxlog.ClosedInBody, "sD": nginxlog.ResponseStalled, "PH": nginxlog.InvalidResponse, "sQ": nginxlog.SocketBacklog,
		"RC": nginxlog.NoLocalPort,
	}[e.State]
	return c, ok
}

// logged makes findings of what the log tells.
func (d *haproxyCase) logged() {
	for _, e := range d.log.Ended() {
		cause, ok := causeOf(e)
		if !ok {
			continue
		}
		x, _ := explain(cause)
		f := finding.Finding{
			Severity: finding.Error, Confidence: finding.Possible, Code: x.code, Reason: x.reason, Where: "backend " + e.Backend,
			Seen:  fmt.Sprintf("the log has termination state %s for %s/%s", e.State, e.Backend, e.Server),
			Count: e.Count, First: e.First, Last: e.Last,
		}
		f.Means, f.Do, f.Directive = haproxyWords(e.State)
		if t, known := d.addrs[[2]string{e.Backend, e.Server}]; known {
			f.Upstream = t.URL()
		}
		if cause == nginxlog.NoLiveUpstreams {
			f.Follows = true
			f.Means = "no server of the backend was up, so that requests were refused without being tried"
			f.Do, f.Directive = "cure what takes the servers down (see the other findings, and the lines \"is DOWN, reason\" of the log)", ""
		}
		d.report.Find(f)
	}
}

// haproxyWords says what a state means for HAProxy, what to do and to write.
func haproxyWords(state string) (means, do, directive string) {
	switch state {
	case "SC":
		return "the server refused the connection: nothing listened at that port at the time", "see that the application runs and listens there", "option redispatch"
	case "sC":
		return "no connection within timeout connect: packets were dropped, or the application's accept queue was full",
			"let the port through the firewalls, or give the application more workers and a larger backlog", "timeout connect 2s"
	case "SH":
		return "the server closed the connection instead of answering: it crashed, or was ended", "see the application's log at these times", "retry-on conn-failure empty-response"
	case "sH":
		return "the server did not answer within timeout server: a slow query, or all its workers are busy", "make the request faster, or wait longer; how long it would take is not known from the log", ""
	case "SD":
		return "the connection broke within a response: the application crashed, or was ended", "see the application's log at these times", ""
	case "sD":
		return "the server stopped in the middle of a response for longer than timeout server", "see what the application waits for, or wait longer", ""
	case "PH":
		return "the response was no valid HTTP, or its header did not fit tune.bufsize", "see what answers at that port; allow larger headers", "tune.bufsize 32768"
	case "sQ":
		return "the request waited in the queue longer than timeout queue: every server had maxconn requests", "give the application more workers, then raise maxconn", ""
	}
	return "this machine was short of ports, files or memory", "keep connections to servers, and look at this machine's limits", "http-reuse safe"
}
