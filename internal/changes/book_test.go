package changes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/internal/lab/logtest"
)

func drainOf(upstream string) Change {
	return Change{Subject: Subject{Kind: State, Pool: "app", Upstream: upstream}, Value: json.RawMessage(`"drain"`), By: "ci", Why: "patch day"}
}

func mustPut(t *testing.T, b *Book, c Change) Change {
	t.Helper()
	c, err := b.Put(c)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func subjects(b *Book) (list []string) {
	for _, c := range b.All() {
		list = append(list, fmt.Sprintf("%s %s%s %s", c.Kind, c.Pool, c.Route, c.Upstream))
	}
	return list
}

// The next book of the same file begins with the results of Put and TakeBack.
func TestBookSurvivesRestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "folder", "state.json")
	b := Open(Options{File: file})
	one := mustPut(t, b, drainOf("10.0.0.1:80"))
	mustPut(t, b, Change{Subject: Subject{Kind: Weight, Pool: "app", Upstream: "10.0.0.1:80"}, Value: json.RawMessage(` 5 `), By: "eve", Until: time.Now().Add(time.Hour), Base: "http://10.0.0.1 weight 1"})
	mustPut(t, b, Change{Subject: Subject{Kind: Split, Route: "shop"}, Value: json.RawMessage(`{"v1": 95, "v2": 5}`), By: "ci"})
	again := mustPut(t, b, drainOf("10.0.0.1:80"))
	if again.ID == one.ID || one.ID == "" {
		t.Errorf("ids %q and %q of two changes", one.ID, again.ID)
	}
	if _, err := b.TakeBack(one.ID, "ci", ""); !errors.Is(err, ErrUnknown) {
		t.Errorf("taking back what was replaced: got %v, want ErrUnknown", err)
	}
	next := Open(Options{File: file})
	if got, want := fmt.Sprint(next.All()), fmt.Sprint(b.All()); got != want || len(next.All()) != 3 {
		t.Errorf("the next book has\n%s, want\n%s", got, want)
	}
	if c, ok := next.Find(Subject{Kind: Weight, Pool: "app", Upstream: "10.0.0.1:80"}); !ok || string(c.Value) != "5" || c.By != "eve" {
		t.Errorf("found %v, %+v", ok, c)
	}
	if _, err := next.TakeBack(again.ID, "eve", "done"); err != nil {
		t.Error(err)
	}
	if got := subjects(Open(Options{File: file})); len(got) != 2 {
		t.Errorf("after one was taken back: %q", got)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info.Mode(), err)
	}
	if names, _ := os.ReadDir(filepath.Dir(file)); len(names) != 1 {
		t.Errorf("the folder has %d files, want 1", len(names))
	}
}

func TestPutRefuses(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	for name, tc := range map[string]struct {
		change func(*Change)
		want   error
	}{
		"good": {func(c *Change) {}, nil},
		"the longest": {func(c *Change) {
			c.Why, c.By, c.Value = long(MaxText), long(MaxText), json.RawMessage(`"`+long(MaxValue-2)+`"`)
		}, nil},
		"no kind":             {func(c *Change) { c.Kind = "" }, ErrInvalid},
		"another kind":        {func(c *Change) { c.Kind = "color" }, ErrInvalid},
		"no pool":             {func(c *Change) { c.Pool = "" }, ErrInvalid},
		"no upstream":         {func(c *Change) { c.Upstream = "" }, ErrInvalid},
		"a route":             {func(c *Change) { c.Route = "shop" }, ErrInvalid},
		"split of a pool":     {func(c *Change) { c.Kind = Split }, ErrInvalid},
		"pause of one":        {func(c *Change) { c.Kind = Pause }, ErrInvalid},
		"value no JSON":       {func(c *Change) { c.Value = json.RawMessage("drain") }, ErrInvalid},
		"two values":          {func(c *Change) { c.Value = json.RawMessage("1 2") }, ErrInvalid},
		"value too long":      {func(c *Change) { c.Value = json.RawMessage(`"` + long(MaxValue) + `"`) }, ErrInvalid},
		"why too long":        {func(c *Change) { c.Why = long(MaxText + 1) }, ErrInvalid},
		"by too long":         {func(c *Change) { c.By = long(MaxText + 1) }, ErrInvalid},
		"upstream too long":   {func(c *Change) { c.Upstream = long(MaxText + 1) }, ErrInvalid},
		"base too long":       {func(c *Change) { c.Base = long(MaxBase + 1) }, ErrInvalid},
		"until has passed":    {func(c *Change) { c.Until = time.Now().Add(-time.Second) }, ErrInvalid},
		"until the year 4000": {func(c *Change) { c.Until = time.Date(4000, 1, 1, 0, 0, 0, 0, time.UTC) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b := Open(Options{})
			c := drainOf("10.0.0.1:80")
			tc.change(&c)
			_, err := b.Put(c)
			if !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
			if n := len(b.All()); (n == 1) != (tc.want == nil) {
				t.Errorf("%d changes are in force after %v", n, err)
			}
		})
	}
}

func TestBookIsBounded(t *testing.T) {
	list := make([]Change, MaxChanges)
	for i := range list {
		list[i] = drainOf(fmt.Sprint("10.0.0.1:", i))
		list[i].ID, list[i].At = fmt.Sprint(i), time.Unix(int64(i), 0)
	}
	b := Open(Options{Inherit: list})
	if _, err := b.Put(drainOf("10.0.0.2:80")); !errors.Is(err, ErrFull) {
		t.Errorf("one too many: got %v", err)
	}
	mustPut(t, b, drainOf("10.0.0.1:7")) // replaces one
	if n := len(b.All()); n != MaxChanges {
		t.Errorf("%d changes", n)
	}
}

// A change ends on time, also one whose end came while no goodgate ran.
func TestExpiry(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.json")
	synctest.Test(t, func(t *testing.T) {
		b := Open(Options{File: file})
		var events logtest.Buffer
		b.Follow(func(e Event) { fmt.Fprintln(&events, e.What, e.Change.Upstream) })
		go b.Run(t.Context())
		for upstream, d := range map[string]time.Duration{"a:1": time.Hour, "b:1": time.Second, "c:1": 0, "d:1": 48 * time.Hour} {
			c := drainOf(upstream)
			if d > 0 {
				c.Until = time.Now().Add(d)
			}
			mustPut(t, b, c)
		}
		synctest.Wait()
		events.Take()
		for _, step := range []struct {
			wait time.Duration
			want string
		}{{time.Second - 1, ""}, {1, "expired b:1\n"}, {time.Hour - time.Second - 1, ""}, {1, "expired a:1\n"}} {
			time.Sleep(step.wait)
			synctest.Wait()
			if got := events.Take(); got != step.want {
				t.Errorf("after %v more: %q, want %q", step.wait, got, step.want)
			}
		}
		var log bytes.Buffer
		if got := subjects(Open(Options{File: file})); len(got) != 2 {
			t.Errorf("the file has %q", got)
		}
		b.Freeze("test")
		time.Sleep(48 * time.Hour)
		if got := subjects(b); len(got) != 2 {
			t.Errorf("a frozen book has %q", got)
		}
		if got := subjects(Open(Options{File: file, Log: slog.New(slog.NewTextHandler(&log, nil))})); len(got) != 1 {
			t.Errorf("after a start behind the end: %q", got)
		}
		if !strings.Contains(log.String(), "what=expired") {
			t.Errorf("the log has %q", log.String())
		}
	})
}

// A follower sees the changes in order, and may overrule changes itself.
func TestFollow(t *testing.T) {
	b := Open(Options{})
	var events []string
	stop := b.Follow(func(e Event) {
		events = append(events, fmt.Sprint(e.What, " ", e.Change.Upstream, " by ", e.By, ", ", len(b.All())))
		if e.What == Put && e.Change.Upstream == "a:1" {
			b.Overrule(e.Change.ID, "the file has another weight")
		}
	})
	mustPut(t, b, drainOf("a:1"))
	b.TakeBack(mustPut(t, b, drainOf("b:1")).ID, "ann", "")
	stop()
	mustPut(t, b, drainOf("c:1"))
	want := []string{"put a:1 by ci, 1", "overruled a:1 by configuration, 0", "put b:1 by ci, 1", "taken back b:1 by ann, 0"}
	if !slices.Equal(events, want) {
		t.Errorf("got %q, want %q", events, want)
	}
}

// TestOrdersAreInEffect: a change is in effect when Put and TakeBack return, also while
// another goroutine calls the followers. An answer to the operator that is made then has
// the new state.
func TestOrdersAreInEffect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := Open(Options{})
		old := mustPut(t, b, drainOf("old:1"))
		slow := make(chan struct{})
		b.Follow(func(e Event) {
			if e.Change.Upstream == "slow:1" {
				<-slow
			}
		})
		go b.Put(drainOf("slow:1"))
		synctest.Wait()
		var returned atomic.Int32
		go func() { b.Put(drainOf("a:1")); returned.Add(1) }()
		go func() { b.TakeBack(old.ID, "ann", ""); returned.Add(1) }()
		synctest.Wait()
		if n := returned.Load(); n != 0 {
			t.Errorf("%d calls returned before the followers knew", n)
		}
		close(slow)
		synctest.Wait()
		if n := returned.Load(); n != 2 {
			t.Errorf("%d calls returned, want 2", n)
		}
	})
}

// Under concurrent changes nothing is lost or reported twice.
func TestConcurrentChanges(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.json")
	b := Open(Options{File: file})
	following := map[Subject]string{}
	var mu sync.Mutex
	b.Follow(func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.What == Put {
			following[e.Change.Subject] = e.Change.ID
		} else {
			delete(following, e.Change.Subject)
		}
	})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 10 {
				c, err := b.Put(drainOf(fmt.Sprintf("10.0.0.%d:%d", i/2, j)))
				if err != nil {
					t.Error(err)
				}
				b.Find(c.Subject)
				if j%3 == 0 {
					b.TakeBack(c.ID, "ci", "") // another goroutine may have replaced it
				}
			}
		})
	}
	wg.Wait()
	b.tell()
	mu.Lock()
	defer mu.Unlock()
	for _, c := range b.All() {
		if following[c.Subject] != c.ID {
			t.Errorf("%v: followers know of %q, the book has %q", c.Subject, following[c.Subject], c.ID)
		}
	}
	if got, want := fmt.Sprint(Open(Options{File: file}).All()), fmt.Sprint(b.All()); got != want || len(b.All()) != len(following) {
		t.Errorf("the file has\n%s, want\n%s; %d are followed", got, want, len(following))
	}
}

func TestFreeze(t *testing.T) {
	b := Open(Options{})
	c := mustPut(t, b, drainOf("a:1"))
	if list := b.Freeze("a new process takes over"); len(list) != 1 {
		t.Errorf("it has %v", list)
	}
	_, put := b.Put(drainOf("b:1"))
	_, ended := b.TakeBack(c.ID, "", "")
	if !errors.Is(put, ErrFrozen) || !errors.Is(ended, ErrFrozen) || len(b.All()) != 1 {
		t.Errorf("a frozen book: %v, %v, %d changes", put, ended, len(b.All()))
	}
	next := Open(Options{Inherit: b.All()})
	if got, _ := next.Find(c.Subject); got.ID != c.ID {
		t.Errorf("the next book has %+v", got)
	}
	if wait := next.look(); wait != lookEvery {
		t.Errorf("without a file, the next book looks again after %v, want %v", wait, lookEvery)
	}
	b.Thaw()
	mustPut(t, b, drainOf("b:1"))
}

func TestAuditRecord(t *testing.T) {
	var log bytes.Buffer
	b := Open(Options{Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "id" {
			return slog.Attr{}
		}
		return a
	}}))})
	c := drainOf("a:1")
	c.Until = time.Date(2999, 1, 2, 3, 4, 5, 0, time.UTC)
	c = mustPut(t, b, c)
	b.TakeBack(c.ID, "eve", "")
	want := `level=INFO msg=change what=put kind=state pool=app upstream=a:1 value=drain by=ci why="patch day" until=2999-01-02T03:04:05Z
level=INFO msg=change what="taken back" kind=state pool=app upstream=a:1 value=drain by=eve
`
	if log.String() != want {
		t.Errorf("got %s, want %s", log.String(), want)
	}
}

// An injected fault ends with the process: neither the file nor a successor has it.
func TestFaultsEndWithTheProcess(t *testing.T) {
	var log logtest.Buffer
	file := filepath.Join(t.TempDir(), "state.json")
	b := Open(Options{File: file})
	mustPut(t, b, drainOf("10.0.0.1:80"))
	mustPut(t, b, Change{Subject: Subject{Kind: Fault, Route: "shop", Fault: "abort"}, Value: json.RawMessage(`{"abort":503}`), By: "ci"})
	mustPut(t, b, Change{Subject: Subject{Kind: Fault, Route: "shop", Fault: "delay"}, Value: json.RawMessage(`{"delay":"1s"}`), By: "ci"})
	if n := len(b.All()); n != 3 {
		t.Errorf("%d changes are in force, want 3: a fault of another kind does not replace one", n)
	}
	want := []string{"state app 10.0.0.1:80"}
	if got := subjects(Open(Options{File: file})); !slices.Equal(got, want) {
		t.Errorf("from the file: got %q, want %q", got, want)
	}
	next := Open(Options{File: file, Inherit: b.All(), Log: slog.New(slog.NewTextHandler(&log, nil))})
	if got := subjects(next); !slices.Equal(got, want) {
		t.Errorf("from the process before: got %q, want %q", got, want)
	}
	if text := log.Take(); strings.Count(text, "what=\"taken back\"") != 2 || !strings.Contains(text, "fault=abort") {
		t.Errorf("the log does not say that the faults have ended:\n%s", text)
	}
	for _, bad := range []Subject{{Kind: Fault, Route: "shop"}, {Kind: Fault, Fault: "abort"}, {Kind: Split, Route: "shop", Fault: "abort"}} {
		if _, err := b.Put(Change{Subject: bad}); !errors.Is(err, ErrInvalid) {
			t.Errorf("%+v: got %v, want ErrInvalid", bad, err)
		}
	}
}

// The log has the values of changes in the words of an operator.
func TestWords(t *testing.T) {
	for _, c := range []struct {
		kind        Kind
		value, want string
	}{
		{State, `"off"`, "off"}, {Weight, "5", "5"}, {Removed, "", ""}, {Added, `{"weight":2,"max_in_flight":10}`, "max_in_flight 10, weight 2"},
		{Split, `{"v1":97.5,"v2":2.5}`, "v1 97.5, v2 2.5"}, {Pause, `{"max":"30s","max_requests":1000,"max_body":67108864}`, "max 30s, max_body 67108864, max_requests 1000"},
		{Maintenance, `{"retry_after":"5m0s","clients":["10.0.0.0/8","::1/128"],"passes":[{"of":"header","name":"X","sha256":"ab"}]}`, "clients 10.0.0.0/8 ::1/128, retry_after 5m0s"},
		{Maintenance, `{"off":true}`, "off true"}, {Fault, `{"share":0.05,"headers":{"X":"*"},"abort":503}`, "abort 503, share 0.05"},
		{Deploy, `{"to":["http://a:1"],"step_time":10000000000,"stage":"adding"}`, ""}, {"later", `{"a":null}`, ""}, {State, `"`, ""},
	} {
		if got := (Change{Subject: Subject{Kind: c.kind}, Value: json.RawMessage(c.value)}).Words(); got != c.want {
			t.Errorf("%s %s: got %q, want %q", c.kind, c.value, got, c.want)
		}
	}
}
