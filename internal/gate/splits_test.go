package gate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/changes"
	"github.com/goodgate/goodgate/internal/metrics"
	"github.com/goodgate/goodgate/internal/split"
)

// splitYAML has a route between two applications, with additional keys of the split.
func splitYAML(state, v1, v2, weights, more string) string {
	return fmt.Sprintf(`
listeners: ["127.0.0.1:0"]
admin: {address: "localhost:0"}
shutdown: {lame_duck: 0s}
state: {file: %q}
pools: {v1: {upstreams: [%q]}, v2: {upstreams: [%q]}}
routes: [{name: shop, split: {pools: %s, by: request%s}}]`, state, v1, v2, weights, more)
}

// order sends an order to the API and returns the answer.
func (r *running) order(t *testing.T, order string) (status int, answer string) {
	t.Helper()
	res, err := http.Post("http://"+r.gate.AdminAddress()+"/v1/splits/shop", "application/json", strings.NewReader(order))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var report struct{ Line, Error string }
	if err := json.NewDecoder(res.Body).Decode(&report); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, report.Line + report.Error
}

func TestSplitOrdersLast(t *testing.T) {
	v1, v2, state := app(t, "v1"), app(t, "v2"), filepath.Join(t.TempDir(), "state.json")
	const first = "[{pool: v1, weight: 1}, {pool: v2, weight: 0}]"
	yaml := splitYAML(state, v1, v2, first, "")
	r := start(t, parse(t, yaml), Options{Metrics: metrics.New(metrics.Build{})})
	ask := func(what string, r *running, want string) {
		t.Helper()
		if got := get(t, "http://"+r.addrs[0]+"/"); got != "200 "+want+" /" {
			t.Errorf("%s: got %q, want an answer of %s", what, got, want)
		}
	}
	ask("as the file says", r, "v1")
	for _, bad := range []struct {
		order, says string
		status      int
	}{
		{`{}`, "needs either weights or reset", 400},
		{`{"weights":{"v3":1}}`, `no`, 400},
		{`{"weights":{"v2":200}}`, "percentages of all", 400},
		{`{"weights":{"v2":10},"for":"soon"}`, "expected a duration", 400},
		{`{"weights":{"v2":10},"share":1}`, "is not valid", 400},
	} {
		if status, says := r.order(t, bad.order); status != bad.status || !strings.Contains(says, bad.says) {
			t.Errorf("%s: got %d %s", bad.order, status, says)
		}
	}
	if status, line := r.order(t, `{"weights":{"v2":100},"why":"all of it"}`); status != 200 || line != "v1 0 %, v2 100 %; verdict on v2: not known yet; ordered by local" {
		t.Errorf("got %d %q", status, line)
	}
	ask("ordered", r, "v2")
	r.reload(t, parse(t, yaml))
	ask("after a reload", r, "v2")
	r.reload(t, parse(t, strings.Replace(yaml, "by: request", "by: request, spill: true", 1)))
	ask("after a reload that changes something else of the split", r, "v2")
	if text := get(t, "http://"+r.gate.AdminAddress()+"/metrics"); !strings.Contains(text, `goodgate_split_share_ratio{pool="v2",route="shop"} 1`) || !strings.Contains(text, `goodgate_split_verdict{pool="v2",route="shop",verdict="unknown"} 1`) {
		t.Errorf("no metrics of the split")
	}
	if text := get(t, "http://"+r.gate.AdminAddress()+"/v1/splits"); !strings.Contains(text, `"standing": "ordered"`) {
		t.Errorf("the list of splits: %s", text)
	}

	again := start(t, parse(t, yaml), Options{})
	ask("in another process", again, "v2")
	if status, _ := again.order(t, `{"reset":true}`); status != 200 {
		t.Errorf("reset: %d", status)
	}
	ask("after a reset", again, "v1")

	r.reload(t, parse(t, strings.Replace(yaml, "weight: 1}", "weight: 2}", 1)))
	ask("when the file says something else", r, "v1")
	if left := r.gate.changes.All(); len(left) != 0 {
		t.Errorf("changes that were overruled are left: %v", left)
	}
	r.reload(t, parse(t, strings.Replace(yaml, "name: shop", "name: other", 1)))
	if err := (control{r.gate}).OrderSplit("shop", split.Order{}, 0); !errors.Is(err, admin.ErrNoSplit) {
		t.Errorf("an order about a route that is gone: %v", err)
	}
}

// TestSplitOrderExpires: an order with an end makes room for the file.
func TestSplitOrderExpires(t *testing.T) {
	r := start(t, parse(t, splitYAML("", app(t, "v1"), app(t, "v2"), "[{pool: v1, weight: 1}, {pool: v2, weight: 0}]", "")), Options{})
	if status, _ := r.order(t, `{"weights":{"v2":100},"for":"100ms"}`); status != 200 {
		t.Fatalf("got %d", status)
	}
	eventually(t, "the end of an order", func() bool { return r.gate.splitReports()[0].Standing == split.Declared }, func() string { return r.gate.splitReports()[0].Line })
}

// TestSplitGuardIsKept: the guard's order outlives the process, and causes an event.
func TestSplitGuardIsKept(t *testing.T) {
	var log bytes.Buffer
	state := filepath.Join(t.TempDir(), "state.json")
	yaml := splitYAML(state, app(t, "v1"), app(t, "v2"), "[{pool: v1, weight: 1}, {pool: v2, weight: 9999}]", ", guard: {enabled: true}")
	t.Run("goes back", func(t *testing.T) {
		r := start(t, parse(t, yaml), Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		live := r.gate.current.Load().splits["shop"]
		r.gate.takeStep(live, split.Order{Weights: map[string]float64{"v1": 100, "v2": 0}, By: split.ByGuard, Why: "v2 fails more than v1", At: time.Now()})
		if got := get(t, "http://"+r.addrs[0]+"/"); got != "200 v1 /" {
			t.Errorf("got %q", got)
		}
		if text := get(t, "http://"+r.gate.AdminAddress()+"/v1/timeline"); !strings.Contains(text, `"split_back"`) || !strings.Contains(text, "v2 fails more than v1") {
			t.Errorf("the timeline: %s", text)
		}
	})
	for _, want := range []string{"split guard sent all requests back to the first pool", "msg=change", "v2 fails more than v1"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log has no %q", want)
		}
	}
	next := start(t, parse(t, yaml), Options{})
	if r := next.gate.splitReports()[0]; r.Standing != split.Guarded || r.Why != "v2 fails more than v1" {
		t.Errorf("in the next process: %+v", r)
	}
	// When the book cannot be written, safety comes first.
	other := start(t, parse(t, splitYAML("", app(t, "v1"), app(t, "v2"), "[{pool: v1, weight: 1}, {pool: v2, weight: 9999}]", ", guard: {enabled: true}")), Options{})
	other.gate.changes.Freeze("test")
	other.gate.takeStep(other.gate.current.Load().splits["shop"], split.Order{Weights: map[string]float64{"v1": 100, "v2": 0}, By: split.ByGuard, At: time.Now()})
	if got := get(t, "http://"+other.addrs[0]+"/"); got != "200 v1 /" {
		t.Errorf("with a book that is frozen: %q", got)
	}
	if _, err := other.gate.changes.Put(changes.Change{}); !errors.Is(err, changes.ErrFrozen) {
		t.Errorf("the book was not frozen: %v", err)
	}
}
