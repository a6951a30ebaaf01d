package e2e_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// netspace is a network namespace with a virtual cable to another one.
type netspace struct {
	t   *testing.T
	pid string // whose network it is
}

// Addresses of the two ends, from the block for benchmarks (RFC 2544).
const nearIP, farIP = "198.18.0.1", "198.18.0.2"

// twoNetworks returns two connected namespaces.
func twoNetworks(t *testing.T) (near, far netspace) {
	t.Helper()
	unshare := need(t, "unshare")
	if os.Geteuid() != 0 {
		lack(t, "namespaces need root")
	}
	open := func() netspace {
		p := startProcess(t, "namespace", nil, unshare, "-n", "sh", "-c", "ip link set lo up && echo ready && exec sleep 600")
		p.dull = func(string) bool { return true }
		waitFor(t, "a namespace", func() bool {
			select {
			case <-p.exited:
				lack(t, "no namespace can be made here: %s", p.out.String())
			default:
			}
			return p.out.String() != ""
		})
		return netspace{t, strconv.Itoa(p.cmd.Process.Pid)}
	}
	near, far = open(), open()
	near.ip("link", "add", "near", "type", "veth", "peer", "name", "far", "netns", far.pid)
	near.ip("address", "add", nearIP+"/30", "dev", "near")
	near.ip("link", "set", "near", "up")
	far.ip("address", "add", farIP+"/30", "dev", "far")
	far.ip("link", "set", "far", "up")
	return near, far
}

// in returns the command that runs a program in the namespace.
func (n netspace) in(argv ...string) []string {
	return append([]string{"nsenter", "-t", n.pid, "-n"}, argv...)
}

func (n netspace) ip(args ...string) {
	n.t.Helper()
	argv := n.in(append([]string{"ip"}, args...)...)
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		lack(n.t, "%v: %v: %s", argv, err, out)
	}
}

// do runs f, whose sockets then belong to the namespace.
func (n netspace) do(f func() error) {
	n.t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine
		space, err := os.Open("/proc/" + n.pid + "/ns/net")
		if err == nil {
			defer space.Close()
			err = unix.Setns(int(space.Fd()), unix.CLONE_NEWNET)
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		n.t.Fatal(err)
	}
}

// When a peer vanishes silently, as behind a pulled cable, goodgate ends its tunnel within
// the documented bound, whether or not bytes were in flight.
func TestVanishedPeers(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	for _, who := range []string{"client", "upstream"} {
		t.Run(who, func(t *testing.T) {
			t.Parallel()
			near, far := twoNetworks(t) // goodgate is near
			clients, apps, address := near, far, farIP+":80"
			if who == "client" {
				clients, apps, address = far, near, nearIP+":81"
			}
			apps.do(func() error { return serveTalkative(t, address) })
			dir := t.TempDir()
			admin := filepath.Join(dir, "admin.sock")
			file := writeFile(t, dir, "goodgate.yaml", fmt.Sprintf(
				"listeners: [%q]\nadmin: %q\npools: {app: {health: {type: none}, upstreams: [%q]}}", nearIP+":8080", "unix:"+admin, "http://"+address))
			g := &gate{process: startProcess(t, "goodgate", nil, near.in(built.goodgate, "run", "-c", file)...)}
			g.dull = isPlain
			g.waitMessage("serving")
			const silent, busy = "/silent", "/busy"
			for _, path := range []string{silent, busy} {
				clients.do(func() error { return openTunnel(t, nearIP+":8080", path) })
			}
			count := func() string {
				return scrapeLine(t, "unix:"+admin, fmt.Sprintf(`upstream_tunnels_open{pool="app",upstream=%q}`, address))
			}
			waitFor(t, "two tunnels", func() bool { return count() == "2" })
			far.ip("link", "set", "far", "down")
			cut := time.Now()
			for count() != "0" {
				if time.Since(cut) > 75*time.Second {
					t.Fatalf("%s tunnels are open still, %v after the cut", count(), time.Since(cut))
				}
				time.Sleep(200 * time.Millisecond)
			}
			t.Logf("freed after %v", time.Since(cut))
		})
	}
}

// serveTalkative serves upgrades. It sends again and again on /busy, and nothing on
// /silent.
func serveTalkative(t *testing.T, address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	upgradeAll(t, l, func(c *net.TCPConn, r *bufio.Reader, path string) {
		for path == "/busy" {
			if _, err := io.WriteString(c, "tick\n"); err != nil {
				return
			}
			time.Sleep(200 * time.Millisecond)
		}
		io.Copy(io.Discard, r)
	})
	return nil
}

// openTunnel opens a tunnel. On /busy the client, too, sends again and again.
func openTunnel(t *testing.T, address, path string) error {
	c, err := dial(address)
	if err != nil {
		return err
	}
	t.Cleanup(func() { c.Close() })
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: gate.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n", path)
	line, err := c.r.ReadString('\n')
	if err != nil || line != "HTTP/1.1 101 Switching Protocols\r\n" {
		return fmt.Errorf("answer to the upgrade: %q, %w", line, err)
	}
	go io.Copy(io.Discard, c.r)
	go func() {
		for path == "/busy" {
			if _, err := io.WriteString(c, "tock\n"); err != nil {
				return
			}
			time.Sleep(200 * time.Millisecond)
		}
	}()
	return nil
}
