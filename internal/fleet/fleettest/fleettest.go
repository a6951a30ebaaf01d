// Package fleettest tests the laws that every engine of a fleet obeys.
package fleettest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goodgate/goodgate/internal/fleet"
)

// Run tests the engines that open returns. All engines of one test share a store, which
// is empty at the beginning of the test.
//
// bubble means that the test runs in a bubble, which only engines without sockets can
// use: no time passes. Otherwise the laws of leases are tested only with GOODGATE_LONG=1,
// because they take long.
func Run(t *testing.T, bubble bool, open func(t *testing.T) func() fleet.Engine) {
	for _, law := range []struct {
		name string
		test func(t *testing.T, a, b fleet.Engine)
		slow bool
	}{
		{"Put", testPut, false}, {"Binary", testBinary, false}, {"Delete", testDelete, false}, {"Lease", testLease, true}, {"Renew", testRenew, true},
		{"List", testList, false}, {"OneWins", testOneWins, false}, {"Take", testTake, false}, {"TakeAgo", testTakeAgo, false}, {"TakeLate", testTakeLate, false}, {"TakeExact", testTakeExact, false},
		{"TakeTogether", testTakeTogether, false}, {"TakeRefills", testTakeRefills, false}, {"Messages", testMessages, false}, {"Context", testContext, false},
	} {
		t.Run(law.name, func(t *testing.T) {
			test := func(t *testing.T) {
				dial := open(t)
				a, b := dial(), dial()
				law.test(t, a, b)
			}
			switch {
			case bubble:
				synctest.Test(t, test)
			case law.slow && os.Getenv("GOODGATE_LONG") == "":
				t.Skip("GOODGATE_LONG=1 runs this")
			default:
				test(t)
			}
		})
	}
}

// bound limits every wait.
const bound = 10 * time.Second

func ctx(t *testing.T) context.Context {
	c, cancel := context.WithTimeout(t.Context(), bound)
	t.Cleanup(cancel)
	return c
}

func put(t *testing.T, e fleet.Engine, key, value string, w fleet.Write) fleet.Entry {
	t.Helper()
	got, err := e.Put(ctx(t), "t", key, []byte(value), w)
	if err != nil {
		t.Fatalf("put %s: %v", key, err)
	}
	return got
}

func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got error %v, want %v", what, got, want)
	}
}

// wantEntry checks that a key has a value, and that an empty value means no entry.
func wantEntry(t *testing.T, e fleet.Engine, key, want string) fleet.Entry {
	t.Helper()
	got, err := e.Get(ctx(t), "t", key)
	switch {
	case want == "":
		wantErr(t, "get "+key, err, fleet.ErrNotFound)
	case err != nil || string(got.Value) != want:
		t.Errorf("get %s: got %q, %v, want %q", key, got.Value, err, want)
	}
	return got
}

func testPut(t *testing.T, a, b fleet.Engine) {
	wantEntry(t, a, "k", "")
	first := put(t, a, "k", "1", fleet.Write{})
	if got := wantEntry(t, b, "k", "1"); got.Revision != first.Revision || first.Revision == 0 || got.At.IsZero() {
		t.Errorf("got %+v, written as %+v", got, first)
	}
	_, err := b.Put(ctx(t), "t", "k", []byte("2"), fleet.Write{})
	wantErr(t, "put over what is there", err, fleet.ErrConflict)
	second := put(t, b, "k", "2", fleet.Write{Revision: first.Revision})
	if second.Revision <= first.Revision {
		t.Errorf("revision %d after %d", second.Revision, first.Revision)
	}
	_, err = a.Put(ctx(t), "t", "k", []byte("3"), fleet.Write{Revision: first.Revision})
	wantErr(t, "put over another revision", err, fleet.ErrConflict)
	_, err = a.Put(ctx(t), "t", "none", []byte("3"), fleet.Write{Revision: first.Revision})
	wantErr(t, "put over what is not there", err, fleet.ErrConflict)
	wantEntry(t, a, "k", "2")
	put(t, a, "k", "4", fleet.Write{Revision: fleet.Any})
	wantEntry(t, b, "k", "4")
	if _, err := a.Get(ctx(t), "another", "k"); !errors.Is(err, fleet.ErrNotFound) {
		t.Errorf("another table has it too: %v", err)
	}
}

func testBinary(t *testing.T, a, b fleet.Engine) {
	value := []byte{0, 1, ':', '\r', '\n', 255, 254, '"'}
	if _, err := a.Put(ctx(t), "t", "k", value, fleet.Write{}); err != nil {
		t.Fatal(err)
	}
	got, err := b.Get(ctx(t), "t", "k")
	if err != nil || !bytes.Equal(got.Value, value) {
		t.Errorf("got %q, %v", got.Value, err)
	}
	l, err := b.List(ctx(t), "t", 0)
	if err != nil || len(l.Entries) != 1 || !bytes.Equal(l.Entries[0].Value, value) {
		t.Errorf("got %v, %v", l.Entries, err)
	}
}

func testDelete(t *testing.T, a, b fleet.Engine) {
	e := put(t, a, "k", "1", fleet.Write{})
	wantErr(t, "delete another revision", b.Delete(ctx(t), "t", "k", e.Revision+1), fleet.ErrConflict)
	wantEntry(t, b, "k", "1")
	for range 2 {
		if err := b.Delete(ctx(t), "t", "k", e.Revision); err != nil {
			t.Errorf("delete: %v", err)
		}
	}
	wantEntry(t, a, "k", "")
	put(t, a, "k", "2", fleet.Write{})
	if err := b.Delete(ctx(t), "t", "k", fleet.Any); err != nil {
		t.Errorf("delete any: %v", err)
	}
	wantEntry(t, a, "k", "")
}

// until repeats cond until it holds.
func until(t testing.TB, what string, cond func() bool) {
	t.Helper()
	pause := time.NewTicker(20 * time.Millisecond)
	defer pause.Stop()
	for end := time.Now().Add(bound); !cond(); <-pause.C {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, bound)
		}
	}
}

func testLease(t *testing.T, a, b fleet.Engine) {
	put(t, a, "stays", "1", fleet.Write{})
	put(t, a, "k", "1", fleet.Write{Lease: time.Second})
	wantEntry(t, b, "k", "1")
	before, err := b.List(ctx(t), "t", 0)
	if err != nil || len(before.Entries) != 2 {
		t.Fatalf("got %+v, %v", before, err)
	}
	until(t, "end of the lease", func() bool {
		_, err := b.Get(ctx(t), "t", "k")
		return errors.Is(err, fleet.ErrNotFound)
	})
	after, err := b.List(ctx(t), "t", before.Revision)
	if err != nil || after.Same || len(after.Entries) != 1 {
		t.Errorf("after a lease has ended: got %+v, %v", after, err)
	}
	put(t, b, "k", "2", fleet.Write{}) // the entry does not exist
}

// testRenew checks that a lease is renewed without a change of the table.
func testRenew(t *testing.T, a, b fleet.Engine) {
	const lease = 3 * time.Second
	first := put(t, a, "k", "1", fleet.Write{Revision: fleet.Any, Lease: lease})
	pause := time.NewTicker(lease / 3)
	defer pause.Stop()
	for range 4 {
		<-pause.C
		again := put(t, a, "k", "1", fleet.Write{Revision: fleet.Any, Lease: lease})
		if again.Revision != first.Revision {
			t.Errorf("renewed: revision %d, was %d", again.Revision, first.Revision)
		}
	}
	wantEntry(t, b, "k", "1")
	other := put(t, a, "k", "2", fleet.Write{Revision: fleet.Any, Lease: lease})
	if other.Revision <= first.Revision {
		t.Errorf("another value: revision %d after %d", other.Revision, first.Revision)
	}
}

func testList(t *testing.T, a, b fleet.Engine) {
	empty, err := a.List(ctx(t), "t", 0)
	if err != nil || len(empty.Entries) != 0 {
		t.Errorf("got %+v, %v", empty, err)
	}
	for i := range 300 {
		put(t, a, fmt.Sprint("key-", i), fmt.Sprint(i), fleet.Write{})
	}
	l, err := b.List(ctx(t), "t", empty.Revision)
	if err != nil || len(l.Entries) != 300 || l.Now.IsZero() || l.Revision == 0 {
		t.Errorf("got %d entries, %v", len(l.Entries), err)
	}
	for _, e := range l.Entries {
		if e.Key != "key-"+string(e.Value) || e.Revision == 0 || e.Revision > l.Revision {
			t.Errorf("got %+v in revision %d", e, l.Revision)
		}
	}
	same, err := b.List(ctx(t), "t", l.Revision)
	if err != nil || same.Revision != l.Revision || !same.Same && len(same.Entries) != 300 {
		t.Errorf("again: got %v, %v", same, err)
	}
	if err := a.Delete(ctx(t), "t", "key-7", fleet.Any); err != nil {
		t.Error(err)
	}
	less, err := b.List(ctx(t), "t", l.Revision)
	if err != nil || less.Same || len(less.Entries) != 299 || less.Revision == l.Revision {
		t.Errorf("after a delete: got %d entries of revision %d, %v", len(less.Entries), less.Revision, err)
	}
}

// testOneWins checks that exactly one of many concurrent callers wins.
func testOneWins(t *testing.T, a, b fleet.Engine) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for i := range 16 {
		wg.Go(func() {
			e := []fleet.Engine{a, b}[i%2]
			_, err := e.Put(ctx(t), "t", "lock", fmt.Append(nil, i), fleet.Write{Lease: time.Minute})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else if !errors.Is(err, fleet.ErrConflict) {
				t.Errorf("put: %v", err)
			}
		})
	}
	wg.Wait()
	if won != 1 {
		t.Errorf("%d of 16 won", won)
	}
}

func take(t *testing.T, e fleet.Engine, uses ...fleet.Use) []fleet.Level {
	t.Helper()
	got, err := e.Take(ctx(t), uses)
	if err != nil || len(got) != len(uses) {
		t.Fatalf("take: got %v, %v", got, err)
	}
	return got
}

// near checks that a level differs from the expected one only by the tokens leaked in
// within some seconds.
func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if got < want-0.01 || got > want+tolerance {
		t.Errorf("%s: %v tokens are left, want %v", what, got, want)
	}
}

func testTake(t *testing.T, a, b fleet.Engine) {
	const slow = time.Minute // per token; 0.17 tokens leak in within the time limit of a test
	u := fleet.Use{Key: "one", Tokens: 3, Every: slow, Burst: 10}
	near(t, "first", take(t, a, u)[0].Tokens, 7, 0.2)
	both := take(t, b, u, fleet.Use{Key: "two", Tokens: 1, Every: slow, Burst: 5})
	near(t, "second", both[0].Tokens, 4, 0.2)
	near(t, "another", both[1].Tokens, 4, 0.2)
	u.Tokens = 0
	near(t, "look", take(t, a, u)[0].Tokens, 4, 0.2)
	u.Tokens = 6
	near(t, "more than there is", take(t, a, u)[0].Tokens, -2, 0.2)
	u.Tokens = 1000
	near(t, "far more", take(t, a, u)[0].Tokens, -10*fleet.MaxDebt, 0.2)
}

// testTakeAgo checks that tokens taken some time ago have leaked in again.
func testTakeAgo(t *testing.T, a, b fleet.Engine) {
	u := fleet.Use{Key: "one", Tokens: 5, Every: time.Minute, Burst: 10, Ago: 2 * time.Minute}
	near(t, "of an idle bucket", take(t, a, u)[0].Tokens, 7, 0.2)
	u.Tokens, u.Ago = 2, 3*time.Minute
	near(t, "of a bucket in use", take(t, b, u)[0].Tokens, 5, 0.2)
	near(t, "all is back", take(t, b, fleet.Use{Key: "two", Tokens: 3, Every: time.Minute, Burst: 10, Ago: time.Hour})[0].Tokens, 10, 0)
}

func testTakeExact(t *testing.T, a, b fleet.Engine) {
	u := fleet.Use{Key: "one", Tokens: 1, Every: time.Minute, Burst: 5, Exact: true}
	let := 0
	for i := range 20 {
		if take(t, []fleet.Engine{a, b}[i%2], u)[0].Taken {
			let++
		}
	}
	if let != 5 {
		t.Errorf("%d were let in, want 5", let)
	}
	near(t, "at last", take(t, a, u)[0].Tokens, 0, 0.2)
}

// testTakeTogether checks that concurrent takers neither lose a token nor get one
// twice.
func testTakeTogether(t *testing.T, a, b fleet.Engine) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	let := 0
	for i := range 40 {
		wg.Go(func() {
			e := []fleet.Engine{a, b}[i%2]
			got, err := e.Take(ctx(t), []fleet.Use{{Key: "exact", Tokens: 1, Every: time.Minute, Burst: 10, Exact: true}, {Key: "sum", Tokens: 2, Every: time.Minute, Burst: 100}})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("take: %v", err)
			} else if got[0].Taken {
				let++
			}
		})
	}
	wg.Wait()
	if let != 10 {
		t.Errorf("%d were let in, want 10", let)
	}
	near(t, "sum", take(t, a, fleet.Use{Key: "sum", Every: time.Minute, Burst: 100})[0].Tokens, 20, 0.4)
}

func testTakeRefills(t *testing.T, a, b fleet.Engine) {
	u := fleet.Use{Key: "one", Tokens: 5, Every: 100 * time.Millisecond, Burst: 5}
	if got := take(t, a, u)[0].Tokens; got > 3 {
		t.Errorf("%v tokens are left", got)
	}
	u.Tokens = 0
	until(t, "the bucket is full", func() bool { return take(t, b, u)[0].Tokens == 5 })
	u.Tokens = 1
	near(t, "full again", take(t, b, u)[0].Tokens, 4, 1)
}

func testMessages(t *testing.T, a, b fleet.Engine) {
	type message struct{ topic, text string }
	heard := make(chan message, 100)
	ready := make(chan struct{})
	c, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- b.Watch(c, sync.OnceFunc(func() { close(ready) }), func(topic string, m []byte) { heard <- message{topic, string(m)} })
	}()
	select {
	case <-ready:
	case err := <-done:
		t.Fatalf("watch: %v", err)
	case <-time.After(bound):
		t.Fatal("watch: not ready")
	}
	want := []message{{"one", "a"}, {"two", "b\nc\x00\xff"}, {"one", ""}}
	for _, m := range want {
		if err := a.Publish(ctx(t), m.topic, []byte(m.text)); err != nil {
			t.Fatalf("publish: %v", err)
		}
	}
	for _, m := range want {
		select {
		case got := <-heard:
			if got != m {
				t.Errorf("got %q, want %q", got, m)
			}
		case <-time.After(bound):
			t.Fatalf("%q was not heard", m)
		}
	}
	cancel()
	select {
	case err := <-done:
		wantErr(t, "end of watch", err, context.Canceled)
	case <-time.After(bound):
		t.Error("watch does not end with its context")
	}
}

func testContext(t *testing.T, a, _ fleet.Engine) {
	c, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Get(c, "t", "k"); err == nil || errors.Is(err, fleet.ErrNotFound) {
		t.Errorf("with a context that has ended: got %v", err)
	}
}
