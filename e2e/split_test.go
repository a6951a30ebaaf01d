package e2e_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const splitConfig = `
listeners: ["${LISTEN}"]
admin: {address: "${ADMIN}"}
state: {file: state.json}
pools: {v1: {upstreams: ["${A}"]}, v2: {upstreams: ["${B}"]}, v3: {upstreams: ["${C}"]}}
routes:
  - name: shop
    split:
      pools: [{pool: v1, weight: 50}, {pool: v2, weight: 50}]
      by: header:User
      override: {header: X-Version}
      guard: {enabled: true, grace: 0s}
    mirror: v3
`

// TestSplitRollback: applications in Node and Python, and the new one is slow. The
// guard moves all clients back, and a kill of goodgate does not change that.
func TestSplitRollback(t *testing.T) {
	t.Parallel()
	v1, v2, v3 := startApp(t, "node", "v1"), startApp(t, "python", "v2", "DELAY_MS=60"), startApp(t, "node", "v3")
	dir, admin := t.TempDir(), freeAddress(t)
	env := []string{"A=" + v1.url(), "B=" + v2.url(), "C=" + v3.url(), "ADMIN=" + admin}
	g := startGateIn(t, dir, splitConfig, env...)
	wantCommand(t, 0, "v1 50 %, v2 50 %", "split", "shop", "--admin", admin)
	if got := ask(t, g.address, "GET", "/", "User: any", "X-Version: v2").Header.Get("X-App"); got != "v2" {
		t.Errorf("a tester who asks for v2 gets %s", got)
	}
	side := map[string]string{}
	users, end := 0, time.Now().Add(4*bound)
	for users = range 5000 {
		user := fmt.Sprint("User: ", users)
		side[user] = ask(t, g.address, "GET", "/", user).Header.Get("X-App")
		if users%20 == 0 {
			if out, _, _ := command(t, "", "split", "shop", "--admin", admin); strings.Contains(out, "the guard sent all requests back to v1: v2 is slower than v1") {
				break
			}
		}
		if time.Now().After(end) {
			t.Fatal("the guard has not found that v2 is slow")
		}
	}
	count := map[string]int{}
	for _, app := range side {
		count[app]++
	}
	t.Logf("back after %d requests: %v", users, count)
	if count["v2"] == 0 || count["v1"] <= count["v2"]/2 {
		t.Errorf("clients were split %v", count)
	}
	for u := range 10 {
		if got := ask(t, g.address, "GET", "/", fmt.Sprint("User: ", u)).Header.Get("X-App"); got != "v1" {
			t.Fatalf("user %d gets %s", u, got)
		}
	}
	wantCommand(t, 0, "requests mirrored", "mirror", "shop", "--admin", admin)
	wantCommand(t, 0, "different in body", "mirror", "shop", "--admin", admin) // each application says its name
	g.signal(syscall.SIGKILL)
	g.wait()

	again := startGateIn(t, dir, splitConfig, env...)
	wantCommand(t, 0, "the guard sent all requests back to v1", "status", "--admin", admin)
	if got := ask(t, again.address, "GET", "/", "User: any").Header.Get("X-App"); got != "v1" {
		t.Errorf("after a kill: %s", got)
	}
	wantCommand(t, 0, "v1 50 %, v2 50 %", "split", "shop", "--reset", "--admin", admin)
	wantCommand(t, 0, "v1 0 %, v2 100 %", "split", "shop", "v2=100", "--why", "all of it", "--admin", admin)
	if got := ask(t, again.address, "GET", "/", "User: any").Header.Get("X-App"); got != "v2" {
		t.Errorf("ordered: %s", got)
	}
	wantCommand(t, 1, `the split of route shop has no pool "v9"`, "split", "shop", "v9=5", "--admin", admin)
	wantCommand(t, 1, `there is no route "none". The only route is shop`, "split", "none", "--admin", admin)
	if left, _ := filepath.Glob(filepath.Join(dir, "state.json")); len(left) != 1 {
		t.Error("there is no state file")
	}
	again.finish()
}
