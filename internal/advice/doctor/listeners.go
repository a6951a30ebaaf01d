package doctor

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// listener is a listening TCP socket of this machine.
type listener struct {
	address netip.AddrPort
	waiting int    // connections in the accept queue
	inode   string // the socket's inode
}

// who returns the name of the process with the socket.
func (l listener) who() string {
	if name := processOf(l.inode); name != "" {
		return name
	}
	return "another process"
}

// host returns an address for connections to the listener.
func (l listener) host() string {
	if l.address.Addr().IsUnspecified() {
		return "127.0.0.1"
	}
	return l.address.Addr().String()
}

// tcpListeners returns the listening sockets of this network namespace.
func tcpListeners() ([]listener, error) {
	var all []listener
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(file)
		if err != nil {
			if len(all) > 0 || file == "/proc/net/tcp" && fileExists("/proc/net/tcp6") {
				continue
			}
			return nil, err
		}
		for s := bufio.NewScanner(f); s.Scan(); {
			if l, ok := parseSocket(s.Text()); ok {
				all = append(all, l)
			}
		}
		f.Close()
	}
	return all, nil
}

func fileExists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// parseSocket parses a line of /proc/net/tcp (proc_net_tcp.txt of the kernel's
// documentation); ok is false if the socket does not listen.
func parseSocket(line string) (l listener, ok bool) {
	const listening = "0A"
	fields := strings.Fields(line)
	if len(fields) < 10 || fields[3] != listening {
		return l, false
	}
	l.address, ok = parseHexAddress(fields[1])
	_, rx, _ := strings.Cut(fields[4], ":")
	waiting, err := strconv.ParseUint(rx, 16, 32)
	l.waiting, l.inode = int(waiting), fields[9]
	return l, ok && err == nil
}

// mostWaiting returns the destination of most sockets in TIME-WAIT, and their number.
func mostWaiting() (to netip.AddrPort, n int) {
	const timeWait = "06"
	counts := map[string]int{}
	most := ""
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(file)
		if err != nil {
			continue
		}
		for s := bufio.NewScanner(f); s.Scan(); {
			fields := strings.Fields(s.Text())
			if len(fields) < 10 || fields[3] != timeWait {
				continue
			}
			remote := fields[2]
			if counts[remote]++; counts[remote] > counts[most] {
				most = remote
			}
		}
		f.Close()
	}
	to, _ = parseHexAddress(most)
	return to, counts[most]
}

// parseHexAddress parses an address in the kernel's form: words of 32 bits in this
// machine's byte order, which is little-endian on all of goodgate's platforms.
func parseHexAddress(text string) (netip.AddrPort, bool) {
	host, port, _ := strings.Cut(text, ":")
	b, err := hex.DecodeString(host)
	if err != nil || len(b)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(b); i += 4 {
		slices.Reverse(b[i : i+4])
	}
	addr, ok := netip.AddrFromSlice(b)
	n, err := strconv.ParseUint(port, 16, 16)
	return netip.AddrPortFrom(addr.Unmap(), uint16(n)), ok && err == nil
}

// processOf returns the name and id of the process with an open socket, "" if it is not
// visible.
func processOf(inode string) string {
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err == nil && to == "socket:["+inode+"]" {
			pid := strings.Split(fd, "/")[2]
			name, err := os.ReadFile("/proc/" + pid + "/comm")
			if err != nil {
				return ""
			}
			return fmt.Sprintf("%s (pid %s)", strings.TrimSpace(string(name)), pid)
		}
	}
	return ""
}

// listenerAt returns the listener on an address of this machine.
func listenerAt(address string) (listener, bool) {
	want, err := netip.ParseAddrPort(address)
	if err != nil || !isLocal(want.Addr().String()) {
		return listener{}, false
	}
	all, err := tcpListeners()
	if err != nil {
		return listener{}, false
	}
	for _, l := range all {
		if l.address.Port() == want.Port() && (l.address.Addr() == want.Addr() || l.address.Addr().IsUnspecified()) {
			return l, true
		}
	}
	return listener{}, false
}

// samePort returns a listener on the port, with any address.
func samePort(all []listener, port string) (listener, bool) {
	for _, l := range all {
		if strconv.Itoa(int(l.address.Port())) == port {
			return l, true
		}
	}
	return listener{}, false
}

// nearPorts returns up to three listeners with a port that looks mistyped or moved: it
// differs in at most one digit, or by at most ten.
func nearPorts(all []listener, host, port string) []listener {
	want, _ := strconv.Atoi(port)
	distance := func(l listener) int { return max(int(l.address.Port())-want, want-int(l.address.Port())) }
	var near []listener
	for _, l := range all {
		reachable := l.address.Addr().IsUnspecified() || l.address.Addr().String() == host
		have := strconv.Itoa(int(l.address.Port()))
		if reachable && (distance(l) <= 10 || looksLike(have, port)) {
			near = append(near, l)
		}
	}
	slices.SortFunc(near, func(a, b listener) int { return distance(a) - distance(b) })
	return near[:min(len(near), 3)]
}

// looksLike reports whether two numbers differ in one digit, or by a swap of two
// digits.
func looksLike(a, b string) bool {
	if len(a) != len(b) || len(a) < 4 {
		return false
	}
	var differ []int
	for i := range a {
		if a[i] != b[i] {
			differ = append(differ, i)
		}
	}
	switch len(differ) {
	case 1:
		return true
	case 2:
		i, j := differ[0], differ[1]
		return j == i+1 && a[i] == b[j] && a[j] == b[i]
	}
	return false
}
