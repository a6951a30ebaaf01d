package e2e_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// nginx's auth_request and goodgate ask the same access service. Both admit the same
// requests with the same user, and neither passes on a client's own claims. curl gets
// the same body from both, with any compression that it accepts.
func TestForwardAuthLikeNginx(t *testing.T) {
	t.Parallel()
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/verify" {
			w.Header().Set("Remote-User", "alice")
			switch r.Header.Get("Cookie") {
			case "s=in":
			case "s=no":
				w.WriteHeader(http.StatusForbidden)
			default:
				w.Header().Set("WWW-Authenticate", "Cookie")
				w.WriteHeader(http.StatusUnauthorized)
			}
			return
		}
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "%s %s %q %s\n%s", r.Method, r.URL, r.Header["Remote-User"], body, strings.Repeat("text ", 1000))
	}))
	t.Cleanup(backend.Close)
	dir, address := t.TempDir(), freeAddress(t)
	writeFile(t, dir, "nginx.conf", fmt.Sprintf(`
events {}
http {
  server {
    listen %s;
    gzip on;
    location / {
      auth_request /verify;
      auth_request_set $who $upstream_http_remote_user;
      proxy_set_header Remote-User $who;
      proxy_pass %s;
    }
    location = /verify { internal; proxy_pass %s; proxy_pass_request_body off; proxy_set_header Content-Length ""; }
  }
}
`, address, backend.URL, backend.URL))
	front := startNginxFile(t, dir, "nginx.conf", address)
	g := startGate(t, fmt.Sprintf(`
listeners: ["${LISTEN}"]
routes:
  - pool: app
    access: {forward: {pool: app, path: /verify, copy_headers: Remote-User}}
    compress: true
pools:
  app: {upstreams: [%q]}
`, backend.URL))
	curl := need(t, "curl")
	for _, args := range [][]string{
		{"-b", "s=in"}, {"-b", "s=no"}, {}, {"-b", "s=in", "-H", "Remote-User: root"}, {"-H", "Remote-User: root"},
		{"-b", "s=in", "-d", "a=b"}, {"-b", "s=in", "-X", "DELETE"}, {"-b", "s=in", "--compressed"}, {"-b", "s=in", "-H", "If-None-Match: *"}, {"-b", "s=in", "--compressed", "-d", "a=b"},
	} {
		var got [2]string
		for i, to := range []string{front.address, g.address} {
			out := filepath.Join(t.TempDir(), "body")
			status, err := exec.Command(curl, append([]string{"-s", "-m", "10", "-o", out, "-w", "%{http_code}", "http://" + to + "/x?y=1"}, args...)...).Output()
			if err != nil {
				t.Fatalf("curl %v: %v", args, err)
			}
			got[i] = string(status)
			if string(status) == "200" { // error pages are each one's own
				got[i] += " " + readFile(t, out)
			}
		}
		if got[0] != got[1] || !strings.HasPrefix(got[0], "200 ") && !strings.HasPrefix(got[0], "40") {
			t.Errorf("curl %v: nginx %.80s, goodgate %.80s", args, got[0], got[1])
		}
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
