package deadline

import (
	"fmt"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestAlarm checks the deadlines that are set: as few as possible.
func TestAlarm(t *testing.T) {
	t.Parallel()
	type steps func(a *Alarm, at func(seconds int) time.Time)
	f := func(name string, eager bool, do steps, want ...string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				var got []string
				a := Alarm{Eager: eager, Set: func(at time.Time) error {
					switch {
					case at.IsZero():
						got = append(got, "none")
					case at.Before(start):
						got = append(got, "past")
					default:
						got = append(got, fmt.Sprint(at.Sub(start).Seconds()))
					}
					return nil
				}}
				do(&a, func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) })
				if !slices.Equal(got, want) {
					t.Errorf("got %v, want %v", got, want)
				}
			})
		})
	}
	f("none", false, func(a *Alarm, at func(int) time.Time) { a.Bound(time.Time{}) })
	f("later", false, func(a *Alarm, at func(int) time.Time) {
		a.Bound(at(5))
		a.Bound(at(6))
		a.Bound(time.Time{})
		a.Bound(at(7))
	}, "5")
	f("earlier", false, func(a *Alarm, at func(int) time.Time) {
		a.Bound(at(5))
		a.Bound(at(4))
	}, "5", "4")
	f("eager", true, func(a *Alarm, at func(int) time.Time) {
		a.Bound(at(5))
		a.Bound(at(5))
		a.Bound(at(6))
		a.Bound(time.Time{})
	}, "5", "6", "none")
	f("woken", false, func(a *Alarm, at func(int) time.Time) {
		a.BoundAndWake(at(5), at(2))
		a.Wake(at(3))
		a.Wake(at(1))
	}, "5", "2", "1")
	f("a wake-up of its own", false, func(a *Alarm, at func(int) time.Time) {
		a.Wake(at(1))
		a.SetBound(at(5), at(2))
		a.SetBound(at(6), at(2))
		a.SetAgain(at(3))
	}, "1", "2", "3")
	f("again", false, func(a *Alarm, at func(int) time.Time) {
		a.Bound(at(5))
		a.Bound(at(6))
		time.Sleep(5 * time.Second)
		if !a.Again() {
			t.Error("the bound was taken for reached")
		}
		time.Sleep(time.Second)
		if a.Again() {
			t.Error("the bound was not taken for reached")
		}
		a.Bound(time.Time{})
		if !a.Again() {
			t.Error("no bound was taken for one")
		}
	}, "5", "6", "none")
	f("off", false, func(a *Alarm, at func(int) time.Time) {
		a.Bound(at(5))
		a.Interrupt()
		a.Bound(at(4))
		a.Off()
		a.Bound(at(5))
	}, "5", "past", "none", "5")
}

// TestInterrupt: a wait ends at once, and can be continued.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		defer there.Close()
		defer here.Close()
		a := Alarm{Set: here.SetReadDeadline}
		a.Bound(After(time.Now(), time.Minute))
		read := func() (int, error) { return here.Read(make([]byte, 1)) }
		start := time.Now()
		time.AfterFunc(time.Second, a.Interrupt)
		if _, err := read(); !Exceeded(err) || time.Since(start) != time.Second || !a.Again() {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
		go there.Write([]byte("a"))
		if n, err := read(); n != 1 || err != nil {
			t.Errorf("got %d, %v", n, err)
		}
		if _, err := read(); !Exceeded(err) || time.Since(start) != time.Minute || a.Again() {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
	})
	if !After(time.Now(), 0).IsZero() {
		t.Error("no time is a bound")
	}
}
