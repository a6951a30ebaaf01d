package diagnose

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/advice/finding"
	"github.com/goodgate/goodgate/internal/advice/nginxlog"
	"github.com/goodgate/goodgate/internal/advice/proxylog"
	"github.com/goodgate/goodgate/internal/duration"
	"github.com/goodgate/goodgate/reason"
)

// ofFailures returns the finding for lines of nginx's error log, without other
// evidence; ok is false if they are not a problem of the gateway.
func ofFailures(f *nginxlog.Failures, since time.Duration) (n finding.Finding, ok bool) {
	e, ok := explain(f.Cause)
	if !ok {
		return n, false
	}
	n = finding.Finding{
		Severity: e.severity, Confidence: confidence(f.Cause), Code: e.code, Reason: e.reason, Upstream: f.Upstream,
		Seen: fmt.Sprintf("the error log says %q", shown(f.Sample)), Means: inWords(e.means, f.Scheme), Do: inWords(e.do, f.Scheme),
		Directive: inProtocol(e.directive, f.Scheme), Follows: f.Cause == nginxlog.NoLiveUpstreams,
	}
	n.Because = because(n.Confidence)
	switch f.Cause {
	case nginxlog.BodyTooLarge:
		n.Upstream = ""
		n.Seen += fmt.Sprintf("; the largest had %d bytes", f.Most)
		n.Directive = fmt.Sprintf("client_max_body_size %dm;", max(1, (f.Most*5/4)>>20+1))
	case nginxlog.WorkerConnections:
		have := nginxlog.Number([]byte(f.Sample))
		n.Upstream, n.Confidence = "", finding.Certain
		n.Directive = fmt.Sprintf("worker_connections %d;\nworker_rlimit_nofile %d;", max(4096, 4*have), 2*max(4096, 4*have))
	case nginxlog.OpenFiles:
		n.Upstream, n.Confidence, n.Directive = "", finding.Certain, "worker_rlimit_nofile 16384;"
	case nginxlog.ResponseTimeout:
		n.Do += "; how long the request would take is not known from the log"
		n.Directive = inProtocol("proxy_read_timeout 120s;", f.Scheme)
	case nginxlog.CacheKeyTooBig:
		n.Directive = strings.ReplaceAll(n.Directive, "16k", needed(f.Sample))
	case nginxlog.NoResolver:
		n.Do = "set resolver: in Docker 127.0.0.11, in Kubernetes the cluster's, elsewhere the one in /etc/resolv.conf"
	case nginxlog.NotResolvedAtStart:
		n.Directive = strings.ReplaceAll(n.Directive, "NAME", f.Upstream)
	}
	inTime(&n, f, since)
	return n, true
}

// span returns the entry of a finding in the timeline.
func span(n *finding.Finding, f *nginxlog.Failures) finding.Span {
	return finding.Span{Cause: f.Cause.String(), Upstream: n.Upstream, Count: f.Count, First: f.First, Last: f.Last, Width: f.Series.Width, Start: f.Series.Start, Buckets: f.Series.Count}
}

// needed returns the size that a message such as "it should be increased to at least
// 8192" asks for, in KiB.
func needed(sample string) string {
	_, bytes, _ := strings.Cut(sample, "at least ")
	return fmt.Sprintf("%dk", max(16, (nginxlog.Number([]byte(bytes))+1023)>>10))
}

// confidence returns the confidence in a cause from a single line. Some causes look
// alike.
func confidence(c nginxlog.Cause) finding.Confidence {
	switch c {
	case nginxlog.ClosedBeforeAnswer, nginxlog.ResetBeforeAnswer, nginxlog.ClosedWhileSending, nginxlog.TLSHandshake, nginxlog.InvalidHTTP2:
		return finding.Possible
	case nginxlog.NoResolver, nginxlog.HeaderTooBig, nginxlog.BodyTooLarge, nginxlog.NotHTTP2, nginxlog.ScriptUnknown, nginxlog.TempForbidden,
		nginxlog.DiskFull, nginxlog.ConfigRefused, nginxlog.NotResolvedAtStart, nginxlog.TLSPlain, nginxlog.SocketMissing, nginxlog.SocketForbidden:
		return finding.Certain
	}
	return finding.Likely
}

// because returns the reason for the confidence from a log alone.
func because(c finding.Confidence) string {
	switch c {
	case finding.Possible:
		return "from the log alone, where several causes look the same"
	case finding.Certain:
		return "the message has no other cause"
	}
	return "from the log alone"
}

// inTime adds the times, the recent count and the path. A failure that is over becomes
// a notice.
func inTime(n *finding.Finding, f *nginxlog.Failures, since time.Duration) {
	n.Count, n.First, n.Last = f.Count, f.First, f.Last
	if path := f.Path(); path != "" {
		n.Seen += ", most often for " + path
	}
	if f.Since.After(f.First) {
		n.Seen += ", again since " + f.Since.Format(time.DateTime)
	}
	lately(n, f.Recent, since)
}

// lately adds the number of failures in the last since of the log.
func lately(n *finding.Finding, recent int64, since time.Duration) {
	switch {
	case since <= 0 || n.Last.IsZero() || recent >= n.Count:
	case recent > 0:
		n.Seen += fmt.Sprintf(", %d of them in the last %s of the log", recent, duration.Text(since))
	case n.Severity > finding.Notice:
		n.Severity = finding.Notice
		n.Seen += fmt.Sprintf("; it is over: not seen in the last %s of the log (--since)", duration.Text(since))
	}
}

// ofEnded returns the finding for requests of another proxy.
func ofEnded(e *proxylog.Ended, since time.Duration) finding.Finding {
	x, known := explain(e.Cause)
	if !known { // caused by a client
		x = explanation{code: e.Cause.String(), severity: finding.Notice}
	}
	n := finding.Finding{
		Severity: x.severity, Confidence: confidence(e.Cause), Code: x.code, Reason: x.reason, Upstream: e.Upstream, Where: e.Backend,
		Seen:  fmt.Sprintf("the log of %s says %q", e.Row.Proxy, shown(strings.TrimSpace(e.Sample))),
		Means: cmp.Or(e.Row.Means, x.means), Do: e.Row.Do, Directive: e.Row.Directive, Follows: e.Cause == nginxlog.NoLiveUpstreams,
	}
	n.Because = because(n.Confidence)
	inTime(&n, &e.Failures, since)
	return n
}

// crashLoop joins refused and closed connections of one upstream: it exits with
// requests in flight and restarts.
func crashLoop(list []finding.Finding) []finding.Finding {
	var rest []finding.Finding
	refused := map[string]finding.Finding{}
	for _, f := range list {
		if f.Code == "connect_refused" && f.Upstream != "" {
			refused[f.Upstream] = f
		}
	}
	joined := map[string]bool{}
	for _, f := range list {
		r, both := refused[f.Upstream]
		if f.Code == "closed_before_response" && both && f.Severity == r.Severity && !joined[f.Upstream] {
			joined[f.Upstream] = true
			f.Code, f.Confidence, f.Directive = "crash_loop", finding.Likely, "Restart=always"
			f.Seen = fmt.Sprintf("%d times the connection was closed without an answer, %d times refused; %s", f.Count, r.Count, f.Seen)
			f.Means = "the application stops with requests in flight: it crashes, runs out of memory, or somebody restarts it"
			f.Do = "check its log and exit codes (journalctl -u, dmesg for the out-of-memory killer), and fix the crash; with Restart=always in its unit it comes back sooner"
			take(&f, r)
		}
		rest = append(rest, f)
	}
	kept := rest[:0]
	for _, f := range rest {
		if f.Code != "connect_refused" || !joined[f.Upstream] {
			kept = append(kept, f)
		}
	}
	return kept
}

// clockwork adds findings from the durations of failed requests: nearly equal durations
// point to a timeout.
func (c *logCase) clockwork(list []finding.Finding) []finding.Finding {
	for _, t := range c.access.Traffic() {
		if after, ok := alike(t.Failed); ok {
			upstream := asUpstream(t.Upstream)
			f := finding.Finding{
				Severity: finding.Error, Confidence: finding.Likely, Code: "worker_timeout", Reason: reason.ClosedBeforeResponse, Upstream: upstream,
				Seen:      fmt.Sprintf("every 502 of this upstream came after %s (%s to %s), for example %s", after, t.Failed.Min.Round(time.Millisecond), t.Failed.Max.Round(time.Millisecond), t.Path),
				Means:     "the application's own timeout stops the worker during the request (gunicorn: --timeout, 30 s unless set; uwsgi: harakiri; PHP-FPM: request_terminate_timeout)",
				Do:        "make the request faster, or give the worker more time",
				Directive: fmt.Sprintf("gunicorn --timeout %d", int((2*after+time.Second)/time.Second)),
				Count:     t.Failed.N, First: t.First, Last: t.Last,
			}
			lately(&f, t.Recent, c.access.Window)
			list = explainedBy(list, f, "closed_before_response", upstream)
		}
	}
	return list
}

// explainedBy adds a finding and removes the findings of an upstream that it explains.
func explainedBy(list []finding.Finding, f finding.Finding, code, upstream string) []finding.Finding {
	kept := list[:0]
	for _, g := range list {
		if g.Code == code && (g.Upstream == upstream || upstream == "") {
			f.Seen += "; " + g.Seen
			continue
		}
		kept = append(kept, g)
	}
	return append(kept, f)
}

func alike(t nginxlog.Times) (after time.Duration, ok bool) {
	spread := float64(t.Max-t.Min) / float64(max(t.Max, 1))
	return t.Mean().Round(100 * time.Millisecond), t.N >= 2 && t.Min >= clockworkLeast && spread <= clockworkSpread
}

// share adds to a finding the share of failed requests, if an access log has it.
func share(list []finding.Finding, a *nginxlog.AccessTally) {
	traffic := a.Traffic()
	for i := range list {
		f := &list[i]
		if f.Severity != finding.Error || f.Code == "gateway_errors" {
			continue
		}
		for _, t := range traffic {
			same := t.Upstream == "" || f.Upstream == asUpstream(t.Upstream) || strings.HasSuffix(f.Upstream, "://"+t.Upstream)
			if bad := t.GatewayErrors(); same && bad > 0 {
				f.Seen += fmt.Sprintf("; by the access log %d of %d requests got %s", bad, t.Requests, statuses(t))
				break
			}
		}
	}
}

// asUpstream converts an address of an access log to the form of the error log.
func asUpstream(addr string) string {
	if addr == "" || strings.Contains(addr, "/") || !strings.Contains(addr, ":") {
		return addr
	}
	if strings.HasPrefix(addr, "unix:") {
		return strings.TrimSuffix(addr, ":")
	}
	return "http://" + addr
}

// unexplained returns findings for the bad gateways in access logs without a known
// cause. name converts an address to the form of the findings.
func (c *logCase) unexplained(known []finding.Finding, name func(string) string) []finding.Finding {
	var list []finding.Finding
	for _, t := range c.access.Traffic() {
		bad := t.GatewayErrors()
		upstream := name(t.Upstream)
		if bad == 0 || explained(known, upstream, t) {
			continue
		}
		f := finding.Finding{
			Severity: finding.Error, Confidence: finding.Possible, Code: "gateway_errors", Upstream: upstream,
			Seen:  fmt.Sprintf("%d of %d requests got %s, for example %s", bad, t.Requests, statuses(t), t.Path),
			Means: meaningOf(t), Count: bad, First: t.First, Last: t.Last,
			Do: "an access log does not say why: read the error log of the same time as well (--log error.log --log access.log)",
		}
		if after, ok := alike(t.Late); ok {
			f.Code, f.Reason, f.Confidence = "response_timeout", reason.ResponseTimeout, finding.Likely
			f.Seen += fmt.Sprintf("; every 504 came after %s", after)
			f.Do, f.Directive = "make the request faster, or wait longer; the log does not show how long it would take", fmt.Sprintf("proxy_read_timeout %ds;", int(2*after/time.Second))
		}
		lately(&f, t.Recent, c.access.Window)
		c.report.Timeline = append(c.report.Timeline, finding.Span{
			Cause: f.Code, Upstream: f.Upstream, Count: bad, First: t.First, Last: t.Last, Width: t.Series.Width, Start: t.Series.Start, Buckets: t.Series.Count,
		})
		list = append(list, f)
	}
	return list
}

// explained reports whether a finding explains the failed requests of an upstream. A
// finding without an upstream explains any of them. A rate limit explains requests that
// reached no upstream.
func explained(known []finding.Finding, upstream string, t *nginxlog.Traffic) bool {
	for _, f := range known {
		switch {
		case f.Code == "rate_limited" && upstream == "" && t.Errors[502]+t.Errors[504] == 0:
			return true
		case f.Severity != finding.Error:
		case f.Upstream == "" || upstream == "" || f.Follows || afterScheme(f.Upstream) == afterScheme(upstream):
			return true
		}
	}
	return false
}

// afterScheme returns an upstream without its scheme, which access logs do not have.
func afterScheme(upstream string) string {
	return upstream[strings.LastIndex(upstream, "://")+1:]
}

func statuses(t *nginxlog.Traffic) string {
	var parts []string
	for _, status := range []int{502, 503, 504} {
		if n := t.Errors[status]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d (%d)", status, n))
		}
	}
	return strings.Join(parts, ", ")
}

func meaningOf(t *nginxlog.Traffic) string {
	switch max(t.Errors[502], t.Errors[503], t.Errors[504]) {
	case t.Errors[504]:
		return "the application did not answer in time, or no connection could be made"
	case t.Errors[503]:
		return "no upstream was available, a limit was reached, or the application reports that it is not ready"
	}
	return "the application refused or broke the connection, or sent an invalid answer"
}
