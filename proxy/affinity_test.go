package proxy_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/wire/message"
	"github.com/goodgate/goodgate/proxy"
)

// names makes every upstream answer with its own address.
func names(w *world) {
	for _, m := range w.pool.Members() {
		w.app(m.Addr(), func(rw http.ResponseWriter, _ *http.Request) { io.WriteString(rw, m.Addr()) })
	}
}

func stickySetup(s proxy.Sticky) setup {
	set := setup{upstreams: specs("a:80", "b:80", "c:80")}
	set.balancer.Policy = "sticky"
	set.pool.Sticky = proxy.NewSticky(s)
	set.pool.Retry = retries(3)
	return set
}

// with sends a request with a cookie. It returns the upstream that answered and the new
// cookie.
func (w *world) with(cookie string) (from string, set *http.Cookie) {
	r := w.request("GET", "/", nil)
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	got := w.do(r)
	if cookies := (&http.Response{Header: got.header}).Cookies(); len(cookies) > 0 {
		set = cookies[0]
	}
	return got.body, set
}

func TestSticky(t *testing.T) {
	t.Parallel()
	w := start(t, stickySetup(proxy.Sticky{Cookie: "gg", TTL: time.Hour, SameSite: http.SameSiteLaxMode}))
	names(w)
	first, c := w.with("")
	if c == nil {
		t.Fatal("no cookie")
	}
	check(t, "cookie", fmt.Sprintf("%s %s %t %t %d %d", c.Name, c.Path, c.HttpOnly, c.Secure, c.MaxAge, c.SameSite), "gg / true false 3600 2")
	if strings.Contains(c.Value, first) {
		t.Errorf("the cookie %q tells the address", c.Value)
	}
	pin := "other=1; gg=" + c.Value
	for range 10 {
		from, again := w.with(pin)
		check(t, "pinned to", from, first)
		if again != nil {
			t.Error("a pinned client got the cookie again")
		}
	}

	// When its upstream is out, the client moves, and stays there.
	for _, m := range w.pool.Members() {
		if m.Addr() == first {
			m.SetOperator(balancer.Drain)
		}
	}
	second, c2 := w.with(pin)
	if second == first || c2 == nil {
		t.Fatalf("failover: got %s, cookie %v", second, c2)
	}
	check(t, "same cookie", c2.Value == c.Value, false)
	from, _ := w.with("gg=" + c2.Value)
	check(t, "pinned anew to", from, second)
}

// A cookie that goodgate has not made has no effect.
func TestStickyForged(t *testing.T) {
	t.Parallel()
	w := start(t, stickySetup(proxy.Sticky{Cookie: "gg", Secret: []byte("secret")}))
	names(w)
	other := start(t, stickySetup(proxy.Sticky{Cookie: "gg", Secret: []byte("other")}))
	names(other)
	_, foreign := other.with("")
	_, good := w.with("")
	flipped := []byte(good.Value)
	flipped[0] ^= 1
	for _, value := range []string{foreign.Value, string(flipped), good.Value[:8], "", "%%%", strings.Repeat("A", 32)} {
		seen := map[string]bool{}
		for range 3 { // round robin continues
			from, c := w.with("gg=" + value)
			seen[from] = true
			if c == nil {
				t.Errorf("%q: no new cookie", value)
			}
		}
		check(t, "upstreams for "+value, len(seen), 3)
	}
}

// A cookie does not reveal the upstream's address, and any changed bit makes it invalid.
func TestStickyIsSealed(t *testing.T) {
	t.Parallel()
	s := stickySetup(proxy.Sticky{Cookie: "gg", Secret: []byte("secret")})
	s.upstreams = specs("a:80")
	w := start(t, s)
	names(w)
	_, c := w.with("")
	raw, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil {
		t.Fatal(err)
	}
	id := binary.BigEndian.AppendUint64(nil, balancer.Hash("a:80"))
	if bytes.Contains(raw, id) || strings.Contains(c.Value, base64.RawURLEncoding.EncodeToString(id)) {
		t.Errorf("the cookie %x has the hash of the address, %x", raw, id)
	}
	if _, again := w.with("gg=" + c.Value); again != nil {
		t.Error("a good cookie was not taken")
	}
	for i := range len(raw) * 8 {
		raw[i/8] ^= 1 << (i % 8)
		if _, again := w.with("gg=" + base64.RawURLEncoding.EncodeToString(raw)); again == nil {
			t.Errorf("a cookie with bit %d changed was taken", i)
		}
		raw[i/8] ^= 1 << (i % 8)
	}
	other := start(t, stickySetup(proxy.Sticky{Cookie: "gg"}))
	names(other)
	_, foreign := other.with("")
	check(t, "the same without a secret", foreign.Value == c.Value, false)
}

// With the same secret, cookies stay valid in the next process.
func TestStickySecret(t *testing.T) {
	t.Parallel()
	s := proxy.Sticky{Cookie: "gg", Secret: []byte("secret")}
	one, two := start(t, stickySetup(s)), start(t, stickySetup(s))
	names(one)
	names(two)
	first, c := one.with("")
	for range 5 {
		from, _ := two.with("gg=" + c.Value)
		check(t, "pinned to", from, first)
	}
}

// A retry pins to the upstream that answered.
func TestStickyAfterARetry(t *testing.T) {
	t.Parallel()
	s := stickySetup(proxy.Sticky{Cookie: "gg"})
	s.upstreams = specs("nobody:80", "b:80")
	w := start(t, s)
	w.app("b:80", ok)
	_, c := w.with("")
	w.pool.Update(specs("b:80", "c:80"))
	for range 4 {
		if _, again := w.with("gg=" + c.Value); again != nil {
			t.Error("the client was not pinned to the upstream that answered")
		}
	}
}

func TestStickySecure(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		secure *bool
		proto  string
		peer   string
		want   bool
	}{
		{nil, "https", "10.0.0.1:1", true},
		{nil, "http", "10.0.0.1:1", false},
		{nil, "https", "192.0.2.1:1", false},
		{new(true), "http", "10.0.0.1:1", true},
		{new(false), "https", "10.0.0.1:1", false},
	} {
		s := stickySetup(proxy.Sticky{Cookie: "gg", Secure: tc.secure})
		s.proxy.Trusted = prefixes("10.0.0.0/8")
		w := start(t, s)
		names(w)
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = tc.peer
		r.Header.Set("X-Forwarded-Proto", tc.proto)
		rec := httptest.NewRecorder()
		w.proxy.ServeHTTP(rec, r)
		check(t, "Secure", rec.Result().Cookies()[0].Secure, tc.want)
	}
}

func TestHashOn(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		on      proxy.HashOn
		request func(i int) (path, user, client string) // i distinguishes keys
	}{
		"client": {proxy.HashClientIP, func(i int) (string, string, string) { return "/", "x", fmt.Sprintf("192.0.2.%d:1", i) }},
		"path":   {proxy.HashPath, func(i int) (string, string, string) { return fmt.Sprintf("/%d", i), "x", "192.0.2.1:1" }},
		"uri":    {proxy.HashURI, func(i int) (string, string, string) { return fmt.Sprintf("/?%d", i), "x", "192.0.2.1:1" }},
		"query":  {proxy.HashQuery("a"), func(i int) (string, string, string) { return fmt.Sprintf("/?b=%d&a=%d", i%2, i), "x", "192.0.2.1:1" }},
		"header": {proxy.HashHeader("X-User"), func(i int) (string, string, string) { return "/", fmt.Sprint(i), "192.0.2.1:1" }},
		"cookie": {proxy.HashCookie("user"), func(i int) (string, string, string) { return "/", fmt.Sprint(i), "192.0.2.1:1" }},
	} {
		s := setup{upstreams: specs("a:80", "b:80", "c:80")}
		s.balancer.Policy = "hash"
		s.pool.HashOn = tc.on
		w := start(t, s)
		names(w)
		ask := func(i int) string {
			path, user, client := tc.request(i)
			r := httptest.NewRequest("GET", path, nil)
			r.RemoteAddr = client
			r.Header.Set("X-User", user)
			r.AddCookie(&http.Cookie{Name: "user", Value: user})
			rec := httptest.NewRecorder()
			w.proxy.ServeHTTP(rec, r)
			return rec.Body.String()
		}
		seen := map[string]bool{}
		for i := range 30 {
			first := ask(i)
			seen[first] = true
			check(t, name+" asked again", ask(i), first)
		}
		check(t, name+" upstreams in use", len(seen), 3)
	}
	check(t, "no address", proxy.HashClientIP(nil, netip.Addr{}), "")
	check(t, "no cookie", proxy.HashCookie("x")(message.FromHTTP(httptest.NewRequest("GET", "/", nil)), netip.Addr{}), "")
}

// TestStickyAttributes: the cookie has the attributes of the options, and Partitioned only
// with Secure.
func TestStickyAttributes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		sticky proxy.Sticky
		want   string
	}{
		{proxy.Sticky{}, "/  false false"},
		{proxy.Sticky{Domain: "example.com", Path: "/app"}, "/app example.com false false"},
		{proxy.Sticky{Partitioned: true}, "/  false false"},
		{proxy.Sticky{Partitioned: true, Secure: new(true)}, "/  true true"},
	} {
		tc.sticky.Cookie = "gg"
		w := start(t, stickySetup(tc.sticky))
		names(w)
		_, c := w.with("")
		if got := fmt.Sprint(c.Path, " ", c.Domain, " ", c.Secure, " ", c.Partitioned); got != tc.want {
			t.Errorf("%+v: got %s, want %s", tc.sticky, got, tc.want)
		}
	}
}
