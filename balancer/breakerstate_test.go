package balancer

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestBreakerMoves brings a breaker into each stage and applies each event there. An
// event that is not in want must change nothing and report nothing.
func TestBreakerMoves(t *testing.T) {
	stages := map[stage]func(b *breaker){
		stageClosed:   func(*breaker) {},
		stageOpen:     func(b *breaker) { feed(b, Failure); time.Sleep(soon) },
		stageHastened: func(b *breaker) { feed(b, Failure); b.hasten() },
		stageTrial:    func(b *breaker) { feed(b, Failure); time.Sleep(7 * time.Second) },
		stageEarly:    func(b *breaker) { feed(b, Failure); b.hasten(); time.Sleep(soon) },
	}
	happens := map[string]func(b *breaker){
		"failure":       func(b *breaker) { feed(b, Failure) },
		"success":       func(b *breaker) { feed(b, Success) },
		"two successes": func(b *breaker) { feed(b, Success, Success) },
		"no verdict":    func(b *breaker) { feed(b, Ignored, Ignored, Ignored) },
		"a moment":      func(*breaker) { time.Sleep(soon) },
		"its open time": func(*breaker) { time.Sleep(7 * time.Second) },
		"long trials":   func(b *breaker) { b.admit(); b.admit(); time.Sleep(trialBound) },
		"hasten":        func(b *breaker) { b.hasten() },
		"hasten twice":  func(b *breaker) { b.hasten(); b.hasten() },
		"pardon":        func(b *breaker) { b.pardon() },
		"configure":     func(b *breaker) { b.configure(b.opts) },
	}
	type outcome struct {
		to   stage
		told []BreakerState
	}
	told := func(s ...BreakerState) []BreakerState { return s }
	want := map[stage]map[string]outcome{
		stageClosed: {
			"failure": {stageOpen, told(Open)},
		},
		stageOpen: {
			"its open time": {stageTrial, told(HalfOpen)},
			"long trials":   {stageTrial, told(HalfOpen)}, // there were none
			"hasten":        {stageHastened, nil},
			"hasten twice":  {stageHastened, nil},
			"pardon":        {stageClosed, told(Closed)},
			"configure":     {stageClosed, nil},
		},
		stageHastened: {
			"a moment":      {stageEarly, told(HalfOpen)},
			"its open time": {stageEarly, told(HalfOpen)},
			"long trials":   {stageEarly, told(HalfOpen)},
			"pardon":        {stageClosed, told(Closed)},
			"configure":     {stageClosed, nil},
		},
		stageTrial: {
			"failure":       {stageOpen, told(Open)},
			"two successes": {stageClosed, told(Closed)},
			"configure":     {stageClosed, nil},
		},
		stageEarly: {
			"failure":       {stageOpen, told(Open)},
			"two successes": {stageClosed, told(Closed)},
			"configure":     {stageClosed, nil},
		},
	}
	for from, reach := range stages {
		for name, happen := range happens {
			t.Run(fmt.Sprintf("stage %d, %s", from, name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b, l := newTestBreaker(t, BreakerOptions{Consecutive: 1, OpenFor: 5 * time.Second})
					reach(b)
					synctest.Wait()
					if got := b.stage(); got != from {
						t.Fatalf("got stage %d", got)
					}
					w, ok := want[from][name]
					if !ok {
						w.to = from
					}
					round := b.round()
					l.forget()
					happen(b)
					synctest.Wait()
					if got := b.stage(); got != w.to {
						t.Errorf("got stage %d, want %d", got, w.to)
					}
					if moved := b.round() != round; moved != (ok || name == "configure") {
						t.Errorf("a new round: got %v", moved)
					}
					l.check(t, w.told...)
				})
			})
		}
	}
}

// TestBreakerEarlyFailure: an early trial that fails does not make the open time grow; a
// normal trial that fails does.
func TestBreakerEarlyFailure(t *testing.T) {
	f := func(name string, hastened int, want time.Duration) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			b, _ := newTestBreaker(t, BreakerOptions{Consecutive: 1, OpenFor: time.Second, MaxOpenFor: time.Hour})
			feed(b, Failure)
			for range hastened {
				b.hasten()
				time.Sleep(soon)
				feed(b, Failure)
			}
			for range 2 - hastened {
				for b.current() == Open {
					time.Sleep(time.Millisecond)
				}
				feed(b, Failure)
			}
			start := time.Now()
			for b.current() == Open {
				time.Sleep(time.Millisecond)
			}
			if got := time.Since(start); got < want || got > want*3/2 {
				t.Errorf("%s: open for %v, want about %v", name, got, want)
			}
		})
	}
	f("both early", 2, time.Second)
	f("one early", 1, 2*time.Second)
	f("none early", 0, 4*time.Second)
}
