package discovery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxWeight is the largest weight of a target.
const maxWeight = 1000

// NewSRV returns a source of the targets of the SRV records of name
// ("_http._tcp.example.com", RFC 2782): every address of every record's target, with
// the record's port. Priorities become tiers, the lowest t.Tier and the next one more.
// Weights become 1 to 1000, relative to the others of the priority. TLS and MaxInFlight
// are from t.
//
// A record whose target does not exist is reported and left out. A target whose lookup
// fails, completely or for one family, is reported and keeps its last good addresses.
// It does not affect the others.
func NewSRV(name string, t Target, options Resolver) (*Lookup, error) {
	options, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	if name == "" {
		return nil, errors.New("srv upstream: the name is empty")
	}
	l := newLookup(name, options)
	var known addressBook
	l.ask = func(ctx context.Context) ([]Target, time.Duration, error) {
		s := options.newSession(known)
		q := newQuestions(s)
		// The error may come with records with valid names, which are sufficient.
		_, records, err := q.resolver(true).LookupSRV(ctx, "", "", name)
		if len(records) == 0 {
			return nil, 0, q.name(err)
		}
		targets, err := s.resolve(ctx, records, t)
		known = s.found
		return targets, s.validity(), err
	}
	return l, nil
}

// resolve returns the targets of records, with the other fields from t.
func (s *session) resolve(ctx context.Context, records []*net.SRV, t Target) ([]Target, error) {
	services := rank(records)
	answers := s.each(ctx, services)
	var targets []Target
	var missing []error
	whole := true // every target has its own address
	for _, srv := range services {
		a := answers[srv.host]
		if a.err != nil && !a.told {
			if a.told = true; len(missing) < maxFaults {
				err := a.err
				if p, ok := err.(*Partial); ok {
					err = p.Err
				} else {
					whole = false
				}
				missing = append(missing, fmt.Errorf("target %s: %w", srv.host, err))
			}
		}
		if len(a.addrs) == 0 {
			continue
		}
		target := t
		target.Name = strings.TrimSuffix(srv.host, ".")
		target.Tier += srv.tier
		target.Weight = srv.weight
		targets = append(targets, s.at(target, a.addrs, srv.port)...)
		if len(targets) > maxFound {
			missing = append(missing, fmt.Errorf("more than %d addresses: the rest is left out", maxFound))
			targets, whole = targets[:maxFound], false
			break
		}
	}
	err := errors.Join(missing...)
	if err != nil && whole {
		err = &Partial{err}
	}
	return union(targets), err
}

// lookupsAtOnce bounds the concurrent lookups of SRV targets. A target without an
// answer takes the whole timeout, at the same time as others.
const lookupsAtOnce = 16

// found is the result of a target's lookup.
type found struct {
	addrs []netip.Addr
	err   error
	told  bool
}

// each looks up the hosts of services, each once.
func (s *session) each(ctx context.Context, services []service) map[string]*found {
	answers := make(map[string]*found)
	var wg sync.WaitGroup
	defer wg.Wait()
	free := make(chan struct{}, lookupsAtOnce)
	for _, srv := range services {
		if answers[srv.host] != nil {
			continue
		}
		a := new(found)
		answers[srv.host] = a
		free <- struct{}{}
		wg.Go(func() {
			a.addrs, a.err = s.addrs(ctx, srv.host)
			if len(a.addrs) == 0 && !isNotFound(a.err) {
				a.addrs = s.known[srv.host]
			}
			<-free
		})
	}
	return answers
}

// service is an SRV record in the terms of a pool.
type service struct {
	host, port   string
	tier, weight int
}

// rank returns the services of records, best tier first. It sorts them, because the net
// package shuffles the records of a priority. It leaves out the target ".", which means
// that there is no such service, and port 0, which is invalid.
func rank(records []*net.SRV) []service {
	records = slices.DeleteFunc(slices.Clone(records), func(r *net.SRV) bool { return r.Target == "." || r.Port == 0 })
	slices.SortFunc(records, func(a, b *net.SRV) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.Target, b.Target),
			cmp.Compare(a.Port, b.Port), cmp.Compare(a.Weight, b.Weight))
	})
	heaviest := make(map[uint16]int) // by priority
	for _, r := range records {
		heaviest[r.Priority] = max(heaviest[r.Priority], int(r.Weight))
	}
	services := make([]service, len(records))
	for i, r := range records {
		s := service{host: r.Target, port: strconv.Itoa(int(r.Port)), weight: scale(int(r.Weight), heaviest[r.Priority])}
		if i > 0 {
			s.tier = services[i-1].tier
			if r.Priority != records[i-1].Priority {
				s.tier++
			}
		}
		services[i] = s
	}
	return services
}

// scale maps a weight of at most heaviest to 1 to maxWeight. Small weights stay as they
// are.
func scale(weight, heaviest int) int {
	if heaviest > maxWeight {
		weight = (weight*maxWeight + heaviest/2) / heaviest
	}
	return max(weight, 1)
}
