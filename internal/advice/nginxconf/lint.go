package nginxconf

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/advice/finding"
)

const defaultTimeout = 60 * time.Second // default of the connect, send and read timeouts

// Lint returns the known traps in a configuration.
func Lint(c *Config) []finding.Finding {
	var r finding.Report
	for _, u := range c.Upstreams {
		lintUpstream(&r, u)
	}
	for _, l := range c.Locations {
		for _, check := range []func(*Config, *Location) (finding.Finding, bool){
			lintKeepalive, lintResolver, lintSlash, lintRetryTime, lintRetryMethods, lintLoop,
		} {
			if f, found := check(c, l); found {
				f.Upstream = ""
				r.Find(f)
			}
		}
	}
	lintWorkers(&r, c)
	r.Rank()
	return r.Findings
}

func warn(code string, why reason.Reason, where string) finding.Finding {
	return finding.Finding{Severity: finding.Warning, Confidence: finding.Certain, Because: "the configuration says so", Code: code, Reason: why, Where: where}
}

func lintUpstream(r *finding.Report, u *Upstream) {
	if len(u.Servers) != 1 {
		return
	}
	p := u.Servers[0]
	fails, hasFails := p.Params["max_fails"]
	timeout, hasTimeout := p.Params["fail_timeout"]
	if !hasFails && !hasTimeout || fails == "0" || timeout == "0" || timeout == "0s" { // nginx never disables the only server anyway
		return
	}
	f := warn("max_fails_single", reason.None, p.At())
	f.Severity = finding.Notice
	f.Seen = fmt.Sprintf("upstream %s has one server, with max_fails or fail_timeout", u.Name)
	f.Means = "nginx ignores both if there is only one server (unless its name has several addresses: then it may take out each of them, and all at once)"
	f.Do = "remove them, or add a second server"
	f.Directive = p.With(p.Arg(0), "max_fails", "fail_timeout")
	r.Find(f)
}

func lintKeepalive(c *Config, l *Location) (finding.Finding, bool) {
	u := l.Group(c)
	if u == nil || u.Keepalive.Name == "" || l.KeepsConnections(c) {
		return finding.Finding{}, false
	}
	if v, _ := l.Header("Upgrade"); v != "" { // a WebSocket has a connection of its own
		return finding.Finding{}, false
	}
	f := warn("keepalive_unused", reason.ConnectUnreachable, l.Pass.At())
	f.Seen = fmt.Sprintf("upstream %s has keepalive %s, but %s does not use it: proxy_http_version is %s, Connection is %s",
		u.Name, u.Keepalive.Arg(0), l, orDefault(l.One("proxy_http_version").Arg(0), "1.0"), connection(l))
	f.Means = "every request opens and closes a connection: this is slower, and under load local ports run out"
	f.Do = "speak HTTP/1.1 and send no Connection: close"
	f.Directive = "proxy_http_version 1.1;\n" + l.WithHeader("Connection", `""`)
	return f, true
}

func connection(l *Location) string {
	v, set := l.Header("Connection")
	if !set {
		return "close"
	}
	return strconv.Quote(v)
}

func orDefault(value, standard string) string {
	if value == "" {
		return standard
	}
	return value
}

// lintResolver: with a variable in proxy_pass, nginx looks up names for each request,
// and needs to know a name server.
func lintResolver(c *Config, l *Location) (finding.Finding, bool) {
	if l.Variable == "" || l.One("resolver").Name != "" || l.Host != "" && !l.Named(c) {
		return finding.Finding{}, false
	}
	f := warn("resolver_missing", reason.DNSError, l.Pass.At())
	f.Severity, f.Confidence = finding.Error, finding.Certain
	if l.Host == "" {
		f.Severity, f.Confidence = finding.Warning, finding.Possible
	}
	f.Seen = fmt.Sprintf("proxy_pass %s has a variable, but no resolver is set", l.Pass.Arg(0))
	f.Means = "with a variable, nginx looks the name up for each request and does not use the system's name servers: every request gets 502"
	f.Do = "configure a resolver"
	f.Directive = "resolver " + systemResolver() + " valid=10s;"
	return f, true
}

// lintSlash: nginx replaces the location's prefix with the URI of proxy_pass, byte by
// byte.
func lintSlash(_ *Config, l *Location) (finding.Finding, bool) {
	if l.Modifier != "" && l.Modifier != "^~" || l.URI == "" || strings.ContainsAny(l.URI, "$?") || l.Variable != "" {
		return finding.Finding{}, false
	}
	if l.One("rewrite").Name != "" {
		return finding.Finding{}, false // a rewrite with break sets the URI
	}
	path, uri := strings.HasSuffix(l.Path, "/"), strings.HasSuffix(l.URI, "/")
	if path == uri {
		return finding.Finding{}, false
	}
	f := warn("trailing_slash", reason.None, l.Pass.At())
	f.Seen = fmt.Sprintf("%s has proxy_pass %s: a request for %s becomes %s", l, l.Pass.Arg(0), orSlash(l.Path)+"page", strings.Replace(orSlash(l.Path)+"page", l.Path, l.URI, 1))
	f.Means = "nginx replaces the prefix literally, so a slash is missing or doubled: the application answers 404 or redirects"
	f.Do = "end both with a slash, or end neither with one"
	if path { // only the proxy_pass needs a change
		f.Directive = "proxy_pass " + l.Pass.Arg(0) + "/;"
		return f, true
	}
	f.Directive = fmt.Sprintf("location %s/ { proxy_pass %s/; }", strings.TrimSpace(l.Modifier+" "+strings.TrimSuffix(l.Path, "/")), strings.TrimSuffix(l.Pass.Arg(0), "/"))
	return f, true
}

func orSlash(path string) string { return strings.TrimSuffix(path, "/") + "/" }

// lintRetryTime: proxy_next_upstream_timeout bounds the time until a second attempt may
// begin, counted from the begin of the first.
func lintRetryTime(_ *Config, l *Location) (finding.Finding, bool) {
	limit := l.Duration("proxy_next_upstream_timeout", 0)
	read := l.Duration("proxy_read_timeout", defaultTimeout)
	retried := l.One("proxy_next_upstream").Args
	if limit == 0 || limit > read || len(retried) > 0 && !slices.Contains(retried, "timeout") {
		return finding.Finding{}, false
	}
	f := warn("retry_time", reason.ResponseTimeout, l.One("proxy_next_upstream_timeout").At())
	f.Seen = fmt.Sprintf("proxy_next_upstream_timeout %s is not longer than proxy_read_timeout %s", seconds(limit), seconds(read))
	f.Means = "when an upstream does not answer in time, no time is left for another attempt: such a request never moves to another upstream"
	f.Do = "allow more time for all attempts than for one, or shorten the wait for one"
	f.Directive = fmt.Sprintf("proxy_next_upstream_timeout %s;", seconds(2*read+5*time.Second))
	return f, true
}

func lintRetryMethods(_ *Config, l *Location) (finding.Finding, bool) {
	d := l.One("proxy_next_upstream")
	if !slices.Contains(d.Args, "non_idempotent") {
		return finding.Finding{}, false
	}
	f := warn("retry_post", reason.None, d.At())
	f.Seen = "proxy_next_upstream has non_idempotent"
	f.Means = "nginx resends a POST that an upstream may already have executed: an order may be placed twice"
	f.Do = "remove non_idempotent"
	f.Directive = "proxy_next_upstream " + strings.Join(slices.DeleteFunc(slices.Clone(d.Args), func(a string) bool { return a == "non_idempotent" }), " ") + ";"
	if len(d.Args) == 1 {
		f.Directive = "proxy_next_upstream error timeout;"
	}
	return f, true
}

func lintWorkers(r *finding.Report, c *Config) {
	connections, err := strconv.Atoi(c.Workers.Arg(0))
	files, err2 := strconv.Atoi(c.NoFile.Arg(0))
	if err != nil || err2 != nil || files >= connections {
		return
	}
	f := warn("worker_files", reason.ConnectUnreachable, c.NoFile.At())
	f.Seen = fmt.Sprintf("worker_connections %d, but worker_rlimit_nofile %d", connections, files)
	f.Means = "a connection is an open file: nginx runs out of files before connections, and can then neither accept nor open connections"
	f.Do = "allow two files for each connection: the client's and the upstream's"
	f.Directive = fmt.Sprintf("worker_rlimit_nofile %d;", 2*connections)
	r.Find(f)
}

func seconds(d time.Duration) string {
	if d%time.Second == 0 {
		return strconv.Itoa(int(d/time.Second)) + "s"
	}
	return strconv.Itoa(int(d/time.Millisecond)) + "ms"
}

// systemResolver returns the first name server of this machine, or the address of
// systemd-resolved if there is none.
func systemResolver() string {
	b, _ := os.ReadFile("/etc/resolv.conf")
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != "nameserver" {
			continue
		}
		switch a, err := netip.ParseAddr(f[1]); {
		case err != nil || a.Zone() != "":
		case a.Is6():
			return "[" + f[1] + "]"
		default:
			return f[1]
		}
	}
	return "127.0.0.53"
}
