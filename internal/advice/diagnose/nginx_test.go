package diagnose_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/advice/diagnose"
	"github.com/goodgate/goodgate/internal/advice/finding"
)

// nginx diagnoses a configuration and logs in files, with the address of a working
// upstream in place of $UP.
func nginx(t *testing.T, http, errorLog, accessLog string) finding.Report {
	t.Helper()
	dir := t.TempDir()
	up := strings.TrimPrefix(serve(t), "http://")
	fill := strings.NewReplacer("$UP", up, "$DIR", dir).Replace
	for name, text := range map[string]string{
		"nginx.conf": "events {}\nerror_log $DIR/error.log;\nhttp {\nlog_format timed '$status $upstream_addr $upstream_response_time';\naccess_log $DIR/access.log timed;\n" + http + "\n}\n",
		"error.log":  errorLog, "access.log": accessLog,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(fill(text)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r, err := diagnose.Nginx(t.Context(), diagnose.Sources{Config: filepath.Join(dir, "nginx.conf"), Local: calm})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// calm is an examination of a machine without problems.
func calm(int) finding.Report { return finding.Report{} }

func serve(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(s.Close)
	return s.URL
}

func line(n int, message string) string {
	return strings.Repeat("2026/03/01 12:00:01 [error] 1#1: *7 "+message+`, client: 1.1.1.1, server: x, request: "GET /a?secret HTTP/1.1", upstream: "http://$UP/a?secret", host: "x"`+"\n", n)
}

const (
	plain  = "server { location / { proxy_pass http://$UP; } }"
	closed = "upstream prematurely closed connection while reading response header from upstream"
	denied = "connect() failed (111: Connection refused) while connecting to upstream"
)

func TestNginx(t *testing.T) {
	f := func(name, http, errorLog, accessLog string, want ...string) {
		t.Helper()
		r := nginx(t, http, errorLog, accessLog)
		var got []string
		for _, f := range r.Findings {
			got = append(got, fmt.Sprintf("%s/%s/%d", f.Severity, f.Code, f.Count))
			if strings.Contains(fmt.Sprint(f), "secret") {
				t.Errorf("%s: a query string is told: %+v", name, f)
			}
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	f("nothing", plain, "", "")
	f("past trouble", plain, line(4, denied), "", "error/connect_refused/4")
	f("the most frequent first", plain, line(2, denied)+line(5, "upstream timed out (110: Connection timed out) while reading upstream"), "",
		"error/response_stalled/5", "error/connect_refused/2")
	f("crash loop", plain, line(2, denied)+line(5, closed), "", "error/crash_loop/7")
	f("a worker's timeout", plain, line(3, closed), strings.Repeat("502 $UP 30.001\n", 3)+"200 $UP 29.000\n", "error/worker_timeout/3")
	f("failures at any time", plain, line(3, closed), "502 $UP 1.001\n502 $UP 7.000\n502 $UP 30.000\n", "error/closed_before_response/3")
	f("a consequence comes after its cause", plain, line(9, "no live upstreams while connecting to upstream")+line(2, "connect() failed (113: No route to host) while connecting to upstream"), "",
		"error/unroutable/2", "error/no_live_upstreams/9")
	f("a trap at work", "server { location / { set $u 127.0.0.1.nip; proxy_pass http://$u:1; } }", strings.Repeat("2026/03/01 12:00:01 [error] 1#1: *7 no resolver defined to resolve 127.0.0.1.nip, client: 1.1.1.1\n", 2), "",
		"error/resolver_missing/2", "error/dns_not_found/0")
}

func TestNginxUnreadable(t *testing.T) {
	if _, err := diagnose.Nginx(t.Context(), diagnose.Sources{Config: "/nonexistent/nginx.conf"}); err == nil {
		t.Error("a configuration that is not there is no error")
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, []byte("events {}\nhttp { server { location / { proxy_pass http://$host; } } }"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := diagnose.Nginx(t.Context(), diagnose.Sources{Config: conf, ErrorLogs: []string{filepath.Join(dir, "none")}}); err == nil {
		t.Error("an error log that is named and not there is no error")
	}
	r, err := diagnose.Nginx(t.Context(), diagnose.Sources{Config: conf})
	if err != nil || len(r.Unknown) < 2 {
		t.Errorf("not known: %q, %v; want the error log and where the location leads", r.Unknown, err)
	}
}
