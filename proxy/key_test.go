package proxy_test

import (
	"hash/maphash"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/goodgate/goodgate/proxy"
)

// Two requests have the same key only if all parts are equal. Neither another spelling
// nor values that run together give a client another key.
func TestKeysOfSeveralParts(t *testing.T) {
	t.Parallel()
	request := func(target, tenant, client string) (*proxy.Request, netip.Addr) {
		r := httptest.NewRequest("GET", target, nil)
		if tenant != "" {
			r.Header.Set("X-Tenant", tenant)
		}
		return proxy.NewRequest(r), netip.MustParseAddr(client)
	}
	seed := maphash.MakeSeed()
	shared := proxy.RateHash(func(text []byte) uint64 { return maphash.Bytes(seed, text) })
	for _, tc := range []struct {
		what, text     string
		target, tenant [2]string
		client         [2]string
		same           bool
	}{
		{"another tenant", "{client_ip}{header:X-Tenant}", [2]string{"/", "/"}, [2]string{"a", "b"}, [2]string{"192.0.2.1", "192.0.2.1"}, false},
		{"another client", "{client_ip}{header:X-Tenant}", [2]string{"/", "/"}, [2]string{"a", "a"}, [2]string{"192.0.2.1", "192.0.2.2"}, false},
		{"values that run together", "{client_ip}{header:X-Tenant}", [2]string{"/", "/"}, [2]string{"11", "1"}, [2]string{"192.0.2.1", "192.0.2.11"}, false},
		{"no tenant, twice", "{client_ip}{header:X-Tenant}", [2]string{"/", "/"}, [2]string{"", ""}, [2]string{"192.0.2.1", "192.0.2.1"}, true},
		{"no tenant", "{client_ip}{header:X-Tenant}", [2]string{"/", "/"}, [2]string{"", "a"}, [2]string{"192.0.2.1", "192.0.2.1"}, false},
		{"one household", "{client_ip} {header:X-Tenant}", [2]string{"/", "/"}, [2]string{"a", "a"}, [2]string{"2001:db8::1", "2001:db8::2"}, true},
		{"another household", "{client_ip}", [2]string{"/", "/"}, [2]string{"", ""}, [2]string{"2001:db8::1", "2001:db8:0:1::1"}, false},
		{"encoded parameter", "{query:key}", [2]string{"/?key=abc", "/?a=b&k%65y=%61bc"}, [2]string{"", ""}, [2]string{"192.0.2.1", "192.0.2.2"}, true},
		{"encoded path", "{path}", [2]string{"/abc", "/%61bc"}, [2]string{"", ""}, [2]string{"192.0.2.1", "192.0.2.2"}, true},
		{"path with dots", "{path}", [2]string{"/a/bc", "/a/./x/../bc"}, [2]string{"", ""}, [2]string{"192.0.2.1", "192.0.2.2"}, true},
		{"path with slashes", "{path}", [2]string{"/a/bc", "//a//bc"}, [2]string{"", ""}, [2]string{"192.0.2.1", "192.0.2.2"}, true},
		{"path with parameters", "{path}", [2]string{"/a/bc", "/a;1/bc;2"}, [2]string{"", ""}, [2]string{"192.0.2.1", "192.0.2.2"}, true},
		{"path with an encoded slash", "{path}", [2]string{"/a/bc", "/a%2fbc"}, [2]string{"", ""}, [2]string{"192.0.2.1", "192.0.2.2"}, true},
		{"another path", "{path}", [2]string{"/a/b.c", "/a/bc"}, [2]string{"", ""}, [2]string{"192.0.2.1", "192.0.2.1"}, false},
		{"host with a dot", "{host}", [2]string{"http://a.example:80/", "http://a.example.:80/"}, [2]string{"", ""}, [2]string{"192.0.2.1", "192.0.2.2"}, true},
		{"host with a dot and no port", "{host}", [2]string{"http://a.example/", "http://a.example./"}, [2]string{"", ""}, [2]string{"192.0.2.1", "192.0.2.2"}, true},
		{"another port", "{host}", [2]string{"http://a.example:80/", "http://a.example:81/"}, [2]string{"", ""}, [2]string{"192.0.2.1", "192.0.2.2"}, false},
		{"hostname", "{hostname}", [2]string{"http://a.example:80/", "http://A.example./"}, [2]string{"", ""}, [2]string{"192.0.2.1", "192.0.2.2"}, true},
		{"host", "{host}", [2]string{"http://A.example/", "http://a.example/"}, [2]string{"", ""}, [2]string{"192.0.2.1", "192.0.2.2"}, true},
	} {
		for name, on := range map[string]proxy.RateKey{"one instance": proxy.RateBy(64, tc.text), "fleet": shared.By(64, tc.text)} {
			first, second := on(request(tc.target[0], tc.tenant[0], tc.client[0])), on(request(tc.target[1], tc.tenant[1], tc.client[1]))
			if (first == second) != tc.same || first == 0 {
				t.Errorf("%s, %s: got %x and %x, want the same: %v", tc.what, name, first, second, tc.same)
			}
		}
	}
	r, client := request("/", "", "192.0.2.1")
	check(t, "no part has a value", proxy.RateBy(64, "{header:X-Tenant}", "{query:a}")(r, client), 0)
	check(t, "no part has a value, in a fleet", shared.By(64, "{header:X-Tenant}{cookie:a}")(r, client), 0)
	check(t, "nothing to hash", proxy.HashOf("{header:X-Tenant}{tls.server_name}")(r, client), "")
	check(t, "one part", proxy.HashOf("{client_ip}")(r, client), "192.0.2.1")
	check(t, "a list is a text", proxy.HashOf("{client_ip}", "{path}")(r, client), proxy.HashOf("{client_ip}:{path}")(r, client))
}
