package kube_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// gate is a running goodgate with one pool.
type gate struct {
	*process
	address string
	admin   *http.Client
}

// startGate runs one with an upstream that is written as in a configuration.
func startGate(t *testing.T, upstream string) *gate {
	t.Helper()
	dir, err := os.MkdirTemp("", "g") // short, for the socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket, file := filepath.Join(dir, "a"), filepath.Join(dir, "goodgate.yaml")
	g := &gate{address: freeAddress(t), admin: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}}}}
	t.Cleanup(g.admin.CloseIdleConnections)
	if err := os.WriteFile(file, fmt.Appendf(nil, `
listeners: [%q]
admin: {address: %q}
pools: {app: {policy: round_robin, upstreams: [%s]}}
`, g.address, "unix:"+socket, upstream), 0o600); err != nil {
		t.Fatal(err)
	}
	g.process = startProcess(t, built.goodgate, "run", "--config", file)
	waitFor(t, "goodgate to listen", func() bool {
		select {
		case <-g.done:
			t.Fatal("goodgate has ended")
		default:
		}
		c, err := net.Dial("tcp", g.address)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return g
}

// pool is the relevant part of its status.
type pool struct {
	Upstreams []struct {
		Address, Zone, Lifecycle string
		Available                bool
		Metadata                 map[string]string
	}
	Sources []struct {
		Upstreams, Failures int
		Error               string
		LeftOut             []struct{ What, Why string } `json:"left_out"`
	}
}

func (g *gate) pool() pool {
	g.t.Helper()
	response, err := g.admin.Get("http://goodgate/v1/status")
	if err != nil {
		g.t.Fatal(err)
	}
	defer response.Body.Close()
	var s struct{ Pools []pool }
	if err := json.NewDecoder(response.Body).Decode(&s); err != nil || len(s.Pools) != 1 {
		g.t.Fatalf("status: %v, %+v", err, s)
	}
	return s.Pools[0]
}

// states returns the upstreams, each as "1 serving a": the last part of its address,
// its state, its zone.
func (g *gate) states() string {
	g.t.Helper()
	var words []string
	for _, u := range g.pool().Upstreams {
		host, _, _ := net.SplitHostPort(u.Address)
		words = append(words, strings.TrimSpace(strings.TrimPrefix(host, "10.77.0.")+" "+u.Lifecycle+" "+u.Zone))
	}
	return strings.Join(words, ", ")
}

// want waits for states.
func (g *gate) want(states string) {
	g.t.Helper()
	began, got := time.Now(), ""
	defer func() {
		if got != states {
			g.t.Logf("the upstreams are %q", got)
		}
	}()
	waitFor(g.t, "upstreams "+states, func() bool { got = g.states(); return got == states })
	g.t.Logf("%q after %v", states, time.Since(began).Round(time.Millisecond))
}

// wantError waits until the source has an error.
func (g *gate) wantError(text string) {
	g.t.Helper()
	got := ""
	defer func() {
		if !strings.Contains(got, text) {
			g.t.Logf("the error is %q", got)
		}
	}()
	waitFor(g.t, "the error "+text, func() bool { got = g.pool().Sources[0].Error; return strings.Contains(got, text) })
	g.t.Logf("the error is %q", got)
}

// wantWorks waits until the source has no error.
func (g *gate) wantWorks() {
	g.t.Helper()
	began := time.Now()
	waitFor(g.t, "the source to work", func() bool { return g.pool().Sources[0].Error == "" })
	g.t.Logf("works after %v", time.Since(began).Round(time.Millisecond))
}

// discover returns what `goodgate discover` prints about a source, and its exit code.
func discover(t *testing.T, source string) (string, int) {
	t.Helper()
	c := exec.Command(built.goodgate, "discover", source)
	out, err := c.CombinedOutput()
	if err != nil && c.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), c.ProcessState.ExitCode()
}
