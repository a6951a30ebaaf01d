package main

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestLedgerCountsPOSTsExecutedTwice(t *testing.T) {
	t.Parallel()
	l := newLedger()
	for _, request := range []string{"POST 1", "GET 2", "GET 2", "POST 3", "POST 3", "POST 3", "POST 4"} {
		l.began("a", request)
	}
	if got := l.duplicated(); got != 1 {
		t.Errorf("got %d, want 1: only POST 3 was executed more than once and must not be", got)
	}
	if got, _ := l.repeated(); got != 1 {
		t.Errorf("got %d, want 1: only GET 2 is no POST and was executed more than once", got)
	}
}

// TestLedgerIgnoresFaultyBackends has a GET executed by b and by a, and a is faulty for
// some time. The client sends it after 1 s, and a ends its execution after 3 s.
func TestLedgerIgnoresFaultyBackends(t *testing.T) {
	t.Parallel()
	f := func(says string, from, to time.Duration, want int) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			l := newLedger()
			at := func(d time.Duration, do func()) { time.AfterFunc(d, do) }
			at(from, func() { l.out("a") })
			at(from+time.Millisecond, func() { l.out("a") }) // a moment is enough
			at(to, func() { l.back("a") })
			at(time.Second, func() { l.sends("1", false) })
			at(2*time.Second, func() { l.began("a", "GET 1"); l.began("b", "GET 1") })
			at(2100*time.Millisecond, func() { l.ended("b", "GET 1") })
			at(3*time.Second, func() { l.ended("a", "GET 1") })
			time.Sleep(10 * time.Second)
			if got, _ := l.repeated(); got != want {
				t.Errorf("%s: got %d executed twice, want %d", says, got, want)
			}
		})
	}
	f("out and back before it was sent", 100*time.Millisecond, 900*time.Millisecond, 1)
	f("out when it was sent, and executed afterwards, as after a thaw", 100*time.Millisecond, 1500*time.Millisecond, 0)
	f("out from its execution on", 2500*time.Millisecond, 5*time.Second, 0)
	f("out from its execution on, for ever", 2500*time.Millisecond, time.Hour, 0)
	f("out after its end", 3500*time.Millisecond, 5*time.Second, 1)
}

// TestLedgerWithoutEnd has a backend that is killed in the middle of an execution.
func TestLedgerWithoutEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLedger()
		l.sends("1", false)
		l.began("a", "GET 1")
		l.began("b", "GET 1")
		if got, _ := l.repeated(); got != 1 {
			t.Errorf("both under way: got %d executed twice, want 1", got)
		}
		time.Sleep(time.Second)
		l.out("a")
		if got, _ := l.repeated(); got != 0 {
			t.Errorf("one of them is killed: got %d executed twice, want 0", got)
		}
	})
}
