package e2e_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/proxy"
)

// The examples of the documentation run here unchanged, except for their ports.

func TestDocsSidecar(t *testing.T) {
	t.Parallel()
	x := openExample(t, "sidecar.md", "app.js", "goodgate.yaml")
	address := x.firstAddress("goodgate.yaml")
	upstream := x.port("3000")
	start := func() *process {
		p := startProcess(t, "app.js", nil, need(t, "node"), filepath.Join(x.dir, "app.js"))
		p.ready("tcp", "127.0.0.1:"+upstream)
		return p
	}
	wantCommand(t, 0, "good", "check", filepath.Join(x.dir, "goodgate.yaml"))
	app := start()
	g := x.startGate(address)
	before := ask(t, address, "GET", "/")
	app.kill()
	restarted := make(chan *answer, 1)
	held := request(t, "GET", "/")
	c := connect(t, address)
	go func() {
		a, _ := c.do(held)
		restarted <- a
	}()
	start()
	after := <-restarted
	if after == nil {
		t.Fatal("the request during the restart got no answer")
	}
	for name, a := range map[string]*answer{"before": before, "during": after} {
		if a.StatusCode != 200 || !strings.HasPrefix(a.body, "hello from ") {
			t.Errorf("%s the restart: status %d, body %q", name, a.StatusCode, a.body)
		}
	}
	if before.body == after.body {
		t.Errorf("both answers are of the same process: %q", before.body)
	}
	g.finish()
}

func TestDocsNginx(t *testing.T) {
	t.Parallel()
	x := openExample(t, "nginx.md", "goodgate.yaml", "nginx.conf")
	gateAddress, address := x.firstAddress("goodgate.yaml"), "127.0.0.1:"+x.port("8000")
	x.startApps("goodgate.yaml", gateAddress)
	g := x.startGate(gateAddress)
	front := startNginxFile(t, x.dir, "nginx.conf", address)
	l := startLoad(t, load{address: fixed(front.address), rate: 100, methods: mixed, keepAlive: true})
	l.more(100)
	wantAllAnswered(t, l.finish())
	// One id is in nginx's request, in goodgate's log, and at the client.
	a := ask(t, address, "GET", "/")
	id := a.Header.Get("X-Request-Id")
	if got := a.echo(t).Headers["x-request-id"]; got != id || id == "" {
		t.Errorf("X-Request-Id at the app %q, at the client %q", got, id)
	}
	if got := g.request(id); got.Status != 200 {
		t.Errorf("the log says %+v of request %s", got, id)
	}
	g.finish()
}

// Nothing that a client says about itself reaches the application through nginx
// and goodgate as the page has them, nor when nginx lets more names pass.
func TestDocsNginxHostile(t *testing.T) {
	t.Parallel()
	for name, more := range map[string]string{"as printed": "", "with underscores": "    underscores_in_headers on;\n    ignore_invalid_headers off;\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := openExample(t, "nginx.md", "goodgate.yaml", "nginx.conf")
			gateAddress, address := x.firstAddress("goodgate.yaml"), "127.0.0.1:"+x.port("8000")
			writeFile(t, x.dir, "nginx.conf", strings.Replace(x.files["nginx.conf"], "  server {\n", "  server {\n"+more, 1))
			x.startApps("goodgate.yaml", gateAddress)
			g := x.startGate(gateAddress)
			startNginxFile(t, x.dir, "nginx.conf", address)
			for range 3 { // each of the applications
				wantNoClaims(t, ask(t, address, "GET", "/", hostile()...).echo(t).Headers)
			}
			g.finish()
		})
	}
}

// hostile are headers that a client might forge, in many spellings.
func hostile() (headers []string) {
	for _, name := range append(proxy.DefaultDropHeaders(), "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix",
		"X-Forwarded-Proto", "X-Forwarded-Server", "X-Forwarded-Ssl", "X-Forwarded-User", "X-Real-IP", "X-Request-Id", "Goodgate-Drain") {
		headers = append(headers, name+": evil", strings.ToLower(name)+": evil")
		if strings.Contains(name, "-") {
			headers = append(headers, strings.ReplaceAll(name, "-", "_")+": evil", strings.Replace(name, "-", "_", 1)+": evil", strings.ReplaceAll(name, "-", ".")+": evil")
		}
	}
	return headers
}

// wantNoClaims checks the headers that an application receives behind nginx and
// goodgate, from a client at 127.0.0.1 with hostile headers.
func wantNoClaims(t *testing.T, got map[string]string) {
	t.Helper()
	for name, value := range got {
		if strings.Contains(value, "evil") {
			t.Errorf("the application has %s: %s", name, value)
		}
	}
	for name, want := range map[string]string{"x-forwarded-for": "127.0.0.1, 127.0.0.1", "x-forwarded-proto": "http", "x-forwarded-host": "gate.test", "host": "gate.test"} {
		if got[name] != want {
			t.Errorf("the application has %s: %q, want %q", name, got[name], want)
		}
	}
}

func TestDocsLibrary(t *testing.T) {
	t.Parallel()
	x := openExample(t, "library.md", "main.go")
	if strings.Contains(x.files["main.go"], "goodgate/internal/") {
		t.Error("the example imports an internal package, which its readers cannot")
	}
	address := "127.0.0.1:" + x.port("8080")
	apps := x.startApps("main.go", address)
	p := startProcess(t, "the library's example", nil, x.build("main.go"))
	p.ready("tcp", address)
	l := startLoad(t, load{address: fixed(address), rate: 100, methods: safe, keepAlive: true})
	l.until("an answer of "+apps[0].name, func(r result) bool { return r.app == apps[0].name })
	apps[0].kill()
	l.more(50)
	apps[0].start()
	l.until("an answer of "+apps[0].name+" after its restart", func(r result) bool { return r.app == apps[0].name })
	wantAllAnswered(t, l.finish())
	p.signal(os.Interrupt)
	if got := p.wait(); got != 0 {
		t.Errorf("exit code %d after SIGINT, want 0", got)
	}
}

// startGate runs goodgate with the example's configuration.
func (x *example) startGate(address string) *gate {
	x.t.Helper()
	g := &gate{address: address}
	g.process = startProcess(x.t, "goodgate", nil, built.goodgate, "run", "--config", filepath.Join(x.dir, "goodgate.yaml"))
	g.dull = isPlain
	g.ready("tcp", address)
	return g
}

// startApps runs an app server at every address in a file but one.
func (x *example) startApps(file, except string) []*app {
	x.t.Helper()
	var apps []*app
	for _, address := range x.addresses(file) {
		if address != except {
			apps = append(apps, startAppAt(x.t, "go", "at "+address, address))
		}
	}
	if len(apps) == 0 {
		x.t.Fatalf("no upstream in\n%s", x.files[file])
	}
	return apps
}

// build compiles a file as a package of this module.
func (x *example) build(file string) string {
	x.t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		x.t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{
		filepath.Join(root, "e2e", "example", file): filepath.Join(x.dir, file),
	}})
	if err != nil {
		x.t.Fatal(err)
	}
	program := filepath.Join(x.dir, "example")
	list := writeFile(x.t, x.dir, "overlay.json", string(overlay))
	c := exec.CommandContext(x.t.Context(), "go", "build", "-overlay", list, "-o", program, "./e2e/example")
	c.Dir = root
	if out, err := c.CombinedOutput(); err != nil {
		x.t.Fatalf("building %s: %v\n%s", file, err, out)
	}
	return program
}
