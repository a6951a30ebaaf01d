package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

const reloaded = `
listeners: ["${LISTEN}"]
pools:
  app: {policy: first, upstreams: [%s], retry: {attempts: %d}}
`

// SIGHUP moves the load to other upstreams. With --watch, a change of the file does so
// too. A file with an error changes nothing.
func TestReloadBySignalAndByWatch(t *testing.T) {
	t.Parallel()
	for _, watch := range []bool{false, true} {
		t.Run(fmt.Sprintf("watch=%t", watch), func(t *testing.T) {
			t.Parallel()
			a, b := startApp(t, "go", "a", "DELAY_MS=2"), startApp(t, "go", "b", "DELAY_MS=2")
			dir, address := t.TempDir(), freeAddress(t)
			file := filepath.Join(dir, "goodgate.yaml")
			g := &gate{address: address}
			write := func(text string) {
				t.Helper()
				writeFile(t, dir, "next.yaml", text)
				if err := os.Rename(filepath.Join(dir, "next.yaml"), file); err != nil {
					t.Fatal(err)
				}
				if g.process != nil && !watch {
					g.signal(syscall.SIGHUP)
				}
			}
			write(fmt.Sprintf(reloaded, a.url(), 3))
			argv := []string{built.goodgate, "run", "--config", file}
			if watch {
				argv = append(argv, "--watch")
			}
			g.process = startProcess(t, "goodgate", []string{"LISTEN=" + address}, argv...)
			g.dull = isPlain
			g.ready("tcp", address)
			l := startLoad(t, load{address: fixed(address), rate: 100, methods: mixed, keepAlive: true})
			l.until("an answer of a", func(r result) bool { return r.app == "a" })
			g.waitMessage("serving")

			write("listeners: 7\n")
			g.waitMessage("configuration not reloaded")
			l.more(20)
			write(fmt.Sprintf(reloaded, b.url()+", "+a.url(), 2))
			done := g.waitMessage("configuration reloaded")
			l.until("an answer of b", func(r result) bool { return r.app == "b" })
			wantAllAnswered(t, l.finish())
			if !slices.ContainsFunc(done.Changes, func(c string) bool { return strings.HasSuffix(c, "retry.attempts: 3 -> 2") }) {
				t.Errorf("changes %q, want the one of retry.attempts", done.Changes)
			}
			g.finish()
		})
	}
}
