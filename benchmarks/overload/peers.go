package main

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"net"
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

// peer is a proxy with its configuration and command.
type peer struct {
	name    string
	program string // file, or name in PATH
	config  string // file in configs
	told    string // configured capacity: "" = none, adaptive = always determine it, fixed = the number
	args    func(program, config string) []string
}

// peers returns all known peers; goodgate and caddy are files.
func peers(goodgate, caddy string) []peer {
	run := func(p, c string) []string { return []string{p, "run", "--config", c} }
	return []peer{
		{"goodgate", goodgate, "goodgate.yaml", "", run},
		{"goodgate-adaptive", goodgate, "goodgate.yaml", "adaptive", run},
		{"goodgate-fixed", goodgate, "goodgate.yaml", "fixed", run},
		{"nginx", "nginx", "nginx.conf", "fixed", func(p, c string) []string { return []string{p, "-p", filepath.Dir(c), "-c", c} }},
		{"haproxy", "haproxy", "haproxy.cfg", "fixed", func(p, c string) []string { return []string{p, "-db", "-q", "-f", c} }},
		{"caddy", caddy, "Caddyfile", "fixed", func(p, c string) []string {
			return []string{p, "run", "--adapter", "caddyfile", "--config", c}
		}},
	}
}

// judged reports whether a case has a target for the peer.
func (p peer) judged() bool { return strings.HasPrefix(p.name, "goodgate") }

// settings has the values for the templates of configurations.
type settings struct {
	Addr, Host, Port, Dir string
	Backends              []string
	Workers               int  // workers of each backend
	Places                int  // twice the number of all workers
	Adaptive              bool // the proxy always determines the number of workers
	Fixed                 bool // the proxy knows the number of workers
	Greedy                bool // one client sends too much
}

// tries is the largest number of runs of a case, if this machine is too busy to
// measure.
const tries = 3

// measure runs a case until the result is meaningful for the proxy.
func (p peer) measure(ctx context.Context, s scenario, dir string) (o *outcome, err error) {
	for i := range tries {
		o, err = play(ctx, s, p, fmt.Sprintf("%s-%d", dir, i))
		if err != nil || o.Lag < lagMax {
			break
		}
	}
	return o, err
}

// play runs a case against a proxy, with its own backends, and judges it.
func play(ctx context.Context, s scenario, p peer, dir string) (*outcome, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	v := settings{Dir: dir, Workers: workers, Places: 2 * backends * workers, Adaptive: p.told == "adaptive", Fixed: p.told == "fixed", Greedy: s.greedy}
	var all []*backend
	for range backends {
		b, err := newBackend()
		if err != nil {
			return nil, err
		}
		defer b.server.Close()
		all = append(all, b)
		v.Backends = append(v.Backends, b.addr)
	}
	var err error
	if v.Addr, err = freeAddr(); err != nil {
		return nil, err
	}
	v.Host, v.Port, _ = net.SplitHostPort(v.Addr)
	stop, err := p.start(v)
	if err != nil {
		return nil, err
	}
	defer stop()
	l := newLoad(s, v.Addr)
	o := s.outcome(p.name, l.run(ctx, all))
	o.Lag = millis(l.lag)
	if p.judged() {
		o.Missed = s.must.misses(o)
	}
	return o, ctx.Err()
}

func freeAddr() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}

const readyMax = 10 * time.Second

// start runs the proxy, and returns when it accepts connections.
func (p peer) start(v settings) (stop func(), err error) {
	t, err := template.ParseFS(configs, "configs/"+p.config)
	if err != nil {
		return nil, err
	}
	var text, out bytes.Buffer
	if err := t.Execute(&text, v); err != nil {
		return nil, err
	}
	file := filepath.Join(v.Dir, p.config)
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		return nil, err
	}
	args := p.args(p.program, file)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // lets stop end its workers, too
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
	}
	for end := time.Now().Add(readyMax); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", v.Addr)
		if err == nil {
			c.Close()
			return stop, nil
		}
		if time.Now().After(end) {
			stop()
			return nil, fmt.Errorf("not ready within %v: %w: %s", readyMax, err, out.String())
		}
	}
}
