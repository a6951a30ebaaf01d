package registry

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/discovery"
)

// consulAnswer is an answer of /v1/health/service as Consul's documentation shows it, with
// what else occurs.
const consulAnswer = `[
 {"Node": {"ID": "40e4a748", "Node": "foobar", "Address": "10.1.10.12", "Datacenter": "dc1", "Meta": {"zone": "rack-1"}},
  "Service": {"ID": "redis", "Service": "redis", "Tags": ["primary", "v1"], "Address": "10.1.10.12", "Meta": {"version": "4.0"}, "Port": 8000, "Weights": {"Passing": 10, "Warning": 1}, "Namespace": "default"},
  "Checks": [{"Node": "foobar", "CheckID": "service:redis", "Status": "passing"}, {"Node": "foobar", "CheckID": "serfHealth", "Status": "passing"}]},
 {"Node": {"Node": "n2", "Address": "10.1.10.13", "Datacenter": "dc1"},
  "Service": {"ID": "warns", "Tags": ["primary"], "Port": 8001, "Weights": {"Passing": 10, "Warning": 2}, "Locality": {"Region": "eu", "Zone": "eu-1a"}},
  "Checks": [{"CheckID": "a", "Status": "passing"}, {"CheckID": "b", "Status": "warning"}]},
 {"Node": {"Node": "n3", "Address": "10.1.10.14"}, "Service": {"ID": "fails", "Tags": ["primary"], "Port": 8002, "Weights": {"Passing": 1}},
  "Checks": [{"CheckID": "a", "Status": "critical"}, {"CheckID": "b", "Status": "warning"}]},
 {"Node": {"Node": "n4", "Address": "10.1.10.15"}, "Service": {"ID": "rests", "Tags": ["primary"], "Port": 8003},
  "Checks": [{"CheckID": "_service_maintenance:rests", "Status": "critical"}]},
 {"Node": {"Node": "n5", "Address": "2001:db8::5"}, "Service": {"ID": "six", "Tags": ["primary"], "Port": 8004}, "Checks": []},
 {"Node": {"Node": "n6", "Address": "10.1.10.17"}, "Service": {"ID": "portless", "Tags": ["primary"]}, "Checks": []},
 {"Node": {"Node": "n7", "Address": "10.1.10.18"}, "Service": {"ID": "other", "Tags": ["replica"], "Port": 1}, "Checks": []},
 {"Node": {"Node": "n8", "Address": "0.0.0.0"}, "Service": {"ID": "nowhere", "Tags": ["primary"], "Port": 1}, "Checks": []}]`

func TestConsul(t *testing.T) {
	t.Parallel()
	var got *http.Request
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		w.Header().Set("X-Consul-Index", "7")
		fmt.Fprint(w, consulAnswer)
	}))
	defer s.Close()
	c := NewConsul(ConsulOptions{Access: Access{Address: s.URL, Token: secret}, Service: "re dis", Tags: []string{"primary"}, Datacenter: "dc1", Namespace: "n", Partition: "p"})
	defer c.Close()
	found, err := c.Ask(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	if got.URL.String() != "/v1/health/service/re%20dis?dc=dc1&ns=n&partition=p&stale=" || got.Header.Get("X-Consul-Token") != secret {
		t.Errorf("asked %s, %v", got.URL, got.Header)
	}
	want := []discovery.Target{
		{Addr: "10.1.10.12:8000", Weight: 10, Zone: "rack-1", Metadata: "id=redis\nnode=foobar\nstatus=passing\ntags=primary v1\nversion=4.0\n"},
		{Addr: "10.1.10.13:8001", Weight: 2, Zone: "eu-1a", Metadata: "id=warns\nnode=n2\nstatus=warning\ntags=primary\n"},
		{Addr: "10.1.10.14:8002", Weight: 1, Lifecycle: discovery.NotReady, Metadata: "id=fails\nnode=n3\nstatus=critical\ntags=primary\n"},
		{Addr: "10.1.10.15:8003", Lifecycle: discovery.Terminating, Metadata: "id=rests\nnode=n4\nstatus=maintenance\ntags=primary\n"},
		{Addr: "[2001:db8::5]:8004", Metadata: "id=six\nnode=n5\nstatus=passing\ntags=primary\n"},
	}
	if !slices.Equal(found.Targets, want) {
		t.Errorf("got\n%+v, want\n%+v", found.Targets, want)
	}
	var out []string
	for _, l := range found.LeftOut {
		out = append(out, l.What+": "+l.Why)
	}
	if want := []string{"portless on n6: it has no port", "other on n7: it lacks the tag primary", "nowhere on n8: its address is 0.0.0.0, which no host has"}; !slices.Equal(out, want) {
		t.Errorf("left out %q, want %q", out, want)
	}
}

// TestBlockingIndex follows the index of blocking queries, by the rules of Consul's
// documentation.
func TestBlockingIndex(t *testing.T) {
	t.Parallel()
	indexes := []string{"5", "9", "3", "0", "4", "6"}
	var asked []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Query().Get("index")+"/"+r.URL.Query().Get("wait"))
		w.Header().Set("X-Consul-Index", indexes[len(asked)-1])
		fmt.Fprint(w, "[]")
	}))
	defer s.Close()
	c := NewConsul(ConsulOptions{Access: Access{Address: s.URL}, Service: "web", Wait: 30 * time.Second})
	defer c.Close()
	for i := range indexes {
		if _, err := c.Ask(t.Context(), i == 5); err != nil {
			t.Fatal(err)
		}
	}
	// The third answer goes back, so that the fourth question has none; nor has that after an
	// index of 0, nor a fresh one.
	if want := []string{"/", "5/30s", "9/30s", "/", "/", "/"}; !slices.Equal(asked, want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
}

// TestConsulFiltered has a token with incomplete permissions. Its answer is not used as
// a set.
func TestConsulFiltered(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Consul-Index", "7")
		w.Header().Set("X-Consul-Results-Filtered-By-ACLs", "true")
		fmt.Fprint(w, "[]")
	}))
	defer s.Close()
	c := NewConsul(ConsulOptions{Access: Access{Address: s.URL}, Service: "web"})
	defer c.Close()
	if _, err := c.Ask(t.Context(), true); err == nil || !strings.Contains(err.Error(), "service:read") {
		t.Errorf("got %v", err)
	}
}

// TestTokenFile changes a token while an asker runs.
func TestTokenFile(t *testing.T) {
	t.Parallel()
	var got string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("X-Nomad-Token")
		w.Header().Set("X-Nomad-Index", "7")
		fmt.Fprint(w, "[]")
	}))
	defer s.Close()
	name := filepath.Join(t.TempDir(), "token")
	n := NewNomad(NomadOptions{Access: Access{Address: s.URL, TokenFile: name}, Service: "web"})
	defer n.Close()
	if _, err := n.Ask(t.Context(), true); err == nil {
		t.Error("asked without the token's file")
	}
	for _, token := range []string{"one", "two"} {
		if err := os.WriteFile(name, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := n.Ask(t.Context(), true); err != nil || got != token {
			t.Errorf("sent %q, %v; want %q", got, err, token)
		}
	}
	for _, bad := range []string{"", "a\nb", strings.Repeat("x", maxToken+1)} {
		if err := os.WriteFile(name, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := n.Ask(t.Context(), true); err == nil || strings.Contains(err.Error(), "xxx") {
			t.Errorf("token %.10q: got %v", bad, err)
		}
	}
}

func TestNomad(t *testing.T) {
	t.Parallel()
	var got *http.Request
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		w.Header().Set("X-Nomad-Index", "7")
		fmt.Fprint(w, `[{"Address": "127.0.0.1", "AllocID": "177160af", "CreateIndex": 14, "Datacenter": "dc1", "ID": "_nomad-task-1", "JobID": "example", "ModifyIndex": 14,
		  "Namespace": "default", "NodeID": "7406e90b", "Port": 29702, "ServiceName": "example-cache-redis", "Tags": ["db", "cache"]},
		 {"Address": "127.0.0.1", "ID": "_nomad-task-2", "Port": 0, "Tags": ["db"]}, {"Address": "127.0.0.1", "ID": "_nomad-task-3", "Port": 3, "Tags": null}]`)
	}))
	defer s.Close()
	n := NewNomad(NomadOptions{Access: Access{Address: s.URL}, Service: "redis", Tags: []string{"db"}, Namespace: "x", Region: "eu", Base: discovery.Target{Weight: 4, TLS: true}})
	defer n.Close()
	found, err := n.Ask(t.Context(), true)
	want := discovery.Target{Addr: "127.0.0.1:29702", TLS: true, Weight: 4, Zone: "dc1", Metadata: "alloc=177160af\njob=example\nnode=7406e90b\ntags=db cache\n"}
	if err != nil || len(found.Targets) != 1 || found.Targets[0] != want {
		t.Errorf("got %+v, %v; want %+v", found.Targets, err, want)
	}
	if len(found.LeftOut) != 2 || got.URL.String() != "/v1/service/redis?namespace=x&region=eu&stale=" {
		t.Errorf("left out %q; asked %s", found.LeftOut, got.URL)
	}
}
