package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"embed"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"text/template"
	"time"
)

//go:embed configs
var configs embed.FS

const (
	proxyReadyMax = 10 * time.Second
	wroteMax      = 2000                   // characters of its output in an error
	readyInARow   = 3                      // good answers in a row until the proxy counts as ready
	settle        = 600 * time.Millisecond // time until every upstream has been checked
)

// peer is a proxy of the campaign, with its configuration and command.
type peer struct {
	name     string
	program  string // file, or name in PATH
	config   string // file in configs
	settings string // description of the settings
	h2       bool   // it supports HTTP/2 without TLS to backends
	version  string // argument for printing the version
	args     func(program, config string) []string
}

const subject = "goodgate" // the proxy whose misses count

// bareConfig is goodgate's configuration for tests of its defaults.
const bareConfig = "bare.yaml"

// peers returns all known peers; goodgate and caddy are files.
func peers(goodgate, caddy string) []peer {
	return []peer{
		{
			subject, goodgate, "goodgate.yaml",
			"Defaults, but for health checks every 500 ms and the response timeout of 2 s. In the quiet and the innocent cases nothing but a listener and upstreams.",
			true, "version", func(p, c string) []string { return []string{p, "run", "--config", c} },
		},
		{
			"nginx", "nginx", "nginx.conf",
			"Five tries, on every failure that it knows; no failure takes an upstream out; response timeout 2 s, connect timeout 1 s.",
			false, "-v", func(p, c string) []string { return []string{p, "-p", filepath.Dir(c), "-c", c} },
		},
		{
			"haproxy", "haproxy", "haproxy.cfg",
			"Five tries, each on another server, on every failure that it knows; health checks every 500 ms; response timeout 2 s, connect timeout 1 s.",
			true, "-v", func(p, c string) []string { return []string{p, "-db", "-q", "-f", c} },
		},
		{
			"caddy", caddy, "Caddyfile",
			"Tries for 5 s; health checks every 500 ms; three failures within 1 s take an upstream out; response timeout 2 s, connect timeout 1 s.",
			true, "version", func(p, c string) []string { return []string{p, "run", "--adapter", "caddyfile", "--config", c} },
		},
	}
}

// versionText returns the first line of the program's version output.
func (p peer) versionText() string {
	out, err := exec.Command(p.program, p.version).CombinedOutput()
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if line == "unknown" { // the output of a Caddy built by go install
		if info, err := buildinfo.ReadFile(p.program); err == nil {
			return info.Main.Version
		}
	}
	return line
}

// findCaddy returns the path of Caddy: in PATH, or where "make caddy" installs it.
func findCaddy() string {
	if file, err := exec.LookPath("caddy"); err == nil {
		return file
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "goodgate", "caddy")
}

// running is a running proxy.
type running struct {
	at   place
	addr string
	dir  string
	kept bool // keep dir
	cmd  *exec.Cmd
	out  bytes.Buffer
}

// start runs the proxy before the stage's backends, and returns when it serves.
func (p peer) start(ctx context.Context, st *stage, keep string) (*running, error) {
	r := &running{at: st.network.near, kept: keep != ""}
	var err error
	if r.dir, err = os.MkdirTemp(keep, st.name+"-"+p.name+"-"); err != nil {
		return nil, err
	}
	err = os.Chmod(r.dir, 0o755) // nginx's workers run as another user if this is root
	if err == nil {
		r.addr, err = r.at.freeAddr()
	}
	if err == nil {
		err = r.launch(p, st)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(r.dir))
	}
	if err := r.ready(ctx); err != nil {
		r.stop()
		return nil, fmt.Errorf("%s: %w: %.*s", p.name, err, wroteMax, r.out.String())
	}
	return r, nil
}

// settings has the values for the templates of configurations.
type settings struct {
	Addr, Dir string
	Backends  []string // empty = use Name and NamePort
	Name      string   // name of the backends, with NamePort
	NamePort  string
	Resolver  string // address of the name server
	H2        bool   // use HTTP/2 to the backends
	Bare      bool   // goodgate's only settings are a listener and upstreams
	CA        string // file with the authority of TLS upstreams; "" = no TLS
}

func (r *running) settings(st *stage) settings {
	v := settings{Addr: r.addr, Dir: r.dir, H2: st.traits.speaks == h2c, Bare: st.bare, CA: st.traits.cert}
	if st.names != nil {
		v.Name, v.Resolver = backendName, st.names.addr
		v.NamePort = portOf(st.backends[0].addr)
		return v
	}
	for _, b := range st.backends {
		v.Backends = append(v.Backends, b.addr)
	}
	return v
}

// Host and Port are the parts of Addr.
func (s settings) Host() string { return netip.MustParseAddrPort(s.Addr).Addr().String() }
func (s settings) Port() string { return portOf(s.Addr) }

func portOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

// render returns a proxy's configuration.
func (p peer) render(v settings) ([]byte, error) {
	name := p.config
	if v.Bare {
		name = bareConfig
	}
	t, err := template.ParseFS(configs, "configs/"+name)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	err = t.Execute(&text, v)
	return text.Bytes(), err
}

func (r *running) launch(p peer, st *stage) error {
	text, err := p.render(r.settings(st))
	if err != nil {
		return err
	}
	file := filepath.Join(r.dir, p.config)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return err
	}
	args := p.args(p.program, file)
	r.cmd = exec.Command(args[0], args[1:]...)
	r.cmd.Stdout, r.cmd.Stderr = &r.out, &r.out
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // lets stop end its workers, too
	r.at.do(func() { err = r.cmd.Start() })
	return err
}

// ready waits until the proxy gives several good answers in a row.
func (r *running) ready(ctx context.Context) error {
	c := &client{at: r.at, addr: r.addr, want: bodySize}
	defer c.close()
	end := time.Now().Add(proxyReadyMax)
	for good := 0; good < readyInARow; {
		failure := c.do(ctx, http.MethodGet, "")
		if failure == "" {
			good++
			continue
		}
		good = 0
		if ctx.Err() != nil || time.Now().After(end) {
			return fmt.Errorf("not ready on %s within %v: %s", r.addr, proxyReadyMax, failure)
		}
		wait(ctx, 20*time.Millisecond)
	}
	wait(ctx, settle)
	return nil
}

// stop kills the proxy and its children.
func (r *running) stop() {
	syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL)
	r.cmd.Wait()
	if !r.kept {
		os.RemoveAll(r.dir)
		return
	}
	if r.out.Len() > 0 {
		os.WriteFile(filepath.Join(r.dir, "output.log"), r.out.Bytes(), 0o600)
	}
}

// build builds goodgate from this tree into dir.
func build(dir string) (string, error) {
	file := filepath.Join(dir, subject)
	out, err := exec.Command("go", "build", "-o", file, "github.com/goodgate/goodgate/cmd/goodgate").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building goodgate: %w: %s", err, out)
	}
	return file, nil
}
