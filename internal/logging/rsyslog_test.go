package logging

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/proxy"
)

// program returns the path of a program that a test needs.
func program(t *testing.T, name string) string {
	t.Helper()
	for _, at := range []string{name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(at); err == nil {
			return path
		}
	}
	if os.Getenv("GOODGATE_E2E") == "all" {
		t.Fatalf("%s is not installed", name)
	}
	t.Skipf("%s is not installed (GOODGATE_E2E=all makes this a failure)", name)
	return ""
}

const rsyslogConf = `
module(load="imudp") module(load="imptcp") module(load="imuxsock" SysSock.Use="off")
input(type="imudp" address="127.0.0.1" port="%[2]d")
input(type="imptcp" address="127.0.0.1" port="%[2]d")
input(type="imuxsock" Socket="%[1]s/socket" UseSpecialParser="off" ParseHostname="on")
template(name="parts" type="string" string="%%syslogfacility-text%%|%%syslogseverity-text%%|%%app-name%%|%%procid%%|%%msgid%%|%%msg%%\n")
action(type="omfile" file="%[1]s/out" template="parts")
`

// TestRsyslog: rsyslogd understands the messages, over UDP, TCP and its socket.
func TestRsyslog(t *testing.T) {
	t.Parallel()
	daemon, dir := program(t, "rsyslogd"), t.TempDir()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := tcp.Addr().(*net.TCPAddr).Port
	tcp.Close()
	conf := filepath.Join(dir, "conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, rsyslogConf, dir, port), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(daemon, "-n", "-f", conf, "-i", filepath.Join(dir, "pid"))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
	}()
	wait := func(what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				out, _ := os.ReadFile(filepath.Join(dir, "out"))
				t.Fatalf("%s: got\n%s", what, out)
			}
		}
	}
	wait("the daemon", func() bool {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			c.Close()
		}
		_, missing := os.Stat(filepath.Join(dir, "socket"))
		return err == nil && missing == nil
	})
	for i, output := range []string{fmt.Sprintf("syslog+udp://127.0.0.1:%d", port), fmt.Sprintf("syslog+tcp://127.0.0.1:%d", port), "syslog+unix://" + dir + "/socket"} {
		l, err := Open(Options{Output: output, Format: "$uri $status", Sample: 1, Records: Requests, Syslog: Syslog{Facility: 17, App: "gate"}})
		if err != nil {
			t.Fatal(err)
		}
		for k := range 20 {
			l.Access(record(func(r *proxy.Record) { r.Path = fmt.Sprintf("/%d/%d", i, k) }))
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	wait("all messages", func() bool {
		out, _ := os.ReadFile(filepath.Join(dir, "out"))
		for i := range 3 {
			for k := range 20 {
				if !strings.Contains(string(out), fmt.Sprintf("local1|info|gate|%d|request|/%d/%d 200\n", os.Getpid(), i, k)) {
					return false
				}
			}
		}
		return true
	})
}
