package acme

import (
	"crypto/x509"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// renewals is the part of an authority that suggests when to renew (RFC 9773).
type renewals struct {
	from, to    time.Duration // the window, after the beginning of the certificate
	explanation string
	after       string // Retry-After
	status      int    // 0 = 200
	text        string // in place of the answer
	refuses     bool   // orders that say what they replace

	asked    []string // IDs
	replaced []string // of orders
}

func TestCertID(t *testing.T) {
	c := &x509.Certificate{ // the example of RFC 9773 section 4.1
		AuthorityKeyId: []byte{0x69, 0x88, 0x5B, 0x6B, 0x87, 0x46, 0x40, 0x41, 0xE1, 0xB3, 0x7B, 0x84, 0x7B, 0xA0, 0xAE, 0x2C, 0xDE, 0x01, 0xC8, 0xD4},
		SerialNumber:   big.NewInt(0x87654321),
	}
	if got, want := certID(c), "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := certID(&x509.Certificate{SerialNumber: big.NewInt(1)}); got != "" {
		t.Errorf("without an authority: got %s", got)
	}
}

// A certificate is renewed within the window of the authority, by an order that says what
// it replaces.
func TestRenewalWindow(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority()
		a.ari = &renewals{from: 30 * day, to: 31 * day, explanation: "https://ca.test/incident", after: "43200"}
		m, log := begin(t, a, dir, "a.test")
		defer m.Close()
		pass(time.Minute)
		first := m.sites["a.test"].cert.Load().Leaf
		pass(time.Until(first.NotBefore.Add(30*day - time.Minute)))
		if got := serial(m, "a.test"); got != 1 {
			t.Errorf("before the window: got certificate %d, want 1", got)
		}
		if n := a.asks9773(); n < 58 || n > 62 {
			t.Errorf("questions in 30 days: got %d, want one in 12 hours", n)
		}
		pass(day + 2*time.Minute)
		if got := serial(m, "a.test"); got != 2 {
			t.Errorf("after the window: got certificate %d, want 2\n%s", got, log)
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		if len(a.ari.replaced) != 1 || a.ari.replaced[0] != certID(first) {
			t.Errorf("replaces: got %q, want %q", a.ari.replaced, certID(first))
		}
		if strings.Count(log.String(), "explanation=https://ca.test/incident") != 2 { // of each certificate
			t.Errorf("got the log %s", log)
		}
	})
}

// Where the authority has no sensible answer, the lifetime decides, and the authority is
// not flooded.
func TestRenewalFallback(t *testing.T) {
	for _, tc := range []struct {
		name string
		ari  *renewals
	}{
		{"no renewal information", nil},
		{"a broken server", &renewals{status: http.StatusInternalServerError}},
		{"a busy server", &renewals{status: http.StatusServiceUnavailable, after: "864000"}},
		{"nonsense", &renewals{text: "nonsense"}},
		{"an empty answer", &renewals{text: "{}"}},
		{"an end before the start", &renewals{from: 31 * day, to: 30 * day}},
		{"no time between", &renewals{from: 30 * day, to: 30 * day}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				a := newAuthority()
				a.ari = tc.ari
				m, log := begin(t, a, dir, "a.test")
				defer m.Close()
				pass(57 * day)
				if got := serial(m, "a.test"); got != 1 {
					t.Errorf("day 57: got certificate %d, want 1\n%s", got, log)
				}
				if n := a.asks9773(); tc.ari != nil && (n < 50 || n > 57*4+12) {
					t.Errorf("questions in 57 days: got %d", n)
				}
				pass(4 * day)
				if got := serial(m, "a.test"); got != 2 {
					t.Errorf("day 61: got certificate %d, want 2\n%s", got, log)
				}
			})
		})
	}
}

// An authority that wants a renewal at once gets it, but not one after the other.
func TestRenewalAtOnce(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority()
		a.ari = &renewals{from: 60 * day, to: 61 * day, after: "3600"}
		m, log := begin(t, a, dir, "a.test")
		defer m.Close()
		pass(2 * day)
		a.mu.Lock()
		a.ari.from, a.ari.to = -2*day, -day
		a.mu.Unlock()
		pass(time.Hour + time.Minute)
		if got := serial(m, "a.test"); got != 2 {
			t.Errorf("an hour after the revocation: got certificate %d, want 2\n%s", got, log)
		}
		pass(2 * day)
		if n := a.count(); n < 8 || n > 10 {
			t.Errorf("orders in two days of an authority that always says now: got %d, want one in %v", n, leastAge)
		}
	})
}

// A window after the certificate's end is no reason to let it expire.
func TestRenewalTooLate(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority()
		a.ari = &renewals{from: 100 * day, to: 101 * day}
		m, _ := begin(t, a, dir, "a.test")
		defer m.Close()
		pass(74 * day)
		if got := serial(m, "a.test"); got != 1 {
			t.Errorf("day 74: got certificate %d, want 1", got)
		}
		pass(2 * day)
		if got := serial(m, "a.test"); got != 2 {
			t.Errorf("day 76: got certificate %d, want 2", got)
		}
	})
}

// Retry-After counts within bounds.
func TestRenewalPauses(t *testing.T) {
	for after, want := range map[string][2]int{"1": {1300, 1500}, "8640000": {1, 3}, "": {4, 6}, "soon": {4, 6}, "-5": {4, 6}} {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			a := newAuthority()
			a.ari = &renewals{from: 60 * day, to: 61 * day, after: after}
			m, _ := begin(t, a, dir, "a.test")
			defer m.Close()
			pass(day)
			if n := a.asks9773(); n < want[0] || n > want[1] {
				t.Errorf("Retry-After %q: %d questions in a day, want %v", after, n, want)
			}
		})
	}
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	if got := retryAfter("Tue, 01 Jan 2030 00:00:30 GMT", now); got != 30*time.Second {
		t.Errorf("a date: got %v", got)
	}
}

// An authority that refuses to replace a certificate gets an order for a new one.
func TestReplacesRefused(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority()
		a.ari = &renewals{from: 30 * day, to: 31 * day, refuses: true}
		m, log := begin(t, a, dir, "a.test")
		defer m.Close()
		pass(32 * day)
		if got := serial(m, "a.test"); got != 2 || len(a.ari.replaced) != 1 {
			t.Errorf("got certificate %d, want 2; %d orders to replace\n%s", got, len(a.ari.replaced), log)
		}
	})
}
