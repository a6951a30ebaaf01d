package dns01

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"
)

// newPublisher returns a publisher that asks s for everything, and polls without pauses.
func newPublisher(t *testing.T, s *server, change func(*Options)) (*Publisher, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	o := Options{Update: &Update{Server: s.address, TTL: time.Minute}, Wait: 10 * time.Second, Resolvers: []string{s.address}, FollowCNAME: true,
		Log: slog.New(slog.NewTextHandler(&log, nil))}
	if change != nil {
		change(&o)
	}
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	p.poll = time.Millisecond
	_, p.lookup.port, _ = net.SplitHostPort(s.address)
	return p, &log
}

// deadAddress returns an address at which nobody listens.
func deadAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestUpdate(t *testing.T) {
	k, err := newKey("key.test", "hmac-sha512", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		domain string
		prep   func(*server)
		change func(*Options)
		want   string // name of the record
	}{
		{name: "zone found", domain: "a.b.example.com", want: "_acme-challenge.a.b.example.com."},
		{name: "zone of the same name", domain: "example.com", want: "_acme-challenge.example.com."},
		{name: "zone given", domain: "example.com", change: func(o *Options) { o.Update.Zone = "example.com" }, want: "_acme-challenge.example.com."},
		{name: "secondaries that are slow", domain: "example.com", prep: func(s *server) { s.hides = 5 }, want: "_acme-challenge.example.com."},
		{name: "no check", domain: "example.com", change: func(o *Options) { o.Wait = 0 }, want: "_acme-challenge.example.com."},
		{name: "delegated", domain: "a.example.com", prep: func(s *server) {
			s.cnames["_acme-challenge.a.example.com."] = "x.example.com."
			s.cnames["x.example.com."] = "Y.acme.example.com."
		}, want: "y.acme.example.com."},
		{name: "delegation ignored", domain: "a.example.com", change: func(o *Options) { o.FollowCNAME, o.Wait = false, 0 }, prep: func(s *server) {
			s.cnames["_acme-challenge.a.example.com."] = "x.example.com."
		}, want: "_acme-challenge.a.example.com."},
		{name: "others' values stay", domain: "example.com", prep: func(s *server) {
			s.txt["_acme-challenge.example.com."] = []string{"other"}
		}, want: "_acme-challenge.example.com."},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newServer(t, "example.com.", k)
			s.set(tc.prep)
			before := len(s.values(tc.want))
			p, log := newPublisher(t, s, func(o *Options) {
				o.Update.KeyName, o.Update.Algorithm, o.Update.Secret = "Key.test.", "hmac-sha512", []byte("secret")
				if tc.change != nil {
					tc.change(o)
				}
			})
			remove, err := p.Publish(t.Context(), tc.domain, "the-value")
			if err != nil {
				t.Fatal(err)
			}
			if got, want := s.updates(), "add "+tc.want+" the-value"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			remove()
			if got := s.values(tc.want); len(got) != before || log.Len() > 0 {
				t.Errorf("after the removal: %v, log %s", got, log)
			}
		})
	}
}

func TestUpdateFails(t *testing.T) {
	k, err := newKey("key.test", "hmac-sha256", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	signed := func(o *Options) {
		o.Update.KeyName, o.Update.Algorithm, o.Update.Secret = "key.test", "hmac-sha256", []byte("secret")
	}
	for _, tc := range []struct {
		name   string
		domain string
		prep   func(*server)
		change func(*Options)
		want   string
	}{
		{"refused", "example.com", func(s *server) { s.refuses = 5 }, signed, "refuses to update the zone example.com."},
		{"no key", "example.com", nil, nil, "refuses to update the zone example.com."},
		{"broken server", "example.com", func(s *server) { s.refuses = 2 }, signed, "did not update the zone example.com.: name server"},
		{"another server's zone", "example.net", nil, func(o *Options) { signed(o); o.FollowCNAME = false }, "was not found at the name server"},
		{"another zone", "example.com", nil, func(o *Options) { signed(o); o.Update.Zone = "example.net" }, "is not in the zone example.net."},
		{"server down", "example.com", nil, func(o *Options) { o.Update.Server, o.Update.Zone = "127.0.0.1:1", "example.com" }, "cannot be reached"},
		{"resolver down", "example.com", nil, func(o *Options) { o.Resolvers = []string{"127.0.0.1:1"} }, "set resolvers in acme.dns"},
		{"circle", "example.com", func(s *server) {
			s.cnames["_acme-challenge.example.com."], s.cnames["x.example.com."] = "x.example.com.", "_acme-challenge.example.com."
		}, signed, "lead to no end"},
		{"not at all servers", "example.com", nil, func(o *Options) {
			signed(o)
			o.Wait = 20 * time.Millisecond
			o.Servers = []string{newServer(t, "example.com.").address, o.Update.Server}
		}, "is not at all name servers: 127.0.0.1:"},
		{"no server answers", "example.com", nil, func(o *Options) {
			signed(o)
			o.Wait, o.Servers = 20*time.Millisecond, []string{deadAddress(t)}
		}, "no name server of _acme-challenge.example.com. answers"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newServer(t, "example.com.", k)
			s.set(tc.prep)
			p, _ := newPublisher(t, s, tc.change)
			_, err := p.Publish(t.Context(), tc.domain, "the-value")
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Do == "" {
				t.Fatalf("got %v", err)
			}
			if all := e.Why + e.Do + err.Error(); !strings.Contains(all, tc.want) || strings.Contains(all, "secret\"") {
				t.Errorf("got %v, do %s, want %s", err, e.Do, tc.want)
			}
			if left := s.values("_acme-challenge.example.com."); len(left) > 0 {
				t.Errorf("%v stays in the zone", left)
			}
		})
	}
}

// A server that never answers does not hold up an order when others show the record.
func TestSilentServer(t *testing.T) {
	s := newServer(t, "example.com.")
	p, log := newPublisher(t, s, func(o *Options) { o.Servers = []string{s.address, deadAddress(t)} })
	if _, err := p.Publish(t.Context(), "example.com", "v"); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "some name servers do not answer") {
		t.Errorf("got the log %s", log)
	}
}

// An order that is given up removes its record all the same.
func TestRemovesAfterTheEnd(t *testing.T) {
	s := newServer(t, "example.com.")
	p, _ := newPublisher(t, s, nil)
	ctx, cancel := context.WithCancel(t.Context())
	remove, err := p.Publish(ctx, "example.com", "v")
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	remove()
	if got, want := s.updates(), "add _acme-challenge.example.com. v, remove _acme-challenge.example.com. v"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A host and its wildcard have their values at the same name, at the same time.
func TestTwoValues(t *testing.T) {
	s := newServer(t, "example.com.")
	p, _ := newPublisher(t, s, nil)
	one, err := p.Publish(t.Context(), "example.com", "one")
	if err != nil {
		t.Fatal(err)
	}
	two, err := p.Publish(t.Context(), "example.com", "two") // found over TCP: see server.answer
	if err != nil {
		t.Fatal(err)
	}
	one()
	if got := strings.Join(s.values("_acme-challenge.example.com."), " "); got != "two" {
		t.Errorf("got %q, want two", got)
	}
	two()
}

func TestSystemResolvers(t *testing.T) {
	l, err := newLookup(nil)
	if err != nil || len(l.resolvers) == 0 {
		t.Fatalf("got %v, %v", l, err)
	}
	for _, r := range l.resolvers {
		if _, port, err := net.SplitHostPort(r); err != nil || port != "53" {
			t.Errorf("got %q", r)
		}
	}
}
