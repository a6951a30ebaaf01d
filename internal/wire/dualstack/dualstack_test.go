package dualstack

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const (
	v4 = "10.0.0.1:80"
	v6 = "[2001:db8::1]:80"
)

var errRefused = errors.New("refused")

// network has the results of connections by address: after a time an error, or nil for
// a connection.
type network struct {
	after map[string]time.Duration
	errs  map[string]error

	mu    sync.Mutex // mu protects the fields below.
	tried []string
	open  int
}

func (n *network) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	n.mu.Lock()
	n.tried = append(n.tried, addr)
	n.mu.Unlock()
	select {
	case <-time.After(n.after[addr]):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := n.errs[addr]; err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.open++
	c, _ := net.Pipe()
	return &conn{c, n}, nil
}

type conn struct {
	net.Conn
	n *network
}

func (c *conn) Close() error {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	c.n.open--
	return c.Conn.Close()
}

func TestConnect(t *testing.T) {
	t.Parallel()
	f := func(name string, n *network, took time.Duration, wantErr bool, tried ...string) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &Host{Addr: v4, Other: v6}
				began := time.Now()
				c, err := h.Connect(t.Context(), n.dial)
				if (err != nil) != wantErr || time.Since(began) != took || !slices.Equal(n.tried, tried) {
					t.Errorf("got %v after %v, tried %v; want an error %v after %v, tried %v", err, time.Since(began), n.tried, wantErr, took, tried)
				}
				if wantErr && (!errors.Is(err, errRefused) || !strings.Contains(err.Error(), "other address")) {
					t.Errorf("got %v", err)
				}
				if c != nil {
					c.Close()
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				if n.open != 0 {
					t.Errorf("%d connections are left", n.open)
				}
			})
		})
	}
	f("both work", &network{}, 0, false, v4)
	f("IPv4 only", &network{errs: map[string]error{v6: errRefused}}, 0, false, v4)
	f("IPv6 only", &network{errs: map[string]error{v4: errRefused}}, 0, false, v4, v6)
	f("IPv4 is silent", &network{after: map[string]time.Duration{v4: time.Hour}}, delay, false, v4, v6)
	f("IPv4 is slow", &network{after: map[string]time.Duration{v4: 400 * time.Millisecond, v6: time.Hour}}, 400*time.Millisecond, false, v4, v6)
	f("both are slow", &network{after: map[string]time.Duration{v4: time.Second, v6: 750 * time.Millisecond}}, time.Second, false, v4, v6)
	f("neither works", &network{errs: map[string]error{v4: errRefused, v6: errors.New("no route")}}, 0, true, v4, v6)
}

// The address that worked last comes first, so that one that does not costs once.
func TestLastWorkingAddressComesFirst(t *testing.T) {
	t.Parallel()
	n := &network{errs: map[string]error{v4: errRefused}}
	h := &Host{Addr: v4, Other: v6}
	for range 3 {
		c, err := h.Connect(t.Context(), n.dial)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	if want := []string{v4, v6, v6, v6}; !slices.Equal(n.tried, want) {
		t.Errorf("tried %v, want %v", n.tried, want)
	}
}

func TestOneAddress(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{v4: "tcp " + v4, "unix:/run/app.sock": "unix /run/app.sock"} {
		got := ""
		(&Host{Addr: addr}).Connect(t.Context(), func(_ context.Context, network, addr string) (net.Conn, error) {
			got = network + " " + addr
			return nil, errRefused
		})
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
