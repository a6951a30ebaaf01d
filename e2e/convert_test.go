package e2e_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// asked is a request that a proxy and its conversion must answer alike.
type asked struct {
	method, host, path string
	header             string // "Name: value"
	body               int    // bytes
	secure             bool
}

// conversions are configurations of another proxy, with requests for it and for the
// configuration that goodgate convert makes.
var conversions = []struct {
	file  string
	asked []asked
	notes []string // parts of the notes
}{
	{"plain.conf", []asked{
		{method: "GET", host: "localhost", path: "/a/b?c=d%20e"},
		{method: "POST", host: "localhost", path: "/form", body: 1000},
		{method: "PUT", host: "other.host", path: "/"},
		{method: "DELETE", host: "localhost", path: "/x%2Fy", header: "X-Custom: 1"},
		{method: "GET", host: "localhost", path: "/status/404"},
		{method: "GET", host: "localhost", path: "/status/500"},
		{method: "POST", host: "localhost", path: "/too-large", body: 2 << 20},
	}, []string{"0 notes"}},
	{"sites.conf", []asked{
		{method: "GET", host: "www.example.com", path: "/"},
		{method: "GET", host: "unknown.example.org", path: "/page"},
		{method: "GET", host: "www.example.com", path: "/health"},
		{method: "GET", host: "www.example.com", path: "/old?a=b"},
		{method: "GET", host: "www.example.com", path: "/older"},
		{method: "GET", host: "www.example.com", path: "/private/x"},
		{method: "GET", host: "www.example.com", path: "/ws/echo", header: "Upgrade: echo"},
		{method: "GET", host: "api.example.com", path: "/v1/items?x=1", header: "Cookie: a=b"},
		{method: "GET", host: "a.api.example.com", path: "/v2/items"},
		{method: "GET", host: "api.example.com", path: "/moved/here?x=1"},
		{method: "GET", host: "api.example.com", path: "/nowhere"},
		{method: "POST", host: "api.example.com", path: "/v1/items", body: 2048},
		{method: "POST", host: "api.example.com", path: "/v1/items", body: 2049},
	}, []string{"add_header X-Frame-Options"}},
	{"certbot.conf", []asked{
		{method: "GET", host: "example.com", path: "/page?x=1"},
		{method: "GET", host: "www.example.com", path: "/"},
		{method: "GET", host: "example.com", path: "/page?x=1", secure: true},
		{method: "POST", host: "www.example.com", path: "/form", body: 10, secure: true},
		{method: "POST", host: "example.com", path: "/abort", header: "Accept: text/html", secure: true},
	}, []string{"error_page"}},
	{"sites.cfg", []asked{
		{method: "GET", host: "www.example.com", path: "/page?x=1"},
		{method: "POST", host: "www.example.com", path: "/form", body: 100},
		{method: "GET", host: "api.example.com", path: "/v1/items"},
		{method: "GET", host: "www.example.com", path: "/api/items", header: "Cookie: a=b"},
		{method: "GET", host: "www.example.com", path: "/old/page?x=1"},
		{method: "GET", host: "www.example.com", path: "/status/404"},
	}, []string{"stick-table"}},
}

// TestConvert sends the same requests through a real proxy and through goodgate
// with the converted configuration.
func TestConvert(t *testing.T) {
	t.Parallel()
	for _, c := range conversions {
		t.Run(c.file, func(t *testing.T) {
			t.Parallel()
			p := newPlant(t)
			v := &conversion{plant: p, front: p.address(), secure: p.address()}
			file := v.write(c.file)
			stop := v.original(file)
			var want []string
			for _, a := range c.asked {
				want = append(want, v.ask(a))
			}
			stop()
			notes := v.convert(file)
			for _, n := range c.notes {
				wantIn(t, "the notes", notes, n)
			}
			for i, a := range c.asked {
				if got := v.ask(a); got != want[i] {
					t.Errorf("%+v\nthe original answers %s\ngoodgate answers     %s", a, want[i], got)
				}
			}
			if t.Failed() {
				text, _ := os.ReadFile(p.path("goodgate.yaml"))
				t.Logf("%s", text)
			}
		})
	}
}

type conversion struct {
	*plant
	front, secure string // addresses
}

// write puts a configuration into the setup's folder, with its addresses.
func (v *conversion) write(name string) string {
	v.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "convert", name))
	if err != nil {
		v.Fatal(err)
	}
	v.certificate("site.pem", "example.com", time.Now().Add(1000*time.Hour))
	writeFile(v.T, v.dir, "50x.html", "<h1>An error occurred.</h1>\n")
	writeFile(v.T, v.dir, "mime.types", "types { text/html html; }\n")
	text := strings.NewReplacer("APP1", v.app(mirror), "APP2", v.app(mirror), "FRONT", v.front, "SECURE", v.secure, "DIR", v.dir).Replace(string(b))
	return writeFile(v.T, v.dir, name, text)
}

// mirror answers with a description of the request.
func mirror(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	switch {
	case r.URL.Path == "/abort":
		panic(http.ErrAbortHandler)
	case strings.HasPrefix(r.URL.Path, "/status/"):
		status := 0
		fmt.Sscan(strings.TrimPrefix(r.URL.Path, "/status/"), &status)
		w.WriteHeader(status)
	case r.Header.Get("Upgrade") == "echo":
		c, in, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		line, _ := in.ReadString('\n')
		io.WriteString(c, "echo "+line)
		return
	}
	h := r.Header
	fmt.Fprintf(w, "%s %s host=%s site=%s cookie=%s custom=%s bytes=%d", r.Method, r.URL.RequestURI(), r.Host, h.Get("X-Site"), h.Get("Cookie"), h.Get("X-Custom"), len(body))
}

// original runs the proxy that the configuration is for.
func (v *conversion) original(file string) (stop func()) {
	v.Helper()
	p := v.other(file)
	if p != nil {
	} else if strings.HasSuffix(file, ".cfg") {
		p = startProcess(v.T, "haproxy", nil, need(v.T, "haproxy"), "-db", "-f", file)
	} else {
		text, err := os.ReadFile(file)
		if err != nil {
			v.Fatal(err)
		}
		for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} { // nginx alone needs these
			text = bytes.Replace(text, []byte("http {\n"), fmt.Appendf(nil, "http {\n%s_temp_path %s;\n", kind, v.path(kind)), 1)
		}
		text = bytes.Replace(text, []byte("http {\n"), []byte("http {\naccess_log off;\n"), 1)
		text = bytes.Replace(text, []byte("user  nginx;\n"), nil, 1)
		run := writeFile(v.T, v.dir, "run.conf", string(text))
		global := "daemon off; error_log stderr; pid " + v.path("nginx.pid") + ";"
		if os.Geteuid() == 0 {
			global += " user root;"
		}
		p = startProcess(v.T, "nginx", nil, need(v.T, "nginx"), "-e", "stderr", "-g", global, "-c", run)
	}
	p.ready("tcp", v.front)
	return func() { p.signal(os.Interrupt); p.wait() }
}

// convert converts a configuration and runs goodgate with it. It returns the notes.
func (v *conversion) convert(file string) string {
	v.Helper()
	var out, notes bytes.Buffer
	c := exec.CommandContext(v.Context(), built.goodgate, append([]string{"convert", file}, static(file)...)...)
	c.Stdout, c.Stderr = &out, &notes
	if err := c.Run(); err != nil {
		v.Fatalf("goodgate convert: %v\n%s\n%s", err, notes.String(), out.String())
	}
	config := writeFile(v.T, v.dir, "goodgate.yaml", out.String())
	wantCommand(v.T, 0, "good", "check", config)
	g := startProcess(v.T, "goodgate", nil, built.goodgate, "run", "--config", config)
	g.ready("tcp", v.front)
	return notes.String()
}

// ask sends one request, and describes the answer.
func (v *conversion) ask(a asked) string {
	v.Helper()
	address := v.front
	conn, err := net.DialTimeout("tcp", address, bound)
	if a.secure {
		conn, err = tls.Dial("tcp", v.secure, &tls.Config{InsecureSkipVerify: true})
	}
	if err != nil {
		v.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(bound))
	r, err := http.NewRequestWithContext(v.Context(), a.method, "http://"+address+a.path, bytes.NewReader(make([]byte, a.body)))
	if err != nil {
		v.Fatal(err)
	}
	r.Host = a.host
	if name, value, ok := strings.Cut(a.header, ": "); ok {
		r.Header.Set(name, value)
		if name == "Upgrade" {
			r.Header.Set("Connection", "Upgrade")
		}
	}
	return exchangeOn(v.T, conn, r)
}
