package gate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/goodgate/goodgate/internal/advice/doctor"
	"github.com/goodgate/goodgate/internal/config"
)

// bind opens the socket of a listener. The end of ctx also ends the lookup of a host
// name.
func bind(ctx context.Context, l config.Listener) (net.Listener, error) {
	network, address := l.Network()
	if network == "unix" {
		if err := removeStale(address); err != nil {
			return nil, &bindError{network, address, err}
		}
	}
	if network == "fd" {
		return nil, fmt.Errorf("systemd passed no socket with the name %s (FileDescriptorName), or another listener uses it", address)
	}
	ln, err := new(net.ListenConfig).Listen(ctx, network, address)
	if err != nil {
		return nil, &bindError{network, address, err}
	}
	if network == "unix" {
		if err := os.Chmod(address, l.Mode); err != nil {
			ln.Close()
			return nil, err
		}
	}
	return ln, nil
}

// removeStale removes the socket file of a process that has ended. It leaves a socket
// that still answers, and a file that is no socket.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return errors.New("a file exists there, and it is not a socket")
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		c.Close()
		return errSocketInUse
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}

var errSocketInUse = errors.New("in use: another process answers on it")

// bindError says why a socket could not be opened, and how to solve that.
type bindError struct {
	network, address string
	err              error
}

// Unbound returns an error that says why a listener at host:port could not be opened, and
// how to solve that.
func Unbound(address string, err error) error { return &bindError{"tcp", address, err} }

func (e *bindError) Unwrap() error { return e.err }

func (e *bindError) Error() string {
	if by := e.usedBy(); by != "" {
		return e.where() + " is in use" + by
	}
	return "cannot listen on " + e.where() + ": " + e.why()
}

// usedBy names the program that uses the address, "" if the address is free.
func (e *bindError) usedBy() string {
	switch {
	case errors.Is(e.err, errSocketInUse):
		return ": another process answers on it"
	case !errors.Is(e.err, syscall.EADDRINUSE):
		return ""
	case e.network == "udp":
		return " by another process (as root, ss -lunp shows which)"
	}
	if who := doctor.Who(e.address); who != "" {
		return " by " + who + ": stop that process, or listen on another address"
	}
	return " by another process: stop that process, or listen on another address (as root, ss -ltnp shows which)"
}

func (e *bindError) where() string {
	if e.network == "unix" {
		return "unix:" + e.address
	}
	return e.address
}

func (e *bindError) why() string {
	switch {
	case errors.Is(e.err, syscall.EMFILE):
		return fmt.Sprintf("too many open files: this process may have %d; raise LimitNOFILE= of its unit, or ulimit -n", maxFiles())
	case errors.Is(e.err, syscall.ENFILE):
		return "too many open files on this machine: raise fs.file-max (sysctl)"
	case e.network == "unix":
		return e.whyNoSocket()
	case errors.Is(e.err, fs.ErrPermission):
		return e.whyForbidden()
	case errors.Is(e.err, syscall.EAFNOSUPPORT):
		return "this machine has no addresses of that kind (is IPv6 turned off?)"
	case errors.Is(e.err, syscall.EADDRNOTAVAIL):
		return "not an address of this machine; it has " + ownAddresses()
	}
	if dns, ok := errors.AsType[*net.DNSError](e.err); ok {
		return "the name cannot be looked up: " + dns.Err
	}
	if _, ok := errors.AsType[*net.AddrError](e.err); ok {
		return "expected host:port"
	}
	return innermost(e.err)
}

// unprivileged is the first port that needs no privilege, unless the system says
// otherwise.
const unprivileged = 1024

func (e *bindError) whyForbidden() string {
	_, text, _ := net.SplitHostPort(e.address)
	port, err := strconv.Atoi(text)
	if err != nil || port >= unprivileged {
		return "permission denied: does a security module (SELinux, AppArmor) or a policy forbid it?"
	}
	program, err := os.Executable()
	if err != nil {
		program = "goodgate"
	}
	return fmt.Sprintf("permission denied: ports below %d need a privilege: setcap cap_net_bind_service=+ep %s (as root, again for each new binary), "+
		"or AmbientCapabilities=CAP_NET_BIND_SERVICE in the systemd unit, "+
		"or sysctl net.ipv4.ip_unprivileged_port_start=%d (as root, for every program of this machine)", unprivileged, program, port)
}

// maxSocketPath is the longest path of a Unix socket, in bytes (sun_path without its
// final zero).
const maxSocketPath = 107

func (e *bindError) whyNoSocket() string {
	folder := filepath.Dir(e.address)
	switch {
	case len(e.address) > maxSocketPath:
		return fmt.Sprintf("the path has %d bytes; a socket's may have %d", len(e.address), maxSocketPath)
	case errors.Is(e.err, fs.ErrNotExist):
		return fmt.Sprintf("there is no folder %s: create it with mkdir -p, or with RuntimeDirectory= in the systemd unit", folder)
	case errors.Is(e.err, fs.ErrPermission):
		return fmt.Sprintf("this user (uid %d) may not create files in %s", os.Getuid(), folder)
	}
	return innermost(e.err)
}

// innermost returns the text of an error without the layers that package net adds.
func innermost(err error) string {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err.Error()
		}
		err = next
	}
}

// ownAddresses lists the addresses of this machine, as many as a reader can take in.
func ownAddresses() string {
	const most = 8
	all, err := net.InterfaceAddrs()
	if err != nil {
		return "others"
	}
	var list []string
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil && !p.Addr().IsLinkLocalUnicast() {
			list = append(list, p.Addr().String())
		}
	}
	if len(list) > most {
		return strings.Join(list[:most], ", ") + fmt.Sprintf(" and %d more", len(list)-most)
	}
	return strings.Join(list, ", ")
}
