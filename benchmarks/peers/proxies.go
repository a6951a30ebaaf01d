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

// The proxies that others are compared with by name.
const (
	subject = "goodgate"
	yard    = "nginx"
)

// peer is a proxy to measure: how it is configured and how it is run.
type peer struct {
	name    string
	program string // file; empty = not there
	version []string
	config  string // in configs; empty = none
	variant string // what its configuration does otherwise, for one workload only; empty = nothing
	args    func(p *peer, s *settings) []string
}

// settings are what the templates of configurations may use.
type settings struct {
	Addr, TLSAddr string
	Dir, File     string
	Cert, Key     string
	Pair          string // both in one file
	Backends      []string
	CPUs          int
	TLS           bool   // goodgate can
	Admin         string // address; empty = goodgate cannot
	Interval      string // of probes; empty = the default
	Variant       string
}

// Port and TLSPort are what Caddy wants to know.
func (s *settings) Port() string    { return portOf(s.Addr) }
func (s *settings) TLSPort() string { return portOf(s.TLSAddr) }

func portOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

// The variants, which are measured in get1k alone: what nginx's access log costs,
// and what goodgate's request costs that limits, a trace, a hashed policy and header
// rules have something to do with.
const (
	logged = "log"
	ruled  = "rules"
)

// variants returns a peer with each configuration but its own.
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

// findPeers returns those that are there; it builds goodgate if need be.
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

// versionOf returns the first line of what the program says of itself.
func (p *peer) versionOf() string {
	if p.version == nil {
		return "net/http/httputil of " + runtime.Version()
	}
	out, err := exec.Command(p.program, p.version...).CombinedOutput()
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(out), "\n")
	if info, err := buildinfo.ReadFile(p.program); err == nil { // which knows more of one that `go install` has built
		line = strings.TrimPrefix(line, "unknown") + " (" + cmp.Or(info.Main.Version, info.Main.Path) + " by " + info.GoVersion + ")"
	}
	return line
}

// configure writes the peer's configuration into a directory of its own.
func (p *peer) configure(parent string, s settings) (*settings, error) {
	dir, err := os.MkdirTemp(parent, p.name+"-")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o755); err != nil { // nginx's workers are another user's, if this one is root
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

// understands reports whether this goodgate's configuration has a listener's
// key, or further ones at the top.
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

// start runs a configured peer, and returns when it has served a request, with
// the time that took.
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
