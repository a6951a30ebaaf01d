package e2e_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestReloadMovesLogAndAdmin: a reload under load moves the log to another file and
// format, opens the admin API with its metrics, and moves it. A reload with an address
// that is not available changes nothing.
func TestReloadMovesLogAndAdmin(t *testing.T) {
	t.Parallel()
	a := startApp(t, "go", "a")
	dir, address, first, second := t.TempDir(), freeAddress(t), freeAddress(t), freeAddress(t)
	file := filepath.Join(dir, "goodgate.yaml")
	write := func(more string) {
		t.Helper()
		writeFile(t, dir, "next.yaml", "listeners: [\""+address+"\"]\npools: {app: {upstreams: [\""+a.url()+"\"]}}\n"+more)
		if err := os.Rename(filepath.Join(dir, "next.yaml"), file); err != nil {
			t.Fatal(err)
		}
	}
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err.Error()
		}
		return string(text)
	}
	write("log: {output: one.log}\n")
	g := &gate{address: address}
	g.process = startProcess(t, "goodgate", nil, built.goodgate, "run", "--config", file)
	g.dull = isPlain
	g.ready("tcp", address)
	l := startLoad(t, load{address: fixed(address), rate: 200, methods: mixed, keepAlive: true})
	l.more(20)

	write("log: {output: two.log, format: text}\nadmin: {address: \"" + first + "\", token: 0123456789abcdef}\n")
	g.signal(syscall.SIGHUP)
	waitFor(t, "the reload in the new log", func() bool {
		return strings.Contains(read("two.log"), "log.output: "+filepath.Join(dir, "one.log")+" -> "+filepath.Join(dir, "two.log"))
	})
	l.more(20)

	stdout, stderr, code := command(t, dir, "reload", "--config", file)
	if code != 0 || !strings.Contains(stdout, "reloaded: 0 changes") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	if got := metricsOf(t, first); !strings.Contains(got, "goodgate_requests_total{") {
		t.Errorf("no request is counted:\n%.2000s", got)
	}
	write("log: {output: two.log, format: text}\nadmin: {address: \"" + address + "\", token: 0123456789abcdef}\nvia: other\n")
	if stdout, stderr, code = command(t, dir, "check", "goodgate.yaml"); code != 2 || !strings.Contains(stdout, "has this address already") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	write("log: {output: none/two.log}\nadmin: {address: \"" + first + "\", token: 0123456789abcdef}\nvia: other\n")
	stdout, stderr, code = command(t, dir, "reload", "--config", file)
	if code != 1 || !strings.Contains(stderr, ":3:15: log.output: ") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	write("log: {output: two.log, format: text}\nadmin: {address: \"" + second + "\", token: 0123456789abcdef}\n")
	g.signal(syscall.SIGHUP)
	waitFor(t, "the API elsewhere", func() bool { return strings.Contains(read("two.log"), "admin.address: "+first+" -> "+second) })
	metricsOf(t, second)
	wantAllAnswered(t, l.finish())
	g.signal(syscall.SIGTERM)
	if code := g.wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if strings.Contains(read("two.log"), `{"`) || strings.Contains(read("one.log"), "level=") {
		t.Error("a record in the form of the other log")
	}
}

func metricsOf(t *testing.T, address string) string {
	t.Helper()
	r, err := http.NewRequest("GET", "http://"+address+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer 0123456789abcdef")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 200 {
		t.Errorf("%s: status %d", address, res.StatusCode)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
