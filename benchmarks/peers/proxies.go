package main

import (
	"bytes"
	"cmp"
	"context"
	"debug/buildinfo"
	"embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"text/template"
	"time"
)

//go:embed configs
var configs embed.FS

// The names of proxies that others are compared with.
const (
	subject = "goodgate"
	yard    = "nginx"
)

// peer is a proxy to measure, with its configuration and command.
type peer struct {
	name    string
	program string // file; empty = not installed
	version []string
	config  string // file in configs; empty = none
	variant string // difference of its configuration, for one workload only; empty = none
	args    func(p *peer, s *settings) []string
}

// settings has the values for the templates of configurations.
type settings struct {
	Addr, TLSAddr string
	Dir, File     string
	Cert, Key     string
	Pair          string // certificate and key in one file
	Backends      []string
	CPUs          int
	TLS           bool   // goodgate supports TLS
	Admin         string // address; empty = not supported
	Interval      string // interval of probes; empty = the default
	Variant       string
}

// Port and TLSPort are for Caddy's configuration.
func (s *settings) Port() string    { return portOf(s.Addr) }
func (s *settings) TLSPort() string { return portOf(s.TLSAddr) }

func portOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

// The variants, measured only in get1k: the cost of nginx's access log, and the cost of
// a request in goodgate that limits, a trace, a hash policy and header rules apply to.
const (
	logged = "log"
	ruled  = "rules"
)

// variants returns the peer with each configuration except its own.
func (p *peer) variants() (list []*peer) {
	for _, v := range map[string][]string{yard: {logged}, subject: {ruled}}[p.name] {
		other := *p
		other.name, other.variant = p.name+"+"+v, v
		list = append(list, &other)
	}
	return list
}

// takesPart reports whether a peer is measured in a workload.
func (p *peer) takesPart(w workload) bool { return p.variant == "" || w.name == "get1k" }

// findPeers returns the installed peers. It builds goodgate if necessary.
func findPeers(o options, dir string) ([]*peer, error) {
	goodgate := o.goodgate
	if goodgate == "" {
		goodgate = filepath.Join(dir, "goodgate")
		build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", goodgate, "github.com/goodgate/goodgate/cmd/goodgate")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("building goodgate: %w: %s", err, out)
		}
	}
	caddy := o.caddy
	if caddy == "" {
		caddy = "caddy"
	}
	all := []*peer{
		{name: subject, program: goodgate, version: []string{"version"}, config: "goodgate.yaml", args: func(p *peer, s *settings) []string {
			return []string{p.program, "run", "--config", s.File}
		}},
		{name: yard, program: "nginx", version: []string{"-v"}, config: "nginx.conf", args: func(p *peer, s *settings) []string {
			return []string{p.program, "-c", s.File, "-p", s.Dir}
		}},
		{name: "haproxy", program: "haproxy", version: []string{"-v"}, config: "haproxy.cfg", args: func(p *peer, s *settings) []string {
			return []string{p.program, "-db", "-f", s.File}
		}},
		{name: "caddy", program: caddy, version: []string{"version"}, config: "Caddyfile", args: func(p *peer, s *settings) []string {
			return []string{p.program, "run", "--adapter", "caddyfile", "--config", s.File}
		}},
		{name: "stock", program: os.Args[0], args: func(p *peer, s *settings) []string {
			return []string{p.program, roleFlag, "stock", s.Addr, s.Admin, s.TLSAddr, s.Cert, s.Key, strings.Join(s.Backends, ",")}
		}},
	}
	var found []*peer
	for _, p := range all {
		program, err := exec.LookPath(p.program)
		if err != nil && (p.name == subject || p.name == "caddy" && o.caddy != "") {
			return nil, err
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s is not there: left out\n", p.name)
			continue
		}
		p.program = program
		found = append(found, p)
	}
	return found, nil
}

// versionOf returns the first line of the program's version output.
func (p *peer) versionOf() string {
	if p.version == nil {
		return "net/http/httputil of " + runtime.Version()
	}
	out, err := exec.Command(p.program, p.version...).CombinedOutput()
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(out), "\n")
	if info, err := buildinfo.ReadFile(p.program); err == nil { // which has the version of a program built by `go install`
		line = strings.TrimPrefix(line, "unknown") + " (" + cmp.Or(info.Main.Version, info.Main.Path) + " by " + info.GoVersion + ")"
	}
	return line
}

// configure writes the peer's configuration into a new directory.
func (p *peer) configure(parent string, s settings) (*settings, error) {
	dir, err := os.MkdirTemp(parent, p.name+"-")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o755); err != nil { // nginx's workers run as another user if this is root
		return nil, err
	}
	s.Dir, s.CPUs, s.Variant = dir, runtime.NumCPU(), p.variant
	if err := freeAddrs(&s.Addr, &s.TLSAddr, &s.Admin); err != nil {
		return nil, err
	}
	if p.name == subject || p.variant == ruled {
		s.TLS = p.understands("tls: {certificates: [{cert: a, key: b}]}")
		if !p.understands("", `admin: {address: "127.0.0.1:1"}`) {
			s.Admin = ""
		}
	}
	if p.config == "" {
		return &s, nil
	}
	t, err := template.ParseFS(configs, "configs/"+p.config)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if err := t.Execute(&text, &s); err != nil {
		return nil, err
	}
	s.File = filepath.Join(dir, p.config)
	return &s, os.WriteFile(s.File, text.Bytes(), 0o644)
}

// understands reports whether this version of goodgate knows a listener's key, or
// further top-level keys.
func (p *peer) understands(listener string, top ...string) bool {
	f, err := os.CreateTemp("", "goodgate-*.yaml")
	if err != nil {
		return false
	}
	defer os.Remove(f.Name())
	fmt.Fprintf(f, "listeners:\n  - address: 127.0.0.1:1\n    %s\n%s\npools: {a: {upstreams: [\"http://127.0.0.1:2\"]}}\n", listener, strings.Join(top, "\n"))
	f.Close()
	out, _ := exec.Command(p.program, "check", f.Name()).CombinedOutput()
	return !bytes.Contains(out, []byte("unknown key"))
}

// start runs a configured peer, and returns after its first answer, with the time until
// then.
func (p *peer) start(ctx context.Context, s *settings) (*process, time.Duration, error) {
	began := time.Now()
	run, err := start(p.args(p, s)...)
	if err != nil {
		return nil, 0, err
	}
	const patience = 20 * time.Second
	for time.Since(began) < patience && ctx.Err() == nil {
		if err = get(s.Addr, "/"); err == nil {
			return run, time.Since(began), nil
		}
		time.Sleep(time.Millisecond)
	}
	run.stop()
	return nil, 0, fmt.Errorf("%s does not serve on %s: %w: %s", p.name, s.Addr, errors.Join(err, ctx.Err()), run.out.String())
}
