package doctor

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/advice/finding"
	"github.com/goodgate/goodgate/internal/discovery"
)

// nameTimeout bounds one look-up.
const nameTimeout = 5 * time.Second

// lookUp returns where the target can be reached.
func (e *examination) lookUp(ctx context.Context) []place {
	network, address := e.network()
	host, port, err := net.SplitHostPort(address)
	if network == "unix" || err != nil {
		return []place{{network, address}}
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return []place{{network, address}}
	}
	began := time.Now()
	defer e.slow("looking up %s", host)()
	answer, err := discovery.Resolver{Server: e.Resolver, Family: e.Family, Timeout: min(nameTimeout, e.o.MaxWait)}.Ask(ctx, host)
	took := time.Since(began)
	if err != nil {
		e.failed("name", took, "%s: %v", host, err)
		e.nameFailed(host, err)
		return nil
	}
	var places []place
	var others []string
	var kinds [2]int
	for _, a := range answer.Addrs {
		found := e.Target
		found.Addr = net.JoinHostPort(a.String(), port)
		others = append(others, found.URL())
		places = append(places, place{network, net.JoinHostPort(a.String(), port)})
		if a.Is4() {
			kinds[0]++
		} else {
			kinds[1]++
		}
	}
	e.report.Names = map[string][]string{e.URL(): others}
	ttl := "TTL " + span(answer.TTL)
	if answer.TTL < 0 {
		ttl = "not from DNS"
		e.report.Hosts = map[string]bool{e.URL(): true}
	}
	e.paired = e.Pair && kinds == [2]int{1, 1}
	e.step("name", took, "%s: %v (%d IPv4, %d IPv6; %s)", host, answer.Addrs, kinds[0], kinds[1], ttl)
	if answer.Missing != nil {
		e.familyMissing(host, answer.Missing)
	}
	return places
}

// whomToAsk says who answers for names, in words.
func (e *examination) whomToAsk() string {
	if e.Resolver != "" {
		return "name server " + e.Resolver
	}
	return cmp.Or(resolvConf(), "the system's name servers")
}

// familyMissing is for a name server that fails for A or for AAAA only. Proxies that
// take this for a failure of the whole look-up have no upstream at all.
func (e *examination) familyMissing(host string, err error) {
	f := finding.Finding{Severity: finding.Warning, Confidence: finding.Certain, Code: "dns_one_family", Reason: reason.DNSError}
	f.Seen = fmt.Sprintf("%s does not answer for all addresses of %s: %v", e.whomToAsk(), host, err)
	f.Means = "nginx and others may find the name now and then, or never, and each look-up can last until its timeout"
	f.Do = "have the name server answer for both families; one that has no such addresses has to say so (NOERROR without records)"
	f.Directive = set(e.Words.OneFamily, "")
	e.find(f)
}

func (e *examination) nameFailed(host string, err error) {
	asked := e.whomToAsk()
	dns, _ := errors.AsType[*net.DNSError](err)
	f := broken("dns_not_found", reason.DNSError)
	switch {
	case dns != nil && dns.IsNotFound:
		f.Seen = fmt.Sprintf("%s says that %s does not exist", asked, host)
		f.Means = "the name is misspelt, was removed, or is known to another name server only, such as that of a container network"
		f.Do = "correct the name, or ask the name server that knows it"
		if e.Resolver == "" && ofContainer(host) {
			f.Severity, f.Confidence, f.Because = finding.Warning, finding.Likely, "looked up from here, which may not be where the proxy runs"
			f.Means = "such a name is, as a rule, that of a container or service, and known only in its network; a proxy that runs there does know it"
			f.Do = "run the doctor where the proxy runs (docker exec CONTAINER goodgate doctor ..., or docker run --network container:CONTAINER ...); if it finds nothing there either, correct the name"
			e.find(f)
			return
		}
	case dns != nil && dns.IsTimeout || errors.Is(err, context.DeadlineExceeded):
		f.Code, f.Reason, f.Shared = "dns_timeout", reason.DNSTimeout, asked
		f.Seen = fmt.Sprintf("%s gave no answer about %s within %s", asked, host, span(min(nameTimeout, e.o.MaxWait)))
		f.Means = "the name server is down or cannot be reached from here"
		f.Do = "make the name server reachable, or name one that answers"
	default:
		f.Code, f.Shared = "dns_failure", asked
		f.Seen = fmt.Sprintf("looking up %s at %s failed: %v", host, asked, err)
		f.Means = "the name server cannot be reached, or cannot answer for this name"
		f.Do = "look at the name server, or name another"
	}
	if ip := net.ParseIP(hostOf(e.Resolver)); ip != nil && ip.IsLoopback() && f.Code != "dns_not_found" {
		f.Do += "; a name server of a container (127.0.0.11) answers there only: run the doctor where the proxy runs"
	}
	if other := FirstNameServer(); other != "" && strings.Trim(other, "[]") != hostOf(e.Resolver) {
		f.Directive = set(e.Words.Resolver, other)
	}
	e.find(f)
}

// ofContainer reports whether a name is one that Docker, Podman or Kubernetes gives,
// and nobody else knows.
func ofContainer(name string) bool {
	name = strings.TrimSuffix(name, ".")
	for _, end := range []string{".docker.internal", ".containers.internal", ".svc", ".cluster.local"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return !strings.Contains(name, ".")
}

// resolvConf says whom the system asks, in words.
func resolvConf() string {
	servers, search := nameServers()
	if len(servers) == 0 {
		return ""
	}
	text := "name server " + strings.Join(servers, ", ")
	if len(search) > 0 {
		text += " (search domains " + strings.Join(search, ", ") + ")"
	}
	return text
}

// FirstNameServer is the first of this machine's name servers, an address of IPv6 in
// brackets; "" when there is none.
func FirstNameServer() string {
	servers, _ := nameServers()
	for _, s := range servers {
		if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
			if a.Is6() {
				return "[" + s + "]"
			}
			return s
		}
	}
	return ""
}

// nameServers are those of the system, and its search domains.
func nameServers() (servers, search []string) {
	f, err := os.Open("/etc/resolv.conf")
	if err != nil {
		return nil, nil
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		fields := strings.Fields(s.Text())
		if len(fields) < 2 {
			continue
		}
		switch fields[0] {
		case "nameserver":
			servers = append(servers, fields[1])
		case "search", "domain":
			search = fields[1:]
		}
	}
	return servers, search
}

// someUnreachable is for a name of which only some addresses answer.
func (e *examination) someUnreachable(bad []attempt, good int) {
	first := bad[0]
	f := first.finding
	f.Severity = finding.Warning
	f.Seen = fmt.Sprintf("%d of %d addresses of the name cannot be used: %s", len(bad), len(bad)+good, f.Seen)
	f.Means = "requests that go to that address fail: " + f.Means
	if e.paired {
		f.Severity = finding.Notice
		f.Means = "the proxy takes both addresses for one upstream, and connects by the other one"
		f.Do = "nothing has to be done; dns.family with one of the two spares the tries"
	}
	e.find(f)
}
