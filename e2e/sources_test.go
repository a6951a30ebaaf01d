package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/admin"
)

// sourceConfig is the configuration of a gate whose one pool has one source.
const sourceConfig = `
listeners: ["${LISTEN}"]
admin: {address: "unix:${ADMIN}"}
pools:
  app: {policy: round_robin, upstreams: [%s]}
`

// startSource runs goodgate with one source, and returns a function for its status.
func startSource(t *testing.T, entry string) (*gate, func() admin.Pool) {
	t.Helper()
	socket := filepath.Join(shortDir(t), "a")
	g := startGate(t, fmt.Sprintf(sourceConfig, entry), "ADMIN="+socket)
	api := admin.Client{Address: "unix:" + socket}
	return g, func() admin.Pool {
		t.Helper()
		var s admin.Status
		if err := api.Get(t.Context(), "/v1/status", &s); err != nil {
			t.Fatal(err)
		}
		return s.Pools[0]
	}
}

func appPort(a *app) string { return a.address[strings.LastIndexByte(a.address, ':')+1:] }

// TestListOutage stops the server of a list under load, makes it answer with errors, and
// then serves another list.
func TestListOutage(t *testing.T) {
	t.Parallel()
	one, two := startApp(t, "go", "one"), startApp(t, "go", "two")
	address := freeAddress(t)
	serve := func(handler http.HandlerFunc) (stop func()) {
		s := &http.Server{Addr: address, Handler: handler}
		done := make(chan struct{})
		go func() { defer close(done); s.ListenAndServe() }()
		waitFor(t, "the list's server", func() bool {
			res, err := http.Get("http://" + address)
			if err == nil {
				res.Body.Close()
			}
			return err == nil
		})
		return func() { s.Close(); <-done }
	}
	list := func(apps ...*app) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for _, a := range apps {
				fmt.Fprintln(w, a.url())
			}
		}
	}
	stop := serve(list(one))
	g, pool := startSource(t, fmt.Sprintf("{http: {url: \"http://%s/list\", interval: 1s, timeout: 500ms}}", address))
	l := startLoad(t, load{address: fixed(g.address), rate: 100, methods: safe, keepAlive: true})
	l.until("an answer of one", func(r result) bool { return r.app == "one" })
	for _, handler := range []http.HandlerFunc{
		nil, // no listener
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) },
	} {
		stop()
		stop = func() {}
		if handler != nil {
			stop = serve(handler)
		}
		failures := pool().Sources[0].Failures
		waitFor(t, "a failure", func() bool { return pool().Sources[0].Failures > failures })
		if p := pool(); len(p.Upstreams) != 1 || p.Available != 1 {
			t.Errorf("got %+v", p.Upstreams)
		}
	}
	stop()
	stop = serve(list(one, two))
	l.until("an answer of two", func(r result) bool { return r.app == "two" })
	results := l.finish()
	g.finish()
	stop()
	wantNoneFailed(t, g, results)
}

// TestPodman runs containers of a real Podman: a container with a HEALTHCHECK gets requests
// when it is healthy. A stopped one drains at once, and answers its requests. The service is
// killed and comes back.
func TestPodman(t *testing.T) {
	if os.Getenv("GOODGATE_LONG") == "" {
		t.Skip("takes long, and needs the rights to run containers: GOODGATE_LONG=1")
	}
	podman := need(t, "podman")
	label := fmt.Sprintf("goodgate-test=%d", os.Getpid())
	dir := shortDir(t)
	writeFile(t, dir, "Dockerfile", "FROM scratch\nCOPY app /app\nEXPOSE 8080\nSTOPSIGNAL SIGURG\nENTRYPOINT [\"/app\"]\n")
	podmanRun(t, "env", "CGO_ENABLED=0", "go", "build", "-o", filepath.Join(dir, "app"), filepath.Join("testdata", "apps", "app.go"))
	image := strings.TrimSpace(podmanRun(t, podman, "build", "-q", dir))
	t.Cleanup(func() { podmanRun(t, podman, "rmi", "-f", image) })
	runtime := runsContainers(t, podman, image)
	run := func(name string, args ...string) string {
		id := strings.TrimSpace(podmanRun(t, runtime(slices.Concat(args, []string{"--label", label, image, name, "0.0.0.0:8080"})...)...))
		t.Cleanup(func() { podmanRun(t, podman, "rm", "-f", id) })
		return id
	}
	socket := filepath.Join(dir, "p")
	service := func() *process {
		p := startProcess(t, "podman", nil, podman, "system", "service", "--time=0", "unix://"+socket)
		p.ready("unix", socket)
		return p
	}
	s := service()
	first := run("one")
	run("two")
	g, pool := startSource(t, fmt.Sprintf("{docker: {label: %q, address: %q}}", label, "unix:"+socket))
	l := startLoad(t, load{address: fixed(g.address), rate: 50, methods: safe, keepAlive: true})
	l.until("an answer of one", func(r result) bool { return r.app == "one" })
	l.until("an answer of two", func(r result) bool { return r.app == "two" })
	podmanHealth(t, podman, run, pool, l)
	slow := slowRequestTo(t, g, "one")
	stopped := make(chan struct{})
	go func() { // the app does not know the signal: it is killed after 4 s
		defer close(stopped)
		exec.Command(podman, "stop", "-t", "4", first).Run()
	}()
	waitFor(t, "the one that stops to drain", func() bool {
		return slices.ContainsFunc(pool().Upstreams, func(u admin.Upstream) bool { return u.Lifecycle == "terminating" && !u.Available })
	})
	if err := <-slow; err != nil {
		t.Errorf("a request that the one that was stopped had begun: %v", err)
	}
	<-stopped
	waitFor(t, "the one that was stopped to be left out", func() bool {
		p := pool()
		return len(p.Upstreams) == 1 && len(p.Sources[0].LeftOut) == 1
	})
	s.kill()
	waitFor(t, "the status to say that podman is lost", func() bool { return pool().Sources[0].Error != "" })
	run("three")
	l.more(50)
	service()
	l.until("an answer of three", func(r result) bool { return r.app == "three" })
	results := l.finish()
	g.finish()
	wantNoneFailed(t, g, results)
}

// podmanHealth runs a container that becomes healthy, and one that does not. Both end with it.
func podmanHealth(t *testing.T, podman string, run func(string, ...string) string, pool func() admin.Pool, l *running) {
	t.Helper()
	check := []string{"--health-cmd", `["/app", "check", "http://127.0.0.1:8080/healthz"]`, "--health-interval", "disable", "--health-retries", "1"}
	is := func(id, health, lifecycle string) {
		t.Helper()
		waitFor(t, health+" container to be "+lifecycle, func() bool {
			return slices.ContainsFunc(pool().Upstreams, func(u admin.Upstream) bool {
				return strings.HasPrefix(id, u.Metadata["id"]) && u.Metadata["health"] == health && u.Lifecycle == lifecycle
			})
		})
	}
	well, sick := run("well", check...), run("sick", append(check, "--env", "HEALTH_STATUS=503")...)
	is(well, "starting", "not_ready")
	is(sick, "starting", "not_ready")
	podmanRun(t, podman, "healthcheck", "run", well)
	exec.Command(podman, "healthcheck", "run", sick).Run() // fails, as the check does
	is(well, "healthy", "serving")
	is(sick, "unhealthy", "not_ready")
	l.until("an answer of the healthy one", func(r result) bool { return r.app == "well" })
	for _, one := range l.answered() {
		if one.app == "sick" {
			t.Errorf("the unhealthy one has answered: %v", one)
		}
	}
	podmanRun(t, podman, "rm", "-f", "-t", "2", well, sick)
	waitFor(t, "two upstreams", func() bool { return len(pool().Upstreams) == 2 })
}

// runsContainers returns how a container is run: by podman's own runtime, else by runc, which
// older kernels need. A machine that can do neither skips the test.
func runsContainers(t *testing.T, podman, image string) func(args ...string) []string {
	t.Helper()
	var failed []string
	for _, before := range [][]string{{podman}, {podman, "--runtime", "runc"}} {
		run := func(args ...string) []string {
			return slices.Concat(before, []string{"run", "-d", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"}, args)
		}
		argv := run("--rm", "--label", "goodgate-test=try", image, "try", "127.0.0.1:8080")
		out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
		if err == nil {
			podmanRun(t, podman, "kill", strings.TrimSpace(string(out)))
			return run
		}
		failed = append(failed, string(out))
	}
	t.Skipf("containers cannot be run here: %q", failed)
	return nil
}

func podmanRun(t *testing.T, argv ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", argv, err, out)
	}
	return string(out)
}

// TestDocsDiscovery checks each configuration of the page, and queries the list server that
// one of them names.
func TestDocsDiscovery(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "docs", "discovery.md"))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer t0ken" || r.Header.Get("X-Team") != "shop" {
			w.WriteHeader(403)
			return
		}
		fmt.Fprint(w, `[{"url": "http://10.0.0.1:3000", "zone": "b", "lifecycle": "not_ready"}]`)
	}))
	defer server.Close()
	n, asked := 0, false
	for i, block := range strings.Split(string(page), "```yaml\n") {
		text, _, _ := strings.Cut(block, "```")
		if i == 0 || !strings.HasPrefix(text, "listeners:") {
			continue
		}
		n++
		dir := t.TempDir()
		for _, name := range []string{"list.token", "consul.token", "nomad.token", "etcd.password"} {
			writeFile(t, dir, name, "t0ken\n")
		}
		here := strings.Replace(text, "http://127.0.0.1:9000", server.URL, 1)
		file := writeFile(t, dir, "goodgate.yaml", here)
		wantCommand(t, 0, "good", "check", file)
		if here != text {
			asked = true
			wantCommand(t, 0, "http://10.0.0.1:3000         not ready  zone b", "discover", "--config", file)
		}
	}
	if n != 7 || !asked {
		t.Errorf("the page has %d configurations, want one at its top and one for each of 6 sources; the list was asked for: %v", n, asked)
	}
}
