package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// wireMax bounds the packets on a wire in one direction.
const wireMax = 4096

const (
	tunDevice = "campaign0"
	tunMTU    = 1500 // MTU of a new TUN device
)

// joinTUN joins two namespaces by a TUN device in each, and carries packets between
// them except those that the sieve drops. stop ends this.
func joinTUN(near, far *namespace, w wire, s *sieve) (stop func(), err error) {
	a, err := openTUN(near, nearIP)
	if err != nil {
		return nil, err
	}
	b, err := openTUN(far, farIP)
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	var carriers sync.WaitGroup
	carriers.Go(func() { w.carry(a, b, s, 1) })
	carriers.Go(func() { w.carry(b, a, s, 2) })
	return func() {
		a.Close()
		b.Close()
		carriers.Wait()
	}, nil
}

// openTUN creates a TUN device in a namespace, which exists while the file is open.
func openTUN(n *namespace, ip string) (f *os.File, err error) {
	n.do(func() { f, err = newTUN() })
	if err != nil {
		return nil, fmt.Errorf("making a TUN device: %w", err)
	}
	if err := n.up(tunDevice, ip); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func newTUN() (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	request, err := unix.NewIfreq(tunDevice)
	if err == nil {
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	}
	if err == nil {
		err = unix.SetNonblock(fd, true) // lets Close end a Read
	}
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), "tun"), nil
}

// packet is a packet on the wire with its due time.
type packet struct {
	due  time.Time
	data []byte
}

// carry moves packets from one device to the other, in order, until one of them is
// closed.
func (w wire) carry(from, to *os.File, s *sieve, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 0))
	flying := make(chan packet, wireMax)
	var lands sync.WaitGroup
	lands.Go(func() {
		for p := range flying {
			wait(context.Background(), time.Until(p.due))
			to.Write(p.data) // a full device loses the packet, as networks do
		}
	})
	defer lands.Wait()
	defer close(flying)
	buf := make([]byte, tunMTU)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if random.Float64() < w.loss || !s.passes(buf[:n]) {
			continue
		}
		select {
		case flying <- packet{time.Now().Add(w.delay), append([]byte(nil), buf[:n]...)}:
		default: // the wire is full
		}
	}
}
