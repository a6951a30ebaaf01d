package e2e_test

import (
	"path/filepath"
	"strings"
	"testing"
)

// app is an application server that can be ended and started again.
type app struct {
	*process
	t       *testing.T
	name    string
	address string // host:port or unix:/path
	argv    []string
	env     []string
}

// startApp runs an app server, in "go", "node" or "python", on an unused address.
func startApp(t *testing.T, language, name string, env ...string) *app {
	t.Helper()
	return startAppAt(t, language, name, freeAddress(t), env...)
}

func startAppAt(t *testing.T, language, name, address string, env ...string) *app {
	t.Helper()
	a := &app{t: t, name: name, address: address, env: env}
	switch language {
	case "go":
		a.argv = []string{built.app}
	case "node":
		a.argv = []string{need(t, "node"), filepath.Join("testdata", "apps", "app.js")}
	case "python":
		a.argv = []string{need(t, "python3"), filepath.Join("testdata", "apps", "app.py")}
	default:
		t.Fatalf("no app server in %s", language)
	}
	a.argv = append(a.argv, name, address)
	a.start()
	return a
}

// start runs the app and waits until it listens.
func (a *app) start() {
	a.t.Helper()
	a.process = startProcess(a.t, a.name, a.env, a.argv...)
	network, address := "tcp", a.address
	if path, ok := strings.CutPrefix(a.address, "unix:"); ok {
		network, address = "unix", path
	}
	a.ready(network, address)
}

// url is the app as an upstream.
func (a *app) url() string {
	if strings.HasPrefix(a.address, "unix:") {
		return a.address
	}
	return "http://" + a.address
}

// waitBegan waits until an app in Go has a request with ?wait= in flight.
func (a *app) waitBegan(method, target string) {
	a.t.Helper()
	waitFor(a.t, a.name+" to begin "+method+" "+target, func() bool {
		return strings.Contains(a.out.String(), "began "+method+" "+target+"\n")
	})
}
