package registry

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/discovery"
)

// kubeAPI plays the part of an API server that counts: EndpointSlices of one namespace, list
// with pages, watch with bookmarks, a history that is forgotten, tokens.
type kubeAPI struct {
	*httptest.Server
	token func() string // the one that is accepted

	mu        sync.Mutex
	version   int
	oldest    int // versions below are forgotten
	objects   map[string]map[string]any
	history   []string      // events; the first one has version 1
	changed   chan struct{} // closed at a change
	pageSize  int           // "" = as requested
	expire    bool          // the next continue token is one that is forgotten
	requests  []string      // the requests
	intercept func(w http.ResponseWriter, r *http.Request) bool
	service   string // JSON of the Service; "" = there is none
}

func newKubeAPI(t *testing.T) *kubeAPI {
	a := &kubeAPI{token: func() string { return secret }, objects: map[string]map[string]any{}, changed: make(chan struct{})}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	return a
}

// set creates or changes a slice; a nil one is deleted.
func (a *kubeAPI) set(name, object string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.version++
	kind, o := "MODIFIED", a.objects[name]
	if o == nil {
		kind = "ADDED"
	}
	if object == "" {
		kind = "DELETED"
		delete(a.objects, name)
	} else {
		o = map[string]any{}
		if err := json.Unmarshal([]byte(object), &o); err != nil {
			panic(err)
		}
		a.objects[name] = o
	}
	o = maps.Clone(o)
	o["metadata"] = map[string]any{"name": name, "resourceVersion": strconv.Itoa(a.version)}
	if object != "" {
		a.objects[name] = o
	}
	text, _ := json.Marshal(map[string]any{"type": kind, "object": o})
	a.history = append(a.history, string(text))
	close(a.changed)
	a.changed = make(chan struct{})
}

// forget makes the server forget its history.
func (a *kubeAPI) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.version++
	a.history = append(a.history, "")
	a.oldest = a.version
}

func (a *kubeAPI) asked() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.requests)
}

// through passes each request to f first, which reports whether it has answered.
func (a *kubeAPI) through(f func(w http.ResponseWriter, r *http.Request) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.intercept = f
}

func (a *kubeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	a.mu.Lock()
	a.requests = append(a.requests, strings.TrimPrefix(r.URL.Path, "/apis/discovery.k8s.io/v1/namespaces/")+map[bool]string{true: " watch " + q.Get("resourceVersion")}[q.Has("watch")])
	f := a.intercept
	a.mu.Unlock()
	switch {
	case r.Header.Get("Authorization") != "Bearer "+a.token():
		kubeStatus(w, 401, "Unauthorized")
	case f != nil && f(w, r):
	case strings.HasPrefix(r.URL.Path, "/api/v1/namespaces/shop/services/"):
		if a.service == "" {
			kubeStatus(w, 404, "NotFound")
			return
		}
		fmt.Fprint(w, a.service)
	case r.URL.Path != "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices" || q.Get("labelSelector") != "kubernetes.io/service-name=web":
		kubeStatus(w, 403, "Forbidden")
	case q.Has("watch"):
		a.watch(w, r)
	default:
		a.list(w, r)
	}
}

func kubeStatus(w http.ResponseWriter, code int, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"%s!","reason":"%s","code":%d}`, reason, reason, code)
}

func (a *kubeAPI) list(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	q := r.URL.Query()
	begin, _ := strconv.Atoi(q.Get("continue"))
	if begin > 0 && a.expire {
		a.expire = false
		kubeStatus(w, 410, "Expired")
		return
	}
	limit, _ := strconv.Atoi(q.Get("limit"))
	if a.pageSize > 0 {
		limit = a.pageSize
	}
	names := slices.Sorted(maps.Keys(a.objects))
	end := min(begin+limit, len(names))
	meta := map[string]any{"resourceVersion": strconv.Itoa(a.version)}
	if end < len(names) {
		meta["continue"] = strconv.Itoa(end)
	}
	items := []any{}
	for _, name := range names[begin:end] {
		items = append(items, a.objects[name])
	}
	json.NewEncoder(w).Encode(map[string]any{"kind": "EndpointSliceList", "metadata": meta, "items": items})
}

func (a *kubeAPI) watch(w http.ResponseWriter, r *http.Request) {
	from, _ := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	seconds, _ := strconv.Atoi(r.URL.Query().Get("timeoutSeconds"))
	over := time.After(time.Duration(seconds) * time.Second)
	for {
		a.mu.Lock()
		changed, now := a.changed, a.version
		gone := from < a.oldest
		events := slices.Clone(a.history[min(from, now):])
		a.mu.Unlock()
		if gone {
			fmt.Fprintln(w, `{"type":"ERROR","object":{"kind":"Status","status":"Failure","message":"too old resource version","reason":"Expired","code":410}}`)
			return
		}
		for _, e := range events {
			fmt.Fprintln(w, e)
		}
		from = now
		fmt.Fprintf(w, `{"type":"BOOKMARK","object":{"kind":"EndpointSlice","metadata":{"resourceVersion":"%d"}}}`+"\n", now)
		w.(http.Flusher).Flush()
		select {
		case <-changed:
		case <-over:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// kubeAt returns a source for the Service web at an API. change may select another one.
func kubeAt(t *testing.T, a *kubeAPI, change func(*KubernetesOptions)) *Kubernetes {
	o := KubernetesOptions{Service: "web", Wait: time.Minute, Connect: func() (Cluster, error) {
		return Cluster{Access{Address: a.URL, Token: secret}, "shop"}, nil
	}}
	if change != nil {
		change(&o)
	}
	k := NewKubernetes(o)
	t.Cleanup(func() { k.Close() })
	return k
}

// addrs returns the addresses in an answer, with the states other than serving.
func addrs(f discovery.Found) string {
	if f.Unchanged {
		return "unchanged"
	}
	var list []string
	for _, t := range f.Targets {
		text := t.Addr
		if t.Other != "" {
			text += "+" + t.Other
		}
		if t.Lifecycle != discovery.Serving {
			text += "(" + t.Lifecycle.String() + ")"
		}
		list = append(list, text)
	}
	return strings.Join(list, " ")
}

func wantAsk(t *testing.T, k *Kubernetes, fresh bool, want string) {
	t.Helper()
	f, err := k.Ask(t.Context(), fresh)
	if got := addrs(f); err != nil || got != want {
		t.Fatalf("got %q, %v, want %q", got, err, want)
	}
}

// kubeSlice is a slice of ready endpoints with the port 80.
func kubeSlice(addresses ...string) string {
	var list []string
	for _, a := range addresses {
		list = append(list, fmt.Sprintf(`{"addresses":[%q],"conditions":{"ready":true}}`, a))
	}
	return `{"addressType":"IPv4","ports":[{"name":"","port":80}],"endpoints":[` + strings.Join(list, ",") + `]}`
}
