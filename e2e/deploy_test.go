package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

const deployConfig = `
listeners: ["${LISTEN}"]
admin: {address: "${ADMIN}"}
state: {file: "${STATE}"}
pools:
  app:
    upstreams: ["${OLD}"]
    health: {type: http, path: /healthz, interval: 1s}
`

// stand is goodgate in front of the old version of an application.
type stand struct {
	*gate
	admin string
	old   *app
	dir   string
	env   []string
}

func newStand(t *testing.T, language string) *stand {
	t.Helper()
	s := &stand{admin: freeAddress(t), dir: t.TempDir(), old: startVersion(t, language, "old", "good")}
	s.env = []string{"ADMIN=" + s.admin, "STATE=" + filepath.Join(s.dir, "state.json"), "OLD=" + s.old.url()}
	s.gate = startGateIn(t, s.dir, deployConfig, s.env...)
	return s
}

// startVersion runs a version of an application, in "node" or "python".
func startVersion(t *testing.T, language, name, kind string) *app {
	t.Helper()
	a := &app{t: t, name: name, address: freeAddress(t)}
	switch language {
	case "node":
		a.argv = []string{need(t, "node"), filepath.Join("testdata", "apps", "version.js")}
	case "python":
		a.argv = []string{need(t, "python3"), filepath.Join("testdata", "apps", "version.py")}
	}
	a.argv = append(a.argv, name, a.address, kind)
	if kind == "crashes" {
		a.process = startProcess(t, name, nil, a.argv...)
		return a
	}
	a.start()
	return a
}

// quickly are flags for a deploy that takes seconds.
var quickly = []string{"--steps", "10,100", "--step-time", "300ms", "--watch-for", "500ms", "--drain-timeout", "2s"}

// deploy runs the command deploy to its end, and returns its exit code and output.
func (s *stand) deploy(t *testing.T, flags ...string) (code int, out string) {
	t.Helper()
	args := append([]string{"deploy", "app", "--admin", s.admin}, flags...)
	var text bytes.Buffer
	c := exec.Command(built.goodgate, args...)
	c.Stdout, c.Stderr = &text, &text
	err := c.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), text.String()
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0, text.String()
}

// needAll skips a slow test, unless GOODGATE_LONG is set.
func needAll(t *testing.T) {
	t.Helper()
	if os.Getenv("GOODGATE_LONG") == "" {
		t.Skip("takes long; GOODGATE_LONG=1 runs it")
	}
}

// members returns the upstreams of the pool.
func (s *stand) members(t *testing.T) []string {
	t.Helper()
	var p struct {
		Upstreams []struct{ Address string } `json:"upstreams"`
	}
	out := s.command(t, "status", "--admin", s.admin, "-o", "json")
	var all struct{ Pools []json.RawMessage }
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(all.Pools[0], &p); err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, u := range p.Upstreams {
		list = append(list, u.Address)
	}
	return list
}

// TestDeploy: a good version takes the place of the old one under load, and no request
// fails. Then the old one can be stopped.
func TestDeploy(t *testing.T) {
	t.Parallel()
	s := newStand(t, "python")
	l := startLoad(t, load{address: fixed(s.address), rate: 150, methods: mixed, keepAlive: true})
	l.more(50)
	fresh := startVersion(t, "node", "new", "good")
	code, out := s.deploy(t, append(quickly, "--to", fresh.url(), "--warm", "/warm", "--why", "version 2")...)
	if code != 0 || !strings.Contains(out, "left the pool and can be stopped") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
	if got := s.members(t); !slices.Equal(got, []string{fresh.address}) {
		t.Errorf("members: %v", got)
	}
	s.old.kill()
	l.more(50)
	wantAllAnswered(t, l.finish())
	if got := s.command(t, "deploy", "status", "--admin", s.admin); !strings.Contains(got, "version 2") {
		t.Errorf("deploy status: %s", got)
	}
	s.finish()
}

// TestDeployBroken: a broken version is rolled back by itself, and clients see no
// failures except for requests that cannot be sent again.
func TestDeployBroken(t *testing.T) {
	t.Parallel()
	for kind, tc := range map[string]struct {
		language string
		methods  []string
		says     []string
	}{
		"crashes": {"python", mixed, []string{"not ready within 1s", "rolling back", "rolled back"}},
		"errors":  {"node", mixed, []string{"the new version failed", "GET /load/", "clients saw 0"}},
		"slow":    {"python", mixed, []string{"the new version takes", "the old version took"}},
		"leaks":   {"node", safe, []string{"rolling back: the new version"}},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			if kind == "leaks" {
				needAll(t)
			}
			s := newStand(t, tc.language)
			l := startLoad(t, load{address: fixed(s.address), rate: 150, methods: tc.methods, keepAlive: true})
			l.more(50)
			broken := startVersion(t, tc.language, "broken", kind)
			flags := append(quickly, "--to", broken.url(), "--ready-within", "1s")
			switch kind {
			case "slow": // slowness must last 3 s once the version is alone
				flags = append(flags, "--watch-for", "10s")
			case "leaks":
				flags = append(flags, "--watch-for", "30s")
			}
			code, out := s.deploy(t, flags...)
			if code != 5 {
				t.Errorf("exit code %d, want 5", code)
			}
			for _, text := range tc.says {
				if !strings.Contains(out, text) {
					t.Errorf("there is no %q", text)
				}
			}
			if got := s.members(t); !slices.Equal(got, []string{s.old.address}) {
				t.Errorf("members: %v", got)
			}
			if t.Failed() {
				t.Logf("goodgate deploy printed:\n%s", out)
			}
			l.more(20)
			wantAllAnswered(t, l.finish())
			s.finish()
		})
	}
}

// TestDeployKilled: goodgate is killed in the middle of a deploy. The next process
// continues it successfully.
func TestDeployKilled(t *testing.T) {
	t.Parallel()
	s := newStand(t, "node")
	fresh := startVersion(t, "node", "new", "good")
	l := startLoad(t, load{address: fixed(s.address), rate: 100, methods: safe, keepAlive: true})
	ended := make(chan string, 1)
	var code int
	go func() {
		var out string
		code, out = s.deploy(t, "--to", fresh.url(), "--steps", "20,50,100", "--step-time", "700ms", "--watch-for", "1s")
		ended <- out
	}()
	l.until("an answer of the new version", func(r result) bool { return r.app == "new" })
	l.finish()
	s.kill()
	g := &gate{address: s.address, process: startProcess(t, "goodgate", append(s.env, "LISTEN="+s.address), built.goodgate, "run", "--config", filepath.Join(s.dir, "goodgate.yaml"))}
	g.dull = isPlain
	g.ready("tcp", s.address)
	s.gate = g
	l = startLoad(t, load{address: fixed(s.address), rate: 100, methods: mixed, keepAlive: true})
	select {
	case out := <-ended:
		if code != 0 || !strings.Contains(out, "continued by a new process") {
			t.Errorf("exit code %d:\n%s", code, out)
		}
	case <-time.After(2 * bound):
		t.Fatal("the command deploy has not ended")
	}
	wantAllAnswered(t, l.finish())
	if got := s.members(t); !slices.Equal(got, []string{fresh.address}) {
		t.Errorf("members: %v", got)
	}
	s.finish()
}

// TestDeployInterrupted: Ctrl-C rolls back.
func TestDeployInterrupted(t *testing.T) {
	t.Parallel()
	s := newStand(t, "node")
	fresh := startVersion(t, "node", "new", "good")
	c := startProcess(t, "deploy", nil, built.goodgate, "deploy", "app", "--admin", s.admin, "--to", fresh.url(), "--step-time", "1m")
	waitFor(t, "the first step", func() bool { return strings.Contains(c.out.String(), "1 % of the requests") })
	c.signal(os.Interrupt)
	if code := c.wait(); code != 5 {
		t.Errorf("exit code %d, want 5:\n%s", code, c.out.String())
	}
	if got := s.members(t); !slices.Equal(got, []string{s.old.address}) {
		t.Errorf("members: %v", got)
	}
	s.finish()
}

// TestDeployInPlace: an application that cannot run twice is restarted where it is, and
// requests wait meanwhile.
func TestDeployInPlace(t *testing.T) {
	t.Parallel()
	s := newStand(t, "node")
	restart := filepath.Join(s.dir, "restart")
	done := make(chan struct{})
	go func() { // like a supervisor
		defer close(done)
		waitFor(t, "the order to restart", func() bool { _, err := os.Stat(restart); return err == nil })
		s.old.kill()
		s.old.argv[len(s.old.argv)-3] = "new"
		s.old.start()
	}()
	l := startLoad(t, load{address: fixed(s.address), rate: 50, methods: mixed, keepAlive: true})
	l.until("an answer of the old version", func(r result) bool { return r.app == "old" })
	code, out := s.deploy(t, "--to", s.old.url(), "--restart", "echo $GOODGATE_UPSTREAM > "+restart+"; sleep 0.5")
	<-done
	if code != 0 || !strings.Contains(out, "takes requests") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
	l.until("an answer of the new version", func(r result) bool { return r.app == "new" })
	wantAllAnswered(t, l.finish())
	code, out = s.deploy(t, "--to", s.old.url())
	if code != 1 || !strings.Contains(out, "is an upstream of pool app already") || !strings.Contains(out, "--restart") {
		t.Errorf("without --restart: exit code %d:\n%s", code, out)
	}
	s.finish()
}

// TestDocsDeploy: the steps in docs/deploy.md work.
func TestDocsDeploy(t *testing.T) {
	t.Parallel()
	x := openExample(t, "deploy.md", "app.js", "goodgate.yaml")
	list := x.addresses("goodgate.yaml") // the listener, the API, version 1
	file := filepath.Join(x.dir, "goodgate.yaml")
	writeFile(t, x.dir, "goodgate.yaml", strings.Replace(x.files["goodgate.yaml"], "state.json", filepath.Join(x.dir, "state.json"), 1))
	version := func(number string, more ...string) (address string) {
		address = freeAddress(t)
		if number == "1" {
			address = list[2]
		}
		_, port, _ := strings.Cut(address, ":")
		p := startProcess(t, "app.js", nil, append([]string{need(t, "node"), filepath.Join(x.dir, "app.js"), number, port}, more...)...)
		p.ready("tcp", address)
		return address
	}
	version("1")
	wantCommand(t, 0, "good", "check", file)
	s := &stand{admin: list[1], gate: &gate{address: list[0], process: startProcess(t, "goodgate", nil, built.goodgate, "run", "--config", file)}}
	s.dull = isPlain
	s.ready("tcp", s.address)
	clients := startProcess(t, "bench", nil, built.goodgate, "bench", "http://"+s.address+"/", "--rate", "100", "--for", "5m")
	if code, out := s.deploy(t, append(quickly, "--to", "http://"+version("2"))...); code != 0 {
		t.Errorf("version 2: exit code %d:\n%s", code, out)
	}
	if a := ask(t, s.address, "GET", "/"); !strings.Contains(a.body, "version 2") {
		t.Errorf("after it: %q", a.body)
	}
	if code, out := s.deploy(t, append(quickly, "--to", "http://"+version("3", "broken"))...); code != 5 || !strings.Contains(out, "rolling back") {
		t.Errorf("the broken version: exit code %d:\n%s", code, out)
	}
	if out := clients.out.String(); !strings.Contains(out, " 0 failed") || regexp.MustCompile(`[1-9]\d* failed`).MatchString(out) {
		t.Errorf("bench: %s", out)
	}
	clients.kill()
	s.finish()
}

// TestDeployUpgraded: goodgate is replaced in the middle of a deploy, under load.
func TestDeployUpgraded(t *testing.T) {
	t.Parallel()
	needAll(t)
	s := newStand(t, "node")
	s.finish()
	file := filepath.Join(s.dir, "goodgate.yaml")
	// A shell as the parent outlives the first process, and the output stays open.
	s.gate = &gate{address: s.address, process: startProcess(t, "goodgate", append(s.env, "LISTEN="+s.address), "sh", "-c", built.goodgate+" run -c "+file+"; sleep 600")}
	s.dull = isPlain
	s.ready("tcp", s.address)
	fresh := startVersion(t, "node", "new", "good")
	l := startLoad(t, load{address: fixed(s.address), rate: 100, methods: mixed, keepAlive: true})
	go func() {
		l.until("an answer of the new version", func(r result) bool { return r.app == "new" })
		syscall.Kill(s.servingPID(1), syscall.SIGUSR2)
	}()
	code, out := s.deploy(t, "--to", fresh.url(), "--steps", "20,50,100", "--step-time", "1s", "--watch-for", "1s")
	if code != 0 || !strings.Contains(out, "continued by a new process") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
	wantAllAnswered(t, l.finish())
	if got := s.members(t); !slices.Equal(got, []string{fresh.address}) {
		t.Errorf("members: %v", got)
	}
}
