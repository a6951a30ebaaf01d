package http1

import (
	"time"

	"golang.org/x/sys/unix"
)

// tcpClose is TCP_CLOSE of the kernel's tcp_states.h: here, after a RST.
const tcpClose = 7

// maxRefusal bounds the wait for a RST.
const maxRefusal = 100 * time.Millisecond

// acked returns how many bytes the other side's TCP has acknowledged, its SYN
// being one (tcpEStatsAppHCThruOctetsAcked of RFC 4898). It is 0 where that says
// nothing about the request: in other transports than plain TCP.
func (s *socket) acked() uint64 {
	if info := s.info(); info != nil {
		return info.Bytes_acked
	}
	return 0
}

// refused reports whether the other side answered with RST what was written
// after the first acked bytes, having acknowledged none of it. The answer takes
// a round trip.
func (s *socket) refused(acked uint64) bool {
	began := time.Now()
	for pause := 100 * time.Microsecond; ; pause *= 2 {
		info := s.info()
		switch {
		case info == nil || info.Bytes_acked > acked:
			return false
		case info.State == tcpClose:
			return true
		}
		roundTrip := time.Duration(info.Rtt) * time.Microsecond
		if time.Since(began) > min(2*roundTrip+maxRefusal/10, maxRefusal) {
			return false
		}
		time.Sleep(pause)
	}
}

func (s *socket) info() *unix.TCPInfo {
	if s == nil || !s.tcp {
		return nil
	}
	var info *unix.TCPInfo
	var failed error
	err := s.raw.Control(func(fd uintptr) {
		info, failed = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	})
	if err != nil || failed != nil {
		return nil
	}
	return info
}
