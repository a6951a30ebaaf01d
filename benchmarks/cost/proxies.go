package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"text/template"
	"time"
)

// roleFlag makes this program be one of the processes it measures.
const roleFlag = "-as"

const backendCount = 4

// playRole runs as a backend or as the stock proxy.
func playRole(args []string) {
	switch args[0] {
	case "backend":
		size, _ := strconv.Atoi(args[2])
		body := bytes.Repeat([]byte("x"), size)
		http.ListenAndServe(args[1], http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Length", strconv.Itoa(size))
			w.Write(body)
		}))
	case "stock":
		http.ListenAndServe(args[1], stock(args[2:]))
	}
}

// stock is what one writes with the standard library in twenty lines: round
// robin over httputil.ReverseProxy with a transport that keeps connections and
// a pool of buffers.
func stock(backends []string) http.Handler {
	var next atomic.Uint64
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: backends[next.Add(1)%uint64(len(backends))]})
			r.SetXForwarded()
		},
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: time.Second}).DialContext,
			MaxIdleConnsPerHost: 256,
			DisableCompression:  true,
		},
		BufferPool: new(buffers),
	}
}

type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[32 << 10]byte); ok {
		return p[:]
	}
	return make([]byte, 32<<10)
}

func (b *buffers) Put(p []byte) { b.pool.Put((*[32 << 10]byte)(p)) }

func startBackends(size int) (addrs []string, stop func(), err error) {
	var all []*process
	stop = func() { stopAll(all) }
	for range backendCount {
		addr, err := freeAddr()
		if err != nil {
			return nil, stop, err
		}
		p, err := start("backend", addr, os.Args[0], roleFlag, "backend", addr, strconv.Itoa(size))
		if err != nil {
			stop()
			return nil, nil, err
		}
		all = append(all, p)
		addrs = append(addrs, addr)
	}
	return addrs, stop, nil
}

func stopAll(all []*process) {
	for _, p := range all {
		p.stop()
	}
}

// peer is a proxy to measure: how its configuration looks and how it is run.
type peer struct {
	name     string
	program  string // to be found in PATH; empty = always there
	config   string // a template over peerConfig
	filename string
	args     func(o peerConfig) []string
}

type peerConfig struct {
	Dir, File, Addr string
	Goodgate        string // binary
	Backends        []string
}

var peers = []peer{
	{name: "stock", args: func(o peerConfig) []string {
		return append([]string{os.Args[0], roleFlag, "stock", o.Addr}, o.Backends...)
	}},
	{name: "goodgate", filename: "goodgate.yaml", config: goodgateConfig, args: func(o peerConfig) []string {
		return []string{o.Goodgate, "run", "--config", o.File}
	}},
	{name: "nginx", program: "nginx", filename: "nginx.conf", config: nginxConfig, args: func(o peerConfig) []string {
		return []string{"nginx", "-c", o.File, "-p", o.Dir}
	}},
	{name: "haproxy", program: "haproxy", filename: "haproxy.cfg", config: haproxyConfig, args: func(o peerConfig) []string {
		return []string{"haproxy", "-db", "-f", o.File}
	}},
}

// goodgateConfig has everything on: probes, breaker, retries, the access log
// into a file.
const goodgateConfig = `listeners: ["{{.Addr}}"]
log: {output: "{{.Dir}}/goodgate.log"}
pools:
  app:
    health: {path: /}
    upstreams: [{{range .Backends}}"http://{{.}}", {{end}}]
`

const nginxConfig = `daemon off; master_process on; worker_processes auto; pid {{.Dir}}/nginx.pid; error_log {{.Dir}}/nginx-error.log;
events { worker_connections 4096; }
http {
  access_log {{.Dir}}/nginx-access.log combined buffer=64k flush=1s;
  client_body_temp_path {{.Dir}}/b; proxy_temp_path {{.Dir}}/p; fastcgi_temp_path {{.Dir}}/f; uwsgi_temp_path {{.Dir}}/u; scgi_temp_path {{.Dir}}/s;
  keepalive_requests 1000000000;
  upstream app { keepalive 256; keepalive_requests 1000000000; {{range .Backends}}server {{.}}; {{end}} }
  server { listen {{.Addr}}; location / {
    proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_next_upstream error timeout http_502 http_503 http_504; proxy_next_upstream_tries 3;
  } }
}
`

const haproxyConfig = `global
  nbthread 2
  maxconn 8000
defaults
  mode http
  timeout connect 1s
  timeout client 75s
  timeout server 30s
  option forwardfor
  option redispatch 1
  retries 2
  http-reuse always
frontend front
  bind {{.Addr}}
  default_backend app
backend app
  option httpchk GET /
{{range $i, $b := .Backends}}  server s{{$i}} {{$b}} check inter 2s
{{end}}`

// startProxies starts every peer that is installed.
func startProxies(dir, binary string, backends []string) (all []*process, stop func(), err error) {
	stop = func() { stopAll(all) }
	if binary == "" {
		binary = filepath.Join(dir, "goodgate")
		build := exec.Command("go", "build", "-o", binary, "github.com/goodgate/goodgate/cmd/goodgate")
		if out, err := build.CombinedOutput(); err != nil {
			return nil, nil, fmt.Errorf("building goodgate: %w: %s", err, out)
		}
	}
	for _, p := range peers {
		if _, err := exec.LookPath(p.program); p.program != "" && err != nil {
			fmt.Fprintf(os.Stderr, "%s is not installed: left out\n", p.name)
			continue
		}
		running, err := p.start(dir, binary, backends)
		if err != nil {
			stop()
			return nil, nil, err
		}
		all = append(all, running)
	}
	return all, stop, nil
}

func (p peer) start(dir, binary string, backends []string) (*process, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	c := peerConfig{Dir: dir, File: filepath.Join(dir, p.filename), Addr: addr, Goodgate: binary, Backends: backends}
	if p.config != "" {
		var text bytes.Buffer
		if err := template.Must(template.New(p.name).Parse(p.config)).Execute(&text, c); err != nil {
			return nil, err
		}
		if err := os.WriteFile(c.File, text.Bytes(), 0o600); err != nil {
			return nil, err
		}
	}
	return start(p.name, addr, p.args(c)...)
}
