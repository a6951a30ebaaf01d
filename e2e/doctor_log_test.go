package e2e_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/goodgate/goodgate/internal/lab/logtest"
)

const (
	refusedLine = `2026/03/01 12:00:01 [error] 29#29: *1 connect() failed (111: Connection refused) while connecting to upstream, client: 10.1.1.1, server: x, request: "GET /a?secret HTTP/1.1", upstream: "http://10.0.0.1:80/a?secret", host: "x"` + "\n"
	goodLine    = `10.1.1.1 - - [01/Mar/2026:12:00:02 +0000] "GET /a?secret HTTP/1.1" 200 157 "-" "curl/8.0"` + "\n"
)

// readLog runs the doctor with a log as standard input.
func readLog(t *testing.T, log string, args ...string) (text string, code int) {
	t.Helper()
	var out logtest.Buffer
	c := exec.CommandContext(t.Context(), built.goodgate, append([]string{"doctor", "--log", "-"}, args...)...)
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(log), &out, &out
	c.Run() // the exit code has the result
	return out.String(), c.ProcessState.ExitCode()
}

// TestDoctorLog: the findings and the exit code for a log alone, in any envelope.
func TestDoctorLog(t *testing.T) {
	t.Parallel()
	zipped := func(s string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		io.WriteString(z, s)
		z.Close()
		return b.String()
	}
	zstandard, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	f := func(name, log string, code int, want string, args ...string) {
		t.Helper()
		text, got := readLog(t, log, args...)
		if got != code || !strings.Contains(text, want) {
			t.Errorf("%s: exit code %d, want %d and %q in\n%s", name, got, code, want, text)
		}
		if strings.Contains(text, "secret") {
			t.Errorf("%s: a query string is told:\n%s", name, text)
		}
	}
	f("healthy", goodLine, 0, "nothing found")
	f("refused", refusedLine, 3, "connect_refused")
	f("docker compose", "web-1  | "+refusedLine, 3, "connect_refused")
	f("syslog", "<187>Mar  1 12:00:01 host nginx: "+refusedLine, 3, "connect_refused")
	f("colours", "\x1b[31mweb-1  |\x1b[0m "+refusedLine, 3, "connect_refused")
	f("gzip", zipped(refusedLine), 3, "connect_refused")
	f("zstd", string(zstandard.EncodeAll([]byte(refusedLine), nil)), 3, "connect_refused")
	f("over", refusedLine+strings.ReplaceAll(goodLine, ":12:00", ":23:00"), 0, "it is over")
	f("not over", refusedLine+strings.ReplaceAll(goodLine, ":12:00", ":23:00"), 3, "connect_refused", "--since", "24h")
	f("not understood", strings.Replace(refusedLine, "connect() failed (111: Connection refused)", "upstream did something", 1), 4, `upstream did something`)
	f("not a log", "some words\nsome more\n", 4, "could not read 2 of 2 lines")
	f("nothing", "\n", 1, "no lines")
	f("JSON", refusedLine, 3, `"code": "connect_refused"`, "--json")
}

// TestDoctorLogNoFile: the doctor opens nothing that could wait for ever, and a signal
// ends it during a read.
func TestDoctorLogNoFile(t *testing.T) {
	t.Parallel()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	wantCommand(t, 2, "is a pipe, not a file: docker logs", "doctor", "--log", fifo)
	wantCommand(t, 2, "is a directory, not a file", "doctor", "--log", t.TempDir())
	wantCommand(t, 2, "log", "doctor", "--log", "x", "--to", "http://127.0.0.1:1")
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		c := exec.CommandContext(t.Context(), built.goodgate, "doctor", "--log", "-")
		c.Stdin = r
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		r.Close()
		for range 64 { // more than a pipe holds: when all is written, the doctor reads
			if _, err := io.WriteString(w, strings.Repeat(goodLine, 100)); err != nil {
				t.Fatal(err)
			}
		}
		c.Process.Signal(signal)
		begun := time.Now()
		c.Wait()
		if c.ProcessState.ExitCode() != 1 {
			t.Errorf("%v: %v after %s", signal, c.ProcessState, time.Since(begun))
		}
		w.Close()
	}
}

// TestDoctorLogOfNginx: logs named together with a configuration are read in the same
// way.
func TestDoctorLogOfNginx(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	app := p.app(fine)
	conf := writeFile(t, p.dir, "some.conf", "events {}\nhttp { log_format mine '$upstream_addr $status'; access_log off; server { access_log /dev/stdout mine; location / { proxy_pass http://"+app+"; } } }\n")
	log := writeFile(t, p.dir, "docker.log", "web-1  | "+strings.ReplaceAll(refusedLine, "10.0.0.1:80", app)+"web-1  | "+app+" 200\n")
	d := p.doctor("--nginx", conf, "--log", log)
	if len(d.Findings) == 0 || d.Findings[0].Code != "connect_refused" || d.code != 3 {
		t.Errorf("a container's log: %+v, exit code %d\n%s", d.Findings, d.code, d.text)
	}
	d = p.doctor("--nginx", conf, "--error-log", log)
	if len(d.Findings) == 0 || d.Findings[0].Code != "connect_refused" || d.code != 3 {
		t.Errorf("an error log with an envelope: %+v, exit code %d\n%s", d.Findings, d.code, d.text)
	}
}
