//go:build !minimal

package gate

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/internal/acme"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/fleet"
	"github.com/goodgate/goodgate/internal/lab/certtest"
)

// certMember is an instance as far as certificates go.
type certMember struct {
	*fleetACME
	stop func()
}

// certMembers returns some over one engine, in a bubble. Each has a folder in dir.
func certMembers(t *testing.T, dir string, names ...string) (*fleet.Memory, []*certMember) {
	t.Helper()
	c := config.ACME{Directory: "https://127.0.0.1:1/dir", Hosts: []string{"a.test", "b.test"}}
	m := fleet.NewMemory()
	var all []*certMember
	for _, name := range names {
		f, err := fleet.New(fleet.Options{Engine: m, Secret: []byte("a secret of the test"), Member: fleet.Member{Name: name}})
		if err != nil {
			t.Fatal(err)
		}
		in := &inFleet{Fleet: f}
		in.shareCerts()
		share := in.certsOf(c)
		manager, err := acme.New(acme.Options{Directory: c.Directory, Hosts: c.Hosts, Cache: filepath.Join(dir, name), Share: share, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		share.join(manager)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { f.Run(ctx) })
		all = append(all, &certMember{share, func() { cancel(); wg.Wait() }})
	}
	return m, all
}

func mustClaim(t *testing.T, m *certMember, host string) acme.Claim {
	t.Helper()
	c, err := m.Claim(t.Context(), host, false)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (m *certMember) wantElsewhere(t *testing.T, host string) time.Time {
	t.Helper()
	_, err := m.Claim(t.Context(), host, false)
	elsewhere, ok := errors.AsType[*acme.Elsewhere](err)
	if !ok {
		t.Errorf("%s: got %v, want that another instance has it", host, err)
		return time.Time{}
	}
	return elsewhere.Again
}

// serves returns the number of the certificate of a host; empty without one.
func (m *certMember) serves(host string) string {
	if c := m.manager.Get(&tls.ClientHelloInfo{ServerName: host}); c != nil {
		return c.Leaf.SerialNumber.String()
	}
	return ""
}

// issued returns a certificate with its key, in PEM.
func issued(t *testing.T, ca *certtest.Authority, host string) (*tls.Certificate, []byte) {
	t.Helper()
	cert, key := ca.Files(t.TempDir(), "c", ca.Issue(host))
	c, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	var text []byte
	for _, file := range []string{key, cert} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, data...)
	}
	return &c, text
}

// TestFleetACME follows an order through the store: the claim, the challenge that others
// answer, the certificate that they get, and a failure that counts for all.
func TestFleetACME(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ca := certtest.NewAuthority(t, "authority")
		_, all := certMembers(t, dir, "one", "two", "three")
		a, b := all[0], all[1]
		claim := mustClaim(t, a, "a.test")
		if again := b.wantElsewhere(t, "a.test"); !again.IsZero() {
			t.Errorf("it may be asked for at %v, want soon", again)
		}
		mustClaim(t, b, "b.test").Done(0, time.Time{})
		if _, ok := b.Challenge(t.Context(), "a.test"); ok {
			t.Error("a challenge before there is one")
		}
		account := a.Account([]byte("the key of one"))
		if err := a.certs.words.Sync(t.Context()); err != nil {
			t.Error(err)
		}
		shown := acme.Challenge{Token: "tok-en", Account: []byte("x")}
		if err := claim.Show(shown); err != nil {
			t.Error(err)
		}
		for _, m := range all {
			if got, ok := m.Challenge(t.Context(), "a.test"); !ok || got.Token != shown.Token {
				t.Errorf("got the challenge %+v, %v", got, ok)
			}
		}
		if _, ok := b.manager.AnswerHTTP(httptest.NewRequest("GET", "http://a.test"+acme.Path+"another", nil)); ok {
			t.Error("another token is answered")
		}
		cert, text := issued(t, ca, "a.test")
		a.Give("a.test", text, cert.Leaf)
		claim.Done(0, time.Time{})
		again := mustClaim(t, b, "a.test") // at once, because the answer is available
		if got := b.serves("a.test"); got != cert.Leaf.SerialNumber.String() {
			t.Errorf("who claims it next serves %q", got)
		}
		if got := b.Account([]byte("the key of two")); string(got) != string(account) {
			t.Errorf("the second account is %q, want that of the first", got)
		}
		until := time.Now().Add(time.Minute)
		again.Done(3, until)
		if got := a.wantElsewhere(t, "a.test"); got.Sub(until).Abs() > time.Second {
			t.Errorf("after a failure it may be asked for at %v, want %v", got, until)
		}
		time.Sleep(61 * time.Second)
		last := mustClaim(t, a, "a.test")
		if last.Failed() != 3 {
			t.Errorf("%d orders have failed, want 3", last.Failed())
		}
		last.Done(4, time.Now().Add(time.Hour))
		if c, err := b.Claim(t.Context(), "a.test", true); err != nil {
			t.Errorf("in a hurry: %v", err)
		} else {
			c.Done(0, time.Time{})
		}
		for _, m := range all {
			m.leave()
			if n := len(m.certs.ears); n != 0 {
				t.Errorf("%d are still told of certificates", n)
			}
			m.stop()
		}
	})
}

// TestFleetACMELosses checks that certificates survive losses of the store, and that no
// instance has a claim without it, or right after it is back.
func TestFleetACMELosses(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		ca := certtest.NewAuthority(t, "authority")
		m, all := certMembers(t, dir, "one", "two")
		a, b := all[0], all[1]
		cert, text := issued(t, ca, "a.test")
		claim := mustClaim(t, a, "a.test")
		a.Give("a.test", text, cert.Leaf)
		m.Fail(errors.New("away"))
		time.Sleep(5 * time.Second)
		claim.Done(0, time.Time{})
		if _, err := b.Claim(t.Context(), "b.test", false); !errors.Is(err, acme.ErrApart) || b.Apart() == 0 {
			t.Errorf("without the store: %v, apart for %v", err, b.Apart())
		}
		time.Sleep(time.Minute)
		m.Flush()
		m.Fail(nil)
		for a.Apart() > 0 || b.Apart() > 0 {
			time.Sleep(10 * time.Millisecond)
		}
		mustClaim(t, b, "a.test").Done(0, time.Time{})
		if b.serves("a.test") == "" {
			t.Error("who claims it once the store is back lacks what was given meanwhile")
		}
		m.Flush()
		time.Sleep(10 * time.Second)
		for _, i := range all {
			if w, ok := i.certs.words.Get(i.key("certificate a.test")); !ok || !strings.Contains(string(w.Value), "PRIVATE KEY") {
				t.Errorf("the word is lost: %v", ok)
			}
			i.stop()
		}
	})
}

// TestFleetACMEFlood checks that a flood of requests for unknown challenges does not
// reach the store one by one.
func TestFleetACMEFlood(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		m, all := certMembers(t, dir, "one", "two")
		claim := mustClaim(t, all[0], "a.test")
		before := m.Calls()
		const span = 2 * time.Second
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() {
				for end := time.Now().Add(span); time.Now().Before(end); time.Sleep(time.Millisecond) {
					if _, ok := all[1].Challenge(t.Context(), "a.test"); ok {
						t.Error("a challenge that nobody has shown")
					}
				}
			})
		}
		wg.Wait()
		if n := m.Calls() - before; n > 2*int(span/challengeGap) {
			t.Errorf("%d calls in %v", n, span)
		}
		if err := claim.Show(acme.Challenge{Token: "t"}); err != nil {
			t.Error(err)
		}
		if _, ok := all[1].Challenge(t.Context(), "a.test"); !ok {
			t.Error("after a flood the challenge is not found")
		}
		claim.Done(0, time.Time{})
		for _, i := range slices.Backward(all) {
			i.stop()
		}
	})
}
