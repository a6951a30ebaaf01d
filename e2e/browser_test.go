package e2e_test

import (
	"context"
	"fmt"
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
)

// browser is a real browser without a window.
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

// listen records events that a page must not cause.
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

// act runs actions in a browser and returns their error.
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

// call sends a command of the DevTools protocol, for which chromedp has no action.
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

// text returns the text that an element shows.
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
