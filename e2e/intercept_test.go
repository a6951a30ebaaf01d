package e2e_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"

	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

const interceptingNginx = `
events {}
http {
  default_type text/html;
  server {
    listen %s;
    location / {
      proxy_pass %s;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_intercept_errors on;
      error_page 404 /pages/404.html;
      error_page 500 502 503 504 /pages/5xx.html;
    }
    location /pages/ { internal; root %s; }
  }
}
`

// intercept replaces the application's errors as nginx's proxy_intercept_errors does with
// the same pages: over both relays, with the same status, for every method, and also with
// compression.
func TestInterceptLikeNginx(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pages := dir + "/pages"
	if err := os.Mkdir(pages, 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, pages, "404.html", "<h1>nothing here</h1>")
	writeFile(t, pages, "5xx.html", "<h1>broken</h1>"+strings.Repeat("<!-- long -->", 200))
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var status int
		if n, _ := fmt.Sscanf(r.URL.Path, "/%d", &status); n == 0 { // breaks off before an answer
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("X-Stack", "trace")
		w.WriteHeader(status)
		io.WriteString(w, "the application's own")
	}))
	defer app.Close()
	address := freeAddress(t)
	writeFile(t, dir, "nginx.conf", fmt.Sprintf(interceptingNginx, address, app.URL, dir))
	startNginxFile(t, dir, "nginx.conf", address)
	g := startGate(t, `
listeners: [{address: "${LISTEN}", http2: {cleartext: true}}]
errors: {dir: "${PAGES}"}
routes: [{pool: app, intercept: [404, 500, 502, 503, 504], compress: true}]
pools: {app: {health: {type: none}, retry: {attempts: 1}, breaker: {enabled: false}, upstreams: ["${APP}"]}}`, "APP="+app.URL, "PAGES="+pages)
	ways := map[string]interceptClient{}
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
		tr := &http.Transport{Protocols: new(http.Protocols), DisableCompression: true}
		tr.Protocols.SetHTTP1(protocol == "HTTP/1.1")
		tr.Protocols.SetUnencryptedHTTP2(protocol == "HTTP/2.0")
		t.Cleanup(tr.CloseIdleConnections)
		ways[protocol] = interceptClient{tr, ""}
		ways[protocol+", gzip"] = interceptClient{tr, "gzip"}
	}
	for _, path := range []string{"/200", "/201", "/301", "/400", "/403", "/404", "/410", "/500", "/501", "/502", "/503", "/504", "/breaks"} {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			want := ways["HTTP/1.1"].sees(t, address, method, path)
			for how, c := range ways {
				if got := c.sees(t, g.address, method, path); got != want {
					t.Errorf("%s %s over %s: got %s, nginx gives %s", method, path, how, got, want)
				}
			}
		}
	}
}

// interceptClient is a client that accepts one coding.
type interceptClient struct {
	*http.Transport
	coding string
}

// sees returns what the client sees of an answer: its status, its type, a field of the
// application, and its body.
func (c interceptClient) sees(t *testing.T, address, method, path string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, "http://"+address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	if c.coding != "" {
		r.Header.Set("Accept-Encoding", c.coding)
	}
	res, err := c.RoundTrip(r)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	body := io.Reader(res.Body)
	if res.Header.Get("Content-Encoding") == "gzip" && method != http.MethodHead {
		if body, err = gzip.NewReader(res.Body); err != nil {
			return err.Error()
		}
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return err.Error()
	}
	media, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
	return fmt.Sprintf("%d %s %q %.40q of %d bytes", res.StatusCode, media, res.Header.Get("X-Stack"), text, len(text))
}
