package stale

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// fields returns the header with these lines.
func fields(lines ...string) http.Header {
	h := http.Header{}
	for _, l := range lines {
		name, v, _ := strings.Cut(l, ": ")
		h.Add(name, v)
	}
	return h
}

func key(method, target string) Key { return Key{Method: method, Host: "h", Target: target} }

// lasts returns the time for which a stored response is used; 0 = never.
func lasts(o Options, request http.Header, res *http.Response) time.Duration {
	c := New(o)
	k := key("GET", "/")
	c.Put(k, request, res, nil, now)
	if c.Get(k, request, now) == nil {
		return 0
	}
	low, high := time.Duration(0), 100*365*24*time.Hour
	for high-low > time.Millisecond {
		if mid := (low + high) / 2; c.Get(k, request, now.Add(mid)) != nil {
			low = mid
		} else {
			high = mid
		}
	}
	return high.Round(time.Second)
}

// TestKept tests all rules about which responses are kept, and for how long.
func TestKept(t *testing.T) {
	t.Parallel()
	const hour = time.Hour
	for _, tt := range []struct {
		name     string
		ifError  time.Duration
		request  string
		status   int
		response string // fields, separated by |
		want     time.Duration
	}{
		{"stale-if-error", 0, "", 200, "Cache-Control: stale-if-error=60", 60 * time.Second},
		{"stale-if-error after freshness", 0, "", 200, "Cache-Control: max-age=40, stale-if-error=60", 100 * time.Second},
		{"old on arrival", 0, "", 200, "Cache-Control: max-age=40, stale-if-error=60|Age: 30", 70 * time.Second},
		{"old by its date", 0, "", 200, "Cache-Control: max-age=40, stale-if-error=60|Date: Fri, 01 May 2026 11:59:50 GMT", 90 * time.Second},
		{"too old on arrival", 0, "", 200, "Cache-Control: max-age=40, stale-if-error=60|Age: 100", 0},
		{"no caching headers, no default", 0, "", 200, "", 0},
		{"no caching headers", hour, "", 200, "", hour},
		{"fresh only, no default", 0, "", 200, "Cache-Control: max-age=40", 40 * time.Second},
		{"fresh, default after", hour, "", 200, "Cache-Control: max-age=60", hour + time.Minute},
		{"fresh by Expires", hour, "", 200, "Expires: Fri, 01 May 2026 12:01:00 GMT", hour + time.Minute},
		{"Expires before its Date", hour, "", 200, "Expires: 0", hour},
		{"its word counts, not the default", hour, "", 200, "Cache-Control: stale-if-error=0", 0},
		{"s-maxage forbids stale use", hour, "", 200, "Cache-Control: s-maxage=60, max-age=5", time.Minute},
		{"s-maxage, and its word", hour, "", 200, "Cache-Control: s-maxage=60, stale-if-error=60", 2 * time.Minute},
		{"not a number", 0, "", 200, "Cache-Control: stale-if-error=soon", 0},
		{"too large a number", 0, "", 200, "Cache-Control: stale-if-error=99999999999999999999", (1<<31 - 1) * time.Second},

		{"private", hour, "", 200, "Cache-Control: private, stale-if-error=60", 0},
		{"private for a field", hour, "", 200, `Cache-Control: private="X", stale-if-error=60`, 0},
		{"no-store", hour, "", 200, "Cache-Control: no-store", 0},
		{"no-cache", hour, "", 200, "Cache-Control: stale-if-error=9|Cache-Control: NO-CACHE", 0},
		{"Pragma", hour, "", 200, "Pragma: no-cache", 0},
		{"must-revalidate", hour, "", 200, "Cache-Control: max-age=9, must-revalidate, stale-if-error=9", 0},
		{"proxy-revalidate", hour, "", 200, "Cache-Control: max-age=9, proxy-revalidate", 0},
		{"Set-Cookie", hour, "", 200, "Set-Cookie: a=b|Cache-Control: public, max-age=9", 0},
		{"Vary: *", hour, "", 200, "Vary: Accept, *", 0},
		{"Authorization", hour, "Authorization: x", 200, "Cache-Control: public, max-age=9", 0},
		{"the client says no-store", hour, "Cache-Control: no-store", 200, "", 0},
		{"the client says no-cache", hour, "Cache-Control: no-cache", 200, "", 0},
		{"the client reloads", hour, "Cache-Control: max-age=0", 200, "", hour},
		{"a cookie, no caching headers", hour, "Cookie: a=b", 200, "", 0},
		{"a cookie, public", hour, "Cookie: a=b", 200, "Cache-Control: public", hour},
		{"a cookie, stale-if-error", 0, "Cookie: a=b", 200, "Cache-Control: stale-if-error=60", time.Minute},
		{"a cookie, fresh", hour, "Cookie: a=b", 200, "Cache-Control: max-age=60", hour + time.Minute},
		{"a cookie, s-maxage", hour, "Cookie: a=b", 200, "Cache-Control: s-maxage=60", time.Minute},
		{"a cookie, fresh by Expires", hour, "Cookie: a=b", 200, "Expires: Fri, 01 May 2026 12:01:00 GMT", hour + time.Minute},
		{"a cookie, public but stale", hour, "Cookie: a=b", 200, "Cache-Control: public, max-age=0", hour},
		{"a cookie, Expires: 0", hour, "Cookie: a=b", 200, "Expires: 0", 0},
		{"a cookie, Expires: -1", hour, "Cookie: a=b", 200, "Expires: -1", 0},
		{"a cookie, Expires is past", hour, "Cookie: a=b", 200, "Expires: Thu, 19 Nov 1981 08:52:00 GMT", 0},
		{"a cookie, Expires is its Date", hour, "Cookie: a=b", 200, "Expires: Fri, 01 May 2026 12:00:00 GMT|Date: Fri, 01 May 2026 12:00:00 GMT", 0},
		{"a cookie, two Expires", hour, "Cookie: a=b", 200, "Expires: Fri, 01 May 2026 12:01:00 GMT|Expires: 0", 0},
		{"a cookie, max-age=0", hour, "Cookie: a=b", 200, "Cache-Control: max-age=0", 0},
		{"a cookie, max-age twice", hour, "Cookie: a=b", 200, "Cache-Control: max-age=60|Cache-Control: max-age=0", 0},
		{"a cookie, max-age is no number", hour, "Cookie: a=b", 200, "Cache-Control: max-age=1h", 0},
		{"a cookie, max-age is negative", hour, "Cookie: a=b", 200, "Cache-Control: max-age=-1", 0},
		{"a cookie, s-maxage=0", hour, "Cookie: a=b", 200, "Cache-Control: s-maxage=0", 0},
		{"a cookie, stale-if-error=0", hour, "Cookie: a=b", 200, "Cache-Control: stale-if-error=0", 0},
		{"a cookie, max-age=0 and Expires to come", hour, "Cookie: a=b", 200, "Cache-Control: max-age=0|Expires: Fri, 01 May 2026 12:01:00 GMT", 0},
		{"a cookie, Vary only", hour, "Cookie: a=b", 200, "Vary: Cookie, Accept-Encoding", 0},
		{"a cookie, validators only", hour, "Cookie: a=b", 200, `Etag: "a"|Last-Modified: Fri, 01 May 2026 11:00:00 GMT`, 0},
		{"a cookie, an unknown directive", hour, "Cookie: a=b", 200, "Cache-Control: immutable, no-transform, publicly", 0},
		{"a cookie, public with an argument", hour, "Cookie: a=b", 200, `Cache-Control: public="Set-Cookie"`, 0},
		{"an empty cookie", hour, "Cookie: ", 200, "", 0},
		{"an API key", hour, "X-Api-Key: x", 200, "", 0},
		{"an API key, max-age=0", hour, "X-Api-Key: x", 200, "Cache-Control: max-age=0", 0},
		{"an API key, public", hour, "X-Api-Key: x", 200, "Cache-Control: public", hour},
		{"a token", hour, "X-Auth-Token: x", 200, "Expires: 0", 0},
		{"a token, fresh", hour, "X-Access-Token: x", 200, "Cache-Control: max-age=60", hour + time.Minute},
		{"a field that is no credential", hour, "X-Requested-With: XMLHttpRequest", 200, "", hour},
		{"a range", hour, "Range: bytes=0-9", 200, "Cache-Control: max-age=9", 0},
		{"Pragma beside an empty Cache-Control", hour, "", 200, "Pragma: no-cache|Cache-Control: ", 0},
		{"Pragma of several", hour, "", 200, "Pragma: x|Pragma: y, No-Cache", 0},
		{"Pragma, and it says better", hour, "", 200, "Pragma: no-cache|Cache-Control: max-age=60", hour + time.Minute},
		{"private in another line", hour, "", 200, "Cache-Control: public, max-age=9|Cache-Control: private", 0},
		{"private among quotes", hour, "", 200, `Cache-Control: x="a,b", private, y="c"`, 0},
		{"Vary: * in another line", hour, "", 200, "Vary: Accept|Vary: *", 0},
		{"Vary that is none", hour, "", 200, "Vary: Accept Encoding", 0},
		{"the response sets a token", hour, "", 200, "X-Csrf-Token: a|Cache-Control: public, max-age=9", 0},
		{"the response signs the user in", hour, "", 200, "Authentication-Info: a|Cache-Control: public, max-age=9", 0},
		{"badly written", hour, "", 200, "Cache-Control: max-age=9; private", 0},
		{"an unterminated quote", hour, "", 200, `Cache-Control: x="a, private`, 0},

		{"404", hour, "", 404, "", 0},
		{"404, it says so", 0, "", 404, "Cache-Control: stale-if-error=60", 0},
		{"404, fresh", 0, "", 404, "Cache-Control: max-age=60", time.Minute},
		{"203, fresh", 0, "", 203, "Cache-Control: max-age=60", time.Minute},
		{"301, fresh", 0, "", 301, "Cache-Control: max-age=60", time.Minute},
		{"410, fresh", 0, "", 410, "Cache-Control: max-age=60", time.Minute},
		{"302", hour, "", 302, "Cache-Control: max-age=60", 0},
		{"206", hour, "", 206, "Cache-Control: max-age=60|Content-Range: bytes 0-1/2", 0},
		{"500", hour, "", 500, "Cache-Control: max-age=60", 0},
	} {
		request, response := http.Header{}, http.Header{}
		if tt.request != "" {
			request = fields(tt.request)
		}
		if tt.response != "" {
			response = fields(strings.Split(tt.response, "|")...)
		}
		if got := lasts(Options{MaxSize: 1 << 20, IfError: tt.ifError}, request, &http.Response{StatusCode: tt.status, Header: response}); got != tt.want {
			t.Errorf("%s: used for %v, want %v", tt.name, got, tt.want)
		}
	}
	trailer := &http.Response{StatusCode: 200, Header: http.Header{}, Trailer: http.Header{"X": nil}}
	if got := lasts(Options{MaxSize: 1 << 20, IfError: hour}, http.Header{}, trailer); got != 0 {
		t.Errorf("with a trailer: used for %v, want never", got)
	}
}

// silent returns a response without caching headers.
func silent(lines ...string) *http.Response {
	return &http.Response{StatusCode: 200, Header: fields(lines...)}
}

func bodyOf(r *Response) string {
	if r == nil {
		return "nothing"
	}
	return string(r.Body)
}

func TestVary(t *testing.T) {
	t.Parallel()
	c := New(Options{MaxSize: 1 << 20, IfError: time.Hour})
	k := key("GET", "/")
	language := func(l string) http.Header { return fields("Accept-Language: " + l) }
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for _, l := range []string{"de", "en", "de"} {
		now = now.Add(time.Minute)
		c.Put(k, language(l), silent("Vary: accept-language"), []byte(l+now.Format(" 04")), now)
	}
	for l, want := range map[string]string{"de": "de 03", "en": "en 02", "fr": "nothing"} {
		if got := bodyOf(c.Get(k, language(l), now)); got != want {
			t.Errorf("%s: got %s, want %s", l, got, want)
		}
	}
	for i := range 100 {
		c.Put(k, language(fmt.Sprint(i)), silent("Vary: Accept-Language"), nil, now)
	}
	if r, _ := c.all.Peek(k); len(r.variants) != maxVariants {
		t.Errorf("got %d variants, want %d", len(r.variants), maxVariants)
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	c := New(Options{MaxSize: 1 << 20, IfError: time.Hour})
	none := http.Header{}
	c.Put(key("HEAD", "/a"), none, silent(), nil, now)
	c.Put(key("GET", "/b"), none, silent(), []byte("b"), now)
	c.Put(key("POST", "/c"), none, silent(), nil, now)
	for k, want := range map[Key]bool{
		key("HEAD", "/a"): true, key("GET", "/a"): false, // the answer to a HEAD has no body
		key("HEAD", "/b"): true, key("GET", "/b"): true,
		key("POST", "/c"): false, key("GET", "/c"): false, key("POST", "/b"): false,
	} {
		if got := c.Get(k, none, now) != nil; got != want {
			t.Errorf("%s %s: got %t, want %t", k.Method, k.Target, got, want)
		}
	}
	c.Forget(key("POST", "/b"))
	if c.Get(key("GET", "/b"), none, now) != nil {
		t.Error("/b is still there after it was changed")
	}
	gone := &http.Response{StatusCode: 404, Header: none}
	c.Put(key("GET", "/b"), none, silent(), nil, now)
	c.Put(key("GET", "/b"), none, gone, nil, now.Add(time.Minute))
	if c.Get(key("GET", "/b"), none, now) != nil {
		t.Error("/b is still there after it was gone")
	}
}

// A request with a cookie does not get a response that was kept for others without their
// explicit permission.
func TestSilentResponseAndCookie(t *testing.T) {
	t.Parallel()
	c := New(Options{MaxSize: 1 << 20, IfError: time.Hour})
	c.Put(key("GET", "/"), http.Header{}, silent(), nil, now)
	if c.Get(key("GET", "/"), fields("Cookie: user=1"), now) != nil {
		t.Error("a request with a cookie got what was kept for those without")
	}
}

// The cache keeps its limit in bytes, evicts the least recently used resources, and
// counts correctly.
func TestBytes(t *testing.T) {
	t.Parallel()
	c := New(Options{MaxSize: 64 << 10, IfError: time.Hour})
	none := http.Header{}
	body := make([]byte, 10<<10)
	for i := range 100 {
		c.Put(key("GET", fmt.Sprint("/", i)), none, silent(), body, now)
		c.Put(key("GET", "/0"), none, silent(), body, now.Add(time.Duration(i)*time.Minute)) // used again and again
		if c.Size() > 64<<10 {
			t.Fatalf("after %d: got %d bytes, want 64 KiB at most", i, c.Size())
		}
	}
	if c.all.Len() != 6 {
		t.Errorf("got %d resources, want the 6 that fit", c.all.Len())
	}
	if c.Get(key("GET", "/0"), none, now) == nil || c.Get(key("GET", "/99"), none, now) == nil || c.Get(key("GET", "/50"), none, now) != nil {
		t.Error("kept others than those that were used last")
	}
	c.Put(key("GET", "/large"), none, silent(), make([]byte, 65<<10), now)
	if c.Get(key("GET", "/large"), none, now) != nil {
		t.Error("kept one that is larger than all may be")
	}
	for _, k := range c.all.Keys() {
		c.Forget(k)
	}
	if c.Size() != 0 {
		t.Errorf("empty, but counts %d bytes", c.Size())
	}
}

// Kept responses are copies, stored anew at most once a second.
func TestPutCopies(t *testing.T) {
	t.Parallel()
	c := New(Options{MaxSize: 1 << 20, IfError: time.Hour})
	res, body := silent("X: 1"), []byte("one")
	k := key("GET", "/")
	c.Put(k, http.Header{}, res, body, now)
	body[0] = 'X'
	res.Header.Set("X", "2")
	got := c.Get(k, http.Header{}, now)
	if bodyOf(got) != "one" || got.Header.Get("X") != "1" {
		t.Errorf("got %s, X: %s; want what it was", bodyOf(got), got.Header.Get("X"))
	}
	c.Put(k, http.Header{}, res, []byte("two"), now.Add(minInterval/2))
	if got := bodyOf(c.Get(k, http.Header{}, now)); got != "one" {
		t.Errorf("got %s, want one", got)
	}
	c.Put(k, http.Header{}, res, []byte("two"), now.Add(minInterval))
	if got := bodyOf(c.Get(k, http.Header{}, now)); got != "two" {
		t.Errorf("got %s, want two", got)
	}
}

// FuzzControl checks that a directive against storing is found among any other text.
func FuzzControl(f *testing.F) {
	for _, s := range []string{"", "max-age=1", `a="b\"c,d", x`, "a=\"", "=", ",,=,", "max-age = 5", "a;b", "s-maxage=\"9\"", "stale-if-error=-1", "\\\""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, list := range []string{s + ", private", "private, " + s} {
			if c := parseControl([]string{list}); !c.private && !c.noStore {
				t.Errorf("%q: private was not seen", list)
			}
		}
		c := parseControl([]string{s})
		for _, d := range []time.Duration{c.maxAge, c.sMaxAge, c.ifError} {
			if d < none {
				t.Errorf("%q: got a time of %v", s, d)
			}
		}
	})
}

func BenchmarkPut(b *testing.B) {
	body := make([]byte, 16<<10)
	res := silent("Content-Type: text/html", "Etag: \"x\"")
	request := fields("Accept: text/html", "Accept-Encoding: gzip", "User-Agent: x", "Forwarded: for=192.0.2.1;host=h;proto=http", "X-Forwarded-For: 192.0.2.1",
		"X-Forwarded-Host: h", "X-Forwarded-Proto: http", "X-Request-Id: x", "Via: 1.1 goodgate")
	for name, step := range map[string]time.Duration{"anew": time.Minute, "recent": 0} {
		b.Run(name, func(b *testing.B) {
			c := New(Options{MaxSize: 1 << 20, IfError: time.Hour})
			at := now
			b.ReportAllocs()
			for b.Loop() {
				at = at.Add(step)
				c.Put(key("GET", "/"), request, res, body, at)
			}
		})
	}
}

func TestNotModified(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		own, list string
		want      bool
	}{
		{`"a"`, `"a"`, true}, {`W/"a"`, `"a"`, true}, {`"a"`, `W/"a"`, true}, {`"a"`, `"b", W/"a" , "c"`, true}, {`"a"`, `*`, true}, {`"a"`, ` * `, true},
		{`"a,b"`, `"a,b"`, true}, {`"a,b"`, `"x","a,b"`, true}, {`"a"`, `a`, false}, {`a`, `a`, true}, {`a`, `b,a`, true}, {`""`, `""`, true}, {``, `*`, true},
		{`"a"`, `"b"`, false}, {`"a"`, `"x,"a",y"`, false}, {`"a"`, `"x,*,y"`, false}, {``, `""`, false}, {`"a"`, `"a`, false}, {`"a"`, `, ,`, false}, {`"a"`, `W/,`, false},
	} {
		h := http.Header{}
		if c.own != "" {
			h.Set("Etag", c.own)
		}
		r := Response{Status: 200, Header: h}
		if got := r.NotModified(fields("If-None-Match: " + c.list)); got != c.want {
			t.Errorf("%s in %s: got %v", c.own, c.list, got)
		}
	}
}

// An answer of 304 without Date is from now, whatever the kept response says.
func TestRenewWithoutDate(t *testing.T) {
	t.Parallel()
	c := New(Options{MaxSize: 1 << 20, Hits: true})
	k := key("GET", "/")
	old := fields("Cache-Control: max-age=10", `Etag: "a"`, "Date: "+now.Format(http.TimeFormat))
	c.Put(k, http.Header{}, &http.Response{StatusCode: 200, Header: old}, nil, now)
	later := now.Add(time.Minute)
	r, use := c.Look(k, http.Header{}, later)
	if use != Revalidate {
		t.Fatalf("use: got %v, want Revalidate", use)
	}
	if r = c.Renew(&Rules{}, k, http.Header{}, r, fields(`Etag: "a"`), later); r.Age(later) != 0 {
		t.Errorf("age: got %v, want 0", r.Age(later))
	}
	if _, use := c.Look(k, http.Header{}, later); use != Hit {
		t.Errorf("use: got %v, want Hit", use)
	}
}
