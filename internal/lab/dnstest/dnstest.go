// Package dnstest has a name server for tests.
package dnstest

import (
	"net"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// Serve answers questions on UDP until the test ends, and returns its address. answer
// returns the records of the requested type for a name, or the code for their absence.
// It is called by one goroutine at a time.
func Serve(t testing.TB, answer func(dnsmessage.Question) (dnsmessage.RCode, []dnsmessage.ResourceBody)) (addr string) {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		b := make([]byte, 4096)
		for {
			n, from, err := pc.ReadFrom(b)
			var m dnsmessage.Message
			if err != nil || m.Unpack(b[:n]) != nil || len(m.Questions) != 1 {
				return
			}
			q := m.Questions[0]
			m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
			code, bodies := answer(q)
			m.RCode = code
			for _, body := range bodies {
				m.Answers = append(m.Answers, dnsmessage.Resource{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 60}, Body: body,
				})
			}
			packed, err := m.Pack()
			if err != nil {
				t.Errorf("answering %v: %v", q, err)
				return
			}
			pc.WriteTo(packed, from)
		}
	})
	t.Cleanup(func() {
		pc.Close()
		wg.Wait()
	})
	return pc.LocalAddr().String()
}

// Loopback returns the loopback address of the requested family: 127.0.0.1 or ::1.
func Loopback(q dnsmessage.Question) (dnsmessage.RCode, []dnsmessage.ResourceBody) {
	switch q.Type {
	case dnsmessage.TypeA:
		return dnsmessage.RCodeSuccess, []dnsmessage.ResourceBody{&dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}}}
	case dnsmessage.TypeAAAA:
		return dnsmessage.RCodeSuccess, []dnsmessage.ResourceBody{&dnsmessage.AAAAResource{AAAA: [16]byte(net.IPv6loopback)}}
	}
	return dnsmessage.RCodeSuccess, nil
}
