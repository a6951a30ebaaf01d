package kube_test

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestLoss kills the API server and etcd, stops the API server, and restarts it, under load.
// The set stays, what changes meanwhile counts afterwards, and no request fails.
func TestLoss(t *testing.T) {
	c := startCluster(t)
	one, two, three := startPod(t, 1), startPod(t, 2), startPod(t, 3)
	c.service("web", headless)
	c.slice("web-a", "web", httpPort, endpoint(1, "a", ready), endpoint(2, "b", ready))
	g := startGate(t, fmt.Sprintf("{kubernetes: {service: web, kubeconfig: %q, wait: 10s, timeout: 1s}}", c.asAdmin()))
	g.want("1 serving a, 2 serving b")
	l := startLoad(g)
	stays := func(states string) {
		t.Helper()
		if got := g.states(); got != states {
			t.Errorf("the upstreams are %q, want %q as before", got, states)
		}
		l.until(one)
	}

	c.api.kill()
	g.wantError("connection refused")
	stays("1 serving a, 2 serving b")
	c.startAPI()
	c.slice("web-a", "web", httpPort, endpoint(1, "a", ready), endpoint(2, "b", ending))
	g.want("1 serving a, 2 terminating b")
	g.wantWorks()
	l.without(two)

	c.api.signal(syscall.SIGSTOP)
	g.wantError("no complete answer within 1s")
	stays("1 serving a, 2 terminating b")
	c.api.signal(syscall.SIGCONT)
	c.slice("web-a", "web", httpPort, endpoint(1, "a", ready), endpoint(3, "b", ready))
	g.want("1 serving a, 3 serving b")
	g.wantWorks()
	l.until(three)

	// Without etcd the API server still sends its known objects, and cannot list.
	c.etcd.kill()
	restarted := startGate(t, fmt.Sprintf("{kubernetes: {service: web, kubeconfig: %q, timeout: 1s}}", c.asAdmin()))
	restarted.wantError(": ")
	t.Logf("one that is started without etcd: %q", restarted.pool().Sources[0].Error)
	stays("1 serving a, 3 serving b")
	c.startEtcd()
	c.slice("web-a", "web", httpPort, endpoint(1, "a", ready), endpoint(2, "b", ready))
	g.want("1 serving a, 2 serving b")
	restarted.want("1 serving a, 2 serving b")
	g.wantWorks()
	l.finish()
}

// TestExpired makes etcd forget goodgate's resource version: the API server answers
// 410, and goodgate lists again. Without a cache the API server asks etcd for each
// watch.
func TestExpired(t *testing.T) {
	c := startCluster(t, "--watch-cache=false")
	startPod(t, 1)
	c.service("web", headless)
	c.slice("web-a", "web", httpPort, endpoint(1, "a", ready))
	g := startGate(t, fmt.Sprintf("{kubernetes: {service: web, kubeconfig: %q, wait: 10s}}", c.asAdmin()))
	g.want("1 serving a")
	l := startLoad(g)
	for i := range 5 {
		c.apply("/api/v1/namespaces/shop/configmaps/x", object{"data": object{"i": strconv.Itoa(i)}})
	}
	lists, watches := len(c.asked("list")), len(c.asked("watch"))
	c.compact()
	waitFor(t, "another list", func() bool { return len(c.asked("list")) > lists })
	c.slice("web-a", "web", httpPort, endpoint(1, "b", ready))
	g.want("1 serving b")
	if s := g.pool().Sources[0]; s.Failures > 0 {
		t.Errorf("the source has failed %d times, want none", s.Failures)
	}
	t.Logf("%d lists, %d watches before, %d in all", len(c.asked("list")), watches, len(c.asked("watch")))
	l.finish()
}

// TestBookmarks changes only other objects: a watch continues from the last bookmark,
// without another list.
func TestBookmarks(t *testing.T) {
	c := startCluster(t)
	startPod(t, 1)
	c.service("web", headless)
	c.slice("web-a", "web", httpPort, endpoint(1, "a", ready))
	g := startGate(t, fmt.Sprintf("{kubernetes: {service: web, kubeconfig: %q, wait: 10s}}", c.asAdmin()))
	g.want("1 serving a")
	version := func() int { // at which the newest watch began
		var all []int
		for _, uri := range c.asked("watch") {
			u, err := url.Parse(uri)
			if err != nil {
				t.Fatal(err)
			}
			n, err := strconv.Atoi(u.Query().Get("resourceVersion"))
			if err != nil {
				t.Fatalf("%s: %v", uri, err)
			}
			all = append(all, n)
		}
		if len(all) == 0 {
			return 0
		}
		return slices.Max(all)
	}
	waitFor(t, "the first watch", func() bool { return version() > 0 })
	first := version()
	waitFor(t, "a watch that begins later", func() bool {
		c.slice("other", "other", httpPort, endpoint(9, strings.Repeat("z", 1+len(c.asked("watch"))), ready))
		return version() > first
	})
	if n := len(c.asked("list")); n != 1 {
		t.Errorf("%d lists, want 1", n)
	}
	t.Logf("watches from %d to %d, without an event", first, version())
}
