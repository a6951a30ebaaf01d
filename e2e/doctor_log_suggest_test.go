package e2e_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/advice/nginxlog"
)

// place is the block for a directive; "" = nginx has no such directive.
func place(directive string) string {
	switch name, _, _ := strings.Cut(directive, " "); name {
	case "worker_rlimit_nofile":
		return "main"
	case "worker_connections":
		return "events"
	case "server", "keepalive", "keepalive_requests", "zone":
		return "upstream"
	case "listen", "large_client_header_buffers":
		return "server"
	case "setsebool", "gunicorn", "Restart=always", "backlog", "goodgate":
		return ""
	}
	return "location"
}

// configuredWith is a configuration with the lines of a suggestion where they belong; ok
// is false if nginx has no such directives.
func configuredWith(directive string) (conf string, ok bool) {
	in := map[string]string{}
	for line := range strings.Lines(directive) {
		where := place(line)
		in[where] += strings.TrimSpace(line) + "\n"
		ok = ok || where != ""
	}
	listen := in["server"]
	if !strings.Contains(listen, "listen ") {
		listen += "listen 127.0.0.1:8080;"
	}
	upstream := strings.ReplaceAll(in["upstream"], "ADDRESS", "127.0.0.1:3001")
	return fmt.Sprintf("pid nginx.pid;\nerror_log stderr;\n%s\nevents {\n%s}\nhttp {\naccess_log off;\nupstream backend { server 127.0.0.1:3000;\n%s}\nserver { %s\nlocation / {\n%s}\n}\n}\n",
		in["main"], in["events"], upstream, listen, in["location"]), ok
}

// TestDoctorLogSuggests: nginx accepts the lines that the doctor suggests for each of its
// messages, in every protocol.
func TestDoctorLogSuggests(t *testing.T) {
	t.Parallel()
	need(t, "nginx")
	for _, scheme := range []string{"http", "https", "fastcgi", "uwsgi", "scgi", "grpc", "memcached"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			var log strings.Builder
			for i, m := range nginxlog.Messages() { // of different upstreams, so that none is taken for another's consequence
				head, _, _ := strings.Cut(m.Example, ", client:")
				level := m.Level
				if level == "" {
					level = "error"
				}
				fmt.Fprintf(&log, "2026/03/01 12:00:01 [%s] 1#1: *7 %s, client: 192.0.2.1, server: , request: \"GET / HTTP/1.1\", upstream: \"%s://10.0.%d.1:80/\", host: \"x\"\n", level, head, scheme, i)
			}
			text, _ := readLog(t, log.String(), "--json")
			var report struct {
				Findings []struct{ Code, Directive string }
			}
			if err := json.Unmarshal([]byte(text), &report); err != nil {
				t.Fatalf("%v in %s", err, text)
			}
			tried := map[string]bool{}
			for _, f := range report.Findings {
				conf, ok := configuredWith(f.Directive)
				if !ok || tried[f.Directive] {
					continue
				}
				tried[f.Directive] = true
				dir := t.TempDir()
				file := writeFile(t, dir, "nginx.conf", strings.ReplaceAll(conf, "/etc/nginx/upstream-client", dir+"/client"))
				out, err := exec.CommandContext(t.Context(), "nginx", "-t", "-e", "stderr", "-p", dir, "-c", file).CombinedOutput()
				if err != nil && !strings.Contains(string(out), "cannot load certificate") && !strings.Contains(string(out), "bind() to") && !strings.Contains(string(out), "mkdir()") {
					t.Errorf("%s: nginx refuses %q: %s", f.Code, f.Directive, out)
				}
			}
			if len(tried) < 15 {
				t.Errorf("only %d suggestions", len(tried))
			}
		})
	}
}
