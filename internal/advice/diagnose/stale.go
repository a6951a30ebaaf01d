package diagnose

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/doctor"
	"github.com/goodgate/goodgate/internal/advice/finding"
	"github.com/goodgate/goodgate/internal/advice/nginxlog"
)

// stale recognizes names with other addresses than at nginx's start. Without a
// resolver, nginx looks up names only once.
func (d *nginxCase) stale() {
	for _, t := range d.looked {
		now := d.report.Names[t.URL()]
		host, port, err := net.SplitHostPort(t.Addr)
		if err != nil || len(now) == 0 || t.Resolver != "" {
			continue
		}
		for _, f := range d.errors.Failures() {
			_, addr, _ := strings.Cut(f.Upstream, "://")
			old, oldPort, err := net.SplitHostPort(addr)
			if err != nil || oldPort != port || slices.Contains(now, f.Upstream) || net.ParseIP(old) == nil || d.names(addr) {
				continue
			}
			d.report.Findings = append([]finding.Finding{d.moved(t, host, f)}, d.report.Findings...)
			return
		}
	}
}

// names reports whether the configuration itself contains an address.
func (d *nginxCase) names(addr string) bool {
	return slices.ContainsFunc(d.looked, func(t doctor.Target) bool { return t.Addr == addr })
}

func (d *nginxCase) moved(t doctor.Target, host string, f *nginxlog.Failures) finding.Finding {
	e, _ := explain(f.Cause)
	n := finding.Finding{
		Severity: finding.Error, Confidence: finding.Likely, Code: "dns_stale", Reason: e.reason, Upstream: f.Upstream, Where: t.Label,
		Because: "another possible cause: the name had other addresses before",
		Seen:    fmt.Sprintf("requests for %s went to %s and failed; the name now resolves to %s", host, f.Upstream, strings.Join(d.report.Names[t.URL()], ", ")),
		Means:   "nginx looked the name up only when it started, and the application has moved since (for example a re-created container)",
		Do:      "reload nginx now (nginx -s reload), and make it look names up at each request",
		Count:   f.Count, First: f.First, Last: f.Last,
	}
	l := d.from[t.URL()]
	if d.report.Hosts[t.URL()] { // nginx's resolver does not read /etc/hosts
		n.Directive = "nginx -s reload"
		n.Do = fmt.Sprintf("reload nginx: it reads /etc/hosts only at its start; it can look up a DNS name at each request (resolver ADDRESS; set $upstream %s;)", host)
		return n
	}
	if l != nil && (l.URI == "" || l.URI == "/" && l.Path == "/") { // with a variable, nginx does not replace the path
		_, port, _ := net.SplitHostPort(t.Addr)
		n.Directive = fmt.Sprintf("resolver %s valid=10s;\nset $upstream %s;\n%s %s://$upstream:%s;", cmp.Or(doctor.FirstNameServer(), "127.0.0.53"), host, l.Pass.Name, l.Scheme, port)
	}
	return n
}
