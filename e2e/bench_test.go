package e2e_test

import (
	"net"
	"strings"
	"testing"
)

// TestBenchOutput: bench reports measurements that are not possible, with the right
// exit code.
func TestBenchOutput(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	file := writeFile(t, t.TempDir(), "goodgate.yaml", "listeners: [\":8080\"]\n")
	wantCommand(t, 2, "a URL needs its scheme: write http://"+address, "bench", address)
	wantCommand(t, 2, "--rate \"0\": expected a number from", "bench", "http://"+address, "--rate", "0")
	wantCommand(t, 2, `--for "0s": expected a duration above 0`, "bench", "http://"+address, "--for", "0s")
	wantCommand(t, 1, "all 10 requests failed: connecting to "+address+": connection refused", "bench", "http://"+address, "--for", "100ms")
	wantCommand(t, 1, "all 20 requests failed: connecting to "+address+": connection refused", "bench", "http://"+address, "--for", "200ms", "--knee")
	if _, progress, _ := command(t, "", "bench", "http://"+address, "--for", "200ms", "--knee"); strings.Contains(progress, "p99") || !strings.Contains(progress, "100/s  no answers  failed 20 of 20") {
		t.Errorf("--knee of a dead server:\n%s", progress)
	}
	wantCommand(t, 2, "is not a result of goodgate bench", "bench", "compare", file, file)
}
