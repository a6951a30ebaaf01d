package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/gate"
)

// operated is a running goodgate with an admin listener on a socket.
type operated struct {
	admin, file string
	listener    string
}

// serving runs goodgate in this process, with a pool of two upstreams and a pool of
// one. All of them answer every request.
func serving(t *testing.T) operated {
	t.Helper()
	dir := t.TempDir()
	o := operated{admin: "unix:" + filepath.Join(dir, "admin"), file: filepath.Join(dir, "goodgate.yaml")}
	var urls []string
	for range 3 {
		app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/broken" {
				w.WriteHeader(502)
			}
		}))
		t.Cleanup(app.Close)
		urls = append(urls, app.URL)
	}
	text := fmt.Sprintf("listeners: [\"127.0.0.1:0\"]\nadmin: %q\nshutdown: {lame_duck: 0s}\npools:\n  app: {policy: first, health: {type: none}, upstreams: [%q, %q]}\n  one: {health: {type: none}, upstreams: [%q]}\nroutes: [{match: {path: /one}, pool: one}, {pool: app}]\n",
		o.admin, urls[0], urls[1], urls[2])
	o.file = write(t, "goodgate.yaml", text)
	cfg, _, err := config.Load(o.file)
	if err != nil {
		t.Fatal(err)
	}
	read := func() (*config.Config, []config.Warning, error) { return config.Load(o.file) }
	g, err := gate.New(cfg, gate.Options{Load: read})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ready, ended := make(chan []string, 1), make(chan error, 1)
	go func() { ended <- g.Run(ctx, nil, func(a []string) { ready <- a }) }()
	select {
	case a := <-ready:
		o.listener = a[0]
	case err := <-ended:
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		<-ended
	})
	return o
}

// upstreams returns the addresses of a pool.
func (o operated) upstreams(t *testing.T, pool string) (list []string) {
	t.Helper()
	var s struct {
		Pools []struct {
			Name      string
			Upstreams []struct{ Address string }
		}
	}
	stdout, stderr, code := command("status", "--admin", o.admin, "-o", "json")
	if err := json.Unmarshal([]byte(stdout), &s); err != nil || code != 0 {
		t.Fatalf("status -o json: exit code %d, %v\n%s%s", code, err, stdout, stderr)
	}
	for _, p := range s.Pools {
		for _, u := range p.Upstreams {
			if p.Name == pool {
				list = append(list, u.Address)
			}
		}
	}
	return list
}

// TestExitCodes is the table of docs/commands.md.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	o := serving(t)
	up := o.upstreams(t, "app")
	res, err := http.Get("http://" + o.listener + "/broken")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	id := res.Header.Get("X-Request-Id")
	good := write(t, "good.yaml", "listeners: [\"127.0.0.1:0\"]\npools: {app: {upstreams: [\"http://"+up[0]+"\"]}}")
	dead := write(t, "dead.yaml", "listeners: [\"127.0.0.1:0\"]\npools: {app: {upstreams: [\"http://127.0.0.1:1\"]}}")
	bad := write(t, "bad.yaml", "listners: []")
	for _, test := range []struct {
		code int
		args []string
	}{
		{exitOK, []string{"--help"}},
		{exitOK, []string{"--version"}},
		{exitOK, []string{"version"}},
		{exitOK, []string{"schema"}},
		{exitOK, []string{"completion", "bash"}},
		{exitOK, []string{"check", good}},
		{exitOK, []string{"check", "--probe", good}},
		{exitOK, []string{"status", "--admin", o.admin}},
		{exitOK, []string{"status", "--config", o.file}},
		{exitOK, []string{"why", id, "--admin", o.admin}},
		{exitOK, []string{"reload", "--admin", o.admin}},
		{exitOK, []string{"drain", up[0], "--admin", o.admin}},
		{exitOK, []string{"on", up[0], "--admin", o.admin}},
		{exitFailed, []string{"status", "--admin", "unix:/nowhere"}},
		{exitFailed, []string{"why", "unknown", "--admin", o.admin}},
		{exitFailed, []string{"drain", "127.0.0.1:1", "--admin", o.admin}},
		{exitFailed, []string{"drain", up[0], "--pool", "nope", "--admin", o.admin}},
		{exitFailed, []string{"top", "--admin", o.admin}}, // no terminal
		{exitFailed, []string{"demo", "--listen", o.listener}},
		{exitFailed, []string{"run", "--listen", o.listener, "--to", "http://127.0.0.1:1", "--admin", "off"}},
		{exitUsage, []string{"status", "--config", bad}},
		{exitUsage, []string{"status", "--config", good}}, // without an admin listener
		{exitUsage, []string{"run", "--config", bad}},
		{exitUsage, []string{"check", bad}},
		{exitUsage, []string{"check", "/nowhere.yaml"}},
		{exitUsage, []string{"drain"}},
		{exitUnanswered, []string{"check", "--probe", dead}},
	} {
		if stdout, stderr, code := command(test.args...); code != test.code || code == exitFailed && stdout != "" || code != 0 && stderr == "" && test.args[0] != "check" { // which reports on standard output
			t.Errorf("goodgate %s: exit code %d, want %d\nstdout %q\nstderr %q", strings.Join(test.args, " "), code, test.code, stdout, stderr)
		}
	}
}

// TestLastUpstream: goodgate stops a script that takes out the last of several upstreams.
// A script that takes out the only upstream gets a warning.
func TestLastUpstream(t *testing.T) {
	t.Parallel()
	o := serving(t)
	up, only := o.upstreams(t, "app"), o.upstreams(t, "one")[0]
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"drain", "http://" + up[0] + "/"}, 0, "pool app, " + up[0] + ": drain; 1 of 2 left\n"},
		{[]string{"off", up[1]}, 1, "nothing was changed (--yes does it anyway)"},
		{[]string{"off", up[1], "--yes"}, 0, "pool app, " + up[1] + ": off; 0 of 2 left\n"},
		{[]string{"status"}, 0, "0 of 2 upstreams available"},
		{[]string{"undrain", "app/" + up[1]}, 0, "pool app, " + up[1] + ": ready; 1 of 2 available\n"},
		{[]string{"drain", only, "--pool", "one"}, 0, "pool one, " + only + ": drain; 0 of 1 left\n  requests to pool one now wait"},
		{[]string{"off", "127.0.0.1:1"}, 1, "there is no upstream 127.0.0.1:1. The upstreams are app/" + up[0]},
	} {
		stdout, stderr, code := command(append(test.args, "--admin", o.admin)...)
		if code != test.code || !strings.Contains(stdout+stderr, test.want) {
			t.Errorf("goodgate %v: exit code %d, want %d\n%s%swant %q in it", test.args, code, test.code, stdout, stderr, test.want)
		}
	}
}

// TestJSON: a command's output with -o json equals the API's answer.
func TestJSON(t *testing.T) {
	t.Parallel()
	o := serving(t)
	up := o.upstreams(t, "app")[0]
	res, err := http.Get("http://" + o.listener + "/broken")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	for line, keys := range map[string][]string{
		"status": {"version", "pid", "pools", "troubles", "failures"}, "reload": {"changes"}, "why " + res.Header.Get("X-Request-Id"): {"id", "why"},
		"drain " + up: {"upstreams"}, "undrain " + up: {"upstreams"},
	} {
		stdout, stderr, code := command(append(strings.Fields(line), "--admin", o.admin, "--output=json")...)
		var got map[string]any
		if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != 0 || stderr != "" {
			t.Errorf("%s: exit code %d, %v\n%s%s", line, code, err, stdout, stderr)
		}
		for _, k := range keys {
			if _, ok := got[k]; !ok {
				t.Errorf("%s: no %s in %s", line, k, stdout)
			}
		}
	}
	if stdout, stderr, code := command("why", "unknown", "-o", "json", "--admin", o.admin); code != 1 || stdout != "" || stderr == "" {
		t.Errorf("a failure: exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

// TestCompletion: a shell is offered the names that the running goodgate knows. Without
// a running goodgate it is offered nothing, and there is no message.
func TestCompletion(t *testing.T) {
	t.Parallel()
	o := serving(t)
	up := o.upstreams(t, "app")
	res, err := http.Get("http://" + o.listener + "/broken")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	command("drain", up[0], "--admin", o.admin)
	for _, test := range []struct{ line, want, lack string }{
		{"drain --admin ADMIN ", up[1] + "\tpool app: ", up[0]},
		{"undrain --admin ADMIN ", up[0] + "\tpool app: drained", up[1]},
		{"off --admin ADMIN 127.0.0.1", up[1], "zzz"},
		{"off --admin ADMIN zzz", ":4\n", up[1]},
		{"off --admin ADMIN " + up[1] + " ", ":4\n", "pool app"},
		{"off --admin ADMIN --pool ", "one\t1 of 1 available", up[1]},
		{"why --admin ADMIN ", res.Header.Get("X-Request-Id") + "\tGET /broken 502", up[0]},
		{"status --config " + o.file + " -o ", "json", "yaml"},
		{"drain --config " + o.file + " ", up[1], up[0]},
		{"dra", "drain\tStop new requests", "status"},
	} {
		words := strings.Split("__complete "+strings.Replace(test.line, "ADMIN", o.admin, 1), " ")
		if stdout, _, _ := command(words...); !strings.Contains(stdout, test.want) || strings.Contains(stdout, test.lack) {
			t.Errorf("%q: got\n%swant %q, and no %q", test.line, stdout, test.want, test.lack)
		}
	}
	if stdout, _, _ := command("__complete", "drain", "--admin", "unix:/nowhere", ""); stdout != ":4\n" {
		t.Errorf("without a goodgate: %q", stdout)
	}
}

// TestSeveral: with two goodgates on a machine none is chosen by chance.
func TestSeveral(t *testing.T) {
	t.Parallel()
	live := func() string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/live" {
				w.Write([]byte("live\n"))
				return
			}
			fmt.Fprintf(w, `{"pid": 4711, "pools": [{"name": "app", "upstreams": [{"address": "10.0.0.1:80"}]}]}`)
		}))
		t.Cleanup(s.Close)
		return strings.TrimPrefix(s.URL, "http://")
	}
	one, two := live(), live()
	a := caller{token: "0123456789abcdef"}
	if c, err := a.find(t.Context(), []string{"127.0.0.1:1", two}); err != nil || c.Address != two || c.Token != a.token {
		t.Errorf("one of two: got %+v, %v", c, err)
	}
	if c, err := a.find(t.Context(), []string{"127.0.0.1:1", "127.0.0.1:2"}); err != nil || c.Address != "127.0.0.1:1" {
		t.Errorf("none: got %+v, %v", c, err)
	}
	_, err := a.find(t.Context(), []string{one, two})
	if want := "--admin " + two + "  process 4711, app/10.0.0.1:80"; err == nil || !strings.Contains(err.Error(), "2 goodgates") || !strings.Contains(err.Error(), want) {
		t.Errorf("two: got %v", err)
	}
}

func TestAdminAddress(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"127.0.0.1:9900": "127.0.0.1:9900", "http://127.0.0.1:9900/": "127.0.0.1:9900", ":9901": "127.0.0.1:9901", "9901": "127.0.0.1:9901",
		"localhost": "localhost:9900", "[::1]:9900": "[::1]:9900", "::1": "[::1]:9900", "unix:/run/a b.sock": "unix:/run/a b.sock",
		"https://a:1": "", "a:b": "", "a b": "", "http://a/b": "", "a:1?x": "", "user@a:1": "",
	} {
		if got, err := adminAddress(text); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestWelcome(t *testing.T) {
	t.Parallel()
	c := func(upstreams string) *config.Config {
		cfg, _, err := config.Parse("x", []byte("listeners: [\"127.0.0.1:0\"]\npools: {"+upstreams+"}\nroutes: [{pool: a}]"), nil)
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	f := func(c *config.Config, listener, operator, want string) {
		t.Helper()
		if got := welcome(c, []string{listener}, operator); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	one := c("a: {upstreams: [\"http://127.0.0.1:3000\"]}")
	f(one, "127.0.0.1:8080", "127.0.0.1:9900", "proxying http://127.0.0.1:8080 -> http://127.0.0.1:3000; dashboard http://127.0.0.1:9900/")
	f(one, "[::]:8080", "", "proxying http://127.0.0.1:8080 -> http://127.0.0.1:3000")
	f(one, "unix:/run/a", "unix:/run/b", "proxying unix:/run/a -> http://127.0.0.1:3000; goodgate status --admin unix:/run/b")
	f(c("a: {upstreams: [\"http://b:1\", \"http://c:1\"]}, b: {upstreams: [\"unix:/x\"]}"), "[::1]:80", "", "proxying http://[::1]:80 -> 2 pools, 3 upstreams")
}

// TestFlagsSurviveReload: flags for the log apply to every reading of the file.
func TestFlagsSurviveReload(t *testing.T) {
	t.Parallel()
	f := runFlags{file: write(t, "a.yaml", "listeners: [\"127.0.0.1:0\"]\nlog: {format: text}\npools: {app: {upstreams: [\"http://127.0.0.1:1\"]}}")}
	for _, want := range []string{"text", "combined"} {
		if cfg, _, err := f.loader()(); err != nil || string(cfg.Log.Format) != want {
			t.Errorf("got %+v, %v; want the format %s", cfg, err, want)
		}
		f.format.value = "combined"
	}
	f = runFlags{listen: []string{"127.0.0.1:9900"}, to: []string{"http://127.0.0.1:1"}}
	if f.loader() != nil {
		t.Error("there is something to read again without a file")
	}
	if cfg, _, err := f.load(); err != nil || cfg.Admin.Address != "127.0.0.1:9901" {
		t.Errorf("a listener at the default address: got %+v, %v", cfg, err)
	}
}
