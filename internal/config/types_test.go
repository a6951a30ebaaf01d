package config

import (
	"fmt"
	"io/fs"
	"net/netip"
	"reflect"
	"strings"
	"testing"
)

func TestScalars(t *testing.T) {
	t.Parallel()
	f := func(typ reflect.Type, text, want string) {
		t.Helper()
		v := reflect.New(typ).Elem()
		got := ""
		if err := setScalar(v, text); err != nil {
			got = "error: " + err.Error()
		} else {
			got = fmt.Sprint(v.Interface())
		}
		if got != want && !(want == "error" && strings.HasPrefix(got, "error")) {
			t.Errorf("%s %q: got %s, want %s", typ, text, got, want)
		}
	}
	duration, size, ratio := reflect.TypeFor[Duration](), reflect.TypeFor[Size](), reflect.TypeFor[Ratio]()
	status, prefix, mode := reflect.TypeFor[StatusRange](), reflect.TypeFor[netip.Prefix](), reflect.TypeFor[fs.FileMode]()

	f(duration, "1m30s", "1m30s")
	f(duration, "0s", "0s")
	f(duration, "1.5s", "1.5s")
	f(duration, "0", "error: a duration needs a unit: 0s or 0ms")
	f(duration, "-1s", "error: must not be negative")
	f(duration, "9999999999h", "error")
	f(duration, "", "error")
	f(size, "64KiB", "64KiB")
	f(size, "1MB", "1000000B")
	f(size, "1 MiB", "1MiB")
	f(size, "0", "0B")
	f(size, "9000000000GiB", "error: too large")
	f(size, "99999999999999999999", "error")
	f(size, "1.5MiB", "error")
	f(size, "-1", "error")
	f(ratio, "20%", "20%")
	f(ratio, "0.2", "20%")
	f(ratio, "12.5%", "12.5%")
	f(ratio, "20", "error: write 20% (or 0.2)")
	for _, bad := range []string{"NaN", "inf", "-1%", "%", "1e3", "0x1p2", ""} {
		f(ratio, bad, "error")
	}
	hedge := reflect.TypeFor[HedgeAfter]()
	for _, good := range []string{"auto", "p90", "p95", "p99", "20ms", "1m", "off"} {
		f(hedge, good, good)
	}
	f(hedge, "0s", "off")
	for _, bad := range []string{"p50", "95%", "-1ms", "20", ""} {
		f(hedge, bad, "error: expected auto, p90, p95, p99, a duration such as 20ms, or off")
	}
	adaptive := reflect.TypeFor[Adaptive]()
	for _, good := range []string{"auto", "true", "false"} {
		f(adaptive, good, good)
	}
	f(adaptive, "TRUE", "true")
	for _, bad := range []string{"on", "Auto", "1", ""} {
		f(adaptive, bad, "error: expected auto, true or false")
	}
	f(status, "200", "200")
	f(status, "200-399", "200-399")
	f(status, "2xx", "200-299")
	f(status, "5XX", "500-599")
	for _, bad := range []string{"2x", "xx", "99", "600", "6xx", "200-", "-200", "0200", "200-299-300", "+20"} {
		f(status, bad, "error")
	}
	f(prefix, "10.0.0.0/8", "10.0.0.0/8")
	f(prefix, "10.0.0.1", "10.0.0.1/32")
	f(prefix, "::1", "::1/128")
	f(prefix, "fe80::1%eth0", "error")
	f(prefix, "10.0.0.0/33", "error")
	f(mode, "0660", "-rw-rw----")
	f(mode, "0o600", "-rw-------")
	f(mode, "888", "error")
	f(mode, "1777", "error")
	f(reflect.TypeFor[int](), "1.5", "error: expected a whole number")
	f(reflect.TypeFor[bool](), "on", "error: expected true or false")
	f(reflect.TypeFor[Secret](), "x", hidden)
}

func TestStatusesContains(t *testing.T) {
	t.Parallel()
	s := Statuses{{200, 299}, {404, 404}}
	for code, want := range map[int]bool{199: false, 200: true, 299: true, 300: false, 404: true, 0: false} {
		if got := s.Contains(code); got != want {
			t.Errorf("%d: got %t, want %t", code, got, want)
		}
	}
	if (Statuses)(nil).Contains(200) {
		t.Error("the empty set contains 200")
	}
}

func TestFormats(t *testing.T) {
	t.Parallel()
	f := func(format, text, want string) {
		t.Helper()
		got, err := formats[format].check(text)
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%s %q: got %q (%v), want %q", format, text, got, err, want)
		}
	}
	f("url", "http://A.example", "http://a.example:80")
	f("url", "https://[::1]:8443/", "https://[::1]:8443")
	f("url", "unix:/run/x.sock", "unix:/run/x.sock")
	for _, bad := range []string{
		"", "a", "//a", "http://", "http://:80", "http://a:", "http://a:0", "http://a:65536", "http://a?", "http://a/#", "http://a#x",
		"http://a b", "http:a", "unix:x", "unix:/" + strings.Repeat("x", 110), "https+unix:/x", "http://u@a", "http://-a", "\x00",
	} {
		f("url", bad, "error")
	}
	f("listen", ":0", ":0")
	f("listen", "[::1]:80", "[::1]:80")
	f("listen", ":http", "error")
	f("listen", "http://a:80", "error")
	f("listen", "a b:80", "error")
	f("listen", "unix:a", "error")
	f("hostport", "[::1]:53", "[::1]:53")
	f("hostport", ":53", "error")
	f("hostpattern", "*.A.example.", "*.a.example")
	f("hostpattern", "::1", "::1")
	f("hostpattern", "a..b", "error")
	f("sendhost", "keep", "keep")
	f("sendhost", "a.example:81", "a.example:81")
	f("sendhost", "a/b", "error")
	f("hashkey", "header:x-user", "header:X-User")
	f("hashkey", "cookie:Id", "cookie:Id")
	f("hashkey", "header:", "error")
	f("path", "/a b", "error")
	f("path", "/a?b", "error")
	f("prefix", "/a/", "/a")
	f("prefix", "/", "")
	f("prefix", "/a*", "error")
	f("requestpath", "/health?full=1", "/health?full=1")
	f("requestpath", "/a b", "error")
	f("redirect", "https://{host}{path}?{query}", "https://{host}{path}?{query}")
	f("redirect", "/new{path}", "/new{path}")
	f("redirect", "{path}", "{path}")
	for _, bad := range []string{"//{host}", "x", "https://", "javascript:alert(1)", "/{pth}", "/{", "/}", "/a b", "/\n", "ftp://x"} {
		f("redirect", bad, "error")
	}
	f("output", "stderr", "stderr")
	f("output", "stdot", "error")
	f("header", "x-a", "X-A")
	f("header", "", "error")
	f("headervalue", " a\tb ", "a\tb")
	f("headervalue", "a\r\nb", "error")
	f("method", "PURGE", "PURGE")
	f("via", "a b", "error")
}
