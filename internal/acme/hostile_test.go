package acme

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A certificate that is due for renewal on arrival counts as a failed order. Otherwise
// goodgate would order again and again up to the authority's limits, which last for
// weeks.
func TestUselessCertificates(t *testing.T) {
	for _, tc := range []struct {
		name string
		life time.Duration // of issued certificates
		back time.Duration // how long ago that began
	}{
		{"expired", day, 2 * day},
		{"a clock that is months fast", 90 * day, 100 * day},
		{"due, but good for a week", 90 * day, 83 * day},
		{"for a second only", time.Second, 0},
		{"without a lifetime", 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				a := newAuthority()
				a.life, a.back, a.most = tc.life, tc.back, 200
				m, log := begin(t, a, dir, "a.test")
				defer m.Close()
				pass(day)
				if n := a.count(); n < 2 || n > 20 { // at 0, 1, 3, 7, 15 and so on minutes, then every 3 hours
					t.Errorf("orders in the first day: got %d, want about 14", n)
				}
				if n := strings.Count(log.String(), "due for renewal already"); n != 2 { // why, and the error
					t.Errorf("told of it %d times, want twice in one line:\n%s", n, log)
				}
				if serial(m, "a.test") == 0 { // the clients' clocks may be right
					t.Error("the certificate is not served")
				}
			})
		})
	}
}

// A certificate that is valid for seconds is still renewed in time.
func TestShortLife(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority()
		a.life = 12 * time.Second
		m, log := begin(t, a, dir, "a.test")
		defer m.Close()
		for range 20 {
			pass(3 * time.Second)
			if c := m.First(); c == nil || time.Now().After(c.Leaf.NotAfter) {
				t.Fatalf("no good certificate after %d orders:\n%s", a.count(), log)
			}
		}
		if n := a.count(); n < 6 || n > 9 { // every 8 seconds or a little less
			t.Errorf("orders in a minute: got %d, want 8", n)
		}
	})
}

// An order on which the authority never decides is given up.
func TestEndlessOrder(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority()
		a.fails[TLSALPN01] = "never"
		m, log := begin(t, a, dir, "a.test")
		defer m.Close()
		pass(orderBound + time.Second)
		if !strings.Contains(log.String(), errSlow.Error()) {
			t.Errorf("want that %v in:\n%s", errSlow, log)
		}
	})
}

// An issued certificate replaces none that is valid for longer.
func TestKeepsTheBetterCertificate(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority()
		m, _ := begin(t, a, dir, "a.test")
		defer m.Close()
		pass(time.Minute)
		a.mu.Lock()
		a.back, a.most = 89*day, 200
		a.mu.Unlock()
		pass(65 * day)
		if got := serial(m, "a.test"); got != 1 || a.count() < 2 {
			t.Errorf("got certificate %d after %d orders, want 1 after several", got, a.count())
		}
		kept, err := m.cache.cert("a.test")
		if err != nil || kept.Leaf.SerialNumber.Int64() != 1 {
			t.Errorf("in the folder: %v, %v; want certificate 1", kept, err)
		}
	})
}

// endless answers every request with an endless body, and counts the bytes read.
type endless struct{ taken int64 }

func (e *endless) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(e)}, nil
}

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.taken += int64(len(p))
	if e.taken > 64<<20 {
		return 0, errors.New("64 MiB were taken")
	}
	return len(p), nil
}

// The authority's answers are bounded.
func TestEndlessAnswer(t *testing.T) {
	e := &endless{}
	_, err := hostileManager(t, e).request(t.Context(), order{&site{host: "a.test"}, byItself{t.Context()}})
	if _, ok := errors.AsType[*http.MaxBytesError](err); !ok || e.taken > 2<<20 {
		t.Errorf("%d bytes were taken, %v; want about %d and an error about it", e.taken, err, maxAnswer)
	}
}

func hostileManager(t *testing.T, rt http.RoundTripper) *Manager {
	t.Helper()
	m, err := New(Options{Directory: base + "/dir", Hosts: []string{"a.test"}, Cache: t.TempDir(), Try: func() []string { return []string{HTTP01} }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	m.http = &http.Client{Transport: transport{rt}}
	return m
}

// rewriting is an authority with some answers replaced.
type rewriting struct {
	*authority
	from, to string
}

func (rw rewriting) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := rw.authority.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(strings.NewReader(strings.ReplaceAll(string(text), rw.from, rw.to)))
	return res, nil
}

// An authority cannot make goodgate connect to addresses without TLS, such as those of
// cloud metadata services and of other programs on the machine.
func TestOnlyHTTPSAddresses(t *testing.T) {
	inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("asked: %s %s", r.Method, r.URL)
	}))
	defer inside.Close()
	redirect := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, inside.URL+"/latest", http.StatusTemporaryRedirect)
	}
	for name, rt := range map[string]http.RoundTripper{
		"a challenge":         through{rewriting{newAuthority(), base + "/authz", inside.URL + "/authz"}},
		"the order's address": through{rewriting{newAuthority(), base + "/new", inside.URL}},
		"the account's":       through{rewriting{newAuthority(), base + "/account", inside.URL}},
		"a redirect":          through{answering(redirect)},
	} {
		if _, err := hostileManager(t, rt).request(t.Context(), order{&site{host: "a.test"}, byItself{t.Context()}}); !errors.Is(err, errPlain) {
			t.Errorf("%s: got %v, want %v", name, err, errPlain)
		}
	}
}

// through lets requests to addresses other than the authority's go there.
type through struct{ http.RoundTripper }

func (th through) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != "ca.test" {
		return http.DefaultTransport.RoundTrip(r)
	}
	return th.RoundTripper.RoundTrip(r)
}

type answering http.HandlerFunc

func (f answering) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	f(w, r)
	return w.Result(), nil
}

// A token becomes a part of goodgate's answers for every host, so only the characters
// of RFC 8555 are accepted.
func TestTokens(t *testing.T) {
	for token, want := range map[string]bool{"evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr_oA": true, "x": true,
		"": false, "<script>": false, "a/b": false, "../x": false, "a\r\nb": false, "a=": false, "a+b": false, "a b": false, "a.b": false, "é": false} {
		if got := isToken(token); got != want {
			t.Errorf("%q: got %v, want %v", token, got, want)
		}
	}
	a := newAuthority()
	m := hostileManager(t, rewriting{a, token(0), `<script src=x>`})
	a.manager = m
	if _, err := m.request(t.Context(), order{&site{host: "a.test"}, byItself{t.Context()}}); err == nil || !strings.Contains(err.Error(), "no token may have") {
		t.Errorf("got %v, want an error about the token", err)
	}
	if _, err := os.Stat(m.cache.tokenFile("a.test")); err == nil {
		t.Error("the token was kept")
	}
}
