package diagnose_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/goodgate/goodgate/internal/advice/diagnose"
	"github.com/goodgate/goodgate/internal/advice/doctor"
	"github.com/goodgate/goodgate/internal/advice/finding"
)

// written writes a configuration into a new folder, with the folder's name in place of
// $DIR.
func written(t *testing.T, text string) (file string) {
	t.Helper()
	dir := t.TempDir()
	file = filepath.Join(dir, "a.conf")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, "$DIR", dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func ask(t *testing.T, s diagnose.Sources) finding.Report {
	t.Helper()
	s.Local = calm
	r, err := diagnose.Nginx(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Anything that cannot be examined from here is unknown, and not a finding.
func TestElsewhere(t *testing.T) {
	f := func(name, text, root string, want ...string) {
		t.Helper()
		r := ask(t, diagnose.Sources{Config: written(t, text), Root: root})
		for _, f := range r.Findings {
			if f.Severity == finding.Error || f.Code == "dns_not_found" {
				t.Errorf("%s: found %+v", name, f)
			}
		}
		if !r.Blind {
			t.Errorf("%s: the report calls itself complete, looked at %q", name, r.Looked)
		}
		for _, w := range want {
			if !strings.Contains(strings.Join(r.Unknown, "\n"), w) {
				t.Errorf("%s: not known %q, want %q", name, r.Unknown, w)
			}
		}
	}
	f("a group in another file", "server { location / { proxy_pass http://group-of-another-file; } }", "", "give the whole configuration")
	f("a missing include", "events {}\nhttp { include gone.conf; server { location / { proxy_pass http://group-of-another-file; } } }", "", "gone.conf", "give the whole configuration")
	f("a container's own address", "events {}\nhttp { server { location / { proxy_pass http://127.0.0.1:1; } } }", "/nonexistent", "the container's own address")
	f("a stream", "events {}\nstream { server { listen 1; proxy_pass a:1; } }", "", "the upstreams of stream {} (a.conf:2)", "any upstream")
	f("logs that are not files", "events {}\nerror_log syslog:server=10.0.0.1;\nhttp { access_log /dev/stdout; server { location / { proxy_pass $a; } } }", "",
		"it goes to syslog:server=10.0.0.1 (a.conf:2)", "/dev/stdout is not a file")
}

// Without an upstream to examine, the report is marked as blind.
func TestBlind(t *testing.T) {
	for text, want := range map[string]bool{
		"server { root /srv; }":                              true,
		"server { location / { proxy_pass $a; } }":           true,
		"server { location / { fastcgi_pass unix:/no; } }":   false,
		"server { location / { proxy_pass http://[::1]; } }": false,
	} {
		if r := ask(t, diagnose.Sources{Config: written(t, text)}); r.Blind != want {
			t.Errorf("%s: blind %v", text, r.Blind)
		}
	}
}

// nginx's log has the addresses of a name. The findings are about the name.
func TestLogOfName(t *testing.T) {
	up := strings.TrimPrefix(serve(t), "http://127.0.0.1")
	file := written(t, "events {}\nerror_log $DIR/error.log;\nhttp { server { location / { proxy_pass http://localhost"+up+"; } } }")
	log := strings.ReplaceAll(line(3, "upstream timed out (110: Connection timed out) while reading upstream"), "$UP", "127.0.0.1"+up)
	if err := os.WriteFile(filepath.Join(filepath.Dir(file), "error.log"), []byte(log), 0o600); err != nil {
		t.Fatal(err)
	}
	r := ask(t, diagnose.Sources{Config: file, Look: doctor.Options{}})
	for _, f := range r.Findings {
		if f.Code == "response_stalled" && f.Upstream == "http://localhost"+up && strings.Contains(f.Where, "a.conf:3") {
			return
		}
	}
	t.Errorf("found %+v", r.Findings)
}

// An upstream is examined once, however many locations lead to it. A path that timed
// out is requested with the timeout of its own location.
func TestExaminedOnce(t *testing.T) {
	var mu sync.Mutex
	asked := map[string]int{}
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked[r.URL.Path]++
	}))
	defer s.Close()
	up := strings.TrimPrefix(s.URL, "http://")
	var conf strings.Builder
	for i := range 50 {
		fmt.Fprintf(&conf, "server { server_name s%d; location / { proxy_pass http://app; } location /api/%d/ { proxy_pass http://app; proxy_read_timeout %ds; } }\n", i, i, i+100)
	}
	timeout := strings.ReplaceAll(strings.ReplaceAll(line(3, "upstream timed out (110: Connection timed out) while reading response header from upstream"), "/a?secret", "/api/7/x"), "$UP", up)
	r := nginx(t, "upstream app { server "+up+"; }\n"+conf.String(), timeout, "")
	mu.Lock()
	defer mu.Unlock()
	for path, n := range asked {
		if path != "/api/7/x" || n > 4 {
			t.Errorf("%s was asked for %d times", path, n)
		}
	}
	if len(asked) != 1 {
		t.Errorf("%d paths were asked for, want what timed out alone: %v", len(asked), asked)
	}
	if len(r.Looked) != 1 {
		t.Errorf("looked at %v", r.Looked)
	}
}
