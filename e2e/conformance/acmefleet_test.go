package conformance_test

import (
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// front is an address that leads to several, one after the other, as a load balancer does.
type front struct {
	address string
	to      []string
	next    atomic.Int64
}

func newFront(t *testing.T, to ...string) *front {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &front{address: l.Addr().String(), to: to}
	var wg sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { f.pass(c) })
		}
	})
	return f
}

func (f *front) pass(c net.Conn) {
	defer c.Close()
	for range f.to { // who refuses is passed over
		up, err := net.DialTimeout("tcp", f.to[int(f.next.Add(1))%len(f.to)], time.Second)
		if err != nil {
			continue
		}
		defer up.Close()
		end := time.Now().Add(10 * time.Second)
		c.SetDeadline(end)
		up.SetDeadline(end)
		done := make(chan struct{})
		go func() {
			io.Copy(up, c)
			up.(*net.TCPConn).CloseWrite()
			close(done)
		}()
		io.Copy(c, up)
		c.Close()
		<-done
		return
	}
}

// startStore runs a redis-server until the test ends.
func startStore(t *testing.T) (address string, cmd *exec.Cmd) {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("redis-server is not installed")
	}
	address = freeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	cmd = exec.Command(path, "--bind", "127.0.0.1", "--port", port, "--dir", t.TempDir(), "--save", "", "--appendonly", "no")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	eventually(t, "the store listens", func() bool { return listens(address) })
	return address, cmd
}

// acmeFleet is some goodgates that share a store, with a pebble that reaches any of them.
type acmeFleet struct {
	t     *testing.T
	store *exec.Cmd
	at    string // its address
	gates []*acmeGate
	*pebble
}

func newACMEFleet(t *testing.T, n int, hosts, acme string, o pebbleOptions) *acmeFleet {
	t.Helper()
	address, store := startStore(t)
	f := &acmeFleet{t: t, store: store, at: address}
	var plain, secure []string
	for range n {
		g := newACMEGate(t)
		f.gates = append(f.gates, g)
		plain, secure = append(plain, g.http), append(secure, g.tls)
	}
	o.http, o.tls = newFront(t, plain...).address, newFront(t, secure...).address
	f.pebble = newPebble(t, o)
	f.pebble.start()
	for i, g := range f.gates {
		g.configure(f.pebble, hosts, trusting(f.pebble)+", "+acme, "")
		g.add(fmt.Sprintf("fleet: {addresses: [%q], secret: \"a secret of the test\", instance: gate-%d}\n", address, i))
		g.start()
	}
	return f
}

// wantSame checks that all running members serve the same certificate of a host.
func (f *acmeFleet) wantSame(host string, gates ...*acmeGate) *x509.Certificate {
	f.t.Helper()
	var first *x509.Certificate
	eventually(f.t, "the same certificate for "+host+" at all", func() bool {
		first = nil
		for _, g := range gates {
			c, err := g.shown(host, f.roots())
			if err != nil || first != nil && !c.Equal(first) {
				return false
			}
			first = c
		}
		return true
	})
	return first
}

// TestACMEFleet has several goodgates obtain certificates together, from a real ACME
// server that may ask any of them.
func TestACMEFleet(t *testing.T) {
	t.Run("by TLS-ALPN-01", func(t *testing.T) { orderedByFleet(t, "challenge: tls-alpn") })
	t.Run("by HTTP-01", func(t *testing.T) { orderedByFleet(t, "challenge: http") })
	t.Run("renewed by one", renewedByFleet)
	t.Run("the one that orders is killed", orderingKilled)
	t.Run("without the store", storeKilled)
}

const fleetHosts = "[a.example.com, b.example.com, c.example.com, d.example.com]"

func orderedByFleet(t *testing.T, challenge string) {
	f := newACMEFleet(t, 3, fleetHosts, challenge, pebbleOptions{life: 90 * 24 * time.Hour})
	for _, host := range []string{"a", "b", "c", "d"} {
		f.wantSame(host+".example.com", f.gates...)
	}
	wantOrders(t, f.pebble, 4)
	if n := strings.Count(f.out.String(), "accounts in memory"); n != 1 {
		t.Errorf("%d accounts, want 1", n)
	}
	late := f.gates[2]
	late.stop()
	late.cache += "-new" // as on a new machine
	late.configure(f.pebble, fleetHosts, trusting(f.pebble)+", "+challenge, "")
	late.add(fmt.Sprintf("fleet: {addresses: [%q], secret: \"a secret of the test\", instance: late}\n", f.at))
	late.start()
	f.wantSame("a.example.com", f.gates...)
	f.wantSame("d.example.com", f.gates...)
	wantOrders(t, f.pebble, 4)
}

func renewedByFleet(t *testing.T) {
	f := newACMEFleet(t, 3, "[a.example.com]", "challenge: http", pebbleOptions{life: 30 * time.Second})
	first := f.wantSame("a.example.com", f.gates...)
	for _, g := range f.gates {
		eventually(t, "another certificate", func() bool {
			c, err := g.shown("a.example.com", f.roots())
			if err != nil {
				t.Errorf("meanwhile: %v", err)
			}
			return err == nil && !c.Equal(first)
		})
	}
	second := f.wantSame("a.example.com", f.gates...)
	if second.SerialNumber.Cmp(first.SerialNumber) == 0 {
		t.Error("nothing was renewed")
	}
	if n := f.orders(); n > 3 { // the third may be in flight
		t.Errorf("%d orders, want 2", n)
	}
}

// holder returns the goodgate that orders.
func (f *acmeFleet) holder() (holder *acmeGate, others []*acmeGate) {
	f.t.Helper()
	eventually(f.t, "an order under way", func() bool {
		return slices.ContainsFunc(f.gates, func(g *acmeGate) bool { return len(logged(g.out, "ordering a certificate")) > 0 })
	})
	for _, g := range f.gates {
		if len(logged(g.out, "ordering a certificate")) > 0 {
			holder = g
		} else {
			others = append(others, g)
		}
	}
	return holder, others
}

func orderingKilled(t *testing.T) {
	f := newACMEFleet(t, 3, "[a.example.com]", "challenge: http", pebbleOptions{life: 90 * 24 * time.Hour, slow: 5})
	holder, others := f.holder()
	eventually(t, "its order is at the authority", func() bool { return f.orders() > 0 })
	if holder == nil || len(others) != 2 {
		t.Fatalf("%d of three do not order, want 2", len(others))
	}
	holder.signal(1, syscall.SIGKILL)
	began := time.Now()
	f.wantSame("a.example.com", others...)
	t.Logf("taken over, and ordered, %v after the one that ordered was killed", time.Since(began))
	wantOrders(t, f.pebble, 2)
}

func storeKilled(t *testing.T) {
	f := newACMEFleet(t, 2, "[a.example.com]", "challenge: http", pebbleOptions{life: 90 * 24 * time.Hour})
	first := f.wantSame("a.example.com", f.gates...)
	f.store.Process.Kill()
	f.store.Wait()
	g := f.gates[1]
	g.stop()
	g.start() // has it from its folder
	if c := g.wantShown("a.example.com", f.roots()); !c.Equal(first) {
		t.Error("another certificate")
	}
	wantOrders(t, f.pebble, 1)
}
