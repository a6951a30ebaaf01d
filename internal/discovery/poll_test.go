package discovery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// scripted is an asker whose answers a test writes down.
type scripted struct {
	answers []step // the last one is repeated
	asked   []asking
	began   time.Time
}

type step struct {
	found Found
	err   error
	hangs bool // until its context ends
	holds time.Duration
}

type asking struct {
	at    time.Duration
	fresh bool
}

func (s *scripted) Ask(ctx context.Context, fresh bool) (Found, error) {
	if s.began.IsZero() {
		s.began = time.Now()
	}
	i := min(len(s.asked), len(s.answers)-1)
	s.asked = append(s.asked, asking{time.Since(s.began), fresh})
	if s.answers[i].hangs {
		<-ctx.Done()
		return Found{}, ctx.Err()
	}
	time.Sleep(s.answers[i].holds)
	return s.answers[i].found, s.answers[i].err
}

func set(hosts ...string) step { return step{found: Found{Targets: at80(hosts...)}} }

var errDown = step{err: errors.New("connection refused")}

// TestPollKeeps has the other program fail in several ways: the last good set stays,
// and changes made meanwhile are found.
func TestPollKeeps(t *testing.T) {
	for name, failing := range map[string]step{
		"error":    errDown,
		"hangs":    {hangs: true},
		"too many": {found: Found{Targets: make([]Target, maxTargets+1)}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &scripted{answers: []step{set("10.0.0.1"), failing, failing, failing, set("10.0.0.2")}}
				r := run(t, NewPoll(a, PollOptions{Name: "registry", Every: time.Second}))
				r.want(t, "10.0.0.1:80")
				for range 3 {
					if err := <-r.errs; err == nil || !strings.HasPrefix(err.Error(), "registry: ") {
						t.Errorf("got %v", err)
					}
				}
				r.want(t, "10.0.0.2:80")
				if err := <-r.errs; err != nil {
					t.Errorf("got %v, want nil once it works again", err)
				}
				for i, want := range []bool{true, false, true, true, true, false} {
					if i < len(a.asked) && a.asked[i].fresh != want {
						t.Errorf("question %d: fresh is %v", i, !want)
					}
				}
			})
		})
	}
}

// TestPollBackoff checks the waits after failures: they double up to a limit, and two
// goodgates do not poll at the same time.
func TestPollBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &scripted{answers: []step{errDown}}
		r := run(t, NewPoll(a, PollOptions{Every: time.Second}))
		for range 10 {
			<-r.errs
		}
		base := time.Second
		for i := 1; i < len(a.asked); i++ {
			wait := a.asked[i].at - a.asked[i-1].at
			if wait < base/2 || wait > base {
				t.Errorf("wait %d is %v, want %v to %v", i, wait, base/2, base)
			}
			base = min(2*base, maxRetry)
		}
	})
}

// later is a refusal that says how long to wait.
type later time.Duration

func (l later) Error() string             { return "too many requests" }
func (l later) RetryAfter() time.Duration { return time.Duration(l) }

// TestPollRetryAfter leaves a program alone for as long as it wants, within a bound.
func TestPollRetryAfter(t *testing.T) {
	for wants, least := range map[time.Duration]time.Duration{0: firstRetry / 2, -time.Second: firstRetry / 2, 20 * time.Second: 20 * time.Second, time.Hour: maxRetryAfter} {
		synctest.Test(t, func(t *testing.T) {
			a := &scripted{answers: []step{{err: fmt.Errorf("asking: %w", later(wants))}, set("10.0.0.1")}}
			r := run(t, NewPoll(a, PollOptions{Every: time.Second}))
			<-r.errs
			r.want(t, "10.0.0.1:80")
			if got := a.asked[1].at; got < least || got > least+max(least/4, firstRetry) {
				t.Errorf("wants %v: asked again after %v, want about %v", wants, got, least)
			}
		})
	}
}

// TestPollEmpty has a set become empty. It counts after a second query confirms it.
func TestPollEmpty(t *testing.T) {
	for name, tc := range map[string]struct {
		second step
		want   []string
	}{
		"still empty":               {set(), nil},
		"not empty the second time": {set("10.0.0.2"), []string{"10.0.0.2:80"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &scripted{answers: []step{set("10.0.0.1"), set(), tc.second}}
				r := run(t, NewPoll(a, PollOptions{Every: time.Second, Hold: time.Minute}))
				r.want(t, "10.0.0.1:80")
				if err := <-r.errs; !errors.Is(err, errEmptied) {
					t.Fatalf("got %v", err)
				}
				r.want(t, tc.want...)
				if err := <-r.errs; err != nil {
					t.Errorf("got %v", err)
				}
				synctest.Wait()
				if q := a.asked[2]; !q.fresh || q.at < emptyAgain {
					t.Errorf("the second question: %+v", q)
				}
			})
		})
	}
	t.Run("at first", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := run(t, NewPoll(&scripted{answers: []step{set()}}, PollOptions{}))
			r.want(t)
		})
	})
}

// TestPollPace has a program answer long polls at once. The source must still pause
// between queries.
func TestPollPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &scripted{answers: []step{set("10.0.0.1")}}
		run(t, NewPoll(a, PollOptions{Hold: time.Minute}))
		time.Sleep(time.Minute)
		synctest.Wait()
		if n, most := len(a.asked), 130; n > most {
			t.Errorf("asked %d times in a minute, more than %d", n, most)
		}
	})
}

// TestPollUnchanged has an answer report no change: nothing is delivered, and the query
// counts as a success.
func TestPollUnchanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &scripted{answers: []step{set("10.0.0.1"), {found: Found{Unchanged: true}}}}
		k := Keep(NewPoll(a, PollOptions{Every: time.Minute}), nil)
		r := run(t, k)
		r.want(t, "10.0.0.1:80")
		time.Sleep(time.Hour)
		synctest.Wait()
		r.wantQuiet(t)
		if s := k.State(); time.Since(s.Looked) > 2*time.Minute || s.Targets != 1 {
			t.Errorf("got %+v", s)
		}
	})
}

// TestPollRefresh requests a query before its time.
func TestPollRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPoll(&scripted{answers: []step{set("10.0.0.1"), set("10.0.0.2")}}, PollOptions{Every: time.Hour})
		r := run(t, p)
		r.want(t, "10.0.0.1:80")
		p.Refresh()
		began := time.Now()
		r.want(t, "10.0.0.2:80")
		if d := time.Since(began); d > 2*time.Second {
			t.Errorf("looked after %v", d)
		}
	})
}

// TestKeptState checks the reported state of a source.
func TestKeptState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := set("10.0.0.1")
		first.found.LeftOut = slices.Repeat([]LeftOut{{"b", "it has no port"}}, maxLeftOut+3)
		a := &scripted{answers: []step{first, errDown, errDown, set("10.0.0.1")}}
		k := Keep(NewPoll(a, PollOptions{Name: "registry", Every: time.Second}), nil)
		if s := k.State(); !s.Looked.IsZero() || s.Targets != 0 {
			t.Errorf("before it ran: %+v", s)
		}
		r := run(t, k)
		r.want(t, "10.0.0.1:80")
		<-r.errs
		<-r.errs
		if s := k.State(); s.Targets != 1 || len(s.LeftOut) != maxLeftOut || s.Omitted != 3 || s.Failures != 2 || s.Failing.IsZero() || s.Error != "registry: connection refused" {
			t.Errorf("while it fails: %+v", s)
		}
		<-r.errs
		if s := k.State(); s.Targets != 1 || len(s.LeftOut) != 0 || s.Error != "" || !s.Failing.IsZero() {
			t.Errorf("when it works again: %+v", s)
		}
		if next := Keep(k.source, k); next.State().Targets != 1 || len(next.Last()) != 1 {
			t.Errorf("carried over: %+v", next.State())
		}
	})
}

// TestKeptBegin has an earlier process' set apply until the source has a newer one.
func TestKeptBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := Keep(NewPoll(&scripted{answers: []step{errDown, set("10.0.0.2")}}, PollOptions{}), nil)
		k.Begin(at80("10.0.0.1"))
		k.Begin(at80("10.0.0.9")) // it has one
		r := run(t, k)
		r.want(t, "10.0.0.1:80")
		r.want(t, "10.0.0.2:80")
	})
}
