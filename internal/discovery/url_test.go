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
	fail("http://user:hidden@app")
	if _, _, err := ParseURL("http://user:hidden@app"); strings.Contains(err.Error(), "hidden") {
		t.Errorf("the error shows a password: %v", err)
	}
}
