package doctor

import (
	"testing"
	"time"
)

func TestParseSocket(t *testing.T) {
	f := func(line, address string, waiting int) {
		t.Helper()
		l, ok := parseSocket(line)
		if ok != (address != "") || ok && (l.address.String() != address || l.waiting != waiting) {
			t.Errorf("parseSocket(%q) = %v, %d waiting, %v; want %q, %d", line, l.address, l.waiting, ok, address, waiting)
		}
	}
	f("   0: 0100007F:0F97 00000000:0000 0A 00000000:00000003 00:00000000 00000000  1000        0 4242 1 x", "127.0.0.1:3991", 3)
	f("   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 7 1 x", "[::1]:8080", 0)
	f("   0: 0100007F:0F97 0100007F:1234 01 00000000:00000000 00:00000000 00000000  1000        0 4242 1 x", "", 0)
	f("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode", "", 0)
	f("0: zz 1 0A 0:0 x x x x x x", "", 0)
	f("", "", 0)
}

func TestLooksLike(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{{"3991", "3919", true}, {"3991", "3992", true}, {"8080", "8000", true}, {"3991", "3919x", false}, {"80", "81", false}, {"3000", "4001", false}} {
		if got := looksLike(c.a, c.b); got != c.want {
			t.Errorf("looksLike(%s, %s) = %v", c.a, c.b, got)
		}
	}
}

func TestSafeKeepalive(t *testing.T) {
	for kept, want := range map[time.Duration]time.Duration{
		75 * time.Second: 60 * time.Second, 5 * time.Second: 4 * time.Second, 2 * time.Second: time.Second,
		200 * time.Millisecond: 160 * time.Millisecond,
	} {
		if got := SafeKeepalive(kept); got != want || got >= kept {
			t.Errorf("SafeKeepalive(%v) = %v, want %v", kept, got, want)
		}
	}
}

func FuzzParseSocket(f *testing.F) {
	f.Add("   0: 0100007F:0F97 00000000:0000 0A 00000000:00000003 00:00000000 00000000  1000        0 4242 1 x")
	f.Fuzz(func(t *testing.T, line string) { parseSocket(line) })
}
