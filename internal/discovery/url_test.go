package discovery

import (
	"strings"
	"testing"
)

func TestParseURL(t *testing.T) {
	t.Parallel()
	f := func(s string, want Target, wantName bool) {
		t.Helper()
		got, isName, err := ParseURL(s)
		if err != nil || got != want || isName != wantName {
			t.Errorf("%s: got %+v, %v, %v; want %+v, %v", s, got, isName, err, want, wantName)
		}
	}
	f("http://10.0.0.1:3001", Target{Addr: "10.0.0.1:3001"}, false)
	f("http://10.0.0.1/", Target{Addr: "10.0.0.1:80"}, false)
	f("https://10.0.0.1", Target{Addr: "10.0.0.1:443", TLS: true}, false)
	f("http://[::1]:80", Target{Addr: "[::1]:80"}, false)
	f("http://[::ffff:10.0.0.1]:80", Target{Addr: "10.0.0.1:80"}, false)
	f("http://[fe80::1%25eth0]:80", Target{Addr: "[fe80::1%eth0]:80"}, false)
	f("http://App.Example.com:3000", Target{Addr: "app.example.com:3000", Name: "app.example.com"}, true)
	f("https://app", Target{Addr: "app:443", Name: "app", TLS: true}, true)
	f("http://app.example.com.:80", Target{Addr: "app.example.com.:80", Name: "app.example.com"}, true)
	f("http://my_app-1:80", Target{Addr: "my_app-1:80", Name: "my_app-1"}, true)
	f("unix:/run/app.sock", Target{Addr: "unix:/run/app.sock"}, false)

	fail := func(s string) {
		t.Helper()
		if got, _, err := ParseURL(s); err == nil || got != (Target{}) {
			t.Errorf("%q: got %+v, %v; want an error", s, got, err)
		}
	}
	fail("")
	fail("10.0.0.1:80")
	fail("app")
	fail("ftp://app")
	fail("http://")
	fail("http://:80")
	fail("http://app:0")
	fail("http://app:65536")
	fail("http://app:http")
	fail("http://app/path")
	fail("http://app?q")
	fail("http://app?")
	fail("http://app#f")
	fail("http://10.0.0.256")
	fail("http://a..b")
	fail("http://a b")
	fail("http://" + strings.Repeat("a", 64))
	fail("http://" + strings.Repeat("a.", 128))
	fail("http://.")
	fail("unix:")
	fail("unix:run/app.sock")
	fail("unix:/" + strings.Repeat("a", maxSocketPath))
	for _, s := range []string{"http://user:hidden@app", "http://user:hid/hidden@app", "http://user:hidden@app:x", "http://user:%zzhidden@app", "http://app?key=hidden",
		"http://user:hidden@a..b", "user:hidden@app:80", "ftp://user:hidden@app", "http://user:hidden@app:99999", "http://app:99999?hidden", "http://\x01app?hidden"} {
		fail(s)
		if _, _, err := ParseURL(s); err != nil && strings.Contains(err.Error(), "hidden") {
			t.Errorf("the error shows a secret: %v", err)
		}
	}
	// An address is a label of metrics.
	for _, s := range []string{"unix:/a\x1b[31m", "unix:/a\n", "unix:/\u202e", "unix:/\u009b", "http://[fe80::1%25%1b]:80", "http://[fe80::1%25%0a]:80", "http://a\u202e"} {
		fail(s)
	}
}
