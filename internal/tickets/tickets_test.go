package tickets

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/internal/lab/certtest"
)

const day = 24 * time.Hour

// client is one that comes again and again.
type client struct {
	t      *testing.T
	config *tls.Config
}

// resumes connects to a server and reports whether a session went on.
func (c client) resumes(server *tls.Config) bool {
	c.t.Helper()
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	s := tls.Server(far, server)
	go func() {
		s.Write([]byte("x")) // the bytes after TLS 1.3's tickets
	}()
	conn := tls.Client(near, c.config)
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		c.t.Fatal(err)
	}
	return conn.ConnectionState().DidResume
}

func TestRing(t *testing.T) {
	ca := certtest.NewAuthority(t, "authority")
	cert := ca.Issue("a.test")
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		synctest.Test(t, func(t *testing.T) {
			server := func(r *Ring, scope string) *tls.Config {
				c := &tls.Config{Certificates: []tls.Certificate{cert}}
				r.Seal(c, []byte(scope))
				return c.Clone() // as net/http does
			}
			c := client{t, &tls.Config{RootCAs: ca.Pool(), ServerName: "a.test", MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(1)}}
			r := New(nil)
			s := server(r, "one")
			step := func(what string, s *tls.Config, want bool) {
				t.Helper()
				if got := c.resumes(s); got != want {
					t.Errorf("%s, %s: resumed %v, want %v", tls.VersionName(version), what, got, want)
				}
			}
			step("the first", s, false)
			step("the second", s, true)
			step("another scope", server(r, "two"), false)
			step("back", s, false)
			time.Sleep(6 * day)
			step("after six days", s, true)
			text, err := json.Marshal(r.Keys(time.Now()))
			if err != nil {
				t.Fatal(err)
			}
			var keys []Key
			if err := json.Unmarshal(text, &keys); err != nil {
				t.Fatal(err)
			}
			step("the next process", server(New(keys), "one"), true)
			step("a stranger's", server(New(nil), "one"), false)
			step("back", s, false)
			time.Sleep(8 * day)
			step("after eight days", s, false)
		})
	}
}

func TestRotation(t *testing.T) {
	r, now := New(nil), time.Now()
	first := r.Keys(now)[0]
	for _, tc := range []struct {
		after time.Duration
		want  int
	}{{day - time.Second, 1}, {day, 2}, {2 * day, 3}, {7 * day, 4}, {8 * day, 4}, {30 * day, 1}, {day, 1}} {
		if got := len(r.Keys(now.Add(tc.after))); got != tc.want {
			t.Errorf("after %v: got %d keys, want %d", tc.after, got, tc.want)
		}
	}
	if r.Keys(now.Add(31 * day))[0] == first {
		t.Error("the first key seals still")
	}
	if n := len(New(make([]Key, 1000)).Keys(now)); n > most {
		t.Errorf("got %d keys of another process, want at most %d", n, most)
	}
}

// TestAdd checks that rings that exchange their keys converge, and seal with the newest
// one.
func TestAdd(t *testing.T) {
	now := time.Now()
	a, b := New(nil), New(nil)
	made := 0
	a.OnMade(func() { made++ })
	a.Keys(now)
	newest := b.Keys(now.Add(time.Hour))[0]
	if !a.Add(b.Keys(now.Add(time.Hour))) || b.Add(a.Keys(now)) || a.Add(b.Keys(now)) {
		t.Error("who has more keys is not told")
	}
	for _, r := range []*Ring{a, b} {
		if keys := r.Keys(now.Add(2 * time.Hour)); len(keys) != 2 || keys[0].Secret != newest.Secret {
			t.Errorf("got %d keys", len(keys))
		}
	}
	if made != 1 {
		t.Errorf("%d keys were made, want 1", made)
	}
	if a.Add(make([]Key, 1000)); len(a.Keys(now)) > most {
		t.Errorf("%d keys are kept", len(a.Keys(now)))
	}
}

func TestHidden(t *testing.T) {
	var log strings.Builder
	k := Key{Secret: [32]byte{42, 42, 42, 42}}
	r := slog.NewRecord(time.Time{}, slog.LevelInfo, "x", 0) // a time may have a 42
	r.Add("key", k)
	slog.NewTextHandler(&log, nil).Handle(t.Context(), r)
	for _, text := range []string{log.String(), fmt.Sprint(k), fmt.Sprintf("%v %+v %#v %s", k, []Key{k}, k, k)} {
		if strings.Contains(text, "42") || strings.Contains(text, "2a") {
			t.Errorf("shown in %s", text)
		}
	}
}
