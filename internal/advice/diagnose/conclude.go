package diagnose

import (
	"cmp"
	"fmt"
	"net"
	"path/filepath"
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
	d.stopped()
	d.mixed()
	share(logged, d.access)
	logged = append(logged, d.unexplained(logged)...)
	traps, logged := d.lint(logged)
	for _, f := range slices.Concat(d.live, logged, traps) {
		d.report.Find(f)
	}
	if f, ok := notUnderstood(d.errors.Unknown); ok {
		d.report.Find(f)
	}
	d.stale()
	d.report.Rank()
}

// logged returns the findings from the error log.
func (d *nginxCase) logged() []finding.Finding {
	var list []finding.Finding
	for _, f := range d.errors.Failures() {
		n, ok := ofFailures(f, d.errors.Window)
		if !ok {
			continue
		}
		n.Upstream = d.aliased(f.Upstream)
		d.report.Timeline = append(d.report.Timeline, span(&n, f))
		if n.Reason == reason.DNSError || n.Reason == reason.DNSTimeout {
			n.Upstream = d.upstreamNamed(f.Upstream)
		}
		n.Where = d.where(n.Upstream)
		d.withValue(&n, f)
		list = append(list, n)
	}
	return sumUp(list)
}

// sumUp joins the findings about nginx itself, which do not depend on the upstream of
// the requests.
func sumUp(list []finding.Finding) []finding.Finding {
	at := map[string]int{}
	var all []finding.Finding
	for _, f := range list {
		i, known := at[f.Code]
		if f.Upstream != "" || !known {
			if f.Upstream == "" {
				at[f.Code] = len(all)
			}
			all = append(all, f)
			continue
		}
		seen := all[i].Seen
		take(&all[i], f)
		all[i].Seen = seen // the most frequent message is sufficient
	}
	return all
}

// where returns the place in the configuration that leads to an upstream.
func (d *nginxCase) where(upstream string) string {
	if t := d.target(upstream); t.Label != "" {
		return t.Label
	}
	name := upstream[strings.LastIndex(upstream, "/")+1:]
	if u := d.config.Upstreams[name]; u != nil {
		return "upstream " + name + " (" + u.At() + ")"
	}
	var variable []string
	for _, l := range d.config.Passes {
		if l.Variable != "" {
			variable = append(variable, l.Pass.At())
		}
	}
	return cmp.Or(strings.Join(compact(variable), ", "), filepath.Base(d.config.File))
}

// withValue adds the directive whose value comes from the evidence.
func (d *nginxCase) withValue(n *finding.Finding, f *nginxlog.Failures) {
	switch f.Cause {
	case nginxlog.BodyTooLarge:
		n.Upstream = ""
		n.Where = d.places("client_max_body_size")
	case nginxlog.TempForbidden:
		n.Directive = d.ownFolder(f.Sample)
	case nginxlog.ResponseTimeout:
		if d.found("no_answer", n.Upstream) {
			n.Directive = "" // longer timeouts do not help
		}
		if slowest := d.slowest(f.Upstream); slowest > 0 {
			n.Seen += fmt.Sprintf("; the slowest good answer took %s", slowest)
		}
	case nginxlog.WorkerConnections:
		n.Directive = fmt.Sprintf("worker_connections %d;\nworker_rlimit_nofile %d;", d.connections(), d.files())
		n.Upstream, n.Where, n.Confidence = "", d.config.Workers.At(), finding.Certain
	case nginxlog.OpenFiles:
		n.Directive = fmt.Sprintf("worker_rlimit_nofile %d;", d.files())
		n.Upstream, n.Where, n.Confidence = "", d.config.NoFile.At(), finding.Certain
	case nginxlog.NoResolver:
		n.Confidence = finding.Certain
	case nginxlog.HeaderTooBig:
		if l := d.from[n.Upstream]; l != nil {
			n.Directive = strings.ReplaceAll(l.Buffers(), "%[1]s", fmt.Sprint(max(16, 2*l.Size(l.Prefix()+"_buffer_size", 4<<10)>>10)))
		}
	case nginxlog.TLSHandshake, nginxlog.ConnectTimeout:
		l := d.from[n.Upstream]
		switch {
		case l == nil:
		case f.Cause == nginxlog.TLSHandshake && !l.Secure():
			n.Directive = "" // the configuration was another one then
		default:
			n.Directive = strings.ReplaceAll(n.Directive, "proxy_", l.Prefix()+"_")
		}
	case nginxlog.NoLocalPort:
		n.Directive = d.keeping(n.Upstream)
	case nginxlog.NoLiveUpstreams:
		n.Follows, n.Directive = true, ""
		name := f.Upstream[strings.LastIndex(f.Upstream, "/")+1:]
		if u := d.config.Upstreams[name]; u != nil && len(u.Servers) > 0 {
			n.Directive = u.Servers[0].With(u.Servers[0].Arg(0)+" max_fails=0", "max_fails", "fail_timeout")
		}
	}
}

// connections returns the number of connections that a worker needs, according to the
// configuration and the log. Every finding suggests the same number.
func (d *nginxCase) connections() int {
	have := max(512, int(number(d.config.Workers.Arg(0))))
	if slices.ContainsFunc(d.errors.Failures(), func(f *nginxlog.Failures) bool { return f.Cause == nginxlog.WorkerConnections }) {
		return max(4096, 4*have)
	}
	return have
}

// files returns the number of files that a worker needs: two per connection.
func (d *nginxCase) files() int {
	return max(16384, 2*int(number(d.config.NoFile.Arg(0))), 2*d.connections())
}

// places returns the places of a setting, or else the servers that could have it.
func (d *nginxCase) places(name string) string {
	var all []string
	for _, s := range d.config.Servers {
		all = append(all, cmp.Or(s.One(name).At(), s.At()))
	}
	return strings.Join(compact(all), ", ")
}

// keeping returns the lines that make nginx reuse connections to an upstream.
func (d *nginxCase) keeping(upstream string) string {
	l := d.from[upstream]
	if l == nil || l.Prefix() != "proxy" {
		return ""
	}
	use := "proxy_http_version 1.1;\n" + l.WithHeader("Connection", `""`)
	if l.Group(d.config) != nil {
		return "keepalive 64;\n" + use
	}
	return fmt.Sprintf("upstream backend { server %s; keepalive 64; }\n%s\n%s", d.target(upstream).Addr, l.To("proxy_pass", l.Scheme, "backend"), use)
}

func number(text string) int64 {
	n, _ := nginxconf.Size(text)
	return n
}

// slowest returns the duration of an upstream's slowest successful answer in the access
// log.
func (d *nginxCase) slowest(upstream string) time.Duration {
	for _, t := range d.access.Traffic() {
		if t.Upstream != "" && strings.HasSuffix(upstream, "//"+t.Upstream) {
			return t.Slowest
		}
	}
	return 0
}

// Failed requests with a duration of at least clockworkLeast and a relative spread of
// at most clockworkSpread point to a timeout.
const (
	clockworkSpread = 0.2
	clockworkLeast  = 900 * time.Millisecond
)

// byTheClock recognizes applications that end requests after a fixed time: all 502s of
// an upstream have nearly the same duration.
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
			Upstream: d.upstreamOf(t.Upstream), Count: t.Failed.N, First: t.First, Last: t.Last, Where: d.where(d.upstreamOf(t.Upstream)),
			Because:   "only a timeout makes all failures take the same time",
			Seen:      fmt.Sprintf("every 502 of this upstream came after %s (%s to %s)", after, t.Failed.Min.Round(time.Millisecond), t.Failed.Max.Round(time.Millisecond)),
			Means:     "the application's own timeout stops the worker during the request (gunicorn: --timeout, 30 s unless set; uwsgi: harakiri)",
			Do:        "make the request faster, or give the worker more time",
			Directive: fmt.Sprintf("gunicorn --timeout %d", int((2*after+time.Second)/time.Second)),
		})
	}
	return list
}

// upstreamOf converts an address of the access log to the form of the error log.
func (d *nginxCase) upstreamOf(addr string) string {
	for _, t := range d.looked {
		other := t
		other.Addr = addr
		if t.Addr == addr || d.alias[other.URL()] == t.URL() {
			return t.URL()
		}
	}
	if strings.HasPrefix(addr, "unix:") {
		return strings.TrimSuffix(addr, ":")
	}
	return "http://" + addr
}

// upstreamNamed returns the upstream with a host name, or the name itself.
func (d *nginxCase) upstreamNamed(name string) string {
	for _, t := range d.looked {
		if host, _, err := net.SplitHostPort(t.Addr); err == nil && host == name {
			return t.URL()
		}
	}
	return name
}

// crashLoops recognizes applications that both refuse and close connections: they exit
// with requests in flight and restart.
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
		list[i].Code, list[i].Confidence, list[i].Because = "crash_loop", finding.Likely, "the log has both kinds of failure, and the application answers now"
		list[i].Count += r.Count
		list[i].Seen = fmt.Sprintf("%d times the connection was closed without an answer, %d times refused; now it answers", f.Count, r.Count)
		list[i].Means = "the application stops with requests in flight and starts again: it crashes, runs out of memory, or somebody restarts it"
		list[i].Do = "check its log and exit codes (journalctl -u, dmesg for the out-of-memory killer), and fix the crash; with Restart=always in its unit it comes back sooner"
		list[i].Directive = "Restart=always"
		list = slices.DeleteFunc(list, func(x finding.Finding) bool { return x.Code == "connect_refused" && x.Upstream == f.Upstream })
		return d.crashLoops(list)
	}
	return list
}

// isDown reports whether the examination could not connect to an upstream.
func (d *nginxCase) isDown(upstream string) bool {
	return slices.ContainsFunc(d.live, func(f finding.Finding) bool {
		return f.Upstream == upstream && f.Severity == finding.Error && f.Reason == reason.ConnectRefused
	})
}

// races recognizes the cause of "closed before an answer" in the log if the examination
// has found that the upstream's keep-alive timeout is shorter than nginx's.
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

// take adds the evidence of one finding to another.
func take(f *finding.Finding, from finding.Finding) {
	f.Agree(from)
	f.Seen += "; " + from.Seen
	f.Count += from.Count
	if f.First.IsZero() || from.First.Before(f.First) {
		f.First = from.First
	}
	if from.Last.After(f.Last) {
		f.Last = from.Last
	}
}

// absorb joins findings from the log with certain findings from the examination of the
// same upstream.
func (d *nginxCase) absorb(list []finding.Finding) []finding.Finding {
	explains := []string{
		"plain_to_tls_port", "tls_to_plain_port", "http2_only", "not_http", "certificate_expired", "certificate_name",
		"certificate_self_signed", "certificate_authority", "backlog_full",
		"dns_not_found", "dns_timeout", "dns_failure",
		"tls_client_certificate", "tls_name", "tls_version", "proxy_protocol",
		"http_only", "fastcgi_only", "uwsgi_only", "not_http2", "not_fastcgi", "not_uwsgi",
	}
	for i, found := range d.live {
		if !slices.Contains(explains, found.Code) {
			continue
		}
		list = slices.DeleteFunc(list, func(f finding.Finding) bool {
			other := strings.HasPrefix(found.Code, "dns_") && !strings.HasPrefix(f.Code, "dns_")
			if f.Upstream != found.Upstream || f.Severity != finding.Error || other {
				return false
			}
			take(&d.live[i], f)
			d.live[i].Severity = finding.Error
			return true
		})
	}
	return list
}

// stopped corrects guesses of a wrong port: if the access log has good answers of the
// upstream, the port is right.
func (d *nginxCase) stopped() {
	for i, f := range d.live {
		for _, t := range d.access.Traffic() {
			good := t.Requests - t.GatewayErrors() - t.Errors[499]
			if good > 0 && t.Upstream != "" && d.upstreamOf(t.Upstream) == f.Upstream {
				doctor.Stopped(&d.live[i], fmt.Sprintf("the access log has %d good answers of it", good))
			}
		}
	}
}

// lint returns the traps in the configuration, and the remaining findings from the log.
// If the log shows the effect of a trap, the trap's finding takes the evidence.
func (d *nginxCase) lint(logged []finding.Finding) (traps, rest []finding.Finding) {
	traps = nginxconf.Lint(d.config)
	short := func(f finding.Finding) bool { return f.Code == "fd_limit" || f.Code == "worker_connections" }
	if slices.ContainsFunc(logged, short) { // their remedy includes that of the trap
		traps = slices.DeleteFunc(traps, func(f finding.Finding) bool { return f.Code == "worker_files" })
	}
	if slices.ContainsFunc(traps, func(f finding.Finding) bool { return f.Code == "loop" }) {
		for i := range logged {
			logged[i].Follows = logged[i].Follows || short(logged[i])
		}
	}
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
