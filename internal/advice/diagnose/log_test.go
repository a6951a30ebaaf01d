package diagnose_test

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/advice/diagnose"
	"github.com/goodgate/goodgate/internal/advice/finding"
	"github.com/goodgate/goodgate/internal/advice/logs"
)

// readLog diagnoses a log alone.
func readLog(t *testing.T, content string, since time.Duration) finding.Report {
	t.Helper()
	name := filepath.Join(t.TempDir(), "some.log")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := diagnose.Logs(t.Context(), diagnose.Sources{Logs: []string{name}, Since: since})
	if err != nil {
		t.Fatalf("%v of %q", err, content)
	}
	return r
}

func codes(r finding.Report) string {
	var got []string
	for _, f := range r.Findings {
		got = append(got, fmt.Sprintf("%s/%s/%d", f.Severity, f.Code, f.Count))
	}
	return strings.Join(got, " ")
}

// posted has lines as people post them, with the code of the right first finding; "" =
// no problem. Lines of one case are together, with a blank line between cases.
//
//go:embed testdata/posted.txt
var posted string

// TestPosted checks that the first finding is the right one.
func TestPosted(t *testing.T) {
	lines := 0
	for entry := range strings.SplitSeq(strings.TrimSpace(posted), "\n\n") {
		want, log, _ := strings.Cut(entry, "\n")
		want = strings.TrimSpace(strings.TrimPrefix(want, "=="))
		lines += strings.Count(log, "\n") + 1
		r := readLog(t, log+"\n", time.Hour)
		got := ""
		if len(r.Findings) > 0 {
			got = r.Findings[0].Code
		}
		if got != want {
			t.Errorf("got %q (%s), want %q, for\n%s", got, codes(r), want, log)
		}
		if worst, found := r.Worst(); want == "" && found || want != "" && !found || want != "" && worst == finding.Notice && want != "client_gone" {
			t.Errorf("worst finding %v, found %v, for\n%s", worst, found, log)
		}
	}
	if lines < 60 {
		t.Errorf("only %d lines", lines)
	}
}

const accessLine = `1.1.1.1 - - [01/Mar/2026:12:00:01 +0000] "GET /a?secret HTTP/1.1" %d 1 "-" "curl"` + "\n"

func TestLogs(t *testing.T) {
	f := func(name, log, want string) {
		t.Helper()
		r := readLog(t, log, time.Hour)
		if got := codes(r); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
		if strings.Contains(fmt.Sprint(r), "secret") {
			t.Errorf("%s: a query string is told: %+v", name, r)
		}
	}
	f("healthy", strings.Repeat(fmt.Sprintf(accessLine, 200), 3), "")
	f("bad gateways without a cause", fmt.Sprintf(accessLine, 502)+fmt.Sprintf(accessLine, 200), "error/gateway_errors/1")
	f("a cause in the other log", fmt.Sprintf(accessLine, 502)+line(1, denied), "error/connect_refused/1")
	f("not understood", line(2, "upstream did what no one knows while reading upstream"), "warning/not_understood/2")
	f("not read", strings.Repeat("some words\n", 3)+fmt.Sprintf(accessLine, 200), "warning/log_unreadable/0")
	f("nothing read", "some words\n", "warning/log_unreadable/0")
	f("half is read", "some words\n"+fmt.Sprintf(accessLine, 200), "")
	f("crash loop", line(2, denied)+line(5, closed), "error/crash_loop/7")
	f("a worker's timeout", strings.Repeat(`1.1.1.1 - - [01/Mar/2026:12:00:01 +0000] "GET /a HTTP/1.1" 502 1 "-" "curl" rt=30.001 urt=30.001 ua=10.0.0.1:80`+"\n", 3), "error/worker_timeout/3")
	f("the proxy's timeout", strings.Repeat(`1.1.1.1 - - [01/Mar/2026:12:00:01 +0000] "GET /a HTTP/1.1" 504 1 "-" "curl" rt=60.001 upstream_response_time=60.001 upstream_addr=10.0.0.1:80`+"\n", 3), "error/response_timeout/3")
	f("a consequence comes after its cause", line(9, "no live upstreams while connecting to upstream")+line(2, "connect() failed (113: No route to host) while connecting to upstream"), "error/unroutable/2 error/no_live_upstreams/9")
}

// TestShare checks that a finding has the share of failed requests.
func TestShare(t *testing.T) {
	r := readLog(t, line(1, denied)+strings.Repeat(fmt.Sprintf(accessLine, 200), 3)+fmt.Sprintf(accessLine, 502), 0)
	if len(r.Findings) != 1 || !strings.Contains(r.Findings[0].Seen, "1 of 4 requests got 502 (1)") || !strings.Contains(r.Findings[0].Seen, "most often for /a") {
		t.Errorf("%+v", r.Findings)
	}
}

// TestSince checks that failures before the window are notices.
func TestSince(t *testing.T) {
	at := func(date, message string) string {
		return date + " [error] 1#1: *7 " + message + `, client: 1.1.1.1, server: x, request: "GET /a HTTP/1.1", upstream: "http://10.0.0.1:80/a"` + "\n"
	}
	old, recent := at("2026/02/02 12:00:00", denied), at("2026/03/01 11:59:00", denied)
	notice := "2026/03/01 12:00:00 [notice] 1#1: signal process started\n"
	f := func(name, log string, since time.Duration, want, seen string) {
		t.Helper()
		r := readLog(t, log, since)
		if got := codes(r); got != want || !strings.Contains(fmt.Sprint(r.Findings), seen) {
			t.Errorf("%s: got %q, %+v; want %q, %q", name, got, r.Findings, want, seen)
		}
	}
	f("over", old+notice, time.Hour, "notice/connect_refused/1", "it is over")
	f("never over", old+notice, 0, "error/connect_refused/1", "error log says")
	f("a longer time", old+notice, 30*24*time.Hour, "error/connect_refused/1", "error log says")
	f("a part of it", old+old+recent+notice, time.Hour, "error/connect_refused/3", "1 of them in the last 1h of")
	f("the end of the log itself", old, time.Hour, "error/connect_refused/1", "error log says")
	// The access log has the zone of nginx's clock, and a later end.
	access := `1.1.1.1 - - [01/Mar/2026:12:00:00 +0530] "GET / HTTP/1.1" 200 1 "-" "-"` + "\n"
	f("the access log continues", old+access, time.Hour, "notice/connect_refused/1", "+0530")
	f("the envelope has the zone", "2026-03-01T06:29:00Z "+recent+access, time.Hour, "error/connect_refused/1", "+0530")
	f("access log alone", strings.Replace(fmt.Sprintf(accessLine, 502), "01/Mar", "01/Feb", 1)+fmt.Sprintf(accessLine, 200), time.Hour, "notice/gateway_errors/1", "it is over")
}

// TestNginxLogs checks that logs of any kind are read together with a configuration.
func TestNginxLogs(t *testing.T) {
	dir := t.TempDir()
	up := strings.TrimPrefix(serve(t), "http://")
	write := func(name, content string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(strings.ReplaceAll(content, "$UP", up)), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	conf := write("nginx.conf", "events {}\nhttp { log_format x '$status@$upstream_addr'; access_log off; server { access_log /dev/null x; location / { proxy_pass http://$UP; } } }")
	f := func(name string, s diagnose.Sources, want string) {
		t.Helper()
		s.Config, s.Local = conf, calm
		r, err := diagnose.Nginx(t.Context(), s)
		if got := codes(r); got != want || err != nil {
			t.Errorf("%s: got %q, %v, want %q; not known: %q", name, got, err, want, r.Unknown)
		}
	}
	notice := strings.Repeat("2026/03/01 13:30:00 [notice] 1#1: signal process started\n", 3)
	log := func(s ...string) []string { return []string{write("some.log", strings.Join(s, ""))} }
	f("over", diagnose.Sources{ErrorLogs: log(line(4, denied), notice), Since: time.Hour}, "notice/connect_refused/4")
	f("not over", diagnose.Sources{ErrorLogs: log(line(4, denied), notice), Since: 2 * time.Hour}, "error/connect_refused/4")
	f("not understood", diagnose.Sources{ErrorLogs: log(line(2, "upstream did what no one knows"))}, "warning/not_understood/2")
	f("an envelope", diagnose.Sources{ErrorLogs: log("web-1  | " + line(1, denied))}, "error/connect_refused/1")
	f("not read", diagnose.Sources{ErrorLogs: log("some words\n")}, "warning/log_unreadable/0")
	f("both in one", diagnose.Sources{Logs: log(line(1, denied), "502@$UP\n", "200@$UP\n", "200@$UP\n")}, "error/connect_refused/1")
}

// TestProtocols checks that a remedy has the directives of the upstream's protocol.
func TestProtocols(t *testing.T) {
	f := func(upstream, message, want string) {
		t.Helper()
		r := readLog(t, `2026/03/01 12:00:01 [error] 1#1: *7 `+message+`, client: 1.1.1.1, server: x, request: "GET /a HTTP/1.1", upstream: "`+upstream+`", host: "x"`+"\n", 0)
		if len(r.Findings) != 1 || r.Findings[0].Directive != want {
			t.Errorf("%s: %+v, want %q", upstream, r.Findings, want)
		}
	}
	late := "upstream timed out (110: Connection timed out) while reading response header from upstream"
	big := "upstream sent too big header while reading response header from upstream"
	f("http://10.0.0.1:80/a", late, "proxy_read_timeout 120s;")
	f("fastcgi://unix:/run/php.sock:", late, "fastcgi_read_timeout 120s;")
	f("uwsgi://10.0.0.1:80", late, "uwsgi_read_timeout 120s;")
	f("suwsgi://10.0.0.1:80", late, "uwsgi_read_timeout 120s;")
	f("scgi://10.0.0.1:80", late, "scgi_read_timeout 120s;")
	f("grpc://10.0.0.1:80", late, "grpc_read_timeout 120s;")
	f("memcached://10.0.0.1:80", late, "memcached_read_timeout 120s;")
	f("http://10.0.0.1:80/", big, "proxy_buffer_size 16k;\nproxy_buffers 8 16k;")
	f("fastcgi://10.0.0.1:80", big, "fastcgi_buffer_size 16k;\nfastcgi_buffers 8 16k;")
	f("grpc://10.0.0.1:80", big, "grpc_buffer_size 16k;")
	f("fastcgi://10.0.0.1:80", "connect() failed (99: Cannot assign requested address) while connecting to upstream", "keepalive 64;\nfastcgi_keep_conn on;")
	f("fastcgi://10.0.0.1:80", "SSL_do_handshake() failed (SSL: error:0A000458:SSL routines::tlsv1 unrecognized name) while SSL handshaking to upstream", "")
	f("grpcs://10.0.0.1:80", "SSL_do_handshake() failed (SSL: error:0A000458:SSL routines::tlsv1 unrecognized name) while SSL handshaking to upstream", "grpc_ssl_server_name on;\ngrpc_ssl_name $proxy_host;")
}

func TestLogsUnreadable(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.log")
	if err := os.WriteFile(empty, []byte("\n\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var no *logs.NotFileError
	if _, err := diagnose.Logs(t.Context(), diagnose.Sources{Logs: []string{empty}, Since: 0}); !errors.Is(err, diagnose.ErrNothingRead) {
		t.Errorf("no lines: %v", err)
	}
	if _, err := diagnose.Logs(t.Context(), diagnose.Sources{Logs: []string{dir}, Since: 0}); !errors.As(err, &no) {
		t.Errorf("a directory: %v", err)
	}
	if _, err := diagnose.Logs(t.Context(), diagnose.Sources{Logs: []string{filepath.Join(dir, "none")}, Since: 0}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte("web-1  | " + line(3, denied)))
	z.Close()
	if r := readLog(t, b.String(), 0); codes(r) != "error/connect_refused/3" {
		t.Errorf("compressed, with an envelope: %s", codes(r))
	}
}

// BenchmarkLogs reads a container's log.
func BenchmarkLogs(b *testing.B) {
	good := fmt.Sprintf("web-1  | "+accessLine, 200)
	text := strings.Repeat(strings.Repeat(good, 20)+"web-1  | "+line(1, denied), 1000)
	name := filepath.Join(b.TempDir(), "some.log")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := diagnose.Logs(b.Context(), diagnose.Sources{Logs: []string{name}, Since: time.Hour}); err != nil {
			b.Fatal(err)
		}
	}
}
