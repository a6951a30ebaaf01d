package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

const configuration = `
listeners: ["%s"]
admin: {address: "%s"}
state: {file: "%s"}
log: {level: warn}
pools:
  app:
    upstreams: ["http://%s"]
    health: {type: http, path: /healthz, interval: 1s}
`

// startGate runs goodgate in front of a version, and returns a function that stops it.
func (c *campaign) startGate(ctx context.Context, dir string, v *version) (stop func(), err error) {
	if c.gate, err = freeAddress(); err != nil {
		return nil, err
	}
	if c.admin, err = freeAddress(); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "goodgate.yaml")
	text := fmt.Sprintf(configuration, c.gate, c.admin, filepath.Join(dir, "state.json"), v.address)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(os.TempDir(), "goodgate-deploys.log"))
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(c.program, "run", "--config", file)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		cmd.Process.Kill()
		cmd.Wait()
		log.Close()
	}
	if !answers(ctx, c.gate) {
		stop()
		return nil, errors.New("goodgate does not answer; see " + log.Name())
	}
	return stop, nil
}

// answers waits until something listens on an address.
func answers(ctx context.Context, address string) bool {
	for range 100 {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			return true
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return false
		}
	}
	return false
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
