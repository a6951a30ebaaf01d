package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/discovery"
)

// TestKubernetes follows a Service through its life: Pods come, move between slices, drain
// and go.
func TestKubernetes(t *testing.T) {
	t.Parallel()
	a := newKubeAPI(t)
	a.set("web-1", kubeSlice("10.0.0.2", "10.0.0.1"))
	k := kubeAt(t, a, nil)
	wantAsk(t, k, true, "10.0.0.1:80 10.0.0.2:80")
	a.set("web-2", kubeSlice("10.0.0.3"))
	wantAsk(t, k, false, "10.0.0.1:80 10.0.0.2:80 10.0.0.3:80")
	a.set("web-2", kubeSlice("10.0.0.3", "10.0.0.2")) // it moves: for a moment in both
	wantAsk(t, k, false, "10.0.0.1:80 10.0.0.2:80 10.0.0.3:80")
	a.set("web-1", `{"addressType":"IPv4","ports":[{"port":80}],"endpoints":[{"addresses":["10.0.0.1"],"conditions":{"ready":false,"serving":true,"terminating":true}}]}`)
	wantAsk(t, k, false, "10.0.0.1:80(terminating) 10.0.0.2:80 10.0.0.3:80")
	a.set("web-1", "")
	wantAsk(t, k, false, "10.0.0.2:80 10.0.0.3:80")
	lists := 0
	for _, r := range a.asked() {
		if !strings.Contains(r, "watch") {
			lists++
		}
	}
	if lists != 1 {
		t.Errorf("asked %q, want one list", a.asked())
	}
}

// TestKubernetesPages reads a list in pages, one of which the server forgets.
func TestKubernetesPages(t *testing.T) {
	t.Parallel()
	a := newKubeAPI(t)
	a.pageSize, a.expire = 2, true
	var want []string
	for i := range 7 {
		a.set(fmt.Sprintf("web-%d", i), kubeSlice(fmt.Sprintf("10.0.0.%d", i)))
		want = append(want, fmt.Sprintf("10.0.0.%d:80", i))
	}
	wantAsk(t, kubeAt(t, a, nil), true, strings.Join(want, " "))
	if n := len(a.asked()); n != 2+4 {
		t.Errorf("asked %d times, want two that were forgotten and four", n)
	}
}

// TestKubernetesExpiredWatch lists again if the server has forgotten the version of a watch,
// at the begin of a watch or later.
func TestKubernetesExpiredWatch(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]func(w http.ResponseWriter, r *http.Request) bool{
		"event": nil,
		"answer": func(w http.ResponseWriter, r *http.Request) bool {
			if !r.URL.Query().Has("watch") {
				return false
			}
			kubeStatus(w, 410, "Expired")
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := newKubeAPI(t)
			a.set("web-1", kubeSlice("10.0.0.1"))
			k := kubeAt(t, a, nil)
			wantAsk(t, k, true, "10.0.0.1:80")
			a.set("web-1", kubeSlice("10.0.0.2"))
			a.forget()
			a.through(at)
			wantAsk(t, k, false, "10.0.0.2:80")
			a.through(nil)
			a.set("web-1", kubeSlice("10.0.0.3"))
			wantAsk(t, k, false, "10.0.0.3:80")
		})
	}
}

// TestKubernetesDrops has connections of watches break, also in the middle of an event. The
// next watch continues from the last event or bookmark, without a list.
func TestKubernetesDrops(t *testing.T) {
	t.Parallel()
	a := newKubeAPI(t)
	a.set("web-1", kubeSlice("10.0.0.1"))
	k := kubeAt(t, a, nil)
	wantAsk(t, k, true, "10.0.0.1:80")
	a.set("web-1", kubeSlice("10.0.0.2"))
	var first atomic.Bool
	a.through(func(w http.ResponseWriter, r *http.Request) bool {
		if !first.CompareAndSwap(false, true) {
			return false
		}
		fmt.Fprint(w, `{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"1"}}}`+"\n"+`{"type":"MODIFIED","object":{"metadata":{"name":"web-1","resourceV`)
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	wantAsk(t, k, false, "unchanged")
	wantAsk(t, k, false, "10.0.0.2:80")
	if got, want := a.asked(), []string{"shop/endpointslices", "shop/endpointslices watch 1", "shop/endpointslices watch 1"}; !slices.Equal(got, want) {
		t.Errorf("asked %q, want %q", got, want)
	}
}

// TestKubernetesBadWatches has watches send invalid events. Each is an error, after which a
// new list works again. None leads to a smaller set.
func TestKubernetesBadWatches(t *testing.T) {
	t.Parallel()
	const ok = `"metadata":{"name":"web-1","resourceVersion":"9"}`
	for name, says := range map[string]string{
		"garbage":    "<html>it works</html>",
		"wrong type": `{"type":7,"object":{}}` + "\n",
		"no version": `{"type":"MODIFIED","object":{"metadata":{"name":"web-1"}}}` + "\n",
		"no name":    `{"type":"MODIFIED","object":{"metadata":{"resourceVersion":"9"}}}` + "\n",
		"null":       `{"type":"MODIFIED","object":null}` + "\n",
		"no object":  `{"type":"DELETED"}` + "\n",
		"wrong kind": `{"type":"MODIFIED","object":{` + ok + `,"endpoints":"none"}}` + "\n",
		"error":      `{"type":"ERROR","object":{"kind":"Status","message":"etcd is away","code":500}}` + "\n",
		"huge":       `{"type":"MODIFIED","object":{` + ok + `,"endpoints":[` + strings.Repeat(`{"addresses":["10.0.0.1"]},`, maxAnswer/20),
		"too many": `{"type":"MODIFIED","object":{` + ok + `,"addressType":"IPv4","endpoints":[{}` +
			strings.Repeat(`,{}`, maxEndpoints) + `]}}` + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newKubeAPI(t)
			a.set("web-1", kubeSlice("10.0.0.1"))
			a.through(func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Query().Has("watch") {
					fmt.Fprint(w, says)
				}
				return r.URL.Query().Has("watch")
			})
			k := kubeAt(t, a, nil)
			wantAsk(t, k, true, "10.0.0.1:80")
			if f, err := k.Ask(t.Context(), false); err == nil || len(err.Error()) > 500 {
				t.Errorf("got %v, %v, want an error", f, err)
			}
			a.through(nil)
			wantAsk(t, k, true, "10.0.0.1:80")
		})
	}
}

// TestKubernetesUnknownEvents passes over events that a later API may have.
func TestKubernetesUnknownEvents(t *testing.T) {
	t.Parallel()
	a := newKubeAPI(t)
	a.set("web-1", kubeSlice("10.0.0.1"))
	k := kubeAt(t, a, nil)
	wantAsk(t, k, true, "10.0.0.1:80")
	a.through(func(w http.ResponseWriter, r *http.Request) bool {
		fmt.Fprintln(w, `{"type":"RENAMED","object":{"metadata":{"name":"web-9","resourceVersion":"4"}}}`)
		fmt.Fprintln(w, `{"type":"DELETED","object":{"metadata":{"name":"web-7","resourceVersion":"5"}}}`) // never seen
		return true
	})
	wantAsk(t, k, false, "unchanged")
}

// TestKubernetesToken changes a token in its file: the next request has the new one. A
// refusal names the missing permission.
func TestKubernetesToken(t *testing.T) {
	t.Parallel()
	a := newKubeAPI(t)
	a.set("web-1", kubeSlice("10.0.0.1"))
	file := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(secret + "\n")
	k := kubeAt(t, a, func(o *KubernetesOptions) {
		o.Connect = func() (Cluster, error) { return Cluster{Access{Address: a.URL, TokenFile: file}, "shop"}, nil }
	})
	wantAsk(t, k, true, "10.0.0.1:80")
	now := atomic.Pointer[string]{}
	next := "second"
	now.Store(&next)
	a.token = func() string { return *now.Load() }
	if _, err := k.Ask(t.Context(), false); err == nil || !strings.Contains(err.Error(), "401") {
		t.Fatalf("with the old token: got %v, want 401", err)
	}
	write(next)
	wantAsk(t, k, true, "10.0.0.1:80")
	a.set("web-1", kubeSlice("10.0.0.2"))
	wantAsk(t, k, false, "10.0.0.2:80")
}

func TestKubernetesRefusals(t *testing.T) {
	t.Parallel()
	a := newKubeAPI(t)
	a.service = `{"spec":{"type":"ExternalName","externalName":"db.example.com"}}`
	for namespace, want := range map[string]string{
		"other": "list and watch of endpointslices (discovery.k8s.io) in the namespace other",
		"shop":  "http://db.example.com",
	} {
		k := kubeAt(t, a, func(o *KubernetesOptions) { o.Namespace = namespace })
		if _, err := k.Ask(t.Context(), true); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q in it", namespace, err, want)
		}
	}
	for service, want := range map[string]string{
		"": "there is no such Service", `{"spec":{"type":"ClusterIP"}}`: "does its selector match Pods",
	} {
		a.service = service
		f, err := kubeAt(t, a, nil).Ask(t.Context(), true)
		if err != nil || len(f.Targets) != 0 || len(f.LeftOut) != 1 || !strings.Contains(f.LeftOut[0].Why, want) {
			t.Errorf("%s: got %+v, %v, want %q", service, f, err, want)
		}
	}
}

// TestKubernetesRetryAfter passes on how long the server wants to be left alone.
func TestKubernetesRetryAfter(t *testing.T) {
	t.Parallel()
	a := newKubeAPI(t)
	after := ""
	a.through(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Retry-After", after)
		kubeStatus(w, 429, "TooManyRequests")
		return true
	})
	for text, want := range map[string]time.Duration{"7": 7 * time.Second, "": 0, "-3": 0, "soon": 0, "99999999": time.Hour,
		"Mon, 02 Jan 2006 15:04:05 GMT": 0} {
		after = text
		_, err := kubeAt(t, a, nil).Ask(t.Context(), true)
		later, ok := errors.AsType[discovery.Later](err)
		if !ok || later.RetryAfter() != want {
			t.Errorf("%q: got %v, want %v", text, err, want)
		}
	}
}

// TestKubernetesEnds ends a question and the connection under it while a watch says nothing.
func TestKubernetesEnds(t *testing.T) {
	t.Parallel()
	a := newKubeAPI(t)
	a.set("web-1", kubeSlice("10.0.0.1"))
	k := kubeAt(t, a, nil)
	wantAsk(t, k, true, "10.0.0.1:80")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := k.Ask(ctx, false); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the end of the context", err)
	}
}

// TestKubernetesSilent has a watch without any bytes, not even its end: it is abandoned, and
// the next one receives the change.
func TestKubernetesSilent(t *testing.T) {
	t.Parallel()
	a := newKubeAPI(t)
	a.set("web-1", kubeSlice("10.0.0.1"))
	k := kubeAt(t, a, func(o *KubernetesOptions) { o.Wait = 20 * time.Millisecond })
	k.slack = time.Second
	wantAsk(t, k, true, "10.0.0.1:80")
	a.through(func(w http.ResponseWriter, r *http.Request) bool {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return true
	})
	a.set("web-1", kubeSlice("10.0.0.2"))
	wantAsk(t, k, false, "unchanged")
	a.through(nil)
	k.slack = time.Minute
	for range 3 { // a watch of this test lasts for a moment only
		f, err := k.Ask(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		if addrs(f) == "10.0.0.2:80" {
			return
		}
	}
	t.Error("the change was not seen")
}

// TestKubernetesNoHead has a watch whose answer does not begin, as on a dead idle
// connection: it is abandoned long before a watch would end.
func TestKubernetesNoHead(t *testing.T) {
	t.Parallel()
	a := newKubeAPI(t)
	a.set("web-1", kubeSlice("10.0.0.1"))
	k := kubeAt(t, a, func(o *KubernetesOptions) { o.Wait = time.Hour })
	k.slack = time.Second
	wantAsk(t, k, true, "10.0.0.1:80")
	a.through(func(_ http.ResponseWriter, r *http.Request) bool {
		<-r.Context().Done()
		return true
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := k.Ask(ctx, false); err == nil || ctx.Err() != nil {
		t.Errorf("got %v, want an error before the end of the context", err)
	}

	// Where the question ends first, the error says why.
	a.through(nil)
	k.slack = time.Minute
	wantAsk(t, k, true, "10.0.0.1:80")
	why := errors.New("no complete answer within 1s")
	asking, end := context.WithCancelCause(t.Context())
	a.through(func(_ http.ResponseWriter, r *http.Request) bool {
		end(why)
		<-r.Context().Done()
		return true
	})
	if _, err := k.Ask(asking, false); !errors.Is(err, why) {
		t.Errorf("got %v, want %v", err, why)
	}
}

// TestKubernetesPoll runs the complete source: the last set stays while the API refuses,
// and changes made meanwhile are found afterwards.
func TestKubernetesPoll(t *testing.T) {
	t.Parallel()
	a := newKubeAPI(t)
	a.set("web-1", kubeSlice("10.0.0.1"))
	ctx, cancel := context.WithCancel(t.Context())
	updates, reports, done := make(chan string), make(chan error), make(chan error, 1)
	k := kubeAt(t, a, nil)
	go func() {
		done <- discovery.NewPoll(k, discovery.PollOptions{Name: "kubernetes: web", Hold: k.Hold()}).Run(ctx, discovery.Sink{
			Update: func(targets []discovery.Target) { updates <- addrs(discovery.Found{Targets: targets}) },
			Report: func(err error) { reports <- err },
		})
	}()
	want := func(want string) {
		t.Helper()
		if got := <-updates; got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	want("10.0.0.1:80")
	a.set("web-1", kubeSlice("10.0.0.2"))
	want("10.0.0.2:80")
	a.through(func(w http.ResponseWriter, _ *http.Request) bool {
		kubeStatus(w, 500, "InternalError")
		return true
	})
	a.CloseClientConnections()
	if err := <-reports; err == nil {
		t.Fatal("got no error, want one: the API refuses")
	}
	a.set("web-1", kubeSlice("10.0.0.3"))
	a.through(nil)
	for err := error(errors.New("")); err != nil; {
		select {
		case got := <-updates:
			if got != "10.0.0.3:80" {
				t.Fatalf("got %q, want %q", got, "10.0.0.3:80")
			}
		case err = <-reports:
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
