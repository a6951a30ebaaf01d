package doctor

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/goodgate/goodgate/internal/advice/finding"
)

// Listeners checks which processes already listen on the addresses of a proxy,
// host:port or :port. program is the proxy's own name; its own sockets are no conflict.
func Listeners(addresses []string, program string) finding.Report {
	var r finding.Report
	all, err := tcpListeners()
	if err != nil {
		r.NotKnown("the listeners of this machine: %v", err)
		return r
	}
	for _, address := range addresses {
		if l, taken := holder(all, address); taken {
			judgeHolder(&r, address, program, l)
		} else {
			localStep(&r, "listener", "%s is free", address)
		}
	}
	return r
}

func judgeHolder(r *finding.Report, address, program string, l listener) {
	name := processOf(l.inode)
	localStep(r, "listener", "%s is in use by %s", address, l.who())
	switch {
	case name == "":
		r.NotKnown("the process that listens on %s: run this as root to see it", address)
	case !strings.HasPrefix(name, program+" "):
		r.Find(finding.Finding{
			Severity: finding.Error, Confidence: finding.Certain, Code: "listener_conflict", Where: "listener " + address,
			Seen:  fmt.Sprintf("%s listens on %s", name, l.address),
			Means: fmt.Sprintf("%s cannot start there: the address is in use", program), Do: "stop the other process, or listen on another address",
		})
	}
}

// holder returns the listener on an address, or on an address that excludes it.
func holder(all []listener, address string) (listener, bool) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return listener{}, false
	}
	want, err := netip.ParseAddr(host)
	everywhere := host == "" || err == nil && want.IsUnspecified()
	for _, l := range all {
		overlap := everywhere || l.address.Addr().IsUnspecified() || l.address.Addr() == want
		if overlap && strconv.Itoa(int(l.address.Port())) == port {
			return l, true
		}
	}
	return listener{}, false
}

// Holder returns the id of the process that listens on an address. It returns 0 if
// there is none, or if the process is not visible.
func Holder(address string) int {
	all, err := tcpListeners()
	if err != nil {
		return 0
	}
	l, taken := holder(all, address)
	if !taken {
		return 0
	}
	_, rest, _ := strings.Cut(processOf(l.inode), "(pid ")
	pid, _ := strconv.Atoi(strings.TrimSuffix(rest, ")"))
	return pid
}
