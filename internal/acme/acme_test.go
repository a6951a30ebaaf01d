package acme

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	xacme "golang.org/x/crypto/acme"

	"github.com/goodgate/goodgate/internal/lab/logtest"
)

const day = 24 * time.Hour

// begin starts a manager of hosts that orders from a, which may know it from before.
func begin(t *testing.T, a *authority, dir string, hosts ...string) (*Manager, *logtest.Buffer) {
	t.Helper()
	var log logtest.Buffer
	m, err := New(Options{
		Directory: base + "/dir", Hosts: hosts, Email: "ops@example.com", Cache: dir,
		Try: func() []string { return []string{TLSALPN01, HTTP01} },
		Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	a.mu.Lock()
	a.manager = m
	a.mu.Unlock()
	m.http = &http.Client{Transport: transport{a}}
	m.Start()
	return m, &log
}

func newAuthority() *authority { return &authority{life: 90 * day, fails: map[string]string{}} }

// pass lets time go by, in a bubble.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// serial returns the number of a host's certificate, 0 without one.
func serial(m *Manager, host string) int64 {
	c := m.Get(&tls.ClientHelloInfo{ServerName: host})
	if c == nil {
		return 0
	}
	return c.Leaf.SerialNumber.Int64()
}

func TestOrdersAndKeeps(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority()
		m, _ := begin(t, a, dir, "a.test", "b.test", "a.test")
		pass(time.Minute)
		for host, want := range map[string]string{"a.test": "a.test", "B.Test": "b.test", "": "a.test", "stranger.test": ""} {
			got := ""
			if c := m.Get(&tls.ClientHelloInfo{ServerName: host}); c != nil {
				got = c.Leaf.DNSNames[0]
			}
			if got != want {
				t.Errorf("%q: got the certificate of %q, want %q", host, got, want)
			}
		}
		m.Close()
		m, _ = begin(t, a, dir, "a.test", "b.test")
		pass(time.Minute)
		m.Close()
		slices.Sort(a.orders)
		if got, want := fmt.Sprint(a.orders), "[a.test b.test]"; got != want {
			t.Errorf("orders of two processes: got %s, want %s", got, want)
		}
		if n := len(m.Expiry()); n != 2 {
			t.Errorf("expiry: got %d, want 2", n)
		}
	})
	var files []string
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, _ error) error {
		info, err := d.Info()
		if err != nil {
			t.Fatal(err)
		}
		if !d.IsDir() {
			files = append(files, d.Name())
		}
		if got := info.Mode().Perm() & 0o077; got != 0 && path != dir {
			t.Errorf("%s: others have the permissions %o", path, got)
		}
		return nil
	})
	if got, want := fmt.Sprint(files), "[a.test.pem account.key b.test.pem]"; got != want {
		t.Errorf("got the files %s, want %s", got, want)
	}
}

func TestRenews(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority()
		m, log := begin(t, a, dir, "a.test")
		defer m.Close()
		began := time.Now()
		for _, tc := range []struct {
			day  int
			want int64
		}{{56, 1}, {61, 2}, {112, 2}, {122, 3}} {
			pass(time.Until(began.Add(time.Duration(tc.day) * day)))
			if got := serial(m, "a.test"); got != tc.want {
				t.Errorf("day %d: got certificate %d, want %d", tc.day, got, tc.want)
			}
		}
		a.mu.Lock()
		a.down = &url.Error{Op: "Post", URL: base, Err: errors.New("refused")}
		a.mu.Unlock()
		pass(68 * day)
		if got := serial(m, "a.test"); got != 3 {
			t.Errorf("without an authority: got certificate %d, want 3", got)
		}
		if got := strings.Count(log.String(), "certificate not renewed; the one in use stays"); got != 1 {
			t.Errorf("told of the failure %d times, want 1:\n%s", got, log)
		}
		a.mu.Lock()
		a.down = nil
		a.mu.Unlock()
		pass(4 * time.Hour)
		if got := serial(m, "a.test"); got != 4 {
			t.Errorf("with the authority back: got certificate %d, want 4", got)
		}
	})
}

// A failed order is not repeated at once. A different failure is logged, and Retry
// orders at once.
func TestFailures(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority()
		a.fails[TLSALPN01], a.fails[HTTP01] = "connection", "connection"
		m, log := begin(t, a, dir, "a.test")
		defer m.Close()
		if until := m.Expiry()[m.cache.certFile("a.test")]; !until.Equal(time.Unix(0, 0)) {
			t.Errorf("without a certificate: good until %v", until)
		}
		pass(time.Hour)
		if n := a.count(); n < 8 || n > 14 { // two challenges at 0, 1, 3, 7, 15, 31 minutes, later by up to a tenth
			t.Errorf("orders in the first hour: got %d, want 12", n)
		}
		pass(23 * time.Hour)
		for _, want := range []string{"could not connect to a.test", "make port 443", "again_in=1m"} {
			if strings.Count(log.String(), want) != 1 {
				t.Errorf("want %q once in:\n%s", want, log)
			}
		}
		a.mu.Lock()
		a.fails = map[string]string{"order": "rateLimited"}
		a.mu.Unlock()
		m.Retry()
		pass(time.Minute)
		n := a.count()
		pass(9*time.Hour + 50*time.Minute)
		if got := a.count(); got != n || !strings.Contains(log.String(), "no more orders for now") {
			t.Errorf("orders within the time the authority asked for: %d\n%s", got-n, log)
		}
		a.mu.Lock()
		a.fails = map[string]string{TLSALPN01: "unauthorized"} // and then by HTTP
		a.mu.Unlock()
		m.Retry()
		pass(time.Minute)
		if got := serial(m, "a.test"); got != 1 {
			t.Errorf("after Retry: got certificate %d, want 1\n%s", got, log)
		}
	})
}

// A manager uses the certificates of another process, and does not order them again.
func TestSharesTheFolder(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority()
		one, _ := begin(t, a, dir, "a.test")
		defer one.Close()
		pass(time.Minute)
		two, _ := begin(t, a, dir, "a.test")
		defer two.Close()
		pass(61 * day)
		if n := a.count(); n != 2 || serial(one, "a.test") == 1 || serial(two, "a.test") == 1 {
			t.Errorf("got %d orders and certificates %d and %d, want 2 orders", n, serial(one, "a.test"), serial(two, "a.test"))
		}
	})
}

// Only a request for an order in progress, with its token, gets an answer.
func TestAnswers(t *testing.T) {
	m, err := New(Options{Directory: base + "/dir", Hosts: []string{"a.test"}, Cache: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	asks := func() (http, tls bool) {
		_, http = m.AnswerHTTP(httptest.NewRequest("GET", "http://a.test:80"+Path+"known", nil))
		c, err := m.AnswerTLS(hello("a.test", "acme-tls/1"))
		return http, c != nil && err == nil
	}
	if http, tls := asks(); http || tls {
		t.Errorf("without an order: %v, %v", http, tls)
	}
	if err := os.WriteFile(m.cache.tokenFile("a.test"), []byte("known"), 0o600); err != nil {
		t.Fatal(err)
	}
	if http, tls := asks(); !http || !tls {
		t.Errorf("with an order: %v, %v", http, tls)
	}
	for _, url := range []string{"http://a.test" + Path, "http://a.test" + Path + "unknown", "http://b.test" + Path + "known", "http://a.test" + Path + "../a.test.token"} {
		if text, ok := m.AnswerHTTP(httptest.NewRequest("GET", url, nil)); ok {
			t.Errorf("%s is answered with %q", url, text)
		}
	}
	for _, h := range []*tls.ClientHelloInfo{hello("a.test", "h2"), hello("a.test"), hello("b.test", "acme-tls/1"), hello("../a.test", "acme-tls/1")} {
		if c, err := m.AnswerTLS(h); c != nil || err != nil {
			t.Errorf("%s, %v: got %v, %v", h.ServerName, h.SupportedProtos, c, err)
		}
	}
}

func hello(name string, protos ...string) *tls.ClientHelloInfo {
	return &tls.ClientHelloInfo{ServerName: name, SupportedProtos: protos}
}

func TestUnusableCache(t *testing.T) {
	dir := t.TempDir()
	options := Options{Directory: base + "/dir", Hosts: []string{"a.test"}, Cache: dir, Log: slog.New(slog.DiscardHandler)}
	m, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	os.WriteFile(m.cache.certFile("a.test"), []byte("nonsense"), 0o600)
	if m, err = New(options); err != nil || m.First() != nil {
		t.Errorf("a certificate that is none: %v, %v", m.First(), err)
	}
	os.WriteFile(filepath.Join(string(m.cache), "account.key"), []byte("nonsense"), 0o600)
	if _, err := New(options); err == nil || !strings.Contains(err.Error(), "account.key holds no key") {
		t.Errorf("an account key that is none: %v", err)
	}
	options.Cache = filepath.Join(string(m.cache), "account.key") // a file
	if _, err := New(options); err == nil || !strings.Contains(err.Error(), "acme.cache") {
		t.Errorf("a folder that cannot be made: %v", err)
	}
}

// explained is an error of a publisher.
type explained struct{}

func (explained) Error() string             { return "no" }
func (explained) Explain() (why, do string) { return "the zone is full", "empty it" }

func TestExplain(t *testing.T) {
	problem := func(kind string) error {
		return &xacme.AuthorizationError{Errors: []error{&xacme.Error{ProblemType: "urn:ietf:params:acme:error:" + kind}}}
	}
	for _, tc := range []struct {
		err  error
		want string
	}{
		{problem("dns"), "could not resolve a.test"},
		{fmt.Errorf("tls-alpn-01: %w", problem("unauthorized")), "another server than this goodgate answered for a.test"},
		{&xacme.OrderError{Problem: &xacme.Error{ProblemType: "urn:ietf:params:acme:error:caa"}}, "CAA record"},
		{errors.Join(problem("malformed"), fmt.Errorf("http-01: %w", problem("connection"))), "could not connect to a.test"},
		{&xacme.OrderError{}, "issued no certificate for a.test"},
		{&url.Error{Op: "Get", URL: base, Err: errors.New("refused")}, "cannot be reached"},
		{&url.Error{Op: "Get", URL: base, Err: &tls.CertificateVerificationError{Err: errors.New("unknown")}}, "is not trusted"},
		{fmt.Errorf("%w: %w", errSlow, &url.Error{Op: "Get", URL: base, Err: errors.New("late")}), "took too long"},
		{fmt.Errorf("acme.cache: %w", &fs.PathError{Op: "open", Path: "x", Err: fs.ErrPermission}), "cannot be written"},
		{&xacme.Error{StatusCode: 503}, "has an internal problem"},
		{errNotOffered, "offers no challenge"},
		{&attempt{DNS01, problem("unauthorized")}, "did not find the right TXT record at _acme-challenge.a.test"},
		{&attempt{TLSALPN01, problem("unauthorized")}, "another server than this goodgate answered"},
		{&attempt{DNS01, problem("caa")}, "CAA record"},
		{&attempt{DNS01, fmt.Errorf("order: %w", explained{})}, "the zone is full"},
	} {
		why, do := explain(tc.err, "a.test")
		if !strings.Contains(why, tc.want) || do == "" || strings.Contains(why+do, "HOST") {
			t.Errorf("%v: got %q and %q, want %q", tc.err, why, do, tc.want)
		}
	}
}
