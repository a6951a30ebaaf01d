package diagnose

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/advice/doctor"
	"github.com/goodgate/goodgate/internal/advice/finding"
	"github.com/goodgate/goodgate/internal/advice/nginxconf"
	"github.com/goodgate/goodgate/internal/advice/nginxlog"
)

// conclude turns all evidence into findings.
func (d *nginxCase) conclude() {
	logged := d.logged()
	logged = append(logged, d.byTheClock()...)
	logged = d.crashLoops(logged)
	logged = d.races(logged)
	logged = d.absorb(logged)
	traps, logged := d.lint(logged)
	for _, f := range slices.Concat(d.live, logged, traps) {
		d.report.Find(f)
	}
	d.stale()
	d.report.Rank()
}

// logged makes findings of what the error log tells.
func (d *nginxCase) logged() []finding.Finding {
	var list []finding.Finding
	for _, f := range d.errors.Failures() {
		e, ok := explain(f.Cause)
		if !ok {
			continue
		}
		path := f.Path()
		n := finding.Finding{
			Severity: e.severity, Confidence: finding.Likely, Code: e.code, Reason: e.reason, Upstream: f.Upstream,
			Means: e.means, Do: e.do, Directive: e.directive, Count: f.Count, First: f.First, Last: f.Last,
		}
		if f.Cause == nginxlog.ClosedBeforeAnswer || f.Cause == nginxlog.ResetBeforeAnswer {
			n.Confidence = finding.Possible // several things look so
		}
		n.Seen = "the error log says " + strings.ReplaceAll(f.Cause.String(), "_", " ")
		if f.Since.After(f.First) {
			n.Seen += ", again since " + f.Since.Format(time.DateTime)
		}
		if path != "" {
			n.Seen += ", most often for " + path
		}
		if e.reason == reason.DNSError || e.reason == reason.DNSTimeout {
			n.Upstream = d.upstreamNamed(f.Upstream)
		}
		d.withValue(&n, f)
		list = append(list, n)
	}
	return list
}

// withValue adds the directive whose value comes from the evidence.
func (d *nginxCase) withValue(n *finding.Finding, f *nginxlog.Failures) {
	switch f.Cause {
	case nginxlog.BodyTooLarge:
		n.Upstream = ""
		n.Seen += fmt.Sprintf("; the largest had %d bytes", f.Most)
		n.Directive = fmt.Sprintf("client_max_body_size %dm;", max(1, (f.Most*5/4)>>20+1))
	case nginxlog.ResponseTimeout:
		if slowest := d.slowest(f.Upstream); slowest > 0 {
			n.Seen += fmt.Sprintf("; the slowest good answer took %s", slowest)
		}
		n.Do += "; how long the request would take is not known from the log"
	case nginxlog.WorkerConnections:
		have := max(512, int(number(d.config.Workers.Arg(0))))
		n.Directive = fmt.Sprintf("worker_connections %d;\nworker_rlimit_nofile %d;", max(4096, 4*have), 2*max(4096, 4*have))
		n.Upstream, n.Where, n.Confidence = "", d.config.Workers.At(), finding.Certain
	case nginxlog.OpenFiles:
		have := max(1024, int(number(d.config.NoFile.Arg(0))), 2*int(number(d.config.Workers.Arg(0))))
		n.Directive = fmt.Sprintf("worker_rlimit_nofile %d;", max(16384, 2*have))
		n.Upstream, n.Where, n.Confidence = "", d.config.NoFile.At(), finding.Certain
	case nginxlog.NoResolver:
		n.Confidence = finding.Certain
	case nginxlog.NoLiveUpstreams:
		n.Follows = true
		n.Where = "upstream " + strings.TrimPrefix(strings.TrimPrefix(f.Upstream, "http://"), "https://")
	}
}

func number(text string) int64 {
	n, _ := nginxconf.Size(text)
	return n
}

// slowest is the slowest good answer of an upstream in the access log.
func (d *nginxCase) slowest(upstream string) time.Duration {
	for _, t := range d.access.Traffic() {
		if t.Upstream != "" && strings.HasSuffix(upstream, "//"+t.Upstream) {
			return t.Slowest
		}
	}
	return 0
}

// clockwork is how alike the times of failed requests must be, and how long, to
// be the work of a timeout.
const (
	clockworkSpread = 0.2
	clockworkLeast  = 900 * time.Millisecond
)

// byTheClock finds applications that end requests after a fixed time: all 502s
// of an upstream come after about the same.
func (d *nginxCase) byTheClock() []finding.Finding {
	var list []finding.Finding
	for _, t := range d.access.Traffic() {
		spread := float64(t.Failed.Max-t.Failed.Min) / float64(max(t.Failed.Max, 1))
		if t.Failed.N < 2 || t.Failed.Min < clockworkLeast || spread > clockworkSpread || t.Upstream == "" {
			continue
		}
		after := t.Failed.Mean().Round(100 * time.Millisecond)
		list = append(list, finding.Finding{
			Severity: finding.Error, Confidence: finding.Likely, Code: "worker_timeout", Reason: reason.ClosedBeforeResponse,
			Upstream: d.upstreamOf(t.Upstream), Count: t.Failed.N, First: t.First, Last: t.Last,
			Seen:      fmt.Sprintf("every 502 of this upstream came after %s (%s to %s)", after, t.Failed.Min.Round(time.Millisecond), t.Failed.Max.Round(time.Millisecond)),
			Means:     "the application's own timeout ends the worker that is still at it (gunicorn: --timeout, 30 s unless set; uwsgi: harakiri)",
			Do:        "make the request faster, or let the worker have more time",
			Directive: fmt.Sprintf("gunicorn --timeout %d", int((2*after+time.Second)/time.Second)),
		})
	}
	return list
}

// upstreamOf gives an address of the access log the form of the error log's.
func (d *nginxCase) upstreamOf(addr string) string {
	for _, t := range d.looked {
		if t.Addr == addr {
			return url(t)
		}
	}
	if strings.HasPrefix(addr, "unix:") {
		return strings.TrimSuffix(addr, ":")
	}
	return "http://" + addr
}

// upstreamNamed is the upstream that has a host name, or the name itself.
func (d *nginxCase) upstreamNamed(name string) string {
	for _, t := range d.looked {
		if host, _, err := net.SplitHostPort(t.Addr); err == nil && host == name {
			return url(t)
		}
	}
	return name
}

// crashLoops finds applications that both refuse connections and end them: they
// die with requests under way, and come back.
func (d *nginxCase) crashLoops(list []finding.Finding) []finding.Finding {
	refused := map[string]finding.Finding{}
	for _, f := range list {
		if f.Code == "connect_refused" {
			refused[f.Upstream] = f
		}
	}
	for i, f := range list {
		r, both := refused[f.Upstream]
		if f.Code != "closed_before_response" || !both || d.isDown(f.Upstream) {
			continue
		}
		list[i].Code, list[i].Confidence = "crash_loop", finding.Likely
		list[i].Count += r.Count
		list[i].Seen = fmt.Sprintf("%d times the connection was closed without an answer, %d times refused; now it answers", f.Count, r.Count)
		list[i].Means = "the application ends with requests under way, and is started again: it crashes, is killed for its memory, or is restarted by someone"
		list[i].Do = "see its log and exit codes (journalctl -u, dmesg for the out-of-memory killer), and cure the crash; with Restart=always in its unit it comes back sooner"
		list[i].Directive = "Restart=always"
		list = slices.DeleteFunc(list, func(x finding.Finding) bool { return x.Code == "connect_refused" && x.Upstream == f.Upstream })
		return d.crashLoops(list)
	}
	return list
}

// isDown reports whether the look found that an upstream cannot be connected.
func (d *nginxCase) isDown(upstream string) bool {
	return slices.ContainsFunc(d.live, func(f finding.Finding) bool {
		return f.Upstream == upstream && f.Severity == finding.Error && f.Reason == reason.ConnectRefused
	})
}

// races joins the log's "closed before an answer" with a keep-alive timeout that
// the look found shorter than nginx's: then that is why.
func (d *nginxCase) races(list []finding.Finding) []finding.Finding {
	for i, race := range d.live {
		if race.Code != "keepalive_race" {
			continue
		}
		list = slices.DeleteFunc(list, func(f finding.Finding) bool {
			if f.Upstream != race.Upstream || f.Code != "closed_before_response" {
				return false
			}
			take(&d.live[i], f)
			d.live[i].Severity, d.live[i].Confidence = finding.Error, finding.Likely
			return true
		})
	}
	return list
}

// take gives a finding the evidence of another.
func take(f *finding.Finding, from finding.Finding) {
	f.Seen += "; " + from.Seen
	f.Count += from.Count
	if f.First.IsZero() || from.First.Before(f.First) {
		f.First = from.First
	}
	if from.Last.After(f.Last) {
		f.Last = from.Last
	}
}

// absorb lets what the look is certain of explain what the log tells of the same
// upstream under another name.
func (d *nginxCase) absorb(list []finding.Finding) []finding.Finding {
	explains := []string{
		"plain_to_tls_port", "tls_to_plain_port", "http2_only", "not_http", "certificate_expired", "certificate_name",
		"certificate_self_signed", "certificate_authority", "backlog_full",
	}
	for i, found := range d.live {
		if !slices.Contains(explains, found.Code) {
			continue
		}
		list = slices.DeleteFunc(list, func(f finding.Finding) bool {
			if f.Upstream != found.Upstream || f.Severity != finding.Error {
				return false
			}
			take(&d.live[i], f)
			return true
		})
	}
	return list
}

// lint returns the traps of the configuration, and the rest of what was logged:
// a trap that the log shows at work takes what it tells.
func (d *nginxCase) lint(logged []finding.Finding) (traps, rest []finding.Finding) {
	traps = nginxconf.Lint(d.config)
	for i, trap := range traps {
		logged = slices.DeleteFunc(logged, func(f finding.Finding) bool {
			if f.Code != trap.Code {
				return false
			}
			take(&traps[i], f)
			traps[i].Severity, traps[i].Confidence = finding.Error, finding.Certain
			return true
		})
	}
	return traps, logged
}

// stale finds names that led elsewhere when nginx started: without a resolver it
// looks names up once.
func (d *nginxCase) stale() {
	for _, t := range d.looked {
		host, port, err := net.SplitHostPort(t.Addr)
		if err != nil || net.ParseIP(host) != nil || t.Resolver != "" {
			continue
		}
		now, err := net.LookupHost(host)
		if err != nil {
			continue
		}
		for _, f := range d.errors.Failures() {
			scheme, addr, ok := strings.Cut(f.Upstream, "://")
			old, oldPort, err := net.SplitHostPort(addr)
			if !ok || err != nil || oldPort != port || slices.Contains(now, old) || net.ParseIP(old) == nil || d.names(addr) {
				continue
			}
			d.report.Findings = append([]finding.Finding{d.staleFinding(host, scheme+"://"+addr, now, f)}, d.report.Findings...)
			return
		}
	}
}

// names reports whether the configuration has an address itself.
func (d *nginxCase) names(addr string) bool {
	return slices.ContainsFunc(d.looked, func(t doctor.Target) bool { return t.Addr == addr })
}

func (d *nginxCase) staleFinding(host, old string, now []string, f *nginxlog.Failures) finding.Finding {
	e, _ := explain(f.Cause)
	return finding.Finding{
		Severity: finding.Error, Confidence: finding.Likely, Code: "dns_stale", Reason: e.reason, Upstream: old,
		Seen:      fmt.Sprintf("requests for %s went to %s and failed; the name now stands for %s", host, old, strings.Join(now, ", ")),
		Means:     "nginx looked the name up when it started, and does not look again: the application has moved (a container that was made anew)",
		Do:        "reload nginx now; and let it look names up as requests come",
		Directive: fmt.Sprintf("resolver %s valid=10s;\nset $upstream %s;\nproxy_pass http://$upstream;", nameServer(), host),
		Count:     f.Count, First: f.First, Last: f.Last,
	}
}

func nameServer() string {
	b, _ := os.ReadFile("/etc/resolv.conf")
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "nameserver" {
			return f[1]
		}
	}
	return "127.0.0.53"
}
