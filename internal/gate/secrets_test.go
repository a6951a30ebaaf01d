package gate

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/lab/logtest"
)

// TestSecretsStayInside looks for what only a client or the operator may know
// wherever goodgate writes something for others to read.
func TestSecretsStayInside(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t-that-nobody-reads"
	sock := filepath.Join(t.TempDir(), "s")
	c := parse(t, fmt.Sprintf(`
listeners: ["127.0.0.1:0"]
admin: {address: "unix:%s", token: %s-admin}
shutdown: {lame_duck: 0s}
tracing: {endpoint: "http://127.0.0.1:1", headers: {Authorization: %s-trace}}
pools:
  app: {upstreams: [%q, "http://127.0.0.1:1"], sticky: {cookie: app, secret: %s-sticky-0123456789abcdef}, retry: {attempts: 1}}`, sock, secret, secret, app(t, "app"), secret))
	var log logtest.Buffer
	g := start(t, c, Options{Logger: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	send := func(target, host string) {
		r, err := http.NewRequest("POST", "http://"+g.addrs[0]+target, strings.NewReader(secret))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"Authorization", "Cookie", "X-Api-Key", "Proxy-Authorization", "Referer"} {
			r.Header.Set(name, secret)
		}
		r.Host = host
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil || strings.Contains(string(b)+fmt.Sprint(res.Header), secret) {
			t.Errorf("the client reads %q %v, %v", b, res.Header, err)
		}
	}
	for range 6 { // by turns one that works and one that does not
		send("/a?key="+secret, "a.example")
	}
	send("/a?key="+secret, "a.example:x")              // refused by goodgate
	for _, bad := range []string{"X " + secret, "X"} { // by net/http
		if _, err := talk(t, g.addrs[0], "GET /?"+secret+" HTTP/1.1\r\nHost: a\r\n"+bad+": "+secret+"\x00\r\n\r\n", func(*message) bool { return false }); err != nil {
			t.Error(err)
		}
	}
	told := map[string]string{"the log": log.String()}
	for _, path := range []string{"/v1/status", "/v1/pools", "/v1/config", "/v1/requests"} {
		body, status := askAdmin(t, sock, secret+"-admin", "GET", path)
		if status != 200 {
			t.Errorf("%s: got %d, want 200", path, status)
		}
		told[path] = body
	}
	for where, text := range told {
		if text == "" {
			t.Errorf("%s is empty", where)
		}
		if i := strings.Index(text, secret); i >= 0 {
			t.Errorf("%s tells %q", where, text[max(i-200, 0):min(i+60, len(text))])
		}
	}
}
