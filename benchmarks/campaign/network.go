package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"time"
)

const (
	// Below the ports that systems give to outgoing connections, so that nobody
	// takes a backend's port while it is down.
	portMin, portMax = 20000, 32000

	loopback = "127.0.0.1"
)

// wire is what the network between proxy and backends does to packets. The zero
// value is loopback.
type wire struct {
	delay time.Duration // one way
	loss  float64       // share of packets that get lost, each way
	drops bool          // backends' packets can be dropped
}

// network is where a case happens: the clients and the proxy are near, the
// backends far.
type network struct {
	near, far place
	means     string // what delays and loses packets; "" = nothing does
	sieve     *sieve // nil = the wire drops nothing on demand
	stop      func()
}

// place is one end of a network.
type place struct {
	ip string
	do func(func()) // runs a function here: what it starts or opens belongs here
}

// newNetwork makes the network of a case. Its error says why it cannot be had. A
// network that needs no wire is at a loopback address.
func newNetwork(w wire, address string) (*network, error) {
	if w == (wire{}) {
		here := place{address, func(f func()) { f() }}
		return &network{near: here, far: here, stop: func() {}}, nil
	}
	return newFarNetwork(w)
}

// freeAddr returns an address of the place that nobody listens on.
func (p place) freeAddr() (addr string, err error) {
	p.do(func() { addr, err = freeAddr(p.ip) })
	return addr, err
}

// freeAddr returns the first of the IPs with a port that nobody listens on at any
// of them.
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
