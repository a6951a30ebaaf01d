package e2e_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/changes"
	"github.com/goodgate/goodgate/proxy"
)

const dashboardToken = "0123456789abcdef"

// planted are pools that each fail in a different way.
const planted = `
listeners: ["${LISTEN}"]
admin: {address: "${ADMIN}", token: "` + dashboardToken + `"}
log: {level: error}
shutdown: {lame_duck: 0s, grace: 0s}
routes:
  - {match: {path: /refused}, pool: refused}
  - {match: {path: /errors}, pool: errors}
  - {match: {path: /slow}, pool: slow}
  - {match: {path: /name}, pool: name}
  - {match: {path: /busy}, pool: busy}
  - {match: {path: /fine}, pool: fine}
pools:
  refused: {hold: {for: 1s}, health: {type: none}, upstreams: ["http://127.0.0.1:1"]}
  errors: {health: {type: none}, upstreams: [%[1]q, %[2]q]}
  slow: {policy: round_robin, upstreams: [%[1]q, %[3]q]}
  name: {hold: {for: 1s}, upstreams: ["http://nowhere.invalid:80"]}
  busy: {queue: {max_requests: 2}, upstreams: [{url: %[4]q, max_in_flight: 1}]}
  fine: {upstreams: [%[1]q, %[5]q]}
`

// widths are those of a phone, a tablet, a laptop and a desk.
var widths = []int64{390, 820, 1280, 1920}

// TestDashboard: a newcomer finds on the first screen alone why requests fail, in a
// real browser, on a phone and in the dark. Screenshots go where go test -artifacts
// puts them.
func TestDashboard(t *testing.T) {
	t.Parallel()
	chromium := need(t, "chromium")
	address := plantFaults(t)
	b := startBrowser(t, chromium)
	b.run(chromedp.Navigate("http://" + address + "/"))
	token := chromedp.CSS("#token")
	b.run(chromedp.WaitVisible(token), chromedp.SendKeys(token, "wrong"+kb.Enter))
	b.waitText("#denied", "This token is wrong.")
	b.run(chromedp.SendKeys(token, dashboardToken+kb.Enter), chromedp.WaitVisible(chromedp.CSS("#wrong")))
	for _, want := range []string{"connect_refused", "upstream_status", "dns_error", "overloaded", "nowhere.invalid", "Next:"} {
		b.agree("what is wrong", func() string { return want }, func() string { // folded or not
			return act(b, chromedp.Evaluate[string](fmt.Sprintf("[%q].find((s) => document.querySelector('.wrong').textContent.includes(s)) ?? document.querySelector('.wrong').textContent", want)))
		})
	}
	b.agree("what is wrong", func() string { return "busy errors name refused slow" }, func() string { // of slow, whichever words it gets
		return act(b, chromedp.Evaluate[string](`[...new Set([...document.querySelectorAll(".wrong a.pool")].map((a) => a.innerText || a.textContent))].filter((p) => p !== "fine").sort().join(" ")`))
	})
	for pool, cause := range map[string]string{"refused": "connect_refused", "errors": "upstream_status", "name": "dns_error", "busy": "overloaded"} {
		b.run(chromedp.EmulateViewport(1280, 900))
		b.waitText(row(pool), cause)
	}
	b.run(chromedp.Evaluate[chromedp.Void]("void (location.hash = '#/config')"))
	b.waitText("pre", "\npools:\n")
	b.run(chromedp.Evaluate[chromedp.Void]("void (location.hash = '#/metrics')"))
	b.waitText("pre", "\ngoodgate_requests_total{")
	for _, screen := range []string{"", "pool/errors", "pool/name", "events", "wiring", "config", "metrics"} {
		b.run(chromedp.Evaluate[chromedp.Void](fmt.Sprintf("void (location.hash = %q)", "#/"+screen)), chromedp.Sleep(700*time.Millisecond))
		for _, scheme := range []string{"light", "dark"} {
			for _, width := range widths {
				b.shot(fmt.Sprintf("%s-%s-%d", cmp.Or(strings.ReplaceAll(screen, "/", "-"), "pools"), scheme, width), scheme, width)
				b.wholeAddresses(fmt.Sprintf("%s at %d", screen, width))
			}
		}
	}
	for _, p := range b.told() {
		t.Error(p)
	}
}

func row(pool string) string { return fmt.Sprintf("tr[data-key=%q]", pool) }

// wholeAddresses checks that no address is broken into two lines.
func (b *browser) wholeAddresses(where string) {
	b.t.Helper()
	const broken = `[...document.querySelectorAll("code")].filter((e) => /^127[.]0[.]0[.]1:\d+$/.test(e.innerText) && e.checkVisibility() && e.getBoundingClientRect().height > 1.8 * parseFloat(getComputedStyle(e).lineHeight)).map((e) => e.innerText).join()`
	if list := act(b, chromedp.Evaluate[string](broken)); list != "" {
		b.t.Errorf("%s: broken into two lines: %s", where, list)
	}
}

// TestDashboardOrders: an operator drains by keyboard, has to confirm before the last
// upstream is removed, and finds the change in the timeline.
func TestDashboardOrders(t *testing.T) {
	t.Parallel()
	chromium := need(t, "chromium")
	address := plantFaults(t)
	b := startBrowser(t, chromium)
	b.login(address, "#/pool/fine")
	focused := func() string {
		return act(b, chromedp.Evaluate[string]("document.activeElement.textContent"))
	}
	first, second := "table.upstreams tbody tr:nth-child(1)", "table.upstreams tbody tr:nth-child(2)"
	b.waitText("#main", "2 of 2 upstreams available")
	b.run(chromedp.Focus(chromedp.CSS(first+" button")), chromedp.KeyEvent(kb.Enter))
	b.waitText(first, "Drained")
	if got := focused(); got != "Undrain" {
		t.Errorf("after the drain %q has the focus", got)
	}
	asks := func() bool { return act(b, chromedp.Evaluate[bool]("document.getElementById('sure').open")) }
	b.run(chromedp.Focus(chromedp.CSS(second+" button")), chromedp.KeyEvent(kb.Enter))
	b.waitText("#sure", "the only available upstream of 2")
	if got := focused(); got != "Cancel" {
		t.Errorf("in the question %q has the focus", got)
	}
	b.run(chromedp.KeyEvent(kb.Escape))
	if asks() || !strings.Contains(b.text(second), "Available") {
		t.Errorf("after Escape: still asking %v, %s", asks(), b.text(second))
	}
	b.run(chromedp.Focus(chromedp.CSS(second+" button")), chromedp.KeyEvent(kb.Enter))
	b.waitText("#sure", "the only available upstream of 2")
	b.run(chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter))
	b.waitText("#main", "0 of 2 upstreams available")
	b.run(chromedp.Focus(chromedp.CSS(first+" button")), chromedp.KeyEvent(kb.Enter))
	b.waitText("#main", "1 of 2 upstreams available")
	b.waitText(`ol[aria-label="Timeline"]`, "was drained for")
	for _, p := range b.told() {
		t.Error(p)
	}
}

// TestDashboardFigures: the page shows the API's figures, and after a reload also the
// earlier ones.
func TestDashboardFigures(t *testing.T) {
	t.Parallel()
	chromium := need(t, "chromium")
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/404") {
			w.WriteHeader(404)
		}
		w.Write(make([]byte, 1000))
	}))
	t.Cleanup(app.Close)
	address := freeAddress(t)
	g := startGate(t, fmt.Sprintf(`
listeners: ["${LISTEN}"]
admin: {address: "${ADMIN}", token: %q}
log: {level: error}
shutdown: {lame_duck: 0s, grace: 0s}
routes: [{match: {path: /lost}, pool: lost}, {pool: app}]
pools:
  app: {upstreams: [%q]}
  lost: {hold: {for: 0s}, health: {type: none}, upstreams: ["http://127.0.0.1:1"]}
`, dashboardToken, app.URL), "ADMIN="+address)
	for n := range 24 {
		askOnce(t, "http://"+g.address+[]string{"/", "/404", "/lost"}[n%3])
	}
	b := startBrowser(t, chromium)
	b.login(address, "#/")
	cells := func(selector string) (list []string) {
		text := act(b, chromedp.Evaluate[string](fmt.Sprintf("JSON.stringify([...document.querySelectorAll(%q)].map((e) => e.innerText.trim()))", selector)))
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			t.Fatal(err)
		}
		return list
	}
	var o admin.Overview
	b.agree("the overview", func() string {
		apiGet(t, address, "/v1/overview", &o)
		var want []string
		for _, p := range o.Pools {
			want = append(want, fmt.Sprintf("%d/%d %d %d %d", p.Available, p.Total, p.Escaped, p.Hidden, p.InFlight))
		}
		return strings.Join(want, "; ")
	}, func() string {
		var got []string
		for _, p := range o.Pools {
			c := cells(row(p.Name) + " td")
			if len(c) < 9 {
				return "no row of " + p.Name
			}
			got = append(got, fmt.Sprintf("%s %s %s %s", c[0], c[3], c[4], c[8]))
		}
		return strings.Join(got, "; ")
	})
	if o.Pools[0].Requests != 16 || o.Pools[1].Escaped != 8 {
		t.Fatalf("the API has %+v", o.Pools)
	}
	for range 2 { // and loaded again
		b.run(chromedp.Navigate("http://"+address+"/#/pool/app"), chromedp.Reload())
		var d admin.Detail
		b.agree("the pool's page", func() string {
			apiGet(t, address, "/v1/overview/app", &d)
			m := d.More[0]
			return fmt.Sprintf("0 of %d, %d, %d, %d, %d", d.Pool.Upstreams[0].Minute.Attempts, m.Classes[1], m.Classes[2], m.Classes[3], m.Classes[4])
		}, func() string {
			c := cells("table.upstreams td.number")
			if len(c) < 5 {
				return fmt.Sprint(c)
			}
			return strings.Join(c[:5], ", ")
		})
		if n := act(b, chromedp.Evaluate[int]("document.querySelectorAll('.chart .fill.c2xx').length")); n < 2 {
			t.Errorf("no chart of what was answered: %d", n)
		}
	}
	for _, p := range b.told() {
		t.Error(p)
	}
}

// agree waits until a page shows the API's figures.
func (b *browser) agree(what string, want, got func() string) {
	b.t.Helper()
	deadline := time.Now().Add(2 * bound)
	for {
		w, g := want(), got()
		if w == g {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("%s shows %q, the API says %q", what, g, w)
		}
		time.Sleep(300 * time.Millisecond)
	}
}

// login opens a screen with the token in the tab's storage.
func (b *browser) login(address, screen string) {
	b.t.Helper()
	b.run(chromedp.EmulateViewport(1280, 900), chromedp.Navigate("http://"+address+"/live"),
		chromedp.Evaluate[chromedp.Void](fmt.Sprintf("void sessionStorage.setItem('goodgate-token', %q)", dashboardToken)),
		chromedp.Navigate("http://"+address+"/"+screen))
}

func apiGet(t *testing.T, address, path string, v any) {
	t.Helper()
	c := admin.Client{Address: address, Token: dashboardToken}
	if err := c.Get(t.Context(), path, v); err != nil {
		t.Fatal(err)
	}
}

// hostileFleet is a goodgate whose pools and upstreams have names that a page could
// take for markup, or for its own.
type hostileFleet struct {
	admin.Control // asked for nothing beside the following
	pools         []*proxy.Pool
}

const hostileText = `<script>window.hacked=1</script><img src=x onerror="hacked=1">/../?a=b#c%41%`

func (f hostileFleet) Pools() []*proxy.Pool { return f.pools }
func (f hostileFleet) ConfigState() admin.ConfigState {
	return admin.ConfigState{Error: hostileText, Failed: time.Now()}
}
func (f hostileFleet) Config() []byte { return []byte(hostileText) }
func (f hostileFleet) Draining() bool { return false }
func (f hostileFleet) Certificates() map[string]time.Time {
	return map[string]time.Time{hostileText: time.Now()}
}
func (f hostileFleet) OutOfFiles() (time.Time, uint64) { return time.Now(), 7 }
func (f hostileFleet) Crowds() []admin.Crowd {
	return []admin.Crowd{{Listener: hostileText, Waits: true}}
}
func (f hostileFleet) Closure(string) admin.Closure {
	c := &changes.Change{ID: "hacked", By: hostileText, Why: hostileText, At: time.Now()}
	return admin.Closure{Pause: c, Maintenance: c}
}
func (f hostileFleet) Found(string) bool { return true }
func (f hostileFleet) Sources(string) []admin.Source {
	return []admin.Source{{Name: hostileText, Error: hostileText, LeftOut: []admin.LeftOut{{What: hostileText, Why: hostileText}}}}
}
func (f hostileFleet) SourceError(string) (string, reason.Reason) { return hostileText, reason.None }
func (f hostileFleet) Weight(balancer.Key) (int, int)             { return 5, 50 }
func (f hostileFleet) LastCheck(balancer.Key) admin.Check {
	return admin.NewCheck(errors.New(hostileText), time.Now(), time.Millisecond)
}

// TestDashboardHostile: text from others is shown as text, on every screen, and makes
// no screen wider. The Tab key reaches every control.
func TestDashboardHostile(t *testing.T) {
	t.Parallel()
	chromium := need(t, "chromium")
	long := strings.Repeat("long-name-", 12)
	var f hostileFleet
	for _, name := range []string{hostileText, long} {
		p, err := proxy.NewPool(balancer.Options{Name: name, Policy: "first"}, proxy.PoolOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Update(nil) })
		p.Update([]balancer.Spec{{Addr: "[2001:db8:1111:2222:3333:4444:5555:6666]:65535", Name: hostileText}, {Addr: "unix:/" + long + hostileText}})
		f.pools = append(f.pools, p)
	}
	o := admin.Options{Control: f, Requests: new(admin.Ring), Tally: new(admin.Tally), Journal: admin.NewJournal(hostileText), Version: hostileText}
	o.Wiring = func() admin.Wiring {
		return admin.Wiring{Listeners: []admin.Listener{{Address: hostileText, Protocols: []string{hostileText}, Certificates: []admin.Certificate{{File: hostileText, Until: time.Now()}}}},
			Routes: []admin.Route{{Name: hostileText, Match: hostileText, Pool: hostileText, To: hostileText}}}
	}
	record := proxy.Record{Start: time.Now(), ID: hostileText, Method: hostileText, Host: hostileText, Path: hostileText + long + long, Pool: hostileText, Status: 502, Reason: reason.ConnectRefused,
		Attempts: []proxy.Attempt{{Upstream: "unix:/" + long + hostileText, Reason: reason.ConnectRefused}}}
	o.Requests.Observe(&record)
	o.Tally.Observe(&record)
	o.Journal.Observe(&record)
	o.Journal.Reloaded(hostileText, []string{hostileText, long + long}, nil)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { o.Journal.Run(ctx, f.Pools) })
	defer wg.Wait()
	defer stop()
	s := admin.New(o)
	server := httptest.NewServer(s)
	defer server.Close()
	b := startBrowser(t, chromium)
	for name, screen := range map[string]string{"overview": "#/", "pool": "#/pool/" + pathEscape(hostileText), "events": "#/events", "wiring": "#/wiring", "config": "#/config"} {
		b.run(chromedp.Navigate("about:blank"), chromedp.Navigate(server.URL+"/"+screen))
		b.waitText("#main", `<script>window.hacked=1</script><img src=x onerror="hacked=1">`)
		b.reach(name)
		for _, width := range widths {
			b.shot("hostile-"+name+fmt.Sprint("-", width), "light", width)
		}
		if act(b, chromedp.Evaluate[bool]("'hacked' in window || document.querySelector('#main script, #main img') !== null")) {
			t.Errorf("%s: a name became markup", name)
		}
	}
	for _, p := range b.told() {
		t.Error(p)
	}
}

// pathEscape is the page's own encodeURIComponent.
func pathEscape(s string) string {
	return strings.NewReplacer("%", "%25", "<", "%3C", ">", "%3E", "/", "%2F", "?", "%3F", "#", "%23", `"`, "%22", " ", "%20").Replace(s)
}

// reach presses Tab until the focus is back at its start, and checks that every control
// had it.
func (b *browser) reach(screen string) {
	b.t.Helper()
	const all = `[...document.querySelectorAll("a[href], button, input, summary, [tabindex='0']")].filter((e) => e.checkVisibility())`
	n := act(b, chromedp.Evaluate[int]("document.body.focus(), window.missed = new Set("+all+"), missed.size"))
	for range 2 * n {
		b.run(chromedp.KeyEvent(kb.Tab))
		if act(b, chromedp.Evaluate[int]("missed.delete(document.activeElement), missed.size")) == 0 {
			return
		}
	}
	b.t.Errorf("%s: Tab does not reach %s", screen, act(b, chromedp.Evaluate[string]("[...missed].map((e) => e.outerHTML.slice(0, 80)).join('\\n')")))
}

// plantFaults runs goodgate under load in front of failing upstreams, and returns the
// address of its dashboard.
func plantFaults(t *testing.T) (address string) {
	answer := func(after time.Duration, status int) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			wait(r.Context(), after)
			w.WriteHeader(status)
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	address = freeAddress(t)
	g := startGate(t, fmt.Sprintf(planted, answer(0, 200), answer(0, 503), answer(1200*time.Millisecond, 200), answer(300*time.Millisecond, 200), answer(0, 200)),
		"ADMIN="+address)
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for path, clients := range map[string]int{"refused": 2, "errors": 2, "slow": 3, "name": 1, "busy": 8, "fine": 1} {
		for range clients {
			wg.Go(func() { askOn(ctx, "GET", "http://"+g.address+"/"+path) })
		}
	}
	t.Cleanup(wg.Wait)
	t.Cleanup(stop)
	return address
}
