package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/goodgate/goodgate/internal/lab/certtest"
)

// TestAlertRules runs promtool's checks and tests: each alert fires when it should, and
// only then.
func TestAlertRules(t *testing.T) {
	t.Parallel()
	promtool := need(t, "promtool")
	rules, err := filepath.Glob("../deploy/prometheus/*.yml") // as rule_files of a Prometheus has them
	if err != nil || len(rules) == 0 {
		t.Fatalf("no rules: %v", err)
	}
	for i := range rules {
		rules[i] = filepath.Base(rules[i])
	}
	for _, args := range [][]string{append([]string{"check", "rules"}, rules...), {"test", "rules", "tests/alerts_test.yml"}} {
		c := exec.Command(promtool, args...)
		c.Dir = "../deploy/prometheus"
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}

// TestPrometheus lets a real Prometheus collect from a goodgate under faults, and checks
// that all queries return numbers: those of the dashboard, and those of the alerts without
// their thresholds.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	need(t, "prometheus")
	url := sickGate(t)
	p := startPrometheus(t, url)
	queries := dashboardQueries(t)
	maps.Copy(queries, alertQueries(t))
	maps.Copy(queries, scalerQueries(t))
	if len(queries) < 60 {
		t.Errorf("found %d queries only", len(queries))
	}
	left := queries
	deadline := time.Now().Add(4 * bound)
	for len(left) > 0 && time.Now().Before(deadline) {
		for name, q := range left {
			if err := p.query(q); err == nil {
				delete(left, name)
			}
		}
		if len(left) > 0 {
			time.Sleep(500 * time.Millisecond)
		}
	}
	for name, q := range left {
		t.Errorf("%s: %v\n%s", name, p.query(q), q)
	}
}

// faulty are pools that each fail in a different way.
const faulty = `
listeners:
  - "${LISTEN}"
  - {address: "${SECURE}", tls: {certificates: [{cert: "${CERT}", key: "${KEY}"}]}}
admin: {address: "${ADMIN}"}
log: {level: error}
shutdown: {lame_duck: 0s, grace: 0s}
routes:
  - {match: {path: /lone*}, pool: lone}
  - {match: {path: /strict*}, pool: strict}
  - {match: {path: /distrusted*}, pool: distrusted}
  - {pool: app}
pools:
  app: {upstreams: [%[1]s, %[2]s, %[3]s]}
  lone: {upstreams: [%[4]s], health: {path: /, interval: 100ms, fast_interval: 50ms, fall: 1, rise: 1}}
  strict: {upstreams: [%[2]s], retry: {budget: 0%%, budget_min: 0}, breaker: {enabled: false}}
  distrusted: {upstreams: [%[1]s], health: {path: /missing}}
`

// sickGate runs goodgate and causes all kinds of trouble until the test ends. It
// returns the address of its metrics.
func sickGate(t *testing.T) string {
	t.Helper()
	good := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/missing" {
			w.WriteHeader(http.StatusNotFound)
		}
		io.WriteString(w, "hello")
	}))
	t.Cleanup(good.Close)
	flaky := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	t.Cleanup(flaky.Close)
	var mu sync.Mutex // protects down
	down := false
	lone := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if down {
			panic(http.ErrAbortHandler)
		}
	}))
	t.Cleanup(lone.Close)
	text := fmt.Sprintf(faulty, good.URL, flaky.URL, "http://"+freeAddress(t), lone.URL)
	dir := t.TempDir()
	authority := certtest.NewAuthority(t, "test")
	cert, key := authority.Files(dir, "gate", authority.Issue("gate.internal"))
	admin := freeAddress(t)
	g := startGateIn(t, dir, text, "ADMIN="+admin, "SECURE="+freeAddress(t), "CERT="+cert, "KEY="+key)
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for _, what := range []string{"GET /", "POST /", "GET /lone", "GET /strict", "GET /distrusted"} {
		method, path, _ := strings.Cut(what, " ")
		wg.Go(func() { askOn(ctx, method, "http://"+g.address+path) })
	}
	wg.Go(func() { // so that requests have to wait
		for wait(ctx, 400*time.Millisecond) {
			mu.Lock()
			down = !down
			mu.Unlock()
		}
	})
	t.Cleanup(wg.Wait)
	t.Cleanup(stop)
	return "http://" + admin
}

// askOn sends requests until ctx ends.
func askOn(ctx context.Context, method, url string) {
	for wait(ctx, 20*time.Millisecond) {
		r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader("body"))
		if err != nil {
			return
		}
		if res, err := http.DefaultClient.Do(r); err == nil {
			io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
	}
}

// wait reports false when ctx ended meanwhile.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// prometheus is a real Prometheus.
type prometheus struct {
	*process
	address string
}

func startPrometheus(t *testing.T, target string) *prometheus {
	t.Helper()
	dir := t.TempDir()
	rules, err := filepath.Abs("../deploy/prometheus/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	host := strings.TrimPrefix(target, "http://")
	file := writeFile(t, dir, "prometheus.yml", fmt.Sprintf(`
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: [%q]
scrape_configs:
  - job_name: goodgate
    static_configs: [{targets: [%q]}]
`, rules, host))
	p := &prometheus{address: freeAddress(t)}
	p.process = startProcess(t, "prometheus", nil, "prometheus", "--config.file="+file, "--storage.tsdb.path="+dir,
		"--web.listen-address="+p.address, "--log.level=warn")
	p.ready("tcp", p.address)
	return p
}

// query reports an error unless the result holds a number.
func (p *prometheus) query(q string) error {
	res, err := http.Get("http://" + p.address + "/api/v1/query?query=" + url.QueryEscape(q))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var answer struct {
		Error string
		Data  struct {
			Result []struct{ Value [2]any }
		}
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return err
	}
	if answer.Error != "" {
		return fmt.Errorf("refused: %s", answer.Error)
	}
	for _, r := range answer.Data.Result {
		text, _ := r.Value[1].(string)
		if v, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(v) && !math.IsInf(v, 0) {
			return nil
		}
	}
	return fmt.Errorf("no number in %v", answer.Data.Result)
}

// dashboardQueries returns every query of the dashboard by its panel's title.
func dashboardQueries(t *testing.T) map[string]string {
	t.Helper()
	raw, err := os.ReadFile("../deploy/grafana/goodgate.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Templating struct {
			List []struct{ Name, Type, Definition string }
		}
		Panels []struct {
			ID      int
			Title   string
			Targets []struct{ RefID, Expr string }
		}
	}
	if err := json.Unmarshal(raw, &board); err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("$__rate_interval", "1m", "$pool", ".*", "$job", ".*")
	queries := map[string]string{}
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			queries[fmt.Sprintf("dashboard: %s (panel %d %s)", p.Title, p.ID, target.RefID)] = fill.Replace(target.Expr)
		}
	}
	values := regexp.MustCompile(`^label_values\((.*), (\w+)\)$`)
	for _, v := range board.Templating.List {
		if v.Type != "query" {
			continue
		}
		m := values.FindStringSubmatch(v.Definition)
		if m == nil {
			t.Errorf("the variable %s has an unknown query: %s", v.Name, v.Definition)
			continue
		}
		queries["dashboard: variable "+v.Name] = "count by (" + m[2] + ") (" + m[1] + ")"
	}
	return queries
}

// alertQueries returns the expression of every alert without its thresholds.
func alertQueries(t *testing.T) map[string]string {
	t.Helper()
	raw, err := os.ReadFile("../deploy/prometheus/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	if err := yaml.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	threshold := regexp.MustCompile(` (>|<|==) [0-9.]+`)
	queries := map[string]string{}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			queries["alert: "+r.Alert] = threshold.ReplaceAllString(r.Expr, "")
		}
	}
	return queries
}

// scalerQueries returns the queries in the examples for Kubernetes.
func scalerQueries(t *testing.T) map[string]string {
	t.Helper()
	var keda struct {
		Spec struct {
			Triggers []struct{ Metadata struct{ Query string } }
		}
	}
	var scaler struct{} // the HorizontalPodAutoscaler uses the adapter's rule
	var adapter struct{ Data map[string]string }
	decode := func(file string, into ...any) {
		raw, err := os.ReadFile("../deploy/kubernetes/" + file)
		if err != nil {
			t.Fatal(err)
		}
		d := yaml.NewDecoder(bytes.NewReader(raw))
		for _, v := range into {
			if err := d.Decode(v); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
		}
	}
	decode("keda.yaml", &keda)
	decode("hpa.yaml", &scaler, &adapter)
	queries := map[string]string{}
	for i, trigger := range keda.Spec.Triggers {
		queries[fmt.Sprintf("keda: trigger %d", i)] = trigger.Metadata.Query
	}
	var rules struct {
		ExternalRules []struct {
			SeriesQuery  string `yaml:"seriesQuery"`
			MetricsQuery string `yaml:"metricsQuery"`
		} `yaml:"externalRules"`
	}
	if err := yaml.Unmarshal([]byte(adapter.Data["config.yaml"]), &rules); err != nil {
		t.Fatal(err)
	}
	for _, r := range rules.ExternalRules {
		queries["adapter: "+r.SeriesQuery] = strings.NewReplacer("<<.Series>>", r.SeriesQuery, "<<.LabelMatchers>>", `pool="app"`).Replace(r.MetricsQuery)
	}
	if len(queries) != 3 {
		t.Errorf("found %d queries of scalers, want 3", len(queries))
	}
	return queries
}
