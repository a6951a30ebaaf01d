package gate

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/admin"
)

// TestPauseByAPI: requests wait and continue, and the status shows the pause meanwhile.
func TestPauseByAPI(t *testing.T) {
	sock := filepath.Join(t.TempDir(), "s")
	g := start(t, parse(t, "listeners: [\"127.0.0.1:0\"]\nadmin: unix:"+sock+"\nshutdown: {lame_duck: 0s}\npools: {app: {upstreams: ["+app(t, "app")+"]}}"), Options{})
	c := admin.Client{Address: "unix:" + sock}
	var state admin.PauseState
	if err := c.Post(t.Context(), "/v1/pauses", admin.PauseOrder{Pool: "app", Why: "migration"}, &state); err != nil || state.Why != "migration" || state.Until.Sub(state.At).Seconds() != 30 {
		t.Fatalf("%+v, %v", state, err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if got := get(t, "http://"+g.addrs[0]+"/a"); got != "200 app /a" {
			t.Error(got)
		}
	})
	var s admin.Status
	eventually(t, "a request that waits", func() bool {
		return c.Get(t.Context(), "/v1/status", &s) == nil && s.Pools[0].Paused != nil && s.Pools[0].Paused.Waiting == 1 && s.Pools[0].Available == 1
	}, func() string { return fmt.Sprintf("%+v", s.Pools[0].Paused) })
	if len(s.Troubles) != 1 || s.Troubles[0].Level != "notice" || !strings.Contains(s.Troubles[0].Text, "1 request waits now. Author: local") {
		t.Errorf("troubles %+v", s.Troubles)
	}
	var done admin.Reopened
	if err := c.Delete(t.Context(), "/v1/pauses/app", &done); err != nil || !done.Ended {
		t.Fatalf("%+v, %v", done, err)
	}
	wg.Wait()
	if err := c.Delete(t.Context(), "/v1/pauses/app", &done); err != nil || done.Ended {
		t.Errorf("a second time: %+v, %v", done, err)
	}
}

// TestClosuresInTimeline: pauses and maintenances are events of their pool.
func TestClosuresInTimeline(t *testing.T) {
	socket := "unix:" + filepath.Join(t.TempDir(), "s")
	start(t, parse(t, "listeners: [\"127.0.0.1:0\"]\nadmin: "+socket+"\nshutdown: {lame_duck: 0s}\npools: {app: {upstreams: [\"http://127.0.0.1:1\"]}}"), Options{})
	c := admin.Client{Address: socket}
	var pause admin.PauseState
	var maintenance admin.MaintenanceState
	var done admin.Reopened
	for _, err := range []error{
		c.Post(t.Context(), "/v1/pauses", admin.PauseOrder{Pool: "app", For: admin.Term(2 * time.Hour), Why: "migration"}, &pause),
		c.Delete(t.Context(), "/v1/pauses/app", &done),
		c.Post(t.Context(), "/v1/maintenance", admin.MaintenanceOrder{Pool: "app"}, &maintenance),
		c.Delete(t.Context(), "/v1/maintenance/app?why=done", &done),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"paused until ", "resumed taken back, by local", "closed by local", "reopened taken back, by local"}
	var got []string
	eventually(t, "the events", func() bool {
		var events []admin.Event
		if err := c.Get(t.Context(), "/v1/timeline", &events); err != nil {
			t.Fatal(err)
		}
		got = nil
		for _, e := range slices.Backward(events) {
			if e.Pool == "app" && e.Upstream == "" && e.Kind != "found" {
				got = append(got, e.Kind+" "+e.Text)
			}
		}
		return len(got) >= len(want)
	}, func() string { return fmt.Sprint(got) })
	if !slices.EqualFunc(got, want, strings.HasPrefix) || !strings.HasSuffix(got[0], ", migration") || !strings.HasSuffix(got[3], ", done") {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestMaintenanceSurvives a reload and the next process, with its page, until it is
// taken back; and nothing of it is left in the folder then.
func TestMaintenanceSurvives(t *testing.T) {
	dir := t.TempDir()
	const yaml = "listeners: [\"127.0.0.1:0\"]\nstate: {file: %s}\nadmin: unix:%s\nshutdown: {lame_duck: 0s}\npools: {app: {upstreams: [%s], slow_start: %s}}"
	upstream := app(t, "app")
	conf := func(sock, slow string) string {
		return fmt.Sprintf(yaml, filepath.Join(dir, "state.json"), filepath.Join(dir, sock), upstream, slow)
	}
	ask := func(g *running, fields ...string) string {
		r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+g.addrs[0]+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(fields); i += 2 {
			r.Header.Set(fields[i], fields[i+1])
		}
		return answer(t, r)
	}
	g := start(t, parse(t, conf("1", "1s")), Options{})
	var state admin.MaintenanceState
	order := admin.MaintenanceOrder{Pool: "app", Page: "<p>sorry", Allow: []string{"X-Tester=secret"}}
	if err := (admin.Client{Address: "unix:" + filepath.Join(dir, "1")}).Post(t.Context(), "/v1/maintenance", order, &state); err != nil {
		t.Fatal(err)
	}
	expect := func(when string, g *running) {
		t.Helper()
		if got := ask(g); got != "503 <p>sorry" {
			t.Errorf("%s: %s", when, got)
		}
		if got := ask(g, "X-Tester", "secret"); got != "200 app /" {
			t.Errorf("%s: a tester got %s", when, got)
		}
	}
	expect("at once", g)
	g.reload(t, parse(t, conf("1", "2s")))
	expect("after a reload", g)
	if file, err := os.ReadFile(filepath.Join(dir, "state.json")); err != nil || strings.Contains(string(file), "secret") {
		t.Errorf("the state file has what testers send: %s, %v", file, err)
	}
	next := start(t, parse(t, conf("2", "2s")), Options{})
	expect("by the next process", next)
	c := admin.Client{Address: "unix:" + filepath.Join(dir, "2")}
	var s admin.Status
	if err := c.Get(t.Context(), "/v1/status", &s); err != nil || s.Pools[0].Maintenance == nil || s.Pools[0].Maintenance.ID != state.ID || len(s.Troubles) != 1 || s.Troubles[0].Level != "notice" {
		t.Errorf("%+v, %+v, %v", s.Pools[0].Maintenance, s.Troubles, err)
	}
	var done admin.Reopened
	if err := c.Delete(t.Context(), "/v1/maintenance/app", &done); err != nil || !done.Ended {
		t.Fatalf("%+v, %v", done, err)
	}
	if got := ask(next); got != "200 app /" {
		t.Errorf("after it: %s", got)
	}
	if pages, _ := filepath.Glob(filepath.Join(dir, pageFile+"*")); len(pages) != 0 {
		t.Errorf("pages are left: %v", pages)
	}
}

func answer(t *testing.T, r *http.Request) string {
	t.Helper()
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", res.StatusCode, body)
}

// TestMaintenanceByConfiguration: a reload begins and ends a pool's maintenance. The
// operator may end it before.
func TestMaintenanceByConfiguration(t *testing.T) {
	dir := t.TempDir()
	page := filepath.Join(dir, "sorry.html")
	if err := os.WriteFile(page, []byte("sorry"), 0o600); err != nil {
		t.Fatal(err)
	}
	const yaml = "listeners: [\"127.0.0.1:0\"]\nadmin: unix:%s/s\nshutdown: {lame_duck: 0s}\npools: {app: {upstreams: [%s], maintenance: %s}}"
	upstream := app(t, "app")
	conf := func(maintenance string) string { return fmt.Sprintf(yaml, dir, upstream, maintenance) }
	g := start(t, parse(t, conf("false")), Options{})
	expect := func(want string) {
		t.Helper()
		if got := get(t, "http://"+g.addrs[0]+"/"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	expect("200 app /")
	g.reload(t, parse(t, conf("{page: "+page+", allow: 10.0.0.0/8}")))
	expect("503 sorry")
	if err := os.WriteFile(page, []byte("very sorry"), 0o600); err != nil {
		t.Fatal(err)
	}
	g.reload(t, parse(t, conf("{page: "+page+"}")))
	expect("503 very sorry")
	var state admin.MaintenanceState
	if err := (admin.Client{Address: "unix:" + dir + "/s"}).Post(t.Context(), "/v1/maintenance", admin.MaintenanceOrder{Pool: "app", Off: true}, &state); err != nil {
		t.Fatal(err)
	}
	expect("200 app /")
	g.reload(t, parse(t, conf("false")))
	expect("200 app /")
}
