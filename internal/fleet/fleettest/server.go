package fleettest

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Server is a redis-server.
type Server struct {
	Address  string
	dir      string
	args     []string
	settings []string
	t        testing.TB
	cmd      *exec.Cmd
}

// StartRedis starts a redis-server with more settings, for example "requirepass x", until
// the test ends. If this machine has none, the test is skipped, and with GOODGATE_E2E=all
// it fails.
func StartRedis(t testing.TB, settings ...string) *Server {
	t.Helper()
	return startServer(t, "redis-server", settings)
}

// StartSentinel starts a redis-sentinel with the given configuration.
func StartSentinel(t testing.TB, settings ...string) *Server {
	t.Helper()
	return startServer(t, "redis-sentinel", settings)
}

func startServer(t testing.TB, program string, settings []string) *Server {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		if os.Getenv("GOODGATE_E2E") == "all" {
			t.Fatalf("%s is not installed", program)
		}
		t.Skipf("%s is not installed (GOODGATE_E2E=all makes this a failure)", program)
	}
	s := &Server{Address: freeAddress(t), dir: t.TempDir(), t: t}
	_, port, _ := net.SplitHostPort(s.Address)
	file := filepath.Join(s.dir, "server.conf")
	text := strings.Join(append([]string{"bind 127.0.0.1", "port " + port, "dir " + s.dir, "daemonize no"}, settings...), "\n") + "\n"
	if program == "redis-server" {
		text += "save \"\"\nappendonly no\n"
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.args = []string{program, file}
	s.settings = settings
	t.Cleanup(s.Kill)
	s.Start()
	return s
}

// freeAddress returns an unused address.
func freeAddress(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Start starts the server again, after Kill, and waits until it answers.
func (s *Server) Start() {
	s.t.Helper()
	s.cmd = exec.Command(s.args[0], s.args[1:]...)
	s.cmd.Dir = s.dir
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	until(s.t, s.args[0]+" answers", func() bool {
		_, err := s.Do("PING")
		return err == nil
	})
}

// Kill ends the server like kill -9.
func (s *Server) Kill() {
	if s.cmd != nil {
		s.cmd.Process.Kill()
		s.cmd.Wait()
		s.cmd = nil
	}
}

// Stop suspends the process, which keeps its connections, until Continue.
func (s *Server) Stop() { s.cmd.Process.Signal(syscall.SIGSTOP) }

// Continue resumes the process after Stop.
func (s *Server) Continue() { s.cmd.Process.Signal(syscall.SIGCONT) }

// Do sends an inline command on a separate connection, and returns the first line of the
// answer.
func (s *Server) Do(commands ...string) (line string, err error) {
	c, err := net.DialTimeout("tcp", s.Address, time.Second)
	if err != nil {
		return "", err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	in := bufio.NewReader(c)
	for _, command := range commands {
		if _, err := fmt.Fprintf(c, "%s\r\n", command); err != nil {
			return "", err
		}
		if line, err = in.ReadString('\n'); err != nil {
			return "", err
		}
	}
	return strings.TrimSpace(line), nil
}

// Setting returns the value of one of the settings that the server was started with.
func (s *Server) Setting(name string) string {
	for _, line := range s.settings {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return value
		}
	}
	return ""
}

// Ask sends an inline command and returns a complete short answer, without its framing.
func (s *Server) Ask(command string) (string, error) {
	c, err := net.DialTimeout("tcp", s.Address, time.Second)
	if err != nil {
		return "", err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	// The last answer is that to PING.
	if _, err := fmt.Fprintf(c, "%s\r\nPING\r\n", command); err != nil {
		return "", err
	}
	var text strings.Builder
	for in := bufio.NewScanner(c); in.Scan(); {
		switch line := in.Text(); {
		case line == "+PONG":
			return text.String(), nil
		case line != "" && !strings.ContainsAny(line[:1], "$*"):
			text.WriteString(line + "\n")
		}
	}
	return "", errors.New("the answer has no end")
}
