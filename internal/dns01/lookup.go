package dns01

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	maxCNAMEs   = 10              // of one chain
	maxServers  = 32              // addresses of a zone's servers that are asked
	pollEvery   = 2 * time.Second // between two questions for a record
	leastRounds = 3               // after that a server that never answers does not count
	resolvConf  = "/etc/resolv.conf"
)

// lookup finds zones and their servers with resolvers.
type lookup struct {
	resolvers []string
	port      string // of a zone's servers
}

func newLookup(resolvers []string) (*lookup, error) {
	l := &lookup{resolvers: resolvers, port: "53"}
	if len(resolvers) > 0 {
		return l, nil
	}
	f, err := os.Open(resolvConf)
	if err != nil {
		l.resolvers = []string{"127.0.0.1:53"} // as resolv.conf(5) says
		return l, nil
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if w := strings.Fields(lines.Text()); len(w) > 1 && w[0] == "nameserver" && len(l.resolvers) < 3 {
			l.resolvers = append(l.resolvers, net.JoinHostPort(w[1], "53"))
		}
	}
	if len(l.resolvers) == 0 {
		l.resolvers = []string{"127.0.0.1:53"}
	}
	return l, nil
}

// ask asks the resolvers one after the other.
func (l *lookup) ask(ctx context.Context, name string, kind dnsmessage.Type) (*dnsmessage.Message, error) {
	var errs []error
	for _, server := range l.resolvers {
		m, err := ask(ctx, server, name, kind)
		if err == nil && m.RCode != dnsmessage.RCodeSuccess && m.RCode != dnsmessage.RCodeNameError {
			err = fmt.Errorf("name server %s: %s", server, rcode(m.RCode))
		}
		if err == nil {
			return m, nil
		}
		errs = append(errs, err)
	}
	return nil, &Error{"the record " + name + " cannot be looked up", "set resolvers in acme.dns to name servers that this machine reaches", errors.Join(errs...)}
}

// target follows CNAME records, by which a domain delegates its challenges to another
// zone.
func (l *lookup) target(ctx context.Context, name string) (string, error) {
	seen := []string{name}
	for {
		m, err := l.ask(ctx, name, dnsmessage.TypeCNAME)
		if err != nil {
			return "", err
		}
		next := ""
		for _, a := range m.Answers {
			if c, ok := a.Body.(*dnsmessage.CNAMEResource); ok && sameName(a.Header.Name.String(), name) {
				next = strings.ToLower(c.CNAME.String())
			}
		}
		if next == "" {
			return name, nil
		}
		if slices.Contains(seen, next) || len(seen) > maxCNAMEs {
			return "", &Error{"the CNAME records of " + seen[0] + " lead to no end", "correct them: " + strings.Join(append(seen, next), " -> "), nil}
		}
		seen, name = append(seen, next), next
	}
}

// zoneBy returns the zone of a name as the SOA records that ask returns tell.
func zoneBy(name string, ask func(name string) (*dnsmessage.Message, error)) (string, error) {
	for at := name; at != "" && at != "."; {
		m, err := ask(at)
		if err != nil {
			return "", err
		}
		for _, r := range slices.Concat(m.Answers, m.Authorities) {
			if zone := r.Header.Name.String(); r.Header.Type == dnsmessage.TypeSOA && zone != "." && within(at, zone) {
				return zone, nil
			}
		}
		_, at, _ = strings.Cut(at, ".")
	}
	return "", fmt.Errorf("no SOA record says which zone %s is in", name)
}

func (l *lookup) zone(ctx context.Context, name string) (string, error) {
	return zoneBy(name, func(at string) (*dnsmessage.Message, error) { return l.ask(ctx, at, dnsmessage.TypeSOA) })
}

// servers returns the addresses of a zone's servers by name.
func (l *lookup) servers(ctx context.Context, zone string) (map[string][]string, error) {
	m, err := l.ask(ctx, zone, dnsmessage.TypeNS)
	if err != nil {
		return nil, err
	}
	servers, n := map[string][]string{}, 0
	for _, a := range m.Answers {
		ns, ok := a.Body.(*dnsmessage.NSResource)
		if !ok || n > maxServers {
			continue
		}
		host := ns.NS.String()
		servers[host] = nil
		for _, kind := range []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA} {
			m, err := l.ask(ctx, host, kind)
			if err != nil {
				continue // a server without an address counts as one that does not answer
			}
			for _, ip := range addresses(m) {
				servers[host], n = append(servers[host], net.JoinHostPort(ip, l.port)), n+1
			}
		}
	}
	return servers, nil
}

func addresses(m *dnsmessage.Message) (list []string) {
	for _, a := range m.Answers {
		switch b := a.Body.(type) {
		case *dnsmessage.AResource:
			list = append(list, net.IP(b.A[:]).String())
		case *dnsmessage.AAAAResource:
			list = append(list, net.IP(b.AAAA[:]).String())
		}
	}
	return list
}

// sight is what a server shows.
type sight int

const (
	silent sight = iota // no answer
	absent
	present
)

// await returns once all servers of the record's zone show it. A server that never answers
// does not count if another one shows the record.
func (p *Publisher) await(ctx context.Context, r record) error {
	ctx, cancel := context.WithTimeout(ctx, p.opts.Wait)
	defer cancel()
	servers, err := p.watched(ctx, r)
	if err != nil {
		return err
	}
	answered := map[string]bool{}
	for round := 1; ; round++ {
		seen := survey(ctx, servers, r)
		all, some, silence := true, false, true
		for name, s := range seen {
			answered[name] = answered[name] || s != silent
			some = some || s == present
			all = all && s == present
			silence = silence && (s == present || !answered[name])
		}
		if all && some {
			return nil
		}
		if some && silence && round >= leastRounds {
			p.opts.Log.Warn("some name servers do not answer: the challenge record is checked at the others", "record", r.name, "servers", strings.Join(missing(seen), ", "))
			return nil
		}
		pause := time.NewTimer(p.poll)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return p.unseen(r, seen, answered)
		}
	}
}

// watched returns the servers that must show a record, with their addresses.
func (p *Publisher) watched(ctx context.Context, r record) (map[string][]string, error) {
	servers := map[string][]string{}
	for _, s := range p.opts.Servers {
		servers[s] = []string{s}
	}
	if len(servers) > 0 {
		return servers, nil
	}
	zone, err := p.lookup.zone(ctx, r.name)
	if err == nil {
		servers, err = p.lookup.servers(ctx, zone)
	}
	if err == nil && len(servers) == 0 {
		err = fmt.Errorf("the zone %s has no NS record", zone)
	}
	if err != nil && p.opts.Update != nil {
		p.opts.Log.Debug("the name servers of the zone are unknown: the challenge record is checked at the updated server only", "record", r.name, "error", err.Error())
		return map[string][]string{p.opts.Update.Server: {p.opts.Update.Server}}, nil
	}
	return servers, err
}

// survey asks all servers at once.
func survey(ctx context.Context, servers map[string][]string, r record) map[string]sight {
	var mu sync.Mutex // protects seen
	var wg sync.WaitGroup
	seen := map[string]sight{}
	for name, list := range servers {
		wg.Go(func() {
			best := silent
			for _, address := range list {
				if best = max(best, look(ctx, address, r)); best != silent {
					break
				}
			}
			mu.Lock()
			defer mu.Unlock()
			seen[name] = best
		})
	}
	wg.Wait()
	return seen
}

func look(ctx context.Context, server string, r record) sight {
	m, err := ask(ctx, server, r.name, dnsmessage.TypeTXT)
	if err != nil {
		return silent
	}
	for _, a := range m.Answers {
		if t, ok := a.Body.(*dnsmessage.TXTResource); ok && strings.Join(t.TXT, "") == r.value {
			return present
		}
	}
	return absent
}

func missing(seen map[string]sight) (names []string) {
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		if seen[name] != present {
			names = append(names, name)
		}
	}
	return names
}

func (p *Publisher) unseen(r record, seen map[string]sight, answered map[string]bool) error {
	if len(seen) > 0 && !slices.Contains(slices.Collect(maps.Values(answered)), true) {
		return &Error{fmt.Sprintf("no name server of %s answers", r.name),
			"let goodgate reach port 53 of " + strings.Join(missing(seen), ", ") + ", or set servers in acme.dns, or propagation to 0s", nil}
	}
	return &Error{fmt.Sprintf("after %v the record %s is not at all name servers: %s", p.opts.Wait, r.name, strings.Join(missing(seen), ", ")),
		"raise propagation in acme.dns, if the zone's servers take longer; else look at what they say", nil}
}
