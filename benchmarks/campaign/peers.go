package main

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"text/template"
	"time"
)

//go:embed configs
var configs embed.FS

const (
	proxyReadyMax = 10 * time.Second
	readyInARow   = 3                      // good answers, until the proxy counts as ready
	settle        = 600 * time.Millisecond // then every upstream has been checked
)

// peer is a proxy of the campaign: how it is configured and run.
type peer struct {
	name    string
	program string // file, or name to be found in PATH
	config  string // file in configs
	args    func(program, config string) []string
}

const subject = "goodgate" // whose misses count

// peers returns all known ones; goodgate and caddy are files, "" = not given.
func peers(goodgate, caddy string) []peer {
	return []peer{
		{subject, goodgate, "goodgate.yaml", func(p, c string) []string { return []string{p, "run", "--config", c} }},
		{"nginx", "nginx", "nginx.conf", func(p, c string) []string { return []string{p, "-p", filepath.Dir(c), "-c", c} }},
		{"haproxy", "haproxy", "haproxy.cfg", func(p, c string) []string { return []string{p, "-db", "-q", "-f", c} }},
		{"caddy", caddy, "Caddyfile", func(p, c string) []string { return []string{p, "run", "--adapter", "caddyfile", "--config", c} }},
	}
}

// running is a proxy that runs.
type running struct {
	addr string
	dir  string
	cmd  *exec.Cmd
	out  bytes.Buffer
}

// start runs the proxy before backends and returns when it serves.
func (p peer) start(ctx context.Context, backends []string) (*running, error) {
	dir, err := os.MkdirTemp("", "campaign-")
	if err != nil {
		return nil, err
	}
	r := &running{dir: dir}
	if r.addr, err = freeAddr(); err == nil {
		err = r.launch(p, backends)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := r.ready(ctx); err != nil {
		r.stop()
		return nil, fmt.Errorf("%s: %w: %s", p.name, err, r.out.String())
	}
	return r, nil
}

func (r *running) launch(p peer, backends []string) error {
	t, err := template.ParseFS(configs, "configs/"+p.config)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	values := struct {
		Addr, Dir string
		Backends  []string
	}{r.addr, r.dir, backends}
	if err := t.Execute(&text, values); err != nil {
		return err
	}
	file := filepath.Join(r.dir, p.config)
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		return err
	}
	args := p.args(p.program, file)
	r.cmd = exec.Command(args[0], args[1:]...)
	r.cmd.Stdout, r.cmd.Stderr = &r.out, &r.out
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that its workers end with it
	return r.cmd.Start()
}

// ready waits until the proxy answers well several times in a row.
func (r *running) ready(ctx context.Context) error {
	c := &client{addr: r.addr}
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

// stop ends the proxy and its children at once.
func (r *running) stop() {
	syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL)
	r.cmd.Wait()
	os.RemoveAll(r.dir)
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
