package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/internal/advice/finding"
	"github.com/goodgate/goodgate/internal/discovery"
)

// nameTimeout bounds one DNS lookup.
const nameTimeout = 5 * time.Second

// lookUp returns the addresses of the target.
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
		e.nameFailed(ctx, host, err)
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

// whomToAsk describes the name server.
func (e *examination) whomToAsk() string {
	if e.Resolver != "" {
		return "name server " + e.Resolver
	}
	return cmp.Or(resolvConf(), "the system's name servers")
}

// familyMissing recognizes a name server that fails only for A or only for AAAA.
// Proxies that treat this as a failure of the whole lookup have no upstream at all.
func (e *examination) familyMissing(host string, err error) {
	f := finding.Finding{Severity: finding.Warning, Confidence: finding.Certain, Code: "dns_one_family", Reason: reason.DNSError}
	f.Seen = fmt.Sprintf("%s does not answer for all address families of %s: %v", e.whomToAsk(), host, err)
	f.Means = "nginx and other proxies may resolve the name only sometimes or never, and each lookup may last until its timeout"
	f.Do = "make the name server answer for both families; without addresses of a family, it must answer NOERROR without records"
	f.Directive = set(e.Words.OneFamily, "")
	e.find(f)
}

func (e *examination) nameFailed(ctx context.Context, host string, err error) {
	asked := e.whomToAsk()
	dns, _ := errors.AsType[*net.DNSError](err)
	f := broken("dns_not_found", reason.DNSError)
	switch {
	case dns != nil && dns.IsNotFound:
		f.Seen = fmt.Sprintf("%s answers that %s does not exist", asked, host)
		f.Means = "the name is misspelt, was removed, or exists only on another name server, for example that of a container network"
		f.Do = "correct the name, or use the name server that knows it"
	case dns != nil && dns.IsTimeout || errors.Is(err, context.DeadlineExceeded):
		f.Code, f.Reason, f.Shared = "dns_timeout", reason.DNSTimeout, asked
		f.Seen = fmt.Sprintf("%s gave no answer about %s within %s", asked, host, span(min(nameTimeout, e.o.MaxWait)))
		f.Means = "the name server is down, or this machine cannot reach it"
		f.Do = "make the name server reachable, or configure one that answers"
	default:
		f.Code, f.Shared = "dns_failure", asked
		f.Seen = fmt.Sprintf("looking up %s at %s failed: %v", host, asked, err)
		f.Means = "this machine cannot reach the name server, or the server cannot answer for this name"
		f.Do = "check the name server, or configure another"
	}
	if server := hostOf(e.Resolver); server == "" && ofContainer(host) || server == "127.0.0.11" || server != "" && ofContainer(server) {
		f.Severity, f.Confidence, f.Because = finding.Warning, finding.Likely, "this machine may not be where the proxy runs"
		f.Shared = "the names of a container network"
		f.Means = "this is usually a name in a container network, which exists only there; a proxy in that network can resolve it"
		f.Do = "run the doctor where the proxy runs (docker exec CONTAINER goodgate doctor ..., or docker run --network container:CONTAINER ...); if it finds nothing there either, correct the name"
		e.find(f)
		return
	}
	e.otherNameServer(ctx, &f, host)
	e.find(f)
}

// otherNameServer checks whether this machine's name server knows a name that the
// proxy's name server does not know.
func (e *examination) otherNameServer(ctx context.Context, f *finding.Finding, host string) {
	if e.Resolver == "" || e.Words.Resolver == "" {
		return
	}
	server := FirstNameServer()
	if _, err := (discovery.Resolver{Timeout: probeWait}).Ask(ctx, host); err != nil || server == "" {
		f.Do += " (" + set(e.Words.Resolver, "ADDRESS") + ")"
		return
	}
	f.Seen += "; this machine's, " + server + ", does"
	f.Directive = set(e.Words.Resolver, server)
}

// someUnreachable adds a finding for a name with some unreachable addresses.
func (e *examination) someUnreachable(bad []attempt, good int) {
	first := bad[0]
	f := first.finding
	f.Severity = finding.Warning
	f.Seen = fmt.Sprintf("%d of %d addresses of the name do not work: %s", len(bad), len(bad)+good, f.Seen)
	f.Means = "requests that go to that address fail: " + f.Means
	if e.paired {
		f.Severity = finding.Notice
		f.Means = "the proxy treats both addresses as one upstream, and connects to the other one"
		f.Do = "nothing; setting dns.family to one of the two avoids the failed attempts"
	}
	e.find(f)
}
