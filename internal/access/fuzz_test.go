package access

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// FuzzNetworks compares the decision with a plain reading of the rule, for the addresses at
// both ends of each network, next to them, and for one address that the input chooses. Each
// line is + (allow) or - (deny) and a network.
func FuzzNetworks(f *testing.F) {
	f.Add("+10.0.0.0/8\n-10.1.0.0/16\n+10.1.2.3/32", "10.1.2.3")
	f.Add("-0.0.0.0/0\n+::/0\n-2001:db8::/32", "2001:db8::1")
	f.Add("+10.0.0.1/8\n-10.0.0.2/8", "")
	f.Add("-255.255.255.255/32\n-ffff:ffff::/128", "::")
	f.Fuzz(func(t *testing.T, text, chosen string) {
		var allow, deny []netip.Prefix
		addrs := []netip.Addr{{}}
		for line := range strings.Lines(text) {
			line = strings.TrimSpace(line)
			if len(line) < 2 {
				continue
			}
			p, err := netip.ParsePrefix(line[1:])
			if err != nil || p.Addr().Is4In6() {
				continue
			}
			switch line[0] {
			case '+':
				allow = append(allow, p)
			case '-':
				deny = append(deny, p)
			default:
				continue
			}
			first, last := ends(p)
			addrs = append(addrs, first, last, first.Prev(), last.Next())
		}
		if a, err := netip.ParseAddr(chosen); err == nil && a.Zone() == "" {
			addrs = append(addrs, a.Unmap())
		}
		twice := slices.ContainsFunc(allow, func(p netip.Prefix) bool {
			return slices.ContainsFunc(deny, func(q netip.Prefix) bool { return p.Masked() == q.Masked() })
		})
		n, err := NewNetworks(allow, deny)
		if (err != nil) != twice {
			t.Fatalf("allow %v, deny %v: got %v", allow, deny, err)
		}
		if err != nil {
			return
		}
		for _, a := range addrs {
			if got, want := n.Allows(a), allows(allow, deny, a); got != want {
				t.Errorf("allow %v, deny %v: %v: got %t, want %t", allow, deny, a, got, want)
			}
		}
	})
}

// ends returns the first and the last address of a network.
func ends(p netip.Prefix) (first, last netip.Addr) {
	first = p.Masked().Addr()
	bytes := first.AsSlice()
	for i := p.Bits(); i < first.BitLen(); i++ {
		bytes[i/8] |= 0x80 >> (i % 8)
	}
	last, _ = netip.AddrFromSlice(bytes)
	return first, last
}

// allows is the rule as docs/access.md has it.
func allows(allow, deny []netip.Prefix, a netip.Addr) bool {
	narrowest, allowed := -1, len(allow) == 0
	for i, p := range slices.Concat(allow, deny) {
		if a.IsValid() && p.Contains(a) && p.Bits() > narrowest {
			narrowest, allowed = p.Bits(), i < len(allow)
		}
	}
	return allowed
}

// FuzzUsers compares the users of a file with a plain reading of its lines.
func FuzzUsers(f *testing.F) {
	const hash = "$2y$04$eeeeeeeeeeeeeeeeeeeeeuWjKMGcsEbSbQXTCvVCmkPWRBOgE0Wvm"
	f.Add("a:H\nb:H:more\n")
	f.Add("# a:H\n\r\n a:H\r\n")
	f.Add("a:H\na:H")
	f.Add("a:\nb")
	f.Add(":H")
	f.Add("a:H\x00\xff:H")
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ReplaceAll(text, "H", hash)
		all, err := parse([]byte(text))
		var want []string
		for line := range strings.SplitSeq(text, "\n") {
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			parts := strings.SplitN(line, ":", 3)
			if len(parts) < 2 || parts[0] == "" || slices.Contains(want, parts[0]) {
				if err == nil {
					t.Fatalf("%q: no error", text)
				}
				return
			}
			if _, wrong := parseHash(parts[1]); wrong != nil {
				if err == nil {
					t.Fatalf("%q: no error", text)
				}
				return
			}
			want = append(want, parts[0])
		}
		if err != nil {
			t.Fatalf("%q: got %v", text, err)
		}
		if len(all.by) != len(want) {
			t.Fatalf("%q: got %d users, want %q", text, len(all.by), want)
		}
		for _, name := range want {
			if _, ok := all.by[name]; !ok {
				t.Fatalf("%q: no user %q", text, name)
			}
		}
	})
}
