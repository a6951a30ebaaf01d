package acme

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/internal/lab/logtest"
)

// zone has the records of DNS-01. It implements [Records].
type zone struct {
	mu      sync.Mutex // protects the fields below
	records []string
	fails   error
	slow    time.Duration // until a record is there
	removed int
}

func (z *zone) Patience() time.Duration { return 10 * time.Minute }

func (z *zone) Publish(ctx context.Context, domain, value string) (remove func(), err error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.fails != nil {
		return nil, z.fails
	}
	select {
	case <-time.After(z.slow):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	r := domain + " " + value
	z.records = append(z.records, r)
	return func() {
		z.mu.Lock()
		defer z.mu.Unlock()
		z.removed++
		z.records = slices.DeleteFunc(z.records, func(o string) bool { return o == r })
	}, nil
}

func (z *zone) has(domain, value string) bool {
	z.mu.Lock()
	defer z.mu.Unlock()
	return slices.Contains(z.records, domain+" "+value)
}

func (z *zone) set(fails error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.fails = fails
}

// beginDNS starts a manager that publishes in z.
func beginDNS(t *testing.T, a *authority, z *zone, dir string, hosts ...string) (*Manager, *logtest.Buffer) {
	t.Helper()
	var log logtest.Buffer
	m, err := New(Options{
		Directory: base + "/dir", Hosts: hosts, Cache: dir, Records: z,
		Try: func() []string { return []string{TLSALPN01, DNS01} },
		Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	a.mu.Lock()
	a.manager, a.dns = m, z
	a.mu.Unlock()
	m.http = &http.Client{Transport: transport{a}}
	m.Start()
	return m, &log
}

// A wildcard is ordered by DNS-01 only, and serves the names one label below it that have
// no certificate of their own.
func TestWildcard(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a, z := newAuthority(), &zone{slow: 7 * time.Minute} // longer than an order without DNS
		m, log := beginDNS(t, a, z, dir, "a.test", "*.a.test", "own.a.test")
		pass(20 * time.Minute)
		for name, want := range map[string]string{"a.test": "a.test", "b.a.test": "*.a.test", "B.A.Test": "*.a.test", "own.a.test": "own.a.test", "x.b.a.test": "", "test": "", "*.a.test": "*.a.test"} {
			got := ""
			if c := m.Get(&tls.ClientHelloInfo{ServerName: name}); c != nil {
				got = c.Leaf.DNSNames[0]
			}
			if got != want {
				t.Errorf("%s: got the certificate of %q, want %q\n%s", name, got, want, log)
			}
		}
		if len(z.records) != 0 || z.removed != 1 {
			t.Errorf("records: %v stay, %d were removed, want 1", z.records, z.removed)
		}
		m.Close()
		m, _ = beginDNS(t, a, z, dir, "*.a.test")
		pass(time.Minute)
		m.Close()
		if n := a.count(); n != 3 {
			t.Errorf("orders of two processes: got %d, want 3", n)
		}
	})
	files, err := os.ReadDir(dir + "/" + string(folderName(base+"/dir")))
	if err != nil || fmt.Sprint(files[:1]) != "[- _.a.test.pem]" {
		t.Errorf("files: got %v, %v", files, err)
	}
}

func TestDNSFails(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a, z := newAuthority(), &zone{fails: fmt.Errorf("x: %w", explained{})}
		m, log := beginDNS(t, a, z, dir, "*.a.test")
		defer m.Close()
		pass(30 * time.Second)
		z.set(errors.New("of another kind"))
		m.Retry()
		pass(30 * time.Second)
		z.set(nil)
		a.mu.Lock()
		a.fails[DNS01] = "unauthorized"
		a.mu.Unlock()
		m.Retry()
		pass(30 * time.Second)
		for _, want := range []string{"the zone is full", "empty it", "of another kind", "did not find the right TXT record at _acme-challenge.a.test"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("want %q in:\n%s", want, log)
			}
		}
		if len(z.records) != 0 || z.removed != 1 {
			t.Errorf("records: %v stay, %d were removed, want 1", z.records, z.removed)
		}
	})
}

// A host falls back to DNS-01 if another challenge fails, and without records the error
// says what is missing.
func TestDNSBesideOthers(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a, z := newAuthority(), &zone{}
		a.fails[TLSALPN01] = "connection"
		m, _ := beginDNS(t, a, z, dir, "a.test")
		pass(time.Minute)
		if serial(m, "a.test") == 0 || z.removed != 1 {
			t.Errorf("no certificate, %d records", z.removed)
		}
		m.Close()
		m, log := begin(t, a, dir, "*.b.test") // without records
		pass(time.Minute)
		m.Close()
		if !strings.Contains(log.String(), errNoRecords.Error()) {
			t.Errorf("got the log %s", log)
		}
	})
}
