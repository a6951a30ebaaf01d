package conformance_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"strconv"
	"testing"
)

// TestLoadTools checks that the usual tools for trying a proxy get every answer
// completely: curl, wrk and h2load, with and without TLS.
func TestLoadTools(t *testing.T) {
	small, large := bytes.Repeat([]byte("s"), 1<<10), bytes.Repeat([]byte("l"), 3<<20)
	app := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := small
		switch r.URL.Path {
		case "/large":
			body = large
		case "/echo":
			body, _ = io.ReadAll(r.Body)
		case "/stream": // of no known length
			w.Write(large[:1<<20])
			http.NewResponseController(w).Flush()
			w.Write(large[1<<20:])
			return
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.Write(body)
	}))
	app.Start()
	defer app.Close()
	p := newKeyPair(t)
	g := startGate(t, p, `{upstreams: ["`+app.URL+`"]}`)
	n := 0
	for _, base := range []string{"http://" + g.clear, "https://" + g.tls} {
		tool := func(want string, argv ...string) {
			n++
			t.Run(base[:5]+" "+argv[0]+" "+argv[1], func(t *testing.T) {
				if _, err := exec.LookPath(argv[0]); err != nil {
					t.Fatal(err)
				}
				out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
				if err != nil || !regexp.MustCompile(want).Match(out) {
					t.Errorf("%q: %v, want %q in it:\n%s", argv, err, want, out)
				}
			})
		}
		curl := func(path, want string, more ...string) {
			tool(want, append([]string{"curl", base + path, "-k", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{size_download} v%{http_version}"}, more...)...)
		}
		curl("/", `^200 1024 v1.1$`, "--http1.1")
		curl("/", `^200 1024 v1`, "--http1.0")
		curl("/large", `^200 3145728 v1.1$`, "--http1.1")
		curl("/stream", `^200 3145728 v1.1$`, "--http1.1")
		curl("/echo", `^200 5 v1.1$`, "--http1.1", "-d", "hello")
		curl("/echo", `^200 5 v1.1$`, "--http1.1", "-d", "hello", "-H", "Expect: 100-continue")
		curl("/echo", `^200 5 v1.1$`, "--http1.1", "-d", "hello", "-H", "Transfer-Encoding: chunked")
		curl("/", `^200 0 v1.1$`, "--http1.1", "-I")
		prior := "--http2"
		if base[:5] == "http:" {
			prior = "--http2-prior-knowledge"
		}
		curl("/", `^200 1024 v2$`, prior)
		curl("/large", `^200 3145728 v2$`, prior)
		curl("/echo", `^200 5 v2$`, prior, "-d", "hello")
		tool(`requests in`, "wrk", "-d1", "-c16", "-t1", base+"/")
		tool(`requests in`, "wrk", "-d1", "-c8", "-t1", base+"/large")
		tool(`3000 succeeded, 0 failed, 0 errored`, "h2load", "-n3000", "-c8", "-m10", base+"/")
		tool(`100 succeeded, 0 failed, 0 errored`, "h2load", "-n100", "-c4", "-m4", base+"/large")
		tool(`3000 succeeded, 0 failed, 0 errored`, "h2load", "--h1", "-n3000", "-c8", base+"/")
	}
	t.Logf("curl, wrk and h2load: %d cases", n)
}
