package proxy_test

import (
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/goodgate/goodgate/proxy"
	"github.com/goodgate/goodgate/reason"
)

// fronts are the servers that lead to each relay.
var fronts = []string{"inbound", "net/http"}

// networksAll are all addresses.
var networksAll = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}

// userFile makes a file of users whose passwords are their names.
func userFile(tb testing.TB, names ...string) *proxy.Users {
	tb.Helper()
	var text strings.Builder
	for _, name := range names {
		h, err := bcrypt.GenerateFromPassword([]byte(name), bcrypt.MinCost)
		if err != nil {
			tb.Fatal(err)
		}
		text.WriteString(name + ":" + string(h) + "\n")
	}
	file := filepath.Join(tb.TempDir(), "users")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		tb.Fatal(err)
	}
	users, err := proxy.OpenUsers(file, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return users
}

func networks(tb testing.TB, allow, deny string) *proxy.Networks {
	tb.Helper()
	list := func(s string) (all []netip.Prefix) {
		for one := range strings.FieldsSeq(s) {
			all = append(all, netip.MustParsePrefix(one))
		}
		return all
	}
	n, err := proxy.NewNetworks(list(allow), list(deny))
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

// told is an application that answers with the identity fields that it received.
func told(w *world) {
	w.app("app:80", func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("X-Path", r.URL.Path)
		for name, values := range r.Header {
			switch name {
			case "X-User", "X_user", "Authorization", "Remote-User", "X-Group":
				rw.Header()["Seen-"+name] = values
			}
		}
		rw.Write([]byte("hello"))
	})
}

// Basic authentication accepts users with their passwords, tells upstreams the user's
// name, and removes the client's own claims.
func TestBasicAuth(t *testing.T) {
	t.Parallel()
	for _, front := range fronts {
		basic := &proxy.BasicAuth{Users: userFile(t, "alice", "bob"), UserHeader: "X-User", Hide: true}
		s := setup{front: front, upstreams: specs("app:80"), route: proxy.Route{Access: proxy.Access{Basic: basic}}}
		w := start(t, s)
		told(w)
		ask := func(user, password string, fields ...string) answer {
			r := w.request("GET", "/", nil)
			if user != "" {
				r.SetBasicAuth(user, password)
			}
			for i := 0; i < len(fields); i += 2 {
				r.Header[fields[i]] = append(r.Header[fields[i]], fields[i+1])
			}
			return w.do(r)
		}
		for range 2 { // the second time it is known
			got := ask("alice", "alice", "X-User", "root", "X_user", "root", "x-USER", "root")
			check(t, front+": alice", got.status, 200)
			check(t, front+": the user's name", strings.Join(got.header["Seen-X-User"], ","), "alice")
			check(t, front+": another spelling", len(got.header["Seen-X_user"]), 0)
			check(t, front+": the credentials", len(got.header["Seen-Authorization"]), 0)
		}
		for _, c := range [][2]string{{"", ""}, {"alice", "bob"}, {"carol", "carol"}, {"alice", ""}} {
			got := ask(c[0], c[1])
			check(t, front+": "+c[0]+":"+c[1], got.status, 401)
			check(t, front+": challenge", got.header.Get("WWW-Authenticate"), `Basic realm="Restricted", charset="UTF-8"`)
			if !strings.Contains(got.header.Get("Proxy-Status"), "unauthorized") {
				t.Errorf("%s: Proxy-Status: %q", front, got.header.Get("Proxy-Status"))
			}
		}
		check(t, front+": two fields", ask("alice", "alice", "Authorization", "Bearer x").status, 401)
		check(t, front+": another scheme", ask("", "", "Authorization", "Bearer x").status, 401)
	}
}

// Wrong passwords of a client are limited, also in parallel. Right ones still pass, and
// do not count.
func TestBasicAuthFailuresAreBounded(t *testing.T) {
	t.Parallel()
	bubble(t, setup{upstreams: specs("app:80"), route: proxy.Route{Access: proxy.Access{Basic: &proxy.BasicAuth{
		Users:    userFile(t, "alice", "bob"),
		Failures: proxy.NewRate(proxy.Rate{Name: "failures", PerSecond: 3.0 / 60, Burst: 3}),
	}}}}, func(w *world) {
		told(w)
		ask := func(user, password string) answer {
			r := w.request("GET", "/", nil)
			r.SetBasicAuth(user, password)
			return w.do(r)
		}
		for range 10 {
			check(t, "alice", ask("alice", "alice").status, 200)
		}
		for range 3 {
			check(t, "a guess", ask("bob", "x").status, 401)
		}
		got := ask("bob", "bob")
		check(t, "one guess too many, though right", got.status, 429)
		check(t, "its reason", w.record().Reason, reason.RateLimited)
		check(t, "Retry-After", got.header.Get("Retry-After"), "20")
		check(t, "alice, who is known", ask("alice", "alice").status, 200)
		time.Sleep(20 * time.Second)
		check(t, "bob later", ask("bob", "bob").status, 200)
		check(t, "and the guess that he gave back", ask("bob", "x").status, 401)
	})
}

// Networks are checked before anything else. With Any, a network is enough.
func TestNetworksOfARoute(t *testing.T) {
	t.Parallel()
	users := userFile(t, "alice")
	for _, c := range []struct {
		name     string
		access   proxy.Access
		password string
		want     int
	}{
		{"allowed", proxy.Access{Networks: networks(t, "0.0.0.0/0 ::/0", "")}, "", 200},
		{"others only", proxy.Access{Networks: networks(t, "203.0.113.0/24", "")}, "", 403},
		{"denied", proxy.Access{Networks: networks(t, "", "0.0.0.0/0 ::/0")}, "", 403},
		{"all, no password", proxy.Access{Networks: networks(t, "0.0.0.0/0 ::/0", ""), Basic: &proxy.BasicAuth{Users: users}}, "", 401},
		{"all, both", proxy.Access{Networks: networks(t, "0.0.0.0/0 ::/0", ""), Basic: &proxy.BasicAuth{Users: users}}, "alice", 200},
		{"all, no network", proxy.Access{Networks: networks(t, "203.0.113.0/24", ""), Basic: &proxy.BasicAuth{Users: users}}, "alice", 403},
		{"any, network", proxy.Access{Any: true, Networks: networks(t, "0.0.0.0/0 ::/0", ""), Basic: &proxy.BasicAuth{Users: users}}, "", 200},
		{"any, password", proxy.Access{Any: true, Networks: networks(t, "203.0.113.0/24", ""), Basic: &proxy.BasicAuth{Users: users}}, "alice", 200},
		{"any, neither", proxy.Access{Any: true, Networks: networks(t, "203.0.113.0/24", ""), Basic: &proxy.BasicAuth{Users: users}}, "x", 401},
		{"any, alone", proxy.Access{Any: true, Networks: networks(t, "203.0.113.0/24", "")}, "", 403},
	} {
		s := setup{upstreams: specs("app:80"), route: proxy.Route{Access: c.access}}
		w := start(t, s)
		told(w)
		r := w.request("GET", "/", nil)
		if c.password != "" {
			r.SetBasicAuth("alice", c.password)
		}
		check(t, c.name, w.do(r).status, c.want)
	}
}
