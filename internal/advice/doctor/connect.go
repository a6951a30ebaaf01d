package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/advice/finding"
)

// attempt is a failed attempt to connect.
type attempt struct {
	place
	finding finding.Finding
}

// maxPlaces bounds the number of addresses to try for one name.
const maxPlaces = 16

// connectAll tries every place, and returns the first reachable one.
func (e *examination) connectAll(ctx context.Context, places []place) *place {
	if more := len(places) - maxPlaces; more > 0 {
		places = places[:maxPlaces]
		e.report.NotKnown("%d more addresses of %s: the doctor tries at most %d", more, e.URL(), maxPlaces)
	}
	var reached *place
	var bad []attempt
	for i, d := range e.dialAll(ctx, places) {
		f, ok := e.connected(ctx, places[i], d)
		if !ok {
			bad = append(bad, attempt{places[i], f})
		} else if reached == nil {
			reached = &places[i]
		}
	}
	switch {
	case len(bad) > 0 && reached != nil:
		e.someUnreachable(bad, len(places)-len(bad))
	case len(bad) > 0:
		e.find(bad[0].finding)
	}
	return reached
}

// dialed is the result of an attempt to connect.
type dialed struct {
	err  error
	took time.Duration
}

// dialAll connects to all places concurrently.
func (e *examination) dialAll(ctx context.Context, places []place) []dialed {
	defer e.slow("connecting")()
	all := make([]dialed, len(places))
	var wg sync.WaitGroup
	for i, p := range places {
		wg.Go(func() {
			began := time.Now()
			conn, err := e.dial(ctx, p)
			all[i] = dialed{err, time.Since(began)}
			if err == nil {
				conn.Close()
			}
		})
	}
	wg.Wait()
	return all
}

// connected returns the finding for an attempt to connect; ok is true if it succeeded.
func (e *examination) connected(ctx context.Context, p place, d dialed) (finding.Finding, bool) {
	if p.network == "unix" {
		if f, ok := e.checkSocket(ctx, p.address); !ok {
			e.failed("socket", 0, "%s", f.Seen)
			return f, false
		}
	} else {
		e.route(p)
	}
	if d.err == nil {
		e.step("connect", d.took, "connected to %s", p.address)
		return finding.Finding{}, true
	}
	e.failed("connect", d.took, "%v", d.err)
	return e.dialFailed(ctx, p, d.err, d.took), false
}

// route records the local address for connections to p. Connecting a UDP socket sends
// nothing, but needs the route.
func (e *examination) route(p place) {
	conn, err := net.Dial("udp", p.address)
	if err != nil {
		e.failed("route", 0, "%v", err)
		return
	}
	defer conn.Close()
	if from, ok := conn.LocalAddr().(*net.UDPAddr); ok && !from.IP.IsLoopback() { // loopback is no information
		e.step("route", 0, "from %s", from.IP)
	}
}

func (e *examination) dialFailed(ctx context.Context, p place, err error, took time.Duration) finding.Finding {
	after := fmt.Sprintf("connecting to %s: ", p.address)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return e.refused(ctx, p)
	case errors.Is(err, syscall.EACCES) && p.network == "unix":
		return e.socketForbidden(p.address, "this process")
	case errors.Is(err, syscall.EAGAIN) && p.network == "unix":
		return e.backlogFull(after+"the socket's accept queue is full", 0)
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return unroutable(after + errnoText(err))
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES):
		f := broken("connect_forbidden", reason.ConnectUnreachable)
		f.Shared = "this machine"
		f.Seen = after + errnoText(err)
		f.Means = "a firewall rule for outgoing packets, or SELinux, forbids the connection on this machine"
		f.Do = "allow it: check nft list ruleset (or iptables -S OUTPUT); for SELinux, setsebool -P httpd_can_network_connect 1"
		return f
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		f := broken("ephemeral_ports", reason.ConnectUnreachable)
		f.Shared = "this machine"
		f.Seen = after + errnoText(err)
		f.Means = "this machine has no free local port left for connections to that address"
		f.Do = "reuse connections to upstreams instead of opening one for each request, and widen net.ipv4.ip_local_port_range"
		return f
	case errors.Is(err, os.ErrDeadlineExceeded), isTimeout(err):
		return e.timedOut(p, took)
	}
	f := broken("connect_failed", reason.ConnectUnreachable)
	f.Seen = after + errnoText(err)
	f.Means, f.Do = "the connection fails", "read the error"
	return f
}

func unroutable(seen string) finding.Finding {
	f := broken("unroutable", reason.ConnectUnreachable)
	f.Seen = seen
	f.Means = "this machine has no route to the address, or a router or firewall on the way reports that there is none"
	f.Do = "check ip route get ADDRESS; bring the network, the VPN or the container network up, or correct the address"
	return f
}

// timedOut distinguishes a full accept queue on this machine from lost packets.
func (e *examination) timedOut(p place, took time.Duration) finding.Finding {
	if l, ok := listenerAt(p.address); ok {
		return e.backlogFull(fmt.Sprintf("no connection to %s within %s, although %s listens there; %d connections wait to be accepted",
			p.address, span(took.Round(10*time.Millisecond)), l.who(), l.waiting), l.waiting)
	}
	f := broken("filtered", reason.ConnectTimeout)
	f.Seen = fmt.Sprintf("no answer from %s within %s: neither a connection nor a refusal", p.address, span(took.Round(10*time.Millisecond)))
	f.Means = "packets get lost on the way: a firewall or security group drops them, or the machine is down or has another address now"
	f.Do = fmt.Sprintf("allow TCP port %s from this machine to %s (firewalls of both, security groups), or correct the address", portOf(p.address), hostOf(p.address))
	return f
}

func (e *examination) backlogFull(seen string, waiting int) finding.Finding {
	f := broken("backlog_full", reason.ConnectTimeout)
	f.Seen = seen
	f.Means = "the application accepts connections too slowly: it is overloaded or hangs, and its accept queue is full"
	f.Do = "give the application more workers or a larger backlog (the second argument of listen, at most net.core.somaxconn)"
	if waiting > 0 {
		f.Directive = fmt.Sprintf("backlog of the application: %d or more", max(511, 4*waiting))
	}
	return f
}

// refused names the process that listens instead, if the address is of this machine.
func (e *examination) refused(ctx context.Context, p place) finding.Finding {
	f := broken("nothing_listens", reason.ConnectRefused)
	f.Seen = "connection refused by " + p.address
	f.Means = "the machine answers, but nothing listens on this port: the application is not running, or listens elsewhere"
	f.Do = "start the application, or correct the port"
	if p.network == "unix" {
		f.Means = "the socket file exists, but nothing listens on it: it is left over from an application that ended"
		f.Do = "start the application"
		return f
	}
	host, port := hostOf(p.address), portOf(p.address)
	if !isLocal(host) {
		f.Means += ". A firewall that rejects connections looks the same"
		return f
	}
	listeners, err := tcpListeners()
	if err != nil {
		e.report.NotKnown("the listeners of this machine: %v", err)
		return f
	}
	if other, ok := samePort(listeners, port); ok && !slices.Contains(e.o.Own, port) {
		f.Code = "other_address"
		f.Means = fmt.Sprintf("%s listens on this port, but only at %s", other.who(), other.host())
		f.Do = "use that address, or make the application listen on " + host
		f.Directive = e.Words.address(net.JoinHostPort(other.host(), port))
		return f
	}
	return e.nearby(ctx, f, p, listeners)
}

// nearby looks for listeners that speak the proxy's protocol on ports similar to the
// refused one.
func (e *examination) nearby(ctx context.Context, f finding.Finding, p place, listeners []listener) finding.Finding {
	host, port := hostOf(p.address), portOf(p.address)
	near := slices.DeleteFunc(nearPorts(listeners, host, port), func(l listener) bool {
		have := strconv.Itoa(int(l.address.Port()))
		return e.taken[have] || !e.serves(ctx, place{p.network, net.JoinHostPort(host, have)})
	})
	if len(near) == 0 {
		return f
	}
	var names []string
	for _, l := range near {
		names = append(names, fmt.Sprintf("%s (%s)", l.address.String(), l.who()))
	}
	f.Seen += "; listeners on similar ports: " + strings.Join(names, ", ")
	if len(near) == 1 {
		f.Code, f.Confidence = "wrong_port", finding.Likely
		f.Because = "it may be another application, and this one stopped"
		f.Directive = e.Words.address(net.JoinHostPort(host, fmt.Sprint(near[0].address.Port())))
		f.Means = fmt.Sprintf("nothing listens on port %s, but %s listens on %d: the port is probably wrong", port, near[0].who(), near[0].address.Port())
		f.Do = "if that is the application, correct the port; if not, start the application"
	}
	return f
}

// serves reports whether the listener at p could be the upstream.
func (e *examination) serves(ctx context.Context, p place) bool {
	if e.Protocol == SCGI {
		return true
	}
	if e.Protocol != HTTP {
		return e.speaks(ctx, p, e.Protocol)
	}
	other := *e
	other.o.MaxWait = min(other.o.MaxWait, probeWait)
	a := other.ask(ctx, p, other.request())
	a.close()
	return a.response != nil && a.response.StatusCode != http.StatusBadRequest // the usual answer of a TLS port
}

func isLocal(host string) bool {
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	if ip.IsLoopback() {
		return true
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.Equal(ip.AsSlice()) {
			return true
		}
	}
	return false
}

func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}

func portOf(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

func isTimeout(err error) bool {
	n, ok := errors.AsType[net.Error](err)
	return ok && n.Timeout() || errors.Is(err, context.DeadlineExceeded)
}

// errnoText returns the operating system's word for an error.
func errnoText(err error) string {
	if n, ok := errors.AsType[syscall.Errno](err); ok {
		return n.Error()
	}
	return err.Error()
}
