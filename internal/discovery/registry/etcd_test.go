package registry

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/discovery"
)

// member is one of etcd, as its JSON gateway's documentation says how it behaves.
type member struct {
	keys   []string // key=value
	watch  string   // events of a watch
	token  string   // that is good; "" = none is needed
	stale  bool     // other tokens get 400 (they are of before a change of roles), not 401
	denied bool     // the token's role may read nothing
	broken bool
	asked  []string
	body   map[string]any // of the last question
}

func (m *member) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.asked = append(m.asked, r.URL.Path)
	m.body = map[string]any{}
	json.NewDecoder(r.Body).Decode(&m.body)
	switch {
	case m.broken:
		http.Error(w, `{"error": "etcdserver: no leader", "code": 14, "message": "etcdserver: no leader"}`, http.StatusServiceUnavailable)
	case r.URL.Path == "/v3/auth/authenticate":
		if m.body["password"] != secret {
			http.Error(w, `{"error": "etcdserver: authentication failed, invalid user ID or password"}`, 400)
			return
		}
		fmt.Fprintf(w, `{"header": {}, "token": %q}`, m.token)
	case m.token != "" && r.Header.Get("Authorization") != m.token && r.URL.Path == "/v3/watch":
		fmt.Fprint(w, `{"result": {"header": {"revision": "9"}, "watch_id": "-1", "created": true, "canceled": true, `+
			`"cancel_reason": "rpc error: code = Unauthenticated desc = etcdserver: invalid auth token"}}`+"\n")
	case m.token != "" && r.Header.Get("Authorization") != m.token && m.stale:
		http.Error(w, `{"error": "etcdserver: revision of auth store is old", "code": 3}`, http.StatusBadRequest)
	case m.token != "" && r.Header.Get("Authorization") != m.token:
		http.Error(w, `{"error": "etcdserver: invalid auth token", "code": 16}`, http.StatusUnauthorized)
	case m.denied:
		http.Error(w, `{"error": "etcdserver: permission denied", "code": 7}`, http.StatusForbidden)
	case r.URL.Path == "/v3/watch":
		fmt.Fprint(w, `{"result": {"header": {"revision": "9"}, "created": true}}`+"\n"+m.watch)
	default:
		var kvs []map[string]string
		for _, kv := range m.keys {
			key, value, _ := strings.Cut(kv, "=")
			kvs = append(kvs, map[string]string{"key": base64.StdEncoding.EncodeToString([]byte(key)), "value": base64.StdEncoding.EncodeToString([]byte(value)), "mod_revision": "4"})
		}
		json.NewEncoder(w).Encode(map[string]any{"header": map[string]string{"revision": "9"}, "kvs": kvs, "count": fmt.Sprint(len(kvs))})
	}
}

func (m *member) start(t *testing.T) string {
	s := httptest.NewServer(m)
	t.Cleanup(s.Close)
	return s.URL
}

func TestEtcdKeys(t *testing.T) {
	t.Parallel()
	m := &member{keys: []string{"/web/1=http://10.0.0.1:80", `/web/2={"url": "https://10.0.0.2", "weight": 3, "metadata": {"v": "2"}}`, "/web/3=x", "/web/4="}}
	e := NewEtcd(EtcdOptions{Endpoints: []string{m.start(t)}, Prefix: "/web/", Timeout: time.Minute, Base: discovery.Target{Zone: "z"}})
	defer e.Close()
	found, err := e.Ask(t.Context(), true)
	want := []discovery.Target{
		{Addr: "10.0.0.1:80", Zone: "z", Metadata: "key=/web/1\n"},
		{Addr: "10.0.0.2:443", TLS: true, Weight: 3, Zone: "z", Metadata: "v=2\n"},
	}
	if err != nil || !slices.Equal(found.Targets, want) || len(found.LeftOut) != 2 || found.LeftOut[0].What != "/web/3" {
		t.Errorf("got %+v, %v; want %+v", found, err, want)
	}
	decoded, _ := base64.StdEncoding.DecodeString(m.body["range_end"].(string))
	if string(decoded) != "/web0" {
		t.Errorf("range ends at %q", decoded)
	}
}

// TestEtcdWatch has a watch send different events.
func TestEtcdWatch(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		says, want string
	}{
		"a change":       {says: `{"result": {"header": {}, "events": [{"type": "DELETE", "kv": {"key": "L3dlYi8x"}}]}}`},
		"compacted":      {says: `{"result": {"canceled": true, "compact_revision": "12"}}`},
		"cancelled":      {says: `{"result": {"canceled": true, "cancel_reason": "etcdserver: permission denied"}}`, want: "permission denied"},
		"an error":       {says: `{"error": {"grpc_code": 14, "http_code": 503, "message": "transport is closing"}}`, want: "transport is closing"},
		"no more":        {want: "EOF"},
		"broken off":     {says: `{"result": {"eve`, want: "unexpected EOF"},
		"something else": {says: `[1]`, want: "cannot unmarshal"},
	} {
		t.Run(name, func(t *testing.T) {
			m := &member{watch: tc.says}
			e := NewEtcd(EtcdOptions{Endpoints: []string{m.start(t)}, Prefix: "/web/", Timeout: time.Minute, Wait: time.Minute})
			defer e.Close()
			if _, err := e.Ask(t.Context(), true); err != nil {
				t.Fatal(err)
			}
			_, err := e.Ask(t.Context(), false)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			if m.asked[1] != "/v3/watch" || err == nil && m.asked[2] != "/v3/kv/range" {
				t.Errorf("asked %q", m.asked)
			}
		})
	}
}

// TestEtcdMembers has members fail: the next one is used, and stays in use.
func TestEtcdMembers(t *testing.T) {
	t.Parallel()
	one, two := &member{broken: true}, &member{keys: []string{"/web/1=http://10.0.0.1"}}
	addresses := []string{one.start(t), two.start(t)}
	e := NewEtcd(EtcdOptions{Endpoints: addresses, Prefix: "/web/", Timeout: time.Minute})
	defer e.Close()
	for range 2 {
		if found, err := e.Ask(t.Context(), true); err != nil || len(found.Targets) != 1 {
			t.Errorf("got %+v, %v", found, err)
		}
	}
	if len(one.asked) != 1 || len(two.asked) != 2 {
		t.Errorf("asked %q and %q", one.asked, two.asked)
	}
	two.broken = true
	if _, err := e.Ask(t.Context(), true); err == nil || !strings.Contains(err.Error(), "no leader") || !strings.Contains(err.Error(), addresses[0]) {
		t.Errorf("got %v", err)
	}
}

// TestEtcdLogin logs in, and again when the token is no longer good: it has expired, or roles
// have changed since it was given. Neither is a failure.
func TestEtcdLogin(t *testing.T) {
	t.Parallel()
	event := `{"result": {"header": {}, "events": [{"type": "PUT", "kv": {"key": "L3dlYi8x"}}]}}`
	for name, tc := range map[string]struct{ fresh, stale bool }{
		"expired, at a read": {fresh: true}, "expired, at a watch": {},
		"older than roles, at a read": {fresh: true, stale: true}, "older than roles, at a watch": {stale: true},
	} {
		t.Run(name, func(t *testing.T) {
			m := &member{token: "one", watch: event, stale: tc.stale}
			e := NewEtcd(etcdWithLogin(m.start(t)))
			defer e.Close()
			for i, token := range []string{"one", "one", "two", "two"} {
				m.token = token
				if _, err := e.Ask(t.Context(), i == 0 || tc.fresh); err != nil {
					t.Errorf("with token %s: %v", token, err)
				}
			}
			if n := m.logins(); n != 2 {
				t.Errorf("logged in %d times: %q", n, m.asked)
			}
		})
	}
}

// TestEtcdLoginRefused has a role without permission for the prefix, no user, and a
// wrong password.
func TestEtcdLoginRefused(t *testing.T) {
	t.Parallel()
	m := &member{token: "one"}
	o := etcdWithLogin(m.start(t))
	e := NewEtcd(o)
	defer e.Close()
	if _, err := e.Ask(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	m.denied = true
	if _, err := e.Ask(t.Context(), true); err == nil || !strings.Contains(err.Error(), `goodgate needs a role with the permission to read the prefix "/web/"`) {
		t.Errorf("got %v", err)
	}
	if n := m.logins(); n != 2 {
		t.Errorf("logged in %d times: %q", n, m.asked)
	}
	anonymous := NewEtcd(EtcdOptions{Endpoints: o.Endpoints, Prefix: "/web/", Timeout: time.Minute})
	defer anonymous.Close()
	m.stale = true
	if _, err := anonymous.Ask(t.Context(), true); err == nil || !strings.HasSuffix(err.Error(), "is authentication on? Set username, and password or password_file") {
		t.Errorf("got %v", err)
	}
	o.Password = "wr0ng"
	bad := NewEtcd(o)
	defer bad.Close()
	if _, err := bad.Ask(t.Context(), true); err == nil || strings.Contains(err.Error(), "wr0ng") || !strings.Contains(err.Error(), "logging in as gate") {
		t.Errorf("got %v", err)
	}
}

func etcdWithLogin(endpoint string) EtcdOptions {
	return EtcdOptions{Endpoints: []string{endpoint}, Prefix: "/web/", Timeout: time.Minute, Wait: time.Minute, Username: "gate", Password: secret}
}

func (m *member) logins() int { return strings.Count(strings.Join(m.asked, " "), "authenticate") }
