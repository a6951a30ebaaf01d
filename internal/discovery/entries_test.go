package discovery

import (
	"net"
	"slices"
	"strings"
	"testing"
)

func TestParseFile(t *testing.T) {
	t.Parallel()
	base := Target{Weight: 5, Tier: 2, MaxInFlight: 9}
	f := func(name, data string, want ...Target) {
		t.Helper()
		got, err := parseFile([]byte(data), base)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %+v, %v; want %+v", name, got, err, want)
		}
	}
	a := Target{Addr: "10.0.0.1:80", Weight: 5, Tier: 2, MaxInFlight: 9}
	b := Target{Addr: "app:443", Name: "app", Weight: 1, Tier: 0, MaxInFlight: 7, TLS: true}
	f("YAML", "# all\n- http://10.0.0.1\n- url: https://app\n  weight: 1\n  tier: 0\n  max_in_flight: 7\n", a, b)
	f("JSON", `["http://10.0.0.1:80", {"url": "https://app:443", "weight": 1, "tier": 0, "max_in_flight": 7}]`, a, b)
	f("duplicates", "- http://10.0.0.1\n- url: http://10.0.0.1:80\n  weight: 1\n", a)
	f("none", "[]")
}

func TestParseFileFaults(t *testing.T) {
	t.Parallel()
	f := func(data string, want ...string) {
		t.Helper()
		got, err := parseFile([]byte(data), Target{})
		if err == nil || got != nil {
			t.Errorf("%.80q: got %+v, %v; want an error", data, got, err)
			return
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%.80q: got error %q, want %q in it", data, err, w)
			}
		}
	}
	f("", "line 1, column 1")
	f("# nothing\n")
	f("null")
	f("http://10.0.0.1", "line 1, column 1")
	f("a: b", "line 1, column 1")
	f("- http://10.0.0.1\n---\n- http://10.0.0.2\n", "second document")
	f("- http://10.0.0.1\n- url: http://10.0.0.2\n  wieght: 3\n", "line 3, column 3", "wieght")
	f("- url: http://a\n  url: http://b\n", "line 2, column 3", "twice")
	f("- weight: 3\n", "line 1, column 3", "url is missing")
	f("- [a]\n", "line 1, column 3")
	f("- 3\n", "line 1, column 3")
	f("- url: [a]\n", "line 1, column 8")
	f("- ftp://app\n- http://app:0\n", "line 1, column 3", "line 2, column 3")
	f("- {url: 'http://a', weight: 0}\n", "column 29", "1 to 1000")
	f("- {url: 'http://a', weight: 1.5}\n")
	f("- {url: 'http://a', weight: 99999999999999999999}\n")
	f("- {url: 'http://a', tier: -1}\n")
	f("- {url: 'http://a', max_in_flight: x}\n")
	f("- &a http://a\n- *a\n", "line 2, column 3")
	f(`["http://10.0.0.1",`, "line")
	f("- url: 'http://10.0", "not YAML")
	f(strings.Repeat("[", 1<<20))
	f("[" + strings.Repeat("a,", maxEntries+1) + "]")
	f("\x00")
}

func FuzzParseFile(f *testing.F) {
	f.Add([]byte("- http://10.0.0.1\n- url: https://app\n  weight: 1\n  tier: 0\n  max_in_flight: 7\n"))
	f.Add([]byte(`["http://10.0.0.1:80", {"url": "unix:/a", "weight": 1}]`))
	f.Add([]byte("- &a {url: http://a}\n- *a\n- <<: *a\n---\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		targets, err := parseFile(data, Target{Weight: 1})
		if err != nil {
			return
		}
		for _, target := range targets {
			path, socket := strings.CutPrefix(target.Addr, "unix:/")
			_, _, err := net.SplitHostPort(target.Addr)
			if socket && path == "" && len(target.Addr) < 6 || !socket && err != nil {
				t.Errorf("got address %q", target.Addr)
			}
			if target.Weight < 1 || target.Weight > maxWeight || target.Tier < 0 || target.MaxInFlight < 0 {
				t.Errorf("got %+v", target)
			}
		}
	})
}

func BenchmarkParseFile(b *testing.B) {
	b.ReportAllocs()
	data := []byte(strings.Repeat("- {url: 'http://10.0.0.1:80', weight: 3}\n", 1000))
	for b.Loop() {
		if _, err := parseFile(data, Target{}); err != nil {
			b.Fatal(err)
		}
	}
}
