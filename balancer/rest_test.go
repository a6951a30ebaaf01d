package balancer

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var changes []bool
		p := newTestPool(t, Options{Checked: true, Notify: func(c Change) { changes = append(changes, c.Available) }}, specsOf(2)...)
		m := p.Members()
		for i := range m {
			m[i].ObserveProbe(Passed, Thresholds{})
		}
		changes = nil
		check := func(when string, want bool) {
			t.Helper()
			if got := m[0].Available(); got != want {
				t.Errorf("%s: available %t, want %t", when, got, want)
			}
		}
		if m[0].Rest(0) {
			t.Error("a rest of no time was taken")
		}
		if !m[0].Rest(30 * time.Second) {
			t.Error("a rest was refused although another member is available")
		}
		check("resting", false)
		if m[1].Rest(time.Second) || !m[1].Available() {
			t.Error("the last available member rests")
		}
		time.Sleep(20 * time.Second)
		m[0].Rest(30 * time.Second)
		time.Sleep(20 * time.Second)
		check("the later rest counts", false)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		check("after the rest", true)

		m[0].Rest(time.Hour)
		m[0].ObserveProbe(Refused, Thresholds{})
		m[0].ObserveProbe(Passed, Thresholds{})
		check("gone and back", true)

		m[0].Rest(time.Hour)
		time.Sleep(MaxRest)
		synctest.Wait()
		check("after the longest rest", true)

		m[0].Rest(time.Hour)
		p.Update(specsOf(2)[1:]) // its timer ends with it, or the bubble would not
		if want := 8; len(changes) < want-1 {
			t.Errorf("%d changes were told, want at least %d", len(changes), want-1)
		}
	})
}
