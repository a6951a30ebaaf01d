package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"time"
)

const (
	// The range is below the ports that systems give to outgoing connections, so that
	// no connection takes a backend's port while the backend is down.
	portMin, portMax = 20000, 32000

	loopback = "127.0.0.1"
)

// wire describes the network between proxy and backends. The zero value is loopback.
type wire struct {
	delay time.Duration // in one direction
	loss  float64       // share of lost packets, in each direction
	drops bool          // it can drop a backend's packets on demand
}

// network is the network of a case: the clients and the proxy are at the near end, the
// backends at the far end.
type network struct {
	near, far place
	means     string // the mechanism that delays and loses packets; "" = none
	sieve     *sieve // nil = no packets are dropped on demand
	stop      func()
}

// place is one end of a network.
type place struct {
	ip string
	do func(func()) // runs a function whose processes and sockets belong to this end
}

// newNetwork creates the network of a case. Its error is the reason why that is not
// possible. A network without a wire uses a loopback address.
func newNetwork(w wire, address string) (*network, error) {
	if w == (wire{}) {
		here := place{address, func(f func()) { f() }}
		return &network{near: here, far: here, stop: func() {}}, nil
	}
	return newFarNetwork(w)
}

// freeAddr returns an unused address of the place.
func (p place) freeAddr() (addr string, err error) {
	p.do(func() { addr, err = freeAddr(p.ip) })
	return addr, err
}

// freeAddr returns the first of the IPs with a port that is unused on all of them.
func freeAddr(ips ...string) (string, error) {
	var err error
	for range 100 {
		port := fmt.Sprint(portMin + rand.IntN(portMax-portMin))
		if err = canListen(port, ips); err == nil {
			return net.JoinHostPort(ips[0], port), nil
		}
	}
	return "", fmt.Errorf("finding a port between %d and %d: %w", portMin, portMax, err)
}

func canListen(port string, ips []string) error {
	for _, ip := range ips {
		ln, err := net.Listen("tcp", net.JoinHostPort(ip, port))
		if err != nil {
			return err
		}
		if err := ln.Close(); err != nil {
			return err
		}
	}
	return nil
}
