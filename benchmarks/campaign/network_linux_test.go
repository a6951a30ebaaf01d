package main

import (
	"net"
	"testing"
)

// TestPair joins two namespaces by a pair of devices without netem, which this
// machine's kernel may lack.
func TestPair(t *testing.T) {
	t.Parallel()
	near, err := newNamespace()
	if err != nil {
		t.Skip(err)
	}
	defer near.end()
	far, err := newNamespace()
	if err != nil {
		t.Fatal(err)
	}
	defer far.end()
	if err := connectPair(near, far); err != nil {
		t.Skip(err)
	}
	var ln net.Listener
	far.do(func() { ln, err = net.Listen("tcp", net.JoinHostPort(farIP, "0")) })
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	near.do(func() {
		var c net.Conn
		if c, err = net.Dial("tcp", ln.Addr().String()); err == nil {
			c.Close()
		}
	})
	if err != nil {
		t.Error(err)
	}
}
