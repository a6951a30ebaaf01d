package proxy

import (
	"net/http"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/wire/message"
)

// variable returns the name that CGI gives a field.
func variable(name string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			return c
		}
		return '_'
	}, strings.ToUpper(name))
}

// If an application cannot distinguish several names, only those in the table pass. All
// other names pass.
func FuzzSpelling(f *testing.F) {
	for _, name := range []string{"X-User", "X_User", "x.user", "X-Users", "X-", "-User", "Proxy", "X-Forwarded-For", "X_Forwarded.Whatever", "X-Forwarded", strings.Repeat("x", 100)} {
		f.Add("X-User", name)
		f.Add(name, name)
	}
	f.Fuzz(func(t *testing.T, rule, name string) {
		if !isToken(rule) || !isToken(name) {
			t.Skip()
		}
		var table fieldTable
		table.restrict(rule)
		same, exact := variable(rule) == variable(name), strings.EqualFold(rule, name)
		if got, want := table.passes(name, true), !same || exact; got != want {
			t.Errorf("%q under a rule about %q passes: got %t, want %t", name, rule, got, want)
		}
		table.refuse(rule)
		if got := table.passes(name, true); got == same {
			t.Errorf("%q under a refusal of %q passes: got %t", name, rule, got)
		}
		table.refusePrefix(rule)
		begins := strings.HasPrefix(variable(name), variable(rule))
		if got := table.passes(name, true); got == begins {
			t.Errorf("%q under a refusal of %q... passes: got %t", name, rule, got)
		}
	})
}

func BenchmarkDropClaims(b *testing.B) {
	p := &Proxy{trust: newTrust(&Options{Routes: []Route{{Match: Match{Headers: map[string]string{"X-Debug": "1"}}}}})}
	h := http.Header{}
	for _, name := range []string{"Accept", "Accept-Encoding", "Accept-Language", "Cookie", "User-Agent", "Sec-Fetch-Mode", "X-Requested-With", "Cache-Control"} {
		h.Set(name, "x")
	}
	r := message.FromHTTP(&http.Request{Header: h})
	b.ReportAllocs()
	for b.Loop() {
		p.trust.dropUnbelieved(r, false)
	}
}
