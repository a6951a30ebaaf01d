package acme

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	xacme "golang.org/x/crypto/acme"

	"github.com/goodgate/goodgate/internal/lab/logtest"
)

// common is the shared state of several managers. A dead member keeps its claims until
// their leases end.
type common struct {
	mu      sync.Mutex // protects the fields below
	apart   time.Time  // begin of its outage; zero = reachable
	claims  map[string]*shownClaim
	account []byte
	certs   map[string][]byte
	members []*memberOf
}

// memberOf is one manager's part.
type memberOf struct {
	*common
	manager *Manager
	log     logtest.Buffer
	dead    bool
}

type shownClaim struct {
	of      *memberOf
	host    string
	ctx     context.Context
	lose    context.CancelCauseFunc
	shown   *Challenge
	failed  int
	again   time.Time
	over    bool
	expires time.Time // lease of a dead instance
}

const deadFor = 20 * time.Second

var errGone = errors.New("the claim is lost")

func (m *memberOf) Claim(ctx context.Context, host string, hurry bool) (Claim, error) {
	m.mu.Lock()
	if !m.apart.IsZero() || m.dead {
		m.mu.Unlock()
		return nil, ErrApart
	}
	c := &shownClaim{of: m, host: host}
	if was := m.claims[host]; was != nil && (was.over || was.expires.IsZero() || time.Now().Before(was.expires)) {
		if !was.over || time.Now().Before(was.again) && !hurry {
			again := was.again
			m.mu.Unlock()
			return nil, &Elsewhere{again}
		}
		c.failed = was.failed
	}
	c.ctx, c.lose = context.WithCancelCause(ctx)
	m.claims[host] = c
	text := m.certs[host]
	m.mu.Unlock()
	if text != nil {
		m.manager.Take(host, text)
	}
	return c, nil
}

func (m *memberOf) Apart() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.apart.IsZero() {
		return 0
	}
	return time.Since(m.apart)
}

func (m *memberOf) Challenge(_ context.Context, host string) (Challenge, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.claims[host]; c != nil && c.shown != nil && !c.over {
		return *c.shown, true
	}
	return Challenge{}, false
}

func (m *memberOf) Account(own []byte) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.account == nil {
		m.account = own
	}
	return m.account
}

func (m *memberOf) Give(host string, text []byte, c *x509.Certificate) {
	m.mu.Lock()
	if m.dead || !m.apart.IsZero() {
		m.mu.Unlock()
		return
	}
	m.certs[host] = text
	var others []*Manager
	for _, o := range m.members {
		if o != m && !o.dead {
			others = append(others, o.manager)
		}
	}
	m.mu.Unlock()
	for _, o := range others {
		o.Take(host, text)
	}
}

// die makes a member act no longer, without a word to the others.
func (m *memberOf) die() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead = true
	for _, c := range m.claims {
		if c.of == m && !c.over {
			c.expires = time.Now().Add(deadFor)
			c.lose(errGone)
		}
	}
}

func (c *shownClaim) Context() context.Context { return c.ctx }
func (c *shownClaim) Failed() int              { return c.failed }

func (c *shownClaim) Show(ch Challenge) error {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	if c.ctx.Err() != nil {
		return errGone
	}
	c.shown = &ch
	return nil
}

func (c *shownClaim) Done(failed int, again time.Time) {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	if c.of.dead || c.of.claims[c.host] != c {
		return
	}
	c.lose(errGone)
	c.over, c.failed, c.again = true, failed, again
	if failed == 0 {
		delete(c.of.claims, c.host)
	}
}

// beginTogether starts n managers that share all but their folders, and an authority that
// wants each of them to answer.
func beginTogether(t *testing.T, a *authority, dir string, n int, hosts ...string) *common {
	t.Helper()
	c := &common{claims: map[string]*shownClaim{}, certs: map[string][]byte{}}
	for i := range n {
		m := &memberOf{common: c}
		var err error
		m.manager, err = New(Options{
			Directory: base + "/dir", Hosts: hosts, Cache: filepath.Join(dir, fmt.Sprint(i)), Share: m,
			Try: func() []string { return []string{TLSALPN01, HTTP01} },
			Log: slog.New(slog.NewTextHandler(&m.log, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		m.manager.http = &http.Client{Transport: transport{a}}
		c.members = append(c.members, m)
	}
	a.asks = func(kind, host, token string) bool {
		for _, m := range c.members {
			if !m.dead && !m.answers(kind, host, token) {
				t.Errorf("a member does not answer %s for %s", kind, host)
				return false
			}
		}
		return true
	}
	for _, m := range c.members {
		m.manager.Start()
	}
	return c
}

func (m *memberOf) answers(kind, host, token string) bool {
	key, err := decodeKey(m.account)
	if err != nil {
		return false
	}
	want, _ := (&xacme.Client{Key: key}).HTTP01ChallengeResponse(token)
	if kind == HTTP01 {
		got, ok := m.manager.AnswerHTTP(httptest.NewRequest("GET", "http://"+host+Path+token, nil))
		return ok && got == want
	}
	return shakes(m.manager, host)
}

func (c *common) close() {
	for _, m := range c.members {
		m.manager.Close()
	}
}

// wantAll checks that all members serve the certificate with a number.
func (c *common) wantAll(t *testing.T, host string, want int64) {
	t.Helper()
	for i, m := range c.members {
		if got := serial(m.manager, host); got != want && !m.dead {
			t.Errorf("member %d serves certificate %d of %s, want %d\n%s", i, got, host, want, &m.log)
		}
	}
}

// TestOneOrders checks that one of many instances orders and renews for all.
func TestOneOrders(t *testing.T) {
	for _, kind := range []string{TLSALPN01, HTTP01} {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			a := newAuthority()
			if kind == HTTP01 {
				a.fails[TLSALPN01] = "connection"
			}
			c := beginTogether(t, a, dir, 5, "a.test")
			defer c.close()
			pass(time.Minute)
			c.wantAll(t, "a.test", 1)
			orders := a.count()
			pass(61 * day)
			c.wantAll(t, "a.test", 2)
			pass(150 * day)
			if n := a.count(); n != 4*orders || orders > 2 {
				t.Errorf("%s: %d orders at first, %d in 211 days, want 4 rows of them", kind, orders, n)
			}
			if kept, err := c.members[4].manager.cache.cert("a.test"); err != nil || kept == nil || kept.Leaf.SerialNumber.Int64() != 4 {
				t.Errorf("who has not ordered has kept %v, %v", kept, err)
			}
		})
	}
}

// TestOthersFail checks that a failed order is not repeated by each instance.
func TestOthersFail(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority()
		a.fails["order"] = "connection"
		c := beginTogether(t, a, dir, 5, "a.test")
		defer c.close()
		pass(time.Hour)
		if n := a.count(); n < 4 || n > 8 { // at 0, 1, 3, 7, 15, 31 minutes and a little later
			t.Errorf("%d orders in the first hour, want 6", n)
		}
		a.mu.Lock()
		clear(a.fails)
		a.mu.Unlock()
		before := a.count()
		c.members[3].manager.Retry()
		pass(time.Minute)
		if n := a.count() - before; n != 1 {
			t.Errorf("%d orders after a reload, want 1", n)
		}
		c.wantAll(t, "a.test", 1)
	})
}

// TestHolderDies checks that another instance orders if the ordering one dies.
func TestHolderDies(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority()
		a.fails[TLSALPN01] = "never"
		c := beginTogether(t, a, dir, 3, "a.test")
		defer c.close()
		pass(10 * time.Second)
		if n := a.count(); n != 1 {
			t.Fatalf("%d orders, want one under way", n)
		}
		c.mu.Lock()
		holder := c.claims["a.test"].of
		c.mu.Unlock()
		holder.die()
		a.mu.Lock()
		clear(a.fails)
		a.mu.Unlock()
		pass(deadFor - time.Second)
		if n := a.count(); n != 1 {
			t.Errorf("%d orders before the lease of who died has ended, want 1", n)
		}
		pass(2*askAgain + 10*time.Second)
		if n := a.count(); n != 2 {
			t.Errorf("%d orders, want one more", n)
		}
		c.wantAll(t, "a.test", 1)
		if !strings.Contains(holder.log.String(), "why=\""+errGone.Error()) || strings.Contains(holder.log.String(), "certificate not obtained") {
			t.Errorf("who lost its claim says:\n%s", &holder.log)
		}
	})
}

// TestPartition checks that partitioned instances order nothing while a certificate is
// valid, and that each of them orders for itself before the certificate expires.
func TestPartition(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority()
		a.life = 60 * day
		c := beginTogether(t, a, dir, 3, "a.test")
		defer c.close()
		pass(time.Minute)
		c.mu.Lock()
		c.apart = time.Now()
		c.mu.Unlock()
		a.asks = func(string, string, string) bool { return true }
		pass(49 * day) // due since day 40
		if n := a.count(); n != 1 {
			t.Errorf("%d orders while the certificate is good, want 1", n)
		}
		pass(2 * day)
		if n := a.count(); n != 4 {
			t.Errorf("%d orders before it ends, want one more each", n)
		}
		c.mu.Lock()
		c.apart = time.Time{}
		c.mu.Unlock()
		pass(41 * day)
		c.wantAll(t, "a.test", 5)
	})
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority()
		c := beginTogether(t, a, dir+"/new", 2, "b.test")
		defer c.close()
		a.asks = func(string, string, string) bool { return true }
		for _, m := range c.members {
			m.mu.Lock()
			c.apart = time.Now()
			delete(c.claims, "b.test")
			m.mu.Unlock()
		}
		pass(aloneAfter - time.Second)
		early := a.count()
		pass(aloneAfter + maxApart + time.Minute)
		if n := a.count(); early > 1 || n < 2 || n > 3 {
			t.Errorf("without a certificate: %d orders in the first ten minutes, %d in all", early, n)
		}
	})
}

// TestTake checks that a manager adopts only certificates with a later expiry.
func TestTake(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority()
		m, log := begin(t, a, dir, "a.test", "b.test")
		defer m.Close()
		pass(time.Minute)
		first := serial(m, "a.test")
		good, err := m.cache.cert("b.test")
		if err != nil {
			t.Fatal(err)
		}
		m.Take("a.test", []byte("nonsense"))
		m.Take("c.test", []byte("nonsense"))
		m.Take("a.test", encoded(t, good)) // of another name
		if serial(m, "a.test") != first || strings.Count(log.String(), "of another instance rejected") != 2 {
			t.Errorf("took over what is not good:\n%s", log)
		}
	})
}

func encoded(t *testing.T, c *tls.Certificate) (text []byte) {
	t.Helper()
	m := &Manager{opts: Options{Share: giver(func(pem []byte) { text = pem })}}
	m.give(&site{}, c)
	return text
}

// giver is a share that only implements Give.
type giver func([]byte)

func (g giver) Give(_ string, text []byte, _ *x509.Certificate)          { g(text) }
func (giver) Claim(context.Context, string, bool) (Claim, error)         { return nil, ErrApart }
func (giver) Apart() time.Duration                                       { return 0 }
func (giver) Challenge(context.Context, string) (c Challenge, none bool) { return c, false }
func (giver) Account(own []byte) []byte                                  { return own }
