package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// planted are pools of which each fails in its own way.
const planted = `
listeners: ["${LISTEN}"]
admin: {address: "${ADMIN}", token: "0123456789abcdef"}
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

// TestDashboard: a newcomer finds on the page alone why requests fail, in a real
// browser, by keyboard, on a phone and in the dark. Screenshots go where
// go test -artifacts puts them.
func TestDashboard(t *testing.T) {
	t.Parallel()
	chromium := need(t, "chromium")
	admin := plantFaults(t)
	b := startBrowser(t, chromium)
	b.run(chromedp.Navigate("http://" + admin + "/"))
	token := chromedp.CSS("#token")
	b.run(chromedp.WaitVisible(token), chromedp.SendKeys(token, "wrong"+kb.Enter))
	b.waitText("#denied", "That is not the token.")
	b.run(chromedp.SendKeys(token, "0123456789abcdef"+kb.Enter), chromedp.WaitVisible(chromedp.CSS("#wrong")))
	for _, want := range []string{
		"Error in pool refused, upstream 127.0.0.1:1 (connect_refused)", "it refuses connections: nothing listens at that address",
		"in pool errors, upstream", "(upstream_status)", "it answers 503 itself. Clients noticed nothing.",
		"Slow: it answers after 1.", "Look at what it waits for",
		"Error in pool name (dns_error)", "Its upstreams could not be looked up: resolving nowhere.invalid",
		"Error in pool busy (overloaded)", "were refused, since more come than the upstreams may have",
	} {
		b.waitText("#main > section:first-child", want)
	}
	for _, look := range []struct {
		scheme string
		width  int64
	}{{"light", 390}, {"dark", 390}, {"light", 1280}, {"dark", 1280}} {
		b.shot(fmt.Sprintf("%s-%d", look.scheme, look.width), look.scheme, look.width)
	}
	b.drainByKeyboard("pool fine")
	for _, p := range b.told() {
		t.Error(p)
	}
}

// plantFaults runs a goodgate under load in front of what fails, and returns
// where its dashboard is.
func plantFaults(t *testing.T) (admin string) {
	answer := func(after time.Duration, status int) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			wait(r.Context(), after)
			w.WriteHeader(status)
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	admin = freeAddress(t)
	g := startGate(t, fmt.Sprintf(planted, answer(0, 200), answer(0, 503), answer(1200*time.Millisecond, 200), answer(300*time.Millisecond, 200), answer(0, 200)),
		"ADMIN="+admin)
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for path, clients := range map[string]int{"refused": 2, "errors": 2, "slow": 3, "name": 1, "busy": 8, "fine": 1} {
		for range clients {
			wg.Go(func() { askOn(ctx, "GET", "http://"+g.address+"/"+path) })
		}
	}
	t.Cleanup(wg.Wait)
	t.Cleanup(stop)
	return admin
}

// browser is a real one, without a window.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex // protects problems
	problems []string
}

func startBrowser(t *testing.T, path string, more ...chromedp.ExecAllocatorOption) *browser {
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()))
	options = append(options, more...)
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, b.listen); err != nil { // starts it
		t.Fatalf("browser: %v", err)
	}
	call(b, network.Enable, network.EnableParams{})
	call(b, log.Enable, cdp.Empty{})
	return b
}

// listen notes what a page must not do.
func (b *browser) listen(event any) {
	problem := ""
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if u := e.Request.URL; !strings.HasPrefix(u, "http://127.0.0.1:") && !strings.HasPrefix(u, "data:") {
			problem = "it asked " + u
		}
	case *runtime.EventExceptionThrown:
		problem = "a script failed: " + e.ExceptionDetails.Text
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError && !strings.Contains(e.Entry.Text, "401") {
			problem = e.Entry.Text
		}
	}
	if problem == "" {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problems = append(b.problems, problem)
}

func (b *browser) told() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.problems
}

// act does something in a browser and returns what came of it.
func act[T any](b *browser, a chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 4*bound)
	defer cancel()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		b.t.Fatalf("browser: %v", err)
	}
	return v
}

// call does what there is no action for.
func call[P, R any](b *browser, c cdp.Command[P, R], params P) {
	b.t.Helper()
	b.run(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	}))
}

func (b *browser) run(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	act(b, chromedp.Steps(steps...))
}

// text returns what an element shows.
func (b *browser) text(selector string) string {
	b.t.Helper()
	return act(b, chromedp.Evaluate[string](fmt.Sprintf("document.querySelector(%q)?.innerText ?? ''", selector)))
}

// waitText waits until an element shows a text.
func (b *browser) waitText(selector, want string) {
	b.t.Helper()
	deadline := time.Now().Add(4 * bound)
	for got := b.text(selector); !strings.Contains(got, want); got = b.text(selector) {
		if time.Now().After(deadline) {
			b.t.Fatalf("the page does not say %q but\n%s", want, got)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// shot takes a screenshot of the whole page, which must not be wider than the
// screen.
func (b *browser) shot(name, scheme string, width int64) {
	b.t.Helper()
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
	b.run(chromedp.EmulateViewport(width, 900), chromedp.Sleep(300*time.Millisecond))
	wide := act(b, chromedp.Evaluate[int64]("document.documentElement.scrollWidth"))
	picture := act(b, chromedp.FullScreenshot(100))
	if wide > width {
		b.t.Errorf("%s: the page is %d wide", name, wide)
	}
	if err := os.WriteFile(filepath.Join(b.t.ArtifactDir(), name+".png"), picture, 0o644); err != nil {
		b.t.Error(err)
	}
}

// drainByKeyboard drains the first upstream of a pool and brings it back,
// without the focus getting lost.
func (b *browser) drainByKeyboard(pool string) {
	b.t.Helper()
	section := fmt.Sprintf("section[aria-label=%q]", pool)
	focused := func() string {
		return act(b, chromedp.Evaluate[string]("document.activeElement.textContent"))
	}
	b.run(chromedp.Focus(chromedp.CSS(section+" button")), chromedp.KeyEvent(kb.Enter))
	b.waitText(section, "out: drained by the operator")
	if got := focused(); got != "Undrain" {
		b.t.Errorf("after the drain %q has the focus", got)
	}
	b.run(chromedp.KeyEvent(kb.Enter))
	b.waitText(section, "2 of 2 upstreams available")
	if got := focused(); got != "Drain" {
		b.t.Errorf("after the undrain %q has the focus", got)
	}
}
