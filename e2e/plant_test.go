package e2e_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// plant is one setup with a fault: a proxy, its upstreams, and the doctor.
type plant struct {
	*testing.T
	dir   string
	host  string // its own loopback address, so that setups do not see each other
	front *process
	tls   bool     // nginx's socket speaks TLS
	stdin string   // of the doctor
	probe string   // a path that works after the remedy of the first finding; "" = "/"
	enter []string // command that enters the setup's namespace; none = the test's own
}

// plants counts the setups of this run, to give each an address.
var plants atomic.Int32

func newPlant(t *testing.T) *plant {
	n := int(plants.Add(1))
	return &plant{T: t, dir: shortDir(t), host: fmt.Sprintf("127.80.%d.%d", n/200, n%200+1)}
}

// shortDir is a folder that every user may enter, whose name leaves room for a
// socket's.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gg-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (p *plant) path(name string) string { return filepath.Join(p.dir, name) }

// address returns an unused address.
func (p *plant) address() string { return net.JoinHostPort(p.host, strconv.Itoa(freePort(p.T))) }

// listen returns a listener at the setup's own address.
func (p *plant) listen() net.Listener {
	p.Helper()
	ln, err := net.Listen("tcp", p.host+":0")
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { ln.Close() })
	return ln
}

// app runs a web application in this process.
func (p *plant) app(h http.HandlerFunc) string { return p.appOn(p.listen(), h) }

func (p *plant) appOn(ln net.Listener, h http.HandlerFunc) string {
	p.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Listener.Close()
	s.Listener = ln
	s.Start()
	p.Cleanup(s.Close)
	return ln.Addr().String()
}

// raw runs an application that reads a request line and then does as it likes
// with the connection.
func (p *plant) raw(answer func(net.Conn)) string {
	ln := p.listen()
	serveRaw(ln, answer)
	return ln.Addr().String()
}

func serveRaw(ln net.Listener, answer func(net.Conn)) {
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				c.Read(make([]byte, 4096))
				answer(c)
			}()
		}
	}()
}

func fine(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "fine") }

// node runs a web application in Node that keeps idle connections for a time.
func (p *plant) node(keepAlive time.Duration) string {
	p.Helper()
	const program = `const [,host,port,keep]=process.argv;const s=require("http").createServer((q,r)=>r.end("fine"));
s.keepAliveTimeout=+keep;s.keepAliveTimeoutBuffer=0;s.listen(+port,host)`
	address := p.address()
	host, port, _ := net.SplitHostPort(address)
	app := startProcess(p.T, "node", nil, need(p.T, "node"), "-e", program, host, port, fmt.Sprint(keepAlive.Milliseconds()))
	app.ready("tcp", address)
	return address
}

// nginx runs a real nginx whose http block is body. It listens on a socket in
// the setup's folder; $DIR in body is the folder.
func (p *plant) nginx(body string) {
	p.Helper()
	p.nginxWith("", "worker_connections 64;", body)
}

func (p *plant) nginxWith(main, events, body string) {
	p.Helper()
	file := p.configure(main, events, body)
	argv := append(p.enter, need(p.T, "nginx"), "-g", "daemon off;", "-c", file, "-e", p.path("error.log"))
	p.front = startProcess(p.T, "nginx", nil, argv...)
	p.front.ready("unix", p.path("nginx.sock"))
}

// configure writes a configuration of nginx.
func (p *plant) configure(main, events, body string) (file string) {
	p.Helper()
	var b strings.Builder
	user := "user root;\n"
	if strings.Contains(main, "user ") || os.Geteuid() != 0 {
		user = ""
	}
	fmt.Fprintf(&b, "%sworker_processes 1;\npid $DIR/nginx.pid;\nerror_log $DIR/error.log warn;\n%s\nevents { %s }\nhttp {\n", user, main, events)
	b.WriteString("log_format timed '$remote_addr [$time_local] \"$request\" $status $upstream_addr $upstream_response_time';\naccess_log $DIR/access.log timed;\n")
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&b, "%s_temp_path $DIR/%s;\n", kind, kind)
	}
	b.WriteString(body + "\n}\n")
	text := strings.ReplaceAll(b.String(), "$LISTEN", "unix:$DIR/nginx.sock")
	// nginx's packages have these two.
	writeFile(p.T, p.dir, "fastcgi_params", "fastcgi_param REQUEST_METHOD $request_method;\nfastcgi_param REQUEST_URI $request_uri;\nfastcgi_param SERVER_PROTOCOL $server_protocol;\n")
	writeFile(p.T, p.dir, "uwsgi_params", "")
	return writeFile(p.T, p.dir, "nginx.conf", strings.ReplaceAll(text, "$DIR", p.dir))
}

// proxied is an http block with one location that leads to an address.
func proxied(to string, settings ...string) string {
	return fmt.Sprintf("server {\n listen $LISTEN;\n location / {\n  proxy_pass %s;\n  %s\n }\n}", to, strings.Join(settings, "\n  "))
}

// group is an http block with an upstream block that keeps connections.
func group(settings string, servers ...string) string {
	return fmt.Sprintf("upstream app {\n server %s;\n keepalive 8;\n %s\n}\n", strings.Join(servers, ";\n server "), settings) +
		proxied("http://app", "proxy_http_version 1.1;", `proxy_set_header Connection "";`)
}

// ask sends requests through nginx, and returns the last status, 0 without an answer.
func (p *plant) ask(times int, method, path, body string) (status int) {
	p.Helper()
	c := &http.Client{Timeout: bound, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "unix", p.path("nginx.sock"))
			}}}
	defer c.CloseIdleConnections()
	scheme := "http"
	if p.tls {
		scheme = "https"
	}
	for range times {
		r, err := http.NewRequestWithContext(p.Context(), method, scheme+"://example.com"+path, strings.NewReader(body))
		if err != nil {
			p.Fatal(err)
		}
		status = 0
		if a, err := c.Do(r); err == nil {
			status = a.StatusCode
			io.Copy(io.Discard, a.Body)
			a.Body.Close()
		}
	}
	return status
}

// get requests the root three times.
func (p *plant) get() { p.ask(3, "GET", "/", "") }

// together sends several requests concurrently.
func (p *plant) together(n int, path string) {
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() { p.ask(1, "GET", path, "") })
	}
	wg.Wait()
}

// diagnosis is the doctor's result.
type diagnosis struct {
	Findings []struct {
		Severity, Confidence, Because, Code, Reason, Upstream, Where, Seen, Means, Do, Directive string
		Count                                                                                    int64
	}
	Unknown, Looked []string
	text            string
	code            int
}

// doctor runs the doctor.
func (p *plant) doctor(args ...string) (d diagnosis) {
	p.Helper()
	argv := append(append([]string{}, p.enter...), built.goodgate, "doctor", "--json", "--max-wait", "4s")
	argv = append(argv, args...)
	c := exec.CommandContext(p.Context(), argv[0], argv[1:]...)
	var out, bad bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(p.stdin), &out, &bad
	err := c.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		d.code = exit.ExitCode()
	} else if err != nil {
		p.Fatal(err)
	}
	d.text = out.String() + bad.String()
	if err := json.Unmarshal(out.Bytes(), &d); err != nil {
		p.Fatalf("goodgate doctor wrote no JSON: %v\n%s", err, d.text)
	}
	return d
}

// doctorNginx runs the doctor on the setup's nginx.
func (p *plant) doctorNginx(args ...string) diagnosis {
	p.Helper()
	return p.doctor(append([]string{"--nginx", p.path("nginx.conf")}, args...)...)
}

// doctorGoodgate runs the doctor on a configuration of goodgate with one pool.
func (p *plant) doctorGoodgate(pool string, args ...string) diagnosis {
	p.Helper()
	file := writeFile(p.T, p.dir, "goodgate.yaml", fmt.Sprintf("listeners: [%q]\npools:\n  app: %s\n", p.address(), pool))
	return p.doctor(append([]string{"--config", file}, args...)...)
}

// certificate makes a self-signed certificate for a name, writes it to NAME.pem with its
// key, and returns it for a server.
func (p *plant) certificate(file, name string, until time.Time) tls.Certificate {
	p.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: until.Add(-90 * 24 * time.Hour), NotAfter: until, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		p.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		p.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	writeFile(p.T, p.dir, file, string(cert)+string(private))
	pair, err := tls.X509KeyPair(cert, private)
	if err != nil {
		p.Fatal(err)
	}
	return pair
}

// secure runs a web application with TLS.
func (p *plant) secure(cert tls.Certificate) string {
	p.Helper()
	ln := p.listen()
	return p.appOn(tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{cert}}), fine)
}

// namespace runs the setup's programs in a separate namespace, after a shell has
// prepared it. It skips the test if that is not possible.
func (p *plant) namespace(kind, prepare string) {
	p.Helper()
	if os.Geteuid() != 0 {
		lack(p.T, "namespaces need root")
	}
	// The process that holds the namespace ends with the test.
	holder := startProcess(p.T, "namespace", nil, need(p.T, "unshare"), kind, "sh", "-c", "("+prepare+") && touch "+p.path("ready")+" && exec sleep 600")
	for end := time.Now().Add(bound); ; {
		if _, err := os.Stat(p.path("ready")); err == nil {
			break
		}
		select {
		case <-holder.exited:
			lack(p.T, "no namespace can be prepared here: %s", holder.out.String())
		default:
		}
		if time.Now().After(end) {
			p.Fatal("the namespace was not ready in time")
		}
	}
	p.enter = []string{need(p.T, "nsenter"), kind, "-t", strconv.Itoa(holder.cmd.Process.Pid)}
}
